"""fft: y = ifft(fft(x) · H) on overlapping tiles (overlap-save).

A tile of N points along each axis gives the N − span + 1 outputs whose windows do not wrap round
it. This file chooses the tile, and makes the tables that its transforms read: twiddles, and for
one dimension the factors that join the steps of one long transform.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from pyconv._engine.algorithms.base import (
    Copies,
    Left,
    Normalisation,
    Omit,
    Run,
    UnfitDataError,
    summation_cost,
)
from pyconv._engine.algorithms.columns import (
    Columns,
    apart_seconds,
    copied_bytes,
    items_at_once,
    part_of,
)
from pyconv._engine.algorithms.loop_adapters import (
    ABSENT,
    Loop,
    axis_rows,
    bind_loop,
    copies,
    on_real_parts,
)
from pyconv._engine.algorithms.quiet import QuietOutputs
from pyconv._engine.dtypes import is_integer
from pyconv._engine.machine import MACHINE, Machine
from pyconv._engine.problem import Problem
from pyconv._native import loader

#: Lengths of a transform, with the radices that go before a last radix of 8. From 16 on each is at
#: most half as long again as the one before, and takes as few passes as it can.
LENGTHS: dict[int, tuple[int, ...]] = {
    8: (),
    16: (2,),
    24: (3,),
    32: (4,),
    40: (5,),
    48: (3, 2),
    64: (8,),
    80: (5, 2),
    96: (3, 4),
    128: (4, 4),
    160: (5, 4),
    192: (3, 8),
    256: (4, 8),
    320: (5, 8),
    384: (3, 4, 4),
    512: (8, 8),
    640: (5, 4, 4),
    768: (3, 4, 8),
    1024: (4, 4, 8),
    1280: (5, 4, 8),
    1536: (3, 8, 8),
    2048: (4, 8, 8),
}
LONGEST = max(LENGTHS)
#: In three dimensions, lengths of each axis that are tried together.
FEW_LENGTHS = 5
#: Predicted times, in stages along one axis, there and back. Fitted on a Zen 4 core with AVX-512
#: to tiles of 64² to 512², 32³ to 160·96² and lines of 2⁹ to 2¹⁹ points, within a fifth.
#: For each point: transposing and the product with the spectrum,
POINT_STAGES = 2.25
#: for each row of a tile, which is filled and drained at once;
ROW_STAGES = 175
#: for each point, the turns of a line,
LINE_STAGES = 0.75
#: and a stage along z, whose points are a plane apart;
DEPTH_STAGES = 1.5
#: for each doubling of the tile beyond the cache, a part more of all that;
FAR_SHARE = 0.1
#: for each output, reading samples and writing results.
OUTPUT_STAGES = 2.2
#: and for each call, seconds.
CALL_SECONDS = 6e-6
#: No tile takes fewer stages for each output.
MIN_STAGES = 4.5
#: Rows of samples that go into a tile at once, as the loop has it.
ROWS_AT_ONCE = 4
#: What is judged beside the classes of a tile's samples: counts, and what is taken out of it.
JUDGING_BYTES = 96 << 10
#: What is listed for each tile: the boxes of its quiet outputs, and whether there are any.
LISTED_BYTES = 8 * 6 * 8 + 1
#: Leading bits of the sizes of problems of quiet outputs that tiles are looked for by.
COARSE_BITS = 3
#: Weights of other magnitudes are scaled, so that no product leaves the range of float32.
WEIGHT_EXPONENTS = range(-39, 21)


class Tile(NamedTuple):
    """Points along z, y and x. In one dimension rows follow each other."""

    lengths: tuple[int, int, int]
    line: bool

    @property
    def points(self) -> int:
        """The points of the transform."""
        return math.prod(self.lengths)


class Size(NamedTuple):
    """What decides the tile of a problem."""

    #: Outputs of stride 1, and the samples that a window spans, along z, y and x.
    outputs: tuple[int, ...]
    spans: tuple[int, ...]
    batch: int
    item: int
    lanes: int
    most_bytes: int


#: Weights as they are given; as the loop takes them; the exponent of the scale of these.
Weights = tuple[np.ndarray, np.ndarray, int]


class Fft:
    """Overlap-save by the transforms of `_native/fft.h`."""

    name = "fft"

    def rejects(self, problem: Problem) -> str | None:
        """Return why the transforms cannot take the problem, or are not granted their error."""
        if problem.exact or is_integer(problem.dtype):
            return "a transform rounds, and integer results are exact"
        if not np.isfinite(problem.fill_value) and problem.reads_fill:
            return f"fill_value={problem.fill_value!r} would reach every output of a tile"
        longest = max(a.span for a in problem.spatial)
        most = LONGEST**2 // 2 if len(problem.spatial) == 1 else LONGEST
        if longest > most:
            return f"the kernel spans {longest} samples of an axis, more than {most}"
        if (too_wide := problem.tables_exceed()) is not None:
            return too_wide
        if problem.rtol is not None and problem.rtol < self.error_bound(problem):
            return (
                f"its proven error bound of {self.error_bound(problem):.2g} "
                f"is more than rtol={problem.rtol:g}"
            )
        return None

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the time of the transforms of all tiles, and of the weights'."""
        size, runs = _size_of(problem)
        outputs = math.prod(size.outputs) * size.batch * size.item
        moved = math.prod(problem.x_shape) * size.item / machine.copy_bytes_per_second
        least = CALL_SECONDS + max(moved, outputs * MIN_STAGES / machine.fft_rate)
        apart = apart_seconds(part_of(*on_real_parts(problem)), machine)
        if summation_cost(problem, machine) < runs * (least + apart):
            return runs * (least + apart)  # a plain sum is faster than any tile: look for none
        return runs * (max(least, _seconds(size, _tile_of(size), machine)) + apart)

    def error_bound(self, problem: Problem) -> float:
        """Return 10 ε · log₂ N · √(2N) for tiles of N points, three times that for complex data.

        Higham, "Accuracy and Stability of Numerical Algorithms", section 24.1, bounds the error
        of a transform by a multiple of ε · log₂ N of its norm, for these radices below 1.5. Those
        of the two spectra that are multiplied give 3 ε · log₂ N · ‖x‖₂‖w‖₂ in every output (by
        Cauchy and Schwarz), the transform back 1.5 ε · log₂ N · ‖x‖₂‖w‖₁, the product less than
        the rest; and ‖x‖₂ is at most 2 √(2N) max|x| for two tiles in one, which are scaled by
        powers of two. A part of a complex result is the sum of two real ones.
        """
        size, _ = _size_of(problem)
        points = _tile_of(size).points
        eps = float(np.finfo(problem.dtype).eps)
        complex_ = 3 if problem.dtype.kind == "c" else 1
        return complex_ * 10 * eps * math.log2(points) * math.sqrt(2 * points)

    def workspace(self, problem: Problem) -> int:
        """Return the bytes of the spectrum and of one thread's tile."""
        size, _ = _size_of(problem)
        return _workspace(size, _tile_of(size)) + copied_bytes(part_of(*on_real_parts(problem)))

    def copies(self, problem: Problem) -> Copies:
        """Return what is converted."""
        return copies(problem)

    def threads(self, problem: Problem) -> int:
        """Return the number of threads that are worth waking."""
        return MACHINE.threads_for(self.cost(problem, MACHINE))

    def bind(self, problem: Problem) -> Run:
        """Return the function that runs the compiled loop."""
        return bind_loop(problem, _bind)

    def omission_workspace(self, problem: Problem) -> int:
        """Return the bytes of the spectrum and of one thread's tile, and of a row of it."""
        size, _ = _size_of(problem)
        tile = _tile_of(size)
        judging = _judging_bytes(tile)
        return _bytes(size, tile) + judging + tile.lengths[2] * size.item + 8 * size.batch

    def bind_omission(self, problem: Problem, normalisation: Normalisation) -> Omit:
        """Return the function that runs the compiled loop with gaps: one tile to a transform."""
        loop = _loop(problem, 1)
        order = _axis_order(problem)
        gaps = (
            normalisation.sign,
            normalisation.total,
            normalisation.thin,
            normalisation.sparse,
            normalisation.refilling,
        )

        def run(
            x: np.ndarray,
            mask: np.ndarray | None,
            w: np.ndarray,
            y: np.ndarray,
            nan: bool,
            workers: int,
        ) -> Left:
            w, exponent = _laid_out(w, order, problem.flip)
            fill = problem.fill_value
            left = loop.run(x, w, y, fill, exponent, False, workers, (mask, nan, *gaps))
            if left < 0:
                raise UnfitDataError
            return Left(left)

        return run


