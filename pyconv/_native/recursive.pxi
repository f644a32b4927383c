# recursive: y[i] = Σ_m h(m) x[i − m] along one axis, h(m) = Re Σ_k c_k p_k^|m| (recursive.h).
#
# The work is cut into units: a panel of WIDTH lines side by side, or of WIDTH pieces of lines. A
# unit packs its lines with their borders; goes through them from one end, which gives the sums of
# what came before; and from the other, which adds what comes after. Lines that are neighbours in
# memory are copied row by row; others are transposed, a run of samples at a time. What leaves a
# window is taken out of the sums, so that a piece begins with the window of its first output, and
# with one sample that leaves, 0 outside the padded line. Pieces depend on the shape alone, so that
# results are the same bits for every number of threads. A unit is read before it is written: y may
# be x, if lines are one piece each.
#
# A packed panel is judged. Lines of which one recursion would not do are filtered in parts
# (recursive.h), whose results count where the window holds a sample of the part; what is not
# finite takes part in none, and is spread over the windows that hold it. Each line is judged by
# itself, and has the same bits beside any others.

from libc.math cimport ldexp


cdef extern from "recursive.h":
    enum:
        RECURSIVE_VECTORS
        RECURSIVE_STATES
        RECURSIVE_NUMBERS
    int recursive_judge(const void* panel, Py_ssize_t length, Py_ssize_t first, Py_ssize_t n,
                        Py_ssize_t reach, double least, double most, double share,
                        void* lines) noexcept nogil
    bint recursive_part(bint begin, int span, void* lines) noexcept nogil
    void recursive_take(const void* panel, Py_ssize_t length, void* lines,
                        void* part) noexcept nogil
    void recursive_add(const void* part, const void* sums, Py_ssize_t n, Py_ssize_t reach,
                       const void* lines, bint begin, void* total) noexcept nogil
    bint recursive_spread(const void* panel, Py_ssize_t n, Py_ssize_t reach, bint negative,
                          const void* lines, void* total) noexcept nogil
    void recursive_gather(const void* lines, Py_ssize_t pitch, Py_ssize_t n,
                          void* panel) noexcept nogil
    void recursive_scatter(const void* panel, Py_ssize_t n, void* lines,
                           Py_ssize_t pitch) noexcept nogil
    void recursive_advance(const void* x, Py_ssize_t step, Py_ssize_t left, Py_ssize_t n,
                           const void* poles, const void* residues, const void* leaving,
                           void* state, const void* sum, void* out, Py_ssize_t out_step,
                           const void* ahead) noexcept nogil
    void recursive_causal(const void* x, Py_ssize_t step, Py_ssize_t left, Py_ssize_t n,
                          const void* poles, const void* residues, const void* leaving,
                          void* state, const void* sum, void* out, Py_ssize_t out_step,
                          const void* ahead) noexcept nogil
    void recursive_anti(const void* x, Py_ssize_t step, Py_ssize_t left, Py_ssize_t n,
                        const void* poles, const void* residues, const void* leaving, void* state,
                        const void* sum, void* out, Py_ssize_t out_step,
                        const void* ahead) noexcept nogil
    void recursive_anti_far(const void* x, Py_ssize_t step, Py_ssize_t left, Py_ssize_t n,
                            const void* poles, const void* residues, const void* leaving,
                            void* state, const void* sum, void* out, Py_ssize_t out_step,
                            const void* ahead) noexcept nogil

# Samples of a line that are packed, and then transposed, at a time.
cdef Py_ssize_t RECURSIVE_RUN = 256
# Rows ahead whose samples are fetched: they are a row of the array apart, which no hardware
# follows.
cdef Py_ssize_t RECURSIVE_AHEAD = 48
# Multiply-adds of a sample, from both ends.
cdef Py_ssize_t RECURSIVE_PRODUCTS = 38


def recursive_width(sums):
    """Return how many lines a panel has."""
    return RECURSIVE_VECTORS * STENCIL_VECTOR_BYTES // np.dtype(sums).itemsize


