"""Convolution and correlation of `scipy.signal`: its names, signatures and dtypes, by pyconv.
"""
# Written by `python -m tests.stubs`; the source is beside it.
from pyconv.signal._planes import convolve2d, correlate2d
from pyconv.signal._transforms import fftconvolve, oaconvolve
from pyconv.signal._whole_arrays import choose_conv_method, convolve, correlate, correlation_lags
__all__ = [
  'choose_conv_method', 'convolve', 'convolve2d', 'correlate', 'correlate2d', 'correlation_lags',
  'fftconvolve', 'oaconvolve'
]
