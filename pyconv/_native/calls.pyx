# cython: freethreading_compatible=True
# What a call on a small array would spend most of its time on in Python: the key by which its plan
# is found, and an array that begins at a line of the cache. Python takes a third and two thirds of
# a 3×3 correlation of 96 × 128 samples for them.

cimport numpy as cnp
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
