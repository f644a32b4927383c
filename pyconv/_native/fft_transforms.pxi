# fft_transforms: tiles filtered in the transformed domain, and the outputs that they give.

cdef void transform_columns(const Overlap* s, real_t* panel, Py_ssize_t step,
                            const fft_length* length, bint back) noexcept nogil:
    if real_t is float:
        if back:
            fft_columns_back_float(panel, step, length)
        else:
            fft_columns_float(panel, step, length)
    else:
        if back:
            fft_columns_back_double(panel, step, length)
        else:
            fft_columns_double(panel, step, length)


cdef void transform_depth(const Overlap* s, real_t* t, Py_ssize_t panels, Py_ssize_t rows,
                          bint back) noexcept nogil:
    """Transform along z, one element of each plane at a time."""
    cdef Py_ssize_t p, r
    if s.along_z.n == 1:
        return
    for p in range(panels):
        for r in range(rows):
            transform_columns(s, t + p * s.panel + r * 2 * s.lanes, s.plane, &s.along_z, back)


cdef void filter_tile(const Overlap* s, real_t* t, Py_ssize_t planes, Py_ssize_t rows,
                      Py_ssize_t cols, real_t* buffer) noexcept nogil:
    """Replace a tile by its first outputs: planes × rows × cols of them."""
    cdef Py_ssize_t element = 2 * s.lanes
    cdef Py_ssize_t block = s.along_x.n * element      # scalars of H for `lanes` rows
    cdef Py_ssize_t blocks = s.along_y.n // s.lanes
    cdef Py_ssize_t panels = s.panels if s.line else ceil_div(cols, s.lanes)
    cdef Py_ssize_t k, p, b
    cdef const real_t* turns = NULL
    cdef const real_t* h = <const real_t*>s.spectrum
    cdef real_t* plane = t
    transform_depth(s, t, s.panels, s.along_y.n, False)
    for k in range(s.along_z.n):
        for p in range(s.panels):
            transform_columns(s, plane + p * s.panel, element, &s.along_y, False)
        for b in range(blocks):
            if s.turns != NULL:
                turns = <const real_t*>s.turns + b * block
            if real_t is float:
                fft_rows_filtered_float(plane + b * s.lanes * element, s.panel, &s.along_x, turns,
                                        h, buffer)
            else:
                fft_rows_filtered_double(plane + b * s.lanes * element, s.panel, &s.along_x,
                                         turns, h, buffer)
            h += block
        for p in range(panels):
            transform_columns(s, plane + p * s.panel, element, &s.along_y, True)
        plane += s.plane
    transform_depth(s, t, panels, rows, True)


