# polyphase: y[n] = Σ_j h[p + j·up] x[m − j], n·down + start = m·up + p, along one axis.
#
# The work is cut into units: a panel of WIDTH lines side by side, or of WIDTH pieces of lines,
# whole periods of phases each (polyphase.h). A unit packs what its outputs read, with the border;
# then sums; then writes. Lines that are neighbours in memory are copied row by row; others are
# transposed, a run of samples at a time, by the loops of `recursive`. Pieces do not show in the
# results.


cdef extern from "polyphase.h":
    ctypedef struct polyphase:
        Py_ssize_t phases
        Py_ssize_t step
        Py_ssize_t taps
        const Py_ssize_t* first
        const Py_ssize_t* more
        const void* weights
    void polyphase_run(const void* panel, const polyphase* d, Py_ssize_t n, void* out,
                       Py_ssize_t out_step) noexcept nogil
    void polyphase_bank(const void* panel, const void* weights, Py_ssize_t taps, Py_ssize_t step,
                        Py_ssize_t n, void* out, Py_ssize_t out_step) noexcept nogil


cdef struct Polyphase:
    Source x                        # of lines of single samples
    polyphase d
    Py_ssize_t item, width
    bint abreast                    # lines are neighbours in memory: `inner` of them
    Py_ssize_t inner, n_lines       # lines, or groups of neighbours, that `list_batch` lists
    Py_ssize_t origin               # the sample that the first tap of a line may read
    Py_ssize_t end                  # the one behind the last sample, its border included
    # Outputs of a piece, and the samples that it begins behind the one before it; all its samples;
    # pieces of a line.
    Py_ssize_t piece, advance, length, n_pieces
    Py_ssize_t n_panels             # of a group of neighbours
    Py_ssize_t y_stride             # along a line, in bytes
    row_emit emit                   # writes results of another type than the sums
    Py_ssize_t y_item
    # The filter of each line, of `inner` lines a group, or NULL where they all have one; filters.
    const Py_ssize_t* own
    const void* filters


cdef void pack_piece(const Polyphase* r, const char* line, Py_ssize_t first, Py_ssize_t n,
                     real_t* out) noexcept nogil:
    """Copy n samples of a line from one on, zeros behind its border."""
    cdef Py_ssize_t kept = most(0, least(n, r.end - first))
    if kept < n:
        memset(out + kept, 0, (n - kept) * sizeof(real_t))
    if kept:
        pack_pixels(&r.x, line, first, 1, pixels_before(&r.x, first, 1, kept),
                    pixels_until_end(&r.x, first, 1, kept), kept, out)


cdef void gather_pieces(const Polyphase* r, Py_ssize_t first, const char* x,
                        const Py_ssize_t* x_lines, real_t* panel, real_t* run) noexcept nogil:
    """Transpose pieces first, first + 1, … of all lines into a panel."""
    cdef Py_ssize_t at = 0, n, j, line, start
    cdef Py_ssize_t count = least(r.width, r.n_lines * r.n_pieces - first)
    while at < r.length:
        n = least(RECURSIVE_RUN, r.length - at)
        for j in range(r.width):
            if j >= count:
                memset(run + j * RECURSIVE_RUN, 0, n * sizeof(real_t))
                continue
            line = (first + j) // r.n_pieces
            start = r.origin + (first + j) % r.n_pieces * r.advance + at
            pack_piece(r, x + x_lines[line], start, n, run + j * RECURSIVE_RUN)
        recursive_gather(run, RECURSIVE_RUN, n, panel + at * r.width)
        at += n


cdef void write_results(const Polyphase* r, const real_t* sums, Py_ssize_t n, char* y,
                    Py_ssize_t stride) noexcept nogil:
    """Write n results, ``stride`` bytes apart."""
    cdef Py_ssize_t i
    if r.emit != NULL:
        r.emit(sums, n, y, stride)
    elif stride == r.item:
        copy_row(<real_t*>y, sums, n)
    else:
        for i in range(n):
            (<real_t*>(y + i * stride))[0] = sums[i]


cdef void scatter_pieces(const Polyphase* r, Py_ssize_t first, char* y, const Py_ssize_t* y_lines,
                         const real_t* panel, real_t* run) noexcept nogil:
    """Transpose the outputs of a panel into pieces first, first + 1, … of all lines."""
    cdef Py_ssize_t at = 0, n, j, line, start
    cdef Py_ssize_t count = least(r.width, r.n_lines * r.n_pieces - first)
    while at < r.piece:
        n = least(RECURSIVE_RUN, r.piece - at)
        recursive_scatter(panel + at * r.width, n, run, RECURSIVE_RUN)
        for j in range(count):
            line = (first + j) // r.n_pieces
            start = (first + j) % r.n_pieces * r.piece + at
            write_results(r, <const real_t*>run + j * RECURSIVE_RUN,
                      most(0, least(n, r.x.axis.out - start)),
                      y + y_lines[line] + start * r.y_stride, r.y_stride)
        at += n


