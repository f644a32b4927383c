# rounded_sum: sums in double, cut to integers or rounded half to even.
#
# The work is cut into units: one batch item, one plane, a slab of rows, a panel of columns. A unit
# packs the rows that it reads, converted and with their border, and sums its outputs row by row.

cdef extern from "rounded_sum.h":
    ctypedef struct rounded_sum_terms:
        Py_ssize_t n_singles, n_pairs
        const Py_ssize_t* singles
        const Py_ssize_t* firsts
        const Py_ssize_t* seconds
        const double* weights
        double divisor, inverse
        int mean, difference, whole, truth, clip
        double low, high
    enum:
        ROUNDED_SUM_STEP
    void rounded_sum_row(const double* x, const rounded_sum_terms* t, Py_ssize_t n,
                       double* y) noexcept nogil

# Sums of so many whole numbers, none larger than this, err by less than half a part of a mean if
# they are multiplied by the inverse of their number.
cdef double ROUNDED_SUM_SAMPLES = 65536.0
cdef double ROUNDED_SUM_LARGEST = 4294967296.0
# Bytes of the buffer, and of those rows of it that one row of outputs reads: the caches of the
# second and of the first level.
cdef Py_ssize_t ROUNDED_SUM_BYTES = 256 << 10
cdef Py_ssize_t ROUNDED_SUM_WINDOW = 24 << 10


cdef struct RoundedSum:
    SpatialAxis z, y
    Source x
    rounded_sum_terms terms
    const Py_ssize_t* filters       # the filter of each item of the batch, or NULL: all have one
    Py_ssize_t z_stride, y_stride                   # of the caller's array, in bytes
    Py_ssize_t out_z, out_y, out_item               # of the result, in bytes
    row_emit emit
    Py_ssize_t n_slabs, n_panels, unit_rows, unit_cols
    Py_ssize_t rows, pitch, plane                   # of the buffer: rows, and samples


cdef Py_ssize_t run_rounded_sums(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                              void* memory) noexcept nogil:
    """Run units start … stop − 1, in the order batch, plane, slab, panel."""
    cdef const RoundedSum* p = <const RoundedSum*>c.loop
    cdef rounded_sum_terms terms = p.terms
    cdef double* work = <double*>memory
    cdef Py_ssize_t unit, rest, batch, z, row_from, rows, col_from, cols, pixels, first, before
    cdef Py_ssize_t until_end, t, q, index
    cdef const char* plane
    cdef const char* row
    cdef char* out
    cdef double* line = work + p.z.taps * p.plane
    for unit in range(start, stop):
        col_from = unit % p.n_panels * p.unit_cols
        rest = unit // p.n_panels
        row_from = rest % p.n_slabs * p.unit_rows
        rest = rest // p.n_slabs
        z = rest % p.z.out
        batch = rest // p.z.out
        if p.filters != NULL:
            terms.weights = p.terms.weights + p.filters[batch] * terms.n_singles
        rows = least(p.unit_rows, p.y.out - row_from)
        cols = least(p.unit_cols, p.x.axis.out - col_from)
        pixels = cols + p.x.axis.taps - 1
        first = col_from - p.x.axis.low
        before = pixels_before(&p.x, first, 1, pixels)
        until_end = pixels_until_end(&p.x, first, 1, pixels)
        for t in range(p.z.taps):
            index = source_index(&p.z, z + t - p.z.low)
            plane = NULL
            if index >= 0:
                plane = c.x + c.x_batch[batch] + index * p.z_stride
            for q in range(rows + p.y.taps - 1):
                index = source_index(&p.y, row_from + q - p.y.low)
                row = NULL
                if plane != NULL and index >= 0:
                    row = plane + index * p.y_stride
                pack_pixels(&p.x, row, first, 1, before, until_end, pixels,
                            work + t * p.plane + q * p.pitch)
        out = (c.y + c.y_batch[batch] + z * p.out_z + row_from * p.out_y
               + col_from * p.x.group * p.out_item)
        for q in range(rows):
            rounded_sum_row(work + q * p.pitch, &terms, cols * p.x.group, line)
            p.emit(line, cols * p.x.group, out + q * p.out_y, p.out_item)
    return 0


