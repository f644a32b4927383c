# Declarations that the loops share: foreign functions, workspace, one spatial axis.

cimport cython
cimport numpy as cnp
from libc.stdint cimport int16_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.math cimport sqrt
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove, memset

import numpy as np

cnp.import_array()

cdef extern from "Python.h":
    int PyErr_CheckSignals() except -1

cdef extern from *:
    """
    #ifdef _OPENMP
    #define PYCONV_OPENMP _OPENMP
    #else
    #define PYCONV_OPENMP 0
    #endif
    """
    long PYCONV_OPENMP

cdef extern from "shares.h":
    bint PYCONV_USES_POOL
    void shares_use_pool(uintptr_t run)
    Py_ssize_t run_shares(Py_ssize_t (*function)(const void* data, int share) noexcept nogil,
                          const void* data, int n) noexcept nogil

if PYCONV_USES_POOL:
    from pyconv._native import workers as _workers
    shares_use_pool(_workers.address())

cdef extern from "stencil.h":
    ctypedef struct stencil_segment:
        Py_ssize_t offset
        Py_ssize_t columns
        Py_ssize_t rows
        Py_ssize_t step
    ctypedef struct stencil_set:
        Py_ssize_t offset
        const Py_ssize_t* rows
        Py_ssize_t taps
        Py_ssize_t fold
    enum:
        STENCIL_VECTOR_BYTES
        STENCIL_AREA_ROWS
        STENCIL_AREA_VECTORS
        STENCIL_FLAT_ROWS
        STENCIL_FLAT_VECTORS
        STENCIL_LINE_ROWS
        STENCIL_COLUMN_ROWS
    Py_ssize_t stencil_group(Py_ssize_t rows) noexcept nogil
    void stencil_fence() noexcept nogil
    void stencil_prefetch(const void* p) noexcept nogil
    void copy_row(void* out, const void* x, Py_ssize_t n) noexcept nogil
    void stream_row_float(float* out, const float* x, Py_ssize_t n) noexcept nogil
    void stream_row_double(double* out, const double* x, Py_ssize_t n) noexcept nogil
    void area_tile(const void* x, Py_ssize_t pitch, const stencil_segment* segments,
                   Py_ssize_t n_segments, const void* w, void* y, Py_ssize_t y_pitch,
                   int streaming) noexcept nogil
    void flat_tile(const void* x, Py_ssize_t pitch, const stencil_segment* segments,
                   Py_ssize_t n_segments, const void* w, void* y, Py_ssize_t y_pitch,
                   int streaming) noexcept nogil
    void line_tile(const void* x, Py_ssize_t pitch, const stencil_segment* segments,
                   Py_ssize_t n_segments, const void* w, void* y, Py_ssize_t y_pitch,
                   int streaming) noexcept nogil
    void area_quotient(const void* x, Py_ssize_t pitch, const stencil_segment* segments,
                       Py_ssize_t n_segments, const void* sums, double whole, double least,
                       const void* w, void* y, Py_ssize_t y_pitch, int streaming) noexcept nogil
    void line_quotient(const void* x, Py_ssize_t pitch, const stencil_segment* segments,
                       Py_ssize_t n_segments, const void* sums, double whole, double least,
                       const void* w, void* y, Py_ssize_t y_pitch, int streaming) noexcept nogil
    void columns_tile(const void* x, const stencil_set* sets, Py_ssize_t n_sets, const void* w,
                      const void* divisor, void* y, Py_ssize_t y_pitch,
                      int streaming) noexcept nogil

cdef extern from "transpose.h":
    void turn_pixels(const void* x, const Py_ssize_t* offset, Py_ssize_t n,
                     void* out) noexcept nogil

cdef extern from "phases.h":
    void split_rows(const char* x, Py_ssize_t x_row, Py_ssize_t rows, Py_ssize_t n, void* even,
                    void* odd, Py_ssize_t out_row) noexcept nogil

cdef enum:
    MAX_LANES = 16         # of a vector of any variant
    # Sums of tiles side by side that are not stored as they are, in samples: of at least one
    # tile of any variant. To write them row by row takes a call for each.
    STENCIL_TILE_LIMIT = 4096
    MAX_TILE = 512         # samples of a tile of any variant
    LINE_BYTES = 64         # of the cache

