/* The tiles of polyphase.h for one SCALAR type; included once for each. */

#define VEC SUFFIX(vec)
#define WIDTH (RECURSIVE_VECTORS * LANES)

/* Neighbouring outputs whose samples begin at x[o]. Weights are one for all lines, at w[o]; of a
   bank they are those of each line, at w[0]. */
STENCIL_INLINE void SUFFIX(polyphase_tile)(const int bank, const SCALAR *const *x,
                                           const SCALAR *const *w, const ptrdiff_t *more,
                                           ptrdiff_t taps, ptrdiff_t n, SCALAR *out,
                                           ptrdiff_t out_step) {
    VEC acc[POLYPHASE_OUTPUTS][RECURSIVE_VECTORS];
    STENCIL_UNROLL for (int o = 0; o < POLYPHASE_OUTPUTS; o++)
        STENCIL_UNROLL for (int v = 0; v < RECURSIVE_VECTORS; v++) acc[o][v] = SUFFIX(splat)(0);
    for (ptrdiff_t j = 0; j < taps; j++) {
        VEC own[RECURSIVE_VECTORS];
        if (bank)
            STENCIL_UNROLL for (int v = 0; v < RECURSIVE_VECTORS; v++)
                own[v] = SUFFIX(load)(w[0] + j * WIDTH + v * LANES);
        STENCIL_UNROLL for (int o = 0; o < POLYPHASE_OUTPUTS; o++) {
            const VEC weight = bank ? own[0] : SUFFIX(splat)(w[o][j]);
            STENCIL_UNROLL for (int v = 0; v < RECURSIVE_VECTORS; v++)
                acc[o][v] = SUFFIX(multiply_add)(acc[o][v], bank ? own[v] : weight,
                                                 SUFFIX(load)(x[o] + j * WIDTH + v * LANES));
        }
    }
    STENCIL_UNROLL for (int o = 0; o < POLYPHASE_OUTPUTS; o++) {
        if (o >= n) break;
        if (!bank && more[o])
            STENCIL_UNROLL for (int v = 0; v < RECURSIVE_VECTORS; v++)
                acc[o][v] = SUFFIX(multiply_add)(acc[o][v], SUFFIX(splat)(w[o][taps]),
                                                 SUFFIX(load)(x[o] - WIDTH + v * LANES));
        STENCIL_UNROLL for (int v = 0; v < RECURSIVE_VECTORS; v++)
            SUFFIX(store)(out + o * out_step + v * LANES, acc[o][v]);
    }
}

/* n outputs of a panel, `out_step` apart, from the first phase on. */
STENCIL_NOINLINE void SUFFIX(polyphase_run)(const SCALAR *panel, const polyphase *d, ptrdiff_t n,
                                            SCALAR *out, ptrdiff_t out_step) {
    const SCALAR *weights = (const SCALAR *)d->weights;
    ptrdiff_t r = 0;
    for (ptrdiff_t i = 0; i < n; i += POLYPHASE_OUTPUTS) {
        const SCALAR *x[POLYPHASE_OUTPUTS], *w[POLYPHASE_OUTPUTS];
        ptrdiff_t more[POLYPHASE_OUTPUTS];
        const ptrdiff_t count = n - i < POLYPHASE_OUTPUTS ? n - i : POLYPHASE_OUTPUTS;
        for (int o = 0; o < POLYPHASE_OUTPUTS; o++) {
            if (o >= count) { /* the one before, which is not written again */
                x[o] = x[o - 1];
                w[o] = w[o - 1];
                more[o] = 0;
                continue;
            }
            x[o] = panel + d->first[r] * WIDTH;
            w[o] = weights + r * (d->taps + 1);
            more[o] = d->more[r];
            if (++r == d->phases) {
                r = 0;
                panel += d->step * WIDTH;
            }
        }
        SUFFIX(polyphase_tile)(0, x, w, more, d->taps, count, out, out_step);
        out += POLYPHASE_OUTPUTS * out_step;
    }
}

/* n outputs of a panel of which each line has weights of its own, a row of lines for each tap. */
STENCIL_NOINLINE void SUFFIX(polyphase_bank)(const SCALAR *panel, const SCALAR *weights,
                                             ptrdiff_t taps, ptrdiff_t step, ptrdiff_t n,
                                             SCALAR *out, ptrdiff_t out_step) {
    for (ptrdiff_t i = 0; i < n; i += POLYPHASE_OUTPUTS) {
        const SCALAR *x[POLYPHASE_OUTPUTS], *w[1] = {weights};
        const ptrdiff_t count = n - i < POLYPHASE_OUTPUTS ? n - i : POLYPHASE_OUTPUTS;
        for (int o = 0; o < POLYPHASE_OUTPUTS; o++)
            x[o] = panel + (i + (o < count ? o : count - 1)) * step * WIDTH;
        SUFFIX(polyphase_tile)(1, x, w, NULL, taps, count, out, out_step);
        out += POLYPHASE_OUTPUTS * out_step;
    }
}

#undef VEC
#undef WIDTH
