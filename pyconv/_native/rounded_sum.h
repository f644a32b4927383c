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
    double inverse; /* 1 / divisor, where sums are whole numbers, so that a product tells where they are
                       cut; else 0 */
    int mean;       /* whether all weights are 1 */
    int difference; /* of pairs, not their sum */
    int whole;      /* whether sums are left as they are: what emits them rounds them */
    int truth;      /* 1 for what is not cut to 0 */
    int clip;       /* whether sums are clipped to what follows before they are cut */
    double low, high;
} rounded_sum_terms;

/* What a 64-bit integer holds; NaN and everything else becomes 0. */
#define ROUNDED_SUM_LIMIT 9223372036854775808.0

#if STENCIL_HAS_VECTORS
#define ROUNDED_SUM_VECTORS 4
#define ROUNDED_SUM_LANES ((ptrdiff_t)(STENCIL_VECTOR_BYTES / sizeof(double)))
typedef int64_t rounded_sum_mask __attribute__((vector_size(STENCIL_VECTOR_BYTES), may_alias));
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
#define ROUNDED_SUM_STEP (ROUNDED_SUM_VECTORS * ROUNDED_SUM_LANES)

STENCIL_INLINE void rounded_sum_add(vec_double *sums, const double *a, const double *b,
                                  double weight, int fold) {
    const vec_double w = splat_double(weight);
    for (int i = 0; i < ROUNDED_SUM_VECTORS; i++) {
        vec_double sample = load_double(a + i * ROUNDED_SUM_LANES);
        if (fold > 0) sample = sample + load_double(b + i * ROUNDED_SUM_LANES);
        if (fold < 0) sample = sample - load_double(b + i * ROUNDED_SUM_LANES);
        sample = sample * w;
        ROUNDED(sample);
        sums[i] = sums[i] + sample;
    }
}

STENCIL_INLINE void rounded_sum_count(vec_double *sums, const double *a) {
    for (int i = 0; i < ROUNDED_SUM_VECTORS; i++)
        sums[i] = sums[i] + load_double(a + i * ROUNDED_SUM_LANES);
}

STENCIL_INLINE vec_double rounded_sum_whole(vec_double sum, const rounded_sum_terms *t) {
    if (t->inverse != 0) { /* half a sample further from 0, no quotient is near a whole number */
        const rounded_sum_mask sign = (rounded_sum_mask)splat_double(-0.0),
                               half = (rounded_sum_mask)splat_double(0.5);
        sum = sum + (vec_double)(((rounded_sum_mask)sum & sign) | half);
        sum = sum * splat_double(t->inverse);
    } else if (t->divisor != 1)
        sum = sum / splat_double(t->divisor);
    if (t->whole) return sum;
    if (t->clip) {
        const vec_double low = splat_double(t->low), high = splat_double(t->high);
        const rounded_sum_mask under = sum < low, over = sum > high;
        sum = (vec_double)((under & (rounded_sum_mask)low) | (over & (rounded_sum_mask)high)
                           | (~(under | over) & (rounded_sum_mask)sum));
    }
    const vec_double limit = splat_double(ROUNDED_SUM_LIMIT);
    if (t->truth) {
        const rounded_sum_mask whole = (sum >= splat_double(1)) | (sum <= splat_double(-1));
        return (vec_double)(whole & (rounded_sum_mask)splat_double(1));
    }
    return (vec_double)(((sum < limit) & (sum >= -limit)) & (rounded_sum_mask)sum);
}

/* Rows have room for whole steps, which are read and written. */
static void rounded_sum_row(const double *x, const rounded_sum_terms *t, ptrdiff_t n, double *y) {
    vec_double sums[ROUNDED_SUM_VECTORS];
    for (ptrdiff_t j = 0; j < n; j += ROUNDED_SUM_STEP) {
        const double *w = t->weights;
        for (int i = 0; i < ROUNDED_SUM_VECTORS; i++) sums[i] = splat_double(0);
        if (t->mean)
            for (ptrdiff_t k = 0; k < t->n_singles; k++)
                rounded_sum_count(sums, x + t->singles[k] + j);
        else
            for (ptrdiff_t k = 0; k < t->n_singles; k++)
                rounded_sum_add(sums, x + t->singles[k] + j, x, *w++, 0);
        if (t->difference)
            for (ptrdiff_t k = 0; k < t->n_pairs; k++)
                rounded_sum_add(sums, x + t->firsts[k] + j, x + t->seconds[k] + j, *w++, -1);
        else
            for (ptrdiff_t k = 0; k < t->n_pairs; k++)
                rounded_sum_add(sums, x + t->firsts[k] + j, x + t->seconds[k] + j, *w++, 1);
        for (int i = 0; i < ROUNDED_SUM_VECTORS; i++)
            store_double(y + j + i * ROUNDED_SUM_LANES, rounded_sum_whole(sums[i], t));
    }
}
#else
#define ROUNDED_SUM_STEP ((ptrdiff_t)1)
static void rounded_sum_row(const double *x, const rounded_sum_terms *t, ptrdiff_t n, double *y) {
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
        if (t->inverse != 0) sum = (sum + (sum < 0 ? -0.5 : 0.5)) * t->inverse;
        else sum /= t->divisor;
        if (t->clip) sum = sum < t->low ? t->low : sum > t->high ? t->high : sum;
        if (t->whole) y[j] = sum;
        else if (t->truth) y[j] = sum >= 1 || sum <= -1;
        else y[j] = sum < ROUNDED_SUM_LIMIT && sum >= -ROUNDED_SUM_LIMIT ? trunc(sum) : 0;
    }
}
#endif
