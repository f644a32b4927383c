"""asv: the library as a whole: overhead of calls, threads, start and size."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np

import pyconv
from benchmarks.cases import Case, error, tolerance
from benchmarks.tracked import ABSENT, Suite, one_thread

_TINY = Case((32, 32), (3, 3))
_CALLS = ("correlate", "plan")


class Overhead(Suite):
    """Calls whose arithmetic takes almost no time: 32×32 float32 with 3×3, filling a result."""

    param_names = ("call",)
    params = (_CALLS,)

    def setup(self, call: str) -> None:
        """Bind the call and check it."""
        if not one_thread():
            raise NotImplementedError("measured on one thread")
        x, w = _TINY.data()
        y = np.full(_TINY.y_shape, np.nan, np.float32)
        try:
            self.call = (
                _TINY.bind(x, w, y)
                if call == "correlate"
                else partial(pyconv.plan(x, w, **_TINY.options), x, y)
            )
        except ABSENT as why:
            raise NotImplementedError(str(why)) from why
        found = error(self.call(), _TINY.exact(x, w), x, w)
        if not found <= tolerance(_TINY):
            raise AssertionError(f"{call}: error {found:.2g}")

    def time_call(self, call: str) -> None:
        """Time a call."""
        self.call()


#: Worth sharing, each by another algorithm: (shape, kernel).
_SHARED = {
    "2048x2048 k=7": ((2048, 2048), (7, 7)),
    "2048x2048 k=31": ((2048, 2048), (31, 31)),
    "128x128x128 k=3": ((128, 128, 128), (3, 3, 3)),
}
_THREADS_SETUP = """
import numpy as np
import pyconv
rng = np.random.default_rng(2024)
x, w = (rng.random(s, np.float32) - np.float32(0.5) for s in ({x_shape}, {w_shape}))
y = np.full(x.shape, np.nan, np.float32)
pyconv.correlate(x, w, "same", out=y)
if not np.array_equal(y, pyconv.correlate(x, w, "same", workers=1)):
    raise SystemExit("the bits depend on the number of threads")
"""


class Threads(Suite):
    """Wall time of calls on as many threads as the matrix's ``OMP_NUM_THREADS`` grants.

    In processes of their own: the library keeps to one thread in a forked one. There the result
    is compared with that of one thread, which the setup compares with float64.
    """

    param_names = ("case",)
    params = (tuple(_SHARED),)
    number = 3
    repeat = 3 if Suite.rounds == 1 else 10

    def setup(self, label: str) -> None:
        """Compare the result of one thread, of smaller arrays, with SciPy's in float64."""
        shape, kernel = _SHARED[label]
        case = Case(tuple(n // 8 for n in shape), kernel)
        x, w = case.data()
        found = error(case.bind(x, w)(), case.exact_by_ndimage(x, w), x, w)
        if not found <= tolerance(case):
            raise AssertionError(f"{label}: error {found:.2g}")

    def timeraw_correlate(self, label: str) -> tuple[str, str]:
        """Time a call that fills a given result."""
        shape, kernel = _SHARED[label]
        setup = _THREADS_SETUP.format(x_shape=shape, w_shape=kernel)
        return 'pyconv.correlate(x, w, "same", out=y)', setup


_IMPORT = """
import time
import numpy
start = time.perf_counter()
import pyconv
print(time.perf_counter() - start)
"""


class Package:
    """What the package costs before anything is computed."""

    timeout = 120

    def setup(self) -> None:
        """Leave out other numbers of threads: nothing here depends on them."""
        if not one_thread():
            raise NotImplementedError("the same for any number of threads")

    def track_import(self) -> float:
        """Return the least seconds of ``import pyconv`` where NumPy is imported already."""
        command = [sys.executable, "-c", _IMPORT]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        runs = (
            subprocess.run(
                command, capture_output=True, text=True, check=True, cwd="/", env=environment
            )
            for _ in range(7)
        )
        return min(float(run.stdout) for run in runs)

    track_import.unit = "seconds"  # type: ignore[attr-defined]

    def track_installed_size(self) -> int:
        """Return the bytes of the installed package, compiled loops included."""
        files = Path(pyconv.__file__).parent.rglob("*")
        sources = (".c", ".pyx", ".pxi", ".pxd", ".h", ".pyc")
        return sum(f.stat().st_size for f in files if f.is_file() and f.suffix not in sources)

    track_installed_size.unit = "bytes"  # type: ignore[attr-defined]
