# winograd_units: a chunk of tiles: its transforms and products.

cdef extern from "winograd.h":
    enum:
        WINOGRAD_ROWS
    void winograd_input(int ny, int nx, const void* rows, Py_ssize_t tiles, void* v,
                        Py_ssize_t apart) noexcept nogil
    void winograd_weights(int ny, int nx, const void* w, const Py_ssize_t* offset, Py_ssize_t n,
                          const Py_ssize_t* source, int flipped, void* u, Py_ssize_t apart,
                          const Py_ssize_t* place) noexcept nogil
    void winograd_multiply(Py_ssize_t tiles, int vectors, Py_ssize_t channels, const void* v,
                           Py_ssize_t v_block, const void* u, void* m, int add) noexcept nogil
    void winograd_output(int ny, int nx, const void* m, Py_ssize_t apart, Py_ssize_t tile_apart,
                         const void* bias, void* check, Py_ssize_t rows, Py_ssize_t columns,
                         Py_ssize_t n_outputs, void* y, Py_ssize_t y_row,
                         Py_ssize_t y_output) noexcept nogil

cdef enum:
    WINOGRAD_LANES_LIMIT = 16
    # Channels whose products are summed in registers before they are added to the others:
    # shorter sums round less, and weights of so many are transformed at a time.
    WINOGRAD_CHANNELS = 64
    # Rows of samples that the window of a row of tiles, six or fewer, moves through.
    WINOGRAD_RING = 8

# The transformed samples of a chunk share the level-2 cache with its weights. Fewer tiles than
# MIN_TILES would have the weights, which each chunk streams, wait for the outer caches.
# Measured on a Zen 4 core with 1 MiB of level-2 cache; half or twice as much costs up to a tenth.
cdef Py_ssize_t CHUNK_BYTES = 768 << 10
cdef Py_ssize_t MIN_TILES = 56
# Weights that were not packed and that several chunks use are transformed once, if they are
# smaller: fresh pages for more would cost more.
cdef Py_ssize_t EARLY_BYTES = 6 << 20
# Products of a unit: nothing looks at signals while it runs.
cdef double LONGEST_WINOGRAD_UNIT = 20 * PRODUCTS_BETWEEN_SIGNALS


cdef struct Winograd:
    int ny, nx                      # points: 6, 4 or (ny) 1
    Py_ssize_t my, mx               # outputs of a tile
    Py_ssize_t points, taps
    Py_ssize_t lanes, item
    Py_ssize_t channels, outputs, blocks
    Py_ssize_t z_taps, z_dilation
    Py_ssize_t y_out, x_out, y_tiles, x_tiles
    # Index of the row, and of the pixel, that each padded coordinate reads, −1 for zero;
    # coordinates x_first … x_last − 1 read neighbouring pixels, x_low before them.
    const Py_ssize_t* y_source
    const Py_ssize_t* x_source
    Py_ssize_t x_low, x_first, x_last
    # Where each plane begins, NO_PLANE for zeros: items of n_sources planes of x, n_planes of y.
    Py_ssize_t n_items, n_sources, n_planes
    const Py_ssize_t* x_planes
    const Py_ssize_t* y_planes
    # Strides, in samples.
    Py_ssize_t x_channel, x_row, x_pixel, y_output, y_row
    # Those of weights that are not transformed, whose taps are contiguous, perhaps the last first.
    Py_ssize_t w_output, w_channel, w_z
    bint w_flipped
    # Chunks, and parts of the blocks of outputs.
    Py_ssize_t planes, rows, cols, plane_chunks, row_chunks, col_chunks, parts
    bint packed                     # the weights are transformed
    const void* weights
    const void* bias


cdef struct Chunk:
    Py_ssize_t item, plane, planes, row, rows, col, cols
    Py_ssize_t tiles, v_block, v_apart, m_apart


cdef inline int vectors_of(const Winograd* s, Py_ssize_t block) noexcept nogil:
    """Return the vectors of outputs in a block: two, or one in the last."""
    return 2 if s.outputs - 2 * s.lanes * block > s.lanes else 1


