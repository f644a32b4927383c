/* What the coefficients of a row of windows are divided by:

     root = √(Σ x² − (Σ x)² / n)     over the n samples of a window

   Samples are whole numbers times a unit, a power of two. Sums are of the whole numbers, in unsigned
   integers, which wrap: the sums over a window do not, so that they are exact however samples come
   and go. Narrow samples are at most 2^30, and their squares are summed. Wide ones are split into
   v = h·2^split + l, with 0 ≤ l < 2^split, and h², h·l and l² are summed.

   A window that the call cannot be sure of is uncertain: one whose deviation is below the rounding of
   the samples or of the products, or small beside its samples. Its root is negative, and its
   coefficient NaN. */
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

/* The same of wide samples: squares are three rows, each `pitch` from the one before. */
static inline void match_add_wide(double sample, double scale, int split, uint64_t sign,
                                  uint64_t *s, uint64_t *q, ptrdiff_t pitch) {
    const int64_t v = (int64_t)(sample * scale);
    const int64_t low = v & (((int64_t)1 << split) - 1), high = (v - low) >> split;
    *s += sign * (uint64_t)v;
    q[0] += sign * (uint64_t)(high * high);
    q[pitch] += sign * (uint64_t)(high * low);
    q[2 * pitch] += sign * (uint64_t)(low * low);
}
static void match_exchange_wide(const double *come, const double *gone, ptrdiff_t n, double unit,
                                int split, uint64_t *sums, uint64_t *squares) {
    const double scale = 1 / unit;
    for (ptrdiff_t i = 0; i < n; i++)
        match_add_wide(come[i], scale, split, 1, sums + i, squares + i, n);
    if (gone)
        for (ptrdiff_t i = 0; i < n; i++)
            match_add_wide(gone[i], scale, split, (uint64_t)-1, sums + i, squares + i, n);
}

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

/* What decides which windows are uncertain: those whose sum of squares about their mean is below
   `floor` and above `nothing`, or whose sum of squares is more than `far` times that. */
typedef struct {
    double count, unit, nothing, floor, far;
    int split; /* 0 for narrow samples */
} match_limits;

static inline double match_root(double under, double about_zero, const match_limits *limits,
                                int64_t *uncertain) {
    const int unsure = ((under < limits->floor) & (under > limits->nothing)) |
                       ((about_zero > limits->far * under) & (under > 0));
    const double size = under > 0 ? under : 0, root = sqrt(size) * limits->unit;
    *uncertain += unsure;
    return unsure ? -1 : root;
}

/* The roots of n windows. With a whole m near the mean, and what is left of the sum,
   r = Σ x − n·m,

     Σ x² − (Σ x)² / n = Σ (x − m)² − r² / n

   of which the first term is exact, and the other small. Return how many are uncertain. */
static ptrdiff_t match_roots(const uint64_t *RESTRICT sums, const uint64_t *RESTRICT squares,
                             ptrdiff_t n, const match_limits *limits, double *RESTRICT roots) {
    const uint64_t whole = (uint64_t)limits->count;
    const double share = 1 / limits->count;
    const match_limits known = *limits;
    int64_t uncertain = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const double mean = match_double((int64_t)sums[i]) * share;
        const int32_t m = (int32_t)(mean + (mean < 0 ? -0.5 : 0.5));
        const uint64_t rest = sums[i] - whole * (uint64_t)(int64_t)m;
        const uint64_t about = squares[i] - (uint64_t)(int64_t)m * (sums[i] + rest);
        const double r = match_double((int64_t)rest);
        const double under = match_double((int64_t)about) - r * r * share;
        roots[i] = match_root(under, match_double((int64_t)squares[i]), &known, &uncertain);
    }
    return (ptrdiff_t)uncertain;
}

