# separable_columns: rows of strips summed along y, planes of the ring along z.

cdef struct Room:
    # The outputs of a unit; ends are excluded.
    Py_ssize_t plane_from, plane_to, row_from, row_to, col_from, col_to


cdef inline stencil_set* room_for_sets(const Strips* p, sum_t* work) noexcept nogil:
    """Return where the sets of a tile lie, the lists of their rows behind them."""
    return <stencil_set*>(work + p.tables)


cdef void write_filtered(const Stencil* s, const sum_t* strip, Py_ssize_t cols,
                         char* out) noexcept nogil:
    """Write a filtered row to the result."""
    if not s.stored:
        s.emit(strip, cols, out, s.out_item)
    elif sum_t is float and s.streaming:
        stream_row_float(<float*>out, strip, cols)
    elif sum_t is double and s.streaming:
        stream_row_double(<double*>out, strip, cols)
    else:
        copy_row(<sum_t*>out, strip, cols)


cdef bint run_rows(const Strips* p, const Room* u, const char* x, char* y,
                   sum_t* work) noexcept nogil:
    """Go down a panel whose rows are the result once they are filtered, as `run_panel`."""
    cdef const Stencil* s = &p.down
    cdef Py_ssize_t cols = u.col_to - u.col_from, at = u.row_from, r, rows
    cdef bint summable = True
    y += u.col_from * s.x.group * s.out_item
    while at < u.row_to:
        rows = least(p.rows_at_once, u.row_to - at)
        if p.along:
            summable = filter_row(p, x, at - s.y.low, u.col_from, cols, work, work) and summable
        else:
            summable = filter_rows(p, x, at - s.y.low, rows, u.col_from, cols, work,
                                   work) and summable
        if not (summable or p.lenient):
            return False
        for r in range(rows):
            write_filtered(s, work + r * p.pitch, cols * s.x.group, y + (at + r) * s.out_y)
        at += rows
    return summable


cdef bint run_columns(const Strips* p, const Room* u, const char* x, char* y,
                      sum_t* work) noexcept nogil:
    """Go down a panel whose rows are summed along y where they lie, as `run_panel`.

    A row is looked at once tiles have read it, and it is in the cache.
    """
    cdef Stencil s = p.down
    cdef Py_ssize_t cols = (u.col_to - u.col_from) * s.x.group
    cdef Py_ssize_t at = u.row_from, rows, c, first, last, index
    cdef Py_ssize_t seen = u.row_from * s.y.stride - s.y.low
    cdef stencil_set* sets = room_for_sets(p, work)
    cdef Py_ssize_t* listed_rows = <Py_ssize_t*>(sets + p.pass_y.n_sets)
    cdef const char* outside = <const char*>(work + p.outside)
    cdef const char* ahead
    cdef bint summable = True
    s.sets = sets
    x += u.col_from * s.x.pixel_stride
    y += u.col_from * s.x.group * s.out_item
    while at < u.row_to:
        at = most(u.row_from, least(at, u.row_to - p.step_rows))
        rows = least(p.step_rows, u.row_to - at)
        first = at * s.y.stride - s.y.low
        last = first + samples_read(&s.y, rows) - 1
        ahead = NULL
        if s.prefetching and s.y.step == 1 and last >= 0 and last + s.tile_rows < s.y.size:
            ahead = x + (last + 1) * s.y_stride
        for c in range(least(s.y.comb, rows)):
            place_rows_in_place(p, first + c * s.y.stride, last, x, outside, sets, listed_rows)
            run_tile_row(&s, <const sum_t*>x, 0, NULL, ceil_div(rows - c, s.y.comb), cols,
                         y + (at + c) * s.out_y, work + p.tile, ahead)
        while seen <= last:
            index = source_index(&s.y, seen)
            summable = all_summable(<const sum_t*>(
                outside if index < 0 else x + index * s.y_stride), cols) and summable
            seen += 1
        if not (summable or p.lenient):
            return False
        at += rows
    return summable


cdef Stencil of_parts(const Strips* p, const Stencil* s) noexcept nogil:
    """Return the tiles that write a component of vectors to the workspace, row after row."""
    cdef Stencil parts = s[0]
    if p.lengths:
        parts.stored, parts.streaming = True, False
        parts.out_item, parts.out_y, parts.y.comb = s.item, p.pitch * s.item, 1
    return parts


cdef void write_lengths(const Strips* p, const Stencil* s, Py_ssize_t rows, Py_ssize_t cols,
                        char* out, sum_t* work) noexcept nogil:
    """Write the lengths of vectors, whose components are in the workspace."""
    cdef Py_ssize_t r
    cdef const sum_t* x = work + p.parts
    cdef void* room = work + p.parts + p.n_parts * p.part
    for r in range(rows):
        if sum_t is float:
            lengths_row_float_float(<const float*>x, p.part, p.n_parts, cols, room, out)
        elif sum_t is double:
            if s.out_item == 4:
                lengths_row_double_float(<const double*>x, p.part, p.n_parts, cols, room, out)
            else:
                lengths_row_double_double(<const double*>x, p.part, p.n_parts, cols, room, out)
        x += p.pitch
        out += s.y.comb * s.out_y


