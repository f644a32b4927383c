"""
A trained CNN without torch
===========================

A network that torch has trained runs on NumPy arrays alone: its weights come in a file, and its
batch normalisation is folded into the convolution before it. The digits are those of scikit-learn
(``pip install scikit-learn``).
"""

import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from pyconv import nn

# %%
# The layers have torch's names, ``Sequential(Conv2d, BatchNorm2d, ReLU, MaxPool2d, Flatten,
# Linear)``, and so have the weights.
digits = load_digits()
images = (digits.images[:, None] / 16).astype(np.float32)
train, test = slice(0, 1200), slice(1200, None)


def network():
    """Return the network, with weights that are drawn."""
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1, rng=0),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(192, 10, rng=1),
    )


# %%
# The file is what ``np.savez("cnn.npz", **{k: v.numpy() for k, v in
# model.state_dict().items()})`` writes in a process with torch, or
# ``safetensors.torch.save_file(model.state_dict(), "cnn.safetensors")``. Here the weights are
# those of a short training of the same network.
trained = network()
optimizer = nn.Adam(trained.parameters(), lr=0.01)
nn.fit(
    trained, images[train], digits.target[train], nn.CrossEntropyLoss(), optimizer,
    epochs=4, batch_size=64, rng=0, progress=False,
)  # fmt: skip
file = Path(tempfile.mkdtemp()) / "cnn.npz"
trained.save(file)

# %%
# ``load`` reads the weights and the averages of the batch normalisation. :func:`pyconv.nn.fuse`
# multiplies the weights of each channel by γ/√(σ² + ε) and adds β − μ γ/√(σ² + ε) to its bias.
model = network()
model.load(file)
model.eval()
fast = nn.fuse(model)
print(fast)

# %%
# The outputs are the same but for rounding, and a pass over the images is saved.
y = fast(images[test])
print("largest difference:", f"{np.abs(y - model(images[test])).max():.0e}")
print(f"accuracy: {(y.argmax(axis=1) == digits.target[test]).mean():.1%}")
for name, each in {"with batch normalisation": model, "fused": fast}.items():
    times = []
    for _ in range(20):
        start = time.perf_counter()
        each(images[test])
        times.append(time.perf_counter() - start)
    print(f"{name}: {min(times) * 1e3:.2f} ms")

# %%
fig, axes = plt.subplots(2, 6, figsize=(8, 3), layout="constrained")
for ax, image, answer in zip(axes.flat, images[test], y.argmax(axis=1), strict=False):
    ax.imshow(image[0], "gray_r")
    ax.set(title=f"a {answer}", xticks=[], yticks=[])
plt.show()
