"""Filters that people know by name, as calls on arrays: the kernels of `kernels`, applied.

    y[i] = Σ_u x[i + u] · w[u]

along the axes that are filtered; all others (channels, time, batches) are left alone. The result
has the shape of the source.
"""

from __future__ import annotations

from pyconv._filters.first_derivatives import gradient_magnitude, prewitt, roberts, scharr, sobel
from pyconv._filters.second_derivatives import dog, edge, laplace, log
from pyconv._filters.sharpening import emboss, sharpen, unsharp
from pyconv._filters.smoothing import ball, box, disk, gaussian, motion
from pyconv._filters.waves import gabor, gabor_bank

__all__ = [
    "ball",
    "box",
    "disk",
    "dog",
    "edge",
    "emboss",
    "gabor",
    "gabor_bank",
    "gaussian",
    "gradient_magnitude",
    "laplace",
    "log",
    "motion",
    "prewitt",
    "roberts",
    "scharr",
    "sharpen",
    "sobel",
    "unsharp",
]
