/* The rows of box.h for one SCALAR type; included once for each. */

#define VEC SUFFIX(vec)

/* row *= weight */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void SUFFIX(box_scale)(SCALAR *row, SCALAR weight,
                                                              ptrdiff_t n) {
    const VEC spread = SUFFIX(splat)(weight), zero = SUFFIX(splat)(0);
    for (ptrdiff_t i = 0; i < n; i += LANES)
        SUFFIX(store)(row + i, SUFFIX(multiply_add)(zero, spread, SUFFIX(load)(row + i)));
}

/* Adds a row to a block: slot = row, begun += row, or begun = row if the block is `fresh`; then
   out = begun + ended, if there is a window that ends here. `ended` is NULL if the block is that
   window, and lies in another slot otherwise. The row is multiplied by `weight`, if there is one;
   `ahead` is where the next row lies, or NULL. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void SUFFIX(box_add)(
    const SCALAR *row, const SCALAR *weight, SCALAR *begun, int fresh, SCALAR *slot,
    const SCALAR *ended, SCALAR *out, ptrdiff_t n, const SCALAR *ahead) {
    const VEC spread = SUFFIX(splat)(weight ? *weight : 1), zero = SUFFIX(splat)(0);
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        VEC x = SUFFIX(load)(row + i);
        if (ahead) stencil_prefetch(ahead + i);
        if (weight) x = SUFFIX(multiply_add)(zero, spread, x);
        const VEC sum = fresh ? x : SUFFIX(plus)(SUFFIX(load)(begun + i), x);
        SUFFIX(store)(begun + i, sum);
        if (out)
            SUFFIX(store)(out + i, ended ? SUFFIX(plus)(SUFFIX(load)(ended + i), sum) : sum);
        SUFFIX(store)(slot + i, x);
    }
}

/* Ends a block: rows[r] += rows[r + 1], from the last but one to the first; four vectors abreast,
   so that whole runs of lines are fetched. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void SUFFIX(box_close)(SCALAR *rows, ptrdiff_t pitch,
                                                              ptrdiff_t n_rows, ptrdiff_t n) {
    ptrdiff_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        SCALAR *at = rows + (n_rows - 1) * pitch + i;
        VEC sum[4];
        STENCIL_UNROLL for (int c = 0; c < 4; c++) sum[c] = SUFFIX(load)(at + c * LANES);
        for (ptrdiff_t r = n_rows - 1; r > 0; r--) {
            at -= pitch;
            STENCIL_UNROLL for (int c = 0; c < 4; c++) {
                sum[c] = SUFFIX(plus)(SUFFIX(load)(at + c * LANES), sum[c]);
                SUFFIX(store)(at + c * LANES, sum[c]);
            }
        }
    }
    for (; i < n; i += LANES) {
        SCALAR *at = rows + (n_rows - 1) * pitch + i;
        VEC sum = SUFFIX(load)(at);
        for (ptrdiff_t r = n_rows - 1; r > 0; r--) {
            at -= pitch;
            sum = SUFFIX(plus)(SUFFIX(load)(at), sum);
            SUFFIX(store)(at, sum);
        }
    }
}

/* out[j] = s[j] + s[j + half] (+ x[j + 2·half]) for j < n, out may be s; the last vector of out
   is written to its n-th sample only. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void SUFFIX(box_widen)(const SCALAR *s, ptrdiff_t half,
                                                              const SCALAR *x, SCALAR *out,
                                                              ptrdiff_t n, int streaming) {
    SCALAR last[STENCIL_VECTOR_BYTES / sizeof(SCALAR)];
    for (ptrdiff_t j = 0; j < n; j += LANES) {
        VEC sum = SUFFIX(plus)(SUFFIX(load)(s + j), SUFFIX(load)(s + j + half));
        if (x) sum = SUFFIX(plus)(sum, SUFFIX(load)(x + j + 2 * half));
        if (n - j < LANES) {
            SUFFIX(store)(last, sum);
            SUFFIX(copy_row)(out + j, last, n - j);
        } else if (streaming) {
            SUFFIX(stream)(out + j, sum);
        } else {
            SUFFIX(store)(out + j, sum);
        }
    }
}

/* out = x, past the cache if `streaming`. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void SUFFIX(box_copy)(const SCALAR *x, SCALAR *out,
                                                             ptrdiff_t n, int streaming) {
    ptrdiff_t j = 0;
    if (streaming)
        for (; j + LANES <= n; j += LANES) SUFFIX(stream)(out + j, SUFFIX(load)(x + j));
    if (j < n) SUFFIX(copy_row)(out + j, x + j, n - j);
}

#ifndef SCALAR_IS_INTEGER
/* out = x / divisor, past the cache if `streaming`; out may be x. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void SUFFIX(box_divide)(const SCALAR *x, SCALAR divisor,
                                                               SCALAR *out, ptrdiff_t n,
                                                               int streaming) {
    const VEC spread = SUFFIX(splat)(divisor);
    SCALAR last[STENCIL_VECTOR_BYTES / sizeof(SCALAR)];
    ptrdiff_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        const VEC mean = SUFFIX(over)(SUFFIX(load)(x + j), spread);
        if (streaming) SUFFIX(stream)(out + j, mean);
        else SUFFIX(store)(out + j, mean);
    }
    if (j == n) return;
    SUFFIX(store)(last, SUFFIX(over)(SUFFIX(load)(x + j), spread));
    SUFFIX(copy_row)(out + j, last, n - j);
}
#endif

#undef VEC
