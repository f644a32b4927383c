"""What of astropy is used, as it was before anything was put in its place.

Programs look for warnings by their words. The words are therefore astropy's: its own function is
asked for the warning, with one sample.
"""

from __future__ import annotations

import numpy as np
from astropy.convolution import (
    Kernel,
    Kernel1D,
    Kernel2D,
    KernelSizeError,
    convolve,
    convolve_fft,
)
from astropy.nddata import NDData, support_nddata

__all__ = [
    "Kernel",
    "Kernel1D",
    "Kernel2D",
    "KernelSizeError",
    "NDData",
    "convolve",
    "convolve_fft",
    "support_nddata",
    "warn_of_gaps",
    "warn_of_no_boundary",
    "warn_of_no_padding",
    "warn_of_two_kernels",
]


def warn_of_gaps() -> None:
    """Warn of NaN in the result of an interpolation."""
    convolve(np.full(1, np.nan), np.ones(1))


def warn_of_two_kernels() -> None:
    """Warn of the arguments that a convolution of two kernels has."""
    one = Kernel1D(array=np.ones(1))
    convolve(one, one)


def warn_of_no_boundary() -> None:
    """Warn of what a transform makes of ``boundary=None``."""
    convolve_fft(np.zeros(1), np.ones(1), None)


def warn_of_no_padding() -> None:
    """Warn of a boundary that a transform without padding does not have."""
    convolve_fft(np.zeros(1), np.ones(1), psf_pad=False)
