"""Charts of a report, by matplotlib: bars of ratios, and the roofline of our rows."""

import importlib
from pathlib import Path
from typing import Any

from benchmarks.report.summary import Class, by_peer, is_peer, ratio, trusted

#: One colour a library, in every chart.
COLOURS = {
    "the best": "#333333",
    "OpenCV": "#1b7f3b",
    "np.correlate": "#4c78a8",
    "signal.correlate": "#9ecae9",
    "signal.oaconvolve": "#6baed6",
    "ndimage": "#2f4b7c",
    "ndimage.correlate": "#2f4b7c",
    "ndimage.correlate1d": "#2f4b7c",
    "torch": "#e45756",
    "ONNX Runtime": "#b279a2",
    "OpenVINO": "#f58518",
    "astropy": "#eeca3b",
    "scikit-image": "#72b7b2",
    "numba": "#54a24b",
    "scipy.ndimage": "#2f4b7c",
    "scipy.signal": "#9ecae9",
    "DIPlib": "#8c564b",
    "SimpleITK": "#e377c2",
    "libvips": "#17becf",
    "ducc0": "#bcbd22",
    "mkl_fft": "#0068b5",
    "soxr": "#d67195",
}
_OTHER = "#999999"
_BAR = 0.8


def _figure(width: float, height: float) -> tuple[Any, Any]:
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "pyconv"  # the same file for the same figures
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    figure, axes = pyplot.subplots(figsize=(width, height), layout="constrained")
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Any, file: Path) -> None:
    figure.savefig(file, metadata={"Date": None})
    importlib.import_module("matplotlib.pyplot").close(figure)


def _ratio_axis(axes: Any, longest: float) -> None:
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlim(right=longest * 1.6)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}×")
    axes.grid(axis="x", which="major", color="#dddddd")
    axes.set_axisbelow(True)
    axes.set_xlabel("time of the other ÷ time of pyconv: right of 1×, pyconv is faster")


def overview(classes: list[Class], file: Path) -> bool:
    """Draw the mean of the best peer of each class, and its range; return whether there is one."""
    found = [(c["name"], by_peer(c)) for c in classes]
    means = {name: peers["the best"] for name, peers in found if peers}
    if not means:
        return False
    figure, axes = _figure(8, 1.2 + 0.36 * len(means))
    values = [m.value for m in means.values()]
    spans = [
        [m.value - m.least for m in means.values()],
        [m.greatest - m.value for m in means.values()],
    ]
    colours = ["#4c78a8" if m.least >= 1 else "#e4a056" for m in means.values()]
    lengths = [value - 1 for value in values]  # from 1×: what is as fast has no bar
    axes.barh(list(means), lengths, left=1, color=colours, xerr=spans, ecolor="#777777", capsize=3)
    for row, mean in enumerate(means.values()):
        axes.text(mean.greatest * 1.08, row, f"{mean.value:.1f}×", va="center", fontsize=9)
    axes.invert_yaxis()
    _ratio_axis(axes, max(m.greatest for m in means.values()))
    axes.set_title("Fastest other library ÷ pyconv: geometric mean, least, greatest", fontsize=10)
    _save(figure, file)
    return True


def bars(group: Class, file: Path) -> bool:
    """Draw the ratio of every peer in every trusted row of a class; return whether there is one."""
    rows = [row for row in trusted(group["rows"]) if any(map(is_peer, row["seconds"]))]
    if not rows:
        return False
    names = list(dict.fromkeys(n for row in rows for n in row["seconds"] if is_peer(n)))
    figure, axes = _figure(8, 1.3 + (0.16 * len(names) + 0.14) * len(rows))
    thickness, longest = _BAR / len(names), 1.0
    for place, name in enumerate(names):
        at: list[float] = []
        values: list[float] = []
        spans: tuple[list[float], list[float]] = ([], [])
        for number, row in enumerate(rows):
            if name in row["seconds"]:
                r = ratio(row, name, group["ours"])
                at.append(number - _BAR / 2 + (place + 0.5) * thickness)
                values.append(r.value - 1)
                spans[0].append(r.value - r.low)
                spans[1].append(r.high - r.value)
                longest = max(longest, r.high)
        colour = COLOURS.get(name, _OTHER)
        axes.barh(
            at, values, thickness, left=1, label=name, color=colour, xerr=spans, ecolor="#555555"
        )
    axes.set_yticks(range(len(rows)), [row["case"] for row in rows], fontsize=9)
    axes.invert_yaxis()
    _ratio_axis(axes, longest)
    figure.legend(fontsize=8, loc="outside lower center", ncols=4)
    axes.set_title(group["title"], fontsize=10)
    _save(figure, file)
    return True


def roofline(run: dict[str, Any], file: Path) -> bool:
    """Draw our rate in each trusted row over its operations a byte; return whether there is one."""
    if not any(row["bytes"] for group in run["classes"] for row in trusted(group["rows"])):
        return False
    peak, bandwidth = run["limits"]["flops"] * 1e-9, run["limits"]["bandwidth"] * 1e-9
    figure, axes = _figure(8, 5)
    marks = "os^Dv<>pPX*h"
    intensities = [0.5, 2000.0]
    for number, group in enumerate(run["classes"]):
        rows = [row for row in trusted(group["rows"]) if row["bytes"]]
        if rows:
            across = [2 * row["products"] / row["bytes"] for row in rows]
            intensities += across
            axes.plot(across, [row["gflops"] for row in rows], marks[number % len(marks)],
                      label=group["name"], markersize=6, alpha=0.8)  # fmt: skip
    span = [min(intensities), max(intensities)]
    ridge = peak / bandwidth
    axes.plot([span[0], ridge, span[1]], [span[0] * bandwidth, peak, peak], color="black")
    axes.text(span[1], peak, f"peak {peak:.0f} GF/s", ha="right", va="bottom", fontsize=9)
    axes.text(span[0], span[0] * bandwidth * 1.4, f"copy {bandwidth:.0f} GB/s", fontsize=9)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("operations of the definition ÷ bytes of the arrays")
    axes.set_ylabel("GF/s of the definition")
    figure.legend(fontsize=8, loc="outside lower center", ncols=6)
    axes.grid(which="major", color="#dddddd")
    axes.set_title("Points above the roof multiply less than the definition, or stay in the cache",
                   fontsize=10)  # fmt: skip
    _save(figure, file)
    return True
