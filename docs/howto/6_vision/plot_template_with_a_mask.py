"""
A template with a mask
======================

A coin is round, and its picture is square: the corners of the template hold background, which
differs from coin to coin. ``mask`` leaves them out.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import maximum_filter
from skimage import data

import pyconv

coins = data.coins()
coin = coins[100:147, 129:178]

# %%
# ``mask`` is True for the samples of the template that are left out.
height, width = coin.shape
rows, columns = np.mgrid[:height, :width]
corners = ((rows - height / 2) / (height / 2)) ** 2 + ((columns - width / 2) / (width / 2)) ** 2 > 1
plain = pyconv.match_template(coins, coin, "same", "symmetric")
masked = pyconv.match_template(coins, coin, "same", "symmetric", mask=corners)
print("weights left out:", f"{corners.mean():.0%}")

# %%
# A match is a local maximum above a threshold.
fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for ax, title, likeness in ((axes[0], "whole", plain), (axes[1], "corners left out", masked)):
    tops = np.argwhere((likeness == maximum_filter(likeness, 21)) & (likeness > 0.5))
    print(f"{title}: {len(tops)} matches")
    ax.imshow(likeness, "gray", vmin=-1, vmax=1)
    ax.plot(tops[:, 1], tops[:, 0], "o", mfc="none", mec="tab:orange", ms=16)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()
