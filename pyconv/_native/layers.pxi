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
# Everything that decides in which order a result is summed follows from the shape of one image: its
# bits are the same alone and in any batch. Long sums are made in blocks, whose sums are added.

cdef extern from "matrix.h":
    enum:
        MATRIX_ROWS
        MATRIX_VECTORS
    ctypedef void (*matrix_tile_float)(Py_ssize_t n, const float* a, Py_ssize_t a_row,
                                       Py_ssize_t a_col, const float* b, Py_ssize_t b_row,
                                       float* c, Py_ssize_t c_row, int add,
                                       const float* start) noexcept nogil
    ctypedef void (*matrix_tile_double)(Py_ssize_t n, const double* a, Py_ssize_t a_row,
                                        Py_ssize_t a_col, const double* b, Py_ssize_t b_row,
                                        double* c, Py_ssize_t c_row, int add,
                                       const double* start) noexcept nogil
    ctypedef void (*taps_tile_float)(Py_ssize_t channels, Py_ssize_t a_channel, Py_ssize_t taps,
                                     const Py_ssize_t* offsets, const float* a, const float* b,
                                     Py_ssize_t b_row, float* c, Py_ssize_t c_row,
                                     int add) noexcept nogil
    ctypedef void (*taps_tile_double)(Py_ssize_t channels, Py_ssize_t a_channel, Py_ssize_t taps,
                                      const Py_ssize_t* offsets, const double* a, const double* b,
                                      Py_ssize_t b_row, double* c, Py_ssize_t c_row,
                                      int add) noexcept nogil
    ctypedef void (*pixels_tile_float)(Py_ssize_t channels, Py_ssize_t b_channel, Py_ssize_t taps,
                                     const Py_ssize_t* offsets, const float* a, Py_ssize_t a_row,
                                     Py_ssize_t a_col, const float* b, float* c, Py_ssize_t c_row,
                                     int add, const float* start) noexcept nogil
    const pixels_tile_float pixels_tiles_float[MATRIX_VECTORS][MATRIX_ROWS]
    ctypedef void (*pixels_tile_double)(Py_ssize_t channels, Py_ssize_t b_channel, Py_ssize_t taps,
                                     const Py_ssize_t* offsets, const double* a, Py_ssize_t a_row,
                                     Py_ssize_t a_col, const double* b, double* c, Py_ssize_t c_row,
                                     int add, const double* start) noexcept nogil
    const pixels_tile_double pixels_tiles_double[MATRIX_VECTORS][MATRIX_ROWS]
    ctypedef void (*dots_tile_float)(Py_ssize_t n, const float* a, Py_ssize_t a_row,
                                     const float* b, Py_ssize_t b_row, float* c, Py_ssize_t c_row,
                                     int add, const float* start) noexcept nogil
    const dots_tile_float dots_tiles_float[MATRIX_VECTORS][MATRIX_ROWS]
    ctypedef void (*dots_tile_double)(Py_ssize_t n, const double* a, Py_ssize_t a_row,
                                      const double* b, Py_ssize_t b_row, double* c,
                                      Py_ssize_t c_row, int add,
                                      const double* start) noexcept nogil
    const dots_tile_double dots_tiles_double[MATRIX_VECTORS][MATRIX_ROWS]
    const taps_tile_float taps_tiles_float[MATRIX_VECTORS][MATRIX_ROWS]
    const taps_tile_double taps_tiles_double[MATRIX_VECTORS][MATRIX_ROWS]
    const matrix_tile_float matrix_tiles_float[MATRIX_VECTORS][MATRIX_ROWS]
    const matrix_tile_double matrix_tiles_double[MATRIX_VECTORS][MATRIX_ROWS]
    ctypedef struct matrix_move:
        Py_ssize_t at
        Py_ssize_t source
    void fill_panel_float(const matrix_move* moves, Py_ssize_t count, const Py_ssize_t* offsets,
                          Py_ssize_t taps, const float* copy, Py_ssize_t channel,
                          Py_ssize_t channels, float* panel, Py_ssize_t width) noexcept nogil
    void fill_panel_double(const matrix_move* moves, Py_ssize_t count, const Py_ssize_t* offsets,
                           Py_ssize_t taps, const double* copy, Py_ssize_t channel,
                           Py_ssize_t channels, double* panel, Py_ssize_t width) noexcept nogil
    void transpose_float(const float* x, Py_ssize_t x_row, Py_ssize_t rows, Py_ssize_t cols,
                         float* out, Py_ssize_t out_row) noexcept nogil
    void transpose_double(const double* x, Py_ssize_t x_row, Py_ssize_t rows, Py_ssize_t cols,
                          double* out, Py_ssize_t out_row) noexcept nogil
    void transpose_biased_float(const float* x, Py_ssize_t x_row, Py_ssize_t rows,
                                Py_ssize_t cols, float* out, Py_ssize_t out_row,
                                const float* bias) noexcept nogil
    void transpose_biased_double(const double* x, Py_ssize_t x_row, Py_ssize_t rows,
                                 Py_ssize_t cols, double* out, Py_ssize_t out_row,
                                 const double* bias) noexcept nogil


cdef struct PixelBlock:
    # A run of pixels, and the box of results that it needs copied samples for.
    Py_ssize_t first, pixels
    Py_ssize_t z0, y0, x0
    Py_ssize_t planes, rows, cols       # of samples, of each column phase
    Py_ssize_t pitch, plane, channel    # distances in the copy


cdef struct Segment:
    # Neighbouring pixels of one row of results: where they go in a row of a panel, and where
    # their first tap reads.
    Py_ssize_t at, source, n


cdef struct WeightStrides:
    # In samples.
    Py_ssize_t out, channel, z, y, x


