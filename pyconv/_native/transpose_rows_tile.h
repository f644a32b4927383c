/* The functions of transpose_rows.h for one SCALAR type; included once for each. */

#define VEC SUFFIX(vec)

/* n ≥ 4 samples of each row; `ahead` bytes behind them lie the rows that come next, if not 0.
   Whole vectors are copied first: rows a multiple of 4 KiB apart fall into the same set of the
   cache, which would lose a line before its second quarter is read. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void SUFFIX(rows_to_columns)(const SCALAR *const *rows,
                                                            ptrdiff_t n, ptrdiff_t ahead,
                                                            SCALAR *out) {
    SCALAR block[(STENCIL_VECTOR_BYTES / sizeof(SCALAR)) * (STENCIL_VECTOR_BYTES / sizeof(SCALAR))];
    VEC turned[4];
    ptrdiff_t i = 0;
    for (; LANES >= 4 && i + LANES <= n; i += LANES) {
        STENCIL_UNROLL for (int j = 0; j < LANES; j++) {
            if (ahead) stencil_prefetch((const char *)(rows[j] + i) + ahead);
            SUFFIX(store)(block + j * LANES, SUFFIX(load)(rows[j] + i));
        }
        STENCIL_UNROLL for (int c = 0; c < LANES; c += 4) {
            SUFFIX(transpose_packed)(block + c, turned);
            STENCIL_UNROLL for (int e = 0; e < 4; e++)
                SUFFIX(store)(out + (i + c + e) * LANES, turned[e]);
        }
    }
    for (; i < n; i += 4) {
        const ptrdiff_t at = i < n - 4 ? i : n - 4; /* the last four overlap */
        SUFFIX(transpose_pointed)(rows, at, turned);
        STENCIL_UNROLL for (int e = 0; e < 4; e++)
            SUFFIX(store)(out + (at + e) * LANES, turned[e]);
    }
}

/* n vectors; rows are written to a whole number of vectors. */
STENCIL_NOINLINE STENCIL_LIKELY_UNUSED void SUFFIX(columns_to_rows)(const SCALAR *in, ptrdiff_t n,
                                                             SCALAR *out, ptrdiff_t pitch) {
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const SCALAR *block = in + i * LANES;
        if (LANES < 4) {
            for (ptrdiff_t j = 0; j < LANES; j++)
                for (ptrdiff_t e = 0; e < LANES; e++) out[j * pitch + i + e] = block[e * LANES + j];
            continue;
        }
        STENCIL_UNROLL for (int j = 0; j < LANES; j += 4) {
            VEC turned[4];
            SUFFIX(transpose_packed)(block + j, turned);
            STENCIL_UNROLL for (int e = 0; e < 4; e++)
                SUFFIX(store)(out + (j + e) * pitch + i, turned[e]);
        }
    }
}
#undef VEC
