"""fftconvolve and oaconvolve of `scipy.signal`: convolutions along some axes, batches on others.

Both grant the error of a transform; whether one is fastest is the engine's to say.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.signal

from pyconv.signal._extents import (
    Array,
    Kept,
    Part,
    convolve_parts,
    known,
    part_of,
    run_of,
    solved,
    swapped,
    taken,
)

#: SciPy's own functions, whatever is put in their place later.
_scipy_fftconvolve, _scipy_oaconvolve = scipy.signal.fftconvolve, scipy.signal.oaconvolve


def fftconvolve(
    in1: npt.ArrayLike,
    in2: npt.ArrayLike,
    mode: str = "full",
    axes: int | Sequence[int] | None = None,
) -> Array:
    """Convolve along some axes, to within the error of a Fourier transform.

    Parameters
    ----------
    in1, in2 : array_like
        Arrays of as many dimensions.
    mode : {'full', 'valid', 'same'}, optional
        Which outputs exist: all, those that read no zero outside, or the middle ones, as many as
        `in1` has.
    axes : int or sequence of int, optional
        The axes to convolve along, by default all; the others are batches, which broadcast.

    Returns
    -------
    ndarray
        The convolution, of floats: float64 for integers.

    Raises
    ------
    ValueError
        For dimensions, shapes, modes and axes that are not allowed.

    See Also
    --------
    scipy.signal.fftconvolve : the same signature, with every parameter at length.

    Notes
    -----
    The fastest algorithm runs: plain sums for short kernels, tiles of transforms for long ones. A
    NaN spoils the outputs that read it, and no others.

    Examples
    --------
    >>> from pyconv import signal
    >>> signal.fftconvolve([1, 2, 3], [0, 1, 2])
    array([0., 1., 4., 7., 6.])
    """
    return solved(_fftconvolve, in1, in2, mode, axes)


def oaconvolve(
    in1: npt.ArrayLike,
    in2: npt.ArrayLike,
    mode: str = "full",
    axes: int | Sequence[int] | None = None,
) -> Array:
    """Convolve along some axes, to within the error of a Fourier transform.

    The same as `fftconvolve`, which works in tiles by itself.

    Parameters
    ----------
    in1, in2 : array_like
        Arrays of as many dimensions.
    mode : {'full', 'valid', 'same'}, optional
        Which outputs exist: all, those that read no zero outside, or the middle ones, as many as
        `in1` has.
    axes : int or sequence of int, optional
        The axes to convolve along, by default all; the others are batches, which broadcast.

    Returns
    -------
    ndarray
        The convolution, of floats: float64 for integers.

    Raises
    ------
    ValueError
        For dimensions, shapes, modes and axes that are not allowed.

    See Also
    --------
    scipy.signal.oaconvolve : the same signature, with every parameter at length.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import signal
    >>> signal.oaconvolve(np.ones((2, 4)), [[1, -1]], axes=1)
    array([[ 1.,  0.,  0.,  0., -1.],
           [ 1.,  0.,  0.,  0., -1.]])
    """
    return solved(_oaconvolve, in1, in2, mode, axes)


def _fftconvolve(x: Array, w: Array, mode: str, axes: Any) -> tuple[Array, Kept | None]:
    return _transformed(x, w, mode, axes, _scipy_fftconvolve)


def _oaconvolve(x: Array, w: Array, mode: str, axes: Any) -> tuple[Array, Kept | None]:
    return _transformed(x, w, mode, axes, _scipy_oaconvolve)


def _transformed(
    x: Array, w: Array, mode: str, axes: Any, scipys: Any
) -> tuple[Array, Kept | None]:
    first = x
    if x.ndim == w.ndim == 0:
        return x * w, None
    if x.ndim != w.ndim:
        raise ValueError("in1 and in2 should have the same dimensionality")
    if x.size == 0 or w.size == 0:
        return np.asarray([]), None
    # Along an axis on which one of them has a single sample there is nothing to convolve.
    along = sorted(a for a in axes_of(axes, x.ndim) if x.shape[a] != 1 and w.shape[a] != 1)
    others = [a for a in range(x.ndim) if a not in along]
    if any(x.shape[a] != w.shape[a] and 1 not in (x.shape[a], w.shape[a]) for a in others):
        raise ValueError(f"incompatible shapes for in1 and in2: {x.shape} and {w.shape}")
    if swapped(mode, x.shape, w.shape, along):
        x, w = w, x
    known(mode)
    if not taken(x, w):
        return scipys(x, w, mode, axes), None
    batches = any(w.shape[a] > 1 for a in others)
    if mode == "same":
        w = _centred(w, x.shape, others)
    if not along:
        return x * w, None
    parts = [part_of(mode, x.shape[a], w.shape[a]) for a in along]
    floats = as_floats(x), as_floats(w)
    y = _batches(*floats, along, others, parts)
    if batches or w.size > x.size:
        return y, None
    return y, _run_of_floats(run_of(*floats, along, parts), exchanges=x is not first)


def _run_of_floats(run: Kept | None, *, exchanges: bool) -> Kept | None:
    """Return a run that makes floats of its arrays, which may change places."""
    if run is None:
        return None
    if exchanges:
        return lambda x, w: run(as_floats(w), as_floats(x))
    return lambda x, w: run(as_floats(x), as_floats(w))


def axes_of(axes: Any, ndim: int) -> list[int]:
    """Return the axes to convolve along, counted from the front."""
    if axes is None:
        return list(range(ndim))
    try:
        given = [operator.index(a) for a in (axes if isinstance(axes, Iterable) else (axes,))]
    except TypeError:
        raise ValueError(f"axes must be a scalar or iterable of integers, not {axes!r}") from None
    if not given:
        raise ValueError("when provided, axes cannot be empty")
    if any(not -ndim <= a < ndim for a in given):
        raise ValueError(f"axes exceeds dimensionality of input: {axes!r} of {ndim}")
    where = [a % ndim for a in given]
    if len(set(where)) < len(where):
        raise ValueError(f"all axes must be unique: {axes!r}")
    return where


def as_floats(x: Array) -> Array:
    """Return an array in the dtype whose transform SciPy takes."""
    if x.dtype.kind in "biu":
        return x.astype(np.float64)
    return x.astype(np.float32) if x.dtype.itemsize == 2 else x


def _batches(
    x: Array, w: Array, along: Sequence[int], others: Sequence[int], parts: Sequence[Part]
) -> Array:
    """Return the convolutions of all batches."""
    if w.size > x.size:
        x, w = w, x
    looped = [a for a in others if w.shape[a] > 1]
    if not looped:
        return convolve_parts(x, w, along, parts)
    axis = looped[0]
    rest = [a for a in others if a != axis]
    ones = [
        _batches(
            x if x.shape[axis] == 1 else x.take([i], axis),
            w.take([i], axis), along, [*rest, axis], parts,
        )
        for i in range(w.shape[axis])
    ]  # fmt: skip
    return np.concatenate(ones, axis)


def _centred(w: Array, shape: Sequence[int], others: Sequence[int]) -> Array:
    """Return the kernel in the middle of batch axes that ``in1`` has only one sample of."""
    cut = [slice(None)] * w.ndim
    for a in others:
        if shape[a] == 1:
            middle = (w.shape[a] - 1) // 2
            cut[a] = slice(middle, middle + 1)
    return w[tuple(cut)]
