/* The loops of winograd.h for one SCALAR type; included once for each. */

#define VEC SUFFIX(vec)

#define PLUS(a, b) SUFFIX(plus)(a, b)
#define MINUS(a, b) SUFFIX(minus)(a, b)
/* a + number · b, and number · b. */
#define ADD(a, number, b) SUFFIX(multiply_add)(a, SUFFIX(splat)((SCALAR)(number)), b)
#define SCALE(number, b) ADD(SUFFIX(splat)(0), number, b)
#define LOAD(p) SUFFIX(load)(p)
#define STORE(p, v) SUFFIX(store)(p, v)

/* ---- transforms in one dimension: `points` is 6, 4 or 1 --------------------------------- */

#define ROOT_HALF 0.70710678118654752440
#define ROOT_TWO 1.41421356237309504880

/* Bᵀ: samples to points. */
STENCIL_INLINE void SUFFIX(to_points)(const int points, const VEC *d, VEC *r) {
    if (points == 6) {
        VEC even = ADD(d[4], -2, d[2]), odd = ADD(d[3], -2, d[1]);
        VEC even2 = ADD(d[4], -0.5, d[2]), odd2 = ADD(d[3], -0.5, d[1]);
        r[0] = ADD(PLUS(d[0], d[4]), -2.5, d[2]);
        r[1] = ADD(even, ROOT_HALF, odd);
        r[2] = ADD(even, -ROOT_HALF, odd);
        r[3] = ADD(even2, ROOT_TWO, odd2);
        r[4] = ADD(even2, -ROOT_TWO, odd2);
        r[5] = ADD(PLUS(d[1], d[5]), -2.5, d[3]);
    } else if (points == 4) {
        r[0] = MINUS(d[0], d[2]);
        r[1] = PLUS(d[1], d[2]);
        r[2] = MINUS(d[2], d[1]);
        r[3] = MINUS(d[3], d[1]);
    } else {
        r[0] = d[0];
    }
}

/* G: three weights to points. */
STENCIL_INLINE void SUFFIX(weights_to_points)(const int points, VEC g0, VEC g1, VEC g2, VEC *r) {
    if (points == 6) {
        VEC even = SCALE(-2.0 / 3, ADD(g0, 0.5, g2)), odd = SCALE(-ROOT_HALF * 2 / 3, g1);
        VEC even2 = SCALE(1.0 / 6, ADD(g0, 2, g2)), odd2 = SCALE(ROOT_TWO / 6, g1);
        r[1] = PLUS(even, odd);
        r[2] = MINUS(even, odd);
        r[3] = PLUS(even2, odd2);
        r[4] = MINUS(even2, odd2);
        r[5] = g2;
    } else {
        VEC even = SCALE(0.5, PLUS(g0, g2)), odd = SCALE(0.5, g1);
        r[1] = PLUS(even, odd);
        r[2] = MINUS(even, odd);
        r[3] = g2;
    }
    r[0] = g0;
}

/* Aᵀ: points to outputs. */
STENCIL_INLINE void SUFFIX(to_outputs)(const int points, const VEC *m, VEC *y) {
    if (points == 6) {
        VEC sum = PLUS(m[1], m[2]), apart = MINUS(m[1], m[2]);
        VEC sum2 = PLUS(m[3], m[4]), apart2 = MINUS(m[3], m[4]);
        y[0] = PLUS(PLUS(m[0], sum), sum2);
        y[1] = ADD(SCALE(ROOT_HALF, apart), ROOT_TWO, apart2);
        y[2] = ADD(SCALE(0.5, sum), 2, sum2);
        y[3] = ADD(ADD(m[5], ROOT_HALF / 2, apart), ROOT_TWO * 2, apart2);
    } else if (points == 4) {
        y[0] = PLUS(PLUS(m[0], m[1]), m[2]);
        y[1] = PLUS(MINUS(m[1], m[2]), m[3]);
    } else {
        y[0] = m[0];
    }
}

