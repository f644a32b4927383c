# depthwise_units: a plane, slab and panel of `depthwise`: its rows or its copy, and its tiles.

cdef extern from "depthwise.h":
    enum:
        DEPTHWISE_IN_PLACE
        DEPTHWISE_ROWS
    ctypedef struct depthwise_run:
        Py_ssize_t first
        Py_ssize_t rows
    ctypedef struct depthwise_float:
        const float* const* rows
        const depthwise_run* runs
        Py_ssize_t n_runs, size, step, dilation, taps
    ctypedef struct depthwise_double:
        const double* const* rows
        const depthwise_run* runs
        Py_ssize_t n_runs, size, step, dilation, taps
    void depthwise_block_float(const depthwise_float* d, Py_ssize_t origin, const float* w,
                               const float* bias, float* y, Py_ssize_t y_row, Py_ssize_t rows,
                               Py_ssize_t cols) noexcept nogil
    void depthwise_block_double(const depthwise_double* d, Py_ssize_t origin, const double* w,
                                const double* bias, double* y, Py_ssize_t y_row,
                                Py_ssize_t rows, Py_ssize_t cols) noexcept nogil

cdef extern from "stencil.h":
    void copy_rows(void* out, Py_ssize_t out_row, const char* x, Py_ssize_t x_row, Py_ssize_t rows,
                   Py_ssize_t n) noexcept nogil
    void biased_rows(void* out, Py_ssize_t out_row, const void* sums, Py_ssize_t sums_row,
                     double bias, Py_ssize_t rows, Py_ssize_t n) noexcept nogil

# Samples of a slab and panel, so that the copy of a unit stays in the level-1 cache or near it.
cdef Py_ssize_t SLAB_SAMPLES = 8 << 10
cdef Py_ssize_t LONGEST_PANEL = 1024
# What is read in place: planes of so many rows of results at the least, kernels of so many taps in
# a plane and rows of so many samples at the most. On Zen 4, 7×7 kernels are as fast copied.
cdef Py_ssize_t FEWEST_ROWS = 4
cdef Py_ssize_t MAX_TAPS = 49
cdef Py_ssize_t LONGEST_ROW = 1 << 14
# Taps that are summed in one go, or the root of their number if that is more.
cdef Py_ssize_t BLOCK_KERNEL = 512
# Products of a unit: nothing looks at signals while it runs.
cdef double LONGEST_PLANE = 10 * PRODUCTS_BETWEEN_SIGNALS


cdef struct Depthwise:
    SpatialAxis z, y
    Source x
    Py_ssize_t n_batch, outs, multiplier
    Py_ssize_t n_taps, n_segments
    # Blocks of taps: block k begins at segment block_segment[k] and weight block_weight[k].
    Py_ssize_t n_blocks
    const Py_ssize_t* block_segment
    const Py_ssize_t* block_weight
    const void* weights                 # of each channel, in the order of the tile
    const void* bias
    bint zeros                          # what lies outside is zero
    # Rows of x as they are: the table of rows has `listed` for each phase of each plane of taps.
    bint in_place
    Py_ssize_t listed, n_runs
    const depthwise_run* runs
    const void* outside                 # a row of zeros
    const stencil_segment* segments     # of a copy
    # Tiles.
    bint line
    Py_ssize_t lanes, tile_rows, tile_cols
    # Units.
    Py_ssize_t rows, cols, n_slabs, n_panels
    # The copy: planes of z, each of row phases of column phases of rows.
    Py_ssize_t phase_rows, pitch, phase, plane
    # Strides of the caller's arrays: of x in bytes, of y in samples.
    Py_ssize_t x_batch, x_channel, x_z, x_y


cdef inline void run_depthwise_taps(const Depthwise* s, const real_t* x,
                                    const stencil_segment* segments, Py_ssize_t n_segments,
                                    const real_t* w, real_t* y, Py_ssize_t y_pitch) noexcept nogil:
    if s.line:
        line_tile(x, s.pitch, segments, n_segments, w, y, y_pitch, False)
    else:
        area_tile(x, s.pitch, segments, n_segments, w, y, y_pitch, False)


