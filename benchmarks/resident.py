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


def first_call_growth(case: Case, method: str) -> int | None:
    """Return the growth by the first large call of this process, besides x, w and y.

    A small call comes first, so that the pages of the code are not counted; a large one would
    leave behind the block of workspace that the library keeps.
    """
    x, w = case.data()
    out = np.ones(case.y_shape, case.result_dtype)
    span = (max(case.w_shape) - 1) * case.dilation + 1
    small = replace(case, x_shape=tuple(min(n, span + 8) for n in case.x_shape))
    small_x, small_w = small.data()
    small.bind(small_x, small_w, method=method)()
    return growth(case.bind(x, w, out, method))


def growth_in_fresh_process(case: Case, method: str) -> int | None:
    """Return `first_call_growth` of a process that has called nothing before."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(first_call_growth, case, method).result()
