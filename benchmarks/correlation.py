"""asv: time, peak memory, error and workspace of correlate in one, two and three dimensions."""

import numpy as np

from benchmarks.cases import CASES, Case, error, tolerance
from benchmarks.resident import call_small, growth

#: Spelled out, where other tools read the table of algorithms: asv runs a benchmark by the
#: number of its parameters, which must be the same in every commit that it compares.
METHODS = ("auto", "direct", "fft", "im2col")

_BY_LABEL = {case.label: case for cases in CASES.values() for case in cases}
_EPSILONS = "ε of max|x|·Σ|w|"


class _Correlate:
    """Every case of one dimension by every method, on one thread.

    A case's result is compared with the oracle once, before anything is timed; where it is
    wrong, or the commit has no such method, there is no figure.
    """

    param_names = ("case", "method")
    timeout = 120
    rounds = 2
    repeat = (3, 20, 0.3)
    sample_time = 0.005
    warmup_time = 0.02

    def setup_cache(self) -> dict[tuple[str, str], float]:
        """Return the error of each case by each method: once for all classes, which share it."""
        errors = {}
        for label, case in _BY_LABEL.items():
            x, w = case.data()
            exact = case.exact(x, w)
            for method in METHODS:
                try:
                    y = case.bind(x, w, method=method)()
                except ValueError:  # the commit lacks the method, or it rejects the case
                    continue
                errors[label, method] = error(y, exact, x, w)
        return errors

    def setup(self, errors: dict[tuple[str, str], float], label: str, method: str) -> None:
        """Bind the case to its data; `track_workspace` needs its first call not to have been."""
        self.case: Case = _BY_LABEL[label]
        if (label, method) not in errors:
            raise NotImplementedError(f"{label}: no method {method} here")
        self.error = errors[label, method]
        bound = tolerance(self.case)
        if not self.error <= bound:
            raise AssertionError(f"{label} by {method}: error {self.error:.2g}, bound {bound:.2g}")
        x, w = self.case.data()
        y = np.ones(self.case.y_shape, self.case.result_dtype)
        call_small(self.case, method)
        self.call = self.case.bind(x, w, y, method)

    def time_correlate(self, errors: dict[tuple[str, str], float], label: str, method: str) -> None:
        """Time a call that fills a given result."""
        self.call()

    def peakmem_correlate(
        self, errors: dict[tuple[str, str], float], label: str, method: str
    ) -> None:
        """Peak memory of the whole process."""
        self.call()

    def track_error(self, errors: dict[tuple[str, str], float], label: str, method: str) -> float:
        """Return the largest error in rounding units, relative to max|x|·Σ|w|."""
        return self.error / float(np.finfo(self.case.result_dtype).eps)

    track_error.unit = _EPSILONS  # type: ignore[attr-defined]

    def track_workspace(
        self, errors: dict[tuple[str, str], float], label: str, method: str
    ) -> float:
        """Return the bytes by which a first call makes the process grow, beside x, w and y."""
        grown = growth(self.call)
        return float("nan") if grown is None else grown

    track_workspace.unit = "bytes"  # type: ignore[attr-defined]


class Correlate1D(_Correlate):
    """Signals."""

    params = ([case.label for case in CASES["1-D"]], METHODS)


class Correlate2D(_Correlate):
    """Images."""

    params = ([case.label for case in CASES["2-D"]], METHODS)


class Correlate3D(_Correlate):
    """Volumes."""

    params = ([case.label for case in CASES["3-D"]], METHODS)