cdef void run_depthwise_tile(const Depthwise* s, const real_t* x, const stencil_segment* segments,
                             const real_t* w, real_t* y, Py_ssize_t y_pitch) noexcept nogil:
    cdef real_t sums[MAX_TILE]
    cdef const Py_ssize_t* at = s.block_segment
    cdef Py_ssize_t k, r, c
    if s.n_blocks == 1:
        run_depthwise_taps(s, x, segments, s.n_segments, w, y, y_pitch)
        return
    for k in range(s.n_blocks):
        run_depthwise_taps(s, x, segments + at[k], at[k + 1] - at[k], w + s.block_weight[k],
                           y if k == 0 else sums, y_pitch if k == 0 else s.tile_cols)
        if k > 0:
            for r in range(s.tile_rows):
                for c in range(s.tile_cols):
                    y[r * y_pitch + c] += sums[r * s.tile_cols + c]


cdef inline void copy_outside(const Depthwise* s, const real_t* row, Py_ssize_t first,
                              Py_ssize_t start, Py_ssize_t stop, real_t* out) noexcept nogil:
    """Copy samples first + i·stride for i from start to stop, of which some lie outside."""
    cdef Py_ssize_t i, index
    for i in range(start, stop):
        index = source_index(&s.x.axis, first + i * s.x.axis.stride)
        out[i] = row[index] if index >= 0 else 0


cdef inline void copy_line(const Depthwise* s, const real_t* row, Py_ssize_t first,
                           Py_ssize_t count, Py_ssize_t before, Py_ssize_t until_end,
                           real_t* out) noexcept nogil:
    """Copy neighbouring samples, those from before to until_end from inside."""
    if before < until_end:
        copy_row(out + before, row + first + before, until_end - before)
    copy_outside(s, row, first, 0, before, out)
    copy_outside(s, row, first, most(before, until_end), count, out)


