# separable: y = Σ_r u_r ∗ (v_r ∗ x), rows first, columns from a strip that stays in the cache.
#
# The work is cut into units: one batch item, a slab of rows, a panel of columns. A unit goes down
# its panel: rows are summed along x with every v into the strip of each r, a ring of rows; then
# the rows of the strips give the next rows of the result. In three dimensions a unit is a run of
# planes too: each plane that comes into reach goes to a slot of a ring in that way, whose planes
# are summed along z. Along y and z these are sums of rows that lie anywhere (columns_body.h).
# Along x a short v is summed where its row lies (row_filter.h); for a long one as many rows as a
# vector has lanes are turned into columns (transpose_rows.h), summed as such and turned back. Both
# give the same bits.
# Borders are those of the filtered rows: a row outside x is filtered like any other.

from libc.stdint cimport int32_t, int64_t

cdef extern from "row_filter.h":
    enum:
        ALONG_FOLDED_TAPS
        ALONG_TAPS
    bint along_float(const float* x, Py_ssize_t step, const stencil_set* taps, const float* w,
                     float* out, Py_ssize_t n, const float* ahead) noexcept nogil
    bint along_double(const double* x, Py_ssize_t step, const stencil_set* taps, const double* w,
                      double* out, Py_ssize_t n, const double* ahead) noexcept nogil
    bint along_uint64(const uint64_t* x, Py_ssize_t step, const stencil_set* taps,
                      const uint64_t* w, uint64_t* out, Py_ssize_t n,
                      const uint64_t* ahead) noexcept nogil

cdef extern from "transpose_rows.h":
    void rows_to_columns_float(const float* const* rows, Py_ssize_t n, Py_ssize_t ahead,
                       float* out) noexcept nogil
    void rows_to_columns_double(const double* const* rows, Py_ssize_t n, Py_ssize_t ahead,
                        double* out) noexcept nogil
    void rows_to_columns_uint64(const uint64_t* const* rows, Py_ssize_t n, Py_ssize_t ahead,
                        uint64_t* out) noexcept nogil
    void columns_to_rows_float(const float* sums, Py_ssize_t n, float* out,
                        Py_ssize_t pitch) noexcept nogil
    void columns_to_rows_double(const double* sums, Py_ssize_t n, double* out,
                         Py_ssize_t pitch) noexcept nogil
    void columns_to_rows_uint64(const uint64_t* sums, Py_ssize_t n, uint64_t* out,
                         Py_ssize_t pitch) noexcept nogil

cdef Py_ssize_t STRIP_BYTES = 512 << 10
cdef Py_ssize_t STRIP_COLS = 768      # samples of float32
cdef Py_ssize_t WHOLE_COLS = 2048     # of rows that are read one by one, best in long runs
cdef Py_ssize_t MIN_COLS = 384      # where strips would be larger than that
cdef Py_ssize_t MAX_STRIP_BYTES = 16 << 20
cdef Py_ssize_t RING_BYTES = 4 << 20  # of planes, in the level-3 cache
# Columns that are turned, summed and turned back in the level-1 cache: whole tiles of them, and
# whole vectors. A multiple of the rows of every tile, and of the lanes of every vector.
cdef Py_ssize_t TURNED_COLS = 48
cdef Py_ssize_t STAGED = 64           # samples of a row that is converted before it is turned
# Columns of a unit whose rows alone would take longer than an interrupt may wait.
cdef Py_ssize_t FEWEST_COLS = 96
# Rows that fall into the same sets of the cache are worth a copy where tiles read more of them.
cdef Py_ssize_t MAX_ALIASED_TAPS = 7


cdef struct Pass:
    # The sets of taps of a pass, their rows to be listed, the tap that each begins with, and the
    # weights in their order.
    const stencil_set* sets
    Py_ssize_t n_sets
    const Py_ssize_t* first
    const void* weights


cdef struct Strips:
    # The tiles of the passes along y and z; ``down`` has the axes and the result, or the slots
    # of the ring where there is one, whose result ``deep`` has.
    Stencil down, deep
    Pass pass_x, pass_y, pass_z
    bint ring
    bint along                              # rows are summed where they lie
    bint lenient                            # sums that may not be added again end no run
    bint rows_only                          # y has one tap, of weight 1
    bint columns_only                       # x has
    bint in_place                           # rows are summed along y where the caller has them
    Py_ssize_t rank
    Py_ssize_t n_runs, n_slabs, n_panels, unit_planes, unit_rows, unit_cols
    Py_ssize_t span_planes, span_rows, span_cols
    Py_ssize_t step_rows, step_planes       # outputs of a row of tiles
    Py_ssize_t pitch, rows_held             # of a strip
    Py_ssize_t rows_at_once                 # that are filtered along x
    Py_ssize_t ring_pitch, ring_plane, planes_held
    Py_ssize_t row_bytes                    # from one row of the result to the next
    Py_ssize_t chunk                        # pixels that are summed along x at a time
    # Where the parts of a thread's workspace begin, in samples, behind the strips.
    Py_ssize_t turned, sums, staged, outside, tile, tables, planes, end


# ---- a pass ---------------------------------------------------------------------------------

cdef inline Py_ssize_t sets_of(const SpatialAxis* a) noexcept nogil:
    """Return into how many sets the taps fall: those of one share their rows."""
    return least(a.phases, a.taps)


cdef inline Py_ssize_t listed(const SpatialAxis* a) noexcept nogil:
    """Return how many rows the outputs of a tile read for one set."""
    return STENCIL_COLUMN_ROWS + ceil_div(a.taps, a.phases)


cdef void place_rows(const Pass* p, const SpatialAxis* a, Py_ssize_t first, Py_ssize_t held,
                    Py_ssize_t size, stencil_set* sets, Py_ssize_t* rows) noexcept nogil:
    """Tell sets where the rows lie that a tile reads, in a ring of ``held`` rows of ``size``.

    The first output reads from row ``first`` on.
    """
    cdef Py_ssize_t n = listed(a), step = a.step % held
    cdef Py_ssize_t f, i, at, k
    for f in range(sets_of(a)):
        at = (first + f * a.dilation) % held
        for i in range(n):
            rows[f * n + i] = at * size
            at += step
            if at >= held:
                at -= held
    for k in range(p.n_sets):
        sets[k] = p.sets[k]
        sets[k].rows = rows + k % sets_of(a) * n + p.first[k]


