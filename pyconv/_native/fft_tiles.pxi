# fft_tiles: what a tile is, and where it lies.

from libc.math cimport HUGE_VAL, fabs, frexp, isfinite, isnan, ldexp, log2
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
