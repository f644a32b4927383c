# layer_gradient: a unit of the gradient for the weights, dwᵀ = X · dyᵀ.

cdef void run_gradient_block(const Layer* s, const char* x, const real_t* dy, real_t* dw,
                             Py_ssize_t unit, Py_ssize_t number, const Work* work) noexcept nogil:
    """Add a block of pixels of one image to dw of a unit, and write it after the last.

    A unit is a chunk of one group's channels and a share of its output channels.
    """
    cdef Py_ssize_t share = unit % s.shares
    cdef Py_ssize_t chunk = unit // s.shares % s.n_chunks
    cdef Py_ssize_t group = unit // (s.shares * s.n_chunks)
    cdef Py_ssize_t batch = number // s.n_units, block = number % s.n_units
    cdef Py_ssize_t panel = s.lanes * MATRIX_VECTORS
    cdef Py_ssize_t k_from = part(ceil_div(s.outs, panel), s.shares, share) * panel
    cdef Py_ssize_t k_to = least(
        s.outs, part(ceil_div(s.outs, panel), s.shares, share + 1) * panel
    )
    cdef Py_ssize_t whole = ceil_div(k_to - k_from, s.lanes) * s.lanes
    cdef Py_ssize_t row = apart(s, k_to - k_from)
    cdef Py_ssize_t c = chunk * s.chunk
    cdef Py_ssize_t channels = least(s.chunk, s.channels - c)
    cdef Py_ssize_t terms = channels * s.taps
    cdef Py_ssize_t n_tiles = ceil_div(terms, <Py_ssize_t>MATRIX_ROWS)
    cdef Py_ssize_t blocks = s.n_batch * s.n_units
    cdef Py_ssize_t k, t, q, cols
    cdef real_t* sums = <real_t*>work.sums
    cdef real_t* totals = sums + terms * row
    cdef real_t* turned = <real_t*>work.tile
    cdef const real_t* map
    cdef PixelBlock b
    if k_to <= k_from:
        return
    if number % s.summed == 0:
        if number == s.summed:
            memcpy(totals, sums, terms * row * <Py_ssize_t>sizeof(real_t))
        elif number > 0:
            add_tile(sums, row, terms, whole, totals, row, 1)
        memset(sums, 0, terms * row * <Py_ssize_t>sizeof(real_t))
    x += (group * s.channels + c) * s.x_channel
    set_block(s, block * s.unit, block_pixels(s, block), &b)
    fill_panels(s, &b, x + batch * s.x_batch, channels, work, s.width, <real_t*>work.panels)
    map = dy + (batch * s.groups + group) * s.outs * s.pixels + b.first
    k = k_from
    while k < k_to:
        cols = least(panel, whole - (k - k_from))
        transpose(map + k * s.pixels, s.pixels, least(cols, k_to - k), b.pixels, turned, cols)
        for t in range(n_tiles):
            q = part(terms, n_tiles, t)
            multiply(s.block, part(terms, n_tiles, t + 1) - q, cols // s.lanes, b.pixels,
                     <real_t*>work.panels + q * s.width, 1, s.width, turned, cols,
                     sums + q * row + k - k_from, row, 1, NULL)
        k += panel
    if number < blocks - 1:
        return
    if blocks > s.summed:
        add_tile(sums, row, terms, whole, totals, row, 1)
        sums = totals
    transpose(sums, row, terms, k_to - k_from,
              dw + (group * s.outs + k_from) * s.channels * s.taps + c * s.taps,
              s.channels * s.taps)
