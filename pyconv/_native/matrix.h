/* C (+)= A · B: the register tile of matrix products, c[i][j] (+)= Σ_q a(q, i) · b[q][j].

   A tile is MATRIX_ROWS × MATRIX_VECTORS accumulators or fewer. In each step a row of b is loaded
   as vectors and each a(q, i) is spread over one; a lies at a + q·a_row + i·a_col, so that the
   same tile reads rows that were packed for it, rows of an array as they are, and columns.
   Every c sums in the order of q whatever its place in a tile. */
#pragma once
#include "transpose.h"

/* The largest tiles whose accumulators, row of b and spread value GCC 12 keeps in registers. */
#if defined(__AVX512F__)
#define MATRIX_ROWS 8
#define MATRIX_VECTORS 3
#elif defined(__AVX2__)
#define MATRIX_ROWS 6
#define MATRIX_VECTORS 2
#elif defined(__aarch64__)
#define MATRIX_ROWS 8
#define MATRIX_VECTORS 2
#else
#define MATRIX_ROWS 4
#define MATRIX_VECTORS 2
#endif

/* One vector of a panel's row: where it goes, and where the first tap reads. */
typedef struct {
    ptrdiff_t at, source;
} matrix_move;

#if STENCIL_HAS_VECTORS && defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define MATRIX_SHUFFLES 1
#endif
#endif
#ifndef MATRIX_SHUFFLES
#define MATRIX_SHUFFLES 0
#endif

#define TEMPLATE "matrix_tile.h"
#include "each_type.h"

#include "by_type.h"
/* Functions of tables, of tiles of so many rows and vectors, or columns. */
#define matrix_tile(rows, vectors, n, a, ...) \
    OF_REAL(a, matrix_tiles)[(vectors) - 1][(rows) - 1](n, a, __VA_ARGS__)
#define taps_tile(rows, vectors, channels, a_channel, taps, offsets, a, ...) \
    OF_REAL(a, taps_tiles)[(vectors) - 1][(rows) - 1] \
    (channels, a_channel, taps, offsets, a, __VA_ARGS__)
#define pixels_tile(rows, vectors, channels, b_channel, taps, offsets, a, ...) \
    OF_REAL(a, pixels_tiles)[(vectors) - 1][(rows) - 1] \
    (channels, b_channel, taps, offsets, a, __VA_ARGS__)
#define dots_tile(rows, cols, n, a, ...) \
    OF_REAL(a, dots_tiles)[(cols) - 1][(rows) - 1](n, a, __VA_ARGS__)
#define fill_panel(moves, count, offsets, taps, copy, ...) \
    OF_REAL(copy, fill_panel)(moves, count, offsets, taps, copy, __VA_ARGS__)
