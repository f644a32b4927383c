"""box: sums that windows share are plain sums in another order, of any length, local and exact."""

import itertools
import os
import subprocess
import sys

import numpy as np
import oracles
import pytest
from arrays import LAYOUTS, assert_exact, axis_orders, bits, noise, small

import pyconv
from pyconv._engine import planning
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.problem import EXTENTS
from pyconv._native import loader

REAL = ["float32", "float64"]


def box(x, w, *args, flip=False, **keywords):
    """Call with shared sums forced."""
    call = pyconv.convolve if flip else pyconv.correlate
    return call(x, w, *args, method="box", **keywords)


def assert_is_exact(x, w, *args, **keywords):
    """Assert that whole samples are summed without any rounding."""
    y = box(x, w, *args, **keywords)
    assert_exact(y, oracles.correlate(x, w, *args, **keywords)[0], y.dtype)


# ---- agreement with the definition -------------------------------------------------------------

SHAPES = [
    ((300,), (2,)),
    ((90,), (31,)),
    ((20, 50), (3, 3)),
    ((33, 31), (5, 9)),
    ((20, 23), (1, 6)),
    ((23, 20), (6, 1)),
    ((2, 21, 23), (8, 7)),
    ((6, 7, 11), (3, 2, 5)),
    ((5, 6, 40), (4, 1, 3)),
]


@pytest.mark.parametrize("dtype", ["uint8", "int64", *REAL, "complex64"])
@pytest.mark.parametrize(("x_shape", "w_shape"), SHAPES)
def test_every_boundary_and_extent(isa, rng, x_shape, w_shape, dtype):
    """One sample more than a window, and one less, whatever lies outside."""
    x, w = small(rng, x_shape, dtype), np.full(w_shape, 3, dtype)
    pads = [(4, 3), (-1, 2), (9, 0)][: len(w_shape)]
    for mode, boundary in itertools.product([*EXTENTS, pads], BOUNDARIES):
        assert_is_exact(x, w, mode, boundary, fill_value=3)


@pytest.mark.parametrize("dilation", [1, 3])
@pytest.mark.parametrize("stride", [1, 2, 7])
def test_stride_and_dilation(isa, rng, stride, dilation):
    """Rows of other classes share no sums, and rows that a stride skips are not written."""
    for dtype, (x_shape, w_shape) in itertools.product(
        ("uint8", "float32"), [((150,), (5,)), ((60, 70), (4, 3)), ((17, 18, 40), (2, 3, 4))]
    ):
        x, w = small(rng, x_shape, dtype), np.full(w_shape, 2, dtype)
        for mode in EXTENTS:
            for s, d in ((stride, dilation), (stride, 1), (1, dilation)):
                assert_is_exact(x, w, mode, "mirror", stride=s, dilation=d)


@pytest.mark.parametrize("dtype", REAL)
def test_sizes_around_vectors_and_windows(isa, rng, dtype):
    """One sample less than a vector, than a panel or than a window, as many, and one more."""
    lanes = isa.vector_bytes() // np.dtype(dtype).itemsize
    columns = {n + d for n in (1, lanes, 2 * lanes, 4 * lanes, 4096) for d in (0, 1, 2)}
    for k, cols in itertools.product((2, 3, 4, 7, 8, 9), columns):
        x = small(rng, (2, cols + k), dtype)
        assert_is_exact(x, np.ones(k, dtype))
    for k, rows in itertools.product((2, 5, 8), (1, 4, 5, 7, 9, 16, 17)):
        x = small(rng, (rows + k, lanes + 3), dtype)
        assert_is_exact(x, np.ones((k, 2), dtype))


