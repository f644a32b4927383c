"""Samples left out: y = W · Σ m·x·w / Σ m·w, against that written down with the plain oracle."""

import copy
import importlib.util
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import oracles
import pytest
from arrays import LAYOUTS, bits, small
from scipy.signal import firwin

import pyconv
import pyconv.filters
import pyconv.operators
from pyconv._calls.missing import blocks, precision, weights
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.dtypes import DTYPES
from pyconv._engine.planner import clear_cache

#: Kernel dimensions, shape of x, axes, kernel shape.
SHAPES = {
    "1-D": ((23,), (0,), (5,)),
    "rows of a batch": ((3, 23), (1,), (4,)),
    "columns of a batch": ((17, 3), (0,), (3,)),
    "2-D": ((11, 13), (0, 1), (3, 4)),
    "2-D, turned": ((11, 2, 13), (2, 0), (3, 4)),
    "3-D": ((6, 7, 8), (0, 1, 2), (2, 3, 3)),
}
EXTENTS = ["valid", "same", "full", "pads"]


def expected(x, seen, w, *args, outside=1, fill_value=0, **keywords):
    """Return the definition in a wide dtype: NaN where nothing was seen."""
    zeroed = np.where(seen, x, np.zeros((), x.dtype))
    total, _ = oracles.correlate(
        zeroed, w, *args, fill_value=fill_value if outside else 0, **keywords
    )
    weight, _ = oracles.correlate(seen.astype(int), w, *args, fill_value=outside, **keywords)
    wide = np.complex128 if total.dtype.kind == "c" or w.dtype.kind == "c" else np.float64
    total, weight = total.astype(wide), weight.astype(wide)
    whole = oracles.wide(w).sum()
    whole = np.conj(whole) if not keywords.get("flip", False) else whole
    with np.errstate(all="ignore"):
        y = total / weight * whole
    y[weight == 0] = np.nan
    return y


def coverage_of(seen, w, *args, outside=1, **keywords):
    """Return Σ m·|w| / Σ|w|."""
    sizes = np.abs(oracles.wide(w))
    part, _ = oracles.correlate(seen.astype(int), sizes, *args, fill_value=outside, **keywords)
    return part.astype(float) / sizes.sum()


def pads(mode, n):
    return [(2, -1), (3, 1), (0, 2)][:n] if mode == "pads" else mode


