"""Coefficients against the definition in float64, and on data where sums of squares cancel."""

import importlib.util
import itertools
import re
import tracemalloc

import numpy as np
import oracles
import pytest
from arrays import LAYOUTS

import pyconv
from pyconv._calls import coefficients
from pyconv._calls import lags as _lags
from pyconv._engine.boundaries import BOUNDARIES

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


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint64"])
@pytest.mark.parametrize("masks", ["none", "template", "image"])
@pytest.mark.parametrize("loud", [1e6, 1e9])
def test_few_loud_samples(dtype, masks, loud, rng, monkeypatch):
    """Windows without them are those of an image without them, and none is looked at by itself."""
    x, t = rng.integers(0, 99, (160, 180)).astype(dtype), rng.integers(0, 99, (13, 12))
    at = rng.random(x.shape) < 1e-3
    x[at] = loud
    if np.dtype(dtype).kind != "u":
        x[np.nonzero(at)[0][::2], np.nonzero(at)[1][::2]] *= -1
    seen = rng.random(t.shape) < 0.9 if masks == "template" else np.ones(t.shape, bool)
    missing = rng.random(x.shape) < 2e-4 if masks == "image" else None
    left = []
    refine = coefficients.Coefficients._refine

    def count(self, x, y, missing):
        left.append(np.count_nonzero(np.isnan(y)))
        refine(self, x, y, missing)

    monkeypatch.setattr(coefficients.Coefficients, "_refine", count)
    monkeypatch.setattr(coefficients, "FEW_PRODUCTS", 1 << 14)
    y = pyconv.match_template(
        x, t.astype(dtype), mask=None if seen.all() else ~seen, image_mask=missing
    )
    right = expected(x, t, (0, 1), seen=seen)
    whole = np.ones(y.shape, bool)
    if missing is not None:
        whole = ~np.lib.stride_tricks.sliding_window_view(missing, t.shape).any(axis=(-2, -1))
    np.testing.assert_allclose(y[whole], right[whole], atol=5e-5 if dtype == "float32" else 1e-9)
    assert max(left[:1], default=0) < y.size / 20


@pytest.mark.parametrize("taps", [(1, 1), (1, 2), (3, 3)])
@pytest.mark.parametrize("way", ["image_mask", "masked array", "omit"])
def test_a_constant_template_where_little_was_seen(taps, way, rng):
    """NaN, as with any template; elsewhere zero, also where nothing is missing."""
    x = rng.random((20, 30))
    missing = rng.random(x.shape) < 0.4
    missing[:6, :7] = True
    given = {
        "image_mask": (x, {"image_mask": missing}),
        "masked array": (np.ma.array(x, mask=missing), {}),
        "omit": (np.where(missing, np.nan, x), {"nan_policy": "omit"}),
    }
    image, options = given[way]
    y = pyconv.match_template(image, np.full(taps, 3.0), **options)
    left = np.lib.stride_tricks.sliding_window_view(~missing, taps).sum(axis=(-2, -1))
    size = taps[0] * taps[1]
    few = (left < size) & (left < max(2, size / 4))
    assert few.any()
    assert not few.all()
    assert np.array_equal(y, np.where(few, np.nan, 0), equal_nan=True)


def test_blocks(rng, monkeypatch):
    """However the image is cut, the variances are the same."""
    x, t = rng.random((90, 40)), rng.random((7, 6))
    whole = pyconv.match_template(x, t)
    monkeypatch.setattr(coefficients, "BLOCK", 1)
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


def exact(x, t, seen=None):
    """Return the coefficient of each window, of samples less one of them, in long double."""
    windows = np.lib.stride_tricks.sliding_window_view(x, t.shape)
    y = np.zeros(windows.shape[: x.ndim])
    for at in np.ndindex(y.shape):
        a, b = windows[at].ravel(), t.ravel()
        if seen is not None:
            keep = np.lib.stride_tricks.sliding_window_view(seen, t.shape)[at].ravel()
            a, b = a[keep], b[keep]
            if len(a) < max(2, t.size / 4):
                y[at] = np.nan
                continue
        a, b = (_deviations(v) for v in (a, b))
        norm = np.sqrt((a * a).sum()) * np.sqrt((b * b).sum())
        y[at] = (a * b).sum() / norm if norm > 0 else 0
    return y


def _deviations(v):
    if v.dtype.kind in "iu":
        v = np.array([int(i) - int(v[0]) for i in v], np.longdouble)
    else:
        v = v.astype(np.longdouble) - np.longdouble(v[0])
    most = np.abs(v).max()
    v = v / most if most > 0 else v
    return v - v.mean()


