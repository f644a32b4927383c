"""y[n, c, o] = the average of window o of plane (n, c), and the adjoint of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pyconv._dask.door import in_pieces, is_planned
from pyconv._engine.docstrings import documented, for_each_ndim
from pyconv.nn._functions import arguments
from pyconv.nn._functions.pooling import (
    SHARED,
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


def _avg_pool(n: int) -> Callable[..., Array]:
    def avg_pool(
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
        r"""Take the average of each window of $images.

        .. math:: y[o] = \frac{1}{k} \sum_{0 \le u < k} x[o \cdot s + u - p]

        along each spatial axis.

        Parameters
        ----------
        $input $windows
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
            Whether pads may be wider than half of what a window spans. Windows may lie in them
            then, and hold no sample: their average is 0 where the padding counts, as zeros do.
            Where it does not, it is NaN: an average of nothing.
        $workers

        Returns
        -------
        ndarray
            The averages, in the dtype of `input`; float16 is summed in float32. Each spatial axis
            of length `L` becomes :math:`\lfloor (L + p_{low} + p_{high} - k) / s \rfloor + 1` long.

        $raises

        See Also
        --------
        pyconv.nn.grad.${name}_input : the gradient.

        $examples $example
        """
        given = kernel_size, stride, padding, 1, ceil_mode, count_include_pad, wide_padding
        if type(input) is not np.ndarray and is_planned(input):
            return in_pieces("layer", "avg_pool", input, n, given, divisor_override, workers)
        x, sizes = spatial(input, n)
        return average(x, pool_windows(sizes, *given), divisor_of(divisor_override), workers)

    return avg_pool


avg_pool1d, avg_pool2d, avg_pool3d = for_each_ndim(
    _avg_pool,
    "avg_pool${nd}",
    SHARED,
    example=(
        """
        >>> F.avg_pool1d(np.array([[1.0, 3.0, 5.0, 7.0]]), 2)
        array([[2., 6.]])
        """,
        """
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
        """,
        """
        >>> F.avg_pool3d(np.arange(8.0).reshape(1, 2, 2, 2), 2)
        array([[[[3.5]]]])
        """,
    ),
)


def _adaptive_avg_pool(n: int) -> Callable[..., Array]:
    def adaptive_avg_pool(
        input: npt.ArrayLike,
        output_size: int | tuple[int | None, ...] | None,
        *,
        workers: int | None = None,
    ) -> Array:
        """Take the average of each of `output_size` parts of $images.

        $parts

        Parameters
        ----------
        $input $output_size $workers

        Returns
        -------
        ndarray
            The averages: the shape of `input` with spatial axes of `output_size`.

        $raises

        $examples $example
        """
        x, sizes = spatial(input, n)
        return average(x, adaptive_windows(sizes, output_size), 0.0, workers)

    return adaptive_avg_pool


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = for_each_ndim(
    _adaptive_avg_pool,
    "adaptive_avg_pool${nd}",
    SHARED,
    example=(
        """
        >>> F.adaptive_avg_pool1d(np.array([[1.0, 3.0, 5.0, 7.0, 9.0]]), 2)
        array([[3., 7.]])
        """,
        """
        >>> F.adaptive_avg_pool2d(np.arange(15.0).reshape(1, 3, 5), (1, 2))
        array([[[6., 8.]]])
        """,
        """
        >>> F.adaptive_avg_pool3d(np.arange(60.0).reshape(1, 3, 4, 5), (None, 1, 1)).ravel()
        array([ 9.5, 29.5, 49.5])
        """,
    ),
)


@documented(SHARED)
def global_avg_pool(
    input: npt.ArrayLike,
    *,
    workers: int | None = None,
) -> Array:
    """Take the average of each plane.

    Parameters
    ----------
    $any_input $workers

    Returns
    -------
    ndarray
        The averages: the shape of `input` with spatial axes of length 1.

    $global_raises

    $examples
    >>> F.global_avg_pool(np.arange(8.0).reshape(1, 2, 2, 2)).ravel()
    array([1.5, 5.5])
    """
    x = np.asanyarray(input)
    x, sizes = spatial(x, spatial_axes(x.ndim, "input", x.shape))
    return average(x, adaptive_windows(sizes, 1), 0.0, workers)


# ---- gradients --------------------------------------------------------------------------------


def _avg_pool_input(n: int) -> Callable[..., Array]:
    def avg_pool_input(
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
        """Return the gradient of `avg_pool${nd}` with respect to its input: its adjoint.

        Parameters
        ----------
        $input_size $grad_output
        kernel_size, stride, padding : int or sequence of int
            As in the call of `avg_pool${nd}`.
        ceil_mode, count_include_pad, divisor_override, wide_padding
            As in the call of `avg_pool${nd}`.
        $workers

        $gradient

        $gradient_examples $example
        """
        size = gradient_size(input_size, n)
        sizes = size[-n:]
        windows = pool_windows(
            sizes, kernel_size, stride, padding, 1, ceil_mode, count_include_pad, wide_padding
        )
        return average_input(size, windows, grad_output, divisor_of(divisor_override), workers)

    return avg_pool_input


avg_pool1d_input, avg_pool2d_input, avg_pool3d_input = for_each_ndim(
    _avg_pool_input,
    "avg_pool${nd}_input",
    {**SHARED, "or_else": ", and numbers that the call would refuse"},
    example=(
        """
        >>> grad.avg_pool1d_input((1, 4), np.array([[2.0, 4.0]]), 2)
        array([[1., 1., 2., 2.]])
        """,
        """
        >>> grad.avg_pool2d_input((1, 2, 2), np.array([[[4.0]]]), 2)
        array([[[1., 1.],
                [1., 1.]]])
        """,
        """
        >>> grad.avg_pool3d_input((1, 1, 2, 2), np.array([[[[4.0]]]]), (1, 2, 2))
        array([[[[1., 1.],
                 [1., 1.]]]])
        """,
    ),
)


def _adaptive_avg_pool_input(n: int) -> Callable[..., Array]:
    def adaptive_avg_pool_input(
        input_size: tuple[int, ...], grad_output: npt.ArrayLike, *, workers: int | None = None
    ) -> Array:
        """Return the gradient of `adaptive_avg_pool${nd}` with respect to its input: its adjoint.

        Parameters
        ----------
        $input_size
        grad_output : array_like
            Gradient with respect to the result; its spatial shape is the `output_size`.
        $workers

        $gradient

        $gradient_examples $example
        """
        size = gradient_size(input_size, n)
        windows = adaptive_windows(size[-n:], np.shape(grad_output)[-n:])
        return average_input(size, windows, grad_output, 0.0, workers)

    return adaptive_avg_pool_input


adaptive_avg_pool1d_input, adaptive_avg_pool2d_input, adaptive_avg_pool3d_input = for_each_ndim(
    _adaptive_avg_pool_input,
    "adaptive_avg_pool${nd}_input",
    {**SHARED, "or_else": ""},
    example=(
        """
        >>> grad.adaptive_avg_pool1d_input((1, 4), np.array([[2.0, 4.0]]))
        array([[1., 1., 2., 2.]])
        """,
        """
        >>> grad.adaptive_avg_pool2d_input((1, 2, 2), np.array([[[4.0]]]))
        array([[[1., 1.],
                [1., 1.]]])
        """,
        """
        >>> grad.adaptive_avg_pool3d_input((1, 1, 2, 2), np.array([[[[4.0]]]]))
        array([[[[1., 1.],
                 [1., 1.]]]])
        """,
    ),
)


@documented(SHARED, or_else="")
def global_avg_pool_input(
    input_size: tuple[int, ...], grad_output: npt.ArrayLike, *, workers: int | None = None
) -> Array:
    """Return the gradient of `global_avg_pool` with respect to its input: its adjoint.

    Parameters
    ----------
    $any_input_size $grad_output $workers

    $gradient

    $gradient_examples
    >>> grad.global_avg_pool_input((1, 1, 4), np.array([[[8.0]]]))
    array([[[2., 2., 2., 2.]]])
    """
    size = arguments.shape(input_size, "input_size")
    size = gradient_size(size, spatial_axes(len(size), "the input", size))
    return average_input(size, adaptive_windows(size[2:], 1), grad_output, 0.0, workers)
