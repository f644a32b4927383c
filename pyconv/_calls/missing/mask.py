"""What is missing: samples under a mask, and NaN where a call leaves those out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pyconv._engine.dtypes import supported
from pyconv._engine.output_arrays import is_masked, plain_array
from pyconv._engine.planning import check_nan
from pyconv._native import layout, loader

#: Samples that are searched for NaN at once, in the cache.
RUN = 1 << 18


def leaves_out(x: object, nan_policy: object, mask: object) -> bool:
    """Return whether a call may have samples missing."""
    return (
        mask is not None or (isinstance(nan_policy, str) and nan_policy == "omit") or is_masked(x)
    )


def split_mask(
    x: npt.ArrayLike, mask: npt.ArrayLike | None, name: str = "x", mask_name: str = "mask"
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return ``x`` as a plain array, and what is masked of it: by itself or by ``mask``."""
    own = None
    if is_masked(x):
        supported(x.dtype, name)
        own, x = np.ma.getmaskarray(x), np.asarray(x.data)
    samples = plain_array(x, name)
    if mask is None:
        return samples, own
    given = plain_array(mask, mask_name)
    if given.dtype != bool:
        raise TypeError(
            f"{mask_name} has dtype {given.dtype}; bool is allowed, True for samples to leave out"
        )
    try:
        wide = np.broadcast_to(given, samples.shape)
    except ValueError:
        raise ValueError(
            f"{mask_name} has shape {given.shape}, which does not broadcast to {name}'s shape "
            f"{samples.shape}"
        ) from None
    return samples, wide if own is None else own | wide


def check_seen(policy: object, x: np.ndarray, mask: np.ndarray | None, name: str = "x") -> None:
    """Raise ValueError for a policy that is unknown, or for NaN among seen samples it refuses."""
    refuses = isinstance(policy, str) and policy == "raise"
    check_nan(policy, name, x[~mask] if refuses and mask is not None else x)


def holds_nan(x: np.ndarray) -> bool:
    """Return whether any sample is NaN."""
    if x.dtype.kind not in "fc" or not x.size:
        return False
    if x.flags.c_contiguous and x.dtype.char in "fdFD" and layout.readable(x):
        return loader.native.holds_nan(x)
    parts = (x.real, x.imag) if x.dtype.kind == "c" else (x,)
    if x.size <= RUN:
        with np.errstate(all="ignore"):
            return any(bool(np.isnan(part.min())) for part in parts)
    axis = int(np.argmax(x.strides))
    step = max(1, x.shape[axis] * RUN // x.size)
    with np.errstate(all="ignore"):
        # A NaN is the least; the first block with one is the last that is read.
        return any(
            bool(np.isnan(np.moveaxis(part, axis, 0)[start : start + step].min()))
            for part in parts
            for start in range(0, x.shape[axis], step)
        )


def items_with_gaps(
    x: np.ndarray, mask: np.ndarray | None, nan: bool, axes: tuple[int, ...]
) -> np.ndarray:
    """Return which items, that lie along some axes, have samples missing: masked, or ``nan``."""
    gaps = np.zeros([n for axis, n in enumerate(x.shape) if axis not in axes], np.bool)
    if mask is not None:
        gaps |= mask.any(axes)
    if nan:
        with np.errstate(all="ignore"):  # a NaN is the least
            for part in (x.real, x.imag) if x.dtype.kind == "c" else (x,):
                gaps |= np.isnan(part.min(axes))
    return gaps
