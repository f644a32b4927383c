"""Arrays larger than memory: a stream beside the copy of its data, a pyramid beside dask-image.

Each contender runs in a process of its own, which says how far its resident memory rose. Times are
wall times: reading, sums and writing overlap. Results are compared first.
"""

import argparse
import importlib.util
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import pyconv
from benchmarks.resident import growth
from benchmarks.speed import WrongResultError
from pyconv import filters

#: The rows and columns of a plane, the blocks of a file, and what a stream is granted.
PLANE, BLOCKS, GRANTED = (512, 512), (64, 128, 128), 256 << 20
GAUSSIAN = {"sigma": 1, "axes": (0, 1, 2), "radius": 2}
LEVELS, SIGMA = 4, 1.0
#: How often a contender runs; the least time counts.
REPEATS = 3
#: Counts by which dask-image, which cuts off fractions at every level, may differ.
CUT_OFF = 4


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "large",
        help="streams beside a copy, pyramids beside dask-image",
        description="Time a 5×5×5 Gaussian from file to file beside the copy of the same data "
        "through the same reader and writer, and a pyramid of 4 levels beside dask-image.",
    )
    parser.add_argument("--quick", action="store_true", help="64 MiB, and 2×2048×2048 samples")
    parser.add_argument("--mib", type=int, default=512, help="size of the file (default: 512)")
    parser.add_argument("--folder", type=Path, help="where files are made (default: temporary)")
    parser.add_argument("--only", choices=("stream", "pyramid"), help="one of the two tables")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the figures here")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the tables; return 1 for a wrong result."""
    mib = 64 if given.quick else given.mib
    size = 2048 if given.quick else 8192
    measured: dict[str, Any] = {}
    try:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            if given.only != "pyramid":
                measured["stream"] = _streams(folder, mib)
        if given.only != "stream":
            measured["pyramid"] = _pyramids(size)
    except WrongResultError as error:
        print(f"wrong result: {error}", file=sys.stderr)
        return 1
    if given.json is not None:
        given.json.write_text(json.dumps(measured, indent=1, ensure_ascii=False) + "\n")
    return 0


class Found(NamedTuple):
    """The least seconds of a call, its least processor time, and how far it raises the memory."""

    seconds: float
    processor: float
    memory: int | None


