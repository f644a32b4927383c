/* y[p] = Σ_k Σ_v w[k][v] · x[k][p·step + v·dilation], where every sample is LANES channels of one
   pixel: layers with a kernel for each channel, channels side by side.

   A tile is up to LANES_PIXELS neighbouring results of a row. Each takes a product with every tap,
   in the order of the kernel, whatever its place in a tile. Where neighbouring taps and results
   read neighbouring pixels, up to five weights sit in registers and share their loads. */
#pragma once
#include "stencil.h"

/* So many accumulators hide the latency of each, and fit 16 registers beside five weights. */
#define LANES_PIXELS 8

/* Kernel rows begin at `rows` from the first sample; step and dilation are in samples. */
typedef struct {
    const ptrdiff_t *rows;
    ptrdiff_t n_rows, taps, step, dilation;
} depthwise_lanes;

#define TEMPLATE "depthwise_lanes_tile.h"
#include "each_type.h"

#include "by_type.h"
#define lanes_row(d, x, ...) OF_REAL(x, lanes_row)(d, x, __VA_ARGS__)
