"""
Deblurring by ``lsqr`` and the adjoint
======================================

A blur is a linear map. SciPy's solvers undo it if they have the map and its adjoint, which
:func:`pyconv.operators.linear_operator` provides, border included.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse.linalg import lsqr
from skimage import data

from pyconv import kernels
from pyconv.operators import linear_operator

photo = data.chelsea()[70:170, 120:250].mean(axis=2)

# %%
# The camera moved by 15 pixels during the exposure, along a line of 20 degrees.
path = kernels.motion(15, np.radians(20))
blur = linear_operator(photo.shape, path, "same", "nearest")
rng = np.random.default_rng(12)
seen = (blur @ photo.ravel()).reshape(photo.shape) + rng.normal(0, 1, photo.shape)

# %%
# The adjoint is exact: ⟨A x, y⟩ = ⟨x, Aᴴ y⟩.
x, y = rng.standard_normal((2, photo.size))
print("difference of the two products:", f"{abs((blur @ x) @ y - x @ (blur.H @ y)):.0e}")

# %%
# ``damp`` is the price of a large result. Without it ``lsqr`` finds the noise; too much of it
# leaves the blur.
found = {
    damp: lsqr(blur, seen.ravel(), damp=damp, iter_lim=40)[0].reshape(photo.shape)
    for damp in (0.0, 0.03, 0.3)
}
for damp, image in found.items():
    print(f"damp={damp}: root mean square error {np.sqrt(np.mean((image - photo) ** 2)):.1f}")

# %%
fig, axes = plt.subplots(1, 5, figsize=(13, 2.4), layout="constrained")
panels = {"photograph": photo, "seen": seen} | {f"damp={d}": p for d, p in found.items()}
for ax, (title, panel) in zip(axes, panels.items(), strict=True):
    ax.imshow(panel, "gray", vmin=0, vmax=255)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()
