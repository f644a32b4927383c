"""Draw the pictures of the documentation (``python docs/pictures.py``).

Each is a result of the library on a photograph that scikit-image carries (a cat, Chelsea, by
Stéfan van der Walt, CC0; coins of Pompeii, Brooklyn Museum) or an electrocardiogram of PyWavelets.
Needs the ``demo`` extra.
"""

from pathlib import Path

import numpy as np
import pywt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import maximum_filter
from scipy.sparse.linalg import lsqr
from skimage import data

import pyconv
from pyconv.boundaries import BOUNDARIES
from pyconv.operators import linear_operator

STATIC = Path(__file__).parent / "_static"
INK, PAPER, ACCENT = (40, 40, 40), (255, 255, 255), (255, 90, 30)
GAP = 8


def gaussian(sigma: float) -> np.ndarray:
    """Return a 2-D Gaussian that sums to 1."""
    radius = round(3 * sigma)
    row = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2).astype(np.float32)
    kernel = np.outer(row, row)
    return kernel / kernel.sum()


def filters() -> Image.Image:
    """Return the photograph beside a blurred, a sharpened and an outlined one."""
    photo = data.chelsea()[20:240, 90:350]
    colour = {"boundary": "mirror", "axes": (0, 1)}
    blurred = pyconv.correlate(photo, gaussian(4), "same", **colour)
    sharpen = -2 * gaussian(2)
    sharpen[6, 6] += 3
    sharp = pyconv.correlate(photo, sharpen, "same", **colour)
    grey = photo.mean(axis=2, dtype=np.float32)
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)
    edges = np.hypot(
        pyconv.correlate(grey, sobel, "same", "mirror"),
        pyconv.correlate(grey, sobel.T, "same", "mirror"),
    )
    outlined = np.repeat(255 - 1.5 * edges[..., np.newaxis], 3, axis=2)
    return side_by_side(
        {"photograph": photo, "Gaussian": blurred, "sharpened": sharp, "Sobel": outlined}
    )


def boundaries() -> Image.Image:
    """Return what each rule of BOUNDARIES reads around a small photograph."""
    photo = data.chelsea()[70:160, 165:265]
    (height, width), pad = photo.shape[:2], 45
    panels = {}
    for name in BOUNDARIES:
        # A kernel of one weight 1 copies; the pads make what lies outside visible.
        seen = pyconv.correlate(photo, [[1]], [(pad, pad)] * 2, name, fill_value=90, axes=(0, 1))
        image = Image.fromarray(seen.astype(np.uint8))
        frame = pad - 1, pad - 1, pad + width, pad + height
        ImageDraw.Draw(image).rectangle(frame, outline=ACCENT)
        panels[name] = np.asarray(image)
    return side_by_side(panels)


