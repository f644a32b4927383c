/* The loops of recursive.h for one SCALAR type; included once for each. */

#define LANES ((ptrdiff_t)(STENCIL_VECTOR_BYTES / sizeof(SCALAR)))
#define WIDTH (RECURSIVE_VECTORS * LANES)
#define VEC SUFFIX(vec)

STENCIL_INLINE void SUFFIX(drop_tiny)(SCALAR *state) {
    for (ptrdiff_t i = 0; i < RECURSIVE_STATES * WIDTH; i++)
        state[i] = state[i] < RECURSIVE_TINY && state[i] > -RECURSIVE_TINY ? 0 : state[i];
}

/* n samples of each line, at most a block of them; rows of lines are `step` apart in x and in
   `sum`, `out_step` in out. The sample that leaves the window as x[i] enters it is x[i + left];
   `leaving` is what it is multiplied by. */
STENCIL_INLINE void SUFFIX(recursive_block)(const SCALAR *x, ptrdiff_t step, ptrdiff_t left,
                                            ptrdiff_t n, const SCALAR *poles,
                                            const SCALAR *residues, const SCALAR *leaving,
                                            SCALAR *state, const SCALAR *sum, SCALAR *out,
                                            ptrdiff_t out_step, const enum recursive_part part) {
    const VEC zero = SUFFIX(splat)(0);
    const VEC turn_a = SUFFIX(splat)(poles[1]), back_a = SUFFIX(splat)(-poles[1]);
    const VEC turn_b = SUFFIX(splat)(poles[3]), back_b = SUFFIX(splat)(-poles[3]);
    const VEC keep_a = SUFFIX(splat)(poles[0]), keep_b = SUFFIX(splat)(poles[2]);
    const VEC keep_c = SUFFIX(splat)(poles[4]);
    VEC residue[RECURSIVE_STATES], leaves[RECURSIVE_STATES];
    VEC s[RECURSIVE_STATES][RECURSIVE_VECTORS];
    STENCIL_UNROLL for (int k = 0; k < RECURSIVE_STATES; k++) {
        residue[k] = SUFFIX(splat)(residues[k]);
        leaves[k] = SUFFIX(splat)(leaving[k]);
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
            VEC in[RECURSIVE_STATES] = {sample, zero, sample, zero, sample};
            if (part != RECURSIVE_ADVANCE) {
                const VEC gone = SUFFIX(load)(x + left + v * LANES);
                STENCIL_UNROLL for (int k = 0; k < RECURSIVE_STATES; k++)
                    in[k] = SUFFIX(multiply_add)(in[k], leaves[k], gone);
            }
            const VEC re_a = SUFFIX(multiply_add)(in[0], back_a, s[1][v]);
            const VEC im_a = SUFFIX(multiply_add)(in[1], turn_a, s[0][v]);
            const VEC re_b = SUFFIX(multiply_add)(in[2], back_b, s[3][v]);
            const VEC im_b = SUFFIX(multiply_add)(in[3], turn_b, s[2][v]);
            s[0][v] = SUFFIX(multiply_add)(re_a, keep_a, s[0][v]);
            s[1][v] = SUFFIX(multiply_add)(im_a, keep_a, s[1][v]);
            s[2][v] = SUFFIX(multiply_add)(re_b, keep_b, s[2][v]);
            s[3][v] = SUFFIX(multiply_add)(im_b, keep_b, s[3][v]);
            s[4][v] = SUFFIX(multiply_add)(in[4], keep_c, s[4][v]);
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
        const SCALAR *x, ptrdiff_t step, ptrdiff_t left, ptrdiff_t n, const SCALAR *poles,   \
        const SCALAR *residues, const SCALAR *leaving, SCALAR *state, const SCALAR *sum,     \
        SCALAR *out, ptrdiff_t out_step, const SCALAR *ahead) {                              \
        for (ptrdiff_t i = 0; i < n; i += RECURSIVE_BLOCK) {                                 \
            if (ahead)                                                                       \
                for (ptrdiff_t j = 0; j < RECURSIVE_BLOCK * WIDTH; j += 64 / sizeof(SCALAR)) \
                    stencil_prefetch(ahead + i * WIDTH + j);                                 \
            const ptrdiff_t count = n - i < RECURSIVE_BLOCK ? n - i : RECURSIVE_BLOCK;       \
            SUFFIX(recursive_block)(x + i * step, step, left, count, poles, residues,        \
                                    leaving, state, sum + i * step, out + i * out_step,      \
                                    out_step, part);                                         \
            SUFFIX(drop_tiny)(state);                                                        \
        }                                                                                    \
    }
RECURSIVE_PART(advance, RECURSIVE_ADVANCE)
RECURSIVE_PART(causal, RECURSIVE_CAUSAL)
RECURSIVE_PART(anti, RECURSIVE_ANTI)
RECURSIVE_PART(anti_far, RECURSIVE_ANTI_FAR)
#undef RECURSIVE_PART

/* A type through which samples may be read. */
#if defined(__GNUC__)
typedef BITS SUFFIX(bits_of) __attribute__((may_alias));
#else
typedef BITS SUFFIX(bits_of);
#endif

STENCIL_INLINE BITS SUFFIX(larger_bits)(BITS a, BITS b) { return a > b ? a : b; }

/* The largest magnitude of each line in n rows, as bits: these of NaN and infinity are larger. */
STENCIL_INLINE void SUFFIX(largest_of_lines)(const SCALAR *RESTRICT panel, ptrdiff_t n,
                                             BITS *RESTRICT largest) {
    const SUFFIX(bits_of) *RESTRICT bits = (const SUFFIX(bits_of) *)(const void *)panel;
    const BITS magnitude = (BITS)-1 >> 1;
    ptrdiff_t i = 0;
    for (ptrdiff_t j = 0; j < WIDTH; j++) largest[j] = 0;
    for (; i + 4 <= n; i += 4, bits += 4 * WIDTH)
        for (ptrdiff_t j = 0; j < WIDTH; j++) {
            const BITS a = SUFFIX(larger_bits)(bits[j] & magnitude, bits[j + WIDTH] & magnitude);
            const BITS b =
                SUFFIX(larger_bits)(bits[j + 2 * WIDTH] & magnitude, bits[j + 3 * WIDTH] & magnitude);
            largest[j] = SUFFIX(larger_bits)(largest[j], SUFFIX(larger_bits)(a, b));
        }
    for (; i < n; i++, bits += WIDTH)
        for (ptrdiff_t j = 0; j < WIDTH; j++)
            largest[j] = SUFFIX(larger_bits)(largest[j], bits[j] & magnitude);
}

STENCIL_INLINE SCALAR SUFFIX(number)(BITS bits) {
    SCALAR v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* Tells lines of parts from others: those whose samples are not all of magnitudes up to `most`, or
   of which a window of 2 reach + 1 samples about one of n, from `first` on, may hold nothing of
   `least` and of `share` of the largest. Returns 1 if there is one, 2 or 3 if one is not finite.
   Blocks of half the reach say what the windows hold: three of them lie within each. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED int SUFFIX(recursive_judge)(
    const SCALAR *panel, ptrdiff_t length, ptrdiff_t first, ptrdiff_t n, ptrdiff_t reach,
    SCALAR least, SCALAR most, SCALAR share, SCALAR *lines) {
    const ptrdiff_t block = (reach + 1) / 2;
    BITS tops[WIDTH] = {0}, lows[WIDTH], before[WIDTH] = {0}, centre[WIDTH] = {0}, after[WIDTH];
    int any = 0;
    for (ptrdiff_t j = 0; j < WIDTH; j++) lows[j] = (BITS)-1;
    for (ptrdiff_t start = 0; start < length; start += block) {
        const ptrdiff_t rows = start + block < length ? block : length - start;
        SUFFIX(largest_of_lines)(panel + start * WIDTH, rows, after);
        const BITS outside = start > first && start - block < first + n ? 0 : (BITS)-1;
        for (ptrdiff_t j = 0; j < WIDTH; j++) {
            const BITS seen = SUFFIX(larger_bits)(SUFFIX(larger_bits)(before[j], centre[j]), after[j]);
            const BITS low = seen | outside;
            lows[j] = low < lows[j] ? low : lows[j];
            tops[j] = SUFFIX(larger_bits)(tops[j], after[j]);
            before[j] = centre[j];
            centre[j] = after[j];
        }
    }
    for (ptrdiff_t j = 0; j < WIDTH; j++) {
        const SCALAR top = SUFFIX(number)(tops[j]), low = SUFFIX(number)(lows[j]);
        const int odd = !(top < INFINITY);
        const int apart = odd || top > most || (top > 0 && (low < least || low < share * top));
        lines[RECURSIVE_ODD * WIDTH + j] = (SCALAR)odd;
        lines[RECURSIVE_APART * WIDTH + j] = (SCALAR)apart;
        lines[RECURSIVE_NEXT * WIDTH + j] = top;
        lines[RECURSIVE_FLOOR * WIDTH + j] = INFINITY; /* no part yet */
        lines[RECURSIVE_CEILING * WIDTH + j] = lines[RECURSIVE_SCALE * WIDTH + j] = 0;
        any |= apart | odd << 1;
    }
    return any;
}

/* Copies the part of each line, scaled, and finds the largest magnitude below it. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void SUFFIX(recursive_take)(const SCALAR *RESTRICT panel,
                                                                   ptrdiff_t length,
                                                                   SCALAR *RESTRICT lines,
                                                                   SCALAR *RESTRICT part) {
    const SCALAR *RESTRICT from = lines + RECURSIVE_FLOOR * WIDTH;
    const SCALAR *RESTRICT until = lines + RECURSIVE_CEILING * WIDTH;
    const SCALAR *RESTRICT scale = lines + RECURSIVE_SCALE * WIDTH;
    SCALAR next[WIDTH] = {0};
    for (ptrdiff_t i = 0; i < length; i++)
        for (ptrdiff_t j = 0; j < WIDTH; j++) {
            const SCALAR x = panel[i * WIDTH + j], size = x < 0 ? -x : x, scaled = x * scale[j];
            const SCALAR below = size < from[j] ? size : 0;
            part[i * WIDTH + j] = ((size >= from[j]) & (size < until[j])) ? scaled : 0;
            next[j] = below > next[j] ? below : next[j];
        }
    for (ptrdiff_t j = 0; j < WIDTH; j++) lines[RECURSIVE_NEXT * WIDTH + j] = next[j];
}

/* Makes a part of each line, of magnitudes that differ by at most 2^span, from the largest on that
   is left; for the first one `begin` is 1, and lines that are not apart are one part as they are.
   Returns whether any sample is left. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED int SUFFIX(recursive_part)(int begin, int span,
                                                                  SCALAR *lines) {
    int any = begin;
    for (ptrdiff_t j = 0; j < WIDTH; j++) {
        SCALAR *const line = lines + j;
        const SCALAR largest = line[RECURSIVE_NEXT * WIDTH];
        int exponent = 0;
        line[RECURSIVE_CEILING * WIDTH] = begin ? INFINITY : line[RECURSIVE_FLOOR * WIDTH];
        line[RECURSIVE_FLOOR * WIDTH] = 0;
        if (line[RECURSIVE_APART * WIDTH] != 0) {
            frexp((double)largest, &exponent);
            line[RECURSIVE_FLOOR * WIDTH] = (SCALAR)ldexp(1.0, exponent - span);
            if (exponent < MIN_EXPONENT) exponent = MIN_EXPONENT;
            if (exponent > MAX_EXPONENT) exponent = MAX_EXPONENT;
        }
        if (largest == 0 && (!begin || line[RECURSIVE_APART * WIDTH] != 0)) { /* nothing is left */
            line[RECURSIVE_CEILING * WIDTH] = line[RECURSIVE_FLOOR * WIDTH] = 0;
            exponent = 0;
        }
        line[RECURSIVE_SCALE * WIDTH] = (SCALAR)ldexp(1.0, -exponent);
        line[RECURSIVE_BACK * WIDTH] = (SCALAR)ldexp(1.0, exponent);
        any |= largest > 0;
    }
    return any;
}