cdef void copy_neighbours(const Polyphase* r, const char* x, Py_ssize_t first, Py_ssize_t n,
                          Py_ssize_t col, Py_ssize_t cols, real_t* panel) noexcept nogil:
    """Copy n samples of ``cols`` neighbouring lines, from one of the samples on."""
    cdef const Source* s = &r.x
    cdef real_t fill = (<const real_t*>s.fill)[0]
    cdef Py_ssize_t i, j, index
    for i in range(first, first + n):
        index = source_index(&s.axis, i) if i < r.end else -1
        if index < 0:
            for j in range(cols):
                panel[j] = fill
        elif s.same:
            copy_row(panel, <const real_t*>(x + index * s.pixel_stride) + col, cols)
        else:
            s.load(x + index * s.pixel_stride + col * s.sample_stride, s.sample_stride, cols,
                   panel)
        for j in range(cols, r.width):
            panel[j] = 0
        panel += r.width


cdef void take_filters(const Polyphase* r, Py_ssize_t first, Py_ssize_t count,
                       Py_ssize_t n_pieces, real_t* weights) noexcept nogil:
    """Write the weights of each lane of a panel, of lines of so many pieces."""
    cdef const real_t* filters = <const real_t*>r.filters
    cdef const real_t* own
    cdef Py_ssize_t i, j
    for j in range(r.width):
        if j >= count:
            for i in range(r.d.taps):
                weights[i * r.width + j] = 0
            continue
        own = filters + r.own[(first + j) // n_pieces] * r.d.taps
        for i in range(r.d.taps):
            weights[i * r.width + j] = own[i]


cdef inline void sum_panel(const Polyphase* r, const real_t* panel, const real_t* weights,
                           Py_ssize_t n, real_t* out, Py_ssize_t out_step) noexcept nogil:
    if r.own != NULL:
        polyphase_bank(panel, weights, r.d.taps, r.d.step, n, out, out_step)
    else:
        polyphase_run(panel, &r.d, n, out, out_step)


cdef inline Py_ssize_t whole_runs(const Polyphase* r, Py_ssize_t samples) noexcept nogil:
    """Return the samples of a panel, whole runs of them."""
    return ceil_div(samples, RECURSIVE_RUN) * RECURSIVE_RUN * r.width


cdef Py_ssize_t resample_units(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                               real_t* work) noexcept nogil:
    """Run units start … stop − 1."""
    cdef const Polyphase* r = <const Polyphase*>c.loop
    cdef Py_ssize_t unit, line, piece, col, cols, outs, i
    cdef real_t* sums = work + whole_runs(r, r.length)
    cdef real_t* run = sums + whole_runs(r, r.piece)
    cdef real_t* weights = run + r.width * RECURSIVE_RUN
    cdef char* out
    for unit in range(start, stop):
        if not r.abreast:
            line = unit * r.width
            gather_pieces(r, line, c.x, c.x_batch, work, run)
            if r.own != NULL:
                take_filters(r, line, least(r.width, r.n_lines * r.n_pieces - line), r.n_pieces,
                             weights)
            sum_panel(r, <const real_t*>work, <const real_t*>weights, r.piece, sums, r.width)
            scatter_pieces(r, line, c.y, c.y_batch, <const real_t*>sums, run)
            continue
        col = unit % r.n_panels * r.width
        piece = unit // r.n_panels % r.n_pieces
        line = unit // r.n_panels // r.n_pieces
        cols = least(r.width, r.inner - col)
        outs = least(r.piece, r.x.axis.out - piece * r.piece)
        copy_neighbours(r, c.x + c.x_batch[line], r.origin + piece * r.advance, r.length, col,
                        cols, work)
        if r.own != NULL:
            take_filters(r, line * r.inner + col, cols, 1, weights)
        out = c.y + c.y_batch[line] + piece * r.piece * r.y_stride + col * r.y_item
        if r.emit == NULL and cols == r.width:
            sum_panel(r, <const real_t*>work, <const real_t*>weights, outs, <real_t*>out,
                      r.y_stride // r.item)
            continue
        sum_panel(r, <const real_t*>work, <const real_t*>weights, outs, sums, r.width)
        for i in range(outs):
            write_results(r, <const real_t*>sums + i * r.width, cols, out + i * r.y_stride,
                          r.y_item)
    return 0


cdef Py_ssize_t run_polyphase(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                              void* work) noexcept nogil:
    if c.sums == SUMS_FLOAT:
        return resample_units(c, start, stop, <float*>work)
    return resample_units(c, start, stop, <double*>work)


cdef class PolyphaseLoop:
    """A bound filter between two rates along one axis.

    Parameters are plain numbers, checked by the caller: the axis as `read_axis` has it, of which
    only its size, its outputs and what lies outside count; the axes that are looped over and how
    many lines, or groups of ``inner`` neighbours, they make; the samples of a period; for each
    phase the sample that the first tap reads, and whether there is one tap more before it; the
    taps of all phases; the first sample that is read, and the one behind the last; the outputs of
    a piece, whole periods. ``own`` is the filter of each line, where they are not all one.
    """

    cdef Polyphase r
    cdef object tables, kept
    cdef Py_ssize_t axis_of
    cdef tuple batch
    cdef int sums_code, sums_row

    def __init__(self, sums, axis, batch, Py_ssize_t n_lines, Py_ssize_t inner, bint abreast,
                 Py_ssize_t step, first, more, Py_ssize_t taps, Py_ssize_t origin, Py_ssize_t end,
                 Py_ssize_t piece, own):
        cdef Polyphase* r = &self.r
        sums = np.dtype(sums)
        self.sums_code = SUM_CODES[sums]
        self.sums_row = row_codes[sums.num]
        self.axis_of = axis[0]
        self.batch = tuple(batch)
        self.tables = read_axis(&r.x.axis, axis)
        self.kept = [np.array(a, np.intp) for a in (first, more)]
        if own is not None:
            self.kept.append(np.array(own, np.intp))
        r.d.phases, r.d.step, r.d.taps = len(self.kept[0]), step, taps
        r.d.first, r.d.more = numbers(self.kept[0]), numbers(self.kept[1])
        r.own = NULL if own is None else numbers(self.kept[2])
        r.item = sums.itemsize
        r.width = recursive_width(sums)
        r.x.group = r.x.n_fill = 1
        r.abreast = abreast
        r.inner = inner
        r.n_lines = n_lines
        r.n_panels = ceil_div(inner, r.width) if abreast else 1
        r.origin, r.end = origin, end
        r.piece = piece
        r.advance = piece // r.d.phases * step
        r.length = r.advance - step + max(self.kept[0]) + taps
        r.n_pieces = ceil_div(r.x.axis.out, piece)

    cdef Py_ssize_t units(self) noexcept:
        cdef Py_ssize_t pieces = self.r.n_lines * self.r.n_pieces
        return pieces * self.r.n_panels if self.r.abreast else ceil_div(pieces, self.r.width)

    cdef Py_ssize_t thread_bytes(self) noexcept:
        """Return the workspace of one thread, whole cache lines."""
        cdef const Polyphase* r = &self.r
        cdef Py_ssize_t samples = whole_runs(r, r.length) + whole_runs(r, r.piece)
        samples += r.width * (RECURSIVE_RUN + (r.d.taps if r.own != NULL else 0))
        return (samples * r.item + 127) // 64 * 64

    def workspace(self):
        """Return the bytes that one thread takes, with the tables of the lines."""
        return self.thread_bytes() + batch_bytes(self.r.n_lines)

    def run(self, cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, cnp.ndarray fill, bint clip,
            int threads):
        """Filter ``x`` into ``y``.

        ``w`` has taps + 1 weights for each phase, or those of each filter, and as ``fill`` the
        dtype of the sums. Behind the axis ``y`` is contiguous, and so is ``x`` where lines go
        abreast. Integers are rounded half to even, and clipped if ``clip`` says so.
        """
        cdef Polyphase r = self.r
        cdef Call call
        cdef int x_code = row_codes[cnp.PyArray_TYPE(x)], y_code = row_codes[cnp.PyArray_TYPE(y)]
        r.x.pixel_stride = x.strides[self.axis_of]
        r.x.sample_stride = cnp.PyArray_ITEMSIZE(x) if r.abreast else r.x.pixel_stride
        set_row_load(&r.x, self.sums_code, x_code)
        r.x.same = x_code == self.sums_row and r.x.sample_stride == r.item
        r.x.fill = cnp.PyArray_DATA(fill)
        r.y_stride, r.y_item = y.strides[self.axis_of], cnp.PyArray_ITEMSIZE(y)
        r.emit = NULL
        if y_code != self.sums_row:
            r.emit = row_emits[self.sums_code][clip][y_code]
        r.d.weights = cnp.PyArray_DATA(w)
        r.filters = r.d.weights
        call.loop, call.sums = &r, self.sums_code
        run_batch(run_polyphase, &call, self.batch, r.n_lines, x, y, self.units(),
                  <double>r.piece * r.width * (r.d.taps + 1), threads, self.thread_bytes(), 0,
                  False)
