"""separable: exact for whole kernels, within a plain sum's bound for others, or refused."""

import functools
import itertools
import os
import subprocess
import sys

import numpy as np
import oracles
import pytest
from arrays import LAYOUTS, assert_exact, axis_orders, bits, noise, small
from conftest import one_in

import pyconv
import pyconv.kernels
from pyconv._engine import planning
from pyconv._engine.algorithms.correlation import repairs as module
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.problem import EXTENTS
from pyconv._native import loader

REAL = ["float32", "float64"]


def separable(x, w, *args, flip=False, **keywords):
    """Call with two passes forced."""
    call = pyconv.convolve if flip else pyconv.correlate
    return call(x, w, *args, method="separable", **keywords)


def plan(x, w, **options):
    """Return what a call would run."""
    return planning.plan_for(x, w, **options)


def product(sides):
    """Return the outer product of two or three arrays."""
    return functools.reduce(np.multiply.outer, sides)


def smooth(shape, dtype):
    """Return a kernel of rank one in exact arithmetic, rounded entry by entry."""
    sides = [np.exp(-0.5 * (np.linspace(-2, 2.5, n)) ** 2) for n in shape]
    return product(s / s.sum() for s in sides).astype(dtype)


def whole(rng, shape, dtype):
    """Return a kernel of rank one of small whole numbers, the last of a factor never zero."""
    sides = [np.append(small(rng, n - 1, "int64"), 2) for n in shape]
    whole = product(sides)
    return (np.abs(whole) if np.dtype(dtype).kind == "u" else whole).astype(dtype)


def rank_two(shape, dtype):
    """Return the sum of a wide and a narrow bell."""
    a, b = (np.linspace(-1, 1, n) for n in shape)
    wide = np.outer(np.exp(-(a**2)), np.exp(-(b**2)))
    return (wide - 0.5 * np.outer(np.exp(-9 * a**2), np.exp(-9 * b**2))).astype(dtype)


def assert_within_bound(y, x, w, *args, **keywords):
    """Assert max|y − exact| ≤ (n + 2) · ε · max|x| · Σ|w|."""
    exact, _ = oracles.correlate(x, w, *args, **keywords)
    assert y.shape == exact.shape
    largest = max(np.abs(oracles.wide(x)).max(), abs(keywords.get("fill_value", 0)))
    bound = (w.size + 2) * np.finfo(y.dtype).eps * largest * np.abs(oracles.wide(w)).sum()
    assert np.abs(y - exact).max(initial=0) <= bound


# ---- agreement with the definition -------------------------------------------------------------

SHAPES = [
    ((40, 50), (3, 3)),
    ((33, 31), (5, 9)),
    ((80, 300), (17, 4)),
    ((150, 20), (4, 19)),
    ((2, 41, 43), (5, 6)),
    ((11, 12, 40), (3, 4, 5)),
    ((7, 20, 13), (6, 1, 3)),
    ((2, 9, 8, 9), (4, 3, 2)),
]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", *REAL])
@pytest.mark.parametrize(("x_shape", "w_shape"), SHAPES)
def test_whole_kernels_are_exact(use_isa, rng, x_shape, w_shape, dtype):
    """Every boundary and extent, without any rounding, in each variant."""
    x, w = small(rng, x_shape, dtype), whole(rng, w_shape, dtype)
    pads = [(4, 3), (-1, 2), (3, 0)][: w.ndim]
    calls = [
        {"mode": mode, "boundary": boundary, "fill_value": 3}
        for mode, boundary in itertools.product([*EXTENTS, pads], BOUNDARIES)
    ]
    totals = [oracles.correlate(x, w, **keywords)[0] for keywords in calls]
    for name in loader.runnable():
        use_isa(name)
        for total, keywords in zip(totals, calls, strict=True):
            y = separable(x, w, **keywords)
            assert_exact(y, total, y.dtype)


@pytest.mark.parametrize("dtype", [*REAL, "complex64", "complex128"])
@pytest.mark.parametrize(("x_shape", "w_shape"), SHAPES)
def test_every_boundary_and_extent(isa, rng, x_shape, w_shape, dtype):
    """Rounded kernels stay within the bound of a plain sum."""
    real = np.dtype(dtype).type(0).real.dtype
    x, w = noise(rng, x_shape, dtype), smooth(w_shape, real)
    pads = [(4, 3), (-1, 2), (3, 0)][: w.ndim]
    for mode, boundary in itertools.product([*EXTENTS, pads], BOUNDARIES):
        y = separable(x, w, mode, boundary, fill_value=2.5)
        assert_within_bound(y, x, w, mode, boundary, fill_value=2.5)