cdef struct Layer:
    SpatialAxis z, y
    Source x
    Py_ssize_t n_batch, groups, channels, outs, taps, pixels
    Py_ssize_t lanes, width             # columns of a panel
    bint by_pixel                       # pixels are the rows of the tile
    bint unpacked                       # pixels are read from the copy, not from panels
    Py_ssize_t k_panel                  # output channels of a panel of weights, if so
    Py_ssize_t dots                     # the last pixels, summed by dot products
    Py_ssize_t chunk, n_chunks          # channels
    Py_ssize_t block                    # terms that are summed in one go
    Py_ssize_t unit, n_units            # pixels of a unit; units of an image and group
    Py_ssize_t shares                   # of the output channels, each a unit of its own
    Py_ssize_t summed                   # blocks of a gradient's pixels that are summed in one go
    # Strides of the caller's array, in bytes.
    Py_ssize_t x_batch, x_channel, x_z, x_y
    Py_ssize_t sums_row                 # distance of the pixels of sums of channels
    bint in_place                       # panels are filled from the caller's array as it is
    # Weights: packed tile by tile, or the caller's, which tiles of channels read as they are, and
    # of which the others pack a panel before they use it.
    bint packed
    WeightStrides weights
    # The largest copy of any block, the most segments of a panel.
    Py_ssize_t copy_size, most_segments


cdef inline void multiply(Py_ssize_t block, Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t n,
                          const real_t* a, Py_ssize_t a_row, Py_ssize_t a_col, const real_t* b,
                          Py_ssize_t b_row, real_t* c, Py_ssize_t c_row, int add,
                          const real_t* start) noexcept nogil:
    """Write the product, or add it; each row starts from a value of ``start``, if there is one.

    Sums of more than ``block`` terms are added up, block by block, in c.
    """
    cdef Py_ssize_t terms
    while True:
        terms = least(n, block)
        if real_t is float:
            matrix_tiles_float[vectors - 1][rows - 1](terms, a, a_row, a_col, b, b_row, c, c_row,
                                                      add, start)
        else:
            matrix_tiles_double[vectors - 1][rows - 1](terms, a, a_row, a_col, b, b_row, c, c_row,
                                                       add, start)
        n -= terms
        if n == 0:
            return
        a += terms * a_row
        b += terms * b_row
        add = 1
        start = NULL


cdef inline void multiply_taps(Py_ssize_t block, Py_ssize_t rows, Py_ssize_t vectors,
                               Py_ssize_t channels, Py_ssize_t a_channel, Py_ssize_t n,
                               const Py_ssize_t* offsets, const real_t* a, const real_t* b,
                               Py_ssize_t b_row, real_t* c, Py_ssize_t c_row,
                               int add) noexcept nogil:
    """`multiply` with a read from a copy; a long sum is over the taps of one channel."""
    cdef Py_ssize_t taps
    while True:
        taps = n if channels > 1 else least(n, block)
        if real_t is float:
            taps_tiles_float[vectors - 1][rows - 1](channels, a_channel, taps, offsets, a, b,
                                                    b_row, c, c_row, add)
        else:
            taps_tiles_double[vectors - 1][rows - 1](channels, a_channel, taps, offsets, a, b,
                                                     b_row, c, c_row, add)
        n -= taps
        if n == 0:
            return
        offsets += taps
        b += taps * b_row
        add = 1


cdef inline void multiply_pixels(Py_ssize_t block, Py_ssize_t rows, Py_ssize_t vectors,
                                 Py_ssize_t channels, Py_ssize_t b_channel, Py_ssize_t n,
                                 const Py_ssize_t* offsets, const real_t* a, Py_ssize_t a_row,
                                 Py_ssize_t a_col, const real_t* b, real_t* c, Py_ssize_t c_row,
                                 int add, const real_t* start) noexcept nogil:
    """`multiply` with b read from a copy; a long sum is over the taps of one channel."""
    cdef Py_ssize_t taps
    while True:
        taps = n if channels > 1 else least(n, block)
        if real_t is float:
            pixels_tiles_float[vectors - 1][rows - 1](channels, b_channel, taps, offsets, a, a_row,
                                                      a_col, b, c, c_row, add, start)
        else:
            pixels_tiles_double[vectors - 1][rows - 1](channels, b_channel, taps, offsets, a,
                                                       a_row, a_col, b, c, c_row, add, start)
        n -= taps
        if n == 0:
            return
        offsets += taps
        a += taps * a_row
        add = 1
        start = NULL


cdef inline void multiply_dots(Py_ssize_t block, Py_ssize_t rows, Py_ssize_t cols, Py_ssize_t n,
                               const real_t* a, Py_ssize_t a_row, const real_t* b,
                               Py_ssize_t b_row, real_t* c, Py_ssize_t c_row, int add,
                               const real_t* start) noexcept nogil:
    """`multiply` along the terms, which are neighbours in rows of a and of b."""
    cdef Py_ssize_t terms
    while True:
        terms = least(n, block)
        if real_t is float:
            dots_tiles_float[cols - 1][rows - 1](terms, a, a_row, b, b_row, c, c_row, add, start)
        else:
            dots_tiles_double[cols - 1][rows - 1](terms, a, a_row, b, b_row, c, c_row, add, start)
        n -= terms
        if n == 0:
            return
        a += terms
        b += terms
        add = 1
        start = NULL


cdef inline void transpose(const real_t* x, Py_ssize_t x_row, Py_ssize_t rows, Py_ssize_t cols,
                           real_t* out, Py_ssize_t out_row) noexcept nogil:
    if real_t is float:
        transpose_float(x, x_row, rows, cols, out, out_row)
    else:
        transpose_double(x, x_row, rows, cols, out, out_row)


