"""correlate_each, convolve_each, banks of lfilter: each line is what its own kernel makes of it."""

import itertools
from fractions import Fraction

import numpy as np
import oracles
import pytest
from arrays import LAYOUTS, assert_exact, bits, noise, small

import pyconv
from pyconv._engine import bank_loop, banks
from pyconv._engine.dtypes import OVERFLOWS, ROUNDINGS, bank_interval, result_interval
from pyconv._native import loader
from pyconv.signal import lfilter

FUNCTIONS = {pyconv.correlate_each: pyconv.correlate, pyconv.convolve_each: pyconv.convolve}
BOUNDARIES = ("constant", "nearest", "symmetric", "mirror", "wrap")
DTYPES = [np.dtype(c) for c in "?bBhHiIlLefdFD"]
#: Lines one by one, of several axes, and neighbours: fewer and more than lanes of a panel.
SHAPES = [((5, 40), 1), ((2, 3, 35), -1), ((40, 5), 0), ((40, 70), 0), ((2, 41, 33), 1), ((37,), 0)]
#: Results around whole vectors and tiles, and around the length from which lines share loads.
LENGTHS = (1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 191, 192, 193, 319, 320, 321, 700)


def lines_of(x, axis):
    """Return the shape of an array without an axis."""
    return np.moveaxis(x, axis, -1).shape[:-1]


def each(function, x, w, axis, **options):
    """Return what a function makes of each line by itself."""
    lines = np.moveaxis(x, axis, -1)
    w = np.broadcast_to(w, (*lines.shape[:-1], w.shape[-1]))
    found = [function(lines[at].copy(), w[at], **options) for at in np.ndindex(w.shape[:-1])]
    return np.moveaxis(np.array(found).reshape(*w.shape[:-1], -1), -1, axis)


# ---- exact ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_each_line_is_the_definition(shape, axis, dtype, rng):
    """Every dtype, every boundary, strides and dilations; one kernel for several lines, too."""
    x = small(rng, shape, dtype)
    for count, (function, boundary) in enumerate(itertools.product(FUNCTIONS, BOUNDARIES)):
        taps, stride, dilation = 1 + 3 * count, 1 + count % 3, 1 + count % 4 // 3
        lines = lines_of(x, axis) if count % 2 else [1] * (x.ndim - 1)
        w = small(rng, (*lines, taps), np.dtype("f") if dtype.kind == "f" else dtype)
        mode = ("same", "full", ((taps - 1, 0),), ((-3, 40),))[count % 4]
        options = {"boundary": boundary, "stride": stride, "dilation": dilation}
        if dtype.kind in "fc":
            options["fill_value"] = 2
        expected = each(
            lambda line, kernel, o=options, m=mode, f=function: oracles.correlate(
                line, kernel, m,
                flip=f is pyconv.convolve_each, **o,
            )[0],
            x, w, axis,
        )  # fmt: skip
        y = function(x, w, mode, axis=axis, **options)
        assert_exact(y, expected, pyconv.correlate(x[:1], w[(0,) * (w.ndim - 1)][:1], axes=0).dtype)


@pytest.mark.parametrize("dtype", [np.dtype(c) for c in "fdhlB"], ids=str)
def test_every_length_has_the_bits_of_a_line_alone(dtype, rng, isa):
    """Where vectors and tiles end, and where lines begin to share what they load."""
    for n, taps in itertools.product(LENGTHS, (1, 5, 17, 33)):
        x = noise(rng, (3, n), dtype)
        w = noise(rng, (3, taps), "f" if dtype == np.uint8 else dtype)
        y = pyconv.correlate_each(x, w, ((taps - 1, 0),), rtol=0)
        expected = each(pyconv.correlate, x, w, 1, mode=((taps - 1, 0),), method="direct")
        assert bits(y) == bits(expected), (n, taps)


