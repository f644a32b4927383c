/* One tile of rows of COLS vectors, for factors of TAPS taps each, the sum of two with CROSS; included
   once for each kind and type. */

#define HALF (TAPS / 2)
#define AT(c, u) LOAD(x + (c) * LANES + (u) * step)
/* Σ w[u] · s[u], each pair of taps about the centre multiplied once. A sample times 1 or −1 is exact, so
   that the sum of a pair has one rounding. */
#define FOLDED(acc, w, sign, s)                                                                   \
    do {                                                                                          \
        acc = SUFFIX(splat)(0);                                                                   \
        STENCIL_UNROLL for (int u = 0; u < HALF; u++) acc = SUFFIX(multiply_add)(                 \
            acc, w[u], SUFFIX(multiply_add)(s(u), sign, s(TAPS - 1 - u)));                        \
        acc = SUFFIX(multiply_add)(acc, w[HALF], s(HALF));                                        \
    } while (0)
#define BESIDE_IT(u) AT(c, u)
#define SUM(u) sums[(k + (u)) % TAPS][c]
#ifdef CROSS
/* The sums along x go into the result as they are, beside those along y of the samples. */
#define NEXT_ROW(q)                                                                               \
    do {                                                                                          \
        EACH(c) {                                                                                 \
            sums[q][c] = SUFFIX(multiply_add)(SUFFIX(splat)(0), single_x, AT(c, HALF));           \
            FOLDED(beside[q][c], across, sign_x, BESIDE_IT);                                         \
        }                                                                                         \
        x += pitch;                                                                               \
        OPAQUE(x);                                                                                \
    } while (0)
#else
#define NEXT_ROW(q)                                                                               \
    do {                                                                                          \
        EACH(c) FOLDED(sums[q][c], across, sign_x, BESIDE_IT);                                       \
        x += pitch;                                                                               \
        OPAQUE(x);                                                                                \
    } while (0)
#endif
/* A row of results, from the sums of row q on. */
#ifdef CROSS
#define BESIDE(acc) acc = SUFFIX(multiply_add)(acc, single_y, beside[(k + HALF) % TAPS][c])
#else
#define BESIDE(acc) (void)0
#endif
#define RESULTS                                                                                   \
    do {                                                                                          \
        NEXT_ROW((k + TAPS - 1) % TAPS);                                                          \
        EACH(c) {                                                                                 \
            VEC acc;                                                                              \
            FOLDED(acc, down, sign_y, SUM);                                                       \
            BESIDE(acc);                                                                          \
            if (!plain && divisor) acc = SUFFIX(over)(acc, SUFFIX(splat)(*divisor));              \
            carried = SUFFIX(carried)(carried, acc);                                              \
            if (!plain && streaming) STREAM(y + c * LANES, acc);                          \
            else STORE(y + c * LANES, acc);                                               \
        }                                                                                         \
        y += y_pitch;                                                                             \
        OPAQUE(y);                                                                                \
    } while (0)

/* `plain` is a literal: no divisor, and stores as usual. */
STENCIL_INLINE int TILE_BODY(const int plain, const SAMPLE *x, ptrdiff_t pitch,
                                     ptrdiff_t step, const SCALAR *w, const SCALAR *divisor,
                                     SAMPLE *y, ptrdiff_t y_pitch, ptrdiff_t rows, int streaming) {
    /* Of the last TAPS rows: the newest is in the place of the oldest. */
    VEC sums[TAPS][COLS], across[HALF + 1], down[HALF + 1];
#ifdef CROSS
    VEC beside[TAPS][COLS];
    const VEC single_x = SUFFIX(splat)(w[2 * TAPS + 2]), single_y = SUFFIX(splat)(w[2 * TAPS + 3]);
#endif
    const VEC sign_x = SUFFIX(splat)(w[2 * TAPS]), sign_y = SUFFIX(splat)(w[2 * TAPS + 1]);
    SUFFIX(words) carried = {0};
    WORD sign = 0;
    ptrdiff_t r = 0;
    STENCIL_UNROLL for (int u = 0; u <= HALF; u++) {
        across[u] = SUFFIX(splat)(w[u]);
        down[u] = SUFFIX(splat)(w[TAPS + u]);
    }
    STENCIL_UNROLL for (int q = 0; q < TAPS - 1; q++) NEXT_ROW(q);
    ALL_ROWS;
}

STENCIL_NOINLINE STENCIL_LIKELY_UNUSED int TILE(const SAMPLE *x, const ptrdiff_t *at,
                                                ptrdiff_t pitch, ptrdiff_t step, const SCALAR *w,
                                                const SCALAR *divisor, SAMPLE *y,
                                                ptrdiff_t y_pitch, ptrdiff_t rows, int streaming) {
    (void)at;
    if (divisor || streaming)
        return TILE_BODY(0, x, pitch, step, w, divisor, y, y_pitch, rows, streaming);
    return TILE_BODY(1, x, pitch, step, w, divisor, y, y_pitch, rows, streaming);
}
#undef HALF
#undef AT
#undef FOLDED
#undef BESIDE_IT
#undef SUM
#undef NEXT_ROW
#undef BESIDE
#undef RESULTS
