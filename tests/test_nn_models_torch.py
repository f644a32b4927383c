"""Models beside torch: outputs, gradients and 50 optimiser steps; skipped where it is missing."""

import numpy as np
import pytest

from pyconv import nn

torch = pytest.importorskip("torch")

torch.set_num_threads(1)

RTOL = 1e-9

#: A model as each library spells it, and the shape of its input.
MODELS = {
    "images": (
        lambda m, k: m.Sequential(
            m.Conv2d(2, 6, 5, padding=2, **k), m.ReLU(), m.MaxPool2d(2),
            m.Conv2d(6, 8, 3, stride=2, groups=2, padding_mode="circular", padding=1, **k),
            m.ReLU(), m.AvgPool2d(3, 1, 1), m.ConvTranspose2d(8, 4, 3, 2, 1, 1, **k), m.ReLU(),
            m.Flatten(), m.Linear(256, 5, **k),
        ),
        (7, 2, 16, 16),
    ),
    "signals": (
        lambda m, k: m.Sequential(
            m.Conv1d(1, 4, 7, dilation=2, bias=False, **k), m.ReLU(), m.MaxPool1d(3, 2),
            m.Conv1d(4, 4, 3, padding=1, padding_mode="reflect", **k), m.AvgPool1d(2),
            m.Sequential(m.ReLU(), m.Flatten()), m.Linear(48, 5, **k),
        ),
        (7, 1, 63),
    ),
    "volumes": (
        lambda m, k: m.Sequential(
            m.Conv3d(1, 3, (2, 3, 3), padding=1, **k), m.ReLU(), m.MaxPool3d(2),
            m.AvgPool3d(2), m.Flatten(), m.Linear(12, 5, **k),
        ),
        (7, 1, 6, 8, 8),
    ),
}  # fmt: skip

OPTIMISERS = {
    "sgd": ("SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 1e-3}),
    "nesterov": ("SGD", {"lr": 0.02, "momentum": 0.8, "nesterov": True}),
    "adam": ("Adam", {"lr": 2e-3, "weight_decay": 1e-3}),
}


def both(name):
    """Return ours and torch's model with the same weights, loaded from torch."""
    torch.manual_seed(0)
    make, shape = MODELS[name]
    theirs = make(torch.nn, {"dtype": torch.float64})
    ours = make(nn, {})
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs, shape


def close(ours, theirs):
    """Assert agreement to the rounding of float64, relative to the largest sample."""
    expected = theirs.detach().numpy()
    assert ours.dtype == expected.dtype
    np.testing.assert_allclose(ours, expected, rtol=RTOL, atol=RTOL * abs(expected).max())


@pytest.mark.parametrize("name", MODELS)
def test_weights_are_exchanged(name):
    """Names, shapes and values, both ways."""
    ours, theirs, _ = both(name)
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: tuple(v.shape) for k, v in theirs.state_dict().items()
    }
    doubled = {k: torch.from_numpy(2 * v) for k, v in ours.state_dict().items()}
    theirs.load_state_dict(doubled)
    for key, w in theirs.state_dict().items():
        np.testing.assert_array_equal(w.numpy(), 2 * ours.state_dict()[key])


@pytest.mark.parametrize("loss", ["CrossEntropyLoss", "MSELoss"])
@pytest.mark.parametrize("name", MODELS)
def test_outputs_and_gradients(rng, name, loss):
    """With respect to every parameter and the input."""
    ours, theirs, shape = both(name)
    x = rng.standard_normal(shape)
    target = rng.integers(0, 5, 7) if loss == "CrossEntropyLoss" else rng.standard_normal((7, 5))
    source = torch.from_numpy(x).requires_grad_()
    expected = getattr(torch.nn, loss)()(theirs(source), torch.from_numpy(target))
    expected.backward()
    criterion = getattr(nn, loss)()
    y = ours(x)
    close(y, theirs(source))
    close(np.asarray(criterion(y, target)), expected)
    close(ours.backward(criterion.backward(), input_gradient=True), source.grad)
    for mine, parameter in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(mine.grad, parameter.grad)
    close(ours.eval()(x), theirs(source))


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("name", MODELS)
def test_fifty_steps(rng, name, optimiser):
    """The weights after 50 steps on changing batches."""
    ours, theirs, shape = both(name)
    kind, keywords = OPTIMISERS[optimiser]
    mine = getattr(nn, kind)(ours.parameters(), **keywords)
    peer = getattr(torch.optim, kind)(theirs.parameters(), **keywords)
    criterion, judge = nn.CrossEntropyLoss(), torch.nn.CrossEntropyLoss()
    for _ in range(50):
        x, target = rng.standard_normal(shape), rng.integers(0, 5, 7)
        mine.zero_grad()
        loss = criterion(ours(x), target)
        ours.backward(criterion.backward())
        mine.step()
        peer.zero_grad()
        expected = judge(theirs(torch.from_numpy(x)), torch.from_numpy(target))
        expected.backward()
        peer.step()
        np.testing.assert_allclose(loss, expected.item(), rtol=RTOL)
    for parameter, w in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(parameter.data, w)
