/* The tiles of matrix.h for one SCALAR type; included once for each. */

#define VEC SUFFIX(vec)

#if STENCIL_HAS_VECTORS
/* Four samples: a vector wider than a register is split by the compiler. */
typedef SCALAR SUFFIX(quad)
    __attribute__((vector_size(4 * sizeof(SCALAR)), aligned(sizeof(SCALAR)), may_alias));
#endif

typedef void (*SUFFIX(matrix_tile))(ptrdiff_t n, const SCALAR *a, ptrdiff_t a_row,
                                    ptrdiff_t a_col, const SCALAR *b, ptrdiff_t b_row, SCALAR *c,
                                    ptrdiff_t c_row, int add, const SCALAR *start);

/* rows and vectors are literals where these are called; the arrays have the largest sizes, for
   one sized by a parameter would not stay in registers. */
STENCIL_INLINE void SUFFIX(multiply_row)(const int rows, const int vectors,
                                         VEC acc[MATRIX_ROWS][MATRIX_VECTORS],
                                         const SCALAR *upper, const SCALAR *lower,
                                         ptrdiff_t a_col, const SCALAR *b) {
    VEC row[MATRIX_VECTORS];
    STENCIL_UNROLL for (int j = 0; j < vectors; j++) {
        row[j] = SUFFIX(load)(b + j * LANES);
        STENCIL_HOLD(row[j]);
    }
    STENCIL_UNROLL for (int i = 0; i < rows; i++) {
        VEC spread = SUFFIX(splat)((i < 4 ? upper : lower)[i % 4 * a_col]);
        if (vectors > 1) STENCIL_HOLD_SPREAD(spread);
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
                                           ptrdiff_t c_row, int add, const SCALAR *start) {
    VEC acc[MATRIX_ROWS][MATRIX_VECTORS];
    const SCALAR *upper = a, *lower = a + 4 * a_col;
    STENCIL_UNROLL for (int i = 0; i < rows; i++)
        STENCIL_UNROLL for (int j = 0; j < vectors; j++)
            acc[i][j] = SUFFIX(splat)(start ? start[i] : 0);
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

/* The same with b(q) at b + channel·b_channel + offsets[tap]: vectors of neighbouring pixels. */
typedef void (*SUFFIX(pixels_tile))(ptrdiff_t channels, ptrdiff_t b_channel, ptrdiff_t taps,
                                    const ptrdiff_t *offsets, const SCALAR *a, ptrdiff_t a_row,
                                    ptrdiff_t a_col, const SCALAR *b, SCALAR *c, ptrdiff_t c_row,
                                    int add, const SCALAR *start);

STENCIL_INLINE void SUFFIX(pixels_product)(const int rows, const int vectors, ptrdiff_t channels,
                                           ptrdiff_t b_channel, ptrdiff_t taps,
                                           const ptrdiff_t *offsets, const SCALAR *a,
                                           ptrdiff_t a_row, ptrdiff_t a_col, const SCALAR *b,
                                           SCALAR *c, ptrdiff_t c_row, int add,
                                           const SCALAR *start) {
    VEC acc[MATRIX_ROWS][MATRIX_VECTORS];
    const SCALAR *upper = a, *lower = a + 4 * a_col;
    STENCIL_UNROLL for (int i = 0; i < rows; i++)
        STENCIL_UNROLL for (int j = 0; j < vectors; j++)
            acc[i][j] = SUFFIX(splat)(start ? start[i] : 0);
    for (; channels > 0; channels--, b += b_channel)
        for (ptrdiff_t t = 0; t < taps; t++, upper += a_row, lower += a_row)
            SUFFIX(multiply_row)(rows, vectors, acc, upper, lower, a_col, b + offsets[t]);
    SUFFIX(store_tile)(rows, vectors, acc, c, c_row, add);
}

/* c[i][j] (+)= Σ_q a[i·a_row + q] · b[j·b_row + q]: rows of a and of b lie along the terms, which are
   the lanes. A lane sums every LANES-th term, and what is left after whole vectors is added to the
   sum of the lanes: in the same order whatever the place in a tile. */
typedef void (*SUFFIX(dots_tile))(ptrdiff_t n, const SCALAR *a, ptrdiff_t a_row, const SCALAR *b,
                                  ptrdiff_t b_row, SCALAR *c, ptrdiff_t c_row, int add,
                                  const SCALAR *start);

/* What is stored of an accumulator: its lanes, or their sum where registers make it. */
#if STENCIL_HAS_NEON
#define KEPT 1
STENCIL_INLINE void SUFFIX(keep)(SCALAR *kept, VEC acc) {
#if LANES == 4
    const float32x4_t all = (float32x4_t)acc;
    *kept = vpadds_f32(vadd_f32(vget_low_f32(all), vget_high_f32(all)));
#else
    *kept = vpaddd_f64((float64x2_t)acc);
#endif
}
STENCIL_INLINE SCALAR SUFFIX(sum_of_lanes)(const SCALAR *kept) { return *kept; }
#else
#define KEPT LANES
STENCIL_INLINE void SUFFIX(keep)(SCALAR *kept, VEC acc) { SUFFIX(store)(kept, acc); }
/* By quarters, if a vector has them. */
STENCIL_INLINE SCALAR SUFFIX(sum_of_lanes)(const SCALAR *lanes) {
#if STENCIL_HAS_VECTORS && LANES > 4
    SUFFIX(quad) sum = *(const SUFFIX(quad) *)lanes;
    STENCIL_UNROLL for (int i = 4; i < LANES; i += 4) sum += *(const SUFFIX(quad) *)(lanes + i);
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
#elif LANES >= 4
    SCALAR sum[4] = {lanes[0], lanes[1], lanes[2], lanes[3]};
    STENCIL_UNROLL for (int i = 4; i < LANES; i++) sum[i % 4] += lanes[i];
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
#else
    return lanes[0] + lanes[1];
#endif
}
#endif

/* Sums the lanes of each accumulator, and the terms from q on. */
STENCIL_INLINE void SUFFIX(add_dots)(const ptrdiff_t rows, const ptrdiff_t cols,
                                     const SCALAR *kept, ptrdiff_t q, ptrdiff_t n,
                                     const SCALAR *a, ptrdiff_t a_row, const SCALAR *b,
                                     ptrdiff_t b_row, SCALAR *c, ptrdiff_t c_row, int add,
                                     const SCALAR *start) {
    for (ptrdiff_t i = 0; i < rows; i++, a += a_row, c += c_row)
        STENCIL_UNROLL for (ptrdiff_t j = 0; j < cols; j++, kept += KEPT) {
            SCALAR sum = SUFFIX(sum_of_lanes)(kept);
            for (ptrdiff_t last = q; last < n; last++) sum += a[last] * b[j * b_row + last];
            c[j] = (add ? c[j] : start ? start[i] : 0) + sum;
        }
}

STENCIL_INLINE void SUFFIX(dot_products)(const int rows, const int cols, ptrdiff_t n,
                                         const SCALAR *a, ptrdiff_t a_row, const SCALAR *b,
                                         ptrdiff_t b_row, SCALAR *c, ptrdiff_t c_row, int add,
                                         const SCALAR *start) {
    VEC acc[MATRIX_ROWS][MATRIX_VECTORS], terms[MATRIX_VECTORS];
    SCALAR kept[MATRIX_ROWS * MATRIX_VECTORS * KEPT];
    const SCALAR *upper = a, *lower = a + 4 * a_row;
    ptrdiff_t q = 0;
    STENCIL_UNROLL for (int i = 0; i < rows; i++)
        STENCIL_UNROLL for (int j = 0; j < cols; j++) acc[i][j] = SUFFIX(splat)(0);
    for (; q + LANES <= n; q += LANES) {
        STENCIL_UNROLL for (int j = 0; j < cols; j++) {
            terms[j] = SUFFIX(load)(b + j * b_row + q);
            STENCIL_HOLD(terms[j]);
        }
        STENCIL_UNROLL for (int i = 0; i < rows; i++) {
            VEC row = SUFFIX(load)((i < 4 ? upper : lower) + i % 4 * a_row + q);
            if (cols > 1) STENCIL_HOLD(row);
            STENCIL_UNROLL for (int j = 0; j < cols; j++) acc[i][j] =
                SUFFIX(multiply_add)(acc[i][j], row, terms[j]);
        }
    }
    STENCIL_UNROLL for (int i = 0; i < rows; i++)
        STENCIL_UNROLL for (int j = 0; j < cols; j++)
            SUFFIX(keep)(kept + (i * cols + j) * KEPT, acc[i][j]);
    SUFFIX(add_dots)(rows, cols, kept, q, n, a, a_row, b, b_row, c, c_row, add, start);
}

#define TILE_OF(rows, vectors)                                                                 \
    STENCIL_NOINLINE void SUFFIX(matrix_##rows##_##vectors)(                                   \
        ptrdiff_t n, const SCALAR *a, ptrdiff_t a_row, ptrdiff_t a_col, const SCALAR *b,       \
        ptrdiff_t b_row, SCALAR *c, ptrdiff_t c_row, int add, const SCALAR *start) {           \
        SUFFIX(matrix_product)(rows, vectors, n, a, a_row, a_col, b, b_row, c, c_row, add,     \
                               start);                                                         \
    }                                                                                          \
    STENCIL_NOINLINE void SUFFIX(taps_##rows##_##vectors)(                                     \
        ptrdiff_t channels, ptrdiff_t a_channel, ptrdiff_t taps, const ptrdiff_t *offsets,     \
        const SCALAR *a, const SCALAR *b, ptrdiff_t b_row, SCALAR *c, ptrdiff_t c_row,         \
        int add) {                                                                             \
        SUFFIX(taps_product)(rows, vectors, channels, a_channel, taps, offsets, a, b, b_row,   \
                             c, c_row, add);                                                   \
    }                                                                                          \
    STENCIL_NOINLINE void SUFFIX(pixels_##rows##_##vectors)(                                   \
        ptrdiff_t channels, ptrdiff_t b_channel, ptrdiff_t taps, const ptrdiff_t *offsets,     \
        const SCALAR *a, ptrdiff_t a_row, ptrdiff_t a_col, const SCALAR *b, SCALAR *c,         \
        ptrdiff_t c_row, int add, const SCALAR *start) {                                       \
        SUFFIX(pixels_product)(rows, vectors, channels, b_channel, taps, offsets, a, a_row,    \
                               a_col, b, c, c_row, add, start);                                \
    }                                                                                          \
    STENCIL_NOINLINE void SUFFIX(dots_##rows##_##vectors)(                                     \
        ptrdiff_t n, const SCALAR *a, ptrdiff_t a_row, const SCALAR *b, ptrdiff_t b_row,       \
        SCALAR *c, ptrdiff_t c_row, int add, const SCALAR *start) {                            \
        SUFFIX(dot_products)(rows, vectors, n, a, a_row, b, b_row, c, c_row, add, start);      \
    }
#define NAME_OF(rows, vectors) SUFFIX(matrix_##rows##_##vectors),
#define TAPS_OF(rows, vectors) SUFFIX(taps_##rows##_##vectors),
#define PIXELS_OF(rows, vectors) SUFFIX(pixels_##rows##_##vectors),
#define DOTS_OF(rows, vectors) SUFFIX(dots_##rows##_##vectors),
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

/* pixels_tiles[vectors − 1][rows − 1] */
static const SUFFIX(pixels_tile) SUFFIX(pixels_tiles)[MATRIX_VECTORS][MATRIX_ROWS] = {
    {EACH_ROWS(PIXELS_OF, 1)},
    {EACH_ROWS(PIXELS_OF, 2)},
#if MATRIX_VECTORS > 2
    {EACH_ROWS(PIXELS_OF, 3)},
#endif
};

/* dots_tiles[columns − 1][rows − 1] */
static const SUFFIX(dots_tile) SUFFIX(dots_tiles)[MATRIX_VECTORS][MATRIX_ROWS] = {
    {EACH_ROWS(DOTS_OF, 1)},
    {EACH_ROWS(DOTS_OF, 2)},
#if MATRIX_VECTORS > 2
    {EACH_ROWS(DOTS_OF, 3)},
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
/* Four rows of four samples. */
#define QUAD(at) (*(SUFFIX(quad) *)(at))
#define JOIN(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
STENCIL_INLINE void SUFFIX(turn_quad)(const int biased, const SCALAR *x, ptrdiff_t x_row,
                                      SCALAR *out, ptrdiff_t out_row, const SCALAR *bias) {
    const SUFFIX(quad) *const rows[4] = {
        (const SUFFIX(quad) *)x, (const SUFFIX(quad) *)(x + x_row),
        (const SUFFIX(quad) *)(x + 2 * x_row), (const SUFFIX(quad) *)(x + 3 * x_row)};
    const SUFFIX(quad) ab_low = JOIN(*rows[0], *rows[1], 0, 4, 1, 5),
                       ab_high = JOIN(*rows[0], *rows[1], 2, 6, 3, 7),
                       cd_low = JOIN(*rows[2], *rows[3], 0, 4, 1, 5),
                       cd_high = JOIN(*rows[2], *rows[3], 2, 6, 3, 7);
    SUFFIX(quad) turned[4] = {JOIN(ab_low, cd_low, 0, 1, 4, 5), JOIN(ab_low, cd_low, 2, 3, 6, 7),
                              JOIN(ab_high, cd_high, 0, 1, 4, 5),
                              JOIN(ab_high, cd_high, 2, 3, 6, 7)};
    STENCIL_UNROLL for (int j = 0; j < 4; j++) {
        if (biased) turned[j] += bias[j];
        QUAD(out + j * out_row) = turned[j];
    }
}
#undef QUAD
#undef JOIN
#else
STENCIL_INLINE void SUFFIX(turn_quad)(const int biased, const SCALAR *x, ptrdiff_t x_row,
                                      SCALAR *out, ptrdiff_t out_row, const SCALAR *bias) {
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            out[j * out_row + i] = biased ? x[i * x_row + j] + bias[j] : x[i * x_row + j];
}
#endif

/* Fewer rows than a vector has lanes. */
STENCIL_INLINE void SUFFIX(turn_few)(const int biased, const SCALAR *x, ptrdiff_t x_row,
                                     ptrdiff_t rows, ptrdiff_t cols, SCALAR *out,
                                     ptrdiff_t out_row, const SCALAR *bias) {
    for (ptrdiff_t j = 0; j < cols; j++) {
        ptrdiff_t i = 0;
        if (j + 4 <= cols && j % 4 == 0)
            for (; i + 4 <= rows; i += 4)
                SUFFIX(turn_quad)(biased, x + i * x_row + j, x_row, out + j * out_row + i,
                                  out_row, bias + j);
        else if (j < cols / 4 * 4)
            i = rows / 4 * 4; /* turned with the quad before */
        for (; i < rows; i++)
            out[j * out_row + i] = biased ? x[i * x_row + j] + bias[j] : x[i * x_row + j];
    }
}

/* By blocks of as many rows as a vector has lanes; the last one overlaps. */
STENCIL_INLINE void SUFFIX(turn)(const int biased, const SCALAR *x, ptrdiff_t x_row,
                                 ptrdiff_t rows, ptrdiff_t cols, SCALAR *out, ptrdiff_t out_row,
                                 const SCALAR *bias) {
    if (rows < LANES) {
        SUFFIX(turn_few)(biased, x, x_row, rows, cols, out, out_row, bias);
        return;
    }
    for (ptrdiff_t i = 0; i < rows; i += LANES) {
        ptrdiff_t j = 0;
        if (i + LANES > rows) i = rows - LANES;
        for (; j + 4 <= cols; j += 4) {
            VEC turned[4];
            SUFFIX(transpose_strided)(x + i * x_row + j, x_row, turned);
            STENCIL_UNROLL for (int e = 0; e < 4; e++) {
                if (biased) turned[e] = SUFFIX(plus)(turned[e], SUFFIX(splat)(bias[j + e]));
                SUFFIX(store)(out + (j + e) * out_row + i, turned[e]);
            }
        }
        SUFFIX(turn_few)(biased, x + i * x_row + j, x_row, LANES, cols - j,
                         out + j * out_row + i, out_row, bias + j);
    }
}

/* out[j][i] = x[i][j] */
STENCIL_NOINLINE void SUFFIX(transpose)(const SCALAR *x, ptrdiff_t x_row, ptrdiff_t rows,
                                        ptrdiff_t cols, SCALAR *out, ptrdiff_t out_row) {
    SUFFIX(turn)(0, x, x_row, rows, cols, out, out_row, out);
}

/* out[j][i] = x[i][j] + bias[j] */
STENCIL_NOINLINE void SUFFIX(transpose_biased)(const SCALAR *x, ptrdiff_t x_row, ptrdiff_t rows,
                                               ptrdiff_t cols, SCALAR *out, ptrdiff_t out_row,
                                               const SCALAR *bias) {
    SUFFIX(turn)(1, x, x_row, rows, cols, out, out_row, bias);
}

#undef KEPT
#undef TILE_OF
#undef NAME_OF
#undef TAPS_OF
#undef PIXELS_OF
#undef DOTS_OF
#undef EACH_4
#undef EACH_ROWS
#undef VEC
