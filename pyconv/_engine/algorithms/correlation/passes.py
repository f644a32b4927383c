"""Passes along each axis, for kernels whose factors the caller knows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from pyconv._engine.algorithms.base import Copies, Run, summation_bound
from pyconv._engine.algorithms.correlation.factors import Factors
from pyconv._engine.algorithms.correlation.repairs import largest_sample, shift_into_range
from pyconv._engine.algorithms.correlation.separable import (
    CALL_SECONDS,
    FOLDED_TAP,
    WRITTEN,
    Separable,
    sign_of_image,
)
from pyconv._engine.algorithms.loop_adapters import (
    ABSENT,
    CONVERTED,
    Loop,
    axis_rows,
    bind_loop,
    copies,
    on_real_parts,
    plain_axis,
)
from pyconv._engine.machine import MACHINE, Machine
from pyconv._engine.mosaic import Mosaic
from pyconv._engine.problem import Axis, Problem
from pyconv._native import loader

#: Samples behind the only axis of a kernel from which on they are the columns of a pass.
WIDE_GROUP = 16
#: A line of more taps than this is cut into so many rows, of at least so many samples, or a
#: multiple of them: as many as the vectors of every variant have lanes.
FEW_TAPS, LINE_PIECES, FEWEST_SAMPLES, MAX_SAMPLES = 25, 16, 128, 2**13

#: Kinds of tiles (``product.h``): of a cross, of factors of so many taps along two axes and along
#: three; what is added for three axes, and for float sums in double.
CROSS, PRODUCT_TAPS, DEEP_TAPS, DEEP, WIDE = 1, (3, 5), (3,), 8, 16
#: Samples that float32 holds exactly.
SINGLE = frozenset(map(np.dtype, "bBhHf"))


#: Bytes of a row that is joined of several arrays, at most: as many rows as vectors have lanes are.
MOST_JOINED = 2**16
#: Writes the results of a `Mosaic`, with so many threads; returns whether it could.
RunMosaic = Callable[[Mosaic, np.ndarray, int], bool]


class Form(NamedTuple):
    """A problem of one, two or three axes as the loop takes it."""

    #: z, y and x; an axis of one tap is one that the kernel does not have.
    axes: tuple[Axis, Axis, Axis]
    #: Axes of ``x`` that are looped over.
    batch: tuple[int, ...]
    #: Samples of a pixel.
    group: int
    #: Whether the loop needs ``x`` contiguous.
    contiguous: bool


class Tile(NamedTuple):
    """The tile that sums all passes: the number of its kind (``product.h``), and its weights."""

    kind: int
    weights: np.ndarray


@dataclass(frozen=True, eq=False, slots=True)
class Passes:
    """Passes along each axis, for a kernel whose factors the caller knows.

    Factors that are their own mirror image, or the negative of it, are summed in pairs about the
    centre, in one order everywhere. So a mirrored array gives the mirrored result, and weights
    that are the negative of their image give exactly 0 where samples are equal. Every sum errs
    relative to its own window, as a plain sum does.
    """

    #: An array of shape (rank, taps) for each axis of the kernel, in the order of the axes of
    #: ``x``.
    factors: tuple[np.ndarray, ...]
    #: What sums are divided by, to be means.
    divisor: float = 1.0
    #: Whether results are the lengths of vectors whose components are the products, not their sum.
    lengths: bool = False

    name = "separable"

    def rejects(self, problem: Problem) -> str | None:
        """Return None: the caller knows that the factors are of this problem."""
        del problem
        return None

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the time of a factored kernel; along one axis, of a plain sum of folded taps."""
        if len(self.factors) > 1:
            return Separable(self._known()).cost(problem, machine)
        item = max(4, problem.compute.itemsize)
        return (
            CALL_SECONDS
            + (math.prod(problem.y_shape) * (FOLDED_TAP * problem.spatial[0].taps + WRITTEN))
            * item
            / machine.direct_bytes_per_second
        )

    def error_bound(self, problem: Problem) -> float:
        """Return the bound of a plain sum, which has more roundings."""
        return summation_bound(problem)

    def workspace(self, problem: Problem) -> int:
        """Return the bytes of the strips, and of the copies of a line that is cut into rows."""
        line = 0
        if problem.compute.kind != "c" and _is_line(problem):
            line = problem.spatial[0].size * (problem.compute.itemsize + problem.dtype.itemsize)
        return line + int(self._loop(*on_real_parts(problem))[0].workspace())

    def copies(self, problem: Problem) -> Copies:
        """Return what is converted."""
        return copies(problem, folded=1)

    def threads(self, problem: Problem) -> int:
        """Return the number of threads that are worth waking."""
        return MACHINE.threads_for(self.cost(problem, MACHINE))

    def bind(self, problem: Problem) -> Run:
        """Return the function that runs the compiled loop."""
        return bind_loop(problem, self._bind)

    def _known(self) -> Factors:
        *deep, down, across = self.factors
        return Factors(down, across, 0.0, deep[0][0] if deep else None)

    def _loop(self, real: Problem, parts: int) -> tuple[Any, Form]:
        form, rank = _form(real, parts), len(self.factors[0])
        if (tile := self._tile(real)) is not None:
            return _tile_loop(real, form, tile.kind, wide=False), form
        deep, strips, rings = None, [*range(rank)], [0] * rank
        if len(real.spatial) == 1:
            sides = (np.ones((rank, 1)), self.factors[0])
            down, across = sides if form.axes[2] is real.spatial[0] else sides[::-1]
        elif self.lengths:
            rings, (*others, down, rows) = strips, self.factors
            deep = others[0] if others else None
            across, strips = _distinct(rows)
        elif len(self.factors) == 2:
            down, across = self.factors
        else:
            deep, rings = _distinct(self.factors[0])
            order = sorted(range(rank), key=rings.__getitem__)
            rings, down = sorted(rings), self.factors[1][order]
            across, strips = _distinct(self.factors[2][order])
        loop = loader.native.SeparableLoop(
            real.compute,
            axis_rows(form.axes),
            form.batch,
            math.prod(real.x_shape[a] for a in form.batch),
            form.group,
            None if deep is None else deep.astype(real.compute),
            down.astype(real.compute),
            across.astype(real.compute),
            strips,
            rings,
            self.lengths,
        )
        return loop, form

    def _bind(self, problem: Problem, fill: np.ndarray) -> Loop:
        if _is_line(problem):
            return self._bind_line(problem, fill)
        loop, form = self._loop(problem, len(fill))
        fill = fill if len(fill) == 1 else np.tile(fill, form.group // len(fill))
        down = shift_into_range(problem, self.factors)
        over = None if self.divisor == 1 else np.array([self.divisor], problem.compute)
        tile, wide = self._tile(problem), None
        single = np.asarray(fill, np.float32)
        if (
            tile is not None
            and _is_single(problem)
            and np.array_equal(single, fill, equal_nan=True)
        ):
            wide = _tile_loop(problem, form, tile.kind, wide=True)

        def summable(
            x: np.ndarray, y: np.ndarray, outside: np.ndarray, clip: bool, workers: int
        ) -> bool:
            if tile is None:
                return bool(loop.run(x, y, outside, clip, workers, True, over))
            if wide is not None and y.dtype == np.float32 and outside is fill:
                w = tile.weights.view(np.float32)
                return bool(wide.run(x, w, y, single, clip, workers, None, over))
            return bool(loop.run(x, tile.weights, y, outside, clip, workers, None, over))

        def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, clip: bool, workers: int) -> None:
            del w
            if form.contiguous:
                x = np.ascontiguousarray(x)
            if summable(x, y, fill, clip, workers) or x.dtype.kind != "f":
                return
            if y.dtype.kind == "f" and largest_sample(x) >= down.limit:
                # A sum of two samples might leave the range of the dtype.
                x, outside = (np.ldexp(part, -down.shift) for part in (x, fill))
                summable(x, y, outside, clip, workers)
                with np.errstate(all="ignore"):
                    np.ldexp(y, down.shift, out=y)

        return run

    def sums_at_once(self, problem: Problem) -> bool:
        """Return whether one loop makes the whole sum.

        A cross of three axes has the bits of its terms one by one, with strides and without: no
        other loop than its tile makes it.
        """
        if len(self.factors) < 3 or len(self.factors[0]) == 1 or not _is_cross(self.factors):
            return True
        return self._tile(on_real_parts(problem)[0]) is not None

    def _tile(self, real: Problem) -> Tile | None:
        """Return the tile that sums all passes, None if there is none."""
        rank, taps = self.factors[0].shape
        deep = DEEP if len(self.factors) == 3 else 0
        if (
            len(self.factors) == 1
            or self.lengths
            or real.compute.kind != "f"
            or any(a.stride * a.dilation != 1 for a in real.spatial)
            or any(rows.shape[1] != taps for rows in self.factors)
            or taps not in (DEEP_TAPS if deep else PRODUCT_TAPS)
        ):
            return None
        singles: tuple[float, ...] = () if deep else (1.0, 1.0)
        rows = [factor[0] for factor in self.factors]
        if rank > 1:
            if taps != 3 or not _is_cross(self.factors):
                return None
            rows = [factor[i] for i, factor in enumerate(self.factors)]
            if not deep:
                singles = self.factors[1][0, 1], self.factors[0][1, 1]
        signs = [sign_of_image(row) for row in rows]
        if 0 in signs:
            return None
        # Along x first.
        weights = np.concatenate([*rows[::-1], signs[::-1], singles])
        return Tile((taps if rank == 1 else CROSS) + deep, weights.astype(real.compute))

    def bind_mosaic(self, problem: Problem) -> RunMosaic | None:
        """Return the function that sums samples as they lie in several arrays.

        It returns whether it could. None where the loop reads no such samples: the last two axes
        are to be filtered.
        """
        axes, ndim = sorted(a.axis for a in problem.spatial), len(problem.x_shape)
        sums, most = problem.compute, problem.x_shape[-1] * problem.x_dtype.itemsize
        if (
            axes[-2:] != [ndim - 2, ndim - 1]
            or sums.kind == "c"
            or most > MOST_JOINED
            or problem.x_dtype == np.float16
            or problem.dtype in CONVERTED
            or 0 in problem.y_shape
            or self._tile(problem) is not None
        ):
            return None
        loop, form = self._loop(problem, 1)
        assert form.group == 1
        with np.errstate(all="ignore"):
            fill = np.array([problem.fill_value]).astype(sums)
        over = None if self.divisor == 1 else np.array([self.divisor], sums)
        clip = problem.overflow == "saturate"

        def run(x: Mosaic, y: np.ndarray, workers: int) -> bool:
            if x.rows is None or x.dtype != problem.x_dtype:
                return False
            summable = loop.run_joined(x.arrays[0], x.rows, y, fill, clip, workers, True, over)
            return bool(summable) or x.dtype.kind != "f"

        return run

    def _bind_line(self, problem: Problem, fill: np.ndarray) -> Loop:
        """Cut a long line into rows that overlap: the loop sums as many of them as it has lanes."""
        a = problem.spatial[0]
        rows, length = _cut_line(a)
        size = length + a.span - 1
        inside = replace(a, axis=1, size=size, low=0, high=0, out=length)
        run = self._bind(
            replace(
                problem,
                x_shape=(rows, size),
                y_shape=(rows, length),
                spatial=(inside,),
            ),
            fill,
        )
        before, after = a.outside()

        def run_line(x: np.ndarray, w: np.ndarray, y: np.ndarray, clip: bool, workers: int) -> None:
            line = x.reshape(-1)
            padded = np.zeros(rows * length + a.span - 1, problem.compute)
            for part, index in (
                (padded[: a.low], before),
                (padded[a.low + a.size : a.low + a.size + a.high], after),
            ):
                part[...] = np.where(index < 0, fill[0], line[index])
            padded[a.low : a.low + a.size] = line
            pieces = np.lib.stride_tricks.as_strided(
                padded, (rows, size), (length * padded.itemsize, padded.itemsize)
            )
            exactly = rows * length == a.out
            total = y.reshape(rows, length) if exactly else np.empty((rows, length), y.dtype)
            run(pieces, w, total, clip, workers)
            if not exactly:
                y.reshape(-1)[...] = total.reshape(-1)[: a.out]

        return run_line


