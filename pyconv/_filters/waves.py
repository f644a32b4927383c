"""Answers to stripes: Gabor filters and banks of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv import kernels
from pyconv._calls.filter_call import Array, Axes, Boundary, Call, Options, filtered
from pyconv._dask.door import in_pieces, is_planned
from pyconv._engine.docstrings import documented
from pyconv._engine.problem import flag, integer, several
from pyconv._filters.arguments import SHARED
from pyconv.kernels import Number

#: More directions are told apart by no picture.
MAX_ORIENTATIONS = 2**12


@documented(SHARED)
def gabor(
    x: npt.ArrayLike,
    wavelength: float,
    orientation: float = 0.0,
    sigma: float | None = None,
    aspect: float = 1.0,
    phase: float = 0.0,
    *,
    zero_mean: bool = True,
    truncate: float = 3.0,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    """Answer to stripes of one wavelength and direction.

    Parameters
    ----------
    $x
    wavelength : float
        Distance of the crests in samples, 2 or more.
    orientation : float, optional
        Direction in which the wave goes, in radians from the last of `axes` towards the first.
    sigma : float, optional
        Standard deviation σ of the Gaussian along the wave; by default 0.56 times `wavelength`,
        which passes one octave.
    $aspect $phase
    zero_mean : bool, optional
        Whether the mean is taken off the weights, so that flat areas give 0.
    truncate : float, optional
        Where the kernel ends, in standard deviations.
    $signal_axes $boundary $fill_value $stride $dtype $overflow
    $nan_policy $mask $out $method $rtol $max_memory $workers

    $returns

    $raises

    $see_also

    $array_examples
    >>> stripes = np.cos(2 * np.pi * np.arange(24) / 6)
    >>> filters.gabor(stripes, wavelength=6)[6:12].round(2)
    array([ 0.5 ,  0.24, -0.25, -0.5 , -0.25,  0.25])
    """
    options = (
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    return filtered(
        _gabor, x, axes, (1, 2), options, wavelength, orientation, sigma, aspect, phase, zero_mean,
        truncate,
    )  # fmt: skip


def _gabor(
    call: Call,
    wavelength: float,
    orientation: float,
    sigma: float | None,
    aspect: float,
    phase: float,
    zero_mean: bool,
    truncate: float,
) -> Array:
    w = kernels.gabor(
        wavelength, orientation, sigma, aspect, phase,
        zero_mean=zero_mean, ndim=call.n, truncate=truncate,
    )  # fmt: skip
    return call.once(w)


@documented(SHARED)
def gabor_bank(
    x: npt.ArrayLike,
    wavelengths: Number,
    orientations: int | Sequence[float] = 8,
    aspect: float = 1.0,
    phase: float = 0.0,
    *,
    energy: bool = False,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: float = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    r"""Answer to stripes of several wavelengths and directions along two axes.

    Parameters
    ----------
    $real_x
    wavelengths : float or sequence of float
        Distances of the crests in samples. The Gaussians pass one octave, so that doubled
        wavelengths cover a range.
    orientations : int or sequence of float, optional
        Directions of the waves, in radians from the last of `axes` towards the first, or how many
        divide the half circle.
    $aspect $phase
    energy : bool, optional
        Return the root of the sum of the squares for the phases ψ and ψ − π/2. It says how much
        of a wave there is, wherever its crests are.
    $image_axes $boundary $fill_value $stride $real_dtype
    $nan_policy $mask $out $method $rtol $max_memory $workers

    Returns
    -------
    ndarray
        Shape (wavelengths, orientations, and the shape of `x`); `out` if that was given.

    $real_raises

    See Also
    --------
    gabor : one of the answers.

    $array_examples
    >>> columns = np.tile([1.0, 1.0, 0.0, 0.0], (16, 8))
    >>> bank = filters.gabor_bank(columns, [4, 8], orientations=2, energy=True)
    >>> bank.shape
    (2, 2, 16, 32)
    >>> bank.mean(axis=(2, 3)).round(1)
    array([[0.3, 0. ],
           [0. , 0. ]])
    """
    options = Options(
        boundary, fill_value, stride, dtype, "raise", nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    arguments = (wavelengths, orientations, aspect, phase, energy)
    if is_planned(x, mask):
        return in_pieces("filter", _gabor_bank, x, axes, (2,), options, arguments)
    return _gabor_bank(Call(x, axes, (2,), options), *arguments)


def _gabor_bank(
    call: Call, wavelengths: Number, orientations: Any, aspect: float, phase: float, energy: bool
) -> Array:
    result = call.real_dtype()
    waves = [kernels.wave_length(w, "wavelengths") for w in _sequence(wavelengths, "wavelengths")]
    angles = [kernels.number_of(a, "orientations") for a in _half_circle(orientations)]
    kernels.number_of(phase, "phase")
    energy = flag(energy, "energy")
    phases = (phase, phase - np.pi / 2) if energy else (phase,)
    bank = [
        [partial(Call.once, w=kernels.gabor(wave, angle, None, aspect, p)) for p in phases]
        for wave in waves
        for angle in angles
    ]
    y = call.destination((len(waves), len(angles), *call.shape), result)
    answers = [y[i, j] for i in range(len(waves)) for j in range(len(angles))]
    for parts, answer in zip(bank, answers, strict=True):
        if energy:
            call.root_of_squares(parts, answer)
        else:
            parts[0](call.into(answer))
    return call.returned(y)


def _sequence(value: Any, argument: str) -> tuple[Any, ...]:
    given = several(value)
    if given is None:
        return (value,)
    if not given:
        raise ValueError(f"{argument}={value!r}: at least one is needed")
    return given


def _half_circle(orientations: Any) -> tuple[Any, ...]:
    """Return the directions that are given, or as many as are asked for."""
    if several(orientations) is not None:
        return _sequence(orientations, "orientations")
    count = integer(orientations, "orientations")
    if not 1 <= count <= MAX_ORIENTATIONS:
        raise ValueError(f"orientations={orientations!r}: from 1 to {MAX_ORIENTATIONS} are allowed")
    return tuple((np.pi * np.arange(count) / count).tolist())