def missing() -> Image.Image:
    """Return a photograph and a heartbeat with gaps, smoothed with NaN and without."""
    photo = data.chelsea()[60:200, 110:330].astype(np.float32)
    rng = np.random.default_rng(5)
    rows, columns = np.ogrid[: photo.shape[0], : photo.shape[1]]
    for row, column, radius in zip(
        rng.integers(0, 140, 25), rng.integers(0, 220, 25), rng.integers(2, 9, 25), strict=True
    ):
        photo[(rows - row) ** 2 + (columns - column) ** 2 < radius**2] = np.nan
    kernel, image = gaussian(2.5), {"mode": "same", "boundary": "mirror", "axes": (0, 1)}
    panels = {
        "with holes": photo,
        "NaN propagate": pyconv.correlate(photo, kernel, **image),
        "NaN left out": pyconv.correlate(photo, kernel, nan_policy="omit", **image),
    }
    top = side_by_side({k: np.where(np.isnan(p), ACCENT, p) for k, p in panels.items()})

    beat = pywt.data.ecg().astype(float)[120:520]
    for start, length in ((40, 6), (90, 9), (171, 7), (240, 14), (318, 5), (360, 10)):
        beat[start : start + length] = np.nan
    kernel = gaussian(4)[12] / gaussian(4)[12].sum()
    figure = Figure((top.width / 100, 2.4), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.plot(beat, "0.75", label="electrocardiogram with gaps")
    left_out = pyconv.correlate(beat, kernel, "same", "mirror", nan_policy="omit")
    axes.plot(left_out, color="tab:blue", label="smoothed, NaN left out")
    plain = pyconv.correlate(beat, kernel, "same", "mirror")
    axes.plot(plain, color="tab:orange", lw=2, label="smoothed, NaN propagate")
    axes.legend(frameon=False, fontsize=8, loc="upper center")
    axes.set_xlabel("sample", fontsize=8)
    return above(top, drawn(figure))


def operators() -> Image.Image:
    """Return a photograph, what a moving camera makes of it, and what lsqr finds."""
    photo = data.chelsea()[60:220, 110:330].mean(axis=2)
    path = np.zeros((9, 19))
    path[np.linspace(0, 8, 19).round().astype(int), np.arange(19)] = 1 / 19
    blur = linear_operator(photo.shape, path, "same", "nearest")
    seen = (blur @ photo.ravel()).reshape(photo.shape)
    seen += np.random.default_rng(1).normal(size=seen.shape)
    found = lsqr(blur, seen.ravel(), damp=0.02, iter_lim=200)[0].reshape(photo.shape)
    panels = {"photograph": photo, "moved while exposed, noise": seen, "by lsqr": found}
    return side_by_side({k: np.repeat(p[..., np.newaxis], 3, axis=2) for k, p in panels.items()})


def matching() -> Image.Image:
    """Return a photograph of coins, how much each window is like one of them, and the finds."""
    coins = data.coins()
    coin = coins[100:147, 129:178]
    like = pyconv.match_template(coins, coin, "same", "symmetric")
    found = Image.fromarray(np.repeat(coins[..., np.newaxis], 3, axis=2))
    draw = ImageDraw.Draw(found)
    tops = (like == maximum_filter(like, 21)) & (like > 0.55)
    height, width = coin.shape
    for row, column in np.argwhere(tops):
        top, left = row - height // 2, column - width // 2
        draw.rectangle((left, top, left + width, top + height), outline=ACCENT, width=2)
    grey = {"coins": coins, "match_template": 127 + 127 * like}
    panels = {k: np.repeat(p[..., np.newaxis], 3, axis=2) for k, p in grey.items()}
    return side_by_side(panels | {"above 0.55": np.asarray(found)})


def drawn(figure: Figure) -> Image.Image:
    """Return a figure as a picture."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def above(top: Image.Image, bottom: Image.Image) -> Image.Image:
    """Return one picture above another."""
    sheet = Image.new("RGB", (max(top.width, bottom.width), top.height + bottom.height), PAPER)
    sheet.paste(top, (0, 0))
    sheet.paste(bottom, (0, top.height))
    return sheet


def side_by_side(panels: dict[str, np.ndarray]) -> Image.Image:
    """Return the panels in one row, each under its name."""
    font = ImageFont.load_default(size=15)
    height, width = next(iter(panels.values())).shape[:2]
    sheet = Image.new("RGB", (len(panels) * (width + GAP) - GAP, height + 24), PAPER)
    draw = ImageDraw.Draw(sheet)
    for i, (name, panel) in enumerate(panels.items()):
        left = i * (width + GAP)
        draw.text((left + width // 2, 2), name, INK, font, anchor="ma")
        sheet.paste(Image.fromarray(np.clip(panel, 0, 255).astype(np.uint8)), (left, 24))
    return sheet


def main() -> None:
    """Write the pictures, in 128 colours to keep them small."""
    for draw in (filters, boundaries, missing, operators, matching):
        path = STATIC / f"{draw.__name__}.png"
        draw().quantize(128).save(path, optimize=True)
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
