# fft: y = ifft(fft(x) · H) on overlapping tiles (overlap-save), two real tiles to one transform.
#
# A tile of z·y·x points gives the outputs whose windows do not wrap round it. The tiles of an item
# are paired in a fixed order and each pair is one thread's work, so that results depend neither on
# how many there are nor on the other items. Tiles that differ much in size are not paired. One that
# is so large or small that products could overflow or vanish is scaled by powers of two first and
# back afterwards.
#
# The error of a transform is spread over the tile. It is expected to stay within
# ε·(SHARED·rms + ALONE·max|x|·‖w‖₂/‖w‖₁)·Σ|w|, and 64 ε·Σ|w| times the largest sample of its window
# is what an output is granted: so each sample has a class, 0 of zero, 3 of what is large enough and
# 1 of what is not. A tile every window of which holds a sample of class 3 goes the plain way
# (`is_even`). Otherwise (`judge`) outputs that read zeros alone become zero; and where windows are
# too quiet the few largest samples are taken out of the tile and their products added to what the
# transform gives (`take_out`). Outputs that are still too quiet are listed, to be summed plainly.
#
# An output that reads NaN is NaN, and what infinities make of one is known beforehand where all
# weights have one sign: such samples are left out of the tile, and the outputs that read them are
# marked (`fill_finite`). Other infinities are taken out as loud samples are; where they are too
# many all outputs of the tile are listed.
#
# Where samples are left out, a tile of them and that of what was seen of them are the two parts:
# one transform makes both sums, and their quotient is what is drained.
#
# In one dimension ("line") rows follow each other: the tile is one long transform in four steps,
# joined by `turns` (Bailey, "FFTs in external or hierarchical memory", 1990).

from libc.math cimport HUGE_VAL, fabs, frexp, isfinite, isnan, ldexp, log2, sqrt
from libc.string cimport memchr

