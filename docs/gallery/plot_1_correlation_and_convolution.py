"""
1. Correlation and convolution
==============================

A correlation lays a kernel over a picture, multiplies the samples under it by its weights, and adds
the products. A convolution does the same with the kernel turned by 180 degrees.
"""

import matplotlib.pyplot as plt
import numpy as np

import pyconv
from pyconv import viz

# %%
# The window at the upper left holds 0, 1, 3, 4: times 0, 1, 2, 3 that is 0 + 1 + 6 + 12 = 19.
x = np.arange(9).reshape(3, 3)
w = np.array([[0, 1], [2, 3]])
print(pyconv.correlate(x, w))

# %%
# Convolution turns the kernel by 180 degrees.
print(pyconv.convolve(x, w))
print(pyconv.correlate(x, w[::-1, ::-1]))

# %%
# An impulse shows the difference. Its convolution is the kernel, and its correlation is the kernel
# turned by 180 degrees.
impulse = np.zeros((7, 7))
impulse[3, 3] = 1
arrow = np.array(
    [[0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [1, 0, 1, 0, 1], [0, 0, 1, 0, 0], [0, 0, 1, 0, 0]]
)
answers = [pyconv.convolve(impulse, arrow, "same"), pyconv.correlate(impulse, arrow, "same")]
viz.show_feature_maps(
    answers, titles=["convolution", "correlation"], title="An impulse through an arrow"
)

# %%
# A correlation is a search: the sum is largest where the picture looks like the kernel.
rng = np.random.default_rng(0)
scene = 0.3 * rng.standard_normal((40, 60))
scene[22:27, 35:40] += arrow
match = pyconv.correlate(scene, arrow - arrow.mean(), "same")
found = np.unravel_index(match.argmax(), match.shape)
print("found at", tuple(map(int, found)), "and hidden at (24, 37)")
figure = viz.show_feature_maps(
    [scene, match], titles=["an arrow in noise", "correlation with an arrow"]
)
figure.axes[1].plot(found[1], found[0], "o", markersize=14, fillstyle="none", color=viz.POINTED)
plt.show()

# %%
# A convolution commutes: signal and kernel can change places, and two kernels in a row are one,
# their convolution. That is why physics convolves, while networks, whose kernels are learned
# anyway, correlate.
a, b = rng.integers(-3, 4, (2, 3, 3))
twice = pyconv.convolve(pyconv.convolve(x, a, "full"), b, "full")
once = pyconv.convolve(x, pyconv.convolve(a, b, "full"), "full")
print(np.array_equal(twice, once))
