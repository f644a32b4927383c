# stencil: register tiles over the valid region, the outputs of a row of tiles.

cdef enum:
    UNIT_NUMBERS = 8        # of a unit of a box


cdef extern from "product.h":
    enum:
        PRODUCT_ROWS
        PRODUCT_WIDE
    int product_tile(const void* x, const Py_ssize_t* at, Py_ssize_t pitch, Py_ssize_t step,
                     int kind, const void* w, const void* divisor, void* y, Py_ssize_t y_pitch,
                     Py_ssize_t rows, int streaming) noexcept nogil

cdef struct Stencil:
    SpatialAxis z, y
    Source x
    # Tiles: tile_rows × tile_cols outputs. A line tile is one row of tile_cols outputs.
    bint line, flat
    Py_ssize_t item, lanes, tile_rows, tile_cols   # bytes of a sample, samples of a vector
    # Taps: segment k belongs to tap seg_z[k] along z, starts seg_row[k] phases of rows and
    # seg_col[k] samples into its row, in column phase seg_phase[k].
    Py_ssize_t n_segments
    const stencil_segment* segments
    const stencil_set* sets         # of tiles of columns, whose rows lie anywhere; else NULL
    # The kind of a product of factors (product.h), or 0; where its tiles count results that may
    # not be finite.
    int product
    Py_ssize_t* found
    const Py_ssize_t* seg_z
    const Py_ssize_t* seg_row
    const Py_ssize_t* seg_col
    const Py_ssize_t* seg_phase
    const Py_ssize_t* seg_down      # rows of the tile above it that are in other blocks
    # Blocks of taps: block k begins at segment block_segment[k] and weight block_weight[k].
    Py_ssize_t n_blocks
    const Py_ssize_t* block_segment
    const Py_ssize_t* block_weight
    const void* weights
    const Py_ssize_t* filters       # the filter of each item of the batch, or NULL: all have one
    Py_ssize_t filter_bytes         # of the weights of a filter
    const void* divisor             # of the sums of tiles of columns, or NULL
    Py_ssize_t z_stride, y_stride   # of the caller's array, in bytes
    bint readable                   # tiles may read it as it is
    # The result: in samples of the sums if they are stored, else in bytes of the result.
    bint stored
    row_emit emit
    Py_ssize_t out_item, out_z, out_y
    bint streaming          # past the cache: the result is large and its rows are aligned alike
    bint prefetching        # x is larger than the cache
    # Where samples are left out, else NULL. Behind the slots lie as many more, of ones and zeros
    # where samples were seen and not, of which every output is a second sum.
    const Gaps* gaps
    int sums                # of an output: 2 with gaps, else 1
    # Units.
    const Py_ssize_t* boxes         # units that are listed, UNIT_NUMBERS of each, or NULL
    Py_ssize_t n_batch, n_planes, n_slabs, n_panels
    Py_ssize_t unit_planes, unit_rows, unit_cols
    # Buffer of a unit, in samples: planes, each of row phases of rows of column phases.
    Py_ssize_t phase_cols, pitch, phase_rows, plane, n_slots


cdef void set_pitch(Stencil* s, Py_ssize_t pitch) noexcept nogil:
    """Set the pitch of the buffer, whole vectors, and the size of its planes."""
    s.pitch = pitch
    if pitch * s.item % 1024 == 0:  # rows would fall into the same cache sets
        s.pitch += s.lanes
    s.plane = s.phase_rows * least(s.y.phases, s.y.taps) * s.pitch


cdef struct Block:
    # Outputs that are computed together: planes, rows of one comb, pixels; ends are excluded.
    Py_ssize_t plane_from, plane_to, comb, row_from, row_to, col_from, col_to
    const char* mask                # of its batch item, with gaps


cdef struct Part:
    # Pixels of a block that tiles read from one source: the caller's array as it is, or a
    # padded copy, in whose rows their samples begin at ``at``.
    Py_ssize_t col_from, col_to, at
    bint packed


# Inlined by demand: in a module of many loops the compiler would not do it by itself.
cdef inline void run_taps(const Stencil* s, const tile_t* x, Py_ssize_t pitch,
                          const stencil_segment* segments, Py_ssize_t n_segments,
                          const tile_t* w, tile_t* y, Py_ssize_t y_pitch,
                          bint streaming) noexcept nogil:
    """Compute the sums of a tile over the taps of some segments."""
    cdef Py_ssize_t at[3]
    cdef Py_ssize_t i
    if s.line:
        line_tile(x, s.lanes, segments, n_segments, w, y, s.lanes, streaming)
    elif s.flat:
        flat_tile(x, pitch, segments, n_segments, w, y, y_pitch, streaming)
    elif s.product:
        if tile_t is float or tile_t is double:
            for i in range(n_segments):
                at[i] = segments[i].offset - segments.offset
            s.found[0] += product_tile(x + segments.offset, at, pitch, segments.step, s.product,
                                       w, <const tile_t*>s.divisor, y, y_pitch, s.tile_rows,
                                       streaming)
    elif s.sets == NULL:
        area_tile(x, pitch, segments, n_segments, w, y, y_pitch, streaming)
    elif tile_t is not int16_t:
        columns_tile(x, s.sets, n_segments, w, <const tile_t*>s.divisor, y, y_pitch, streaming)


cdef void add_blocks(const Stencil* s, const tile_t* x, Py_ssize_t pitch,
                     const stencil_segment* segments, tile_t* y,
                     Py_ssize_t y_pitch) noexcept nogil:
    """Compute a tile block of taps by block of taps."""
    cdef tile_t sums[MAX_TILE]
    cdef const Py_ssize_t* at = s.block_segment
    cdef Py_ssize_t k, r, c
    cdef tile_t* row
    for k in range(s.n_blocks):
        run_taps(s, x, pitch, segments + at[k], at[k + 1] - at[k],
                 <const tile_t*>s.weights + s.block_weight[k], y if k == 0 else sums,
                 y_pitch if k == 0 else s.tile_cols, False)
        if k == 0:
            continue
        for r in range(s.tile_rows):
            row = y + r * y_pitch
            for c in range(s.tile_cols):
                row[c] += sums[r * s.tile_cols + c]


