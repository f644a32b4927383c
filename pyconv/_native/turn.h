/* out[i][j] = in[j][i] for TURN_BLOCK × TURN_BLOCK samples of 2, 4 or 8 bytes; rows are `in_row` and
   `out_row` bytes apart.

   The rows are copied first: those a multiple of 4 KiB apart fall into the same set of the cache,
   which would lose a line before it is read to its end. Vectors are those of any processor, as this
   is compiled once for all. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TURN_BLOCK 16

#if (defined(__GNUC__) || defined(__clang__)) && !defined(PYCONV_PORTABLE) && defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define TURN_HAS_SHUFFLE 1
#endif
#endif

#ifdef TURN_HAS_SHUFFLE
#if defined(__clang__)
#define TURN_UNROLL _Pragma("clang loop unroll(full)")
#else
#define TURN_UNROLL _Pragma("GCC unroll 16")
#endif
#define TURN_VECTOR(type)                                                                    \
    typedef type turn_##type __attribute__((vector_size(16), may_alias));                    \
    typedef type turn_any_##type                                                             \
        __attribute__((vector_size(16), aligned(sizeof(type)), may_alias));
TURN_VECTOR(uint16_t)
TURN_VECTOR(uint32_t)
TURN_VECTOR(uint64_t)
#define TURN_LOW_2 0, 2
#define TURN_HIGH_2 1, 3
#define TURN_LOW_4 0, 4, 1, 5
#define TURN_HIGH_4 2, 6, 3, 7
#define TURN_LOW_8 0, 8, 1, 9, 2, 10, 3, 11
#define TURN_HIGH_8 4, 12, 5, 13, 6, 14, 7, 15

/* Squares of n samples, a vector of each row. Vectors half a square apart are interleaved, as often
   as makes rows of columns. */
#define TURN(type, n)                                                                        \
    static inline void turn_block_##type(const char *in, ptrdiff_t in_row, char *out,        \
                                         ptrdiff_t out_row) {                                \
        type block[TURN_BLOCK][TURN_BLOCK];                                                  \
        for (int j = 0; j < TURN_BLOCK; j++)                                                 \
            memcpy(block[j], in + j * in_row, sizeof block[j]);                              \
        for (int i = 0; i < TURN_BLOCK; i += n)                                              \
            for (int j = 0; j < TURN_BLOCK; j += n) {                                        \
                turn_##type v[n], t[n];                                                      \
                TURN_UNROLL for (int k = 0; k < n; k++)                                      \
                    v[k] = *(const turn_any_##type *)&block[j + k][i];                       \
                TURN_UNROLL for (int half = n / 2; half; half /= 2) {                        \
                    TURN_UNROLL for (int k = 0; k < n / 2; k++) {                            \
                        t[2 * k] = __builtin_shufflevector(v[k], v[k + n / 2], TURN_LOW_##n); \
                        t[2 * k + 1] =                                                       \
                            __builtin_shufflevector(v[k], v[k + n / 2], TURN_HIGH_##n);      \
                    }                                                                        \
                    TURN_UNROLL for (int k = 0; k < n; k++) v[k] = t[k];                     \
                }                                                                            \
                TURN_UNROLL for (int k = 0; k < n; k++)                                      \
                    *(turn_any_##type *)(out + (i + k) * out_row + j * (ptrdiff_t)sizeof(type)) = \
                        v[k];                                                                \
            }                                                                                \
    }
TURN(uint16_t, 8)
TURN(uint32_t, 4)
TURN(uint64_t, 2)
#undef TURN
#else
#define TURN(type)                                                                           \
    static inline void turn_block_##type(const char *in, ptrdiff_t in_row, char *out,        \
                                         ptrdiff_t out_row) {                                \
        type block[TURN_BLOCK][TURN_BLOCK], row[TURN_BLOCK];                                 \
        for (int j = 0; j < TURN_BLOCK; j++) {                                               \
            memcpy(row, in + j * in_row, sizeof row);                                        \
            for (int i = 0; i < TURN_BLOCK; i++) block[i][j] = row[i];                       \
        }                                                                                    \
        for (int i = 0; i < TURN_BLOCK; i++)                                                 \
            memcpy(out + i * out_row, block[i], sizeof block[i]);                            \
    }
TURN(uint16_t)
TURN(uint32_t)
TURN(uint64_t)
#undef TURN
#endif
