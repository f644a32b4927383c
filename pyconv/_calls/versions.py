"""show_versions: what a bug report should say about the installation."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import numpy as np

from pyconv._engine.machine import ROW
from pyconv._engine.threads import available_cpus, get_workers
from pyconv._native import loader
from pyconv._version import __version__


def versions() -> dict[str, str]:
    """Return the names and versions of everything that decides what a call does."""
    import scipy  # 15 ms, which `import pyconv` need not take

    return {
        "pyconv": __version__,
        "Python": sys.version.split()[0],
        "NumPy": np.__version__,
        "SciPy": scipy.__version__,
        "platform": platform.platform(),
        "ISA": f"{loader.native.ISA} (can run {', '.join(loader.runnable())})",
        "rates": ROW.name,
        "threads": loader.native.threading(),
        "BLAS": blas(),
        "CPUs": str(available_cpus()),
        "workers": str(get_workers()),
    }


def blas() -> str:
    """Describe the BLAS that im2col multiplies with, which is SciPy's."""
    import scipy.linalg  # noqa: F401  (it loads the library that threadpoolctl then finds)

    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return f"{_scipy_build_blas()}, as SciPy was built (threadpoolctl would tell its threads)"
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    # NumPy's wheels carry a second one (in numpy.libs or numpy/.dylibs), which is not ours.
    of_scipy = [
        pool
        for pool in pools
        if not {"numpy.libs", "numpy"}.intersection(Path(pool["filepath"]).parts[-3:-1])
    ]
    if not of_scipy:
        return f"{_scipy_build_blas()}, as SciPy was built"
    return "; ".join(
        " ".join(
            str(part)
            for part in (
                pool["internal_api"],
                pool.get("version"),
                pool.get("architecture"),
                f"({pool['num_threads']} threads, {pool.get('threading_layer', 'unknown')})",
            )
            if part
        )
        for pool in of_scipy
    )


def _scipy_build_blas() -> str:
    import scipy

    built = scipy.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{built.get('name', 'unknown')} {built.get('version', '')}".strip()


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
