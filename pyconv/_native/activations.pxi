# activations: y[i] = dy[i] where x[i] is positive or NaN, else 0: relu, dy = x, and its gradient.

# Samples of one thread: a tenth of a second where memory has yet to be given.
cdef Py_ssize_t RECTIFIED_BETWEEN_SIGNALS = 1 << 24


cdef void rectify_run(const real_t* x, const real_t* dy, real_t* y, Py_ssize_t start,
                      Py_ssize_t stop) noexcept nogil:
    cdef Py_ssize_t i
    cdef real_t value
    for i in range(start, stop):
        value = dy[i]
        y[i] = 0 if x[i] <= 0 else value


cdef int rectify_shared(const real_t* x, const real_t* dy, real_t* y, Py_ssize_t n,
                        int threads) except -1:
    cdef Py_ssize_t done = 0, step = threads * RECTIFIED_BETWEEN_SIGNALS
    cdef int t
    while done < n:
        step = least(step, n - done)
        if threads == 1:
            with nogil:
                rectify_run(x, dy, y, done, done + step)
        else:
            for t in prange(threads, nogil=True, num_threads=threads, schedule="static"):
                rectify_run(x, dy, y, done + step * t // threads,
                            done + step * (t + 1) // threads)
        done += step
        PyErr_CheckSignals()
    return 0


def rectify(cnp.ndarray x, cnp.ndarray dy, cnp.ndarray y, int threads):
    """Fill `y`: contiguous arrays of one size and type, float32 or float64."""
    cdef Py_ssize_t n = cnp.PyArray_SIZE(x)
    if cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT:
        rectify_shared[float](<const float*>cnp.PyArray_DATA(x), <const float*>cnp.PyArray_DATA(dy),
                              <float*>cnp.PyArray_DATA(y), n, threads)
    else:
        rectify_shared[double](<const double*>cnp.PyArray_DATA(x),
                               <const double*>cnp.PyArray_DATA(dy),
                               <double*>cnp.PyArray_DATA(y), n, threads)
