"""
A trained CNN without torch
===========================

A network that torch has trained runs on NumPy arrays alone: its weights come in an ``.npz`` file,
and its batch normalisation is folded into the convolution before it.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from pyconv import nn

# %%
# The file holds what ``np.savez("cnn.npz", **{k: v.numpy() for k, v in
# model.state_dict().items()})`` writes in a process with torch. Its names are those of
# ``Sequential(Conv2d, BatchNorm2d, ReLU, MaxPool2d, Flatten, Linear)``. Here the weights are
# those of a short training of the same network.
digits = load_digits()
images = (digits.images[:, None] / 16).astype(np.float32)
train, test = slice(0, 1200), slice(1200, None)


def network():
    """Return the layers that run: the batch normalisation is in the convolution."""
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1, rng=0), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(192, 10, rng=1),
    )  # fmt: skip


model = network()
optimizer = nn.Adam(model.parameters(), lr=0.01)
nn.fit(
    model, images[train], digits.target[train], nn.CrossEntropyLoss(), optimizer,
    epochs=6, batch_size=64, rng=0, progress=False,
)  # fmt: skip

# %%
# The state of torch's network: the same function, with the scale of a batch normalisation taken
# out of the convolution.
rng = np.random.default_rng(13)
gamma, beta, mean = rng.uniform(0.5, 2, 12), rng.normal(size=12), rng.normal(size=12)
var, eps = rng.uniform(0.5, 2, 12), 1e-5
scale = gamma / np.sqrt(var + eps)
folded = model.state_dict()
state = {
    "0.weight": folded["0.weight"] / scale[:, None, None, None],
    "0.bias": (folded["0.bias"] - beta) / scale + mean,
    "1.weight": gamma, "1.bias": beta, "1.running_mean": mean, "1.running_var": var,
    "5.weight": folded["4.weight"], "5.bias": folded["4.bias"],
}  # fmt: skip
file = Path(tempfile.mkdtemp()) / "cnn.npz"
np.savez(file, **state)

# %%
# To fold: a batch normalisation multiplies channel c by γ/√(σ² + ε) and adds β − μ γ/√(σ² + ε).
# Both go into the weights and the bias of the convolution. ``safetensors.numpy.load_file`` reads
# a ``.safetensors`` file into the same dictionary.
with np.load(file) as weights:
    scale = weights["1.weight"] / np.sqrt(weights["1.running_var"] + 1e-5)
    loaded = network()
    loaded.load_state_dict(
        {
            "0.weight": weights["0.weight"] * scale[:, None, None, None],
            "0.bias": (weights["0.bias"] - weights["1.running_mean"]) * scale + weights["1.bias"],
            "4.weight": weights["5.weight"],
            "4.bias": weights["5.bias"],
        }
    )
loaded.eval()
model.eval()
print("largest difference:", f"{np.abs(loaded(images[test]) - model(images[test])).max():.0e}")
print(f"accuracy: {(loaded(images[test]).argmax(axis=1) == digits.target[test]).mean():.1%}")

# %%
fig, axes = plt.subplots(2, 6, figsize=(8, 3), layout="constrained")
answers = loaded(images[test])[:12].argmax(axis=1)
for ax, image, answer in zip(axes.flat, images[test], answers, strict=False):
    ax.imshow(image[0], "gray_r")
    ax.set(title=f"a {answer}", xticks=[], yticks=[])
plt.show()
