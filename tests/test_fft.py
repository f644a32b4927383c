"""fft: agrees with the oracle within its bounds, stays local, keeps to what is granted."""

import functools
import itertools
import math
import os
import subprocess
import sys
import textwrap

import numpy as np
import oracles
import pytest
import scipy.ndimage
from arrays import LAYOUTS, bits, noise, small
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import SOON, seconds_to_interrupt
from test_properties import valid_calls

import pyconv
from pyconv import kernels
from pyconv._engine import planner, planning
from pyconv._engine.algorithms import ALGORITHMS, quiet
from pyconv._engine.algorithms.correlation import fft
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.problem import DEFAULT_MEMORY, EXTENTS

#: What the default grants, in units of rounding of max|x| · Σ|w|.
GRANTED = 64


@pytest.fixture
def use_tile(monkeypatch):
    """Return a function that makes every later plan use one tile."""

    def use(*lengths, line=False):
        monkeypatch.setattr(fft, "_tile_of", lambda size: fft.Tile(lengths, line))
        planner.clear_cache()

    yield use
    planner.clear_cache()


def transform(x, w, *args, flip=False, **keywords):
    """Call with the transform forced."""
    call = pyconv.convolve if flip else pyconv.correlate
    return call(x, w, *args, method="fft", **keywords)


def algorithm(x, w, **options):
    """Return the name of what a call would run."""
    return planning.plan_for(x, w, **options).algorithm.name


def assert_close(y, x, w, *args, units=8, **keywords):
    """Assert max|y − exact| ≤ units · ε · max|x| · Σ|w|; the transform's noise is far below."""
    exact, _ = oracles.correlate(x, w, *args, **keywords)
    assert y.shape == exact.shape
    scale = np.abs(oracles.wide(x)).max() * np.abs(oracles.wide(w)).sum()
    fill = keywords.get("fill_value", 0)
    scale = max(scale, abs(fill) * np.abs(oracles.wide(w)).sum())
    error = np.abs(y - exact).max(initial=0)
    assert error <= units * np.finfo(y.dtype).eps * scale, error / scale


# ---- agreement with the definition -------------------------------------------------------------

