# pooling: y[p, o] = the largest sample, or the sum ÷ divisor, of window o of plane p.
#
# The work is cut into units: a panel of a row of outputs. The rows of a window are folded first, as
# many samples at a time as the panel reads, then the columns of all windows of the panel. Where a
# window lies follows from its number; what it would read outside its plane is cut off. Nothing is
# tabulated for each output. Averages of many samples are made of sums of blocks. Arrays are
# contiguous, of shape (planes, z, y, x).

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
        void (*divide)(const void* a, Py_ssize_t n, double divisor, void* out) noexcept nogil
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


# Samples that a panel reads, or so many times what a window spans if that is more: what lies
# between the windows of two panels is folded twice.
cdef Py_ssize_t PANEL_SAMPLES = 16 << 10
cdef Py_ssize_t PANEL_SPANS = 4
# Rows, or columns, of a window that are added in one go, or the root of their number if more.
cdef Py_ssize_t POOL_BLOCK = 256


cdef struct Window:
    # A window of one axis reads `count` samples from `first` on, `dilation` apart.
    Py_ssize_t first, count
    double divisor


cdef struct Windows:
    Py_ssize_t size, out, taps, dilation, stride, low
    # An average counts the padding before the axis and `counted` samples behind it; −1 for none.
    Py_ssize_t counted
    bint adaptive
    # Windows inner_from … inner_to − 1 are `stride` apart and have `taps` samples each.
    Py_ssize_t inner_from, inner_to


cdef struct Pool:
    Windows z, y, x
    Py_ssize_t item
    bint averaging          # divide by the product of the axes' divisors, or by `divisor` if not 0
    double divisor
    bint at_once            # windows along x are folded together, not each by itself
    const pool_fold* fold
    const pool_rows* rows
    int64_t* where          # of the largest samples, or NULL
    # Outputs of a unit, units of a row of outputs; the most samples that a unit reads of a row.
    Py_ssize_t panel, n_panels, reach