cdef extern from "fft.h":
    enum:
        FFT_MOST_STAGES
        FFT_ROWS
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
                       float* squares) noexcept nogil
    void fft_put_double(const double* row, double* part, Py_ssize_t panel, Py_ssize_t panels,
                        double* squares) noexcept nogil
    void fft_put_rows_float(const float** rows, Py_ssize_t n, float* part, Py_ssize_t panel,
                            Py_ssize_t panels, float* squares) noexcept nogil
    void fft_put_rows_double(const double** rows, Py_ssize_t n, double* part, Py_ssize_t panel,
                             Py_ssize_t panels, double* squares) noexcept nogil
    void fft_put_line_float(const float* row, float* part, Py_ssize_t panel, Py_ssize_t panels,
                            Py_ssize_t block, float* squares) noexcept nogil
    void fft_put_line_double(const double* row, double* part, Py_ssize_t panel,
                             Py_ssize_t panels, Py_ssize_t block, double* squares) noexcept nogil
    void fft_sum_squares_float(const float* squares, Py_ssize_t n, double* total,
                               double* most) noexcept nogil
    void fft_sum_squares_double(const double* squares, Py_ssize_t n, double* total,
                                double* most) noexcept nogil
    bint fft_all_above_float(const float* squares, Py_ssize_t n, float limit) noexcept nogil
    bint fft_all_above_double(const double* squares, Py_ssize_t n, double limit) noexcept nogil
    Py_ssize_t fft_longest_below_float(const float* squares, Py_ssize_t groups, Py_ssize_t each,
                                       float limit) noexcept nogil
    Py_ssize_t fft_longest_below_double(const double* squares, Py_ssize_t groups,
                                        Py_ssize_t each, double limit) noexcept nogil
    void fft_largest_float(const float* part, Py_ssize_t panel, Py_ssize_t panels,
                           float* top) noexcept nogil
    void fft_largest_double(const double* part, Py_ssize_t panel, Py_ssize_t panels,
                            double* top) noexcept nogil
    double fft_weigh_float(const float* w, Py_ssize_t n, double* squares,
                           double* peak) noexcept nogil
    double fft_weigh_double(const double* w, Py_ssize_t n, double* squares,
                            double* peak) noexcept nogil
    Py_ssize_t fft_count_faint_float(const float* w, Py_ssize_t n, Py_ssize_t step, float limit,
                                     Py_ssize_t zero) noexcept nogil
    Py_ssize_t fft_count_faint_double(const double* w, Py_ssize_t n, Py_ssize_t step,
                                      double limit, Py_ssize_t zero) noexcept nogil
    void fft_clear_float(float* part, Py_ssize_t panel, Py_ssize_t panels) noexcept nogil
    void fft_clear_double(double* part, Py_ssize_t panel, Py_ssize_t panels) noexcept nogil
    void fft_get_float(const float* part, Py_ssize_t panel, float* row, Py_ssize_t n,
                       float first_factor, float second_factor) noexcept nogil
    void fft_get_double(const double* part, Py_ssize_t panel, double* row, Py_ssize_t n,
                        double first_factor, double second_factor) noexcept nogil
    void fft_reach(unsigned char* a, Py_ssize_t n, Py_ssize_t step,
                   Py_ssize_t taps) noexcept nogil
    Py_ssize_t fft_count_quiet(unsigned char* classes, const unsigned char* core,
                               Py_ssize_t n) noexcept nogil
    void fft_unite(unsigned char* a, Py_ssize_t n, Py_ssize_t apart) noexcept nogil
    void fft_mark_float(const float* part, Py_ssize_t plane, Py_ssize_t planes, Py_ssize_t rows,
                      Py_ssize_t panel, Py_ssize_t panels, float limit,
                      uint32_t* loud) noexcept nogil
    Py_ssize_t fft_longest_quiet_float(const uint32_t* loud, Py_ssize_t n) noexcept nogil
    Py_ssize_t fft_quiet_vectors_float(const float* part, Py_ssize_t panel, Py_ssize_t panels,
                                     float limit, Py_ssize_t run,
                                     Py_ssize_t* longest) noexcept nogil
    void fft_classify_float(const float* part, Py_ssize_t panel, Py_ssize_t panels, float limit,
                          unsigned char* classes) noexcept nogil
    void fft_count_exponents_float(const float* part, Py_ssize_t panel, Py_ssize_t panels,
                                 Py_ssize_t* counts) noexcept nogil
    Py_ssize_t fft_take_loud_float(float* part, Py_ssize_t panel, Py_ssize_t panels,
                                 Py_ssize_t first, Py_ssize_t room, Py_ssize_t* columns,
                                 double* values) noexcept nogil
    double fft_measure_float(const float* part, Py_ssize_t panel, Py_ssize_t panels,
                           double* top) noexcept nogil
    void fft_leave_out_float(const float* row, float* to, Py_ssize_t n, unsigned char plus,
                         unsigned char minus, unsigned char* marks) noexcept nogil
    void fft_decide_float(float* row, const unsigned char* marks, Py_ssize_t n) noexcept nogil
    int fft_settle_float(float* row, const unsigned char* classes, Py_ssize_t n,
                       int spoil) noexcept nogil
    void fft_add_sample_float(float* row, Py_ssize_t n, Py_ssize_t at, const float* w,
                            Py_ssize_t taps, Py_ssize_t dilation, float value, float first_factor,
                            float second_factor) noexcept nogil
    void fft_mark_double(const double* part, Py_ssize_t plane, Py_ssize_t planes, Py_ssize_t rows,
                      Py_ssize_t panel, Py_ssize_t panels, double limit,
                      uint64_t* loud) noexcept nogil
    Py_ssize_t fft_longest_quiet_double(const uint64_t* loud, Py_ssize_t n) noexcept nogil
    Py_ssize_t fft_quiet_vectors_double(const double* part, Py_ssize_t panel, Py_ssize_t panels,
                                     double limit, Py_ssize_t run,
                                     Py_ssize_t* longest) noexcept nogil
    void fft_classify_double(const double* part, Py_ssize_t panel, Py_ssize_t panels, double limit,
                          unsigned char* classes) noexcept nogil
    void fft_count_exponents_double(const double* part, Py_ssize_t panel, Py_ssize_t panels,
                                 Py_ssize_t* counts) noexcept nogil
    Py_ssize_t fft_take_loud_double(double* part, Py_ssize_t panel, Py_ssize_t panels,
                                 Py_ssize_t first, Py_ssize_t room, Py_ssize_t* columns,
                                 double* values) noexcept nogil
    double fft_measure_double(const double* part, Py_ssize_t panel, Py_ssize_t panels,
                           double* top) noexcept nogil
    void fft_leave_out_double(const double* row, double* to, Py_ssize_t n, unsigned char plus,
                         unsigned char minus, unsigned char* marks) noexcept nogil
    void fft_decide_double(double* row, const unsigned char* marks, Py_ssize_t n) noexcept nogil
    int fft_settle_double(double* row, const unsigned char* classes, Py_ssize_t n,
                       int spoil) noexcept nogil
    void fft_add_sample_double(double* row, Py_ssize_t n, Py_ssize_t at, const double* w,
                            Py_ssize_t taps, Py_ssize_t dilation, double value, double first_factor,
                            double second_factor) noexcept nogil
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
cdef double MIN_ENERGY = 2.0 ** -60
cdef double MAX_ENERGY = 2.0 ** 60
# Tiles whose sums of squares differ by less are alike: the error of the smaller is at most 4
# times what it would be alone.
cdef double ALIKE = 16.0
# The error of an output, in ε·Σ|w|, is expected to stay within SHARED·rms + ALONE·max|x|·spread of
# its tile, and is granted GRANTED times the largest sample of its window. Chosen, not fitted:
# errors of up to 4 · ε · rms · Σ|w| were measured in whole tiles, the rounding of loud results
# among them. The tests hold every output to GRANTED.
cdef double SHARED = 2.0
cdef double ALONE = 1.0
cdef double GRANTED = 64.0
# Taps whose weights are below this part of the largest count for nothing: a loud sample under such
# a tap does not make an output loud.
cdef double FAINT = 1.0 / 1024
# Few of a side of the core may be faint, one of so many, but none zero: random weights have such.
cdef Py_ssize_t STRONG = 8
# The core of the taps is worth looking at if it is no smaller part of them.
cdef double MIN_CORE = 0.25
# Samples that are taken out of a tile: LOUD_PRODUCTS·points products take about as long as its
# transform.
cdef double LOUD_PRODUCTS = 8.0
cdef Py_ssize_t MAX_LOUD = 1024
cdef Py_ssize_t EXPONENTS = 2048
# Boxes of quiet outputs of a tile at most, and the numbers of one.
cdef Py_ssize_t QUIET_BOXES = 8
cdef Py_ssize_t QUIET_BOX = 6
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
    Py_ssize_t item_tiles, item_pairs   # of one item
    # The weights as they were transformed; ‖w‖₂ / ‖w‖₁; the box of taps, along z, y and x, around
    # the largest of which few are faint.
    const void* weights
    double spread
    Py_ssize_t core_first[3]
    Py_ssize_t core[3]
    # Squares of a tile's samples are summed over blocks of so many planes and rows of a column,
    # in a line of so many vectors: a core holds a whole block wherever it begins. Blocks begin at
    # the core's first plane and row, these before the first block's end. Sums, all of them, and
    # in one layer of blocks.
    Py_ssize_t block_z, block_y, block_x
    Py_ssize_t shift_z, shift_y
    Py_ssize_t sums, layer
    bint fine                       # blocks are small enough to tell loud windows by
    Py_ssize_t most_loud            # samples that may be taken out of a tile
    # What infinity and minus infinity make of an output, 4 and 8, and where weights differ in sign
    # HIGH and LOW.
    unsigned char plus, minus
    unsigned char* uneven           # of each tile: whether it has quiet outputs
    Py_ssize_t* quiet               # of each tile: boxes of them, from and to along z, y, x
    row_emit emit
    bint stored                     # rows of y are contiguous samples of the type of the sums
    Py_ssize_t out_z, out_y, out_x
    bint streaming                  # past the cache: the result is large
    bint prefetching                # x is larger than the cache
    const Gaps* gaps                # where samples are left out, else NULL
    double thin                     # less than that of the weights is too little for a quotient
    double sparse                   # a tile with less of its samples is not transformed
    bint refilling                  # only outputs that are NaN are written
    unsigned char* left             # of each tile with gaps: LOW_COVERAGE and QUIET


