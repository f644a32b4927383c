# units: the one loop over units of work, which threads share, with looks at signals in between.

cdef struct Call:
    # What units are run with: numbers of their loop, arrays, and where items of their batch begin.
    const void* loop
    int sums                # code of the sums
    const char* x
    char* y
    const Py_ssize_t* x_batch
    const Py_ssize_t* y_batch

# Runs units start … stop − 1 of a call in the workspace of one thread; returns a count of them that
# the loop wants to know, or 0.
ctypedef Py_ssize_t (*units_run)(const Call* call, Py_ssize_t start, Py_ssize_t stop,
                                 void* work) noexcept nogil


# The shares of a call on some threads: the run of units, or of pieces of them, of each.
cdef struct Shares:
    units_run run
    const Call* call
    Py_ssize_t first        # unit, or piece of each thread
    Py_ssize_t count
    int threads
    char* work
    Py_ssize_t each         # bytes of a thread's workspace
    Py_ssize_t cleared      # of which so many are zeros before the first unit
    Py_ssize_t units        # of all threads, of so many pieces each
    Py_ssize_t pieces


cdef Py_ssize_t run_units_share(const void* shares, int t) noexcept nogil:
    """Run the units of one thread."""
    cdef const Shares* s = <const Shares*>shares
    if s.cleared:
        memset(s.work + t * s.each, 0, s.cleared)
    return s.run(s.call, s.first + s.count * t // s.threads,
                 s.first + s.count * (t + 1) // s.threads, s.work + t * s.each)


cdef Py_ssize_t run_pieces_share(const void* shares, int t) noexcept nogil:
    """Run the next pieces of the units of one thread."""
    cdef const Shares* s = <const Shares*>shares
    cdef Py_ssize_t start = s.units * t // s.threads * s.pieces + s.first
    return s.run(s.call, start,
                 least(start + s.count, s.units * (t + 1) // s.threads * s.pieces),
                 s.work + t * s.each)


cdef Py_ssize_t share_units(units_run run, const Call* call, Py_ssize_t first, Py_ssize_t count,
                            int threads, char* work, Py_ssize_t each,
                            Py_ssize_t cleared) noexcept:
    """Run units first … first + count − 1, contiguous runs of them on each thread.

    The first ``cleared`` bytes of each thread's workspace are set to zeros before, by the thread
    itself: of 64 threads the caller would clear, and the system would give it, more than its own
    units read. Vectors read more samples than a row has. What earlier calls have left there is
    often a number below the normal range, an integer of a table say, which takes the processor a
    hundred times as long to multiply as others.
    """
    cdef Shares shares = Shares(run, call, first, count, threads, work, each, cleared, 0, 0)
    with nogil:
        if threads == 1:
            if cleared:
                memset(work, 0, cleared)
            return run(call, first, first + count, work)
        return run_shares(run_units_share, &shares, threads)


cdef Py_ssize_t run_in_steps(units_run run, const Call* call, Py_ssize_t units, double products,
                             int threads, char* work, Py_ssize_t each, Py_ssize_t cleared,
                             bint stops) except -1:
    """Run units of so many products each; return the sum of counts.

    Workspaces begin as `share_units` says. ``stops``: nothing else is worth having once there is a
    count.
    """
    cdef Py_ssize_t done = 0, found = 0
    # As many units for each thread: a step that is shared unevenly is waited for. Units of a filter
    # that reads nothing have no products.
    cdef double each_products = products if products > 1 else 1
    cdef Py_ssize_t step = threads * most(1, <Py_ssize_t>(PRODUCTS_BETWEEN_SIGNALS / each_products))
    while done < units and not (stops and found):
        step = least(step, units - done)
        # The first step has a share for every thread, of no units perhaps.
        found += share_units(run, call, done, step, threads, work, each, 0 if done else cleared)
        done += step
        PyErr_CheckSignals()
    return found


cdef Py_ssize_t run_pieces(units_run run, const Call* call, Py_ssize_t units, Py_ssize_t pieces,
                           double step, int threads, char* work, Py_ssize_t each) except -1:
    """Run units of so many pieces each, one after the other: each thread has its own units.

    A thread runs ``step`` pieces between two looks at signals.
    """
    cdef Py_ssize_t most_pieces = ceil_div(units, threads) * pieces, done = 0, found = 0
    cdef Py_ssize_t count = most(1, <Py_ssize_t>step)
    cdef Shares shares = Shares(run, call, 0, count, threads, work, each, 0, units, pieces)
    while done < most_pieces:
        count = least(count, most_pieces - done)
        shares.first, shares.count = done, count
        with nogil:
            if threads == 1:
                found += run(call, done, done + count, work)
            else:
                found += run_shares(run_pieces_share, &shares, threads)
        done += count
        PyErr_CheckSignals()
    return found


cdef double work_of_last(Py_ssize_t units, Py_ssize_t panels, double narrow, int threads,
                         double each) noexcept:
    """Return the work of the thread that has most of some units, contiguous runs of them.

    A unit is so much work; the last of so many panels is narrow: that part of the others.
    """
    cdef Py_ssize_t t, begin, end = 0, last
    cdef double greatest = 0
    if panels == 1 or narrow == 1:
        return ceil_div(units, threads) * each
    for t in range(1, threads + 1):
        begin, end = end, units * t // threads
        last = end // panels - begin // panels
        greatest = max(greatest, end - begin - last + last * narrow)
    return greatest * each


cdef double narrow_panel(Py_ssize_t out, Py_ssize_t cols, Py_ssize_t panels) noexcept:
    """Return the columns of the last panel, as a part of those of the others."""
    return <double>(out - (panels - 1) * cols) / cols


# Units of each thread beyond which more of them share nothing better.
cdef Py_ssize_t MOST_UNITS = 4


cdef Py_ssize_t slab_rows(Py_ssize_t rows, Py_ssize_t few, Py_ssize_t out, Py_ssize_t beyond,
                          Py_ssize_t items, Py_ssize_t panels, double narrow,
                          int threads) noexcept:
    """Return the rows of slabs with which the last of some threads is done soonest.

    They are ``rows`` of ``out`` or less, ``few`` or more, in panels of each item, the last of which
    is narrow. A slab takes the work of ``beyond`` rows more: many slabs are shared evenly, and work
    in vain.
    """
    cdef Py_ssize_t best = rows, slabs = ceil_div(out, rows), others = items * panels
    cdef double work, least_work
    if threads == 1:
        return rows
    least_work = work_of_last(others * slabs, panels, narrow, threads, rows + beyond)
    while others * slabs < MOST_UNITS * threads and ceil_div(out, slabs + 1) >= few:
        slabs += 1
        rows = ceil_div(out, slabs)
        work = work_of_last(others * slabs, panels, narrow, threads, rows + beyond)
        if work < least_work:
            best, least_work = rows, work
    return best


cdef Py_ssize_t run_batch(units_run run, Call* call, tuple batch, Py_ssize_t n_batch,
                          cnp.ndarray x, cnp.ndarray y, Py_ssize_t units, double products,
                          int threads, Py_ssize_t each, Py_ssize_t cleared, bint stops) except -1:
    """Run units of the items of a batch, as `run_in_steps`.

    The workspace of a thread has ``each`` bytes, of which the first ``cleared`` begin as zeros.
    """
    cdef Py_ssize_t shared = batch_bytes(n_batch)
    cdef Py_ssize_t* table
    cdef char* block
    threads = <int>least(threads, units)
    block = <char*>take_parts(&shared, threads, &each)
    call.x, call.y = cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(y)
    try:
        table = <Py_ssize_t*>block
        call.x_batch, call.y_batch = table, table + n_batch
        list_batch(batch, x, y, table, table + n_batch)
        return run_in_steps(run, call, units, products, threads, block + shared, each, cleared,
                            stops)
    finally:
        put_block(block)


cdef inline Py_ssize_t batch_bytes(Py_ssize_t n_batch) noexcept:
    """Return the bytes of the tables of a batch, whole cache lines."""
    return (2 * n_batch * <Py_ssize_t>sizeof(Py_ssize_t) + 127) // 64 * 64
