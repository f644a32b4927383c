# direct: y[i] = Σ_u x[i·s + u·d − p] · w[u], by register tiles over the valid region.
#
# The work is cut into units: one batch item, a run of planes, a slab of rows, a panel of
# columns. A unit copies the rows it reads, with their border, converted to the type of the
# sums, into a buffer that stays in the cache; where nothing has to be converted or padded,
# tiles read the caller's array instead. Strided columns are copied apart by phase, so that
# neighbouring outputs read neighbouring samples; dilated and strided rows are grouped into
# combs that share their loads. Trailing batch axes are part of the columns: a pixel is `group`
# samples, and taps are whole pixels apart. The taps of a large kernel are summed in blocks, whose
# sums are added: roundings then grow with the root of their number.

# Measured on a Zen 4 core, whose level-2 cache of 1 MiB then has room for the result: panels of
# 256 columns took up to 1.5 times as long as panels of 2048, whose rows stream.
cdef Py_ssize_t BUFFER_BYTES = 704 << 10
cdef Py_ssize_t SLAB_ROWS = 64
cdef Py_ssize_t PANEL_COLS = 2048
# Kernels of so many rows are bound by arithmetic alone, even where they read a padded copy and
# their result passes through the cache; shorter ones are not: on a Zen 4 core, 2048² float32, in
# place was faster at 7 rows and a copy at 9.
cdef Py_ssize_t TALL = 8
# Floating-point sums of more taps are made in blocks of so many, or of the root of their number if
# that is more.
cdef Py_ssize_t BLOCK_TAPS = 512
# A unit of more products is cut down to a few tiles: nothing looks at signals while it runs.
cdef double LONGEST_UNIT = 10 * PRODUCTS_BETWEEN_SIGNALS


cdef double products_of(const Stencil* s) noexcept:
    """Return the multiply-adds of a unit."""
    return (<double>s.unit_planes * s.unit_rows * s.unit_cols * s.x.group
            * s.z.taps * s.y.taps * s.x.axis.taps)


