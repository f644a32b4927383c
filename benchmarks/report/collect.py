"""Measure the classes of a report, in a process of its own for each number of threads."""

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import threads
from benchmarks.dropins import DROPIN_CLASSES
from benchmarks.filter_classes import FILTER_CLASSES
from benchmarks.fir import FIR_CLASSES
from benchmarks.imaging import IMAGING_CLASSES
from benchmarks.layer_classes import LAYER_CLASSES
from benchmarks.limits import measure
from benchmarks.speed import Comparison, Profile
from benchmarks.speed_classes import CLASSES
from benchmarks.timing import FULL, QUICK
from benchmarks.training import TRAINING_CLASSES

#: Every class that has peers; what is only ours beside ours is in `python -m benchmarks speed`.
GROUPS: dict[str, Comparison] = {
    group.name: group
    for group in CLASSES
    if isinstance(group, Comparison) and group.name != "float64"
}
GROUPS |= {f"filters-{group.name}": group for group in FILTER_CLASSES}
GROUPS |= {group.name: group for group in DROPIN_CLASSES}
GROUPS |= {f"fir-{group.name}": group for group in FIR_CLASSES}
GROUPS |= {f"imaging-{group.name}": group for group in IMAGING_CLASSES}
GROUPS |= {f"layers-{group.name}": group for group in LAYER_CLASSES}
GROUPS |= {group.name: group for group in TRAINING_CLASSES}


def run_all(counts: Sequence[int], only: Sequence[str], quick: bool) -> list[dict[str, Any]]:
    """Return a run for each number of threads."""
    runs = []
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "run.json")
            command = [sys.executable, "-m", "benchmarks.report.collect", str(file), str(quick)]
            subprocess.run(
                [*command, *only], check=True, env=os.environ | threads.environment(count)
            )
            runs.append(json.loads(file.read_text()))
    return runs


def run(only: Sequence[str], quick: bool) -> dict[str, Any]:
    """Measure the classes on the threads of this process."""
    limits = measure(threads.COUNT)
    profile = Profile(quick, QUICK if quick else FULL, "auto", allocate=False)
    classes = []
    with progress(len(only)) as bar:
        for name in only:
            group, rows = GROUPS[name], []
            for row in group.measure(profile):
                rows.append(row)
                bar.show(f"{name}: {row['case']}")
            classes.append({"name": name, "title": group.title, "ours": group.ours, "rows": rows})
            bar.step()
    rates = {"flops": limits.flops, "bandwidth": limits.bandwidth}
    return {"threads": threads.COUNT, "limits": rates, "classes": classes}


class Progress:
    """A line on standard error that says what is measured, by tqdm where it is installed."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def show(self, label: str) -> None:
        """Say what was measured last."""
        if self._bar is None:
            print(label, file=sys.stderr, flush=True)
        else:
            self._bar.set_postfix_str(label)

    def step(self) -> None:
        """Count one class."""
        if self._bar is not None:
            self._bar.update()


@contextmanager
def progress(total: int) -> Iterator[Progress]:
    """Return the progress of ``total`` classes."""
    try:
        tqdm: Any = importlib.import_module("tqdm").tqdm
    except ImportError:
        yield Progress(None)
        return
    with tqdm(total=total, unit="class", desc=f"threads: {threads.COUNT}") as bar:
        yield Progress(bar)


if __name__ == "__main__":
    target, is_quick, *names = sys.argv[1:]
    Path(target).write_text(json.dumps(run(names, is_quick == "True"), ensure_ascii=False))
