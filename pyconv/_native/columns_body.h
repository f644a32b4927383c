/* y[r][c] = Σ_sets Σ_t w[t] · x[offset + rows[r + t] + c]: the tile whose rows lie anywhere.

   ROWS outputs of one column of vectors; included once for each type. A set of taps says where its
   rows are, and whether its weights are their own mirror image (or the negative of it): then the
   samples of two taps are added (subtracted) first, and multiplied once. GROUP taps, or pairs of
   them, are taken together, so that ROWS + GROUP − 1 loads feed ROWS · GROUP multiply-adds.
   Every output sums its taps in the same order; of a mean the sum is divided by `divisor`, unless
   that is NULL. */

#define ROWS STENCIL_COLUMN_ROWS
#define GROUP STENCIL_COLUMN_GROUP
#define AT(row) SUFFIX(load)(from + (row))

#define SINGLES(A)                                                                           \
    do {                                                                                     \
        const ptrdiff_t *row = set->rows + u;                                                \
        SUFFIX(weight) t[A];                                                                 \
        STENCIL_UNROLL for (int a = 0; a < A; a++) t[a] = SUFFIX(weight_of)(w[u + a]);       \
        STENCIL_UNROLL for (int q = 0; q < ROWS + A - 1; q++) {                              \
            VEC sample = AT(row[q]);                                                         \
            STENCIL_HOLD(sample);                                                            \
            STENCIL_UNROLL for (int a = 0; a < A; a++) if (q - a >= 0 && q - a < ROWS)       \
                acc[q - a] = SUFFIX(add_product)(acc[q - a], t[a], sample);                  \
        }                                                                                    \
        u += A;                                                                              \
    } while (0)

/* Taps u … u + A − 1 and their images: a row from the top meets every other of 2A − 1 rows from
   the bottom, which move down with it. */
#define PAIRS(A, JOIN)                                                                       \
    do {                                                                                     \
        const ptrdiff_t *top = set->rows + u, *bottom = set->rows + taps - A - u;            \
        SUFFIX(weight) t[A];                                                                 \
        VEC low[ROWS + A - 1];                                                               \
        STENCIL_UNROLL for (int a = 0; a < A; a++) t[a] = SUFFIX(weight_of)(w[u + a]);       \
        STENCIL_UNROLL for (int b = 0; b < A - 1; b++) {                                     \
            low[b] = AT(bottom[b]);                                                          \
            STENCIL_HOLD(low[b]);                                                            \
        }                                                                                    \
        STENCIL_UNROLL for (int q = 0; q < ROWS + A - 1; q++) {                              \
            VEC high = AT(top[q]);                                                           \
            STENCIL_HOLD(high);                                                              \
            if (q < ROWS) {                                                                  \
                low[q + A - 1] = AT(bottom[q + A - 1]);                                      \
                STENCIL_HOLD(low[q + A - 1]);                                                \
            }                                                                                \
            STENCIL_UNROLL for (int a = 0; a < A; a++) if (q - a >= 0 && q - a < ROWS)       \
                acc[q - a] = SUFFIX(add_product)(                                            \
                    acc[q - a], t[a], SUFFIX(JOIN)(high, low[q - 2 * a + A - 1]));           \
        }                                                                                    \
        u += A;                                                                              \
    } while (0)
#define SUMS(A) PAIRS(A, plus)
#define DIFFERENCES(A) PAIRS(A, minus)

/* Three taps, the outer ones a pair: each row is loaded once. */
#define TRIPLE(JOIN)                                                                         \
    do {                                                                                     \
        const SUFFIX(weight) outer = SUFFIX(weight_of)(w[0]), middle = SUFFIX(weight_of)(w[1]); \
        VEC sample[ROWS + 2];                                                                \
        STENCIL_UNROLL for (int q = 0; q < ROWS + 2; q++) {                                  \
            sample[q] = AT(set->rows[q]);                                                    \
            STENCIL_HOLD(sample[q]);                                                         \
            if (q < 2) continue;                                                             \
            acc[q - 2] = SUFFIX(add_product)(acc[q - 2], outer,                              \
                                             SUFFIX(JOIN)(sample[q - 2], sample[q]));        \
            acc[q - 2] = SUFFIX(add_product)(acc[q - 2], middle, sample[q - 1]);             \
        }                                                                                    \
    } while (0)

/* All up to `end`, in groups of which the last are smaller. */
#define IN_GROUPS(TAKE, end)                                                                 \
    do {                                                                                     \
        while (end - u >= GROUP && (GROUP < 4 || end - u != 5)) TAKE(GROUP);                 \
        if (GROUP > 3 && (end - u == 5 || end - u == 3)) TAKE(3);                            \
        if (end - u == 2) TAKE(2);                                                           \
        if (end - u == 1) TAKE(1);                                                           \
    } while (0)

STENCIL_NOINLINE STENCIL_LIKELY_UNUSED STENCIL_IN_ORDER void SUFFIX(columns)(
    const SCALAR *x, const stencil_set *sets, ptrdiff_t n_sets, const SCALAR *w,
    const SCALAR *divisor, SCALAR *y, ptrdiff_t y_pitch, int streaming) {
    SUFFIX(sum) acc[ROWS];
    STENCIL_UNROLL for (int r = 0; r < ROWS; r++) acc[r] = SUFFIX(no_sum)();
    for (const stencil_set *set = sets; set < sets + n_sets; set++) {
        const SCALAR *from = x + set->offset;
        const ptrdiff_t taps = set->taps, half = taps / 2;
        ptrdiff_t u = 0;
        if (set->fold == 0) {
            IN_GROUPS(SINGLES, taps);
        } else if (taps == 3) {
            if (set->fold > 0) TRIPLE(plus);
            else TRIPLE(minus);
        } else {
            if (set->fold > 0) IN_GROUPS(SUMS, half);
            else IN_GROUPS(DIFFERENCES, half);
            if (taps % 2) SINGLES(1); /* the one in the middle */
        }
        w += taps;
    }
#ifndef SCALAR_IS_INTEGER
    if (divisor) {
        const VEC spread = SUFFIX(splat)(*divisor);
        STENCIL_UNROLL for (int r = 0; r < ROWS; r++) acc[r] = SUFFIX(over)(acc[r], spread);
    }
#else
    (void)divisor;
#endif
    if (streaming) {
        STENCIL_UNROLL for (int r = 0; r < ROWS; r++)
            SUFFIX(stream)(y + r * y_pitch, SUFFIX(total)(acc[r]));
    } else {
        STENCIL_UNROLL for (int r = 0; r < ROWS; r++)
            SUFFIX(store)(y + r * y_pitch, SUFFIX(total)(acc[r]));
    }
}
#undef ROWS
#undef GROUP
#undef AT
#undef SINGLES
#undef PAIRS
#undef SUMS
#undef TRIPLE
#undef DIFFERENCES
#undef IN_GROUPS