SHAPES = [
    ((1,), (1,)),
    ((5,), (5,)),
    ((301,), (17,)),
    ((1000,), (257,)),
    ((3, 130), (9,)),
    ((2, 2), (1, 1)),
    ((37, 41), (5, 3)),
    ((70, 129), (1, 31)),
    ((129, 33), (31, 1)),
    ((3, 40, 50), (7, 8)),
    ((9, 17, 33), (3, 5, 2)),
    ((2, 8, 9, 10), (2, 2, 2)),
]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize(("x_shape", "w_shape"), SHAPES)
def test_every_boundary_and_extent(isa, rng, x_shape, w_shape, dtype):
    """All rows of both tables, in each variant."""
    x, w = noise(rng, x_shape, dtype), noise(rng, w_shape, dtype)
    n = len(w_shape)
    for mode, boundary in itertools.product([*EXTENTS, [(4, 3)] * n, [(-1, 2)] * n], BOUNDARIES):
        if min(np.add(x_shape[-n:], -1 if isinstance(mode, list) else 0) - w_shape) < 0:
            continue
        y = transform(x, w, mode, boundary, fill_value=2.5)
        assert_close(y, x, w, mode, boundary, fill_value=2.5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_length_along_every_axis(isa, rng, use_tile, dtype):
    """Each row of LENGTHS, one sample short of a tile, a tile, one more, and two tiles."""
    lanes = isa.fft_lanes(np.dtype(dtype))
    vector = min(n for n in fft.LENGTHS if n % lanes == 0)
    for n in fft.LENGTHS:
        for axis in range(3):
            if axis > 0 and n % lanes:
                continue
            lengths = [8 if axis > 0 else n, vector, vector]
            lengths[axis] = n
            use_tile(*lengths)
            for extra in (-1, 0, 1, n - 1) if n < 600 else (1,):
                shape = [3, 3, 3]
                shape[axis] = n + extra
                x, w = noise(rng, shape, dtype), noise(rng, (2, 2, 2), dtype)
                assert_close(transform(x, w), x, w)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_lines_of_every_length(isa, rng, use_tile, dtype):
    """Four-step transforms of many shapes, about one, two and three of them."""
    lanes = isa.fft_lanes(np.dtype(dtype))
    lengths = [n for n in fft.LENGTHS if n % lanes == 0 and n <= 192]
    for rows, columns in itertools.product(lengths, repeat=2):
        use_tile(1, rows, columns, line=True)
        points = rows * columns
        for n in (points, 2 * points - 1, 2 * points + 1):
            x, w = noise(rng, n, dtype), noise(rng, 3, dtype)
            assert_close(transform(x, w), x, w)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sizes_around_the_tile(isa, rng, use_tile, dtype):
    """Outputs that fill a tile, miss it by one, and pass it by one; odd and even numbers of tiles.

    Small whole numbers come out whole again, so that no sample may be lost or read twice.
    """
    use_tile(1, 32, 32)
    w = small(rng, (5, 4), dtype)
    for rows, cols in itertools.product((4, 27, 28, 29, 57), (3, 15, 16, 17, 28, 29, 30, 59)):
        x = small(rng, (rows + 4, cols + 3), dtype)
        exact, _ = oracles.correlate(x, w)
        np.testing.assert_array_equal(np.round(transform(x, w)), exact)


@pytest.mark.parametrize("stride", [1, 2, 3, (7, 1), (2, 40)])
@pytest.mark.parametrize("dilation", [1, 2, (1, 5)])
def test_stride_and_dilation(isa, rng, stride, dilation):
    """Every stride-th output of tiles whose origin is no multiple of it; spread-out weights."""
    x, w = noise(rng, (83, 205), "float32"), noise(rng, (3, 5), "float32")
    keywords = {"stride": stride, "dilation": dilation}
    for mode in ("valid", "same", "full"):
        assert_close(transform(x, w, mode, "wrap", **keywords), x, w, mode, "wrap", **keywords)
    line = noise(rng, 1003, "float64")
    keywords = {"stride": np.max(stride).item(), "dilation": np.max(dilation).item()}
    y = transform(line, w[0].astype("f8"), "same", "mirror", **keywords)
    assert_close(y, line, w[0].astype("f8"), "same", "mirror", **keywords)


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3), 2)))
def test_axes_and_flip(isa, rng, axes):
    """Kernel axes in any order, batch axes anywhere, both directions, complex weights."""
    for x_dtype, w_dtype in itertools.product(("float32", "complex64"), repeat=2):
        x, w = noise(rng, (13, 17, 19), x_dtype), noise(rng, (5, 4), w_dtype)
        for flip in (False, True):
            y = transform(x, w, "same", "nearest", axes=axes, flip=flip)
            assert_close(y, x, w, "same", "nearest", axes=axes, flip=flip)


def test_complex_fill_value(isa, rng):
    """Real and imaginary parts are filled with their own."""
    x, w = noise(rng, (20, 21), "complex64"), noise(rng, (5, 4), "complex64")
    assert_close(transform(x, w, "full", fill_value=2 - 3j), x, w, "full", fill_value=2 - 3j)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(isa, rng, use_tile, layout):
    """Any memory layout gives the bits of a contiguous copy, inside and at the border."""
    for dtype in ("float32", "float64", "complex64", "float16"):
        x, w = noise(rng, (70, 190), dtype), noise(rng, (9, 7), dtype)
        for tile in ((1, 32, 32), (1, 96, 64)):
            use_tile(*tile)
            y = transform(LAYOUTS[layout](x), LAYOUTS[layout](w), "same", "mirror")
            assert bits(y) == bits(transform(x, w, "same", "mirror"))
        use_tile(1, 16, 16, line=True)
        line, weights = noise(rng, 2000, dtype), noise(rng, 20, dtype)
        y = transform(LAYOUTS[layout](line), LAYOUTS[layout](weights), "same", "wrap")
        assert bits(y) == bits(transform(line, weights, "same", "wrap"))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "bool"])