/* ---- input ------------------------------------------------------------------------------ */

/* Transform the samples of a row of tiles; point k of tile t goes to v + k·apart + t·LANES. */
STENCIL_INLINE void SUFFIX(input_row)(const int ny, const int nx, const SCALAR *const *rows,
                                      ptrdiff_t tiles, SCALAR *v, ptrdiff_t apart) {
    const int step = nx - 2, ring = nx == 6 ? 8 : 4;
    SCALAR columns[8 * 6 * LANES];
    for (ptrdiff_t t = 0; t < tiles; t++, v += LANES) {
        VEC d[6], r[6];
        /* Tiles overlap by two columns, whose vertical transforms are shared. */
        for (ptrdiff_t q = step * t + (t ? 2 : 0); q < step * t + nx; q++) {
            STENCIL_UNROLL for (int i = 0; i < ny; i++) d[i] = LOAD(rows[i] + q * LANES);
            SUFFIX(to_points)(ny, d, r);
            STENCIL_UNROLL for (int i = 0; i < ny; i++)
                STORE(columns + ((q & (ring - 1)) * ny + i) * LANES, r[i]);
        }
        for (int i = 0; i < ny; i++) {
            STENCIL_UNROLL for (int j = 0; j < nx; j++)
                d[j] = LOAD(columns + (((step * t + j) & (ring - 1)) * ny + i) * LANES);
            SUFFIX(to_points)(nx, d, r);
            STENCIL_UNROLL for (int j = 0; j < nx; j++) STORE(v + (i * nx + j) * apart, r[j]);
        }
    }
}

/* ---- weights ---------------------------------------------------------------------------- */

/* Turn kernels of LANES outputs, whose weights start at the offsets from w: four consecutive ones,
   or one, of `taps` contiguous weights. */
STENCIL_INLINE void SUFFIX(turn_kernels)(const int kernels, const int taps, const SCALAR *w,
                                         const ptrdiff_t *offset, SCALAR *turned) {
    const int n = kernels * taps;
    if (n < 4) {
        for (int q = 0; q < n; q++)
            for (int k = 0; k < LANES; k++) turned[q * LANES + k] = w[offset[k] + q];
        return;
    }
    for (int q = 0; q < n; q += 4) {
        VEC a[4];
        if (q + 4 > n) q = n - 4; /* the last four overlap */
        SUFFIX(transpose_listed)(w + q, offset, a);
        STENCIL_UNROLL for (int e = 0; e < 4; e++) STORE(turned + (q + e) * LANES, a[e]);
    }
}

/* Transform `n` kernels of each of LANES outputs: the weights of kernel i start at w + source[i]
   and the offsets, last tap first if `flipped`; its point k goes to u + k·apart + place[i]. */
STENCIL_INLINE void SUFFIX(weights)(const int ny, const int nx, const SCALAR *w,
                                    const ptrdiff_t *offset, ptrdiff_t n,
                                    const ptrdiff_t *source, int flipped, SCALAR *u,
                                    ptrdiff_t apart, const ptrdiff_t *place) {
    const int taps = ny == 1 ? 3 : 9;
    const ptrdiff_t first = flipped ? (taps - 1) * LANES : 0, next = flipped ? -LANES : LANES;
    SCALAR turned[4 * 9 * LANES];
    for (ptrdiff_t i = 0; i < n;) {
        const int count =
            n - i >= 4 && source[i + 1] == source[i] + taps && source[i + 3] == source[i] + 3 * taps
                ? 4 : 1;
        if (count == 4) SUFFIX(turn_kernels)(4, taps, w + source[i], offset, turned);
        else {
            /* Kernels that lie far apart are fetched ahead: each begins on another page. */
            if (i + 8 < n)
                for (int k = 0; k < LANES; k++) stencil_prefetch(w + source[i + 8] + offset[k]);
            SUFFIX(turn_kernels)(1, taps, w + source[i], offset, turned);
        }
        for (int c = 0; c < count; c++, i++) {
            const SCALAR *g = turned + c * taps * LANES + first;
            SCALAR *to = u + place[i];
            VEC t[3][6], r[6];
            STENCIL_UNROLL for (int j = 0; j < 3; j++) {
                if (ny == 1) t[j][0] = LOAD(g + j * next);
                else
                    SUFFIX(weights_to_points)(ny, LOAD(g + j * next), LOAD(g + (3 + j) * next),
                                              LOAD(g + (6 + j) * next), t[j]);
            }
            STENCIL_UNROLL for (int p = 0; p < ny; p++) {
                SUFFIX(weights_to_points)(nx, t[0][p], t[1][p], t[2][p], r);
                STENCIL_UNROLL for (int j = 0; j < nx; j++) STORE(to + (p * nx + j) * apart, r[j]);
            }
        }
    }
}

