"""A FIR filter of a signal that arrives in chunks: y[n] = Σ_u w[u] · x[n − u], no sample late.

With rates, y[m] = Σ_j w[r + j·up] · x[q − j], where m·down = q·up + r and 0 ≤ r < up. A stream
counts samples from 0, and asks an engine of `_stream_engines` for the results that a chunk makes
possible.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from pyconv._engine.dtypes import natural_dtype, supported, without_options
from pyconv._engine.output_arrays import check_out, plain_array
from pyconv._engine.problem import integer
from pyconv.signal._stream_engines import LENGTHS, Engine, Filter, engine_of

Array = npt.NDArray[Any]
T = TypeVar("T")
P = ParamSpec("P")
#: The longest chunk that the shortest plan takes.
SHORT = LENGTHS[0]
#: The words for ``method``.
METHODS = ("auto", "direct", "fft")


def _alone(
    method: Callable[Concatenate[StreamingFilter, P], T],
) -> Callable[Concatenate[StreamingFilter, P], T]:
    """Let no other thread in while a method of a stream runs: RuntimeError if one is.

    The call of a stream does the same by itself, in less time.
    """

    @functools.wraps(method)
    def run(self: StreamingFilter, /, *arguments: P.args, **keywords: P.kwargs) -> T:
        if not self._free.acquire(blocking=False):
            raise RuntimeError(_IN_USE)
        try:
            return method(self, *arguments, **keywords)
        finally:
            self._free.release()

    return run


class StreamingFilter:
    r"""A FIR filter of a signal that arrives in chunks, whose results are those of the whole.

    .. math:: y[n] = \sum_u w[u] \; x[n - u]

    with zeros before the first sample. The results of all chunks and of `flush`, one behind the
    other, are ``pyconv.convolve(x, w, "full")`` of all samples, wherever one chunk ended and the
    next began. With rates they are those of ``scipy.signal.upfirdn(w, x, up, down)``.

    Parameters
    ----------
    w : array_like
        Weights of the filter, at least one; a copy of them is kept.
    up, down : int, optional
        The stream has `up` times as many samples per second, zeros between those that arrive, and
        of the filtered samples every `down`-th is a result.
    channels : int, optional
        Channels that are filtered alike; chunks and results then have two axes. By default
        chunks have one axis.
    dtype : dtype, optional
        The dtype of the chunks, by default that of `w`. The results have the dtype of
        ``pyconv.convolve(x, w)``: float32 for chunks and weights of float32.
    block : int, optional
        The length that most chunks have. Transforms are then of blocks of one chunk, or of two, so
        that no chunk takes far more time than others. By default they are of blocks that take the
        least time for each sample; some chunks then take far longer.
    axis : {-1, 1, 0}, optional
        The axis of time in chunks of several channels: by default the last; 0 for frames of
        interleaved samples, as sound devices deliver them.
    method : {'auto', 'direct', 'fft'}, optional
        ``direct`` sums products; ``fft`` sums those of the first weights, and multiplies the
        spectra of blocks for the others. By default ``fft`` for filters of more than 1000 weights
        where it can be: floating-point samples, ``up = down = 1``.

    Raises
    ------
    ValueError
        For weights that are empty or have several axes, numbers below 1 and unknown words; for a
        method that cannot be.
    TypeError
        For dtypes that `pyconv.convolve` has not, and numbers that are no integers.

    See Also
    --------
    pyconv.convolve : the whole array at once.

    Notes
    -----
    A stream delays nothing: its `latency` is 0 samples, a chunk of *n* samples gives *n* results
    at once, and with rates all results that its samples decide. A symmetric filter of *k* weights
    delays a signal by (*k* − 1)/2 samples, as ever.

    *Bits.* They do not depend on the chunks. ``direct`` gives those of
    ``pyconv.convolve(x, w, "full", method="direct")`` for 320 and more results of floats, with
    ``stride=down`` where that is not 1, and exact integers; each of up to 8 phases ``w[r::up]``
    has the bits of such a call. Streams with rates above 8 sum the products of a result in pairs.
    ``fft`` errs by at most
    :math:`(\log_2 2B + P) \, 10 \, \epsilon \sqrt{2B} \; \sum |w| \max |x|`, with blocks of `B`
    samples and :math:`P = \lceil k/B \rceil` of them, and the largest sample of the last
    :math:`k + 2B`, for complex data three times that; in practice by less than 2 ε of the same.
    There a NaN or an infinity makes NaN of all results of the blocks that read it.

    *Time.* A call works on the thread that calls, with the interpreter's lock released in the
    loops. Sums take a time proportional to the results, at least that of 320; transforms are made
    at the first sample of each block of `B`, and nowhere else. Arrays are made when the stream is:
    a call makes its result, and none with `out`, but for gathered samples where rates are above 8.
    Two threads may not call one stream at the same time: the second one gets a RuntimeError.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> from pyconv import signal
    >>> stream = signal.StreamingFilter([1.0, 2.0, 3.0])
    >>> stream(np.array([1.0, 1.0])), stream(np.array([0.0])), stream.flush()
    (array([1., 3.]), array([5.]), array([3., 0.]))
    >>> pyconv.convolve([1.0, 1.0, 0.0], [1.0, 2.0, 3.0], "full")
    array([1., 3., 5., 3., 0.])

    Two thirds of the rate, of two channels:

    >>> w = np.array([0.5, 1.0, 0.5])
    >>> stream = signal.StreamingFilter(w, up=2, down=3, channels=2)
    >>> stream(np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 2.0]]))
    array([[0.5, 2. ],
           [0. , 0. ]])
    """

    __slots__ = (
        "_asked", "_axis", "_channels", "_dtype", "_engine", "_filter", "_flushed", "_free",
        "_lead", "_outputs", "_plain", "_samples", "_short",
    )  # fmt: skip

    def __init__(
        self,
        w: npt.ArrayLike,
        *,
        up: int = 1,
        down: int = 1,
        channels: int | None = None,
        dtype: npt.DTypeLike | None = None,
        block: int | None = None,
        axis: int = -1,
        method: str = "auto",
    ) -> None:
        weights = plain_array(w, "w")
        own = supported(weights.dtype, "w")
        if weights.ndim != 1 or not weights.size:
            raise ValueError(f"w has shape {weights.shape}; one axis with weights is allowed")
        weights = weights.astype(own)
        weights.flags.writeable = False
        self._dtype = own if dtype is None else supported(dtype, "dtype")
        self._channels = None if channels is None else _at_least_one(channels, "channels")
        self._lead: tuple[int, ...] = () if self._channels is None else (self._channels,)
        where = integer(axis, "axis")
        if not -1 <= where <= len(self._lead):
            allowed = ", ".join(map(str, range(-1, len(self._lead) + 1)))
            raise ValueError(f"axis={axis!r}: {allowed} are allowed")
        self._axis = 0 if where == 0 else -1
        word: object = method
        if not isinstance(word, str) or word not in METHODS:
            raise ValueError(f"method={method!r} is unknown; allowed are {', '.join(METHODS)}")
        self._filter = Filter(
            weights,
            self._dtype,
            natural_dtype(self._dtype, own),
            _at_least_one(up, "up"),
            _at_least_one(down, "down"),
        )
        self._asked = {"block": None if block is None else _at_least_one(block, "block")}
        self._asked["method"] = method  # type: ignore[assignment]
        #: Whether as many results as samples come, and time is last.
        self._plain = up == down == 1 and (channels is None or self._axis == -1)
        self._engine: Engine = engine_of(self._filter, self._lead, self._asked["block"], method)
        #: What takes short chunks in the least time, if time is last.
        self._short = self._engine.short if self._plain else None
        self._samples = self._outputs = 0
        self._flushed = False
        #: Held while a call works: another thread would find samples half-written.
        self._free = threading.Lock()

    # ---- what a stream is -------------------------------------------------------------------

    @property
    def latency(self) -> int:
        """The number of samples that have to follow a sample before its result comes: 0."""
        return 0

    @property
    def method(self) -> str:
        """How results are made: ``direct`` or ``fft``."""
        return self._engine.method

    @property
    def block(self) -> int:
        """The samples of a block of transforms; 1 without transforms."""
        return self._engine.block

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the results."""
        return self._filter.dtype

    @property
    def samples(self) -> int:
        """The number of samples of each channel that have arrived since the last `reset`."""
        return self._samples

    @property
    def w(self) -> Array:
        """The weights, which cannot be written to."""
        return self._filter.w

    def __repr__(self) -> str:
        """Name the filter and how far the stream has come."""
        f = self._filter
        rate = "" if f.up == f.down == 1 else f", rate {f.up}/{f.down}"
        channels = "" if self._channels is None else f", {self._channels} channels"
        return (
            f"<pyconv.signal.StreamingFilter {self.method}: {f.w.size} weights{rate}{channels}, "
            f"{self._dtype} -> {f.dtype}, {self._samples} samples"
            f"{', flushed' if self._flushed else ''}>"
        )

    # ---- samples and results ----------------------------------------------------------------

    def results_of(self, samples: int) -> int:
        """Return how many results the next chunk gives if it has so many samples.

        Parameters
        ----------
        samples : int
            Samples of each channel, 0 or more.

        Returns
        -------
        int
            The number of results of each channel: the length of an `out`.

        Raises
        ------
        ValueError
            For a number below 0, and after `flush`.
        """
        count = integer(samples, "samples")
        if count < 0:
            raise ValueError(f"samples={samples!r}: an integer of at least 0 is allowed")
        if self._flushed:
            raise ValueError(_FLUSHED)
        return self._filter.decided(self._samples + count) - self._outputs

    def __call__(self, chunk: npt.ArrayLike, out: Array | None = None) -> Array:
        """Return the results that a chunk decides.

        Parameters
        ----------
        chunk : array_like
            The next samples, any number of them: of shape ``(n,)``, or ``(channels, n)``, or with
            ``axis=0`` ``(n, channels)``; of the dtype of the stream.
        out : ndarray, optional
            Array that receives the results; it may be the chunk.

        Returns
        -------
        ndarray
            The results, as many as `results_of` says; `out` if that was given.

        Raises
        ------
        TypeError, ValueError
            For another dtype or shape, for an `out` that does not fit, and after `flush`.
        OverflowError
            For integers whose sums 64 bits may not hold. After an error the stream is as it was
            before.
        RuntimeError
            While another thread calls the stream.
        """
        if not self._free.acquire(blocking=False):
            raise RuntimeError(_IN_USE)
        try:
            return self._called(chunk, out)
        except OverflowError as error:
            raise without_options(error) from None
        finally:
            self._free.release()

    def _called(self, chunk: npt.ArrayLike, out: Array | None) -> Array:
        """Return the results that a chunk decides; short chunks of arrays take the shortest way."""
        if (
            (short := self._short) is not None
            and type(chunk) is np.ndarray
            and chunk.dtype == self._dtype
            and chunk.shape[:-1] == self._lead
            and 0 < (n := chunk.shape[-1]) <= SHORT
            and not self._flushed
        ):
            recent, before, span, run, w, sums = short
            at = self._samples - recent.base
            if at + n <= recent.room:
                if out is not None:
                    check_out(out, chunk.shape, sums.dtype)
                recent.buffer[..., at : at + n] = chunk
                at -= before
                run(recent.buffer[..., at : at + span], w, sums, 1)
                self._samples = self._outputs = self._samples + n
                if out is None:
                    return sums[..., :n].copy()
                out[...] = sums[..., :n]
                return out
        return self._fed(chunk, out)

    def _fed(self, chunk: npt.ArrayLike, out: Array | None) -> Array:
        """Return the results that a chunk of any kind decides."""
        x = chunk
        if type(x) is not np.ndarray or x.dtype != self._dtype or x.ndim != len(self._lead) + 1:
            x = self._taken(chunk)
        if self._flushed:
            raise ValueError(_FLUSHED)
        if self._plain:
            if self._lead and len(x) != self._channels:
                raise ValueError(self._misfit(x))
            count = x.shape[-1]
            if out is None:
                y = np.empty(x.shape, self._filter.dtype)
            else:
                check_out(out, x.shape, self._filter.dtype)
                y = out
            self._engine.feed(x, count, self._samples, y, count, self._samples)
            self._samples += count
            self._outputs = self._samples
            return y
        if self._lead and x.shape[1 + self._axis] != self._channels:
            raise ValueError(self._misfit(x))
        if self._axis == 0:
            x = x.T
        total = self._samples + x.shape[-1]
        y, result = self._room(self._filter.decided(total) - self._outputs, out)
        self._engine.feed(x, x.shape[-1], self._samples, y, y.shape[-1], self._outputs)
        self._samples = total
        self._outputs += y.shape[-1]
        return result

    @_alone
    def flush(self, out: Array | None = None) -> Array:
        """Return the results that read zeros behind the last sample, and end the stream.

        Parameters
        ----------
        out : ndarray, optional
            Array that receives the results, ``len(w) - 1`` of each channel without rates.

        Returns
        -------
        ndarray
            The results; none if no sample has arrived.

        Raises
        ------
        ValueError
            If the stream has ended; `reset` begins another one.
        """
        if self._flushed:
            raise ValueError(_FLUSHED)
        f = self._filter
        total = f.results(self._samples)
        y, result = self._room(total - self._outputs, out)
        last = (total - 1) * f.down // f.up + 1  # samples that the last result reads
        if y.shape[-1]:
            more = max(0, last - self._samples)
            zeros = np.broadcast_to(np.zeros((), self._dtype), (*self._lead, more))
            self._engine.feed(zeros, more, self._samples, y, y.shape[-1], self._outputs)
        self._engine.clear()
        self._outputs = total
        self._flushed = True
        return result

    @_alone
    def reset(self) -> None:
        """Forget all samples: the next chunk is the first one."""
        self._engine.clear()
        self._samples = self._outputs = 0
        self._flushed = False

    # ---- state ------------------------------------------------------------------------------

    @_alone
    def get_state(self) -> dict[str, Any]:
        """Return what the next results depend on, besides the weights.

        Returns
        -------
        dict
            Numbers and arrays, which `numpy.savez` writes: ``samples``, ``outputs``, ``flushed``,
            ``history`` (the last samples) and, of transforms, ``spectra`` and which are ``scaled``.
        """
        return {
            "samples": self._samples,
            "outputs": self._outputs,
            "flushed": self._flushed,
            **self._engine.state(0 if self._flushed else self._samples),
        }

    @_alone
    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where a stream of the same arguments was when it returned this state.

        The weights may be others, as many: from the next sample on the results are theirs.

        Parameters
        ----------
        state : mapping
            What `get_state` has returned, or a file of it that `numpy.load` has read.

        Raises
        ------
        TypeError, ValueError
            For what is no state, and for the state of a stream of other arguments, which leave this
            one as it was.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"state is a {type(state).__name__}; what get_state returned is needed")
        names = ["samples", "outputs", "flushed", *self._engine.state_names]
        if sorted(state) != sorted(names):
            raise ValueError(f"state has {sorted(state)}; {sorted(names)} are allowed")
        samples, outputs = (_number(state[name], name) for name in ("samples", "outputs"))
        flushed = _number(state["flushed"], "flushed")
        if flushed not in (0, 1):
            raise ValueError(f"state has flushed={state['flushed']!r}; True and False are allowed")
        flushed = bool(flushed)
        f = self._filter
        expected = f.results(samples) if flushed else f.decided(samples)
        if samples < 0 or outputs != expected:
            raise ValueError(
                f"state has {outputs} results of {samples} samples; {expected} are allowed"
            )
        self._engine.take(state, 0 if flushed else samples)
        self._samples, self._outputs, self._flushed = samples, outputs, flushed

    def __reduce__(self) -> tuple[object, ...]:
        """Return the arguments and the state, for a copy or another process."""
        f = self._filter
        options = {
            "up": f.up, "down": f.down, "channels": self._channels, "dtype": self._dtype,
            "axis": self._axis, **self._asked,
        }  # fmt: skip
        return _restored, (f.w, options, self.get_state())

    # ---- arguments --------------------------------------------------------------------------

    def _taken(self, chunk: npt.ArrayLike) -> np.ndarray:
        """Return a chunk as an array of the stream's dtype and number of axes."""
        x = plain_array(chunk, "chunk")
        if x.ndim != len(self._lead) + 1:
            raise ValueError(self._misfit(x))
        if x.dtype.newbyteorder("=") == self._dtype:
            return x
        if not isinstance(chunk, np.ndarray) and np.can_cast(x.dtype, self._dtype):
            return x.astype(self._dtype)
        raise TypeError(f"chunk has dtype {x.dtype}, but the stream is of {self._dtype}")

    def _misfit(self, x: np.ndarray) -> str:
        allowed = "(n,)"
        if self._channels is not None:
            allowed = f"({self._channels}, n)" if self._axis else f"(n, {self._channels})"
        return f"chunk has shape {x.shape}, but the stream is of chunks of shape {allowed}"

    def _room(self, count: int, out: Array | None) -> tuple[np.ndarray, np.ndarray]:
        """Return where results of each channel go, time last, and that as the caller sees it."""
        shape = (count,) if self._channels is None else (self._channels, count)
        result = out
        if self._axis == 0:
            shape = shape[::-1]
        if result is None:
            result = np.empty(shape, self._filter.dtype)
        else:
            check_out(result, shape, self._filter.dtype)
        return (result.T if self._axis == 0 else result), result


#: Rates and blocks, at most.
_MOST = 2**31
_IN_USE = "the stream is in use by another thread: one call at a time is allowed"
_FLUSHED = "the stream has been flushed: it takes no chunk before reset()"


def _restored(w: np.ndarray, options: dict[str, Any], state: Mapping[str, Any]) -> StreamingFilter:
    """Return a copy of a stream."""
    stream = StreamingFilter(w, **options)
    stream.set_state(state)
    return stream


def _at_least_one(value: object, argument: str) -> int:
    number = integer(value, argument)
    if not 1 <= number <= _MOST:
        raise ValueError(f"{argument}={value!r}: an integer from 1 to 2**31 is allowed")
    return number


def _number(value: Any, name: str) -> int:
    """Return an integer of a state, which a file has as an array."""
    array = np.asarray(value)
    if array.ndim or array.dtype.kind not in "iub":
        raise ValueError(f"state has {name}={value!r}; an integer is allowed")
    return int(array)
