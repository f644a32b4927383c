"""Edges of signals in time: loud samples, two threads, states, banks and lags that do not fit."""

import threading

import numpy as np
import pytest

import pyconv
from pyconv import signal

KINDS = {"f4": 1e38, "f8": 1e307, "c8": 1e38, "c16": 1e307}


@pytest.mark.parametrize("channels", [None, 2])
@pytest.mark.parametrize("dtype", list(KINDS))
def test_spectra_of_loud_samples_do_not_overflow(dtype, channels, rng):
    """Nor do those of a loud block among others; chunks and states change no bit."""
    loud = KINDS[dtype]
    w = (rng.random(1100) / 1100).astype(dtype)
    shape = (4000,) if channels is None else (channels, 4000)
    constant = np.full(shape, loud, dtype)
    mixed = rng.standard_normal(shape).astype(dtype)
    mixed[..., 1000:1004] = loud
    for x in (constant, mixed, -constant):
        whole = signal.StreamingFilter(w, block=256, channels=channels, dtype=dtype)
        y = whole(x)
        assert whole.method == "fft"
        expected = pyconv.convolve(x, w, "full", axes=-1, method="direct")[..., :4000]
        assert np.isfinite(y).all()
        error = np.abs((y - expected) / loud).max()
        assert error < 8 * np.finfo(dtype).eps
        pieces = signal.StreamingFilter(w, block=256, channels=channels, dtype=dtype)
        parts = []
        for start in range(0, 4000, 777):
            parts.append(pieces(x[..., start : start + 777]))
            other = signal.StreamingFilter(w, block=256, channels=channels, dtype=dtype)
            other.set_state(pieces.get_state())
            pieces = other
        np.testing.assert_array_equal(np.concatenate(parts, -1), y)
    quiet = signal.StreamingFilter(w, block=256, channels=channels, dtype=dtype)
    quiet(constant)
    after = quiet(np.zeros((*shape[:-1], 3000), dtype))[..., 2000:]
    assert not after.any()  # what was loud has left


@pytest.mark.parametrize("options", [{}, {"method": "fft", "block": 16}, {"up": 3, "down": 2}])
def test_a_second_thread_is_told_so(options):
    """And changes nothing."""
    stream = signal.StreamingFilter(np.arange(1.0, 41), **options)
    x = np.arange(5.0)
    stream(x)
    before = stream.get_state()
    calls = [
        lambda: stream(x), stream.flush, stream.reset, stream.get_state,
        lambda: stream.set_state(before), lambda: stream(list(x)),
    ]  # fmt: skip
    found = []

    def run():
        for call in calls:
            with pytest.raises(RuntimeError, match="another thread"):
                call()
            found.append(call)

    with stream._free:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert len(found) == len(calls)
    for name, value in stream.get_state().items():
        np.testing.assert_array_equal(value, before[name])
    stream(x)
    with pytest.raises(TypeError):
        stream(np.array(["a"]))
    stream(x)  # an error leaves it free


@pytest.mark.parametrize(
    ("state", "error", "words"),
    [
        (None, TypeError, "state is a NoneType"),
        (3, TypeError, "state is a int"),
        ({"flushed": "no"}, ValueError, "flushed='no'"),
        ({"flushed": 2}, ValueError, "flushed=2"),
        ({"samples": "a"}, ValueError, "samples='a'"),
        ({"samples": 2.5}, ValueError, "samples=2.5"),
        ({"samples": np.array([1, 2])}, ValueError, "samples=array"),
    ],
)
def test_what_is_no_state(state, error, words):
    stream = signal.StreamingFilter([1.0, 2, 3])
    stream(np.ones(2))
    given = stream.get_state() | state if isinstance(state, dict) else state
    with pytest.raises(error, match=words):
        stream.set_state(given)
    np.testing.assert_array_equal(stream(np.ones(1)), [6.0])


def test_a_state_goes_on_with_other_weights():
    first, second = signal.StreamingFilter([1.0, 2, 3]), signal.StreamingFilter([1.0, 2, 4])
    first(np.ones(3))
    second.set_state(first.get_state())
    np.testing.assert_array_equal(second(np.ones(1)), [7.0])


BANK = np.ones((2, 3))


