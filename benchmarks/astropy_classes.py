"""ASTROPY_CLASSES: astropy's convolutions beside those of `pyconv.astropy`, of images with NaN."""

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import pyconv
import pyconv.astropy
from benchmarks.peers import Peer
from benchmarks.speed import Comparison, Goal, Profile, Row, WrongResultError
from benchmarks.threads import COUNT

OURS, THEIRS = "pyconv.astropy", "astropy"
#: The part of the samples that is NaN.
GAPS = 0.02
#: Part of the largest result by which two results may differ.
CLOSE = 1e-10
#: Taps along each axis, and the width of a Gaussian that fills them.
KERNELS = ((11, 1.25), (31, 3.75))


def _with_gaps(shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(7)
    x = rng.random(shape)
    x[rng.random(shape) < GAPS] = np.nan
    return x


def images(name: str) -> Callable[[Profile], Iterator[Row]]:
    """Return the rows of a function of images: Gaussians, and kernels that have no factors."""

    def rows(profile: Profile) -> Iterator[Row]:
        size = 256 if profile.quick else 1024
        convolution = importlib.import_module("astropy.convolution")
        for taps, sigma in KERNELS:
            gaussian = convolution.Gaussian2DKernel(sigma, x_size=taps, y_size=taps).array
            uneven = np.random.default_rng(8).random((taps, taps))
            for label, w in (("Gaussian", gaussian), ("no factors", uneven)):
                for dtype in ("float64", ">f4"):
                    if dtype != "float64" and label != "Gaussian":
                        continue
                    x = _with_gaps((size, size)).astype(dtype)
                    words = f"{size}² {dtype}, {taps}×{taps} {label}"
                    yield _row(words, x, w, name, {}, getattr(convolution, name))

    return rows


def cubes(profile: Profile) -> Iterator[Row]:
    """Yield a cube of spectra, each with the kernel: astropy is called once for each."""
    shape = (100, 32, 32) if profile.quick else (200, 128, 128)
    convolve = importlib.import_module("astropy.convolution").convolve
    w = np.hanning(13)[1:-1]

    def each(cube: np.ndarray, w: np.ndarray) -> np.ndarray:
        y = np.empty_like(cube)
        for i, j in np.ndindex(cube.shape[1:]):
            y[:, i, j] = convolve(cube[:, i, j], w)
        return y

    words = f"{'×'.join(map(str, shape))}, 11 along the first axis"
    yield _row(words, _with_gaps(shape), w, "convolve", {"axes": 0}, each)


def _row(
    label: str, x: np.ndarray, w: np.ndarray, name: str, options: dict[str, Any], theirs: Any
) -> Row:
    function = getattr(pyconv.astropy, name)
    expected = np.asarray(theirs(x, w), np.float64)
    scale = float(np.nanmax(np.abs(expected)))
    close = max(CLOSE, float(np.finfo(x.dtype).eps))

    def check(who: str, y: np.ndarray) -> None:
        if not np.allclose(y, expected, rtol=0, atol=close * scale, equal_nan=True):
            raise WrongResultError(f"{label}: {who} differs from astropy")

    contenders = {
        OURS: lambda: function(x, w, workers=COUNT, **options),
        THEIRS: lambda: theirs(x, w),
    }
    return Row(label, 2 * x.size * w.size, contenders, check)


def _class(name: str, title: str, rows: Any, least: float) -> Comparison:
    return Comparison(name, title, OURS, rows, (Goal((THEIRS,), mean=least, each=least),))


ASTROPY_CLASSES = (
    _class("convolve", "convolve, 2 % NaN", images("convolve"), 15.0),
    _class("convolve-cube", "convolve along one axis of a cube, 2 % NaN", cubes, 10.0),
    _class("convolve_fft", "convolve_fft, 2 % NaN", images("convolve_fft"), 5.0),
)
ASTROPY_PEERS = (Peer(THEIRS, "astropy", "astropy", lambda *_: None),)
