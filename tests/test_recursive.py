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
from conftest import one_in

import pyconv
from pyconv import filters, kernels
from pyconv._engine import planning
from pyconv._engine.algorithms.correlation import recursive as module
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.problem import EXTENTS
from pyconv._native import loader

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
        (step,) = module._passes(planning.plan_for(x, w).problem)
        assert step.pieces > 4
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
    """The signs of an impulse's error are data that err by nearly as much as is claimed.

    But for roundings, which no data of wide kernels in single precision gathers all of one sign.
    """
    w = gaussian(sigma, dtype, ndim=1)
    x = np.zeros(2 * 16 * sigma + 1, dtype)
    x[16 * sigma] = 1
    y = recursive(x, w, "same")
    signs = np.sign(y - defined(x, w, "same"))[::-1].astype(dtype)
    error = np.abs(recursive(signs, w, "same") - defined(signs, w, "same")).max()
    few = 0.2 if dtype == "float32" and sigma > 100 else 0.5
    assert few * claimed(x, w) <= error <= claimed(x, w)


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
    """Below 10⁻⁴ for each axis, of kernels that end at four σ or later; roundings grow with σ."""
    for dtype, truncate in itertools.product(REAL, (4, 5, 8)):
        w = gaussian(sigma, dtype, ndim=1, truncate=truncate)
        roundings = 6e-7 * sigma if dtype == "float32" else 0
        assert claimed(np.zeros(3000, dtype), w) <= 8e-5 + roundings


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


# ---- what is summed together ------------------------------------------------------------------


def parts(a):
    """Return the parts of samples, which are summed each by itself, along a last axis."""
    return np.ascontiguousarray(a)[..., np.newaxis].view(a.real.dtype)


def window_largest(x, w, mode="same", boundary="constant", *, fill_value=0):
    """Return the largest finite magnitude that each result reads, over the last axes."""
    x = np.where(np.isfinite(x), np.abs(x.astype(np.float64)), 0)
    axes = range(x.ndim - w.ndim, x.ndim)
    for axis, (low, high) in zip(axes, oracles.pads_of(mode, w.shape), strict=True):
        x = oracles.pad_axis(x, axis, low, high, boundary, fill_value)
    for axis, taps in zip(axes, w.shape, strict=True):
        x = np.lib.stride_tricks.sliding_window_view(x, taps, axis).max(axis=-1)
    return x


def assert_as_plain(y, x, w, mode="same", boundary="constant", *, granted=GRANTED, fill_value=0):
    """Assert what is not finite as in the plain sum, and errors relative to what a window holds."""
    if x.dtype.kind == "c":
        for i in range(2):
            value = fill_value * (i == 0)
            assert_as_plain(
                parts(y)[..., i], parts(x)[..., i], w, mode, boundary,
                granted=granted, fill_value=value,
            )  # fmt: skip
        return
    largest = window_largest(x, w, mode, boundary, fill_value=fill_value)
    shift = 1000 if largest.max() < 1e-300 else 0  # the plain sum would round it, too
    with np.errstate(all="ignore"):
        wide = np.ldexp(x.astype(np.float64), shift)
        exact = pyconv.correlate(
            wide, w.astype(np.float64), mode, boundary, rtol=0, fill_value=fill_value
        )
    finite = np.isfinite(exact)
    np.testing.assert_array_equal(y[~finite], exact[~finite])
    y, exact, largest = (a[finite].astype(np.float64) for a in (y, exact, largest))
    assert np.isfinite(y).all()
    assert not y[largest == 0].any()
    quantum = 2 * float(np.finfo(x.dtype).smallest_subnormal)
    bound = granted * np.abs(w.astype(np.float64)).sum() * largest + quantum
    assert (np.abs(y - np.ldexp(exact, -shift)) <= bound).all()


def ran_plainly(x, w, mode="same", rtol=GRANTED):
    """Return the result, and whether the plain sum took over."""
    plan = planning.plan_for(x, w, mode=mode, method="recursive", rtol=rtol)
    plan.plain = None
    y = plan.solve(x, w, None, 1)
    return y, plan.plain is not None


SPOILT = ["one", "pair", "corner", "opposed", "few", "many", "line", "column", "all"]


