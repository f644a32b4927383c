# cython: freethreading_compatible=True
# Whether a loop may read or write an array as it lies in memory. Asking an array's attributes from
# Python takes as long as a small correlation.

cimport numpy as cnp
from cpython.object cimport PyObject

cnp.import_array()


def usual(cnp.ndarray x not None, cnp.ndarray w not None, cnp.ndarray y not None, sums, result):
    """Return whether a loop takes three arrays as they are.

    That is `readable` samples, `readable` weights of the dtype ``sums``, a result of the dtype
    ``result``, and strides as `settled` leaves them: one question for a small call instead of
    seven. False may be said of a dtype that is equal, but another object.
    """
    return (<PyObject*>cnp.PyArray_DESCR(w) == <PyObject*>sums
            and <PyObject*>cnp.PyArray_DESCR(y) == <PyObject*>result
            and are_read(x) and are_read(w)
            and not (is_odd(x) or is_odd(w) or is_odd(y)))


def readable(cnp.ndarray x not None):
    """Return whether the samples are aligned, in native byte order and of no half precision."""
    return are_read(x)


cdef inline bint are_read(cnp.ndarray x) noexcept:
    return cnp.PyArray_ISBEHAVED_RO(x) and cnp.PyArray_TYPE(x) != cnp.NPY_FLOAT16


def writable(cnp.ndarray y not None):
    """Return whether the array is contiguous, aligned, writeable and in native byte order."""
    return cnp.PyArray_ISCARRAY(y)


def settled(cnp.ndarray a not None):
    """Return the array with the strides that its axes of one sample have in a contiguous one.

    NumPy lets them have any, and calls the array contiguous all the same; a loop that goes through
    several axes as one takes the stride of the last of them.
    """
    cdef int i
    cdef Py_ssize_t expected
    cdef cnp.ndarray view
    if not is_odd(a):
        return a
    view = a.view()
    expected = cnp.PyArray_ITEMSIZE(a)
    for i in range(cnp.PyArray_NDIM(a) - 1, -1, -1):
        if cnp.PyArray_DIM(view, i) == 1:
            cnp.PyArray_STRIDES(view)[i] = expected
        else:
            expected = cnp.PyArray_DIM(view, i) * cnp.PyArray_STRIDE(view, i)
    return view


cdef bint is_odd(cnp.ndarray a) noexcept:
    """Return whether an axis of one sample has another stride than in a contiguous array."""
    cdef Py_ssize_t expected = cnp.PyArray_ITEMSIZE(a)
    cdef int i
    for i in range(cnp.PyArray_NDIM(a) - 1, -1, -1):
        if cnp.PyArray_DIM(a, i) != 1:
            expected = cnp.PyArray_DIM(a, i) * cnp.PyArray_STRIDE(a, i)
        elif cnp.PyArray_STRIDE(a, i) != expected:
            return True
    return False


def apart(cnp.ndarray a not None, cnp.ndarray b not None):
    """Return whether no array has bytes between the first and the last of the other."""
    cdef Py_ssize_t low[2]
    cdef Py_ssize_t high[2]
    bounds(a, &low[0], &high[0])
    bounds(b, &low[1], &high[1])
    return high[0] <= low[1] or high[1] <= low[0]


cdef void bounds(cnp.ndarray a, Py_ssize_t* low, Py_ssize_t* high) noexcept:
    """Find the address of the first byte of an array and the one after its last."""
    cdef Py_ssize_t reach
    cdef int i
    low[0] = <Py_ssize_t>cnp.PyArray_DATA(a)
    high[0] = low[0] + cnp.PyArray_ITEMSIZE(a)
    for i in range(cnp.PyArray_NDIM(a)):
        if cnp.PyArray_DIM(a, i) == 0:
            high[0] = low[0]
            return
        reach = (cnp.PyArray_DIM(a, i) - 1) * cnp.PyArray_STRIDE(a, i)
        if reach < 0:
            low[0] += reach
        else:
            high[0] += reach
