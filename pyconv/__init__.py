"""Cross-correlation and convolution of NumPy arrays in one, two and three dimensions."""

from __future__ import annotations

from pyconv._calls.correlation import convolve, correlate
from pyconv._calls.explanation import explain
from pyconv._calls.lags import xcorr
from pyconv._calls.matching import match_template
from pyconv._calls.missing import coverage
from pyconv._calls.plans import Plan, plan
from pyconv._calls.tuning import tune
from pyconv._calls.versions import show_versions
from pyconv._engine.explanation_table import Explanation
from pyconv._engine.machine_rates import tune_machine
from pyconv._engine.threads import get_workers, set_workers
from pyconv._version import __version__

__all__ = [
    "Explanation",
    "Plan",
    "__version__",
    "convolve",
    "correlate",
    "coverage",
    "explain",
    "get_workers",
    "match_template",
    "plan",
    "set_workers",
    "show_versions",
    "tune",
    "tune_machine",
    "xcorr",
]
