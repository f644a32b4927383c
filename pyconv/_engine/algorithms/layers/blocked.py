"""blocked: a layer as products of small matrices, by our own register tile.

`_native/layers.pxi` says how the loop computes a layer. What the rows of its tile are, what is
packed and how the work is cut is decided here, once for each plan and number of threads.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from pyconv._engine.algorithms.base import BoundLayer, Run, layer_summation_bound
from pyconv._engine.algorithms.loop_adapters import (
    LayerCut,
    layer_axes,
    layer_loop,
    longest_reach,
)
from pyconv._engine.layer_problem import LayerProblem
from pyconv._engine.machine import MACHINE, ROW, Machine
from pyconv._native import loader

MAX_SPAN = 2**24
MAX_WORKSPACE = 256 << 20
#: A panel's row is filled for each term once, and read for each output channel: filling it
#: costs as much as this many output channels. Measured on Zen 4, 3×3 layers of 8 to 64 channels.
FILLING_CHANNELS = 6
#: What the blocks of an image and group take besides. Measured on Zen 4, 7×7 images.
IMAGE_SECONDS = 3e-7

#: Rows of X in a chunk.
CHUNK_TERMS = ROW.chunk_terms
# Measured on a Zen 4 core with 32 KiB and 1 MiB of cache: bytes of the weights of a tile that are
# read as they lie; bytes of the panels of a unit.
ROWS_BYTES = 16 << 10
PANELS_BYTES = 320 << 10
#: More weights than these would cost more in fresh pages than in packing them panel by panel.
PACKED_BYTES = 256 << 10
#: Transposing a result costs as much as this many terms.
TRANSPOSING_TERMS = 12
#: The rate of a tile that reads rows of the copy, which are not aligned, of its rate.
UNALIGNED = 0.97
#: Packing a weight costs as much as its products with so many pixels.
PACKING_PIXELS = 8
# A vector of terms of a dot product costs as much as so many vectors of a tile, adding its lanes as
# much as so many again.
DOT_PRODUCT = 1.2
ADDING_LANES = 10
# Terms of a chunk and pixels of a block of the gradient for the weights; sums of so many blocks, or
# of the root of their number, are added up.
GRADIENT_TERMS = 144
MAX_PIXELS = 448
GRADIENT_BLOCKS = 256
#: Terms that are summed in one go, or the root of their number if that is more.
BLOCK_TERMS = 1024
#: Products of a unit: nothing looks at signals while it runs.
MAX_UNIT_PRODUCTS = 4e9
#: Pixels of a unit whose rows are read from the copy.
ROWS_PIXELS = 448


class Tile(NamedTuple):
    """The register tile of an ISA variant."""

    vector_bytes: int
    rows: int
    vectors: int


class Form(NamedTuple):
    """What the rows of the tile are, where it reads pixels, and the channels of a chunk."""

    by_pixel: bool
    unpacked: bool
    dots: int
    k_panel: int
    chunk: int


class Forms(NamedTuple):
    """The forms of a layer."""

    #: For packed weights, and for weights of which a unit packs one panel after the other.
    packed: Form
    #: For weights that are read as they lie.
    plain: Form
    #: Reading weights as they lie is faster than packing them.
    reads_rows: bool
    #: Weights that are neither packed nor read as they lie are packed panel by panel.
    packs_panels: bool
    #: Reading weights as they lie is no slower than reading them packed: a plan copies them.
    keeps_rows: bool


class LayerCuts:
    """The arithmetic of a layer's forms and cuts for one register tile."""

    def __init__(self, problem: LayerProblem, tile: Tile) -> None:
        self.tile = tile
        self.item = problem.dtype.itemsize
        self.lanes = tile.vector_bytes // self.item
        self.batch, self.groups = problem.batch, problem.groups
        self.channels = problem.in_channels // problem.groups
        self.outs = problem.out_channels // problem.groups
        self.terms, self.pixels = problem.terms, problem.pixels
        self.taps = math.prod(a.taps for a in problem.spatial)
        #: Pixels of a row of results.
        self.row = problem.spatial[-1].out
        #: Panels are copies of rows of samples: nothing is gained by a copy before.
        self.copies_rows = all(
            a.taps == a.stride == 1 and a.low == 0 and a.out == a.size for a in problem.spatial
        )
        whole = problem.whole
        self.forms = self._forms() if whole is None else _forms_of_part(problem, whole, tile)
        if whole is not None and self.copies_rows:  # there is no copy to read
            packed, plain = (form._replace(unpacked=False) for form in self.forms[:2])
            self.forms = self.forms._replace(packed=packed, plain=plain)

    def _forms(self) -> Forms:
        """Return the forms that reach the larger share of the tile's peak rate."""
        form, by_channel = self.by_channel(plain=False)
        other, by_pixel = self.by_pixel()
        if by_pixel > by_channel:
            form = other
        # Weights that are packed panel by panel are packed again for each unit.
        packs_panels = form.by_pixel and self.outs * self.terms * self.item > PACKED_BYTES
        # The pixels of one image: the batch may not decide the order of a sum.
        pixels = min(self.pixels, ROWS_PIXELS) if packs_panels else self.pixels
        plain, rate = self.by_channel(plain=True)
        packed_rate = max(by_channel, by_pixel) * pixels / (pixels + PACKING_PIXELS)
        keeps_rows = rate >= max(by_channel, by_pixel)
        return Forms(form, plain, rate >= packed_rate, packs_panels, keeps_rows)

    def chunk(self, terms: int) -> int:
        """Return the channels of chunks of much the same size, of about so many terms at most."""
        return _ceil(self.channels, _ceil(self.channels, max(1, terms // self.taps)))

    def by_channel(self, plain: bool) -> tuple[Form, float]:
        """Make output channels the rows of the tile; return the share of its peak it reaches.

        Filling a panel costs as much as `FILLING_CHANNELS` output channels.
        """
        lanes, outs, root = self.lanes, self.outs, _root(self.terms)
        whole = chunk = self.chunk(max(CHUNK_TERMS, root))
        dots, columns = 0, float(_ceil(self.pixels, lanes))
        by_row = UNALIGNED * self.row / (_ceil(self.row, lanes) * lanes)
        if plain:
            rows = ROWS_BYTES // (self.tile.rows * self.item)
            chunk = self.chunk(max(CHUNK_TERMS, root, rows))
            left = self.pixels % lanes
            cost = left * (DOT_PRODUCT / lanes + ADDING_LANES / (chunk * self.taps))
            if left and cost < 1:
                dots = left
                columns += cost - 1
        by_panel = self.pixels / (columns * lanes) * outs / (outs + FILLING_CHANNELS)
        if by_row >= by_panel and not self.copies_rows:
            return Form(False, True, 0, 0, whole), by_row
        return Form(False, False, dots, 0, chunk), by_panel

    def by_pixel(self) -> tuple[Form, float]:
        """Make pixels the rows of the tile; return the share of its peak it reaches."""
        rows, most_vectors = self.tile.rows, self.tile.vectors
        vectors, tiles = _ceil(self.outs, self.lanes), _ceil(self.row, rows)
        lanes_used = self.outs / (vectors * self.lanes)
        transposed = self.terms / (self.terms + TRANSPOSING_TERMS)
        # Fewer than four sums at a time wait for each other.
        in_flight = min(4 * tiles, self.row * min(vectors, most_vectors))
        by_panel = lanes_used * self.outs / (self.outs + FILLING_CHANNELS) * transposed
        by_row = lanes_used * transposed * in_flight / (4 * tiles)
        unpacked = by_row >= by_panel and not self.copies_rows
        k_panel = _ceil(vectors, _ceil(vectors, most_vectors)) * self.lanes
        chunk = self.chunk(max(CHUNK_TERMS, _root(self.terms)))
        return Form(True, unpacked, 0, k_panel, chunk), by_row if unpacked else by_panel

    def forward(self, form: Form, packed: bool, threads: int) -> LayerCut:
        """Cut the layer: panels within `PANELS_BYTES`, or whole rows, or pieces of one."""
        width = piece = self.lanes * self.tile.vectors
        most_pieces = max(1, PANELS_BYTES // (form.chunk * self.taps * width * self.item))
        if form.unpacked:
            piece = _ceil(self.row, _ceil(self.row, ROWS_PIXELS))
            most_pieces = max(1, ROWS_PIXELS // self.row)
        pieces = max(1, _ceil(self.pixels - form.dots, piece))
        in_unit, shares = _ceil(pieces, _ceil(pieces, most_pieces)), 1
        k_tile = form.k_panel if form.by_pixel else self.tile.rows
        if threads > 1:
            in_unit, shares = self._share(form, packed, piece, pieces, in_unit, threads)
        unit = self._unit_before(form.dots, in_unit * piece, width)
        shares = max(shares, int(unit * self.outs * self.terms / MAX_UNIT_PRODUCTS))
        shares = min(shares, _ceil(self.outs, k_tile))
        block = max(BLOCK_TERMS, _root(self.terms))
        return LayerCut(*form, packed, width, unit, shares, block)

    def _unit_before(self, dots: int, unit: int, width: int) -> int:
        """Return the pixels of a unit, so that the last ones of the last unit lie in one panel.

        Those of a whole image do: all but them fill vectors.
        """
        others = self.pixels - dots
        if others < 1:
            return unit
        while ((others - 1) % unit + 1) % width + dots > width:
            unit = min(unit, others) - 1  # at the latest one, whose last unit has one other pixel
        return unit

    def _share(
        self, form: Form, packed: bool, piece: int, pieces: int, in_unit: int, threads: int
    ) -> tuple[int, int]:
        """Return the pieces of a unit and the shares of the output channels.

        Those are best with which the last thread is done soonest.
        """
        best, least_work = (in_unit, 1), math.inf
        while True:
            n_units = _ceil(pieces, in_unit)
            fill = _ceil(threads, self.batch * self.groups * n_units)
            for shares in (1, fill, 2 * fill):
                work = self.work_of_last(form, packed, in_unit * piece, n_units, shares, threads)
                if work < least_work:
                    best, least_work = (in_unit, shares), work
            if in_unit == 1:
                return best
            in_unit = _ceil(in_unit, 2)

    def work_of_last(
        self, form: Form, packed: bool, unit: int, n_units: int, shares: int, threads: int
    ) -> int:
        """Return the work of the thread that has most, for each term: pixels × output channels.

        Each share copies the samples, and each unit packs the weights that were not packed.
        """
        tile = form.k_panel if form.by_pixel else self.tile.rows
        outs = min(self.outs, _ceil(_ceil(self.outs, tile), shares) * tile)
        packing = PACKING_PIXELS * outs if form.by_pixel and not packed else 0
        last, of_image = self.pixels - (n_units - 1) * unit, n_units * shares
        units, work, end, last_end = self.batch * self.groups * of_image, 0, 0, 0
        for t in range(1, threads + 1):
            begin, end, last_begin = end, units * t // threads, last_end
            # Of the first units so many are the last block of an image and group.
            last_end = end // of_image * shares + max(0, end % of_image - of_image + shares)
            lasts = last_end - last_begin
            pixels = (end - begin - lasts) * unit + lasts * last
            work = max(work, pixels * (outs + FILLING_CHANNELS) + (end - begin) * packing)
        return work

    def gradient(self, threads: int) -> LayerCut:
        """Cut the gradient for the weights: as many pixels at a time as `PANELS_BYTES` hold.

        Every block of pixels is added to the sums of a chunk: large blocks, small chunks.
        """
        panel, shares = self.lanes * self.tile.vectors, 1
        chunk = self.chunk(GRADIENT_TERMS)
        n_chunks = _ceil(self.channels, chunk)
        width = min(max(PANELS_BYTES // (chunk * self.taps * self.item), 64), MAX_PIXELS)
        width = _ceil(self.pixels, _ceil(self.pixels, width))
        width = _ceil(width, self.lanes) * self.lanes
        if threads > 1:
            panels, units = _ceil(self.outs, panel), self.groups * n_chunks
            # Of so many shares the last thread is done soonest; each of them copies the samples.
            shares = min(
                range(1, min(panels, 2 * _ceil(threads, units)) + 1),
                key=lambda n: (
                    _ceil(units * n, threads) * (_ceil(panels, n) * panel + FILLING_CHANNELS)
                ),
            )
        blocks = self.batch * max(1, _ceil(self.pixels, width))
        return LayerCut(
            chunk=chunk,
            width=width,
            unit=width,
            shares=shares,
            block=max(BLOCK_TERMS, _root(self.terms)),
            summed=max(GRADIENT_BLOCKS, _root(blocks)),
        )


def last_axes(problem: LayerProblem, pixels: int) -> tuple[int, ...]:
    """Return the spatial axes, from the last one on, that the last pixels go through as a whole."""
    behind, axes = 1, []
    for i, a in reversed([*enumerate(problem.spatial)]):
        behind *= a.out
        if pixels <= behind:
            break
        axes.append(i)
    return tuple(axes)


def last_pixels(problem: LayerProblem, native: Any) -> int:
    """Return how many of the last pixels of a layer may be summed by dot products."""
    return layer_cuts(problem, native).forms.plain.dots


def _forms_of_part(part: LayerProblem, whole: LayerProblem, tile: Tile) -> Forms:
    """Return the forms of a whole layer, for a part of its pixels.

    Those that are dot products are the same ones; they are the last ones of the part, too.
    """
    forms = LayerCuts(whole, tile).forms
    dots = forms.plain.dots
    if not dots:
        return forms
    i = min(last_axes(whole, dots), default=len(whole.spatial)) - 1  # along which they begin
    pixels = math.prod(a.out for a in whole.spatial[i + 1 :])
    found = 0
    if not any(part.behind[:i]):
        found = max(0, dots - part.behind[i] * pixels)
        found = min(found, part.spatial[i].out * math.prod(a.out for a in part.spatial[i + 1 :]))
    return forms._replace(plain=forms.plain._replace(dots=found))


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


def _root(n: int) -> int:
    """Return about the root: that of a square may be one less."""
    return int(math.exp(math.log(max(1, n)) / 2))


def layer_cuts(problem: LayerProblem, native: Any) -> LayerCuts:
    """Return the arithmetic of a layer for the register tile of an ISA variant."""
    return LayerCuts(problem, Tile(*native.register_tile()))


class Blocked:
    """Implicit matrix products, a block of pixels and a chunk of channels at a time."""

    name = "blocked"

    def rejects(self, problem: LayerProblem) -> str | None:
        """Return why the compiled loop cannot take the layer."""
        longest = longest_reach(problem.spatial)
        if longest > MAX_SPAN:
            return f"the kernel spans or pads {longest} samples of an axis, more than {MAX_SPAN}"
        if self._box(problem) > MAX_WORKSPACE or self.workspace(problem) > MAX_WORKSPACE:
            return f"the rows of one block need more than {MAX_WORKSPACE} bytes"
        return None

    def _box(self, problem: LayerProblem) -> int:
        """Return the bytes of the samples that one result of one channel reads, gaps included."""
        return math.prod(a.span for a in problem.spatial) * problem.dtype.itemsize

    def cost(self, problem: LayerProblem, machine: Machine) -> float:
        """Return the larger of the time to multiply and the time to read and write."""
        outs = problem.out_channels // problem.groups
        lanes = loader.native.vector_bytes() // problem.dtype.itemsize
        channels, pixels = (
            math.ceil(outs / lanes) * lanes,
            math.ceil(problem.pixels / lanes) * lanes,
        )
        waste = min(pixels / problem.pixels, channels / outs)
        work = problem.products * problem.dtype.itemsize / machine.direct_bytes_per_second
        work *= waste * (1 + FILLING_CHANNELS / outs)
        work += problem.batch * problem.groups * IMAGE_SECONDS
        return max(work, problem.bytes / machine.copy_bytes_per_second)

    def error_bound(self, problem: LayerProblem) -> float:
        """Return the bound of a sum in any order."""
        return layer_summation_bound(problem)

    def workspace(self, problem: LayerProblem) -> int:
        """Return the bytes of one thread's copies, panels and sums."""
        return _bound(problem, loader.native).workspace()

    def shared_workspace(self, problem: LayerProblem, threads: int) -> int:
        """Return the bytes of weights that are packed before all else, in whole vectors."""
        strides = None if problem.straight_weights else [0] * len(problem.w_shape)
        weights = np.ndarray(problem.w_shape, problem.dtype, strides=strides)
        if _bound(problem, loader.native).takes(weights):
            return 0
        lanes = loader.native.vector_bytes() // problem.dtype.itemsize
        rows = problem.groups * -(-problem.out_channels // problem.groups // lanes) * lanes
        return int(rows * problem.terms * problem.dtype.itemsize)

    def gradient_workspace(self, problem: LayerProblem) -> int:
        """Return the bytes of one thread's copies, panels and sums of the gradient."""
        native = loader.native
        cut = layer_cuts(problem, native).gradient(1)
        return int(layer_loop(problem, layer_axes(problem), cut, native).workspace(True))

    def threads(self, problem: LayerProblem) -> int:
        """Return the number of threads that are worth waking."""
        return MACHINE.threads_for(self.cost(problem, MACHINE))

    def bind(self, problem: LayerProblem) -> BoundLayer:
        """Return the compiled loop."""
        return _bound(problem, loader.native)

    def bind_gradient(self, problem: LayerProblem) -> Run:
        """Return the compiled loop of the gradient for the weights."""
        native = loader.native
        axes, cuts = layer_axes(problem), layer_cuts(problem, native)
        loops: dict[int, Any] = {}

        def run(x: np.ndarray, dy: np.ndarray, dw: np.ndarray, workers: int) -> None:
            loop = loops.get(workers)
            if loop is None:
                loop = loops[workers] = layer_loop(problem, axes, cuts.gradient(workers), native)
            loop.run_gradient(x, dy, dw, workers)

        return run


#: The weights that a loop takes: packed, read as they lie, or packed panel by panel.
PACKED, ROWS, PANELS = range(3)


class _Kept(NamedTuple):
    """A copy of weights: in the order of the tiles, or rows that are read as they lie."""

    kind: int
    array: np.ndarray


class _Bound:
    """A layer bound to the compiled loop of each kind of weights and number of threads."""

    def __init__(self, problem: LayerProblem, native: Any) -> None:
        self._problem, self._native = problem, native
        self._axes = layer_axes(problem)
        self._cuts = layer_cuts(problem, native)
        self._loops: tuple[dict[int, Any], ...] = ({}, {}, {})
        self._in_order = self._loop(ROWS, 1).terms_in_order

    def _loop(self, kind: int, workers: int) -> Any:
        loop = self._loops[kind].get(workers)
        if loop is None:
            forms = self._cuts.forms
            form = forms.plain if kind == ROWS else forms.packed
            cut = self._cuts.forward(form, kind == PACKED, workers)
            loop = layer_loop(self._problem, self._axes, cut, self._native)
            self._loops[kind][workers] = loop
        return loop

    def workspace(self) -> int:
        """Return the bytes of one thread's copies, panels and sums, with any weights."""
        return max(int(self._loop(kind, 1).workspace()) for kind in (ROWS, PANELS))

    def takes(self, w: np.ndarray) -> bool:
        """Return whether `run` packs no weights before all else."""
        return self._cuts.forms.packs_panels or self.reads(w)

    def reads(self, w: np.ndarray) -> bool:
        """Return whether `run` reads the weights as they lie."""
        return self._cuts.forms.reads_rows and bool(self._in_order(w))

    def pack(self, w: np.ndarray) -> _Kept:
        """Return a copy of the weights of a plan, which runs many times."""
        if self._cuts.forms.keeps_rows:
            return _Kept(ROWS, w.astype(w.dtype, order="C"))
        return self._packed(w)

    def _packed(self, w: np.ndarray) -> _Kept:
        return _Kept(PACKED, self._loop(PACKED, 1).pack(w))

    def run(
        self,
        x: np.ndarray,
        w: np.ndarray | _Kept,
        bias: np.ndarray | None,
        y: np.ndarray,
        workers: int,
    ) -> bool:
        forms = self._cuts.forms
        if isinstance(w, np.ndarray):
            if forms.reads_rows and self._in_order(w):
                self._loop(ROWS, workers).run(x, w, bias, y, workers)
                return True
            if forms.packs_panels:
                self._loop(PANELS, workers).run(x, w, bias, y, workers)
                return True
            w = self._packed(w)
        self._loop(w.kind, workers).run(x, w.array, bias, y, workers)
        return True


@lru_cache(maxsize=16)
def _bound(problem: LayerProblem, native: Any) -> _Bound:
    """Return a bound layer: `rejects`, `workspace` and `bind` of one plan ask for the same."""
    return _Bound(problem, native)
