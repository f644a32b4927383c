# fft: y = ifft(fft(x) · H) on overlapping tiles (overlap-save), two real tiles to one transform.
#
# A tile of z·y·x points gives the outputs whose windows do not wrap round it. The tiles of an item
# are paired in a fixed order and each pair is one thread's work, so that results depend neither on
# how many there are nor on the other items. Tiles that differ much in size are not paired. One that
# is so large or small that products could overflow or vanish is scaled by powers of two first and
# back afterwards.
#
# The error of a transform is spread over the tile. It is expected to stay within
# ε·(SHARED·rms + ALONE·max|x|·‖w‖₂/‖w‖₁)·Σ|w|, and 64 ε·Σ|w| times the largest sample of its window
# is what an output is granted: so each sample has a class, 0 of zero, 3 of what is large enough and
# 1 of what is not. A tile every window of which holds a sample of class 3 goes the plain way
# (`is_even`). Otherwise (`judge`) outputs that read zeros alone become zero; and where windows are
# too quiet the few largest samples are taken out of the tile and their products added to what the
# transform gives (`take_out`). Outputs that are still too quiet are listed, to be summed plainly.
#
# An output that reads NaN is NaN, and what infinities make of one is known beforehand where all
# weights have one sign: such samples are left out of the tile, and the outputs that read them are
# marked (`fill_finite`). Other infinities are taken out as loud samples are; where they are too
# many all outputs of the tile are listed.
#
# Where samples are left out, a tile of them and that of what was seen of them are the two parts:
# one transform makes both sums, and their quotient is what is drained.
#
# In one dimension ("line") rows follow each other: the tile is one long transform in four steps,
# joined by `turns` (Bailey, "FFTs in external or hierarchical memory", 1990).


def fft_lanes(sums):
    """Return the columns of a panel: lengths along y and x must be multiples of it."""
    return fft_lanes_float() if np.dtype(sums) == np.float32 else fft_lanes_double()


