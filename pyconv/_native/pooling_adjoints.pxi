# pooling_adjoints: what each sample contributes to averages and to the largest.

cdef void spread_columns(const Pool* s, const Panel* p, const char* shares,
                         char* line) noexcept nogil:
    """Add the share of each window of a panel to the columns that it reads."""
    cdef const Windows* a = &s.x
    cdef Py_ssize_t item = s.item, o, k
    cdef Py_ssize_t inner = p.inner_to - p.inner_from
    for k in range(a.taps if inner > 0 else 0):
        s.rows.spread(shares + (p.inner_from - p.o_from) * item, a.stride, inner,
                      line + (p.inner_from * a.stride - a.low + k * a.dilation - p.sample) * item)
    for o in range(p.o_from, p.inner_from):
        spread_window(s, p, shares, o, line)
    for o in range(p.inner_to, p.o_to):
        spread_window(s, p, shares, o, line)


cdef inline void spread_window(const Pool* s, const Panel* p, const char* shares, Py_ssize_t o,
                               char* line) noexcept nogil:
    cdef Window w = window_of(&s.x, o)
    s.rows.repeat(shares + (o - p.o_from) * s.item, s.x.dilation, w.count,
                  line + (w.first - p.sample) * s.item)


cdef Py_ssize_t run_panels_adjoint(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                                   void* memory) noexcept nogil:
    """Add panels start … stop − 1 of the gradient of averages; the first of a plane clears it."""
    cdef const Pool* s = <const Pool*>c.loop
    cdef Py_ssize_t plane_bytes = s.z.size * s.y.size * s.x.size * s.item
    cdef Py_ssize_t unit, at, k
    cdef char* work = <char*>memory
    cdef char* shares = work + s.reach * s.item
    cdef char* plane
    cdef Panel p
    for unit in range(start, stop):
        p = panel_of(s, unit)
        plane = c.y + p.plane * plane_bytes
        if p.oz == 0 and p.oy == 0 and p.o_from == 0:
            memset(plane, 0, plane_bytes)
        at = unit // s.n_panels * s.x.out + p.o_from
        divide_panel(s, &p, c.x + at * s.item, shares)
        memset(work, 0, p.samples * s.item)
        spread_columns(s, &p, shares, work)
        for k in range(p.z.count * p.y.count):
            s.rows.spread(work, 1, p.samples,
                          <char*>window_row(s, &p, plane, k) + p.sample * s.item)
    return 0


def pool_average_adjoint(cnp.ndarray dy, cnp.ndarray dx, list axes, double divisor, int threads):
    """Write what each sample contributes to: the adjoint of `pool_average`."""
    cdef Pool s
    cdef Py_ssize_t planes = cnp.PyArray_DIM(dx, 0)
    cdef Py_ssize_t shared = 0, each
    cdef char* block
    cdef double samples
    cdef Call call
    set_pool(&s, dx, axes)
    set_average(&s, divisor)
    samples = samples_of_window(&s, False)
    set_panels(&s, samples)
    threads = <int>most(1, least(threads, planes))
    each = (s.reach + s.panel) * s.item
    call.loop, call.x, call.y = &s, cnp.PyArray_BYTES(dy), cnp.PyArray_BYTES(dx)
    block = <char*>take_parts(&shared, threads, &each)
    try:  # windows share samples of their plane: each thread goes through its own planes
        run_pieces(run_panels_adjoint, &call, planes, s.z.out * s.y.out * s.n_panels,
                   PRODUCTS_BETWEEN_SIGNALS / (samples * s.panel), threads, block + shared, each)
    finally:
        put_block(block)


cdef struct Scatter:
    # Gradients of n outputs of each plane, of `size` samples.
    const pool_rows* rows
    const int64_t* where
    Py_ssize_t n, size, item


def pool_scatter(cnp.ndarray dy, cnp.ndarray indices, cnp.ndarray dx, int threads):
    """Add each dy at its index of its plane, of zeros before: the adjoint of `pool_largest`.

    All arrays have the shape (planes, samples of a plane), and there are some gradients. Return
    how many indices are neither in a plane nor −1.
    """
    cdef Scatter s
    cdef Py_ssize_t planes = cnp.PyArray_DIM(dx, 0)
    cdef Call call
    s.rows = pool_rows_of[POOL_FLOAT if cnp.PyArray_TYPE(dx) == cnp.NPY_FLOAT else POOL_DOUBLE]
    s.where = <const int64_t*>cnp.PyArray_DATA(indices)
    s.size, s.n, s.item = cnp.PyArray_DIM(dx, 1), cnp.PyArray_DIM(dy, 1), cnp.PyArray_ITEMSIZE(dx)
    call.loop, call.x, call.y = &s, cnp.PyArray_BYTES(dy), cnp.PyArray_BYTES(dx)
    return run_pieces(run_scatter, &call, planes, s.n, WEIGHTS_BETWEEN_SIGNALS,
                      <int>most(1, least(threads, planes)), NULL, 0)


cdef Py_ssize_t run_scatter(const Call* c, Py_ssize_t start, Py_ssize_t stop,
                            void* work) noexcept nogil:
    """Add gradients start … stop − 1 of all planes; the first of a plane clears it."""
    cdef const Scatter* s = <const Scatter*>c.loop
    cdef Py_ssize_t outside = 0, count
    while start < stop:
        if start % s.n == 0:
            memset(c.y + start // s.n * s.size * s.item, 0, s.size * s.item)
        count = least(stop, (start // s.n + 1) * s.n) - start
        outside += s.rows.scatter(c.x + start * s.item, s.where + start, count, s.size,
                                  c.y + start // s.n * s.size * s.item)
        start += count
    return outside
