"""What a call on a small array would spend most of its time on in Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

def plain_key(
    options: tuple[object, ...], plain: frozenset[type]
) -> tuple[tuple[object, ...], tuple[type, ...]] | None: ...
def array_key(
    x: npt.NDArray[Any], w: npt.NDArray[Any], options: tuple[object, ...]
) -> tuple[object, ...]: ...
def filter_key(
    solve: object,
    x: object,
    axes: object,
    arguments: tuple[object, ...],
    given: tuple[object, ...],
    out_at: int,
    plain: frozenset[type],
) -> tuple[object, ...] | None: ...
def aligned(shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> npt.NDArray[Any]: ...
