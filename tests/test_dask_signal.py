"""FIR filters of dask arrays under SciPy's names: the bits of the whole array in any chunks."""

import itertools
import pickle
import re
from fractions import Fraction

import numpy as np
import pytest

import pyconv
from pyconv import signal
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._pieces import piece_plan
from pyconv.signal._rates import BACKGROUNDS, BOUNDARY_OF, MADE

da = pytest.importorskip("dask.array")
assert_eq = pytest.importorskip("dask.array.utils").assert_eq

#: Shapes, the axis that is filtered, and chunks: single samples, fewer than taps, irregular ones.
LINES = [
    ((100,), -1, (17,)),
    ((20,), 0, (1,)),
    ((5, 200), 1, (2, (1, 0, 60, 139))),
    ((90, 70), 0, (11, (1, 2, 67))),
    ((90, 5), 0, (20, (1, 4))),
    ((3, 40, 6), 1, (1, 13, 4)),
    ((12,), 0, (5,)),
]
DTYPES = [np.float32, np.float64, np.complex64, np.int16]
#: Each line with each dtype; of four all but one are slow.
CASES = [
    pytest.param(line, dtype, marks=[pytest.mark.slow] if (i + j) % 4 else [])
    for i, line in enumerate(LINES)
    for j, dtype in enumerate(DTYPES)
]
RATES = [(1, 1), (3, 1), (1, 3), (3, 2), (2, 3), (4, 6), (5, 7), (3, 3)]


def samples(rng, shape, dtype):
    x = rng.standard_normal(shape) * 20
    return (x + 1j * x[::-1] if np.dtype(dtype).kind == "c" else x).astype(dtype)


def weights(rng, taps, dtype):
    return rng.standard_normal(taps).astype(np.float64 if dtype == np.float64 else np.float32)


def check(function, before, x, chunks, *after, **options):
    """Compare a call on chunks with the call on the whole array, errors among the results."""
    try:
        expected = function(*before, x, *after, **options)
    except (ValueError, TypeError) as error:
        with pytest.raises(type(error), match=re.escape(str(error))):
            function(*before, da.from_array(x, chunks=chunks), *after, **options)
        return
    y = function(*before, da.from_array(x, chunks=chunks), *after, **options)
    assert isinstance(y, da.Array)
    assert (y.shape, y.dtype, y._meta.dtype) == (expected.shape, expected.dtype, expected.dtype)
    np.testing.assert_array_equal(y.compute(scheduler="synchronous"), expected, strict=True)


@pytest.mark.parametrize(("line", "dtype"), CASES)
def test_lfilter_has_the_bits_of_the_whole_array(rng, line, dtype):
    shape, axis, chunks = line
    x = samples(rng, shape, dtype)
    for taps in (1, 4, 9, 40):
        for b, a in (
            (weights(rng, taps, dtype), np.float32([2])),
            (np.full(taps, 1 / taps), 1.0),
            (weights(rng, taps, dtype) * (1 + 2j), 1.0),
        ):
            check(signal.lfilter, (b, a), x, chunks, axis)


@pytest.mark.parametrize(("line", "dtype"), CASES)
def test_one_filter_a_line_has_the_bits_of_the_whole_array(rng, line, dtype):
    shape, axis, chunks = line
    x = samples(rng, shape, dtype)
    lines = [n for i, n in enumerate(shape) if i != axis % len(shape)]
    for own in (lines, lines[1:], [1] * len(lines)):
        b = rng.standard_normal((*own, 5)).astype(np.float32)
        check(signal.lfilter, (b, 1.0), x, chunks, axis)


@pytest.mark.parametrize(("line", "dtype"), CASES)
def test_filtfilt_has_the_bits_of_the_whole_array(rng, line, dtype):
    shape, axis, chunks = line
    x = samples(rng, shape, dtype)
    for taps, padtype in itertools.product((2, 9), ("odd", "even", "constant", None)):
        for b, padlen in (
            (weights(rng, taps, dtype), None),
            (weights(rng, taps, dtype), 3),
            (np.full(taps, 1 / taps), 11),
            (weights(rng, taps, dtype) * (1 + 2j), 0),
        ):
            check(signal.filtfilt, (b, [2.0]), x, chunks, axis, padtype, padlen)


@pytest.mark.parametrize(("line", "dtype"), CASES)
def test_upfirdn_has_the_bits_of_the_whole_array(rng, line, dtype):
    shape, axis, chunks = line
    x = samples(rng, shape, dtype)
    modes = [*BOUNDARY_OF, *sorted(MADE)]
    for i, (rate, taps) in enumerate(itertools.product(RATES, (1, 4, 40))):
        h = weights(rng, taps, dtype)
        for mode in (modes[i % len(modes)], modes[(4 * i + 1) % len(modes)]):
            options = {"mode": mode, "cval": 2.5 if mode == "constant" else 0}
            check(signal.upfirdn, (h,), x, chunks, *rate, axis, **options)
            if dtype == np.complex64 and i % 3 == 0:
                check(signal.upfirdn, (h,), x, chunks, *rate, axis, "constant", 0)


