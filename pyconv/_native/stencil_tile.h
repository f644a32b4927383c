/* The tiles of stencil.h for one SCALAR type; included once for each. */

#if STENCIL_HAS_VECTORS
typedef SCALAR SUFFIX(vec) __attribute__((vector_size(STENCIL_VECTOR_BYTES), may_alias));
typedef SCALAR SUFFIX(vec_any)
    __attribute__((vector_size(STENCIL_VECTOR_BYTES), aligned(sizeof(SCALAR)), may_alias));
#define VEC SUFFIX(vec)
STENCIL_INLINE VEC SUFFIX(load)(const SCALAR *p) { return *(const SUFFIX(vec_any) *)p; }
STENCIL_INLINE VEC SUFFIX(splat)(SCALAR s) { return s - (VEC){0}; }
#if defined(STENCIL_FUSED) && !defined(SCALAR_IS_INTEGER)
STENCIL_INLINE VEC SUFFIX(multiply_add)(VEC sum, VEC a, VEC b) {
    return (VEC)SUFFIX(STENCIL_FUSED)(sum, a, b);
}
#else
STENCIL_INLINE VEC SUFFIX(multiply_add)(VEC sum, VEC a, VEC b) { return sum + a * b; }
#endif
STENCIL_INLINE VEC SUFFIX(plus)(VEC a, VEC b) { return a + b; }
STENCIL_INLINE VEC SUFFIX(minus)(VEC a, VEC b) { return a - b; }
STENCIL_INLINE void SUFFIX(store)(SCALAR *p, VEC v) { *(SUFFIX(vec_any) *)p = v; }
#ifndef SCALAR_IS_INTEGER
STENCIL_INLINE STENCIL_LIKELY_UNUSED VEC SUFFIX(over)(VEC a, VEC b) { return a / b; }
/* a · (whole / b), NaN where |b| is not above `least`. */
STENCIL_INLINE VEC SUFFIX(quotient)(VEC a, VEC b, SCALAR whole, SCALAR least) {
    const VEC share = a * (SUFFIX(splat)(whole) / b);
    const __typeof__(a < b) big = (b > least) | (-b > least);
    return (VEC)(((__typeof__(a < b))share & big) |
                 ((__typeof__(a < b))SUFFIX(splat)((SCALAR)NAN) & ~big));
}
#endif
/* The compiler would keep one address for each row and spill them: hide where they come from. */
#define OPAQUE(pointer) __asm__("" : "+r"(pointer))
#else
typedef struct {
    SCALAR lane[STENCIL_VECTOR_BYTES / sizeof(SCALAR)];
} SUFFIX(vec);
#define VEC SUFFIX(vec)
STENCIL_INLINE VEC SUFFIX(load)(const SCALAR *p) {
    VEC v;
    STENCIL_EACH_LANE(i) v.lane[i] = p[i];
    return v;
}
STENCIL_INLINE VEC SUFFIX(splat)(SCALAR s) {
    VEC v;
    STENCIL_EACH_LANE(i) v.lane[i] = s;
    return v;
}
STENCIL_INLINE VEC SUFFIX(multiply_add)(VEC sum, VEC a, VEC b) {
    STENCIL_EACH_LANE(i) sum.lane[i] += a.lane[i] * b.lane[i];
    return sum;
}
STENCIL_INLINE VEC SUFFIX(plus)(VEC a, VEC b) {
    STENCIL_EACH_LANE(i) a.lane[i] += b.lane[i];
    return a;
}
STENCIL_INLINE VEC SUFFIX(minus)(VEC a, VEC b) {
    STENCIL_EACH_LANE(i) a.lane[i] -= b.lane[i];
    return a;
}
STENCIL_INLINE void SUFFIX(store)(SCALAR *p, VEC v) {
    STENCIL_EACH_LANE(i) p[i] = v.lane[i];
}
#ifndef SCALAR_IS_INTEGER
STENCIL_INLINE STENCIL_LIKELY_UNUSED VEC SUFFIX(over)(VEC a, VEC b) {
    STENCIL_EACH_LANE(i) a.lane[i] /= b.lane[i];
    return a;
}
STENCIL_INLINE VEC SUFFIX(quotient)(VEC a, VEC b, SCALAR whole, SCALAR least) {
    STENCIL_EACH_LANE(i)
        a.lane[i] = b.lane[i] > least || -b.lane[i] > least ? a.lane[i] * (whole / b.lane[i])
                                                            : (SCALAR)NAN;
    return a;
}
#endif
#define OPAQUE(pointer) (void)(pointer)
#endif

STENCIL_INLINE void SUFFIX(stream)(SCALAR *p, VEC v) {
#if STENCIL_HAS_STREAM && defined(__AVX512F__)
    _mm512_stream_si512((__m512i *)p, (__m512i)v);
#elif STENCIL_HAS_STREAM && defined(__AVX2__)
    _mm256_stream_si256((__m256i *)p, (__m256i)v);
#elif STENCIL_HAS_STREAM
    _mm_stream_si128((__m128i *)p, (__m128i)v);
#else
    SUFFIX(store)(p, v);
#endif
}

