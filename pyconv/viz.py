"""Pictures of kernels, feature maps, receptive fields and training, by matplotlib.

Every function returns a figure, which ``figure.savefig`` writes. Kernels are drawn around zero:
what adds is red, what subtracts is blue. Needs the ``viz`` extra.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.output_arrays import plain_array
from pyconv._engine.problem import flag

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["show_feature_maps", "show_kernels", "show_receptive_field", "training_curve"]

Array = npt.NDArray[Any]
#: Inches of a panel.
PANEL = 1.5
#: Colours of training and validation, and of what is pointed at.
TRAINED, JUDGED, POINTED = "#1f5fa8", "#d1495b", "#e8871e"
#: Kernels up to this size have their numbers written in.
WRITTEN = 9


def show_kernels(
    kernels: npt.ArrayLike,
    *,
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    shared: bool = False,
    title: str | None = None,
) -> Figure:
    """Draw kernels, zero in white.

    Parameters
    ----------
    kernels : array_like
        Shape (height, width), (K, height, width) or (K, C, height, width), a row for each K then;
        or a list of kernels (height, width) of any shapes.
    titles : sequence of str, optional
        What is written above each.
    columns : int, optional
        Kernels side by side; by default about as many as rows, or the C channels.
    shared : bool, optional
        Whether all have one range of colours; by default each has its own.
    title : str, optional
        What is written above all.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        For shapes that are no pictures.

    Examples
    --------
    >>> from pyconv import kernels, viz
    >>> figure = viz.show_kernels(kernels.sobel(), titles=["Sobel"])
    >>> figure.axes[0].get_title()
    'Sobel'
    """
    panels, (_, channels) = _panels(kernels, "kernels")
    shared = flag(shared, "shared")
    columns = channels if columns is None and channels > 1 else columns
    figure, axes = _grid(len(panels), panels[0].shape, columns, title)
    largest = max(map(_limit, panels))
    for i, (ax, panel) in enumerate(zip(axes, panels, strict=True)):
        limit = largest if shared else _limit(panel)
        image = ax.imshow(panel, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
        if titles is not None and i < len(titles):
            ax.set_title(titles[i], fontsize=9)
        if panel.size <= WRITTEN and len(panels) <= 8:
            _write_numbers(ax, panel, limit)
    if shared:
        figure.colorbar(image, ax=axes, shrink=0.7, label="weight")
    return figure


def _limit(panel: Array) -> float:
    """Return the largest finite magnitude: the end of the range of colours."""
    return float(np.abs(panel, where=np.isfinite(panel), out=np.zeros(panel.shape)).max()) or 1.0


def _write_numbers(ax: Any, panel: Array, limit: float) -> None:
    for (i, j), value in np.ndenumerate(panel):
        colour = "white" if abs(value) > 0.6 * limit else "black"
        number = f"{value:.2g}" if abs(value) > 1e-3 * limit else "0"
        ax.text(j, i, number, ha="center", va="center", fontsize=8, color=colour)


def show_feature_maps(
    maps: npt.ArrayLike,
    *,
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    title: str | None = None,
    signed: bool = False,
) -> Figure:
    """Draw what the channels of a layer make of one input, each in its own range of greys.

    Parameters
    ----------
    maps : array_like
        Shape (C, H, W), (1, C, H, W) or (H, W), or a list of pictures (H, W) of any shapes.
    titles : sequence of str, optional
        What is written above each; by default the number of the channel.
    columns : int, optional
        Maps side by side; by default about as many as rows.
    title : str, optional
        What is written above all.
    signed : bool, optional
        Whether colours are those of `show_kernels`, around zero.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        For other shapes.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import viz
    >>> figure = viz.show_feature_maps(np.random.default_rng(0).random((6, 28, 28)))
    >>> [ax.get_title() for ax in figure.axes[:2]]
    ['channel 0', 'channel 1']
    """
    panels, (inputs, _) = _panels(maps, "maps")
    signed = flag(signed, "signed")
    if inputs > 1:
        raise ValueError(f"maps are those of {inputs} inputs; those of one, maps[i], are drawn")
    figure, axes = _grid(len(panels), panels[0].shape, columns, title)
    for i, (ax, panel) in enumerate(zip(axes, panels, strict=True)):
        limit = _limit(panel)
        colours = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit} if signed else {"cmap": "gray"}
        ax.imshow(panel, interpolation="nearest", **colours)
        name = f"channel {i}" if len(panels) > 1 else ""
        ax.set_title(titles[i] if titles is not None and i < len(titles) else name, fontsize=9)
    return figure


def show_receptive_field(
    model: Any,
    input: npt.ArrayLike,
    *,
    layers: int | None = None,
    position: tuple[int, int] | None = None,
) -> Figure:
    """Draw which samples of an input one result of a model depends on, and how strongly.

    The samples that it could depend on are outlined, R by R of them (`pyconv.arithmetic`). How much
    the result changes with each is the gradient, found by going backward from that result alone.

    Parameters
    ----------
    model : Sequential
        Layers that make pictures of pictures; it is left as it was.
    input : array_like
        One picture, of shape (C, H, W) or (H, W).
    layers : int, optional
        Take only this many of the model's layers, from the first on.
    position : tuple of int, optional
        Row and column of the result; by default the one in the middle.

    Returns
    -------
    matplotlib.figure.Figure
        The picture with the outline, beside the gradient.

    Raises
    ------
    ValueError
        For inputs that are no pictures, results that are none, and positions outside.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn, viz
    >>> model = nn.models.LeNet5(rng=0)
    >>> figure = viz.show_receptive_field(model, np.ones((32, 32)), layers=4)
    >>> figure.axes[1].get_title()
    'sees 14 × 14'
    """
    picture = plain_array(input, "input")
    x = picture[np.newaxis] if picture.ndim == 2 else picture
    if x.ndim != 3:
        raise ValueError(f"input has shape {picture.shape}; allowed are (C, H, W) and (H, W)")
    part = model if layers is None else model[:layers]
    gradient, field, at = _seen(part, x[np.newaxis], position)
    figure, axes = _grid(2, x.shape[1:], 2, None, panel=3.0)
    axes[0].imshow(x.mean(0), cmap="gray", interpolation="nearest")
    axes[0].set_title("input", fontsize=9)
    limit = _limit(gradient)
    image = axes[1].imshow(gradient, cmap="magma", vmin=0, vmax=limit, interpolation="nearest")
    axes[1].set_title(f"sees {field[0]} × {field[1]}", fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.7, label="|change of the result|")
    patches: Any = importlib.import_module("matplotlib.patches")
    for ax in axes:
        corner = (at[1] - 0.5, at[0] - 0.5)
        ax.add_patch(patches.Rectangle(corner, field[1], field[0], fill=False, edgecolor=POINTED))
    return figure


def _seen(
    model: Any, x: Array, position: tuple[int, int] | None
) -> tuple[Array, tuple[int, ...], list[int]]:
    """Return the size of one result's gradient, its receptive field, and where that begins."""
    rows = model.summary(x.shape).rows
    with _left_as_it_was(model):
        y = model.train()(x)
        if y.ndim != 4 or rows[-1].receptive_field is None:
            raise ValueError(
                f"the model makes {y.shape} of {x.shape}: pictures of shape (N, C, H, W) "
                "are needed; layers= takes the first of its layers"
            )
        i, j = (n // 2 for n in y.shape[2:]) if position is None else position
        if not (0 <= i < y.shape[2] and 0 <= j < y.shape[3]):
            raise ValueError(f"position={position!r} is outside of a result of shape {y.shape}")
        dy = np.zeros_like(y)
        dy[0, :, i, j] = 1
        gradient = np.abs(model.backward(dy, input_gradient=True)[0]).sum(0)
    field = rows[-1].receptive_field
    sides = (field, field) if isinstance(field, int) else field
    return gradient, sides, list(model.first_seen((i, j)))


@contextmanager
def _left_as_it_was(model: Any) -> Iterator[None]:
    """Give a model its gradients and its modes back; what it adds to meanwhile is not them."""
    modes = [(layer, layer.training) for layer in model.layers()]  # a container before its own
    gradients = [(p, p.grad) for p in model.parameters()]
    for parameter, _ in gradients:
        parameter.grad = None
    try:
        yield
    finally:
        for layer, mode in modes:
            layer.train(mode)
        for parameter, gradient in gradients:
            parameter.grad = gradient


def training_curve(history: Any, *, title: str | None = None) -> Figure:
    """Draw the losses and accuracies of `pyconv.nn.fit` over its epochs.

    Parameters
    ----------
    history : History
        What `fit` returned.
    title : str, optional
        What is written above all.

    Returns
    -------
    matplotlib.figure.Figure
        The figure: losses on a logarithmic axis and, for classes, the share that was wrong.

    Raises
    ------
    ValueError
        For a history without a whole epoch.

    Examples
    --------
    >>> from pyconv import nn, viz
    >>> history = nn.History(loss=[1.0, 0.5], validation_loss=[1.1, 0.7])
    >>> viz.training_curve(history).axes[0].get_xlabel()
    'epoch'
    """
    if not history.loss:
        raise ValueError("the history has no whole epoch")
    curves: list[tuple[str, Any, Any]] = [("loss", history.loss, history.validation_loss)]
    if history.accuracy:
        trained, judged = history.accuracy, history.validation_accuracy
        curves.append(("share of errors", [1 - a for a in trained], [1 - a for a in judged]))
    figure, axes = _grid(len(curves), (3, 4), len(curves), title, panel=3.2)
    epochs = np.arange(1, len(history.loss) + 1)
    for ax, (name, trained, judged) in zip(axes, curves, strict=True):
        ax.set_axis_on()
        ax.plot(epochs, trained, ".-", color=TRAINED, label="training")
        if judged:
            ax.plot(epochs[: len(judged)], judged, ".-", color=JUDGED, label="validation")
        if min(trained, default=0) > 0:
            ax.set_yscale("log")
        ax.set(xlabel="epoch", ylabel=name)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(alpha=0.3)
        ax.legend(frameon=False)
    return figure


def _panels(value: Any, argument: str) -> tuple[list[Array], tuple[int, int]]:
    """Return the pictures of an array, or of a list, and the first two lengths of four."""
    shapes = {np.shape(part) for part in value} if isinstance(value, list | tuple) else set()
    parts = list(value) if len(shapes) > 1 else [value]
    panels, lengths = [], (1, 1)
    for part in parts:
        given = plain_array(part, argument)
        allowed = (2,) if len(parts) > 1 else (2, 3, 4)
        if given.ndim not in allowed or given.size == 0 or given.dtype.kind not in "biuf":
            raise ValueError(
                f"{argument} has shape {given.shape} and dtype {given.dtype}; real pictures, "
                "(H, W), (K, H, W) or (K, C, H, W), or a list of (H, W), are allowed"
            )
        panels += list(given.reshape(-1, *given.shape[-2:]).astype(np.float64))
        if given.ndim == 4:
            lengths = given.shape[0], given.shape[1]
    return panels, lengths


def _grid(
    count: int,
    shape: tuple[int, ...],
    columns: int | None,
    title: str | None,
    panel: float = PANEL,
) -> tuple[Any, list[Any]]:
    """Return a figure and its panels, without ticks, in the proportions of a picture."""
    try:
        plt: Any = importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        raise ImportError("pyconv.viz needs matplotlib: pip install 'pyconv-nd[viz]'") from error
    if columns is not None and columns < 1:
        raise ValueError(f"columns={columns!r}; at least 1 is allowed")
    wide = min(count, math.ceil(math.sqrt(2 * count))) if columns is None else min(columns, count)
    rows = math.ceil(count / wide)
    ratio = min(max(shape[0] / shape[1], 0.3), 2)
    size = (panel * wide + 0.6, panel * ratio * rows + 0.4 + 0.3 * bool(title))
    figure, axes = plt.subplots(rows, wide, figsize=size, squeeze=False, layout="constrained")
    for ax in axes.flat:
        ax.set_axis_off()
    if title:
        figure.suptitle(title, fontsize=11)
    return figure, list(axes.flat)[:count]