def test_long_windows(isa, rng):
    """Blocks that take more than the caches, windows that do not fit a panel twice."""
    for x_shape, w_shape in (
        ((9000,), (4000,)),
        ((700, 900), (400, 333)),
        ((3000, 3), (2500, 2)),
        ((40, 90, 500), (33, 45, 30)),
    ):
        x = small(rng, x_shape, "int64")
        sums = x
        for axis, k in enumerate(w_shape):
            total = np.cumsum(np.insert(sums, 0, 0, axis=axis), axis=axis)
            high = np.take(total, range(k, total.shape[axis]), axis=axis)
            sums = high - np.take(total, range(total.shape[axis] - k), axis=axis)
        for dtype in ("int64", "float64"):
            y = box(x.astype(dtype), np.full(w_shape, 3, dtype))
            assert_exact(y, 3 * sums, dtype)


@pytest.mark.parametrize("axes", [*axis_orders(3, 1), *axis_orders(3, 2), *axis_orders(3, 3)])
def test_axes_and_flip(isa, rng, axes):
    """Kernel axes in any order, batch axes anywhere; a long trailing one is columns."""
    for dtype, shape in itertools.product(
        ("int32", "float32", "complex64"), [(9, 10, 7), (5, 6, 80)]
    ):
        x, w = small(rng, shape, dtype), np.full((3, 4, 2)[: len(axes)], 2, dtype)
        for flip in (False, True):
            assert_is_exact(x, w, "same", "constant", fill_value=2, axes=axes, flip=flip)
    x = small(rng, (12, 3, 8, 9), "float32")
    assert_is_exact(x, np.ones((2, 3), "float32"), axes=(0, 1))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(isa, rng, layout):
    """Any memory layout gives the bits of a contiguous copy."""
    for dtype, shape in itertools.product(
        (*REAL, "complex64", "float16"),
        [((70, 250), (9, 7)), ((300, 70), (5,)), ((12, 13, 90), (3, 4, 5))],
    ):
        x, w = noise(rng, shape[0], dtype), np.full(shape[1], 0.3, dtype)
        for axes in (None, range(len(shape[1]))):
            y = box(LAYOUTS[layout](x), LAYOUTS[layout](w), "same", "mirror", axes=axes)
            assert bits(y) == bits(box(x, w, "same", "mirror", axes=axes))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "bool"])
def test_integer_samples(isa, rng, dtype):
    """With a real weight the result is real; with a whole one it is exact, in any dtype."""
    x = small(rng, (60, 70), dtype)
    y, (exact, scale) = (
        box(x, np.full((7, 5), 0.1), "same"),
        oracles.correlate(x, np.full((7, 5), 0.1), "same"),
    )
    assert (np.abs(y - exact) <= 37 * np.finfo(float).eps * scale).all()
    w = np.full((3, 5), -2, "int16")
    for result, overflow in itertools.product(("int16", "uint8"), ("wrap", "saturate")):
        keywords = {"dtype": result, "overflow": overflow}
        y = box(x, w, "same", "nearest", **keywords)
        expected = pyconv.correlate(x, w, "same", "nearest", method="reference", **keywords)
        assert_exact(y, expected, result)
    y = box(x, np.full((3, 3), 0.5), dtype="uint8", overflow="saturate")
    expected = pyconv.correlate(
        x, np.full((3, 3), 0.5), dtype="uint8", overflow="saturate", method="direct"
    )
    assert_exact(y, expected, np.uint8)


def test_sums_that_need_64_bits(isa, rng):
    """Integers beyond 2⁵³, and sums that wrap."""
    x, w = rng.integers(-(2**62), 2**62, (40, 41)), np.full((5, 4), -3)
    total, _ = oracles.correlate(x, w)
    wrapped = np.array(total & (2**64 - 1)).astype(np.uint64).astype(np.int64)
    assert_exact(box(x, w, overflow="wrap"), wrapped, np.int64)
    assert_is_exact(x >> 10, w)


def test_same_bits_for_every_number_of_workers(isa, rng):
    """Blocks begin where they do however the work is cut."""
    for shape, w_shape, axes in (
        ((700, 900), (9, 11), (0, 1)),
        ((30, 90, 100), (5, 7, 4), (0, 1, 2)),
        ((90, 100, 6), (4, 3), (0, 1)),
        ((5000,), (33,), (0,)),
        ((400, 130), (7,), (0,)),
    ):
        x, w = noise(rng, shape, "float32"), np.full(w_shape, 0.7, "float32")
        for stride, dilation in ((1, 1), (2, 1), (1, 3)):
            keywords = {"axes": axes, "stride": stride, "dilation": dilation}
            expected = bits(box(x, w, "same", "mirror", workers=1, **keywords))
            for workers in (2, 3, 7):
                assert bits(box(x, w, "same", "mirror", workers=workers, **keywords)) == expected