/* ---- product ---------------------------------------------------------------------------- */

/* m[t][:] (+)= Σ_c v[c / LANES][t][c % LANES] · u[c][:] for R tiles and NV vectors of outputs;
   both are literals, so that every loop over accumulators unrolls and they stay in registers. */
STENCIL_INLINE void SUFFIX(product)(const int R, const int NV, ptrdiff_t channels,
                                    const SCALAR *v, ptrdiff_t v_block, const SCALAR *u,
                                    SCALAR *m, int add) {
    VEC acc[WINOGRAD_ROWS][2];
    STENCIL_UNROLL for (int i = 0; i < R; i++)
        STENCIL_UNROLL for (int j = 0; j < NV; j++) acc[i][j] = SUFFIX(splat)(0);
    for (; channels > 0; channels -= LANES, v += v_block) {
        const ptrdiff_t n = channels < LANES ? channels : LANES;
        for (ptrdiff_t c = 0; c < n; c++, u += NV * LANES) {
            VEC b[2];
            STENCIL_UNROLL for (int j = 0; j < NV; j++) {
                stencil_prefetch((const char *)(u + j * LANES) + WINOGRAD_AHEAD);
                b[j] = LOAD(u + j * LANES);
            }
            STENCIL_UNROLL for (int i = 0; i < R; i++) {
                VEC sample = SUFFIX(splat)(v[i * LANES + c]);
                STENCIL_UNROLL for (int j = 0; j < NV; j++) acc[i][j] =
                    SUFFIX(multiply_add)(acc[i][j], sample, b[j]);
            }
        }
    }
    STENCIL_UNROLL for (int i = 0; i < R; i++) STENCIL_UNROLL for (int j = 0; j < NV; j++) {
        SCALAR *to = m + (i * NV + j) * LANES;
        STORE(to, add ? PLUS(LOAD(to), acc[i][j]) : acc[i][j]);
    }
}

typedef void (*SUFFIX(product_of))(ptrdiff_t, const SCALAR *, ptrdiff_t, const SCALAR *, SCALAR *,
                                   int);
#define PRODUCT(R, NV)                                                                         \
    STENCIL_NOINLINE STENCIL_IN_ORDER void SUFFIX(product_##R##_##NV)(                         \
        ptrdiff_t channels, const SCALAR *v, ptrdiff_t v_block, const SCALAR *u, SCALAR *m,    \
        int add) {                                                                             \
        SUFFIX(product)(R, NV, channels, v, v_block, u, m, add);                               \
    }
