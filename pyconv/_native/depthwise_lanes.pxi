# depthwise_lanes: y[n,k,i] = b[k] + Σ_u x[n,k/m,i·s+u·d−p] · w[k,u], channels in the lanes.
#
# A unit is one plane along z, or a slab of its rows, of as many output channels as a vector has
# lanes. It turns the samples that it reads, with their border, so that the channels of a pixel lie
# side by side; then every vector of results is a sum of vectors, however short the rows are
# (`depthwise_lanes.h`). Results are turned back a chunk of rows at a time. The taps of a large
# kernel are summed in blocks, whose sums are added.

cdef extern from "depthwise_lanes.h":
    ctypedef struct depthwise_lanes:
        const Py_ssize_t* rows
        Py_ssize_t n_rows, taps, step, dilation
    void lanes_row(const depthwise_lanes* d, const void* x, const void* w, Py_ssize_t n,
                   void* y) noexcept nogil

# Bytes of turned samples of a unit, which stay in the level-2 cache, and pixels of a chunk of
# results, which stay in the level-1 cache.
cdef Py_ssize_t TURNED_BYTES = 256 << 10
cdef Py_ssize_t CHUNK_PIXELS = 112
# Taps that are summed in one go, or the root of their number if that is more.
cdef Py_ssize_t BLOCK_LANES = 512


cdef struct DepthwiseLanes:
    SpatialAxis z, y, x
    Py_ssize_t n_batch, outs, multiplier, lanes, blocks, n_taps
    Py_ssize_t block                    # taps that are summed in one go
    const void* weights
    bint packed                         # weights lie by block of lanes, tap after tap
    const void* bias
    depthwise_lanes tile
    # Results of a unit and of a chunk; samples that a unit turns.
    Py_ssize_t rows, n_slabs, chunk_rows
    Py_ssize_t turned_rows, turned_cols
    bint same_border                    # zeros, at the same places in every unit
    # Strides of x, in samples.
    Py_ssize_t x_batch, x_channel, x_z, x_y, x_x


cdef inline void list_lanes(const DepthwiseLanes* s, Py_ssize_t block, Py_ssize_t sharing,
                            Py_ssize_t apart, Py_ssize_t* offset) noexcept nogil:
    """List where the channels of a block begin; lanes behind the last one repeat it."""
    cdef Py_ssize_t channel = block * s.lanes // sharing, ahead = block * s.lanes % sharing
    cdef Py_ssize_t last = (s.outs - 1) // sharing, j
    for j in range(s.lanes):
        offset[j] = least(channel, last) * apart
        ahead += 1
        if ahead == sharing:
            ahead = 0
            channel += 1


cdef inline void turn_neighbours(const DepthwiseLanes* s, const real_t* x, Py_ssize_t step,
                                 const Py_ssize_t* offset, Py_ssize_t n,
                                 real_t* out) noexcept nogil:
    """Write n pixels, ``step`` samples apart, the samples of each side by side."""
    cdef Py_ssize_t i, j
    if n >= 4 and step == 1:
        turn_pixels(x, offset, n, out)
        return
    for i in range(n):
        for j in range(s.lanes):
            out[j] = x[offset[j]]
        x += step
        out += s.lanes


cdef void turn_border(const DepthwiseLanes* s, const real_t* row, const Py_ssize_t* offset,
                      Py_ssize_t start, Py_ssize_t stop, real_t* out) noexcept nogil:
    """Write pixels that all lie outside ``x``."""
    cdef Py_ssize_t i, index
    for i in range(start, stop):
        index = source_index(&s.x, i - s.x.low)
        if index < 0:
            memset(out + i * s.lanes, 0, s.lanes * sizeof(real_t))
        else:
            turn_neighbours(s, row + index * s.x_x, 0, offset, 1, out + i * s.lanes)


