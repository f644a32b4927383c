"""Batch normalisation, y = γ (x − μ) / √(σ² + ε) + β for each channel, and `fuse`.

In training μ and σ² are those of the batch, in evaluation those that training has averaged. In
evaluation the layer is a factor and a term for each channel, which `fuse` folds into the
convolution before it.
"""

from __future__ import annotations

import copy
import math
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from pyconv._engine.problem import flag, integer
from pyconv.nn._layers.activation_layers import Identity
from pyconv.nn._layers.convolution_layers import _Conv
from pyconv.nn._layers.layer import Array, Layer, numbers
from pyconv.nn._layers.parameter import Buffer, Parameter, checked_dtype

Model = TypeVar("Model", bound=Layer)


class _BatchNorm(Layer):
    """What batch normalisations share; they differ in the shapes that they take."""

    #: Numbers of axes that an input may have.
    _allowed: tuple[int, ...]
    _shapes: str
    #: A count of torch's, which only an average without momentum needs.
    ignored_state = ("num_batches_tracked",)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        *,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        super().__init__()
        self.num_features = integer(num_features, "num_features")
        if self.num_features < 1:
            raise ValueError(f"num_features={num_features}; an integer of at least 1 is allowed")
        for name, value, most in (("eps", eps, math.inf), ("momentum", momentum, 1)):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise TypeError(f"{name}={value!r}; a number is allowed")
            if not 0 <= value <= most:
                raise ValueError(f"{name}={value!r}; a number from 0 to {most} is allowed")
        self.eps, self.momentum = float(eps), float(momentum)
        kind = checked_dtype(dtype)
        self.weight = self.bias = None
        if flag(affine, "affine"):
            self.weight = Parameter(np.ones(self.num_features, kind))
            self.bias = Parameter(np.zeros(self.num_features, kind))
        self.running_mean = Buffer(np.zeros(self.num_features, kind))
        self.running_var = Buffer(np.ones(self.num_features, kind))

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return the normalised samples; in training the averages move towards the batch's.

        Parameters
        ----------
        input : array_like
            Shape (N, C, …); converted to the dtype of the weights.

        Returns
        -------
        ndarray
            The result, in the shape of the input.
        """
        x = numbers(input, self.running_mean.dtype, "input")
        self._check(x.shape)
        if not self.training:
            factor, term = (
                self._spread(a.astype(x.dtype), x.ndim) for a in self._factor_and_term()
            )
            y: Array = x * factor
            y += term
            return y
        axes = self._axes(x.ndim)
        count = x.size // self.num_features
        if count < 2:
            raise ValueError(
                f"input has shape {x.shape}: one sample for each channel has no variance; train "
                "with larger batches, or call eval()"
            )
        mean = x.mean(axes, dtype=np.float64)
        centred = x - self._spread(mean, x.ndim).astype(x.dtype)
        # The rounding of the mean is taken back.
        variance = np.square(centred, dtype=np.float64).mean(axes) - (
            centred.mean(axes, dtype=np.float64) ** 2
        )
        self._average(self.running_mean, mean)
        self._average(self.running_var, variance * (count / (count - 1)))
        inverse = 1 / np.sqrt(variance + self.eps)
        centred *= self._spread(inverse, x.ndim).astype(x.dtype)
        self.keep(centred, inverse)
        if self.weight is None or self.bias is None:
            return centred.copy()
        y = centred * self._spread(self.weight.data, x.ndim)
        y += self._spread(self.bias.data, x.ndim)
        return y

    def backward(self, grad_output: npt.ArrayLike, *, input_gradient: bool = True) -> Any:
        """Add to the gradients of γ and β; return the one with respect to the input.

        Parameters
        ----------
        grad_output : array_like
            Gradient with respect to the result of the last call of `forward`.
        input_gradient : bool, optional
            Whether the gradient with respect to the input is computed.

        Returns
        -------
        ndarray or None
            That gradient, if asked for.
        """
        normal, inverse = self.kept()
        dy = numbers(grad_output, normal.dtype, "grad_output")
        if dy.shape != normal.shape:
            raise ValueError(f"grad_output has shape {dy.shape}; the result has {normal.shape}")
        axes, count = self._axes(dy.ndim), dy.size // self.num_features
        total = dy.sum(axes, dtype=np.float64)
        along = np.multiply(dy, normal, dtype=np.float64).sum(axes)
        if self.weight is not None and self.bias is not None:
            self.weight.add_gradient(along.astype(self.weight.dtype))
            self.bias.add_gradient(total.astype(self.bias.dtype))
            inverse = inverse * self.weight.data
        if not input_gradient:
            return None
        means = (self._spread(a / count, dy.ndim).astype(dy.dtype) for a in (total, along))
        mean, slope = means
        return (dy - mean - normal * slope) * self._spread(inverse, dy.ndim).astype(dy.dtype)

    def _factor_and_term(self) -> tuple[Array, Array]:
        """Return what evaluation multiplies each channel by, and what it adds, in double."""
        factor: Array = 1 / np.sqrt(self.running_var.data.astype(np.float64) + self.eps)
        if self.weight is not None:
            factor = factor * self.weight.data
        term: Array = -self.running_mean.data.astype(np.float64) * factor
        return factor, term if self.bias is None else term + self.bias.data

    def _average(self, buffer: Buffer, found: Array) -> None:
        buffer.data = (1 - self.momentum) * buffer.data + self.momentum * found

    def _axes(self, ndim: int) -> tuple[int, ...]:
        return (0, *range(2, ndim))

    def _spread(self, a: Array, ndim: int) -> Array:
        return a.reshape(-1, *[1] * (ndim - 2))

    def _check(self, shape: tuple[int, ...]) -> None:
        if len(shape) not in self._allowed or shape[1] != self.num_features:
            raise ValueError(
                f"input has shape {shape}: {self._shapes.format(self.num_features)} is allowed"
            )

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the result, which is that of the input."""
        self._check(input_shape)
        return input_shape

    def flops(self, input_shape: tuple[int, ...]) -> int:
        """Return a product and an addition for each sample."""
        return 2 * math.prod(input_shape)

    def options(self) -> str:
        """Return the arguments that made the layer."""
        words = [str(self.num_features)]
        words += [f"eps={self.eps:g}"] if self.eps != 1e-5 else []
        words += [f"momentum={self.momentum:g}"] if self.momentum != 0.1 else []
        return ", ".join(words + ([] if self.weight is not None else ["affine=False"]))


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of the channels of signals, (N, C) or (N, C, L).

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float, optional
        What is added to the variance.
    momentum : float, optional
        The part of a batch in the averages that evaluation uses.
    affine : bool, optional
        Whether each channel has a factor and a term that are learned.
    dtype : {float32, float64}, optional
        Dtype of the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> nn.BatchNorm1d(1)([[1.0], [3.0]]).round(3)
    array([[-1.],
           [ 1.]], dtype=float32)
    """

    _allowed = (2, 3)
    _shapes = "(N, {0}) or (N, {0}, L)"


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of the channels of images, (N, C, H, W).

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float, optional
        What is added to the variance.
    momentum : float, optional
        The part of a batch in the averages that evaluation uses.
    affine : bool, optional
        Whether each channel has a factor and a term that are learned.
    dtype : {float32, float64}, optional
        Dtype of the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> layer = nn.BatchNorm2d(3)
    >>> y = layer(np.random.default_rng(0).normal(5, 2, (8, 3, 10, 10)))
    >>> bool(abs(y.mean()) < 1e-6), bool(abs(y.std() - 1) < 1e-4)
    (True, True)
    >>> list(layer.state_dict())
    ['weight', 'bias', 'running_mean', 'running_var']
    """

    _allowed = (4,)
    _shapes = "(N, {0}, H, W)"


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of the channels of volumes, (N, C, D, H, W).

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float, optional
        What is added to the variance.
    momentum : float, optional
        The part of a batch in the averages that evaluation uses.
    affine : bool, optional
        Whether each channel has a factor and a term that are learned.
    dtype : {float32, float64}, optional
        Dtype of the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> nn.BatchNorm3d(2).eval()(np.ones((1, 2, 3, 3, 3))).shape
    (1, 2, 3, 3, 3)
    """

    _allowed = (5,)
    _shapes = "(N, {0}, D, H, W)"


def fuse(model: Model) -> Model:
    """Fold each batch normalisation into the convolution before it.

    Parameters
    ----------
    model : Layer
        The model, which is left as it is.

    Returns
    -------
    Layer
        A copy for evaluation. An `Identity` stands where a batch normalisation was, so that the
        other layers keep their names. Outputs are those of `model` in evaluation, but for rounding.

    Notes
    -----
    A batch normalisation is folded if it follows directly in a `Sequential`, or where a layer's
    `pairs` names both. Those behind transposed convolutions stay.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3, rng=0), nn.BatchNorm2d(4), nn.ReLU())
    >>> fused = nn.fuse(model)
    >>> fused
    Sequential(
      (0) Conv2d(1, 4, kernel_size=(3, 3)): weight (4, 1, 3, 3), bias (4,), 40 parameters
      (1) Identity()
      (2) ReLU()
    ): 40 parameters
    >>> x = np.random.default_rng(0).normal(size=(2, 1, 8, 8))
    >>> bool(np.allclose(fused(x), model.eval()(x), atol=1e-5))
    True
    """
    if not isinstance(model, Layer):
        raise TypeError(f"model is a {type(model).__name__}; a layer is allowed")
    made = copy.deepcopy(model).eval()
    for layer in list(made.layers()):
        children = layer.children()
        for first, second in layer.pairs():
            before, norm = children[first], children[second]
            if not (isinstance(before, _Conv) and isinstance(norm, _BatchNorm)):
                continue
            if before.out_channels == norm.num_features:
                _fold(before, norm)
                layer.replace_child(second, Identity().eval())
    return made


def _fold(layer: _Conv, norm: _BatchNorm) -> None:
    factor, term = norm._factor_and_term()
    kind = layer.weight.dtype
    spread = factor.reshape(-1, *[1] * (len(layer.weight.shape) - 1))
    layer.weight.replace((layer.weight.data * spread).astype(kind))
    bias = term if layer.bias is None else layer.bias.data * factor + term
    layer.bias = Parameter(bias.astype(kind))
    layer.bias.freeze()
