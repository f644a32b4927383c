# pooling: y[p, o] = the largest sample, or the sum ÷ divisor, of window o of plane p.
#
# The rows of a window are folded first, whole rows at a time, then the columns of all windows of
# the row. Arrays are contiguous, of shape (planes, z, y, x); every window lies within its plane:
# what it would read outside has been cut off by `Windows`.

from libc.stdint cimport int64_t

cdef extern from "pooling.h":
    ctypedef struct pool_fold:
        void (*take)(const void* a, Py_ssize_t step, Py_ssize_t n, void* out) noexcept nogil
        void (*pair)(const void* a, const void* b, Py_ssize_t step, Py_ssize_t n,
                     void* out) noexcept nogil
        void (*more)(const void* a, Py_ssize_t step, Py_ssize_t n, void* out) noexcept nogil
        void (*whole)(const void* a, Py_ssize_t step, Py_ssize_t n, void* out) noexcept nogil
    ctypedef struct pool_rows:
        void (*begin)(const void* a, Py_ssize_t step, Py_ssize_t n, int64_t offset, void* best,
                      int64_t* where) noexcept nogil
        void (*find)(const void* a, Py_ssize_t step, Py_ssize_t n, int64_t offset, void* best,
                     int64_t* where) noexcept nogil
        void (*search)(const void* a, Py_ssize_t step, Py_ssize_t n, int64_t offset, int found,
                       void* best, int64_t* where) noexcept nogil
        void (*divide)(const void* a, Py_ssize_t n, const double* divisors, double divisor,
                       void* out) noexcept nogil
        void (*spread)(const void* a, Py_ssize_t step, Py_ssize_t n, void* out) noexcept nogil
        void (*repeat)(const void* a, Py_ssize_t step, Py_ssize_t n, void* out) noexcept nogil
        Py_ssize_t (*scatter)(const void* a, const int64_t* where, Py_ssize_t n, Py_ssize_t size,
                              void* out) noexcept nogil
    enum:
        POOL_FLOAT
        POOL_DOUBLE
    const pool_fold* const* pool_larger
    const pool_fold* const* pool_sum
    const pool_rows* const* pool_rows_of


cdef struct Windows:
    # Window o of one axis reads `count[o]` samples from `first[o]` on, `dilation` apart.
    Py_ssize_t size, out, dilation, stride
    # Windows inner_from … inner_to − 1 are `stride` apart and have `taps` samples each.
    Py_ssize_t taps, inner_from, inner_to
    Py_ssize_t* first
    Py_ssize_t* count
    double* divisors


cdef struct Pool:
    Windows z, y, x
    Py_ssize_t item
    bint averaging          # divide by the product of the axes' divisors
    const pool_fold* fold
    const pool_rows* rows


