"""
An image with bad pixels
========================

Dead pixels and cosmic rays are NaN after the reduction of an image. A plain convolution spreads
each NaN over its kernel; a normalised convolution leaves the pixel out, and interpolates it.
"""

import matplotlib.pyplot as plt
import numpy as np

import pyconv
from pyconv import filters, kernels

rng = np.random.default_rng(7)
rows, columns = np.mgrid[:128, :128]
sky = 20 + 400 * np.exp(-np.hypot((rows - 60) / 14, (columns - 70) / 22))
for row, column in rng.integers(0, 128, (60, 2)):
    sky += rng.pareto(2) * 120 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 4)
image = rng.poisson(sky).astype(np.float32)
image[rng.random(image.shape) < 0.03] = np.nan
image[:, 90:92] = np.nan  # a dead pair of columns

# %%
# ``nan_policy="omit"`` divides each result by the sum of the weights that met a pixel.
plain = filters.gaussian(image, 1.5)
left_out = filters.gaussian(image, 1.5, nan_policy="omit")
print("NaN before:", np.isnan(image).sum())
print("NaN of the plain filter:", np.isnan(plain).sum(), "and with NaN left out:",
      np.isnan(left_out).sum())  # fmt: skip

# %%
# To repair only the bad pixels, take the results there and nowhere else.
repaired = np.where(np.isnan(image), left_out, image)

# %%
# :func:`pyconv.coverage` says how much of the weights each result met. Where it is small, a
# result is a guess.
seen = pyconv.coverage(image, kernels.gaussian(1.5), "same", "symmetric")
print("smallest coverage:", seen.min().round(2))

# %%
fig, axes = plt.subplots(1, 4, figsize=(11, 3.1), layout="constrained")
cmap = plt.get_cmap("gray").with_extremes(bad="tab:orange")
panels = {
    "bad pixels are orange": image,
    "plain Gaussian": plain,
    "NaN left out": left_out,
    "repaired": repaired,
}
for ax, (title, panel) in zip(axes, panels.items(), strict=True):
    ax.imshow(panel, cmap, vmin=0, vmax=300)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()
