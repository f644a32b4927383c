"""Filters with the signatures of `scipy.ndimage` of arrays that are made a piece at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np

from pyconv._dask.door import answered, is_chunked
from pyconv._engine import threads
from pyconv._engine.dtypes import native_dtype
from pyconv._engine.mosaic import Mosaic
from pyconv._engine.separable_passes import Fused
from pyconv._native import loader
from pyconv._pieces.plan import Array, PiecePlan, Source
from pyconv._pieces.reach import MIXED, Reach, Run
from pyconv._pieces.sums import pixel_reaches
from pyconv.ndimage._whole import part_of

#: Pieces of so many shapes at most are planned once.
MOST_PLANNED = 256
#: Checks the arguments of a filter; returns the array that receives the result, and what writes it.
Plan = Callable[..., tuple[Array, Callable[[Array, Array], None]]]


def filter_pieces(
    plan: Plan, input: Any, output: Any, weights: Any, options: tuple[Any, ...]
) -> Any:
    """Return the plan, or the dask array, of a filter."""
    given = output if isinstance(output, np.ndarray) or is_chunked(output) else None
    if not is_chunked(weights) and weights is not None:
        weights = np.array(weights)
    planned = partial(NdimagePlan, plan, output, weights, options)
    others = (("weights", weights),)
    return answered(planned, input, out=given, argument="input", others=others)


class NdimagePlan(PiecePlan):
    """A filter."""

    def __init__(
        self,
        plan: Plan,
        output: Any,
        weights: Array | None,
        options: tuple[Any, ...],
        source: Source,
    ) -> None:
        self._plan, self._weights, self._options = plan, weights, options
        self._choices: dict[Any, str] = {}
        #: What makes pieces by one run of passes, by the shapes of their windows.
        self._planned: dict[tuple[object, ...], Fused | None] = {}
        windows: list[Any] = []
        # What is read, and in which dtype results are, does not depend on how many samples there
        # are. What does is asked of the whole shape.
        one = np.zeros((1,) * len(source.shape), source.dtype)
        whole = tuple(max(1, n) for n in source.shape)
        with part_of(whole, self._choices, windows):
            y, _ = plan(one, output, weights, *options)
        self._whole = whole
        name = plan.__name__.strip("_").replace("_", "-")
        reaches = _reaches(source, windows)
        for problem, _ in self._choices:
            known = {r.axis for r in reaches}
            axes = [a.axis for a in problem.spatial]
            pixels = pixel_reaches(source.shape, axes, source.dtype)
            reaches += [r for r in pixels if r.axis not in known]
        super().__init__(name, source, reaches, native_dtype(y.dtype))

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: pieces are planned again."""
        return vars(self) | {"_planned": {}}

    def _solve(
        self, block: Array, runs: list[Run], mask: Array | None, workers: int | None
    ) -> Array:
        from pyconv.ndimage._calls import filtered

        fused = self._fused(block, runs)
        if fused is not None:
            return fused(block, None, workers)
        number = nullcontext() if workers is None else threads.block(workers)
        with number, part_of(self._whole, self._choices):
            y = filtered(self._plan, block, self.dtype, self._weights, *self._options)
        return y[tuple(slice(run.first, run.first + run.out) for run in runs)]

    def _solve_mosaic(self, block: Mosaic, runs: list[Run], workers: int | None) -> Array | None:
        fused = self._fused(block, runs)
        return None if fused is None else fused.of_mosaic(block, workers)

    def _fused(self, block: Array | Mosaic, runs: list[Run]) -> Fused | None:
        """Return the passes that make the results alone, None where a filter is more than those."""
        from pyconv.ndimage._weighted_sums import write

        made = tuple((run.first, run.out) for run in runs)
        key = loader.native, block.shape, block.dtype, made
        if key not in self._planned:
            x = np.broadcast_to(np.zeros((), block.dtype), block.shape)
            with part_of(self._whole, self._choices, crop=made):
                _, step = self._plan(x, self.dtype, self._weights, *self._options)
            known = isinstance(step, partial) and step.func is write
            run = step.args[0] if known else None  # type: ignore[attr-defined]
            if len(self._planned) >= MOST_PLANNED:
                return None
            self._planned[key] = run if isinstance(run, Fused) else None
        return self._planned[key]


def _reaches(source: Source, windows: list[Any]) -> list[Reach]:
    """Return what results read along each axis, by all windows."""
    lows, highs = [0] * len(source.shape), [0] * len(source.shape)
    rules: list[set[str]] = [set() for _ in source.shape]
    multiples = [1] * len(source.shape)
    for window in windows:
        for axis, (low, high), rule in zip(
            window.axes, window.pads, window.boundaries, strict=True
        ):
            if low or high:
                lows[axis], highs[axis] = max(lows[axis], low), max(highs[axis], high)
                rules[axis].add(rule)
                if window.blocks:
                    multiples[axis] = int(np.lcm(multiples[axis], low + 1 + high))
    return [
        Reach(
            axis,
            n,
            n,
            low,
            low + 1 + high,
            1,
            _one_rule(found),
            multiple=multiple,
            from_read=True,
        )
        for axis, (n, low, high, found, multiple) in enumerate(
            zip(source.shape, lows, highs, rules, multiples, strict=True)
        )
        if found
    ]


def _one_rule(rules: set[str]) -> str:
    """Return a rule that reads what all of some rules do."""
    if len(rules) == 1:
        return next(iter(rules))
    return MIXED if "wrap" in rules else "mirror"
