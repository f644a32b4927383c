"""
A zero-phase band-pass of ten channels with gaps
================================================

A symmetric kernel delays no frequency: it is a zero-phase filter, and needs no second pass
backwards. Ten channels are filtered in one call along the last axis.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.signal import firwin

import pyconv

# %%
# Ten channels of 100 samples per second carry a pulse of 5 Hz, a slow drift and noise. Some of
# their samples are missing.
rate, n = 100.0, 3000
rng = np.random.default_rng(5)
time = np.arange(n) / rate
arrival = 12 + 0.4 * np.arange(10)[:, None]
clean = np.exp(-(((time - arrival) / 0.8) ** 2)) * np.sin(2 * np.pi * 5 * (time - arrival))
channels = clean + 2 * np.sin(2 * np.pi * 0.1 * time) + 0.3 * rng.standard_normal((10, n))
for channel in channels:
    start = rng.integers(0, n - 200)
    channel[start : start + 60] = np.nan

# %%
# The band-pass from 2 to 10 Hz is a FIR kernel of 201 taps, symmetric about its centre.
taps = firwin(201, [2, 10], pass_zero=False, fs=rate)
print("symmetric:", np.allclose(taps, taps[::-1]))

# %%
# The weights of a band-pass cancel, so that no sum over a part of them means anything:
# ``nan_policy="omit"`` is refused. The gaps are filled first, by straight lines.
# What the fill has made is left out afterwards: :func:`pyconv.coverage` says which part of the
# weights met samples.
band = pyconv.correlate(pyconv.fill_gaps(channels), taps, "same", "mirror")
seen = pyconv.coverage(channels, np.abs(taps), "same", "mirror")
band[seen < 0.9] = np.nan

# %%
# The pulses are where they were: the largest lag between the band and the clean pulse is 0.
lags = []
for ours, true in zip(band, clean, strict=True):
    c, lag = pyconv.xcorr(ours, true, maxlag=20, nan_policy="omit")
    lags.append(int(lag[c.argmax()]))
print("delays in samples:", lags)

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for i in range(10):
    axes[0].plot(time, channels[i] / 4 + i, lw=0.6, color="0.4")
    axes[1].plot(time, band[i] / 2 + i, lw=0.6, color="tab:blue")
axes[0].set(title="recordings with gaps", xlabel="seconds", ylabel="channel")
axes[1].set(title="2 to 10 Hz, zero phase", xlabel="seconds")
plt.show()
