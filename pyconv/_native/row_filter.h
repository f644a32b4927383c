/* out[i] = Σ_t w[t] · x[i + t·step], a row summed along itself, tap by tap in their order.

   Of short kernels that is faster than to turn rows into columns (transpose_rows.h); every sum has the
   same bits as there. It is told on the way whether the sums may be summed again. */
#pragma once
#include "stencil.h"

/* Longer sets of taps, folded or not, are summed faster by turning rows: with AVX-512 about there on
   Zen 4; for narrower vectors, which load without a shuffle, by the count of their loads. */
#if defined(__AVX512F__)
enum { ALONG_FOLDED_TAPS = 25, ALONG_TAPS = 13 };
#else
enum { ALONG_FOLDED_TAPS = 17, ALONG_TAPS = 9 };
#endif

/* The bits of a sample. Added to them, a carry changes the sign of those alone whose sum with
   another may not be finite: NaN, infinity and the largest magnitudes. */
typedef uint32_t word_float;
typedef uint64_t word_double, word_uint64;
#define carry_float ((uint32_t)1 << 24)
#define carry_double ((uint64_t)1 << 53)
#define carry_uint64 ((uint64_t)0)

#define TEMPLATE "row_filter_tile.h"
#define WITH_INTEGERS
#include "each_type.h"

#include "by_type.h"
#define sum_along_row(x, ...) OF_SUMS(x, along)(x, __VA_ARGS__)
