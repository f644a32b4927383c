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


class Block(torch.nn.Module):
    """The block of torchvision's ResNet-18, by its names."""

    def __init__(self, before, width, stride):
        super().__init__()
        m = torch.nn
        self.conv1 = m.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = m.BatchNorm2d(width)
        self.conv2 = m.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = m.BatchNorm2d(width)
        self.downsample = None
        if stride != 1 or before != width:
            convolution = m.Conv2d(before, width, 1, stride, bias=False)
            self.downsample = m.Sequential(convolution, m.BatchNorm2d(width))

    def forward(self, x):
        way = x if self.downsample is None else self.downsample(x)
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + way)


class ResNet18(torch.nn.Module):
    """Torchvision's ResNet-18, by its names."""

    def __init__(self, classes):
        super().__init__()
        m = torch.nn
        self.conv1 = m.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = m.BatchNorm2d(64)
        self.maxpool = m.MaxPool2d(3, 2, 1)
        before = 64
        for i, width in enumerate((64, 128, 256, 512), start=1):
            blocks = Block(before, width, 1 if i == 1 else 2), Block(width, width, 1)
            setattr(self, f"layer{i}", m.Sequential(*blocks))
            before = width
        self.avgpool = m.AdaptiveAvgPool2d(1)
        self.fc = m.Linear(512, classes)

    def forward(self, x):
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def drawn_averages(module):
    """Give batch normalisations other weights and averages than those of the beginning."""
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            for a, (low, high) in (
                (layer.weight.data, (0.5, 1.5)), (layer.bias.data, (-0.5, 0.5)),
                (layer.running_mean, (-0.5, 0.5)), (layer.running_var, (0.5, 1.5)),
            ):  # fmt: skip
                a.uniform_(low, high)


def test_resnet_18_is_torchs(tmp_path):
    """Outputs in evaluation, fused and not, and by a file; outputs and gradients in training."""
    torch.manual_seed(0)
    theirs = ResNet18(7).double()
    drawn_averages(theirs)
    x = np.random.default_rng(0).standard_normal((2, 3, 40, 48))
    ours = nn.models.ResNet18(classes=7, rng=0, dtype=np.float64)
    ours.load_state_dict(theirs.state_dict())
    expected = theirs.eval()(torch.from_numpy(x))
    close(ours.eval()(x), expected)
    close(nn.fuse(ours)(x), expected)
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    read = nn.models.ResNet18(classes=7, rng=1, dtype=np.float64)
    read.load(tmp_path / "model.safetensors")
    close(read.eval()(x), expected)

    y = theirs.train()(torch.from_numpy(x))
    close(ours.train()(x), y)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    y.backward(torch.from_numpy(dy))
    ours.backward(dy)
    found = ours.named_parameters()
    for name, parameter in theirs.named_parameters():
        np.testing.assert_allclose(
            found[name].grad, parameter.grad.numpy(),
            rtol=1e-6, atol=1e-9 * abs(parameter.grad).max().item(), err_msg=name,
        )  # fmt: skip
    state = ours.state_dict()
    for name, buffer in theirs.named_buffers():
        if "num_batches" not in name:
            close(state[name], buffer)
    # And back again, without the count, which torch adds itself.
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()})


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (nn.Sigmoid(), torch.nn.Sigmoid()),
        (nn.Tanh(), torch.nn.Tanh()),
        (nn.GELU(), torch.nn.GELU()),
        (nn.GELU("tanh"), torch.nn.GELU("tanh")),
        (nn.Softmax(1), torch.nn.Softmax(1)),
        (nn.AdaptiveAvgPool1d(3), torch.nn.AdaptiveAvgPool1d(3)),
        (nn.BatchNorm1d(4, 0.1, 0.3, dtype=np.float64), torch.nn.BatchNorm1d(4, 0.1, 0.3).double()),
    ],
    ids=lambda layer: repr(layer) if isinstance(layer, nn.Layer) else "",
)
def test_layers_are_torchs(ours, theirs):
    """Results and gradients."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((5, 4, 9)) * 3
    given = torch.from_numpy(x).requires_grad_()
    y = theirs(given)
    close(ours(x), y)
    dy = rng.standard_normal(y.shape)
    y.backward(torch.from_numpy(dy))
    close(ours.backward(dy), given.grad)
