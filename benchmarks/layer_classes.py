"""LAYER_CLASSES: the classes of the table of layers. Their layers are in layer_cases.py."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from benchmarks.layer_cases import LAYERS, Layer
from benchmarks.layer_peers import LAYER_PEERS, TORCH, LayerBind, torch_gradients
from benchmarks.peers import Call, Peer, installed
from benchmarks.speed import Comparison, Goal, Profile, Row, WrongResultError
from benchmarks.threads import COUNT
from pyconv.nn import functional, grad

OURS = "pyconv"
#: With weights that were packed beforehand, and with weights as they come.
PACKED, PLAIN = f"{OURS} packed", f"{OURS} plain"
#: The bound on an error, in rounding units of the largest sum of the products' magnitudes:
#: what Winograd's F(4, 3) grants. A wrong result is wrong by far more.
EPSILONS = 64


def layer_rows(
    layers: tuple[Layer, ...], peers: tuple[Peer[LayerBind], ...]
) -> Callable[[Profile], Iterator[Row]]:
    """Return the rows of ``layers``: ours, packed and plain, beside ``peers``."""

    def rows(profile: Profile) -> Iterator[Row]:
        for layer in layers:
            x, w, b = layer.data()
            try:
                algorithm, ours = _ours(layer, x, w, b, profile.method)
            except ValueError:  # the algorithm that is forced has no such layer
                if profile.method == "auto":
                    raise
                continue
            contenders = ours | {p.name: p.bind(layer, x, w, b) for p in installed(peers)}
            check = _checker(layer.label, layer.exact, x, w, b)
            yield Row(layer.label, layer.products, contenders, check, algorithm, layer.bytes)

    return rows


def _ours(
    layer: Layer, x: np.ndarray, w: np.ndarray, b: np.ndarray, method: str
) -> tuple[str, dict[str, Call]]:
    """Return the name of our algorithm, and our calls: each fills a result of its own."""
    conv = getattr(functional, f"conv{layer.ndim}d")
    options = layer.stride, layer.padding, 1, layer.groups
    plan = functional.plan_conv(layer.x_shape, w, b, *options, method=method)
    packed, plain = (np.full(layer.y_shape, np.nan, layer.dtype) for _ in range(2))
    return plan.algorithm, {
        PACKED: partial(plan, x, out=packed, workers=COUNT),
        PLAIN: partial(conv, x, w, b, *options, out=plain, method=method, workers=COUNT),
    }


def gradient_rows(profile: Profile) -> Iterator[Row]:
    """Yield the gradients for the input and for the weights beside torch's."""
    for layer in LAYERS["gradients"]:
        x, w, _ = layer.data()
        dy = np.random.default_rng(7).standard_normal(layer.y_shape).astype(layer.dtype)
        name, options = f"conv{layer.ndim}d", (layer.stride, layer.padding, 1, layer.groups)
        by_input, by_weight = (getattr(grad, f"{name}_{a}") for a in ("input", "weight"))
        ours: tuple[Call, Call] = (
            partial(by_input, layer.x_shape, w, dy, *options, workers=COUNT),
            partial(by_weight, x, layer.w_shape, dy, *options, workers=COUNT),
        )
        theirs = torch_gradients(layer, x, w, dy) if TORCH.version() else (None, None)
        checks = (
            _checker(f"{layer.label}, input", layer.exact_input_gradient, w, dy),
            _checker(f"{layer.label}, weights", layer.exact_weight_gradient, x, dy),
        )
        for argument, mine, peer, check in zip(
            ("input", "weights"), ours, theirs, checks, strict=True
        ):
            contenders = {OURS: mine} | ({TORCH.name: peer} if peer else {})
            label = f"{layer.label}, {argument}"
            yield Row(label, layer.products, contenders, check, size=layer.bytes)


def _checker(
    label: str, exact: Callable[..., np.ndarray], *arrays: np.ndarray
) -> Callable[[str, np.ndarray], None]:
    """Return the check of a contender against what ``exact`` makes of ``arrays``."""
    expected = exact(*arrays)
    scale = exact(*map(np.abs, arrays)).max()

    def check(name: str, y: np.ndarray) -> None:
        found = np.inf
        if y.shape == expected.shape:
            found = float(np.abs(y - expected).max() / (scale * np.finfo(y.dtype).eps))
        if not found <= EPSILONS:
            raise WrongResultError(
                f"{label}: {name} differs from the definition by {found:.3g} ε of the largest "
                f"sum of magnitudes, more than {EPSILONS}"
            )

    return check


def _beside(
    name: str, title: str, mean: float, peers: tuple[Peer[LayerBind], ...] = LAYER_PEERS
) -> Comparison:
    names = tuple(peer.name for peer in peers)
    goals = Goal(names, mean=mean, each=1.0), Goal(names, ours=PLAIN)
    return Comparison(name, title, PACKED, layer_rows(LAYERS[name], peers), goals)


LAYER_CLASSES: tuple[Comparison, ...] = (
    _beside("3x3", "3×3 layers of 64 channels and more, float32", 2.0),
    _beside("2d", "Other layers of ResNet-50, VGG, MobileNet, ConvNeXt and LeNet, float32", 1.0),
    _beside("1d", "1-D layers, float32", 1.2),
    _beside("3d", "3-D layers, float32", 1.2),
    Comparison(
        "gradients",
        "Gradients of the 3×3 layers, float32, every call makes its result",
        OURS,
        gradient_rows,
        (Goal((TORCH.name,), mean=1.0, each=1.0),),
    ),
    _beside("float64", "Layers in float64", 5.0, (TORCH,)),
)
