"""
2. Borders and strides
======================

A kernel at the edge of a picture reaches outside. The boundary says what it reads there, and the
mode says which results exist.
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage import data

import pyconv
from pyconv import arithmetic, kernels, viz
from pyconv._engine.boundaries import BOUNDARIES

# %%
# ``valid`` gives the results whose window lies inside, ``same`` as many as samples, ``full`` all
# that touch a sample.
x = np.arange(5.0)
for mode in ("valid", "same", "full"):
    print(f"{mode:6}", pyconv.correlate(x, np.ones(3), mode))

# %%
# A kernel of one weight copies the picture, so that pads show what each boundary reads.
photo = data.chelsea()[70:160, 165:265, 1].astype(float)
pads = [(40, 40), (40, 40)]
seen = {name: pyconv.correlate(photo, [[1.0]], pads, name) for name in BOUNDARIES}
viz.show_feature_maps(
    list(seen.values()), titles=list(seen), columns=3, title="What is read outside"
)

# %%
# Zeros darken the edge of a blurred picture; a mirror does not.
blur = kernels.gaussian(6.0)
edges = {
    name: pyconv.correlate(photo, blur, "same", name) for name in ("constant", "mirror", "wrap")
}
viz.show_feature_maps(
    list(edges.values()), titles=list(edges), title="The same blur, three borders"
)

# %%
# A stride takes every s-th result. Without a blur before it, stripes finer than two samples come
# back as stripes that were never there.
rows, columns = np.mgrid[:128, :128]
rings = np.sin((rows**2 + columns**2) / 120)
every = pyconv.correlate(rings, [[1.0]], stride=4)
smooth = pyconv.correlate(rings, kernels.gaussian(2.0), "same", "mirror", stride=4)
viz.show_feature_maps(
    [rings, every, smooth], titles=["rings", "every fourth sample", "blurred, then every fourth"]
)
plt.show()

# %%
# How long the result is, and how far it sees, follows from kernel, stride, padding and dilation.
print("outputs:", arithmetic.output_shape(224, 7, stride=2, padding=3))
layers = [(5,), (2, 2), (5,), (2, 2)]  # kernel and stride of LeNet's convolutions and pools
print("receptive field:", arithmetic.receptive_field(layers))
