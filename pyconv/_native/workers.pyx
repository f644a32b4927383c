# cython: freethreading_compatible=True
"""The threads that the loops of every extension share."""

from libc.stdint cimport uintptr_t

cdef extern from "pool.h" nogil:
    void pool_run(void (*function)(void*, int) noexcept nogil, void* data, int shares) noexcept
    int pool_threads() noexcept
    bint pool_is_careful() noexcept


ctypedef void (*region_run)(void (*function)(void*, int) noexcept nogil, void* data,
                            int shares) noexcept nogil

cdef bint used = False
# Runs regions in the place of the pool, for who measures how work is cut; NULL: the pool does.
cdef region_run diverted = NULL


cdef void run_region(void (*function)(void*, int) noexcept nogil, void* data,
                     int shares) noexcept nogil:
    if diverted is NULL:
        pool_run(function, data, shares)
    else:
        diverted(function, data, shares)


def address():
    """Return where the function is that runs shares of loops, of the signature of `pool_run`."""
    global used
    used = True
    return <uintptr_t>&run_region


def divert(uintptr_t run):
    """Have the function at this address run the regions of every loop; 0: the pool.

    It has the signature of `pool_run`, and may run shares in any order. No call may run meanwhile.
    """
    global diverted
    diverted = <region_run>run


def is_used():
    """Return whether loops run on these threads."""
    return used


def created():
    """Return how many threads there are beside those of the callers."""
    return pool_threads()


def is_careful():
    """Return whether regions run on one thread for a while: other work has the CPUs."""
    return pool_is_careful()