@pytest.mark.parametrize("dilation", [1, 2, (1, 5), (4, 1), (3, 16)])
def test_dilation(isa, rng, dilation):
    """Spread-out weights along either axis."""
    for dtype in ("int32", "float32", "float64"):
        x, w = small(rng, (90, 210), dtype), whole(rng, (5, 9), dtype)
        for mode in EXTENTS:
            keywords = {"mode": mode, "boundary": "wrap", "dilation": dilation}
            total, _ = oracles.correlate(x, w, **keywords)
            y = separable(x, w, **keywords)
            assert_exact(y, total, y.dtype)
            x3, w3 = small(rng, (17, 19, 40), dtype), whole(rng, (3, 4, 3), dtype)
            keywords["dilation"] = (2, *np.broadcast_to(dilation, 2) // 2 + 1)
            total, _ = oracles.correlate(x3, w3, **keywords)
            assert_exact(separable(x3, w3, **keywords), total, y.dtype)


@pytest.mark.parametrize("stride", [2, 3, (1, 2), (5, 1), (4, 7)])
def test_stride_is_a_slice(isa, rng, stride):
    """Rows and columns that are skipped, with dilations that share a divisor and that do not."""
    for dtype, dilation in (("int32", 1), ("float32", 2), ("float64", (3, 4)), ("uint8", 1)):
        x, w = small(rng, (70, 203), dtype), whole(rng, (9, 6), dtype)
        for mode in ("valid", "same"):
            keywords = {"mode": mode, "boundary": "mirror", "dilation": dilation}
            every = pyconv.correlate(x, w, method="direct", **keywords)
            rows, cols = np.broadcast_to(stride, 2)
            y = separable(x, w, stride=stride, **keywords)
            np.testing.assert_array_equal(y, every[::rows, ::cols])
        x, w = small(rng, (33, 30, 41), dtype), whole(rng, (4, 3, 5), dtype)
        strides = (*np.broadcast_to(stride, 2)[::-1], 2)
        every = pyconv.correlate(x, w, "same", "wrap", method="direct")
        y = separable(x, w, "same", "wrap", stride=strides)
        np.testing.assert_array_equal(y, every[tuple(slice(None, None, n) for n in strides)])


def mirrored(rng, n, sign, dtype):
    """Return n small whole numbers that are their own mirror image, or the negative of it."""
    half = np.append(small(rng, n // 2, dtype)[1:], 2).astype(dtype)
    middle = [2] * (n % 2) if sign > 0 else [0] * (n % 2)
    return np.concatenate([half, middle, sign * half[::-1]]).astype(dtype)


@pytest.mark.parametrize("dtype", ["int64", *REAL])
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_mirrored_factors_are_exact(isa, rng, signs, dtype):
    """Two taps that are multiplied at once, every number of them, along every axis."""
    first, second = signs
    for taps in (2, *range(5, 13), 22):
        x = small(rng, (30, 40), dtype)
        w = np.outer(mirrored(rng, taps, first, dtype), mirrored(rng, 23 - taps, second, dtype))
        assert_exact(separable(x, w, "same"), oracles.correlate(x, w, "same")[0], x.dtype)
    for taps in (7, 12):
        x = small(rng, (15, 13, 17), dtype)
        sides = ((taps, first), (5, second), (6, first))
        w = product(mirrored(rng, n, sign, dtype) for n, sign in sides)
        assert_exact(separable(x, w, "same"), oracles.correlate(x, w, "same")[0], x.dtype)


@pytest.mark.parametrize("axis", [0, 1])
def test_samples_that_cannot_be_added_in_pairs(isa, axis):
    """Sums of two that overflow, where the result does not: those are summed plainly."""
    w = np.outer(np.array([1, 2, 3, 2, 1], "float32") / 9, np.array([1, 2, 1], "float32") / 4)
    w = w if axis == 0 else w.T.copy()
    for dtype, large in (("float32", 3e38), ("float64", 1.6e308)):
        x = np.full((60, 70), large, dtype)
        y = separable(x, w.astype(dtype), rtol=1e-5)
        np.testing.assert_allclose(y, large, rtol=1e-5)


@pytest.mark.parametrize("dtype", REAL)
def test_sizes_around_tiles_and_strips(isa, rng, dtype):
    """One sample less than a tile, a panel or a step down a strip, as many, and one more."""
    lanes = isa.vector_bytes() // np.dtype(dtype).itemsize
    w = whole(rng, (5, 4), dtype)
    columns = {n + d for n in (1, lanes, 2 * lanes, 12 * lanes, 768) for d in (0, 1, 2)}
    for rows, cols in itertools.product((1, 7, 8, 9), columns):
        x = small(rng, (rows + 4, cols + 3), dtype)
        assert_exact(separable(x, w), oracles.correlate(x, w)[0], x.dtype)
    for rows in (63, 64, 65, 127, 128, 129, 193):
        x = small(rng, (rows + 4, 40), dtype)
        assert_exact(separable(x, w), oracles.correlate(x, w)[0], x.dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_planes_around_tiles_and_slabs(isa, rng, dtype):
    """Planes as small as a tile or smaller, as large as the ring or larger."""
    lanes = isa.vector_bytes() // np.dtype(dtype).itemsize
    for rows, cols in itertools.product((1, 7, 9), (1, 2 * lanes - 1, 2 * lanes + 1)):
        x, w = small(rng, (5, rows + 1, cols + 2), dtype), whole(rng, (3, 2, 3), dtype)
        assert_exact(separable(x, w), oracles.correlate(x, w)[0], x.dtype)
    x, w = small(rng, (9, 210, 1000), dtype), whole(rng, (5, 3, 4), dtype)
    expected = pyconv.correlate(x, w, "same", "wrap", method="direct")
    for workers in (1, 3):
        y = separable(x, w, "same", "wrap", workers=workers)
        np.testing.assert_array_equal(y, expected)


def test_tall_and_wide_kernels(isa, rng):
    """Taller than what is added to a strip at a time, and wider than a panel."""
    for shape in ((301, 3), (3, 901), (150, 151)):
        x = small(rng, (350, 1000), "float64")
        w = np.outer(*(np.arange(n) % 3 for n in shape)).astype("float64")
        rows = pyconv.correlate(x, w[1:2], method="direct")
        expected = pyconv.correlate(rows, w[:, 1:2], method="direct")
        np.testing.assert_array_equal(separable(x, w), expected)


@pytest.mark.parametrize("axes", [*axis_orders(3, 2), *axis_orders(3, 3)])
def test_axes_and_flip(isa, rng, axes):
    """Kernel axes in any order, batch axes anywhere, both directions."""
    for dtype in ("int32", "float32", "complex64"):
        x = small(rng, (14, 17, 19), dtype)
        w = whole(rng, (5, 4, 3)[: len(axes)], "int32" if dtype == "int32" else "float32")
        for flip in (False, True):
            keywords = {"mode": "same", "boundary": "constant", "fill_value": 2, "axes": axes}
            total, _ = oracles.correlate(x, w, flip=flip, **keywords)
            y = separable(x, w, flip=flip, **keywords)
            assert_exact(y, total, y.dtype)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(isa, rng, layout):
    """Any memory layout gives the bits of a contiguous copy."""
    for dtype in ("float32", "float64", "complex64", "float16"):
        real = "float64" if dtype == "float64" else "float32"
        x, w = noise(rng, (70, 250), dtype), smooth((9, 7), real)
        y = separable(LAYOUTS[layout](x), LAYOUTS[layout](w), "same", "mirror")
        assert bits(y) == bits(separable(x, w, "same", "mirror"))
        x, w = noise(rng, (10, 20, 70), dtype), smooth((3, 4, 5), real)
        y = separable(LAYOUTS[layout](x), LAYOUTS[layout](w), "same", "mirror")
        assert bits(y) == bits(separable(x, w, "same", "mirror"))


def test_half_precision_grants_no_more_than_its_rounding(isa):
    """Sums are of float32: many taps do not let a filter of half precision leave out ranks."""
    for sigma in (0.8, 1.8, 2.5):
        for ndim in (2, 3):
            w = pyconv.kernels.log(sigma, ndim=ndim).astype("f4")
            x = np.ones((9, 11, 40)[-ndim:], "f2")
            y = pyconv.correlate(x, w, "same", "symmetric", dtype="f2")
            assert y.dtype == np.float16
            bound = np.finfo("f2").eps * np.abs(w).sum()
            assert np.abs(y.astype(float)).max() <= bound


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "bool"])
def test_integer_samples(isa, rng, dtype):
    """With real weights the result is real; with whole ones it is exact, in any result dtype."""
    x, w = small(rng, (60, 70), dtype), smooth((7, 5), "float64")
    assert_within_bound(separable(x, w, "same"), x, w, "same")
    sobel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], "int16")
    total, _ = oracles.correlate(x, sobel, "same", "nearest")
    for result, overflow in itertools.product(("int16", "uint8"), ("wrap", "saturate")):
        y = separable(x, sobel, "same", "nearest", dtype=result, overflow=overflow)
        expected = pyconv.correlate(
            x, sobel, "same", "nearest", dtype=result, overflow=overflow, method="reference"
        )
        assert_exact(y, expected, result)
    assert_exact(separable(x, sobel, "same", "nearest"), total, np.int64)


