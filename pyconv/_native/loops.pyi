"""The loops of every variant: what `pyconv._native.loader.native` holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
#: (axis of x or -1, size, out, low, taps, stride, dilation, before, after) for z, y and x.
Axes = Sequence[tuple[object, ...]]

ISA: str

def vector_bytes() -> int: ...
def threading() -> str: ...
def register_tile() -> tuple[int, int, int]: ...

class BoxLoop:
    def __init__(
        self, sums: np.dtype, axes: Axes, batch: Sequence[int], n_batch: int, group: int
    ) -> None: ...
    def workspace(self) -> int: ...
    def run(
        self,
        x: Array,
        w: Array,
        y: Array,
        fill: Array,
        clip: bool,
        threads: int,
        divisor: Array | None = None,
    ) -> None: ...

class MeansLoop:
    def __init__(self, axes: Axes, batch: Sequence[int], n_batch: int, group: int) -> None: ...
    def workspace(self) -> int: ...
    def run(self, x: Array, y: Array, fill: int, clip: bool, threads: int) -> None: ...

def recursive_width(sums: np.dtype) -> int: ...

class RecursiveLoop:
    def __init__(
        self,
        sums: np.dtype,
        axis: tuple[Any, ...],
        batch: Sequence[int],
        n_lines: int,
        inner: int,
        abreast: bool,
        piece: int,
        poles: Array,
        before: Array,
        after: Array,
        gone_before: Array,
        gone_after: Array,
        least: float,
        most: float,
        span: int,
    ) -> None: ...
    def workspace(self) -> int: ...
    def run(self, x: Array, y: Array, fill: Array, threads: int, negative: bool) -> bool: ...

class PolyphaseLoop:
    def __init__(
        self,
        sums: np.dtype,
        axis: tuple[Any, ...],
        batch: Sequence[int],
        n_lines: int,
        inner: int,
        abreast: bool,
        step: int,
        first: Sequence[int],
        more: Sequence[int],
        taps: int,
        origin: int,
        end: int,
        piece: int,
        own: Array | None,
    ) -> None: ...
    def workspace(self) -> int: ...
    def run(self, x: Array, w: Array, y: Array, fill: Array, clip: bool, threads: int) -> None: ...

def fft_lanes(sums: np.dtype) -> int: ...

class FftLoop:
    def __init__(
        self,
        sums: np.dtype,
        axes: Axes,
        batch: Sequence[int],
        n_batch: int,
        lengths: Sequence[tuple[Any, ...]],
        turns: Array | None,
    ) -> None: ...
    def run(
        self,
        x: Array,
        w: Array,
        y: Array,
        fill_value: complex,
        weight_exponent: int,
        clip: bool,
        threads: int,
        gaps: tuple[Any, ...] | None = None,
    ) -> Any: ...

class RoundedSumLoop:
    def __init__(
        self,
        axes: Axes,
        batch: Sequence[int],
        n_batch: int,
        group: int,
        singles: Array,
        firsts: Array,
        seconds: Array,
        weights: Array,
        divisor: float,
        difference: bool,
        filters: Array | None = None,
    ) -> None: ...
    def run(
        self,
        x: Array,
        y: Array,
        fill: float,
        half_even: bool,
        clip: bool,
        threads: int,
        low: float = 0,
        high: float = 0,
    ) -> None: ...

class FixedLoop:
    def __init__(
        self,
        axes: Axes,
        batch: Sequence[int],
        n_batch: int,
        group: int,
        kernels: Sequence[tuple[Any, ...] | None],
        planes: int,
        rows: int,
    ) -> None: ...
    def workspace(self) -> int: ...
    def run(self, x: Array, y: Array, fill: int, threads: int) -> None: ...

def root_of_squares(y: Array, parts: Sequence[Array]) -> None: ...

class LayerLoop:
    def __init__(
        self,
        dtype: np.dtype,
        n_batch: int,
        groups: int,
        channels: int,
        outs: int,
        axes: Axes,
        cut: Sequence[int],
    ) -> None: ...
    def workspace(self, gradient: bool = False) -> int: ...
    def terms_in_order(self, w: Array) -> bool: ...
    def pack(self, w: Array) -> Array: ...
    def fill_columns(
        self, x: Array, batch: int, group: int, first: int, columns: Array
    ) -> None: ...
    def run(self, x: Array, w: Array, bias: Array | None, y: Array, threads: int) -> None: ...
    def run_gradient(self, x: Array, dy: Array, dw: Array, threads: int) -> None: ...

class DepthwiseLoop:
    def __init__(
        self, dtype: np.dtype, n_batch: int, channels: int, multiplier: int, axes: Axes
    ) -> None: ...
    def workspace(self) -> int: ...
    def pack(self, w: Array) -> Array: ...
    def run(
        self, x: Array, w: Array, packed: bool, bias: Array | None, y: Array, threads: int
    ) -> None: ...

class DepthwiseLanesLoop:
    def __init__(
        self, dtype: np.dtype, n_batch: int, channels: int, multiplier: int, axes: Axes
    ) -> None: ...
    def workspace(self) -> int: ...
    def pack(self, w: Array) -> Array: ...
    def run(
        self, x: Array, w: Array, packed: bool, bias: Array | None, y: Array, threads: int
    ) -> None: ...

class WinogradLoop:
    dtype: np.dtype
    def __init__(
        self,
        dtype: np.dtype,
        tile: int,
        batch: int,
        channels: int,
        outputs: int,
        z: tuple[Any, ...] | None,
        y: tuple[Any, ...] | None,
        x: tuple[Any, ...],
    ) -> None: ...
    def workspace(self) -> int: ...
    def reads(self, w: Array) -> bool: ...
    def pack(self, w: Array) -> Array: ...
    def run(
        self, x: Array, weights: Array, packed: bool, bias: Array | None, y: Array, threads: int
    ) -> bool: ...

def pool_largest(
    x: Array, y: Array, indices: Array | None, axes: list[Any], threads: int
) -> None: ...
def pool_average(x: Array, y: Array, axes: list[Any], divisor: float, threads: int) -> None: ...
def pool_average_adjoint(
    dy: Array, dx: Array, axes: list[Any], divisor: float, threads: int
) -> None: ...
def pool_scatter(dy: Array, indices: Array, dx: Array, threads: int) -> int: ...
def rectify(x: Array, dy: Array, y: Array, threads: int) -> None: ...
def holds_nan(x: Array) -> bool: ...
def clear_gaps(
    x: Array, out: Array, seen: Array, mask: Array | None, nan: bool, threads: int
) -> bool: ...
def divide_gaps(
    y: Array, d: Array, whole: float, sign: int, least: float, tiny: float, threads: int
) -> None: ...

class DirectLoop:
    def __init__(
        self,
        sums: np.dtype,
        axes: Axes,
        w_axes: Sequence[int],
        batch: Sequence[int],
        n_batch: int,
        group: int,
        line: bool,
        shared: bool,
        flip: bool,
        product: int = 0,
    ) -> None: ...
    def workspace(self) -> int: ...
    def run(
        self,
        x: Array,
        w: Array,
        y: Array,
        fill: Array,
        clip: bool,
        threads: int,
        gaps: tuple[Any, ...] | None = None,
        divisor: Array | None = None,
        filters: Array | None = None,
    ) -> bool: ...
    def run_boxes(
        self, x: Array, w: Array, y: Array, fill: Array, clip: bool, threads: int, boxes: Array
    ) -> None: ...

def look_at_samples(x: Array) -> tuple[float, bool, bool]: ...

class SeparableLoop:
    def __init__(
        self,
        sums: np.dtype,
        axes: Axes,
        batch: Sequence[int],
        n_batch: int,
        group: int,
        deep: Array | None,
        down: Array,
        across: Array,
        strips: Sequence[int],
        rings: Sequence[int],
        lengths: bool = False,
    ) -> None: ...
    def workspace(self) -> int: ...
    def run(
        self,
        x: Array,
        y: Array,
        fill: Array,
        clip: bool,
        threads: int,
        lenient: bool = False,
        divisor: Array | None = None,
    ) -> bool: ...
    def run_joined(
        self,
        x: Array,
        rows: tuple[Array, Array, Array],
        y: Array,
        fill: Array,
        clip: bool,
        threads: int,
        lenient: bool = False,
        divisor: Array | None = None,
    ) -> bool: ...

class Im2colLoop:
    def __init__(
        self, sums: np.dtype, axes: Axes, batch: Sequence[int], n_batch: int, multiply: int
    ) -> None: ...
    def workspace(self) -> int: ...
    def run(
        self, x: Array, w: Array, y: Array, fill_value: complex, clip: bool, threads: int
    ) -> None: ...

def match_coefficients(
    x: Array, taps: tuple[Any, ...], y: Array, limits: tuple[Any, ...], threads: int
) -> int: ...
def divide_by_sums(
    sums: Array, squares: Array, count: int, y: Array, limits: tuple[Any, ...]
) -> int: ...
def match_plainly(
    x: Array,
    seen: Array | None,
    places: Array,
    t: Array,
    fewest: float,
    wanted: Array,
    y: Array,
    threads: int,
) -> None: ...
