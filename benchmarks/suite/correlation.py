"""asv: correlate in one, two and three dimensions, by algorithm, boundary and dtype."""

from itertools import product

import numpy as np

from benchmarks.cases import CASES, Case, error, oracles, tolerance
from benchmarks.resident import call_small, growth
from benchmarks.tables import ALGORITHM_NAMES, BOUNDARY_NAMES, DTYPE_NAMES
from benchmarks.tracked import QUICK, REFERENCE_PRODUCTS, Checked, Figures, Suite, figures

METHODS = ("auto", *ALGORITHM_NAMES)
Known = dict[tuple[str, ...], Figures]

_BY_LABEL = {case.label: case for cases in CASES.values() for case in cases}
#: In the cache and out of it, and weights that only some algorithms are fit for.
_QUICK_LABELS = {
    "1-D": ("10000 k=17", "1000000 k=127"),
    "2-D": (
        "512x512 k=7",
        "2048x2048 k=3",
        "512x512 k=15 gaussian",
        "512x512 k=15 box",
        "512x512 k=25 gaussian rtol 0.001",
    ),
    "3-D": ("64x64x64 k=3", "64x64x64 k=7"),
}
_EPSILONS = "ε of max|x|·Σ|w|"
_GFLOPS = "GF/s of the definition"
_SHARE = "of max(flops ÷ peak, bytes ÷ bandwidth)"


def _labels(dimension: str) -> tuple[str, ...]:
    return _QUICK_LABELS[dimension] if QUICK else tuple(c.label for c in CASES[dimension])


def _bind(label: str, method: str) -> Checked:
    """Bind a case on one thread, and compare its result with the oracle."""
    case = _BY_LABEL[label]
    _skip_the_slow(case, method)
    x, w = case.data()
    y = np.full(case.y_shape, np.nan, case.result_dtype)
    call = case.bind(x, w, y, method)
    found = error(call(), case.exact(x, w), x, w)
    epsilon = float(np.finfo(case.result_dtype).eps)
    size = x.nbytes + w.nbytes + y.nbytes
    return Checked(call, case.products, size, found, tolerance(case), epsilon)


def _skip_the_slow(case: Case, method: str) -> None:
    if method == "reference" and case.products > REFERENCE_PRODUCTS:
        raise NotImplementedError(f"{case.label}: too slow by {method}")


class _Correlate(Suite):
    """Every case of one dimension by every algorithm, on one thread, filling a given result."""

    param_names = ("case", "method")

    def setup(self, known: Known, label: str, method: str) -> None:
        """Bind the case to its data."""
        self.figures = self.require(known, label, method)
        case = _BY_LABEL[label]
        x, w = case.data()
        y = np.ones(case.y_shape, case.result_dtype)
        self.call = case.bind(x, w, y, method)

    def time_correlate(self, known: Known, label: str, method: str) -> None:
        """Time a call."""
        self.call()

    def track_error(self, known: Known, label: str, method: str) -> float:
        """Return the largest error in rounding units."""
        return self.figures.error

    track_error.unit = _EPSILONS  # type: ignore[attr-defined]

    def track_gflops(self, known: Known, label: str, method: str) -> float:
        """Return the rate of the definition's operations."""
        return self.figures.gflops

    track_gflops.unit = _GFLOPS  # type: ignore[attr-defined]

    def track_share_of_limit(self, known: Known, label: str, method: str) -> float:
        """Return the time that the machine's measured limits allow ÷ ours."""
        return self.figures.share

    track_share_of_limit.unit = _SHARE  # type: ignore[attr-defined]


class Correlate1D(_Correlate):
    """Signals, float32 and float64, by every algorithm."""

    params = (_labels("1-D"), METHODS)

    def setup_cache(self) -> Known:
        """Check and rate every case once."""
        return figures(product(*self.params), _bind)


class Correlate2D(_Correlate):
    """Images, float32, float64 and uint8, by every algorithm."""

    params = (_labels("2-D"), METHODS)

    def setup_cache(self) -> Known:
        """Check and rate every case once."""
        return figures(product(*self.params), _bind)


class Correlate3D(_Correlate):
    """Volumes, float32 and float64, by every algorithm."""

    params = (_labels("3-D"), METHODS)

    def setup_cache(self) -> Known:
        """Check and rate every case once."""
        return figures(product(*self.params), _bind)