@pytest.mark.parametrize(
    ("b", "a", "x", "options", "error", "words"),
    [
        (BANK, 1.0, np.ones((3, 9)), {}, ValueError, r"b has shape \(2, 3\)"),
        (BANK, 1.0, np.ones(9), {}, ValueError, "^Parameter b is not .*: x is one line"),
        (BANK, [1.0, 0.5], np.ones((2, 9)), {}, ValueError, r"a has shape \(2,\)"),
        (BANK, 0.0, np.ones((2, 9)), {}, ValueError, "b / a"),
        (BANK * np.nan, 1.0, np.ones((2, 9)), {}, ValueError, "b / a"),
        (
            BANK,
            1.0,
            np.ones((2, 9)),
            {"zi": np.zeros((2, 5))},
            ValueError,
            r"zi has shape \(2, 5",
        ),
        (BANK, 1.0, np.ones((2, 9)), {"zi": np.zeros(2)}, ValueError, r"zi has shape \(2,\)"),
        (BANK, 1.0, np.ones((2, 0)), {}, ValueError, "neither may be empty"),
        (BANK, 1.0, np.ones((2, 9)), {"axis": 5}, ValueError, "axis=5"),
        (BANK, 1.0, np.ones((2, 9), "O"), {}, NotImplementedError, "object"),
        (BANK.astype("f2"), np.float16(1), np.ones((2, 9), "f2"), {}, NotImplementedError, "16"),
        (BANK.astype(int), 1, np.ones((2, 9), int), {}, NotImplementedError, "int64"),
    ],
)
def test_a_bank_that_does_not_fit_says_what(b, a, x, options, error, words):
    with pytest.raises(error, match=words):
        signal.lfilter(b, a, x, **options)


@pytest.mark.parametrize(
    ("c", "lags", "error"),
    [
        ([1.0, 2, 3, 2], [1, 2, 4, 9], ValueError),
        ([1.0, 2, 3], [1, 1, 1], ValueError),
        ([1.0, 2, 3], [1, np.nan, 3], ValueError),
        ([1.0, 2, 3], [1, np.inf, np.inf], ValueError),
        ([1.0, 2, 3], [1j, 2, 3], TypeError),
        ([1.0, 2, 3], [True, False, True], TypeError),
        ([1.0, 2, 3], ["a", "b", "c"], TypeError),
        (["a", "b", "c"], [1, 2, 3], TypeError),
    ],
)
def test_lags_are_numbers_with_one_step(c, lags, error):
    with pytest.raises(error, match="lags"):
        pyconv.xcorr_peak(c, lags)


def test_lags_without_a_sign():
    lag, _ = pyconv.xcorr_peak([1.0, 3, 2], np.array([5, 4, 3], np.uint8))
    assert lag == pytest.approx(4 - 1 / 6)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_lags_in_seconds_have_the_roundings_of_their_dtype(dtype):
    lags = np.arange(-6000, 6001).astype(dtype) / np.array(100, dtype)
    c = -((np.arange(12001) - 9000.25) ** 2)
    lag, _ = pyconv.xcorr_peak(c, lags)
    assert lag == pytest.approx(30.0025, abs=1e-4)


def test_sums_beyond_64_bits_name_no_option_that_the_call_lacks():
    large = np.array([2**40, 2**40])
    for call in (lambda: pyconv.xcorr(large, large), lambda: signal.StreamingFilter(large)(large)):
        with pytest.raises(OverflowError, match="floats are allowed") as caught:
            call()
        assert "overflow=" not in str(caught.value)
        assert "dtype=" not in str(caught.value)


@pytest.mark.parametrize("mode", ["constant", "edge", "line"])
@pytest.mark.parametrize("cval", ["a", 2j, [1.0]])
def test_a_value_outside_is_a_number_in_every_mode(mode, cval):
    with pytest.raises(TypeError):
        signal.upfirdn([1.0, 2], np.ones(9), 3, 2, mode=mode, cval=cval)


def test_a_stream_that_has_ended_promises_nothing():
    stream = signal.StreamingFilter([1.0, 2])
    stream.flush()
    with pytest.raises(ValueError, match="flushed"):
        stream.results_of(3)
    for rate in ("up", "down", "block"):
        with pytest.raises(ValueError, match=f"{rate}=10000000000"):
            signal.StreamingFilter([1.0, 2], **{rate: 10**10})


@pytest.mark.parametrize("name", ["convolve2d", "correlate2d"])
@pytest.mark.parametrize("boundary", ["wrap", "symm"])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nothing_has_no_boundary(name, boundary, shape):
    """SciPy's own functions end the process there."""
    with pytest.raises(ValueError, match=f"^in1 has shape .*boundary='{boundary}' needs a sample"):
        getattr(signal, name)(np.zeros(shape), np.ones((2, 2)), boundary=boundary)
    assert getattr(signal, name)(np.zeros(shape), np.ones((2, 2)), "same", boundary).shape == shape
