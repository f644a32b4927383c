"""asv: convolution layers and their gradients, by algorithm, on one thread."""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from benchmarks.layer_cases import LAYERS, Layer
from benchmarks.resident import growth
from benchmarks.tables import LAYER_ALGORITHM_NAMES, WEIGHT_GRADIENT_NAMES
from benchmarks.tracked import (
    QUICK,
    REFERENCE_PRODUCTS,
    Checked,
    Figures,
    Suite,
    figures,
    relative,
)

METHODS = ("auto", *LAYER_ALGORITHM_NAMES)
Known = dict[tuple[str, ...], Figures]

#: The layers of all classes, a few of each in the quick profile.
_BY_LABEL: dict[str, Layer] = {
    (layer.label if layer.dtype == "float32" else f"{layer.label} {layer.dtype}"): layer
    for layers in LAYERS.values()
    for layer in layers
}
_QUICK_LABELS = (
    "64→64 @56² k=3",
    "3→64 @224² k=7/2",
    "1024→256 @14² k=1",
    "512→512 @14² k=3 depthwise",
    "128→128 @1000 k=3 N=4",
    "16→32 @32³ k=3",
)
LABELS = tuple(label for label in _BY_LABEL if label in _QUICK_LABELS or not QUICK)
#: What Winograd's F(4, 3) is granted, in rounding units of the largest sum of magnitudes.
EPSILONS = 64
_UNIT = "ε of the largest Σ|x||w|"


def _options(layer: Layer) -> tuple[int, ...]:
    return layer.stride, layer.padding, 1, layer.groups


def _plan(layer: Layer, method: str) -> tuple[Callable[[], Any], tuple[np.ndarray, ...]]:
    """Return a call of a plan, whose weights are packed, and the arrays."""
    from pyconv.nn import functional

    if method == "reference" and layer.products > REFERENCE_PRODUCTS:
        raise NotImplementedError(f"{layer.label}: too slow by {method}")
    x, w, b = layer.data()
    y = np.full(layer.y_shape, np.nan, layer.dtype)
    plan = functional.plan_conv(layer.x_shape, w, b, *_options(layer), method=method)
    return partial(plan, x, out=y, workers=1), (x, w, b)


def _checked(
    layer: Layer,
    call: Callable[[], Any],
    arrays: tuple[np.ndarray, ...],
    exact: Callable[..., np.ndarray],
) -> Checked:
    epsilon = float(np.finfo(layer.dtype).eps)
    y = call()
    scale = exact(*map(np.abs, arrays)).max()
    found = relative(y, exact(*arrays), scale)
    size = sum(a.nbytes for a in (*arrays, y))
    return Checked(call, layer.products, size, found, EPSILONS * epsilon, epsilon)


def _bind(label: str, method: str) -> Checked:
    layer = _BY_LABEL[label]
    return _checked(layer, *_plan(layer, method), layer.exact)


class Layers(Suite):
    """Layers of ResNet-50, VGG, MobileNet, LeNet, and in 1-D and 3-D, by every algorithm."""

    param_names = ("layer", "method")
    params = (LABELS, METHODS)

    def setup_cache(self) -> Known:
        """Check and rate every layer once."""
        return figures(product(*self.params), _bind)

    def setup(self, known: Known, label: str, method: str) -> None:
        """Bind the layer to its data."""
        self.figures = self.require(known, label, method)
        from pyconv.nn import functional

        layer = _BY_LABEL[label]
        self.packed, (x, w, b) = _plan(layer, method)
        y = np.ones(layer.y_shape, layer.dtype)
        conv = getattr(functional, f"conv{layer.ndim}d")
        self.plain = partial(conv, x, w, b, *_options(layer), out=y, method=method, workers=1)

    def time_packed(self, known: Known, label: str, method: str) -> None:
        """Time a plan, whose weights are in the order of its loops."""
        self.packed()

    def time_plain(self, known: Known, label: str, method: str) -> None:
        """Time a call with weights as they come."""
        self.plain()

    def track_error(self, known: Known, label: str, method: str) -> float:
        """Return the largest error in rounding units."""
        return self.figures.error

    track_error.unit = _UNIT  # type: ignore[attr-defined]

    def track_gflops(self, known: Known, label: str, method: str) -> float:
        """Return the rate of the definition's operations, weights packed."""
        return self.figures.gflops

    track_gflops.unit = "GF/s of the definition"  # type: ignore[attr-defined]

    def track_share_of_limit(self, known: Known, label: str, method: str) -> float:
        """Return the time that the machine's measured limits allow ÷ ours."""
        return self.figures.share

    track_share_of_limit.unit = (  # type: ignore[attr-defined]
        "of max(flops ÷ peak, bytes ÷ bandwidth)"
    )


