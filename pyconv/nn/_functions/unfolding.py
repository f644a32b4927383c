"""Windows as columns, y[n, (c, u), o] = x[n, c, o·s + u·d − p], and the adjoint, which adds them.

One spatial axis for each entry of ``kernel_size``, two for an integer.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv.nn._functions import arguments, blocks

Size = int | tuple[int, ...]
Array = npt.NDArray[Any]


class _Axis(NamedTuple):
    """One spatial axis of an image and the windows along it."""

    size: int
    taps: int
    dilation: int
    low: int
    stride: int
    out: int

    def part(self, tap: int) -> tuple[slice, slice]:
        """Return the samples that ``tap`` reads, and the windows in which it does."""
        start = tap * self.dilation - self.low
        from_ = min(self.out, max(0, -(start // self.stride)))
        to = max(from_, min(self.out, -((start - self.size) // self.stride)))
        first = start + from_ * self.stride
        last = first + (to - from_ - 1) * self.stride
        if from_ == to:
            return slice(0, 0), slice(0, 0)
        return slice(first, last + 1, self.stride), slice(from_, to)


def unfold(
    input: npt.ArrayLike,
    kernel_size: Size,
    dilation: Size = 1,
    padding: Size = 0,
    stride: Size = 1,
) -> Array:
    r"""Lay the samples of each window in a column: the matrix of im2col.

    .. math:: y[n, (c, u), o] = x[n, c, o \cdot s + u \cdot d - p]

    Parameters
    ----------
    input : array_like
        Shape (N, C, H, W) or (C, H, W); floating-point or complex. With a `kernel_size` of one
        or three entries as many spatial axes.
    kernel_size : int or sequence of int
        Samples of a window along each spatial axis; an integer for two axes.
    dilation : int or sequence of int, optional
        Distance between the samples of a window.
    padding : int or sequence of int, optional
        Zeros before and after each axis.
    stride : int or sequence of int, optional
        Distance between neighbouring windows.

    Returns
    -------
    ndarray
        Shape (N, C·K, L), or (C·K, L), with the K samples of each of L windows, both in C order.

    Raises
    ------
    TypeError
        For arrays of other dtypes, and numbers that are not integers.
    ValueError
        For shapes and numbers that are not allowed, and where no window fits.

    See Also
    --------
    fold : the adjoint.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> F.unfold(np.arange(9.0).reshape(1, 3, 3), 2)
    array([[0., 1., 3., 4.],
           [1., 2., 4., 5.],
           [3., 4., 6., 7.],
           [4., 5., 7., 8.]])
    """
    n = _axis_count(kernel_size)
    x = arguments.array(input, "input", arguments.NUMBERS)
    arguments.check_spatial(x, n, "input")
    axes = _axes(x.shape[-n:], kernel_size, dilation, padding, stride)
    taps, out = [a.taps for a in axes], [a.out for a in axes]
    lead, channels = x.shape[: -n - 1], x.shape[-n - 1]
    shape = (*lead, channels * math.prod(taps), math.prod(out))
    arguments.check_addressable(shape, 16)
    columns = np.zeros((*lead, channels, *taps, *out), x.dtype.newbyteorder("="))
    for column, samples in _parts(axes):
        to, source = columns[column], x[samples]
        for part in blocks.parts(to.shape):
            to[part] = source[part]
    return columns.reshape(shape)


def fold(
    input: npt.ArrayLike,
    output_size: Size,
    kernel_size: Size,
    dilation: Size = 1,
    padding: Size = 0,
    stride: Size = 1,
) -> Array:
    r"""Add the columns of windows where their samples came from: the adjoint of `unfold`.

    .. math:: y[n, c, i] = \sum_{o \cdot s + u \cdot d - p = i} x[n, (c, u), o]

    Parameters
    ----------
    input : array_like
        Shape (N, C·K, L) or (C·K, L); floating-point or complex. K is the number of samples of
        a window, L the number of windows.
    output_size : int or sequence of int
        Spatial shape of the result; an integer for all of its axes.
    kernel_size : int or sequence of int
        Samples of a window along each spatial axis; an integer for two axes.
    dilation, padding, stride : int or sequence of int, optional
        As for `unfold`.

    Returns
    -------
    ndarray
        Shape (N, C, H, W), or (C, H, W), with the spatial shape `output_size`. float16 is summed
        in float32.

    Raises
    ------
    TypeError
        For arrays of other dtypes, and numbers that are not integers.
    ValueError
        For shapes that do not belong together, and numbers that are not allowed.

    See Also
    --------
    unfold : the adjoint.

    Examples
    --------
    How many windows read each sample:

    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> F.fold(F.unfold(np.ones((1, 3, 3)), 2), 3, 2)
    array([[[1., 2., 1.],
            [2., 4., 2.],
            [1., 2., 1.]]])
    """
    n = _axis_count(kernel_size)
    columns = arguments.array(input, "input", arguments.NUMBERS)
    sizes = arguments.per_axis(output_size, n, "output_size", 1)
    axes = _axes(sizes, kernel_size, dilation, padding, stride)
    taps, out = [a.taps for a in axes], [a.out for a in axes]
    if columns.ndim not in (2, 3):
        raise ValueError(f"input has shape {columns.shape}; allowed are (N, C·K, L) and (C·K, L)")
    *lead, rows, length = columns.shape
    if rows % math.prod(taps) or length != math.prod(out):
        raise ValueError(
            f"input has shape {columns.shape}; with output_size={output_size!r}, "
            f"kernel_size={kernel_size!r}, dilation={dilation!r}, padding={padding!r} and "
            f"stride={stride!r} a multiple of {math.prod(taps)} rows and {math.prod(out)} "
            f"columns, {' · '.join(map(str, out))} windows, are allowed"
        )
    shape = (*lead, rows // math.prod(taps), *sizes)
    arguments.check_addressable(shape, 16)
    columns = columns.reshape(*shape[: -n or None], *taps, *out)
    y = np.zeros(shape, arguments.computed_in(columns.dtype))
    with np.errstate(all="ignore"):  # IEEE: ∞ − ∞ is NaN
        for column, samples in _parts(axes):
            to, source = y[samples], columns[column]
            for part in blocks.parts(to.shape):
                to[part] += source[part]
    return arguments.narrowed(y, columns.dtype)


def unfold_input(
    input_size: tuple[int, ...],
    grad_output: npt.ArrayLike,
    kernel_size: Size,
    dilation: Size = 1,
    padding: Size = 0,
    stride: Size = 1,
) -> Array:
    """Return the gradient of `unfold` with respect to its input, which is a `fold`.

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input of `unfold`.
    grad_output : array_like
        Gradient with respect to the result, in its shape.
    kernel_size, dilation, padding, stride : int or sequence of int
        As in the call of `unfold`.

    Returns
    -------
    ndarray
        The gradient, of shape `input_size`.

    Raises
    ------
    TypeError, ValueError
        As by `fold`.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv.nn import grad
    >>> grad.unfold_input((1, 2, 3), np.ones((4, 2)), 2)
    array([[[1., 2., 1.],
            [1., 2., 1.]]])
    """
    size = arguments.shape(input_size, "input_size")
    n = _axis_count(kernel_size)
    dy = arguments.array(grad_output, "grad_output", arguments.NUMBERS)
    if len(size) not in (n + 1, n + 2):
        axes = arguments.SPATIAL_NAMES[n]
        raise ValueError(f"input_size={input_size!r}: allowed are (N, C, {axes}) and (C, {axes})")
    taps = arguments.per_axis(kernel_size, n, "kernel_size", 1)
    expected = (*size[: -n - 1], size[-n - 1] * math.prod(taps), *dy.shape[-1:])
    arguments.check_shape(dy, expected, "grad_output", f"with input_size={size}")
    return fold(dy, size[-n:], kernel_size, dilation, padding, stride)


def fold_input(
    grad_output: npt.ArrayLike,
    kernel_size: Size,
    dilation: Size = 1,
    padding: Size = 0,
    stride: Size = 1,
) -> Array:
    """Return the gradient of `fold` with respect to its input, which is an `unfold`.

    Parameters
    ----------
    grad_output : array_like
        Gradient with respect to the result, in its shape.
    kernel_size, dilation, padding, stride : int or sequence of int
        As in the call of `fold`.

    Returns
    -------
    ndarray
        The gradient, in the shape of the input of `fold`.

    Raises
    ------
    TypeError, ValueError
        As by `unfold`.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv.nn import grad
    >>> grad.fold_input(np.arange(6.0).reshape(1, 2, 3), 2)
    array([[0., 1.],
           [1., 2.],
           [3., 4.],
           [4., 5.]])
    """
    dy = arguments.array(grad_output, "grad_output", arguments.NUMBERS)
    arguments.check_spatial(dy, _axis_count(kernel_size), "grad_output")
    return unfold(dy, kernel_size, dilation, padding, stride)


def _axis_count(kernel_size: object) -> int:
    if not isinstance(kernel_size, tuple | list):
        return 2
    if not 1 <= len(kernel_size) <= len(arguments.SPATIAL_NAMES):
        raise ValueError(
            f"kernel_size={kernel_size!r} has {len(kernel_size)} entries; allowed are an integer "
            "and one to three integers"
        )
    return len(kernel_size)


def _axes(
    sizes: tuple[int, ...], kernel_size: object, dilation: object, padding: object, stride: object
) -> list[_Axis]:
    """Return the validated axes."""
    n = len(sizes)
    taps = arguments.per_axis(kernel_size, n, "kernel_size", 1)
    dilations = arguments.per_axis(dilation, n, "dilation", 1)
    lows = arguments.per_axis(padding, n, "padding", 0)
    strides = arguments.per_axis(stride, n, "stride", 1)
    axes = []
    for size, k, d, low, s in zip(sizes, taps, dilations, lows, strides, strict=True):
        span = (k - 1) * d + 1
        if span > size + 2 * low:
            raise ValueError(
                f"no window fits: kernel_size={kernel_size!r} with dilation={dilation!r} spans "
                f"{span} samples of an axis of {size} with padding={padding!r}"
            )
        axes.append(_Axis(size, k, d, low, s, (size + 2 * low - span) // s + 1))
    return axes


def _parts(axes: list[_Axis]) -> Iterator[tuple[Any, Any]]:
    """Yield, for each tap, where its samples are in the columns and where in the image."""
    for tap in itertools.product(*(range(a.taps) for a in axes)):
        parts = [a.part(t) for a, t in zip(axes, tap, strict=True)]
        yield (..., *tap, *(p[1] for p in parts)), (..., *(p[0] for p in parts))
