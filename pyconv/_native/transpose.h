/* out[e][j] = row_j[e]: four columns of LANES rows become vectors. */
#pragma once
#include "stencil.h"

#if defined(__has_builtin) && STENCIL_HAS_VECTORS
#if __has_builtin(__builtin_shufflevector)
#define TRANSPOSE_HAS_SHUFFLE 1
#endif
#endif
#ifndef TRANSPOSE_HAS_SHUFFLE
#define TRANSPOSE_HAS_SHUFFLE 0
#endif

/* Parts of a vector from two places: by shuffles GCC 12 would take three instructions each. */
#if TRANSPOSE_HAS_SHUFFLE && defined(__AVX2__)
STENCIL_INLINE __m256 pair_float(const float *a, const float *b) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(a)), _mm_loadu_ps(b), 1);
}
#endif
#if TRANSPOSE_HAS_SHUFFLE && defined(__AVX512F__)
STENCIL_INLINE __m512 join_float(__m256 a, __m256 b) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(a), b, 1);
}
STENCIL_INLINE __m512d pair_double(const double *a, const double *b) {
    return _mm512_insertf64x4(_mm512_castpd256_pd512(_mm256_loadu_pd(a)), _mm256_loadu_pd(b), 1);
}
STENCIL_INLINE vec_uint64 pair_uint64(const uint64_t *a, const uint64_t *b) {
    return (vec_uint64)pair_double((const double *)a, (const double *)b);
}
#endif

/* Indices that transpose groups of four lanes of 4, 8 and 16. */
#define TRANSPOSE_LOW_4 0, 4, 1, 5
#define TRANSPOSE_HIGH_4 2, 6, 3, 7
#define TRANSPOSE_EVEN_4 0, 1, 4, 5
#define TRANSPOSE_ODD_4 2, 3, 6, 7
#define TRANSPOSE_LOW_8 0, 8, 1, 9, 4, 12, 5, 13
#define TRANSPOSE_HIGH_8 2, 10, 3, 11, 6, 14, 7, 15
#define TRANSPOSE_EVEN_8 0, 1, 8, 9, 4, 5, 12, 13
#define TRANSPOSE_ODD_8 2, 3, 10, 11, 6, 7, 14, 15
#define TRANSPOSE_LOW_16 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29
#define TRANSPOSE_HIGH_16 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31
#define TRANSPOSE_EVEN_16 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define TRANSPOSE_ODD_16 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31

#define TRANSPOSE_PASTE_(a, b) a##b
#define TRANSPOSE_PASTE(a, b) TRANSPOSE_PASTE_(a, b)

#define TEMPLATE "transpose_tile.h"
#define WITH_INTEGERS
#include "each_type.h"

#include "by_type.h"
#define turn_pixels(x, ...) OF_REAL(x, turn_pixels)(x, __VA_ARGS__)
#define transpose(x, ...) OF_REAL(x, transpose)(x, __VA_ARGS__)
#define transpose_biased(x, ...) OF_REAL(x, transpose_biased)(x, __VA_ARGS__)
