# separable: y = Σ_r u_r ∗ (v_r ∗ x), rows first, columns from a strip that stays in the cache.
#
# The work is cut into units: one batch item, a slab of rows, a panel of columns. A unit goes down
# its panel: rows are summed along x with every v into the strip of each r, a ring of rows; then
# the rows of the strips give the next rows of the result. In three dimensions a unit is a run of
# planes too: each plane that comes into reach goes to a slot of a ring in that way, whose planes
# are summed along z. A sum of several products has a strip for each factor along x and a ring for
# each along z: y = Σ_k t_k ∗ (Σ u_r ∗ (v_r ∗ x), those of ring k). Along y and z these are sums of
# rows that lie anywhere (columns_body.h).
# Along x a short v is summed where its row lies (row_filter.h); for a long one as many rows as a
# vector has lanes are turned into columns (transpose_rows.h), summed as such and turned back. Both
# give the same bits.
# Borders are those of the filtered rows: a row outside x is filtered like any other.


cdef Py_ssize_t run_strips(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                           void* work) noexcept nogil:
    """Run units start … stop − 1; return 1 if they are not summable."""
    if c.sums == SUMS_FLOAT:
        return not filter_panels(c, start, stop, <float*>work)
    if c.sums == SUMS_DOUBLE:
        return not filter_panels(c, start, stop, <double*>work)
    return not filter_panels(c, start, stop, <uint64_t*>work)


