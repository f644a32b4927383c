"""fit: what it learns, what it refuses before the first step, and how it ends early."""

import sys

import numpy as np
import pytest

import pyconv
from pyconv import nn


def stripes(rng, count=96):
    """Return 8×8 images of stripes along one of three directions, and which."""
    classes = rng.integers(0, 3, count)
    i, j = np.mgrid[:8, :8]
    waves = np.stack([np.sin(1.5 * i), np.sin(1.5 * j), np.sin(1.1 * (i + j))])
    noise = 0.3 * rng.standard_normal((count, 8, 8))
    return (waves[classes] + noise)[:, np.newaxis].astype(np.float32), classes


def model(seed=0):
    draw = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, rng=draw), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(36, 3, rng=draw),
    )  # fmt: skip


def train(data, epochs=4, seed=0, lr=1e-2, **keywords):
    """Return a trained model and its history."""
    net = model(seed)
    optimizer = nn.Adam(net.parameters(), lr=lr)
    criterion = nn.CrossEntropyLoss()
    keywords = {"batch_size": 16, "rng": seed, "epochs": epochs} | keywords
    return net, nn.fit(net, *data, criterion, optimizer, **keywords)


def test_it_learns(rng):
    """And writes down what it saw: averages over all samples, the last batch being smaller."""
    data, other = stripes(rng, 90), stripes(rng, 40)
    net, history = train(data, epochs=6, validation=other)
    assert history.stopped is None
    for numbers in (history.loss, history.accuracy, history.validation_loss,
                    history.validation_accuracy, history.seconds):  # fmt: skip
        assert len(numbers) == 6
    assert history.loss[-1] < history.loss[0] / 2
    assert history.validation_accuracy[-1] > 0.9
    assert net.training
    loss, share = nn.evaluate(net, *other, nn.CrossEntropyLoss(), batch_size=7)
    np.testing.assert_allclose(loss, history.validation_loss[-1], rtol=1e-5)
    assert share == history.validation_accuracy[-1] == history.last()["validation_accuracy"]


def test_one_seed_gives_one_model(rng):
    """The same weights, bit for bit, and others from another seed."""
    data = stripes(rng)
    with pyconv.set_workers(1):
        a, b, c = (train(data, 2, seed)[0].state_dict() for seed in (0, 0, 1))
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])
        assert not np.array_equal(a[name], c[name])


def test_a_step_is_the_five_lines(rng):
    """Without shuffling, fit does what its documentation says and nothing else."""
    x, classes = stripes(rng, 32)
    fitted, _ = train((x, classes), 1, shuffle=False)
    by_hand = model()
    optimizer = nn.Adam(by_hand.parameters(), lr=1e-2)
    criterion = nn.CrossEntropyLoss()
    for batch, target in ((x[:16], classes[:16]), (x[16:], classes[16:])):
        optimizer.zero_grad()
        y = by_hand(batch)
        criterion(y, target)
        by_hand.backward(criterion.backward())
        optimizer.step()
    for name, w in by_hand.state_dict().items():
        np.testing.assert_array_equal(w, fitted.state_dict()[name])


def test_targets_may_be_pictures(rng):
    """A mean squared error has no accuracy."""
    x = rng.standard_normal((8, 1, 12))
    net = nn.Conv1d(1, 1, 3, padding=1, rng=0)
    history = nn.fit(
        net, x, 2 * x, nn.MSELoss(), nn.SGD(net.parameters(), lr=0.05), epochs=2, validation=(x, x)
    )
    assert not history.accuracy
    assert not history.validation_accuracy
    assert set(history.last()) == {"loss", "validation_loss", "seconds"}


