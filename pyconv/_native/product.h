/* Short factors that are their own mirror image or the negative of it, summed in one tile:

   PRODUCT_3, PRODUCT_5   y = u ∗ (v ∗ x), of 3 or 5 taps each
   CROSS_3                y = u ∗ (s x) + t (v ∗ x), of 3 taps: a Laplacian

   A tile goes down its rows: each is summed along x once, and the sums of the last rows, which stay in
   registers, give a row of the result. Every sum has the same bits as those of passes one after the
   other. It is told on the way whether a result may not be finite, as where the sum of two samples
   leaves the range of the type.

   The weights are v, u, the sign of the image of v and that of u, 1 or −1, then s and t. */
#pragma once
#include <math.h>
#include "row_filter.h"

/* Rows of a tile, at most: of each tile some are summed along x that the one above has summed, too. */
enum { PRODUCT_ROWS = 16 };
enum { CROSS_3 = 1, PRODUCT_3 = 3, PRODUCT_5 = 5 };

#define TEMPLATE "product_tile.h"
#include "each_type.h"

#include "by_type.h"
#define product_tile(x, ...) OF_REAL(x, in_one_tile)(x, __VA_ARGS__)
