"""Layers as functions: torch's names, argument order and shapes, on NumPy arrays.

Arrays are (N, C, spatial…); the batch axis may be missing.
"""
# Written by `python -m tests.stubs`; the source is beside it.
from pyconv.nn._functions.activations import log_softmax, relu
from pyconv.nn._functions.convolution import (Numbers, Padding as convolution_Padding, plan_conv, tune_conv)
from pyconv.nn._functions.linear import linear
from pyconv.nn._functions.losses import cross_entropy, mse_loss
from pyconv.nn._functions.pooling import Array, Padding, Size
from pyconv.nn._functions.unfolding import fold, unfold
from typing import Any
import numpy.typing as npt
__all__ = [
  'adaptive_avg_pool1d', 'adaptive_avg_pool2d', 'adaptive_avg_pool3d', 'adaptive_max_pool1d',
  'adaptive_max_pool2d', 'adaptive_max_pool3d', 'avg_pool1d', 'avg_pool2d', 'avg_pool3d', 'conv1d',
  'conv2d', 'conv3d', 'conv_transpose1d', 'conv_transpose2d', 'conv_transpose3d', 'cross_entropy',
  'fold', 'global_avg_pool', 'global_max_pool', 'linear', 'log_softmax', 'max_pool1d', 'max_pool2d',
  'max_pool3d', 'mse_loss', 'plan_conv', 'relu', 'tune_conv', 'unfold'
]
def adaptive_avg_pool1d(input: npt.ArrayLike, output_size: int | tuple[int | None, ...] | None, *,
    workers: int | None = None) -> Array:
    r"""Take the average of each of `output_size` parts of signals.

Part `o` of an axis of length `L` reaches from :math:`\lfloor o L / n \rfloor` to
:math:`\lceil (o + 1) L / n \rceil - 1`; neighbouring parts may share samples.

Parameters
----------
input : array_like
    Shape (N, C, L) or (C, L); float16, float32 or float64.
output_size : int, None or sequence of them
    Windows along each spatial axis; None for as many as samples.
workers : int, optional
    Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.

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
>>> F.adaptive_avg_pool1d(np.array([[1.0, 3.0, 5.0, 7.0, 9.0]]), 2)
array([[3., 7.]])
"""
def adaptive_avg_pool2d(input: npt.ArrayLike, output_size: int | tuple[int | None, ...] | None, *,
    workers: int | None = None) -> Array:
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
    Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.

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
def adaptive_avg_pool3d(input: npt.ArrayLike, output_size: int | tuple[int | None, ...] | None, *,
    workers: int | None = None) -> Array:
    r"""Take the average of each of `output_size` parts of volumes.

Part `o` of an axis of length `L` reaches from :math:`\lfloor o L / n \rfloor` to
:math:`\lceil (o + 1) L / n \rceil - 1`; neighbouring parts may share samples.

Parameters
----------
input : array_like
    Shape (N, C, D, H, W) or (C, D, H, W); float16, float32 or float64.
output_size : int, None or sequence of them
    Windows along each spatial axis; None for as many as samples.
workers : int, optional
    Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.

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
>>> F.adaptive_avg_pool3d(np.arange(60.0).reshape(1, 3, 4, 5), (None, 1, 1)).ravel()
array([ 9.5, 29.5, 49.5])
"""
def adaptive_max_pool1d(input: npt.ArrayLike, output_size: int | tuple[int | None, ...] | None,
    return_indices: bool = False, *, workers: int | None = None) -> Any:
    r"""Take the largest sample of each of `output_size` parts of signals.

Part `o` of an axis of length `L` reaches from :math:`\lfloor o L / n \rfloor` to
:math:`\lceil (o + 1) L / n \rceil - 1`; neighbouring parts may share samples.

Parameters
----------
input : array_like
    Shape (N, C, L) or (C, L); floating-point, or 8-bit integers.
output_size : int, None or sequence of them
    Windows along each spatial axis; None for as many as samples.
return_indices : bool, optional
    Whether to return, too, where the largest samples are.
workers : int, optional
    Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.

Returns
-------
y : ndarray
    The largest samples: the shape of `input` with spatial axes of `output_size`.
indices : ndarray of int64
    With `return_indices`: the position of each in its plane, counted in C order; the first
    of equal samples, the last of NaN.

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
>>> F.adaptive_max_pool1d(np.array([[1.0, 5.0, 2.0, 4.0, 3.0]]), 2)
array([[5., 4.]])
"""
def adaptive_max_pool2d(input: npt.ArrayLike, output_size: int | tuple[int | None, ...] | None,
    return_indices: bool = False, *, workers: int | None = None) -> Any:
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
    Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.

