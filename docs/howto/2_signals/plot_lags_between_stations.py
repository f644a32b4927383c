"""
Lags between stations
=====================

The same wave arrives at two stations at different times. A cross-correlation limited to the lags
that are possible finds the delay without computing the others.
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
# ``nan_policy="omit"`` leaves out the pairs of which one is missing.
fig, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
for i, station in enumerate(stations):
    c, lags = pyconv.xcorr(station, stations[0], maxlag=200, normalize="coeff", nan_policy="omit")
    best = int(lags[c.argmax()])
    print(f"station {i}: {best} samples later than station 0, coefficient {c.max():.2f}")
    ax.plot(lags, c + i, lw=0.8)
    ax.plot(best, c.max() + i, "o", color="tab:red", ms=4)
ax.set(xlabel="lag in samples", ylabel="station", title="correlation with station 0")
plt.show()
