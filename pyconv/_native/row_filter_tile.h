/* The function of row_filter.h for one SCALAR type; included once for each. */

#define VEC SUFFIX(vec)
#define WORD SUFFIX(word)
#define ABREAST 4 /* vectors of outputs: each weight serves them all */

/* Samples `s` … `s` + LANES − 1 of two vectors that follow each other: of 64 bytes a load that is
   not aligned reads two lines, which takes twice as long as a shuffle. */
#if STENCIL_HAS_VECTORS && defined(__AVX512F__)
#define HAS_SHIFT 1
#define LOADED_TAPS 6 /* of so few a load for each is no slower */
#if defined(__clang__)
/* Clang would make permutations of these, each with a copy of the vector that it overwrites. */
#if LANES == 16
#define SHIFT "valignd"
#else
#define SHIFT "valignq"
#endif
#define SHIFTED(a, b, s)                                                                        \
    ((s) % LANES == 0 ? (a) : __extension__({                                                   \
        VEC shifted;                                                                            \
        __asm__(SHIFT " %3, %1, %2, %0" : "=v"(shifted) : "v"(a), "v"(b), "i"((s) % LANES));    \
        shifted;                                                                                \
    }))
#elif LANES == 16
#define SHIFTED(a, b, s) ((VEC)_mm512_alignr_epi32((__m512i)(b), (__m512i)(a), (s) % 16))
#else
#define SHIFTED(a, b, s) ((VEC)_mm512_alignr_epi64((__m512i)(b), (__m512i)(a), (s) % 8))
#endif
#if LANES == 16
#define ALL_SHIFTS(TAKE)                                                                        \
    TAKE(0) TAKE(1) TAKE(2) TAKE(3) TAKE(4) TAKE(5) TAKE(6) TAKE(7)                             \
    TAKE(8) TAKE(9) TAKE(10) TAKE(11) TAKE(12) TAKE(13) TAKE(14) TAKE(15)
#else
#define ALL_SHIFTS(TAKE) TAKE(0) TAKE(1) TAKE(2) TAKE(3) TAKE(4) TAKE(5) TAKE(6) TAKE(7)
#endif
#else
#define HAS_SHIFT 0
#endif

#if STENCIL_HAS_VECTORS
typedef WORD SUFFIX(words) __attribute__((vector_size(STENCIL_VECTOR_BYTES)));
STENCIL_INLINE SUFFIX(words) SUFFIX(carried)(SUFFIX(words) before, VEC sum) {
    const SUFFIX(words) bits = (SUFFIX(words))sum;
    return before | ((bits + SUFFIX(carry)) ^ bits);
}
#define LANE(words, i) (words)[i]
#else
typedef struct {
    WORD lane[LANES];
} SUFFIX(words);
STENCIL_INLINE SUFFIX(words) SUFFIX(carried)(SUFFIX(words) before, VEC sum) {
    SUFFIX(words) bits;
    memcpy(&bits, &sum, sizeof bits);
    STENCIL_EACH_LANE(i)
        before.lane[i] |= (bits.lane[i] + SUFFIX(carry)) ^ bits.lane[i];
    return before;
}
#define LANE(words, i) (words).lane[i]
#endif

#define EACH(c, N) STENCIL_UNROLL for (int c = 0; c < (N); c++)
#define ADD(c, sample) acc[c] = SUFFIX(add_product)(acc[c], t, sample)
/* Tap u, or u and its image. */
#define AT(tap) SUFFIX(load)(from + (tap) * step + c * LANES)
#define SINGLE(N)                                         \
    do {                                                  \
        const SUFFIX(weight) t = SUFFIX(weight_of)(w[u]); \
        EACH(c, N) ADD(c, AT(u));                         \
    } while (0)
#define PAIR(N, JOIN)                                              \
    do {                                                           \
        const SUFFIX(weight) t = SUFFIX(weight_of)(w[u]);          \
        EACH(c, N) ADD(c, SUFFIX(JOIN)(AT(u), AT(taps - 1 - u)));  \
    } while (0)
#define TAP_BY_TAP(N)                                             \
    do {                                                          \
        if (fold == 0) for (; u < taps; u++) SINGLE(N);           \
        else if (fold > 0) for (; u < half; u++) PAIR(N, plus);   \
        else for (; u < half; u++) PAIR(N, minus);                \
    } while (0)

#if HAS_SHIFT
#define HIGH(s) SHIFTED(high[c], high[c + 1], s)
#define LOW(s) ((s) ? SHIFTED(low[c], low[c + 1], LANES - (s)) : low[c + 1])
#define TAKE_SINGLE(s)                                            \
    if (u == end) break;                                          \
    t = SUFFIX(weight_of)(w[u++]);                                \
    EACH(c, ABREAST) ADD(c, HIGH(s));
