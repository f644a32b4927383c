# fft: y = ifft(fft(x) · H) on overlapping tiles (overlap-save), two real tiles to one transform.
#
# A tile of z·y·x points gives the outputs whose windows do not wrap round it. Tiles are paired in
# a fixed order and each pair is one thread's work, so that results do not depend on how many
# there are. A pair whose tiles differ much in size, or are so large or small that products could
# overflow or vanish, is scaled by powers of two first and back afterwards: the error of each tile
# is relative to its own samples. A tile with NaN or infinity is refused: in a transform it would
# reach every output of the pair.
#
# Where samples are left out, a tile of them and that of what was seen of them are the two parts:
# one transform makes both sums, and their quotient is what is drained.
#
# In one dimension ("line") rows follow each other: the tile is one long transform in four steps,
# joined by `turns` (Bailey, "FFTs in external or hierarchical memory", 1990).

from libc.math cimport frexp, isfinite, ldexp, sqrt

cdef extern from "fft.h":
    enum:
        FFT_MOST_STAGES
    ctypedef struct fft_length:
        Py_ssize_t n
        Py_ssize_t stages
        Py_ssize_t[3] radix
        const void* twiddles[3]
    Py_ssize_t fft_lanes_float() noexcept nogil
    Py_ssize_t fft_lanes_double() noexcept nogil
    void fft_columns_float(float* panel, Py_ssize_t step, const fft_length* length) noexcept nogil
    void fft_columns_double(double* panel, Py_ssize_t step, const fft_length* length) noexcept nogil
    void fft_columns_back_float(float* panel, Py_ssize_t step,
                                const fft_length* length) noexcept nogil
    void fft_columns_back_double(double* panel, Py_ssize_t step,
                                 const fft_length* length) noexcept nogil
    void fft_rows_spectrum_float(const float* rows, Py_ssize_t panel, const fft_length* length,
                                 const float* turns, float* h) noexcept nogil
    void fft_rows_spectrum_double(const double* rows, Py_ssize_t panel, const fft_length* length,
                                  const double* turns, double* h) noexcept nogil
    void fft_rows_filtered_float(float* rows, Py_ssize_t panel, const fft_length* length,
                                 const float* turns, const float* h,
                                 float* buffer) noexcept nogil
    void fft_rows_filtered_double(double* rows, Py_ssize_t panel, const fft_length* length,
                                  const double* turns, const double* h,
                                  double* buffer) noexcept nogil
    void fft_put_float(const float* row, float* part, Py_ssize_t panel, Py_ssize_t panels,
                       float* energy) noexcept nogil
    void fft_put_double(const double* row, double* part, Py_ssize_t panel, Py_ssize_t panels,
                        double* energy) noexcept nogil
    void fft_clear_float(float* part, Py_ssize_t panel, Py_ssize_t panels) noexcept nogil
    void fft_clear_double(double* part, Py_ssize_t panel, Py_ssize_t panels) noexcept nogil
    void fft_get_float(const float* part, Py_ssize_t panel, float* row, Py_ssize_t n,
                       float first_factor, float second_factor) noexcept nogil
    void fft_get_double(const double* part, Py_ssize_t panel, double* row, Py_ssize_t n,
                        double first_factor, double second_factor) noexcept nogil
    void fft_largest_float(const float* part, Py_ssize_t panel, Py_ssize_t panels,
                           float* most) noexcept nogil
    void fft_largest_double(const double* part, Py_ssize_t panel, Py_ssize_t panels,
                            double* most) noexcept nogil
    ctypedef struct fft_shares_float:
        float factor, second, seen_factor, whole, sign, thin
    ctypedef struct fft_shares_double:
        double factor, second, seen_factor, whole, sign, thin
    int fft_quotients_float(const float* part, Py_ssize_t panel, float* row, Py_ssize_t n,
                            const fft_shares_float* shares) noexcept nogil
    int fft_quotients_double(const double* part, Py_ssize_t panel, double* row, Py_ssize_t n,
                             const fft_shares_double* shares) noexcept nogil
    void fft_scale_float(float* part, Py_ssize_t panel, Py_ssize_t panels, float first_factor,
                         float second_factor) noexcept nogil
    void fft_scale_double(double* part, Py_ssize_t panel, Py_ssize_t panels, double first_factor,
                          double second_factor) noexcept nogil

