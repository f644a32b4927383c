/* The tiles of matrix.h for one SCALAR type; included once for each. */

#define LANES ((ptrdiff_t)(STENCIL_VECTOR_BYTES / sizeof(SCALAR)))
#define VEC SUFFIX(vec)
/* The compiler would otherwise load the operand again for every multiply-add that takes it. */
#if defined(__AVX512F__) && STENCIL_HAS_VECTORS
#define HOLD(vector) __asm__("" : "+v"(vector))
#elif defined(__x86_64__) && STENCIL_HAS_VECTORS
#define HOLD(vector) __asm__("" : "+x"(vector))
#elif defined(__aarch64__) && STENCIL_HAS_VECTORS
#define HOLD(vector) __asm__("" : "+w"(vector))
#else
#define HOLD(vector) (void)(vector)
#endif

typedef void (*SUFFIX(matrix_tile))(ptrdiff_t n, const SCALAR *a, ptrdiff_t a_row,
                                    ptrdiff_t a_col, const SCALAR *b, ptrdiff_t b_row, SCALAR *c,
                                    ptrdiff_t c_row, int add);

/* rows and vectors are literals where these are called; the arrays have the largest sizes, for
   one sized by a parameter would not stay in registers. */
STENCIL_INLINE void SUFFIX(multiply_row)(const int rows, const int vectors,
                                         VEC acc[MATRIX_ROWS][MATRIX_VECTORS],
                                         const SCALAR *upper, const SCALAR *lower,
                                         ptrdiff_t a_col, const SCALAR *b) {
    VEC row[MATRIX_VECTORS];
    STENCIL_UNROLL for (int j = 0; j < vectors; j++) {
        row[j] = SUFFIX(load)(b + j * LANES);
        HOLD(row[j]);
    }
    STENCIL_UNROLL for (int i = 0; i < rows; i++) {
        VEC spread = SUFFIX(splat)((i < 4 ? upper : lower)[i % 4 * a_col]);
        if (vectors > 1) HOLD(spread);
        STENCIL_UNROLL for (int j = 0; j < vectors; j++) acc[i][j] =
            SUFFIX(multiply_add)(acc[i][j], spread, row[j]);
    }
}

STENCIL_INLINE void SUFFIX(store_tile)(const int rows, const int vectors,
                                       VEC acc[MATRIX_ROWS][MATRIX_VECTORS], SCALAR *c,
                                       ptrdiff_t c_row, int add) {
    STENCIL_UNROLL for (int i = 0; i < rows; i++)
        STENCIL_UNROLL for (int j = 0; j < vectors; j++) {
            SCALAR *at = c + i * c_row + j * LANES;
            SUFFIX(store)(at, add ? SUFFIX(plus)(SUFFIX(load)(at), acc[i][j]) : acc[i][j]);
        }
}

STENCIL_INLINE void SUFFIX(matrix_product)(const int rows, const int vectors, ptrdiff_t n,
                                           const SCALAR *a, ptrdiff_t a_row, ptrdiff_t a_col,
                                           const SCALAR *b, ptrdiff_t b_row, SCALAR *c,
                                           ptrdiff_t c_row, int add) {
    VEC acc[MATRIX_ROWS][MATRIX_VECTORS];
    const SCALAR *upper = a, *lower = a + 4 * a_col;
    STENCIL_UNROLL for (int i = 0; i < rows; i++)
        STENCIL_UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = SUFFIX(splat)(0);
    for (; n > 0; n--) {
        SUFFIX(multiply_row)(rows, vectors, acc, upper, lower, a_col, b);
        upper += a_row, lower += a_row, b += b_row;
    }
    SUFFIX(store_tile)(rows, vectors, acc, c, c_row, add);
}

/* The same with q = (channel, tap): a(q, i) lies at a + channel·a_channel + offsets[tap] + i, so
   that neighbouring pixels are read where the samples of an image are. */
typedef void (*SUFFIX(taps_tile))(ptrdiff_t channels, ptrdiff_t a_channel, ptrdiff_t taps,
                                  const ptrdiff_t *offsets, const SCALAR *a, const SCALAR *b,
                                  ptrdiff_t b_row, SCALAR *c, ptrdiff_t c_row, int add);