cdef void set_regular(Windows* a, Py_ssize_t low, bint padded) noexcept nogil:
    """Tabulate windows `stride` apart, the first from −low; `padded` divisors count pads."""
    cdef Py_ssize_t o, start, stop, skipped
    cdef Py_ssize_t span = (a.taps - 1) * a.dilation + 1
    for o in range(a.out):
        start = o * a.stride - low
        stop = start + span
        a.divisors[o] = least(stop, a.size + low) - start  # averages have no dilation
        skipped = ceil_div(most(0, -start), a.dilation)
        start += skipped * a.dilation
        a.first[o] = start
        a.count[o] = most(0, ceil_div(least(stop, a.size) - start, a.dilation))
        if not padded:
            a.divisors[o] = a.count[o]
    a.inner_from = least(a.out, ceil_div(low, a.stride))
    a.inner_to = a.inner_from
    if a.size + low >= span:
        a.inner_to = most(a.inner_from, least(a.out, (a.size + low - span) // a.stride + 1))


cdef void set_adaptive(Windows* a) noexcept nogil:
    """Tabulate the windows ⌊o·size/out⌋ … ⌈(o + 1)·size/out⌉ − 1."""
    # Quotient and remainder, because o·size may not fit.
    cdef Py_ssize_t o, q = a.size // a.out, r = a.size % a.out
    cdef Py_ssize_t whole = 0, part = 0
    for o in range(a.out):
        a.first[o] = whole
        whole += q
        part += r
        if part >= a.out:
            part -= a.out
            whole += 1
        a.count[o] = whole + (part > 0) - a.first[o]
        a.divisors[o] = a.count[o]
    a.taps = a.stride = q
    a.inner_from = 0
    a.inner_to = a.out if r == 0 else 0


cdef char* write_windows(Windows* a, row, char* block) except NULL:
    """Set an axis from (size, out, taps, stride, low, dilation, padded), taps 0 for adaptive."""
    cdef Py_ssize_t low
    cdef bint padded
    a.size, a.out, a.taps, a.stride, low, a.dilation, padded = row
    a.first = <Py_ssize_t*>block
    a.count = a.first + a.out
    a.divisors = <double*>(a.count + a.out)
    if a.taps == 0:
        set_adaptive(a)
    else:
        set_regular(a, low, padded)
    return <char*>(a.divisors + a.out)


cdef size_t windows_bytes(list axes) except 0:
    cdef size_t outputs = 0
    for row in axes:
        outputs += <size_t>row[1]
    return (outputs * (2 * sizeof(Py_ssize_t) + sizeof(double)) + 127) // 64 * 64


cdef int set_pool(Pool* s, cnp.ndarray x, list axes, char* block) except -1:
    cdef int code = POOL_FLOAT if cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT else POOL_DOUBLE
    s.item = cnp.PyArray_ITEMSIZE(x)
    s.averaging = False
    s.fold = pool_larger[code]
    s.rows = pool_rows_of[code]
    block = write_windows(&s.z, axes[0], block)
    block = write_windows(&s.y, axes[1], block)
    write_windows(&s.x, axes[2], block)
    return 0


cdef void set_average(Pool* s, double divisor) noexcept nogil:
    """Make it an average; a `divisor` that is not 0 replaces those of all windows."""
    cdef Py_ssize_t o
    s.averaging = True
    s.fold = pool_sum[POOL_FLOAT if s.item == <Py_ssize_t>sizeof(float) else POOL_DOUBLE]
    if divisor == 0:
        return
    for o in range(s.z.out):
        s.z.divisors[o] = 1
    for o in range(s.y.out):
        s.y.divisors[o] = 1
    for o in range(s.x.out):
        s.x.divisors[o] = divisor


cdef inline const char* window_row(const Pool* s, const char* plane, Py_ssize_t oz,
                                   Py_ssize_t oy, Py_ssize_t k) noexcept nogil:
    """Return row k of the windows in output row (oz, oy)."""
    cdef Py_ssize_t z = s.z.first[oz] + k // s.y.count[oy] * s.z.dilation
    cdef Py_ssize_t y = s.y.first[oy] + k % s.y.count[oy] * s.y.dilation
    return plane + (z * s.y.size + y) * s.x.size * s.item


cdef inline void divide_row(const Pool* s, Py_ssize_t oz, Py_ssize_t oy, const char* row,
                            char* out) noexcept nogil:
    s.rows.divide(row, s.x.out, s.x.divisors, s.z.divisors[oz] * s.y.divisors[oy], out)


cdef void fold_columns(const Pool* s, const char* line, char* out) noexcept nogil:
    """Fold the columns of each window of a row of samples."""
    cdef const Windows* a = &s.x
    cdef Py_ssize_t item = s.item, o, k
    cdef Py_ssize_t inner = a.inner_to - a.inner_from
    cdef Py_ssize_t from_ = a.inner_from, to = a.inner_to
    cdef Py_ssize_t step = a.dilation * item
    cdef const char* first
    if inner < a.taps:  # few long windows: each by itself
        from_ = to = 0
    else:
        first = line + a.first[from_] * item
        if a.taps == 1:
            s.fold.take(first, a.stride, inner, out + from_ * item)
        else:
            s.fold.pair(first, first + step, a.stride, inner, out + from_ * item)
        for k in range(2, a.taps):
            s.fold.more(first + k * step, a.stride, inner, out + from_ * item)
    for o in range(from_):
        s.fold.whole(line + a.first[o] * item, a.dilation, a.count[o], out + o * item)
    for o in range(to, a.out):
        s.fold.whole(line + a.first[o] * item, a.dilation, a.count[o], out + o * item)


cdef void pool_row(const Pool* s, const char* plane, Py_ssize_t oz, Py_ssize_t oy, char* out,
                   char* work) noexcept nogil:
    """Write one row of outputs."""
    cdef Py_ssize_t rows = s.z.count[oz] * s.y.count[oy]
    cdef Py_ssize_t k, o
    cdef const char* line = work
    if rows == 0:
        for o in range(s.x.out):
            s.fold.whole(work, 1, 0, out + o * s.item)
        return
    if rows == 1:
        line = window_row(s, plane, oz, oy, 0)
    else:
        s.fold.pair(window_row(s, plane, oz, oy, 0), window_row(s, plane, oz, oy, 1), 1,
                    s.x.size, work)
        for k in range(2, rows):
            s.fold.more(window_row(s, plane, oz, oy, k), 1, s.x.size, work)
    fold_columns(s, line, out)


cdef void find_row(const Pool* s, const char* plane, Py_ssize_t oz, Py_ssize_t oy, char* out,
                   int64_t* where) noexcept nogil:
    """Write one row of largest samples, and the index of each in its plane.

    Taps are visited in the order of the array, so that the first of equal samples is found.
    """
    cdef const Windows* a = &s.x
    cdef Py_ssize_t rows = s.z.count[oz] * s.y.count[oy]
    cdef Py_ssize_t inner = a.inner_to - a.inner_from
    cdef Py_ssize_t from_ = a.inner_from, to = a.inner_to
    cdef Py_ssize_t item = s.item, o, k, row
    cdef const char* line
    cdef const char* first
    cdef int64_t base
    if inner < a.taps:
        from_ = to = 0
    for o in range(a.out):
        if rows == 0 or a.count[o] == 0:
            s.fold.whole(out, 1, 0, out + o * item)
            where[o] = -1
    for row in range(rows):
        line = window_row(s, plane, oz, oy, row)
        base = (line - plane) // item
        first = line + a.first[from_] * item
        for k in range(a.taps if from_ < to else 0):
            (s.rows.begin if row == 0 and k == 0 else s.rows.find)(
                first + k * a.dilation * item, a.stride, to - from_, base + k * a.dilation,
                out + from_ * item, where + from_)
        for o in range(from_):
            search_window(s, line, base, o, row > 0, out, where)
        for o in range(to, a.out):
            search_window(s, line, base, o, row > 0, out, where)
    for o in range(a.out):
        if where[o] >= 0:
            where[o] += a.first[o]


cdef inline void search_window(const Pool* s, const char* line, int64_t base, Py_ssize_t o,
                               bint found, char* out, int64_t* where) noexcept nogil:
    if s.x.count[o] > 0:
        s.rows.search(line + s.x.first[o] * s.item, s.x.dilation, s.x.count[o], base, found,
                      out + o * s.item, where + o)


cdef void run_rows(const Pool* s, Py_ssize_t start, Py_ssize_t stop, const char* x, char* y,
                   int64_t* where, char* work) noexcept nogil:
    """Write rows start … stop − 1 of the outputs of all planes."""
    cdef Py_ssize_t plane_bytes = s.z.size * s.y.size * s.x.size * s.item
    cdef Py_ssize_t row, oy, oz
    cdef const char* plane
    cdef char* out
    for row in range(start, stop):
        oy = row % s.y.out
        oz = row // s.y.out % s.z.out
        plane = x + row // (s.y.out * s.z.out) * plane_bytes
        out = y + row * s.x.out * s.item
        if where != NULL:
            find_row(s, plane, oz, oy, out, where + row * s.x.out)
            continue
        pool_row(s, plane, oz, oy, out, work)
        if s.averaging:
            divide_row(s, oz, oy, out, out)


cdef Py_ssize_t samples_of_row(const Pool* s) noexcept nogil:
    """Return about how many samples are read for one row of outputs."""
    return most(1, s.z.taps) * most(1, s.y.taps) * s.x.size + s.x.out * most(1, s.x.taps)


cdef int run_pool(const Pool* s, cnp.ndarray x, cnp.ndarray y, int64_t* where, int threads,
                  char* work, Py_ssize_t each) except -1:
    """Write all outputs, contiguous runs of rows on each thread."""
    cdef Py_ssize_t rows = cnp.PyArray_DIM(x, 0) * s.z.out * s.y.out
    cdef Py_ssize_t done = 0, step
    cdef const char* source = cnp.PyArray_BYTES(x)
    cdef char* out = cnp.PyArray_BYTES(y)
    cdef int t
    step = most(threads, <Py_ssize_t>(threads * PRODUCTS_BETWEEN_SIGNALS / samples_of_row(s)))
    while done < rows:
        step = least(step, rows - done)
        if threads == 1:
            with nogil:
                run_rows(s, done, done + step, source, out, where, work)
        else:
            for t in prange(threads, nogil=True, num_threads=threads, schedule="static"):
                run_rows(s, done + step * t // threads, done + step * (t + 1) // threads, source,
                         out, where, work + t * each)
        done += step
        PyErr_CheckSignals()
    return 0


def pool_largest(cnp.ndarray x, cnp.ndarray y, cnp.ndarray indices, list axes, int threads):
    """Write the largest sample of each window, and where `indices` is an array, its index."""
    cdef Pool s
    cdef Py_ssize_t tables = windows_bytes(axes)
    cdef Py_ssize_t each = cnp.PyArray_DIM(x, 3) * cnp.PyArray_ITEMSIZE(x)
    cdef int64_t* where = NULL if indices is None else <int64_t*>cnp.PyArray_DATA(indices)
    cdef char* block = <char*>take_parts(&tables, threads, &each)
    try:
        set_pool(&s, x, axes, block)
        run_pool(&s, x, y, where, threads, block + tables, each)
    finally:
        put_block(block)


def pool_average(cnp.ndarray x, cnp.ndarray y, list axes, double divisor, int threads):
    """Write the sum of each window ÷ its divisor, or ÷ `divisor` unless that is 0."""
    cdef Pool s
    cdef Py_ssize_t tables = windows_bytes(axes)
    cdef Py_ssize_t each = cnp.PyArray_DIM(x, 3) * cnp.PyArray_ITEMSIZE(x)
    cdef char* block = <char*>take_parts(&tables, threads, &each)
    try:
        set_pool(&s, x, axes, block)
        set_average(&s, divisor)
        run_pool(&s, x, y, NULL, threads, block + tables, each)
    finally:
        put_block(block)


# ---- adjoints ---------------------------------------------------------------------------------

cdef void spread_columns(const Pool* s, const char* shares, char* line) noexcept nogil:
    """Add the share of each window of a row to the columns that it reads."""
    cdef const Windows* a = &s.x
    cdef Py_ssize_t item = s.item, o, k
    cdef Py_ssize_t inner = a.inner_to - a.inner_from
    cdef Py_ssize_t from_ = a.inner_from, to = a.inner_to
    if inner < a.taps:
        from_ = to = 0
    else:
        for k in range(a.taps):
            s.rows.spread(shares + from_ * item, a.stride, inner,
                          line + (a.first[from_] + k * a.dilation) * item)
    for o in range(from_):
        s.rows.repeat(shares + o * item, a.dilation, a.count[o], line + a.first[o] * item)
    for o in range(to, a.out):
        s.rows.repeat(shares + o * item, a.dilation, a.count[o], line + a.first[o] * item)


cdef void average_planes_adjoint(const Pool* s, Py_ssize_t start, Py_ssize_t stop,
                                 const char* dy, char* dx, char* work) noexcept nogil:
    """Write planes start … stop − 1 of the gradient of averages."""
    cdef Py_ssize_t pitch = s.x.size * s.item
    cdef Py_ssize_t plane_bytes = s.z.size * s.y.size * pitch
    cdef Py_ssize_t plane, oz, oy, k
    cdef char* shares = work + pitch
    memset(dx + start * plane_bytes, 0, (stop - start) * plane_bytes)
    dy += start * s.z.out * s.y.out * s.x.out * s.item
    for plane in range(start, stop):
        for oz in range(s.z.out):
            for oy in range(s.y.out):
                divide_row(s, oz, oy, dy, shares)
                memset(work, 0, pitch)
                spread_columns(s, shares, work)
                for k in range(s.z.count[oz] * s.y.count[oy]):
                    s.rows.spread(work, 1, s.x.size,
                                  <char*>window_row(s, dx + plane * plane_bytes, oz, oy, k))
                dy += s.x.out * s.item


def pool_average_adjoint(cnp.ndarray dy, cnp.ndarray dx, list axes, double divisor, int threads):
    """Write what each sample contributes to: the adjoint of `pool_average`."""
    cdef Pool s
    cdef Py_ssize_t planes = cnp.PyArray_DIM(dx, 0)
    cdef Py_ssize_t tables = windows_bytes(axes)
    cdef Py_ssize_t each = ((cnp.PyArray_DIM(dx, 3) + cnp.PyArray_DIM(dy, 3))
                            * cnp.PyArray_ITEMSIZE(dx))
    cdef const char* given = cnp.PyArray_BYTES(dy)
    cdef char* out = cnp.PyArray_BYTES(dx)
    cdef char* block = <char*>take_parts(&tables, threads, &each)
    cdef char* work = block + tables
    cdef int t
    try:
        set_pool(&s, dx, axes, block)
        set_average(&s, divisor)
        if threads == 1:
            with nogil:
                average_planes_adjoint(&s, 0, planes, given, out, work)
        else:
            for t in prange(threads, nogil=True, num_threads=threads, schedule="static"):
                average_planes_adjoint(&s, planes * t // threads, planes * (t + 1) // threads,
                                       given, out, work + t * each)
    finally:
        put_block(block)


def pool_scatter(cnp.ndarray dy, cnp.ndarray indices, cnp.ndarray dx, int threads):
    """Add each dy at its index of its plane of zeros: the adjoint of `pool_largest`.

    All arrays have the shape (planes, samples of a plane). Return how many indices are neither
    in a plane nor −1.
    """
    cdef const pool_rows* rows = pool_rows_of[
        POOL_FLOAT if cnp.PyArray_TYPE(dx) == cnp.NPY_FLOAT else POOL_DOUBLE]
    cdef Py_ssize_t planes = cnp.PyArray_DIM(dx, 0), outside = 0
    cdef Py_ssize_t size = cnp.PyArray_DIM(dx, 1), n = cnp.PyArray_DIM(dy, 1)
    cdef Py_ssize_t item = cnp.PyArray_ITEMSIZE(dx)
    cdef const char* given = cnp.PyArray_BYTES(dy)
    cdef char* out = cnp.PyArray_BYTES(dx)
    cdef const int64_t* where = <const int64_t*>cnp.PyArray_DATA(indices)
    cdef int t
    if threads == 1:
        with nogil:
            outside = scatter_planes(rows, 0, planes, given, where, n, out, size, item)
    else:
        for t in prange(threads, nogil=True, num_threads=threads, schedule="static"):
            outside += scatter_planes(rows, planes * t // threads, planes * (t + 1) // threads,
                                      given, where, n, out, size, item)
    return outside


cdef Py_ssize_t scatter_planes(const pool_rows* rows, Py_ssize_t start, Py_ssize_t stop,
                               const char* dy, const int64_t* where, Py_ssize_t n, char* dx,
                               Py_ssize_t size, Py_ssize_t item) noexcept nogil:
    cdef Py_ssize_t plane, outside = 0
    for plane in range(start, stop):
        outside += rows.scatter(dy + plane * n * item, where + plane * n, n, size,
                                dx + plane * size * item)
    return outside
