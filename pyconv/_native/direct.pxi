# direct: y[i] = Σ_u x[i·s + u·d − p] · w[u], by register tiles over the valid region.
#
# The work is cut into units: one batch item, a run of planes, a slab of rows, a panel of
# columns. A unit copies the rows it reads, with their border, converted to the type of the
# sums, into a buffer that stays in the cache; where nothing has to be converted or padded,
# tiles read the caller's array instead. Strided columns are copied apart by phase, so that
# neighbouring outputs read neighbouring samples; dilated and strided rows are grouped into
# combs that share their loads. Trailing batch axes are part of the columns: a pixel is `group`
# samples, and taps are whole pixels apart. The taps of a large kernel are summed in blocks, whose
# sums are added: roundings then grow with the root of their number.

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
    if s.line:
        if tile_t is float:
            line_float(x, s.lanes, segments, n_segments, w, y, s.lanes, streaming)
        elif tile_t is double:
            line_double(x, s.lanes, segments, n_segments, w, y, s.lanes, streaming)
        elif tile_t is int16_t:
            line_int16(x, s.lanes, segments, n_segments, w, y, s.lanes, streaming)
        else:
            line_uint64(x, s.lanes, segments, n_segments, w, y, s.lanes, streaming)
    elif s.flat:
        if tile_t is float:
            flat_float(x, pitch, segments, n_segments, w, y, y_pitch, streaming)
        elif tile_t is double:
            flat_double(x, pitch, segments, n_segments, w, y, y_pitch, streaming)
        elif tile_t is int16_t:
            flat_int16(x, pitch, segments, n_segments, w, y, y_pitch, streaming)
        else:
            flat_uint64(x, pitch, segments, n_segments, w, y, y_pitch, streaming)
    elif s.sets == NULL:
        if tile_t is float:
            area_float(x, pitch, segments, n_segments, w, y, y_pitch, streaming)
        elif tile_t is double:
            area_double(x, pitch, segments, n_segments, w, y, y_pitch, streaming)
        elif tile_t is int16_t:
            area_int16(x, pitch, segments, n_segments, w, y, y_pitch, streaming)
        else:
            area_uint64(x, pitch, segments, n_segments, w, y, y_pitch, streaming)
    else:
        if tile_t is float:
            columns_float(x, s.sets, n_segments, w, <const float*>s.divisor, y, y_pitch,
                          streaming)
        elif tile_t is double:
            columns_double(x, s.sets, n_segments, w, <const double*>s.divisor, y, y_pitch,
                           streaming)
        elif tile_t is uint64_t:
            columns_uint64(x, s.sets, n_segments, w, <const uint64_t*>s.divisor, y, y_pitch,
                           streaming)


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


cdef void pack_rows(const Stencil* s, const char* plane, Py_ssize_t first_row,
                    Py_ssize_t row_from, Py_ssize_t row_to, Py_ssize_t first_col,
                    Py_ssize_t pixels, tile_t* slot) noexcept nogil:
    """Add to a slot what the comb's outputs row_from … row_to − 1 read and it has not yet."""
    cdef Py_ssize_t c, q, f, taps, index, top, start, first, count, before, until_end
    cdef Py_ssize_t step = s.x.axis.stride
    cdef bint plain = s.x.same and s.x.group == 1 and step == 1
    cdef const char* row
    cdef tile_t* out
    for c in range(least(s.y.phases, s.y.taps)):
        taps = ceil_div(s.y.taps - c, s.y.phases)
        start = 0 if row_from == 0 else row_from + taps - 1
        for f in range(least(s.x.axis.phases, s.x.axis.taps)):
            first = f * s.x.axis.dilation % step
            count = ceil_div(pixels - first, step)
            first += first_col
            before = pixels_before(&s.x, first, step, count)
            until_end = pixels_until_end(&s.x, first, step, count)
            out = slot + (c * s.phase_rows + start) * s.pitch + f * s.phase_cols
            top = first_row + c * s.y.dilation
            if (plain and plane != NULL and top + start * s.y.step >= 0
                    and top + (row_to + taps - 2) * s.y.step < s.y.size):
                pack_same(&s.x, plane + (top + start * s.y.step) * s.y_stride,
                          s.y.step * s.y_stride, row_to + taps - 1 - start, first, before,
                          until_end, count, out, s.pitch)
                continue
            for q in range(start, row_to + taps - 1):
                row = NULL
                if plane != NULL:
                    index = source_index(&s.y, top + q * s.y.step)
                    if index >= 0:
                        row = plane + index * s.y_stride
                pack_pixels(&s.x, row, first, step, before, until_end, count, out)
                out += s.pitch


# ---- one unit -------------------------------------------------------------------------------

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


cdef void run_block(const Stencil* s, const Block* b, const Part* parts, Py_ssize_t n_parts,
                    const char* x, char* out, tile_t* work) noexcept nogil:
    """Compute a block, row of tiles by row of tiles, each from the first part to the last."""
    cdef Py_ssize_t rows = b.row_to - b.row_from
    cdef Py_ssize_t tile_rows = least(rows, s.tile_rows)
    cdef Py_ssize_t first_row = (b.comb + b.row_from * s.y.comb) * s.y.stride - s.y.low
    cdef Py_ssize_t first_plane, zcomb, oz, t, r, at, filled
    # Workspace: slots and a tile for each sum, segments of copies, segments in place, the plane in
    # each slot, each tap's slot, which are new, the last row of each slot with a gap.
    cdef tile_t* tile = work + s.sums * s.n_slots * s.plane
    cdef stencil_segment* copied = <stencil_segment*>(tile + s.sums * STENCIL_TILE_LIMIT)
    cdef stencil_segment* in_place = copied + s.n_segments
    cdef Py_ssize_t* held = <Py_ssize_t*>(in_place + s.n_segments)
    cdef Py_ssize_t* slots = held + s.n_slots
    cdef Py_ssize_t* fresh = slots + s.n_slots
    cdef Py_ssize_t* last_gap = fresh + s.n_slots
    cdef bint missing
    cdef char* out_rows
    set_segments_in_place(s, in_place)
    for t in range(s.n_slots):
        held[t] = NO_PLANE
    for zcomb in range(s.z.comb):
        oz = b.plane_from + zcomb
        while oz < b.plane_to:
            first_plane = oz * s.z.stride - s.z.low
            assign_slots(s, first_plane, held, slots, fresh)
            set_segments_copied(s, slots, copied)
            filled = 0
            r = 0
            while r < rows:
                at = least(r, rows - tile_rows)
                for t in range(s.z.taps):
                    if fresh[t]:
                        pack_parts(s, parts, n_parts, plane_of(s, x, held[slots[t]]), first_row,
                                   filled, at + tile_rows, work + slots[t] * s.plane)
                        if s.gaps != NULL:
                            if filled == 0:
                                last_gap[slots[t]] = -1
                            last_gap[slots[t]] = most(last_gap[slots[t]], split_plane(
                                s, b, held[slots[t]], first_row, filled, at + tile_rows,
                                work + slots[t] * s.plane + parts[0].at))
                missing = False
                if s.gaps != NULL:
                    for t in range(s.n_slots):
                        missing |= last_gap[t] >= at
                filled = at + tile_rows
                out_rows = out + oz * s.out_z + (b.comb + (b.row_from + at) * s.y.comb) * s.out_y
                run_part_rows(s, parts, n_parts, x, first_plane, first_row, at, tile_rows, copied,
                        in_place, out_rows, work, tile, missing)
                r += s.tile_rows
            oz += s.z.comb