@pytest.mark.parametrize("x_dtype", ["h", "B", "f", "d", "l"])
@pytest.mark.parametrize("dtype", ["h", "B", "?"])
@pytest.mark.parametrize("axis", [0, 1])
def test_integers_of_floats_are_those_of_each_line(x_dtype, dtype, axis, rng):
    """Every rounding and every policy, of sums that do not fit as well."""
    x = noise(rng, (40, 50), x_dtype) * np.array(30).astype(x_dtype)
    w = rng.standard_normal((50 if axis == 0 else 40, 9))
    w[::5, ::2] = 0
    w[1] = 0.5  # sums that lie half between two integers
    policies = itertools.product(FUNCTIONS.items(), (None, *ROUNDINGS), OVERFLOWS)
    for (function, one), rounding, overflow in policies:
        options = {"dtype": dtype, "overflow": overflow, "rounding": rounding, "mode": "same"}
        try:
            expected = each(one, x, w, axis, **options)
        except OverflowError:
            with pytest.raises(OverflowError, match="results may"):
                function(x, w, axis=axis, **options)
            continue
        y = function(x, w, axis=axis, **options)
        if rounding is None and axis == 0:  # in another order, before it is rounded
            sums = each(one, x.astype("d"), w, axis, mode="same")
            near = np.abs(np.abs(sums - np.round(sums)) - 0.5) < 1e-9
            np.testing.assert_array_equal(np.where(near, 0, y), np.where(near, 0, expected))
        else:
            np.testing.assert_array_equal(y, expected, strict=True)


def test_the_weights_of_all_kernels_decide_about_overflow(rng):
    """One kernel that may overflow is refused before anything is written."""
    x = small(rng, (4, 30), "i2")
    w = np.ones((4, 3), "i2")
    out = np.full((4, 28), -7, "i4")
    pyconv.correlate_each(x, w, dtype="i4", out=out)
    w[2] = 30000
    kept = out.copy()
    with pytest.raises(OverflowError, match="results may lie anywhere"):
        pyconv.correlate_each(x, w, dtype="i4", out=out)
    np.testing.assert_array_equal(out, kept)
    for overflow in ("wrap", "saturate"):
        y = pyconv.correlate_each(x, w, dtype="i2", overflow=overflow)
        expected = each(pyconv.correlate, x, w, 1, dtype="i2", overflow=overflow)
        np.testing.assert_array_equal(y, expected, strict=True)


def test_sums_beyond_53_and_64_bits(rng):
    """Integers that no float holds, and that no integer of 64 bits does."""
    x = rng.integers(-(2**40), 2**40, (3, 20))
    w = rng.integers(-(2**20), 2**20, (3, 4))
    for axis, source in ((1, x), (0, x.T.copy())):
        expected = each(pyconv.correlate, source, w, axis)
        np.testing.assert_array_equal(pyconv.correlate_each(source, w, axis=axis), expected)
    w = w.astype(object) * 2**42
    exact = [[sum(a * b for a, b in zip(line[i:], v, strict=False)) for i in range(17)]
             for line, v in zip(x.tolist(), w.tolist(), strict=True)]  # fmt: skip
    w = w.astype("i8")
    with pytest.raises(OverflowError):
        pyconv.correlate_each(x, w)
    for overflow, expected in (
        ("wrap", [[(v + 2**63) % 2**64 - 2**63 for v in line] for line in exact]),
        ("saturate", [[min(max(v, -(2**63)), 2**63 - 1) for v in line] for line in exact]),
    ):
        y = pyconv.correlate_each(x, w, overflow=overflow)
        np.testing.assert_array_equal(y, np.array(expected, "i8"), strict=True)


