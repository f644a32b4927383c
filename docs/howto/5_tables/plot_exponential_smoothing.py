"""
Exponential smoothing of a column
=================================

Exponential smoothing weighs a sample of k hours ago by (1 − α)ᵏ. The weights become negligible, so
a finite kernel gives the same values.
"""

import matplotlib.pyplot as plt
import numpy as np

import pyconv

rng = np.random.default_rng(11)
load = 50 + 10 * np.sin(np.arange(300) / 20) + 5 * rng.standard_normal(300)

# %%
# The kernel ends where a weight is below 10⁻¹² of the first one. In a correlation the last weight
# meets this sample, so the weights rise.
alpha = 0.15
length = int(np.ceil(np.log(1e-12) / np.log(1 - alpha)))
weights = (1 - alpha) ** np.arange(length)[::-1]
print(length, "weights")

# %%
# ``fill_value=np.nan`` with ``nan_policy="omit"`` divides by the weights that met samples: this
# is ``ewm(alpha=α, adjust=True).mean()`` of pandas. The quotient does not depend on the sum of
# the weights after the division by it, so that the weights are scaled to 1.
smooth = pyconv.correlate(
    load, weights / weights.sum(), [(length - 1, 0)], fill_value=np.nan, nan_policy="omit"
)
by_hand = [
    np.average(load[: i + 1], weights=(1 - alpha) ** np.arange(i, -1, -1.0))
    for i in range(load.size)
]
print("as by hand:", np.allclose(smooth, by_hand))

# %%
# Smoothing in both directions has no delay: the kernel is symmetric.
both = np.concatenate([weights, weights[-2::-1]])
centred = pyconv.correlate(load, both / both.sum(), "same", fill_value=np.nan, nan_policy="omit")

# %%
fig, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
ax.plot(load, color="0.75", label="load")
ax.plot(smooth, label="exponential smoothing, α = 0.15")
ax.plot(centred, label="in both directions")
ax.set(xlabel="hour")
ax.legend(frameon=False)
plt.show()
