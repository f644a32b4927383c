/* turn_in:  out[i][j] = rows[j][i]       rows of samples become columns of vectors,
   turn_out: rows[j][i] = in[i][j]        and these become rows again.

   The vectors have a lane for each of LANES rows: what is summed along a row is then summed along
   a column, where neighbours share their loads and none is misaligned. */
#pragma once
#include "transpose.h"

#define TEMPLATE "turn_tile.h"
#define WITH_INTEGERS
#include "each_type.h"
