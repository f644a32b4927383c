"""The planner of every kind of problem: which algorithms could run, which one does, what is kept.

A kind of problem has a list of algorithms and a `Planner` of them. `planning` has that of
correlations; `layer_planning` has those of layers and of their gradients for the weights.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from pyconv._engine.explanation_table import Candidate
from pyconv._engine.machine import MACHINE, Machine, are_plausible, cpu_name
from pyconv._engine.threads import ForkedLock
from pyconv._engine.wisdom import Wisdom, add
from pyconv._native import loader

#: `tune` times no algorithm that is predicted to take longer than this many times the least.
NEAR = 5.0
#: For each algorithm: seconds to go on timing, and samples at least.
SECONDS, MIN_SAMPLES = 0.1, 3

T = TypeVar("T")


class PlannedProblem(Protocol):
    """What the planner reads of a problem."""

    @property
    def max_memory(self) -> float:
        """Bytes of workspace that all threads together may take."""
        ...


class RatedAlgorithm(Protocol):
    """What the planner asks an algorithm of any kind."""

    name: str

    def rejects(self, problem: Any) -> str | None:
        """Return why the algorithm cannot solve ``problem``, or None if it can."""
        ...

    def cost(self, problem: Any, machine: Machine) -> float:
        """Return the predicted time in seconds on one thread."""
        ...


ProblemT = TypeVar("ProblemT", bound=PlannedProblem)
AlgorithmT = TypeVar("AlgorithmT", bound=RatedAlgorithm)


# ---- what was found before ----------------------------------------------------------------------


class Cache:
    """The last plans of one kind, by everything that decides them, the oldest first."""

    __slots__ = ("_limit", "found")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        #: Calls look here themselves: a method would take a twentieth of a small call.
        self.found: dict[Any, Any] = {}

    def keep(self, key: Hashable, plan: T) -> T:
        """Keep a plan, and forget the oldest ones of too many."""
        with _lock:
            while len(self.found) >= self._limit:
                del self.found[next(iter(self.found))]
            self.found[key] = plan
        return plan

    def get(self, key: Hashable, planned: Callable[..., T], *arguments: Any) -> T:
        """Return what was planned before under ``key``, or plan it from the arguments.

        What cannot be a key, a list among the options, say, is planned each time.
        """
        try:
            plan: T | None = self.found.get(key)
        except TypeError:
            return planned(*arguments)
        return self.keep(key, planned(*arguments)) if plan is None else plan


_lock = ForkedLock()
#: Correlations and whatever else a call plans once; layers and their gradients.
CALLS, LAYERS = Cache(256), Cache(256)
#: ``kept(key, planned, *arguments)``, of which the first entry of the key says what is planned.
kept = CALLS.get
#: Weights of one correlation whose plans are kept.
MAX_WEIGHTS = 8


def clear_cache() -> None:
    """Forget the plans of every kind."""
    with _lock:
        CALLS.found.clear()
        LAYERS.found.clear()


def machine_key() -> str:
    """Return the words by which wisdom knows this machine and the loops in use."""
    return f"{loader.native.ISA} on {cpu_name()}"


def _take_rates(entries: Mapping[str, str]) -> None:
    """Predict by the rates among the entries, if they are of this machine."""
    rates: Any = {}
    with contextlib.suppress(ValueError, RecursionError):
        rates = json.loads(entries.get(machine_key(), "{}"))
    MACHINE.take(rates if are_plausible(rates) else {})


#: What timing has found, which goes before predictions.
WISDOM = Wisdom(_take_rates)


# ---- the choice ---------------------------------------------------------------------------------


class Planner(Generic[ProblemT, AlgorithmT]):
    """The choice among the algorithms of one kind of problem.

    A subclass says what is the kind's own: whose cost decides, what an algorithm takes of
    `max_memory`, by which words wisdom knows a problem.

    Parameters
    ----------
    algorithms : tuple
        The algorithms; of equal costs the first one wins.
    """

    #: What messages call a problem of the kind.
    noun = "problem"

    def __init__(self, algorithms: tuple[AlgorithmT, ...]) -> None:
        self.algorithms = algorithms
        #: The words for ``method=``.
        self.methods = ("auto", *(a.name for a in algorithms))

    # What is the kind's own.

    def item(self, problem: ProblemT) -> ProblemT:
        """Return the problem of one item of a batch, whose cost decides for all."""
        raise NotImplementedError

    def workspace(self, algorithm: AlgorithmT, problem: ProblemT) -> int:
        """Return the bytes that one thread needs besides the arrays."""
        raise NotImplementedError

    def known_as(self, problem: ProblemT) -> ProblemT:
        """Return the problem that wisdom remembers in the place of this one."""
        return problem

    def fitted(
        self, algorithm: AlgorithmT, problem: ProblemT, w: np.ndarray | None
    ) -> AlgorithmT | str:
        """Return the algorithm as it would run, or why it cannot."""
        reason = algorithm.rejects(problem)
        return algorithm if reason is None else reason

    def able(
        self, problem: ProblemT, w: np.ndarray | None, fastest: str | None
    ) -> list[AlgorithmT]:
        """Return the algorithms that ``auto`` chooses among; one of them is ``fastest``."""
        return self._fitted(problem, w)

    # What all kinds have in common.

    def _fitted(self, problem: ProblemT, w: np.ndarray | None) -> list[AlgorithmT]:
        fits = (self.fitted(a, problem, w) for a in self.algorithms)
        return [fit for fit in fits if not isinstance(fit, str)]

    def description(self, problem: ProblemT) -> str:
        """Return the words by which wisdom knows a problem, the loops that run it among them."""
        return f"{loader.native.ISA} {self.known_as(problem)}"

    def fastest(self, problem: ProblemT) -> str | None:
        """Return the algorithm that `tune` has found for a problem, None if it has not."""
        return WISDOM.get(self.description(problem)) if WISDOM.known() else None

    def check_method(self, method: object) -> str:
        """Return ``method``; ValueError for a word that is unknown."""
        if not isinstance(method, str) or method not in self.methods:
            raise ValueError(f"method={method!r} is unknown; allowed are {', '.join(self.methods)}")
        return method

    def candidates(
        self, problem: ProblemT, method: str = "auto", w: np.ndarray | None = None
    ) -> list[AlgorithmT]:
        """Return the algorithms that could run, the best first, whatever memory they take.

        Raises
        ------
        ValueError
            If ``method`` is unknown, or forces an algorithm that rejects the problem.
        MemoryError
            If it forces an algorithm that rejects `max_memory`.
        """
        self.check_method(method)
        if method != "auto":
            named = next(a for a in self.algorithms if a.name == method)
            forced = self.fitted(named, problem, w)
            if isinstance(forced, str):
                if not isinstance(self.fitted(named, self.unlimited(problem), w), str):
                    raise shortage(problem.max_memory, self.least_memory(problem, method, w))
                raise ValueError(f"method={method!r} cannot solve this {self.noun}: {forced}")
            return [forced]
        fastest, item = self.fastest(problem), self.item(problem)
        able = self.able(problem, w, fastest)
        able.sort(key=lambda a: a.cost(item, MACHINE))
        if fastest is not None:
            able.sort(key=lambda a: a.name != fastest)
        return able

    def choose(
        self, problem: ProblemT, method: str = "auto", w: np.ndarray | None = None
    ) -> AlgorithmT:
        """Return the best algorithm among those that `max_memory` is enough for.

        Without ``w`` it is one that takes any weights.

        Raises
        ------
        ValueError
            If ``method`` is unknown, or forces an algorithm that rejects the problem, or all do.
        MemoryError
            If no algorithm, or the one that is forced, can do with `max_memory`.
        """
        able = self.candidates(problem, method, w)
        if not able:
            raise ValueError(f"no algorithm can solve this {self.noun}")
        if problem.max_memory == math.inf:
            return able[0]
        for algorithm in able:
            if self.workspace(algorithm, problem) <= problem.max_memory:
                return algorithm
        raise shortage(problem.max_memory, self.least_memory(problem, method, w))

    def unlimited(self, problem: ProblemT) -> ProblemT:
        """Return the problem with memory for what an algorithm may reject it for."""
        return problem

    def least_memory(
        self, problem: ProblemT, method: str = "auto", w: np.ndarray | None = None
    ) -> int:
        """Return the least `max_memory` that would do for a problem that has too little."""
        return min(self.workspace(a, problem) for a in self.candidates(problem, method, w))

    def explained(
        self, problem: ProblemT, method: str, chosen: str, w: np.ndarray | None = None
    ) -> tuple[Candidate, ...]:
        """Return the rows of the table of all algorithms, of which ``chosen`` runs."""
        return tuple(self._row(a, problem, method, chosen, w) for a in self.algorithms)

    def _row(
        self, named: Any, problem: ProblemT, method: str, chosen: str, w: np.ndarray | None
    ) -> Candidate:
        algorithm: Any = self.fitted(named, problem, w)
        if isinstance(algorithm, str):
            return Candidate(named.name, algorithm, False, None, None, None)
        rejected, workspace = None, self.workspace(algorithm, problem)
        if workspace > problem.max_memory:
            rejected = f"it needs {workspace} bytes, more than max_memory={problem.max_memory}"
        elif method not in ("auto", algorithm.name):
            rejected = f"method={method!r} is forced"
        return Candidate(
            algorithm.name,
            rejected,
            algorithm.name == chosen,
            workspace,
            algorithm.error_bound(problem),
            algorithm.cost(problem, MACHINE),
        )

    def tune(
        self,
        problem: ProblemT,
        runner: Callable[[str], Callable[[], object]],
        w: np.ndarray | None,
        file: Path | None,
    ) -> dict[str, float]:
        """Time the algorithms near the best, and take the fastest from now on.

        ``runner`` returns the function that runs the problem by the algorithm of a name. Return
        the least seconds of each, the fastest first.
        """
        able = [
            a for a in self._fitted(problem, w) if self.workspace(a, problem) <= problem.max_memory
        ]
        longest = NEAR * min((a.cost(problem, MACHINE) for a in able), default=0.0)
        near = [a.name for a in able if a.cost(problem, MACHINE) <= longest]
        times = least_seconds({name: runner(name) for name in near})
        fastest = next(iter(times), None)
        if fastest is not None:
            known = self.description(problem)
            WISDOM.remember(known, fastest)
            clear_cache()  # plans were made without it
            if file is not None:
                add(file, known, fastest)
        return times


def shortage(max_memory: float, least: int) -> MemoryError:
    """Return the error of a `max_memory` that is too little; its ``least`` is the number."""
    error = MemoryError(
        f"max_memory={max_memory} is too little workspace for this problem; "
        f"the least that would do is {least} bytes"
    )
    vars(error)["least"] = least
    return error


def shortage_beside(max_memory: float, least: int) -> MemoryError:
    """Return the error of a `max_memory` of which a call takes more than can be said beforehand.

    `least` is a bound from below, and more than `max_memory`.
    """
    return MemoryError(
        f"max_memory={max_memory} is too little workspace to leave samples out; "
        f"the least that would do is at least {least} bytes"
    )


def least_seconds(runs: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return the least seconds of each run, sampled in turn, the fastest first."""
    best = dict.fromkeys(runs, math.inf)
    spent = dict.fromkeys(runs, 0.0)
    for run in runs.values():
        run()  # code and tables are fetched
    rounds = 0
    while runs and (rounds < MIN_SAMPLES or min(spent.values()) < SECONDS):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds = time.perf_counter() - start
            best[name] = min(best[name], seconds)
            spent[name] += seconds
        rounds += 1
    return dict(sorted(best.items(), key=lambda pair: pair[1]))
