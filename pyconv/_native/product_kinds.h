/* The tiles of product.h for one type of samples; included once for each. */

/* The end of a tile: RESULTS makes a row, of which the k-th of TAPS takes the k-th place in registers. */
#define ALL_ROWS                                                                                  \
    for (; r + TAPS <= rows; r += TAPS) STENCIL_UNROLL for (int k = 0; k < TAPS; k++) RESULTS;    \
    STENCIL_UNROLL for (int k = 0; k < TAPS - 1; k++) {                                           \
        if (r == rows) break;                                                                     \
        RESULTS;                                                                                  \
        r++;                                                                                      \
    }                                                                                             \
    for (int lane = 0; lane < LANES; lane++) sign |= LANE(carried, lane);                         \
    return sign >> (8 * sizeof(WORD) - 1)

#define TAPS 3
#define TILE NAMED(product3)
#define TILE_BODY NAMED(product3_body)
#include "product_body.h"
#undef TILE
#undef TILE_BODY
#define TILE NAMED(product3_deep)
#define TILE_BODY NAMED(product3_deep_body)
#include "product_deep_body.h"
#undef TILE
#undef TILE_BODY
#define CROSS
#define TILE NAMED(cross3)
#define TILE_BODY NAMED(cross3_body)
#include "product_body.h"
#undef TILE
#undef TILE_BODY
#define TILE NAMED(cross3_deep)
#define TILE_BODY NAMED(cross3_deep_body)
#include "product_deep_body.h"
#undef CROSS
#undef TAPS
#undef TILE
#undef TILE_BODY
#define TAPS 5
#define TILE NAMED(product5)
#define TILE_BODY NAMED(product5_body)
#include "product_body.h"
#undef TAPS
#undef TILE
#undef TILE_BODY

STENCIL_INLINE int NAMED(in_one_tile)(const SAMPLE *x, const ptrdiff_t *at, ptrdiff_t pitch,
                                      ptrdiff_t step, int kind, const SCALAR *w,
                                      const SCALAR *divisor, SAMPLE *y, ptrdiff_t y_pitch,
                                      ptrdiff_t rows, int streaming) {
    if (kind & PRODUCT_DEEP)
        return (kind == (CROSS_3 | PRODUCT_DEEP) ? NAMED(cross3_deep) : NAMED(product3_deep))(
            x, at, pitch, step, w, divisor, y, y_pitch, rows, streaming);
    return (kind == CROSS_3     ? NAMED(cross3)
            : kind == PRODUCT_3 ? NAMED(product3)
                                : NAMED(product5))(x, at, pitch, step, w, divisor, y, y_pitch, rows,
                                                   streaming);
}
#undef ALL_ROWS
