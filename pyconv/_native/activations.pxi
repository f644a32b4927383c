# activations: y[i] = dy[i] where x[i] is positive or NaN, else 0: relu, dy = x, and its gradient.

# A sample takes as long as so many products where memory has yet to be given.
cdef double RECTIFIED_PRODUCTS = 12


# One expression: of the statements that Cython writes for a choice Clang makes a branch.
cdef extern from *:
    """
    #define RECTIFIED(x, value) ((x) <= 0 ? 0 : (value))
    """
    float rectified_float "RECTIFIED"(float x, float value) noexcept nogil
    double rectified_double "RECTIFIED"(double x, double value) noexcept nogil


cdef struct Rectified:
    const void* x
    const void* dy
    void* y


cdef void rectify_run(const real_t* x, const real_t* dy, real_t* y, Py_ssize_t start,
                      Py_ssize_t stop) noexcept nogil:
    cdef Py_ssize_t i
    cdef real_t value
    for i in range(start, stop):
        value = dy[i]
        if real_t is float:
            y[i] = rectified_float(x[i], value)
        else:
            y[i] = rectified_double(x[i], value)


cdef Py_ssize_t run_rectified(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                              void* work) noexcept nogil:
    cdef const Rectified* r = <const Rectified*>c.loop
    if c.sums == SUMS_FLOAT:
        rectify_run(<const float*>r.x, <const float*>r.dy, <float*>r.y, start, stop)
    else:
        rectify_run(<const double*>r.x, <const double*>r.dy, <double*>r.y, start, stop)
    return 0


def rectify(cnp.ndarray x, cnp.ndarray dy, cnp.ndarray y, int threads):
    """Fill `y`: contiguous arrays of one size and type, float32 or float64."""
    cdef Rectified r
    cdef Call call
    r.x, r.dy, r.y = cnp.PyArray_DATA(x), cnp.PyArray_DATA(dy), cnp.PyArray_DATA(y)
    call.loop = &r
    call.sums = SUMS_FLOAT if cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT else SUMS_DOUBLE
    run_in_steps(run_rectified, &call, cnp.PyArray_SIZE(x), RECTIFIED_PRODUCTS, threads, NULL, 0,
                 0, False)
