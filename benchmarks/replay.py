"""python -m benchmarks replay: calls of another package's tests, on two threads and on one.

`scikit_image_calls.json` holds them, as ``python -m tests.downstream --record`` writes them. Wall
time beside SciPy's, sampled in turn, idle and beside a busy process.
"""

import json
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.ndimage
import scipy.signal

import pyconv
from benchmarks.busy import busy_processes
from benchmarks.recorded import arguments
from benchmarks.table import Table
from pyconv import ndimage, signal
from pyconv._engine import threads
from pyconv._engine.machine import cpu_name

#: Recorded calls; those of scikit-image.
CALLS = Path(__file__).with_name("scikit_image_calls.json")
MODULES = {"ndimage": (ndimage, scipy.ndimage), "signal": (signal, scipy.signal)}
#: The CPUs that a run may use at most, so that one busy process takes half of them.
MAX_CPUS = 2
#: Of the calls, those that lose most by a second thread are printed.
WORST = 5
#: Processes that are busy meanwhile.
BUSY = (0, 1)
#: Who is timed, and on how many threads at most.
CONTENDERS = {"default": MAX_CPUS, "one thread": 1, "SciPy": 1}


class Call(NamedTuple):
    """One recorded call: as words, how often it was made, ours and SciPy's."""

    words: str
    count: int
    ours: Callable[[], object]
    scipys: Callable[[], object]


def add_parser(commands: Any) -> None:
    """Add the command ``replay``."""
    parser = commands.add_parser(
        "replay",
        help="small calls of another package's tests, by default, on one thread, and SciPy's",
        description="Time the calls that scikit-image's tests make on two CPUs, idle and beside a "
        "busy process. Nothing else should run.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.add_argument("--calls", type=Path, default=CALLS, metavar="FILE",
                        help="other recorded calls")  # fmt: skip
    parser.set_defaults(run=run)


def recorded(file: Path) -> list[Call]:
    """Return the calls of a file."""
    rng = np.random.default_rng(0)
    calls = []
    for each in json.loads(file.read_text()):
        module, _, name = each["function"].rpartition(".")
        ours, scipys = (getattr(m, name) for m in MODULES[module.rpartition(".")[2]])
        given = arguments(each["arguments"], rng)
        words = f"{name}({', '.join(f'{k}={_word(v)}' for k, v in each['arguments'].items())})"
        calls.append(Call(words, each["count"], partial(ours, **given), partial(scipys, **given)))
    return calls


def _word(value: Any) -> str:
    """Return an argument in few words."""
    if isinstance(value, dict) and "array" in value:
        return "×".join(map(str, value["array"])) + np.dtype(value["dtype"]).name
    if isinstance(value, dict) and "dtype" in value:
        return np.dtype(value["dtype"]).name
    return repr(value)


def shares(call: Call) -> bool:
    """Return whether a call takes a second thread by default."""
    most, resolve = [1], threads.resolve

    def noted(*asked: Any) -> int:
        most.append(resolve(*asked))
        return most[-1]

    threads.resolve = noted
    try:
        with pyconv.set_workers(MAX_CPUS):
            call.ours()
    finally:
        threads.resolve = resolve
    return max(most) > 1


def run(given: Any) -> int:
    """Print the tables."""
    os.environ.pop("OMP_NUM_THREADS", None)  # the other commands use one thread
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:MAX_CPUS])
    print(f"{cpu_name()}, {threads.available_cpus()} of {os.cpu_count()} CPUs\n")
    calls = recorded(given.calls)
    sharing = [each for each in calls if shares(each)]
    total = sum(each.count for each in calls)
    print(
        f"{total} calls, {len(calls)} of them distinct; by default {len(sharing)} of these "
        f"take {MAX_CPUS} threads\n"
    )
    table = Table(
        "busy processes", "calls", "default ms", "one thread ms", "SciPy ms", "default ÷ one thread"
    )
    worst: list[tuple[float, int, str]] = []
    for busy in BUSY:
        with busy_processes(busy):
            means = measured(calls, 5 if given.quick else 40)
        for name, some in (("all", calls), ("that share", sharing)):
            sums = {
                who: 1e3 * sum(each.count * means[each.words][who] for each in some)
                for who in CONTENDERS
            }
            ratio = sums["default"] / sums["one thread"] if some else 1.0
            table.row(str(busy), name, *(f"{t:.1f}" for t in sums.values()), f"{ratio:.2f}")
        worst += [
            (means[each.words]["default"] / means[each.words]["one thread"], busy, each.words)
            for each in sharing
        ]
    print(f"\nThe {WORST} that lose most by a second thread:\n")
    table = Table("default ÷ one thread", "busy processes", "call")
    for ratio, busy, words in sorted(worst, reverse=True)[:WORST]:
        table.row(f"{ratio:.2f}", str(busy), words)
    return 0


def measured(calls: list[Call], repeats: int) -> dict[str, dict[str, float]]:
    """Return the mean seconds of each contender of each call, sampled in turn."""
    seconds: dict[str, dict[str, list[float]]] = {
        each.words: {who: [] for who in CONTENDERS} for each in calls
    }
    for turn in range(repeats + 1):
        for each in calls:
            order = list(CONTENDERS.items())
            for who, workers in order if turn % 2 else order[::-1]:
                call = each.scipys if who == "SciPy" else each.ours
                with pyconv.set_workers(workers):
                    start = time.perf_counter()
                    call()
                    taken = time.perf_counter() - start
                if turn:  # the first plans
                    seconds[each.words][who].append(taken)
    return {
        words: {who: statistics.fmean(taken) for who, taken in its.items()}
        for words, its in seconds.items()
    }
