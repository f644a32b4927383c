# matching: y[i] = products[i] / √(Σ x² − (Σ x)² / n) over the n samples of window i (matching.h).
#
# The work is cut into units: one batch item, one plane of results, a slab of rows, a panel of
# columns. A unit keeps the sums of its columns: for each row of results one row of samples (of each
# plane of the window) comes and one goes. They are exact, so that no cut changes a result.

cdef extern from "matching.h":
    ctypedef struct match_limits:
        double count, unit, nothing, floor, far
        int split
    ctypedef void (*match_exchange)(const void* come, const void* gone, Py_ssize_t n,
                                    double unit, uint64_t* sums,
                                    uint64_t* squares) noexcept nogil
    ctypedef void (*match_divide)(const double* roots, Py_ssize_t n, void* y) noexcept nogil
    void match_exchange_float(const void* come, const void* gone, Py_ssize_t n,
                              double unit, uint64_t* sums, uint64_t* squares) noexcept nogil
    void match_exchange_double(const void* come, const void* gone, Py_ssize_t n,
                               double unit, uint64_t* sums, uint64_t* squares) noexcept nogil
    void match_exchange_wide(const double* come, const double* gone, Py_ssize_t n, double unit,
                             int split, uint64_t* sums, uint64_t* squares) noexcept nogil
    void match_widen(const uint64_t* sums, const uint64_t* squares, Py_ssize_t taps, Py_ssize_t n,
                     uint64_t* wide_sums, uint64_t* wide_squares) noexcept nogil
    Py_ssize_t match_roots(const uint64_t* sums, const uint64_t* squares, Py_ssize_t n,
                           const match_limits* limits, double* roots) noexcept nogil
    Py_ssize_t match_roots_wide(const uint64_t* sums, const uint64_t* squares, Py_ssize_t pitch,
                                Py_ssize_t n, const match_limits* limits,
                                double* roots) noexcept nogil
    void match_divide_float(const double* roots, Py_ssize_t n, void* y) noexcept nogil
    void match_divide_double(const double* roots, Py_ssize_t n, void* y) noexcept nogil
    void match_plainly_double(const double* x, const Py_ssize_t* places, const double* t,
                              Py_ssize_t taps, int n, double* y) noexcept nogil
    void match_plainly_whole(const uint64_t* x, const Py_ssize_t* places, const double* t,
                             Py_ssize_t taps, int n, double* y) noexcept nogil
    void match_seen_double(const double* x, const unsigned char* seen, const Py_ssize_t* places,
                           const double* t, Py_ssize_t taps, double least, int n,
                           double* y) noexcept nogil
    void match_seen_whole(const uint64_t* x, const unsigned char* seen, const Py_ssize_t* places,
                          const double* t, Py_ssize_t taps, double least, int n,
                          double* y) noexcept nogil
    enum:
        MATCH_RUN

cdef Py_ssize_t MATCH_COLS = 2048       # results of a panel: its sums are 80 KiB
cdef double MATCH_PRODUCTS = 10         # a sample takes as long as so many, between signals


cdef struct Match:
    # Bytes from one batch item, plane and row to the next, and of a sample.
    Py_ssize_t x_batch, x_plane, x_row, x_item
    Py_ssize_t y_batch, y_plane, y_row, y_item
    Py_ssize_t planes, rows, cols               # of results
    Py_ssize_t taps_z, taps_y, taps_x
    Py_ssize_t slabs, slab, panels, panel
    match_limits limits
    match_exchange exchange
    match_divide divide


cdef inline Py_ssize_t match_words(const Match* s) noexcept nogil:
    """Return the words that a unit takes: sums and squares of columns and windows, and roots."""
    cdef Py_ssize_t streams = 4 if s.limits.split else 2
    return streams * (s.panel + s.taps_x - 1) + (streams + 1) * s.panel


cdef inline void match_change(const Match* s, const char* come, const char* gone, Py_ssize_t width,
                              uint64_t* work) noexcept nogil:
    if s.limits.split:
        match_exchange_wide(<const double*>come, <const double*>gone, width, s.limits.unit,
                            s.limits.split, work, work + width)
    else:
        s.exchange(come, gone, width, s.limits.unit, work, work + width)


