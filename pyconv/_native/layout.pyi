"""Whether a loop may read or write an array as it lies in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

def usual(
    x: Array, w: Array, y: Array, sums: np.dtype[Any], result: np.dtype[Any]
) -> bool: ...
def readable(x: Array) -> bool: ...
def writable(y: Array) -> bool: ...
def settled(a: Array) -> Array: ...
def apart(a: Array, b: Array) -> bool: ...