@pytest.mark.parametrize(("line", "dtype"), CASES)
def test_strides_that_are_fractions_have_the_bits_of_the_whole_array(rng, line, dtype):
    """Every extent and boundary, by each algorithm of plain sums; dilations, exact integers."""
    shape, axis, chunks = line
    x = samples(rng, shape, dtype)
    extents = ["same", "valid", "full", [(30, 45)], [(-4, -3)], [(7, -2)]]
    cases = itertools.product(RATES, extents, (1, 6, 40))
    for i, ((up, down), extent, taps) in enumerate(cases):
        whole = dtype == np.int16 and i % 2
        w = (
            np.rint(9 * weights(rng, taps, dtype)).astype("i2")
            if whole
            else weights(rng, taps, dtype)
        )
        if i % 7 == 0 and not whole:
            w = w + 1j * w[::-1]
        options = {
            "mode": extent, "boundary": [*BOUNDARIES][i % 5], "stride": Fraction(down, up),
            "axes": axis, "dilation": 1 + (i % 11 == 0),
        }  # fmt: skip
        options["fill_value"] = 1 if options["boundary"] == "constant" else 0
        options["rtol"] = 0  # a whole array may be taken to transforms
        if down % up:
            check_call(x, chunks, w, i, options)


def check_call(x, chunks, w, turn, options):
    """Compare a call, or the results of one method, on chunks with those of the whole array."""
    method = ("auto", "direct", "polyphase", "reference")[turn % 4]
    call = pyconv.convolve if turn % 3 else pyconv.correlate
    try:
        expected = call(x, w, method=method, **options)
    except ValueError as error:
        with pytest.raises(ValueError, match=re.escape(str(error)[:40])):
            call(da.from_array(x, chunks=chunks), w, method=method, **options)
        return
    y = call(da.from_array(x, chunks=chunks), w, method=method, **options)
    assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(y.compute(scheduler="synchronous"), expected, strict=True)


def test_files_are_resampled_in_pieces(rng):
    """`stream` gives the bits of the whole array, in the memory that it is granted."""
    x, w = rng.standard_normal((3, 50_000)).astype("f4"), rng.standard_normal(31).astype("f4")
    options = {"mode": "same", "boundary": "mirror", "stride": Fraction(2, 3)}
    expected = pyconv.correlate(x, w, method="polyphase", **options)
    found = np.zeros_like(expected)
    pyconv.stream(pyconv.correlate, x, found, w, max_memory=200_000, **options)
    np.testing.assert_array_equal(found, expected)


def test_transforms_of_phases_are_no_business_of_pieces():
    """Each would be of a whole phase."""
    x = da.from_array(np.ones(90), chunks=20)
    options = {"stride": Fraction(2, 3), "mode": "same"}
    with pytest.raises(ValueError, match="method='fft' transforms whole phases"):
        pyconv.correlate(x, np.ones(9), method="fft", **options)
    with pytest.raises(ValueError, match="whole strides"):
        pyconv.correlate(x, np.ones(9), nan_policy="omit", **options)
    with pytest.raises(MemoryError, match="the least that would do"):
        pyconv.correlate(x, np.ones(9), max_memory=100, **options)


@pytest.mark.parametrize("line", LINES)
def test_complex_weights_between_rates_have_the_same_bits_in_all_chunks(rng, line):
    """Where matrices are multiplied in memory, they are no promise of its bits."""
    shape, axis, chunks = line
    x = rng.standard_normal(shape)
    for rate, taps, mode in itertools.product(RATES[::2], (2, 15), ("edge", "line")):
        h = rng.standard_normal(taps) + 1j
        whole = signal.upfirdn(h, da.from_array(x, chunks=-1), *rate, axis, mode)
        expected = whole.compute(scheduler="synchronous")
        y = signal.upfirdn(h, da.from_array(x, chunks=chunks), *rate, axis, mode)
        np.testing.assert_array_equal(y.compute(scheduler="synchronous"), expected)
        near = signal.upfirdn(h, x, *rate, axis, mode)
        np.testing.assert_allclose(expected, near, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("line", "dtype"), CASES)