cdef void set_segments_in_place(const Stencil* s, stencil_segment* segments) noexcept nogil:
    cdef Py_ssize_t pitch = s.lanes if s.line else s.y.step * s.y_stride // s.item
    cdef Py_ssize_t k
    for k in range(s.n_segments):
        segments[k] = s.segments[k]
        segments[k].offset = (
            (s.seg_z[k] * s.z.dilation * s.z_stride + s.seg_row[k] * s.y.dilation * s.y_stride)
            // s.item + s.seg_col[k] + s.seg_down[k] * pitch
        )


cdef void set_segments_copied(const Stencil* s, const Py_ssize_t* slots,
                              stencil_segment* segments) noexcept nogil:
    cdef Py_ssize_t pitch = s.lanes if s.line else s.pitch
    cdef Py_ssize_t k
    for k in range(s.n_segments):
        segments[k] = s.segments[k]
        segments[k].offset = (
            slots[s.seg_z[k]] * s.plane + s.seg_row[k] * s.phase_rows * s.pitch
            + s.seg_phase[k] * s.phase_cols + s.seg_col[k] + s.seg_down[k] * pitch
        )


cdef inline const char* plane_of(const Stencil* s, const char* x,
                                 Py_ssize_t coordinate) noexcept nogil:
    cdef Py_ssize_t index = source_index(&s.z, coordinate)
    return NULL if index < 0 else x + index * s.z_stride


cdef void pack_parts(const Stencil* s, const Part* parts, Py_ssize_t n_parts, const char* plane,
                     Py_ssize_t first_row, Py_ssize_t row_from, Py_ssize_t row_to,
                     tile_t* slot) noexcept nogil:
    cdef Py_ssize_t i, pixels
    for i in range(n_parts):
        if parts[i].packed:
            pixels = ((parts[i].col_to - parts[i].col_from - 1) * s.x.axis.stride
                      + (s.x.axis.taps - 1) * s.x.axis.dilation + 1)
            pack_rows(s, plane, first_row, row_from, row_to,
                      parts[i].col_from * s.x.axis.stride - s.x.axis.low, pixels,
                      slot + parts[i].at)


cdef void run_part_rows(const Stencil* s, const Part* parts, Py_ssize_t n_parts, const char* x,
                  Py_ssize_t first_plane, Py_ssize_t first_row, Py_ssize_t at, Py_ssize_t rows,
                  const stencil_segment* copied, const stencil_segment* in_place, char* out,
                  const tile_t* slots, tile_t* tile, bint missing) noexcept nogil:
    """Compute ``rows`` rows of outputs from row ``at`` of a block on, across all its parts.

    Samples that they read may be ``missing``.
    """
    cdef Py_ssize_t pitch = s.y.step * s.y_stride // s.item
    cdef Py_ssize_t i, first_col, cols
    cdef const char* plane = plane_of(s, x, first_plane + (s.z.taps - 1) * s.z.dilation)
    cdef const char* ahead
    cdef const tile_t* samples
    cdef char* out_part
    for i in range(n_parts):
        first_col = parts[i].col_from * s.x.axis.stride - s.x.axis.low
        cols = (parts[i].col_to - parts[i].col_from) * s.x.group
        ahead = NULL
        if plane != NULL and s.prefetching:
            ahead = rows_ahead(s, plane, first_row, at + rows, first_col)
        out_part = out + parts[i].col_from * s.x.group * s.out_item
        if parts[i].packed:
            samples = slots + parts[i].at + at * s.pitch
            if missing:
                run_quotients(s, samples, copied, rows, cols, out_part, tile, ahead)
            else:
                run_tile_row(s, samples, s.pitch, copied, rows, cols, out_part, tile, ahead)
        else:
            samples = <const tile_t*>(x + first_plane * s.z_stride
                                     + (first_row + at * s.y.step) * s.y_stride
                                     + first_col * s.x.pixel_stride)
            run_tile_row(s, samples, pitch, in_place, rows, cols, out_part, tile, ahead)


# ---- samples that are missing ---------------------------------------------------------------

cdef Py_ssize_t split_plane(const Stencil* s, const Block* b, Py_ssize_t coordinate,
                            Py_ssize_t first_row, Py_ssize_t row_from, Py_ssize_t row_to,
                            tile_t* slot) noexcept nogil:
    """Clear the gaps of what `pack_rows` has just added to a slot, and write what was seen.

    Return the last row of them with a gap, −1 without.
    """
    cdef const Gaps* g = s.gaps
    cdef Py_ssize_t first_col = b.col_from * s.x.axis.stride - s.x.axis.low
    cdef Py_ssize_t pixels = ((b.col_to - b.col_from - 1) * s.x.axis.stride
                              + (s.x.axis.taps - 1) * s.x.axis.dilation + 1)
    cdef Py_ssize_t step = s.x.axis.stride, plane = source_index(&s.z, coordinate)
    cdef Py_ssize_t c, q, f, taps, start, first, count, row, last = -1
    cdef bint missing = False
    cdef const char* mask
    cdef tile_t* samples
    cdef tile_t* seen
    for c in range(least(s.y.phases, s.y.taps)):
        taps = ceil_div(s.y.taps - c, s.y.phases)
        start = 0 if row_from == 0 else row_from + taps - 1
        for f in range(least(s.x.axis.phases, s.x.axis.taps)):
            first = f * s.x.axis.dilation % step
            count = ceil_div(pixels - first, step)
            first += first_col
            samples = slot + (c * s.phase_rows + start) * s.pitch + f * s.phase_cols
            for q in range(start, row_to + taps - 1):
                seen = samples + s.n_slots * s.plane
                if g.masked:
                    row = source_index(&s.y, first_row + c * s.y.dilation + q * s.y.step)
                    mask = NULL
                    if plane >= 0 and row >= 0:
                        mask = b.mask + plane * g.z_stride + row * g.y_stride
                    pack_pixels(&g.mask, mask, first, step, pixels_before(&s.x, first, step, count),
                                pixels_until_end(&s.x, first, step, count), count, seen)
                if tile_t is float:
                    missing = gaps_split_float(samples, seen, count * s.x.group, g.nan, g.masked)
                elif tile_t is double:
                    missing = gaps_split_double(samples, seen, count * s.x.group, g.nan, g.masked)
                if missing:
                    last = most(last, q)
                samples += s.pitch
    return last


