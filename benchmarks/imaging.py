"""IMAGING_CLASSES: filters of images and volumes beside DIPlib, SimpleITK and libvips, and long
convolutions by the transforms of ducc0 and MKL.

All read the samples at the edge again and again outside (``nearest``), the one rule that the three
have in common, end a Gaussian at four standard deviations, and make their results themselves. What
they read lies in arrays or images of their own before they are timed. Settings:

    DIPlib      SetNumberOfThreads; "zero order"; GaussFIR, Uniform and GeneralConvolution in single
                precision; no 8-bit rows, as their results are of single precision
    SimpleITK   SetGlobalDefaultNumberOfThreads; zero-flux Neumann; Mean (BoxMean leaves out
                what lies outside, which is another result); Convolution, of 8-bit images none;
                SmoothingRecursiveGaussian beside a Gaussian of ours within `RECURSIVE`. Its
                DiscreteGaussian samples no Gaussian (it differs by 0.008 at σ = 2), and has no row
    libvips     VIPS_CONCURRENCY; edges are copied; no cache of operations; conv and convsep, by
                floating-point weights for float32, and by integers for 8 bits (its vector path),
                within `NARROW`; two dimensions
    ducc0, MKL  overlap-save by real transforms of a power of two, the fastest of `BLOCKS` times the
                taps, which is found beforehand; ``nthreads``, and MKL_NUM_THREADS

A contender whose result is not ours within the bound is left out of the row, which says so.
"""

import importlib
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.ndimage
import scipy.signal

import pyconv
from benchmarks import threads
from benchmarks.cases import gaussian
from benchmarks.peers import Call, Peer
from benchmarks.speed import Comparison, Goal, Profile, Row, WrongResultError
from benchmarks.timing import Effort, interleaved_minima
from pyconv import filters

OURS, NDIMAGE = "pyconv", "ndimage"
DIPLIB, ITK, VIPS = "DIPlib", "SimpleITK", "libvips"
OACONVOLVE, DUCC, MKL = "signal.oaconvolve", "ducc0", "mkl_fft"
#: What a result may differ by, of samples up to 1: float32, and a recursive Gaussian.
SINGLE, RECURSIVE = 1e-5, 2e-3
#: Of samples up to 255, those of 8 bits: libvips' weights have 8 bits, ndimage cuts fractions.
NARROW = 3.0
#: libvips' means of so many samples along an axis are one pass: two would round twice.
SMALL = 5
#: A transform is one of so many times as long as the taps, at least.
BLOCKS = 2, 4, 8, 16, 32

#: Binds a job to an array: returns the call, or None where the peer has no such job.
Bind = Callable[["Job", np.ndarray], Call | None]


class Job(NamedTuple):
    """A filter along all axes, by its kind and what there is to say about its size."""

    kind: str
    #: Standard deviation, or the width of a mean or of a kernel.
    size: int
    #: The error that is granted to ours.
    rtol: float | None = None

    @property
    def label(self) -> str:
        """The name in the table."""
        words = {"gaussian": "Gaussian, σ =", "mean": "mean,", "kernel": "kernel,"}
        granted = "" if self.rtol is None else f", rtol = {self.rtol:g}"
        return f"{words[self.kind]} {self.size}{granted}"

    def products(self, ndim: int) -> int:
        """The multiplications of an output: by passes, but for a kernel that is no product."""
        if self.kind == "kernel":
            return int(self.size**ndim)
        return ndim * (8 * self.size + 1 if self.kind == "gaussian" else self.size)

    def weights(self, ndim: int) -> np.ndarray:
        """Return the weights of a mean, or of a kernel of no low rank; their sum is 1."""
        if self.kind == "mean":
            return np.full((self.size,) * ndim, 1 / self.size**ndim, np.float32)
        w = np.random.default_rng(self.size).random((self.size,) * ndim, np.float32)
        return w / w.sum()

    def line(self) -> np.ndarray:
        """Return the weights along one axis of a Gaussian or a mean."""
        if self.kind == "mean":
            return np.full(self.size, 1 / self.size)
        return gaussian((8 * self.size + 1,))


# ---- the contenders ---------------------------------------------------------------------------


