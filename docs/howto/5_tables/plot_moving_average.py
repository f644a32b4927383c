"""
A moving average of a table's column
====================================

A column of a table is an array: ``df["price"].to_numpy()`` for pandas. A moving average is a
correlation with equal weights.
"""

import matplotlib.pyplot as plt
import numpy as np

import pyconv
from pyconv import filters

rng = np.random.default_rng(10)
price = 100 + np.cumsum(rng.standard_normal(250))
price[[40, 41, 42, 130]] = np.nan  # days without a price

# %%
# A trailing average uses this day and the 19 days before it, as ``rolling(20).mean()`` of pandas
# does. Pads say so: 19 samples are read before the first one, none after the last one. A
# ``fill_value`` of NaN and ``nan_policy="omit"`` leave out what is outside and what is missing.
window = np.full(20, 1 / 20)
trailing = pyconv.correlate(price, window, [(19, 0)], fill_value=np.nan, nan_policy="omit")
by_hand = [np.nanmean(price[max(0, i - 19) : i + 1]) for i in range(price.size)]
print("as by hand:", np.allclose(trailing, by_hand))

# %%
# pandas shows nothing before the window is full (``min_periods``). :func:`pyconv.coverage`
# counts: a result of fewer than 15 days is dropped.
days = 20 * pyconv.coverage(price, window, [(19, 0)], fill_value=np.nan)
enough = np.where(days.round() >= 15, trailing, np.nan)

# %%
# A centred average has no delay. A weighted average is the same call with other weights.
centred = filters.box(price, 21, nan_policy="omit")
weights = np.arange(1, 21) / np.arange(1, 21).sum()  # the last day counts most
weighted = pyconv.correlate(price, weights, [(19, 0)], fill_value=np.nan, nan_policy="omit")

# %%
# All columns of a table are averaged in one call: ``axes=0`` is down each column.
table = 100 + np.cumsum(rng.standard_normal((250, 4)), axis=0)
print(filters.box(table, 21, axes=0).shape)

# %%
fig, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
ax.plot(price, color="0.7", label="price")
ax.plot(enough, label="trailing mean of 20, at least 15 days")
ax.plot(centred, label="centred mean of 21")
ax.plot(weighted, label="trailing, weighted")
ax.set(xlabel="day")
ax.legend(frameon=False)
plt.show()
