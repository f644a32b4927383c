"""Any call gives the oracle's values or a documented error, whatever its arguments are."""

import re

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import oracles
import pytest
from hypothesis import example, given, settings

import pyconv
from pyconv._engine.algorithms import ALGORITHMS
from pyconv._engine.algorithms.base import WeightDependentAlgorithm
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.dtypes import DTYPES, OVERFLOWS

REFUSALS = (ValueError, TypeError, OverflowError)
SIDES = st.integers(1, 9)
VALUES = {
    "b": st.booleans(),
    "u": st.integers(0, 4),
    "i": st.integers(-3, 3),
    "f": st.integers(-3, 3).map(float),
    "c": st.tuples(st.integers(-3, 3), st.integers(-3, 3)).map(lambda p: complex(*p)),
}


def arrays(dtype, shape):
    """Draw an array of small whole numbers."""
    return hnp.arrays(dtype, shape, elements=VALUES[np.dtype(dtype).kind])


def one_or_each(values, n):
    """Draw one value, or one for each axis."""
    return st.one_of(values, st.tuples(*[values] * n), st.lists(values, min_size=n, max_size=n))


@st.composite
def valid_calls(draw, dtypes=tuple(DTYPES)):
    """Draw x, w and keywords that are of the right form; the extent may still be empty."""
    n = draw(st.integers(1, 3))
    ndim = draw(st.integers(n, 4))
    x = draw(arrays(draw(st.sampled_from(dtypes)), draw(st.tuples(*[SIDES] * ndim))))
    w = draw(arrays(draw(st.sampled_from(dtypes)), draw(st.tuples(*[st.integers(1, 5)] * n))))
    axes = draw(st.permutations(range(ndim)))[:n]
    pads = st.tuples(st.integers(-5, 20), st.integers(-5, 20))
    mode = draw(
        st.one_of(
            st.sampled_from(["valid", "same", "full"]), st.lists(pads, min_size=n, max_size=n)
        )
    )
    names = st.sampled_from(sorted(BOUNDARIES))
    keywords = {
        "mode": mode,
        "boundary": draw(one_or_each(names, n)),
        "axes": tuple(a - draw(st.sampled_from([0, ndim])) for a in axes),
        "stride": draw(one_or_each(st.integers(1, 4), n)),
        "dilation": draw(one_or_each(st.integers(1, 4), n)),
        "fill_value": draw(st.integers(0, 1)),
    }
    return x, w, keywords


def cropped_to_nothing(low, high):
    """Return a call whose pads take away more than the sample that there is."""
    keywords = {"mode": [(low, high)], "boundary": "wrap", "stride": 1, "dilation": 1}
    return np.array([2]), np.array([3]), keywords


@given(
    valid_calls(),
    st.booleans(),
    # One rounds, two take few kernels: they have tests of their own.
    st.sampled_from(
        [
            a.name
            for a in ALGORITHMS
            if a.name != "fft" and not isinstance(a, WeightDependentAlgorithm)
        ]
    ),
    st.integers(1, 3),
)
@example(cropped_to_nothing(1, -3), False, "direct", 1)
@example(cropped_to_nothing(-3, 1), True, "reference", 1)
@settings(max_examples=400)
def test_valid_calls_equal_the_oracle(call, flip, method, workers):
    """The values of the definition, or the error about an empty result."""
    x, w, keywords = call
    total, _ = oracles.correlate(x, w, flip=flip, **keywords)
    function = pyconv.convolve if flip else pyconv.correlate
    try:
        y = function(x, w, method=method, workers=workers, **keywords)
    except ValueError as error:
        y, message = None, str(error)
    if y is not None:
        assert y.shape == total.shape
        np.testing.assert_array_equal(y, total.astype(y.dtype))
    elif "cannot solve this problem" not in message:
        assert "would be empty" in message
        assert total.size == 0


INTEGERS = [dtype for dtype in DTYPES if dtype.kind in "iu"]


@given(st.data(), st.sampled_from(OVERFLOWS), st.sampled_from(INTEGERS))
def test_integers_are_exact_whatever_their_size(data, overflow, dtype):
    """Any values of any integer dtypes, under each policy, in any result dtype."""
    x_dtype, w_dtype = data.draw(st.tuples(*[st.sampled_from(INTEGERS)] * 2))
    x = data.draw(hnp.arrays(x_dtype, st.integers(4, 12)))
    w = data.draw(hnp.arrays(w_dtype, st.integers(1, 4)))
    total, _ = oracles.correlate(x, w)
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    try:
        y = pyconv.correlate(x, w, dtype=dtype, overflow=overflow)
    except OverflowError:
        assert overflow == "raise"
        return
    if overflow == "saturate":
        total = np.clip(total, low, high)
    elif overflow == "wrap":
        total = (total - low) % (high - low + 1) + low
    np.testing.assert_array_equal(y.astype(object), total)


