"""
8. What it learned
==================

Nobody told a network what an edge is. Trained on photographs, its first layer finds edges,
stripes and spots by itself: the kernels that vision research had designed, and measured in
brains, before.
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage import data

from pyconv import filters, kernels, nn, viz

# %%
# Patches of photographs, with the slow changes of brightness taken out, and noise put in.
rng = np.random.default_rng(0)
patches = []
for photo in (data.chelsea(), data.astronaut(), data.coffee(), data.camera()):
    grey = photo.astype(np.float32) if photo.ndim == 2 else photo.mean(2, dtype=np.float32)
    grey = np.log(grey + 20)
    band = filters.gaussian(grey, 0.7) - filters.gaussian(grey, 4.0)
    corners = rng.integers(0, [band.shape[0] - 20, band.shape[1] - 20], (250, 2))
    patches += [band[i : i + 20, j : j + 20] / band.std() for i, j in corners]
clean = np.stack(patches)[:, np.newaxis].astype(np.float32)

# %%
# The task: take the noise out again, with sixteen kernels, max(x, 0), and sixteen more.
draw = np.random.default_rng(1)
model = nn.Sequential(
    nn.Conv2d(1, 16, 9, padding=4, rng=draw),
    nn.ReLU(inplace=True),
    nn.Conv2d(16, 1, 9, padding=4, rng=draw),
)
for p in model.parameters():
    p.data = 0.3 * p.data
optimizer = nn.Adam(model.parameters(), weight_decay=5e-3)
losses = []
for lr in [4e-3] * 12 + [1e-3] * 3:
    optimizer.lr = lr
    noisy = clean + 1.5 * rng.standard_normal(clean.shape, dtype=np.float32)
    losses += nn.fit(
        model, noisy, clean, nn.MSELoss(), optimizer, epochs=1, batch_size=16, rng=2
    ).loss
print(f"loss {losses[0]:.3f} after one epoch, {losses[-1]:.3f} after {len(losses)}")

# %%
# Its first layer, beside kernels that people designed.
learned = model[0].weight.data[:, 0]
strongest = np.argsort(-np.abs(learned).sum((1, 2)))
viz.show_kernels(learned[strongest], columns=8, title="Learned from photographs")


def dog(sigma):
    """Return a difference of Gaussians of 9 × 9 weights."""
    return kernels.gaussian(sigma, radius=4) - kernels.gaussian(1.6 * sigma, radius=4)


designed = [
    kernels.gabor(wavelength=w, orientation=a, phase=p, radius=4)
    for w, p in ((5.0, 0.0), (6.0, np.pi / 2))
    for a in np.arange(4) * np.pi / 4
]
designed[-1] = dog(0.8)
viz.show_kernels(np.stack(designed), columns=8, title="Designed: difference of Gaussians, Gabor")

# %%
# How alike are they? The largest correlation of each learned kernel with Gabor filters and
# differences of Gaussians of many directions, widths and places.
candidates = [
    kernels.gabor(wavelength=w, orientation=a, phase=p, radius=4)
    for w in (3.0, 4.0, 5.0, 7.0, 10.0)
    for a in np.arange(8) * np.pi / 8
    for p in (0.0, np.pi / 2)
] + [dog(s) for s in (0.5, 0.8, 1.2)]


def unit(w):
    """Return weights without their mean, of length 1."""
    w = w - w.mean()
    return w / np.linalg.norm(w)


likeness = [max(abs(np.vdot(unit(w), unit(c))) for c in candidates) for w in learned[strongest]]
noise = [
    max(abs(np.vdot(unit(rng.standard_normal((9, 9))), unit(c))) for c in candidates)
    for _ in range(50)
]
print(f"learned kernels: {np.mean(likeness):.2f} on average, the best {max(likeness):.2f}")
print(f"random kernels:  {np.mean(noise):.2f} on average")

# %%
# And what they do to noise.
viz.show_feature_maps(
    np.concatenate([clean[0], noisy[0], model.eval()(noisy[:1])[0]]),
    titles=["a patch", "with noise", "without it"], columns=3,
)  # fmt: skip
plt.show()