Returns
-------
y : ndarray
    The largest samples: the shape of `input` with spatial axes of `output_size`.
indices : ndarray of int64
    With `return_indices`: the position of each in its plane, counted in C order; the first
    of equal samples, the last of NaN.

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
def adaptive_max_pool3d(input: npt.ArrayLike, output_size: int | tuple[int | None, ...] | None,
    return_indices: bool = False, *, workers: int | None = None) -> Any:
    r"""Take the largest sample of each of `output_size` parts of volumes.

Part `o` of an axis of length `L` reaches from :math:`\lfloor o L / n \rfloor` to
:math:`\lceil (o + 1) L / n \rceil - 1`; neighbouring parts may share samples.

Parameters
----------
input : array_like
    Shape (N, C, D, H, W) or (C, D, H, W); floating-point, or 8-bit integers.
output_size : int, None or sequence of them
    Windows along each spatial axis; None for as many as samples.
return_indices : bool, optional
    Whether to return, too, where the largest samples are.
workers : int, optional
    Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.

Returns
-------
y : ndarray
    The largest samples: the shape of `input` with spatial axes of `output_size`.
indices : ndarray of int64
    With `return_indices`: the position of each in its plane, counted in C order; the first
    of equal samples, the last of NaN.

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
>>> F.adaptive_max_pool3d(np.arange(60.0).reshape(1, 3, 4, 5), (None, 1, 1)).ravel()
array([19., 39., 59.])
"""
def avg_pool1d(input: npt.ArrayLike, kernel_size: Size, stride: Size | None = None, padding: Padding
    = 0, ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None =
    None, *, wide_padding: bool = False, workers: int | None = None) -> Array:
    r"""Take the average of each window of signals.

.. math:: y[o] = \frac{1}{k} \sum_{0 \le u < k} x[o \cdot s + u - p]

along each spatial axis.

Parameters
----------
input : array_like
    Shape (N, C, L) or (C, L); float16, float32 or float64.
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
    Whether pads may be wider than half of what a window spans. Windows may lie in them
    then, and hold no sample: their average is 0 where the padding counts, as zeros do.
    Where it does not, it is NaN: an average of nothing.
workers : int, optional
    Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.

Returns
-------
ndarray
    The averages, in the dtype of `input`; float16 is summed in float32. Each spatial axis
    of length `L` becomes :math:`\lfloor (L + p_{low} + p_{high} - k) / s \rfloor + 1` long.

Raises
------
TypeError
    For arrays that are not floating-point, and numbers that are not integers.
ValueError
    For shapes, sizes and pads that are not allowed, and results that would be empty.

See Also
--------
pyconv.nn.grad.avg_pool1d_input : the gradient.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.functional as F
>>> F.avg_pool1d(np.array([[1.0, 3.0, 5.0, 7.0]]), 2)
array([[2., 6.]])
"""
def avg_pool2d(input: npt.ArrayLike, kernel_size: Size, stride: Size | None = None, padding: Padding
    = 0, ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None =
    None, *, wide_padding: bool = False, workers: int | None = None) -> Array:
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
    Whether pads may be wider than half of what a window spans. Windows may lie in them
    then, and hold no sample: their average is 0 where the padding counts, as zeros do.
    Where it does not, it is NaN: an average of nothing.