cdef inline void copy_pairs(const Depthwise* s, const real_t* row, Py_ssize_t first,
                            Py_ssize_t even, Py_ssize_t odd, real_t* out) noexcept nogil:
    """Copy the two phases of a stride of 2 at once: ``even`` and ``odd`` samples of them."""
    cdef Py_ssize_t n = least(even, odd)
    cdef Py_ssize_t start = least(n, ceil_div(most(0, -first), 2))
    cdef Py_ssize_t stop = most(start, least(n, (s.x.axis.size - first) // 2))
    cdef real_t* other = out + s.phase
    cdef const real_t* pair = row + first
    if start:
        copy_outside(s, row, first, 0, start, out)
        copy_outside(s, row, first + 1, 0, start, other)
    split_rows(<const char*>(pair + 2 * start), 0, 1, stop - start, out + start, other + start, 0)
    copy_outside(s, row, first, stop, even, out)
    copy_outside(s, row, first + 1, stop, odd, other)


cdef void copy_inside(const Depthwise* s, const char* x, Py_ssize_t oz, Py_ssize_t origin,
                      Py_ssize_t rows, Py_ssize_t first, Py_ssize_t n,
                      real_t* copy) noexcept nogil:
    """Copy neighbouring samples, all inside, of the rows that are; the rest is zero already."""
    cdef Py_ssize_t t, c, plane, line, skipped, count
    cdef Py_ssize_t step = s.y.stride
    if n <= 0:
        return
    x += first * <Py_ssize_t>sizeof(real_t)
    for t in range(s.z.taps):
        plane = source_index(&s.z, oz * s.z.stride - s.z.low + t * s.z.dilation)
        if plane < 0:
            continue
        for c in range(least(s.y.phases, s.y.taps)):
            line = origin + c * s.y.dilation % step
            skipped = ceil_div(most(0, -line), step)
            count = least(rows + phase_reach(&s.y, c), ceil_div(most(0, s.y.size - line), step))
            copy_rows(copy + t * s.plane + c * s.phase + skipped * s.pitch, s.pitch,
                      x + plane * s.x_z + (line + skipped * step) * s.x_y, step * s.x_y,
                      count - skipped, n)


cdef void copy_samples(const Depthwise* s, const char* x, Py_ssize_t oz, Py_ssize_t row_from,
                       Py_ssize_t rows, Py_ssize_t col_from, Py_ssize_t cols,
                       real_t* copy) noexcept nogil:
    """Copy what a slab and panel of one plane of results reads."""
    cdef Py_ssize_t t, c, f, q, plane, line, first, count, before, until_end
    cdef Py_ssize_t step = s.x.axis.stride
    cdef Py_ssize_t phases = least(s.x.axis.phases, s.x.axis.taps)
    cdef Py_ssize_t origin_y = row_from * s.y.stride - s.y.low
    cdef Py_ssize_t origin_x = col_from * step - s.x.axis.low
    cdef const char* row
    cdef real_t* out
    cdef Py_ssize_t odd = cols + phase_reach(&s.x.axis, 1) if phases == 2 else 0
    count = cols + phase_reach(&s.x.axis, 0)
    before = pixels_before(&s.x, origin_x, 1, count)
    until_end = pixels_until_end(&s.x, origin_x, 1, count)
    if s.zeros:
        memset(copy, 0, s.z.taps * s.plane * <Py_ssize_t>sizeof(real_t))
        if s.x.same and step == 1:
            copy_inside(s, x, oz, origin_y, rows, origin_x + before, until_end - before,
                        copy + before)
            return
    for t in range(s.z.taps):
        plane = source_index(&s.z, oz * s.z.stride - s.z.low + t * s.z.dilation)
        for c in range(least(s.y.phases, s.y.taps)):
            out = copy + t * s.plane + c * phases * s.phase
            line = origin_y + c * s.y.dilation % s.y.stride
            for q in range(rows + phase_reach(&s.y, c)):
                row = NULL
                f = source_index(&s.y, line + q * s.y.stride)
                if plane >= 0 and f >= 0:
                    row = x + plane * s.x_z + f * s.x_y
                if row == NULL and s.zeros:
                    pass
                elif row != NULL and s.x.same and step == 1:
                    copy_line(s, <const real_t*>row, origin_x, count, before, until_end, out)
                elif row != NULL and s.x.same and step == 2 and phases == 2:
                    copy_pairs(s, <const real_t*>row, origin_x, count, odd, out)
                else:
                    copy_phases(s, row, origin_x, cols, out)
                out += s.pitch


cdef void copy_phases(const Depthwise* s, const char* row, Py_ssize_t origin, Py_ssize_t cols,
                      real_t* out) noexcept nogil:
    """Copy a row, which is outside if it is NULL, phase after phase."""
    cdef Py_ssize_t f, first, count
    cdef Py_ssize_t step = s.x.axis.stride
    for f in range(least(s.x.axis.phases, s.x.axis.taps)):
        first = origin + f * s.x.axis.dilation % step
        count = cols + phase_reach(&s.x.axis, f)
        pack_pixels(&s.x, row, first, step, pixels_before(&s.x, first, step, count),
                    pixels_until_end(&s.x, first, step, count), count, out + f * s.phase)


cdef void sum_block(const Depthwise* s, const real_t* copy, const stencil_segment* segments,
                    const real_t* w, Py_ssize_t rows, Py_ssize_t cols, real_t* y,
                    real_t bias, real_t* tile) noexcept nogil:
    """Sum the taps of a slab and panel by tiles; the last ones overlap."""
    cdef Py_ssize_t r = 0, c, at_row, at_col, i
    cdef Py_ssize_t pitch = s.x.axis.out
    while r < rows:
        at_row = most(0, least(r, rows - s.tile_rows))
        c = 0
        while c < cols:
            at_col = most(0, least(c, cols - s.tile_cols))
            if rows >= s.tile_rows and cols >= s.tile_cols and s.bias == NULL:
                run_depthwise_tile(s, copy + at_row * s.pitch + at_col, segments, w,
                                   y + at_row * pitch + at_col, pitch)
            else:
                run_depthwise_tile(s, copy + at_row * s.pitch + at_col, segments, w, tile,
                                   s.tile_cols)
                i = r - at_row  # rows before it are there
                biased_rows(y + r * pitch + at_col, pitch, tile + i * s.tile_cols, s.tile_cols,
                            bias, least(s.tile_rows, rows) - i, least(s.tile_cols, cols))
            c += s.tile_cols
        r += s.tile_rows


cdef void list_rows(const Depthwise* s, const char* x, Py_ssize_t oz, Py_ssize_t row_from,
                    const void** table) noexcept nogil:
    """List where the rows that a slab reads begin, apart by phase."""
    cdef Py_ssize_t t, c, q, plane, line, start, stop
    for t in range(s.z.taps):
        plane = source_index(&s.z, oz * s.z.stride - s.z.low + t * s.z.dilation)
        for c in range(least(s.y.phases, s.y.taps)):
            line = row_from * s.y.stride - s.y.low + c * s.y.dilation % s.y.stride
            start = stop = 0
            if plane >= 0:
                start = least(s.listed, ceil_div(most(0, -line), s.y.stride))
                stop = least(s.listed, ceil_div(most(0, s.y.size - line), s.y.stride))
            for q in range(start):
                table[q] = s.outside
            for q in range(start, stop):
                table[q] = x + plane * s.x_z + (line + q * s.y.stride) * s.x_y
            for q in range(most(start, stop), s.listed):
                table[q] = s.outside
            table += s.listed


cdef void sum_rows(const Depthwise* s, const void** table, const real_t* w, const real_t* bias,
                   Py_ssize_t rows, Py_ssize_t col_from, Py_ssize_t cols,
                   real_t* y) noexcept nogil:
    """Sum the taps of a slab and panel from the rows of the table."""
    cdef Py_ssize_t origin = col_from * s.x.axis.stride - s.x.axis.low
    cdef depthwise_float f
    cdef depthwise_double d
    if real_t is float:
        f.rows = <const float* const*>table
        f.runs = s.runs
        f.n_runs = s.n_runs
        f.size = s.x.axis.size
        f.step = s.x.axis.stride
        f.dilation = s.x.axis.dilation
        f.taps = s.x.axis.taps
        depthwise_block_float(&f, origin, w, bias, y, s.x.axis.out, rows, cols)
    else:
        d.rows = <const double* const*>table
        d.runs = s.runs
        d.n_runs = s.n_runs
        d.size = s.x.axis.size
        d.step = s.x.axis.stride
        d.dilation = s.x.axis.dilation
        d.taps = s.x.axis.taps
        depthwise_block_double(&d, origin, w, bias, y, s.x.axis.out, rows, cols)


cdef struct DepthwiseUnit:
    # Its image, output channel and plane; where its slab and panel begin.
    Py_ssize_t batch, k, oz, row_from, col_from


cdef DepthwiseUnit find_unit(const Depthwise* s, Py_ssize_t unit) noexcept nogil:
    """Return a unit of the order image, channel, plane, slab, panel."""
    cdef DepthwiseUnit u
    u.col_from = unit % s.n_panels * s.cols
    unit //= s.n_panels
    u.row_from = unit % s.n_slabs * s.rows
    unit //= s.n_slabs
    u.oz = unit % s.z.out
    unit //= s.z.out
    u.k = unit % s.outs
    u.batch = unit // s.outs
    return u


cdef inline void next_unit(const Depthwise* s, DepthwiseUnit* u) noexcept nogil:
    """Step to the unit after: planes are so short that divisions would tell."""
    u.col_from += s.cols
    if u.col_from < s.x.axis.out:
        return
    u.col_from = 0
    u.row_from += s.rows
    if u.row_from < s.y.out:
        return
    u.row_from = 0
    u.oz += 1
    if u.oz < s.z.out:
        return
    u.oz = 0
    u.k += 1
    if u.k == s.outs:
        u.k = 0
        u.batch += 1


cdef void run_depthwise_units(const Call* call, Py_ssize_t start, Py_ssize_t stop,
                              real_t* work) noexcept nogil:
    """Run units start … stop − 1; ``work`` is room for a copy, or for a table of rows."""
    cdef const Depthwise* s = <const Depthwise*>call.loop
    cdef DepthwiseUnit u = find_unit(s, start)
    cdef Py_ssize_t unit, rows, cols
    cdef const char* channel
    cdef const real_t* w
    cdef const real_t* bias
    cdef real_t* out
    for unit in range(start, stop):
        rows = least(s.rows, s.y.out - u.row_from)
        cols = least(s.cols, s.x.axis.out - u.col_from)
        channel = call.x + u.batch * s.x_batch + u.k // s.multiplier * s.x_channel
        w = (<const real_t*>s.weights) + u.k * s.n_taps
        bias = (<const real_t*>s.bias) + u.k if s.bias != NULL else NULL
        out = (<real_t*>call.y) + (((u.batch * s.outs + u.k) * s.z.out + u.oz) * s.y.out
                   + u.row_from) * s.x.axis.out + u.col_from
        if s.in_place:
            list_rows(s, channel, u.oz, u.row_from, <const void**>work)
            sum_rows(s, <const void**>work, w, bias, rows, u.col_from, cols, out)
        else:
            copy_samples(s, channel, u.oz, u.row_from, rows, u.col_from, cols, work)
            sum_block(s, <const real_t*>work, s.segments, w, rows, cols, out,
                      bias[0] if bias != NULL else 0, work + s.z.taps * s.plane)
        next_unit(s, &u)
