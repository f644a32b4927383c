# depthwise: y[n,k,i] = b[k] + Σ_u x[n,k/m,i·s+u·d−p] · w[k,u], a kernel for each channel.
#
# A unit is one output channel of one image: a plane along z, a slab of rows, a panel of columns.
# Where zeros lie outside, small kernels of stride 1 or 2 are summed from the caller's rows by
# the tiles of `depthwise.h`. Otherwise a unit copies the samples that it reads, with their border,
# rows and columns apart by phase, so that neighbouring results read neighbouring samples; then
# register tiles of `stencil.h` sum the taps, in the same order. Those of a large kernel are summed
# in blocks, whose sums are added.


cdef Py_ssize_t run_depthwise(const Call* call, Py_ssize_t start, Py_ssize_t stop,
                              void* work) noexcept nogil:
    if call.sums == SUMS_FLOAT:
        run_depthwise_units(call, start, stop, <float*>work)
    else:
        run_depthwise_units(call, start, stop, <double*>work)
    return 0


cdef class DepthwiseLoop:
    """A bound layer with a kernel for each channel. Parameters as for `LayerLoop`."""

    cdef Depthwise s
    cdef object dtype, tables
    cdef Py_ssize_t axis_of[3]
    cdef Py_ssize_t item
    cdef int code
    cdef cnp.ndarray segments, runs, places, blocks

    def __init__(self, dtype, Py_ssize_t n_batch, Py_ssize_t channels, Py_ssize_t multiplier,
                 axes):
        cdef Depthwise* s = &self.s
        cdef Py_ssize_t area, line, rows, cols, slab, tile
        self.dtype = np.dtype(dtype)
        self.code = row_codes[self.dtype.num]
        self.item = self.dtype.itemsize
        self.tables = read_axes(&s.z, &s.y, &s.x.axis, self.axis_of, axes)
        s.x.group = 1
        s.x.n_fill = 1
        s.zeros = all((np.concatenate(row[7:]) < 0).all() for row in axes)
        s.n_batch = n_batch
        s.outs = channels * multiplier
        s.multiplier = multiplier
        s.lanes = STENCIL_VECTOR_BYTES // self.item
        # The tile that computes the fewer results that do not exist.
        rows, cols = s.y.out, s.x.axis.out
        area = (ceil_div(rows, STENCIL_AREA_ROWS) * STENCIL_AREA_ROWS
                * ceil_div(cols, s.lanes * STENCIL_AREA_VECTORS) * STENCIL_AREA_VECTORS)
        line = (ceil_div(rows, STENCIL_LINE_ROWS) * STENCIL_LINE_ROWS * ceil_div(cols, s.lanes))
        s.line = line < area
        s.tile_rows = STENCIL_LINE_ROWS if s.line else STENCIL_AREA_ROWS
        s.tile_cols = s.lanes * (1 if s.line else STENCIL_AREA_VECTORS)
        s.cols = least(cols, LONGEST_PANEL)
        s.n_taps = s.z.taps * s.y.taps * s.x.axis.taps
        while s.cols > 2 * s.tile_cols and (
                <double>s.cols * s.tile_rows * s.n_taps > LONGEST_PLANE):
            s.cols = ceil_div(s.cols, 2)
        slab = most(1, least(SLAB_SAMPLES // (s.cols * s.y.stride * s.x.axis.stride),
                             <Py_ssize_t>(LONGEST_PLANE / s.cols / s.n_taps)))
        s.in_place = (DEPTHWISE_IN_PLACE and s.zeros and rows >= FEWEST_ROWS
                      and s.y.taps * s.x.axis.taps <= MAX_TAPS and s.n_taps <= BLOCK_KERNEL
                      and s.x.axis.stride <= 2 and s.x.axis.size <= LONGEST_ROW)
        tile = DEPTHWISE_ROWS if s.in_place else s.tile_rows
        s.rows = least(rows, ceil_div(slab, tile) * tile)
        s.n_slabs = ceil_div(rows, s.rows)
        s.n_panels = ceil_div(cols, s.cols)
        s.phase_rows = most(s.rows, s.tile_rows) + (s.y.taps - 1) * s.y.dilation // s.y.stride
        s.listed = (ceil_div(s.rows, DEPTHWISE_ROWS) * DEPTHWISE_ROWS
                    + (s.y.taps - 1) * s.y.dilation // s.y.stride)
        s.pitch = (most(s.cols, s.tile_cols)
                   + (s.x.axis.taps - 1) * s.x.axis.dilation // s.x.axis.stride)
        if s.pitch * self.item % 1024 == 0:  # rows would fall into the same cache sets
            s.pitch += s.lanes
        s.phase = s.phase_rows * s.pitch
        s.plane = (s.phase * least(s.y.phases, s.y.taps)
                   * least(s.x.axis.phases, s.x.axis.taps))
        self.list_taps()

    cdef list_taps(self):
        """List the taps: a run of vertically adjacent ones in each column, column after column.

        ``places`` is where their weights lie in a kernel; ``runs`` is for rows as they are,
        ``segments`` for a copy.
        """
        cdef Depthwise* s = &self.s
        cdef Py_ssize_t t, c, u, v, q, n, first, done, rows, group, row, column, offset
        cdef Py_ssize_t down, step, across, i, weight, start
        cdef Py_ssize_t block = most(BLOCK_KERNEL, <Py_ssize_t>sqrt(<double>s.n_taps))
        cdef bint paired
        cdef Py_ssize_t phases_y = least(s.y.phases, s.y.taps)
        cdef Py_ssize_t phases_x = least(s.x.axis.phases, s.x.axis.taps)
        segments, runs, places = [], [], []
        down = s.y.dilation * s.y.phases // s.y.stride  # rows between taps of a phase
        step = s.x.axis.dilation * s.x.axis.phases // s.x.axis.stride
        for t in range(s.z.taps):
            for c in range(phases_y):
                rows = ceil_div(s.y.taps - c, s.y.phases)
                done = 0
                while done < rows:
                    group = stencil_group(rows - done) if down == 1 else 1
                    row = c * s.y.dilation // s.y.stride + done * down
                    runs += [(t * phases_y + c) * s.listed + row, group]
                    offset = t * s.plane + c * phases_x * s.phase + row * s.pitch
                    if phases_x == 1:
                        across = ceil_div(s.x.axis.taps * group, block)
                        for i in range(across):
                            v = s.x.axis.taps * i // across
                            segments += [offset + v * step,
                                         s.x.axis.taps * (i + 1) // across - v, group, step]
                    v = 0
                    while v < s.x.axis.taps:
                        # Rows in place give the taps of two columns by turns.
                        paired = (s.in_place and s.x.axis.stride == 2 and s.x.axis.dilation == 1
                                  and v + 1 < s.x.axis.taps)
                        taps = [(0, group, v)]
                        if paired:
                            taps = [(u, 1, q) for u in range(group) for q in (v, v + 1)]
                        for first, n, q in taps:
                            if phases_x > 1:
                                column = (q % s.x.axis.phases * s.phase
                                          + q * s.x.axis.dilation // s.x.axis.stride)
                                segments += [offset + first * s.pitch + column, 1, n, 0]
                            for u in range(done + first, done + first + n):
                                places.append(
                                    (t * s.y.taps + c + s.y.phases * u) * s.x.axis.taps + q
                                )
                        v += 2 if paired else 1
                    done += group
        self.segments = np.array(segments, np.intp)
        self.runs = np.array(runs, np.intp)
        self.places = np.array(places, np.intp)
        s.n_segments = len(segments) // 4
        s.n_runs = len(runs) // 2
        weight = start = 0
        first_segments, first_weights = [0], [0]
        for i in range(s.n_segments):
            n = segments[4 * i + 1] * segments[4 * i + 2]
            if weight + n - start > block:
                start = weight
                first_segments.append(i)
                first_weights.append(weight)
            weight += n
        s.n_blocks = len(first_segments)
        self.blocks = np.array(
            first_segments + [s.n_segments] + first_weights + [weight], np.intp
        )

    cdef Py_ssize_t thread_bytes(self) noexcept:
        cdef const Depthwise* s = &self.s
        cdef Py_ssize_t copy = (s.z.taps * s.plane + STENCIL_TILE_LIMIT + s.lanes) * self.item
        cdef Py_ssize_t table = (s.z.taps * least(s.y.phases, s.y.taps) * s.listed
                                 * <Py_ssize_t>sizeof(void*))
        return (most(copy, table) + 127) // 64 * 64

    def workspace(self):
        """Return the bytes of workspace that one thread takes."""
        return self.thread_bytes()

    def pack(self, cnp.ndarray w):
        """Return the kernels, contiguous, each in the order of the tile."""
        cdef cnp.ndarray packed = np.empty((self.s.outs, self.s.n_taps), self.dtype)
        cdef Py_ssize_t done = 0, step, at
        step = most(1, WEIGHTS_BETWEEN_SIGNALS // self.s.n_taps)
        while done < self.s.outs:
            step = least(step, self.s.outs - done)
            at = done * self.s.n_taps
            if self.item == 4:
                pack_kernels(<const float*>cnp.PyArray_DATA(w) + at, step, numbers(self.places),
                             self.s.n_taps, <float*>cnp.PyArray_DATA(packed) + at)
            else:
                pack_kernels(<const double*>cnp.PyArray_DATA(w) + at, step, numbers(self.places),
                             self.s.n_taps, <double*>cnp.PyArray_DATA(packed) + at)
            done += step
            PyErr_CheckSignals()
        return packed

    def run(self, cnp.ndarray x, cnp.ndarray w, bint packed, bias, cnp.ndarray y, int threads):
        """Solve the problem: ``w``, packed or not, ``bias`` and ``y`` are contiguous."""
        cdef Depthwise s = self.s
        cdef Py_ssize_t units = s.n_batch * s.outs * s.z.out * s.n_slabs * s.n_panels
        cdef Py_ssize_t each = self.thread_bytes(), tables, outside, k
        cdef Call call
        cdef double zero = 0
        cdef char* block
        cdef stencil_segment* segments
        s.x_batch = x.strides[0]
        s.x_channel = x.strides[1]
        s.x_z = x.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        s.x_y = x.strides[self.axis_of[1]] if self.axis_of[1] >= 0 else 0
        s.x.pixel_stride = s.x.sample_stride = x.strides[self.axis_of[2]]
        s.x.same = s.x.pixel_stride == self.item
        set_row_load(&s.x, SUMS_FLOAT if self.item == 4 else SUMS_DOUBLE, self.code)
        s.x.fill = &zero
        s.in_place = s.in_place and s.x.same
        s.runs = <const depthwise_run*>numbers(self.runs)
        s.block_segment = numbers(self.blocks)
        s.block_weight = s.block_segment + s.n_blocks + 1
        if not packed:
            w = self.pack(w)
        s.weights = cnp.PyArray_DATA(w)
        s.bias = NULL
        if bias is not None:
            s.bias = cnp.PyArray_DATA(<cnp.ndarray>bias)
        threads = <int>most(1, least(threads, units))
        outside = (s.x.axis.size * self.item + 127) // 64 * 64 if s.in_place else 0
        tables = (s.n_segments * <Py_ssize_t>sizeof(stencil_segment) + 127) // 64 * 64 + outside
        block = <char*>take_parts(&tables, threads, &each)
        memset(block, 0, outside)
        s.outside = block
        segments = <stencil_segment*>(block + outside)
        for k in range(s.n_segments):
            segments[k].offset = numbers(self.segments)[4 * k]
            segments[k].columns = numbers(self.segments)[4 * k + 1]
            segments[k].rows = numbers(self.segments)[4 * k + 2]
            segments[k].step = numbers(self.segments)[4 * k + 3]
        s.segments = segments
        call.loop, call.sums = &s, SUMS_FLOAT if self.item == 4 else SUMS_DOUBLE
        call.x, call.y = cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(y)
        try:
            run_in_steps(run_depthwise, &call, units, <double>s.rows * s.cols * s.n_taps, threads,
                         block + tables, each, 0, False)
        finally:
            put_block(block)


cdef void pack_kernels(const real_t* w, Py_ssize_t kernels, const Py_ssize_t* places,
                       Py_ssize_t taps, real_t* packed) noexcept nogil:
    cdef Py_ssize_t k, i
    for k in range(kernels):
        for i in range(taps):
            packed[i] = w[places[i]]
        w += taps
        packed += taps
