# layer_blocks: the pixels of a unit, the samples that they read, and panels of them.

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
    # The largest copy of any block, the most segments of a panel; the parts of a workspace.
    Py_ssize_t copy_size, most_segments
    Py_ssize_t sizes[8]
    # Of a call: weights, or the gradient for the result.
    const void* w
    const void* bias
    bint gradient


cdef inline Py_ssize_t apart(const Layer* s, Py_ssize_t outs) noexcept nogil:
    """Return a distance for rows of ``outs`` sums: whole vectors, in different cache sets."""
    cdef Py_ssize_t whole = ceil_div(outs, s.lanes) * s.lanes
    # The width of a vector says how wide a sum is: 1024 bytes are 16 vectors of 64.
    return whole + s.lanes if whole % (s.lanes * (1024 // STENCIL_VECTOR_BYTES)) == 0 else whole


cdef inline Py_ssize_t part(Py_ssize_t n, Py_ssize_t parts, Py_ssize_t i) noexcept nogil:
    """Return where part i of n things begins when they are shared out evenly."""
    return n * i // parts


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
        split_rows(x, s.x_channel, channels, stop - start, out + start, out + b.cols + start,
                   b.channel)
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
            fill_panel(work.moves, n, work.offsets, s.taps, copy, b.channel, channels, panels,
                       width)
        panels += channels * s.taps * width
        done += width


cdef inline bint copies_rows(const Layer* s) noexcept:
    """Return whether panels are copies of rows of samples: nothing is gained by a copy before."""
    return plain_axis(&s.x.axis) and plain_axis(&s.y) and plain_axis(&s.z)


cdef bint plain_axis(const SpatialAxis* a) noexcept:
    """Return whether results read the samples one for one."""
    return a.taps == 1 and a.stride == 1 and a.low == 0 and a.out == a.size
