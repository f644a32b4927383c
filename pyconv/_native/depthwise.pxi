# depthwise: y[n,k,i] = b[k] + Σ_u x[n,k/m,i·s+u·d−p] · w[k,u], a kernel for each channel.
#
# A unit is one output channel of one image: a plane along z, a slab of rows, a panel of columns.
# It copies the samples that they read, with their border, rows and columns apart by phase, so that
# neighbouring results read neighbouring samples; then register tiles of `stencil.h` sum the taps.

cdef extern from "stencil.h":
    void copy_rows_float(float* out, Py_ssize_t out_row, const char* x, Py_ssize_t x_row,
                         Py_ssize_t rows, Py_ssize_t n) noexcept nogil
    void copy_rows_double(double* out, Py_ssize_t out_row, const char* x, Py_ssize_t x_row,
                          Py_ssize_t rows, Py_ssize_t n) noexcept nogil
    void biased_rows_float(float* out, Py_ssize_t out_row, const float* sums,
                           Py_ssize_t sums_row, float bias, Py_ssize_t rows,
                           Py_ssize_t n) noexcept nogil
    void biased_rows_double(double* out, Py_ssize_t out_row, const double* sums,
                            Py_ssize_t sums_row, double bias, Py_ssize_t rows,
                            Py_ssize_t n) noexcept nogil

# Samples of a slab and panel, so that the copy of a unit stays in the level-1 cache or near it.
cdef Py_ssize_t SLAB_SAMPLES = 8 << 10
cdef Py_ssize_t LONGEST_PANEL = 1024


cdef struct Depthwise:
    SpatialAxis z, y
    Source x
    Py_ssize_t n_batch, outs, multiplier
    Py_ssize_t n_taps, n_segments
    const void* weights                 # of each channel, in the order of the tile
    const void* bias
    bint zeros                          # what lies outside is zero
    # Tiles.
    bint line
    Py_ssize_t lanes, tile_rows, tile_cols
    # Units.
    Py_ssize_t rows, cols, n_slabs, n_panels
    # The copy: planes of z, each of row phases of column phases of rows.
    Py_ssize_t phase_rows, pitch, phase, plane
    # Strides of the caller's arrays: of x in bytes, of y in samples.
    Py_ssize_t x_batch, x_channel, x_z, x_y


cdef void run_depthwise_tile(const Depthwise* s, const real_t* x, const stencil_segment* segments,
                             const real_t* w, real_t* y, Py_ssize_t y_pitch) noexcept nogil:
    if s.line:
        if real_t is float:
            line_float(x, s.pitch, segments, s.n_segments, w, y, y_pitch, False)
        else:
            line_double(x, s.pitch, segments, s.n_segments, w, y, y_pitch, False)
    else:
        if real_t is float:
            area_float(x, s.pitch, segments, s.n_segments, w, y, y_pitch, False)
        else:
            area_double(x, s.pitch, segments, s.n_segments, w, y, y_pitch, False)


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
    cdef Py_ssize_t i
    cdef real_t* other = out + s.phase
    cdef const real_t* pair = row + first
    if start:
        copy_outside(s, row, first, 0, start, out)
        copy_outside(s, row, first + 1, 0, start, other)
    for i in range(start, stop):
        out[i] = pair[2 * i]
        other[i] = pair[2 * i + 1]
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
            if real_t is float:
                copy_rows_float(copy + t * s.plane + c * s.phase + skipped * s.pitch, s.pitch,
                                x + plane * s.x_z + (line + skipped * step) * s.x_y,
                                step * s.x_y, count - skipped, n)
            else:
                copy_rows_double(copy + t * s.plane + c * s.phase + skipped * s.pitch, s.pitch,
                                 x + plane * s.x_z + (line + skipped * step) * s.x_y,
                                 step * s.x_y, count - skipped, n)


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
                if real_t is float:
                    biased_rows_float(y + r * pitch + at_col, pitch, tile + i * s.tile_cols,
                                      s.tile_cols, bias, least(s.tile_rows, rows) - i,
                                      least(s.tile_cols, cols))
                else:
                    biased_rows_double(y + r * pitch + at_col, pitch, tile + i * s.tile_cols,
                                       s.tile_cols, bias, least(s.tile_rows, rows) - i,
                                       least(s.tile_cols, cols))
            c += s.tile_cols
        r += s.tile_rows


