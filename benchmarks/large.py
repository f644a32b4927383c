"""Arrays larger than memory: streams beside a copy, pyramids beside dask-image, a worker's memory.

Each contender runs in a process of its own, which says how far its resident memory rose. Times are
wall times: reading, sums and writing overlap. Results are compared first.
"""

import argparse
import importlib.util
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import pyconv
from benchmarks.resident import growth, resident, resident_at_most
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
        help="streams beside a copy, pyramids beside dask-image, the memory of a worker",
        description="Time a 5×5×5 Gaussian from file to file beside the copy of the same data "
        "through the same reader and writer, and a pyramid of 4 levels beside dask-image; measure "
        "the memory of a worker of dask.distributed whose graph is larger.",
    )
    parser.add_argument("--quick", action="store_true", help="64 MiB, and 2×2048×2048 samples")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--mib", type=int, default=512, help="size of the file (default: 512)")
    size.add_argument("--gib", type=float, help="the same in GiB; twice that is written at a time")
    parser.add_argument("--kind", choices=("memory map", "zarr"), help="one kind of file")
    parser.add_argument("--repeat", type=int, default=REPEATS, help="runs of which one counts")
    parser.add_argument("--folder", type=Path, help="where files are made (default: temporary)")
    parser.add_argument("--only", choices=("stream", "pyramid", "worker"), help="one table")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the figures here")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the tables; return 1 for a wrong result."""
    mib = given.mib if given.gib is None else int(1024 * given.gib)
    mib = 64 if given.quick else mib
    size = 2048 if given.quick else 8192
    measured: dict[str, Any] = {}
    try:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            if given.only in (None, "stream"):
                free = shutil.disk_usage(folder).free
                if 2 * mib << 20 > free // 2:
                    print(f"{2 * mib} MiB are more than half of what is free", file=sys.stderr)
                    return 2
                measured["stream"] = _streams(folder, mib, given.kind, given.repeat)
        if given.only in (None, "pyramid"):
            measured["pyramid"] = _pyramids(size, given.repeat)
        if given.only in (None, "worker"):
            measured["worker"] = _worker(512 if given.quick else 1536)
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


def _least(call: Callable[[], object], repeat: int) -> Found:
    """Run a call some times; the memory is that of its first run."""
    times: list[tuple[float, float]] = []

    def timed() -> None:
        start, used = time.perf_counter(), time.process_time()
        call()
        times.append((time.perf_counter() - start, time.process_time() - used))

    most = growth(timed)
    for _ in range(repeat - 1):
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


def stream_growth(folder: str, kind: str, shape: tuple[int, ...], what: str, repeat: int) -> Found:
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

    return _least({"copy": copied, "loop": looped, "stream": streamed}[what], repeat)


def _streams(folder: str, mib: int, only: str | None, repeat: int) -> dict[str, Any]:
    planes = max(64, mib * 2**20 // (4 * PLANE[0] * PLANE[1]) // 64 * 64)
    shape = (planes, *PLANE)
    kinds = ["memory map", *(["zarr"] if importlib.util.find_spec("zarr") else [])]
    kinds = [k for k in kinds if only in (None, k)]
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
        loop, copy, stream = (
            _alone(stream_growth, folder, kind, shape, way, repeat) for way in ways
        )
        ratio, used = stream.seconds / copy.seconds, stream.processor / copy.processor
        print(
            f"| {kind} | {loop.seconds:.2f} s | {copy.seconds:.2f} s | {stream.seconds:.2f} s | "
            f"{ratio:.2f} | {used:.2f} | {_shown(stream.memory)} |"
        )
        rows[kind] = {w: f._asdict() for w, f in zip(ways, (loop, copy, stream), strict=True)}
        for path in Path(folder).iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
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


def pyramid_growth(size: int, name: str, repeat: int) -> Found:
    """Time one way to a pyramid."""
    make = {"pyconv": ours, "dask-image": dask_image}[name]
    make(picture(128))
    x = picture(size)
    return _least(lambda: make(x), repeat)


def _pyramids(size: int, repeat: int) -> dict[str, Any]:
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
        found = _alone(pyramid_growth, size, name, repeat)
        print(f"| {name} | {found.seconds:.2f} | {_shown(found.memory)} |")
        rows[name] = found._asdict()
    if installed:
        mine, theirs = rows["pyconv"], rows["dask-image"]
        print(
            f"\n{theirs['seconds'] / mine['seconds']:.1f} times as fast, in "
            f"{mine['memory'] / theirs['memory']:.2f} of the memory; goals: 5, 0.25"
        )
    return rows


# ---- a worker ---------------------------------------------------------------------------------


def ramp(block_info: Any = None) -> np.ndarray:
    """Return a chunk of samples that grow with their distance from the first."""
    box = block_info[None]["array-location"]
    return sum(np.ogrid[tuple(slice(*ends) for ends in box)]).astype(np.float32)


def _worker(mib: int) -> dict[str, Any]:
    """Filter an array that is larger than what its worker may hold, and say how much that held."""
    if importlib.util.find_spec("distributed") is None:
        print("\ndistributed is not installed: no worker is measured")
        return {}
    import dask.array as da
    import distributed

    limit, side = 384 << 20, 128
    layers = mib * 2**20 // (4 * 64 * 256 * 256)
    chunks = ((64,) * layers, (side,) * 2, (side,) * 2)
    meta = np.empty((0, 0, 0), np.float32)
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, host="127.0.0.1", dashboard_address="127.0.0.1:0",
            memory_limit=limit,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):  # fmt: skip
        x = da.map_blocks(ramp, chunks=chunks, dtype=np.float32, meta=meta)
        filters.gaussian(x[:64], 2, axes=(0, 1, 2)).sum().compute()  # imports what a task needs
        (before,) = client.run(resident).values()
        start = time.perf_counter()
        inner = filters.gaussian(x, 2, axes=(0, 1, 2))[64:-64, 64:-64, 64:-64]
        apart = float(abs(inner - x[64:-64, 64:-64, 64:-64]).max().compute())
        seconds = time.perf_counter() - start
        (most,) = client.run(resident_at_most).values()
    if apart > 1e-2:
        raise WrongResultError(f"the Gaussian of a ramp differs from it by {apart}")
    print(f"\nGaussian, sigma 2, of {mib} MiB in chunks of 4 MiB, a worker of two threads\n")
    print("| seconds | limit | before | at most | of the limit |")
    print("|---|---|---|---|---|")
    print(
        f"| {seconds:.1f} | {_shown(limit)} | {_shown(before)} | {_shown(most)} | "
        f"{most / limit:.2f} |"
    )
    print("\ngoal: within the limit")
    return {"seconds": seconds, "limit": limit, "before": before, "most": most}
