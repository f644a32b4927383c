"""Convolution, FIR filters and resampling of `scipy.signal`: its names, signatures and dtypes.

`StreamingFilter` is our own: SciPy has no filter of a signal that arrives in chunks.
"""

from __future__ import annotations

from pyconv.signal._fir import filtfilt, lfilter, lfilter_zi, lfiltic
from pyconv.signal._planes import convolve2d, correlate2d, sepfir2d
from pyconv.signal._rates import decimate, resample_poly, upfirdn
from pyconv.signal._savitzky_golay import savgol_filter
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
    "decimate",
    "fftconvolve",
    "filtfilt",
    "lfilter",
    "lfilter_zi",
    "lfiltic",
    "oaconvolve",
    "resample_poly",
    "savgol_filter",
    "sepfir2d",
    "upfirdn",
]
