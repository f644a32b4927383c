# winograd: y[n,k,i] = b[k] + Σ_c Σ_u x[n,c,i+u−p] · w[k,c,u] by products in the transformed domain.
#
# x and y have tiles along two axes y and x (y may be absent) and taps along a third, z, which
# are summed as further channels. The work is cut into chunks of tiles: a run of planes, a run
# of rows of tiles, a run of columns of tiles. A chunk transforms its samples to
#     v[point][channels / lanes][tile][lanes],
# multiplies them by a block of two vectors of outputs at a time,
#     m[point][tile][outputs of the block],
# and transforms these back while they are in the cache. Weights lie in the order of use,
#     u[block][point][tap along z][channel][outputs of the block],
# or are transformed into a small buffer just before they are used, if they are used once.
#
# A sample that is not finite would spread over its tile, and sums may overflow in the
# transformed domain alone: then outputs are not finite, which is noticed as they are made. They
# do not leave their tile: only images that hold them have to be summed again.


cdef Py_ssize_t run_chunks(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                           void* work) noexcept nogil:
    """Run units start … stop − 1."""
    cdef const Winograd* s = <const Winograd*>c.loop
    cdef Py_ssize_t unit
    for unit in range(start, stop):
        if c.sums == SUMS_FLOAT:
            run_winograd(s, unit, <const float*>c.x, <const float*>s.weights,
                         <const float*>s.bias, <float*>c.y, <float*>work)
        else:
            run_winograd(s, unit, <const double*>c.x, <const double*>s.weights,
                         <const double*>s.bias, <double*>c.y, <double*>work)
    return 0


cdef Py_ssize_t run_packing(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                            void* work) noexcept nogil:
    """Transform weights of blocks start … stop − 1; workspace holds their tables meanwhile."""
    cdef const Winograd* s = <const Winograd*>c.loop
    if c.sums == SUMS_FLOAT:
        pack_blocks(s, <const float*>s.weights, start, stop, <float*>c.y, <Py_ssize_t*>work)
    else:
        pack_blocks(s, <const double*>s.weights, start, stop, <double*>c.y, <Py_ssize_t*>work)
    return 0