#define TAKE_SUM(s)                                               \
    if (u == end) break;                                          \
    t = SUFFIX(weight_of)(w[u++]);                                \
    EACH(c, ABREAST) ADD(c, SUFFIX(plus)(HIGH(s), LOW(s)));
#define TAKE_DIFFERENCE(s)                                        \
    if (u == end) break;                                          \
    t = SUFFIX(weight_of)(w[u++]);                                \
    EACH(c, ABREAST) ADD(c, SUFFIX(minus)(HIGH(s), LOW(s)));
#define HOLD_ROW(row, from)                                       \
    EACH(c, ABREAST + 1) {                                        \
        row[c] = SUFFIX(load)((from) + c * LANES);                \
        STENCIL_HOLD(row[c]);                                     \
    }
/* Taps u … u + LANES − 1 start in the same vectors. */
#define BY_SHIFTS(until)                                                    \
    do {                                                                    \
        const ptrdiff_t end = until;                                        \
        SUFFIX(weight) t;                                                   \
        VEC high[ABREAST + 1], low[ABREAST + 1];                            \
        while (u < end) {                                                   \
            HOLD_ROW(high, from + u)                                        \
            if (fold == 0) {                                                \
                ALL_SHIFTS(TAKE_SINGLE)                                     \
                continue;                                                   \
            }                                                               \
            HOLD_ROW(low, from + taps - 1 - u - LANES)                      \
            if (fold > 0) {                                                 \
                ALL_SHIFTS(TAKE_SUM)                                        \
            } else {                                                        \
                ALL_SHIFTS(TAKE_DIFFERENCE)                                 \
            }                                                               \
        }                                                                   \
    } while (0)
#endif

/* N vectors of outputs from the i-th on. */
#define OUTPUTS(N, MOST)                                                     \
    do {                                                                     \
        SUFFIX(sum) acc[N];                                                  \
        const SCALAR *from = x + i;                                          \
        ptrdiff_t u = 0;                                                     \
        EACH(c, N) acc[c] = SUFFIX(no_sum)();                                \
        MOST;                                                                \
        if (fold && taps % 2) SINGLE(N); /* the one in the middle */         \
        EACH(c, N) {                                                         \
            const VEC sum = SUFFIX(total)(acc[c]);                           \
            carried = SUFFIX(carried)(carried, sum);                         \
            SUFFIX(store)(out + i + c * LANES, sum);                         \
        }                                                                    \
    } while (0)

/* n > 0 outputs, in whole vectors. Up to a vector of samples before x, and two of them behind the
   last that is summed, are read. `ahead` is where the samples lie that are read next, or NULL.
   Returns whether any two sums may be added. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED int SUFFIX(along)(const SCALAR *x, ptrdiff_t step,
                                                         const stencil_set *set, const SCALAR *w,
                                                         SCALAR *out, ptrdiff_t n,
                                                         const SCALAR *ahead) {
    const ptrdiff_t taps = set->taps, fold = set->fold, half = taps / 2;
    SUFFIX(words) carried = {0};
    WORD sign = 0;
    ptrdiff_t i = 0;
    if (n < ABREAST * LANES) {
        for (; i < n; i += LANES) OUTPUTS(1, TAP_BY_TAP(1));
    } else {
        for (; i < n; i += ABREAST * LANES) {
            if (i > n - ABREAST * LANES) i = n - ABREAST * LANES; /* the last overlap */
            if (ahead)
                for (ptrdiff_t c = 0; c < ABREAST * LANES; c += 64 / sizeof(SCALAR))
                    stencil_prefetch(ahead + i + c);
#if HAS_SHIFT
            if (step == 1 && taps > LOADED_TAPS) {
                OUTPUTS(ABREAST, BY_SHIFTS(fold ? half : taps));
                continue;
            }
#endif
            OUTPUTS(ABREAST, TAP_BY_TAP(ABREAST));
        }
    }
    for (int lane = 0; lane < LANES; lane++) sign |= LANE(carried, lane);
    return sign >> (8 * sizeof(WORD) - 1) == 0;
}
#undef VEC
#undef WORD
#undef ABREAST
#undef HAS_SHIFT
#undef LOADED_TAPS
#undef SHIFT
#undef SHIFTED
#undef ALL_SHIFTS
#undef LANE
#undef EACH
#undef ADD
#undef AT
#undef SINGLE
#undef PAIR
#undef TAP_BY_TAP
#undef HIGH
#undef LOW
#undef TAKE_SINGLE
#undef TAKE_SUM
#undef TAKE_DIFFERENCE
#undef HOLD_ROW
#undef BY_SHIFTS
#undef OUTPUTS
