"""What the windows of a box of outputs read along each axis, strides and dilations included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyconv._engine.boundaries import BOUNDARIES, FILL
from pyconv._engine.problem import Axis


def reads(outputs: int, a: Axis) -> int:
    """Return the samples from the first to the last that so many outputs read."""
    return (outputs - 1) * a.stride + a.span


def is_bare(a: Axis, fill: np.generic) -> bool:
    """Return whether nothing but zeros surrounds the samples of an axis."""
    return a.boundary == "constant" and bool(fill == 0)


def gathered(
    x: np.ndarray,
    axes: Sequence[Axis],
    ends: Sequence[tuple[int, int]],
    fill: np.generic,
    dtype: np.dtype,
) -> tuple[np.ndarray, list[int]]:
    """Return what a box reads, and the place of its first sample before the first output's tap 0.

    Zeros around the samples are left out.
    """
    indices, first = [], []
    for a, (begin, end) in zip(axes, ends, strict=True):
        low = begin * a.stride - a.low
        stop = low + reads(end - begin, a)
        if is_bare(a, fill):
            at = np.arange(max(0, low), max(0, low, min(a.size, stop)))
        else:
            at = BOUNDARIES[a.boundary].index(np.arange(low, stop), a.size)
        first.append(max(0, -low) if is_bare(a, fill) else 0)
        indices.append(at)
    samples = x[np.ix_(*indices)].astype(dtype, order="C", copy=False)
    samples = np.ascontiguousarray(samples)
    for i, at in enumerate(indices):
        np.moveaxis(samples, i, 0)[at == FILL] = fill
    return samples, first


def over_windows(
    a: np.ndarray,
    first: Sequence[int],
    axes: Sequence[Axis],
    shape: Sequence[int],
    unite: np.ufunc,
    nothing: Any,
) -> np.ndarray:
    """Return what an idempotent ``unite`` makes of each window, ``nothing`` outside the array.

    ``first`` is the place of the first sample along each axis, beside the first output's tap 0.
    """
    for axis, (f, m, of) in enumerate(zip(first, shape, axes, strict=True)):
        b = _widened(a, axis, f, (m - 1) * of.stride + of.span, nothing)
        have = 1
        while have < of.taps:
            shift = min(have, of.taps - have)
            b = unite(b[: -shift * of.dilation], b[shift * of.dilation :])
            have += shift
        a = np.moveaxis(b[:: of.stride], 0, axis)
    return a


def _widened(a: np.ndarray, axis: int, first: int, n: int, nothing: Any) -> np.ndarray:
    """Return an array of ``n`` along the axis, which goes first, with ``a`` from one place on."""
    a = np.moveaxis(a, axis, 0)
    wide = np.full((n, *a.shape[1:]), nothing, a.dtype)
    wide[first : first + len(a)] = a
    return wide
