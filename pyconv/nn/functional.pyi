"""Layers as functions: torch's names, argument order and shapes, on NumPy arrays.

Arrays are (N, C, spatial…); the batch axis may be missing.
"""
# Written by `python -m tests.stubs`; the source is beside it.
from pyconv.nn._functions.activations import log_softmax, relu
from pyconv.nn._functions.average_pooling import (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d, avg_pool1d, avg_pool2d, avg_pool3d, global_avg_pool)
from pyconv.nn._functions.convolution import Array, Numbers, Padding, plan_conv
from pyconv.nn._functions.linear import linear
from pyconv.nn._functions.losses import cross_entropy, mse_loss
from pyconv.nn._functions.max_pooling import (adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d, global_max_pool, max_pool1d, max_pool2d, max_pool3d)
from pyconv.nn._functions.unfolding import fold, unfold
import numpy.typing as npt
__all__ = [
  'adaptive_avg_pool1d', 'adaptive_avg_pool2d', 'adaptive_avg_pool3d', 'adaptive_max_pool1d',
  'adaptive_max_pool2d', 'adaptive_max_pool3d', 'avg_pool1d', 'avg_pool2d', 'avg_pool3d', 'conv1d',
  'conv2d', 'conv3d', 'conv_transpose1d', 'conv_transpose2d', 'conv_transpose3d', 'cross_entropy',
  'fold', 'global_avg_pool', 'global_max_pool', 'linear', 'log_softmax', 'max_pool1d', 'max_pool2d',
  'max_pool3d', 'mse_loss', 'plan_conv', 'relu', 'unfold'
]
def conv1d(input: npt.ArrayLike, weight: npt.ArrayLike, bias: npt.ArrayLike | None = None, stride:
    Numbers = 1, padding: Padding = 0, dilation: Numbers = 1, groups: int = 1, *, padding_mode: str
    = 'zeros', out: Array | None = None, method: str = 'auto', workers: int | None = None) -> Array:
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
workers : int, optional
    Threads to use at most, as for `pyconv.correlate`. Results are the same bits for any
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
    Numbers = 1, padding: Padding = 0, dilation: Numbers = 1, groups: int = 1, *, padding_mode: str
    = 'zeros', out: Array | None = None, method: str = 'auto', workers: int | None = None) -> Array:
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
workers : int, optional
    Threads to use at most, as for `pyconv.correlate`. Results are the same bits for any
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
    Numbers = 1, padding: Padding = 0, dilation: Numbers = 1, groups: int = 1, *, padding_mode: str
    = 'zeros', out: Array | None = None, method: str = 'auto', workers: int | None = None) -> Array:
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
workers : int, optional
    Threads to use at most, as for `pyconv.correlate`. Results are the same bits for any
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
    stride: Numbers = 1, padding: Padding = 0, output_padding: Numbers = 0, groups: int = 1,
    dilation: Numbers = 1, *, out: Array | None = None, method: str = 'auto', workers: int | None =
    None) -> Array:
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
workers : int, optional
    Threads to use at most, as for `pyconv.correlate`. Results are the same bits for any
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

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.functional as F
>>> x = np.ones((1, 1, 2))
>>> F.conv_transpose1d(x, np.ones((1, 1, 2)), stride=2).shape
(1, 1, 4)
"""
def conv_transpose2d(input: npt.ArrayLike, weight: npt.ArrayLike, bias: npt.ArrayLike | None = None,
    stride: Numbers = 1, padding: Padding = 0, output_padding: Numbers = 0, groups: int = 1,
    dilation: Numbers = 1, *, out: Array | None = None, method: str = 'auto', workers: int | None =
    None) -> Array:
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
workers : int, optional
    Threads to use at most, as for `pyconv.correlate`. Results are the same bits for any
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

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.functional as F
>>> x = np.ones((1, 1, 2, 2))
>>> F.conv_transpose2d(x, np.ones((1, 1, 2, 2)), stride=2).shape
(1, 1, 4, 4)
"""
def conv_transpose3d(input: npt.ArrayLike, weight: npt.ArrayLike, bias: npt.ArrayLike | None = None,
    stride: Numbers = 1, padding: Padding = 0, output_padding: Numbers = 0, groups: int = 1,
    dilation: Numbers = 1, *, out: Array | None = None, method: str = 'auto', workers: int | None =
    None) -> Array:
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
workers : int, optional
    Threads to use at most, as for `pyconv.correlate`. Results are the same bits for any
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

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.functional as F
>>> x = np.ones((1, 1, 2, 2, 2))
>>> F.conv_transpose3d(x, np.ones((1, 1, 2, 2, 2)), stride=2).shape
(1, 1, 4, 4, 4)
"""
