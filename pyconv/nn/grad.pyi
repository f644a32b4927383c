"""Gradients of `pyconv.nn.functional`: what a change of each argument does to a loss.

``f_a`` is the gradient of the function ``f`` with respect to its argument ``a``. Its arguments are
those of ``f``, in their order. First the arrays: in the place of ``a`` stands its shape,
``a_size``, where only that matters, and ``indices`` or ``output``, which ``f`` returned, where
they are what matters. Then ``grad_output``, the gradient with respect to the result of ``f``. Then
the options. The result has the shape of ``a``. Where ``f`` is linear in ``a`` it is the adjoint,
exactly. Results are the same bits for every number of threads.
"""
# Written by `python -m tests.stubs`; the source is beside it.
from pyconv.nn._functions.activations import log_softmax_input, relu_input
from pyconv.nn._functions.convolution import Numbers, Padding as convolution_Padding
from pyconv.nn._functions.linear import linear_bias, linear_input, linear_weight
from pyconv.nn._functions.losses import cross_entropy_input, mse_loss_input
from pyconv.nn._functions.pooling import Array, Padding, Size
from pyconv.nn._functions.unfolding import fold_input, unfold_input
import numpy.typing as npt
__all__ = [
  'adaptive_avg_pool1d_input', 'adaptive_avg_pool2d_input', 'adaptive_avg_pool3d_input',
  'adaptive_max_pool1d_input', 'adaptive_max_pool2d_input', 'adaptive_max_pool3d_input',
  'avg_pool1d_input', 'avg_pool2d_input', 'avg_pool3d_input', 'conv1d_bias', 'conv1d_input',
  'conv1d_weight', 'conv2d_bias', 'conv2d_input', 'conv2d_weight', 'conv3d_bias', 'conv3d_input',
  'conv3d_weight', 'conv_transpose1d_bias', 'conv_transpose1d_input', 'conv_transpose1d_weight',
  'conv_transpose2d_bias', 'conv_transpose2d_input', 'conv_transpose2d_weight',
  'conv_transpose3d_bias', 'conv_transpose3d_input', 'conv_transpose3d_weight',
  'cross_entropy_input', 'fold_input', 'global_avg_pool_input', 'global_max_pool_input',
  'linear_bias', 'linear_input', 'linear_weight', 'log_softmax_input', 'max_pool1d_input',
  'max_pool2d_input', 'max_pool3d_input', 'mse_loss_input', 'relu_input', 'unfold_input'
]
def adaptive_avg_pool1d_input(input_size: tuple[int, ...], grad_output: npt.ArrayLike, *, workers:
    int | None = None) -> Array:
    """Return the gradient of `adaptive_avg_pool1d` with respect to its input: its adjoint.

Parameters
----------
input_size : tuple of int
    Shape of the input: (N, C, L) or (C, L).
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
>>> grad.adaptive_avg_pool1d_input((1, 4), np.array([[2.0, 4.0]]))
array([[1., 1., 2., 2.]])
"""
def adaptive_avg_pool2d_input(input_size: tuple[int, ...], grad_output: npt.ArrayLike, *, workers:
    int | None = None) -> Array:
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
def adaptive_avg_pool3d_input(input_size: tuple[int, ...], grad_output: npt.ArrayLike, *, workers:
    int | None = None) -> Array:
    """Return the gradient of `adaptive_avg_pool3d` with respect to its input: its adjoint.

Parameters
----------
input_size : tuple of int
    Shape of the input: (N, C, D, H, W) or (C, D, H, W).
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
>>> grad.adaptive_avg_pool3d_input((1, 1, 2, 2), np.array([[[[4.0]]]]))
array([[[[1., 1.],
         [1., 1.]]]])
"""
def adaptive_max_pool1d_input(input_size: tuple[int, ...], indices: npt.ArrayLike, grad_output:
    npt.ArrayLike, *, workers: int | None = None) -> Array:
    """Return the gradient of `adaptive_max_pool1d` with respect to its input.

Each sample gets the sum of the gradients of the windows whose largest sample it was.

Parameters
----------
input_size : tuple of int
    Shape of the input: (N, C, L) or (C, L).
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
>>> y, indices = F.adaptive_max_pool1d(np.array([[1.0, 5.0, 2.0]]), 1, return_indices=True)
>>> grad.adaptive_max_pool1d_input((1, 3), indices, np.array([[2.0]]))
array([[0., 2., 0.]])
"""
def adaptive_max_pool2d_input(input_size: tuple[int, ...], indices: npt.ArrayLike, grad_output:
    npt.ArrayLike, *, workers: int | None = None) -> Array:
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
def adaptive_max_pool3d_input(input_size: tuple[int, ...], indices: npt.ArrayLike, grad_output:
    npt.ArrayLike, *, workers: int | None = None) -> Array:
    """Return the gradient of `adaptive_max_pool3d` with respect to its input.

Each sample gets the sum of the gradients of the windows whose largest sample it was.

Parameters
----------
input_size : tuple of int
    Shape of the input: (N, C, D, H, W) or (C, D, H, W).
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
>>> x = np.array([[[[1.0, 4.0], [3.0, 2.0]]]])
>>> y, indices = F.adaptive_max_pool3d(x, 1, return_indices=True)
>>> grad.adaptive_max_pool3d_input(x.shape, indices, np.ones((1, 1, 1, 1)))
array([[[[0., 1.],
         [0., 0.]]]])
"""
def avg_pool1d_input(input_size: tuple[int, ...], grad_output: npt.ArrayLike, kernel_size: Size,
    stride: Size | None = None, padding: Padding = 0, ceil_mode: bool = False, count_include_pad:
    bool = True, divisor_override: int | None = None, *, wide_padding: bool = False, workers: int |
    None = None) -> Array:
    """Return the gradient of `avg_pool1d` with respect to its input: its adjoint.

Parameters
----------
input_size : tuple of int
    Shape of the input: (N, C, L) or (C, L).
grad_output : array_like
    Gradient with respect to the result, in its shape.
kernel_size, stride, padding : int or sequence of int
    As in the call of `avg_pool1d`.
ceil_mode, count_include_pad, divisor_override, wide_padding
    As in the call of `avg_pool1d`.
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
>>> grad.avg_pool1d_input((1, 4), np.array([[2.0, 4.0]]), 2)
array([[1., 1., 2., 2.]])
"""
def avg_pool2d_input(input_size: tuple[int, ...], grad_output: npt.ArrayLike, kernel_size: Size,
    stride: Size | None = None, padding: Padding = 0, ceil_mode: bool = False, count_include_pad:
    bool = True, divisor_override: int | None = None, *, wide_padding: bool = False, workers: int |
    None = None) -> Array:
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
def avg_pool3d_input(input_size: tuple[int, ...], grad_output: npt.ArrayLike, kernel_size: Size,
    stride: Size | None = None, padding: Padding = 0, ceil_mode: bool = False, count_include_pad:
    bool = True, divisor_override: int | None = None, *, wide_padding: bool = False, workers: int |
    None = None) -> Array:
    """Return the gradient of `avg_pool3d` with respect to its input: its adjoint.

Parameters
----------
input_size : tuple of int
    Shape of the input: (N, C, D, H, W) or (C, D, H, W).
grad_output : array_like
    Gradient with respect to the result, in its shape.
kernel_size, stride, padding : int or sequence of int
    As in the call of `avg_pool3d`.
ceil_mode, count_include_pad, divisor_override, wide_padding
    As in the call of `avg_pool3d`.
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
>>> grad.avg_pool3d_input((1, 1, 2, 2), np.array([[[[4.0]]]]), (1, 2, 2))
array([[[[1., 1.],
         [1., 1.]]]])
"""
def conv1d_bias(grad_output: npt.ArrayLike) -> Array:
    """Return the gradient of `conv1d` for its bias: the sum over images and pixels.

Parameters
----------
grad_output : array_like
    Gradient for the result, of its shape.

Returns
-------
ndarray
    Shape (K,).

Raises
------
ValueError, TypeError
    If the shape or the dtype is not that of a result.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.grad
>>> pyconv.nn.grad.conv1d_bias(np.ones((2, 3, 2)))
array([4., 4., 4.])
"""
def conv1d_input(input_size: tuple[int, ...], weight: npt.ArrayLike, grad_output: npt.ArrayLike,
    stride: Numbers = 1, padding: convolution_Padding = 0, dilation: Numbers = 1, groups: int = 1,
    *, padding_mode: str = 'zeros', method: str = 'auto', max_memory: int | None = None, workers:
    int | None = None) -> Array:
    """Return the gradient of `conv1d` for its input: the adjoint of the call, border included.

Parameters
----------
input_size : tuple of int
    Shape of the input, with or without the batch axis as `grad_output`.
weight : array_like
    Shape (K, C / groups, length of the kernel).
grad_output : array_like
    Gradient for the result, of its shape.
stride, padding, dilation, groups, padding_mode : optional
    Those of the call of `conv1d`.
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
    Shape `input_size`: for real arrays ``sum(conv1d(x, w) * dy) == sum(x * result)``.

Raises
------
ValueError, TypeError
    If the shapes are not those of a layer, or the dtypes are not allowed.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.grad
>>> dy = np.ones((1, 1, 2))
>>> pyconv.nn.grad.conv1d_input((1, 1, 3), np.ones((1, 1, 2)), dy).sum()
np.float64(4.0)
"""
def conv1d_weight(input: npt.ArrayLike, weight_size: tuple[int, ...], grad_output: npt.ArrayLike,
    stride: Numbers = 1, padding: convolution_Padding = 0, dilation: Numbers = 1, groups: int = 1,
    *, padding_mode: str = 'zeros', method: str = 'auto', max_memory: int | None = None, workers:
    int | None = None) -> Array:
    r"""Return the gradient of `conv1d` for its weights.

.. math:: dw[k, c, u] = \sum_n \sum_i dy[n, k, i] \; x[n, c, i \cdot s + u \cdot d - p]

Parameters
----------
input : array_like
    The input of the call.
weight_size : tuple of int
    Shape of the weights, (K, C / groups, length of the kernel).
grad_output : array_like
    Gradient for the result, of its shape.
stride, padding, dilation, groups, padding_mode : optional
    Those of the call of `conv1d`.
method : {'auto', 'blocked', 'reference'}, optional
    Algorithm; ``auto`` takes the one with the least predicted time.
max_memory : int, optional
    Bytes of workspace that the call may take at most, besides `input`, `weight`, `bias` and
    the result. Copies of arrays of another dtype or layout count. The default is no limit;
    compiled algorithms take up to 256 MiB for each thread.
workers : int, optional
    Threads to use at most. The gradient is the same bits for any number.

Returns
-------
ndarray
    Shape `weight_size`. Complex inputs are conjugated, as in the adjoint.

Raises
------
ValueError, TypeError
    If the shapes are not those of a layer, or the dtypes are not allowed.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.grad
>>> x, dy = np.ones((1, 1, 3)), np.ones((1, 1, 2))
>>> pyconv.nn.grad.conv1d_weight(x, (1, 1, 2), dy).ravel()[0]
np.float64(2.0)
"""
def conv2d_bias(grad_output: npt.ArrayLike) -> Array:
    """Return the gradient of `conv2d` for its bias: the sum over images and pixels.

Parameters
----------
grad_output : array_like
    Gradient for the result, of its shape.

Returns
-------
ndarray
    Shape (K,).

Raises
------
ValueError, TypeError
    If the shape or the dtype is not that of a result.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.grad
>>> pyconv.nn.grad.conv2d_bias(np.ones((2, 3, 2, 2)))
array([8., 8., 8.])
"""
def conv2d_input(input_size: tuple[int, ...], weight: npt.ArrayLike, grad_output: npt.ArrayLike,
    stride: Numbers = 1, padding: convolution_Padding = 0, dilation: Numbers = 1, groups: int = 1,
    *, padding_mode: str = 'zeros', method: str = 'auto', max_memory: int | None = None, workers:
    int | None = None) -> Array:
    """Return the gradient of `conv2d` for its input: the adjoint of the call, border included.

Parameters
----------
input_size : tuple of int
    Shape of the input, with or without the batch axis as `grad_output`.
weight : array_like
    Shape (K, C / groups, height, width of the kernel).
grad_output : array_like
    Gradient for the result, of its shape.
stride, padding, dilation, groups, padding_mode : optional
    Those of the call of `conv2d`.
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
    Shape `input_size`: for real arrays ``sum(conv2d(x, w) * dy) == sum(x * result)``.

Raises
------
ValueError, TypeError
    If the shapes are not those of a layer, or the dtypes are not allowed.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.grad
>>> dy = np.ones((1, 1, 2, 2))
>>> pyconv.nn.grad.conv2d_input((1, 1, 3, 3), np.ones((1, 1, 2, 2)), dy).sum()
np.float64(16.0)
"""
def conv2d_weight(input: npt.ArrayLike, weight_size: tuple[int, ...], grad_output: npt.ArrayLike,
    stride: Numbers = 1, padding: convolution_Padding = 0, dilation: Numbers = 1, groups: int = 1,
    *, padding_mode: str = 'zeros', method: str = 'auto', max_memory: int | None = None, workers:
    int | None = None) -> Array:
    r"""Return the gradient of `conv2d` for its weights.

.. math:: dw[k, c, u] = \sum_n \sum_i dy[n, k, i] \; x[n, c, i \cdot s + u \cdot d - p]

Parameters
----------
input : array_like
    The input of the call.
weight_size : tuple of int
    Shape of the weights, (K, C / groups, height, width of the kernel).
grad_output : array_like
    Gradient for the result, of its shape.
stride, padding, dilation, groups, padding_mode : optional
    Those of the call of `conv2d`.
method : {'auto', 'blocked', 'reference'}, optional
    Algorithm; ``auto`` takes the one with the least predicted time.
max_memory : int, optional
    Bytes of workspace that the call may take at most, besides `input`, `weight`, `bias` and
    the result. Copies of arrays of another dtype or layout count. The default is no limit;
    compiled algorithms take up to 256 MiB for each thread.
workers : int, optional
    Threads to use at most. The gradient is the same bits for any number.

Returns
-------
ndarray
    Shape `weight_size`. Complex inputs are conjugated, as in the adjoint.

Raises
------
ValueError, TypeError
    If the shapes are not those of a layer, or the dtypes are not allowed.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.grad
>>> x, dy = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
>>> pyconv.nn.grad.conv2d_weight(x, (1, 1, 2, 2), dy).ravel()[0]
np.float64(4.0)
"""
def conv3d_bias(grad_output: npt.ArrayLike) -> Array:
    """Return the gradient of `conv3d` for its bias: the sum over images and pixels.

Parameters
----------
grad_output : array_like
    Gradient for the result, of its shape.

Returns
-------
ndarray
    Shape (K,).

Raises
------
ValueError, TypeError
    If the shape or the dtype is not that of a result.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.grad
>>> pyconv.nn.grad.conv3d_bias(np.ones((2, 3, 2, 2, 2)))
array([16., 16., 16.])
"""
def conv3d_input(input_size: tuple[int, ...], weight: npt.ArrayLike, grad_output: npt.ArrayLike,
    stride: Numbers = 1, padding: convolution_Padding = 0, dilation: Numbers = 1, groups: int = 1,
    *, padding_mode: str = 'zeros', method: str = 'auto', max_memory: int | None = None, workers:
    int | None = None) -> Array:
    """Return the gradient of `conv3d` for its input: the adjoint of the call, border included.

Parameters
----------
input_size : tuple of int
    Shape of the input, with or without the batch axis as `grad_output`.
weight : array_like
    Shape (K, C / groups, depth, height, width of the kernel).
grad_output : array_like
    Gradient for the result, of its shape.
stride, padding, dilation, groups, padding_mode : optional
    Those of the call of `conv3d`.
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
    Shape `input_size`: for real arrays ``sum(conv3d(x, w) * dy) == sum(x * result)``.

Raises
------
ValueError, TypeError
    If the shapes are not those of a layer, or the dtypes are not allowed.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.grad
>>> dy = np.ones((1, 1, 2, 2, 2))
>>> pyconv.nn.grad.conv3d_input((1, 1, 3, 3, 3), np.ones((1, 1, 2, 2, 2)), dy).sum()
np.float64(64.0)
"""
def conv3d_weight(input: npt.ArrayLike, weight_size: tuple[int, ...], grad_output: npt.ArrayLike,
    stride: Numbers = 1, padding: convolution_Padding = 0, dilation: Numbers = 1, groups: int = 1,
    *, padding_mode: str = 'zeros', method: str = 'auto', max_memory: int | None = None, workers:
    int | None = None) -> Array:
    r"""Return the gradient of `conv3d` for its weights.

.. math:: dw[k, c, u] = \sum_n \sum_i dy[n, k, i] \; x[n, c, i \cdot s + u \cdot d - p]

Parameters
----------
input : array_like
    The input of the call.
weight_size : tuple of int
    Shape of the weights, (K, C / groups, depth, height, width of the kernel).
grad_output : array_like
    Gradient for the result, of its shape.
stride, padding, dilation, groups, padding_mode : optional
    Those of the call of `conv3d`.
method : {'auto', 'blocked', 'reference'}, optional
    Algorithm; ``auto`` takes the one with the least predicted time.
max_memory : int, optional
    Bytes of workspace that the call may take at most, besides `input`, `weight`, `bias` and
    the result. Copies of arrays of another dtype or layout count. The default is no limit;
    compiled algorithms take up to 256 MiB for each thread.
workers : int, optional
    Threads to use at most. The gradient is the same bits for any number.

Returns
-------
ndarray
    Shape `weight_size`. Complex inputs are conjugated, as in the adjoint.

Raises
------
ValueError, TypeError
    If the shapes are not those of a layer, or the dtypes are not allowed.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.grad
>>> x, dy = np.ones((1, 1, 3, 3, 3)), np.ones((1, 1, 2, 2, 2))
>>> pyconv.nn.grad.conv3d_weight(x, (1, 1, 2, 2, 2), dy).ravel()[0]
np.float64(8.0)
"""
def conv_transpose1d_bias(grad_output: npt.ArrayLike) -> Array:
    """Return the gradient of `conv_transpose1d` for its bias: the sum over images and pixels.

Parameters
----------
grad_output : array_like
    Gradient for the result, of its shape.

Returns
-------
ndarray
    Shape (K,).

Raises
------
ValueError, TypeError
    If the shape or the dtype is not that of a result.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.grad
>>> pyconv.nn.grad.conv_transpose1d_bias(np.ones((2, 3, 2)))
array([4., 4., 4.])
"""
def conv_transpose1d_input(input_size: tuple[int, ...], weight: npt.ArrayLike, grad_output:
    npt.ArrayLike, stride: Numbers = 1, padding: convolution_Padding = 0, output_padding: Numbers =
    0, groups: int = 1, dilation: Numbers = 1, *, method: str = 'auto', max_memory: int | None =
    None, workers: int | None = None) -> Array:
    """Return the gradient of `conv_transpose1d` for its input: the layer that was transposed.

Parameters
----------
input_size : tuple of int
    Shape of the input, with or without the batch axis as `grad_output`.
weight : array_like
    Shape (C, K / groups, length of the kernel).
grad_output : array_like
    Gradient for the result, of its shape.
stride, padding, output_padding, groups, dilation : optional
    Those of the call of `conv_transpose1d`.
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
    Shape `input_size`.

Raises
------
ValueError, TypeError
    If the shapes are not those of a transposed layer, or the dtypes are not allowed.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.grad
>>> dy = np.ones((1, 1, 3))
>>> w = np.ones((1, 1, 2))
>>> pyconv.nn.grad.conv_transpose1d_input((1, 1, 2), w, dy).ravel()[0]
np.float64(2.0)
"""
def conv_transpose1d_weight(input: npt.ArrayLike, weight_size: tuple[int, ...], grad_output:
    npt.ArrayLike, stride: Numbers = 1, padding: convolution_Padding = 0, output_padding: Numbers =
    0, groups: int = 1, dilation: Numbers = 1, *, method: str = 'auto', max_memory: int | None =
    None, workers: int | None = None) -> Array:
    """Return the gradient of `conv_transpose1d` for its weights.

Parameters
----------
input : array_like
    The input of the call.
weight_size : tuple of int
    Shape of the weights, (C, K / groups, length of the kernel).
grad_output : array_like
    Gradient for the result, of its shape.
stride, padding, output_padding, groups, dilation : optional
    Those of the call of `conv_transpose1d`.
method : {'auto', 'blocked', 'reference'}, optional
    Algorithm; ``auto`` takes the one with the least predicted time.
max_memory : int, optional
    Bytes of workspace that the call may take at most, besides `input`, `weight`, `bias` and
    the result. Copies of arrays of another dtype or layout count. The default is no limit;
    compiled algorithms take up to 256 MiB for each thread.
workers : int, optional
    Threads to use at most. The gradient is the same bits for any number.

Returns
-------
ndarray
    Shape `weight_size`. Complex results are conjugated, as in the adjoint.

Raises
------
ValueError, TypeError
    If the shapes are not those of a transposed layer, or the dtypes are not allowed.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.grad
>>> x, dy = np.ones((1, 1, 2)), np.ones((1, 1, 3))
>>> pyconv.nn.grad.conv_transpose1d_weight(x, (1, 1, 2), dy).ravel()[0]
np.float64(2.0)
"""
def conv_transpose2d_bias(grad_output: npt.ArrayLike) -> Array:
    """Return the gradient of `conv_transpose2d` for its bias: the sum over images and pixels.

Parameters
----------
grad_output : array_like
    Gradient for the result, of its shape.

Returns
-------
ndarray
    Shape (K,).

Raises
------
ValueError, TypeError
    If the shape or the dtype is not that of a result.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.grad
>>> pyconv.nn.grad.conv_transpose2d_bias(np.ones((2, 3, 2, 2)))
array([8., 8., 8.])
"""
def conv_transpose2d_input(input_size: tuple[int, ...], weight: npt.ArrayLike, grad_output:
    npt.ArrayLike, stride: Numbers = 1, padding: convolution_Padding = 0, output_padding: Numbers =
    0, groups: int = 1, dilation: Numbers = 1, *, method: str = 'auto', max_memory: int | None =
    None, workers: int | None = None) -> Array:
    """Return the gradient of `conv_transpose2d` for its input: the layer that was transposed.

Parameters
----------
input_size : tuple of int
    Shape of the input, with or without the batch axis as `grad_output`.
weight : array_like
    Shape (C, K / groups, height, width of the kernel).
grad_output : array_like
    Gradient for the result, of its shape.
stride, padding, output_padding, groups, dilation : optional
    Those of the call of `conv_transpose2d`.
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
    Shape `input_size`.

Raises
------
ValueError, TypeError
    If the shapes are not those of a transposed layer, or the dtypes are not allowed.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.grad
>>> dy = np.ones((1, 1, 3, 3))
>>> w = np.ones((1, 1, 2, 2))
>>> pyconv.nn.grad.conv_transpose2d_input((1, 1, 2, 2), w, dy).ravel()[0]
np.float64(4.0)
"""
def conv_transpose2d_weight(input: npt.ArrayLike, weight_size: tuple[int, ...], grad_output:
    npt.ArrayLike, stride: Numbers = 1, padding: convolution_Padding = 0, output_padding: Numbers =
    0, groups: int = 1, dilation: Numbers = 1, *, method: str = 'auto', max_memory: int | None =
    None, workers: int | None = None) -> Array:
    """Return the gradient of `conv_transpose2d` for its weights.

Parameters
----------
input : array_like
    The input of the call.
weight_size : tuple of int
    Shape of the weights, (C, K / groups, height, width of the kernel).
grad_output : array_like
    Gradient for the result, of its shape.
stride, padding, output_padding, groups, dilation : optional
    Those of the call of `conv_transpose2d`.
method : {'auto', 'blocked', 'reference'}, optional
    Algorithm; ``auto`` takes the one with the least predicted time.
max_memory : int, optional
    Bytes of workspace that the call may take at most, besides `input`, `weight`, `bias` and
    the result. Copies of arrays of another dtype or layout count. The default is no limit;
    compiled algorithms take up to 256 MiB for each thread.
workers : int, optional
    Threads to use at most. The gradient is the same bits for any number.

Returns
-------
ndarray
    Shape `weight_size`. Complex results are conjugated, as in the adjoint.

Raises
------
ValueError, TypeError
    If the shapes are not those of a transposed layer, or the dtypes are not allowed.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.grad
>>> x, dy = np.ones((1, 1, 2, 2)), np.ones((1, 1, 3, 3))
>>> pyconv.nn.grad.conv_transpose2d_weight(x, (1, 1, 2, 2), dy).ravel()[0]
np.float64(4.0)
"""
def conv_transpose3d_bias(grad_output: npt.ArrayLike) -> Array:
    """Return the gradient of `conv_transpose3d` for its bias: the sum over images and pixels.

Parameters
----------
grad_output : array_like
    Gradient for the result, of its shape.

Returns
-------
ndarray
    Shape (K,).

Raises
------
ValueError, TypeError
    If the shape or the dtype is not that of a result.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.grad
>>> pyconv.nn.grad.conv_transpose3d_bias(np.ones((2, 3, 2, 2, 2)))
array([16., 16., 16.])
"""
def conv_transpose3d_input(input_size: tuple[int, ...], weight: npt.ArrayLike, grad_output:
    npt.ArrayLike, stride: Numbers = 1, padding: convolution_Padding = 0, output_padding: Numbers =
    0, groups: int = 1, dilation: Numbers = 1, *, method: str = 'auto', max_memory: int | None =
    None, workers: int | None = None) -> Array:
    """Return the gradient of `conv_transpose3d` for its input: the layer that was transposed.

Parameters
----------
input_size : tuple of int
    Shape of the input, with or without the batch axis as `grad_output`.
weight : array_like
    Shape (C, K / groups, depth, height, width of the kernel).
grad_output : array_like
    Gradient for the result, of its shape.
stride, padding, output_padding, groups, dilation : optional
    Those of the call of `conv_transpose3d`.
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
    Shape `input_size`.

Raises
------
ValueError, TypeError
    If the shapes are not those of a transposed layer, or the dtypes are not allowed.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.grad
>>> dy = np.ones((1, 1, 3, 3, 3))
>>> w = np.ones((1, 1, 2, 2, 2))
>>> pyconv.nn.grad.conv_transpose3d_input((1, 1, 2, 2, 2), w, dy).ravel()[0]
np.float64(8.0)
"""
def conv_transpose3d_weight(input: npt.ArrayLike, weight_size: tuple[int, ...], grad_output:
    npt.ArrayLike, stride: Numbers = 1, padding: convolution_Padding = 0, output_padding: Numbers =
    0, groups: int = 1, dilation: Numbers = 1, *, method: str = 'auto', max_memory: int | None =
    None, workers: int | None = None) -> Array:
    """Return the gradient of `conv_transpose3d` for its weights.

Parameters
----------
input : array_like
    The input of the call.
weight_size : tuple of int
    Shape of the weights, (C, K / groups, depth, height, width of the kernel).
grad_output : array_like
    Gradient for the result, of its shape.
stride, padding, output_padding, groups, dilation : optional
    Those of the call of `conv_transpose3d`.
method : {'auto', 'blocked', 'reference'}, optional
    Algorithm; ``auto`` takes the one with the least predicted time.
max_memory : int, optional
    Bytes of workspace that the call may take at most, besides `input`, `weight`, `bias` and
    the result. Copies of arrays of another dtype or layout count. The default is no limit;
    compiled algorithms take up to 256 MiB for each thread.
workers : int, optional
    Threads to use at most. The gradient is the same bits for any number.

Returns
-------
ndarray
    Shape `weight_size`. Complex results are conjugated, as in the adjoint.

Raises
------
ValueError, TypeError
    If the shapes are not those of a transposed layer, or the dtypes are not allowed.

Examples
--------
>>> import numpy as np
>>> import pyconv.nn.grad
>>> x, dy = np.ones((1, 1, 2, 2, 2)), np.ones((1, 1, 3, 3, 3))
>>> pyconv.nn.grad.conv_transpose3d_weight(x, (1, 1, 2, 2, 2), dy).ravel()[0]
np.float64(8.0)
"""
def global_avg_pool_input(input_size: tuple[int, ...], grad_output: npt.ArrayLike, *, workers: int |
    None = None) -> Array:
    """Return the gradient of `global_avg_pool` with respect to its input: its adjoint.

Parameters
----------
input_size : tuple of int
    Shape of the input: (N, C, L), (N, C, H, W) or (N, C, D, H, W).
grad_output : array_like
    Gradient with respect to the result, in its shape.
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
>>> grad.global_avg_pool_input((1, 1, 4), np.array([[[8.0]]]))
array([[[2., 2., 2., 2.]]])
"""
def global_max_pool_input(input_size: tuple[int, ...], indices: npt.ArrayLike, grad_output:
    npt.ArrayLike, *, workers: int | None = None) -> Array:
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
>>> from pyconv.nn import grad
>>> grad.global_max_pool_input((1, 1, 3), np.array([[[2]]]), np.array([[[5.0]]]))
array([[[0., 0., 5.]]])
"""
def max_pool1d_input(input_size: tuple[int, ...], indices: npt.ArrayLike, grad_output:
    npt.ArrayLike, *, workers: int | None = None) -> Array:
    """Return the gradient of `max_pool1d` with respect to its input.

