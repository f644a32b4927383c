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

#define SCALAR float
#define SUFFIX(name) fft_##name##_float
#define SUFFIX_BLOCK 4 /* scalars of 128 bits */
#define SUFFIX_WORD uint32_t /* of a scalar's bits */
#include "fft_passes.h"
#undef SCALAR
#undef SUFFIX
#undef SUFFIX_BLOCK
#undef SUFFIX_WORD

#define SCALAR double
#define SUFFIX(name) fft_##name##_double
#define SUFFIX_BLOCK 2
#define SUFFIX_WORD uint64_t
#include "fft_passes.h"
#undef SCALAR
#undef SUFFIX
#undef SUFFIX_BLOCK
#undef SUFFIX_WORD