# ---- the tile -------------------------------------------------------------------------------


def _size_of(problem: Problem) -> tuple[Size, int]:
    """Return what decides the tile, and how often the loop runs for all parts of x and w."""
    real, parts = on_real_parts(problem)
    return _size_of_real(real, parts), parts * (2 if problem.w_dtype.kind == "c" else 1)


def _size_of_real(real: Problem, parts: int) -> Size:
    axes = sorted(real.spatial, key=lambda a: a.axis)
    spatial = math.prod(a.size for a in axes)
    compute = real.compute
    assert compute is not None
    return Size(
        tuple((a.out - 1) * a.stride + 1 for a in axes),
        tuple(a.span for a in axes),
        math.prod(real.x_shape) // spatial // parts,
        compute.itemsize,
        loader.native.fft_lanes(compute),
        real.max_memory,
    )


@functools.lru_cache(maxsize=256)
def _tile_of(size: Size) -> Tile:
    """Return the tile of least predicted time for one item; the smallest if none fits the memory.

    An item of a batch has the tile, and so the bits, that it has alone.
    """
    alone = size._replace(batch=1)
    tiles = _line_tiles(size) if len(size.spans) == 1 else _block_tiles(size)
    fitting = [t for t in tiles if _workspace(size, t) <= size.most_bytes]
    if fitting:
        return min(fitting, key=lambda t: _seconds(alone, t, MACHINE))
    return min(tiles, key=lambda t: _workspace(size, t))