cdef inline Py_ssize_t apart_of(const Winograd* s, Py_ssize_t channels,
                                int vectors) noexcept nogil:
    """Return how far points of weights are apart; not a power of two: they would share sets."""
    return s.z_taps * channels * vectors * s.lanes + s.lanes


# ---- weights --------------------------------------------------------------------------------

cdef void transform_weights(const Winograd* s, const real_t* w, Py_ssize_t block,
                            Py_ssize_t first, Py_ssize_t channels, real_t* u, Py_ssize_t apart,
                            Py_ssize_t u_channels, Py_ssize_t* places) noexcept nogil:
    """Transform a block's weights of some channels to u, which has room for ``u_channels``."""
    cdef Py_ssize_t offset[WINOGRAD_LANES_LIMIT]
    cdef int vectors = vectors_of(s, block)
    cdef Py_ssize_t half, k, c, z, i, n = channels * s.z_taps
    cdef Py_ssize_t* source = places + n
    w += first * s.w_channel - (s.taps - 1 if s.w_flipped else 0)
    for half in range(vectors):
        for k in range(s.lanes):  # lanes behind the last output repeat it
            offset[k] = least((2 * block + half) * s.lanes + k, s.outputs - 1) * s.w_output
        i = 0
        for c in range(channels):
            for z in range(s.z_taps):
                places[i] = ((z * u_channels + c) * vectors + half) * s.lanes
                source[i] = c * s.w_channel + z * s.w_z
                i += 1
        winograd_weights(s.ny, s.nx, w, offset, n, source, s.w_flipped, u, apart, places)


cdef inline Py_ssize_t places_bytes(const Winograd* s) noexcept nogil:
    """Return the bytes of the tables of `transform_weights`: where kernels go, and lie."""
    return ceil_div(2 * WINOGRAD_CHANNELS * s.z_taps * <Py_ssize_t>sizeof(Py_ssize_t), 64) * 64


cdef inline Py_ssize_t block_size(const Winograd* s) noexcept nogil:
    """Return the samples of transformed weights of a block of two vectors."""
    return s.points * apart_of(s, s.channels, 2)


cdef void pack_blocks(const Winograd* s, const real_t* w, Py_ssize_t start, Py_ssize_t stop,
                      real_t* u, Py_ssize_t* places) noexcept nogil:
    cdef Py_ssize_t block, c
    cdef int vectors
    for block in range(start, stop):
        vectors = vectors_of(s, block)
        c = 0
        while c < s.channels:
            transform_weights(s, w, block, c, least(WINOGRAD_CHANNELS, s.channels - c),
                              u + block * block_size(s) + c * vectors * s.lanes,
                              apart_of(s, s.channels, vectors), s.channels, places)
            c += WINOGRAD_CHANNELS


# ---- samples --------------------------------------------------------------------------------

cdef inline void copy_pixels(const Winograd* s, const real_t* row, Py_ssize_t channels,
                             Py_ssize_t first, Py_ssize_t pixels, real_t* out) noexcept nogil:
    """Copy pixels one by one, wherever they lie."""
    cdef Py_ssize_t i, c, index
    for i in range(pixels):
        index = s.x_source[first + i]
        if index < 0:
            memset(out, 0, s.lanes * sizeof(real_t))
        elif s.x_channel == 1:
            memcpy(out, row + index * s.x_pixel, channels * sizeof(real_t))
        else:
            for c in range(channels):
                out[c] = row[index * s.x_pixel + c * s.x_channel]
        for c in range(channels, s.lanes):
            out[c] = 0
        out += s.lanes


cdef void copy_channels(const Winograd* s, const real_t* row, const Py_ssize_t* offset,
                        Py_ssize_t channels, Py_ssize_t first, Py_ssize_t pixels,
                        real_t* out) noexcept nogil:
    """Write the pixels of a row from a padded coordinate on, channels side by side."""
    cdef Py_ssize_t left = least(most(s.x_first - first, 0), pixels)
    cdef Py_ssize_t right = most(least(s.x_last - first, pixels), left)
    if row == NULL:
        memset(out, 0, pixels * s.lanes * sizeof(real_t))
        return
    if s.x_pixel != 1 or right - left < 4:
        copy_pixels(s, row, channels, first, pixels, out)
        return
    copy_pixels(s, row, channels, first, left, out)
    turn_pixels(row + first + left - s.x_low, offset, right - left, out + left * s.lanes)
    copy_pixels(s, row, channels, first + right, pixels - right, out + right * s.lanes)


