/* Rows of samples, some of which are missing:

     clear:   out[i] = x[i] and seen[i] = 1, or 0 and 0 where x[i] is NaN or masked
     split:   the same of samples in the type of the sums, in place; seen[i] is one of them too
     divide:  y[i] = W · y[i] / d[i], NaN where what was seen of the weights is nothing

   Functions are found in tables by type. */
#pragma once
#include "restrict.h"
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Returns whether any sample is missing; mask may be NULL. */
typedef int (*gaps_clear)(const void *x, const uint8_t *mask, ptrdiff_t n, void *out,
                          uint8_t *seen);

/* Samples are copied as words, so that no NaN is changed on the way; a sample has one or two. NaN
   are the words whose magnitude is above that of infinity. */
#define GAPS_LOOP(word, parts, magnitude, infinity, masked)                                  \
    for (ptrdiff_t i = 0; i < n; i++) {                                                      \
        const word first = in[i * (parts)], last = in[i * (parts) + (parts) - 1];            \
        const word sound = (word)(((first & (magnitude)) <= (infinity)) &                    \
                                  ((last & (magnitude)) <= (infinity)) & !(masked));         \
        z[i * (parts)] = first & (word)(0 - sound);                                          \
        if ((parts) == 2) z[i * (parts) + (parts) - 1] = last & (word)(0 - sound);           \
        m[i] = (uint8_t)sound;                                                               \
        all &= (uint8_t)sound;                                                               \
    }
#define GAPS_CLEAR(name, word, parts, magnitude, infinity)                                   \
    static int gaps_clear_##name(const void *x, const uint8_t *mask, ptrdiff_t n, void *out, \
                                 uint8_t *seen) {                                            \
        const word *RESTRICT in = (const word *)x;                                           \
        word *RESTRICT z = (word *)out;                                                      \
        uint8_t *RESTRICT m = seen;                                                          \
        const uint8_t *RESTRICT gaps = mask;                                                 \
        uint8_t all = 1;                                                                     \
        if (gaps)                                                                            \
            GAPS_LOOP(word, parts, magnitude, infinity, gaps[i])                             \
        else                                                                                 \
            GAPS_LOOP(word, parts, magnitude, infinity, 0)                                   \
        return !all;                                                                         \
    }
GAPS_CLEAR(1, uint8_t, 1, 0, 0)
GAPS_CLEAR(2, uint16_t, 1, 0, 0)
GAPS_CLEAR(4, uint32_t, 1, 0, 0)
GAPS_CLEAR(8, uint64_t, 1, 0, 0)
GAPS_CLEAR(16, uint64_t, 2, 0, 0)
GAPS_CLEAR(half, uint16_t, 1, 0x7fff, 0x7c00)
GAPS_CLEAR(float, uint32_t, 1, 0x7fffffff, 0x7f800000)
GAPS_CLEAR(double, uint64_t, 1, UINT64_C(0x7fffffffffffffff), UINT64_C(0x7ff0000000000000))
GAPS_CLEAR(complex_float, uint32_t, 2, 0x7fffffff, 0x7f800000)
GAPS_CLEAR(complex_double, uint64_t, 2, UINT64_C(0x7fffffffffffffff),
           UINT64_C(0x7ff0000000000000))

/* Returns whether any of n numbers is NaN; the first block with one is the last that is read. */
enum { GAPS_BLOCK = 1 << 12 };
#define GAPS_ANY_NAN(type)                                                                   \
    static inline int gaps_any_nan_##type(const type *x, ptrdiff_t n) {                      \
        for (ptrdiff_t first = 0; first < n; first += GAPS_BLOCK) {                          \
            const ptrdiff_t end = n - first < GAPS_BLOCK ? n : first + GAPS_BLOCK;           \
            int found = 0;                                                                   \
            for (ptrdiff_t i = first; i < end; i++) found |= x[i] != x[i];                   \
            if (found) return 1;                                                             \
        }                                                                                    \
        return 0;                                                                            \
    }
GAPS_ANY_NAN(float)
GAPS_ANY_NAN(double)

/* Where `masked`, seen[i] is 0 beforehand for samples that are not; where `nan`, NaN are missing.
   Returns whether any sample is missing. */
