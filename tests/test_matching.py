"""Coefficients against the definition in float64, and on data where sums of squares cancel."""

import importlib.util

import numpy as np
import oracles
import pytest

import pyconv
from pyconv import matching
from pyconv.boundaries import BOUNDARIES

#: Shape of the image, axes, shape of the template.
SHAPES = {
    "1-D": ((40,), (0,), (7,)),
    "one tap": ((12,), (0,), (1,)),
    "batch in front": ((3, 30), (1,), (4,)),
    "batch behind": ((20, 21, 3), (0, 1), (4, 5)),
    "2-D": ((19, 23), (0, 1), (5, 2)),
    "2-D, turned": ((9, 2, 13), (2, 0), (3, 4)),
    "3-D": ((7, 8, 9), (0, 1, 2), (2, 3, 3)),
}


def expected(x, t, axes, mode="valid", boundary="constant", seen=None, fill_value=0):
    """Return the definition: every window, its mean taken off."""
    spans = list(t.shape)
    x = x.astype(float)
    for axis, (low, high) in zip(axes, oracles.pads_of(mode, spans), strict=True):
        x = oracles.pad_axis(x, axis, low, high, boundary, fill_value)
    windows = np.lib.stride_tricks.sliding_window_view(x, spans, axis=axes)
    seen = np.ones(t.shape, bool) if seen is None else seen
    windows, t = windows[..., seen], t.astype(float)[seen]
    windows = windows - windows.mean(-1, keepdims=True)
    t = t - t.mean()
    norms = np.sqrt((windows**2).sum(-1) * (t**2).sum())
    with np.errstate(all="ignore"):
        return np.where(norms > 0, (windows * t).sum(-1) / norms, 0)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint8", "int16", "int64", "?"])
@pytest.mark.parametrize("case", SHAPES)
def test_definition(case, dtype, rng):
    """Every extent, with a mask and without."""
    shape, axes, taps = SHAPES[case]
    for maker in (lambda s: rng.integers(0, 100, s), lambda s: rng.integers(0, 2, s)):
        x, t = maker(shape).astype(dtype), maker(taps).astype(dtype)
        wide = dtype in ("float64", "int64")
        for mode in ("valid", "same", "full"):
            for left_out in (None, rng.random(taps) < 0.3):
                seen = None if left_out is None else ~left_out
                if seen is not None and not seen.any():
                    continue
                y = pyconv.match_template(x, t, mode, "nearest", axes=axes, mask=left_out)
                right = expected(x, t, axes, mode, "nearest", seen)
                assert y.dtype == (np.float64 if wide else np.float32)
                np.testing.assert_allclose(y, right, atol=1e-6 if wide else 3e-6)
                assert np.all(np.abs(y) <= 1)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_boundaries(boundary, rng):
    x, t = rng.random((9, 11)), rng.random((4, 5))
    for mode in ("same", [(7, -2), (13, 3)]):
        y = pyconv.match_template(x, t, mode, boundary, fill_value=0.5)
        right = expected(x, t, (0, 1), mode, boundary, fill_value=0.5)
        np.testing.assert_allclose(y, right, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_large_mean_does_not_matter(dtype, rng):
    """Brightness and contrast are taken off, however large."""
    x, t = rng.random((60, 70)), rng.random((8, 9))
    right = expected(x, t, (0, 1))
    for scale, offset in ((1, 1000), (1e-3, 1), (1e30, 0), (1e-30, 0), (3e38, 0), (-7, 5000)):
        image = (x * scale + offset).astype(dtype)
        exact = expected(image, t, (0, 1)) if offset else right * np.sign(scale)
        y = pyconv.match_template(image, t.astype(dtype))
        np.testing.assert_allclose(y, exact, atol=5e-6)


def test_small_contrast_beside_a_large_one(rng):
    """The variance of a window is not the difference of rounded sums."""
    x = rng.integers(0, 3, (60, 200)) + 30_000
    x[:, 100:] = rng.integers(-30_000, -20_000, (60, 100))
    t = rng.integers(0, 3, (6, 7))
    y = pyconv.match_template(x.astype("int16"), t.astype("int16"))
    np.testing.assert_allclose(y, expected(x, t, (0, 1)), atol=2e-4)
    y = pyconv.match_template(x.astype("float32"), t.astype("float32"))
    np.testing.assert_allclose(y, expected(x, t, (0, 1)), atol=2e-3)
    assert np.all(np.abs(y) <= 1)


def test_constant_windows_are_zero(rng):
    """Exactly, beside anything; as is everything with a constant template."""
    x = np.full((40, 50), 0.1, "float32")
    x[:, 30:] = rng.random((40, 20)) * 1e4
    y = pyconv.match_template(x, rng.random((5, 5)).astype("float32"))
    assert np.all(y[:, :26] == 0)
    assert np.all(y[:, 26:] != 0)
    assert np.all(pyconv.match_template(x, np.full((5, 5), 3.0)) == 0)
    assert np.all(pyconv.match_template(np.full((9, 9), 7, "uint8"), np.eye(3)) == 0)


def test_blocks(rng, monkeypatch):
    """However the image is cut, the variances are the same."""
    x, t = rng.random((90, 40)), rng.random((7, 6))
    whole = pyconv.match_template(x, t)
    monkeypatch.setattr(matching, "BLOCK", 1)
    assert np.array_equal(pyconv.match_template(x, t), whole)


def test_windows_find_themselves(rng):
    x = rng.integers(0, 256, (200, 300)).astype("uint8")
    for size in (16, 33):
        y = pyconv.match_template(x, x[50 : 50 + size, 70 : 70 + size])
        assert np.unravel_index(y.argmax(), y.shape) == (50, 70)
        assert y.max() == pytest.approx(1, abs=1e-6)


@pytest.mark.skipif(not importlib.util.find_spec("skimage"), reason="needs scikit-image")
def test_agrees_with_skimage(rng):
    from skimage.feature import match_template

    for shape, taps in (((40, 50), (7, 8)), ((15, 16, 17), (3, 4, 5))):
        x, t = rng.random(shape), rng.random(taps)
        np.testing.assert_allclose(pyconv.match_template(x, t), match_template(x, t), atol=1e-7)


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "words"),
    [
        (([1, 2, np.nan], [1, 2]), {}, ValueError, "image holds NaN"),
        (([1, 2, 3], [1, np.inf]), {}, ValueError, "template holds NaN"),
        (([1, 2j, 3], [1, 2]), {}, TypeError, "image has dtype complex128"),
        (([1, 2, 3], [1, 2j]), {}, TypeError, "template has dtype complex128"),
        (([1, 2], [1, 2, 3]), {}, ValueError, "would be empty"),
        (([1, 2], [[1, 2]]), {}, ValueError, r"template has shape \(1, 2\) and image \(2,\)"),
        (([1, 2], []), {}, ValueError, r"template has shape \(0,\)"),
        (([1, 2], 1), {}, ValueError, r"template has shape \(\)"),
        (([1, 2, 3], [1, 2]), {"mask": [1, 0]}, TypeError, "mask has dtype int64"),
        (([1, 2, 3], [1, 2]), {"mask": [True]}, ValueError, "mask has shape"),
        (([1, 2, 3], [1, 2]), {"mask": [True, True]}, ValueError, "mask leaves nothing"),
    ],
)
def test_errors(arguments, keywords, error, words):
    with pytest.raises(error, match=words):
        pyconv.match_template(*arguments, **keywords)


