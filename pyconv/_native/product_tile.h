/* The tiles of product.h for one SCALAR type; included once for each. */

#define VEC SUFFIX(vec)
#define WORD SUFFIX(word)
#if STENCIL_HAS_VECTORS
#define LANE(words, i) (words)[i]
#else
#define LANE(words, i) (words).lane[i]
#endif
#define COLS STENCIL_AREA_VECTORS

#if STENCIL_HAS_VECTORS && defined(__GNUC__)
#define OPAQUE(pointer) __asm__("" : "+r"(pointer))
#else
#define OPAQUE(pointer) (void)(pointer)
#endif
#define EACH(c) STENCIL_UNROLL for (int c = 0; c < COLS; c++)

#define SAMPLE SCALAR
#define LOAD(p) SUFFIX(load)(p)
#define STORE(p, v) SUFFIX(store)(p, v)
#define STREAM(p, v) SUFFIX(stream)(p, v)
#define NAMED(name) SUFFIX(name)
#include "product_kinds.h"
#undef SAMPLE
#undef LOAD
#undef STORE
#undef STREAM
#undef NAMED

#ifdef SCALAR_IS_DOUBLE
/* Samples and results of float: a vector of sums is made of half a vector of them. GCC 12 makes two
   conversions of one of 64 bytes, and of one of 32. */
#if STENCIL_HAS_STREAM && defined(__AVX512F__)
STENCIL_INLINE VEC SUFFIX(widened)(const float *p) {
    return (VEC)_mm512_cvtps_pd(_mm256_loadu_ps(p));
}
STENCIL_INLINE void SUFFIX(store_half)(float *p, VEC v) {
    _mm256_storeu_ps(p, _mm512_cvtpd_ps((__m512d)v));
}
#elif STENCIL_HAS_STREAM && defined(__AVX2__)
STENCIL_INLINE VEC SUFFIX(widened)(const float *p) {
    return (VEC)_mm256_cvtps_pd(_mm_loadu_ps(p));
}
STENCIL_INLINE void SUFFIX(store_half)(float *p, VEC v) {
    _mm_storeu_ps(p, _mm256_cvtpd_ps((__m256d)v));
}
#elif STENCIL_HAS_VECTORS
typedef float SUFFIX(half)
    __attribute__((vector_size(STENCIL_VECTOR_BYTES / 2), aligned(sizeof(float)), may_alias));
STENCIL_INLINE VEC SUFFIX(widened)(const float *p) {
    return __builtin_convertvector(*(const SUFFIX(half) *)p, VEC);
}
STENCIL_INLINE void SUFFIX(store_half)(float *p, VEC v) {
    *(SUFFIX(half) *)p = __builtin_convertvector(v, SUFFIX(half));
}
#else
STENCIL_INLINE VEC SUFFIX(widened)(const float *p) {
    VEC v;
    STENCIL_EACH_LANE(i) v.lane[i] = p[i];
    return v;
}
STENCIL_INLINE void SUFFIX(store_half)(float *p, VEC v) {
    STENCIL_EACH_LANE(i) p[i] = (float)v.lane[i];
}
#endif
STENCIL_INLINE void SUFFIX(stream_half)(float *p, VEC v) {
#if STENCIL_HAS_STREAM && defined(__AVX512F__)
    _mm256_stream_si256((__m256i *)p, (__m256i)_mm512_cvtpd_ps((__m512d)v));
#elif STENCIL_HAS_STREAM && defined(__AVX2__)
    _mm_stream_si128((__m128i *)p, (__m128i)_mm256_cvtpd_ps((__m256d)v));
#else
    SUFFIX(store_half)(p, v);
#endif
}

#define SAMPLE float
#define LOAD(p) SUFFIX(widened)(p)
#define STORE(p, v) SUFFIX(store_half)(p, v)
#define STREAM(p, v) SUFFIX(stream_half)(p, v)
#define NAMED(name) SUFFIX(wide_##name)
#include "product_kinds.h"
#undef SAMPLE
#undef LOAD
#undef STORE
#undef STREAM
#undef NAMED
#endif

#undef OPAQUE
#undef EACH
#undef COLS
#undef LANE
#undef WORD
#undef VEC
