"""`pyconv.signal` beside `scipy.signal`: dtypes, shapes, modes, methods, axes and errors."""

import inspect
import itertools
import warnings

import numpy as np
import pytest
import scipy.signal

from pyconv import signal
from pyconv._calls import correlation
from pyconv._engine import planner, planning
from pyconv.signal import _extents, _planes, _transforms, _whole_arrays

MODES = ("full", "same", "valid")
DTYPES = ("uint8", "int64", "float32", "float64", "complex64")
SHAPES = (
    ((9,), (4,)),
    ((4,), (9,)),
    ((6, 7), (3, 2)),
    ((6, 2), (3, 5)),
    ((1, 7), (3, 2)),
    ((4, 5, 6), (2, 3, 3)),
    ((3, 4, 3, 5), (2, 2, 3, 2)),
    ((2, 4, 3, 5), (5, 2, 1, 2)),
    ((2, 3, 2, 2), (9, 1, 2, 1)),
    ((1, 3), (4, 1)),
)


def data(rng, shape, dtype):
    """Return values around zero, or positive ones."""
    values = rng.standard_normal(shape) * 3
    if np.dtype(dtype).kind == "c":
        values = values + 1j * rng.standard_normal(shape)
    return values.astype(dtype) if np.dtype(dtype).kind != "u" else np.abs(values).astype(dtype)


def both(name, *args, **keywords):
    """Assert that a function and SciPy's give the same, or the same type of error.

    A second call, whose plan was kept, gives the same bits.
    """
    results = []
    for module in (scipy.signal, signal):
        try:
            with warnings.catch_warnings():
                if module is scipy.signal:  # which warns of casts of its own
                    warnings.simplefilter("ignore")
                results.append(getattr(module, name)(*args, **keywords))
        except Exception as error:  # noqa: BLE001 - whatever SciPy raises
            results.append(error)
    scipys, ours = results
    if isinstance(scipys, Exception):
        assert type(ours) is type(scipys), (ours, scipys)
        return
    assert not isinstance(ours, Exception), ours
    np.testing.assert_array_equal(getattr(signal, name)(*args, **keywords), ours, strict=True)
    assert (ours.dtype, ours.shape) == (scipys.dtype, scipys.shape)
    if ours.dtype.kind in "biu":
        np.testing.assert_array_equal(ours, scipys)
    else:  # SciPy transforms float32 in single precision, whatever the result
        low = any(np.asarray(a).dtype in (np.float32, np.complex64) for a in args[:2])
        scale = np.abs(scipys).max(initial=1)
        np.testing.assert_allclose(ours, scipys, rtol=0, atol=(1e-5 if low else 1e-12) * scale)


