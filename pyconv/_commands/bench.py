"""``python -m pyconv bench``: a few calls on this machine, beside those of other libraries."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import pyconv
from pyconv import filters, kernels
from pyconv._calls.versions import versions
from pyconv._commands import USAGE, CommandError, HelpFormatter
from pyconv._commands.demo import best_time, seconds
from pyconv._engine import threads

Array = npt.NDArray[Any]


class Peer(NamedTuple):
    """One library's way to make a result."""

    library: str
    #: The module that has to be installed.
    module: str
    call: Callable[[Any], Array]


@dataclass(frozen=True)
class Case:
    """A call that other libraries can make, too; zeros are read outside."""

    name: str
    x: Array
    pyconv: Callable[[int | None], Array]
    peers: tuple[Peer, ...]
    #: The largest difference, as a part of the largest result.
    tolerance: float = 1e-5


def _torch(x: Array, *weights: Array) -> Callable[[Any], Array]:
    """Return a call of torch's convolution, which is a correlation, once for each kernel."""

    def call(torch: Any) -> Array:
        convolve = (torch.conv1d, torch.conv2d, torch.conv3d)[x.ndim - 1]
        y = torch.from_numpy(x)[None, None]
        with torch.no_grad():
            for w in weights:
                kernel = torch.from_numpy(w)[None, None]
                y = convolve(y, kernel, padding=[k // 2 for k in w.shape])
        found: Array = y[0, 0].numpy()
        return found

    return call


def cases() -> list[Case]:
    """Return the calls of the report."""
    rng = np.random.default_rng(1)
    f32 = np.float32
    image = rng.random((1024, 1024), f32)
    counts = rng.integers(0, 256, (1024, 1024), np.uint8)
    volume = rng.random((96, 96, 96), f32)
    signal = rng.standard_normal(1_000_000).astype(f32)

    row = kernels.gaussian(2, ndim=1, dtype=f32)
    sobel = kernels.sobel()
    any_kernel = rng.random((25, 25), f32)
    taps = rng.standard_normal(65).astype(f32)
    return [
        Case(
            "image 1024 x 1024, float32: Gaussian, sigma 2",
            image,
            lambda n: filters.gaussian(image, 2, boundary="constant", workers=n),
            (
                Peer(
                    "SciPy", "scipy.ndimage", lambda m: m.gaussian_filter(image, 2, mode="constant")
                ),
                Peer(
                    "OpenCV",
                    "cv2",
                    lambda m: m.GaussianBlur(image, (17, 17), 2, borderType=m.BORDER_CONSTANT),
                ),
                Peer("torch", "torch", _torch(image, row[:, None], row[None])),
            ),
        ),
        Case(
            "image 1024 x 1024, uint8: Sobel, 3 x 3",
            counts,
            lambda n: pyconv.correlate(counts, sobel, "same", dtype=np.int16, workers=n),
            (
                Peer(
                    "SciPy",
                    "scipy.ndimage",
                    lambda m: m.sobel(counts, output=np.int16, mode="constant"),
                ),
                Peer(
                    "OpenCV",
                    "cv2",
                    lambda m: m.Sobel(counts, m.CV_16S, 1, 0, borderType=m.BORDER_CONSTANT),
                ),
            ),
            0,
        ),
        Case(
            "image 1024 x 1024, float32: mean, 15 x 15",
            image,
            lambda n: filters.box(image, 15, boundary="constant", workers=n),
            (
                Peer(
                    "SciPy", "scipy.ndimage", lambda m: m.uniform_filter(image, 15, mode="constant")
                ),
                Peer(
                    "OpenCV",
                    "cv2",
                    lambda m: m.blur(image, (15, 15), borderType=m.BORDER_CONSTANT),
                ),
            ),
            1e-4,
        ),
        Case(
            "image 1024 x 1024, float32: any 25 x 25 kernel",
            image,
            lambda n: pyconv.correlate(image, any_kernel, "same", workers=n),
            (
                Peer(
                    "SciPy",
                    "scipy.signal",
                    lambda m: m.correlate(image, any_kernel, mode="same", method="fft"),
                ),
                Peer(
                    "OpenCV",
                    "cv2",
                    lambda m: m.filter2D(image, -1, any_kernel, borderType=m.BORDER_CONSTANT),
                ),
                Peer("torch", "torch", _torch(image, any_kernel)),
            ),
        ),
        Case(
            "volume 96 x 96 x 96, float32: Gaussian, sigma 2",
            volume,
            lambda n: filters.gaussian(volume, 2, axes=(0, 1, 2), boundary="constant", workers=n),
            (
                Peer(
                    "SciPy",
                    "scipy.ndimage",
                    lambda m: m.gaussian_filter(volume, 2, mode="constant"),
                ),
                Peer(
                    "torch",
                    "torch",
                    _torch(volume, row[:, None, None], row[None, :, None], row[None, None]),
                ),
            ),
        ),
        Case(
            "signal of 1,000,000, float32: any 65 taps",
            signal,
            lambda n: pyconv.correlate(signal, taps, "same", workers=n),
            (
                Peer("NumPy", "numpy", lambda m: m.correlate(signal, taps, "same")),
                Peer("SciPy", "scipy.signal", lambda m: m.oaconvolve(signal, taps[::-1], "same")),
                Peer("torch", "torch", _torch(signal, taps)),
            ),
        ),
    ]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``bench`` to the command line."""
    parser = commands.add_parser(
        "bench",
        help="time a few calls on this machine, beside the libraries that are installed",
        description="Time six calls on this machine, and the same calls of NumPy, SciPy, OpenCV "
        "and torch where these are installed. Results are compared before anything is timed. "
        "Each time is that of the fastest of several calls. The report takes about 20 seconds.",
        epilog="Examples:\n  python -m pyconv bench\n  python -m pyconv bench --workers 1",
        formatter_class=HelpFormatter,
    )
    parser.add_argument(
        "--workers",
        type=int,
        help="threads for pyconv; -1 means all (default: chosen by the size of the work)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print the report."""
    try:
        count = threads.resolve(-1 if arguments.workers is None else arguments.workers, 1)
    except ValueError as error:
        raise CommandError(f"--{error}", USAGE) from error
    known = versions()
    several = "thread" if count == 1 else "threads"
    print(f"pyconv {known['pyconv']} on {known['ISA'].split()[0]}, up to {count} {several}")
    absent: set[str] = set()
    for case in cases():
        print(f"\n{case.name}", flush=True)
        ours = case.pyconv(arguments.workers)
        time = best_time(lambda case=case: case.pyconv(arguments.workers))  # type: ignore[misc]
        print(f"  {'pyconv':<8}{seconds(time):>9}", flush=True)
        for peer in case.peers:
            try:
                module = importlib.import_module(peer.module)
            except ImportError:
                absent.add(peer.library)
                continue
            print(f"  {peer.library:<8}{_beside(case, peer, module, ours, time)}", flush=True)
    print(
        "\nTimes are those of the fastest call. The factor says how many times longer a peer "
        "takes,\nwith the threads that it uses by default."
    )
    if absent:
        print(f"Not installed, and left out: {', '.join(sorted(absent))}.")


def _beside(case: Case, peer: Peer, module: Any, ours: Array, time: float) -> str:
    """Return a peer's time and factor, or how its result differs."""
    theirs = peer.call(module)
    largest = float(np.abs(ours).max())
    difference = float(np.abs(ours.astype(np.float64) - theirs.astype(np.float64)).max())
    if not difference <= case.tolerance * largest:
        return f"  its result differs by {difference:.1e} of {largest:.1e}: not timed"
    elapsed = best_time(lambda: peer.call(module))
    return f"{seconds(elapsed):>9}{elapsed / time:>8.1f}x"