cdef Py_ssize_t NO_PLANE = -(<Py_ssize_t>1 << 62)

# A larger x is prefetched (Zen 4, an image of 2048² bytes, 3×3: 1.35 ms instead of 1.75, while
# 1 MiB loses 4 %); a larger result is written past the cache, for which each row of its tiles
# must begin at a cache line and hold one.
cdef Py_ssize_t CACHE_BYTES = 2 << 20
cdef Py_ssize_t STREAM_BYTES = 8 << 20
# Signals are looked at after this many multiply-adds for each thread: a tenth of a second of
# the slowest loop.
cdef double PRODUCTS_BETWEEN_SIGNALS = 2e8
# Weights that are brought into another order meanwhile, and samples that are added at any place.
cdef Py_ssize_t WEIGHTS_BETWEEN_SIGNALS = 1 << 24

cdef extern from "rows.h":
    ctypedef void (*row_load)(const char* array, Py_ssize_t stride, Py_ssize_t n,
                              void* sums) noexcept nogil
    ctypedef void (*row_emit)(const void* sums, Py_ssize_t n, char* array,
                              Py_ssize_t stride) noexcept nogil
    enum:
        ROW_INT8
        ROW_UINT8
        ROW_INT16
        ROW_UINT16
        ROW_INT32
        ROW_UINT32
        ROW_INT64
        ROW_UINT64
        ROW_FLOAT
        ROW_DOUBLE
        SUMS_FLOAT
        SUMS_DOUBLE
        SUMS_INT64
        SUMS_UINT64
        SUMS_INT16
    const row_load* row_loads_float
    const row_load* row_loads_double
    const row_load* row_loads_uint64
    const row_load* row_loads_int16
    const row_emit row_emits[5][2][10]
    const row_emit row_cuts[8]

ctypedef fused sum_t:
    float
    double
    uint64_t

# The sums of `direct`, which is worth those of 16 bits.
ctypedef fused tile_t:
    float
    double
    uint64_t
    int16_t

ctypedef fused real_t:
    float
    double

# NumPy's type number → code of rows.h, −1 for what the loops do not read or write.
cdef int row_codes[32]
for _number in range(32):
    row_codes[_number] = -1
for _name, _code in (
    ("bool", ROW_UINT8), ("b", ROW_INT8), ("B", ROW_UINT8), ("h", ROW_INT16), ("H", ROW_UINT16),
    ("i", ROW_INT32), ("I", ROW_UINT32), ("q", ROW_INT64), ("Q", ROW_UINT64),
    ("f", ROW_FLOAT), ("d", ROW_DOUBLE),
    # C's long has either of two widths.
    ("l", ROW_INT64 if np.dtype("l").itemsize == 8 else ROW_INT32),
    ("L", ROW_UINT64 if np.dtype("L").itemsize == 8 else ROW_UINT32),
):
    row_codes[np.dtype(_name).num] = _code

SUM_CODES = {
    np.dtype("float32"): SUMS_FLOAT,
    np.dtype("float64"): SUMS_DOUBLE,
    np.dtype("int64"): SUMS_INT64,
    np.dtype("uint64"): SUMS_UINT64,
    np.dtype("int16"): SUMS_INT16,
}


cdef inline bint are_stored(int sums_code, int sums_row, int code, bint clip) noexcept:
    """Return whether sums are a result of array type ``code`` as they are, bit for bit."""
    if code == sums_row:
        return True
    if sums_code == SUMS_INT16:
        return not clip and code == ROW_UINT16
    return not clip and sums_code >= SUMS_INT64 and (code == ROW_INT64 or code == ROW_UINT64)


def vector_bytes():
    """Return the bytes of one vector register of this variant, as it was compiled."""
    return STENCIL_VECTOR_BYTES


def threading():
    """Return whose threads the loops run on."""
    if PYCONV_USES_POOL:
        return "pyconv's own"
    if PYCONV_OPENMP == 0:
        return "none: built without them, every call runs on one thread"
    return f"of the compiler's OpenMP, {PYCONV_OPENMP}"


# ---- one spatial axis -----------------------------------------------------------------------

