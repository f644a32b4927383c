"""Run the tables on arrays that end, or begin, beside a page that must not be touched.

A read or write one element outside kills this process. ``test_guard_pages.py`` starts it once
for each ISA variant; by hand: ``PYCONV_ISA=avx2 python tests/guard_pages.py``. Where two lists are
combined, each of a list meets some of the other (`some`), and each pair with ``--whole``.
"""

import ctypes
import itertools
import mmap
import sys
from fractions import Fraction

import layer_oracles
import numpy as np
import oracles
import scipy.ndimage

import pyconv
from pyconv import ndimage
from pyconv._engine.algorithms import ALGORITHMS, LAYER_ALGORITHMS
from pyconv._engine.algorithms.base import WeightDependentAlgorithm
from pyconv._engine.algorithms.layers.winograd import Winograd
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.layer_problem import LayerProblem
from pyconv._engine.planning import plan_for
from pyconv._engine.problem import Axis
from pyconv._native import loader
from pyconv.nn import functional, grad

PROT_NONE = 0
WHOLE = sys.argv[1:] == ["--whole"]
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


def some(items, turn, of):
    """Return each ``of``-th of the items, others at every turn; all of them under ``--whole``."""
    items = list(items)
    return items if WHOLE else items[turn % of :: of]


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


def check_one_sample_axes(rng, dtype):
    """Filter arrays whose axis of one sample has a stride that leads out of their pages."""
    x = whole(rng, (13, 33, 1), dtype)
    for at_end, stride in itertools.product((True, False), (0, -x.itemsize, 1 << 20, -1 << 20)):
        gx = guarded(x, at_end)
        gx = np.lib.stride_tricks.as_strided(gx, x.shape, (*gx.strides[:2], stride))
        for name, argument in (("gaussian_filter", 1.2), ("uniform_filter", 3)):
            run = getattr(ndimage, name)
            np.testing.assert_array_equal(run(gx, argument), run(x, argument))
        np.testing.assert_array_equal(ndimage.sobel(gx, 0), ndimage.sobel(x, 0))
        box = pyconv.correlate(gx, np.ones(3), axes=0, method="box")
        np.testing.assert_array_equal(box, pyconv.correlate(x, np.ones(3), axes=0, method="box"))


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


def check_rounded(rng, dtype):
    """Run calls whose sums become other integers: several tiles are written at a time."""
    for cols in range(500, 1100, 29):
        for x_shape, w_shape in [((9, cols), (3, 3)), ((9, cols), (2, 1)), ((4 * cols,), (5,))]:
            x, w = whole(rng, x_shape, dtype), whole(rng, w_shape, dtype)
            expected, _ = oracles.correlate(x, w)
            for at_end in (True, False):
                out = beside_guard(expected.shape, "int16", at_end)
                plan = plan_for(guarded(x, at_end), guarded(w, at_end), method="direct")
                plan.solve(guarded(x, at_end), guarded(w, at_end), out, 1)
                np.testing.assert_array_equal(out, expected)


LAYERS = (
    [
        ((1, c, h, w), (k, c, 3, 3), {"padding": 1})
        for c in (1, 17)
        for k in (1, 9, 33)
        for h, w in ((1, 1), (3, 7), (5, 16), (7, 33), (14, 14))
    ]
    + [((2, c, n), (k, c, 1), {}) for c in (3, 40) for k in (5, 64) for n in (1, 15, 49, 200)]
    + [
        ((1, 3, 23, 23), (8, 3, 7, 7), {"stride": 2, "padding": 3}),
        ((2, 4, 9, 11), (6, 2, 2, 4), {"groups": 2, "dilation": (1, 2)}),
        ((1, 6, 12, 13), (6, 1, 3, 3), {"groups": 6, "padding": 1}),
        ((1, 3, 16, 33), (6, 1, 3, 3), {"groups": 3, "padding": 1, "stride": 2}),
        ((2, 3, 7, 14), (3, 1, 5, 5), {"groups": 3, "padding": 2, "dilation": (1, 2)}),
        ((1, 2, 5, 6, 19), (9, 2, 3, 3, 3), {"padding": 1}),
        ((1, 64, 7, 7), (64, 64, 1, 1), {}),
    ]
)


def check_layer(rng, case, dtype, workers):
    """Run a layer and its gradients with every array at either end of its pages."""
    x_shape, w_shape, options = case
    n = len(x_shape) - 2
    conv = getattr(functional, f"conv{n}d")
    x, w = whole(rng, x_shape, dtype), whole(rng, w_shape, dtype)
    expected, _ = layer_oracles.conv(x, w, **options)
    for at_end in (True, False):
        gx, gw = guarded(x, at_end), guarded(w, at_end)
        for method in (a.name for a in LAYER_ALGORITHMS if a.name != "reference"):
            out = beside_guard(expected.shape, dtype, at_end)
            try:
                conv(gx, gw, out=out, method=method, workers=workers, **options)
            except ValueError as error:
                if "cannot solve this layer" not in str(error):
                    raise
                continue
            np.testing.assert_allclose(out, expected, atol=1e-3 * max(1, abs(expected).max()))
        dy = guarded(whole(rng, expected.shape, dtype), at_end)
        getattr(grad, f"conv{n}d_weight")(gx, w_shape, dy, workers=workers, **options)
        getattr(grad, f"conv{n}d_input")(x_shape, gw, dy, workers=workers, **options)


