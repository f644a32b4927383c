# cython: freethreading_compatible=True
# What a call on a small array would spend most of its time on in Python: the key by which its plan
# is found, and an array that begins at a line of the cache. Python takes a third and two thirds of
# a 3×3 correlation of 96 × 128 samples for them.

cimport numpy as cnp
from cpython.long cimport PyLong_FromSsize_t
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_INCREF, Py_TYPE
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE, PyTuple_New, PyTuple_SET_ITEM

cnp.import_array()

cdef extern from "numpy/arrayobject.h":
    object PyArray_NewFromDescr(PyTypeObject* subtype, cnp.dtype descr, int nd,
                                const cnp.npy_intp* dims, const cnp.npy_intp* strides, void* data,
                                int flags, PyObject* obj)
    PyTypeObject PyArray_Type

cdef enum:
    LINE = 64               # bytes of the cache
    MOST_AXES = 64          # that an array of NumPy's has


def plain_key(tuple options not None, frozenset plain not None):
    """Return options and their types, None if a type is not among the ``plain`` ones.

    Their values are then a hashable spelling of themselves.
    """
    cdef Py_ssize_t i, n = PyTuple_GET_SIZE(options)
    cdef tuple kinds = PyTuple_New(n)
    cdef object kind
    cdef PyObject* before = NULL
    for i in range(n):
        kind = <object>Py_TYPE(<object>PyTuple_GET_ITEM(options, i))
        if <PyObject*>kind != before and kind not in plain:
            return None
        before = <PyObject*>kind
        Py_INCREF(kind)
        PyTuple_SET_ITEM(kinds, i, kind)
    return options, kinds


cdef tuple shape_of(cnp.ndarray a):
    """Return the lengths of the axes."""
    cdef int i, n = cnp.PyArray_NDIM(a)
    cdef tuple shape = PyTuple_New(n)
    cdef object length
    for i in range(n):
        length = PyLong_FromSsize_t(cnp.PyArray_DIM(a, i))
        Py_INCREF(length)
        PyTuple_SET_ITEM(shape, i, length)
    return shape


def array_key(cnp.ndarray x not None, cnp.ndarray w not None, options):
    """Return what tells the arrays of a call and its options, with their types, from others.

    The options are a tuple, or of a type that is derived from it.
    """
    cdef Py_ssize_t i, n
    cdef tuple kinds
    cdef object kind
    if not isinstance(options, tuple):
        raise TypeError(f"options={options!r}: a tuple is allowed")
    n = PyTuple_GET_SIZE(options)
    kinds = PyTuple_New(n)
    for i in range(n):
        kind = <object>Py_TYPE(<object>PyTuple_GET_ITEM(options, i))
        Py_INCREF(kind)
        PyTuple_SET_ITEM(kinds, i, kind)
    return shape_of(x), x.dtype, shape_of(w), w.dtype, options, kinds


cdef inline bint put(tuple key, Py_ssize_t at, object value, frozenset plain):
    """Put a value and its type into a new key; False if the type is none of the ``plain`` ones."""
    cdef object kind = <object>Py_TYPE(value)
    Py_INCREF(value)
    PyTuple_SET_ITEM(key, at, value)
    Py_INCREF(kind)
    PyTuple_SET_ITEM(key, at + 1, kind)
    return kind in plain


def filter_key(solve, x, axes, tuple arguments not None, tuple given not None, Py_ssize_t out_at,
               frozenset plain not None):
    """Return what tells a call of a filter from others, None if a type is none of ``plain``.

    ``x`` is a plain array; so is the result that is given at ``out_at``, of which the dtype counts,
    or it is None.
    """
    cdef Py_ssize_t i, n = PyTuple_GET_SIZE(given), others = PyTuple_GET_SIZE(arguments)
    cdef tuple key
    cdef object value
    if type(x) is not cnp.ndarray:
        return None
    key = PyTuple_New(4 + 2 * (n + others))
    put(key, 0, shape_of(x), plain)
    put(key, 1, (<cnp.ndarray>x).dtype, plain)
    if not put(key, 2, axes, plain):
        return None
    for i in range(others):
        if not put(key, 4 + 2 * i, <object>PyTuple_GET_ITEM(arguments, i), plain):
            return None
    for i in range(n):
        value = <object>PyTuple_GET_ITEM(given, i)
        if i == out_at and type(value) is cnp.ndarray:
            value = (<cnp.ndarray>value).dtype
            put(key, 4 + 2 * (others + i), value, plain)
        elif not put(key, 4 + 2 * (others + i), value, plain):
            return None
    return solve, key


def aligned(tuple shape not None, cnp.dtype dtype not None, Py_ssize_t size):
    """Return a fresh array of ``size`` bytes that begins at a line of the cache."""
    cdef cnp.npy_intp dims[MOST_AXES]
    cdef cnp.npy_intp whole = <cnp.npy_intp>(<size_t>size + LINE)
    cdef int i, n = <int>len(shape)
    cdef cnp.ndarray raw, y
    cdef char* data
    cdef size_t held = dtype.itemsize
    if n > MOST_AXES or size < 0 or dtype.hasobject:
        raise ValueError(f"no array of shape {shape} and dtype {dtype} is allowed here")
    for i in range(n):
        dims[i] = shape[i]
        held *= <size_t>dims[i]
    if held != <size_t>size:
        raise ValueError(f"an array of shape {shape} and dtype {dtype} has not {size} bytes")
    raw = cnp.PyArray_EMPTY(1, &whole, cnp.NPY_UINT8, 0)
    data = <char*>cnp.PyArray_DATA(raw)
    data += -<Py_ssize_t>data % LINE
    Py_INCREF(dtype)
    y = PyArray_NewFromDescr(&PyArray_Type, dtype, n, dims, NULL, data, cnp.NPY_ARRAY_CARRAY, NULL)
    cnp.set_array_base(y, raw)
    return y
