# blocked: y[n,k,i] = b[k] + Σ_c Σ_u x[n,c,i·s+u·d−p] · w[k,c,u] as products of small matrices.
#
# The matrix X of the samples that each result reads is never whole. A unit is one image, one group
# and a block of its pixels. For a chunk of channels at a time it copies the rows that the block
# reads, with their border, then writes X of that chunk as panels of MATRIX columns, which stay in
# the cache while every output channel is summed from them. Channels are rows of the register tile
# and pixels its columns; or, where few pixels would leave lanes empty, the other way round. Where
# rows of results fill vectors, the tile reads columns of pixels from the copy, and nothing is
# written out; where many terms pay for turning the results round, rows of pixels.
#
# Weights that were not packed are read as they lie where packing them for the pixels of a unit
# would cost more: rows of the tile are then rows of weights, and the last pixels, too few for a
# vector, are dot products of such a row and the terms of a pixel.
#
# The gradient for the weights is the same product with the pixels summed: dwᵀ = X · dyᵀ.
#
# `LayerCut` says which form it is and how the work is cut; blocked.py chooses that.
# Everything that decides in which order a result is summed follows from the shape of one image: its
# bits are the same alone and in any batch. Long sums are made in blocks, whose sums are added.

def register_tile():
    """Return the bytes of a vector, and the rows and vectors of the tile, of this variant."""
    return STENCIL_VECTOR_BYTES, MATRIX_ROWS, MATRIX_VECTORS


