"""python -m benchmarks streams: chunks of a live signal, beside SciPy's lfilter with its state.

A stream does not work as much for each chunk: transforms are made at the first sample of a block.
So calls are timed in turn over whole blocks. The mean of a block is the least of many repeats; the
worst chunk is the one of a block whose least time is the largest. Waits for a busy machine are in
neither: they are in the last column, the time that one of a thousand calls exceeds.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.signal

from benchmarks.table import Table
from pyconv._engine.machine import cpu_name
from pyconv.signal import StreamingFilter


class Case(NamedTuple):
    """A stream, and what is asked of it in microseconds."""

    taps: int
    chunk: int
    dtype: str = "float32"
    channels: int | None = None
    up: int = 1
    down: int = 1
    mean: float = math.inf
    #: The worst chunk beside the mean.
    ratio: float = math.inf


CASES = (
    Case(101, 64, mean=3.0),
    Case(101, 64, "float64", mean=3.0),
    Case(101, 64, channels=2),
    Case(501, 128),
    Case(10_000, 128, mean=25.0, ratio=4.0),
    Case(10_000, 128, "float64", mean=25.0, ratio=4.0),
    Case(10_000, 128, channels=2),
    Case(100_000, 128),
    Case(100_000, 1024),
    Case(101, 64, up=2),
    Case(101, 64, down=4),
    Case(3200, 441, up=160, down=147),
)


def add_parser(commands: Any) -> None:
    """Add the command ``streams``."""
    parser = commands.add_parser(
        "streams",
        help="chunks of a live signal beside SciPy's lfilter with its state",
        description="Time the chunks of streams on one thread, and print a Markdown table.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.set_defaults(run=run)


def seconds_of_chunks(call: Callable[[], object], chunks: int, repeats: int) -> np.ndarray:
    """Return the seconds of each chunk of a block, so many times."""
    clock = time.perf_counter
    taken = np.empty(chunks * repeats)
    for _ in range(chunks):
        call()
    for i in range(len(taken)):
        start = clock()
        call()
        taken[i] = clock() - start
    return taken.reshape(repeats, chunks)


def is_right(stream: StreamingFilter, case: Case, w: np.ndarray) -> bool:
    """Return whether the results of chunks are those of all samples, by SciPy."""
    rng = np.random.default_rng(1)
    lead = () if case.channels is None else (case.channels,)
    x = rng.standard_normal((*lead, 5 * case.chunk)).astype(case.dtype)
    parts = [stream(x[..., i * case.chunk : (i + 1) * case.chunk]) for i in range(5)]
    y = np.concatenate([*parts, stream.flush()], axis=-1)
    stream.reset()
    right = scipy.signal.upfirdn(w.astype(float), x.astype(float), case.up, case.down)
    error = float(np.abs(y - right).max() / np.abs(right).max())
    return y.shape == right.shape and error < 100 * float(np.finfo(case.dtype).eps)


def run(given: argparse.Namespace) -> int:
    """Print the table; return 1 if a result is wrong."""
    print(f"{cpu_name()}, one thread, microseconds of a chunk\n")
    table = Table("taps", "chunk", "dtype", "rate", "method", "mean µs", "worst chunk µs",
                  "1 of 1000 µs", "lfilter µs", "lfilter ÷ mean", "goal")  # fmt: skip
    rng = np.random.default_rng(0)
    for case in CASES:
        w = rng.standard_normal(case.taps).astype(case.dtype)
        stream = StreamingFilter(
            w, up=case.up, down=case.down, channels=case.channels, block=case.chunk
        )
        if not is_right(stream, case, w):
            print(f"wrong result: {case}", file=sys.stderr)
            return 1
        lead = () if case.channels is None else (case.channels,)
        x = rng.standard_normal((*lead, case.chunk)).astype(case.dtype)
        # As many chunks as begin and end with a block.
        chunks = math.lcm(stream.block, case.chunk) // case.chunk
        repeats = max(30, (2000 if given.quick else 10_000) // chunks)
        taken = 1e6 * seconds_of_chunks(lambda s=stream, x=x: s(x), chunks, repeats)  # type: ignore[misc]
        usual = np.quantile(taken, 0.05, axis=0)
        mean, worst = float(usual.mean()), float(usual.max())
        late = float(np.quantile(taken, 0.999))
        scipys = _lfilter(w, x, case, 30 if given.quick else 200)
        met = mean <= case.mean and worst <= case.ratio * mean
        goal = f"{'met' if met else 'missed'}: {case.mean:g} µs" if case.mean < math.inf else ""
        goal += f", worst {case.ratio:g}×" if case.ratio < math.inf else ""
        table.row(
            f"{case.taps:,}",
            f"{case.chunk}" + ("" if case.channels is None else f" × {case.channels}"),
            case.dtype,
            f"{case.up}/{case.down}",
            f"{stream.method}" + (f", {stream.block}" if stream.block > 1 else ""),
            f"{mean:.2f}",
            f"{worst:.2f}",
            f"{late:.1f}",
            "" if scipys is None else f"{scipys:.1f}",
            "" if scipys is None else f"{scipys / mean:.1f}",
            goal,
        )
    return 0


def _lfilter(w: np.ndarray, x: np.ndarray, case: Case, repeats: int) -> float | None:
    """Return the microseconds of SciPy's filter for a chunk; None for other rates."""
    if case.up > 1 or case.down > 1:
        return None
    state = [np.zeros((*x.shape[:-1], w.size - 1), w.dtype)]

    def call() -> None:
        _, state[0] = scipy.signal.lfilter(w, np.ones(1, w.dtype), x, zi=state[0])

    return float(1e6 * np.quantile(seconds_of_chunks(call, 1, repeats), 0.05))
