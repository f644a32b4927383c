/* Rows of sums of samples of 8 bits, in fixed point:  y[i] = trunc(Σ_k (a_k[i] ± b_k[i]) w_k).

   Weights are whole multiples of 2^-(15 + fraction), cut into a high and a low half of 16 bits, so
   that two products at a time are summed exactly in 32 bits. The sum of the low halves is cut to
   `fraction` bits and added to that of the high ones; with all that has been rounded, the result
   is less than two units of the last bit away from the sum. So it decides what the sum is cut to
   unless a whole number other than 0 lies so near. There the products are summed again as
   scipy.ndimage does, in double, each rounded before it is added, in the order of the terms. */
#pragma once
#include "rounded_sum.h" /* ROUNDED */

/* What rows hold: `FIXED_INT16` in buffers, others in the caller's array. */
enum fixed_kind { FIXED_UINT8, FIXED_INT8, FIXED_INT16 };
/* Terms are a sample, a sum or a difference of two; or all samples are added and divided. */
enum fixed_fold { FIXED_SINGLES, FIXED_SUMS, FIXED_DIFFERENCES, FIXED_MEAN };
/* What a sum that is cut becomes. */
enum fixed_wrap { FIXED_FITS, FIXED_WRAP_UINT8, FIXED_WRAP_INT8, FIXED_TRUTH };

typedef struct {
    ptrdiff_t n;                /* terms, an even number; the last may be there to make it so */
    ptrdiff_t n_singles, n_all; /* of the sums in double: terms that are one sample, and all */
    const double *weights;
    const int16_t *high, *low;
    const int16_t *flat; /* what sums of one value from -256 to 255 are cut to, or NULL */
    double divisor;
    int fold, wrap, fraction;
    int doubtful; /* 0 where the sums are exact */
    int negative; /* 0 where no sum is less than 0 */
} fixed_terms;

#if STENCIL_HAS_VECTORS
#define FIXED_LANES ((ptrdiff_t)(STENCIL_VECTOR_BYTES / sizeof(int16_t)))
#define FIXED_VECTORS 2
#define FIXED_STEP (FIXED_VECTORS * FIXED_LANES)
#define FIXED_DOUBLES ((ptrdiff_t)(STENCIL_VECTOR_BYTES / sizeof(double)))
typedef int16_t fixed_short __attribute__((vector_size(STENCIL_VECTOR_BYTES), may_alias));
typedef int32_t fixed_long __attribute__((vector_size(STENCIL_VECTOR_BYTES), may_alias));
typedef int16_t fixed_short_any
    __attribute__((vector_size(STENCIL_VECTOR_BYTES), aligned(sizeof(int16_t)), may_alias));
#define FIXED_BYTES(type, lanes) \
    __attribute__((vector_size((lanes) * sizeof(type)), aligned(sizeof(type)), may_alias))
typedef uint8_t fixed_uint8s FIXED_BYTES(uint8_t, STENCIL_VECTOR_BYTES / 2);
typedef int8_t fixed_int8s FIXED_BYTES(int8_t, STENCIL_VECTOR_BYTES / 2);
typedef uint8_t fixed_few_uint8s FIXED_BYTES(uint8_t, STENCIL_VECTOR_BYTES / 8);
typedef int8_t fixed_few_int8s FIXED_BYTES(int8_t, STENCIL_VECTOR_BYTES / 8);
typedef int16_t fixed_few_shorts FIXED_BYTES(int16_t, STENCIL_VECTOR_BYTES / 8);
typedef int32_t fixed_few_longs FIXED_BYTES(int32_t, STENCIL_VECTOR_BYTES / 8);

/* Pairs of 16 bits: a and b interleaved, in two vectors; the sums of products of such pairs; and
   two vectors of 32 bits packed in the order in which `FIXED_PAIRS` took them apart. */
