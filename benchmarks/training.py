"""TRAINING_CLASSES: whole models beside torch: a training step of LeNet-5, a ResNet-18 at work.

Both sides have the same weights, and do the same: their results are compared before their times.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from benchmarks.layer_peers import TORCH
from benchmarks.peers import Call
from benchmarks.speed import Comparison, Goal, Profile, Row, WrongResultError
from benchmarks.threads import COUNT
from pyconv import nn

OURS = "pyconv"
#: The bound on an error, relative to the largest number: a wrong model is wrong by far more.
RTOL = 1e-3
LEARNING = {"lr": 0.01, "momentum": 0.9}


def _torch() -> Any:
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(COUNT)
    return torch


# ---- a training step of LeNet-5 -------------------------------------------------------------


def lenet(m: Any, **inplace: bool) -> Any:
    """Return LeNet-5 in the layers of ``m``: ours, or torch's."""
    return m.Sequential(
        m.Conv2d(1, 6, 5), m.ReLU(**inplace), m.MaxPool2d(2),
        m.Conv2d(6, 16, 5), m.ReLU(**inplace), m.MaxPool2d(2), m.Flatten(),
        m.Linear(400, 120), m.ReLU(**inplace), m.Linear(120, 84), m.ReLU(**inplace),
        m.Linear(84, 10),
    )  # fmt: skip


def _our_step(model: nn.Sequential, x: np.ndarray, target: np.ndarray) -> Call:
    criterion, optimizer = nn.CrossEntropyLoss(), nn.SGD(model.parameters(), **LEARNING)

    def step() -> np.ndarray:
        optimizer.zero_grad()
        loss = criterion(model(x), target)
        model.backward(criterion.backward())
        optimizer.step()
        return np.asarray(loss)

    return step


def _torch_step(model: Any, x: np.ndarray, target: np.ndarray) -> Call:
    torch = _torch()
    criterion = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), **LEARNING)
    images, classes = torch.from_numpy(x), torch.from_numpy(target)

    def step() -> np.ndarray:
        optimizer.zero_grad()
        loss = criterion(model(images), classes)
        loss.backward()
        optimizer.step()
        result: np.ndarray = loss.detach().numpy()
        return result

    return step


def lenet_rows(profile: Profile) -> Iterator[Row]:
    """Yield one training step for each size of batch."""
    for batch in (64,) if profile.quick else (64, 1, 256):
        rng = np.random.default_rng(7)
        x = rng.standard_normal((batch, 1, 32, 32)).astype(np.float32)
        target = rng.integers(0, 10, batch)
        ours = nn.models.LeNet5(rng=0)
        exact = nn.models.LeNet5(rng=0).astype(np.float64)
        _our_step(exact, x, target)()
        contenders: dict[str, Call] = {OURS: _our_step(ours, x, target)}
        weights: dict[str, Callable[[], Mapping[str, Any]]] = {OURS: ours.state_dict}
        if TORCH.version():
            theirs = lenet(_torch().nn, inplace=True)
            _load(theirs, ours.state_dict())
            contenders[TORCH.name] = _torch_step(theirs, x, target)
            weights[TORCH.name] = theirs.state_dict
        products = 3 * ours.summary(x.shape).flops // 2
        check = partial(_check_step, weights, exact.state_dict())
        yield Row(f"LeNet-5, batch {batch}", products, contenders, check)


def _check_step(
    weights: Mapping[str, Callable[[], Mapping[str, Any]]],
    expected: Mapping[str, np.ndarray],
    name: str,
    loss: np.ndarray,
) -> None:
    """Compare all weights after one step with those of float64."""
    state = weights[name]()
    for key, exact in expected.items():
        _compare(f"{name}: {key} after a step", np.asarray(state[key]), exact)


def _compare(what: str, found: np.ndarray, exact: np.ndarray) -> None:
    error = np.abs(found - exact).max() / np.abs(exact).max()
    if found.shape != exact.shape or not error <= RTOL:
        raise WrongResultError(f"{what} differs from float64 by {error:.2g} of the largest")


def _load(theirs: Any, state: Mapping[str, np.ndarray]) -> None:
    torch = _torch()
    theirs.load_state_dict({key: torch.from_numpy(w) for key, w in state.items()})


# ---- a ResNet-18 at work --------------------------------------------------------------------

#: Channels and stride of the first layer of each of its eight blocks.
BLOCKS = ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1))


def resnet18(m: Any, residual: Callable[[Any, Any], Any]) -> Any:
    """Return the stack of ResNet-18 with its normalisations folded into the layers' biases."""
    layers = [m.Conv2d(3, 64, 7, 2, 3), m.ReLU(inplace=True), m.MaxPool2d(3, 2, 1)]
    channels = 64
    for wide, stride in BLOCKS:
        body = m.Sequential(
            m.Conv2d(channels, wide, 3, stride, 1),
            m.ReLU(inplace=True),
            m.Conv2d(wide, wide, 3, 1, 1),
        )
        shortcut = None if stride == 1 else m.Conv2d(channels, wide, 1, stride)
        layers += [residual(body, shortcut), m.ReLU(inplace=True)]
        channels = wide
    return m.Sequential(*layers, m.AvgPool2d(7), m.Flatten(), m.Linear(512, 1000))


def _torch_residual(body: Any, shortcut: Any) -> Any:
    torch = _torch()

    class Residual(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.body = body
            if shortcut is not None:
                self.shortcut = shortcut

        def forward(self, x: Any) -> Any:
            return self.body(x).add_(x if shortcut is None else shortcut(x))

    return Residual()


def resnet_rows(profile: Profile) -> Iterator[Row]:
    """Yield the model at work on one image, and on eight."""
    ours = resnet18(nn, nn.Residual).eval()
    for batch in (1,) if profile.quick else (1, 8):
        x = np.random.default_rng(7).standard_normal((batch, 3, 224, 224)).astype(np.float32)
        contenders: dict[str, Call] = {OURS: partial(ours, x)}
        if TORCH.version():
            torch = _torch()
            theirs = resnet18(torch.nn, _torch_residual).eval()
            _load(theirs, ours.state_dict())
            contenders[TORCH.name] = partial(_infer, theirs, torch.from_numpy(x))
        exact = resnet18(nn, nn.Residual).astype(np.float64)
        exact.load_state_dict({k: w.astype(np.float64) for k, w in ours.state_dict().items()})
        expected = exact.eval()(x[:1])

        def check(name: str, y: np.ndarray, expected: np.ndarray = expected) -> None:
            _compare(f"{name}: the result", y[:1], expected)

        yield Row(f"ResNet-18, batch {batch}", ours.summary(x.shape).flops // 2, contenders, check)


def _infer(model: Any, x: Any) -> np.ndarray:
    with _torch().inference_mode():
        y: np.ndarray = model(x).numpy()
    return y


TRAINING_CLASSES: tuple[Comparison, ...] = (
    Comparison(
        "lenet-step",
        "A training step of LeNet-5, float32",
        OURS,
        lenet_rows,
        (Goal((TORCH.name,), mean=1.2),),
    ),
    Comparison(
        "resnet",
        "A stack of the shape of ResNet-18 at work on 224×224, float32",
        OURS,
        resnet_rows,
        (Goal((TORCH.name,), mean=1.0),),
    ),
)