#define PRODUCTS(R) PRODUCT(R, 1) PRODUCT(R, 2)
PRODUCTS(1) PRODUCTS(2) PRODUCTS(3) PRODUCTS(4) PRODUCTS(5)
#if WINOGRAD_ROWS > 5
PRODUCTS(6)
#endif
#if WINOGRAD_ROWS > 6
PRODUCTS(7) PRODUCTS(8) PRODUCTS(9) PRODUCTS(10) PRODUCTS(11) PRODUCTS(12)
#endif
#if WINOGRAD_ROWS > 12
PRODUCTS(13) PRODUCTS(14)
#endif
#undef PRODUCT
#undef PRODUCTS
#define PRODUCT(R) {SUFFIX(product_##R##_1), SUFFIX(product_##R##_2)}
static const SUFFIX(product_of) SUFFIX(products)[WINOGRAD_ROWS][2] = {
    PRODUCT(1),  PRODUCT(2),  PRODUCT(3),  PRODUCT(4),  PRODUCT(5),
#if WINOGRAD_ROWS > 5
    PRODUCT(6),
#endif
#if WINOGRAD_ROWS > 6
    PRODUCT(7),  PRODUCT(8),  PRODUCT(9),  PRODUCT(10), PRODUCT(11), PRODUCT(12),
#endif
#if WINOGRAD_ROWS > 12
    PRODUCT(13), PRODUCT(14),
#endif
};
#undef PRODUCT

/* The product for any number of tiles, cut evenly. */
static void SUFFIX(winograd_multiply)(ptrdiff_t tiles, int vectors, ptrdiff_t channels,
                                      const SCALAR *v, ptrdiff_t v_block, const SCALAR *u,
                                      SCALAR *m, int add) {
    for (ptrdiff_t left = (tiles + WINOGRAD_ROWS - 1) / WINOGRAD_ROWS; left > 0; left--) {
        const ptrdiff_t n = (tiles + left - 1) / left;
        SUFFIX(products)[n - 1][vectors - 1](channels, v, v_block, u, m, add);
        v += n * LANES;
        m += n * vectors * LANES;
        tiles -= n;
    }
}

/* ---- output ----------------------------------------------------------------------------- */

/* Store the first n lanes. */
STENCIL_INLINE void SUFFIX(store_some)(SCALAR *p, VEC v, ptrdiff_t n) {
#if STENCIL_HAS_VECTORS && defined(__AVX512F__)
    const unsigned lanes = (1u << n) - 1;
    if (sizeof(SCALAR) == 4) _mm512_mask_storeu_ps(p, (__mmask16)lanes, (__m512)v);
    else _mm512_mask_storeu_pd(p, (__mmask8)lanes, (__m512d)v);
#else
    SCALAR lane[LANES];
    STORE(lane, v);
    for (ptrdiff_t i = 0; i < n; i++) p[i] = lane[i];
#endif
}

/* Transform the points of one tile to outputs[row][column], rows `pitch` apart. Zero times each
   output is added to `check`, which is NaN from the first that is not finite. */
STENCIL_INLINE void SUFFIX(output_tile)(const int ny, const int nx, const SCALAR *m,
                                        ptrdiff_t apart, VEC bias, SCALAR *outputs,
                                        ptrdiff_t pitch, VEC *check) {
    const int my = ny == 1 ? 1 : ny - 2, mx = nx - 2;
    VEC t[4][6], d[6], r[4], sum = *check;
    STENCIL_UNROLL for (int j = 0; j < nx; j++) {
        STENCIL_UNROLL for (int i = 0; i < ny; i++) d[i] = LOAD(m + (i * nx + j) * apart);
        SUFFIX(to_outputs)(ny, d, r);
        STENCIL_UNROLL for (int i = 0; i < my; i++) t[i][j] = r[i];
    }
    STENCIL_UNROLL for (int i = 0; i < my; i++) {
        SUFFIX(to_outputs)(nx, t[i], r);
        STENCIL_UNROLL for (int j = 0; j < mx; j++) {
            r[j] = PLUS(r[j], bias);
            sum = ADD(sum, 0, r[j]);
            STORE(outputs + i * pitch + j * LANES, r[j]);
        }
    }
    *check = sum;
}

/* Transform a row of tiles of LANES outputs, tile t at m + t·tile_apart, point k `apart` from
   the one before; write `rows` rows of `columns` pixels for each of n_outputs at y. */
