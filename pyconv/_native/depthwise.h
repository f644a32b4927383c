/* y[r][j] = Σ_runs Σ_v Σ_a w · x_(r + a)[first + j·step + v·dilation]: layers with a kernel for
   each channel, from the caller's rows as they are.

   A tile is DEPTHWISE_ROWS rows of one vector of results. Rows of x are a table of pointers, in
   which rows that lie outside point to zeros; columns that lie outside are lanes that are not
   loaded. So nothing is copied, and planes of a few vectors, which most of these layers have, cost
   little more than their sums. Without loads of some lanes (SSE2, NEON) a copy with its border is
   faster. As in stencil.h, up to five vertically adjacent taps, a run, share their loads, and every
   result sums its taps in the order of the weights. */
#pragma once
#include "phases.h"

#if PHASES_SHUFFLES && defined(__AVX2__)
#define DEPTHWISE_IN_PLACE 1
#else
#define DEPTHWISE_IN_PLACE 0
#endif

/* Rows of images are mostly multiples of 7; so many sums in flight hide the latency of each. */
#define DEPTHWISE_ROWS 7

/* Taps of a column that are `rows` vertically adjacent ones, the first in row `first` of the
   table of rows. */
typedef struct {
    ptrdiff_t first, rows;
} depthwise_run;

/* `rows` is the table of pointers to sample 0 of each row, of `size` samples. */
#define DEPTHWISE_STRUCT(type)                        \
    typedef struct {                                  \
        const type *const *rows;                      \
        const depthwise_run *runs;                    \
        ptrdiff_t n_runs, size, step, dilation, taps; \
    } depthwise_##type;
DEPTHWISE_STRUCT(float)
DEPTHWISE_STRUCT(double)
#undef DEPTHWISE_STRUCT

#if DEPTHWISE_IN_PLACE
#define SCALAR float
#define SUFFIX(name) name##_float
#if defined(__AVX512F__)
#define LANES 16
#define SET __mmask16
#define LOAD_SET(p, set) (VEC) _mm512_maskz_loadu_ps(set, p)
#define STORE_SET(p, set, v) _mm512_mask_storeu_ps(p, set, (__m512)(v))
#else
#define LANES 8
#define SET __m256i
#define LANE int32_t
#define LOAD_SET(p, set) (VEC) _mm256_maskload_ps(p, set)
#define STORE_SET(p, set, v) _mm256_maskstore_ps(p, set, (__m256)(v))
#endif
#include "depthwise_tile.h"
#undef SCALAR
#undef SUFFIX
#undef LANES
#undef SET
#undef LANE
#undef LOAD_SET
#undef STORE_SET

#define SCALAR double
#define SUFFIX(name) name##_double
#if defined(__AVX512F__)
#define LANES 8
#define SET __mmask8
#define LOAD_SET(p, set) (VEC) _mm512_maskz_loadu_pd(set, p)
#define STORE_SET(p, set, v) _mm512_mask_storeu_pd(p, set, (__m512d)(v))
#else
#define LANES 4
#define SET __m256i
#define LANE int64_t
#define LOAD_SET(p, set) (VEC) _mm256_maskload_pd(p, set)
#define STORE_SET(p, set, v) _mm256_maskstore_pd(p, set, (__m256d)(v))
#endif
#include "depthwise_tile.h"
#undef SCALAR
#undef SUFFIX
#undef LANES
#undef SET
#undef LANE
#undef LOAD_SET
#undef STORE_SET

#else
/* Nobody calls these; arguments that are read by nothing would be warned of. */
#define DEPTHWISE_NOTHING(d, origin, w, bias, y, y_row, rows, cols)                       \
    ((void)(d), (void)(origin), (void)(w), (void)(bias), (void)(y), (void)(y_row),        \
     (void)(rows), (void)(cols))
#define depthwise_block_float DEPTHWISE_NOTHING
#define depthwise_block_double DEPTHWISE_NOTHING
#endif
