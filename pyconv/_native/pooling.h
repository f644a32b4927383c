/* Rows of a pool:  out[i] = a[i·step] ∘ b[i·step]  and  out[i] = out[i] ∘ a[i·step].

   ∘ is the larger of two numbers, NaN above all of them, or their sum. Rows are contiguous
   (step 1) when the rows of a window are folded; its columns are a stride apart. Functions are
   found in a table by type. */
#pragma once
#include "restrict.h"
#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* One way to fold the samples of a window. */
typedef struct {
    void (*take)(const void *a, ptrdiff_t step, ptrdiff_t n, void *out);
    void (*pair)(const void *a, const void *b, ptrdiff_t step, ptrdiff_t n, void *out);
    void (*more)(const void *a, ptrdiff_t step, ptrdiff_t n, void *out);
    /* *out = a[0] ∘ a[step] ∘ … of n samples; the neutral element of none. */
    void (*whole)(const void *a, ptrdiff_t step, ptrdiff_t n, void *out);
} pool_fold;

/* Known steps are loops that vectorise. */
#define POOL_STEP(known, LOOP, statement)                                                    \
    if (step == (known)) {                                                                   \
        LOOP for (ptrdiff_t i = 0; i < n; i++) {                                                  \
            const ptrdiff_t at = i * (known);                                                \
            statement;                                                                       \
        }                                                                                    \
        return;                                                                              \
    }
#define POOL_LOOP(statement)                                                                 \
    POOL_STEP(1, ROW_LOOP, statement)                                                        \
    POOL_STEP(2, STRIDED_ROW_LOOP, statement)                                                \
    POOL_STEP(3, STRIDED_ROW_LOOP, statement)                                                \
    for (ptrdiff_t i = 0; i < n; i++) {                                                      \
        const ptrdiff_t at = i * step;                                                       \
        statement;                                                                           \
    }

/* A NaN stays, whichever side it is on. The first choice is one instruction, and the second, where
   it is not one too, a branch that is always predicted. */
#define POOL_LARGER(type)                                                                    \
    static inline type larger_##type(type m, type v) {                                       \
        const type larger = m > v ? m : v;                                                   \
        return m == m ? larger : m;                                                          \
    }
POOL_LARGER(float)
POOL_LARGER(double)
#define POOL_SUM(m, v) ((m) + (v))

/* Partial results that a long window is folded into side by side, and the most samples that are
   folded in one go: windows of more are halved, so that roundings of sums grow with the logarithm
   of their number. */
enum { POOL_LANES = 32, POOL_LONGEST = 8192 };

#define POOL_FOLD(name, type, FOLD, neutral)                                                 \
    static void take_##name(const void *a, ptrdiff_t step, ptrdiff_t n, void *out) {         \
        const type *RESTRICT in = (const type *)a;                                           \
        type *RESTRICT y = (type *)out;                                                      \
        POOL_LOOP(y[i] = in[at])                                                             \
    }                                                                                        \
    static void pair_##name(const void *a, const void *b, ptrdiff_t step, ptrdiff_t n,       \
                            void *out) {                                                     \
        const type *RESTRICT in = (const type *)a;                                           \
        const type *RESTRICT next = (const type *)b;                                         \
        type *RESTRICT y = (type *)out;                                                      \
        POOL_LOOP(y[i] = FOLD(in[at], next[at]))                                             \
    }                                                                                        \
    static void more_##name(const void *a, ptrdiff_t step, ptrdiff_t n, void *out) {         \
        const type *RESTRICT in = (const type *)a;                                           \
        type *RESTRICT y = (type *)out;                                                      \
        POOL_LOOP(y[i] = FOLD(y[i], in[at]))                                                 \
    }                                                                                        \
    static type part_##name(const type *in, ptrdiff_t step, ptrdiff_t n) {                   \
        type lanes[POOL_LANES], y = (type)(neutral);                                         \
        ptrdiff_t i = 0;                                                                     \
        if (n > POOL_LONGEST) {                                                              \
            i = (n / 2 + POOL_LONGEST - 1) / POOL_LONGEST * POOL_LONGEST;                    \
            y = part_##name(in, step, i);                                                    \
            return FOLD(y, part_##name(in + i * step, step, n - i));                         \
        }                                                                                    \
        if (step == 1 && n >= 2 * POOL_LANES) {                                              \
            for (int lane = 0; lane < POOL_LANES; lane++) lanes[lane] = in[lane];            \
            for (i = POOL_LANES; i + POOL_LANES <= n; i += POOL_LANES)                       \
                for (int lane = 0; lane < POOL_LANES; lane++)                                \
                    lanes[lane] = FOLD(lanes[lane], in[i + lane]);                           \
            for (int half = POOL_LANES / 2; half > 0; half /= 2)                             \
                for (int lane = 0; lane < half; lane++)                                      \
                    lanes[lane] = FOLD(lanes[lane], lanes[lane + half]);                     \
            y = lanes[0];                                                                    \
        }                                                                                    \
        for (; i < n; i++) y = FOLD(y, in[i * step]);                                        \
        return y;                                                                            \
    }                                                                                        \
    static void whole_##name(const void *a, ptrdiff_t step, ptrdiff_t n, void *out) {        \
        *(type *)out = part_##name((const type *)a, step, n);                                \
    }                                                                                        \
    static const pool_fold fold_##name = {take_##name, pair_##name, more_##name, whole_##name};

POOL_FOLD(larger_float, float, larger_float, -INFINITY)
POOL_FOLD(larger_double, double, larger_double, -INFINITY)
POOL_FOLD(sum_float, float, POOL_SUM, 0)
POOL_FOLD(sum_double, double, POOL_SUM, 0)

