/* One tile of ROWS × VECTORS accumulators; included once for each shape and type. With QUOTIENT
   the results are the tile `sums`, contiguous, over that of x: see `quotient`. */

/* A vertically adjacent taps in each of `columns` columns. A is a literal, so that every loop
   over accumulators unrolls and they stay in registers. */
#define TAPS(A)                                                                             \
    do {                                                                                    \
        const SCALAR *p0 = top, *p1 = top + 4 * pitch, *p2 = top + 8 * pitch,               \
                     *p3 = top + 12 * pitch;                                                \
        for (ptrdiff_t v = columns; v > 0; v--) {                                           \
            VEC t[A];                                                                       \
            OPAQUE(p0);                                                                     \
            if (ROWS + A - 1 > 4) OPAQUE(p1);                                               \
            if (ROWS + A - 1 > 8) OPAQUE(p2);                                               \
            if (ROWS + A - 1 > 12) OPAQUE(p3);                                              \
            STENCIL_UNROLL for (int a = 0; a < A; a++) t[a] = SUFFIX(splat)(w[a]);          \
            STENCIL_UNROLL for (int q = 0; q < ROWS + A - 1; q++) {                         \
                const SCALAR *row = (q < 4 ? p0 : q < 8 ? p1 : q < 12 ? p2 : p3) +          \
                                    (q % 4 == 3 ? pitch3 : (q % 4) * pitch);                \
                VEC x_row[VECTORS];                                                         \
                STENCIL_UNROLL for (int c = 0; c < VECTORS; c++) {                          \
                    x_row[c] = SUFFIX(load)(row + c * LANES);                               \
                    STENCIL_HOLD(x_row[c]);                                                 \
                }                                                                           \
                STENCIL_UNROLL for (int a = 0; a < A; a++) if (q - a >= 0 && q - a < ROWS)  \
                    STENCIL_UNROLL for (int c = 0; c < VECTORS; c++) acc[q - a][c] =        \
                        SUFFIX(multiply_add)(acc[q - a][c], t[a], x_row[c]);                \
            }                                                                               \
            p0 += step, p1 += step, p2 += step, p3 += step;                                 \
            w += A;                                                                         \
        }                                                                                   \
        top += A * pitch;                                                                   \
        rows -= A;                                                                          \
    } while (0)

STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void TILE(
    const SCALAR *x, ptrdiff_t pitch, const stencil_segment *segments, ptrdiff_t n_segments,
#ifdef QUOTIENT
    const SCALAR *sums, SCALAR whole, SCALAR least,
#endif
    const SCALAR *w, SCALAR *y, ptrdiff_t y_pitch, int streaming) {
    VEC acc[ROWS][VECTORS];
    ptrdiff_t pitch3 = 3 * pitch;
    OPAQUE(pitch3);
    STENCIL_UNROLL for (int r = 0; r < ROWS; r++)
        STENCIL_UNROLL for (int c = 0; c < VECTORS; c++) acc[r][c] = SUFFIX(splat)(0);
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
                SUFFIX(stream)(y + r * y_pitch + c * LANES, acc[r][c]);
    } else {
        STENCIL_UNROLL for (int r = 0; r < ROWS; r++)
            STENCIL_UNROLL for (int c = 0; c < VECTORS; c++)
                SUFFIX(store)(y + r * y_pitch + c * LANES, acc[r][c]);
    }
}
#undef TAPS
