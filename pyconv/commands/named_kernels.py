"""KERNELS: the kernels that the command line knows by name, in one, two or three dimensions."""

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: A named kernel of more weights than this is a slip of the keyboard, not a filter.
MAX_WEIGHTS = 2**24


class NamedKernel(NamedTuple):
    """One row: a kernel, or one derivative for each axis whose magnitude is wanted."""

    #: (dimensions, sigma, size) → the kernels; several give the root of the sum of squares.
    make: Callable[[int, float, int], tuple[Array, ...]]
    #: One line for ``--help``.
    summary: str


def _outer(rows: Sequence[npt.ArrayLike]) -> Array:
    return functools.reduce(np.multiply.outer, map(np.asarray, rows))


def _impulse(ndim: int) -> Array:
    return _outer([[0, 1, 0]] * ndim)


def _gaussian_row(sigma: float) -> Array:
    radius = int(4 * sigma + 0.5)
    row: Array = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    row /= row.sum()
    return row


def _gaussian(ndim: int, sigma: float, size: int) -> tuple[Array, ...]:
    if not (math.isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma={sigma}: a positive number is allowed")
    _check_weights(2 * min(4 * sigma + 0.5, MAX_WEIGHTS) + 1, ndim, f"sigma={sigma}")
    return (_outer([_gaussian_row(sigma)] * ndim),)


def _box(ndim: int, sigma: float, size: int) -> tuple[Array, ...]:
    if size < 1:
        raise ValueError(f"size={size}: integers of at least 1 are allowed")
    _check_weights(size, ndim, f"size={size}")
    return (np.full((size,) * ndim, 1 / size**ndim),)


def _check_weights(taps: float, ndim: int, argument: str) -> None:
    if taps**ndim > MAX_WEIGHTS:
        raise ValueError(
            f"{argument} needs a kernel of about {taps:.0f} weights along each of {ndim} axes; "
            f"at most {MAX_WEIGHTS} in all are allowed"
        )


def _laplace(ndim: int, sigma: float, size: int) -> tuple[Array, ...]:
    second = [
        _outer([[1, -2, 1] if i == axis else [0, 1, 0] for i in range(ndim)])
        for axis in range(ndim)
    ]
    return (functools.reduce(operator.add, second),)


def _edge(ndim: int, sigma: float, size: int) -> tuple[Array, ...]:
    return (3**ndim * _impulse(ndim) - 1,)


def _sharpen(ndim: int, sigma: float, size: int) -> tuple[Array, ...]:
    (laplace,) = _laplace(ndim, sigma, size)
    return (_impulse(ndim) - laplace,)


def _emboss(ndim: int, sigma: float, size: int) -> tuple[Array, ...]:
    _need_two(ndim, "emboss")
    return (np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]),)


def _need_two(ndim: int, name: str) -> None:
    if ndim < 2:
        raise ValueError(f"{name} acts on two axes or more, not on {ndim}")


def _derivative(smooth: Sequence[int], axis: int, ndim: int) -> Array:
    """Return the central difference along ``axis``, smoothed along the others."""
    return _outer([[-1, 0, 1] if i == axis else smooth for i in range(ndim)])


def _gradient_rows(name: str, smooth: Sequence[int], weights: str) -> dict[str, NamedKernel]:
    """Return the magnitude and the derivatives along x (the last axis) and y of one operator."""

    def magnitude(ndim: int, sigma: float, size: int) -> tuple[Array, ...]:
        _need_two(ndim, name)
        return tuple(_derivative(smooth, axis, ndim) for axis in range(ndim))

    def along_x(ndim: int, sigma: float, size: int) -> tuple[Array, ...]:
        return (_derivative(smooth, ndim - 1, ndim),)

    def along_y(ndim: int, sigma: float, size: int) -> tuple[Array, ...]:
        _need_two(ndim, f"{name}-y")
        return (_derivative(smooth, ndim - 2, ndim),)

    return {
        name: NamedKernel(magnitude, f"magnitude of the gradient, smoothed by {weights}"),
        f"{name}-x": NamedKernel(along_x, f"{name} derivative along the last axis"),
        f"{name}-y": NamedKernel(along_y, f"{name} derivative along the last axis but one"),
    }


KERNELS: dict[str, NamedKernel] = {
    "box": NamedKernel(_box, "mean of --size samples along each axis"),
    "edge": NamedKernel(_edge, "every sample against all its neighbours"),
    "emboss": NamedKernel(_emboss, "relief lit from the upper left (two axes)"),
    "gaussian": NamedKernel(_gaussian, "Gaussian of --sigma samples, cut off at 4 sigma"),
    "laplace": NamedKernel(_laplace, "sum of the second differences"),
    **_gradient_rows("prewitt", [1, 1, 1], "1 1 1"),
    **_gradient_rows("scharr", [3, 10, 3], "3 10 3"),
    "sharpen": NamedKernel(_sharpen, "the picture minus its Laplacian"),
    **_gradient_rows("sobel", [1, 2, 1], "1 2 1"),
}


def named_kernels(name: str, ndim: int, sigma: float = 1.0, size: int = 3) -> tuple[Array, ...]:
    """Return the kernels that ``name`` means in ``ndim`` dimensions.

    Raises
    ------
    ValueError
        If the kernel does not exist in that many dimensions or with those parameters.
    """
    kernels = KERNELS[name].make(ndim, sigma, size)
    if kernels[0].ndim != ndim:
        raise ValueError(f"{name} acts on {kernels[0].ndim} axes, not on {ndim}")
    return kernels


def magnitude(parts: Sequence[Array]) -> Array:
    """Return the root of the sum of squares of derivatives; a single result as it is."""
    if len(parts) == 1:
        return parts[0]
    return functools.reduce(np.hypot, (np.abs(part) for part in parts))
