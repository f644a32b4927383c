# separable: y = Σ_r u_r ∗ (v_r ∗ x), rows first, columns from a strip that stays in the cache.
#
# The work is cut into units: one batch item, a slab of rows, a panel of columns. A unit goes down
# its panel: it filters the rows that come into reach along x, each with every v, into a strip for
# each r; then the columns of the strips, the taps of one strip after the other, give the next rows
# of the result. What the rows after those still read is moved to the top of the strips.
# Borders are those of the filtered rows: a row outside x is filtered like any other.

cdef Py_ssize_t STRIP_BYTES = 512 << 10
cdef Py_ssize_t STRIP_COLS = 768      # samples of float32
cdef Py_ssize_t STRIP_ROWS = 64       # that are added at a time, if no kernel is taller


cdef struct Strips:
    Stencil across, down    # the tiles of both passes; ``down`` has the axes and the result
    Py_ssize_t rank
    Py_ssize_t n_slabs, n_panels, unit_rows, unit_cols
    Py_ssize_t step_rows, span_rows, span_cols
    Py_ssize_t pitch, strip_rows, line      # of a strip; samples of one packed row


cdef inline bint all_finite(const sum_t* row, Py_ssize_t n) noexcept nogil:
    """Return whether no sample is NaN or infinite: no exponent carries into the sign."""
    cdef Py_ssize_t i
    cdef uint32_t carried32 = 0
    cdef uint64_t carried64 = 0
    if sum_t is float:
        for i in range(n):
            carried32 |= ((<const uint32_t*>row)[i] & <uint32_t>0x7f800000) + <uint32_t>0x00800000
        return carried32 >> 31 == 0
    elif sum_t is double:
        for i in range(n):
            carried64 |= ((<const uint64_t*>row)[i] & <uint64_t>0x7ff0000000000000) \
                + <uint64_t>0x0010000000000000
        return carried64 >> 63 == 0
    else:
        return True


cdef bint filter_row(const Strips* p, const char* plane, Py_ssize_t coordinate,
                     Py_ssize_t col_from, Py_ssize_t cols, sum_t* out, sum_t* line,
                     sum_t* tile) noexcept nogil:
    """Write the row at ``coordinate``, filtered along x, to each strip; False if not finite."""
    cdef const Stencil* s = &p.down
    cdef Stencil across = p.across
    cdef Py_ssize_t index = source_index(&s.y, coordinate)
    cdef Py_ssize_t first = col_from - s.x.axis.low
    cdef Py_ssize_t pixels = cols // s.x.group + p.span_cols - 1
    cdef Py_ssize_t r
    cdef const char* row = NULL
    cdef const sum_t* samples = line
    cdef bint finite = True
    if index >= 0:
        row = plane + index * s.y_stride
    if (row != NULL and s.x.same and first >= 0 and first + pixels <= s.x.axis.size
            and cols >= across.tile_cols):
        samples = <const sum_t*>(row + first * s.x.pixel_stride)
    else:
        pack_pixels(&s.x, row, first, 1, pixels_before(&s.x, first, 1, pixels),
                    pixels_until_end(&s.x, first, 1, pixels), pixels, line)
    for r in range(p.rank):
        across.weights = <const sum_t*>p.across.weights + r * s.x.axis.taps
        run_tile_row(&across, samples, 0, across.segments, 1, cols, <char*>out, tile, NULL)
        finite = all_finite(out, cols) and finite
        out += p.strip_rows * p.pitch
    return finite