cdef inline Py_ssize_t part_begin(const Windows* a, Py_ssize_t o, bint up) noexcept nogil:
    """Return o·size/out, rounded down or up; the product may not fit."""
    cdef Py_ssize_t rest = a.size % a.out
    cdef Py_ssize_t whole = <Py_ssize_t>(<double>o * <double>rest / <double>a.out)
    cdef Py_ssize_t left = <Py_ssize_t>(<uint64_t>o * <uint64_t>rest
                                        - <uint64_t>whole * <uint64_t>a.out)
    while left < 0:  # the quotient is rounded
        whole -= 1
        left += a.out
    while left >= a.out:
        whole += 1
        left -= a.out
    return o * (a.size // a.out) + whole + (up and left > 0)


cdef Window cut_window(const Windows* a, Py_ssize_t o) noexcept nogil:
    """Return window o, of which some samples may lie outside, or which is adaptive."""
    cdef Window w
    cdef Py_ssize_t start, stop, skipped
    if a.adaptive:
        w.first = part_begin(a, o, False)
        w.count = part_begin(a, o + 1, True) - w.first
        w.divisor = w.count
        return w
    start = o * a.stride - a.low
    stop = start + (a.taps - 1) * a.dilation + 1
    w.divisor = least(stop, a.size + a.counted) - start  # averages have no dilation
    skipped = ceil_div(most(0, -start), a.dilation)
    start += skipped * a.dilation
    w.first = start
    w.count = most(0, ceil_div(least(stop, a.size) - start, a.dilation))
    if a.counted < 0:
        w.divisor = w.count
    return w


cdef inline Window window_of(const Windows* a, Py_ssize_t o) noexcept nogil:
    cdef Window w
    if o < a.inner_from or o >= a.inner_to:
        return cut_window(a, o)
    w.first = o * a.stride - a.low
    w.count = a.taps
    w.divisor = a.taps
    return w


cdef int set_windows(Windows* a, row) except -1:
    """Set an axis from (size, out, taps, stride, low, dilation, counted), taps 0 for adaptive."""
    cdef Py_ssize_t span
    a.size, a.out, a.taps, a.stride, a.low, a.dilation, a.counted = row
    a.adaptive = a.taps == 0
    if a.adaptive:
        a.taps = a.stride = a.size // a.out
        a.inner_from = 0
        a.inner_to = a.out if a.size % a.out == 0 else 0
        return 0
    span = (a.taps - 1) * a.dilation + 1
    a.inner_from = a.inner_to = least(a.out, ceil_div(a.low, a.stride))
    if a.size + a.low >= span:
        a.inner_to = most(a.inner_from, least(a.out, (a.size + a.low - span) // a.stride + 1))
    return 0


cdef inline Py_ssize_t most_taps(const Windows* a) noexcept nogil:
    """Return the most samples that a window reads."""
    return least(a.size, a.taps + 2 if a.adaptive and a.inner_to == 0 else a.taps)


cdef int set_pool(Pool* s, cnp.ndarray x, list axes) except -1:
    s.item = cnp.PyArray_ITEMSIZE(x)
    s.averaging = False
    s.divisor = 0
    set_windows(&s.z, axes[0])
    set_windows(&s.y, axes[1])
    set_windows(&s.x, axes[2])
    s.fold = pool_larger[pool_type(s)]
    s.rows = pool_rows_of[pool_type(s)]
    # Few long windows are folded each by itself; so are sums of many samples, in blocks.
    s.at_once = s.x.inner_to - s.x.inner_from >= s.x.taps
    return 0


cdef inline int pool_type(const Pool* s) noexcept nogil:
    return POOL_FLOAT if s.item == <Py_ssize_t>sizeof(float) else POOL_DOUBLE


cdef void set_average(Pool* s, double divisor) noexcept nogil:
    """Make it an average; a `divisor` that is not 0 replaces those of all windows."""
    s.averaging = True
    s.divisor = divisor
    s.fold = pool_sum[pool_type(s)]
    s.at_once = s.at_once and s.x.taps <= POOL_BLOCK


cdef void set_panels(Pool* s, double samples) noexcept nogil:
    """Cut rows of outputs into panels, each of which takes ``samples`` steps."""
    cdef Py_ssize_t span = (most_taps(&s.x) - 1) * s.x.dilation + 1
    cdef Py_ssize_t wide = most(PANEL_SAMPLES, PANEL_SPANS * span) // most(1, s.x.stride)
    s.panel = least(wide, <Py_ssize_t>(PRODUCTS_BETWEEN_SIGNALS / samples))
    s.panel = most(1, least(s.panel, s.x.out))
    s.n_panels = ceil_div(s.x.out, s.panel)
    s.reach = least(s.x.size, (s.panel - 1) * (s.x.stride + s.x.adaptive) + span)


cdef struct Panel:
    # Outputs of one row of one plane; of them those that are folded at once; their samples.
    Py_ssize_t plane, oz, oy, o_from, o_to, inner_from, inner_to, sample, samples
    Window z, y


cdef inline Panel panel_of(const Pool* s, Py_ssize_t unit) noexcept nogil:
    cdef Panel p
    cdef Py_ssize_t row = unit // s.n_panels, stop
    p.o_from = unit % s.n_panels * s.panel
    p.o_to = least(s.x.out, p.o_from + s.panel)
    p.oy = row % s.y.out
    row //= s.y.out
    p.oz = row % s.z.out
    p.plane = row // s.z.out
    p.z = window_of(&s.z, p.oz)
    p.y = window_of(&s.y, p.oy)
    p.inner_from = p.inner_to = p.o_from
    if s.at_once:
        p.inner_from = least(most(s.x.inner_from, p.o_from), p.o_to)
        p.inner_to = most(p.inner_from, least(s.x.inner_to, p.o_to))
    if s.x.adaptive:
        p.sample = part_begin(&s.x, p.o_from, False)
        stop = part_begin(&s.x, p.o_to, True)
    else:
        p.sample = most(0, least(s.x.size, p.o_from * s.x.stride - s.x.low))
        stop = (p.o_to - 1) * s.x.stride - s.x.low + (s.x.taps - 1) * s.x.dilation + 1
    p.samples = most(0, least(s.x.size, stop) - p.sample)
    return p


cdef inline const char* window_row(const Pool* s, const Panel* p, const char* plane,
                                   Py_ssize_t k) noexcept nogil:
    """Return row k of the windows of a panel."""
    cdef Py_ssize_t z = p.z.first + k // p.y.count * s.z.dilation
    cdef Py_ssize_t y = p.y.first + k % p.y.count * s.y.dilation
    return plane + (z * s.y.size + y) * s.x.size * s.item


cdef void divide_panel(const Pool* s, const Panel* p, const char* row, char* out) noexcept nogil:
    """Divide what belongs to the windows of a panel by their sizes."""
    cdef double rows = p.z.divisor * p.y.divisor
    cdef Py_ssize_t item = s.item, o
    cdef Py_ssize_t n = p.o_to - p.o_from
    cdef Py_ssize_t from_ = least(most(s.x.inner_from, p.o_from), p.o_to)
    cdef Py_ssize_t to = most(from_, least(s.x.inner_to, p.o_to))
    if s.divisor != 0:
        s.rows.divide(row, n, s.divisor, out)
        return
    for o in range(p.o_from, from_):
        s.rows.divide(row + (o - p.o_from) * item, 1, window_of(&s.x, o).divisor * rows,
                      out + (o - p.o_from) * item)
    s.rows.divide(row + (from_ - p.o_from) * item, to - from_, s.x.taps * rows,
                  out + (from_ - p.o_from) * item)
    for o in range(to, p.o_to):
        s.rows.divide(row + (o - p.o_from) * item, 1, window_of(&s.x, o).divisor * rows,
                      out + (o - p.o_from) * item)


cdef inline void fold_window(const Pool* s, const Panel* p, const char* line, Py_ssize_t o,
                             char* out) noexcept nogil:
    cdef Window w = window_of(&s.x, o)
    s.fold.whole(line + (w.first - p.sample) * s.item, s.x.dilation, w.count,
                 out + (o - p.o_from) * s.item)


cdef void fold_columns(const Pool* s, const Panel* p, const char* line, char* out) noexcept nogil:
    """Fold the columns of each window of a row of samples, of which ``line`` is the first."""
    cdef const Windows* a = &s.x
    cdef Py_ssize_t item = s.item, o, k
    cdef Py_ssize_t inner = p.inner_to - p.inner_from
    cdef Py_ssize_t step = a.dilation * item
    cdef const char* first
    cdef char* at = out + (p.inner_from - p.o_from) * item
    if inner > 0:
        first = line + (p.inner_from * a.stride - a.low - p.sample) * item
        if a.taps == 1:
            s.fold.take(first, a.stride, inner, at)
        else:
            s.fold.pair(first, first + step, a.stride, inner, at)
        for k in range(2, a.taps):
            s.fold.more(first + k * step, a.stride, inner, at)
    for o in range(p.o_from, p.inner_from):
        fold_window(s, p, line, o, out)
    for o in range(p.inner_to, p.o_to):
        fold_window(s, p, line, o, out)


cdef const char* fold_rows(const Pool* s, const Panel* p, const char* plane, Py_ssize_t start,
                           Py_ssize_t stop, char* work) noexcept nogil:
    """Return the samples of a panel, of some rows of its windows folded into one."""
    cdef Py_ssize_t skipped = p.sample * s.item, k
    if stop - start == 1:
        return window_row(s, p, plane, start) + skipped
    s.fold.pair(window_row(s, p, plane, start) + skipped,
                window_row(s, p, plane, start + 1) + skipped, 1, p.samples, work)
    for k in range(start + 2, stop):
        s.fold.more(window_row(s, p, plane, k) + skipped, 1, p.samples, work)
    return work


cdef void pool_panel(const Pool* s, const Panel* p, const char* plane, char* out,
                     char* work) noexcept nogil:
    """Write one panel of outputs."""
    cdef Py_ssize_t rows = p.z.count * p.y.count
    cdef Py_ssize_t block = rows, done, o
    cdef const char* line
    if rows == 0:
        for o in range(p.o_to - p.o_from):
            s.fold.whole(work, 1, 0, out + o * s.item)
        return
    if s.averaging and rows > POOL_BLOCK:
        block = most(POOL_BLOCK, <Py_ssize_t>sqrt(<double>rows))
    line = fold_rows(s, p, plane, 0, least(block, rows), work)
    done = block
    while done < rows:
        s.fold.more(fold_rows(s, p, plane, done, least(rows, done + block),
                              work + s.reach * s.item), 1, p.samples, work)
        done += block
    fold_columns(s, p, line, out)


cdef inline void search_window(const Pool* s, const Panel* p, const char* line, int64_t base,
                               Py_ssize_t o, bint found, char* out,
                               int64_t* where) noexcept nogil:
    cdef Window w = window_of(&s.x, o)
    if w.count > 0:
        s.rows.search(line + w.first * s.item, s.x.dilation, w.count, base, found,
                      out + (o - p.o_from) * s.item, where + o - p.o_from)


cdef inline void place_window(const Pool* s, const Panel* p, Py_ssize_t o,
                              int64_t* where) noexcept nogil:
    """Add where a window begins to what was found in it."""
    if where[o - p.o_from] >= 0:
        where[o - p.o_from] += window_of(&s.x, o).first


cdef void find_panel(const Pool* s, const Panel* p, const char* plane, char* out,
                     int64_t* where) noexcept nogil:
    """Write one panel of largest samples, and the index of each in its plane.

    Taps are visited in the order of the array, so that the first of equal samples is found.
    """
    cdef const Windows* a = &s.x
    cdef Py_ssize_t rows = p.z.count * p.y.count
    cdef Py_ssize_t item = s.item, o, k, row, inner = p.inner_to - p.inner_from
    cdef Py_ssize_t at = p.inner_from - p.o_from
    cdef const char* line
    cdef const char* first
    cdef int64_t base
    for o in range(p.o_from, p.o_to):
        if rows == 0 or (o < p.inner_from or o >= p.inner_to) and window_of(a, o).count == 0:
            s.fold.whole(out, 1, 0, out + (o - p.o_from) * item)
            where[o - p.o_from] = -1
    if rows == 0:
        return
    for row in range(rows):
        line = window_row(s, p, plane, row)
        base = (line - plane) // item
        first = line + (p.inner_from * a.stride - a.low) * item
        for k in range(a.taps if inner > 0 else 0):
            (s.rows.begin if row == 0 and k == 0 else s.rows.find)(
                first + k * a.dilation * item, a.stride, inner, base + k * a.dilation,
                out + at * item, where + at)
        for o in range(p.o_from, p.inner_from):
            search_window(s, p, line, base, o, row > 0, out, where)
        for o in range(p.inner_to, p.o_to):
            search_window(s, p, line, base, o, row > 0, out, where)
    for o in range(p.o_from, p.inner_from):
        place_window(s, p, o, where)
    for o in range(p.inner_from, p.inner_to):
        where[o - p.o_from] += o * a.stride - a.low
    for o in range(p.inner_to, p.o_to):
        place_window(s, p, o, where)


cdef Py_ssize_t run_panels(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                           void* work) noexcept nogil:
    """Write panels start … stop − 1 of the outputs of all planes."""
    cdef const Pool* s = <const Pool*>c.loop
    cdef Py_ssize_t plane_bytes = s.z.size * s.y.size * s.x.size * s.item
    cdef Py_ssize_t unit, at
    cdef Panel p
    for unit in range(start, stop):
        p = panel_of(s, unit)
        at = unit // s.n_panels * s.x.out + p.o_from
        if s.where != NULL:
            find_panel(s, &p, c.x + p.plane * plane_bytes, c.y + at * s.item, s.where + at)
            continue
        pool_panel(s, &p, c.x + p.plane * plane_bytes, c.y + at * s.item, <char*>work)
        if s.averaging:
            divide_panel(s, &p, c.y + at * s.item, c.y + at * s.item)
    return 0


cdef double samples_of_window(const Pool* s, bint finding) noexcept nogil:
    """Return about how many samples are read for one output of a panel."""
    cdef double rows = <double>most_taps(&s.z) * most_taps(&s.y)
    if finding:
        return rows * most_taps(&s.x)
    return rows * most(1, s.x.stride) + most_taps(&s.x)


cdef int run_pool(Pool* s, cnp.ndarray x, cnp.ndarray y, int64_t* where, int threads) except -1:
    """Write all outputs, contiguous runs of panels on each thread."""
    cdef double samples = samples_of_window(s, where != NULL)
    cdef Py_ssize_t rows = most_taps(&s.z) * most_taps(&s.y)
    cdef Py_ssize_t shared = 0, each, units
    cdef char* block
    cdef Call call
    set_panels(s, samples)
    s.where = where
    units = cnp.PyArray_DIM(x, 0) * s.z.out * s.y.out * s.n_panels
    threads = <int>most(1, least(threads, units))
    # Rows that are folded into one, and blocks of many of them.
    each = 0
    if where == NULL and rows > 1:
        each = s.reach * s.item * (1 + (s.averaging and rows > POOL_BLOCK))
    call.loop, call.x, call.y = s, cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(y)
    block = <char*>take_parts(&shared, threads, &each)
    try:
        run_in_steps(run_panels, &call, units, samples * s.panel, threads, block + shared, each,
                     0, False)
    finally:
        put_block(block)
    return 0


def pool_largest(cnp.ndarray x, cnp.ndarray y, cnp.ndarray indices, list axes, int threads):
    """Write the largest sample of each window, and where `indices` is an array, its index."""
    cdef Pool s
    cdef int64_t* where = NULL if indices is None else <int64_t*>cnp.PyArray_DATA(indices)
    set_pool(&s, x, axes)
    run_pool(&s, x, y, where, threads)


def pool_average(cnp.ndarray x, cnp.ndarray y, list axes, double divisor, int threads):
    """Write the sum of each window ÷ its divisor, or ÷ `divisor` unless that is 0."""
    cdef Pool s
    set_pool(&s, x, axes)
    set_average(&s, divisor)
    run_pool(&s, x, y, NULL, threads)
