/* Rows of sums in double, cut towards zero:  y[i] = trunc((Σ_k (x[a_k + i] ± x[b_k + i]) w_k) / n).

   Every product is rounded before it is added, in the order of the terms: where a sum is a whole
   number but for its last bits, that decides the result. So nothing here may be fused into one
   operation, though the compiler is told that it may: products pass through ROUNDED.

   Samples of 8 bits are kept as floats, and summed as floats first. That decides the result unless
   a sum lies within its error of a whole number; then the tile is summed again, in double. */
#pragma once
#include "rows.h"
#include "stencil.h"

typedef struct {
    ptrdiff_t n_singles, n_pairs;
    const ptrdiff_t *singles, *firsts, *seconds; /* offsets of samples */
    const double *weights;                       /* of the singles, then of the pairs */
    const float *narrow;                         /* the same, rounded */
    double divisor;
    float error;    /* of sums of floats */
    int difference; /* of pairs, not their sum */
    int truth;      /* 1 for what is not cut to 0 */
} truncated_terms;

/* What a 64-bit integer holds; NaN and everything else becomes 0. */
#define TRUNCATED_LIMIT 9223372036854775808.0

#if STENCIL_HAS_VECTORS
#define TRUNCATED_VECTORS 4
#define TRUNCATED_LANES ((ptrdiff_t)(STENCIL_VECTOR_BYTES / sizeof(double)))
typedef int64_t truncated_mask __attribute__((vector_size(STENCIL_VECTOR_BYTES), may_alias));
typedef int32_t truncated_mask32 __attribute__((vector_size(STENCIL_VECTOR_BYTES), may_alias));
typedef float truncated_half __attribute__((vector_size(STENCIL_VECTOR_BYTES / 2), may_alias));
typedef int32_t truncated_half_int __attribute__((vector_size(STENCIL_VECTOR_BYTES / 2)));
typedef float truncated_half_any
    __attribute__((vector_size(STENCIL_VECTOR_BYTES / 2), aligned(sizeof(float)), may_alias));
#if defined(__AVX512F__)
#define ROUNDED(vector) __asm__("" : "+v"(vector))
#elif defined(__x86_64__)
#define ROUNDED(vector) __asm__("" : "+x"(vector))
#elif defined(__aarch64__)
#define ROUNDED(vector) __asm__("" : "+w"(vector))
#else
#define ROUNDED(vector) __asm__("" : "+m"(vector))
#endif
/* Outputs of a tile of doubles, of which two are one of floats. */
#define TRUNCATED_TILE (TRUNCATED_VECTORS * TRUNCATED_LANES)
#define TRUNCATED_STEP (2 * TRUNCATED_TILE)

STENCIL_INLINE vec_double truncated_load(const void *x, ptrdiff_t at, int floats) {
    if (!floats) return load_double((const double *)x + at);
    const truncated_half half = *(const truncated_half_any *)((const float *)x + at);
    return __builtin_convertvector(half, vec_double);
}

STENCIL_INLINE void truncated_add(vec_double *sums, const void *x, ptrdiff_t a, ptrdiff_t b,
                                  double weight, int fold, int floats) {
    const vec_double w = splat_double(weight);
    for (int i = 0; i < TRUNCATED_VECTORS; i++) {
        vec_double sample = truncated_load(x, a + i * TRUNCATED_LANES, floats);
        if (fold > 0) sample = sample + truncated_load(x, b + i * TRUNCATED_LANES, floats);
        if (fold < 0) sample = sample - truncated_load(x, b + i * TRUNCATED_LANES, floats);
        sample = sample * w;
        ROUNDED(sample);
        sums[i] = sums[i] + sample;
    }
}

STENCIL_INLINE vec_double truncated_whole(vec_double sum, const truncated_terms *t) {
    if (t->divisor != 1) sum = sum / splat_double(t->divisor);
    const vec_double limit = splat_double(TRUNCATED_LIMIT);
    if (t->truth) {
        const truncated_mask whole = (sum >= splat_double(1)) | (sum <= splat_double(-1));
        return (vec_double)(whole & (truncated_mask)splat_double(1));
    }
    return (vec_double)(((sum < limit) & (sum >= -limit)) & (truncated_mask)sum);
}

/* The outputs of one tile, from sample j on. */
STENCIL_INLINE void truncated_tile(const void *x, const truncated_terms *t, ptrdiff_t j,
                                   vec_double *sums, int floats) {
    const double *w = t->weights;
    for (int i = 0; i < TRUNCATED_VECTORS; i++) sums[i] = splat_double(0);
    for (ptrdiff_t k = 0; k < t->n_singles; k++)
        truncated_add(sums, x, t->singles[k] + j, 0, *w++, 0, floats);
    if (t->difference)
        for (ptrdiff_t k = 0; k < t->n_pairs; k++)
            truncated_add(sums, x, t->firsts[k] + j, t->seconds[k] + j, *w++, -1, floats);
    else
        for (ptrdiff_t k = 0; k < t->n_pairs; k++)
            truncated_add(sums, x, t->firsts[k] + j, t->seconds[k] + j, *w++, 1, floats);
    for (int i = 0; i < TRUNCATED_VECTORS; i++) sums[i] = truncated_whole(sums[i], t);
}

