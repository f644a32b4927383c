"""Pairs of signals, windows of lags, and peaks between samples; `test_matching.py` has the rest."""

import itertools

import numpy as np
import pytest

import pyconv
from pyconv._calls import lag_pairs

WINDOWS = (None, 5, 40, (-40, -3), (2, 30), (0, 0), (-200, 150), (60, 90), (-90, -60))
SCALES = (None, "biased", "unbiased", "coeff")


def defined(a, b, lags, normalize=None):
    """Return the sums at each lag over the samples that both signals have and have seen."""
    c = np.zeros(len(lags), np.result_type(a, b, np.float64))
    n, k = len(a), len(b)
    for place, lag in enumerate(lags):
        of_b = np.arange(max(0, -lag), min(k, n - lag))
        x, w = a[of_b + lag], b[of_b].conj()
        both = ~(np.isnan(x) | np.isnan(w))
        c[place] = np.sum(x[both] * w[both])
        if len(of_b) and not both.any():
            c[place] = np.nan
        elif normalize == "biased":
            c[place] /= max(np.sum(~np.isnan(a)), np.sum(~np.isnan(b)))
        elif normalize == "unbiased":
            c[place] /= max(1, both.sum())
        elif normalize == "coeff":
            norms = 1.0
            for one, at, other, shift in ((a, np.arange(n), b, -lag), (b, np.arange(k), a, lag)):
                partner = at + shift
                inside = (partner >= 0) & (partner < len(other))
                lost = np.zeros(len(one), bool)
                lost[inside] = np.isnan(other[partner[inside]])
                norms *= np.linalg.norm(np.nan_to_num(one[~lost]))
            c[place] = c[place] / norms if norms > 0 else 0
    return c


def noise(rng, shape, dtype="float64"):
    x = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.standard_normal(shape)
    return (20 * x).round().astype(dtype) if np.dtype(dtype).kind in "iu" else x.astype(dtype)


# ---- windows of lags --------------------------------------------------------------------------


@pytest.mark.parametrize("normalize", SCALES)
@pytest.mark.parametrize("window", [w for w in WINDOWS if isinstance(w, tuple)])
@pytest.mark.parametrize("gaps", [False, True])
def test_a_window_of_lags_is_a_part_of_all_lags(rng, window, normalize, gaps):
    """With and without gaps, of two signals and of one with itself, wherever the window lies."""
    a, b = noise(rng, 50), noise(rng, 70)
    if gaps:
        a[rng.random(50) < 0.2] = b[10:15] = np.nan
    for other in (b, None):
        c, lags = pyconv.xcorr(a, other, window, normalize, nan_policy="omit")
        np.testing.assert_array_equal(lags, np.arange(window[0], window[1] + 1))
        expected = defined(a, a if other is None else other, lags, normalize)
        np.testing.assert_allclose(c, expected, atol=1e-10)


def test_a_window_of_lags_of_integers_and_many_signals_is_exact(rng):
    """As all lags are."""
    for a, b in (
        (noise(rng, (3, 90), "int32"), noise(rng, (3, 100), "int16")),
        (noise(rng, (2, 300), "int32"), noise(rng, 200, "int32")),
    ):
        whole, lags = pyconv.xcorr(a, b, 150)
        for low, high in ((-150, 150), (-20, 3), (7, 90)):
            c, some = pyconv.xcorr(a, b, (low, high))
            np.testing.assert_array_equal(some, np.arange(low, high + 1))
            np.testing.assert_array_equal(c, whole[:, (lags >= low) & (lags <= high)], strict=True)


def test_a_window_of_lags_with_samples_that_are_not_finite(rng):
    """NaN at each lag at which a NaN overlaps, as at all lags."""
    a, b = noise(rng, 50), noise(rng, 40)
    a[7] = np.nan
    for place in (b, a):
        place[20] = np.inf
        whole, lags = pyconv.xcorr(a, b, 60)
        for low, high in ((-60, -3), (4, 33), (50, 60)):
            c, _ = pyconv.xcorr(a, b, (low, high))
            part = whole[(lags >= low) & (lags <= high)]
            np.testing.assert_array_equal(np.isnan(c), np.isnan(part))
            np.testing.assert_allclose(c, part, atol=1e-10)


# ---- pairs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int16", "float16"])
@pytest.mark.parametrize("normalize", SCALES)
@pytest.mark.parametrize("window", [20, (-5, 11), None])
def test_pairs_have_the_bits_of_calls_of_their_own(rng, dtype, normalize, window):
    """Of short signals: all, some, of one array or of two, and one signal with many."""
    a, b = noise(rng, (3, 60), dtype), noise(rng, (2, 45), dtype)
    c, lags = pyconv.xcorr(a, b, window, normalize, pairs="all")
    assert c.shape == (3, 2, len(lags))
    for i, j in itertools.product(range(3), range(2)):
        one, _ = pyconv.xcorr(a[i], b[j], window, normalize)
        np.testing.assert_array_equal(c[i, j], one, strict=True)
    some, _ = pyconv.xcorr(a, b, window, normalize, pairs=[(2, 0), (0, 1), (2, 0)])
    np.testing.assert_array_equal(some, c[[2, 0, 2], [0, 1, 0]], strict=True)
    turned, _ = pyconv.xcorr(a.T, b.T, window, normalize, pairs="all", axis=0)
    np.testing.assert_array_equal(turned, c, strict=True)
    alone, _ = pyconv.xcorr(a, b[1], window, normalize, pairs="all")
    np.testing.assert_array_equal(alone, c[:, 1:], strict=True)