# Sums of squares between these need no scaling: with weights as `FftLoop.run` takes them and
# 2^22 points, no product leaves the range of float32.
cdef double LEAST_ENERGY = 2.0 ** -60
cdef double MOST_ENERGY = 2.0 ** 60
# Tiles whose sums of squares differ by less are alike: the error of the smaller is at most 4
# times what it would be alone.
cdef double ALIKE = 16.0
# A tile's rows lie apart in a large x: they are fetched this many rows ahead. Measured on 2048²
# float32 with 31×31 on a Zen 4 core: 8.0 ms, without 8.5.
cdef Py_ssize_t PREFETCH_ROWS = 8
# Signals are looked at after this many points for each thread, about a tenth of a second.
cdef double POINTS_BETWEEN_SIGNALS = 3e7


cdef struct Overlap:
    SpatialAxis z, y
    Source x
    Py_ssize_t z_stride, y_stride   # of the caller's array, in bytes
    bint line
    # The tile: lengths, and scalars from one panel or plane to the next.
    fft_length along_z, along_y, along_x
    Py_ssize_t lanes, panels, panel, plane
    const void* turns
    const void* spectrum
    int weight_exponent             # the weights were multiplied by 2 to minus this
    # Outputs of stride 1 that a tile gives along each axis, and how many tiles there are.
    Py_ssize_t each_z, each_y, each_x, tiles_z, tiles_y, tiles_x, tiles
    row_emit emit
    bint stored                     # rows of y are contiguous samples of the type of the sums
    Py_ssize_t out_z, out_y, out_x
    bint streaming                  # past the cache: the result is large
    bint prefetching                # x is larger than the cache
    const Gaps* gaps                # where samples are left out, else NULL
    double thin                     # less than that of the weights is too little for a quotient
    unsigned char* thinly           # of each tile: whether some outputs saw less


cdef struct Tile:
    const char* x
    const char* mask                # with gaps
    char* out
    Py_ssize_t z, y, col            # its first outputs, of stride 1
    Py_ssize_t planes, rows, cols   # its outputs
    int exponent                    # its samples were multiplied by 2 to minus this
    bint empty                      # they are all zero
    bint unseen                     # they are all missing


cdef void locate(const Overlap* s, Py_ssize_t index, const char* x, const Py_ssize_t* x_batch,
                 char* out, const Py_ssize_t* out_batch, Tile* tile) noexcept nogil:
    """Find the place of a tile, in the order batch, z, y, x."""
    cdef Py_ssize_t rest = index
    tile.col = rest % s.tiles_x * s.each_x
    rest //= s.tiles_x
    tile.y = rest % s.tiles_y * s.each_y
    rest //= s.tiles_y
    tile.z = rest % s.tiles_z * s.each_z
    rest //= s.tiles_z
    tile.x = x + x_batch[rest]
    tile.out = out + out_batch[rest]
    tile.planes = least(s.each_z, dense_outputs(&s.z) - tile.z)
    tile.rows = least(s.each_y, dense_outputs(&s.y) - tile.y)
    tile.cols = least(s.each_x, dense_outputs(&s.x.axis) - tile.col)
    tile.exponent = 0
    tile.empty = tile.unseen = False
    tile.mask = NULL
    if s.gaps != NULL and s.gaps.masked:
        tile.mask = s.gaps.samples + s.gaps.batch[rest]


cdef inline Py_ssize_t dense_outputs(const SpatialAxis* a) noexcept nogil:
    """Return the outputs of stride 1 from the first to the last that is kept."""
    return (a.out - 1) * a.stride + 1


cdef inline Py_ssize_t reach(const SpatialAxis* a) noexcept nogil:
    """Return the samples that a window has beyond its first."""
    return (a.taps - 1) * a.dilation


# ---- samples into a tile --------------------------------------------------------------------