# What is left of a tile with gaps: outputs that saw too little, and those quiet beside others.
cdef enum:
    LOW_COVERAGE = 1
    QUIET = 2


# Marks of infinity and minus infinity that make of an output what the weights say.
cdef enum:
    HIGH = 16
    LOW = 32


# By so many powers of two the error of a transform in double precision is below what a result in
# single precision may have.
cdef int SPARE_BITS = 28


cdef struct Loud:
    # A sample that was taken out of a tile, and its place there.
    Py_ssize_t z, y, x
    double value


cdef struct Room:
    # Workspace to judge a tile by: classes of its samples, and of the core of windows.
    unsigned char* core
    Loud* loud
    Py_ssize_t* columns
    double* values
    Py_ssize_t* counts


cdef struct Tile:
    const char* x
    const char* mask                # with gaps
    char* out
    Py_ssize_t z, y, col            # its first outputs, of stride 1
    Py_ssize_t index                # among those of all items
    Py_ssize_t planes, rows, cols   # its outputs
    int exponent                    # its samples were multiplied by 2 to minus this
    bint empty                      # they are all zero
    double seen                     # samples that are not missing
    bint lost                       # every output is summed plainly
    double energy, peak             # sum of squares of its samples, the largest of a block
    double top                      # no less than their largest magnitude
    const void* squares             # of blocks
    unsigned char* marks            # of its outputs, where samples were left out, else NULL
    bint decided                    # all of its outputs are marked
    bint crowded                    # infinities are more than may be taken out
    bint filled                     # it is in the first part, with its squares
    bint even                       # every window is sure to hold a loud sample
    unsigned char* classes          # of its outputs, once it was judged, else NULL
    Py_ssize_t pitch, plane         # from one row and plane of them to the next
    Py_ssize_t n_loud
    Loud* loud


