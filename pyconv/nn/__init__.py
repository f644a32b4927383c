"""Layers on NumPy arrays in torch's shapes, (N, C, spatial…), and models that learn with them.

`pyconv.nn.functional` has the functions, `pyconv.nn.grad` the gradients of each with respect to
each of its arrays; layers keep weights, and call both.
"""

from pyconv.nn import functional, grad, init, models
from pyconv.nn.containers import Residual, Sequential
from pyconv.nn.convolution_layers import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from pyconv.nn.criteria import Criterion, CrossEntropyLoss, MSELoss, accuracy
from pyconv.nn.dense_layers import Flatten, Linear, ReLU
from pyconv.nn.fitting import History, evaluate, fit
from pyconv.nn.layer import Layer
from pyconv.nn.optimisers import SGD, Adam, Optimizer
from pyconv.nn.parameter import Parameter
from pyconv.nn.pooling_layers import (
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
)

__all__ = [
    "SGD",
    "Adam",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Criterion",
    "CrossEntropyLoss",
    "Flatten",
    "History",
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
    "accuracy",
    "evaluate",
    "fit",
    "functional",
    "grad",
    "init",
    "models",
]
