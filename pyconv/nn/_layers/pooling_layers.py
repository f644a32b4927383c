"""Pools as layers: the largest sample, or the average, of each window. Nothing is learned.

The gradient of a largest sample goes where it was; that of an average is shared among its window.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt

from pyconv import arithmetic
from pyconv._engine.layer_problem import paddings
from pyconv._engine.output_arrays import plain_array
from pyconv._engine.problem import flag, integers
from pyconv.nn import functional, grad
from pyconv.nn._functions.arguments import SPATIAL_NAMES
from pyconv.nn._layers.layer import Array, Layer

Numbers = int | Sequence[int]
Padding = Numbers | Sequence[tuple[int, int]]


#: Options of pools that are true or false.
FLAGS = {"ceil_mode", "count_include_pad", "wide_padding"}


class _Pool(Layer):
    """What pools share: a window, and one function for each direction."""

    n: int
    apply: Callable[..., Any]
    by_input: Callable[..., Array]

    def __init__(
        self,
        kernel_size: Numbers,
        stride: Numbers | None,
        padding: Padding,
        keywords: dict[str, Any],
    ) -> None:
        super().__init__()
        for name in FLAGS & keywords.keys():
            keywords[name] = flag(keywords[name], name)
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride
        self.keywords = {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            **keywords,
        }

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the result for an input of this shape."""
        if len(input_shape) not in (self.n + 1, self.n + 2):
            raise ValueError(
                f"input_shape={input_shape}: (N, C, {SPATIAL_NAMES[self.n]}) is allowed"
            )
        sizes = arithmetic.output_shape(
            input_shape[-self.n :],
            self.kernel_size,
            self.stride,
            self.padding,
            self.keywords.get("dilation", 1),
            ceil_mode=self.keywords["ceil_mode"],
        )
        return (*input_shape[: -self.n], *sizes)

    def flops(self, input_shape: tuple[int, ...]) -> int:
        """Return the additions or comparisons: one for each sample of each window."""
        taps = math.prod(integers(self.kernel_size, self.n, "kernel_size"))
        return taps * math.prod(self.output_shape(input_shape))

    def window(self) -> dict[str, Any]:
        """Return kernel, stride and dilation."""
        return {
            "kernel": self.kernel_size,
            "stride": self.stride,
            "dilation": self.keywords.get("dilation", 1),
        }

    def first_seen(self, position: tuple[int, ...]) -> tuple[int, ...]:
        """Return the first sample, perhaps of the padding, that the result at a position reads."""
        strides = integers(self.stride, self.n, "stride")
        pads = paddings(self.padding, [1] * self.n, strides)
        return tuple(p * s - low for p, s, (low, _) in zip(position, strides, pads, strict=True))

    def options(self) -> str:
        """Return the arguments that made the layer."""
        return ", ".join(f"{n}={v!r}" for n, v in self.keywords.items() if v != DEFAULTS.get(n))


#: What `repr` leaves out.
DEFAULTS: dict[str, Any] = {
    "stride": None,
    "padding": 0,
    "dilation": 1,
    "ceil_mode": False,
    "count_include_pad": True,
    "divisor_override": None,
    "wide_padding": False,
}


class _MaxPool(_Pool):
    def __init__(
        self,
        kernel_size: Numbers,
        stride: Numbers | None = None,
        padding: Padding = 0,
        dilation: Numbers = 1,
        *,  # torch has another argument here
        ceil_mode: bool = False,
        wide_padding: bool = False,
    ) -> None:
        keywords = {"dilation": dilation, "ceil_mode": ceil_mode, "wide_padding": wide_padding}
        super().__init__(kernel_size, stride, padding, keywords)

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return the largest sample of each window."""
        if not self.training:
            return self.apply(input, **self.keywords)
        x = plain_array(input, "input")
        y, indices = self.apply(x, **self.keywords, return_indices=True)
        self.keep(x.shape, indices)
        return y

    def backward(self, grad_output: npt.ArrayLike, *, input_gradient: bool = True) -> Any:
        """Return the gradient with respect to the input: that of each result where it was."""
        size, indices = self.kept()
        return self.by_input(size, indices, grad_output) if input_gradient else None


class _AvgPool(_Pool):
    def __init__(
        self,
        kernel_size: Numbers,
        stride: Numbers | None = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        *,
        wide_padding: bool = False,
    ) -> None:
        keywords = {
            "ceil_mode": ceil_mode,
            "count_include_pad": count_include_pad,
            "divisor_override": divisor_override,
            "wide_padding": wide_padding,
        }
        super().__init__(kernel_size, stride, padding, keywords)

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return the average of each window."""
        x = plain_array(input, "input")
        self.keep(x.shape)
        return self.apply(x, **self.keywords)

    def backward(self, grad_output: npt.ArrayLike, *, input_gradient: bool = True) -> Any:
        """Return the gradient with respect to the input: the transpose of averaging."""
        size = self.kept()
        return self.by_input(size, grad_output, **self.keywords) if input_gradient else None