cdef void run_depthwise_units(const Depthwise* s, Py_ssize_t start, Py_ssize_t stop,
                              const char* x, real_t* y, const stencil_segment* segments,
                              real_t* copy) noexcept nogil:
    """Run units start … stop − 1, in the order image, channel, plane, slab, panel."""
    cdef Py_ssize_t unit, rest, k, n, oz, row_from, rows, col_from, cols
    cdef real_t* tile = copy + s.z.taps * s.plane
    cdef real_t* out
    for unit in range(start, stop):
        rest = unit
        col_from = rest % s.n_panels * s.cols
        rest //= s.n_panels
        row_from = rest % s.n_slabs * s.rows
        rest //= s.n_slabs
        oz = rest % s.z.out
        rest //= s.z.out
        k = rest % s.outs
        n = rest // s.outs
        rows = least(s.rows, s.y.out - row_from)
        cols = least(s.cols, s.x.axis.out - col_from)
        copy_samples(s, x + n * s.x_batch + k // s.multiplier * s.x_channel, oz, row_from, rows,
                     col_from, cols, copy)
        out = y + ((rest * s.z.out + oz) * s.y.out + row_from) * s.x.axis.out + col_from
        sum_block(s, <const real_t*>copy, segments,
                  (<const real_t*>s.weights) + k * s.n_taps, rows, cols, out,
                  (<const real_t*>s.bias)[k] if s.bias != NULL else 0, tile)


