"""How much a call makes the process grow, as Linux counts its resident pages."""

import ctypes
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.cases import Case

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
#: Written to clear_refs, resets the high-water mark (proc(5)).
_RESET_PEAK = "5"


def _kibibytes(field: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise OSError(f"{_STATUS} has no {field}")


def resident() -> int:
    """Return the bytes of the pages that this process holds."""
    return _kibibytes("VmRSS") * 1024


def resident_at_most() -> int:
    """Return the bytes that it held at most."""
    return _kibibytes("VmHWM") * 1024


def growth(call: Callable[[], object]) -> int | None:
    """Return the bytes by which the high-water mark rises, None where it cannot be read.

    Pages that the allocator holds are given back first, or they would hide what the call takes.
    """
    try:
        ctypes.CDLL(None).malloc_trim(0)
        _CLEAR_REFS.write_text(_RESET_PEAK)
        before = _kibibytes("VmRSS")
        call()
        return max(0, _kibibytes("VmHWM") - before) * 1024
    except (OSError, AttributeError):
        return None


def call_small(case: Case, method: str) -> None:
    """Call ``case`` with three taps on a few samples, to bring in the pages of the code.

    A large call would leave behind the block of workspace that the library keeps.
    """
    few = 2 * case.dilation + 4
    small = replace(
        case,
        x_shape=tuple(min(n, few) for n in case.x_shape),
        w_shape=tuple(min(k, 3) for k in case.w_shape),
    )
    x, w = small.data()
    small.bind(x, w, method=method)()


def first_call_growth(case: Case, method: str) -> int | None:
    """Return the growth by the first large call of this process, besides x, w and y."""
    x, w = case.data()
    y = np.ones(case.y_shape, case.result_dtype)
    call_small(case, method)
    return growth(case.bind(x, w, y, method))


def growth_in_fresh_process(case: Case, method: str) -> int | None:
    """Return `first_call_growth` of a process that has called nothing before."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(first_call_growth, case, method).result()