cdef void locate(const Overlap* s, Py_ssize_t index, const char* x, const Py_ssize_t* x_batch,
                 char* out, const Py_ssize_t* out_batch, Tile* tile) noexcept nogil:
    """Find the place of a tile, in the order batch, z, y, x."""
    cdef Py_ssize_t rest = index
    tile.index = index
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
    tile.empty = tile.lost = tile.filled = tile.decided = tile.crowded = False
    tile.classes = tile.marks = NULL
    tile.n_loud = 0
    tile.pitch, tile.plane = s.along_x.n, (tile.rows + reach(&s.y)) * s.along_x.n
    if s.line:
        tile.pitch = tile.plane = s.along_y.n * s.along_x.n
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


cdef const real_t* samples_of(const Overlap* s, const char* row, const char* ahead,
                              Py_ssize_t first, Py_ssize_t n, real_t* buffer) noexcept nogil:
    """Return samples first … first + n − 1, and what lies behind them or zeros.

    A NULL row is outside and reads the fill; a row ``ahead`` will be read soon.
    """
    cdef Py_ssize_t whole = s.along_x.n
    cdef bint inside = row != NULL and first >= 0 and first + whole <= s.x.axis.size
    if inside:
        n = whole  # more than is needed: it touches no output, but rounds alike in every layout
    if inside and s.x.same:
        if ahead != NULL:
            prefetch_row(ahead + first * <Py_ssize_t>sizeof(real_t),
                         whole * <Py_ssize_t>sizeof(real_t))
        return <const real_t*>row + first
    pack_pixels(&s.x, row, first, 1, pixels_before(&s.x, first, 1, n),
                pixels_until_end(&s.x, first, 1, n), n, buffer)
    memset(buffer + n, 0, (whole - n) * sizeof(real_t))
    return buffer


