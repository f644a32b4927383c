/* Rows of sums in double, cut towards zero:  y[i] = trunc((Σ_k (x[a_k + i] ± x[b_k + i]) w_k) / n),
   or left for `row_emits` to round half to even.

   Every product is rounded before it is added, in the order of the terms: where a sum is a whole
   number but for its last bits, that decides the result. So nothing here may be fused into one
   operation, though the compiler is told that it may: products pass through ROUNDED. */
#pragma once
#include "rows.h"
#include "stencil.h"

typedef struct {
    ptrdiff_t n_singles, n_pairs;
    const ptrdiff_t *singles, *firsts, *seconds; /* offsets of samples */
    const double *weights;                       /* of the singles, then of the pairs */
    double divisor;
    int difference; /* of pairs, not their sum */
    int whole;      /* whether sums are left as they are: what emits them rounds them */
    int truth;      /* 1 for what is not cut to 0 */
    int clip;       /* whether sums are clipped to what follows before they are cut */
    double low, high;
} truncated_terms;

/* What a 64-bit integer holds; NaN and everything else becomes 0. */
#define TRUNCATED_LIMIT 9223372036854775808.0

#if STENCIL_HAS_VECTORS
#define TRUNCATED_VECTORS 4
#define TRUNCATED_LANES ((ptrdiff_t)(STENCIL_VECTOR_BYTES / sizeof(double)))
typedef int64_t truncated_mask __attribute__((vector_size(STENCIL_VECTOR_BYTES), may_alias));
#if defined(__AVX512F__)
#define ROUNDED(vector) __asm__("" : "+v"(vector))
#elif defined(__x86_64__)
#define ROUNDED(vector) __asm__("" : "+x"(vector))
#elif defined(__aarch64__)
#define ROUNDED(vector) __asm__("" : "+w"(vector))
#else
#define ROUNDED(vector) __asm__("" : "+m"(vector))
#endif
/* Outputs of a tile. */
#define TRUNCATED_STEP (TRUNCATED_VECTORS * TRUNCATED_LANES)

STENCIL_INLINE void truncated_add(vec_double *sums, const double *a, const double *b,
                                  double weight, int fold) {
    const vec_double w = splat_double(weight);
    for (int i = 0; i < TRUNCATED_VECTORS; i++) {
        vec_double sample = load_double(a + i * TRUNCATED_LANES);
        if (fold > 0) sample = sample + load_double(b + i * TRUNCATED_LANES);
        if (fold < 0) sample = sample - load_double(b + i * TRUNCATED_LANES);
        sample = sample * w;
        ROUNDED(sample);
        sums[i] = sums[i] + sample;
    }
}

STENCIL_INLINE vec_double truncated_whole(vec_double sum, const truncated_terms *t) {
    if (t->divisor != 1) sum = sum / splat_double(t->divisor);
    if (t->whole) return sum;
    if (t->clip) {
        const vec_double low = splat_double(t->low), high = splat_double(t->high);
        const truncated_mask under = sum < low, over = sum > high;
        sum = (vec_double)((under & (truncated_mask)low) | (over & (truncated_mask)high)
                           | (~(under | over) & (truncated_mask)sum));
    }
    const vec_double limit = splat_double(TRUNCATED_LIMIT);
    if (t->truth) {
        const truncated_mask whole = (sum >= splat_double(1)) | (sum <= splat_double(-1));
        return (vec_double)(whole & (truncated_mask)splat_double(1));
    }
    return (vec_double)(((sum < limit) & (sum >= -limit)) & (truncated_mask)sum);
}

/* Rows have room for whole steps, which are read and written. */
static void truncated_row(const double *x, const truncated_terms *t, ptrdiff_t n, double *y) {
    vec_double sums[TRUNCATED_VECTORS];
    for (ptrdiff_t j = 0; j < n; j += TRUNCATED_STEP) {
        const double *w = t->weights;
        for (int i = 0; i < TRUNCATED_VECTORS; i++) sums[i] = splat_double(0);
        for (ptrdiff_t k = 0; k < t->n_singles; k++)
            truncated_add(sums, x + t->singles[k] + j, x, *w++, 0);
        if (t->difference)
            for (ptrdiff_t k = 0; k < t->n_pairs; k++)
                truncated_add(sums, x + t->firsts[k] + j, x + t->seconds[k] + j, *w++, -1);
        else
            for (ptrdiff_t k = 0; k < t->n_pairs; k++)
                truncated_add(sums, x + t->firsts[k] + j, x + t->seconds[k] + j, *w++, 1);
        for (int i = 0; i < TRUNCATED_VECTORS; i++)
            store_double(y + j + i * TRUNCATED_LANES, truncated_whole(sums[i], t));
    }
}
#else
#define TRUNCATED_STEP ((ptrdiff_t)1)
static void truncated_row(const double *x, const truncated_terms *t, ptrdiff_t n, double *y) {
    for (ptrdiff_t j = 0; j < n; j++) {
        const double *w = t->weights;
        double sum = 0;
        for (ptrdiff_t k = 0; k < t->n_singles; k++) {
            const volatile double product = x[t->singles[k] + j] * *w++;
            sum += product;
        }
        for (ptrdiff_t k = 0; k < t->n_pairs; k++) {
            const double a = x[t->firsts[k] + j], b = x[t->seconds[k] + j];
            const volatile double product = (t->difference ? a - b : a + b) * *w++;
            sum += product;
        }
        sum /= t->divisor;
        if (t->clip) sum = sum < t->low ? t->low : sum > t->high ? t->high : sum;
        if (t->whole) y[j] = sum;
        else if (t->truth) y[j] = sum >= 1 || sum <= -1;
        else y[j] = sum < TRUNCATED_LIMIT && sum >= -TRUNCATED_LIMIT ? trunc(sum) : 0;
    }
}
#endif