#define GAPS_SPLIT(type, word)                                                               \
    static inline int gaps_split_some_##type(type *RESTRICT x, type *RESTRICT seen,          \
                                             ptrdiff_t n, int nan, int masked) {             \
        word all = 1;                                                                        \
        for (ptrdiff_t i = 0; i < n; i++) {                                                  \
            const word sound = (!nan || x[i] == x[i]) & (!masked || seen[i] == 0);           \
            x[i] = sound ? x[i] : 0;                                                         \
            seen[i] = sound ? (type)1 : (type)0;                                             \
            all &= sound;                                                                    \
        }                                                                                    \
        return !all;                                                                         \
    }                                                                                        \
    static int gaps_split_##type(type *x, type *seen, ptrdiff_t n, int nan, int masked) {    \
        if (nan && masked) return gaps_split_some_##type(x, seen, n, 1, 1);                  \
        return nan ? gaps_split_some_##type(x, seen, n, 1, 0)                                \
                   : gaps_split_some_##type(x, seen, n, 0, 1);                               \
    }
GAPS_SPLIT(float, int32_t)
GAPS_SPLIT(double, int64_t)

/* What the division has to know of the weights. */
typedef struct {
    double whole; /* W */
    double sign;  /* ±1 for d of that sign, 0 for any: |d| is what was seen */
    double least; /* up to here nothing was seen */
    double tiny;  /* below this W / d may overflow though the result does not */
} gaps_weights;

/* y has `parts` numbers for each of d, whose numbers are `step` apart, 1 or 0. */
typedef void (*gaps_divide)(void *y, const void *d, ptrdiff_t step, ptrdiff_t n, int parts,
                            const gaps_weights *weights);

#define GAPS_DIVIDE(type, fabs_)                                                             \
    static inline type gaps_size_##type(type d, type sign) {                                 \
        return sign == 0 ? fabs_(d) : d * sign;                                              \
    }                                                                                        \
    static inline void gaps_quotients_##type(type *RESTRICT y,                               \
                                             const type *RESTRICT d, ptrdiff_t step,         \
                                             ptrdiff_t n, int parts, type whole, type sign,  \
                                             type least) {                                   \
        for (ptrdiff_t i = 0; i < n; i++) {                                                  \
            const type v = d[i * step], nothing = (type)NAN;                                 \
            const type share = gaps_size_##type(v, sign) <= least ? nothing : whole / v;     \
            y[i * parts] *= share; /* exactly 1 where everything was seen */                 \
            if (parts == 2) y[i * parts + 1] *= share;                                       \
        }                                                                                    \
    }                                                                                        \
    static void gaps_divide_##type(void *sums, const void *seen, ptrdiff_t step,             \
                                   ptrdiff_t n, int parts, const gaps_weights *weights) {    \
        type *y = (type *)sums;                                                              \
        const type *d = (const type *)seen;                                                  \
        const type whole = (type)weights->whole, sign = (type)weights->sign;                 \
        const type least = (type)weights->least, tiny = (type)weights->tiny;                 \
        int careful = 0;                                                                     \
        for (ptrdiff_t i = 0; i < (step ? n : 1); i++) {                                     \
            const type size = gaps_size_##type(d[i], sign);                                  \
            careful |= (size < tiny) & (size > least);                                       \
        }                                                                                    \
        if (careful) {                                                                       \
            for (ptrdiff_t i = 0; i < n * parts; i++) {                                      \
                const type v = d[i / parts * step], size = gaps_size_##type(v, sign);        \
                y[i] = size <= least  ? (type)NAN                                            \
                       : size < tiny ? y[i] / v * whole                                      \
                                     : y[i] * (whole / v);                                   \
            }                                                                                \
        } else if (parts == 2) {                                                             \
            gaps_quotients_##type(y, d, step, n, 2, whole, sign, least);                     \
        } else if (step == 1) {                                                              \
            gaps_quotients_##type(y, d, 1, n, 1, whole, sign, least);                        \
        } else {                                                                             \
            gaps_quotients_##type(y, d, 0, n, 1, whole, sign, least);                        \
        }                                                                                    \
    }
GAPS_DIVIDE(float, fabsf)
GAPS_DIVIDE(double, fabs)

#include "by_type.h"
#define gaps_split(x, ...) OF_REAL(x, gaps_split)(x, __VA_ARGS__)
#define gaps_quotients(y, ...) OF_REAL(y, gaps_divide)(y, __VA_ARGS__)
