/* s[n] = p s[n − 1] + x[n], y[n] = Re Σ_k c_k s_k[n] on lines side by side: two pairs of conjugate
   poles and a real one, five numbers of state for each line.

   The state of a pair is a complex number that its pole turns and shrinks, so that a rounding
   error decays as fast as the signal does; one polynomial of all poles would multiply the error
   by about the fourth power of the width. */
#pragma once
#include "stencil.h"
#include "transpose.h"

/* Vectors of lines that go abreast: the loop of one waits for its own products. */
#define RECURSIVE_VECTORS 2
/* Numbers of state; of the tables: Re and Im of the first pair, of the second, the real one. */
#define RECURSIVE_STATES 5
/* Samples between which states that have decayed to nothing become zero, before they would be
   subnormal and slow: in so many, those of σ ≥ 2 decay by less than 2^-45. */
#define RECURSIVE_BLOCK 32

/* What `recursive_run` does for each sample. */
enum recursive_part {
    RECURSIVE_ADVANCE, /* takes the sample */
    RECURSIVE_CAUSAL,  /* takes the sample, then writes y */
    RECURSIVE_ANTI,    /* adds y to the sum, writes that, then takes the sample */
    RECURSIVE_ANTI_FAR /* the same, written past the cache: whole lines of it */
};

#define SCALAR float
#define BITS uint32_t
#define SUFFIX(name) name##_float
#define RECURSIVE_TINY 0x1p-100f
#include "recursive_lines.h"
#undef SCALAR
#undef BITS
#undef SUFFIX
#undef RECURSIVE_TINY

#define SCALAR double
#define BITS uint64_t
#define SUFFIX(name) name##_double
#define RECURSIVE_TINY 0x1p-960
#include "recursive_lines.h"
#undef SCALAR
#undef BITS
#undef SUFFIX
#undef RECURSIVE_TINY