def test_resampled_lines_have_the_bits_of_the_whole_array(rng, line, dtype):
    shape, axis, chunks = line
    x = samples(rng, shape, dtype)
    kinds = ["constant", "line", "edge", "wrap", *BACKGROUNDS]
    for i, (rate, window) in enumerate(
        itertools.product(RATES, (("kaiser", 5.0), np.float32([0.5, 1, 0.25])))
    ):
        for kind in (kinds[i % 8], kinds[(3 * i + 4) % 8]):
            if x.dtype.kind == "c" and kind in BACKGROUNDS and kind != "mean":
                continue
            check(signal.resample_poly, (), x, chunks, *rate, axis, window, kind)
    for q, n, zero_phase in itertools.product((2, 3, 10), (None, 7), (True, False)):
        check(signal.decimate, (), x, chunks, q, n, "fir", axis, zero_phase)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int16])
@pytest.mark.parametrize("line", LINES)
def test_fitted_polynomials_have_the_bits_of_the_whole_array(rng, line, dtype):
    shape, axis, chunks = line
    x = samples(rng, shape, dtype)
    modes = ("interp", "mirror", "constant", "nearest", "wrap")
    for mode, (window, order, deriv) in itertools.product(
        modes, ((5, 2, 0), (8, 3, 1), (11, 0, 0), (12, 4, 2))
    ):
        options = {"deriv": deriv, "delta": 0.5, "axis": axis, "mode": mode, "cval": 1.5}
        check(signal.savgol_filter, (), x, chunks, window, order, **options)


def test_wide_means_have_the_bits_of_the_whole_array(rng):
    """They are summed in blocks, and a piece begins at one."""
    for dtype, taps, axis in itertools.product((np.float32, np.float64), (60, 120), (0, 1)):
        x = rng.standard_normal((900, 70)).astype(dtype)
        x, chunks = (x, (217, 70)) if axis == 0 else (x.T.copy(), (70, 217))
        b, one = np.full(taps, 1 / taps, dtype), np.ones(1, dtype)
        for function in (signal.lfilter, signal.filtfilt):
            y = function(b, one, da.from_array(x, chunks=chunks), axis)
            assert "box" in y.name
            found = y.compute(scheduler="synchronous")
            np.testing.assert_array_equal(found, function(b, one, x, axis))


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_and_columns_have_the_bits_of_the_whole_array(rng, dtype):
    for shape, chunks in (((40, 50), 7), ((5, 200), (2, (1, 60, 139))), ((90, 5), (20, (1, 4)))):
        x = samples(rng, shape, dtype)
        for rows, columns in ((1, 3), (5, 7), (9, 1), (31, 101)):
            row = np.full(rows, 1 / rows, np.float32)
            check(signal.sepfir2d, (), x, chunks, row, weights(rng, columns, np.float32))


def test_pixels_of_complex_samples_have_the_bits_of_the_whole_array(rng):
    """A chunk of few of them is no pixel where the array has many."""
    w = rng.standard_normal(9)
    for dtype, shape in itertools.product((np.complex64, np.complex128), ((5, 99), (5, 35, 2))):
        x = samples(rng, shape, dtype)
        expected = pyconv.correlate(x, w, "same", axes=0, method="direct")
        for width in (1, 2, 4):
            chunked = da.from_array(x, chunks=(11, *[width] * (len(shape) - 1)))
            y = pyconv.correlate(chunked, w, "same", axes=0, method="direct")
            np.testing.assert_array_equal(y.compute(scheduler="synchronous"), expected)


# ---- graphs -----------------------------------------------------------------------------------


def calls_of(x):
    """Return the filters of an array of two dimensions."""
    h = np.hanning(9)
    return {
        "lfilter": signal.lfilter(h, 1.0, x),
        "lfilter-bank": signal.lfilter(np.outer(np.arange(1, len(x) + 1), h), 1.0, x),
        "filtfilt": signal.filtfilt(h, 1.0, x),
        "upfirdn": signal.upfirdn(h, x, 3, 2),
        "resample-poly": signal.resample_poly(x, 2, 3, axis=1),
        "decimate": signal.decimate(x, 4, ftype="fir", axis=1),
        "savgol-filter": signal.savgol_filter(x, 7, 2),
        "sepfir2d": signal.sepfir2d(x, h, h),
    }


def test_results_are_as_dask_would_have_them(rng):
    x = rng.standard_normal((6, 200))
    for y, expected in zip(
        calls_of(da.from_array(x, chunks=(4, 33))).values(), calls_of(x).values(), strict=True
    ):
        assert_eq(y, expected)
        assert_eq(y[1:, ::3] + 1, expected[1:, ::3] + 1)


def test_a_chunk_is_a_task():
    x = da.zeros((8, 4000), chunks=(2, 500))
    for word, y in calls_of(x).items():
        assert len(y.dask) - len(x.dask) <= y.npartitions + 1
        assert y.npartitions == x.npartitions
        assert any(word in layer for layer in y.dask.layers)