cdef class SeparableLoop:
    """A bound problem of axes z, y and x: its factors in the order of the tiles.

    Parameters are plain numbers, checked by the caller, as those of `DirectLoop`; ``axes`` holds
    z, y and x; ``across`` the factors along x, a row for each strip; ``down`` those along y, a row
    for each product, which are of ``strips`` and go to ``rings``, in ascending order; ``deep``
    those along z, a row for each ring, None where there is no such axis. Of ``lengths`` of vectors
    each product is a component, with a ring, or without z a number, of its own. An ``x`` with
    pixels of several samples is C-contiguous.
    """

    cdef Strips p
    cdef object tables, kept
    cdef Py_ssize_t axis_of[3]
    cdef tuple batch
    cdef Py_ssize_t n_batch, item
    cdef int sums_code, sums_row

    def __init__(self, sums, axes, batch, Py_ssize_t n_batch, Py_ssize_t group, deep, down,
                 across, strips, rings, bint lengths=False):
        cdef Stencil* s = &self.p.down
        sums = np.dtype(sums)
        self.sums_code = SUM_CODES[sums]
        self.sums_row = row_codes[sums.num]
        self.item = sums.itemsize
        self.batch = tuple(batch)
        self.n_batch = n_batch
        self.tables = read_axes(&s.z, &s.y, &s.x.axis, self.axis_of, axes)
        self.p.rank, self.p.n_products = across.shape[0], down.shape[0]
        self.p.n_rings = 0 if deep is None else deep.shape[0]
        self.p.lengths = lengths
        self.p.n_parts = self.p.n_rings if self.p.n_rings else self.p.n_products if lengths else 1
        self.p.span_planes = samples_read(&s.z, 1)
        self.p.span_rows = samples_read(&s.y, 1)
        self.p.span_cols = samples_read(&s.x.axis, 1)
        s.x.group = group
        s.item = self.item
        s.lanes = STENCIL_VECTOR_BYTES // self.item
        s.tile_rows, s.tile_cols = STENCIL_COLUMN_ROWS, s.lanes
        self.kept = []
        self.list_taps(&self.p.pass_x, &s.x.axis, across, [0] * self.p.rank, s.x.axis.taps)
        self.p.along = s.x.axis.stride == 1 and (
            s.x.axis.taps <= (ALONG_FOLDED_TAPS if self.p.pass_x.sets[0].fold else ALONG_TAPS)
            or 2 * samples_read(&s.y, s.y.out) <= s.lanes)  # most lanes would be empty
        self.p.rows_at_once = 1 if self.p.along else s.lanes
        self.list_columns()
        self.lay_out(&self.p, 1)
        self.list_taps(&self.p.pass_y, &s.y, down,
                       [strip * self.p.rows_held * self.p.pitch for strip in strips], 0)
        self.p.rows_only = s.y.taps == 1 and s.y.stride == 1 and self.p.n_products == 1 and (
            down[0, 0] == 1)
        self.p.columns_only = s.x.axis.taps == 1 and s.x.axis.stride == 1 and (
            s.x.axis.out == s.x.axis.size and self.p.n_products == 1 and across[0, 0] == 1)
        if self.p.n_rings:
            self.list_taps(&self.p.pass_z, &s.z, deep, [0] * self.p.n_rings,
                           s.z.taps if lengths else 0)
        self.list_rings(rings)
        s.weights = self.p.pass_y.weights
        s.n_segments = self.p.pass_y.n_sets

    cdef list_taps(self, Pass* p, const SpatialAxis* a, factors, offsets, Py_ssize_t each):
        """List the taps of each phase of each factor, and their weights in that order.

        A factor sums what begins at its one of ``offsets``. Of several products zeros at both ends
        are left out. The weights of a factor take up ``each`` places, if not 0.
        """
        cdef Py_ssize_t n = sets_of(a), f, r, skipped
        kept, begins, weights = [], [], []
        for r in range(len(offsets)):
            skipped = 0
            for f in range(n):
                taps = np.ascontiguousarray(factors[r][f::a.phases])
                zeros = within_zeros(taps) if self.p.n_products > 1 else 0
                taps = taps[zeros:len(taps) - zeros]
                begins.append(zeros)
                kept.append((offsets[r], 0, len(taps), fold_of(taps)))
                weights.append(taps)
                skipped += 2 * zeros
            if each:
                weights.append(np.zeros(skipped, factors.dtype))
        sets, weights = np.array(kept, np.intp), np.concatenate(weights)
        first = np.array(begins, np.intp)
        self.kept += [sets, first, weights]
        p.sets = <const stencil_set*>cnp.PyArray_DATA(sets)
        p.n_sets = len(offsets) * n
        p.first = <const Py_ssize_t*>cnp.PyArray_DATA(first)
        p.weights = cnp.PyArray_DATA(weights)

    cdef list_rings(self, rings):
        """List where the sets along y of each ring begin and end, and their weights begin."""
        cdef Py_ssize_t i, k, n = sets_of(&self.p.down.y)
        starts = [n * sum(ring < k for ring in rings) for k in range(self.p.n_parts + 1)]
        table = []
        for k in range(len(starts)):
            table += [starts[k], sum(self.p.pass_y.sets[i].taps for i in range(starts[k]))]
        listed = np.array(table, np.intp)
        self.kept.append(listed)
        self.p.rings = <const Ring*>cnp.PyArray_DATA(listed)

    cdef list_columns(self):
        """Tell the sets along x where their columns lie: there all are held."""
        cdef Pass* p = &self.p.pass_x
        cdef const SpatialAxis* a = &self.p.down.x.axis
        columns = np.empty(sets_of(a) * listed(a), np.intp)
        self.kept.append(columns)
        place_rows(p, a, 0, <Py_ssize_t>1 << 30, self.p.down.x.group * self.p.down.lanes,
                  <stencil_set*>p.sets, <Py_ssize_t*>cnp.PyArray_DATA(columns))

    cdef void lay_out(self, Strips* p, int threads) noexcept:
        """Cut the work: strips within STRIP_BYTES, units for each thread.

        The strips are the same for any number of threads.
        """
        cdef const Stencil* s = &p.down
        cdef Py_ssize_t group = s.x.group
        cdef Py_ssize_t widest = WHOLE_COLS if p.along and not p.n_rings else STRIP_COLS
        cdef Py_ssize_t cols = most(1, widest * 4 // self.item // group)
        p.step_rows = STENCIL_COLUMN_ROWS * s.y.comb
        p.step_planes = STENCIL_COLUMN_ROWS * s.z.comb
        # Rows that are added together are some of them there before they are needed.
        p.rows_held = ceil_div(samples_read(&s.y, least(p.step_rows, s.y.out)) + p.rows_at_once - 1,
                               p.rows_at_once) * p.rows_at_once
        while (p.rank * p.rows_held * cols * group * self.item > STRIP_BYTES
               and cols * group > MIN_COLS):
            cols = ceil_div(cols, 2)
        while (p.rank * p.rows_held * cols * group * self.item > MAX_STRIP_BYTES
               and cols * group > s.lanes):
            cols = ceil_div(cols, 2)
        p.unit_cols = least(cols, s.x.axis.out)
        p.chunk = least(p.unit_cols, TURNED_COLS * s.x.axis.comb)
        p.pitch = odd_vectors(s, p.unit_cols * group + s.lanes)
        p.unit_rows = s.y.out
        p.unit_planes = s.z.out
        p.planes_held = samples_read(&s.z, least(p.step_planes, s.z.out))
        while (p.n_rings * p.planes_held * p.unit_rows * p.pitch * self.item > RING_BYTES
               and p.unit_rows > 4 * p.span_rows):
            p.unit_rows = ceil_div(p.unit_rows, 2)
        while (p.unit_rows > 4 * most(p.step_rows, p.span_rows)
               and self.products(p) > PRODUCTS_BETWEEN_SIGNALS):
            p.unit_rows = ceil_div(p.unit_rows, 2)
        while p.unit_planes > 4 * p.span_planes and self.products(p) > PRODUCTS_BETWEEN_SIGNALS:
            p.unit_planes = ceil_div(p.unit_planes, 2)
        while (p.unit_cols * group > FEWEST_COLS
               and self.products(p) > 2 * PRODUCTS_BETWEEN_SIGNALS):
            p.unit_cols = ceil_div(p.unit_cols, 2)
        while (p.unit_rows > most(p.step_rows, p.span_rows)
               and self.products(p) > 4 * PRODUCTS_BETWEEN_SIGNALS):
            p.unit_rows = ceil_div(p.unit_rows, 2)
        if threads > 1:
            self.share(p, threads)
        p.n_panels = ceil_div(s.x.axis.out, p.unit_cols)
        p.n_slabs = ceil_div(s.y.out, p.unit_rows)
        p.n_runs = ceil_div(s.z.out, p.unit_planes)
        p.ring_pitch = p.pitch
        p.ring_plane = odd_vectors(s, p.unit_rows * p.ring_pitch)
        self.lay_out_workspace(p)

    cdef void share(self, Strips* p, int threads) noexcept:
        """Cut slabs and runs of planes so that the last thread is done soonest."""
        cdef Py_ssize_t few_rows = most(1, most(p.step_rows, p.span_rows) // 2)
        cdef Py_ssize_t planes = p.down.z.out, rows = p.down.y.out
        cdef Py_ssize_t slabs = ceil_div(rows, p.unit_rows)
        cdef Py_ssize_t most_slabs = most(slabs, rows // few_rows)
        cdef Py_ssize_t runs = ceil_div(planes, p.unit_planes)
        cdef Py_ssize_t most_runs = most(runs, planes // p.span_planes), n_slabs, n_runs
        cdef Py_ssize_t best_rows = p.unit_rows, best_planes = p.unit_planes
        cdef double least_work = self.work_of_last(p, threads), work
        for n_runs in range(runs, most_runs + 1):
            p.unit_planes = ceil_div(planes, n_runs)
            for n_slabs in range(slabs, most_slabs + 1):
                p.unit_rows = ceil_div(rows, n_slabs)
                work = self.work_of_last(p, threads)
                if work < least_work:
                    best_rows, best_planes, least_work = p.unit_rows, p.unit_planes, work
                if self.units(p) >= MOST_UNITS * threads:
                    break
            p.unit_rows = ceil_div(rows, slabs)
            if self.units(p) >= MOST_UNITS * threads:
                break
        p.unit_rows, p.unit_planes = best_rows, best_planes

    cdef double work_of_last(self, const Strips* p, int threads) noexcept:
        """Return the products of the thread that has most: rows beyond a unit are filtered too."""
        cdef double planes = samples_read(&p.down.z, p.unit_planes)
        cdef double rows = samples_read(&p.down.y, p.unit_rows)
        cdef Py_ssize_t panels = ceil_div(p.down.x.axis.out, p.unit_cols)
        cdef double narrow = narrow_panel(p.down.x.axis.out, p.unit_cols, panels)
        return work_of_last(self.units(p), panels, narrow, threads,
                            planes * rows * p.down.x.axis.taps
                            + planes * p.unit_rows * p.down.y.taps
                            + <double>p.unit_planes * p.unit_rows * p.down.z.taps)

    cdef void lay_out_workspace(self, Strips* p) noexcept:
        """Place the parts of a thread's workspace, each at a cache line."""
        cdef const Stencil* s = &p.down
        cdef Py_ssize_t group = s.x.group, line = LINE_BYTES // self.item
        cdef Py_ssize_t spare = STENCIL_COLUMN_ROWS * s.x.axis.comb   # of a tile with few outputs
        cdef Py_ssize_t lists
        p.turned = p.rank * p.rows_held * p.pitch
        p.sums = p.turned + (samples_read(&s.x.axis, p.unit_cols + spare) * group + 4) * s.lanes
        if p.along:  # a row, with vectors before and behind it that are read
            p.turned += s.lanes
            p.sums = p.turned + (ceil_div(samples_read(&s.x.axis, p.unit_cols) * group, s.lanes)
                                 + 3) * s.lanes
        p.staged = p.sums + (most(p.chunk, spare) * group + s.lanes) * s.lanes
        p.outside = p.staged + ceil_div(s.lanes * (most(STAGED, group) + 4), line) * line
        p.tile = p.outside + ceil_div(samples_read(&s.x.axis, p.unit_cols) * group + 4, line) * line
        p.tables = p.tile + STENCIL_TILE_LIMIT
        lists = p.n_products * sets_of(&s.y) * <Py_ssize_t>sizeof(stencil_set) + (
            sets_of(&s.y) * listed(&s.y) * <Py_ssize_t>sizeof(Py_ssize_t))
        if p.n_rings:
            lists = most(lists, sets_of(&s.z) * <Py_ssize_t>(
                p.n_rings * sizeof(stencil_set) + listed(&s.z) * sizeof(Py_ssize_t)))
        p.planes = p.tables + ceil_div(lists, LINE_BYTES) * line
        p.ring = p.planes_held * p.ring_plane
        p.parts = p.planes + p.n_rings * p.ring
        p.part = STENCIL_COLUMN_ROWS * p.pitch if p.lengths else 0
        p.lines = p.parts + p.n_parts * p.part + (2 * p.pitch if p.lengths else 0)
        p.end = p.lines
        if p.joined != NULL:  # rows of an odd number of lines, and vectors behind the last
            p.line_bytes = ceil_div(p.joined.item * s.x.axis.size, LINE_BYTES)
            p.line_bytes = (p.line_bytes // 2 * 2 + 1) * LINE_BYTES
            p.end += (p.rows_at_once * p.line_bytes + 4 * LINE_BYTES) // self.item

    cdef Py_ssize_t units(self, const Strips* p) noexcept:
        return (self.n_batch * ceil_div(p.down.z.out, p.unit_planes)
                * ceil_div(p.down.y.out, p.unit_rows) * ceil_div(p.down.x.axis.out, p.unit_cols))

    cdef double products(self, const Strips* p) noexcept:
        """Return the multiply-adds of a unit."""
        cdef Py_ssize_t taps = p.n_products * p.down.y.taps + p.rank * p.down.x.axis.taps
        cdef int each = 8 if self.sums_code in (SUMS_INT64, SUMS_UINT64) else 1  # take many steps
        return (<double>p.unit_planes * p.unit_rows * p.unit_cols * p.down.x.group
                * (taps + most(1, p.n_rings) * p.down.z.taps) * each)

    cdef Py_ssize_t thread_bytes(self, const Strips* p) noexcept:
        """Return the workspace of one thread, whole cache lines; that of any number of them."""
        return (p.end * self.item + 127) // 64 * 64

    def workspace(self):
        """Return the bytes that one thread takes, with the tables of the batch."""
        return self.thread_bytes(&self.p) + 2 * self.n_batch * <Py_ssize_t>sizeof(Py_ssize_t) + 128

    def run(self, cnp.ndarray x, cnp.ndarray y, cnp.ndarray fill, bint clip, int threads,
            bint lenient=False, cnp.ndarray divisor=None):
        """Solve the problem, as `DirectLoop.run`; return whether filtered rows are summable.

        Where one is not, nothing else is worth having unless ``lenient``. The sums are divided by
        ``divisor``, an array of one number in their dtype, if there is one.
        """
        cdef Strips p = self.p
        p.lenient = lenient
        self.set_arrays(&p, x, y, clip)
        return self.run_as_set(&p, x, y, fill, threads, divisor)

    def run_joined(self, cnp.ndarray x, tuple rows, cnp.ndarray y, cnp.ndarray fill, bint clip,
                   int threads, bint lenient=False, cnp.ndarray divisor=None):
        """Solve the problem for samples that lie in several arrays, as ``run``.

        ``rows`` is what `layout.list_rows` says of them; ``x`` is one of these arrays. The axes y
        and x are the last ones.
        """
        cdef Strips p = self.p
        cdef Joined joined
        cdef cnp.ndarray table = rows[0], row_ends = rows[1], ends = rows[2]
        p.lenient = lenient
        self.set_arrays(&p, x, y, clip)
        joined.rows, joined.parts = row_ends.shape[0], ends.shape[0]
        joined.row_ends, joined.ends = numbers(row_ends), numbers(ends)
        joined.item = cnp.PyArray_ITEMSIZE(x)
        joined.plane = 2 * joined.rows * joined.parts * <Py_ssize_t>sizeof(Py_ssize_t)
        joined.last = cnp.PyArray_BYTES(table) + cnp.PyArray_NBYTES(table) - joined.plane
        p.joined = &joined
        p.down.x.pixel_stride = p.down.x.sample_stride = joined.item
        p.down.x.same = row_codes[cnp.PyArray_TYPE(x)] == self.sums_row
        p.down.prefetching = p.deep.prefetching = p.in_place = False
        if p.n_rings:
            p.down.z_stride = table.strides[self.axis_of[0]]
        return self.run_as_set(&p, table, y, fill, threads, divisor)

    cdef run_as_set(self, Strips* p, cnp.ndarray x, cnp.ndarray y, cnp.ndarray fill, int threads,
                    cnp.ndarray divisor):
        """Run the loop on arrays that are set, ``x`` samples or where their rows lie."""
        cdef Call call
        cdef Py_ssize_t each
        if divisor is not None and p.n_rings:
            p.deep.divisor = cnp.PyArray_DATA(divisor)
        elif divisor is not None:
            p.down.divisor = cnp.PyArray_DATA(divisor)
        p.down.x.fill = cnp.PyArray_DATA(fill)
        p.down.x.n_fill = fill.shape[0]
        self.lay_out(p, threads)
        if p.n_rings:
            p.row_bytes = p.down.out_y
            p.down.out_y = p.ring_pitch * self.item
        call.loop, call.sums = p, self.sums_code
        each = most(self.thread_bytes(&self.p), self.thread_bytes(p))
        return run_batch(run_strips, &call, self.batch, self.n_batch, x, y, self.units(p),
                         self.products(p), threads, each,
                         p.tables * self.item, not p.lenient) == 0

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
        s.out_item = cnp.PyArray_ITEMSIZE(y)
        s.out_z = y.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        s.out_y = y.strides[self.axis_of[1]]
        s.stored = are_stored(self.sums_code, self.sums_row, y_code, clip)
        s.emit = row_emits[self.sums_code][clip][y_code]
        s.streaming = (s.stored and cnp.PyArray_NBYTES(y) > STREAM_BYTES
                       and s.tile_cols * s.item >= LINE_BYTES
                       and (p.n_rings or s.y.comb * s.out_y % LINE_BYTES == 0))
        p.in_place = (p.columns_only and not p.n_rings and s.x.same and s.y_stride % self.item == 0
                      and (s.y_stride % 4096 != 0 or s.y.taps <= MAX_ALIASED_TAPS))
        if p.n_rings:
            p.deep = s[0]
            p.deep.weights = p.pass_z.weights
            p.deep.n_segments = p.pass_z.n_sets
            p.deep.y.comb, p.deep.out_y = s.z.comb, s.out_z
            p.deep.streaming = s.streaming and s.z.comb * s.out_z % LINE_BYTES == 0
            s.stored, s.streaming = True, False
            s.divisor = NULL
            s.out_item = self.item
        return 0
