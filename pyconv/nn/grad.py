"""Gradients of `pyconv.nn.functional`: what a change of each argument does to a loss.

``f_a`` is the gradient of the function ``f`` with respect to its argument ``a``. Its arguments are
those of ``f``, in their order. First the arrays: in the place of ``a`` stands its shape,
``a_size``, where only that matters, and ``indices`` or ``output``, which ``f`` returned, where
they are what matters. Then ``grad_output``, the gradient with respect to the result of ``f``. Then
the options. The result has the shape of ``a``. Where ``f`` is linear in ``a`` it is the adjoint,
exactly. Results are the same bits for every number of threads.
"""

from __future__ import annotations

from pyconv.nn._functions.activations import log_softmax_input, relu_input
from pyconv.nn._functions.average_pooling import (
    adaptive_avg_pool1d_input,
    adaptive_avg_pool2d_input,
    adaptive_avg_pool3d_input,
    avg_pool1d_input,
    avg_pool2d_input,
    avg_pool3d_input,
    global_avg_pool_input,
)
from pyconv.nn._functions.convolution import (
    conv1d_bias,
    conv1d_input,
    conv1d_weight,
    conv2d_bias,
    conv2d_input,
    conv2d_weight,
    conv3d_bias,
    conv3d_input,
    conv3d_weight,
    conv_transpose1d_bias,
    conv_transpose1d_input,
    conv_transpose1d_weight,
    conv_transpose2d_bias,
    conv_transpose2d_input,
    conv_transpose2d_weight,
    conv_transpose3d_bias,
    conv_transpose3d_input,
    conv_transpose3d_weight,
)
from pyconv.nn._functions.linear import linear_bias, linear_input, linear_weight
from pyconv.nn._functions.losses import cross_entropy_input, mse_loss_input
from pyconv.nn._functions.max_pooling import (
    adaptive_max_pool1d_input,
    adaptive_max_pool2d_input,
    adaptive_max_pool3d_input,
    global_max_pool_input,
    max_pool1d_input,
    max_pool2d_input,
    max_pool3d_input,
)
from pyconv.nn._functions.unfolding import fold_input, unfold_input

__all__ = [
    "adaptive_avg_pool1d_input",
    "adaptive_avg_pool2d_input",
    "adaptive_avg_pool3d_input",
    "adaptive_max_pool1d_input",
    "adaptive_max_pool2d_input",
    "adaptive_max_pool3d_input",
    "avg_pool1d_input",
    "avg_pool2d_input",
    "avg_pool3d_input",
    "conv1d_bias",
    "conv1d_input",
    "conv1d_weight",
    "conv2d_bias",
    "conv2d_input",
    "conv2d_weight",
    "conv3d_bias",
    "conv3d_input",
    "conv3d_weight",
    "conv_transpose1d_bias",
    "conv_transpose1d_input",
    "conv_transpose1d_weight",
    "conv_transpose2d_bias",
    "conv_transpose2d_input",
    "conv_transpose2d_weight",
    "conv_transpose3d_bias",
    "conv_transpose3d_input",
    "conv_transpose3d_weight",
    "cross_entropy_input",
    "fold_input",
    "global_avg_pool_input",
    "global_max_pool_input",
    "linear_bias",
    "linear_input",
    "linear_weight",
    "log_softmax_input",
    "max_pool1d_input",
    "max_pool2d_input",
    "max_pool3d_input",
    "mse_loss_input",
    "relu_input",
    "unfold_input",
]
