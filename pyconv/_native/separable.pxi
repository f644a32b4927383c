# separable: y = Σ_r u_r ∗ (v_r ∗ x), rows first, columns from a strip that stays in the cache.
#
# The work is cut into units: one batch item, a slab of rows, a panel of columns. A unit goes down
# its panel: it filters the rows that come into reach along x, each with every v, into a strip for
# each r; then the columns of the strips, the taps of one strip after the other, give the next rows
# of the result. What the rows after those still read is moved to the top of the strips.
# Borders are those of the filtered rows: a row outside x is filtered like any other.
# In three dimensions a unit is a run of planes too: each plane that comes into reach goes to a
# slot of a ring in that way, and area tiles with a segment for each plane sum the ring along z.

cdef Py_ssize_t STRIP_BYTES = 512 << 10
cdef Py_ssize_t STRIP_COLS = 768      # samples of float32
cdef Py_ssize_t STRIP_ROWS = 64       # that are added at a time, if no kernel is taller
# Rows of fewer samples are filtered together, about so many samples at a time.
cdef Py_ssize_t SHORT_ROW = 640
cdef Py_ssize_t TOGETHER = 2048
cdef Py_ssize_t RING_BYTES = 2 << 20  # of planes, in the level-3 cache


cdef struct Strips:
    # The tiles of the passes along x, y and z; ``down`` has the axes and the result, or the
    # slots of the ring where there is one, whose result ``deep`` has.
    Stencil across, down, deep
    bint ring
    Py_ssize_t rank
    Py_ssize_t n_runs, n_slabs, n_panels, unit_planes, unit_rows, unit_cols
    Py_ssize_t step_rows, span_planes, span_rows, span_cols
    Py_ssize_t pitch, strip_rows            # of a strip
    Py_ssize_t together, line               # rows that are packed at a time, and their samples
    Py_ssize_t ring_pitch, ring_plane       # in samples


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


cdef bint filter_rows(const Strips* p, const char* plane, Py_ssize_t first_row,
                      Py_ssize_t rows, Py_ssize_t col_from, Py_ssize_t cols, sum_t* out,
                      sum_t* line, sum_t* tile) noexcept nogil:
    """Write rows from the coordinate on, filtered along x, to each strip; False if not finite.

    Several rows are packed a pitch apart and go through as one: what is summed between them is
    not used.
    """
    cdef const Stencil* s = &p.down
    cdef Stencil across = p.across
    cdef Py_ssize_t first = col_from - s.x.axis.low
    cdef Py_ssize_t pixels = cols // s.x.group + p.span_cols - 1
    cdef Py_ssize_t r, i, index
    cdef const char* row = NULL
    cdef const char* ahead = NULL
    cdef const sum_t* samples = line
    cdef bint finite = True
    for i in range(rows):
        row = NULL
        index = source_index(&s.y, first_row + i)
        if index >= 0 and plane != NULL:
            row = plane + index * s.y_stride
            if s.prefetching and index + 1 < s.y.size:
                ahead = row + s.y_stride + most(0, first) * s.x.pixel_stride
        if (rows == 1 and row != NULL and s.x.same and first >= 0
                and first + pixels <= s.x.axis.size and cols >= across.tile_cols):
            samples = <const sum_t*>(row + first * s.x.pixel_stride)
        else:
            pack_pixels(&s.x, row, first, 1, pixels_before(&s.x, first, 1, pixels),
                        pixels_until_end(&s.x, first, 1, pixels), pixels, line + i * p.pitch)
    for r in range(p.rank):
        across.weights = <const sum_t*>p.across.weights + r * s.x.axis.taps
        run_tile_row(&across, samples, 0, across.segments, 1, (rows - 1) * p.pitch + cols,
                     <char*>out, tile, ahead if r == 0 else NULL)
        for i in range(rows):
            finite = all_finite(out + i * p.pitch, cols) and finite
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
        q = held
        while q < rows + p.span_rows - 1:
            n = least(p.together, rows + p.span_rows - 1 - q)
            if not filter_rows(p, x, at + q - s.y.low, n, col_from, cols, work + q * p.pitch,
                               line, tile):
                return False
            q += n
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


cdef struct Room:
    # The outputs of a unit; ends are excluded.
    Py_ssize_t plane_from, plane_to, row_from, row_to, col_from, col_to


