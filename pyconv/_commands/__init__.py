"""What ``python -m pyconv`` can do, one module for each command.

A command has ``add_parser``, which names its arguments, and ``run``, which returns nothing and
raises CommandError for what the user should read as one line.
"""

from __future__ import annotations

import argparse
import sys
import textwrap

#: Exit codes of the command line.
OK, FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130


class CommandError(Exception):
    """A failure that one line explains."""

    def __init__(self, message: object, code: int = FAILURE) -> None:
        super().__init__(" ".join(str(message).split()))
        self.code = code


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help whose paragraphs are filled, and whose examples are left as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return super()._fill_text(text, width, indent)
        return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)


def check_shown(*words: object) -> None:
    """Raise UnicodeEncodeError, before any work, for words that the output could not show."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    for word in words:
        str(word).encode(encoding, getattr(sys.stdout, "errors", None) or "strict")


class MissingPackageError(CommandError):
    """A package of an extra is not installed."""

    def __init__(self, task: str, package: str, extra: str = "demo") -> None:
        super().__init__(
            f"{task} needs {package}: pip install 'pyconv-nd[{extra}]', "
            f"or pip install -e '.[{extra}]' in a clone",
            USAGE,
        )
