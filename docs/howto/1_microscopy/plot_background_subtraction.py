"""
Background subtraction
======================

Uneven illumination adds a slow background to an image. A wide mean, or a wide Gaussian, estimates
the background; the image minus that estimate is flat.
"""

import matplotlib.pyplot as plt
import numpy as np

from pyconv import filters

# %%
# The image has bright cells of 6 pixels on a background that rises to one corner.
rng = np.random.default_rng(1)
rows, columns = np.mgrid[:200, :260]
image = 900.0 + 5 * rows + 4 * columns
for row, column in rng.integers(10, (190, 250), (60, 2)):
    image += 1500 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 18)
image = rng.poisson(image).astype(np.uint16)

# %%
# The Gaussian is much wider than a cell, so that cells hardly change it. The result of a
# subtraction may be negative: the background is computed in float32, and so is the difference.
# ``boundary="symmetric"``, the default, mirrors the image at its border; zeros outside would make
# the background too dark there.
background = filters.gaussian(image, 25)
flat = image - background
print(background.dtype, flat.dtype)

# %%
# The cells raise a mean of all pixels. A second pass leaves out the pixels that the first pass
# found to be bright, by ``mask=``, and its background is lower.
cells = flat > 3 * flat.std()
better = filters.gaussian(image.astype(np.float32), 25, mask=cells)
print("mean of the background pixels:", (image - better)[~cells].mean().round(1))

# %%
fig, axes = plt.subplots(1, 3, figsize=(9, 2.8), layout="constrained")
panels = {"image": image, "background": better, "image − background": image - better}
for ax, (title, panel) in zip(axes, panels.items(), strict=True):
    fig.colorbar(ax.imshow(panel, "gray"), ax=ax, shrink=0.7)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()
