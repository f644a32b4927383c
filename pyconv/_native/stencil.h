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

/* GCC's and Clang's vector types; without them (MSVC, or PYCONV_PORTABLE) arrays of lanes. */
#if defined(__GNUC__) && !defined(PYCONV_PORTABLE)
#define STENCIL_HAS_VECTORS 1
#else
#define STENCIL_HAS_VECTORS 0
#endif

#if STENCIL_HAS_VECTORS && defined(__clang__)
#define STENCIL_UNROLL _Pragma("clang loop unroll(full)") /* it knows GCC's, and heeds it too late */
#elif STENCIL_HAS_VECTORS
#define STENCIL_UNROLL _Pragma("GCC unroll 32")
#else /* accumulators are in memory: to unroll their loops takes minutes, and gains nothing */
#define STENCIL_UNROLL
#endif

#if defined(__GNUC__)
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

/* Orders non-temporal stores before whatever the thread does next. */
static inline void stencil_fence(void) {
#if STENCIL_HAS_STREAM
    _mm_sfence();
#endif
}

static inline void stencil_prefetch(const void *p) {
#if defined(__GNUC__)
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
