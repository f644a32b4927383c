# direct_units: a unit of `direct`: its copies, and its rows of tiles plane by plane.

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
    return <const char*>NULL if index < 0 else x + index * s.z_stride


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


# Rows of which fewer tiles could be read in place are copied whole: two strips of each would take
# as long. Measured on a Xeon with AVX-512, 2026-11-30: 96×128 float32 under 3×3 weights took 7.1 µs
# in strips and 6.5 whole, 96×256 9.7 and 11.1.
cdef Py_ssize_t FEW_TILES = 3


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
    if right - left < FEW_TILES * width:
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


cdef Py_ssize_t run_units(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                          tile_t* work) noexcept nogil:
    """Run units start … stop − 1, in the order batch, planes, comb, slab, panel.

    Returns how many tiles of products told of results that may not be finite.
    """
    cdef Stencil own = (<const Stencil*>c.loop)[0]
    cdef const Stencil* s = &own
    cdef const char* weights = <const char*>own.weights
    cdef Py_ssize_t found = 0
    cdef Py_ssize_t unit, rest, batch
    cdef Block b
    own.found = &found
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
        if s.filters != NULL:
            own.weights = weights + s.filters[batch] * s.filter_bytes
        if b.row_from < b.row_to:
            run_unit(s, &b, c.x + c.x_batch[batch], c.y + c.y_batch[batch], work)
    if s.streaming:
        stencil_fence()
    return found


cdef void run_boxes(const Call* c, Py_ssize_t start, Py_ssize_t stop, tile_t* work) noexcept nogil:
    """Run units start … stop − 1 of those that `DirectLoop.units_of` lists."""
    cdef const Stencil* s = <const Stencil*>c.loop
    cdef const Py_ssize_t* unit = s.boxes + start * UNIT_NUMBERS
    cdef Block b
    cdef Py_ssize_t i
    b.mask = NULL
    for i in range(start, stop):
        b.comb = unit[1]
        b.plane_from, b.plane_to = unit[2], unit[3]
        b.row_from, b.row_to = unit[4], unit[5]
        b.col_from, b.col_to = unit[6], unit[7]
        run_unit(s, &b, c.x + c.x_batch[unit[0]], c.y + c.y_batch[unit[0]], work)
        unit += UNIT_NUMBERS


cdef Py_ssize_t run_direct(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                           void* work) noexcept nogil:
    if (<const Stencil*>c.loop).boxes != NULL:
        if c.sums == SUMS_FLOAT:
            run_boxes(c, start, stop, <float*>work)
        else:
            run_boxes(c, start, stop, <double*>work)
    elif c.sums == SUMS_FLOAT:
        return run_units(c, start, stop, <float*>work)
    elif c.sums == SUMS_DOUBLE:
        return run_units(c, start, stop, <double*>work)
    elif c.sums == SUMS_INT16:
        return run_units(c, start, stop, <int16_t*>work)
    else:
        return run_units(c, start, stop, <uint64_t*>work)
    return 0
