# matrix: products of small matrices by the register tile (matrix.h), and transposes.

cdef extern from "matrix.h":
    enum:
        MATRIX_ROWS
        MATRIX_VECTORS
    ctypedef void (*matrix_tile_float)(Py_ssize_t n, const float* a, Py_ssize_t a_row,
                                       Py_ssize_t a_col, const float* b, Py_ssize_t b_row,
                                       float* c, Py_ssize_t c_row, int add,
                                       const float* start) noexcept nogil
    ctypedef void (*matrix_tile_double)(Py_ssize_t n, const double* a, Py_ssize_t a_row,
                                        Py_ssize_t a_col, const double* b, Py_ssize_t b_row,
                                        double* c, Py_ssize_t c_row, int add,
                                       const double* start) noexcept nogil
    ctypedef void (*taps_tile_float)(Py_ssize_t channels, Py_ssize_t a_channel, Py_ssize_t taps,
                                     const Py_ssize_t* offsets, const float* a, const float* b,
                                     Py_ssize_t b_row, float* c, Py_ssize_t c_row,
                                     int add) noexcept nogil
    ctypedef void (*taps_tile_double)(Py_ssize_t channels, Py_ssize_t a_channel, Py_ssize_t taps,
                                      const Py_ssize_t* offsets, const double* a, const double* b,
                                      Py_ssize_t b_row, double* c, Py_ssize_t c_row,
                                      int add) noexcept nogil
    ctypedef void (*pixels_tile_float)(Py_ssize_t channels, Py_ssize_t b_channel, Py_ssize_t taps,
                                     const Py_ssize_t* offsets, const float* a, Py_ssize_t a_row,
                                     Py_ssize_t a_col, const float* b, float* c, Py_ssize_t c_row,
                                     int add, const float* start) noexcept nogil
    const pixels_tile_float pixels_tiles_float[MATRIX_VECTORS][MATRIX_ROWS]
    ctypedef void (*pixels_tile_double)(Py_ssize_t channels, Py_ssize_t b_channel, Py_ssize_t taps,
                                     const Py_ssize_t* offsets, const double* a, Py_ssize_t a_row,
                                     Py_ssize_t a_col, const double* b, double* c, Py_ssize_t c_row,
                                     int add, const double* start) noexcept nogil
    const pixels_tile_double pixels_tiles_double[MATRIX_VECTORS][MATRIX_ROWS]
    ctypedef void (*dots_tile_float)(Py_ssize_t n, const float* a, Py_ssize_t a_row,
                                     const float* b, Py_ssize_t b_row, float* c, Py_ssize_t c_row,
                                     int add, const float* start) noexcept nogil
    const dots_tile_float dots_tiles_float[MATRIX_VECTORS][MATRIX_ROWS]
    ctypedef void (*dots_tile_double)(Py_ssize_t n, const double* a, Py_ssize_t a_row,
                                      const double* b, Py_ssize_t b_row, double* c,
                                      Py_ssize_t c_row, int add,
                                      const double* start) noexcept nogil
    const dots_tile_double dots_tiles_double[MATRIX_VECTORS][MATRIX_ROWS]
    const taps_tile_float taps_tiles_float[MATRIX_VECTORS][MATRIX_ROWS]
    const taps_tile_double taps_tiles_double[MATRIX_VECTORS][MATRIX_ROWS]
    const matrix_tile_float matrix_tiles_float[MATRIX_VECTORS][MATRIX_ROWS]
    const matrix_tile_double matrix_tiles_double[MATRIX_VECTORS][MATRIX_ROWS]
    ctypedef struct matrix_move:
        Py_ssize_t at
        Py_ssize_t source
    void fill_panel_float(const matrix_move* moves, Py_ssize_t count, const Py_ssize_t* offsets,
                          Py_ssize_t taps, const float* copy, Py_ssize_t channel,
                          Py_ssize_t channels, float* panel, Py_ssize_t width) noexcept nogil
    void fill_panel_double(const matrix_move* moves, Py_ssize_t count, const Py_ssize_t* offsets,
                           Py_ssize_t taps, const double* copy, Py_ssize_t channel,
                           Py_ssize_t channels, double* panel, Py_ssize_t width) noexcept nogil
    void transpose_float(const float* x, Py_ssize_t x_row, Py_ssize_t rows, Py_ssize_t cols,
                         float* out, Py_ssize_t out_row) noexcept nogil
    void transpose_double(const double* x, Py_ssize_t x_row, Py_ssize_t rows, Py_ssize_t cols,
                          double* out, Py_ssize_t out_row) noexcept nogil
    void transpose_biased_float(const float* x, Py_ssize_t x_row, Py_ssize_t rows,
                                Py_ssize_t cols, float* out, Py_ssize_t out_row,
                                const float* bias) noexcept nogil
    void transpose_biased_double(const double* x, Py_ssize_t x_row, Py_ssize_t rows,
                                 Py_ssize_t cols, double* out, Py_ssize_t out_row,
                                 const double* bias) noexcept nogil


