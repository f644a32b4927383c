"""``python -m pyconv``: the demo, versions, a filter for files, patched programs, a benchmark."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from pyconv import __version__
from pyconv._commands import (
    FAILURE,
    INTERRUPTED,
    OK,
    USAGE,
    CommandError,
    HelpFormatter,
    bench,
    demo,
    filtering,
    info,
    running,
)

EXAMPLES = """\
Examples:
  python -m pyconv                     the demo: real data beside SciPy, pictures in pyconv-demo/
  python -m pyconv info                versions, instruction set, threads and BLAS in use
  python -m pyconv filter in.png --kernel sobel -o out.png
  python -m pyconv filter --help       the kernels and the options
  python -m pyconv bench               a few calls on this machine, beside other libraries
  python -m pyconv run program.py      a program, with these functions in the place of SciPy's

Exit codes: 0 done, 1 failure, 2 usage error or a package missing, 130 interrupted."""


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the whole usage."""

    def error(self, message: str) -> NoReturn:
        """Print the message and leave."""
        self.exit(USAGE, f"pyconv: error: {message}; see {self.prog} --help\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        # argparse would go on, and succeed, where the output cannot be written.
        if file is sys.stdout and file is not None:
            file.write(message)
        else:
            super()._print_message(message, file)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = OneLineParser(
        prog="python -m pyconv",
        description="Cross-correlation and convolution of arrays in one, two and three dimensions.",
        epilog=EXAMPLES,
        formatter_class=HelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"pyconv {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (demo, info, filtering, running, bench):
        command.add_parser(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; by default those of the process. Without a command they are the demo's.
    """
    if sys.stdout is None:  # as ``>&-`` leaves it
        return _fail("there is no standard output", FAILURE)
    try:
        try:
            _run(list(sys.argv[1:] if argv is None else argv))
        finally:
            sys.stdout.flush()
    except CommandError as error:
        return _fail(error, error.code)
    except MemoryError as error:
        return _fail(f"out of memory ({error})" if str(error) else "out of memory", FAILURE)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader has gone (``| head``), and wants to hear no more
        _drop_output()
        return FAILURE
    except UnicodeEncodeError as error:
        _drop_output()
        return _fail(
            f"standard output is {error.encoding}, which cannot show {ascii(error.object)[:200]}; "
            "PYTHONIOENCODING=utf-8 can",
            FAILURE,
        )
    except OSError as error:
        _drop_output()
        return _fail(f"cannot write to standard output ({error.strerror or error})", FAILURE)
    return OK


def _run(given: list[str]) -> None:
    top = parser()
    if not given or (given[0].startswith("--") and given[0] not in ("--help", "--version")):
        given.insert(0, "demo")
    arguments = top.parse_args(given)
    arguments.run(arguments)


def _drop_output() -> None:
    """Let what is still to be written vanish: Python would complain again as it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _fail(message: object, code: int) -> int:
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"pyconv: error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
