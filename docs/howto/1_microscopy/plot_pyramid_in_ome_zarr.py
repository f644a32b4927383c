"""
A pyramid in OME-Zarr
=====================

Viewers of large images read a coarse copy first. OME-Zarr holds an image at several resolutions,
with what says how large its samples are. :func:`pyconv.pyramid` streams it from any array to a
folder. The image here has two channels of 1024 × 1024 samples of uint16.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import zarr

import pyconv
from pyconv import filters

# %%
rng = np.random.default_rng(6)
light = np.zeros((2, 1024, 1024), np.float32)
for channel, count in enumerate((700, 150)):
    rows, columns = rng.integers(0, 1024, (2, count))
    light[channel, rows, columns] = 2e5 * (1 + channel)
light = 400 + filters.gaussian(light, 4, axes=(1, 2))
image = rng.poisson(light).astype(np.uint16)

# %%
# Each level is made of the one before, blurred and thinned out in one pass. A mean of 2 × 2
# integers is rounded from their exact sum. The channels stay as many.
folder = tempfile.TemporaryDirectory()
target = Path(folder.name) / "cells.ome.zarr"
levels = pyconv.pyramid(
    image, 5, axes=(1, 2), target=target, names="cyx", spacing=(1, 0.65, 0.65), units="micrometer",
    chunks=(1, 256, 256),
)  # fmt: skip
print([level.shape for level in levels])

# %%
# The metadata say how far samples are apart, and where the first one lies: a mean lies between the
# samples that it is the mean of.
multiscale = zarr.open_group(target, mode="r").attrs["ome"]["multiscales"][0]
for dataset in multiscale["datasets"]:
    print(dataset["path"], *(each[each["type"]] for each in dataset["coordinateTransformations"]))

# %%
# In memory the same call returns arrays. Labels have no means: ``method="nearest"`` takes the
# first sample of each block.
labels = (image[0] > 700).astype(np.uint8)
print([np.unique(level).tolist() for level in pyconv.pyramid(labels, 3, method="nearest")])

# %%
fig, axes = plt.subplots(1, 4, figsize=(10, 2.8), layout="constrained")
for ax, level in zip(axes, levels[1:], strict=True):
    ax.imshow(level[0], "gray", vmax=2000)
    ax.set(title=" × ".join(map(str, level.shape[1:])), xticks=[], yticks=[])
plt.show()
folder.cleanup()