cdef class FftLoop:
    """A bound problem.

    ``axes`` and ``batch`` are as for `Im2colLoop`; ``lengths`` holds, for z, y and x, the points
    of the tile, their radices before the last 8, and the twiddles of each radix in one array.
    ``turns`` is None unless the tile is a line: the array that joins its columns and rows.
    """

    cdef Overlap s
    cdef object tables
    cdef Py_ssize_t axis_of[3]
    cdef tuple batch
    cdef Py_ssize_t n_batch, item
    cdef int sums_code, sums_row

    def __init__(self, sums, axes, batch, Py_ssize_t n_batch, lengths, turns):
        cdef Overlap* s = &self.s
        cdef Py_ssize_t z_outputs, y_outputs, x_outputs, room
        sums = np.dtype(sums)
        self.sums_code = SUM_CODES[sums]
        self.sums_row = row_codes[sums.num]
        self.item = sums.itemsize
        self.batch = tuple(batch)
        self.n_batch = n_batch
        self.tables = []
        for i, row in enumerate(axes):
            self.axis_of[i] = row[0]
            self.tables.append(
                read_axis(&s.z if i == 0 else &s.y if i == 1 else &s.x.axis, row)
            )
        for i, (n, radices, twiddles) in enumerate(lengths):
            self.tables.append(twiddles)
            self.read_length(&s.along_z if i == 0 else &s.along_y if i == 1 else &s.along_x, n,
                             radices, twiddles)
        s.line = turns is not None
        s.turns = cnp.PyArray_DATA(turns) if s.line else NULL
        self.tables.append(turns)
        s.x.group = 1
        s.x.n_fill = 1
        s.lanes = fft_lanes(sums)
        s.panels = s.along_x.n // s.lanes
        # Two vectors more, lest the panels fall into the same sets of the cache.
        s.panel = (s.along_y.n + 1) * 2 * s.lanes
        s.plane = s.panels * s.panel + (2 * s.lanes if s.along_z.n > 1 else 0)
        z_outputs = dense_outputs(&s.z)
        y_outputs = dense_outputs(&s.y)
        x_outputs = dense_outputs(&s.x.axis)
        s.tiles_z, s.each_z = tile_axis(z_outputs, s.along_z.n - reach(&s.z), 1)
        if s.line:
            s.tiles_y = s.each_y = 1
            room = s.along_y.n * s.along_x.n - reach(&s.x.axis)
        else:
            s.tiles_y, s.each_y = tile_axis(y_outputs, s.along_y.n - reach(&s.y), 1)
            room = s.along_x.n - reach(&s.x.axis)
        s.tiles_x, s.each_x = tile_axis(x_outputs, room, s.lanes)
        s.item_tiles = s.tiles_z * s.tiles_y * s.tiles_x
        s.item_pairs = (s.item_tiles + 1) // 2
        s.tiles = n_batch * s.item_tiles
        s.most_loud = least(MAX_LOUD, most(1, <Py_ssize_t>(
            LOUD_PRODUCTS * s.along_z.n * s.along_y.n * s.along_x.n
            / (<double>s.z.taps * s.y.taps * s.x.axis.taps))))

    cdef read_length(self, fft_length* length, Py_ssize_t n, radices, cnp.ndarray twiddles):
        cdef Py_ssize_t k, span = n
        cdef const char* at = cnp.PyArray_BYTES(twiddles)
        length.n = n
        length.stages = len(radices)
        for k, radix in enumerate(radices):
            length.radix[k] = radix
            length.twiddles[k] = at
            span //= radix
            at += span * (radix - 1) * 2 * self.item

    cdef Py_ssize_t spectrum_bytes(self) noexcept:
        cdef Py_ssize_t points = self.s.along_z.n * self.s.along_y.n * self.s.along_x.n
        return (2 * points * self.item + 63) // 64 * 64

    cdef Py_ssize_t thread_bytes(self, bint gaps) noexcept:
        cdef Overlap* s = &self.s
        cdef Py_ssize_t scalars
        scalars = s.along_z.n * s.plane + s.along_x.n * (2 * s.lanes + FFT_ROWS)
        return (scalars * self.item + 127) // 64 * 64 + judge_bytes(s)

    cdef int set_gaps(self, Overlap* s, Gaps* g, gaps) except -1:
        """Prepare for samples that are missing."""
        mask, g.nan, g.weights.sign, g.weights.whole, s.thin, s.sparse, s.refilling = gaps
        g.masked = mask is not None
        if g.masked:
            g.mask = s.x
            g.mask.fill = &NOTHING
            g.mask.pixel_stride = g.mask.sample_stride = mask.strides[self.axis_of[2]]
            g.mask.same = False
            set_row_load(&g.mask, self.sums_code, ROW_UINT8)
            g.samples = cnp.PyArray_BYTES(mask)
            g.z_stride = mask.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
            g.y_stride = mask.strides[self.axis_of[1]] if self.axis_of[1] >= 0 else 0
        s.gaps = g
        return 0

    def run(self, cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, fill_value, int weight_exponent,
            bint clip, int threads, gaps=None):
        """Solve the problem; return boxes of results to be summed plainly, as rows of an array.

        A row is the batch item, from and to along z, y and x.

        With ``gaps`` (mask or None, whether NaN are missing, sign, W, thin, sparse, refilling)
        samples are left out: results that saw less than ``thin`` of the weights, or only samples
        that are quiet beside others, are NaN, as are all of a tile that has less than the part
        ``sparse`` of its samples. LOW_COVERAGE, 1, is returned if some of the former are, of tiles
        that saw anything, and QUIET, 2, if some of the latter are; or −1 if x holds NaN or infinity
        that are not missing. ``refilling`` writes nothing but results that are NaN, to a ``y`` in
        float32.

        ``x`` is aligned and native; ``w`` contiguous in the order z, y, x, in the dtype of the
        sums, its largest weight between 2^-40 and 2^20, and was multiplied by 2 to minus
        ``weight_exponent``; ``y`` native.
        """
        cdef Overlap s = self.s
        cdef Py_ssize_t n_batch = self.n_batch
        cdef Py_ssize_t pairs = n_batch * s.item_pairs if gaps is None else s.tiles
        cdef Gaps g
        cdef cnp.ndarray flags, quiet
        cdef Py_ssize_t shared, tables, each, done, step
        cdef int code = row_codes[cnp.PyArray_TYPE(x)]
        cdef double fill_double = fill_value
        cdef float fill_float = <float>fill_double
        cdef bint whole = True
        cdef Call call
        cdef char* block
        cdef Py_ssize_t* x_batch
        cdef Py_ssize_t* out_batch
        cdef char* work
        s.z_stride = x.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        s.y_stride = x.strides[self.axis_of[1]] if self.axis_of[1] >= 0 else 0
        s.x.pixel_stride = s.x.sample_stride = x.strides[self.axis_of[2]]
        s.x.same = code == self.sums_row and s.x.pixel_stride == self.item
        set_row_load(&s.x, self.sums_code, code)
        s.x.fill = &fill_float if self.sums_code == SUMS_FLOAT else <const void*>&fill_double
        s.out_z = y.strides[self.axis_of[0]] if self.axis_of[0] >= 0 else 0
        s.out_y = y.strides[self.axis_of[1]] if self.axis_of[1] >= 0 else 0
        s.out_x = y.strides[self.axis_of[2]]
        s.stored = row_codes[cnp.PyArray_TYPE(y)] == self.sums_row and s.out_x == self.item
        s.streaming = cnp.PyArray_NBYTES(y) > STREAM_BYTES
        s.prefetching = cnp.PyArray_NBYTES(x) > CACHE_BYTES
        s.emit = row_emits[self.sums_code][clip][row_codes[cnp.PyArray_TYPE(y)]]
        s.weight_exponent = weight_exponent
        if gaps is not None:
            self.set_gaps(&s, &g, gaps)
        flags = np.zeros(s.tiles, np.uint8)
        s.left = s.uneven = <unsigned char*>cnp.PyArray_DATA(flags)
        if gaps is None:
            quiet = np.zeros(s.tiles * QUIET_BOXES * QUIET_BOX, np.intp)
            s.quiet = <Py_ssize_t*>cnp.PyArray_DATA(quiet)
        s.weights = cnp.PyArray_DATA(w)
        threads = <int>least(threads, pairs)
        shared = self.spectrum_bytes()
        tables = 3 * n_batch * <Py_ssize_t>sizeof(Py_ssize_t)
        tables = shared + (tables + 63) // 64 * 64
        each = self.thread_bytes(gaps is not None)
        block = <char*>take_parts(&tables, threads, &each)
        try:
            s.spectrum = block
            x_batch = <Py_ssize_t*>(block + shared)
            out_batch = x_batch + n_batch
            work = block + tables
            if gaps is not None and g.masked:
                g.batch = out_batch + n_batch
                list_batch(self.batch, gaps[0], y, out_batch + n_batch, out_batch)
            list_batch(self.batch, x, y, x_batch, out_batch)
            if self.sums_code == SUMS_FLOAT:
                find_core[float](&s, <const float*>s.weights)
                transform_kernel[float](&s, <const float*>cnp.PyArray_DATA(w), <float*>work,
                                         <float*>block)
            else:
                find_core[double](&s, <const double*>s.weights)
                transform_kernel[double](&s, <const double*>cnp.PyArray_DATA(w), <double*>work,
                                          <double*>block)
            call = Call(&s, self.sums_code, cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(y), x_batch,
                        out_batch)
            step = threads * most(1, <Py_ssize_t>(
                POINTS_BETWEEN_SIGNALS
                / (<double>s.along_z.n * s.along_y.n * s.along_x.n)))
            done = 0
            while done < pairs and whole:
                step = least(step, pairs - done)
                whole = not share_units(run_tiles, &call, done, step, threads, work, each, 0)
                done += step
                PyErr_CheckSignals()
        finally:
            put_block(block)
        if gaps is None:
            for done in range(s.tiles):
                if s.left[done]:
                    return self.quiet_boxes(np.flatnonzero(flags), quiet)
            return ()
        return int(np.bitwise_or.reduce(flags)) if whole else -1

    cdef quiet_boxes(self, tiles, quiet):
        """Return the boxes of the results that these tiles have listed, each after its item."""
        cdef Overlap* s = &self.s
        if not len(tiles):
            return np.empty((0, 1 + QUIET_BOX), np.intp)
        boxes = quiet.reshape(s.tiles, QUIET_BOXES, QUIET_BOX)[tiles]
        items = np.broadcast_to(tiles[:, np.newaxis, np.newaxis] // s.item_tiles,
                                (len(tiles), QUIET_BOXES, 1))
        for i, stride in enumerate((s.z.stride, s.y.stride, s.x.axis.stride)):
            boxes[..., 2 * i:2 * i + 2] = -(-boxes[..., 2 * i:2 * i + 2] // stride)
        held = (boxes[..., 1::2] > boxes[..., ::2]).all(axis=-1)
        return np.concatenate([items, boxes], axis=-1)[held]


def tile_axis(Py_ssize_t outputs, Py_ssize_t room, Py_ssize_t lanes):
    """Return how many tiles an axis takes, and the outputs of each: whole vectors if it can."""
    cdef Py_ssize_t most = room // lanes * lanes if room > lanes else room
    cdef Py_ssize_t each = ceil_div(outputs, ceil_div(outputs, most))
    each = least(ceil_div(each, lanes) * lanes, most)
    return ceil_div(outputs, each), each
