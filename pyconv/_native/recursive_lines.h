/* The loops of recursive.h for one SCALAR type; included once for each. */

#define LANES ((ptrdiff_t)(STENCIL_VECTOR_BYTES / sizeof(SCALAR)))
#define WIDTH (RECURSIVE_VECTORS * LANES)
#define VEC SUFFIX(vec)

/* Returns the largest magnitude of n samples, as bits: these of NaN and infinity are larger. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED BITS SUFFIX(largest_bits)(const SCALAR *x, ptrdiff_t n) {
    const BITS *bits = (const BITS *)(const void *)x;
    BITS largest = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const BITS magnitude = bits[i] & ((BITS)-1 >> 1);
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

STENCIL_INLINE void SUFFIX(drop_tiny)(SCALAR *state) {
    for (ptrdiff_t i = 0; i < RECURSIVE_STATES * WIDTH; i++)
        state[i] = state[i] < RECURSIVE_TINY && state[i] > -RECURSIVE_TINY ? 0 : state[i];
}

/* n samples of each line, at most a block of them; rows of lines are `step` apart in x and in
   `sum`, `out_step` in out. */
STENCIL_INLINE void SUFFIX(recursive_block)(const SCALAR *x, ptrdiff_t step, ptrdiff_t n,
                                            const SCALAR *poles, const SCALAR *residues,
                                            SCALAR *state, const SCALAR *sum, SCALAR *out,
                                            ptrdiff_t out_step, const enum recursive_part part) {
    const VEC zero = SUFFIX(splat)(0);
    const VEC turn_a = SUFFIX(splat)(poles[1]), back_a = SUFFIX(splat)(-poles[1]);
    const VEC turn_b = SUFFIX(splat)(poles[3]), back_b = SUFFIX(splat)(-poles[3]);
    const VEC keep_a = SUFFIX(splat)(poles[0]), keep_b = SUFFIX(splat)(poles[2]);
    const VEC keep_c = SUFFIX(splat)(poles[4]);
    VEC residue[RECURSIVE_STATES], s[RECURSIVE_STATES][RECURSIVE_VECTORS];
    STENCIL_UNROLL for (int k = 0; k < RECURSIVE_STATES; k++) {
        residue[k] = SUFFIX(splat)(residues[k]);
        STENCIL_UNROLL for (int v = 0; v < RECURSIVE_VECTORS; v++)
            s[k][v] = SUFFIX(load)(state + k * WIDTH + v * LANES);
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        STENCIL_UNROLL for (int v = 0; v < RECURSIVE_VECTORS; v++) {
            const VEC sample = SUFFIX(load)(x + v * LANES);
            VEC y = zero;
            if (part >= RECURSIVE_ANTI) {
                y = SUFFIX(load)(sum + v * LANES);
                STENCIL_UNROLL for (int k = 0; k < RECURSIVE_STATES; k++)
                    y = SUFFIX(multiply_add)(y, residue[k], s[k][v]);
            }
            const VEC re_a = SUFFIX(multiply_add)(sample, back_a, s[1][v]);
            const VEC re_b = SUFFIX(multiply_add)(sample, back_b, s[3][v]);
            const VEC im_a = SUFFIX(multiply_add)(zero, turn_a, s[0][v]);
            const VEC im_b = SUFFIX(multiply_add)(zero, turn_b, s[2][v]);
            s[0][v] = SUFFIX(multiply_add)(re_a, keep_a, s[0][v]);
            s[1][v] = SUFFIX(multiply_add)(im_a, keep_a, s[1][v]);
            s[2][v] = SUFFIX(multiply_add)(re_b, keep_b, s[2][v]);
            s[3][v] = SUFFIX(multiply_add)(im_b, keep_b, s[3][v]);
            s[4][v] = SUFFIX(multiply_add)(sample, keep_c, s[4][v]);
            if (part == RECURSIVE_CAUSAL)
                STENCIL_UNROLL for (int k = 0; k < RECURSIVE_STATES; k++)
                    y = SUFFIX(multiply_add)(y, residue[k], s[k][v]);
            if (part == RECURSIVE_ANTI_FAR)
                SUFFIX(stream)(out + v * LANES, y);
            else if (part != RECURSIVE_ADVANCE)
                SUFFIX(store)(out + v * LANES, y);
        }
        x += step;
        if (part >= RECURSIVE_ANTI) sum += step;
        if (part != RECURSIVE_ADVANCE) out += out_step;
    }
    STENCIL_UNROLL for (int k = 0; k < RECURSIVE_STATES; k++)
        STENCIL_UNROLL for (int v = 0; v < RECURSIVE_VECTORS; v++)
            SUFFIX(store)(state + k * WIDTH + v * LANES, s[k][v]);
}

