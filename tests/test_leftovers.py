"""What earlier calls have left in a workspace is not multiplied: subnormal numbers are slow.

The processor notes when an operand of a floating-point instruction is such a number. Vectors read
behind the samples of a row; the results do not depend on what is there, but the time does.
"""

import ctypes
import platform
import sys

import numpy as np
import pytest

import pyconv
from pyconv import filters, ndimage, signal

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc",
    reason="the flag is read as glibc on x86-64 saves it",
)
#: The flag of an operand below the normal range, in the word of flags behind seven others.
FLAG, WORD = 2, 7


class Environment:
    """The floating-point environment of this thread."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libm.so.6")
        self._words = (ctypes.c_uint32 * 8)()

    def clear(self) -> None:
        """Forget what was noted."""
        self._library.fegetenv(self._words)
        self._words[WORD] &= ~0x3F
        self._library.fesetenv(self._words)

    def has_noted(self) -> bool:
        """Return whether an operand was below the normal range."""
        self._library.fegetenv(self._words)
        return bool(self._words[WORD] & FLAG)


def leave(dtype, value=None):
    """Leave a value, below the normal range by default, in the workspace of the next call."""
    tiny = np.full((120, 300), value or np.finfo(dtype).smallest_subnormal * 3, dtype)
    pyconv.correlate(tiny, np.ones((31, 31), dtype), method="fft", workers=1)
    pyconv.correlate(tiny, np.ones((3, 3), dtype), "same", method="direct", workers=1)
    pyconv.correlate(tiny.ravel(), np.ones(9, dtype), "same", method="direct", workers=1)
    planes = tiny.reshape(10, 12, 300)
    pyconv.correlate(planes, np.ones((3, 3, 3), dtype), "same", method="direct", workers=1)


def calls(dtype):
    """Yield names and calls on samples and weights between 1 and 2."""
    rng = np.random.default_rng(0)

    def some(*shape):
        return (1 + rng.random(shape)).astype(dtype)

    for size, taps in ((8, 101), (20, 9), (40, 5), (700, 31)):
        x, w = some(size + taps - 1), some(taps)
        for method in ("direct", "fft", "im2col"):
            name = f"{method}, {size} results of {taps} taps"
            yield name, lambda x=x, w=w, m=method: pyconv.correlate(x, w, method=m, workers=1)
        yield (
            f"channels, {size}, {taps}",
            lambda x=x, w=w: pyconv.correlate(np.stack([x] * 3, 1), w, "same", axes=0, workers=1),
        )
        yield f"upfirdn, {size}, {taps}", lambda x=x, w=w: signal.upfirdn(w, x, 3, 2)
        yield f"lfilter, {size}, {taps}", lambda x=x, w=w: signal.lfilter(w, 1, x)
    for shape in ((9, 9), (5, 130), (17, 33), (33, 50), (64, 64), (70, 140), (130, 65)):
        x = some(*shape)
        gaps = np.where(rng.random(shape) > 0.9, np.nan, x).astype(dtype)
        for kernel in ((3, 3), (5, 7), (2, 9), (15, 15)):
            column, row = some(kernel[0]), some(kernel[1])
            w = np.outer(column, row)
            for method in ("direct", "fft", "im2col", "separable"):
                fits = min(shape) >= max(kernel)
                for extent in ("valid", "same", "full") if fits else ("same", "full"):
                    yield (
                        f"{method}, {shape}, {kernel}, {extent}",
                        lambda x=x, w=w, m=method, e=extent: pyconv.correlate(
                            x, w, e, method=m, workers=1
                        ),
                    )
            for word in ("stride", "dilation"):
                yield (
                    f"{word}, {shape}, {kernel}",
                    lambda x=x, w=w, word=word: pyconv.correlate(
                        x, w, "same", "symmetric", method="direct", workers=1, **{word: 2}
                    ),
                )
            yield (
                f"gaps, {shape}, {kernel}",
                lambda x=gaps, w=w: pyconv.correlate(x, w, "same", nan_policy="omit", workers=1),
            )
        for width in (1, 5):
            yield (
                f"gaussian {width}, {shape}",
                lambda x=x, s=width: filters.gaussian(x, s, workers=1),
            )
        yield f"recursive, {shape}", lambda x=x: filters.gaussian(x, 5, rtol=0.1, workers=1)
        yield f"box, {shape}", lambda x=x: filters.box(x, 7, workers=1)
        yield f"sobel, {shape}", lambda x=x: filters.sobel(x, 0, workers=1)
        yield f"drop-in, {shape}", lambda x=x: ndimage.gaussian_filter(x, 2)
        yield f"template, {shape}", lambda x=x: pyconv.match_template(x, x[2:6, 2:7], workers=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_leftover_is_an_operand(dtype):
    environment = Environment()
    environment.clear()
    leave(dtype)
    assert environment.has_noted()
    noted = []
    for name, call in calls(dtype):
        call()  # tables of weights, which are made once, may hold such numbers
        leave(dtype)
        environment.clear()
        call()
        if not environment.has_noted():
            continue
        leave(dtype, 1)
        environment.clear()
        call()
        # What a recursion remembers decays, behind the end of a line too.
        if not (name.startswith("recursive") and environment.has_noted()):
            noted.append(name)
    assert not noted