cdef void turn_samples(const DepthwiseLanes* s, const real_t* x, const Py_ssize_t* offset,
                       Py_ssize_t oz, Py_ssize_t row_from, Py_ssize_t rows,
                       real_t* out) noexcept nogil:
    """Turn the samples that ``rows`` rows of results of one plane read."""
    cdef Py_ssize_t row_samples = s.turned_cols * s.lanes
    cdef Py_ssize_t before = least(s.turned_cols, most(0, s.x.low))
    cdef Py_ssize_t until_end = most(before, least(s.turned_cols, s.x.size + s.x.low))
    cdef Py_ssize_t reach = (s.y.taps - 1) * s.y.dilation + 1
    cdef Py_ssize_t t, q, plane, line
    cdef const real_t* row
    cdef real_t* at
    for t in range(s.z.taps):
        plane = source_index(&s.z, oz * s.z.stride - s.z.low + t * s.z.dilation)
        at = out + t * s.turned_rows * row_samples
        for q in range((rows - 1) * s.y.stride + reach):
            line = source_index(&s.y, row_from * s.y.stride - s.y.low + q)
            if plane >= 0 and line >= 0:
                row = x + plane * s.x_z + line * s.x_y
                turn_neighbours(s, row + (before - s.x.low) * s.x_x, s.x_x, offset,
                                until_end - before, at + before * s.lanes)
                if not s.same_border:
                    turn_border(s, row, offset, 0, before, at)
                    turn_border(s, row, offset, until_end, s.turned_cols, at)
            elif not s.same_border:
                memset(at, 0, row_samples * sizeof(real_t))
            at += row_samples


cdef inline void sum_lanes_row(const DepthwiseLanes* s, const depthwise_lanes* tile,
                               const real_t* x, const real_t* w, real_t* y) noexcept nogil:
    lanes_row(tile, x, w, s.x.out, y)


