"""Case: one problem to time, with its data and its exact answer; CASES: those of every tool.

At import it needs nothing but NumPy, SciPy and a `pyconv.correlate` of any age: the suite of asv
uses it.
"""

import functools
import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import scipy.ndimage
import scipy.signal

import pyconv
from benchmarks.threads import COUNT

#: Our boundary names → the modes of scipy.ndimage.
NDIMAGE_MODES = {
    "constant": "constant",
    "nearest": "nearest",
    "symmetric": "reflect",
    "mirror": "mirror",
    "wrap": "wrap",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One call of ``pyconv.correlate``, without its data."""

    x_shape: tuple[int, ...]
    w_shape: tuple[int, ...]
    mode: Literal["valid", "same"] = "same"
    boundary: str = "mirror"
    stride: int = 1
    dilation: int = 1
    x_dtype: str = "float32"
    w_dtype: str = "float32"
    kernel: Literal["random", "box", "gaussian"] = "random"
    #: The error that is granted.
    rtol: float | None = None

    @property
    def label(self) -> str:
        """The shapes, and whatever is not the default."""
        words = ["x".join(map(str, self.x_shape)), f"k={'x'.join(map(str, self.w_shape))}"]
        if len(set(self.w_shape)) == 1:
            words[1] = f"k={self.w_shape[0]}"
        if self.kernel != "random":
            words.append(self.kernel)
        if self.mode != "same":
            words.append(self.mode)
        if self.stride > 1:
            words.append(f"stride {self.stride}")
        if self.dilation > 1:
            words.append(f"dilation {self.dilation}")
        if self.x_dtype != "float32":
            words.append(self.x_dtype)
        if self.rtol is not None:
            words.append(f"rtol {self.rtol:g}")
        return " ".join(words)

    @property
    def dense(self) -> bool:
        """Whether every sample is a window's centre: no stride, no dilation, an odd kernel."""
        odd = all(k % 2 for k in self.w_shape)
        return self.mode == "same" and self.stride == self.dilation == 1 and odd

    @property
    def result_dtype(self) -> np.dtype:
        """The dtype of the result."""
        return np.result_type(self.x_dtype, self.w_dtype)

    @property
    def y_shape(self) -> tuple[int, ...]:
        """The shape of the result."""
        first = len(self.x_shape) - len(self.w_shape)
        shape = list(self.x_shape)
        for axis, k in enumerate(self.w_shape, first):
            positions = shape[axis] - (k - 1) * self.dilation * (self.mode == "valid")
            shape[axis] = -(-positions // self.stride)
        return tuple(shape)

    @property
    def options(self) -> dict[str, Any]:
        """The keywords of the call."""
        granted = {} if self.rtol is None else {"rtol": self.rtol}
        return self.window | granted

    @property
    def window(self) -> dict[str, Any]:
        """Those that say what is summed."""
        names = "mode", "boundary", "stride", "dilation"
        return {name: getattr(self, name) for name in names}

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return ``x`` and ``w``: random, neither constant nor denormal, the same every time."""
        rng = np.random.default_rng(2024)

        def draw(shape: tuple[int, ...], dtype: str) -> np.ndarray:
            # No copies: they would be the peak of the memory that asv reports.
            if np.dtype(dtype).kind in "iu":
                limits = np.iinfo(dtype)
                return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
            a: np.ndarray = rng.random(shape, dtype)  # type: ignore[call-overload]
            a -= 0.5
            return a

        x, w = draw(self.x_shape, self.x_dtype), draw(self.w_shape, self.w_dtype)
        if self.kernel == "box":
            w = np.full(self.w_shape, 1 / math.prod(self.w_shape), self.w_dtype)
        elif self.kernel == "gaussian":
            w = gaussian(self.w_shape).astype(self.w_dtype)
        return x, w

    @property
    def products(self) -> int:
        """The multiplications that the definition takes."""
        return math.prod(self.y_shape) * math.prod(self.w_shape)

    @property
    def size(self) -> int:
        """The bytes of the arrays."""
        arrays = (self.x_shape, self.x_dtype), (self.w_shape, self.w_dtype)
        read = sum(math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype in arrays)
        return read + math.prod(self.y_shape) * self.result_dtype.itemsize

    def bind(
        self,
        x: np.ndarray,
        w: np.ndarray,
        out: np.ndarray | None = None,
        method: str = "auto",
    ) -> Callable[[], np.ndarray]:
        """Return our call, ready to be timed."""
        options = self.options
        return lambda: pyconv.correlate(x, w, **options, out=out, method=method, workers=COUNT)

    def exact(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Return the answer in a wide dtype, by the oracle of the tests."""
        total, _ = oracles().correlate(x, w, **self.window)
        return total

    def exact_by_ndimage(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Return the answer in float64, by SciPy: for sizes that would take the oracle minutes."""
        if not self.dense:
            raise ValueError(f"{self.label}: scipy.ndimage has neither stride nor dilation")
        wide = w.astype(np.float64).reshape((1,) * (x.ndim - w.ndim) + w.shape)
        mode = NDIMAGE_MODES[self.boundary]
        return scipy.ndimage.correlate(x, wide, output=np.float64, mode=mode)

    def exact_by_transform(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Return the answer by SciPy's transforms in float64: for kernels of any size.

        Their error is that of float64, 10⁹ times less than what a float32 result is granted.
        """
        if not (self.dense and self.boundary == "constant"):
            raise ValueError(f"{self.label}: scipy.signal extends by zeros, without stride")
        wide = np.flip(w).astype(np.float64)
        return scipy.signal.oaconvolve(x.astype(np.float64), wide, "same")


def gaussian(shape: tuple[int, ...]) -> np.ndarray:
    """Return a bell that ends at four standard deviations, as SciPy's do; its sum is 1."""
    sides = [np.exp(-0.5 * np.linspace(-4, 4, k) ** 2) for k in shape]
    bell = functools.reduce(np.multiply.outer, [side / side.sum() for side in sides])
    return np.asarray(bell)


@cache
def oracles() -> ModuleType:
    """Return tests/oracles.py; asv imports this package alone, so it is found by its path."""
    path = Path(__file__).parents[1] / "tests" / "oracles.py"
    spec = importlib.util.spec_from_file_location("oracles", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def error(y: np.ndarray, exact: np.ndarray, x: np.ndarray, w: np.ndarray) -> float:
    """Return max|y − exact| / (max|x|·Σ|w|), infinite for a NaN or another shape."""
    if y.shape != exact.shape:
        return math.inf
    difference = np.abs(y - exact).max()
    scale = float(np.abs(_wide(x)).max() * np.abs(_wide(w)).sum())
    return float(difference) / scale if difference == difference else math.inf


def _wide(a: np.ndarray) -> np.ndarray:
    return a.astype(np.result_type(a, np.float64))


def tolerance(case: Case) -> float:
    """Return the bound on `error`: what is granted, or (n + 2) ε of a plain sum of n products."""
    if case.rtol is not None:
        return case.rtol
    return float((math.prod(case.w_shape) + 2) * np.finfo(case.result_dtype).eps)


def _cube(size: int, k: int, ndim: int, **options: Any) -> Case:
    return Case((size,) * ndim, (k,) * ndim, **options)


#: By the dimensions of the kernel: sizes in and out of the cache, short and long kernels, and
#: each road through the loops that differs (strides, dilations, float64, bytes, batch axes).
CASES: dict[str, tuple[Case, ...]] = {
    "1-D": (
        *(_cube(10**4, k, 1, boundary="constant") for k in (3, 17, 127)),
        *(_cube(10**6, k, 1, boundary="constant") for k in (3, 17, 127)),
        _cube(10**6, 17, 1, mode="valid", stride=2),
        _cube(10**6, 17, 1, mode="valid", dilation=8),
        _cube(10**6, 17, 1, x_dtype="float64", w_dtype="float64"),
        Case((1000, 1000), (9,)),
    ),
    "2-D": (
        *(_cube(512, k, 2) for k in (3, 7, 15)),
        _cube(2048, 3, 2),
        _cube(512, 15, 2, kernel="gaussian"),
        _cube(512, 15, 2, kernel="box"),
        _cube(512, 25, 2, kernel="gaussian", rtol=1e-3),
        _cube(512, 7, 2, mode="valid", stride=2),
        _cube(512, 7, 2, mode="valid", dilation=3),
        _cube(512, 7, 2, x_dtype="float64", w_dtype="float64"),
        _cube(512, 7, 2, x_dtype="uint8"),
        Case((16, 64, 64), (3, 3)),
    ),
    "3-D": (
        *(_cube(64, k, 3) for k in (3, 5, 7)),
        _cube(128, 3, 3),
        _cube(64, 3, 3, mode="valid", stride=2),
        _cube(64, 3, 3, x_dtype="float64", w_dtype="float64"),
    ),
}
