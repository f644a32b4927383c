# direct_gaps: tiles of `direct` over samples of which some are missing.

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
                if tile_t in real_t:
                    missing = gaps_split(samples, seen, count * s.x.group, g.nan, g.masked)
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
            if tile_t in real_t:
                gaps_quotients(tile, quotients, 1, samples, 1, &s.gaps.weights)
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
    if tile_t in real_t:
        if s.line:
            line_quotient(ones, s.lanes, segments, s.n_segments, sums, whole, least, w, y, s.lanes,
                          streaming)
        else:
            area_quotient(ones, s.pitch, segments, s.n_segments, sums, whole, least, w, y, y_pitch,
                          streaming)


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