cdef bint fill_slot(const Strips* p, const Room* u, const char* x, Py_ssize_t coordinate,
                    sum_t* slot, sum_t* work) noexcept nogil:
    """Filter the plane at ``coordinate`` along x and y into a slot; False if not finite."""
    cdef const Stencil* s = &p.down
    cdef Py_ssize_t index = source_index(&s.z, coordinate)
    cdef Py_ssize_t cols = (u.col_to - u.col_from) * s.x.group
    cdef Py_ssize_t r
    cdef sum_t* first = slot - u.row_from * p.ring_pitch - u.col_from * s.x.group
    if not run_panel(p, u.row_from, u.row_to, u.col_from, u.col_to,
                     NULL if index < 0 else x + index * s.z_stride, <char*>first, work):
        return False
    for r in range(u.row_to - u.row_from):
        if not all_finite(slot + r * p.ring_pitch, cols):
            return False
    return True


cdef bint run_planes(const Strips* p, const Room* u, const char* x, char* y,
                     sum_t* work) noexcept nogil:
    """Go through a run of planes; False if a filtered row is not finite."""
    cdef Stencil s = p.deep
    cdef Py_ssize_t taps = p.down.z.taps, dilation = p.down.z.dilation
    cdef Py_ssize_t rows = u.row_to - u.row_from
    cdef Py_ssize_t cols = (u.col_to - u.col_from) * s.x.group
    cdef Py_ssize_t plane, filled = u.plane_from, k, r, q
    # Workspace: that of `run_panel`, the segments, the ring.
    cdef stencil_segment* segments = <stencil_segment*>(work + strip_samples(p))
    cdef sum_t* ring = <sum_t*>((<uintptr_t>(segments + taps) + 63) // 64 * 64)
    cdef sum_t* tile = work + p.rank * p.strip_rows * p.pitch + p.line
    for plane in range(u.plane_from, u.plane_to):
        while filled < plane + p.span_planes:
            if not fill_slot(p, u, x, filled - p.down.z.low,
                             ring + filled % p.span_planes * p.ring_plane, work):
                return False
            filled += 1
        for k in range(taps):
            segments[k].offset = (plane + k * dilation) % p.span_planes * p.ring_plane
            segments[k].columns = segments[k].rows = segments[k].step = 1
        r = 0
        while r < rows:
            q = least(r, most(0, rows - s.tile_rows))
            run_tile_row(&s, ring + q * p.ring_pitch, p.ring_pitch, segments,
                         least(rows, s.tile_rows), cols, y + plane * s.out_z
                         + (u.row_from + q) * s.out_y + u.col_from * s.x.group * s.out_item,
                         tile, NULL)
            r = q + s.tile_rows
    return True


cdef inline Py_ssize_t strip_samples(const Strips* p) noexcept nogil:
    """Return the samples of the workspace of a panel, whole cache lines."""
    return (p.rank * p.strip_rows * p.pitch + p.line + STENCIL_TILE_LIMIT + 15) // 16 * 16


cdef bint run_panels(const Strips* p, Py_ssize_t start, Py_ssize_t stop, const char* x,
                     const Py_ssize_t* x_batch, char* y, const Py_ssize_t* y_batch,
                     sum_t* work) noexcept nogil:
    """Run units start … stop − 1, in the order batch, planes, slab, panel; False if not finite."""
    cdef Py_ssize_t unit, rest
    cdef Room u
    cdef bint finite = True
    for unit in range(start, stop):
        rest = unit
        u.col_from = rest % p.n_panels * p.unit_cols
        u.col_to = least(p.down.x.axis.out, u.col_from + p.unit_cols)
        rest //= p.n_panels
        u.row_from = rest % p.n_slabs * p.unit_rows
        u.row_to = least(p.down.y.out, u.row_from + p.unit_rows)
        rest //= p.n_slabs
        u.plane_from = rest % p.n_runs * p.unit_planes
        u.plane_to = least(p.down.z.out, u.plane_from + p.unit_planes)
        rest //= p.n_runs
        if p.ring:
            finite = run_planes(p, &u, x + x_batch[rest], y + y_batch[rest], work)
        else:
            finite = run_panel(p, u.row_from, u.row_to, u.col_from, u.col_to,
                               x + x_batch[rest], y + y_batch[rest], work)
        if not finite:
            break
    if p.down.streaming or p.deep.streaming:
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
    """A bound problem of axes z, y and x: its factors in the order of the tiles.

    Parameters are plain numbers, checked by the caller, as those of `DirectLoop`; ``axes`` holds
    z, y and x, of stride 1; ``deep`` the factor along z, None where there is no such axis;
    ``down`` and ``across`` the others, a row for each r. An ``x`` with pixels of several samples
    is C-contiguous.
    """

    cdef Strips p
    cdef object tables, deep, down, across, segments
    cdef Py_ssize_t axis_of[3]
    cdef tuple batch
    cdef Py_ssize_t n_batch, item
    cdef int sums_code, sums_row

    def __init__(self, sums, axes, batch, Py_ssize_t n_batch, Py_ssize_t group, deep, down,
                 across):
        cdef Stencil* s = &self.p.down
        cdef Stencil* a = &self.p.across
        cdef Py_ssize_t i
        sums = np.dtype(sums)
        self.sums_code = SUM_CODES[sums]
        self.sums_row = row_codes[sums.num]
        self.item = sums.itemsize
        self.batch = tuple(batch)
        self.n_batch = n_batch
        for i in range(3):
            self.axis_of[i] = axes[i][0]
        self.tables = [read_axis(&s.z, axes[0]), read_axis(&s.y, axes[1]),
                       read_axis(&s.x.axis, axes[2])]
        self.p.rank = down.shape[0]
        self.p.ring = deep is not None
        self.p.span_planes = (s.z.taps - 1) * s.z.dilation + 1
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
        if self.p.ring:
            self.deep = np.ascontiguousarray(deep)

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
        p.together = 1
        p.pitch = most(p.unit_cols * s.x.group, p.across.tile_cols)
        if p.unit_cols * s.x.group < SHORT_ROW:
            p.pitch = (p.unit_cols + p.span_cols - 1) * s.x.group
            p.together = most(1, TOGETHER // p.pitch)
        p.pitch = ceil_div(p.pitch, s.lanes) * s.lanes + s.lanes
        if p.pitch * self.item % 1024 == 0:  # rows would fall into the same cache sets
            p.pitch += s.lanes
        p.line = most(p.together * p.pitch, p.across.tile_cols) + ceil_div(
            p.span_cols * s.x.group, s.lanes) * s.lanes
        p.unit_rows = s.y.out
        p.unit_planes = s.z.out
        while p.ring and self.ring_samples(p) * self.item > RING_BYTES and (
                p.unit_rows > 4 * p.span_rows):
            p.unit_rows = ceil_div(p.unit_rows, 2)
        while (p.unit_rows > 4 * most(p.step_rows, p.span_rows)
               and self.products(p) > PRODUCTS_BETWEEN_SIGNALS):
            p.unit_rows = ceil_div(p.unit_rows, 2)
        while p.unit_planes > 4 * p.span_planes and self.products(p) > PRODUCTS_BETWEEN_SIGNALS:
            p.unit_planes = ceil_div(p.unit_planes, 2)
        while (p.unit_rows > most(p.step_rows, p.span_rows) and self.units(p) < wanted):
            p.unit_rows = ceil_div(p.unit_rows, 2)
        while p.unit_planes > 2 * p.span_planes and self.units(p) < wanted:
            p.unit_planes = ceil_div(p.unit_planes, 2)
        p.n_panels = ceil_div(s.x.axis.out, p.unit_cols)
        p.n_slabs = ceil_div(s.y.out, p.unit_rows)
        p.n_runs = ceil_div(s.z.out, p.unit_planes)
        p.ring_pitch = p.pitch
        p.ring_plane = most(p.unit_rows, s.tile_rows) * p.ring_pitch + s.lanes

    cdef Py_ssize_t units(self, const Strips* p) noexcept:
        return (self.n_batch * ceil_div(p.down.z.out, p.unit_planes)
                * ceil_div(p.down.y.out, p.unit_rows) * ceil_div(p.down.x.axis.out, p.unit_cols))

    cdef double products(self, const Strips* p) noexcept:
        """Return the multiply-adds of a unit."""
        cdef Py_ssize_t taps = p.rank * (p.down.y.taps + p.down.x.axis.taps)
        return (<double>p.unit_planes * p.unit_rows * p.unit_cols * p.down.x.group
                * (taps + p.down.z.taps))

    cdef Py_ssize_t ring_samples(self, const Strips* p) noexcept:
        """Return the samples of the ring, and of the segments in front of it."""
        cdef Py_ssize_t plane = most(p.unit_rows, p.down.tile_rows) * p.pitch + p.down.lanes
        if not p.ring:
            return 0
        return (p.span_planes * plane + p.down.tile_cols + 64 // self.item
                + p.down.z.taps * <Py_ssize_t>sizeof(stencil_segment) // self.item)

    cdef Py_ssize_t thread_bytes(self) noexcept:
        """Return the workspace of one thread, whole cache lines; that of any number of them."""
        cdef Py_ssize_t samples = strip_samples(&self.p) + self.ring_samples(&self.p)
        return (samples * self.item + 127) // 64 * 64

    def workspace(self):
        """Return the bytes that one thread takes, with the tables of the batch."""
        return self.thread_bytes() + 2 * self.n_batch * <Py_ssize_t>sizeof(Py_ssize_t) + 128

    def run(self, cnp.ndarray x, cnp.ndarray y, cnp.ndarray fill, bint clip, int threads):
        """Solve the problem, as `DirectLoop.run`; return whether all filtered rows are finite."""
        cdef Strips p = self.p
        cdef Py_ssize_t units, shared, each, done = 0, step
        cdef char* block
        cdef Py_ssize_t* x_batch
        cdef Py_ssize_t* y_batch
        cdef bint finite = True
        self.set_arrays(&p, x, y, clip)
        p.down.x.fill = cnp.PyArray_DATA(fill)
        p.down.x.n_fill = fill.shape[0]
        self.lay_out(&p, threads)
        if p.ring:
            p.down.out_y = p.ring_pitch * self.item
        units = self.units(&p)
        threads = <int>least(threads, units)
        shared = (2 * self.n_batch * <Py_ssize_t>sizeof(Py_ssize_t) + 127) // 64 * 64
        each = self.thread_bytes()
        step = most(threads, <Py_ssize_t>(threads * PRODUCTS_BETWEEN_SIGNALS
                                          / self.products(&p)))
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

    cdef int set_arrays(self, Strips* p, cnp.ndarray x, cnp.ndarray y, bint clip) except -1:
        cdef Stencil* s = &p.down
        cdef int x_code = row_codes[cnp.PyArray_TYPE(x)]
        cdef int y_code = row_codes[cnp.PyArray_TYPE(y)]
        s.z_stride = x.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        s.y_stride = x.strides[self.axis_of[1]]
        s.x.pixel_stride = x.strides[self.axis_of[2]]
        s.x.sample_stride = s.x.pixel_stride
        if s.x.group > 1:  # contiguous, whatever the strides of axes of length 1
            s.x.sample_stride = cnp.PyArray_ITEMSIZE(x)
            s.x.pixel_stride = s.x.group * s.x.sample_stride
        set_row_load(&s.x, self.sums_code, x_code)
        s.x.same = x_code == self.sums_row and s.x.sample_stride == self.item
        s.prefetching = s.x.same and cnp.PyArray_NBYTES(x) > CACHE_BYTES
        p.across.x.sample_stride = self.item
        s.out_item = cnp.PyArray_ITEMSIZE(y)
        s.out_z = y.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        s.out_y = y.strides[self.axis_of[1]]
        s.y.comb = s.y.dilation
        s.stored = are_stored(self.sums_code, self.sums_row, y_code, clip)
        s.emit = row_emits[self.sums_code][clip][y_code]
        s.streaming = (s.stored and cnp.PyArray_NBYTES(y) > STREAM_BYTES
                       and s.tile_cols * s.item >= LINE_BYTES
                       and s.y.comb * s.out_y % LINE_BYTES == 0)
        if p.ring:
            p.deep = s[0]
            p.deep.weights = cnp.PyArray_DATA(self.deep)
            p.deep.n_segments = s.z.taps
            p.deep.y.comb = 1
            p.deep.streaming = s.streaming and s.out_y % LINE_BYTES == 0
            s.stored, s.streaming = True, False
            s.out_item = self.item
        return 0
