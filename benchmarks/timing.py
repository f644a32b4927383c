"""Minima of interleaved repeats: whatever disturbs the machine disturbs every contender."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks import threads


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to go on timing."""

    #: For each contender of a row.
    seconds: float
    #: Samples of each contender, even where they take longer than ``seconds``.
    least: int
    most: int = 200


QUICK = Effort(seconds=0.1, least=4)
FULL = Effort(seconds=0.5, least=4)

#: Processor time, where the system counts it finely: on a machine that others use, wall time
#: charges a slow contender, which is interrupted in each of its few samples, more than a fast
#: one. It adds up the threads, so that one that is hidden gains nothing; of several, wall time.
clock = (
    time.process_time
    if time.get_clock_info("process_time").resolution < 1e-6 and threads.COUNT == 1
    else time.perf_counter
)

#: A sample repeats its call until it has taken about this long: reading the clock takes half a
#: microsecond, and calls after the first find the caches as a loop of such calls would.
SAMPLE_SECONDS = 1e-3


def _seconds(call: Callable[[], object], number: int) -> float:
    start = clock()
    for _ in range(number):
        call()
    return (clock() - start) / number


@dataclass(slots=True)
class Minima:
    """The least seconds a call of the even and of the odd turns: what one half says alone."""

    even: float = math.inf
    odd: float = math.inf

    @property
    def least(self) -> float:
        """The least of all turns."""
        return min(self.even, self.odd)

    def add(self, turn: int, seconds: float) -> None:
        """Take the sample of one turn."""
        if turn % 2:
            self.odd = min(self.odd, seconds)
        else:
            self.even = min(self.even, seconds)


def interleaved_halves(
    contenders: Mapping[str, Callable[[], object]], effort: Effort
) -> dict[str, Minima]:
    """Return the minima of each contender, sampled in turn."""
    number, spent, best = {}, {}, {}
    for name, call in contenders.items():
        call()
        once = _seconds(call, 1)
        number[name] = math.ceil(SAMPLE_SECONDS / max(once, 1e-7))
        spent[name], best[name] = 0.0, Minima()
    for turn in range(effort.most):
        waiting = [n for n in contenders if turn < effort.least or spent[n] < effort.seconds]
        if not waiting:
            break
        for name in waiting:
            call = contenders[name]
            if number[name] > 1:
                call()  # the contender before has left its own data in the cache
            sample = _seconds(call, number[name])
            spent[name] += sample * number[name]
            best[name].add(turn, sample)
    return best


def interleaved_minima(
    contenders: Mapping[str, Callable[[], object]], effort: Effort
) -> dict[str, float]:
    """Return the least seconds a call of each contender, sampled in turn."""
    return {name: m.least for name, m in interleaved_halves(contenders, effort).items()}
