# direct_taps: the taps of a kernel in the order of the tile.

def weight_places(t, c, f, cols, rows, row_phases, col_phases, share):
    """Return the indices in w, as z, y, x in a row, of groups of taps: columns, then rows.

    ``rows`` has a row for each group. Row r is tap c + r·row_phases along y, or, if taps are
    shared along x, r·share columns on.
    """
    groups, apart = rows.shape
    rows = rows[:, np.newaxis]
    places = np.empty((groups, len(cols), apart, 3), np.intp)
    places[..., 0] = t
    places[..., 1] = c if share else c + row_phases * rows
    places[..., 2] = f + col_phases * (cols[:, np.newaxis] + (rows * share if share else 0))
    return places.ravel()


def group_rows(Py_ssize_t first, Py_ssize_t n):
    """Yield the rows of groups of taps of one size, a row for each group, as tiles take them."""
    cdef Py_ssize_t fours = most(0, ceil_div(n - 6, 4)), apart
    if fours:
        yield np.arange(first, first + 4 * fours).reshape(fours, 4)
    while 4 * fours < n:
        apart = stencil_group(n - 4 * fours)
        yield np.arange(first + 4 * fours, first + 4 * fours + apart)[np.newaxis]
        first += apart
        n -= apart


def cut_taps(n_cols, n_rows, block):
    """Yield the columns and rows of parts of up to ``block`` taps: first and number of each.

    Rows are taken by fours where there are as many: a tile loads the samples of four at once.
    """
    if n_cols == 0 or n_rows == 0:
        return
    most_cols = max(1, block // min(n_rows, 4))
    across = -(-n_cols // most_cols)
    most_rows = max(1, block // -(-n_cols // across))
    if most_rows < n_rows and most_rows > 4:
        most_rows -= most_rows % 4
    for top in range(0, n_rows, most_rows):
        for i in range(across):
            left = n_cols * i // across
            yield left, n_cols * (i + 1) // across - left, top, min(most_rows, n_rows - top)