def spoil(rng, x, how, value):
    """Return x with some of its samples replaced."""
    x = x.copy()
    middle = tuple(n // 2 for n in x.shape)
    if how == "one":
        x[middle] = value
    elif how == "pair":
        x[middle] = x[tuple(n // 3 for n in x.shape)] = value
    elif how == "corner":
        x[(0,) * x.ndim] = x[(-1,) * x.ndim] = value
    elif how == "opposed":
        x[middle], x[tuple(n // 3 for n in x.shape)] = value, -value
    elif how == "line":
        x[middle[:-1]] = value
    elif how == "column":
        x[(slice(None), *middle[1:])] = value
    elif how == "all":
        x[...] = value
    else:
        x[rng.random(x.shape) < (0.01 if how == "few" else 0.3)] = value
    return x


@pytest.mark.parametrize(
    ("dtype", "value", "how"),
    one_in(3, ["float32", "float64", "complex64", "complex128"], [np.nan, np.inf, -np.inf], SPOILT),
)
def test_what_is_not_finite_stays_in_its_windows(isa, rng, how, value, dtype):
    """What the plain sum gives, in one to three dimensions, on any threads."""
    cases = [((700,), (4,)), ((60, 70), (3, 2)), ((22, 23, 24), (2, 2, 2))]
    for (shape, sigmas), sign in itertools.product(cases, (1, -2)):
        w = sign * gaussian(sigmas, np.dtype(dtype).type(0).real.dtype)
        x = noise(rng, shape, dtype)
        x = spoil(rng, x, how, value)
        if dtype.startswith("complex") and how != "all":
            parts(x)[tuple(n // 4 for n in shape)] = (1, value)  # one part alone
        boundary = rng.choice(list(BOUNDARIES))
        y = recursive(x, w, "same", boundary, workers=1)
        assert_as_plain(y, x, w, "same", boundary)
        assert bits(recursive(x, w, "same", boundary, workers=2)) == bits(y)


@pytest.mark.parametrize("dtype", REAL)
def test_what_is_not_finite_at_every_boundary_and_extent(isa, rng, dtype):
    """Borders read what is not finite again; lines of one piece, and of several."""
    for shape, sigmas in (((60, 70), (3, 2)), ((9000,), (5,))):
        w = gaussian(sigmas, dtype)
        pads = [(4, 30), (-1, 25)][: w.ndim]
        for mode, boundary in itertools.product([*EXTENTS, pads], BOUNDARIES):
            x = noise(rng, shape, dtype)
            for value in (np.nan, np.inf, -np.inf, 1e30):
                x[tuple(rng.integers(0, n) for n in shape)] = value
            y = recursive(x, w, mode, boundary, fill_value=1e9)
            assert_as_plain(y, x, w, mode, boundary, fill_value=1e9)
    with pytest.raises(ValueError, match="fill_value=nan would reach"):
        recursive(x, w, "same", fill_value=np.nan)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e20, 0])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_line_does_not_depend_on_those_beside_it(isa, rng, axis, value):
    """It has the bits that it has beside others, and alone among zeros."""
    w = gaussian(3, "float32", ndim=1)
    x = noise(rng, (90, 90), "float32")
    spoilt = x.copy()
    line = (slice(None),) * (1 - axis) + (40,)
    spoilt[line][30:70] = value
    y, z = (recursive(a, w, "same", axes=axis) for a in (x, spoilt))
    kept = np.arange(90) != 40
    assert bits(y.compress(kept, 1 - axis)) == bits(z.compress(kept, 1 - axis))
    assert bits(y[line]) != bits(z[line])


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("rtol", [1e-2, 3e-4])
@pytest.mark.parametrize("value", [1e4, 1e6, 1e20, 1e38])
def test_a_loud_sample_stays_in_its_windows(isa, value, rtol, dtype):
    """Results that do not read it are as good as without it; those of zeros alone are zero."""
    for shape, sigmas in (((2000,), (20,)), ((150, 151), (8, 5)), ((40, 41, 30), (2, 2, 2))):
        w = gaussian(sigmas, dtype)
        for background in (1, 0, 1e-3):
            x = np.full(shape, background, dtype)
            x[tuple(n // 3 for n in shape)] = value
            y = recursive(x, w, "same", "nearest", rtol=rtol)
            assert_as_plain(y, x, w, "same", "nearest", granted=rtol)


@pytest.mark.parametrize("dtype", REAL)
def test_samples_of_every_magnitude(isa, rng, dtype):
    """Those of a line differ as much as the dtype allows; all are filtered, none summed plainly."""
    info = np.finfo(dtype)
    least, most = np.log2(float(info.smallest_subnormal)), np.log2(float(info.max))
    for shape, sigmas in (((1500,), (6,)), ((80, 90), (3, 2)), ((30, 31, 32), (2, 2, 2))):
        w = gaussian(sigmas, dtype)
        for low, high in ((least, most - 1), (-60, 60), (-20, 0), (least, least + 9)):
            x = (2 ** rng.uniform(low, high, shape) * rng.choice([-1, 0, 1], shape)).astype(dtype)
            y, plainly = ran_plainly(x, w)
            assert not plainly
            assert_as_plain(y, x, w)


@pytest.mark.parametrize("dtype", REAL)
def test_no_plain_sum_takes_over(isa, rng, dtype):
    """It would take many times as long, for a few samples or for all of them."""
    info = np.finfo(dtype)
    w = gaussian(3, dtype)
    x = rng.uniform(0.5, 1, (90, 100)).astype(dtype)
    data = [spoil(rng, x, how, v) for how in SPOILT for v in (np.nan, np.inf, 1e30)]
    tiny = float(info.smallest_normal) / 100
    data += [x * x.dtype.type(s) for s in (tiny, float(info.max) / 8, float(info.max) * 0.99)]
    for a in data:
        y, plainly = ran_plainly(a, w)
        assert not plainly
        assert_as_plain(y, a, w)


def test_infinities_under_weights_of_several_signs(isa, rng):
    """0 · ∞ is no number, and −1 · ∞ another than 1 · ∞: that is for the plain sum to say."""
    x = noise(rng, (60, 70), "float32")
    for corner in (0, -1e-6):
        w = gaussian(3, "float32")
        w[0, 0] = corner
        for value in (np.nan, np.inf, -np.inf):
            spoilt = spoil(rng, x, "one", value)
            y, plainly = ran_plainly(spoilt, w)
            assert plainly == np.isinf(value)
            assert_as_plain(y, spoilt, w)


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
        (w, {"rtol": None}, "rtol has to grant an error of at least 4e-05"),
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
