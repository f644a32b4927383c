# fixed: samples of 8 bits summed in fixed point and cut to integers, for `pyconv.ndimage`.
#
# Kernels along up to three axes, one after the other, whose results are cut in between; or one
# kernel of up to three axes. Kernels along z and y sum whole rows, straight from the caller's array
# where there is no other before them. What they give, or the samples, goes to lines of 16 bits
# with their border along x, from which the last kernel is summed. The lines of some rows stay in
# the cache, and so does what is filtered along z, for as many rows as a unit has.
#
# The work is cut into units: one batch item, one plane, a slab of rows, a panel of columns.

cdef extern from "fixed.h":
    ctypedef struct fixed_terms:
        Py_ssize_t n, n_singles, n_all
        const double* weights
        const short* high
        const short* low
        const short* flat
        double divisor
        int fold, wrap, fraction, doubtful, negative
    enum:
        FIXED_INT8
        FIXED_UINT8
        FIXED_INT16
        FIXED_STEP
    ctypedef void (*fixed_row)(const fixed_terms* t, const char* const* a, const char* const* b,
                               Py_ssize_t n, char* out, int bytes) noexcept nogil
    const fixed_row fixed_rows[3][4]
    void fixed_widen(const char* x, int kind, Py_ssize_t n, short* y) noexcept nogil
    void fixed_emit(const short* x, Py_ssize_t n, char* y, Py_ssize_t item) noexcept nogil
    void fixed_roots(const unsigned char* const* x, Py_ssize_t count, Py_ssize_t n,
                     unsigned char* y) noexcept nogil

# Bytes of the lines that the last kernel is summed from, of the rows that one along y reads at a
# time, and of what has been filtered along z: parts of the caches of the first and second level.
cdef Py_ssize_t FIXED_LINES = 128 << 10
cdef Py_ssize_t FIXED_WINDOW = 20 << 10
cdef Py_ssize_t FIXED_PLANE = 256 << 10
# Samples whose roots are taken at a time.
cdef Py_ssize_t FIXED_BLOCK = 8 << 10
# Samples of rows that are joined, at most.
cdef Py_ssize_t FIXED_SHORT = 512
# Samples of the panels of a kernel along y alone, which threads share.
cdef Py_ssize_t FIXED_PANEL = 32 << 10


cdef struct FixedStage:
    bint present
    fixed_terms terms
    # Of both samples of each term: which tap along the axis; of the last kernel, where in a line.
    const Py_ssize_t* taps


cdef struct Fixed:
    SpatialAxis z, y, x
    FixedStage deep, down, last         # along z and y from rows; from lines
    Py_ssize_t group                    # samples of a pixel
    Py_ssize_t z_stride, y_stride       # of the caller's array, in bytes
    Py_ssize_t out_z, out_y, out_item   # of the result, in bytes
    Py_ssize_t unit_rows, unit_cols, n_slabs, n_panels
    Py_ssize_t planes, rows             # of lines that an output of the last kernel reads
    Py_ssize_t block                    # rows of outputs that lines are made for
    # Samples of a line, of a row filtered along z, of a panel of columns and of a row of it.
    Py_ssize_t pitch, row_pitch, panel, panel_pitch
    Py_ssize_t most_terms, most_taps
    Py_ssize_t fill_at, lines_at, deep_at, panel_at, row_at     # in the workspace, in bytes
    # Whether rows are so short that those of a plane follow each other in the workspace, and are
    # summed as one.
    bint joined
    int kind
    short fill


cdef inline const char* fixed_source(const Fixed* p, const char* x, Py_ssize_t z, Py_ssize_t y,
                                     const char* fill) noexcept nogil:
    """Return the row of the array at these coordinates, or the fill."""
    cdef Py_ssize_t plane = source_index(&p.z, z), row = source_index(&p.y, y)
    if plane < 0 or row < 0:
        return fill
    return x + plane * p.z_stride + row * p.y_stride


cdef void sum_fixed(const Fixed* p, const FixedStage* s, int kind, const char** rows,
                    Py_ssize_t n, char* out, bint narrow, char* work) noexcept nogil:
    """Sum n samples of rows, one for each tap."""
    cdef const char** a = <const char**>work
    cdef const char** b = a + p.most_terms
    cdef Py_ssize_t k
    for k in range(s.terms.n):
        a[k] = rows[s.taps[2 * k]]
        b[k] = rows[s.taps[2 * k + 1]]
    fixed_rows[kind][s.terms.fold](&s.terms, a, b, n, out, narrow)


