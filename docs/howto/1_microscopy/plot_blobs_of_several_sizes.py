"""
Blobs of several sizes by the Laplacian of a Gaussian
=====================================================

A Laplacian of a Gaussian (LoG) answers most to blobs whose radius is √2 σ in two dimensions. The
largest answer over several σ gives the place and the size of each blob.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import maximum_filter

from pyconv import filters

rng = np.random.default_rng(3)
rows, columns = np.mgrid[:220, :300]
image = np.full(rows.shape, 100.0)
discs = [(40, 50, 6), (60, 150, 14), (50, 245, 10), (150, 70, 18), (160, 190, 8), (150, 255, 12)]
for row, column, radius in discs:
    image[(rows - row) ** 2 + (columns - column) ** 2 < radius**2] = 180
image = np.clip(rng.normal(image, 8), 0, 255).astype(np.uint8)

# %%
# :func:`pyconv.filters.log` is positive in dark blobs. The factor −σ² makes bright blobs
# positive, and makes answers of different σ comparable.
sigmas = np.arange(3.0, 15.0, 1.0)
answers = np.stack([-(s**2) * filters.log(image, s) for s in sigmas])

# %%
# A blob is a maximum in space and in scale.
tops = (answers == maximum_filter(answers, (3, 15, 15))) & (answers > 0.5 * answers.max())
for scale, row, column in np.argwhere(tops):
    print(f"({row:3}, {column:3}): radius {np.sqrt(2) * sigmas[scale]:.1f}")

# %%
fig, ax = plt.subplots(figsize=(6, 4.4), layout="constrained")
ax.imshow(image, "gray")
for scale, row, column in np.argwhere(tops):
    circle = plt.Circle((column, row), np.sqrt(2) * sigmas[scale], fill=False, color="tab:orange")
    ax.add_patch(circle)
ax.set(title="bright blobs and their radii", xticks=[], yticks=[])
plt.show()
