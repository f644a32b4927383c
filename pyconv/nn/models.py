"""Models that are known by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.output_arrays import plain_array
from pyconv.nn._layers import summaries
from pyconv.nn._layers.containers import Sequential, _Container
from pyconv.nn._layers.convolution_layers import Conv2d
from pyconv.nn._layers.dense_layers import Flatten, Linear, ReLU
from pyconv.nn._layers.layer import Array, Layer
from pyconv.nn._layers.normalisation_layers import BatchNorm2d
from pyconv.nn._layers.pooling_layers import AdaptiveAvgPool2d, MaxPool2d
from pyconv.nn.init import Seed, generator

__all__ = ["BasicBlock", "LeNet5", "ResNet18"]


class LeNet5(Sequential):
    """LeCun's network for digits: images of 32×32 through two convolutions and pools.

    As it is built today: with rectified results and pools of the largest sample, where the paper
    has saturating ones and averages that learn a scale, and with every channel connected.

    Parameters
    ----------
    classes : int, optional
        Results for each image.
    channels : int, optional
        Channels of the images.
    rng : Generator or int, optional
        What draws the first weights, or its seed.
    dtype : {float32, float64}, optional
        Dtype of the weights, which images are converted to.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document
    recognition. Proceedings of the IEEE, 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> model = nn.models.LeNet5(rng=0)
    >>> model(np.zeros((2, 1, 32, 32))).shape
    (2, 10)
    >>> model.parameter_count
    61706
    """

    def __init__(
        self,
        classes: int = 10,
        channels: int = 1,
        *,
        rng: Seed = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        draw = generator(rng)
        super().__init__(
            Conv2d(channels, 6, 5, rng=draw, dtype=dtype),
            ReLU(inplace=True),
            MaxPool2d(2),
            Conv2d(6, 16, 5, rng=draw, dtype=dtype),
            ReLU(inplace=True),
            MaxPool2d(2),
            Flatten(),
            Linear(400, 120, rng=draw, dtype=dtype),
            ReLU(inplace=True),
            Linear(120, 84, rng=draw, dtype=dtype),
            ReLU(inplace=True),
            Linear(84, classes, rng=draw, dtype=dtype),
        )


class BasicBlock(_Container):
    """Two convolutions with a shortcut round them, as in ResNet-18: y = max(0, f(x) + g(x)).

    Names of weights are torchvision's.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the input and of the result.
    stride : int, optional
        Stride of the first convolution. With a stride, or with other channels, the shortcut is a
        convolution of one tap; otherwise it is the input itself.
    rng : Generator or int, optional
        What draws the first weights, or its seed.
    dtype : {float32, float64}, optional
        Dtype of the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> block = nn.models.BasicBlock(8, 16, stride=2, rng=0)
    >>> block(np.zeros((2, 8, 10, 10))).shape
    (2, 16, 5, 5)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        *,
        rng: Seed = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        draw = generator(rng)
        self.conv1: Layer = Conv2d(
            in_channels, out_channels, 3, stride, 1, bias=False, rng=draw, dtype=dtype
        )
        self.bn1: Layer = BatchNorm2d(out_channels, dtype=dtype)
        self.relu: Layer = ReLU(inplace=True)
        self.conv2: Layer = Conv2d(
            out_channels, out_channels, 3, 1, 1, bias=False, rng=draw, dtype=dtype
        )
        self.bn2: Layer = BatchNorm2d(out_channels, dtype=dtype)
        self.downsample: Layer | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = Sequential(
                Conv2d(in_channels, out_channels, 1, stride, bias=False, rng=draw, dtype=dtype),
                BatchNorm2d(out_channels, dtype=dtype),
            )
        self.relu2: Layer = ReLU(inplace=True)
        super().__init__()

    def _body(self) -> list[tuple[str, Layer]]:
        return [(name, getattr(self, name)) for name in ("conv1", "bn1", "relu", "conv2", "bn2")]

    def pairs(self) -> list[tuple[str, str]]:
        """Return the names of convolutions and of the normalisations that follow them."""
        return [("conv1", "bn1"), ("conv2", "bn2")]

    def _through(self, input: npt.ArrayLike, prefix: str) -> Array:
        x = plain_array(input, "input").view()
        x.flags.writeable = False  # both ways read it
        y: Array = x
        for name, layer in self._body():
            y = layer._run(y, f"{prefix}{name}")
        way = x if self.downsample is None else self.downsample._run(x, f"{prefix}downsample")
        return self.relu2._run(y + way, f"{prefix}relu2")

    def backward(self, grad_output: npt.ArrayLike, *, input_gradient: bool = True) -> Any:
        """Add to the gradients of both ways; return the sum of theirs with respect to the input."""
        dy = self.relu2.backward(grad_output)
        dx = dy
        for name, layer in reversed(self._body()):
            dx = layer.backward(dx, input_gradient=input_gradient or name != "conv1")
        if self.downsample is not None:
            dy = self.downsample.backward(dy, input_gradient=input_gradient)
        return dx + dy if input_gradient else None

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the result for an input of this shape."""
        for _, layer in self._body():
            input_shape = layer.output_shape(input_shape)
        return input_shape

    def first_seen(self, position: tuple[int, ...]) -> tuple[int, ...]:
        """Return the first sample, perhaps of the padding, that both convolutions read."""
        for _, layer in reversed(self._body()):
            position = layer.first_seen(position)
        return position

    def describe(
        self, name: str, shape: tuple[int, ...], windows: summaries.Windows, itemsize: int
    ) -> summaries.Described:
        """Return the rows of both ways; results see what those of the body see."""
        rows, prefix = [], f"{name}." if name else ""
        if self.downsample is not None:
            way = self.downsample.describe(f"{prefix}downsample", shape, windows, itemsize)
            rows += way.rows
        for own, layer in [*self._body(), ("relu2", self.relu2)]:
            more, shape, windows = layer.describe(f"{prefix}{own}", shape, windows, itemsize)
            rows += more
        return summaries.Described(rows, shape, windows)


class ResNet18(Sequential):
    """The residual network of 18 layers, for images of 224 × 224 pixels.

    Layers and names of weights are those of ``torchvision.models.resnet18``, whose trained weights
    `load_state_dict` and `load` take. `fuse` folds its batch normalisations.

    Parameters
    ----------
    classes : int, optional
        Results for each image.
    channels : int, optional
        Channels of the images.
    rng : Generator or int, optional
        What draws the first weights, or its seed.
    dtype : {float32, float64}, optional
        Dtype of the weights, which images are converted to.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun: Deep residual learning for image recognition. CVPR, 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> model = nn.fuse(nn.models.ResNet18(rng=0))
    >>> model(np.zeros((1, 3, 64, 64))).shape
    (1, 1000)
    >>> nn.models.ResNet18(rng=0).parameter_count
    11689512
    """

    def __init__(
        self,
        classes: int = 1000,
        channels: int = 3,
        *,
        rng: Seed = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        draw = generator(rng)
        stages, before = [], 64
        for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            first = BasicBlock(before, width, stride, rng=draw, dtype=dtype)
            stages.append(Sequential(first, BasicBlock(width, width, rng=draw, dtype=dtype)))
            before = width
        super().__init__(
            Conv2d(channels, 64, 7, 2, 3, bias=False, rng=draw, dtype=dtype),
            BatchNorm2d(64, dtype=dtype),
            ReLU(inplace=True),
            MaxPool2d(3, 2, 1),
            *stages,
            AdaptiveAvgPool2d(1),
            Flatten(),
            Linear(512, classes, rng=draw, dtype=dtype),
        )

    def _names(self) -> Sequence[str]:
        stages = [f"layer{i}" for i in (1, 2, 3, 4)]
        return ["conv1", "bn1", "relu", "maxpool", *stages, "avgpool", "flatten", "fc"]
