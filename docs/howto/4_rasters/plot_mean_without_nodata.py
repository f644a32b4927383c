"""
A mean without nodata
=====================

A raster of heights has a nodata value, here −9999, where there is no measurement. A mean over a
window must leave these cells out, or it is wrong by hundreds of metres at every coast.
"""

import matplotlib.pyplot as plt
import numpy as np

import pyconv
from pyconv import filters

# %%
rng = np.random.default_rng(9)
noise = rng.standard_normal((180, 240)).astype(np.float32)
height = 4000 * filters.gaussian(noise, 14, boundary="wrap")
nodata = height < -40
height[nodata] = -9999

# %%
# ``mask=`` is True where cells are left out. Each mean is that of the other cells of its window.
# The window is in cells: 21 cells of 10 m are 210 m.
wrong = filters.box(height, 21)
mean = filters.box(height, 21, mask=height == -9999)
print(f"smallest height {height[~nodata].min():.0f} m; smallest mean {np.nanmin(mean):.0f} m, "
      f"with nodata counted {wrong.min():.0f} m")  # fmt: skip

# %%
# Cells without data get a mean, too, if their window holds data. A map with the old coast takes
# nodata back; :func:`pyconv.coverage` keeps the means whose windows are mostly land.
kept = np.where(nodata, np.nan, mean)
seen = pyconv.coverage(height, np.full((21, 21), 1 / 441), "same", "symmetric", mask=nodata)
mostly_land = np.where(seen > 0.5, mean, np.nan)

# %%
# A raster of xarray is an array with attributes. ``filters.box(raster.values, 21,
# mask=raster.values == nodata)`` filters it, and ``raster.copy(data=…)`` puts the result back.
# Where nodata is NaN, ``nan_policy="omit"`` takes the place of the mask.
# The command line does the same: ``python -m pyconv filter in.tif --kernel box --size 21 --nodata
# -9999 -o out.tif``.
fig, axes = plt.subplots(1, 3, figsize=(10, 2.9), layout="constrained")
cmap = plt.get_cmap("terrain").with_extremes(bad="lightblue")
panels = {
    "heights": np.where(nodata, np.nan, height),
    "mean, nodata left out": kept,
    "where half the window is land": mostly_land,
}
for ax, (title, panel) in zip(axes, panels.items(), strict=True):
    ax.imshow(panel, cmap, vmin=-200, vmax=400)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()
