"""
Blurring an image, and a 16-bit stack
=====================================

A Gaussian of an image is one call. In a stack ``axes`` says along which axes it blurs, a width for
each says how far, and ``dtype`` says that the result is of 16 bits, too.
"""

import matplotlib.pyplot as plt
import numpy as np

from pyconv import filters

# %%
# The stack has 24 planes of 120 × 160 pixels. Nuclei are balls of Poisson noise on a dark ground.
rng = np.random.default_rng(2)
z, y, x = np.mgrid[:24, :120, :160]
stack = np.full(z.shape, 200.0)
for centre in rng.integers((4, 10, 10), (20, 110, 150), (30, 3)):
    distance = ((z - centre[0]) * 2) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2
    stack[distance < 81] = 1800
stack = rng.poisson(stack).astype(np.uint16)

# %%
# Along the last two axes, each plane is blurred for itself. An image of one plane needs no
# ``axes``. The border is mirrored, so that it does not go dark. Results of 16-bit integers are of
# float32.
planes = filters.gaussian(stack, 2, axes=(1, 2))
print(planes.dtype, planes.shape)

# %%
# Along three axes, the widths are in samples of each axis. The planes of this stack are twice as
# far apart as its pixels, and the width along them is half as large. With ``dtype=np.uint16`` sums
# are rounded to the nearest integer; a weighted mean of 16-bit samples always fits.
volume = filters.gaussian(stack, (1, 2, 2), axes=(0, 1, 2), dtype=np.uint16)
print(volume.dtype, volume.shape)

# %%
fig, axes = plt.subplots(1, 3, figsize=(9, 2.6), layout="constrained")
panels = {"plane 12": stack, "blurred by plane": planes, "blurred in 3-D": volume}
for ax, (title, panel) in zip(axes, panels.items(), strict=True):
    ax.imshow(panel[12], "gray", vmin=0, vmax=2000)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()
