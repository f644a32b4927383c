"""Which sums are fine enough to be divided by what was seen of the weights."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from pyconv._engine.algorithms import ALGORITHMS
from pyconv._engine.algorithms.base import WeightDependentAlgorithm, may_be_local
from pyconv._engine.machine import MACHINE
from pyconv._engine.planning import BoundProblem as Bound
from pyconv._engine.problem import Problem

#: The error of an algorithm that is no plain sum is a part of Σ|w|, whatever was seen of it, and
#: the division makes it larger. Where less than this part was seen the sums are made once more:
#: plainly, or in double precision where plain sums would take more than this many times as long.
THIN = 1 / 64
AFFORDABLE = 2
#: The part of its samples below which a tile is not transformed in single precision, for most of
#: its outputs would be of low coverage: on average they see that part of the weights.
SPARSE = THIN / 2


def is_transformed(bound: Bound) -> bool:
    """Return whether what runs is no plain sum of products."""
    return bound.algorithm.rejects(replace(bound.problem, rtol=0.0)) is not None


def is_local(bound: Bound) -> bool:
    """Return whether the error of each output is a part of Σ|x||w| over its own window."""
    algorithm = bound.algorithm
    return (may_be_local(algorithm) and algorithm.is_local) or not is_transformed(bound)


@lru_cache(256)
def is_affordable(problem: Problem, name: str) -> bool:
    """Return whether plain sums take little more time than an algorithm."""
    least = min(a.cost(problem, MACHINE) for a in ALGORITHMS if a.name == name)
    plainly = replace(problem, rtol=0.0)
    plain = [
        a.cost(plainly, MACHINE)
        for a in ALGORITHMS
        if a.rejects(plainly) is None and not isinstance(a, WeightDependentAlgorithm)
    ]
    return min(plain) <= AFFORDABLE * least