cdef class RoundedSumLoop:
    """A bound problem: its terms, its axes, its tables.

    Parameters are plain numbers, checked by the caller: axes and batch as those of `DirectLoop`;
    ``singles``, ``firsts`` and ``seconds`` hold a row of taps along z, y and x for each sample;
    ``weights`` those of the singles, then of the pairs. ``filters`` is the filter of each item of
    the batch, where they have singles alone, with the weights of the first filter, the next, ….
    """

    cdef RoundedSum p
    cdef object tables, offsets, weights, kept
    cdef Py_ssize_t axis_of[3]
    cdef tuple batch
    cdef Py_ssize_t n_batch

    def __init__(self, axes, batch, Py_ssize_t n_batch, Py_ssize_t group, singles, firsts,
                 seconds, weights, double divisor, bint difference, filters=None):
        cdef RoundedSum* p = &self.p
        self.batch = tuple(batch)
        self.n_batch = n_batch
        self.tables = read_axes(&p.z, &p.y, &p.x.axis, self.axis_of, axes)
        p.x.group = group
        self.lay_out(p, 1)
        self.weights = np.ascontiguousarray(weights, np.float64)
        taps = np.array([p.plane, p.pitch, group], np.intp)
        self.offsets = [np.ascontiguousarray(a @ taps) for a in (singles, firsts, seconds)]
        p.terms.n_singles, p.terms.n_pairs = len(singles), len(firsts)
        p.terms.singles = <const Py_ssize_t*>cnp.PyArray_DATA(self.offsets[0])
        p.terms.firsts = <const Py_ssize_t*>cnp.PyArray_DATA(self.offsets[1])
        p.terms.seconds = <const Py_ssize_t*>cnp.PyArray_DATA(self.offsets[2])
        p.terms.weights = <const double*>cnp.PyArray_DATA(self.weights)
        p.terms.divisor = divisor
        p.terms.mean = len(firsts) == 0 and bool(np.all(self.weights == 1))
        p.terms.difference = difference
        p.filters = NULL
        if filters is not None:
            self.kept = np.array(filters, np.intp)
            p.filters = numbers(self.kept)

    cdef void lay_out(self, RoundedSum* p, int threads) noexcept:
        """Cut the work: a buffer that stays in the cache, units for each thread.

        The buffer is the same for any number of threads.
        """
        cdef Py_ssize_t item = sizeof(double), group = p.x.group
        cdef Py_ssize_t lanes = STENCIL_VECTOR_BYTES // item
        cdef Py_ssize_t cols = ROUNDED_SUM_WINDOW // item // (p.y.taps * p.z.taps)
        cols = most(2 * ROUNDED_SUM_STEP, cols // ROUNDED_SUM_STEP * ROUNDED_SUM_STEP)
        p.unit_cols = least(p.x.axis.out, most(1, cols // group))
        p.pitch = ceil_div(p.unit_cols * group, ROUNDED_SUM_STEP) * ROUNDED_SUM_STEP
        p.pitch += ceil_div((p.x.axis.taps - 1) * group, lanes) * lanes
        if p.pitch * item % 1024 == 0:  # rows would fall into the same cache sets
            p.pitch += lanes
        p.rows = ROUNDED_SUM_BYTES // (p.z.taps * p.pitch * item) - p.y.taps + 1
        p.rows = least(p.y.out, most(p.rows, most(8, p.y.taps // 2)))
        p.plane = (p.rows + p.y.taps - 1) * p.pitch
        p.unit_rows = p.rows
        p.n_panels = ceil_div(p.x.axis.out, p.unit_cols)
        # Rows beyond a slab are converted, which takes far less than sums.
        p.unit_rows = slab_rows(p.unit_rows, most(4, p.y.taps // 2), p.y.out, p.y.taps // 4,
                                self.n_batch * p.z.out, p.n_panels,
                                narrow_panel(p.x.axis.out, p.unit_cols, p.n_panels), threads)
        p.n_slabs = ceil_div(p.y.out, p.unit_rows)

    cdef Py_ssize_t each(self) noexcept:
        """Return the bytes that a thread needs."""
        cdef Py_ssize_t samples = self.p.z.taps * self.p.plane + self.p.pitch + 2 * ROUNDED_SUM_STEP
        return (samples * <Py_ssize_t>sizeof(double) + 127) // 64 * 64

    def workspace(self):
        """Return the bytes that a thread needs."""
        return self.each()

    def run(self, cnp.ndarray x, cnp.ndarray y, double fill, bint half_even, bint clip,
            int threads, double low=0, double high=0):
        """Write the results to ``y``, C-contiguous, native and apart from ``x``.

        They are rounded half to even, or cut towards zero. Those that are cut and clipped lie from
        ``low`` to ``high``, which a signed 64-bit integer holds.
        """
        cdef RoundedSum p = self.p
        cdef Call call
        cdef Py_ssize_t each
        cdef double products
        cdef int x_code = row_codes[cnp.PyArray_TYPE(x)]
        self.lay_out(&p, threads)
        p.z_stride, p.out_z = stride_of(x, self.axis_of[0]), stride_of(y, self.axis_of[0])
        p.y_stride, p.out_y = stride_of(x, self.axis_of[1]), stride_of(y, self.axis_of[1])
        p.x.pixel_stride = p.x.sample_stride = x.strides[self.axis_of[2]]
        if p.x.group > 1:  # contiguous, whatever the strides of axes of length 1
            p.x.sample_stride = cnp.PyArray_ITEMSIZE(x)
            p.x.pixel_stride = p.x.group * p.x.sample_stride
        set_row_load(&p.x, SUMS_DOUBLE, x_code)
        p.x.same = x_code == ROW_DOUBLE and p.x.sample_stride == <Py_ssize_t>sizeof(double)
        p.x.fill = <const void*>&fill
        p.x.n_fill = 1
        p.out_item = cnp.PyArray_ITEMSIZE(y)
        p.terms.inverse = 0
        if (p.terms.mean and 1 < p.terms.divisor <= ROUNDED_SUM_SAMPLES and x.dtype.kind in "biu"
                and cnp.PyArray_ITEMSIZE(x) <= 4 and abs(fill) <= ROUNDED_SUM_LARGEST
                and fill == <double><long long>fill):
            p.terms.inverse = 1 / p.terms.divisor
        p.terms.whole, p.terms.truth = half_even, y.dtype.kind == "b"
        p.terms.clip, p.terms.low, p.terms.high = clip and not half_even, low, high
        p.emit = row_cuts[row_codes[cnp.PyArray_TYPE(y)]]
        if half_even:
            p.emit = row_emits[SUMS_DOUBLE][clip][row_codes[cnp.PyArray_TYPE(y)]]
        each = self.each()
        products = <double>p.unit_rows * p.unit_cols * p.x.group
        products *= p.terms.n_singles + 2 * p.terms.n_pairs
        call.loop = &p
        # The ends of rows are summed, and not used: workspace begins as zeros.
        run_batch(run_rounded_sums, &call, self.batch, self.n_batch, x, y,
                  self.n_batch * p.z.out * p.n_slabs * p.n_panels, products, threads, each, each,
                  False)