def test_sums_that_need_64_bits(isa, rng):
    """Integers beyond 2⁵³, and sums that wrap."""
    x = rng.integers(-(2**62), 2**62, (40, 41))
    w = np.outer([1, -2, 1], [3, 5, 7])
    total, _ = oracles.correlate(x, w)
    wrapped = np.array(total & (2**64 - 1)).astype(np.uint64).astype(np.int64)
    assert_exact(separable(x, w, overflow="wrap"), wrapped, np.int64)
    x >>= 10
    assert_exact(separable(x, w), oracles.correlate(x, w)[0], np.int64)


def test_same_bits_for_every_number_of_workers(isa, rng):
    """Slabs and panels are cut otherwise, outputs are not summed otherwise."""
    for shape, axes in (((700, 900), (0, 1)), ((3, 90, 100), (1, 2)), ((90, 100, 6), (0, 1))):
        x, w = noise(rng, shape, "float32"), smooth((9, 11), "float32")
        expected = bits(separable(x, w, "same", "mirror", axes=axes, workers=1))
        for workers in (2, 3, 7, None):
            y = separable(x, w, "same", "mirror", axes=axes, workers=workers)
            assert bits(y) == expected
    x, w = noise(rng, (40, 70, 90), "float32"), smooth((5, 9, 4), "float32")
    expected = bits(separable(x, w, "same", "mirror", workers=1))
    for workers in (2, 3, 7, None):
        assert bits(separable(x, w, "same", "mirror", workers=workers)) == expected


