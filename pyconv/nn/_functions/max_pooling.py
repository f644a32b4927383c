"""y[n, c, o] = the largest sample of window o of plane (n, c), and the gradient of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv.nn._functions import arguments
from pyconv.nn._functions.pooling import (
    SAMPLES,
    Array,
    Padding,
    Size,
    largest,
    largest_input,
    spatial,
    spatial_axes,
)
from pyconv.nn._functions.windows import adaptive_windows, pool_windows


def max_pool1d(
    input: npt.ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    wide_padding: bool = False,
    workers: int | None = None,
) -> Any:
    r"""Take the largest sample of each window of signals.

    .. math:: y[o] = \max_{0 \le u < k} x[o \cdot s + u \cdot d - p]

    along each spatial axis. Samples outside `input` are −∞, and NaN is larger than any number.

    Parameters
    ----------
    input : array_like
        Shape (N, C, L) or (C, L); floating-point, or 8-bit integers.
    kernel_size, stride, padding, dilation, ceil_mode, return_indices
        As for `max_pool2d`.
    wide_padding, workers
        As for `max_pool2d`.

    Returns
    -------
    y, indices
        As from `max_pool2d`.

    Raises
    ------
    TypeError, ValueError
        As by `max_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> x = np.array([[1.0, 5.0, 2.0, 2.0, 3.0]])
    >>> F.max_pool1d(x, 2)
    array([[5., 2.]])
    >>> F.max_pool1d(x, 2, ceil_mode=True, return_indices=True)
    (array([[5., 2., 3.]]), array([[1, 2, 4]]))
    """
    x, sizes = spatial(input, 1, SAMPLES)
    windows = pool_windows(
        sizes, kernel_size, stride, padding, dilation, ceil_mode, wide_padding=wide_padding
    )
    return largest(x, windows, return_indices, workers)


def max_pool2d(
    input: npt.ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    wide_padding: bool = False,
    workers: int | None = None,
) -> Any:
    r"""Take the largest sample of each window of images.

    .. math:: y[o] = \max_{0 \le u < k} x[o \cdot s + u \cdot d - p]

    along each spatial axis. Samples outside `input` are −∞, and NaN is larger than any number.

    Parameters
    ----------
    input : array_like
        Shape (N, C, H, W) or (C, H, W); floating-point, or 8-bit integers.
    kernel_size : int or sequence of int
        Samples of a window along each spatial axis.
    stride : int or sequence of int, optional
        Distance between neighbouring windows; by default `kernel_size`.
    padding : int, sequence of int, or sequence of (low, high), optional
        Samples of −∞ before and after each axis; at most half of what a window spans.
    dilation : int or sequence of int, optional
        Distance between the samples of a window.
    ceil_mode : bool, optional
        Whether a last window that begins inside the input, or in the padding before it, may
        stick out at the end.
    return_indices : bool, optional
        Whether to return, too, where the largest samples are.
    wide_padding : bool, optional
        Whether pads may be wider than half of what a window spans. Windows may lie in them then,
        and hold no sample: their largest is −∞, of integers the least one of the dtype.
    workers : int, optional
        Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.

    Returns
    -------
    y : ndarray
        The largest samples, in the dtype of `input`. Each spatial axis of length `L` becomes
        :math:`\lfloor (L + p_{low} + p_{high} - d(k-1) - 1) / s \rfloor + 1` long.
    indices : ndarray of int64
        With `return_indices`: the position of each in its plane, counted in C order; the first
        of equal samples. −1 for a window that holds no sample, all of it padding.

    Raises
    ------
    TypeError
        For arrays of other dtypes, and numbers that are not integers.
    ValueError
        For shapes, sizes and pads that are not allowed, and results that would be empty.

    See Also
    --------
    pyconv.nn.grad.max_pool2d_input : the gradient.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> x = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> F.max_pool2d(x, 2)
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    >>> y, indices = F.max_pool2d(x, 3, stride=2, padding=1, return_indices=True)
    >>> bool(np.all(x.ravel()[indices] == y))
    True
    """
    x, sizes = spatial(input, 2, SAMPLES)
    windows = pool_windows(
        sizes, kernel_size, stride, padding, dilation, ceil_mode, wide_padding=wide_padding
    )
    return largest(x, windows, return_indices, workers)


def max_pool3d(
    input: npt.ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    wide_padding: bool = False,
    workers: int | None = None,
) -> Any:
    r"""Take the largest sample of each window of volumes.

    .. math:: y[o] = \max_{0 \le u < k} x[o \cdot s + u \cdot d - p]

    along each spatial axis. Samples outside `input` are −∞, and NaN is larger than any number.

    Parameters
    ----------
    input : array_like
        Shape (N, C, D, H, W) or (C, D, H, W); floating-point, or 8-bit integers.
    kernel_size, stride, padding, dilation, ceil_mode, return_indices
        As for `max_pool2d`.
    wide_padding, workers
        As for `max_pool2d`.

    Returns
    -------
    y, indices
        As from `max_pool2d`.

    Raises
    ------
    TypeError, ValueError
        As by `max_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> F.max_pool3d(np.arange(64.0).reshape(1, 4, 4, 4), 2)[0, 0]
    array([[21., 23.],
           [29., 31.]])
    """
    x, sizes = spatial(input, 3, SAMPLES)
    windows = pool_windows(
        sizes, kernel_size, stride, padding, dilation, ceil_mode, wide_padding=wide_padding
    )
    return largest(x, windows, return_indices, workers)


def adaptive_max_pool1d(
    input: npt.ArrayLike,
    output_size: int | tuple[int | None, ...] | None,
    return_indices: bool = False,
    *,
    workers: int | None = None,
) -> Any:
    r"""Take the largest sample of each of `output_size` parts of signals.

    Part `o` of an axis of length `L` reaches from :math:`\lfloor o L / n \rfloor` to
    :math:`\lceil (o + 1) L / n \rceil - 1`; neighbouring parts may share samples.

    Parameters
    ----------
    input : array_like
        Shape (N, C, L) or (C, L); floating-point, or 8-bit integers.
    output_size, return_indices, workers
        As for `adaptive_max_pool2d`.

    Returns
    -------
    y, indices
        As from `adaptive_max_pool2d`.

    Raises
    ------
    TypeError, ValueError
        As by `adaptive_max_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> F.adaptive_max_pool1d(np.array([[1.0, 5.0, 2.0, 4.0, 3.0]]), 2)
    array([[5., 4.]])
    """
    x, sizes = spatial(input, 1, SAMPLES)
    return largest(x, adaptive_windows(sizes, output_size), return_indices, workers)


def adaptive_max_pool2d(
    input: npt.ArrayLike,
    output_size: int | tuple[int | None, ...] | None,
    return_indices: bool = False,
    *,
    workers: int | None = None,
) -> Any:
    r"""Take the largest sample of each of `output_size` parts of images.

    Part `o` of an axis of length `L` reaches from :math:`\lfloor o L / n \rfloor` to
    :math:`\lceil (o + 1) L / n \rceil - 1`; neighbouring parts may share samples.

    Parameters
    ----------
    input : array_like
        Shape (N, C, H, W) or (C, H, W); floating-point, or 8-bit integers.
    output_size : int, None or sequence of them
        Windows along each spatial axis; None for as many as samples.
    return_indices : bool, optional
        Whether to return, too, where the largest samples are.
    workers : int, optional
        Threads to use at most, as in `pyconv.correlate`.

    Returns
    -------
    y : ndarray
        The largest samples: the shape of `input` with spatial axes of `output_size`.
    indices : ndarray of int64
        With `return_indices`: as from `max_pool2d`.

    Raises
    ------
    TypeError
        For arrays of other dtypes, and numbers that are not integers.
    ValueError
        For shapes, sizes and pads that are not allowed, and results that would be empty.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> F.adaptive_max_pool2d(np.arange(15.0).reshape(1, 3, 5), (1, 2))
    array([[[12., 14.]]])
    """
    x, sizes = spatial(input, 2, SAMPLES)
    return largest(x, adaptive_windows(sizes, output_size), return_indices, workers)


def adaptive_max_pool3d(
    input: npt.ArrayLike,
    output_size: int | tuple[int | None, ...] | None,
    return_indices: bool = False,
    *,
    workers: int | None = None,
) -> Any:
    r"""Take the largest sample of each of `output_size` parts of volumes.

    Part `o` of an axis of length `L` reaches from :math:`\lfloor o L / n \rfloor` to
    :math:`\lceil (o + 1) L / n \rceil - 1`; neighbouring parts may share samples.

    Parameters
    ----------
    input : array_like
        Shape (N, C, D, H, W) or (C, D, H, W); floating-point, or 8-bit integers.
    output_size, return_indices, workers
        As for `adaptive_max_pool2d`.

    Returns
    -------
    y, indices
        As from `adaptive_max_pool2d`.

    Raises
    ------
    TypeError, ValueError
        As by `adaptive_max_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> F.adaptive_max_pool3d(np.arange(60.0).reshape(1, 3, 4, 5), (None, 1, 1)).ravel()
    array([19., 39., 59.])
    """
    x, sizes = spatial(input, 3, SAMPLES)
    return largest(x, adaptive_windows(sizes, output_size), return_indices, workers)


def global_max_pool(
    input: npt.ArrayLike,
    return_indices: bool = False,
    *,
    workers: int | None = None,
) -> Any:
    """Take the largest sample of each plane.

    Parameters
    ----------
    input : array_like
        Shape (N, C, L), (N, C, H, W) or (N, C, D, H, W); floating-point, or 8-bit integers.
    return_indices : bool, optional
        Whether to return, too, where the largest samples are.
    workers : int, optional
        Threads to use at most, as in `pyconv.correlate`.

    Returns
    -------
    y : ndarray
        The largest samples: the shape of `input` with spatial axes of length 1.
    indices : ndarray of int64
        With `return_indices`: as from `max_pool2d`.

    Raises
    ------
    TypeError
        For arrays of other dtypes.
    ValueError
        For other shapes, and planes without a sample.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> F.global_max_pool(np.arange(8.0).reshape(1, 2, 2, 2)).shape
    (1, 2, 1, 1)
    """
    x = np.asanyarray(input)
    x, sizes = spatial(x, spatial_axes(x.ndim, "input", x.shape), SAMPLES)
    return largest(x, adaptive_windows(sizes, 1), return_indices, workers)


# ---- gradients --------------------------------------------------------------------------------


def max_pool1d_input(
    input_size: tuple[int, ...],
    indices: npt.ArrayLike,
    grad_output: npt.ArrayLike,
    *,
    workers: int | None = None,
) -> Array:
    """Return the gradient of `max_pool1d` with respect to its input.

    Each sample gets the sum of the gradients of the windows whose largest sample it was.

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input: (N, C, L) or (C, L).
    indices, grad_output, workers
        As for `max_pool2d_input`.

    Returns
    -------
    ndarray
        As from `max_pool2d_input`.

    Raises
    ------
    TypeError, ValueError
        As by `max_pool2d_input`.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> from pyconv.nn import grad
    >>> y, indices = F.max_pool1d(np.array([[1.0, 5.0, 2.0]]), 2, 1, return_indices=True)
    >>> grad.max_pool1d_input((1, 3), indices, np.array([[1.0, 10.0]]))
    array([[ 0., 11.,  0.]])
    """
    return largest_input(input_size, 1, indices, grad_output, workers)


def max_pool2d_input(
    input_size: tuple[int, ...],
    indices: npt.ArrayLike,
    grad_output: npt.ArrayLike,
    *,
    workers: int | None = None,
) -> Array:
    """Return the gradient of `max_pool2d` with respect to its input.

    Each sample gets the sum of the gradients of the windows whose largest sample it was.

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input: (N, C, H, W) or (C, H, W).
    indices : array_like of int
        Where the largest samples were, as ``return_indices=True`` gave them.
    grad_output : array_like
        Gradient with respect to the result, in the shape of `indices`.
    workers : int, optional
        Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.

    Returns
    -------
    ndarray
        The gradient, of shape `input_size`, in the dtype of `grad_output`.

    Raises
    ------
    TypeError
        For arrays and numbers of types that are not allowed.
    ValueError
        For shapes that do not belong together, and indices outside a plane.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> from pyconv.nn import grad
    >>> y, indices = F.max_pool2d(np.arange(16.0).reshape(1, 4, 4), 2, return_indices=True)
    >>> grad.max_pool2d_input((1, 4, 4), indices, np.ones((1, 2, 2)))
    array([[[0., 0., 0., 0.],
            [0., 1., 0., 1.],
            [0., 0., 0., 0.],
            [0., 1., 0., 1.]]])
    """
    return largest_input(input_size, 2, indices, grad_output, workers)


def max_pool3d_input(
    input_size: tuple[int, ...],
    indices: npt.ArrayLike,
    grad_output: npt.ArrayLike,
    *,
    workers: int | None = None,
) -> Array:
    """Return the gradient of `max_pool3d` with respect to its input.

    Each sample gets the sum of the gradients of the windows whose largest sample it was.

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input: (N, C, D, H, W) or (C, D, H, W).
    indices, grad_output, workers
        As for `max_pool2d_input`.

    Returns
    -------
    ndarray
        As from `max_pool2d_input`.

    Raises
    ------
    TypeError, ValueError
        As by `max_pool2d_input`.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> from pyconv.nn import grad
    >>> y, indices = F.max_pool3d(np.arange(8.0).reshape(1, 2, 2, 2), 2, return_indices=True)
    >>> grad.max_pool3d_input((1, 2, 2, 2), indices, np.ones((1, 1, 1, 1))).ravel()
    array([0., 0., 0., 0., 0., 0., 0., 1.])
    """
    return largest_input(input_size, 3, indices, grad_output, workers)


def adaptive_max_pool1d_input(
    input_size: tuple[int, ...],
    indices: npt.ArrayLike,
    grad_output: npt.ArrayLike,
    *,
    workers: int | None = None,
) -> Array:
    """Return the gradient of `adaptive_max_pool1d` with respect to its input.

    Each sample gets the sum of the gradients of the windows whose largest sample it was.

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input: (N, C, L) or (C, L).
    indices, grad_output, workers
        As for `adaptive_max_pool2d_input`.

    Returns
    -------
    ndarray
        As from `adaptive_max_pool2d_input`.

    Raises
    ------
    TypeError, ValueError
        As by `adaptive_max_pool2d_input`.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> from pyconv.nn import grad
    >>> y, indices = F.adaptive_max_pool1d(np.array([[1.0, 5.0, 2.0]]), 1, return_indices=True)
    >>> grad.adaptive_max_pool1d_input((1, 3), indices, np.array([[2.0]]))
    array([[0., 2., 0.]])
    """
    return largest_input(input_size, 1, indices, grad_output, workers)


def adaptive_max_pool2d_input(
    input_size: tuple[int, ...],
    indices: npt.ArrayLike,
    grad_output: npt.ArrayLike,
    *,
    workers: int | None = None,
) -> Array:
    """Return the gradient of `adaptive_max_pool2d` with respect to its input.

    Each sample gets the sum of the gradients of the windows whose largest sample it was.

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input: (N, C, H, W) or (C, H, W).
    indices : array_like of int
        Where the largest samples were, as ``return_indices=True`` gave them.
    grad_output : array_like
        Gradient with respect to the result, in the shape of `indices`.
    workers : int, optional
        Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.

    Returns
    -------
    ndarray
        The gradient, of shape `input_size`, in the dtype of `grad_output`.

    Raises
    ------
    TypeError
        For arrays and numbers of types that are not allowed.
    ValueError
        For shapes that do not belong together, and indices outside a plane.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> from pyconv.nn import grad
    >>> x = np.array([[[1.0, 4.0], [3.0, 2.0]]])
    >>> y, indices = F.adaptive_max_pool2d(x, 1, return_indices=True)
    >>> grad.adaptive_max_pool2d_input(x.shape, indices, np.ones((1, 1, 1)))
    array([[[0., 1.],
            [0., 0.]]])
    """
    return largest_input(input_size, 2, indices, grad_output, workers)


def adaptive_max_pool3d_input(
    input_size: tuple[int, ...],
    indices: npt.ArrayLike,
    grad_output: npt.ArrayLike,
    *,
    workers: int | None = None,
) -> Array:
    """Return the gradient of `adaptive_max_pool3d` with respect to its input.

    Each sample gets the sum of the gradients of the windows whose largest sample it was.

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input: (N, C, D, H, W) or (C, D, H, W).
    indices, grad_output, workers
        As for `adaptive_max_pool2d_input`.

    Returns
    -------
    ndarray
        As from `adaptive_max_pool2d_input`.

    Raises
    ------
    TypeError, ValueError
        As by `adaptive_max_pool2d_input`.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> from pyconv.nn import grad
    >>> x = np.array([[[[1.0, 4.0], [3.0, 2.0]]]])
    >>> y, indices = F.adaptive_max_pool3d(x, 1, return_indices=True)
    >>> grad.adaptive_max_pool3d_input(x.shape, indices, np.ones((1, 1, 1, 1)))
    array([[[[0., 1.],
             [0., 0.]]]])
    """
    return largest_input(input_size, 3, indices, grad_output, workers)


def global_max_pool_input(
    input_size: tuple[int, ...],
    indices: npt.ArrayLike,
    grad_output: npt.ArrayLike,
    *,
    workers: int | None = None,
) -> Array:
    """Return the gradient of `global_max_pool` with respect to its input.

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input: (N, C, L), (N, C, H, W) or (N, C, D, H, W).
    indices : array_like of int
        Where the largest samples were, as ``return_indices=True`` gave them.
    grad_output : array_like
        Gradient with respect to the result, in the shape of `indices`.
    workers : int, optional
        Threads to use at most, as in `pyconv.correlate`.

    Returns
    -------
    ndarray
        The gradient, of shape `input_size`, in the dtype of `grad_output`.

    Raises
    ------
    TypeError, ValueError
        As for `max_pool2d_input`.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv.nn import grad
    >>> grad.global_max_pool_input((1, 1, 3), np.array([[[2]]]), np.array([[[5.0]]]))
    array([[[0., 0., 5.]]])
    """
    size = arguments.shape(input_size, "input_size")
    n = spatial_axes(len(size), "the input", size)
    return largest_input(size, n, indices, grad_output, workers)