def _alone(call: Callable[..., Found], *arguments: object) -> Found:
    """Return what a call says in a process that has called nothing before."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(call, *arguments).result()


def _least(call: Callable[[], object]) -> Found:
    """Run a call some times; the memory is that of its first run."""
    times: list[tuple[float, float]] = []

    def timed() -> None:
        start, used = time.perf_counter(), time.process_time()
        call()
        times.append((time.perf_counter() - start, time.process_time() - used))

    most = growth(timed)
    for _ in range(REPEATS - 1):
        timed()
    return Found(min(t for t, _ in times), min(t for _, t in times), most)


# ---- streams ----------------------------------------------------------------------------------


def opened(folder: str, kind: str, name: str, shape: tuple[int, ...], new: bool) -> Any:
    """Return a file of float32 to read or to write."""
    if kind == "memory map":
        return np.memmap(f"{folder}/{name}", np.float32, "w+" if new else "r", shape=shape)
    import zarr

    path = f"{folder}/{name}.zarr"
    if not new:
        return zarr.open_array(path, mode="r")
    return zarr.create_array(path, shape=shape, dtype="f4", chunks=BLOCKS, overwrite=True)


def stream_growth(folder: str, kind: str, shape: tuple[int, ...], what: str) -> Found:
    """Time one way from file to file."""
    from pyconv._large.pyramids import Picked
    from pyconv._large.streams import Job

    small = np.ones((32, 32, 32), np.float32)
    pyconv.stream(filters.gaussian, small, np.empty_like(small), **GAUSSIAN)
    source = opened(folder, kind, "x", shape, new=False)
    target = opened(folder, kind, "y", shape, new=True)

    def copied() -> None:
        job = Job(Picked(shape, np.dtype(np.float32), None), source, target)
        job.run(job.layout(GRANTED), 0, None)

    def looped() -> None:
        for start in range(0, shape[0], BLOCKS[0]):
            part = slice(start, start + BLOCKS[0])
            target[part] = source[part]

    def streamed() -> None:
        pyconv.stream(filters.gaussian, source, target, max_memory=GRANTED, **GAUSSIAN)

    return _least({"copy": copied, "loop": looped, "stream": streamed}[what])


def _streams(folder: str, mib: int) -> dict[str, Any]:
    planes = max(64, mib * 2**20 // (4 * PLANE[0] * PLANE[1]) // 64 * 64)
    shape = (planes, *PLANE)
    kinds = ["memory map", *(["zarr"] if importlib.util.find_spec("zarr") else [])]
    print(
        f"\n5×5×5 Gaussian, float32, {planes}×{PLANE[0]}×{PLANE[1]}, {GRANTED >> 20} MiB granted\n"
    )
    print(
        "| file | copy in a loop | copy in pieces | stream | ratio | of processor time | memory |"
    )
    print("|---|---|---|---|---|---|---|")
    rows = {}
    for kind in kinds:
        _write_source(folder, kind, shape)
        _check_stream(folder, kind, shape)
        ways = ("loop", "copy", "stream")
        loop, copy, stream = (_alone(stream_growth, folder, kind, shape, way) for way in ways)
        ratio, used = stream.seconds / copy.seconds, stream.processor / copy.processor
        print(
            f"| {kind} | {loop.seconds:.2f} s | {copy.seconds:.2f} s | {stream.seconds:.2f} s | "
            f"{ratio:.2f} | {used:.2f} | {_shown(stream.memory)} |"
        )
        rows[kind] = {w: f._asdict() for w, f in zip(ways, (loop, copy, stream), strict=True)}
    print("\ngoals: ratio ≤ 1.3; memory ≤ 1.1 of what is granted")
    return rows


def _shown(memory: int | None) -> str:
    return "?" if memory is None else f"{memory >> 20} MiB"


def _write_source(folder: str, kind: str, shape: tuple[int, ...]) -> None:
    rng, source = np.random.default_rng(0), opened(folder, kind, "x", shape, new=True)
    for start in range(0, shape[0], BLOCKS[0]):
        part = rng.standard_normal((BLOCKS[0], *PLANE), np.float32)
        source[start : start + BLOCKS[0]] = (part * 100).round()


def _check_stream(folder: str, kind: str, shape: tuple[int, ...]) -> None:
    source = opened(folder, kind, "x", shape, new=False)
    target = opened(folder, kind, "y", shape, new=True)
    pyconv.stream(filters.gaussian, source, target, max_memory=GRANTED, **GAUSSIAN)
    part = slice(shape[0] // 2 - 8, shape[0] // 2 + 8)
    wide = slice(part.start - 2, part.stop + 2)
    right = filters.gaussian(np.asarray(source[wide], np.float64), **GAUSSIAN)[2:-2]
    if not np.allclose(target[part], right, atol=1e-3):
        raise WrongResultError(f"the stream of a {kind} differs from the filter")


# ---- pyramids ---------------------------------------------------------------------------------


def picture(size: int) -> np.ndarray:
    """Return two smooth channels with noise."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 2**15, (2, size // 64, size // 64), np.uint16)
    fine = rng.integers(0, 2**12, (2, size, size), np.uint16)
    return coarse.repeat(64, 1).repeat(64, 2) + fine


def ours(x: np.ndarray) -> list[np.ndarray]:
    """Return the levels, by this package."""
    return pyconv.pyramid(x, LEVELS, method="gaussian", sigma=SIGMA, axes=(1, 2))


def dask_image(x: np.ndarray) -> list[np.ndarray]:
    """Return the levels, by dask-image."""
    import dask
    import dask.array
    from dask_image.ndfilters import gaussian_filter

    level = dask.array.from_array(x, chunks=(1, 1024, 1024))
    levels = []
    for _ in range(1, LEVELS):
        level = gaussian_filter(level, (0, SIGMA, SIGMA))[:, ::2, ::2]
        levels.append(level)
    return [x, *dask.compute(*levels)]


def pyramid_growth(size: int, name: str) -> Found:
    """Time one way to a pyramid."""
    make = {"pyconv": ours, "dask-image": dask_image}[name]
    make(picture(128))
    x = picture(size)
    return _least(lambda: make(x))


def _pyramids(size: int) -> dict[str, Any]:
    installed = importlib.util.find_spec("dask_image") is not None
    if installed:
        small = picture(1024)
        for level, (one, other) in enumerate(zip(ours(small), dask_image(small), strict=True)):
            inner = (slice(None), slice(8, -8), slice(8, -8))
            apart = np.abs(one[inner].astype(int) - other[inner].astype(int)).max()
            if apart > CUT_OFF:
                raise WrongResultError(f"level {level} differs from dask-image by {apart}")
    print(f"\nGaussian pyramid of {LEVELS} levels, uint16, 2×{size}×{size}\n")
    print("| | seconds | memory besides the source |")
    print("|---|---|---|")
    rows = {}
    for name in ("pyconv", *(["dask-image"] if installed else [])):
        found = _alone(pyramid_growth, size, name)
        print(f"| {name} | {found.seconds:.2f} | {_shown(found.memory)} |")
        rows[name] = found._asdict()
    if installed:
        mine, theirs = rows["pyconv"], rows["dask-image"]
        print(
            f"\n{theirs['seconds'] / mine['seconds']:.1f} times as fast, in "
            f"{mine['memory'] / theirs['memory']:.2f} of the memory; goals: 5, 0.25"
        )
    return rows