cdef void fill_fixed(short* out, short value, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = value


cdef void fixed_deep_rows(const Fixed* p, const char* x, Py_ssize_t z, Py_ssize_t row,
                          Py_ssize_t rows, short* out, char* work) noexcept nogil:
    """Filter along z some rows that follow each other, as one."""
    cdef const char** taps = <const char**>work + 2 * p.most_terms
    cdef Py_ssize_t n = p.x.size * p.group, t
    cdef short* copy
    for t in range(p.z.taps):
        taps[t] = fixed_source(p, x, z + t - p.z.low, row, work + p.fill_at)
        if n < FIXED_STEP:  # the caller's rows have no room for a step
            copy = <short*>(work + p.panel_at) + t * FIXED_STEP
            fixed_widen(taps[t], p.kind, n, copy)
            taps[t] = <const char*>copy
    sum_fixed(p, &p.deep, FIXED_INT16 if n < FIXED_STEP else p.kind, taps, rows * n, <char*>out,
              False, work)


cdef void fixed_deep(const Fixed* p, const char* x, Py_ssize_t z, Py_ssize_t row_from,
                     Py_ssize_t rows, char* work) noexcept nogil:
    """Filter along z the rows that outputs from ``row_from`` on read along y."""
    cdef Py_ssize_t n = p.x.size * p.group, total = rows + p.y.taps - 1
    cdef Py_ssize_t first = row_from - p.y.low, q = 0, row
    cdef short* out = <short*>(work + p.deep_at)
    cdef Py_ssize_t inside = most(0, -first), until = least(total, p.y.size - first), t
    cdef bint joined = p.joined and p.y_stride == n
    for t in range(p.z.taps):
        joined &= source_index(&p.z, z + t - p.z.low) >= 0
    if joined and inside < until:
        fixed_deep_rows(p, x, z, first + inside, until - inside, out + inside * p.row_pitch, work)
    while q < total:
        row = source_index(&p.y, first + q)
        if row < 0:
            fill_fixed(out + q * p.row_pitch, p.fill, n)
        elif not joined or not first + inside <= row < first + until:
            fixed_deep_rows(p, x, z, row, 1, out + q * p.row_pitch, work)
        elif not inside <= q < until:  # outside is what lies inside
            memcpy(out + q * p.row_pitch, out + (row - first) * p.row_pitch, 2 * n)
        q += 1


cdef void fixed_down(const Fixed* p, const char* x, Py_ssize_t z, Py_ssize_t row_from,
                     Py_ssize_t done, Py_ssize_t rows, Py_ssize_t first, Py_ssize_t n, char* out,
                     Py_ssize_t out_pitch, bint narrow, char* work) noexcept nogil:
    """Filter along y n samples of some rows, which follow ``done`` others of a slab.

    Panels of columns are so narrow that the rows which an output reads stay in the first cache.
    They are copied, for the caller's may all fall into the same sets of it.
    """
    cdef const char** taps = <const char**>work + 2 * p.most_terms
    cdef Py_ssize_t r, t, at = 0, cols, pitch = p.row_pitch
    cdef short* panel
    if p.joined and p.deep.present and n == pitch and not narrow:
        for t in range(p.y.taps):
            taps[t] = work + p.deep_at + 2 * (done + t) * pitch
        panel = <short*>(work + p.row_at)
        sum_fixed(p, &p.down, FIXED_INT16, taps, rows * n, <char*>panel, False, work)
        for r in range(rows):
            memcpy(out + r * out_pitch, panel + r * n, 2 * n)
        return
    while at < n:
        cols = n - at if n - at < 2 * p.panel else p.panel
        if p.deep.present:
            panel = <short*>(work + p.deep_at) + done * pitch + first + at
        else:
            pitch = p.panel_pitch
            panel = <short*>(work + p.panel_at)
            for r in range(rows + p.y.taps - 1):
                fixed_widen(fixed_source(p, x, z, row_from + done + r - p.y.low, work + p.fill_at)
                            + first + at, p.kind, cols, panel + r * pitch)
        for r in range(rows):
            for t in range(p.y.taps):
                taps[t] = <const char*>(panel + (r + t) * pitch)
            sum_fixed(p, &p.down, FIXED_INT16, taps, cols,
                      out + r * out_pitch + at * (1 if narrow else 2), narrow, work)
        at += cols


cdef inline void add_outside(const Fixed* p, const char* row, short* line, Py_ssize_t first,
                             Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Fill pixels of a line, whose first is ``first``, that lie outside: from the row, or itself.

    A line that has no row is whole.
    """
    cdef Py_ssize_t i, index
    for i in range(start, stop):
        index = source_index(&p.x, first + i)
        if index < 0:
            fill_fixed(line + i * p.group, p.fill, p.group)
        elif row != NULL:
            fixed_widen(row + index * p.group, p.kind, p.group, line + i * p.group)
        else:
            memcpy(line + i * p.group, line + (index - first) * p.group, 2 * p.group)


cdef void fill_lines(const Fixed* p, const char* x, Py_ssize_t z, Py_ssize_t row_from,
                     Py_ssize_t done, Py_ssize_t rows, Py_ssize_t col_from, Py_ssize_t cols,
                     char* work) noexcept nogil:
    """Make the lines that the last kernel reads for some rows, which follow ``done`` others."""
    cdef short* line = <short*>(work + p.lines_at)
    cdef Py_ssize_t first = col_from - (p.x.low if p.last.present else 0)
    cdef Py_ssize_t pixels = cols + (p.x.taps - 1 if p.last.present else 0)
    cdef Py_ssize_t before = least(pixels, most(0, -first))
    cdef Py_ssize_t until_end = most(before, least(pixels, p.x.size - first))
    cdef Py_ssize_t inside = (until_end - before) * p.group
    cdef Py_ssize_t at = (first + before) * p.group
    cdef Py_ssize_t t, q
    cdef const char* row = NULL
    if p.down.present:
        fixed_down(p, x, z, row_from, done, rows, at, inside, <char*>(line + before * p.group),
                 2 * p.pitch, False, work)
    for t in range(p.planes):
        for q in range(rows + p.rows - 1):
            if not p.down.present:
                row = fixed_source(p, x, z + t - p.z.low, row_from + done + q - p.y.low,
                                   work + p.fill_at)
                fixed_widen(row + at, p.kind, inside, line + before * p.group)
            add_outside(p, row, line, first, 0, before)
            add_outside(p, row, line, first, until_end, pixels)
            line += p.pitch
        line += (p.block - rows) * p.pitch


cdef Py_ssize_t run_fixed(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                          void* memory) noexcept nogil:
    """Run units start … stop − 1, in the order batch, plane, slab, panel."""
    cdef const Fixed* p = <const Fixed*>c.loop
    cdef Py_ssize_t unit, rest, z, row_from, rows, col_from, cols, n, done, r, k, block
    cdef char* work = <char*>memory
    cdef const char* source
    cdef const char** a = <const char**>work
    cdef const char** b = a + p.most_terms
    cdef char* out
    cdef char* row
    cdef char* lines = work + p.lines_at
    cdef bint narrow
    memset(work + p.fill_at, <char>p.fill, p.x.size * p.group)
    for unit in range(start, stop):
        col_from = unit % p.n_panels * p.unit_cols
        cols = p.unit_cols
        if unit % p.n_panels == p.n_panels - 1:
            cols = p.x.out - col_from
        rest = unit // p.n_panels
        row_from = rest % p.n_slabs * p.unit_rows
        rows = least(p.unit_rows, p.y.out - row_from)
        rest = rest // p.n_slabs
        z = rest % p.z.out
        source = c.x + c.x_batch[rest // p.z.out]
        out = (c.y + c.y_batch[rest // p.z.out] + z * p.out_z + row_from * p.out_y
               + col_from * p.group * p.out_item)
        n = cols * p.group
        narrow = p.out_item == 1 and n >= FIXED_STEP
        if p.deep.present:
            fixed_deep(p, source, z, row_from, rows, work)
        done = 0
        while done < rows:
            block = least(p.block, rows - done)
            if p.last.present or not narrow:
                fill_lines(p, source, z, row_from, done, block, col_from, cols, work)
            else:
                fixed_down(p, source, z, row_from, done, block, col_from * p.group, n,
                         out + done * p.out_y, p.out_y, True, work)
            if p.joined and p.last.present and narrow:
                for k in range(p.last.terms.n):
                    a[k] = lines + 2 * p.last.taps[2 * k]
                    b[k] = lines + 2 * p.last.taps[2 * k + 1]
                row = work + p.row_at
                fixed_rows[FIXED_INT16][p.last.terms.fold](
                    &p.last.terms, a, b, (block - 1) * p.pitch + n, row, True)
                for r in range(block):
                    memcpy(out + (done + r) * p.out_y, row + r * p.pitch, n)
                done += block
                continue
            for r in range(block):
                row = lines + 2 * r * p.pitch
                if p.last.present:
                    for k in range(p.last.terms.n):
                        a[k] = row + 2 * p.last.taps[2 * k]
                        b[k] = row + 2 * p.last.taps[2 * k + 1]
                    row = out + (done + r) * p.out_y if narrow else work + p.row_at
                    fixed_rows[FIXED_INT16][p.last.terms.fold](&p.last.terms, a, b, n, row, narrow)
                if not narrow:
                    fixed_emit(<const short*>row, n, out + (done + r) * p.out_y, p.out_item)
            done += block
    return 0


cdef class FixedLoop:
    """A bound problem: its kernels, its axes, its tables.

    Parameters are plain numbers, checked by the caller: axes and batch as those of `DirectLoop`;
    ``kernels`` are those along z and y of rows and the last one, which is along y and z too if it
    has so many ``planes`` and ``rows``; None where there is none. One along z needs one along y.
    Each gives the taps of both samples of its terms along z, y and x, the weights in double, their
    halves, what flat areas become (None if that is not known), the divisor, and the numbers of
    `fixed_terms` in their order.
    """

    cdef Fixed p
    cdef object tables, held
    cdef Py_ssize_t axis_of[3]
    cdef tuple batch
    cdef Py_ssize_t n_batch, each

    def __init__(self, axes, batch, Py_ssize_t n_batch, Py_ssize_t group, kernels,
                 Py_ssize_t planes, Py_ssize_t rows):
        cdef Fixed* p = &self.p
        self.batch = tuple(batch)
        self.n_batch = n_batch
        self.tables = read_axes(&p.z, &p.y, &p.x, self.axis_of, axes)
        p.group = group
        p.planes, p.rows = planes, rows
        p.most_taps = most(p.z.taps, p.y.taps)
        p.most_terms = 0
        for kernel in kernels:
            if kernel is not None:
                p.most_terms = most(p.most_terms, len(kernel[0]))
        p.deep.present, p.down.present, p.last.present = (k is not None for k in kernels)
        self.lay_out(p, 1)
        self.held = []
        if p.deep.present:
            self.read_kernel(&p.deep, kernels[0], [1, 0, 0])
        if p.down.present:
            self.read_kernel(&p.down, kernels[1], [0, 1, 0])
        if p.last.present:
            self.read_kernel(&p.last, kernels[2],
                             [(p.block + rows - 1) * p.pitch, p.pitch, group])

    cdef read_kernel(self, FixedStage* s, kernel, steps):
        """Set the terms of a kernel, whose taps along z, y and x are so many places apart."""
        cdef fixed_terms* t = &s.terms
        taps, weights, high, low, flat, divisor, numbers = kernel
        arrays = [
            np.ascontiguousarray(taps @ np.array(steps, np.intp), np.intp),
            np.ascontiguousarray(weights, np.float64),
            np.ascontiguousarray(high, np.int16),
            np.ascontiguousarray(low, np.int16),
            None if flat is None else np.ascontiguousarray(flat, np.int16),
        ]
        self.held.append(arrays)
        s.taps = <const Py_ssize_t*>cnp.PyArray_DATA(arrays[0])
        t.weights = <const double*>cnp.PyArray_DATA(arrays[1])
        t.high = <const short*>cnp.PyArray_DATA(arrays[2])
        t.low = <const short*>cnp.PyArray_DATA(arrays[3])
        t.flat = <const short*>NULL if flat is None else <const short*>cnp.PyArray_DATA(arrays[4])
        t.divisor = divisor
        t.n, t.n_singles, t.n_all, t.fold, t.wrap, t.fraction, t.doubtful, t.negative = numbers

    cdef void lay_out(self, Fixed* p, int threads) noexcept:
        """Cut the work: lines that stay in the cache, units for each thread.

        Lines lie the same for any number of threads.
        """
        cdef Py_ssize_t group = p.group, lines = p.planes * p.rows, most_rows, widest, n
        p.unit_cols = p.x.out
        if not p.down.present:
            p.unit_cols = most(8 * FIXED_STEP, FIXED_WINDOW // (2 * lines)) // group
        elif not p.last.present and not p.deep.present:
            p.unit_cols = FIXED_PANEL // group
        p.unit_cols = most(1, least(p.x.out, p.unit_cols))
        p.n_panels = p.x.out // p.unit_cols
        widest = p.x.out - (p.n_panels - 1) * p.unit_cols
        n = widest * group
        # Rows that tiles go through by many steps, or that are few, gain nothing.
        p.joined = (p.n_panels == 1 and FIXED_STEP <= n <= FIXED_SHORT and n == p.x.size * group
                    and p.planes * p.rows == 1 and p.down.present)
        p.pitch = n + ((p.x.taps - 1) * group if p.last.present else 0)
        p.row_pitch = p.x.size * group
        if not p.joined:
            p.pitch, p.row_pitch = line_pitch(p.pitch), line_pitch(p.row_pitch)
        p.block = FIXED_LINES // (2 * p.pitch * p.planes) - p.rows + 1
        p.block = most(1, least(p.y.out, most(p.block, 2 * (p.rows - 1))))
        most_rows = most(64, p.block)
        if p.deep.present:
            most_rows = FIXED_PLANE // (2 * p.row_pitch) - p.y.taps + 1
            most_rows = most(most_rows, 2 * p.y.taps)
        p.panel = most(4, FIXED_WINDOW // (2 * p.y.taps * FIXED_STEP)) * FIXED_STEP
        p.panel_pitch = line_pitch(least(n, 2 * p.panel))
        p.unit_rows = least(p.y.out, most_rows)
        # Rows beyond a slab are copied, which takes far less than sums.
        p.unit_rows = slab_rows(p.unit_rows, most(4, p.y.taps // 2), p.y.out, p.y.taps // 4,
                                self.n_batch * p.z.out, p.n_panels,
                                <double>widest / p.unit_cols, threads)
        p.n_slabs = ceil_div(p.y.out, p.unit_rows)
        p.fill_at = (2 * p.most_terms + p.most_taps) * <Py_ssize_t>sizeof(char*)
        p.lines_at = whole_lines(p.fill_at + p.x.size * group + FIXED_STEP)
        p.deep_at = whole_lines(p.lines_at + 2 * p.planes * (p.block + p.rows - 1) * p.pitch
                                + 2 * FIXED_STEP)
        p.panel_at = p.deep_at
        if p.deep.present:
            p.panel_at += whole_lines(2 * (most_rows + p.y.taps - 1) * p.row_pitch
                                      + 2 * FIXED_STEP)
        p.row_at = p.panel_at + whole_lines(2 * most(p.z.taps * FIXED_STEP, (
            p.block + p.y.taps - 1) * p.panel_pitch))
        self.each = p.row_at + whole_lines(2 * line_pitch(p.block * p.pitch if p.joined else n))

    def workspace(self):
        """Return the bytes that a thread needs."""
        return self.each

    def run(self, cnp.ndarray x, cnp.ndarray y, int fill, int threads):
        """Write the results to ``y``; both are C-contiguous and native, ``x`` is of 8 bits."""
        cdef Fixed p = self.p
        cdef Call call
        cdef double products
        self.lay_out(&p, threads)
        p.z_stride, p.out_z = stride_of(x, self.axis_of[0]), stride_of(y, self.axis_of[0])
        p.y_stride, p.out_y = stride_of(x, self.axis_of[1]), stride_of(y, self.axis_of[1])
        p.kind = FIXED_INT8 if x.dtype.kind == "i" else FIXED_UINT8
        p.fill = <short>fill
        p.out_item = cnp.PyArray_ITEMSIZE(y)
        products = <double>p.unit_rows * p.unit_cols * p.group * 2
        products *= p.deep.terms.n + p.down.terms.n + p.last.terms.n
        call.loop = &p
        run_batch(run_fixed, &call, self.batch, self.n_batch, x, y,
                  self.n_batch * p.z.out * p.n_slabs * p.n_panels, products, threads, self.each,
                  0, False)


cdef inline Py_ssize_t whole_lines(Py_ssize_t n) noexcept nogil:
    """Return n bytes, as whole lines of the cache, and one more."""
    return (n + 127) // 64 * 64


cdef inline Py_ssize_t line_pitch(Py_ssize_t samples) noexcept nogil:
    """Return samples from line to line: room for a step, and not the same sets of the cache."""
    cdef Py_ssize_t pitch = ceil_div(samples + FIXED_STEP, 32) * 32
    return pitch + 32 if pitch % 512 == 0 else pitch


def root_of_squares(cnp.ndarray y, parts):
    """Overwrite ``y`` with ⌊√(y² + Σ part²)⌋ of squares and a sum that wrap.

    All are C-contiguous arrays of uint8 of one shape.
    """
    cdef Py_ssize_t size = y.size, count = len(parts), at = 0, k
    cdef const unsigned char** x = <const unsigned char**>take_block(count * sizeof(char*))
    cdef unsigned char* out = <unsigned char*>cnp.PyArray_BYTES(y)
    for k in range(count):
        x[k] = <const unsigned char*>cnp.PyArray_BYTES(parts[k])
    with nogil:
        while at < size:  # a block at a time, which stays in the cache
            fixed_roots(x, count, least(FIXED_BLOCK, size - at), out + at)
            for k in range(count):
                x[k] += FIXED_BLOCK
            at += FIXED_BLOCK
    put_block(<void*>x)
