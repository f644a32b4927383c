"""The demo's pictures: before and after, one figure for each recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from pyconv._commands.demo_data import Recording

Array = npt.NDArray[Any]

INK, FAINT, MARK = "#1f3b57", "#9fb2c4", "#d1495b"


def _figure(width: float, height: float, title: str, recording: Recording) -> Figure:
    # No pyplot: a command must not choose the backend of whoever imports it.
    layout = ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.06)
    figure = Figure(figsize=(width, height), dpi=110, layout=layout)
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=14, fontweight="bold", x=0.01, ha="left")
    figure.supxlabel(f"Data: {recording.credit}", fontsize=8, color="#666666", x=0.01, ha="left")
    return figure


def ecg(recording: Recording, results: Sequence[Array]) -> Figure:
    """Draw the heartbeats before (faint) and after each filter."""
    smooth, slope, baseline, matched, _ = results
    x = recording.array
    figure = _figure(11, 8, "ECG: three heartbeats through pyconv.correlate", recording)
    panels = figure.subplots(4, 1, sharex=True)
    panels[0].plot(x, color=FAINT, lw=1, label="before")
    panels[0].plot(smooth, color=INK, lw=1.3, label="after: Gaussian, σ = 2 samples")
    panels[1].plot(slope, color=INK, lw=1.1, label="after: slope (derivative of that Gaussian)")
    panels[1].axhline(0, color=FAINT, lw=0.8)
    panels[2].plot(x, color=FAINT, lw=1, label="before")
    panels[2].plot(baseline, color=MARK, lw=1.3, label="baseline: mean of 251 samples")
    panels[2].plot(x - baseline, color=INK, lw=1, label="after: before minus baseline")
    beat = recording.marks["beat"]
    panels[3].axvspan(beat.start, beat.stop, color=FAINT, alpha=0.3, lw=0, label="the template")
    panels[3].plot(
        matched, color=INK, lw=1.1, label="after: likeness to the template (matched filter)"
    )
    for peak in _peaks(matched):
        panels[3].axvline(peak, color=MARK, lw=0.9, ls="--")
    units = ("counts", "counts / sample", "counts", "counts")
    for panel, unit in zip(panels, units, strict=True):
        panel.set_ylabel(unit)
        panel.set_xlim(0, x.size - 1)
        panel.margins(y=0.12)
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(
            loc="lower right", bbox_to_anchor=(1, 0.97), fontsize=9, frameon=False, ncols=3
        )
    panels[-1].set_xlabel("sample")
    return figure


def _peaks(y: Array) -> Array:
    inner = (y[1:-1] > y[:-2]) & (y[1:-1] >= y[2:]) & (y[1:-1] > 0.6 * y.max())
    return np.flatnonzero(inner) + 1


def photograph(recording: Recording, results: Sequence[Array]) -> Figure:
    """Draw the photograph before and after each filter."""
    gaussian, sobel, gabor, lens, _, laplace, sharp, small = results
    figure = _figure(13, 7.7, "Photograph through pyconv.correlate", recording)
    panels = figure.subplots(2, 4)
    grey = np.abs(laplace).max(axis=2)
    pictures: list[tuple[str, Array, dict[str, Any]]] = [
        ("before: uint8, 512 × 512 × 3", recording.array, {}),
        ("Gaussian 13 × 13, float32, each colour", gaussian, {}),
        ("lens blur 21 × 21, float32, each colour", lens, {}),
        ("sharpen 3 × 3, uint8, saturated", sharp, {}),
        ("Sobel magnitude 3 × 3, float32", sobel, _range(sobel, 99.5)),
        ("|Laplace| 3 × 3, exact integers", grey, _range(grey, 99.5)),
        ("Gabor 25 × 25, float32", gabor, _range(gabor, 99.5, signed=True)),
        (f"shrunk: 17 × 17, stride 4 → {small.shape[0]} × {small.shape[1]}", small, {}),
    ]
    for panel, (title, picture, how) in zip(panels.flat, pictures, strict=True):
        _show(
            panel,
            title,
            np.clip(picture, 0, 1) if picture.dtype.kind == "f" and not how else picture,
            how,
        )
    return figure


def volume(recording: Recording, results: Sequence[Array]) -> Figure:
    """Draw three sections of the volume before and after each filter."""
    gaussian, sobel, _, laplace = results
    figure = _figure(13, 5.5, "Brain scan through pyconv.correlate, in three dimensions", recording)
    columns: list[tuple[str, Array, dict[str, Any]]] = [
        ("before: int16, " + " × ".join(map(str, recording.array.shape)), recording.array, {}),
        ("Gaussian 9 × 9 × 9, float32", gaussian, {}),
        ("Sobel magnitude 3 × 3 × 3, float32", sobel, _range(sobel, 99.8)),
        ("Laplace 3 × 3 × 3, exact integers", laplace, _range(laplace, 99.5, signed=True)),
    ]
    x, y, z = (n * s for n, s in zip(recording.array.shape, recording.spacing, strict=True))
    panels = figure.subplots(3, 4, height_ratios=[y / x, z / x, z / y])
    for column, (title, picture, shades) in enumerate(columns):
        how = shades or _range(picture, 99.8)
        for row, axis in enumerate((2, 1, 0)):
            section = picture.take(picture.shape[axis] // 2, axis=axis).T
            vertical, horizontal = ((1, 0), (2, 0), (2, 1))[row]
            aspect = recording.spacing[vertical] / recording.spacing[horizontal]
            panel = panels[row, column]
            _show(
                panel,
                title if row == 0 else "",
                section,
                {**how, "aspect": aspect, "origin": "lower"},
            )
            if column == 0:
                panel.set_ylabel(("axial", "coronal", "sagittal")[row])
    return figure


def _range(y: Array, percent: float, signed: bool = False) -> dict[str, Any]:
    """Return the greys that leave out the few largest values."""
    top = float(np.percentile(np.abs(y), percent))
    if signed:
        return {"cmap": "RdBu_r", "vmin": -top, "vmax": top}
    return {"cmap": "gray", "vmin": 0, "vmax": top}


def _show(panel: Axes, title: str, picture: Array, how: dict[str, Any]) -> None:
    panel.imshow(picture, **how)
    panel.set_title(title, fontsize=9.5, loc="left")
    panel.set_xticks([])
    panel.set_yticks([])
    panel.spines[:].set_visible(False)
