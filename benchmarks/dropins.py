"""DROPIN_CLASSES: SciPy's functions beside those of `pyconv.ndimage` that take their place."""

import importlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.ndimage

import pyconv.ndimage
from benchmarks.peers import Peer
from benchmarks.speed import Comparison, Goal, Profile, Row, WrongResultError
from benchmarks.threads import COUNT

OURS, SCIPYS, OPENCVS = "pyconv.ndimage", "scipy.ndimage", "OpenCV"
#: Roundings of float32 by which a result may differ, of the greatest value.
EPSILONS = 64
GAUSSIAN_SIGMAS = (1, 2, 4)

#: Names of functions, their arguments for images and volumes, and multiplications of an output.
CALLS: tuple[tuple[str, Callable[[int], tuple[Any, ...]], Callable[[int], int]], ...] = (
    *(
        ("gaussian_filter", lambda n, s=s: (s,), lambda n, s=s: n * (8 * s + 1))
        for s in GAUSSIAN_SIGMAS
    ),
    ("gaussian_laplace", lambda n: (2,), lambda n: n * n * 17),
    ("gaussian_gradient_magnitude", lambda n: (2,), lambda n: n * n * 17),
    ("laplace", lambda n: (), lambda n: 3 * n),
    ("prewitt", lambda n: (), lambda n: 3 * n),
    ("sobel", lambda n: (), lambda n: 3 * n),
    ("uniform_filter", lambda n: (5,), lambda n: n),
    ("uniform_filter", lambda n: (9,), lambda n: n),
    ("correlate", lambda n: (_kernel(n),), lambda n: _kernel(n).size),
)


def _kernel(ndim: int) -> np.ndarray:
    """Return weights of no low rank that are not whole, 5 × 5 or 3 × 3 × 3."""
    return np.random.default_rng(5).random((5, 5) if ndim == 2 else (3, 3, 3))


def beside_scipy(dtype: str, ndim: int) -> Callable[[Profile], Iterator[Row]]:
    """Return the rows of images of 2048² or volumes of 128³."""

    def rows(profile: Profile) -> Iterator[Row]:
        size = {2: 512 if profile.quick else 2048, 3: 64 if profile.quick else 128}[ndim]
        x = (np.random.default_rng(4).random((size,) * ndim) * 255).astype(dtype)
        for name, arguments, products in CALLS:
            args = arguments(ndim)
            contenders = {
                OURS: _bound(pyconv.ndimage, name, x, args),
                SCIPYS: _bound(scipy.ndimage, name, x, args),
            }
            if name == "gaussian_filter" and ndim == 2:
                contenders |= _opencv(x, args[0])
            shown = ", ".join(str(a) for a in args if np.isscalar(a))
            label = f"{name}({shown})" if shown or not args else f"{name} k={args[0].shape[0]}"
            check = _checker(label, x, contenders[SCIPYS]())
            yield Row(f"{label} {dtype} {size}^{ndim}", products(ndim) * x.size, contenders,
                      check, size=2 * x.nbytes)  # fmt: skip

    return rows


def _bound(module: Any, name: str, x: np.ndarray, args: tuple[Any, ...]) -> Any:
    """Return a call that fills one array."""
    function, y = getattr(module, name), np.empty_like(x)

    def call() -> np.ndarray:
        function(x, *args, output=y)
        return y

    return call


def _opencv(x: np.ndarray, sigma: int) -> dict[str, Any]:
    """Return OpenCV's filter of the same size, where it is installed."""
    if not any(peer.version() for peer in DROPIN_PEERS):
        return {}
    cv2 = importlib.import_module("cv2")
    cv2.setNumThreads(COUNT)
    k, y = 8 * sigma + 1, np.empty_like(x)
    return {
        OPENCVS: lambda: cv2.GaussianBlur(x, (k, k), sigma, dst=y, borderType=cv2.BORDER_REFLECT)
    }


def _checker(label: str, x: np.ndarray, scipys: np.ndarray) -> Callable[[str, np.ndarray], None]:
    expected = scipys.astype(np.float64)
    scale = float(np.abs(expected).max())

    def check(name: str, y: np.ndarray) -> None:
        found = float(np.abs(y - expected).max())
        if x.dtype.kind == "u":  # SciPy cuts after each pass, OpenCV rounds at the end
            allowed = 0.0 if name == OURS else 3.0
        else:
            allowed = EPSILONS * float(np.finfo(x.dtype).eps) * max(scale, 255.0)
        if not found <= allowed or math.isnan(found):
            raise WrongResultError(
                f"{label}: {name} differs by {found:.3g}, more than {allowed:.3g}"
            )

    return check


def _class(name: str, title: str, dtype: str, ndim: int) -> Comparison:
    beside = (Goal((OPENCVS,), each=1.0),) if (dtype, ndim) == ("float32", 2) else ()
    goals = (Goal((SCIPYS,), mean=10.0, each=10.0), *beside)
    return Comparison(name, title, OURS, beside_scipy(dtype, ndim), goals)


DROPIN_CLASSES = (
    _class("ndimage", "Filters of float32 images", "float32", 2),
    _class("ndimage-uint8", "Filters of uint8 images", "uint8", 2),
    _class("ndimage-3d", "Filters of float32 volumes", "float32", 3),
    _class("ndimage-uint8-3d", "Filters of uint8 volumes", "uint8", 3),
)
DROPIN_PEERS = (Peer(OPENCVS, "cv2", "opencv-python-headless", _opencv),)
