"""
Lags between stations
=====================

The same wave arrives at two stations at different times. A cross-correlation limited to the lags
that are possible finds the delay without computing the others, for all pairs of stations at once.
"""

import matplotlib.pyplot as plt
import numpy as np

import pyconv

# %%
# Five stations record one source, each with its own delay, strength and noise.
rng = np.random.default_rng(6)
n, delays = 6000, [0, 37, 81, 120, 158]
wave = pyconv.correlate(rng.standard_normal(1500), np.hanning(15)) * np.exp(-np.arange(1486) / 300)
stations = 0.15 * rng.standard_normal((5, n))
for station, delay in zip(stations, delays, strict=True):
    station[1000 + delay : 1000 + delay + wave.size] += wave
stations[3, 1500:1600] = np.nan

# %%
# ``maxlag=200`` computes 401 lags, not 11,999. ``normalize="coeff"`` gives values from −1 to 1.
# ``nan_policy="omit"`` leaves out the pairs of samples of which one is missing, and ``pairs="all"``
# compares each station with each.
c, lags = pyconv.xcorr(stations, maxlag=200, normalize="coeff", nan_policy="omit", pairs="all")
measured, peaks = pyconv.xcorr_peak(c, lags)
fig, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
for i in range(5):
    print(f"station {i}: {measured[i, 0]:.1f} samples later than station 0")
    ax.plot(lags, c[i, 0] + i, lw=0.8)
    ax.plot(measured[i, 0], peaks[i, 0] + i, "o", color="tab:red", ms=4)
ax.set(xlabel="lag in samples", ylabel="station", title="correlation with station 0")
plt.show()

# %%
# Ten pairs say more than four. The arrivals that fit all lags best, in the least squares, are the
# means of the rows, less that of station 0; loud correlations could count for more.
arrivals = measured.mean(axis=1)
arrivals -= arrivals[0]
print("arrivals:", arrivals.round(2), "true:", delays)
fig, ax = plt.subplots(figsize=(4.4, 3.6), layout="constrained")
image = ax.imshow(measured, cmap="RdBu")
for i in range(5):
    for j in range(5):
        ax.text(j, i, f"{measured[i, j]:.0f}", ha="center", va="center", fontsize=8)
ax.set(xlabel="station", ylabel="station", title="samples after")
fig.colorbar(image, label="lag")
plt.show()
