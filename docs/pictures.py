"""Draw the pictures of the documentation (``python docs/pictures.py``).

Each is a result of the library on a photograph that scikit-image carries (a cat, Chelsea, by
Stéfan van der Walt, CC0). Needs the ``demo`` extra.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage import data

import pyconv
from pyconv.boundaries import BOUNDARIES

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
    for draw in (filters, boundaries):
        path = STATIC / f"{draw.__name__}.png"
        draw().quantize(128).save(path, optimize=True)
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
