"""recursive: Gaussians within the bound that is claimed, where the call grants it, or refused."""

import itertools
import os
import subprocess
import sys

import numpy as np
import oracles
import pytest
import scipy.signal
from arrays import LAYOUTS, axis_orders, bits, noise, small

import pyconv
from pyconv import filters, kernels, planning
from pyconv._native import loader
from pyconv.algorithms import recursive as module
from pyconv.boundaries import BOUNDARIES
from pyconv.problem import EXTENTS

REAL = ["float32", "float64"]
GRANTED = 1e-2


def recursive(x, w, *args, rtol=GRANTED, flip=False, **keywords):
    """Call with the recursion forced."""
    call = pyconv.convolve if flip else pyconv.correlate
    return call(x, w, *args, method="recursive", rtol=rtol, **keywords)


def claimed(x, w, **keywords):
    """Return the bound that is claimed for these weights."""
    keywords = {"mode": "same", **keywords}
    plan = planning.plan_for(x, w, method="recursive", rtol=GRANTED, **keywords)
    return plan.algorithm.error_bound(plan.problem)


def defined(x, w, mode="valid", boundary="constant", *, fill_value=0, axes=None):
    """Return the sums in a wide dtype, of samples that NumPy has padded."""
    axes = range(x.ndim - w.ndim, x.ndim) if axes is None else axes
    x = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
    for axis, (low, high) in zip(axes, oracles.pads_of(mode, w.shape), strict=True):
        x = oracles.pad_axis(x, axis, low, high, boundary, fill_value)
    w = np.flip(w.astype(np.float64))
    order = np.argsort(axes)
    other = [a for a in range(x.ndim) if a not in axes]
    w = np.expand_dims(w.transpose(order), other)
    if w.size < 100:  # no transform, where samples may differ by many orders of magnitude
        return scipy.signal.convolve(x, w, "valid", method="direct")
    return scipy.signal.oaconvolve(x, w, "valid", axes=sorted(axes))


def assert_within_claim(y, x, w, *args, **keywords):
    """Assert max|y − exact| ≤ claimed · max|x| · Σ|w|."""
    exact = defined(x, w, *args, **keywords)
    assert y.shape == exact.shape
    largest = max(np.abs(x).max(), abs(keywords.get("fill_value", 0)))
    bound = claimed(x, w) if "axes" not in keywords else claimed(x, w, axes=keywords["axes"])
    scale = float(largest) * np.abs(w.astype(np.float64)).sum()
    assert np.abs(y - exact).max(initial=0) <= (bound + 1e-14) * scale


def gaussian(sigma, dtype, **keywords):
    return kernels.gaussian(sigma, dtype=dtype, **keywords)


# ---- agreement with the definition -------------------------------------------------------------

#: More and fewer lines than lanes, and lines that are cut.
CASES = [
    ((300,), (4,)),
    ((7000,), (6,)),
    ((60, 70), (3, 5)),
    ((3, 40, 25), (4, 2)),
    ((18, 20, 33), (2, 2.5, 2)),
]