def test_large_results_are_streamed_to_their_ends(rng):
    """Beyond the cache, aligned or not."""
    x, w = noise(rng, (1500, 1504), "float32"), smooth((11, 9), "float32")
    expected = separable(x, w, "same", "wrap")
    np.testing.assert_allclose(
        expected, pyconv.correlate(x, w, "same", "wrap", method="direct"), atol=1e-5
    )
    for offset in (0, 1, 16):
        room = np.full(x.size + 40, np.nan, np.float32)
        out = room[offset : offset + x.size].reshape(x.shape)
        separable(x, w, "same", "wrap", out=out)
        assert bits(out) == bits(expected)
        assert np.isnan(room[:offset]).all()
        assert np.isnan(room[offset + x.size :]).all()


# ---- rank and error ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", REAL)
def test_kernels_of_rank_two(isa, rng, dtype):
    """Two strips, the sums of both columns in one."""
    x, w = noise(rng, (120, 800), dtype), rank_two((21, 17), dtype)
    algorithm = plan(x, w, method="separable").algorithm
    assert len(algorithm.factors.down) == 2
    assert_within_bound(separable(x, w, "same", "mirror"), x, w, "same", "mirror")


@pytest.mark.parametrize("dtype", REAL)
def test_error_is_within_the_bound_that_is_claimed(rng, dtype):
    """The weights' own rounding included, for alternating samples of one size too."""
    for w in (
        smooth((9, 9), dtype),
        rank_two((25, 25), dtype),
        smooth((31, 5), dtype) * 1e6,
        smooth((5, 9, 7), dtype),
    ):
        values = noise(rng, (60, 70) if w.ndim == 2 else (12, 20, 30), dtype)
        spikes = np.where(rng.random(values.shape) < 0.01, 1e12, values).astype(dtype)
        for x in (values, np.sign(values) * 1000, spikes):
            y = separable(x, w)
            claimed = plan(x, w, method="separable").algorithm.factors.error
            exact, _ = oracles.correlate(x, w)
            scale = np.abs(x).max().astype("f8") * np.abs(w.astype("f8")).sum()
            assert np.abs(y - exact).max() <= claimed * scale


@pytest.mark.parametrize("dtype", REAL)
def test_nearly_separable_kernels_are_refused(rng, dtype):
    """Weights that are off by more than the bound, by default; a grant lets it pass."""
    x, w = noise(rng, (90, 90), dtype), smooth((9, 9), dtype)
    separable(x, w)
    eps = np.finfo(dtype).eps
    w *= 1 + 300 * eps * np.sign(noise(rng, w.shape, dtype))
    with pytest.raises(ValueError, match="cannot solve this problem: .*granted"):
        separable(x, w)
    y = separable(x, w, rtol=1000 * eps)
    exact, _ = oracles.correlate(x, w)
    assert np.abs(y - exact).max() <= 1000 * eps * np.abs(x).max() * np.abs(w).sum()
    with pytest.raises(ValueError, match="cannot solve this problem: .*granted"):
        separable(x, w, rtol=10 * eps)


def test_kernels_that_are_refused(rng):
    """Each with its reason."""
    x = noise(rng, (50, 50), "float32")
    for w, keywords, reason in [
        (noise(rng, 5, "float32"), {}, "two and three dimensions"),
        (noise(rng, (2, 2), "float32"), {}, "as many products"),
        (noise(rng, (9, 9), "float32"), {}, "granted"),
        (smooth((5, 5), "complex64"), {}, "complex"),
        (smooth((5, 5), "float32"), {"rtol": 0}, "rtol=0"),
        (smooth((5, 5), "float32"), {"dtype": "int16", "overflow": "wrap"}, "rounded"),
        (smooth((5, 5), "float32") * np.float32(np.nan), {}, "finite"),
    ]:
        with pytest.raises(ValueError, match=f"cannot solve this problem: .*{reason}"):
            separable(x, w, **keywords)
    with pytest.raises(ValueError, match=r"cannot solve this problem: .*granted"):
        separable(noise(rng, (20, 20, 20), "float32"), noise(rng, (3, 3, 3), "float32"))
    with pytest.raises(ValueError, match="no low rank"):
        separable(small(rng, (50, 50), "int32"), np.eye(5, dtype="int32"))


def test_zero_kernel(isa):
    """Nothing to factor, nothing to lose."""
    x = np.ones((9, 9), "float32")
    for dtype in ("float32", "int32"):
        w = np.zeros((3, 4), dtype)
        y = pyconv.correlate(x, w, method="separable")
        assert not y.any()


# ---- the choice --------------------------------------------------------------------------------


def test_weights_decide(rng):
    """One problem, two kernels: each gets its own algorithm, again and again."""
    x = noise(rng, (500, 500), "float32")
    low, full = smooth((15, 15), "float32"), noise(rng, (15, 15), "float32")
    for _ in range(2):
        assert plan(x, low).algorithm.name == "separable"
        assert plan(x, full).algorithm.name in ("direct", "fft")
    assert plan(x, low) is plan(x, low.copy())
    assert_within_bound(pyconv.correlate(x, low), x, low)
    assert_within_bound(pyconv.correlate(x, full), x, full)