/* Rows have room for whole steps, which are read and written. */
static void truncated_row_double(const double *x, const truncated_terms *t, ptrdiff_t n,
                                 double *y) {
    vec_double sums[TRUNCATED_VECTORS];
    for (ptrdiff_t j = 0; j < n; j += TRUNCATED_TILE) {
        truncated_tile(x, t, j, sums, 0);
        for (int i = 0; i < TRUNCATED_VECTORS; i++)
            store_double(y + j + i * TRUNCATED_LANES, sums[i]);
    }
}

STENCIL_INLINE void truncated_add_floats(vec_float *sums, const float *a, const float *b,
                                         float weight, int fold) {
    const vec_float w = splat_float(weight);
    for (int i = 0; i < TRUNCATED_VECTORS; i++) {
        vec_float sample = load_float(a + 2 * i * TRUNCATED_LANES);
        if (fold > 0) sample = sample + load_float(b + 2 * i * TRUNCATED_LANES);
        if (fold < 0) sample = sample - load_float(b + 2 * i * TRUNCATED_LANES);
        sums[i] = multiply_add_float(sums[i], sample, w);
    }
}

/* Whether some sum is within the error of a whole number other than 0, which it is cut to from
   either side. Adding 1.5 · 2^23 leaves no room for a fraction. */
STENCIL_INLINE int truncated_undecided(const vec_float *sums, float error) {
    const vec_float room = splat_float(12582912.0f), zero = splat_float(0);
    truncated_mask32 found = {0};
    for (int i = 0; i < TRUNCATED_VECTORS; i++) {
        vec_float nearest = sums[i] + room;
        ROUNDED(nearest);
        nearest = nearest - room;
        const vec_float apart = sums[i] - nearest;
        found |= (apart <= splat_float(error)) & (apart >= splat_float(-error)) & (nearest != zero);
    }
    const truncated_mask wide = (truncated_mask)found;
    int64_t any = 0;
    for (int i = 0; i < TRUNCATED_LANES; i++) any |= wide[i];
    return any != 0;
}

static void truncated_row_float(const float *x, const truncated_terms *t, ptrdiff_t n, float *y) {
    for (ptrdiff_t j = 0; j < n; j += TRUNCATED_STEP) {
        const float *w = t->narrow;
        vec_float sums[TRUNCATED_VECTORS];
        for (int i = 0; i < TRUNCATED_VECTORS; i++) sums[i] = splat_float(0);
        for (ptrdiff_t k = 0; k < t->n_singles; k++)
            truncated_add_floats(sums, x + t->singles[k] + j, x, *w++, 0);
        if (t->difference)
            for (ptrdiff_t k = 0; k < t->n_pairs; k++)
                truncated_add_floats(sums, x + t->firsts[k] + j, x + t->seconds[k] + j, *w++, -1);
        else
            for (ptrdiff_t k = 0; k < t->n_pairs; k++)
                truncated_add_floats(sums, x + t->firsts[k] + j, x + t->seconds[k] + j, *w++, 1);
        if (t->divisor != 1) /* whole sums: what is not whole is not rounded to it */
            for (int i = 0; i < TRUNCATED_VECTORS; i++)
                sums[i] = sums[i] / splat_float((float)t->divisor);
        else if (t->error > 0 && truncated_undecided(sums, t->error)) {
            for (ptrdiff_t part = 0; part < TRUNCATED_STEP; part += TRUNCATED_TILE) {
                vec_double exact[TRUNCATED_VECTORS];
                truncated_tile(x, t, j + part, exact, 1);
                for (int i = 0; i < TRUNCATED_VECTORS; i++) /* cut, before a float rounds it */
                    *(truncated_half_any *)(y + j + part + i * TRUNCATED_LANES) =
                        __builtin_convertvector(
                            __builtin_convertvector(exact[i], truncated_half_int), truncated_half);
            }
            continue;
        }
        for (int i = 0; i < TRUNCATED_VECTORS; i++) {
            if (t->truth) {
                const truncated_mask32 whole =
                    (sums[i] >= splat_float(1)) | (sums[i] <= splat_float(-1));
                sums[i] = (vec_float)(whole & (truncated_mask32)splat_float(1));
            }
            store_float(y + j + 2 * i * TRUNCATED_LANES, sums[i]);
        }
    }
}
#else
#define TRUNCATED_STEP ((ptrdiff_t)1)
#define TRUNCATED_ROW(scalar)                                                                \
    static void truncated_row_##scalar(const scalar *x, const truncated_terms *t, ptrdiff_t n, \
                                       scalar *y) {                                          \
        for (ptrdiff_t j = 0; j < n; j++) {                                                  \
            const double *w = t->weights;                                                    \
            double sum = 0;                                                                  \
            for (ptrdiff_t k = 0; k < t->n_singles; k++) {                                   \
                const volatile double product = x[t->singles[k] + j] * *w++;                 \
                sum += product;                                                              \
            }                                                                                \
            for (ptrdiff_t k = 0; k < t->n_pairs; k++) {                                     \
                const double a = x[t->firsts[k] + j], b = x[t->seconds[k] + j];              \
                const volatile double product = (t->difference ? a - b : a + b) * *w++;      \
                sum += product;                                                              \
            }                                                                                \
            sum /= t->divisor;                                                               \
            if (t->truth) y[j] = sum >= 1 || sum <= -1;                                      \
            else if (sum < TRUNCATED_LIMIT && sum >= -TRUNCATED_LIMIT) y[j] = (scalar)trunc(sum); \
            else y[j] = 0;                                                                   \
        }                                                                                    \
    }
TRUNCATED_ROW(float)
TRUNCATED_ROW(double)
#endif