@pytest.mark.parametrize("dtype", [*REAL, "complex64", "complex128"])
@pytest.mark.parametrize(("shape", "sigmas"), CASES)
def test_every_boundary_and_extent(isa, rng, shape, sigmas, dtype):
    """Weights of any sum and sign."""
    real = np.dtype(dtype).type(0).real.dtype
    x, w = noise(rng, shape, dtype), -3 * gaussian(sigmas, real)
    pads = [(4, 30), (-1, 25), (3, 20)][: w.ndim]
    fits = all(k <= n for k, n in zip(w.shape, shape[-w.ndim :], strict=True))
    for mode, boundary in itertools.product([*EXTENTS, pads], BOUNDARIES):
        if mode == "valid" and not fits:
            continue
        y = recursive(x, w, mode, boundary, fill_value=2.5)
        assert y.dtype == dtype
        assert_within_claim(y, x, w, mode, boundary, fill_value=2.5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sizes_around_panels(isa, rng, dtype):
    """One line and one sample less than a panel, a run or a vector, as many, and one more."""
    width = isa.recursive_width(dtype)
    w, row = gaussian((2, 3), dtype), gaussian(2, dtype, ndim=1)
    sizes = sorted({n + d for n in (2, width, 2 * width, 128) for d in (-1, 0, 1)})
    for rows, cols in itertools.product(sizes, repeat=2):
        x = noise(rng, (rows, cols), dtype)
        assert_within_claim(recursive(x, w, "same", "wrap"), x, w, "same", "wrap")
    for n in (1, 2, 3, 31, 32, 33, 127, 128, 129, 2047, 2048, 2049, 10_001):
        x = noise(rng, (n,), dtype)
        assert_within_claim(recursive(x, row, "same", "mirror"), x, row, "same", "mirror")


@pytest.mark.parametrize("dtype", REAL)
def test_lines_that_are_cut(isa, rng, dtype, monkeypatch):
    """Pieces are entered where what lies before has been forgotten; few lines or long ones."""
    monkeypatch.setattr(module, "WHOLE_LINE", 300)
    monkeypatch.setattr(module, "PIECE", 200)
    for shape in ((30_000,), (3, 9000), (40, 700)):
        x, w = noise(rng, shape, dtype), gaussian(5, dtype, ndim=1)
        (step,) = module._passes(planning.plan_for(x, w).problem, None)
        assert step.pieces > 5
        assert_within_claim(recursive(x, w, "same", "wrap"), x, w, "same", "wrap")
        assert_within_claim(recursive(x, w), x, w)


@pytest.mark.parametrize("shape", [(30, 33), (5, 40, 37), (35, 36, 3), (20, 41, 2, 30)])
def test_any_axes(isa, rng, shape):
    """Batches in front, between and behind; axes of the kernel in any order."""
    w = gaussian((2, 3), "float32")
    for axes in axis_orders(len(shape), 2):
        for dtype in ("float32", "complex64"):
            x = noise(rng, shape, dtype)
            y = recursive(x, w, "same", "mirror", axes=axes)
            assert_within_claim(y, x, w, "same", "mirror", axes=axes)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(rng, layout):
    """Every memory layout is filtered like a contiguous copy, bit for bit."""
    for shape, sigma in (((90,), (3,)), ((40, 50), (2, 3)), ((9, 20, 33), (2, 2, 2))):
        for dtype in ("float32", "complex128"):
            x, w = noise(rng, shape, dtype), gaussian(sigma, "float32")
            y = recursive(LAYOUTS[layout](x), LAYOUTS[layout](w), "same", "mirror")
            assert bits(y) == bits(recursive(x, w, "same", "mirror"))
    w = gaussian((2, 3), "float32")
    for shape in ((30, 40, 3), (20, 30, 40)):  # samples of a pixel: few, and a panel
        x = noise(rng, shape, "float32")
        y = recursive(LAYOUTS[layout](x), w, "same", "mirror", axes=(0, 1))
        assert bits(y) == bits(recursive(x, w, "same", "mirror", axes=(0, 1)))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "bool", "int64"])
def test_integer_samples(isa, rng, dtype):
    """Samples of other dtypes than the sums; results of another."""
    for shape in ((60, 70), (40, 50, 3)):
        x, w = small(rng, shape, dtype), gaussian((3, 2), "float32")
        y = recursive(x, w, "same", "nearest", axes=(0, 1))
        assert_within_claim(y, x, w, "same", "nearest", axes=(0, 1))
    wide = recursive(x, w, axes=(0, 1), dtype="float64")
    assert wide.dtype == np.float64
    np.testing.assert_allclose(wide, recursive(x, w, axes=(0, 1)), rtol=1e-5, atol=1e-6)