def _ours(job: Job, x: np.ndarray) -> Call:
    options: dict[str, Any] = {"boundary": "nearest", "workers": threads.COUNT}
    if job.kind == "kernel":
        w = job.weights(x.ndim)
        narrow = {"dtype": x.dtype, "overflow": "saturate"} if x.dtype.kind == "u" else {}
        return lambda: pyconv.convolve(x, w, "same", **options, **narrow)
    options |= {"axes": tuple(range(x.ndim)), "dtype": x.dtype}
    if job.kind == "mean":
        return lambda: filters.box(x, job.size, **options)
    return lambda: filters.gaussian(x, job.size, rtol=job.rtol, **options)


def _ndimage(job: Job, x: np.ndarray) -> Call:
    if job.kind == "kernel":
        return partial(scipy.ndimage.convolve, x, job.weights(x.ndim), mode="nearest")
    if job.kind == "mean":
        return partial(scipy.ndimage.uniform_filter, x, job.size, mode="nearest")
    return partial(scipy.ndimage.gaussian_filter, x, job.size, mode="nearest")


def _diplib(job: Job, x: np.ndarray) -> Call | None:
    if x.dtype.kind == "u":
        return None
    dip: Any = importlib.import_module("diplib")
    dip.SetNumberOfThreads(threads.COUNT)
    image, edge = dip.Image(x, None), ["zero order"]
    if job.kind == "kernel":
        w = dip.Image(job.weights(x.ndim), None)
        return lambda: np.asarray(dip.GeneralConvolution(image, w, boundaryCondition=edge))
    if job.kind == "mean":
        window = dip.Kernel([job.size] * x.ndim, "rectangular")
        return lambda: np.asarray(dip.Uniform(image, window, boundaryCondition=edge))
    sigmas = [float(job.size)]
    return lambda: np.asarray(dip.GaussFIR(image, sigmas, boundaryCondition=edge, truncation=4.0))


