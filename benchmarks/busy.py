"""python -m benchmarks busy: calls on several threads while other processes want the CPUs.

Medians of wall time, sampled in turn: processor time would hide what a call waits for.
"""

import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

import pyconv
from benchmarks.table import Table
from pyconv._engine.algorithms.correlation.direct import Direct
from pyconv._engine.machine import cpu_name
from pyconv._engine.planning import plan_for
from pyconv._engine.threads import available_cpus
from pyconv._native import loader

#: Sizes of calls that may or may not be worth a second thread, from about 0.004 to 1 ms.
SMALL = (64, 128, 256, 512, 768, 1024, 1536)
#: Seconds without a call: none, and so many that idle threads sleep.
PAUSES = (0.0, 0.005)


def add_parser(commands: Any) -> None:
    """Add the command ``busy``."""
    parser = commands.add_parser(
        "busy",
        help="two threads beside one, while other processes want the CPUs",
        description="Time calls on an idle machine and beside busy processes: one for each CPU, "
        "and two. Nothing else should run.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.set_defaults(run=run)


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Keep so many processes busy meanwhile."""
    code = "print(flush=True)\nwhile True: pass"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(count)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        yield
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def samples(
    calls: Mapping[str, Callable[[], object]], repeats: int, pause: float = 0.0
) -> dict[str, list[float]]:
    """Return the seconds of each call, sampled in turn, sorted."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(repeats):
        for name, call in calls.items():
            call()  # its threads are there, and its data in the cache
            if pause:
                time.sleep(pause)
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: sorted(each) for name, each in seconds.items()}


def run(given: Any) -> int:
    """Print the tables."""
    os.environ.pop("OMP_NUM_THREADS", None)  # the other commands use one thread
    cpus = available_cpus()
    print(f"{cpu_name()}, {os.cpu_count()} CPUs; threads: {loader.native.threading()}\n")
    repeats = 100 if given.quick else 500
    _pictures(repeats, (0, cpus, 2 * cpus))
    _small_calls(repeats, (0, 1))
    _waking(repeats)
    return 0


def _pictures(repeats: int, processes: tuple[int, ...]) -> None:
    """Print one and two threads of one picture, ours and OpenCV's."""
    rng = np.random.default_rng(0)
    x, w = rng.random((512, 512), np.float32), rng.random((5, 5), np.float32)
    out = np.empty((508, 508), np.float32)
    calls: dict[str, Callable[[], object]] = {
        f"pyconv, {n}": lambda n=n: pyconv.correlate(x, w, out=out, workers=n)  # type: ignore[misc]
        for n in (1, 2)
    }
    if importlib.util.find_spec("cv2") is not None:
        import cv2

        def opencv(n: int) -> None:
            cv2.setNumThreads(n)
            cv2.filter2D(x, -1, w)

        calls |= {f"OpenCV, {n}": lambda n=n: opencv(n) for n in (1, 2)}  # type: ignore[misc]
    print("correlate, 5×5 on 512² float32, by the number of threads:\n")
    table = Table("busy processes", "call", "median ms", "90 % ms", "÷ median of one thread")
    for count in processes:
        with busy_processes(count):
            measured = samples(calls, repeats)
        for name, seconds in measured.items():
            alone = statistics.median(measured[name.rpartition(" ")[0] + " 1"])
            median = statistics.median(seconds)
            table.row(
                str(count),
                name,
                f"{1e3 * median:.3f}",
                f"{1e3 * seconds[len(seconds) * 9 // 10]:.3f}",
                f"{median / alone:.2f}",
            )
    print()


def _small_calls(repeats: int, processes: tuple[int, ...]) -> None:
    """Print calls of few samples on the threads that they choose, beside one thread."""
    print("correlate, 3×3 on n² float32, by default and on one thread:\n")
    table = Table("busy processes", "n", "threads", "default µs", "one thread µs", "mean ÷ mean")
    for count in processes:
        with busy_processes(count):
            for n in SMALL:
                x, w = np.ones((n, n), np.float32), np.ones((3, 3), np.float32)
                w[1, 1] = 2
                threads = min(plan_for(x, w).useful_threads, available_cpus())
                with pyconv.set_workers(available_cpus()):
                    measured = samples(
                        {
                            "default": lambda x=x, w=w: pyconv.correlate(x, w),  # type: ignore[misc]
                            "one": lambda x=x, w=w: pyconv.correlate(x, w, workers=1),  # type: ignore[misc]
                        },
                        repeats,
                    )
                means = {name: statistics.fmean(each) for name, each in measured.items()}
                table.row(
                    str(count),
                    str(n),
                    str(max(1, threads)),
                    f"{1e6 * statistics.median(measured['default']):.1f}",
                    f"{1e6 * statistics.median(measured['one']):.1f}",
                    f"{means['default'] / means['one']:.2f}",
                )
    print()


def _waking(repeats: int) -> None:
    """Print what it costs that a second thread helps, by the work and the pause before it."""
    print("What two threads take beyond half of one thread's time:\n")
    table = Table("pause ms", "one thread µs", "two threads µs", "beyond half µs")
    direct = Direct()
    for pause in PAUSES:
        for n in (16, *SMALL):
            x, w = np.ones((n, n), np.float32), np.ones((3, 3), np.float32)
            plan = plan_for(x, w, method=direct.name)
            y = np.empty(plan.problem.y_shape, np.float32)
            measured = samples(
                {
                    str(k): lambda k=k, x=x, w=w, y=y, plan=plan: plan.run(x, w, y, k)  # type: ignore[misc]
                    for k in (1, 2)
                },
                repeats // 5 if pause else repeats,
                pause,
            )
            # The least tenth: what the machine does when nobody disturbs it.
            one, two = (1e6 * measured[k][len(measured[k]) // 10] for k in ("1", "2"))
            table.row(f"{1e3 * pause:g}", f"{one:.1f}", f"{two:.1f}", f"{two - one / 2:.1f}")