cdef void sum_lanes_blocks(const DepthwiseLanes* s, const real_t* x, const real_t* w, real_t* y,
                           real_t* sums) noexcept nogil:
    """Sum a row of results block by block of taps: some rows of them, or a part of one."""
    cdef depthwise_lanes tile = s.tile
    cdef Py_ssize_t row = 0, tap = 0, rows, i
    cdef real_t* out = y
    while row < s.tile.n_rows:
        rows = most(1, least(s.block // s.tile.taps, s.tile.n_rows - row))
        tile.rows = s.tile.rows + row
        tile.n_rows = rows
        tile.taps = least(s.block, s.tile.taps - tap)
        sum_lanes_row(s, &tile, x + tap * s.tile.dilation * s.lanes,
                      w + (row * s.tile.taps + tap) * s.lanes, out)
        if out == sums:
            for i in range(s.x.out * s.lanes):
                y[i] += sums[i]
        out = sums
        tap += tile.taps
        if tap == s.tile.taps:
            row += rows
            tap = 0


cdef void sum_lanes(const DepthwiseLanes* s, const real_t* turned, const real_t* w,
                    const real_t* bias, Py_ssize_t rows, Py_ssize_t channels, real_t* sums,
                    real_t* y) noexcept nogil:
    """Sum the taps of rows of results, and turn these back, a chunk of them at a time."""
    cdef Py_ssize_t y_channel = s.z.out * s.y.out * s.x.out
    cdef Py_ssize_t down = s.y.stride * s.turned_cols * s.lanes
    cdef Py_ssize_t r = 0, n, i
    while r < rows:
        n = least(s.chunk_rows, rows - r)
        for i in range(n):
            if s.n_taps <= s.block:
                sum_lanes_row(s, &s.tile, turned, w, sums + i * s.x.out * s.lanes)
            else:
                sum_lanes_blocks(s, turned, w, sums + i * s.x.out * s.lanes,
                                 sums + s.chunk_rows * s.x.out * s.lanes)
            turned += down
        if bias == NULL:
            transpose(sums, s.lanes, n * s.x.out, channels, y, y_channel)
        else:
            transpose_biased(sums, s.lanes, n * s.x.out, channels, y, y_channel, bias)
        y += n * s.x.out
        r += n


cdef void turn_weights(const DepthwiseLanes* s, const real_t* w, Py_ssize_t block,
                       real_t* out) noexcept nogil:
    cdef Py_ssize_t offset[MAX_LANES]
    list_lanes(s, block, 1, s.n_taps, offset)
    turn_neighbours(s, w, 1, offset, s.n_taps, out)


cdef void run_lanes_units(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                          real_t* work) noexcept nogil:
    """Run units start … stop − 1 of the order image, block, plane, slab.

    ``work`` is room for weights, sums and samples.
    """
    cdef const DepthwiseLanes* s = <const DepthwiseLanes*>c.loop
    cdef Py_ssize_t offset[MAX_LANES]
    cdef const real_t* x = <const real_t*>c.x
    cdef real_t* y = <real_t*>c.y
    cdef Py_ssize_t unit, row_from, oz, block, batch, first, rows
    cdef real_t* sums = work + s.n_taps * s.lanes
    cdef real_t* turned = sums + (s.chunk_rows + (s.n_taps > s.block)) * s.x.out * s.lanes
    cdef const real_t* w
    cdef const real_t* bias
    if s.same_border:
        memset(turned, 0, s.turned_rows * s.turned_cols * s.lanes * sizeof(real_t))
    for unit in range(start, stop):
        row_from = unit % s.n_slabs * s.rows
        oz = unit // s.n_slabs % s.z.out
        block = unit // (s.n_slabs * s.z.out) % s.blocks
        batch = unit // (s.n_slabs * s.z.out * s.blocks)
        first = block * s.lanes
        rows = least(s.rows, s.y.out - row_from)
        if s.packed:
            w = (<const real_t*>s.weights) + first * s.n_taps
        else:
            turn_weights(s, <const real_t*>s.weights, block, work)
            w = work
        bias = (<const real_t*>s.bias) + first if s.bias != NULL else NULL
        list_lanes(s, block, s.multiplier, s.x_channel, offset)
        turn_samples(s, x + batch * s.x_batch, offset, oz, row_from, rows, turned)
        sum_lanes(s, turned, w, bias, rows, least(s.lanes, s.outs - first), sums,
                  y + (((batch * s.outs + first) * s.z.out + oz) * s.y.out + row_from) * s.x.out)


cdef Py_ssize_t run_lanes(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                          void* work) noexcept nogil:
    if c.sums == SUMS_FLOAT:
        run_lanes_units(c, start, stop, <float*>work)
    else:
        run_lanes_units(c, start, stop, <double*>work)
    return 0


cdef class DepthwiseLanesLoop:
    """A bound layer with a kernel for each channel. Parameters as for `LayerLoop`."""

    cdef DepthwiseLanes s
    cdef object dtype, tables
    cdef Py_ssize_t axis_of[3]
    cdef Py_ssize_t item
    cdef cnp.ndarray kernel_rows

    def __init__(self, dtype, Py_ssize_t n_batch, Py_ssize_t channels, Py_ssize_t multiplier,
                 axes):
        cdef DepthwiseLanes* s = &self.s
        cdef Py_ssize_t reach, row_samples
        self.dtype = np.dtype(dtype)
        self.item = self.dtype.itemsize
        self.tables = read_axes(&s.z, &s.y, &s.x, self.axis_of, axes)
        s.n_batch = n_batch
        s.outs = channels * multiplier
        s.multiplier = multiplier
        s.lanes = STENCIL_VECTOR_BYTES // self.item
        s.blocks = ceil_div(s.outs, s.lanes)
        s.n_taps = s.z.taps * s.y.taps * s.x.taps
        s.block = most(BLOCK_LANES, <Py_ssize_t>sqrt(<double>s.n_taps))
        s.turned_cols = (s.x.out - 1) * s.x.stride + (s.x.taps - 1) * s.x.dilation + 1
        row_samples = s.turned_cols * s.lanes
        reach = (s.y.taps - 1) * s.y.dilation + 1
        s.rows = TURNED_BYTES // (self.item * row_samples * s.z.taps)
        s.rows = most(1, least(s.y.out, (s.rows - reach) // s.y.stride + 1))
        s.n_slabs = ceil_div(s.y.out, s.rows)
        s.turned_rows = (s.rows - 1) * s.y.stride + reach
        s.same_border = (s.n_slabs == 1 and s.z.taps == 1 and s.z.low == 0
                         and (s.z.out - 1) * s.z.stride < s.z.size
                         and all((np.concatenate(row[7:]) < 0).all() for row in axes))
        s.chunk_rows = most(1, least(s.rows, CHUNK_PIXELS // s.x.out))
        self.kernel_rows = np.add.outer(
            np.arange(s.z.taps) * (s.turned_rows * row_samples),
            np.arange(s.y.taps) * (s.y.dilation * row_samples),
        ).ravel().astype(np.intp)
        s.tile.n_rows = s.z.taps * s.y.taps
        s.tile.taps = s.x.taps
        s.tile.step = s.x.stride
        s.tile.dilation = s.x.dilation

    def workspace(self):
        """Return the bytes of workspace that one thread takes."""
        cdef const DepthwiseLanes* s = &self.s
        pixels = (s.n_taps + (s.chunk_rows + (s.n_taps > s.block)) * s.x.out
                  + s.z.taps * s.turned_rows * s.turned_cols)
        return (pixels * s.lanes * self.item + 127) // 64 * 64

    def pack(self, cnp.ndarray w):
        """Return the kernels, contiguous, by block of lanes, tap after tap."""
        cdef const DepthwiseLanes* s = &self.s
        cdef Py_ssize_t block, size = s.n_taps * s.lanes
        cdef cnp.ndarray packed = np.empty((s.blocks, s.n_taps, s.lanes), self.dtype)
        for block in range(s.blocks):
            if self.item == 4:
                turn_weights(s, <const float*>cnp.PyArray_DATA(w), block,
                             <float*>cnp.PyArray_DATA(packed) + block * size)
            else:
                turn_weights(s, <const double*>cnp.PyArray_DATA(w), block,
                             <double*>cnp.PyArray_DATA(packed) + block * size)
            if block % 1024 == 0 or size > WEIGHTS_BETWEEN_SIGNALS // 1024:
                PyErr_CheckSignals()
        return packed

    def run(self, cnp.ndarray x, cnp.ndarray w, bint packed, bias, cnp.ndarray y, int threads):
        """Solve the problem: ``w``, packed or not, ``bias`` and ``y`` are contiguous."""
        cdef DepthwiseLanes s = self.s
        cdef Py_ssize_t units = s.n_batch * s.blocks * s.z.out * s.n_slabs
        cdef Py_ssize_t shared = 0, each = self.workspace()
        cdef Call call
        cdef char* block
        s.tile.rows = numbers(self.kernel_rows)
        s.x_batch = x.strides[0] // self.item
        s.x_channel = x.strides[1] // self.item
        s.x_z = x.strides[self.axis_of[0]] // self.item if self.axis_of[0] >= 0 else 0
        s.x_y = x.strides[self.axis_of[1]] // self.item if self.axis_of[1] >= 0 else 0
        s.x_x = x.strides[self.axis_of[2]] // self.item
        s.weights = cnp.PyArray_DATA(w)
        s.packed = packed
        s.bias = NULL
        if bias is not None:
            s.bias = cnp.PyArray_DATA(<cnp.ndarray>bias)
        threads = <int>most(1, least(threads, units))
        block = <char*>take_parts(&shared, threads, &each)
        call.loop, call.sums = &s, SUMS_FLOAT if self.item == 4 else SUMS_DOUBLE
        call.x, call.y = cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(y)
        try:
            run_in_steps(run_lanes, &call, units, <double>s.lanes * s.rows * s.x.out * s.n_taps,
                         threads, block + shared, each, 0, False)
        finally:
            put_block(block)
