"""
5. Channels and banks
=====================

A colour picture has three channels; a layer makes many more. Each result is a sum over all
channels of its input, each with a kernel of its own: ``weight`` has shape (K, C, height, width).
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage import data

import pyconv
from pyconv import kernels, nn, viz
from pyconv.nn import functional

photo = data.chelsea()[30:230, 100:340].astype(float) / 255
x = np.moveaxis(photo, -1, 0)  # (channels, height, width)

# %%
# A bank of four kernels: brightness, edges of it, and two contrasts of colours.
edge = kernels.sobel(1) / 4
dot = kernels.gaussian(0.8, truncate=1.0)
grey, red_green, blue_yellow = [1 / 3, 1 / 3, 1 / 3], [1, -1, 0], [-0.5, -0.5, 1]
bank = np.stack(
    [
        np.multiply.outer(mix, kernel)
        for mix, kernel in ((grey, dot), (grey, edge), (red_green, dot), (blue_yellow, dot))
    ]
)
print("weight", bank.shape)
names = ["brightness", "edges", "red − green", "blue − yellow"]
channels = [f"{name}, {c}" for name in names for c in ("red", "green", "blue")]
viz.show_kernels(bank, titles=channels, title="A row of kernels for each result")

# %%
maps = functional.conv2d(x, bank, padding=1, padding_mode="replicate")
viz.show_feature_maps(maps, titles=names, columns=2, title="Four results of three channels")
plt.show()

# %%
# The sum over channels is all there is to it: four times three correlations.
by_hand = sum(pyconv.correlate(x[c], bank[1, c]) for c in range(3))
print(np.allclose(by_hand, functional.conv2d(x, bank)[1]))

# %%
# As a product of matrices: the samples of each window are a column of X, the kernels are the rows
# of W, and Y = W · X. That is im2col.
columns = functional.unfold(x, (3, 3))
product = bank.reshape(4, -1) @ columns
print("W", bank.reshape(4, -1).shape, " X", columns.shape)
print(np.allclose(product, functional.conv2d(x, bank).reshape(4, -1)))

# %%
# The cost of a layer grows with both numbers of channels.
print(nn.Conv2d(3, 4, 3))
print(
    nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1)).summary(
        (1, *x.shape)
    )
)

# %%
# Groups keep channels apart: one kernel for each channel costs a hundredth.
print(nn.Conv2d(64, 64, 3, groups=64))
