"""Fully connected layers: y = x · Wᵀ + b on the last axis, and the gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv.nn._functions import arguments, blocks

Array = npt.NDArray[Any]


def linear(input: npt.ArrayLike, weight: npt.ArrayLike, bias: npt.ArrayLike | None = None) -> Array:
    r"""Multiply the last axis by a matrix and add a bias.

    .. math:: y[\ldots, k] = \sum_c x[\ldots, c] \, w[k, c] + b[k]

    Parameters
    ----------
    input : array_like
        Shape (…, C); floating-point or complex.
    weight : array_like
        Shape (K, C).
    bias : array_like, optional
        Shape (K,).

    Returns
    -------
    ndarray
        Shape (…, K), in ``np.result_type`` of the arrays; float16 is summed in float32.

    Raises
    ------
    TypeError
        For arrays of other dtypes.
    ValueError
        For shapes that do not belong together.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> F.linear([[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]], [0.0, 0.0, 100.0])
    array([[ 11.,  17., 123.]])
    """
    x = arguments.array(input, "input", arguments.NUMBERS)
    w = _matrix(weight, "weight")
    arrays = [x, w]
    if x.ndim < 1 or x.shape[-1] != w.shape[1]:
        raise ValueError(
            f"input has shape {x.shape} and weight has shape {w.shape}; "
            "allowed are (…, C) and (K, C)"
        )
    if bias is not None:
        b = arguments.array(bias, "bias", arguments.NUMBERS)
        arguments.check_shape(b, w.shape[:1], "bias", f"with a weight of shape {w.shape}")
        arrays.append(b)
    result = np.result_type(*arrays)
    arguments.check_addressable((*x.shape[:-1], w.shape[0]), 16)
    y = _product(x, w.T, result)
    if bias is not None:
        with np.errstate(all="ignore"):
            for part in blocks.parts(y.shape):
                y[part] += b[part[-1]]
    return arguments.narrowed(y, result)


def linear_input(
    input_size: tuple[int, ...], weight: npt.ArrayLike, grad_output: npt.ArrayLike
) -> Array:
    """Return the gradient of `linear` with respect to its input: its adjoint.

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input: (…, C).
    weight : array_like
        Shape (K, C).
    grad_output : array_like
        Gradient with respect to the result, of shape (…, K).

    Returns
    -------
    ndarray
        The gradient, of shape `input_size`.

    Raises
    ------
    TypeError, ValueError
        As by `linear`.

    Examples
    --------
    >>> from pyconv.nn import grad
    >>> grad.linear_input((2,), [[3.0, 4.0], [5.0, 6.0]], [1.0, 10.0])
    array([53., 64.])
    """
    size = arguments.shape(input_size, "input_size")
    w = _matrix(weight, "weight")
    dy = arguments.array(grad_output, "grad_output", arguments.NUMBERS)
    if size[-1:] != w.shape[1:]:
        raise ValueError(
            f"input_size={size} and weight has shape {w.shape}; allowed are (…, C) and (K, C)"
        )
    arguments.check_shape(
        dy, (*size[:-1], w.shape[0]), "grad_output", f"with weight {w.shape} and input_size {size}"
    )
    result = np.result_type(dy, w)
    return arguments.narrowed(_product(dy, w.conj(), result), result)


def linear_weight(
    input: npt.ArrayLike, weight_size: tuple[int, ...], grad_output: npt.ArrayLike
) -> Array:
    """Return the gradient of `linear` with respect to its weight.

    Parameters
    ----------
    input : array_like
        Shape (…, C).
    weight_size : tuple of int
        Shape of the weight: (K, C).
    grad_output : array_like
        Gradient with respect to the result, of shape (…, K).

    Returns
    -------
    ndarray
        The gradient, of shape `weight_size`.

    Raises
    ------
    TypeError, ValueError
        As by `linear`.

    Examples
    --------
    >>> from pyconv.nn import grad
    >>> grad.linear_weight([[1.0, 2.0], [3.0, 4.0]], (1, 2), [[1.0], [10.0]])
    array([[31., 42.]])
    """
    x = arguments.array(input, "input", arguments.NUMBERS)
    size = arguments.shape(weight_size, "weight_size")
    dy = arguments.array(grad_output, "grad_output", arguments.NUMBERS)
    if x.ndim < 1 or len(size) != 2 or x.shape[-1] != size[1]:
        raise ValueError(
            f"input has shape {x.shape} and weight_size={size}; allowed are (…, C) and (K, C)"
        )
    arguments.check_shape(
        dy, (*x.shape[:-1], size[0]), "grad_output", f"with input {x.shape} and weight_size {size}"
    )
    result = np.result_type(dy, x)
    rows = math.prod(x.shape[:-1])
    columns = dy.reshape(rows, size[0]).T
    return arguments.narrowed(_product(columns, x.reshape(rows, size[1]).conj(), result), result)


def linear_bias(grad_output: npt.ArrayLike) -> Array:
    """Return the gradient of `linear` with respect to its bias.

    Parameters
    ----------
    grad_output : array_like
        Gradient with respect to the result, of shape (…, K).

    Returns
    -------
    ndarray
        The gradient, of shape (K,).

    Raises
    ------
    TypeError
        For arrays of other dtypes.
    ValueError
        For an array without axes.

    Examples
    --------
    >>> from pyconv.nn import grad
    >>> grad.linear_bias([[1.0, 2.0], [10.0, 20.0]])
    array([11., 22.])
    """
    dy = arguments.array(grad_output, "grad_output", arguments.NUMBERS)
    if dy.ndim < 1:
        raise ValueError("grad_output has shape (); allowed is (…, K)")
    with np.errstate(all="ignore"):
        rows = blocks.converted(dy, arguments.computed_in(dy.dtype))
        y = blocks.column_sums(rows.reshape(math.prod(dy.shape[:-1]), dy.shape[-1]))
    return arguments.narrowed(y, dy.dtype)


def _matrix(value: npt.ArrayLike, argument: str) -> Array:
    given = arguments.array(value, argument, arguments.NUMBERS)
    if given.ndim != 2:
        raise ValueError(f"{argument} has shape {given.shape}; allowed is (K, C)")
    return given


def _product(a: Array, b: Array, result: np.dtype) -> Array:
    """Return a · b, by BLAS, in the type that ``result`` is summed in."""
    sums = arguments.computed_in(result)
    with np.errstate(all="ignore"):  # IEEE: ∞ · 0 is NaN
        return blocks.product(blocks.converted(a, sums), blocks.converted(b, sums))