class MaxPool1d(_MaxPool):
    """The largest sample of each window of signals, (N, C, L) or (C, L).

    Parameters
    ----------
    kernel_size : int or tuple of int
        Samples of a window along each spatial axis.
    stride, padding, dilation, ceil_mode, wide_padding
        As for `functional.max_pool1d`.

    Examples
    --------
    >>> from pyconv import nn
    >>> nn.MaxPool1d(2)([[1.0, 3.0, 5.0, 7.0]])
    array([[3., 7.]])
    """

    n = 1
    apply = staticmethod(functional.max_pool1d)
    by_input = staticmethod(grad.max_pool1d_input)


class MaxPool2d(_MaxPool):
    """The largest sample of each window of images, (N, C, H, W) or (C, H, W).

    Parameters
    ----------
    kernel_size : int or tuple of int
        Samples of a window along each spatial axis.
    stride, padding, dilation, ceil_mode, wide_padding
        As for `functional.max_pool2d`.

    Examples
    --------
    >>> from pyconv import nn
    >>> nn.MaxPool2d(2)([[[1.0, 3.0], [5.0, 7.0]]])
    array([[[7.]]])
    """

    n = 2
    apply = staticmethod(functional.max_pool2d)
    by_input = staticmethod(grad.max_pool2d_input)


class MaxPool3d(_MaxPool):
    """The largest sample of each window of volumes, (N, C, D, H, W) or (C, D, H, W).

    Parameters
    ----------
    kernel_size : int or tuple of int
        Samples of a window along each spatial axis.
    stride, padding, dilation, ceil_mode, wide_padding
        As for `functional.max_pool3d`.

    Examples
    --------
    >>> from pyconv import nn
    >>> nn.MaxPool3d((1, 2, 2))([[[[1.0, 3.0], [5.0, 7.0]]]])
    array([[[[7.]]]])
    """

    n = 3
    apply = staticmethod(functional.max_pool3d)
    by_input = staticmethod(grad.max_pool3d_input)


class AvgPool1d(_AvgPool):
    """The average of each window of signals, (N, C, L) or (C, L).

    Parameters
    ----------
    kernel_size : int or tuple of int
        Samples of a window along each spatial axis.
    stride, padding, ceil_mode, count_include_pad, divisor_override, wide_padding
        As for `functional.avg_pool1d`.

    Examples
    --------
    >>> from pyconv import nn
    >>> nn.AvgPool1d(2)([[1.0, 3.0, 5.0, 7.0]])
    array([[2., 6.]])
    """

    n = 1
    apply = staticmethod(functional.avg_pool1d)
    by_input = staticmethod(grad.avg_pool1d_input)


class AvgPool2d(_AvgPool):
    """The average of each window of images, (N, C, H, W) or (C, H, W).

    Parameters
    ----------
    kernel_size : int or tuple of int
        Samples of a window along each spatial axis.
    stride, padding, ceil_mode, count_include_pad, divisor_override, wide_padding
        As for `functional.avg_pool2d`.

    Examples
    --------
    >>> from pyconv import nn
    >>> nn.AvgPool2d(2)([[[1.0, 3.0], [5.0, 7.0]]])
    array([[[4.]]])
    """

    n = 2
    apply = staticmethod(functional.avg_pool2d)
    by_input = staticmethod(grad.avg_pool2d_input)


