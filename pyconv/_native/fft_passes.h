/* The passes of fft.h for one SCALAR type; included once for each. */

#if FFT_HAS_VECTORS
#define LANES ((ptrdiff_t)(STENCIL_VECTOR_BYTES / sizeof(SCALAR)))
typedef SCALAR SUFFIX(vec) __attribute__((vector_size(STENCIL_VECTOR_BYTES), may_alias));
typedef SCALAR SUFFIX(vec_any)
    __attribute__((vector_size(STENCIL_VECTOR_BYTES), aligned(sizeof(SCALAR)), may_alias));
typedef SUFFIX_SIGNED SUFFIX(words)
    __attribute__((vector_size(STENCIL_VECTOR_BYTES), aligned(sizeof(SCALAR)), may_alias));
#define ABOVE(a, b) ((a) > (b)) /* −1 where it is, 0 elsewhere */
#else
typedef SUFFIX_SIGNED SUFFIX(words);
#define ABOVE(a, b) (-((a) > (b)))
#define LANES ((ptrdiff_t)1)
typedef SCALAR SUFFIX(vec);
typedef SCALAR SUFFIX(vec_any);
#endif
#define VEC SUFFIX(vec)
#define ELEMENT (2 * LANES)
#define RE(p) (*(VEC *)(p))
#define IM(p) (*(VEC *)((p) + LANES))

static inline ptrdiff_t SUFFIX(lanes)(void) { return LANES; }

/* What the quotient of the parts has to know: powers of two that they were divided by, the sum of
   the weights, their sign or 0, and how much of them has to be seen. */
typedef struct {
    SCALAR factor, second, seen_factor, whole, sign, thin;
} SUFFIX(shares);

/* ---- butterflies: r + i·i ← its discrete Fourier transform of a few points ---- */

STENCIL_INLINE void SUFFIX(points_2)(VEC *r, VEC *i) {
    const VEC ar = r[0] - r[1], ai = i[0] - i[1];
    r[0] += r[1], i[0] += i[1];
    r[1] = ar, i[1] = ai;
}

STENCIL_INLINE void SUFFIX(points_3)(VEC *r, VEC *i) {
    const SCALAR half = (SCALAR)0.5, s = (SCALAR)0.86602540378443864676;
    const VEC ar = r[1] + r[2], ai = i[1] + i[2], br = r[1] - r[2], bi = i[1] - i[2];
    const VEC mr = r[0] - half * ar, mi = i[0] - half * ai;
    r[0] += ar, i[0] += ai;
    r[1] = mr + s * bi, i[1] = mi - s * br;
    r[2] = mr - s * bi, i[2] = mi + s * br;
}

STENCIL_INLINE void SUFFIX(points_4)(VEC *r, VEC *i) {
    const VEC ar = r[0] + r[2], ai = i[0] + i[2], br = r[0] - r[2], bi = i[0] - i[2];
    const VEC cr = r[1] + r[3], ci = i[1] + i[3], dr = r[1] - r[3], di = i[1] - i[3];
    r[0] = ar + cr, i[0] = ai + ci;
    r[1] = br + di, i[1] = bi - dr;
    r[2] = ar - cr, i[2] = ai - ci;
    r[3] = br - di, i[3] = bi + dr;
}

STENCIL_INLINE void SUFFIX(points_5)(VEC *r, VEC *i) {
    const SCALAR c1 = (SCALAR)0.30901699437494742410, c2 = (SCALAR)0.80901699437494742410;
    const SCALAR s1 = (SCALAR)0.95105651629515357212, s2 = (SCALAR)0.58778525229247312917;
    const VEC ar = r[1] + r[4], ai = i[1] + i[4], br = r[1] - r[4], bi = i[1] - i[4];
    const VEC cr = r[2] + r[3], ci = i[2] + i[3], dr = r[2] - r[3], di = i[2] - i[3];
    const VEC mr = r[0] + c1 * ar - c2 * cr, mi = i[0] + c1 * ai - c2 * ci;
    const VEC nr = r[0] - c2 * ar + c1 * cr, ni = i[0] - c2 * ai + c1 * ci;
    const VEC pr = s1 * br + s2 * dr, pi = s1 * bi + s2 * di;
    const VEC qr = s2 * br - s1 * dr, qi = s2 * bi - s1 * di;
    r[0] += ar + cr, i[0] += ai + ci;
    r[1] = mr + pi, i[1] = mi - pr;
    r[2] = nr + qi, i[2] = ni - qr;
    r[3] = nr - qi, i[3] = ni + qr;
    r[4] = mr - pi, i[4] = mi + pr;
}