cdef struct Recursion:
    Source x                        # of lines of single samples
    Py_ssize_t item, lanes, width
    bint abreast                    # lines are neighbours in memory: `inner` of them
    Py_ssize_t inner, n_lines       # lines, or groups of neighbours, that `list_batch` lists
    Py_ssize_t padded               # samples of a line with its border
    # Outputs of a piece; all its samples, the first of which is the one that leaves the window of
    # its first output; pieces of a line.
    Py_ssize_t piece, length, n_pieces
    Py_ssize_t radius               # output 0 is the sample `radius` of the padded line
    Py_ssize_t n_panels             # of a group of neighbours
    Py_ssize_t y_stride             # along a line, in bytes
    bint streaming, prefetching
    const void* fill                # one value, or two that take turns
    Py_ssize_t n_fill
    const void* poles
    const void* before              # residues
    const void* after
    const void* gone_before         # what samples that leave a window are multiplied by
    const void* gone_after
    # Magnitudes of what a recursion filters as it is, and the power of two by which they differ.
    double least, most
    int span
    bint negative                   # the weights are


cdef void pack_run(const Recursion* r, const char* line, Py_ssize_t fill, Py_ssize_t start,
                   Py_ssize_t n, real_t* out) noexcept nogil:
    """Copy n samples of a padded line from its sample ``start`` on, zeros outside it."""
    cdef Source s = r.x
    cdef Py_ssize_t head = least(n, most(0, -start))
    cdef Py_ssize_t end = most(head, least(n, r.padded - start))
    cdef Py_ssize_t first = start + head - s.axis.low
    if head:
        memset(out, 0, head * sizeof(real_t))
    if end < n:
        memset(out + end, 0, (n - end) * sizeof(real_t))
    if head < end:
        s.fill = <const real_t*>r.fill + fill
        pack_pixels(&s, line, first, 1, pixels_before(&s, first, 1, end - head),
                    pixels_until_end(&s, first, 1, end - head), end - head, out + head)


cdef void gather_lines(const Recursion* r, Py_ssize_t first, const char* x,
                       const Py_ssize_t* x_lines, real_t* panel, real_t* run) noexcept nogil:
    """Transpose pieces first, first + 1, … of all lines into a panel."""
    cdef Py_ssize_t at, n, j, line, start
    cdef Py_ssize_t count = least(r.width, r.n_lines * r.n_pieces - first)
    at = 0
    while at < r.length:
        n = least(RECURSIVE_RUN, r.length - at)
        for j in range(r.width):
            if j >= count:
                memset(run + j * RECURSIVE_RUN, 0, n * sizeof(real_t))
                continue
            line = (first + j) // r.n_pieces
            start = (first + j) % r.n_pieces * r.piece - 1 + at
            pack_run(r, x + x_lines[line], line % r.n_fill, start, n, run + j * RECURSIVE_RUN)
        recursive_gather(run, RECURSIVE_RUN, n, panel + at * r.width)
        at += n


cdef void scatter_lines(const Recursion* r, Py_ssize_t first, char* y, const Py_ssize_t* y_lines,
                        const real_t* panel, real_t* run) noexcept nogil:
    """Transpose the outputs of a panel into pieces first, first + 1, … of all lines."""
    cdef Py_ssize_t at = 0, n, j, i, line, start
    cdef Py_ssize_t count = least(r.width, r.n_lines * r.n_pieces - first)
    cdef char* out
    while at < r.piece:
        n = least(RECURSIVE_RUN, r.piece - at)
        recursive_scatter(panel + at * r.width, n, run, RECURSIVE_RUN)
        for j in range(count):
            line = (first + j) // r.n_pieces
            start = (first + j) % r.n_pieces * r.piece + at
            out = y + y_lines[line] + start * r.y_stride
            i = most(0, least(n, r.x.axis.out - start))
            if r.y_stride == r.item:
                copy_row(<real_t*>out, run + j * RECURSIVE_RUN, i)
            else:
                for i in range(i):
                    (<real_t*>(out + i * r.y_stride))[0] = run[j * RECURSIVE_RUN + i]
        at += n


