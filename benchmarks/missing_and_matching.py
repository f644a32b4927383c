"""Rows of calls that leave samples out, beside astropy, and of templates, beside their peers."""

import importlib
import importlib.util
from collections.abc import Callable, Iterator

import numpy as np

import pyconv
from benchmarks.cases import Case, gaussian
from benchmarks.speed import Profile, Row, WrongResultError
from benchmarks.threads import COUNT

OURS, TWICE, ASTROPY = "pyconv", "two plain calls", "astropy"
TRANSFORM = "one transform of both sums"
SKIMAGE, OPENCV = "scikit-image", "OpenCV"
#: Coefficients that float32 transforms make.
CLOSE = 1e-4


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _checker(label: str, right: np.ndarray, close: float) -> Callable[[str, np.ndarray], None]:
    def check(name: str, y: np.ndarray) -> None:
        same = np.array_equal(np.isnan(y), np.isnan(right))
        if name != TWICE and not (same and np.nanmax(np.abs(y - right)) <= close):
            raise WrongResultError(f"{label}: {name} differs from the definition")

    return check


def omission_rows(profile: Profile) -> Iterator[Row]:
    """Yield images of which a tenth is missing, in squares and here and there."""
    size = 512 if profile.quick else 2048
    for taps, product in ((3, False), (7, False), (15, False), (31, False), (15, True), (31, True)):
        case = Case((size, size), (taps, taps), boundary="nearest")
        x, w = case.data()
        w = gaussian((taps, taps)).astype(w.dtype) if product else np.abs(w) / np.abs(w).sum()
        gaps = np.random.default_rng(1).random(x.shape) < 0.05
        gaps[size // 4 : size // 2, size // 3 : size // 2] = True
        plain, x = x, np.where(gaps, np.float32(np.nan), x)
        ours, twice = np.empty_like(x), np.empty_like(x)
        contenders = {
            OURS: _omitting(x, w, ours),
            TWICE: _twice(plain, w, twice),
        }
        if product:
            contenders[TRANSFORM] = _omitting(x, w, np.empty_like(x), "fft")
        wide = np.where(gaps, 0, plain).astype(np.float64), w.astype(np.float64)
        with np.errstate(all="ignore"):
            right = pyconv.correlate(*wide, "same", "nearest", rtol=0) / pyconv.correlate(
                (~gaps).astype(np.float64), wide[1], "same", "nearest", rtol=0
            )
        if _installed("astropy") and taps <= 15:
            contenders[ASTROPY] = _astropy(x, np.flip(w))
        label = f"{size}², {taps}²{', Gaussian' if product else ''}"
        yield Row(label, 2 * case.products, contenders, _checker(label, right, 1e-3))


def _omitting(
    x: np.ndarray, w: np.ndarray, out: np.ndarray, method: str = "auto"
) -> Callable[[], np.ndarray]:
    return lambda: pyconv.correlate(
        x, w, "same", "nearest", nan_policy="omit", out=out, method=method
    )


def _twice(x: np.ndarray, w: np.ndarray, out: np.ndarray) -> Callable[[], np.ndarray]:
    def call() -> np.ndarray:
        pyconv.correlate(x, w, "same", "nearest", out=out)
        return pyconv.correlate(x, w, "same", "nearest", out=out)

    return call


def _astropy(x: np.ndarray, w: np.ndarray) -> Callable[[], np.ndarray]:
    convolution = importlib.import_module("astropy.convolution")

    def call() -> np.ndarray:
        warnings = importlib.import_module("warnings")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of gaps that are larger than the kernel
            return convolution.convolve(x, w, "extend", normalize_kernel=False)

    return call


def template_rows(profile: Profile) -> Iterator[Row]:
    """Yield templates that are cut out of noise."""
    for size in (512,) if profile.quick else (512, 2048):
        for taps in (16, 32, 64, 128):
            image, _ = Case((size, size), (3, 3)).data()
            template = image[50 : 50 + taps, 60 : 60 + taps].copy()
            contenders = {OURS: _ours(image, template)}
            if _installed("skimage"):
                feature = importlib.import_module("skimage.feature")
                contenders[SKIMAGE] = _skimage(feature.match_template, image, template)
            if _installed("cv2"):
                contenders[OPENCV] = _opencv(image, template)
            right = pyconv.match_template(image.astype(float), template.astype(float))
            products = right.size * template.size
            label = f"{size}², {taps}²"
            yield Row(label, products, contenders, _checker(label, right, CLOSE))


def _ours(image: np.ndarray, template: np.ndarray) -> Callable[[], np.ndarray]:
    return lambda: pyconv.match_template(image, template)


def _skimage(
    function: Callable[..., np.ndarray], image: np.ndarray, template: np.ndarray
) -> Callable[[], np.ndarray]:
    return lambda: function(image, template)


def _opencv(image: np.ndarray, template: np.ndarray) -> Callable[[], np.ndarray]:
    cv2 = importlib.import_module("cv2")
    cv2.setNumThreads(COUNT)
    return lambda: cv2.matchTemplate(image, template, cv2.TM_CCOEFF_NORMED)