cdef inline void multiply(Py_ssize_t block, Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t n,
                          const real_t* a, Py_ssize_t a_row, Py_ssize_t a_col, const real_t* b,
                          Py_ssize_t b_row, real_t* c, Py_ssize_t c_row, int add,
                          const real_t* start) noexcept nogil:
    """Write the product, or add it; each row starts from a value of ``start``, if there is one.

    Sums of more than ``block`` terms are added up, block by block, in c.
    """
    cdef Py_ssize_t terms
    while True:
        terms = least(n, block)
        if real_t is float:
            matrix_tiles_float[vectors - 1][rows - 1](terms, a, a_row, a_col, b, b_row, c, c_row,
                                                      add, start)
        else:
            matrix_tiles_double[vectors - 1][rows - 1](terms, a, a_row, a_col, b, b_row, c, c_row,
                                                       add, start)
        n -= terms
        if n == 0:
            return
        a += terms * a_row
        b += terms * b_row
        add = 1
        start = NULL


cdef inline void multiply_taps(Py_ssize_t block, Py_ssize_t rows, Py_ssize_t vectors,
                               Py_ssize_t channels, Py_ssize_t a_channel, Py_ssize_t n,
                               const Py_ssize_t* offsets, const real_t* a, const real_t* b,
                               Py_ssize_t b_row, real_t* c, Py_ssize_t c_row,
                               int add) noexcept nogil:
    """`multiply` with a read from a copy; a long sum is over the taps of one channel."""
    cdef Py_ssize_t taps
    while True:
        taps = n if channels > 1 else least(n, block)
        if real_t is float:
            taps_tiles_float[vectors - 1][rows - 1](channels, a_channel, taps, offsets, a, b,
                                                    b_row, c, c_row, add)
        else:
            taps_tiles_double[vectors - 1][rows - 1](channels, a_channel, taps, offsets, a, b,
                                                     b_row, c, c_row, add)
        n -= taps
        if n == 0:
            return
        offsets += taps
        b += taps * b_row
        add = 1


cdef inline void multiply_pixels(Py_ssize_t block, Py_ssize_t rows, Py_ssize_t vectors,
                                 Py_ssize_t channels, Py_ssize_t b_channel, Py_ssize_t n,
                                 const Py_ssize_t* offsets, const real_t* a, Py_ssize_t a_row,
                                 Py_ssize_t a_col, const real_t* b, real_t* c, Py_ssize_t c_row,
                                 int add, const real_t* start) noexcept nogil:
    """`multiply` with b read from a copy; a long sum is over the taps of one channel."""
    cdef Py_ssize_t taps
    while True:
        taps = n if channels > 1 else least(n, block)
        if real_t is float:
            pixels_tiles_float[vectors - 1][rows - 1](channels, b_channel, taps, offsets, a, a_row,
                                                      a_col, b, c, c_row, add, start)
        else:
            pixels_tiles_double[vectors - 1][rows - 1](channels, b_channel, taps, offsets, a,
                                                       a_row, a_col, b, c, c_row, add, start)
        n -= taps
        if n == 0:
            return
        offsets += taps
        a += taps * a_row
        add = 1
        start = NULL


cdef inline void multiply_dots(Py_ssize_t block, Py_ssize_t rows, Py_ssize_t cols, Py_ssize_t n,
                               const real_t* a, Py_ssize_t a_row, const real_t* b,
                               Py_ssize_t b_row, real_t* c, Py_ssize_t c_row, int add,
                               const real_t* start) noexcept nogil:
    """`multiply` along the terms, which are neighbours in rows of a and of b."""
    cdef Py_ssize_t terms
    while True:
        terms = least(n, block)
        if real_t is float:
            dots_tiles_float[cols - 1][rows - 1](terms, a, a_row, b, b_row, c, c_row, add, start)
        else:
            dots_tiles_double[cols - 1][rows - 1](terms, a, a_row, b, b_row, c, c_row, add, start)
        n -= terms
        if n == 0:
            return
        a += terms
        b += terms
        add = 1
        start = NULL


cdef inline void transpose(const real_t* x, Py_ssize_t x_row, Py_ssize_t rows, Py_ssize_t cols,
                           real_t* out, Py_ssize_t out_row) noexcept nogil:
    if real_t is float:
        transpose_float(x, x_row, rows, cols, out, out_row)
    else:
        transpose_double(x, x_row, rows, cols, out, out_row)
