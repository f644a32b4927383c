"""
The direction of a texture
==========================

A bank of Gabor filters answers to stripes of one width in several directions. The direction of
the largest energy is that of the texture.
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage import data

from pyconv import filters

# %%
# Half of the image is turned by a quarter of a circle.
bricks = data.brick()[100:280, 100:280].astype(np.float32)
image = np.hstack([bricks, bricks.T])

# %%
# ``energy=True`` gives the magnitude of the answer, which does not swing with the stripes.
orientations = 6
energy = filters.gabor_bank(image, 12, orientations, energy=True)[0]
direction = energy.argmax(axis=0) * 180 / orientations
print("directions of the left half: ", np.bincount(energy.argmax(axis=0)[:, :180].ravel()))
print("directions of the right half:", np.bincount(energy.argmax(axis=0)[:, 180:].ravel()))

# %%
fig, axes = plt.subplots(2, 1, figsize=(6.4, 6.4), layout="constrained")
axes[0].imshow(image, "gray")
axes[0].set(title="bricks", xticks=[], yticks=[])
shown = axes[1].imshow(direction, "twilight", vmin=0, vmax=180)
axes[1].set(title="direction of the largest energy", xticks=[], yticks=[])
fig.colorbar(shown, ax=axes[1], label="degrees")
plt.show()
