# means: y = Σ x / n over boxes of n samples of 8 bits, rounded half to even.
#
# The work is cut into units: one batch item, a slab of rows, a panel of columns. A unit goes down
# the rows that it reads. Each is packed with its border and summed along x by windows that double
# (box.h), in 16 bits, to a ring of rows; the window along y takes in the newest of them and leaves
# out the oldest, in 16 or 32 bits, which is exact (means.h).

cdef extern from "box.h":
    void box_widen_int16(const int16_t* s, Py_ssize_t half, const int16_t* x, int16_t* out,
                         Py_ssize_t n, bint streaming) noexcept nogil

cdef extern from "means.h":
    void mean_row(const int16_t* entered, const int16_t* left, Py_ssize_t n, int divisor,
                  int* sums, int16_t* y) noexcept nogil
    ctypedef struct ShortMean:
        uint16_t least
    bint short_mean(ShortMean* m, int low, int high, int divisor) noexcept nogil
    void mean_row_short(const int16_t* entered, const int16_t* left, Py_ssize_t n,
                        const ShortMean* m, uint16_t* sums, int16_t* y) noexcept nogil

cdef Py_ssize_t MEANS_COLS = 4096       # samples of a panel


cdef struct Means:
    SpatialAxis y
    Source x
    Py_ssize_t y_stride, out_y, out_item
    row_emit emit
    int divisor
    bint is_short                       # whether sums are of 16 bits, and how they are divided then
    ShortMean short_mean
    Py_ssize_t n_slabs, n_panels, unit_rows, unit_cols
    Py_ssize_t lanes, pitch             # in samples: of a vector, of a row


cdef void widen_row(const Means* p, const int16_t* row, Py_ssize_t n, int16_t* out) noexcept nogil:
    """Sum a packed row along x, to n sums."""
    cdef Py_ssize_t taps = p.x.axis.taps, width = 1, wider, bits = 0, i, size
    if taps == 1:
        copy_row(out, row, n)
        return
    while taps >> (bits + 1):
        bits += 1
    for i in range(bits - 1, -1, -1):
        wider = taps >> i
        size = n + (taps - wider) * p.x.group
        box_widen_int16(row if width == 1 else out, width * p.x.group,
                        row if wider & 1 else NULL, out, ceil_div(size, p.lanes) * p.lanes, False)
        width = wider


cdef void mean_patch(const Means* p, Py_ssize_t row_from, Py_ssize_t rows, Py_ssize_t col_from,
                     Py_ssize_t cols, const char* x, char* out, int16_t* work) noexcept nogil:
    """Go down a panel of columns; ``out`` is where its first row begins."""
    cdef Py_ssize_t n = cols * p.x.group, pixels = cols + p.x.axis.taps - 1
    cdef Py_ssize_t first = col_from - p.x.axis.low, held = p.y.taps + 1, r, index
    cdef Py_ssize_t before = pixels_before(&p.x, first, 1, pixels)
    cdef Py_ssize_t until_end = pixels_until_end(&p.x, first, 1, pixels)
    # Workspace: sums of columns, a packed row, nothing, means, the ring.
    cdef int* sums = <int*>work
    cdef uint16_t* short_sums = <uint16_t*>work
    cdef int16_t* packed = work + 2 * p.pitch
    cdef int16_t* nothing = packed + p.pitch
    cdef int16_t* means = nothing + p.pitch
    cdef int16_t* ring = means + p.pitch
    cdef const int16_t* left
    cdef int16_t* y
    memset(work, 0, 4 * p.pitch * sizeof(int16_t))
    if p.is_short:
        for r in range(n):
            short_sums[r] = p.short_mean.least
    for r in range(rows + p.y.taps - 1):
        index = source_index(&p.y, row_from + r - p.y.low)
        pack_pixels(&p.x, <const char*>NULL if index < 0 else x + index * p.y_stride, first, 1,
                    before, until_end, pixels, packed)
        widen_row(p, packed, n, ring + r % held * p.pitch)
        left = nothing if r < p.y.taps else ring + (r - p.y.taps) % held * p.pitch
        y = NULL if r < p.y.taps - 1 else means
        if p.is_short:
            mean_row_short(ring + r % held * p.pitch, left, n, &p.short_mean, short_sums, y)
        else:
            mean_row(ring + r % held * p.pitch, left, n, p.divisor, sums, y)
        if y != NULL:
            p.emit(means, n, out + (r - p.y.taps + 1) * p.out_y, p.out_item)