def test_weights_of_small_problems_are_not_looked_at(rng):
    """The plan does not depend on the data, and says so."""
    x, w = noise(rng, (32, 32), "float32"), smooth((3, 3), "float32")
    plan(x, w)
    options = planning.CallOptions()
    assert planning.prepare(x, w, options).settled is plan(x, w)


def test_plans_for_weights_are_bounded(rng):
    """A thousand kernels leave a handful of plans."""
    x = noise(rng, (400, 400), "float32")
    for i in range(20):
        plan(x, smooth((9, 9), "float32") * np.float32(1 + i))
    prepared = planning.prepare(x, smooth((9, 9), "float32"), planning.CallOptions())
    assert 0 < len(prepared.by_weights.found) <= 8


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("method", ["auto", "separable"])
@pytest.mark.parametrize("dtype", [*REAL, "complex64"])
def test_what_is_not_finite_stays_local(isa, rng, method, value, dtype):
    """By default, and where it is forced: what is not finite is that of the plain sum."""
    real = "float64" if dtype == "float64" else "float32"
    x, w = noise(rng, (300, 310), dtype), smooth((11, 11), real)
    assert plan(x, w).algorithm.name == "separable"
    if method == "separable":
        w = rank_two((11, 11), real)
    for where in ((0, 0), (150, 160), (299, 309)):
        spoilt = x.copy()
        spoilt[where] = value
        for workers in (1, 3):
            y = pyconv.correlate(spoilt, w, "same", method=method, workers=workers)
            assert 0 < assert_as_plain(y, spoilt, w, "same").sum() <= w.size
    deep, w3 = noise(rng, (20, 60, 70), dtype), smooth((7, 7, 7), real)
    deep[10, 30, 40] = value
    y = pyconv.correlate(deep, w3, "same", method=method)
    assert_as_plain(y, deep, w3, "same")
    y = pyconv.correlate(x, w, "same", fill_value=value, method=method)
    np.testing.assert_array_equal(np.isfinite(y[:5]), False)
    assert np.isfinite(y[5:-5, 5:-5]).all()


def ran_plainly(x, w, **options):
    """Return the result of a call, and whether the plain sum took over."""
    chosen = plan(x, w, method="separable", **options)
    chosen.plain = None
    y = chosen.solve(x, w, None, 1)
    return y, chosen.plain is not None


def assert_as_plain(y, x, w, *args, flip=False, **keywords):
    """Assert what is not finite as in the plain sum, and other results as if it were zeros."""
    call = pyconv.convolve if flip else pyconv.correlate
    plain = call(x, w, *args, rtol=0, method="direct", **keywords)
    parts = [np.ascontiguousarray(x).view(x.real.dtype)]
    cleared = parts[0].copy()
    cleared[~np.isfinite(cleared)] = 0
    clean = separable(cleared.view(x.dtype), w, *args, flip=flip, **keywords)
    y, plain, clean = (np.ascontiguousarray(a).view(a.real.dtype) for a in (y, plain, clean))
    finite = np.isfinite(plain)
    np.testing.assert_array_equal(y[~finite], plain[~finite])
    assert bits(y[finite]) == bits(clean[finite])
    return ~finite


@pytest.fixture
def spreading(monkeypatch):
    """Have infinities spread where the plain sum of so few results would take no longer."""
    monkeypatch.setattr(module, "SPREAD_SECONDS", 1e-12)
    monkeypatch.setattr(module, "SPREAD_PRODUCT_SECONDS", 0)


#: One sign; several; a weight of zero in the middle; of rank two; of rank two within zeros.
SIGNS = ["one", "several", "odd", "two", "ringed"]


def signed(shape, signs, dtype):
    """Return a kernel that is separable."""
    if signs in ("two", "ringed") and len(shape) == 2:
        w = rank_two(shape, dtype)
        return np.pad(w, 1) if signs == "ringed" else w
    sides = [np.exp(-(np.linspace(-1.5, 1.7, n) ** 2)) for n in shape]
    if signs != "one":
        sides[-1][::2] *= -1
    if signs == "odd":
        sides[0] = np.arange(shape[0]) - shape[0] // 2
    return product(sides).astype(dtype)


NOT_FINITE = {
    "nan": [np.nan],
    "inf": [np.inf],
    "-inf": [-np.inf],
    "opposed": [np.inf, -np.inf, np.inf],
    "mixed": [np.nan, np.inf, -np.inf, np.nan],
}


