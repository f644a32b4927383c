"""Cross-correlation and convolution of NumPy arrays in one, two and three dimensions."""

from __future__ import annotations

import importlib
import typing

from pyconv._calls.banks import convolve_each, correlate_each
from pyconv._calls.correlation import convolve, correlate
from pyconv._calls.explanation import explain
from pyconv._calls.lag_peaks import xcorr_peak
from pyconv._calls.lags import xcorr
from pyconv._calls.matching import match_template
from pyconv._calls.missing import coverage, fill_gaps
from pyconv._calls.plans import Plan, plan
from pyconv._calls.tuning import tune
from pyconv._calls.versions import show_versions
from pyconv._engine.explanation_table import Explanation
from pyconv._engine.machine_rates import tune_machine
from pyconv._engine.threads import get_workers, set_workers
from pyconv._version import __version__

if typing.TYPE_CHECKING:
    from pyconv import (
        arithmetic,
        astropy,
        filters,
        kernels,
        ndimage,
        nn,
        operators,
        patching,
        signal,
        viz,
    )
    from pyconv._large.pyramids import pyramid
    from pyconv._large.streams import StreamError, StreamInterrupted, stream
    from pyconv.patching import patch_astropy, patch_scipy, unpatch_astropy, unpatch_scipy

__all__ = [
    "Explanation",
    "Plan",
    "StreamError",
    "StreamInterrupted",
    "__version__",
    "arithmetic",
    "astropy",
    "convolve",
    "convolve_each",
    "correlate",
    "correlate_each",
    "coverage",
    "explain",
    "fill_gaps",
    "filters",
    "get_workers",
    "kernels",
    "match_template",
    "ndimage",
    "nn",
    "operators",
    "patch_astropy",
    "patch_scipy",
    "patching",
    "plan",
    "pyramid",
    "set_workers",
    "show_versions",
    "signal",
    "stream",
    "tune",
    "tune_machine",
    "unpatch_astropy",
    "unpatch_scipy",
    "viz",
    "xcorr",
    "xcorr_peak",
]

#: Modules that are imported when they are first asked for.
_SUBMODULES = frozenset(
    (
        "arithmetic",
        "astropy",
        "filters",
        "kernels",
        "ndimage",
        "nn",
        "operators",
        "patching",
        "signal",
        "viz",
    )
)
#: Functions and errors of such modules.
_FUNCTIONS = {
    **dict.fromkeys(
        ("patch_astropy", "patch_scipy", "unpatch_astropy", "unpatch_scipy"), "pyconv.patching"
    ),
    **dict.fromkeys(("StreamError", "StreamInterrupted", "stream"), "pyconv._large.streams"),
    "pyramid": "pyconv._large.pyramids",
}


def __getattr__(name: str) -> typing.Any:
    """Import a public module at its first use."""
    if name in _SUBMODULES:
        return importlib.import_module(f"pyconv.{name}")
    if name in _FUNCTIONS:
        function = getattr(importlib.import_module(_FUNCTIONS[name]), name)
        return globals().setdefault(name, function)
    raise AttributeError(f"module 'pyconv' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, those of modules that are not imported yet included."""
    return sorted(__all__)