cdef inline void prefetch_row(const char* row, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t byte = 0
    while byte < size:
        stencil_prefetch(row + byte)
        byte += 64


cdef void put_samples(const Overlap* s, const char* row, const char* ahead, Py_ssize_t first,
                      Py_ssize_t n, real_t* part, real_t* buffer,
                      real_t* energy) noexcept nogil:
    """Write samples first … first + n − 1, and zeros behind them, to a row of the tile.

    A NULL row is outside and reads the fill; a row ``ahead`` will be read soon.
    """
    cdef const real_t* samples = buffer
    cdef Py_ssize_t whole = s.along_x.n
    cdef bint inside
    if n <= 0:
        if real_t is float:
            fft_clear_float(part, s.panel, s.panels)
        else:
            fft_clear_double(part, s.panel, s.panels)
        return
    inside = row != NULL and first >= 0 and first + whole <= s.x.axis.size
    if inside:
        n = whole  # more than is needed: it touches no output, but rounds alike in every layout
    if inside and s.x.same:
        samples = <const real_t*>row + first
        if ahead != NULL:
            prefetch_row(ahead + first * <Py_ssize_t>sizeof(real_t),
                         whole * <Py_ssize_t>sizeof(real_t))
    else:
        pack_pixels(&s.x, row, first, 1, pixels_before(&s.x, first, 1, n),
                    pixels_until_end(&s.x, first, 1, n), n, buffer)
        memset(buffer + n, 0, (whole - n) * sizeof(real_t))
    if real_t is float:
        fft_put_float(samples, part, s.panel, s.panels, energy)
    else:
        fft_put_double(samples, part, s.panel, s.panels, energy)


cdef void put_split(const Overlap* s, const char* row, const char* mask, const char* ahead,
                    Py_ssize_t first, Py_ssize_t n, real_t* part, real_t* buffer,
                    real_t* energy) noexcept nogil:
    """`put_samples`, with zeros where they are missing, and 1 or 0 in the other part."""
    cdef Py_ssize_t whole = s.along_x.n, before, until_end
    cdef real_t* seen = buffer + whole
    cdef real_t* count = energy + s.lanes
    if n <= 0:
        if real_t is float:
            fft_clear_float(part, s.panel, s.panels)
            fft_clear_float(part + s.lanes, s.panel, s.panels)
        else:
            fft_clear_double(part, s.panel, s.panels)
            fft_clear_double(part + s.lanes, s.panel, s.panels)
        return
    before = pixels_before(&s.x, first, 1, n)
    until_end = pixels_until_end(&s.x, first, 1, n)
    pack_pixels(&s.x, row, first, 1, before, until_end, n, buffer)
    if ahead != NULL and before < until_end and s.x.same:
        prefetch_row(ahead + (first + before) * <Py_ssize_t>sizeof(real_t),
                     (until_end - before) * <Py_ssize_t>sizeof(real_t))
    if s.gaps.masked:
        pack_pixels(&s.gaps.mask, mask, first, 1, before, until_end, n, seen)
    memset(buffer + n, 0, (whole - n) * sizeof(real_t))
    memset(seen + n, 0, (whole - n) * sizeof(real_t))
    if real_t is float:
        gaps_split_float(buffer, seen, n, s.gaps.nan, s.gaps.masked)
        fft_put_float(buffer, part, s.panel, s.panels, energy)
        fft_put_float(seen, part + s.lanes, s.panel, s.panels, count)
    else:
        gaps_split_double(buffer, seen, n, s.gaps.nan, s.gaps.masked)
        fft_put_double(buffer, part, s.panel, s.panels, energy)
        fft_put_double(seen, part + s.lanes, s.panel, s.panels, count)


cdef double fill_tile(const Overlap* s, const Tile* tile, real_t* part, real_t* buffer,
                      real_t* energy) noexcept nogil:
    """Write one part of a tile, with gaps both; return the sum of the squares of its samples."""
    cdef Py_ssize_t first = tile.col - s.x.axis.low
    cdef Py_ssize_t cols = tile.cols + reach(&s.x.axis)
    cdef Py_ssize_t planes = tile.planes + reach(&s.z)
    cdef Py_ssize_t rows = tile.rows + reach(&s.y)
    cdef Py_ssize_t element = 2 * s.lanes
    cdef Py_ssize_t k, r, n, plane, line
    cdef const char* row
    cdef const char* ahead
    cdef const char* mask
    cdef double total = 0
    memset(energy, 0, (s.lanes if s.gaps == NULL else 2 * s.lanes) * sizeof(real_t))
    if s.line and s.gaps != NULL:
        for r in range(s.along_y.n):
            put_split(s, tile.x, tile.mask, NULL, first + r * s.along_x.n,
                      least(cols - r * s.along_x.n, s.along_x.n), part + r * element, buffer,
                      energy)
    elif s.line:
        for r in range(s.along_y.n):
            put_samples(s, tile.x, NULL, first + r * s.along_x.n,
                        least(cols - r * s.along_x.n, s.along_x.n), part + r * element, buffer,
                        energy)
    else:
        for k in range(s.along_z.n):
            for r in range(s.along_y.n):
                row = mask = NULL
                ahead = NULL
                if k < planes and r < rows:
                    plane = source_index(&s.z, tile.z - s.z.low + k)
                    line = source_index(&s.y, tile.y - s.y.low + r)
                    if plane >= 0 and line >= 0:
                        row = tile.x + plane * s.z_stride + line * s.y_stride
                        if s.prefetching and line + PREFETCH_ROWS < s.y.size:
                            ahead = row + PREFETCH_ROWS * s.y_stride
                        if tile.mask != NULL:
                            mask = (tile.mask + plane * s.gaps.z_stride
                                    + line * s.gaps.y_stride)
                n = cols if k < planes and r < rows else 0
                if s.gaps == NULL:
                    put_samples(s, row, ahead, first, n, part + k * s.plane + r * element, buffer,
                                energy)
                else:
                    put_split(s, row, mask, ahead, first, n, part + k * s.plane + r * element,
                              buffer, energy)
    for k in range(s.lanes):
        total += energy[k]
    return total


cdef double largest_sample(const Overlap* s, const real_t* part, real_t* most) noexcept nogil:
    """Return the largest magnitude of one part of a tile, or a NaN or infinity if it has one."""
    cdef Py_ssize_t k, r, lane
    cdef double v, largest = 0
    memset(most, 0, s.lanes * sizeof(real_t))
    for k in range(s.along_z.n):
        for r in range(s.along_y.n):
            if real_t is float:
                fft_largest_float(part + k * s.plane + r * 2 * s.lanes, s.panel, s.panels, most)
            else:
                fft_largest_double(part + k * s.plane + r * 2 * s.lanes, s.panel, s.panels, most)
    for lane in range(s.lanes):
        v = most[lane]
        if not isfinite(v):
            return v
        largest = v if v > largest else largest
    return largest


cdef void scale_part(const Overlap* s, real_t* part, int exponent) noexcept nogil:
    """Multiply one part of a tile by 2^exponent, in two steps that are each in range."""
    cdef real_t first = <real_t>ldexp(1, exponent // 2)
    cdef real_t second = <real_t>ldexp(1, exponent - exponent // 2)
    cdef Py_ssize_t k, r
    for k in range(s.along_z.n):
        for r in range(s.along_y.n):
            if real_t is float:
                fft_scale_float(part + k * s.plane + r * 2 * s.lanes, s.panel, s.panels, first,
                                second)
            else:
                fft_scale_double(part + k * s.plane + r * 2 * s.lanes, s.panel, s.panels, first,
                                 second)


cdef bint settle_scale(const Overlap* s, Tile* tile, real_t* part, real_t* most,
                       double energy) noexcept nogil:
    """Scale a tile's samples to about one; return whether they are all finite."""
    cdef double size = sqrt(energy / (s.along_z.n * s.along_y.n * s.along_x.n))
    if not LEAST_ENERGY < energy < MOST_ENERGY:
        size = largest_sample(s, part, most)
        if not isfinite(size):
            return False
        if size == 0:
            tile.empty = True
            return True
    frexp(size, &tile.exponent)
    scale_part(s, part, -tile.exponent)
    return True


cdef bint fill_pair(const Overlap* s, Tile* pair, Py_ssize_t n, real_t* t, real_t* buffer,
                    real_t* energy) noexcept nogil:
    """Fill both parts of a tile, or one if the second is missing; return whether all is finite."""
    cdef double first, second
    first = fill_tile(s, &pair[0], t, buffer, energy)
    if n == 2:
        second = fill_tile(s, &pair[1], t + s.lanes, buffer, energy)
    else:
        second = first
        pair[1].empty = True
        clear_part(s, t + s.lanes)
    if (LEAST_ENERGY < first < MOST_ENERGY and LEAST_ENERGY < second < MOST_ENERGY
            and first < ALIKE * second and second < ALIKE * first):
        return True
    return (settle_scale(s, &pair[0], t, energy, first)
            and (n < 2 or settle_scale(s, &pair[1], t + s.lanes, energy, second)))


cdef bint fill_split(const Overlap* s, Tile* tile, real_t* t, real_t* buffer,
                     real_t* energy) noexcept nogil:
    """Fill a tile with its samples and what was seen of them; return whether all is finite."""
    cdef double size, seen = 0
    cdef Py_ssize_t k
    size = fill_tile(s, tile, t, buffer, energy)
    for k in range(s.lanes):
        seen += energy[s.lanes + k]
    tile.unseen = seen == 0
    if tile.unseen or size < ALIKE * seen and seen < ALIKE * size:
        return True
    return settle_scale(s, tile, t, energy, size)


cdef void clear_part(const Overlap* s, real_t* part) noexcept nogil:
    cdef Py_ssize_t k, r
    for k in range(s.along_z.n):
        for r in range(s.along_y.n):
            if real_t is float:
                fft_clear_float(part + k * s.plane + r * 2 * s.lanes, s.panel, s.panels)
            else:
                fft_clear_double(part + k * s.plane + r * 2 * s.lanes, s.panel, s.panels)


# ---- the transforms -------------------------------------------------------------------------

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
    cdef Py_ssize_t i, j, k, z, y, x, p, b
    cdef const real_t* turns = NULL
    cdef real_t share = <real_t>(1.0 / (<double>tz * ty * tx))
    memset(t, 0, tz * s.plane * sizeof(real_t))
    for i in range(s.z.taps):
        z = -i * s.z.dilation
        z += tz if z < 0 else 0
        for j in range(s.y.taps):
            y = -j * s.y.dilation
            y += ty if y < 0 else 0
            for k in range(s.x.axis.taps):
                x = -k * s.x.axis.dilation
                if s.line:
                    x += ty * tx if x < 0 else 0
                    y = x // tx
                    x -= y * tx
                else:
                    x += tx if x < 0 else 0
                t[z * s.plane + y * element + x // s.lanes * s.panel + x % s.lanes] = w[0] * share
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


# ---- outputs from a tile --------------------------------------------------------------------

cdef bint get_outputs(const Overlap* s, const real_t* part, Py_ssize_t first, Py_ssize_t n,
                      char* out, real_t* buffer, real_t factor, real_t second,
                      real_t seen_factor) noexcept nogil:
    """Write outputs first … first + n − 1 of stride 1 that the stride keeps, of one row.

    Return whether some saw too little.
    """
    cdef Py_ssize_t stride = s.x.axis.stride
    cdef Py_ssize_t skipped = ceil_div(first, stride) * stride - first
    cdef Py_ssize_t j, kept = ceil_div(n - skipped, stride)
    cdef real_t* row = buffer
    cdef bint direct = s.stored and stride == 1, thin = False
    cdef fft_shares_float floats
    cdef fft_shares_double doubles
    if kept <= 0:
        return False
    if direct and not s.streaming:
        row = <real_t*>out + first
    if real_t is float:
        if s.gaps == NULL:
            fft_get_float(part, s.panel, row, n, factor, second)
        else:
            floats.factor, floats.second, floats.seen_factor = factor, second, seen_factor
            floats.whole, floats.sign = <float>s.gaps.weights.whole, <float>s.gaps.weights.sign
            floats.thin = <float>s.thin
            thin = fft_quotients_float(part, s.panel, row, n, &floats)
        if direct and s.streaming:
            stream_row_float(<float*>out + first, buffer, n)
    else:
        if s.gaps == NULL:
            fft_get_double(part, s.panel, row, n, factor, second)
        else:
            doubles.factor, doubles.second, doubles.seen_factor = factor, second, seen_factor
            doubles.whole, doubles.sign = s.gaps.weights.whole, s.gaps.weights.sign
            doubles.thin = s.thin
            thin = fft_quotients_double(part, s.panel, row, n, &doubles)
        if direct and s.streaming:
            stream_row_double(<double*>out + first, buffer, n)
    if not direct:
        for j in range(kept):
            buffer[j] = buffer[skipped + j * stride]
        s.emit(buffer, kept, out + (first + skipped) // stride * s.out_x, s.out_x)
    return thin


cdef bint drain_tile(const Overlap* s, const Tile* tile, real_t* part,
                     real_t* buffer) noexcept nogil:
    """Write the outputs of one part of a tile; return whether some saw too little."""
    cdef int exponent = tile.exponent + s.weight_exponent
    cdef real_t factor = <real_t>ldexp(1, exponent // 2)
    cdef real_t second = <real_t>ldexp(1, exponent - exponent // 2)
    cdef real_t seen_factor = <real_t>ldexp(1, s.weight_exponent)
    cdef Py_ssize_t element = 2 * s.lanes
    cdef Py_ssize_t k, r
    cdef bint thin = False
    if tile.empty:
        clear_part(s, part)
    if s.line:
        for r in range(ceil_div(tile.cols, s.along_x.n)):
            thin |= get_outputs(s, part + r * element, tile.col + r * s.along_x.n,
                                least(tile.cols - r * s.along_x.n, s.along_x.n), tile.out, buffer,
                                factor, second, seen_factor)
        return thin
    for k in range(tile.planes):
        if (tile.z + k) % s.z.stride:
            continue
        for r in range(tile.rows):
            if (tile.y + r) % s.y.stride:
                continue
            thin |= get_outputs(s, part + k * s.plane + r * element, tile.col, tile.cols,
                                tile.out + (tile.z + k) // s.z.stride * s.out_z
                                + (tile.y + r) // s.y.stride * s.out_y, buffer, factor, second,
                                seen_factor)
    return thin


cdef bint run_pairs(const Overlap* s, Py_ssize_t start, Py_ssize_t stop, const char* x,
                    const Py_ssize_t* x_batch, char* out, const Py_ssize_t* out_batch,
                    real_t* t) noexcept nogil:
    """Run pairs start … stop − 1 of tiles; stop and return False at one that is not finite."""
    cdef Tile pair[2]
    cdef Py_ssize_t q, i, n
    # Workspace: the tile, the row buffer, a row of samples, a vector.
    cdef real_t* buffer = t + s.along_z.n * s.plane
    cdef real_t* row = buffer + s.along_x.n * 2 * s.lanes
    cdef real_t* energy = row + s.along_x.n
    for q in range(start, stop):
        n = least(2, s.tiles - 2 * q)
        for i in range(n):
            locate(s, 2 * q + i, x, x_batch, out, out_batch, &pair[i])
        if not fill_pair(s, pair, n, t, row, energy):
            return False
        if not (pair[0].empty and pair[1].empty):
            if n == 1:
                pair[1] = pair[0]
            filter_tile(s, t, most(pair[0].planes, pair[1].planes),
                        most(pair[0].rows, pair[1].rows), most(pair[0].cols, pair[1].cols), buffer)
        for i in range(n):
            drain_tile(s, &pair[i], t + i * s.lanes, row)
    if s.streaming:
        stencil_fence()
    return True


cdef bint run_split(const Overlap* s, Py_ssize_t start, Py_ssize_t stop, const char* x,
                    const Py_ssize_t* x_batch, char* out, const Py_ssize_t* out_batch,
                    real_t* t) noexcept nogil:
    """`run_pairs` of tiles start … stop − 1 of samples, and of what was seen of them."""
    cdef Tile tile
    cdef Py_ssize_t q
    # Workspace: the tile, the row buffer, rows of samples and of what was seen, two vectors.
    cdef real_t* buffer = t + s.along_z.n * s.plane
    cdef real_t* row = buffer + s.along_x.n * 2 * s.lanes
    cdef real_t* energy = row + 2 * s.along_x.n
    for q in range(start, stop):
        locate(s, q, x, x_batch, out, out_batch, &tile)
        if not fill_split(s, &tile, t, row, energy):
            return False
        if not tile.unseen:
            filter_tile(s, t, tile.planes, tile.rows, tile.cols, buffer)
        s.thinly[q] = drain_tile(s, &tile, t, row) and not tile.unseen
    if s.streaming:
        stencil_fence()
    return True


cdef bint run_pairs_shared(const Overlap* s, Py_ssize_t first, Py_ssize_t count, int threads,
                           const char* x, const Py_ssize_t* x_batch, char* out,
                           const Py_ssize_t* out_batch, real_t* work, Py_ssize_t each,
                           bint* finite) noexcept:
    """Run pairs first … first + count − 1, contiguous runs of them on each thread."""
    cdef int t
    if s.gaps != NULL:
        for t in prange(threads, nogil=True, num_threads=threads, schedule="static"):
            finite[t] = run_split(s, first + count * t // threads,
                                  first + count * (t + 1) // threads, x, x_batch, out, out_batch,
                                  <real_t*>(<char*>work + t * each))
    elif threads == 1:
        with nogil:
            finite[0] = run_pairs(s, first, first + count, x, x_batch, out, out_batch, work)
    else:
        for t in prange(threads, nogil=True, num_threads=threads, schedule="static"):
            finite[t] = run_pairs(s, first + count * t // threads,
                                  first + count * (t + 1) // threads, x, x_batch, out, out_batch,
                                  <real_t*>(<char*>work + t * each))
    for t in range(threads):
        if not finite[t]:
            return False
    return True


# ---- one problem ----------------------------------------------------------------------------

def fft_lanes(sums):
    """Return the columns of a panel: lengths along y and x must be multiples of it."""
    return fft_lanes_float() if np.dtype(sums) == np.float32 else fft_lanes_double()


cdef class FftLoop:
    """A bound problem.

    ``axes`` and ``batch`` are as for `Im2colLoop`; ``lengths`` holds, for z, y and x, the points
    of the tile, their radices before the last 8, and the twiddles of each radix in one array.
    ``turns`` is None unless the tile is a line: the array that joins its columns and rows.
    """

    cdef Overlap s
    cdef object tables
    cdef Py_ssize_t axis_of[3]
    cdef tuple batch
    cdef Py_ssize_t n_batch, item
    cdef int sums_code, sums_row

    def __init__(self, sums, axes, batch, Py_ssize_t n_batch, lengths, turns):
        cdef Overlap* s = &self.s
        cdef Py_ssize_t z_outputs, y_outputs, x_outputs, room
        sums = np.dtype(sums)
        self.sums_code = SUM_CODES[sums]
        self.sums_row = row_codes[sums.num]
        self.item = sums.itemsize
        self.batch = tuple(batch)
        self.n_batch = n_batch
        self.tables = []
        for i, row in enumerate(axes):
            self.axis_of[i] = row[0]
            self.tables.append(
                read_axis(&s.z if i == 0 else &s.y if i == 1 else &s.x.axis, row)
            )
        for i, (n, radices, twiddles) in enumerate(lengths):
            self.tables.append(twiddles)
            self.read_length(&s.along_z if i == 0 else &s.along_y if i == 1 else &s.along_x, n,
                             radices, twiddles)
        s.line = turns is not None
        s.turns = cnp.PyArray_DATA(turns) if s.line else NULL
        self.tables.append(turns)
        s.x.group = 1
        s.x.n_fill = 1
        s.lanes = fft_lanes(sums)
        s.panels = s.along_x.n // s.lanes
        # Two vectors more, lest the panels fall into the same sets of the cache.
        s.panel = (s.along_y.n + 1) * 2 * s.lanes
        s.plane = s.panels * s.panel + (2 * s.lanes if s.along_z.n > 1 else 0)
        z_outputs = dense_outputs(&s.z)
        y_outputs = dense_outputs(&s.y)
        x_outputs = dense_outputs(&s.x.axis)
        s.tiles_z, s.each_z = tile_axis(z_outputs, s.along_z.n - reach(&s.z), 1)
        if s.line:
            s.tiles_y = s.each_y = 1
            room = s.along_y.n * s.along_x.n - reach(&s.x.axis)
        else:
            s.tiles_y, s.each_y = tile_axis(y_outputs, s.along_y.n - reach(&s.y), 1)
            room = s.along_x.n - reach(&s.x.axis)
        s.tiles_x, s.each_x = tile_axis(x_outputs, room, s.lanes)
        s.tiles = n_batch * s.tiles_z * s.tiles_y * s.tiles_x

    cdef read_length(self, fft_length* length, Py_ssize_t n, radices, cnp.ndarray twiddles):
        cdef Py_ssize_t k, span = n
        cdef const char* at = cnp.PyArray_BYTES(twiddles)
        length.n = n
        length.stages = len(radices)
        for k, radix in enumerate(radices):
            length.radix[k] = radix
            length.twiddles[k] = at
            span //= radix
            at += span * (radix - 1) * 2 * self.item

    cdef Py_ssize_t spectrum_bytes(self) noexcept:
        cdef Py_ssize_t points = self.s.along_z.n * self.s.along_y.n * self.s.along_x.n
        return (2 * points * self.item + 63) // 64 * 64

    cdef Py_ssize_t thread_bytes(self, bint gaps) noexcept:
        cdef Overlap* s = &self.s
        cdef Py_ssize_t scalars = s.along_z.n * s.plane + s.along_x.n * (2 * s.lanes + 1) + s.lanes
        if gaps:
            scalars += s.along_x.n + s.lanes
        return (scalars * self.item + 127) // 64 * 64

    def box(self, Py_ssize_t index):
        """Return a tile's batch item, and its outputs: the first and the end along z, y, x."""
        cdef Tile tile
        cdef Py_ssize_t zero = 0, item = index // (self.s.tiles // self.n_batch)
        cdef Overlap s = self.s
        s.gaps = NULL
        locate(&s, index % (s.tiles // self.n_batch), NULL, &zero, NULL, &zero, &tile)
        first = (tile.z, tile.y, tile.col)
        count = (tile.planes, tile.rows, tile.cols)
        strides = (s.z.stride, s.y.stride, s.x.axis.stride)
        return item, [(ceil_div(a, stride), ceil_div(a + n, stride))
                      for a, n, stride in zip(first, count, strides, strict=True)]

    cdef int set_gaps(self, Overlap* s, Gaps* g, gaps) except -1:
        """Prepare for samples that are missing."""
        mask, g.nan, g.weights.sign, g.weights.whole, s.thin = gaps
        g.masked = mask is not None
        if g.masked:
            g.mask = s.x
            g.mask.fill = &NOTHING
            g.mask.pixel_stride = g.mask.sample_stride = mask.strides[self.axis_of[2]]
            g.mask.same = False
            set_row_load(&g.mask, self.sums_code, ROW_UINT8)
            g.samples = cnp.PyArray_BYTES(mask)
            g.z_stride = mask.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
            g.y_stride = mask.strides[self.axis_of[1]] if self.axis_of[1] >= 0 else 0
        s.gaps = g
        return 0

    def run(self, cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, fill_value, int weight_exponent,
            bint clip, int threads, gaps=None):
        """Solve the problem, or return False if x holds NaN or infinity.

        With ``gaps`` (mask or None, whether NaN are missing, sign, W, thin) samples are left out:
        results that saw less than ``thin`` of the weights are NaN, and the tiles that hold some
        that saw anything are returned, as a list.

        ``x`` is aligned and native; ``w`` contiguous in the order z, y, x, in the dtype of the
        sums, its largest weight between 2^-40 and 2^20, and was multiplied by 2 to minus
        ``weight_exponent``; ``y`` native.
        """
        cdef Overlap s = self.s
        cdef Py_ssize_t n_batch = self.n_batch
        cdef Py_ssize_t pairs = (s.tiles + 1) // 2 if gaps is None else s.tiles
        cdef Gaps g
        cdef unsigned char[::1] thinly
        cdef Py_ssize_t shared, tables, each, done, step
        cdef int code = row_codes[cnp.PyArray_TYPE(x)]
        cdef double fill_double = fill_value
        cdef float fill_float = <float>fill_double
        cdef bint whole = True
        cdef char* block
        cdef Py_ssize_t* x_batch
        cdef Py_ssize_t* out_batch
        cdef bint* finite
        cdef char* work
        s.z_stride = x.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        s.y_stride = x.strides[self.axis_of[1]] if self.axis_of[1] >= 0 else 0
        s.x.pixel_stride = s.x.sample_stride = x.strides[self.axis_of[2]]
        s.x.same = code == self.sums_row and s.x.pixel_stride == self.item
        set_row_load(&s.x, self.sums_code, code)
        s.x.fill = &fill_float if self.sums_code == SUMS_FLOAT else <const void*>&fill_double
        s.out_z = y.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        s.out_y = y.strides[self.axis_of[1]] if self.axis_of[1] >= 0 else 0
        s.out_x = y.strides[self.axis_of[2]]
        s.stored = row_codes[cnp.PyArray_TYPE(y)] == self.sums_row and s.out_x == self.item
        s.streaming = cnp.PyArray_NBYTES(y) > STREAM_BYTES
        s.prefetching = cnp.PyArray_NBYTES(x) > CACHE_BYTES
        s.emit = row_emits[self.sums_code][clip][row_codes[cnp.PyArray_TYPE(y)]]
        s.weight_exponent = weight_exponent
        if gaps is not None:
            self.set_gaps(&s, &g, gaps)
            thinly = flags = np.zeros(s.tiles, np.uint8)
            s.thinly = &thinly[0]
        threads = <int>least(threads, pairs)
        shared = self.spectrum_bytes()
        tables = (3 * n_batch + threads) * <Py_ssize_t>sizeof(Py_ssize_t)
        tables = shared + (tables + 63) // 64 * 64
        each = self.thread_bytes(gaps is not None)
        block = <char*>take_parts(&tables, threads, &each)
        try:
            s.spectrum = block
            x_batch = <Py_ssize_t*>(block + shared)
            out_batch = x_batch + n_batch
            finite = <bint*>(out_batch + 2 * n_batch)
            work = block + tables
            if gaps is not None and g.masked:
                g.batch = out_batch + n_batch
                list_batch(self.batch, gaps[0], y, out_batch + n_batch, out_batch)
            list_batch(self.batch, x, y, x_batch, out_batch)
            if self.sums_code == SUMS_FLOAT:
                transform_kernel[float](&s, <const float*>cnp.PyArray_DATA(w), <float*>work,
                                         <float*>block)
            else:
                transform_kernel[double](&s, <const double*>cnp.PyArray_DATA(w), <double*>work,
                                          <double*>block)
            step = most(threads, <Py_ssize_t>(
                threads * POINTS_BETWEEN_SIGNALS
                / (<double>s.along_z.n * s.along_y.n * s.along_x.n)))
            done = 0
            while done < pairs and whole:
                step = least(step, pairs - done)
                if self.sums_code == SUMS_FLOAT:
                    whole = run_pairs_shared[float](
                        &s, done, step, threads, cnp.PyArray_BYTES(x), x_batch,
                        cnp.PyArray_BYTES(y), out_batch, <float*>work, each, finite)
                else:
                    whole = run_pairs_shared[double](
                        &s, done, step, threads, cnp.PyArray_BYTES(x), x_batch,
                        cnp.PyArray_BYTES(y), out_batch, <double*>work, each, finite)
                done += step
                PyErr_CheckSignals()
        finally:
            put_block(block)
        if gaps is None or not whole:
            return whole
        return np.flatnonzero(flags).tolist()


def tile_axis(Py_ssize_t outputs, Py_ssize_t room, Py_ssize_t lanes):
    """Return how many tiles an axis takes, and the outputs of each: whole vectors if it can."""
    cdef Py_ssize_t most = room // lanes * lanes if room > lanes else room
    cdef Py_ssize_t each = ceil_div(outputs, ceil_div(outputs, most))
    each = least(ceil_div(each, lanes) * lanes, most)
    return ceil_div(outputs, each), each