@pytest.mark.parametrize(
    ("dtype", "signs", "values"),
    one_in(2, [*REAL, "complex64", "complex128"], SIGNS, list(NOT_FINITE)),
)
def test_what_is_not_finite_spoils_its_windows_alone(isa, rng, spreading, values, signs, dtype):
    """At the ends and within, in two and three dimensions, on any threads; no plain sum runs."""
    real = np.dtype(dtype).type(0).real.dtype
    spoilt = 0
    for x_shape, w_shape in (((60, 70), (7, 6)), ((2, 40, 50), (5, 9)), ((16, 17, 18), (3, 4, 5))):
        w = signed(w_shape, signs, real)
        for first in ((0,) * len(x_shape), tuple(n - 1 for n in x_shape), None):
            x = noise(rng, x_shape, dtype)
            parts = x.view(real)
            for value in NOT_FINITE[values]:
                parts[
                    tuple(rng.integers(0, n) for n in parts.shape) if first is None else first
                ] = value
                first = None
            keywords = {"mode": "same", "boundary": rng.choice(list(BOUNDARIES))}
            y, plainly = ran_plainly(x, w, **keywords)
            assert not plainly
            spoilt += assert_as_plain(y, x, w, **keywords).sum()
            assert bits(separable(x, w, **keywords, workers=2)) == bits(y)
    assert spoilt > 0


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("dtype", REAL)
def test_what_is_not_finite_at_every_boundary_and_extent(isa, rng, spreading, signs, dtype):
    """Borders read it again."""
    for x_shape, w_shape in (((30, 40), (9, 5)), ((10, 11, 12), (3, 5, 4))):
        w = signed(w_shape, signs, dtype)
        pads = [(4, 9), (-1, 2), (3, 0)][: w.ndim]
        for mode, boundary in itertools.product([*EXTENTS, pads], BOUNDARIES):
            x = noise(rng, x_shape, dtype)
            for value in (np.nan, np.inf, -np.inf):
                x[tuple(rng.integers(0, min(n, 8)) for n in x_shape)] = value
            y = separable(x, w, mode, boundary, fill_value=2)
            assert_as_plain(y, x, w, mode, boundary, fill_value=2)


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("step", [(1, 2), (2, 1), (3, 2), (2, 4), ((1, 3), (2, 1))])
def test_what_is_not_finite_under_strides_and_dilations(isa, rng, spreading, step, signs):
    """What no tap reads is not seen."""
    stride, dilation = step
    options = {"stride": stride, "dilation": dilation, "axes": (2, 0)}
    w = signed((6, 7), signs, "float32")
    for flip, mode in itertools.product((False, True), EXTENTS):
        x = noise(rng, (40, 2, 50, 3), "float32")
        for value in (np.nan, np.inf, -np.inf):
            x[tuple(rng.integers(0, n) for n in x.shape)] = value
        y = separable(x, w, mode, "wrap", flip=flip, **options)
        assert_as_plain(y, x, w, mode, "wrap", flip=flip, **options)
        assert bits(separable(x, w, mode, "wrap", flip=flip, **options, workers=2)) == bits(y)


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize(
    ("x_dtype", "w_dtype"),
    [("float32", "float64"), ("complex64", "float64"), (">f4", "float32")],
)
def test_what_is_not_finite_in_another_dtype_than_the_sums(
    isa, rng, spreading, x_dtype, w_dtype, signs
):
    """Samples are looked at as they come."""
    x, w = noise(rng, (60, 70), x_dtype.replace(">f4", "float32")), signed((7, 6), signs, w_dtype)
    for values in NOT_FINITE.values():
        spoilt = x.copy()
        for value in values:
            spoilt[tuple(rng.integers(0, 60, 2))] = value
        y = separable(spoilt.astype(x_dtype), w, "same")
        assert_as_plain(y, spoilt, w, "same")


@pytest.mark.parametrize("dtype", REAL)
def test_what_there_is_among_samples(isa, rng, dtype):
    """Found among few and many: of NaN of any sign and payload the first and last, too."""
    info = np.finfo(dtype)
    unsigned = np.dtype(f"u{info.bits // 8}")
    quiet, least = np.array([np.inf, 0], dtype).view(unsigned) + unsigned.type(1)
    top = unsigned.type(1 << (info.bits - 1))
    nans = np.array([np.nan, -np.nan, *np.array([quiet, quiet | top]).view(dtype)], dtype)
    kinds = {"nan": nans, "infinite": np.array([np.inf, -np.inf], dtype)}
    finite = np.array([0.0, -0.0, 1.5, -2.5, info.max, -info.max, info.tiny], dtype)
    finite = np.append(finite, np.array([least, least | top]).view(dtype))
    for n in [*range(1, 40), 1000, 4097]:
        for names in ([], ["nan"], ["infinite"], ["nan", "infinite"]):
            x = rng.choice(finite[: rng.integers(1, len(finite) + 1)], n)
            x[::2] = rng.choice(finite[-2:], len(x[::2]))
            places = rng.choice([0, n - 1, *range(n)], 2)
            for name, place in zip(names, places, strict=False):
                x[place] = rng.choice(kinds[name])
            largest = np.abs(x).max(where=np.isfinite(x), initial=0)
            found = loader.native.look_at_samples(x)
            assert found == (largest, np.isnan(x).any(), np.isinf(x).any())


@pytest.mark.parametrize("signs", SIGNS)
def test_many_that_are_not_finite(isa, rng, signs):
    """NaN never costs a plain sum, nor do infinities that meet no weights of the other sign."""
    clean, w = noise(rng, (200, 210), "float32"), signed((11, 12), signs, "float32")
    for value, part in itertools.product((np.nan, np.inf), (0.02, 0.3, 1)):
        x = clean.copy()
        x[rng.random(x.shape) < part] = value
        y, plainly = ran_plainly(x, w, mode="same")
        if plainly:
            assert bits(y) == bits(pyconv.correlate(x, w, "same", rtol=0))
        else:
            assert_as_plain(y, x, w, "same")
        if signs != "ringed":
            assert plainly == (value == np.inf and signs != "one")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("signs", SIGNS)
