"""``python -m pyconv info``: what is in use here, for bug reports."""

from __future__ import annotations

import argparse

from pyconv._calls.versions import show_versions
from pyconv._commands import HelpFormatter


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``info`` to the command line."""
    commands.add_parser(
        "info",
        help="show versions, instruction set, threads and BLAS in use",
        description="Show what decides how a call runs here: versions, instruction set (ISA), "
        "threads and BLAS.",
        epilog="Examples:\n"
        "  python -m pyconv info\n"
        "  PYCONV_ISA=baseline python -m pyconv info      force an instruction set\n"
        "  OMP_NUM_THREADS=1 python -m pyconv info        limit the threads",
        formatter_class=HelpFormatter,
    ).set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print the versions and abilities."""
    show_versions()