@pytest.mark.parametrize("dtype", ["b", "i4", "i8", "u8", "f", "d"])
def test_the_interval_of_a_bank_holds_that_of_each_kernel(dtype, rng):
    """The least and the greatest of all of them, for integers exactly."""
    for most in (3, 100, 2**62) if dtype in ("i8", "u8") else (3, 100):
        w = (rng.integers(0 if dtype == "u8" else -most, most, (7, 5))).astype(dtype)
        for x_dtype in ("i2", "u8", "d"):
            x = small(rng, (9,), x_dtype)
            every = [result_interval(x, row, 5) for row in w]
            found = bank_interval(x, w, 5)
            low, high = min(i.low for i in every), max(i.high for i in every)
            expected = low, high, max(i.magnitude for i in every)
            if np.dtype(dtype).kind in "iu" and x_dtype != "d":
                assert tuple(map(int, found)) == tuple(map(int, expected))
            else:
                np.testing.assert_allclose([*map(float, found)], [*map(float, expected)])


def test_not_a_number_and_infinity_stay_where_they_are(rng):
    """They reach the results whose window holds them, of their own line."""
    for axis in (0, 1):
        x = 100 * rng.standard_normal((50, 40) if axis == 0 else (40, 50))
        lines = np.moveaxis(x, axis, -1)
        lines[3, 7], lines[5, 9], lines[6, 40] = np.nan, np.inf, -np.inf
        w = rng.standard_normal((40, 4))
        y = np.moveaxis(pyconv.correlate_each(x, w, "same", axis=axis), axis, -1)
        bad = {(i, j) for i, j in zip(*np.nonzero(~np.isfinite(y)), strict=True)}
        assert bad == {(i, j) for i, at in ((3, 7), (5, 9), (6, 40)) for j in range(at - 1, at + 3)}
        for overflow, rounding in itertools.product(("wrap", "saturate"), (None, *ROUNDINGS)):
            options = {"dtype": "i2", "overflow": overflow, "rounding": rounding}
            w[5, 1] = 0
            found = pyconv.correlate_each(x, w, axis=axis, **options)
            expected = each(pyconv.correlate, x, w, axis, **options)
            np.testing.assert_array_equal(found, expected)


# ---- algorithms, layouts, threads -------------------------------------------------------------


def test_kernels_that_are_transformed(rng):
    """Long ones, as one kernel is, a line at a time, along either axis."""
    x, w = noise(rng, (3, 3000), "f"), noise(rng, (3, 700), "f")
    expected = each(pyconv.correlate, x, w, 1, method="fft")
    assert bits(pyconv.correlate_each(x, w, method="fft")) == bits(expected)
    y = pyconv.correlate_each(x.T.copy(), w, axis=0, method="fft")
    assert bits(y.T) == bits(expected)
    y = pyconv.correlate_each(x, w, method="direct")
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-3)
    assert bits(y) == bits(each(pyconv.correlate, x, w, 1, method="direct"))


def test_neighbours_are_summed_side_by_side(rng, monkeypatch):
    """Many of them, in the order of the taps; few, and long kernels, as rows that are copied."""
    sums = []

    def counted(*args, **keywords):
        sums.append(args[0].shape)
        return kept(*args, **keywords)

    kept = bank_loop.filtered_each
    monkeypatch.setattr(bank_loop, "filtered_each", counted)
    for lines, taps, count in ((64, 9, 1), (64, banks.TAPS_ABREAST + 1, 0), (3, 9, 0)):
        x, w = noise(rng, (600, lines), "d"), noise(rng, (lines, taps), "d")
        y = pyconv.correlate_each(x, w, axis=0, rtol=0)
        assert len(sums) == count
        expected = each(pyconv.correlate, x, w, 0, method="direct")
        np.testing.assert_allclose(y, expected, rtol=0, atol=1e-12)
        if not count:
            assert bits(y) == bits(expected)
        sums.clear()