def test_a_fill_value_that_is_not_finite(isa, rng, spreading, value, signs):
    """It spoils the results that read it; it is not looked at where none does."""
    x, w = noise(rng, (60, 70), "float32"), signed((7, 6), signs, "float32")
    for mode in EXTENTS:
        y = separable(x, w, mode, fill_value=value)
        plain = pyconv.correlate(x, w, mode, fill_value=value, rtol=0)
        np.testing.assert_array_equal(np.isnan(y), np.isnan(plain))
        np.testing.assert_array_equal(np.isinf(y) * np.sign(y), np.isinf(plain) * np.sign(plain))
    assert not ran_plainly(x, w, mode="valid", fill_value=value)[1]
    x[2, 3] = x[40, 50] = np.inf  # the first beside the border, which NaN outlasts
    y = separable(x, w, "same", fill_value=value)
    plain = pyconv.correlate(x, w, "same", fill_value=value, rtol=0)
    spoilt = ~np.isfinite(plain)
    np.testing.assert_array_equal(y[spoilt], plain[spoilt])
    assert np.isfinite(y[~spoilt]).all()


def test_a_sample_that_only_weights_of_zero_read(isa, spreading):
    """0 · NaN is NaN: a kernel within zeros has taps that no pass reads."""
    w = signed((7, 7), "ringed", "float32")
    for value in (np.nan, np.inf):
        x = np.ones((60, 70), "float32")
        x[0, 0] = value
        y = separable(x, w)
        assert np.isnan(y[0, 0])
        assert np.isnan(y).sum() == 1


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("dtype", REAL)
def test_samples_so_large_that_sums_overflow(isa, rng, spreading, signs, dtype):
    """Results that read them are as good as any, others are untouched; few or many, beside NaN."""
    largest = np.finfo(dtype).max
    w = signed((7, 6), signs, dtype)
    w = (w / (1.01 * np.abs(w).sum())).astype(dtype)
    for part, value, others in itertools.product(
        (0.001, 0.3, 1), (-largest, largest / 2), ([], [np.nan], [np.inf, np.nan])
    ):
        x = noise(rng, (60, 70), dtype)
        # A large one among few of another sign, which adding them in pairs would make infinite.
        x[rng.random(x.shape) < part] = value
        x[30, 20:50] = value
        exact = np.ldexp(pyconv.correlate(np.ldexp(x, -9), w, "same", rtol=0), 9)
        quiet = separable(np.where(np.abs(x) < 1e9, x, 0).astype(dtype), w, "same")
        read = pyconv.correlate((np.abs(x) > 1e9).astype(dtype), np.ones_like(w), "same") > 0.5
        y, plainly = ran_plainly(x, w, mode="same")
        assert not plainly
        assert bits(y[~read]) == bits(quiet[~read])
        bound = (w.size + 2) * np.finfo(dtype).eps * largest
        np.testing.assert_allclose(y, exact, rtol=0, atol=bound)
        for other in others:
            x[tuple(rng.integers(0, 60, 2))] = other
        y, plainly = ran_plainly(x, w, mode="same")
        exact = np.ldexp(pyconv.correlate(np.ldexp(x, -9), w, "same", rtol=0), 9)
        finite = np.isfinite(exact)
        np.testing.assert_array_equal(y[~finite], exact[~finite])
        np.testing.assert_allclose(y[finite], exact[finite], rtol=0, atol=bound)


def test_a_fill_value_so_large_that_sums_overflow(isa, rng):
    """The results that read it are as good as any, others are untouched."""
    x, w = noise(rng, (60, 70), "float32"), signed((7, 6), "two", "float32")
    fill = np.finfo("float32").max
    w /= np.float32(1.01) * np.abs(w).sum()
    exact = np.ldexp(pyconv.correlate(np.ldexp(x, -9), w, "same", fill_value=fill / 512, rtol=0), 9)
    y, plainly = ran_plainly(x, w, mode="same", fill_value=fill)
    assert not plainly
    np.testing.assert_allclose(y, exact, rtol=0, atol=44 * np.finfo("float32").eps * fill)
    assert bits(y[3:-3, 3:-3]) == bits(separable(x, w, "same")[3:-3, 3:-3])