cdef void transform_plane(const Winograd* s, const Chunk* chunk, const real_t* x,
                          const Py_ssize_t* offset, Py_ssize_t channels, real_t* v,
                          real_t* ring) noexcept nogil:
    """Transform the samples of one plane, which is zero if ``x`` is NULL."""
    cdef Py_ssize_t r, i, source
    cdef Py_ssize_t first = s.mx * chunk.col
    cdef Py_ssize_t pixels = s.mx * chunk.cols + 2
    cdef const real_t* rows[6]
    cdef const real_t* row
    for r in range(chunk.row, chunk.row + chunk.rows):
        for i in range(s.ny):
            rows[i] = ring + ((s.my * r + i) % WINOGRAD_RING) * pixels * s.lanes
        # Rows of tiles overlap by two rows of samples.
        for i in range(2 if r > chunk.row and s.ny > 1 else 0, s.ny):
            source = s.y_source[s.my * r + i]
            row = <const real_t*>NULL if x == NULL or source < 0 else x + source * s.x_row
            copy_channels(s, row, offset, channels, first, pixels, <real_t*>rows[i])
        winograd_input(s.ny, s.nx, rows, chunk.cols, v, chunk.v_apart)
        v += chunk.cols * s.lanes


cdef void transform_samples(const Winograd* s, const Chunk* chunk, const real_t* x, real_t* v,
                            real_t* ring) noexcept nogil:
    cdef Py_ssize_t offset[WINOGRAD_LANES_LIMIT]
    cdef Py_ssize_t c = 0, i, p, channels, plane
    cdef Py_ssize_t sources = chunk.planes + (s.z_taps - 1) * s.z_dilation
    cdef real_t* out
    while c < s.channels:
        channels = least(s.lanes, s.channels - c)
        for i in range(s.lanes):  # lanes behind the last channel repeat it: nobody reads them
            offset[i] = least(i, channels - 1) * s.x_channel
        out = v + c // s.lanes * chunk.v_block
        for p in range(sources):
            plane = s.x_planes[chunk.item * s.n_sources + chunk.plane + p]
            transform_plane(s, chunk, <const real_t*>NULL if plane == NO_PLANE
                            else x + plane + c * s.x_channel, offset, channels, out, ring)
            out += chunk.rows * chunk.cols * s.lanes
        c += s.lanes


# ---- products and outputs -------------------------------------------------------------------

cdef void multiply_block(const Winograd* s, const Chunk* chunk, const real_t* v, const real_t* u,
                         Py_ssize_t apart, Py_ssize_t u_channels, Py_ssize_t start,
                         Py_ssize_t stop, int vectors, real_t* m) noexcept nogil:
    """Add the products of channels start … stop − 1 to m; u begins at the first of them.

    The order of the sums is the same wherever the weights lie.
    """
    cdef Py_ssize_t k, c, z, n
    cdef const real_t* samples
    cdef const real_t* weights
    for k in range(s.points):
        c = start
        while c < stop:
            n = least(WINOGRAD_CHANNELS, stop - c)
            for z in range(s.z_taps):
                samples = (v + k * chunk.v_apart + c // s.lanes * chunk.v_block
                           + z * s.z_dilation * chunk.rows * chunk.cols * s.lanes)
                weights = u + k * apart + (z * u_channels + c - start) * vectors * s.lanes
                winograd_multiply(chunk.tiles, vectors, n, samples, chunk.v_block, weights,
                                  m + k * chunk.m_apart, c > 0 or z > 0)
            c += WINOGRAD_CHANNELS