def test_neighbours_are_copied_a_panel_at_a_time(rng, monkeypatch):
    """Panels end within the neighbours; the results are those of rows."""
    x, w = small(rng, (2, 90, 37), "i2"), small(rng, (2, 37, 5), "i2")
    expected = each(pyconv.correlate, x, w, 1, dilation=2)
    for size in (1, 1 << 10, 1 << 20):
        monkeypatch.setattr(banks, "PANEL_BYTES", size)
        y = pyconv.correlate_each(x, w, axis=1, dilation=2)
        np.testing.assert_array_equal(y, expected, strict=True)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same(layout, rng):
    """Of both arrays, along either axis, with and without a rounding."""
    view = LAYOUTS[layout]
    x, w = noise(rng, (33, 34), "f"), noise(rng, (33, 5), "f")
    for options in ({}, {"dtype": "i2", "overflow": "wrap", "rounding": "half_even"}):
        for axis, source in ((1, x), (0, x.T.copy())):
            expected = pyconv.correlate_each(source, w, "same", axis=axis, **options)
            y = pyconv.correlate_each(view(source), view(w), "same", axis=axis, **options)
            assert bits(y) == bits(expected)


def test_every_number_of_threads_gives_the_same_bits(rng):
    """Few long lines and many short ones, neighbours, and sums that are rounded."""
    for shape, axis in (((3, 60000), 1), ((3000, 60), 1), ((20000, 64), 0), ((20000, 3), 0)):
        x = noise(rng, shape, "f")
        w = noise(rng, (*lines_of(x, axis), 21), "f")
        for options in ({}, {"dtype": "i2", "overflow": "saturate", "rounding": "half_even"}):
            expected = pyconv.correlate_each(x, w, axis=axis, workers=1, **options)
            for workers in (2, 3):
                y = pyconv.correlate_each(x, w, axis=axis, workers=workers, **options)
                assert bits(y) == bits(expected)


def test_a_line_has_its_bits_alone_and_among_others(rng):
    """However many there are."""
    x, w = noise(rng, (70, 500), "f"), noise(rng, (70, 33), "f")
    y = pyconv.correlate_each(x, w, "same")
    for some in (slice(0, 1), slice(3, 6), slice(40, 70)):
        assert bits(pyconv.correlate_each(x[some], w[some], "same")) == bits(y[some])


def test_every_variant_of_the_loops(rng, isa):
    """Whole numbers, and sums that are rounded."""
    x = small(rng, (40, 333), "i2")
    w = rng.standard_normal((40, 19))
    options = {"dtype": "i2", "overflow": "wrap", "rounding": "towards_zero"}
    for axis, source in ((1, x), (0, x.T.copy())):
        expected = each(pyconv.correlate, source, w, axis, method="reference", **options)
        y = pyconv.correlate_each(source, w, axis=axis, **options)
        np.testing.assert_array_equal(y, expected, strict=True)
    assert isa is loader.native


def test_results_where_the_arrays_are(rng):
    """An `out` of any layout, also over the samples or the weights."""
    for axis in (0, 1):
        x, w = noise(rng, (40, 40), "d"), noise(rng, (40, 7), "d")
        expected = pyconv.correlate_each(x, w, "same", axis=axis)
        for view in LAYOUTS.values():
            out = view(np.zeros_like(expected))
            if out.flags.writeable and out.dtype.isnative:
                assert pyconv.correlate_each(x, w, "same", axis=axis, out=out) is out
                np.testing.assert_array_equal(out, expected)
        y = x.copy()
        pyconv.correlate_each(y, w, "same", axis=axis, out=y)
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("shape", [(0, 5), (3, 0, 5), (0, 3, 5)])
def test_no_lines(shape):
    """They are filtered to none."""
    y = pyconv.correlate_each(np.ones(shape, "i2"), np.ones((*shape[:-1], 2), "i2"))
    assert (y.shape, y.dtype) == ((*shape[:-1], 4), np.int64)
    assert lfilter(np.ones((1, 2)), 1, np.ones((0, 5)), dtype="f").shape == (0, 5)


# ---- what is refused --------------------------------------------------------------------------

X, W = np.ones((3, 9)), np.ones((3, 4))