def _distinct(rows: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Return the rows that differ, and which of them each row is."""
    keys = [row.tobytes() for row in rows]
    first = [*dict.fromkeys(keys)]
    return np.stack([rows[keys.index(key)] for key in first]), [first.index(key) for key in keys]


def _is_cross(factors: tuple[np.ndarray, ...]) -> bool:
    """Return whether each of some terms of three taps goes along an axis of its own, in order.

    Of three axes the weight along the others is 1.
    """
    return len(factors[0]) == len(factors) and all(
        i == axis or (not row[::2].any() and (len(factors) == 2 or row[1] == 1))
        for axis, rows in enumerate(factors)
        for i, row in enumerate(rows)
    )


def _is_single(problem: Problem) -> bool:
    """Return whether samples and results are float32 where the sums are double."""
    return (
        problem.compute == np.float64
        and problem.dtype == np.float32
        and problem.x_dtype.newbyteorder("=") in SINGLE
    )


def _tile_loop(real: Problem, form: Form, kind: int, *, wide: bool) -> Any:
    """Return the loop of tiles of a kind. Along three axes their rows are planes."""
    z, y, x = form.axes
    axes = (y, z, x) if kind & DEEP else (z, y, x)
    n_batch = math.prod(real.x_shape[a] for a in form.batch)
    return loader.native.DirectLoop(
        np.dtype(np.float32) if wide else real.compute, axis_rows(axes), (-1, -1, 0), form.batch,
        n_batch, form.group, line=False, shared=False, flip=False,
        product=kind + WIDE if wide else kind,
    )  # fmt: skip


def _is_line(problem: Problem) -> bool:
    """Return whether a problem is a single line of a wide kernel, longer than its pieces."""
    a = problem.spatial[0]
    return (
        len(problem.spatial) == 1
        and math.prod(problem.x_shape) == a.size
        and a.taps > FEW_TAPS
        and min(a.low, a.high) >= 0
        and a.out >= LINE_PIECES * max(2 * a.taps, FEWEST_SAMPLES)
    )


def _cut_line(a: Axis) -> tuple[int, int]:
    """Return into how many rows a line is cut, and their outputs."""
    pieces = LINE_PIECES
    while a.out >= 2 * pieces * max(4 * a.taps, MAX_SAMPLES):
        pieces *= 2
    return pieces, -(-a.out // pieces)


def _form(real: Problem, parts: int) -> Form:
    """Cast a real problem, or samples that are parts of a complex one."""
    axes = sorted(real.spatial, key=lambda a: a.axis)
    last = axes[-1].axis
    batch = [a for a in range(last) if all(s.axis != a for s in axes)]
    group = math.prod(real.x_shape[last + 1 :])
    trailing = len(real.x_shape) - 1 - last
    if len(axes) == 1:
        if group >= WIDE_GROUP * parts:  # the columns are the axes behind
            # Fill values of two parts need them in one pixel.
            columns = plain_axis(len(real.x_shape) - 1, group // parts)
            return Form((ABSENT, axes[0], columns), tuple(batch), parts, trailing > 1)
        if batch:  # rows are lines of another axis
            rows = batch.pop()
            axes.insert(0, plain_axis(rows, real.x_shape[rows]))
    z, y, x = [ABSENT] * (3 - len(axes)) + axes
    return Form((z, y, x), tuple(batch), group, group > 1)
