"""The demo's cases: which filter goes over which recording, here and in SciPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

import pyconv
from pyconv import kernels
from pyconv._calls.plans import Plan
from pyconv._commands.demo_data import Recording
from pyconv._commands.named_kernels import magnitude
from pyconv._engine import planning

Array = npt.NDArray[Any]

#: SciPy's words for our boundaries: ndimage's modes, and np.pad's in front of signal.
NDIMAGE_MODES = {"symmetric": "reflect", "mirror": "mirror", "nearest": "nearest", "wrap": "wrap"}
PAD_MODES = {"symmetric": "symmetric", "mirror": "reflect", "nearest": "edge", "wrap": "wrap"}


@dataclass(frozen=True)
class Case:
    """One row of the table: data and what is done to it."""

    data: str
    filter: str
    x: Array
    kernels: tuple[Array, ...]
    axes: tuple[int, ...]
    boundary: str = "symmetric"
    keywords: Mapping[str, Any] = field(default_factory=dict)
    #: The function of ndimage for this filter alone, and its arguments, where there is one.
    own: tuple[str, Mapping[str, Any]] | None = None

    @property
    def stride(self) -> int:
        """Return the distance between results."""
        return int(self.keywords.get("stride", 1))

    def pyconv(self, workers: int | None) -> Array:
        """Return our result."""
        return magnitude(
            [
                pyconv.correlate(
                    self.x,
                    w,
                    "same",
                    self.boundary,
                    axes=self.axes,
                    workers=workers,
                    **self.keywords,
                )
                for w in self.kernels
            ]
        )

    def plan(self) -> Plan:
        """Return the plan of a case of one kernel."""
        (w,) = self.kernels
        return pyconv.plan(self.x, w, "same", self.boundary, axes=self.axes, **self.keywords)

    def algorithm(self) -> str:
        """Return the name of the algorithm that runs for the first kernel."""
        plan = planning.plan_for(
            self.x,
            self.kernels[0],
            mode="same",
            boundary=self.boundary,
            axes=self.axes,
            **dict(self.keywords),
        )
        return plan.algorithm.name

    def scipy(self, function: Callable[[Case, Array, np.dtype], Array], dtype: np.dtype) -> Array:
        """Return SciPy's result by one of SCIPY."""
        exact = np.dtype(np.int64) if dtype.kind in "iu" else dtype
        return self._finished(magnitude([function(self, w, exact) for w in self.kernels]), dtype)

    def scipy_own(self, dtype: np.dtype) -> Array:
        """Return SciPy's result by the function for this filter alone."""
        from scipy import ndimage

        assert self.own is not None
        name, arguments = self.own
        mode = NDIMAGE_MODES[self.boundary]
        if name == "sobel":
            return magnitude([ndimage.sobel(self.x, axis, mode=mode) for axis in self.axes])
        filtered = getattr(ndimage, name)(self.x, mode=mode, axes=self.axes, **arguments)
        return self._finished(filtered, dtype)

    def _finished(self, y: Array, dtype: np.dtype) -> Array:
        """Return every stride-th result, saturated where integers are asked for."""
        y = y[
            tuple(
                slice(None, None, self.stride) if a in self.axes else slice(None)
                for a in range(y.ndim)
            )
        ]
        if y.dtype != dtype:
            limits = np.iinfo(dtype)
            y = np.clip(y, limits.min, limits.max).astype(dtype)
        return y

    def _spread(self, w: Array) -> Array:
        """Return ``w`` with an axis of one weight for each batch axis of ``x``."""
        return w.reshape(
            [w.shape[self.axes.index(a)] if a in self.axes else 1 for a in range(self.x.ndim)]
        )

    def ndimage(self, w: Array, dtype: np.dtype) -> Array:
        """Return SciPy's result by ndimage."""
        from scipy import ndimage

        mode = NDIMAGE_MODES[self.boundary]
        y: Array
        if self.x.ndim == 1:
            y = ndimage.correlate1d(self.x, w, output=dtype, mode=mode)
        else:
            y = ndimage.correlate(self.x, self._spread(w), output=dtype, mode=mode)
        return y

    def signal(self, w: Array, dtype: np.dtype) -> Array:
        """Return SciPy's result by signal, which pads with zeros only: padded by hand."""
        from scipy import signal

        w = self._spread(w)
        pads = [(k // 2, (k - 1) // 2) for k in w.shape]
        x = np.pad(self.x, pads, mode=PAD_MODES[self.boundary])  # type: ignore[call-overload]
        wide = np.result_type(dtype, w)
        y: Array = signal.correlate(x.astype(wide), w.astype(wide), mode="valid")
        return y.astype(dtype, copy=False)


#: What we stand beside: the faster of the two is shown.
SCIPY: dict[str, Callable[[Case, Array, np.dtype], Array]] = {
    "ndimage": Case.ndimage,
    "signal": Case.signal,
}


def ecg_cases(recording: Recording) -> Iterator[Case]:
    """Yield what is done to the heartbeats."""
    counts = recording.array
    label, x = f"ECG {counts.size}", counts.astype(np.float64)
    beat = x[recording.marks["beat"]]
    beat = beat - beat.mean()
    yield Case(label, "smooth: Gaussian, 17", x, (kernels.gaussian(2, ndim=1),), (0,))
    yield Case(label, "slope: Gaussian', 17", x, (kernels.gaussian(2, 1, ndim=1),), (0,))
    yield Case(label, "baseline: mean of 251", x, (kernels.box(251, ndim=1),), (0,))
    yield Case(label, f"matched beat, {beat.size}", x, (beat / np.abs(beat).sum(),), (0,))
    yield Case(label, "second difference, 3", counts, (kernels.laplace(1),), (0,))


def photograph_cases(recording: Recording) -> Iterator[Case]:
    """Yield what is done to the photograph: in colours along axes 0 and 1, and in grey."""
    colours = recording.array
    light = (colours / np.float32(255)).astype(np.float32)
    grey = light @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    f32 = np.float32
    label = f"photo {colours.shape[0]}x{colours.shape[1]}"
    rgb = f"{label}x3"
    gaussian = kernels.gaussian(1.5, dtype=f32)
    yield Case(
        rgb, "Gaussian, 13x13", light, (gaussian,), (0, 1), own=("gaussian_filter", {"sigma": 1.5})
    )
    yield Case(label, "Sobel magnitude, 3x3", grey, _derivatives(2), (0, 1), own=("sobel", {}))
    gabor = kernels.gabor(8, np.pi / 4, sigma=4, radius=12, dtype=f32)
    yield Case(label, "Gabor, 25x25", grey, (gabor,), (0, 1))
    yield Case(rgb, "lens blur, 21x21", light, (kernels.disk(10.5, dtype=f32),), (0, 1))
    wide, nine = grey.astype(np.float64), kernels.box(9)
    yield Case(label, "mean, 9x9", wide, (nine,), (0, 1), own=("uniform_filter", {"size": 9}))
    yield Case(rgb, "Laplace, 3x3", colours, (kernels.laplace(),), (0, 1), "mirror")
    saturate = {"dtype": np.uint8, "overflow": "saturate"}
    yield Case(
        rgb,
        "sharpen, 3x3, saturated",
        colours,
        (kernels.sharpen(),),
        (0, 1),
        "mirror",
        saturate,
    )
    small = kernels.gaussian(2, dtype=f32)
    yield Case(
        rgb,
        "shrink 4x: 17x17, stride 4",
        light,
        (small,),
        (0, 1),
        "mirror",
        {"stride": 4},
        ("gaussian_filter", {"sigma": 2}),
    )


def volume_cases(recording: Recording) -> Iterator[Case]:
    """Yield what is done to the volume."""
    counts = recording.array
    x = (counts / counts.max()).astype(np.float32)
    label, axes = "MRI " + "x".join(map(str, counts.shape)), (0, 1, 2)
    gaussian = kernels.gaussian(1, ndim=3, dtype=np.float32)
    yield Case(
        label,
        "Gaussian, 9x9x9",
        x,
        (gaussian,),
        axes,
        "nearest",
        own=("gaussian_filter", {"sigma": 1}),
    )
    yield Case(
        label, "Sobel magnitude, 3x3x3", x, _derivatives(3), axes, "nearest", own=("sobel", {})
    )
    wide, five = x.astype(np.float64), kernels.box(5, ndim=3)
    own = "uniform_filter", {"size": 5}
    yield Case(label, "mean, 5x5x5", wide, (five,), axes, "nearest", own=own)
    yield Case(label, "Laplace, 3x3x3", counts, (kernels.laplace(3),), axes, "nearest")


def _derivatives(ndim: int) -> tuple[Array, ...]:
    return tuple(kernels.sobel(axis, ndim, dtype=np.float32) for axis in range(ndim))
