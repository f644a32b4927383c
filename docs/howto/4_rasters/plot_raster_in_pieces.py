"""
A raster that is read in pieces
===============================

A model of heights of 20,000 × 20,000 cells takes 800 MB, its mean in float32 twice that. A window
of 31 × 31 cells passes over it in the memory of some rows, and leaves out the cells that hold
−9999. The raster here has 2,000 × 1,500 cells; its size is the only line that would change.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import pyconv
from pyconv import filters

# %%
# Heights of int16 in a file of raw samples, as most rasters have them once they are unpacked. The
# sea has no heights.
shape = (2000, 1500)
folder = tempfile.TemporaryDirectory()
path = Path(folder.name)
heights = np.memmap(path / "heights.raw", np.int16, "w+", shape=shape)
coarse = np.random.default_rng(7).standard_normal((shape[0] // 25, shape[1] // 25))
coarse = 3000 * filters.gaussian(coarse, 3, boundary="wrap")
heights[:] = coarse.repeat(25, 0).repeat(25, 1)
heights[heights < -150] = -9999

# %%
# A function says of the samples of each piece which are left out, so that no mask of the whole
# raster is made. A mean of the others is a floating-point number, or NaN where a window sees none.
# Means of integers are float64 unless another dtype is asked for.
mean = np.lib.format.open_memmap(path / "mean.npy", "w+", np.float32, shape)
pyconv.stream(
    filters.box, heights, mean, 31, dtype=np.float32, mask=lambda x: x == -9999,
    max_memory=16_000_000,
)  # fmt: skip
print(f"heights from {heights[heights > -9999].min()} m, means from {np.nanmin(mean):.0f} m")

# %%
# It is the result of the call on the whole raster, but for the last digit of float32. Without a
# mask it would have the same bits.
whole = filters.box(heights, 31, dtype=np.float32, mask=heights == -9999)
print(f"largest difference {np.nanmax(np.abs(mean - whole)):.4f} m")
print("the same cells have a mean:", bool((np.isnan(mean) == np.isnan(whole)).all()))

# %%
# An overview needs no mean of its own size: ``stride=10`` makes every tenth of them.
overview = np.empty((200, 150), np.float32)
pyconv.stream(
    filters.box, heights, overview, 31, dtype=np.float32, mask=lambda x: x == -9999, stride=10
)
fig, axes = plt.subplots(1, 2, figsize=(7, 4), layout="constrained")
cmap = plt.get_cmap("terrain").with_extremes(bad="lightblue")
panels = {
    "heights": np.where(heights == -9999, np.nan, heights)[::10, ::10],
    "means of 31 × 31 cells": overview,
}
for ax, (title, panel) in zip(axes, panels.items(), strict=True):
    ax.imshow(panel, cmap, vmin=-200, vmax=800)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()
del heights, mean
folder.cleanup()