workers : int, optional
    Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.

Returns
-------
ndarray
    The averages, in the dtype of `input`; float16 is summed in float32. Each spatial axis
    of length `L` becomes :math:`\lfloor (L + p_{low} + p_{high} - k) / s \rfloor + 1` long.

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
def avg_pool3d(input: npt.ArrayLike, kernel_size: Size, stride: Size | None = None, padding: Padding
    = 0, ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None =
    None, *, wide_padding: bool = False, workers: int | None = None) -> Array:
    r"""Take the average of each window of volumes.

.. math:: y[o] = \frac{1}{k} \sum_{0 \le u < k} x[o \cdot s + u - p]

along each spatial axis.

Parameters
----------
input : array_like
    Shape (N, C, D, H, W) or (C, D, H, W); float16, float32 or float64.
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
    Whether pads may be wider than half of what a window spans. Windows may lie in them
    then, and hold no sample: their average is 0 where the padding counts, as zeros do.
    Where it does not, it is NaN: an average of nothing.
workers : int, optional
    Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.

Returns
-------
ndarray
    The averages, in the dtype of `input`; float16 is summed in float32. Each spatial axis
    of length `L` becomes :math:`\lfloor (L + p_{low} + p_{high} - k) / s \rfloor + 1` long.

Raises
------
TypeError
    For arrays that are not floating-point, and numbers that are not integers.
ValueError
    For shapes, sizes and pads that are not allowed, and results that would be empty.

See Also
--------
pyconv.nn.grad.avg_pool3d_input : the gradient.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.functional as F
>>> F.avg_pool3d(np.arange(8.0).reshape(1, 2, 2, 2), 2)
array([[[[3.5]]]])
"""
def conv1d(input: npt.ArrayLike, weight: npt.ArrayLike, bias: npt.ArrayLike | None = None, stride:
    Numbers = 1, padding: convolution_Padding = 0, dilation: Numbers = 1, groups: int = 1, *,
    padding_mode: str = 'zeros', out: Array | None = None, method: str = 'auto', max_memory: int |
    None = None, workers: int | None = None) -> Array:
    r"""Apply a bank of 1-D kernels to the channels of an input.

.. math:: y[n, k, i] = b[k] + \sum_c \sum_u x[n, c, i \cdot s + u \cdot d - p] \; w[k, c, u]

where `c` runs over the channels of the group of `k`.

Parameters
----------
input : array_like
    Shape (N, C, L), or (C, L) without the batch axis; float16/32/64 or
    complex64/128. Any memory layout is taken.
weight : array_like
    Shape (K, C / groups, length of the kernel).
bias : array_like, optional
    Shape (K,).
stride : int or sequence of int, optional
    Distance in samples between the windows of neighbouring results.
padding : int, sequence of int, sequence of (low, high), 'valid' or 'same', optional
    Samples read outside on both sides of each axis, or before and after it. ``same``
    keeps the shape, with the odd sample at the end; it needs stride 1.
dilation : int or sequence of int, optional
    Distance in samples between neighbouring weights.
groups : int, optional
    Channels are split into as many groups, each with its own kernels; `C` and `K` are
    multiples of it.
padding_mode : {'zeros', 'reflect', 'replicate', 'circular'}, optional
    What is read outside: zeros, the mirrored input (edge sample not repeated), the edge
    sample, or the other end.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result.
method : str, optional
    Algorithm: ``auto`` takes the one with the least predicted time.
max_memory : int, optional
    Bytes of workspace that the call may take at most, besides `input`, `weight`, `bias` and
    the result. Copies of arrays of another dtype or layout count. The default is no limit;
    compiled algorithms take up to 256 MiB for each thread.
workers : int, optional
    Threads to use at most; -1 means all CPUs this process may use. The default is that of
    `pyconv.set_workers`, and fewer for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    Shape (N, K, …), or (K, …) where the input had no batch axis; of
    ``np.result_type(input, weight, bias)``. float16 is summed in float32.

Raises
------
ValueError
    For shapes, strides, paddings and groups that do not fit; the message prints them.
TypeError
    For integer and other dtypes that are not allowed.
MemoryError
    If `max_memory` is too little for any algorithm; the message names the least that would
    do.

See Also
--------
conv_transpose1d : its adjoint.
pyconv.nn.grad.conv1d_input, pyconv.nn.grad.conv1d_weight : its gradients.
pyconv.correlate : one kernel over any axes, with exact integers and every boundary.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.functional as F
>>> x = np.array([[1.0, 4.0, 9.0, 16.0]])  # one channel
>>> F.conv1d(x, [[[-1.0, 1.0]]])
array([[3., 5., 7.]])
"""
def conv2d(input: npt.ArrayLike, weight: npt.ArrayLike, bias: npt.ArrayLike | None = None, stride:
    Numbers = 1, padding: convolution_Padding = 0, dilation: Numbers = 1, groups: int = 1, *,
    padding_mode: str = 'zeros', out: Array | None = None, method: str = 'auto', max_memory: int |
    None = None, workers: int | None = None) -> Array:
    r"""Apply a bank of 2-D kernels to the channels of an input.

.. math:: y[n, k, i] = b[k] + \sum_c \sum_u x[n, c, i \cdot s + u \cdot d - p] \; w[k, c, u]

where `c` runs over the channels of the group of `k`.

Parameters
----------
input : array_like
    Shape (N, C, H, W), or (C, H, W) without the batch axis; float16/32/64 or
    complex64/128. Any memory layout is taken.
weight : array_like
    Shape (K, C / groups, height, width of the kernel).
bias : array_like, optional
    Shape (K,).
stride : int or sequence of int, optional
    Distance in samples between the windows of neighbouring results.
padding : int, sequence of int, sequence of (low, high), 'valid' or 'same', optional
    Samples read outside on both sides of each axis, or before and after it. ``same``
    keeps the shape, with the odd sample at the end; it needs stride 1.
dilation : int or sequence of int, optional
    Distance in samples between neighbouring weights.
groups : int, optional
    Channels are split into as many groups, each with its own kernels; `C` and `K` are
    multiples of it.
padding_mode : {'zeros', 'reflect', 'replicate', 'circular'}, optional
    What is read outside: zeros, the mirrored input (edge sample not repeated), the edge
    sample, or the other end.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result.
method : str, optional
    Algorithm: ``auto`` takes the one with the least predicted time.
max_memory : int, optional
    Bytes of workspace that the call may take at most, besides `input`, `weight`, `bias` and
    the result. Copies of arrays of another dtype or layout count. The default is no limit;
    compiled algorithms take up to 256 MiB for each thread.
workers : int, optional
    Threads to use at most; -1 means all CPUs this process may use. The default is that of
    `pyconv.set_workers`, and fewer for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    Shape (N, K, …), or (K, …) where the input had no batch axis; of
    ``np.result_type(input, weight, bias)``. float16 is summed in float32.

Raises
------
ValueError
    For shapes, strides, paddings and groups that do not fit; the message prints them.
TypeError
    For integer and other dtypes that are not allowed.
MemoryError
    If `max_memory` is too little for any algorithm; the message names the least that would
    do.

See Also
--------
conv_transpose2d : its adjoint.
pyconv.nn.grad.conv2d_input, pyconv.nn.grad.conv2d_weight : its gradients.
pyconv.correlate : one kernel over any axes, with exact integers and every boundary.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.functional as F
>>> x = np.arange(9.0).reshape(1, 1, 3, 3)
>>> F.conv2d(x, [[[[0.0, 1.0], [2.0, 3.0]]]])
array([[[[19., 25.],
         [37., 43.]]]])

Two kernels over one channel, every second result, zeros read outside:

>>> F.conv2d(x, np.ones((2, 1, 3, 3)), bias=[0.0, 100.0], stride=2, padding=1)[0, 1]
array([[108., 112.],
       [120., 124.]])
"""
def conv3d(input: npt.ArrayLike, weight: npt.ArrayLike, bias: npt.ArrayLike | None = None, stride:
    Numbers = 1, padding: convolution_Padding = 0, dilation: Numbers = 1, groups: int = 1, *,
    padding_mode: str = 'zeros', out: Array | None = None, method: str = 'auto', max_memory: int |
    None = None, workers: int | None = None) -> Array:
    r"""Apply a bank of 3-D kernels to the channels of an input.

.. math:: y[n, k, i] = b[k] + \sum_c \sum_u x[n, c, i \cdot s + u \cdot d - p] \; w[k, c, u]

where `c` runs over the channels of the group of `k`.

Parameters
----------
input : array_like
    Shape (N, C, D, H, W), or (C, D, H, W) without the batch axis; float16/32/64 or
    complex64/128. Any memory layout is taken.
weight : array_like
    Shape (K, C / groups, depth, height, width of the kernel).
bias : array_like, optional
    Shape (K,).
stride : int or sequence of int, optional
    Distance in samples between the windows of neighbouring results.
padding : int, sequence of int, sequence of (low, high), 'valid' or 'same', optional
    Samples read outside on both sides of each axis, or before and after it. ``same``
    keeps the shape, with the odd sample at the end; it needs stride 1.
dilation : int or sequence of int, optional
    Distance in samples between neighbouring weights.
groups : int, optional
    Channels are split into as many groups, each with its own kernels; `C` and `K` are
    multiples of it.
padding_mode : {'zeros', 'reflect', 'replicate', 'circular'}, optional
    What is read outside: zeros, the mirrored input (edge sample not repeated), the edge
    sample, or the other end.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result.
method : str, optional
    Algorithm: ``auto`` takes the one with the least predicted time.
max_memory : int, optional
    Bytes of workspace that the call may take at most, besides `input`, `weight`, `bias` and
    the result. Copies of arrays of another dtype or layout count. The default is no limit;
    compiled algorithms take up to 256 MiB for each thread.
workers : int, optional
    Threads to use at most; -1 means all CPUs this process may use. The default is that of
    `pyconv.set_workers`, and fewer for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    Shape (N, K, …), or (K, …) where the input had no batch axis; of
    ``np.result_type(input, weight, bias)``. float16 is summed in float32.

Raises
------
ValueError
    For shapes, strides, paddings and groups that do not fit; the message prints them.
TypeError
    For integer and other dtypes that are not allowed.
MemoryError
    If `max_memory` is too little for any algorithm; the message names the least that would
    do.

See Also
--------
conv_transpose3d : its adjoint.
pyconv.nn.grad.conv3d_input, pyconv.nn.grad.conv3d_weight : its gradients.
pyconv.correlate : one kernel over any axes, with exact integers and every boundary.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.functional as F
>>> x = np.ones((1, 2, 4, 4, 4), np.float32)
>>> F.conv3d(x, np.ones((5, 2, 3, 3, 3), np.float32)).shape
(1, 5, 2, 2, 2)
"""
def conv_transpose1d(input: npt.ArrayLike, weight: npt.ArrayLike, bias: npt.ArrayLike | None = None,
    stride: Numbers = 1, padding: convolution_Padding = 0, output_padding: Numbers = 0, groups: int
    = 1, dilation: Numbers = 1, *, out: Array | None = None, method: str = 'auto', max_memory: int |
    None = None, workers: int | None = None) -> Array:
    r"""Apply the transpose of a 1-D layer: each input sample adds a scaled kernel.

.. math:: y[n, k, j] = b[k] + \sum_c \sum_{i s + u d - p = j} x[n, c, i] \; w[c, k, u]

It is the gradient of `conv1d` with the same weights, stride, padding and dilation for
its input.

Parameters
----------
input : array_like
    Shape (N, C, L), or (C, L) without the batch axis; float16/32/64 or
    complex64/128.
weight : array_like
    Shape (C, K / groups, length of the kernel).
bias : array_like, optional
    Shape (K,).
stride, padding, dilation : optional
    Those of the layer that is transposed; a larger padding makes the result smaller.
output_padding : int or sequence of int, optional
    Samples added at the end of each axis of the result, fewer than its stride or
    dilation: a strided layer takes inputs of several sizes to one size.
groups : int, optional
    Channels are split into as many groups, each with its own kernels; `C` and `K` are
    multiples of it.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result.
method : str, optional
    Algorithm: ``auto`` takes the one with the least predicted time.
max_memory : int, optional
    Bytes of workspace that the call may take at most, besides `input`, `weight`, `bias` and
    the result. Copies of arrays of another dtype or layout count. The default is no limit;
    compiled algorithms take up to 256 MiB for each thread.
workers : int, optional
    Threads to use at most; -1 means all CPUs this process may use. The default is that of
    `pyconv.set_workers`, and fewer for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    Shape (N, K, …) with lengths (L − 1)·stride − padding before and after + span of the
    kernel + output_padding.

Raises
------
ValueError
    For shapes, strides, paddings and groups that do not fit; the message prints them.
TypeError
    For integer and other dtypes that are not allowed.
MemoryError
    If `max_memory` is too little for any algorithm; the message names the least that would
    do.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.functional as F
>>> x = np.ones((1, 1, 2))
>>> F.conv_transpose1d(x, np.ones((1, 1, 2)), stride=2).shape
(1, 1, 4)
"""
def conv_transpose2d(input: npt.ArrayLike, weight: npt.ArrayLike, bias: npt.ArrayLike | None = None,
    stride: Numbers = 1, padding: convolution_Padding = 0, output_padding: Numbers = 0, groups: int
    = 1, dilation: Numbers = 1, *, out: Array | None = None, method: str = 'auto', max_memory: int |
    None = None, workers: int | None = None) -> Array:
    r"""Apply the transpose of a 2-D layer: each input sample adds a scaled kernel.

.. math:: y[n, k, j] = b[k] + \sum_c \sum_{i s + u d - p = j} x[n, c, i] \; w[c, k, u]

It is the gradient of `conv2d` with the same weights, stride, padding and dilation for
its input.

Parameters
----------
input : array_like
    Shape (N, C, H, W), or (C, H, W) without the batch axis; float16/32/64 or
    complex64/128.
weight : array_like
    Shape (C, K / groups, height, width of the kernel).
bias : array_like, optional
    Shape (K,).
stride, padding, dilation : optional
    Those of the layer that is transposed; a larger padding makes the result smaller.
output_padding : int or sequence of int, optional
    Samples added at the end of each axis of the result, fewer than its stride or
    dilation: a strided layer takes inputs of several sizes to one size.
groups : int, optional
    Channels are split into as many groups, each with its own kernels; `C` and `K` are
    multiples of it.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result.
method : str, optional
    Algorithm: ``auto`` takes the one with the least predicted time.
max_memory : int, optional
    Bytes of workspace that the call may take at most, besides `input`, `weight`, `bias` and
    the result. Copies of arrays of another dtype or layout count. The default is no limit;
    compiled algorithms take up to 256 MiB for each thread.
workers : int, optional
    Threads to use at most; -1 means all CPUs this process may use. The default is that of
    `pyconv.set_workers`, and fewer for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    Shape (N, K, …) with lengths (L − 1)·stride − padding before and after + span of the
    kernel + output_padding.

Raises
------
ValueError
    For shapes, strides, paddings and groups that do not fit; the message prints them.
TypeError
    For integer and other dtypes that are not allowed.
MemoryError
    If `max_memory` is too little for any algorithm; the message names the least that would
    do.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.functional as F
>>> x = np.ones((1, 1, 2, 2))
>>> F.conv_transpose2d(x, np.ones((1, 1, 2, 2)), stride=2).shape
(1, 1, 4, 4)
"""
def conv_transpose3d(input: npt.ArrayLike, weight: npt.ArrayLike, bias: npt.ArrayLike | None = None,
    stride: Numbers = 1, padding: convolution_Padding = 0, output_padding: Numbers = 0, groups: int
    = 1, dilation: Numbers = 1, *, out: Array | None = None, method: str = 'auto', max_memory: int |
    None = None, workers: int | None = None) -> Array:
    r"""Apply the transpose of a 3-D layer: each input sample adds a scaled kernel.

.. math:: y[n, k, j] = b[k] + \sum_c \sum_{i s + u d - p = j} x[n, c, i] \; w[c, k, u]

It is the gradient of `conv3d` with the same weights, stride, padding and dilation for
its input.

Parameters
----------
input : array_like
    Shape (N, C, D, H, W), or (C, D, H, W) without the batch axis; float16/32/64 or
    complex64/128.
weight : array_like
    Shape (C, K / groups, depth, height, width of the kernel).
bias : array_like, optional
    Shape (K,).
stride, padding, dilation : optional
    Those of the layer that is transposed; a larger padding makes the result smaller.
output_padding : int or sequence of int, optional
    Samples added at the end of each axis of the result, fewer than its stride or
    dilation: a strided layer takes inputs of several sizes to one size.
groups : int, optional
    Channels are split into as many groups, each with its own kernels; `C` and `K` are
    multiples of it.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result.
method : str, optional
    Algorithm: ``auto`` takes the one with the least predicted time.
max_memory : int, optional
    Bytes of workspace that the call may take at most, besides `input`, `weight`, `bias` and
    the result. Copies of arrays of another dtype or layout count. The default is no limit;
    compiled algorithms take up to 256 MiB for each thread.
workers : int, optional
    Threads to use at most; -1 means all CPUs this process may use. The default is that of
    `pyconv.set_workers`, and fewer for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    Shape (N, K, …) with lengths (L − 1)·stride − padding before and after + span of the
    kernel + output_padding.

Raises
------
ValueError
    For shapes, strides, paddings and groups that do not fit; the message prints them.
TypeError
    For integer and other dtypes that are not allowed.
MemoryError
    If `max_memory` is too little for any algorithm; the message names the least that would
    do.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.functional as F
>>> x = np.ones((1, 1, 2, 2, 2))
>>> F.conv_transpose3d(x, np.ones((1, 1, 2, 2, 2)), stride=2).shape
(1, 1, 4, 4, 4)
"""
def global_avg_pool(input: npt.ArrayLike, *, workers: int | None = None) -> Array:
    """Take the average of each plane.

Parameters
----------
input : array_like
    Shape (N, C, L), (N, C, H, W) or (N, C, D, H, W); float16, float32 or float64.
workers : int, optional
    Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.

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
def global_max_pool(input: npt.ArrayLike, return_indices: bool = False, *, workers: int | None =
    None) -> Any:
    """Take the largest sample of each plane.