cdef Py_ssize_t run_means(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                          void* work) noexcept nogil:
    """Run units start … stop − 1, in the order batch, slab, panel."""
    cdef const Means* p = <const Means*>c.loop
    cdef Py_ssize_t unit, rest, row_from, col_from
    for unit in range(start, stop):
        col_from = unit % p.n_panels * p.unit_cols
        rest = unit // p.n_panels
        row_from = rest % p.n_slabs * p.unit_rows
        rest = rest // p.n_slabs
        mean_patch(p, row_from, least(p.unit_rows, p.y.out - row_from), col_from,
                   least(p.unit_cols, p.x.axis.out - col_from), c.x + c.x_batch[rest],
                   c.y + c.y_batch[rest] + row_from * p.out_y + col_from * p.x.group * p.out_item,
                   <int16_t*>work)
    return 0


cdef class MeansLoop:
    """A bound problem: its axes y and x, its tables.

    Parameters are plain numbers, checked by the caller: axes and batch as those of `DirectLoop`,
    of which there is none along z; the sums of a row fit 16 bits, those of a box 24.
    """

    cdef Means p
    cdef object tables
    cdef Py_ssize_t axis_of[2]
    cdef tuple batch
    cdef Py_ssize_t n_batch, each

    def __init__(self, axes, batch, Py_ssize_t n_batch, Py_ssize_t group):
        cdef Means* p = &self.p
        self.axis_of[0], self.axis_of[1] = axes[0][0], axes[1][0]
        self.tables = [read_axis(&p.y, axes[0]), read_axis(&p.x.axis, axes[1])]
        self.batch = tuple(batch)
        self.n_batch = n_batch
        p.x.group = group
        p.x.n_fill = 1
        p.divisor = <int>(p.y.taps * p.x.axis.taps)
        p.lanes = STENCIL_VECTOR_BYTES // <Py_ssize_t>sizeof(int16_t)
        self.lay_out(p, 1)

    cdef void lay_out(self, Means* p, int threads) noexcept:
        """Cut the work: signals in time, units for each thread."""
        cdef Py_ssize_t few = most(8, 2 * p.y.taps)
        p.unit_cols = least(p.x.axis.out, most(MEANS_COLS, 2 * p.x.axis.taps) // p.x.group + 1)
        p.n_panels = ceil_div(p.x.axis.out, p.unit_cols)
        p.unit_rows = p.y.out
        while p.unit_rows > few and self.additions(p) > PRODUCTS_BETWEEN_SIGNALS:
            p.unit_rows = ceil_div(p.unit_rows, 2)
        p.unit_rows = slab_rows(p.unit_rows, ceil_div(few, 2), p.y.out, p.y.taps, self.n_batch,
                                p.n_panels,
                                narrow_panel(p.x.axis.out, p.unit_cols, p.n_panels), threads)
        p.n_slabs = ceil_div(p.y.out, p.unit_rows)
        # Two vectors more: rows are read and written by whole ones.
        p.pitch = (ceil_div((p.unit_cols + p.x.axis.taps - 1) * p.x.group, p.lanes) + 2) * p.lanes
        if p.pitch % 512 == 0:  # rows would fall into the same sets of the cache
            p.pitch += p.lanes
        self.each = (p.pitch * (p.y.taps + 6) * <Py_ssize_t>sizeof(int16_t) + 127) // 64 * 64

    cdef double additions(self, const Means* p) noexcept:
        """Return about how many additions a unit takes."""
        return <double>(p.unit_rows + p.y.taps) * p.unit_cols * p.x.group * BOX_ADDITIONS

    def workspace(self):
        """Return the bytes that a thread needs."""
        return self.each

    def run(self, cnp.ndarray x, cnp.ndarray y, int fill, bint clip, int threads):
        """Write the means to ``y``; both are C-contiguous and native, ``x`` is of 8 bits."""
        cdef Means p = self.p
        cdef int16_t outside = <int16_t>fill
        cdef int low
        cdef Call call
        self.lay_out(&p, threads)
        p.y_stride = stride_of(x, self.axis_of[0])
        p.out_y = stride_of(y, self.axis_of[0])
        p.x.sample_stride = 1
        p.x.pixel_stride = p.x.group
        p.x.same = False
        p.x.fill = &outside
        set_row_load(&p.x, SUMS_INT16, row_codes[cnp.PyArray_TYPE(x)])
        p.out_item = cnp.PyArray_ITEMSIZE(y)
        p.emit = row_emits[SUMS_INT16][clip][row_codes[cnp.PyArray_TYPE(y)]]
        low = -128 if cnp.PyArray_TYPE(x) == cnp.NPY_INT8 else 0
        p.is_short = short_mean(&p.short_mean, least(low, fill), most(low + 255, fill), p.divisor)
        call.loop = &p
        run_batch(run_means, &call, self.batch, self.n_batch, x, y,
                  self.n_batch * p.n_slabs * p.n_panels, self.additions(&p), threads, self.each,
                  0, False)