cdef void place_rows_in_place(const Strips* p, Py_ssize_t first, Py_ssize_t last, const char* x,
                              const char* outside, stencil_set* sets,
                              Py_ssize_t* rows) noexcept nogil:
    """Tell sets where the caller's rows lie that a tile reads, from ``x`` on.

    The first output reads from coordinate ``first`` on, none reads beyond ``last``; a row that lies
    nowhere is the one at ``outside``.
    """
    cdef const SpatialAxis* a = &p.down.y
    cdef Py_ssize_t n = listed(a), item = p.down.item
    cdef Py_ssize_t nowhere = <Py_ssize_t>(<uintptr_t>outside - <uintptr_t>x) // item
    cdef Py_ssize_t f, i, k, index
    for f in range(sets_of(a)):
        for i in range(n):
            index = source_index(a, least(first + f * a.dilation + i * a.step, last))
            rows[f * n + i] = nowhere if index < 0 else index * p.down.y_stride // item
    for k in range(p.pass_y.n_sets):
        sets[k] = p.pass_y.sets[k]
        sets[k].rows = rows + k % sets_of(a) * n + p.pass_y.first[k]


cdef fold_of(taps):
    """Return 1 for weights that are their own mirror image, −1 for the negative of it, else 0."""
    if len(taps) < 2:
        return 0
    return int(np.array_equal(taps, taps[::-1])) or -int(np.array_equal(taps, -taps[::-1]))


