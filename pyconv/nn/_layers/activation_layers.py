"""Layers that act on each sample by itself, y = f(x), and on the shares of an axis; dropout.

Each keeps what its gradient is simplest in: of f(x) = tanh x the result, for f' = 1 − f².
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.output_arrays import plain_array
from pyconv.nn import init
from pyconv.nn._functions import activations, arguments
from pyconv.nn._layers.layer import Array, Layer


class _Elementwise(Layer):
    """What layers share whose results have the shape of the input."""

    #: Operations for each sample, as tables of models count them.
    cost = 4

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the result, which is that of the input."""
        return input_shape

    def flops(self, input_shape: tuple[int, ...]) -> int:
        """Return a few operations for each sample."""
        return self.cost * math.prod(input_shape)


def _given(input: npt.ArrayLike) -> tuple[Array, np.dtype]:
    """Return samples in what they are computed in, and the dtype of the result."""
    x = arguments.array(input, "input")
    return x.astype(arguments.computed_in(x.dtype), copy=False), x.dtype


def _error(grad_output: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    """Return the gradient with respect to a result of a shape."""
    dy = arguments.array(grad_output, "grad_output")
    arguments.check_shape(dy, shape, "grad_output", "as the result")
    return dy


class Sigmoid(_Elementwise):
    """Samples become numbers between 0 and 1, y = 1 / (1 + exp(−x)).

    Examples
    --------
    >>> from pyconv import nn
    >>> nn.Sigmoid()([0.0, 1000.0])
    array([0.5, 1. ])
    """

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return 1 / (1 + exp(−x))."""
        from scipy.special import expit

        x, dtype = _given(input)
        y: Array = arguments.narrowed(np.asarray(expit(x)), dtype)
        self.keep(y)
        return y

    def backward(self, grad_output: npt.ArrayLike, *, input_gradient: bool = True) -> Any:
        """Return dy · y (1 − y)."""
        y = self.kept()
        dy = _error(grad_output, y.shape)
        return dy * (y * (1 - y)) if input_gradient else None


class Tanh(_Elementwise):
    """Samples become numbers between −1 and 1, y = tanh x.

    Examples
    --------
    >>> from pyconv import nn
    >>> nn.Tanh()([0.0, 1000.0])
    array([0., 1.])
    """

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return tanh x."""
        x, dtype = _given(input)
        y: Array = arguments.narrowed(np.tanh(x), dtype)
        self.keep(y)
        return y

    def backward(self, grad_output: npt.ArrayLike, *, input_gradient: bool = True) -> Any:
        """Return dy · (1 − y²)."""
        y = self.kept()
        dy = _error(grad_output, y.shape)
        return dy * (1 - y * y) if input_gradient else None


#: √(2/π) and the factor of x³ in Hendrycks and Gimpel's approximation.
TANH_SCALE, TANH_CUBE = math.sqrt(2 / math.pi), 0.044715


class GELU(_Elementwise):
    r"""Samples weighed by the probability that a standard normal number is less, y = x Φ(x).

    Parameters
    ----------
    approximate : {'none', 'tanh'}, optional
        Whether Φ is the normal distribution, or
        :math:`(1 + \tanh(\sqrt{2/\pi}\,(x + 0.044715\,x^3)))/2`.

    References
    ----------
    D. Hendrycks, K. Gimpel: Gaussian error linear units. arXiv:1606.08415, 2016.

    Examples
    --------
    >>> from pyconv import nn
    >>> nn.GELU()([-100.0, 0.0, 1.0]).round(4)
    array([-0.    ,  0.    ,  0.8413])
    """

    cost = 8

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise ValueError(f"approximate={approximate!r}; allowed are 'none' and 'tanh'")
        self.approximate = approximate

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return x Φ(x)."""
        x, dtype = _given(input)
        self.keep(x)
        return arguments.narrowed(x * self._share(x), dtype)

    def _share(self, x: Array) -> Array:
        """Return Φ(x)."""
        if self.approximate == "tanh":
            share: Array = 0.5 * (1 + np.tanh(TANH_SCALE * (x + TANH_CUBE * x**3)))
            return share
        from scipy.special import ndtr

        return np.asarray(ndtr(x))

    def _slope(self, x: Array, share: Array) -> Array:
        """Return Φ'(x)."""
        slope: Array
        if self.approximate == "tanh":
            slope = 2 * share * (1 - share) * (TANH_SCALE * (1 + 3 * TANH_CUBE * x * x))
        else:
            slope = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        return slope

    def backward(self, grad_output: npt.ArrayLike, *, input_gradient: bool = True) -> Any:
        """Return dy · (Φ(x) + x Φ'(x))."""
        x = self.kept()
        dy = _error(grad_output, x.shape)
        if not input_gradient:
            return None
        share = self._share(x)
        return arguments.narrowed(dy * (share + x * self._slope(x, share)), dy.dtype)

    def options(self) -> str:
        """Return the arguments that made the layer."""
        return "approximate='tanh'" if self.approximate == "tanh" else ""


class Softmax(_Elementwise):
    """Shares of exponentials along one axis, which add up to 1.

    A model that is trained with `CrossEntropyLoss` has none: the loss takes the logarithms itself.

    Parameters
    ----------
    dim : int
        The axis.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> nn.Softmax(dim=1)(np.log([[1.0, 3.0]])).round(2)
    array([[0.25, 0.75]])
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return exp(x) / Σ exp(x) along the axis."""
        x, dtype = _given(input)
        axis = arguments.axis(self.dim, x.ndim, "dim")
        y = np.exp(activations.log_shares(x.copy(), axis))
        self.keep(y, axis)
        return arguments.narrowed(y, dtype)

    def backward(self, grad_output: npt.ArrayLike, *, input_gradient: bool = True) -> Any:
        """Return y · (dy − Σ y dy)."""
        y, axis = self.kept()
        dy = _error(grad_output, y.shape)
        if not input_gradient:
            return None
        return arguments.narrowed(y * (dy - (y * dy).sum(axis, keepdims=True)), dy.dtype)

    def window(self) -> None:
        """Return None: a result sees the whole axis."""
        return

    def options(self) -> str:
        """Return the arguments that made the layer."""
        return f"dim={self.dim}"


class Dropout(_Elementwise):
    """In training some samples are replaced by zero, and the others grow to keep the mean.

    In evaluation nothing happens.

    Parameters
    ----------
    p : float, optional
        Probability that a sample is replaced.
    rng : Generator or int, optional
        What draws them, or its seed.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> layer = nn.Dropout(0.5, rng=0)
    >>> layer(np.ones(6))
    array([2., 0., 0., 0., 2., 2.])
    >>> layer.eval()(np.ones(6))
    array([1., 1., 1., 1., 1., 1.])
    """

    cost = 1

    def __init__(self, p: float = 0.5, *, rng: init.Seed = None) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"p={p!r}; a number from 0 to 1 is allowed")
        self.p = float(p)
        self.rng = init.generator(rng)

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return the samples that stay, divided by 1 − p; in evaluation all of them."""
        x = arguments.array(input, "input")
        if not self.training:
            return plain_array(x, "input")
        kept = self.rng.random(x.shape) >= self.p
        factors = np.where(kept, 1 / (1 - self.p) if self.p < 1 else 0.0, 0.0).astype(x.dtype)
        self.keep(factors)
        return x * factors

    def backward(self, grad_output: npt.ArrayLike, *, input_gradient: bool = True) -> Any:
        """Return dy of the samples that stayed, divided by 1 − p."""
        factors = self.kept()
        dy = _error(grad_output, factors.shape)
        return dy * factors if input_gradient else None

    def options(self) -> str:
        """Return the arguments that made the layer."""
        return f"p={self.p:g}"


class Identity(_Elementwise):
    """Nothing happens: `fuse` puts it where a batch normalisation was.

    Examples
    --------
    >>> from pyconv import nn
    >>> nn.Identity()([1.0, 2.0])
    array([1., 2.])
    """

    cost = 0

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return the input."""
        x = plain_array(input, "input")
        self.keep(x.shape)
        return x

    def backward(self, grad_output: npt.ArrayLike, *, input_gradient: bool = True) -> Any:
        """Return dy."""
        dy = plain_array(grad_output, "grad_output")
        arguments.check_shape(dy, self.kept(), "grad_output", "as the result")
        return dy if input_gradient else None