cdef void copy_lines(const Recursion* r, const char* x, Py_ssize_t start, Py_ssize_t col,
                     Py_ssize_t cols, real_t* panel) noexcept nogil:
    """Copy ``cols`` neighbouring lines, from the sample ``start`` of the padded lines on."""
    cdef const Source* s = &r.x
    cdef const real_t* fill = <const real_t*>r.fill
    cdef Py_ssize_t i, j, index
    for i in range(r.length):
        index = -2
        if 0 <= start + i < r.padded:
            index = source_index(&s.axis, start + i - s.axis.low)
        if index >= 0:
            if r.prefetching and index + RECURSIVE_AHEAD < s.axis.size:
                for j in range(ceil_div(cols * s.sample_stride, LINE_BYTES)):
                    stencil_prefetch(x + (index + RECURSIVE_AHEAD) * s.pixel_stride
                                     + col * s.sample_stride + j * LINE_BYTES)
            if s.same:
                copy_row(panel, <const real_t*>(x + index * s.pixel_stride) + col, cols)
            else:
                s.load(x + index * s.pixel_stride + col * s.sample_stride, s.sample_stride, cols,
                       panel)
            for j in range(cols, r.width):
                panel[j] = 0
        else:
            for j in range(r.width):
                panel[j] = fill[(col + j) % r.n_fill] if index == -1 and j < cols else 0
        panel += r.width


cdef void filter_panel(const Recursion* r, const real_t* panel, real_t* sums, real_t* state,
                       real_t* out, Py_ssize_t out_step, bint far,
                       const real_t* ahead) noexcept nogil:
    """Write the outputs of a panel, ``out_step`` samples apart; ``sums`` is room for them.

    ``ahead`` is where the samples of the next panel lie, one after the other, or NULL.
    """
    cdef const real_t* poles = <const real_t*>r.poles
    cdef const real_t* before = <const real_t*>r.before
    cdef const real_t* after = <const real_t*>r.after
    cdef const real_t* gone_before = <const real_t*>r.gone_before
    cdef const real_t* gone_after = <const real_t*>r.gone_after
    cdef Py_ssize_t w = r.width, n = r.piece, halo = r.radius + 1
    cdef Py_ssize_t back = -halo * w, forth = r.radius * w
    cdef const real_t* first = panel + halo * w
    cdef const real_t* last = panel + (r.length - 1) * w
    cdef const real_t* last_out = first + (n - 1) * w
    cdef real_t* end = out + (n - 1) * out_step
    cdef real_t* last_sum = sums + (n - 1) * w
    memset(state, 0, RECURSIVE_STATES * w * sizeof(real_t))
    recursive_advance(panel, w, 0, halo, poles, before, gone_before, state, sums, sums, w, NULL)
    recursive_causal(first, w, back, n, poles, before, gone_before, state, sums, sums, w, ahead)
    memset(state, 0, RECURSIVE_STATES * w * sizeof(real_t))
    recursive_advance(last, -w, 0, r.radius, poles, after, gone_after, state, sums, sums, w, NULL)
    if far:
        recursive_anti_far(last_out, -w, forth, n, poles, after, gone_after, state, last_sum, end,
                           -out_step, NULL)
    else:
        recursive_anti(last_out, -w, forth, n, poles, after, gone_after, state, last_sum, end,
                       -out_step, NULL)


cdef inline int judge_lines(const Recursion* r, const real_t* panel, real_t* lines) noexcept nogil:
    """Tell lines of parts from others."""
    cdef Py_ssize_t first = r.radius + 1
    return recursive_judge(panel, r.length, first, r.piece, r.radius, <real_t>r.least,
                           <real_t>r.most, <real_t>ldexp(1.0, -r.span), lines)


cdef bint filter_in_parts(const Recursion* r, const real_t* panel, real_t* sums, real_t* state,
                          real_t* lines, int judged, real_t* part,
                          real_t* total) noexcept nogil:
    """Write the outputs of a judged panel to ``total``; return whether it holds an infinity.

    ``part`` is room for another panel.
    """
    cdef bint begin = True
    if judged & 2:  # the largest that is finite
        recursive_take(panel, r.length, lines, part)
    while recursive_part(begin, r.span, lines):
        recursive_take(panel, r.length, lines, part)
        filter_panel(r, <const real_t*>part, sums, state, sums, r.width, False,
                     <const real_t*>NULL)
        recursive_add(part, sums, r.piece, r.radius, lines, begin, total)
        begin = False
    return recursive_spread(panel, r.piece, r.radius, r.negative, lines, total)


cdef inline Py_ssize_t panel_samples(const Recursion* r) noexcept nogil:
    """Return the samples of a packed panel, and of its outputs, whole runs of them."""
    return ceil_div(most(r.length, r.piece), RECURSIVE_RUN) * RECURSIVE_RUN * r.width


