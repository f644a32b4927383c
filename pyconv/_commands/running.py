"""``python -m pyconv run``: a program, with pyconv's functions in the place of others'."""

from __future__ import annotations

import argparse
import os
import runpy
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from pyconv import patching
from pyconv._commands import FAILURE, INTERRUPTED, USAGE, CommandError
from pyconv._patching import ledger

EXAMPLES = """\
Examples:
  python -m pyconv run analysis.py data.fits
  python -m pyconv run --only scipy.ndimage --workers 4 analysis.py
  python -m pyconv run --astropy reduce.py field.fits
  python -m pyconv run --patch-verbose -m package.module --option

The summary is written to standard error when the program has ended. Processes that the program
starts are not patched, but for those that it forks."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``run`` to the command line."""
    parser = commands.add_parser(
        "run",
        help="run a program with pyconv's functions in the place of SciPy's",
        usage="python -m pyconv run [options] (script.py | -m module) [arguments]",
        description="Run a script or a module as Python does, with the functions of pyconv.ndimage "
        "and pyconv.signal under SciPy's names (pyconv.patch_scipy), and say at the end which "
        "calls they took, which SciPy's took and why, and how long they were.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--patch-verbose", action="store_true", help="show each call on standard error"
    )
    parser.add_argument(
        "--only", action="append", metavar="NAME",
        help="a function or a module of SciPy; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--astropy", action="store_true",
        help="with the functions of pyconv.astropy under astropy's names too (patch_astropy)",
    )  # fmt: skip
    parser.add_argument(
        "--workers", type=int, default=1, help="threads of each call; -1 means all (default: 1)"
    )
    parser.add_argument("-m", dest="module", nargs=argparse.REMAINDER, metavar="module",
                        help="a module, and its arguments")  # fmt: skip
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="script.py",
                        help="a script, and its arguments")  # fmt: skip
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Run the program."""
    program = arguments.module if arguments.module is not None else arguments.program
    if not program:
        raise CommandError("run: a script, or -m and a module, is missing", USAGE)
    if arguments.module is None and not Path(program[0]).exists():
        raise CommandError(f"run: there is no {program[0]}", USAGE)
    tally = ledger.Tally()
    before = sys.argv, sys.path[:]
    with ExitStack() as patches:
        options = {"workers": arguments.workers, "verbose": arguments.patch_verbose}
        try:
            patches.enter_context(patching.patch_scipy(only=arguments.only, **options))
            if arguments.astropy:
                patches.enter_context(patching.patch_astropy(**options))
        except (ImportError, ValueError) as error:
            raise CommandError(f"run: {error}", USAGE) from None
        ledger.keep(tally)
        try:
            sys.argv = program
            _ended(_module if arguments.module is not None else _script, program[0])
        finally:
            sys.argv, sys.path[:] = before
            ledger.drop(tally)
            if sys.stdout is not None:  # or what the program wrote would come after the summary
                sys.stdout.flush()
            for line in tally.lines():
                print(f"pyconv: {line}", file=sys.stderr)


def _script(name: str) -> None:
    if Path(name).is_file():
        _import_from(str(Path(name).resolve().parent))
    runpy.run_path(name, run_name="__main__")


def _module(name: str) -> None:
    _import_from(os.getcwd())  # noqa: PTH109 - a word of sys.path
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _import_from(folder: str) -> None:
    """Put a folder where Python puts that of a program, unless it was told not to."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def _ended(start: Callable[[str], None], name: str) -> None:
    """Run a program to its end; errors are shown as Python shows them, without our own frames."""
    try:
        start(name)
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - of any kind, as where the program ends in Python
        traceback = _of_program(error.__traceback__)
        sys.excepthook(type(error), error.with_traceback(traceback), traceback)
        code = INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILURE
        raise SystemExit(code) from None


def _of_program(traceback: TracebackType | None) -> TracebackType | None:
    """Return the part of a traceback that begins in the program, None where it did not begin."""
    own = (__file__, "<frozen runpy>", runpy.__file__)
    while traceback is not None and traceback.tb_frame.f_code.co_filename in own:
        traceback = traceback.tb_next
    return traceback
