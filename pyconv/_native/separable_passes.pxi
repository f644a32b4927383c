# separable_passes: what the passes along x, y and z share: taps, and where their rows lie.

from libc.stdint cimport int32_t, int64_t

cdef extern from "row_filter.h":
    enum:
        ALONG_FOLDED_TAPS
        ALONG_TAPS
    bint sum_along_row(const void* x, Py_ssize_t step, const stencil_set* taps, const void* w,
                       void* out, Py_ssize_t n, const void* ahead) noexcept nogil

cdef extern from "lengths.h":
    void lengths_row_float_float(const float* x, Py_ssize_t apart, Py_ssize_t parts, Py_ssize_t n,
                                 void* rows, void* y) noexcept nogil
    void lengths_row_double_float(const double* x, Py_ssize_t apart, Py_ssize_t parts,
                                  Py_ssize_t n, void* rows, void* y) noexcept nogil
    void lengths_row_double_double(const double* x, Py_ssize_t apart, Py_ssize_t parts,
                                   Py_ssize_t n, void* rows, void* y) noexcept nogil

cdef extern from "join.h":
    ctypedef struct Joined:
        Py_ssize_t rows
        Py_ssize_t parts
        const Py_ssize_t* row_ends
        const Py_ssize_t* ends
        Py_ssize_t item
        Py_ssize_t plane
        const char* last
    void join_row(const Joined* joined, const char* plane, Py_ssize_t row, Py_ssize_t first,
                  Py_ssize_t end, char* to) noexcept nogil

cdef extern from "transpose_rows.h":
    void rows_to_columns(const void* rows, Py_ssize_t n, Py_ssize_t ahead,
                         void* out) noexcept nogil
    void columns_to_rows(const void* sums, Py_ssize_t n, void* out,
                         Py_ssize_t pitch) noexcept nogil

cdef Py_ssize_t STRIP_BYTES = 512 << 10
cdef Py_ssize_t STRIP_COLS = 768      # samples of float32
cdef Py_ssize_t WHOLE_COLS = 2048     # of rows that are read one by one, best in long runs
cdef Py_ssize_t MIN_COLS = 384      # where strips would be larger than that
cdef Py_ssize_t MAX_STRIP_BYTES = 16 << 20
cdef Py_ssize_t RING_BYTES = 4 << 20  # of planes, in the level-3 cache
# Columns that are turned, summed and turned back in the level-1 cache: whole tiles of them, and
# whole vectors. A multiple of the rows of every tile, and of the lanes of every vector.
cdef Py_ssize_t TURNED_COLS = 48
cdef Py_ssize_t STAGED = 64           # samples of a row that is converted before it is turned
# Columns of a unit whose rows alone would take longer than an interrupt may wait.
cdef Py_ssize_t FEWEST_COLS = 96
# Rows that fall into the same sets of the cache are worth a copy where tiles read more of them.
cdef Py_ssize_t MAX_ALIASED_TAPS = 7


cdef struct Pass:
    # The sets of taps of a pass, their rows to be listed, the tap that each begins with, and the
    # weights in their order.
    const stencil_set* sets
    Py_ssize_t n_sets
    const Py_ssize_t* first
    const void* weights


cdef struct Ring:
    # The first of its sets along y, and its first weight; those of the next one end them.
    Py_ssize_t first, weight


