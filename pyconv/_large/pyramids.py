"""pyramid: an array at several resolutions, each blurred and thinned out from the one before.

    y[i] = Σ_u x[i · f + u − p] · w[u]

along the axes that shrink by factors f. The blur and the stride are one pass: results that the
stride leaves out are never made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._calls.correlation import correlate
from pyconv._engine.dtypes import native_dtype, supported
from pyconv._engine.problem import boundary_names, integer, positive, several, spatial_axes

Array = npt.NDArray[Any]
#: Binary digits of the numbers that sums in single and in double precision hold exactly.
SINGLE, DOUBLE = 24, 53
#: The standard deviation of a Gaussian for each sample of its factor.
SIGMA = 0.5
#: Axes that may shrink.
MAX_AXES = 3
#: What samples may become.
METHODS = ("mean", "gaussian", "nearest")


class Reduction:
    """One step of a pyramid: how an array of any size becomes the next smaller one.

    Parameters
    ----------
    method : {'mean', 'gaussian', 'nearest'}
        How samples are made of those that they stand for.
    axes, factors : sequence of int
        The axes that shrink, and by how much.
    sigma : sequence of float or None
        Standard deviations along the axes, of ``gaussian``.
    boundary : sequence of str
        What is read outside along each of the axes.
    """

    def __init__(
        self,
        method: str,
        axes: Sequence[int],
        factors: Sequence[int],
        sigma: Sequence[float] | None,
        boundary: Sequence[str],
    ) -> None:
        kept = [i for i, factor in enumerate(factors) if factor > 1]
        self.method = method
        self.axes = tuple(axes[i] for i in kept)
        self.factors = tuple(factors[i] for i in kept)
        widths = [SIGMA * f for f in factors] if sigma is None else sigma
        self.sigma = tuple(widths[i] for i in kept)
        self.boundary = tuple(boundary[i] for i in kept)

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape that an array of a shape shrinks to."""
        smaller = [*shape]
        for axis, factor in zip(self.axes, self.factors, strict=True):
            smaller[axis] = -(-shape[axis] // factor)
        return tuple(smaller)

    def offset(self) -> tuple[float, ...]:
        """Return how far, in samples, the first result lies behind the first sample, by axes."""
        mean = self.method == "mean"
        return tuple((factor - 1) / 2 if mean else 0.0 for factor in self.factors)

    def step(self, shape: tuple[int, ...], dtype: np.dtype) -> Step:
        """Return the call that makes the next array of one that has a shape and a dtype."""
        axes, stride, boundary = self.axes, self.factors, self.boundary
        whole = dtype.kind in "iu"
        if self.method == "gaussian":
            from pyconv._filters.smoothing import gaussian

            options: dict[str, Any] = {"axes": axes, "stride": stride, "boundary": boundary}
            return Step(
                gaussian, (self.sigma,), options | ({"dtype": native_dtype(dtype)} if whole else {})
            )
        ends = [-shape[a] % f for a, f in zip(axes, stride, strict=True)]
        options = {
            "mode": [(0, end) for end in ends],
            "boundary": boundary,
            "axes": axes,
            "stride": stride,
        }
        count = math.prod(stride)
        exact = count & (count - 1) == 0  # the weights are, and products
        if not whole:
            sums = np.float32 if exact and dtype.newbyteorder("=").char in "efF" else np.float64
            options["dtype"] = native_dtype(dtype)
            return Step(correlate, (np.full(stride, 1 / count, sums),), options)
        digits = 8 * dtype.itemsize + count.bit_length() - 1
        if exact and digits <= DOUBLE:  # no sum is rounded before the last
            sums = np.float32 if digits <= SINGLE else np.float64
            options |= {"dtype": native_dtype(dtype), "overflow": "saturate"}
            return Step(correlate, (np.full(stride, 1 / count, sums),), options)
        return Step(
            correlate, (np.ones(stride, np.uint8),), options, Quotient(count, native_dtype(dtype))
        )

    def __call__(self, x: Any, workers: int | None = None) -> Any:
        """Return the next smaller array, of an array of NumPy or dask."""
        if not self.axes or 0 in x.shape or self.method == "nearest":
            kept = x[self.kept(x.ndim)]
            return kept.copy() if isinstance(x, np.ndarray) else kept
        step = self.step(x.shape, x.dtype)
        y = step.function(x, *step.arguments, **step.options, workers=workers)
        return y if step.after is None else step.after(y)

    def kept(self, ndim: int) -> tuple[slice, ...]:
        """Return every so many samples along each axis."""
        kept = [slice(None)] * ndim
        for axis, factor in zip(self.axes, self.factors, strict=True):
            kept[axis] = slice(None, None, factor)
        return tuple(kept)


class Step(NamedTuple):
    """A call of this package, without its array, and what becomes of each of its results."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    after: Quotient | None = None


@dataclass(frozen=True, slots=True)
class Quotient:
    """The division of exact sums of integers, rounded half to even."""

    count: int
    dtype: np.dtype

    def __call__(self, sums: Any) -> Any:
        """Return the quotients, of an array of NumPy or dask."""
        count = sums.dtype.type(self.count)
        quotient = sums // count
        rest = sums - quotient * count
        # 2 · rest could overflow.
        up = (rest > count - rest) | ((rest == count - rest) & (quotient & 1 == 1))
        return (quotient + up).astype(self.dtype)


def reduction(
    shape: tuple[int, ...],
    dtype: np.dtype,
    factor: int | Sequence[int],
    method: str,
    sigma: float | Sequence[float] | None,
    axes: int | Sequence[int] | None,
    boundary: str | Sequence[str],
) -> Reduction:
    """Return the steps of a pyramid of an array; ValueError, TypeError for what is not allowed."""
    if method not in METHODS:
        raise ValueError(f"method={method!r} is unknown; allowed are {', '.join(METHODS)}")
    supported(dtype, "x")
    if method != "nearest" and dtype.kind == "b":
        raise TypeError(f"x has dtype bool, and no {method}; allowed is method='nearest'")
    if axes is None and len(shape) > 2:
        raise ValueError(
            f"x has shape {shape}: axes= says which axes shrink, like (-2, -1) for rows and columns"
        )
    named = (axes,) if several(axes) is None else several(axes)
    n = len(shape) if axes is None else len(named or ())
    if not 1 <= n <= MAX_AXES:
        raise ValueError(f"axes={axes!r}: from 1 to {MAX_AXES} axes are allowed")
    where = spatial_axes(tuple(range(n)) if axes is None else axes, n, shape)
    factors = positive(factor, n, "factor")
    names = boundary_names(boundary, n, 0)
    if sigma is None:
        return Reduction(method, where, factors, None, names)
    if method != "gaussian":
        raise ValueError(f"sigma={sigma!r} is for method='gaussian', not {method!r}")
    given = several(sigma)
    widths: Sequence[Any] = (sigma,) * n if given is None else given
    if len(widths) != n:
        raise ValueError(f"sigma={sigma!r}: a number, or {n} of them, are allowed")
    return Reduction(method, where, factors, widths, names)


def pyramid(
    x: Any,
    levels: int,
    factor: int | Sequence[int] = 2,
    *,
    method: str = "mean",
    sigma: float | Sequence[float] | None = None,
    axes: int | Sequence[int] | None = None,
    boundary: str | Sequence[str] = "symmetric",
    workers: int | None = None,
) -> list[Any]:
    r"""Return an array at several resolutions, each made of the one before.

    Parameters
    ----------
    x : array_like or dask.array.Array
        The array of full resolution; integer, floating-point or complex. bool has no means, and
        needs ``method='nearest'``.
    levels : int
        How many arrays are returned, `x` among them.
    factor : int or sequence of int, optional
        By how much each step shrinks all of `axes`, or each; 1 leaves an axis as it is.
    method : {'mean', 'gaussian', 'nearest'}, optional
        What a sample becomes that stands for `factor` samples along each axis:

        - ``mean``, the default: their mean
        - ``gaussian``: the first of them in the smoothed array
        - ``nearest``: the first of them. Labels have no means.
    sigma : float or sequence of float, optional
        Standard deviations of ``gaussian`` in samples; by default half of `factor`.
    axes : int or sequence of int, optional
        One to three axes that shrink. By default all axes of an array of one or two dimensions. An
        array of more needs `axes`.
    boundary : str or sequence of str, optional
        What is read outside, as for `correlate`. An axis that is no multiple of `factor` ends with
        a sample that stands for fewer samples, and reads outside for the others: with a `factor`
        of 2 and ``symmetric`` it is the last sample.
    workers : int, optional
        Threads to use at most, as for `correlate`.

    Returns
    -------
    list of ndarray or dask.array.Array
        The arrays, from `x` on. Level :math:`k` of an axis of n samples has
        :math:`\lceil n / f^k \rceil`. All have the dtype of `x`. Integers are rounded half to
        even: means from exact sums, others from floating-point sums. Of a dask array nothing is
        computed yet.

    Raises
    ------
    ValueError, TypeError
        For values, dtypes and combinations that are not allowed.
    OverflowError
        If the sums of means of 64-bit integers might not fit 64 bits.

    See Also
    --------
    pyconv.filters.gaussian : with ``stride``, one step of a Gaussian pyramid.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> x = np.arange(16, dtype=np.uint8).reshape(4, 4)
    >>> for level in pyconv.pyramid(x, 3):
    ...     print(level.tolist())
    [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]
    [[2, 4], [10, 12]]
    [[7]]

    A stack, whose planes stay as many:

    >>> stack = np.zeros((5, 64, 48), np.uint16)
    >>> [level.shape for level in pyconv.pyramid(stack, 3, method="gaussian", axes=(1, 2))]
    [(5, 64, 48), (5, 32, 24), (5, 16, 12)]
    """
    count = integer(levels, "levels")
    if count < 1:
        raise ValueError(f"levels={levels!r}: at least 1 is allowed")
    array = x if hasattr(x, "dask") else np.asarray(x)
    step = reduction(array.shape, array.dtype, factor, method, sigma, axes, boundary)
    found = [array]
    while len(found) < count:
        found.append(step(found[-1], workers))
    return found