cdef void transform_outputs(const Winograd* s, const Chunk* chunk, Py_ssize_t block, int vectors,
                            const real_t* m, const real_t* bias, real_t* y,
                            real_t* check) noexcept nogil:
    cdef Py_ssize_t p, r, half, first, rows, n
    cdef Py_ssize_t cols = least(s.mx * chunk.cols, s.x_out - s.mx * chunk.col)
    cdef const real_t* at
    cdef real_t* out
    for half in range(vectors):
        first = (2 * block + half) * s.lanes
        n = least(s.lanes, s.outputs - first)
        at = m + half * s.lanes
        for p in range(chunk.planes):
            for r in range(chunk.row, chunk.row + chunk.rows):
                rows = least(s.my, s.y_out - s.my * r)
                out = (y + s.y_planes[chunk.item * s.n_planes + chunk.plane + p]
                       + first * s.y_output + s.my * r * s.y_row + s.mx * chunk.col)
                winograd_output(s.ny, s.nx, at, chunk.m_apart, vectors * s.lanes, bias + first,
                                check, rows, cols, n, out, s.y_row, s.y_output)
                at += chunk.cols * vectors * s.lanes


# ---- units: a chunk and a part of the blocks of outputs -------------------------------------

cdef void set_chunk(const Winograd* s, Py_ssize_t number, Chunk* chunk) noexcept nogil:
    cdef Py_ssize_t sources
    chunk.col = number % s.col_chunks * s.cols
    chunk.row = number // s.col_chunks % s.row_chunks * s.rows
    chunk.plane = number // (s.col_chunks * s.row_chunks) % s.plane_chunks * s.planes
    chunk.item = number // (s.col_chunks * s.row_chunks * s.plane_chunks)
    chunk.cols = least(s.cols, s.x_tiles - chunk.col)
    chunk.rows = least(s.rows, s.y_tiles - chunk.row)
    chunk.planes = least(s.planes, s.n_planes - chunk.plane)
    sources = chunk.planes + (s.z_taps - 1) * s.z_dilation
    chunk.tiles = chunk.planes * chunk.rows * chunk.cols
    chunk.v_block = sources * chunk.rows * chunk.cols * s.lanes
    chunk.v_apart = ceil_div(s.channels, s.lanes) * chunk.v_block + s.lanes
    chunk.m_apart = chunk.tiles * 2 * s.lanes + s.lanes


cdef void run_winograd(const Winograd* s, Py_ssize_t unit, const real_t* x, const real_t* w,
                       const real_t* bias, real_t* y, real_t* work) noexcept nogil:
    """Run one unit. Workspace: the check, v, m, a ring of rows, places, weights."""
    cdef Chunk chunk
    cdef Py_ssize_t part = unit % s.parts
    cdef Py_ssize_t block, c, n, apart
    cdef int vectors
    cdef real_t* v = work + s.lanes
    cdef real_t* m
    cdef real_t* u
    cdef Py_ssize_t* places
    set_chunk(s, unit // s.parts, &chunk)
    m = v + s.points * chunk.v_apart
    u = m + s.points * chunk.m_apart
    transform_samples(s, &chunk, x, v, u)  # the ring is not needed once there are weights
    places = <Py_ssize_t*>u
    u += places_bytes(s) // s.item
    for block in range(s.blocks * part // s.parts, s.blocks * (part + 1) // s.parts):
        vectors = vectors_of(s, block)
        if s.packed:
            multiply_block(s, &chunk, v, w + block * block_size(s),
                           apart_of(s, s.channels, vectors), s.channels, 0, s.channels, vectors,
                           m)
        else:
            apart = apart_of(s, WINOGRAD_CHANNELS, vectors)
            c = 0
            while c < s.channels:
                n = least(WINOGRAD_CHANNELS, s.channels - c)
                transform_weights(s, w, block, c, n, u, apart, WINOGRAD_CHANNELS, places)
                multiply_block(s, &chunk, v, u, apart, WINOGRAD_CHANNELS, c, c + n, vectors, m)
                c += WINOGRAD_CHANNELS
        transform_outputs(s, &chunk, block, vectors, m, bias, y, work)