cdef inline Py_ssize_t apart(const Layer* s, Py_ssize_t outs) noexcept nogil:
    """Return a distance for rows of ``outs`` sums: whole vectors, in different cache sets."""
    cdef Py_ssize_t whole = ceil_div(outs, s.lanes) * s.lanes
    # The width of a vector says how wide a sum is: 1024 bytes are 16 vectors of 64.
    return whole + s.lanes if whole % (s.lanes * (1024 // STENCIL_VECTOR_BYTES)) == 0 else whole


cdef inline Py_ssize_t part(Py_ssize_t n, Py_ssize_t parts, Py_ssize_t i) noexcept nogil:
    """Return where part i of n things begins when they are shared out evenly."""
    return n * i // parts


# ---- a block of pixels ----------------------------------------------------------------------

cdef inline Py_ssize_t block_pixels(const Layer* s, Py_ssize_t block) noexcept nogil:
    """Return the pixels of a block; the last one takes what dot products sum besides."""
    return s.unit if block < s.n_units - 1 else s.pixels - block * s.unit


cdef void set_block(const Layer* s, Py_ssize_t first, Py_ssize_t pixels,
                    PixelBlock* b) noexcept nogil:
    """Find the box of results around a run of pixels, and the samples that it reads."""
    cdef Py_ssize_t last = first + pixels - 1
    cdef Py_ssize_t row = first // s.x.axis.out, row_end = last // s.x.axis.out
    cdef Py_ssize_t z_end = row_end // s.y.out
    cdef Py_ssize_t y_end = row_end % s.y.out, x_end = last % s.x.axis.out
    b.first = first
    b.pixels = pixels
    b.z0 = row // s.y.out
    b.y0 = row % s.y.out
    b.x0 = first % s.x.axis.out
    if b.z0 != z_end:
        b.y0 = 0
        y_end = s.y.out - 1
    if row != row_end:
        b.x0 = 0
        x_end = s.x.axis.out - 1
    b.planes = (z_end - b.z0) * s.z.stride + (s.z.taps - 1) * s.z.dilation + 1
    b.rows = (y_end - b.y0) * s.y.stride + (s.y.taps - 1) * s.y.dilation + 1
    b.cols = x_end - b.x0 + 1 + (s.x.axis.taps - 1) * s.x.axis.dilation // s.x.axis.stride
    b.pitch = b.cols * least(s.x.axis.phases, s.x.axis.taps)
    b.plane = b.rows * b.pitch
    b.channel = b.planes * b.plane
    if b.channel % 256 == 0:  # channels would fall into the same cache sets
        b.channel += s.lanes


cdef inline bint is_read(const SpatialAxis* a, Py_ssize_t i) noexcept nogil:
    """Return whether some tap of some result reads sample i of a box."""
    cdef Py_ssize_t u
    for u in range(least(a.phases, a.taps)):
        if (i - u * a.dilation) % a.stride == 0:
            return True
    return False


cdef inline Py_ssize_t phase_count(const Layer* s, const PixelBlock* b,
                                   Py_ssize_t f) noexcept nogil:
    """Return how many samples of a column phase the results of a box read."""
    return (b.cols - (s.x.axis.taps - 1) * s.x.axis.dilation // s.x.axis.stride
            + phase_reach(&s.x.axis, f))


cdef inline void copy_column(const Layer* s, const PixelBlock* b, const char* row,
                             Py_ssize_t coordinate, Py_ssize_t channels,
                             real_t* out) noexcept nogil:
    """Copy one sample, which may lie outside, of each channel's row."""
    cdef Py_ssize_t c, index = source_index(&s.x.axis, coordinate)
    for c in range(channels):
        out[c * b.channel] = (<const real_t*>(row + c * s.x_channel))[index] if index >= 0 else 0


cdef void copy_pairs_of_box(const Layer* s, const PixelBlock* b, const char* row,
                            Py_ssize_t origin, Py_ssize_t channels, real_t* out) noexcept nogil:
    """Copy the two column phases of a stride of 2 at once, of a row of each channel."""
    cdef Py_ssize_t even = phase_count(s, b, 0), odd = phase_count(s, b, 1), i
    cdef Py_ssize_t n = least(even, odd)
    cdef Py_ssize_t start = least(n, ceil_div(most(0, -origin), 2))
    cdef Py_ssize_t stop = most(start, least(n, (s.x.axis.size - origin) // 2))
    cdef const char* x = row + (origin + 2 * start) * <Py_ssize_t>sizeof(real_t)
    if start < stop:
        if real_t is float:
            split_rows_float(x, s.x_channel, channels, stop - start, out + start,
                             out + b.cols + start, b.channel)
        else:
            split_rows_double(x, s.x_channel, channels, stop - start, out + start,
                              out + b.cols + start, b.channel)
    for i in range(even):
        if i < start or i >= stop:
            copy_column(s, b, row, origin + 2 * i, channels, out + i)
    for i in range(odd):
        if i < start or i >= stop:
            copy_column(s, b, row, origin + 2 * i + 1, channels, out + b.cols + i)


cdef void copy_box(const Layer* s, const PixelBlock* b, const char* x, Py_ssize_t channels,
                   real_t* copy) noexcept nogil:
    """Copy the samples of a box with their border, columns apart by phase."""
    cdef Py_ssize_t iz, iy, c, f, plane, line, first, count, before, until_end
    cdef Py_ssize_t step = s.x.axis.stride
    cdef Py_ssize_t origin = b.x0 * step - s.x.axis.low
    cdef bint pairs = s.x.same and step == 2 and least(s.x.axis.phases, s.x.axis.taps) == 2
    cdef const char* row
    cdef real_t* out
    for iz in range(b.planes):
        if not is_read(&s.z, iz):
            continue
        plane = source_index(&s.z, b.z0 * s.z.stride - s.z.low + iz)
        for iy in range(b.rows):
            if not is_read(&s.y, iy):
                continue
            line = source_index(&s.y, b.y0 * s.y.stride - s.y.low + iy)
            if pairs and plane >= 0 and line >= 0:
                copy_pairs_of_box(s, b, x + plane * s.x_z + line * s.x_y, origin, channels,
                                  copy + iz * b.plane + iy * b.pitch)
                continue
            for f in range(least(s.x.axis.phases, s.x.axis.taps)):
                first = origin + f * s.x.axis.dilation % step
                count = phase_count(s, b, f)
                before = pixels_before(&s.x, first, step, count)
                until_end = pixels_until_end(&s.x, first, step, count)
                out = copy + iz * b.plane + iy * b.pitch + f * b.cols
                for c in range(channels):
                    row = NULL
                    if plane >= 0 and line >= 0:
                        row = x + c * s.x_channel + plane * s.x_z + line * s.x_y
                    pack_pixels(&s.x, row, first, step, before, until_end, count,
                                out + c * b.channel)


cdef void list_offsets(const Layer* s, const PixelBlock* b, Py_ssize_t* offsets) noexcept nogil:
    """List where each tap reads in a channel of the copy, from where the first one does."""
    cdef Py_ssize_t t, u, v, k = 0
    for t in range(s.z.taps):
        for u in range(s.y.taps):
            for v in range(s.x.axis.taps):
                offsets[k] = (t * s.z.dilation * b.plane + u * s.y.dilation * b.pitch
                              + v % s.x.axis.phases * b.cols
                              + v * s.x.axis.dilation // s.x.axis.stride)
                k += 1


cdef Py_ssize_t list_segments(const Layer* s, const PixelBlock* b, Py_ssize_t first,
                              Py_ssize_t pixels, Segment* segments) noexcept nogil:
    """Cut a run of pixels where rows of results end."""
    cdef Py_ssize_t n = 0, done = 0, row, col
    while done < pixels:
        row = (first + done) // s.x.axis.out
        col = (first + done) % s.x.axis.out
        segments[n].at = done
        segments[n].n = least(pixels - done, s.x.axis.out - col)
        segments[n].source = (
            (row // s.y.out - b.z0) * s.z.stride * b.plane
            + (row % s.y.out - b.y0) * s.y.stride * b.pitch + col - b.x0
        )
        done += segments[n].n
        n += 1
    return n


cdef Py_ssize_t list_moves(const Layer* s, const Segment* segments, Py_ssize_t n_segments,
                           matrix_move* moves) noexcept nogil:
    """Cut runs of pixels into vectors; the last of a run overlaps what is moved after it."""
    cdef Py_ssize_t n = 0, k, i
    for k in range(n_segments):
        i = 0
        while i < segments[k].n:
            moves[n].at = segments[k].at + i
            moves[n].source = segments[k].source + i
            i += s.lanes
            n += 1
    return n


cdef void fill_panel_in_place(const char* x, Py_ssize_t x_channel, Py_ssize_t channels,
                              Py_ssize_t pixels, real_t* panel, Py_ssize_t width) noexcept nogil:
    """Write the rows of X from the caller's array, of which nothing else may be read."""
    cdef Py_ssize_t c
    for c in range(channels):
        copy_row(panel, <const real_t*>(x + c * x_channel), pixels)
        panel += width


# ---- one unit -------------------------------------------------------------------------------

cdef struct Work:
    # One thread's workspace.
    void* copy
    void* panels
    void* sums                          # results of a unit whose tiles' rows are pixels
    void* tile
    void* weights                       # a panel, if they are not packed
    Py_ssize_t* offsets
    Segment* segments
    matrix_move* moves


cdef void fill_panels(const Layer* s, const PixelBlock* b, const char* x, Py_ssize_t channels,
                      const Work* work, Py_ssize_t width, real_t* panels) noexcept nogil:
    """Write X of a block and a chunk of channels, panel after panel."""
    cdef Py_ssize_t done = 0, pixels, n
    cdef real_t* copy = <real_t*>work.copy
    if not s.in_place:
        copy_box(s, b, x, channels, copy)
        list_offsets(s, b, work.offsets)
    while done < b.pixels:
        pixels = least(width, b.pixels - done)
        if s.in_place:
            fill_panel_in_place(x + (b.first + done) * <Py_ssize_t>sizeof(real_t), s.x_channel,
                                channels, pixels, panels, width)
        else:
            n = list_segments(s, b, b.first + done, pixels, work.segments)
            n = list_moves(s, work.segments, n, work.moves)
            if real_t is float:
                fill_panel_float(work.moves, n, work.offsets, s.taps, copy, b.channel, channels,
                                 panels, width)
            else:
                fill_panel_double(work.moves, n, work.offsets, s.taps, copy, b.channel, channels,
                                  panels, width)
        panels += channels * s.taps * width
        done += width


cdef void add_tile(const real_t* tile, Py_ssize_t tile_row, Py_ssize_t rows, Py_ssize_t cols,
                   real_t* y, Py_ssize_t y_row, int add) noexcept nogil:
    """Write or add the part of a tile that exists."""
    cdef Py_ssize_t i, j
    for i in range(rows):
        if add:
            for j in range(cols):
                y[i * y_row + j] += tile[i * tile_row + j]
        else:
            for j in range(cols):
                y[i * y_row + j] = tile[i * tile_row + j]


cdef inline Py_ssize_t dots_of(const Layer* s, const PixelBlock* b) noexcept nogil:
    """Return how many pixels of a block are summed by dot products: it may be the last one."""
    return s.dots if b.first + b.pixels == s.pixels else 0


cdef void turn_last_pixels(const Layer* s, const PixelBlock* b, const real_t* panels,
                           Py_ssize_t terms, real_t* turned) noexcept nogil:
    """Write the terms of each pixel that is summed by dot products side by side."""
    cdef Py_ssize_t dots = dots_of(s, b), first = b.pixels - dots
    if dots:
        transpose(panels + first // s.width * s.width * terms + first % s.width, s.width, terms,
                  dots, turned, apart(s, terms))


cdef void channels_by_pixels(const Layer* s, const PixelBlock* b, const real_t* panels,
                             const real_t* w, Py_ssize_t terms, Py_ssize_t k_from,
                             Py_ssize_t k_to, real_t* y, int add, const real_t* bias,
                             const real_t* turned, real_t* tile) noexcept nogil:
    """Add a chunk to y, which starts from the bias: output channels are the rows of the tile.

    ``w`` is where the chunk begins, in the group's packed weights or in the row of its first
    output channel; ``y`` the first pixel of the block of the group's first output channel.
    ``turned`` holds the terms of the last pixels, if they are summed by dot products.
    """
    cdef Py_ssize_t n_tiles = ceil_div(s.outs, <Py_ssize_t>MATRIX_ROWS)
    cdef Py_ssize_t row = s.weights.out, turned_row = apart(s, terms)
    cdef Py_ssize_t dots = dots_of(s, b)
    cdef Py_ssize_t t, k, rows, done, cols, vectors
    cdef const real_t* panel
    cdef const real_t* start = NULL
    for t in range(n_tiles):
        k = part(s.outs, n_tiles, t)
        rows = part(s.outs, n_tiles, t + 1) - k
        if k < k_from or k >= k_to:
            continue
        if bias != NULL:
            start = bias + k
        panel = panels
        done = 0
        while done < b.pixels - dots:
            cols = least(s.width, b.pixels - dots - done)
            vectors = ceil_div(cols, s.lanes)
            if cols == vectors * s.lanes:
                multiply(s.block, rows, vectors, terms, w + (k * terms if s.packed else k * row),
                         rows if s.packed else 1, 1 if s.packed else row, panel, s.width,
                         y + k * s.pixels + done, s.pixels, add, start)
            else:
                multiply(s.block, rows, vectors, terms, w + (k * terms if s.packed else k * row),
                         rows if s.packed else 1, 1 if s.packed else row, panel, s.width,
                         tile, s.width, 0, start)
                add_tile(tile, s.width, rows, cols, y + k * s.pixels + done, s.pixels, add)
            panel += terms * s.width
            done += s.width
        done = 0
        while done < dots:
            cols = least(MATRIX_VECTORS, dots - done)
            multiply_dots(s.block, rows, cols, terms, w + k * row, row, turned + done * turned_row,
                          turned_row, y + k * s.pixels + b.pixels - dots + done, s.pixels, add,
                          start)
            done += cols


cdef void channels_by_rows(const Layer* s, const PixelBlock* b, const Work* work,
                           const real_t* w, Py_ssize_t channels, Py_ssize_t k_from,
                           Py_ssize_t k_to, real_t* y, int add,
                           const real_t* bias) noexcept nogil:
    """`channels_by_pixels` with the pixels of rows of results read from the copy."""
    cdef Py_ssize_t n_tiles = ceil_div(s.outs, <Py_ssize_t>MATRIX_ROWS)
    cdef Py_ssize_t row = s.weights.out
    cdef Py_ssize_t n = list_segments(s, b, b.first, b.pixels, work.segments)
    cdef Py_ssize_t t, k, i, g, rows, vectors, groups, first, cols
    cdef const Segment* run
    cdef const real_t* weights
    cdef const real_t* x
    cdef const real_t* start = NULL
    cdef real_t* tile = <real_t*>work.tile
    cdef real_t* out
    for t in range(n_tiles):
        k = part(s.outs, n_tiles, t)
        rows = part(s.outs, n_tiles, t + 1) - k
        if k < k_from or k >= k_to:
            continue
        weights = w + (k * channels * s.taps if s.packed else k * row)
        if bias != NULL:
            start = bias + k
        for i in range(n):
            run = &work.segments[i]
            groups = ceil_div(ceil_div(run.n, s.lanes), <Py_ssize_t>MATRIX_VECTORS)
            for g in range(groups):
                first = part(ceil_div(run.n, s.lanes), groups, g)
                vectors = part(ceil_div(run.n, s.lanes), groups, g + 1) - first
                cols = least(vectors * s.lanes, run.n - first * s.lanes)
                x = <const real_t*>work.copy + run.source + first * s.lanes
                out = y + k * s.pixels + run.at + first * s.lanes
                if cols == vectors * s.lanes:
                    multiply_pixels(s.block, rows, vectors, channels, b.channel, s.taps,
                                    work.offsets, weights, rows if s.packed else 1,
                                    1 if s.packed else row, x, out, s.pixels, add, start)
                else:
                    multiply_pixels(s.block, rows, vectors, channels, b.channel, s.taps,
                                    work.offsets, weights, rows if s.packed else 1,
                                    1 if s.packed else row, x, tile, s.width, 0, start)
                    add_tile(tile, s.width, rows, cols, out, s.pixels, add)


cdef struct WeightChunk:
    # Some channels of the weights of a group.
    Py_ssize_t group, first, channels


cdef const real_t* panel_of_weights(const Layer* s, const Work* work, const real_t* w,
                                    const WeightChunk* chunk, Py_ssize_t k,
                                    Py_ssize_t cols) noexcept nogil:
    """Return the weights of output channels from k on: a row of ``cols`` for each term."""
    cdef Py_ssize_t whole = ceil_div(s.outs, s.lanes) * s.lanes
    cdef Py_ssize_t terms = chunk.channels * s.taps, rows = least(cols, s.outs - k)
    cdef real_t* panel = <real_t*>work.weights
    if s.packed:
        return w + (chunk.group * s.channels + chunk.first) * s.taps * whole + k * terms
    if rows < cols:
        memset(panel, 0, cols * terms * <Py_ssize_t>sizeof(real_t))
    w += (chunk.group * s.outs + k) * s.weights.out + chunk.first * s.weights.channel
    pack_weight_tile(s, &s.weights, w, chunk.channels, rows, panel, cols)
    return panel


cdef void pixels_by_channels(const Layer* s, const PixelBlock* b, const Work* work,
                             const real_t* w, const WeightChunk* chunk, Py_ssize_t k_from,
                             Py_ssize_t k_to, int add) noexcept nogil:
    """Add a chunk to the sums, rows of pixels: pixels are the rows of the tile."""
    cdef Py_ssize_t whole = ceil_div(s.outs, s.lanes) * s.lanes
    cdef Py_ssize_t terms = chunk.channels * s.taps
    cdef Py_ssize_t k = k_from, done, in_panel, n_tiles, t, first, rows, cols
    cdef real_t* sums = <real_t*>work.sums
    cdef const real_t* panel
    cdef const real_t* weights
    while k < k_to:
        cols = least(s.k_panel, whole - k)
        weights = panel_of_weights(s, work, w, chunk, k, cols)
        panel = <const real_t*>work.panels
        done = 0
        while done < b.pixels:
            in_panel = least(s.width, b.pixels - done)
            n_tiles = ceil_div(in_panel, <Py_ssize_t>MATRIX_ROWS)
            for t in range(n_tiles):
                first = part(in_panel, n_tiles, t)
                rows = part(in_panel, n_tiles, t + 1) - first
                multiply(s.block, rows, cols // s.lanes, terms, panel + first, s.width, 1,
                         weights, cols, sums + (done + first) * s.sums_row + k,
                         s.sums_row, add, NULL)
            panel += terms * s.width
            done += s.width
        k += s.k_panel


cdef void rows_by_channels(const Layer* s, const PixelBlock* b, const Work* work, const real_t* w,
                           const WeightChunk* chunk, Py_ssize_t k_from, Py_ssize_t k_to,
                           int add) noexcept nogil:
    """Add a chunk to the sums, rows of pixels, which are read from the copy."""
    cdef Py_ssize_t whole = ceil_div(s.outs, s.lanes) * s.lanes
    cdef Py_ssize_t n = list_segments(s, b, b.first, b.pixels, work.segments)
    cdef Py_ssize_t k = k_from, i, n_tiles, t, first, cols
    cdef const Segment* run
    cdef const real_t* copy = <const real_t*>work.copy
    cdef real_t* sums = <real_t*>work.sums
    cdef const real_t* weights
    while k < k_to:
        cols = least(s.k_panel, whole - k)
        weights = panel_of_weights(s, work, w, chunk, k, cols)
        for i in range(n):
            run = &work.segments[i]
            n_tiles = ceil_div(run.n, <Py_ssize_t>MATRIX_ROWS)
            for t in range(n_tiles):
                first = part(run.n, n_tiles, t)
                multiply_taps(s.block, part(run.n, n_tiles, t + 1) - first, cols // s.lanes,
                              chunk.channels, b.channel, s.taps, work.offsets,
                              copy + run.source + first, weights, cols,
                              sums + (run.at + first) * s.sums_row + k, s.sums_row, add)
        k += s.k_panel


cdef Py_ssize_t share_begin(const Layer* s, Py_ssize_t share) noexcept nogil:
    """Return the first output channel of a share: whole tiles."""
    cdef Py_ssize_t tiles
    if s.by_pixel:
        return least(s.outs, part(ceil_div(s.outs, s.k_panel), s.shares, share) * s.k_panel)
    tiles = ceil_div(s.outs, <Py_ssize_t>MATRIX_ROWS)
    return part(s.outs, tiles, part(tiles, s.shares, share))


cdef void run_layer_unit(const Layer* s, const char* x, const real_t* w, const real_t* bias,
                         real_t* y, Py_ssize_t unit, const Work* work) noexcept nogil:
    """Compute one block of pixels of one image and a share of one group's output channels."""
    cdef Py_ssize_t share = unit % s.shares
    cdef Py_ssize_t block = unit // s.shares % s.n_units
    cdef Py_ssize_t group = unit // (s.shares * s.n_units) % s.groups
    cdef Py_ssize_t batch = unit // (s.shares * s.n_units * s.groups)
    cdef Py_ssize_t k_from = share_begin(s, share), k_to = share_begin(s, share + 1)
    cdef Py_ssize_t number, channels
    cdef const real_t* w_chunk
    cdef real_t* sums = <real_t*>work.sums
    cdef int add = 0
    cdef PixelBlock b
    cdef WeightChunk chunk
    chunk.group = group
    x += batch * s.x_batch + group * s.channels * s.x_channel
    y += (batch * s.groups + group) * s.outs * s.pixels + block * s.unit
    set_block(s, block * s.unit, block_pixels(s, block), &b)
    if bias != NULL:
        bias += group * s.outs
    for number in range(s.n_chunks):
        chunk.first = number * s.chunk
        channels = chunk.channels = least(s.chunk, s.channels - chunk.first)
        if s.unpacked:
            copy_box(s, &b, x + chunk.first * s.x_channel, channels, <real_t*>work.copy)
            list_offsets(s, &b, work.offsets)
        else:
            fill_panels(s, &b, x + chunk.first * s.x_channel, channels, work, s.width,
                        <real_t*>work.panels)
        if s.packed:
            w_chunk = w + (group * s.channels + chunk.first) * s.outs * s.taps
        else:
            w_chunk = w + group * s.outs * s.weights.out + chunk.first * s.taps
        if s.by_pixel and s.unpacked:
            rows_by_channels(s, &b, work, w, &chunk, k_from, k_to, add)
        elif s.by_pixel:
            pixels_by_channels(s, &b, work, w, &chunk, k_from, k_to, add)
        elif s.unpacked:
            channels_by_rows(s, &b, work, w_chunk, channels, k_from, k_to, y, add,
                             NULL if add else bias)
        else:
            turn_last_pixels(s, &b, <real_t*>work.panels, channels * s.taps, sums)
            channels_by_pixels(s, &b, <real_t*>work.panels, w_chunk, channels * s.taps, k_from,
                               k_to, y, add, NULL if add else bias, sums, <real_t*>work.tile)
        add = 1
    if s.by_pixel and bias == NULL:
        transpose(sums + k_from, s.sums_row, b.pixels, k_to - k_from, y + k_from * s.pixels,
                  s.pixels)
    elif s.by_pixel:
        if real_t is float:
            transpose_biased_float(sums + k_from, s.sums_row, b.pixels, k_to - k_from,
                                   y + k_from * s.pixels, s.pixels, bias + k_from)
        else:
            transpose_biased_double(sums + k_from, s.sums_row, b.pixels, k_to - k_from,
                                    y + k_from * s.pixels, s.pixels, bias + k_from)


cdef void run_gradient_block(const Layer* s, const char* x, const real_t* dy, real_t* dw,
                             Py_ssize_t unit, Py_ssize_t number, const Work* work) noexcept nogil:
    """Add a block of pixels of one image to dw of a unit, and write it after the last.

    A unit is a chunk of one group's channels and a share of its output channels.
    """
    cdef Py_ssize_t share = unit % s.shares
    cdef Py_ssize_t chunk = unit // s.shares % s.n_chunks
    cdef Py_ssize_t group = unit // (s.shares * s.n_chunks)
    cdef Py_ssize_t batch = number // s.n_units, block = number % s.n_units
    cdef Py_ssize_t panel = s.lanes * MATRIX_VECTORS
    cdef Py_ssize_t k_from = part(ceil_div(s.outs, panel), s.shares, share) * panel
    cdef Py_ssize_t k_to = least(
        s.outs, part(ceil_div(s.outs, panel), s.shares, share + 1) * panel
    )
    cdef Py_ssize_t whole = ceil_div(k_to - k_from, s.lanes) * s.lanes
    cdef Py_ssize_t row = apart(s, k_to - k_from)
    cdef Py_ssize_t c = chunk * s.chunk
    cdef Py_ssize_t channels = least(s.chunk, s.channels - c)
    cdef Py_ssize_t terms = channels * s.taps
    cdef Py_ssize_t n_tiles = ceil_div(terms, <Py_ssize_t>MATRIX_ROWS)
    cdef Py_ssize_t blocks = s.n_batch * s.n_units
    cdef Py_ssize_t k, t, q, cols
    cdef real_t* sums = <real_t*>work.sums
    cdef real_t* totals = sums + terms * row
    cdef real_t* turned = <real_t*>work.tile
    cdef const real_t* map
    cdef PixelBlock b
    if k_to <= k_from:
        return
    if number % s.summed == 0:
        if number == s.summed:
            memcpy(totals, sums, terms * row * <Py_ssize_t>sizeof(real_t))
        elif number > 0:
            add_tile(sums, row, terms, whole, totals, row, 1)
        memset(sums, 0, terms * row * <Py_ssize_t>sizeof(real_t))
    x += (group * s.channels + c) * s.x_channel
    set_block(s, block * s.unit, block_pixels(s, block), &b)
    fill_panels(s, &b, x + batch * s.x_batch, channels, work, s.width, <real_t*>work.panels)
    map = dy + (batch * s.groups + group) * s.outs * s.pixels + b.first
    k = k_from
    while k < k_to:
        cols = least(panel, whole - (k - k_from))
        transpose(map + k * s.pixels, s.pixels, least(cols, k_to - k), b.pixels, turned, cols)
        for t in range(n_tiles):
            q = part(terms, n_tiles, t)
            multiply(s.block, part(terms, n_tiles, t + 1) - q, cols // s.lanes, b.pixels,
                     <real_t*>work.panels + q * s.width, 1, s.width, turned, cols,
                     sums + q * row + k - k_from, row, 1, NULL)
        k += panel
    if number < blocks - 1:
        return
    if blocks > s.summed:
        add_tile(sums, row, terms, whole, totals, row, 1)
        sums = totals
    transpose(sums, row, terms, k_to - k_from,
              dw + (group * s.outs + k_from) * s.channels * s.taps + c * s.taps,
              s.channels * s.taps)


# ---- one problem ----------------------------------------------------------------------------

def matrix_tile():
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
        self.tables = []
        for i, row in enumerate(axes):
            self.axis_of[i] = row[0]
            self.tables.append(
                read_axis(&s.z if i == 0 else &s.y if i == 1 else &s.x.axis, row)
            )
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

    def workspace(self):
        """Return the bytes of workspace that one thread takes."""
        cdef Py_ssize_t sizes[8]
        return self.share_of_work(&self.s, sizes, False)

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
        cdef const void* start = NULL
        cdef double products
        if bias is not None:
            start = cnp.PyArray_DATA(bias)
        self.set_source(&s, x)
        if not s.packed:
            self.set_weight_strides(&s.weights, w)
        products = <double>s.unit * s.outs / s.shares * s.channels * s.taps
        self.run_units(&s, s.n_batch * s.groups * s.n_units * s.shares, products,
                       cnp.PyArray_BYTES(x), cnp.PyArray_DATA(w), start, cnp.PyArray_DATA(y),
                       threads)

    def run_gradient(self, cnp.ndarray x, cnp.ndarray dy, cnp.ndarray dw, int threads):
        """Compute the gradient for the weights: ``dy`` and ``dw`` are contiguous."""
        cdef Layer s = self.s
        cdef Py_ssize_t units = s.groups * s.n_chunks * s.shares
        self.set_source(&s, x)
        # Each thread goes through the blocks of its own units, some at a time.
        threads = <int>most(1, least(threads, units))
        self.run_steps(&s, units, threads, ceil_div(units, threads) * s.n_batch * s.n_units,
                       <double>s.unit * s.outs / s.shares * s.chunk * s.taps, cnp.PyArray_BYTES(x),
                       cnp.PyArray_DATA(dy), NULL, cnp.PyArray_DATA(dw), True)

    cdef int run_units(self, Layer* s, Py_ssize_t units, double products, const char* x,
                       const void* w, const void* bias, void* y, int threads) except -1:
        threads = <int>most(1, least(threads, units))
        return self.run_steps(s, units, threads, units, products / threads, x, w, bias, y, False)

    cdef int run_steps(self, Layer* s, Py_ssize_t units, int threads, Py_ssize_t steps,
                       double products, const char* x, const void* w, const void* bias, void* y,
                       bint gradient) except -1:
        """Run ``steps`` of so many products on each thread, and look at signals in between."""
        cdef Py_ssize_t sizes[8]
        cdef Py_ssize_t each = self.share_of_work(s, sizes, gradient)
        cdef Py_ssize_t done = 0, step, t
        cdef double zero = 0
        cdef char* block
        s.x.fill = &zero
        step = most(1 if gradient else threads,
                    <Py_ssize_t>(PRODUCTS_BETWEEN_SIGNALS / products))
        block = <char*>take_block(threads * each)
        for t in range(threads):
            guard_parts(block + t * each, sizes, 8)
        try:
            while done < steps:
                step = least(step, steps - done)
                if self.item == 4:
                    run_layer_shared[float](s, units, done, step, threads, x, <const float*>w,
                                            <const float*>bias, <float*>y, gradient, block,
                                            sizes, each)
                else:
                    run_layer_shared[double](s, units, done, step, threads, x, <const double*>w,
                                             <const double*>bias, <double*>y, gradient, block,
                                             sizes, each)
                done += step
                PyErr_CheckSignals()
        finally:
            put_block(block)
        return 0


cdef inline bint copies_rows(const Layer* s) noexcept:
    """Return whether panels are copies of rows of samples: nothing is gained by a copy before."""
    return plain_axis(&s.x.axis) and plain_axis(&s.y) and plain_axis(&s.z)


cdef bint plain_axis(const SpatialAxis* a) noexcept:
    """Return whether results read the samples one for one."""
    return a.taps == 1 and a.stride == 1 and a.low == 0 and a.out == a.size


cdef int pack_layer(const Layer* s, const WeightStrides* strides, const real_t* w,
                    real_t* packed) except -1:
    """Write the weights group after group, chunk after chunk, tile after tile."""
    cdef Py_ssize_t whole = ceil_div(s.outs, s.lanes) * s.lanes
    cdef Py_ssize_t panel = s.k_panel
    cdef Py_ssize_t n_tiles = ceil_div(s.outs, <Py_ssize_t>(panel if s.by_pixel else MATRIX_ROWS))
    cdef Py_ssize_t group, chunk, k, t, channels, rows, cols, done = 0
    for group in range(s.groups):
        for chunk in range(s.n_chunks):
            channels = least(s.chunk, s.channels - chunk * s.chunk)
            for t in range(n_tiles):
                if s.by_pixel:
                    k = t * panel
                    rows = least(panel, s.outs - k)
                    cols = least(panel, whole - k)
                else:
                    k = part(s.outs, n_tiles, t)
                    rows = cols = part(s.outs, n_tiles, t + 1) - k
                pack_weight_tile(s, strides, w + (group * s.outs + k) * strides.out
                                 + chunk * s.chunk * strides.channel, channels, rows, packed, cols)
                packed += cols * channels * s.taps
                done += cols * channels * s.taps
                if done > WEIGHTS_BETWEEN_SIGNALS:
                    done = 0
                    PyErr_CheckSignals()
    return 0


cdef inline bint taps_in_order(const Layer* s, const WeightStrides* strides) noexcept nogil:
    """Return whether the taps of a channel lie side by side."""
    cdef Py_ssize_t taps_x = s.x.axis.taps, taps_y = s.y.taps
    return ((taps_x == 1 or strides.x == 1) and (taps_y == 1 or strides.y == taps_x)
            and (s.z.taps == 1 or strides.z == taps_x * taps_y))


cdef void pack_weight_tile(const Layer* s, const WeightStrides* strides, const real_t* w,
                           Py_ssize_t channels, Py_ssize_t rows, real_t* packed,
                           Py_ssize_t cols) noexcept nogil:
    """Write the terms of some output channels: a row of ``cols`` for each channel and tap."""
    cdef Py_ssize_t c, t, u, v, k
    cdef Py_ssize_t taps_x = s.x.axis.taps, taps_y = s.y.taps
    cdef const real_t* tap
    if taps_in_order(s, strides):
        if strides.channel == s.taps:  # a row of weights is a row of terms
            transpose(w, strides.out, rows, channels * s.taps, packed, cols)
            return
        for c in range(channels):
            transpose(w + c * strides.channel, strides.out, rows, s.taps,
                      packed + c * s.taps * cols, cols)
        return
    if (strides.x == -1 and (taps_y == 1 or strides.y == -taps_x)
            and (s.z.taps == 1 or strides.z == -taps_x * taps_y)):
        for c in range(channels):  # flipped: from the last tap back
            transpose(w + c * strides.channel - (s.taps - 1), strides.out, rows, s.taps,
                      packed + ((c + 1) * s.taps - 1) * cols, -cols)
        return
    for c in range(channels):
        for t in range(s.z.taps):
            for u in range(taps_y):
                for v in range(taps_x):
                    tap = (w + c * strides.channel + t * strides.z + u * strides.y
                           + v * strides.x)
                    for k in range(rows):
                        packed[k] = tap[k * strides.out]
                    packed += cols


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


cdef void run_layer_range(const Layer* s, Py_ssize_t start, Py_ssize_t stop, const char* x,
                          const real_t* w, const real_t* bias, real_t* y, bint gradient,
                          char* block, const Py_ssize_t* sizes) noexcept nogil:
    """Run units start … stop − 1, or so many blocks of those of a gradient, on one thread."""
    cdef Py_ssize_t blocks = s.n_batch * s.n_units
    cdef Work work
    cdef Py_ssize_t i
    share_out(&work, block, sizes)
    for i in range(start, stop):
        if gradient:
            run_gradient_block(s, x, w, y, i // blocks, i % blocks, &work)
        else:
            run_layer_unit(s, x, w, bias, y, i, &work)


cdef inline void run_layer_share(const Layer* s, Py_ssize_t units, Py_ssize_t first,
                                 Py_ssize_t count, int t, int threads, const char* x,
                                 const real_t* w, const real_t* bias, real_t* y, bint gradient,
                                 char* block, const Py_ssize_t* sizes) noexcept nogil:
    """Run what thread t does of `run_layer_shared`."""
    cdef Py_ssize_t blocks = s.n_batch * s.n_units
    cdef Py_ssize_t start, stop
    if gradient:
        start = units * t // threads * blocks
        stop = least(start + first + count, units * (t + 1) // threads * blocks)
        run_layer_range(s, start + first, stop, x, w, bias, y, True, block, sizes)
    else:
        run_layer_range(s, first + count * t // threads, first + count * (t + 1) // threads, x, w,
                        bias, y, False, block, sizes)


cdef void run_layer_shared(const Layer* s, Py_ssize_t units, Py_ssize_t first, Py_ssize_t count,
                           int threads, const char* x, const real_t* w, const real_t* bias,
                           real_t* y, bint gradient, char* block, const Py_ssize_t* sizes,
                           Py_ssize_t each) noexcept:
    """Run units first … first + count − 1, contiguous runs of them on each thread.

    Of a gradient, whose blocks of pixels are added up in order, run so many blocks of the units of
    each thread.
    """
    cdef int t
    if threads == 1:
        with nogil:
            run_layer_share(s, units, first, count, 0, 1, x, w, bias, y, gradient, block, sizes)
    else:
        for t in prange(threads, nogil=True, num_threads=threads, schedule="static"):
            run_layer_share(s, units, first, count, t, threads, x, w, bias, y, gradient,
                            block + t * each, sizes)
