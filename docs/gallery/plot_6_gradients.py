"""
6. Gradients
============

To learn, a layer must know what a change of each weight does to the loss. For a correlation that
is a correlation again: of what it read with the error of what it made.
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage import data

import pyconv
from pyconv import kernels, nn, viz

photo = data.camera()[60:188, 180:308].astype(float) / 255
x = photo[np.newaxis, np.newaxis]

# %%
# A layer that does nothing yet, and the result that is wanted of it.
layer = nn.Conv2d(1, 1, 3, bias=False, dtype=np.float64)
layer.weight.data = [[[[0, 0, 0], [0, 1, 0], [0, 0, 0]]]]
target = nn.functional.conv2d(x, kernels.sobel(1)[np.newaxis, np.newaxis].astype(float))
criterion = nn.MSELoss()
loss = criterion(layer(x), target)
error = criterion.backward()  # how the loss changes with each sample of the result
dx = layer.backward(error)
print(f"loss {loss:.3f}")

# %%
# The gradient with respect to the weights: the picture, correlated with the error map.
by_hand = pyconv.correlate(photo, error[0, 0])
print(np.allclose(layer.weight.grad[0, 0], by_hand))

# %%
# The gradient with respect to the input: the error map, convolved in full with the same kernel.
# Each sample gets back what it gave, which makes it the transpose of the layer.
print(np.allclose(dx[0, 0], pyconv.convolve(error[0, 0], layer.weight.data[0, 0], "full")))
viz.show_feature_maps(
    [photo, error[0, 0], dx[0, 0]],
    titles=["input", "error map", "gradient for the input"],
    columns=3,
)

# %%
# Steps against the gradient: the kernel turns into the one that was wanted.
optimizer = nn.SGD(layer.parameters(), lr=0.5, momentum=0.9)
kept = [layer.weight.data[0, 0].copy()]
for step in range(1, 1001):
    optimizer.zero_grad()
    loss = criterion(layer(x), target)
    layer.backward(criterion.backward(), input_gradient=False)
    optimizer.step()
    if step in (5, 20, 100, 1000):
        kept.append(layer.weight.data[0, 0].copy())
print(f"loss {loss:.6f}")
titles = ["before", "5 steps", "20 steps", "100 steps", "1000 steps"]
viz.show_kernels(kept, titles=titles, columns=5, shared=True, title="A kernel on its way")
plt.show()

# %%
# A layer is linear, and so is a stack of layers: two kernels in a row are one kernel. Depth gains
# nothing. A function between the layers that is not linear, such as max(x, 0), makes a network of
# them.
a, b = np.random.default_rng(0).standard_normal((2, 3, 3))
deep = pyconv.correlate(pyconv.correlate(photo, a), b)
print(
    "one kernel does the same:",
    np.allclose(deep, pyconv.correlate(photo, pyconv.convolve(a, b, "full"))),
)
rectified = pyconv.correlate(np.maximum(pyconv.correlate(photo, a), 0), b)
print("with max(x, 0) between them:", np.allclose(rectified, deep))
