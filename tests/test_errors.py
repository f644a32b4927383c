"""Bad input: the documented error, naming argument, value and what is allowed; nothing written."""

import itertools

import numpy as np
import pytest
from arrays import bits

import pyconv
import pyconv.filters
import pyconv.ndimage
import pyconv.nn.functional
from pyconv._engine import output_arrays
from pyconv._engine.algorithms import ALGORITHMS
from pyconv._engine.algorithms.base import WeightDependentAlgorithm
from pyconv._engine.boundaries import BOUNDARIES

X, W = np.arange(12.0).reshape(3, 4), np.ones((2, 2))
HUGE = 2**62

#: Arguments → the error and words of its message.
REFUSED = {
    "4-D kernel": (X, np.ones((1, 1, 1, 1)), {}, ValueError, ["w ", "4 dim", "1, 2 and 3"]),
    "0-D kernel": (X, np.float64(2), {}, ValueError, ["w ", "0 dim", "1, 2 and 3"]),
    "empty kernel": (X, np.ones((2, 0)), {}, ValueError, ["w is empty", "(2, 0)"]),
    "empty x": (np.ones((3, 0)), np.ones(2), {}, ValueError, ["x is empty", "axis 1"]),
    "0-D x": (np.float64(3), np.ones(1), {}, ValueError, ["x has 0 dim"]),
    "x of too few dimensions": (X[0], W, {}, ValueError, ["x has 1 dim", "2"]),
    "kernel larger than x": (
        X, np.ones((4, 2)), {}, ValueError, ["axis 0", "length 3", "spans 4", "'valid'"],
    ),
    "dilated kernel larger than x": (
        X, W, {"dilation": (1, 4)}, ValueError, ["axis 1", "length 4", "spans 5"],
    ),
    "cropped to nothing": (
        X, W, {"mode": [(-2, -1), (0, 0)]}, ValueError, ["empty", "axis 0", "length 3"],
    ),
    "unknown mode": (
        X, W, {"mode": "sane"}, ValueError, ["mode='sane'", "valid, same, full", "np.pad"],
    ),
    "three pairs for two axes": (X, W, {"mode": [(1, 1)] * 3}, ValueError, ["mode=", "pair", "2"]),
    "three pads for two axes": (X, W, {"mode": [1, 1, 1]}, ValueError, ["mode=", "pair", "2"]),
    "no pads": (X, W, {"mode": []}, ValueError, ["mode=", "pair"]),
    "pads of an axis that is none": (X, W, {"mode": {7: 1}}, ValueError, ["mode=", "pair"]),
    "pads of an axis that are two": (X, W, {"mode": {0: [(1, 1)]}}, ValueError, ["mode=", "pair"]),
    "bool pads": (X, W, {"mode": True}, ValueError, ["mode=True", "integer"]),
    "pads that are no pairs": (X, W, {"mode": [(1,), (1, 2)]}, ValueError, ["mode=", "pair"]),
    "fractional pads": (X, W, {"mode": [(1, 1), (0.5, 1)]}, ValueError, ["mode=", "integers"]),
    "mode of a wrong type": (X, W, {"mode": 3.5}, ValueError, ["mode=3.5", "valid, same, full"]),
    "huge pads": (X, W, {"mode": [(HUGE, 0), (0, 0)]}, ValueError, [str(HUGE), "axis 0"]),
    "unknown boundary": (
        X, W, {"boundary": "mirrored"}, ValueError, ["boundary='mirrored'", *BOUNDARIES],
    ),
    "boundary of a wrong type": (X, W, {"boundary": 2}, ValueError, ["boundary=2", "mirror"]),
    "three boundaries for two axes": (
        X, W, {"boundary": ("wrap", "wrap", "wrap")}, ValueError, ["boundary=", "3", "2"],
    ),
    "ambiguous boundary": (X, W, {"boundary": "reflect"}, ValueError, ["symmetric", "mirror"]),
    "axis out of range": (X, W, {"axes": (0, 2)}, ValueError, ["axes=(0, 2)", "-2 to 1"]),
    "axis twice": (X, W, {"axes": (1, 1)}, ValueError, ["axes=(1, 1)", "twice"]),
    "axis twice, once negative": (X, W, {"axes": (1, -1)}, ValueError, ["axes=(1, -1)", "twice"]),
    "one axis for two": (X, W, {"axes": 0}, ValueError, ["axes=0", "2"]),
    "fractional axis": (X, W, {"axes": (0, 1.5)}, TypeError, ["axes=1.5", "integers"]),
    "huge axis": (X, W, {"axes": (0, HUGE)}, ValueError, [str(HUGE), "-2 to 1"]),
    "stride 0": (X, W, {"stride": 0}, ValueError, ["stride=0", "at least 1"]),
    "negative stride": (X, W, {"stride": (1, -2)}, ValueError, ["stride=(1, -2)", "at least 1"]),
    "fractional stride": (X, W, {"stride": 1.5}, TypeError, ["stride=1.5", "integers"]),
    "boolean stride": (X, W, {"stride": True}, TypeError, ["stride=True", "integers"]),
    "three strides for two axes": (X, W, {"stride": (1, 1, 1)}, ValueError, ["stride=", "3", "2"]),
    "huge stride": (X, W, {"stride": HUGE}, ValueError, ["stride", str(HUGE)]),
    "huger stride": (X, W, {"stride": 2**80}, ValueError, ["stride", str(2**80)]),
    "dilation 0": (X, W, {"dilation": 0}, ValueError, ["dilation=0", "at least 1"]),
    "negative dilation": (X, W, {"dilation": -1}, ValueError, ["dilation=-1", "at least 1"]),
    "text as dilation": (X, W, {"dilation": "2"}, TypeError, ["dilation='2'", "integers"]),
    "huge dilation": (X, W, {"dilation": HUGE}, ValueError, ["dilation", str(HUGE)]),
    "huge dilation in full": (
        X, W, {"dilation": HUGE, "mode": "full"}, ValueError, ["dilation", str(HUGE)],
    ),
    "a result of 2**70 samples": (
        np.ones((2, 2, 2)), np.ones((1, 1, 1)), {"mode": [(2**23, 2**23)] * 3}, ValueError,
        ["too large"],
    ),
    "unknown overflow": (X, W, {"overflow": "clip"}, ValueError, ["overflow='clip'", "saturate"]),
    "unknown nan_policy": (
        X, W, {"nan_policy": "skip"}, ValueError, ["nan_policy='skip'", "propagate, raise, omit"],
    ),
    "unknown method": (
        X, W, {"method": "magic"}, ValueError,
        ["method='magic'", "auto", *(a.name for a in ALGORITHMS)],
    ),
    "object x": (X.astype(object), W, {}, TypeError, ["x has dtype object", "float32"]),
    "object w": (X, W.astype(object), {}, TypeError, ["w has dtype object", "float32"]),
    "long double x": (X.astype(np.longdouble), W, {}, TypeError, ["x has dtype", "float64"]),
    "complex x of 64 axes": (
        np.ones((1,) * 63 + (5,), np.complex64), np.ones(3), {},
        ValueError, ["x has 64 dimensions", "at most 63", "complex"],
    ),
    "long double w": (X, W.astype(np.clongdouble), {}, TypeError, ["w has dtype", "float64"]),
    "text": (np.array(["a", "b"]), W[0], {}, TypeError, ["x has dtype", "float64"]),
    "dates": (np.zeros(5, "M8[s]"), W[0], {}, TypeError, ["x has dtype datetime64"]),
    "records": (np.zeros(5, "f4,f4"), W[0], {}, TypeError, ["x has dtype"]),
    "integers too large for any dtype": ([2**70, 1], [1], {}, TypeError, ["x has dtype object"]),
    "object result": (X, W, {"dtype": object}, TypeError, ["dtype", "object", "float32"]),
    "no dtype": (X, W, {"dtype": "float33"}, TypeError, ["dtype", "float33"]),
    "complex into real": (X + 1j, W, {"dtype": "float64"}, TypeError, ["float64", "complex"]),
    "weights that sum to zero, NaN left out": (
        X, W - 1, {"nan_policy": "omit"}, ValueError, ["w has", "sum to 0", "to leave samples out"],
    ),
    "NaN among the weights that say how much was seen": (
        X, W * np.nan, {"mask": False}, ValueError, ["w has", "sum to nan"],
    ),
    "weights that nearly cancel, with a mask": (
        X, np.array([1.0, -1.0 + 1e-9]), {"mask": X > 3}, ValueError, ["5e-10", "0.25", "sum|w|"],
    ),
    "numbers as a mask": (X, W, {"mask": X}, TypeError, ["mask has dtype float64", "bool"]),
    "mask of another shape": (
        X, W, {"mask": np.zeros(3, bool)}, ValueError, ["mask has shape (3,)", "(3, 4)"],
    ),
    "masked mask": (X, W, {"mask": np.ma.zeros(4, bool)}, TypeError, ["mask is a masked"]),
    "integer result with a mask": (
        X, W, {"mask": False, "dtype": "int32"}, TypeError, ["dtype='int32'", "NaN"],
    ),
    "zeros outside that are NaN": (
        X, W, {"nan_policy": "omit", "fill_value": np.nan, "boundary": "zeros"}, ValueError,
        ["'zeros'", "nan"],
    ),
    "NaN that is seen": (
        X * np.nan, W, {"mask": False, "nan_policy": "raise"}, ValueError, ["x holds NaN"],
    ),
    "masked w": (X, np.ma.masked_equal(W, 3), {}, TypeError, ["w is a masked", "filled"]),
    "NaN refused": (X * np.nan, W, {"nan_policy": "raise"}, ValueError, ["x holds NaN"]),
    "text as fill value": (
        X, W, {"fill_value": "0", "mode": "full"}, TypeError, ["fill_value='0'", "number"],
    ),
    "array as fill value": (
        X, W, {"fill_value": [1, 2], "mode": "full"}, TypeError, ["fill_value=[1, 2]", "number"],
    ),
    "complex fill value for real sums": (
        X, W, {"fill_value": 1j, "mode": "full"}, TypeError, ["fill_value=1j", "complex"],
    ),
    "fill value outside uint8": (
        X.astype("uint8"), W.astype("uint8"), {"fill_value": 256, "mode": "full"}, ValueError,
        ["fill_value=256", "uint8", "255"],
    ),
    "fractional fill value for integers": (
        X.astype("int8"), W.astype("int8"), {"fill_value": 0.5, "mode": "full"}, ValueError,
        ["fill_value=0.5", "int8"],
    ),
    "fill value of a zero boundary": (
        X, W, {"boundary": "zeros", "fill_value": 1}, ValueError, ["'zeros'", "fill_value=1"],
    ),
    "integer overflow": (
        np.full(4, 2**62), np.ones(3, int), {}, OverflowError, ["int64", "wrap", "saturate"],
    ),
    "overflow of a narrow result": (
        np.full(4, 100, "int16"), np.ones(3, "int16"), {"dtype": "int8"}, OverflowError,
        ["int8", "-128", "127", "saturate"],
    ),
    "no workers": (X, W, {"workers": 0}, ValueError, ["workers=0", "positive"]),
    "too few workers": (X, W, {"workers": -10_000}, ValueError, ["workers=-10000"]),
    "fractional workers": (X, W, {"workers": 1.5}, TypeError, ["workers=1.5", "integer"]),
    "text as workers": (X, W, {"workers": "2"}, TypeError, ["workers='2'", "integer"]),
    "one worker, as a float": (X, W, {"workers": 1.0}, TypeError, ["workers=1.0", "integer"]),
    "ragged x": ([[1, 2], [3]], W, {}, ValueError, ["x is no array", "inhomogeneous"]),
    "ragged w": (X, [[1, 2], [3]], {}, ValueError, ["w is no array", "inhomogeneous"]),
    "text as axes": (X, W, {"axes": "xy"}, TypeError, ["axes='xy'", "integers"]),
    "array as boundary": (
        X, W, {"boundary": np.array(1)}, ValueError, ["boundary=array(1)", "mirror"],
    ),
    "array as overflow": (X, W, {"overflow": X}, ValueError, ["overflow=array", "saturate"]),
    "array as method": (X, W, {"method": X}, ValueError, ["method=array", "direct"]),
    "one number in a list as fill value": (
        X, W, {"fill_value": [1], "mode": "full"}, TypeError, ["fill_value=[1]", "number"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("call", [pyconv.correlate, pyconv.convolve])
@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_a_message_that_helps(case, call):
    """The type and the words of the error; x and w stay as they were."""
    x, w, keywords, error, words = REFUSED[case]
    before = [repr(x), repr(w)]
    for _ in range(2):  # the second call may find the first in a cache
        with pytest.raises(error) as caught:
            call(x, w, **keywords)
        assert type(caught.value) is error
        for word in words:
            assert word in str(caught.value)
    assert [repr(x), repr(w)] == before


@pytest.mark.parametrize("case", REFUSED)
def test_out_stays_untouched(case):
    """An argument error comes before the first write."""
    x, w, keywords, error, _ = REFUSED[case]
    out = np.full((2, 3), 7.0)
    with pytest.raises((error, TypeError, ValueError)):
        pyconv.correlate(x, w, out=out, **keywords)
    assert np.all(out == 7)


WRONG_OUT = {
    "wrong shape": (np.zeros((2, 4)), ValueError, ["out has shape (2, 4)", "(2, 3)"]),
    "too many dimensions": (np.zeros((1, 2, 3)), ValueError, ["out has shape", "(2, 3)"]),
    "wrong dtype": (np.zeros((2, 3), "float32"), TypeError, ["float32", "float64"]),
    "object": (np.zeros((2, 3), object), TypeError, ["out has dtype object", "float64"]),
    "list": ([[0.0] * 3] * 2, TypeError, ["out is a list", "array"]),
    "masked": (np.ma.zeros((2, 3)), TypeError, ["out is a MaskedArray", "array"]),
}


@pytest.mark.parametrize("case", WRONG_OUT)
def test_wrong_out(case):
    """An out that cannot hold the result is refused with what would."""
    out, error, words = WRONG_OUT[case]
    with pytest.raises(error) as caught:
        pyconv.correlate(X, W, out=out)
    assert all(word in str(caught.value) for word in words)


def test_read_only_out():
    """Refused, and not written."""
    out = np.full((2, 3), 7.0)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        pyconv.correlate(X, W, out=out)
    assert np.all(out == 7)


def test_unknown_keyword():
    """Arguments that do not exist yet are absent, not ignored."""
    with pytest.raises(TypeError, match="padding"):
        pyconv.correlate(X, W, padding=None)


def test_forced_algorithm_says_why_it_cannot():
    """method= names the reason for the refusal; auto finds one that can."""
    x, w = np.array([2**62, -(2**62), 2**62]), np.array([2**40, -(2**40)])
    expected = pyconv.correlate(x, w, overflow="saturate")
    assert expected.tolist() == [2**63 - 1, -(2**63)]
    for algorithm in ALGORITHMS[:-1]:
        with pytest.raises(ValueError, match=f"method='{algorithm.name}' cannot solve .*: .+"):
            pyconv.correlate(x, w, overflow="saturate", method=algorithm.name)


def test_reference_takes_what_others_reject():
    """A kernel that spans more than any buffer holds."""
    x = np.arange(10.0)
    y = pyconv.correlate(x, [1.0, 1.0], "full", "wrap", dilation=2**24 + 1, stride=10**6)
    full = np.arange(-(2**24) - 1, 10, 10**6)
    np.testing.assert_array_equal(y, full % 10 + (full + 2**24 + 1) % 10)


def test_empty_batches():
    """A batch axis of length zero gives an empty result of the right shape."""
    for method in (
        "auto",
        *(a.name for a in ALGORITHMS if not isinstance(a, WeightDependentAlgorithm)),
    ):
        for shape in [(0, 3), (0, 500), (3, 0, 500), (0, 2, 3)]:
            y = pyconv.correlate(np.zeros(shape), np.ones(2), method=method)
            assert y.shape == (*shape[:-1], shape[-1] - 1)
            y = pyconv.correlate(np.zeros(shape[::-1]), np.ones(2), axes=0, method=method)
            assert y.shape == (shape[-1] - 1, *shape[-2::-1])
    for axes, shape, expected in [
        ((1, 2), (0, 5, 6), (0, 4, 5)),
        ((0, 1), (5, 6, 0), (4, 5, 0)),
        ((0, 2), (5, 0, 6), (4, 0, 5)),
    ]:
        for dtype in ("float32", "uint8", "complex64"):
            for method in (
                "auto",
                *(a.name for a in ALGORITHMS if not isinstance(a, WeightDependentAlgorithm)),
            ):
                if (method, dtype) == ("fft", "uint8"):
                    continue  # no transform of integers
                y = pyconv.correlate(
                    np.zeros(shape, dtype), np.ones((2, 2), dtype), axes=axes, method=method
                )
                assert y.shape == expected


def test_results_share_no_memory():
    """Two equal calls return two arrays."""
    first, second = pyconv.correlate(X, W), pyconv.correlate(X, W)
    assert bits(first) == bits(second)
    assert not np.may_share_memory(first, second)


def overlaps(a):
    """Return whether two elements share a byte, by looking at every byte."""
    places = [
        sum(i * s for i, s in zip(index, a.strides, strict=True)) + byte
        for index in np.ndindex(a.shape)
        for byte in range(a.itemsize)
    ]
    return len(set(places)) < len(places)


def views(shape, dtype):
    """Yield arrays of a shape by the names of their strides, writable, in memory of their own."""
    (*lead, n, m), size = shape, np.dtype(dtype).itemsize
    assert set(lead) <= {1}
    for name, pitch in {
        "broadcast rows": (0, size),
        "broadcast columns": (size, 0),
        "windows": (size, size),
        "rows that share a sample": (size * (m - 1), size),
        "columns reach across rows": (size * 2, size * (2 * n - 1)),
        "backwards onto itself": (-size, size),
        "turned": (size, size * n),
        "apart": (2 * size * m, 2 * size),
        "rows between columns": (3 * size, (3 * n + 1) * size),
        "rows among columns": (4 * size, 7 * size),
        "backwards": (-size * m, -size),
    }.items():
        room = np.zeros(20 * n * m, dtype)[10 * n * m :]
        strides = (*[8 * size] * len(lead), *pitch)
        yield name, np.lib.stride_tricks.as_strided(room, shape, strides)


def check_views(call, expected):
    """Require that a call fills arrays without overlap, and refuses all others untouched."""
    seen = set()
    for name, out in views(expected.shape, expected.dtype):
        seen.add(overlaps(out))
        if not overlaps(out):
            call(out)
            np.testing.assert_array_equal(out, expected, err_msg=name)
            continue
        before = out.copy()
        with pytest.raises(ValueError, match="two results would share a place"):
            call(out)
        np.testing.assert_array_equal(out, before, err_msg=name)
    assert seen == {True, False}


def test_overlap_is_seen():
    """As by looking at every byte, for any strides of small arrays."""
    room = np.zeros(400, np.uint8)
    for shape in ((3, 4), (2, 1, 3), (4, 1), (0, 3), (2, 2, 2), (5,)):
        for strides in itertools.product((-5, -2, 0, 1, 2, 3, 4, 6, 7, 8, 12), repeat=len(shape)):
            for size in (1, 2):
                start = room[150:].view(f"u{size}")
                a = np.lib.stride_tricks.as_strided(start, shape, strides)
                assert output_arrays.overlaps_itself(a) == overlaps(a), (shape, strides, size)


def test_out_that_repeats_memory():
    """Two results cannot share a place, whatever takes the array."""
    x, w = np.arange(42.0).reshape(6, 7), np.arange(6.0).reshape(2, 3)
    hole = np.where(x == 20, np.nan, x)
    batch, weight = x[None, None], w[None, None]
    for call in (
        lambda out: pyconv.correlate(x, w, out=out),
        lambda out: pyconv.convolve(x, w, "full", out=out),
        lambda out: pyconv.correlate(hole, w, nan_policy="omit", out=out),
        lambda out: pyconv.correlate(np.arange(42).reshape(6, 7), [[1, 2]], out=out),
        lambda out: pyconv.plan(x, w)(x, out=out),
        lambda out: pyconv.plan(x, w, nan_policy="omit")(hole, out=out),
        lambda out: pyconv.filters.gaussian(x, 1, out=out),
        lambda out: pyconv.filters.box(x.astype("u1"), 3, out=out),
        lambda out: pyconv.filters.sobel(x, out=out),
        lambda out: pyconv.nn.functional.conv2d(batch, weight, out=out),
        lambda out: pyconv.nn.functional.conv_transpose2d(batch, weight, out=out),
        lambda out: pyconv.nn.functional.plan_conv(batch.shape, weight)(batch, out=out),
        lambda out: pyconv.ndimage.correlate(x, w, out),
        lambda out: pyconv.ndimage.gaussian_filter(x, 1, output=out),
        lambda out: pyconv.ndimage.uniform_filter1d(x.astype("u1"), 3, output=out),
        lambda out: pyconv.ndimage.laplace(x, output=out),
    ):
        check_views(call, call(None))


@pytest.mark.parametrize("digits", [400, 5000])
@pytest.mark.parametrize("argument", ["rtol", "fill_value"])
@pytest.mark.parametrize("dtype", ["f8", "i8"])
def test_integers_beyond_floats(dtype, argument, digits):
    """They are refused by name, even where Python would not print them."""
    x, w = np.ones(9, dtype), np.ones(3, dtype)
    for sign in (1, -1):
        with pytest.raises(ValueError, match=f"{argument}.*allowed"):
            pyconv.correlate(x, w, "same", **{argument: sign * 10**digits})


def test_fill_value_of_more_than_64_bits():
    """A float can hold it nearly; an integer of 64 bits cannot."""
    y = pyconv.correlate(np.zeros(3), np.ones(3), "same", fill_value=2**70)
    assert y.tolist() == [2.0**70, 0, 2.0**70]
    with pytest.raises(ValueError, match="fill_value=1180591620717411303424 is no value of"):
        pyconv.correlate(np.zeros(3, int), np.ones(3, int), "same", fill_value=2**70)


@pytest.mark.parametrize("kind", [set, frozenset, dict.fromkeys, iter, lambda v: (n for n in v)])
@pytest.mark.parametrize("argument", ["mode", "boundary", "axes", "stride", "dilation"])
def test_sequences_have_an_order(argument, kind):
    """A set has none, and what is read once could not be read again."""
    given = {
        "mode": [(0, 1), (1, 0)], "boundary": ["wrap", "mirror"], "axes": [0, 1],
        "stride": [1, 2], "dilation": [1, 2],
    }[argument]  # fmt: skip
    for call in (pyconv.correlate, pyconv.plan, pyconv.explain):
        with pytest.raises((TypeError, ValueError), match=f"{argument}="):
            call(X, W, **{argument: kind(given)})
        call(X, W, **{argument: given})
    if argument == "mode":
        with pytest.raises((TypeError, ValueError), match="mode="):
            pyconv.correlate(X, W, mode=[kind((0, 1)), (1, 0)])


def test_arrays_without_axes_are_numbers():
    """As sums and parameters come out of NumPy."""
    x = np.arange(5.0)
    keywords = {"axes": 0, "stride": 2, "dilation": 2, "fill_value": 3.0, "workers": 1}
    arrays = {name: np.array(value) for name, value in keywords.items()}
    expected = pyconv.correlate(x, [1, 2], "full", **keywords)
    assert bits(pyconv.correlate(x, [1, 2], "full", **arrays)) == bits(expected)
    assert pyconv.nn.functional.conv1d(
        x[None], np.ones((1, 1, 2)), padding=np.array(1), stride=np.array(1)
    ).shape == (1, 6)
