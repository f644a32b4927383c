"""Cross-correlation and convolution of NumPy arrays in one, two and three dimensions."""

from pyconv._version import __version__
from pyconv.candidates import Explanation
from pyconv.correlation import convolve, correlate
from pyconv.explanation import explain
from pyconv.lags import xcorr
from pyconv.matching import match_template
from pyconv.measuring import tune_machine
from pyconv.missing import coverage
from pyconv.plans import Plan, plan
from pyconv.threads import get_workers, set_workers
from pyconv.tuning import tune
from pyconv.versions import show_versions

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
