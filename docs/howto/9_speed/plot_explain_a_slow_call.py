"""
A slow call, timed and explained
================================

:func:`pyconv.explain` says which algorithm a call runs, what the others would cost, and why some
cannot run. Three causes make most slow calls: a wide dtype, a kernel without factors, and many
small arrays.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

import pyconv
from pyconv import filters, kernels


def milliseconds(call, repeats=5):
    """Return the time of the fastest of several calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


rng = np.random.default_rng(14)
image = rng.random((512, 512), np.float32)
disk = kernels.disk(15, dtype=np.float32)

# %%
# The table has the predicted time of each algorithm on one thread, and a bound of its error, which
# holds for any data; typical errors are thousands of times smaller. :func:`pyconv.tune` measures
# the algorithms for this problem instead, and :func:`pyconv.tune_machine` the rates of this CPU, by
# which all times are predicted. ``rtol=`` allows faster algorithms with a larger error.
print(pyconv.explain(image, disk, "same"))

# %%
# The same call with other choices. A kernel of products is much cheaper than a disk of the same
# size. float64 takes about twice the time of float32. ``stride`` computes a part of the results.
calls = {
    "disk, float32": lambda: pyconv.correlate(image, disk, "same"),
    "disk, float64": lambda: pyconv.correlate(image.astype(float), disk.astype(float), "same"),
    "disk, tap by tap": lambda: pyconv.correlate(image, disk, "same", method="direct"),
    "disk, stride 4": lambda: pyconv.correlate(image, disk, "same", stride=4),
    "Gaussian": lambda: filters.gaussian(image, 7.5),
    "box": lambda: filters.box(image, 31),
}
times = {name: milliseconds(call) for name, call in calls.items()}

# %%
# Many calls on small arrays spend their time on checking arguments. A plan checks them once, and
# a batch is one call.
small, row = rng.random((1000, 200)), kernels.gaussian(2, ndim=1)
plan = pyconv.plan(small[0], row, "same")
times["1000 small calls"] = milliseconds(lambda: [pyconv.correlate(x, row, "same") for x in small])
times["1000 calls of a plan"] = milliseconds(lambda: [plan(x) for x in small])
times["1 call on a batch"] = milliseconds(lambda: pyconv.correlate(small, row, "same"))

# %%
fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
bars = ax.barh(list(times)[::-1], list(times.values())[::-1], color="tab:blue")
ax.bar_label(bars, fmt="%.2g", padding=3)
ax.margins(x=0.1)
ax.set(xlabel="milliseconds")
plt.show()