cdef struct Strips:
    # The tiles of the passes along y and z; ``down`` has the axes and the result, or the slots
    # of the rings where there are some, whose result ``deep`` has.
    Stencil down, deep
    Pass pass_x, pass_y, pass_z
    const Joined* joined                    # where x lies in several arrays, else NULL
    const Ring* rings                       # one more than there are parts
    bint lengths                            # results are lengths of vectors, whose parts are sums
    Py_ssize_t n_parts                      # rings; without any the components of a vector, or 1
    bint along                              # rows are summed where they lie
    bint lenient                            # sums that may not be added again end no run
    bint rows_only                          # y has one tap, of weight 1
    bint columns_only                       # x has
    bint in_place                           # rows are summed along y where the caller has them
    Py_ssize_t rank, n_products, n_rings    # factors along x, along y, and along z if there is z
    Py_ssize_t n_runs, n_slabs, n_panels, unit_planes, unit_rows, unit_cols
    Py_ssize_t span_planes, span_rows, span_cols
    Py_ssize_t step_rows, step_planes       # outputs of a row of tiles
    Py_ssize_t pitch, rows_held             # of a strip
    Py_ssize_t rows_at_once                 # that are filtered along x
    Py_ssize_t ring_pitch, ring_plane, planes_held, ring    # samples of a ring
    Py_ssize_t row_bytes                    # from one row of the result to the next
    Py_ssize_t chunk                        # pixels that are summed along x at a time
    # Where the parts of a thread's workspace begin, in samples, behind the strips.
    Py_ssize_t turned, sums, staged, outside, tile, tables, planes, parts, lines, end
    Py_ssize_t part                         # samples of a component's rows
    Py_ssize_t line_bytes                   # of a row that is joined


cdef inline Py_ssize_t sets_of(const SpatialAxis* a) noexcept nogil:
    """Return into how many sets the taps fall: those of one share their rows."""
    return least(a.phases, a.taps)


cdef inline Py_ssize_t listed(const SpatialAxis* a) noexcept nogil:
    """Return how many rows the outputs of a tile read for one set."""
    return STENCIL_COLUMN_ROWS + ceil_div(a.taps, a.phases)


cdef void place_rows(const Pass* p, const SpatialAxis* a, Py_ssize_t first, Py_ssize_t held,
                    Py_ssize_t size, stencil_set* sets, Py_ssize_t* rows) noexcept nogil:
    """Tell sets where the rows lie that a tile reads, in a ring of ``held`` rows of ``size``.

    The first output reads from row ``first`` on.
    """
    cdef Py_ssize_t n = listed(a), step = a.step % held
    cdef Py_ssize_t f, i, at, k
    for f in range(sets_of(a)):
        at = (first + f * a.dilation) % held
        for i in range(n):
            rows[f * n + i] = at * size
            at += step
            if at >= held:
                at -= held
    for k in range(p.n_sets):
        sets[k] = p.sets[k]
        sets[k].rows = rows + k % sets_of(a) * n + p.first[k]


cdef void place_rows_in_place(const Strips* p, Py_ssize_t first, Py_ssize_t last, const char* x,
                              const char* outside, stencil_set* sets,
                              Py_ssize_t* rows) noexcept nogil:
    """Tell sets where the caller's rows lie that a tile reads, from ``x`` on.

    The first output reads from coordinate ``first`` on, none reads beyond ``last``; a row that lies
    nowhere is the one at ``outside``.
    """
    cdef const SpatialAxis* a = &p.down.y
    cdef Py_ssize_t n = listed(a), item = p.down.item
    cdef Py_ssize_t nowhere = <Py_ssize_t>(<uintptr_t>outside - <uintptr_t>x) // item
    cdef Py_ssize_t f, i, k, index
    for f in range(sets_of(a)):
        for i in range(n):
            index = source_index(a, least(first + f * a.dilation + i * a.step, last))
            rows[f * n + i] = nowhere if index < 0 else index * p.down.y_stride // item
    for k in range(p.pass_y.n_sets):
        sets[k] = p.pass_y.sets[k]
        sets[k].rows = rows + k % sets_of(a) * n + p.pass_y.first[k]


cdef fold_of(taps):
    """Return 1 for weights that are their own mirror image, −1 for the negative of it, else 0."""
    if len(taps) < 2:
        return 0
    return int(np.array_equal(taps, taps[::-1])) or -int(np.array_equal(taps, -taps[::-1]))


cdef within_zeros(taps):
    """Return how many zero weights there are on either side, as many on one as on the other."""
    others = np.flatnonzero(taps)
    return (min(others.min(), len(taps) - 1 - others.max()) if len(others)
            else (len(taps) - 1) // 2)


cdef inline void sum_columns(const sum_t* x, const Pass* p, sum_t* y,
                             Py_ssize_t y_pitch) noexcept nogil:
    cdef const sum_t* w = <const sum_t*>p.weights
    columns_tile(x, p.sets, p.n_sets, w, NULL, y, y_pitch, False)
