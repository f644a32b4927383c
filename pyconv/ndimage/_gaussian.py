"""Gaussian filters with the signatures of `scipy.ndimage`, and their derivatives."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from functools import cache, lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.docstrings import documented
from pyconv._native import loader
from pyconv.ndimage._arguments import (
    SHARED,
    Array,
    Output,
    axes_of,
    axis_of,
    boundary_of,
    check_dtypes,
    fill_of,
    for_each,
    output_of,
)
from pyconv.ndimage._calls import filtered
from pyconv.ndimage._filters import sum_of_passes
from pyconv.ndimage._several_axes import Pass, joint, smooth
from pyconv.ndimage._weighted_sums import Step, copied, factored_lengths, write

#: Smaller widths leave an axis as it is.
MIN_SIGMA = 1e-15
#: Samples whose magnitude is taken at a time: what stays in the cache.
CHUNK = 1 << 14


def kernel_1d(sigma: float, order: int, radius: int) -> Array:
    """Return the samples of a derivative of a Gaussian whose own samples sum to 1.

    The k-th derivative is q_k(x) · exp(−x² / 2σ²) with q_0 = 1, q_{k+1} = q_k' − x q_k / σ².
    """
    if order < 0:
        raise ValueError(f"order must be non-negative: {order}")
    x = np.arange(-radius, radius + 1)
    variance = sigma * sigma
    gaussian = np.exp(-0.5 / variance * x**2)
    gaussian = gaussian / gaussian.sum()
    if order == 0:
        return gaussian
    # q is a column of coefficients; a matrix turns those of q_k into those of q_{k+1}.
    powers = np.arange(order + 1)
    step = np.diag(powers[1:], 1) + np.diag(np.ones(order) / -variance, -1)
    q = np.zeros(order + 1)
    q[0] = 1
    for _ in range(order):
        q = step.dot(q)
    # Of a polynomial of even or of odd powers one half is enough: both are the same bits.
    half = (x[radius:, np.newaxis] ** powers).dot(q) * gaussian[radius:]
    before = half[:0:-1] if order % 2 == 0 else -half[:0:-1]
    if order % 2:
        half[0] = 0
    return np.concatenate([before, half])


def gaussian_pass(
    axis: int, sigma: Any, order: Any, mode: Any, truncate: float, radius: Any
) -> Pass:
    """Return the correlation with a Gaussian, or a derivative of one, along an axis."""
    options = (axis, sigma, order, mode, truncate, radius)
    try:
        hash(options)
    except TypeError:
        return _planned_pass(*options)
    return _kept_pass(*options)


def _planned_pass(
    axis: int, sigma: Any, order: Any, mode: Any, truncate: float, radius: Any
) -> Pass:
    if radius is None:
        if not abs(truncate * float(sigma)) < math.inf:  # the types that SciPy raises
            error = OverflowError if float(sigma) in (math.inf, -math.inf) else ValueError
            raise error(f"sigma={sigma!r}: a finite number is allowed")
        radius = int(truncate * float(sigma) + 0.5)
        if radius < 0:
            raise ValueError(
                f"sigma={sigma!r}, truncate={truncate!r}: numbers of at least 0 are allowed"
            )
    if not isinstance(radius, numbers.Integral) or radius < 0:
        raise ValueError(f"Radius must be a nonnegative integer: {radius!r}")
    weights = np.ascontiguousarray(kernel_1d(float(sigma), order, int(radius))[::-1])
    weights.flags.writeable = False
    return Pass(axis, weights, int(radius), boundary_of(mode))


_kept_pass = lru_cache(maxsize=64, typed=True)(_planned_pass)


@documented(SHARED)
def gaussian_filter1d(
    input: npt.ArrayLike,
    sigma: float,
    axis: int = -1,
    order: int = 0,
    output: Output = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    truncate: float = 4.0,
    *,
    radius: int | None = None,
) -> Array:
    r"""Correlate with a Gaussian, or a derivative of one, along one axis.

    .. math:: w[u] = \frac{e^{-u^2 / 2 \sigma^2}}{\sum_v e^{-v^2 / 2 \sigma^2}}, \; |u| \le radius

    Parameters
    ----------
    $input
    sigma : float
        Standard deviation in samples.
    $axis
    order : int, optional
        0 smooths; a positive number is the order of the derivative of the Gaussian.
    $output $mode $cval $truncate
    radius : int, optional
        Samples on either side of the middle, instead of `truncate`.

    $returns_and_raises
    ValueError
        For an order or a radius that is negative; `numpy.exceptions.AxisError` for the axis.

    $see_also

    $examples
    >>> ndimage.gaussian_filter1d([1.0, 2.0, 3.0, 4.0, 5.0], 1).round(4)
    array([1.427 , 2.0678, 3.    , 3.9322, 4.573 ])
    """
    return filtered(
        _gaussian_of_line, input, output, None, sigma, axis, order, mode, cval, truncate, radius
    )


def _gaussian_of_line(
    x: Array,
    output: Output,
    _: None,
    sigma: Any,
    axis: int,
    order: Any,
    mode: Any,
    cval: complex,
    truncate: float,
    radius: Any,
) -> tuple[Array, Step]:
    where = axis_of(axis, x.ndim)
    only = gaussian_pass(where, sigma, order, mode, truncate, radius)
    y, fill = _checked(x, output_of(output, x), cval)
    return y, smooth(x.shape, x.dtype, [only], fill, y.dtype)


@documented(SHARED, each="axes")
def gaussian_filter(
    input: npt.ArrayLike,
    sigma: float | Sequence[float],
    order: int | Sequence[int] = 0,
    output: Output = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    truncate: float = 4.0,
    *,
    radius: int | Sequence[int] | None = None,
    axes: int | Sequence[int] | None = None,
) -> Array:
    """Smooth with a Gaussian along each axis.

    `gaussian_filter1d` along each axis; results that become integers are cut after each.

    Parameters
    ----------
    $input
    sigma : float or sequence of float
        Standard deviation in samples; axes of sigma 0 are left alone.
    order : int or sequence of int, optional
        0 smooths; a positive number is the order of the derivative of the Gaussian.
    $output $modes $cval $truncate
    radius : int or sequence of int, optional
        Samples on either side of the middle, instead of `truncate`.
    $axes

    $returns_and_raises
    ValueError
        For orders, radii and axes that are not allowed.

    $see_also

    Notes
    -----
    Several axes are filtered in one pass where that means the same: where the result is of floats,
    and the passes in between would not read a `cval` that those before them change.

    $array_examples
    >>> ndimage.gaussian_filter(np.arange(50, step=2).reshape(5, 5), sigma=1)
    array([[ 4,  6,  8,  9, 11],
           [10, 12, 14, 15, 17],
           [20, 22, 24, 25, 27],
           [29, 31, 33, 34, 36],
           [35, 37, 39, 40, 42]])
    """
    return filtered(
        _gaussian_of_axes, input, output, None, sigma, order, mode, cval, truncate, radius, axes
    )


def _gaussian_of_axes(
    x: Array,
    output: Output,
    _: None,
    sigma: Any,
    order: Any,
    mode: Any,
    cval: complex,
    truncate: float,
    radius: Any,
    axes: int | Sequence[int] | None,
) -> tuple[Array, Step]:
    y = output_of(output, x)
    where = axes_of(axes, x.ndim)
    passes = _passes(where, sigma, order, mode, truncate, radius)
    if not passes:
        return y, copied
    y, fill = _checked(x, y, cval)
    return y, smooth(x.shape, x.dtype, passes, fill, y.dtype)


def _passes(
    axes: Sequence[int],
    sigma: Any,
    order: Any,
    mode: Any,
    truncate: float,
    radius: Any,
) -> list[Pass]:
    """Return the passes of a Gaussian filter along the axes whose sigma is not zero."""
    orders, sigmas, modes, radii = (for_each(v, len(axes)) for v in (order, sigma, mode, radius))
    return [
        gaussian_pass(a, s, o, m, truncate, r)
        for a, s, o, m, r in zip(axes, sigmas, orders, modes, radii, strict=True)
        if s > MIN_SIGMA
    ]


def _derivatives(
    ndim: int,
    sigma: Any,
    mode: Any,
    axes: Sequence[int],
    order: int,
    truncate: float,
    radius: Any,
) -> list[list[Pass]]:
    """Return the passes of the derivative along each of ``axes``.

    A derivative reads all axes by the mode of its own, as in SciPy.
    """
    terms = []
    for axis, its_mode in zip(axes, for_each(mode, len(axes)), strict=True):
        orders = [order if a == axis else 0 for a in range(ndim)]
        terms.append(_passes(range(ndim), sigma, orders, its_mode, truncate, radius))
    return terms


@documented(SHARED, each="derivatives")
def gaussian_laplace(
    input: npt.ArrayLike,
    sigma: float | Sequence[float],
    output: Output = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    *,
    axes: int | Sequence[int] | None = None,
    **kwargs: Any,
) -> Array:
    """Return the sum of second derivatives of the Gaussian along each axis.

    Parameters
    ----------
    $input $sigmas $output $modes $cval $axes $kwargs

    $returns_and_raises
    ValueError
        For radii and axes that are not allowed.

    $see_also

    $array_examples
    >>> ndimage.gaussian_laplace(np.arange(20.0) ** 2, 1)[8:12].round(2)
    array([1.99, 1.99, 1.99, 1.99])
    """
    return filtered(
        _gaussian_laplacian, input, output, None, sigma, mode, cval, axes, *_options(**kwargs)
    )


def _options(truncate: float = 4.0, radius: Any = None) -> tuple[float, Any]:
    """Return the options of `gaussian_filter` that its derivatives take."""
    return truncate, radius


def _gaussian_laplacian(
    x: Array,
    output: Output,
    _: None,
    sigma: Any,
    mode: Any,
    cval: complex,
    axes: int | Sequence[int] | None,
    truncate: float,
    radius: Any,
) -> tuple[Array, Step]:
    y = output_of(output, x)
    where = axes_of(axes, x.ndim)
    sigmas = for_each(sigma, len(where))
    if len(where) < x.ndim:
        sigmas = [sigmas[where.index(a)] if a in where else 0.0 for a in range(x.ndim)]
    terms = _derivatives(x.ndim, sigmas, mode, where, 2, truncate, radius)
    if not terms:
        return y, copied
    y, fill = _checked(x, y, cval)
    return y, sum_of_passes(x.shape, x.dtype, terms, fill, y.dtype)


def _checked(x: Array, y: Array, cval: complex) -> tuple[Array, complex]:
    """Return the result and what is read outside, once they are known to fit ``x``."""
    is_complex = x.dtype.kind == "c"
    if is_complex:
        y = output_of(y, x, is_complex=True)
    check_dtypes(x, y)
    return y, fill_of(cval, is_complex)


@documented(SHARED, each="derivatives")
def gaussian_gradient_magnitude(
    input: npt.ArrayLike,
    sigma: float | Sequence[float],
    output: Output = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    *,
    axes: int | Sequence[int] | None = None,
    **kwargs: Any,
) -> Array:
    """Return the length of the gradient that derivatives of the Gaussian give.

    Parameters
    ----------
    $input $sigmas $output $modes $cval
    axes : int or sequence of int, optional
        The axes of the gradient; by default all.
    $kwargs

    $returns_and_raises
    ValueError
        For radii and axes that are not allowed.

    $see_also

    $array_examples
    >>> slope = np.add.outer(3.0 * np.arange(20), 4.0 * np.arange(20))
    >>> float(ndimage.gaussian_gradient_magnitude(slope, 1)[10, 10].round(2))
    5.0
    """
    return filtered(
        _gradient_magnitude, input, output, None, sigma, mode, cval, axes, *_options(**kwargs)
    )


def _gradient_magnitude(
    x: Array,
    output: Output,
    _: None,
    sigma: Any,
    mode: Any,
    cval: complex,
    axes: int | Sequence[int] | None,
    truncate: float,
    radius: Any,
) -> tuple[Array, Step]:
    y = output_of(output, x)
    where = axes_of(axes, x.ndim)
    terms = _derivatives(x.ndim, sigma, mode, where, 1, truncate, radius)
    if not terms:
        return y, copied
    y, fill = _checked(x, y, cval)
    products = joint(x.shape, terms, fill, y.dtype)
    if products is not None:
        at_once = factored_lengths(x.shape, x.dtype, *products, y.dtype)
        if at_once is not None:
            return y, partial(write, at_once)
    first, *others = (smooth(x.shape, x.dtype, term, fill, y.dtype) for term in terms)

    def run(x: Array, output: Array) -> None:
        if np.may_share_memory(x, output):
            x = x.copy()
        first(x, output)
        parts = [np.empty_like(output) for _ in others]
        for step, part in zip(others, parts, strict=True):
            step(x, part)
        _magnitude(output, parts)

    return y, run


def _magnitude(y: Array, parts: list[Array]) -> None:
    """Overwrite ``y`` with √(y² + Σ parts²), squared and added in the dtype of ``y``."""
    if y.dtype == np.uint8:  # whose root NumPy takes in half precision, one by one
        total = np.ascontiguousarray(y)
        loader.native.root_of_squares(total, [np.ascontiguousarray(part) for part in parts])
        if total is not y:
            y[...] = total
        return
    for at in range(0, len(y), rows := max(1, CHUNK * len(y) // max(1, y.size))):
        first, *others = (a[at : at + rows] for a in (y, *parts))
        np.multiply(first, first, out=first)
        for other in others:
            np.multiply(other, other, out=other)
            np.add(first, other, out=first)
        if y.dtype == np.int8:  # in half precision, one by one, and slowest of negative numbers
            _root_of_int8(first)
        elif y.dtype != np.bool:  # 0 and 1 are their own roots
            np.sqrt(first, out=first, casting="unsafe")


def _root_of_int8(a: Array) -> None:
    """Overwrite an array with its roots, cast and warned of as ``np.sqrt`` does."""
    if a.size and a.min() < 0:
        np.sqrt(a.dtype.type(-1))
    _roots_of_int8().take(a.view(np.uint8), out=a)


@cache
def _roots_of_int8() -> Array:
    """Return the root of each number, in the order of its bits."""
    numbers = np.arange(256, dtype=np.uint8).view(np.int8)
    with np.errstate(all="ignore"):
        return np.sqrt(numbers, out=numbers, casting="unsafe")
