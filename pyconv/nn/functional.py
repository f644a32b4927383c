"""Layers as functions: torch's names, argument order and shapes, on NumPy arrays.

Arrays are (N, C, spatial…); the batch axis may be missing.
"""

from __future__ import annotations

from pyconv.nn._functions.activations import log_softmax, relu
from pyconv.nn._functions.average_pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    global_avg_pool,
)
from pyconv.nn._functions.convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    plan_conv,
    tune_conv,
)
from pyconv.nn._functions.linear import linear
from pyconv.nn._functions.losses import cross_entropy, mse_loss
from pyconv.nn._functions.max_pooling import (
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
    global_max_pool,
    max_pool1d,
    max_pool2d,
    max_pool3d,
)
from pyconv.nn._functions.unfolding import fold, unfold

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cross_entropy",
    "fold",
    "global_avg_pool",
    "global_max_pool",
    "linear",
    "log_softmax",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "mse_loss",
    "plan_conv",
    "relu",
    "tune_conv",
    "unfold",
]
