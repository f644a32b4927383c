"""Draw the pictures of the documentation (``python docs/pictures.py``).

Each is a result of the library on a photograph that scikit-image carries (a cat, Chelsea, by
Stéfan van der Walt, CC0; coins of Pompeii, Brooklyn Museum; a photographer, bricks) or an
electrocardiogram of PyWavelets. Needs the ``demo`` extra.
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
import pyconv.filters
import pyconv.kernels
from pyconv._engine.boundaries import BOUNDARIES
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


def kernels() -> Image.Image:
    """Return kernels as images: red weights are positive, blue ones negative."""
    k = pyconv.kernels
    rows = [
        {
            "gaussian": k.gaussian(3, radius=10),
            "order=(0, 1)": k.gaussian(3, (0, 1), radius=10),
            "order=(0, 2)": k.gaussian(3, (0, 2), radius=10),
            "log": k.log(3, radius=10),
            "dog": k.dog(2, 4, truncate=2.5),
            "sharpen": k.sharpen(),
        },
        {
            "disk": k.disk(9.5),
            "motion": k.motion(19, 0.5),
            "gabor": k.gabor(8, 0.5, radius=10),
            "phase=-pi/2": k.gabor(8, 0.5, phase=-np.pi / 2, radius=10),
            "sobel": k.sobel(),
            "laplace": k.laplace(),
        },
    ]
    return stacked(*(side_by_side({n: in_red_and_blue(w) for n, w in row.items()}) for row in rows))


def in_red_and_blue(w: np.ndarray, size: int = 105) -> np.ndarray:
    """Return weights as squares of colour, white where they are zero."""
    share = np.clip(w / np.abs(w).max(), -1, 1)[..., np.newaxis]
    ends = np.where(share > 0, (200, 30, 30), (30, 60, 200))
    colours = Image.fromarray((255 + np.abs(share) * (ends - 255.0)).astype(np.uint8))
    scale = size // max(w.shape)
    drawn = colours.resize([n * scale for n in w.shape[::-1]], Image.Resampling.NEAREST)
    square = Image.new("RGB", (size, size), (235, 235, 235))
    square.paste(drawn, tuple((size - n) // 2 for n in drawn.size))
    return np.asarray(square)


def smoothing() -> Image.Image:
    """Return a photograph under each of the means."""
    photo = data.chelsea()[60:240, 130:310]
    colour = {"axes": (0, 1), "dtype": np.uint8}
    f = pyconv.filters
    return side_by_side(
        {
            "photograph": photo,
            "gaussian, sigma 3": f.gaussian(photo, 3, **colour),
            "box, 11 x 11": f.box(photo, 11, **colour),
            "disk, r = 6": f.disk(photo, 6, **colour),
            "motion, 20": f.motion(photo, 20, 0.4, **colour),
        }
    )


def derivatives() -> Image.Image:
    """Return coins, their derivatives (grey is zero) and the lengths of their gradients."""
    coins = data.coins()[20:200, 20:200]
    f = pyconv.filters
    return side_by_side(
        {
            "coins": grey(coins),
            "sobel, axis=1": grey(128 + f.sobel(coins, 1) / 4),
            "sobel, axis=0": grey(128 + f.sobel(coins, 0) / 4),
            "gradient_magnitude": grey(f.gradient_magnitude(coins) / 2),
            "of gaussian, sigma 2": grey(8 * f.gradient_magnitude(coins, "gaussian", sigma=2)),
        }
    )


def second_derivatives() -> Image.Image:
    """Return coins and what answers to lines, edges and blobs in them (grey is zero)."""
    coins = data.coins()[20:200, 20:200]
    f = pyconv.filters
    return side_by_side(
        {
            "coins": grey(coins),
            "laplace": grey(128 + 2 * f.laplace(coins)),
            "edge": grey(128 + f.edge(coins)),
            "log, sigma 3": grey(128 + 30 * f.log(coins, 3)),
            "dog, sigma 12": grey(128 + 3 * f.dog(coins.astype(float), 12)),
        }
    )


def sharpening() -> Image.Image:
    """Return a photographer, sharpened."""
    man = data.camera()[60:240, 150:330]
    eight_bits = {"dtype": np.uint8, "overflow": "saturate"}
    f = pyconv.filters
    return side_by_side(
        {
            "photograph": grey(man),
            "sharpen": grey(f.sharpen(man, **eight_bits)),
            "unsharp, sigma 2": grey(f.unsharp(man, 2, 2, **eight_bits)),
            "unsharp, sigma 8": grey(f.unsharp(man, 8, 2, **eight_bits)),
            "emboss": grey(f.emboss(man, **eight_bits)),
        }
    )


def gabors() -> Image.Image:
    """Return bricks, what one Gabor filter answers, and the energy in three directions."""
    bricks = data.brick()[100:280, 100:280]
    f = pyconv.filters
    across, _, along, _ = f.gabor_bank(bricks, 16, 4, energy=True)[0]
    return side_by_side(
        {
            "bricks": grey(bricks),
            "gabor, across": grey(128 + 8 * f.gabor(bricks, 16, 0)),
            "energy, across": grey(8 * across),
            "gabor, upright": grey(128 + 8 * f.gabor(bricks, 16, np.pi / 2)),
            "energy, upright": grey(8 * along),
        }
    )


def grey(panel: np.ndarray) -> np.ndarray:
    """Return one channel as three."""
    return np.repeat(panel[..., np.newaxis], 3, axis=2)


def stacked(*sheets: Image.Image) -> Image.Image:
    """Return the sheets, one below the other."""
    height = sum(sheet.height for sheet in sheets)
    page = Image.new("RGB", (max(sheet.width for sheet in sheets), height), PAPER)
    top = 0
    for sheet in sheets:
        page.paste(sheet, (0, top))
        top += sheet.height
    return page


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
    return stacked(top, drawn(figure))


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


def choosing_boundaries() -> Image.Image:
    """Return a photograph, blurred with several rules outside."""
    photo = data.chelsea()[60:220, 110:330]
    colour = {"axes": (0, 1), "dtype": np.uint8}
    return side_by_side(
        {
            "photograph": photo,
            "constant: dark frame": pyconv.filters.gaussian(
                photo, 9, boundary="constant", **colour
            ),
            "wrap: other side": pyconv.filters.gaussian(photo, 9, boundary="wrap", **colour),
            "symmetric": pyconv.filters.gaussian(photo, 9, **colour),
        }
    )


def choosing_modes() -> Image.Image:
    """Return the results of one kernel in each mode, with the frame of the photograph."""
    photo, margin = data.chelsea()[70:190, 130:290], 40
    kernel = pyconv.kernels.box(41)
    (height, width), panels = photo.shape[:2], {}
    for mode in ("valid", "same", "full"):
        y = pyconv.correlate(photo, kernel, mode, axes=(0, 1), dtype=np.uint8, overflow="saturate")
        sheet = Image.new("RGB", (width + 2 * margin, height + 2 * margin), (235, 235, 235))
        place = tuple((a - b) // 2 for a, b in zip(sheet.size, y.shape[1::-1], strict=True))
        sheet.paste(Image.fromarray(y), place)
        frame = margin - 1, margin - 1, margin + width, margin + height
        ImageDraw.Draw(sheet).rectangle(frame, outline=ACCENT)
        panels[f"{mode}: {y.shape[0]} x {y.shape[1]}"] = np.asarray(sheet)
    return side_by_side({"photograph: 120 x 160": _framed(photo, margin), **panels})


def _framed(photo: np.ndarray, margin: int) -> np.ndarray:
    """Return a photograph in the middle of a grey sheet."""
    pads = [(margin, margin), (margin, margin), (0, 0)]
    return np.pad(photo, pads, constant_values=235)


def choosing_dtypes() -> Image.Image:
    """Return a derivative of a photograph: exact, wrapped and clipped."""
    man = data.camera()[60:240, 120:360]
    w = np.array([[-1, 0, 1]])
    options = {"mode": "same", "boundary": "mirror"}
    panels = {
        "photograph": man,
        "exact; 0 is grey": 128 + pyconv.correlate(man, w, **options) / 2,
        "uint8, wrapped": pyconv.correlate(man, w, **options, dtype=np.uint8, overflow="wrap"),
        "uint8, clipped": pyconv.correlate(man, w, **options, dtype=np.uint8, overflow="saturate"),
    }
    return side_by_side({name: grey(panel) for name, panel in panels.items()})


def drawn(figure: Figure) -> Image.Image:
    """Return a figure as a picture."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


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
    for draw in (
        filters,
        boundaries,
        kernels,
        smoothing,
        derivatives,
        second_derivatives,
        sharpening,
        gabors,
        missing,
        operators,
        matching,
        choosing_boundaries,
        choosing_modes,
        choosing_dtypes,
    ):
        path = STATIC / f"{draw.__name__}.png"
        draw().quantize(128).save(path, optimize=True)
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
