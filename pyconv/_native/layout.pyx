# cython: freethreading_compatible=True
# Whether a loop may read or write an array as it lies in memory. Asking an array's attributes from
# Python takes as long as a small correlation. And the copy of one whose rows lie across those of
# the memory. NumPy takes 8 ms for 1024 × 1024 samples in Fortran order (AMD EPYC, Zen 4), eighteen
# times what a small kernel takes: each sample lies in a cache line of its own, and its neighbours
# along the row push that line out. And rows that lie in several arrays.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cimport numpy as cnp
from cpython.object cimport PyObject

cnp.import_array()

cdef extern from "join.h":
    ctypedef struct Joined:
        Py_ssize_t rows
        Py_ssize_t parts
        const Py_ssize_t* row_ends
        const Py_ssize_t* ends
        Py_ssize_t item
        Py_ssize_t plane
        const char* last
    ctypedef struct RowPart:
        const char* first
        Py_ssize_t next
    void join_row(const Joined* joined, const char* plane, Py_ssize_t row, Py_ssize_t first,
                  Py_ssize_t end, char* to) noexcept nogil

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
    MAX_AXES = 16           # of windows that lie in several arrays

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


# ---- windows whose samples lie in several arrays ------------------------------------------------

def list_rows(list arrays not None, tuple spans not None):
    """Return where the rows of a window lie whose samples are parts of some arrays, side by side.

    Parameters
    ----------
    arrays : list of ndarray
        The arrays, those along the last axis after each other.
    spans : tuple of tuple of (int, int)
        For each axis the parts of the arrays along it, from and to.

    Returns
    -------
    tuple of ndarray, or None
        For each plane of the last two axes, and in it for each array, a `RowPart`; and along either
        of these axes where each part ends. None where an array is not of the dtype of the first, is
        not `readable`, holds no such part, or its rows do not lie side by side.
    """
    cdef int n = <int>len(spans), i, lead = max(0, n - 2)
    cdef Py_ssize_t at[MAX_AXES]        # which part along each axis,
    cdef Py_ssize_t places[MAX_AXES]    # where it begins,
    cdef Py_ssize_t starts[MAX_AXES]    # from where in its array
    cdef Py_ssize_t counts[MAX_AXES]    # and how many
    cdef cnp.npy_intp shape[MAX_AXES]
    cdef Py_ssize_t p, n_arrays = 1, start, stop, each
    cdef cnp.ndarray x, first, table
    if n == 0 or n > MAX_AXES:
        return None
    for i in range(n):
        n_arrays *= len(spans[i])
        at[i] = places[i] = shape[i] = 0
        for start, stop in spans[i]:
            shape[i] += stop - start
    if n_arrays != len(arrays) or n_arrays == 0 or type(arrays[0]) is not cnp.ndarray:
        return None
    first = <cnp.ndarray>arrays[0]
    each = len(spans[n - 1]) * (len(spans[n - 2]) if n > 1 else 1)
    ends = ends_of(spans[n - 2] if n > 1 else ((0, 1),)), ends_of(spans[n - 1])
    shape[lead] = 2 * each
    table = cnp.PyArray_EMPTY(lead + 1, shape, cnp.NPY_INTP, 0)
    for p in range(n_arrays):
        if type(arrays[p]) is not cnp.ndarray:
            return None
        x = <cnp.ndarray>arrays[p]
        if (cnp.PyArray_NDIM(x) != n or cnp.PyArray_TYPE(x) != cnp.PyArray_TYPE(first)
                or not cnp.PyArray_ISBEHAVED_RO(x)
                or not (cnp.PyArray_ISNUMBER(x) or cnp.PyArray_ISBOOL(x))):
            return None
        for i in range(n):
            start, stop = spans[i][at[i]]
            if not 0 <= start <= stop <= cnp.PyArray_DIM(x, i):
                return None
            starts[i], counts[i] = start, stop - start
        if counts[n - 1] > 1 and cnp.PyArray_STRIDE(x, n - 1) != cnp.PyArray_ITEMSIZE(x):
            return None
        set_rows(table, p % each, x, n, places, starts, counts)
        i = n - 1
        while i >= 0:  # the next array, the last axis first
            at[i] += 1
            places[i] += counts[i]
            if at[i] < len(spans[i]):
                break
            at[i] = places[i] = 0
            i -= 1
    return table, *ends