CLOSE = {"float32": 5e-5, "float64": 1e-9}
#: What makes some windows loud, far from the mean, or constant.
TROUBLE = ["spike", "step", "ramp", "offset", "constant", "scales"]


def troubled(rng, shape, dtype, trouble):
    """Return samples of a dtype, of which some windows are hard."""
    x = rng.random(shape)
    if np.dtype(dtype).kind in "iu":
        info = np.iinfo(dtype)
        x = rng.integers(0, min(100, info.max), shape).astype(dtype)
        large = dtype(info.max - 100) if info.max > 200 else dtype(info.max)
    else:
        x = x.astype(dtype)
        large = dtype({2: 6e4, 4: 1e8, 8: 1e13}[np.dtype(dtype).itemsize])
    half = (..., slice(shape[-1] // 2, None))
    if trouble == "spike":
        x.flat[x.size // 3] = large
    elif trouble == "step":
        x[half] += dtype(large - 100) if np.dtype(dtype).kind in "iu" else large
    elif trouble == "ramp":
        x += (np.linspace(0, 1, shape[-1]) * float(large) / 2).astype(dtype)
    elif trouble == "offset":
        x += dtype(large - 100) if np.dtype(dtype).kind in "iu" else dtype(float(large) / 1e4)
    elif trouble == "constant":
        x[half] = x.flat[0]
    elif np.dtype(dtype).kind == "f":
        x *= (2.0 ** rng.integers(-9, 9, shape[-1])).astype(dtype)
    return x


@pytest.mark.parametrize("trouble", TROUBLE)
@pytest.mark.parametrize(
    "dtype", [np.float16, np.float32, np.float64, np.int8, np.uint8, np.int16, np.uint16, np.int32,
              np.uint32, np.int64, np.uint64],
)  # fmt: skip
def test_a_window_is_judged_by_itself(dtype, trouble, rng, monkeypatch):
    """The definition on each window, whatever else the array holds, and however it is cut."""
    for shape, taps in (((150,), (7,)), ((17, 40), (4, 5)), ((7, 8, 20), (2, 3, 3))):
        x = troubled(rng, shape, dtype, trouble)
        t = x[tuple(slice(n // 4, n // 4 + k) for n, k in zip(shape, taps, strict=True))]
        right = exact(x, t)
        for block, few in ((1 << 16, 1 << 20), (1 << 16, 0), (64, 0)):
            monkeypatch.setattr(coefficients, "BLOCK", block)
            monkeypatch.setattr(coefficients, "FEW_PRODUCTS", few)
            y = pyconv.match_template(x, t)
            np.testing.assert_allclose(y, right, rtol=0, atol=CLOSE[y.dtype.name])
            assert np.array_equal(y[right == 0], right[right == 0])
            assert np.array_equal(pyconv.match_template(x, t, workers=3), y)


@pytest.mark.parametrize("dtype", ["float32", "int16", "uint16"])
def test_roundings_of_one_sign(dtype, rng):
    """Sums of equal products are rounded alike: in a step their errors do not cancel."""
    for shape, taps in (((12, 12, 30), (7, 7, 7)), ((12, 12, 30), (5, 5, 5)), ((30, 90), (10, 10))):
        n = int(np.prod(taps))
        for half in (np.arange(n) < n // 2, np.arange(n) % taps[-1] < taps[-1] // 2):
            t = (np.where(half, 0, 1000).reshape(taps)).astype(dtype)
            for offset in (32, 60, 100, 150, 187, 250):
                x = rng.integers(0, 3, shape).astype(dtype)
                x[..., shape[-1] // 2 :] += np.array(offset, dtype)
                y = pyconv.match_template(x, t)
                axes = tuple(range(len(taps)))
                np.testing.assert_allclose(y, expected(x, t, axes), rtol=0, atol=CLOSE["float32"])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_few_gaps_and_constant_parts(dtype, rng, monkeypatch):
    """Windows without gaps are made at once, and those of one value are 0."""
    for shape, taps in (((300,), (9,)), ((2, 30, 40), (4, 5)), ((14, 15, 20), (3, 4, 3))):
        x = (rng.random(shape) * 100).astype(dtype)
        x[..., : shape[-1] // 3] = 7
        t = (rng.random(taps) * 100).astype(dtype)
        missing = rng.random(shape) < 0.01
        missing[..., 3] |= rng.random(shape[:-1]) < 0.5
        axes = tuple(range(-len(taps), 0))
        right = expected(x, t, range(x.ndim)[-len(taps) :])
        close = CLOSE.get(dtype, 5e-5)
        results = []
        for few, products in ((1.0, 1 << 20), (1.0, 0), (0.0, 0)):
            monkeypatch.setattr(coefficients, "FEW_HOLED", few)
            monkeypatch.setattr(coefficients, "FEW_PRODUCTS", products)
            y = pyconv.match_template(x, t)
            np.testing.assert_allclose(y, right, rtol=0, atol=close)
            assert np.all(y[..., : shape[-1] // 3 - taps[-1] + 1] == 0)
            results.append(pyconv.match_template(x, t, image_mask=missing, axes=axes))
        for y in results[:2]:
            np.testing.assert_allclose(y, results[2], rtol=0, atol=close)
        item = (1,) if x.ndim > len(taps) else ()
        one = exact(x[item], t, ~missing[item])
        for y in results:
            np.testing.assert_allclose(y[item], one, rtol=0, atol=close)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_layouts(dtype, layout, rng):
    """Any memory layout, where windows are computed one by one and where samples are missing."""
    x = (rng.random((9, 20, 30)) * 100).astype(dtype)
    x[4, 5, 6] = 1e8
    t = x[2:5, 3:7, 10:15].copy()
    missing = rng.random(x.shape) < 0.01
    right = pyconv.match_template(x, t)
    np.testing.assert_allclose(right, exact(x, t), rtol=0, atol=CLOSE[right.dtype.name])
    np.testing.assert_array_equal(pyconv.match_template(LAYOUTS[layout](x), t), right)
    np.testing.assert_array_equal(
        pyconv.match_template(LAYOUTS[layout](x), LAYOUTS[layout](t), image_mask=missing),
        pyconv.match_template(x, t, image_mask=LAYOUTS[layout](missing)),
    )


def test_quiet_windows_find_their_template(rng):
    """Beside a sample of 1e8, and of integers that float64 does not hold."""
    x = rng.random(5000)
    x[10] = 1e8
    for dtype in ("float64", "float32"):
        x = x.astype(dtype)
        y = pyconv.match_template(x, x[3000:3020])
        assert y[3000] == pytest.approx(1, abs=CLOSE[dtype])
        assert y.argmax() == 3000
    for dtype, low in (("int64", 2**60), ("int64", -(2**62)), ("uint64", 2**63)):
        x = rng.integers(0, 1000, 60).astype(dtype) + np.array(low, dtype)
        assert pyconv.match_template(x, x[20:32])[20] == pytest.approx(1, abs=1e-12)
    x = np.zeros(60, "uint64")
    x[::7] = 2**64 - 1
    x[20:32] += rng.integers(0, 9, 12).astype("uint64")
    np.testing.assert_allclose(
        pyconv.match_template(x, x[20:32]), exact(x, x[20:32]), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_missing_samples_of_an_image(dtype, rng, monkeypatch):
    """Pairs that are left, of masks, masked arrays and NaN; NaN where too few are."""
    for shape, taps in (((150,), (7,)), ((17, 40), (4, 5)), ((6, 7, 12), (2, 3, 3))):
        for trouble in ("scales", "spike", "constant"):
            x = troubled(rng, shape, dtype, trouble)
            t = x[tuple(slice(0, k) for k in taps)].copy()
            for share in (0.95, 0.5, 0.1):
                seen = rng.random(shape) < share
                right = exact(x, t, seen)
                for few in (1 << 20, 0):
                    monkeypatch.setattr(coefficients, "FEW_PRODUCTS", few)
                    y = pyconv.match_template(x, t, image_mask=~seen)
                    np.testing.assert_allclose(y, right, rtol=0, atol=CLOSE[y.dtype.name])
                    assert np.array_equal(
                        pyconv.match_template(np.ma.array(x, mask=~seen), t), y, equal_nan=True
                    )
                    if np.dtype(dtype).kind == "f":
                        holed = np.where(seen, x, np.nan).astype(dtype)
                        omitted = pyconv.match_template(holed, t, nan_policy="omit")
                        assert np.array_equal(omitted, y, equal_nan=True)


def test_what_is_not_finite_stays_in_its_windows(rng):
    x, t = rng.random((20, 30)), rng.random((3, 4))
    right = pyconv.match_template(x, t)
    for value in (np.nan, np.inf):
        x[9, 11] = value
        y = pyconv.match_template(x, t, nan_policy="propagate")
        touched = np.zeros(y.shape, bool)
        touched[7:10, 8:12] = True
        assert np.array_equal(np.isnan(y), touched)
        np.testing.assert_allclose(y[~touched], right[~touched], atol=1e-9)
        with pytest.raises(ValueError, match="image holds NaN or infinity"):
            pyconv.match_template(x, t)
    with pytest.raises(ValueError, match="nan_policy='drop' is unknown"):
        pyconv.match_template(x, t, nan_policy="drop")
    y = pyconv.match_template(t, t, "same", fill_value=np.nan, nan_policy="omit")
    assert y[1, 2] == pytest.approx(1)


def test_a_masked_template_brings_its_mask(rng):
    x, t = rng.random((20, 30)), rng.random((3, 4))
    mask = np.eye(3, 4, dtype=bool)
    y = pyconv.match_template(x, np.ma.array(t, mask=mask))
    assert np.array_equal(y, pyconv.match_template(x, t, mask=mask))


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


def _louder(x, exponent):
    """Return samples times a power of two, which rounds none of them."""
    if x.dtype.kind != "c":
        return np.ldexp(x, exponent)
    return (np.ldexp(x.real, exponent) + 1j * np.ldexp(x.imag, exponent)).astype(x.dtype)


#: Powers of two that samples are multiplied by: squares of theirs are no numbers of the type.
LOUD = {"f2": (12, -8), "f4": (100, -100), "f8": (664, -664), "c8": (100, -100), "c16": (664, -664)}


@pytest.mark.parametrize("maxlag", [None, 9])
@pytest.mark.parametrize(("n", "k"), [(40, 30), (1500, 1200)])
@pytest.mark.parametrize("dtype", LOUD)
def test_coefficients_have_no_scale(rng, dtype, n, k, maxlag):
    """Signals times a power of two have the same coefficients, to the bit."""
    a, b = (rng.uniform(0.5, 1, (2, size)) * rng.choice([-1, 1], (2, size)) for size in (n, k))
    if dtype[0] == "c":
        a, b = a * np.exp(2j * rng.random(a.shape)), b * np.exp(1j)
    a, b = a.astype(dtype), b.astype(dtype)
    holes = [rng.random(x.shape) < 0.1 for x in (a, b)]
    for up, other in itertools.product((*LOUD[dtype], 0), repeat=2):
        loud = np.stack([_louder(a[0], up), a[1]]), np.stack([b[0], _louder(b[1], other)])
        for words in ({}, {"mask": holes[0], "b_mask": holes[1]}):
            c, _ = pyconv.xcorr(a, b, maxlag, "coeff", **words)
            np.testing.assert_array_equal(pyconv.xcorr(*loud, maxlag, "coeff", **words)[0], c)
        c, _ = pyconv.xcorr(a, None, maxlag, "coeff", mask=holes[0])
        own, _ = pyconv.xcorr(loud[0], None, maxlag, "coeff", mask=holes[0])
        np.testing.assert_array_equal(own, c)
        one, _ = pyconv.xcorr(loud[0][0], loud[1][1], maxlag, "coeff")
        np.testing.assert_array_equal(one, pyconv.xcorr(a[0], b[1], maxlag, "coeff")[0])
        holed, _ = pyconv.xcorr(
            np.where(holes[0], a.dtype.type(np.nan), loud[0]), None, maxlag, "coeff",
            nan_policy="omit",
        )  # fmt: skip
        np.testing.assert_array_equal(holed, c)
        c, _ = pyconv.xcorr(a, None, maxlag, "coeff")
        np.testing.assert_array_equal(pyconv.xcorr(loud[0], None, maxlag, "coeff")[0], c)


def test_coefficients_of_signals_of_other_types(rng):
    """A loud signal beside one of another type, integers among them, is scaled alone."""
    a, b = rng.standard_normal(50), rng.integers(-100, 100, 40, np.int16)
    c, _ = pyconv.xcorr(a, b, 9, "coeff")
    for up in (-1000, 900):
        loud = _louder(a, up)
        np.testing.assert_array_equal(pyconv.xcorr(loud, b, 9, "coeff")[0], c)
        turned = pyconv.xcorr(b, loud, 9, "coeff")[0]
        np.testing.assert_array_equal(turned, pyconv.xcorr(b, a, 9, "coeff")[0])
        single, half = loud * 2.0 ** -(up + 90), b.astype(np.float16)
        of_halves = pyconv.xcorr(single.astype(np.float32), half, 9, "coeff")[0]
        np.testing.assert_allclose(of_halves, c, atol=1e-6)
    halves = rng.integers(-2, 3, 50).astype(np.float16)
    c, _ = pyconv.xcorr(halves, b, 9, "coeff")  # the integers are halves too
    exact = pyconv.xcorr(halves.astype(float), b, 9, "coeff")[0]
    np.testing.assert_allclose(c, exact, atol=1e-3)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_matches_have_no_scale(rng, dtype):
    """Templates are found in samples times a power of two with the same coefficients."""
    x, t = rng.standard_normal(500).astype(dtype), rng.standard_normal(9).astype(dtype)
    y = pyconv.match_template(x, t)
    for up, other in itertools.product((*LOUD[dtype], 0), repeat=2):
        found = pyconv.match_template(_louder(x, up), _louder(t, other))
        np.testing.assert_array_equal(found, y)


@pytest.mark.parametrize("dtype", ["i4", "i8", "u8"])
def test_coefficients_of_large_integers(rng, dtype):
    """Sums beyond 64 bits have coefficients, and no other result."""
    a, b = rng.integers(1, 1 << 30, 50).astype(dtype), rng.integers(1, 1 << 30, 40).astype(dtype)
    up = 1 if dtype == "i4" else 1 << 32
    hole = rng.random(50) < 0.1
    large = a * a.dtype.type(up), b * b.dtype.type(up)
    for words in ({}, {"mask": hole}):
        c, _ = pyconv.xcorr(a.astype(float), b.astype(float), None, "coeff", **words)
        np.testing.assert_array_equal(pyconv.xcorr(*large, None, "coeff", **words)[0], c)
        for word in (None, "biased", "unbiased"):
            with pytest.raises(OverflowError, match="results may lie"):
                pyconv.xcorr(*large, None, word, **words)


def test_ordinary_signals_are_not_scaled(rng):
    """Samples that are neither loud nor quiet stay as they are."""
    for dtype in ("f2", "f4", "f8", "c8", "c16"):
        a, b = (_lags._Signal(rng.random((2, n)).astype(dtype) + 1, None) for n in (90, 80))
        first, second = _lags._in_range(a, b)
        assert first is a
        assert second is b
    with np.errstate(all="raise"):
        c, _ = pyconv.xcorr(np.array([1e300, 1e-300]), None, 1, "coeff")
    np.testing.assert_array_equal(c, [0, 1, 0])
    quiet = _lags._Signal(np.array([[1.0, 2.0], [np.nan, 1e300], [np.inf, 0], [0, 0]]), None)
    assert _lags._in_range(quiet, quiet) == (quiet, quiet)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([1, 2], [1, 2], -1), ValueError, "maxlag=-1"),
        (([1, 2], [1, 2], 1.5), TypeError, "maxlag=1.5"),
        (([1, 2], [1, 2], 2**62), ValueError, "maxlag=46"),
        (([1, 2], [1, 2], 2**58), MemoryError, f"maxlag={2**58} asks for .* from -1 to 1"),
        (([1, 2], [1, 2], 1, "none"), ValueError, "normalize='none' is unknown"),
        (([1, 2], None, 1, "coef"), ValueError, "allowed are None, biased, unbiased, coeff, norm"),
        (([], [1, 2]), ValueError, "a has shape"),
        (([1, 2], []), ValueError, "b has shape"),
        ((np.ones((2, 3)), np.ones((3, 3))), ValueError, "signals differ"),
    ],
)
def test_errors_of_xcorr(arguments, error, words):
    with pytest.raises(error, match=words):
        pyconv.xcorr(*arguments)


@pytest.mark.parametrize(
    ("a", "b", "axis", "words"),
    [
        ([1.0], [1.0], 3, r"axis=3, but a has shape \(1,\): from -1 to 0 are allowed"),
        (np.ones((2, 3)), None, -3, r"axis=-3, but a has shape \(2, 3\): from -2 to 1 are allowed"),
        (np.ones((2, 3, 4)), np.ones((2, 4)), 2, "axis=2, but b has shape .* -2 to 1 are allowed"),
    ],
)
def test_axes_of_xcorr(a, b, axis, words):
    with pytest.raises(ValueError, match=words):
        pyconv.xcorr(a, b, axis=axis)


def test_one_signal_with_many_along_any_axis(rng):
    """It has one axis, wherever the time of the others is."""
    a, b = rng.random((3, 2, 20)), rng.random(15)
    c, _ = pyconv.xcorr(a, b)
    for axis in range(-3, 3):
        turned, _ = pyconv.xcorr(np.moveaxis(a, -1, axis), b, axis=axis)
        assert np.array_equal(np.moveaxis(turned, axis, -1), c)


@pytest.mark.parametrize(
    "dtypes", list(itertools.product(("f4", "f8", "c8", "i2", "u1", "?"), repeat=2))
)
def test_pairs_have_the_bits_that_they_have_alone(dtypes, rng):
    """Of all lengths, and with NaN and infinity in some of them; and one dtype for all lengths."""
    found = set()
    for n, m in ((1, 1), (1, 7), (7, 1), (5, 5), (30, 9), (9, 30), (80, 70)):
        for spoilt, maxlag in itertools.product((False, True), (None, 0, 3, 90)):
            a, b = (rng.integers(0, 99, (5, k)).astype(d)
                    for k, d in zip((n, m), dtypes, strict=True))  # fmt: skip
            for at, array in enumerate((a, b)):
                if array.dtype.kind in "fc":
                    array += rng.random(array.shape)
                    if spoilt:
                        array[2 + at, 0], array[3 + at, -1] = np.inf, np.nan
            c, _ = pyconv.xcorr(a, b, maxlag)
            alone = [pyconv.xcorr(*pair, maxlag)[0] for pair in zip(a, b, strict=True)]
            found |= {c.dtype, *(one.dtype for one in alone)}
            assert np.array_equal(c, alone, equal_nan=True)
    assert len(found) == 1


@pytest.mark.parametrize("shape", [(1, 50), (20, 50), (20, 1, 3)])
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_pairs_share_a_plan(shape, dtype, rng, monkeypatch):
    """Many short signals are not many calls."""
    monkeypatch.setattr("pyconv._calls.lags.correlate", None)
    a = rng.integers(0, 99, shape).astype(dtype)
    c, lags = pyconv.xcorr(a, axis=0, maxlag=2)
    for at in np.ndindex(shape[1:]):
        line = a[(slice(None), *at)].astype("f8")
        right = [lagged(line, line, k) for k in lags]
        np.testing.assert_allclose(c[(slice(None), *at)], right, rtol=1e-6)


def seen_lags(a, b, seen_a, seen_b, lags, normalize):
    """Return the correlation of the pairs that are left, normalised by what was seen."""
    c = []
    for k in lags:
        n = np.arange(max(0, -k), min(len(b), len(a) - k))
        kept = n[seen_a[n + k] & seen_b[n]]
        total = (a[kept + k] * b[kept].conj()).sum()
        if len(n) and not len(kept):
            c.append(np.nan)
        elif normalize == "biased":
            c.append(total / max(seen_a.sum(), seen_b.sum()))
        elif normalize == "unbiased":
            c.append(total / max(1, len(kept)))
        elif normalize == "coeff":
            without_a, without_b = seen_a.copy(), seen_b.copy()
            without_a[n[~seen_b[n]] + k] = False
            without_b[n[~seen_a[n + k]]] = False
            norm = np.linalg.norm(a[without_a]) * np.linalg.norm(b[without_b])
            c.append(total / norm if norm else 0)
        else:
            c.append(total)
    return np.array(c)


@pytest.mark.parametrize("normalize", [None, "biased", "unbiased", "coeff"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int16"])
def test_missing_samples_of_signals(dtype, normalize, rng):
    for n, m in ((40, 40), (30, 12), (9, 25)):
        a, b = (rng.integers(-9, 9, k).astype(dtype) for k in (n, m))
        for share in (0.9, 0.3):
            seen = [rng.random(k) < share for k in (n, m)]
            wide = [v.astype(complex if v.dtype.kind == "c" else float) for v in (a, b)]
            for maxlag in (None, 5, 50):
                c, lags = pyconv.xcorr(a, b, maxlag, normalize, mask=~seen[0], b_mask=~seen[1])
                right = seen_lags(*wide, *seen, lags, normalize)
                np.testing.assert_allclose(c, right, rtol=1e-5, atol=1e-6)
                masked = [np.ma.array(v, mask=~s) for v, s in zip((a, b), seen, strict=True)]
                again = pyconv.xcorr(*masked, maxlag, normalize)[0]
                assert np.array_equal(again, c, equal_nan=True)
                if np.dtype(dtype).kind != "i":
                    holed = [np.where(s, v, np.nan).astype(dtype)
                             for v, s in zip((a, b), seen, strict=True)]  # fmt: skip
                    again = pyconv.xcorr(*holed, maxlag, normalize, nan_policy="omit")[0]
                    assert np.array_equal(again, c, equal_nan=True)
        own, lags = pyconv.xcorr(a, None, 3, "coeff", mask=~seen[0])
        assert not seen[0].any() or own[3] == pytest.approx(1)


@pytest.mark.parametrize("maxlag", [None, 40])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_missing_samples_of_long_signals(dtype, maxlag, rng):
    """Some at the ends, so that no pair is seen at the last lags; few, a block, and most."""
    n, m = 5000, 4500
    a, b = rng.standard_normal(n).astype(dtype), rng.standard_normal(m).astype(dtype)
    for share, block in ((1, 1), (0.999, 1), (0.97, 1), (0.97, 500), (0.3, 1)):
        seen = [np.repeat(rng.random(k // block) < share, block) for k in (n, m)]
        seen[0][-3:], seen[1][:2], seen[1][-5:] = False, False, share == 1
        for normalize in (None, "unbiased", "coeff"):
            c, lags = pyconv.xcorr(a, b, maxlag, normalize, mask=~seen[0], b_mask=~seen[1])
            some = np.unique(np.append(rng.integers(0, len(lags), 60), range(10)))
            some = np.append(some, -1 - some)
            wide = a.astype(float), b.astype(float)
            right = seen_lags(*wide, *seen, lags[some], normalize)
            scale = np.nanmax(np.abs(c)) * len(a) ** (normalize == "unbiased")
            eps = np.finfo(dtype).eps
            np.testing.assert_allclose(c[some], right, rtol=0, atol=64 * eps * scale)
        own, lags = pyconv.xcorr(a, None, maxlag, "coeff", mask=~seen[0])
        assert own[len(lags) // 2] == pytest.approx(1)
        both, _ = pyconv.xcorr(a, a, maxlag, "coeff", mask=~seen[0], b_mask=~seen[0])
        np.testing.assert_allclose(own, both, rtol=0, atol=64 * eps)


@pytest.mark.parametrize("share", [0.999, 0.9])
@pytest.mark.parametrize("loud", [1, 1e11])
def test_energy_beside_loud_samples(share, loud, rng):
    """Where the partner of a loud sample is missing, little of the energy is left."""
    squares = rng.random(3000)
    squares[1234] = loud
    seen = rng.random(2500) < share
    wanted = np.arange(-2499, 3000)
    found = _lags._energy(squares, _lags._Signal(seen, seen), wanted, None)
    for at in range(0, len(wanted), 7):
        kept = np.ones(3000, bool)
        lost = np.flatnonzero(~seen) + wanted[at]
        kept[lost[(lost >= 0) & (lost < 3000)]] = False
        np.testing.assert_allclose(found[at], squares[kept].sum(), rtol=1e-9)


def test_a_nan_in_a_signal(rng):
    """NaN where the overlap holds it, and of every lag with norms of whole signals; or refused."""
    a, b = rng.random(12), rng.random(9)
    whole, lags = pyconv.xcorr(a, b)
    for first, at in ((True, 3), (False, 7), (False, 0)):
        given = [a.copy(), b.copy()]
        given[not first][at] = np.nan
        c, _ = pyconv.xcorr(*given)
        n = at - lags if first else at + lags
        holds = (n >= 0) & (n < (len(b) if first else len(a)))
        assert np.array_equal(np.isnan(c), holds)
        np.testing.assert_allclose(c[~holds], whole[~holds], rtol=1e-12)
        assert np.isnan(pyconv.xcorr(*given, 5, normalize="coeff")[0]).all()
        with pytest.raises(ValueError, match=f"{'a' if first else 'b'} holds NaN"):
            pyconv.xcorr(*given, nan_policy="raise")
    with pytest.raises(ValueError, match="b_mask is given"):
        pyconv.xcorr(a, b_mask=np.zeros(12, bool))
    with pytest.raises(ValueError, match="nan_policy='no' is unknown"):
        pyconv.xcorr(a, nan_policy="no")


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_many_that_are_not_finite(dtype, rng):
    """Products with NaN, infinity and zero as NumPy has them, however many."""
    for _ in range(40):
        n, m = rng.integers(1, 50, 2)
        a, b = (rng.integers(-2, 3, k).astype(dtype) for k in (n, m))
        if dtype == "complex128":
            a, b = a + 1j * rng.integers(-2, 3, n), b + 1j * rng.integers(-2, 3, m)
        for value in (np.nan, np.inf, -np.inf):
            b[rng.random(m) < rng.choice([0, 0.05, 0.4])] = value
            a[rng.random(n) < rng.choice([0, 0.05])] = value
        c, lags = pyconv.xcorr(a, b)
        with np.errstate(all="ignore"):
            right = np.array([lagged(a, b, k) for k in lags])
        if dtype == "complex128":
            assert np.array_equal(np.isnan(c), np.isnan(right))
        else:
            np.testing.assert_allclose(c, right, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "?"])
def test_long_signals_of_integers(dtype, rng):
    """Exact, however they are summed, and past what a double holds."""
    for n, m, most in ((5000, 4000, 100), (700, 900, 2**26)):
        size = {"uint8": 255, "int16": 32767, "?": 1}.get(dtype, most)
        a, b = (rng.integers(0, size + 1, k).astype(dtype) for k in (n, m))
        c, _ = pyconv.xcorr(a, b)
        assert c.dtype == (np.uint64 if dtype == "uint8" else np.int64)
        assert np.array_equal(c, np.correlate(a.astype("int64"), b.astype("int64"), "full"))
        c, _ = pyconv.xcorr(a, b, 100)
        assert np.array_equal(c, np.correlate(a.astype("int64"), b.astype("int64"), "full")
                              [m - 101 : m + 100])  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint8", "int64"])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_single_windows_of_any_layout(order, dtype):
    """Windows that are summed one by one are read where they are: equal samples give zero."""
    values = np.random.default_rng(0).integers(0, 50, (6, 9, 13)).astype(dtype)
    x = np.ascontiguousarray(values.transpose(order)).transpose(np.argsort(order))
    t = np.array([[[85, 63]]], dtype)
    y = pyconv.match_template(x, t)
    equal = x[..., 1:] == x[..., :-1]
    assert np.count_nonzero(equal) > 5
    assert not y[equal].any()
    assert np.array_equal(y, pyconv.match_template(values, t))


@pytest.mark.parametrize("axes", [(1, 2), (2, 0), (0,)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_out_receives_the_coefficients(dtype, axes, rng):
    x = rng.integers(0, 200, (20, 21, 22)).astype(dtype)
    t = rng.integers(0, 200, (4, 3)[: len(axes)]).astype(dtype)
    mask = rng.random(x.shape) < 0.05
    for mode, keywords in (("valid", {}), ("same", {"image_mask": mask})):
        keywords |= {"axes": axes, "boundary": "symmetric"}
        y = pyconv.match_template(x, t, mode, **keywords)
        for out in (np.empty_like(y), np.empty(y.shape[::-1], y.dtype).T):
            assert pyconv.match_template(x, t, mode, out=out, **keywords) is out
            np.testing.assert_array_equal(out, y)
        if y.dtype == x.dtype and y.shape == x.shape:
            over = x.copy()
            assert pyconv.match_template(over, t, mode, out=over, **keywords) is over
            np.testing.assert_array_equal(over, y)
    with pytest.raises(TypeError, match="out has dtype int8, but the result is float"):
        pyconv.match_template(x, t, axes=axes, out=np.empty(x.shape, np.int8))
    with pytest.raises(ValueError, match="out has shape"):
        pyconv.match_template(x, t, axes=axes, out=np.empty(3, y.dtype))


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_parts_within_memory(dtype, boundary, rng):
    """Whatever the pads, the axes and the masks; and no more memory than was granted."""
    x = (1000 * rng.standard_normal((3, 250, 260))).astype(dtype)
    t, granted = (1000 * rng.standard_normal((9, 12))).astype(dtype), 6 << 20
    tolerance = 1e-4 if dtype == "float32" else 2e-9
    mask = rng.random(x.shape) < 0.01
    mask[:, 50:100, 50:100] = True
    for mode, keywords in (
        ("same", {"boundary": boundary}),
        ([(-3, 20), (30, -4)], {"boundary": boundary, "axes": (2, 1)}),
        ("full", {"boundary": boundary, "image_mask": mask}),
    ):
        y = pyconv.match_template(x, t, mode, **keywords)
        out = np.empty_like(y)
        tracemalloc.start()
        assert pyconv.match_template(x, t, mode, max_memory=granted, out=out, **keywords) is out
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak <= granted
        np.testing.assert_allclose(out, y, rtol=0, atol=tolerance)
        fresh = pyconv.match_template(x, t, mode, max_memory=granted, **keywords)
        np.testing.assert_array_equal(fresh, out)


def test_too_little_memory_to_match():
    x, t, out = np.ones((300, 300)), np.arange(900.0).reshape(30, 30), np.full((271, 271), 7.0)
    with pytest.raises(
        MemoryError, match="max_memory=1000 is too .* the least .* is ([0-9]+)"
    ) as e:
        pyconv.match_template(x, t, out=out, max_memory=1000)
    least = int(re.search("is ([0-9]+) bytes", str(e.value))[1])
    with pytest.raises(MemoryError, match="the least"):
        pyconv.match_template(x, t, out=out, max_memory=least - 1)
    x[250, 250] = np.nan
    with pytest.raises(ValueError, match="image holds NaN"):
        pyconv.match_template(x, t, out=out, max_memory=least)
    for bad, error in ((-1, ValueError), (0.5, TypeError)):
        with pytest.raises(error, match=f"max_memory={bad}"):
            pyconv.match_template(x, t, out=out, max_memory=bad)
    assert (out == 7).all()
    rows = x[:31]
    y = pyconv.match_template(rows, t, max_memory=least)
    np.testing.assert_allclose(y, pyconv.match_template(rows, t), atol=1e-9)