@given(st.data())
def test_floats_are_within_the_bound(data):
    """Any finite float32 values, subnormal and large ones too."""
    values = st.floats(-(2.0**60), 2.0**60, width=32)
    x = data.draw(
        hnp.arrays("f4", st.tuples(st.integers(3, 12), st.integers(4, 40)), elements=values)
    )
    w = data.draw(
        hnp.arrays("f4", st.tuples(st.integers(1, 3), st.integers(1, 4)), elements=values)
    )
    y = pyconv.correlate(x, w)
    total, scale = oracles.correlate(x, w)
    eps, tiny = np.finfo("f4").eps, np.finfo("f4").smallest_subnormal
    assert np.all(np.abs(y - total) <= (w.size + 2) * (eps * scale + float(tiny)))


ODD_NUMBERS = st.one_of(
    st.integers(-3, 5),
    st.sampled_from([2**31, 2**59 + 1, 2**62, 2**63, -(2**63), 2**70, 0.5, True, None, "1", b"1"]),
    st.floats(),
)
ODD = st.one_of(ODD_NUMBERS, st.lists(ODD_NUMBERS, max_size=4), st.tuples(ODD_NUMBERS, ODD_NUMBERS))
ODD_ARRAYS = st.one_of(
    hnp.arrays(
        st.one_of(hnp.scalar_dtypes(), st.sampled_from([np.dtype(object), np.dtype("f4,i4")])),
        hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5),
        fill=st.nothing(),
    ).filter(lambda a: a.dtype.kind != "O"),
    hnp.arrays("f8", hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=7)),
    ODD,
)
KEYWORDS = {
    "mode": st.one_of(
        st.sampled_from(["valid", "same", "full", "VALID", ""]),
        ODD,
        st.lists(st.tuples(ODD_NUMBERS, ODD_NUMBERS), max_size=3),
    ),
    "boundary": st.one_of(st.sampled_from([*BOUNDARIES, "reflect", "zero", "x"]), ODD),
    "axes": ODD,
    "stride": ODD,
    "dilation": ODD,
    "dtype": st.one_of(st.sampled_from([*DTYPES, "f4", "g", object, "x", "S3", 3.5])),
    "overflow": st.sampled_from([*OVERFLOWS, "clip", None, 1]),
    "nan_policy": st.sampled_from(["propagate", "raise", "omit", None]),
    "mask": st.one_of(st.none(), st.booleans(), ODD_ARRAYS),
    "fill_value": ODD,
    "method": st.sampled_from(["auto", *(a.name for a in ALGORITHMS), "winograd", None]),
    "rtol": st.one_of(st.none(), st.floats(), ODD),
    "max_memory": st.one_of(st.none(), ODD),
    "workers": st.one_of(st.none(), st.integers(-2, 4), st.sampled_from([0.5, "2", 2**80])),
    "out": st.one_of(st.none(), ODD_ARRAYS),
}


@example([0], np.zeros(1), {"max_memory": 0})
@example([0.0, np.nan], np.ones(1), {"max_memory": 0, "nan_policy": "omit"})
@given(ODD_ARRAYS, ODD_ARRAYS, st.fixed_dictionaries({}, optional=KEYWORDS))
@settings(max_examples=1500)
@pytest.mark.filterwarnings("ignore")  # NumPy warns of what it makes of odd lists
def test_any_call_gives_an_array_or_a_documented_error(x, w, keywords):
    """Never another exception, never a crash; out is untouched by a refusal."""
    out = keywords.get("out")
    before = out.tobytes() if isinstance(out, np.ndarray) else None
    y = None
    try:
        y = pyconv.correlate(x, w, **keywords)
    except REFUSALS as error:
        message = str(error)
    except MemoryError as error:
        message = "memory" if huge(keywords) else str(error)
        assert huge(keywords) or re.match("max_memory=.* the least that would do is ", message)
    if y is None:
        assert message
        assert before is None or out.tobytes() == before
    else:
        assert isinstance(y, np.ndarray)
        assert out is None or y is out


def huge(keywords):
    """Return whether some pad is so long that the result may not fit the memory."""
    return any(
        isinstance(number, int) and number >= 2**31
        for pair in (keywords.get("mode") if isinstance(keywords.get("mode"), list) else [])
        for number in (pair if isinstance(pair, tuple) else [pair])
    )
