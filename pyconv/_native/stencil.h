/* y[r][c] = Σ_segments Σ_v Σ_a w · x[offset + v·step + (r + a)·pitch + c]: the register tile.

   One tile serves every problem. A segment is a run of `columns` taps, `step` apart, each with
   `rows` taps below it, one pitch apart. In each column up to five vertically adjacent weights
   sit in registers, and ROWS + A − 1 loads of x feed ROWS · A multiply-adds. An area tile takes
   the row pitch of an image; a line tile takes a pitch of one vector, so that in one dimension
   taps a vector apart are the vertical neighbours. A flat tile is an area tile of fewer rows, for
   pitches that are a multiple of 4 KiB: such rows fall into the same sets of the first cache,
   which then holds no more of them than it has ways.

   Weights lie in the order in which they are used (stencil_group says how rows are grouped).
   Every output sums its taps in that order whatever its place in a tile, so that results do not
   depend on how the work is cut. */
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    ptrdiff_t offset, columns, rows, step;
} stencil_segment;

/* Taps of a column whose rows lie anywhere (columns_body.h); fold is 1 for weights that are their
   own mirror image, −1 for the negative of it, else 0. */
typedef struct {
    ptrdiff_t offset;
    const ptrdiff_t *rows;
    ptrdiff_t taps, fold;
} stencil_set;

/* How many of `rows` vertically adjacent taps are taken together next: 5 or fewer, never 1
   left over. */
static inline ptrdiff_t stencil_group(ptrdiff_t rows) {
    return rows <= 5 ? rows : rows == 6 ? 3 : 4;
}

/* The largest tiles whose accumulators, weights and loads GCC 12 keeps in registers; the last row
   of them, for SSE2, spills a little and is as fast as smaller ones. */
#if defined(__AVX512F__)
#define STENCIL_VECTOR_BYTES 64
#define STENCIL_AREA_ROWS 8
#define STENCIL_AREA_VECTORS 2
#define STENCIL_FLAT_ROWS 4
#define STENCIL_FLAT_VECTORS 4
#define STENCIL_LINE_ROWS 12
#define STENCIL_COLUMN_ROWS 12
#define STENCIL_COLUMN_GROUP 4
#elif defined(__AVX2__)
#define STENCIL_VECTOR_BYTES 32
#define STENCIL_AREA_ROWS 4
#define STENCIL_AREA_VECTORS 2
#define STENCIL_LINE_ROWS 8
#define STENCIL_COLUMN_ROWS 8
#define STENCIL_COLUMN_GROUP 2
#elif defined(__aarch64__)
#define STENCIL_VECTOR_BYTES 16
#define STENCIL_AREA_ROWS 6
#define STENCIL_AREA_VECTORS 2
#define STENCIL_LINE_ROWS 12
#define STENCIL_COLUMN_ROWS 12
#define STENCIL_COLUMN_GROUP 4
#else
#define STENCIL_VECTOR_BYTES 16
#define STENCIL_AREA_ROWS 4
#define STENCIL_AREA_VECTORS 2
#define STENCIL_LINE_ROWS 8
#define STENCIL_COLUMN_ROWS 8
#define STENCIL_COLUMN_GROUP 2
#endif

#ifdef STENCIL_FLAT_ROWS
#define STENCIL_HAS_FLAT 1
#else
#define STENCIL_HAS_FLAT 0
#define STENCIL_FLAT_ROWS STENCIL_AREA_ROWS
#define STENCIL_FLAT_VECTORS STENCIL_AREA_VECTORS
#endif

/* GCC's and Clang's vector types, clang-cl's included; without them (MSVC, or PYCONV_PORTABLE) arrays
   of lanes. */
#if (defined(__GNUC__) || defined(__clang__)) && !defined(PYCONV_PORTABLE)
#define STENCIL_HAS_VECTORS 1
#else
#define STENCIL_HAS_VECTORS 0
#endif

/* Arrays of lanes are as wide as the compiler makes one instruction of: GCC 12 made none of 32 bytes,
   Clang 16 none of 64 (7 to 250 times slower). So no variant is slower than the baseline. */
#if !STENCIL_HAS_VECTORS
#undef STENCIL_VECTOR_BYTES
#if defined(__clang__) && defined(__AVX2__)
#define STENCIL_VECTOR_BYTES 32
#else
#define STENCIL_VECTOR_BYTES 16
#endif
#endif

/* Loops over accumulators are unrolled before anything else is made of them, or these stay in memory. */
#if defined(__clang__)
#define STENCIL_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define STENCIL_UNROLL _Pragma("GCC unroll 32")
#else
#define STENCIL_UNROLL
#endif