STENCIL_INLINE void SUFFIX(output_row)(const int ny, const int nx, const SCALAR *m,
                                       ptrdiff_t apart, ptrdiff_t tile_apart,
                                       const SCALAR *bias, SCALAR *check, ptrdiff_t rows,
                                       ptrdiff_t columns, ptrdiff_t n_outputs, SCALAR *y,
                                       ptrdiff_t y_row, ptrdiff_t y_output) {
    const int mx = nx - 2, group = LANES > mx ? LANES : mx;
    SCALAR outputs[4 * 16 * LANES];
    VEC seen = LOAD(check);
    const VEC offset = LOAD(bias);
    for (ptrdiff_t x = 0; x < columns; x += group, y += group) {
        const ptrdiff_t pixels = columns - x < group ? columns - x : group;
        for (ptrdiff_t p = 0; p < pixels; p += mx, m += tile_apart)
            SUFFIX(output_tile)(ny, nx, m, apart, offset, outputs + p * LANES, group * LANES,
                                &seen);
        for (ptrdiff_t i = 0; i < rows; i++)
            for (ptrdiff_t p = 0; p < pixels; p += LANES)
                for (ptrdiff_t k = 0; k < n_outputs; k += 4) {
                    const ptrdiff_t n = pixels - p;
                    SCALAR *to = y + i * y_row + p + k * y_output;
                    VEC a[4];
                    SUFFIX(transpose_packed)(outputs + (i * group + p) * LANES + k, a);
                    if (n >= LANES && n_outputs - k >= 4) {
                        STENCIL_UNROLL for (int e = 0; e < 4; e++) STORE(to + e * y_output, a[e]);
                    } else {
                        for (int e = 0; e < 4 && e < n_outputs - k; e++)
                            SUFFIX(store_some)(to + e * y_output, a[e], n < LANES ? n : LANES);
                    }
                }
    }
    STORE(check, seen);
}

/* ---- one of each for each pair of points ------------------------------------------------ */

#define EACH_POINTS(CALL)            \
    do {                             \
        if (ny == 6) CALL(6, 6);     \
        else if (ny == 4) CALL(4, 4); \
        else if (nx == 6) CALL(1, 6); \
        else CALL(1, 4);             \
    } while (0)

STENCIL_NOINLINE void SUFFIX(winograd_input)(int ny, int nx, const SCALAR *const *rows,
                                             ptrdiff_t tiles, SCALAR *v, ptrdiff_t apart) {
#define CALL(NY, NX) SUFFIX(input_row)(NY, NX, rows, tiles, v, apart)
    EACH_POINTS(CALL);
#undef CALL
}

STENCIL_NOINLINE void SUFFIX(winograd_weights)(int ny, int nx, const SCALAR *w,
                                               const ptrdiff_t *offset, ptrdiff_t n,
                                               const ptrdiff_t *source, int flipped, SCALAR *u,
                                               ptrdiff_t apart, const ptrdiff_t *place) {
#define CALL(NY, NX) \
    SUFFIX(weights)(NY, NX, w, offset, n, source, flipped, u, apart, place)
    EACH_POINTS(CALL);
#undef CALL
}

STENCIL_NOINLINE void SUFFIX(winograd_output)(int ny, int nx, const SCALAR *m, ptrdiff_t apart,
                                              ptrdiff_t tile_apart, const SCALAR *bias,
                                              SCALAR *check, ptrdiff_t rows, ptrdiff_t columns,
                                              ptrdiff_t n_outputs, SCALAR *y, ptrdiff_t y_row,
                                              ptrdiff_t y_output) {
#define CALL(NY, NX)                                                                          \
    SUFFIX(output_row)(NY, NX, m, apart, tile_apart, bias, check, rows, columns, n_outputs, y, \
                       y_row, y_output)
    EACH_POINTS(CALL);
#undef CALL
}

#undef EACH_POINTS
#undef VEC
#undef PLUS
#undef MINUS
#undef ADD
#undef SCALE
#undef LOAD
#undef STORE
#undef ROOT_HALF
#undef ROOT_TWO
