"""FIR_CLASSES: SciPy's FIR filters and resampling beside those of `pyconv.signal`, and soxr's."""

import functools
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.ndimage
import scipy.signal

import pyconv
import pyconv.signal
from benchmarks.peers import Peer
from benchmarks.speed import Comparison, Goal, Profile, Row, WrongResultError
from benchmarks.threads import COUNT

OURS, SCIPYS, SOXRS = "pyconv.signal", "scipy.signal", "soxr"
EACH, NDIMAGES = "pyconv", "scipy.ndimage"
#: Roundings of the greatest value by which a result may differ from SciPy's.
EPSILONS = 256
#: What soxr's filter may leave of, or add to, tones of at most half the lowest Nyquist frequency.
SOXR_ERROR = 1e-3
#: Decibels of soxr's stop band at its quality HQ (20 bits), and the part of the Nyquist frequency
#: at which its pass band ends.
STOP, PASSED = 120.0, 0.913


def _lines(profile: Profile, dtype: str) -> np.ndarray:
    """Return 64 lines of tones of up to half the Nyquist frequency of the slowest rate."""
    n = 20_000 if profile.quick else 100_000
    rng = np.random.default_rng(21)
    t = np.arange(n)
    tones = np.zeros((64, n))
    for _ in range(5):
        tones += np.sin(np.outer(rng.uniform(0.01, 0.2, 64), t) + rng.uniform(0, 6, (64, 1)))
    return tones.astype(dtype)


def _row(
    label: str,
    x: np.ndarray,
    products: int,
    call: Callable[[Any], np.ndarray],
    others: dict[str, Callable[[], np.ndarray]] | None = None,
) -> Row:
    pyconv.set_workers(COUNT)
    contenders = {
        OURS: functools.partial(call, pyconv.signal),
        SCIPYS: functools.partial(call, scipy.signal),
        **(others or {}),
    }
    expected = contenders[SCIPYS]().astype(np.float64)
    scale = float(np.abs(expected).max())

    def check(name: str, y: np.ndarray) -> None:
        allowed = EPSILONS * float(np.finfo(y.dtype).eps) * scale
        inner: Any = slice(None)
        if name == SOXRS:  # its ends are its own, and it takes channels last
            allowed, inner = SOXR_ERROR * scale, (slice(None), slice(2000, 3000))
            y = y.T
        if y.shape[:1] != expected.shape[:1]:
            raise WrongResultError(f"{label}: {name} has shape {y.shape}")
        found = float(np.abs(y[inner] - expected[inner]).max())
        if not found <= allowed:
            raise WrongResultError(
                f"{label}: {name} differs by {found:.3g}, more than {allowed:.3g}"
            )

    return Row(f"{label} {x.dtype} {x.shape}", products, contenders, check, size=2 * x.nbytes)


def filters(dtype: str) -> Callable[[Profile], Iterator[Row]]:
    """Return the rows of filters without a rate."""

    def rows(profile: Profile) -> Iterator[Row]:
        x = _lines(profile, dtype)
        one = np.ones(1, dtype)
        for axis, source in ((-1, x), (0, np.ascontiguousarray(x.T))):
            for taps in (31, 101, 501):
                b = scipy.signal.firwin(taps, 0.3).astype(dtype)
                yield _row(f"lfilter k={taps} axis={axis}", source, taps * x.size,
                           lambda m, b=b, x=source, a=axis: m.lfilter(b, one, x, a))  # fmt: skip
        b = scipy.signal.firwin(101, 0.3).astype(dtype)
        yield _row("filtfilt k=101", x, 202 * x.size, lambda m: m.filtfilt(b, one, x))

    return rows


def savgol(dtype: str) -> Callable[[Profile], Iterator[Row]]:
    """Return the rows of Savitzky-Golay filters."""

    def rows(profile: Profile) -> Iterator[Row]:
        x = _lines(profile, dtype)
        for axis, source in ((-1, x), (0, np.ascontiguousarray(x.T))):
            for taps in (31, 101):
                yield _row(f"savgol_filter k={taps} axis={axis}", source, taps * x.size,
                           lambda m, k=taps, x=source, a=axis: m.savgol_filter(x, k, 3, axis=a)
                           )  # fmt: skip

    return rows


def rates(dtype: str) -> Callable[[Profile], Iterator[Row]]:
    """Return the rows of filters between two rates, some of them beside soxr's."""

    def rows(profile: Profile) -> Iterator[Row]:
        x = _lines(profile, dtype)
        h = scipy.signal.firwin(101, 0.2).astype(dtype)
        for axis, source in ((-1, x), (0, np.ascontiguousarray(x.T))):
            for up, down in ((1, 4), (3, 2)):
                yield _row(f"upfirdn {up}/{down} k=101 axis={axis}", source, 101 * x.size // down,
                           lambda m, x=source, u=up, d=down, a=axis: m.upfirdn(h, x, u, d, a)
                           )  # fmt: skip
            for up, down in ((1, 4), (3, 2), (160, 147)):
                products = (20 * max(up, down) + 1) * x.size // down
                yield _row(f"resample_poly {up}/{down} axis={axis}", source, products,
                           lambda m, x=source, u=up, d=down, a=axis: m.resample_poly(x, u, d, a)
                           )  # fmt: skip

    return rows


