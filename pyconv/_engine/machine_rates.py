"""tune_machine: measure the rates that predicted times are made of, and remember them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from pyconv._engine.files import file_path
from pyconv._engine.machine import MACHINE, Machine
from pyconv._engine.planner import WISDOM, clear_cache, machine_key
from pyconv._engine.planning import plan_for
from pyconv._engine.threads import available_cpus
from pyconv._engine.wisdom import add

#: For each rate: seconds to go on measuring, and samples at least.
SECONDS, LEAST = 4e-3, 3
#: A copy is larger than the last cache of most processors.
COPY_BYTES = 24 << 20
#: A thread is woken for so many times the work that waking it costs, within these limits: here it
#: is awake mostly, and a caller that needs no help shows no cost.
WORTH, FEWEST_SECONDS, MAX_SECONDS = 20, 100e-6, 2e-3

#: Rate → the method and the problem that it is measured by, shapes of x and w, and the seconds
#: that these took on one thread where the defaults were found (Zen 4, AVX-512). The defaults make
#: the best choices over many problems, of which these are the quickest to measure.
PROBLEMS = {
    "direct_bytes_per_second": ("direct", (128, 512), (9, 9), 88.5e-6),
    "fft_rate": ("fft", (256, 256), (31, 31), 126e-6),
    "gemv_bytes_per_second": ("im2col", (64, 256), (9, 9), 146e-6),
    "numpy_seconds_per_product": ("reference", (64, 64), (3, 3), 275e-6),
}
#: The bytes a second of the copy there.
COPY_RATE = 34e9


def tune_machine(path: str | os.PathLike[str] | None = None) -> dict[str, float]:
    """Measure this machine, and predict times of algorithms by what was measured from now on.

    It takes a few tens of milliseconds, and should have the machine to itself. What is measured
    holds for this process; and for others that read the file at `path`, as they do when the
    environment variable ``PYCONV_WISDOM`` names it: the file says on which processor, and for
    which instruction set, and serves no other.
    Without, pyconv predicts by rates that are the same everywhere, so that a call runs the same
    algorithm, and returns the same bits, in every process.

    Parameters
    ----------
    path : str or path-like, optional
        File that the rates are added to, replaced as a whole; one that is damaged is begun
        again, and one that cannot be written gives a warning. By default no file is written.

    Returns
    -------
    dict
        The rates of one core, by the names of the fields of `Machine`: bytes a second, seconds a
        product, bytes.

    See Also
    --------
    tune : time the algorithms for one problem.
    explain : the predicted times.

    Examples
    --------
    >>> import pyconv
    >>> rates = pyconv.tune_machine()
    >>> rates["direct_bytes_per_second"] > 1e9
    True
    """
    file = None if path is None else file_path(path, "path")
    machine = Machine()
    machine.copy_bytes_per_second *= _copy_rate() / COPY_RATE
    machine.seconds_per_thread = _thread_seconds()
    for rate, (method, x_shape, w_shape, reference) in PROBLEMS.items():
        slower = _seconds(method, x_shape, w_shape) / reference
        usual = getattr(machine, rate)
        setattr(machine, rate, usual * slower if "seconds_per" in rate else usual / slower)
    rates = asdict(machine)
    MACHINE.take(rates)
    text = json.dumps(rates)
    WISDOM.remember(machine_key(), text)
    clear_cache()  # plans were made without them
    if file is not None:
        add(file, machine_key(), text)
    return rates


def _seconds(method: str, x_shape: tuple[int, ...], w_shape: tuple[int, ...]) -> float:
    """Return the seconds that a problem takes on one thread."""
    x, w = np.ones(x_shape, np.float32), np.ones(w_shape, np.float32)
    plan = plan_for(x, w, method=method)
    y = np.empty(plan.problem.y_shape, np.float32)
    return _least_seconds(lambda: plan.solve(x, w, y, 1))


def _copy_rate() -> float:
    source, copy = np.zeros(COPY_BYTES, np.uint8), np.empty(COPY_BYTES, np.uint8)
    source[...] = 1
    return 2 * COPY_BYTES / _least_seconds(lambda: np.copyto(copy, source))


def _thread_seconds() -> float:
    """Return the work that a thread is worth waking for, from what waking one more costs."""
    if available_cpus() == 1:
        return Machine().seconds_per_thread
    x, w = np.ones((64, 64), np.float32), np.ones((3, 3), np.float32)
    plan = plan_for(x, w, method="direct")
    y = np.empty(plan.problem.y_shape, np.float32)
    one, two = (_least_seconds(lambda n=n: plan.solve(x, w, y, n)) for n in (1, 2))  # type: ignore[misc]
    return min(max(WORTH * (two - one), FEWEST_SECONDS), MAX_SECONDS)


def _least_seconds(call: Callable[[], object]) -> float:
    """Return the least seconds of a call."""
    call()  # code, tables and pages are fetched
    best, spent, samples = np.inf, 0.0, 0
    while spent < SECONDS or samples < LEAST:
        start = time.perf_counter()
        call()
        seconds = time.perf_counter() - start
        best, spent, samples = min(best, seconds), spent + seconds, samples + 1
    return float(best)