#if defined(__AVX512BW__) || defined(__AVX2__) || defined(__SSE2__)
#if defined(__AVX512BW__)
#define FIXED_INTRINSIC(name) _mm512_##name
typedef __m512i fixed_register;
#elif defined(__AVX2__)
#define FIXED_INTRINSIC(name) _mm256_##name
typedef __m256i fixed_register;
#else
#define FIXED_INTRINSIC(name) _mm_##name
typedef __m128i fixed_register;
#endif
#define FIXED_CALL(name, a, b) FIXED_INTRINSIC(name)((fixed_register)(a), (fixed_register)(b))
#define FIXED_PAIRS_0(a, b) FIXED_CALL(unpacklo_epi16, a, b)
#define FIXED_PAIRS_1(a, b) FIXED_CALL(unpackhi_epi16, a, b)
#define FIXED_PRODUCTS(pairs, weights) ((fixed_long)FIXED_CALL(madd_epi16, pairs, weights))
#define FIXED_PACK(a, b) ((fixed_short)FIXED_CALL(packs_epi32, a, b))
#else
#define FIXED_PAIRS_0(a, b) (((fixed_long)(a) & 0xffff) | ((fixed_long)(b) << 16))
#define FIXED_PAIRS_1(a, b) \
    (((fixed_long)(a) >> 16 & 0xffff) | ((fixed_long)(b) & (int32_t)0xffff0000))
#define FIXED_PRODUCTS(pairs, weights)                                                       \
    (((pairs) >> 16) * ((fixed_long)(weights) >> 16) +                                       \
     ((pairs) << 16 >> 16) * ((fixed_long)(weights) << 16 >> 16))
#define FIXED_PACK(a, b) ((fixed_short)FIXED_PAIRS_0(a, b))
#endif

STENCIL_INLINE int fixed_any(fixed_long bits) {
#if defined(__AVX512BW__)
    return _mm512_test_epi32_mask((__m512i)bits, (__m512i)bits) != 0;
#elif defined(__AVX2__)
    return !_mm256_testz_si256((__m256i)bits, (__m256i)bits);
#else
    int32_t any = 0;
    for (size_t i = 0; i < STENCIL_VECTOR_BYTES / sizeof any; i++) any |= bits[i];
    return any != 0;
#endif
}

/* Two neighbouring weights, as often as they fit. */
STENCIL_INLINE fixed_short fixed_weights(const int16_t *two) {
    int32_t both;
    memcpy(&both, two, sizeof both);
    return (fixed_short)((fixed_long){0} + both);
}

STENCIL_INLINE fixed_short fixed_load(const char *row, ptrdiff_t j, int kind) {
    if (kind == FIXED_UINT8)
        return __builtin_convertvector(*(const fixed_uint8s *)(row + j), fixed_short);
    if (kind == FIXED_INT8)
        return __builtin_convertvector(*(const fixed_int8s *)(row + j), fixed_short);
    return *(const fixed_short_any *)((const int16_t *)row + j);
}

STENCIL_INLINE fixed_short fixed_term(const char *a, const char *b, ptrdiff_t j, int kind,
                                      int fold) {
    const fixed_short sample = fixed_load(a, j, kind);
    if (fold == FIXED_SUMS) return sample + fixed_load(b, j, kind);
    if (fold == FIXED_DIFFERENCES) return sample - fixed_load(b, j, kind);
    return sample;
}

/* The sums from sample j on, in units of 2^-fraction, as `FIXED_PAIRS` takes them apart. */
STENCIL_INLINE void fixed_sums(const fixed_terms *t, const char *const *a, const char *const *b,
                               ptrdiff_t j, int kind, int fold, fixed_long *sums) {
    fixed_long low[2 * FIXED_VECTORS];
    for (int i = 0; i < 2 * FIXED_VECTORS; i++) sums[i] = low[i] = (fixed_long){0};
    if (fold == FIXED_MEAN) {
        fixed_short total[FIXED_VECTORS] = {{0}};
        const fixed_short zero = {0};
        const fixed_short high = fixed_weights(t->high), rest = fixed_weights(t->low);
        for (ptrdiff_t k = 0; k < t->n_all; k++)
            for (int i = 0; i < FIXED_VECTORS; i++)
                total[i] = total[i] + fixed_load(a[k], j + i * FIXED_LANES, kind);
        for (int i = 0; i < FIXED_VECTORS; i++) {
            sums[2 * i] = FIXED_PRODUCTS(FIXED_PAIRS_0(total[i], zero), high);
            sums[2 * i + 1] = FIXED_PRODUCTS(FIXED_PAIRS_1(total[i], zero), high);
            low[2 * i] = FIXED_PRODUCTS(FIXED_PAIRS_0(total[i], zero), rest);
            low[2 * i + 1] = FIXED_PRODUCTS(FIXED_PAIRS_1(total[i], zero), rest);
        }
    } else {
        for (ptrdiff_t k = 0; k < t->n; k += 2) {
            const fixed_short high = fixed_weights(t->high + k), rest = fixed_weights(t->low + k);
            for (int i = 0; i < FIXED_VECTORS; i++) {
                const ptrdiff_t at = j + i * FIXED_LANES;
                const fixed_short first = fixed_term(a[k], b[k], at, kind, fold);
                const fixed_short second = fixed_term(a[k + 1], b[k + 1], at, kind, fold);
                sums[2 * i] += FIXED_PRODUCTS(FIXED_PAIRS_0(first, second), high);
                sums[2 * i + 1] += FIXED_PRODUCTS(FIXED_PAIRS_1(first, second), high);
                low[2 * i] += FIXED_PRODUCTS(FIXED_PAIRS_0(first, second), rest);
                low[2 * i + 1] += FIXED_PRODUCTS(FIXED_PAIRS_1(first, second), rest);
            }
        }
    }
    for (int i = 0; i < 2 * FIXED_VECTORS; i++) sums[i] += low[i] >> 15;
}