cdef class WinogradLoop:
    """A bound layer: its tiles and its tables.

    Parameters are plain numbers, checked by the caller. ``tile`` is the length of a tile, 4 or
    2. ``z`` holds (axis of x or −1, out, taps, dilation, source), ``y`` (axis or −1, out,
    source) and ``x`` (axis, out, source, low, first, last); a source table holds the index that
    each padded coordinate reads, −1 for zero.
    """

    cdef Winograd s
    cdef readonly object dtype
    cdef Py_ssize_t batch, z_axis, y_axis, x_axis, z_out
    cdef cnp.ndarray z_source, y_source, x_source

    def __init__(self, dtype, Py_ssize_t tile, Py_ssize_t batch, Py_ssize_t channels,
                 Py_ssize_t outputs, z, y, x):
        cdef Winograd* s = &self.s
        self.dtype = np.dtype(dtype)
        self.batch = batch
        self.z_axis, self.z_out, s.z_taps, s.z_dilation, self.z_source = z
        self.y_axis, s.y_out, self.y_source = y
        self.x_axis, s.x_out, self.x_source, s.x_low, s.x_first, s.x_last = x
        s.nx = tile + 2
        s.ny = tile + 2 if self.y_axis >= 0 else 1
        s.mx = tile
        s.my = tile if self.y_axis >= 0 else 1
        s.points = s.ny * s.nx
        s.taps = 9 if self.y_axis >= 0 else 3
        s.item = self.dtype.itemsize
        s.lanes = STENCIL_VECTOR_BYTES // s.item
        s.channels = channels
        s.outputs = outputs
        s.blocks = ceil_div(outputs, 2 * s.lanes)
        s.y_tiles = ceil_div(s.y_out, s.my)
        s.x_tiles = ceil_div(s.x_out, s.mx)
        s.y_source = numbers(self.y_source)
        s.x_source = numbers(self.x_source)
        # Without taps along z, all planes of the batch are one run.
        s.n_items = batch if s.z_taps > 1 else 1
        s.n_planes = self.z_out if s.z_taps > 1 else batch * self.z_out
        s.n_sources = s.n_planes + (s.z_taps - 1) * s.z_dilation
        self.lay_out(s, 1)

    cdef void lay_out(self, Winograd* s, int threads) noexcept:
        """Cut the work into chunks that fit the cache, and into enough units for the threads."""
        cdef Py_ssize_t tile_bytes = s.points * ceil_div(s.channels, s.lanes) * s.lanes * s.item
        cdef Py_ssize_t tiles = most(CHUNK_BYTES // tile_bytes, MIN_TILES)
        cdef Py_ssize_t group = most(1, s.lanes // s.mx)
        cdef Py_ssize_t planes = most(1, s.n_planes)  # the batch may be empty
        while True:
            s.cols = ceil_div(s.x_tiles, ceil_div(s.x_tiles, tiles))
            if s.cols < s.x_tiles:  # whole vectors of outputs
                s.cols = ceil_div(s.cols, group) * group
            s.rows = 1
            if s.cols == s.x_tiles:
                s.rows = ceil_div(s.y_tiles, ceil_div(s.y_tiles, most(1, tiles // s.cols)))
            s.planes = 1
            if s.rows == s.y_tiles:
                s.planes = most(1, tiles // (s.rows * s.cols))
                s.planes = ceil_div(planes, ceil_div(planes, s.planes))
            s.col_chunks = ceil_div(s.x_tiles, s.cols)
            s.row_chunks = ceil_div(s.y_tiles, s.rows)
            s.plane_chunks = ceil_div(s.n_planes, s.planes)
            if self.chunks(s) >= threads or tiles <= WINOGRAD_ROWS:
                break
            tiles = most(tiles // 2, WINOGRAD_ROWS)
        s.parts = ceil_div(threads, most(1, self.chunks(s)))
        s.parts = least(s.blocks, most(s.parts, <Py_ssize_t>(
            <double>s.planes * s.rows * s.cols * s.points * s.channels * s.z_taps * s.outputs
            / LONGEST_WINOGRAD_UNIT)))

    cdef Py_ssize_t chunks(self, const Winograd* s) noexcept:
        return s.n_items * s.plane_chunks * s.row_chunks * s.col_chunks

    cdef Py_ssize_t thread_samples(self, const Winograd* s) noexcept:
        """Return the samples of workspace of one thread."""
        cdef Py_ssize_t tiles = s.planes * s.rows * s.cols
        cdef Py_ssize_t sources = s.planes + (s.z_taps - 1) * s.z_dilation
        cdef Py_ssize_t size, ring, places, weights
        size = ceil_div(s.channels, s.lanes) * sources * s.rows * s.cols * s.lanes
        size = s.lanes + s.points * (size + s.lanes + tiles * 2 * s.lanes + s.lanes)
        ring = WINOGRAD_RING * (s.mx * s.cols + 2) * s.lanes
        places = places_bytes(s)
        weights = 0 if s.packed else s.points * apart_of(s, WINOGRAD_CHANNELS, 2)
        return ceil_div(size + most(ring, places // s.item + weights), 64) * 64

    cdef Py_ssize_t packed_samples(self, const Winograd* s) noexcept:
        """Return the samples of all transformed weights."""
        return ((s.blocks - 1) * block_size(s)
                + s.points * apart_of(s, s.channels, vectors_of(s, s.blocks - 1)))

    cdef bint transforms_early(self, const Winograd* s) noexcept:
        """Return whether a run transforms weights that were not packed before all else."""
        return self.chunks(s) > 1 and self.packed_samples(s) * s.item < EARLY_BYTES

    def workspace(self):
        """Return the bytes of workspace that one thread takes, weights not packed."""
        cdef Winograd s = self.s
        cdef Py_ssize_t early = self.packed_samples(&s) if self.transforms_early(&s) else 0
        s.packed = early > 0
        return (self.thread_samples(&s) + early) * s.item

    def reads(self, cnp.ndarray w):
        """Return whether `pack` and `run` take the weights as they lie: aligned, taps contiguous
        along the tiles' axes, forwards or backwards."""
        cdef Py_ssize_t x = w.strides[self.x_axis] if w.shape[self.x_axis] > 1 else 0
        cdef Py_ssize_t i
        for i in range(w.ndim):
            if w.strides[i] % self.s.item:
                return False
        return (x == self.s.item or x == -self.s.item) and (
            self.y_axis < 0 or w.strides[self.y_axis] == 3 * x
        )

    cdef int set_weight_strides(self, Winograd* s, cnp.ndarray w) except -1:
        s.w_output = w.strides[0] // s.item
        s.w_channel = w.strides[1] // s.item
        s.w_z = w.strides[self.z_axis] // s.item if self.z_axis >= 0 else 0
        s.w_flipped = w.strides[self.x_axis] < 0
        return 0

    def pack(self, cnp.ndarray w):
        """Return the transformed weights; ``w``, (K, C, …), is such as `reads` says."""
        cdef Winograd own = self.s
        cdef Winograd* s = &own
        cdef Py_ssize_t size = self.packed_samples(s), done = 0, step, stop
        cdef cnp.ndarray u
        cdef cnp.ndarray places = np.empty(
            places_bytes(s) // <Py_ssize_t>sizeof(Py_ssize_t), np.intp
        )
        self.set_weight_strides(s, w)
        room = np.empty(size + 64 // s.item, self.dtype)
        u = room[-room.ctypes.data % 64 // s.item:][:size]
        step = most(1, WEIGHTS_BETWEEN_SIGNALS // block_size(s))
        while done < s.blocks:
            stop = least(s.blocks, done + step)
            if s.item == 4:
                pack_blocks[float](s, <const float*>cnp.PyArray_DATA(w), done, stop,
                                   <float*>cnp.PyArray_DATA(u),
                                   <Py_ssize_t*>cnp.PyArray_DATA(places))
            else:
                pack_blocks[double](s, <const double*>cnp.PyArray_DATA(w), done, stop,
                                    <double*>cnp.PyArray_DATA(u),
                                    <Py_ssize_t*>cnp.PyArray_DATA(places))
            done = stop
            PyErr_CheckSignals()
        u.flags.writeable = False
        return u

    def run(self, cnp.ndarray x, cnp.ndarray weights, bint packed, cnp.ndarray bias,
            cnp.ndarray y, int threads):
        """Solve the problem; return whether all of the result is finite.

        If it is not, images of which all is finite are right; a single image is not finished.
        ``x`` is aligned and native, pixels of ``y`` are contiguous, ``weights`` are those of
        `pack` if ``packed``, else such as `reads` says; ``bias`` may be None.
        """
        cdef Winograd s = self.s
        cdef Py_ssize_t units, planes, biases, room, shared, each, done = 0, step, t
        cdef bint early, finite = True
        cdef char* block
        cdef char* work
        cdef Call call, packing
        if threads > 1:
            self.lay_out(&s, threads)
        units = self.chunks(&s) * s.parts
        threads = <int>least(threads, units)
        early = not packed and self.transforms_early(&s)
        s.packed = packed or early
        each = self.thread_samples(&s) * s.item
        planes = s.n_items * (s.n_sources + s.n_planes) * <Py_ssize_t>sizeof(Py_ssize_t)
        planes = ceil_div(planes, 64) * 64
        biases = 2 * s.lanes * s.blocks * s.item
        room = ceil_div(self.packed_samples(&s), s.lanes) * s.lanes if early else 0
        shared = planes + biases + room * s.item
        # Workspace: planes, bias, weights, then that of each thread.
        block = <char*>take_parts(&shared, threads, &each)
        work = block + shared
        call.loop, call.sums = &s, SUMS_FLOAT if s.item == 4 else SUMS_DOUBLE
        call.x, call.y = cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(y)
        try:
            self.set_strides(&s, x, y)
            if not packed:
                self.set_weight_strides(&s, weights)
            self.write_planes(&s, x, y, <Py_ssize_t*>block)
            memset(block + planes, 0, biases)
            if bias is not None:
                memcpy(block + planes, cnp.PyArray_DATA(bias), s.outputs * s.item)
            s.bias, s.weights = block + planes, cnp.PyArray_DATA(weights)
            if early:
                packing = call
                packing.y = block + planes + biases
                share_units(run_packing, &packing, 0, s.blocks, threads, work, each, 0)
                s.weights = packing.y
            step = threads * most(1, <Py_ssize_t>(
                PRODUCTS_BETWEEN_SIGNALS * s.parts
                / (<double>s.planes * s.rows * s.cols * s.points * s.channels * s.z_taps
                   * s.outputs)))
            while done < units:
                step = least(step, units - done)
                # A thread's workspace begins with what is not finite, of all its steps.
                share_units(run_chunks, &call, done, step, threads, work, each,
                            0 if done else s.lanes * s.item)
                for t in range(threads):
                    finite = finite and all_zero(&s, work + t * each)
                if not finite and self.batch == 1:
                    return False
                done += step
                PyErr_CheckSignals()
        finally:
            put_block(block)
        return bool(finite)

    cdef int set_strides(self, Winograd* s, cnp.ndarray x, cnp.ndarray y) except -1:
        s.x_channel = x.strides[1] // s.item
        s.x_row = x.strides[self.y_axis] // s.item if self.y_axis >= 0 else 0
        s.x_pixel = x.strides[self.x_axis] // s.item
        s.y_output = y.strides[1] // s.item
        s.y_row = y.strides[self.y_axis] // s.item if self.y_axis >= 0 else 0
        return 0

    cdef int write_planes(self, Winograd* s, cnp.ndarray x, cnp.ndarray y,
                          Py_ssize_t* table) except -1:
        """List where each plane of x and of y begins."""
        cdef Py_ssize_t n, p, index
        cdef Py_ssize_t sources = self.z_source.shape[0]
        cdef Py_ssize_t* y_table = table + self.batch * sources
        cdef Py_ssize_t x_plane = x.strides[self.z_axis] // s.item if self.z_axis >= 0 else 0
        cdef Py_ssize_t y_plane = y.strides[self.z_axis] // s.item if self.z_axis >= 0 else 0
        s.x_planes = table
        s.y_planes = y_table
        for n in range(self.batch):
            for p in range(sources):
                index = numbers(self.z_source)[p]
                table[n * sources + p] = NO_PLANE
                if index >= 0:
                    table[n * sources + p] = n * (x.strides[0] // s.item) + index * x_plane
            for p in range(self.z_out):
                y_table[n * self.z_out + p] = n * (y.strides[0] // s.item) + p * y_plane
        return 0


cdef bint all_zero(const Winograd* s, const char* check) noexcept:
    """Return whether every lane of a thread's check is zero, and none NaN."""
    cdef Py_ssize_t i
    for i in range(s.lanes):
        if not ((<const float*>check)[i] if s.item == 4 else (<const double*>check)[i]) == 0:
            return False
    return True
