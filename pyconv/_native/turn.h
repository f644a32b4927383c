/* turn_in:  out[i][j] = rows[j][i]       rows of samples become columns of vectors,
   turn_out: rows[j][i] = in[i][j]        and these become rows again.

   The vectors have a lane for each of LANES rows: what is summed along a row is then summed along
   a column, where neighbours share their loads and none is misaligned. */
#pragma once
#include "transpose.h"

#define SCALAR float
#define SUFFIX(name) name##_float
#include "turn_tile.h"
#undef SCALAR
#undef SUFFIX

#define SCALAR double
#define SUFFIX(name) name##_double
#include "turn_tile.h"
#undef SCALAR
#undef SUFFIX

#define SCALAR uint64_t
#define SUFFIX(name) name##_uint64
#include "turn_tile.h"
#undef SCALAR
#undef SUFFIX
