"""Streams: the results of chunks, one behind the other, are those of all samples at once."""

import copy
import io
import itertools
import math
import pickle
import threading
import tracemalloc

import numpy as np
import pytest

import pyconv
from pyconv.signal import StreamingFilter
from pyconv.signal import _stream_engines as engines
from tests.conftest import one_in

RATES = ((1, 1), (1, 2), (2, 1), (3, 2), (2, 3), (4, 2), (5, 3), (1, 9), (9, 1), (12, 11), (7, 30))
DTYPES = ("float32", "float64", "complex64", "int16", "float16")
TAPS = (1, 2, 7, 16, 17, 33, 101)
#: Lengths of chunks, in turn.
CHUNKS = ((1,), (0, 3, 64, 1), (63, 64, 65), (700,), (6000,))


def data(rng, n, dtype, channels=None):
    """Return samples that are no whole numbers but for integers, time last."""
    shape = (n,) if channels is None else (channels, n)
    if np.dtype(dtype).kind in "iu":
        return rng.integers(-50, 50, shape).astype(dtype)
    x = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.standard_normal(shape)
    return x.astype(dtype)


def pieces(n, lengths):
    """Return slices of ``n`` samples of these lengths, in turn."""
    start, parts = 0, []
    for length in itertools.cycle(lengths):
        if start >= n:
            return parts
        parts.append(slice(start, start + length))
        start += length
    return parts


def streamed(stream, x, lengths):
    """Return the results of all chunks and of the end."""
    parts = [stream(x[..., part]) for part in pieces(x.shape[-1], lengths)]
    return np.concatenate([*parts, stream.flush()], axis=-1)


def defined(x, w, up=1, down=1):
    """Return every `down`-th sum of the samples with zeros between them, by NumPy."""
    wide = np.zeros((x.shape[-1] - 1) * up + 1, np.result_type(x, w))
    wide[::up] = x
    return np.convolve(wide, w)[::down]


# ---- results ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "taps", "channels", "lengths"), one_in(5, DTYPES, TAPS, (None, 1, 3), CHUNKS)
)
def test_results_are_those_of_the_whole_call(rng, dtype, taps, channels, lengths):
    """To the bit, wherever chunks end."""
    w, x = data(rng, taps, dtype), data(rng, 1500, dtype, channels)
    if dtype == "float16":
        x, w = x / 4, w / 4
    stream = StreamingFilter(w, channels=channels)
    y = streamed(stream, x, lengths)
    whole = pyconv.convolve(x, w, "full", axes=-1, method="direct")
    np.testing.assert_array_equal(y, whole, strict=True)
    assert stream.method == "direct"
    assert stream.samples == 1500


@pytest.mark.parametrize("lengths", CHUNKS)
@pytest.mark.parametrize("down", [2, 3, 8])
def test_decimated_results_are_those_of_a_strided_call(rng, down, lengths):
    """To the bit."""
    x, w = data(rng, 4000, "float32"), data(rng, 40, "float32")
    y = streamed(StreamingFilter(w, down=down), x, lengths)
    whole = pyconv.convolve(x, w, "full", stride=down, method="direct")
    np.testing.assert_array_equal(y, whole, strict=True)


@pytest.mark.parametrize(("rate", "taps", "lengths"), one_in(3, RATES, TAPS, CHUNKS))
def test_rates_follow_the_definition(rng, rate, taps, lengths):
    """Of integers exactly, by plans of phases and, for larger rates, by gathering."""
    x, w = rng.integers(-50, 50, 500), rng.integers(-50, 50, taps)
    exact = defined(x, w, *rate)
    up, down = rate
    for dtype in ("int16", "float32", "complex64"):
        w_dtype = np.float32 if dtype == "complex64" else dtype
        stream = StreamingFilter(w.astype(w_dtype), up=up, down=down, dtype=dtype)
        np.testing.assert_array_equal(streamed(stream, x.astype(dtype), lengths), exact)


