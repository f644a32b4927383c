"""Filters with the signatures of `scipy.ndimage`: correlations, boxes and derivatives."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.docstrings import documented
from pyconv._engine.problem import MAX_SPATIAL
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
    low_pad,
    one_boundary,
    output_of,
    turned,
)
from pyconv.ndimage._calls import filtered
from pyconv.ndimage._several_axes import (
    Pass,
    average,
    joint,
    joint_window,
    one_by_one,
    order_matters,
    smooth,
)
from pyconv.ndimage._weighted_sums import (
    BYTE,
    Step,
    Window,
    as_truth,
    copied,
    cut_sums,
    factored,
    holds,
    in_turn,
    nothing,
    weighted_sums,
    write,
)

#: Weights along the axis of a derivative, and along the others.
DIFFERENCE = np.array([-1.0, 0.0, 1.0])
MEAN, WEIGHTED_MEAN = np.array([1.0, 1.0, 1.0]), np.array([1.0, 2.0, 1.0])
SECOND = np.array([1.0, -2.0, 1.0])
for weights in (DIFFERENCE, MEAN, WEIGHTED_MEAN, SECOND):
    weights.flags.writeable = False
del weights


@documented(SHARED, end="low")
def correlate(
    input: npt.ArrayLike,
    weights: npt.ArrayLike,
    output: Output = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> Array:
    r"""Correlate an array with a kernel.

    .. math:: y[i] = \sum_u x[i + u - K // 2 - origin] \; \overline{w[u]}

    Parameters
    ----------
    $input $weights $output $mode $cval $origins $axes

    $returns_and_raises
    ValueError
        For origins and axes that are not allowed.

    $see_also

    Notes
    -----
    Integers with whole weights are summed exactly and wrap, other sums that become integers are
    cut towards zero. Samples under a zero weight are not read, even if they are NaN.

    $examples
    >>> ndimage.correlate([2, 8, 0, 4, 1, 9, 9, 0], [1, 3])
    array([ 8, 26,  8, 12,  7, 28, 36,  9])
    """
    return filtered(_kernel, input, output, weights, mode, cval, origin, axes, False)


@documented(SHARED, end="high")
def convolve(
    input: npt.ArrayLike,
    weights: npt.ArrayLike,
    output: Output = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> Array:
    r"""Convolve an array with a kernel: `correlate` with the kernel turned round.

    .. math:: y[i] = \sum_u x[i - u + (K - 1) // 2 + origin] \; w[u]

    Parameters
    ----------
    $input $weights $output $mode $cval $origins $axes

    $returns_and_raises
    ValueError
        For origins and axes that are not allowed.

    $see_also

    $examples
    >>> ndimage.convolve([2, 8, 0, 4, 1, 9, 9, 0], [1, 3])
    array([14, 24,  4, 13, 12, 36, 27,  0])
    """
    return filtered(_kernel, input, output, weights, mode, cval, origin, axes, True)


@documented(SHARED, end="low")
def correlate1d(
    input: npt.ArrayLike,
    weights: npt.ArrayLike,
    axis: int = -1,
    output: Output = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: int = 0,
) -> Array:
    r"""Correlate along one axis.

    .. math:: y[i] = \sum_u x[i + u - K // 2 - origin] \; \overline{w[u]}

    Parameters
    ----------
    $input $weights_1d $axis $output $mode $cval $origin

    $returns_and_raises
    ValueError
        For origins that are not allowed; `numpy.exceptions.AxisError` for the axis.

    $see_also

    $examples
    >>> ndimage.correlate1d([2, 8, 0, 4, 1, 9, 9, 0], weights=[1, 3])
    array([ 8, 26,  8, 12,  7, 28, 36,  9])
    """
    return filtered(_line, input, output, weights, axis, mode, cval, origin, False)


@documented(SHARED, end="high")
def convolve1d(
    input: npt.ArrayLike,
    weights: npt.ArrayLike,
    axis: int = -1,
    output: Output = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: int = 0,
) -> Array:
    r"""Convolve along one axis: `correlate1d` with the kernel turned round.

    .. math:: y[i] = \sum_u x[i - u + (K - 1) // 2 + origin] \; w[u]

    Parameters
    ----------
    $input $weights_1d $axis $output $mode $cval $origin

    $returns_and_raises
    ValueError
        For origins that are not allowed; `numpy.exceptions.AxisError` for the axis.

    $see_also

    $examples
    >>> ndimage.convolve1d([2, 8, 0, 4, 1, 9, 9, 0], weights=[1, 3])
    array([14, 24,  4, 13, 12, 36, 27,  0])
    """
    return filtered(_line, input, output, weights, axis, mode, cval, origin, True)


def _kernel(
    x: Array,
    output: Output,
    weights: Array,
    mode: str,
    cval: complex,
    origin: int | Sequence[int],
    axes: int | Sequence[int] | None,
    flip: bool,
) -> tuple[Array, Step]:
    """Plan the correlation, or convolution, with a kernel of as many dimensions as axes."""
    w = _numbers(np.asarray(weights))  # None is an array of no dimensions
    _check_fill(x, w, cval)
    y = output_of(output, x, is_complex="c" in (x.dtype.kind, w.dtype.kind))
    where = axes_of(axes, x.ndim)
    if w.ndim != len(where) or 0 in w.shape:
        raise RuntimeError(
            f"weights.ndim ({w.ndim - w.shape.count(0)}) must match len(axes) ({len(where)})"
        )
    origins = for_each(origin, len(where))
    if len(where) < x.ndim:
        # The kernel's axes are in the order of the array's, whatever that of `axes`.
        origins = [origins[where.index(a)] for a in sorted(where)]
        where = tuple(sorted(where))
    else:
        where = tuple(range(x.ndim))
    if flip:
        origins = [turned(o, k) for o, k in zip(origins, w.shape, strict=True)]
    lows = [low_pad(k, o, "weights.shape[k]") for o, k in zip(origins, w.shape, strict=True)]
    boundary = one_boundary(mode)
    check_dtypes(x, y)
    window = Window(where, w.shape, lows, [boundary] * w.ndim, fill_of(cval, x.dtype.kind == "c"))
    return y, weighted_sums(x.shape, x.dtype, w, window, y.dtype, flip=flip)


def _line(
    x: Array,
    output: Output,
    weights: Array,
    axis: int,
    mode: str,
    cval: complex,
    origin: int,
    flip: bool,
) -> tuple[Array, Step]:
    """Plan the correlation, or convolution, along one axis."""
    weights = np.asarray(weights)
    if flip and weights.ndim == 1:
        origin = turned(origin, len(weights))
    w = _numbers(weights)
    _check_fill(x, w, cval)
    y = output_of(output, x, is_complex="c" in (x.dtype.kind, w.dtype.kind))
    if w.ndim != 1 or len(w) < 1:
        raise RuntimeError("no filter weights given")
    where = axis_of(axis, x.ndim)
    low = low_pad(len(w), origin, "len(weights)")
    boundary = boundary_of(mode)
    check_dtypes(x, y)
    window = Window((where,), w.shape, (low,), (boundary,), fill_of(cval, x.dtype.kind == "c"))
    return y, weighted_sums(x.shape, x.dtype, w, window, y.dtype, flip=flip, line=True)


def _numbers(w: Array) -> Array:
    """Return weights in a dtype that the sums take."""
    if w.dtype.kind in "biu":
        return w
    return w.astype(np.complex128 if w.dtype.kind == "c" else np.float64, copy=False)


def _check_fill(x: Array, w: Array, cval: complex) -> None:
    """Raise ValueError for a complex number outside real samples under complex weights."""
    if w.dtype.kind == "c" and x.dtype.kind != "c" and np.iscomplexobj(cval):
        raise ValueError("Cannot provide a complex-valued cval when the input is real.")


@documented(SHARED, end="low")
def uniform_filter1d(
    input: npt.ArrayLike,
    size: int,
    axis: int = -1,
    output: Output = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: int = 0,
) -> Array:
    r"""Return the mean of each window along one axis.

    .. math:: y[i] = \frac{1}{K} \sum_{u < K} x[i + u - K // 2 - origin]

    Parameters
    ----------
    $input
    size : int
        Samples of a window.
    $axis $output $mode $cval $origin

    $returns_and_raises
    ValueError
        For origins that are not allowed; `numpy.exceptions.AxisError` for the axis.

    $see_also

    Notes
    -----
    A NaN spoils the windows that hold it, and no others.

    $examples
    >>> ndimage.uniform_filter1d([2, 8, 0, 4, 1, 9, 9, 0], size=3)
    array([4, 3, 4, 1, 4, 6, 6, 3])
    """
    return filtered(_box_of_line, input, output, None, size, axis, mode, cval, origin)


def _box_of_line(
    x: Array, output: Output, _: None, size: int, axis: int, mode: str, cval: complex, origin: int
) -> tuple[Array, Step]:
    where = axis_of(axis, x.ndim)
    if size < 1:
        raise RuntimeError("incorrect filter size")
    y = output_of(output, x, is_complex=x.dtype.kind == "c")
    box = _box(where, size, origin, mode)
    check_dtypes(x, y)
    return y, _boxes(x.shape, x.dtype, [box], fill_of(cval, x.dtype.kind == "c"), y.dtype)


@documented(SHARED, each="axes", end="low")
def uniform_filter(
    input: npt.ArrayLike,
    size: int | Sequence[int] = 3,
    output: Output = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> Array:
    """Return the mean of each box.

    `uniform_filter1d` along each axis; means that become integers are cut after each.

    Parameters
    ----------
    $input
    size : int or sequence of int, optional
        Samples of a box, one number for all axes or one each.
    $output $modes $cval $origins $axes

    $returns_and_raises
    ValueError
        For origins and axes that are not allowed.

    $see_also

    $array_examples
    >>> ndimage.uniform_filter(9.0 * np.eye(3), 3, mode="constant")
    array([[2., 2., 1.],
           [2., 3., 2.],
           [1., 2., 2.]])
    """
    return filtered(_box_of_axes, input, output, None, size, mode, cval, origin, axes)


def _box_of_axes(
    x: Array,
    output: Output,
    _: None,
    size: int | Sequence[int],
    mode: str | Sequence[str],
    cval: complex,
    origin: int | Sequence[int],
    axes: int | Sequence[int] | None,
) -> tuple[Array, Step]:
    y = output_of(output, x, is_complex=x.dtype.kind == "c")
    where = axes_of(axes, x.ndim)
    sizes, origins, modes = (for_each(v, len(where)) for v in (size, origin, mode))
    boxes = [
        _box(a, int(k), o, m) for a, k, o, m in zip(where, sizes, origins, modes, strict=True)
        if k > 1
    ]  # fmt: skip
    if not boxes:  # samples of any dtype
        return y, copied
    check_dtypes(x, y)
    return y, _boxes(x.shape, x.dtype, boxes, fill_of(cval, x.dtype.kind == "c"), y.dtype)


def _box(axis: int, size: int, origin: int, mode: str) -> Pass:
    size = operator.index(size)
    if not 0 <= size // 2 + origin < size:
        raise ValueError("invalid origin")
    weights = np.full(size, 1.0 / size)
    return Pass(axis, weights, size // 2 + operator.index(origin), boundary_of(mode))


def _boxes(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    boxes: Sequence[Pass],
    fill: complex,
    dtype: np.dtype,
) -> Step:
    """Plan the running means along some axes; integers are cut after each."""
    if not boxes or 0 in shape:
        return copied
    if dtype.kind in "fc":
        return average(shape, x_dtype, boxes, fill, dtype)
    if dtype.kind == "b":
        return as_truth(_boxes(shape, x_dtype, boxes, fill, BYTE))
    if len(boxes) <= MAX_SPATIAL:
        sizes = tuple(len(box.weights) for box in boxes)
        step = cut_sums(shape, x_dtype, None, sizes, joint_window(boxes, fill), dtype)
        if step is not None:
            return step
    steps = []
    for box in boxes:
        step = cut_sums(shape, x_dtype, None, box.weights.shape, box.window(fill), dtype)
        assert step is not None
        steps.append(step)
        x_dtype = dtype
    return in_turn(steps)


@documented(SHARED, each="axes")
def prewitt(
    input: npt.ArrayLike,
    axis: int = -1,
    output: Output = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
) -> Array:
    """Return Prewitt's derivative: differences along an axis, summed along the others.

    The kernel is ``[-1, 0, 1]`` along `axis` and ``[1, 1, 1]`` along every other.

    Parameters
    ----------
    $input $axis $output $modes $cval

    $returns_and_raises
    ValueError
        For a wrong axis, as `numpy.exceptions.AxisError`.

    $see_also

    $array_examples
    >>> ndimage.prewitt(np.array([[0, 1, 4]] * 3))
    array([[ 3, 12,  9],
           [ 3, 12,  9],
           [ 3, 12,  9]])
    """
    return filtered(_gradient, input, output, MEAN, axis, mode, cval)


@documented(SHARED, each="axes")
def sobel(
    input: npt.ArrayLike,
    axis: int = -1,
    output: Output = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
) -> Array:
    """Return Sobel's derivative: differences along an axis, smoothed along the others.

    The kernel is ``[-1, 0, 1]`` along `axis` and ``[1, 2, 1]`` along every other.

    Parameters
    ----------
    $input $axis $output $modes $cval

    $returns_and_raises
    ValueError
        For a wrong axis, as `numpy.exceptions.AxisError`.

    $see_also

    $array_examples
    >>> ndimage.sobel(np.array([[0, 1, 4]] * 3))
    array([[ 4, 16, 12],
           [ 4, 16, 12],
           [ 4, 16, 12]])
    """
    return filtered(_gradient, input, output, WEIGHTED_MEAN, axis, mode, cval)


def _gradient(
    x: Array, output: Output, across: Array, axis: int, mode: Any, cval: complex
) -> tuple[Array, Step]:
    """Plan the difference along one axis, summed with weights ``across`` the others."""
    where = axis_of(axis, x.ndim)
    y = output_of(output, x)
    modes = for_each(mode, x.ndim)
    others = [a for a in range(x.ndim) if a != where]
    passes = [
        Pass(a, w, 1, boundary_of(modes[a]))
        for a, w in ((where, DIFFERENCE), *((a, across) for a in others))
    ]
    if x.dtype.kind == "c":
        y = output_of(y, x, is_complex=True)
    check_dtypes(x, y)
    fill = fill_of(cval, x.dtype.kind == "c")
    if y.dtype.kind in "fc":
        return y, smooth(x.shape, x.dtype, passes, fill, y.dtype)
    whole = same_ring(x.dtype, y.dtype)
    window = joint_window(passes, fill)
    outside = fill != 0 and whole and window.reads_fill and not holds(x.dtype, fill)
    if len(passes) > 3 or order_matters(passes, fill) or outside or not whole:
        return y, one_by_one(x.shape, x.dtype, passes, fill, y.dtype)
    kernel = passes[0].weights
    for each in passes[1:]:
        kernel = np.multiply.outer(kernel, each.weights)
    return y, weighted_sums(x.shape, x.dtype, kernel, window, y.dtype, line=True)


def same_ring(x_dtype: np.dtype, dtype: np.dtype) -> bool:
    """Return whether whole weights give the same in one pass as in several stored as ``dtype``.

    Sums of integers that wrap are the same wherever they do.
    """
    return dtype.kind in "fc" or (dtype.kind in "iu" and x_dtype.kind in "biu")


@documented(SHARED, each="axes")
def laplace(
    input: npt.ArrayLike,
    output: Output = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    *,
    axes: int | Sequence[int] | None = None,
) -> Array:
    """Return the sum of second differences along each axis.

    The kernel is ``[1, -2, 1]`` along each axis, added up.

    Parameters
    ----------
    $input $output $modes $cval $axes

    $returns_and_raises
    ValueError
        For axes that are not allowed.

    $see_also

    $examples
    >>> ndimage.laplace([0, 0, 1, 0, 0])
    array([ 0,  1, -2,  1,  0])
    """
    return filtered(_laplacian, input, output, None, mode, cval, axes)


def _laplacian(
    x: Array,
    output: Output,
    _: None,
    mode: str | Sequence[str],
    cval: complex,
    axes: int | Sequence[int] | None,
) -> tuple[Array, Step]:
    y = output_of(output, x)
    where = axes_of(axes, x.ndim)
    if not where:
        return y, copied
    modes = [boundary_of(m) for m in for_each(mode, len(where))]
    if x.dtype.kind == "c":
        y = output_of(y, x, is_complex=True)
    check_dtypes(x, y)
    fill = fill_of(cval, x.dtype.kind == "c")
    window = Window(where, (3,) * len(where), [1] * len(where), modes, fill)
    if 1 < len(where) <= MAX_SPATIAL and y.dtype.kind in "fc":
        if x.size == 0:
            return y, nothing
        sample = np.array([0.0, 1.0, 0.0])
        terms = [[SECOND if a == axis else sample for a in where] for axis in sorted(where)]
        return y, partial(write, factored(x.shape, x.dtype, terms, window, y.dtype))
    # A fill value with a fraction is cut with the sum of each axis.
    whole = "constant" not in modes or float(fill.real).is_integer()
    if len(where) <= 3 and y.dtype.kind in "iu" and same_ring(x.dtype, y.dtype) and whole:
        cross = np.zeros((3,) * len(where))
        for i in range(len(where)):
            line = [1] * len(where)
            for u, value in enumerate((1, -2, 1)):
                line[i] = u
                cross[tuple(line)] += value
        return y, weighted_sums(x.shape, x.dtype, cross, window, y.dtype)
    passes = [[Pass(a, SECOND, 1, m)] for a, m in zip(where, modes, strict=True)]
    return y, sum_of_passes(x.shape, x.dtype, passes, fill, y.dtype)


def sum_of_passes(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    terms: Sequence[Sequence[Pass]],
    fill: complex,
    dtype: np.dtype,
) -> Step:
    """Plan the sum of filters, each stored in the dtype of the result.

    Of filters along the same two or three axes the sum alone is stored.
    """
    products = joint(shape, terms, fill, dtype)
    if products is not None:
        return partial(write, factored(shape, x_dtype, *products, dtype))
    first, *others = (smooth(shape, x_dtype, term, fill, dtype) for term in terms)

    def run(x: Array, output: Array) -> None:
        if np.may_share_memory(x, output):
            x = x.copy()
        first(x, output)
        part = np.empty_like(output)
        for step in others:
            step(x, part)
            np.add(output, part, out=output)

    return run
