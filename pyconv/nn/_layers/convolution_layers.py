"""Convolution layers that learn, y[k] = b[k] + Σ_c x[c] ⋆ w[k, c], and their transposes.

The gradient for a weight correlates what it read with the error map; the gradient for the input
spreads the error map by the same kernels. Both are functions of `pyconv.nn.grad`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv import arithmetic
from pyconv._engine.layer_problem import paddings, positive
from pyconv._engine.problem import flag, integer, integers
from pyconv.nn import functional, grad, init
from pyconv.nn._functions.arguments import SPATIAL_NAMES
from pyconv.nn._layers.layer import Array, Layer, numbers
from pyconv.nn._layers.parameter import Parameter

Numbers = int | Sequence[int]
Padding = str | int | Sequence[int] | Sequence[tuple[int, int]]


class _Windows(Layer):
    """What convolutions and their transposes share: weights, a bias, and three gradients."""

    #: The number of spatial axes, and the functions of the layer.
    n: int
    transposed = False
    apply: Callable[..., Array]
    by_input: Callable[..., Array]
    by_weight: Callable[..., Array]
    by_bias: Callable[..., Array]

    def __init__(
        self,
        channels: tuple[int, int],
        kernel_size: Numbers,
        groups: int,
        bias: bool,
        keywords: dict[str, Any],
        rng: init.Seed,
        dtype: npt.DTypeLike,
    ) -> None:
        super().__init__()
        biased = flag(bias, "bias")
        self.in_channels, self.out_channels = channels
        self.kernel_size = integers(kernel_size, self.n, "kernel_size")
        self.groups = groups
        self.keywords = {**keywords, "groups": groups}
        _check_counts(channels, self.kernel_size, groups)
        shape = (*self._weight_channels(), *self.kernel_size)
        fan_in = channels[0] // groups * math.prod(self.kernel_size)
        self.weight = Parameter(init.he_normal(shape, fan_in=fan_in, rng=rng, dtype=dtype))
        self.bias = Parameter(np.zeros(self.out_channels, self.weight.dtype)) if biased else None

    def _weight_channels(self) -> tuple[int, int]:
        """Return the first two lengths of the weights."""
        return self.out_channels, self.in_channels // self.groups

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return the layer's result for an input.

        Parameters
        ----------
        input : array_like
            Shape (N, C, spatial…) or (C, spatial…); converted to the dtype of the weights.

        Returns
        -------
        ndarray
            Shape (N, K, spatial…) or (K, spatial…).
        """
        x = numbers(input, self.weight.dtype, "input")
        self.keep(x)
        return self.apply(x, self.weight.data, self._bias(), **self.keywords)

    def _bias(self) -> Array | None:
        return None if self.bias is None else self.bias.data

    def backward(self, grad_output: npt.ArrayLike, *, input_gradient: bool = True) -> Any:
        """Add to the gradients of weight and bias; return the one with respect to the input.

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
        x, w = self.kept(), self.weight
        dy = numbers(grad_output, w.dtype, "grad_output")
        w.add_gradient(self.by_weight(x, w.shape, dy, **self.keywords))
        if self.bias is not None:
            self.bias.add_gradient(self.by_bias(dy))
        return self.by_input(x.shape, w.data, dy, **self.keywords) if input_gradient else None

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the result for an input of this shape."""
        self._check_channels(input_shape)
        keywords = {k: v for k, v in self.keywords.items() if k in GEOMETRY}
        sizes = arithmetic.output_shape(
            input_shape[-self.n :], self.kernel_size, transposed=self.transposed, **keywords
        )
        return (*input_shape[: -self.n - 1], self.out_channels, *sizes)

    def flops(self, input_shape: tuple[int, ...]) -> int:
        """Return the additions and products of the definition."""
        self._check_channels(input_shape)
        keywords = {k: v for k, v in self.keywords.items() if k in (*GEOMETRY, "groups")}
        one = arithmetic.flop_count(
            input_shape[-self.n :],
            self.in_channels,
            self.out_channels,
            self.kernel_size,
            transposed=self.transposed,
            **keywords,
        )
        return math.prod(input_shape[: -self.n - 1]) * one

    def _check_channels(self, input_shape: tuple[int, ...]) -> None:
        n = self.n
        if len(input_shape) not in (n + 1, n + 2) or input_shape[-n - 1] != self.in_channels:
            raise ValueError(
                f"input_shape={input_shape} and weight {self.weight.shape} do not fit: "
                f"(N, {self.in_channels}, {SPATIAL_NAMES[n]}) is allowed"
            )

    def window(self) -> dict[str, Any] | None:
        """Return kernel, stride and dilation; a transpose has no stride that counts input."""
        words = {w: self.keywords[w] for w in ("stride", "dilation")}
        return None if self.transposed else {"kernel": self.kernel_size, **words}

    def first_seen(self, position: tuple[int, ...]) -> tuple[int, ...]:
        """Return the first sample, perhaps of the padding, that the result at a position reads."""
        if self.transposed:
            raise ValueError(f"{self.options()}: a transpose has no windows in its input")
        strides, dilations = (positive(self.keywords[w], self.n, w) for w in ("stride", "dilation"))
        spans = [(k - 1) * d + 1 for k, d in zip(self.kernel_size, dilations, strict=True)]
        pads = paddings(self.keywords["padding"], spans, strides)
        return tuple(p * s - low for p, s, (low, _) in zip(position, strides, pads, strict=True))

    def options(self) -> str:
        """Return the arguments that made the layer."""
        words = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"]
        words += [f"{n}={v!r}" for n, v in self.keywords.items() if v != DEFAULTS[n]]
        return ", ".join(words + ([] if self.bias is not None else ["bias=False"]))


