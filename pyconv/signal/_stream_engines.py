"""How the results of a stream are summed: by the engine's loops, in pairs, or by spectra of blocks.

An engine holds the samples that results to come will read, and makes results of chunks. It never
changes what it holds of the samples before a chunk until the chunk is done, so that after an error
the chunk can be given again.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

from pyconv._engine.dtypes import is_integer
from pyconv._engine.planning import prepare
from pyconv._engine.problem import CallOptions

#: Results of a plan: the taps of a line are summed in one order from 320 results on, that of any
#: longer call, and shorter ones take no less time. Longer plans are for long chunks.
LENGTHS = (320, 1280, 5120)
#: Phases and strides up to here are summed by plans, which compute at least 320 results of each.
FEW = 8
#: Filters of more weights are taken to spectra. Measured on a Xeon, 2026-11-30: chunks of 128
#: samples take as long either way.
LONG = 1000
#: The least samples of a block of transforms.
LEAST_BLOCK = 32
#: Blocks of √(25 k) samples take the least time for each sample: what a call of a transform costs
#: beside its arithmetic, and the products of spectra, are then about equal. Blocks of two chunks
#: take half the time of blocks of one, and their longest call not much more than each of those.
PER_WEIGHT = 25
#: Results that are gathered at once, and samples of a chunk that are kept for them at most.
GATHERED, CHUNK = 512, 1 << 16
#: Samples that a plan reads at most, or those of one result.
READ = 1 << 22


@dataclass(frozen=True, eq=False)
class Filter:
    """Weights, dtypes of samples and results, and rates."""

    w: np.ndarray
    x_dtype: np.dtype
    dtype: np.dtype
    up: int
    down: int

    def results(self, samples: int) -> int:
        """Return the number of results of so many samples and zeros behind them."""
        if samples == 0:
            return 0
        return ((samples - 1) * self.up + self.w.size - 1) // self.down + 1

    def decided(self, samples: int) -> int:
        """Return the number of results that so many samples decide."""
        if self.up == self.down == 1:
            return samples
        return min(-(-samples * self.up // self.down), self.results(samples))

    @property
    def phase_taps(self) -> int:
        """The weights of the longest phase."""
        return -(-self.w.size // self.up)


class Recent:
    """The last samples of each channel, in one piece of memory that they move along.

    Parameters
    ----------
    lead : tuple of int
        The shape of the channels: () or (channels,).
    keep : int
        Samples before a chunk that are read with it.
    most : int
        The longest chunk.
    reach : int
        Samples behind a chunk that are read, whatever they are.
    """

    __slots__ = ("_cleared", "_lead", "base", "buffer", "keep", "reach", "room")

    def __init__(
        self, lead: tuple[int, ...], dtype: np.dtype, keep: int, most: int, reach: int
    ) -> None:
        self._lead = lead
        self.keep = keep
        self.reach = reach
        # What is moved to the front does not overlap what it was.
        self.buffer = np.zeros((*lead, max(2 * keep + most, keep + 4 * most) + reach), dtype)
        #: The places of samples, without those behind them that are read.
        self.room = self.buffer.shape[-1] - reach
        #: The number of the sample that lies first.
        self.base = -keep
        #: Old samples would count among those whose sums are to fit an integer.
        self._cleared = is_integer(dtype)

    def append(self, x: np.ndarray, n: int, samples: int) -> None:
        """Put samples behind the first ``samples`` ones, of which the last are kept."""
        buffer = self.buffer
        at = samples - self.base
        if at + n > self.room:
            buffer[..., : self.keep] = buffer[..., at - self.keep : at]
            at = self.keep
            self.base = samples - at
        buffer[..., at : at + n] = x
        if self._cleared:
            buffer[..., at + n : at + n + self.reach] = 0

    def last(self, samples: int) -> np.ndarray:
        """Return a copy of the samples that are kept of so many."""
        at = samples - self.base
        return self.buffer[..., at - self.keep : at].copy()

    def fits(self, history: object) -> np.ndarray:
        """Return samples that `last` may have returned; ValueError for others."""
        kept = np.asarray(history)
        shape = (*self._lead, self.keep)
        if kept.shape != shape or kept.dtype != self.buffer.dtype:
            raise ValueError(
                f"state has a history of shape {kept.shape} and dtype {kept.dtype}; {shape} and "
                f"{self.buffer.dtype} are allowed"
            )
        return kept

    def take(self, history: np.ndarray, samples: int) -> None:
        """Keep samples that `last` has returned."""
        self.buffer[...] = 0
        self.buffer[..., : self.keep] = history
        self.base = samples - self.keep


class Engine(ABC):
    """What makes results of chunks."""

    method = "direct"
    #: Samples of a block of transforms.
    block = 1
    #: The longest chunk that is not cut.
    most: int
    state_names: tuple[str, ...] = ("history",)
    #: For short chunks of which each sample gives a result.
    short: Short | None = None
    _filter: Filter
    _recent: Recent

    def feed(
        self, x: np.ndarray, n: int, samples: int, y: np.ndarray, count: int, outputs: int
    ) -> None:
        """Write ``count`` results to ``y`` for ``n`` samples of ``x``, after so many of each."""
        if n > self.most:
            self._in_pieces(x, n, samples, y, count, outputs)
        else:
            self._feed(x, n, samples, y, count, outputs)

    @abstractmethod
    def _feed(
        self, x: np.ndarray, n: int, samples: int, y: np.ndarray, count: int, outputs: int
    ) -> None:
        """Do as `feed` for a chunk that is not cut."""

    def _in_pieces(
        self, x: np.ndarray, n: int, samples: int, y: np.ndarray, count: int, outputs: int
    ) -> None:
        """Do as `feed` for a chunk that is cut."""
        kept, done, at = self.state(samples), 0, 0
        if np.may_share_memory(x, y):
            x = x.copy()
        try:
            while at < n:
                more = min(self.most, n - at)
                end = count
                if at + more < n:
                    end = self._filter.decided(samples + at + more) - outputs
                piece, part = x[..., at : at + more], y[..., done:end]
                self.feed(piece, more, samples + at, part, end - done, outputs + done)
                at, done = at + more, end
        except BaseException:
            self.take(kept, samples)
            raise

    def clear(self) -> None:
        """Forget all samples."""
        self._recent.take(np.zeros((), self._recent.buffer.dtype), 0)

    def state(self, samples: int) -> dict[str, np.ndarray]:
        """Return copies of what results after so many samples depend on."""
        return {"history": self._recent.last(samples)}

    def take(self, state: Mapping[str, Any], samples: int) -> None:
        """Hold what a state says, after so many samples; ValueError if it does not fit."""
        self._recent.take(self._recent.fits(state["history"]), samples)


class Sized(NamedTuple):
    """A plan of the sums of one phase, for up to so many results."""

    length: int
    #: Samples that it reads, and from its first result to the one behind its last.
    span: int
    step: int
    run: Callable[[np.ndarray, np.ndarray, np.ndarray, int], object]
    #: Its results: a plan writes to contiguous memory alone.
    y: np.ndarray


class Short(NamedTuple):
    """What a short chunk needs, which takes as long as the calls on its way."""

    recent: Recent
    #: Samples before a chunk that its results read, and those that a plan reads.
    before: int
    span: int
    run: Callable[[np.ndarray, np.ndarray, np.ndarray, int], object]
    w: np.ndarray
    sums: np.ndarray


class Phase:
    """Results of one phase of the rates, by plans of the weights that meet samples."""

    __slots__ = ("plans", "w")

    def __init__(
        self,
        w: np.ndarray,
        lead: tuple[int, ...],
        lengths: Sequence[int],
        down: int,
        x_dtype: np.dtype,
        dtype: np.dtype,
    ) -> None:
        self.w = w
        self.plans: list[Sized] = []
        for length in lengths:
            span = (length - 1) * down + w.size
            x = np.broadcast_to(np.zeros((), x_dtype), (*lead, span))
            prepared = prepare(x, w, CallOptions(flip=True, stride=down, method="direct"))
            y = np.empty((*lead, length), dtype)
            prepared.run(np.zeros((*lead, span), x_dtype), w, y, 1)  # what it needs is there
            run = prepared.run if prepared.settled is None else prepared.settled.run
            self.plans.append(Sized(length, span, length * down, run, y))

    def sums(self, recent: Recent, last: int, count: int, y: np.ndarray) -> None:
        """Write results, the first of which reads samples up to ``last``."""
        at = last + 1 - self.w.size - recent.base
        for length, span, _, run, sums in self.plans:
            if count <= length:
                run(recent.buffer[..., at : at + span], self.w, sums, 1)
                y[...] = sums[..., :count]
                return
        length, span, step, run, sums = self.plans[-1]
        run(recent.buffer[..., at : at + span], self.w, sums, 1)
        y[..., :length] = sums
        self.sums(recent, last + step, count - length, y[..., length:])


class Plain(Engine):
    """Sums of products of the samples that are kept."""

    def _feed(
        self, x: np.ndarray, n: int, samples: int, y: np.ndarray, count: int, outputs: int
    ) -> None:
        self._recent.append(x, n, samples)
        self._write(y, count, outputs)

    @abstractmethod
    def _write(self, y: np.ndarray, count: int, outputs: int) -> None:
        """Write ``count`` results of the samples that are kept, after so many results."""


class Planned(Plain):
    """Sums of products by the engine's loops, each phase by itself."""

    def __init__(self, f: Filter, lead: tuple[int, ...]) -> None:
        self._filter = f
        lengths: tuple[int, ...] = LENGTHS if f.down == 1 else LENGTHS[:2]
        self.most, reach = (lengths[-1] - 2) * f.down, (lengths[-1] + 1) * f.down
        if lengths[-1] * f.down > READ:  # few results of a chunk: one plan for them
            lengths = (max(1, READ // f.down),)
            self.most, reach = CHUNK, (lengths[-1] - 1) * f.down + 1
        self._phases = [
            Phase(np.ascontiguousarray(f.w[r :: f.up]), lead, lengths, f.down, f.x_dtype, f.dtype)
            for r in range(min(f.up, f.w.size))
        ]
        self._recent = Recent(lead, f.x_dtype, f.phase_taps, self.most, reach)
        if f.up == f.down == 1 and not is_integer(f.x_dtype):
            w, plan = self._phases[0].w, self._phases[0].plans[0]
            self.short = Short(self._recent, w.size - 1, plan.span, plan.run, w, plan.y)

    def _write(self, y: np.ndarray, count: int, outputs: int) -> None:
        f = self._filter
        for first in range(min(f.up, count)):
            q, r = divmod((outputs + first) * f.down, f.up)
            part = y[..., first :: f.up]
            if r < len(self._phases):
                self._phases[r].sums(self._recent, q, part.shape[-1], part)
            else:  # no weight meets a sample
                part[...] = 0


class Gathered(Plain):
    """Sums of products in pairs, whose samples and weights are gathered result by result.

    For rates whose phases have few results each of a chunk.
    """

    def __init__(self, f: Filter, lead: tuple[int, ...]) -> None:
        self._filter = f
        taps = f.phase_taps
        self.most = max(1, min(GATHERED * f.down // f.up, CHUNK))
        #: Behind these phases there are only some in which no weight meets a sample.
        self._phases = min(f.up, f.w.size)
        weights = np.zeros((taps, self._phases), f.dtype)
        weights.reshape(-1)[: f.w.size] = f.w
        #: The weights of each phase, in the order of the samples.
        self._weights = np.ascontiguousarray(weights[::-1].T)
        #: From this phase on the last weight is missing.
        self._short = f.w.size - (taps - 1) * f.up
        self._recent = Recent(lead, f.dtype, taps, self.most, 1)
        self._windows = sliding_window_view(self._recent.buffer, taps, axis=-1)

    def _write(self, y: np.ndarray, count: int, outputs: int) -> None:
        if not count:
            return
        f = self._filter
        first, place = divmod(outputs * f.down, f.up)
        first += 1 - f.phase_taps - self._recent.base
        q, r = np.divmod(place + np.arange(count) * f.down, f.up)
        with np.errstate(all="ignore"):
            x = self._windows[..., first + q, :]
            w = self._weights[np.minimum(r, self._phases - 1)]
            missing = r >= self._short
            if f.dtype.kind == "f":
                self._add(x * w, missing, y)
                return
            # A product of complex numbers is rounded otherwise at the end of an array.
            self._add(x.real * w.real - x.imag * w.imag, missing, y.real)
            self._add(x.real * w.imag + x.imag * w.real, missing, y.imag)

    @staticmethod
    def _add(products: np.ndarray, missing: np.ndarray, y: np.ndarray) -> None:
        """Write sums of products, those of a weight that is missing left out."""
        products[..., missing, 0] = 0
        np.add.reduce(products, -1, out=y)


class Partitioned(Engine):
    """The first weights by products, the others by spectra of blocks of B samples.

    What the weights from B on give to a block reads samples of blocks before it alone. All of it is
    known at the first sample of the block: by a transform of the last 2B samples, products with the
    spectra of the weights, and a transform back. Samples whose sums would overflow there are scaled
    by a power of two first.
    """

    method = "fft"
    state_names = ("history", "scaled", "spectra")

    def __init__(self, f: Filter, lead: tuple[int, ...], block: int) -> None:
        self.block = self.most = block
        self._filter = f
        lengths = [n for n, less in zip(LENGTHS, (0, *LENGTHS), strict=False) if less < block]
        self._head = Phase(f.w[:block], lead, lengths, 1, f.dtype, f.dtype)
        self._recent = Recent(lead, f.dtype, 2 * block, block, max(lengths) + 1)
        real = f.dtype.kind == "f"
        self._forward: Any = np.fft.rfft if real else np.fft.fft
        self._back: Any = np.fft.irfft if real else np.fft.ifft
        rest = f.w[block:].astype(f.dtype)
        self._parts = parts = -(-rest.size // block)
        padded = np.zeros((parts, 2 * block), f.dtype)
        for i, row in enumerate(padded):
            piece = rest[i * block : (i + 1) * block]
            row[: piece.size] = piece
        spectra = self._forward(padded)
        shape = (*lead, spectra.shape[-1])
        #: The last weights first, as the spectra of the samples lie.
        self._weights = spectra[::-1].reshape(parts, *(1,) * len(lead), -1).copy()
        self._products = np.empty((parts, *shape), spectra.dtype)
        self._total = np.empty(shape, spectra.dtype)
        #: Spectra of the last blocks, and of one that was before, each at two places: those that
        #: are needed lie in one piece.
        self._spectra = np.zeros((2 * (parts + 1), *shape), spectra.dtype)
        self._tail = np.zeros((*lead, 2 * block), f.dtype)
        #: Which of the spectra are of scaled samples; by what, and from which magnitude on.
        self._scaled = np.zeros(2 * (parts + 1), np.bool)
        self._real = np.zeros(0, f.dtype).real.dtype
        sizes = 16 * block * max(1.0, float(np.abs(rest).astype(np.float64).sum()))
        self._scale = 2.0 ** -math.ceil(math.log2(sizes)) if math.isfinite(sizes) else 1.0
        self._loud = float(np.finfo(f.dtype).max) * self._scale
        self._begin(0)  # what it needs is there

    def _feed(
        self, x: np.ndarray, n: int, samples: int, y: np.ndarray, count: int, outputs: int
    ) -> None:
        """Write results, as many as samples and the zeros of `flush`."""
        try:
            with np.errstate(all="ignore"):  # samples that are not finite
                self._feed_blocks(x, n, samples, y)
        except BaseException:
            if samples % self.block:
                self._finish(samples // self.block)
            raise

    def _feed_blocks(self, x: np.ndarray, n: int, samples: int, y: np.ndarray) -> None:
        block, done = self.block, 0
        if samples % block + n > block and np.may_share_memory(x, y):
            x = x.copy()
        while done < n:
            at = samples + done
            inside = at % block
            more = min(block - inside, n - done)
            if not inside:
                self._begin(at)
            self._recent.append(x[..., done : done + more], more, at)
            part = y[..., done : done + more]
            self._head.sums(self._recent, at, more, part)
            part += self._tail[..., block + inside : block + inside + more]
            done += more

    def _begin(self, samples: int) -> None:
        """Make what the blocks before a block give to its results."""
        at = samples - self._recent.base
        number = samples // self.block
        slot = number % (self._parts + 1)
        window = self._recent.buffer[..., at - 2 * self.block : at]
        parts = window.view(self._real)
        loud = bool(parts.max() > self._loud or parts.min() < -self._loud)
        if loud:
            window = window * self._real.type(self._scale)
        self._forward(window, out=self._spectra[slot])
        self._scaled[slot :: self._parts + 1] = loud
        self._spectra[slot + self._parts + 1] = self._spectra[slot]
        self._finish(number)

    def _finish(self, number: int) -> None:
        spectra, scaled = self._of_blocks(number), self._of_blocks(number, self._scaled)
        some = bool(scaled.any())
        if some:  # all are, then
            factors = np.where(scaled, 1, self._real.type(self._scale))
            spectra = spectra * factors.reshape(-1, *(1,) * (spectra.ndim - 1))
        np.multiply(spectra, self._weights, out=self._products)
        np.add.reduce(self._products, 0, out=self._total)
        self._back(self._total, 2 * self.block, out=self._tail)
        if some:
            self._tail /= self._real.type(self._scale)

    def _of_blocks(self, number: int, of: np.ndarray | None = None) -> np.ndarray:
        """Return the spectra that the results of a block are made of, the oldest first."""
        first = (number + 2) % (self._parts + 1)
        return (self._spectra if of is None else of)[first : first + self._parts]

    def clear(self) -> None:
        """Forget all samples."""
        super().clear()
        self._spectra[...] = 0
        self._scaled[...] = False

    def state(self, samples: int) -> dict[str, np.ndarray]:
        """Return the last samples, and the spectra of the blocks that have begun."""
        begun = (samples - 1) // self.block
        return {
            **super().state(samples),
            "spectra": self._of_blocks(begun).copy(),
            "scaled": self._of_blocks(begun, self._scaled).copy(),
        }

    def take(self, state: Mapping[str, Any], samples: int) -> None:
        """Hold samples and spectra."""
        spectra = np.asarray(state["spectra"])
        kept = self._of_blocks(0)
        if spectra.shape != kept.shape or spectra.dtype != kept.dtype:
            raise ValueError(
                f"state has spectra of shape {spectra.shape} and dtype {spectra.dtype}; "
                f"{kept.shape} and {kept.dtype} are allowed"
            )
        scaled = np.asarray(state["scaled"])
        if scaled.shape != (self._parts,) or scaled.dtype != np.bool:
            raise ValueError(
                f"state has scaled={state['scaled']!r}; an array of {self._parts} bools is allowed"
            )
        super().take(state, samples)
        begun = (samples - 1) // self.block
        for i, (spectrum, loud) in enumerate(
            zip(spectra, scaled, strict=True), begun + 1 - self._parts
        ):
            self._spectra[i % (self._parts + 1) :: self._parts + 1] = spectrum
            self._scaled[i % (self._parts + 1) :: self._parts + 1] = loud
        if samples % self.block:
            self._finish(begun)


def engine_of(f: Filter, lead: tuple[int, ...], block: int | None, method: str) -> Engine:
    """Return the engine of a stream, for chunks of ``block`` samples; ValueError if none can."""
    floats = f.dtype.kind in "fc" and f.dtype != np.float16
    size = _block_of(f.w.size, block)
    rejected = None
    if f.up > 1 or f.down > 1:
        rejected = f"the rates are up={f.up} and down={f.down}, and 1 is needed"
    elif not floats:
        rejected = f"the results have dtype {f.dtype}"
    elif f.w.size <= size:
        rejected = f"w has {f.w.size} weights, no more than a block of {size} samples"
    if method == "fft" and rejected is not None:
        raise ValueError(f"method='fft' cannot filter this stream: {rejected}")
    if method == "fft" or (method == "auto" and rejected is None and f.w.size > LONG):
        return Partitioned(f, lead, size)
    if floats and (f.up > FEW or f.down > FEW):
        return Gathered(f, lead)
    return Planned(f, lead)


def _block_of(taps: int, block: int | None) -> int:
    """Return the samples of a block of transforms, for chunks of ``block`` samples."""
    cheapest = max(LEAST_BLOCK, 1 << round(math.log2(PER_WEIGHT * taps) / 2))
    if block is None:
        return cheapest
    if 2 * block <= cheapest:
        size = max(LEAST_BLOCK, 2 * block)
    else:
        size = max(LEAST_BLOCK, -(-block // -(-block // cheapest)))  # as many in each chunk
    while scipy.fft.next_fast_len(2 * size, real=True) != 2 * size:
        size += 1
    return size
