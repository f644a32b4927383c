"""
Spots in a 3-D stack by a difference of Gaussians
=================================================

Fluorescent spots in a uint16 stack are brighter than their surroundings. A difference of
Gaussians (DoG) removes the background and the noise of single voxels in one step.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import maximum_filter

from pyconv import filters

# %%
# The stack has 25 spots. Voxels are taller than they are wide, so a spot spans fewer planes than
# rows: its σ is (1, 2, 2) voxels.
rng = np.random.default_rng(2)
shape, sigma = (16, 96, 96), np.array([1.0, 2.0, 2.0])
stack = np.full(shape, 400.0) + 3 * np.arange(96)
grid = np.indices(shape)
places = rng.integers(5, np.array(shape) - 5, (25, 3))
for place in places:
    distances = (grid - place[:, None, None, None]) / sigma[:, None, None, None]
    stack += 600 * np.exp(-0.5 * (distances**2).sum(axis=0))
stack = rng.poisson(stack).astype(np.uint16)

# %%
# ``axes=(0, 1, 2)`` says that all three axes are filtered; a stack of separate images would have
# ``axes=(1, 2)``. ``sigma`` takes one value for each axis. The difference of two Gaussians is also
# one call, :func:`pyconv.filters.dog`.
narrow = filters.gaussian(stack, sigma, axes=(0, 1, 2))
wide = filters.gaussian(stack, 1.6 * sigma, axes=(0, 1, 2))
dog = narrow - wide

# %%
# A spot is a local maximum above a threshold. The threshold here is six times the noise, which
# the median of the magnitudes estimates. Spots that lie within four voxels of each other share a
# peak, so there may be fewer peaks than spots.
noise = np.median(np.abs(dog)) / 0.6745
peaks = np.argwhere((dog == maximum_filter(dog, 5)) & (dog > 6 * noise))
found = [np.abs(peaks - place).max(axis=1).min() <= 2 for place in places]
print(f"{len(peaks)} peaks; {sum(found)} of {len(places)} spots found")

# %%
fig, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
axes[0].imshow(stack.max(axis=0), "gray")
axes[0].set_title("largest value along z")
axes[1].imshow(dog.max(axis=0), "gray")
axes[1].plot(peaks[:, 2], peaks[:, 1], "o", mfc="none", mec="tab:orange")
axes[1].set_title("difference of Gaussians, peaks")
for ax in axes:
    ax.set(xticks=[], yticks=[])
plt.show()
