"""savgol_filter of `scipy.signal`: polynomials fitted to windows, by weights that are known before.

    y[i] = Σ_u c[u] · x[i + u]          in the middle
    y[i] = Σ_u E[i, u] · x[u]           near an end, of the polynomial of the first window

Both are made in double, whatever the samples are.
"""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.signal

from pyconv._dask.door import in_pieces, is_planned
from pyconv._engine import threads
from pyconv._engine.output_arrays import empty
from pyconv._engine.planner import kept
from pyconv.signal._lines import Array, along, convolved, is_axis, is_finite, taken

#: SciPy's own functions, whatever is put in their place later.
_scipy_savgol_filter, _savgol_coeffs = scipy.signal.savgol_filter, scipy.signal.savgol_coeffs

#: SciPy's words → ours; the ends of ``interp`` are written over.
BOUNDARY_OF = {
    "interp": "constant",
    "mirror": "mirror",
    "constant": "constant",
    "nearest": "nearest",
    "wrap": "wrap",
}


def savgol_filter(
    x: npt.ArrayLike,
    window_length: int,
    polyorder: int,
    deriv: int = 0,
    delta: float = 1.0,
    axis: int = -1,
    mode: str = "interp",
    cval: float = 0.0,
) -> Array:
    """Smooth along an axis by polynomials fitted to windows, or take their derivatives.

    Parameters
    ----------
    x : array_like
        The samples.
    window_length : int
        Samples of a window.
    polyorder : int
        The degree of the polynomials, less than `window_length`.
    deriv : int, optional
        Which derivative is taken.
    delta : float, optional
        The distance between samples, for derivatives.
    axis : int, optional
        The axis that is filtered.
    mode : {'interp', 'mirror', 'constant', 'nearest', 'wrap'}, optional
        What is done near the ends: results of the polynomial of the last whole window, or what is
        read outside, `cval` for ``constant``.
    cval : scalar, optional
        The value that ``mode='constant'`` reads.

    Returns
    -------
    ndarray
        The results, of the shape of `x`: float32 for float32, else float64.

    Raises
    ------
    ValueError
        For degrees, windows and modes that are not allowed.

    See Also
    --------
    scipy.signal.savgol_filter : the same signature, with every parameter at length.

    Notes
    -----
    A NaN spoils the results of the windows that hold it, near an end those of the last whole
    window, and no others. Derivatives of float32 are summed in float64, smoothed samples in
    float32.

    Examples
    --------
    >>> from pyconv import signal
    >>> signal.savgol_filter([2, 2, 5, 2, 1, 0, 1, 4, 9], 5, 2).round(2)
    array([1.66, 3.17, 3.54, 2.86, 0.66, 0.17, 1.  , 4.  , 9.  ])
    """
    given = window_length, polyorder, deriv, delta, axis, mode, cval
    if type(x) is not np.ndarray and is_planned(x):
        names = "window_length", "polyorder", "deriv", "delta", "axis", "mode", "cval"
        return in_pieces("line", savgol_filter, x, names, given)
    samples = np.asarray(x)
    fit = fitted(samples, *given)
    if fit is None:
        return _scipy_savgol_filter(x, *given)
    y = empty(samples.shape, fit.dtype)
    convolved(
        samples, fit.middle, fit.axis, fit.pads, dtype=fit.dtype, boundary=fit.boundary,
        fill=fit.fill, plain=True, out=y,
    )  # fmt: skip
    if mode == "interp":
        _write_ends(samples, y, fit.axis, window_length, fit.ends)
    return y


class Fit(NamedTuple):
    """What a call sums."""

    axis: int
    dtype: np.dtype
    #: The weights of a convolution, where it begins and ends, and what it reads outside.
    middle: Array
    pads: tuple[int, int]
    boundary: str
    fill: float
    #: The weights of each result near either end, on the first and on the last window.
    ends: Array


def fitted(
    x: Array, window: Any, order: Any, deriv: Any, delta: Any, axis: Any, mode: Any, cval: Any
) -> Fit | None:
    """Return what a call sums; None for calls that are SciPy's."""
    if not _answers(x, window, order, deriv, delta, axis, mode, cval):
        return None
    weights, ends = kept(
        ("savgol", window, order, deriv, float(delta)),
        _weights, window, order, deriv, float(delta),
    )  # fmt: skip
    if not (is_finite(weights) and is_finite(ends)):
        return None
    # Of the other byte order float32 gives float64, too, as in SciPy.
    dtype = np.dtype(np.float32 if x.dtype == np.float32 else np.float64)
    return Fit(
        operator.index(axis) % x.ndim,
        dtype,
        weights.astype(dtype) if deriv == 0 else weights,
        ((window - 1) // 2, window // 2),
        BOUNDARY_OF[mode],
        float(cval) if mode == "constant" else 0.0,
        ends,
    )


def _answers(
    x: Array, window: Any, order: Any, deriv: Any, delta: Any, axis: Any, mode: Any, cval: Any
) -> bool:
    """Return whether a call is none of SciPy's, whose errors are among those."""
    if not isinstance(mode, str) or mode not in BOUNDARY_OF:
        return False
    whole = all(type(v) is int or isinstance(v, np.integer) for v in (window, order, deriv))
    if not whole or not isinstance(delta, int | float | np.floating | np.integer) or not delta:
        return False
    if not isinstance(cval, int | float | np.floating | np.integer):
        return False
    if not 0 <= order < window or deriv < 0 or not is_axis(axis, x.ndim) or not taken(x):
        return False
    if x.dtype.kind not in "biuf":
        return False
    return mode != "interp" or window <= x.shape[operator.index(axis)]


def _weights(window: int, order: int, deriv: int, delta: float) -> tuple[Array, Array]:
    """Return the weights of a convolution, and those of the results near either end.

    The polynomial is a sum of Legendre's over the window, which are far from one another.
    """
    weights = _savgol_coeffs(window, order, deriv=deriv, delta=delta)
    half = window // 2
    middle = (window - 1) / 2
    scale = max(middle, 1.0)
    at = (np.arange(window) - middle) / scale
    basis = np.polynomial.legendre.legvander(at, order)
    places = np.concatenate((at[:half], at[window - half :]))
    derived = np.empty((places.size, order + 1))
    for k in range(order + 1):
        series = np.polynomial.legendre.legder(np.eye(order + 1)[k], deriv)
        derived[:, k] = np.polynomial.legendre.legval(places, series)
    with threads.no_fork():
        ends = derived @ np.linalg.pinv(basis)
    return weights, ends / (scale * delta) ** deriv


def _write_ends(x: Array, y: Array, axis: int, window: int, ends: Array) -> None:
    """Write the results of the polynomials of the first and of the last window."""
    n, ndim, half = x.shape[axis], x.ndim, window // 2
    for start, first, rows in ((0, 0, ends[:half]), (n - window, n - half, ends[half:])):
        part = x[along(axis, ndim, start, start + window)]
        if part.dtype.itemsize == 2 and part.dtype.kind == "f":
            part = part.astype(np.float64)
        for i, row in enumerate(rows):
            convolved(
                part, row, axis, (0, 0), dtype=y.dtype, flip=False, plain=True,
                out=y[along(axis, ndim, first + i, first + i + 1)],
            )  # fmt: skip