def test_signatures_are_those_of_scipy():
    """Names, order, defaults; what is ours stands behind them, and is given by name."""
    for name in signal.__all__:
        # SciPy has not the one; the other is of C, which takes what it does by position.
        if name in ("StreamingFilter", "sepfir2d"):
            continue
        ours = [*inspect.signature(getattr(signal, name)).parameters.values()]
        if name == "lfilter":
            ours, more = ours[:-3], ours[-3:]
            assert all(p.kind is p.KEYWORD_ONLY for p in more)
        scipys = inspect.signature(getattr(scipy.signal, name)).parameters.values()
        assert [(p.name, p.kind, p.default) for p in ours] == [
            (p.name, p.kind, p.default) for p in scipys
        ], name


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("mode", MODES)
def test_convolve_and_correlate(shapes, mode, rng):
    """Every pair of dtypes, either array the longer one, by every method."""
    for one, two in itertools.combinations_with_replacement(DTYPES, 2):
        a, b = data(rng, shapes[0], one), data(rng, shapes[1], two)
        for name, method in itertools.product(("convolve", "correlate"), ("auto", "direct", "fft")):
            if np.result_type(a, b).kind in "iu" and method != "direct":
                continue  # SciPy's casts of what it has rounded
            both(name, a, b, mode, method)
        both("fftconvolve", a, b, mode)
        both("oaconvolve", a, b, mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("boundary", ["fill", "pad", "wrap", "circular", "symm", "symmetric"])
def test_planes(mode, boundary, rng):
    """Kernels of even and odd lengths, also longer than the array."""
    for dtype, k, n in itertools.product(DTYPES, ((1, 2), (3, 2), (7, 9)), ((7, 9), (3, 4))):
        a, b = data(rng, n, dtype), data(rng, k, dtype)
        if any(x > 2 * y for x, y in zip(k, n, strict=True)) and boundary not in ("fill", "pad"):
            continue
        for name in ("convolve2d", "correlate2d"):
            both(name, a, b, mode, boundary, 2 if boundary in ("fill", "pad") else 0)
    for one, two in itertools.permutations(DTYPES, 2):
        a, b = data(rng, (7, 9), one), data(rng, (3, 2), two)
        fill = 2.75 if boundary in ("fill", "pad") else 0
        both("convolve2d", a, b, mode, boundary, fill)


def test_numbers_and_arrays_of_nothing(rng):
    """Arrays of no dimension multiply; where either is empty SciPy says what comes out."""
    for one, two in ((3.0, 2.0), (3, 2 + 1j), (2 - 1j, 3 + 4j)):
        for name in ("convolve", "correlate", "fftconvolve", "oaconvolve"):
            both(name, one, two)
    none, some = np.zeros((0, 3)), np.ones((2, 3))
    for a, b in ((none, some), (some, none)):
        for name in ("convolve", "correlate", "fftconvolve", "oaconvolve", "convolve2d"):
            both(name, a, b)


def test_only_plain_sums_where_they_are_asked_for(rng, monkeypatch):
    """No method grants an error that SciPy's would not have: what the engine is told."""
    granted = []
    planner.clear_cache()

    def called(x, w, *args, **keywords):
        granted.append(keywords["rtol"])
        return convolve(x, w, *args, **keywords)

    def prepared(x, w, options):
        granted.append(options.rtol)
        return prepare(x, w, options)

    convolve, prepare = correlation.convolve, planning.prepare
    monkeypatch.setattr(correlation, "convolve", called)
    for room in (_extents, _planes):
        monkeypatch.setattr(room, "prepare", prepared)
    plane, volume = rng.random((6, 7)), rng.random((3, 4, 3, 5))
    signal.convolve(plane, plane[:2], method="direct")
    signal.correlate(volume, volume[:2, :2], method="direct")
    signal.convolve2d(plane, plane[:2])
    signal.correlate2d(plane, plane[:2])
    signal.convolve(plane, plane[:2])  # SciPy would sum it plainly
    assert len(granted) > 5
    assert set(granted) == {0.0}
    granted.clear()
    signal.convolve(rng.random((300, 300)), rng.random((40, 40)))
    signal.fftconvolve(volume, volume[:2, :2])
    assert set(granted) == {None}


@pytest.mark.parametrize("name", ["convolve", "correlate", "fftconvolve", "oaconvolve"])
@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("mode", MODES)
def test_kept_calls_look_at_their_own_data(name, shapes, mode, rng):
    """A kernel that is not finite after one that is; SciPy's choice by the sizes of integers."""
    a, b = (data(rng, shape, "float64") for shape in shapes)
    spoilt, whole = b.copy(), data(rng, shapes[0], "int64")
    spoilt.flat[-1] = np.nan
    calls = [(a, b), (a, spoilt), (spoilt, a), (2 * a, b), (a, 3 * b), (whole, b), (whole << 50, b)]
    expected = []
    for x, w in calls:
        planner.clear_cache()
        try:
            expected.append(getattr(signal, name)(x, w, mode))
        except ValueError:  # neither is the larger one
            assert mode == "valid"
            expected.append(None)
    for (x, w), y in zip(2 * calls, 2 * expected, strict=True):
        if y is not None:
            np.testing.assert_array_equal(getattr(signal, name)(x, w, mode), y, strict=True)


def test_the_size_of_integers_may_choose_a_method(rng):
    """SciPy sums plainly where a transform would lose digits of integers, whatever came before."""
    x, whole = 9 * rng.random(4000), rng.integers(-9, 9, 4000)
    planner.clear_cache()
    expected = signal.convolve(whole << 50, x)
    planner.clear_cache()
    signal.convolve(whole, x)
    np.testing.assert_array_equal(signal.convolve(whole << 50, x), expected)
    assert signal.choose_conv_method(whole, x) == "fft"
    assert signal.choose_conv_method(whole << 50, x) == "direct"


@pytest.mark.parametrize("name", ["convolve2d", "correlate2d", "convolve", "fftconvolve"])
def test_small_calls_are_kept(name, rng, monkeypatch):
    """The second call plans nothing, in ``valid`` mode with the arrays changed about, too."""
    x, w = rng.random((9, 12)), rng.random((3, 4))
    function = getattr(signal, name)
    for args in ((x, w), (x, w, "valid"), (w, x, "valid"), (x, w, "same")):
        expected = function(*args)
        with monkeypatch.context() as patch:
            for room in (_planes, _transforms, _whole_arrays):
                patch.setattr(room, "swapped", None)
            np.testing.assert_array_equal(function(*args), expected)
            with pytest.raises(TypeError):
                function(args[0][1:], *args[1:])


@pytest.mark.parametrize("mode", MODES)
def test_half_precision(mode, rng):
    """SciPy transforms it in single precision, and sums it in half: results are as exact."""
    a, b = (rng.integers(-4, 5, n).astype(np.float16) for n in ((9, 7), (3, 2)))
    for name in ("fftconvolve", "oaconvolve"):
        y = getattr(signal, name)(a, b, mode)
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, getattr(scipy.signal, name)(a, b, mode), atol=1e-4)
    for name in ("convolve", "correlate", "convolve2d", "correlate2d"):
        y = getattr(signal, name)(a, b, mode)
        wide = getattr(scipy.signal, name)(a.astype(float), b.astype(float), mode)
        np.testing.assert_array_equal(y, wide)


