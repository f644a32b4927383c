/* y₁ + i·y₂ = ifft(fft(x₁ + i·x₂) · H): the passes over an overlap-save tile.

   The spectrum H of a real kernel multiplies both parts alike, so two real tiles make one complex
   tile and no pass knows of real transforms. The forward transform decimates in frequency and
   leaves its output in another order; the inverse decimates in time and starts from that order:
   nothing is ever reversed. The inverse is the forward arithmetic with the parts swapped.

   A tile lies in panels of LANES columns: point (row, column) is lane column % LANES of element
   `row` of panel column / LANES, and an element is LANES real parts, then LANES imaginary ones. A
   panel is transformed along its column where it lies. LANES rows at a time are transposed into a
   row buffer, transformed, multiplied, transformed back and transposed back. */
#pragma once
#include "stencil.h"

/* Without vector types and their shuffles a vector is one lane: plain C, the same passes. */
#define FFT_HAS_VECTORS 0
#if STENCIL_HAS_VECTORS && defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#undef FFT_HAS_VECTORS
#define FFT_HAS_VECTORS 1
#endif
#endif

/* A length is the product of these radices and a last radix of 8. */
#define FFT_MOST_STAGES 3
typedef struct {
    ptrdiff_t n;
    ptrdiff_t stages;
    ptrdiff_t radix[FFT_MOST_STAGES];
    /* Of stage k: exp(−2πi·j·m / span) for j < span / radix and 0 < m < radix. */
    const void *twiddles[FFT_MOST_STAGES];
} fft_length;

/* Rows of samples that go into a tile at once. */
#define FFT_ROWS 4

/* a[i] ← the bits of a[i] and of a[i + apart], for i < n; apart > 0. Vectors read ahead of what they
   write, whatever lies between. */
static void fft_unite(unsigned char *a, ptrdiff_t n, ptrdiff_t apart) {
    ptrdiff_t i = 0;
#if FFT_HAS_VECTORS
    typedef unsigned char bytes __attribute__((vector_size(STENCIL_VECTOR_BYTES)));
    for (; i + STENCIL_VECTOR_BYTES <= n; i += STENCIL_VECTOR_BYTES) {
        bytes here, there;
        memcpy(&here, a + i, sizeof here);
        memcpy(&there, a + i + apart, sizeof there);
        here |= there;
        memcpy(a + i, &here, sizeof here);
    }
#endif
    for (; i < n; i++) a[i] |= a[i + apart];
}

/* a[i] ← the bits of all a[i + u·step], u < taps, for i < n; what lies behind n is room. */
static void fft_reach(unsigned char *a, ptrdiff_t n, ptrdiff_t step, ptrdiff_t taps) {
    for (ptrdiff_t have = 1; have < taps;) {
        const ptrdiff_t shift = have < taps - have ? have : taps - have;
        fft_unite(a, n + step * (taps - have - shift), shift * step);
        have += shift;
    }
}

/* Lower the classes 3 of outputs to 1 where that of the core is; returns how many are 1. */
static ptrdiff_t fft_count_quiet(unsigned char *classes, const unsigned char *core, ptrdiff_t n) {
    unsigned char any = 0;
    ptrdiff_t quiet = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        classes[i] = classes[i] == 3 && core[i] == 1 ? 1 : classes[i];
        any |= (unsigned char)(classes[i] == 1);
    }
    if (!any) return 0;
    for (ptrdiff_t i = 0; i < n; i++) quiet += classes[i] == 1;
    return quiet;
}

#define SCALAR float
#define SUFFIX(name) fft_##name##_float
#define SUFFIX_BLOCK 4 /* scalars of 128 bits */
#define SUFFIX_WORD uint32_t /* of a scalar's bits */
#define SUFFIX_SIGNED int32_t
#define SUFFIX_MANTISSA 23   /* bits below the exponent */
#include "fft_passes.h"
#undef SCALAR
#undef SUFFIX
#undef SUFFIX_BLOCK
#undef SUFFIX_WORD
#undef SUFFIX_SIGNED
#undef SUFFIX_MANTISSA

#define SCALAR double
#define SUFFIX(name) fft_##name##_double
#define SUFFIX_BLOCK 2
#define SUFFIX_WORD uint64_t
#define SUFFIX_SIGNED int64_t
#define SUFFIX_MANTISSA 52
#include "fft_passes.h"
#undef SCALAR
#undef SUFFIX
#undef SUFFIX_BLOCK
#undef SUFFIX_WORD
#undef SUFFIX_SIGNED
#undef SUFFIX_MANTISSA