STENCIL_INLINE vec_double fixed_double(const char *row, ptrdiff_t j, int kind) {
    if (kind == FIXED_UINT8)
        return __builtin_convertvector(*(const fixed_few_uint8s *)(row + j), vec_double);
    if (kind == FIXED_INT8)
        return __builtin_convertvector(*(const fixed_few_int8s *)(row + j), vec_double);
    return __builtin_convertvector(*(const fixed_few_shorts *)((const int16_t *)row + j),
                                   vec_double);
}

/* The same, cut, by the definition. */
STENCIL_INLINE void fixed_exact(const fixed_terms *t, const char *const *a, const char *const *b,
                                ptrdiff_t j, int kind, int fold, fixed_short *y) {
    for (ptrdiff_t at = 0; at < FIXED_STEP; at += FIXED_DOUBLES) {
        vec_double sum = splat_double(0);
        for (ptrdiff_t k = 0; k < t->n_all; k++) {
            vec_double sample = fixed_double(a[k], j + at, kind);
            if (k >= t->n_singles) {
                if (fold == FIXED_SUMS) sample = sample + fixed_double(b[k], j + at, kind);
                if (fold == FIXED_DIFFERENCES) sample = sample - fixed_double(b[k], j + at, kind);
            }
            sample = sample * splat_double(t->weights[k]);
            ROUNDED(sample);
            sum = sum + sample;
        }
        *(fixed_few_shorts *)((int16_t *)y + at) =
            __builtin_convertvector(__builtin_convertvector(sum, fixed_few_longs),
                                    fixed_few_shorts);
    }
}

/* Whether each output in doubt, from j on, reads samples of one value: what these are cut to. */
STENCIL_INLINE int fixed_flat(const fixed_terms *t, const char *const *a, const char *const *b,
                              ptrdiff_t j, int kind, int fold, const fixed_short *doubts,
                              fixed_short *y) {
    if (t->flat == NULL) return 0;
    fixed_short value[FIXED_VECTORS], apart[FIXED_VECTORS], left = {0}, others = {0};
    for (int i = 0; i < FIXED_VECTORS; i++) {
        value[i] = fixed_load(a[0], j + i * FIXED_LANES, kind);
        apart[i] = (fixed_short){0};
    }
    for (ptrdiff_t k = 0; k < t->n; k++)
        for (int i = 0; i < FIXED_VECTORS; i++) {
            apart[i] |= fixed_load(a[k], j + i * FIXED_LANES, kind) - value[i];
            if (fold == FIXED_SUMS || fold == FIXED_DIFFERENCES)
                apart[i] |= fixed_load(b[k], j + i * FIXED_LANES, kind) - value[i];
        }
    for (int i = 0; i < FIXED_VECTORS; i++) {
        left |= (apart[i] != 0) & doubts[i];
        others |= apart[i] | (value[i] - value[0][0]);
    }
    if (fixed_any((fixed_long)left)) return 0;
    if (!fixed_any((fixed_long)others)) {
        for (int i = 0; i < FIXED_VECTORS; i++)
            y[i] = (fixed_short){0} + t->flat[(value[0][0] + 256) & 511];
        return 1;
    }
    for (int i = 0; i < FIXED_VECTORS; i++) {
        int16_t known[FIXED_LANES]; /* of lanes behind the last output, anything */
        for (int c = 0; c < FIXED_LANES; c++) known[c] = t->flat[(value[i][c] + 256) & 511];
        y[i] = (y[i] & ~doubts[i]) | (*(const fixed_short_any *)known & doubts[i]);
    }
    return 1;
}

