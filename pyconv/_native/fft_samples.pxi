# fft_samples: the samples that go into a tile, and its scale.

cdef inline void prefetch_row(const char* row, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t byte = 0
    while byte < size:
        stencil_prefetch(row + byte)
        byte += 64


cdef const real_t* samples_of(const Overlap* s, const char* row, const char* ahead,
                              Py_ssize_t first, Py_ssize_t n, real_t* buffer) noexcept nogil:
    """Return samples first … first + n − 1, and what lies behind them or zeros.

    A NULL row is outside and reads the fill; a row ``ahead`` will be read soon.
    """
    cdef Py_ssize_t whole = s.along_x.n
    cdef bint inside = row != NULL and first >= 0 and first + whole <= s.x.axis.size
    if inside:
        n = whole  # more than is needed: it touches no output, but rounds alike in every layout
    if inside and s.x.same:
        if ahead != NULL:
            prefetch_row(ahead + first * <Py_ssize_t>sizeof(real_t),
                         whole * <Py_ssize_t>sizeof(real_t))
        return <const real_t*>row + first
    pack_pixels(&s.x, row, first, 1, pixels_before(&s.x, first, 1, n),
                pixels_until_end(&s.x, first, 1, n), n, buffer)
    memset(buffer + n, 0, (whole - n) * sizeof(real_t))
    return buffer


cdef void put_row(const Overlap* s, const real_t* samples, real_t* part,
                  real_t* squares) noexcept nogil:
    if real_t is float:
        if s.line:
            fft_put_line_float(samples, part, s.panel, s.panels, s.block_x, squares)
        else:
            fft_put_float(samples, part, s.panel, s.panels, squares)
    else:
        if s.line:
            fft_put_line_double(samples, part, s.panel, s.panels, s.block_x, squares)
        else:
            fft_put_double(samples, part, s.panel, s.panels, squares)


cdef void clear_row(const Overlap* s, real_t* part) noexcept nogil:
    """Write zeros to a row of a tile, with gaps to both parts."""
    cdef Py_ssize_t i
    for i in range(1 if s.gaps == NULL else 2):
        if real_t is float:
            fft_clear_float(part + i * s.lanes, s.panel, s.panels)
        else:
            fft_clear_double(part + i * s.lanes, s.panel, s.panels)


cdef void put_split(const Overlap* s, const char* row, const char* mask, const char* ahead,
                    Py_ssize_t first, Py_ssize_t n, real_t* part, real_t* buffer,
                    real_t* squares) noexcept nogil:
    """Write a row of samples, with zeros where they are missing, and 1 or 0 to the other part."""
    cdef Py_ssize_t whole = s.along_x.n, before, until_end
    cdef real_t* seen = buffer + whole
    cdef real_t* count = seen + whole
    before = pixels_before(&s.x, first, 1, n)
    until_end = pixels_until_end(&s.x, first, 1, n)
    pack_pixels(&s.x, row, first, 1, before, until_end, n, buffer)
    if ahead != NULL and before < until_end and s.x.same:
        prefetch_row(ahead + (first + before) * <Py_ssize_t>sizeof(real_t),
                     (until_end - before) * <Py_ssize_t>sizeof(real_t))
    if s.gaps.masked:
        pack_pixels(&s.gaps.mask, mask, first, 1, before, until_end, n, seen)
    memset(buffer + n, 0, (whole - n) * sizeof(real_t))
    memset(seen + n, 0, (whole - n) * sizeof(real_t))
    if real_t is float:
        gaps_split_float(buffer, seen, n, s.gaps.nan, s.gaps.masked)
        fft_put_float(seen, part + s.lanes, s.panel, s.panels, count)
    else:
        gaps_split_double(buffer, seen, n, s.gaps.nan, s.gaps.masked)
        fft_put_double(seen, part + s.lanes, s.panel, s.panels, count)
    put_row(s, buffer, part, squares)


cdef inline const real_t* finite_of(const Overlap* s, const real_t* samples, real_t* buffer,
                                    unsigned char* marks) noexcept nogil:
    """Return a row of samples, with zeros for those that are left out if there are marks."""
    if marks == NULL:
        return samples
    if real_t is float:
        fft_leave_out_float(samples, buffer, s.along_x.n, s.plus, s.minus, marks)
    else:
        fft_leave_out_double(samples, buffer, s.along_x.n, s.plus, s.minus, marks)
    return buffer


cdef void fill_tile(const Overlap* s, Tile* tile, real_t* part, real_t* buffer,
                    real_t* squares, unsigned char* marks) noexcept nogil:
    """Write one part of a tile, with gaps both; sum squares of its samples by blocks.

    Unless ``marks`` is NULL samples are left out, and marked there.
    """
    cdef Py_ssize_t first = tile.col - s.x.axis.low
    cdef Py_ssize_t cols = tile.cols + reach(&s.x.axis)
    cdef Py_ssize_t planes = tile.planes + reach(&s.z)
    cdef Py_ssize_t rows = tile.rows + reach(&s.y)
    cdef Py_ssize_t element = 2 * s.lanes
    cdef Py_ssize_t k, r = 0, i, n, plane, line, left
    cdef const char* row = tile.x
    cdef const char* ahead
    cdef const char* mask = tile.mask
    cdef const real_t* samples[FFT_ROWS]
    cdef const real_t* put
    cdef real_t* at
    cdef real_t* block
    memset(squares, 0, s.sums * sizeof(real_t))
    if s.gaps != NULL:
        memset(buffer + 2 * s.along_x.n, 0, s.along_x.n * sizeof(real_t))
    if s.line:
        for r in range(s.along_y.n):
            at = part + r * element
            block = squares + r * s.layer
            n = least(cols - r * s.along_x.n, s.along_x.n)
            if n <= 0:
                clear_row(s, at)
            elif s.gaps != NULL:
                put_split(s, row, mask, NULL, first + r * s.along_x.n, n, at, buffer, block)
            else:
                put = samples_of(s, row, NULL, first + r * s.along_x.n, n, buffer)
                put_row(s, finite_of(s, put, buffer, marks), at, block)
                marks += 0 if marks == NULL else s.along_x.n
    else:
        for k in range(s.along_z.n):
            plane = source_index(&s.z, tile.z - s.z.low + k) if k < planes else -1
            block = squares + (k + s.shift_z) // s.block_z * s.layer
            left = s.block_y - s.shift_y
            r = 0
            while r < s.along_y.n:
                at = part + k * s.plane + r * element
                if k >= planes or r >= rows:
                    clear_row(s, at)
                    r += 1
                    continue
                if left == 0:
                    block += s.along_x.n
                    left = s.block_y
                n = least(least(rows - r, 1 if s.gaps != NULL else FFT_ROWS), left)
                left -= n
                for i in range(n):
                    row = mask = ahead = NULL
                    line = source_index(&s.y, tile.y - s.y.low + r + i)
                    if plane >= 0 and line >= 0:
                        row = tile.x + plane * s.z_stride + line * s.y_stride
                        if s.prefetching and line + PREFETCH_ROWS < s.y.size:
                            ahead = row + PREFETCH_ROWS * s.y_stride
                        if tile.mask != NULL:
                            mask = (tile.mask + plane * s.gaps.z_stride
                                    + line * s.gaps.y_stride)
                    if s.gaps != NULL:
                        put_split(s, row, mask, ahead, first, cols, at, buffer, block)
                    else:
                        put = samples_of(s, row, ahead, first, cols, buffer + i * s.along_x.n)
                        samples[i] = finite_of(s, put, buffer + i * s.along_x.n, marks)
                        marks += 0 if marks == NULL else s.along_x.n
                if s.gaps == NULL:
                    if real_t is float:
                        fft_put_rows_float(samples, n, at, s.panel, s.panels, block)
                    else:
                        fft_put_rows_double(samples, n, at, s.panel, s.panels, block)
                r += n
    tile.squares = squares
    if real_t is float:
        fft_sum_squares_float(squares, s.sums, &tile.energy, &tile.peak)
    else:
        fft_sum_squares_double(squares, s.sums, &tile.energy, &tile.peak)


cdef double largest_sample(const Overlap* s, const real_t* part) noexcept nogil:
    """Return the largest magnitude of one part of a tile, or a NaN or infinity if it has one."""
    cdef real_t most[MAX_LANES]
    cdef Py_ssize_t k, r, lane
    cdef double largest = 0
    memset(most, 0, s.lanes * sizeof(real_t))
    for k in range(s.along_z.n):
        for r in range(s.along_y.n):
            if real_t is float:
                fft_largest_float(part + k * s.plane + r * 2 * s.lanes, s.panel, s.panels, most)
            else:
                fft_largest_double(part + k * s.plane + r * 2 * s.lanes, s.panel, s.panels, most)
    for lane in range(s.lanes):
        if not isfinite(<double>most[lane]):
            return most[lane]
        largest = most[lane] if most[lane] > largest else largest
    return largest


cdef void scale_part(const Overlap* s, real_t* part, int exponent) noexcept nogil:
    """Multiply one part of a tile by 2^exponent, in two steps that are each in range."""
    cdef real_t first = <real_t>ldexp(1, exponent // 2)
    cdef real_t second = <real_t>ldexp(1, exponent - exponent // 2)
    cdef Py_ssize_t k, r
    for k in range(s.along_z.n):
        for r in range(s.along_y.n):
            if real_t is float:
                fft_scale_float(part + k * s.plane + r * 2 * s.lanes, s.panel, s.panels, first,
                                second)
            else:
                fft_scale_double(part + k * s.plane + r * 2 * s.lanes, s.panel, s.panels, first,
                                 second)


cdef inline bint is_in_range(double energy) noexcept nogil:
    """Return whether samples of that sum of squares need no scale."""
    return MIN_ENERGY < energy < MAX_ENERGY


cdef void list_infinite(const Overlap* s, Tile* tile, unsigned char* marks) noexcept nogil:
    """Replace marks by samples that are taken out, unless they are too many."""
    cdef Py_ssize_t k, r, j
    cdef unsigned char* row
    cdef Loud* loud
    for k in range(tile.planes + reach(&s.z)):
        for r in range(tile.rows + reach(&s.y)):
            row = marks + k * tile.plane + r * tile.pitch
            for j in range(tile.cols + reach(&s.x.axis)):
                if row[j] & (HIGH | LOW):
                    if tile.n_loud == s.most_loud:
                        tile.crowded = True
                        return
                    loud = tile.loud + tile.n_loud
                    loud.z, loud.y, loud.x = k, r, j
                    loud.value = HUGE_VAL if row[j] == HIGH else -HUGE_VAL
                    tile.n_loud += 1
                    row[j] = 0


cdef void fill_finite(const Overlap* s, Tile* tile, real_t* part, real_t* buffer,
                      real_t* squares, unsigned char* marks) noexcept nogil:
    """Fill one part of a tile; leave out samples that are not finite, and mark who reads them."""
    cdef Py_ssize_t taps[3]
    cdef Py_ssize_t k, r
    fill_tile(s, tile, part, buffer, squares, NULL)
    tile.marks = NULL
    tile.n_loud = 0
    if isfinite(tile.energy):
        return
    fill_tile(s, tile, part, buffer, squares, marks)
    if s.plus == HIGH:
        list_infinite(s, tile, marks)
    if tile.crowded:
        return
    taps[0], taps[1], taps[2] = s.z.taps, s.y.taps, s.x.axis.taps
    spread_classes(s, tile, taps, tile.planes, tile.rows, tile.cols, marks)
    tile.marks = marks
    tile.decided = True
    for k in range(tile.planes):
        for r in range(tile.rows):
            if tile.decided:
                tile.decided = memchr(marks + k * tile.plane + r * tile.pitch, 0,
                                      tile.cols) == NULL


cdef void settle_scale(const Overlap* s, Tile* tile, real_t* part) noexcept nogil:
    """Scale a tile's samples to about one."""
    cdef double size = tile.top
    if is_in_range(tile.energy):
        size = sqrt(tile.energy / points(s))
    frexp(size, &tile.exponent)
    scale_part(s, part, -tile.exponent)


cdef inline double points(const Overlap* s) noexcept nogil:
    return <double>s.along_z.n * s.along_y.n * s.along_x.n


cdef void fill_split(const Overlap* s, Tile* tile, real_t* t, real_t* buffer,
                     real_t* squares) noexcept nogil:
    """Fill a tile with its samples and what was seen of them."""
    cdef double seen = 0
    cdef Py_ssize_t k
    fill_tile(s, tile, t, buffer, squares, NULL)
    for k in range(s.along_x.n):
        seen += buffer[2 * s.along_x.n + k]
    tile.seen = seen
    tile.even = is_surely_even(s, tile, tile.energy, tile.peak, t)
    tile.top = sqrt(tile.peak) if tile.even else largest_sample(s, t)
    tile.empty = tile.top == 0
    if (seen > 0 and not tile.empty and isfinite(tile.top)
            and not (tile.energy < ALIKE * seen and seen < ALIKE * tile.energy)):
        settle_scale(s, tile, t)