@pytest.mark.parametrize("name", ["fftconvolve", "oaconvolve"])
def test_axes_and_batches(name, rng):
    """Other axes are batches, which broadcast either way."""
    shapes = [
        ((4, 9), (4, 3), 1), ((4, 9), (1, 3), 1), ((1, 9), (4, 3), (-1,)), ((9, 4), (3, 4), 0),
        ((2, 9, 3, 5), (2, 4, 1, 2), (1, 3)), ((5, 6), (5, 6), None), ((7, 1), (1, 4), None),
    ]  # fmt: skip
    for (one, two, axes), mode, dtype in itertools.product(
        shapes, MODES, ("float32", "float64", "complex128", "int32")
    ):
        both(name, data(rng, one, dtype), data(rng, two, dtype), mode, axes)


def test_long_signals_agree_with_scipy(rng):
    """Lengths for which the engine transforms."""
    x, w = rng.standard_normal(20_000), rng.standard_normal(3000)
    for name, mode in itertools.product(
        ("fftconvolve", "oaconvolve", "convolve", "correlate"), MODES
    ):
        both(name, x, w, mode)
    assert signal.choose_conv_method(x, w) == "fft"
    assert signal.choose_conv_method(x, w[:3]) == "direct"
    assert signal.choose_conv_method(x.astype(int), w.astype(int)) == "direct"
    assert signal.choose_conv_method(w, x) == "fft"
    assert signal.choose_conv_method(x[:9], w[:9], "valid") == "direct"
    assert signal.choose_conv_method(x * 1j, w) == "fft"
    assert signal.choose_conv_method(np.ones(9, bool), np.ones(3, bool)) == "direct"


