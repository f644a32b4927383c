"""The linear filters of `scipy.ndimage`: its names, signatures and dtypes, by pyconv's loops.
"""
# Written by `python -m tests.stubs`; the source is beside it.
from pyconv.ndimage._filters import (convolve, convolve1d, correlate, correlate1d, laplace, prewitt, sobel, uniform_filter, uniform_filter1d)
from pyconv.ndimage._gaussian import (gaussian_filter, gaussian_filter1d, gaussian_gradient_magnitude, gaussian_laplace)
__all__ = [
  'convolve', 'convolve1d', 'correlate', 'correlate1d', 'gaussian_filter', 'gaussian_filter1d',
  'gaussian_gradient_magnitude', 'gaussian_laplace', 'laplace', 'prewitt', 'sobel',
  'uniform_filter', 'uniform_filter1d'
]
