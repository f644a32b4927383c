"""
Local contrast
==============

The mean and the variance of each window are two moving averages. An image minus its local mean,
divided by its local deviation, shows dark and bright parts with the same contrast.
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage import data

from pyconv import filters

photo = data.camera()[60:260, 100:400].astype(np.float64)

# %%
# The variance is the mean of the squares minus the square of the mean. That difference loses
# digits where the mean is much larger than the deviation, so the global mean is taken off first.
photo -= photo.mean()
mean = filters.box(photo, 31)
variance = filters.box(photo**2, 31) - mean**2
normal = (photo - mean) / np.sqrt(np.maximum(variance, 1))

# %%
fig, axes = plt.subplots(1, 3, figsize=(10, 2.7), layout="constrained")
panels = {
    "photograph": photo,
    "local deviation": np.sqrt(np.maximum(variance, 0)),
    "local contrast": normal,
}
for ax, (title, panel) in zip(axes, panels.items(), strict=True):
    ax.imshow(panel, "gray")
    ax.set(title=title, xticks=[], yticks=[])
plt.show()
