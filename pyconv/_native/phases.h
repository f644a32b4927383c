/* even[i] = x[2i], odd[i] = x[2i + 1]: samples apart by phase, for a stride of 2. */
#pragma once
#include "stencil.h"

#if STENCIL_HAS_VECTORS && defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define PHASES_SHUFFLES 1
#endif
#endif
#ifndef PHASES_SHUFFLES
#define PHASES_SHUFFLES 0
#endif

#define PHASES_EVEN_2 0, 2
#define PHASES_ODD_2 1, 3
#define PHASES_EVEN_4 0, 2, 4, 6
#define PHASES_ODD_4 1, 3, 5, 7
#define PHASES_EVEN_8 0, 2, 4, 6, 8, 10, 12, 14
#define PHASES_ODD_8 1, 3, 5, 7, 9, 11, 13, 15
#define PHASES_EVEN_16 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define PHASES_ODD_16 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define PHASES_PASTE_(a, b) a##b
#define PHASES_PASTE(a, b) PHASES_PASTE_(a, b)

/* Every other lane of two vectors. */
#define EVERY_OTHER(a, b, which) \
    __builtin_shufflevector(a, b, PHASES_PASTE(PHASES_##which##_, LANES))

#define TEMPLATE "phases_row.h"
#include "each_type.h"

#include "by_type.h"
#define split_rows(x, x_row, rows, n, even, ...) \
    OF_REAL(even, split_rows)(x, x_row, rows, n, even, __VA_ARGS__)
