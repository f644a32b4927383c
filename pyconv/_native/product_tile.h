/* The tiles of product.h for one SCALAR type; included once for each. */

#define VEC SUFFIX(vec)
#define WORD SUFFIX(word)
#if STENCIL_HAS_VECTORS
#define LANE(words, i) (words)[i]
#else
#define LANE(words, i) (words).lane[i]
#endif
#define COLS STENCIL_AREA_VECTORS

/* a + b, or a − b where `flip` has the bits of −0 instead of those of 0. */
#if STENCIL_HAS_VECTORS
STENCIL_INLINE VEC SUFFIX(joined)(VEC a, VEC b, VEC flip) {
    return a + (VEC)((SUFFIX(words))b ^ (SUFFIX(words))flip);
}
#else
STENCIL_INLINE VEC SUFFIX(joined)(VEC a, VEC b, VEC flip) {
    STENCIL_EACH_LANE(i) a.lane[i] += signbit(flip.lane[i]) ? -b.lane[i] : b.lane[i];
    return a;
}
#endif

#define EACH(c) STENCIL_UNROLL for (int c = 0; c < COLS; c++)
#define TAPS 3
#define TILE SUFFIX(product3)
#include "product_body.h"
#undef TILE
#define CROSS
#define TILE SUFFIX(cross3)
#include "product_body.h"
#undef CROSS
#undef TAPS
#undef TILE
#define TAPS 5
#define TILE SUFFIX(product5)
#include "product_body.h"
#undef TAPS
#undef TILE
#undef EACH
#undef COLS
#undef LANE
#undef WORD
#undef VEC

STENCIL_INLINE int SUFFIX(in_one_tile)(const SCALAR *x, ptrdiff_t pitch, ptrdiff_t step, int kind,
                                   const SCALAR *w, const SCALAR *divisor, SCALAR *y,
                                   ptrdiff_t y_pitch, ptrdiff_t rows, int streaming) {
    return (kind == CROSS_3     ? SUFFIX(cross3)
            : kind == PRODUCT_3 ? SUFFIX(product3)
                                : SUFFIX(product5))(x, pitch, step, w, divisor, y, y_pitch, rows,
                                                    streaming);
}