def test_a_second_run_keeps_to_the_memory(isa, rng, monkeypatch):
    """Its copies are part of what is granted; without them the plain sum runs."""
    x, w = noise(rng, (300, 310), "float32"), 5 * smooth((11, 11), "float32")
    x[100:120, 50:90] = np.finfo("float32").max
    need = plan(x, w, method="separable").algorithm.workspace(plan(x, w).problem)
    expected, plainly = ran_plainly(x, w)
    assert not plainly
    y, plainly = ran_plainly(x, w, max_memory=2 * need)
    assert plainly
    np.testing.assert_array_equal(np.isfinite(y), np.isfinite(expected))


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_integers_of_what_is_not_finite(isa, rng, signs, dtype):
    """Those that are asked for instead of floating-point results are those of the plain sum."""
    clean, w = 500 * noise(rng, (60, 70), "float32"), signed((7, 6), signs, "float32")
    w /= np.float32(1.01) * np.abs(w).sum()
    for value in (np.nan, np.inf, np.finfo("float32").max):
        x = clean.copy()
        x[30, 20:30] = value
        results = []
        for method in ("separable", "direct"):
            chosen = plan(x, w, method=method, mode="same", overflow="saturate")
            y = np.zeros(x.shape, dtype)
            chosen.solve(x, w, y, 1)
            results.append(y.astype(int))
        y, expected = results
        assert np.abs(y - expected).max() <= 1
        np.testing.assert_array_equal(y[28:32, 22:28], expected[28:32, 22:28])


def test_samples_near_the_largest_float(isa, rng):
    """Filtered rows may overflow where the result does not."""
    big = np.finfo("float32").max / 4
    x = np.where(np.arange(60) % 2, -big, big).astype("float32") * np.ones((50, 1), "float32")
    w = np.outer([1, -1, 0], [4, 4, 4]).astype("float32")
    np.testing.assert_array_equal(separable(x, w), pyconv.correlate(x, w, method="direct"))
    deep = np.zeros((9, 12, 20), "float32")  # rows do not overflow, but what they add up to does
    deep[:, 4:8, 5:9] = big
    w = np.multiply.outer([1, -1, 0], np.outer([2, 2, 2, 2], [1, 0, -1])).astype("float32")
    assert not separable(deep, w).any()  # the plain sum overflows on its way to zero


def test_runs_of_planes(isa, rng):
    """Threads that share the planes, in numbers that do not divide them."""
    x, w = small(rng, (23, 40, 70), "float32"), whole(rng, (3, 3, 4), "float32")
    expected = pyconv.correlate(x, w, "same", "wrap", method="direct")
    for workers in (1, 2, 3, 5, 7):
        y = separable(x, w, "same", "wrap", workers=workers)
        np.testing.assert_array_equal(y, expected)


def test_borders_that_read_beside_a_panel(isa, rng):
    """Widths at which a border reads the last pixel of a panel, and the first that it has not."""
    w = whole(rng, (2, 5), "float32")
    for columns in range(762, 780):
        x = small(rng, (3, columns), "float32")
        expected = oracles.correlate(x, w, "same", "wrap")[0]
        assert_exact(separable(x, w, "same", "wrap"), expected, x.dtype)


def test_max_memory(rng):
    """Too little for the strips: another algorithm by default, an error where it is forced."""
    x, w = noise(rng, (600, 600), "float32"), smooth((15, 15), "float32")
    chosen = plan(x, w)
    need = chosen.algorithm.workspace(chosen.problem)
    assert chosen.algorithm.name == "separable"
    assert plan(x, w, max_memory=need).algorithm.name == "separable"
    assert plan(x, w, max_memory=need - 1).algorithm.name != "separable"
    assert plan(x, w, max_memory=3 * need).most_threads == 3
    with pytest.raises(MemoryError, match=f"least that would do is {need} bytes"):
        separable(x, w, max_memory=need - 1)


def test_empty_batches():
    """Nothing to filter, in front of the axes, between them and behind."""
    w = np.ones((3, 3), "float32")
    for axes, shape, expected in [
        ((1, 2), (0, 5, 6), (0, 3, 4)),
        ((0, 1), (5, 6, 0), (3, 4, 0)),
        ((0, 2), (5, 0, 6), (3, 0, 4)),
    ]:
        assert separable(np.zeros(shape, "float32"), w, axes=axes).shape == expected


@pytest.mark.skipif(sys.platform != "linux", reason="needs mprotect of Linux")
@pytest.mark.parametrize("name", loader.runnable())
def test_no_access_outside(name):
    """Arrays flush against pages without access; in a process of its own, which that would kill."""
    code = """
import itertools, numpy as np, pyconv
from guard_pages import beside_guard, guarded
for dtype, rows, (cols, taps) in itertools.product(
    ("float32", "uint8", "complex64"), (3, 8, 12, 70),
    ((4, 4), (17, 4), (34, 4), (200, 4), (801, 4), (34, 5), (200, 5), (300, 9), (801, 17)),
):
    x = np.ones((rows, cols), dtype)
    w = np.ones((3, taps), "uint8" if dtype == "uint8" else "float32")
    for mode, workers in (("valid", 1), ("same", 2)):
        y = pyconv.correlate(x, w, mode, "wrap", method="reference")
        for at_end in (True, False):
            out = beside_guard(y.shape, y.dtype, at_end)
            pyconv.correlate(guarded(x, at_end), guarded(w, at_end), mode, "wrap", out=out,
                             method="separable", workers=workers)
            np.testing.assert_array_equal(out, y)
    deep, w3 = np.ones((4, rows, cols), dtype), np.ones((2, 3, taps), w.dtype)
    y = pyconv.correlate(deep, w3, method="reference")
    for at_end in (True, False):
        out = beside_guard(y.shape, y.dtype, at_end)
        pyconv.correlate(guarded(deep, at_end), guarded(w3, at_end), out=out, method="separable")
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