/* In plain C a loop over lanes is not unrolled: compilers make one instruction of a loop, and keep the
   vector in a register, but leave scalars that follow each other in memory. */
#if defined(__clang__)
#define STENCIL_EACH_LANE(i) \
    _Pragma("clang loop unroll(disable)") for (int i = 0; i < LANES; i++)
#elif defined(__GNUC__)
#define STENCIL_EACH_LANE(i) _Pragma("GCC unroll 1") for (int i = 0; i < LANES; i++)
#else
#define STENCIL_EACH_LANE(i) for (int i = 0; i < LANES; i++)
#endif

#if defined(__GNUC__) || defined(__clang__)
#define STENCIL_INLINE static inline __attribute__((always_inline))
#define STENCIL_NOINLINE static __attribute__((noinline))
#define STENCIL_LIKELY_UNUSED __attribute__((unused))
#else
#define STENCIL_INLINE static __forceinline
#define STENCIL_NOINLINE static __declspec(noinline)
#define STENCIL_LIKELY_UNUSED
#endif

#if defined(__x86_64__) && STENCIL_HAS_VECTORS
#include <immintrin.h>
#define STENCIL_HAS_STREAM 1
#else
#define STENCIL_HAS_STREAM 0
#endif

/* The compiler would load a vector again for each multiply-add that can take it from memory. */
#if !STENCIL_HAS_VECTORS
#define STENCIL_HOLD(vector) (void)(vector)
#elif defined(__AVX512F__)
#define STENCIL_HOLD(vector) __asm__("" : "+v"(vector))
#elif defined(__x86_64__)
#define STENCIL_HOLD(vector) __asm__("" : "+x"(vector))
#elif defined(__aarch64__)
#define STENCIL_HOLD(vector) __asm__("" : "+w"(vector))
#else
#define STENCIL_HOLD(vector) (void)(vector)
#endif

/* Clang takes a product that two branches have in common before them, where nothing is fused: loops
   would round it that agree with each other otherwise. What it is told to fuse stays fused. */
#if defined(__clang__) && STENCIL_HAS_VECTORS
#if defined(__AVX512F__)
#define STENCIL_FUSED 1
#define STENCIL_FUSED_float(sum, a, b) _mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(sum))
#define STENCIL_FUSED_double(sum, a, b) _mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(sum))
#elif defined(__x86_64__) && defined(__FMA__)
#define STENCIL_FUSED 1
#define STENCIL_FUSED_float(sum, a, b) _mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(sum))
#define STENCIL_FUSED_double(sum, a, b) _mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(sum))
#elif defined(__aarch64__)
#include <arm_neon.h>
#define STENCIL_FUSED 1
#define STENCIL_FUSED_float(sum, a, b) \
    vfmaq_f32((float32x4_t)(sum), (float32x4_t)(a), (float32x4_t)(b))
#define STENCIL_FUSED_double(sum, a, b) \
    vfmaq_f64((float64x2_t)(sum), (float64x2_t)(a), (float64x2_t)(b))
#endif
#endif

/* Orders non-temporal stores before whatever the thread does next. */
static inline void stencil_fence(void) {
#if STENCIL_HAS_STREAM
    _mm_sfence();
#endif
}

static inline void stencil_prefetch(const void *p) {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(p, 0, 2);
#else
    (void)p;
#endif
}

#define TEMPLATE "stencil_tile.h"
#define WITH_INTEGERS
#define WITH_SHORTS
#include "each_type.h"

#include "by_type.h"
#define copy_row(out, ...) OF_TILE(out, copy_row)(out, __VA_ARGS__)
#define area_tile(x, ...) OF_TILE(x, area)(x, __VA_ARGS__)
#define flat_tile(x, ...) OF_TILE(x, flat)(x, __VA_ARGS__)
#define line_tile(x, ...) OF_TILE(x, line)(x, __VA_ARGS__)
#define area_quotient(x, ...) OF_REAL(x, area_quotient)(x, __VA_ARGS__)
#define line_quotient(x, ...) OF_REAL(x, line_quotient)(x, __VA_ARGS__)
#define columns_tile(x, ...) OF_SUMS(x, columns)(x, __VA_ARGS__)
#define copy_rows(out, ...) OF_REAL(out, copy_rows)(out, __VA_ARGS__)
#define biased_rows(out, ...) OF_REAL(out, biased_rows)(out, __VA_ARGS__)
