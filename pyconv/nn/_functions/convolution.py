"""Convolution layers and their gradients, with torch's names, argument order and shapes.

    y[n, k, i] = b[k] + Σ_c Σ_u x[n, c, i·s + u·d − p] · w[k, c, u]

A convolution layer is a cross-correlation: the kernel is not flipped. Each function is defined once
for any number of spatial axes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt

from pyconv._engine.docstrings import for_each_ndim, paragraphs
from pyconv._engine.files import file_path
from pyconv._engine.layer_problem import Options
from pyconv.nn._functions import convolution_calls, convolution_tuning

Array = npt.NDArray[Any]
Numbers = int | Sequence[int]
Padding = str | int | Sequence[int] | Sequence[tuple[int, int]]

SHARED = paragraphs(r"""
    $conv:
    conv${nd}
    $conv_transpose:
    conv_transpose${nd}
    $bias:
    bias : array_like, optional
        Shape (K,).
    $groups:
    groups : int, optional
        Channels are split into as many groups, each with its own kernels; `C` and `K` are
        multiples of it.
    $out:
    out : ndarray, optional
        Array that receives the result: its shape and dtype must be those of the result.
    $method:
    method : str, optional
        Algorithm: ``auto`` takes the one with the least predicted time.
    $max_memory:
    max_memory : int, optional
        Bytes of workspace that the call may take at most, besides `input`, `weight`, `bias` and
        the result. Copies of arrays of another dtype or layout count. The default is no limit;
        compiled algorithms take up to 256 MiB for each thread.
    $workers:
    workers : int, optional
        Threads to use at most; -1 means all CPUs this process may use. The default is that of
        `pyconv.set_workers`, and fewer for small problems. Results are the same bits for any
        number.
    $raises:
    Raises
    ------
    ValueError
        For shapes, strides, paddings and groups that do not fit; the message prints them.
    TypeError
        For integer and other dtypes that are not allowed.
    MemoryError
        If `max_memory` is too little for any algorithm; the message names the least that would
        do.
    $weight:
    weight : array_like
        Shape (K, C / groups, $kernel).
    $transposed_weight:
    weight : array_like
        Shape (C, K / groups, $kernel).
    $input_size:
    input_size : tuple of int
        Shape of the input, with or without the batch axis as `grad_output`.
    $grad_output:
    grad_output : array_like
        Gradient for the result, of its shape.
    $gradient_method:
    method : {'auto', 'blocked', 'reference'}, optional
        Algorithm; ``auto`` takes the one with the least predicted time.
    $gradient_workers:
    workers : int, optional
        Threads to use at most. The gradient is the same bits for any number.
    $options_of_the_call:
    stride, padding, dilation, groups, padding_mode : optional
        Those of the call of `$conv`.
    $transposed_options_of_the_call:
    stride, padding, output_padding, groups, dilation : optional
        Those of the call of `$conv_transpose`.
    $gradient_raises:
    Raises
    ------
    ValueError, TypeError
        If the shapes are not those of a $layer, or the dtypes are not allowed.
    $examples:
    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    $gradient_examples:
    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.grad
