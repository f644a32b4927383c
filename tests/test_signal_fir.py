"""FIR filters of `pyconv.signal`: the definitions in integers, SciPy's results, and what is ours.

Exact data are small integers, of which every sum is exact in float32.
"""

import itertools
import warnings

import numpy as np
import pytest
import scipy.signal

import pyconv
from pyconv import signal
from pyconv._engine import planner
from pyconv._native import loader
from pyconv.signal import _fir, _lines, _rates

FLOATS = ("f", "d", "F", "D")
DTYPES = (*FLOATS, "e", "h", "B", "l")
SHAPES = (((9,), 0), ((3, 20), -1), ((21, 3), 0), ((2, 8, 3), 1), ((1, 3), 1))
#: Of whole numbers, one a vector more or less than all of its lanes.
LINES = (1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65)


def numbers(rng, shape, dtype, most=9):
    """Return whole numbers."""
    values = rng.integers(0 if np.dtype(dtype).kind == "u" else -most, most + 1, shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * rng.integers(-most, most + 1, shape)
    return values.astype(dtype)


def outcome(function, args, keywords):
    """Return the results of a call as a tuple, or its error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = function(*args, **keywords)
    except Exception as error:  # noqa: BLE001 - whatever SciPy raises
        return error
    return found if isinstance(found, tuple) else (found,)


def both(name, *args, tolerance=None, **keywords):
    """Assert that a function and SciPy's give the same, or the same type of error."""
    ours, scipys = (outcome(getattr(m, name), args, keywords) for m in (signal, scipy.signal))
    if isinstance(scipys, Exception):
        assert type(ours) is type(scipys), (ours, scipys)
        return
    assert not isinstance(ours, Exception), ours
    for y, expected in zip(ours, scipys, strict=True):
        assert (y.dtype, y.shape) == (expected.dtype, expected.shape)
        low = y.dtype.char in "fF" or any(getattr(a, "dtype", None) in ("f", "F") for a in args)
        close = tolerance or (1e-5 if low else 1e-11)
        scale = max(1.0, np.abs(expected).max(initial=0))
        np.testing.assert_allclose(y, expected, rtol=0, atol=close * scale)


# ---- lfilter ----------------------------------------------------------------------------------


def defined(b, x, axis):
    """Return Σ_u b[u] x[n − u], sample by sample."""
    x = np.moveaxis(x, axis, 0)
    y = np.zeros(x.shape, np.result_type(b, x))
    for n, u in itertools.product(range(len(x)), range(len(b))):
        if u <= n:
            y[n] += b[u] * x[n - u]
    return np.moveaxis(y, 0, axis)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_lfilter_is_its_definition(dtype, shape, axis, rng):
    """Whole numbers, exactly; lines in two pieces of any length, with the state between."""
    x = numbers(rng, shape, dtype)
    for taps in (1, 2, 5, 12):
        b = numbers(rng, taps, dtype)
        one = np.ones(1, dtype)
        expected = defined(b, x, axis)
        np.testing.assert_array_equal(signal.lfilter(b, one, x, axis), expected, strict=True)
        np.testing.assert_array_equal(signal.lfilter(4 * b, 4 * one, x, axis), expected)
        n = x.shape[axis]
        for cuts in ([n // 2], [1, n - 1], range(1, n)):  # pieces that are shorter than the state
            state = np.zeros([taps - 1 if a == axis % x.ndim else s for a, s in enumerate(shape)])
            state, found = state.astype(dtype), []
            for piece in np.split(x, sorted({*cuts} - {0, n}), axis):
                y, state = signal.lfilter(b, one, piece, axis, state)
                found.append(y)
            np.testing.assert_array_equal(np.concatenate(found, axis), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_filters_are_scipys(dtype, shape, axis, rng):
    """Every dtype of weights, divisors and states; filters that are longer than the line."""
    x = numbers(rng, shape, dtype)
    for b_dtype, a_dtype in (("f", "f"), ("f", "l"), ("d", "f"), ("l", "l"), ("F", "d")):
        for taps in (1, 2, 12):
            b, a = numbers(rng, taps, b_dtype), np.array([2], a_dtype)
            both("lfilter", b, a, x, axis)
            state = [taps - 1 if i == axis % x.ndim else n for i, n in enumerate(shape)]
            both("lfilter", b, a, x, axis, numbers(rng, state, dtype))
            single = [n if i == axis % x.ndim else 1 for i, n in enumerate(state)]
            both("lfilter", b, a, x, axis, numbers(rng, single, "d"))
            both("filtfilt", b, a, x, axis)
            for padtype, padlen in itertools.product(("odd", "even", "constant", None), (0, 2, 5)):
                both("filtfilt", b, a, x, axis, padtype, padlen)


def test_recursive_filters_are_scipys_own(rng):
    """Feedback, Gustafsson's method, states of either: to the bit."""
    b, a = scipy.signal.butter(3, 0.2)
    x = rng.random((3, 50))
    for name, args in {
        "lfilter": (b, a, x),
        "filtfilt": (b, a, x),
        "lfilter_zi": (b, a),
        "lfiltic": (b, a, [1.0, 2.0, 3.0]),
        "decimate": (x, 4),
    }.items():
        expected = getattr(scipy.signal, name)(*args)
        np.testing.assert_array_equal(getattr(signal, name)(*args), expected, strict=True)
    expected = scipy.signal.filtfilt([1.0, 2.0], 1.0, x, method="gust")
    np.testing.assert_array_equal(signal.filtfilt([1.0, 2.0], 1.0, x, method="gust"), expected)


@pytest.mark.parametrize(
    ("name", "args", "keywords"),
    [
        ("lfilter", ([], 1.0, [1.0]), {}),
        ("lfilter", ([1.0], [], [1.0]), {}),
        ("lfilter", (np.eye(2), 1.0, [1.0, 2.0]), {}),
        ("lfilter", (np.ones((2, 2, 2)), 1.0, np.ones((2, 5))), {}),
        ("lfilter", (np.ones((3, 2)), 1.0, np.ones((2, 5))), {}),
        ("lfilter", ([1.0], 1.0, 3.0), {}),
        ("lfilter", ([1.0], 0.0, [1.0, 2.0]), {}),
        ("lfilter", ([1], [1], [1, 2]), {}),
        ("lfilter", ([1.0, 2.0], 1.0, np.ones((2, 3))), {"axis": 2}),
        ("lfilter", ([1.0, 2.0], 1.0, np.ones((2, 3))), {"axis": "x"}),
        ("lfilter", ([1.0, 2.0], 1.0, np.ones((2, 3))), {"zi": [1.0]}),
        ("lfilter", ([1.0, 2.0], 1.0, np.ones((2, 3))), {"zi": np.ones((2, 2))}),
        ("lfilter", ([1.0, np.nan], 1.0, [1.0, 2.0, 3.0]), {}),
        ("lfilter", ([np.inf, 1.0], 1.0, [1.0, 2.0, 3.0]), {}),
        ("lfilter", ([1.0, 2.0], 1.0, np.ones((0, 3))), {}),
        ("lfilter", ([1.0, 2.0], 1.0, np.ones((3, 0))), {}),
        ("filtfilt", ([1.0, 2.0], 1.0, np.ones(6)), {}),
        ("filtfilt", ([1.0], 1.0, np.ones(6)), {"padlen": 1}),
        ("filtfilt", ([1.0, 2.0], 1.0, np.ones(9)), {"padtype": "unheard"}),
        ("filtfilt", ([1.0, 2.0], 1.0, np.ones(9)), {"method": "unheard"}),
        ("filtfilt", ([1.0, 2.0], 1.0, np.ones(9)), {"padlen": -1}),
        ("upfirdn", ([], [1.0]), {}),
        ("upfirdn", (np.eye(2), [1.0]), {}),
        ("upfirdn", ([1.0], [1.0]), {"up": 0}),
        ("upfirdn", ([1.0], [1.0]), {"down": "x"}),
        ("upfirdn", ([1.0], [1.0, 2.0]), {"up": 2.9}),
        ("upfirdn", ([1.0], [1.0]), {"axis": 1}),
        ("upfirdn", ([1.0], [1.0]), {"mode": "unheard"}),
        ("upfirdn", ([1.0], [1.0]), {"mode": 3}),
        ("upfirdn", ([1.0], [1.0]), {"cval": 1j}),
        ("upfirdn", ([1.0, np.nan, 1.0], [1.0, 2.0]), {}),
        ("upfirdn", ([1.0, 2.0], np.ones((3, 0))), {}),
        ("resample_poly", (np.ones(5), 1.5, 1), {}),
        ("resample_poly", (np.ones(5), 0, 1), {}),
        ("resample_poly", (np.ones(5), 2, 1), {"padtype": "unheard"}),
        ("resample_poly", (np.ones(5), 2, 1), {"padtype": "line", "cval": 1}),
        ("resample_poly", (np.ones(5), 2, 1), {"window": np.eye(2)}),
        ("resample_poly", (np.ones(5), 2, 1), {"window": "unheard"}),
        ("decimate", (np.ones(50), 2.5), {"ftype": "fir"}),
        ("decimate", (np.ones(50), 2), {"ftype": "fir", "n": 2.5}),
        ("decimate", (np.ones(50), 2), {"ftype": "unheard"}),
        ("decimate", (np.ones(50), 0), {"ftype": "fir"}),
        ("decimate", (np.ones(50), 1), {"ftype": "fir"}),
        ("decimate", (np.ones(50), 2), {"ftype": "fir", "axis": 3}),
        ("savgol_filter", (np.ones(9), 3, 3), {}),
        ("savgol_filter", (np.ones(9), 11, 3), {}),
        ("savgol_filter", (np.ones(9), 5, 3), {"mode": "unheard"}),
        ("savgol_filter", (np.ones(9), 5, 3), {"axis": 1}),
        ("savgol_filter", (np.ones(9), 5.0, 3), {}),
        ("sepfir2d", (np.ones((5, 5)), [1.0, 2.0], [1.0]), {}),
        ("sepfir2d", (np.ones((5, 5)), [], [1.0]), {}),
        ("sepfir2d", (np.ones(5), [1.0], [1.0]), {}),
        ("sepfir2d", (np.ones((5, 5), "f"), np.ones(3), [1.0]), {}),
        ("sepfir2d", (np.ones((5, 5), "g"), [1.0], [1.0]), {}),
    ],
)
def test_errors_are_scipys(name, args, keywords):
    """Types of errors; and results where SciPy has some."""
    both(name, *args, **keywords)


def test_long_filters_may_be_transformed(rng, monkeypatch):
    """From so many taps on, to within the error that is promised; shorter ones are plain sums."""
    granted = []
    prepare = _lines.prepare

    def prepared(x, w, options):
        granted.append(options.rtol)
        return prepare(x, w, options)

    monkeypatch.setattr(_lines, "prepare", prepared)
    planner.clear_cache()
    x = rng.standard_normal((2, 4000)).astype("f")
    one = np.ones(1, "f")
    for taps in (_lines.PLAIN_TAPS, _lines.PLAIN_TAPS + 1, 1500):
        b = rng.standard_normal(taps).astype("f")
        y = signal.lfilter(b, one, x)
        expected = scipy.signal.lfilter(b.astype("d"), [1.0], x.astype("d"))
        bound = 64 * np.finfo("f").eps * np.abs(b).sum() * np.abs(x).max()
        assert np.abs(y - expected).max() <= bound
    assert granted == [0.0, None, None]


@pytest.mark.parametrize("dtype", FLOATS)
def test_long_filters_across_the_lines(dtype, rng):
    """Blocks of lines are turned, whatever lies behind the axis, with borders and states."""
    taps = _lines.PLAIN_ACROSS + 1
    b, one = numbers(rng, taps, dtype) / 64, np.ones(1, dtype)
    for shape, axis in (((9000, 3), 0), ((2, 9000, 2), 1), ((100, 3), 0), ((400, 3, 2), 0)):
        x = numbers(rng, shape, dtype)
        state = list(shape)
        state[axis] = taps - 1
        both("lfilter", b, one, x, axis, numbers(rng, state, dtype), tolerance=1e-4)
        both("filtfilt", b, one, x, axis, padlen=50, tolerance=1e-4)
        both("upfirdn", b, x, 1, 1, axis, "edge", tolerance=1e-4)
        both("upfirdn", b, x, 1, 1, axis, "symmetric", tolerance=1e-4)
        np.testing.assert_array_equal(
            signal.lfilter(b, one, x[..., :1], axis), signal.lfilter(b, one, x, axis)[..., :1]
        )


@pytest.mark.parametrize(("shape", "axis"), [((9000, 37), 0), ((3, 8300, 5), 1), ((9000, 7, 5), 0)])
def test_lines_are_turned_in_groups(shape, axis, rng, monkeypatch):
    """Each has the bits that it has alone, however many are turned at once."""
    b, one = rng.standard_normal(_lines.PLAIN_ACROSS + 1), np.ones(1)
    x = rng.standard_normal(shape)
    expected = signal.lfilter(b, one, x, axis)
    for size in (1, 1 << 19, 1 << 40):
        monkeypatch.setattr(_lines, "TURNED_BYTES", size)
        for source in (x, x.astype(">f8"), np.asfortranarray(x)):
            np.testing.assert_array_equal(signal.lfilter(b, one, source, axis), expected)


# ---- between two rates ------------------------------------------------------------------------


def resampled_by_definition(h, x, up, down):
    """Return Σ_k h[k] z[n · down − k], where z has zeros between the samples of x."""
    z = np.zeros((*x.shape[:-1], (x.shape[-1] - 1) * up + 1), np.result_type(h, x))
    z[..., ::up] = x
    full = np.zeros((*z.shape[:-1], z.shape[-1] + len(h) - 1), z.dtype)
    for k, weight in enumerate(h):
        full[..., k : k + z.shape[-1]] += weight * z
    return full[..., ::down]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "rates", [(1, 1), (1, 4), (3, 2), (2, 3), (4, 6), (7, 5), (16, 15), (5, 49)]
)
def test_upfirdn_is_its_definition(rates, dtype, rng):
    """Whole numbers, exactly: lines of few samples and of many, one vector more or less of them."""
    for taps, n, lines in itertools.product((1, 2, 40), (1, 2, 700), (1, 17)):
        h, x = numbers(rng, taps, dtype), numbers(rng, (lines, n), dtype)
        expected = resampled_by_definition(h, x, *rates)
        np.testing.assert_array_equal(signal.upfirdn(h, x, *rates), expected, strict=True)
        y = signal.upfirdn(h, np.asfortranarray(x).T, *rates, axis=0)
        np.testing.assert_array_equal(y, expected.T, strict=True)


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("lines", LINES)
def test_lines_beside_one_another(lines, dtype, rng):
    """Neighbours in memory or not, of every number of lanes, alone the same bits as together."""
    x = rng.standard_normal((300, lines)).astype(dtype)
    h = rng.standard_normal(31).astype(dtype)
    expected = signal.upfirdn(h, x, 3, 2, axis=0)
    across = signal.upfirdn(h, np.ascontiguousarray(x.T), 3, 2)
    np.testing.assert_array_equal(across.T, expected)
    for i in (0, lines - 1):
        np.testing.assert_array_equal(signal.upfirdn(h, x[:, i], 3, 2), expected[:, i])


@pytest.mark.parametrize("mode", [*_rates.BOUNDARY_OF, *sorted(_rates.MADE)])
def test_what_is_outside_is_scipys(mode, rng):
    """Every mode, beyond the array by more than its length, for every rate."""
    cval = 2.5 if mode == "constant" else 0
    for n, taps, rates in itertools.product(
        (2, 7, 40), (1, 5, 30), ((1, 1), (3, 2), (2, 3), (4, 2), (1, 4), (6, 4))
    ):
        x, h = rng.standard_normal((2, n)), rng.standard_normal(taps)
        both("upfirdn", h, x, *rates, -1, mode, cval)
        both("upfirdn", h, x.T, *rates, 0, mode.upper(), cval)


@pytest.mark.parametrize("mode", [*_rates.BOUNDARY_OF, *sorted(_rates.MADE)])
def test_nothing_is_made_of_nothing(mode):
    """SciPy reads what lies beside an array of no samples; of one sample there is no slope."""
    if mode != "constant":
        with pytest.raises(ValueError, match="has no samples along axis 0"):
            signal.upfirdn([1.0, 2.0], np.ones((0, 2)), 3, 2, 0, mode)
    sign = -1 if mode == "antisymmetric" else 0 if mode == "constant" else 1
    np.testing.assert_array_equal(
        signal.upfirdn([1, 2], [3.0], mode=mode), [3 + 6 * sign, 6 + 3 * sign]
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rates", [(1, 1), (2, 1), (1, 3), (3, 2), (160, 147), (4, 6)])
def test_resample_poly_is_scipys(dtype, rates, rng):
    """Windows by name and by weights, what is outside by every word."""
    for shape, axis in (((9,), 0), ((3, 40), -1), ((41, 3), 0)):
        x = numbers(rng, shape, dtype)
        for padtype in ("constant", "mean", "median", "maximum", "minimum", "line", "reflect"):
            both("resample_poly", x, *rates, axis, padtype=padtype)
        both("resample_poly", x, *rates, axis, "hamming", cval=2)
        weights = [1, 2, 1], np.array([1, 2, 3, 4], "f"), np.array([1.0, 2, 1, 4, 2])
        for window in (*weights, np.array([True, False]), [True]):
            both("resample_poly", x, *rates, axis, window)


@pytest.mark.parametrize("dtype", DTYPES)
def test_decimate_is_scipys(dtype, rng):
    """Filters by order and as systems."""
    system = scipy.signal.dlti([1.0, 2.0, 1.0], [1.0, 0.0, 0.0])
    for (shape, axis), q, moved in itertools.product(
        (((90,), 0), ((3, 40), -1), ((41, 3), 0)), (2, 5, np.int64(3)), (True, False)
    ):
        x = numbers(rng, shape, dtype)
        for kind, n in (("fir", None), ("fir", 3), ("fir", 0), (system, None), ("iir", 2)):
            both("decimate", x, q, n, kind, axis, moved)
        both("decimate", x, 1, None, scipy.signal.dlti([1.0, 2.0], 1.0), axis, moved)


def test_phases_apart_and_together(rng):
    """The loop of all phases gives what one convolution for each phase gives."""
    for dtype, rates, taps in itertools.product("fd", ((3, 2), (8, 5), (5, 16)), (2, 3, 40)):
        x, h = numbers(rng, (5, 600), dtype), numbers(rng, taps, dtype)
        for start, count in ((0, 700), (7, 300), (1200, 9)):
            rate = _rates.Rate(*rates, start, count)
            for boundary in ("constant", "nearest", "symmetric", "mirror", "wrap"):
                call = x, h, 1, rate, np.dtype(dtype), boundary, 3.0
                found, expected = _rates._in_one_loop(*call), _rates._by_phases(*call)
                np.testing.assert_array_equal(found, expected, strict=True)


def test_not_a_number_spoils_what_reads_it(rng):
    """And no output of another phase, line or piece."""
    x = rng.standard_normal((40, 3000))
    h = rng.standard_normal(31)
    plain = signal.upfirdn(h, x, 3, 2)
    x[7, 1234] = np.nan
    x[9, 17] = np.inf
    y = signal.upfirdn(h, x, 3, 2)
    places = 2 * np.arange(y.shape[1])
    for line, at in ((7, 1234), (9, 17)):
        read = (places >= 3 * at) & (places <= 3 * at + 30) & ((places - 3 * at) % 3 < 3)
        assert not np.isfinite(y[line, read]).any()
        np.testing.assert_array_equal(y[line, ~read], plain[line, ~read])
    others = [i for i in range(40) if i not in (7, 9)]
    np.testing.assert_array_equal(y[others], plain[others])


# ---- one filter a channel ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [*FLOATS, "h"])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((5, 30), -1), ((30, 5), 0), ((3, 50, 40), 1), ((3, 4, 50), 2), ((33, 9), 1)],
)
def test_a_bank_is_its_filters(dtype, shape, axis, rng):
    """Each line is what `lfilter` makes of it alone, by the whole numbers, with its state."""
    x = numbers(rng, shape, dtype)
    others = [n for a, n in enumerate(shape) if a != axis % len(shape)]
    for taps, filters in itertools.product((1, 2, 40), (others, [1] * len(others), others[-1:])):
        for b_dtype in ("f", "d")[len(filters) % 2 :]:
            b, one = numbers(rng, (*filters, taps), b_dtype), np.ones(1, b_dtype)
            state = list(shape)
            state[axis] = taps - 1
            zi = numbers(rng, state, b_dtype)
            y = signal.lfilter(b, one, x, axis)
            z, zf = signal.lfilter(b, one, x, axis, zi)
            own = np.broadcast_to(b, (*others, taps))
            for at in np.ndindex(*others):
                line = tuple(np.moveaxis(v, axis, -1)[at] for v in (x, y, z, zi, zf))
                expected = signal.lfilter(own[at], one, line[0])
                np.testing.assert_array_equal(line[1], expected, strict=True)
                expected, after = signal.lfilter(own[at], one, line[0], zi=line[3])
                np.testing.assert_array_equal(line[2], expected, strict=True)
                np.testing.assert_array_equal(line[4], after, strict=True)


def test_long_filters_of_a_bank(rng):
    """Lines are then filtered one by one."""
    x = rng.standard_normal((3, 2000))
    b = rng.standard_normal((3, _fir.MOST_OF_A_BANK + 1))
    y = signal.lfilter(b, 1.0, x)
    expected = [scipy.signal.lfilter(each, 1.0, line) for each, line in zip(b, x, strict=True)]
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-11)


# ---- savgol_filter ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["interp", "mirror", "constant", "nearest", "wrap"])
@pytest.mark.parametrize("dtype", ["f", "d", "e", "h", "B", "?"])
def test_savgol_filter_is_scipys(mode, dtype, rng):
    """Even and odd windows, derivatives, whole lines of one window."""
    windows = (
        (5, 2, 0),
        (5, 2, 1),
        (4, 1, 0),
        (4, 3, 2),
        (1, 0, 0),
        (3, 3, 0),
        (9, 4, 2),
        (7, 2, 3),
    )
    for (shape, axis), (window, order, deriv) in itertools.product(SHAPES, windows):
        x = numbers(rng, shape, dtype)
        both("savgol_filter", x, window, order, deriv, 0.5, axis, mode, 1.5, tolerance=3e-5
             if dtype == "f" else 1e-10)  # fmt: skip


@pytest.mark.parametrize("window", [2, 5, 8, 21])
def test_polynomials_stay_what_they_are(window):
    """To their derivatives, near the ends, too."""
    t = np.arange(60.0)
    for order in range(min(window, 5)):
        p = np.polynomial.Polynomial([1.0, -0.5, 0.25, 0.125, -0.01][: order + 1])
        for deriv in range(order + 1):
            y = signal.savgol_filter(p(0.5 * t), window, order, deriv, 0.5)
            x = 0.5 * (t if window % 2 else t + 0.5)  # of even windows the middle of two samples
            half = window // 2
            inner = slice(half, 60 - half)
            expected = p.deriv(deriv)(x) if deriv else p(x)
            scale = np.abs(p(30.0)) + 1
            if window % 2:
                np.testing.assert_allclose(y, expected, rtol=0, atol=1e-10 * scale)
            else:
                shifted = p.deriv(deriv)(x - 0.5) if deriv else p(x - 0.5)
                near = min(np.abs(y[inner] - e[inner]).max() for e in (expected, shifted))
                assert near <= 1e-10 * scale


def test_a_missing_sample_near_an_end_stays_there(rng):
    """SciPy raises LinAlgError of it."""
    x = rng.standard_normal((3, 60))
    plain = signal.savgol_filter(x, 11, 3)
    x[1, 2] = np.nan
    y = signal.savgol_filter(x, 11, 3)
    assert np.isnan(y[1, :8]).all()
    np.testing.assert_array_equal(y[1, 8:], plain[1, 8:])
    np.testing.assert_array_equal(y[[0, 2]], plain[[0, 2]])


# ---- sepfir2d ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_sepfir2d_is_scipys(dtype, rng):
    """Factors that are no longer than the axes."""
    for shape in ((9, 8), (7, 11)):
        x = numbers(rng, shape, dtype)
        for row, column in (([1, 2, 3], [1]), ([1.0, 2, 3, 4, 5], [3, 2, 1.0])):
            both("sepfir2d", x, row, column)


def test_factors_that_are_longer_than_the_axes(rng):
    """SciPy writes beside its arrays."""
    x = numbers(rng, (3, 4), "d")
    row, column = numbers(rng, 11, "d"), numbers(rng, 9, "d")
    wide = np.pad(x, ((4, 4), (5, 5)), "symmetric")
    expected = np.zeros((3, 4))
    for i, j, u, v in itertools.product(range(3), range(4), range(9), range(11)):
        expected[i, j] += column[u] * row[v] * wide[i + 8 - u, j + 10 - v]
    np.testing.assert_array_equal(signal.sepfir2d(x, row, column), expected)


# ---- all of them ------------------------------------------------------------------------------

KERNEL = np.array([1.0, 2.0, -3.0, 1.0, 5.0])
CALLS = {
    "lfilter": lambda x: signal.lfilter(KERNEL, 1.0, x),
    "bank": lambda x: signal.lfilter(KERNEL * np.arange(1, 8)[:, np.newaxis], 1.0, x),
    "filtfilt": lambda x: signal.filtfilt(KERNEL, 1.0, x),
    "upfirdn": lambda x: signal.upfirdn(KERNEL, x, 3, 2),
    "down": lambda x: signal.upfirdn(KERNEL, x, 1, 3, mode="line"),
    "resample_poly": lambda x: signal.resample_poly(x, 3, 2, 1),
    "decimate": lambda x: signal.decimate(x, 3, ftype="fir"),
    "savgol_filter": lambda x: signal.savgol_filter(x, 7, 2),
    "sepfir2d": lambda x: signal.sepfir2d(x, KERNEL, KERNEL[:3]),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_layout_gives_the_same(name, rng):
    """Views of every other sample, turned round, read-only, of the other byte order; x stays."""
    call = CALLS[name]
    x = rng.standard_normal((7, 90))
    kept, expected = x.copy(), call(x)
    wide = np.empty((14, 180))
    wide[::2, ::2] = x
    layouts = [
        np.asfortranarray(x),
        wide[::2, ::2],
        np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
        x.astype(x.dtype.newbyteorder()),
    ]
    fixed = x.copy()
    fixed.flags.writeable = False
    for layout in (*layouts, fixed):
        np.testing.assert_array_equal(call(layout), expected, strict=True)
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("name", CALLS)
def test_every_number_of_threads_gives_the_same_bits(name, rng):
    """Of lines that are long enough for several."""
    x = rng.standard_normal((7, 60000))
    with pyconv.set_workers(1):
        expected = CALLS[name](x)
    for workers in (2, 3):
        with pyconv.set_workers(workers):
            np.testing.assert_array_equal(CALLS[name](x), expected)


@pytest.mark.parametrize("name", ["bank", "upfirdn"])
def test_every_variant_of_the_loops(name, rng, monkeypatch):
    """Other vectors, other panels: the same sums, but for fused products."""
    x = numbers(rng, (7, 900), "d")
    expected = CALLS[name](x)
    for isa in loader.runnable():
        monkeypatch.setattr(loader, "native", loader.load(isa))
        np.testing.assert_array_equal(CALLS[name](x), expected)