/* The same of wide samples, whose sums of squares are rounded once: `far` limits what that costs. */
static ptrdiff_t match_roots_wide(const uint64_t *sums, const uint64_t *squares, ptrdiff_t pitch,
                                  ptrdiff_t n, const match_limits *limits, double *roots) {
    const double high = ldexp(1, 2 * limits->split), middle = ldexp(2, limits->split);
    int64_t uncertain = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const double total = (double)(int64_t)sums[i];
        const double all = (double)(int64_t)squares[i] * high +
                           (double)(int64_t)squares[i + pitch] * middle +
                           (double)(int64_t)squares[i + 2 * pitch];
        roots[i] = match_root(all - total * total / limits->count, all, limits, &uncertain);
    }
    return (ptrdiff_t)uncertain;
}

/* Divides the products in y by the roots, within [−1, 1]; 0 where the root is, NaN where it is
   negative. */
typedef void (*match_divide)(const double *roots, ptrdiff_t n, void *y);

#define MATCH_DIVIDE(type)                                                                   \
    static void match_divide_##type(const double *roots, ptrdiff_t n, void *y) {             \
        const double *RESTRICT root = roots;                                                 \
        type *RESTRICT out = (type *)y;                                                      \
        for (ptrdiff_t i = 0; i < n; i++) {                                                  \
            const double size = root[i], v = size > 0 ? out[i] / size : 0;                   \
            out[i] = size < 0 ? (type)NAN : (type)(v > 1 ? 1 : v < -1 ? -1 : v);             \
        }                                                                                    \
    }
MATCH_DIVIDE(float)
MATCH_DIVIDE(double)

/* Coefficients by the definition, of windows that are neighbours in a row: first their means, then
   the sums about them. Samples are less one of the window before anything is rounded, and the
   deviations scaled by a power of two, so that the result depends on nothing but the window. Taps
   are given by their places and weights. */
enum { MATCH_RUN = 16 };

static inline double match_minus_double(double a, double b) { return a - b; }
/* Of the whole range: signed integers are offset by 2^63. */
static inline double match_minus_whole(uint64_t a, uint64_t b) {
    return a < b ? -(double)(b - a) : (double)(a - b);
}

static inline double match_quotient(double p, double v, double w) {
    const double size = sqrt(v) * sqrt(w), c = size > 0 ? p / size : 0;
    return c > 1 ? 1 : c < -1 ? -1 : c;
}

/* 2^−e for a size of 2^e or a little less; 0 for nothing. */
static inline double match_scale(double size) {
    int e;
    if (!(size > 0)) return 0;
    frexp(size, &e);
    return ldexp(1, e < -1000 ? 1000 : -e);
}