def check_pools(rng, shape, dtype):
    """Run pools and their gradients; the arguments are beside the guard."""
    n = len(shape) - 1
    x = whole(rng, shape, dtype)
    options = [(k, s, k // 2, c) for k in (1, 2, 3, 7) for s in (1, 2, 3) for c in (False, True)]
    for at_end, (k, s, p, ceil) in itertools.product((True, False), some(options, sum(shape), 5)):
        gx = guarded(x, at_end)
        pool = getattr(functional, f"max_pool{n}d")
        try:
            y, indices = pool(gx, k, s, p, 1, ceil, return_indices=True)
        except ValueError:  # no window fits
            continue
        np.testing.assert_array_equal(pool(gx, k, s, p, 1, ceil), y)
        dy = guarded(y, at_end)
        getattr(grad, f"max_pool{n}d_input")(shape, guarded(indices, at_end), dy)
        getattr(functional, f"avg_pool{n}d")(gx, k, s, p, ceil)
        getattr(grad, f"avg_pool{n}d_input")(shape, dy, k, s, p, ceil)
        parts = getattr(functional, f"adaptive_avg_pool{n}d")(gx, k)
        getattr(grad, f"adaptive_avg_pool{n}d_input")(shape, guarded(parts, at_end))


def check_winograd(rng, dtype):
    """Run Winograd's layers, whose loops read four samples at a time."""
    shapes = [
        (1, channels, *size)
        for channels in (1, 5, 17)
        for size in ((1,), (4,), (23,), (1, 1), (3, 5), (7, 14), (18, 4), (9, 70), (3, 5, 6))
    ]
    for shape, outputs, tile, at_end in itertools.product(shapes, (1, 18), (2, 4), (True, False)):
        axes = tuple(Axis(2 + i, n, 3, 1, 1, 1, 1, "mirror", n) for i, n in enumerate(shape[2:]))
        problem = LayerProblem(1, shape[1], outputs, 1, axes, np.dtype(dtype))
        x, w = whole(rng, problem.x_shape, dtype), whole(rng, problem.w_shape, dtype)
        b, y = whole(rng, (outputs,), dtype), beside_guard(problem.y_shape, dtype, at_end)
        bound = Winograd(tile).bind(problem)
        gx, gw, gb = (guarded(a, at_end) for a in (x, w, b))
        assert bound.run(gx, bound.pack(gw), gb, y, 1)
        packed = y.copy()
        assert bound.run(gx, gw, gb, y, 2)
        np.testing.assert_array_equal(y, packed)


def check_bytes(rng, shape):
    """Filters of `pyconv.ndimage` whose results are cut to 8 bits, between guarded arrays."""
    x = rng.integers(0, 256, shape, np.uint8)
    for at_end, (name, *args) in itertools.product(
        (True, False),
        (
            ("gaussian_filter", 1.2),
            ("uniform_filter", 3),
            ("correlate", np.full((3,) * len(shape), 0.1)),
            ("gaussian_filter1d", 1.2, 0),
        ),
    ):
        expected = getattr(scipy.ndimage, name)(x, *args)
        for dtype in ("uint8", "int16"):
            y = beside_guard(shape, dtype, at_end)
            getattr(ndimage, name)(guarded(x, at_end), *args, output=y)
            if dtype == "uint8":
                np.testing.assert_array_equal(y, expected)


def check_gaps(rng, shape, dtype):
    """Leave samples out, and match templates; every array is beside the guard."""
    x = whole(rng, shape, dtype)
    mask = rng.random(shape) < 0.3
    w, t = np.ones((2,) * len(shape)), whole(rng, (2,) * len(shape), dtype)
    t.flat[0] = 9
    for at_end in (True, False):
        gx, gaps = guarded(x, at_end), guarded(mask, at_end)
        y = pyconv.correlate(gx, w, "full", mask=gaps)
        out = beside_guard(y.shape, y.dtype, at_end)
        pyconv.correlate(gx, w, "full", mask=gaps, out=out)
        np.testing.assert_array_equal(out, y)
        z, seen = beside_guard(shape, dtype, at_end), beside_guard(shape, bool, at_end)
        loader.native.clear_gaps(gx, z, seen, gaps, x.dtype.kind in "fc", 1)
        np.testing.assert_array_equal(z, x * ~mask)
        if min(shape) > 1 and x.dtype.kind != "c":
            pyconv.match_template(gx, guarded(t, at_end))


def sweep_layers(rng):
    """Run the layers and the pools."""
    for case, dtype, workers in itertools.product(LAYERS, ("float32", "float64"), (1, 2)):
        check_layer(rng, case, dtype, workers)
    for x_shape, dtype in itertools.product(dict(SHAPES), ("float32", "float64")):
        check_pools(rng, (1, *x_shape), dtype)
    for dtype in ("float32", "float64"):
        check_winograd(rng, dtype)


def sweep_bytes(rng):
    """Run rows around the steps of every variant."""
    for n in (1, 5, 31, 63, 64, 65, 130):
        for shape in ((n,), (9, n), (n, 9), (3, 5, n), (4, n, 3)):
            check_bytes(rng, shape)


def sweep_correlations(rng, method):
    """Run the calls of one algorithm."""
    for turn, dtype in enumerate(DTYPES):
        of = 1 if dtype == "float32" else 3
        for x_shape, w_shape in some(SHAPES, turn, of):
            check(rng, x_shape, w_shape, dtype, method)
        for x_shape, w_shape in some(SHAPES, turn + 1, of):
            check(rng, x_shape, w_shape, dtype, method, mode="same", boundary="mirror")
        check_views(rng, dtype, method)
        check_folded(rng, dtype, method)
    for turn, (mode, boundary) in enumerate(itertools.product(("same", "full"), BOUNDARIES)):
        for x_shape, w_shape in some(SHAPES[::3], turn, 5):
            check(rng, x_shape, w_shape, "float32", method, mode=mode, boundary=boundary)
    for turn, (stride, dilation) in enumerate([(2, 1), (3, 1), (1, 2), (2, 3), (4, 2)]):
        for x_shape, w_shape in some(SHAPES[::3], turn, 3):
            check(
                rng, x_shape, w_shape, "float32", method, stride=stride, dilation=dilation
            )  # fmt: skip
    for x_shape, w_shape in SHAPES[::3]:
        check(rng, x_shape, w_shape, "float32", method, mode=[(-1, -1)] * len(x_shape))
    for (x_shape, w_shape), workers in itertools.product(LARGE, (1, 2, 3)):
        check(rng, x_shape, w_shape, "float32", method, workers)
        check(rng, x_shape, w_shape, "float64", method, workers, mode="same")


def check_rates(rng, dtype, axis, turn):
    """Run filters between two rates, whose panels read and write neighbouring lines or pieces."""
    up, down = ((3, 2), (2, 3), (1, 2), (16, 15))[turn % 4]
    for n, lines in itertools.product((1, 15, 16, 17, 100), (1, 3, 8, 17)):
        x, w = whole(rng, (lines, n), dtype), whole(rng, (1, 2, 9, 40)[(n + turn) % 4], dtype)
        x = np.ascontiguousarray(x.T) if axis == 0 else x
        mode = ("full", "same", [(-1, 5)])[(n + lines + turn) % 3]
        options = {"mode": mode, "boundary": [*BOUNDARIES][turn % 5]}
        stride = Fraction(down, up)
        expected, _ = oracles.resample(x, w, up, down, axis=axis, **options)
        if not expected.size:
            continue
        for at_end, method in itertools.product((True, False), ("auto", "direct")):
            gx, gw = guarded(x, at_end), guarded(w, at_end)
            y = pyconv.correlate(gx, gw, stride=stride, axes=axis, method=method, **options)
            out = beside_guard(y.shape, y.dtype, at_end)
            pyconv.correlate(gx, gw, stride=stride, axes=axis, method=method, out=out, **options)
            np.testing.assert_array_equal(out, expected.astype(out.dtype))


def sweep():
    """Run everything."""
    rng = np.random.default_rng(7)
    sweep_layers(rng)
    sweep_bytes(rng)
    for turn, dtype in enumerate(DTYPES):
        for x_shape in some(dict(SHAPES), turn, 2):
            check_gaps(rng, x_shape, dtype)
    for dtype in ("float32", "float64"):
        check_rounded(rng, dtype)
        check_one_sample_axes(rng, dtype)
    for turn, (dtype, axis) in enumerate(itertools.product(DTYPES, (0, 1))):
        for more in range(5 if WHOLE else 2):
            check_rates(rng, dtype, axis, turn + more)
    for algorithm in ALGORITHMS:
        if algorithm.name != "reference" and not isinstance(algorithm, WeightDependentAlgorithm):
            sweep_correlations(rng, algorithm.name)


if __name__ == "__main__":
    if sys.argv[1:] == ["--touch"]:
        array = beside_guard((5,), np.float32, at_end=True)
        ctypes.string_at(array.ctypes.data + array.nbytes, 1)
    sweep()
    print(loader.native.ISA)