cdef void put_row(const Overlap* s, const real_t* samples, real_t* part,
                  real_t* squares) noexcept nogil:
    if real_t is float:
        if s.line:
            fft_put_line_float(samples, part, s.panel, s.panels, s.block_x, squares)
        else:
            fft_put_float(samples, part, s.panel, s.panels, squares)
    else:
        if s.line:
            fft_put_line_double(samples, part, s.panel, s.panels, s.block_x, squares)
        else:
            fft_put_double(samples, part, s.panel, s.panels, squares)


cdef void clear_row(const Overlap* s, real_t* part) noexcept nogil:
    """Write zeros to a row of a tile, with gaps to both parts."""
    cdef Py_ssize_t i
    for i in range(1 if s.gaps == NULL else 2):
        if real_t is float:
            fft_clear_float(part + i * s.lanes, s.panel, s.panels)
        else:
            fft_clear_double(part + i * s.lanes, s.panel, s.panels)


cdef void put_split(const Overlap* s, const char* row, const char* mask, const char* ahead,
                    Py_ssize_t first, Py_ssize_t n, real_t* part, real_t* buffer,
                    real_t* squares) noexcept nogil:
    """Write a row of samples, with zeros where they are missing, and 1 or 0 to the other part."""
    cdef Py_ssize_t whole = s.along_x.n, before, until_end
    cdef real_t* seen = buffer + whole
    cdef real_t* count = seen + whole
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
        fft_put_float(seen, part + s.lanes, s.panel, s.panels, count)
    else:
        gaps_split_double(buffer, seen, n, s.gaps.nan, s.gaps.masked)
        fft_put_double(seen, part + s.lanes, s.panel, s.panels, count)
    put_row(s, buffer, part, squares)


cdef inline const real_t* finite_of(const Overlap* s, const real_t* samples, real_t* buffer,
                                    unsigned char* marks) noexcept nogil:
    """Return a row of samples, with zeros for those that are left out if there are marks."""
    if marks == NULL:
        return samples
    if real_t is float:
        fft_leave_out_float(samples, buffer, s.along_x.n, s.plus, s.minus, marks)
    else:
        fft_leave_out_double(samples, buffer, s.along_x.n, s.plus, s.minus, marks)
    return buffer


