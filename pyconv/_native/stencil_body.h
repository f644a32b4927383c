/* One tile of ROWS × VECTORS accumulators; included once for each shape and type. With QUOTIENT
   the results are the tile `sums`, contiguous, over that of x: see `quotient`. */

/* Sums of two vectors, and quotients, leave no registers for loads that come early. */
#if defined(SCALAR_IS_UINT64) || defined(QUOTIENT)
#define IN_ORDER STENCIL_IN_ORDER
#else
#define IN_ORDER
#endif

/* The products of a row q of samples. */
#if STENCIL_HAS_NEON && defined(SCALAR_IS_UINT64) /* 24 registers for sums, five for weights */
#define ROW_OF_PRODUCTS(A)                                                                  \
    STENCIL_UNROLL for (int c = 0; c < VECTORS; c++) {                                      \
        VEC sample = SUFFIX(load)(row + c * LANES);                                         \
        STENCIL_HOLD(sample);                                                               \
        STENCIL_UNROLL for (int a = 0; a < A; a++) if (q - a >= 0 && q - a < ROWS)          \
            acc[q - a][c] = SUFFIX(add_product)(acc[q - a][c], t[a], sample);               \
    }
#else
#define ROW_OF_PRODUCTS(A)                                                                  \
    VEC x_row[VECTORS];                                                                     \
    STENCIL_UNROLL for (int c = 0; c < VECTORS; c++) {                                      \
        x_row[c] = SUFFIX(load)(row + c * LANES);                                           \
        STENCIL_HOLD(x_row[c]);                                                             \
    }                                                                                       \
    STENCIL_UNROLL for (int a = 0; a < A; a++) if (q - a >= 0 && q - a < ROWS)              \
        STENCIL_UNROLL for (int c = 0; c < VECTORS; c++) acc[q - a][c] =                    \
            SUFFIX(add_product)(acc[q - a][c], t[a], x_row[c]);
#endif

/* A vertically adjacent taps in each of `columns` columns. A is a literal, so that every loop
   over accumulators unrolls and they stay in registers. */
#define TAPS(A)                                                                             \
    do {                                                                                    \
        const SCALAR *p0 = top, *p1 = top + 4 * pitch, *p2 = top + 8 * pitch,               \
                     *p3 = top + 12 * pitch;                                                \
        for (ptrdiff_t v = columns; v > 0; v--) {                                           \
            SUFFIX(weight) t[A];                                                            \
            OPAQUE(p0);                                                                     \
            if (ROWS + A - 1 > 4) OPAQUE(p1);                                               \
            if (ROWS + A - 1 > 8) OPAQUE(p2);                                               \
            if (ROWS + A - 1 > 12) OPAQUE(p3);                                              \
            STENCIL_UNROLL for (int a = 0; a < A; a++) t[a] = SUFFIX(weight_of)(w[a]);      \
            STENCIL_UNROLL for (int q = 0; q < ROWS + A - 1; q++) {                         \
                const SCALAR *row = (q < 4 ? p0 : q < 8 ? p1 : q < 12 ? p2 : p3) +          \
                                    (q % 4 == 3 ? pitch3 : (q % 4) * pitch);                \
                ROW_OF_PRODUCTS(A);                                                         \
            }                                                                               \
            p0 += step, p1 += step, p2 += step, p3 += step;                                 \
            w += A;                                                                         \
        }                                                                                   \
        top += A * pitch;                                                                   \
        rows -= A;                                                                          \
    } while (0)

STENCIL_NOINLINE STENCIL_LIKELY_UNUSED IN_ORDER void TILE(
    const SCALAR *x, ptrdiff_t pitch, const stencil_segment *segments, ptrdiff_t n_segments,
#ifdef QUOTIENT
    const SCALAR *sums, SCALAR whole, SCALAR least,
#endif
    const SCALAR *w, SCALAR *y, ptrdiff_t y_pitch, int streaming) {
    SUFFIX(sum) acc[ROWS][VECTORS];
    ptrdiff_t pitch3 = 3 * pitch;
    OPAQUE(pitch3);
    STENCIL_UNROLL for (int r = 0; r < ROWS; r++)
        STENCIL_UNROLL for (int c = 0; c < VECTORS; c++) acc[r][c] = SUFFIX(no_sum)();
    for (ptrdiff_t s = 0; s < n_segments; s++) {
        const SCALAR *top = x + segments[s].offset;
        const ptrdiff_t columns = segments[s].columns, step = segments[s].step;
        ptrdiff_t rows = segments[s].rows;
        while (rows > 5 && rows != 6) TAPS(4);
        if (rows == 5) TAPS(5);
        else if (rows == 4) TAPS(4);
        else {
            if (rows == 6) TAPS(3);
            if (rows == 3) TAPS(3);
            else if (rows == 2) TAPS(2);
            else if (rows == 1) TAPS(1);
        }
    }
#ifdef QUOTIENT
    STENCIL_UNROLL for (int r = 0; r < ROWS; r++)
        STENCIL_UNROLL for (int c = 0; c < VECTORS; c++)
            acc[r][c] = SUFFIX(quotient)(SUFFIX(load)(sums + (r * VECTORS + c) * LANES), acc[r][c],
                                         whole, least);
#endif
    if (streaming) {
        STENCIL_UNROLL for (int r = 0; r < ROWS; r++)
            STENCIL_UNROLL for (int c = 0; c < VECTORS; c++)
                SUFFIX(stream)(y + r * y_pitch + c * LANES, SUFFIX(total)(acc[r][c]));
    } else {
        STENCIL_UNROLL for (int r = 0; r < ROWS; r++)
            STENCIL_UNROLL for (int c = 0; c < VECTORS; c++)
                SUFFIX(store)(y + r * y_pitch + c * LANES, SUFFIX(total)(acc[r][c]));
    }
}
#undef TAPS
#undef ROW_OF_PRODUCTS
#undef IN_ORDER
