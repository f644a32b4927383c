"""Convolution and correlation of `scipy.signal`: its names, signatures and dtypes, by pyconv.

`StreamingFilter` is our own: SciPy has no filter of a signal that arrives in chunks.
"""

from __future__ import annotations

from pyconv.signal._planes import convolve2d, correlate2d
from pyconv.signal._streams import StreamingFilter
from pyconv.signal._transforms import fftconvolve, oaconvolve
from pyconv.signal._whole_arrays import choose_conv_method, convolve, correlate, correlation_lags

__all__ = [
    "StreamingFilter",
    "choose_conv_method",
    "convolve",
    "convolve2d",
    "correlate",
    "correlate2d",
    "correlation_lags",
    "fftconvolve",
    "oaconvolve",
]