def test_large_results_are_streamed_to_their_ends(isa, rng):
    """Beyond the cache, aligned or not."""
    for w_shape in ((4, 5), (6, 1), (1, 2)):
        x, w = small(rng, (1500, 1504), "float32"), np.ones(w_shape, "float32")
        expected = pyconv.correlate(x, w, "same", "wrap", method="direct")
        for offset in (0, 1, 16):
            room = np.full(x.size + 40, np.nan, np.float32)
            out = room[offset : offset + x.size].reshape(x.shape)
            box(x, w, "same", "wrap", out=out)
            np.testing.assert_array_equal(out, expected)
            assert np.isnan(room[:offset]).all()
            assert np.isnan(room[offset + x.size :]).all()


# ---- error -------------------------------------------------------------------------------------


def adversaries(rng, shape):
    """Yield samples that a running sum would drift on."""
    yield rng.standard_normal(shape)
    spikes = rng.standard_normal(shape)
    spikes[rng.random(shape) < 0.01] = 1e12
    yield spikes
    yield np.where(np.indices(shape).sum(axis=0) % 2, 1e6, -1e6) + rng.standard_normal(shape)
    yield rng.standard_normal(shape) * 1e-40
    yield np.full(shape, 1 / 3)


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("w_shape", [(31,), (9, 12), (31, 2), (5, 4, 6)])
def test_error_is_within_the_bound_of_each_window(isa, rng, w_shape, dtype):
    """Of Σ|x||w| over the window of that output: what lies outside it leaves no trace."""
    for values in adversaries(rng, {1: (3000,), 2: (90, 110), 3: (20, 30, 40)}[len(w_shape)]):
        x, w = values.astype(dtype), np.full(w_shape, 1 / 7, dtype)
        y = box(x, w, "same", "mirror").astype(np.longdouble)
        wide = x.astype(np.longdouble)
        for axis, k in enumerate(w_shape):
            wide = oracles.pad_axis(wide, axis, k // 2, (k - 1) // 2, "mirror", 0)
        windows = np.lib.stride_tricks.sliding_window_view(wide, w_shape)
        taps = tuple(range(-len(w_shape), 0))
        weight = np.longdouble(w.flat[0])
        bound = planning.plan_for(x, w, method="box").algorithm.error_bound(
            planning.plan_for(x, w, method="box").problem
        )
        least = w.size * float(np.finfo(dtype).smallest_subnormal)
        allowed = bound * np.abs(windows).sum(axis=taps) * weight + least
        assert (np.abs(y - windows.sum(axis=taps) * weight) <= allowed).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_local(isa, rng, value):
    """A window that does not hold it is as finite as before."""
    for shape, w_shape in (((300, 310), (11, 8)), ((900,), (31,)), ((20, 21, 22), (3, 4, 5))):
        x, w = noise(rng, shape, "float32"), np.full(w_shape, 0.25, "float32")
        clean = box(x, w, "same")
        for where in ((0,) * len(shape), tuple(n // 2 for n in shape), tuple(n - 1 for n in shape)):
            spoilt = x.copy()
            spoilt[where] = value
            y = box(spoilt, w, "same")
            held = ~np.isfinite(pyconv.correlate(spoilt, w, "same", method="direct"))
            np.testing.assert_array_equal(y[held], value)
            np.testing.assert_array_equal(y[~held], clean[~held])
    both = np.array([1, np.inf, 1, -np.inf, 1, 1, 1], "float32")
    np.testing.assert_array_equal(
        box(both, np.ones(2, "float32")), [np.inf, np.inf, -np.inf, -np.inf, 2, 2]
    )


def test_means_of_the_largest_floats(isa):
    """Samples are weighed before they are summed."""
    x = np.full((40, 50), np.finfo("float32").max, "float32")
    y = box(x, np.full((4, 8), 1 / 32, "float32"))
    np.testing.assert_allclose(y, x[:37, :43], rtol=1e-5)


# ---- the choice --------------------------------------------------------------------------------


def test_kernels_that_are_refused(rng):
    """Each with its reason."""
    x = noise(rng, (50, 50), "float32")
    for w, keywords, reason in [
        (noise(rng, (5, 5), "float32"), {}, "not all equal"),
        (np.full((5, 5), np.nan, "float32"), {}, "not all equal"),
        (np.ones((1, 1), "float32"), {}, "one sample"),
        (np.ones((2, 2), "float32"), {"mode": "full", "dilation": 5000}, "more than 4096"),
    ]:
        with pytest.raises(ValueError, match=f"cannot solve this problem: .*{reason}"):
            box(x, w, **keywords)


def test_equal_weights_of_large_kernels_are_taken(rng):
    """In one to three dimensions, with a plain sum demanded too; other weights are not."""
    for shape, w_shape in (
        ((10**5,), (301,)),
        ((400, 500), (31, 31)),
        ((60, 70, 80), (21, 21, 21)),
    ):
        x, w = noise(rng, shape, "float32"), np.full(w_shape, 0.1, "float32")
        for rtol in (None, 0):
            assert planning.plan_for(x, w, rtol=rtol).algorithm.name == "box"
        w.flat[3] = 0.2
        assert planning.plan_for(x, w).algorithm.name != "box"


def test_max_memory(rng):
    """Too little for the blocks: another algorithm by default, an error where it is forced."""
    x, w = noise(rng, (600, 600), "float32"), np.ones((40, 40), "float32")
    chosen = planning.plan_for(x, w)
    need = chosen.algorithm.workspace(chosen.problem)
    assert chosen.algorithm.name == "box"
    assert planning.plan_for(x, w, max_memory=need).algorithm.name == "box"
    assert planning.plan_for(x, w, max_memory=need - 1).algorithm.name != "box"
    with pytest.raises(MemoryError, match=f"least that would do is {need} bytes"):
        box(x, w, max_memory=need - 1)


def test_empty_batches():
    """Nothing to sum, in front of the axes, between them and behind."""
    w = np.ones((3, 3), "float32")
    for axes, shape, expected in [
        ((1, 2), (0, 5, 6), (0, 3, 4)),
        ((0, 1), (5, 6, 0), (3, 4, 0)),
        ((0, 2), (5, 0, 6), (3, 0, 4)),
    ]:
        assert box(np.zeros(shape, "float32"), w, axes=axes).shape == expected


@pytest.mark.skipif(sys.platform != "linux", reason="needs mprotect of Linux")
@pytest.mark.parametrize("name", loader.runnable())
def test_no_access_outside(name):
    """Arrays flush against pages without access; in a process of its own, which that would kill."""
    code = """
import itertools, numpy as np, pyconv
from guard_pages import beside_guard, guarded
for dtype, at_end, rows, cols in itertools.product(
    ("float32", "uint8"), (True, False), (3, 20), (17, 70)
):
    x = np.ones((2, rows, cols), dtype)
    kinds = itertools.product(((3, 4), (3, 1), (2, 2, 3), (4,)), (("valid", 1), ("same", 2)))
    for w_shape, (mode, stride) in kinds:
        w = np.ones(w_shape, "uint8" if dtype == "uint8" else "float32")
        y = pyconv.correlate(x, w, mode, "wrap", stride=stride, method="reference")
        for workers in (1, 2):
            out = beside_guard(y.shape, y.dtype, at_end)
            pyconv.correlate(guarded(x, at_end), guarded(w, at_end), mode, "wrap", out=out,
                             stride=stride, method="box", workers=workers)
            np.testing.assert_array_equal(out, y)
"""
    result = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code],
        env=os.environ | {"PYCONV_ISA": name, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