STENCIL_INLINE void SUFFIX(points_8)(VEC *r, VEC *i) {
    const SCALAR s = (SCALAR)0.70710678118654752440;
    VEC er[4], ei[4], dr[4], di[4];
    STENCIL_UNROLL for (int q = 0; q < 4; q++) {
        er[q] = r[q] + r[q + 4], ei[q] = i[q] + i[q + 4];
        dr[q] = r[q] - r[q + 4], di[q] = i[q] - i[q + 4];
    }
    SUFFIX(points_4)(er, ei);
    /* The odd outputs: differences times exp(−2πi·q / 8), √½ left out until the last sum. */
    const VEC t1r = dr[1] + di[1], t1i = di[1] - dr[1];
    const VEC t3r = di[3] - dr[3], t3i = -(dr[3] + di[3]);
    const VEC ar = dr[0] + di[2], ai = di[0] - dr[2], br = dr[0] - di[2], bi = di[0] + dr[2];
    const VEC cr = t1r + t3r, ci = t1i + t3i, gr = t1r - t3r, gi = t1i - t3i;
    STENCIL_UNROLL for (int q = 0; q < 4; q++) r[2 * q] = er[q], i[2 * q] = ei[q];
    r[1] = ar + s * cr, i[1] = ai + s * ci;
    r[3] = br + s * gi, i[3] = bi - s * gr;
    r[5] = ar - s * cr, i[5] = ai - s * ci;
    r[7] = br - s * gi, i[7] = bi + s * gr;
}

/* ---- stages: `n` points, `step` scalars apart, in blocks of `span` ---- */

