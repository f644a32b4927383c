"""Layers on NumPy arrays in torch's shapes, (N, C, spatial…), and models that learn with them.

`pyconv.nn.functional` has the functions, `pyconv.nn.grad` the gradients of each with respect to
each of its arrays; layers keep weights, and call both.
"""

from __future__ import annotations

from pyconv.nn import functional, grad, init, models
from pyconv.nn._layers.activation_layers import (
    GELU,
    Dropout,
    Identity,
    Sigmoid,
    Softmax,
    Tanh,
)
from pyconv.nn._layers.containers import Residual, Sequential
from pyconv.nn._layers.convolution_layers import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from pyconv.nn._layers.criteria import Criterion, CrossEntropyLoss, MSELoss, accuracy
from pyconv.nn._layers.dense_layers import Flatten, Linear, ReLU
from pyconv.nn._layers.fitting import History, evaluate, fit
from pyconv.nn._layers.layer import Layer
from pyconv.nn._layers.normalisation_layers import BatchNorm1d, BatchNorm2d, BatchNorm3d, fuse
from pyconv.nn._layers.optimisers import SGD, Adam, Optimizer
from pyconv.nn._layers.parameter import Parameter
from pyconv.nn._layers.pooling_layers import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
)

__all__ = [
    "GELU",
    "SGD",
    "Adam",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Criterion",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "History",
    "Identity",
    "Layer",
    "Linear",
    "MSELoss",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "Optimizer",
    "Parameter",
    "ReLU",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "accuracy",
    "evaluate",
    "fit",
    "functional",
    "fuse",
    "grad",
    "init",
    "models",
]
