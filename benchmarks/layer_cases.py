"""Layer: one convolution layer to time, with its data and exact answers; LAYERS: those of a class.

y[n, k, i] = b[k] + Σ_c Σ_u x[n, c, i·s + u − p] · w[k, c, u]
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer with a bias, padded with zeros, alike along its spatial axes; without its data."""

    channels: int
    outputs: int
    size: int
    kernel: int
    ndim: int = 2
    stride: int = 1
    #: Zeros on each side; half the kernel unless given.
    pad: int | None = None
    batch: int = 1
    groups: int = 1
    dtype: str = "float32"

    @property
    def label(self) -> str:
        """The shapes, and whatever is not the default."""
        power = {1: "", 2: "²", 3: "³"}[self.ndim]
        words = [f"{self.channels}→{self.outputs} @{self.size}{power} k={self.kernel}"]
        if self.stride > 1:
            words[0] += f"/{self.stride}"
        if self.pad is not None:
            words.append(f"pad {self.pad}")
        if self.batch > 1:
            words.append(f"N={self.batch}")
        if self.groups > 1:
            words.append("depthwise" if self.groups == self.channels else f"groups {self.groups}")
        return " ".join(words)

    @property
    def padding(self) -> int:
        """The zeros on each side of an axis."""
        return self.kernel // 2 if self.pad is None else self.pad

    @property
    def out(self) -> int:
        """The length of the result along an axis."""
        return (self.size + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def x_shape(self) -> tuple[int, ...]:
        """The shape of the input."""
        return (self.batch, self.channels, *(self.size,) * self.ndim)

    @property
    def w_shape(self) -> tuple[int, ...]:
        """The shape of the weights."""
        return (self.outputs, self.channels // self.groups, *(self.kernel,) * self.ndim)

    @property
    def y_shape(self) -> tuple[int, ...]:
        """The shape of the result."""
        return (self.batch, self.outputs, *(self.out,) * self.ndim)

    @property
    def products(self) -> int:
        """The multiplications of the definition, and of each gradient."""
        return math.prod(self.y_shape) * math.prod(self.w_shape[1:])

    @property
    def bytes(self) -> int:
        """The bytes of the arrays."""
        shapes = self.x_shape, self.w_shape, self.y_shape
        return sum(map(math.prod, shapes)) * np.dtype(self.dtype).itemsize

    def data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return x, w and the bias: normal, the same every time."""
        rng = np.random.default_rng(2024)
        shapes = self.x_shape, self.w_shape, (self.outputs,)
        x, w, b = (rng.standard_normal(shape).astype(self.dtype) for shape in shapes)
        return x, w, b

    def exact(self, x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the result in float64, by BLAS: the oracle of the tests would take minutes."""
        wide = self._padded(x)
        y = np.zeros(self._by_group(self.y_shape))
        for tap, at in self._taps():
            y += self._matrix(w, tap) @ self._samples(wide, at)
        return y.reshape(self.y_shape) + b.reshape(-1, *(1,) * self.ndim)

    def exact_input_gradient(self, w: np.ndarray, dy: np.ndarray) -> np.ndarray:
        """Return the gradient for the input in float64."""
        wide = self._padded(np.zeros(self.x_shape))
        rows = dy.astype(np.float64).reshape(self._by_group(self.y_shape))
        for tap, at in self._taps():
            part = wide[:, :, *at]
            part += (self._matrix(w, tap).swapaxes(-1, -2) @ rows).reshape(part.shape)
        inside = slice(self.padding, self.padding + self.size)
        return wide[:, :, *(inside,) * self.ndim]

    def exact_weight_gradient(self, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
        """Return the gradient for the weights in float64."""
        wide = self._padded(x)
        rows = dy.astype(np.float64).reshape(self._by_group(self.y_shape))
        dw = np.empty((self.outputs, self.channels // self.groups, self.kernel**self.ndim))
        for tap, at in self._taps():
            product = (rows @ self._samples(wide, at).swapaxes(-1, -2)).sum(0)
            dw[:, :, tap] = product.reshape(dw.shape[:2])
        return dw.reshape(self.w_shape)

    def _taps(self) -> Iterator[tuple[int, tuple[slice, ...]]]:
        """Yield the number of each tap, and along each axis the padded samples that it meets."""
        reach = (self.out - 1) * self.stride + 1
        for tap, u in enumerate(np.ndindex(*(self.kernel,) * self.ndim)):
            yield tap, tuple(slice(k, k + reach, self.stride) for k in u)

    def _padded(self, x: np.ndarray) -> np.ndarray:
        zeros = (self.padding, self.padding)
        return np.pad(x.astype(np.float64), ((0, 0), (0, 0), *(zeros,) * self.ndim))

    def _by_group(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (N, groups, channels of a group, samples) of an array (N, channels, spatial…)."""
        return (shape[0], self.groups, shape[1] // self.groups, math.prod(shape[2:]))

    def _samples(self, wide: np.ndarray, at: tuple[slice, ...]) -> np.ndarray:
        part = wide[:, :, *at]
        return part.reshape(self._by_group(part.shape))

    def _matrix(self, w: np.ndarray, tap: int) -> np.ndarray:
        """Return (groups, outputs of a group, channels of a group) of one tap."""
        taps = w.reshape(*w.shape[:2], -1)
        return taps[:, :, tap].astype(np.float64).reshape(self.groups, -1, w.shape[1])


_3X3 = (
    Layer(64, 64, 56, 3),
    Layer(128, 128, 28, 3),
    Layer(256, 256, 14, 3),
    Layer(512, 512, 7, 3),
    Layer(64, 64, 224, 3),
    Layer(512, 512, 28, 3),
)
#: Layers of ResNet-50, VGG, MobileNet, ConvNeXt and LeNet.
_2D = (
    Layer(3, 64, 224, 7, stride=2),
    Layer(3, 64, 224, 3),
    Layer(256, 64, 56, 1),
    Layer(1024, 256, 14, 1),
    Layer(512, 2048, 7, 1),
    Layer(256, 512, 56, 1, stride=2),
    Layer(128, 128, 56, 3, stride=2),
    Layer(32, 32, 112, 3, groups=32),
    Layer(512, 512, 14, 3, groups=512),
    Layer(144, 144, 56, 3, stride=2, groups=144),
    Layer(960, 960, 7, 3, groups=960),
    Layer(96, 96, 56, 7, groups=96),
    Layer(1, 6, 28, 5, batch=64),
    Layer(6, 16, 14, 5, pad=0, batch=64),
    Layer(64, 64, 28, 3, batch=8),
)
_1D = (
    Layer(64, 64, 4000, 3, ndim=1, batch=8),
    Layer(1, 64, 16000, 80, ndim=1, stride=4, pad=0, batch=8),
    Layer(128, 128, 1000, 3, ndim=1, batch=4),
    Layer(64, 64, 2000, 9, ndim=1, batch=4),
)
_3D = (
    Layer(16, 32, 32, 3, ndim=3),
    Layer(1, 32, 64, 3, ndim=3),
    Layer(64, 64, 16, 3, ndim=3),
    Layer(3, 16, 48, 3, ndim=3),
)

#: Layers by class.
LAYERS: dict[str, tuple[Layer, ...]] = {
    "3x3": _3X3,
    "2d": _2D,
    "1d": _1D,
    "3d": _3D,
    "gradients": _3X3,
    "float64": tuple(
        replace(layer, dtype="float64")
        for layer in (_3X3[0], _3X3[2], _2D[0], _2D[2], _1D[0], _3D[0])
    ),
}
