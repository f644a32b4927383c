"""Convolution of `astropy.convolution`: its names, signatures and results, by pyconv's loops.

astropy is imported when one of them is called.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["convolve", "convolve_fft", "interpolate_replace_nans"]


def _implementation(name: str) -> Any:
    """Return a module of `pyconv._astropy`; ImportError says how to install what it needs."""
    try:
        return importlib.import_module(f"pyconv._astropy.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "astropy":
            raise
        raise ImportError(
            "pyconv.astropy needs astropy: pip install 'pyconv-nd[astropy]'"
        ) from error


def convolve(
    array: npt.ArrayLike | Any,
    kernel: npt.ArrayLike | Any,
    boundary: str | Sequence[str] | None = "fill",
    fill_value: float = 0.0,
    nan_treatment: str = "interpolate",
    normalize_kernel: bool = True,
    mask: npt.ArrayLike | None = None,
    preserve_nan: bool = False,
    normalization_zero_tol: float = 1e-8,
    *,
    axes: int | Sequence[int] | None = None,
    allow_even: bool = False,
    single: bool = False,
    workers: int | None = None,
) -> Any:
    r"""Convolve an array with a kernel, and interpolate over NaN.

    .. math:: y[i] = \frac{\sum_u m[i - u] \, x[i - u] \, w[u]}{\sum_u m[i - u] \, w[u]}

    with :math:`m` = 0 for samples that are NaN and 1 for others, and :math:`u` from the centre of
    the kernel.

    Parameters
    ----------
    array : array_like, Quantity, NDData or Kernel
        Array of 1, 2 or 3 dimensions, and of any number with `axes`. Masked samples are NaN.
    kernel : array_like or Kernel
        Kernel of odd sizes, and of as many dimensions.
    boundary : {'fill', 'wrap', 'extend', None} or sequence of str, optional
        What is read outside: `fill_value`, the other end, or the nearest sample. With None results
        are 0 where the kernel leaves the array. Also every boundary of `pyconv.convolve`, for all
        axes or one each.
    fill_value : float, optional
        What ``fill`` reads outside. NaN is interpolated over.
    nan_treatment : {'interpolate', 'fill'}, optional
        Whether NaN are left out, or become `fill_value` before.
    normalize_kernel : bool, optional
        Whether the kernel is divided by its sum; if not, results above are multiplied by it.
    mask : array_like, optional
        Samples are NaN where it is not 0.
    preserve_nan : bool, optional
        Whether results are NaN where samples are.
    normalization_zero_tol : float, optional
        Sums of kernels up to here are 0.
    axes : int or sequence of int, optional
        The axis of `array` that each axis of a kernel of fewer dimensions acts on.
    allow_even : bool, optional
        Whether kernels of even sizes are taken; their centre is at half the size.
    single : bool, optional
        Whether arrays of float32 and float16 are summed in single precision; by default in double.
    workers : int, optional
        Largest number of threads, as for `pyconv.convolve`.

    Returns
    -------
    ndarray, Quantity or Kernel
        Of the shape of `array` and, if that is of floating point, of its dtype, float64 otherwise;
        in its unit. A `Kernel` for a kernel.

    Raises
    ------
    ValueError
        For words and dimensions that are not allowed; for kernels whose sum is less than 0.01,
        if they are divided by it.
    TypeError
        For what is no array of real numbers.
    NotImplementedError
        For more than three dimensions, without `axes`.
    astropy.convolution.KernelSizeError
        For even sizes; with ``boundary=None`` for kernels that are no smaller than the array.
    ImportError
        Without astropy.

    Warns
    -----
    AstropyUserWarning
        Where results are NaN, because all samples of a window are; of an NDData with attributes
        that are ignored; for two kernels, which have arguments of their own.

    See Also
    --------
    astropy.convolution.convolve : the same signature, but for the keywords.
    pyconv.convolve : with ``nan_policy='omit'``.

    Notes
    -----
    A window without samples that have a weight keeps the sample at its centre. :doc:`/astropy` says
    where results differ from astropy's.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv.astropy import convolve
    >>> convolve([1.0, 2.0, np.nan, 4.0, 5.0], [1, 1, 1])
    array([1. , 1.5, 3. , 4.5, 3. ])

    One kernel for each spectrum of a cube, along the first axis:

    >>> cube = np.arange(24.0).reshape(4, 3, 2)
    >>> convolve(cube, [1, 2, 1], "extend", axes=0)[:, 0, 0]
    array([ 1.5,  6. , 12. , 16.5])
    """
    direct = _implementation("direct")
    return direct.called(
        direct.convolve, array, kernel, boundary, fill_value, nan_treatment, normalize_kernel,
        mask, preserve_nan, normalization_zero_tol,
        axes=axes, allow_even=allow_even, single=single, workers=workers,
    )  # fmt: skip


def convolve_fft(
    array: npt.ArrayLike | Any,
    kernel: npt.ArrayLike | Any,
    boundary: str | Sequence[str] | None = "fill",
    fill_value: float = 0.0,
    nan_treatment: str = "interpolate",
    normalize_kernel: bool | Callable[[np.ndarray], Any] = True,
    normalization_zero_tol: float = 1e-8,
    preserve_nan: bool = False,
    mask: npt.ArrayLike | None = None,
    crop: bool = True,
    return_fft: bool = False,
    fft_pad: bool | None = None,
    psf_pad: bool | None = None,
    min_wt: float = 0.0,
    allow_huge: bool = False,
    fftn: Callable[..., Any] = np.fft.fftn,
    ifftn: Callable[..., Any] = np.fft.ifftn,
    complex_dtype: npt.DTypeLike = complex,
    dealias: bool = False,
    *,
    axes: int | Sequence[int] | None = None,
    single: bool = False,
    workers: int | None = None,
) -> Any:
    r"""Convolve an array with a kernel of any size, and interpolate over NaN and infinities.

    .. math:: y[i] = \frac{\sum_u m[i - u] \, x[i - u] \, w[u]}{\sum_u m[i - u] \, w[u]}

    with :math:`m` = 0 for samples that are not finite and 1 for others. The fastest algorithm
    runs, a Fourier transform or another.

    Parameters
    ----------
    array : array_like, Quantity or NDData
        Array of 1, 2 or 3 dimensions, and of any number with `axes`. Masked samples are NaN.
    kernel : array_like or Kernel
        Kernel of as many dimensions. The centre is at half the size.
    boundary : {'fill', 'wrap', None} or sequence of str, optional
        What is read outside: `fill_value`, or the other end; None is ``fill``, with a warning.
        Also the other boundaries of `pyconv.convolve`, for all axes or one each, but ``extend``,
        whose name here is ``nearest``.
    fill_value : float, optional
        What ``fill`` reads outside. What is not finite is interpolated over.
    nan_treatment : {'interpolate', 'fill'}, optional
        Whether samples that are not finite are left out, or become `fill_value` before.
    normalize_kernel : bool or callable, optional
        Whether the kernel is divided by its sum. A function of the kernel gives a number that
        takes the place of the sum in `min_wt`, and by which results are multiplied.
    normalization_zero_tol : float, optional
        Sums of kernels below it are 0.
    preserve_nan : bool, optional
        Whether results are NaN where samples are not finite.
    mask : array_like, optional
        Samples are NaN where it is not 0.
    crop, return_fft, fftn, ifftn, complex_dtype : optional
        astropy's own function answers a call with ``crop=False``, ``return_fft=True``, transforms
        other than NumPy's and SciPy's, or a dtype other than complex128.
    fft_pad, psf_pad, dealias : bool, optional
        Whether transforms are longer than the array: to a length that is fast, by the kernel, by a
        half. They matter where windows go round, which are those of ``psf_pad=False``: the period
        is then the length of astropy's transform.
    min_wt : float, optional
        Results are NaN where the weights that met samples sum to less, as a part of all. With 0
        they are 0 where no weight met a sample.
    allow_huge : bool, optional
        Whether astropy's transforms may take more than 1 GB.
    axes : int or sequence of int, optional
        The axis of `array` that each axis of a kernel of fewer dimensions acts on.
    single : bool, optional
        Whether arrays of float32 and float16 are summed in single precision, and results float32.
    workers : int, optional
        Largest number of threads, as for `pyconv.convolve`.

    Returns
    -------
    ndarray or Quantity
        Of the shape of `array`, float64, in its unit.

    Raises
    ------
    ValueError
        For words, dimensions and paddings that are not allowed; for kernels whose sum is less than
        0.01, if they are divided by it; for transforms of more than 1 GB.
    TypeError
        For two kernels, and for what is no array of numbers.
    NotImplementedError
        For ``boundary='extend'``, and for `axes`, `single` and other boundaries in a call that
        astropy answers.
    ImportError
        Without astropy.

    Warns
    -----
    AstropyUserWarning
        For ``boundary=None``; for ``psf_pad=False`` with ``fill``.

    See Also
    --------
    astropy.convolution.convolve_fft : the same signature, but for the keywords.

    Notes
    -----
    :doc:`/astropy` says where results differ from astropy's.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv.astropy import convolve_fft
    >>> convolve_fft([1.0, np.nan, 3.0, np.inf, 5.0], [1, 1, 1], min_wt=0.5).round(2)
    array([0.5, 2. , nan, 4. , 2.5])
    """
    function = _implementation("transform").convolve_fft
    return _implementation("direct").called(
        function, array, kernel, boundary, fill_value, nan_treatment, normalize_kernel,
        normalization_zero_tol, preserve_nan, mask, crop, return_fft, fft_pad, psf_pad, min_wt,
        allow_huge, fftn, ifftn, complex_dtype, dealias, axes=axes, single=single, workers=workers,
    )  # fmt: skip


def interpolate_replace_nans(
    array: Any, kernel: Any, convolve: Callable[..., Any] = convolve, **kwargs: Any
) -> Any:
    """Return a copy of an array whose NaN are interpolated.

    Parameters
    ----------
    array : ndarray or Quantity
        Array of 1, 2 or 3 dimensions.
    kernel : array_like or Kernel
        Kernel of as many dimensions, whose sum is not 0.
    convolve : callable, optional
        `convolve` or `convolve_fft`, of this module or of astropy.
    **kwargs
        Further arguments of `convolve`.

    Returns
    -------
    ndarray or Quantity
        The samples, and the results of `convolve` where they are NaN.

    Raises
    ------
    ValueError, TypeError, ImportError
        As `convolve` does.

    See Also
    --------
    astropy.convolution.interpolate_replace_nans : the same signature.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv.astropy import interpolate_replace_nans
    >>> interpolate_replace_nans(np.array([1.0, np.nan, 3.0]), [1, 1, 1])
    array([1., 2., 3.])
    """
    missing = np.isnan(array)
    whole = array.copy()
    if not np.any(missing):
        return whole
    smooth = convolve(
        array, kernel, nan_treatment="interpolate", normalize_kernel=True, preserve_nan=False,
        **kwargs,
    )  # fmt: skip
    whole[missing] = smooth[missing]
    return whole
