/* Rows of a window whose samples lie in several arrays, side by side.

   A plane of the window is a row of a table: for each part of a plane, those along a row after each
   other, where its rows lie. Rows are joined as they are read, so that the window itself is nowhere. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Rows of an array that make a part of longer ones: the first of them, and bytes to the next. */
typedef struct {
    const char *first;
    ptrdiff_t next;
} RowPart;

/* The parts of a plane, and of a row; where each of them ends, in rows and in samples; bytes of one. */
typedef struct {
    ptrdiff_t rows, parts;
    const ptrdiff_t *row_ends, *ends;
    ptrdiff_t item;
    ptrdiff_t plane;  /* bytes of a row of the table */
    const char *last; /* the last plane that is read */
} Joined;

/* The parts of a halo are rows of a line or two, far from each other: the processor does not see which
   comes next. Where there is no next plane it is so many rows below. */
enum { JOIN_AHEAD = 8 };
#if defined(__GNUC__)
static inline void join_prefetch(uintptr_t at, ptrdiff_t bytes) {
    for (ptrdiff_t i = 0; i < bytes; i += 64) __builtin_prefetch((const char *)(at + (uintptr_t)i), 0, 2);
    __builtin_prefetch((const char *)(at + (uintptr_t)(bytes - 1)), 0, 2);
}
#else
static inline void join_prefetch(uintptr_t at, ptrdiff_t bytes) { (void)at, (void)bytes; }
#endif

/* The rows of a halo are short: to call memcpy takes longer than to copy them. */
enum { JOIN_CALLED_FROM = 256 };

/* N bytes from the front and as many up to the end, which overlap where there are fewer than two N. */
#define JOIN_ENDS(N)                                                                         \
    do {                                                                                     \
        memcpy(to, from, N);                                                                 \
        memcpy(to + bytes - (N), from + bytes - (N), N);                                     \
    } while (0)

static inline void join_bytes(char *to, const char *from, ptrdiff_t bytes) {
    if (bytes >= JOIN_CALLED_FROM) {
        memcpy(to, from, (size_t)bytes);
    } else if (bytes >= 32) {
        for (ptrdiff_t i = 0; i + 32 < bytes; i += 32) memcpy(to + i, from + i, 32);
        memcpy(to + bytes - 32, from + bytes - 32, 32);
    } else if (bytes >= 16) {
        JOIN_ENDS(16);
    } else if (bytes >= 8) {
        JOIN_ENDS(8);
    } else if (bytes >= 4) {
        JOIN_ENDS(4);
    } else if (bytes >= 2) {
        JOIN_ENDS(2);
    } else if (bytes == 1) {
        *to = *from;
    }
}
#undef JOIN_ENDS

/* Write samples first … end - 1 of a row of a plane. What is read next is on its way to the cache then:
   the row of the next plane, or one of those below. */
static inline void join_row(const Joined *joined, const char *plane, ptrdiff_t row, ptrdiff_t first,
                            ptrdiff_t end, char *to) {
    const int is_last = plane >= joined->last;
    const RowPart *part = (const RowPart *)plane;
    const RowPart *next = (const RowPart *)(plane + (is_last ? 0 : joined->plane));
    const ptrdiff_t item = joined->item;
    ptrdiff_t i = 0, begin = 0;
    while (row >= joined->row_ends[i]) i++;
    part += i * joined->parts;
    next += i * joined->parts;
    if (i > 0) row -= joined->row_ends[i - 1];
    for (i = 0; i < joined->parts; i++) {
        const ptrdiff_t until = joined->ends[i] < end ? joined->ends[i] : end;
        if (first < until) {
            const ptrdiff_t bytes = (until - first) * item, from = (first - begin) * item;
            const ptrdiff_t below = row + (is_last ? JOIN_AHEAD : 0);
            join_prefetch((uintptr_t)next[i].first + (uintptr_t)(below * next[i].next + from), bytes);
            join_bytes(to, part[i].first + row * part[i].next + from, bytes);
            to += bytes;
            first = until;
        }
        begin = joined->ends[i];
    }
}