def as_sharp(dtype: str) -> Callable[[Profile], Iterator[Row]]:
    """Return the rows of filters with the pass and the stop band of soxr's HQ."""

    def rows(profile: Profile) -> Iterator[Row]:
        x = _lines(profile, dtype)
        for up, down in ((3, 2), (2, 3), (160, 147)):
            largest = max(up, down)
            taps, beta = scipy.signal.kaiserord(STOP, (1 - PASSED) / largest)
            taps |= 1
            h = scipy.signal.firwin(taps, (1 + PASSED) / 2 / largest, window=("kaiser", beta))
            h = h.astype(dtype)
            yield _row(f"resample_poly {up}/{down} k={taps}", x, taps * x.size // down,
                       lambda m, u=up, d=down, h=h: m.resample_poly(x, u, d, 1, window=h),
                       _soxr(x, up, down))  # fmt: skip

    return rows


def _soxr(x: np.ndarray, up: int, down: int) -> dict[str, Callable[[], np.ndarray]]:
    """Return soxr's call, where it is installed: it takes channels last."""
    if not any(peer.version() for peer in FIR_PEERS):
        return {}
    soxr = importlib.import_module("soxr")
    source = np.ascontiguousarray(x.T)
    return {SOXRS: lambda: soxr.resample(source, down, up, quality="HQ")}


def bank(profile: Profile) -> Iterator[Row]:
    """Yield the rows of one filter for each of 384 channels of int16."""
    n = 5_000 if profile.quick else 50_000
    rng = np.random.default_rng(22)
    x = rng.integers(-3000, 3000, (384, n)).astype("int16")
    one = np.ones(1, "float32")
    b = rng.standard_normal((384, 31)).astype("float32")
    for axis, source in ((-1, x), (0, np.ascontiguousarray(x.T))):

        def each(m: Any, x: np.ndarray = source, axis: int = axis) -> np.ndarray:
            if m is pyconv.signal:
                return m.lfilter(b, one, x, axis)
            lines = x if axis else x.T
            results = [m.lfilter(w, one, line) for w, line in zip(b, lines, strict=True)]
            return np.stack(results, 0 if axis else 1)

        yield _row(f"one filter a channel k=31 axis={axis}", source, 31 * x.size, each)


def bank_of_integers(profile: Profile) -> Iterator[Row]:
    """Yield the rows of delays of 384 channels of int16 by parts of a sample, to int16."""
    n = 10_000 if profile.quick else 100_000
    rng = np.random.default_rng(23)
    x = rng.integers(-3000, 3000, (384, n)).astype("int16")
    late = rng.uniform(-0.5, 0.5, (384, 1))
    w = np.sinc(np.arange(-15, 15) - late) * np.hanning(32)[1:-1]
    options = {"dtype": x.dtype, "overflow": "saturate"}

    def scipys() -> np.ndarray:
        lines = [scipy.ndimage.correlate1d(a, b, mode="nearest") for a, b in zip(x, w, strict=True)]
        return np.stack(lines)

    expected = scipys().astype(int)

    def check(name: str, y: np.ndarray) -> None:  # SciPy cuts towards zero
        y = y if y.shape == x.shape else y.T
        found = int(np.abs(y - expected).max())
        if not found <= 1:
            raise WrongResultError(f"{name} differs by {found} from SciPy's")

    for axis, source in ((-1, x), (0, np.ascontiguousarray(x.T))):
        for label, weights, more in (
            ("sums of float32", w.astype("float32"), {}),
            ("sums of float64", w, {}),
            ("half_even", w, {"rounding": "half_even"}),
        ):
            pyconv.set_workers(COUNT)
            ours = functools.partial(
                pyconv.correlate_each, source, weights, "same", "nearest", axis=axis,
                **options, **more,
            )  # fmt: skip
            yield Row(f"k=30 axis={axis} {label} {source.shape}", 30 * x.size,
                      {EACH: ours, NDIMAGES: scipys}, check, size=2 * x.nbytes)  # fmt: skip


FIR_CLASSES = (
    Comparison("filters", "FIR filters of float32", OURS, filters("float32"),
               (Goal((SCIPYS,), mean=10.0, each=10.0),)),
    Comparison("filters-double", "FIR filters of float64", OURS, filters("float64"),
               (Goal((SCIPYS,), mean=6.0, each=6.0),)),
    Comparison("savgol", "Savitzky-Golay filters of float32", OURS, savgol("float32"),
               (Goal((SCIPYS,), mean=8.0, each=8.0),)),
    Comparison("rates", "Between two rates, float32", OURS, rates("float32"),
               (Goal((SCIPYS,), mean=8.0, each=8.0),)),
    Comparison("rates-double", "Between two rates, float64", OURS, rates("float64"),
               (Goal((SCIPYS,)),)),
    Comparison("soxr", "Between two rates, as sharp as soxr's HQ", OURS, as_sharp("float32"),
               (Goal((SOXRS,), mean=1.0, each=1.0), Goal((SCIPYS,)))),
    Comparison("bank", "One filter a channel", OURS, bank, (Goal((SCIPYS,)),)),
    Comparison("bank-integers", "One filter a channel, int16 to int16", EACH, bank_of_integers,
               (Goal((NDIMAGES,)),)),
)  # fmt: skip
FIR_PEERS = (Peer(SOXRS, "soxr", "soxr", _soxr),)
