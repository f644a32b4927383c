"""Filters with the signatures of `scipy.ndimage`: correlations, boxes and derivatives."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.docstrings import documented
from pyconv._engine.planner import kept
from pyconv._engine.problem import MAX_SPATIAL
from pyconv._engine.separable_passes import Runner
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
    low_pad,
    one_boundary,
    output_of,
    turned,
)
from pyconv.ndimage._several_axes import (
    Pass,
    average,
    joint_window,
    one_by_one,
    order_matters,
    smooth,
)
from pyconv.ndimage._weighted_sums import (
    Window,
    bytes_of,
    cut_sums,
    factored,
    holds,
    to_truth,
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
    return _kernel(input, weights, output, mode, cval, origin, axes, flip=False)


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
    return _kernel(input, weights, output, mode, cval, origin, axes, flip=True)


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
    return _line(np.asarray(input), np.asarray(weights), axis, output, mode, cval, origin)


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
    w = np.asarray(weights)
    if w.ndim == 1:
        origin = turned(origin, len(w))
    return _line(np.asarray(input), w, axis, output, mode, cval, origin, flip=True)


def _kernel(
    input: npt.ArrayLike,
    weights: npt.ArrayLike,
    output: Output,
    mode: str,
    cval: complex,
    origin: int | Sequence[int],
    axes: int | Sequence[int] | None,
    *,
    flip: bool,
) -> Array:
    """Correlate, or convolve, with a kernel of as many dimensions as there are axes."""
    x, w = np.asarray(input), _numbers(weights)
    y = _output(output, x, w, cval)
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
    weighted_sums(x, w, window, y, flip=flip)
    return y


def _line(
    x: Array,
    w: Array,
    axis: int,
    output: Output,
    mode: str,
    cval: complex,
    origin: int,
    *,
    flip: bool = False,
) -> Array:
    """Correlate, or convolve, along one axis."""
    w = _numbers(w)
    y = _output(output, x, w, cval)
    if w.ndim != 1 or len(w) < 1:
        raise RuntimeError("no filter weights given")
    where = axis_of(axis, x.ndim)
    low = low_pad(len(w), origin, "len(weights)")
    boundary = boundary_of(mode)
    check_dtypes(x, y)
    fill = fill_of(cval, x.dtype.kind == "c")
    weighted_sums(
        x, w, Window((where,), w.shape, (low,), (boundary,), fill), y, flip=flip, line=True
    )
    return y


def _numbers(weights: npt.ArrayLike) -> Array:
    """Return weights in a dtype that the sums take."""
    w = np.asarray(weights)
    if w.dtype.kind in "biu":
        return w
    return w.astype(np.complex128 if w.dtype.kind == "c" else np.float64, copy=False)


def _output(output: Output, x: Array, w: Array, cval: complex) -> Array:
    """Return the array that receives the result; complex if the data or the weights are."""
    if w.dtype.kind == "c" and x.dtype.kind != "c" and np.iscomplexobj(cval):
        raise ValueError("Cannot provide a complex-valued cval when the input is real.")
    return output_of(output, x, is_complex="c" in (x.dtype.kind, w.dtype.kind))


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
    x = np.asarray(input)
    where = axis_of(axis, x.ndim)
    if size < 1:
        raise RuntimeError("incorrect filter size")
    y = output_of(output, x, is_complex=x.dtype.kind == "c")
    box = _box(where, size, origin, mode)
    check_dtypes(x, y)
    _boxes(x, [box], fill_of(cval, x.dtype.kind == "c"), y)
    return y


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
    x = np.asarray(input)
    y = output_of(output, x, is_complex=x.dtype.kind == "c")
    where = axes_of(axes, x.ndim)
    sizes, origins, modes = (for_each(v, len(where)) for v in (size, origin, mode))
    boxes = [
        _box(a, int(k), o, m) for a, k, o, m in zip(where, sizes, origins, modes, strict=True)
        if k > 1
    ]  # fmt: skip
    if not boxes:  # samples of any dtype
        y[...] = x
        return y
    check_dtypes(x, y)
    _boxes(x, boxes, fill_of(cval, x.dtype.kind == "c"), y)
    return y


def _box(axis: int, size: int, origin: int, mode: str) -> Pass:
    size = operator.index(size)
    if not 0 <= size // 2 + origin < size:
        raise ValueError("invalid origin")
    weights = np.full(size, 1.0 / size)
    return Pass(axis, weights, size // 2 + operator.index(origin), boundary_of(mode))


def _boxes(x: Array, boxes: Sequence[Pass], fill: complex, y: Array) -> None:
    """Write the running means along some axes; integers are cut after each."""
    if not boxes or x.size == 0:
        y[...] = x
        return
    if y.dtype.kind in "fc":
        average(x, boxes, fill, y)
        return
    if y.dtype.kind == "b":
        _boxes(x, boxes, fill, bytes_of(y))
        to_truth(y)
        return
    sizes = tuple(len(box.weights) for box in boxes)
    if len(boxes) <= MAX_SPATIAL and cut_sums(x, None, sizes, joint_window(boxes, fill), y):
        return
    for box in boxes:
        done = cut_sums(x, None, box.weights.shape, box.window(fill), y)
        assert done
        x = y


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
    return _gradient(np.asarray(input), axis, output, mode, cval, MEAN)


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
    return _gradient(np.asarray(input), axis, output, mode, cval, WEIGHTED_MEAN)


def _gradient(
    x: Array, axis: int, output: Output, mode: Any, cval: complex, across: Array
) -> Array:
    """Write the difference along one axis, summed with weights ``across`` the others."""
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
        smooth(x, passes, fill, y)
        return y
    window = joint_window(passes, fill)
    outside = fill != 0 and same_ring(x, y) and window.reads_fill and not holds(x.dtype, fill)
    if len(passes) > 3 or order_matters(passes, fill) or outside or not same_ring(x, y):
        one_by_one(x, passes, fill, y)
        return y
    kernel = passes[0].weights
    for each in passes[1:]:
        kernel = np.multiply.outer(kernel, each.weights)
    weighted_sums(x, kernel, window, y, line=True)
    return y


def same_ring(x: Array, y: Array) -> bool:
    """Return whether whole weights give the same in one pass as in several stored as ``y``.

    Sums of integers that wrap are the same wherever they do.
    """
    return y.dtype.kind in "fc" or (y.dtype.kind in "iu" and x.dtype.kind in "biu")


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
    x = np.asarray(input)
    y = output_of(output, x)
    where = axes_of(axes, x.ndim)
    if not where:
        y[...] = x
        return y
    modes = [boundary_of(m) for m in for_each(mode, len(where))]
    if x.dtype.kind == "c":
        y = output_of(y, x, is_complex=True)
    check_dtypes(x, y)
    fill = fill_of(cval, x.dtype.kind == "c")
    if len(where) == 2 and y.dtype.kind in "fc":
        if x.size:
            what = (x.shape, x.dtype, y.dtype, where, tuple(modes), fill)
            key = ("laplace", loader.native, *what, type(fill))
            write(kept(key, _planned_laplacian, *what), x, y)
        return y
    # A fill value with a fraction is cut with the sum of each axis.
    whole = "constant" not in modes or float(fill.real).is_integer()
    if len(where) <= 3 and y.dtype.kind in "iu" and same_ring(x, y) and whole:
        cross = np.zeros((3,) * len(where))
        for i in range(len(where)):
            line = [1] * len(where)
            for u, value in enumerate((1, -2, 1)):
                line[i] = u
                cross[tuple(line)] += value
        window = Window(where, cross.shape, [1] * len(where), modes, fill)
        weighted_sums(x, cross, window, y)
        return y
    return sum_of_passes(
        x, [[Pass(a, SECOND, 1, m)] for a, m in zip(where, modes, strict=True)], fill, y
    )


def _planned_laplacian(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    dtype: np.dtype,
    where: tuple[int, int],
    modes: tuple[str, str],
    fill: complex,
) -> Runner:
    """Plan the sum of both second derivatives of an image, which becomes floats."""
    sample = np.array([0.0, 1.0, 0.0])
    window = Window(where, (3, 3), (1, 1), modes, fill)
    return factored(shape, x_dtype, [[SECOND, sample], [sample, SECOND]], window, dtype)


def sum_of_passes(x: Array, terms: Sequence[Sequence[Pass]], fill: complex, y: Array) -> Array:
    """Write the sum of filters, each stored in the dtype of ``y``, and return it."""
    if np.may_share_memory(x, y):
        x = x.copy()
    smooth(x, terms[0], fill, y)
    part = np.empty_like(y)
    for term in terms[1:]:
        smooth(x, term, fill, part)
        np.add(y, part, out=y)
    return y
