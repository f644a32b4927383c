"""python -m benchmarks pipelines: common calls of other packages, plain and patched.

Each call is made of a package that calls SciPy's or astropy's functions. Its results with pyconv's
functions in their place are compared with those without. Then both are timed in turn, on one
thread.
"""

import importlib
import importlib.metadata
import importlib.util
import math
import time
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, NamedTuple

import numpy as np

import pyconv
from benchmarks.speed import WrongResultError
from benchmarks.table import Table
from benchmarks.timing import clock
from pyconv._engine.machine import cpu_name
from pyconv._patching import ledger

#: Turns of both, and seconds after which no other turn begins.
LEAST, MOST, SECONDS = 3, 30, 6.0
#: The part by which numbers of results may differ, of the largest of them.
CLOSE = 1e-6


class Pipeline(NamedTuple):
    """A call of another package."""

    package: str
    words: str
    #: Returns the call with its data.
    prepare: Callable[[], Callable[[], Any]]
    close: float = CLOSE


def _of(module: str) -> Any:
    return importlib.import_module(module)


def _camera() -> np.ndarray:
    return _of("skimage.util").img_as_float(_of("skimage.data").camera())


def _canny() -> Callable[[], Any]:
    function, image = _of("skimage.feature").canny, _camera()
    return lambda: function(image, sigma=2)


def _blob_log() -> Callable[[], Any]:
    function, image = _of("skimage.feature").blob_log, _camera()[:256, :256]
    return lambda: function(image, max_sigma=15, num_sigma=8, threshold=0.1)


def _corner_harris() -> Callable[[], Any]:
    function, image = _of("skimage.feature").corner_harris, _camera()
    return lambda: function(image, sigma=1.5)


def _richardson_lucy() -> Callable[[], Any]:
    function, image = _of("skimage.restoration").richardson_lucy, _camera()
    psf = np.outer(np.hanning(11)[1:-1], np.hanning(13)[1:-1])
    psf /= psf.sum()
    return lambda: function(image, psf, num_iter=10)


def _slic() -> Callable[[], Any]:
    function, image = _of("skimage.segmentation").slic, _camera()
    colours = np.stack([image, image**2, np.sqrt(image)], axis=-1)
    return lambda: function(colours, n_segments=250, sigma=1.0)


def _optical_flow() -> Callable[[], Any]:
    function, image = _of("skimage.registration").optical_flow_tvl1, _camera()[:128, :128]
    moved = np.roll(image, 2, axis=1)
    return lambda: function(image, moved, num_warp=3)


def _unsharp_mask() -> Callable[[], Any]:
    function, image = _of("skimage.filters").unsharp_mask, _camera()
    return lambda: function(image, radius=5, amount=1.5)


def _sky() -> np.ndarray:
    return _of("photutils.datasets").make_100gaussians_image()


def _background() -> Callable[[], Any]:
    function, image = _of("photutils.background").Background2D, _sky()
    return lambda: function(image, (50, 50), filter_size=(3, 3)).background


def _detection() -> Callable[[], Any]:
    function, image = _of("photutils.detection").DAOStarFinder, _sky()
    image = image - np.median(image)

    def call() -> Any:
        table = function(threshold=30.0, fwhm=4.0)(image)
        return np.column_stack([np.asarray(table[name]) for name in table.colnames[1:3]])

    return call


def _locate() -> Callable[[], Any]:
    trackpy = _of("trackpy")
    trackpy.quiet()
    rng = np.random.default_rng(6)
    frame = np.zeros((512, 512))
    frame[tuple(rng.integers(10, 500, (2, 300)))] = 9000.0
    frame = _of("scipy.ndimage").gaussian_filter(frame, 2.0) + rng.random(frame.shape)
    image = frame.astype(np.uint8)
    return lambda: np.asarray(trackpy.locate(image, 11, engine="python"))


def _convolve() -> Callable[[], Any]:
    convolution, image = _of("astropy.convolution"), _sky()
    image[np.random.default_rng(2).random(image.shape) < 0.02] = np.nan
    kernel = convolution.Gaussian2DKernel(2)
    # Asked of the module each time, as the name that is replaced.
    return lambda: convolution.convolve(image, kernel)


