"""python -m benchmarks: speed tables, and the regret of the automatic choice."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import threads


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: 1 for a wrong result."""
    os.environ.update(threads.environment(int(os.environ.get(threads.VARIABLE, "1"))))
    # Only now: NumPy's BLAS reads the limits as it is imported.
    from benchmarks import (
        busy,
        chunks,
        cliffs,
        compilers,
        dashboard,
        house,
        instructions,
        large,
        lenet,
        pipelines,
        rates,
        regret,
        replay,
        scaling,
        streams,
        variants,
    )
    from benchmarks.astropy_classes import ASTROPY_CLASSES, ASTROPY_PEERS
    from benchmarks.dropins import DROPIN_CLASSES, DROPIN_PEERS
    from benchmarks.filter_classes import FILTER_CLASSES, FILTER_PEERS
    from benchmarks.fir import FIR_CLASSES, FIR_PEERS
    from benchmarks.imaging import IMAGING_CLASSES, IMAGING_PEERS, TRANSFORM_PEERS
    from benchmarks.layer_classes import LAYER_CLASSES
    from benchmarks.layer_peers import LAYER_PEERS, TORCH
    from benchmarks.peers import PEERS
    from benchmarks.report import command as peers_report
    from benchmarks.speed import Profile, WrongResultError, report
    from benchmarks.speed_classes import CLASSES
    from benchmarks.timing import FULL, QUICK
    from benchmarks.training import TRAINING_CLASSES
    from pyconv._engine.layer_planning import LAYER_METHODS
    from pyconv._engine.planning import METHODS

    parser = argparse.ArgumentParser("python -m benchmarks", description="Benchmarks of pyconv.")
    commands = parser.add_subparsers(dest="command", required=True)
    speed = _add(commands, "speed", "pyconv beside its peers", CLASSES, PEERS, METHODS)
    speed.add_argument("--allocate", action="store_true",
                       help="every call makes its result; by default each contender fills one "
                       "that it is given, where all of them can")  # fmt: skip
    _add(
        commands,
        "dropins",
        "SciPy's functions beside ours",
        DROPIN_CLASSES,
        DROPIN_PEERS,
        METHODS[:1],
    )
    _add(commands, "fir", "FIR filters and resampling beside SciPy", FIR_CLASSES, FIR_PEERS)
    _add(
        commands,
        "imaging",
        "filters beside DIPlib, SimpleITK and libvips",
        IMAGING_CLASSES,
        (*IMAGING_PEERS, *TRANSFORM_PEERS),
    )
    _add(commands, "astropy", "astropy's convolutions beside ours", ASTROPY_CLASSES, ASTROPY_PEERS)
    _add(commands, "layers", "layers beside frameworks", LAYER_CLASSES, LAYER_PEERS, LAYER_METHODS)
    _add(commands, "training", "whole models beside torch", TRAINING_CLASSES, (TORCH,))
    _add(commands, "filters", "filters beside OpenCV and ndimage", FILTER_CLASSES, FILTER_PEERS)
    chosen = commands.add_parser(
        "regret",
        help="the automatic choice beside every algorithm that is forced",
        description="Time the algorithm that is chosen beside the others, over a grid of sizes and "
        "kernels, on one thread.",
    )
    chosen.add_argument("--quick", action="store_true", help="fewer sizes and repeats")
    chosen.add_argument("--json", metavar="FILE", type=Path, help="also write the figures here")
    learned = commands.add_parser(
        "lenet",
        help="LeNet-5 trained on real digits, and kernels learned from pictures",
        description="Train LeNet-5 and single kernels on one thread; print accuracy and time. "
        "Needs scikit-learn and scikit-image.",
    )
    learned.add_argument("--quick", action="store_true", help="one seed")
    learned.add_argument("--json", metavar="FILE", type=Path, help="also write the figures here")
    busy.add_parser(commands)
    chunks.add_parser(commands)
    cliffs.add_parser(commands)
    compilers.add_parser(commands)
    dashboard.add_parser(commands)
    house.add_parser(commands)
    instructions.add_parser(commands)
    large.add_parser(commands)
    peers_report.add_parser(commands)
    pipelines.add_parser(commands)
    rates.add_parser(commands)
    replay.add_parser(commands)
    scaling.add_parser(commands)
    streams.add_parser(commands)
    variants.add_parser(commands)
    given = parser.parse_args(arguments)

    if "run" in given:
        return given.run(given)
    if given.command == "lenet":
        _write(given.json, lenet.report(given.quick))
        return 0
    if given.command == "regret":
        _write(given.json, regret.report(given.quick, QUICK if given.quick else FULL))
        return 0
    profile = Profile(given.quick, QUICK if given.quick else FULL, given.method, given.allocate)
    only = given.only or [each.name for each in given.classes]
    try:
        measured = report(tuple(c for c in given.classes if c.name in only), profile, given.peers)
    except WrongResultError as error:
        print(f"wrong result: {error}", file=sys.stderr)
        return 1
    _write(given.json, measured)
    return 0


def _add(
    commands: Any,
    name: str,
    about: str,
    classes: Sequence[Any],
    peers: Sequence[Any],
    methods: tuple[str, ...] | None = None,
) -> argparse.ArgumentParser:
    """Add the command that prints a table of ``classes``; return its parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=f"{about}, against the goals",
        description=f"Time {about} on one thread and print a Markdown table.",
    )
    names = [each.name for each in classes]
    command.add_argument("--quick", action="store_true", help="fewer repeats, and fewer sizes")
    command.add_argument("--only", metavar="CLASS", action="append", choices=names,
                         help=f"one class, may be given again: {', '.join(names)}")  # fmt: skip
    if methods is not None:
        command.add_argument("--method", choices=methods, help="force our algorithm")
    command.add_argument("--json", metavar="FILE", type=Path, help="also write the figures here")
    command.set_defaults(classes=classes, peers=peers, allocate=False, method="auto")
    return command


def _write(file: Path | None, measured: dict[str, Any]) -> None:
    """Write the figures, if a file was named."""
    if file is not None:
        file.write_text(json.dumps(measured, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
