"""FILTERS: what the command line calls the kernels of `pyconv.kernels`, in one to three dimensions.

A kernel is called by its name in KERNELS. Of derivatives, one for each axis, the name means the
magnitude of the gradient; ``-x`` and ``-y`` behind it mean one along the last axis, and along
the last but one.
"""

from __future__ import annotations

import argparse
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv.kernels import KERNELS, KernelSpec

Array = npt.NDArray[Any]


class Parameter(NamedTuple):
    """An option of the command line that is an argument of kernels."""

    type: Callable[[str], Any]
    default: float
    help: str


def number_or_numbers(word: str) -> float | tuple[float, ...]:
    """Return a number, or several between commas."""
    try:
        values = tuple(float(part) for part in word.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{word!r}: a number, or several with commas between, are allowed"
        ) from None
    return values[0] if len(values) == 1 else values


PARAMETERS: dict[str, Parameter] = {
    "sigma": Parameter(
        number_or_numbers, 1.0, "standard deviation of Gaussians in samples; S,S for each axis"
    ),
    "size": Parameter(int, 3, "width of box in samples"),
    "radius": Parameter(float, 3.0, "radius of disk and ball in samples"),
    "length": Parameter(float, 9.0, "length of motion in samples"),
    "wavelength": Parameter(float, 8.0, "distance of the crests of gabor in samples"),
    "orientation": Parameter(float, 0.0, "direction of motion and gabor in degrees, 0 along rows"),
}


AXES = {1: "one axis", 2: "two axes", 3: "three axes"}


class Filter(NamedTuple):
    """A name of the command line: a kernel, or one of its derivatives, or all of them."""

    kernel: KernelSpec
    #: The one axis, counted from the last, if the name means one derivative.
    axis: int | None
    summary: str


def _filters(name: str, kernel: KernelSpec) -> dict[str, Filter]:
    """Return the names that a row of KERNELS has here."""
    if kernel.direction is None:
        return {name: Filter(kernel, None, kernel.summary)}
    filters = {name: Filter(kernel, None, f"magnitude of the gradient: {kernel.summary}")}
    if kernel.direction == "axis":
        filters[f"{name}-x"] = Filter(kernel, -1, f"{name} derivative along the last axis")
        filters[f"{name}-y"] = Filter(kernel, -2, f"{name} derivative along the last axis but one")
    return filters


FILTERS: dict[str, Filter] = {
    name: each for row in KERNELS.items() for name, each in _filters(*row).items()
}


def named_kernels(name: str, ndim: int, **parameters: Any) -> tuple[Array, ...]:
    """Return the kernels that ``name`` means in ``ndim`` dimensions.

    Several are derivatives whose magnitude is wanted. ``parameters`` are some of PARAMETERS.

    Raises
    ------
    ValueError
        If the kernel does not exist in that many dimensions or with those parameters.
    """
    kernel, axis, _ = FILTERS[name]
    least = 2 if kernel.direction is not None and axis != -1 else kernel.ndims[0]
    allowed = [n for n in kernel.ndims if n >= least]
    if ndim not in allowed:
        raise ValueError(f"{name} acts on {' or '.join(AXES[n] for n in allowed)}, not on {ndim}")
    call: dict[str, Any] = _arguments(kernel, parameters)
    if len(kernel.ndims) > 1:
        call["ndim"] = ndim
    if axis is not None:
        return (kernel.make(axis=axis, **call),)
    return tuple(kernel.make(**direction, **call) for direction in kernel.directions(ndim))


def _arguments(kernel: KernelSpec, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that a kernel has, as its function takes them."""
    defaults = {word: parameter.default for word, parameter in PARAMETERS.items()}
    given = {word: (defaults | dict(parameters))[word] for word in kernel.parameters}
    if "orientation" in given:
        given["orientation"] = math.radians(given["orientation"])
    return given


def magnitude(parts: Sequence[Array]) -> Array:
    """Return the root of the sum of squares of derivatives; a single result as it is."""
    if len(parts) == 1:
        return parts[0]
    return functools.reduce(np.hypot, (np.abs(part) for part in parts))