def test_what_the_engine_has_not_is_left_to_scipy():
    """Objects, long doubles, booleans, and nothing at all."""
    for a, b in (
        (np.array([1, 2, 3], object), np.array([4, 5], object)),
        (np.ones(5, np.longdouble), np.ones(2, np.longdouble)),
        (np.array([True, True, False]), np.array([True, True])),
    ):
        for name in ("convolve", "correlate"):
            ours = getattr(signal, name)(a, b, method="direct")
            expected = getattr(scipy.signal, name)(a, b, method="direct")
            np.testing.assert_array_equal(ours, expected)
            assert ours.dtype == expected.dtype
        for name in ("fftconvolve", "oaconvolve"):
            both(name, *((a.astype(np.longdouble), b) if a.dtype == object else (a, b)))
    for name in ("convolve", "fftconvolve", "oaconvolve"):
        both(name, np.zeros(0), np.ones(3))


def test_large_integers_are_exact():
    """SciPy's transform rounds them to double (its issue 6076)."""
    x = np.array([2**53 + 1, 3])
    np.testing.assert_array_equal(signal.convolve(x, [1, 0], "full"), [2**53 + 1, 3, 0])


def test_nan_stays_where_it_is_read(rng):
    """SciPy's transform would spread it to every output."""
    x = rng.standard_normal(20_000)
    x[500] = np.nan
    for name in ("convolve", "fftconvolve", "oaconvolve"):
        y = getattr(signal, name)(x, np.ones(3000))
        assert np.isnan(y).sum() == 3000


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_meet_no_sample_outside(value, dtype, mode, rng):
    """Along one axis NaN is where SciPy's plain sum has it, whichever array holds the value."""
    a, b = data(rng, 40, dtype), data(rng, 7, dtype)
    b[2] = value
    for name in ("convolve", "correlate"):
        for one, two in ((a, b), (b, a)):
            y = getattr(signal, name)(one, two, mode)
            expected = getattr(scipy.signal, name)(one, two, mode, "direct")
            assert y.dtype == expected.dtype
            if dtype == "complex64":  # whose infinity may have a part that is NaN
                y, expected = (np.where(np.isfinite(z), z, np.nan) for z in (y, expected))
            np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def spoil(a, value, share, rng):
    """Write a value to one sample, or to a share of them."""
    a[tuple(rng.integers(a.shape)) if share == "one" else rng.random(a.shape) < share] = value


def summed(a, b):
    """Return the full convolution by its definition: products of what both arrays have."""
    y = np.zeros([n + k - 1 for n, k in zip(a.shape, b.shape, strict=True)], np.result_type(a, b))
    with np.errstate(all="ignore"):
        for u in np.ndindex(b.shape):
            y[tuple(slice(i, i + n) for i, n in zip(u, a.shape, strict=True))] += a * b[u]
    return y


SPOILT = (
    ((40,), (9,)),
    ((9, 7), (4, 3)),
    ((2, 30), (1, 9)),
    ((1400,), (1300,)),
    ((5, 4, 3, 4), (2, 3, 2, 2)),
)


