"""python -m benchmarks: the speed table, and the regret of the automatic choice."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

#: Read by OpenMP and the BLAS libraries when they are loaded.
THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: 1 for a wrong result."""
    os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))
    # Only now: NumPy's BLAS reads the limits as it is imported.
    from benchmarks import regret
    from benchmarks.speed import Profile, WrongResultError, report
    from benchmarks.speed_classes import CLASSES
    from benchmarks.timing import FULL, QUICK
    from pyconv.planning import METHODS

    names = [each.name for each in CLASSES]
    parser = argparse.ArgumentParser("python -m benchmarks", description="Benchmarks of pyconv.")
    commands = parser.add_subparsers(dest="command", required=True)
    speed = commands.add_parser(
        "speed",
        help="pyconv beside its peers, against the goals",
        description="Time pyconv beside its peers on one thread and print a Markdown table.",
    )
    speed.add_argument("--quick", action="store_true", help="fewer sizes and repeats")
    speed.add_argument("--only", metavar="CLASS", action="append", choices=names,
                       help=f"one class, may be given again: {', '.join(names)}")  # fmt: skip
    speed.add_argument("--method", choices=METHODS, default="auto", help="force our algorithm")
    speed.add_argument("--allocate", action="store_true",
                       help="every call makes its result; by default each contender fills one "
                       "that it is given, where all of them can")  # fmt: skip
    chosen = commands.add_parser(
        "regret",
        help="the automatic choice beside every algorithm that is forced",
        description="Time the algorithm that is chosen beside the others, over a grid of sizes and "
        "kernels, on one thread.",
    )
    chosen.add_argument("--quick", action="store_true", help="fewer sizes and repeats")
    for each in (speed, chosen):
        each.add_argument("--json", metavar="FILE", type=Path, help="also write the figures here")
    given = parser.parse_args(arguments)

    if given.command == "regret":
        _write(given.json, regret.report(given.quick, QUICK if given.quick else FULL))
        return 0
    profile = Profile(given.quick, QUICK if given.quick else FULL, given.method, given.allocate)
    try:
        measured = report(tuple(c for c in CLASSES if c.name in (given.only or names)), profile)
    except WrongResultError as error:
        print(f"wrong result: {error}", file=sys.stderr)
        return 1
    _write(given.json, measured)
    return 0


def _write(file: Path | None, measured: dict[str, Any]) -> None:
    """Write the figures, if a file was named."""
    if file is not None:
        file.write_text(json.dumps(measured, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
