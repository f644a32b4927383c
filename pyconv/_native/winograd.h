/* y = Aᵀ [ Σ_c (G w_c Gᵀ) ⊙ (Bᵀ x_c B) ] A: the loops of Winograd's minimal filtering.

   Tiles of m × m outputs of a 3 × 3 kernel take (m + 2)² products for each pair of channels
   instead of 9 m²: 4 times fewer for m = 4, 2.25 times for m = 2. Along an axis on which the
   kernel has one tap there is one "point", and nothing to transform. See Lavin and Gray, "Fast
   algorithms for convolutional neural networks", 2016.

   F(4, 3) takes the points {0, ±√½, ±√2, ∞}. Their products pairwise are 1, which saves
   operations, and the error is a third of that of the usual {0, ±1, ±2, ∞}: see Barabasz,
   Anderson, Soodhalter and Gregg, "Error analysis and improving the accuracy of Winograd
   convolution for deep neural networks", 2020.

   Vectors run over channels: a sample is LANES channels of one pixel. */
#pragma once
#include "transpose.h"

/* Tiles of the product: WINOGRAD_ROWS accumulators by two vectors, which GCC 12 keeps in
   registers with two vectors of weights and one sample. */
#if defined(__AVX512F__)
#define WINOGRAD_ROWS 14
#elif defined(__AVX2__)
#define WINOGRAD_ROWS 6
#elif defined(__aarch64__)
#define WINOGRAD_ROWS 12
#else
#define WINOGRAD_ROWS 5
#endif

/* Weights are fetched so many bytes before they are multiplied: they stream from the outer
   caches, once a chunk of tiles. */
#define WINOGRAD_AHEAD 8192

#define TEMPLATE "winograd_tile.h"
#include "each_type.h"

#include "by_type.h"
#define winograd_input(ny, nx, rows, tiles, v, ...) \
    OF_REAL(v, winograd_input)(ny, nx, rows, tiles, v, __VA_ARGS__)
#define winograd_weights(ny, nx, w, ...) OF_REAL(w, winograd_weights)(ny, nx, w, __VA_ARGS__)
#define winograd_multiply(tiles, vectors, channels, v, ...) \
    OF_REAL(v, winograd_multiply)(tiles, vectors, channels, v, __VA_ARGS__)
#define winograd_output(ny, nx, m, ...) OF_REAL(m, winograd_output)(ny, nx, m, __VA_ARGS__)