@pytest.mark.parametrize("dtype", ["f4", "c16", "i2", "f2"])
@pytest.mark.parametrize(
    "rate",
    [(1, 10**9), (10**9, 10**9 + 1), (7, 2**31), (2**31, 2**31 - 1), (1, 5000), (2**31, 2**30)],
)
def test_memory_does_not_depend_on_the_rates(rng, rate, dtype):
    """Nor do results: those of rates that leave few, and of weights that meet few samples."""
    up, down = rate
    x, w = data(rng, 30000, dtype), data(rng, 40, dtype)
    wide = x.astype(np.result_type(dtype, "f8")), w.astype(np.result_type(dtype, "f8"))
    results = ((x.size - 1) * up + w.size - 1) // down + 1
    expected = np.zeros(results, wide[0].dtype)
    for n in range(results):
        m, r = divmod(n * down, up)
        taps = wide[1][r::up] if r < w.size else wide[1][:0]
        read = [m - j for j in range(len(taps))]
        expected[n] = sum(
            wide[0][i] * v for i, v in zip(read, taps, strict=True) if 0 <= i < x.size
        )
    tracemalloc.start()
    try:
        stream = StreamingFilter(w, up=up, down=down, dtype=dtype)
        y = streamed(stream, x, (7000, 1, 0, 70000))
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()
    np.testing.assert_allclose(y, expected, rtol=1e-2 if dtype == "f2" else 1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@pytest.mark.parametrize(
    "options",
    [
        {"method": "direct"},
        {"method": "fft", "block": 20},
        {"method": "fft", "block": 128},
        {"method": "fft"},
        {"up": 3, "down": 2},
        {"up": 2, "down": 9},
        {"up": 160, "down": 147},
    ],
    ids=str,
)
def test_bits_do_not_depend_on_the_chunks(rng, dtype, options):
    """Nor on the other channels."""
    x, w = data(rng, 2000, dtype, 2), data(rng, 450, dtype)
    results = [
        streamed(StreamingFilter(w, channels=2, **options), x, lengths) for lengths in CHUNKS
    ]
    results.append(np.stack([streamed(StreamingFilter(w, **options), each, (100,)) for each in x]))
    for y in results[1:]:
        np.testing.assert_array_equal(y, results[0], strict=True)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("taps", [33, 64, 65, 128, 129, 1001])
@pytest.mark.parametrize("block", [None, 1, 64, 100])
def test_transforms_err_within_their_bound(rng, dtype, taps, block):
    """Also at the lengths around those of blocks, and by a part of the bound in practice."""
    x, w = data(rng, 700, dtype), data(rng, taps, dtype)
    try:
        stream = StreamingFilter(w, method="fft", block=block)
    except ValueError as error:
        assert f"{taps} weights, no more than a block" in str(error)  # noqa: PT017
        return
    y = streamed(stream, x, (stream.block, 1, 0, 250))
    wide = np.clongdouble if np.dtype(dtype).kind == "c" else np.longdouble
    error = np.abs(y - np.convolve(x.astype(wide), w.astype(wide))).max()
    eps, size = np.finfo(dtype).eps, stream.block
    scale = np.abs(w).sum() * np.abs(x).max()
    parts = -(-taps // size)
    assert error <= 10 * (math.log2(2 * size) + parts) * eps * math.sqrt(2 * size) * scale
    assert error <= 2 * eps * scale
    assert y.dtype == dtype
    assert stream.method == "fft"


def test_transforms_are_of_blocks_that_chunks_fit():
    """One or two chunks to a block, or blocks that share a chunk."""
    w = np.ones(10_000, np.float32)
    found = {b: StreamingFilter(w, block=b).block for b in (None, 1, 64, 100, 128, 441, 1000, 4096)}
    assert found == {None: 512, 1: 32, 64: 128, 100: 200, 128: 256, 441: 450, 1000: 500, 4096: 512}
    assert StreamingFilter(w, block=64, method="direct").block == 1
    assert StreamingFilter(w[:1000]).method == "direct"
    assert StreamingFilter(w[:1001]).method == "fft"


@pytest.mark.parametrize("method", ["direct", "fft"])
def test_mixed_dtypes_give_those_of_the_call(rng, method):
    """Samples of integers under weights of floats, samples of floats under wider weights."""
    for x_dtype, w_dtype in (
        ("int16", "float32"),
        ("float32", "float64"),
        ("float32", "complex64"),
    ):
        x, w = data(rng, 300, x_dtype), data(rng, 200, w_dtype)
        y = streamed(StreamingFilter(w, dtype=x_dtype, method=method), x, (64,))
        whole = pyconv.convolve(x, w, "full", method="direct")
        assert y.dtype == whole.dtype
        tolerance = 1e-5 * np.abs(whole).max() if method == "fft" else 0
        np.testing.assert_allclose(y, whole, rtol=0, atol=tolerance)


def test_samples_that_are_not_finite_stay_local(rng):
    """Plain sums have them in the results that read them, gathered ones too; blocks recover."""
    x, w = data(rng, 900, "float64"), data(rng, 71, "float64")
    x[[100, 400]] = np.nan, np.inf
    reads = np.convolve(~np.isfinite(x), np.ones(71)) > 0
    np.testing.assert_array_equal(np.isfinite(streamed(StreamingFilter(w), x, (50,))), ~reads)
    y = streamed(StreamingFilter(w, method="fft", block=16), x, (50,))
    assert not np.isfinite(y[reads]).any()
    assert np.isfinite(y[:64]).all()
    assert np.isfinite(y[400 + 71 + 64 :]).all()
    wide = np.zeros((899 * 9 + 1,))
    wide[::9] = ~np.isfinite(x)
    reads = np.convolve(wide, np.ones(71)) > 0
    y = streamed(StreamingFilter(w, up=9), x, (50,))
    np.testing.assert_array_equal(np.isfinite(y), ~reads)


def test_a_stream_delays_nothing(rng):
    """A chunk of n samples has n results, and with rates those that its samples decide."""
    x = data(rng, 400, "float32")
    for options in ({"method": "fft", "block": 32}, {"method": "direct"}):
        stream = StreamingFilter(x[:100], **options)
        assert stream.latency == 0
        for n in (0, 1, 31, 33, 200):
            assert stream.results_of(n) == len(stream(x[:n])) == n
        assert len(stream.flush()) == 99
    stream = StreamingFilter(x[:5], up=3, down=2)
    for n in (0, 1, 2, 3):
        count = stream.results_of(n)
        assert len(stream(x[:n])) == count
    assert stream.samples == 6


def test_no_samples_no_results():
    """A stream that ends before it begins has none."""
    for options in ({}, {"up": 2}, {"channels": 2}):
        stream = StreamingFilter([1.0, 2.0], **options)
        assert stream.flush().shape == ((2, 0) if options == {"channels": 2} else (0,))
        assert stream.samples == 0


# ---- arrays -----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"up": 2, "down": 3}, {"method": "fft", "block": 20}])
def test_time_may_be_the_first_axis(rng, options):
    """Frames of interleaved samples, of any memory layout, give frames."""
    x, w = data(rng, 500, "float32", 3), data(rng, 60, "float32")
    expected = streamed(StreamingFilter(w, channels=3, **options), x, (70,))
    stream = StreamingFilter(w, channels=3, axis=0, **options)
    for frames in (np.ascontiguousarray(x.T), x.T, np.repeat(x.T, 2, axis=0)[::2]):
        parts = [stream(frames[part]) for part in pieces(500, (64, 5))]
        y = np.concatenate([*parts, stream.flush()])
        np.testing.assert_array_equal(y, expected.T)
        stream.reset()
    assert StreamingFilter(w, channels=3, axis=1)(x[:, :5]).shape == (3, 5)


@pytest.mark.parametrize("n", [64, 3000, 12_000])
@pytest.mark.parametrize("options", [{}, {"method": "fft", "block": 32}, {"channels": 2}])
def test_out_receives_the_results(rng, n, options):
    """It may be the chunk itself; big-endian and strided arrays are read, too."""
    x, w = data(rng, n, "float32", options.get("channels")), data(rng, 65, "float32")
    expected = StreamingFilter(w, **options)(x)
    y = np.empty_like(x)
    assert StreamingFilter(w, **options)(x, y) is y
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(StreamingFilter(w, **options)(x.astype(">f4")), expected)
    twice = np.repeat(x, 2, axis=-1)
    np.testing.assert_array_equal(StreamingFilter(w, **options)(twice[..., ::2]), expected)
    StreamingFilter(w, **options)(x, out=x)
    np.testing.assert_array_equal(x, expected)


def test_lists_are_converted():
    """As by plans: where the dtype holds them."""
    stream = StreamingFilter([1.0, 1.0])
    assert stream([1, 2]).tolist() == [1.0, 3.0]
    with pytest.raises(TypeError, match="complex128, but the stream is of float64"):
        stream([1j])


def test_weights_are_copied():
    """A caller may change its array."""
    w = np.ones(3)
    stream = StreamingFilter(w)
    w[:] = 7
    assert stream(np.ones(3)).tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="read-only"):
        stream.w[0] = 2


def test_memory_is_taken_once(rng):
    """In steady state a call with `out` makes no array."""
    x = data(rng, 128, "float32")
    for options in ({}, {"method": "fft", "block": 128}, {"method": "direct"}):
        w = data(rng, 5000 if options else 101, "float32")
        stream, y = StreamingFilter(w, **options), np.empty(128, np.float32)
        for _ in range(300):
            stream(x, y)
        tracemalloc.start()
        for _ in range(300):
            stream(x, y)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 16_000, options  # numbers and views; a buffer of NumPy's transform


def test_streams_of_threads_are_apart(rng):
    """Each has its own samples."""
    x, w = data(rng, 20_000, "float32"), data(rng, 101, "float32")
    expected = streamed(StreamingFilter(w), x, (64,))
    found = []

    def run():
        found.append(streamed(StreamingFilter(w), x, (64,)))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for y in found:
        np.testing.assert_array_equal(y, expected)


# ---- state ------------------------------------------------------------------------------------

STREAMS = (
    {}, {"up": 3, "down": 2}, {"up": 9, "down": 2}, {"method": "fft", "block": 16},
    {"method": "fft", "block": 16, "channels": 2}, {"down": 3, "channels": 2, "axis": 0},
)  # fmt: skip


@pytest.mark.parametrize("options", STREAMS, ids=str)
@pytest.mark.parametrize("n", [0, 32, 45, 300])
def test_state_is_saved_and_restored(rng, options, n):
    """By `get_state`, a file of it, a pickle and copies: the same bits go on, each on its own."""
    x, w = data(rng, 500, "float32", options.get("channels")), data(rng, 100, "float32")
    x = x.T if options.get("axis") == 0 else x
    time = 0 if options.get("axis") == 0 else -1
    first, rest = np.split(x, [n], axis=time)
    stream = StreamingFilter(w, **options)
    stream(first)
    state = stream.get_state()
    file = io.BytesIO()
    np.savez(file, **state)
    file.seek(0)
    others = [StreamingFilter(w, **options) for _ in range(2)]
    others[0].set_state(state)
    others[1](first[:1] if time == 0 else first[..., :1])
    with np.load(file) as loaded:
        others[1].set_state(loaded)
    others += [pickle.loads(pickle.dumps(stream)), copy.copy(stream), copy.deepcopy(stream)]
    expected = stream(rest), stream.flush()
    for other in others:
        assert repr(other)
        np.testing.assert_array_equal(other(rest), expected[0])
        np.testing.assert_array_equal(other.flush(), expected[1])
        with pytest.raises(ValueError, match="flushed"):
            pickle.loads(pickle.dumps(other))(rest)


@pytest.mark.parametrize("options", STREAMS, ids=str)
def test_reset_forgets(rng, options):
    """The next chunk is the first one, after `flush` too."""
    x, w = data(rng, 200, "float32", options.get("channels")), data(rng, 100, "float32")
    x = x.T if options.get("axis") == 0 else x
    stream = StreamingFilter(w, **options)
    expected = stream(x), stream.flush()
    stream.reset()
    stream(x)
    stream.reset()
    np.testing.assert_array_equal(stream(x), expected[0])
    np.testing.assert_array_equal(stream.flush(), expected[1])


def test_states_of_other_streams_are_refused(rng):
    """And leave the stream as it was."""
    x, w = data(rng, 100, "float32"), data(rng, 100, "float32")
    stream = StreamingFilter(w, method="fft", block=16)
    expected = np.concatenate([copy.copy(stream)(x), np.zeros(0)])
    states = [
        StreamingFilter(w).get_state(),
        StreamingFilter(w, method="fft", block=32).get_state(),
        StreamingFilter(w, method="fft", block=16, dtype="float64").get_state(),
        StreamingFilter(w, method="fft", block=16, channels=1).get_state(),
        StreamingFilter(np.ones(300, "f4"), method="fft", block=16).get_state(),
        stream.get_state() | {"samples": 3},
        stream.get_state() | {"samples": -1, "outputs": -1},
    ]
    for state in states:
        with pytest.raises(ValueError, match="state has"):
            stream.set_state(state)
    np.testing.assert_array_equal(stream(x), expected)


# ---- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"w": []}, ValueError, "w has shape"),
        ({"w": [[1.0]]}, ValueError, "one axis"),
        ({"w": ["a"]}, TypeError, "w has dtype"),
        ({"up": 0}, ValueError, "up=0"),
        ({"down": 1.5}, TypeError, "down=1.5"),
        ({"channels": 0}, ValueError, "channels=0"),
        ({"block": 0}, ValueError, "block=0"),
        ({"block": True}, TypeError, "block=True"),
        ({"axis": 1}, ValueError, "axis=1: -1, 0 are allowed"),
        ({"axis": 2, "channels": 2}, ValueError, "axis=2"),
        ({"dtype": "U3"}, TypeError, "dtype has dtype"),
        ({"method": "ftt"}, ValueError, "method='ftt' is unknown"),
        ({"method": "fft"}, ValueError, "3 weights, no more than a block"),
        ({"method": "fft", "up": 2, "w": np.ones(99)}, ValueError, "the rates are up=2"),
        ({"method": "fft", "w": np.ones(99, int)}, ValueError, "dtype int64"),
    ],
)
def test_arguments_are_checked(arguments, error, match):
    """By name."""
    with pytest.raises(error, match=match):
        StreamingFilter(**{"w": [1.0, 2.0, 3.0]} | arguments)