cdef class DepthwiseLoop:
    """A bound layer with a kernel for each channel. Parameters as for `LayerLoop`."""

    cdef Depthwise s
    cdef object dtype, tables
    cdef Py_ssize_t axis_of[3]
    cdef Py_ssize_t item
    cdef int code
    cdef Py_ssize_t[::1] segments
    cdef object places

    def __init__(self, dtype, Py_ssize_t n_batch, Py_ssize_t channels, Py_ssize_t multiplier,
                 axes):
        cdef Depthwise* s = &self.s
        cdef Py_ssize_t area, line, rows, cols, slab
        self.dtype = np.dtype(dtype)
        self.code = row_codes[self.dtype.num]
        self.item = self.dtype.itemsize
        self.tables = []
        for i, row in enumerate(axes):
            self.axis_of[i] = row[0]
            self.tables.append(
                read_axis(&s.z if i == 0 else &s.y if i == 1 else &s.x.axis, row)
            )
        s.x.group = 1
        s.x.n_fill = 1
        s.zeros = all((np.concatenate(row[-2:]) < 0).all() for row in axes)
        s.n_batch = n_batch
        s.outs = channels * multiplier
        s.multiplier = multiplier
        s.lanes = STENCIL_VECTOR_BYTES // self.item
        # The tile that computes the fewer results that do not exist.
        rows, cols = s.y.out, s.x.axis.out
        area = (ceil_div(rows, STENCIL_AREA_ROWS) * STENCIL_AREA_ROWS
                * ceil_div(cols, s.lanes * STENCIL_AREA_VECTORS) * STENCIL_AREA_VECTORS)
        line = (ceil_div(rows, STENCIL_LINE_ROWS) * STENCIL_LINE_ROWS * ceil_div(cols, s.lanes))
        s.line = line < area
        s.tile_rows = STENCIL_LINE_ROWS if s.line else STENCIL_AREA_ROWS
        s.tile_cols = s.lanes * (1 if s.line else STENCIL_AREA_VECTORS)
        s.cols = least(cols, LONGEST_PANEL)
        slab = most(1, SLAB_SAMPLES // (s.cols * s.y.stride * s.x.axis.stride))
        s.rows = least(rows, ceil_div(slab, s.tile_rows) * s.tile_rows)
        s.n_slabs = ceil_div(rows, s.rows)
        s.n_panels = ceil_div(cols, s.cols)
        s.phase_rows = most(s.rows, s.tile_rows) + (s.y.taps - 1) * s.y.dilation // s.y.stride
        s.pitch = (most(s.cols, s.tile_cols)
                   + (s.x.axis.taps - 1) * s.x.axis.dilation // s.x.axis.stride)
        if s.pitch * self.item % 1024 == 0:  # rows would fall into the same cache sets
            s.pitch += s.lanes
        s.phase = s.phase_rows * s.pitch
        s.plane = (s.phase * least(s.y.phases, s.y.taps)
                   * least(s.x.axis.phases, s.x.axis.taps))
        s.n_taps = s.z.taps * s.y.taps * s.x.axis.taps
        self.list_taps()

    cdef list_taps(self):
        """List the segments of taps, and where each weight of their order lies in a kernel."""
        cdef Depthwise* s = &self.s
        cdef Py_ssize_t t, c, f, u, rows, cols, apart, offset, step, down
        cdef Py_ssize_t phases_x = least(s.x.axis.phases, s.x.axis.taps)
        segments, places = [], []
        down = s.y.dilation * s.y.phases // s.y.stride  # rows between taps of a phase
        step = s.x.axis.dilation * s.x.axis.phases // s.x.axis.stride
        for t in range(s.z.taps):
            for c in range(least(s.y.phases, s.y.taps)):
                rows = ceil_div(s.y.taps - c, s.y.phases)
                for f in range(phases_x):
                    cols = ceil_div(s.x.axis.taps - f, s.x.axis.phases)
                    offset = (t * s.plane + (c * phases_x + f) * s.phase
                              + c * s.y.dilation // s.y.stride * s.pitch
                              + f * s.x.axis.dilation // s.x.axis.stride)
                    runs = [(0, rows)] if down == 1 else [(u, 1) for u in range(rows)]
                    for u, apart in runs:
                        segments += [offset + u * down * s.pitch, cols, apart, step]
                        places.append(self.tap_places(t, c, f, u, apart, cols))
        self.segments = np.array(segments, np.intp)
        self.places = np.concatenate(places)
        s.n_segments = len(segments) // 4

    cdef tap_places(self, Py_ssize_t t, Py_ssize_t c, Py_ssize_t f, Py_ssize_t first,
                    Py_ssize_t rows, Py_ssize_t cols):
        """Return where in a kernel the weights of a segment lie, in the order of the tile."""
        cdef const Depthwise* s = &self.s
        cdef Py_ssize_t done = 0, apart
        places = []
        while done < rows:
            apart = stencil_group(rows - done)
            u = c + s.y.phases * (first + done + np.arange(apart))
            v = f + s.x.axis.phases * np.arange(cols)
            places.append(((t * s.y.taps + u) * s.x.axis.taps + v[:, np.newaxis]).ravel())
            done += apart
        return np.concatenate(places)

    cdef Py_ssize_t thread_bytes(self) noexcept:
        cdef Py_ssize_t samples = self.s.z.taps * self.s.plane + STENCIL_TILE_LIMIT + self.s.lanes
        return (samples * self.item + 127) // 64 * 64

    def workspace(self):
        """Return the bytes of workspace that one thread takes."""
        return self.thread_bytes()

    def pack(self, cnp.ndarray w):
        """Return the kernels, (K, taps), each in the order of the tile."""
        return np.ascontiguousarray(np.take(w, self.places, axis=1))

    def run(self, cnp.ndarray x, cnp.ndarray packed, bias, cnp.ndarray y, int threads):
        """Solve the problem: ``bias`` and ``y`` are contiguous."""
        cdef Depthwise s = self.s
        cdef Py_ssize_t units = s.n_batch * s.outs * s.z.out * s.n_slabs * s.n_panels
        cdef Py_ssize_t each = self.thread_bytes(), done = 0, step, tables, k
        cdef double zero = 0
        cdef char* block
        cdef stencil_segment* segments
        s.x_batch = x.strides[0]
        s.x_channel = x.strides[1]
        s.x_z = x.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        s.x_y = x.strides[self.axis_of[1]] if self.axis_of[1] >= 0 else 0
        s.x.pixel_stride = s.x.sample_stride = x.strides[self.axis_of[2]]
        s.x.same = s.x.pixel_stride == self.item
        set_row_load(&s.x, SUMS_FLOAT if self.item == 4 else SUMS_DOUBLE, self.code)
        s.x.fill = &zero
        s.weights = cnp.PyArray_DATA(packed)
        s.bias = NULL
        if bias is not None:
            s.bias = cnp.PyArray_DATA(<cnp.ndarray>bias)
        threads = <int>most(1, least(threads, units))
        step = most(threads, <Py_ssize_t>(
            threads * PRODUCTS_BETWEEN_SIGNALS / (<double>s.rows * s.cols * s.n_taps)))
        tables = (s.n_segments * <Py_ssize_t>sizeof(stencil_segment) + 127) // 64 * 64
        block = <char*>take_block(tables + threads * each)
        segments = <stencil_segment*>block
        for k in range(s.n_segments):
            segments[k].offset = self.segments[4 * k]
            segments[k].columns = self.segments[4 * k + 1]
            segments[k].rows = self.segments[4 * k + 2]
            segments[k].step = self.segments[4 * k + 3]
        try:
            while done < units:
                step = least(step, units - done)
                if self.item == 4:
                    run_depthwise_shared[float](&s, done, step, threads, cnp.PyArray_BYTES(x),
                                                <float*>cnp.PyArray_DATA(y), segments,
                                                <float*>(block + tables), each)
                else:
                    run_depthwise_shared[double](&s, done, step, threads, cnp.PyArray_BYTES(x),
                                                 <double*>cnp.PyArray_DATA(y), segments,
                                                 <double*>(block + tables), each)
                done += step
                PyErr_CheckSignals()
        finally:
            put_block(block)


cdef void run_depthwise_shared(const Depthwise* s, Py_ssize_t first, Py_ssize_t count,
                               int threads, const char* x, real_t* y,
                               const stencil_segment* segments, real_t* work,
                               Py_ssize_t each) noexcept:
    """Run units first … first + count − 1, contiguous runs of them on each thread."""
    cdef int t
    if threads == 1:
        with nogil:
            run_depthwise_units(s, first, first + count, x, y, segments, work)
    else:
        for t in prange(threads, nogil=True, num_threads=threads, schedule="static"):
            run_depthwise_units(s, first + count * t // threads,
                                first + count * (t + 1) // threads, x, y, segments,
                                <real_t*>(<char*>work + t * each))