class LayersMemory(Suite):
    """What layers hold besides their arrays, by every algorithm."""

    param_names = ("layer", "method")
    params = (LABELS[:1] if QUICK else LABELS, METHODS)

    def setup_cache(self) -> Known:
        """Check every layer once."""
        return figures(product(*self.params), _bind, rates=False)

    def setup(self, known: Known, label: str, method: str) -> None:
        """Bind the layer; nothing of it has run in this process."""
        self.require(known, label, method)
        self.call, _ = _plan(_BY_LABEL[label], method)

    def peakmem_packed(self, known: Known, label: str, method: str) -> None:
        """Peak memory of the whole process."""
        self.call()

    def track_workspace(self, known: Known, label: str, method: str) -> float:
        """Return the bytes by which a first call makes the process grow."""
        grown = growth(self.call)
        return float("nan") if grown is None else grown

    track_workspace.unit = "bytes"  # type: ignore[attr-defined]


_INPUT, _WEIGHTS = "input", "weights"


def _gradient(label: str, argument: str, method: str) -> Checked:
    """Bind one gradient of a layer, and compare it with BLAS in float64."""
    from pyconv.nn import grad

    layer = _BY_LABEL[label]
    x, w, _ = layer.data()
    dy = np.random.default_rng(7).standard_normal(layer.y_shape).astype(layer.dtype)
    shape, other, name = (layer.x_shape, w, "input")
    if argument == _WEIGHTS:
        shape, other, name = (layer.w_shape, x, "weight")
    if method == "reference" and layer.products > REFERENCE_PRODUCTS:
        raise NotImplementedError(f"{label}: too slow by {method}")
    function = getattr(grad, f"conv{layer.ndim}d_{name}")
    arguments = (other, shape, dy) if argument == _WEIGHTS else (shape, other, dy)
    call = partial(function, *arguments, *_options(layer), method=method, workers=1)
    exact = layer.exact_weight_gradient if argument == _WEIGHTS else layer.exact_input_gradient
    return _checked(layer, call, (other, dy), exact)


class Gradients(Suite):
    """Gradients of layers for their input and their weights; calls make their results."""

    param_names = ("layer", "argument", "method")
    params = (
        LABELS[:1] if QUICK else tuple(layer.label for layer in LAYERS["gradients"]),
        (_INPUT, _WEIGHTS),
        ("auto",) if QUICK else ("auto", *WEIGHT_GRADIENT_NAMES),
    )

    def setup_cache(self) -> Known:
        """Check and rate every gradient once."""
        return figures(product(*self.params), _gradient)

    def setup(self, known: Known, label: str, argument: str, method: str) -> None:
        """Bind the gradient to its data."""
        self.figures = self.require(known, label, argument, method)
        self.call = _gradient(label, argument, method).call

    def time_gradient(self, known: Known, label: str, argument: str, method: str) -> None:
        """Time a call."""
        self.call()

    def track_gflops(self, known: Known, label: str, argument: str, method: str) -> float:
        """Return the rate of the definition's operations."""
        return self.figures.gflops

    track_gflops.unit = "GF/s of the definition"  # type: ignore[attr-defined]
