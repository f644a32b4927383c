"""Pools: from windows to the compiled loops, and back for the gradients.

Every pool becomes windows along three axes (`windows`) and one compiled loop over the planes
(`_native/pooling.pxi`). The calls themselves are in `max_pooling` and `average_pooling`.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._native import loader
from pyconv.nn import arguments
from pyconv.nn.windows import Windows, out_shape, plane_size, three_axes
from pyconv.problem import integer

Size = int | tuple[int, ...]
Array = npt.NDArray[Any]


def spatial(input: npt.ArrayLike, n: int) -> tuple[Array, tuple[int, ...]]:
    """Return the input and its spatial sizes."""
    x = arguments.array(input, "input")
    arguments.check_spatial(x, n, "input")
    return x, x.shape[-n:]


def spatial_axes(ndim: int, argument: str, shape: tuple[int, ...]) -> int:
    """Return the number of spatial axes of an array that has a batch axis."""
    if ndim not in (3, 4, 5):
        raise ValueError(
            f"{argument} has shape {shape}; allowed are (N, C, L), (N, C, H, W) and (N, C, D, H, W)"
        )
    return ndim - 2


def _planes(x: Array, windows: list[Windows]) -> tuple[Array, Array, list[Windows]]:
    """Return planes of three axes, the array for the result, and the windows on those axes."""
    axes = three_axes(windows)
    shape = (*x.shape[: x.ndim - len(windows)], *out_shape(windows))
    arguments.check_addressable(shape, 8)
    source = arguments.contiguous(x, arguments.computed_in(x.dtype))
    planes = source.size // plane_size(windows)
    return (
        source.reshape(planes, *(a.size for a in axes)),
        np.empty(shape, source.dtype),
        axes,
    )


def largest(
    x: Array, windows: list[Windows], return_indices: bool, workers: int | None
) -> Array | tuple[Array, Array]:
    """Return the largest sample of each window, and its index in its plane."""
    planes, y, axes = _planes(x, windows)
    indices = np.empty(y.shape, np.int64) if return_indices else None
    count, context = arguments.share(workers, y.size // axes[2].out, planes, y)
    if y.size:
        with context:
            loader.native.pool_largest(planes, y, indices, axes, count)
    y = arguments.narrowed(y, x.dtype)
    return y if indices is None else (y, indices)


def average(x: Array, windows: list[Windows], divisor: float, workers: int | None) -> Array:
    """Return the sum of each window ÷ its size, or ÷ ``divisor`` unless that is 0."""
    planes, y, axes = _planes(x, windows)
    count, context = arguments.share(workers, y.size // axes[2].out, planes, y)
    if y.size:
        with context:
            loader.native.pool_average(planes, y, axes, divisor, count)
    return arguments.narrowed(y, x.dtype)


def gradient_size(input_size: object, n: int) -> tuple[int, ...]:
    """Return the shape of the gradient that is asked for."""
    size = arguments.shape(input_size, "input_size")
    if len(size) not in (n + 1, n + 2) or 0 in size[-n:]:
        axes = arguments.SPATIAL_NAMES[n]
        raise ValueError(
            f"input_size={input_size!r}: allowed are (N, C, {axes}) and (C, {axes}), "
            "no spatial size 0"
        )
    arguments.check_addressable(size, 8)
    return size


def _gradient(grad_output: npt.ArrayLike, size: tuple[int, ...], out: tuple[int, ...]) -> Array:
    dy = arguments.array(grad_output, "grad_output")
    expected = (*size[: len(size) - len(out)], *out)
    arguments.check_shape(dy, expected, "grad_output", f"with input_size={size}")
    return dy


def largest_input(
    input_size: object,
    n: int,
    indices: npt.ArrayLike,
    grad_output: npt.ArrayLike,
    workers: int | None,
) -> Array:
    """Return the adjoint of `largest`: each gradient at the sample that was largest."""
    size = gradient_size(input_size, n)
    where = arguments.whole_numbers(indices, "indices")
    dy = _gradient(grad_output, size, where.shape[-n:])
    arguments.check_shape(where, dy.shape, "indices", "as grad_output")
    given = arguments.contiguous(dy, arguments.computed_in(dy.dtype))
    dx = np.zeros(size, given.dtype)
    plane = math.prod(size[-n:])
    planes = dx.size // plane
    count, context = arguments.share(workers, planes, given, dx)
    if where.size:
        where = arguments.contiguous(where, np.int64)
        with context:
            outside = loader.native.pool_scatter(
                given.reshape(planes, -1),
                where.reshape(planes, -1),
                dx.reshape(planes, -1),
                count,
            )
        if outside:
            raise ValueError(
                f"indices from {where.min()} to {where.max()}: a plane of input_size={size} has "
                f"samples 0 to {plane - 1}; -1 stands for a window without a sample"
            )
    return arguments.narrowed(dx, dy.dtype)


def average_input(
    size: tuple[int, ...],
    windows: list[Windows],
    grad_output: npt.ArrayLike,
    divisor: float,
    workers: int | None,
) -> Array:
    """Return the adjoint of `average`."""
    dy = _gradient(grad_output, size, out_shape(windows))
    axes = three_axes(windows)
    given = arguments.contiguous(dy, arguments.computed_in(dy.dtype))
    dx = np.empty(size, given.dtype)
    planes = dx.size // plane_size(windows)
    count, context = arguments.share(workers, planes, given, dx)
    if dx.size:
        with context:
            loader.native.pool_average_adjoint(
                given.reshape(planes, *out_shape(axes)),
                dx.reshape(planes, *(a.size for a in axes)),
                axes,
                divisor,
                count,
            )
    return arguments.narrowed(dx, dy.dtype)


def divisor_of(divisor_override: object) -> float:
    """Return the divisor of all windows; 0 where each has its own."""
    if divisor_override is None:
        return 0.0
    number = integer(divisor_override, "divisor_override")
    if number == 0 or abs(number) > arguments.MAX_NUMBER:
        raise ValueError(
            f"divisor_override={divisor_override!r}: allowed are None and integers from -2**59 "
            "to 2**59 but 0"
        )
    return float(number)
