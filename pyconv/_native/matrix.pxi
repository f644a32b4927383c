# matrix: products of small matrices by the register tile (matrix.h), and transposes.

cdef extern from "matrix.h":
    enum:
        MATRIX_ROWS
        MATRIX_VECTORS
    void matrix_tile(Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t n, const void* a,
                     Py_ssize_t a_row, Py_ssize_t a_col, const void* b, Py_ssize_t b_row, void* c,
                     Py_ssize_t c_row, int add, const void* start) noexcept nogil
    void taps_tile(Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t channels, Py_ssize_t a_channel,
                   Py_ssize_t taps, const Py_ssize_t* offsets, const void* a, const void* b,
                   Py_ssize_t b_row, void* c, Py_ssize_t c_row, int add) noexcept nogil
    void pixels_tile(Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t channels,
                     Py_ssize_t b_channel, Py_ssize_t taps, const Py_ssize_t* offsets,
                     const void* a, Py_ssize_t a_row, Py_ssize_t a_col, const void* b, void* c,
                     Py_ssize_t c_row, int add, const void* start) noexcept nogil
    void dots_tile(Py_ssize_t rows, Py_ssize_t cols, Py_ssize_t n, const void* a, Py_ssize_t a_row,
                   const void* b, Py_ssize_t b_row, void* c, Py_ssize_t c_row, int add,
                   const void* start) noexcept nogil
    ctypedef struct matrix_move:
        Py_ssize_t at
        Py_ssize_t source
    void fill_panel(const matrix_move* moves, Py_ssize_t count, const Py_ssize_t* offsets,
                    Py_ssize_t taps, const void* copy, Py_ssize_t channel, Py_ssize_t channels,
                    void* panel, Py_ssize_t width) noexcept nogil
    void transpose(const void* x, Py_ssize_t x_row, Py_ssize_t rows, Py_ssize_t cols, void* out,
                   Py_ssize_t out_row) noexcept nogil
    void transpose_biased(const void* x, Py_ssize_t x_row, Py_ssize_t rows, Py_ssize_t cols,
                          void* out, Py_ssize_t out_row, const void* bias) noexcept nogil


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
        matrix_tile(rows, vectors, terms, a, a_row, a_col, b, b_row, c, c_row, add, start)
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
        taps_tile(rows, vectors, channels, a_channel, taps, offsets, a, b, b_row, c, c_row, add)
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
        pixels_tile(rows, vectors, channels, b_channel, taps, offsets, a, a_row, a_col, b, c,
                    c_row, add, start)
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
        dots_tile(rows, cols, terms, a, a_row, b, b_row, c, c_row, add, start)
        n -= terms
        if n == 0:
            return
        a += terms
        b += terms
        add = 1
        start = NULL