Parameters
----------
input : array_like
    Shape (N, C, L), (N, C, H, W) or (N, C, D, H, W); floating-point, or 8-bit integers.
return_indices : bool, optional
    Whether to return, too, where the largest samples are.
workers : int, optional
    Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.

Returns
-------
y : ndarray
    The largest samples: the shape of `input` with spatial axes of length 1.
indices : ndarray of int64
    With `return_indices`: the position of each in its plane, counted in C order; the first
    of equal samples, the last of NaN.

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
def max_pool1d(input: npt.ArrayLike, kernel_size: Size, stride: Size | None = None, padding: Padding
    = 0, dilation: Size = 1, ceil_mode: bool = False, return_indices: bool = False, *, wide_padding:
    bool = False, workers: int | None = None) -> Any:
    r"""Take the largest sample of each window of signals.

.. math:: y[o] = \max_{0 \le u < k} x[o \cdot s + u \cdot d - p]

along each spatial axis. Samples outside `input` are −∞, and NaN is larger than any number.

Parameters
----------
input : array_like
    Shape (N, C, L) or (C, L); floating-point, or 8-bit integers.
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
    Whether pads may be wider than half of what a window spans. Windows may lie in them
    then, and hold no sample: their largest is −∞, of integers the least one of the dtype.
workers : int, optional
    Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.

Returns
-------
y : ndarray
    The largest samples, in the dtype of `input`. Each spatial axis of length `L` becomes
    :math:`\lfloor (L + p_{low} + p_{high} - d(k-1) - 1) / s \rfloor + 1` long.
indices : ndarray of int64
    With `return_indices`: the position of each in its plane, counted in C order; the first
    of equal samples, the last of NaN.
    −1 for a window that holds no sample, all of it padding.

Raises
------
TypeError
    For arrays of other dtypes, and numbers that are not integers.
ValueError
    For shapes, sizes and pads that are not allowed, and results that would be empty.

See Also
--------
pyconv.nn.grad.max_pool1d_input : the gradient.

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
def max_pool2d(input: npt.ArrayLike, kernel_size: Size, stride: Size | None = None, padding: Padding
    = 0, dilation: Size = 1, ceil_mode: bool = False, return_indices: bool = False, *, wide_padding:
    bool = False, workers: int | None = None) -> Any:
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
    Whether pads may be wider than half of what a window spans. Windows may lie in them
    then, and hold no sample: their largest is −∞, of integers the least one of the dtype.
workers : int, optional
    Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.

Returns
-------
y : ndarray
    The largest samples, in the dtype of `input`. Each spatial axis of length `L` becomes
    :math:`\lfloor (L + p_{low} + p_{high} - d(k-1) - 1) / s \rfloor + 1` long.
indices : ndarray of int64
    With `return_indices`: the position of each in its plane, counted in C order; the first
    of equal samples, the last of NaN.
    −1 for a window that holds no sample, all of it padding.

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
def max_pool3d(input: npt.ArrayLike, kernel_size: Size, stride: Size | None = None, padding: Padding
    = 0, dilation: Size = 1, ceil_mode: bool = False, return_indices: bool = False, *, wide_padding:
    bool = False, workers: int | None = None) -> Any:
    r"""Take the largest sample of each window of volumes.

