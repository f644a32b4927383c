# layer_weights: weights of a layer in the order in which the tile reads them.

cdef struct WeightChunk:
    # Some channels of the weights of a group.
    Py_ssize_t group, first, channels


cdef const real_t* panel_of_weights(const Layer* s, const Work* work, const real_t* w,
                                    const WeightChunk* chunk, Py_ssize_t k,
                                    Py_ssize_t cols) noexcept nogil:
    """Return the weights of output channels from k on: a row of ``cols`` for each term."""
    cdef Py_ssize_t whole = ceil_div(s.outs, s.lanes) * s.lanes
    cdef Py_ssize_t terms = chunk.channels * s.taps, rows = least(cols, s.outs - k)
    cdef real_t* panel = <real_t*>work.weights
    if s.packed:
        return w + (chunk.group * s.channels + chunk.first) * s.taps * whole + k * terms
    if rows < cols:
        memset(panel, 0, cols * terms * <Py_ssize_t>sizeof(real_t))
    w += (chunk.group * s.outs + k) * s.weights.out + chunk.first * s.weights.channel
    pack_weight_tile(s, &s.weights, w, chunk.channels, rows, panel, cols)
    return panel


cdef int pack_layer(const Layer* s, const WeightStrides* strides, const real_t* w,
                    real_t* packed) except -1:
    """Write the weights group after group, chunk after chunk, tile after tile."""
    cdef Py_ssize_t whole = ceil_div(s.outs, s.lanes) * s.lanes
    cdef Py_ssize_t panel = s.k_panel
    cdef Py_ssize_t n_tiles = ceil_div(s.outs, <Py_ssize_t>(panel if s.by_pixel else MATRIX_ROWS))
    cdef Py_ssize_t group, chunk, k, t, channels, rows, cols, done = 0
    for group in range(s.groups):
        for chunk in range(s.n_chunks):
            channels = least(s.chunk, s.channels - chunk * s.chunk)
            for t in range(n_tiles):
                if s.by_pixel:
                    k = t * panel
                    rows = least(panel, s.outs - k)
                    cols = least(panel, whole - k)
                else:
                    k = part(s.outs, n_tiles, t)
                    rows = cols = part(s.outs, n_tiles, t + 1) - k
                pack_weight_tile(s, strides, w + (group * s.outs + k) * strides.out
                                 + chunk * s.chunk * strides.channel, channels, rows, packed, cols)
                packed += cols * channels * s.taps
                done += cols * channels * s.taps
                if done > WEIGHTS_BETWEEN_SIGNALS:
                    done = 0
                    PyErr_CheckSignals()
    return 0


cdef inline bint taps_in_order(const Layer* s, const WeightStrides* strides) noexcept nogil:
    """Return whether the taps of a channel lie side by side."""
    cdef Py_ssize_t taps_x = s.x.axis.taps, taps_y = s.y.taps
    return ((taps_x == 1 or strides.x == 1) and (taps_y == 1 or strides.y == taps_x)
            and (s.z.taps == 1 or strides.z == taps_x * taps_y))


cdef void pack_weight_tile(const Layer* s, const WeightStrides* strides, const real_t* w,
                           Py_ssize_t channels, Py_ssize_t rows, real_t* packed,
                           Py_ssize_t cols) noexcept nogil:
    """Write the terms of some output channels: a row of ``cols`` for each channel and tap."""
    cdef Py_ssize_t c, t, u, v, k
    cdef Py_ssize_t taps_x = s.x.axis.taps, taps_y = s.y.taps
    cdef const real_t* tap
    if taps_in_order(s, strides):
        if strides.channel == s.taps:  # a row of weights is a row of terms
            transpose(w, strides.out, rows, channels * s.taps, packed, cols)
            return
        for c in range(channels):
            transpose(w + c * strides.channel, strides.out, rows, s.taps,
                      packed + c * s.taps * cols, cols)
        return
    if (strides.x == -1 and (taps_y == 1 or strides.y == -taps_x)
            and (s.z.taps == 1 or strides.z == -taps_x * taps_y)):
        for c in range(channels):  # flipped: from the last tap back
            transpose(w + c * strides.channel - (s.taps - 1), strides.out, rows, s.taps,
                      packed + ((c + 1) * s.taps - 1) * cols, -cols)
        return
    for c in range(channels):
        for t in range(s.z.taps):
            for u in range(taps_y):
                for v in range(taps_x):
                    tap = (w + c * strides.channel + t * strides.z + u * strides.y
                           + v * strides.x)
                    for k in range(rows):
                        packed[k] = tap[k * strides.out]
                    packed += cols