cdef void run_quotients(const Stencil* s, const tile_t* x, const stencil_segment* segments,
                        Py_ssize_t rows, Py_ssize_t cols, char* out, tile_t* tile,
                        const char* ahead) noexcept nogil:
    """`run_tile_row` where samples are missing: both sums of a tile, and their quotient."""
    cdef Py_ssize_t first = s.tile_cols, i, n, at, skip, count
    cdef Py_ssize_t y_pitch = s.y.comb * s.out_y // <Py_ssize_t>sizeof(tile_t)
    cdef const tile_t* ones = x + s.n_slots * s.plane
    cdef tile_t* quotients = tile + STENCIL_TILE_LIMIT
    cdef Py_ssize_t samples = s.tile_rows * s.tile_cols
    cdef bint whole = rows == s.tile_rows and cols >= s.tile_cols
    cdef bint streaming = s.streaming and whole and cols > first
    if streaming:
        first -= past_line(s, out, first)
    n = 1 + ceil_div(most(0, cols - first), s.tile_cols)
    for i in range(n):
        at = 0 if i == 0 else first + (i - 1) * s.tile_cols
        count = first if i == 0 else s.tile_cols
        skip = most(0, at - most(0, cols - s.tile_cols))
        at -= skip
        if ahead != NULL:
            prefetch_rows(s, ahead + at * s.x.sample_stride)
        run_tile(s, x + at, s.pitch, segments, tile, s.tile_cols, False)
        if s.gaps.careful or s.n_blocks > 1:
            run_tile(s, ones + at, s.pitch, segments, quotients, s.tile_cols, False)
            if tile_t is float:
                gaps_divide_float(tile, quotients, 1, samples, 1, &s.gaps.weights)
            elif tile_t is double:
                gaps_divide_double(tile, quotients, 1, samples, 1, &s.gaps.weights)
            copy_tile(s, tile + skip, rows, least(count, cols - at) - skip,
                      out + (at + skip) * s.out_item)
        elif whole and (skip == 0 and count == s.tile_cols or not streaming):
            run_quotient(s, ones + at, segments, tile, <tile_t*>out + at, y_pitch, streaming)
        else:
            run_quotient(s, ones + at, segments, tile, quotients, s.tile_cols, False)
            copy_tile(s, quotients + skip, rows, least(count, cols - at) - skip,
                      out + (at + skip) * s.out_item)


cdef inline void run_quotient(const Stencil* s, const tile_t* ones,
                              const stencil_segment* segments, const tile_t* sums, tile_t* y,
                              Py_ssize_t y_pitch, bint streaming) noexcept nogil:
    """Divide a tile of sums by that over what was seen of the weights."""
    cdef const tile_t* w = <const tile_t*>s.weights
    cdef const gaps_weights* g = &s.gaps.weights
    cdef tile_t whole = <tile_t>g.whole, least = <tile_t>g.least
    if s.line:
        if tile_t is float:
            line_quotient_float(ones, s.lanes, segments, s.n_segments, sums, whole, least, w, y,
                                s.lanes, streaming)
        elif tile_t is double:
            line_quotient_double(ones, s.lanes, segments, s.n_segments, sums, whole, least, w, y,
                                 s.lanes, streaming)
    else:
        if tile_t is float:
            area_quotient_float(ones, s.pitch, segments, s.n_segments, sums, whole, least, w, y,
                                y_pitch, streaming)
        elif tile_t is double:
            area_quotient_double(ones, s.pitch, segments, s.n_segments, sums, whole, least, w, y,
                                 y_pitch, streaming)


cdef void weigh(const Stencil* s, Gaps* g, Py_ssize_t n, real_t* work) noexcept:
    """Sum the ``n`` weights as a tile rounds it where everything was seen."""
    cdef const real_t* w = <const real_t*>s.weights
    cdef real_t* tile = work + s.sums * s.n_slots * s.plane
    cdef real_t* ones = tile + STENCIL_TILE_LIMIT
    cdef stencil_segment* segments = <stencil_segment*>(ones + STENCIL_TILE_LIMIT)
    cdef Py_ssize_t k
    for k in range(STENCIL_TILE_LIMIT):
        ones[k] = 1
    for k in range(s.n_segments):
        segments[k] = s.segments[k]
        segments[k].offset = segments[k].step = 0
    run_tile(s, ones, 0, segments, tile, s.tile_cols, False)
    g.weights.whole = tile[0]
    g.weights.tiny *= abs(g.weights.whole)
    g.careful = False
    for k in range(n):
        g.careful |= 0 < abs(w[k]) < g.weights.tiny


# ---- planes and their slots -----------------------------------------------------------------

