"""Calls that run for long, by the name of the function: how soon each one looks at signals.

``python long_calls.py GROUP WORKERS ENOUGH`` runs the calls of a group one after another. The clock
is the processor time of the process outside the system, which stands still while other processes
run, and while the system clears memory (seconds for a gigabyte where a virtual machine has to be
given it first): a timer of the system ticks on it, and after ``ENOUGH`` seconds raises
KeyboardInterrupt as Ctrl-C does. A line is printed for each call: its name, and the longest time in
which no signal was looked at.
"""

import functools
import os
import signal
import sys
from fractions import Fraction

import numpy as np

import pyconv
from pyconv import filters, ndimage, operators
from pyconv import signal as pyconv_signal
from pyconv._engine.algorithms import ALGORITHMS, LAYER_ALGORITHMS, WEIGHT_GRADIENT_ALGORITHMS
from pyconv.nn import (
    SGD,
    Conv2d,
    CrossEntropyLoss,
    Flatten,
    Linear,
    Sequential,
    functional,
    grad,
)
from pyconv.nn import fit as fit_model

TICK = 0.02

#: What `pyconv.correlate` sums for minutes: a picture, a line, a volume, …
KINDS = {
    "picture": ((6000, 6000), (401, 401), {}),
    "line": ((40_000_000,), (30_001,), {}),
    "long line": ((4_000_000,), (1_000_001,), {}),
    "volume": ((200, 200, 200), (61, 61, 61), {}),
    "batch": ((40, 900, 900), (151, 151), {}),
    "wide": ((3000, 3000), (1500, 1500), {}),
    "dilated": ((5000, 5000), (301, 301), {"dilation": 3}),
}


@functools.lru_cache(maxsize=3)
def ones(*shape):
    return np.ones(shape, "f4")


@functools.lru_cache(maxsize=3)
def noise(*shape):
    return np.random.default_rng(0).standard_normal(shape, dtype="f4")


def holed(n):
    """Return noise with a NaN near its start."""
    x = noise(n)
    x[7] = np.nan
    return x


class Nothing:
    """Stands for a function, and for what it returns, while the arrays of a call are made."""

    def __call__(self, *args, **keywords):
        return self

    def __matmul__(self, other):
        return self


def shape_of(n, side):
    return (side,) * n


#: Sides of images of about 2^24 samples, and of windows that take minutes on them.
SIDE = {1: 1 << 24, 2: 4096, 3: 256}
WINDOW = {1: 1 << 16, 2: 301, 3: 41}
FEW = {1: 1 << 20, 2: 1024, 3: 100}
TAPS = {1: 101, 2: 15, 3: 7}


