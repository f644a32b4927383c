/* What the coefficients of a row of windows are divided by:

     root = √(Σ x² − (Σ x)² / n)     over the n samples of a window

   Samples are whole numbers of at most 2^30 times a unit, a power of two. Sums are of the whole
   numbers, in unsigned integers, which wrap: the sum of squares of a window is below 2^62, so that
   what comes out is exact. */
#pragma once
#include "restrict.h"
#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* Sums and squares of columns: a row comes, and another goes unless it is NULL. Products are of 32
   bits each, which every variant has an instruction for. */
typedef void (*match_exchange)(const void *come, const void *gone, ptrdiff_t n, double unit,
                               uint64_t *sums, uint64_t *squares);

static inline uint64_t match_square(int32_t v) {
    const uint32_t size = (uint32_t)(v < 0 ? -v : v);
    return (uint64_t)size * size;
}
#define MATCH_EXCHANGE(type)                                                                 \
    static void match_exchange_##type(const void *come, const void *gone, ptrdiff_t n,       \
                                      double unit, uint64_t *sums, uint64_t *squares) {      \
        const type scale = (type)(1 / unit);                                                 \
        const type *RESTRICT in = (const type *)come;                                        \
        const type *RESTRICT out = (const type *)gone;                                       \
        uint64_t *RESTRICT s = sums, *RESTRICT q = squares;                                  \
        if (!out) {                                                                          \
            for (ptrdiff_t i = 0; i < n; i++) {                                              \
                const int32_t v = (int32_t)(in[i] * scale);                                  \
                s[i] += (uint64_t)(int64_t)v;                                                \
                q[i] += match_square(v);                                                     \
            }                                                                                \
            return;                                                                          \
        }                                                                                    \
        for (ptrdiff_t i = 0; i < n; i++) {                                                  \
            const int32_t v = (int32_t)(in[i] * scale), u = (int32_t)(out[i] * scale);       \
            s[i] += (uint64_t)((int64_t)v - u);                                              \
            q[i] += match_square(v) - match_square(u);                                       \
        }                                                                                    \
    }
MATCH_EXCHANGE(float)
MATCH_EXCHANGE(double)

/* The sums over `taps` columns, each from the one before it. */
static void match_widen(const uint64_t *sums, const uint64_t *squares, ptrdiff_t taps,
                        ptrdiff_t n, uint64_t *RESTRICT wide_sums,
                        uint64_t *RESTRICT wide_squares) {
    uint64_t s = 0, q = 0;
    for (ptrdiff_t k = 0; k < taps; k++) {
        s += sums[k];
        q += squares[k];
    }
    wide_sums[0] = s;
    wide_squares[0] = q;
    for (ptrdiff_t i = 1; i < n; i++) { /* the differences do not wait for each other */
        s += sums[i + taps - 1] - sums[i - 1];
        q += squares[i + taps - 1] - squares[i - 1];
        wide_sums[i] = s;
        wide_squares[i] = q;
    }
}

/* v as a double. Without an instruction for it, high and low halves, added with one rounding. */
static inline double match_double(int64_t v) {
#if defined(__AVX512DQ__) || defined(__aarch64__)
    return (double)v;
#else
    return (double)(int32_t)(v >> 32) * 4294967296.0 + (double)(uint32_t)v;
#endif
}

/* The roots of n windows of `count` samples, times the unit; negative where Σ x² is more than `far`
   times what is under the root, 0 where all samples are the same. With a whole m near the mean, and
   what is left of the sum, r = Σ x − n·m,

     Σ x² − (Σ x)² / n = Σ (x − m)² − r² / n

   of which the first term is exact, and the other small. Return how many are negative. */
static ptrdiff_t match_roots(const uint64_t *RESTRICT sums,
                             const uint64_t *RESTRICT squares, ptrdiff_t n, double count,
                             double unit, double far, double *RESTRICT roots) {
    const uint64_t whole = (uint64_t)count;
    const double share = 1 / count;
    int64_t distant = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const double mean = match_double((int64_t)sums[i]) * share;
        const int32_t m = (int32_t)(mean + (mean < 0 ? -0.5 : 0.5));
        const uint64_t rest = sums[i] - whole * (uint64_t)(int64_t)m;
        const uint64_t about = squares[i] - (uint64_t)(int64_t)m * (sums[i] + rest);
        const double r = match_double((int64_t)rest);
        double under = match_double((int64_t)about) - r * r * share;
        under = under > 0 ? under : 0;
        const int is_far = (match_double((int64_t)squares[i]) > far * under) & (under > 0);
        const double root = sqrt(under) * unit;
        roots[i] = is_far ? -root : root;
        distant += is_far;
    }
    return (ptrdiff_t)distant;
}

/* p / |root| within [−1, 1], and 0 where the root is. */
static inline double match_quotient(double p, double root) {
    const double size = fabs(root), v = size > 0 ? p / size : 0;
    return v > 1 ? 1 : v < -1 ? -1 : v;
}

/* Divides the products in y, but for those of far windows; or writes those of far windows, whose
   products are given in double. */
typedef void (*match_divide)(const double *products, const double *roots, ptrdiff_t n, void *y);

#define MATCH_DIVIDE(type)                                                                   \
    static void match_divide_##type(const double *products, const double *roots,             \
                                    ptrdiff_t n, void *y) {                                  \
        const double *RESTRICT root = roots;                                                 \
        type *RESTRICT out = (type *)y;                                                      \
        (void)products;                                                                      \
        for (ptrdiff_t i = 0; i < n; i++)                                                    \
            out[i] = root[i] < 0 ? out[i] : (type)match_quotient(out[i], root[i]);           \
    }
MATCH_DIVIDE(float)
MATCH_DIVIDE(double)

static void match_divide_far(const double *products, const double *roots, ptrdiff_t n, void *y) {
    float *out = (float *)y;
    for (ptrdiff_t i = 0; i < n; i++)
        if (roots[i] < 0) out[i] = (float)match_quotient(products[i], roots[i]);
}
