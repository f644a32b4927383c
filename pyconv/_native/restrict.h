/* RESTRICT: what is reached through this pointer is reached through no other. */
#pragma once
#if defined(_MSC_VER) && !defined(__clang__)
#define RESTRICT __restrict
#else
#define RESTRICT restrict
#endif

/* Before a loop over a row, which may be short: Clang would take four vectors at a time, and what is
   left, up to 63 samples, one by one. Of every other sample it takes the last vector so, too. Rows
   that are changed in place it takes for others that overlap, and reads all samples one by one. */
#if defined(__clang__)
#define ROW_LOOP _Pragma("clang loop interleave_count(1)")
#define ROW_LOOP_IN_PLACE _Pragma("clang loop vectorize(assume_safety) interleave_count(1)")
#define STRIDED_ROW_LOOP _Pragma("clang loop vectorize_width(8) interleave_count(1)")
#else
#define ROW_LOOP
#define ROW_LOOP_IN_PLACE
#define STRIDED_ROW_LOOP
#endif
