"""Wisdom: which algorithm was found fastest for a problem, and what the machine can do.

It is kept in memory and in a file.

The file is JSON and is only ever replaced as a whole. A writer reads what is there, adds its own
and replaces it, so that a reader never sees half of it. Of two that write in the same moment one
may lose what it found, which the next tuning finds again.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from pyconv._engine.files import open_plain, replaced
from pyconv._engine.threads import ForkedLock

#: Names the file that is read before the first choice. Without it none is.
VARIABLE = "PYCONV_WISDOM"
_FORMAT = "pyconv wisdom 1"
#: Bytes of a file: an entry takes some hundreds. A larger file is none of ours.
LARGEST = 32 << 20


class Wisdom:
    """What was found so far: descriptions of problems → names of algorithms."""

    def __init__(self, learn: Callable[[Mapping[str, str]], None]) -> None:
        #: What else is to be known of the entries: it is called when they were read or forgotten.
        self._learn = learn
        self._entries: dict[str, str] = {}
        self._read = False
        self._lock = ForkedLock()

    def get(self, key: str) -> str | None:
        """Return the algorithm that was found fastest, None where nothing is known."""
        return self._entries.get(key)

    def known(self) -> bool:
        """Return whether anything is; the first time, read the file that the variable names."""
        if not self._read:
            with self._lock:
                path = os.environ.get(VARIABLE)
                if path and not self._read:
                    self._entries = read(Path(path)) | self._entries
                    self._learn(self._entries)
                self._read = True
        return bool(self._entries)

    def remember(self, key: str, algorithm: str) -> None:
        """Prefer an algorithm from now on."""
        with self._lock:
            self._entries = self._entries | {key: algorithm}

    def forget(self) -> None:
        """Return to predictions; the file is read again before the next choice."""
        with self._lock:
            self._entries, self._read = {}, False
            self._learn(self._entries)


def read(path: Path) -> dict[str, str]:
    """Return the entries of a file: none, with a warning, of one that is damaged."""
    try:
        with open_plain(path) as file:
            text = file.read(LARGEST + 1)
        if len(text) <= LARGEST:
            found = json.loads(text.decode("utf-8"))
            entries: dict[str, str] = found["entries"]
            strings = all(isinstance(text, str) for pair in entries.items() for text in pair)
            if strings and found["format"] == _FORMAT:
                return entries
    except FileNotFoundError:
        return {}
    except OSError as error:
        warnings.warn(f"the wisdom in {path} cannot be read: {error}", stacklevel=2)
        return {}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    warnings.warn(f"{path} holds no wisdom of this version, or is damaged: ignored", stacklevel=2)
    return {}


def add(path: Path, key: str, algorithm: str) -> None:
    """Add an entry to a file; warn where that is not possible."""
    try:
        with replaced(path) as file:
            entries = read(path) | {key: algorithm}
            text = json.dumps({"format": _FORMAT, "entries": entries}, indent=1)
            file.write((text + "\n").encode("utf-8"))
    except OSError as error:
        warnings.warn(f"the wisdom cannot be written to {path}: {error}", stacklevel=2)
