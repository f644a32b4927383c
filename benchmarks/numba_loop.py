"""The loop that a user of numba would write: rows of outputs, a weight at a time.

It is imported where numba is installed.
"""

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

Loop = Callable[[np.ndarray, np.ndarray, np.ndarray], None]


@cache
def loop(parallel: bool) -> Loop:
    """Return y[a, b, :] = Σ_u w[u] · x[(a, b, :) + u] of padded arrays, compiled."""
    numba: Any = importlib.import_module("numba")
    rows = numba.prange

    def correlate(x: np.ndarray, w: np.ndarray, y: np.ndarray) -> None:
        for row in rows(y.shape[0] * y.shape[1]):
            a, b = row // y.shape[1], row % y.shape[1]
            y[a, b] = 0
            for u in range(w.shape[0]):
                for v in range(w.shape[1]):
                    for t in range(w.shape[2]):
                        weight = w[u, v, t]
                        for j in range(y.shape[2]):
                            y[a, b, j] += weight * x[a + u, b + v, j + t]

    compiled: Loop = numba.njit(parallel=parallel)(correlate)
    return compiled
