/* rows_to_columns:  out[i][j] = rows[j][i]       rows of samples become columns of vectors,
   columns_to_rows: rows[j][i] = in[i][j]        and these become rows again.

   The vectors have a lane for each of LANES rows: what is summed along a row is then summed along
   a column, where neighbours share their loads and none is misaligned. */
#pragma once
#include "transpose.h"

#define TEMPLATE "transpose_rows_tile.h"
#define WITH_INTEGERS
#include "each_type.h"

#include "by_type.h"
#define rows_to_columns(rows, ...) OF_SUMS(*(rows), rows_to_columns)(rows, __VA_ARGS__)
#define columns_to_rows(sums, ...) OF_SUMS(sums, columns_to_rows)(sums, __VA_ARGS__)
