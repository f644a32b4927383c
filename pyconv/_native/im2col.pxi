# im2col: y = w · X, where column i of X holds the samples that output i reads.
#
# X is built a tile of outputs at a time and multiplied by BLAS. Tiles depend on shapes alone,
# so that results do not depend on the number of threads. Long sums are made in blocks of taps,
# whose sums are added.

ctypedef void (*multiply_float)(int m, int n, int k, const float* a, const float* b,
                                float* c) noexcept nogil
ctypedef void (*multiply_double)(int m, int n, int k, const double* a, const double* b,
                                 double* c) noexcept nogil

# A tile of X stays in the level-2 cache if the kernel is small enough.
cdef Py_ssize_t COLUMNS_BYTES = 512 << 10
cdef Py_ssize_t MIN_COLUMNS = 64
# Taps that are multiplied in one go, or the root of their number if that is more.
cdef Py_ssize_t PRODUCT_TAPS = 512


cdef struct Columns:
    SpatialAxis z, y
    Source x
    Py_ssize_t z_stride, y_stride
    Py_ssize_t n_taps, block        # taps, those of a block of them
    const void* weights
    void* multiply
    # Tiles: runs of whole rows of outputs, or pieces of one row.
    Py_ssize_t tile_rows, tile_cols, row_tiles, col_tiles
    row_emit emit
    Py_ssize_t out_z, out_y, out_x


cdef void fill_columns(const Columns* s, const char* x, Py_ssize_t row_from, Py_ssize_t rows,
                       Py_ssize_t col_from, Py_ssize_t cols, sum_t* columns) noexcept nogil:
    """Write X, one row for each tap, for a tile of outputs."""
    cdef Py_ssize_t t, u, v, r, plane, line, first, before, until_end
    cdef Py_ssize_t step = s.x.axis.stride
    cdef const char* row
    for t in range(s.z.taps):
        for u in range(s.y.taps):
            for v in range(s.x.axis.taps):
                first = col_from * step - s.x.axis.low + v * s.x.axis.dilation
                before = pixels_before(&s.x, first, step, cols)
                until_end = pixels_until_end(&s.x, first, step, cols)
                for r in range(row_from, row_from + rows):
                    plane = source_index(&s.z, r // s.y.out * s.z.stride - s.z.low
                                         + t * s.z.dilation)
                    line = source_index(&s.y, r % s.y.out * s.y.stride - s.y.low
                                        + u * s.y.dilation)
                    row = NULL
                    if plane >= 0 and line >= 0:
                        row = x + plane * s.z_stride + line * s.y_stride
                    pack_pixels(&s.x, row, first, step, before, until_end, cols, columns)
                    columns += cols


cdef void multiply_tiles(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                         sum_t* work) noexcept nogil:
    cdef const Columns* s = <const Columns*>c.loop
    cdef Py_ssize_t tile, batch, row_from, rows, col_from, cols, r, first, taps, i
    cdef sum_t* sums = work + s.n_taps * s.tile_rows * s.tile_cols
    cdef sum_t* product
    cdef char* at
    for tile in range(start, stop):
        batch = tile // (s.row_tiles * s.col_tiles)
        row_from = tile // s.col_tiles % s.row_tiles * s.tile_rows
        rows = least(s.tile_rows, s.z.out * s.y.out - row_from)
        col_from = tile % s.col_tiles * s.tile_cols
        cols = least(s.tile_cols, s.x.axis.out - col_from)
        fill_columns(s, c.x + c.x_batch[batch], row_from, rows, col_from, cols, work)
        product = sums
        first = 0
        while first < s.n_taps:
            taps = least(s.block, s.n_taps - first)
            if sum_t is float:
                (<multiply_float>s.multiply)(1, <int>(rows * cols), <int>taps,
                                             <const float*>s.weights + first,
                                             work + first * rows * cols, product)
            elif sum_t is double:
                (<multiply_double>s.multiply)(1, <int>(rows * cols), <int>taps,
                                              <const double*>s.weights + first,
                                              work + first * rows * cols, product)
            if first > 0:
                for i in range(rows * cols):
                    sums[i] += product[i]
            product = sums + s.tile_rows * s.tile_cols
            first += taps
        for r in range(rows):
            at = (c.y + c.y_batch[batch] + (row_from + r) // s.y.out * s.out_z
                  + (row_from + r) % s.y.out * s.out_y + col_from * s.out_x)
            s.emit(sums + r * cols, cols, at, s.out_x)