@pytest.mark.parametrize(
    ("chunk", "error", "match"),
    [
        (np.ones((2, 5)), TypeError, "chunk has dtype float64, but the stream is of float32"),
        (
            np.ones((3, 5), "f4"),
            ValueError,
            r"\(3, 5\), but the stream is of chunks of shape \(2, n",
        ),
        (np.ones(5, "f4"), ValueError, "chunk has shape"),
        (np.ones((2, 5, 1), "f4"), ValueError, "chunk has shape"),
        (np.ma.masked_equal(np.ones((2, 5), "f4"), 0), TypeError, "masked"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"up": 2}, {"method": "fft", "block": 16}])
def test_other_chunks_are_refused_and_nothing_is_lost(rng, chunk, error, match, options):
    """The stream goes on as if they had not come."""
    x, w = data(rng, 100, "float32", 2), data(rng, 80, "float32")
    expected = streamed(StreamingFilter(w, channels=2, **options), x, (50,))
    stream = StreamingFilter(w, channels=2, **options)
    parts = [stream(x[:, :50])]
    with pytest.raises(error, match=match):
        stream(chunk)
    with pytest.raises((TypeError, ValueError), match="out"):
        stream(x[:, 50:], out=np.empty((2, 7), np.float32))
    with pytest.raises(TypeError, match="out has dtype"):
        stream(x[:, 50:], out=np.empty((2, stream.results_of(50))))
    parts += [stream(x[:, 50:]), stream.flush()]
    np.testing.assert_array_equal(np.concatenate(parts, axis=-1), expected)


