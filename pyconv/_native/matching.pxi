# matching: y[i] = products[i] / √(Σ x² − (Σ x)² / n) over the n samples of window i (matching.h).
#
# The work is cut into units: one batch item, one plane of results, a slab of rows, a panel of
# columns. A unit keeps the sums of its columns: for each row of results one row of samples (of each
# plane of the window) comes and one goes. They are exact, so that no cut changes a result.

cdef extern from "matching.h":
    ctypedef void (*match_exchange)(const void* come, const void* gone, Py_ssize_t n,
                                    double unit, uint64_t* sums,
                                    uint64_t* squares) noexcept nogil
    ctypedef void (*match_divide)(const double* products, const double* roots, Py_ssize_t n,
                                  void* y) noexcept nogil
    void match_exchange_float(const void* come, const void* gone, Py_ssize_t n,
                        double unit, uint64_t* sums, uint64_t* squares) noexcept nogil
    void match_exchange_double(const void* come, const void* gone, Py_ssize_t n,
                         double unit, uint64_t* sums, uint64_t* squares) noexcept nogil
    void match_widen(const uint64_t* sums, const uint64_t* squares, Py_ssize_t taps, Py_ssize_t n,
                     uint64_t* wide_sums, uint64_t* wide_squares) noexcept nogil
    Py_ssize_t match_roots(const uint64_t* sums, const uint64_t* squares, Py_ssize_t n,
                           double count, double unit, double far,
                           double* roots) noexcept nogil
    void match_divide_float(const double* products, const double* roots, Py_ssize_t n,
                      void* y) noexcept nogil
    void match_divide_double(const double* products, const double* roots, Py_ssize_t n,
                       void* y) noexcept nogil
    void match_divide_far(const double* products, const double* roots, Py_ssize_t n,
                    void* y) noexcept nogil

cdef Py_ssize_t MATCH_COLS = 2048       # results of a panel: its sums are 80 KiB
cdef double MATCH_SAMPLES_BETWEEN_SIGNALS = 2e7     # of each thread: about a tenth of a second


cdef struct Match:
    # Bytes from one batch item, plane and row to the next, and of a sample.
    Py_ssize_t x_batch, x_plane, x_row, x_item
    Py_ssize_t p_batch, p_plane, p_row          # of products of their own, in double
    Py_ssize_t y_batch, y_plane, y_row, y_item
    Py_ssize_t planes, rows, cols               # of results
    Py_ssize_t taps_z, taps_y, taps_x
    Py_ssize_t slabs, slab, panels, panel
    double count, unit, far
    match_exchange exchange
    match_divide divide


cdef void match_unit(const Match* s, Py_ssize_t unit, const char* x, const char* products,
                     char* y, unsigned char* distant, uint64_t* work) noexcept nogil:
    """Write the coefficients of one unit; say of each of its rows whether windows are far."""
    cdef Py_ssize_t panel = unit % s.panels, slab = unit // s.panels % s.slabs
    cdef Py_ssize_t plane = unit // (s.panels * s.slabs) % s.planes
    cdef Py_ssize_t item = unit // (s.panels * s.slabs * s.planes)
    cdef Py_ssize_t col = panel * s.panel, row = slab * s.slab, last, z, k, cols, width
    cdef uint64_t* squares
    cdef uint64_t* wide_sums
    cdef uint64_t* wide_squares
    cdef double* roots
    cols = least(s.panel, s.cols - col)
    last = least(row + s.slab, s.rows)
    width = cols + s.taps_x - 1
    squares = work + width
    wide_sums = work + 2 * width
    wide_squares = wide_sums + cols
    roots = <double*>(wide_squares + cols)
    x += item * s.x_batch + plane * s.x_plane + row * s.x_row + col * s.x_item
    if products != NULL:
        products += item * s.p_batch + plane * s.p_plane + row * s.p_row + col * sizeof(double)
    y += item * s.y_batch + plane * s.y_plane + row * s.y_row + col * s.y_item
    distant += ((item * s.planes + plane) * s.rows + row) * s.panels + panel
    memset(work, 0, 2 * width * sizeof(uint64_t))
    for z in range(s.taps_z):
        for k in range(s.taps_y):
            s.exchange(x + z * s.x_plane + k * s.x_row, NULL, width, s.unit, work,
                       squares)
    while True:
        match_widen(work, squares, s.taps_x, cols, wide_sums, wide_squares)
        distant[0] = match_roots(wide_sums, wide_squares, cols, s.count, s.unit, s.far,
                                  roots) > 0
        s.divide(<const double*>products, roots, cols, y)
        row += 1
        if row == last:
            return
        for z in range(s.taps_z):
            s.exchange(x + z * s.x_plane + s.taps_y * s.x_row, x + z * s.x_plane, width, s.unit,
                       work, squares)
        x += s.x_row
        if products != NULL:
            products += s.p_row
        y += s.y_row
        distant += s.panels


cdef void match_units(const Match* s, Py_ssize_t start, Py_ssize_t stop, const char* x,
                      const char* products, char* y, unsigned char* distant,
                      uint64_t* work) noexcept nogil:
    cdef Py_ssize_t unit
    for unit in range(start, stop):
        match_unit(s, unit, x, products, y, distant, work)