@pytest.mark.parametrize(
    ("x", "w", "options", "error", "words"),
    [
        (X, np.ones((2, 4)), {}, ValueError, r"w has shape \(2, 4\), kernels of 4 taps"),
        (X, np.ones((1, 3, 4)), {}, ValueError, r"w has shape \(1, 3, 4\)"),
        (X[0], W, {}, ValueError, r"broadcast to \(\), the shape of x without axis=-1"),
        (X, 2.0, {}, ValueError, r"w shape \(\)"),
        (2.0, W, {}, ValueError, r"x has shape \(\)"),
        (X, np.ones((3, 0)), {}, ValueError, "w is empty"),
        (X[:, :0], W, {}, ValueError, "x is empty along axis 1"),
        (X, np.ones((3, 10)), {}, ValueError, "the result would be empty along axis 1"),
        (X.T, np.ones((3, 10)), {"axis": 0}, ValueError, "the result would be empty along axis 0"),
        (X, W, {"axis": 2}, ValueError, "axis=2: x has axes -2 to 1"),
        (X, W, {"axis": (0,)}, TypeError, "axis="),
        (X, W, {"mode": "some"}, ValueError, "mode='some'"),
        (X, W, {"boundary": "reflect"}, ValueError, "reflect"),
        (X, W, {"overflow": "x"}, ValueError, "overflow='x'"),
        (X, W, {"rounding": "half_even"}, TypeError, "rounding='half_even'"),
        (X, W, {"method": "box"}, ValueError, "method='box'.*depends on the weights"),
        (X, W, {"method": "fixed_point"}, ValueError, "method='fixed_point' is unknown"),
        (X, W, {"out": np.ones((3, 9))}, ValueError, "out has shape"),
        (X, W, {"out": np.ones((3, 6), "f")}, TypeError, "out has dtype"),
        (X, W, {"mask": X > 0}, TypeError, "mask"),
        (X, W, {"nan_policy": "omit"}, TypeError, "nan_policy"),
        (X, W, {"axes": 0}, TypeError, "axes"),
        (np.ma.array(X, mask=X > 2), W, {}, TypeError, "x is a masked array"),
        (X, W * 1j, {"dtype": "d"}, TypeError, "dtype=float64"),
    ],
    ids=str,
)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_is_no_bank_is_refused_by_name(function, x, w, options, error, words):
    """The argument, its value and what is allowed."""
    with pytest.raises(error, match=words):
        function(x, w, **options)


def test_arrays_of_chunks_are_refused():
    """Their lines are not made a piece at a time."""
    dask_array = pytest.importorskip("dask.array")
    x = dask_array.from_array(X)
    for args in ((x, W), (X, dask_array.from_array(W))):
        with pytest.raises(TypeError, match="is an array of chunks"):
            pyconv.correlate_each(*args)
    with pytest.raises(TypeError, match="dtype=.*pyconv.convolve"):
        lfilter(W[0], 1, x, dtype="f")


# ---- lfilter ----------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("b_dtype", ["h", "f", "d"])
def test_lfilter_of_a_dtype_is_a_convolution(axis, b_dtype, rng):
    """One kernel and one for each line: exact, rounded, wrapped and clipped."""
    x = rng.integers(-3000, 3000, (40, 60) if axis else (60, 40)).astype("i2")
    for taps, a in itertools.product((1, 4, 150), (1, 1.0, 2)):
        b = noise(rng, (40, taps), b_dtype) * 7
        one = np.asarray(b[0] if a == 1 else b[0] / np.atleast_1d(a))
        bank = b if a == 1 else b / np.atleast_1d(a)
        for rounding, overflow in itertools.product((None, *ROUNDINGS), ("wrap", "saturate")):
            options = {"dtype": "i2", "overflow": overflow, "rounding": rounding}
            pads = ((taps - 1, 0),)
            expected = pyconv.convolve(x, one, pads, axes=axis, **options)
            np.testing.assert_array_equal(
                lfilter(b[0], a, x, axis, **options), expected, strict=True
            )
            expected = pyconv.convolve_each(x, bank, pads, axis=axis, **options)
            np.testing.assert_array_equal(lfilter(b, a, x, axis, **options), expected, strict=True)
    # Integers under integers are the definition's.
    b = rng.integers(-3, 4, 5).astype("i2")
    y = lfilter(b, 1, x, axis, dtype="i8")
    expected = each(lambda v, k: np.convolve(v.astype("i8"), k)[: v.size], x, b, axis)
    np.testing.assert_array_equal(y, expected, strict=True)
    assert lfilter(b.astype("f"), 1, x, axis, dtype="f").dtype == np.float32