PIPELINES = (
    Pipeline("scikit-image", "canny(512², sigma=2)", _canny),
    Pipeline("scikit-image", "blob_log(256², 8 scales)", _blob_log),
    Pipeline("scikit-image", "corner_harris(512²)", _corner_harris),
    Pipeline("scikit-image", "richardson_lucy(512², 9×11, 10 times)", _richardson_lucy),
    Pipeline("scikit-image", "slic(512²×3, 250 segments)", _slic),
    # Iterations in single precision: a rounding grows.
    Pipeline("scikit-image", "optical_flow_tvl1(128²)", _optical_flow, close=1e-3),
    Pipeline("scikit-image", "unsharp_mask(512², radius=5)", _unsharp_mask),
    Pipeline("photutils", "Background2D(300×500)", _background),
    Pipeline("photutils", "DAOStarFinder(300×500)", _detection),
    Pipeline("trackpy", "locate(512², 11)", _locate),
    Pipeline("astropy", "convolve(300×500, 17×17, NaN)", _convolve),
)


def add_parser(commands: Any) -> None:
    """Add the command ``pipelines``."""
    parser = commands.add_parser(
        "pipelines",
        help="common calls of scikit-image, photutils and astropy, plain and patched",
        description="Compare and time calls of other packages with their own functions and with "
        "ours in their place, on one thread.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.add_argument("--only", action="append", metavar="WORD", help="calls with a word in them")
    parser.set_defaults(run=run)


def run(given: Any) -> int:
    """Print the table; return 1 for a result that differs."""
    chosen = [p for p in PIPELINES if any(w in p.words for w in given.only or [""])]
    try:
        return report(chosen, 1 if given.quick else LEAST, 1.0 if given.quick else SECONDS)
    except WrongResultError as error:
        print(f"wrong result: {error}")
        return 1


def report(pipelines: Iterable[Pipeline], least: int, seconds: float) -> int:
    """Compare, time and print."""
    pyconv.set_workers(1)
    print(f"{cpu_name()}, {date.today():%d %B %Y}, one thread\n")
    table = Table("package", "call", "plain ms", "patched ms", "plain ÷ patched", "calls of ours")
    for each in pipelines:
        try:
            call = each.prepare()
        except ImportError as error:
            print(f"left out: {each.words}: {error}")
            continue
        plain = call()
        tally = ledger.Tally()
        with Both():
            ledger.keep(tally)
            patched = call()
            ledger.drop(tally)
        check(each, plain, patched)
        times = timed(call, least, seconds)
        ours = sum(count for (_, why), (count, _) in tally.entries.items() if not why)
        ratio = times[False] / times[True]
        version = importlib.metadata.version(each.package)
        table.row(
            f"{each.package} {version}", each.words, f"{1e3 * times[False]:.2f}",
            f"{1e3 * times[True]:.2f}", f"{ratio:.2f}", str(ours),
        )  # fmt: skip
    return 0


class Both:
    """SciPy and astropy patched."""

    def __enter__(self) -> None:
        self.patches = [pyconv.patch_scipy()]
        if importlib.util.find_spec("astropy"):
            self.patches.append(pyconv.patch_astropy())

    def __exit__(self, *reason: object) -> None:
        pyconv.unpatch_scipy()
        pyconv.unpatch_astropy()


def timed(call: Callable[[], Any], least: int, seconds: float) -> dict[bool, float]:
    """Return the least seconds of a call, plain and patched, sampled in turn."""
    best, begun = {False: math.inf, True: math.inf}, time.perf_counter()
    for turn in range(MOST):
        if turn >= least and time.perf_counter() - begun > seconds:
            break
        for patched in (False, True) if turn % 2 else (True, False):
            if patched:
                with Both():
                    best[True] = min(best[True], _once(call))
            else:
                best[False] = min(best[False], _once(call))
    return best


def _once(call: Callable[[], Any]) -> float:
    call()
    begun = clock()
    call()
    return clock() - begun


def check(pipeline: Pipeline, plain: Any, patched: Any) -> None:
    """Raise WrongResultError for results that differ by more than a rounding."""
    a, b = np.asarray(plain), np.asarray(patched)
    same = a.shape == b.shape and a.dtype == b.dtype
    if same and a.dtype.kind == "f":
        scale = float(np.nanmax(np.abs(a), initial=0.0))
        same = np.allclose(a, b, rtol=0, atol=pipeline.close * scale, equal_nan=True)
    elif same:
        # Labels and truth values may turn where a rounding decides.
        same = bool(np.mean(a != b) <= pipeline.close)
    if not same:
        raise WrongResultError(f"{pipeline.words}: the patched call gives another result")
