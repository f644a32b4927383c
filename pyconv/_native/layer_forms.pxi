# layer_forms: a unit of a layer, by what the rows of the tile are and where it reads pixels.

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
                             <const real_t*>NULL if add else bias)
        else:
            turn_last_pixels(s, &b, <real_t*>work.panels, channels * s.taps, sums)
            channels_by_pixels(s, &b, <real_t*>work.panels, w_chunk, channels * s.taps, k_from,
                               k_to, y, add, <const real_t*>NULL if add else bias, sums,
                               <real_t*>work.tile)
        add = 1
    if s.by_pixel and bias == NULL:
        transpose(sums + k_from, s.sums_row, b.pixels, k_to - k_from, y + k_from * s.pixels,
                  s.pixels)
    elif s.by_pixel:
        transpose_biased(sums + k_from, s.sums_row, b.pixels, k_to - k_from, y + k_from * s.pixels,
                         s.pixels, bias + k_from)
