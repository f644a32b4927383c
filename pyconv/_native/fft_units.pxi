# fft_units: pairs of tiles, and which taps of the kernel count.

cdef Py_ssize_t judge_bytes(const Overlap* s) noexcept nogil:
    """Return the workspace to judge tiles by, whole cache lines."""
    cdef Py_ssize_t points = s.along_z.n * s.along_y.n * s.along_x.n
    cdef Py_ssize_t each = 2 * sizeof(Loud) + sizeof(Py_ssize_t) + sizeof(double)
    return (5 * points + s.most_loud * each + EXPONENTS * <Py_ssize_t>sizeof(Py_ssize_t) + 63
            ) // 64 * 64


cdef unsigned char* lay_out_room(const Overlap* s, void* at, Room* room) noexcept nogil:
    """Lay out the workspace to judge tiles by; return that for the classes of two of them.

    Their marks lie behind.
    """
    cdef Py_ssize_t points = s.along_z.n * s.along_y.n * s.along_x.n
    room.counts = <Py_ssize_t*>at
    room.loud = <Loud*>(room.counts + EXPONENTS)
    room.columns = <Py_ssize_t*>(room.loud + 2 * s.most_loud)  # of two tiles
    room.values = <double*>(room.columns + s.most_loud)
    room.core = <unsigned char*>(room.values + s.most_loud)
    return room.core + points


cdef bint fill_pair(const Overlap* s, Tile* pair, real_t* t, real_t* row, real_t* squares,
                    unsigned char* classes, unsigned char* marks, Room* room) noexcept nogil:
    """Fill both parts of a tile; return whether two tiles may go through one transform.

    Where they may not, ``filled`` says whether the first still is as it was filled, with its sums.
    """
    cdef Py_ssize_t points = s.along_z.n * s.along_y.n * s.along_x.n, i
    cdef double both, peak
    cdef real_t limit
    for i in range(2):
        fill_finite(s, &pair[i], t + i * s.lanes, row, squares + i * s.sums, marks + i * points)
        pair[0].filled = True
        if pair[i].decided or pair[i].crowded or not is_in_range(pair[i].energy):
            return False
    if not (pair[0].energy < ALIKE * pair[1].energy and pair[1].energy < ALIKE * pair[0].energy):
        return False
    both = pair[0].energy + pair[1].energy
    peak = pair[0].peak if pair[0].peak > pair[1].peak else pair[1].peak
    for i in range(2):
        pair[i].even = is_surely_even(s, &pair[i], both, peak, t)
    if pair[0].even and pair[1].even:
        return True
    limit = limit_of(s, both, sqrt(peak), t)
    for i in range(2):
        if pair[i].even or is_even(s, &pair[i], t + i * s.lanes, limit, row):
            continue
        pair[0].filled = False  # classes lie where its sums were
        if judge(s, &pair[i], t + i * s.lanes, limit, classes + i * points, room):
            return False
    return True


cdef void run_alone(const Overlap* s, Tile* tile, real_t* t, real_t* buffer, real_t* row,
                    real_t* squares, unsigned char* classes, unsigned char* marks,
                    Room* room) noexcept nogil:
    """Run a tile through a transform of its own."""
    tile.classes = NULL
    if not tile.filled:
        fill_finite(s, tile, t, row, squares, marks)
    settle_tile(s, tile, t, classes, row, room)
    if tile.lost:
        return
    if not tile.empty:
        clear_part(s, t + s.lanes)
        filter_tile(s, t, tile.planes, tile.rows, tile.cols, buffer)
    drain_tile(s, tile, t, row)