cdef Py_ssize_t run_tiles(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                          void* work) noexcept nogil:
    if c.sums == SUMS_FLOAT:
        multiply_tiles(c, start, stop, <float*>work)
    else:
        multiply_tiles(c, start, stop, <double*>work)
    return 0


cdef class Im2colLoop:
    """A bound problem. Parameters as for `DirectLoop`, with every batch axis in ``batch``.

    ``multiply`` is the address of the matrix product of `blas`.
    """

    cdef Columns s
    cdef object tables
    cdef Py_ssize_t axis_of[3]
    cdef tuple batch
    cdef Py_ssize_t n_batch, item
    cdef int sums_code, sums_row

    def __init__(self, sums, axes, batch, Py_ssize_t n_batch, uintptr_t multiply):
        cdef Columns* s = &self.s
        cdef Py_ssize_t wanted
        sums = np.dtype(sums)
        self.sums_code = SUM_CODES[sums]
        self.sums_row = row_codes[sums.num]
        self.item = sums.itemsize
        self.batch = tuple(batch)
        self.n_batch = n_batch
        self.tables = read_axes(&s.z, &s.y, &s.x.axis, self.axis_of, axes)
        s.x.group = 1
        s.x.n_fill = 1
        s.multiply = <void*>multiply
        s.n_taps = s.z.taps * s.y.taps * s.x.axis.taps
        s.block = most(PRODUCT_TAPS, <Py_ssize_t>sqrt(<double>s.n_taps))
        wanted = most(MIN_COLUMNS, COLUMNS_BYTES // (s.n_taps * self.item))
        s.tile_cols = least(wanted, s.x.axis.out)
        s.tile_rows = least(most(1, wanted // s.tile_cols), s.z.out * s.y.out)
        s.row_tiles = ceil_div(s.z.out * s.y.out, s.tile_rows)
        s.col_tiles = ceil_div(s.x.axis.out, s.tile_cols)

    cdef size_t thread_bytes(self) noexcept:
        cdef size_t outputs = self.s.tile_rows * self.s.tile_cols
        return ((self.s.n_taps + 2) * outputs * self.item + 127) // 64 * 64

    def workspace(self):
        """Return the bytes of workspace that one thread takes."""
        return self.thread_bytes()

    def run(self, cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, fill_value, bint clip,
            int threads):
        """Solve the problem: ``x`` aligned and native, ``w`` contiguous in the order z, y, x
        and in the dtype of the sums, ``y`` native.
        """
        cdef Columns s = self.s
        cdef Call call
        cdef int code = row_codes[cnp.PyArray_TYPE(x)]
        cdef double fill_double = fill_value
        cdef float fill_float = <float>fill_double
        s.z_stride = x.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        s.y_stride = x.strides[self.axis_of[1]] if self.axis_of[1] >= 0 else 0
        s.x.pixel_stride = s.x.sample_stride = x.strides[self.axis_of[2]]
        s.x.same = code == self.sums_row and s.x.pixel_stride == self.item
        set_row_load(&s.x, self.sums_code, code)
        s.x.fill = &fill_float if self.sums_code == SUMS_FLOAT else <const void*>&fill_double
        s.out_z = y.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        s.out_y = y.strides[self.axis_of[1]] if self.axis_of[1] >= 0 else 0
        s.out_x = y.strides[self.axis_of[2]]
        s.emit = row_emits[self.sums_code][clip][row_codes[cnp.PyArray_TYPE(y)]]
        s.weights = cnp.PyArray_DATA(w)
        call.loop, call.sums = &s, self.sums_code
        run_batch(run_tiles, &call, self.batch, self.n_batch, x, y,
                  self.n_batch * s.row_tiles * s.col_tiles,
                  <double>s.n_taps * s.tile_rows * s.tile_cols, threads, self.thread_bytes(),
                  0, False)
