"""each_phase: outputs between two rates of samples, each phase by an algorithm of correlations.

    y[r + k·up] = Σ_j x[k·down + j·e + f] · w[u₀ + j·step]

A phase is a problem with a whole stride (`phases.py`). Its outputs are made beside the result, and
copied to their places.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from pyconv._engine.algorithms import arranged
from pyconv._engine.algorithms.base import Algorithm, Copies, Run
from pyconv._engine.algorithms.phases import Phase, phases_of
from pyconv._engine.machine import Machine
from pyconv._engine.problem import Problem

#: Phases whose plans are worth their tables.
MOST = 1024


class EachPhase:
    """Each phase of the outputs by another algorithm, whose name it has."""

    def __init__(self, algorithm: Algorithm) -> None:
        self._algorithm = algorithm
        self.name = algorithm.name

    def _on(self, phase: Problem) -> Algorithm:
        """Return the algorithm, on the arrays of a phase as they are best seen."""
        return arranged.arranged(self._algorithm, phase)

    def rejects(self, problem: Problem) -> str | None:
        """Return why the algorithm cannot take a phase."""
        (a,) = problem.spatial
        if min(a.up, a.out) > MOST:
            return f"the stride has {a.up} phases, more than {MOST}"
        reasons = (self._on(p).rejects(p) for p, _ in _kinds(problem))
        return next((reason for reason in reasons if reason is not None), None)

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the time of all phases, and of the copies of their outputs."""
        moved = math.prod(problem.y_shape) * problem.dtype.itemsize
        seconds = 2 * moved / machine.copy_bytes_per_second
        return seconds + sum(n * self._on(p).cost(p, machine) for p, n in _kinds(problem))

    def error_bound(self, problem: Problem) -> float:
        """Return the largest bound of a phase, whose weights are some of all."""
        return max((self._on(p).error_bound(p) for p, _ in _kinds(problem)), default=0.0)

    def workspace(self, problem: Problem) -> int:
        """Return the bytes of the phase that takes the most."""
        return max((self._on(p).workspace(p) for p, _ in _kinds(problem)), default=0) + 4096

    def copies(self, problem: Problem) -> Copies:
        """Return what the algorithm converts, and the outputs of a phase."""
        made = max((self._on(p).copies(p) for p, _ in _kinds(problem)), default=Copies())
        beside = -(-problem.dtype.itemsize // problem.up)
        return made._replace(result=made.result + beside)

    def threads(self, problem: Problem) -> int:
        """Return the threads that the phase of most work can keep busy."""
        return max((self._on(p).threads(p) for p, _ in _kinds(problem)), default=1)

    def bind(self, problem: Problem) -> Run:
        """Return the function that runs the phases one after the other."""
        (a,) = problem.spatial
        made: dict[Problem, Run] = {}
        steps: list[tuple[Phase, slice, Run | None]] = []
        for phase in phases_of(problem):
            run = None
            if phase.taps:
                own = phase.problem(problem)
                if own not in made:
                    made[own] = self._on(own).bind(own)
                run = made[own]
            steps.append((phase, phase.weights(problem), run))
        before = (slice(None),) * a.axis
        most = math.prod(problem.y_shape) // a.out * steps[0][0].outputs

        def run_phases(x: np.ndarray, w: np.ndarray, y: np.ndarray, workers: int) -> None:
            room = np.empty(most, y.dtype)  # fresh memory for each phase would take as long
            for phase, weights, run in steps:
                into = y[(*before, slice(phase.first, None, a.up))]
                if run is None:
                    into[...] = 0
                    continue
                part = room[: into.size].reshape(into.shape)
                run(x, w[weights], part, workers)
                into[...] = part

        return run_phases


@functools.lru_cache(maxsize=4)  # a plan asks for them some times
def _kinds(problem: Problem) -> list[tuple[Problem, float]]:
    """Return problems that stand for all phases with taps, and for how many.

    Of phases with as many taps and outputs one that reads the most before the array, and one behind
    it.
    """
    kinds: dict[tuple[int, int], list[Phase]] = {}
    for phase in phases_of(problem):
        if phase.taps:
            kinds.setdefault((phase.taps, phase.outputs), []).append(phase)
    return [
        (end(phases, key=lambda p: p.sample).problem(problem), len(phases) / 2)
        for phases in kinds.values()
        for end in (min, max)
    ]