cdef within_zeros(taps):
    """Return how many zero weights there are on either side, as many on one as on the other."""
    others = np.flatnonzero(taps)
    return (min(others.min(), len(taps) - 1 - others.max()) if len(others)
            else (len(taps) - 1) // 2)


cdef inline void sum_columns(const sum_t* x, const Pass* p, sum_t* y,
                             Py_ssize_t y_pitch) noexcept nogil:
    cdef const sum_t* w = <const sum_t*>p.weights
    if sum_t is float:
        columns_float(x, p.sets, p.n_sets, w, NULL, y, y_pitch, False)
    elif sum_t is double:
        columns_double(x, p.sets, p.n_sets, w, NULL, y, y_pitch, False)
    else:
        columns_uint64(x, p.sets, p.n_sets, w, NULL, y, y_pitch, False)


cdef inline bint all_summable(const sum_t* row, Py_ssize_t n) noexcept nogil:
    """Return whether any two samples may be added: none is NaN, infinite or nearly so.

    Of such alone the exponent, with two added, carries into the sign.
    """
    cdef Py_ssize_t i
    cdef uint32_t bits32, carried32 = 0
    cdef uint64_t bits64, carried64 = 0
    if sum_t is float:
        for i in range(n):
            bits32 = (<const uint32_t*>row)[i]
            carried32 |= (bits32 + <uint32_t>0x01000000) ^ bits32
        return carried32 >> 31 == 0
    elif sum_t is double:
        for i in range(n):
            bits64 = (<const uint64_t*>row)[i]
            carried64 |= (bits64 + <uint64_t>0x0020000000000000) ^ bits64
        return carried64 >> 63 == 0
    else:
        return True


# ---- samples that are not finite --------------------------------------------------------------

cdef inline uint32_t look32(const uint32_t* bits, Py_ssize_t n, uint32_t* top) noexcept nogil:
    """Return the bits of the largest finite magnitude, and in ``top`` 1 for ∞, 2 for NaN."""
    cdef int32_t magnitude, over, infinite = 0, nan = 0, largest = 0
    cdef Py_ssize_t i
    for i in range(n):
        magnitude = <int32_t>(bits[i] & <uint32_t>0x7fffffff)
        over = magnitude - <int32_t>0x7f800000      # negative of what is finite, positive of NaN
        nan |= -over
        infinite |= over == 0
        magnitude = magnitude & (over >> 31)
        largest = magnitude if magnitude > largest else largest
    top[0] = <uint32_t>infinite | (<uint32_t>nan >> 31 << 1)
    return <uint32_t>largest


cdef inline uint64_t look64(const uint64_t* bits, Py_ssize_t n, uint32_t* top) noexcept nogil:
    """Return what `look32` returns, of double precision."""
    cdef int64_t magnitude, over, infinite = 0, nan = 0, largest = 0
    cdef Py_ssize_t i
    for i in range(n):
        magnitude = <int64_t>(bits[i] & <uint64_t>0x7fffffffffffffff)
        over = magnitude - <int64_t>0x7ff0000000000000
        nan |= -over
        infinite |= over == 0
        magnitude = magnitude & (over >> 63)
        largest = magnitude if magnitude > largest else largest
    top[0] = <uint32_t>infinite | (<uint32_t>(<uint64_t>nan >> 63) << 1)
    return <uint64_t>largest


def look_at_samples(cnp.ndarray x):
    """Return the largest finite magnitude of ``x``, whether it has NaN, and infinities.

    ``x`` is C-contiguous, of float32 or float64.
    """
    cdef Py_ssize_t n = cnp.PyArray_SIZE(x)
    cdef const void* data = cnp.PyArray_DATA(x)
    cdef uint32_t seen = 0, bits32
    cdef uint64_t bits64
    cdef float single
    cdef double largest
    if cnp.PyArray_ITEMSIZE(x) == 4:
        with nogil:
            bits32 = look32(<const uint32_t*>data, n, &seen)
        memcpy(&single, &bits32, sizeof(float))
        largest = single
    else:
        with nogil:
            bits64 = look64(<const uint64_t*>data, n, &seen)
        memcpy(&largest, &bits64, sizeof(double))
    return largest, seen & 2 != 0, seen & 1 != 0


# ---- along x --------------------------------------------------------------------------------

cdef struct Lines:
    # Rows of the caller's array that are turned together, NULL where they lie outside; where
    # those behind them lie, in bytes, or 0.
    const char* rows[MAX_LANES]
    Py_ssize_t ahead
    # Pixels: the first one's coordinate, their number, those that lie inside.
    Py_ssize_t first, pixels, before, until_end


cdef void set_lines(Lines* lines, const Strips* p, const char* plane, Py_ssize_t row,
                    Py_ssize_t rows, Py_ssize_t col_from, Py_ssize_t cols) noexcept nogil:
    """Find the rows from the coordinate on; lanes that are left over repeat the last."""
    cdef const Stencil* s = &p.down
    cdef Py_ssize_t j, index
    for j in range(s.lanes):
        index = source_index(&s.y, row + least(j, rows - 1))
        lines.rows[j] = NULL if index < 0 or plane == NULL else plane + index * s.y_stride
    lines.ahead = 0
    if s.prefetching and row >= 0 and row + 2 * s.lanes <= s.y.size:
        lines.ahead = s.lanes * s.y_stride
    lines.first = col_from * s.x.axis.stride - s.x.axis.low
    lines.pixels = samples_read(&s.x.axis, cols)
    lines.before = pixels_before(&s.x, lines.first, 1, lines.pixels)
    lines.until_end = most(lines.before,
                           pixels_until_end(&s.x, lines.first, 1, lines.pixels))


cdef void turn_inside(const Strips* p, const Lines* lines, sum_t* turned, sum_t* staged,
                      const sum_t* outside) noexcept nogil:
    """Turn the pixels that lie inside; rows that cannot be read as they are, in pieces."""
    cdef const Source* x = &p.down.x
    cdef Py_ssize_t piece = most(1, STAGED // x.group), i = lines.before, j, n
    cdef const sum_t* rows[MAX_LANES]
    cdef const char* row
    cdef bint direct = x.same and (lines.until_end - i) * x.group >= 4
    if direct:
        piece = lines.until_end - i
    while i < lines.until_end:
        n = least(piece, lines.until_end - i)
        for j in range(p.down.lanes):
            row = lines.rows[j]
            if row == NULL:
                rows[j] = outside
            elif direct:
                rows[j] = <const sum_t*>(row + (lines.first + i) * x.pixel_stride)
            else:
                rows[j] = staged + j * (piece * x.group + 4)
                pack_inside(x, row + (lines.first + i) * x.pixel_stride, 1, n, <sum_t*>rows[j])
        n *= x.group
        if sum_t is float:
            rows_to_columns_float(rows, most(4, n), lines.ahead,
                                  turned + i * x.group * p.down.lanes)
        elif sum_t is double:
            rows_to_columns_double(rows, most(4, n), lines.ahead,
                                   turned + i * x.group * p.down.lanes)
        else:
            rows_to_columns_uint64(rows, most(4, n), lines.ahead,
                                   turned + i * x.group * p.down.lanes)
        i += n // x.group


cdef void turn_outside(const Strips* p, const Lines* lines, Py_ssize_t i, sum_t* turned,
                       sum_t* staged) noexcept nogil:
    """Turn pixel ``i``, which lies outside: mostly it is a copy of one that has been turned."""
    cdef const Source* x = &p.down.x
    cdef Py_ssize_t index = source_index(&x.axis, lines.first + i)
    cdef Py_ssize_t lanes = p.down.lanes, c, j
    cdef sum_t* out = turned + i * x.group * lanes
    if lines.before <= index - lines.first < lines.until_end and index >= 0:
        copy_row(out, turned + (index - lines.first) * x.group * lanes, x.group * lanes)
        return
    for j in range(lanes):
        if index < 0 or lines.rows[j] == NULL:
            pack_fill(x, 1, staged)
        else:
            x.load(lines.rows[j] + index * x.pixel_stride, x.sample_stride, x.group, staged)
        for c in range(x.group):
            out[c * lanes + j] = staged[c]


cdef void sum_along(const Strips* p, const Pass* one, Py_ssize_t from_, Py_ssize_t cols,
                    const sum_t* turned, sum_t* sums) noexcept nogil:
    """Sum turned pixels along x for outputs from ``from_`` on."""
    cdef const SpatialAxis* a = &p.down.x.axis
    cdef Py_ssize_t size = p.down.x.group * p.down.lanes    # of a pixel
    cdef Py_ssize_t comb, c, n, r, q
    for comb in range(least(a.comb, cols)):
        n = ceil_div(cols - comb, a.comb)
        for c in range(p.down.x.group):
            r = 0
            while r < n:
                q = comb + least(r, most(0, n - STENCIL_COLUMN_ROWS)) * a.comb
                sum_columns(turned + (from_ + q) * a.stride * size + c * p.down.lanes, one,
                            sums + q * size + c * p.down.lanes, a.comb * size)
                r = q // a.comb + STENCIL_COLUMN_ROWS


cdef bint filter_rows(const Strips* p, const char* plane, Py_ssize_t row, Py_ssize_t rows,
                      Py_ssize_t col_from, Py_ssize_t cols, sum_t* out,
                      sum_t* work) noexcept nogil:
    """Write a vector's lanes of rows, filtered along x, to each strip.

    False if their columns cannot be summed.
    """
    cdef Lines lines
    cdef Py_ssize_t group = p.down.x.group, lanes = p.down.lanes, r, i, n
    cdef sum_t* turned = work + p.turned
    cdef sum_t* sums = work + p.sums
    cdef Pass one       # of one r
    cdef bint summable = True
    one.n_sets = sets_of(&p.down.x.axis)
    set_lines(&lines, p, plane, row, rows, col_from, cols)
    turn_inside(p, &lines, turned, work + p.staged, work + p.outside)
    for i in range(lines.before):
        turn_outside(p, &lines, i, turned, work + p.staged)
    for i in range(lines.until_end, lines.pixels):
        turn_outside(p, &lines, i, turned, work + p.staged)
    for r in range(p.rank):
        one.sets = p.pass_x.sets + r * one.n_sets
        one.first = p.pass_x.first + r * one.n_sets
        one.weights = <const sum_t*>p.pass_x.weights + r * p.down.x.axis.taps
        i = 0
        while i < cols:
            n = least(p.chunk, cols - i)
            sum_along(p, &one, i, n, turned, sums)
            summable = all_summable(sums, n * group * lanes) and summable
            if sum_t is float:
                columns_to_rows_float(sums, n * group, out + i * group, p.pitch)
            elif sum_t is double:
                columns_to_rows_double(sums, n * group, out + i * group, p.pitch)
            else:
                columns_to_rows_uint64(sums, n * group, out + i * group, p.pitch)
            i += n
        out += p.rows_held * p.pitch
    return summable


cdef void pack_line(const Strips* p, const char* row, Py_ssize_t first, Py_ssize_t pixels,
                    Py_ssize_t until, sum_t* line) noexcept nogil:
    """Pack pixels of a row, ``until`` at most, and zeros behind: sums that are not used are
    told to be summable too."""
    cdef const Source* x = &p.down.x
    pixels = least(pixels, until)
    pack_pixels(x, row, first, 1, pixels_before(x, first, 1, pixels),
                pixels_until_end(x, first, 1, pixels), pixels, line)
    memset(line + pixels * x.group, 0, p.down.lanes * sizeof(sum_t))


cdef bint sum_in_place(const Strips* p, const sum_t* x, Py_ssize_t n, const sum_t* ahead,
                       sum_t* out) noexcept nogil:
    """Sum ``n`` samples, whole vectors, along x into each strip; False as of `filter_rows`.

    ``ahead`` is where those of the next row lie, or NULL.
    """
    cdef const SpatialAxis* a = &p.down.x.axis
    cdef Py_ssize_t step = a.dilation * p.down.x.group, r
    cdef const sum_t* w = <const sum_t*>p.pass_x.weights
    cdef bint summable = True
    if n <= 0:
        return True
    cdef const sum_t* from_
    for r in range(p.rank):
        from_ = x + p.pass_x.first[r] * step
        if sum_t is float:
            summable = along_float(from_, step, p.pass_x.sets + r, w, out, n, ahead) and summable
        elif sum_t is double:
            summable = along_double(from_, step, p.pass_x.sets + r, w, out, n, ahead) and summable
        else:
            along_uint64(from_, step, p.pass_x.sets + r, w, out, n, ahead)
        w += a.taps
        out += p.rows_held * p.pitch
        ahead = NULL
    return summable


cdef bint filter_row(const Strips* p, const char* plane, Py_ssize_t row, Py_ssize_t col_from,
                     Py_ssize_t cols, sum_t* out, sum_t* work) noexcept nogil:
    """Write a row, filtered along x where it lies, to each strip; False as of `filter_rows`.

    Its ends are packed with the border, and all of it where it cannot be read as it is.
    """
    cdef const Source* x = &p.down.x
    cdef Py_ssize_t lanes = p.down.lanes, index = source_index(&p.down.y, row)
    cdef Py_ssize_t first = col_from - x.axis.low, pixels = samples_read(&x.axis, cols)
    cdef Py_ssize_t n = ceil_div(cols * x.group, lanes) * lanes, head = n, end = 0
    cdef Py_ssize_t misaligned = (<uintptr_t>out % LINE_BYTES) // <Py_ssize_t>sizeof(sum_t)
    cdef sum_t* line = work + p.turned
    cdef const sum_t* inside = NULL
    cdef const sum_t* ahead = NULL
    cdef bint summable
    if index >= 0 and plane != NULL:
        inside = <const sum_t*>(plane + index * p.down.y_stride)
        if x.same and x.group == 1:
            # No vector that is read lies outside the row; those that are written are aligned.
            head = most(0, lanes - first)
            head += (lanes - misaligned - head % lanes) % lanes
            end = least(cols, x.axis.size - first - (x.axis.taps - 1) * x.axis.dilation - 2 * lanes)
            end = head + (end - head) // lanes * lanes
    if inside == NULL or end - head < 4 * lanes:
        pack_line(p, <const char*>inside, first, pixels, pixels, line)
        return sum_in_place(p, line, n, <const sum_t*>NULL, out)
    pack_line(p, <const char*>inside, first, ceil_div(head, lanes) * lanes + pixels - cols, pixels,
              line)
    summable = sum_in_place(p, line, ceil_div(head, lanes) * lanes, <const sum_t*>NULL, out)
    inside += first
    if p.down.prefetching and row < p.down.y.size - 1:
        ahead = inside + head + p.down.y_stride // <Py_ssize_t>sizeof(sum_t)
    summable = sum_in_place(p, inside + head, end - head, ahead, out + head) and summable
    pack_line(p, <const char*>(inside - first), first + end, pixels - end, pixels - end, line)
    return sum_in_place(p, line, ceil_div(cols - end, lanes) * lanes, <const sum_t*>NULL,
                        out + end) and summable


# ---- along y and z --------------------------------------------------------------------------

cdef struct Room:
    # The outputs of a unit; ends are excluded.
    Py_ssize_t plane_from, plane_to, row_from, row_to, col_from, col_to


cdef inline stencil_set* room_for_sets(const Strips* p, sum_t* work) noexcept nogil:
    """Return where the sets of a tile lie, the lists of their rows behind them."""
    return <stencil_set*>(work + p.tables)


cdef void write_filtered(const Stencil* s, const sum_t* strip, Py_ssize_t cols,
                         char* out) noexcept nogil:
    """Write a filtered row to the result."""
    if not s.stored:
        s.emit(strip, cols, out, s.out_item)
    elif sum_t is float and s.streaming:
        stream_row_float(<float*>out, strip, cols)
    elif sum_t is double and s.streaming:
        stream_row_double(<double*>out, strip, cols)
    else:
        copy_row(<sum_t*>out, strip, cols)


cdef bint run_rows(const Strips* p, const Room* u, const char* x, char* y,
                   sum_t* work) noexcept nogil:
    """Go down a panel whose rows are the result once they are filtered, as `run_panel`."""
    cdef const Stencil* s = &p.down
    cdef Py_ssize_t cols = u.col_to - u.col_from, at = u.row_from, r, rows
    cdef bint summable = True
    y += u.col_from * s.x.group * s.out_item
    while at < u.row_to:
        rows = least(p.rows_at_once, u.row_to - at)
        if p.along:
            summable = filter_row(p, x, at - s.y.low, u.col_from, cols, work, work) and summable
        else:
            summable = filter_rows(p, x, at - s.y.low, rows, u.col_from, cols, work,
                                   work) and summable
        if not (summable or p.lenient):
            return False
        for r in range(rows):
            write_filtered(s, work + r * p.pitch, cols * s.x.group, y + (at + r) * s.out_y)
        at += rows
    return summable


cdef bint run_columns(const Strips* p, const Room* u, const char* x, char* y,
                      sum_t* work) noexcept nogil:
    """Go down a panel whose rows are summed along y where they lie, as `run_panel`.

    A row is looked at once tiles have read it, and it is in the cache.
    """
    cdef Stencil s = p.down
    cdef Py_ssize_t cols = (u.col_to - u.col_from) * s.x.group
    cdef Py_ssize_t at = u.row_from, rows, c, first, last, index
    cdef Py_ssize_t seen = u.row_from * s.y.stride - s.y.low
    cdef stencil_set* sets = room_for_sets(p, work)
    cdef Py_ssize_t* listed_rows = <Py_ssize_t*>(sets + p.pass_y.n_sets)
    cdef const char* outside = <const char*>(work + p.outside)
    cdef const char* ahead
    cdef bint summable = True
    s.sets = sets
    x += u.col_from * s.x.pixel_stride
    y += u.col_from * s.x.group * s.out_item
    while at < u.row_to:
        at = most(u.row_from, least(at, u.row_to - p.step_rows))
        rows = least(p.step_rows, u.row_to - at)
        first = at * s.y.stride - s.y.low
        last = first + samples_read(&s.y, rows) - 1
        ahead = NULL
        if s.prefetching and s.y.step == 1 and last >= 0 and last + s.tile_rows < s.y.size:
            ahead = x + (last + 1) * s.y_stride
        for c in range(least(s.y.comb, rows)):
            place_rows_in_place(p, first + c * s.y.stride, last, x, outside, sets, listed_rows)
            run_tile_row(&s, <const sum_t*>x, 0, NULL, ceil_div(rows - c, s.y.comb), cols,
                         y + (at + c) * s.out_y, work + p.tile, ahead)
        while seen <= last:
            index = source_index(&s.y, seen)
            summable = all_summable(<const sum_t*>(
                outside if index < 0 else x + index * s.y_stride), cols) and summable
            seen += 1
        if not (summable or p.lenient):
            return False
        at += rows
    return summable


cdef bint run_panel(const Strips* p, const Room* u, const char* x, char* y,
                    sum_t* work) noexcept nogil:
    """Go down a panel of columns, ``x`` a plane; False if its rows cannot be summed."""
    cdef Stencil s = p.down
    cdef Py_ssize_t cols = (u.col_to - u.col_from) * s.x.group
    cdef Py_ssize_t base = u.row_from * s.y.stride, total = samples_read(
        &s.y, u.row_to - u.row_from)
    cdef Py_ssize_t filled = 0, at = u.row_from, rows, c, first
    cdef stencil_set* sets = room_for_sets(p, work)
    cdef Py_ssize_t* listed_rows = <Py_ssize_t*>(sets + p.pass_y.n_sets)
    cdef sum_t* strips = work
    cdef sum_t* strip
    cdef bint summable = True
    if p.rows_only and s.divisor == NULL:
        return run_rows(p, u, x, y, work)
    if p.in_place and x != NULL and cols >= s.tile_cols:
        return run_columns(p, u, x, y, work)
    s.sets = sets
    y += u.col_from * s.x.group * s.out_item
    if s.streaming:  # what is written as whole cache lines is read as such
        strips += past_line(&s, y + at * s.out_y, 0)
    while at < u.row_to:
        at = most(u.row_from, least(at, u.row_to - p.step_rows))
        rows = least(p.step_rows, u.row_to - at)
        first = at * s.y.stride - base
        while filled < first + samples_read(&s.y, rows):
            strip = strips + filled % p.rows_held * p.pitch
            if p.along:
                summable = filter_row(p, x, base + filled - s.y.low, u.col_from,
                                      u.col_to - u.col_from, strip, work) and summable
            else:
                summable = filter_rows(p, x, base + filled - s.y.low, total - filled, u.col_from,
                                       u.col_to - u.col_from, strip, work) and summable
            if not (summable or p.lenient):
                return False
            filled += p.rows_at_once
        for c in range(least(s.y.comb, rows)):
            place_rows(&p.pass_y, &s.y, first + c * s.y.stride, p.rows_held, p.pitch, sets,
                      listed_rows)
            run_tile_row(&s, strips, 0, NULL, ceil_div(rows - c, s.y.comb), cols,
                         y + (at + c) * s.out_y, work + p.tile, NULL)
        at += rows
    return summable


cdef bint fill_slot(const Strips* p, const Room* u, const char* x, Py_ssize_t coordinate,
                    sum_t* slot, sum_t* work) noexcept nogil:
    """Filter the plane at ``coordinate`` along x and y into a slot; False if not summable."""
    cdef const Stencil* s = &p.down
    cdef Py_ssize_t index = source_index(&s.z, coordinate), r
    cdef sum_t* first = slot - u.row_from * p.ring_pitch - u.col_from * s.x.group
    cdef bint summable = run_panel(p, u, NULL if index < 0 else x + index * s.z_stride,
                                   <char*>first, work)
    for r in range(u.row_to - u.row_from):
        if not summable:
            return False
        summable = all_summable(slot + r * p.ring_pitch, (u.col_to - u.col_from) * s.x.group)
    return summable


cdef bint fill_slots(const Strips* p, const Room* u, const char* x, Py_ssize_t base,
                     Py_ssize_t filled, Py_ssize_t until, sum_t* ring,
                     sum_t* work) noexcept nogil:
    """Fill the slots of planes that come into reach, counted from the unit's first.

    One outside x is the copy of one inside, if the ring holds that, or of another that holds
    the fill value.
    """
    cdef Py_ssize_t k, index, fill = -1
    cdef SpatialAxis z = p.down.z
    cdef bint summable = True
    for k in range(filled, until):
        if 0 <= base + k < z.size and not fill_slot(
                p, u, x, base + k, ring + k % p.planes_held * p.ring_plane, work):
            if not p.lenient:
                return False
            summable = False
    for k in range(filled, until):
        if 0 <= base + k < z.size:
            continue
        index = source_index(&z, base + k)
        if index < 0:
            index, fill = fill, k
        else:
            index -= base
        if most(until - p.planes_held, 0) <= index < until:
            copy_row(ring + k % p.planes_held * p.ring_plane,
                     ring + index % p.planes_held * p.ring_plane, p.ring_plane)
        elif not fill_slot(p, u, x, base + k, ring + k % p.planes_held * p.ring_plane, work):
            if not p.lenient:
                return False
            summable = False
    return summable


cdef bint run_planes(const Strips* p, const Room* u, const char* x, char* y,
                     sum_t* work) noexcept nogil:
    """Go through a run of planes; False if a filtered row cannot be summed."""
    cdef Stencil s = p.deep
    cdef Py_ssize_t cols = (u.col_to - u.col_from) * s.x.group
    cdef Py_ssize_t base = u.plane_from * s.z.stride
    cdef Py_ssize_t filled = 0, at = u.plane_from, planes, until, c, r
    cdef sum_t* ring = work + p.planes
    cdef stencil_set* sets = room_for_sets(p, work)
    cdef Py_ssize_t* listed_rows = <Py_ssize_t*>(sets + p.pass_z.n_sets)
    cdef bint summable = True
    s.sets = sets
    y += u.col_from * s.x.group * s.out_item
    while at < u.plane_to:
        at = most(u.plane_from, least(at, u.plane_to - p.step_planes))
        planes = least(p.step_planes, u.plane_to - at)
        until = most(filled, at * s.z.stride - base + samples_read(&s.z, planes))
        if not fill_slots(p, u, x, base - s.z.low, filled, until, ring, work):
            if not p.lenient:
                return False
            summable = False
        filled = until
        for c in range(least(s.z.comb, planes)):
            place_rows(&p.pass_z, &s.z, (at + c) * s.z.stride - base, p.planes_held,
                      p.ring_plane, sets, listed_rows)
            for r in range(u.row_to - u.row_from):
                run_tile_row(&s, ring + r * p.ring_pitch, 0, NULL,
                             ceil_div(planes - c, s.z.comb), cols,
                             y + (at + c) * s.out_y + (u.row_from + r) * p.row_bytes,
                             work + p.tile, NULL)
        at += planes
    return summable


cdef inline Py_ssize_t odd_vectors(const Stencil* s, Py_ssize_t samples) noexcept nogil:
    """Return whole vectors, an odd number: rows of such fall into all sets of the caches."""
    return (ceil_div(samples, s.lanes) // 2 * 2 + 1) * s.lanes


cdef bint run_panels(const Strips* p, Py_ssize_t start, Py_ssize_t stop, const char* x,
                     const Py_ssize_t* x_batch, char* y, const Py_ssize_t* y_batch,
                     sum_t* work) noexcept nogil:
    """Run units start … stop − 1, in the order batch, planes, slab, panel; False if not
    summable."""
    cdef Py_ssize_t unit, rest
    cdef Room u
    cdef bint summable = True
    # A row that lies outside x.
    pack_fill(&p.down.x, samples_read(&p.down.x.axis, p.unit_cols), work + p.outside)
    for unit in range(start, stop):
        rest = unit
        u.col_from = rest % p.n_panels * p.unit_cols
        u.col_to = least(p.down.x.axis.out, u.col_from + p.unit_cols)
        rest //= p.n_panels
        u.row_from = rest % p.n_slabs * p.unit_rows
        u.row_to = least(p.down.y.out, u.row_from + p.unit_rows)
        rest //= p.n_slabs
        u.plane_from = rest % p.n_runs * p.unit_planes
        u.plane_to = least(p.down.z.out, u.plane_from + p.unit_planes)
        rest //= p.n_runs
        if p.ring:
            summable = run_planes(p, &u, x + x_batch[rest], y + y_batch[rest], work) and summable
        else:
            summable = run_panel(p, &u, x + x_batch[rest], y + y_batch[rest], work) and summable
        if not (summable or p.lenient):
            break
    if p.down.streaming or p.deep.streaming:
        stencil_fence()
    return summable


cdef bint run_panels_shared(const Strips* p, Py_ssize_t first, Py_ssize_t count, int threads,
                            const char* x, const Py_ssize_t* x_batch, char* y,
                            const Py_ssize_t* y_batch, sum_t* work, Py_ssize_t each) noexcept:
    """Run units first … first + count − 1, contiguous runs of them on each thread."""
    cdef int t
    cdef int spoilt = 0
    if threads == 1:
        with nogil:
            spoilt = not run_panels(p, first, first + count, x, x_batch, y, y_batch, work)
    else:
        for t in prange(threads, nogil=True, num_threads=threads, schedule="static"):
            spoilt += not run_panels(p, first + count * t // threads,
                                     first + count * (t + 1) // threads, x, x_batch, y, y_batch,
                                     <sum_t*>(<char*>work + t * each))
    return spoilt == 0


cdef class SeparableLoop:
    """A bound problem of axes z, y and x: its factors in the order of the tiles.

    Parameters are plain numbers, checked by the caller, as those of `DirectLoop`; ``axes`` holds
    z, y and x; ``deep`` the factor along z, None where there is no such axis; ``down`` and
    ``across`` the others, a row for each r. An ``x`` with pixels of several samples is
    C-contiguous.
    """

    cdef Strips p
    cdef object tables, kept
    cdef Py_ssize_t axis_of[3]
    cdef tuple batch
    cdef Py_ssize_t n_batch, item
    cdef int sums_code, sums_row

    def __init__(self, sums, axes, batch, Py_ssize_t n_batch, Py_ssize_t group, deep, down,
                 across):
        cdef Stencil* s = &self.p.down
        cdef Py_ssize_t i
        sums = np.dtype(sums)
        self.sums_code = SUM_CODES[sums]
        self.sums_row = row_codes[sums.num]
        self.item = sums.itemsize
        self.batch = tuple(batch)
        self.n_batch = n_batch
        for i in range(3):
            self.axis_of[i] = axes[i][0]
        self.tables = [read_axis(&s.z, axes[0]), read_axis(&s.y, axes[1]),
                       read_axis(&s.x.axis, axes[2])]
        self.p.rank = down.shape[0]
        self.p.ring = deep is not None
        self.p.span_planes = samples_read(&s.z, 1)
        self.p.span_rows = samples_read(&s.y, 1)
        self.p.span_cols = samples_read(&s.x.axis, 1)
        s.x.group = group
        s.item = self.item
        s.lanes = STENCIL_VECTOR_BYTES // self.item
        s.tile_rows, s.tile_cols = STENCIL_COLUMN_ROWS, s.lanes
        self.kept = []
        self.list_taps(&self.p.pass_x, &s.x.axis, across, self.p.rank, 0, s.x.axis.taps)
        self.p.along = s.x.axis.stride == 1 and (
            s.x.axis.taps <= (ALONG_FOLDED_TAPS if self.p.pass_x.sets[0].fold else ALONG_TAPS)
            or 2 * samples_read(&s.y, s.y.out) <= s.lanes)  # most lanes would be empty
        self.p.rows_at_once = 1 if self.p.along else s.lanes
        self.list_columns()
        self.lay_out(&self.p, 1)
        self.list_taps(&self.p.pass_y, &s.y, down, self.p.rank,
                       self.p.rows_held * self.p.pitch, 0)
        self.p.rows_only = s.y.taps == 1 and s.y.stride == 1 and self.p.rank == 1 and (
            down[0, 0] == 1)
        self.p.columns_only = s.x.axis.taps == 1 and s.x.axis.stride == 1 and (
            s.x.axis.out == s.x.axis.size and self.p.rank == 1 and across[0, 0] == 1)
        if self.p.ring:
            self.list_taps(&self.p.pass_z, &s.z, deep[np.newaxis], 1, 0, 0)
        s.weights = self.p.pass_y.weights
        s.n_segments = self.p.pass_y.n_sets

    cdef list_taps(self, Pass* p, const SpatialAxis* a, factors, Py_ssize_t ranks,
                   Py_ssize_t strip, Py_ssize_t each):
        """List the taps of each phase of each factor, and their weights in that order.

        Of several factors zeros at both ends are left out. The weights of a factor take up ``each``
        places, if not 0.
        """
        cdef Py_ssize_t n = sets_of(a), f, r, skipped
        kept, begins, weights = [], [], []
        for r in range(ranks):
            skipped = 0
            for f in range(n):
                taps = np.ascontiguousarray(factors[r][f::a.phases])
                zeros = within_zeros(taps) if self.p.rank > 1 else 0
                taps = taps[zeros:len(taps) - zeros]
                begins.append(zeros)
                kept.append((r * strip, 0, len(taps), fold_of(taps)))
                weights.append(taps)
                skipped += 2 * zeros
            if each:
                weights.append(np.zeros(skipped, factors.dtype))
        sets, weights = np.array(kept, np.intp), np.concatenate(weights)
        first = np.array(begins, np.intp)
        self.kept += [sets, first, weights]
        p.sets = <const stencil_set*>cnp.PyArray_DATA(sets)
        p.n_sets = ranks * n
        p.first = <const Py_ssize_t*>cnp.PyArray_DATA(first)
        p.weights = cnp.PyArray_DATA(weights)

    cdef list_columns(self):
        """Tell the sets along x where their columns lie: there all are held."""
        cdef Pass* p = &self.p.pass_x
        cdef const SpatialAxis* a = &self.p.down.x.axis
        columns = np.empty(sets_of(a) * listed(a), np.intp)
        self.kept.append(columns)
        place_rows(p, a, 0, <Py_ssize_t>1 << 30, self.p.down.x.group * self.p.down.lanes,
                  <stencil_set*>p.sets, <Py_ssize_t*>cnp.PyArray_DATA(columns))

    cdef void lay_out(self, Strips* p, int threads) noexcept:
        """Cut the work: strips within STRIP_BYTES, units for each thread.

        The strips are the same for any number of threads.
        """
        cdef const Stencil* s = &p.down
        cdef Py_ssize_t group = s.x.group
        cdef Py_ssize_t wanted = 1 if threads == 1 else 4 * threads
        cdef Py_ssize_t widest = WHOLE_COLS if p.along and not p.ring else STRIP_COLS
        cdef Py_ssize_t cols = most(1, widest * 4 // self.item // group)
        p.step_rows = STENCIL_COLUMN_ROWS * s.y.comb
        p.step_planes = STENCIL_COLUMN_ROWS * s.z.comb
        # Rows that are added together are some of them there before they are needed.
        p.rows_held = ceil_div(samples_read(&s.y, least(p.step_rows, s.y.out)) + p.rows_at_once - 1,
                               p.rows_at_once) * p.rows_at_once
        while (p.rank * p.rows_held * cols * group * self.item > STRIP_BYTES
               and cols * group > MIN_COLS):
            cols = ceil_div(cols, 2)
        while (p.rank * p.rows_held * cols * group * self.item > MAX_STRIP_BYTES
               and cols * group > s.lanes):
            cols = ceil_div(cols, 2)
        p.unit_cols = least(cols, s.x.axis.out)
        p.chunk = least(p.unit_cols, TURNED_COLS * s.x.axis.comb)
        p.pitch = odd_vectors(s, p.unit_cols * group + s.lanes)
        p.unit_rows = s.y.out
        p.unit_planes = s.z.out
        p.planes_held = samples_read(&s.z, least(p.step_planes, s.z.out))
        while p.ring and p.planes_held * p.unit_rows * p.pitch * self.item > RING_BYTES and (
                p.unit_rows > 4 * p.span_rows):
            p.unit_rows = ceil_div(p.unit_rows, 2)
        while (p.unit_rows > 4 * most(p.step_rows, p.span_rows)
               and self.products(p) > PRODUCTS_BETWEEN_SIGNALS):
            p.unit_rows = ceil_div(p.unit_rows, 2)
        while p.unit_planes > 4 * p.span_planes and self.products(p) > PRODUCTS_BETWEEN_SIGNALS:
            p.unit_planes = ceil_div(p.unit_planes, 2)
        while (p.unit_cols * group > FEWEST_COLS
               and self.products(p) > 2 * PRODUCTS_BETWEEN_SIGNALS):
            p.unit_cols = ceil_div(p.unit_cols, 2)
        while (p.unit_rows > most(p.step_rows, p.span_rows)
               and self.products(p) > 4 * PRODUCTS_BETWEEN_SIGNALS):
            p.unit_rows = ceil_div(p.unit_rows, 2)
        while (p.unit_rows > most(p.step_rows, p.span_rows) and self.units(p) < wanted):
            p.unit_rows = ceil_div(p.unit_rows, 2)
        while p.unit_planes > 2 * p.span_planes and self.units(p) < wanted:
            p.unit_planes = ceil_div(p.unit_planes, 2)
        p.n_panels = ceil_div(s.x.axis.out, p.unit_cols)
        p.n_slabs = ceil_div(s.y.out, p.unit_rows)
        p.n_runs = ceil_div(s.z.out, p.unit_planes)
        p.ring_pitch = p.pitch
        p.ring_plane = odd_vectors(s, p.unit_rows * p.ring_pitch)
        self.lay_out_workspace(p)

    cdef void lay_out_workspace(self, Strips* p) noexcept:
        """Place the parts of a thread's workspace, each at a cache line."""
        cdef const Stencil* s = &p.down
        cdef Py_ssize_t group = s.x.group, line = LINE_BYTES // self.item
        cdef Py_ssize_t spare = STENCIL_COLUMN_ROWS * s.x.axis.comb   # of a tile with few outputs
        cdef Py_ssize_t lists
        p.turned = p.rank * p.rows_held * p.pitch
        p.sums = p.turned + (samples_read(&s.x.axis, p.unit_cols + spare) * group + 4) * s.lanes
        if p.along:  # a row, with vectors before and behind it that are read
            p.turned += s.lanes
            p.sums = p.turned + (ceil_div(samples_read(&s.x.axis, p.unit_cols) * group, s.lanes)
                                 + 3) * s.lanes
        p.staged = p.sums + (most(p.chunk, spare) * group + s.lanes) * s.lanes
        p.outside = p.staged + ceil_div(s.lanes * (most(STAGED, group) + 4), line) * line
        p.tile = p.outside + ceil_div(samples_read(&s.x.axis, p.unit_cols) * group + 4, line) * line
        p.tables = p.tile + STENCIL_TILE_LIMIT
        lists = p.rank * sets_of(&s.y) * <Py_ssize_t>sizeof(stencil_set) + (
            sets_of(&s.y) * listed(&s.y) * <Py_ssize_t>sizeof(Py_ssize_t))
        if p.ring:
            lists = most(lists, sets_of(&s.z) * <Py_ssize_t>(
                sizeof(stencil_set) + listed(&s.z) * sizeof(Py_ssize_t)))
        p.planes = p.tables + ceil_div(lists, LINE_BYTES) * line
        p.end = p.planes + (p.planes_held * p.ring_plane if p.ring else 0)

    cdef Py_ssize_t units(self, const Strips* p) noexcept:
        return (self.n_batch * ceil_div(p.down.z.out, p.unit_planes)
                * ceil_div(p.down.y.out, p.unit_rows) * ceil_div(p.down.x.axis.out, p.unit_cols))

    cdef double products(self, const Strips* p) noexcept:
        """Return the multiply-adds of a unit."""
        cdef Py_ssize_t taps = p.rank * (p.down.y.taps + p.down.x.axis.taps)
        cdef int each = 8 if self.sums_code in (SUMS_INT64, SUMS_UINT64) else 1  # take many steps
        return (<double>p.unit_planes * p.unit_rows * p.unit_cols * p.down.x.group
                * (taps + p.down.z.taps) * each)

    cdef Py_ssize_t thread_bytes(self) noexcept:
        """Return the workspace of one thread, whole cache lines; that of any number of them."""
        return (self.p.end * self.item + 127) // 64 * 64

    def workspace(self):
        """Return the bytes that one thread takes, with the tables of the batch."""
        return self.thread_bytes() + 2 * self.n_batch * <Py_ssize_t>sizeof(Py_ssize_t) + 128

    def run(self, cnp.ndarray x, cnp.ndarray y, cnp.ndarray fill, bint clip, int threads,
            bint lenient=False, cnp.ndarray divisor=None):
        """Solve the problem, as `DirectLoop.run`; return whether filtered rows are summable.

        Where one is not, nothing else is worth having unless ``lenient``. The sums are divided by
        ``divisor``, an array of one number in their dtype, if there is one.
        """
        cdef Strips p = self.p
        cdef Py_ssize_t units, shared, each, done = 0, step
        cdef char* block
        cdef Py_ssize_t* x_batch
        cdef Py_ssize_t* y_batch
        cdef bint summable = True
        if divisor is not None:
            p.down.divisor = cnp.PyArray_DATA(divisor)
        self.set_arrays(&p, x, y, clip)
        p.lenient = lenient
        p.down.x.fill = cnp.PyArray_DATA(fill)
        p.down.x.n_fill = fill.shape[0]
        self.lay_out(&p, threads)
        if p.ring:
            p.row_bytes = p.down.out_y
            p.down.out_y = p.ring_pitch * self.item
        units = self.units(&p)
        threads = <int>least(threads, units)
        shared = (2 * self.n_batch * <Py_ssize_t>sizeof(Py_ssize_t) + 127) // 64 * 64
        each = self.thread_bytes()
        step = most(threads, <Py_ssize_t>(threads * PRODUCTS_BETWEEN_SIGNALS
                                          / self.products(&p)))
        block = <char*>take_parts(&shared, threads, &each)
        try:
            x_batch = <Py_ssize_t*>block
            y_batch = x_batch + self.n_batch
            list_batch(self.batch, x, y, x_batch, y_batch)
            while done < units and (summable or lenient):
                step = least(step, units - done)
                if self.sums_code == SUMS_FLOAT:
                    summable = run_panels_shared[float](
                        &p, done, step, threads, cnp.PyArray_BYTES(x), x_batch,
                        cnp.PyArray_BYTES(y), y_batch, <float*>(block + shared), each) and summable
                elif self.sums_code == SUMS_DOUBLE:
                    summable = run_panels_shared[double](
                        &p, done, step, threads, cnp.PyArray_BYTES(x), x_batch,
                        cnp.PyArray_BYTES(y), y_batch, <double*>(block + shared), each) and summable
                else:
                    run_panels_shared[uint64_t](
                        &p, done, step, threads, cnp.PyArray_BYTES(x), x_batch,
                        cnp.PyArray_BYTES(y), y_batch, <uint64_t*>(block + shared), each)
                done += step
                PyErr_CheckSignals()
        finally:
            put_block(block)
        return bool(summable)

    cdef int set_arrays(self, Strips* p, cnp.ndarray x, cnp.ndarray y, bint clip) except -1:
        cdef Stencil* s = &p.down
        cdef int x_code = row_codes[cnp.PyArray_TYPE(x)]
        cdef int y_code = row_codes[cnp.PyArray_TYPE(y)]
        s.z_stride = x.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        s.y_stride = x.strides[self.axis_of[1]]
        s.x.pixel_stride = x.strides[self.axis_of[2]]
        s.x.sample_stride = s.x.pixel_stride
        if s.x.group > 1:  # contiguous, whatever the strides of axes of length 1
            s.x.sample_stride = cnp.PyArray_ITEMSIZE(x)
            s.x.pixel_stride = s.x.group * s.x.sample_stride
        set_row_load(&s.x, self.sums_code, x_code)
        s.x.same = x_code == self.sums_row and s.x.sample_stride == self.item
        s.prefetching = s.x.same and cnp.PyArray_NBYTES(x) > CACHE_BYTES
        s.out_item = cnp.PyArray_ITEMSIZE(y)
        s.out_z = y.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        s.out_y = y.strides[self.axis_of[1]]
        s.stored = are_stored(self.sums_code, self.sums_row, y_code, clip)
        s.emit = row_emits[self.sums_code][clip][y_code]
        s.streaming = (s.stored and cnp.PyArray_NBYTES(y) > STREAM_BYTES
                       and s.tile_cols * s.item >= LINE_BYTES
                       and (p.ring or s.y.comb * s.out_y % LINE_BYTES == 0))
        p.in_place = (p.columns_only and not p.ring and s.x.same and s.y_stride % self.item == 0
                      and (s.y_stride % 4096 != 0 or s.y.taps <= MAX_ALIASED_TAPS))
        if p.ring:
            p.deep = s[0]
            p.deep.weights = p.pass_z.weights
            p.deep.n_segments = p.pass_z.n_sets
            p.deep.y.comb, p.deep.out_y = s.z.comb, s.out_z
            p.deep.streaming = s.streaming and s.z.comb * s.out_z % LINE_BYTES == 0
            s.stored, s.streaming = True, False
            s.divisor = NULL
            s.out_item = self.item
        return 0