cdef bint run_pairs(const Overlap* s, Py_ssize_t start, Py_ssize_t stop, const char* x,
                    const Py_ssize_t* x_batch, char* out, const Py_ssize_t* out_batch,
                    real_t* t) noexcept nogil:
    """Run pairs start … stop − 1 of tiles."""
    cdef Tile pair[2]
    cdef Room room
    cdef Py_ssize_t q, i, n, first
    # Workspace: the tile, the row buffer, rows of samples, room to judge by and to mark.
    cdef real_t* buffer = t + s.along_z.n * s.plane
    cdef real_t* row = buffer + s.along_x.n * 2 * s.lanes
    cdef real_t* end = row + FFT_ROWS * s.along_x.n
    cdef unsigned char* classes = lay_out_room(s, judging(s, end), &room)
    cdef unsigned char* marks = classes + 2 * s.along_z.n * s.along_y.n * s.along_x.n
    cdef real_t* squares = <real_t*>room.core  # before samples have classes
    for q in range(start, stop):
        first = q % s.item_pairs * 2
        n = least(2, s.item_tiles - first)
        for i in range(n):
            locate(s, q // s.item_pairs * s.item_tiles + first + i, x, x_batch, out, out_batch,
                   &pair[i])
            pair[i].loud = room.loud + i * s.most_loud
        if n == 2 and fill_pair(s, pair, t, row, squares, classes, marks, &room):
            filter_tile(s, t, most(pair[0].planes, pair[1].planes),
                        most(pair[0].rows, pair[1].rows), most(pair[0].cols, pair[1].cols), buffer)
            for i in range(n):
                drain_tile(s, &pair[i], t + i * s.lanes, row)
        else:
            for i in range(n):
                run_alone(s, &pair[i], t, buffer, row, squares, classes, marks,
                          &room)
    if s.streaming:
        stencil_fence()
    return True


