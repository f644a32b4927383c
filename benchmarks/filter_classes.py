"""FILTER_CLASSES: the filters of `pyconv.filters` beside OpenCV's and scipy.ndimage's.

Every contender fills a result that it is given, reads the samples mirrored at the edge, and ends
its Gaussian at four standard deviations.
"""

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.ndimage

from benchmarks.peers import PEERS, Peer
from benchmarks.speed import Comparison, Goal, Profile, Row, WrongResultError
from benchmarks.threads import COUNT
from pyconv import correlate, filters

OURS, OPENCV, NDIMAGE = "pyconv", "OpenCV", "ndimage"
SIZE = 2048
BOX = 31
#: Images of screens and thumbnails, rows and columns.
SCREENS = ((96, 128), (240, 320), (480, 640), (600, 800))
FILTER_PEERS: tuple[Peer[Any], ...] = tuple(p for p in PEERS if p.name == OPENCV)

#: Writes a filtered image: (x, y).
Fill = Callable[[np.ndarray, np.ndarray], object]


class Filtered(NamedTuple):
    """One filter, as each contender spells it."""

    label: str
    #: Products of an output by definition, as two passes where the kernel is a product.
    products: int
    ours: Fill
    ndimage: Fill
    #: Of the module, OpenCV's depth of the result, x and y.
    opencv: Callable[[Any, int, np.ndarray, np.ndarray], object]
    #: What an image of 8 bits becomes.
    narrow: str = "uint8"
    #: The error that is granted; integers are exact.
    rtol: float | None = None


def _gaussian(sigma: float, rtol: float | None = None) -> Filtered:
    taps = 2 * int(4 * sigma + 0.5) + 1
    granted = "" if rtol is None else f", rtol = {rtol:g}"
    return Filtered(
        f"Gaussian, σ = {sigma:g}{granted}",
        2 * taps,
        lambda x, y: filters.gaussian(x, sigma, dtype=y.dtype, out=y, rtol=rtol, workers=COUNT),
        lambda x, y: scipy.ndimage.gaussian_filter(x, sigma, output=y),
        lambda cv2, _, x, y: cv2.GaussianBlur(
            x, (taps, taps), sigma, dst=y, borderType=cv2.BORDER_REFLECT
        ),
        rtol=rtol,
    )


def _mean(size: int) -> Filtered:
    return Filtered(
        f"mean, {size}×{size}",
        2 * size,
        lambda x, y: filters.box(x, size, dtype=y.dtype, out=y, workers=COUNT),
        lambda x, y: scipy.ndimage.uniform_filter(x, size, output=y),
        lambda cv2, _, x, y: cv2.blur(x, (size, size), dst=y, borderType=cv2.BORDER_REFLECT),
    )


def _kernel(size: int) -> Filtered:
    """Return a kernel that is no product."""
    w = np.random.default_rng(size).random((size, size), np.float32)
    w /= w.sum()

    def ours(x: np.ndarray, y: np.ndarray) -> None:
        correlate(
            x, w, "same", "symmetric", dtype=y.dtype, overflow="saturate", out=y, workers=COUNT
        )

    return Filtered(
        f"{size}×{size} weights",
        size * size,
        ours,
        lambda x, y: scipy.ndimage.correlate(x, w, output=y),
        lambda cv2, _, x, y: cv2.filter2D(x, -1, w, dst=y, borderType=cv2.BORDER_REFLECT),
    )


SOBEL = Filtered(
    "Sobel, 3×3",
    9,
    lambda x, y: filters.sobel(x, dtype=y.dtype, out=y, workers=COUNT),
    lambda x, y: scipy.ndimage.sobel(x, output=y),
    lambda cv2, depth, x, y: cv2.Sobel(
        x, depth, 1, 0, dst=y, ksize=3, borderType=cv2.BORDER_REFLECT
    ),
    "int16",
)
LAPLACE = Filtered(
    "Laplace, 3×3",
    9,
    lambda x, y: filters.laplace(x, dtype=y.dtype, out=y, workers=COUNT),
    lambda x, y: scipy.ndimage.laplace(x, output=y),
    lambda cv2, depth, x, y: cv2.Laplacian(x, depth, dst=y, ksize=1, borderType=cv2.BORDER_REFLECT),
    "int16",
)
FILTERS: tuple[Filtered, ...] = (
    *map(_gaussian, (1, 2, 5, 10, 20)),
    *(_gaussian(sigma, rtol=1e-3) for sigma in (10, 20, 40)),
    SOBEL,
    LAPLACE,
    _mean(BOX),
)
#: What is done to small images.
SMALL: tuple[Filtered, ...] = (
    _kernel(3), _kernel(5), SOBEL, LAPLACE, _gaussian(0.8), _gaussian(1.5), _mean(3),
)  # fmt: skip


