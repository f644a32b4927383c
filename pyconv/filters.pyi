"""Filters that people know by name, as calls on arrays: the kernels of `kernels`, applied.

    y[i] = Σ_u x[i + u] · w[u]

along the axes that are filtered; all others (channels, time, batches) are left alone. The result
has the shape of the source.
"""
# Written by `python -m tests.stubs`; the source is beside it.
from collections.abc import Sequence
from pyconv._calls.filter_call import Array, Axes, Boundary
from pyconv.kernels import Number
import numpy.typing as npt
__all__ = [
  'ball', 'box', 'disk', 'dog', 'edge', 'emboss', 'gabor', 'gabor_bank', 'gaussian',
  'gradient_magnitude', 'laplace', 'log', 'motion', 'prewitt', 'roberts', 'scharr', 'sharpen',
  'sobel', 'unsharp'
]
def ball(x: npt.ArrayLike, radius: float, *, axes: Axes = None, boundary: Boundary = 'symmetric',
    fill_value: complex = 0, stride: int | Sequence[int] = 1, dtype: npt.DTypeLike | None = None,
    overflow: str = 'raise', nan_policy: str = 'propagate', mask: npt.ArrayLike | None = None, out:
    Array | None = None, method: str = 'auto', rtol: float | None = None, max_memory: int | None =
    None, workers: int | None = None) -> Array:
    """Take the mean of a ball along three axes.

Parameters
----------
x : array_like
    Source array of any shape; bool, integer, floating-point or complex.
radius : float
    Radius in samples.
axes : sequence of int, optional
    Three axes of `x` to filter along. By default those of a volume of three dimensions. An
    array of more needs `axes`.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    Dtype of the result. Floating-point and complex data keep theirs. With fractional weights,
    bool and 8- and 16-bit integers give float32, and wider integers float64. With whole
    weights (`sobel`, `laplace`, `sharpen`, …) integers give exact int64. For an integer dtype
    such a result is rounded half to even.
overflow : {'raise', 'wrap', 'saturate'}, optional
    What happens if an integer result cannot hold the exact sum. ``raise`` decides before any
    work, by the bound that follows from the range of `x` and the weights. ``wrap`` keeps the
    low bits, and ``saturate`` the nearest value of the dtype.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    The result, in the shape of `x`, or less with a `stride`; `out` if that was given.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed.
OverflowError
    Under ``overflow='raise'``, if an integer result might not hold the exact sum.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

See Also
--------
pyconv.kernels.ball : the weights.

Examples
--------
>>> import numpy as np
>>> from pyconv import filters
>>> spot = np.zeros((3, 3, 3))
>>> spot[1, 1, 1] = 7
>>> filters.ball(spot, radius=1)[1]
array([[0., 1., 0.],
       [1., 1., 1.],
       [0., 1., 0.]])
"""
def box(x: npt.ArrayLike, size: int | Sequence[int], *, axes: Axes = None, boundary: Boundary =
    'symmetric', fill_value: complex = 0, stride: int | Sequence[int] = 1, dtype: npt.DTypeLike |
    None = None, overflow: str = 'raise', nan_policy: str = 'propagate', mask: npt.ArrayLike | None
    = None, out: Array | None = None, method: str = 'auto', rtol: float | None = None, max_memory:
    int | None = None, workers: int | None = None) -> Array:
    """Take the mean of a window.

Parameters
----------
x : array_like
    Source array of any shape; bool, integer, floating-point or complex.
size : int or sequence of int
    Samples of the window along all axes or each. An even one has its odd sample before the
    centre.
axes : int or sequence of int, optional
    Axes of `x` to filter along. By default all axes of an array of one or two dimensions. An
    array of more needs `axes`, because its third axis may hold colours.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    Dtype of the result. Floating-point and complex data keep theirs. With fractional weights,
    bool and 8- and 16-bit integers give float32, and wider integers float64. With whole
    weights (`sobel`, `laplace`, `sharpen`, …) integers give exact int64. For an integer dtype
    such a result is rounded half to even.
overflow : {'raise', 'wrap', 'saturate'}, optional
    What happens if an integer result cannot hold the exact sum. ``raise`` decides before any
    work, by the bound that follows from the range of `x` and the weights. ``wrap`` keeps the
    low bits, and ``saturate`` the nearest value of the dtype.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    The result, in the shape of `x`, or less with a `stride`; `out` if that was given.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed.
OverflowError
    Under ``overflow='raise'``, if an integer result might not hold the exact sum.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

See Also
--------
pyconv.kernels.box : the weights.

Examples
--------
>>> from pyconv import filters
>>> filters.box([0.0, 3.0, 0.0, 6.0], size=3)
array([1., 1., 3., 4.])
"""
def disk(x: npt.ArrayLike, radius: float, *, axes: Axes = None, boundary: Boundary = 'symmetric',
    fill_value: complex = 0, stride: int | Sequence[int] = 1, dtype: npt.DTypeLike | None = None,
    overflow: str = 'raise', nan_policy: str = 'propagate', mask: npt.ArrayLike | None = None, out:
    Array | None = None, method: str = 'auto', rtol: float | None = None, max_memory: int | None =
    None, workers: int | None = None) -> Array:
    """Take the mean of a disk along two axes, as a lens out of focus does.

Parameters
----------
x : array_like
    Source array of any shape; bool, integer, floating-point or complex.
radius : float
    Radius in samples.
axes : sequence of int, optional
    Two axes of `x` to filter along. By default those of an image of two dimensions. An array
    of more needs `axes`, because its third axis may hold colours.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    Dtype of the result. Floating-point and complex data keep theirs. With fractional weights,
    bool and 8- and 16-bit integers give float32, and wider integers float64. With whole
    weights (`sobel`, `laplace`, `sharpen`, …) integers give exact int64. For an integer dtype
    such a result is rounded half to even.
overflow : {'raise', 'wrap', 'saturate'}, optional
    What happens if an integer result cannot hold the exact sum. ``raise`` decides before any
    work, by the bound that follows from the range of `x` and the weights. ``wrap`` keeps the
    low bits, and ``saturate`` the nearest value of the dtype.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    The result, in the shape of `x`, or less with a `stride`; `out` if that was given.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed.
OverflowError
    Under ``overflow='raise'``, if an integer result might not hold the exact sum.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

See Also
--------
pyconv.kernels.disk : the weights.

Examples
--------
>>> import numpy as np
>>> from pyconv import filters
>>> spot = np.zeros((3, 3))
>>> spot[1, 1] = 5
>>> filters.disk(spot, radius=1)
array([[0., 1., 0.],
       [1., 1., 1.],
       [0., 1., 0.]])
"""
def dog(x: npt.ArrayLike, sigma: Number, wider: Number | None = None, *, truncate: float = 4.0,
    axes: Axes = None, boundary: Boundary = 'symmetric', fill_value: complex = 0, stride: int |
    Sequence[int] = 1, dtype: npt.DTypeLike | None = None, overflow: str = 'raise', nan_policy: str
    = 'propagate', mask: npt.ArrayLike | None = None, out: Array | None = None, method: str =
    'auto', rtol: float | None = None, max_memory: int | None = None, workers: int | None = None) -> Array:
    """Subtract what a wide Gaussian has smoothed from what a narrow one has.

Parameters
----------
x : array_like
    Source array of any shape; bool, integer, floating-point or complex.
sigma : float or sequence of float
    Standard deviation of the narrow Gaussian in samples, for all axes or each.
wider : float or sequence of float, optional
    Standard deviation of the wide one; by default 1.6 times as much.
truncate : float, optional
    Where the kernel ends, in standard deviations of the wide Gaussian.
axes : int or sequence of int, optional
    Axes of `x` to filter along. By default all axes of an array of one or two dimensions. An
    array of more needs `axes`, because its third axis may hold colours.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    Dtype of the result. Floating-point and complex data keep theirs. With fractional weights,
    bool and 8- and 16-bit integers give float32, and wider integers float64. With whole
    weights (`sobel`, `laplace`, `sharpen`, …) integers give exact int64. For an integer dtype
    such a result is rounded half to even.
overflow : {'raise', 'wrap', 'saturate'}, optional
    What happens if an integer result cannot hold the exact sum. ``raise`` decides before any
    work, by the bound that follows from the range of `x` and the weights. ``wrap`` keeps the
    low bits, and ``saturate`` the nearest value of the dtype.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    The result, in the shape of `x`, or less with a `stride`; `out` if that was given.
    It is positive in bright blobs.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed.
OverflowError
    Under ``overflow='raise'``, if an integer result might not hold the exact sum.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

See Also
--------
pyconv.kernels.dog : the weights.

Examples
--------
>>> from pyconv import filters
>>> filters.dog([0.0, 0.0, 0.0, 100.0, 0.0, 0.0, 0.0], sigma=1).round()
array([-5., -6.,  4., 15.,  4., -6., -5.])
"""
def edge(x: npt.ArrayLike, *, axes: Axes = None, boundary: Boundary = 'symmetric', fill_value:
    complex = 0, stride: int | Sequence[int] = 1, dtype: npt.DTypeLike | None = None, overflow: str
    = 'raise', nan_policy: str = 'propagate', mask: npt.ArrayLike | None = None, out: Array | None =
    None, method: str = 'auto', rtol: float | None = None, max_memory: int | None = None, workers:
    int | None = None) -> Array:
    """Compare every sample with all its neighbours (−1 around 8 on images).

Parameters
----------
x : array_like
    Source array of any shape; bool, integer, floating-point or complex.
axes : int or sequence of int, optional
    Axes of `x` to filter along. By default all axes of an array of one or two dimensions. An
    array of more needs `axes`, because its third axis may hold colours.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    Dtype of the result. Floating-point and complex data keep theirs. With fractional weights,
    bool and 8- and 16-bit integers give float32, and wider integers float64. With whole
    weights (`sobel`, `laplace`, `sharpen`, …) integers give exact int64. For an integer dtype
    such a result is rounded half to even.
overflow : {'raise', 'wrap', 'saturate'}, optional
    What happens if an integer result cannot hold the exact sum. ``raise`` decides before any
    work, by the bound that follows from the range of `x` and the weights. ``wrap`` keeps the
    low bits, and ``saturate`` the nearest value of the dtype.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    The result, in the shape of `x`, or less with a `stride`; `out` if that was given.
    It is positive where a sample is brighter than its neighbours.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed.
OverflowError
    Under ``overflow='raise'``, if an integer result might not hold the exact sum.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

See Also
--------
pyconv.kernels.edge : the weights.

Examples
--------
>>> from pyconv import filters
>>> filters.edge([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
array([[-1, -1, -1],
       [-1,  8, -1],
       [-1, -1, -1]])
"""
def emboss(x: npt.ArrayLike, *, axes: Axes = None, boundary: Boundary = 'symmetric', fill_value:
    complex = 0, stride: int | Sequence[int] = 1, dtype: npt.DTypeLike | None = None, overflow: str
    = 'raise', nan_policy: str = 'propagate', mask: npt.ArrayLike | None = None, out: Array | None =
    None, method: str = 'auto', rtol: float | None = None, max_memory: int | None = None, workers:
    int | None = None) -> Array:
    """Show an image as a relief, lit from where both indices are low.

Parameters
----------
x : array_like
    Source array of any shape; bool, integer, floating-point or complex.
axes : sequence of int, optional
    Two axes of `x` to filter along. By default those of an image of two dimensions. An array
    of more needs `axes`, because its third axis may hold colours.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    Dtype of the result. Floating-point and complex data keep theirs. With fractional weights,
    bool and 8- and 16-bit integers give float32, and wider integers float64. With whole
    weights (`sobel`, `laplace`, `sharpen`, …) integers give exact int64. For an integer dtype
    such a result is rounded half to even.
overflow : {'raise', 'wrap', 'saturate'}, optional
    What happens if an integer result cannot hold the exact sum. ``raise`` decides before any
    work, by the bound that follows from the range of `x` and the weights. ``wrap`` keeps the
    low bits, and ``saturate`` the nearest value of the dtype.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    The result, in the shape of `x`, or less with a `stride`; `out` if that was given.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed.
OverflowError
    Under ``overflow='raise'``, if an integer result might not hold the exact sum.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

See Also
--------
pyconv.kernels.emboss : the weights.

Examples
--------
>>> import numpy as np
>>> from pyconv import filters
>>> filters.emboss(np.array([[0, 0, 0], [0, 9, 9], [0, 9, 9]], np.uint8))
array([[18, 27, 27],
       [27, 45, 36],
       [27, 36,  9]])
"""
def gabor(x: npt.ArrayLike, wavelength: float, orientation: float = 0.0, sigma: float | None = None,
    aspect: float = 1.0, phase: float = 0.0, *, zero_mean: bool = True, truncate: float = 3.0, axes:
    Axes = None, boundary: Boundary = 'symmetric', fill_value: complex = 0, stride: int |
    Sequence[int] = 1, dtype: npt.DTypeLike | None = None, overflow: str = 'raise', nan_policy: str
    = 'propagate', mask: npt.ArrayLike | None = None, out: Array | None = None, method: str =
    'auto', rtol: float | None = None, max_memory: int | None = None, workers: int | None = None) -> Array:
    """Answer to stripes of one wavelength and direction.

Parameters
----------
x : array_like
    Source array of any shape; bool, integer, floating-point or complex.
wavelength : float
    Distance of the crests in samples, 2 or more.
orientation : float, optional
    Direction in which the wave goes, in radians from the last of `axes` towards the first.
sigma : float, optional
    Standard deviation σ of the Gaussian along the wave; by default 0.56 times `wavelength`,
    which passes one octave.
aspect : float, optional
    The Gaussian's standard deviation across the wave is that along it, divided by `aspect`.
phase : float, optional
    ψ in radians: 0 is even (a bright line), −π/2 odd (an edge, positive where samples grow
    along the wave).
zero_mean : bool, optional
    Whether the mean is taken off the weights, so that flat areas give 0.
truncate : float, optional
    Where the kernel ends, in standard deviations.
axes : int or sequence of int, optional
    One or two axes of `x` to filter along. By default all axes of an array of one or two
    dimensions. An array of more needs `axes`, because its third axis may hold colours.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    Dtype of the result. Floating-point and complex data keep theirs. With fractional weights,
    bool and 8- and 16-bit integers give float32, and wider integers float64. With whole
    weights (`sobel`, `laplace`, `sharpen`, …) integers give exact int64. For an integer dtype
    such a result is rounded half to even.
overflow : {'raise', 'wrap', 'saturate'}, optional
    What happens if an integer result cannot hold the exact sum. ``raise`` decides before any
    work, by the bound that follows from the range of `x` and the weights. ``wrap`` keeps the
    low bits, and ``saturate`` the nearest value of the dtype.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    The result, in the shape of `x`, or less with a `stride`; `out` if that was given.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed.
OverflowError
    Under ``overflow='raise'``, if an integer result might not hold the exact sum.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

See Also
--------
pyconv.kernels.gabor : the weights.

Examples
--------
>>> import numpy as np
>>> from pyconv import filters
>>> stripes = np.cos(2 * np.pi * np.arange(24) / 6)
>>> filters.gabor(stripes, wavelength=6)[6:12].round(2)
array([ 0.5 ,  0.24, -0.25, -0.5 , -0.25,  0.25])
"""
def gabor_bank(x: npt.ArrayLike, wavelengths: Number, orientations: int | Sequence[float] = 8,
    aspect: float = 1.0, phase: float = 0.0, *, energy: bool = False, axes: Axes = None, boundary:
    Boundary = 'symmetric', fill_value: float = 0, stride: int | Sequence[int] = 1, dtype:
    npt.DTypeLike | None = None, nan_policy: str = 'propagate', mask: npt.ArrayLike | None = None,
    out: Array | None = None, method: str = 'auto', rtol: float | None = None, max_memory: int |
    None = None, workers: int | None = None) -> Array:
    """Answer to stripes of several wavelengths and directions along two axes.

Parameters
----------
x : array_like
    Source array of real numbers, of any shape; bool, integer or floating-point.
wavelengths : float or sequence of float
    Distances of the crests in samples. The Gaussians pass one octave, so that doubled
    wavelengths cover a range.
orientations : int or sequence of float, optional
    Directions of the waves, in radians from the last of `axes` towards the first, or how many
    divide the half circle.
aspect : float, optional
    The Gaussian's standard deviation across the wave is that along it, divided by `aspect`.
phase : float, optional
    ψ in radians: 0 is even (a bright line), −π/2 odd (an edge, positive where samples grow
    along the wave).
energy : bool, optional
    Return the root of the sum of the squares for the phases ψ and ψ − π/2. It says how much
    of a wave there is, wherever its crests are.
axes : sequence of int, optional
    Two axes of `x` to filter along. By default those of an image of two dimensions. An array
    of more needs `axes`, because its third axis may hold colours.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    A floating-point dtype. By default that of `x`, for bool and 8- and 16-bit integers
    float32, for wider ones float64.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    Shape (wavelengths, orientations, and the shape of `x`); `out` if that was given.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed, complex data among them.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

See Also
--------
gabor : one of the answers.

Examples
--------
>>> import numpy as np
>>> from pyconv import filters
>>> columns = np.tile([1.0, 1.0, 0.0, 0.0], (16, 8))
>>> bank = filters.gabor_bank(columns, [4, 8], orientations=2, energy=True)
>>> bank.shape
(2, 2, 16, 32)
>>> bank.mean(axis=(2, 3)).round(1)
array([[0.3, 0. ],
       [0. , 0. ]])
"""
def gaussian(x: npt.ArrayLike, sigma: Number, order: int | Sequence[int] = 0, *, truncate: float =
    4.0, radius: int | Sequence[int] | None = None, axes: Axes = None, boundary: Boundary =
    'symmetric', fill_value: complex = 0, stride: int | Sequence[int] = 1, dtype: npt.DTypeLike |
    None = None, overflow: str = 'raise', nan_policy: str = 'propagate', mask: npt.ArrayLike | None
    = None, out: Array | None = None, method: str = 'auto', rtol: float | None = None, max_memory:
    int | None = None, workers: int | None = None) -> Array:
    """Smooth with a Gaussian, or take a derivative of what is smoothed.

Parameters
----------
x : array_like
    Source array of any shape; bool, integer, floating-point or complex.
sigma : float or sequence of float
    Standard deviation in samples, for all filtered axes or each.
order : int or sequence of int, optional
    Which derivative, for all axes or each; see `kernels.gaussian`.
truncate : float, optional
    Where the kernel ends, in standard deviations.
radius : int or sequence of int, optional
    Taps on either side of the centre, instead of `truncate`.
axes : int or sequence of int, optional
    Axes of `x` to filter along. By default all axes of an array of one or two dimensions. An
    array of more needs `axes`, because its third axis may hold colours.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    Dtype of the result. Floating-point and complex data keep theirs. With fractional weights,
    bool and 8- and 16-bit integers give float32, and wider integers float64. With whole
    weights (`sobel`, `laplace`, `sharpen`, …) integers give exact int64. For an integer dtype
    such a result is rounded half to even.
overflow : {'raise', 'wrap', 'saturate'}, optional
    What happens if an integer result cannot hold the exact sum. ``raise`` decides before any
    work, by the bound that follows from the range of `x` and the weights. ``wrap`` keeps the
    low bits, and ``saturate`` the nearest value of the dtype.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    The result, in the shape of `x`, or less with a `stride`; `out` if that was given.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed.
OverflowError
    Under ``overflow='raise'``, if an integer result might not hold the exact sum.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

See Also
--------
pyconv.kernels.gaussian : the weights.

Examples
--------
>>> from pyconv import filters
>>> filters.gaussian([0.0, 0.0, 1.0, 0.0, 0.0], sigma=1).round(2)
array([0.06, 0.24, 0.4 , 0.24, 0.06])

The slope of a picture along its columns, colours left alone:

>>> import numpy as np
>>> picture = np.zeros((6, 8, 3), np.uint8)
>>> picture[3:] = 100
>>> slope = filters.gaussian(picture, 1, order=(1, 0), axes=(0, 1))
>>> slope.dtype, slope[:, 0, 0].round().astype(int).tolist()
(dtype('float32'), [1, 12, 36, 36, 12, 1])
"""
def gradient_magnitude(x: npt.ArrayLike, operator: str = 'sobel', *, sigma: Number | None = None,
    axes: Axes = None, boundary: Boundary = 'symmetric', fill_value: float = 0, stride: int |
    Sequence[int] = 1, dtype: npt.DTypeLike | None = None, nan_policy: str = 'propagate', mask:
    npt.ArrayLike | None = None, out: Array | None = None, method: str = 'auto', rtol: float | None
    = None, max_memory: int | None = None, workers: int | None = None) -> Array:
    r"""Return the length of the gradient.

.. math:: y[i] = \sqrt{\textstyle \sum_a y_a[i]^2}

with a derivative :math:`y_a` for each filtered axis; for ``roberts``, for each diagonal.

Parameters
----------
x : array_like
    Source array of real numbers, of any shape; bool, integer or floating-point.
operator : {'gaussian', 'prewitt', 'roberts', 'scharr', 'sobel'}, optional
    Which derivatives; their factors are those of `pyconv.kernels`. ``roberts`` takes two axes.
sigma : float or sequence of float, optional
    Standard deviation in samples of ``gaussian``, for all axes or each.
axes : int or sequence of int, optional
    Axes of `x` to filter along. By default all axes of an array of one or two dimensions. An
    array of more needs `axes`, because its third axis may hold colours.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    A floating-point dtype. By default that of `x`, for bool and 8- and 16-bit integers
    float32, for wider ones float64.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    The result, in the shape of `x`, or less with a `stride`; `out` if that was given.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed, complex data among them.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

Examples
--------
>>> import numpy as np
>>> from pyconv import filters
>>> corner = np.array([[0, 0, 0], [0, 1, 1], [0, 1, 1]], np.uint8)
>>> filters.gradient_magnitude(corner).round(1)
array([[1.4, 3.2, 4. ],
       [3.2, 4.2, 4. ],
       [4. , 4. , 0. ]], dtype=float32)
"""
def laplace(x: npt.ArrayLike, *, diagonals: bool = False, axes: Axes = None, boundary: Boundary =
    'symmetric', fill_value: complex = 0, stride: int | Sequence[int] = 1, dtype: npt.DTypeLike |
    None = None, overflow: str = 'raise', nan_policy: str = 'propagate', mask: npt.ArrayLike | None
    = None, out: Array | None = None, method: str = 'auto', rtol: float | None = None, max_memory:
    int | None = None, workers: int | None = None) -> Array:
    """Sum the second differences along all axes.

Parameters
----------
x : array_like
    Source array of any shape; bool, integer, floating-point or complex.
diagonals : bool, optional
    Whether all 3^n − 1 samples around the centre count (8 on images), or the 2 · n that share
    an edge or face with it (4 on images); n axes are filtered.
axes : int or sequence of int, optional
    Axes of `x` to filter along. By default all axes of an array of one or two dimensions. An
    array of more needs `axes`, because its third axis may hold colours.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    Dtype of the result. Floating-point and complex data keep theirs. With fractional weights,
    bool and 8- and 16-bit integers give float32, and wider integers float64. With whole
    weights (`sobel`, `laplace`, `sharpen`, …) integers give exact int64. For an integer dtype
    such a result is rounded half to even.
overflow : {'raise', 'wrap', 'saturate'}, optional
    What happens if an integer result cannot hold the exact sum. ``raise`` decides before any
    work, by the bound that follows from the range of `x` and the weights. ``wrap`` keeps the
    low bits, and ``saturate`` the nearest value of the dtype.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    The result, in the shape of `x`, or less with a `stride`; `out` if that was given.
    It is positive where samples curve upwards.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed.
OverflowError
    Under ``overflow='raise'``, if an integer result might not hold the exact sum.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

See Also
--------
pyconv.kernels.laplace : the weights.

Examples
--------
>>> from pyconv import filters
>>> filters.laplace([0, 1, 4, 9, 16])
array([ 1,  2,  2,  2, -7])
"""
def log(x: npt.ArrayLike, sigma: Number, *, truncate: float = 4.0, axes: Axes = None, boundary:
    Boundary = 'symmetric', fill_value: complex = 0, stride: int | Sequence[int] = 1, dtype:
    npt.DTypeLike | None = None, overflow: str = 'raise', nan_policy: str = 'propagate', mask:
    npt.ArrayLike | None = None, out: Array | None = None, method: str = 'auto', rtol: float | None
    = None, max_memory: int | None = None, workers: int | None = None) -> Array:
    """Take the Laplacian of what a Gaussian has smoothed.

Parameters
----------
x : array_like
    Source array of any shape; bool, integer, floating-point or complex.
sigma : float or sequence of float
    Standard deviation in samples, for all axes or each.
truncate : float, optional
    Where the kernel ends, in standard deviations.
axes : int or sequence of int, optional
    Axes of `x` to filter along. By default all axes of an array of one or two dimensions. An
    array of more needs `axes`, because its third axis may hold colours.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    Dtype of the result. Floating-point and complex data keep theirs. With fractional weights,
    bool and 8- and 16-bit integers give float32, and wider integers float64. With whole
    weights (`sobel`, `laplace`, `sharpen`, …) integers give exact int64. For an integer dtype
    such a result is rounded half to even.
overflow : {'raise', 'wrap', 'saturate'}, optional
    What happens if an integer result cannot hold the exact sum. ``raise`` decides before any
    work, by the bound that follows from the range of `x` and the weights. ``wrap`` keeps the
    low bits, and ``saturate`` the nearest value of the dtype.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    The result, in the shape of `x`, or less with a `stride`; `out` if that was given.
    It is positive in dark blobs and 0 in flat areas.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed.
OverflowError
    Under ``overflow='raise'``, if an integer result might not hold the exact sum.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

See Also
--------
pyconv.kernels.log : the weights.

Examples
--------
>>> from pyconv import filters
>>> filters.log([0.0, 0.0, 0.0, 100.0, 0.0, 0.0, 0.0], sigma=1).round()
array([  4.,  16.,   0., -40.,   0.,  16.,   4.])
"""
def motion(x: npt.ArrayLike, length: float, orientation: float = 0.0, *, axes: Axes = None,
    boundary: Boundary = 'symmetric', fill_value: complex = 0, stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None, overflow: str = 'raise', nan_policy: str = 'propagate',
    mask: npt.ArrayLike | None = None, out: Array | None = None, method: str = 'auto', rtol: float |
    None = None, max_memory: int | None = None, workers: int | None = None) -> Array:
    """Blur along two axes by a straight and steady motion.

Parameters
----------
x : array_like
    Source array of any shape; bool, integer, floating-point or complex.
length : float
    How far a point moves, in samples.
orientation : float, optional
    Angle of the line in radians, from the second of `axes` (0) towards the first (π/2).
axes : sequence of int, optional
    Two axes of `x` to filter along. By default those of an image of two dimensions. An array
    of more needs `axes`, because its third axis may hold colours.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    Dtype of the result. Floating-point and complex data keep theirs. With fractional weights,
    bool and 8- and 16-bit integers give float32, and wider integers float64. With whole
    weights (`sobel`, `laplace`, `sharpen`, …) integers give exact int64. For an integer dtype
    such a result is rounded half to even.
overflow : {'raise', 'wrap', 'saturate'}, optional
    What happens if an integer result cannot hold the exact sum. ``raise`` decides before any
    work, by the bound that follows from the range of `x` and the weights. ``wrap`` keeps the
    low bits, and ``saturate`` the nearest value of the dtype.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    The result, in the shape of `x`, or less with a `stride`; `out` if that was given.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed.
OverflowError
    Under ``overflow='raise'``, if an integer result might not hold the exact sum.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

See Also
--------
pyconv.kernels.motion : the weights.

Examples
--------
>>> import numpy as np
>>> from pyconv import filters
>>> filters.motion(np.eye(3), length=3)[1]
array([0.33333333, 0.33333333, 0.33333333])
"""
def prewitt(x: npt.ArrayLike, axis: int = -1, *, axes: Axes = None, boundary: Boundary =
    'symmetric', fill_value: complex = 0, stride: int | Sequence[int] = 1, dtype: npt.DTypeLike |
    None = None, overflow: str = 'raise', nan_policy: str = 'propagate', mask: npt.ArrayLike | None
    = None, out: Array | None = None, method: str = 'auto', rtol: float | None = None, max_memory:
    int | None = None, workers: int | None = None) -> Array:
    """Take Prewitt's derivative along one axis.

Parameters
----------
x : array_like
    Source array of any shape; bool, integer, floating-point or complex.
axis : int, optional
    Axis of `x` along which samples are compared, one of `axes`; along the others they are
    smoothed.
axes : int or sequence of int, optional
    Axes of `x` to filter along. By default all axes of an array of one or two dimensions. An
    array of more needs `axes`, because its third axis may hold colours.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    Dtype of the result. Floating-point and complex data keep theirs. With fractional weights,
    bool and 8- and 16-bit integers give float32, and wider integers float64. With whole
    weights (`sobel`, `laplace`, `sharpen`, …) integers give exact int64. For an integer dtype
    such a result is rounded half to even.
overflow : {'raise', 'wrap', 'saturate'}, optional
    What happens if an integer result cannot hold the exact sum. ``raise`` decides before any
    work, by the bound that follows from the range of `x` and the weights. ``wrap`` keeps the
    low bits, and ``saturate`` the nearest value of the dtype.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    The result, in the shape of `x`, or less with a `stride`; `out` if that was given.
    It is positive where samples grow along `axis`, 6 times the slope of an image.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed.
OverflowError
    Under ``overflow='raise'``, if an integer result might not hold the exact sum.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

See Also
--------
pyconv.kernels.prewitt : the weights.

Examples
--------
>>> import numpy as np
>>> from pyconv import filters
>>> image = np.array([[0, 10, 10]] * 3, np.uint8)
>>> filters.prewitt(image)[1]
array([30, 30,  0])
"""
def roberts(x: npt.ArrayLike, diagonal: int = 0, *, axes: Axes = None, boundary: Boundary =
    'symmetric', fill_value: complex = 0, stride: int | Sequence[int] = 1, dtype: npt.DTypeLike |
    None = None, overflow: str = 'raise', nan_policy: str = 'propagate', mask: npt.ArrayLike | None
    = None, out: Array | None = None, method: str = 'auto', rtol: float | None = None, max_memory:
    int | None = None, workers: int | None = None) -> Array:
    """Take Roberts's difference along a diagonal of two axes.

Parameters
----------
x : array_like
    Source array of any shape; bool, integer, floating-point or complex.
diagonal : int, optional
    0: samples are compared towards higher indices of both axes; 1: towards higher ones of the
    first axis and lower ones of the second.
axes : sequence of int, optional
    Two axes of `x` to filter along. By default those of an image of two dimensions. An array
    of more needs `axes`, because its third axis may hold colours.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    Dtype of the result. Floating-point and complex data keep theirs. With fractional weights,
    bool and 8- and 16-bit integers give float32, and wider integers float64. With whole
    weights (`sobel`, `laplace`, `sharpen`, …) integers give exact int64. For an integer dtype
    such a result is rounded half to even.
overflow : {'raise', 'wrap', 'saturate'}, optional
    What happens if an integer result cannot hold the exact sum. ``raise`` decides before any
    work, by the bound that follows from the range of `x` and the weights. ``wrap`` keeps the
    low bits, and ``saturate`` the nearest value of the dtype.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    The result, in the shape of `x`, or less with a `stride`; `out` if that was given.
    Its samples lie half a sample before those of `x`.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed.
OverflowError
    Under ``overflow='raise'``, if an integer result might not hold the exact sum.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

See Also
--------
pyconv.kernels.roberts : the weights.

Examples
--------
>>> import numpy as np
>>> from pyconv import filters
>>> filters.roberts(np.array([[0, 0], [0, 7]], np.uint8))
array([[0, 0],
       [0, 7]])
"""
def scharr(x: npt.ArrayLike, axis: int = -1, *, axes: Axes = None, boundary: Boundary = 'symmetric',
    fill_value: complex = 0, stride: int | Sequence[int] = 1, dtype: npt.DTypeLike | None = None,
    overflow: str = 'raise', nan_policy: str = 'propagate', mask: npt.ArrayLike | None = None, out:
    Array | None = None, method: str = 'auto', rtol: float | None = None, max_memory: int | None =
    None, workers: int | None = None) -> Array:
    """Take Scharr's derivative along one axis.

Parameters
----------
x : array_like
    Source array of any shape; bool, integer, floating-point or complex.
axis : int, optional
    Axis of `x` along which samples are compared, one of `axes`; along the others they are
    smoothed.
axes : int or sequence of int, optional
    Axes of `x` to filter along. By default all axes of an array of one or two dimensions. An
    array of more needs `axes`, because its third axis may hold colours.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    Dtype of the result. Floating-point and complex data keep theirs. With fractional weights,
    bool and 8- and 16-bit integers give float32, and wider integers float64. With whole
    weights (`sobel`, `laplace`, `sharpen`, …) integers give exact int64. For an integer dtype
    such a result is rounded half to even.
overflow : {'raise', 'wrap', 'saturate'}, optional
    What happens if an integer result cannot hold the exact sum. ``raise`` decides before any
    work, by the bound that follows from the range of `x` and the weights. ``wrap`` keeps the
    low bits, and ``saturate`` the nearest value of the dtype.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    The result, in the shape of `x`, or less with a `stride`; `out` if that was given.
    It is positive where samples grow along `axis`, 32 times the slope of an image.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed.
OverflowError
    Under ``overflow='raise'``, if an integer result might not hold the exact sum.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

See Also
--------
pyconv.kernels.scharr : the weights.

Examples
--------
>>> import numpy as np
>>> from pyconv import filters
>>> image = np.array([[0, 10, 10]] * 3, np.uint8)
>>> filters.scharr(image)[1]
array([160, 160,   0])
"""
def sharpen(x: npt.ArrayLike, *, diagonals: bool = False, axes: Axes = None, boundary: Boundary =
    'symmetric', fill_value: complex = 0, stride: int | Sequence[int] = 1, dtype: npt.DTypeLike |
    None = None, overflow: str = 'raise', nan_policy: str = 'propagate', mask: npt.ArrayLike | None
    = None, out: Array | None = None, method: str = 'auto', rtol: float | None = None, max_memory:
    int | None = None, workers: int | None = None) -> Array:
    """Take the Laplacian off the samples.

Parameters
----------
x : array_like
    Source array of any shape; bool, integer, floating-point or complex.
diagonals : bool, optional
    Whether all 3^n − 1 samples around the centre count (8 on images), or the 2 · n that share
    an edge or face with it (4 on images); n axes are filtered.
axes : int or sequence of int, optional
    Axes of `x` to filter along. By default all axes of an array of one or two dimensions. An
    array of more needs `axes`, because its third axis may hold colours.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    Dtype of the result. Floating-point and complex data keep theirs. With fractional weights,
    bool and 8- and 16-bit integers give float32, and wider integers float64. With whole
    weights (`sobel`, `laplace`, `sharpen`, …) integers give exact int64. For an integer dtype
    such a result is rounded half to even.
overflow : {'raise', 'wrap', 'saturate'}, optional
    What happens if an integer result cannot hold the exact sum. ``raise`` decides before any
    work, by the bound that follows from the range of `x` and the weights. ``wrap`` keeps the
    low bits, and ``saturate`` the nearest value of the dtype.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    The result, in the shape of `x`, or less with a `stride`; `out` if that was given.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed.
OverflowError
    Under ``overflow='raise'``, if an integer result might not hold the exact sum.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

See Also
--------
pyconv.kernels.sharpen : the weights.

Examples
--------
>>> import numpy as np
>>> from pyconv import filters
>>> step = np.array([100, 100, 200, 200], np.uint8)
>>> filters.sharpen(step)
array([100,   0, 300, 200])
>>> filters.sharpen(step, dtype=np.uint8, overflow="saturate")
array([100,   0, 255, 200], dtype=uint8)
"""
def sobel(x: npt.ArrayLike, axis: int = -1, *, axes: Axes = None, boundary: Boundary = 'symmetric',
    fill_value: complex = 0, stride: int | Sequence[int] = 1, dtype: npt.DTypeLike | None = None,
    overflow: str = 'raise', nan_policy: str = 'propagate', mask: npt.ArrayLike | None = None, out:
    Array | None = None, method: str = 'auto', rtol: float | None = None, max_memory: int | None =
    None, workers: int | None = None) -> Array:
    """Take Sobel's derivative along one axis.

Parameters
----------
x : array_like
    Source array of any shape; bool, integer, floating-point or complex.
axis : int, optional
    Axis of `x` along which samples are compared, one of `axes`; along the others they are
    smoothed.
axes : int or sequence of int, optional
    Axes of `x` to filter along. By default all axes of an array of one or two dimensions. An
    array of more needs `axes`, because its third axis may hold colours.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    Dtype of the result. Floating-point and complex data keep theirs. With fractional weights,
    bool and 8- and 16-bit integers give float32, and wider integers float64. With whole
    weights (`sobel`, `laplace`, `sharpen`, …) integers give exact int64. For an integer dtype
    such a result is rounded half to even.
overflow : {'raise', 'wrap', 'saturate'}, optional
    What happens if an integer result cannot hold the exact sum. ``raise`` decides before any
    work, by the bound that follows from the range of `x` and the weights. ``wrap`` keeps the
    low bits, and ``saturate`` the nearest value of the dtype.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    The result, in the shape of `x`, or less with a `stride`; `out` if that was given.
    It is positive where samples grow along `axis`, 8 times the slope of an image.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed.
OverflowError
    Under ``overflow='raise'``, if an integer result might not hold the exact sum.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

See Also
--------
pyconv.kernels.sobel : the weights.

Examples
--------
>>> import numpy as np
>>> from pyconv import filters
>>> image = np.array([[0, 10, 10]] * 3, np.uint8)
>>> filters.sobel(image)[1]
array([40, 40,  0])
"""
def unsharp(x: npt.ArrayLike, sigma: Number, amount: float = 1.0, *, truncate: float = 4.0, axes:
    Axes = None, boundary: Boundary = 'symmetric', fill_value: complex = 0, stride: int |
    Sequence[int] = 1, dtype: npt.DTypeLike | None = None, overflow: str = 'raise', nan_policy: str
    = 'propagate', mask: npt.ArrayLike | None = None, out: Array | None = None, method: str =
    'auto', rtol: float | None = None, max_memory: int | None = None, workers: int | None = None) -> Array:
    """Sharpen by unsharp masking: add what a Gaussian takes away.

Where samples are left out, the Gaussian is that of `gaussian`, and a sample that is missing is
what the Gaussian makes of the others.

Parameters
----------
x : array_like
    Source array of any shape; bool, integer, floating-point or complex.
sigma : float or sequence of float
    Standard deviation of the Gaussian in samples, for all axes or each.
amount : float, optional
    How much is added.
truncate : float, optional
    Where the Gaussian ends, in standard deviations.
axes : int or sequence of int, optional
    Axes of `x` to filter along. By default all axes of an array of one or two dimensions. An
    array of more needs `axes`, because its third axis may hold colours.
boundary : str or sequence of str, optional
    What is read outside `x`, for all axes or each (for samples ``a b c d``):

    - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
      ``symm``
    - ``mirror``: ``d c b | a b c d | c b a``
    - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
    - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
      ``zero`` or ``zeros`` where `k` = 0
fill_value : scalar, optional
    The value that ``boundary='constant'`` reads outside.
stride : int or sequence of int, optional
    Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
    it does.
dtype : dtype, optional
    Dtype of the result. Floating-point and complex data keep theirs. With fractional weights,
    bool and 8- and 16-bit integers give float32, and wider integers float64. With whole
    weights (`sobel`, `laplace`, `sharpen`, …) integers give exact int64. For an integer dtype
    such a result is rounded half to even.
overflow : {'raise', 'wrap', 'saturate'}, optional
    What happens if an integer result cannot hold the exact sum. ``raise`` decides before any
    work, by the bound that follows from the range of `x` and the weights. ``wrap`` keeps the
    low bits, and ``saturate`` the nearest value of the dtype.
nan_policy : {'propagate', 'raise', 'omit'}, optional
    ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
    refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
    it also leaves out the samples outside.
mask : array_like of bool, optional
    True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
    own. Results are divided by the sum of the weights of the valid samples, as those of
    `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
    too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
    derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
    :doc:`/missing`.
out : ndarray, optional
    Array that receives the result: its shape and dtype must be those of the result. It
    may overlap `x`.
method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
    Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
    applies to the kernel of all axes together.
rtol : float, optional
    Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
    products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
    applies to the kernel of all axes together. By default the error is within the bound of a
    plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
    ``sum|w|`` times the largest sample of the window. Integer results are always exact.
max_memory : int, optional
    Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
    that overlaps `x`. By default passes along one axis after the other may take some arrays of
    the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
    kernel of all axes is used.
workers : int, optional
    Largest number of threads; -1 means all CPUs that this process may use. The default is that
    of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
    number.

Returns
-------
ndarray
    The result, in the shape of `x`, or less with a `stride`; `out` if that was given.

Raises
------
ValueError
    For values and combinations that are not allowed; the message names the argument, its
    value and what is allowed. Where samples may be left out, for weights that cancel, whatever
    the data.
TypeError
    For dtypes and argument types that are not allowed.
OverflowError
    Under ``overflow='raise'``, if an integer result might not hold the exact sum.
MemoryError
    If the result or the workspace cannot be allocated, or `max_memory` is too little for any
    algorithm; the message names the least that would do, or a bound from below where samples
    are left out.

See Also
--------
pyconv.kernels.unsharp : the weights.

Examples
--------
>>> from pyconv import filters
>>> filters.unsharp([1.0, 1.0, 2.0, 2.0], sigma=1, amount=1.0).round(2)
array([0.94, 0.7 , 2.3 , 2.06])
"""
