"""winograd: layers of 3-tap axes by Winograd's minimal filtering, in compiled loops.

Tiles of m × m outputs take (m + 2)² products for each pair of channels instead of 9 m². Taps
along a third axis are summed as further channels. Lavin and Gray, "Fast algorithms for
convolutional neural networks", 2016.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pyconv._engine.boundaries import FILL
from pyconv._engine.layer_problem import LayerProblem
from pyconv._engine.machine import MACHINE, Machine
from pyconv._engine.problem import Axis
from pyconv._native import loader

MAX_WORKSPACE = 256 << 20
#: Weights that would take more are transformed by each thread as it uses them.
MAX_EARLY = 6 << 20

MAX_SPAN = 2**24
#: Rates of samples that are transformed and of weights that are read, in copies. Measured on
#: Zen 4, 3×3 layers of 64 to 512 channels; samples of 1 to 3 channels, which are padded to a
#: vector, move at half the rate of many.
MOVING = 1
STREAMING = 3
#: What a group's call takes besides.
CALL_SECONDS = 1e-6

#: Outputs of a tile along an axis → the bound on |error|, in ε · max over the tile of S = Σ|w||x|.
#: The worst that was seen, over a hundred million results of 1 to 512 channels of normal and of
#: uniform numbers in 1-D, 2-D and 3-D: 12.1 and 4.5, both of a single channel; 3.7 and 4.0 of 16
#: channels and more. A bound that holds whatever the numbers takes Σ_c max|x_c| Σ_u|w_c| over the
#: tile: where a large sample meets only small weights, those of its neighbours count, too.
ERROR = {4: 64, 2: 8}


class Form(NamedTuple):
    """A layer as the compiled loop wants it: tiles along y and x, further taps along z."""

    z: Axis | None
    y: Axis | None
    x: Axis


class Packed(NamedTuple):
    """Transformed weights, one array for each group."""

    groups: tuple[np.ndarray, ...]
    #: The weights as they were, for an algorithm that takes over: see `Bound.run`.
    plain: np.ndarray


def _has_tiles(axis: Axis) -> bool:
    return axis.taps == 3 and axis.stride == axis.dilation == 1


def form_of(problem: LayerProblem) -> Form | str:
    """Cast ``problem``, or say why that cannot be done."""
    *others, x = problem.spatial
    if not _has_tiles(x):
        return (
            f"the last axis has {x.taps} taps, stride {x.stride} and dilation {x.dilation}; "
            "allowed are 3, 1 and 1"
        )
    y = others.pop() if others and _has_tiles(others[-1]) else None
    if len(others) > 1:
        return "two axes have other than 3 taps, stride 1 and dilation 1; allowed is one"
    z = others[0] if others else None
    if z is not None and z.taps > 1 and z.stride > 1:
        return f"an axis of {z.taps} taps has stride {z.stride}; allowed is 1"
    return Form(z, y, x)


def _sources(axis: Axis, length: int) -> np.ndarray:
    """Return the index that each of ``length`` padded coordinates reads, FILL behind the last."""
    before, after = axis.outside()
    inside = np.arange(max(0, -axis.low), axis.size - max(0, -axis.high), dtype=np.intp)
    read = np.concatenate([before, inside, after])[:length]
    return np.concatenate([read, np.full(length - len(read), FILL, np.intp)])


def _table(axis: Axis, tile: int) -> tuple[int, int, np.ndarray]:
    tiles = -(-axis.out // tile)
    return axis.axis, axis.out, _sources(axis, tile * tiles + 2)


class Bound:
    """A layer bound to the loop. Holds no workspace, so that threads may share it."""

    def __init__(self, problem: LayerProblem, tile: int) -> None:
        form = form_of(problem)
        assert not isinstance(form, str), form
        z = (-1, 1, 1, 1, np.zeros(1, np.intp))
        if form.z is not None:
            a = form.z
            if a.taps == 1:
                z = (a.axis, a.out, 1, 1, a.sources(0))
            else:
                z = (a.axis, a.out, a.taps, a.dilation, _sources(a, a.out + a.span - 1))
        y = (-1, 1, np.zeros(1, np.intp)) if form.y is None else _table(form.y, tile)
        a = form.x
        end = max(0, min(a.low + a.size, a.out + 2))
        self.groups = problem.groups
        self.dtype = problem.dtype
        self.loop = loader.native.WinogradLoop(
            problem.dtype,
            tile,
            problem.batch,
            problem.in_channels // problem.groups,
            problem.out_channels // problem.groups,
            z,
            y,
            (*_table(a, tile), a.low, min(max(a.low, 0), end), end),
        )

    def pack(self, w: np.ndarray) -> Packed:
        """Return the weights transformed, in the order in which they are multiplied."""
        w = np.array(w, self.dtype, order="C")
        w.flags.writeable = False
        return Packed(tuple(self.loop.pack(group) for group in np.split(w, self.groups)), w)

    def run(
        self,
        x: np.ndarray,
        w: np.ndarray | Packed,
        bias: np.ndarray | None,
        y: np.ndarray,
        workers: int,
    ) -> bool:
        """Write the result to ``y``; return whether all of it is finite.

        Images that are not all finite are worth nothing: a NaN or an infinity in ``x`` or ``w``
        has spread over its tile, or a sum has overflowed that need not have. A single image may
        not even be finished.
        """
        packed = isinstance(w, Packed)
        if isinstance(w, Packed):
            groups = w.groups
        else:  # those of a gradient lie flipped, with input and output channels exchanged
            w = w if self.loop.reads(w) else np.ascontiguousarray(w)
            groups = tuple(np.split(w, self.groups)) if self.groups > 1 else (w,)
        if self.groups == 1:
            return bool(self.loop.run(x, groups[0], packed, bias, y, workers))
        stands = True
        channels, outputs = x.shape[1] // self.groups, y.shape[1] // self.groups
        for g, weights in enumerate(groups):
            read = slice(g * channels, (g + 1) * channels)
            part = slice(g * outputs, (g + 1) * outputs)
            b = None if bias is None else bias[part]
            stands &= bool(self.loop.run(x[:, read], weights, packed, b, y[:, part], workers))
            if not stands and len(x) == 1:
                return False
        return stands


class Winograd:
    """F(m, 3) along one or two axes: tiles of m or m × m outputs."""

    def __init__(self, tile: int) -> None:
        self.name = f"winograd{tile}"
        self.tile = tile

    def tiles(self, problem: LayerProblem) -> list[int]:
        """Return how many results along each spatial axis are made together."""
        form = form_of(problem)
        assert not isinstance(form, str), form
        return [self.tile if a in (form.y, form.x) else 1 for a in problem.spatial]

    def rejects(self, problem: LayerProblem) -> str | None:
        """Return why the layer has no tiles."""
        if problem.dtype not in (np.float32, np.float64):
            return f"the sums are {problem.dtype}; allowed are float32 and float64"
        form = form_of(problem)
        if isinstance(form, str):
            return form
        longest = max(max(a.span, a.low, a.high) for a in problem.spatial)
        if longest > MAX_SPAN:
            return f"the kernel spans or pads {longest} samples of an axis, more than {MAX_SPAN}"
        if self.workspace(problem) > MAX_WORKSPACE:
            return f"the transformed samples of a chunk need more than {MAX_WORKSPACE} bytes"
        return None

    def cost(self, problem: LayerProblem, machine: Machine) -> float:
        """Return the time of the products, and of reading, transforming and writing."""
        form = form_of(problem)
        assert not isinstance(form, str), form
        item, groups = problem.dtype.itemsize, problem.groups
        lanes = loader.native.vector_bytes() // item
        channels, outputs = problem.in_channels // groups, problem.out_channels // groups
        points = (self.tile + 2) ** (1 if form.y is None else 2)
        planes = problem.batch * (1 if form.z is None else form.z.out)
        tiles = planes * math.prod(-(-a.out // self.tile) for a in form[1:] if a is not None)
        taps = 1 if form.z is None else form.z.taps
        width = -(-outputs // lanes) * lanes
        weights = points * channels * width * taps
        moved = points * tiles * (-(-channels // lanes) * lanes + width)
        # Weights are streamed and transformed faster than arrays are copied.
        products = weights * tiles / machine.direct_bytes_per_second
        streamed = weights / (STREAMING * machine.copy_bytes_per_second)
        transformed = (moved / MOVING + weights / STREAMING) / machine.copy_bytes_per_second
        return groups * (CALL_SECONDS + item * (max(products, streamed) + transformed))

    def error_bound(self, problem: LayerProblem) -> float:
        """Return the bound on max|y − exact| / max over the tile of S, S = Σ|w||x|."""
        return ERROR[self.tile] * float(np.finfo(problem.dtype).eps)

    def workspace(self, problem: LayerProblem) -> int:
        """Return the bytes of a chunk, transformed, and of weights that were not packed."""
        return int(Bound(problem, self.tile).loop.workspace())

    def shared_workspace(self, problem: LayerProblem, threads: int) -> int:
        """Return the bytes of a copy of weights that do not lie as the loop reads them.

        Several threads may transform the weights before all else, where one does not.
        """
        weights = problem.out_channels * problem.terms * problem.dtype.itemsize
        shared = 0 if problem.straight_weights else weights
        if threads > 1:
            shared += min(MAX_EARLY, 2 * (self.tile + 2) ** 2 * weights)
        return shared

    def threads(self, problem: LayerProblem) -> int:
        """Return the number of threads that are worth waking."""
        return MACHINE.threads_for(self.cost(problem, MACHINE))

    def bind(self, problem: LayerProblem) -> Bound:
        """Return the layer, ready to run."""
        return Bound(problem, self.tile)
