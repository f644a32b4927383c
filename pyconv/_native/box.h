/* Rows of sums of equal weights: Σ_{i<k} x[j + i], each sample added a number of times that does
   not depend on k, or on its logarithm alone.

   Across rows (box_add, box_close): x is cut into blocks of k rows. A window of k rows is the end
   of one block, whose sums were formed from its last row backwards, and the beginning of the next,
   whose sum grows with each row (van Herk 1992, Gil and Werman 1993). Along a row (box_widen) the
   window doubles: s_2m[j] = s_m[j] + s_m[j + m]. No sample is ever subtracted, so that nothing
   drifts, and what is not finite reaches no window that does not hold it.

   Buffers are whole vectors; what lies beyond the samples of a row is read and never used. */
#pragma once
#include "stencil.h"

#define TEMPLATE "box_rows.h"
#define WITH_INTEGERS
#define WITH_SHORTS
#include "each_type.h"

#include "by_type.h"
#define box_scale(row, ...) OF_SUMS(row, box_scale)(row, __VA_ARGS__)
#define box_add(row, ...) OF_SUMS(row, box_add)(row, __VA_ARGS__)
#define box_close(rows, ...) OF_SUMS(rows, box_close)(rows, __VA_ARGS__)
#define box_copy(x, ...) OF_SUMS(x, box_copy)(x, __VA_ARGS__)
#define box_divide(x, ...) OF_REAL(x, box_divide)(x, __VA_ARGS__)
#define box_widen(s, ...) OF_TILE(s, box_widen)(s, __VA_ARGS__)