cdef void fill_tile(const Overlap* s, Tile* tile, real_t* part, real_t* buffer,
                    real_t* squares, unsigned char* marks) noexcept nogil:
    """Write one part of a tile, with gaps both; sum squares of its samples by blocks.

    Unless ``marks`` is NULL samples are left out, and marked there.
    """
    cdef Py_ssize_t first = tile.col - s.x.axis.low
    cdef Py_ssize_t cols = tile.cols + reach(&s.x.axis)
    cdef Py_ssize_t planes = tile.planes + reach(&s.z)
    cdef Py_ssize_t rows = tile.rows + reach(&s.y)
    cdef Py_ssize_t element = 2 * s.lanes
    cdef Py_ssize_t k, r = 0, i, n, plane, line, left
    cdef const char* row = tile.x
    cdef const char* ahead
    cdef const char* mask = tile.mask
    cdef const real_t* samples[FFT_ROWS]
    cdef const real_t* put
    cdef real_t* at
    cdef real_t* block
    memset(squares, 0, s.sums * sizeof(real_t))
    if s.gaps != NULL:
        memset(buffer + 2 * s.along_x.n, 0, s.along_x.n * sizeof(real_t))
    if s.line:
        for r in range(s.along_y.n):
            at = part + r * element
            block = squares + r * s.layer
            n = least(cols - r * s.along_x.n, s.along_x.n)
            if n <= 0:
                clear_row(s, at)
            elif s.gaps != NULL:
                put_split(s, row, mask, NULL, first + r * s.along_x.n, n, at, buffer, block)
            else:
                put = samples_of(s, row, NULL, first + r * s.along_x.n, n, buffer)
                put_row(s, finite_of(s, put, buffer, marks), at, block)
                marks += 0 if marks == NULL else s.along_x.n
    else:
        for k in range(s.along_z.n):
            plane = source_index(&s.z, tile.z - s.z.low + k) if k < planes else -1
            block = squares + (k + s.shift_z) // s.block_z * s.layer
            left = s.block_y - s.shift_y
            r = 0
            while r < s.along_y.n:
                at = part + k * s.plane + r * element
                if k >= planes or r >= rows:
                    clear_row(s, at)
                    r += 1
                    continue
                if left == 0:
                    block += s.along_x.n
                    left = s.block_y
                n = least(least(rows - r, 1 if s.gaps != NULL else FFT_ROWS), left)
                left -= n
                for i in range(n):
                    row = mask = ahead = NULL
                    line = source_index(&s.y, tile.y - s.y.low + r + i)
                    if plane >= 0 and line >= 0:
                        row = tile.x + plane * s.z_stride + line * s.y_stride
                        if s.prefetching and line + PREFETCH_ROWS < s.y.size:
                            ahead = row + PREFETCH_ROWS * s.y_stride
                        if tile.mask != NULL:
                            mask = (tile.mask + plane * s.gaps.z_stride
                                    + line * s.gaps.y_stride)
                    if s.gaps != NULL:
                        put_split(s, row, mask, ahead, first, cols, at, buffer, block)
                    else:
                        put = samples_of(s, row, ahead, first, cols, buffer + i * s.along_x.n)
                        samples[i] = finite_of(s, put, buffer + i * s.along_x.n, marks)
                        marks += 0 if marks == NULL else s.along_x.n
                if s.gaps == NULL:
                    if real_t is float:
                        fft_put_rows_float(samples, n, at, s.panel, s.panels, block)
                    else:
                        fft_put_rows_double(samples, n, at, s.panel, s.panels, block)
                r += n
    tile.squares = squares
    if real_t is float:
        fft_sum_squares_float(squares, s.sums, &tile.energy, &tile.peak)
    else:
        fft_sum_squares_double(squares, s.sums, &tile.energy, &tile.peak)


cdef double largest_sample(const Overlap* s, const real_t* part) noexcept nogil:
    """Return the largest magnitude of one part of a tile, or a NaN or infinity if it has one."""
    cdef real_t most[MAX_LANES]
    cdef Py_ssize_t k, r, lane
    cdef double largest = 0
    memset(most, 0, s.lanes * sizeof(real_t))
    for k in range(s.along_z.n):
        for r in range(s.along_y.n):
            if real_t is float:
                fft_largest_float(part + k * s.plane + r * 2 * s.lanes, s.panel, s.panels, most)
            else:
                fft_largest_double(part + k * s.plane + r * 2 * s.lanes, s.panel, s.panels, most)
    for lane in range(s.lanes):
        if not isfinite(<double>most[lane]):
            return most[lane]
        largest = most[lane] if most[lane] > largest else largest
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


cdef inline bint is_in_range(double energy) noexcept nogil:
    """Return whether samples of that sum of squares need no scale."""
    return MIN_ENERGY < energy < MAX_ENERGY


