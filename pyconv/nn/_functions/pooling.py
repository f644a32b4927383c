"""Pools: from windows to the compiled loops, and back for the gradients.

Every pool becomes windows along three axes (`windows`) and one compiled loop over the planes
(`_native/pooling.pxi`). The calls themselves are in `max_pooling` and `average_pooling`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.algorithms.arranged import in_order, write
from pyconv._engine.docstrings import paragraphs
from pyconv._engine.dtypes import is_integer
from pyconv._engine.problem import flag, integer
from pyconv._native import loader
from pyconv.nn._functions import arguments
from pyconv.nn._functions.windows import Windows, out_shape, plane_size, three_axes

Size = int | tuple[int, ...]
Padding = int | Sequence[int] | Sequence[tuple[int, int]]
Array = npt.NDArray[Any]


#: Dtypes of which the largest sample is taken.
SAMPLES = (*arguments.FLOATS, np.dtype(np.int8), np.dtype(np.uint8))
#: Integers that are converted at once.
SLAB = 1 << 22


def spatial(
    input: npt.ArrayLike, n: int, allowed: Sequence[np.dtype] = arguments.FLOATS
) -> tuple[Array, tuple[int, ...]]:
    """Return the input and its spatial sizes."""
    x = arguments.array(input, "input", allowed)
    arguments.check_spatial(x, n, "input")
    return x, x.shape[-n:]


def spatial_axes(ndim: int, argument: str, shape: tuple[int, ...]) -> int:
    """Return the number of spatial axes of an array that has a batch axis."""
    if ndim not in (3, 4, 5):
        raise ValueError(
            f"{argument} has shape {shape}; allowed are (N, C, L), (N, C, H, W) and (N, C, D, H, W)"
        )
    return ndim - 2


#: Paragraphs of the docstrings of pools.
SHARED = paragraphs("""
    $samples:
    float16, float32 or float64
    $refused:
    that are not floating-point
    $input:
    input : array_like
        Shape (N, C, $spatial) or (C, $spatial); $samples.
    $any_input:
    input : array_like
        Shape (N, C, L), (N, C, H, W) or (N, C, D, H, W); $samples.
    $windows:
    kernel_size : int or sequence of int
        Samples of a window along each spatial axis.
    stride : int or sequence of int, optional
        Distance between neighbouring windows; by default `kernel_size`.
    $output_size:
    output_size : int, None or sequence of them
        Windows along each spatial axis; None for as many as samples.
    $workers:
    workers : int, optional
        Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.
    $parts:
    Part `o` of an axis of length `L` reaches from :math:`\\lfloor o L / n \\rfloor` to
    :math:`\\lceil (o + 1) L / n \\rceil - 1`; neighbouring parts may share samples.
    $raises:
    Raises
    ------
    TypeError
        For arrays $refused, and numbers that are not integers.
    ValueError
        For shapes, sizes and pads that are not allowed, and results that would be empty.
    $global_raises:
    Raises
    ------
    TypeError
        For arrays $refused.
    ValueError
        For other shapes, and planes without a sample.
    $input_size:
    input_size : tuple of int
        Shape of the input: (N, C, $spatial) or (C, $spatial).
    $any_input_size:
    input_size : tuple of int
        Shape of the input: (N, C, L), (N, C, H, W) or (N, C, D, H, W).
    $grad_output:
    grad_output : array_like
        Gradient with respect to the result, in its shape.
    $gradient:
    Returns
    -------
    ndarray
        The gradient, of shape `input_size`, in the dtype of `grad_output`.

    Raises
    ------
    TypeError
        For arrays and numbers of types that are not allowed.
    ValueError
        For shapes that do not belong together$or_else.
    $examples:
    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    $gradient_examples:
    Examples
    --------
    >>> import numpy as np
    >>> from pyconv.nn import grad
    $largest_gradient_examples:
    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> from pyconv.nn import grad