class CorrelateMemory(Suite):
    """What calls hold besides their arrays, by every algorithm."""

    param_names = ("case", "method")
    params = (
        tuple(_QUICK_LABELS[d][0] for d in CASES) if QUICK else tuple(_BY_LABEL),
        METHODS,
    )

    def setup_cache(self) -> Known:
        """Check every case once."""
        return figures(product(*self.params), _bind, rates=False)

    def setup(self, known: Known, label: str, method: str) -> None:
        """Bind the case; `track_workspace` needs its first large call not to have been."""
        self.require(known, label, method)
        case = _BY_LABEL[label]
        x, w = case.data()
        y = np.ones(case.y_shape, case.result_dtype)
        call_small(case, method)
        self.call = case.bind(x, w, y, method)

    def peakmem_correlate(self, known: Known, label: str, method: str) -> None:
        """Peak memory of the whole process."""
        self.call()

    def track_workspace(self, known: Known, label: str, method: str) -> float:
        """Return the bytes by which a first call makes the process grow, beside x, w and y."""
        grown = growth(self.call)
        return float("nan") if grown is None else grown

    track_workspace.unit = "bytes"  # type: ignore[attr-defined]


#: One for each dimension, small enough for the oracle's Python integers: (shape, kernel).
_SMALL = {"1-D": ((10_007,), (17,)), "2-D": ((121, 131), (7, 7)), "3-D": ((23, 25, 27), (3, 3, 3))}


def _small_case(dimension: str, boundary: str, dtype: str = "float32") -> Case:
    return Case(*_SMALL[dimension], boundary=boundary, x_dtype=dtype, w_dtype=dtype)


def _whole_numbers(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Return data that every dtype holds, whose sums are exact in all of them."""
    rng = np.random.default_rng(2024)
    x, w = (rng.integers(0, 5, s).astype(case.x_dtype) for s in (case.x_shape, case.w_shape))
    return x, w


def _bind_small(dimension: str, boundary: str, dtype: str, method: str) -> Checked:
    case = _small_case(dimension, boundary, dtype)
    _skip_the_slow(case, method)
    x, w = _whole_numbers(case)
    call = case.bind(x, w, None, method)
    y = call()
    exact, _ = oracles().correlate(_floats(x), _floats(w), **case.options)
    kind = y.dtype if y.dtype.kind in "fc" else np.dtype(np.float64)
    epsilon = float(np.finfo(kind).eps)
    granted = (w.size + 2) * epsilon if y.dtype.kind in "fc" else 0.0
    size = x.nbytes + w.nbytes + y.nbytes
    return Checked(call, case.products, size, error(y, exact, x, w), granted, epsilon)


def _floats(a: np.ndarray) -> np.ndarray:
    return a.astype(np.result_type(a, np.float64))


class _Small(Suite):
    """Small problems, whose borders and conversions are a good part of the work."""

    param_names = ("dimension", "boundary", "dtype", "method")

    def setup(self, known: Known, *case: str) -> None:
        """Bind the case to its data."""
        self.figures = self.require(known, *case)
        dimension, boundary, dtype, method = case
        small = _small_case(dimension, boundary, dtype)
        self.call = small.bind(*_whole_numbers(small), None, method)

    def time_correlate(self, known: Known, *case: str) -> None:
        """Time a call that makes its result."""
        self.call()

    def track_error(self, known: Known, *case: str) -> float:
        """Return the largest error in rounding units; integers have none."""
        return self.figures.error

    track_error.unit = _EPSILONS  # type: ignore[attr-defined]


class Boundaries(_Small):
    """Every boundary in every dimension."""

    params = (tuple(_SMALL), BOUNDARY_NAMES, ("float32",), ("auto",) if QUICK else METHODS)

    def setup_cache(self) -> Known:
        """Check every case once."""
        return figures(product(*self.params), _bind_small, rates=False)


class Dtypes(_Small):
    """Every dtype; in the full profile by every algorithm and boundary in every dimension."""

    params = (
        ("2-D",) if QUICK else tuple(_SMALL),
        ("mirror",) if QUICK else BOUNDARY_NAMES,
        DTYPE_NAMES,
        ("auto",) if QUICK else METHODS,
    )

    def setup_cache(self) -> Known:
        """Check every case once."""
        return figures(product(*self.params), _bind_small, rates=False)