""")
#: Lengths of the axes of an example, and 2ⁿ.
EXAMPLE = {
    "twos": ("2", "2, 2", "2, 2, 2"),
    "threes": ("3", "3, 3", "3, 3, 3"),
    "fours": ("4", "4, 4", "4, 4, 4"),
    "power": ("2", "4", "8"),
}
LAYER = {**SHARED, "layer": "layer"}
TRANSPOSED = {**SHARED, "layer": "transposed layer"}


def _conv(n: int) -> Callable[..., Array]:
    def conv(
        input: npt.ArrayLike,
        weight: npt.ArrayLike,
        bias: npt.ArrayLike | None = None,
        stride: Numbers = 1,
        padding: Padding = 0,
        dilation: Numbers = 1,
        groups: int = 1,
        *,
        padding_mode: str = "zeros",
        out: Array | None = None,
        method: str = "auto",
        max_memory: int | None = None,
        workers: int | None = None,
    ) -> Array:
        r"""Apply a bank of $n-D kernels to the channels of an input.

        .. math:: y[n, k, i] = b[k] + \sum_c \sum_u x[n, c, i \cdot s + u \cdot d - p] \; w[k, c, u]

        where `c` runs over the channels of the group of `k`.

        Parameters
        ----------
        input : array_like
            Shape (N, C, $spatial), or (C, $spatial) without the batch axis; float16/32/64 or
            complex64/128. Any memory layout is taken.
        $weight $bias
        stride : int or sequence of int, optional
            Distance in samples between the windows of neighbouring results.
        padding : int, sequence of int, sequence of (low, high), 'valid' or 'same', optional
            Samples read outside on both sides of each axis, or before and after it. ``same``
            keeps the shape, with the odd sample at the end; it needs stride 1.
        dilation : int or sequence of int, optional
            Distance in samples between neighbouring weights.
        $groups
        padding_mode : {'zeros', 'reflect', 'replicate', 'circular'}, optional
            What is read outside: zeros, the mirrored input (edge sample not repeated), the edge
            sample, or the other end.
        $out $method $max_memory $workers

        Returns
        -------
        ndarray
            Shape (N, K, …), or (K, …) where the input had no batch axis; of
            ``np.result_type(input, weight, bias)``. float16 is summed in float32.

        $raises

        See Also
        --------
        $conv_transpose : its adjoint.
        pyconv.nn.grad.${conv}_input, pyconv.nn.grad.${conv}_weight : its gradients.
        pyconv.correlate : one kernel over any axes, with exact integers and every boundary.

        $examples $example
        """
        options = Options(stride, padding, dilation, groups, padding_mode)
        how = method, max_memory, workers
        return convolution_calls.conv(n, input, weight, bias, options, out, how)

    return conv


conv1d, conv2d, conv3d = for_each_ndim(
    _conv,
    "conv${nd}",
    SHARED,
    example=(
        """
        >>> x = np.array([[1.0, 4.0, 9.0, 16.0]])  # one channel
        >>> F.conv1d(x, [[[-1.0, 1.0]]])
        array([[3., 5., 7.]])
        """,
        """
        >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
        >>> F.conv2d(x, [[[[0.0, 1.0], [2.0, 3.0]]]])
        array([[[[19., 25.],
                 [37., 43.]]]])

        Two kernels over one channel, every second result, zeros read outside:

        >>> F.conv2d(x, np.ones((2, 1, 3, 3)), bias=[0.0, 100.0], stride=2, padding=1)[0, 1]
        array([[108., 112.],
               [120., 124.]])
        """,
        """
        >>> x = np.ones((1, 2, 4, 4, 4), np.float32)
        >>> F.conv3d(x, np.ones((5, 2, 3, 3, 3), np.float32)).shape
        (1, 5, 2, 2, 2)
        """,
    ),
)


def _conv_transpose(n: int) -> Callable[..., Array]:
    def conv_transpose(
        input: npt.ArrayLike,
        weight: npt.ArrayLike,
        bias: npt.ArrayLike | None = None,
        stride: Numbers = 1,
        padding: Padding = 0,
        output_padding: Numbers = 0,
        groups: int = 1,
        dilation: Numbers = 1,
        *,
        out: Array | None = None,
        method: str = "auto",
        max_memory: int | None = None,
        workers: int | None = None,
    ) -> Array:
        r"""Apply the transpose of a $n-D layer: each input sample adds a scaled kernel.

        .. math:: y[n, k, j] = b[k] + \sum_c \sum_{i s + u d - p = j} x[n, c, i] \; w[c, k, u]

        It is the gradient of `$conv` with the same weights, stride, padding and dilation for
        its input.

        Parameters
        ----------
        input : array_like
            Shape (N, C, $spatial), or (C, $spatial) without the batch axis; float16/32/64 or
            complex64/128.
        $transposed_weight $bias
        stride, padding, dilation : optional
            Those of the layer that is transposed; a larger padding makes the result smaller.
        output_padding : int or sequence of int, optional
            Samples added at the end of each axis of the result, fewer than its stride or
            dilation: a strided layer takes inputs of several sizes to one size.
        $groups $out $method $max_memory $workers

        Returns
        -------
        ndarray
            Shape (N, K, …) with lengths (L − 1)·stride − padding before and after + span of the
            kernel + output_padding.

        $raises

        $examples
        >>> x = np.ones((1, 1, $twos))
        >>> F.$name(x, np.ones((1, 1, $twos)), stride=2).shape
        (1, 1, $fours)
        """
        options = Options(stride, padding, dilation, groups)
        how = method, max_memory, workers
        return convolution_calls.conv_transpose(
            n, input, weight, bias, options, output_padding, out, how
        )

    return conv_transpose


conv_transpose1d, conv_transpose2d, conv_transpose3d = for_each_ndim(
    _conv_transpose, "conv_transpose${nd}", SHARED, **EXAMPLE
)


def _conv_input(n: int) -> Callable[..., Array]:
    def conv_input(
        input_size: tuple[int, ...],
        weight: npt.ArrayLike,
        grad_output: npt.ArrayLike,
        stride: Numbers = 1,
        padding: Padding = 0,
        dilation: Numbers = 1,
        groups: int = 1,
        *,
        padding_mode: str = "zeros",
        method: str = "auto",
        max_memory: int | None = None,
        workers: int | None = None,
    ) -> Array:
        """Return the gradient of `$conv` for its input: the adjoint of the call, border included.

        Parameters
        ----------
        $input_size $weight $grad_output $options_of_the_call $method $max_memory $workers

        Returns
        -------
        ndarray
            Shape `input_size`: for real arrays ``sum($conv(x, w) * dy) == sum(x * result)``.

        $gradient_raises

        $gradient_examples
        >>> dy = np.ones((1, 1, $twos))
        >>> pyconv.nn.grad.$name((1, 1, $threes), np.ones((1, 1, $twos)), dy).sum()
        np.float64($sum)
        """
        options = Options(stride, padding, dilation, groups, padding_mode)
        how = method, max_memory, workers
        return convolution_calls.conv_input(n, input_size, weight, grad_output, options, how)

    return conv_input


conv1d_input, conv2d_input, conv3d_input = for_each_ndim(
    _conv_input, "conv${nd}_input", LAYER, sum=("4.0", "16.0", "64.0"), **EXAMPLE
)


def _conv_weight(n: int) -> Callable[..., Array]:
    def conv_weight(
        input: npt.ArrayLike,
        weight_size: tuple[int, ...],
        grad_output: npt.ArrayLike,
        stride: Numbers = 1,
        padding: Padding = 0,
        dilation: Numbers = 1,
        groups: int = 1,
        *,
        padding_mode: str = "zeros",
        method: str = "auto",
        max_memory: int | None = None,
        workers: int | None = None,
    ) -> Array:
        r"""Return the gradient of `$conv` for its weights.

        .. math:: dw[k, c, u] = \sum_n \sum_i dy[n, k, i] \; x[n, c, i \cdot s + u \cdot d - p]

        Parameters
        ----------
        input : array_like
            The input of the call.
        weight_size : tuple of int
            Shape of the weights, (K, C / groups, $kernel).
        $grad_output $options_of_the_call $gradient_method $max_memory $gradient_workers

        Returns
        -------
        ndarray
            Shape `weight_size`. Complex inputs are conjugated, as in the adjoint.

        $gradient_raises

        $gradient_examples
        >>> x, dy = np.ones((1, 1, $threes)), np.ones((1, 1, $twos))
        >>> pyconv.nn.grad.$name(x, (1, 1, $twos), dy).ravel()[0]
        np.float64($power.0)
        """
        options = Options(stride, padding, dilation, groups, padding_mode)
        how = method, max_memory, workers
        return convolution_calls.conv_weight(n, input, weight_size, grad_output, options, how)

    return conv_weight


conv1d_weight, conv2d_weight, conv3d_weight = for_each_ndim(
    _conv_weight, "conv${nd}_weight", LAYER, **EXAMPLE
)


def _bias(n: int) -> Callable[..., Array]:
    def bias(grad_output: npt.ArrayLike) -> Array:
        """Return the gradient of `$function` for its bias: the sum over images and pixels.

        Parameters
        ----------
        $grad_output

        Returns
        -------
        ndarray
            Shape (K,).

        Raises
        ------
        ValueError, TypeError
            If the shape or the dtype is not that of a result.

        $gradient_examples
        >>> pyconv.nn.grad.$name(np.ones((2, 3, $twos)))
        array([$sum, $sum, $sum])
        """
        return convolution_calls.conv_bias(n, grad_output)

    return bias


conv1d_bias, conv2d_bias, conv3d_bias = for_each_ndim(
    _bias, "conv${nd}_bias", {**SHARED, "function": "$conv"}, sum=("4.", "8.", "16."), **EXAMPLE
)
conv_transpose1d_bias, conv_transpose2d_bias, conv_transpose3d_bias = for_each_ndim(
    _bias,
    "conv_transpose${nd}_bias",
    {**SHARED, "function": "$conv_transpose"},
    sum=("4.", "8.", "16."),
    **EXAMPLE,
)


def _conv_transpose_input(n: int) -> Callable[..., Array]:
    def conv_transpose_input(
        input_size: tuple[int, ...],
        weight: npt.ArrayLike,
        grad_output: npt.ArrayLike,
        stride: Numbers = 1,
        padding: Padding = 0,
        output_padding: Numbers = 0,
        groups: int = 1,
        dilation: Numbers = 1,
        *,
        method: str = "auto",
        max_memory: int | None = None,
        workers: int | None = None,
    ) -> Array:
        """Return the gradient of `$conv_transpose` for its input: the layer that was transposed.

        Parameters
        ----------
        $input_size $transposed_weight $grad_output $transposed_options_of_the_call
        $method $max_memory $workers

        Returns
        -------
        ndarray
            Shape `input_size`.

        $gradient_raises

        $gradient_examples
        >>> dy = np.ones((1, 1, $threes))
        >>> w = np.ones((1, 1, $twos))
        >>> pyconv.nn.grad.$name((1, 1, $twos), w, dy).ravel()[0]
        np.float64($power.0)
        """
        options = Options(stride, padding, dilation, groups)
        how = method, max_memory, workers
        return convolution_calls.conv_transpose_input(
            n, input_size, weight, grad_output, options, output_padding, how
        )

    return conv_transpose_input


conv_transpose1d_input, conv_transpose2d_input, conv_transpose3d_input = for_each_ndim(
    _conv_transpose_input, "conv_transpose${nd}_input", TRANSPOSED, **EXAMPLE
)


def _conv_transpose_weight(n: int) -> Callable[..., Array]:
    def conv_transpose_weight(
        input: npt.ArrayLike,
        weight_size: tuple[int, ...],
        grad_output: npt.ArrayLike,
        stride: Numbers = 1,
        padding: Padding = 0,
        output_padding: Numbers = 0,
        groups: int = 1,
        dilation: Numbers = 1,
        *,
        method: str = "auto",
        max_memory: int | None = None,
        workers: int | None = None,
    ) -> Array:
        """Return the gradient of `$conv_transpose` for its weights.

        Parameters
        ----------
        input : array_like
            The input of the call.
        weight_size : tuple of int
            Shape of the weights, (C, K / groups, $kernel).
        $grad_output $transposed_options_of_the_call $gradient_method $max_memory $gradient_workers

        Returns
        -------
        ndarray
            Shape `weight_size`. Complex results are conjugated, as in the adjoint.

        $gradient_raises

        $gradient_examples
        >>> x, dy = np.ones((1, 1, $twos)), np.ones((1, 1, $threes))
        >>> pyconv.nn.grad.$name(x, (1, 1, $twos), dy).ravel()[0]
        np.float64($power.0)
        """
        options = Options(stride, padding, dilation, groups)
        how = method, max_memory, workers
        return convolution_calls.conv_transpose_weight(
            n, input, weight_size, grad_output, options, output_padding, how
        )

    return conv_transpose_weight


conv_transpose1d_weight, conv_transpose2d_weight, conv_transpose3d_weight = for_each_ndim(
    _conv_transpose_weight, "conv_transpose${nd}_weight", TRANSPOSED, **EXAMPLE
)


def plan_conv(
    input_shape: tuple[int, ...],
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    stride: Numbers = 1,
    padding: Padding = 0,
    dilation: Numbers = 1,
    groups: int = 1,
    *,
    padding_mode: str = "zeros",
    method: str = "auto",
    max_memory: int | None = None,
) -> convolution_calls.ConvPlan:
    """Bind a layer to its weights once, to be applied to many inputs of one shape.

    The weights are copied, in the order in which the loops read them. A plan never changes:
    threads may share it.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of the inputs, (N, C, spatial…).
    weight : array_like
        Shape (K, C / groups, spatial…); 3, 4 or 5 dimensions; float16/32/64.
    bias, stride, padding, dilation, groups, padding_mode, method, max_memory
        As for `conv1d`, `conv2d` and `conv3d`.

    Returns
    -------
    ConvPlan
        ``plan(x, out=None, workers=None)`` is the layer's result.

    Raises
    ------
    ValueError, TypeError
        As `conv2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> layer = F.plan_conv((1, 1, 3, 3), np.ones((1, 1, 2, 2)))
    >>> layer(np.arange(9.0).reshape(1, 1, 3, 3))
    array([[[[ 8., 12.],
             [20., 24.]]]])
    """
    options = Options(stride, padding, dilation, groups, padding_mode)
    how = method, max_memory, None
    return convolution_calls.ConvPlan(input_shape, weight, bias, options, how)


def tune_conv(
    input_shape: tuple[int, ...],
    weight: npt.ArrayLike,
    path: str | os.PathLike[str] | None = None,
    *,
    stride: Numbers = 1,
    padding: Padding = 0,
    dilation: Numbers = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    gradient: str | None = None,
    max_memory: int | None = None,
) -> dict[str, float]:
    """Time the algorithms that might be fastest for a layer, and take the fastest from now on.

    It is `pyconv.tune` for layers: predicted times say which algorithms are worth timing. Later
    calls and plans of the same layer with ``method='auto'`` run the fastest, for any number of
    images, so that an image has the bits that it has alone. Another algorithm rounds differently.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of the inputs, (N, C, spatial…).
    weight : array_like
        Shape (K, C / groups, spatial…); 3, 4 or 5 dimensions. Inputs have its dtype.
    path : str or path-like, optional
        File that the finding is added to, as for `pyconv.tune`. By default no file is written.
    stride, padding, dilation, groups, padding_mode, max_memory
        As for `conv1d`, `conv2d` and `conv3d`.
    gradient : {None, 'input', 'weight'}, optional
        What is timed: the layer, or its gradient for the input or for the weights. The gradient
        for the input is the transposed layer.

    Returns
    -------
    dict
        Seconds of each algorithm that was timed, the fastest first. The gradient for the input of
        a strided layer consists of several layers; each is tuned by itself, and the seconds are
        their sums.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As `conv2d`.

    See Also
    --------
    plan_conv : its ``explain()`` shows the predicted times.
    pyconv.tune : the same for correlations.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> weight = np.ones((8, 8, 3, 3), "float32")
    >>> times = F.tune_conv((1, 8, 14, 14), weight, padding=1)
    >>> F.plan_conv((1, 8, 14, 14), weight, padding=1).algorithm == next(iter(times))
    True
    """
    options = Options(stride, padding, dilation, groups, padding_mode)
    file = None if path is None else file_path(path, "path")
    return convolution_tuning.tune_conv(input_shape, weight, options, gradient, max_memory, file)