cdef const char* rows_ahead(const Stencil* s, const char* plane, Py_ssize_t first_row,
                            Py_ssize_t row_to, Py_ssize_t first_col) noexcept nogil:
    """Return where the rows lie that the next tile, from output row_to on, adds, if in ``x``."""
    cdef Py_ssize_t row = first_row + (row_to + s.y.taps // s.y.phases - 1) * s.y.step
    if row < 0 or row + (s.tile_rows - 1) * s.y.step >= s.y.size:
        return NULL
    return plane + row * s.y_stride + most(0, first_col) * s.x.pixel_stride


cdef void assign_slots(const Stencil* s, Py_ssize_t first, Py_ssize_t* held, Py_ssize_t* slots,
                       Py_ssize_t* fresh) noexcept nogil:
    """Give each tap along z the slot that holds its plane, or one that no tap needs."""
    cdef Py_ssize_t t, k = 0
    for t in range(s.z.taps):
        fresh[t] = 1
    for k in range(s.n_slots):
        t = tap_of_plane(s, first, held[k])
        if t >= 0:
            slots[t] = k
            fresh[t] = 0
    k = 0
    for t in range(s.z.taps):
        if fresh[t]:
            while tap_of_plane(s, first, held[k]) >= 0:
                k += 1
            held[k] = first + t * s.z.dilation
            slots[t] = k


cdef inline Py_ssize_t tap_of_plane(const Stencil* s, Py_ssize_t first,
                                    Py_ssize_t plane) noexcept nogil:
    """Return the tap along z that reads ``plane`` when tap 0 reads ``first``, −1 if none does."""
    cdef Py_ssize_t apart = plane - first
    if apart < 0 or apart % s.z.dilation or apart // s.z.dilation >= s.z.taps:
        return -1
    return apart // s.z.dilation


cdef Py_ssize_t first_inside(const SpatialAxis* a) noexcept nogil:
    """Return the first output whose window begins in ``x``."""
    return ceil_div(most(0, a.low), a.stride)


cdef Py_ssize_t end_inside(const SpatialAxis* a) noexcept nogil:
    """Return one more than the last output whose window ends in ``x``."""
    cdef Py_ssize_t room = a.size + a.low - (a.taps - 1) * a.dilation
    return ceil_div(most(0, room), a.stride)


cdef void run_unit(const Stencil* s, const Block* b, const char* x, char* out,
                   tile_t* work) noexcept nogil:
    """Split a block into rows that can be read in place, but for their ends, and the others."""
    cdef Block rows = b[0]
    cdef Stencil strips = s[0]
    cdef Part parts[3]
    cdef Part whole
    cdef Py_ssize_t top, bottom, n_parts = 0
    # Rows of the comb whose windows lie inside x; those above and below fill a tile.
    top = most(b.row_from, ceil_div(most(0, first_inside(&s.y) - b.comb), s.y.comb))
    bottom = least(b.row_to, ceil_div(most(0, end_inside(&s.y) - b.comb), s.y.comb))
    if top > b.row_from:
        top = most(top, b.row_from + s.tile_rows)
    if bottom < b.row_to:
        bottom = least(bottom, b.row_to - s.tile_rows)
    if (s.readable and bottom - top >= s.tile_rows
            and b.plane_from >= first_inside(&s.z) and b.plane_to <= end_inside(&s.z)):
        n_parts = split_columns(&strips, b, out, parts)
    whole.col_from = b.col_from
    whole.col_to = b.col_to
    # Loads that cross cache lines take twice as long: tiles that store whole lines load as many
    # as they can.
    whole.at = past_line(s, out, b.col_from * s.x.group) if s.streaming else 0
    whole.packed = True
    if n_parts == 0:
        run_block(s, b, &whole, 1, x, out, work)
        return
    if top > b.row_from:
        rows.row_to = top
        run_block(s, &rows, &whole, 1, x, out, work)
    rows.row_from = top
    rows.row_to = bottom
    run_block(&strips, &rows, parts, n_parts, x, out, work)
    if bottom < b.row_to:
        rows.row_from = bottom
        rows.row_to = b.row_to
        run_block(s, &rows, &whole, 1, x, out, work)


cdef Py_ssize_t split_columns(Stencil* s, const Block* b, const char* out,
                              Part* parts) noexcept nogil:
    """List the parts of a block's rows: pixels to be read in place, and a strip at each end.

    Returns their number, 0 if the rows are too short. The strips' copies lie side by side: the
    pitch of ``s`` becomes that of both.
    """
    cdef Py_ssize_t width = ceil_div(s.tile_cols, s.x.group)
    cdef Py_ssize_t left = most(b.col_from, first_inside(&s.x.axis))
    cdef Py_ssize_t right = least(b.col_to, end_inside(&s.x.axis))
    cdef Py_ssize_t first, n = 0, pitch = 0
    if left > b.col_from:
        first = left
        left = most(left, b.col_from + width)
        if s.streaming and s.x.group == 1:  # tiles in place begin at a cache line
            left = most(first, left - past_line(s, out, left))
    if right < b.col_to and right > left:
        right = left + (right - left) // width * width
    if right - left < width:
        return 0
    if left > b.col_from:
        pitch = add_strip(s, b.col_from, left, pitch, &parts[n])
        n += 1
    parts[n].col_from = left
    parts[n].col_to = right
    parts[n].packed = False
    n += 1
    if right < b.col_to:
        # What a whole tile writes twice costs less than a copy, but not past the cache.
        if not s.streaming:
            right = least(right, b.col_to - width)
        pitch = add_strip(s, right, b.col_to, pitch, &parts[n])
        n += 1
    if pitch + s.lanes > s.pitch:
        return 0
    set_pitch(s, pitch)
    return n


cdef Py_ssize_t add_strip(const Stencil* s, Py_ssize_t col_from, Py_ssize_t col_to,
                          Py_ssize_t at, Part* part) noexcept nogil:
    """Describe a strip whose copy begins at ``at``; return where the next may begin."""
    part.col_from = col_from
    part.col_to = col_to
    part.at = at
    part.packed = True
    at += most((col_to - col_from) * s.x.group, s.tile_cols)
    at += (s.x.axis.taps - 1) * s.x.axis.dilation * s.x.group
    return ceil_div(at, s.lanes) * s.lanes


cdef void run_units(const Stencil* s, Py_ssize_t start, Py_ssize_t stop, const char* x,
                    const Py_ssize_t* x_batch, char* out, const Py_ssize_t* out_batch,
                    tile_t* work) noexcept nogil:
    """Run units start … stop − 1, in the order batch, planes, comb, slab, panel."""
    cdef Py_ssize_t unit, rest, batch
    cdef Block b
    for unit in range(start, stop):
        rest = unit
        b.col_from = rest % s.n_panels * s.unit_cols
        b.col_to = least(s.x.axis.out, b.col_from + s.unit_cols)
        rest //= s.n_panels
        b.row_from = rest % s.n_slabs * s.unit_rows
        rest //= s.n_slabs
        b.comb = rest % s.y.comb
        b.row_to = least(ceil_div(s.y.out - b.comb, s.y.comb), b.row_from + s.unit_rows)
        rest //= s.y.comb
        b.plane_from = rest % s.n_planes * s.unit_planes
        b.plane_to = least(s.z.out, b.plane_from + s.unit_planes)
        batch = rest // s.n_planes
        if s.gaps != NULL and s.gaps.masked:
            b.mask = s.gaps.samples + s.gaps.batch[batch]
        if b.row_from < b.row_to:
            run_unit(s, &b, x + x_batch[batch], out + out_batch[batch], work)
    if s.streaming:
        stencil_fence()


# ---- one problem ----------------------------------------------------------------------------

# Measured on a Zen 4 core, whose level-2 cache of 1 MiB then has room for the result: panels of
# 256 columns took up to 1.5 times as long as panels of 2048, whose rows stream.
cdef Py_ssize_t BUFFER_BYTES = 704 << 10
cdef Py_ssize_t SLAB_ROWS = 64
cdef Py_ssize_t PANEL_COLS = 2048
# Kernels of so many rows are bound by arithmetic alone, even where they read a padded copy and
# their result passes through the cache; shorter ones are not: on a Zen 4 core, 2048² float32, in
# place was faster at 7 rows and a copy at 9.
cdef Py_ssize_t TALL = 8
# Floating-point sums of more taps are made in blocks of so many, or of the root of their number if
# that is more.
cdef Py_ssize_t BLOCK_TAPS = 512
# A unit of more products is cut down to a few tiles: nothing looks at signals while it runs.
cdef double LONGEST_UNIT = 10 * PRODUCTS_BETWEEN_SIGNALS

cdef enum:
    UNIT_NUMBERS = 8        # of a unit of a box


def weight_places(t, c, f, cols, rows, row_phases, col_phases, share):
    """Return the indices in w, as z, y, x in a row, of groups of taps: columns, then rows.

    ``rows`` has a row for each group. Row r is tap c + r·row_phases along y, or, if taps are
    shared along x, r·share columns on.
    """
    groups, apart = rows.shape
    rows = rows[:, np.newaxis]
    places = np.empty((groups, len(cols), apart, 3), np.intp)
    places[..., 0] = t
    places[..., 1] = c if share else c + row_phases * rows
    places[..., 2] = f + col_phases * (cols[:, np.newaxis] + (rows * share if share else 0))
    return places.ravel()


def group_rows(Py_ssize_t first, Py_ssize_t n):
    """Yield the rows of groups of taps of one size, a row for each group, as tiles take them."""
    cdef Py_ssize_t fours = most(0, ceil_div(n - 6, 4)), apart
    if fours:
        yield np.arange(first, first + 4 * fours).reshape(fours, 4)
    while 4 * fours < n:
        apart = stencil_group(n - 4 * fours)
        yield np.arange(first + 4 * fours, first + 4 * fours + apart)[np.newaxis]
        first += apart
        n -= apart


def cut_taps(n_cols, n_rows, block):
    """Yield the columns and rows of parts of up to ``block`` taps: first and number of each.

    Rows are taken by fours where there are as many: a tile loads the samples of four at once.
    """
    if n_cols == 0 or n_rows == 0:
        return
    most_cols = max(1, block // min(n_rows, 4))
    across = -(-n_cols // most_cols)
    most_rows = max(1, block // -(-n_cols // across))
    if most_rows < n_rows and most_rows > 4:
        most_rows -= most_rows % 4
    for top in range(0, n_rows, most_rows):
        for i in range(across):
            left = n_cols * i // across
            yield left, n_cols * (i + 1) // across - left, top, min(most_rows, n_rows - top)


cdef class DirectLoop:
    """A bound problem: its taps in the order of the tile, its axes, its tables.

    Parameters are plain numbers, checked by the caller: ``axes`` holds (axis of x or -1, size,
    out, low, taps, stride, dilation, before, after) for z, y and x; ``batch`` the other axes of
    x in front of the last spatial one, ``n_batch`` the product of their lengths; ``group`` the
    samples of a pixel. Taps of a ``line`` that are ``shared`` are summed in the order in which
    they share loads, others in that of w.
    """

    cdef Stencil s
    cdef object sums, tables
    cdef Py_ssize_t axis_of[3]
    cdef Py_ssize_t w_axis_of[3]
    cdef tuple batch
    cdef int sums_code, sums_row
    cdef Py_ssize_t item
    cdef bint flip, shared
    cdef Py_ssize_t[::1] segment_table
    cdef Py_ssize_t[::1] weight_table
    cdef Py_ssize_t[::1] block_table
    cdef Py_ssize_t n_weights

    def __init__(self, sums, axes, w_axes, batch, Py_ssize_t n_batch, Py_ssize_t group,
                 bint line, bint shared, bint flip):
        cdef Stencil* s = &self.s
        self.sums = np.dtype(sums)
        self.sums_code = SUM_CODES[self.sums]
        self.sums_row = row_codes[self.sums.num]
        self.item = self.sums.itemsize
        self.batch = tuple(batch)
        self.flip = flip
        self.tables = []
        for i, row in enumerate(axes):
            self.axis_of[i] = row[0]
            self.w_axis_of[i] = w_axes[i]
            self.tables.append(
                read_axis(&s.z if i == 0 else &s.y if i == 1 else &s.x.axis, row)
            )
        s.x.group = group
        s.line = line
        self.shared = shared
        s.item = self.item
        s.lanes = STENCIL_VECTOR_BYTES // self.item
        self.set_tile(s, False)
        s.n_slots = s.z.taps
        s.sums = 1
        s.n_batch = n_batch
        self.list_taps()
        self.lay_out(s, 1)

    cdef list_taps(self):
        """List the segments, and where in w each weight of the tile's order lies."""
        cdef Stencil* s = &self.s
        cdef Py_ssize_t t, c, f, rows, cols, step, share, first, block
        segments, weights = [], []
        self.n_weights = s.z.taps * s.y.taps * s.x.axis.taps
        block = self.n_weights
        if self.sums_code == SUMS_FLOAT or self.sums_code == SUMS_DOUBLE:
            block = most(BLOCK_TAPS, <Py_ssize_t>(<double>block ** 0.5))
        for t in range(s.z.taps):
            for c in range(least(s.y.phases, s.y.taps)):
                rows = ceil_div(s.y.taps - c, s.y.phases)
                for f in range(least(s.x.axis.phases, s.x.axis.taps)):
                    cols = ceil_div(s.x.axis.taps - f, s.x.axis.phases)
                    first = f * s.x.axis.dilation // s.x.axis.stride * s.x.group
                    step = s.x.axis.phases * s.x.axis.dilation // s.x.axis.stride * s.x.group
                    share = s.lanes // step if self.shared and s.line and s.lanes % step == 0 else 0
                    if not share:
                        parts = [(0, cols, rows)]
                    else:  # taps `share` apart are one vector apart: they are rows of the tile
                        parts = [(0, cols % share, cols // share + 1),
                                 (cols % share, share - cols % share, cols // share)]
                    for col, n_cols, n_rows in parts:
                        for left, n_left, top, n_top in cut_taps(n_cols, n_rows, block):
                            segments += [n_left, n_top, step, t, c, first + (col + left) * step, f,
                                         top]
                            for rows_of in group_rows(top, n_top):
                                weights.append(weight_places(
                                    t, c, f, np.arange(col + left, col + left + n_left), rows_of,
                                    s.y.phases, s.x.axis.phases, share
                                ))
        self.segment_table = np.array(segments, dtype=np.intp)
        self.weight_table = np.concatenate(weights)
        s.n_segments = len(segments) // 8
        self.list_blocks(block)

    cdef list_blocks(self, Py_ssize_t block):
        """List where blocks of up to so many taps begin: segments, then weights."""
        cdef Py_ssize_t k, taps, weight = 0, start = 0
        segments, weights = [0], [0]
        for k in range(self.s.n_segments):
            taps = self.segment_table[8 * k] * self.segment_table[8 * k + 1]
            if weight + taps - start > block:
                start = weight
                segments.append(k)
                weights.append(weight)
            weight += taps
        self.s.n_blocks = len(segments)
        self.block_table = np.array(
            segments + [self.s.n_segments] + weights + [weight], dtype=np.intp
        )

    cdef void set_tile(self, Stencil* s, bint flat) noexcept:
        s.flat = flat
        s.tile_rows = 1 if s.line else STENCIL_FLAT_ROWS if flat else STENCIL_AREA_ROWS
        s.tile_cols = s.lanes * (STENCIL_LINE_ROWS if s.line
                                 else STENCIL_FLAT_VECTORS if flat else STENCIL_AREA_VECTORS)

    cdef Py_ssize_t units(self, const Stencil* s) noexcept:
        return s.n_batch * s.n_planes * s.y.comb * s.n_slabs * s.n_panels

    cdef void cut(self, Stencil* s, Py_ssize_t planes, Py_ssize_t rows,
                  Py_ssize_t cols) noexcept:
        """Set the size of a unit and of its buffer."""
        cdef Py_ssize_t phases = least(s.x.axis.phases, s.x.axis.taps)
        cdef Py_ssize_t reach = (s.x.axis.taps - 1) * s.x.axis.dilation // s.x.axis.stride + 1
        s.unit_planes = planes
        s.unit_rows = rows
        s.unit_cols = cols
        s.n_planes = ceil_div(s.z.out, planes)
        s.n_slabs = ceil_div(ceil_div(s.y.out, s.y.comb), rows)
        s.n_panels = ceil_div(s.x.axis.out, cols)
        s.phase_rows = most(rows, s.tile_rows) + ceil_div(s.y.taps, s.y.phases) - 1
        s.phase_cols = most(cols * s.x.group, s.tile_cols) + reach * s.x.group
        # Rows may begin anywhere in a cache line.
        set_pitch(s, ceil_div(s.phase_cols * phases + LINE_BYTES // s.item, s.lanes) * s.lanes)

    cdef void lay_out(self, Stencil* s, int threads) noexcept:
        """Cut the work: buffers within BUFFER_BYTES, signals in time, units for each thread."""
        cdef Py_ssize_t item = self.item
        cdef Py_ssize_t wanted = 1 if threads == 1 else 4 * threads
        cdef Py_ssize_t rows = least(ceil_div(s.y.out, s.y.comb), SLAB_ROWS)
        cdef Py_ssize_t panel = 8 * PANEL_COLS if s.line else PANEL_COLS
        cdef Py_ssize_t cols = least(s.x.axis.out, most(1, panel // s.x.group))
        cdef Py_ssize_t few_cols = ceil_div(2 * s.tile_cols, s.x.group)
        cdef Py_ssize_t planes
        cdef double products
        self.cut(s, s.z.out, rows, cols)
        while s.sums * s.n_slots * s.plane * item > BUFFER_BYTES:
            if cols > 4 * few_cols:
                cols = ceil_div(cols, 2)
            elif rows >= 2 * s.tile_rows:
                rows = rows // 2 // s.tile_rows * s.tile_rows
            elif cols > few_cols:
                cols = ceil_div(cols, 2)
            else:
                break
            self.cut(s, s.z.out, rows, cols)
        products = <double>s.x.group * s.z.taps * s.y.taps * s.x.axis.taps
        while rows * cols * products > LONGEST_UNIT:
            if cols > few_cols:
                cols = ceil_div(cols, 2)
            elif rows >= 2 * s.tile_rows:
                rows = rows // 2 // s.tile_rows * s.tile_rows
            else:
                break
        products *= rows * cols
        planes = <Py_ssize_t>(PRODUCTS_BETWEEN_SIGNALS / products)
        # Few planes would pack what they share again and again.
        planes = most(planes, least(least(s.z.taps, 8), <Py_ssize_t>(LONGEST_UNIT / products)))
        planes = least(s.z.out, most(planes, 1))
        self.cut(s, planes, rows, cols)
        while rows >= 2 * s.tile_rows and self.units(s) < wanted:
            rows = rows // 2 // s.tile_rows * s.tile_rows
            self.cut(s, planes, rows, cols)
        while cols > few_cols and self.units(s) < wanted:
            cols = ceil_div(cols, 2)
            self.cut(s, planes, rows, cols)
        while planes > 1 and self.units(s) < wanted:
            planes = ceil_div(planes, 2)
            self.cut(s, planes, rows, cols)

    cdef size_t thread_bytes(self, const Stencil* s) noexcept:
        """Return the workspace of one thread, whole cache lines."""
        cdef size_t size = s.sums * (s.n_slots * s.plane + STENCIL_TILE_LIMIT) * self.item
        size += 2 * s.n_segments * sizeof(stencil_segment) + 4 * s.n_slots * sizeof(Py_ssize_t)
        return (size + 127) // 64 * 64

    def workspace(self):
        """Return the bytes of workspace that one thread takes, half of what it does with gaps."""
        return self.thread_bytes(&self.s)

    def run(self, cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, cnp.ndarray fill, bint clip,
            int threads, gaps=None):
        """Solve the problem: ``y`` is C-contiguous, ``x`` aligned and in native byte order.

        ``w`` has the dtype of the sums; ``fill`` holds one value or one for each sample of a
        pixel. With ``gaps`` (mask, whether NaN are missing, sign, least, tiny) samples are left
        out: the mask is None or of the shape of ``x``, the numbers are those of `divide_gaps`;
        the dtype of ``y`` is that of the sums, floating-point.
        """
        cdef Stencil s = self.s
        cdef Gaps g
        cdef Py_ssize_t n_batch = s.n_batch
        cdef Py_ssize_t shared, each, units, done, step
        cdef char* block
        cdef char* at
        cdef Py_ssize_t* x_batch
        cdef Py_ssize_t* out_batch
        self.set_source(&s, x)
        s.x.fill = cnp.PyArray_DATA(fill)
        s.x.n_fill = fill.shape[0]
        self.set_result(&s, y, clip)
        if gaps is not None:
            self.set_gaps(&s, &g, gaps)
        elif (not s.line and ceil_div(s.y.out, s.y.comb) <= STENCIL_FLAT_ROWS
              and s.x.axis.out * s.x.group >= STENCIL_FLAT_VECTORS * s.lanes):
            self.set_tile(&s, True)  # the rows of a taller tile would be computed in vain
        if threads > 1 or s.flat or gaps is not None:
            self.lay_out(&s, threads)
        units = self.units(&s)
        threads = <int>least(threads, units)
        shared = self.table_bytes(&s, 3 * n_batch)
        each = self.thread_bytes(&s)
        block = <char*>take_parts(&shared, threads, &each)
        try:
            at = self.write_tables(&s, w, block)
            x_batch = <Py_ssize_t*>at
            out_batch = x_batch + n_batch
            list_batch(self.batch, x, y, x_batch, out_batch)
            if gaps is not None:
                if g.masked:
                    g.batch = out_batch + n_batch
                    list_batch(self.batch, gaps[0], y, out_batch + n_batch, out_batch)
                if self.sums_code == SUMS_FLOAT:
                    weigh(&s, &g, self.n_weights, <float*>(block + shared))
                else:
                    weigh(&s, &g, self.n_weights, <double*>(block + shared))
            step = most(threads, <Py_ssize_t>(
                threads * PRODUCTS_BETWEEN_SIGNALS
                / (<double>s.unit_planes * s.unit_rows * s.unit_cols * s.x.group
                   * s.z.taps * s.y.taps * s.x.axis.taps)))
            done = 0
            while done < units:
                step = least(step, units - done)
                if self.sums_code == SUMS_FLOAT:
                    run_shared[float](&s, done, step, threads, cnp.PyArray_BYTES(x), x_batch,
                                      cnp.PyArray_BYTES(y), out_batch, <float*>(block + shared),
                                      each)
                elif self.sums_code == SUMS_DOUBLE:
                    run_shared[double](&s, done, step, threads, cnp.PyArray_BYTES(x), x_batch,
                                       cnp.PyArray_BYTES(y), out_batch,
                                       <double*>(block + shared), each)
                elif self.sums_code == SUMS_INT16:
                    run_shared[int16_t](&s, done, step, threads, cnp.PyArray_BYTES(x), x_batch,
                                        cnp.PyArray_BYTES(y), out_batch,
                                        <int16_t*>(block + shared), each)
                else:
                    run_shared[uint64_t](&s, done, step, threads, cnp.PyArray_BYTES(x), x_batch,
                                         cnp.PyArray_BYTES(y), out_batch,
                                         <uint64_t*>(block + shared), each)
                done += step
                PyErr_CheckSignals()
        finally:
            put_block(block)

    def run_boxes(self, cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, cnp.ndarray fill, bint clip,
                  int threads, boxes):
        """Solve the problem in ``boxes`` of ``y`` alone, of any strides.

        A row of ``boxes`` is the batch item, from and to along z, y and x; there is one. The
        group is one sample.
        """
        cdef Stencil s = self.s
        cdef Py_ssize_t n_batch = s.n_batch
        cdef Py_ssize_t shared, each, units, done = 0, step
        cdef char* block
        cdef char* at
        cdef Py_ssize_t* x_batch
        cdef Py_ssize_t* out_batch
        cdef Py_ssize_t[:, ::1] table = self.units_of(&s, boxes)
        self.set_source(&s, x)
        if s.flat:
            self.set_tile(&s, False)
            s.readable = False
        s.prefetching = False
        s.x.fill = cnp.PyArray_DATA(fill)
        s.x.n_fill = fill.shape[0]
        self.set_result(&s, y, clip)
        s.out_item = y.strides[self.axis_of[2]]
        s.stored = s.stored and s.out_item == cnp.PyArray_ITEMSIZE(y)
        s.streaming = False
        units = table.shape[0]
        threads = <int>least(threads, units)
        shared = self.table_bytes(&s, 2 * n_batch)
        each = self.thread_bytes(&s)
        block = <char*>take_parts(&shared, threads, &each)
        try:
            at = self.write_tables(&s, w, block)
            x_batch = <Py_ssize_t*>at
            out_batch = x_batch + n_batch
            list_batch(self.batch, x, y, x_batch, out_batch)
            step = most(threads, <Py_ssize_t>(
                threads * PRODUCTS_BETWEEN_SIGNALS
                / (<double>s.unit_planes * s.unit_rows * s.unit_cols
                   * s.z.taps * s.y.taps * s.x.axis.taps)))
            while done < units:
                step = least(step, units - done)
                if self.sums_code == SUMS_FLOAT:
                    run_listed_shared[float](
                        &s, &table[done, 0], step, threads, cnp.PyArray_BYTES(x), x_batch,
                        cnp.PyArray_BYTES(y), out_batch, <float*>(block + shared), each)
                else:
                    run_listed_shared[double](
                        &s, &table[done, 0], step, threads, cnp.PyArray_BYTES(x), x_batch,
                        cnp.PyArray_BYTES(y), out_batch, <double*>(block + shared), each)
                done += step
                PyErr_CheckSignals()
        finally:
            put_block(block)

    cdef units_of(self, const Stencil* s, boxes):
        """Return the units of boxes: item, comb, from and to of planes, rows of it and columns."""
        cdef Py_ssize_t comb, z, y, x, z_to, y_to, x_to, item, plane, row, col, row_to
        units = []
        for item, z, z_to, y, y_to, x, x_to in boxes.tolist():
            for comb in range(s.y.comb):
                row_to = ceil_div(most(0, y_to - comb), s.y.comb)
                for plane in range(z, z_to, s.unit_planes):
                    for row in range(ceil_div(most(0, y - comb), s.y.comb), row_to, s.unit_rows):
                        for col in range(x, x_to, s.unit_cols):
                            units.append((
                                item, comb, plane, least(z_to, plane + s.unit_planes), row,
                                least(row_to, row + s.unit_rows), col,
                                least(x_to, col + s.unit_cols)))
        return np.array(units, np.intp).reshape(-1, UNIT_NUMBERS)

    cdef int set_source(self, Stencil* s, cnp.ndarray x) except -1:
        cdef Py_ssize_t item = self.item
        self.set_strides(&s.x, &s.z_stride, &s.y_stride, x)
        s.readable = (s.x.same and s.x.axis.stride == 1
                      and s.y_stride % item == 0 and s.z_stride % item == 0)
        # Rows a multiple of 4 KiB apart fall into the same sets of the cache: as few as a flat
        # tile reads at once stay there, but a tall kernel is worth a copy.
        if s.readable and not s.line and s.y.taps > 1 and s.y.step * s.y_stride % 4096 == 0:
            s.readable = STENCIL_FLAT_ROWS <= 4 and s.y.taps < TALL
            if s.readable:
                self.set_tile(s, True)
        # Samples that are further apart than a cache line are not prefetched: a tile's rows would
        # be as many lines as it has samples, or, apart by whole planes, any number of them.
        s.prefetching = (not s.line and cnp.PyArray_NBYTES(x) > CACHE_BYTES
                         and s.x.sample_stride <= LINE_BYTES
                         and s.x.pixel_stride == s.x.group * s.x.sample_stride)
        return 0

    cdef int set_strides(self, Source* source, Py_ssize_t* z_stride, Py_ssize_t* y_stride,
                         cnp.ndarray x) except -1:
        """Say where the samples of an array lie, and of which type they are."""
        cdef Py_ssize_t last = x.ndim - 1
        cdef int code = row_codes[cnp.PyArray_TYPE(x)]
        z_stride[0] = x.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        y_stride[0] = x.strides[self.axis_of[1]] if self.axis_of[1] >= 0 else 0
        source.pixel_stride = x.strides[self.axis_of[2]]
        while last > 0 and x.shape[last] == 1:  # such an axis may have any stride
            last -= 1
        if self.axis_of[2] == x.ndim - 1 and source.axis.size > 1:
            source.pixel_stride = x.strides[last]
        source.sample_stride = source.pixel_stride if source.group == 1 else x.strides[last]
        set_row_load(source, self.sums_code, code)
        source.same = (code == self.sums_row and source.sample_stride == self.item
                       and source.pixel_stride == source.group * self.item)
        return 0

    cdef int set_gaps(self, Stencil* s, Gaps* g, gaps) except -1:
        """Prepare for samples that are missing: all that is read is copied, without them."""
        mask, g.nan, g.weights.sign, g.weights.least, g.weights.tiny = gaps
        g.masked = mask is not None
        if g.masked:
            g.mask = s.x
            g.mask.fill = &NOTHING
            g.mask.n_fill = 1
            g.samples = cnp.PyArray_BYTES(mask)
            self.set_strides(&g.mask, &g.z_stride, &g.y_stride, mask)
        s.gaps = g
        s.sums = 2
        s.readable = False
        self.set_tile(s, False)
        return 0

    cdef int set_result(self, Stencil* s, cnp.ndarray y, bint clip) except -1:
        cdef int code = row_codes[cnp.PyArray_TYPE(y)]
        s.out_item = cnp.PyArray_ITEMSIZE(y)
        s.out_z = y.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        s.out_y = y.strides[self.axis_of[1]] if self.axis_of[1] >= 0 else 0
        s.stored = are_stored(self.sums_code, self.sums_row, code, clip)
        s.emit = row_emits[self.sums_code][clip][code]
        s.streaming = (s.stored and s.y.taps < TALL and cnp.PyArray_NBYTES(y) > STREAM_BYTES
                       and s.tile_cols * s.item >= LINE_BYTES
                       and (s.line or s.y.comb * s.out_y % LINE_BYTES == 0))
        return 0

    cdef Py_ssize_t table_bytes(self, const Stencil* s, Py_ssize_t places) noexcept:
        """Return the bytes of what `write_tables` writes, and of ``places`` behind it."""
        cdef Py_ssize_t tables = (self.n_weights * self.item
                                  + s.n_segments * <Py_ssize_t>sizeof(stencil_segment))
        places += 5 * s.n_segments
        return (tables + places * <Py_ssize_t>sizeof(Py_ssize_t) + 127) // 64 * 64

    cdef char* write_tables(self, Stencil* s, cnp.ndarray w, char* block) noexcept:
        """Write weights and segments to the block; return what follows them."""
        cdef Py_ssize_t item = self.item
        cdef Py_ssize_t i, k, axis, stride, taps
        cdef Py_ssize_t strides[3]
        cdef const char* first = cnp.PyArray_BYTES(w)
        cdef char* out = block
        cdef stencil_segment* segments
        cdef Py_ssize_t* columns
        cdef const Py_ssize_t* at
        for i in range(3):
            axis = self.w_axis_of[i]
            strides[i] = 0
            if axis >= 0:
                strides[i] = w.strides[axis]
                if self.flip:
                    first += (w.shape[axis] - 1) * strides[i]
                    strides[i] = -strides[i]
        s.weights = block
        if self.n_weights:
            at = &self.weight_table[0]
            for k in range(self.n_weights):
                memcpy(out, first + at[0] * strides[0] + at[1] * strides[1] + at[2] * strides[2],
                       item)
                out += item
                at += 3
        out = block + (out - block + 7) // 8 * 8
        segments = <stencil_segment*>out
        columns = <Py_ssize_t*>(segments + s.n_segments)
        s.segments = segments
        s.seg_z = columns
        s.seg_row = columns + s.n_segments
        s.seg_col = columns + 2 * s.n_segments
        s.seg_phase = columns + 3 * s.n_segments
        s.seg_down = columns + 4 * s.n_segments
        s.block_segment = &self.block_table[0]
        s.block_weight = s.block_segment + s.n_blocks + 1
        at = &self.segment_table[0]
        for k in range(s.n_segments):
            segments[k].offset = 0
            segments[k].columns = at[0]
            segments[k].rows = at[1]
            segments[k].step = at[2]
            columns[k] = at[3]
            columns[s.n_segments + k] = at[4]
            columns[2 * s.n_segments + k] = at[5]
            columns[3 * s.n_segments + k] = at[6]
            columns[4 * s.n_segments + k] = at[7]
            at += 8
        return <char*>(columns + 5 * s.n_segments)


cdef void run_shared(const Stencil* s, Py_ssize_t first, Py_ssize_t count, int threads,
                     const char* x, const Py_ssize_t* x_batch, char* out,
                     const Py_ssize_t* out_batch, tile_t* work, Py_ssize_t each) noexcept:
    """Run units first … first + count − 1, contiguous runs of them on each thread."""
    cdef int t
    if threads == 1:
        with nogil:
            run_units(s, first, first + count, x, x_batch, out, out_batch, work)
    else:
        for t in prange(threads, nogil=True, num_threads=threads, schedule="static"):
            run_units(s, first + count * t // threads, first + count * (t + 1) // threads, x,
                      x_batch, out, out_batch, <tile_t*>(<char*>work + t * each))


cdef void run_listed(const Stencil* s, const Py_ssize_t* unit, Py_ssize_t n, const char* x,
                     const Py_ssize_t* x_batch, char* out, const Py_ssize_t* out_batch,
                     tile_t* work) noexcept nogil:
    """Run ``n`` units of `DirectLoop.units_of`."""
    cdef Block b
    cdef Py_ssize_t i
    b.mask = NULL
    for i in range(n):
        b.comb = unit[1]
        b.plane_from, b.plane_to = unit[2], unit[3]
        b.row_from, b.row_to = unit[4], unit[5]
        b.col_from, b.col_to = unit[6], unit[7]
        run_unit(s, &b, x + x_batch[unit[0]], out + out_batch[unit[0]], work)
        unit += UNIT_NUMBERS


cdef void run_listed_shared(const Stencil* s, const Py_ssize_t* units, Py_ssize_t n, int threads,
                            const char* x, const Py_ssize_t* x_batch, char* out,
                            const Py_ssize_t* out_batch, tile_t* work, Py_ssize_t each) noexcept:
    """Run ``n`` units, contiguous runs of them on each thread."""
    cdef int t
    if threads == 1:
        with nogil:
            run_listed(s, units, n, x, x_batch, out, out_batch, work)
    else:
        for t in prange(threads, nogil=True, num_threads=threads, schedule="static"):
            run_listed(s, units + n * t // threads * UNIT_NUMBERS,
                       n * (t + 1) // threads - n * t // threads, x, x_batch, out, out_batch,
                       <tile_t*>(<char*>work + t * each))