cdef bint run_panel(const Strips* p, Py_ssize_t row_from, Py_ssize_t row_to, Py_ssize_t col_from,
                    Py_ssize_t col_to, const char* x, char* y, sum_t* work) noexcept nogil:
    """Go down a panel of columns; False if a filtered row is not finite."""
    cdef const Stencil* s = &p.down
    cdef Py_ssize_t cols = (col_to - col_from) * s.x.group
    cdef Py_ssize_t comb = s.y.dilation
    cdef Py_ssize_t held = 0, at = row_from, rows, q, c, r, n
    cdef sum_t* line = work + p.rank * p.strip_rows * p.pitch
    cdef sum_t* tile = line + p.line
    cdef char* out = y + col_from * s.x.group * s.out_item
    while at < row_to:
        rows = least(p.step_rows, row_to - at)
        for q in range(held, rows + p.span_rows - 1):
            if not filter_row(p, x, at + q - s.y.low, col_from, cols, work + q * p.pitch, line,
                              tile):
                return False
        for c in range(least(comb, rows)):  # rows of one comb are a dilation apart
            n = ceil_div(rows - c, comb)
            r = 0
            while r < n:
                q = least(r, most(0, n - s.tile_rows))
                run_tile_row(s, work + (c + q * comb) * p.pitch, comb * p.pitch, s.segments,
                             least(n, s.tile_rows), cols, out + (at + c + q * comb) * s.out_y,
                             tile, NULL)
                r = q + s.tile_rows
        held = p.span_rows - 1
        for r in range(p.rank):
            memmove(work + r * p.strip_rows * p.pitch,
                    work + (r * p.strip_rows + rows) * p.pitch,
                    held * p.pitch * <Py_ssize_t>sizeof(sum_t))
        at += rows
    return True


cdef bint run_panels(const Strips* p, Py_ssize_t start, Py_ssize_t stop, const char* x,
                     const Py_ssize_t* x_batch, char* y, const Py_ssize_t* y_batch,
                     sum_t* work) noexcept nogil:
    """Run units start … stop − 1, in the order batch, slab, panel; False if not finite."""
    cdef Py_ssize_t unit, rest, batch, row, col
    cdef bint finite = True
    for unit in range(start, stop):
        col = unit % p.n_panels * p.unit_cols
        rest = unit // p.n_panels
        row = rest % p.n_slabs * p.unit_rows
        batch = rest // p.n_slabs
        finite = run_panel(p, row, least(p.down.y.out, row + p.unit_rows), col,
                           least(p.down.x.axis.out, col + p.unit_cols), x + x_batch[batch],
                           y + y_batch[batch], work)
        if not finite:
            break
    if p.down.streaming:
        stencil_fence()
    return finite


cdef bint run_panels_shared(const Strips* p, Py_ssize_t first, Py_ssize_t count, int threads,
                            const char* x, const Py_ssize_t* x_batch, char* y,
                            const Py_ssize_t* y_batch, sum_t* work, Py_ssize_t each) noexcept:
    """Run units first … first + count − 1, contiguous runs of them on each thread."""
    cdef int t
    cdef int spoilt = 0
    if threads == 1:
        with nogil:
            spoilt = not run_panels(p, first, first + count, x, x_batch, y, y_batch, work)
    else:
        for t in prange(threads, nogil=True, num_threads=threads, schedule="static"):
            spoilt += not run_panels(p, first + count * t // threads,
                                     first + count * (t + 1) // threads, x, x_batch, y, y_batch,
                                     <sum_t*>(<char*>work + t * each))
    return spoilt == 0