Each sample gets the sum of the gradients of the windows whose largest sample it was.

Parameters
----------
input_size : tuple of int
    Shape of the input: (N, C, L) or (C, L).
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
>>> y, indices = F.max_pool1d(np.array([[1.0, 5.0, 2.0]]), 2, 1, return_indices=True)
>>> grad.max_pool1d_input((1, 3), indices, np.array([[1.0, 10.0]]))
array([[ 0., 11.,  0.]])
"""
def max_pool2d_input(input_size: tuple[int, ...], indices: npt.ArrayLike, grad_output:
    npt.ArrayLike, *, workers: int | None = None) -> Array:
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
def max_pool3d_input(input_size: tuple[int, ...], indices: npt.ArrayLike, grad_output:
    npt.ArrayLike, *, workers: int | None = None) -> Array:
    """Return the gradient of `max_pool3d` with respect to its input.

Each sample gets the sum of the gradients of the windows whose largest sample it was.

Parameters
----------
input_size : tuple of int
    Shape of the input: (N, C, D, H, W) or (C, D, H, W).
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
>>> y, indices = F.max_pool3d(np.arange(8.0).reshape(1, 2, 2, 2), 2, return_indices=True)
>>> grad.max_pool3d_input((1, 2, 2, 2), indices, np.ones((1, 1, 1, 1))).ravel()
array([0., 0., 0., 0., 0., 0., 0., 1.])
"""
