"""Layers without windows: y = x · wᵀ + b, max(x, 0), and arrays laid out in rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.output_arrays import plain_array
from pyconv._engine.problem import flag, integer
from pyconv.nn import functional, grad, init
from pyconv.nn._functions import activations, arguments
from pyconv.nn._layers.layer import Array, Layer, numbers
from pyconv.nn._layers.parameter import Parameter


class Linear(Layer):
    """A full connection: each result is a weighted sum of all inputs.

    Parameters
    ----------
    in_features, out_features : int
        Lengths C of the last axis of the input, and K of that of the result.
    bias : bool, optional
        Whether a number for each result, at first 0, is added to it.
    rng : Generator or int, optional
        What draws the first weights (`init.he_normal`), or its seed.
    dtype : {float32, float64}, optional
        Dtype of the weights, which inputs are converted to.

    Attributes
    ----------
    weight : Parameter
        Shape (K, C).
    bias : Parameter or None
        Shape (K,).

    Examples
    --------
    >>> from pyconv import nn
    >>> layer = nn.Linear(2, 3, rng=0)
    >>> layer.weight.data = [[1, 0], [0, 1], [1, 1]]
    >>> layer([10, 20])
    array([10., 20., 30.], dtype=float32)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rng: init.Seed = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        super().__init__()
        self.in_features = integer(in_features, "in_features")
        self.out_features = integer(out_features, "out_features")
        if min(self.in_features, self.out_features) < 1:
            raise ValueError(
                f"in_features={in_features}, out_features={out_features}: "
                "integers of at least 1 are allowed"
            )
        shape = (self.out_features, self.in_features)
        self.weight = Parameter(init.he_normal(shape, rng=rng, dtype=dtype))
        biased = flag(bias, "bias")
        self.bias = Parameter(np.zeros(out_features, self.weight.dtype)) if biased else None

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return x · wᵀ + b."""
        x = numbers(input, self.weight.dtype, "input")
        self.keep(x)
        return functional.linear(x, self.weight.data, None if self.bias is None else self.bias.data)

    def backward(self, grad_output: npt.ArrayLike, *, input_gradient: bool = True) -> Any:
        """Add dyᵀ · x to the gradient of the weights; return dy · w."""
        x, w = self.kept(), self.weight
        dy = numbers(grad_output, w.dtype, "grad_output")
        w.add_gradient(grad.linear_weight(x, w.shape, dy))
        if self.bias is not None:
            self.bias.add_gradient(grad.linear_bias(dy))
        return grad.linear_input(x.shape, w.data, dy) if input_gradient else None

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the result for an input of this shape."""
        if input_shape[-1:] != (self.in_features,):
            raise ValueError(
                f"input_shape={input_shape} and weight {self.weight.shape} do not fit: "
                f"(…, {self.in_features}) is allowed"
            )
        return (*input_shape[:-1], self.out_features)

    def flops(self, input_shape: tuple[int, ...]) -> int:
        """Return the additions and products of the definition."""
        return 2 * self.in_features * math.prod(self.output_shape(input_shape))

    def window(self) -> None:
        """Return None: a result reads everything."""

    def options(self) -> str:
        """Return the arguments that made the layer."""
        without = "" if self.bias is not None else ", bias=False"
        return f"{self.in_features}, {self.out_features}{without}"


class ReLU(Layer):
    """Negative samples become zero.

    Parameters
    ----------
    inplace : bool, optional
        Overwrite the input, where it is writeable and contiguous: good behind a layer that makes
        its result and does not need it again, as convolutions, pools and full connections do.

    Examples
    --------
    >>> from pyconv import nn
    >>> nn.ReLU()([-1.0, 2.0])
    array([0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = flag(inplace, "inplace")

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return max(x, 0)."""
        if self.inplace and isinstance(input, np.ndarray):
            y = activations.relu_in_place(input)
        else:
            y = functional.relu(input)
        self.keep(y)
        return y

    def backward(self, grad_output: npt.ArrayLike, *, input_gradient: bool = True) -> Any:
        """Return dy where the result was positive, and 0 elsewhere."""
        y = self.kept()
        return grad.relu_input(y, grad_output) if input_gradient else None

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the result, which is that of the input."""
        return input_shape

    def flops(self, input_shape: tuple[int, ...]) -> int:
        """Return one comparison for each sample."""
        return math.prod(input_shape)

    def options(self) -> str:
        """Return the arguments that made the layer."""
        return "inplace=True" if self.inplace else ""


class Flatten(Layer):
    """Some axes laid out as one, by default all but the first.

    Parameters
    ----------
    start_dim, end_dim : int, optional
        The first and the last of them.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> nn.Flatten()(np.ones((8, 16, 5, 5))).shape
    (8, 400)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return the same samples in another shape."""
        x = plain_array(input, "input")
        self.keep(x.shape)
        return x.reshape(self.output_shape(x.shape))

    def backward(self, grad_output: npt.ArrayLike, *, input_gradient: bool = True) -> Any:
        """Return dy in the shape of the input."""
        size = self.kept()
        dy = plain_array(grad_output, "grad_output")
        expected = self.output_shape(size)
        arguments.check_shape(dy, expected, "grad_output", f"with an input of shape {size}")
        return dy.reshape(size) if input_gradient else None

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the result for an input of this shape."""
        ndim = len(input_shape)
        first = arguments.axis(self.start_dim, ndim, "start_dim")
        last = arguments.axis(self.end_dim, ndim, "end_dim")
        if first > last:
            raise ValueError(
                f"start_dim={self.start_dim} comes after end_dim={self.end_dim} "
                f"of an input of shape {input_shape}"
            )
        size = int(np.prod(input_shape[first : last + 1], dtype=np.int64))
        return (*input_shape[:first], size, *input_shape[last + 1 :])

    def options(self) -> str:
        """Return the arguments that made the layer."""
        default = (self.start_dim, self.end_dim) == (1, -1)
        return "" if default else f"{self.start_dim}, {self.end_dim}"