def test_integers_with_real_weights(isa, rng, dtype):
    """Samples are converted on the way into the tile; the result is float."""
    x, w = small(rng, (40, 60), dtype), noise(rng, (7, 5), "float64")
    assert_close(transform(x, w, "same"), x, w, "same")


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
def test_same_bits_for_every_number_of_workers(isa, rng, dtype):
    """Tiles are paired before they are shared out."""
    for x_shape, w_shape, keywords in [
        ((20_000,), (33,), {}),
        ((5, 301, 203), (9, 8), {"mode": "same", "boundary": "mirror"}),
        ((40, 50, 60), (5, 5, 5), {"stride": 2}),
    ]:
        x, w = noise(rng, x_shape, dtype), noise(rng, w_shape, dtype)
        expected = bits(transform(x, w, workers=1, **keywords))
        for workers in (2, 3, 7, None):
            assert bits(transform(x, w, workers=workers, **keywords)) == expected


@given(valid_calls(), st.booleans(), st.integers(1, 3))
@settings(max_examples=300)
def test_valid_calls_agree_with_the_oracle(call, flip, workers):
    """Whole numbers come out whole again, whatever the keywords."""
    x, w, keywords = call
    total, _ = oracles.correlate(x, w, flip=flip, **keywords)
    integers = {x.dtype.kind, w.dtype.kind} <= set("biu")
    if integers or total.size == 0:
        with pytest.raises(ValueError, match="integer results are exact|would be empty"):
            transform(x, w, flip=flip, workers=workers, **keywords)
        return
    y = transform(x, w, flip=flip, workers=workers, **keywords)
    np.testing.assert_array_equal(np.round(y), total.astype(y.dtype))


def test_streamed_results(rng):
    """A result beyond the cache is written past it, aligned or not, to its ends."""
    x, w = noise(rng, (1500, 1503), "float32"), noise(rng, (11, 9), "float32")
    expected = transform(x, w, "same", "wrap")
    parts = oracles.correlate(x[:40, :40], w)[0]
    np.testing.assert_allclose(expected[5:35, 4:36], parts, atol=1e-4)
    for offset in (0, 1, 5, 16):
        room = np.full(x.size + 40, np.nan, np.float32)
        out = room[offset : offset + x.size].reshape(x.shape)
        transform(x, w, "same", "wrap", out=out)
        assert bits(out) == bits(expected)
        assert np.isnan(room[:offset]).all()
        assert np.isnan(room[offset + x.size :]).all()


# ---- error bounds ------------------------------------------------------------------------------


def spikes(rng, shape, dtype):
    x = rng.standard_normal(shape)
    x.flat[rng.integers(0, x.size, 5)] = 1e12
    return x.astype(dtype)


def alternating(rng, shape, dtype):
    return np.where(np.indices(shape).sum(0) % 2, -1.0, 1.0).astype(dtype)


def one_sign(rng, shape, dtype):
    return (1000 + rng.random(shape)).astype(dtype)


