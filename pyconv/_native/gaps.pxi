# gaps: zeros where samples are missing, and sums divided by what was seen of the weights (gaps.h).
#
# Arrays of one shape are gone through by rows: axes along which all of them go on are one.

cdef enum:
    GAPS_ARRAYS = 4
    GAPS_AXES = 64
    GAPS_RUN = 1 << 13      # samples of a row that are gone through at once


cdef struct GapsRows:
    # Arrays that are gone through together, by runs of rows of n samples.
    int arrays, axes
    Py_ssize_t n, runs_of_row, runs
    Py_ssize_t shape[GAPS_AXES]
    Py_ssize_t strides[GAPS_ARRAYS][GAPS_AXES]
    # Along a row, in bytes.
    Py_ssize_t steps[GAPS_ARRAYS]
    char* data[GAPS_ARRAYS]             # NULL for one that is not there
    gaps_clear clear                    # what is done with the rows
    gaps_divide divide
    int parts
    gaps_weights weights


cdef inline Py_ssize_t run_offset(const GapsRows* s, int array, Py_ssize_t run) noexcept nogil:
    cdef Py_ssize_t offset = run % s.runs_of_row * GAPS_RUN * s.steps[array]
    cdef Py_ssize_t row = run // s.runs_of_row
    cdef int axis
    for axis in range(s.axes - 1, -1, -1):
        offset += row % s.shape[axis] * s.strides[array][axis]
        row //= s.shape[axis]
    return offset


cdef inline Py_ssize_t run_length(const GapsRows* s, Py_ssize_t run) noexcept nogil:
    return least(GAPS_RUN, s.n - run % s.runs_of_row * GAPS_RUN)


cdef set_gaps_rows(GapsRows* s, tuple arrays, tuple whole):
    """List the rows of arrays of one shape; those in ``whole`` are contiguous along a row."""
    cdef int i, k, last
    cdef bint joined
    cdef cnp.ndarray first = arrays[0]
    s.arrays = len(arrays)
    for k in range(GAPS_ARRAYS):
        s.data[k] = cnp.PyArray_BYTES(arrays[k]) if k < s.arrays else NULL
    s.axes = 0
    for i in range(first.ndim):
        if first.shape[i] == 1:
            continue
        last = s.axes - 1
        joined = last >= 0
        for k in range(s.arrays):
            s.strides[k][s.axes] = arrays[k].strides[i]
            joined &= last >= 0 and s.strides[k][last] == first.shape[i] * arrays[k].strides[i]
        if joined:
            s.shape[last] *= first.shape[i]
            for k in range(s.arrays):
                s.strides[k][last] = arrays[k].strides[i]
        else:
            s.shape[s.axes] = first.shape[i]
            s.axes += 1
    s.n = 1
    joined = s.axes > 0
    for k in range(s.arrays):
        s.steps[k] = arrays[k].itemsize
        if joined and not (s.strides[k][s.axes - 1] == s.steps[k]
                           or (not whole[k] and s.strides[k][s.axes - 1] == 0)):
            joined = False  # a row has one sample
    if joined:
        s.axes -= 1
        s.n = s.shape[s.axes]
        for k in range(s.arrays):
            s.steps[k] = s.strides[k][s.axes]
    s.runs_of_row = s.runs = ceil_div(s.n, GAPS_RUN)
    for i in range(s.axes):
        s.runs *= s.shape[i]


cdef gaps_clear clear_of(cnp.ndarray x, bint nan) noexcept:
    """Return the loop of an array's type, of which NaN are missing or not."""
    cdef int number = cnp.PyArray_TYPE(x), item = cnp.PyArray_ITEMSIZE(x)
    if nan and number == cnp.NPY_FLOAT16:
        return gaps_clear_half
    if nan and number == cnp.NPY_FLOAT:
        return gaps_clear_float
    if nan and number == cnp.NPY_DOUBLE:
        return gaps_clear_double
    if nan and number == cnp.NPY_CFLOAT:
        return gaps_clear_complex_float
    if nan and number == cnp.NPY_CDOUBLE:
        return gaps_clear_complex_double
    if item == 1:
        return gaps_clear_1
    if item == 2:
        return gaps_clear_2
    if item == 4:
        return gaps_clear_4
    return gaps_clear_8 if item == 8 else gaps_clear_16