# ---- xcorr --------------------------------------------------------------------------------------


def lagged(a, b, k):
    """Return Σ a[n + k] conj(b[n])."""
    n = np.arange(max(0, -k), min(len(b), len(a) - k))
    return (a[n + k] * b[n].conj()).sum() if n.size else 0


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int16", "uint8"])
def test_lags(dtype, rng):
    """Each lag that is asked for, and no other; of any two lengths."""
    for n, m in ((9, 9), (12, 5), (4, 11), (1, 1)):
        a, b = (rng.integers(0, 9, k).astype(dtype) for k in (n, m))
        if dtype == "complex128":
            b = b + 1j * rng.integers(0, 9, m)
        for maxlag in (None, 0, 3, 20):
            c, lags = pyconv.xcorr(a, b, maxlag)
            first, last = (1 - m, n - 1) if maxlag is None else (-maxlag, maxlag)
            assert lags.tolist() == list(range(first, last + 1))
            wide = np.int64 if np.dtype(dtype).kind in "iu" else b.dtype
            right = np.array([lagged(a.astype(wide), b.astype(wide), k) for k in lags])
            assert c.dtype == np.correlate(a[:1], b[:1]).dtype or c.dtype.kind in "iu"
            np.testing.assert_array_equal(c, right)
            overlap = np.array([max(1, min(n, m + k) - max(0, k)) for k in lags])
            norm = np.sqrt((np.abs(a) ** 2.0).sum() * (np.abs(b) ** 2.0).sum())
            for word, share in (
                ("biased", max(n, m)), ("unbiased", overlap), ("coeff", norm), ("normalized", norm),
            ):  # fmt: skip
                scaled = right / share if np.all(share) else 0 * right
                found = pyconv.xcorr(a, b, maxlag, word)[0]
                np.testing.assert_allclose(found, scaled, rtol=1e-6, atol=1e-12)


def test_many_signals(rng):
    """One with many, each with its own, along any axis; a signal with itself."""
    a, b = rng.random((3, 2, 20)), rng.random((3, 2, 15))
    for word in (None, "coeff", "unbiased"):
        c, _ = pyconv.xcorr(a, b[0, 0], 4, word)
        one, _ = pyconv.xcorr(a[2, 1], b[0, 0], 4, word)
        np.testing.assert_allclose(c[2, 1], one, rtol=1e-12)
        c, _ = pyconv.xcorr(a, b, 4, word)
        one, lags = pyconv.xcorr(a[2, 1], b[2, 1], 4, word)
        np.testing.assert_allclose(c[2, 1], one, rtol=1e-12)
        turned, _ = pyconv.xcorr(np.moveaxis(a, 2, 0), np.moveaxis(b, 2, 0), 4, word, axis=0)
        np.testing.assert_array_equal(turned, np.moveaxis(c, 2, 0))
    c, lags = pyconv.xcorr(a, None, None, "coeff")
    np.testing.assert_allclose(c[..., lags == 0], 1)
    assert np.all(pyconv.xcorr(np.zeros(4), np.ones(4), 2, "coeff")[0] == 0)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([1, 2], [1, 2], -1), ValueError, "maxlag=-1"),
        (([1, 2], [1, 2], 1.5), TypeError, "maxlag=1.5"),
        (([1, 2], [1, 2], 2**62), ValueError, "maxlag=46"),
        (([1, 2], [1, 2], 1, "none"), ValueError, "normalize='none' is unknown"),
        (([], [1, 2]), ValueError, "a has shape"),
        (([1, 2], []), ValueError, "b has shape"),
        ((np.ones((2, 3)), np.ones((3, 3))), ValueError, "signals differ"),
        ((np.ma.ones(3), [1, 2]), TypeError, "a is a masked"),
    ],
)
def test_errors_of_xcorr(arguments, error, words):
    with pytest.raises(error, match=words):
        pyconv.xcorr(*arguments)
