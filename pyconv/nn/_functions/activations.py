"""Activations: max(x, 0), and x − log Σ exp(x) along an axis; and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._native import loader
from pyconv.nn._functions import arguments, blocks

Array = npt.NDArray[Any]


def relu(input: npt.ArrayLike, *, workers: int | None = None) -> Array:
    r"""Replace negative samples by zero.

    .. math:: y = \max(x, 0)

    Parameters
    ----------
    input : array_like
        Any shape; float16, float32 or float64.
    workers : int, optional
        Threads to use at most, as in `pyconv.correlate`.

    Returns
    -------
    ndarray
        The result, in the shape and dtype of `input`; NaN stays NaN.

    Raises
    ------
    TypeError
        For arrays that are not floating-point.

    Examples
    --------
    >>> import pyconv.nn.functional as F
    >>> F.relu([-1.0, 0.0, 2.0])
    array([0., 0., 2.])
    """
    x = arguments.array(input, "input")
    return _rectified(x, x, workers)


def relu_input(
    input: npt.ArrayLike, grad_output: npt.ArrayLike, *, workers: int | None = None
) -> Array:
    """Return the gradient of `relu` with respect to its input.

    Parameters
    ----------
    input : array_like
        The input of `relu`, or its result, which gives the same.
    grad_output : array_like
        Gradient with respect to the result, in its shape.
    workers : int, optional
        Threads to use at most, as in `pyconv.correlate`.

    Returns
    -------
    ndarray
        `grad_output` where the input is positive or NaN, and 0 elsewhere, at 0 too.

    Raises
    ------
    TypeError
        For arrays that are not floating-point.
    ValueError
        For shapes that differ.

    Examples
    --------
    >>> from pyconv.nn import grad
    >>> grad.relu_input([-1.0, 0.0, 2.0], [5.0, 6.0, 7.0])
    array([0., 0., 7.])
    """
    x = arguments.array(input, "input")
    dy = arguments.array(grad_output, "grad_output")
    arguments.check_shape(dy, x.shape, "grad_output", "as input")
    return _rectified(x, dy, workers)


def relu_in_place(x: Array, workers: int | None = None) -> Array:
    """Return `relu` of an array, in the array itself where the loops can write to it."""
    flags = x.flags
    if x.dtype not in arguments.FLOATS[1:] or not (flags.carray and x.dtype.isnative):
        return relu(x, workers=workers)
    count, context = arguments.share(workers, x.size, x)
    with context:
        loader.native.rectify(x, x, x, count)
    return x


def _rectified(x: Array, dy: Array, workers: int | None) -> Array:
    """Return ``dy`` where ``x`` is not negative or zero, and 0 elsewhere."""
    sums = arguments.computed_in(np.result_type(x, dy))
    y = np.empty(x.shape, sums)
    given, errors = (arguments.contiguous(a, sums) for a in (x, dy))
    count, context = arguments.share(workers, y.size, given, errors, y)
    with context:
        loader.native.rectify(given, errors, y, count)
    return arguments.narrowed(y, dy.dtype)


def log_softmax(input: npt.ArrayLike, dim: int) -> Array:
    r"""Take logarithms of the shares of exponentials along one axis.

    .. math:: y_c = x_c - \log \sum_k e^{x_k}

    Parameters
    ----------
    input : array_like
        Any shape; float16, which is computed in float32, float32 or float64.
    dim : int
        The axis along which ``exp(y)`` adds up to 1.

    Returns
    -------
    ndarray
        The result, in the shape and dtype of `input`.

    Raises
    ------
    TypeError
        For arrays that are not floating-point, and a `dim` that is no integer.
    ValueError
        For a `dim` that the input does not have.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> F.log_softmax(np.log([1.0, 3.0]), 0)
    array([-1.38629436, -0.28768207])

    Large inputs do not overflow:

    >>> F.log_softmax([1000.0, 1000.0], 0)
    array([-0.69314718, -0.69314718])
    """
    x = arguments.array(input, "input")
    axis = arguments.axis(dim, x.ndim, "dim")
    return arguments.narrowed(log_shares(x.astype(arguments.computed_in(x.dtype)), axis), x.dtype)


def log_shares(x: Array, axis: int) -> Array:
    """Return `log_softmax` of an array that may be overwritten."""
    if x.size == 0:
        return x
    lines = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    with np.errstate(all="ignore"):  # IEEE: infinities give NaN, as their shares have no limit
        for part in blocks.parts(lines, max(1, blocks.MAX_SAMPLES // x.shape[axis])):
            logarithms = x[(*part[:axis], slice(None), *part[axis + 1 :])]
            logarithms -= logarithms.max(axis=axis, keepdims=True)
            logarithms -= np.log(np.exp(logarithms).sum(axis=axis, keepdims=True))
    return x


def log_softmax_input(output: npt.ArrayLike, grad_output: npt.ArrayLike, dim: int) -> Array:
    r"""Return the gradient of `log_softmax` with respect to its input.

    .. math:: dx_c = dy_c - e^{y_c} \sum_k dy_k

    Parameters
    ----------
    output : array_like
        The result of `log_softmax`.
    grad_output : array_like
        Gradient with respect to that result, in its shape.
    dim : int
        As in the call of `log_softmax`.

    Returns
    -------
    ndarray
        The gradient, in the dtype of `grad_output`.

    Raises
    ------
    TypeError
        For arrays that are not floating-point, and a `dim` that is no integer.
    ValueError
        For shapes that differ, and a `dim` that they do not have.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv.nn import grad
    >>> grad.log_softmax_input(np.log([0.25, 0.75]), [1.0, 0.0], 0)
    array([ 0.75, -0.75])
    """
    y = arguments.array(output, "output")
    given = arguments.array(grad_output, "grad_output")
    arguments.check_shape(given, y.shape, "grad_output", "as output")
    axis = arguments.axis(dim, y.ndim, "dim")
    dy = given.astype(arguments.computed_in(given.dtype), copy=False)
    dx = np.empty(dy.shape, dy.dtype)
    lines = (*dy.shape[:axis], 1, *dy.shape[axis + 1 :])
    with np.errstate(all="ignore"):
        for part in blocks.parts(lines, max(1, blocks.MAX_SAMPLES // max(1, dy.shape[axis]))):
            at = (*part[:axis], slice(None), *part[axis + 1 :])
            shares = np.exp(y[at].astype(dy.dtype, copy=False))
            np.subtract(dy[at], shares * dy[at].sum(axis=axis, keepdims=True), out=dx[at])
    return arguments.narrowed(dx, given.dtype)