cdef bint run_panel(const Strips* p, const Room* u, const char* x, char* y,
                    sum_t* work) noexcept nogil:
    """Go down a panel of columns, ``x`` a plane; False if its rows cannot be summed."""
    cdef Stencil s = p.down
    cdef Stencil parts = s if p.n_rings else of_parts(p, &s)
    cdef char* out
    cdef Py_ssize_t cols = (u.col_to - u.col_from) * s.x.group
    cdef Py_ssize_t base = u.row_from * s.y.stride, total = samples_read(
        &s.y, u.row_to - u.row_from)
    cdef Py_ssize_t filled = 0, at = u.row_from, rows, c, first, k
    cdef stencil_set* sets = room_for_sets(p, work)
    cdef Py_ssize_t* listed_rows = <Py_ssize_t*>(sets + p.pass_y.n_sets)
    cdef sum_t* strips = work
    cdef sum_t* strip
    cdef bint summable = True
    if p.rows_only and s.divisor == NULL:
        return run_rows(p, u, x, y, work)
    if p.in_place and x != NULL and cols >= s.tile_cols:
        return run_columns(p, u, x, y, work)
    y += u.col_from * s.x.group * s.out_item
    if s.streaming:  # what is written as whole cache lines is read as such
        strips += past_line(&s, y + at * s.out_y, 0)
    while at < u.row_to:
        at = most(u.row_from, least(at, u.row_to - p.step_rows))
        rows = least(p.step_rows, u.row_to - at)
        first = at * s.y.stride - base
        while filled < first + samples_read(&s.y, rows):
            strip = strips + filled % p.rows_held * p.pitch
            if p.along:
                summable = filter_row(p, x, base + filled - s.y.low, u.col_from,
                                      u.col_to - u.col_from, strip, work) and summable
            else:
                summable = filter_rows(p, x, base + filled - s.y.low, total - filled, u.col_from,
                                       u.col_to - u.col_from, strip, work) and summable
            if not (summable or p.lenient):
                return False
            filled += p.rows_at_once
        for c in range(least(s.y.comb, rows)):
            place_rows(&p.pass_y, &s.y, first + c * s.y.stride, p.rows_held, p.pitch, sets,
                      listed_rows)
            for k in range(p.n_parts):
                parts.sets = sets + p.rings[k].first
                parts.n_segments = p.rings[k + 1].first - p.rings[k].first
                parts.weights = <const sum_t*>p.pass_y.weights + p.rings[k].weight
                out = y + (at + c) * s.out_y + k * p.ring * s.item
                if p.lengths and not p.n_rings:
                    out = <char*>(work + p.parts + k * p.part)
                run_tile_row(&parts, strips, 0, NULL, ceil_div(rows - c, s.y.comb), cols, out,
                             work + p.tile, NULL)
            if p.lengths and not p.n_rings:
                write_lengths(p, &s, ceil_div(rows - c, s.y.comb), cols, y + (at + c) * s.out_y,
                              work)
        at += rows
    return summable


cdef bint fill_slot(const Strips* p, const Room* u, const char* x, Py_ssize_t coordinate,
                    sum_t* slot, sum_t* work) noexcept nogil:
    """Filter the plane at ``coordinate`` along x and y into its slot of each ring.

    False if not summable.
    """
    cdef const Stencil* s = &p.down
    cdef Py_ssize_t index = source_index(&s.z, coordinate), k, r
    cdef sum_t* first = slot - u.row_from * p.ring_pitch - u.col_from * s.x.group
    cdef bint summable = run_panel(p, u, <const char*>NULL if index < 0 else x + index * s.z_stride,
                                   <char*>first, work)
    for k in range(p.n_rings):
        for r in range(u.row_to - u.row_from):
            if not summable:
                return False
            summable = all_summable(slot + k * p.ring + r * p.ring_pitch,
                                    (u.col_to - u.col_from) * s.x.group)
    return summable