""")


class _Planes:
    """Planes of three axes, a long one last, and where the results of their windows go."""

    def __init__(
        self, x: Array, windows: list[Windows], exact: bool, whole: list[Windows] | None
    ) -> None:
        # Where which of equal samples is found is exact, no axis of several goes past another.
        lead = x.ndim - len(windows)
        shape = (*x.shape[:lead], *out_shape(windows))
        arguments.check_addressable(shape, 8)
        deciding = windows if whole is None else whole
        order = in_order(tuple([w.size for w in deciding]))
        as_given = tuple(range(len(windows)))
        if exact and order != as_given:
            long = [i for i in order if deciding[i].size > 1]
            order = order if long == sorted(long) else as_given
        #: The axes of the results in the order in which they are seen, and back; None for the same.
        self._back: list[int] | None = None
        self._shape = shape
        if order != as_given:
            self._seen = seen = (*range(lead), *(lead + i for i in order))
            x = x.transpose(seen)
            self._back = [seen.index(i) for i in range(x.ndim)]
            self._shape = tuple(shape[i] for i in seen)
            windows = [windows[i] for i in order]
            deciding = [deciding[i] for i in order]
        self.axes = three_axes(windows, deciding)
        source = arguments.contiguous(x, arguments.computed_in(x.dtype))
        self.count = source.size // plane_size(windows)
        self.samples = source.reshape(self.count, *(a.size for a in self.axes))

    def room(self, dtype: npt.DTypeLike) -> Array:
        """Return an array for the results of all planes."""
        return np.empty(self._shape, dtype)

    def results(self, room: Array) -> Array:
        """Return the results in the order of the caller's axes."""
        if self._back is None or room.transpose(self._back).flags.c_contiguous:
            return room if self._back is None else room.transpose(self._back)
        y = np.empty([room.shape[i] for i in self._back], room.dtype)
        write(room, y.transpose(self._seen))
        return y


def largest(
    x: Array,
    windows: list[Windows],
    return_indices: bool,
    workers: int | None,
    whole: list[Windows] | None = None,
) -> Array | tuple[Array, Array]:
    """Return the largest sample of each window, and its index in its plane.

    ``whole`` are the windows of which these are a part: they decide about the order of samples.
    """
    return_indices = flag(return_indices, "return_indices")
    if is_integer(x.dtype):
        return _largest_integer(x, windows, return_indices, workers, whole)
    planes = _Planes(x, windows, return_indices, whole)
    y = planes.room(planes.samples.dtype)
    indices = planes.room(np.int64) if return_indices else None
    count, context = arguments.share(workers, y.size // planes.axes[2].out, planes.samples, y)
    if y.size:
        with context:
            loader.native.pool_largest(planes.samples, y, indices, planes.axes, count)
    y = arguments.narrowed(planes.results(y), x.dtype)
    return y if indices is None else (y, planes.results(indices))


def _largest_integer(
    x: Array,
    windows: list[Windows],
    return_indices: bool,
    workers: int | None,
    whole: list[Windows] | None,
) -> Array | tuple[Array, Array]:
    """Do as `largest`, in single precision, some planes at a time."""
    shape = (*x.shape[: -len(windows)], *out_shape(windows))
    arguments.check_addressable(shape, 8)
    planes = x.reshape(-1, *x.shape[-len(windows) :])
    y = np.empty((len(planes), *out_shape(windows)), x.dtype.newbyteorder("="))
    indices = np.empty(y.shape, np.int64) if return_indices else None
    step = max(1, SLAB // plane_size(windows))
    for start in range(0, max(1, len(planes)), step):  # a bad number of threads is found in none
        some = slice(start, start + step)
        found = largest(planes[some].astype(np.float32), windows, return_indices, workers, whole)
        if indices is not None:
            found, indices[some] = found
        y[some] = np.maximum(found, np.iinfo(x.dtype).min)  # −∞ where there is no sample
    y = y.reshape(shape)
    return y if indices is None else (y, indices.reshape(shape))


def average(
    x: Array,
    windows: list[Windows],
    divisor: float,
    workers: int | None,
    whole: list[Windows] | None = None,
) -> Array:
    """Return the sum of each window ÷ its size, or ÷ ``divisor`` unless that is 0.

    ``whole`` are the windows of which these are a part: they decide in which order samples are
    added.
    """
    planes = _Planes(x, windows, False, whole)
    y = planes.room(planes.samples.dtype)
    count, context = arguments.share(workers, y.size // planes.axes[2].out, planes.samples, y)
    if y.size:
        with context:
            loader.native.pool_average(planes.samples, y, planes.axes, divisor, count)
    return arguments.narrowed(planes.results(y), x.dtype)


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
    # The loop clears each plane when it fills it; without gradients it has nothing to do.
    dx = (np.empty if where.size else np.zeros)(size, given.dtype)
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
    lead = len(size) - len(windows)
    order = in_order(tuple([w.size for w in windows]))
    seen = (*range(lead), *(lead + i for i in order))
    axes = three_axes([windows[i] for i in order])
    given = arguments.contiguous(dy.transpose(seen), arguments.computed_in(dy.dtype))
    dx = np.empty(size, given.dtype)
    into = dx.transpose(seen)
    total = into if into.flags.c_contiguous else np.empty(into.shape, dx.dtype)
    planes = dx.size // plane_size(windows)
    count, context = arguments.share(workers, planes, given, dx)
    if dx.size:
        with context:
            loader.native.pool_average_adjoint(
                given.reshape(planes, *out_shape(axes)),
                total.reshape(planes, *(a.size for a in axes)),
                axes,
                divisor,
                count,
            )
        if total is not into:
            write(total, into)
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