cdef inline const char* next_lines(const Recursion* r, Py_ssize_t unit, const char* x,
                                   const Py_ssize_t* x_lines) noexcept nogil:
    """Return the lines of the next panel if they follow each other in memory, else NULL."""
    cdef Py_ssize_t first = (unit + 1) * r.width, last = first + r.width - 1
    if (not r.prefetching or r.n_pieces > 1 or last >= r.n_lines or not r.x.same
            or x_lines[last] - x_lines[first] != (r.width - 1) * r.x.axis.size * r.item):
        return NULL
    return x + x_lines[first]


cdef bint filter_units(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                       real_t* work) noexcept nogil:
    """Run units start … stop − 1; return whether an infinity was read."""
    cdef const Recursion* r = <const Recursion*>c.loop
    cdef bint infinite = False
    cdef int judged
    cdef Py_ssize_t unit, line, piece, col, cols, outs, i
    cdef real_t* sums = work + panel_samples(r)
    cdef real_t* part = sums + panel_samples(r)
    cdef real_t* total = part + panel_samples(r)
    cdef real_t* run = total + panel_samples(r)
    cdef real_t* state = run + r.width * RECURSIVE_RUN
    cdef real_t* lines = state + r.width * RECURSIVE_STATES
    cdef real_t* results
    cdef char* out
    for unit in range(start, stop):
        if not r.abreast:
            gather_lines(r, unit * r.width, c.x, c.x_batch, work, run)
        else:
            col = unit % r.n_panels * r.width
            cols = least(r.width, r.inner - col)
            piece = unit // r.n_panels % r.n_pieces * r.piece
            line = unit // r.n_panels // r.n_pieces
            copy_lines(r, c.x + c.x_batch[line], piece - 1, col, cols, work)
        judged = judge_lines(r, <const real_t*>work, lines)
        results = sums
        if judged:
            results = total
            infinite = filter_in_parts(r, <const real_t*>work, sums, state, lines, judged, part,
                                       total) or infinite
        if not r.abreast:
            if not judged:
                filter_panel(r, <const real_t*>work, sums, state, sums, r.width, False,
                             <const real_t*>next_lines(r, unit, c.x, c.x_batch))
            scatter_lines(r, unit * r.width, c.y, c.y_batch, <const real_t*>results, run)
            continue
        out = c.y + c.y_batch[line] + piece * r.y_stride + col * r.item
        outs = least(r.piece, r.x.axis.out - piece)
        if not judged:
            if cols == r.width and outs == r.piece:
                filter_panel(r, <const real_t*>work, sums, state, <real_t*>out,
                             r.y_stride // r.item, r.streaming, <const real_t*>NULL)
                continue
            filter_panel(r, <const real_t*>work, sums, state, sums, r.width, False,
                         <const real_t*>NULL)
        for i in range(outs):
            copy_row(<real_t*>(out + i * r.y_stride), <const real_t*>results + i * r.width, cols)
    if r.streaming:
        stencil_fence()
    return infinite


cdef Py_ssize_t run_recursion(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                              void* work) noexcept nogil:
    if c.sums == SUMS_FLOAT:
        return filter_units(c, start, stop, <float*>work)
    return filter_units(c, start, stop, <double*>work)


cdef class RecursiveLoop:
    """A bound pass along one axis.

    Parameters are plain numbers, checked by the caller: the axis as `read_axis` has it, the axes
    that are looped over and how many lines, or groups of ``inner`` neighbours, they make;
    the outputs of a piece; ``poles``, the residues ``before`` and ``after`` and what is multiplied
    to what leaves the windows of either direction, as `recursive.h` has them, in the dtype of the
    sums. Lines are filtered as they are where their samples are of ``least`` to ``most``, and where
    each window holds one of 2^−``span`` of their largest.
    """

    cdef Recursion r
    cdef object tables, kept
    cdef Py_ssize_t axis_of
    cdef tuple batch
    cdef int sums_code, sums_row

    def __init__(self, sums, axis, batch, Py_ssize_t n_lines, Py_ssize_t inner, bint abreast,
                 Py_ssize_t piece, poles, before, after, gone_before, gone_after, double least,
                 double most, int span):
        cdef Recursion* r = &self.r
        sums = np.dtype(sums)
        self.sums_code = SUM_CODES[sums]
        self.sums_row = row_codes[sums.num]
        self.axis_of = axis[0]
        self.batch = tuple(batch)
        self.tables = read_axis(&r.x.axis, axis)
        self.kept = [np.ascontiguousarray(a, sums)
                     for a in (poles, before, after, gone_before, gone_after)]
        r.poles, r.before, r.after, r.gone_before, r.gone_after = (
            cnp.PyArray_DATA(self.kept[0]), cnp.PyArray_DATA(self.kept[1]),
            cnp.PyArray_DATA(self.kept[2]), cnp.PyArray_DATA(self.kept[3]),
            cnp.PyArray_DATA(self.kept[4]))
        r.least, r.most, r.span = least, most, span
        r.item = sums.itemsize
        r.lanes = STENCIL_VECTOR_BYTES // r.item
        r.width = RECURSIVE_VECTORS * r.lanes
        r.x.group = r.x.n_fill = 1
        r.abreast = abreast
        r.inner = inner
        r.n_lines = n_lines
        r.n_panels = ceil_div(inner, r.width) if abreast else 1
        r.radius = r.x.axis.taps // 2
        r.padded = r.x.axis.out + r.x.axis.taps - 1
        r.piece = piece
        r.length = piece + 2 * r.radius + 1
        r.n_pieces = ceil_div(r.x.axis.out, piece)

    cdef Py_ssize_t units(self) noexcept:
        cdef Py_ssize_t pieces = self.r.n_lines * self.r.n_pieces
        return pieces * self.r.n_panels if self.r.abreast else ceil_div(pieces, self.r.width)

    cdef Py_ssize_t thread_bytes(self) noexcept:
        """Return the workspace of one thread, whole cache lines."""
        cdef Py_ssize_t samples = 4 * panel_samples(&self.r) + self.r.width * (
            RECURSIVE_RUN + RECURSIVE_STATES + RECURSIVE_NUMBERS)
        return (samples * self.r.item + 127) // 64 * 64

    def workspace(self):
        """Return the bytes that one thread takes, with the tables of the lines."""
        return self.thread_bytes() + batch_bytes(self.r.n_lines)

    def run(self, cnp.ndarray x, cnp.ndarray y, cnp.ndarray fill, int threads, bint negative):
        """Filter ``x`` into ``y``, of the dtype of the sums; return whether it holds an infinity.

        ``negative`` is the sign of the weights, in which infinities come out.
        ``fill`` has the dtype of the sums: one value, or two for lines that take turns. Behind
        the axis ``y`` is contiguous, and so is ``x`` where lines go abreast.
        """
        cdef Recursion r = self.r
        cdef Call call
        self.set_arrays(&r, x, y)
        r.negative = negative
        r.fill = cnp.PyArray_DATA(fill)
        r.n_fill = fill.shape[0]
        call.loop, call.sums = &r, self.sums_code
        return run_batch(run_recursion, &call, self.batch, r.n_lines, x, y, self.units(),
                         <double>r.length * r.width * RECURSIVE_PRODUCTS, threads,
                         self.thread_bytes(), 0, False) > 0

    cdef int set_arrays(self, Recursion* r, cnp.ndarray x, cnp.ndarray y) except -1:
        cdef int x_code = row_codes[cnp.PyArray_TYPE(x)]
        r.x.pixel_stride = x.strides[self.axis_of]
        r.x.sample_stride = cnp.PyArray_ITEMSIZE(x) if r.abreast else r.x.pixel_stride
        set_row_load(&r.x, self.sums_code, x_code)
        r.x.same = x_code == self.sums_row and r.x.sample_stride == r.item
        r.y_stride = y.strides[self.axis_of]
        r.prefetching = cnp.PyArray_NBYTES(x) > CACHE_BYTES
        r.streaming = (r.abreast and cnp.PyArray_NBYTES(y) > STREAM_BYTES
                       and <uintptr_t>cnp.PyArray_DATA(y) % LINE_BYTES == 0
                       and r.inner * r.item % LINE_BYTES == 0 and r.y_stride % LINE_BYTES == 0
                       and r.width * r.item % LINE_BYTES == 0)
        return 0