cdef Py_ssize_t clear_runs(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                           void* work) noexcept nogil:
    """Clear runs start … stop − 1; return whether a sample is missing."""
    cdef const GapsRows* s = <const GapsRows*>c.loop
    cdef Py_ssize_t run, n
    cdef const unsigned char* gaps
    cdef unsigned char* line
    cdef char* to
    cdef int missing = 0
    for run in range(start, stop):
        n = run_length(s, run)
        to = s.data[1] + run_offset(s, 1, run)
        line = <unsigned char*>s.data[2] + run_offset(s, 2, run)
        gaps = NULL
        if s.data[3] != NULL:
            gaps = <const unsigned char*>s.data[3] + run_offset(s, 3, run)
        if gaps != NULL and s.steps[3] == 0:  # one for all
            if gaps[0]:
                memset(to, 0, n * s.steps[0])
                memset(line, 0, n)
                missing = 1
                continue
            gaps = NULL
        missing |= s.clear(s.data[0] + run_offset(s, 0, run), gaps, n, to, line)
    return missing


def clear_gaps(cnp.ndarray x, cnp.ndarray out, cnp.ndarray seen, mask, bint nan, int threads):
    """Copy `x` with zeros where samples are missing; return whether any is.

    Parameters
    ----------
    x, out : ndarray
        Aligned arrays of one shape and native type.
    seen : ndarray of bool
        Where samples are not missing is written here; of the same shape, as the mask.
    mask : ndarray of bool, or None
        True for samples that are missing.
    nan : bool
        Whether NaN are missing.
    threads : int
    """
    cdef GapsRows s
    cdef Call call
    s.clear = clear_of(x, nan)
    if mask is None:
        set_gaps_rows(&s, (x, out, seen), (True, True, True))
    else:
        set_gaps_rows(&s, (x, out, seen, mask), (True, True, True, False))
    call.loop = &s
    return share_units(clear_runs, &call, 0, s.runs, threads, NULL, 0, 0) != 0


def holds_nan(cnp.ndarray x):
    """Return whether any sample is NaN.

    ``x`` is C-contiguous, aligned and native, of single or double precision, real or complex.
    """
    cdef const void* first = cnp.PyArray_DATA(x)
    cdef bint single = cnp.PyArray_TYPE(x) in (cnp.NPY_FLOAT, cnp.NPY_CFLOAT)
    cdef Py_ssize_t n = cnp.PyArray_NBYTES(x) // (4 if single else 8)
    cdef bint found
    with nogil:
        if single:
            found = gaps_any_nan_float(<const float*>first, n)
        else:
            found = gaps_any_nan_double(<const double*>first, n)
    return found


cdef Py_ssize_t divide_runs(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                            void* work) noexcept nogil:
    cdef const GapsRows* s = <const GapsRows*>c.loop
    cdef Py_ssize_t run
    for run in range(start, stop):
        s.divide(s.data[0] + run_offset(s, 0, run), s.data[1] + run_offset(s, 1, run),
                 s.steps[1] != 0, run_length(s, run), s.parts, &s.weights)
    return 0


def divide_gaps(cnp.ndarray y, cnp.ndarray d, double whole, int sign, double least, double tiny,
                int threads):
    """Make of Σ m·x·w in `y` the result.

    Parameters
    ----------
    y : ndarray
        Aligned and native, floating-point or complex.
    d : ndarray
        Σ m·w: real, of the same precision and shape.
    whole : float
        W.
    sign : int
        Of all weights, 0 for both.
    least : float
        Where \\|d\\| is not larger the result is NaN.
    tiny : float
        Where \\|d\\| is smaller W / d might overflow.
    threads : int
    """
    cdef GapsRows s
    cdef Call call
    s.divide = (
        gaps_divide_float if cnp.PyArray_TYPE(d) == cnp.NPY_FLOAT else gaps_divide_double)
    s.parts = cnp.PyArray_ITEMSIZE(y) // cnp.PyArray_ITEMSIZE(d)
    s.weights.whole, s.weights.sign, s.weights.least, s.weights.tiny = whole, sign, least, tiny
    set_gaps_rows(&s, (y, d), (True, False))
    call.loop = &s
    share_units(divide_runs, &call, 0, s.runs, threads, NULL, 0, 0)
