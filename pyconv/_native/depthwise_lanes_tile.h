/* The tiles of depthwise_lanes.h for one SCALAR type; included once for each. */

#define VEC SUFFIX(vec)

/* A neighbouring taps of a row for `pixels` neighbouring results; A and pixels are literals. */
#define TAPS(A)                                                                               \
    do {                                                                                      \
        VEC t[A];                                                                             \
        STENCIL_UNROLL for (int a = 0; a < A; a++) t[a] = SUFFIX(load)(w + a * LANES);        \
        STENCIL_UNROLL for (int q = 0; q < pixels + A - 1; q++) {                             \
            VEC sample = SUFFIX(load)(p + q * LANES);                                         \
            STENCIL_HOLD(sample);                                                             \
            STENCIL_UNROLL for (int a = 0; a < A; a++) if (q - a >= 0 && q - a < pixels)      \
                acc[q - a] = SUFFIX(multiply_add)(acc[q - a], t[a], sample);                  \
        }                                                                                     \
        p += A * LANES;                                                                       \
        w += A * LANES;                                                                       \
        taps -= A;                                                                            \
    } while (0)

STENCIL_INLINE void SUFFIX(lanes_tile)(const int pixels, const depthwise_lanes *d,
                                       const SCALAR *x, const SCALAR *w, SCALAR *y) {
    VEC acc[LANES_PIXELS];
    const int dense = d->step == 1 && d->dilation == 1;
    STENCIL_UNROLL for (int i = 0; i < pixels; i++) acc[i] = SUFFIX(splat)(0);
    for (ptrdiff_t k = 0; k < d->n_rows; k++) {
        const SCALAR *p = x + d->rows[k];
        ptrdiff_t taps = d->taps;
        if (dense) {
            while (taps > 5 && taps != 6) TAPS(4);
            if (taps == 6) TAPS(3);
            switch (taps) {
            case 5: TAPS(5); break;
            case 4: TAPS(4); break;
            case 3: TAPS(3); break;
            case 2: TAPS(2); break;
            case 1: TAPS(1); break;
            }
            continue;
        }
        for (; taps > 0; taps--, p += d->dilation * LANES, w += LANES) {
            const VEC weight = SUFFIX(load)(w);
            STENCIL_UNROLL for (int i = 0; i < pixels; i++) acc[i] = SUFFIX(multiply_add)(
                acc[i], weight, SUFFIX(load)(p + i * d->step * LANES));
        }
    }
    STENCIL_UNROLL for (int i = 0; i < pixels; i++) SUFFIX(store)(y + i * LANES, acc[i]);
}

#define TILE_OF(pixels)                                                                     \
    STENCIL_NOINLINE void SUFFIX(lanes_tile_##pixels)(const depthwise_lanes *d,             \
                                                      const SCALAR *x, const SCALAR *w,     \
                                                      SCALAR *y) {                          \
        SUFFIX(lanes_tile)(pixels, d, x, w, y);                                             \
    }
TILE_OF(1)
TILE_OF(2)
TILE_OF(3)
TILE_OF(4)
TILE_OF(5)
TILE_OF(6)
TILE_OF(7)
TILE_OF(8)

/* A row of n results, cut into tiles that are as alike as they can be. */
STENCIL_NOINLINE void SUFFIX(lanes_row)(const depthwise_lanes *d, const SCALAR *x,
                                        const SCALAR *w, ptrdiff_t n, SCALAR *y) {
    static void (*const tiles[])(const depthwise_lanes *, const SCALAR *, const SCALAR *,
                                 SCALAR *) = {
        SUFFIX(lanes_tile_1), SUFFIX(lanes_tile_2), SUFFIX(lanes_tile_3), SUFFIX(lanes_tile_4),
        SUFFIX(lanes_tile_5), SUFFIX(lanes_tile_6), SUFFIX(lanes_tile_7), SUFFIX(lanes_tile_8),
    };
    for (ptrdiff_t left = (n + LANES_PIXELS - 1) / LANES_PIXELS; left > 0; left--) {
        const ptrdiff_t pixels = (n + left - 1) / left;
        tiles[pixels - 1](d, x, w, y);
        x += pixels * d->step * LANES;
        y += pixels * LANES;
        n -= pixels;
    }
}

#undef TILE_OF
#undef TAPS
#undef VEC
