"""show_versions: what a bug report should say about the installation."""

import platform
import sys

import numpy as np
import scipy

from pyconv._native import loader
from pyconv._version import __version__
from pyconv.threads import available_cpus


def versions() -> dict[str, str]:
    """Return the names and versions of everything that decides what a call does."""
    return {
        "pyconv": __version__,
        "Python": sys.version.split()[0],
        "NumPy": np.__version__,
        "SciPy": scipy.__version__,
        "platform": platform.platform(),
        "ISA": f"{loader.native.ISA} (can run {', '.join(loader.runnable())})",
        "OpenMP": loader.native.openmp(),
        "CPUs": str(available_cpus()),
    }


def show_versions() -> None:
    """Print the versions and the machine's abilities, for bug reports.

    Examples
    --------
    >>> import pyconv
    >>> pyconv.show_versions()  # doctest: +ELLIPSIS
    pyconv: ...
    """
    for name, value in versions().items():
        print(f"{name}: {value}")
