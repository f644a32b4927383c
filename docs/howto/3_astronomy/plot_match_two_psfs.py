"""
Two images brought to one point spread function
===============================================

Colours of a source can be compared only if both images have the same point spread function (PSF).
The sharper image is convolved with a kernel that makes its PSF that of the other one.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse.linalg import lsqr

import pyconv
from pyconv import kernels
from pyconv.operators import linear_operator

# %%
# The PSF of the sharp image has a standard deviation of 1.4 pixels, that of the blurred one 2.5.
# The variances of Gaussians add up under convolution, so the matching kernel has the difference.
sharp, blurred = 1.4, 2.5
match = kernels.gaussian(np.sqrt(blurred**2 - sharp**2), ndim=2, truncate=6)

# %%
# Both images show the same stars.
rng = np.random.default_rng(8)
stars = np.zeros((128, 128))
stars[tuple(rng.integers(10, 118, (2, 40)))] = rng.pareto(1.5, 40) * 300
first = pyconv.convolve(stars, kernels.gaussian(sharp, truncate=6), "same")
second = pyconv.convolve(stars, kernels.gaussian(blurred, truncate=6), "same")
matched = pyconv.convolve(first, match, "same")
print("largest difference before:", np.abs(first - second).max().round(2))
print("largest difference after: ", np.abs(matched - second).max().round(2))

# %%
# A PSF that is no Gaussian is matched by least squares: the kernel that makes one PSF of the
# other is found by ``lsqr`` over the shifts of the sharp PSF. A little damping keeps it smooth.
size = 25
y, x = np.mgrid[:size, :size] - size // 2
moffat = {s: (1 + (x**2 + y**2) / (2 * s**2)) ** -2.5 for s in (sharp, blurred)}
moffat = {s: psf / psf.sum() for s, psf in moffat.items()}
shifts = linear_operator((size, size), moffat[sharp][::-1, ::-1], "same")
kernel = lsqr(shifts, moffat[blurred].ravel(), damp=1e-4)[0].reshape(size, size)
error = pyconv.convolve(moffat[sharp], kernel, "same") - moffat[blurred]
print("largest error of the matched PSF:", f"{np.abs(error).max() / moffat[blurred].max():.1e}")

# %%
fig, axes = plt.subplots(1, 4, figsize=(11, 3.1), layout="constrained")
panels = {"sharp": first, "blurred": second, "sharp, matched": matched}
for ax, (title, panel) in zip(axes, panels.items(), strict=False):
    ax.imshow(np.arcsinh(panel / 5), "gray")
    ax.set(title=title, xticks=[], yticks=[])
axes[3].imshow(kernel, "gray")
axes[3].set(title="kernel between Moffat PSFs", xticks=[], yticks=[])
plt.show()