cdef class DirectLoop:
    """A bound problem: its taps in the order of the tile, its axes, its tables.

    Parameters are plain numbers, checked by the caller: ``axes`` holds (axis of x or -1, size,
    out, low, taps, stride, dilation, before, after) for z, y and x; ``batch`` the other axes of
    x in front of the last spatial one, ``n_batch`` the product of their lengths; ``group`` the
    samples of a pixel. Taps of a ``line`` that are ``shared`` are summed in the order in which
    they share loads, others in that of w. The kind of a ``product``
    is one of product.h, as its weights are.
    """

    cdef Stencil s
    cdef object sums, tables
    cdef Py_ssize_t axis_of[3]
    cdef Py_ssize_t w_axis_of[3]
    cdef tuple batch
    cdef int sums_code, sums_row
    cdef Py_ssize_t item
    cdef bint flip, shared
    cdef cnp.ndarray segment_table, weight_table, block_table
    cdef Py_ssize_t n_weights

    def __init__(self, sums, axes, w_axes, batch, Py_ssize_t n_batch, Py_ssize_t group,
                 bint line, bint shared, bint flip, int product=0):
        cdef Stencil* s = &self.s
        self.sums = np.dtype(sums)
        self.sums_code = SUM_CODES[self.sums]
        self.sums_row = row_codes[self.sums.num]
        self.item = self.sums.itemsize
        self.batch = tuple(batch)
        self.flip = flip
        self.tables = read_axes(&s.z, &s.y, &s.x.axis, self.axis_of, axes)
        for i in range(3):
            self.w_axis_of[i] = w_axes[i]
        s.x.group = group
        s.line = line
        self.shared = shared
        s.item = self.item
        s.lanes = STENCIL_VECTOR_BYTES // self.item
        s.product = product
        self.set_tile(s, False)
        s.n_slots = s.z.taps
        s.sums = 1
        s.n_batch = n_batch
        if s.product:
            self.list_product()
        else:
            self.list_taps()
        self.lay_out(s, 1)

    cdef list_taps(self):
        """List the segments, and where in w each weight of the tile's order lies."""
        cdef Stencil* s = &self.s
        cdef Py_ssize_t t, c, f, rows, cols, step, share, first, block
        segments, weights = [], []
        self.n_weights = s.z.taps * s.y.taps * s.x.axis.taps
        block = self.n_weights
        if self.sums_code == SUMS_FLOAT or self.sums_code == SUMS_DOUBLE:
            block = most(BLOCK_TAPS, <Py_ssize_t>sqrt(<double>block))
        for t in range(s.z.taps):
            for c in range(least(s.y.phases, s.y.taps)):
                rows = ceil_div(s.y.taps - c, s.y.phases)
                for f in range(least(s.x.axis.phases, s.x.axis.taps)):
                    cols = ceil_div(s.x.axis.taps - f, s.x.axis.phases)
                    first = f * s.x.axis.dilation // s.x.axis.stride * s.x.group
                    step = s.x.axis.phases * s.x.axis.dilation // s.x.axis.stride * s.x.group
                    share = s.lanes // step if self.shared and s.line and s.lanes % step == 0 else 0
                    if not share:
                        parts = [(0, cols, rows)]
                    else:  # taps `share` apart are one vector apart: they are rows of the tile
                        parts = [(0, cols % share, cols // share + 1),
                                 (cols % share, share - cols % share, cols // share)]
                    for col, n_cols, n_rows in parts:
                        for left, n_left, top, n_top in cut_taps(n_cols, n_rows, block):
                            segments += [n_left, n_top, step, t, c, first + (col + left) * step, f,
                                         top]
                            for rows_of in group_rows(top, n_top):
                                weights.append(weight_places(
                                    t, c, f, np.arange(col + left, col + left + n_left), rows_of,
                                    s.y.phases, s.x.axis.phases, share
                                ))
        self.segment_table = np.array(segments, dtype=np.intp)
        self.weight_table = np.concatenate(weights)
        s.n_segments = len(segments) // 8
        self.list_blocks(block)

    cdef list_product(self):
        """List a segment for each row of an output, and the weights of product.h in their order."""
        cdef Py_ssize_t taps = self.s.y.taps, depth = self.s.z.taps, t
        self.n_weights = 2 * taps + 4 if depth == 1 else 3 * taps + 3
        if self.s.product & PRODUCT_WIDE:  # which are twice as wide as the samples
            self.n_weights *= 2
        places = np.zeros((self.n_weights, 3), np.intp)
        places[:, 2] = np.arange(self.n_weights)
        self.segment_table = np.array(
            [[taps, taps, self.s.x.group, t, 0, 0, 0, 0] for t in range(depth)], np.intp).ravel()
        self.weight_table = places.ravel()
        self.s.n_segments = depth
        self.list_blocks(taps * taps * depth)

    cdef list_blocks(self, Py_ssize_t block):
        """List where blocks of up to so many taps begin: segments, then weights."""
        cdef Py_ssize_t k, taps, weight = 0, start = 0
        segments, weights = [0], [0]
        for k in range(self.s.n_segments):
            taps = numbers(self.segment_table)[8 * k] * numbers(self.segment_table)[8 * k + 1]
            if weight + taps - start > block:
                start = weight
                segments.append(k)
                weights.append(weight)
            weight += taps
        self.s.n_blocks = len(segments)
        self.block_table = np.array(
            segments + [self.s.n_segments] + weights + [weight], dtype=np.intp
        )

    cdef void set_tile(self, Stencil* s, bint flat) noexcept:
        s.flat = flat and not s.product
        if s.product:
            s.tile_rows = least(s.y.out, PRODUCT_ROWS)
            s.tile_cols = s.lanes * STENCIL_AREA_VECTORS
            return
        s.tile_rows = 1 if s.line else STENCIL_FLAT_ROWS if flat else STENCIL_AREA_ROWS
        s.tile_cols = s.lanes * (STENCIL_LINE_ROWS if s.line
                                 else STENCIL_FLAT_VECTORS if flat else STENCIL_AREA_VECTORS)

    cdef Py_ssize_t units(self, const Stencil* s) noexcept:
        return s.n_batch * s.n_planes * s.y.comb * s.n_slabs * s.n_panels

    cdef void cut(self, Stencil* s, Py_ssize_t planes, Py_ssize_t rows,
                  Py_ssize_t cols) noexcept:
        """Set the size of a unit and of its buffer."""
        cdef Py_ssize_t phases = least(s.x.axis.phases, s.x.axis.taps)
        cdef Py_ssize_t reach = (s.x.axis.taps - 1) * s.x.axis.dilation // s.x.axis.stride + 1
        s.unit_planes = planes
        s.unit_rows = rows
        s.unit_cols = cols
        s.n_planes = ceil_div(s.z.out, planes)
        s.n_slabs = ceil_div(ceil_div(s.y.out, s.y.comb), rows)
        s.n_panels = ceil_div(s.x.axis.out, cols)
        s.phase_rows = most(rows, s.tile_rows) + ceil_div(s.y.taps, s.y.phases) - 1
        s.phase_cols = most(cols * s.x.group, s.tile_cols) + reach * s.x.group
        # Rows may begin anywhere in a cache line.
        set_pitch(s, ceil_div(s.phase_cols * phases + LINE_BYTES // s.item, s.lanes) * s.lanes)

    cdef void lay_out(self, Stencil* s, int threads) noexcept:
        """Cut the work: buffers within BUFFER_BYTES, signals in time, units for each thread."""
        cdef Py_ssize_t item = self.item
        cdef Py_ssize_t wanted = 1 if threads == 1 else 4 * threads
        cdef Py_ssize_t rows = least(ceil_div(s.y.out, s.y.comb), SLAB_ROWS)
        cdef Py_ssize_t panel = 8 * PANEL_COLS if s.line else PANEL_COLS
        cdef Py_ssize_t cols = least(s.x.axis.out, most(1, panel // s.x.group))
        cdef Py_ssize_t few_cols = ceil_div(2 * s.tile_cols, s.x.group)
        cdef Py_ssize_t planes
        cdef double products
        self.cut(s, s.z.out, rows, cols)
        while s.sums * s.n_slots * s.plane * item > BUFFER_BYTES:
            if cols > 4 * few_cols:
                cols = ceil_div(cols, 2)
            elif rows >= 2 * s.tile_rows:
                rows = rows // 2 // s.tile_rows * s.tile_rows
            elif cols > few_cols:
                cols = ceil_div(cols, 2)
            else:
                break
            self.cut(s, s.z.out, rows, cols)
        products = <double>s.x.group * s.z.taps * s.y.taps * s.x.axis.taps
        while rows * cols * products > LONGEST_UNIT:
            if cols > few_cols:
                cols = ceil_div(cols, 2)
            elif rows >= 2 * s.tile_rows:
                rows = rows // 2 // s.tile_rows * s.tile_rows
            else:
                break
        products *= rows * cols
        planes = <Py_ssize_t>(PRODUCTS_BETWEEN_SIGNALS / products)
        # Few planes would pack what they share again and again.
        planes = most(planes, least(least(s.z.taps, 8), <Py_ssize_t>(LONGEST_UNIT / products)))
        planes = least(s.z.out, most(planes, 1))
        self.cut(s, planes, rows, cols)
        while rows >= 2 * s.tile_rows and self.units(s) < wanted:
            rows = rows // 2 // s.tile_rows * s.tile_rows
            self.cut(s, planes, rows, cols)
        while cols > few_cols and self.units(s) < wanted:
            cols = ceil_div(cols, 2)
            self.cut(s, planes, rows, cols)
        while planes > 1 and self.units(s) < wanted:
            planes = ceil_div(planes, 2)
            self.cut(s, planes, rows, cols)

    cdef size_t slot_bytes(self, const Stencil* s) noexcept:
        """Return the bytes of a thread's copies of samples, with which its workspace begins."""
        return s.sums * s.n_slots * s.plane * self.item

    cdef size_t unfilled_bytes(self, const Stencil* s, int threads) noexcept:
        """Return how many bytes of the copies a tile may read before they are written.

        None where each copy is at least as large as a tile. Where one thread copies each unit
        whole, what a smaller one lacks is left from the first.
        """
        cdef Py_ssize_t rows = s.y.out // s.y.comb, cols = s.x.axis.out
        if threads > 1 or s.readable:
            rows -= (s.n_slabs - 1) * s.unit_rows
            cols -= (s.n_panels - 1) * s.unit_cols
        if (cols * s.x.group < s.tile_cols or s.y.phases > 1 or s.x.axis.phases > 1
                or s.gaps != NULL or s.boxes != NULL or s.streaming and s.readable):
            return self.slot_bytes(s)
        if rows >= s.tile_rows:
            return 0
        return ((s.n_slots - 1) * s.plane + (s.tile_rows + s.y.taps - 1) * s.pitch) * self.item

    cdef size_t thread_bytes(self, const Stencil* s) noexcept:
        """Return the workspace of one thread, whole cache lines."""
        cdef size_t size = self.slot_bytes(s) + s.sums * STENCIL_TILE_LIMIT * self.item
        size += 2 * s.n_segments * sizeof(stencil_segment) + 4 * s.n_slots * sizeof(Py_ssize_t)
        return (size + 127) // 64 * 64

    def workspace(self):
        """Return the bytes of workspace that one thread takes, half of what it does with gaps."""
        return self.thread_bytes(&self.s)

    def run(self, cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, cnp.ndarray fill, bint clip,
            int threads, gaps=None, cnp.ndarray divisor=None, cnp.ndarray filters=None):
        """Solve the problem: ``y`` is C-contiguous, ``x`` aligned and in native byte order.

        ``w`` has the dtype of the sums; ``fill`` holds one value or one for each sample of a
        pixel. With ``gaps`` (mask, whether NaN are missing, sign, least, tiny) samples are left
        out: the mask is None or of the shape of ``x``, the numbers are those of `divide_gaps`;
        the dtype of ``y`` is that of the sums, floating-point. The sums of a product are divided
        by ``divisor``, an array of one number in their dtype, if there is one. Of a bank ``w`` has
        an axis of filters in front, and ``filters`` the one of each item of the batch, contiguous
        intp. Returns whether no result of a product was seen that may not be finite.
        """
        cdef Stencil s = self.s
        cdef Gaps g
        cdef Py_ssize_t n_batch = s.n_batch
        cdef Py_ssize_t shared, each, units
        cdef char* block
        cdef Py_ssize_t* table
        cdef Call call
        self.set_source(&s, x)
        s.x.fill = cnp.PyArray_DATA(fill)
        s.x.n_fill = fill.shape[0]
        self.set_result(&s, y, clip)
        if divisor is not None:
            s.divisor = cnp.PyArray_DATA(divisor)
        if filters is not None:
            s.filters = numbers(filters)
            s.filter_bytes = self.n_weights * self.item
        if gaps is not None:
            self.set_gaps(&s, &g, gaps)
        elif (not s.line and not s.product and ceil_div(s.y.out, s.y.comb) <= STENCIL_FLAT_ROWS
              and s.x.axis.out * s.x.group >= STENCIL_FLAT_VECTORS * s.lanes):
            self.set_tile(&s, True)  # the rows of a taller tile would be computed in vain
        if threads > 1 or s.flat or gaps is not None:
            self.lay_out(&s, threads)
        units = self.units(&s)
        threads = <int>least(threads, units)
        shared = self.table_bytes(&s, 3 * n_batch, 1 if filters is None else w.shape[0])
        each = self.thread_bytes(&s)
        block = <char*>take_parts(&shared, threads, &each)
        try:
            table = self.write_tables(&s, w, block)
            self.set_call(&call, &s, x, y, table)
            if gaps is not None:
                if g.masked:
                    g.batch = table + 2 * n_batch
                    list_batch(self.batch, gaps[0], y, table + 2 * n_batch, table + n_batch)
                if self.sums_code == SUMS_FLOAT:
                    weigh(&s, &g, self.n_weights, <float*>(block + shared))
                else:
                    weigh(&s, &g, self.n_weights, <double*>(block + shared))
            return run_in_steps(run_direct, &call, units, products_of(&s), threads, block + shared,
                                each, self.unfilled_bytes(&s, threads), False) == 0
        finally:
            put_block(block)

    def run_boxes(self, cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, cnp.ndarray fill, bint clip,
                  int threads, boxes):
        """Solve the problem in ``boxes`` of ``y`` alone, of any strides.

        A row of ``boxes`` is the batch item, from and to along z, y and x; there is one. The
        group is one sample.
        """
        cdef Stencil s = self.s
        cdef Py_ssize_t n_batch = s.n_batch
        cdef Py_ssize_t shared, each, units
        cdef char* block
        cdef Call call
        cdef cnp.ndarray listed = self.units_of(&s, boxes)
        self.set_source(&s, x)
        if s.flat:
            self.set_tile(&s, False)
            s.readable = False
        s.prefetching = False
        s.x.fill = cnp.PyArray_DATA(fill)
        s.x.n_fill = fill.shape[0]
        self.set_result(&s, y, clip)
        s.out_item = y.strides[self.axis_of[2]]
        s.stored = s.stored and s.out_item == cnp.PyArray_ITEMSIZE(y)
        s.streaming = False
        units = listed.shape[0]
        if units == 0:
            return
        s.boxes = numbers(listed)
        threads = <int>least(threads, units)
        shared = self.table_bytes(&s, 2 * n_batch, 1)
        each = self.thread_bytes(&s)
        block = <char*>take_parts(&shared, threads, &each)
        try:
            self.set_call(&call, &s, x, y, self.write_tables(&s, w, block))
            run_in_steps(run_direct, &call, units, products_of(&s), threads, block + shared, each,
                         self.unfilled_bytes(&s, threads), False)
        finally:
            put_block(block)

    cdef int set_call(self, Call* call, const Stencil* s, cnp.ndarray x, cnp.ndarray y,
                      Py_ssize_t* table) except -1:
        """Set arrays and items of the batch, which are listed in a table."""
        call.loop, call.sums = s, self.sums_code
        call.x, call.y = cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(y)
        call.x_batch, call.y_batch = table, table + s.n_batch
        return list_batch(self.batch, x, y, table, table + s.n_batch)

    cdef units_of(self, const Stencil* s, boxes):
        """Return the units of boxes: item, comb, from and to of planes, rows of it and columns."""
        cdef Py_ssize_t comb, z, y, x, z_to, y_to, x_to, item, plane, row, col, row_to
        units = []
        for item, z, z_to, y, y_to, x, x_to in boxes.tolist():
            for comb in range(s.y.comb):
                row_to = ceil_div(most(0, y_to - comb), s.y.comb)
                for plane in range(z, z_to, s.unit_planes):
                    for row in range(ceil_div(most(0, y - comb), s.y.comb), row_to, s.unit_rows):
                        for col in range(x, x_to, s.unit_cols):
                            units.append((
                                item, comb, plane, least(z_to, plane + s.unit_planes), row,
                                least(row_to, row + s.unit_rows), col,
                                least(x_to, col + s.unit_cols)))
        return np.array(units, np.intp).reshape(-1, UNIT_NUMBERS)

    cdef int set_source(self, Stencil* s, cnp.ndarray x) except -1:
        cdef Py_ssize_t item = self.item
        self.set_strides(&s.x, &s.z_stride, &s.y_stride, x)
        s.readable = (s.x.same and s.x.axis.stride == 1
                      and s.y_stride % item == 0 and s.z_stride % item == 0)
        # Rows a multiple of 4 KiB apart fall into the same sets of the cache: as few as a flat
        # tile reads at once stay there, but a tall kernel is worth a copy.
        if s.readable and not s.line and s.y.taps > 1 and s.y.step * s.y_stride % 4096 == 0:
            s.readable = STENCIL_FLAT_ROWS <= 4 and s.y.taps < TALL
            if s.product and s.z.taps > 1:  # whose tiles read three at a time, of many planes
                s.readable = False
            elif s.readable or s.product:  # whose tiles read a row at a time
                s.readable = True
                self.set_tile(s, True)
        # Samples that are further apart than a cache line are not prefetched: a tile's rows would
        # be as many lines as it has samples, or, apart by whole planes, any number of them.
        s.prefetching = (not s.line and cnp.PyArray_NBYTES(x) > CACHE_BYTES
                         and s.x.sample_stride <= LINE_BYTES
                         and s.x.pixel_stride == s.x.group * s.x.sample_stride)
        return 0

    cdef int set_strides(self, Source* source, Py_ssize_t* z_stride, Py_ssize_t* y_stride,
                         cnp.ndarray x) except -1:
        """Say where the samples of an array lie, and of which type they are."""
        cdef Py_ssize_t last = x.ndim - 1
        cdef int code = row_codes[cnp.PyArray_TYPE(x)]
        z_stride[0] = x.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        y_stride[0] = x.strides[self.axis_of[1]] if self.axis_of[1] >= 0 else 0
        source.pixel_stride = x.strides[self.axis_of[2]]
        while last > 0 and x.shape[last] == 1:  # such an axis may have any stride
            last -= 1
        if self.axis_of[2] == x.ndim - 1 and source.axis.size > 1:
            source.pixel_stride = x.strides[last]
        source.sample_stride = source.pixel_stride if source.group == 1 else x.strides[last]
        set_row_load(source, self.sums_code, code)
        source.same = (code == self.sums_row and source.sample_stride == self.item
                       and source.pixel_stride == source.group * self.item)
        return 0

    cdef int set_gaps(self, Stencil* s, Gaps* g, gaps) except -1:
        """Prepare for samples that are missing: all that is read is copied, without them."""
        mask, g.nan, g.weights.sign, g.weights.least, g.weights.tiny = gaps
        g.masked = mask is not None
        if g.masked:
            g.mask = s.x
            g.mask.fill = &NOTHING
            g.mask.n_fill = 1
            g.samples = cnp.PyArray_BYTES(mask)
            self.set_strides(&g.mask, &g.z_stride, &g.y_stride, mask)
        s.gaps = g
        s.sums = 2
        s.readable = False
        self.set_tile(s, False)
        return 0

    cdef int set_result(self, Stencil* s, cnp.ndarray y, bint clip) except -1:
        cdef int code = row_codes[cnp.PyArray_TYPE(y)]
        s.out_item = cnp.PyArray_ITEMSIZE(y)
        s.out_z = y.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        s.out_y = y.strides[self.axis_of[1]] if self.axis_of[1] >= 0 else 0
        s.stored = are_stored(self.sums_code, self.sums_row, code, clip)
        s.emit = row_emits[self.sums_code][clip][code]
        s.streaming = (s.stored and s.y.taps < TALL and cnp.PyArray_NBYTES(y) > STREAM_BYTES
                       and s.tile_cols * s.item >= LINE_BYTES
                       and (s.line or s.y.comb * s.out_y % LINE_BYTES == 0))
        return 0

    cdef Py_ssize_t table_bytes(self, const Stencil* s, Py_ssize_t places,
                                Py_ssize_t n_filters) noexcept:
        """Return the bytes of what `write_tables` writes, and of ``places`` behind it."""
        cdef Py_ssize_t tables = (n_filters * self.n_weights * self.item
                                  + s.n_segments * <Py_ssize_t>sizeof(stencil_segment))
        places += 5 * s.n_segments
        return (tables + places * <Py_ssize_t>sizeof(Py_ssize_t) + 127) // 64 * 64

    cdef Py_ssize_t* write_tables(self, Stencil* s, cnp.ndarray w, char* block) noexcept:
        """Write weights and segments to the block; return what follows them."""
        cdef Py_ssize_t item = self.item
        cdef Py_ssize_t i, k, f, axis, n_filters = 1, filter_stride = 0
        cdef Py_ssize_t strides[3]
        cdef bint bank = s.filters != NULL
        cdef const char* first = cnp.PyArray_BYTES(w)
        cdef char* out = block
        cdef stencil_segment* segments
        cdef Py_ssize_t* columns
        cdef const Py_ssize_t* at
        for i in range(3):
            axis = self.w_axis_of[i]
            strides[i] = 0
            if axis >= 0:
                axis += bank
                strides[i] = w.strides[axis]
                if self.flip:
                    first += (w.shape[axis] - 1) * strides[i]
                    strides[i] = -strides[i]
        if bank:
            n_filters, filter_stride = w.shape[0], w.strides[0]
        s.weights = block
        for f in range(n_filters if self.n_weights else 0):
            at = numbers(self.weight_table)
            for k in range(self.n_weights):
                memcpy(out, first + at[0] * strides[0] + at[1] * strides[1] + at[2] * strides[2],
                       item)
                out += item
                at += 3
            first += filter_stride
        out = block + (out - block + 7) // 8 * 8
        segments = <stencil_segment*>out
        columns = <Py_ssize_t*>(segments + s.n_segments)
        s.segments = segments
        s.seg_z = columns
        s.seg_row = columns + s.n_segments
        s.seg_col = columns + 2 * s.n_segments
        s.seg_phase = columns + 3 * s.n_segments
        s.seg_down = columns + 4 * s.n_segments
        s.block_segment = numbers(self.block_table)
        s.block_weight = s.block_segment + s.n_blocks + 1
        at = numbers(self.segment_table)
        for k in range(s.n_segments):
            segments[k].offset = 0
            segments[k].columns = at[0]
            segments[k].rows = at[1]
            segments[k].step = at[2]
            columns[k] = at[3]
            columns[s.n_segments + k] = at[4]
            columns[2 * s.n_segments + k] = at[5]
            columns[3 * s.n_segments + k] = at[6]
            columns[4 * s.n_segments + k] = at[7]
            at += 8
        return columns + 5 * s.n_segments
