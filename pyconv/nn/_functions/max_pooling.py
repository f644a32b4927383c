"""y[n, c, o] = the largest sample of window o of plane (n, c), and the gradient of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._dask.door import in_pieces, is_planned
from pyconv._engine.docstrings import documented, for_each_ndim, paragraphs
from pyconv.nn._functions import arguments, pooling
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

SHARED = pooling.SHARED | paragraphs("""
    $return_indices:
    return_indices : bool, optional
        Whether to return, too, where the largest samples are.
    $where:
    indices : ndarray of int64
        With `return_indices`: the position of each in its plane, counted in C order; the first
        of equal samples, the last of NaN.
    $indices:
    indices : array_like of int
        Where the largest samples were, as ``return_indices=True`` gave them.
    grad_output : array_like
        Gradient with respect to the result, in the shape of `indices`.
    $samples:
    floating-point, or 8-bit integers
    $refused:
    of other dtypes
    $or_else:
    , and indices outside a plane
""")


def _max_pool(n: int) -> Callable[..., Any]:
    def max_pool(
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
        r"""Take the largest sample of each window of $images.

        .. math:: y[o] = \max_{0 \le u < k} x[o \cdot s + u \cdot d - p]

        along each spatial axis. Samples outside `input` are −∞, and NaN is larger than any number.

        Parameters
        ----------
        $input $windows
        padding : int, sequence of int, or sequence of (low, high), optional
            Samples of −∞ before and after each axis; at most half of what a window spans.
        dilation : int or sequence of int, optional
            Distance between the samples of a window.
        ceil_mode : bool, optional
            Whether a last window that begins inside the input, or in the padding before it, may
            stick out at the end.
        $return_indices
        wide_padding : bool, optional
            Whether pads may be wider than half of what a window spans. Windows may lie in them
            then, and hold no sample: their largest is −∞, of integers the least one of the dtype.
        $workers

        Returns
        -------
        y : ndarray
            The largest samples, in the dtype of `input`. Each spatial axis of length `L` becomes
            :math:`\lfloor (L + p_{low} + p_{high} - d(k-1) - 1) / s \rfloor + 1` long.
        $where
            −1 for a window that holds no sample, all of it padding.

        $raises

        See Also
        --------
        pyconv.nn.grad.${name}_input : the gradient.

        $examples $example
        """
        given = kernel_size, stride, padding, dilation, ceil_mode, False, wide_padding
        if type(input) is not np.ndarray and is_planned(input):
            return in_pieces("layer", "max_pool", input, n, given, return_indices, workers)
        x, sizes = spatial(input, n, SAMPLES)
        return largest(x, pool_windows(sizes, *given), return_indices, workers)

    return max_pool


max_pool1d, max_pool2d, max_pool3d = for_each_ndim(
    _max_pool,
    "max_pool${nd}",
    SHARED,
    example=(
        """
        >>> x = np.array([[1.0, 5.0, 2.0, 2.0, 3.0]])
        >>> F.max_pool1d(x, 2)
        array([[5., 2.]])
        >>> F.max_pool1d(x, 2, ceil_mode=True, return_indices=True)
        (array([[5., 2., 3.]]), array([[1, 2, 4]]))
        """,
        """
        >>> x = np.arange(16.0).reshape(1, 1, 4, 4)
        >>> F.max_pool2d(x, 2)
        array([[[[ 5.,  7.],
                 [13., 15.]]]])
        >>> y, indices = F.max_pool2d(x, 3, stride=2, padding=1, return_indices=True)
        >>> bool(np.all(x.ravel()[indices] == y))
        True
        """,
        """
        >>> F.max_pool3d(np.arange(64.0).reshape(1, 4, 4, 4), 2)[0, 0]
        array([[21., 23.],
               [29., 31.]])
        """,
    ),
)


def _adaptive_max_pool(n: int) -> Callable[..., Any]:
    def adaptive_max_pool(
        input: npt.ArrayLike,
        output_size: int | tuple[int | None, ...] | None,
        return_indices: bool = False,
        *,
        workers: int | None = None,
    ) -> Any:
        """Take the largest sample of each of `output_size` parts of $images.

        $parts

        Parameters
        ----------
        $input $output_size $return_indices $workers

        Returns
        -------
        y : ndarray
            The largest samples: the shape of `input` with spatial axes of `output_size`.
        $where

        $raises

        $examples $example
        """
        x, sizes = spatial(input, n, SAMPLES)
        return largest(x, adaptive_windows(sizes, output_size), return_indices, workers)

    return adaptive_max_pool


adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = for_each_ndim(
    _adaptive_max_pool,
    "adaptive_max_pool${nd}",
    SHARED,
    example=(
        """
        >>> F.adaptive_max_pool1d(np.array([[1.0, 5.0, 2.0, 4.0, 3.0]]), 2)
        array([[5., 4.]])
        """,
        """
        >>> F.adaptive_max_pool2d(np.arange(15.0).reshape(1, 3, 5), (1, 2))
        array([[[12., 14.]]])
        """,
        """
        >>> F.adaptive_max_pool3d(np.arange(60.0).reshape(1, 3, 4, 5), (None, 1, 1)).ravel()
        array([19., 39., 59.])
        """,
    ),
)


@documented(SHARED)
def global_max_pool(
    input: npt.ArrayLike,
    return_indices: bool = False,
    *,
    workers: int | None = None,
) -> Any:
    """Take the largest sample of each plane.

    Parameters
    ----------
    $any_input $return_indices $workers

    Returns
    -------
    y : ndarray
        The largest samples: the shape of `input` with spatial axes of length 1.
    $where

    $global_raises

    $examples
    >>> F.global_max_pool(np.arange(8.0).reshape(1, 2, 2, 2)).shape
    (1, 2, 1, 1)
    """
    x = np.asanyarray(input)
    x, sizes = spatial(x, spatial_axes(x.ndim, "input", x.shape), SAMPLES)
    return largest(x, adaptive_windows(sizes, 1), return_indices, workers)


# ---- gradients --------------------------------------------------------------------------------


def _max_pool_input(n: int) -> Callable[..., Array]:
    def max_pool_input(
        input_size: tuple[int, ...],
        indices: npt.ArrayLike,
        grad_output: npt.ArrayLike,
        *,
        workers: int | None = None,
    ) -> Array:
        """Return the gradient of `$function` with respect to its input.

        Each sample gets the sum of the gradients of the windows whose largest sample it was.

        Parameters
        ----------
        $input_size $indices $workers

        $gradient

        $largest_gradient_examples $example
        """
        return largest_input(input_size, n, indices, grad_output, workers)

    return max_pool_input


max_pool1d_input, max_pool2d_input, max_pool3d_input = for_each_ndim(
    _max_pool_input,
    "max_pool${nd}_input",
    {**SHARED, "function": "max_pool${nd}"},
    example=(
        """
        >>> y, indices = F.max_pool1d(np.array([[1.0, 5.0, 2.0]]), 2, 1, return_indices=True)
        >>> grad.max_pool1d_input((1, 3), indices, np.array([[1.0, 10.0]]))
        array([[ 0., 11.,  0.]])
        """,
        """
        >>> y, indices = F.max_pool2d(np.arange(16.0).reshape(1, 4, 4), 2, return_indices=True)
        >>> grad.max_pool2d_input((1, 4, 4), indices, np.ones((1, 2, 2)))
        array([[[0., 0., 0., 0.],
                [0., 1., 0., 1.],
                [0., 0., 0., 0.],
                [0., 1., 0., 1.]]])
        """,
        """
        >>> y, indices = F.max_pool3d(np.arange(8.0).reshape(1, 2, 2, 2), 2, return_indices=True)
        >>> grad.max_pool3d_input((1, 2, 2, 2), indices, np.ones((1, 1, 1, 1))).ravel()
        array([0., 0., 0., 0., 0., 0., 0., 1.])
        """,
    ),
)
adaptive_max_pool1d_input, adaptive_max_pool2d_input, adaptive_max_pool3d_input = for_each_ndim(
    _max_pool_input,
    "adaptive_max_pool${nd}_input",
    {**SHARED, "function": "adaptive_max_pool${nd}"},
    example=(
        """
        >>> y, indices = F.adaptive_max_pool1d(np.array([[1.0, 5.0, 2.0]]), 1, return_indices=True)
        >>> grad.adaptive_max_pool1d_input((1, 3), indices, np.array([[2.0]]))
        array([[0., 2., 0.]])
        """,
        """
        >>> x = np.array([[[1.0, 4.0], [3.0, 2.0]]])
        >>> y, indices = F.adaptive_max_pool2d(x, 1, return_indices=True)
        >>> grad.adaptive_max_pool2d_input(x.shape, indices, np.ones((1, 1, 1)))
        array([[[0., 1.],
                [0., 0.]]])
        """,
        """
        >>> x = np.array([[[[1.0, 4.0], [3.0, 2.0]]]])
        >>> y, indices = F.adaptive_max_pool3d(x, 1, return_indices=True)
        >>> grad.adaptive_max_pool3d_input(x.shape, indices, np.ones((1, 1, 1, 1)))
        array([[[[0., 1.],
                 [0., 0.]]]])
        """,
    ),
)


@documented(SHARED)
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
    $any_input_size $indices $workers

    $gradient

    $gradient_examples
    >>> grad.global_max_pool_input((1, 1, 3), np.array([[[2]]]), np.array([[[5.0]]]))
    array([[[0., 0., 5.]]])
    """
    size = arguments.shape(input_size, "input_size")
    n = spatial_axes(len(size), "the input", size)
    return largest_input(size, n, indices, grad_output, workers)