cdef void list_infinite(const Overlap* s, Tile* tile, unsigned char* marks) noexcept nogil:
    """Replace marks by samples that are taken out, unless they are too many."""
    cdef Py_ssize_t k, r, j
    cdef unsigned char* row
    cdef Loud* loud
    for k in range(tile.planes + reach(&s.z)):
        for r in range(tile.rows + reach(&s.y)):
            row = marks + k * tile.plane + r * tile.pitch
            for j in range(tile.cols + reach(&s.x.axis)):
                if row[j] & (HIGH | LOW):
                    if tile.n_loud == s.most_loud:
                        tile.crowded = True
                        return
                    loud = tile.loud + tile.n_loud
                    loud.z, loud.y, loud.x = k, r, j
                    loud.value = HUGE_VAL if row[j] == HIGH else -HUGE_VAL
                    tile.n_loud += 1
                    row[j] = 0


cdef void fill_finite(const Overlap* s, Tile* tile, real_t* part, real_t* buffer,
                      real_t* squares, unsigned char* marks) noexcept nogil:
    """Fill one part of a tile; leave out samples that are not finite, and mark who reads them."""
    cdef Py_ssize_t taps[3]
    cdef Py_ssize_t k, r
    fill_tile(s, tile, part, buffer, squares, NULL)
    tile.marks = NULL
    tile.n_loud = 0
    if isfinite(tile.energy):
        return
    fill_tile(s, tile, part, buffer, squares, marks)
    if s.plus == HIGH:
        list_infinite(s, tile, marks)
    if tile.crowded:
        return
    taps[0], taps[1], taps[2] = s.z.taps, s.y.taps, s.x.axis.taps
    spread_classes(s, tile, taps, tile.planes, tile.rows, tile.cols, marks)
    tile.marks = marks
    tile.decided = True
    for k in range(tile.planes):
        for r in range(tile.rows):
            if tile.decided:
                tile.decided = memchr(marks + k * tile.plane + r * tile.pitch, 0,
                                      tile.cols) == NULL


cdef void settle_scale(const Overlap* s, Tile* tile, real_t* part) noexcept nogil:
    """Scale a tile's samples to about one."""
    cdef double size = tile.top
    if is_in_range(tile.energy):
        size = sqrt(tile.energy / points(s))
    frexp(size, &tile.exponent)
    scale_part(s, part, -tile.exponent)


cdef inline double points(const Overlap* s) noexcept nogil:
    return <double>s.along_z.n * s.along_y.n * s.along_x.n


cdef void fill_split(const Overlap* s, Tile* tile, real_t* t, real_t* buffer,
                     real_t* squares) noexcept nogil:
    """Fill a tile with its samples and what was seen of them."""
    cdef double seen = 0
    cdef Py_ssize_t k
    fill_tile(s, tile, t, buffer, squares, NULL)
    for k in range(s.along_x.n):
        seen += buffer[2 * s.along_x.n + k]
    tile.seen = seen
    tile.even = is_surely_even(s, tile, tile.energy, tile.peak, t)
    tile.top = sqrt(tile.peak) if tile.even else largest_sample(s, t)
    tile.empty = tile.top == 0
    if (seen > 0 and not tile.empty and isfinite(tile.top)
            and not (tile.energy < ALIKE * seen and seen < ALIKE * tile.energy)):
        settle_scale(s, tile, t)


# ---- tiles whose samples differ much --------------------------------------------------------

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


