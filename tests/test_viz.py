"""Pictures: what is drawn is what was given, labelled; skipped where matplotlib is missing."""

import builtins
import importlib
import io

import numpy as np
import pytest

from pyconv import nn, viz

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def drawn(figure):
    """Return the pictures of a figure, after it was drawn without a warning."""
    figure.savefig(io.BytesIO(), format="png")
    return [ax.get_images()[0] for ax in figure.axes if ax.get_images()]


@pytest.mark.parametrize(("shape", "count"), [((3, 3), 1), ((6, 1, 5, 5), 6), ((2, 3, 4, 4), 6),
                                              ((5, 3, 2), 5), ((2, 1, 7), 2)])  # fmt: skip
def test_kernels_are_drawn_around_zero(rng, shape, count):
    w = rng.standard_normal(shape)
    figure = viz.show_kernels(w, titles=["first"], title="all")
    panels = drawn(figure)
    assert (
        np.concatenate([p.get_array().data.ravel() for p in panels]).tolist() == w.ravel().tolist()
    )
    for panel in panels:
        low, high = panel.get_clim()
        assert low == -high == -np.abs(panel.get_array()).max()
    assert figure.axes[0].get_title() == "first"
    shared = drawn(viz.show_kernels(w, shared=True))
    assert {p.get_clim() for p in shared[: len(panels)]} == {(-np.abs(w).max(), np.abs(w).max())}


def test_feature_maps_are_drawn_one_by_one(rng):
    maps = rng.random((1, 5, 6, 7))
    figure = viz.show_feature_maps(maps)
    for i, panel in enumerate(drawn(figure)):
        np.testing.assert_array_equal(panel.get_array(), maps[0, i])
        assert figure.axes[i].get_title() == f"channel {i}"
    drawn(viz.show_feature_maps(np.zeros((3, 4)), signed=True, titles=["nothing"]))
    different = [np.ones((3, 4)), np.ones((2, 2))]
    shapes = [panel.get_array().shape for panel in drawn(viz.show_feature_maps(different))]
    assert shapes == [(3, 4), (2, 2)]


def test_receptive_fields_are_outlined(rng):
    """The outline holds all samples that the result changes with; the model stays as it was."""
    model = nn.Sequential(
        nn.Conv2d(1, 3, 5, stride=2, padding=2, rng=0), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1),
        nn.Residual(nn.Conv2d(3, 3, 3, padding="same", rng=1)), nn.Flatten(), nn.Linear(48, 2),
    )  # fmt: skip
    x = rng.random((16, 16))
    for layers, position in ((1, (0, 0)), (2, (7, 3)), (3, (2, 2)), (4, (2, 1)), (4, (3, 3))):
        model.eval()
        figure = viz.show_receptive_field(model, x, layers=layers, position=position)
        assert not model.training
        assert all(p.grad is None for p in model.parameters())
        gradient = drawn(figure)[1].get_array()
        (outline,) = figure.axes[1].patches
        field = model[:layers].summary((1, 1, 16, 16)).rows[-1].receptive_field
        assert (outline.get_height(), outline.get_width()) == field
        rows, columns = np.nonzero(gradient)
        assert len(rows)
        assert outline.get_y() <= rows.min() - 0.5 <= rows.max() + 0.5 <= outline.get_y() + field[0]
        assert outline.get_x() <= columns.min() - 0.5
        assert columns.max() + 0.5 <= outline.get_x() + field[1]


@pytest.mark.parametrize("layers", [2, None])
@pytest.mark.parametrize("position", [None, (99, 0)])
def test_a_model_is_left_as_it_was(rng, layers, position):
    """Its mode, that of every layer and its gradients; after an error too."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3, rng=0), nn.ReLU())
    gradients = {}
    for training in (True, False):
        for p in model.parameters():
            p.grad = rng.random(p.shape).astype(p.data.dtype)
            gradients[id(p)] = p.grad.copy()
        model.train(training)
        try:
            viz.show_receptive_field(model, rng.random((8, 8)), layers=layers, position=position)
        except ValueError:
            assert position is not None
        assert [model.training, *(layer.training for layer in model)] == [training] * 3
        for p in model.parameters():
            np.testing.assert_array_equal(p.grad, gradients[id(p)])


def test_training_curves():
    history = nn.History([1.0, 0.5], [0.5, 0.75], [1.2, 0.8], [0.25, 0.5])
    figure = viz.training_curve(history, title="digits")
    drawn(figure)
    for ax, lines in zip(figure.axes, (([1.0, 0.5], [1.2, 0.8]), ([0.5, 0.25], [0.75, 0.5])),
                         strict=True):  # fmt: skip
        assert [list(line.get_ydata()) for line in ax.get_lines()] == list(lines)
        assert ax.get_xlabel() == "epoch"
    assert figure.axes[1].get_ylabel() == "share of errors"


def test_gaps_are_left_blank_in_the_range_of_the_rest(rng):
    """What is not finite does not spoil the colours."""
    picture = rng.random((4, 5)) - 0.5
    picture[1, 2], picture[2, 2] = np.nan, np.inf
    for figure in (viz.show_kernels(picture), viz.show_feature_maps(picture, signed=True)):
        (image,) = drawn(figure)
        limit = np.abs(picture[np.isfinite(picture)]).max()
        assert image.get_clim() == (-limit, limit)


def test_bad_input():
    model = nn.models.LeNet5(rng=0)
    for call, words in (
        (lambda: viz.show_kernels(np.ones(3)), r"shape \(3,\)"),
        (lambda: viz.show_kernels(np.ones((2, 2), complex)), "real pictures"),
        (lambda: viz.show_kernels(np.ones((3, 3)), columns=0), "columns=0"),
        (lambda: viz.show_feature_maps(np.ones((2, 1, 4, 4))), "2 inputs"),
        (lambda: viz.show_receptive_field(model, np.ones((32, 32))), "layers="),
        (lambda: viz.show_receptive_field(model, np.ones(32)), r"\(C, H, W\)"),
        (lambda: viz.show_receptive_field(model, np.ones((32, 32)), layers=1, position=(28, 0)),
         "outside"),
        (lambda: viz.training_curve(nn.History()), "no whole epoch"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            call()


def test_without_matplotlib(monkeypatch):
    """The error says what to install."""

    def missing(name, *args):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return builtins.__import__(name, *args)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"pyconv-nd\[viz\]"):
        viz.show_kernels(np.ones((3, 3)))
