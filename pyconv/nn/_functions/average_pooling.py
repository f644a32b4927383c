"""y[n, c, o] = the average of window o of plane (n, c), and the adjoint of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pyconv.nn._functions import arguments
from pyconv.nn._functions.pooling import (
    Array,
    Padding,
    Size,
    average,
    average_input,
    divisor_of,
    gradient_size,
    spatial,
    spatial_axes,
)
from pyconv.nn._functions.windows import adaptive_windows, pool_windows


def avg_pool1d(
    input: npt.ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    wide_padding: bool = False,
    workers: int | None = None,
) -> Array:
    r"""Take the average of each window of signals.

    .. math:: y[o] = \frac{1}{k} \sum_{0 \le u < k} x[o \cdot s + u - p]

    along each spatial axis.

    Parameters
    ----------
    input : array_like
        Shape (N, C, L) or (C, L); float16, float32 or float64.
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As for `avg_pool2d`.
    wide_padding, workers
        As for `avg_pool2d`.

    Returns
    -------
    ndarray
        As from `avg_pool2d`.

    Raises
    ------
    TypeError, ValueError
        As by `avg_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> F.avg_pool1d(np.array([[1.0, 3.0, 5.0, 7.0]]), 2)
    array([[2., 6.]])
    """
    x, sizes = spatial(input, 1)
    windows = pool_windows(
        sizes, kernel_size, stride, padding, 1, ceil_mode, count_include_pad, wide_padding
    )
    return average(x, windows, divisor_of(divisor_override), workers)


def avg_pool2d(
    input: npt.ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    wide_padding: bool = False,
    workers: int | None = None,
) -> Array:
    r"""Take the average of each window of images.

    .. math:: y[o] = \frac{1}{k} \sum_{0 \le u < k} x[o \cdot s + u - p]

    along each spatial axis.

    Parameters
    ----------
    input : array_like
        Shape (N, C, H, W) or (C, H, W); float16, float32 or float64.
    kernel_size : int or sequence of int
        Samples of a window along each spatial axis.
    stride : int or sequence of int, optional
        Distance between neighbouring windows; by default `kernel_size`.
    padding : int, sequence of int, or sequence of (low, high), optional
        Samples of padding before and after each axis; at most half of what a window spans.
    ceil_mode : bool, optional
        Whether a last window that begins inside the input, or in the padding before it, may
        stick out at the end. What sticks out of the padding is never counted.
    count_include_pad : bool, optional
        Whether samples in the padding count as zeros; if not, they are left out.
    divisor_override : int, optional
        Divide the sum of each window by this instead of by its number of samples.
    wide_padding : bool, optional
        Whether pads may be wider than half of what a window spans. Windows may lie in them then,
        and hold no sample: their average is 0 where the padding counts, as zeros do. Where it does
        not, it is NaN: an average of nothing.
    workers : int, optional
        Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.

    Returns
    -------
    ndarray
        The averages, in the dtype of `input`; float16 is summed in float32. Each spatial axis of
        length `L` becomes :math:`\lfloor (L + p_{low} + p_{high} - k) / s \rfloor + 1` long.

    Raises
    ------
    TypeError
        For arrays that are not floating-point, and numbers that are not integers.
    ValueError
        For shapes, sizes and pads that are not allowed, and results that would be empty.

    See Also
    --------
    pyconv.nn.grad.avg_pool2d_input : the gradient.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> x = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> F.avg_pool2d(x, 2)
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])

    Samples in the padding count as zeros, or not at all:

    >>> F.avg_pool2d(np.ones((1, 2, 2)), 2, padding=1)
    array([[[0.25, 0.25],
            [0.25, 0.25]]])
    >>> F.avg_pool2d(np.ones((1, 2, 2)), 2, padding=1, count_include_pad=False)
    array([[[1., 1.],
            [1., 1.]]])
    """
    x, sizes = spatial(input, 2)
    windows = pool_windows(
        sizes, kernel_size, stride, padding, 1, ceil_mode, count_include_pad, wide_padding
    )
    return average(x, windows, divisor_of(divisor_override), workers)


def avg_pool3d(
    input: npt.ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    wide_padding: bool = False,
    workers: int | None = None,
) -> Array:
    r"""Take the average of each window of volumes.

    .. math:: y[o] = \frac{1}{k} \sum_{0 \le u < k} x[o \cdot s + u - p]

    along each spatial axis.

    Parameters
    ----------
    input : array_like
        Shape (N, C, D, H, W) or (C, D, H, W); float16, float32 or float64.
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As for `avg_pool2d`.
    wide_padding, workers
        As for `avg_pool2d`.

    Returns
    -------
    ndarray
        As from `avg_pool2d`.

    Raises
    ------
    TypeError, ValueError
        As by `avg_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> F.avg_pool3d(np.arange(8.0).reshape(1, 2, 2, 2), 2)
    array([[[[3.5]]]])
    """
    x, sizes = spatial(input, 3)
    windows = pool_windows(
        sizes, kernel_size, stride, padding, 1, ceil_mode, count_include_pad, wide_padding
    )
    return average(x, windows, divisor_of(divisor_override), workers)


def adaptive_avg_pool1d(
    input: npt.ArrayLike,
    output_size: int | tuple[int | None, ...] | None,
    *,
    workers: int | None = None,
) -> Array:
    r"""Take the average of each of `output_size` parts of signals.

    Part `o` of an axis of length `L` reaches from :math:`\lfloor o L / n \rfloor` to
    :math:`\lceil (o + 1) L / n \rceil - 1`; neighbouring parts may share samples.

    Parameters
    ----------
    input : array_like
        Shape (N, C, L) or (C, L); float16, float32 or float64.
    output_size, workers
        As for `adaptive_avg_pool2d`.

    Returns
    -------
    ndarray
        As from `adaptive_avg_pool2d`.

    Raises
    ------
    TypeError, ValueError
        As by `adaptive_avg_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> F.adaptive_avg_pool1d(np.array([[1.0, 3.0, 5.0, 7.0, 9.0]]), 2)
    array([[3., 7.]])
    """
    x, sizes = spatial(input, 1)
    return average(x, adaptive_windows(sizes, output_size), 0.0, workers)


def adaptive_avg_pool2d(
    input: npt.ArrayLike,
    output_size: int | tuple[int | None, ...] | None,
    *,
    workers: int | None = None,
) -> Array:
    r"""Take the average of each of `output_size` parts of images.

    Part `o` of an axis of length `L` reaches from :math:`\lfloor o L / n \rfloor` to
    :math:`\lceil (o + 1) L / n \rceil - 1`; neighbouring parts may share samples.

    Parameters
    ----------
    input : array_like
        Shape (N, C, H, W) or (C, H, W); float16, float32 or float64.
    output_size : int, None or sequence of them
        Windows along each spatial axis; None for as many as samples.
    workers : int, optional
        Threads to use at most, as in `pyconv.correlate`.

    Returns
    -------
    ndarray
        The averages: the shape of `input` with spatial axes of `output_size`.

    Raises
    ------
    TypeError
        For arrays that are not floating-point, and numbers that are not integers.
    ValueError
        For shapes, sizes and pads that are not allowed, and results that would be empty.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> F.adaptive_avg_pool2d(np.arange(15.0).reshape(1, 3, 5), (1, 2))
    array([[[6., 8.]]])
    """
    x, sizes = spatial(input, 2)
    return average(x, adaptive_windows(sizes, output_size), 0.0, workers)


def adaptive_avg_pool3d(
    input: npt.ArrayLike,
    output_size: int | tuple[int | None, ...] | None,
    *,
    workers: int | None = None,
) -> Array:
    r"""Take the average of each of `output_size` parts of volumes.

    Part `o` of an axis of length `L` reaches from :math:`\lfloor o L / n \rfloor` to
    :math:`\lceil (o + 1) L / n \rceil - 1`; neighbouring parts may share samples.

    Parameters
    ----------
    input : array_like
        Shape (N, C, D, H, W) or (C, D, H, W); float16, float32 or float64.
    output_size, workers
        As for `adaptive_avg_pool2d`.

    Returns
    -------
    ndarray
        As from `adaptive_avg_pool2d`.

    Raises
    ------
    TypeError, ValueError
        As by `adaptive_avg_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> F.adaptive_avg_pool3d(np.arange(60.0).reshape(1, 3, 4, 5), (None, 1, 1)).ravel()
    array([ 9.5, 29.5, 49.5])
    """
    x, sizes = spatial(input, 3)
    return average(x, adaptive_windows(sizes, output_size), 0.0, workers)


def global_avg_pool(
    input: npt.ArrayLike,
    *,
    workers: int | None = None,
) -> Array:
    """Take the average of each plane.

    Parameters
    ----------
    input : array_like
        Shape (N, C, L), (N, C, H, W) or (N, C, D, H, W); float16, float32 or float64.
    workers : int, optional
        Threads to use at most, as in `pyconv.correlate`.

    Returns
    -------
    ndarray
        The averages: the shape of `input` with spatial axes of length 1.

    Raises
    ------
    TypeError
        For arrays that are not floating-point.
    ValueError
        For other shapes, and planes without a sample.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> F.global_avg_pool(np.arange(8.0).reshape(1, 2, 2, 2)).ravel()
    array([1.5, 5.5])
    """
    x = np.asanyarray(input)
    x, sizes = spatial(x, spatial_axes(x.ndim, "input", x.shape))
    return average(x, adaptive_windows(sizes, 1), 0.0, workers)


# ---- gradients --------------------------------------------------------------------------------


def avg_pool1d_input(
    input_size: tuple[int, ...],
    grad_output: npt.ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    wide_padding: bool = False,
    workers: int | None = None,
) -> Array:
    """Return the gradient of `avg_pool1d` with respect to its input: its adjoint.

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input: (N, C, L) or (C, L).
    grad_output, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As for `avg_pool2d_input`.
    wide_padding, workers
        As for `avg_pool2d_input`.

    Returns
    -------
    ndarray
        As from `avg_pool2d_input`.

    Raises
    ------
    TypeError, ValueError
        As by `avg_pool2d_input`.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv.nn import grad
    >>> grad.avg_pool1d_input((1, 4), np.array([[2.0, 4.0]]), 2)
    array([[1., 1., 2., 2.]])
    """
    size = gradient_size(input_size, 1)
    windows = pool_windows(
        size[-1:], kernel_size, stride, padding, 1, ceil_mode, count_include_pad, wide_padding
    )
    return average_input(size, windows, grad_output, divisor_of(divisor_override), workers)


def avg_pool2d_input(
    input_size: tuple[int, ...],
    grad_output: npt.ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    wide_padding: bool = False,
    workers: int | None = None,
) -> Array:
    """Return the gradient of `avg_pool2d` with respect to its input: its adjoint.

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input: (N, C, H, W) or (C, H, W).
    grad_output : array_like
        Gradient with respect to the result, in its shape.
    kernel_size, stride, padding : int or sequence of int
        As in the call of `avg_pool2d`.
    ceil_mode, count_include_pad, divisor_override, wide_padding
        As in the call of `avg_pool2d`.
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
        For shapes that do not belong together, and numbers that the call would refuse.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv.nn import grad
    >>> grad.avg_pool2d_input((1, 2, 2), np.array([[[4.0]]]), 2)
    array([[[1., 1.],
            [1., 1.]]])
    """
    size = gradient_size(input_size, 2)
    windows = pool_windows(
        size[-2:], kernel_size, stride, padding, 1, ceil_mode, count_include_pad, wide_padding
    )
    return average_input(size, windows, grad_output, divisor_of(divisor_override), workers)


def avg_pool3d_input(
    input_size: tuple[int, ...],
    grad_output: npt.ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    wide_padding: bool = False,
    workers: int | None = None,
) -> Array:
    """Return the gradient of `avg_pool3d` with respect to its input: its adjoint.

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input: (N, C, D, H, W) or (C, D, H, W).
    grad_output, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As for `avg_pool2d_input`.
    wide_padding, workers
        As for `avg_pool2d_input`.

    Returns
    -------
    ndarray
        As from `avg_pool2d_input`.

    Raises
    ------
    TypeError, ValueError
        As by `avg_pool2d_input`.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv.nn import grad
    >>> grad.avg_pool3d_input((1, 1, 2, 2), np.array([[[[4.0]]]]), (1, 2, 2))
    array([[[[1., 1.],
             [1., 1.]]]])
    """
    size = gradient_size(input_size, 3)
    windows = pool_windows(
        size[-3:], kernel_size, stride, padding, 1, ceil_mode, count_include_pad, wide_padding
    )
    return average_input(size, windows, grad_output, divisor_of(divisor_override), workers)


def adaptive_avg_pool1d_input(
    input_size: tuple[int, ...], grad_output: npt.ArrayLike, *, workers: int | None = None
) -> Array:
    """Return the gradient of `adaptive_avg_pool1d` with respect to its input: its adjoint.

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input: (N, C, L) or (C, L).
    grad_output, workers
        As for `adaptive_avg_pool2d_input`.

    Returns
    -------
    ndarray
        As from `adaptive_avg_pool2d_input`.

    Raises
    ------
    TypeError, ValueError
        As by `adaptive_avg_pool2d_input`.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv.nn import grad
    >>> grad.adaptive_avg_pool1d_input((1, 4), np.array([[2.0, 4.0]]))
    array([[1., 1., 2., 2.]])
    """
    size = gradient_size(input_size, 1)
    windows = adaptive_windows(size[-1:], np.shape(grad_output)[-1:])
    return average_input(size, windows, grad_output, 0.0, workers)


def adaptive_avg_pool2d_input(
    input_size: tuple[int, ...], grad_output: npt.ArrayLike, *, workers: int | None = None
) -> Array:
    """Return the gradient of `adaptive_avg_pool2d` with respect to its input: its adjoint.

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input: (N, C, H, W) or (C, H, W).
    grad_output : array_like
        Gradient with respect to the result; its spatial shape is the `output_size`.
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
        For shapes that do not belong together.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv.nn import grad
    >>> grad.adaptive_avg_pool2d_input((1, 2, 2), np.array([[[4.0]]]))
    array([[[1., 1.],
            [1., 1.]]])
    """
    size = gradient_size(input_size, 2)
    windows = adaptive_windows(size[-2:], np.shape(grad_output)[-2:])
    return average_input(size, windows, grad_output, 0.0, workers)


def adaptive_avg_pool3d_input(
    input_size: tuple[int, ...], grad_output: npt.ArrayLike, *, workers: int | None = None
) -> Array:
    """Return the gradient of `adaptive_avg_pool3d` with respect to its input: its adjoint.

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input: (N, C, D, H, W) or (C, D, H, W).
    grad_output, workers
        As for `adaptive_avg_pool2d_input`.

    Returns
    -------
    ndarray
        As from `adaptive_avg_pool2d_input`.

    Raises
    ------
    TypeError, ValueError
        As by `adaptive_avg_pool2d_input`.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv.nn import grad
    >>> grad.adaptive_avg_pool3d_input((1, 1, 2, 2), np.array([[[[4.0]]]]))
    array([[[[1., 1.],
             [1., 1.]]]])
    """
    size = gradient_size(input_size, 3)
    windows = adaptive_windows(size[-3:], np.shape(grad_output)[-3:])
    return average_input(size, windows, grad_output, 0.0, workers)


def global_avg_pool_input(
    input_size: tuple[int, ...], grad_output: npt.ArrayLike, *, workers: int | None = None
) -> Array:
    """Return the gradient of `global_avg_pool` with respect to its input: its adjoint.

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input: (N, C, L), (N, C, H, W) or (N, C, D, H, W).
    grad_output : array_like
        Gradient with respect to the result, in its shape.
    workers : int, optional
        Threads to use at most, as in `pyconv.correlate`.

    Returns
    -------
    ndarray
        The gradient, of shape `input_size`, in the dtype of `grad_output`.

    Raises
    ------
    TypeError, ValueError
        As for `avg_pool2d_input`.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv.nn import grad
    >>> grad.global_avg_pool_input((1, 1, 4), np.array([[[8.0]]]))
    array([[[2., 2., 2., 2.]]])
    """
    size = arguments.shape(input_size, "input_size")
    size = gradient_size(size, spatial_axes(len(size), "the input", size))
    return average_input(size, adaptive_windows(size[2:], 1), grad_output, 0.0, workers)