@pytest.mark.parametrize("normalize", SCALES)
def test_pairs_of_one_array_are_mirrored(rng, normalize):
    """c_ij[k] is the conjugate of c_ji[−k]; a window that is not symmetric has them, too."""
    a = noise(rng, (4, 60), "complex128")
    a[1, 10:14] = np.nan
    options = {"normalize": normalize, "nan_policy": "omit", "pairs": "all"}
    c, lags = pyconv.xcorr(a, None, 25, **options)
    np.testing.assert_array_equal(c, c.conj().transpose(1, 0, 2)[..., ::-1])
    part, some = pyconv.xcorr(a, None, (-3, 20), **options)
    np.testing.assert_allclose(part, c[..., (lags >= -3) & (lags <= 20)], atol=1e-12)
    assert some[0] == -3
    for i, j in itertools.product(range(4), range(4)):
        np.testing.assert_allclose(c[i, j], defined(a[i], a[j], lags, normalize), atol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize("lengths", [(3000, 3000), (2500, 9000), (9000, 2100)])
@pytest.mark.parametrize(
    "window", [200, (-50, 300), (2000, 2400), (-3950, -3850), (-8000, -7000), None]
)
def test_long_pairs_share_spectra(rng, monkeypatch, dtype, lengths, window):
    """Within rounding, segment by segment, wherever the window lies; in groups of any size."""
    a, b = noise(rng, (2, lengths[0]), dtype), noise(rng, (2, lengths[1]), dtype)
    expected = [[np.correlate(x.astype("c16"), y.astype("c16"), "full") for y in b] for x in a]
    expected = np.array(expected if dtype == "complex64" else np.real(expected))
    every = np.arange(1 - lengths[1], lengths[0])
    c, lags = pyconv.xcorr(a, b, window, pairs="all")
    inside = (lags >= every[0]) & (lags <= every[-1])
    norms = np.linalg.norm(a, axis=1)[:, None, None] * np.linalg.norm(b, axis=1)[:, None]
    tolerance = 1e-14 if dtype == "float64" else 2e-7
    part = expected[..., lags[inside] - every[0]]
    assert np.abs(c[..., inside] - part).max(initial=0) <= tolerance * norms.max()
    assert np.abs(c[..., ~inside]).max(initial=0) <= tolerance * norms.max()
    assert c.dtype == dtype
    monkeypatch.setattr(lag_pairs, "ROOM", 1)
    single, _ = pyconv.xcorr(a, b, window, pairs="all")
    np.testing.assert_array_equal(single, c)


@pytest.mark.parametrize("normalize", SCALES)
def test_long_pairs_with_gaps_are_those_of_their_calls(rng, normalize):
    """Signals with gaps, NaN or infinities, beside others that share spectra."""
    a = noise(rng, (4, 2500))
    a[1, 100:300] = np.nan
    a[3, 5] = np.inf
    for policy in ("omit", "propagate"):
        c, lags = pyconv.xcorr(a, None, 100, normalize, pairs="all", nan_policy=policy)
        for i, j in itertools.product(range(4), range(4)):
            one, _ = pyconv.xcorr(a[i], a[j], 100, normalize, nan_policy=policy)
            np.testing.assert_allclose(c[i, j], one, atol=1e-10)
        assert len(lags) == 201
    masked = np.ma.masked_invalid(a)
    by_mask, _ = pyconv.xcorr(masked, None, 100, normalize, pairs=[(0, 1)])
    np.testing.assert_allclose(by_mask[0], pyconv.xcorr(
        a[0], a[1], 100, normalize, nan_policy="omit")[0], atol=1e-10)  # fmt: skip


def test_pairs_of_masked_integers_are_floats(rng):
    """Those without gaps, too."""
    a = noise(rng, (3, 50), "int16")
    mask = np.zeros((3, 50), bool)
    mask[0, 3] = True
    c, _ = pyconv.xcorr(a, None, 5, pairs="all", mask=mask)
    assert c.dtype == np.float64
    np.testing.assert_array_equal(c[1, 2], pyconv.xcorr(a[1], a[2], 5)[0])


def test_loud_pairs_have_coefficients(rng):
    """Whose sums would overflow."""
    a = noise(rng, (2, 3000))
    c, _ = pyconv.xcorr(a, None, 100, "coeff", pairs="all")
    for scale in (2.0**900, 2.0**-900):
        loud, _ = pyconv.xcorr(a * scale, None, 100, "coeff", pairs="all")
        np.testing.assert_allclose(loud, c, atol=1e-12)
    assert np.abs(c).max() <= 1 + 1e-12
    np.testing.assert_allclose(c[[0, 1], [0, 1], 100], 1)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"pairs": "both"}, ValueError, "pairs='both' is unknown"),
        ({"pairs": 3}, ValueError, "pairs=3: 'all' or a sequence"),
        ({"pairs": [(0, 1, 2)]}, ValueError, "sequence of pairs"),
        ({"pairs": [(0, 5)]}, ValueError, r"pairs has \(0, 5\), but a has 2 signals and b has 2"),
        ({"pairs": [(-1, 0)]}, ValueError, "pairs has"),
        ({"pairs": [(0, 0.5)]}, TypeError, "pairs=0.5"),
        ({"a": np.ones((2, 2, 9)), "pairs": "all"}, ValueError, "two axes at most"),
        ({"maxlag": (3, 1)}, ValueError, r"maxlag=\(3, 1\): a window"),
        ({"maxlag": (1, 2, 3)}, ValueError, "the two ends"),
        ({"maxlag": (1.5, 2)}, TypeError, "maxlag=1.5"),
        ({"maxlag": (-(2**62), 0)}, ValueError, "below 2"),
        ({"maxlag": (-(2**58), 2**58)}, MemoryError, "lags, which memory does not hold"),
    ],
)
def test_errors_name_pairs_and_windows(options, error, match):
    """What is given, and what is allowed."""
    with pytest.raises(error, match=match):
        pyconv.xcorr(**{"a": np.ones((2, 9))} | options)