@pytest.mark.parametrize("shapes", SPOILT)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("share", ["one", 0.02, 0.5])
def test_what_is_not_finite_spoils_what_reads_it(shapes, dtype, share, rng):
    """In either array, or in both: products as NumPy has them, and none with what is outside."""
    for value, which in itertools.product((np.nan, np.inf, -np.inf), ((0,), (1,), (0, 1))):
        a, b = arrays = [np.round(data(rng, shape, dtype)) for shape in shapes]
        for i in which:
            spoil(arrays[i], value, share, rng)
        right = summed(a, b)
        read = np.isfinite(right)
        # A transform errs by the sums of all that it holds, of which few may be read unspoilt.
        clean = [np.where(np.isfinite(x), np.abs(x), 0) for x in arrays]
        scale = summed(*clean).max(initial=1)
        calls = [("fftconvolve", ()), ("oaconvolve", ()), ("convolve", ("full", "fft"))]
        for name, more in [*calls, ("convolve", ("full", "direct"))][: 4 if a.ndim == 1 else 3]:
            for one, two in ((a, b), (b, a)):
                y = getattr(signal, name)(one, two, *more)
                assert y.dtype == right.dtype
                assert np.array_equal(np.isfinite(y), read)
                if dtype != "complex128":  # whose infinity may have a part that is NaN
                    assert np.array_equal(y[~read], right[~read], equal_nan=True)
                np.testing.assert_allclose(y[read], right[read], rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_integers_and_what_is_not_finite(value):
    """SciPy's choice of a method raises an error for these."""
    a, b = np.arange(1, 9), np.array([1.0, value, 2.0])
    for name in ("convolve", "correlate"):
        right = getattr(scipy.signal, name)(a, b, method="direct")
        np.testing.assert_array_equal(getattr(signal, name)(a, b), right)
        right = getattr(scipy.signal, name)(b, a, method="direct")
        np.testing.assert_array_equal(getattr(signal, name)(b, a), right)
    assert signal.choose_conv_method(a, b) == "direct"


@pytest.mark.parametrize("mode", MODES)
def test_parts_of_what_is_spoilt(mode, rng):
    """Of batches too, whose axes have either of them."""
    a, b = data(rng, (3, 40), "float64"), data(rng, (1, 9), "float64")
    a[1, 5], b[0, 2] = np.inf, np.nan
    y = signal.fftconvolve(a, b, mode, axes=1)
    right = [scipy.signal.convolve(line, b[0], mode, "direct") for line in a]
    np.testing.assert_allclose(y, right, rtol=0, atol=1e-12)
    y = signal.fftconvolve(a[:1], np.repeat(b, 4, 0), mode, axes=1)
    right = scipy.signal.convolve(a[0], b[0], mode, "direct")
    np.testing.assert_allclose(y, np.repeat([right], len(y), 0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_lags(mode):
    """One for each output of correlate."""
    for n, k in itertools.product(range(1, 9), repeat=2):
        both("correlation_lags", n, k, mode)


BAD = {
    "mode": ("convolve", ([1], [2], "chips")),
    "method": ("convolve", ([1], [2], "full", "chips")),
    "method of correlate": ("correlate", ([1], [2], "full", "chips")),
    "dimensions": ("correlate", ([1], [[2]])),
    "a number and an array": ("convolve", ([1], 2)),
    "neither is longer": ("convolve", (np.ones((2, 3)), np.ones((3, 2)), "valid")),
    "planes": ("convolve2d", ([1], [2])),
    "mode of planes": ("convolve2d", ([[1]], [[2]], "chips")),
    "mode of transforms": ("fftconvolve", ([1, 2], [2, 3], "chips")),
    "neither plane is longer": ("convolve2d", (np.ones((2, 3)), np.ones((3, 2)), "valid")),
    "neither plane is wider": ("correlate2d", (np.ones((3, 2)), np.ones((2, 3)), "valid")),
    "an array and a number": ("convolve", (2, [1])),
    "axis from either end": ("fftconvolve", ([[1, 2]], [[2, 3]], "full", [0, -2])),
    "boundary": ("convolve2d", ([[1]], [[2]], "full", "chips")),
    "fill values": ("convolve2d", ([[1]], [[2]], "full", "fill", [1, 2])),
    "complex fill value": ("correlate2d", ([[1]], [[2]], "full", "fill", 1j)),
    "no axes": ("fftconvolve", ([1], [2], "full", [])),
    "axis": ("oaconvolve", ([1], [2], "full", [1])),
    "axis twice": ("fftconvolve", ([1], [2], "full", [0, 0])),
    "axes of floats": ("fftconvolve", ([1], [2], "full", [0.5])),
    "batches": ("oaconvolve", (np.ones((2, 5)), np.ones((3, 2)), "full", 1)),
    "lags": ("correlation_lags", (3, 2, "chips")),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_errors_are_those_of_scipy(case):
    """The same type, whatever the words."""
    name, args = BAD[case]
    types = []
    for module in (scipy.signal, signal):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - SciPy's type is what counts
            getattr(module, name)(*args)
        types.append(caught.type)
    assert types[0] is types[1]


def test_measured_times():
    """Both methods, and the faster one of them."""
    method, times = signal.choose_conv_method(np.ones(50), np.ones(3), measure=True)
    assert set(times) == {"fft", "direct"}
    assert times[method] == min(times.values())


def test_loud_samples_spoil_no_more_than_in_scipy(rng):
    """A sample of 1e12 beside noise of 1e-6: no output errs that SciPy's transforms have right."""
    x = 1e-6 * rng.standard_normal(20_000)
    x[10_000] = 1e12
    w = np.hanning(301)
    exact, scale = np.convolve(x, w), np.convolve(np.abs(x), w)
    for ours in (signal.fftconvolve, signal.oaconvolve, signal.convolve):
        assert (np.abs(ours(x, w) - exact) <= 1e-9 * scale + 1e-18).all()


@pytest.mark.parametrize("mode", ["full", "same"])
def test_a_kernel_longer_than_the_data(rng, mode):
    """The arrays are exchanged, and the answer is SciPy's."""
    x, w = rng.standard_normal((3, 4)), rng.standard_normal((16, 9))
    for ours, theirs in [
        (signal.convolve2d, scipy.signal.convolve2d),
        (signal.correlate2d, scipy.signal.correlate2d),
    ]:
        np.testing.assert_allclose(ours(x, w, mode), theirs(x, w, mode), atol=1e-12)


@pytest.mark.parametrize("name", ["convolve", "correlate"])
@pytest.mark.parametrize("dtype", ["f8", "c16"])
def test_magnitudes_of_any_range_are_as_exact_as_scipys(name, dtype):
    """SciPy sums these plainly, with the error of a plain sum at every output."""
    a = np.array([0.0] * 500 + [10.0 ** (9 * i) for i in range(10)]).astype(dtype)
    expected = getattr(scipy.signal, name)(a, a, method="direct")
    np.testing.assert_allclose(getattr(signal, name)(a, a), expected, rtol=1e-14, atol=0)
    assert signal.choose_conv_method(a, a) == scipy.signal.choose_conv_method(a, a) == "direct"


@pytest.mark.parametrize("spoilt", ["signal", "kernel", "both"])
@pytest.mark.parametrize("shapes", [((500,), (1300,)), ((40, 50), (60, 30))])
def test_many_nan_take_one_convolution(rng, monkeypatch, shapes, spoilt):
    """Where NaN are found by passes along the axes: no sums of ones."""
    calls = []
    convolved = _extents._convolved
    monkeypatch.setattr(
        _extents, "_convolved", lambda *a, **k: calls.append(a) or convolved(*a, **k)
    )
    x, w = (rng.standard_normal(shape) for shape in shapes)
    for a, which in ((x, "signal"), (w, "kernel")):
        if spoilt in (which, "both"):
            a[(rng.random(a.shape) < 0.1) & (np.indices(a.shape)[0] < a.shape[0] // 3)] = np.nan
    y = signal.fftconvolve(x, w)
    assert len(calls) == 1
    expected = np.zeros(y.shape)
    for index in np.ndindex(w.shape):
        part = tuple(slice(i, i + n) for i, n in zip(index, x.shape, strict=True))
        expected[part] += x * w[index]
    assert 0 < np.isnan(expected).sum() < y.size
    np.testing.assert_allclose(y, expected, atol=1e-9)
