/* One tile of rows of COLS vectors, for factors of TAPS taps each, the sum of two with CROSS; included
   once for each kind and type. */

#define HALF (TAPS / 2)
#define AT(c, u) SUFFIX(load)(x + (c) * LANES + (u) * step)
/* Σ w[u] · s[u], each pair of taps about the centre multiplied once. */
#define FOLDED(acc, w, flip, s)                                                                   \
    do {                                                                                          \
        acc = SUFFIX(splat)(0);                                                                   \
        STENCIL_UNROLL for (int u = 0; u < HALF; u++)                                             \
            acc = SUFFIX(multiply_add)(acc, w[u], SUFFIX(joined)(s(u), s(TAPS - 1 - u), flip));   \
        acc = SUFFIX(multiply_add)(acc, w[HALF], s(HALF));                                        \
    } while (0)
#define SAMPLE(u) AT(c, u)
#define SUM(u) sums[(k + (u)) % TAPS][c]
#ifdef CROSS
/* The sums along x go into the result as they are, beside those along y of the samples. */
#define NEXT_ROW(q)                                                                               \
    do {                                                                                          \
        EACH(c) {                                                                                 \
            sums[q][c] = SUFFIX(multiply_add)(SUFFIX(splat)(0), single_x, AT(c, HALF));           \
            FOLDED(beside[q][c], across, flip_x, SAMPLE);                                         \
        }                                                                                         \
        x += pitch;                                                                               \
    } while (0)
#else
#define NEXT_ROW(q)                                                                               \
    do {                                                                                          \
        EACH(c) FOLDED(sums[q][c], across, flip_x, SAMPLE);                                       \
        x += pitch;                                                                               \
    } while (0)
#endif

STENCIL_NOINLINE STENCIL_LIKELY_UNUSED int TILE(const SCALAR *x, ptrdiff_t pitch, ptrdiff_t step,
                                                const SCALAR *w, const SCALAR *divisor, SCALAR *y,
                                                ptrdiff_t y_pitch, ptrdiff_t rows, int streaming) {
    /* Of the last TAPS rows: the newest is in the place of the oldest. */
    VEC sums[TAPS][COLS], across[HALF + 1], down[HALF + 1];
#ifdef CROSS
    VEC beside[TAPS][COLS];
    const VEC single_x = SUFFIX(splat)(w[2 * TAPS + 2]), single_y = SUFFIX(splat)(w[2 * TAPS + 3]);
#endif
    const VEC flip_x = SUFFIX(splat)(w[2 * TAPS] < 0 ? (SCALAR)-0.0 : 0),
              flip_y = SUFFIX(splat)(w[2 * TAPS + 1] < 0 ? (SCALAR)-0.0 : 0);
    SUFFIX(words) carried = {0};
    WORD sign = 0;
    STENCIL_UNROLL for (int u = 0; u <= HALF; u++) {
        across[u] = SUFFIX(splat)(w[u]);
        down[u] = SUFFIX(splat)(w[TAPS + u]);
    }
    STENCIL_UNROLL for (int q = 0; q < TAPS - 1; q++) NEXT_ROW(q);
    for (ptrdiff_t r = 0; r < rows;) {
        STENCIL_UNROLL for (int k = 0; k < TAPS; k++) {
            NEXT_ROW((k + TAPS - 1) % TAPS);
            EACH(c) {
                VEC acc;
                FOLDED(acc, down, flip_y, SUM);
#ifdef CROSS
                acc = SUFFIX(multiply_add)(acc, single_y, beside[(k + HALF) % TAPS][c]);
#endif
                if (divisor) acc = SUFFIX(over)(acc, SUFFIX(splat)(*divisor));
                carried = SUFFIX(carried)(carried, acc);
                if (streaming) SUFFIX(stream)(y + c * LANES, acc);
                else SUFFIX(store)(y + c * LANES, acc);
            }
            y += y_pitch;
            if (++r == rows) break;
        }
    }
    for (int lane = 0; lane < LANES; lane++) sign |= LANE(carried, lane);
    return sign >> (8 * sizeof(WORD) - 1);
}
#undef HALF
#undef AT
#undef FOLDED
#undef SAMPLE
#undef SUM
#undef NEXT_ROW