# ---- outputs from a tile --------------------------------------------------------------------

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
        s.item_tiles = s.tiles_z * s.tiles_y * s.tiles_x
        s.item_pairs = (s.item_tiles + 1) // 2
        s.tiles = n_batch * s.item_tiles
        s.most_loud = least(MAX_LOUD, most(1, <Py_ssize_t>(
            LOUD_PRODUCTS * s.along_z.n * s.along_y.n * s.along_x.n
            / (<double>s.z.taps * s.y.taps * s.x.axis.taps))))

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
        cdef Py_ssize_t scalars
        scalars = s.along_z.n * s.plane + s.along_x.n * (2 * s.lanes + FFT_ROWS)
        return (scalars * self.item + 127) // 64 * 64 + judge_bytes(s)

    cdef int set_gaps(self, Overlap* s, Gaps* g, gaps) except -1:
        """Prepare for samples that are missing."""
        mask, g.nan, g.weights.sign, g.weights.whole, s.thin, s.sparse, s.refilling = gaps
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
        """Solve the problem; return boxes of results to be summed plainly, as rows of an array.

        A row is the batch item, from and to along z, y and x.

        With ``gaps`` (mask or None, whether NaN are missing, sign, W, thin, sparse, refilling)
        samples are left out: results that saw less than ``thin`` of the weights, or only samples
        that are quiet beside others, are NaN, as are all of a tile that has less than the part
        ``sparse`` of its samples. LOW_COVERAGE, 1, is returned if some of the former are, of tiles
        that saw anything, and QUIET, 2, if some of the latter are; or −1 if x holds NaN or infinity
        that are not missing. ``refilling`` writes nothing but results that are NaN, to a ``y`` in
        float32.

        ``x`` is aligned and native; ``w`` contiguous in the order z, y, x, in the dtype of the
        sums, its largest weight between 2^-40 and 2^20, and was multiplied by 2 to minus
        ``weight_exponent``; ``y`` native.
        """
        cdef Overlap s = self.s
        cdef Py_ssize_t n_batch = self.n_batch
        cdef Py_ssize_t pairs = n_batch * s.item_pairs if gaps is None else s.tiles
        cdef Gaps g
        cdef unsigned char[::1] marks
        cdef Py_ssize_t[::1] boxes
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
        marks = flags = np.zeros(s.tiles, np.uint8)
        s.left = s.uneven = &marks[0]
        if gaps is None:
            boxes = quiet = np.zeros(s.tiles * QUIET_BOXES * QUIET_BOX, np.intp)
            s.quiet = &boxes[0]
        s.weights = cnp.PyArray_DATA(w)
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
                find_core[float](&s, <const float*>s.weights)
                transform_kernel[float](&s, <const float*>cnp.PyArray_DATA(w), <float*>work,
                                         <float*>block)
            else:
                find_core[double](&s, <const double*>s.weights)
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
        if gaps is None:
            for done in range(s.tiles):
                if s.left[done]:
                    return self.quiet_boxes(np.flatnonzero(flags), quiet)
            return ()
        return int(np.bitwise_or.reduce(flags)) if whole else -1

    cdef quiet_boxes(self, tiles, quiet):
        """Return the boxes of the results that these tiles have listed, each after its item."""
        cdef Overlap* s = &self.s
        if not len(tiles):
            return np.empty((0, 1 + QUIET_BOX), np.intp)
        boxes = quiet.reshape(s.tiles, QUIET_BOXES, QUIET_BOX)[tiles]
        items = np.broadcast_to(tiles[:, np.newaxis, np.newaxis] // s.item_tiles,
                                (len(tiles), QUIET_BOXES, 1))
        for i, stride in enumerate((s.z.stride, s.y.stride, s.x.axis.stride)):
            boxes[..., 2 * i:2 * i + 2] = -(-boxes[..., 2 * i:2 * i + 2] // stride)
        held = (boxes[..., 1::2] > boxes[..., ::2]).all(axis=-1)
        return np.concatenate([items, boxes], axis=-1)[held]


def tile_axis(Py_ssize_t outputs, Py_ssize_t room, Py_ssize_t lanes):
    """Return how many tiles an axis takes, and the outputs of each: whole vectors if it can."""
    cdef Py_ssize_t most = room // lanes * lanes if room > lanes else room
    cdef Py_ssize_t each = ceil_div(outputs, ceil_div(outputs, most))
    each = least(ceil_div(each, lanes) * lanes, most)
    return ceil_div(outputs, each), each
