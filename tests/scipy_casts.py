"""SciPy's sums as bools and integers without a sign, by casts that are the same on every machine.

``scipy.ndimage`` sums in double and casts. C leaves open what a negative double becomes without a
sign: on x86-64 it wraps, as pyconv says that its own results do, and on ARM it is 0. Here SciPy's
loops sum into doubles, and the cast wraps. Everything else is theirs.
"""

import platform

import numpy as np
import scipy.ndimage


class Loops:
    """The module of SciPy's loops, but for the functions that may store negative sums."""

    def __init__(self, theirs):
        self._theirs = theirs

    def __getattr__(self, name):
        return getattr(self._theirs, name)

    def correlate(self, x, weights, output, *options):
        stored(output, lambda y: self._theirs.correlate(x, weights, y, *options))

    def correlate1d(self, x, weights, axis, output, *options):
        stored(output, lambda y: self._theirs.correlate1d(x, weights, axis, y, *options))

    def uniform_filter1d(self, x, size, axis, output, *options):
        stored(output, lambda y: self._theirs.uniform_filter1d(x, size, axis, y, *options))


def stored(output, run):
    """Let a loop write to an array, or to one of doubles that is cast into it."""
    if output.dtype.kind not in "bu":
        run(output)
        return
    sums = np.empty(output.shape)
    run(sums)
    if output.dtype.kind == "b":  # whose bytes hold more than 0 and 1
        output = output.view(np.uint8)
    negative = np.minimum(sums, 0).astype(np.int64).astype(output.dtype)
    output[...] = np.where(sums < 0, negative, np.maximum(sums, 0).astype(np.uint64))


def define():
    """Give SciPy these loops, on machines where its own would store something else."""
    filters = scipy.ndimage._filters
    wraps = platform.machine() in ("x86_64", "AMD64")
    if not wraps and not isinstance(filters._nd_image, Loops):
        filters._nd_image = Loops(filters._nd_image)