def test_data_are_checked_before_the_first_step(rng):
    """Also the last label, and that of the validation data; the weights stay as they are."""
    x, classes = stripes(rng, 40)
    wrong = classes.copy()
    wrong[-1] = 3
    net = model()
    before = net.state_dict()
    optimizer = nn.SGD(net.parameters(), lr=0.1)
    criterion = nn.CrossEntropyLoss()
    for data, keywords, words in (
        ((x, wrong), {}, "classes from 0 to 2"),
        ((x, classes), {"validation": (x, wrong)}, "classes from 0 to 2"),
        ((x, classes[:-1]), {}, r"\(40, 1, 8, 8\) and \(39,\)"),
        ((x[:0], classes[:0]), {}, "at least one"),
        ((x, classes), {"validation": (x[:0], classes[:0])}, "at least one"),
        ((x[:, :, :4, :4], classes), {}, r"layer 4, Linear.*\(1, 4\).*\(3, 36\)"),
        ((x, classes), {"epochs": 0}, "epochs"),
        ((x, classes), {"batch_size": 0}, "batch_size"),
        ((x, x), {}, "target has shape"),
    ):
        with pytest.raises(ValueError, match=words):
            nn.fit(net, *data, criterion, optimizer, **({"epochs": 1} | keywords))
    for name, w in net.state_dict().items():
        np.testing.assert_array_equal(w, before[name])


def test_nan_ends_training(rng):
    """With a warning that says where, and the weights of the step before."""
    x, classes = stripes(rng, 40)
    x[35] = np.nan
    with pytest.warns(RuntimeWarning, match=r"loss of epoch 1, batch 3 is nan.*smaller lr than"):
        net, history = train((x, classes), shuffle=False)
    assert "batch 3" in history.stopped
    assert not history.loss
    assert all(np.isfinite(w).all() for w in net.state_dict().values())
    with pytest.warns(RuntimeWarning, match="is (nan|inf)"):
        train(stripes(rng), lr=1e30)


def test_an_interrupt_leaves_the_model_usable(rng, monkeypatch):
    """Ctrl-C at any place: the history so far, finite weights, no gradients, and it trains on."""
    data = stripes(rng)
    for place in ((nn.Adam, "update"), (nn.Conv2d, "backward"), (nn.MaxPool2d, "forward")):
        calls = []
        owner, name = place
        original = getattr(owner, name)

        def interrupted(*args, original=original, calls=calls, **keywords):
            calls.append(None)
            if len(calls) == 40:
                raise KeyboardInterrupt
            return original(*args, **keywords)

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, interrupted)
            net, history = train(data, epochs=50, validation=data)
        assert history.stopped.startswith("interrupted after")
        assert len(history.loss) < 50
        assert net.training
        assert all(p.grad is None and p.data.flags.writeable for p in net.parameters())
        loss, _ = nn.evaluate(net, *data, nn.CrossEntropyLoss())
        optimizer = nn.Adam(net.parameters(), lr=1e-2)
        later = nn.fit(net, *data, nn.CrossEntropyLoss(), optimizer, epochs=5, rng=0)
        assert later.loss[-1] < loss


def test_progress(rng, capsys, monkeypatch):
    """A bar if it is wanted and tqdm is installed; without it, training alone."""
    data = stripes(rng)
    pytest.importorskip("tqdm")
    train(data, 1, progress=False)
    assert not capsys.readouterr().err
    train(data, 1, progress=True)
    assert "0/6" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    _, history = train(data, 1, progress=True)
    assert len(history.loss) == 1


def test_lenet_learns_digits():
    """Real digits, a shortened run; `python -m benchmarks lenet` is the whole one."""
    datasets = pytest.importorskip("sklearn.datasets")
    digits = datasets.load_digits()
    images = np.kron(digits.images, np.ones((4, 4)))[:, np.newaxis].astype(np.float32) / 8 - 1
    x, target = images[:600], digits.target[:600]
    net = nn.models.LeNet5(rng=0)
    optimizer = nn.Adam(net.parameters(), lr=3e-3)
    with pyconv.set_workers(1):
        nn.fit(net, x, target, nn.CrossEntropyLoss(), optimizer, epochs=6, batch_size=32, rng=0)
    _, share = nn.evaluate(net, images[600:900], digits.target[600:900], nn.CrossEntropyLoss())
    assert share > 0.85
