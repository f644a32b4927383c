# box: y = w · Σ x over a box of taps of one weight, by sums that windows share (box.h).
#
# The work is cut into units: one batch item, a run of planes, a slab of rows, a panel of columns.
# A unit goes through the rows that it reads, plane by plane. Each row is packed with its border
# and multiplied by the weight. It is added to its row's block along z; where a window of planes
# ends, the sum is added to the block along y; where a window of rows ends, that sum is widened
# along x and is a row of the result. Rows and planes that are not a whole number of dilations
# apart share nothing: each class of them goes through on its own. Blocks begin at multiples of
# the taps, counted from the first row or plane of the class that any output reads, so that results
# do not depend on how the work is cut.

cdef extern from "box.h":
    void box_scale(void* row, double weight, Py_ssize_t n) noexcept nogil
    void box_add(const void* row, const void* weight, void* begun, bint fresh, void* slot,
                 const void* ended, void* out, Py_ssize_t n, const void* ahead) noexcept nogil
    void box_close(void* rows, Py_ssize_t pitch, Py_ssize_t n_rows, Py_ssize_t n) noexcept nogil
    void box_copy(const void* x, void* out, Py_ssize_t n, bint streaming) noexcept nogil
    void box_divide(const void* x, double divisor, void* out, Py_ssize_t n,
                    bint streaming) noexcept nogil
    void box_widen(const void* s, Py_ssize_t half, const void* x, void* out, Py_ssize_t n,
                   bint streaming) noexcept nogil
    void box_widen_float(const float* s, Py_ssize_t half, const float* x, float* out,
                         Py_ssize_t n, bint streaming) noexcept nogil
    void box_widen_double(const double* s, Py_ssize_t half, const double* x, double* out,
                          Py_ssize_t n, bint streaming) noexcept nogil
    void box_widen_uint64(const uint64_t* s, Py_ssize_t half, const uint64_t* x, uint64_t* out,
                          Py_ssize_t n, bint streaming) noexcept nogil

# What a block of rows may take of the level-2 cache, and one of planes of the level-3 cache.
cdef Py_ssize_t BOX_ROWS_BYTES = 512 << 10
cdef Py_ssize_t BOX_PLANES_BYTES = 4 << 20
cdef Py_ssize_t BOX_COLS = 4096         # samples of a panel
# A sample passes through so many additions, about; signals are looked at by that count.
cdef Py_ssize_t BOX_ADDITIONS = 16


cdef struct Box:
    SpatialAxis z, y
    Source x
    Py_ssize_t item, lanes
    Py_ssize_t z_stride, y_stride               # of the caller's array, in bytes
    bint stored, streaming      # past the cache: the result is large
    bint prefetching            # x is larger than the cache
    const void* weight          # or NULL for 1
    const void* divisor         # of the sums, or NULL
    row_emit emit
    Py_ssize_t out_item, out_z, out_y
    Py_ssize_t n_planes, n_slabs, n_panels
    Py_ssize_t unit_planes, unit_rows, unit_cols
    # In samples: of a buffered row; rows of a plane that a unit reads.
    Py_ssize_t pitch, rows


cdef struct Turn:
    # A row (or plane) that comes into reach: its coordinate and place in its class.
    Py_ssize_t at, place
    # Slot of the block, the first that it holds; the output whose window ends here, or −1.
    Py_ssize_t slot, first, output