def _itk(job: Job, x: np.ndarray) -> Call | None:
    if job.kind == "gaussian" and job.rtol is None:
        return None
    if job.kind == "kernel" and x.dtype.kind == "u":  # its kernels have the dtype of the image
        return None
    sitk: Any = importlib.import_module("SimpleITK")
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads.COUNT)
    image, view = sitk.GetImageFromArray(x), sitk.GetArrayViewFromImage
    if job.kind == "gaussian":
        run: Callable[[], Any] = partial(sitk.SmoothingRecursiveGaussian, image, float(job.size))
    elif job.kind == "mean":
        run = partial(sitk.Mean, image, [job.size // 2] * x.ndim)
    else:
        w, filter_ = sitk.GetImageFromArray(job.weights(x.ndim)), sitk.ConvolutionImageFilter
        edge, extent = filter_.ZERO_FLUX_NEUMANN_PAD, filter_.SAME
        run = partial(sitk.Convolution, image, w, False, edge, extent)
    kept: list[Any] = []

    def call() -> np.ndarray:
        kept[:] = [run()]  # its view does not keep it
        return np.asarray(view(kept[0]))

    return call


def _vips(job: Job, x: np.ndarray) -> Call | None:
    if x.ndim != 2:
        return None
    pyvips: Any = importlib.import_module("pyvips")
    pyvips.cache_set_max(0)
    image = pyvips.Image.new_from_array(x)
    separable = job.kind == "gaussian" or (job.kind == "mean" and job.size > SMALL)
    w = job.line()[np.newaxis] if separable else np.flip(job.weights(2)).astype(np.float64)
    precision, scale = "float", 1.0
    if x.dtype.kind == "u":
        w = np.round(w * ((1 if job.kind == "mean" else 256) / w.max()))
        precision, scale = "integer", float(w.sum())
    mask = pyvips.Image.new_from_array(w.tolist(), scale=scale)
    convolve = image.convsep if separable else image.conv

    def call() -> np.ndarray:
        written = convolve(mask, precision=precision).write_to_memory()
        return np.frombuffer(written, x.dtype).reshape(x.shape)

    return call


IMAGING_PEERS: tuple[Peer[Bind], ...] = (
    Peer(DIPLIB, "diplib", "diplib", _diplib),
    Peer(ITK, "SimpleITK", "SimpleITK", _itk),
    Peer(VIPS, "pyvips", "pyvips", _vips),
    Peer(NDIMAGE, "scipy.ndimage", "scipy", _ndimage),
)


# ---- rows -------------------------------------------------------------------------------------

_GAUSSIANS = Job("gaussian", 2), Job("gaussian", 10)
FLAT = (
    *_GAUSSIANS, Job("gaussian", 10, 1e-3), Job("mean", 3), Job("mean", 31), Job("kernel", 5),
    Job("kernel", 11),
)  # fmt: skip
NARROW_FLAT = *_GAUSSIANS, Job("mean", 3), Job("mean", 31), Job("kernel", 3), Job("kernel", 5)
DEEP = Job("gaussian", 2), Job("gaussian", 4, 1e-3), Job("mean", 5), Job("kernel", 3)
NARROW_DEEP = Job("gaussian", 2), Job("mean", 5), Job("kernel", 3)


def imaging_rows(dtype: str, ndim: int, jobs: tuple[Job, ...]) -> Callable[..., Iterator[Row]]:
    """Return the rows of images or volumes of one dtype."""

    def rows(profile: Profile) -> Iterator[Row]:
        size = {2: 512 if profile.quick else 2048, 3: 48 if profile.quick else 128}[ndim]
        x = np.random.default_rng(7).random((size,) * ndim, np.float32)
        x = (x * 255.99).astype(np.uint8) if dtype == "uint8" else x
        for job in jobs:
            check = _checker(job, x)
            calls = {OURS: _ours(job, x)}
            for peer in IMAGING_PEERS:
                call = peer.bind(job, x) if peer.version() else None
                if call is not None:
                    calls[peer.name] = call
            yield agreeing(f"{job.label} {size}^{ndim}", job.products(ndim) * x.size, calls,
                           check, 2 * x.nbytes)  # fmt: skip

    return rows


def agreeing(
    label: str,
    products: int,
    calls: dict[str, Call],
    check: Callable[[str, np.ndarray], None],
    size: int,
) -> Row:
    """Return a row of ours and of the peers whose results are right; it names the others."""
    wrong = {}
    for name, call in calls.items():
        try:
            check(name, call())
        except WrongResultError as error:
            if name == OURS:
                raise
            wrong[name] = str(error)
    left = f" (left out: {'; '.join(wrong.values())})" if wrong else ""
    right = {name: call for name, call in calls.items() if name not in wrong}
    return Row(label + left, products, right, check, size=size)


def _checker(job: Job, x: np.ndarray) -> Callable[[str, np.ndarray], None]:
    """Return the check against ndimage in float64."""
    expected = _ndimage(job, x.astype(np.float64))()
    allowed = NARROW if x.dtype.kind == "u" else SINGLE if job.rtol is None else RECURSIVE

    def check(name: str, y: np.ndarray) -> None:
        compare(name, y, expected, allowed)

    return check


def compare(name: str, y: np.ndarray, expected: np.ndarray, allowed: float) -> None:
    """Raise WrongResultError where a result differs by more than is allowed."""
    if y.shape != expected.shape:
        raise WrongResultError(f"{name} has shape {y.shape}")
    found = float(np.abs(y - expected).max())
    if not found <= allowed:
        raise WrongResultError(f"{name} differs by {found:.2g}, not {allowed:g}")


# ---- long convolutions ------------------------------------------------------------------------


#: Transforms rows of a matrix, filled up by zeros to a length, or halves of spectra of it.
Transform = Callable[[np.ndarray, int], np.ndarray]


def overlap_save(
    x: np.ndarray, w: np.ndarray, n: int, there: Transform, back: Transform
) -> np.ndarray:
    """Return the convolution of the extent ``same`` by real transforms of length ``n``."""
    taps = w.size
    step = n - taps + 1
    blocks = -(-x.size // step)
    before = taps - 1 - (taps - 1) // 2
    padded = np.zeros(blocks * step + taps - 1, x.dtype)
    padded[before : before + x.size] = x
    frames = np.lib.stride_tricks.sliding_window_view(padded, n)[::step]
    spectra = there(np.ascontiguousarray(frames), n)
    spectra *= there(w[np.newaxis], n)
    return back(spectra, n)[:, taps - 1 :].reshape(-1)[: x.size]


def _fastest(x: np.ndarray, w: np.ndarray, there: Transform, back: Transform) -> Call:
    """Return the call with the length of transforms that takes least here."""
    calls = {
        str(times): partial(
            overlap_save, x, w, 1 << math.ceil(math.log2(times * w.size)), there, back
        )
        for times in BLOCKS
    }
    seconds = interleaved_minima(calls, Effort(0.05, 3))
    return calls[min(calls, key=seconds.__getitem__)]


def _ducc(x: np.ndarray, w: np.ndarray) -> Call:
    fft: Any = importlib.import_module("ducc0.fft")
    each = threads.COUNT

    def there(rows: np.ndarray, n: int) -> np.ndarray:
        if rows.shape[1] < n:
            rows = np.pad(rows, ((0, 0), (0, n - rows.shape[1])))
        return fft.r2c(rows, axes=(1,), nthreads=each)

    def back(spectra: np.ndarray, n: int) -> np.ndarray:
        return fft.c2r(spectra, axes=(1,), lastsize=n, inorm=2, forward=False, nthreads=each)

    return _fastest(x, w, there, back)


def _mkl(x: np.ndarray, w: np.ndarray) -> Call:
    fft: Any = importlib.import_module("mkl_fft")
    return _fastest(x, w, fft.rfft, fft.irfft)


TRANSFORM_PEERS: tuple[Peer[Callable[[np.ndarray, np.ndarray], Call]], ...] = (
    Peer(DUCC, "ducc0", "ducc0", _ducc),
    Peer(MKL, "mkl_fft", "mkl_fft", _mkl),
    Peer(OACONVOLVE, "scipy.signal", "scipy",
         lambda x, w: lambda: scipy.signal.oaconvolve(x, w, "same")),
)  # fmt: skip


def long_rows(profile: Profile) -> Iterator[Row]:
    """Yield convolutions of long signals by filters of many taps."""
    n = 10**5 if profile.quick else 2 * 10**6
    for dtype in ("float32", "float64"):
        rng = np.random.default_rng(8)
        x = rng.standard_normal(n).astype(dtype)
        for taps in (511, 4095, 32767):
            w = (rng.standard_normal(taps) / taps).astype(dtype)
            expected = scipy.signal.oaconvolve(x.astype(np.float64), w.astype(np.float64), "same")
            allowed = 64 * float(np.finfo(dtype).eps)
            calls: dict[str, Call] = {OURS: _convolution(x, w)}
            for peer in TRANSFORM_PEERS:
                if peer.version():
                    calls[peer.name] = peer.bind(x, w)
            check = partial(_compare_long, expected, allowed)
            yield agreeing(f"n={n} k={taps} {dtype}", n * taps, calls, check, 2 * x.nbytes)


def _convolution(x: np.ndarray, w: np.ndarray) -> Call:
    return lambda: pyconv.convolve(x, w, "same", workers=threads.COUNT)


def _compare_long(expected: np.ndarray, allowed: float, name: str, y: np.ndarray) -> None:
    compare(name, y, expected, allowed)


def _class(name: str, title: str, rows: Callable[..., Iterator[Row]], *peers: str) -> Comparison:
    return Comparison(name, title, OURS, rows, tuple(Goal((peer,), each=1.0) for peer in peers))


IMAGING_CLASSES = (
    _class("images", "Filters of float32 images beside imaging libraries",
           imaging_rows("float32", 2, FLAT), DIPLIB, ITK, VIPS),
    _class("images-uint8", "Filters of uint8 images beside imaging libraries",
           imaging_rows("uint8", 2, NARROW_FLAT), VIPS, ITK),
    _class("volumes", "Filters of float32 volumes beside imaging libraries",
           imaging_rows("float32", 3, DEEP), DIPLIB, ITK),
    _class("volumes-uint8", "Filters of uint8 volumes beside imaging libraries",
           imaging_rows("uint8", 3, NARROW_DEEP), ITK),
    _class("long", "Convolutions of long signals by transforms", long_rows, DUCC, MKL, OACONVOLVE),
)  # fmt: skip