cdef int run_match(const Match* s, Py_ssize_t units, const char* x, const char* products, char* y,
                   unsigned char* distant, int threads) except -1:
    cdef Py_ssize_t each = (2 * (s.panel + s.taps_x - 1) + 3 * s.panel) * sizeof(uint64_t)
    cdef Py_ssize_t shared = 0, done = 0, step
    cdef double samples = <double>s.slab * s.panel * s.taps_z
    cdef char* block = <char*>take_parts(&shared, threads, &each)
    cdef char* work = block + shared
    cdef int t
    try:
        step = most(threads, <Py_ssize_t>(threads * MATCH_SAMPLES_BETWEEN_SIGNALS / samples))
        while done < units:
            step = least(step, units - done)
            if threads == 1:
                with nogil:
                    match_units(s, done, done + step, x, products, y, distant,
                                <uint64_t*>work)
            else:
                for t in prange(threads, nogil=True, num_threads=threads, schedule="static"):
                    match_units(s, done + step * t // threads, done + step * (t + 1) // threads,
                                x, products, y, distant, <uint64_t*>(work + t * each))
            done += step
            PyErr_CheckSignals()
    finally:
        put_block(block)
    return 0


def match_coefficients(cnp.ndarray x, double unit, tuple taps, cnp.ndarray products,
                       cnp.ndarray y, double far, int threads):
    """Divide the products in `y`, or those of far windows; say in which rows windows are far.

    Parameters
    ----------
    x : ndarray of float32 or float64
        Whole numbers times `unit`, of the shape (batch, z, y, x); contiguous along x, as the others
        are.
    unit : float
        A power of two.
    taps : tuple of int
        Samples of a window along z, y and x.
    products : ndarray of float64, or None
        With None, `y` is divided, but for far windows; else theirs are written, from these.
    y : ndarray of float32, or with None of float64 too
    far : float
        Windows are far whose sum of squares is more than this times that about their mean.
    threads : int

    Returns
    -------
    ndarray of uint8
        Of the shape (batch, z, y, panels of columns).
    """
    cdef Match s
    cdef Py_ssize_t units
    cdef cnp.ndarray distant
    cdef const char* given = NULL
    s.taps_z, s.taps_y, s.taps_x = taps
    s.x_batch, s.x_plane, s.x_row, s.x_item = [x.strides[i] for i in range(4)]
    s.y_batch, s.y_plane, s.y_row, s.y_item = [y.strides[i] for i in range(4)]
    s.p_batch = s.p_plane = s.p_row = 0
    if products is not None:
        given = cnp.PyArray_BYTES(products)
        s.p_batch, s.p_plane, s.p_row = [products.strides[i] for i in range(3)]
    s.planes, s.rows, s.cols = y.shape[1], y.shape[2], y.shape[3]
    s.count = <double>s.taps_z * s.taps_y * s.taps_x
    s.unit = unit
    s.far = far
    s.exchange = (
        match_exchange_float if cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT else match_exchange_double)
    s.divide = divide_of(products, y)
    s.panel = least(s.cols, most(MATCH_COLS, 2 * s.taps_x))
    s.panels = ceil_div(s.cols, s.panel)
    units = y.shape[0] * s.planes * s.panels
    s.slab = s.rows
    if threads > 1:  # a slab begins with all rows of a window
        s.slab = most(ceil_div(s.rows, ceil_div(4 * threads, units)), 4 * s.taps_y)
    s.slabs = ceil_div(s.rows, s.slab)
    distant = np.zeros((y.shape[0], s.planes, s.rows, s.panels), np.uint8)
    run_match(&s, units * s.slabs, cnp.PyArray_BYTES(x), given, cnp.PyArray_BYTES(y),
              <unsigned char*>cnp.PyArray_DATA(distant), threads)
    return distant


cdef match_divide divide_of(cnp.ndarray products, cnp.ndarray y) noexcept:
    if products is not None:
        return match_divide_far
    return match_divide_double if cnp.PyArray_TYPE(y) == cnp.NPY_DOUBLE else match_divide_float


def divide_by_sums(const uint64_t[::1] sums, const uint64_t[::1] squares, Py_ssize_t count,
                   double unit, cnp.ndarray products, cnp.ndarray y, double far):
    """Do as `match_coefficients`, for windows of `count` samples whose sums are given.

    Sums are of the whole numbers. All arrays are contiguous and of one size. Return whether any
    window is far.
    """
    cdef Py_ssize_t n = sums.shape[0], done = 0, step, distant = 0
    cdef const double* given = NULL
    cdef char* out = cnp.PyArray_BYTES(y)
    cdef match_divide divide = divide_of(products, y)
    cdef double* roots = <double*>take_block(MATCH_COLS * sizeof(double))
    if products is not None:
        given = <const double*>cnp.PyArray_DATA(products)
    with nogil:
        while done < n:
            step = least(MATCH_COLS, n - done)
            distant += match_roots(&sums[done], &squares[done], step, count, unit, far, roots)
            divide(NULL if given == NULL else given + done, roots, step,
                   out + done * cnp.PyArray_ITEMSIZE(y))
            done += step
    put_block(roots)
    return distant > 0