STENCIL_INLINE void SUFFIX(taps_product)(const int rows, const int vectors, ptrdiff_t channels,
                                         ptrdiff_t a_channel, ptrdiff_t taps,
                                         const ptrdiff_t *offsets, const SCALAR *a,
                                         const SCALAR *b, ptrdiff_t b_row, SCALAR *c,
                                         ptrdiff_t c_row, int add) {
    VEC acc[MATRIX_ROWS][MATRIX_VECTORS];
    STENCIL_UNROLL for (int i = 0; i < rows; i++)
        STENCIL_UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = SUFFIX(splat)(0);
    for (; channels > 0; channels--, a += a_channel)
        for (ptrdiff_t t = 0; t < taps; t++, b += b_row) {
            const SCALAR *at = a + offsets[t];
            SUFFIX(multiply_row)(rows, vectors, acc, at, at + 4, 1, b);
        }
    SUFFIX(store_tile)(rows, vectors, acc, c, c_row, add);
}

#define TILE_OF(rows, vectors)                                                                 \
    STENCIL_NOINLINE void SUFFIX(matrix_##rows##_##vectors)(                                   \
        ptrdiff_t n, const SCALAR *a, ptrdiff_t a_row, ptrdiff_t a_col, const SCALAR *b,       \
        ptrdiff_t b_row, SCALAR *c, ptrdiff_t c_row, int add) {                                \
        SUFFIX(matrix_product)(rows, vectors, n, a, a_row, a_col, b, b_row, c, c_row, add);    \
    }                                                                                          \
    STENCIL_NOINLINE void SUFFIX(taps_##rows##_##vectors)(                                     \
        ptrdiff_t channels, ptrdiff_t a_channel, ptrdiff_t taps, const ptrdiff_t *offsets,     \
        const SCALAR *a, const SCALAR *b, ptrdiff_t b_row, SCALAR *c, ptrdiff_t c_row,         \
        int add) {                                                                             \
        SUFFIX(taps_product)(rows, vectors, channels, a_channel, taps, offsets, a, b, b_row,   \
                             c, c_row, add);                                                   \
    }
#define NAME_OF(rows, vectors) SUFFIX(matrix_##rows##_##vectors),
#define TAPS_OF(rows, vectors) SUFFIX(taps_##rows##_##vectors),
#define EACH_4(what, vectors) what(1, vectors) what(2, vectors) what(3, vectors) what(4, vectors)
#if MATRIX_ROWS == 8
#define EACH_ROWS(what, vectors) \
    EACH_4(what, vectors) what(5, vectors) what(6, vectors) what(7, vectors) what(8, vectors)
#elif MATRIX_ROWS == 6
#define EACH_ROWS(what, vectors) EACH_4(what, vectors) what(5, vectors) what(6, vectors)
#else
#define EACH_ROWS(what, vectors) EACH_4(what, vectors)
#endif

EACH_ROWS(TILE_OF, 1)
EACH_ROWS(TILE_OF, 2)
#if MATRIX_VECTORS > 2
EACH_ROWS(TILE_OF, 3)
#endif

/* matrix_tiles[vectors − 1][rows − 1] */
static const SUFFIX(matrix_tile) SUFFIX(matrix_tiles)[MATRIX_VECTORS][MATRIX_ROWS] = {
    {EACH_ROWS(NAME_OF, 1)},
    {EACH_ROWS(NAME_OF, 2)},
#if MATRIX_VECTORS > 2
    {EACH_ROWS(NAME_OF, 3)},
#endif
};

/* taps_tiles[vectors − 1][rows − 1] */
static const SUFFIX(taps_tile) SUFFIX(taps_tiles)[MATRIX_VECTORS][MATRIX_ROWS] = {
    {EACH_ROWS(TAPS_OF, 1)},
    {EACH_ROWS(TAPS_OF, 2)},
#if MATRIX_VECTORS > 2
    {EACH_ROWS(TAPS_OF, 3)},
#endif
};

/* Rows of a panel: each channel and tap's samples, moved a vector at a time, so that up to a vector
   more than a run of pixels is read and written. `count` is a literal where it is called. */
