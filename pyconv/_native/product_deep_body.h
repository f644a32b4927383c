/* One tile of rows of COLS vectors along three axes, for factors of TAPS taps each, their sum with CROSS;
   included once for each kind and type. Its rows are planes; x begins at `at` for each of TAPS rows of
   one. */

#define AT(row, c, u, beyond) LOAD(from[row] + (beyond) + (c) * LANES + (u) * step)
/* Three taps, the outer ones a pair that is multiplied once: a sample times 1 or −1 is exact. */
#define FOLDED(w, sign, s)                                                                        \
    SUFFIX(multiply_add)(                                                                         \
        SUFFIX(multiply_add)(SUFFIX(splat)(0), w[0], SUFFIX(multiply_add)(s(0), sign, s(2))),     \
        w[1], s(1))
#define SUM(u) sums[(k + (u)) % TAPS][c]
#ifdef CROSS
/* Of a plane only what lies in the middle; its neighbours there when it gives a row of the result. */
#define NEXT_ROW(q, beyond) EACH(c) sums[q][c] = AT(1, c, 1, beyond)
#define ABOVE_IT(u) ((u) == 1 ? SUM(1) : AT(u, c, 1, 0))
#define BESIDE_IT(u) ((u) == 1 ? SUM(1) : AT(1, c, u, 0))
#define WITH_OTHERS(acc)                                                                          \
    SUFFIX(plus)(SUFFIX(plus)(acc, FOLDED(down, sign_y, ABOVE_IT)),                               \
                 FOLDED(across, sign_x, BESIDE_IT))
#else
#define IN_ROW_0(u) AT(0, c, u, past)
#define IN_ROW_1(u) AT(1, c, u, past)
#define IN_ROW_2(u) AT(2, c, u, past)
#define ROW_SUM(u) rows_of[u]
#define NEXT_ROW(q, beyond)                                                                       \
    EACH(c) {                                                                                     \
        const ptrdiff_t past = beyond;                                                            \
        const VEC rows_of[3] = {FOLDED(across, sign_x, IN_ROW_0), FOLDED(across, sign_x, IN_ROW_1), \
                                FOLDED(across, sign_x, IN_ROW_2)};                                \
        sums[q][c] = FOLDED(down, sign_y, ROW_SUM);                                               \
    }
#define WITH_OTHERS(acc) (acc)
#endif
#define MOVE_ON                                                                                   \
    do {                                                                                          \
        STENCIL_UNROLL for (int u = 0; u < 3; u++) {                                              \
            from[u] += pitch;                                                                     \
            OPAQUE(from[u]);                                                                      \
        }                                                                                         \
    } while (0)
/* A row of results: `from` is the plane in the middle. */
#define RESULTS                                                                                   \
    do {                                                                                          \
        NEXT_ROW((k + TAPS - 1) % TAPS, pitch);                                                          \
        EACH(c) {                                                                                 \
            VEC acc = WITH_OTHERS(FOLDED(deep, sign_z, SUM));                                     \
            if (!plain && divisor) acc = SUFFIX(over)(acc, SUFFIX(splat)(*divisor));              \
            carried = SUFFIX(carried)(carried, acc);                                              \
            if (!plain && streaming) STREAM(y + c * LANES, acc);                                  \
            else STORE(y + c * LANES, acc);                                                       \
        }                                                                                         \
        MOVE_ON;                                                                                  \
        y += y_pitch;                                                                             \
        OPAQUE(y);                                                                                \
    } while (0)

/* `plain` is a literal: no divisor, and stores as usual. */
STENCIL_INLINE int TILE_BODY(const int plain, const SAMPLE *x, const ptrdiff_t *at,
                             ptrdiff_t pitch, ptrdiff_t step, const SCALAR *w,
                             const SCALAR *divisor, SAMPLE *y, ptrdiff_t y_pitch, ptrdiff_t rows,
                             int streaming) {
    /* Of the last TAPS planes: the newest is in the place of the oldest. */
    VEC sums[TAPS][COLS], across[2], down[2], deep[2];
    const VEC sign_x = SUFFIX(splat)(w[9]), sign_y = SUFFIX(splat)(w[10]),
              sign_z = SUFFIX(splat)(w[11]);
    const SAMPLE *from[TAPS];
    SUFFIX(words) carried = {0};
    WORD sign = 0;
    ptrdiff_t r = 0;
    STENCIL_UNROLL for (int u = 0; u < TAPS; u++) from[u] = x + at[u];
    STENCIL_UNROLL for (int u = 0; u < 2; u++) {
        across[u] = SUFFIX(splat)(w[u]);
        down[u] = SUFFIX(splat)(w[3 + u]);
        deep[u] = SUFFIX(splat)(w[6 + u]);
    }
    NEXT_ROW(0, 0);
    NEXT_ROW(1, pitch);
    MOVE_ON;
    ALL_ROWS;
}

STENCIL_NOINLINE STENCIL_LIKELY_UNUSED int TILE(const SAMPLE *x, const ptrdiff_t *at,
                                                ptrdiff_t pitch, ptrdiff_t step, const SCALAR *w,
                                                const SCALAR *divisor, SAMPLE *y,
                                                ptrdiff_t y_pitch, ptrdiff_t rows, int streaming) {
    if (divisor || streaming)
        return TILE_BODY(0, x, at, pitch, step, w, divisor, y, y_pitch, rows, streaming);
    return TILE_BODY(1, x, at, pitch, step, w, divisor, y, y_pitch, rows, streaming);
}
#undef AT
#undef FOLDED
#undef SUM
#undef ABOVE_IT
#undef BESIDE_IT
#undef IN_ROW_0
#undef IN_ROW_1
#undef IN_ROW_2
#undef ROW_SUM
#undef NEXT_ROW
#undef WITH_OTHERS
#undef MOVE_ON
#undef RESULTS
