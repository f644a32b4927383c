/* The tiles of product.h for one SCALAR type; included once for each. */

#define VEC SUFFIX(vec)
#define WORD SUFFIX(word)
#if STENCIL_HAS_VECTORS
#define LANE(words, i) (words)[i]
#else
#define LANE(words, i) (words).lane[i]
#endif
#define COLS STENCIL_AREA_VECTORS

#if STENCIL_HAS_VECTORS && defined(__GNUC__)
#define OPAQUE(pointer) __asm__("" : "+r"(pointer))
#else
#define OPAQUE(pointer) (void)(pointer)
#endif
#define EACH(c) STENCIL_UNROLL for (int c = 0; c < COLS; c++)
#define TAPS 3
#define TILE SUFFIX(product3)
#define TILE_BODY SUFFIX(product3_body)
#include "product_body.h"
#undef TILE
#undef TILE_BODY
#define CROSS
#define TILE SUFFIX(cross3)
#define TILE_BODY SUFFIX(cross3_body)
#include "product_body.h"
#undef CROSS
#undef TAPS
#undef TILE
#undef TILE_BODY
#define TAPS 5
#define TILE SUFFIX(product5)
#define TILE_BODY SUFFIX(product5_body)
#include "product_body.h"
#undef TAPS
#undef TILE
#undef TILE_BODY
#undef OPAQUE
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
