"""``python -m pyconv demo``: real data through several filters, beside SciPy."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyconv._calls.versions import versions
from pyconv._commands import (
    USAGE,
    CommandError,
    HelpFormatter,
    check_shown,
    demo_cases,
    demo_data,
)
from pyconv._commands.demo_cases import SCIPY, Case
from pyconv._engine import threads

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = npt.NDArray[Any]

#: Timing stops after this many repeats or seconds; the best one counts.
REPEATS, SECONDS = 25, 0.3


@dataclass(frozen=True)
class Row:
    """What the table says of a case."""

    case: Case
    algorithm: str
    difference: float
    ours: float
    theirs: float
    function: str
    y: Array
    #: The time of a plan's call, where it was asked for.
    planned: float | None = None

    @classmethod
    def measure(cls, case: Case, workers: int | None, planned: bool = False) -> Row:
        """Run a case here and in SciPy, with a plan too if ``planned``."""
        y = case.pyconv(workers)
        expected = case.scipy(Case.ndimage, y.dtype)
        difference = np.abs(y.astype(np.float64) - expected.astype(np.float64)).max()
        ours = best_time(partial(case.pyconv, workers))
        times = {name: best_time(partial(case.scipy, f, y.dtype)) for name, f in SCIPY.items()}
        if case.own is not None:
            times[case.own[0]] = best_time(partial(case.scipy_own, y.dtype))
        function = min(times, key=times.__getitem__)
        theirs = times[function]
        if function == "ndimage" and case.x.ndim == 1:
            function = "ndimage 1-D"
        bound = best_time(partial(case.plan(), case.x, None, workers)) if planned else None
        return cls(case, case.algorithm(), float(difference), ours, theirs, function, y, bound)

    def __str__(self) -> str:
        """Return the row as it is printed."""
        if self.planned is not None:
            times = seconds(self.ours), seconds(self.planned), seconds(self.theirs)
            ratios = f"{self.theirs / self.ours:.1f}x", f"{self.theirs / self.planned:.1f}x"
            return SHORT_FORMAT.format(self.case.data, self.case.filter, *times, *ratios)
        dtypes = (
            f"{self.case.x.dtype} > {self.y.dtype}"
            if self.case.x.dtype != self.y.dtype
            else str(self.y.dtype)
        )
        return FORMAT.format(
            self.case.data,
            self.case.filter,
            dtypes,
            self.algorithm,
            "0" if self.difference == 0 else f"{self.difference:.1e}",
            seconds(self.ours),
            seconds(self.theirs),
            self.function,
            f"{self.theirs / self.ours:.1f}x",
        )


FORMAT = "{:<15} {:<27} {:<15} {:<9} {:>10} {:>9} {:>9} {:<15} {:>7}"
HEADER = FORMAT.format(
    "data", "filter", "dtype", "algorithm", "difference", "pyconv", "SciPy", "by", "faster"
)
#: Of a short array: the call, the plan's call and SciPy's, and how much faster the first two are.
SHORT_FORMAT = "{:<15} {:<27} {:>9} {:>9} {:>9} {:>7} {:>7}"
SHORT_HEADER = SHORT_FORMAT.format("data", "filter", "call", "plan", "SciPy", "call", "plan")
SHORT_TEXT = """\
An array of {size} samples is short: most of the time of a call is its overhead, not the sums.
A plan (pyconv.plan) is made once, applied to many arrays, and has less overhead. The last two
columns say how many times faster than SciPy the call and the plan are."""


def total(rows: list[Row]) -> str:
    """Return the last row of the table: the times of all filters together."""
    ours, theirs = sum(row.ours for row in rows), sum(row.theirs for row in rows)
    count = f"{len(rows)} filters"
    faster = f"{theirs / ours:.1f}x"
    return FORMAT.format("total", count, "", "", "", seconds(ours), seconds(theirs), "", faster)


def best_time(call: Callable[[], object]) -> float:
    """Return the seconds of the fastest of several calls; short ones are timed in bunches."""
    start = time.perf_counter()
    call()
    once = time.perf_counter() - start
    bunch = max(1, min(1000, int(2e-3 / max(once, 1e-9))))
    best, spent, repeat = np.inf, 0.0, 0
    while repeat < REPEATS and (spent < SECONDS or repeat < 1):
        start = time.perf_counter()
        for _ in range(bunch):
            call()
        elapsed = time.perf_counter() - start
        best, spent, repeat = min(best, elapsed / bunch), spent + elapsed, repeat + 1
    return float(best)


def seconds(value: float) -> str:
    """Return a time with three digits and its unit."""
    for scale, unit in ((1, "s"), (1e-3, "ms")):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value / 1e-6:.3g} us"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``demo`` to the command line."""
    parser = commands.add_parser(
        "demo",
        help="real data through several filters, beside SciPy (the default command)",
        description="Filter a photograph, a brain scan and an ECG. For each filter, print the "
        "algorithm that ran, the largest difference from scipy.ndimage, and the time beside the "
        "fastest function of SciPy; save pictures of before and after.",
        epilog="Examples:\n"
        "  python -m pyconv\n"
        "  python -m pyconv demo --out /tmp/pictures --workers 1",
        formatter_class=HelpFormatter,
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("pyconv-demo"),
        metavar="DIR",
        help="folder for the pictures (default: pyconv-demo)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        help="threads for pyconv; -1 means all (default: chosen by the size of the work)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print the table and save the pictures."""
    long = demo_data.photograph(), demo_data.volume()
    short = demo_data.ecg()
    demo_data.require("matplotlib")
    from pyconv._commands import demo_figures

    workers = arguments.workers
    try:
        count = threads.resolve(-1 if workers is None else workers, 1)
    except ValueError as error:
        raise CommandError(f"--{error}", USAGE) from error
    check_shown(arguments.out)
    _check_folder(arguments.out)
    known = versions()
    print(
        f"pyconv {known['pyconv']} on {known['ISA'].split()[0]}, up to {count} "
        f"{'thread' if count == 1 else 'threads'}; SciPy {known['SciPy']} on one.\n\n"
        f"{HEADER}\n{'-' * len(HEADER)}"
    )
    written: list[Path] = []
    rows: list[Row] = []
    for recording in (*long, short):
        if recording is short:
            print(
                f"{'-' * len(HEADER)}\n{total(rows)}\n\n"
                "difference: the largest from scipy.ndimage.correlate. "
                "SciPy: the fastest of ndimage.correlate,\nsignal.correlate and the function of "
                "scipy.ndimage for this filter alone.\n\n"
                f"{SHORT_TEXT.format(size=short.array.size)}\n\n"
                f"{SHORT_HEADER}\n{'-' * len(SHORT_HEADER)}"
            )
        results = []
        for case in getattr(demo_cases, f"{recording.name}_cases")(recording):
            row = Row.measure(case, workers, planned=recording is short)
            print(row, flush=True)
            rows.append(row)
            results.append(row.y)
        path = arguments.out / f"{recording.name}.png"
        _save(getattr(demo_figures, recording.name)(recording, results), path)
        written.append(path)
    names = "\n".join(f"  {path}" for path in written)
    print(f"\nPictures of before and after:\n{names}\n\n{NEXT}")


#: The last line.
NEXT = (
    "next: python -m pyconv filter YOUR.png --kernel sobel -o edges.png, "
    "or in Python: import pyconv; help(pyconv.correlate)"
)


def _save(figure: Figure, path: Path) -> None:
    try:
        figure.savefig(path)
    except OSError as error:
        raise CommandError(f"cannot save {path}: {error.strerror}") from error


def _check_folder(folder: Path) -> None:
    """Make the folder and prove, before the work, that pictures can be saved in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CommandError(
            f"cannot save pictures in {folder}: {error.strerror}; choose a folder with --out"
        ) from error
