# cython: freethreading_compatible=True
# Whether a loop may read or write an array as it lies in memory. Asking an array's attributes from
# Python takes as long as a small correlation. And the copy of one whose rows lie across those of
# the memory. NumPy takes 8 ms for 1024 × 1024 samples in Fortran order (AMD EPYC, Zen 4), eighteen
# times what a small kernel takes: each sample lies in a cache line of its own, and its neighbours
# along the row push that line out.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cimport numpy as cnp
from cpython.object cimport PyObject

cnp.import_array()

cdef extern from "turn.h":
    enum:
        TURN_BLOCK          # samples along both sides of what is turned at once
    void turn_block_uint16_t(const char* x, Py_ssize_t x_row, char* y,
                             Py_ssize_t y_row) noexcept nogil
    void turn_block_uint32_t(const char* x, Py_ssize_t x_row, char* y,
                             Py_ssize_t y_row) noexcept nogil
    void turn_block_uint64_t(const char* x, Py_ssize_t x_row, char* y,
                             Py_ssize_t y_row) noexcept nogil

cdef enum:
    LINE = 64               # bytes of the cache
    LEAST_BYTES = 1 << 16   # a smaller array stays in the cache, however it is read

TURNED_BYTES = LEAST_BYTES

ctypedef fused item_t:
    uint8_t
    uint16_t
    uint32_t
    uint64_t


cdef struct Turn:
    # An array of two axes: across, along which memory is contiguous or nearly, and along the row of
    # the copy; strides in bytes.
    Py_ssize_t across, row
    Py_ssize_t x_across, x_row
    Py_ssize_t y_across


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


def straight(cnp.ndarray x not None):
    """Return whether an array is `readable` and its rows do not lie across those of the memory."""
    return are_read(x) and (cnp.PyArray_IS_C_CONTIGUOUS(x) or across_axis(x) < 0)


cdef int across_axis(cnp.ndarray x) noexcept:
    """Return the axis along which a line of the cache lies whose samples belong to as many rows.

    −1 where there is none, or the array is small.
    """
    cdef int last = cnp.PyArray_NDIM(x) - 1, i, least = -1
    cdef Py_ssize_t stride
    if cnp.PyArray_NBYTES(x) < LEAST_BYTES:
        return -1
    while last > 0 and cnp.PyArray_DIM(x, last) == 1:
        last -= 1
    if abs(cnp.PyArray_STRIDE(x, last)) < LINE:
        return -1
    for i in range(last):
        stride = abs(cnp.PyArray_STRIDE(x, i))
        if cnp.PyArray_DIM(x, i) > 1 and 0 < stride < LINE and (
                least < 0 or stride < abs(cnp.PyArray_STRIDE(x, least))):
            least = i
    return least


def turn_rows(cnp.ndarray x not None, cnp.ndarray y not None):
    """Copy a `readable` array to a contiguous one of its shape and dtype, however rows lie."""
    cdef int across = across_axis(x), n = cnp.PyArray_NDIM(x), item = cnp.PyArray_ITEMSIZE(x), i
    cdef Py_ssize_t at[32]
    cdef Py_ssize_t items = 1, _
    cdef const char* source = cnp.PyArray_BYTES(x)
    cdef char* target = cnp.PyArray_BYTES(y)
    cdef Turn t
    if across < 0 or item not in (1, 2, 4, 8) or n > 32:
        y[...] = x
        return
    t.across, t.row = cnp.PyArray_DIM(x, across), cnp.PyArray_DIM(x, n - 1)
    t.x_across, t.x_row = cnp.PyArray_STRIDE(x, across), cnp.PyArray_STRIDE(x, n - 1)
    t.y_across = cnp.PyArray_STRIDE(y, across)
    for i in range(n - 1):
        at[i] = 0
        if i != across:
            items *= cnp.PyArray_DIM(x, i)
    for _ in range(items):
        with nogil:
            if item == 1:
                turn(&t, <const uint8_t*>source, <uint8_t*>target)
            elif item == 2:
                turn(&t, <const uint16_t*>source, <uint16_t*>target)
            elif item == 4:
                turn(&t, <const uint32_t*>source, <uint32_t*>target)
            else:
                turn(&t, <const uint64_t*>source, <uint64_t*>target)
        i = n - 2
        while i >= 0:  # the next item, the last axis first
            if i != across:
                at[i] += 1
                source += cnp.PyArray_STRIDE(x, i)
                target += cnp.PyArray_STRIDE(y, i)
                if at[i] < cnp.PyArray_DIM(x, i):
                    break
                source -= at[i] * cnp.PyArray_STRIDE(x, i)
                target -= at[i] * cnp.PyArray_STRIDE(y, i)
                at[i] = 0
            i -= 1


cdef void turn(const Turn* t, const item_t* x, item_t* y) noexcept nogil:
    """Copy an array of two axes, block by block: lines of the cache are read and written whole.

    Blocks go along the shorter axis first: what they leave of a line is still in the cache when
    the next ones take it.
    """
    cdef Py_ssize_t rows = (t.row + TURN_BLOCK - 1) // TURN_BLOCK, i, j
    cdef Py_ssize_t lines = (t.across + TURN_BLOCK - 1) // TURN_BLOCK
    if lines <= rows:
        for i in range(rows):
            for j in range(lines):
                turn_block(t, x, y, i * TURN_BLOCK, j * TURN_BLOCK)
    else:
        for j in range(lines):
            for i in range(rows):
                turn_block(t, x, y, i * TURN_BLOCK, j * TURN_BLOCK)


cdef inline void turn_block(const Turn* t, const item_t* x, item_t* y, Py_ssize_t row,
                            Py_ssize_t across) noexcept nogil:
    """Copy a block, or what is left of one at the end of an axis."""
    cdef item_t block[TURN_BLOCK][TURN_BLOCK]
    cdef Py_ssize_t rows = min(<Py_ssize_t>TURN_BLOCK, t.across - across)
    cdef Py_ssize_t columns = min(<Py_ssize_t>TURN_BLOCK, t.row - row), i, j
    cdef const char* source = <const char*>x + row * t.x_row + across * t.x_across
    cdef char* target = <char*>y + across * t.y_across + row * <Py_ssize_t>sizeof(item_t)
    if item_t is not uint8_t:
        if (rows == TURN_BLOCK and columns == TURN_BLOCK
                and t.x_across == <Py_ssize_t>sizeof(item_t)):
            if item_t is uint16_t:
                turn_block_uint16_t(source, t.x_row, target, t.y_across)
            elif item_t is uint32_t:
                turn_block_uint32_t(source, t.x_row, target, t.y_across)
            else:
                turn_block_uint64_t(source, t.x_row, target, t.y_across)
            return
    for j in range(columns):
        for i in range(rows):
            block[i][j] = (<const item_t*>(source + j * t.x_row + i * t.x_across))[0]
    for i in range(rows):
        memcpy(target + i * t.y_across, block[i], columns * <Py_ssize_t>sizeof(item_t))


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