cdef cnp.ndarray ends_of(parts):
    """Return where each of some parts ends that follow each other."""
    cdef cnp.npy_intp n = len(parts)
    cdef cnp.ndarray ends = cnp.PyArray_EMPTY(1, &n, cnp.NPY_INTP, 0)
    cdef Py_ssize_t start, stop, end = 0, i = 0
    for start, stop in parts:
        end += stop - start
        (<Py_ssize_t*>cnp.PyArray_DATA(ends))[i] = end
        i += 1
    return ends


cdef void set_rows(cnp.ndarray table, Py_ssize_t part, cnp.ndarray x, int n,
                   const Py_ssize_t* places, const Py_ssize_t* starts,
                   const Py_ssize_t* counts) noexcept:
    """Enter the rows of an array, from ``places`` on along the axes in front of the last two."""
    cdef Py_ssize_t at[MAX_AXES]
    cdef const char* source = cnp.PyArray_BYTES(x)
    cdef char* entry = cnp.PyArray_BYTES(table) + part * <Py_ssize_t>sizeof(RowPart)
    cdef int i
    for i in range(n):
        source += starts[i] * cnp.PyArray_STRIDE(x, i)
        if counts[i] == 0:
            return
    for i in range(n - 2):
        at[i] = 0
        entry += places[i] * cnp.PyArray_STRIDE(table, i)
    while True:
        (<RowPart*>entry).first = source
        (<RowPart*>entry).next = cnp.PyArray_STRIDE(x, n - 2) if n > 1 else 0
        i = n - 3
        while i >= 0:  # the next plane, the last axis first
            at[i] += 1
            source += cnp.PyArray_STRIDE(x, i)
            entry += cnp.PyArray_STRIDE(table, i)
            if at[i] < counts[i]:
                break
            source -= at[i] * cnp.PyArray_STRIDE(x, i)
            entry -= at[i] * cnp.PyArray_STRIDE(table, i)
            at[i] = 0
            i -= 1
        if i < 0:
            return


def join_rows(tuple rows not None, cnp.ndarray y not None):
    """Write the samples of a window that `list_rows` lists to a C-contiguous array of its shape."""
    cdef cnp.ndarray table = rows[0], row_ends = rows[1], ends = rows[2]
    cdef Joined joined
    cdef Py_ssize_t planes = 1, _, row, item = cnp.PyArray_ITEMSIZE(y)
    cdef Py_ssize_t n_rows, samples
    cdef const char* entry = cnp.PyArray_BYTES(table)
    cdef char* target = cnp.PyArray_BYTES(y)
    cdef int i
    for i in range(cnp.PyArray_NDIM(table) - 1):
        planes *= cnp.PyArray_DIM(table, i)
    joined.rows, joined.row_ends = cnp.PyArray_DIM(row_ends, 0), <Py_ssize_t*>cnp.PyArray_DATA(
        row_ends)
    joined.parts, joined.ends = cnp.PyArray_DIM(ends, 0), <Py_ssize_t*>cnp.PyArray_DATA(ends)
    joined.item = item
    joined.plane = 2 * joined.rows * joined.parts * <Py_ssize_t>sizeof(Py_ssize_t)
    joined.last = entry + (planes - 1) * joined.plane
    n_rows, samples = joined.row_ends[joined.rows - 1], joined.ends[joined.parts - 1]
    with nogil:
        for _ in range(planes):
            for row in range(n_rows):
                join_row(&joined, entry, row, 0, samples, target)
                target += samples * item
            entry += joined.plane