def test_a_flushed_stream_says_so():
    """Until it is reset."""
    stream = StreamingFilter([1.0, 2.0])
    stream([1.0])
    stream.flush()
    for call in (lambda: stream([1.0]), stream.flush):
        with pytest.raises(ValueError, match="flushed.*reset"):
            call()
    assert "flushed" in repr(stream)
    stream.reset()
    assert stream([1.0]).tolist() == [1.0]
    with pytest.raises(ValueError, match="samples=-1"):
        stream.results_of(-1)


@pytest.mark.parametrize("n", [1, 20_000])
def test_integers_that_overflow_lose_nothing(n):
    """The chunk is refused, wherever in it the sum is, and the stream goes on without it."""
    w = np.array([1, 3], np.int64)
    stream, other = StreamingFilter(w), StreamingFilter(w)
    x = np.arange(n)
    loud = x.copy()
    loud[-1] = 2**62
    np.testing.assert_array_equal(stream(x), other(x))
    with pytest.raises(OverflowError):
        stream(loud)
    assert stream.samples == n
    np.testing.assert_array_equal(stream(x), other(x))


def test_integers_that_have_passed_are_in_no_bound():
    """Sums of 64 bits hold what a chunk and those before it give, whatever came long before."""
    w = np.array([1, -1], np.int64)
    stream = StreamingFilter(w)
    for chunk in (np.full(20_000, 2**62), *np.zeros((20, 64), int), np.full(64, -(2**62))):
        y = stream(chunk)
    assert y[0] == -(2**62)
    assert not y[1:].any()


