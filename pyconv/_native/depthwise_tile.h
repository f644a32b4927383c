/* The tile of depthwise.h for one SCALAR type; included once for each. */

#define VEC SUFFIX(vec)

/* ---- the set of lanes from one to before another ---------------------------------------- */

STENCIL_INLINE ptrdiff_t SUFFIX(lane)(ptrdiff_t i) { return i < 0 ? 0 : i > LANES ? LANES : i; }

#ifdef LANE
static const LANE SUFFIX(lanes_before)[2 * LANES] = {
#if LANES == 8
    -1, -1, -1, -1,
#endif
    -1, -1, -1, -1,
};
STENCIL_INLINE SET SUFFIX(lanes)(ptrdiff_t from, ptrdiff_t to) {
    const LANE *end = SUFFIX(lanes_before) + LANES;
    return _mm256_andnot_si256(
        _mm256_loadu_si256((const __m256i *)(end - SUFFIX(lane)(from))),
        _mm256_loadu_si256((const __m256i *)(end - SUFFIX(lane)(to))));
}
#else
STENCIL_INLINE SET SUFFIX(lanes)(ptrdiff_t from, ptrdiff_t to) {
    return (SET)(((1u << SUFFIX(lane)(to)) - 1) & ~((1u << SUFFIX(lane)(from)) - 1));
}
#endif

/* ---- the tile --------------------------------------------------------------------------- */

/* A vector of samples, all of them inside or only those of a set. */
#define LOAD_INSIDE(p, set) (inside ? SUFFIX(load)(p) : LOAD_SET(p, set))

/* A run of A taps in each column; with a step of 2 a pair of vectors serves two columns, whose
   weights lie by turns. A, step and inside are literals. */
#define TAPS(A)                                                                               \
    for (ptrdiff_t v = 0; v < d->taps; v++) {                                                 \
        const ptrdiff_t at = first + v * d->dilation;                                         \
        const int both = step == 2 && d->dilation == 1 && v + 1 < d->taps;                    \
        SET set = SUFFIX(lanes)(-at, d->size - at), set2 = set;                               \
        VEC t[A], t2[A];                                                                      \
        if (step == 2) set2 = SUFFIX(lanes)(-at - LANES, d->size - at - LANES);               \
        if (both) {                                                                           \
            STENCIL_UNROLL for (int a = 0; a < A; a++) {                                      \
                t[a] = SUFFIX(splat)(w[2 * a]);                                               \
                t2[a] = SUFFIX(splat)(w[2 * a + 1]);                                          \
            }                                                                                 \
            w += 2 * A;                                                                       \
            v++;                                                                              \
            STENCIL_UNROLL for (int q = 0; q < DEPTHWISE_ROWS + A - 1; q++) {                 \
                const SCALAR *p = row[q] + at;                                                \
                VEC low = LOAD_INSIDE(p, set), high = LOAD_INSIDE(p + LANES, set2);           \
                VEC even = EVERY_OTHER(low, high, EVEN), odd = EVERY_OTHER(low, high, ODD);   \
                STENCIL_UNROLL for (int a = 0; a < A; a++) if (q - a >= 0 &&                  \
                                                               q - a < DEPTHWISE_ROWS) {      \
                    acc[q - a] = SUFFIX(multiply_add)(acc[q - a], t[a], even);                \
                    acc[q - a] = SUFFIX(multiply_add)(acc[q - a], t2[a], odd);                \
                }                                                                             \
            }                                                                                 \
            continue;                                                                         \
        }                                                                                     \
        STENCIL_UNROLL for (int a = 0; a < A; a++) t[a] = SUFFIX(splat)(w[a]);                \
        w += A;                                                                               \
        STENCIL_UNROLL for (int q = 0; q < DEPTHWISE_ROWS + A - 1; q++) {                     \
            const SCALAR *p = row[q] + at;                                                    \
            VEC x = LOAD_INSIDE(p, set);                                                      \
            if (step == 2) x = EVERY_OTHER(x, LOAD_INSIDE(p + LANES, set2), EVEN);            \
            STENCIL_HOLD(x);                                                                  \
            STENCIL_UNROLL for (int a = 0; a < A; a++) if (q - a >= 0 &&                      \
                                                           q - a < DEPTHWISE_ROWS) acc[q - a] = \
                SUFFIX(multiply_add)(acc[q - a], t[a], x);                                    \
        }                                                                                     \
    }

