"""The loops of missing samples and of templates, against NumPy, in every variant."""

import numpy as np
import pytest

#: Samples around a vector, and around what is gone through at once.
COUNTS = [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129, 8191, 8192, 8193]
FLOATS = ["float16", "float32", "float64", "complex64", "complex128"]
WORDS = ["?", "uint8", "int16", "uint32", "int64", *FLOATS]


def holes(rng, shape, dtype):
    """Return samples, and a copy with NaN of either sign in a third of them."""
    x = rng.integers(0, 50, shape).astype(dtype)
    if x.dtype.kind in "fc":
        x[rng.random(shape) < 0.2] = np.nan
        x[rng.random(shape) < 0.2] *= -1
        x[rng.random(shape) < 0.1] = np.inf
        if x.dtype.kind == "c":
            x.imag[rng.random(shape) < 0.2] = np.nan
    return x


def cleared(isa, x, mask, nan, count):
    out, seen = np.full(x.shape, 7, x.dtype), np.full(x.shape, True)
    missing = isa.clear_gaps(x, out, seen, mask, nan, count)
    right = np.ones(x.shape, bool) if mask is None else ~mask
    if nan:
        right = right & ~np.isnan(x)
    assert np.array_equal(seen, right)
    assert missing == (not right.all())
    expected = np.where(right, x, np.zeros((), x.dtype))
    assert out.tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", WORDS)
def test_clear(isa, dtype, rng):
    """NaN and masked samples are zeros, all others keep their bits; of every length."""
    for n in COUNTS:
        x = holes(rng, n, dtype)
        for mask in (None, rng.random(n) < 0.3, np.zeros(n, bool), np.ones(n, bool)):
            for nan in {False, x.dtype.kind in "fc"}:
                cleared(isa, x, mask, nan, 1)
        cleared(isa, np.zeros(n, dtype), None, x.dtype.kind in "fc", 2)


