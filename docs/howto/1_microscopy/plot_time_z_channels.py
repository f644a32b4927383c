"""
An array with axes T, Z, Y, X and channels
==========================================

A recording of a living specimen has time, depth, rows, columns and channels. ``axes`` names the
axes that are filtered; all others are a batch, and nothing is copied or looped over.
"""

import matplotlib.pyplot as plt
import numpy as np

from pyconv import filters

rng = np.random.default_rng(4)
movie = rng.poisson(60.0, (6, 12, 96, 96, 2)).astype(np.uint16)  # T, Z, Y, X, channel
movie[:, 4:8, 30:60, 30:60, 0] += 100
movie[:, 2:6, 50:80, 20:50, 1] += 80

# %%
# Smoothing in space alone names Z, Y and X. ``dtype=np.uint16`` rounds the result to integers,
# and a voxel keeps its unit.
smooth = filters.gaussian(movie, (1, 2, 2), axes=(1, 2, 3), dtype=np.uint16)
print(smooth.shape, smooth.dtype)

# %%
# A mean of three moments in time names T alone.
steady = filters.box(smooth, 3, axes=0, dtype=np.uint16)

# %%
# Every result is the same bits that the item has alone.
alone = filters.gaussian(movie[2, ..., 1], (1, 2, 2), axes=(0, 1, 2), dtype=np.uint16)
print("as alone:", np.array_equal(smooth[2, ..., 1], alone))

# %%
fig, axes = plt.subplots(2, 3, figsize=(7, 4.6), layout="constrained")
panels = {"movie": movie, "smooth in space": smooth, "and in time": steady}
for column, (title, array) in enumerate(panels.items()):
    for channel in range(2):
        axes[channel, column].imshow(array[2, 5, ..., channel], "gray", vmin=0, vmax=200)
        axes[channel, column].set(xticks=[], yticks=[])
    axes[0, column].set_title(title)
for channel in range(2):
    axes[channel, 0].set_ylabel(f"channel {channel}")
plt.show()