def test_a_task_reads_the_chunks_of_its_results():
    x = da.zeros((8, 4000), chunks=(2, 500))
    for word, y in calls_of(x).items():
        task = y.dask[(y.name, 1, 3)]
        read = {d for d in task.dependencies if d[0] == x.name}
        rows = {0, 1, 2, 3} if word == "sepfir2d" else {1}
        assert (x.name, 1, 3) in read
        assert read <= {(x.name, i, j) for i in rows for j in (2, 3, 4)}
    y = signal.resample_poly(x, 2, 3, axis=1, padtype="mean")  # that of the line
    read = {d for d in y.dask[(y.name, 1, 3)].dependencies if d[0] == x.name}
    assert read == {(x.name, 1, j) for j in range(8)}


def test_chunks_of_another_rate_lie_beside_those_of_the_array():
    x = da.zeros((1000,), chunks=100)
    assert signal.resample_poly(x, 3, 2).chunks == ((150,) * 10,)
    assert signal.decimate(x, 10, ftype="fir").chunks == ((10,) * 10,)
    assert signal.lfilter([1.0, 2.0], 1.0, x).chunks == x.chunks


def test_nothing_runs_before_a_result_is_computed():
    def fail(block):
        raise AssertionError("a chunk was made")

    x = da.zeros((6, 200), chunks=(3, 50)).map_blocks(fail, dtype=np.float64, meta=np.empty((0, 0)))
    for y in calls_of(x).values():
        with pytest.raises(AssertionError):
            y.compute(scheduler="synchronous")


def test_equal_calls_have_equal_names():
    x = da.zeros((6, 200), chunks=(3, 50))
    first, again = calls_of(x), calls_of(x)
    assert [y.name for y in first.values()] == [y.name for y in again.values()]
    assert signal.lfilter([1, 2.0], 1, x).name != signal.lfilter([1, 3.0], 1, x).name


def test_plans_travel(rng):
    x = rng.standard_normal((6, 200))
    calls = [
        (signal.resample_poly, (3, 2, 1)), (signal.savgol_filter, (7, 2)),
        (signal.decimate, (4, None, "fir", 1)), (signal.sepfir2d, (np.ones(3), np.ones(5))),
    ]  # fmt: skip
    for function, arguments in calls:
        plan = piece_plan(function, x.shape, x.dtype, *arguments)
        again = pickle.loads(pickle.dumps(plan))
        box = tuple((n // 3, n - 2) for n in plan.shape)
        where = tuple(
            next(iter(r.slices(n))) for r, n in zip(plan.reads(box), x.shape, strict=True)
        )
        expected = function(x, *arguments)[tuple(slice(*pair) for pair in box)]
        np.testing.assert_array_equal(again.solve(x[where], box), expected)


# ---- what is refused, and what is computed ----------------------------------------------------


def test_states_are_refused():
    x = da.zeros((6, 200), chunks=(3, 50))
    with pytest.raises(TypeError, match="whole lines"):
        signal.lfilter([1.0, 2.0], 1.0, x, zi=np.zeros((6, 1)))


def test_weights_in_chunks_are_refused():
    x, w = da.zeros((6, 200), chunks=(3, 50)), da.ones(3, chunks=3)
    for call in (
        lambda: signal.lfilter(w, 1.0, x),
        lambda: signal.filtfilt(w, 1.0, x),
        lambda: signal.upfirdn(w, x),
        lambda: signal.resample_poly(x, 3, 2, window=w),
        lambda: signal.sepfir2d(x, np.ones(3), w),
        lambda: signal.lfilter([1.0, 2.0], 1.0, x, zi=da.zeros((6, 1))),
    ):
        with pytest.raises(TypeError, match=r"\.compute\(\)"):
            call()


def test_chunks_of_unknown_size_are_refused():
    x = da.arange(20, chunks=5)
    x = x[x > 3].astype(float)
    for call in (
        lambda: signal.lfilter([1.0, 2.0], 1.0, x),
        lambda: signal.resample_poly(x, 3, 2),
        lambda: signal.savgol_filter(x, 5, 2),
    ):
        with pytest.raises(ValueError, match="compute_chunk_sizes"):
            call()


def test_what_is_scipys_is_computed(rng):
    """A filter with feedback goes along whole lines."""
    x = rng.standard_normal((3, 80))
    chunked = da.from_array(x, chunks=(1, 30))
    a = [1.0, -0.5]
    for call in (
        lambda x: signal.lfilter([1.0], a, x),
        lambda x: signal.filtfilt([1.0, 0.5], a, x),
        lambda x: signal.filtfilt([1.0, 0.5], 1.0, x, method="gust"),
        lambda x: signal.decimate(x, 2),
    ):
        y = call(chunked)
        assert isinstance(y, np.ndarray)
        np.testing.assert_array_equal(y, call(x))
    with pytest.raises(TypeError, match="not made a piece at a time"):
        piece_plan(signal.decimate, x.shape, x.dtype, 2)