cdef inline void run_tile(const Stencil* s, const tile_t* x, Py_ssize_t pitch,
                          const stencil_segment* segments, tile_t* y, Py_ssize_t y_pitch,
                          bint streaming) noexcept nogil:
    if s.n_blocks > 1:
        add_blocks(s, x, pitch, segments, y, y_pitch)
    else:
        run_taps(s, x, pitch, segments, s.n_segments, <const tile_t*>s.weights, y, y_pitch,
                 streaming)


cdef void emit_tiles(const Stencil* s, const tile_t* x, Py_ssize_t pitch,
                     const stencil_segment* segments, Py_ssize_t rows, Py_ssize_t cols, char* out,
                     tile_t* tiles, const char* ahead) noexcept nogil:
    """Compute a row of tiles that is not stored as it is; columns before the last are whole
    tiles, and the last tile overlaps.
    """
    cdef Py_ssize_t most_cols = STENCIL_TILE_LIMIT // (s.tile_rows * s.tile_cols) * s.tile_cols
    cdef Py_ssize_t last = most(0, cols - s.tile_cols), at = 0, first, n, i, r
    while at < cols:
        first = least(at, last)
        n = least(most_cols, cols - first)
        i = 0
        while i < n:
            i = least(i, most(0, n - s.tile_cols))
            if ahead != NULL:
                prefetch_rows(s, ahead + (first + i) * s.x.sample_stride)
            run_tile(s, x + first + i, pitch, segments, tiles + i, most_cols, False)
            i += s.tile_cols
        for r in range(rows):
            s.emit(tiles + r * most_cols, n, out + r * s.y.comb * s.out_y + first * s.out_item,
                   s.out_item)
        at = first + n


cdef void copy_tile(const Stencil* s, const tile_t* tile, Py_ssize_t rows, Py_ssize_t cols,
                    char* out) noexcept nogil:
    cdef Py_ssize_t r
    for r in range(rows):
        memcpy(out + r * s.y.comb * s.out_y, tile + r * s.tile_cols,
               cols * <Py_ssize_t>sizeof(tile_t))


cdef void run_tile_row(const Stencil* s, const tile_t* x, Py_ssize_t pitch,
                        const stencil_segment* segments, Py_ssize_t rows, Py_ssize_t cols,
                        char* out, tile_t* tile, const char* ahead) noexcept nogil:
    """Compute up to tile_rows rows of outputs from samples at ``x``; the last tile overlaps.

    ``ahead`` is where the next rows of the caller's array lie, or NULL.
    """
    cdef Py_ssize_t first = s.tile_cols, i, n, at, skip, count
    cdef Py_ssize_t y_pitch = s.y.comb * s.out_y // <Py_ssize_t>sizeof(tile_t)
    cdef bint whole = rows == s.tile_rows and cols >= s.tile_cols
    cdef bint streaming = s.streaming and whole and cols > first
    cdef bint swapping
    if not s.stored:
        emit_tiles(s, x, pitch, segments, rows, cols, out, tile, ahead)
        return
    if streaming:  # the tiles after the first begin at a cache line
        first -= past_line(s, out, first)
    n = 1 + ceil_div(most(0, cols - first), s.tile_cols)
    # A processor that tells addresses apart by their low 12 bits takes what a tile reads for
    # what the tile on its left is still writing, and waits, if x and y begin alike in a page,
    # as large arrays do: there tiles are swapped in pairs.
    swapping = <uintptr_t>(out - <const char*>x) % 4096 < <uintptr_t>(
        2 * s.tile_cols * <Py_ssize_t>sizeof(tile_t))
    for i in range(n):
        at = tile_in_turn(i, n) if swapping else i
        count = first
        if at > 0:
            at = first + (at - 1) * s.tile_cols
            count = s.tile_cols
        skip = most(0, at - most(0, cols - s.tile_cols))
        at -= skip
        if ahead != NULL:
            prefetch_rows(s, ahead + at * s.x.sample_stride)
        # A line that is in the cache already would be thrown out by a store past it: there tiles
        # do not write what their neighbours do.
        if whole and (skip == 0 and count == s.tile_cols or not streaming):
            run_tile(s, x + at, pitch, segments, <tile_t*>out + at, y_pitch, streaming)
        else:
            run_tile(s, x + at, pitch, segments, tile, s.tile_cols, False)
            copy_tile(s, tile + skip, rows, least(count, cols - at) - skip,
                      out + (at + skip) * s.out_item)


cdef inline Py_ssize_t tile_in_turn(Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """Return which of ``n`` tiles is the i-th to be computed: 0, 2, 1, 4, 3, …"""
    return least(i + 1, n - 1) if i % 2 else most(0, i - 1)


cdef inline Py_ssize_t past_line(const Stencil* s, const char* out,
                                 Py_ssize_t sample) noexcept nogil:
    """Return how many samples of the result lie between a cache line's begin and ``sample``."""
    return (<uintptr_t>(out + sample * s.out_item) % LINE_BYTES) // s.out_item


cdef void prefetch_rows(const Stencil* s, const char* row) noexcept nogil:
    cdef Py_ssize_t r, byte
    for r in range(s.tile_rows):
        byte = 0
        while byte < s.tile_cols * s.x.sample_stride:
            stencil_prefetch(row + byte)
            byte += 64
        row += s.y.step * s.y_stride