cdef bint fill_slots(const Strips* p, const Room* u, const char* x, Py_ssize_t base,
                     Py_ssize_t filled, Py_ssize_t until, sum_t* ring,
                     sum_t* work) noexcept nogil:
    """Fill the slots of planes that come into reach, counted from the unit's first.

    One outside x is the copy of one inside, if the rings hold that, or of another that holds
    the fill value.
    """
    cdef Py_ssize_t k, i, index, fill = -1
    cdef SpatialAxis z = p.down.z
    cdef bint summable = True
    for k in range(filled, until):
        if 0 <= base + k < z.size and not fill_slot(
                p, u, x, base + k, ring + k % p.planes_held * p.ring_plane, work):
            if not p.lenient:
                return False
            summable = False
    for k in range(filled, until):
        if 0 <= base + k < z.size:
            continue
        index = source_index(&z, base + k)
        if index < 0:
            index, fill = fill, k
        else:
            index -= base
        if most(until - p.planes_held, 0) <= index < until:
            for i in range(p.n_rings):
                copy_row(ring + i * p.ring + k % p.planes_held * p.ring_plane,
                         ring + i * p.ring + index % p.planes_held * p.ring_plane, p.ring_plane)
        elif not fill_slot(p, u, x, base + k, ring + k % p.planes_held * p.ring_plane, work):
            if not p.lenient:
                return False
            summable = False
    return summable


cdef bint run_planes(const Strips* p, const Room* u, const char* x, char* y,
                     sum_t* work) noexcept nogil:
    """Go through a run of planes; False if a filtered row cannot be summed."""
    cdef Stencil s = p.deep
    cdef Stencil parts = of_parts(p, &s)
    cdef Py_ssize_t cols = (u.col_to - u.col_from) * s.x.group
    cdef Py_ssize_t base = u.plane_from * s.z.stride
    cdef Py_ssize_t filled = 0, at = u.plane_from, planes, until, c, r, k
    cdef char* out
    cdef sum_t* ring = work + p.planes
    cdef stencil_set* sets = room_for_sets(p, work)
    cdef Py_ssize_t* listed_rows = <Py_ssize_t*>(sets + p.pass_z.n_sets)
    cdef bint summable = True
    y += u.col_from * s.x.group * s.out_item
    while at < u.plane_to:
        at = most(u.plane_from, least(at, u.plane_to - p.step_planes))
        planes = least(p.step_planes, u.plane_to - at)
        until = most(filled, at * s.z.stride - base + samples_read(&s.z, planes))
        if not fill_slots(p, u, x, base - s.z.low, filled, until, ring, work):
            if not p.lenient:
                return False
            summable = False
        filled = until
        for c in range(least(s.z.comb, planes)):
            place_rows(&p.pass_z, &s.z, (at + c) * s.z.stride - base, p.planes_held,
                      p.ring_plane, sets, listed_rows)
            for r in range(p.pass_z.n_sets):
                sets[r].offset = r // sets_of(&s.z) * p.ring
            for r in range(u.row_to - u.row_from):
                out = y + (at + c) * s.out_y + (u.row_from + r) * p.row_bytes
                for k in range(p.n_rings if p.lengths else 1):
                    parts.sets = sets
                    if p.lengths:
                        parts.n_segments = sets_of(&s.z)
                        parts.sets += k * parts.n_segments
                        parts.weights = <const sum_t*>s.weights + k * s.z.taps
                    run_tile_row(&parts, ring + r * p.ring_pitch, 0, NULL,
                                 ceil_div(planes - c, s.z.comb), cols,
                                 <char*>(work + p.parts + k * p.part) if p.lengths else out,
                                 work + p.tile, NULL)
                if p.lengths:
                    write_lengths(p, &s, ceil_div(planes - c, s.z.comb), cols, out, work)
        at += planes
    return summable


cdef inline Py_ssize_t odd_vectors(const Stencil* s, Py_ssize_t samples) noexcept nogil:
    """Return whole vectors, an odd number: rows of such fall into all sets of the caches."""
    return (ceil_div(samples, s.lanes) // 2 * 2 + 1) * s.lanes


cdef bint filter_panels(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                        sum_t* work) noexcept nogil:
    """Run units start … stop − 1, in the order batch, planes, slab, panel; False if not
    summable."""
    cdef const Strips* p = <const Strips*>c.loop
    cdef Py_ssize_t unit, rest
    cdef Room u
    cdef const char* x
    cdef char* y
    cdef bint summable = True
    # A row that lies outside x.
    pack_fill(&p.down.x, samples_read(&p.down.x.axis, p.unit_cols), work + p.outside)
    for unit in range(start, stop):
        rest = unit
        u.col_from = rest % p.n_panels * p.unit_cols
        u.col_to = least(p.down.x.axis.out, u.col_from + p.unit_cols)
        rest //= p.n_panels
        u.row_from = rest % p.n_slabs * p.unit_rows
        u.row_to = least(p.down.y.out, u.row_from + p.unit_rows)
        rest //= p.n_slabs
        u.plane_from = rest % p.n_runs * p.unit_planes
        u.plane_to = least(p.down.z.out, u.plane_from + p.unit_planes)
        rest //= p.n_runs
        x, y = c.x + c.x_batch[rest], c.y + c.y_batch[rest]
        if p.n_rings:
            summable = run_planes(p, &u, x, y, work) and summable
        else:
            summable = run_panel(p, &u, x, y, work) and summable
        if not (summable or p.lenient):
            break
    if p.down.streaming or p.deep.streaming:
        stencil_fence()
    return summable