cdef void transform_kernel(const Overlap* s, const real_t* w, real_t* t,
                            real_t* h) noexcept nogil:
    """Write H: the spectrum of the weights, each at minus its place, over the number of points."""
    cdef Py_ssize_t element = 2 * s.lanes
    cdef Py_ssize_t tz = s.along_z.n, ty = s.along_y.n, tx = s.along_x.n
    cdef Py_ssize_t block = tx * element
    cdef Py_ssize_t i, j, k, z, y, x, p, b, shift = 0
    cdef const real_t* turns = NULL
    cdef real_t* row
    cdef real_t share = <real_t>(1.0 / (<double>tz * ty * tx))
    memset(t, 0, tz * s.plane * sizeof(real_t))
    while 1 << shift < s.lanes:
        shift += 1
    for i in range(s.z.taps):
        z = -i * s.z.dilation
        z += tz if z < 0 else 0
        for j in range(s.y.taps):
            y = -j * s.y.dilation
            y += ty if y < 0 else 0
            row = t + z * s.plane + y * element
            x = 0
            for k in range(s.x.axis.taps):
                while x < 0:  # the end of a row, of that before in a line
                    x += tx
                    if s.line:
                        y = y - 1 if y > 0 else ty - 1
                        row = t + y * element
                row[(x >> shift) * s.panel + (x & (s.lanes - 1))] = w[0] * share
                x -= s.x.axis.dilation
                w += 1
    transform_depth(s, t, s.panels, ty, False)
    for k in range(tz):
        for p in range(s.panels):
            transform_columns(s, t + p * s.panel, element, &s.along_y, False)
        for b in range(ty // s.lanes):
            if s.turns != NULL:
                turns = <const real_t*>s.turns + b * block
            if real_t is float:
                fft_rows_spectrum_float(t + b * s.lanes * element, s.panel, &s.along_x, turns, h)
            else:
                fft_rows_spectrum_double(t + b * s.lanes * element, s.panel, &s.along_x, turns, h)
            h += block
        t += s.plane


cdef void decide_row(const Tile* tile, const unsigned char* marks, Py_ssize_t n,
                     real_t* row) noexcept nogil:
    """Write those of a row of outputs that are marked."""
    if real_t is float:
        fft_decide_float(row, marks, n)
    else:
        fft_decide_double(row, marks, n)


cdef bint settle_row(const Overlap* s, const Tile* tile, Py_ssize_t k, Py_ssize_t r,
                     Py_ssize_t first, Py_ssize_t n, real_t* row) noexcept nogil:
    """Write zeros where a row of a tile reads nothing else, with gaps NaN where it is too quiet."""
    cdef const unsigned char* classes
    classes = tile.classes + k * tile.plane + first
    if not s.line:
        classes += r * tile.pitch
    if real_t is float:
        return fft_settle_float(row, classes, n, s.gaps != NULL)
    else:
        return fft_settle_double(row, classes, n, s.gaps != NULL)


cdef void add_loud(const Overlap* s, const Tile* tile, Py_ssize_t k, Py_ssize_t r,
                   Py_ssize_t first, Py_ssize_t n, real_t* row) noexcept nogil:
    """Add what a row of a tile reads of the samples that were taken out."""
    cdef const SpatialAxis* x = &s.x.axis
    cdef const real_t* w
    cdef real_t factor = <real_t>ldexp(1, s.weight_exponent // 2)
    cdef real_t second = <real_t>ldexp(1, s.weight_exponent - s.weight_exponent // 2)
    cdef Py_ssize_t i, tz, ty
    for i in range(tile.n_loud):
        tz = tile.loud[i].z - k
        ty = tile.loud[i].y - (0 if s.line else r)
        if (tz < 0 or ty < 0 or tz > reach(&s.z) or ty > reach(&s.y)
                or tz % s.z.dilation or ty % s.y.dilation):
            continue
        w = (<const real_t*>s.weights
             + (tz // s.z.dilation * s.y.taps + ty // s.y.dilation) * x.taps)
        if real_t is float:
            fft_add_sample_float(row, n, tile.loud[i].x - first, w, x.taps, x.dilation,
                                 <float>tile.loud[i].value, factor, second)
        else:
            fft_add_sample_double(row, n, tile.loud[i].x - first, w, x.taps, x.dilation,
                                  tile.loud[i].value, factor, second)


cdef void settle_outputs(const Overlap* s, const real_t* row, Py_ssize_t n,
                         char* out) noexcept nogil:
    """Write a row of outputs in float32 where they are NaN."""
    cdef Py_ssize_t j
    for j in range(n):
        if isnan((<const float*>(out + j * s.out_x))[0]):
            (<float*>(out + j * s.out_x))[0] = <float>row[j]


cdef int get_outputs(const Overlap* s, const real_t* part, Py_ssize_t first, Py_ssize_t n,
                      char* out, real_t* buffer, real_t factor, real_t second,
                      real_t seen_factor, const Tile* tile, Py_ssize_t k,
                      Py_ssize_t r) noexcept nogil:
    """Write outputs first … first + n − 1 of stride 1 that the stride keeps, of one row.

    It is row ``r`` of plane ``k`` of a tile. Return LOW_COVERAGE and QUIET, where some are.
    """
    cdef Py_ssize_t stride = s.x.axis.stride
    cdef Py_ssize_t skipped = 0, j, kept = n
    cdef real_t* row = buffer
    cdef bint direct = s.stored and stride == 1 and not s.refilling
    cdef int left = 0
    cdef fft_shares_float floats
    cdef fft_shares_double doubles
    if stride > 1:
        skipped = ceil_div(first, stride) * stride - first
        kept = ceil_div(n - skipped, stride)
    if kept <= 0:
        return 0
    if direct and not s.streaming:
        row = <real_t*>out + first
    if real_t is float:
        if s.gaps == NULL:
            fft_get_float(part, s.panel, row, n, factor, second)
        else:
            floats.factor, floats.second, floats.seen_factor = factor, second, seen_factor
            floats.whole, floats.sign = <float>s.gaps.weights.whole, <float>s.gaps.weights.sign
            floats.thin = <float>s.thin
            left = LOW_COVERAGE * fft_quotients_float(part, s.panel, row, n, &floats)
    else:
        if s.gaps == NULL:
            fft_get_double(part, s.panel, row, n, factor, second)
        else:
            doubles.factor, doubles.second, doubles.seen_factor = factor, second, seen_factor
            doubles.whole, doubles.sign = s.gaps.weights.whole, s.gaps.weights.sign
            doubles.thin = s.thin
            left = LOW_COVERAGE * fft_quotients_double(part, s.panel, row, n, &doubles)
    if tile.classes != NULL:
        if settle_row(s, tile, k, r, first - tile.col, n, row):
            left |= QUIET
    if tile.n_loud:
        add_loud(s, tile, k, r, first - tile.col, n, row)
    if tile.marks != NULL:
        decide_row(tile, tile.marks + k * tile.plane + (0 if s.line else r * tile.pitch)
                   + first - tile.col, n, row)
    if direct and s.streaming:
        if real_t is float:
            stream_row_float(<float*>out + first, buffer, n)
        else:
            stream_row_double(<double*>out + first, buffer, n)
    if not direct:
        for j in range(kept):
            buffer[j] = buffer[skipped + j * stride]
        out += (first + skipped) // stride * s.out_x
        if s.refilling:
            settle_outputs(s, buffer, kept, out)
        else:
            s.emit(buffer, kept, out, s.out_x)
    return left


cdef inline Py_ssize_t kept_before(const SpatialAxis* a, Py_ssize_t output) noexcept nogil:
    """Return how many outputs before one of stride 1 are kept."""
    return output if a.stride == 1 else output // a.stride


cdef int drain_tile(const Overlap* s, const Tile* tile, real_t* part,
                    real_t* buffer) noexcept nogil:
    """Write the outputs of one part of a tile; return what `get_outputs` does."""
    cdef int exponent = tile.exponent + s.weight_exponent
    cdef real_t factor = <real_t>ldexp(1, exponent // 2)
    cdef real_t second = <real_t>ldexp(1, exponent - exponent // 2)
    cdef real_t seen_factor = <real_t>ldexp(1, s.weight_exponent)
    cdef Py_ssize_t element = 2 * s.lanes
    cdef Py_ssize_t k, r
    cdef char* plane
    cdef int left = 0
    if tile.empty:
        clear_part(s, part)
    if s.line:
        for r in range(ceil_div(tile.cols, s.along_x.n)):
            left |= get_outputs(s, part + r * element, tile.col + r * s.along_x.n,
                                least(tile.cols - r * s.along_x.n, s.along_x.n), tile.out, buffer,
                                factor, second, seen_factor, tile, 0, r)
        return left
    for k in range(tile.planes):
        if s.z.stride > 1 and (tile.z + k) % s.z.stride:
            continue
        plane = tile.out + kept_before(&s.z, tile.z + k) * s.out_z
        for r in range(tile.rows):
            if s.y.stride > 1 and (tile.y + r) % s.y.stride:
                continue
            left |= get_outputs(s, part + k * s.plane + r * element, tile.col, tile.cols,
                                plane + kept_before(&s.y, tile.y + r) * s.out_y, buffer, factor,
                                second, seen_factor, tile, k, r)
    return left