/* Copy a row past the cache: whole vectors where they are aligned, the ends as they are. */
STENCIL_INLINE STENCIL_LIKELY_UNUSED void SUFFIX(stream_row)(SCALAR *out, const SCALAR *in,
                                                             ptrdiff_t n) {
#if STENCIL_HAS_STREAM
    for (; n > 0 && (uintptr_t)out % STENCIL_VECTOR_BYTES; n--) *out++ = *in++;
    for (; n >= LANES; n -= LANES, in += LANES, out += LANES)
        SUFFIX(stream)(out, SUFFIX(load)(in));
#endif
    memcpy(out, in, (size_t)n * sizeof(SCALAR));
}

/* A row of n samples; short ones are many, and memcpy is a call for each. */
STENCIL_INLINE STENCIL_LIKELY_UNUSED void SUFFIX(copy_row)(SCALAR *out, const SCALAR *in,
                                                           ptrdiff_t n) {
    if (n < LANES) {
        if (2 * n < LANES) {
            for (ptrdiff_t i = 0; i < n; i++) out[i] = in[i];
            return;
        }
        memcpy(out, in, LANES / 2 * sizeof(SCALAR)); /* two halves, which overlap */
        memcpy(out + n - LANES / 2, in + n - LANES / 2, LANES / 2 * sizeof(SCALAR));
        return;
    }
    for (ptrdiff_t i = 0; i < n - LANES; i += LANES) {
        VEC v = SUFFIX(load)(in + i);
        STENCIL_HOLD(v); /* or the compiler makes it a call again */
        SUFFIX(store)(out + i, v);
    }
    SUFFIX(store)(out + n - LANES, SUFFIX(load)(in + n - LANES));
}

/* Rows of n samples; in_row is in bytes. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void SUFFIX(copy_rows)(SCALAR *out, ptrdiff_t out_row,
                                                              const char *in, ptrdiff_t in_row,
                                                              ptrdiff_t rows, ptrdiff_t n) {
    for (; rows > 0; rows--, out += out_row, in += in_row)
        SUFFIX(copy_row)(out, (const SCALAR *)in, n);
}

/* Rows of n sums and a bias; sums are read by whole vectors, of which their rows have enough. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void SUFFIX(biased_rows)(SCALAR *out, ptrdiff_t out_row,
                                                                const SCALAR *sums,
                                                                ptrdiff_t sums_row, SCALAR bias,
                                                                ptrdiff_t rows, ptrdiff_t n) {
    const VEC spread = SUFFIX(splat)(bias);
    for (; rows > 0; rows--, out += out_row, sums += sums_row) {
        SCALAR last[STENCIL_VECTOR_BYTES / sizeof(SCALAR)];
        ptrdiff_t i = 0;
        for (; i + LANES <= n; i += LANES)
            SUFFIX(store)(out + i, SUFFIX(plus)(SUFFIX(load)(sums + i), spread));
        if (i == n) continue;
        if (i > 0) { /* the last vector overlaps the one before */
            i = n - LANES;
            SUFFIX(store)(out + i, SUFFIX(plus)(SUFFIX(load)(sums + i), spread));
            continue;
        }
        SUFFIX(store)(last, SUFFIX(plus)(SUFFIX(load)(sums + i), spread));
        SUFFIX(copy_row)(out + i, last, n - i);
    }
}

#define ROWS STENCIL_AREA_ROWS
#define VECTORS STENCIL_AREA_VECTORS
#define TILE SUFFIX(area)
#include "stencil_body.h"
#undef ROWS
#undef VECTORS
#undef TILE

#if STENCIL_HAS_FLAT
#define ROWS STENCIL_FLAT_ROWS
#define VECTORS STENCIL_FLAT_VECTORS
#define TILE SUFFIX(flat)
#include "stencil_body.h"
#undef ROWS
#undef VECTORS
#undef TILE
#else
STENCIL_INLINE STENCIL_LIKELY_UNUSED void SUFFIX(flat)(
    const SCALAR *x, ptrdiff_t pitch, const stencil_segment *segments, ptrdiff_t n_segments,
    const SCALAR *w, SCALAR *y, ptrdiff_t y_pitch, int streaming) {
    SUFFIX(area)(x, pitch, segments, n_segments, w, y, y_pitch, streaming);
}
#endif

#define ROWS STENCIL_LINE_ROWS
#define VECTORS 1
#define TILE SUFFIX(line)
#include "stencil_body.h"
#undef ROWS
#undef VECTORS
#undef TILE

#ifndef SCALAR_IS_INTEGER
#define QUOTIENT
#define ROWS STENCIL_AREA_ROWS
#define VECTORS STENCIL_AREA_VECTORS
#define TILE SUFFIX(area_quotient)
#include "stencil_body.h"
#undef ROWS
#undef VECTORS
#undef TILE

#define ROWS STENCIL_LINE_ROWS
#define VECTORS 1
#define TILE SUFFIX(line_quotient)
#include "stencil_body.h"
#undef ROWS
#undef VECTORS
#undef TILE
#undef QUOTIENT
#endif

#include "columns_body.h"

#undef VEC
#undef OPAQUE