def gappy(rng, shape, dtype):
    """Return whole numbers, and where they are seen: a block of them is not."""
    x = small(rng, shape, dtype)
    seen = rng.random(shape) < 0.7
    seen[tuple(slice(n // 3, n // 3 + n // 2) for n in shape)] = False
    return x, seen


def with_nan(x, seen):
    x = x.copy()
    x[~seen] = np.nan
    return x


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("mode", EXTENTS)
@pytest.mark.parametrize("case", SHAPES)
def test_definition(case, mode, boundary, rng):
    """Every boundary and extent, with stride, dilation and flip, by NaN and by mask."""
    shape, axes, taps = SHAPES[case]
    x, seen = gappy(rng, shape, "float64")
    w = rng.integers(1, 5, taps).astype(float)
    n = len(axes)
    for stride, dilation, flip in [(1, 1, False), (2, 1, True), ((1, 2, 3)[:n], (2, 1, 1)[:n], 0)]:
        keywords = {"axes": axes, "stride": stride, "dilation": dilation, "fill_value": 3}
        args = (pads(mode, n), boundary)
        right = expected(x, seen, w, *args, flip=flip, **keywords)
        call = pyconv.convolve if flip else pyconv.correlate
        by_nan = call(with_nan(x, seen), w, *args, nan_policy="omit", **keywords)
        np.testing.assert_allclose(by_nan, right, rtol=1e-13, atol=1e-13)
        assert bits(call(x, w, *args, mask=~seen, **keywords)) == bits(by_nan)
        masked = np.ma.array(with_nan(x, seen), mask=~seen)
        assert bits(call(masked, w, *args, **keywords)) == bits(by_nan)
        right = expected(x, seen, w, *args, flip=flip, outside=0, **keywords)
        keywords["fill_value"] = np.nan
        y = call(with_nan(x, seen), w, *args, nan_policy="omit", **keywords)
        np.testing.assert_allclose(y, right, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("w_dtype", DTYPES)
@pytest.mark.parametrize("x_dtype", DTYPES)
def test_dtypes(x_dtype, w_dtype, rng):
    """Quotients of integers are float64; floats keep their dtype."""
    x, seen = gappy(rng, (9, 12), x_dtype)
    w = np.abs(small(rng, (3, 2), w_dtype)).astype(w_dtype)
    w[0, 0] = 1
    natural = pyconv.correlate(x, w).dtype
    result = np.dtype(float) if natural.kind in "iu" else natural
    y = pyconv.correlate(x, w, "same", "nearest", mask=~seen)
    assert y.dtype == result
    right = expected(x, seen, w, "same", "nearest")
    epsilon = np.finfo(result).eps
    np.testing.assert_allclose(y, right, rtol=20 * epsilon, atol=40 * epsilon)
    for dtype in (d for d in DTYPES if d.kind in "fc" and (d.kind == "c" or result.kind == "f")):
        y = pyconv.correlate(x, w, "same", "nearest", mask=~seen, dtype=dtype)
        assert y.dtype == dtype
        epsilon = max(np.finfo(dtype).eps, epsilon)
        np.testing.assert_allclose(y, right, rtol=20 * epsilon, atol=40 * epsilon)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_missing_is_the_plain_call(dtype, rng):
    """The same bits, and for plain data the same dtype."""
    x, w = small(rng, (40, 50), dtype), np.ones((3, 3), dtype)
    plain = pyconv.correlate(x, w, "same", "mirror")
    y = pyconv.correlate(x, w, "same", "mirror", nan_policy="omit")
    assert bits(y) == bits(plain)
    y = pyconv.correlate(x, w, "same", "mirror", mask=np.zeros(50, bool))
    wide = plain.astype(float) if plain.dtype.kind in "iu" else plain
    assert bits(y) == bits(wide)
    assert np.all(pyconv.coverage(x, w, "same", "mirror") == 1)


def test_whole_windows_have_the_bits_of_the_plain_call(rng):
    """What does not reach a gap does not know of it."""
    x = rng.standard_normal((300, 400)).astype("float32")
    w = rng.random((5, 5)).astype("float32")
    plain = pyconv.correlate(x, w, "same", "nearest", rtol=0)
    x[100:120, 50:80] = np.nan
    y = pyconv.correlate(x, w, "same", "nearest", nan_policy="omit", rtol=0)
    touched = np.zeros(x.shape, bool)
    touched[98:122, 48:82] = True
    assert np.array_equal(y[~touched], plain[~touched])
    inside = np.zeros(x.shape, bool)
    inside[102:118, 52:78] = True
    assert np.array_equal(np.isnan(y), inside)


@pytest.mark.parametrize("block", [1, 50, 700])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_blocks(boundary, block, rng, monkeypatch):
    """However the work is cut, the results are the same bits."""
    for case in SHAPES:
        shape, axes, taps = SHAPES[case]
        x, seen = gappy(rng, shape, "float32")
        w = rng.random(taps).astype("float32")
        keywords = {"axes": axes, "stride": 2, "fill_value": 2, "mask": ~seen, "rtol": 0}
        whole = pyconv.correlate(x, w, "full", boundary, **keywords)
        with monkeypatch.context() as patch:
            patch.setattr(blocks, "BLOCK", block)
            patch.setattr(blocks, "MIN_SPANS", 0)
            cut = pyconv.correlate(x, w, "full", boundary, **keywords)
        assert bits(cut) == bits(whole)
        keywords |= {"fill_value": np.nan, "nan_policy": "omit"}
        whole = pyconv.correlate(x, w, "full", boundary, **keywords)
        with monkeypatch.context() as patch:
            patch.setattr(blocks, "BLOCK", block)
            patch.setattr(blocks, "MIN_SPANS", 0)
            cut = pyconv.correlate(x, w, "full", boundary, **keywords)
        assert bits(cut) == bits(whole)


@pytest.mark.parametrize("method", ["fft", "separable"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
def test_transforms(dtype, method, rng):
    """The error of a result is that of a transform over the part of the weights that was seen."""
    if method == "separable" and dtype == "complex64":
        pytest.skip("complex kernels are not taken apart")
    x = rng.standard_normal((150, 130)).astype(dtype)
    row = np.exp(-0.5 * np.linspace(-4, 4, 21) ** 2)
    w = np.outer(row, row).astype(np.empty(0, dtype).real.dtype)
    seen = rng.random(x.shape) < 0.9
    seen[30:100, 20:90] = False
    right = expected(x, seen, w, "same", "nearest") / w.sum()
    y = pyconv.correlate(x, w, "same", "nearest", mask=~seen, method=method) / w.sum()
    covered = coverage_of(seen, w, "same", "nearest")
    assert np.array_equal(np.isnan(y), covered < weights.MIN_COVERAGE)
    assert np.isnan(y).any()
    assert np.any((covered > 0) & (covered < 1e-3))
    error = np.abs(y - right) / np.abs(x).max()
    single = np.dtype(dtype) != np.float64
    close = 64 * 64 * 2.0**-23 if single else 64 * 2.0**-52 / np.maximum(covered, 1e-9)
    assert np.all((error < close) | np.isnan(y))
    found = pyconv.coverage(np.where(seen, x, np.nan), w, "same", "nearest")
    assert np.array_equal(found == 0, np.isnan(y))
    np.testing.assert_allclose(found, np.where(np.isnan(y), 0, covered), atol=1e-7)


@pytest.mark.parametrize("boundary", ["constant", "mirror", "wrap"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("method", ["direct", "fft"])
def test_both_sums_in_one_loop(isa, method, dtype, boundary, rng):
    """Of lines, images and volumes: by NaN, by mask and by both, the same bits on any threads."""
    close = 50 * np.finfo(dtype).eps * (1 if method == "direct" else 64)
    for shape, taps in (
        ((700,), (9,)),
        ((2, 65), (3,)),
        ((41, 70), (5, 4)),
        ((9, 10, 33), (2, 3, 4)),
    ):
        n = len(taps)
        axes = tuple(range(-n, 0))
        x, seen = gappy(rng, shape, dtype)
        seen[..., -shape[-1] // 4 :] = True
        w = (rng.random(taps) + 0.1).astype(dtype)
        half = rng.random(shape) < 0.5
        for stride, dilation in ((1, 1), (2, 1), (1, 2)):
            keywords = {"axes": axes, "stride": stride, "dilation": dilation}
            args = ("full", boundary)
            right = expected(x, seen, w, *args, fill_value=3, **keywords)
            keywords["method"] = method
            y = pyconv.correlate(x, w, *args, mask=~seen, fill_value=3, workers=1, **keywords)
            np.testing.assert_allclose(y, right, rtol=close, atol=close * 50)
            for given, mask, policy, workers in (
                (with_nan(x, seen), None, "omit", 1),
                (with_nan(x, seen | half), ~(seen | ~half), "omit", 1),
                (with_nan(x, seen), ~seen, "propagate", 3),
            ):
                again = pyconv.correlate(
                    given, w, *args, mask=mask, nan_policy=policy, fill_value=3, workers=workers,
                    **keywords,
                )  # fmt: skip
                assert bits(again) == bits(y)


def test_rows_without_gaps_have_the_bits_of_the_plain_call(isa, rng):
    """Rows of tiles that read no gap, and those that do, in planes that share their rows."""
    x = rng.standard_normal((7, 60, 50)).astype("float32")
    w = (rng.random((3, 3, 3)) + 0.1).astype("float32")
    plain = pyconv.correlate(x, w, "same", "wrap", method="direct")
    for gap in ((3, 30, 20), (0, 0, 0), (6, 59, 49)):
        holed = x.copy()
        holed[gap] = np.nan
        y = pyconv.correlate(holed, w, "same", "wrap", nan_policy="omit", method="direct")
        near = [np.minimum((np.arange(n) - at) % n, (at - np.arange(n)) % n) < 2
                for n, at in zip(x.shape, gap, strict=True)]  # fmt: skip
        touched = near[0][:, None, None] & near[1][:, None] & near[2]
        assert np.array_equal(y[~touched], plain[~touched])
        assert np.all(y[touched] != plain[touched])


def test_a_gap_much_larger_than_a_kernel(rng, monkeypatch):
    """What saw nothing is NaN, exactly, and what saw little is exact; for any number of threads."""
    x = rng.standard_normal((400, 410)).astype("float32")
    w = (rng.random((15, 15)) + 0.1).astype("float32")
    seen = rng.random(x.shape) < 0.95
    seen[100:300, 50:350] = False
    right = expected(x, seen, w, "same", "nearest") / w.sum()
    monkeypatch.setattr(blocks, "TRANSFORMED_BLOCK", 1 << 15)
    monkeypatch.setattr(blocks, "MIN_TRANSFORMED_SPANS", 2)
    results = [
        pyconv.correlate(x, w, "same", "nearest", mask=~seen, method="fft", workers=workers)
        for workers in (1, 3)
    ]
    assert bits(results[1]) == bits(results[0])
    y = results[0] / w.sum()
    assert np.array_equal(np.isnan(y), np.isnan(right))
    assert np.isnan(y).sum() > 40_000
    np.testing.assert_allclose(y, right, atol=1e-4)


def test_outside_alone(rng):
    """With a fill value that is NaN, results at the border are means of what is inside."""
    for dtype in ("float32", "uint8"):
        x, w = small(rng, (9, 8), dtype), np.array([[1, 2, 1], [2, 4, 2]], dtype)
        seen = np.ones(x.shape, bool)
        for mode in ("same", "full"):
            y = pyconv.correlate(x, w, mode, fill_value=np.nan, nan_policy="omit")
            right = expected(x, seen, w, mode, outside=0)
            np.testing.assert_allclose(y, right, rtol=1e-6, atol=1e-6)
        y = pyconv.correlate(x, w, fill_value=np.nan, nan_policy="omit")
        np.testing.assert_array_equal(y, pyconv.correlate(x, w))


@pytest.mark.parametrize("boundary", ["constant", "nearest"])
def test_transforms_that_see_little_at_the_border(boundary, rng):
    """Corners of the full extent see one sample, or nothing but what repeats it."""
    x = rng.standard_normal((2, 70, 60)).astype("float32")
    seen = rng.random(x.shape) < 0.9
    seen[:, 20:50, :30] = False
    w = np.outer(*2 * [np.exp(-0.5 * np.linspace(-4, 4, 21) ** 2)]).astype("float32")
    keywords = {"axes": (1, 2), "stride": (1, 2)}
    right = expected(x, seen, w, "full", boundary, outside=0, **keywords)
    y = pyconv.correlate(
        with_nan(x, seen), w, "full", boundary, nan_policy="omit", fill_value=np.nan, method="fft",
        **keywords,
    )  # fmt: skip
    covered = coverage_of(seen, w, "full", boundary, outside=0, **keywords)
    assert np.array_equal(np.isnan(y), covered < weights.MIN_COVERAGE)
    assert np.nanmax(np.abs(y - right)) / w.sum() < 1e-3


def test_weights_of_both_signs():
    """NaN where the weights that were seen cancel, the definition elsewhere."""
    w = np.array([2.0, -1.0, -1.0, 3.0])
    x = np.array([1.0, np.nan, np.nan, 4.0, 5.0, 6.0, np.nan, 1, 2, 3, 4])
    y = pyconv.correlate(x, w, nan_policy="omit")
    # The sums of the weights that were seen, and of their magnitudes, are 5/5, 2/4, 1/5, 0/4, …
    right = [3 * 14 / 5, 3 * 11 / 2, np.nan, np.nan, 3 * 7 / 4, 3 * 17 / 4, np.nan, 9]
    np.testing.assert_allclose(y, right, rtol=1e-15)
    assert pyconv.coverage(x, w)[:4].tolist() == pytest.approx([5 / 7, 4 / 7, 5 / 7, 4 / 7])


def sinc(taps, cutoff, of_two=0.0):
    """Return a low-pass filter, or a band-pass: a Hamming window times a sinc."""
    n = np.arange(taps) - (taps - 1) / 2
    w = np.sinc(n * cutoff) * cutoff - np.sinc(n * of_two) * of_two
    return w * np.hamming(taps)


#: Kernels that cancel; with the largest ratio |W| / Σ|w| that they have.
CANCELLING = {
    "band-pass": sinc(501, 0.2, 0.02),
    "short band-pass": sinc(31, 0.4, 0.2),
    "high-pass": np.eye(1, 101, 50)[0] - sinc(101, 0.3) / sinc(101, 0.3).sum(),
    "difference": np.array([-1.0, 0, 1]),
    "second difference": np.array([1.0, -2, 1]),
    "Laplacian": np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]),
    "Sobel": np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
    "sharpening": np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "a quarter": np.array([5.0, -3]),
    "integers": np.array([[1, -1], [1, -1]]),
    "complex wave": np.exp(2j * np.pi * np.arange(-20, 21) / 8) * np.hanning(41),
}
#: Kernels of both signs that do not.
BALANCED = {
    "low-pass": sinc(501, 0.2),
    "long low-pass": sinc(2001, 0.4),
    "Savitzky-Golay": np.array([-3.0, 12, 17, 12, -3]) / 35,
    "Lanczos": np.outer(*2 * [np.sinc(np.arange(-3, 4) / 2) * np.sinc(np.arange(-3, 4) / 6)]),
    "negative": -sinc(31, 0.4),
    "complex": np.hanning(21) * (1 + 0.5j) + 0.1j * np.arange(21) / 21,
}


@pytest.mark.parametrize("name", CANCELLING)
def test_kernels_that_cancel_are_refused(name):
    """Whatever the data, whether or not any are missing; by calls, plans and coverage alike."""
    w = CANCELLING[name]
    ratio = abs(w.sum()) / np.abs(w).sum()
    assert ratio <= weights.BALANCE + 1e-15
    words = r"w has weights that cancel: \|sum\(w\)\| is .* of sum\|w\|, and more than 0.25"
    for dtype in ("float32", "float64", "int16"):
        x = np.ones((600,) * w.ndim, dtype)
        for call in (
            lambda x=x: pyconv.correlate(x, w, "same", nan_policy="omit"),
            lambda x=x: pyconv.convolve(x, w, "same", mask=np.zeros(x.shape, bool)),
            lambda x=x: pyconv.convolve(np.ma.array(x), w),
            lambda x=x: pyconv.plan(shape=x.shape, w=w, nan_policy="omit", x_dtype=x.dtype),
            lambda x=x: pyconv.coverage(x, w, "same"),
        ):
            with pytest.raises(ValueError, match=words):
                call()


@pytest.mark.parametrize("value", [0.0, np.inf, np.nan])
def test_weights_without_a_sum_are_refused(value):
    for w in (np.full(3, value), np.full(3, -1.7e308)):
        with pytest.raises(ValueError, match="w has magnitudes that sum to"):
            pyconv.correlate(np.ones(9), w, nan_policy="omit")


@pytest.mark.parametrize("gaps", ["one", "few", "half", "most", "block"])
@pytest.mark.parametrize("method", ["auto", "direct", "fft"])
@pytest.mark.parametrize("name", BALANCED)
def test_amplification_is_bounded(name, method, gaps, rng):
    """No result is larger than |W| / BALANCE times the largest sample; constants stay."""
    w = BALANCED[name]
    shape = (3000,) if w.ndim == 1 else (60, 70)
    seen = rng.random(shape) < {"few": 0.99, "half": 0.5, "most": 0.05}.get(gaps, 1)
    seen[(slice(20, 60),) * w.ndim] &= gaps != "block"
    seen.flat[50] = False
    waves = np.sin(np.arange(np.prod(shape)) * 0.3).reshape(shape)
    whole = w.sum()
    for x in (waves, np.sign(waves), rng.standard_normal(shape)):
        x = np.where(seen, x, np.nan)
        y = pyconv.correlate(x, w, "same", "nearest", nan_policy="omit", method=method)
        most = abs(whole) / weights.BALANCE * np.nanmax(np.abs(x))
        assert np.all((np.abs(y) <= most * (1 + 1e-6)) | np.isnan(y))
        covered = coverage_of(seen, w, "same", "nearest")
        balance, _ = oracles.correlate(seen.astype(int), w, "same", "nearest")
        balance = np.abs(balance.astype(complex)) / np.maximum(covered, 1e-9) / np.abs(w).sum()
        right = expected(x, seen, w, "same", "nearest")
        near = np.abs(balance - weights.BALANCE) < 1e-9
        kept = (balance > weights.BALANCE) & (covered > weights.MIN_COVERAGE)
        assert np.array_equal(np.isnan(y)[~near], ~kept[~near])
        error = np.abs(y - right) * np.maximum(covered, 1e-9) / np.abs(w).sum()
        assert np.all((error < 1e-12) | ~kept)
    y = pyconv.correlate(np.where(seen, 3, np.nan), w, "same", "nearest", nan_policy="omit")
    constant = 3 * (whole if w.dtype.kind != "c" else np.conj(whole))
    np.testing.assert_allclose(y[~np.isnan(y)], constant, rtol=1e-8)


@pytest.mark.parametrize("method", ["auto", "direct", "fft", "separable", "box"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_means_stay_within_the_samples(method, dtype, rng):
    """Weights without a change of sign that sum to 1 give a mean of what was seen."""
    for taps in ((300,), (33, 33))[method == "separable" :]:
        w = np.ones(taps, dtype) if method in ("box", "separable") else rng.random(taps)
        w = (w / w.sum()).astype(dtype)
        shape = (5000,) if len(taps) == 1 else (150, 120)
        for share in (0.9, 0.3, 0.002):
            x = np.where(rng.random(shape) < share, rng.random(shape) + 5, np.nan).astype(dtype)
            y = pyconv.correlate(x, w, "same", "mirror", nan_policy="omit", method=method)
            covered = coverage_of(~np.isnan(x), w, "same", "mirror")
            nothing = covered == 0
            assert np.array_equal(np.isnan(y), nothing)
            error = 64 * 64 * 2.0**-23 if dtype == "float32" else 64 * 2.0**-52 / covered[~nothing]
            assert np.all(y[~nothing] <= np.nanmax(x) * (1 + error))
            assert np.all(y[~nothing] >= np.nanmin(x) * (1 - error))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_windows_that_are_quiet_beside_others(dtype, rng):
    """A sample of 1e20 elsewhere in the tile makes NaN of no window that misses samples."""
    x = rng.random((200, 210)).astype(dtype)
    seen = rng.random(x.shape) < 0.95
    seen[60:140, 60:140] = False
    x[5, 7], seen[5, 7] = 1e20, True
    w = (rng.random((31, 31)) + 0.1).astype(dtype)
    right = expected(x.astype(float), seen, w.astype(float), "same", "nearest")
    y = pyconv.correlate(with_nan(x, seen), w, "same", "nearest", nan_policy="omit", method="fft")
    assert np.array_equal(np.isnan(y), np.isnan(right))
    quiet = right < 1e10
    covered = coverage_of(seen, w.astype(float), "same", "nearest")[quiet]
    error = np.abs(y[quiet] / right[quiet] - 1) * np.maximum(covered, 1 / 64)
    assert np.all(error < 64 * np.finfo(dtype).eps)


@pytest.mark.parametrize("share", [0.5, 0.01, 0.003, 0.0])
@pytest.mark.parametrize("case", ["line", "image", "volume", "batch"])
def test_low_coverage_in_single_precision(case, share, rng):
    """What saw little is as exact as what saw much, in tiles of few samples and of many."""
    shape, taps = {
        "line": ((9000,), (301,)), "image": ((150, 170), (1, 31)),
        "volume": ((30, 31, 40), (9, 8, 9)), "batch": ((2, 90, 100), (31, 30)),
    }[case]  # fmt: skip
    axes = tuple(range(-len(taps), 0))
    x = (rng.random(shape) + 1).astype("float32")
    seen = rng.random(shape) < share
    seen[..., : shape[-1] // 5] = True
    seen[..., -shape[-1] // 3 :] = False
    w = (rng.random(taps) + 0.1).astype("float32")
    for fill, stride in ((0, 1), (np.nan, 2)):
        outside = int(fill == 0)
        keywords = {"axes": axes, "stride": stride}
        right = expected(x, seen, w, "same", outside=outside, **keywords)
        results = [
            pyconv.correlate(
                with_nan(x, seen), w, "same", nan_policy="omit", fill_value=fill, method="fft",
                workers=workers, **keywords,
            )
            for workers in (1, 3)
        ]  # fmt: skip
        assert bits(results[1]) == bits(results[0])
        y = results[0]
        assert np.array_equal(np.isnan(y), np.isnan(right))
        covered = coverage_of(seen, w, "same", outside=outside, **keywords)
        # Plain sums: the sum of all weights alone has been off by 4 ε here.
        close = np.where(covered < precision.THIN, 12 * right, 64 * 64 * 2 * w.sum()) * 2.0**-23
        kept = ~np.isnan(y)
        assert np.all(np.abs(y - right)[kept] <= close[kept])


@pytest.mark.parametrize("taps", [(31, 33), (9, 11, 13)])
def test_products_of_factors_err_as_plain_sums(taps, rng):
    """A tail of a Gaussian that sees little needs no other sums."""
    w = np.ones(())
    for n in taps:
        w = np.multiply.outer(w, np.exp(-0.5 * np.linspace(-4, 4, n) ** 2))
    w = w.astype("float32")
    shape = (150, 140) if len(taps) == 2 else (40, 41, 42)
    x = (rng.random(shape) + 0.1).astype("float32")
    seen = np.zeros(shape, bool)
    seen[..., : shape[-1] // 4] = rng.random((*shape[:-1], shape[-1] // 4)) < 0.05
    right = expected(x, seen, w, "same", "nearest")
    y = pyconv.correlate(x, w, "same", "nearest", mask=~seen, method="separable")
    covered = coverage_of(seen, w, "same", "nearest")
    assert np.any((covered > weights.MIN_COVERAGE) & (covered < 1e-6))
    kept = covered > 1.01 * weights.MIN_COVERAGE
    assert np.all(np.abs(y[kept] / right[kept] - 1) < 100 * 2.0**-23)


def test_complex_weights(rng):
    """Conjugated by correlate in both sums, and not by convolve."""
    x, seen = gappy(rng, (12, 15), "complex128")
    w = small(rng, (3, 3), "complex128") + 4
    for flip, call in ((False, pyconv.correlate), (True, pyconv.convolve)):
        right = expected(x, seen, w, "same", "wrap", flip=flip)
        y = call(x, w, "same", "wrap", mask=~seen)
        np.testing.assert_allclose(y, right, rtol=1e-13, atol=1e-13)


def test_negative_weights_and_tails(rng):
    """All weights negative, and outputs that saw less of the weights than the least coverage."""
    x, seen = gappy(rng, (20,), "float32")
    right = expected(x, seen, np.full(3, -1.0), "same", "wrap")
    y = pyconv.correlate(x, np.full(3, -1, "float32"), "same", "wrap", mask=~seen)
    np.testing.assert_allclose(y, right, rtol=1e-6)
    w = np.array([1e-39, 1, 2 * weights.MIN_COVERAGE], "float32")
    x = np.array([3, np.nan, np.nan, 7, np.nan], "float32")
    for dtype in ("float32", "float64", "complex64"):
        for given in (w, -w, w * np.complex64(1j)):
            given = given.astype(np.result_type(given, dtype))
            y = pyconv.correlate(x.astype(dtype), given, nan_policy="omit")
            np.testing.assert_allclose(y, [np.nan, 7 * given.sum().conj(), 7 * given.sum().conj()])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, rng):
    """Any memory layout gives the answer of a contiguous copy; nothing is written to it."""
    for dtype in ("float32", "complex128", "int16"):
        x, seen = gappy(rng, (9, 10, 3), dtype)
        w = np.array([[1, 2], [3, 4]])
        given, mask = LAYOUTS[layout](x), LAYOUTS[layout](~seen)
        y = pyconv.correlate(given, w, axes=(0, 1), mask=mask)
        assert bits(y) == bits(pyconv.correlate(x, w, axes=(0, 1), mask=~seen))
        assert np.array_equal(given, x)


def test_a_mask_for_all_channels(rng):
    """A mask that is broadcast along batch axes is the same as one that is written out."""
    _, seen = gappy(rng, (20, 21), "float32")
    picture = rng.random((20, 21, 3)).astype("float32")
    w = rng.random((3, 3)).astype("float32")
    y = pyconv.correlate(picture, w, "same", "mirror", axes=(0, 1), mask=~seen[..., np.newaxis])
    for channel in range(3):
        one = pyconv.correlate(picture[..., channel], w, "same", "mirror", mask=~seen)
        np.testing.assert_allclose(y[..., channel], one, rtol=1e-6)
    stack = np.moveaxis(picture, -1, 0)
    y = pyconv.correlate(stack, w, "same", "mirror", mask=~seen)
    np.testing.assert_allclose(y[2], one, rtol=1e-6)


def test_what_is_masked_is_not_read(rng):
    """Neither NaN nor infinity under the mask reach a result; seen ones follow the policy."""
    x, seen = gappy(rng, (9, 9), "float64")
    right = pyconv.correlate(x, np.ones((2, 2)), mask=~seen)
    for value in (np.nan, np.inf, 1e308):
        spoilt = np.where(seen, x, value)
        y = pyconv.correlate(spoilt, np.ones((2, 2)), mask=~seen, nan_policy="raise")
        assert bits(y) == bits(right)
    y = pyconv.correlate([1, np.nan, 3, np.inf, 5, 6], np.ones(2), mask=[True] + 5 * [False])
    np.testing.assert_array_equal(y, [np.nan, np.nan, np.inf, np.inf, 11])


def test_out(rng):
    """The result may go into an array, even the one that is read."""
    x, seen = gappy(rng, (30, 31), "float64")
    right = pyconv.correlate(x, np.ones((3, 3)), "same", mask=~seen)
    for out in (np.empty(x.shape), np.empty(x.shape[::-1]).T, x):
        y = pyconv.correlate(x, np.ones((3, 3)), "same", mask=~seen, out=out)
        assert y is out
        assert bits(y) == bits(right)
    with pytest.raises(TypeError, match="out has dtype int64, but the result is float64"):
        pyconv.correlate(x, np.ones((3, 3)), "same", mask=~seen, out=np.empty(x.shape, int))


def test_plan(rng):
    """A plan leaves out what the call does: NaN, its own mask and those of masked arrays."""
    x, seen = gappy(rng, (12, 13), "float32")
    w = rng.random((3, 3)).astype("float32")
    right = pyconv.correlate(x, w, "same", mask=~seen)
    made = pyconv.plan(shape=x.shape, w=w, mode="same", nan_policy="omit")
    assert bits(made(with_nan(x, seen))) == bits(right)
    assert bits(made(np.ma.array(x, mask=~seen))) == bits(right)
    out = np.empty_like(x)
    masked = pyconv.plan(shape=x.shape, w=w, mode="same", mask=~seen, nan_policy="raise")
    assert masked(with_nan(x, seen), out) is out
    assert bits(out) == bits(right)
    assert masked.algorithm == masked.explain().algorithm == "direct"
    with pytest.raises(ValueError, match="x holds NaN"):
        masked(np.full_like(x, np.nan))
    with pytest.raises(TypeError, match="masked"):
        pyconv.plan(shape=5, w=[1, 2], nan_policy="omit")(np.ma.ones(5, int))
    whole = pyconv.plan(shape=5, w=[1, 2], mask=False)
    assert whole(np.ma.masked_equal([1, 2, 3, 4, 5], 3)).tolist() == [5, 6, 12, 14]


def test_max_memory(rng):
    """The cap holds for everything; too little says what is needed."""
    x, seen = gappy(rng, (200, 300), "float64")
    w = rng.random((3, 3))
    right = pyconv.correlate(x, w, mask=~seen, rtol=0)
    y = pyconv.correlate(x, w, mask=~seen, rtol=0, max_memory=300_000)
    np.testing.assert_allclose(y, right, rtol=1e-14)
    wide = np.zeros((9, 200_000))
    with pytest.raises(MemoryError, match="max_memory=2000000 is too little workspace to leave"):
        pyconv.correlate(wide, w, mask=wide == 0, max_memory=2_000_000, method="im2col")


def test_threads(rng):
    """The same bits for any number."""
    x, seen = gappy(rng, (300, 400), "float32")
    w = rng.random((5, 5)).astype("float32")
    alone = pyconv.correlate(x, w, "same", mask=~seen, workers=1)
    assert bits(pyconv.correlate(x, w, "same", mask=~seen, workers=3)) == bits(alone)


#: Calls that would read what is under a mask if they took a masked array for a plain one.
REFUSING = {
    "weights": lambda m: pyconv.correlate(np.ones(9), m),
    "weights, omit": lambda m: pyconv.convolve(np.ones(9), m, nan_policy="omit"),
    "weights of a plan": lambda m: pyconv.plan(np.ones(9), m),
    "weights of coverage": lambda m: pyconv.coverage(np.ones(9), m),
    "a plan": lambda m: pyconv.plan(np.ones(5), np.ones(2))(m),
    "out": lambda m: pyconv.correlate(np.ones(5), np.ones(1), out=m),
    "a mask": lambda m: pyconv.correlate(np.ones(5), np.ones(2), mask=m.astype(bool)),
    "a mask of a signal": lambda m: pyconv.xcorr(np.ones(5), mask=m.astype(bool)),
    "a mask of a template": lambda m: pyconv.match_template(
        np.ones(9), np.ones(5), mask=m.astype(bool)
    ),
    "an operator": lambda m: pyconv.operators.linear_operator((5,), [1.0, 2]) @ m,
    "weights of an operator": lambda m: pyconv.operators.linear_operator((9,), m),
    "a matrix": lambda m: pyconv.operators.sparse_matrix((9,), m),
}
#: Calls that leave out what is under it.
HONOURING = {
    "correlate": lambda m: pyconv.correlate(m, [1.0, 2]),
    "convolve": lambda m: pyconv.convolve(m, [1.0, 2], "full"),
    "coverage": lambda m: pyconv.coverage(m, [1.0, 2]),
    "plan": lambda m: pyconv.plan(np.ones(5), [1.0, 2], nan_policy="omit")(m),
    "a filter": lambda m: pyconv.filters.gaussian(m, 1),
    "xcorr": lambda m: pyconv.xcorr(m, m, 2)[0],
    "image": lambda m: pyconv.match_template(m, [1.0, 3, 2]),
    "template": lambda m: pyconv.match_template(np.arange(9.0) ** 2, m),
}


@pytest.mark.parametrize("hard", [False, True])
def test_no_call_reads_what_is_masked(hard, rng):
    """A mask is refused or honoured, of any kind: some samples, none, all."""
    x = rng.random(5)
    for mask in ([0, 1, 0, 0, 0], np.ma.nomask, [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]):
        masked = np.ma.array(x, mask=mask, hard_mask=hard)
        for call in REFUSING.values():
            with pytest.raises(TypeError, match="(?i)mask"):
                call(masked)
        for name, call in HONOURING.items():
            if name == "template" and masked.mask.all():
                continue
            spoilt = np.ma.array(np.where(np.ma.getmaskarray(masked), np.nan, x), mask=mask)
            assert np.array_equal(call(masked), call(spoilt), equal_nan=True), name
            assert type(call(masked)) is np.ndarray


def test_empty_batch():
    assert pyconv.correlate(np.zeros((0, 5)), np.ones(2), nan_policy="omit").shape == (0, 4)
    assert pyconv.coverage(np.zeros((0, 5)), np.ones(2)).shape == (0, 4)


@pytest.mark.skipif(not importlib.util.find_spec("astropy"), reason="needs astropy")
@pytest.mark.filterwarnings("ignore:nan_treatment='interpolate', however, NaN values")
@pytest.mark.parametrize("boundary", ["fill", "wrap", "extend"])
def test_agrees_with_astropy(boundary, rng):
    """convolve(nan_treatment='interpolate'), with and without a kernel that is normalised."""
    from astropy.convolution import convolve

    for shape, taps in (((50,), (5,)), ((30, 31), (5, 3)), ((12, 13, 14), (3, 3, 5))):
        x, seen = gappy(rng, shape, "float64")
        seen |= rng.random(shape) < 0.5
        x, w = with_nan(x, seen), rng.random(taps)
        theirs = {"boundary": boundary, "fill_value": 2.0, "nan_treatment": "interpolate"}
        y = pyconv.convolve(x, w, "same", boundary, fill_value=2.0, nan_policy="omit")
        np.testing.assert_allclose(y, convolve(x, w, normalize_kernel=False, **theirs), rtol=1e-12)
        np.testing.assert_allclose(y / w.sum(), convolve(x, w, **theirs), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i2"])
def test_coverage_takes_out(dtype, rng):
    x = rng.integers(0, 9, (30, 40)).astype(dtype)
    mask, w = rng.random(x.shape) < 0.3, rng.integers(1, 9, (3, 4)).astype(dtype)
    seen = pyconv.coverage(x, w, "same", mask=mask)
    weights = w.astype(float) / w.sum(dtype=float)
    exact, _ = oracles.correlate((~mask).astype(float), weights, "same", fill_value=1.0)
    np.testing.assert_allclose(seen, exact, rtol=1e-6)
    for out in (np.empty_like(seen), np.empty(seen.shape[::-1], seen.dtype).T):
        assert pyconv.coverage(x, w, "same", mask=mask, out=out) is out
        np.testing.assert_array_equal(out, seen)
    if x.dtype == seen.dtype:
        assert pyconv.coverage(x, w, "same", mask=mask, out=x) is x
        np.testing.assert_array_equal(x, seen)
    with pytest.raises(TypeError, match="out has dtype complex128"):
        pyconv.coverage(x, w, "same", mask=mask, out=np.empty(x.shape, complex))
    with pytest.raises(ValueError, match="out has shape"):
        pyconv.coverage(x, w, mask=mask, out=np.empty(x.shape, seen.dtype))


@pytest.mark.parametrize("coverage", [False, True])
@pytest.mark.parametrize(("shape", "taps"), [((3, 29), (2, 8)), ((3, 158), (21,))])
def test_memory_for_samples_left_out(rng, shape, taps, coverage):
    """A shortage names a bound from below that is more than was granted: it leads to the least."""
    x, w = rng.random(shape, "float32"), np.ones(taps, "float32")
    mask = rng.random(shape) < 0.1
    call = pyconv.coverage if coverage else pyconv.correlate
    granted, y = 0, None
    while y is None:
        try:
            y = call(x, w, "full", mask=mask, max_memory=granted)
        except MemoryError as error:
            told = rf"max_memory={granted} is .* would do is at least (\d+) bytes"
            bound = max(granted + 1, int(re.search(told, str(error))[1]))
            with pytest.raises(MemoryError):
                call(x, w, "full", mask=mask, max_memory=bound - 1)
            granted = bound
    np.testing.assert_allclose(y, call(x, w, "full", mask=mask), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_infinities_far_from_gaps(dtype):
    """Where all weights were seen a result is that of the plain call, part by part."""
    x, w = np.ones(40, dtype), np.array([1 + 1j, 1, 1], dtype)
    x[5] = -np.inf
    y, plain = pyconv.correlate(x, w, mask=np.arange(40) == 30), pyconv.correlate(x, w)
    np.testing.assert_array_equal(y[:28].real, plain[:28].real)
    np.testing.assert_array_equal(y[:28].imag, plain[:28].imag)
    assert np.isinf(y.imag).any()


# ---- gaps that are filled, and what a call costs ------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "int16"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_gaps_are_filled_by_straight_lines(rng, dtype, axis):
    """As NumPy interpolates each line; valid samples stay."""
    x = (rng.standard_normal((40, 50)) * 20).astype(dtype)
    mask = rng.random((40, 50)) < 0.4
    mask[3], mask[:, 7] = True, True
    y = pyconv.fill_gaps(x, axis=axis, mask=mask)
    assert y.dtype == (np.float64 if dtype == "int16" else dtype)
    np.testing.assert_array_equal(y[~mask], x[~mask])
    lines = zip(*(np.moveaxis(a, axis, -1) for a in (x, mask, y)), strict=True)
    for line, gaps, filled in lines:
        if gaps.all():
            assert np.isnan(filled).all()
            continue
        places = np.arange(len(line))
        expected = np.interp(places, places[~gaps], line[~gaps])
        tolerance = 0.02 if dtype == "float16" else 1e-5
        np.testing.assert_allclose(filled, expected, rtol=0, atol=tolerance)
    if dtype != "int16":
        holed = np.where(mask, np.asarray(np.nan, dtype), x)
        np.testing.assert_array_equal(pyconv.fill_gaps(holed, axis=axis), y)
    np.testing.assert_array_equal(pyconv.fill_gaps(np.ma.array(x, mask=mask), axis=axis), y)


@pytest.mark.parametrize("longest", [0, 1, 2, 3, 4])
def test_gaps_that_are_too_long_stay(longest):
    """At the ends, too, where they have the value beside them."""
    nan = np.nan
    x = np.array([nan, nan, 1, nan, 3, nan, nan, nan, 7, np.inf, nan, np.inf, nan])
    y = pyconv.fill_gaps(x, longest=longest)
    full = np.array([1, 1, 1, 2, 3, 4, 5, 6, 7, np.inf, np.inf, np.inf, np.inf])
    sizes = np.array([2, 2, 0, 1, 0, 3, 3, 3, 0, 0, 1, 0, 1])
    np.testing.assert_array_equal(y, np.where(sizes > longest, nan, full))
    assert np.isnan(x[0])  # it is a copy that was filled


def test_what_has_no_gaps_is_copied():
    """Empty arrays, too."""
    x = np.arange(6.0).reshape(2, 3)
    y = pyconv.fill_gaps(x)
    np.testing.assert_array_equal(y, x)
    assert not np.shares_memory(x, y)
    assert pyconv.fill_gaps(np.ones((0, 3))).shape == (0, 3)
    assert pyconv.fill_gaps(np.ones((3, 0))).shape == (3, 0)
    for options, error, match in (
        ({"axis": 2}, ValueError, "axis=2"),
        ({"longest": -1}, ValueError, "longest=-1"),
        ({"longest": 1.5}, TypeError, "longest=1.5"),
        ({"mask": np.ones(3)}, TypeError, "mask has dtype"),
        ({"mask": np.ones(4, bool)}, ValueError, "mask has shape"),
    ):
        with pytest.raises(error, match=match):
            pyconv.fill_gaps(x, **options)


def test_a_band_pass_of_a_sine_with_gaps_is_refused_and_then_filled():
    """The refusal names the way; filled, the sine is what it is without gaps, to a thousandth."""
    x = np.sin(2 * np.pi * 3 * np.arange(4000) / 100)
    w = firwin(501, [1, 10], pass_zero=False, fs=100)
    holed = x.copy()
    holed[[500, 900, 2000]] = np.nan
    with pytest.raises(ValueError, match=r"pyconv\.fill_gaps .* and apply w to that; or put zeros"):
        pyconv.correlate(holed, w, nan_policy="omit")
    y = pyconv.correlate(pyconv.fill_gaps(holed), w)
    assert np.abs(y - pyconv.correlate(x, w)).max() < 0.005
    assert np.abs(y).max() < 1.01


def test_explanations_count_the_sums():
    """One of a plain call; of samples, weights and magnitudes where some may be missing."""
    x, both = np.ones(100), np.array([-0.1, 1.0, -0.1])
    for w, options, most in (
        (both, {}, 1),
        (both, {"nan_policy": "omit"}, 6),
        (np.abs(both), {"nan_policy": "omit"}, 4),
        (np.abs(both), {"mask": np.zeros(100, bool)}, 4),
    ):
        why = pyconv.explain(x, w, **options)
        assert why.most_sums == most
        assert (f"{most // 2} sums like that of a row, {most} at most" in str(why)) == (most > 1)
        assert copy.copy(why).most_sums == most
    assert pyconv.explain(np.ones(9, int), np.ones(3, int), nan_policy="omit").most_sums == 1


def test_calls_that_are_kept_hold_their_own_weights(rng):
    """Changed weights, fill values and masks are another call; so are threads at once."""
    x = rng.normal(size=(40, 50))
    x[rng.random(x.shape) < 0.1] = np.nan
    w = np.ones((3, 3))
    first = pyconv.correlate(x, w, "same", nan_policy="omit")
    w[0, 0] = 5
    second = pyconv.correlate(x, w, "same", nan_policy="omit")
    assert bits(first) != bits(second)
    w[0, 0] = 1
    assert bits(pyconv.correlate(x, w, "same", nan_policy="omit")) == bits(first)
    for fill in (0, np.nan, float("nan"), 2.0, 0.0, False):
        with_fill = [
            pyconv.correlate(x, w, "same", nan_policy="omit", fill_value=fill) for _ in range(2)
        ]
        clear_cache()
        again = pyconv.correlate(x, w, "same", nan_policy="omit", fill_value=fill)
        assert {bits(y) for y in with_fill} == {bits(again)}
    with ThreadPoolExecutor(4) as pool:
        clear_cache()
        several = pool.map(
            lambda _: bits(pyconv.correlate(x, w, "same", nan_policy="omit", workers=1)), range(32)
        )
        assert set(several) == {bits(first)}