@pytest.mark.parametrize(
    ("b", "a", "options", "error", "words"),
    [
        ([1, 2], 1, {"overflow": "wrap"}, TypeError, "overflow='wrap'.*pass dtype="),
        ([1, 2], 1, {"rounding": "half_even"}, TypeError, "rounding='half_even'.*pass dtype="),
        ([1, 2], 1, {"dtype": "h", "zi": [0]}, ValueError, r"zi has shape \(1,\)"),
        ([1, 2], [1, 2], {"dtype": "h"}, ValueError, r"a has shape \(2,\)"),
        ([1, 2], 0, {"dtype": "h"}, ValueError, "b / a"),
        ([1, 2], 1, {"dtype": "h"}, OverflowError, "results may lie anywhere"),
        ([], 1, {"dtype": "h"}, ValueError, "b has shape"),
        (np.ones((3, 2)), 1, {"dtype": "h"}, ValueError, r"b has shape \(3, 2\)"),
        ([1, 2], 1, {"dtype": "h", "axis": 2}, ValueError, "axis=2"),
        ([1, 2], 1, {"dtype": "O"}, TypeError, "dtype has dtype object"),
        ([1.5], 1, {"dtype": "h", "rounding": "x"}, ValueError, "rounding='x'"),
        ([1.5], 1, {"dtype": "h", "overflow": "x"}, ValueError, "overflow='x'"),
    ],
    ids=str,
)
def test_what_lfilter_makes_of_no_dtype(b, a, options, error, words):
    """Each is refused by name."""
    with pytest.raises(error, match=words):
        lfilter(b, a, np.ones((2, 9), "i2"), **options)


@pytest.mark.parametrize(("shape", "axis"), [((5, 40), 1), ((40, 70), 0), ((3, 40, 7), 1)])
@pytest.mark.parametrize("stride", [Fraction(2, 3), Fraction(5, 2), Fraction(4, 1)])
@pytest.mark.parametrize("dtype", ["f4", "i2"])
def test_a_stride_that_is_a_fraction(rng, shape, axis, stride, dtype):
    """Neighbours, too, are then summed line by line."""
    x = rng.integers(-50, 50, shape).astype(dtype)
    w = rng.integers(-3, 4, (*np.delete(shape, axis), 7)).astype(dtype)
    y = pyconv.correlate_each(x, w, "same", "mirror", axis=axis, stride=stride)
    lines = np.moveaxis(y, axis, -1)
    for at in np.ndindex(lines.shape[:-1]):
        line = np.moveaxis(x, axis, -1)[at]
        right = pyconv.correlate(line, w[at], "same", "mirror", stride=stride)
        np.testing.assert_array_equal(lines[at], right)


@pytest.mark.parametrize("overflow", OVERFLOWS)
def test_kernels_of_zeros_have_no_bound_to_pass(overflow):
    """Whatever the samples are."""
    x = np.full(5, 2**63, np.uint64)
    assert not pyconv.correlate_each(x, [0, 0], overflow=overflow).any()
    outside = {"fill_value": 2**64 - 1, "overflow": overflow}
    assert not pyconv.correlate_each(x[:3], [0, 0], "full", **outside).any()


def test_kernels_without_weights_say_their_shape():
    with pytest.raises(ValueError, match=r"^w is empty \(shape \(4, 0\)\); each line needs"):
        pyconv.correlate_each(np.ones((4, 5)), np.ones((4, 0)))