def subnormal(rng, shape, dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    return (rng.integers(-1000, 1000, shape) * tiny).astype(dtype)


def huge(rng, shape, dtype):
    return (rng.uniform(-1, 1, shape) * (np.finfo(dtype).max / 4)).astype(dtype)


def one_sample(rng, shape, dtype):
    x = np.zeros(shape, dtype)
    x[tuple(n // 2 for n in shape)] = 3
    return x


def noisy(rng, shape, dtype):
    return noise(rng, shape, dtype)


DATA = [spikes, alternating, one_sign, subnormal, huge, one_sample, noisy]


def around_one(a):
    """Return ``a`` times a power of two that makes its largest value about one, and the power."""
    _, exponent = np.frexp(np.abs(a).max())
    return np.ldexp(a.astype(np.float64), -exponent), exponent


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("data", DATA)
def test_error_on_adversarial_data(isa, rng, data, dtype):
    """Within what the default grants, and within 2·ε·log₂(N)·‖x‖₂‖w‖₂ of a tile of N samples."""
    eps, info = np.finfo(dtype).eps, np.finfo(dtype)
    shapes = [((90, 110), (9, 13)), ((3000,), (101,)), ((20, 30, 40), (5, 4, 5))]
    for (shape, w_shape), weights in itertools.product(shapes, DATA):
        x, w = data(rng, shape, dtype), weights(rng, w_shape, dtype)
        for a, other in ((x, w), (w, x)):
            if np.abs(a).max() > 1e20:  # the products shall be in range
                for divisor in (np.abs(other).max(), w.size, info.max / 4):
                    other /= divisor
        y = transform(x, w)
        (near_x, x_power), (near_w, w_power) = around_one(x), around_one(w)
        exact, _ = oracles.correlate(near_x, near_w)
        power = x_power + w_power
        with np.errstate(over="ignore"):  # where all products are too small for any result
            tiny = np.ldexp(float(info.smallest_subnormal), -power)
        y = np.ldexp(y.astype(np.float64), -power)
        error = np.abs(y - exact).max()
        assert error <= GRANTED * eps * np.abs(near_x).max() * np.abs(near_w).sum() + tiny
        problem = planning.plan_for(x, w, method="fft").problem
        points = fft._tile_of(fft._size_of(problem)[0]).points
        norms = math.sqrt(2 * points) * np.abs(near_x).max() * np.linalg.norm(near_w)
        assert error <= 2 * eps * math.log2(points) * norms + tiny


@pytest.mark.parametrize("factor", [1e-30, 1e-12, 1e12, 1e25])
def test_error_is_relative_to_the_tile(isa, rng, use_tile, factor):
    """Two tiles in one transform do not feel each other, however different they are."""
    use_tile(1, 64, 64)
    x, w = noise(rng, (2, 60, 60), "float32"), noise(rng, (5, 5), "float32")
    x[1] *= np.float32(factor)
    y = transform(x, w)
    exact, _ = oracles.correlate(x, w)
    for i in range(2):
        granted = GRANTED * np.finfo("f4").eps * np.abs(x[i]).max() * np.abs(w).sum()
        assert np.abs(y[i] - exact[i]).max() <= granted


def test_zero_tiles_stay_zero(isa, rng, use_tile):
    """No noise of another tile where there is nothing."""
    use_tile(1, 32, 32)
    x, w = np.zeros((40, 150), "float32"), noise(rng, (5, 5), "float32")
    x[:, :10] = noise(rng, (40, 10), "float32")
    y = transform(x, w)
    assert y[:, :6].any()
    assert not y[:, 64:].any()
    assert not np.signbit(y[:, 64:]).any()


# ---- NaN and infinity --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("method", ["auto", "fft"])
def test_what_is_not_finite_stays_local(isa, rng, method, value, dtype):
    """The answer is that of the plain sum, whichever algorithm was to run, on any threads."""
    x, w = noise(rng, (150, 160), dtype), noise(rng, (31, 31), dtype)
    assert algorithm(x, w) == "fft"
    for where in ((0, 0), (75, 80), (149, 159)):
        spoilt = x.copy()
        spoilt[where] = value
        expected = pyconv.correlate(spoilt, w, "same", method="direct")
        first = pyconv.correlate(spoilt, w, "same", method=method, workers=1)
        assert bits(pyconv.correlate(spoilt, w, "same", method=method, workers=3)) == bits(first)
        touched = ~np.isfinite(expected)
        assert 0 < touched.sum() <= w.size
        np.testing.assert_array_equal(first[touched], expected[touched])
        np.testing.assert_allclose(first[~touched], expected[~touched], atol=1e-3)
    y = pyconv.correlate(x, w * np.array(value, dtype), method=method)
    assert bits(y) == bits(pyconv.correlate(x, w * np.array(value, dtype), method="direct"))


@pytest.mark.parametrize("share", [1e-4, 0.01, 0.3, 1])
@pytest.mark.parametrize("shape", [(150, 200), (9000,), (30, 40, 50)])
def test_many_that_are_not_finite(isa, rng, share, shape):
    """Outputs are what plain sums give; strides, dilations and borders too."""
    x, n = noise(rng, shape, "float32"), len(shape)
    x[rng.random(shape) < share] = np.nan
    x[rng.random(shape) < share / 2] = np.inf
    x[rng.random(shape) < share / 9] = -np.inf
    for w_shape, keywords in [((9,) * n, {}), ((5,) * n, {"stride": 2, "dilation": 3})]:
        w = noise(rng, w_shape, "float32")
        for out_dtype in ("float32", "float64", "float16"):
            options = {"dtype": out_dtype, **keywords}
            y = transform(x, w, "same", "mirror", **options)
            plain = pyconv.correlate(x, w, "same", "mirror", method="direct", **options)
            np.testing.assert_allclose(y, plain, rtol=1e-2, atol=1e-3)


@pytest.fixture
def no_plain_sums(monkeypatch):
    """Make a plain sum of any output an error."""

    def run(*arguments):
        raise AssertionError("outputs are summed plainly")

    monkeypatch.setattr(quiet.Patches, "run", run)


def assert_same_kind(y, plain, atol=1e-3):
    """Assert NaN where the plain sum has it, infinity of the same sign, and numbers near by."""
    parts = [(y, plain)] if y.dtype.kind == "f" else [(y.real, plain.real), (y.imag, plain.imag)]
    for part, expected in parts:
        finite = np.isfinite(expected)
        np.testing.assert_array_equal(part[~finite], expected[~finite])
        np.testing.assert_allclose(part[finite], expected[finite], atol=atol)


def with_share(rng, x, values, share):
    """Return a copy in which so many samples, and a block, are of some values."""
    x = x.copy()
    for part in [x] if x.dtype.kind == "f" else [x.real, x.imag]:
        spoilt = rng.random(x.shape) < share
        spoilt[(..., *(slice(n // 2, 3 * n // 4) for n in x.shape[-2:]))] = True
        part[spoilt] = rng.choice(values, spoilt.sum())
    return x


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize("values", [[np.nan], [np.inf], [np.nan, np.inf, -np.inf]])
@pytest.mark.parametrize("shape", [(150, 200), (9000,), (2, 30, 40, 50)])
def test_what_is_known_beforehand_is_not_summed(isa, rng, no_plain_sums, shape, values, dtype):
    """What NaN makes of an output is known, and what infinities do where weights have one sign."""
    n, x = min(3, len(shape)), np.empty(shape, dtype)
    for part in [x] if x.dtype.kind == "f" else [x.real, x.imag]:
        part[...] = rng.choice([-1, 1], shape) * (rng.random(shape) + 0.5)  # none is quiet
    for taps, options in [(9, {}), (5, {"stride": 2, "dilation": 3, "boundary": "wrap"})]:
        w = rng.random([taps] * n).astype(x.real.dtype) + 1
        if values == [np.nan]:
            w *= rng.choice([-1, 1], w.shape).astype(w.dtype)
        for share in (0, 0.002, 0.02, 0.3, 1):
            for sign in (1, -1):
                spoilt = with_share(rng, x, values, share)
                y = transform(spoilt, sign * w, "same", **options)
                plain = pyconv.correlate(spoilt, sign * w, "same", method="direct", **options)
                assert_same_kind(y, plain, atol=3e-3)
                again = transform(spoilt, sign * w, "same", workers=3, **options)
                assert bits(again) == bits(y)


def test_infinities_that_are_few_are_added_as_products(isa, rng, no_plain_sums):
    """Where weights differ in sign or are zero, beside NaN and loud samples, in both of a pair."""
    for shape, taps in (((150, 200), 9), ((9000,), 31), ((30, 40, 50), 5)):
        w = noise(rng, [taps] * len(shape), "float32")
        w[rng.random(w.shape) < 0.1] = 0
        for loud in (1, 1e6):
            x = noise(rng, shape, "float32")
            x[rng.random(shape) < 0.001] = np.nan
            x[rng.random(shape) < 0.001] = np.inf
            x[rng.random(shape) < 0.001] = -np.inf
            x.flat[x.size // 3] = loud
            plain = pyconv.correlate(x, w, "same", method="direct")
            assert_same_kind(transform(x, w, "same"), plain, atol=1e-4 * loud)


@pytest.mark.parametrize("x_dtype", ["float32", "float64", "complex64", "float16"])
@pytest.mark.parametrize("w_dtype", ["float32", "complex64"])
@pytest.mark.parametrize("shape", [(150, 160), (2, 9000)])
def test_nan_among_weights(rng, shape, x_dtype, w_dtype):
    """Every output reads every weight: all are NaN, and none is summed."""
    x = noise(rng, shape, x_dtype)
    w = noise(rng, (31, 31) if shape[0] > 2 else (900,), w_dtype)
    (w if w_dtype == "float32" else w.imag)[..., 7] = np.nan
    planner.clear_cache()
    plan = planning.plan_for(x, w)
    assert plan.algorithm.name == "fft"
    y, plain = pyconv.correlate(x, w, "same"), pyconv.correlate(x, w, "same", method="direct")
    np.testing.assert_array_equal(y, plain)
    parts = [y.real, y.imag] if y.dtype.kind == "c" else [y]
    assert all(np.isnan(part).all() for part in parts)
    again = plan.solve(x, w, None, 1)
    assert np.isnan(again).all()
    assert plan.plain is None


# ---- samples of different magnitudes -----------------------------------------------------------


def local_scale(x, w, dilation=1):
    """Return the largest sample of each window, of the same extent, times Σ|w|."""
    spans = [(k - 1) * dilation + 1 for k in w.shape]
    x = np.pad(np.abs(x), [(k // 2, (k - 1) // 2) for k in spans], "edge")
    windows = np.lib.stride_tricks.sliding_window_view(x, spans)
    windows = windows[(..., *[slice(None, None, dilation)] * w.ndim)]
    return windows.max(axis=tuple(range(-w.ndim, 0))) * np.abs(w).sum()


def with_spike(rng, shape):
    x = np.ones(shape)
    x[tuple(n // 3 for n in shape)] = 1e20
    return x


def with_block(rng, shape):
    x = 1 + rng.random(shape)
    x[tuple(slice(n // 3, n // 2) for n in shape)] = 1e20
    return x


def stepped(rng, shape):
    x = rng.standard_normal(shape)
    x[: shape[0] // 2] *= 1e-6
    x[shape[0] // 2 :] *= 1e6
    return x


def ramp(rng, shape):
    return rng.standard_normal(shape) * np.geomspace(1e-6, 1e6, shape[-1])


def dark(rng, shape):
    x = 200 * rng.random(shape)
    x[: shape[0] // 2] = 0
    return np.round(x)


def sparse(rng, shape):
    return np.where(rng.random(shape) < 1e-3, rng.random(shape), 0) * 1e3


def starry(rng, shape):
    x = rng.random(shape)
    x[rng.random(shape) < 0.02] = 1e9
    return x


def any_magnitude(rng, shape):
    return 10 ** rng.uniform(-8, 8, shape)


LIVELY = [with_spike, with_block, stepped, ramp, dark, sparse, starry, any_magnitude]


def smooth(rng, shape):
    sides = [np.exp(-(np.linspace(-3, 3, n) ** 2) / 2) for n in shape]
    return functools.reduce(np.multiply.outer, sides)


def flat(rng, shape):
    return np.full(shape, 1 / math.prod(shape))


def sharp(rng, shape):
    w = -smooth(rng, shape) / smooth(rng, shape).sum()
    w[tuple(n // 2 for n in shape)] += 2
    return w


def random(rng, shape):
    return rng.standard_normal(shape)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weights", [smooth, flat, sharp, random])
@pytest.mark.parametrize("data", LIVELY)
def test_error_is_relative_to_the_window(isa, rng, data, weights, dtype):
    """Every output keeps to 64 ε of Σ|w| times the largest sample that it reads."""
    cases = [
        ((110, 120), (15, 13), {}),
        ((90, 110), (5, 7), {"dilation": 2}),
        ((5000,), (65,), {}),
        ((20, 30, 40), (3, 4, 5), {}),
    ]
    for shape, w_shape, keywords in cases:
        x, w = data(rng, shape).astype(dtype), weights(rng, w_shape).astype(dtype)
        y = transform(x, w, "same", "nearest", **keywords)
        exact, _ = oracles.correlate(x, w, "same", "nearest", **keywords)
        granted = GRANTED * np.finfo(dtype).eps * local_scale(x.astype("f8"), w, **keywords)
        if dtype == "float64":  # the oracle rounds, too
            granted *= 2
        assert (np.abs(y - exact) <= granted).all()
        assert bits(transform(x, w, "same", "nearest", workers=3, **keywords)) == bits(y)


@pytest.mark.parametrize("block", [1, 40])
def test_a_fill_value_leaves_others_alone(isa, block):
    """A usual fill value, 1e20, spoils no output that does not read it, or times zero."""
    x = np.ones((300, 300), "float32")
    x[100 : 100 + block, 150 : 150 + block] = 1e20
    reads = scipy.ndimage.maximum_filter(x > 1, (31, 31), mode="nearest")
    y = pyconv.correlate(x, np.full((31, 31), 1 / 961, "float32"), "same", "nearest", method="fft")
    np.testing.assert_allclose(y[~reads], 1, rtol=1e-5)
    disk = kernels.disk(15, dtype=np.float32)
    reads = scipy.ndimage.maximum_filter(x > 1, footprint=disk > 0, mode="nearest")
    y = pyconv.correlate(x, disk, "same", "nearest", method="fft")
    np.testing.assert_allclose(y[~reads], 1, rtol=1e-5)
    assert (y[reads] > 1e10).all()


def test_windows_of_zeros_give_zeros(isa, rng):
    """Beside loud samples too, in the same tile."""
    x, w = noise(rng, (160, 160), "float32"), noise(rng, (11, 13), "float32")
    x[40:120, 50:110] = 0
    y = transform(x, w, "same")
    assert not y[46:114, 57:103].any()
    assert y[44, 60]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
def test_an_item_has_the_bits_that_it_has_alone(isa, rng, dtype):
    """Whatever lies beside it: loud, quiet, zero or NaN; tiles of one item are paired alone."""
    for shape, w_shape in [((70, 90), (9, 8)), ((400, 330), (31, 31)), ((5000,), (101,))]:
        w = noise(rng, w_shape, dtype)
        x = noise(rng, (5, *shape), dtype)
        for factor in (1, 1e-3, 1e12, np.nan, 0):
            x[1:4:2] = noise(rng, (2, *shape), dtype) * np.float32(factor)
            y = transform(x, w, "same", "mirror")
            for i in range(5):
                assert bits(y[i]) == bits(transform(x[i], w, "same", "mirror"))


def test_fill_value_that_is_not_finite(rng):
    """It is outside every sample, but not outside every tile."""
    x, w = noise(rng, (150, 160), "float32"), noise(rng, (31, 31), "float32")
    assert algorithm(x, w, mode="same", fill_value=np.nan) == "direct"
    assert algorithm(x, w, mode="valid", fill_value=np.nan) == "fft"
    with pytest.raises(ValueError, match="fill_value=nan would reach"):
        transform(x, w, "same", fill_value=np.nan)


# ---- what is granted ---------------------------------------------------------------------------


def test_the_cheapest_is_taken(rng):
    """A small kernel directly, a large one by transforms, in each number of dimensions."""
    for n, few, many in [(1, 9, 2000), (2, 5, 31), (3, 3, 15)]:
        x = noise(rng, (20_000, 400, 60)[n - 1 :][:1] * n, "float32")
        assert algorithm(x, noise(rng, (few,) * n, "float32")) == "direct"
        assert algorithm(x, noise(rng, (many,) * n, "float32")) == "fft"


def test_integers_are_never_transformed(rng):
    """Neither whole numbers nor results that are rounded to whole numbers."""
    x, w = rng.integers(0, 255, (300, 300), np.uint8), np.ones((31, 31), np.uint8)
    assert algorithm(x, w) != "fft"
    assert algorithm(x, w.astype("f4"), dtype="int32") != "fft"
    with pytest.raises(ValueError, match="integer results are exact"):
        transform(x, w)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rtol(rng, dtype):
    """Zero and what is less than the proven bound mean plain sums; the bound is enough."""
    x, w = noise(rng, (300, 300), dtype), noise(rng, (31, 31), dtype)
    (transforms,) = (a for a in ALGORITHMS if a.name == "fft")
    bound = transforms.error_bound(planning.plan_for(x, w).problem)
    assert algorithm(x, w) == algorithm(x, w, rtol=bound) == algorithm(x, w, rtol=0.01) == "fft"
    for rtol in (0, 0.0, np.float32(0), bound * 0.99, 1e-300):
        assert algorithm(x, w, rtol=rtol) == "direct"
        with pytest.raises(ValueError, match="method='fft' cannot solve .* more than rtol="):
            transform(x, w, rtol=rtol)
    plain = pyconv.correlate(x, w, rtol=0)
    assert bits(plain) == bits(pyconv.correlate(x, w, method="direct"))
    exact, _ = oracles.correlate(x, w)
    scale = np.abs(x).max() * np.abs(w).sum()
    assert np.abs(transform(x, w) - exact).max() <= bound * scale


@pytest.mark.parametrize(
    ("keyword", "value", "error"),
    [
        ("rtol", -1e-3, ValueError),
        ("rtol", math.nan, ValueError),
        ("rtol", "1e-3", TypeError),
        ("rtol", True, TypeError),
        ("max_memory", -1, ValueError),
        ("max_memory", 1e6, TypeError),
        ("max_memory", True, TypeError),
    ],
)
def test_grants_that_are_refused(keyword, value, error):
    """The message names the argument, its value and what is allowed."""
    with pytest.raises(error, match=f"{keyword}=.*allowed"):
        pyconv.correlate(np.ones((9, 9)), np.ones((3, 3)), **{keyword: value})


# ---- memory ------------------------------------------------------------------------------------

LARGE = {
    "picture": ((2000, 2000), (61, 61), {}),
    "line": ((4_000_000,), (20_000,), {}),
    "volume": ((150, 150, 150), (21, 21, 21), {}),
}


def growth(x_shape, w_shape, dtype, **keywords):
    """Return by how much a call on one thread, or more, raises the peak of resident memory."""
    code = textwrap.dedent(f"""
        import resource, numpy as np, pyconv
        def peak():
            with open("/proc/self/status") as f:
                return int(next(l for l in f if l.startswith("VmHWM")).split()[1]) << 10
        x, w = np.ones({x_shape}, {dtype!r}), np.ones({w_shape}, {dtype!r})
        out = np.ones([n - k + 1 for n, k in zip(x.shape, w.shape)], {dtype!r})
        pyconv.correlate(x[tuple(slice(w) for w in w.shape)], w, method={keywords["method"]!r})
        before = peak()
        pyconv.correlate(x, w, out=out, **{keywords})
        print(peak() - before)
    """)
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return int(result.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("case", LARGE)
@pytest.mark.parametrize("workers", [1, 4])
def test_cap_is_kept(case, workers):
    """Measured from outside: smaller tiles, or fewer threads."""
    x_shape, w_shape, _ = LARGE[case]
    for cap in (4 << 20, 16 << 20, 64 << 20):
        seen = growth(x_shape, w_shape, "float32", method="fft", max_memory=cap, workers=workers)
        assert seen <= cap + (1 << 20), (cap, seen)  # libraries are paged in, threads have stacks


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_cap_of_the_reference_is_kept():
    """The definition in blocks."""
    for cap in (4 << 20, 32 << 20):
        seen = growth((3000, 1000), (2, 2), "float64", method="reference", max_memory=cap)
        assert seen <= cap + (1 << 20), (cap, seen)


@pytest.mark.parametrize("method", [a.name for a in ALGORITHMS])
def test_least_memory_would_do(rng, method):
    """The number in the message is enough, and one byte less is not."""
    x, w = noise(rng, (30, 31), "float32"), np.full((9, 9), 1.5, "float32")
    granted: dict[str, object] = {"method": method}
    if method == "recursive":
        w, granted["rtol"] = kernels.gaussian(3.0), 1e-3
    expected = pyconv.correlate(x, w, **granted)
    with pytest.raises(MemoryError, match=r"max_memory=10 .* least that would do is (\d+)") as e:
        pyconv.correlate(x, w, **granted, max_memory=10)
    least = int(str(e.value).split()[-2])
    y = pyconv.correlate(x, w, **granted, max_memory=least)
    np.testing.assert_allclose(y, expected, atol=1e-3)
    with pytest.raises(MemoryError):
        pyconv.correlate(x, w, **granted, max_memory=least - 1)


def test_memory_decides_the_tile(rng):
    """The default is the documented cap, and a smaller one gives a smaller tile."""
    x, w = noise(rng, (600, 600), "float32"), noise(rng, (101, 101), "float32")
    plans = [planning.plan_for(x, w, max_memory=m) for m in (None, DEFAULT_MEMORY, 1 << 20)]
    free, same, tight = (p.algorithm.workspace(p.problem) for p in plans)
    assert free == same
    assert tight <= 1 << 20 < free
    assert plans[2].most_threads < plans[0].most_threads


# ---- signals -----------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_a_long_call(workers):
    """KeyboardInterrupt soon after the signal."""
    seconds = seconds_to_interrupt(
        """
        import numpy as np, pyconv
        x = np.broadcast_to(np.ones((900, 900), "float32"), (200_000, 900, 900))
        w = np.ones((101, 101), "float32")
        """,
        f'pyconv.correlate(x, w, stride=400, method="fft", workers={workers})',
    )
    assert seconds < SOON * workers