def test_no_pairs_have_no_rows():
    """An empty list is a list of pairs."""
    assert pyconv.xcorr(np.ones((2, 9)), None, 3, pairs=[])[0].shape == (0, 7)


def test_lengths_of_transforms_are_the_least():
    """Of those with factors of 2, 3 and 5."""
    for least in (1, 2, 7, 100, 1000, 2049, 4097, 5000):
        n = lag_pairs.points_of(least)
        assert least <= n <= 1.34 * least + 1
        for factor in (2, 3, 5):
            while n % factor == 0:
                n //= factor
        assert n == 1


# ---- peaks ------------------------------------------------------------------------------------


def test_peaks_lie_between_samples(rng):
    """Those of delayed waves, each of its own delay, along any axis."""
    t = np.arange(600)
    delays = np.array([3.25, 17.5, -8.4])
    waves = np.exp(-(((t - 300 - delays[:, None]) / 15) ** 2))
    c, lags = pyconv.xcorr(waves, np.exp(-(((t - 300) / 15) ** 2)), 40, "coeff")
    found, values = pyconv.xcorr_peak(c, lags)
    np.testing.assert_allclose(found, delays, atol=0.005)
    np.testing.assert_allclose(values, 1, atol=1e-4)
    for axis in (0, 1):
        turned = np.moveaxis(c, -1, axis) if axis else np.moveaxis(c, -1, 0)
        np.testing.assert_array_equal(pyconv.xcorr_peak(turned, lags, axis=axis)[0], found)
    np.testing.assert_allclose(pyconv.xcorr_peak(-c, lags, absolute=True)[0], found)
    assert (pyconv.xcorr_peak(-c, lags, absolute=True)[1] < 0).all()
    one, value = pyconv.xcorr_peak(c[0] * 1j, lags)
    assert isinstance(one, float)
    assert (one, value) == pytest.approx((found[0], values[0]))


@pytest.mark.parametrize(
    ("c", "lag", "value"),
    [
        ([5.0, 1.0, 0.0], 10.0, 5.0),
        ([0.0, 1.0, 5.0], 14.0, 5.0),
        ([1.0, np.nan, 0.0], 10.0, 1.0),
        ([np.nan, 3.0, 2.0], 12.0, 3.0),
        ([np.nan] * 3, np.nan, np.nan),
        ([2.0, 2.0, 2.0], 10.0, 2.0),
        ([1.0, 3.0, 1.0], 12.0, 3.0),
        ([0.0, 4.0, 3.0], 12.6, 4.225),
        ([1, 3, 1], 12.0, 3.0),
    ],
)
def test_peaks_at_ends_and_beside_gaps_stay(c, lag, value):
    """And those of integers are floats."""
    found = pyconv.xcorr_peak(c, [10, 12, 14])
    np.testing.assert_allclose(found, (lag, value))
    assert np.asarray(found).dtype == np.float64


def test_a_single_lag_is_the_peak():
    """There is no other."""
    assert pyconv.xcorr_peak([[2.0], [3.0]], [7])[0].tolist() == [7, 7]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "match"),
    [
        (([1.0, 2.0], [0]), {}, ValueError, "lags has shape"),
        (([], []), {}, ValueError, "one lag or more"),
        (([1.0], [0]), {"axis": 1}, ValueError, "axis=1"),
        (([1.0], [0]), {"absolute": "yes"}, TypeError, "absolute='yes'"),
    ],
)
def test_errors_of_peaks(arguments, options, error, match):
    """By name."""
    with pytest.raises(error, match=match):
        pyconv.xcorr_peak(*arguments, **options)
