"""Layers that a user has written: they work, or the error names them and what they lack."""

import numpy as np
import pytest

from pyconv import nn


class Scale(nn.Layer):
    """As the page on layers says: forward and backward, and a parameter."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter([2.0])

    def forward(self, input):  # noqa: A002
        x = np.asarray(input, np.float32)
        self.keep(x)
        return x * self.factor.data

    def backward(self, grad_output, *, input_gradient=True):
        x = self.kept()
        self.factor.add_gradient(np.sum(grad_output * x, keepdims=True).reshape(1))
        return grad_output * self.factor.data if input_gradient else None


class Shaped(Scale):
    """With the shape of its result too."""

    def output_shape(self, input_shape):
        return input_shape


class Careless(Scale):
    """Without the line that everybody forgets."""

    def __init__(self):
        self.factor = nn.Parameter([2.0])


class Composed(Scale):
    """Made of others, which are attributes."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 3, rng=0)

    def forward(self, input):  # noqa: A002
        return self.inner(super().forward(input))

    def backward(self, grad_output, *, input_gradient=True):
        return super().backward(self.inner.backward(grad_output), input_gradient=input_gradient)


class Nothing(nn.Layer):
    """What is there before anything is defined."""


def test_summary_names_what_is_missing():
    """The layer, by its place in the model, and the method."""
    model = nn.Sequential(nn.Linear(3, 3), nn.Sequential(Scale()))
    with pytest.raises(NotImplementedError, match=r"layer 1\.0: Scale does not .*output_shape"):
        model.summary((4, 3))
    with pytest.raises(NotImplementedError, match="layer Scale: Scale does not define output_sha"):
        Scale().summary((4, 3))


def test_summary_of_a_layer_with_a_shape():
    """One method is enough."""
    summary = nn.Sequential(nn.Linear(3, 3), Shaped()).summary((4, 3))
    assert [row.kind for row in summary.rows] == ["Linear", "Shaped"]
    assert [row.output_shape for row in summary.rows] == [(4, 3), (4, 3)]
    assert summary.parameters == 13


@pytest.mark.parametrize("kind", [Scale, Shaped, Careless, Composed])
def test_everything_else_works(kind, tmp_path):
    """Words, weights in and out, modes, and training."""
    model = nn.Sequential(kind(), nn.Linear(3, 2, rng=0))
    assert kind.__name__ in repr(model)
    assert "0.factor" in model.state_dict()
    assert ("0.inner.weight" in model.state_dict()) == (kind is Composed)
    x, target = np.ones((8, 3)), np.zeros((8, 2))
    before = model.eval()(x)
    assert not model[0].factor.data.flags.writeable
    model.train()
    model.save(tmp_path / "weights")
    optimizer = nn.SGD(model.parameters(), 0.01)
    history = nn.fit(model, x, target, nn.MSELoss(), optimizer, epochs=3, validation=(x, target))
    assert history.loss[-1] < history.loss[0]
    model.load(tmp_path / "weights")
    np.testing.assert_array_equal(model(x), before)


def test_what_is_not_defined_is_named():
    """By the class that lacks it."""
    with pytest.raises(NotImplementedError, match=r"Nothing does not define forward\(input\)"):
        nn.Sequential(Nothing())(np.ones(3))
    with pytest.raises(NotImplementedError, match="Nothing does not define backward"):
        Nothing().backward(np.ones(3))

    class Criterion(nn.Criterion):
        pass

    class Optimizer(nn.Optimizer):
        weight_decay = 0

    with pytest.raises(NotImplementedError, match="Criterion does not define loss"):
        Criterion()(np.ones(3), np.ones(3))
    p = nn.Parameter([1.0])
    p.grad = p.data.copy()
    with pytest.raises(NotImplementedError, match="Optimizer does not define update"):
        Optimizer([p]).step()


def test_arguments_of_fit():
    """Each is named, with what is allowed."""
    model = nn.Linear(3, 2, rng=0)
    x, target = np.ones((8, 3)), np.zeros((8, 2))
    good = {
        "model": model, "x": x, "target": target, "criterion": nn.MSELoss(),
        "optimizer": nn.SGD(model.parameters()), "epochs": 1,
    }  # fmt: skip
    for name, values in {
        "model": (None, 3, nn.Linear),
        "criterion": (None, "mse", nn.MSELoss),
        "optimizer": (None, 0.1, nn.SGD),
        "validation": (3, (x,), (x, target, x), {x.size: target}, x, "ab"),
        "epochs": (None, 1.5, "1", {1}, 0, -1, True),
        "batch_size": (None, 1.5, "1", {1}, 0, -1, True),
        "rng": ("1", 1.5, {1}, -1, True),
        "x": (np.ma.ones((8, 3)), np.ones((7, 3)), 3),
        "target": (np.ma.ones((8, 2)), np.ones((7, 2)), 3),
    }.items():
        for value in values:
            with pytest.raises((TypeError, ValueError), match=name):
                nn.fit(**good | {name: value})
    with pytest.raises(TypeError, match="target is a masked array"):
        nn.functional.cross_entropy(np.ones((2, 3)), np.ma.array([0, 1], mask=[0, 1]))
    with pytest.raises(TypeError, match="target is a masked array"):
        nn.accuracy(np.ones((2, 3)), np.ma.array([0, 1], mask=[0, 1]))
    with pytest.raises(TypeError, match="indices is a masked array"):
        nn.grad.max_pool1d_input((1, 4), np.ma.array([[0, 2]]), np.ones((1, 2)))
