"""Files that are read only if they are plain files, and replaced as a whole.

A reader sees the old file or the new one, never a part. Of several writers at once the last one
wins.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any


def file_path(value: object, argument: str) -> Path:
    """Return a path that a caller has named, or raise an error naming ``argument``."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{argument}={value!r}: the name of a file, a string or a path, is allowed")
    name = os.fspath(value)
    if not isinstance(name, str):
        raise TypeError(f"{argument}={value!r}: a name of characters, not of bytes, is allowed")
    if not name or "\0" in name:
        raise ValueError(f"{argument}={value!r} is no name of a file")
    return Path(name)


def open_plain(path: Path) -> IO[bytes]:
    """Open a file for reading; OSError for a directory, device or pipe, which may never end."""
    # A pipe without a writer would not even open otherwise.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    try:
        _require_plain(os.fstat(handle).st_mode, path)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _require_plain(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "It is a device or a pipe, not a file", str(path))


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[IO[Any]]:
    """Give a file to write to, which takes the place of ``path`` once it is complete.

    A symbolic link stays, and what it names is replaced; permissions are those of the old file.
    Whatever stops the writer leaves the old file as it was, and nothing beside it.

    Raises
    ------
    OSError
        If there is no such folder, or ``path`` is read-only or no plain file.
    """
    target = Path(os.path.realpath(path))
    old = None
    with contextlib.suppress(FileNotFoundError):
        old = target.stat().st_mode
        _require_plain(old, path)
        if not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    # A name of its own for each writer. The process decides on the permissions of a new file.
    beside = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.part")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(beside, flags | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        with os.fdopen(handle, "w+b") as file:
            if old is not None and hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), stat.S_IMODE(old))
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