#define STAGES(R)                                                                            \
    STENCIL_NOINLINE void SUFFIX(forward_##R)(SCALAR *points, ptrdiff_t step, ptrdiff_t n,   \
                                              ptrdiff_t span, const SCALAR *twiddles) {      \
        const ptrdiff_t legs = span / R, leg = legs * step;                                  \
        for (ptrdiff_t block = 0; block < n; block += span) {                                \
            SCALAR *p = points + block * step;                                               \
            const SCALAR *twiddle = twiddles;                                                \
            for (ptrdiff_t j = 0; j < legs; j++, p += step, twiddle += 2 * (R - 1)) {        \
                VEC r[R], i[R];                                                              \
                STENCIL_UNROLL for (int m = 0; m < R; m++)                                   \
                    r[m] = RE(p + m * leg), i[m] = IM(p + m * leg);                          \
                SUFFIX(points_##R)(r, i);                                                    \
                RE(p) = r[0], IM(p) = i[0];                                                  \
                STENCIL_UNROLL for (int m = 1; m < R; m++) {                                 \
                    const SCALAR c = twiddle[2 * m - 2], s = twiddle[2 * m - 1];             \
                    RE(p + m * leg) = c * r[m] - s * i[m];                                   \
                    IM(p + m * leg) = c * i[m] + s * r[m];                                   \
                }                                                                            \
            }                                                                                \
        }                                                                                    \
    }                                                                                        \
    STENCIL_NOINLINE void SUFFIX(inverse_##R)(SCALAR *points, ptrdiff_t step, ptrdiff_t n,   \
                                              ptrdiff_t span, const SCALAR *twiddles) {      \
        const ptrdiff_t legs = span / R, leg = legs * step;                                  \
        for (ptrdiff_t block = 0; block < n; block += span) {                                \
            SCALAR *p = points + block * step;                                               \
            const SCALAR *twiddle = twiddles;                                                \
            for (ptrdiff_t j = 0; j < legs; j++, p += step, twiddle += 2 * (R - 1)) {        \
                VEC r[R], i[R];                                                              \
                r[0] = IM(p), i[0] = RE(p);                                                  \
                STENCIL_UNROLL for (int m = 1; m < R; m++) {                                 \
                    const SCALAR c = twiddle[2 * m - 2], s = twiddle[2 * m - 1];             \
                    const VEC a = IM(p + m * leg), b = RE(p + m * leg);                      \
                    r[m] = c * a - s * b, i[m] = c * b + s * a;                              \
                }                                                                            \
                SUFFIX(points_##R)(r, i);                                                    \
                STENCIL_UNROLL for (int m = 0; m < R; m++)                                   \
                    IM(p + m * leg) = r[m], RE(p + m * leg) = i[m];                          \
            }                                                                                \
        }                                                                                    \
    }
STAGES(2)
STAGES(3)
STAGES(4)
STAGES(5)
STAGES(8)
#undef STAGES

#define DISPATCH(direction)                                                                  \
    static void SUFFIX(direction##_stage)(SCALAR *points, ptrdiff_t step, ptrdiff_t n,       \
                                          ptrdiff_t span, ptrdiff_t radix,                   \
                                          const void *twiddles) {                            \
        const SCALAR *t = (const SCALAR *)twiddles;                                          \
        switch (radix) {                                                                     \
        case 2: SUFFIX(direction##_2)(points, step, n, span, t); break;                      \
        case 3: SUFFIX(direction##_3)(points, step, n, span, t); break;                      \
        case 4: SUFFIX(direction##_4)(points, step, n, span, t); break;                      \
        case 5: SUFFIX(direction##_5)(points, step, n, span, t); break;                      \
        default: SUFFIX(direction##_8)(points, step, n, span, t);                            \
        }                                                                                    \
    }
DISPATCH(forward)
DISPATCH(inverse)
#undef DISPATCH

static void SUFFIX(last_stage)(SCALAR *points, ptrdiff_t step, ptrdiff_t n) {
    for (ptrdiff_t block = 0; block < n; block += 8) {
        SCALAR *p = points + block * step;
        VEC r[8], i[8];
        STENCIL_UNROLL for (int m = 0; m < 8; m++) r[m] = RE(p + m * step), i[m] = IM(p + m * step);
        SUFFIX(points_8)(r, i);
        STENCIL_UNROLL for (int m = 0; m < 8; m++) RE(p + m * step) = r[m], IM(p + m * step) = i[m];
    }
}

static void SUFFIX(first_stage)(SCALAR *points, ptrdiff_t step, ptrdiff_t n) {
    for (ptrdiff_t block = 0; block < n; block += 8) {
        SCALAR *p = points + block * step;
        VEC r[8], i[8];
        STENCIL_UNROLL for (int m = 0; m < 8; m++) r[m] = IM(p + m * step), i[m] = RE(p + m * step);
        SUFFIX(points_8)(r, i);
        STENCIL_UNROLL for (int m = 0; m < 8; m++) IM(p + m * step) = r[m], RE(p + m * step) = i[m];
    }
}

/* All stages, or all but the last, which leaves blocks of 8 points. After the first stage the
   blocks have nothing to do with each other: each goes through the others while it is in the
   cache. */
static void SUFFIX(forward)(SCALAR *points, ptrdiff_t step, const fft_length *length,
                            int with_last) {
    const ptrdiff_t n = length->n;
    ptrdiff_t block = n;
    if (length->stages > 0) {
        block /= length->radix[0];
        SUFFIX(forward_stage)(points, step, n, n, length->radix[0], length->twiddles[0]);
    }
    for (ptrdiff_t start = 0; start < n; start += block, points += block * step) {
        ptrdiff_t span = block;
        for (ptrdiff_t k = 1; k < length->stages; k++) {
            SUFFIX(forward_stage)(points, step, block, span, length->radix[k],
                                  length->twiddles[k]);
            span /= length->radix[k];
        }
        if (with_last) SUFFIX(last_stage)(points, step, block);
    }
}

static void SUFFIX(inverse)(SCALAR *points, ptrdiff_t step, const fft_length *length,
                            int with_first) {
    const ptrdiff_t n = length->n;
    const ptrdiff_t block = length->stages > 0 ? n / length->radix[0] : n;
    SCALAR *p = points;
    for (ptrdiff_t start = 0; start < n; start += block, p += block * step) {
        ptrdiff_t span = 8;
        if (with_first) SUFFIX(first_stage)(p, step, block);
        for (ptrdiff_t k = length->stages - 1; k > 0; k--) {
            span *= length->radix[k];
            SUFFIX(inverse_stage)(p, step, block, span, length->radix[k], length->twiddles[k]);
        }
    }
    if (length->stages > 0)
        SUFFIX(inverse_stage)(points, step, n, n, length->radix[0], length->twiddles[0]);
}

/* The last stage, the product with H and the first stage back, while 8 points are in registers. */
static void SUFFIX(multiply)(SCALAR *points, const SCALAR *h, ptrdiff_t n) {
    for (ptrdiff_t block = 0; block < n; block += 8) {
        SCALAR *p = points + block * ELEMENT;
        const SCALAR *g = h + block * ELEMENT;
        VEC r[8], i[8];
        STENCIL_UNROLL for (int m = 0; m < 8; m++)
            r[m] = RE(p + m * ELEMENT), i[m] = IM(p + m * ELEMENT);
        SUFFIX(points_8)(r, i);
        STENCIL_UNROLL for (int m = 0; m < 8; m++) {
            const VEC c = RE(g + m * ELEMENT), s = IM(g + m * ELEMENT), a = r[m];
            r[m] = c * a - s * i[m], i[m] = c * i[m] + s * a;
        }
        SUFFIX(points_8)(i, r);
        STENCIL_UNROLL for (int m = 0; m < 8; m++)
            RE(p + m * ELEMENT) = r[m], IM(p + m * ELEMENT) = i[m];
    }
}

/* ---- transposition of LANES vectors, ELEMENT scalars apart ---- */

#if FFT_HAS_VECTORS
#define SHUFFLE __builtin_shufflevector
/* Lanes of a and b in turn, from the lower and the upper half of each 128 bits. */
#if SUFFIX_BLOCK == 4
#define LOW(n, k) k, k + n, k + 1, k + n + 1
#define HIGH(n, k) k + 2, k + n + 2, k + 3, k + n + 3
#if STENCIL_VECTOR_BYTES == 64
#define TURNS(a, b, half) SHUFFLE(a, b, half(16, 0), half(16, 4), half(16, 8), half(16, 12))
#elif STENCIL_VECTOR_BYTES == 32
#define TURNS(a, b, half) SHUFFLE(a, b, half(8, 0), half(8, 4))
#else
#define TURNS(a, b, half) SHUFFLE(a, b, half(4, 0))
#endif
/* The same of pairs of lanes. */
#define LOW_PAIR(n, k) k, k + 1, k + n, k + n + 1
#define HIGH_PAIR(n, k) k + 2, k + 3, k + n + 2, k + n + 3

STENCIL_INLINE void SUFFIX(transpose_blocks)(VEC *a) {
    STENCIL_UNROLL for (int k = 0; k < LANES; k += 4) {
        const VEC b0 = TURNS(a[k], a[k + 1], LOW), b1 = TURNS(a[k], a[k + 1], HIGH);
        const VEC b2 = TURNS(a[k + 2], a[k + 3], LOW), b3 = TURNS(a[k + 2], a[k + 3], HIGH);
        a[k] = TURNS(b0, b2, LOW_PAIR), a[k + 1] = TURNS(b0, b2, HIGH_PAIR);
        a[k + 2] = TURNS(b1, b3, LOW_PAIR), a[k + 3] = TURNS(b1, b3, HIGH_PAIR);
    }
}
#undef LOW_PAIR
#undef HIGH_PAIR
#else
#define LOW(n, k) k, k + n
#define HIGH(n, k) k + 1, k + n + 1
#if STENCIL_VECTOR_BYTES == 64
#define TURNS(a, b, half) SHUFFLE(a, b, half(8, 0), half(8, 2), half(8, 4), half(8, 6))
#elif STENCIL_VECTOR_BYTES == 32
#define TURNS(a, b, half) SHUFFLE(a, b, half(4, 0), half(4, 2))
#else
#define TURNS(a, b, half) SHUFFLE(a, b, half(2, 0))
#endif

STENCIL_INLINE void SUFFIX(transpose_blocks)(VEC *a) {
    STENCIL_UNROLL for (int k = 0; k < LANES; k += 2) {
        const VEC low = TURNS(a[k], a[k + 1], LOW);
        a[k + 1] = TURNS(a[k], a[k + 1], HIGH);
        a[k] = low;
    }
}
#endif
#undef LOW
#undef HIGH
#undef TURNS

/* Vector BLOCK·g + c now holds, in its 128 bits number q, rows BLOCK·g … of column BLOCK·q + c:
   gather those of each column. A scalar of a pair of vectors moves as a double. */
#define BLOCK SUFFIX_BLOCK
typedef double SUFFIX(pairs) __attribute__((vector_size(STENCIL_VECTOR_BYTES), may_alias));
#define PAIRS SUFFIX(pairs)
STENCIL_INLINE void SUFFIX(transpose)(const SCALAR *from, SCALAR *to) {
    VEC a[LANES];
    STENCIL_UNROLL for (int k = 0; k < LANES; k++) a[k] = RE(from + k * ELEMENT);
    SUFFIX(transpose_blocks)(a);
    STENCIL_UNROLL for (int c = 0; c < BLOCK; c++) {
#if STENCIL_VECTOR_BYTES == 64
        const PAIRS x0 = (PAIRS)a[c], x1 = (PAIRS)a[BLOCK + c];
        const PAIRS x2 = (PAIRS)a[2 * BLOCK + c], x3 = (PAIRS)a[3 * BLOCK + c];
        const PAIRS y0 = SHUFFLE(x0, x1, 0, 1, 4, 5, 8, 9, 12, 13);
        const PAIRS y1 = SHUFFLE(x0, x1, 2, 3, 6, 7, 10, 11, 14, 15);
        const PAIRS y2 = SHUFFLE(x2, x3, 0, 1, 4, 5, 8, 9, 12, 13);
        const PAIRS y3 = SHUFFLE(x2, x3, 2, 3, 6, 7, 10, 11, 14, 15);
        RE(to + c * ELEMENT) = (VEC)SHUFFLE(y0, y2, 0, 1, 4, 5, 8, 9, 12, 13);
        RE(to + (BLOCK + c) * ELEMENT) = (VEC)SHUFFLE(y1, y3, 0, 1, 4, 5, 8, 9, 12, 13);
        RE(to + (2 * BLOCK + c) * ELEMENT) = (VEC)SHUFFLE(y0, y2, 2, 3, 6, 7, 10, 11, 14, 15);
        RE(to + (3 * BLOCK + c) * ELEMENT) = (VEC)SHUFFLE(y1, y3, 2, 3, 6, 7, 10, 11, 14, 15);
#elif STENCIL_VECTOR_BYTES == 32
        const PAIRS x0 = (PAIRS)a[c], x1 = (PAIRS)a[BLOCK + c];
        RE(to + c * ELEMENT) = (VEC)SHUFFLE(x0, x1, 0, 1, 4, 5);
        RE(to + (BLOCK + c) * ELEMENT) = (VEC)SHUFFLE(x0, x1, 2, 3, 6, 7);
#else
        RE(to + c * ELEMENT) = a[c];
#endif
    }
}
#undef BLOCK
#undef PAIRS
#undef SHUFFLE
#else
STENCIL_INLINE void SUFFIX(transpose)(const SCALAR *from, SCALAR *to) { RE(to) = RE(from); }
#endif

/* ---- passes over a tile ---- */

/* LANES rows of every panel become the row buffer, whose lanes are rows, and back. */
static void SUFFIX(gather_rows)(const SCALAR *rows, ptrdiff_t panel, ptrdiff_t n,
                                SCALAR *buffer) {
    for (ptrdiff_t x = 0; x < n; x += LANES, rows += panel, buffer += LANES * ELEMENT) {
        SUFFIX(transpose)(rows, buffer);
        SUFFIX(transpose)(rows + LANES, buffer + LANES);
    }
}

static void SUFFIX(scatter_rows)(const SCALAR *buffer, SCALAR *rows, ptrdiff_t panel,
                                 ptrdiff_t n) {
    for (ptrdiff_t x = 0; x < n; x += LANES, rows += panel, buffer += LANES * ELEMENT) {
        SUFFIX(transpose)(buffer, rows);
        SUFFIX(transpose)(buffer + LANES, rows + LANES);
    }
}

/* Multiply by `turns`, or by their conjugates: what joins the columns and the rows of one long
   transform. */
static void SUFFIX(turn)(SCALAR *points, const SCALAR *turns, ptrdiff_t n, int back) {
    for (ptrdiff_t k = 0; k < n; k++, points += ELEMENT, turns += ELEMENT) {
        const VEC c = *(const SUFFIX(vec_any) *)turns;
        const VEC sine = *(const SUFFIX(vec_any) *)(turns + LANES), s = back ? -sine : sine;
        const VEC a = RE(points), b = IM(points);
        RE(points) = c * a - s * b;
        IM(points) = c * b + s * a;
    }
}

static void SUFFIX(columns)(SCALAR *panel, ptrdiff_t step, const fft_length *length) {
    SUFFIX(forward)(panel, step, length, 1);
}

static void SUFFIX(columns_back)(SCALAR *panel, ptrdiff_t step, const fft_length *length) {
    SUFFIX(inverse)(panel, step, length, 1);
}

/* The spectrum of LANES rows; `turns` may be NULL. */
static void SUFFIX(rows_spectrum)(const SCALAR *rows, ptrdiff_t panel, const fft_length *length,
                                  const SCALAR *turns, SCALAR *h) {
    SUFFIX(gather_rows)(rows, panel, length->n, h);
    if (turns) SUFFIX(turn)(h, turns, length->n, 0);
    SUFFIX(forward)(h, ELEMENT, length, 1);
}

/* LANES rows to their spectrum, times H, and back. */
static void SUFFIX(rows_filtered)(SCALAR *rows, ptrdiff_t panel, const fft_length *length,
                                  const SCALAR *turns, const SCALAR *h, SCALAR *buffer) {
    SUFFIX(gather_rows)(rows, panel, length->n, buffer);
    if (turns) SUFFIX(turn)(buffer, turns, length->n, 0);
    SUFFIX(forward)(buffer, ELEMENT, length, 0);
    SUFFIX(multiply)(buffer, h, length->n);
    SUFFIX(inverse)(buffer, ELEMENT, length, 0);
    if (turns) SUFFIX(turn)(buffer, turns, length->n, 1);
    SUFFIX(scatter_rows)(buffer, rows, panel, length->n);
}

/* ---- between rows of samples and one part of a row of a tile ---- */

/* Write a row, and add the squares of its samples to `squares`. */
static void SUFFIX(put)(const SCALAR *row, SCALAR *part, ptrdiff_t panel, ptrdiff_t panels,
                        SCALAR *squares) {
    for (ptrdiff_t p = 0; p < panels; p++, row += LANES, part += panel, squares += LANES) {
        const VEC v = *(const SUFFIX(vec_any) *)row;
        RE(part) = v;
        *(SUFFIX(vec_any) *)squares += v * v;
    }
}

/* `put` of up to FFT_ROWS rows below each other: one by one, or all of them at once, so that sums of
   squares are read and written once. */
static void SUFFIX(put_rows)(const SCALAR **rows, ptrdiff_t n, SCALAR *part,
                             ptrdiff_t panel, ptrdiff_t panels, SCALAR *squares) {
    if (n < FFT_ROWS) {
        for (ptrdiff_t r = 0; r < n; r++)
            SUFFIX(put)(rows[r], part + r * ELEMENT, panel, panels, squares);
        return;
    }
    for (ptrdiff_t x = 0; x < panels * LANES; x += LANES, part += panel, squares += LANES) {
        VEC v[FFT_ROWS];
        STENCIL_UNROLL
        for (int r = 0; r < FFT_ROWS; r++) v[r] = *(const SUFFIX(vec_any) *)(rows[r] + x);
        STENCIL_UNROLL
        for (int r = 0; r < FFT_ROWS; r++) RE(part + r * ELEMENT) = v[r];
        *(SUFFIX(vec_any) *)squares += (v[0] * v[0] + v[1] * v[1]) + (v[2] * v[2] + v[3] * v[3]);
    }
}

/* `put` of a row of a line: the squares of `block` vectors are added to one of `squares`. */
static void SUFFIX(put_line)(const SCALAR *row, SCALAR *part, ptrdiff_t panel, ptrdiff_t panels,
                             ptrdiff_t block, SCALAR *squares) {
    for (ptrdiff_t p = 0; p < panels; p += block, squares += LANES) {
        VEC sum = {0};
        for (ptrdiff_t b = 0; b < block; b++, row += LANES, part += panel) {
            const VEC v = *(const SUFFIX(vec_any) *)row;
            RE(part) = v;
            sum += v * v;
        }
        *(SUFFIX(vec_any) *)squares += sum;
    }
}

/* Find the sum, and the largest, of n sums of squares, n a multiple of LANES. */
static void SUFFIX(sum_squares)(const SCALAR *squares, ptrdiff_t n, double *total, double *most) {
    enum { CHAINS = 4 };
    SUFFIX(vec_any) sum[CHAINS] = {(SUFFIX(vec_any)){0}};
    SUFFIX(words) top[CHAINS] = {(SUFFIX(words)){0}};
    SCALAR sums[LANES], tops[LANES];
    ptrdiff_t x = 0;
    for (; x < n; x += CHAINS * LANES) {
        STENCIL_UNROLL
        for (int c = 0; c < CHAINS; c++)
            if (c == 0 || x + c * LANES < n) {
                const VEC v = *(const SUFFIX(vec_any) *)(squares + x + c * LANES);
                SUFFIX(words) word, above;
                sum[c] += v;
                memcpy(&word, &v, sizeof word);
                above = ABOVE(word, top[c]);
                top[c] = (word & above) | (top[c] & ~above);
            }
    }
    *total = *most = 0;
    for (int c = 0; c < CHAINS; c++) {
        memcpy(sums, &sum[c], sizeof sums);
        memcpy(tops, &top[c], sizeof tops);
        for (ptrdiff_t l = 0; l < LANES; l++) {
            *total += (double)sums[l];
            *most = (double)tops[l] > *most ? (double)tops[l] : *most;
        }
    }
}

/* Returns whether all of n sums are above a limit. */
static int SUFFIX(all_above)(const SCALAR *squares, ptrdiff_t n, SCALAR limit) {
    SCALAR ok = 1;
    ptrdiff_t x = 0;
    if (n >= LANES) {
        const SUFFIX(vec_any) least = (SUFFIX(vec_any)){0} + limit;
        SUFFIX(words) all = (SUFFIX(words)){0} - 1;
        SUFFIX_SIGNED lanes[LANES], each = -1;
        for (; x < n; x += LANES) {
            const ptrdiff_t from = x + LANES <= n ? x : n - LANES;
            all &= (SUFFIX(words))ABOVE(*(const SUFFIX(vec_any) *)(squares + from), least);
        }
        memcpy(lanes, &all, sizeof lanes);
        for (ptrdiff_t l = 0; l < LANES; l++) each &= lanes[l];
        return each != 0;
    }
    for (; x < n; x++) ok = squares[x] > limit ? ok : 0;
    return ok != 0;
}

/* Returns the longest run of groups of sums none of which is above a limit. */
static ptrdiff_t SUFFIX(longest_below)(const SCALAR *squares, ptrdiff_t groups, ptrdiff_t each,
                                       SCALAR limit) {
    ptrdiff_t run = 0, longest = 0;
    for (ptrdiff_t g = 0; g < groups; g++, squares += each) {
        int loud = 0;
        for (ptrdiff_t l = 0; l < each; l++) loud |= squares[l] > limit;
        run = loud ? 0 : run + 1;
        longest = run > longest ? run : longest;
    }
    return longest;
}

/* Raise `most`, a magnitude for each lane, to those of a row's samples. Bits are compared: in that
   order infinity is above all numbers, and NaN above infinity. */
static void SUFFIX(largest)(const SCALAR *part, ptrdiff_t panel, ptrdiff_t panels, SCALAR *most) {
    SUFFIX(words) top, magnitude, above;
    memcpy(&top, most, sizeof top);
    for (ptrdiff_t p = 0; p < panels; p++, part += panel) {
        memcpy(&magnitude, part, sizeof magnitude);
        magnitude &= (SUFFIX_SIGNED)((SUFFIX_WORD)-1 >> 1);
        above = ABOVE(magnitude, top);
        top = (magnitude & above) | (top & ~above);
    }
    memcpy(most, &top, sizeof top);
}

/* Returns ‖w‖₁; finds ‖w‖₂² and max|w|. */
static double SUFFIX(weigh)(const SCALAR *w, ptrdiff_t n, double *squares, double *peak) {
    enum { SUMS = 8 };
    double ones[SUMS] = {0}, twos[SUMS] = {0}, top[SUMS] = {0};
    ptrdiff_t i = 0;
    for (; i + SUMS <= n; i += SUMS)
        for (int k = 0; k < SUMS; k++) {
            const double v = (double)(w[i + k] < 0 ? -w[i + k] : w[i + k]);
            ones[k] += v;
            twos[k] += v * v;
            top[k] = v > top[k] ? v : top[k];
        }
    for (; i < n; i++) {
        const double v = (double)(w[i] < 0 ? -w[i] : w[i]);
        ones[0] += v;
        twos[0] += v * v;
        top[0] = v > top[0] ? v : top[0];
    }
    for (int k = 1; k < SUMS; k++) {
        ones[0] += ones[k];
        twos[0] += twos[k];
        top[0] = top[k] > top[0] ? top[k] : top[0];
    }
    *squares = twos[0];
    *peak = top[0];
    return ones[0];
}

/* Returns how many of n weights, `step` apart, are below a limit; `zero` for each that is zero. */
static ptrdiff_t SUFFIX(count_faint)(const SCALAR *w, ptrdiff_t n, ptrdiff_t step, SCALAR limit,
                                     ptrdiff_t zero) {
    ptrdiff_t faint = 0, none = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const SCALAR v = w[i * step] < 0 ? -w[i * step] : w[i * step];
        faint += v < limit;
        none += v == 0;
    }
    return faint + none * zero;
}

static void SUFFIX(clear)(SCALAR *part, ptrdiff_t panel, ptrdiff_t panels) {
    for (ptrdiff_t p = 0; p < panels; p++, part += panel) RE(part) = (VEC){0};
}

/* Read `n` samples times two factors. */
static void SUFFIX(get)(const SCALAR *part, ptrdiff_t panel, SCALAR *row, ptrdiff_t n,
                        SCALAR first_factor, SCALAR second_factor) {
    ptrdiff_t x = 0;
    for (; x + LANES <= n; x += LANES, part += panel)
        *(SUFFIX(vec_any) *)(row + x) = RE(part) * first_factor * second_factor;
    for (ptrdiff_t l = 0; x + l < n; l++) row[x + l] = part[l] * first_factor * second_factor;
}

/* Read up to LANES quotients of the parts: (real · factors) · whole / (imaginary · seen factor), NaN
   where what was seen of the weights is below `thin`. Returns whether any is. */
STENCIL_INLINE int SUFFIX(quotients_of)(const SCALAR *part, SCALAR *row, ptrdiff_t n,
                                        const SUFFIX(shares) * s) {
    int any = 0;
    for (ptrdiff_t l = 0; l < n; l++) {
        const SCALAR seen = part[LANES + l] * s->seen_factor;
        const SCALAR size = s->sign == 0 ? (seen < 0 ? -seen : seen) : seen * s->sign;
        const int sound = size >= s->thin;
        row[l] = sound ? part[l] * s->factor * s->second * (s->whole / seen) : (SCALAR)NAN;
        any |= !sound;
    }
    return any;
}

static int SUFFIX(quotients)(const SCALAR *part, ptrdiff_t panel, SCALAR *row, ptrdiff_t n,
                             const SUFFIX(shares) * shares) {
    const SUFFIX(shares) s = *shares;
    int any = 0;
    for (; n >= LANES; n -= LANES, part += panel, row += LANES)
        any |= SUFFIX(quotients_of)(part, row, LANES, &s);
    return n > 0 ? any | SUFFIX(quotients_of)(part, row, n, &s) : any;
}

STENCIL_INLINE SUFFIX_WORD SUFFIX(bits)(SCALAR v) {
    SUFFIX_WORD word;
    memcpy(&word, &v, sizeof word);
    return word << 1 >> 1;
}

/* loud[x] = whether one of planes × rows samples of column x is |v| ≥ limit > 0 */
static void SUFFIX(mark)(const SCALAR *part, ptrdiff_t plane, ptrdiff_t planes, ptrdiff_t rows,
                         ptrdiff_t panel, ptrdiff_t panels, SCALAR limit, SUFFIX_WORD *loud) {
    const SUFFIX_SIGNED below = (SUFFIX_SIGNED)SUFFIX(bits)(limit) - 1;
    const SUFFIX(words) least = (SUFFIX(words)){0} + below;
    for (ptrdiff_t p = 0; p < panels; p++, part += panel, loud += LANES) {
        SUFFIX(words) any = {0};
        for (ptrdiff_t k = 0; k < planes; k++)
            for (ptrdiff_t r = 0; r < rows; r++) {
                SUFFIX(words) magnitude;
                memcpy(&magnitude, part + k * plane + r * ELEMENT, sizeof magnitude);
                magnitude &= (SUFFIX_SIGNED)((SUFFIX_WORD)-1 >> 1);
                any |= ABOVE(magnitude, least);
            }
        memcpy(loud, &any, sizeof any);
    }
}

/* Returns the longest run of zeros. */
static ptrdiff_t SUFFIX(longest_quiet)(const SUFFIX_WORD *loud, ptrdiff_t n) {
    SUFFIX_WORD all = (SUFFIX_WORD)-1;
    ptrdiff_t run = 0, longest = 0;
    for (ptrdiff_t i = 0; i < n; i++) all &= loud[i];
    if (all) return 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        run = loud[i] ? 0 : run + 1;
        longest = run > longest ? run : longest;
    }
    return longest;
}

/* Continues a run of vectors of the row without a sample of |v| ≥ limit; raises `longest` to it. */
static ptrdiff_t SUFFIX(quiet_vectors)(const SCALAR *part, ptrdiff_t panel, ptrdiff_t panels,
                                       SCALAR limit, ptrdiff_t run, ptrdiff_t *longest) {
    const SUFFIX_WORD least = SUFFIX(bits)(limit);
    for (ptrdiff_t p = 0; p < panels; p++, part += panel) {
        SUFFIX_WORD bits[LANES], loud = 0;
        memcpy(bits, part, sizeof bits);
        for (ptrdiff_t l = 0; l < LANES; l++) loud |= (bits[l] << 1 >> 1) >= least;
        run = loud ? 0 : run + 1;
        *longest = run > *longest ? run : *longest;
    }
    return run;
}

/* Write the class of each sample of a row: 0 of zero, 3 of |v| ≥ limit > 0, 1 of others. */
static void SUFFIX(classify)(const SCALAR *part, ptrdiff_t panel, ptrdiff_t panels, SCALAR limit,
                             unsigned char *classes) {
    const SUFFIX_WORD least = SUFFIX(bits)(limit);
    for (ptrdiff_t p = 0; p < panels; p++, part += panel, classes += LANES)
        for (ptrdiff_t l = 0; l < LANES; l++) {
            const SUFFIX_WORD magnitude = SUFFIX(bits)(part[l]);
            classes[l] = (unsigned char)((magnitude > 0) + 2 * (magnitude >= least));
        }
}

/* Count the samples of a row by their exponents. */
static void SUFFIX(count_exponents)(const SCALAR *part, ptrdiff_t panel, ptrdiff_t panels,
                                    ptrdiff_t *counts) {
    for (ptrdiff_t p = 0; p < panels; p++, part += panel)
        for (ptrdiff_t l = 0; l < LANES; l++)
            counts[SUFFIX(bits)(part[l]) >> SUFFIX_MANTISSA]++;
}

/* Move up to `room` samples of a row whose exponents are at least `first` to `values`, and their
   columns to `columns`; returns how many. */
static ptrdiff_t SUFFIX(take_loud)(SCALAR *part, ptrdiff_t panel, ptrdiff_t panels,
                                   ptrdiff_t first, ptrdiff_t room, ptrdiff_t *columns,
                                   double *values) {
    ptrdiff_t n = 0;
    for (ptrdiff_t p = 0; p < panels; p++, part += panel)
        for (ptrdiff_t l = 0; l < LANES; l++)
            if ((ptrdiff_t)(SUFFIX(bits)(part[l]) >> SUFFIX_MANTISSA) >= first && n < room) {
                columns[n] = p * LANES + l;
                values[n++] = (double)part[l];
                part[l] = 0;
            }
    return n;
}

/* Raise `top` to the magnitudes of a row; returns the sum of squares. */
static double SUFFIX(measure)(const SCALAR *part, ptrdiff_t panel, ptrdiff_t panels, double *top) {
    double sum = 0, most = *top;
    for (ptrdiff_t p = 0; p < panels; p++, part += panel)
        for (ptrdiff_t l = 0; l < LANES; l++) {
            const double v = part[l] < 0 ? -(double)part[l] : (double)part[l];
            sum += v * v;
            most = v > most ? v : most;
        }
    *top = most;
    return sum;
}

/* Copy n samples, a multiple of LANES, with zeros for those that are not finite, and mark those: NaN
   by 12, infinities by marks of their own, 4 if they make infinity of outputs, 8 if minus infinity. */
STENCIL_NOINLINE void SUFFIX(leave_out)(const SCALAR *row, SCALAR *to, ptrdiff_t n,
                                        unsigned char plus, unsigned char minus,
                                        unsigned char *marks) {
    const SUFFIX_WORD infinite = SUFFIX(bits)((SCALAR)INFINITY), sign = ~((SUFFIX_WORD)-1 >> 1);
    for (ptrdiff_t x = 0; x < n; x += LANES) {
        SUFFIX_WORD bits[LANES], mark[LANES];
        memcpy(bits, row + x, sizeof bits);
        for (ptrdiff_t l = 0; l < LANES; l++) {
            const SUFFIX_WORD size = bits[l] & ~sign, of_infinity = bits[l] & sign ? minus : plus;
            mark[l] = size < infinite ? 0 : size > infinite ? 12 : of_infinity;
            bits[l] = size < infinite ? bits[l] : 0;
        }
        memcpy(to + x, bits, sizeof bits);
        for (ptrdiff_t l = 0; l < LANES; l++) marks[x + l] = (unsigned char)mark[l];
    }
}

/* Write the outputs of a row that are marked. */
STENCIL_NOINLINE void SUFFIX(decide)(SCALAR *row, const unsigned char *marks, ptrdiff_t n) {
    const SCALAR decided[4] = {0, (SCALAR)INFINITY, -(SCALAR)INFINITY, (SCALAR)NAN};
    ptrdiff_t x = 0;
    for (; x + LANES <= n; x += LANES) {
        SCALAR values[LANES];
        memcpy(values, row + x, sizeof values);
        for (ptrdiff_t l = 0; l < LANES; l++) {
            const unsigned char mark = marks[x + l];
            const SCALAR infinite = mark == 4 ? decided[1] : decided[2];
            values[l] = mark == 0 ? values[l] : mark == 12 ? decided[3] : infinite;
        }
        memcpy(row + x, values, sizeof values);
    }
    for (; x < n; x++) row[x] = marks[x] ? decided[marks[x] >> 2] : row[x];
}

/* Zero the outputs of a row whose class is 0. With `spoil` those of class 1 become NaN, and NaN stays;
   returns whether any is. */
static int SUFFIX(settle)(SCALAR *row, const unsigned char *classes, ptrdiff_t n, int spoil) {
    int any = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        if (classes[i] == 0 && (!spoil || row[i] == row[i])) row[i] = 0;
        if (spoil && classes[i] == 1) row[i] = (SCALAR)NAN, any = 1;
    }
    return any;
}

/* Add to outputs 0 … n − 1 of a row what they read of the sample `value`, which tap 0 reads for
   output `at`, and tap u for output at − u·dilation. */
static void SUFFIX(add_sample)(SCALAR *row, ptrdiff_t n, ptrdiff_t at, const SCALAR *w,
                               ptrdiff_t taps, ptrdiff_t dilation, SCALAR value,
                               SCALAR first_factor, SCALAR second_factor) {
    ptrdiff_t from = at - n + 1, to = taps;
    from = from > 0 ? (from + dilation - 1) / dilation : 0;
    if (at < 0) return;
    to = at / dilation + 1 < to ? at / dilation + 1 : to;
    for (ptrdiff_t u = from; u < to; u++)
        row[at - u * dilation] += value * w[u] * first_factor * second_factor;
}

static void SUFFIX(scale)(SCALAR *part, ptrdiff_t panel, ptrdiff_t panels, SCALAR first_factor,
                          SCALAR second_factor) {
    for (ptrdiff_t p = 0; p < panels; p++, part += panel)
        RE(part) = RE(part) * first_factor * second_factor;
}

#undef ABOVE
#undef LANES
#undef VEC
#undef ELEMENT
#undef RE
#undef IM