cdef inline void* judging(const Overlap* s, real_t* end) noexcept nogil:
    """Return where the workspace to judge tiles by begins, behind that of transforms."""
    return <void*>((<uintptr_t>end + 63) // 64 * 64)


cdef bint is_unsettled(const Overlap* s, const Tile* tile, real_t* room) noexcept nogil:
    """Return whether some outputs of a tile are NaN."""
    cdef Py_ssize_t k, r, j, first = ceil_div(tile.col, s.x.axis.stride)
    cdef Py_ssize_t n = ceil_div(tile.col + tile.cols, s.x.axis.stride) - first
    cdef const char* out
    for k in range(tile.planes):
        if (tile.z + k) % s.z.stride:
            continue
        for r in range(tile.rows):
            if (tile.y + r) % s.y.stride:
                continue
            out = (tile.out + (tile.z + k) // s.z.stride * s.out_z
                   + (tile.y + r) // s.y.stride * s.out_y + first * s.out_x)
            for j in range(n):
                if isnan((<const float*>(out + j * s.out_x))[0]):
                    return True
    return False


cdef bint run_split(const Overlap* s, Py_ssize_t start, Py_ssize_t stop, const char* x,
                    const Py_ssize_t* x_batch, char* out, const Py_ssize_t* out_batch,
                    real_t* t) noexcept nogil:
    """`run_pairs` of tiles start … stop − 1 of samples, and of what was seen of them.

    Stop and return False at one that is not finite.
    """
    cdef Tile tile
    cdef Room room
    cdef Py_ssize_t q
    cdef real_t limit
    cdef bint sparse
    # Workspace: the tile, the row buffer, rows of samples, of what was seen, and of its columns'
    # sums, room to judge by.
    cdef real_t* buffer = t + s.along_z.n * s.plane
    cdef real_t* row = buffer + s.along_x.n * 2 * s.lanes
    cdef real_t* end = row + FFT_ROWS * s.along_x.n
    cdef unsigned char* classes = lay_out_room(s, judging(s, end), &room)
    cdef real_t* squares = <real_t*>room.core  # before samples have classes
    for q in range(start, stop):
        locate(s, q, x, x_batch, out, out_batch, &tile)
        if s.refilling and not is_unsettled(s, &tile, row):
            continue
        fill_split(s, &tile, t, row, squares)
        if not isfinite(tile.top):
            return False
        sparse = tile.seen < s.sparse * points(s)
        if tile.seen > 0 and not sparse:
            if not tile.empty and not tile.even:
                limit = scaled(limit_of(s, tile.energy, tile.top, t),
                               -tile.exponent - (SPARE_BITS if s.refilling else 0))
                if not is_even(s, &tile, t, limit, row):
                    judge(s, &tile, t, limit, classes, &room)
            filter_tile(s, t, tile.planes, tile.rows, tile.cols, buffer)
        else:
            memset(t, 0, s.along_z.n * s.plane * sizeof(real_t))
        s.left[q] = drain_tile(s, &tile, t, row)
        if tile.seen == 0:
            s.left[q] = 0
    if s.streaming:
        stencil_fence()
    return True


cdef inline real_t scaled(real_t v, int exponent) noexcept nogil:
    return <real_t>ldexp(v, exponent)


cdef void find_sign(Overlap* s, const real_t* w, Py_ssize_t n) noexcept nogil:
    """Find what infinities make of outputs."""
    cdef Py_ssize_t i = 1
    while i < n and (w[i] > 0) == (w[0] > 0) and w[i] != 0:
        i += 1
    s.plus, s.minus = HIGH, LOW
    if i == n and w[0] != 0:
        s.plus, s.minus = (4, 8) if w[0] > 0 else (8, 4)


cdef void find_core(Overlap* s, const real_t* w) noexcept nogil:
    """Find ‖w‖₂ / ‖w‖₁, and the box of taps around the largest of which few are faint.

    Of several that are nearly the largest it is that in the middle. The box is grown by a plane, a
    row and a column on either side in turn.
    """
    cdef Py_ssize_t taps[3]
    cdef Py_ssize_t first[3]
    cdef Py_ssize_t end[3]
    cdef Py_ssize_t i, j, k, axis, side, off, apart, nearest = -1
    cdef double total, squares = 0, peak = 0, v
    cdef bint growing = True
    taps[0], taps[1], taps[2] = s.z.taps, s.y.taps, s.x.axis.taps
    if real_t is float:
        total = fft_weigh_float(w, taps[0] * taps[1] * taps[2], &squares, &peak)
    else:
        total = fft_weigh_double(w, taps[0] * taps[1] * taps[2], &squares, &peak)
    s.spread = sqrt(squares) / total if total > 0 else 1
    find_sign(s, w, taps[0] * taps[1] * taps[2])
    for i in range(taps[0]):
        for j in range(taps[1]):
            off = (most(2 * i - taps[0] + 1, taps[0] - 1 - 2 * i)
                   + most(2 * j - taps[1] + 1, taps[1] - 1 - 2 * j))
            if 0 <= nearest <= off:
                continue
            for k in range(taps[2]):
                apart = off + most(2 * k - taps[2] + 1, taps[2] - 1 - 2 * k)
                if ((nearest < 0 or apart < nearest)
                        and fabs(w[(i * taps[1] + j) * taps[2] + k]) >= peak / 2):
                    nearest = apart
                    first[0], first[1], first[2] = i, j, k
    for axis in range(3):
        end[axis] = first[axis] + 1
    if taps[0] == 1 and taps[1] == 1:
        while first[2] > 0 and fabs(w[first[2] - 1]) >= peak * FAINT:
            first[2] -= 1
        while end[2] < taps[2] and fabs(w[end[2]]) >= peak * FAINT:
            end[2] += 1
        growing = False
    while growing:
        growing = False
        for axis in range(3):
            for side in range(2):
                if (end[axis] if side else -first[axis]) >= (taps[axis] if side else 0):
                    continue
                if is_strong(w, taps, first, end, axis,
                             end[axis] if side else first[axis] - 1, peak * FAINT):
                    growing = True
                    if side:
                        end[axis] += 1
                    else:
                        first[axis] -= 1
    v = 1
    for axis in range(3):
        v *= <double>(end[axis] - first[axis]) / taps[axis]
    for axis in range(3):
        s.core_first[axis] = first[axis] if v >= MIN_CORE else 0
        s.core[axis] = end[axis] - first[axis] if v >= MIN_CORE else taps[axis]
    lay_out_blocks(s, sizeof(real_t))


cdef void lay_out_blocks(Overlap* s, Py_ssize_t item) noexcept nogil:
    """Choose the blocks of a tile: half the core's planes and rows, or a quarter of a line's core.

    The sums of two tiles take no more room than the classes of their samples; where small ones
    would, one block is all.
    """
    cdef Py_ssize_t room = 3 * s.along_z.n * s.along_y.n * s.along_x.n // (2 * item)
    cdef Py_ssize_t b
    s.fine = not (s.z.dilation > 1 or s.y.dilation > 1 or s.x.axis.dilation > 1)
    s.block_x = s.panels
    s.shift_z = s.shift_y = 0
    if s.line:
        for b in range(s.panels - 1, 0, -1):
            if s.panels % b == 0 and s.block_x * s.lanes * 4 > s.core[2] + 1:
                s.block_x = b
        s.fine = s.fine and s.block_x * s.lanes * 2 <= s.core[2] + 1
        s.layer = s.panels // s.block_x * s.lanes
        s.sums = s.along_y.n * s.layer
        if s.sums > room:
            s.fine = False
            s.block_x = s.panels
            s.layer, s.sums = 0, s.lanes
        return
    if s.fine:
        s.block_z, s.block_y = half(s.core[0]), half(s.core[1])
        s.shift_z = (s.block_z - s.core_first[0] % s.block_z) % s.block_z
        s.shift_y = (s.block_y - s.core_first[1] % s.block_y) % s.block_y
        s.layer = ceil_div(s.along_y.n + s.shift_y, s.block_y) * s.along_x.n
        s.sums = ceil_div(s.along_z.n + s.shift_z, s.block_z) * s.layer
        s.fine = s.sums <= room
    if not s.fine:
        s.block_z, s.block_y = s.along_z.n, s.along_y.n
        s.shift_z = s.shift_y = 0
        s.layer = s.sums = s.along_x.n


cdef bint is_strong(const real_t* w, const Py_ssize_t* taps, const Py_ssize_t* first,
                    const Py_ssize_t* end, Py_ssize_t axis, Py_ssize_t at,
                    double limit) noexcept nogil:
    """Return whether few weights of a box are faint, where it is ``at`` along one axis."""
    cdef Py_ssize_t from_[3]
    cdef Py_ssize_t to[3]
    cdef Py_ssize_t i, j, n, step, faint = 0, side = 1
    cdef const real_t* row
    for i in range(3):
        from_[i], to[i] = first[i], end[i]
    from_[axis], to[axis] = at, at + 1
    for i in range(3):
        side *= to[i] - from_[i]
    n, step = to[2] - from_[2], 1
    if axis == 2:  # a column of each plane
        n, step = to[1] - from_[1], taps[2]
        to[1] = from_[1] + 1
    for i in range(from_[0], to[0]):
        for j in range(from_[1], to[1]):
            row = w + (i * taps[1] + j) * taps[2] + from_[2]
            if real_t is float:
                faint += fft_count_faint_float(row, n, step, <float>limit, side)
            else:
                faint += fft_count_faint_double(row, n, step, limit, side)
            if faint * STRONG > side:
                return False
    return True


cdef Py_ssize_t run_tiles(const Call* call, Py_ssize_t start, Py_ssize_t stop,
                          void* work) noexcept nogil:
    """Run pairs start … stop − 1 of tiles, or with gaps tiles; return whether one is not finite."""
    cdef const Overlap* s = <const Overlap*>call.loop
    if call.sums == SUMS_FLOAT:
        if s.gaps != NULL:
            return not run_split(s, start, stop, call.x, call.x_batch, call.y, call.y_batch,
                                 <float*>work)
        return not run_pairs(s, start, stop, call.x, call.x_batch, call.y, call.y_batch,
                             <float*>work)
    if s.gaps != NULL:
        return not run_split(s, start, stop, call.x, call.x_batch, call.y, call.y_batch,
                             <double*>work)
    return not run_pairs(s, start, stop, call.x, call.x_batch, call.y, call.y_batch, <double*>work)