/* Any number of samples; what lies at `ahead` is fetched meanwhile, unless that is NULL. */
#define RECURSIVE_PART(name, part)                                                           \
    STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void SUFFIX(recursive_##name)(                    \
        const SCALAR *x, ptrdiff_t step, ptrdiff_t n, const SCALAR *poles,                   \
        const SCALAR *residues, SCALAR *state, const SCALAR *sum, SCALAR *out,               \
        ptrdiff_t out_step, const SCALAR *ahead) {                                           \
        for (ptrdiff_t i = 0; i < n; i += RECURSIVE_BLOCK) {                                 \
            if (ahead)                                                                       \
                for (ptrdiff_t j = 0; j < RECURSIVE_BLOCK * WIDTH; j += 64 / sizeof(SCALAR)) \
                    stencil_prefetch(ahead + i * WIDTH + j);                                 \
            const ptrdiff_t count = n - i < RECURSIVE_BLOCK ? n - i : RECURSIVE_BLOCK;       \
            SUFFIX(recursive_block)(x + i * step, step, count, poles, residues, state,       \
                                    sum + i * step, out + i * out_step, out_step, part);     \
            SUFFIX(drop_tiny)(state);                                                        \
        }                                                                                    \
    }
RECURSIVE_PART(advance, RECURSIVE_ADVANCE)
RECURSIVE_PART(causal, RECURSIVE_CAUSAL)
RECURSIVE_PART(anti, RECURSIVE_ANTI)
RECURSIVE_PART(anti_far, RECURSIVE_ANTI_FAR)
#undef RECURSIVE_PART

/* panel[i][j] = lines[j][i] for WIDTH lines `pitch` apart; n samples, in whole fours. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void SUFFIX(recursive_gather)(const SCALAR *lines,
                                                                     ptrdiff_t pitch, ptrdiff_t n,
                                                                     SCALAR *panel) {
    VEC turned[4];
    for (ptrdiff_t i = 0; i < n; i += 4)
        for (int v = 0; v < RECURSIVE_VECTORS; v++) {
            SUFFIX(transpose_strided)(lines + v * LANES * pitch + i, pitch, turned);
            STENCIL_UNROLL for (int e = 0; e < 4; e++)
                SUFFIX(store)(panel + (i + e) * WIDTH + v * LANES, turned[e]);
        }
}

/* lines[j][i] = panel[i][j] for WIDTH lines `pitch` apart; n samples, in whole vectors. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void SUFFIX(recursive_scatter)(const SCALAR *panel,
                                                                      ptrdiff_t n, SCALAR *lines,
                                                                      ptrdiff_t pitch) {
    VEC turned[4];
    for (ptrdiff_t i = 0; i < n; i += LANES)
        for (ptrdiff_t j = 0; j < WIDTH; j += 4) {
            SUFFIX(transpose_strided)(panel + i * WIDTH + j, WIDTH, turned);
            STENCIL_UNROLL for (int e = 0; e < 4; e++)
                SUFFIX(store)(lines + (j + e) * pitch + i, turned[e]);
        }
}

#undef LANES
#undef WIDTH
#undef VEC
