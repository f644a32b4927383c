"""
A melody in a hall, chunk by chunk
==================================

A sound device asks for 128 samples at a time. A stream filters each chunk as it comes, by the
response of a room of 24,000 samples, and the chunks together are the convolution of the whole.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

import pyconv
from pyconv.signal import StreamingFilter

# %%
# Half a second of a room: echoes of the walls, and a tail that decays.
rate, chunk = 48_000, 128
rng = np.random.default_rng(8)
k = rate // 2
room = 0.05 * rng.standard_normal(k) * np.exp(-np.arange(k) / 4000)
room[[0, 900, 1700, 2900]] = 1, 0.6, 0.5, 0.3
room = room.astype(np.float32)

# %%
# A melody of five notes.
n = 2 * rate
seconds = np.arange(n) / rate
melody = np.zeros(n, np.float32)
for i, pitch in enumerate((440, 494, 554, 440, 659)):
    since = np.maximum(seconds - 0.3 * i, 0)
    melody += (np.sin(2 * np.pi * pitch * since) * np.exp(-8 * since) * (since > 0)).astype("f4")

# %%
# ``block`` is the length of the chunks. ``out`` receives the results, as the array of a callback
# would.
stream = StreamingFilter(room, block=chunk)
print(stream)
played = np.empty(n, np.float32)
taken = []
for start in range(0, n, chunk):
    begin = time.perf_counter()
    stream(melody[start : start + chunk], out=played[start : start + chunk])
    taken.append(time.perf_counter() - begin)
tail = stream.flush()

# %%
# The chunks are the whole. None waited for a sample: the first chunk has the first sound.
whole = pyconv.convolve(melody, room, "full")
error = np.abs(np.concatenate([played, tail]) - whole).max() / np.abs(whole).max()
print(f"largest error {error:.1e} of the largest result; latency {stream.latency} samples")

# %%
# Every second chunk begins a block of transforms. The dashed line is the time that a chunk lasts.
fig, axes = plt.subplots(2, 1, figsize=(8, 5), layout="constrained")
axes[0].plot(seconds, played, lw=0.4, color="tab:orange", label="in the hall")
axes[0].plot(seconds, melody, lw=0.4, color="tab:blue", label="melody")
axes[0].set(xlabel="seconds", ylabel="amplitude")
axes[0].legend(loc="upper right")
axes[1].semilogy(1e6 * np.array(taken), ".", ms=3)
axes[1].axhline(1e6 * chunk / rate, ls="--", color="tab:red")
axes[1].set(xlabel="chunk", ylabel="microseconds")
plt.show()