class _Conv(_Windows):
    """A convolution: in evaluation its weights stay packed for the shape of the last input."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Numbers,
        stride: Numbers = 1,
        padding: Padding = 0,
        dilation: Numbers = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        rng: init.Seed = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        keywords = {
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "padding_mode": padding_mode,
        }
        channels = in_channels, out_channels
        super().__init__(channels, kernel_size, groups, bias, keywords, rng, dtype)
        self._packed: _Packed | None = None

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return the layer's result for an input, as `_Windows` says."""
        if self.training:
            return super().forward(input)
        x = numbers(input, self.weight.dtype, "input")
        if x.ndim != self.n + 2 or not x.size:
            return super().forward(x)
        packed = self._packed
        if packed is None or not packed.serves(x, self):
            self._packed = packed = _Packed(x, self)
        return packed.plan(x)

    forward.__doc__ = _Windows.forward.__doc__

    def _forget(self) -> None:
        super()._forget()
        self._packed = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is packed, in copies and pickles."""
        return super().__getstate__() | {"_packed": None}


class _Packed:
    """A plan, and the shape and weights that it was made for."""

    __slots__ = ("bias", "plan", "shape", "weight")

    def __init__(self, x: Array, layer: _Conv) -> None:
        self.shape, self.weight, self.bias = x.shape, layer.weight.data, layer._bias()
        self.plan = functional.plan_conv(x.shape, self.weight, self.bias, **layer.keywords)

    def serves(self, x: Array, layer: _Conv) -> bool:
        """Return whether shape and weights are still those; frozen weights change no value."""
        return (
            self.shape == x.shape
            and self.weight is layer.weight.data
            and self.bias is layer._bias()
        )


class _ConvTranspose(_Windows):
    """The transpose of a convolution: weights (C, K / groups, kernel…)."""

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Numbers,
        stride: Numbers = 1,
        padding: Padding = 0,
        output_padding: Numbers = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Numbers = 1,
        *,
        rng: init.Seed = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        keywords = {
            "stride": stride,
            "padding": padding,
            "output_padding": output_padding,
            "dilation": dilation,
        }
        channels = in_channels, out_channels
        super().__init__(channels, kernel_size, groups, bias, keywords, rng, dtype)

    def _weight_channels(self) -> tuple[int, int]:
        return self.in_channels, self.out_channels // self.groups


#: The options that shapes depend on.
GEOMETRY = ("stride", "padding", "dilation", "output_padding")
#: What `repr` leaves out.
DEFAULTS: dict[str, Any] = {
    "stride": 1,
    "padding": 0,
    "output_padding": 0,
    "dilation": 1,
    "groups": 1,
    "padding_mode": "zeros",
}


def _check_counts(channels: tuple[int, int], kernel_size: tuple[int, ...], groups: int) -> None:
    names = ("in_channels", "out_channels")
    numbers = (integer(c, name) for c, name in zip(channels, names, strict=True))
    counts = *numbers, *kernel_size, integer(groups, "groups")
    if min(counts) < 1:
        raise ValueError(
            f"in_channels, out_channels={channels}, kernel_size={kernel_size}, groups={groups}: "
            "integers of at least 1 are allowed"
        )
    if any(c % groups for c in channels):
        raise ValueError(
            f"in_channels, out_channels={channels}: groups={groups} does not divide them"
        )


class Conv1d(_Conv):
    """A bank of kernels over the channels of signals, (N, C, L) or (C, L).

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
        As for `Conv2d`.
    rng, dtype
        As for `Conv2d`.

    See Also
    --------
    pyconv.nn.functional.conv1d : the function.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> layer = nn.Conv1d(2, 8, 3, padding=1, rng=0)
    >>> layer(np.ones((4, 2, 16))).shape
    (4, 8, 16)
    """

    n = 1
    apply = staticmethod(functional.conv1d)
    by_input = staticmethod(grad.conv1d_input)
    by_weight = staticmethod(grad.conv1d_weight)
    by_bias = staticmethod(grad.conv1d_bias)


class Conv2d(_Conv):
    """A bank of kernels over the channels of images, (N, C, H, W) or (C, H, W).

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the input, C, and of the result, K.
    kernel_size : int or tuple of int
        Samples of the kernels along each spatial axis.
    stride, padding, dilation, groups, padding_mode
        As for `functional.conv2d`.
    bias : bool, optional
        Whether a number for each channel, at first 0, is added to the result.
    rng : Generator or int, optional
        What draws the first weights (`init.he_normal`), or its seed.
    dtype : {float32, float64}, optional
        Dtype of the weights, which inputs are converted to.

    Attributes
    ----------
    weight : Parameter
        Shape (K, C / groups, kernel…).
    bias : Parameter or None
        Shape (K,).

    See Also
    --------
    pyconv.nn.functional.conv2d : the function.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> layer = nn.Conv2d(1, 6, 5, rng=0)
    >>> layer
    Conv2d(1, 6, kernel_size=(5, 5)): weight (6, 1, 5, 5), bias (6,), 156 parameters
    >>> x = np.ones((2, 1, 32, 32), np.float32)
    >>> y = layer(x)
    >>> y.shape
    (2, 6, 28, 28)
    >>> dx = layer.backward(np.ones_like(y))
    >>> dx.shape, layer.weight.grad.shape
    ((2, 1, 32, 32), (6, 1, 5, 5))
    """

    n = 2
    apply = staticmethod(functional.conv2d)
    by_input = staticmethod(grad.conv2d_input)
    by_weight = staticmethod(grad.conv2d_weight)
    by_bias = staticmethod(grad.conv2d_bias)


class Conv3d(_Conv):
    """A bank of kernels over the channels of volumes, (N, C, D, H, W) or (C, D, H, W).

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
        As for `Conv2d`.
    rng, dtype
        As for `Conv2d`.

    See Also
    --------
    pyconv.nn.functional.conv3d : the function.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> layer = nn.Conv3d(1, 4, (1, 3, 3), rng=0)
    >>> layer(np.ones((1, 5, 8, 8))).shape
    (4, 5, 6, 6)
    """

    n = 3
    apply = staticmethod(functional.conv3d)
    by_input = staticmethod(grad.conv3d_input)
    by_weight = staticmethod(grad.conv3d_weight)
    by_bias = staticmethod(grad.conv3d_bias)


class ConvTranspose1d(_ConvTranspose):
    """The transpose of `Conv1d`: each sample adds a scaled kernel, (N, C, L) or (C, L).

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation
        As for `ConvTranspose2d`.
    rng, dtype
        As for `Conv2d`.

    See Also
    --------
    pyconv.nn.functional.conv_transpose1d : the function.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> nn.ConvTranspose1d(8, 2, 4, stride=2, padding=1, rng=0)(np.ones((8, 16))).shape
    (2, 32)
    """

    n = 1
    apply = staticmethod(functional.conv_transpose1d)
    by_input = staticmethod(grad.conv_transpose1d_input)
    by_weight = staticmethod(grad.conv_transpose1d_weight)
    by_bias = staticmethod(grad.conv_transpose1d_bias)


class ConvTranspose2d(_ConvTranspose):
    """The transpose of `Conv2d`: each sample adds a scaled kernel, (N, C, H, W) or (C, H, W).

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the input, C, and of the result, K.
    kernel_size : int or tuple of int
        Samples of the kernels along each spatial axis.
    stride, padding, output_padding, groups, dilation
        As for `functional.conv_transpose2d`.
    bias, rng, dtype
        As for `Conv2d`.

    Attributes
    ----------
    weight : Parameter
        Shape (C, K / groups, kernel…).
    bias : Parameter or None
        Shape (K,).

    See Also
    --------
    pyconv.nn.functional.conv_transpose2d : the function.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> layer = nn.ConvTranspose2d(8, 2, 4, stride=2, padding=1, rng=0)
    >>> layer(np.ones((1, 8, 7, 7))).shape
    (1, 2, 14, 14)
    >>> layer.weight.shape
    (8, 2, 4, 4)
    """

    n = 2
    apply = staticmethod(functional.conv_transpose2d)
    by_input = staticmethod(grad.conv_transpose2d_input)
    by_weight = staticmethod(grad.conv_transpose2d_weight)
    by_bias = staticmethod(grad.conv_transpose2d_bias)


class ConvTranspose3d(_ConvTranspose):
    """The transpose of `Conv3d`: each sample adds a scaled kernel, (N, C, D, H, W) or (C, D, H, W).

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation
        As for `ConvTranspose2d`.
    rng, dtype
        As for `Conv2d`.

    See Also
    --------
    pyconv.nn.functional.conv_transpose3d : the function.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> nn.ConvTranspose3d(1, 1, 2, stride=2, rng=0)(np.ones((1, 3, 4, 5))).shape
    (1, 6, 8, 10)
    """

    n = 3
    apply = staticmethod(functional.conv_transpose3d)
    by_input = staticmethod(grad.conv_transpose3d_input)
    by_weight = staticmethod(grad.conv_transpose3d_weight)
    by_bias = staticmethod(grad.conv_transpose3d_bias)
