"""Run the tables on arrays that end, or begin, beside a page that must not be touched.

A read or write one element outside kills this process. ``test_guard_pages.py`` starts it once
for each ISA variant; by hand: ``PYCONV_ISA=avx2 python tests/guard_pages.py``.
"""

import ctypes
import itertools
import mmap
import sys

import numpy as np
import oracles

import pyconv
from pyconv.algorithms import ALGORITHMS
from pyconv.boundaries import BOUNDARIES

PROT_NONE = 0
_libc = ctypes.CDLL(None, use_errno=True)


def beside_guard(shape, dtype, at_end):
    """Return an array whose last (or first) byte is next to a page without access."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    page = mmap.PAGESIZE
    pages = -(-max(size, 1) // page)
    room = np.frombuffer(mmap.mmap(-1, (pages + 2) * page), np.uint8)
    start = room.ctypes.data
    for guard in (start, start + (pages + 1) * page):
        if _libc.mprotect(ctypes.c_void_p(guard), ctypes.c_size_t(page), PROT_NONE):
            raise OSError(ctypes.get_errno(), "mprotect")
    first = (pages + 1) * page - size if at_end else page
    return room[first : first + size].view(dtype).reshape(shape)


def guarded(values, at_end):
    """Return a copy of ``values`` beside a guard page."""
    array = beside_guard(values.shape, values.dtype, at_end)
    array[...] = values
    return array


def whole(rng, shape, dtype):
    """Return small whole numbers."""
    return rng.integers(0, 4, shape).astype(dtype)


SHAPES = (
    [((n,), (k,)) for n in (1, 2, 7, 16, 17, 33, 63, 64, 65, 130, 385, 771) for k in (1, 2, 5, 17)]
    + [
        ((rows, cols), kernel)
        for rows in (1, 3, 8, 9, 13)
        for cols in (1, 5, 15, 16, 17, 33, 64, 67)
        for kernel in ((1, 1), (3, 3), (2, 5), (7, 1))
    ]
    + [
        ((planes, rows, cols), kernel)
        for planes in (1, 4)
        for rows in (1, 5, 9)
        for cols in (1, 17, 35)
        for kernel in ((1, 1, 1), (3, 3, 3), (2, 1, 4))
    ]
)
LARGE = [((5000,), (9,)), ((70, 1024), (5, 5)), ((300, 133), (3, 7)), ((9, 40, 70), (3, 3, 3))]
DTYPES = ("float32", "float64", "uint8", "int64", "complex64", "float16")


def assert_agrees(method, y, expected):
    """A transform rounds, but not so far that whole numbers are others."""
    y = np.round(y) if method == "fft" else y
    np.testing.assert_array_equal(y, expected.astype(y.dtype))


def check(rng, x_shape, w_shape, dtype, method, workers=1, **keywords):
    """Run one call with x, w and out at either end of their pages."""
    x, w = whole(rng, x_shape, dtype), whole(rng, w_shape, dtype)
    for at_end in (True, False):
        gx, gw = guarded(x, at_end), guarded(w, at_end)
        try:
            y = pyconv.correlate(gx, gw, method=method, workers=workers, **keywords)
        except ValueError as error:
            if "empty" in str(error) or "cannot solve this problem" in str(error):
                return
            raise
        out = beside_guard(y.shape, y.dtype, at_end)
        pyconv.correlate(gx, gw, out=out, method=method, workers=workers, **keywords)
        expected, _ = oracles.correlate(x, w, **keywords)
        assert_agrees(method, out, expected)


def check_views(rng, dtype, method):
    """Run calls on views whose first or last element is beside the guard."""
    if method == "fft" and np.dtype(dtype).kind in "iu":
        return  # no transform of integers
    for x_shape, w_shape in [((385,), (5,)), ((13, 67), (3, 4)), ((4, 9, 35), (3, 2, 3))]:
        x, w = whole(rng, x_shape, dtype), whole(rng, w_shape, dtype)
        for at_end, step in itertools.product((True, False), (-1, 2, 3)):
            gx = guarded(x, at_end)[(slice(None, None, step),) * x.ndim]
            gw = guarded(w, at_end)[(slice(None, None, step),) * x.ndim]
            y = pyconv.correlate(gx, gw, "same", "mirror", method=method)
            expected, _ = oracles.correlate(gx, gw, "same", "mirror")
            assert_agrees(method, y, expected)


def check_folded(rng, dtype, method):
    """Run calls with trailing batch axes."""
    for length, axes in itertools.product((1, 2, 3, 15, 17, 33, 65), [(0, 1), (1, 0)]):
        for mode in ("valid", "same"):
            check(
                rng, (6, 9, length), (2, 3), dtype, method, mode=mode, boundary="wrap", axes=axes
            )  # fmt: skip
        check(rng, (11, length), (3,), dtype, method, axes=0)


def sweep():
    """Run everything."""
    rng = np.random.default_rng(7)
    for method in (a.name for a in ALGORITHMS if a.name != "reference"):
        for dtype in DTYPES:
            for x_shape, w_shape in SHAPES:
                check(rng, x_shape, w_shape, dtype, method)
                check(rng, x_shape, w_shape, dtype, method, mode="same", boundary="mirror")
            check_views(rng, dtype, method)
            check_folded(rng, dtype, method)
        for x_shape, w_shape in SHAPES[::3]:
            for mode, boundary in itertools.product(("same", "full"), BOUNDARIES):
                check(rng, x_shape, w_shape, "float32", method, mode=mode, boundary=boundary)
            for stride, dilation in [(2, 1), (3, 1), (1, 2), (2, 3), (4, 2)]:
                check(
                    rng, x_shape, w_shape, "float32", method, stride=stride, dilation=dilation
                )  # fmt: skip
            check(rng, x_shape, w_shape, "float32", method, mode=[(-1, -1)] * len(x_shape))
        for (x_shape, w_shape), workers in itertools.product(LARGE, (1, 2, 3)):
            check(rng, x_shape, w_shape, "float32", method, workers)
            check(rng, x_shape, w_shape, "float64", method, workers, mode="same")


if __name__ == "__main__":
    if sys.argv[1:] == ["--touch"]:
        array = beside_guard((5,), np.float32, at_end=True)
        ctypes.string_at(array.ctypes.data + array.nbytes, 1)
    sweep()
    print(pyconv._native.loader.native.ISA)
