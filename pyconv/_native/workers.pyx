# cython: freethreading_compatible=True
"""The threads that the loops of every extension share."""

from libc.stdint cimport uintptr_t

cdef extern from "pool.h" nogil:
    void pool_run(void (*function)(void*, int) noexcept nogil, void* data, int shares) noexcept
    int pool_threads() noexcept
    bint pool_is_careful() noexcept


cdef bint used = False


def address():
    """Return where `pool_run` of ``pool.h`` is, to run loops."""
    global used
    used = True
    return <uintptr_t>&pool_run


def is_used():
    """Return whether loops run on these threads."""
    return used


def created():
    """Return how many threads there are beside those of the callers."""
    return pool_threads()


def is_careful():
    """Return whether regions run on one thread for a while: other work has the CPUs."""
    return pool_is_careful()