def _line_tiles(size: Size) -> list[Tile]:
    """Return the tiles of one long transform, about as many rows as columns."""
    (span,), need = size.spans, size.outputs[0] + size.spans[0] - 1
    lengths = [n for n in LENGTHS if n % size.lanes == 0]
    tiles = [
        Tile((1, y, x), line=True)
        for y, x in itertools.product(lengths, repeat=2)
        if y <= x <= 4 * y and span <= y * x
    ]
    longer = min((t.points for t in tiles if t.points >= need), default=tiles[-1].points)
    return [t for t in tiles if t.points <= longer]


def _block_tiles(size: Size) -> list[Tile]:
    """Return the tiles that the kernel fits into, none much longer than the array."""
    choices = []
    for i, (outputs, span) in enumerate(zip(size.outputs, size.spans, strict=True)):
        in_vectors = i >= len(size.spans) - 2
        lengths = [n for n in LENGTHS if n >= span and (n % size.lanes == 0 or not in_vectors)]
        longer = min((n for n in lengths if n >= outputs + span - 1), default=lengths[-1])
        lengths = [n for n in lengths if n <= longer]
        if len(size.spans) == 3:  # all of them would be thousands of tiles
            work = {n: -(-outputs // (n - span + 1)) * n for n in lengths}
            lengths = [lengths[0], *sorted(lengths[1:], key=lambda n: work[n])[:FEW_LENGTHS]]
        choices.append(lengths)
    if len(choices) == 2:
        return [Tile((1, y, x), line=False) for y, x in itertools.product(*choices)]
    return [Tile((z, y, x), line=False) for z, y, x in itertools.product(*choices)]


def _bytes(size: Size, tile: Tile) -> int:
    """Return the bytes that one thread takes, as the loop lays them out."""
    z, y, x = tile.lengths
    tables = (4 if tile.line else 2) * tile.points  # the spectrum, and the turns of a line
    padded = z * (x * 2 * (y + 1) + 2 * size.lanes)
    rows = x * (2 * size.lanes + ROWS_AT_ONCE)
    return (tables + padded + rows) * size.item + 16 * size.batch + 512


def _judging_bytes(tile: Tile) -> int:
    """Return the bytes that one thread takes for a tile whose samples differ much, at most."""
    return 5 * tile.points + JUDGING_BYTES


def _workspace(size: Size, tile: Tile) -> int:
    """Return the bytes that one thread takes, and what is listed for the tiles of an item.

    Tiles of few outputs need little memory each, but are many.
    """
    return _bytes(size, tile) + _judging_bytes(tile) + _tiles(size, tile) * LISTED_BYTES


def _tiles(size: Size, tile: Tile) -> int:
    """Return how many tiles an item takes."""
    lengths = (tile.points,) if tile.line else tile.lengths[-len(size.spans) :]
    tiles = 1
    for i, (outputs, span, n) in enumerate(zip(size.outputs, size.spans, lengths, strict=True)):
        room = n - span + 1
        if i == len(lengths) - 1 and room > size.lanes:  # as the loop's `tile_axis` has it
            room -= room % size.lanes
        tiles *= -(-outputs // room)
    return tiles


def _seconds(size: Size, tile: Tile, machine: Machine) -> float:
    tiles = _tiles(size, tile)
    z, y, x = (len(LENGTHS.get(n, ())) + (n > 1) for n in tile.lengths)
    stages = DEPTH_STAGES * z + y + x + POINT_STAGES + (LINE_STAGES if tile.line else 0)
    stages += ROW_STAGES / tile.lengths[-1]
    stages *= 1 + FAR_SHARE * max(0.0, math.log2(_bytes(size, tile) / machine.cache_bytes))
    # Two tiles of an item to a transform, and about half the work for the spectrum of the weights.
    points = (size.batch * ((tiles + 1) // 2) + 0.5) * tile.points
    outputs = math.prod(size.outputs) * size.batch
    work = points * stages + outputs * OUTPUT_STAGES
    return CALL_SECONDS + work * size.item / machine.fft_rate


# ---- tables ---------------------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def _twiddles(n: int, compute: np.dtype) -> np.ndarray:
    """Return exp(−2πi·j·m / span) of each stage, as pairs of cosine and sine."""
    pairs = [np.empty(0)]
    span = n
    for radix in LENGTHS.get(n, ()):
        j, m = np.arange(span // radix)[:, np.newaxis], np.arange(1, radix)
        angle = -2 * np.pi / span * (j * m)
        pairs.append(np.stack([np.cos(angle), np.sin(angle)], axis=-1).ravel())
        span //= radix
    return np.concatenate(pairs).astype(compute)


def _frequencies(radices: tuple[int, ...]) -> np.ndarray:
    """Return the frequency that each place holds after decimation in frequency."""
    if not radices:
        return np.zeros(1, np.intp)
    radix, *others = radices
    return (np.arange(radix)[:, np.newaxis] + radix * _frequencies(tuple(others))).ravel()


@functools.lru_cache(maxsize=4)
def _turns(rows: int, columns: int, lanes: int, compute: np.dtype) -> np.ndarray:
    """Return exp(−2πi·frequency·column / N), in the order of the tile: what joins two steps."""
    frequencies = _frequencies((*LENGTHS[rows], 8)).reshape(-1, lanes)
    step = -2 * np.pi / (rows * columns) * np.arange(columns)[:, np.newaxis]
    turns = np.empty((len(frequencies), columns, 2, lanes), compute)
    for block, frequency in zip(turns, frequencies, strict=True):
        block[:, 0], block[:, 1] = np.cos(step * frequency), np.sin(step * frequency)
    return turns


# ---- the loop -------------------------------------------------------------------------------


def _loop(real: Problem, parts: int, tile: Tile | None = None) -> Any:
    """Return the compiled loop of a real problem, or of one part of its samples."""
    axes = sorted(real.spatial, key=lambda a: a.axis)
    spatial = {a.axis for a in axes}
    batch = [a for a in range(len(real.x_shape)) if a not in spatial]
    if parts == 2:
        batch.remove(len(real.x_shape) - 1)
    size = _size_of_real(real, parts)
    tile = tile or _tile_of(size)
    _, rows, columns = tile.lengths
    return loader.native.FftLoop(
        real.compute,
        axis_rows([ABSENT] * (3 - len(axes)) + axes),
        batch,
        size.batch,
        [(n, LENGTHS.get(n, ()), _twiddles(n, real.compute)) for n in tile.lengths],
        _turns(rows, columns, size.lanes, real.compute) if tile.line else None,
    )


class Solver(NamedTuple):
    """A bound problem: one part of its samples, or their only one."""

    loop: Any
    quiet: QuietOutputs

    def solve(
        self,
        x: np.ndarray,
        weights: Weights,
        y: np.ndarray,
        fill: np.generic,
        clip: bool,
        workers: int,
    ) -> None:
        """Write all results."""
        w, laid_out, exponent = weights
        boxes = self.loop.run(x, laid_out, y, fill, exponent, clip, workers)
        if len(boxes):
            self.quiet.run(boxes, x, w, y, fill, clip, workers)


def _solver(real: Problem, parts: int = 1) -> Solver:
    return Solver(_loop(real, parts), QuietOutputs(real, parts, _transform, _price))


def _bind(problem: Problem, fill: np.ndarray) -> Loop:
    solver = _solver(problem, len(fill))
    order = _axis_order(problem)
    part = part_of(problem, len(fill))
    count = items_at_once(part)
    columns = Columns(part, count, _solver) if count else None

    def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, clip: bool, workers: int) -> None:
        weights = (w, *_laid_out(w, order, problem.flip))
        parts = [(x, y)] if len(fill) == 1 else [(x[..., i], y[..., i]) for i in range(2)]
        for (x_part, y_part), value in zip(parts, fill, strict=True):

            def solve(s: Solver, x: np.ndarray, y: np.ndarray, value: np.generic = value) -> None:
                s.solve(x, weights, y, value, clip, workers)

            if columns is None or not columns.run(x_part, y_part, solve):
                solve(solver, x_part, y_part)

    return run


def _transform(
    real: Problem, x: np.ndarray, w: np.ndarray, y: np.ndarray, workers: int
) -> np.ndarray:
    """Solve a problem of quiet outputs; return boxes of what is too quiet once more."""
    laid_out, exponent = _laid_out(w, _axis_order(real), real.flip)
    tile = _tile_of(_coarse(_size_of_real(real, 1)))
    boxes = _loop(real, 1, tile).run(x, laid_out, y, real.fill_value, exponent, False, workers)
    return np.asarray(boxes, np.intp).reshape(-1, 7)


def _price(real: Problem) -> tuple[float, int]:
    """Return the predicted seconds of `_transform`, and the bytes of its workspace."""
    size = _size_of_real(real, 1)
    tile = _tile_of(_coarse(size))
    return _seconds(size, tile, MACHINE), _workspace(size, tile) + real.table_bytes


def _coarse(size: Size) -> Size:
    """Return a size no smaller, one of few: a tile is looked for once for many of them."""

    def above(n: int) -> int:
        step = 1 << max(0, n.bit_length() - COARSE_BITS)
        return -(-n // step) * step

    return size._replace(
        outputs=tuple(map(above, size.outputs)), spans=tuple(map(above, size.spans))
    )


def _axis_order(problem: Problem) -> list[int]:
    """Return the axes of the kernel in the order of those of ``x``."""
    return sorted(range(len(problem.spatial)), key=lambda i: problem.spatial[i].axis)


def _laid_out(w: np.ndarray, order: list[int], flip: bool) -> tuple[np.ndarray, int]:
    """Return the weights as the loop takes them, and the exponent of their scale."""
    w, exponent = _scaled(w)
    w = w.transpose(order)
    return np.require(np.flip(w) if flip else w, requirements=["C", "A"]), exponent


def _scaled(w: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the weights times a power of two that keeps products in range, and its exponent."""
    largest = float(np.abs(w).max())
    if not math.isfinite(largest):
        raise UnfitDataError
    _, exponent = math.frexp(largest)
    return (w, 0) if exponent in WEIGHT_EXPONENTS else (np.ldexp(w, -exponent), exponent)