.. math:: y[o] = \max_{0 \le u < k} x[o \cdot s + u \cdot d - p]

along each spatial axis. Samples outside `input` are −∞, and NaN is larger than any number.

Parameters
----------
input : array_like
    Shape (N, C, D, H, W) or (C, D, H, W); floating-point, or 8-bit integers.
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
    Whether pads may be wider than half of what a window spans. Windows may lie in them
    then, and hold no sample: their largest is −∞, of integers the least one of the dtype.
workers : int, optional
    Threads to use at most, as in `pyconv.correlate`. Results do not depend on it.

Returns
-------
y : ndarray
    The largest samples, in the dtype of `input`. Each spatial axis of length `L` becomes
    :math:`\lfloor (L + p_{low} + p_{high} - d(k-1) - 1) / s \rfloor + 1` long.
indices : ndarray of int64
    With `return_indices`: the position of each in its plane, counted in C order; the first
    of equal samples, the last of NaN.
    −1 for a window that holds no sample, all of it padding.

Raises
------
TypeError
    For arrays of other dtypes, and numbers that are not integers.
ValueError
    For shapes, sizes and pads that are not allowed, and results that would be empty.

See Also
--------
pyconv.nn.grad.max_pool3d_input : the gradient.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.functional as F
>>> F.max_pool3d(np.arange(64.0).reshape(1, 4, 4, 4), 2)[0, 0]
array([[21., 23.],
       [29., 31.]])
"""