cdef class LayerLoop:
    """A bound layer: its axes and tables, and how its work is cut.

    ``axes`` holds the numbers of `read_axis` for z, y and x; ``channels`` and ``outs`` are
    those of one group; ``cut`` is a `LayerCut`.
    """

    cdef Layer s
    cdef object dtype, tables
    cdef Py_ssize_t axis_of[3]
    cdef Py_ssize_t item
    cdef int code

    def __init__(self, dtype, Py_ssize_t n_batch, Py_ssize_t groups, Py_ssize_t channels,
                 Py_ssize_t outs, axes, cut):
        cdef Layer* s = &self.s
        cdef PixelBlock b
        cdef Py_ssize_t i
        self.dtype = np.dtype(dtype)
        self.code = row_codes[self.dtype.num]
        self.item = self.dtype.itemsize
        self.tables = read_axes(&s.z, &s.y, &s.x.axis, self.axis_of, axes)
        s.x.group = 1
        s.x.n_fill = 1
        s.n_batch = n_batch
        s.groups = groups
        s.channels = channels
        s.outs = outs
        s.taps = s.z.taps * s.y.taps * s.x.axis.taps
        s.pixels = s.z.out * s.y.out * s.x.axis.out
        s.lanes = STENCIL_VECTOR_BYTES // self.item
        s.sums_row = apart(s, outs)
        (s.by_pixel, s.unpacked, s.dots, s.k_panel, s.chunk, s.packed, s.width, s.unit, s.shares,
         s.block, s.summed) = cut
        s.n_chunks = ceil_div(s.channels, s.chunk)
        s.n_units = most(1, ceil_div(s.pixels - s.dots, s.unit))
        s.most_segments = least(s.width, ceil_div(s.width, s.x.axis.out) + 1)
        if s.unpacked:
            s.most_segments = ceil_div(s.unit, s.x.axis.out) + 1
        for i in range(s.n_units):
            set_block(s, i * s.unit, block_pixels(s, i), &b)
            s.copy_size = most(s.copy_size, b.channel)

    cdef Py_ssize_t share_of_work(self, const Layer* s, Py_ssize_t* sizes,
                                  bint gradient) noexcept:
        """Set the bytes of the parts of one thread's workspace; return their sum."""
        cdef Py_ssize_t whole = ceil_div(s.outs, s.lanes) * s.lanes
        cdef Py_ssize_t terms = s.chunk * s.taps
        cdef Py_ssize_t total = 0, i
        sizes[0] = 0 if s.in_place else (s.chunk * s.copy_size + 2 * s.lanes) * self.item
        sizes[1] = ceil_div(s.unit + s.dots, s.width) * terms * s.width * self.item
        sizes[1] += 2 * s.lanes * self.item
        if s.unpacked:
            sizes[1] = 0
        if gradient:
            sizes[2] = terms * (whole + s.lanes) * self.item
            if s.n_batch * s.n_units > s.summed:
                sizes[2] *= 2
            sizes[3] = s.unit * s.lanes * MATRIX_VECTORS * self.item
        else:
            sizes[2] = s.unit * s.sums_row if s.by_pixel else s.dots * apart(s, terms)
            sizes[2] *= self.item
            sizes[3] = MATRIX_ROWS * s.width * self.item
        sizes[4] = 0 if gradient or s.packed or not s.by_pixel else s.k_panel * terms * self.item
        sizes[5] = s.taps * <Py_ssize_t>sizeof(Py_ssize_t)
        sizes[6] = s.most_segments * <Py_ssize_t>sizeof(Segment)
        sizes[7] = (s.most_segments + s.width // s.lanes) * <Py_ssize_t>sizeof(matrix_move)
        for i in range(8):
            sizes[i] = (sizes[i] + 127) // 64 * 64 + WORKSPACE_ZONE
            total += sizes[i]
        return total

    def workspace(self, bint gradient=False):
        """Return the bytes of workspace that one thread takes."""
        cdef Py_ssize_t sizes[8]
        return self.share_of_work(&self.s, sizes, gradient)

    def terms_in_order(self, cnp.ndarray w):
        """Return whether the terms of each output lie side by side."""
        cdef WeightStrides strides
        self.set_weight_strides(&strides, w)
        return bool(taps_in_order(&self.s, &strides)
                    and (self.s.channels == 1 or strides.channel == self.s.taps))

    cdef void set_weight_strides(self, WeightStrides* strides, cnp.ndarray w) noexcept:
        strides.out = w.strides[0] // self.item
        strides.channel = w.strides[1] // self.item
        strides.z = w.strides[self.axis_of[0]] // self.item if self.axis_of[0] >= 0 else 0
        strides.y = w.strides[self.axis_of[1]] // self.item if self.axis_of[1] >= 0 else 0
        strides.x = w.strides[self.axis_of[2]] // self.item

    def pack(self, cnp.ndarray w):
        """Return the weights, (K, C, taps…) of any strides, in the order of the tiles."""
        cdef Layer s = self.s
        cdef Py_ssize_t whole = ceil_div(s.outs, s.lanes) * s.lanes
        cdef WeightStrides strides
        self.set_weight_strides(&strides, w)
        cdef cnp.ndarray packed = np.zeros(
            s.groups * (whole if s.by_pixel else s.outs) * s.channels * s.taps, self.dtype
        )
        if self.item == 4:
            pack_layer(&s, &strides, <const float*>cnp.PyArray_DATA(w),
                       <float*>cnp.PyArray_DATA(packed))
        else:
            pack_layer(&s, &strides, <const double*>cnp.PyArray_DATA(w),
                       <double*>cnp.PyArray_DATA(packed))
        return packed

    cdef void set_source(self, Layer* s, cnp.ndarray x) noexcept:
        cdef Py_ssize_t last = self.item
        s.x_batch = x.strides[0]
        s.x_channel = x.strides[1]
        s.x_z = x.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        s.x_y = x.strides[self.axis_of[1]] if self.axis_of[1] >= 0 else 0
        s.x.pixel_stride = s.x.sample_stride = x.strides[self.axis_of[2]]
        set_row_load(&s.x, SUMS_FLOAT if self.item == 4 else SUMS_DOUBLE, self.code)
        s.x.same = s.x.pixel_stride == self.item
        s.in_place = (copies_rows(s) and s.x.same
                      and (s.y.size == 1 or s.x_y == s.x.axis.size * self.item)
                      and (s.z.size == 1 or s.x_z == s.y.size * s.x.axis.size * self.item))

    def fill_columns(self, cnp.ndarray x, Py_ssize_t batch, Py_ssize_t group, Py_ssize_t first,
                     cnp.ndarray columns):
        """Write X, (terms, pixels), of one image and group from pixel ``first`` on.

        ``columns`` is contiguous, a whole number of vectors wide, the panel of the only chunk; the
        caller sees to it that the last of them may reach beyond the last pixel.
        """
        cdef Layer s = self.s
        cdef Py_ssize_t sizes[8]
        cdef Py_ssize_t pixels = least(s.width, s.pixels - first)
        cdef double zero = 0
        cdef const char* source
        cdef char* block
        cdef Work work
        cdef PixelBlock b
        self.set_source(&s, x)
        s.x.fill = &zero
        s.unpacked = True  # columns are the caller's
        set_block(&s, first, pixels, &b)
        s.copy_size = b.channel
        block = <char*>take_block(self.share_of_work(&s, sizes, False))
        guard_parts(block, sizes, 8)
        share_out(&work, block, sizes)
        source = cnp.PyArray_BYTES(x) + batch * s.x_batch + group * s.channels * s.x_channel
        if self.item == 4:
            fill_panels[float](&s, &b, source, s.channels, &work, s.width,
                               <float*>cnp.PyArray_DATA(columns))
        else:
            fill_panels[double](&s, &b, source, s.channels, &work, s.width,
                                <double*>cnp.PyArray_DATA(columns))
        put_block(block)

    def run(self, cnp.ndarray x, cnp.ndarray w, bias, cnp.ndarray y, int threads):
        """Solve the problem: ``y`` and ``bias`` are contiguous, ``w`` is such as the cut says."""
        cdef Layer s = self.s
        s.w = cnp.PyArray_DATA(w)
        if bias is not None:
            s.bias = cnp.PyArray_DATA(bias)
        if not s.packed:
            self.set_weight_strides(&s.weights, w)
        self.run_units(&s, x, y, s.n_batch * s.groups * s.n_units * s.shares,
                       <double>s.unit * s.outs / s.shares * s.channels * s.taps, threads)

    def run_gradient(self, cnp.ndarray x, cnp.ndarray dy, cnp.ndarray dw, int threads):
        """Compute the gradient for the weights: ``dy`` and ``dw`` are contiguous."""
        cdef Layer s = self.s
        s.w = cnp.PyArray_DATA(dy)
        s.gradient = True
        self.run_units(&s, x, dw, s.groups * s.n_chunks * s.shares,
                       <double>s.unit * s.outs / s.shares * s.chunk * s.taps, threads)

    cdef int run_units(self, Layer* s, cnp.ndarray x, cnp.ndarray y, Py_ssize_t units,
                       double products, int threads) except -1:
        """Run units, or blocks of pixels, of so many products each."""
        cdef double zero = 0
        cdef Py_ssize_t each, t
        cdef char* block
        cdef Call call
        self.set_source(s, x)
        s.x.fill = &zero
        threads = <int>most(1, least(threads, units))
        each = self.share_of_work(s, s.sizes, s.gradient)
        call.loop, call.sums = s, SUMS_FLOAT if self.item == 4 else SUMS_DOUBLE
        call.x, call.y = cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(y)
        block = <char*>take_block(threads * each)
        allow_for_threads(block, threads)
        for t in range(threads):
            guard_parts(block + t * each, s.sizes, 8)
        try:
            if s.gradient:  # each thread goes through the blocks of its own units
                run_pieces(run_layer, &call, units, s.n_batch * s.n_units,
                           PRODUCTS_BETWEEN_SIGNALS / products, threads, block, each)
            else:
                run_in_steps(run_layer, &call, units, products, threads, block, each, 0, False)
        finally:
            put_block(block)
        return 0


cdef void share_out(Work* work, char* block, const Py_ssize_t* sizes) noexcept nogil:
    """Set the parts of one thread's workspace."""
    work.copy = block
    work.panels = block + sizes[0]
    work.sums = <char*>work.panels + sizes[1]
    work.tile = <char*>work.sums + sizes[2]
    work.weights = <char*>work.tile + sizes[3]
    work.offsets = <Py_ssize_t*>(<char*>work.weights + sizes[4])
    work.segments = <Segment*>(<char*>work.offsets + sizes[5])
    work.moves = <matrix_move*>(<char*>work.segments + sizes[6])


cdef Py_ssize_t run_layer(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                          void* block) noexcept nogil:
    """Run units start … stop − 1, or so many blocks of pixels of those of a gradient."""
    cdef const Layer* s = <const Layer*>c.loop
    cdef Py_ssize_t blocks = s.n_batch * s.n_units, i
    cdef Work work
    share_out(&work, <char*>block, s.sizes)
    for i in range(start, stop):
        if s.gradient and c.sums == SUMS_FLOAT:
            run_gradient_block(s, c.x, <const float*>s.w, <float*>c.y, i // blocks, i % blocks,
                               &work)
        elif s.gradient:
            run_gradient_block(s, c.x, <const double*>s.w, <double*>c.y, i // blocks, i % blocks,
                               &work)
        elif c.sums == SUMS_FLOAT:
            run_layer_unit(s, c.x, <const float*>s.w, <const float*>s.bias, <float*>c.y, i, &work)
        else:
            run_layer_unit(s, c.x, <const double*>s.w, <const double*>s.bias, <double*>c.y, i,
                           &work)
    return 0
