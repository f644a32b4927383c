"""PEERS: what users would call instead of pyconv, each bound to a case.

All compute on `threads.COUNT` threads.

To add a peer, write its bind function and add one line to PEERS.
"""

import importlib
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Generic, TypeVar

import numpy as np
import scipy.ndimage
import scipy.signal

from benchmarks import threads
from benchmarks.cases import NDIMAGE_MODES, Case

Call = Callable[[], np.ndarray]
#: Weights from which on anyone would take Fourier transforms.
MIN_TRANSFORMED = 200
#: Products from which on nobody would wait for a loop that is not tuned.
MAX_PLAIN = 3e8
#: Returns the call that solves a case, into ``out`` where the peer can, or None if the peer
#: has no such problem.
Bind = Callable[[Case, np.ndarray, np.ndarray, np.ndarray | None], Call | None]
#: What binds a peer to a problem: `Bind`, or that of another kind of problem.
B = TypeVar("B", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Peer(Generic[B]):
    """A function of another library."""

    name: str
    #: What ``import`` and the package index call the library.
    module: str
    distribution: str
    bind: B

    def version(self) -> str | None:
        """Return the installed version, None where the peer is not installed."""
        try:
            importlib.import_module(self.module)
            return importlib.metadata.version(self.distribution)
        except (ImportError, importlib.metadata.PackageNotFoundError):
            return None


def _zero_extended(case: Case) -> bool:
    return case.dense and case.boundary == "constant" and case.x_dtype == case.w_dtype


def _numpy(case: Case, x: np.ndarray, w: np.ndarray, out: np.ndarray | None) -> Call | None:
    if not (_zero_extended(case) and x.ndim == 1):
        return None
    return lambda: np.correlate(x, w, "same")


def _signal(case: Case, x: np.ndarray, w: np.ndarray, out: np.ndarray | None) -> Call | None:
    if not (_zero_extended(case) and x.ndim == w.ndim):
        return None
    return lambda: scipy.signal.correlate(x, w, "same")


def _oaconvolve(case: Case, x: np.ndarray, w: np.ndarray, out: np.ndarray | None) -> Call | None:
    large = w.size >= MIN_TRANSFORMED
    if not (large and _zero_extended(case) and x.ndim == w.ndim):
        return None
    flipped = np.flip(w)
    return lambda: scipy.signal.oaconvolve(x, flipped, "same")


def _ndimage1d(case: Case, x: np.ndarray, w: np.ndarray, out: np.ndarray | None) -> Call | None:
    if not (case.dense and w.ndim == 1):
        return None
    mode = NDIMAGE_MODES[case.boundary]
    output = case.result_dtype if out is None else out
    return lambda: _result(scipy.ndimage.correlate1d(x, w, -1, output, mode), out)


def _ndimage(case: Case, x: np.ndarray, w: np.ndarray, out: np.ndarray | None) -> Call | None:
    if not case.dense or w.ndim == 1:
        return None
    mode = NDIMAGE_MODES[case.boundary]
    output = case.result_dtype if out is None else out
    weights = w.reshape((1,) * (x.ndim - w.ndim) + w.shape)
    return lambda: _result(scipy.ndimage.correlate(x, weights, output, mode), out)


def _result(y: np.ndarray | None, out: np.ndarray | None) -> np.ndarray:
    """Return what a call of ndimage has made: it returns None where it was given an array."""
    if y is not None:
        return y
    assert out is not None
    return out


def _opencv(case: Case, x: np.ndarray, w: np.ndarray, out: np.ndarray | None) -> Call | None:
    if not (case.dense and x.ndim == w.ndim == 2):
        return None
    cv2: ModuleType = importlib.import_module("cv2")
    borders = {
        "constant": cv2.BORDER_CONSTANT,
        "nearest": cv2.BORDER_REPLICATE,
        "symmetric": cv2.BORDER_REFLECT,
        "mirror": cv2.BORDER_REFLECT_101,
    }
    depths = {"float32": cv2.CV_32F, "float64": cv2.CV_64F}
    depth, border = depths.get(str(case.result_dtype)), borders.get(case.boundary)
    if depth is None or border is None:
        return None
    cv2.setNumThreads(threads.COUNT)
    return lambda: cv2.filter2D(x, depth, w, dst=out, borderType=border)


def _torch(case: Case, x: np.ndarray, w: np.ndarray, out: np.ndarray | None) -> Call | None:
    modes = {"mirror": "reflect", "nearest": "replicate", "wrap": "circular"}
    mode = modes.get(case.boundary)
    same = case.dense and case.x_dtype == case.w_dtype and x.ndim == w.ndim
    if not same or (mode is None and case.boundary != "constant"):
        return None
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(threads.COUNT)
    functional = torch.nn.functional
    conv = getattr(functional, f"conv{w.ndim}d")
    image, kernel = (torch.from_numpy(a)[None, None] for a in (x, w))
    sides = [k // 2 for k in w.shape]
    if mode is None:
        return lambda: conv(image, kernel, padding=sides)[0, 0].numpy()
    pads = [side for side in reversed(sides) for _ in range(2)]
    return lambda: conv(functional.pad(image, pads, mode), kernel)[0, 0].numpy()


def _astropy(case: Case, x: np.ndarray, w: np.ndarray, out: np.ndarray | None) -> Call | None:
    boundary = {"constant": "fill", "nearest": "extend", "wrap": "wrap"}.get(case.boundary)
    if not case.dense or x.ndim != w.ndim or boundary is None or case.products > MAX_PLAIN:
        return None
    convolution: Any = importlib.import_module("astropy.convolution")
    options = {"normalize_kernel": False, "nan_treatment": "fill", "boundary": boundary}
    flipped = np.flip(w)
    return lambda: convolution.convolve(x, flipped, **options)


def _skimage(case: Case, x: np.ndarray, w: np.ndarray, out: np.ndarray | None) -> Call | None:
    floats = case.dense and case.x_dtype == case.w_dtype and x.ndim == w.ndim
    if not floats or w.ndim == 1 or case.products > MAX_PLAIN:
        return None
    filters: Any = importlib.import_module("skimage.filters")
    mode = NDIMAGE_MODES[case.boundary]
    return lambda: filters.correlate_sparse(x, w, mode)


def _numba(case: Case, x: np.ndarray, w: np.ndarray, out: np.ndarray | None) -> Call | None:
    if not case.dense or x.ndim != w.ndim or case.products > MAX_PLAIN:
        return None
    loop = importlib.import_module("benchmarks.numba_loop").loop(parallel=threads.COUNT > 1)
    y = np.empty(case.y_shape, case.result_dtype) if out is None else out
    one = (1,) * (3 - w.ndim)
    pads = [(k // 2, k // 2) for k in w.shape]
    rule = {"nearest": "edge", "mirror": "reflect"}.get(case.boundary, case.boundary)
    weights = w.reshape(one + w.shape)

    def run() -> np.ndarray:
        padded: np.ndarray = np.pad(x, pads, rule)  # type: ignore[call-overload]
        loop(padded.reshape(one + padded.shape), weights, y.reshape(one + y.shape))
        return y

    return run


PEERS: tuple[Peer[Bind], ...] = (
    Peer("OpenCV", "cv2", "opencv-python-headless", _opencv),
    Peer("np.correlate", "numpy", "numpy", _numpy),
    Peer("signal.correlate", "scipy.signal", "scipy", _signal),
    Peer("signal.oaconvolve", "scipy.signal", "scipy", _oaconvolve),
    Peer("ndimage.correlate1d", "scipy.ndimage", "scipy", _ndimage1d),
    Peer("ndimage.correlate", "scipy.ndimage", "scipy", _ndimage),
    Peer("torch", "torch", "torch", _torch),
    Peer("astropy", "astropy.convolution", "astropy", _astropy),
    Peer("scikit-image", "skimage.filters", "scikit-image", _skimage),
    Peer("numba", "numba", "numba", _numba),
)

#: Peers' sums may go through a Fourier transform, whose error is not that of a plain sum.
PEER_EPSILONS = 64


def installed(peers: tuple[Peer[B], ...]) -> tuple[Peer[B], ...]:
    """Return the peers that can be imported here."""
    return tuple(p for p in peers if p.version() is not None)