def pools():
    """Yield calls of pools and of their gradients."""
    for n in (1, 2, 3):
        size, k = (1, 1, *shape_of(n, SIDE[n])), WINDOW[n]
        out = tuple(s - k + 1 for s in size[2:])
        yield f"functional.max_pool{n}d", lambda f, s=size, k=k: f(noise(*s), k, 1)
        yield (
            f"functional.max_pool{n}d",
            lambda f, s=size, k=k: f(noise(*s), k, 1, return_indices=True),
        )
        yield f"functional.avg_pool{n}d", lambda f, s=size, k=k: f(noise(*s), k, 1)
        yield f"grad.avg_pool{n}d_input", lambda f, s=size, k=k, o=out: f(s, ones(1, 1, *o), k, 1)
        yield f"grad.max_pool{n}d_input", lambda f, s=size: f(s, np.zeros(s, int), ones(*s))
        for kind in ("max", "avg"):
            whole = shape_of(n, SIDE[n] // 2 + 1)
            yield f"functional.adaptive_{kind}_pool{n}d", lambda f, s=size, o=whole: f(noise(*s), o)
        yield f"grad.adaptive_avg_pool{n}d_input", lambda f, s=size, o=whole: f(s, ones(1, 1, *o))
        yield (
            f"grad.adaptive_max_pool{n}d_input",
            lambda f, s=size: f(s, np.zeros(s, int), ones(*s)),
        )
    size = (1, 4, 4096, 4096)
    for kind in ("max", "avg"):
        yield f"functional.global_{kind}_pool", lambda f: f(noise(*size))
    yield "grad.global_avg_pool_input", lambda f: f(size, ones(1, 4, 1, 1))
    yield (
        "grad.global_max_pool_input",
        lambda f: f(size, np.zeros((1, 4, 1, 1), int), ones(1, 4, 1, 1)),
    )


def layers():
    """Yield calls of convolutions, their transposes and gradients."""
    for n in (1, 2, 3):
        x, w = (4, 32, *shape_of(n, FEW[n])), (32, 32, *shape_of(n, TAPS[n]))
        x = (1, *x[1:]) if n > 1 else (2, 8, *x[2:])
        w = w if n > 1 else (64, 8, 1001)
        y = (x[0], w[0], *(s - k + 1 for s, k in zip(x[2:], w[2:], strict=True)))
        up = (w[1], w[0], *w[2:])
        yield f"functional.conv{n}d", lambda f, x=x, w=w: f(ones(*x), ones(*w))
        yield f"functional.conv_transpose{n}d", lambda f, x=x, w=up: f(ones(*x), ones(*w))
        yield f"grad.conv{n}d_input", lambda f, x=x, w=w, y=y: f(x, ones(*w), ones(*y))
        yield f"grad.conv{n}d_weight", lambda f, x=x, w=w, y=y: f(ones(*x), w, ones(*y))
        yield f"grad.conv_transpose{n}d_input", lambda f, x=x, w=w, y=y: f(y, ones(*w), ones(*x))
        yield f"grad.conv_transpose{n}d_weight", lambda f, x=x, w=w, y=y: f(ones(*y), w, ones(*x))
        yield f"grad.conv{n}d_bias", lambda f, y=y: f(ones(*y))
        yield f"grad.conv_transpose{n}d_bias", lambda f, y=y: f(ones(*y))
    for a in LAYER_ALGORITHMS:
        name = f"functional.conv2d {a.name}"
        depth = a.name.startswith("depthwise")
        winograd = a.name.startswith("winograd")
        sides = (
            [(64, 64, 3)] if winograd else [(64, 1, 101)] if depth else [(64, 64, 21), (1, 1, 901)]
        )
        for c, of_group, k in sides:
            yield (
                name,
                lambda f, c=c, g=of_group, k=k, m=a.name: f(
                    ones(4 if c > 1 else 1, c, 1000, 1000),
                    ones(c, g, k, k),
                    groups=c // g,
                    method=m,
                ),
            )
        if not depth:
            yield (
                name,
                lambda f, m=a.name: f(ones(32, 2048, 20, 20), ones(2048, 2048, 3, 3), method=m),
            )
    for a in WEIGHT_GRADIENT_ALGORITHMS:
        yield (
            f"grad.conv2d_weight {a.name}",
            lambda f, m=a.name: f(
                ones(8, 64, 400, 400), (64, 64, 21, 21), ones(8, 64, 380, 380), method=m
            ),
        )
    yield "functional.tune_conv", lambda f: f((4, 64, 1000, 1000), ones(64, 64, 21, 21))
    yield "functional.plan_conv", lambda f: f((1, 4096, 20, 20), ones(4096, 1024, 3, 3), groups=4)
    yield (
        "functional.plan_conv",
        lambda f: f((1, 2048, 20, 20), ones(2048, 2048, 3, 3), method="blocked"),
    )


def samples():
    """Yield calls of activations, losses, columns and linear layers."""
    wide = (1 << 14, 1 << 12)
    yield "functional.relu", lambda f: f(noise(*wide))
    yield "grad.relu_input", lambda f: f(noise(*wide), ones(*wide))
    yield "functional.log_softmax", lambda f: f(noise(*wide), 1)
    yield "grad.log_softmax_input", lambda f: f(noise(*wide), ones(*wide), 1)
    classes = np.zeros(wide[0], int)
    yield "functional.cross_entropy", lambda f: f(noise(*wide), classes)
    yield "functional.cross_entropy", lambda f: f(noise(*wide), np.ones(wide, "f4"))
    yield "grad.cross_entropy_input", lambda f: f(noise(*wide), classes)
    yield "functional.mse_loss", lambda f: f(noise(*wide), ones(*wide))
    yield "grad.mse_loss_input", lambda f: f(noise(*wide), ones(*wide))
    yield "functional.unfold", lambda f: f(noise(1, 8, 800, 800), 11, padding=5)
    yield "grad.unfold_input", lambda f: f((1, 8, 400, 400), noise(1, 8 * 121, 160_000), 11, 1, 5)
    yield "functional.fold", lambda f: f(noise(1, 8 * 121, 160_000), 400, 11, 1, 5)
    yield "grad.fold_input", lambda f: f(noise(1, 8, 800, 800), 11, 1, 5)
    yield "functional.linear", lambda f: f(noise(20_000, 8000), noise(8000, 8000))
    yield "grad.linear_input", lambda f: f((20_000, 8000), noise(8000, 8000), noise(20_000, 8000))
    yield "grad.linear_weight", lambda f: f(noise(20_000, 8000), (8000, 8000), noise(20_000, 8000))
    yield "grad.linear_bias", lambda f: f(noise(*wide))
    yield "nn.fit", lambda f: f()


def windows():
    """Yield calls of `pyconv` itself, by every algorithm and kind of problem."""
    for a in ALGORITHMS:
        if hasattr(a, "fit"):  # it needs weights of its kind: below
            continue
        for kind, (x, w, options) in KINDS.items():
            if a.name == "reference" and kind != "picture":
                continue
            yield (
                f"pyconv.correlate {a.name} {kind}",
                lambda f, x=x, w=w, o=options, m=a.name: f(ones(*x), ones(*w), method=m, **o),
            )
        if a.name == "direct":
            yield (
                "pyconv.correlate direct integers",
                lambda f: f(
                    np.ones((3000, 3000), "i8"), np.ones((301, 301), "i8"), method="direct"
                ),
            )
    gauss = np.exp(-(np.linspace(-3, 3, 799) ** 2)).astype("f4")
    yield (
        "pyconv.correlate separable",
        lambda f: f(ones(8000, 8000), np.outer(gauss, gauss), "same", method="separable"),
    )
    yield (
        "pyconv.correlate recursive",
        lambda f: f(
            ones(8000, 8000), np.outer(gauss, gauss), "same", rtol=1e-2, method="recursive"
        ),
    )
    yield "pyconv.correlate box", lambda f: f(ones(8000, 8000), ones(401, 401), method="box")
    yield (
        "pyconv.correlate polyphase",
        lambda f: f(noise(20_000_000), noise(30_001), stride=Fraction(2, 3), method="polyphase"),
    )
    yield "pyconv.correlate_each", lambda f: f(noise(384, 200_000), noise(384, 4001), rtol=0)
    yield (
        "pyconv.correlate_each neighbours",
        lambda f: f(noise(200_000, 384), noise(384, 501), axis=0, method="direct"),
    )
    yield (
        "pyconv.convolve_each",
        lambda f: f(
            noise(384, 200_000).astype("i2"), noise(384, 2001), dtype="i2", rounding="half_even",
            overflow="saturate",
        ),
    )  # fmt: skip
    yield "pyconv.convolve", lambda f: f(ones(6000, 6000), noise(401, 401), "same", rtol=0)
    yield "pyconv.coverage", lambda f: f(ones(4000, 4000) != 0, noise(201, 201) ** 2, "same")
    yield "pyconv.plan", lambda f: f(ones(6000, 6000), noise(401, 401), rtol=0)(ones(6000, 6000))
    yield "pyconv.explain", lambda f: f(ones(6000, 6000), noise(401, 401))
    yield "pyconv.tune", lambda f: f(ones(6000, 6000), noise(401, 401), rtol=0)
    yield "pyconv.tune_machine", lambda f: f()
    yield "pyconv.match_template", lambda f: f(noise(4000, 4000), noise(301, 301))
    yield "pyconv.xcorr", lambda f: f(noise(1 << 23), noise(1 << 23), 1 << 22)
    yield (
        "operators.linear_operator",
        lambda f: f((6000, 6000), noise(401, 401), rtol=0) @ ones(36_000_000),
    )
    yield "operators.sparse_matrix", lambda f: f((1000, 1000), noise(15, 15), "same", "wrap")


def pictures():
    """Yield calls of filters and of what stands in SciPy's place."""
    side = 6000
    own = {
        "ball": (3, 20), "box": (2, 401), "disk": (2, 101), "dog": (2, 30, 60), "edge": (2,),
        "emboss": (2,), "gabor": (2, 60), "gabor_bank": (2, [30, 60]), "gaussian": (2, 100),
        "gradient_magnitude": (2,), "laplace": (2,), "log": (2, 60), "motion": (2, 301, 30),
        "prewitt": (2,), "roberts": (2,), "scharr": (2,), "sharpen": (2,), "sobel": (2,),
        "unsharp": (2, 60, 1.5),
    }  # fmt: skip
    for name, (n, *options) in own.items():
        shape = shape_of(n, side if n == 2 else 300)
        yield f"filters.{name}", lambda f, s=shape, o=options: f(noise(*s), *o)
    there = {
        "convolve": (noise(101, 101),), "correlate": (noise(101, 101),),
        "convolve1d": (noise(4001),), "correlate1d": (noise(4001),), "gaussian_filter": (300,),
        "gaussian_filter1d": (300,), "gaussian_gradient_magnitude": (100,),
        "gaussian_laplace": (100,), "laplace": (), "prewitt": (), "sobel": (),
        "uniform_filter": (401,), "uniform_filter1d": (401,),
    }  # fmt: skip
    for name, options in there.items():
        yield f"ndimage.{name}", lambda f, o=options: f(noise(side, side), *o)
        yield f"ndimage.{name}", lambda f, o=options: f(np.ones((side, side), "i4"), *o)
    for name in ("convolve", "correlate"):
        yield f"signal.{name}", lambda f: f(noise(side, side), noise(301, 301), method="direct")
        yield f"signal.{name}2d", lambda f: f(noise(side, side), noise(101, 101))
    for name in ("fftconvolve", "oaconvolve"):
        yield f"signal.{name}", lambda f: f(noise(1 << 25), noise(1 << 22))
    for name in ("convolve", "correlate"):
        yield f"signal.{name} of NaN", lambda f: f(*(holed(1 << 18) for _ in range(2)))


def signals():
    """Yield calls of filters of signals, and what cuts large arrays."""
    lines = (64, 400_000)
    for axis, shape in ((-1, lines), (0, lines[::-1])):
        along = {"axis": axis}
        yield (
            f"signal.lfilter {axis}",
            lambda f, s=shape, a=along: f(noise(501), 1, noise(*s), **a),
        )
        yield (
            f"signal.filtfilt {axis}",
            lambda f, s=shape, a=along: f(noise(501), 1, noise(*s), **a),
        )
        yield (
            f"signal.upfirdn {axis}",
            lambda f, s=shape, a=along: f(noise(3001), noise(*s), 3, 2, **a),
        )
        yield (
            f"signal.resample_poly {axis}",
            lambda f, s=shape, a=along: f(noise(*s), 160, 147, **a),
        )
        yield (
            f"signal.decimate {axis}",
            lambda f, s=shape, a=along: f(noise(*s), 4, 500, ftype="fir", **a),
        )
        yield (
            f"signal.savgol_filter {axis}",
            lambda f, s=shape, a=along: f(noise(*s), 301, 3, **a),
        )
    yield "signal.sepfir2d", lambda f: f(noise(6000, 6000), noise(301), noise(301))
    yield "pyconv.pyramid", lambda f: f(noise(8000, 8000), 5, method="gaussian", sigma=60)
    yield (
        "pyconv.stream",
        lambda f: f(filters.gaussian, noise(8000, 8000), np.empty((8000, 8000), "f4"), 60),
    )


GROUPS = {
    "pools": pools, "layers": layers, "samples": samples, "windows": windows, "pictures": pictures,
    "signals": signals,
}  # fmt: skip
#: Names of public modules.
MODULES = {
    "pyconv": pyconv, "functional": functional, "grad": grad, "filters": filters,
    "ndimage": ndimage, "signal": pyconv_signal, "operators": operators,
}  # fmt: skip
#: What only looks at shapes and settings, and the classes.
SHORT = {
    "pyconv.Explanation", "pyconv.Plan", "pyconv.StreamError", "pyconv.StreamInterrupted",
    "pyconv.__version__", "pyconv.get_workers",
    "pyconv.patch_astropy", "pyconv.patch_scipy", "pyconv.set_workers", "pyconv.show_versions",
    "pyconv.unpatch_astropy", "pyconv.unpatch_scipy", "pyconv.fill_gaps", "pyconv.xcorr_peak",
    "signal.StreamingFilter", "signal.choose_conv_method",
    "signal.correlation_lags", "signal.lfilter_zi", "signal.lfiltic",
}  # fmt: skip


def fit():
    """Train a model that takes minutes for an epoch."""
    model = Sequential(Conv2d(3, 32, 3), Flatten(), Linear(32 * 62 * 62, 100))
    classes = np.zeros(2000, int)
    optimizer = SGD(model.parameters(), 0.1)
    fit_model(
        model, noise(2000, 3, 64, 64), classes, CrossEntropyLoss(), optimizer, epochs=5,
        progress=False,
    )  # fmt: skip


def function_of(name):
    module, attribute = name.split()[0].split(".")
    return fit if name == "nn.fit" else getattr(MODULES[module], attribute)


def user_seconds():
    """Return the processor time of the process that was not spent in the system."""
    return os.times().user


def measure(call, function, enough):
    """Return the longest time without a look at signals, and whether the call was ended."""
    gaps, running = [], True
    call(Nothing())  # its arrays
    begun = user_seconds()
    last = begun

    def tick(*_):
        nonlocal last
        now = user_seconds()
        gaps.append(now - last)
        last = now
        if running and now - begun > enough:
            raise KeyboardInterrupt

    signal.signal(signal.SIGVTALRM, tick)
    signal.setitimer(signal.ITIMER_VIRTUAL, TICK, TICK)
    ended = False
    try:
        call(function)
        running = False
    except KeyboardInterrupt:
        running, ended = False, True
    except ValueError as error:
        running = False
        if "cannot solve this" not in str(error):
            raise
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    gaps.append(user_seconds() - last)
    return max(gaps), ended


def main(group, workers, enough):
    """Run a group's calls."""
    pyconv.set_workers(workers).__enter__()
    for name, call in GROUPS[group]():
        print(name, end=": ", flush=True)
        print(*measure(call, function_of(name), enough), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