STENCIL_INLINE void SUFFIX(move_rows)(const ptrdiff_t count, const matrix_move *moves,
                                      const ptrdiff_t *offsets, ptrdiff_t taps, const SCALAR *copy,
                                      ptrdiff_t channel, ptrdiff_t channels, SCALAR *panel,
                                      ptrdiff_t width) {
    for (; channels > 0; channels--, copy += channel)
        for (ptrdiff_t t = 0; t < taps; t++, panel += width) {
            const SCALAR *x = copy + offsets[t];
            for (ptrdiff_t m = 0; m < count; m++)
                SUFFIX(store)(panel + moves[m].at, SUFFIX(load)(x + moves[m].source));
        }
}

STENCIL_NOINLINE void SUFFIX(fill_panel)(const matrix_move *moves, ptrdiff_t count,
                                         const ptrdiff_t *offsets, ptrdiff_t taps,
                                         const SCALAR *copy, ptrdiff_t channel,
                                         ptrdiff_t channels, SCALAR *panel, ptrdiff_t width) {
#define MOVES(literal) \
    SUFFIX(move_rows)(literal, moves, offsets, taps, copy, channel, channels, panel, width)
    switch (count) {
    case 2: MOVES(2); break;
    case 3: MOVES(3); break;
    case 4: MOVES(4); break;
    case 5: MOVES(5); break;
    default: MOVES(count);
    }
#undef MOVES
}

#if MATRIX_SHUFFLES
/* Four rows of four samples: a vector wider than a register is split by the compiler. */
typedef SCALAR SUFFIX(quad)
    __attribute__((vector_size(4 * sizeof(SCALAR)), aligned(sizeof(SCALAR)), may_alias));

STENCIL_INLINE void SUFFIX(transpose_quad)(const SCALAR *x, ptrdiff_t x_row, SCALAR *out,
                                           ptrdiff_t out_row) {
    const SUFFIX(quad) a = *(const SUFFIX(quad) *)x, b = *(const SUFFIX(quad) *)(x + x_row),
                       c = *(const SUFFIX(quad) *)(x + 2 * x_row),
                       d = *(const SUFFIX(quad) *)(x + 3 * x_row);
    const SUFFIX(quad) ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5),
                       ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7),
                       cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5),
                       cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(SUFFIX(quad) *)out = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
    *(SUFFIX(quad) *)(out + out_row) = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
    *(SUFFIX(quad) *)(out + 2 * out_row) = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
    *(SUFFIX(quad) *)(out + 3 * out_row) = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}
#else
STENCIL_INLINE void SUFFIX(transpose_quad)(const SCALAR *x, ptrdiff_t x_row, SCALAR *out,
                                           ptrdiff_t out_row) {
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) out[j * out_row + i] = x[i * x_row + j];
}
#endif

/* out[j][i] = x[i][j], by blocks whose lines the level-1 cache holds in both orders. */
static void SUFFIX(transpose)(const SCALAR *x, ptrdiff_t x_row, ptrdiff_t rows, ptrdiff_t cols,
                              SCALAR *out, ptrdiff_t out_row) {
    enum { BLOCK = 16 };
    for (ptrdiff_t i0 = 0; i0 < rows; i0 += BLOCK) {
        const ptrdiff_t i1 = i0 + BLOCK < rows ? i0 + BLOCK : rows;
        ptrdiff_t j = 0;
        for (; j + 4 <= cols; j += 4) {
            ptrdiff_t i = i0;
            for (; i + 4 <= i1; i += 4)
                SUFFIX(transpose_quad)(x + i * x_row + j, x_row, out + j * out_row + i, out_row);
            for (; i < i1; i++)
                for (ptrdiff_t k = j; k < j + 4; k++) out[k * out_row + i] = x[i * x_row + k];
        }
        for (; j < cols; j++)
            for (ptrdiff_t i = i0; i < i1; i++) out[j * out_row + i] = x[i * x_row + j];
    }
}

#undef TILE_OF
#undef NAME_OF
#undef TAPS_OF
#undef EACH_4
#undef EACH_ROWS
#undef HOLD
#undef VEC
#undef LANES
