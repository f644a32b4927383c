"""
4. The filter as parameters
===========================

A kernel need not be designed. Given pictures, and what a filter made of them, its weights can be
found: they are parameters, and a loss says how wrong they are.
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage import data

from pyconv import kernels, nn, viz

# %%
# Crops of a photograph are all the data there is.
photo = data.chelsea()[..., 1].astype(np.float64)
photo = (photo - photo.mean()) / photo.std()
rng = np.random.default_rng(0)
corners = rng.integers(0, [photo.shape[0] - 32, photo.shape[1] - 32], (192, 2))
x = np.stack([photo[i : i + 32, j : j + 32] for i, j in corners])[:, np.newaxis]


def learn(kernel, epochs=80):
    """Return a layer that learned what a kernel does, from pictures alone, and the history."""
    target = nn.functional.conv2d(x, kernel[np.newaxis, np.newaxis])
    layer = nn.Conv2d(1, 1, kernel.shape, bias=False, rng=0, dtype=np.float64)
    optimizer = nn.Adam(layer.parameters())
    history = nn.History()
    for lr in (0.1, 0.03, 0.01):  # shorter steps towards the end
        optimizer.lr = lr
        part = nn.fit(layer, x, target, nn.MSELoss(), optimizer, epochs=epochs, batch_size=8, rng=1)
        history.loss += part.loss
    return layer, history


# %%
# Sobel's kernel and a Gaussian, found to within a thousandth.
wanted = {"Sobel": kernels.sobel(1).astype(float), "Gaussian": kernels.gaussian(1.0, truncate=2.0)}
for name, kernel in wanted.items():
    layer, history = learn(kernel)
    found = layer.weight.data[0, 0]
    error = np.abs(found - kernel).max()
    print(f"{name}: largest error of a weight {error:.1e}")
    assert error < 1e-3
    viz.show_kernels([kernel, found], titles=[name, "learned"], shared=True)
    viz.training_curve(history, title=f"Learning {name}")
plt.show()

# %%
# The loss of one layer is a parabola in its weights, with a single lowest point: that of least
# squares. Going down the gradient finds it; how fast depends on how alike the samples in a window
# are, which is why smooth pictures take many steps.