def test_one_gap_is_found(isa, rng):
    """Wherever it is."""
    for n in (5, 33, 8200):
        for at in (0, n // 2, n - 1):
            x = np.ones((3, n), "float32")
            x[2, at] = np.nan
            cleared(isa, x, None, True, 1)
            cleared(isa, np.ones((3, n)), ~np.isfinite(x), False, 3)


def test_clear_any_layout(isa, rng):
    """Rows apart, reversed, columns, and masks that are the same along an axis."""
    x = holes(rng, (6, 5, 40), "float32")
    gaps = rng.random((6, 5, 40)) < 0.3
    views = [x, x[::2, ::-1, 3:30], x.T, x[:, :, :1], x[:, 2:3], x[..., ::3]]
    views += [np.broadcast_to(x[..., 3:4], x.shape), np.broadcast_to(x[:1, :, 5:6], x.shape)]
    for view in views:
        same = gaps[tuple(slice(n) for n in view.shape)]
        if same.shape != view.shape:
            same = rng.random(view.shape) < 0.3
        for mask in (None, same, same[:1], same[:, :1], same[..., :1], same.T.copy().T):
            wide = None if mask is None else np.broadcast_to(mask, view.shape)
            for count in (1, 2, 5):
                cleared(isa, view, wide, True, count)


@pytest.mark.parametrize("sign", [1, -1, 0])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_divide(isa, dtype, sign, rng):
    """Exactly y where d is W, NaN up to the least, and no overflow where d is tiny."""
    real = np.empty(0, dtype).real.dtype
    for n in COUNTS:
        y = rng.standard_normal(n).astype(dtype)
        d = rng.choice([3.0, 1.0, 0.5, 0.0, 0.25, -0.5], n).astype(real) * (sign or 1)
        whole, least, tiny = 3.0 * (sign or 1), 0.0 if sign else 0.3, 2.0**-100
        for careful in (False, True):
            if careful:
                y, d = y.copy(), d.copy()
                at = rng.integers(n)
                y[at], d[at] = np.finfo(real).tiny, np.finfo(real).tiny / 4 * (sign or 1)
            for given in (d, d[:1]):
                wide = np.broadcast_to(given, n)
                found = y.copy()
                isa.divide_gaps(found, wide, whole, sign, least, tiny, 1)
                with np.errstate(all="ignore"):
                    size = wide * real.type(sign) if sign else np.abs(wide)
                    usual = y * (real.type(whole) / wide)
                    parts = y.view(real).reshape(n, -1) / wide[:, np.newaxis] * real.type(whole)
                    right = np.where(size < tiny, parts.view(dtype)[:, 0], usual)
                    right[size <= least] = (
                        complex(np.nan, np.nan) if right.dtype.kind == "c" else np.nan
                    )
                np.testing.assert_allclose(found, right, rtol=4 * np.finfo(real).eps)
                assert np.array_equal(found[wide == whole], y[wide == whole])
                shared = y.copy()
                isa.divide_gaps(shared, wide, whole, sign, least, tiny, 3)
                assert shared.tobytes() == found.tobytes()


def moments(x, taps):
    """Return the sum and the sum of squares of each window, in Python's integers."""
    windows = np.lib.stride_tricks.sliding_window_view(x.astype(object), taps, (1, 2, 3))
    return windows.sum((-3, -2, -1)), (windows**2).sum((-3, -2, -1))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_coefficients(isa, dtype, rng):
    """Products over the deviation of each window, of whole numbers as large as they may be."""
    for shape, taps in [
        ((2, 1, 1, 70), (1, 1, 9)), ((1, 1, 9, 33), (1, 4, 3)), ((2, 5, 6, 20), (2, 3, 4)),
        ((1, 1, 3, 2300), (1, 2, 5)), ((1, 1, 1, 17), (1, 1, 17)), ((3, 1, 40, 8), (1, 1, 2)),
    ]:  # fmt: skip
        most = 2**24 if dtype == "float32" else 2**27
        for spread, offset in ((most, 0), (3, most - 4), (2, -most), (1, 5)):
            whole = rng.integers(0, spread, shape) + offset
            whole = np.clip(whole, -most, most)
            x = (whole * 2.0**-24).astype(dtype)
            total, squares = moments(whole, taps)
            n = int(np.prod(taps))
            exact = (n * squares - total * total).astype(float) / n
            products = rng.uniform(-1, 1, total.shape) * np.sqrt(exact) * 2.0**-24 * 1.1
            for far, floor in ((2.0**20, 0.0), (np.inf, 0.0), (np.inf, float(np.median(exact)))):
                limits = 2.0**-24, 0, 0.0, floor, far
                y = products.astype(dtype)
                uncertain = isa.match_coefficients(x, taps, y, limits, 1)
                with np.errstate(all="ignore"):
                    distant = (squares.astype(float) > far * exact) | (exact < floor)
                    distant &= exact > 0
                    right = np.where(exact > 0, products / np.sqrt(exact) * 2.0**24, 0).clip(-1, 1)
                close = 4 * np.finfo(dtype).eps
                np.testing.assert_allclose(y[~distant], right[~distant], rtol=close, atol=close)
                assert np.array_equal(np.isnan(y), distant)
                assert uncertain == np.count_nonzero(distant)
                shared = products.astype(dtype)
                assert isa.match_coefficients(x, taps, shared, limits, 3) == uncertain
                assert shared.tobytes() == y.tobytes()
                given = [np.array(a.ravel() % 2**64, np.uint64) for a in (total, squares)]
                again = products.astype(dtype)
                assert isa.divide_by_sums(given[0], given[1][None], n, again, limits) == uncertain
                np.testing.assert_array_equal(again, shared)


def test_wide_coefficients(isa, rng):
    """Samples of 52 bits, whose squares are summed in three parts."""
    for shape, taps in [((1, 1, 9, 33), (1, 4, 3)), ((2, 5, 6, 20), (2, 3, 4))]:
        whole = rng.integers(-(2**52), 2**52, shape)
        x = whole * 2.0**-52
        total, squares = moments(whole, taps)
        n = int(np.prod(taps))
        exact = ((n * squares - total * total) / n).astype(float)
        products = rng.uniform(-1, 1, total.shape) * np.sqrt(exact) * 2.0**-52
        y = products.copy()
        limits = 2.0**-52, 27, -np.inf, 1.0, np.inf
        assert isa.match_coefficients(x, taps, y, limits, 1) == 0
        np.testing.assert_allclose(y, products / np.sqrt(exact) * 2.0**52, rtol=1e-14)
        shared = products.copy()
        isa.match_coefficients(x, taps, shared, limits, 3)
        assert shared.tobytes() == y.tobytes()
