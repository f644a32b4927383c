"""Weights of a normalised convolution: their sums, and which may leave samples out."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from pyconv._engine.planning import prepare
from pyconv._engine.problem import CallOptions

#: Least |Σ m·w| / Σ m·|w| of an output that is not NaN, and of a kernel that is not refused. The
#: value that fills the gaps of a window is then at most 1 / BALANCE times its largest sample. The
#: ratio is 1 without a change of sign, 0.3 and more for low-pass, Savitzky-Golay and Lanczos
#: kernels, 0.2 and less for band-passes, derivatives and kernels that sharpen.
BALANCE = 1 / 4
#: Least Σ m·|w| / Σ|w| of an output that is not NaN: far above the rounding of a transform in
#: double precision, which cannot tell less from nothing.
MIN_COVERAGE = 2.0**-24


class Weights(NamedTuple):
    """What the division has to know of the weights."""

    #: The weights of the sum over what was seen.
    w: np.ndarray
    #: W, rounded as the engine rounds the sum where everything was seen, and Σ|w|.
    total: Any
    scale: float
    #: Σ m·|w| up to which too little was seen.
    void: float
    #: +1 or −1 where all weights have that sign, 0 otherwise.
    sign: int
    #: |w|, where that is neither w nor −w.
    sizes: np.ndarray | None


def check_balance(w: np.ndarray, name: str = "w") -> float:
    """Return Σ|w|; ValueError for weights that cancel, or that have no finite sum."""
    wide = w.astype(np.complex128 if w.dtype.kind == "c" else np.float64)
    with np.errstate(all="ignore"):
        total, scale = abs(wide.sum()), float(np.abs(wide).sum())
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(
            f"{name} has magnitudes that sum to {scale:.3g}: to leave samples out, their sum has "
            "to be finite and not 0"
        )
    if not total > BALANCE * scale:
        raise ValueError(
            f"{name} has weights that cancel: |sum(w)| is {total / scale:.2g} of sum|w|, and more "
            f"than {BALANCE} is needed to leave samples out, because a result is divided by the "
            "sum of the weights that were seen; fill the gaps first, by pyconv.fill_gaps or a "
            f"kernel of nonnegative weights with nan_policy='omit', and apply {name} to that; or "
            "put zeros into them, for a sum of what was seen that nothing divides"
        )
    return scale


def weights_of(w: np.ndarray, sums: np.dtype, exact: bool, flip: bool) -> Weights:
    """Return what the division has to know; ValueError for weights that cancel."""
    seen_sums = sums if w.dtype.kind == "c" else np.empty(0, sums).real.dtype
    scale = check_balance(w)
    sign = 0 if w.dtype.kind == "c" else int(np.all(w >= 0)) - int(np.all(w <= 0))
    weights = w if exact else w.astype(seen_sums)
    options = CallOptions(flip=flip, dtype=seen_sums, rtol=0.0)
    ones = np.ones(w.shape, np.bool)
    whole = prepare(ones, weights, options).plan(ones, weights)
    return Weights(
        weights,
        whole.solve(ones, weights, None, 1)[(0,) * w.ndim],
        scale,
        MIN_COVERAGE * scale,
        sign,
        None if sign else np.abs(w.astype(np.result_type(seen_sums, np.float32))),
    )
