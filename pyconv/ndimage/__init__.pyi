"""The linear filters of `scipy.ndimage`: its names, signatures and dtypes, by pyconv's loops.
"""
# Written by `python -m tests.stubs`; the source is beside it.
from collections.abc import Sequence
from pyconv.ndimage._arguments import Array, Output
from typing import Any
import numpy.typing as npt
__all__ = [
  'convolve', 'convolve1d', 'correlate', 'correlate1d', 'gaussian_filter', 'gaussian_filter1d',
  'gaussian_gradient_magnitude', 'gaussian_laplace', 'laplace', 'prewitt', 'sobel',
  'uniform_filter', 'uniform_filter1d'
]
def convolve(input: npt.ArrayLike, weights: npt.ArrayLike, output: Output = None, mode: str =
    'reflect', cval: complex = 0.0, origin: int | Sequence[int] = 0, *, axes: int | Sequence[int] |
    None = None) -> Array:
    r"""Convolve an array with a kernel: `correlate` with the kernel turned round.

.. math:: y[i] = \sum_u x[i - u + (K - 1) // 2 + origin] \; w[u]

Parameters
----------
input : array_like
    Array of bool, integers, float32/64 or complex64/128, of any number of dimensions.
weights : array_like
    Kernel with one dimension for each filtered axis; of more than three dimensions, too.
output : ndarray or dtype, optional
    The array that receives the result, which may be `input`, or its dtype. By default that
    of `input`, or the complex one where the result is complex.
mode : str, optional
    What is read outside: ``reflect`` (d c b a | a b c d | d c b a, also ``grid-mirror``),
    ``constant`` (`cval`, also ``grid-constant``), ``nearest``, ``mirror``
    (d c b | a b c d | c b a) or ``wrap`` (also ``grid-wrap``).
cval : scalar, optional
    The value that ``mode='constant'`` reads.
origin : int or sequence of int, optional
    Samples by which the kernel is moved from its middle towards the high end.
axes : int or sequence of int, optional
    The axes that are filtered; by default all.

Returns
-------
ndarray
    The result, with the shape of `input`; `output` if that is an array.

Raises
------
RuntimeError
    For modes, dtypes and shapes that are not allowed.
ValueError
    For origins and axes that are not allowed.

See Also
--------
scipy.ndimage.convolve : the same signature, with every parameter at length.

Examples
--------
>>> from pyconv import ndimage
>>> ndimage.convolve([2, 8, 0, 4, 1, 9, 9, 0], [1, 3])
array([14, 24,  4, 13, 12, 36, 27,  0])
"""
def convolve1d(input: npt.ArrayLike, weights: npt.ArrayLike, axis: int = -1, output: Output = None,
    mode: str = 'reflect', cval: complex = 0.0, origin: int = 0) -> Array:
    r"""Convolve along one axis: `correlate1d` with the kernel turned round.

.. math:: y[i] = \sum_u x[i - u + (K - 1) // 2 + origin] \; w[u]

Parameters
----------
input : array_like
    Array of bool, integers, float32/64 or complex64/128, of any number of dimensions.
weights : array_like
    Kernel of one dimension.
axis : int, optional
    The axis that is filtered.
output : ndarray or dtype, optional
    The array that receives the result, which may be `input`, or its dtype. By default that
    of `input`, or the complex one where the result is complex.
mode : str, optional
    What is read outside: ``reflect`` (d c b a | a b c d | d c b a, also ``grid-mirror``),
    ``constant`` (`cval`, also ``grid-constant``), ``nearest``, ``mirror``
    (d c b | a b c d | c b a) or ``wrap`` (also ``grid-wrap``).
cval : scalar, optional
    The value that ``mode='constant'`` reads.
origin : int, optional
    Samples by which the kernel is moved from its middle towards the high end.

Returns
-------
ndarray
    The result, with the shape of `input`; `output` if that is an array.

Raises
------
RuntimeError
    For modes, dtypes and shapes that are not allowed.
ValueError
    For origins that are not allowed; `numpy.exceptions.AxisError` for the axis.

See Also
--------
scipy.ndimage.convolve1d : the same signature, with every parameter at length.

Examples
--------
>>> from pyconv import ndimage
>>> ndimage.convolve1d([2, 8, 0, 4, 1, 9, 9, 0], weights=[1, 3])
array([14, 24,  4, 13, 12, 36, 27,  0])
"""
def correlate(input: npt.ArrayLike, weights: npt.ArrayLike, output: Output = None, mode: str =
    'reflect', cval: complex = 0.0, origin: int | Sequence[int] = 0, *, axes: int | Sequence[int] |
    None = None) -> Array:
    r"""Correlate an array with a kernel.

.. math:: y[i] = \sum_u x[i + u - K // 2 - origin] \; \overline{w[u]}

Parameters
----------
input : array_like
    Array of bool, integers, float32/64 or complex64/128, of any number of dimensions.
weights : array_like
    Kernel with one dimension for each filtered axis; of more than three dimensions, too.
output : ndarray or dtype, optional
    The array that receives the result, which may be `input`, or its dtype. By default that
    of `input`, or the complex one where the result is complex.
mode : str, optional
    What is read outside: ``reflect`` (d c b a | a b c d | d c b a, also ``grid-mirror``),
    ``constant`` (`cval`, also ``grid-constant``), ``nearest``, ``mirror``
    (d c b | a b c d | c b a) or ``wrap`` (also ``grid-wrap``).
cval : scalar, optional
    The value that ``mode='constant'`` reads.
origin : int or sequence of int, optional
    Samples by which the kernel is moved from its middle towards the low end.
axes : int or sequence of int, optional
    The axes that are filtered; by default all.

Returns
-------
ndarray
    The result, with the shape of `input`; `output` if that is an array.

Raises
------
RuntimeError
    For modes, dtypes and shapes that are not allowed.
ValueError
    For origins and axes that are not allowed.

See Also
--------
scipy.ndimage.correlate : the same signature, with every parameter at length.

Notes
-----
Integers with whole weights are summed exactly and wrap, other sums that become integers are
cut towards zero. Samples under a zero weight are not read, even if they are NaN.

Examples
--------
>>> from pyconv import ndimage
>>> ndimage.correlate([2, 8, 0, 4, 1, 9, 9, 0], [1, 3])
array([ 8, 26,  8, 12,  7, 28, 36,  9])
"""
def correlate1d(input: npt.ArrayLike, weights: npt.ArrayLike, axis: int = -1, output: Output = None,
    mode: str = 'reflect', cval: complex = 0.0, origin: int = 0) -> Array:
    r"""Correlate along one axis.

.. math:: y[i] = \sum_u x[i + u - K // 2 - origin] \; \overline{w[u]}

Parameters
----------
input : array_like
    Array of bool, integers, float32/64 or complex64/128, of any number of dimensions.
weights : array_like
    Kernel of one dimension.
axis : int, optional
    The axis that is filtered.
output : ndarray or dtype, optional
    The array that receives the result, which may be `input`, or its dtype. By default that
    of `input`, or the complex one where the result is complex.
mode : str, optional
    What is read outside: ``reflect`` (d c b a | a b c d | d c b a, also ``grid-mirror``),
    ``constant`` (`cval`, also ``grid-constant``), ``nearest``, ``mirror``
    (d c b | a b c d | c b a) or ``wrap`` (also ``grid-wrap``).
cval : scalar, optional
    The value that ``mode='constant'`` reads.
origin : int, optional
    Samples by which the kernel is moved from its middle towards the low end.

Returns
-------
ndarray
    The result, with the shape of `input`; `output` if that is an array.

Raises
------
RuntimeError
    For modes, dtypes and shapes that are not allowed.
ValueError
    For origins that are not allowed; `numpy.exceptions.AxisError` for the axis.

See Also
--------
scipy.ndimage.correlate1d : the same signature, with every parameter at length.

Examples
--------
>>> from pyconv import ndimage
>>> ndimage.correlate1d([2, 8, 0, 4, 1, 9, 9, 0], weights=[1, 3])
array([ 8, 26,  8, 12,  7, 28, 36,  9])
"""
def gaussian_filter(input: npt.ArrayLike, sigma: float | Sequence[float], order: int | Sequence[int]
    = 0, output: Output = None, mode: str | Sequence[str] = 'reflect', cval: complex = 0.0,
    truncate: float = 4.0, *, radius: int | Sequence[int] | None = None, axes: int | Sequence[int] |
    None = None) -> Array:
    """Smooth with a Gaussian along each axis.

`gaussian_filter1d` along each axis; results that become integers are cut after each.

Parameters
----------
input : array_like
    Array of bool, integers, float32/64 or complex64/128, of any number of dimensions.
sigma : float or sequence of float
    Standard deviation in samples; axes of sigma 0 are left alone.
order : int or sequence of int, optional
    0 smooths; a positive number is the order of the derivative of the Gaussian.
output : ndarray or dtype, optional
    The array that receives the result, which may be `input`, or its dtype. By default that
    of `input`, or the complex one where the result is complex.
mode : str or sequence of str, optional
    What is read outside: ``reflect`` (d c b a | a b c d | d c b a, also ``grid-mirror``),
    ``constant`` (`cval`, also ``grid-constant``), ``nearest``, ``mirror``
    (d c b | a b c d | c b a) or ``wrap`` (also ``grid-wrap``); one each for the axes.
cval : scalar, optional
    The value that ``mode='constant'`` reads.
truncate : float, optional
    Standard deviations from the middle at which the kernel ends.
radius : int or sequence of int, optional
    Samples on either side of the middle, instead of `truncate`.
axes : int or sequence of int, optional
    The axes that are filtered; by default all.

Returns
-------
ndarray
    The result, with the shape of `input`; `output` if that is an array.

Raises
------
RuntimeError
    For modes, dtypes and shapes that are not allowed.
ValueError
    For orders, radii and axes that are not allowed.

See Also
--------
scipy.ndimage.gaussian_filter : the same signature, with every parameter at length.

Notes
-----
Several axes are filtered in one pass where that means the same: where the result is of floats,
and the passes in between would not read a `cval` that those before them change.

Examples
--------
>>> import numpy as np
>>> from pyconv import ndimage
>>> ndimage.gaussian_filter(np.arange(50, step=2).reshape(5, 5), sigma=1)
array([[ 4,  6,  8,  9, 11],
       [10, 12, 14, 15, 17],
       [20, 22, 24, 25, 27],
       [29, 31, 33, 34, 36],
       [35, 37, 39, 40, 42]])
"""
def gaussian_filter1d(input: npt.ArrayLike, sigma: float, axis: int = -1, order: int = 0, output:
    Output = None, mode: str = 'reflect', cval: complex = 0.0, truncate: float = 4.0, *, radius: int
    | None = None) -> Array:
    r"""Correlate with a Gaussian, or a derivative of one, along one axis.

.. math:: w[u] = \frac{e^{-u^2 / 2 \sigma^2}}{\sum_v e^{-v^2 / 2 \sigma^2}}, \; |u| \le radius

Parameters
----------
input : array_like
    Array of bool, integers, float32/64 or complex64/128, of any number of dimensions.
sigma : float
    Standard deviation in samples.
axis : int, optional
    The axis that is filtered.
order : int, optional
    0 smooths; a positive number is the order of the derivative of the Gaussian.
output : ndarray or dtype, optional
    The array that receives the result, which may be `input`, or its dtype. By default that
    of `input`, or the complex one where the result is complex.
mode : str, optional
    What is read outside: ``reflect`` (d c b a | a b c d | d c b a, also ``grid-mirror``),
    ``constant`` (`cval`, also ``grid-constant``), ``nearest``, ``mirror``
    (d c b | a b c d | c b a) or ``wrap`` (also ``grid-wrap``).
cval : scalar, optional
    The value that ``mode='constant'`` reads.
truncate : float, optional
    Standard deviations from the middle at which the kernel ends.
radius : int, optional
    Samples on either side of the middle, instead of `truncate`.

Returns
-------
ndarray
    The result, with the shape of `input`; `output` if that is an array.

Raises
------
RuntimeError
    For modes, dtypes and shapes that are not allowed.
ValueError
    For an order or a radius that is negative; `numpy.exceptions.AxisError` for the axis.

See Also
--------
scipy.ndimage.gaussian_filter1d : the same signature, with every parameter at length.

Examples
--------
>>> from pyconv import ndimage
>>> ndimage.gaussian_filter1d([1.0, 2.0, 3.0, 4.0, 5.0], 1).round(4)
array([1.427 , 2.0678, 3.    , 3.9322, 4.573 ])
"""
def gaussian_gradient_magnitude(input: npt.ArrayLike, sigma: float | Sequence[float], output: Output
    = None, mode: str | Sequence[str] = 'reflect', cval: complex = 0.0, *, axes: int | Sequence[int]
    | None = None, **kwargs: Any) -> Array:
    """Return the length of the gradient that derivatives of the Gaussian give.

Parameters
----------
input : array_like
    Array of bool, integers, float32/64 or complex64/128, of any number of dimensions.
sigma : float or sequence of float
    Standard deviation in samples.
output : ndarray or dtype, optional
    The array that receives the result, which may be `input`, or its dtype. By default that
    of `input`, or the complex one where the result is complex.
mode : str or sequence of str, optional
    What is read outside: ``reflect`` (d c b a | a b c d | d c b a, also ``grid-mirror``),
    ``constant`` (`cval`, also ``grid-constant``), ``nearest``, ``mirror``
    (d c b | a b c d | c b a) or ``wrap`` (also ``grid-wrap``); one each for the derivatives.
cval : scalar, optional
    The value that ``mode='constant'`` reads.
axes : int or sequence of int, optional
    The axes of the gradient; by default all.
**kwargs
    Options of `gaussian_filter`: `truncate` and `radius`.

Returns
-------
ndarray
    The result, with the shape of `input`; `output` if that is an array.

Raises
------
RuntimeError
    For modes, dtypes and shapes that are not allowed.
ValueError
    For radii and axes that are not allowed.

See Also
--------
scipy.ndimage.gaussian_gradient_magnitude : the same signature, with every parameter at length.

Examples
--------
>>> import numpy as np
>>> from pyconv import ndimage
>>> slope = np.add.outer(3.0 * np.arange(20), 4.0 * np.arange(20))
>>> float(ndimage.gaussian_gradient_magnitude(slope, 1)[10, 10].round(2))
5.0
"""
def gaussian_laplace(input: npt.ArrayLike, sigma: float | Sequence[float], output: Output = None,
    mode: str | Sequence[str] = 'reflect', cval: complex = 0.0, *, axes: int | Sequence[int] | None
    = None, **kwargs: Any) -> Array:
    """Return the sum of second derivatives of the Gaussian along each axis.

Parameters
----------
input : array_like
    Array of bool, integers, float32/64 or complex64/128, of any number of dimensions.
sigma : float or sequence of float
    Standard deviation in samples.
output : ndarray or dtype, optional
    The array that receives the result, which may be `input`, or its dtype. By default that
    of `input`, or the complex one where the result is complex.
mode : str or sequence of str, optional
    What is read outside: ``reflect`` (d c b a | a b c d | d c b a, also ``grid-mirror``),
    ``constant`` (`cval`, also ``grid-constant``), ``nearest``, ``mirror``
    (d c b | a b c d | c b a) or ``wrap`` (also ``grid-wrap``); one each for the derivatives.
cval : scalar, optional
    The value that ``mode='constant'`` reads.
axes : int or sequence of int, optional
    The axes that are filtered; by default all.
**kwargs
    Options of `gaussian_filter`: `truncate` and `radius`.

Returns
-------
ndarray
    The result, with the shape of `input`; `output` if that is an array.

Raises
------
RuntimeError
    For modes, dtypes and shapes that are not allowed.
ValueError
    For radii and axes that are not allowed.

See Also
--------
scipy.ndimage.gaussian_laplace : the same signature, with every parameter at length.

Examples
--------
>>> import numpy as np
>>> from pyconv import ndimage
>>> ndimage.gaussian_laplace(np.arange(20.0) ** 2, 1)[8:12].round(2)
array([1.99, 1.99, 1.99, 1.99])
"""
def laplace(input: npt.ArrayLike, output: Output = None, mode: str | Sequence[str] = 'reflect',
    cval: complex = 0.0, *, axes: int | Sequence[int] | None = None) -> Array:
    """Return the sum of second differences along each axis.

The kernel is ``[1, -2, 1]`` along each axis, added up.

Parameters
----------
input : array_like
    Array of bool, integers, float32/64 or complex64/128, of any number of dimensions.
output : ndarray or dtype, optional
    The array that receives the result, which may be `input`, or its dtype. By default that
    of `input`, or the complex one where the result is complex.
mode : str or sequence of str, optional
    What is read outside: ``reflect`` (d c b a | a b c d | d c b a, also ``grid-mirror``),
    ``constant`` (`cval`, also ``grid-constant``), ``nearest``, ``mirror``
    (d c b | a b c d | c b a) or ``wrap`` (also ``grid-wrap``); one each for the axes.
cval : scalar, optional
    The value that ``mode='constant'`` reads.
axes : int or sequence of int, optional
    The axes that are filtered; by default all.

Returns
-------
ndarray
    The result, with the shape of `input`; `output` if that is an array.

Raises
------
RuntimeError
    For modes, dtypes and shapes that are not allowed.
ValueError
    For axes that are not allowed.

See Also
--------
scipy.ndimage.laplace : the same signature, with every parameter at length.

Examples
--------
>>> from pyconv import ndimage
>>> ndimage.laplace([0, 0, 1, 0, 0])
array([ 0,  1, -2,  1,  0])
"""
def prewitt(input: npt.ArrayLike, axis: int = -1, output: Output = None, mode: str | Sequence[str] =
    'reflect', cval: complex = 0.0) -> Array:
    """Return Prewitt's derivative: differences along an axis, summed along the others.

The kernel is ``[-1, 0, 1]`` along `axis` and ``[1, 1, 1]`` along every other.

Parameters
----------
input : array_like
    Array of bool, integers, float32/64 or complex64/128, of any number of dimensions.
axis : int, optional
    The axis that is filtered.
output : ndarray or dtype, optional
    The array that receives the result, which may be `input`, or its dtype. By default that
    of `input`, or the complex one where the result is complex.
mode : str or sequence of str, optional
    What is read outside: ``reflect`` (d c b a | a b c d | d c b a, also ``grid-mirror``),
    ``constant`` (`cval`, also ``grid-constant``), ``nearest``, ``mirror``
    (d c b | a b c d | c b a) or ``wrap`` (also ``grid-wrap``); one each for the axes.
cval : scalar, optional
    The value that ``mode='constant'`` reads.

Returns
-------
ndarray
    The result, with the shape of `input`; `output` if that is an array.

Raises
------
RuntimeError
    For modes, dtypes and shapes that are not allowed.
ValueError
    For a wrong axis, as `numpy.exceptions.AxisError`.

See Also
--------
scipy.ndimage.prewitt : the same signature, with every parameter at length.

Examples
--------
>>> import numpy as np
>>> from pyconv import ndimage
>>> ndimage.prewitt(np.array([[0, 1, 4]] * 3))
array([[ 3, 12,  9],
       [ 3, 12,  9],
       [ 3, 12,  9]])
"""
def sobel(input: npt.ArrayLike, axis: int = -1, output: Output = None, mode: str | Sequence[str] =
    'reflect', cval: complex = 0.0) -> Array:
    """Return Sobel's derivative: differences along an axis, smoothed along the others.

The kernel is ``[-1, 0, 1]`` along `axis` and ``[1, 2, 1]`` along every other.

Parameters
----------
input : array_like
    Array of bool, integers, float32/64 or complex64/128, of any number of dimensions.
axis : int, optional
    The axis that is filtered.
output : ndarray or dtype, optional
    The array that receives the result, which may be `input`, or its dtype. By default that
    of `input`, or the complex one where the result is complex.
mode : str or sequence of str, optional
    What is read outside: ``reflect`` (d c b a | a b c d | d c b a, also ``grid-mirror``),
    ``constant`` (`cval`, also ``grid-constant``), ``nearest``, ``mirror``
    (d c b | a b c d | c b a) or ``wrap`` (also ``grid-wrap``); one each for the axes.
cval : scalar, optional
    The value that ``mode='constant'`` reads.

Returns
-------
ndarray
    The result, with the shape of `input`; `output` if that is an array.

Raises
------
RuntimeError
    For modes, dtypes and shapes that are not allowed.
ValueError
    For a wrong axis, as `numpy.exceptions.AxisError`.

See Also
--------
scipy.ndimage.sobel : the same signature, with every parameter at length.

Examples
--------
>>> import numpy as np
>>> from pyconv import ndimage
>>> ndimage.sobel(np.array([[0, 1, 4]] * 3))
array([[ 4, 16, 12],
       [ 4, 16, 12],
       [ 4, 16, 12]])
"""
def uniform_filter(input: npt.ArrayLike, size: int | Sequence[int] = 3, output: Output = None, mode:
    str | Sequence[str] = 'reflect', cval: complex = 0.0, origin: int | Sequence[int] = 0, *, axes:
    int | Sequence[int] | None = None) -> Array:
    """Return the mean of each box.

`uniform_filter1d` along each axis; means that become integers are cut after each.

Parameters
----------
input : array_like
    Array of bool, integers, float32/64 or complex64/128, of any number of dimensions.
size : int or sequence of int, optional
    Samples of a box, one number for all axes or one each.
output : ndarray or dtype, optional
    The array that receives the result, which may be `input`, or its dtype. By default that
    of `input`, or the complex one where the result is complex.
mode : str or sequence of str, optional
    What is read outside: ``reflect`` (d c b a | a b c d | d c b a, also ``grid-mirror``),
    ``constant`` (`cval`, also ``grid-constant``), ``nearest``, ``mirror``
    (d c b | a b c d | c b a) or ``wrap`` (also ``grid-wrap``); one each for the axes.
cval : scalar, optional
    The value that ``mode='constant'`` reads.
origin : int or sequence of int, optional
    Samples by which the kernel is moved from its middle towards the low end.
axes : int or sequence of int, optional
    The axes that are filtered; by default all.

Returns
-------
ndarray
    The result, with the shape of `input`; `output` if that is an array.

Raises
------
RuntimeError
    For modes, dtypes and shapes that are not allowed.
ValueError
    For origins and axes that are not allowed.

See Also
--------
scipy.ndimage.uniform_filter : the same signature, with every parameter at length.

Examples
--------
>>> import numpy as np
>>> from pyconv import ndimage
>>> ndimage.uniform_filter(9.0 * np.eye(3), 3, mode="constant")
array([[2., 2., 1.],
       [2., 3., 2.],
       [1., 2., 2.]])
"""
def uniform_filter1d(input: npt.ArrayLike, size: int, axis: int = -1, output: Output = None, mode:
    str = 'reflect', cval: complex = 0.0, origin: int = 0) -> Array:
    r"""Return the mean of each window along one axis.

.. math:: y[i] = \frac{1}{K} \sum_{u < K} x[i + u - K // 2 - origin]

Parameters
----------
input : array_like
    Array of bool, integers, float32/64 or complex64/128, of any number of dimensions.
size : int
    Samples of a window.
axis : int, optional
    The axis that is filtered.
output : ndarray or dtype, optional
    The array that receives the result, which may be `input`, or its dtype. By default that
    of `input`, or the complex one where the result is complex.
mode : str, optional
    What is read outside: ``reflect`` (d c b a | a b c d | d c b a, also ``grid-mirror``),
    ``constant`` (`cval`, also ``grid-constant``), ``nearest``, ``mirror``
    (d c b | a b c d | c b a) or ``wrap`` (also ``grid-wrap``).
cval : scalar, optional
    The value that ``mode='constant'`` reads.
origin : int, optional
    Samples by which the kernel is moved from its middle towards the low end.

Returns
-------
ndarray
    The result, with the shape of `input`; `output` if that is an array.

Raises
------
RuntimeError
    For modes, dtypes and shapes that are not allowed.
ValueError
    For origins that are not allowed; `numpy.exceptions.AxisError` for the axis.

See Also
--------
scipy.ndimage.uniform_filter1d : the same signature, with every parameter at length.

Notes
-----
A NaN spoils the windows that hold it, and no others.

Examples
--------
>>> from pyconv import ndimage
>>> ndimage.uniform_filter1d([2, 8, 0, 4, 1, 9, 9, 0], size=3)
array([4, 3, 4, 1, 4, 6, 6, 3])
"""