def test_same_bits_for_every_number_of_workers(isa, rng):
    """Whole panels go to threads."""
    for shape, axes in (((70_000,), 0), ((300, 410), (0, 1)), ((50, 60, 5), (0, 1))):
        x, w = noise(rng, shape, "float32"), gaussian(4, "float32", ndim=np.size(axes))
        expected = bits(recursive(x, w, "same", "mirror", axes=axes, workers=1))
        for workers in (2, 3, 7, None):
            y = recursive(x, w, "same", "mirror", axes=axes, workers=workers)
            assert bits(y) == expected


def test_results_of_any_alignment(rng):
    """Beyond the cache, where whole lines of it are written past it, and into an overlapping x."""
    x, w = noise(rng, (1504, 1504), "float32"), gaussian((3, 4), "float32")
    expected = recursive(x, w, "same", "wrap")
    for offset in (0, 1, 16):
        room = np.full(x.size + 48, np.nan, np.float32)
        start = (-room.ctypes.data % 64) // 4 + offset
        out = room[start : start + x.size].reshape(x.shape)
        recursive(x, w, "same", "wrap", out=out)
        assert bits(out) == bits(expected)
        assert np.isnan(room[:start]).all()
        assert np.isnan(room[start + x.size :]).all()
    recursive(x, w, "same", "wrap", out=x)
    assert bits(x) == bits(expected)


def test_flipped_is_the_same(rng):
    """A Gaussian is symmetric."""
    x, w = noise(rng, (60, 50), "float32"), gaussian((3, 4), "float32")
    assert bits(recursive(x, w, "same", flip=True)) == bits(recursive(x, w, "same"))


# ---- error -------------------------------------------------------------------------------------


