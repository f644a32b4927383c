"""
3. Classical filters
====================

Long before kernels were learned they were designed: to blur, to find edges, to find spots.
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage import data

import pyconv
from pyconv import kernels, viz

photo = data.camera()[60:260, 160:360].astype(float) / 255

# %%
# Each is an array like any other.
named = {
    "Gaussian": kernels.gaussian(1.5),
    "Sobel, along rows": kernels.sobel(1),
    "Laplace": kernels.laplace(),
    "difference of Gaussians": kernels.dog(1.5),
    "Gabor": kernels.gabor(wavelength=6.0, orientation=np.pi / 4),
    "sharpen": kernels.sharpen(),
}
for name, w in named.items():
    print(f"{name:24} {w.shape!s:9} sum of weights {w.sum():6.2f}")

# %%
# Weights that add up to 1 keep the brightness; weights that add up to 0 answer to change alone.
results = [pyconv.correlate(photo, w, "same", "mirror") for w in named.values()]
viz.show_feature_maps(
    results, titles=list(named), columns=3, title="A photograph through six kernels"
)

# %%
# Sobel's two kernels are the two parts of a gradient: its length outlines, its angle points.
across, down = (pyconv.correlate(photo, kernels.sobel(axis), "same", "mirror") for axis in (1, 0))
length, angle = np.hypot(across, down), np.arctan2(down, across)
viz.show_feature_maps([length, np.where(length > 0.5, angle, 0)], titles=["length", "angle"])

# %%
# A Gabor filter answers to stripes of one direction and one width. Eight of them ask which.
directions = np.arange(8) * np.pi / 8
bank = np.stack([kernels.gabor(wavelength=7.0, orientation=a) for a in directions])
degrees = [f"{np.degrees(a):.0f}°" for a in directions]
viz.show_kernels(bank, titles=degrees, columns=8, title="Gabor filters of eight directions")
answers = [np.abs(pyconv.correlate(photo, w, "same", "mirror")) for w in bank]
viz.show_feature_maps(answers, titles=degrees, columns=4, title="How strongly each answers")
plt.show()
