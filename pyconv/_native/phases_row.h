/* The rows of phases.h for one SCALAR type; included once for each. */

/* Rows of n pairs; x_row is in bytes. */
STENCIL_NOINLINE void SUFFIX(split_rows)(const char *x, ptrdiff_t x_row, ptrdiff_t rows,
                                         ptrdiff_t n, SCALAR *even, SCALAR *odd,
                                         ptrdiff_t out_row) {
    for (; rows > 0; rows--, x += x_row, even += out_row, odd += out_row) {
        const SCALAR *pairs = (const SCALAR *)x;
        ptrdiff_t i = 0;
#if PHASES_SHUFFLES
        if (n >= LANES) {
            for (; i < n; i += LANES) {
                SUFFIX(vec) a, b;
                if (i + LANES > n) i = n - LANES; /* the last vectors overlap */
                a = SUFFIX(load)(pairs + 2 * i);
                b = SUFFIX(load)(pairs + 2 * i + LANES);
                SUFFIX(store)(even + i, EVERY_OTHER(a, b, EVEN));
                SUFFIX(store)(odd + i, EVERY_OTHER(a, b, ODD));
            }
            continue;
        }
#endif
        for (; i < n; i++) {
            even[i] = pairs[2 * i];
            odd[i] = pairs[2 * i + 1];
        }
    }
}