STENCIL_INLINE void fixed_tile(const fixed_terms *t, const char *const *a, const char *const *b,
                               ptrdiff_t j, int kind, int fold, fixed_short *y) {
    const int32_t below = (int32_t)(((uint32_t)1 << t->fraction) - 1);
    fixed_long sums[2 * FIXED_VECTORS], near_whole[2 * FIXED_VECTORS], any = {0};
    fixed_short doubts[FIXED_VECTORS];
    fixed_sums(t, a, b, j, kind, fold, sums);
    for (int i = 0; i < 2 * FIXED_VECTORS; i++) {
        const fixed_long near = (sums[i] + 1) & ~1; /* 0 fraction: a whole number, or one beside */
        near_whole[i] = ((near & below) == 0) & (near != 0);
        any |= near_whole[i];
        if (t->negative) sums[i] += (sums[i] >> 31) & below;
        sums[i] >>= t->fraction;
    }
    for (int i = 0; i < FIXED_VECTORS; i++) y[i] = FIXED_PACK(sums[2 * i], sums[2 * i + 1]);
    if (fold != FIXED_MEAN && t->doubtful && fixed_any(any)) {
        for (int i = 0; i < FIXED_VECTORS; i++)
            doubts[i] = FIXED_PACK(near_whole[2 * i], near_whole[2 * i + 1]);
        if (!fixed_flat(t, a, b, j, kind, fold, doubts, y))
            fixed_exact(t, a, b, j, kind, fold, y);
    }
    for (int i = 0; i < FIXED_VECTORS; i++) {
        if (t->wrap == FIXED_WRAP_UINT8) y[i] = y[i] & 255;
        if (t->wrap == FIXED_WRAP_INT8) y[i] = y[i] << 8 >> 8;
        if (t->wrap == FIXED_TRUTH) y[i] = (y[i] != 0) & 1;
    }
}

STENCIL_INLINE void fixed_store(const fixed_short *y, char *out, ptrdiff_t j, int bytes) {
    for (int i = 0; i < FIXED_VECTORS; i++) {
        const ptrdiff_t at = j + i * FIXED_LANES;
        if (bytes) *(fixed_uint8s *)(out + at) = __builtin_convertvector(y[i], fixed_uint8s);
        else *(fixed_short_any *)((int16_t *)out + at) = y[i];
    }
}

STENCIL_INLINE void fixed_run(const fixed_terms *t, const char *const *a, const char *const *b,
                              ptrdiff_t n, char *out, int bytes, int kind, int fold) {
    fixed_short y[FIXED_VECTORS];
    for (ptrdiff_t j = 0; j < n; j += FIXED_STEP) {
        if (j > n - FIXED_STEP && n > FIXED_STEP) j = n - FIXED_STEP; /* some once more */
        fixed_tile(t, a, b, j, kind, fold, y);
        fixed_store(y, out, j, bytes);
    }
}

#define FIXED_NAME(kind, fold) fixed_row_##kind##_##fold
#define FIXED_ROW(kind, fold)                                                                \
    STENCIL_NOINLINE void FIXED_NAME(kind, fold)(                                            \
        const fixed_terms *t, const char *const *a, const char *const *b, ptrdiff_t n,       \
        char *out, int bytes) {                                                              \
        fixed_run(t, a, b, n, out, bytes, kind, fold);                                       \
    }
#else
#define FIXED_STEP ((ptrdiff_t)1)

static int fixed_sample(const char *row, ptrdiff_t j, int kind) {
    if (kind == FIXED_UINT8) return ((const uint8_t *)row)[j];
    if (kind == FIXED_INT8) return ((const int8_t *)row)[j];
    return ((const int16_t *)row)[j];
}

