"""CALLS: every family of public functions, bound to samples and a kernel's width, for `cliffs`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

import pyconv
import pyconv.ndimage
import pyconv.signal
from benchmarks.cases import gaussian
from pyconv import filters
from pyconv.nn import functional, grad

Shape = tuple[int, ...]
#: Takes samples and the width of a kernel; returns the call that is timed.
Bind = Callable[[np.ndarray, int], Callable[[], object]]

#: Spatial shapes that a call is tried on in all values, layouts and dtypes, by dimensions.
BASE: dict[int, Shape] = {1: (20_001,), 2: (160, 163), 3: (28, 29, 31)}
FLOATS = ("float16", "float32", "float64")
REALS = (*FLOATS, "uint8", "int16", "int8", "bool")
EVERY_DTYPE = (*REALS, "complex64")
#: The dtypes of layers.
LAYER_DTYPES = ("float32", "float64")


@dataclass(frozen=True, slots=True)
class Call:
    """A public function under options, timed over sizes, widths, values, layouts and dtypes."""

    group: str
    name: str
    bind: Bind
    ndim: int = 2
    #: The kernel's width where the width is not varied; 0 where there is none to choose.
    width: int = 5
    #: The greatest width as a multiple of the size of an axis.
    widest: float = 2.5
    #: Axes before the spatial ones: batches, channels.
    lead: Shape = ()
    base: Shape = ()
    dtypes: tuple[str, ...] = EVERY_DTYPE
    #: Whether there are results beside the samples, as many as the kernel has taps.
    full: bool = False
    #: The same call with the samples in the kernel's place, where that makes the same sums.
    exchanged: Bind | None = None

    @property
    def label(self) -> str:
        """The name in the table; a name belongs to one group."""
        return f"{self.group}: {self.name}"

    @property
    def shape(self) -> Shape:
        """The spatial shape of all axes of the sweep but that of sizes."""
        return self.base or BASE[self.ndim]

    def work(self, shape: Shape, width: int) -> int:
        """Return how many results a call has, which its time is in proportion to."""
        return prod(self.lead) * prod(n + width - 1 if self.full else n for n in shape)


def weights(kind: str, shape: Shape, dtype: str = "float32") -> np.ndarray:
    """Return weights that are of no low rank, Gaussian, equal, or whole."""
    if kind == "gaussian":
        return gaussian(shape).astype(dtype)
    if kind == "box":
        return np.full(shape, 1 / prod(shape), dtype)
    rng = np.random.default_rng(3)
    if kind == "whole":
        return rng.integers(-3, 4, shape).astype("int16")
    return (rng.random(shape) - 0.25).astype(dtype)


# ---- binds ------------------------------------------------------------------------------------


def _kernel(function: Any, kind: str, ndim: int, exchanged: bool = False, **options: Any) -> Bind:
    """Bind ``function(x, w, …)`` to weights of ``ndim`` dimensions; ``(w, x)`` if exchanged."""

    def bind(x: np.ndarray, width: int) -> Callable[[], object]:
        dtype = "float64" if x.dtype == np.float64 else "float32"
        w = weights(kind, (width,) * ndim, dtype)
        return partial(function, *((w, x) if exchanged else (x, w)), **options)

    return bind


def _width(function: Any, **options: Any) -> Bind:
    """Bind a function whose second argument is the width."""
    return lambda x, width: partial(function, x, width, **options)


def _sigma(function: Any, *more: Any, **options: Any) -> Bind:
    """Bind a function whose second argument is a width of a Gaussian: an eighth of the kernel."""
    return lambda x, width: partial(function, x, width / 8, *more, **options)


def _alone(function: Any, *more: Any, **options: Any) -> Bind:
    """Bind a function without a width."""
    return lambda x, _: partial(function, x, *more, **options)


def _template(x: np.ndarray, width: int) -> Callable[[], object]:
    return partial(pyconv.match_template, x, weights("noise", (width,) * x.ndim), "same")


def _masked(x: np.ndarray, width: int) -> Callable[[], object]:
    mask = np.random.default_rng(8).random(x.shape) < 0.05
    w = weights("gaussian", (width,) * x.ndim)
    return partial(pyconv.correlate, x, w, "same", mask=mask)


def _layer_weights(x: np.ndarray, width: int, ndim: int, *channels: int) -> np.ndarray:
    return weights("noise", (*channels, *(width,) * ndim), str(x.dtype))


def _layer(function: Any, ndim: int, out: int, each: int, **options: Any) -> Bind:
    """Bind a layer: ``out`` channels of ``each`` channels, padded to the same size."""

    def bind(x: np.ndarray, width: int) -> Callable[[], object]:
        w = _layer_weights(x, width, ndim, out, each)
        return partial(function, x, w, padding=width // 2, **options)

    return bind


def _input_gradient(function: Any, ndim: int, out: int, each: int, **options: Any) -> Bind:
    def bind(x: np.ndarray, width: int) -> Callable[[], object]:
        w = _layer_weights(x, width, ndim, out, each)
        return partial(function, x.shape, w, x, padding=width // 2, **options)

    return bind


def _weight_gradient(function: Any, ndim: int, out: int, each: int, **options: Any) -> Bind:
    def bind(x: np.ndarray, width: int) -> Callable[[], object]:
        size = (out, each, *(width,) * ndim)
        return partial(function, x, size, x, padding=width // 2, **options)

    return bind


def _pool(function: Any, **options: Any) -> Bind:
    def bind(x: np.ndarray, width: int) -> Callable[[], object]:
        return partial(function, x, width, stride=1, padding=width // 2, **options)

    return bind


def _indexed(function: Any, gradient: Any) -> Bind:
    """Bind the gradient of a pool that finds maxima."""

    def bind(x: np.ndarray, width: int) -> Callable[[], object]:
        y, indices = function(x, width, stride=1, padding=width // 2, return_indices=True)
        return partial(gradient, x.shape, indices, y)

    return bind


def _average_gradient(x: np.ndarray, width: int) -> Callable[[], object]:
    options: dict[str, Any] = {"stride": 1, "padding": width // 2}
    y = functional.avg_pool2d(x, width, **options)
    return partial(grad.avg_pool2d_input, x.shape, y, width, **options)


def _fold(x: np.ndarray, width: int) -> Callable[[], object]:
    columns = functional.unfold(x, width, padding=width // 2)
    return partial(functional.fold, columns, x.shape[2:], width, padding=width // 2)


def _linear(x: np.ndarray, width: int) -> Callable[[], object]:
    return partial(functional.linear, x, weights("noise", (width, x.shape[-1]), str(x.dtype)))


def _operator(x: np.ndarray, width: int) -> Callable[[], object]:
    from pyconv.operators import linear_operator

    bound = linear_operator(x.shape, weights("noise", (width,) * x.ndim), "same")
    return partial(bound.rmatvec, x.ravel())


# ---- the table --------------------------------------------------------------------------------

_N = {1: "1-D", 2: "2-D", 3: "3-D"}


def _correlations() -> list[Call]:
    calls = []
    for ndim in (1, 2, 3):
        most = {1: 4.0, 2: 2.5, 3: 1.6}[ndim]
        for kind in ("noise", "gaussian", "box", "whole"):
            bind = _kernel(pyconv.correlate, kind, ndim, mode="same", boundary="symmetric")
            calls.append(Call("correlate", f"{_N[ndim]} {kind}", bind, ndim, widest=most))
        full, exchanged = (
            _kernel(pyconv.convolve, "noise", ndim, each, mode="full") for each in (False, True)
        )
        calls.append(Call("correlate", f"convolve full {_N[ndim]}", full, ndim, widest=most,
                          full=True, exchanged=exchanged))  # fmt: skip
    batch = _kernel(pyconv.correlate, "noise", 1, mode="same")
    columns = _kernel(pyconv.correlate, "noise", 1, mode="same", axes=0)
    thin = _kernel(pyconv.correlate, "noise", 2, mode="same", stride=2, boundary="mirror")
    holes = _kernel(pyconv.correlate, "noise", 2, mode="same", dilation=3, boundary="wrap")
    granted = _kernel(pyconv.correlate, "gaussian", 2, mode="same", rtol=1e-3, boundary="nearest")
    plain = _kernel(pyconv.correlate, "noise", 2, mode="same", rtol=0)
    return [
        *calls,
        Call("correlate", "rows of an image", batch),
        Call("correlate", "columns of an image", columns),
        Call("correlate", "2-D stride 2", thin),
        Call("correlate", "2-D dilation 3", holes),
        Call("correlate", "2-D gaussian rtol=1e-3", granted, width=33),
        Call("correlate", "2-D rtol=0", plain, widest=0.3),
    ]


#: Each algorithm that ``auto`` picks, under weights that it is fit for, and widths up to a part.
_FORCED = {
    "direct": ("noise", 7, 0.2),
    "fft": ("noise", 31, 2.5),
    "separable": ("gaussian", 15, 2.5),
    "box": ("box", 9, 2.5),
    "recursive": ("gaussian", 65, 2.5),
    "im2col": ("noise", 5, 0.2),
}


def _methods() -> list[Call]:
    calls = []
    for method, (kind, width, widest) in _FORCED.items():
        granted = 1e-2 if method == "recursive" else None
        for ndim in (1, 2, 3):
            if method == "separable" and ndim == 1:
                continue
            bind = _kernel(pyconv.correlate, kind, ndim, mode="same", boundary="symmetric",
                           method=method, rtol=granted)  # fmt: skip
            k = width if ndim < 3 else min(width, 17)
            dtypes = EVERY_DTYPE if method in ("direct", "fft", "im2col") else FLOATS
            most = widest if ndim < 3 else min(widest, 1.5)
            name = f"{method} {_N[ndim]}"
            calls.append(Call("methods", name, bind, ndim, width=k, widest=most, dtypes=dtypes))
    return calls


def _filters() -> list[Call]:
    smooth = [
        Call(
            "filters",
            f"{name} {_N[n]}",
            _sigma(function, **options),
            n,
            width=16,
            widest=8 if n < 3 else 3,
        )
        for name, function, options in (
            ("gaussian", filters.gaussian, {}),
            ("gaussian order 1", filters.gaussian, {"order": 1}),
            ("log", filters.log, {}),
            ("dog", filters.dog, {}),
            ("unsharp", filters.unsharp, {}),
        )
        for n in (1, 2, 3)
        for options in ({**options, "axes": tuple(range(n))},)
    ]
    granted = _sigma(filters.gaussian, rtol=1e-3)
    steep = lambda x, k: partial(filters.gradient_magnitude, x, "gaussian", sigma=k / 8)  # noqa: E731
    boxes = [
        Call("filters", f"box {_N[n]}", _width(filters.box, axes=tuple(range(n))), n, width=9)
        for n in (1, 2, 3)
    ]
    alone = [
        Call("filters", name, _alone(getattr(filters, name)), width=0)
        for name in (
            "sobel",
            "prewitt",
            "scharr",
            "roberts",
            "gradient_magnitude",
            "laplace",
            "edge",
            "sharpen",
            "emboss",
        )
    ]
    return [
        *smooth,
        Call("filters", "gaussian 2-D rtol=1e-3", granted, width=64, widest=8),
        Call("filters", "gradient_magnitude gaussian", steep, width=16, widest=4, dtypes=REALS),
        *boxes,
        *alone,
        Call("filters", "disk", _width(filters.disk), width=5, widest=1.2),
        Call("filters", "ball", _width(filters.ball, axes=(0, 1, 2)), 3, width=2, widest=0.8),
        Call("filters", "motion", _width(filters.motion, orientation=0.5), width=15),
        Call("filters", "gabor", _width(filters.gabor, orientation=0.5), width=8, widest=0.5),
        Call(
            "filters",
            "gabor_bank",
            _width(filters.gabor_bank, orientations=2),
            width=6,
            widest=0.3,
            dtypes=REALS,
        ),
    ]


def _dropins() -> list[Call]:
    library = pyconv.ndimage
    calls = []
    for n in (1, 2, 3):
        for name in ("correlate", "convolve"):
            bind = _kernel(getattr(library, name), "noise", n)
            most = {1: 2.5, 2: 1.5, 3: 1.2}[n]
            calls.append(Call("ndimage", f"{name} {_N[n]}", bind, n, width=5, widest=most))
        for name in ("gaussian_filter", "gaussian_laplace", "gaussian_gradient_magnitude"):
            most = 4 if n < 3 else 2
            dtypes = EVERY_DTYPE if name == "gaussian_filter" else REALS
            calls.append(Call("ndimage", f"{name} {_N[n]}", _sigma(getattr(library, name)), n,
                              width=16, widest=most, dtypes=dtypes))  # fmt: skip
        bind = _width(library.uniform_filter)
        calls.append(Call("ndimage", f"uniform_filter {_N[n]}", bind, n, width=9, widest=1.9))
        for name in ("prewitt", "sobel", "laplace"):
            bind = _alone(getattr(library, name))
            calls.append(Call("ndimage", f"{name} {_N[n]}", bind, n, width=0))
    for name in ("correlate1d", "convolve1d"):
        for axis in (0, 1):
            bind = _kernel(getattr(library, name), "noise", 1, axis=axis)
            calls.append(Call("ndimage", f"{name} axis {axis}", bind, width=9))
    for axis in (0, 1):
        bind = _sigma(library.gaussian_filter1d, axis)
        calls.append(Call("ndimage", f"gaussian_filter1d axis {axis}", bind, width=16, widest=4))
        bind = _width(library.uniform_filter1d, axis=axis)
        calls.append(Call("ndimage", f"uniform_filter1d axis {axis}", bind, width=9, widest=1.9))
    return calls


def _signals() -> list[Call]:
    library = pyconv.signal
    calls = []
    for n in (1, 2, 3):
        for name in ("convolve", "correlate", "fftconvolve", "oaconvolve"):
            for mode in ("full", "same"):
                bind, exchanged = (
                    _kernel(getattr(library, name), "noise", n, each, mode=mode)
                    for each in (False, True)
                )
                most = {1: 4.0, 2: 2.5, 3: 1.6}[n]
                width = {1: 101, 2: 17, 3: 9}[n]
                calls.append(Call("signal", f"{name} {mode} {_N[n]}", bind, n, width=width,
                                  widest=most, full=mode == "full",
                                  exchanged=exchanged if mode == "full" else None))  # fmt: skip
    for name in ("convolve2d", "correlate2d"):
        for boundary in ("fill", "symm"):
            bind, exchanged = (
                _kernel(getattr(library, name), "noise", 2, each, mode="full", boundary=boundary)
                for each in (False, True)
            )
            calls.append(Call("signal", f"{name} {boundary}", bind, full=True,
                              exchanged=exchanged if boundary == "fill" else None))  # fmt: skip
    choice = _kernel(library.choose_conv_method, "noise", 2)
    return [*calls, Call("signal", "choose_conv_method", choice)]


def _missing() -> list[Call]:
    omitted = {"mode": "same", "nan_policy": "omit"}
    calls = [
        Call(
            "missing",
            f"omit {kind} {_N[n]}",
            _kernel(pyconv.correlate, kind, n, **omitted),
            n,
            width=9,
            widest={1: 4.0, 2: 1.5, 3: 1.0}[n],
        )
        for n in (1, 2, 3)
        for kind in ("gaussian", "box")
    ]
    covered = _kernel(pyconv.coverage, "gaussian", 2, mode="same")
    return [
        *calls,
        Call("missing", "mask", _masked, width=9, widest=1.5),
        Call("missing", "coverage", covered, width=9, widest=1.5),
    ]


def _matching() -> list[Call]:
    calls = [
        Call("matching", f"match_template {_N[n]}", _template, n, width=9, widest=0.9, dtypes=REALS)
        for n in (1, 2, 3)
    ]
    both = lambda x, _: partial(pyconv.xcorr, x, x[::-1])  # noqa: E731
    lags = lambda x, k: partial(pyconv.xcorr, x, x[::-1], min(k, len(x) - 1))  # noqa: E731
    scaled = lambda x, k: partial(pyconv.xcorr, x, None, min(k, len(x) - 1), "coeff")  # noqa: E731
    return [
        *calls,
        Call("matching", "xcorr every lag", both, 1, width=0),
        Call("matching", "xcorr some lags", lags, 1, width=50),
        Call("matching", "xcorr coeff", scaled, 1, width=50, dtypes=REALS),
    ]


def _layers() -> list[Call]:
    small = {1: (1, 8), 2: (1, 8), 3: (1, 4)}
    base = {1: (2001,), 2: (37, 41), 3: (11, 12, 13)}
    calls = []

    def add(group: str, name: str, bind: Bind, ndim: int, width: int = 3, widest: float = 0.9,
            lead: Shape = ()) -> None:  # fmt: skip
        calls.append(Call(group, name, bind, ndim, width, widest, lead or small[ndim], base[ndim],
                          LAYER_DTYPES))  # fmt: skip

    for n in (1, 2, 3):
        c = small[n][1]
        each = {"ndim": n, "out": c, "each": c}
        add("layers", f"conv{n}d", _layer(getattr(functional, f"conv{n}d"), **each), n)
        alone = {"ndim": n, "out": c, "each": 1, "groups": c}
        add("layers", f"conv{n}d depthwise", _layer(getattr(functional, f"conv{n}d"), **alone), n)
        turned = _layer(getattr(functional, f"conv_transpose{n}d"), **each, stride=2)
        add("layers", f"conv_transpose{n}d stride 2", turned, n)
        for a, bind in (("input", _input_gradient), ("weight", _weight_gradient)):
            gradient = getattr(grad, f"conv{n}d_{a}")
            add("gradients", f"conv{n}d_{a}", bind(gradient, **each), n)
            add("gradients", f"conv{n}d_{a} depthwise", bind(gradient, **alone), n)
        pool = getattr(functional, f"max_pool{n}d")
        add("pools", f"max_pool{n}d", _pool(pool), n)
        add("pools", f"max_pool{n}d indices", _pool(pool, return_indices=True), n)
        add("pools", f"avg_pool{n}d", _pool(getattr(functional, f"avg_pool{n}d")), n)
        for kind in ("max", "avg"):
            adaptive = getattr(functional, f"adaptive_{kind}_pool{n}d")
            add("pools", f"adaptive_{kind}_pool{n}d", _width(adaptive), n, 5)
        add("gradients", f"max_pool{n}d_input",
            _indexed(pool, getattr(grad, f"max_pool{n}d_input")), n)  # fmt: skip
    add("layers", "conv2d batch of 8", _layer(functional.conv2d, 2, 16, 16), 2, lead=(8, 16))
    add("layers", "conv2d stride 2", _layer(functional.conv2d, 2, 8, 8, stride=2), 2)
    add("layers", "conv2d reflect", _layer(functional.conv2d, 2, 8, 8, padding_mode="reflect"), 2)
    add("gradients", "avg_pool2d_input", _average_gradient, 2)
    add("pools", "global_avg_pool", _alone(functional.global_avg_pool), 2, 0)
    add("pools", "global_max_pool", _alone(functional.global_max_pool), 2, 0)
    add("layers", "unfold", _width(functional.unfold), 2)
    add("layers", "fold", _fold, 2)
    add("layers", "linear", _linear, 1, 64)
    return calls


def _operators() -> list[Call]:
    return [
        Call("operators", "rmatvec 2-D", _operator, 2, dtypes=("float32",)),
        Call("operators", "rmatvec 1-D", _operator, 1, dtypes=("float32",)),
    ]


CALLS: tuple[Call, ...] = (
    *_correlations(),
    *_methods(),
    *_filters(),
    *_dropins(),
    *_signals(),
    *_missing(),
    *_matching(),
    *_layers(),
    *_operators(),
)
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(call.group for call in CALLS))