/* The type of samples first: single, double. */
enum { POOL_FLOAT, POOL_DOUBLE, POOL_TYPES };
static const pool_fold *const pool_larger[POOL_TYPES] = {&fold_larger_float, &fold_larger_double};
static const pool_fold *const pool_sum[POOL_TYPES] = {&fold_sum_float, &fold_sum_double};

/* What else a pool of one type does with rows. */
typedef struct {
    /* The first, then every other tap of a row of windows; where[i] is the tap's offset. */
    void (*begin)(const void *a, ptrdiff_t step, ptrdiff_t n, int64_t offset, void *best,
                  int64_t *where);
    void (*find)(const void *a, ptrdiff_t step, ptrdiff_t n, int64_t offset, void *best,
                 int64_t *where);
    /* All n taps of one window at once; what an earlier row has found stays if it is better. */
    void (*search)(const void *a, ptrdiff_t step, ptrdiff_t n, int64_t offset, int found,
                   void *best, int64_t *where);
    /* out[i] = a[i] / divisor, with a == out allowed. */
    void (*divide)(const void *a, ptrdiff_t n, double divisor, void *out);
    /* out[i·step] += a[i]. */
    void (*spread)(const void *a, ptrdiff_t step, ptrdiff_t n, void *out);
    /* out[k·step] += a[0] for n taps k. */
    void (*repeat)(const void *a, ptrdiff_t step, ptrdiff_t n, void *out);
    /* out[where[i]] += a[i] of `size` samples; a window without a sample has −1. Returns how
       many others are outside. */
    ptrdiff_t (*scatter)(const void *a, const int64_t *where, ptrdiff_t n, ptrdiff_t size,
                         void *out);
} pool_rows;

#define POOL_ROWS(type)                                                                      \
    static void begin_##type(const void *a, ptrdiff_t step, ptrdiff_t n, int64_t offset,     \
                             void *best, int64_t *where) {                                   \
        const type *RESTRICT in = (const type *)a;                                           \
        type *RESTRICT m = (type *)best;                                                     \
        int64_t *RESTRICT w = where;                                                         \
        POOL_LOOP(m[i] = in[at]; w[i] = offset)                                              \
    }                                                                                        \
    static void find_##type(const void *a, ptrdiff_t step, ptrdiff_t n, int64_t offset,      \
                            void *best, int64_t *where) {                                    \
        const type *RESTRICT in = (const type *)a;                                           \
        type *RESTRICT m = (type *)best;                                                     \
        int64_t *RESTRICT w = where;                                                         \
        POOL_LOOP(const type v = in[at];                                                     \
                  const int64_t found = -(int64_t)((v > m[i]) | (v != v));                   \
                  m[i] = larger_##type(m[i], v); w[i] ^= (w[i] ^ offset) & found)              \
    }                                                                                        \
    static void search_##type(const void *a, ptrdiff_t step, ptrdiff_t n, int64_t offset,    \
                              int found, void *best, int64_t *where) {                       \
        const type *in = (const type *)a;                                                    \
        type m;                                                                              \
        ptrdiff_t k = 0;                                                                     \
        whole_larger_##type(a, step, n, &m);                                                 \
        if (found && !(m > *(type *)best) && m == m) return;                                 \
        if (m == m)                                                                          \
            while (in[k * step] != m) k++;                                                   \
        else                                                                                 \
            for (k = n - 1; in[k * step] == in[k * step];) k--;                              \
        *(type *)best = m;                                                                   \
        *where = offset + k * step;                                                          \
    }                                                                                        \
    static void divide_##type(const void *a, ptrdiff_t n, double divisor, void *out) {       \
        const type *in = (const type *)a;                                                    \
        type *y = (type *)out;                                                               \
        ROW_LOOP_IN_PLACE for (ptrdiff_t i = 0; i < n; i++) y[i] = in[i] / (type)divisor;    \
    }                                                                                        \
    static void spread_##type(const void *a, ptrdiff_t step, ptrdiff_t n, void *out) {       \
        const type *RESTRICT in = (const type *)a;                                           \
        type *RESTRICT x = (type *)out;                                                      \
        POOL_LOOP(x[at] += in[i])                                                            \
    }                                                                                        \
    static void repeat_##type(const void *a, ptrdiff_t step, ptrdiff_t n, void *out) {       \
        const type value = *(const type *)a;                                                 \
        type *RESTRICT x = (type *)out;                                                      \
        POOL_LOOP(x[at] += value)                                                            \
    }                                                                                        \
    static ptrdiff_t scatter_##type(const void *a, const int64_t *where, ptrdiff_t n,        \
                                    ptrdiff_t size, void *out) {                             \
        const type *in = (const type *)a;                                                    \
        type *x = (type *)out;                                                               \
        ptrdiff_t outside = 0;                                                               \
        for (ptrdiff_t i = 0; i < n; i++)                                                    \
            if ((uint64_t)where[i] < (uint64_t)size)                                         \
                x[where[i]] += in[i];                                                        \
            else                                                                             \
                outside += where[i] != -1;                                                   \
        return outside;                                                                      \
    }                                                                                        \
    static const pool_rows rows_##type = {begin_##type,  find_##type,                        \
                                          search_##type, divide_##type,                      \
                                          spread_##type, repeat_##type,                      \
                                          scatter_##type};

POOL_ROWS(float)
POOL_ROWS(double)
static const pool_rows *const pool_rows_of[POOL_TYPES] = {&rows_float, &rows_double};