cdef class SeparableLoop:
    """A bound problem of two axes, y and x: its factors in the order of the tiles.

    Parameters are plain numbers, checked by the caller, as those of `DirectLoop`; ``axes`` holds
    y and x, of stride 1; ``down`` and ``across`` the factors, a row for each r. An ``x`` with
    pixels of several samples is C-contiguous.
    """

    cdef Strips p
    cdef object tables, down, across, segments
    cdef Py_ssize_t axis_of[2]
    cdef tuple batch
    cdef Py_ssize_t n_batch, item
    cdef int sums_code, sums_row

    def __init__(self, sums, axes, batch, Py_ssize_t n_batch, Py_ssize_t group, down, across):
        cdef Stencil* s = &self.p.down
        cdef Stencil* a = &self.p.across
        sums = np.dtype(sums)
        self.sums_code = SUM_CODES[sums]
        self.sums_row = row_codes[sums.num]
        self.item = sums.itemsize
        self.batch = tuple(batch)
        self.n_batch = n_batch
        self.axis_of[0], self.axis_of[1] = axes[0][0], axes[1][0]
        self.tables = [read_axis(&s.y, axes[0]), read_axis(&s.x.axis, axes[1])]
        self.p.rank = down.shape[0]
        self.p.span_rows = (s.y.taps - 1) * s.y.dilation + 1
        self.p.span_cols = (s.x.axis.taps - 1) * s.x.axis.dilation + 1
        s.x.group = group
        s.item = a.item = self.item
        s.lanes = a.lanes = STENCIL_VECTOR_BYTES // self.item
        s.tile_rows, s.tile_cols = STENCIL_AREA_ROWS, STENCIL_AREA_VECTORS * s.lanes
        a.line, a.stored = True, True
        a.y.comb = 1
        a.out_item = self.item
        a.tile_rows, a.tile_cols = 1, STENCIL_LINE_ROWS * a.lanes
        self.lay_out(&self.p, 1)
        self.list_taps(down, across)

    cdef list_taps(self, down, across):
        """Bring the factors into the order of the tiles; list the segments of both."""
        cdef Strips* p = &self.p
        cdef Py_ssize_t lanes = p.down.lanes
        cdef Py_ssize_t taps = p.down.x.axis.taps
        cdef Py_ssize_t step = p.down.x.axis.dilation * p.down.x.group
        cdef Py_ssize_t share = lanes // step if lanes % step == 0 else 0
        cdef Py_ssize_t u, apart
        parts = [(0, taps, 1)]
        if share:  # taps `share` apart are one vector apart: they are rows of the tile
            parts = [(0, taps % share, taps // share + 1),
                     (taps % share, share - taps % share, taps // share)]
        segments, order = [], []
        for col, n_cols, n_rows in parts:
            if n_cols == 0 or n_rows == 0:
                continue
            segments.append((col * step, n_cols, n_rows, step))
            u = 0
            while u < n_rows:
                apart = stencil_group(n_rows - u)
                order += [col + v + (u + i) * share for v in range(n_cols) for i in range(apart)]
                u += apart
        columns = [(r * p.strip_rows * p.pitch, 1, p.down.y.taps, 1) for r in range(p.rank)]
        self.across = np.ascontiguousarray(across[:, order])
        self.down = np.ascontiguousarray(down)
        self.segments = (np.array(segments, np.intp), np.array(columns, np.intp))
        p.across.n_segments, p.down.n_segments = len(segments), len(columns)
        p.across.segments = <const stencil_segment*>cnp.PyArray_DATA(self.segments[0])
        p.down.segments = <const stencil_segment*>cnp.PyArray_DATA(self.segments[1])
        p.across.weights = cnp.PyArray_DATA(self.across)
        p.down.weights = cnp.PyArray_DATA(self.down)

    cdef void lay_out(self, Strips* p, int threads) noexcept:
        """Cut the work: strips within STRIP_BYTES, units for each thread.

        The strips are the same for any number of threads.
        """
        cdef const Stencil* s = &p.down
        cdef Py_ssize_t wanted = 1 if threads == 1 else 4 * threads
        cdef Py_ssize_t cols = most(1, STRIP_COLS * 4 // self.item // s.x.group)
        p.step_rows = least(s.y.out, most(STRIP_ROWS, p.span_rows // 2))
        p.strip_rows = most(p.step_rows, s.tile_rows * s.y.dilation) + p.span_rows - 1
        while (p.rank * p.strip_rows * cols * s.x.group * self.item > STRIP_BYTES
               and cols * s.x.group > 2 * p.across.tile_cols):
            cols = ceil_div(cols, 2)
        p.unit_cols = least(cols, s.x.axis.out)
        p.pitch = most(p.unit_cols * s.x.group, p.across.tile_cols)
        p.pitch = ceil_div(p.pitch, s.lanes) * s.lanes + s.lanes
        if p.pitch * self.item % 1024 == 0:  # rows would fall into the same cache sets
            p.pitch += s.lanes
        p.line = p.pitch + ceil_div(p.span_cols * s.x.group, s.lanes) * s.lanes
        p.n_panels = ceil_div(s.x.axis.out, p.unit_cols)
        p.unit_rows = s.y.out
        while (p.unit_rows > 4 * most(p.step_rows, p.span_rows)
               and <double>p.unit_rows * p.unit_cols * s.x.group * p.rank
               * (s.y.taps + s.x.axis.taps) > PRODUCTS_BETWEEN_SIGNALS):
            p.unit_rows = ceil_div(p.unit_rows, 2)
        while (p.unit_rows > most(p.step_rows, p.span_rows)
               and self.n_batch * p.n_panels * ceil_div(s.y.out, p.unit_rows) < wanted):
            p.unit_rows = ceil_div(p.unit_rows, 2)
        p.n_slabs = ceil_div(s.y.out, p.unit_rows)

    cdef Py_ssize_t thread_bytes(self) noexcept:
        """Return the workspace of one thread, whole cache lines."""
        cdef Py_ssize_t samples = self.p.rank * self.p.strip_rows * self.p.pitch + self.p.line
        return ((samples + STENCIL_TILE_LIMIT) * self.item + 127) // 64 * 64

    def workspace(self):
        """Return the bytes that one thread takes, with the tables of the batch."""
        return self.thread_bytes() + 2 * self.n_batch * <Py_ssize_t>sizeof(Py_ssize_t) + 128

    def run(self, cnp.ndarray x, cnp.ndarray y, cnp.ndarray fill, bint clip, int threads):
        """Solve the problem, as `DirectLoop.run`; return whether all filtered rows are finite."""
        cdef Strips p = self.p
        cdef Py_ssize_t units, shared, each, done = 0, step
        cdef double products
        cdef char* block
        cdef Py_ssize_t* x_batch
        cdef Py_ssize_t* y_batch
        cdef bint finite = True
        self.set_arrays(&p.down, x, y, clip)
        p.down.x.fill = cnp.PyArray_DATA(fill)
        p.down.x.n_fill = fill.shape[0]
        self.lay_out(&p, threads)
        units = self.n_batch * p.n_slabs * p.n_panels
        threads = <int>least(threads, units)
        shared = (2 * self.n_batch * <Py_ssize_t>sizeof(Py_ssize_t) + 127) // 64 * 64
        each = self.thread_bytes()
        products = <double>p.unit_rows * p.unit_cols * p.down.x.group * p.rank
        products *= p.down.y.taps + p.down.x.axis.taps
        step = most(threads, <Py_ssize_t>(threads * PRODUCTS_BETWEEN_SIGNALS / products))
        block = <char*>take_block(shared + threads * each)
        try:
            x_batch = <Py_ssize_t*>block
            y_batch = x_batch + self.n_batch
            list_batch(self.batch, x, y, x_batch, y_batch)
            while done < units and finite:
                step = least(step, units - done)
                if self.sums_code == SUMS_FLOAT:
                    finite = run_panels_shared[float](
                        &p, done, step, threads, cnp.PyArray_BYTES(x), x_batch,
                        cnp.PyArray_BYTES(y), y_batch, <float*>(block + shared), each)
                elif self.sums_code == SUMS_DOUBLE:
                    finite = run_panels_shared[double](
                        &p, done, step, threads, cnp.PyArray_BYTES(x), x_batch,
                        cnp.PyArray_BYTES(y), y_batch, <double*>(block + shared), each)
                else:
                    run_panels_shared[uint64_t](
                        &p, done, step, threads, cnp.PyArray_BYTES(x), x_batch,
                        cnp.PyArray_BYTES(y), y_batch, <uint64_t*>(block + shared), each)
                done += step
                PyErr_CheckSignals()
        finally:
            put_block(block)
        return bool(finite)

    cdef int set_arrays(self, Stencil* s, cnp.ndarray x, cnp.ndarray y, bint clip) except -1:
        cdef int x_code = row_codes[cnp.PyArray_TYPE(x)]
        cdef int y_code = row_codes[cnp.PyArray_TYPE(y)]
        s.y_stride = x.strides[self.axis_of[0]]
        s.x.pixel_stride = x.strides[self.axis_of[1]]
        s.x.sample_stride = s.x.pixel_stride
        if s.x.group > 1:  # contiguous, whatever the strides of axes of length 1
            s.x.sample_stride = cnp.PyArray_ITEMSIZE(x)
            s.x.pixel_stride = s.x.group * s.x.sample_stride
        set_row_load(&s.x, self.sums_code, x_code)
        s.x.same = x_code == self.sums_row and s.x.sample_stride == self.item
        s.out_item = cnp.PyArray_ITEMSIZE(y)
        s.out_y = y.strides[self.axis_of[0]]
        s.y.comb = s.y.dilation
        s.stored = y_code == self.sums_row or (
            not clip and self.sums_code >= SUMS_INT64
            and (y_code == ROW_INT64 or y_code == ROW_UINT64)
        )
        s.emit = row_emits[self.sums_code][clip][y_code]
        s.streaming = (s.stored and cnp.PyArray_NBYTES(y) > STREAM_BYTES
                       and s.y.comb * s.out_y % 64 == 0)
        return 0
