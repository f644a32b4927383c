# separable_rows: rows summed along x, into the strip of each factor.

cdef struct Lines:
    # Rows of the caller's array that are turned together, NULL where they lie outside; where
    # those behind them lie, in bytes, or 0.
    const char* rows[MAX_LANES]
    Py_ssize_t ahead
    # Pixels: the first one's coordinate, their number, those that lie inside.
    Py_ssize_t first, pixels, before, until_end


cdef const char* row_of(const Strips* p, const char* plane, Py_ssize_t index, Py_ssize_t line,
                        Py_ssize_t first, Py_ssize_t pixels, void* work) noexcept nogil:
    """Return a row of x, or of those that are joined the pixels from ``first`` on that lie inside.

    They go to a line of the workspace. Where some lie outside the whole row is joined: any of its
    samples may be read there.
    """
    cdef Py_ssize_t end = first + pixels
    cdef char* out
    if p.joined == NULL:
        return plane + index * p.down.y_stride
    out = <char*>work + p.lines * p.down.item + line * p.line_bytes
    if first < 0 or end > p.down.x.axis.size:
        first, end = 0, p.down.x.axis.size
    join_row(p.joined, plane, index, first, end, out)
    return out - first * p.joined.item


cdef void set_lines(Lines* lines, const Strips* p, const char* plane, Py_ssize_t row,
                    Py_ssize_t rows, Py_ssize_t col_from, Py_ssize_t cols,
                    void* work) noexcept nogil:
    """Find the rows from the coordinate on; lanes that are left over repeat the last."""
    cdef const Stencil* s = &p.down
    cdef Py_ssize_t j, index
    lines.first = col_from * s.x.axis.stride - s.x.axis.low
    lines.pixels = samples_read(&s.x.axis, cols)
    for j in range(s.lanes):
        if j >= rows:
            lines.rows[j] = lines.rows[rows - 1]
            continue
        index = source_index(&s.y, row + j)
        lines.rows[j] = NULL
        if index >= 0 and plane != NULL:
            lines.rows[j] = row_of(p, plane, index, j, lines.first, lines.pixels, work)
    lines.ahead = 0
    if s.prefetching and row >= 0 and row + 2 * s.lanes <= s.y.size:
        lines.ahead = s.lanes * s.y_stride
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
        rows_to_columns(rows, most(4, n), lines.ahead, turned + i * x.group * p.down.lanes)
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
    set_lines(&lines, p, plane, row, rows, col_from, cols, work)
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
            columns_to_rows(sums, n * group, out + i * group, p.pitch)
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
        summable = sum_along_row(from_, step, p.pass_x.sets + r, w, out, n, ahead) and summable
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
        if p.joined != NULL and x.same and first >= 0 and first + pixels <= x.axis.size:
            join_row(p.joined, plane, index, first, first + pixels, <char*>line)
            memset(line + pixels, 0, lanes * sizeof(sum_t))
            return sum_in_place(p, line, n, <const sum_t*>NULL, out)
        inside = <const sum_t*>row_of(p, plane, index, 0, first, pixels, work)
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