def filter_rows(
    dtype: str, shapes: tuple[tuple[int, int], ...], what: tuple[Filtered, ...]
) -> Callable[[Profile], Iterator[Row]]:
    """Return the rows of images of one dtype."""

    def rows(profile: Profile) -> Iterator[Row]:
        taken = [each for each in what if dtype != "uint8" or each.rtol is None]
        for shape in shapes:
            x = np.random.default_rng(1).random(shape, np.float32)
            x = (x * 255.99).astype(np.uint8) if dtype == "uint8" else x
            place = f" of {shape[0]}×{shape[1]}" if len(shapes) > 1 else ""
            for each in taken[::3] if profile.quick else taken:
                result = np.dtype(each.narrow if dtype == "uint8" else dtype)
                yield Row(
                    f"{each.label}{place} → {result}",
                    x.size * each.products,
                    _contenders(each, x, result),
                    _checker(each, x),
                    size=x.nbytes + x.size * result.itemsize,
                )

    return rows


def _contenders(
    each: Filtered, x: np.ndarray, result: np.dtype
) -> Mapping[str, Callable[[], np.ndarray]]:
    fills: dict[str, Fill] = {OURS: each.ours, NDIMAGE: each.ndimage}
    if importlib.util.find_spec("cv2") is not None:
        cv2: Any = importlib.import_module("cv2")
        cv2.setNumThreads(COUNT)
        depths = {"float32": cv2.CV_32F, "int16": cv2.CV_16S, "uint8": cv2.CV_8U}
        fills[OPENCV] = partial(each.opencv, cv2, depths[str(result)])
    return {
        name: partial(_filled, fill, x, np.zeros(x.shape, result)) for name, fill in fills.items()
    }


def _filled(fill: Fill, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    fill(x, y)
    return y


def _checker(each: Filtered, x: np.ndarray) -> Callable[[str, np.ndarray], None]:
    """Return the check against ndimage in float64.

    Results of 8 bits may differ by two: ndimage cuts off fractions after each pass, and OpenCV
    rounds its weights to 8 bits.
    """
    expected = np.empty(x.shape)
    each.ndimage(x.astype(np.float64), expected)

    def check(name: str, y: np.ndarray) -> None:
        allowed = {"uint8": 2, "int16": 0}.get(str(y.dtype), each.rtol or 1e-5)
        found = float(np.abs(y - expected).max())
        if not found <= allowed:
            raise WrongResultError(f"{each.label}: {name} differs by {found:.3g}, not {allowed}")

    return check


def _beside(
    label: str,
    title: str,
    rows: Callable[[Profile], Iterator[Row]],
    opencv: float,
    ndimage: float,
) -> Comparison:
    goals = Goal((OPENCV,), mean=opencv, each=1.0), Goal((NDIMAGE,), mean=ndimage)
    return Comparison(label, title, OURS, rows, goals)


def _large(dtype: str, opencv: float, ndimage: float) -> Comparison:
    title = f"Filters of {dtype} images, {SIZE}²"
    rows = filter_rows(dtype, ((SIZE, SIZE),), FILTERS)
    return _beside(dtype, title, rows, opencv, ndimage)


def _small(dtype: str, opencv: float, ndimage: float) -> Comparison:
    title = f"Filters of {dtype} images of the size of screens and thumbnails"
    return _beside(f"small-{dtype}", title, filter_rows(dtype, SCREENS, SMALL), opencv, ndimage)


#: The goals are those of separable kernels and of narrow integers.
FILTER_CLASSES: tuple[Comparison, ...] = (
    _large("float32", 1.5, 20.0),
    _large("uint8", 1.0, 20.0),
    _small("float32", 1.3, 3.0),
    _small("uint8", 1.3, 3.0),
)