@pytest.mark.parametrize("options", STREAMS, ids=str)
@pytest.mark.parametrize("n", [20, 40, 3000])
@pytest.mark.parametrize("fails", [1, 2, 20])
def test_an_interrupt_loses_nothing(rng, monkeypatch, options, n, fails):
    """A chunk that was not finished can be given again."""
    x, w = data(rng, n + 17, "float32", options.get("channels")), data(rng, 100, "float32")
    first, rest = x[..., :17], x[..., 17:]
    if options.get("axis") == 0:
        first, rest = first.T, rest.T
    stream, other = StreamingFilter(w, **options), StreamingFilter(w, **options)
    np.testing.assert_array_equal(stream(first), other(first))
    append, calls = engines.Recent.append, []

    def interrupted(*arguments):
        calls.append(arguments)
        append(*arguments)
        if len(calls) == fails:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(engines.Recent, "append", interrupted)
        try:
            stream(rest)
        except KeyboardInterrupt:
            assert stream.samples == 17
            failed = True
        else:
            failed = False
    if failed:
        np.testing.assert_array_equal(stream(rest), other(rest))
        np.testing.assert_array_equal(stream.flush(), other.flush())


@pytest.mark.parametrize("shift", [-40, -1, 0, 1, 40])
@pytest.mark.parametrize("options", [{}, {"method": "fft", "block": 32}])
def test_out_may_overlap_the_chunk(rng, shift, options):
    """Anywhere."""
    w, room = data(rng, 100, "float32"), data(rng, 20_000, "float32")
    for n in (64, 9000):
        x, y = room[100 : 100 + n], room[100 + shift : 100 + shift + n]
        first = room[:20].copy()
        stream, other = (StreamingFilter(w, **options) for _ in range(2))
        np.testing.assert_array_equal(stream(first), other(first))
        expected = other(x.copy())
        np.testing.assert_array_equal(stream(x, y), expected)