STENCIL_INLINE void SUFFIX(depthwise_sums)(const int step, const int inside,
                                           const SUFFIX(depthwise) * d, ptrdiff_t r,
                                           ptrdiff_t first, const SCALAR *w,
                                           const SCALAR *bias, SCALAR *y, ptrdiff_t y_row,
                                           ptrdiff_t rows, ptrdiff_t cols) {
    VEC acc[DEPTHWISE_ROWS];
    const SET kept = SUFFIX(lanes)(0, cols);
    STENCIL_UNROLL for (int i = 0; i < DEPTHWISE_ROWS; i++) acc[i] = SUFFIX(splat)(0);
    for (ptrdiff_t k = 0; k < d->n_runs; k++) {
        const SCALAR *const *row = d->rows + d->runs[k].first + r;
        switch (d->runs[k].rows) {
        case 1: TAPS(1); break;
        case 2: TAPS(2); break;
        case 3: TAPS(3); break;
        case 4: TAPS(4); break;
        default: TAPS(5);
        }
    }
    if (bias) {
        const VEC start = SUFFIX(splat)(*bias);
        STENCIL_UNROLL for (int i = 0; i < DEPTHWISE_ROWS; i++)
            acc[i] = SUFFIX(plus)(acc[i], start);
    }
    STENCIL_UNROLL for (int i = 0; i < DEPTHWISE_ROWS; i++) {
        if (i >= rows) break;
        if (cols >= LANES) SUFFIX(store)(y + i * y_row, acc[i]);
        else STORE_SET(y + i * y_row, kept, acc[i]);
    }
}

#define TILE_OF(name, step, inside)                                                             \
    STENCIL_NOINLINE void SUFFIX(name)(const SUFFIX(depthwise) * d, ptrdiff_t r,                \
                                       ptrdiff_t first, const SCALAR *w, const SCALAR *bias,    \
                                       SCALAR *y, ptrdiff_t y_row, ptrdiff_t rows,              \
                                       ptrdiff_t cols) {                                        \
        SUFFIX(depthwise_sums)(step, inside, d, r, first, w, bias, y, y_row, rows, cols);       \
    }
TILE_OF(depthwise_inside_1, 1, 1)
TILE_OF(depthwise_inside_2, 2, 1)
TILE_OF(depthwise_border_1, 1, 0)
TILE_OF(depthwise_border_2, 2, 0)

/* Rows r … of a block of `rows` × `cols` results: the samples of the first begin at `origin`. */
STENCIL_NOINLINE void SUFFIX(depthwise_block)(const SUFFIX(depthwise) * d, ptrdiff_t origin,
                                              const SCALAR *w, const SCALAR *bias, SCALAR *y,
                                              ptrdiff_t y_row, ptrdiff_t rows,
                                              ptrdiff_t cols) {
    const ptrdiff_t reach = (d->taps - 1) * d->dilation + d->step * LANES;
    for (ptrdiff_t r = 0; r < rows; r += DEPTHWISE_ROWS)
        for (ptrdiff_t c = 0; c < cols; c += LANES) {
            const ptrdiff_t first = origin + c * d->step;
            const int inside = first >= 0 && first + reach <= d->size;
            (d->step == 1 ? inside ? SUFFIX(depthwise_inside_1) : SUFFIX(depthwise_border_1)
             : inside     ? SUFFIX(depthwise_inside_2)
                          : SUFFIX(depthwise_border_2))(d, r, first, w, bias, y + r * y_row + c,
                                                        y_row, rows - r, cols - c);
        }
}

#undef TILE_OF
#undef TAPS
#undef LOAD_INSIDE
#undef VEC
