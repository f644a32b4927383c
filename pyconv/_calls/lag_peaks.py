"""Peaks of correlations between two lags."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.output_arrays import plain_array
from pyconv._engine.problem import flag, integer


def xcorr_peak(
    c: npt.ArrayLike,
    lags: npt.ArrayLike,
    *,
    axis: int = -1,
    absolute: bool = False,
) -> tuple[Any, Any]:
    r"""Return the lag of the largest correlation, to a part of a sample, and its value.

    .. math:: k + \frac{c_{k-1} - c_{k+1}}{2 \, (c_{k-1} - 2 c_k + c_{k+1})}

    is where the parabola through the largest correlation :math:`c_k` and its neighbours is
    largest.

    Parameters
    ----------
    c : array_like
        Correlations, as `xcorr` returns them.
    lags : array_like
        Their lags, one or more, evenly spaced.
    axis : int, optional
        The axis of lags, by default the last.
    absolute : bool, optional
        Look for the largest magnitude, as of waves of unknown polarity; so it is for complex
        correlations.

    Returns
    -------
    lag : float or ndarray
        The lags, an entry for each series; NaN where all correlations are.
    value : float or ndarray
        The largest values of the parabolas: under `absolute` with the sign of the correlation,
        of complex ones the magnitude.

    Raises
    ------
    ValueError
        For lags that are none, or as many as there are no correlations.

    See Also
    --------
    xcorr : the correlations.

    Notes
    -----
    A peak at the first or the last lag, or beside a NaN, is not moved. The error of the lag is
    least where the correlation has many samples in a period: 0.002 samples at most for a cosine of
    20, 0.02 for one of 6, and 0.05 for one of 4.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> t = np.arange(400)
    >>> wave = lambda arrival: np.exp(-(((t - arrival) / 12) ** 2))
    >>> c, lags = pyconv.xcorr(wave(190.3), wave(150.0), 60, "coeff")
    >>> lag, value = pyconv.xcorr_peak(c, lags)
    >>> float(lag.round(2)), float(value.round(3))
    (40.3, 1.0)
    """
    places = plain_array(lags, "lags")
    series = plain_array(c, "c")
    where = integer(axis, "axis")
    if not -series.ndim <= where < series.ndim:
        raise ValueError(f"axis={axis!r}, but c has shape {series.shape}")
    series = np.moveaxis(series, where, -1)
    if places.shape != series.shape[-1:] or not places.size:
        raise ValueError(
            f"lags has shape {places.shape}, but c has {series.shape[-1]} correlations along "
            f"axis={axis}; one lag or more is allowed, one for each"
        )
    if places.dtype.kind not in "iuf" or series.dtype.kind not in "iufcb":
        raise TypeError(
            f"lags and c have the dtypes {places.dtype} and {series.dtype}; real numbers are "
            "allowed for lags, and numbers for c"
        )
    # Seconds have the roundings of their dtype.
    rounding = np.finfo(places.dtype).eps if places.dtype.kind == "f" else 0
    places = places.astype(np.float64)
    even = bool(np.isfinite(places).all())
    if even and places.size > 1:
        steps = np.diff(places)
        granted = 1e-6 * abs(steps[0]) + 4 * rounding * np.abs(places).max()
        even = bool(steps[0] != 0 and np.ptp(steps) <= granted)
    if not even:
        raise ValueError("lags are not evenly spaced: finite numbers with one step are allowed")
    wanted = flag(absolute, "absolute")
    series = np.abs(series) if series.dtype.kind == "c" else series.astype(np.float64)
    sizes = np.abs(series) if wanted else series
    at = np.where(np.isnan(sizes), -np.inf, sizes).argmax(-1)[..., np.newaxis]
    last = len(places) - 1
    before, here, behind = (
        np.take_along_axis(series, np.clip(at + move, 0, last), -1)[..., 0] for move in (-1, 0, 1)
    )
    at = at[..., 0]
    with np.errstate(all="ignore"):
        bend = before - 2 * here + behind
        part = (before - behind) / (2 * bend)
        inside = (at > 0) & (at < last) & np.isfinite(part)
        part = np.where(inside, part, 0)
        value = here - (before - behind) * part / 4 if inside.any() else here
        value = np.where(inside, value, here)
    step = places[1] - places[0] if last else 0
    lag = np.where(np.isnan(here), np.nan, places[at] + part * step)
    return lag[()], value[()]