cdef struct SpatialAxis:
    Py_ssize_t size         # samples of x; 1 where x has no such axis
    Py_ssize_t out
    Py_ssize_t low
    Py_ssize_t taps
    Py_ssize_t stride
    Py_ssize_t dilation
    # Outputs `comb` apart read samples `step` = comb·stride apart, a whole number of
    # dilations: the rows of one comb share their loads. Taps `phases` apart are neighbours
    # in it.
    Py_ssize_t comb
    Py_ssize_t step
    Py_ssize_t phases
    # Index read at coordinates −low … −1 and from size on; −1 is the fill value.
    const Py_ssize_t* before
    const Py_ssize_t* after


cdef Py_ssize_t gcd(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    while b:
        a, b = b, a % b
    return a


cdef inline Py_ssize_t ceil_div(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return (a + b - 1) // b


cdef inline Py_ssize_t least(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return a if a < b else b


cdef inline Py_ssize_t most(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return a if a > b else b


cdef void set_axis(SpatialAxis* a, Py_ssize_t size, Py_ssize_t out, Py_ssize_t low,
                   Py_ssize_t taps, Py_ssize_t stride, Py_ssize_t dilation,
                   const Py_ssize_t* before, const Py_ssize_t* after) noexcept nogil:
    cdef Py_ssize_t common = gcd(stride, dilation)
    a.size = size
    a.out = out
    a.low = low
    a.taps = taps
    a.stride = stride
    a.dilation = dilation
    a.comb = dilation // common
    a.step = a.comb * stride
    a.phases = stride // common
    a.before = before
    a.after = after


cdef read_axis(SpatialAxis* a, row):
    """Set an axis from (axis of x, size, out, low, taps, stride, dilation, before, after).

    The caller keeps what is returned for as long as the axis is used.
    """
    cdef cnp.ndarray before, after
    _, size, out, low, taps, stride, dilation, before, after = row
    set_axis(a, size, out, low, taps, stride, dilation, numbers(before), numbers(after))
    return before, after


cdef inline const Py_ssize_t* numbers(cnp.ndarray table) noexcept:
    """Return what a table holds: a contiguous array of intp, which its owner keeps.

    A typed memoryview would be checked, and brings a tenth of the code of an extension with it.
    """
    return <const Py_ssize_t*>cnp.PyArray_DATA(table)


cdef list read_axes(SpatialAxis* z, SpatialAxis* y, SpatialAxis* x, Py_ssize_t* axis_of, axes):
    """Set three axes as `read_axis`, and list which axes of the array they are."""
    axis_of[0], axis_of[1], axis_of[2] = axes[0][0], axes[1][0], axes[2][0]
    return [read_axis(z, axes[0]), read_axis(y, axes[1]), read_axis(x, axes[2])]


cdef int list_batch(tuple axes, cnp.ndarray x, cnp.ndarray y, Py_ssize_t* x_batch,
                    Py_ssize_t* out_batch) except -1:
    """List where each item of the batch axes begins in x and in y, in bytes."""
    cdef Py_ssize_t n = 1, i, k, axis, length
    x_batch[0] = 0
    out_batch[0] = 0
    for axis in axes:
        length = x.shape[axis]
        for i in range(n - 1, -1, -1):  # from the back: item i becomes items i·length …
            for k in range(length - 1, -1, -1):
                x_batch[i * length + k] = x_batch[i] + k * x.strides[axis]
                out_batch[i * length + k] = out_batch[i] + k * y.strides[axis]
        n *= length
    return 0


cdef inline Py_ssize_t source_index(const SpatialAxis* a, Py_ssize_t coordinate) noexcept nogil:
    if coordinate < 0:
        return a.before[coordinate + a.low]
    if coordinate >= a.size:
        return a.after[coordinate - a.size]
    return coordinate


cdef inline Py_ssize_t samples_read(const SpatialAxis* a, Py_ssize_t outputs) noexcept nogil:
    """Return how many samples lie between the first and the last that ``outputs`` read."""
    return (outputs - 1) * a.stride + (a.taps - 1) * a.dilation + 1


cdef Py_ssize_t stride_of(cnp.ndarray a, Py_ssize_t axis):
    """Return the bytes from one sample to the next; 0 for an axis that is not there."""
    return a.strides[axis] if axis >= 0 else 0


# ---- workspace ------------------------------------------------------------------------------

cdef extern from "workspace.h":
    enum:
        WORKSPACE_ZONE
    void workspace_guard(char* at) noexcept nogil
    void workspace_check(char* block, size_t size) noexcept nogil
    void workspace_fill(char* block, size_t size) noexcept nogil

# One block is kept between calls, because fresh pages cost more than a small problem. Whoever takes
# or leaves it exchanges the pointer, so that no lock is needed, with or without a GIL.
cdef extern from "spare.h":
    ctypedef struct spare_place:
        pass
    void* spare_exchange(spare_place* place, void* block) noexcept nogil
    bint spare_leave(spare_place* place, void* block) noexcept nogil

cdef spare_place spare
# A block of so many bytes is kept for the next call, and of more for each thread beyond the first:
# pages that every call asks for anew took 64 threads longer than their units.
cdef size_t SPARE_LIMIT = 8 << 20
cdef size_t SPARE_OF_THREAD = 2 << 20


cdef inline size_t block_bytes(const void* block) noexcept nogil:
    return (<const size_t*>(<const char*>block - 16))[0]


cdef inline size_t* block_limit(void* block) noexcept nogil:
    """Return where a block says how large it may be to be kept."""
    return <size_t*>(<char*>block - 24)


cdef inline void free_block(void* block) noexcept nogil:
    free((<void**>(<char*>block - 8))[0])


cdef void* take_block(size_t size) except NULL:
    """Return at least ``size`` bytes, aligned to 64."""
    cdef char* raw
    cdef char* block = <char*>spare_exchange(&spare, NULL)
    if block != NULL and block_bytes(block) < size:
        if not spare_leave(&spare, block):
            free_block(block)
        block = NULL
    if block == NULL:
        raw = <char*>malloc(size + 128 + WORKSPACE_ZONE)
        if raw == NULL:
            raise MemoryError(f"no memory for a workspace of {size} bytes")
        block = raw + 128 - (<uintptr_t>raw % 64)
        block_limit(block)[0] = SPARE_LIMIT
        (<size_t*>(block - 16))[0] = size
        (<void**>(block - 8))[0] = raw
    if WORKSPACE_ZONE:
        workspace_fill(block, size)
        workspace_guard(block + size)
    return block


cdef inline void allow_for_threads(void* block, Py_ssize_t threads) noexcept nogil:
    """Allow a block to be kept that is as large as so many threads need."""
    cdef size_t limit = SPARE_LIMIT + (threads - 1) * SPARE_OF_THREAD
    block_limit(block)[0] = most(block_limit(block)[0], limit)


cdef void put_block(void* block) noexcept:
    cdef void* other
    workspace_check(<char*>block, block_bytes(block) + WORKSPACE_ZONE)
    if block_bytes(block) > block_limit(block)[0]:
        free_block(block)
        return
    other = spare_exchange(&spare, NULL)
    if other != NULL:  # the larger of the two stays
        if block_bytes(other) > block_bytes(block):
            block, other = other, block
        free_block(other)
    if not spare_leave(&spare, block):
        free_block(block)


cdef void* take_parts(Py_ssize_t* shared, Py_ssize_t threads, Py_ssize_t* each) except NULL:
    """Return a block of ``shared`` bytes, then ``each`` for every thread.

    In a debug build a red zone follows each part, and the sizes grow by it.
    """
    cdef char* block
    cdef char* at
    cdef Py_ssize_t t
    shared[0] += WORKSPACE_ZONE
    each[0] += WORKSPACE_ZONE
    block = <char*>take_block(shared[0] + threads * each[0])
    allow_for_threads(block, threads)
    if WORKSPACE_ZONE:
        at = block + shared[0]
        for t in range(threads + 1):
            workspace_guard(at - WORKSPACE_ZONE)
            at += each[0]
    return block


cdef void guard_parts(char* block, const Py_ssize_t* sizes, Py_ssize_t n) noexcept nogil:
    """Guard the parts of one thread's workspace, whose sizes have a red zone in them."""
    cdef Py_ssize_t i
    for i in range(n if WORKSPACE_ZONE else 0):
        block += sizes[i]
        workspace_guard(block - WORKSPACE_ZONE)
