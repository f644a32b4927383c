"""Where the windows of a pool lie: the validated form of kernel, stride, padding and the rest."""

from __future__ import annotations

import math
from typing import NamedTuple

from pyconv._engine.layer_problem import paddings
from pyconv._engine.problem import flag, several
from pyconv.nn._functions.arguments import MAX_NUMBER, SPATIAL_NAMES, per_axis


class Windows(NamedTuple):
    """The windows along one axis, as the compiled loops read them.

    Window `o` reads ``taps`` samples, ``dilation`` apart, from ``o·stride − low`` on; those that
    lie outside are left out. With ``taps`` 0 they are adaptive:
    ``⌊o·size/out⌋ … ⌈(o + 1)·size/out⌉ − 1``.
    """

    size: int
    out: int
    taps: int
    stride: int = 1
    low: int = 0
    dilation: int = 1
    #: An average counts the padding before the axis and so many samples behind it; −1 for none.
    counted: int = -1

    @property
    def is_whole(self) -> bool:
        """Whether there is one window, and it is the axis."""
        spanned = self.taps == 0 or (self.taps == self.size and self.dilation == 1)
        return spanned and self.out == 1 and self.low == 0


#: The axis that an array does not have.
ABSENT = Windows(1, 1, 1)


def pool_windows(
    sizes: tuple[int, ...],
    kernel_size: object,
    stride: object,
    padding: object,
    dilation: object,
    ceil_mode: bool,
    count_include_pad: bool = False,
    wide_padding: bool = False,
) -> list[Windows]:
    """Return the windows of a pool on spatial axes of these sizes."""
    n = len(sizes)
    ceil_mode = flag(ceil_mode, "ceil_mode")
    counted = flag(count_include_pad, "count_include_pad")
    wide_padding = flag(wide_padding, "wide_padding")
    taps = per_axis(kernel_size, n, "kernel_size", 1)
    strides = taps if stride is None else per_axis(stride, n, "stride", 1)
    pads = _pads(padding, n)
    dilations = per_axis(dilation, n, "dilation", 1)
    windows = []
    for size, k, s, (low, high), d in zip(sizes, taps, strides, pads, dilations, strict=True):
        span = (k - 1) * d + 1
        if span > MAX_NUMBER:
            raise ValueError(
                f"kernel_size={kernel_size!r} with dilation={dilation!r} spans {span} samples; "
                "at most 2**59 are allowed"
            )
        if max(low, high) > span // 2 and not wide_padding:
            raise ValueError(
                f"padding={padding!r}: at most half of what the kernel spans is allowed, "
                f"{span // 2} for kernel_size={kernel_size!r} with dilation={dilation!r}; more "
                "with wide_padding=True"
            )
        out = _outputs(size, span, s, low, high, ceil_mode)
        windows.append(Windows(size, out, k, s, low, d, high if counted else -1))
    shape = out_shape(windows)
    if min(shape) < 1:
        raise ValueError(
            f"the result would be empty: ({SPATIAL_NAMES[n]}) would be {shape} for {sizes} under "
            f"kernel_size={kernel_size!r}, stride={stride!r}, padding={padding!r}, "
            f"dilation={dilation!r}"
        )
    return windows


def _pads(padding: object, n: int) -> tuple[tuple[int, int], ...]:
    """Return the (low, high) pads of each axis."""
    entries = several(padding) or ()
    if not any(several(entry) is not None for entry in entries):
        return tuple((low, low) for low in per_axis(padding, n, "padding", 0))
    pads = paddings(padding, [1] * n, (1,) * n)
    if max(map(max, pads)) > MAX_NUMBER:
        raise ValueError(f"padding={padding!r}: integers from 0 to 2**59 are allowed")
    return pads


def _outputs(size: int, span: int, stride: int, low: int, high: int, ceil_mode: bool) -> int:
    """Return how many windows there are; under ceil_mode the last may stick out at the end."""
    room = size + low + high - span
    # One that sticks out starts inside the input or the padding before it.
    sticks_out = ceil_mode and room % stride and (room // stride + 1) * stride < size + low
    return room // stride + 1 + bool(sticks_out)


def adaptive_windows(sizes: tuple[int, ...], output_size: object) -> list[Windows]:
    """Return windows that divide each axis into ``output_size`` parts, as evenly as they can."""
    n = len(sizes)
    wanted = output_size
    if isinstance(output_size, tuple | list):
        if len(output_size) != n:
            raise ValueError(
                f"output_size={output_size!r} has {len(output_size)} entries; allowed are one "
                f"integer or one for each of the {n} spatial axes, None for the size of the input"
            )
        wanted = [s if o is None else o for s, o in zip(sizes, output_size, strict=True)]
    elif output_size is None:
        wanted = sizes
    out = per_axis(wanted, n, "output_size", 1)
    return [Windows(size, parts, 0) for size, parts in zip(sizes, out, strict=True)]


def three_axes(windows: list[Windows], whole: list[Windows] | None = None) -> list[Windows]:
    """Return the windows along z, y and x of the same samples in the same order.

    Where one window is the whole of the last axes, they are one axis: a global pool folds one
    long row. Of the windows of a piece those of the ``whole`` say so.
    """
    merged = list(windows)
    entire = [w.is_whole for w in (windows if whole is None else whole)]
    while len(merged) > 1 and entire[-1] and entire[-2]:
        size = merged[-1].size * merged[-2].size
        merged[-2:] = [Windows(size, 1, size)]
        del entire[-1]
    return [ABSENT] * (3 - len(merged)) + merged


def out_shape(windows: list[Windows]) -> tuple[int, ...]:
    """Return the spatial shape of the result."""
    return tuple(w.out for w in windows)


def plane_size(windows: list[Windows]) -> int:
    """Return the number of samples in a plane."""
    return math.prod(w.size for w in windows)
