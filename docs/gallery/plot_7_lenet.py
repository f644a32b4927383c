"""
7. Layers, pools, LeNet
=======================

Kernels that are learned, max(x, 0) between them, and pools that forget where exactly something
was: LeNet-5 reads digits.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from pyconv import filters, nn, viz

# %%
# 1797 digits of 8 × 8 samples, which scikit-learn carries, each sample made 4 × 4 and smoothed.
digits = load_digits()
images = np.kron(digits.images, np.ones((4, 4))).astype(np.float32)
images = filters.gaussian(images, 1.5, axes=(1, 2))
images = ((images - images.mean()) / images.std())[:, np.newaxis]
order = np.random.default_rng(0).permutation(len(images))
train, test = order[360:], order[:360]
viz.show_feature_maps(images[:10, 0], titles=[str(t) for t in digits.target[:10]], columns=10)

# %%
# The table has the shape of each layer's result, how far a result sees, and what it costs.
model = nn.models.LeNet5(rng=0)
print(model.summary((1, 1, 32, 32)))

# %%
# A result of the second pool sees 16 × 16 samples.
viz.show_receptive_field(model, images[0, 0], layers=6, position=(2, 2))

# %%
# A few seconds of training. ``python -m benchmarks lenet`` has a longer one, with shifted digits.
optimizer = nn.Adam(model.parameters(), lr=2e-3)
history = nn.fit(
    model, images[train], digits.target[train], nn.CrossEntropyLoss(), optimizer,
    epochs=5, rng=0, validation=(images[test], digits.target[test]),
)  # fmt: skip
print(f"digits that were never seen: {history.validation_accuracy[-1]:.1%} right")
viz.training_curve(history, title="LeNet-5 on digits")

# %%
# A pool forgets where exactly something was: the answer stays when a digit moves a little, though
# all of its samples change. Far away it does not: training never showed that.
x, answers = images[test], model(images[test]).argmax(1)
for move in (1, 2, 4, 8):
    same = model(np.roll(x, move, axis=3)).argmax(1) == answers
    print(f"moved by {move}: {same.mean():.0%} of the answers stay")
plt.show()