/* Adds the results of a part to `total`, or sets it, for n windows of 2 reach + 1 samples, the first
   from row 1 on. Those of lines of parts count where a sample of the part is in the window. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void SUFFIX(recursive_add)(
    const SCALAR *RESTRICT part, const SCALAR *RESTRICT sums, ptrdiff_t n, ptrdiff_t reach,
    const SCALAR *RESTRICT lines, int begin, SCALAR *RESTRICT total) {
    const SCALAR *RESTRICT apart = lines + RECURSIVE_APART * WIDTH;
    const SCALAR *RESTRICT back = lines + RECURSIVE_BACK * WIDTH;
    COUNT since[WIDTH], longest[WIDTH];
    for (ptrdiff_t j = 0; j < WIDTH; j++) {
        since[j] = (COUNT)(2 * reach + 1);
        longest[j] = apart[j] != 0 ? (COUNT)(2 * reach) : (COUNT)(2 * reach + n + 2 * reach + 1);
    }
    for (ptrdiff_t i = -2 * reach; i < n; i++) {
        const SCALAR *RESTRICT row = part + (i + 2 * reach + 1) * WIDTH;
        for (ptrdiff_t j = 0; j < WIDTH; j++) since[j] = row[j] != 0 ? 0 : since[j] + 1;
        if (i < 0) continue;
        for (ptrdiff_t j = 0; j < WIDTH; j++) {
            const SCALAR result = sums[i * WIDTH + j] * back[j];
            const SCALAR counted = since[j] <= longest[j] ? result : 0;
            total[i * WIDTH + j] = begin ? counted : total[i * WIDTH + j] + counted;
        }
    }
}

/* Sets the results whose windows hold what is not finite, of weights of one sign. Returns whether an
   infinity was among it. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED int SUFFIX(recursive_spread)(
    const SCALAR *RESTRICT panel, ptrdiff_t n, ptrdiff_t reach, int negative,
    const SCALAR *RESTRICT lines, SCALAR *RESTRICT total) {
    const COUNT longest = (COUNT)(2 * reach);
    const SCALAR above = negative ? -INFINITY : INFINITY;
    COUNT nan[WIDTH], up[WIDTH], down[WIDTH];
    int odd = 0, infinite = 0;
    for (ptrdiff_t j = 0; j < WIDTH; j++) {
        nan[j] = up[j] = down[j] = longest + 1;
        odd |= lines[RECURSIVE_ODD * WIDTH + j] != 0;
    }
    if (!odd) return 0;
    for (ptrdiff_t i = -2 * reach; i < n; i++) {
        const SCALAR *RESTRICT row = panel + (i + 2 * reach + 1) * WIDTH;
        for (ptrdiff_t j = 0; j < WIDTH; j++) {
            const int is_up = row[j] == INFINITY, is_down = row[j] == -INFINITY;
            nan[j] = row[j] != row[j] ? 0 : nan[j] + 1;
            up[j] = is_up ? 0 : up[j] + 1;
            down[j] = is_down ? 0 : down[j] + 1;
            infinite |= is_up | is_down;
        }
        if (i < 0) continue;
        for (ptrdiff_t j = 0; j < WIDTH; j++) {
            SCALAR y = total[i * WIDTH + j];
            y = up[j] <= longest ? above : y;
            y = down[j] <= longest ? -above : y;
            y = (nan[j] <= longest) | ((up[j] <= longest) & (down[j] <= longest)) ? NAN : y;
            total[i * WIDTH + j] = y;
        }
    }
    return infinite;
}

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