cdef inline void set_turn(Turn* t, const SpatialAxis* a, Py_ssize_t at,
                          Py_ssize_t begin) noexcept nogil:
    """Describe the row at ``at``, counted from where output 0 begins, of outputs ≥ begin."""
    cdef Py_ssize_t start = at - (a.taps - 1) * a.dilation
    cdef Py_ssize_t from_, block
    t.at = at
    t.place = at // a.dilation
    t.slot = t.place % a.taps
    # The first row of this class that the unit reads.
    from_ = begin * a.stride + (at - begin * a.stride) % a.dilation
    block = t.place - t.slot
    t.first = most(0, from_ // a.dilation - block)
    t.output = -1
    if start >= begin * a.stride and start % a.stride == 0:
        t.output = start // a.stride


cdef void add_samples(const Turn* t, Py_ssize_t taps, const sum_t* row, const sum_t* weight,
                      sum_t* begun, sum_t* slots, Py_ssize_t step, sum_t* out, Py_ssize_t n,
                      const sum_t* ahead) noexcept nogil:
    """Add samples of a row to their block, whose slots are ``step`` apart.

    The window that ends here is written to ``out``, unless that is NULL. ``ahead`` is where the
    row after it lies, or NULL.
    """
    cdef bint fresh = t.slot == t.first
    cdef sum_t* slot = slots + t.slot * step
    cdef const sum_t* ended = NULL if t.slot == taps - 1 else slot + step
    box_add(row, weight, begun, fresh, slot, ended, out, n, ahead)


cdef void close_block(const Turn* t, Py_ssize_t taps, sum_t* slots, Py_ssize_t step,
                      Py_ssize_t n) noexcept nogil:
    """Form the sums of the ends of a block that is full."""
    if t.slot < taps - 1:
        return
    box_close(slots + t.first * step, step, taps - t.first, n)


cdef struct Reach:
    # The pixels of a packed row: the first one's coordinate, their number, samples in whole
    # vectors; those samples that can be read where they are, of a row that is inside.
    Py_ssize_t first, pixels, samples, inside_from, inside_to


cdef void set_reach(Reach* reach, const Box* b, Py_ssize_t col_from,
                    Py_ssize_t cols) noexcept nogil:
    cdef Py_ssize_t before, until_end
    reach.first = col_from * b.x.axis.stride - b.x.axis.low
    reach.pixels = samples_read(&b.x.axis, cols)
    reach.samples = ceil_div(reach.pixels * b.x.group, b.lanes) * b.lanes
    reach.inside_from = reach.inside_to = 0
    if b.x.same and b.x.group == 1:
        before = pixels_before(&b.x, reach.first, 1, reach.pixels)
        until_end = pixels_until_end(&b.x, reach.first, 1, reach.pixels)
        reach.inside_from = ceil_div(before, b.lanes) * b.lanes
        reach.inside_to = most(reach.inside_from, until_end // b.lanes * b.lanes)


cdef void pack_range(const Box* b, const Reach* reach, const char* row, Py_ssize_t from_,
                     Py_ssize_t to, sum_t* line) noexcept nogil:
    """Pack pixels ``from_`` … ``to`` − 1 of a row with its border."""
    cdef Py_ssize_t first = reach.first + from_
    if to > from_:
        pack_pixels(&b.x, row, first, 1, pixels_before(&b.x, first, 1, to - from_),
                    pixels_until_end(&b.x, first, 1, to - from_), to - from_,
                    line + from_ * b.x.group)


cdef void add_row(const Box* b, const Reach* reach, const Turn* t, Py_ssize_t taps,
                  const char* row, Py_ssize_t rows_after, const sum_t* weight, sum_t* line,
                  sum_t* begun, sum_t* slots, Py_ssize_t step, sum_t* out) noexcept nogil:
    """Add a row of the caller's array to its block, read in place but for its ends."""
    cdef Py_ssize_t a = reach.inside_from, e = reach.inside_to
    cdef const sum_t* inside
    cdef const sum_t* ahead = NULL
    if row == NULL or a == e:
        pack_range(b, reach, row, 0, reach.pixels, line)
        add_samples(t, taps, line, weight, begun, slots, step, out, reach.samples,
                    <const sum_t*>NULL)
        return
    inside = <const sum_t*>row + (reach.first + a)
    pack_range(b, reach, row, 0, a, line)
    pack_range(b, reach, row, e, reach.pixels, line)
    add_samples(t, taps, line, weight, begun, slots, step, out, a, <const sum_t*>NULL)
    if b.prefetching and rows_after >= b.y.dilation:
        ahead = inside + b.y.dilation * b.y_stride // b.item
    add_samples(t, taps, inside, weight, begun + a, slots + a, step,
                NULL if out == NULL else out + a, e - a, ahead)
    add_samples(t, taps, line + e, weight, begun + e, slots + e, step,
                NULL if out == NULL else out + e, reach.samples - e, <const sum_t*>NULL)


cdef inline void write_row(const sum_t* x, const sum_t* divisor, sum_t* out, Py_ssize_t n,
                           bint streaming) noexcept nogil:
    if sum_t in real_t:
        if divisor != NULL:
            box_divide(x, divisor[0], out, n, streaming)
            return
    box_copy(x, out, n, streaming)


cdef void finish_row(const Box* b, const sum_t* x, sum_t* s, Py_ssize_t cols,
                     char* out) noexcept nogil:
    """Sum a row along x and write it to the result; ``s`` is room for a row."""
    cdef const SpatialAxis* a = &b.x.axis
    cdef Py_ssize_t step = a.dilation * b.x.group
    cdef Py_ssize_t n = ((cols - 1) * a.stride + 1) * b.x.group
    cdef Py_ssize_t width = 1, wider, bits = 0, head, i, c
    cdef const sum_t* sums = x
    cdef sum_t* target = s
    cdef const sum_t* divisor = <const sum_t*>b.divisor
    cdef bint in_place = b.stored and a.stride == 1 and divisor == NULL
    while a.taps >> (bits + 1):
        bits += 1
    for i in range(bits - 1, -1, -1):
        wider = a.taps >> i
        if i == 0 and in_place:
            # Up to where a cache line begins no store goes past the cache.
            head = n if not b.streaming else least(
                n, <Py_ssize_t>(-<uintptr_t>out % LINE_BYTES) // b.item)
            box_widen(sums, width * step, x if wider & 1 else NULL, <sum_t*>out, head, False)
            box_widen(sums + head, width * step, x + head if wider & 1 else NULL,
                      <sum_t*>out + head, n - head, True)
            return
        box_widen(sums, width * step, x if wider & 1 else NULL, target,
                  ceil_div(n + (a.taps - wider) * step, b.lanes) * b.lanes, False)
        sums = s
        width = wider
    if a.stride > 1:  # sums are in s, or still in x: neither is read again
        for i in range(cols):
            for c in range(b.x.group):
                s[i * b.x.group + c] = sums[i * a.stride * b.x.group + c]
        sums = s
    if b.stored:
        n = cols * b.x.group
        head = n if not b.streaming else least(
            n, <Py_ssize_t>(-<uintptr_t>out % LINE_BYTES) // b.item)
        write_row(sums, divisor, <sum_t*>out, head, False)
        write_row(sums + head, divisor, <sum_t*>out + head, n - head, True)
    else:
        if divisor != NULL:
            write_row(sums, divisor, s, cols * b.x.group, False)
            sums = s
        b.emit(sums, cols * b.x.group, out, b.out_item)


cdef void scale(sum_t* row, const sum_t* weight, Py_ssize_t n) noexcept nogil:
    if weight == NULL:
        return
    box_scale(row, weight[0], n)


cdef struct Patch:
    # The outputs of a unit; ends are excluded.
    Py_ssize_t plane_from, plane_to, row_from, row_to, col_from, col_to


cdef void sum_plane(const Box* b, const Patch* u, const Turn* plane, const char* x,
                    const sum_t* weight, char* out, sum_t* work) noexcept nogil:
    """Go through the rows of a plane; ``x`` is NULL where the plane is outside."""
    cdef Py_ssize_t cols = u.col_to - u.col_from
    cdef Py_ssize_t first = u.row_from * b.y.stride, end = first + samples_read(
        &b.y, u.row_to - u.row_from)
    cdef Py_ssize_t layer = b.rows * b.pitch
    cdef Py_ssize_t c, at, index, after
    # Workspace: a packed row, sums along z, along y and along x; blocks of y; blocks of z.
    cdef sum_t* along_z = work + b.pitch
    cdef sum_t* along_y = work + 2 * b.pitch
    cdef sum_t* block_y = work + 4 * b.pitch
    cdef sum_t* block_z = work + (5 + b.y.taps) * b.pitch
    cdef sum_t* begun
    cdef const char* row
    cdef Reach reach
    cdef Turn turn
    set_reach(&reach, b, u.col_from, cols)
    for c in range(least(b.y.dilation, end - first)):
        at = first + c
        while at < end:
            row = NULL
            after = 0
            if x != NULL:
                index = source_index(&b.y, at - b.y.low)
                if index >= 0:
                    row = x + index * b.y_stride
                    after = b.y.size - 1 - index
            set_turn(&turn, &b.y, at, u.row_from)
            if b.z.taps > 1:
                begun = block_z + (at - first) * b.pitch
                add_row(b, &reach, plane, b.z.taps, row, after, weight, work, begun,
                        begun + layer, layer, along_z if plane.output >= 0 else NULL)
                close_block(plane, b.z.taps, begun + layer, layer, reach.samples)
                if plane.output >= 0:
                    sum_row(b, &reach, &turn, along_z, block_y, along_y)
            elif b.y.taps > 1:
                add_row(b, &reach, &turn, b.y.taps, row, after, weight, work, block_y,
                        block_y + b.pitch, b.pitch, along_y if turn.output >= 0 else NULL)
                close_block(&turn, b.y.taps, block_y + b.pitch, b.pitch, reach.samples)
            elif turn.output >= 0:
                pack_range(b, &reach, row, 0, reach.pixels, along_y)
                scale(along_y, weight, reach.samples)
            if plane.output >= 0 and turn.output >= 0 and turn.output < u.row_to:
                finish_row(b, along_y, work + 3 * b.pitch, cols, out + turn.output * b.out_y)
            at += b.y.dilation


cdef void sum_row(const Box* b, const Reach* reach, const Turn* t, const sum_t* row,
                  sum_t* block, sum_t* out) noexcept nogil:
    """Sum a row of sums along z along y."""
    if b.y.taps == 1:
        copy_row(out, row, reach.samples)
        return
    add_samples(t, b.y.taps, row, <const sum_t*>NULL, block, block + b.pitch, b.pitch,
                out if t.output >= 0 else NULL, reach.samples, <const sum_t*>NULL)
    close_block(t, b.y.taps, block + b.pitch, b.pitch, reach.samples)


cdef void sum_patch(const Box* b, const Patch* u, const char* x, const sum_t* weight, char* out,
                    sum_t* work) noexcept nogil:
    """Go through the planes that the outputs of a unit read."""
    cdef Py_ssize_t first = u.plane_from * b.z.stride, end = first + samples_read(
        &b.z, u.plane_to - u.plane_from)
    cdef Py_ssize_t c, at, index
    cdef Turn turn
    out += u.col_from * b.x.group * b.out_item
    for c in range(least(b.z.dilation, end - first)):
        at = first + c
        while at < end:
            set_turn(&turn, &b.z, at, u.plane_from)
            if turn.output >= u.plane_to:
                turn.output = -1
            index = source_index(&b.z, at - b.z.low)
            sum_plane(b, u, &turn, <const char*>NULL if index < 0 else x + index * b.z_stride,
                      weight, out + turn.output * b.out_z, work)
            at += b.z.dilation


cdef void sum_patches(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                      sum_t* work) noexcept nogil:
    """Run units start … stop − 1, in the order batch, planes, slab, panel."""
    cdef const Box* b = <const Box*>c.loop
    cdef Py_ssize_t unit, rest
    cdef Patch u
    for unit in range(start, stop):
        rest = unit
        u.col_from = rest % b.n_panels * b.unit_cols
        u.col_to = least(b.x.axis.out, u.col_from + b.unit_cols)
        rest //= b.n_panels
        u.row_from = rest % b.n_slabs * b.unit_rows
        u.row_to = least(b.y.out, u.row_from + b.unit_rows)
        rest //= b.n_slabs
        u.plane_from = rest % b.n_planes * b.unit_planes
        u.plane_to = least(b.z.out, u.plane_from + b.unit_planes)
        rest //= b.n_planes
        sum_patch(b, &u, c.x + c.x_batch[rest], <const sum_t*>b.weight, c.y + c.y_batch[rest],
                  work)
    if b.streaming:
        stencil_fence()


cdef Py_ssize_t run_box(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                        void* work) noexcept nogil:
    if c.sums == SUMS_FLOAT:
        sum_patches(c, start, stop, <float*>work)
    elif c.sums == SUMS_DOUBLE:
        sum_patches(c, start, stop, <double*>work)
    else:
        sum_patches(c, start, stop, <uint64_t*>work)
    return 0


cdef class BoxLoop:
    """A bound problem whose weights are all the same.

    Parameters are plain numbers, checked by the caller, as those of `DirectLoop`. An ``x`` with
    pixels of several samples is C-contiguous.
    """

    cdef Box b
    cdef object tables
    cdef Py_ssize_t axis_of[3]
    cdef tuple batch
    cdef Py_ssize_t n_batch
    cdef int sums_code, sums_row

    def __init__(self, sums, axes, batch, Py_ssize_t n_batch, Py_ssize_t group):
        cdef Box* b = &self.b
        sums = np.dtype(sums)
        self.sums_code = SUM_CODES[sums]
        self.sums_row = row_codes[sums.num]
        self.batch = tuple(batch)
        self.n_batch = n_batch
        self.tables = read_axes(&b.z, &b.y, &b.x.axis, self.axis_of, axes)
        b.x.group = group
        b.item = sums.itemsize
        b.lanes = STENCIL_VECTOR_BYTES // b.item
        self.lay_out(b, 1)

    cdef void cut(self, Box* b, Py_ssize_t planes, Py_ssize_t rows, Py_ssize_t cols) noexcept:
        """Set the size of a unit and of its buffers."""
        cdef Py_ssize_t samples = samples_read(&b.x.axis, cols) * b.x.group
        b.unit_planes = planes
        b.unit_rows = rows
        b.unit_cols = cols
        b.n_planes = ceil_div(b.z.out, planes)
        b.n_slabs = ceil_div(b.y.out, rows)
        b.n_panels = ceil_div(b.x.axis.out, cols)
        b.rows = samples_read(&b.y, rows)
        # Two vectors more: rows are read by whole vectors, from any sample on.
        b.pitch = (ceil_div(samples, b.lanes) + 2) * b.lanes
        if b.pitch * b.item % 1024 == 0:  # rows would fall into the same cache sets
            b.pitch += b.lanes

    cdef void lay_out(self, Box* b, int threads) noexcept:
        """Cut the work: blocks within the caches, signals in time, units for each thread."""
        cdef Py_ssize_t wanted = 1 if threads == 1 else 4 * threads
        cdef Py_ssize_t planes = b.z.out, rows = b.y.out
        # Fewer would read more samples twice than they share.
        cdef Py_ssize_t few_planes = ceil_div(2 * samples_read(&b.z, 1), b.z.stride)
        cdef Py_ssize_t few_rows = ceil_div(2 * samples_read(&b.y, 1), b.y.stride)
        cdef Py_ssize_t few_cols = most(ceil_div(512, b.x.group), ceil_div(
            2 * samples_read(&b.x.axis, 1), b.x.axis.stride))
        cdef Py_ssize_t cols = least(b.x.axis.out, most(few_cols, BOX_COLS // b.x.group))
        self.cut(b, planes, rows, cols)
        while b.y.taps * b.pitch * b.item > BOX_ROWS_BYTES and cols > 2 * few_cols:
            cols = ceil_div(cols, 2)
            self.cut(b, planes, rows, cols)
        while b.z.taps > 1 and self.planes_samples(b) * b.item > BOX_PLANES_BYTES:
            if cols > 2 * few_cols:
                cols = ceil_div(cols, 2)
            elif rows > 2 * few_rows:
                rows = ceil_div(rows, 2)
            else:
                break
            self.cut(b, planes, rows, cols)
        while planes > 4 * few_planes and self.additions(b) > PRODUCTS_BETWEEN_SIGNALS:
            planes = ceil_div(planes, 2)
            self.cut(b, planes, rows, cols)
        while rows > 4 * few_rows and self.additions(b) > PRODUCTS_BETWEEN_SIGNALS:
            rows = ceil_div(rows, 2)
            self.cut(b, planes, rows, cols)
        rows = slab_rows(rows, most(4, few_rows // 2), b.y.out, few_rows // 2,
                         self.n_batch * b.n_planes, b.n_panels,
                         narrow_panel(b.x.axis.out, cols, b.n_panels), threads)
        self.cut(b, planes, rows, cols)
        # A multiple of the threads is shared evenly.
        while planes > few_planes and self.units(b) < wanted and self.units(b) % threads:
            planes = ceil_div(planes, 2)
            self.cut(b, planes, rows, cols)
        while cols > few_cols and self.units(b) < wanted and self.units(b) % threads:
            cols = ceil_div(cols, 2)
            self.cut(b, planes, rows, cols)

    cdef Py_ssize_t units(self, const Box* b) noexcept:
        return self.n_batch * b.n_planes * b.n_slabs * b.n_panels

    cdef Py_ssize_t planes_samples(self, const Box* b) noexcept:
        """Return the samples of a block of planes, and of its sum."""
        return (b.z.taps + 1) * b.rows * b.pitch if b.z.taps > 1 else 0

    cdef double additions(self, const Box* b) noexcept:
        """Return about how many additions a unit takes."""
        return (<double>samples_read(&b.z, b.unit_planes) * b.rows
                * samples_read(&b.x.axis, b.unit_cols) * b.x.group * BOX_ADDITIONS)

    cdef Py_ssize_t thread_bytes(self, const Box* b) noexcept:
        """Return the workspace of one thread, whole cache lines."""
        cdef Py_ssize_t samples = (5 + b.y.taps) * b.pitch + self.planes_samples(b)
        return (samples * b.item + 127) // 64 * 64

    def workspace(self):
        """Return the bytes that one thread takes, with the tables of the batch."""
        return (self.thread_bytes(&self.b) + 2 * self.n_batch * <Py_ssize_t>sizeof(Py_ssize_t)
                + 128)

    def run(self, cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, cnp.ndarray fill, bint clip,
            int threads, cnp.ndarray divisor=None):
        """Solve the problem, as `DirectLoop.run`; all weights are the first.

        The sums are divided by ``divisor``, an array of one number in their dtype, if there is one.
        """
        cdef Box b = self.b
        cdef Call call
        self.set_arrays(&b, x, y, clip)
        b.weight = NULL if w.flat[0] == 1 else cnp.PyArray_DATA(w)
        b.divisor = NULL if divisor is None else cnp.PyArray_DATA(divisor)
        b.x.fill = cnp.PyArray_DATA(fill)
        b.x.n_fill = fill.shape[0]
        if threads > 1:
            self.lay_out(&b, threads)
        call.loop, call.sums = &b, self.sums_code
        run_batch(run_box, &call, self.batch, self.n_batch, x, y, self.units(&b),
                  self.additions(&b), threads, self.thread_bytes(&b), 0, False)

    cdef int set_arrays(self, Box* b, cnp.ndarray x, cnp.ndarray y, bint clip) except -1:
        cdef int x_code = row_codes[cnp.PyArray_TYPE(x)]
        cdef int y_code = row_codes[cnp.PyArray_TYPE(y)]
        b.z_stride = x.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        b.y_stride = x.strides[self.axis_of[1]] if self.axis_of[1] >= 0 else 0
        b.x.pixel_stride = x.strides[self.axis_of[2]]
        b.x.sample_stride = b.x.pixel_stride
        if b.x.group > 1:  # contiguous, whatever the strides of axes of length 1
            b.x.sample_stride = cnp.PyArray_ITEMSIZE(x)
            b.x.pixel_stride = b.x.group * b.x.sample_stride
        set_row_load(&b.x, self.sums_code, x_code)
        b.x.same = x_code == self.sums_row and b.x.sample_stride == b.item
        b.out_item = cnp.PyArray_ITEMSIZE(y)
        b.out_z = y.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        b.out_y = y.strides[self.axis_of[1]] if self.axis_of[1] >= 0 else 0
        b.stored = are_stored(self.sums_code, self.sums_row, y_code, clip)
        b.emit = row_emits[self.sums_code][clip][y_code]
        b.streaming = (b.stored and cnp.PyArray_NBYTES(y) > STREAM_BYTES
                       and <uintptr_t>cnp.PyArray_DATA(y) % b.item == 0)
        b.prefetching = cnp.PyArray_NBYTES(x) > CACHE_BYTES
        return 0