cdef Py_ssize_t match_unit(const Match* s, Py_ssize_t unit, const char* x, char* y,
                           uint64_t* work) noexcept nogil:
    """Write the coefficients of one unit; return how many windows are uncertain."""
    cdef Py_ssize_t panel = unit % s.panels, slab = unit // s.panels % s.slabs
    cdef Py_ssize_t plane = unit // (s.panels * s.slabs) % s.planes
    cdef Py_ssize_t item = unit // (s.panels * s.slabs * s.planes)
    cdef Py_ssize_t col = panel * s.panel, row = slab * s.slab, last, z, k, cols, width
    cdef Py_ssize_t streams = 4 if s.limits.split else 2, uncertain = 0
    cdef uint64_t* wide
    cdef double* roots
    cols = least(s.panel, s.cols - col)
    last = least(row + s.slab, s.rows)
    width = cols + s.taps_x - 1
    wide = work + streams * width
    roots = <double*>(wide + streams * cols)
    x += item * s.x_batch + plane * s.x_plane + row * s.x_row + col * s.x_item
    y += item * s.y_batch + plane * s.y_plane + row * s.y_row + col * s.y_item
    memset(work, 0, streams * width * sizeof(uint64_t))
    for z in range(s.taps_z):
        for k in range(s.taps_y):
            match_change(s, x + z * s.x_plane + k * s.x_row, NULL, width, work)
    while True:
        match_widen(work, work + width, s.taps_x, cols, wide, wide + cols)
        if s.limits.split:
            match_widen(work + 2 * width, work + 3 * width, s.taps_x, cols, wide + 2 * cols,
                        wide + 3 * cols)
            uncertain += match_roots_wide(wide, wide + cols, cols, cols, &s.limits, roots)
        else:
            uncertain += match_roots(wide, wide + cols, cols, &s.limits, roots)
        s.divide(roots, cols, y)
        row += 1
        if row == last:
            return uncertain
        for z in range(s.taps_z):
            match_change(s, x + z * s.x_plane + s.taps_y * s.x_row, x + z * s.x_plane, width, work)
        x += s.x_row
        y += s.y_row


cdef Py_ssize_t match_units(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                            void* work) noexcept nogil:
    cdef Py_ssize_t unit, uncertain = 0
    for unit in range(start, stop):
        uncertain += match_unit(<const Match*>c.loop, unit, c.x, c.y, <uint64_t*>work)
    return uncertain


cdef Py_ssize_t run_match(const Match* s, Py_ssize_t units, const char* x, char* y,
                          int threads) except -1:
    cdef Py_ssize_t each = match_words(s) * sizeof(uint64_t)
    cdef Py_ssize_t shared = 0
    cdef double samples = <double>s.slab * s.panel * s.taps_z
    cdef char* block = <char*>take_parts(&shared, threads, &each)
    cdef Call call
    call.loop, call.x, call.y = s, x, y
    try:
        return run_in_steps(match_units, &call, units, samples * MATCH_PRODUCTS, threads,
                            block + shared, each, 0, False)
    finally:
        put_block(block)


cdef match_limits limits_of(double count, tuple limits) except *:
    cdef match_limits given
    given.count = count
    given.unit, given.split, given.nothing, given.floor, given.far = limits
    return given


def match_coefficients(cnp.ndarray x, tuple taps, cnp.ndarray y, tuple limits, int threads):
    """Divide the products in `y`; return how many windows are uncertain, whose results are NaN.

    Parameters
    ----------
    x : ndarray of float32 or float64
        Whole numbers times a unit, of the shape (batch, z, y, x); contiguous along x, as `y` is.
    taps : tuple of int
        Samples of a window along z, y and x.
    y : ndarray of float32 or float64
    limits : tuple
        The unit, a power of two; the split of wide samples, 0 for narrow ones; and what decides
        which windows are uncertain, of `match_limits`.
    threads : int
    """
    cdef Match s
    cdef Py_ssize_t units
    s.taps_z, s.taps_y, s.taps_x = taps
    s.x_batch, s.x_plane, s.x_row, s.x_item = [x.strides[i] for i in range(4)]
    s.y_batch, s.y_plane, s.y_row, s.y_item = [y.strides[i] for i in range(4)]
    s.planes, s.rows, s.cols = y.shape[1], y.shape[2], y.shape[3]
    s.limits = limits_of(<double>s.taps_z * s.taps_y * s.taps_x, limits)
    s.exchange = (
        match_exchange_float if cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT else match_exchange_double)
    s.divide = divide_of(y)
    s.panel = least(s.cols, most(MATCH_COLS, 2 * s.taps_x))
    s.panels = ceil_div(s.cols, s.panel)
    units = y.shape[0] * s.planes * s.panels
    s.slab = s.rows
    if threads > 1:  # a slab begins with all rows of a window
        s.slab = most(ceil_div(s.rows, ceil_div(4 * threads, units)), 4 * s.taps_y)
    s.slabs = ceil_div(s.rows, s.slab)
    return run_match(&s, units * s.slabs, cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(y), threads)


cdef match_divide divide_of(cnp.ndarray y) noexcept:
    return match_divide_double if cnp.PyArray_TYPE(y) == cnp.NPY_DOUBLE else match_divide_float


