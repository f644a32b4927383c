"""The arguments that calls of `pyconv.nn` share, checked: arrays, shapes, one number an axis.

The functions below return what they are given in one known form, or raise the error that names
the argument, its value and what is allowed. Nothing below the modules that call them checks again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine import threads
from pyconv._engine.dtypes import native_dtype
from pyconv._engine.machine import MACHINE
from pyconv._engine.output_arrays import plain_array
from pyconv._engine.problem import MAX_COORDINATE, integer, integers
from pyconv.nn._functions import blocks

FLOATS: tuple[np.dtype, ...] = tuple(map(np.dtype, (np.float16, np.float32, np.float64)))
NUMBERS = (*FLOATS, np.dtype(np.complex64), np.dtype(np.complex128))

#: Sizes, strides and pads stay below this, so that sums of a few fit a signed 64-bit integer.
MAX_NUMBER = MAX_COORDINATE // 8

#: The axes of a batch by their number of spatial ones, as messages print them.
SPATIAL_NAMES = {1: "L", 2: "H, W", 3: "D, H, W"}


def array(value: npt.ArrayLike, argument: str, allowed: Sequence[np.dtype] = FLOATS) -> np.ndarray:
    """Return an array of one of the ``allowed`` dtypes, in any byte order and layout."""
    if type(value) is np.ndarray and value.dtype in allowed:
        return value  # nothing below applies, and small calls have three arrays
    given = plain_array(value, argument)
    if native_dtype(given.dtype) not in allowed:
        raise TypeError(
            f"{argument} has dtype {given.dtype} (shape {given.shape}); "
            f"allowed are {', '.join(map(str, allowed))}"
        )
    return given


def whole_numbers(value: npt.ArrayLike, argument: str) -> np.ndarray:
    """Return an array of integers as int64."""
    given = plain_array(value, argument)
    if given.dtype.kind not in "iu":
        raise TypeError(
            f"{argument} has dtype {given.dtype} (shape {given.shape}); integers are allowed"
        )
    return given.astype(np.int64, copy=False)


def check_spatial(given: np.ndarray, n: int, argument: str, channels: str = "C") -> None:
    """Require ``n`` spatial axes behind a channel axis and, perhaps, a batch axis."""
    if given.ndim not in (n + 1, n + 2):
        axes = SPATIAL_NAMES[n]
        raise ValueError(
            f"{argument} has shape {given.shape}; allowed are (N, {channels}, {axes}) "
            f"and ({channels}, {axes})"
        )
    if 0 in given.shape[-n:]:
        raise ValueError(f"{argument} has shape {given.shape}: a spatial axis is empty")


def per_axis(value: object, n: int, argument: str, least: int) -> tuple[int, ...]:
    """Return one integer of at least ``least`` for each of ``n`` axes."""
    numbers = integers(value, n, argument)
    if not all(least <= number <= MAX_NUMBER for number in numbers):
        raise ValueError(f"{argument}={value!r}: integers from {least} to 2**59 are allowed")
    return numbers


def shape(value: object, argument: str) -> tuple[int, ...]:
    """Return the shape that a gradient is asked for."""
    if isinstance(value, np.ndarray) and value.ndim > 1:
        raise TypeError(
            f"{argument} is an array of shape {value.shape}; its shape is allowed, a tuple of "
            "integers"
        )
    if isinstance(value, np.ndarray | str | bytes) or not isinstance(value, Sequence):
        raise TypeError(f"{argument}={value!r}: a shape is allowed, a tuple of integers")
    numbers = tuple(integer(v, argument) for v in value)
    if any(number < 0 for number in numbers):
        raise ValueError(f"{argument}={value!r}: integers of at least 0 are allowed")
    return numbers


def check_shape(given: np.ndarray, expected: tuple[int, ...], argument: str, why: str) -> None:
    """Require one shape; ``why`` says what it follows from."""
    if given.shape != expected:
        raise ValueError(f"{argument} has shape {given.shape}; {why} it has shape {expected}")


def check_addressable(result: tuple[int, ...], itemsize: int) -> None:
    """Refuse results whose bytes cannot be counted."""
    if math.prod(result) * itemsize >= MAX_COORDINATE:
        raise ValueError(f"the result would have shape {result}, too large to address")


def computed_in(dtype: np.dtype) -> np.dtype:
    """Return the dtype of the arithmetic on ``dtype``: half precision is computed in single."""
    native = dtype.newbyteorder("=")
    return FLOATS[1] if native == np.float16 else native


def narrowed(result: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return a result in the dtype of the argument that it belongs to."""
    with np.errstate(over="ignore"):  # IEEE: too large for float16 is infinite
        return blocks.converted(result, dtype.newbyteorder("="))


def axis(value: object, ndim: int, argument: str) -> int:
    """Return the number of an axis, counted from the front."""
    number = integer(value, argument)
    if not -ndim <= number < ndim:
        raise ValueError(
            f"{argument}={value!r}: an array of {ndim} dimensions has axes {-ndim} to {ndim - 1}"
        )
    return number % ndim


def contiguous(given: np.ndarray, dtype: npt.DTypeLike) -> np.ndarray:
    """Return an array as the compiled loops take it."""
    if given.size > blocks.MAX_SAMPLES and not (
        given.dtype == dtype and given.flags.c_contiguous and given.flags.aligned
    ):
        return blocks.converted(given, dtype, copy=True)
    return np.require(given, dtype, ("C_CONTIGUOUS", "ALIGNED"))


def share(workers: int | None, parts: int, *arrays: np.ndarray) -> tuple[int, Any]:
    """Return the number of threads for at most ``parts`` parts, and the context to run them in."""
    seconds = sum(a.nbytes for a in arrays) / MACHINE.copy_bytes_per_second
    count = threads.resolve(workers, MACHINE.threads_for(seconds))
    count = max(1, min(count, parts))
    return count, threads.running() if count > 1 else nullcontext()