/* Without vectors, by the definition. */
STENCIL_INLINE void fixed_run(const fixed_terms *t, const char *const *a, const char *const *b,
                              ptrdiff_t n, char *out, int bytes, int kind, int fold) {
    for (ptrdiff_t j = 0; j < n; j++) {
        double sum = 0;
        for (ptrdiff_t k = 0; k < t->n_all; k++) {
            int sample = fixed_sample(a[k], j, kind);
            if (fold == FIXED_SUMS && k >= t->n_singles) sample += fixed_sample(b[k], j, kind);
            if (fold == FIXED_DIFFERENCES && k >= t->n_singles)
                sample -= fixed_sample(b[k], j, kind);
            const volatile double product = sample * t->weights[k];
            sum += product;
        }
        int y = (int)(sum / t->divisor);
        if (t->wrap == FIXED_WRAP_UINT8) y = (uint8_t)y;
        if (t->wrap == FIXED_WRAP_INT8) y = (int8_t)y;
        if (t->wrap == FIXED_TRUTH) y = y != 0;
        if (bytes) out[j] = (char)y;
        else ((int16_t *)out)[j] = (int16_t)y;
    }
}
#define FIXED_NAME(kind, fold) fixed_row_##kind##_##fold
#define FIXED_ROW(kind, fold)                                                                \
    static void FIXED_NAME(kind, fold)(const fixed_terms *t, const char *const *a,           \
                                       const char *const *b, ptrdiff_t n, char *out,         \
                                       int bytes) {                                          \
        fixed_run(t, a, b, n, out, bytes, kind, fold);                                       \
    }
#endif

#define FIXED_EACH_FOLD(X, kind) \
    X(kind, FIXED_SINGLES) X(kind, FIXED_SUMS) X(kind, FIXED_DIFFERENCES) X(kind, FIXED_MEAN)
FIXED_EACH_FOLD(FIXED_ROW, FIXED_UINT8)
FIXED_EACH_FOLD(FIXED_ROW, FIXED_INT8)
FIXED_EACH_FOLD(FIXED_ROW, FIXED_INT16)

/* Writes n outputs of 8 bits (`bytes`), or of 16: out[i] from samples i of the rows in a and b.
   Fewer than FIXED_STEP outputs are made as a whole step: rows and out have room for it. */
typedef void (*fixed_row)(const fixed_terms *t, const char *const *a, const char *const *b,
                          ptrdiff_t n, char *out, int bytes);
#define FIXED_ENTRY(kind, fold) FIXED_NAME(kind, fold),
static const fixed_row fixed_rows[3][4] = {{FIXED_EACH_FOLD(FIXED_ENTRY, FIXED_UINT8)},
                                           {FIXED_EACH_FOLD(FIXED_ENTRY, FIXED_INT8)},
                                           {FIXED_EACH_FOLD(FIXED_ENTRY, FIXED_INT16)}};

/* y[i] = x[i], of samples of 8 bits. */
static void fixed_widen(const char *x, int kind, ptrdiff_t n, int16_t *RESTRICT y) {
    if (kind == FIXED_UINT8)
        for (ptrdiff_t i = 0; i < n; i++) y[i] = ((const uint8_t *)x)[i];
    else
        for (ptrdiff_t i = 0; i < n; i++) y[i] = ((const int8_t *)x)[i];
}

/* y[i] = x[i], an integer of so many bytes. */
static void fixed_emit(const int16_t *RESTRICT x, ptrdiff_t n, char *y, ptrdiff_t item) {
    if (item == 1)
        for (ptrdiff_t i = 0; i < n; i++) y[i] = (char)x[i];
    else if (item == 2)
        memcpy(y, x, n * sizeof *x);
    else if (item == 4)
        for (ptrdiff_t i = 0; i < n; i++) ((int32_t *)y)[i] = x[i];
    else
        for (ptrdiff_t i = 0; i < n; i++) ((int64_t *)y)[i] = x[i];
}

/* y[i] = ⌊√((y[i]² + Σ_k x_k[i]²) mod 256)⌋. */
static void fixed_roots(const uint8_t *const *x, ptrdiff_t count, ptrdiff_t n,
                        uint8_t *RESTRICT y) {
    for (ptrdiff_t i = 0; i < n; i++) y[i] = (uint8_t)(y[i] * y[i]);
    for (ptrdiff_t k = 0; k < count; k++) {
        const uint8_t *row = x[k];
        for (ptrdiff_t i = 0; i < n; i++) y[i] = (uint8_t)(y[i] + row[i] * row[i]);
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        const uint8_t square = y[i];
        uint8_t root = 0;
        STENCIL_UNROLL for (int r = 1; r < 16; r++) root += square >= r * r;
        y[i] = root;
    }
}
