/* The transposes of transpose.h for one SCALAR type; included once for each. */

#define VEC SUFFIX(vec)
#if STENCIL_HAS_VECTORS
#define OPAQUE(pointer) __asm__("" : "+r"(pointer))
#else
#define OPAQUE(pointer) (void)(pointer)
#endif

/* Four columns of LANES rows, the first at `p`, become four vectors of LANES samples. */
#if TRANSPOSE_HAS_SHUFFLE && LANES >= 4
#if LANES == 16
#define JOIN(j) \
    SUFFIX(join)(SUFFIX(pair)(ROW(j), ROW(j + 4)), SUFFIX(pair)(ROW(j + 8), ROW(j + 12)))
#elif LANES == 8
#define JOIN(j) SUFFIX(pair)(ROW(j), ROW(j + 4))
#else
#define JOIN(j) SUFFIX(load)(ROW(j))
#endif
#define INTERLEAVE(a, b, which) \
    __builtin_shufflevector(a, b, TRANSPOSE_PASTE(TRANSPOSE_##which##_, LANES))
#define TRANSPOSE(out)                                                        \
    do {                                                                      \
        VEC r0 = JOIN(0), r1 = JOIN(1), r2 = JOIN(2), r3 = JOIN(3);           \
        VEC low = INTERLEAVE(r0, r1, LOW), high = INTERLEAVE(r0, r1, HIGH);   \
        VEC low2 = INTERLEAVE(r2, r3, LOW), high2 = INTERLEAVE(r2, r3, HIGH); \
        out[0] = INTERLEAVE(low, low2, EVEN);                                 \
        out[1] = INTERLEAVE(low, low2, ODD);                                  \
        out[2] = INTERLEAVE(high, high2, EVEN);                               \
        out[3] = INTERLEAVE(high, high2, ODD);                                \
    } while (0)
#else
#define TRANSPOSE(out)                                                \
    do {                                                              \
        SCALAR turned[4][LANES];                                      \
        for (int j = 0; j < LANES; j++)                               \
            for (int e = 0; e < 4; e++) turned[e][j] = ROW(j)[e];     \
        for (int e = 0; e < 4; e++) out[e] = SUFFIX(load)(turned[e]); \
    } while (0)
#endif

/* Rows `offset[0]`, `offset[1]`, … from p. */
#define ROW(j) (p + offset[j])
STENCIL_INLINE void SUFFIX(transpose_listed)(const SCALAR *p, const ptrdiff_t *offset, VEC *out) {
    OPAQUE(offset); /* else the offsets are kept in vector registers */
    TRANSPOSE(out);
}
#undef ROW
/* Rows one vector apart. */
#define ROW(j) (p + (j) * LANES)
STENCIL_INLINE void SUFFIX(transpose_packed)(const SCALAR *p, VEC *out) { TRANSPOSE(out); }
#undef ROW
/* Rows `row` apart. */
#define ROW(j) (p + (j) * row)
STENCIL_INLINE void SUFFIX(transpose_strided)(const SCALAR *p, ptrdiff_t row, VEC *out) {
    TRANSPOSE(out);
}
#undef ROW

/* Write `n` ≥ 4 pixels of LANES channels, whose rows of samples start at the offsets from x. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void SUFFIX(turn_pixels)(const SCALAR *x,
                                                                const ptrdiff_t *offset,
                                                                ptrdiff_t n, SCALAR *out) {
    for (ptrdiff_t i = 0; i < n; i += 4) {
        VEC a[4];
        if (i + 4 > n) i = n - 4;
        SUFFIX(transpose_listed)(x + i, offset, a);
        STENCIL_UNROLL for (int e = 0; e < 4; e++) SUFFIX(store)(out + (i + e) * LANES, a[e]);
    }
}
#undef JOIN
#undef INTERLEAVE
#undef TRANSPOSE
#undef OPAQUE
#undef VEC