def adversaries(rng, shape):
    """Yield samples on which an error would show, of any magnitude."""
    values = rng.standard_normal(shape)
    yield values
    yield np.where(rng.random(shape) < 0.01, 1e12, values)
    yield np.where(np.indices(shape).sum(axis=0) % 2, 1e6, -1e6)
    yield np.full(shape, 1 / 3)
    yield values * 1e-40
    yield values * 1e-20
    yield values * 1e37
    one = np.zeros(shape)
    one[tuple(n // 2 for n in shape)] = 3
    yield one


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("sigmas", [(2,), (30,), (2, 9), (3, 2, 4)])
def test_error_is_within_the_bound_that_is_claimed(isa, rng, sigmas, dtype):
    """Of max|x| · Σ|w|, for data of any magnitude: some of it is summed plainly."""
    w = gaussian(sigmas, dtype)
    for values in adversaries(rng, {1: (3000,), 2: (120, 90), 3: (30, 40, 50)}[len(sigmas)]):
        x = values.astype(dtype)
        y = recursive(x, w, "same", "mirror")
        largest = float(np.abs(x).max())
        unit = x.astype(np.float64) / largest
        exact = defined(unit, w, "same", "mirror") * largest
        least = w.size * float(np.finfo(dtype).smallest_subnormal)
        bound = (claimed(x, w) + 1e-14) * largest * np.abs(w.astype(np.float64)).sum() + least
        assert np.abs(y - exact).max() <= bound


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("sigma", [2, 5, 10, 40, 200])
def test_bound_is_reached(rng, sigma, dtype):
    """The signs of an impulse's error are data that err by nearly as much as is claimed."""
    w = gaussian(sigma, dtype, ndim=1)
    x = np.zeros(2 * 16 * sigma + 1, dtype)
    x[16 * sigma] = 1
    y = recursive(x, w, "same")
    signs = np.sign(y - defined(x, w, "same"))[::-1].astype(dtype)
    error = np.abs(recursive(signs, w, "same") - defined(signs, w, "same")).max()
    assert 0.5 * claimed(x, w) <= error <= claimed(x, w)


@pytest.mark.parametrize("dtype", REAL)
def test_kernels_that_are_nearly_products(dtype):
    """What sums along either axis do not show is part of the error."""
    x, w = np.zeros((60, 60), dtype), gaussian(3, dtype)
    step = w.dtype.type(1e-3)
    for i, j, sign in ((3, 4, 1), (5, 6, 1), (3, 6, -1), (5, 4, -1)):
        x[30 + i - 12, 30 + j - 12] = sign
        w[i, j] += sign * step
    assert claimed(x, w) > 4 * step / w.sum()
    assert_within_claim(recursive(x, w, "same"), x, w, "same")


@pytest.mark.parametrize("sigma", [2, 3, 5, 10, 20, 50, 100, 300])
def test_what_is_claimed_stays_near_what_is_needed(sigma):
    """About 10⁻⁴ for each axis, however wide, of kernels that end at four σ or later."""
    for dtype, truncate in itertools.product(REAL, (4, 5)):
        w = gaussian(sigma, dtype, ndim=1, truncate=truncate)
        assert module.LEAST_ERROR <= claimed(np.zeros(3000, dtype), w) <= 2.5e-4


def test_zeros_stay_zero(isa, rng):
    """Where nothing has been for long there is nothing, not a subnormal remnant."""
    for dtype in REAL:
        x = np.zeros((50, 9000), dtype)
        x[20:30, 4000:4010] = noise(rng, (10, 10), dtype)
        y = recursive(x, gaussian(4, dtype, ndim=1), "same")
        assert y[:, 3990:4020].any()
        assert not y[:, :1000].any()
        assert not y[:, -1000:].any()
        tiny = np.abs(y[y != 0]).min()
        assert tiny >= np.finfo(dtype).smallest_normal


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_local(isa, rng, value, dtype):
    """The answer is that of the plain sum, on any threads."""
    for shape in ((700,), (60, 70)):
        x, w = noise(rng, shape, dtype), gaussian(2, "float32", ndim=len(shape))
        for where in ((0,) * len(shape), tuple(n - 1 for n in shape)):
            spoilt = x.copy()
            spoilt[where] = value
            plain = pyconv.correlate(spoilt, w, "same", rtol=0)
            for workers in (1, 3):
                assert bits(recursive(spoilt, w, "same", workers=workers)) == bits(plain)
    with pytest.raises(ValueError, match="fill_value=nan would reach"):
        recursive(x, w, "same", fill_value=np.nan)


# ---- the choice --------------------------------------------------------------------------------


def test_only_what_is_granted(rng):
    """Never by default; with an rtol that the bound keeps to, where it is the fastest."""
    x = np.broadcast_to(np.float32(0), (2048, 2048))
    w = gaussian(20, "float32")
    bound = claimed(x, w)
    for rtol in (None, 0, 1e-6, bound * 0.99):
        assert planning.plan_for(x, w, mode="same", rtol=rtol).algorithm.name != "recursive"
    for rtol in (bound, 1e-3):
        assert planning.plan_for(x, w, mode="same", rtol=rtol).algorithm.name == "recursive"
    with pytest.raises(ValueError, match="cannot solve this problem: its proven error bound of"):
        recursive(x, w, "same", rtol=bound * 0.99)


def test_kernels_that_are_refused(rng):
    """Each with its reason."""
    x = noise(rng, (90, 90), "float32")
    w = gaussian(3, "float32")
    one_off = w.copy()
    one_off[3, 4] += 0.02
    for weights, keywords, reason in [
        (w, {"rtol": None}, "rtol has to grant an error of at least 8e-05"),
        (w, {"rtol": 0}, "rtol has to grant"),
        (w, {"stride": 2}, "stride"),
        (w, {"dilation": (1, 2)}, "dilation"),
        (w, {"dtype": "int16", "overflow": "wrap"}, "approximates"),
        (w[1:], {}, "odd number of taps"),
        (w.astype("complex64"), {}, "complex"),
        (w * np.float32(np.nan), {}, "sum to a number"),
        (w - w.mean(), {}, "sum to a number"),
        (np.ones((9, 9), "float32"), {}, "no Gaussian|proven error bound"),
        (gaussian((1, 3), "float32"), {}, "axis 0 of the kernel are no Gaussian, or a narrow"),
        (gaussian(3, "float32", order=2), {}, "sum to a number|no Gaussian"),
        (noise(rng, (9, 9), "float32"), {}, "sum to a number|no Gaussian"),
        (gaussian(3, "float32", truncate=2), {}, "proven error bound"),
        (one_off, {}, "proven error bound"),
        (np.roll(w, 2, axis=1), {}, "proven error bound"),
    ]:
        with pytest.raises(ValueError, match=f"cannot solve this problem: .*({reason})"):
            recursive(x, weights, **keywords)
    with pytest.raises(ValueError, match="integer results are exact"):
        recursive(x.astype("int32"), np.ones((3, 3), "int32"))


def test_max_memory(rng):
    """Extents that leave ``y`` too small for what passes hand on need room, which counts."""
    x, w = noise(rng, (300, 200), "float32"), gaussian(3, "float32")
    same, valid = (
        planning.plan_for(x, w, mode=mode, method="recursive", rtol=GRANTED)
        for mode in ("same", "valid")
    )
    need = valid.algorithm.workspace(valid.problem)
    assert need - same.algorithm.workspace(same.problem) > 250 * 150 * 4
    assert bits(recursive(x, w, max_memory=need)) == bits(recursive(x, w))
    with pytest.raises(MemoryError, match=f"least that would do is {need} bytes"):
        recursive(x, w, max_memory=need - 1)


def test_filters_take_it(rng):
    """`pyconv.filters.gaussian` hands its rtol on."""
    x = noise(rng, (1000, 1000), "float32")
    w = kernels.gaussian(20, ndim=2, dtype="float32")
    y = filters.gaussian(x, 20, rtol=1e-3)
    assert bits(y) == bits(recursive(x, w, "same", "symmetric"))
    assert np.abs(y - filters.gaussian(x, 20)).max() <= 1e-3 * np.abs(x).max()


def test_empty_batches():
    """Nothing to filter, in front of the axes, between them and behind."""
    w = gaussian(2, "float32")
    for axes, shape in (((1, 2), (0, 20, 21)), ((0, 2), (20, 0, 21)), ((0, 1), (20, 21, 0))):
        assert recursive(np.zeros(shape, "float32"), w, "same", axes=axes).shape == shape


@pytest.mark.skipif(sys.platform != "linux", reason="needs mprotect of Linux")
@pytest.mark.parametrize("name", loader.runnable())
def test_no_access_outside(name):
    """Arrays flush against pages without access; in a process of its own, which that would kill."""
    code = """
import itertools, numpy as np, pyconv
from pyconv import kernels
from guard_pages import beside_guard, guarded
for dtype, at_end, shape in itertools.product(
    ("float32", "uint8"), (True, False), ((19, 70), (70, 33), (20, 21, 2), (5000,), (40, 40, 40))
):
    x = np.ones(shape, dtype)
    n = min(2, len(shape))
    w = kernels.gaussian(2, ndim=n, dtype="float32")
    axes = tuple(range(n))
    for mode, workers in itertools.product(("valid", "same", "full"), (1, 2)):
        y = pyconv.correlate(x, w, mode, "wrap", axes=axes)
        out = beside_guard(y.shape, y.dtype, at_end)
        pyconv.correlate(guarded(x, at_end), guarded(w, at_end), mode, "wrap", axes=axes, out=out,
                         method="recursive", rtol=1e-3, workers=workers)
        np.testing.assert_allclose(out, y, atol=1e-3)
"""
    result = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code],
        env=os.environ | {"PYCONV_ISA": name, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
