# fft_judge: tiles whose samples differ much, and which outputs are too quiet.

cdef inline real_t limit_of(const Overlap* s, double energy, double top,
                            const real_t* part) noexcept nogil:
    """Return the magnitude of the samples that are granted the error of a tile, above zero."""
    cdef double rms = sqrt(energy / points(s)) if is_in_range(energy) else top
    cdef real_t limit = <real_t>((SHARED * rms + ALONE * top * s.spread) / GRANTED)
    cdef real_t tiny
    if limit > 0:
        return limit
    if real_t is float:
        return <real_t>1e-45
    else:
        return <real_t>5e-324


cdef inline Py_ssize_t half(Py_ssize_t core) noexcept nogil:
    """Return how many planes, rows or columns of a block a core is sure to hold."""
    return (core + 1) // 2


cdef bint is_surely_even(const Overlap* s, const Tile* tile, double energy, double peak,
                         const real_t* part) noexcept nogil:
    """Return whether the sums of blocks say that the core of every window holds a loud sample.

    Of a tile, or two, with such a sum of squares, and largest sum of a block: that is no less than
    the largest sample's square. It decides most tiles, and reads no sample.
    """
    cdef Py_ssize_t from_ = s.core_first[2], end = from_ + tile.cols + s.core[2] - 1
    cdef Py_ssize_t inside_from = most(from_, s.x.axis.low - tile.col)
    cdef Py_ssize_t inside_end = least(end, s.x.axis.low - tile.col + s.x.axis.size)
    # Columns inside the array that every window reads, at least.
    cdef Py_ssize_t shared = least(
        least(s.core[2], inside_end - inside_from),
        least(from_ + s.core[2] - inside_from, inside_end - from_ - tile.cols + 1))
    cdef Py_ssize_t j, k, first_y, end_y, end_z, size
    cdef const real_t* sums
    cdef real_t limit
    if not s.fine or not is_in_range(energy):
        return False
    limit = limit_of(s, energy, sqrt(peak), part)
    limit = <real_t>(1.01 * limit * limit)
    if limit == 0:
        return False
    if s.line:
        size = s.block_x * s.lanes
        if shared < 2 * size - 1:
            shared, inside_from, inside_end = s.core[2], from_, end
        k = ceil_div(inside_from, size)
        sums = <const real_t*>tile.squares + k * s.lanes
        return are_loud(s, sums, 0, (inside_end // size - k) * s.lanes, inside_end // size - k,
                        s.lanes, limit * s.block_x, (shared + 1) // size - 1)
    if shared < 1:
        inside_from, inside_end = from_, end
    limit *= s.block_z * s.block_y
    k = (s.core_first[0] + s.shift_z) // s.block_z
    end_z = (s.core_first[0] + tile.planes + s.core[0] - 1 + s.shift_z) // s.block_z
    first_y = (s.core_first[1] + s.shift_y) // s.block_y
    end_y = (s.core_first[1] + tile.rows + s.core[1] - 1 + s.shift_y) // s.block_y
    while k < end_z:
        for j in range(first_y, end_y):
            sums = <const real_t*>tile.squares + k * s.layer + j * s.along_x.n + from_
            if not are_loud(s, sums, inside_from - from_, inside_end - inside_from, end - from_,
                            1, limit, s.core[2]):
                return False
        k += 1
    return True


cdef inline bint are_loud(const Overlap* s, const real_t* sums, Py_ssize_t first, Py_ssize_t n,
                          Py_ssize_t groups, Py_ssize_t each, real_t limit,
                          Py_ssize_t run) noexcept nogil:
    """Return whether n sums from the first are above a limit, or one of any ``run`` groups."""
    if real_t is float:
        return (fft_all_above_float(sums + first, n, limit)
                or fft_longest_below_float(sums, groups, each, limit) < run)
    else:
        return (fft_all_above_double(sums + first, n, limit)
                or fft_longest_below_double(sums, groups, each, limit) < run)


cdef bint is_even(const Overlap* s, const Tile* tile, const real_t* part, real_t limit,
                  real_t* row) noexcept nogil:
    """Return whether the core of every window is sure to hold a sample of at least ``limit``."""
    cdef Py_ssize_t each_z, each_y, k, r, i, j, run, longest, vectors
    cdef Py_ssize_t first = s.core_first[2], n = tile.cols + s.core[2] - 1
    cdef const real_t* at
    if s.z.dilation > 1 or s.y.dilation > 1 or s.x.axis.dilation > 1:
        return False
    if s.line:  # whole vectors that the core holds wherever it begins
        vectors = (s.core[2] + 1) // s.lanes - 1
        if vectors < 1:
            return False
        run = longest = 0
        for r in range(first // s.lanes * s.lanes // s.along_x.n, (first + n) // s.along_x.n + 1):
            if r >= s.along_y.n:
                break
            i = most(0, ceil_div(first - r * s.along_x.n, s.lanes))
            j = least(s.panels, most(0, (first + n - r * s.along_x.n) // s.lanes))
            at = part + r * 2 * s.lanes + i * s.panel
            if i >= j:
                continue
            if real_t is float:
                run = fft_quiet_vectors_float(at, s.panel, j - i, limit, run, &longest)
            else:
                run = fft_quiet_vectors_double(at, s.panel, j - i, limit, run, &longest)
        return longest < vectors
    each_z = half(s.core[0])
    each_y = half(s.core[1])
    k = 0
    while k + each_z <= tile.planes + s.core[0] - 1:
        r = 0
        while r + each_y <= tile.rows + s.core[1] - 1:
            at = (part + (s.core_first[0] + k) * s.plane
                  + (s.core_first[1] + r) * 2 * s.lanes)
            if real_t is float:
                fft_mark_float(at, s.plane, each_z, each_y, s.panel, s.panels, limit,
                               <uint32_t*>row)
            else:
                fft_mark_double(at, s.plane, each_z, each_y, s.panel, s.panels, limit,
                                <uint64_t*>row)
            if real_t is float:
                longest = fft_longest_quiet_float(<const uint32_t*>row + first, n)
            else:
                longest = fft_longest_quiet_double(<const uint64_t*>row + first, n)
            if longest >= s.core[2]:
                return False
            r += each_y
        k += each_z
    return True


cdef void classify_samples(const Overlap* s, const Tile* tile, const real_t* part, real_t limit,
                           unsigned char* classes) noexcept nogil:
    cdef Py_ssize_t k, r, planes = 1, rows = s.along_y.n
    if not s.line:
        planes = tile.planes + reach(&s.z)
        rows = tile.rows + reach(&s.y)
    for k in range(planes):
        for r in range(rows):
            if real_t is float:
                fft_classify_float(part + k * s.plane + r * 2 * s.lanes, s.panel, s.panels, limit,
                                   classes + (k * rows + r) * s.along_x.n)
            else:
                fft_classify_double(part + k * s.plane + r * 2 * s.lanes, s.panel, s.panels,
                                    limit, classes + (k * rows + r) * s.along_x.n)


cdef void spread_classes(const Overlap* s, const Tile* tile, const Py_ssize_t* taps,
                         Py_ssize_t planes, Py_ssize_t rows, Py_ssize_t cols,
                         unsigned char* classes) noexcept nogil:
    """Give each of so many samples the classes of so many taps from it on."""
    cdef Py_ssize_t k, r
    fft_reach(classes, planes * tile.plane, s.z.dilation * tile.plane, taps[0])
    for k in range(planes):
        fft_reach(classes + k * tile.plane, rows * tile.pitch, s.y.dilation * tile.pitch, taps[1])
        if taps[2] > 1:
            for r in range(rows):
                fft_reach(classes + k * tile.plane + r * tile.pitch, cols, s.x.axis.dilation,
                          taps[2])


cdef Py_ssize_t judge(const Overlap* s, Tile* tile, const real_t* part, real_t limit,
                      unsigned char* classes, Room* room) noexcept nogil:
    """Give each output a class, in ``classes``; return how many are too quiet, class 1.

    Class 0 reads zeros alone. Class 3 reads a loud sample, in the core of its window or with
    zeros there. Classes of marked outputs are none of these.
    """
    cdef Py_ssize_t more[3]
    cdef Py_ssize_t k, r, at, shift, quiet = 0
    cdef const unsigned char* core = classes
    # A window is the core's places between its first and its last.
    more[0], more[1] = s.z.taps - s.core[0] + 1, s.y.taps - s.core[1] + 1
    more[2] = s.x.axis.taps - s.core[2] + 1
    tile.classes = classes
    classify_samples(s, tile, part, limit, classes)
    spread_classes(s, tile, s.core, tile.planes + (more[0] - 1) * s.z.dilation,
                   tile.rows + (more[1] - 1) * s.y.dilation,
                   tile.cols + (more[2] - 1) * s.x.axis.dilation, classes)
    if more[0] > 1 or more[1] > 1 or more[2] > 1:
        memcpy(room.core, classes, tile.plane * (tile.planes + (more[0] - 1) * s.z.dilation))
        shift = (s.core_first[0] * s.z.dilation * tile.plane
                 + s.core_first[1] * s.y.dilation * tile.pitch
                 + s.core_first[2] * s.x.axis.dilation)
        core = room.core + shift
        spread_classes(s, tile, more, tile.planes, tile.rows, tile.cols, classes)
    for k in range(tile.planes):
        for r in range(tile.rows):
            at = k * tile.plane + r * tile.pitch
            if tile.marks != NULL:  # they lie behind the classes
                fft_unite(classes + at, tile.cols, tile.marks - classes)
            quiet += fft_count_quiet(classes + at, core + at, tile.cols)
    return quiet


cdef void list_quiet(const Overlap* s, Tile* tile) noexcept nogil:
    """List boxes of the outputs of class 1, or of all if the tile is lost."""
    cdef Py_ssize_t* box = s.quiet + tile.index * QUIET_BOXES * QUIET_BOX
    cdef Py_ssize_t k, r, i, first, last, b, at, run
    cdef const unsigned char* classes = tile.classes
    s.uneven[tile.index] = 1
    if tile.lost:
        box[0], box[2], box[4] = tile.z, tile.y, tile.col
        box[1] = tile.z + tile.planes
        box[3] = tile.y + tile.rows
        box[5] = tile.col + tile.cols
        return
    # Bands along the first axis that the tile has, each with one box.
    for k in range(tile.planes):
        for r in range(tile.rows):
            at = k * tile.plane + r * tile.pitch
            first = 0
            while first < tile.cols:
                run = least(tile.cols - first, ceil_div(tile.cols, QUIET_BOXES) if s.line
                            else tile.cols)
                if s.line:
                    b = first // ceil_div(tile.cols, QUIET_BOXES)
                elif tile.planes > 1:
                    b = k * QUIET_BOXES // tile.planes
                else:
                    b = r * QUIET_BOXES // tile.rows
                i = first
                while i < first + run and classes[at + i] != 1:
                    i += 1
                last = first + run
                while last > i and classes[at + last - 1] != 1:
                    last -= 1
                if i < last:
                    extend(box + b * QUIET_BOX, tile.z + k, tile.z + k + 1)
                    extend(box + b * QUIET_BOX + 2, tile.y + r, tile.y + r + 1)
                    extend(box + b * QUIET_BOX + 4, tile.col + i, tile.col + last)
                first += run


cdef inline void extend(Py_ssize_t* interval, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Extend an interval, empty if it ends at zero, to hold another."""
    interval[0] = first if interval[1] == 0 else least(interval[0], first)
    interval[1] = most(interval[1], last)


cdef Py_ssize_t exponent_to_cut(const Py_ssize_t* counts, Py_ssize_t infinite,
                                Py_ssize_t room) noexcept nogil:
    """Return the least exponent of the samples to be taken out, at most ``room`` of them.

    That leaves the least sum of squares, at a price for what is taken.
    """
    cdef Py_ssize_t e, cut = infinite, taken = 0
    cdef double cost, least_cost = 0
    cdef bint found = False
    for e in range(infinite, -1, -1):
        if e < infinite and counts[e] > 0:
            # What remains is about as large as its largest exponent says.
            cost = 2.0 * e + log2(<double>counts[e]) + 4.0 * taken / room
            if not found or cost < least_cost:
                found = True
                least_cost = cost
                cut = e + 1
        taken += counts[e]
        if taken > room:
            break
    return cut


cdef void take_out(const Overlap* s, Tile* tile, real_t* part, Room* room) noexcept nogil:
    """Take the largest samples out of a tile, as many as fit."""
    cdef Py_ssize_t infinite = 255 if real_t is float else 2047
    cdef Py_ssize_t k, r, i, n, cut, planes = s.along_z.n, rows = s.along_y.n
    cdef real_t* at
    memset(room.counts, 0, EXPONENTS * sizeof(Py_ssize_t))
    for k in range(planes):
        for r in range(rows):
            at = part + k * s.plane + r * 2 * s.lanes
            if real_t is float:
                fft_count_exponents_float(at, s.panel, s.panels, room.counts)
            else:
                fft_count_exponents_double(at, s.panel, s.panels, room.counts)
    cut = exponent_to_cut(room.counts, infinite, s.most_loud - tile.n_loud)
    tile.energy = tile.top = 0
    for k in range(planes):
        for r in range(rows):
            at = part + k * s.plane + r * 2 * s.lanes
            n = s.most_loud - tile.n_loud
            if real_t is float:
                n = fft_take_loud_float(at, s.panel, s.panels, cut, n, room.columns, room.values)
                tile.energy += fft_measure_float(at, s.panel, s.panels, &tile.top)
            else:
                n = fft_take_loud_double(at, s.panel, s.panels, cut, n, room.columns,
                                         room.values)
                tile.energy += fft_measure_double(at, s.panel, s.panels, &tile.top)
            for i in range(n):
                tile.loud[tile.n_loud + i].z = k
                tile.loud[tile.n_loud + i].y = 0 if s.line else r
                tile.loud[tile.n_loud + i].x = (room.columns[i]
                                                + (r * s.along_x.n if s.line else 0))
                tile.loud[tile.n_loud + i].value = room.values[i]
            tile.n_loud += n


cdef void settle_tile(const Overlap* s, Tile* tile, real_t* part, unsigned char* classes,
                      real_t* row, Room* room) noexcept nogil:
    """Prepare a filled tile for its transform: take out what is loud, list what is quiet."""
    cdef Py_ssize_t quiet
    cdef real_t limit
    if tile.decided:
        tile.empty = True
        return
    if tile.crowded:
        tile.lost = True
        list_quiet(s, tile)
        return
    if is_surely_even(s, tile, tile.energy, tile.peak, part):
        return
    tile.top = sqrt(tile.peak) if is_in_range(tile.energy) else largest_sample(s, part)
    if tile.top == 0:
        tile.empty = True
        return
    limit = limit_of(s, tile.energy, tile.top, part)
    if is_even(s, tile, part, limit, row):
        if not is_in_range(tile.energy):
            settle_scale(s, tile, part)
        return
    quiet = judge(s, tile, part, limit, classes, room)
    if quiet:
        take_out(s, tile, part, room)
        if tile.top > 0:
            quiet = judge(s, tile, part, limit_of(s, tile.energy, tile.top, part), classes, room)
            tile.lost = quiet == tile.planes * tile.rows * tile.cols
        else:
            tile.classes = NULL
            quiet = 0
        if quiet:
            list_quiet(s, tile)
    tile.empty = tile.top == 0
    if not tile.empty and not tile.lost and not is_in_range(tile.energy):
        settle_scale(s, tile, part)


cdef void clear_part(const Overlap* s, real_t* part) noexcept nogil:
    cdef Py_ssize_t k, r
    for k in range(s.along_z.n):
        for r in range(s.along_y.n):
            if real_t is float:
                fft_clear_float(part + k * s.plane + r * 2 * s.lanes, s.panel, s.panels)
            else:
                fft_clear_double(part + k * s.plane + r * 2 * s.lanes, s.panel, s.panels)