def divide_by_sums(cnp.ndarray sums, cnp.ndarray squares, Py_ssize_t count, cnp.ndarray y,
                   tuple limits):
    """Do as `match_coefficients`, for windows of `count` samples whose sums are given.

    Sums are of the whole numbers, and of one size with `y`; squares have one row, or with a split
    three. All arrays are contiguous; sums and squares hold uint64.
    """
    cdef Py_ssize_t n = sums.shape[0], done = 0, step, uncertain = 0
    cdef const uint64_t* first = <const uint64_t*>cnp.PyArray_DATA(sums)
    cdef const uint64_t* square = <const uint64_t*>cnp.PyArray_DATA(squares)
    cdef char* out = cnp.PyArray_BYTES(y)
    cdef match_divide divide = divide_of(y)
    cdef match_limits known = limits_of(count, limits)
    cdef double* roots = <double*>take_block(MATCH_COLS * sizeof(double))
    with nogil:
        while done < n:
            step = least(MATCH_COLS, n - done)
            if known.split:
                uncertain += match_roots_wide(first + done, square + done, n, step, &known, roots)
            else:
                uncertain += match_roots(first + done, square + done, step, &known, roots)
            divide(roots, step, out + done * cnp.PyArray_ITEMSIZE(y))
            done += step
    put_block(roots)
    return uncertain


# ---- windows one by one --------------------------------------------------------------------------


cdef struct MatchRows:
    # Samples and windows of one item, in rows of planes.
    const char* x
    const unsigned char* seen           # NULL where nothing is missing
    const unsigned char* wanted
    double* y
    const Py_ssize_t* places
    const double* t
    Py_ssize_t taps, x_rows, y_rows, pitch, cols, item
    double fewest
    bint whole


cdef void match_row(const MatchRows* s, Py_ssize_t row) noexcept nogil:
    """Write the coefficients that are wanted of a row of windows."""
    cdef double run[MATCH_RUN]
    cdef Py_ssize_t first = 0, count, i
    cdef Py_ssize_t at = (row // s.y_rows * s.x_rows + row % s.y_rows) * s.pitch
    cdef const char* x = s.x + at * s.item
    cdef const unsigned char* seen = <const unsigned char*>NULL if s.seen == NULL else s.seen + at
    cdef const unsigned char* wanted = s.wanted + row * s.cols
    cdef double* y = s.y + row * s.cols
    while first < s.cols:
        if not wanted[first]:
            first += 1
            continue
        count = least(MATCH_RUN, s.cols - first)
        if seen == NULL and s.whole:
            match_plainly_whole(<const uint64_t*>x + first, s.places, s.t, s.taps, <int>count, run)
        elif seen == NULL:
            match_plainly_double(<const double*>x + first, s.places, s.t, s.taps, <int>count, run)
        elif s.whole:
            match_seen_whole(<const uint64_t*>x + first, seen + first, s.places, s.t, s.taps,
                             s.fewest, <int>count, run)
        else:
            match_seen_double(<const double*>x + first, seen + first, s.places, s.t, s.taps,
                              s.fewest, <int>count, run)
        for i in range(count):
            if wanted[first + i]:
                y[first + i] = run[i]
        first += count


cdef Py_ssize_t match_rows(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                           void* work) noexcept nogil:
    cdef Py_ssize_t row
    for row in range(start, stop):
        match_row(<const MatchRows*>c.loop, row)
    return 0


def match_plainly(cnp.ndarray x, seen, cnp.ndarray places, cnp.ndarray t, double fewest,
                  cnp.ndarray wanted, cnp.ndarray y, int threads):
    """Write the coefficients of single windows, by the definition.

    Parameters
    ----------
    x : ndarray of float64 or uint64
        Samples of the shape (z, y, x), contiguous; signed integers are offset by 2^63.
    seen : ndarray of bool, or None
        Of the same shape and layout: where samples are not missing.
    places : ndarray of intp
        Samples from the first of a window to each of its taps.
    t : ndarray of float64
        The template at the taps.
    fewest : float
        Where fewer samples were seen the result is NaN.
    wanted : ndarray of bool
        Which windows are; of the shape of `y`, contiguous.
    y : ndarray of float64
    threads : int
    """
    cdef MatchRows s
    cdef Call call
    s.x_rows, s.y_rows, s.pitch, s.cols = x.shape[1], y.shape[1], x.shape[2], y.shape[2]
    s.taps, s.fewest, s.item = t.shape[0], fewest, x.itemsize
    s.whole = cnp.PyArray_TYPE(x) == cnp.NPY_UINT64
    s.places, s.t = numbers(places), <const double*>cnp.PyArray_DATA(t)
    s.x = cnp.PyArray_BYTES(x)
    s.seen = NULL
    if seen is not None:
        s.seen = <const unsigned char*>cnp.PyArray_BYTES(seen)
    s.wanted = <const unsigned char*>cnp.PyArray_BYTES(wanted)
    s.y = <double*>cnp.PyArray_DATA(y)
    call.loop = &s
    run_in_steps(match_rows, &call, y.shape[0] * y.shape[1],
                 <double>s.cols * s.taps * MATCH_PRODUCTS, threads, NULL, 0, 0, False)