#define MATCH_PLAINLY(name, type)                                                            \
    static inline void match_plainly_##name(const type *x, const ptrdiff_t *places,          \
                                            const double *t, ptrdiff_t taps, int n,          \
                                            double *y) {                                     \
        double mean[MATCH_RUN], most[MATCH_RUN], v[MATCH_RUN], p[MATCH_RUN], r[MATCH_RUN];   \
        double weight = 0, weights = 0;                                                      \
        const type *about = x + places[0];                                                   \
        for (int i = 0; i < n; i++) mean[i] = most[i] = v[i] = p[i] = r[i] = 0;              \
        for (ptrdiff_t k = 0; k < taps; k++) {                                               \
            const type *in = x + places[k];                                                  \
            for (int i = 0; i < n; i++) {                                                    \
                const double d = match_minus_##name(in[i], about[i]), size = fabs(d);        \
                mean[i] += d;                                                                \
                most[i] = size > most[i] ? size : most[i];                                   \
            }                                                                                \
            weight += t[k];                                                                  \
            weights += t[k] * t[k];                                                          \
        }                                                                                    \
        for (int i = 0; i < n; i++) {                                                        \
            mean[i] /= (double)taps;                                                         \
            most[i] = match_scale(most[i]);                                                  \
        }                                                                                    \
        for (ptrdiff_t k = 0; k < taps; k++) {                                               \
            const type *in = x + places[k];                                                  \
            const double w = t[k];                                                           \
            for (int i = 0; i < n; i++) {                                                    \
                const double d = match_minus_##name(in[i], about[i]);                        \
                const double e = (d - mean[i]) * most[i];                                    \
                v[i] += e * e;                                                               \
                p[i] += e * w;                                                               \
                r[i] += e;                                                                   \
            }                                                                                \
        }                                                                                    \
        for (int i = 0; i < n; i++)                                                          \
            y[i] = match_quotient(p[i] - r[i] * weight / (double)taps,                       \
                                  v[i] - r[i] * r[i] / (double)taps,                         \
                                  weights - weight * weight / (double)taps);                 \
    }                                                                                        \
    /* The same over the samples that were seen; NaN where they are fewer than `least`. */   \
    static inline void match_seen_##name(const type *x, const uint8_t *seen,                 \
                                         const ptrdiff_t *places, const double *t,           \
                                         ptrdiff_t taps, double least, int n, double *y) {   \
        double mean[MATCH_RUN], most[MATCH_RUN], v[MATCH_RUN], p[MATCH_RUN], r[MATCH_RUN];   \
        double first[MATCH_RUN], weight[MATCH_RUN], u[MATCH_RUN], count[MATCH_RUN];          \
        type about[MATCH_RUN];                                                               \
        for (int i = 0; i < n; i++) {                                                        \
            mean[i] = most[i] = v[i] = p[i] = r[i] = 0;                                      \
            first[i] = weight[i] = u[i] = count[i] = 0;                                      \
            about[i] = 0;                                                                    \
        }                                                                                    \
        for (ptrdiff_t k = 0; k < taps; k++)                                                 \
            for (int i = 0; i < n; i++)                                                      \
                if (seen[places[k] + i]) {                                                   \
                    about[i] = x[places[k] + i];                                             \
                    first[i] = t[k];                                                         \
                    count[i] += 1;                                                           \
                }                                                                            \
        for (ptrdiff_t k = 0; k < taps; k++) {                                               \
            const type *in = x + places[k];                                                  \
            const uint8_t *is = seen + places[k];                                            \
            for (int i = 0; i < n; i++) {                                                    \
                const double d = is[i] ? match_minus_##name(in[i], about[i]) : 0;            \
                const double size = fabs(d);                                                 \
                mean[i] += d;                                                                \
                most[i] = size > most[i] ? size : most[i];                                   \
                weight[i] += is[i] ? t[k] - first[i] : 0;                                    \
            }                                                                                \
        }                                                                                    \
        for (int i = 0; i < n; i++) {                                                        \
            const double some = count[i] > 0 ? count[i] : 1;                                 \
            mean[i] /= some;                                                                 \
            weight[i] /= some;                                                               \
            most[i] = match_scale(most[i]);                                                  \
        }                                                                                    \
        for (ptrdiff_t k = 0; k < taps; k++) {                                               \
            const type *in = x + places[k];                                                  \
            const uint8_t *is = seen + places[k];                                            \
            for (int i = 0; i < n; i++) {                                                    \
                const double d = match_minus_##name(in[i], about[i]);                        \
                const double e = is[i] ? (d - mean[i]) * most[i] : 0;                        \
                const double w = is[i] ? t[k] - first[i] - weight[i] : 0;                    \
                v[i] += e * e;                                                               \
                u[i] += w * w;                                                               \
                p[i] += e * w;                                                               \
                r[i] += e;                                                                   \
            }                                                                                \
        }                                                                                    \
        for (int i = 0; i < n; i++) {                                                        \
            const double some = count[i] > 0 ? count[i] : 1;                                 \
            const double c = match_quotient(p[i], v[i] - r[i] * r[i] / some, u[i]);          \
            y[i] = count[i] < least ? NAN : c;                                               \
        }                                                                                    \
    }
MATCH_PLAINLY(double, double)
MATCH_PLAINLY(whole, uint64_t)
