/* Lengths of vectors whose components are rows: y[i] = √(Σ_k x_k[i]²).

   A component is rounded to the type of the result, its square and every sum too, as NumPy does it. So
   squares and sums are made by functions of their own: nothing is fused. */
#pragma once
#include "restrict.h"
#include "stencil.h"
#include <math.h>

#define LENGTHS_SQUARES(sum, result)                                                         \
    STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void lengths_squares_##sum##_##result(            \
        const sum *RESTRICT x, ptrdiff_t n, result *RESTRICT y) {                            \
        for (ptrdiff_t i = 0; i < n; i++) y[i] = (result)x[i] * (result)x[i];                \
    }
LENGTHS_SQUARES(float, float)
LENGTHS_SQUARES(double, float)
LENGTHS_SQUARES(double, double)

#define LENGTHS_SUMS(type, root)                                                             \
    STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void lengths_add_##type(                          \
        type *RESTRICT y, const type *RESTRICT x, ptrdiff_t n) {                             \
        for (ptrdiff_t i = 0; i < n; i++) y[i] += x[i];                                      \
    }                                                                                        \
    STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void lengths_root_##type(                         \
        const type *RESTRICT x, ptrdiff_t n, type *RESTRICT y) {                             \
        for (ptrdiff_t i = 0; i < n; i++) y[i] = root(x[i]);                                 \
    }
LENGTHS_SUMS(float, sqrtf)
LENGTHS_SUMS(double, sqrt)

/* Components are `apart` samples from each other; `rows` has room for two rows of results. */
#define LENGTHS_ROW(sum, result)                                                             \
    static STENCIL_LIKELY_UNUSED void lengths_row_##sum##_##result(                          \
        const sum *x, ptrdiff_t apart, ptrdiff_t parts, ptrdiff_t n, void *rows, void *y) {  \
        result *total = (result *)rows, *part = total + n;                                   \
        lengths_squares_##sum##_##result(x, n, total);                                       \
        for (ptrdiff_t k = 1; k < parts; k++) {                                              \
            lengths_squares_##sum##_##result(x + k * apart, n, part);                        \
            lengths_add_##result(total, part, n);                                            \
        }                                                                                    \
        lengths_root_##result(total, n, (result *)y);                                        \
    }
LENGTHS_ROW(float, float)
LENGTHS_ROW(double, float)
LENGTHS_ROW(double, double)
