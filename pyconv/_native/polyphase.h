/* y[n] = Σ_j w[r][j] · x[m + j] on lines side by side: outputs go through the phases r, each with
   weights of its own, and a period of them through `step` samples.

   A tile is POLYPHASE_OUTPUTS neighbouring outputs of POLYPHASE_VECTORS vectors of lines, so many
   sums as hide the latency of each. Every output adds its products in the order of its taps,
   whatever its place in a tile. */
#pragma once
#include "recursive.h"

#define POLYPHASE_OUTPUTS 4

typedef struct {
    ptrdiff_t phases, step; /* outputs of a period, and its samples */
    ptrdiff_t taps;         /* that all phases have */
    const ptrdiff_t *first; /* the sample that the first of them reads, for each phase */
    const ptrdiff_t *more;  /* 1 for phases with one tap more, which reads the sample before that */
    const void *weights;    /* taps + 1 for each phase, that of the one tap more at the end */
} polyphase;

#define TEMPLATE "polyphase_tile.h"
#include "each_type.h"

#include "by_type.h"
#define polyphase_run(panel, ...) OF_REAL(panel, polyphase_run)(panel, __VA_ARGS__)
#define polyphase_bank(panel, ...) OF_REAL(panel, polyphase_bank)(panel, __VA_ARGS__)