class AvgPool3d(_AvgPool):
    """The average of each window of volumes, (N, C, D, H, W) or (C, D, H, W).

    Parameters
    ----------
    kernel_size : int or tuple of int
        Samples of a window along each spatial axis.
    stride, padding, ceil_mode, count_include_pad, divisor_override, wide_padding
        As for `functional.avg_pool3d`.

    Examples
    --------
    >>> from pyconv import nn
    >>> nn.AvgPool3d((1, 2, 2))([[[[1.0, 3.0], [5.0, 7.0]]]])
    array([[[[4.]]]])
    """

    n = 3
    apply = staticmethod(functional.avg_pool3d)
    by_input = staticmethod(grad.avg_pool3d_input)


class _AdaptiveAvgPool(Layer):
    """What adaptive averages share: as many windows as are asked for."""

    n: int
    apply: Callable[..., Array]
    by_input: Callable[..., Array]

    def __init__(self, output_size: int | Sequence[int | None] | None) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return the average of each part."""
        x = plain_array(input, "input")
        self.keep(x.shape)
        return self.apply(x, self.output_size)

    def backward(self, grad_output: npt.ArrayLike, *, input_gradient: bool = True) -> Any:
        """Return the gradient with respect to the input: each part shares that of its average."""
        size = self.kept()
        return self.by_input(size, grad_output) if input_gradient else None

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the result for an input of this shape."""
        if len(input_shape) not in (self.n + 1, self.n + 2):
            raise ValueError(
                f"input_shape={input_shape}: (N, C, {SPATIAL_NAMES[self.n]}) is allowed"
            )
        sizes: Any = self.output_size
        sizes = tuple(sizes) if isinstance(sizes, Sequence) else (sizes,) * self.n
        if len(sizes) != self.n:
            raise ValueError(f"output_size={self.output_size}: {self.n} sizes are allowed")
        given = input_shape[-self.n :]
        made = (g if s is None else s for s, g in zip(sizes, given, strict=True))
        return (*input_shape[: -self.n], *made)

    def flops(self, input_shape: tuple[int, ...]) -> int:
        """Return about one addition for each sample."""
        return math.prod(input_shape)

    def window(self) -> None:
        """Return None: windows are parts of the input, however large it is."""
        return

    def options(self) -> str:
        """Return the arguments that made the layer."""
        return repr(self.output_size)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The average of each of some parts of signals, (N, C, L) or (C, L).

    Parameters
    ----------
    output_size : int, None or sequence of them
        Results along each spatial axis; None for as many as samples.

    Examples
    --------
    >>> from pyconv import nn
    >>> nn.AdaptiveAvgPool1d(2)([[1.0, 3.0, 5.0, 7.0]])
    array([[2., 6.]])
    """

    n = 1
    apply = staticmethod(functional.adaptive_avg_pool1d)
    by_input = staticmethod(grad.adaptive_avg_pool1d_input)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The average of each of some parts of images, (N, C, H, W) or (C, H, W).

    Parameters
    ----------
    output_size : int, None or sequence of them
        Results along each spatial axis; None for as many as samples.

    Examples
    --------
    >>> from pyconv import nn
    >>> nn.AdaptiveAvgPool2d(1)([[[1.0, 3.0], [5.0, 7.0]]])
    array([[[4.]]])
    """

    n = 2
    apply = staticmethod(functional.adaptive_avg_pool2d)
    by_input = staticmethod(grad.adaptive_avg_pool2d_input)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """The average of each of some parts of volumes, (N, C, D, H, W) or (C, D, H, W).

    Parameters
    ----------
    output_size : int, None or sequence of them
        Results along each spatial axis; None for as many as samples.

    Examples
    --------
    >>> from pyconv import nn
    >>> nn.AdaptiveAvgPool3d(1)([[[[1.0, 3.0], [5.0, 7.0]]]])
    array([[[[4.]]]])
    """

    n = 3
    apply = staticmethod(functional.adaptive_avg_pool3d)
    by_input = staticmethod(grad.adaptive_avg_pool3d_input)
