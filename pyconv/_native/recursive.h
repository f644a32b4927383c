/* s[n] = p s[n − 1] + x[n], y[n] = Re Σ_k c_k s_k[n] on lines side by side: two pairs of conjugate
   poles and a real one, five numbers of state for each line.

   The state of a pair is a complex number that its pole turns and shrinks, so that a rounding
   error decays as fast as the signal does; one polynomial of all poles would multiply the error
   by about the fourth power of the width. What the window leaves behind is taken out of the state
   again, p^R x[n − R], so that no sample counts beyond it but for roundings. */
#pragma once
#include "restrict.h"
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
    RECURSIVE_CAUSAL,  /* takes the sample, takes out what has left, then writes y */
    RECURSIVE_ANTI,    /* adds y to the sum, writes that, then takes the sample as well */
    RECURSIVE_ANTI_FAR /* the same, written past the cache: whole lines of it */
};

/* Samples that no recursion may meet together are filtered apart, in parts: of a line whose loudest
   sample would leave more in the states than a quiet window holds; of one that is too large or too
   small for the states; and what is not finite. These numbers say so, WIDTH of each for the lines of
   a panel. */
enum recursive_lines {
    RECURSIVE_APART,   /* 1 for a line of parts, else 0 */
    RECURSIVE_ODD,     /* 1 for a line with NaN or infinity, else 0 */
    RECURSIVE_FLOOR,   /* magnitudes of the part: from this on, */
    RECURSIVE_CEILING, /* and below this */
    RECURSIVE_SCALE,   /* a power of two that is multiplied to its samples, */
    RECURSIVE_BACK,    /* and one that is multiplied to its results */
    RECURSIVE_NEXT,    /* the largest magnitude below the part, 0 if there is none */
    RECURSIVE_NUMBERS
};

/* Scales are 2^-e, with e within these: both that and 2^e are normal numbers. */
#define SCALAR float
#define COUNT int32_t
#define BITS uint32_t
#define SUFFIX(name) name##_float
#define RECURSIVE_TINY 0x1p-100f
#define MIN_EXPONENT (-126)
#define MAX_EXPONENT 100
#include "recursive_lines.h"
#undef SCALAR
#undef COUNT
#undef BITS
#undef SUFFIX
#undef RECURSIVE_TINY
#undef MIN_EXPONENT
#undef MAX_EXPONENT

#define SCALAR double
#define COUNT int64_t
#define BITS uint64_t
#define SUFFIX(name) name##_double
#define RECURSIVE_TINY 0x1p-960
#define MIN_EXPONENT (-1022)
#define MAX_EXPONENT 900
#include "recursive_lines.h"
#undef SCALAR
#undef COUNT
#undef BITS
#undef SUFFIX
#undef RECURSIVE_TINY
#undef MIN_EXPONENT
#undef MAX_EXPONENT

#include "by_type.h"
#define recursive_judge(panel, ...) OF_REAL(panel, recursive_judge)(panel, __VA_ARGS__)
#define recursive_part(begin, span, lines) OF_REAL(lines, recursive_part)(begin, span, lines)
#define recursive_take(panel, ...) OF_REAL(panel, recursive_take)(panel, __VA_ARGS__)
#define recursive_add(part, ...) OF_REAL(part, recursive_add)(part, __VA_ARGS__)
#define recursive_spread(panel, ...) OF_REAL(panel, recursive_spread)(panel, __VA_ARGS__)
#define recursive_gather(lines, ...) OF_REAL(lines, recursive_gather)(lines, __VA_ARGS__)
#define recursive_scatter(panel, ...) OF_REAL(panel, recursive_scatter)(panel, __VA_ARGS__)
#define recursive_advance(x, ...) OF_REAL(x, recursive_advance)(x, __VA_ARGS__)
#define recursive_causal(x, ...) OF_REAL(x, recursive_causal)(x, __VA_ARGS__)
#define recursive_anti(x, ...) OF_REAL(x, recursive_anti)(x, __VA_ARGS__)
#define recursive_anti_far(x, ...) OF_REAL(x, recursive_anti_far)(x, __VA_ARGS__)
