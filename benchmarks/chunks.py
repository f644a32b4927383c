"""python -m benchmarks dask: a filter in chunks, beside dask-image and a call in memory."""

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.speed import WrongResultError


def add_parser(commands: Any) -> None:
    """Add the command."""
    command: argparse.ArgumentParser = commands.add_parser(
        "dask", help="a Gaussian of chunks beside dask-image and a call in memory"
    )
    command.add_argument("--size", type=int, default=256, help="samples along each axis")
    command.add_argument("--chunk", type=int, default=64, help="samples of a chunk along each")
    command.add_argument("--repeat", type=int, default=3, help="runs, of which the fastest counts")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare the results, then print the table."""
    import dask
    import dask.array as da

    from pyconv import filters, ndimage

    dask.config.set(scheduler="threads", num_workers=len(os.sched_getaffinity(0)))
    shape = (arguments.size,) * 3
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    chunked = da.from_array(x, chunks=arguments.chunk)
    chunks = int(np.prod(chunked.numblocks))
    axes = (0, 1, 2)

    calls: dict[str, Callable[[], Any]] = {
        "filters.gaussian, in memory": lambda: filters.gaussian(x, 2, axes=axes, workers=-1),
        "the chunks, put together": lambda: chunked.compute(),
        "filters.gaussian, in chunks": lambda: filters.gaussian(chunked, 2, axes=axes).compute(),
        "ndimage.gaussian_filter, in chunks": lambda: ndimage.gaussian_filter(chunked, 2).compute(),
    }
    try:
        from dask_image.ndfilters import gaussian_filter

        calls["dask_image, in chunks"] = lambda: gaussian_filter(chunked, 2).compute()
    except ImportError:
        print("dask-image is not installed: it is left out")

    expected = calls["filters.gaussian, in memory"]()
    for name, call in calls.items():
        found = call()
        if name.startswith("the chunks"):
            continue
        exact = name.startswith("filters")
        same = np.array_equal(found, expected) if exact else np.allclose(found, expected, atol=1e-4)
        if not same:
            raise WrongResultError(f"{name} is not the filter of the whole array")
    seconds, processor = (dict.fromkeys(calls, float("inf")) for _ in range(2))
    for _ in range(arguments.repeat):
        for name, call in calls.items():
            start, used = time.perf_counter(), time.process_time()
            call()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
            processor[name] = min(processor[name], time.process_time() - used)
    base = seconds["filters.gaussian, in chunks"]
    print(f"{shape} float32, sigma 2, chunks of {arguments.chunk}: {chunks} of them")
    print(f"{'':36s} {'time':>12s}  {'ratio':>6s} {'of a processor':>15s}")
    for name, taken in seconds.items():
        used = 1e3 * processor[name]
        print(f"{name:36s} {1e3 * taken:9.1f} ms  {taken / base:6.2f} {used:12.1f} ms")

    small = da.zeros((chunks * 2,), chunks=2, dtype=np.float32)
    least = [float("inf")] * 2
    for _ in range(arguments.repeat):
        start = time.perf_counter()
        y = filters.gaussian(small, 0.5)
        least[0] = min(least[0], time.perf_counter() - start)
        dask.compute(small)
        start = time.perf_counter()
        y.compute(scheduler="synchronous")
        least[1] = min(least[1], time.perf_counter() - start)
    tasks = (len(y.dask) - len(small.dask)) / chunks
    print(f"the graph: {tasks:.2f} tasks a chunk, {1e6 * least[0] / chunks:.0f} us a chunk to make")
    print(f"a task of two samples, scheduler included: {1e6 * least[1] / chunks:.0f} us")
    return 0
