"""Sums over windows: Σ w·x of all samples, or W · Σ w·x / Σ w of those that are not NaN.

The quotients come from pyconv's normalised convolution. It refuses weights of both signs that
nearly cancel, and has no result where less than 2⁻²⁴ of the weights met a sample; astropy divides
there as well. Such weights, and such windows, are summed here, plainly.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from pyconv._calls.correlation import convolve
from pyconv._calls.missing import coverage
from pyconv._calls.missing.call import Omission
from pyconv._calls.missing.mask import holds_nan
from pyconv._calls.missing.weights import MIN_COVERAGE
from pyconv._engine.boundaries import BOUNDARIES, FILL
from pyconv._engine.planning import array_of
from pyconv._engine.problem import CallOptions

#: Bytes of weights up to which what is known of a call is kept for the next one.
KEPT = 1 << 16
#: Products of windows that are gathered, at most; for more the whole array is summed again.
GATHERED = 1 << 22


class Windows:
    """The windows of one call.

    Parameters
    ----------
    w : ndarray
        Weights, in the dtype of the sums.
    axes : tuple of int
        The axis of the samples that each axis of the weights acts on.
    boundaries : tuple of str
        What is read outside, along each of these.
    fill_value : float
        What ``constant`` reads; NaN is missing.
    inside : bool
        Whether only windows within the array are summed.
    workers : int, optional
        Threads.
    """

    def __init__(
        self,
        w: np.ndarray,
        axes: tuple[int, ...],
        boundaries: tuple[str, ...],
        fill_value: float = 0.0,
        inside: bool = False,
        workers: int | None = None,
    ) -> None:
        self.w, self.axes, self.boundaries = w, axes, boundaries
        #: W, and whether pyconv leaves out samples under these weights.
        total = float(np.sum(w, dtype=np.float64))
        self.total = 1.0 if abs(total - 1) <= w.size * np.finfo(w.dtype).eps else total
        signs = {*np.sign(w[w != 0]).tolist()}
        self.alike = len(signs) == 1 and signs < {-1.0, 1.0} and np.isfinite(self.total)
        #: Samples before and after the centre of a window; those of an even kernel as in a
        #: transform whose kernel is rolled by half its length.
        self.before = [0 if inside else (k - 1) // 2 for k in w.shape]
        self.inside = inside
        self.outside_is_missing = "constant" in boundaries and bool(np.isnan(fill_value))
        self.fill_value = fill_value if "constant" in boundaries else 0.0
        pads = tuple((0, 0) if inside else ((k - 1) // 2, k // 2) for k in w.shape)
        self._bound = {"mode": pads, "boundary": boundaries, "axes": axes}
        self._options: dict[str, Any] = self._bound | {"workers": workers}

    def plain(self, x: np.ndarray) -> np.ndarray:
        """Return Σ w·x."""
        return convolve(x, self.w, fill_value=self.fill_value, **self._options)

    def means(self, x: np.ndarray, has_nan: bool, keep: bool = False) -> np.ndarray:
        """Return W · Σ w·x / Σ w of the samples that are not NaN.

        Where Σ w is 0 the result is W times the sample at the centre if that is to be kept, or NaN.
        """
        if not self.alike:
            return self._quotients(x, keep)
        fill = None if self.outside_is_missing else self.fill_value
        arguments = x.shape, x.dtype, self.w.shape, self.w.dtype, fill, tuple(self._bound.values())
        if self.w.nbytes <= KEPT:
            call = _kept_omission(self.w.tobytes(), *arguments)
        else:
            call = _omission(self.w, *arguments)
        y = call.solve(x, None, None, self._options["workers"], has_nan)
        sizes = np.abs(self.w)
        # A single weight may be less than what pyconv divides by. Where no weight met a sample, one
        # at the centre may be there, without a weight.
        faint = bool(np.any((sizes != 0) & (sizes <= 2 * MIN_COVERAGE * abs(self.total))))
        keep = keep and not self.w[tuple((k - 1) // 2 for k in self.w.shape)]
        if not (faint or keep) or not holds_nan(y):
            return y
        lost, unseen = np.isnan(y), self.unseen(x)
        if keep:
            y[lost & unseen] = self.total * self.centres(x)[lost & unseen]
        if faint:
            lost &= ~unseen
            places = np.nonzero(lost)
            if places[0].size * self.w.size <= GATHERED:
                y[places] = self._quotients_at(x, places)
            else:
                np.copyto(y, self._quotients(x, False), where=lost)
        return y

    def unseen(self, x: np.ndarray) -> np.ndarray:
        """Return whether no sample of a window with a weight that is not 0 is there."""
        seen = ~np.isnan(x)
        count = convolve(seen, self.w != 0, fill_value=not self.outside_is_missing, **self._options)
        return count == 0

    def centres(self, x: np.ndarray) -> np.ndarray:
        """Return the sample at the centre of each window."""
        if not self.inside:
            return x
        at = [slice(None)] * x.ndim
        for axis, k in zip(self.axes, self.w.shape, strict=True):
            at[axis] = slice((k - 1) // 2, x.shape[axis] - k // 2)
        return x[tuple(at)]

    def coverage(self, x: np.ndarray) -> np.ndarray:
        """Return Σ w of the samples that are there, as a part of W."""
        fill = np.nan if self.outside_is_missing else 0.0
        if self.alike:
            return coverage(x, self.w, flip=True, fill_value=fill, **self._options)
        return self._seen(~np.isnan(x)) / self.total

    def _seen(self, seen: np.ndarray) -> np.ndarray:
        outside = 0.0 if self.outside_is_missing else 1.0
        return convolve(seen, self.w, fill_value=outside, rtol=0.0, **self._options)

    def _quotients(self, x: np.ndarray, keep: bool) -> np.ndarray:
        """Return the results by two plain sums, whatever the weights."""
        missing = np.isnan(x)
        fill = 0.0 if self.outside_is_missing else self.fill_value
        zeroed = np.where(missing, x.dtype.type(0), x)
        y = convolve(zeroed, self.w, fill_value=fill, rtol=0.0, **self._options)
        seen = self._seen(~missing)
        y = self._divided(y, seen)
        if keep:
            y[seen == 0] = self.total * self.centres(x)[seen == 0]
        return y

    def _quotients_at(self, x: np.ndarray, places: tuple[np.ndarray, ...]) -> np.ndarray:
        """Return the results at some places, gathered tap by tap."""
        top, bottom = np.zeros(places[0].shape), np.zeros(places[0].shape)
        shape = np.array(self.w.shape)
        for tap in np.argwhere(self.w != 0):
            at, outside = list(places), np.zeros(places[0].shape, np.bool)
            reach = shape - 1 - tap - self.before
            for axis, step, name in zip(self.axes, reach, self.boundaries, strict=True):
                index = BOUNDARIES[name].index(places[axis] + step, x.shape[axis])
                outside |= index == FILL
                at[axis] = index
            samples = np.where(outside, self.fill_value, x[tuple(at)]).astype(np.float64)
            there = ~np.isnan(samples)
            weight = float(self.w[tuple(tap)])
            top[there] += weight * samples[there]
            bottom[there] += weight
        return self._divided(top, bottom)

    def _divided(self, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            y = np.divide(top, bottom, out=top)
            if self.total != 1:
                y *= self.total
        y[bottom == 0] = np.nan
        return y


def _omission(
    w: np.ndarray | bytes,
    x_shape: tuple[int, ...],
    x_dtype: np.dtype,
    w_shape: tuple[int, ...],
    w_dtype: np.dtype,
    fill: float | None,
    bound: tuple[Any, ...],
) -> Omission:
    """Return a call that leaves NaN out, and what is outside where no value fills it."""
    weights = np.frombuffer(w, w_dtype).reshape(w_shape) if isinstance(w, bytes) else w
    mode, boundary, axes = bound
    options = CallOptions(True, mode, boundary, np.nan if fill is None else fill, axes)
    return Omission(array_of(x_shape, x_dtype, "array"), weights, options, True, False)


_kept_omission = lru_cache(64)(_omission)
