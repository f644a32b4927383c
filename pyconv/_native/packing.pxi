# packing: rows of samples with their border, converted to the type of the sums.

cdef struct Source:
    # Rows of the caller's array: pixels along `axis`, of `group` samples each; strides in bytes.
    SpatialAxis axis
    Py_ssize_t group
    Py_ssize_t pixel_stride, sample_stride
    row_load load
    bint same               # rows hold contiguous samples of the type of the sums
    const void* fill
    Py_ssize_t n_fill       # 1, or one for each sample of a pixel


cdef inline Py_ssize_t phase_reach(const SpatialAxis* a, Py_ssize_t phase) noexcept nogil:
    """Return how many samples of its phase the last tap of one lies behind the first sample."""
    cdef Py_ssize_t last = (a.taps - 1 - phase) // a.phases * a.phases + phase
    return last * a.dilation // a.stride


cdef inline Py_ssize_t pixels_before(const Source* s, Py_ssize_t first, Py_ssize_t step,
                                     Py_ssize_t pixels) noexcept nogil:
    """Return how many of the pixels first, first + step, … lie before the array."""
    return least(pixels, ceil_div(most(0, -first), step))


cdef inline Py_ssize_t pixels_until_end(const Source* s, Py_ssize_t first, Py_ssize_t step,
                                        Py_ssize_t pixels) noexcept nogil:
    """Return how many of the pixels first, first + step, … do not lie behind the array."""
    return least(pixels, ceil_div(most(0, s.axis.size - first), step))


cdef void set_row_load(Source* s, int sums_code, int code) noexcept nogil:
    """Set the function that converts array type ``code`` to the sums."""
    if sums_code == SUMS_FLOAT:
        s.load = row_loads_float[code]
    elif sums_code == SUMS_DOUBLE:
        s.load = row_loads_double[code]
    elif sums_code == SUMS_INT16:
        s.load = row_loads_int16[code]
    else:
        s.load = row_loads_uint64[code]


cdef void pack_fill(const Source* s, Py_ssize_t pixels, tile_t* out) noexcept nogil:
    cdef const tile_t* fill = <const tile_t*>s.fill
    cdef Py_ssize_t i, c
    if s.n_fill == 1:
        for i in range(pixels * s.group):
            out[i] = fill[0]
        return
    for i in range(pixels):
        for c in range(s.group):
            out[i * s.group + c] = fill[c]


cdef void pack_border(const Source* s, const char* row, Py_ssize_t first, Py_ssize_t step,
                      Py_ssize_t pixels, tile_t* out) noexcept nogil:
    """Copy pixels that all lie outside ``x``."""
    cdef Py_ssize_t i, index
    for i in range(pixels):
        index = source_index(&s.axis, first + i * step)
        if index < 0:
            pack_fill(s, 1, out)
        else:
            s.load(row + index * s.pixel_stride, s.sample_stride, s.group, out)
        out += s.group


cdef void pack_inside(const Source* s, const char* row, Py_ssize_t step, Py_ssize_t pixels,
                      tile_t* out) noexcept nogil:
    """Copy pixels ``step`` apart that all lie inside ``x``."""
    cdef Py_ssize_t i
    if s.same and step == 1:
        copy_row(out, <const tile_t*>row, pixels * s.group)
    elif step == 1 and s.pixel_stride == s.group * s.sample_stride:
        s.load(row, s.sample_stride, pixels * s.group, out)
    elif s.group == 1:
        s.load(row, step * s.pixel_stride, pixels, out)
    else:
        for i in range(pixels):
            s.load(row + i * step * s.pixel_stride, s.sample_stride, s.group, out + i * s.group)


cdef inline void pack_same(const Source* s, const char* row, Py_ssize_t row_stride,
                           Py_ssize_t rows, Py_ssize_t first, Py_ssize_t before,
                           Py_ssize_t until_end, Py_ssize_t pixels, tile_t* out,
                           Py_ssize_t pitch) noexcept nogil:
    """`pack_pixels` of rows of contiguous samples, one a pixel, that need no conversion.

    Most rows of most problems are such, and short: what is the same for all is found once.
    """
    cdef const Py_ssize_t* indices_before = s.axis.before
    cdef const Py_ssize_t* indices_after = s.axis.after
    cdef Py_ssize_t low = s.axis.low, size = s.axis.size
    cdef Py_ssize_t i, r, index
    cdef tile_t fill = (<const tile_t*>s.fill)[0]
    cdef const tile_t* x
    until_end = most(before, until_end)
    for r in range(rows):
        x = <const tile_t*>row
        for i in range(before):
            index = indices_before[first + i + low]
            out[i] = x[index] if index >= 0 else fill
        if before < until_end:
            copy_row(out + before, x + first + before, until_end - before)
        for i in range(until_end, pixels):
            index = indices_after[first + i - size]
            out[i] = x[index] if index >= 0 else fill
        row += row_stride
        out += pitch


cdef inline void pack_pixels(const Source* s, const char* row, Py_ssize_t first, Py_ssize_t step,
                             Py_ssize_t before, Py_ssize_t until_end, Py_ssize_t pixels,
                             tile_t* out) noexcept nogil:
    """Copy pixels first, first + step, …; a NULL row is outside and reads the fill.

    The counts of `pixels_before` and `pixels_until_end` are the same for every row.
    """
    if row == NULL:
        pack_fill(s, pixels, out)
        return
    if s.same and s.group == 1 and step == 1:
        pack_same(s, row, 0, 1, first, before, until_end, pixels, out, 0)
        return
    if before:
        pack_border(s, row, first, step, before, out)
    if before < until_end:
        pack_inside(s, row + (first + before * step) * s.pixel_stride, step, until_end - before,
                    out + before * s.group)
    until_end = most(before, until_end)
    if until_end < pixels:
        pack_border(s, row, first + until_end * step, step, pixels - until_end,
                    out + until_end * s.group)
