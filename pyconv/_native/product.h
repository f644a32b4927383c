/* Short factors that are their own mirror image or the negative of it, summed in one tile:

   PRODUCT_3, PRODUCT_5   y = u ∗ (v ∗ x), of 3 or 5 taps each
   CROSS_3                y = u ∗ (s x) + t (v ∗ x), of 3 taps: a Laplacian

   and, with PRODUCT_DEEP, along three axes, of 3 taps:

   PRODUCT_3              y = t ∗ (u ∗ (v ∗ x))
   CROSS_3                y = (t ∗ x + u ∗ x) + v ∗ x

   A tile goes down its rows: each is summed along x once, and the sums of the last rows, which stay in
   registers, give a row of the result. Along three axes its rows are planes of the volume, and what
   neighbouring rows of a plane hold lies in three places. Every sum has the same bits as those of passes
   one after the other. It is told on the way whether a result may not be finite, as where the sum of two
   samples leaves the range of the type.

   With PRODUCT_WIDE samples and results are float, sums, weights and divisor double. The tile is as large
   as one of float.

   The weights are v, u, the sign of the image of v and that of u, 1 or −1, then s and t; along three axes
   v, u, t and their signs. */
#pragma once
#include <math.h>
#include "row_filter.h"

/* Rows of a tile, at most: of each tile some are summed along x that the one above has summed, too. */
enum { PRODUCT_ROWS = 16 };
enum { CROSS_3 = 1, PRODUCT_3 = 3, PRODUCT_5 = 5, PRODUCT_DEEP = 8, PRODUCT_WIDE = 16 };

#define TEMPLATE "product_tile.h"
#include "each_type.h"

/* `at` tells where the rows of three places lie from x on; NULL along two axes. */
static inline int product_tile_float(const float *x, const ptrdiff_t *at, ptrdiff_t pitch,
                                     ptrdiff_t step, int kind, const float *w, const float *divisor,
                                     float *y, ptrdiff_t y_pitch, ptrdiff_t rows, int streaming) {
    enum { COLS = STENCIL_AREA_VECTORS * (STENCIL_VECTOR_BYTES / (int)sizeof(double)) };
    const double *wide = (const double *)(const void *)w, *over = (const double *)(const void *)divisor;
    if (!(kind & PRODUCT_WIDE))
        return in_one_tile_float(x, at, pitch, step, kind, w, divisor, y, y_pitch, rows, streaming);
    kind &= ~PRODUCT_WIDE;
    return wide_in_one_tile_double(x, at, pitch, step, kind, wide, over, y, y_pitch, rows, streaming) |
           wide_in_one_tile_double(x + COLS, at, pitch, step, kind, wide, over, y + COLS, y_pitch, rows,
                                   streaming);
}

static inline int product_tile_double(const double *x, const ptrdiff_t *at, ptrdiff_t pitch,
                                      ptrdiff_t step, int kind, const double *w, const double *divisor,
                                      double *y, ptrdiff_t y_pitch, ptrdiff_t rows, int streaming) {
    return in_one_tile_double(x, at, pitch, step, kind, w, divisor, y, y_pitch, rows, streaming);
}

#include "by_type.h"
#define product_tile(x, ...) OF_REAL(x, product_tile)(x, __VA_ARGS__)
