# finite: whether samples may be added, and which of them are not finite.

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
