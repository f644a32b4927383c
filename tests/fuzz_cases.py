"""Cases of the fuzzer: what a call is made of, as JSON, and what must be true of its result.

A case names a family, the arrays (shape, dtype, values, memory layout) and the options. A family
draws cases and checks them: against the definitions in ``oracles.py`` and its neighbours, against
SciPy on the same call, or against a second way to the same result. A case with an odd argument
must give an array or a documented error, and an untouched ``out``.
"""

import copy
import itertools
import math
import warnings
from fractions import Fraction
from typing import ClassVar

import arrays
import layer_oracles
import nn_oracles
import numpy as np
import oracles
import scipy.ndimage
import scipy.signal

import pyconv
from pyconv import (
    filters,
    kernels,
    ndimage,
    operators,
    signal,
)
from pyconv._calls.coefficients import TOLERANCES
from pyconv._engine import planner
from pyconv._engine.algorithms import ALGORITHMS, LAYER_ALGORITHMS, ROUNDING_ALGORITHMS
from pyconv._engine.algorithms.base import WeightDependentAlgorithm
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.dtypes import OVERFLOWS, ROUNDINGS
from pyconv._engine.planning import RATE_PLANNER
from pyconv._native import loader
from pyconv.kernels import KERNELS
from pyconv.nn import functional, grad

#: What a call with a bad argument may raise.
REFUSALS = (ValueError, TypeError, OverflowError, MemoryError)
#: Words of an error that says that a valid call has no result.
EMPTY = ("would be empty", "cannot solve this", "cannot hold", "has no window", "output size")

REAL = ("f4", "f8", "f2")
FLOATS = (*REAL, "c8", "c16")
INTEGERS = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")
NAMES = sorted(BOUNDARIES)
#: Algorithms that sum any weights exactly where the data are small whole numbers.
EXACT = [
    a.name for a in ALGORITHMS if a.name != "fft" and not isinstance(a, WeightDependentAlgorithm)
]  # fmt: skip

#: Odd arguments by name, so that a case with one is still JSON.
ODD = {
    "None": None,
    "minus one": -1,
    "zero": 0,
    "true": True,
    "half": 0.5,
    "fraction": Fraction(3, 2),
    "nan": float("nan"),
    "infinity": float("inf"),
    "2**31": 2**31,
    "2**62": 2**62,
    "2**80": 2**80,
    "-2**63": -(2**63),
    "text": "sideways",
    "empty text": "",
    "bytes": b"same",
    "complex": 1j,
    "empty": (),
    "ragged": ((1,), (1, 2)),
    "nested": [[1, 2], [3, 4]],
    "set": {1, 2},
    "dict": {"a": 1},
    "object": object(),
    "dtype": np.dtype("f4,i4"),
    "0-d": np.array(2),
    "many": (1,) * 40,
    "array": np.arange(3.0),
    "mask": np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0]),
    "type": int,
}
#: Odd arrays, made from a good one.
ODD_ARRAYS = {
    "empty": lambda a: a[:0],
    "0-d": lambda a: a.flat[0],
    "more axes": lambda a: a.reshape((1,) * 4 + a.shape),
    "64 axes": lambda a: a.reshape((1,) * (64 - a.ndim) + a.shape),
    "object": lambda a: a.astype(object),
    "longdouble": lambda a: abs(a).astype(np.longdouble),
    "clongdouble": lambda a: a.astype(np.clongdouble),
    "text": lambda a: a.astype("U3"),
    "bytes": lambda a: a.astype("S3"),
    "record": lambda a: np.zeros(a.shape, "f4,i4"),
    "time": lambda a: np.zeros(a.shape, "m8[s]"),
    "list": lambda a: a.tolist(),
    "masked": lambda a: np.ma.array(a, mask=np.arange(a.size).reshape(a.shape) % 3 == 0),
    "matrix axis": lambda a: a[..., None],
    "broadcast": lambda a: np.broadcast_to(a.flat[0], a.shape),
    "nan": lambda a: np.full(a.shape, np.nan),
    "huge": lambda a: np.full(a.shape, 1e300),
    "None": lambda a: None,
    "string": lambda a: "abc",
    "overlapping": lambda a: np.lib.stride_tricks.as_strided(
        np.zeros(a.size + 1, a.dtype), a.shape, (a.itemsize,) * a.ndim
    ),
}


class Wrong(AssertionError):
    """A result that is not what the family says; the message says how it differs."""


def require(condition, message):
    """Raise `Wrong` unless a condition holds."""
    if not condition:
        raise Wrong(message)


# ---- arrays -----------------------------------------------------------------------------------


def spec(rng, shape, dtype, values="small", plain=0.4):
    """Describe an array."""
    layout = "plain" if rng.random() < plain else str(rng.choice(list(arrays.LAYOUTS)))
    return {
        "shape": [int(n) for n in shape], "dtype": str(dtype), "values": values,
        "layout": layout, "seed": int(rng.integers(1 << 30)),
    }  # fmt: skip


def wild(rng, shape, dtype):
    """Return noise with a few values that are not finite, or huge, or tiny."""
    a = np.asarray(arrays.noise(rng, shape, dtype))
    info = np.finfo(a.dtype) if a.dtype.kind in "fc" else np.iinfo(a.dtype)
    odd = [info.max, info.min, 0]
    if a.dtype.kind in "fc":
        odd += [np.nan, np.inf, -np.inf, info.tiny, -info.smallest_subnormal, -0.0]
    where = rng.random(shape) < min(0.5, 2 / max(1, a.size))
    with np.errstate(all="ignore"):
        a[where] = rng.choice(odd, where.sum())
    return a


def whole(rng, shape, dtype):
    """Return samples as pictures have them, of any size where sums of them fit 32 bits."""
    dtype = np.dtype(dtype)
    if dtype.kind in "iu" and dtype.itemsize < 4:
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max + 1, shape).astype(dtype)
    return rng.integers(0, 2 if dtype.kind == "b" else 100, shape).astype(dtype)


VALUES = {
    "small": arrays.small,
    "noise": arrays.noise,
    "wild": wild,
    "whole": whole,
    "positive": lambda rng, shape, dtype: rng.integers(1, 5, shape).astype(dtype),
    "ones": lambda rng, shape, dtype: np.ones(shape, dtype),
    "mask": lambda rng, shape, dtype: rng.random(shape) < 0.3,
}


def build(a):
    """Make the array that is described."""
    rng = np.random.default_rng(a["seed"])
    made = VALUES[a["values"]](rng, tuple(a["shape"]), np.dtype(a["dtype"]))
    made = np.asarray(made).reshape(a["shape"])
    if a.get("odd"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ODD_ARRAYS[a["odd"]](made)
    if a["layout"] != "plain" and made.ndim and made.size:
        made = arrays.LAYOUTS[a["layout"]](made)
    return made


def tuples(value):
    """Return JSON's lists as tuples; an odd argument by its name."""
    if isinstance(value, list):
        return tuple(map(tuples, value))
    if isinstance(value, dict):
        return ODD[value["odd"]]
    return value


def options_of(case, *leave):
    """Return the keywords of a case."""
    return {k: tuples(v) for k, v in case["options"].items() if k not in leave}


def out_like(case, x, y):
    """Return an array for a result like ``y`` in the layout of the case; it may overlap ``x``."""
    layout = case["out"]
    if layout.startswith("x") and x.dtype == y.dtype and x.shape == y.shape:
        shift = int(layout[1:]) * y.itemsize
        room = np.zeros(x.nbytes + abs(shift), np.uint8)
        from_x = room[max(0, -shift) :][: x.nbytes].view(x.dtype).reshape(x.shape)
        from_x[...] = x
        return from_x, room[max(0, shift) :][: x.nbytes].view(y.dtype).reshape(y.shape)
    out = np.ones(y.shape, y.dtype)
    if layout in arrays.LAYOUTS and layout != "read-only" and y.size and y.ndim:
        out = arrays.LAYOUTS[layout](out)
    return x, out


def use_isa(name):
    """Make later calls run one variant's loops, if this machine has it."""
    if name in loader.runnable() and name != loader.native.ISA:
        loader.native = loader.load(name)
        planner.clear_cache()


# ---- drawing ----------------------------------------------------------------------------------


def pick(rng, values):
    """Return one of some values, as Python has it."""
    return values[int(rng.integers(len(values)))]


def lengths(rng, n, high=12):
    """Return the lengths of axes: mostly small ones, now and then one around a vector or a tile."""
    found = [int(rng.integers(1, high)) for _ in range(n)]
    if rng.random() < 0.4:
        found[int(rng.integers(n))] = int(pick(rng, (15, 16, 17, 31, 33, 63, 64, 65, 70, 129)))
    return found


def one_or_each(rng, n, draw):
    """Return one value, or one for each axis."""
    return draw() if rng.random() < 0.5 else [draw() for _ in range(n)]


def some(rng, **draws):
    """Return about half of the options."""
    return {name: draw() for name, draw in draws.items() if rng.random() < 0.45}


def pads(rng, n):
    """Return pads by number; negative ones crop."""
    return [[int(rng.integers(-3, 9)), int(rng.integers(-3, 9))] for _ in range(n)]


def extent(rng, n):
    """Return a mode."""
    return pads(rng, n) if rng.random() < 0.25 else pick(rng, ("valid", "same", "full"))


def geometry(rng, n, ndim):
    """Return the options of a call that place the kernel."""
    axes = [int(a) - ndim * int(rng.integers(2)) for a in rng.permutation(ndim)[:n]]
    return {"mode": extent(rng, n)} | some(
        rng,
        boundary=lambda: one_or_each(rng, n, lambda: pick(rng, NAMES)),
        axes=lambda: axes,
        stride=lambda: one_or_each(rng, n, lambda: int(rng.integers(1, 5))),
        dilation=lambda: one_or_each(rng, n, lambda: int(rng.integers(1, 5))),
        fill_value=lambda: int(rng.integers(2)),
    )


def draw_call(rng, dtypes=(*FLOATS, *INTEGERS), values="small", high=5):
    """Draw x, w and where the kernel goes."""
    n = int(rng.integers(1, 4))
    ndim = int(rng.integers(n, 5))
    x = spec(rng, lengths(rng, ndim), pick(rng, dtypes), values)
    w = spec(rng, rng.integers(1, high + 1, n), pick(rng, dtypes), values)
    return {"x": x, "w": w, "options": geometry(rng, n, ndim)}


# ---- checks that families share ---------------------------------------------------------------


def call_or_none(function, *args, **keywords):
    """Return the result of a valid call, or None where it says that there is none."""
    try:
        return function(*args, **keywords)
    except ValueError as error:
        if any(words in str(error) for words in EMPTY):
            return None
        raise


def same_bits(a, b, what):
    """Require two arrays to be the same."""
    require(
        arrays.bits(np.asarray(a)) == arrays.bits(np.asarray(b)),
        f"{what}: bits differ{difference(np.asarray(a), np.asarray(b))}",
    )


def difference(a, b):
    """Say where two arrays differ most."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return f" ({a.dtype} {a.shape} and {b.dtype} {b.shape})"
    with np.errstate(all="ignore"):
        where = np.argwhere(~((a == b) | ((a != a) & (b != b))))
    return f" at {len(where)} of {a.size}, first {where[0].tolist()}" if len(where) else ""


def close(y, right, tolerance, what):
    """Require shapes to be equal and values to be within a tolerance."""
    require(y.shape == right.shape, f"{what}: shape {y.shape} for {right.shape}")
    if not y.size:
        return
    wide = np.result_type(y.dtype, np.float64)
    with np.errstate(all="ignore"):
        error = np.abs(y.astype(wide) - right.astype(wide))
        worst = float(np.fmax.reduce(np.where(y == right, 0, error), axis=None, initial=0))
        require(
            np.array_equal(np.isnan(y.astype(wide)), np.isnan(right.astype(wide))),
            f"{what}: NaN elsewhere",
        )
    require(worst <= tolerance, f"{what}: error {worst:.3g}, allowed {tolerance:.3g}")


def exact(y, total, what):
    """Require the very values of an exact sum; the result dtype may wrap them."""
    require(y.shape == total.shape, f"{what}: shape {y.shape} for {total.shape}")
    right = total.astype(y.dtype) if total.size else total
    require(np.array_equal(y, right), f"{what}: wrong values{difference(y, right)}")


# ---- correlate, convolve, plan, coverage ------------------------------------------------------


class Sums:
    """`correlate` and `convolve` of small whole numbers: the values of the definition."""

    def draw(self, rng):
        case = draw_call(rng)
        case["options"] |= some(rng, workers=lambda: int(rng.integers(1, 4)))
        case["method"] = pick(rng, ("auto", "auto", *EXACT, "separable", "box", "fft"))
        case["flip"] = bool(rng.random() < 0.5)
        case["out"] = pick(rng, ("", "plain", "x0", "x1", "x-1", "x5", *arrays.LAYOUTS))
        if rng.random() < 0.2:
            case["w"]["values"] = "ones"
        return case

    def check(self, case):
        x, w, options = build(case["x"]), build(case["w"]), options_of(case)
        call = pyconv.convolve if case["flip"] else pyconv.correlate
        geometry = {k: v for k, v in options.items() if k != "workers"}
        total, scale = oracles.correlate(x, w, flip=case["flip"], **geometry)
        y = call_or_none(call, x, w, method=case["method"], **options)
        if y is None:
            require(total.size == 0 or case["method"] != "auto", "refused, but there is a result")
            return
        self.agrees(case, y, total, scale)
        same_bits(y, call(x, w, method=case["method"], **{**options, "workers": 2}), "workers=2")
        if case["out"]:
            source, out = out_like(case, x, y)
            before = source.copy() if not np.shares_memory(source, out) else None
            made = call(source, w, method=case["method"], out=out, **options)
            require(made is out, "another array than out is returned")
            same_bits(np.ascontiguousarray(out), y, f"out={case['out']}")
            if before is not None:
                same_bits(source, before, "x after the call")

    @staticmethod
    def agrees(case, y, total, scale):
        if case["method"] == "fft" or (case["method"] != "reference" and y.dtype.kind in "fc"):
            eps = np.finfo(y.dtype).eps if y.dtype.kind in "fc" else 2.0**-52
            largest = float(np.max(scale)) if np.size(scale) else 0.0
            # Half precision rounds the result, which is a whole number below 2^11.
            close(y, np.asarray(total), 200 * eps * max(largest, 1.0), "definition")
        else:
            exact(y, np.asarray(total), "definition")


class Plans:
    """A plan, of arrays or of a shape, gives the bits of the call; so does `explain` its method."""

    def draw(self, rng):
        case = draw_call(rng, values=pick(rng, ("small", "noise")))
        case["flip"] = bool(rng.random() < 0.5)
        case["by shape"] = bool(rng.random() < 0.5)
        return case

    def check(self, case):
        x, w, options = build(case["x"]), build(case["w"]), options_of(case)
        call = pyconv.convolve if case["flip"] else pyconv.correlate
        y = call_or_none(call, x, w, **options)
        if y is None:
            return
        flip = case["flip"]
        if case["by shape"]:
            plan = pyconv.plan(shape=x.shape, w=w, x_dtype=x.dtype, flip=flip, **options)
        else:
            plan = pyconv.plan(x, w, flip=flip, **options)
        if y.dtype.kind in "iu" or not case["by shape"]:
            same_bits(plan(x), y, "plan")
        else:
            close(plan(x), y, 200 * np.finfo(y.dtype).eps * max(1, np.abs(y).max()), "plan")
        same_bits(plan(x), plan(x), "plan, twice")
        explanation = pyconv.explain(x, w, flip=flip, **options)
        require(str(explanation), "an explanation of nothing")


class Banks:
    """One kernel for each line: what `correlate` and `convolve` make of each, with every policy."""

    def draw(self, rng):
        ndim = int(rng.integers(1, 4))
        shape, axis = lengths(rng, ndim, 24), int(rng.integers(ndim))
        lines = [n for i, n in enumerate(shape) if i != axis]
        if rng.random() < 0.3:
            lines = [n if rng.random() < 0.5 else 1 for n in lines]
        options = {"mode": extent(rng, 1)} | some(
            rng,
            boundary=lambda: pick(rng, NAMES),
            stride=lambda: int(rng.integers(1, 5)),
            dilation=lambda: int(rng.integers(1, 4)),
            fill_value=lambda: int(rng.integers(2)),
            dtype=lambda: pick(rng, INTEGERS),
            overflow=lambda: pick(rng, OVERFLOWS),
            workers=lambda: int(rng.integers(1, 4)),
        )
        if "dtype" in options and rng.random() < 0.5:
            options["rounding"] = pick(rng, list(ROUNDINGS))
        taps = int(pick(rng, (1, 2, 5, 17, 40)))
        dtypes = (*REAL, *INTEGERS) if "dtype" in options else (*FLOATS, *INTEGERS)
        return {
            "x": spec(rng, shape, pick(rng, dtypes)),
            "w": spec(rng, [*lines, taps], pick(rng, dtypes)),
            "axis": axis - ndim * int(rng.integers(2)), "options": options,
            "flip": bool(rng.random() < 0.5),
            "out": pick(rng, ("", "plain", "x0", "x1", "x-1", *arrays.LAYOUTS)),
        }  # fmt: skip

    def check(self, case):
        x, w, options, axis = build(case["x"]), build(case["w"]), options_of(case), case["axis"]
        each = pyconv.convolve_each if case["flip"] else pyconv.correlate_each
        one = pyconv.convolve if case["flip"] else pyconv.correlate
        lines = np.moveaxis(x, axis, -1)
        kernels_of = np.broadcast_to(w, (*lines.shape[:-1], w.shape[-1]))
        try:
            y = call_or_none(each, x, w, axis=axis, **options)
        except OverflowError:
            y = None
        found = []
        for at in np.ndindex(lines.shape[:-1]):
            try:
                found.append(call_or_none(one, lines[at], kernels_of[at], **options))
            except OverflowError:
                found.append(None)
        if y is None:  # the bound is that of all lines and kernels
            unsure = case["x"]["dtype"] not in ("?", "i1", "u1", "i2", "u2")
            require(unsure or any(f is None for f in found), "refused, but there is a result")
            return
        require(all(f is not None for f in found), "there is a result of what has none")
        right = np.moveaxis(np.array(found).reshape(*lines.shape[:-1], -1), -1, axis)
        require(y.dtype == right.dtype, f"dtype {y.dtype} for {right.dtype}")
        exact(y, right, "each line")  # of whole numbers
        if case["out"]:
            source, out = out_like(case, x, y)
            require(each(source, w, axis=axis, out=out, **options) is out, "another array than out")
            same_bits(np.ascontiguousarray(out), y, f"out={case['out']}")


class Coverage:
    """`coverage` is the share of Σ|w| that is seen, and a masked call the normalised sum."""

    def draw(self, rng):
        case = draw_call(rng, ("f4", "f8"))
        case["w"]["values"] = "positive"
        case["mask"] = spec(rng, case["x"]["shape"], "?", "mask")
        case["flip"] = bool(rng.random() < 0.5)
        case["by nan"] = bool(rng.random() < 0.5)
        return case

    def check(self, case):
        x, w, mask = build(case["x"]), build(case["w"]), build(case["mask"])
        options, flip = options_of(case), case["flip"]
        if case["by nan"]:
            x = np.where(mask, np.nan, x).astype(x.dtype.newbyteorder("="))
        keywords = {} if case["by nan"] else {"mask": mask}
        zeroed = np.where(mask, 0, x)
        total, _ = oracles.correlate(zeroed, w, flip=flip, **options)
        options_seen = {**options, "fill_value": 1}
        weight, _ = oracles.correlate((~mask).astype(float), w, flip=flip, **options_seen)
        whole = float(oracles.wide(w).sum())
        c = call_or_none(pyconv.coverage, x, w, flip=flip, **options, **keywords)
        if c is None:
            require(total.size == 0, "refused, but there is a result")
            return
        eps = 40 * np.finfo(c.dtype).eps
        close(c, np.asarray(weight) / whole, eps, "coverage")
        call = pyconv.convolve if flip else pyconv.correlate
        policy = {"nan_policy": "omit"} if case["by nan"] else keywords
        y = call(x, w, **options, **policy)
        with np.errstate(all="ignore"):
            right = np.where(weight == 0, np.nan, total / weight * whole)
        close(y, right, 100 * np.finfo(y.dtype).eps * 5 * whole, "normalised sum")
        same_bits(y, call(x, w, **options, **policy, workers=2), "workers=2")


class Wild:
    """Values that are not finite spoil the outputs that read them, and no others."""

    def draw(self, rng):
        case = draw_call(rng, ("f4", "f8"), "wild")
        case["w"]["values"] = "positive"
        case["options"].pop("fill_value", None)
        case["method"] = pick(rng, ("auto", "auto", "direct", "reference"))
        return case

    def check(self, case):
        x, w, options = build(case["x"]), build(case["w"]), options_of(case)
        with np.errstate(all="ignore"):
            y = call_or_none(pyconv.correlate, x, w, method=case["method"], **options)
        if y is None:
            return
        require(y.dtype == np.result_type(x, w), f"dtype {y.dtype}")
        huge = np.isfinite(x) & (np.abs(x) > 1e30)
        sees = {
            name: np.asarray(oracles.correlate(which.astype(float), w, **options)[0]) > 0
            for name, which in (
                ("nan", np.isnan(x)), ("above", x == np.inf), ("below", x == -np.inf),
                ("huge", huge),
            )
        }  # fmt: skip
        spoilt = sees["nan"] | (sees["above"] & sees["below"])
        calm = ~sees["nan"] & ~sees["huge"]
        require(np.isnan(y[spoilt]).all(), "a NaN is lost")
        require((y[sees["above"] & ~sees["below"] & calm] == np.inf).all(), "infinity is lost")
        require((y[sees["below"] & ~sees["above"] & calm] == -np.inf).all(), "−infinity is lost")
        clean = calm & ~sees["above"] & ~sees["below"]
        kept = np.where(np.isfinite(x) & ~huge, x, 0)
        total, scale = oracles.correlate(kept, w, **options)
        eps = 200 * float(np.finfo(y.dtype).eps) * max(1.0, float(np.max(scale, initial=0)))
        close(y[clean], np.asarray(total)[clean], eps, "outputs that read finite values")


class Integers:
    """Integers of any size, under each policy and in any result dtype, are exact."""

    def draw(self, rng):
        case = draw_call(rng, INTEGERS[1:], "wild", high=3)
        case["options"] |= {"overflow": pick(rng, OVERFLOWS)}
        case["options"] |= some(rng, dtype=lambda: pick(rng, INTEGERS[1:]))
        return case

    def check(self, case):
        x, w, options = build(case["x"]), build(case["w"]), options_of(case)
        policy, dtype = options.pop("overflow"), options.pop("dtype", None)
        total, _ = oracles.correlate(x, w, **options)
        try:
            y = call_or_none(pyconv.correlate, x, w, dtype=dtype, overflow=policy, **options)
        except OverflowError:
            require(policy == "raise", "an overflow that the policy allows is refused")
            return
        if y is None:
            require(np.size(total) == 0, "refused, but there is a result")
            return
        info = np.iinfo(y.dtype)
        total = np.asarray(total, object)
        if policy == "saturate":
            total = np.clip(total, info.min, info.max)
        elif policy == "wrap":
            total = (total - info.min) % (info.max - info.min + 1) + info.min
        require(np.array_equal(y.astype(object), total), "wrong integers")


class Rounded:
    """Sums that are rounded are the same integers by every algorithm, next to the exact sum."""

    def draw(self, rng):
        case = draw_call(rng, (*REAL, *INTEGERS), "noise")
        case["w"] |= {"dtype": pick(rng, REAL), "values": pick(rng, ("noise", "small", "ones"))}
        case["options"] |= {
            "dtype": pick(rng, INTEGERS), "overflow": pick(rng, ("wrap", "saturate")),
            "rounding": pick(rng, tuple(ROUNDINGS)),
        }  # fmt: skip
        case["flip"] = bool(rng.random() < 0.5)
        case["mean"] = bool(rng.random() < 0.3)
        return case

    def check(self, case):
        x, w, options = build(case["x"]), build(case["w"]), options_of(case)
        if case["mean"]:
            w = np.full_like(w, 1 / w.size)
        call = pyconv.convolve if case["flip"] else pyconv.correlate
        y = call_or_none(call, x, w, method="reference", **options)
        if y is None:
            return
        for method in ("auto", *(a.name for a in ROUNDING_ALGORITHMS)):
            made = call_or_none(call, x, w, method=method, **options)
            require(made is not None or method != "auto", "refused, but there is a result")
            if made is not None:
                same_bits(made, y, method)
        same_bits(call(x, w, workers=3, **options), y, "workers=3")
        geometry = {k: v for k, v in options.items() if k not in ("dtype", "overflow", "rounding")}
        total, _ = oracles.correlate(x, w.astype(np.float64), flip=case["flip"], **geometry)
        if options["dtype"] in ("i4", "i8"):
            require(np.all(np.abs(y - total) < 1.001), "no integers next to the sums")


# ---- filters ----------------------------------------------------------------------------------

#: Filter → what draws its own arguments, and the kernel that these mean on n axes.
FILTERS = {
    "ball": (lambda rng: [float(rng.uniform(0.5, 3))], lambda n, r: kernels.ball(r)),
    "box": (lambda rng: [int(rng.integers(1, 12))], lambda n, k: kernels.box(k, ndim=n)),
    "disk": (lambda rng: [float(rng.uniform(0.5, 6))], lambda n, r: kernels.disk(r)),
    "dog": (lambda rng: [float(rng.uniform(0.3, 2))], lambda n, s: kernels.dog(s, ndim=n)),
    "edge": (lambda rng: [], lambda n: kernels.edge(n)),
    "emboss": (lambda rng: [], lambda n: kernels.emboss()),
    "gabor": (
        lambda rng: [float(rng.uniform(low, high)) for low, high in ((2, 8), (0, 3), (0.5, 2))],
        lambda n, *a: kernels.gabor(*a, ndim=n),
    ),
    "gaussian": (
        lambda rng: [float(rng.uniform(0.2, 4))],
        lambda n, s: kernels.gaussian(s, ndim=n),
    ),
    "laplace": (lambda rng: [], lambda n: kernels.laplace(n)),
    "log": (lambda rng: [float(rng.uniform(0.5, 2))], lambda n, s: kernels.log(s, ndim=n)),
    "motion": (
        lambda rng: [float(rng.uniform(1, 6)), float(rng.uniform(0, 3))],
        lambda n, *a: kernels.motion(*a),
    ),
    "prewitt": (lambda rng: [], lambda n: kernels.prewitt(n - 1, n)),
    "roberts": (lambda rng: [int(rng.integers(2))], lambda n, d: kernels.roberts(d)),
    "scharr": (lambda rng: [], lambda n: kernels.scharr(n - 1, n)),
    "sharpen": (lambda rng: [], lambda n: kernels.sharpen(n)),
    "sobel": (lambda rng: [], lambda n: kernels.sobel(n - 1, n)),
    "unsharp": (
        lambda rng: [float(rng.uniform(0.3, 2)), float(rng.uniform(0.2, 2))],
        lambda n, *a: kernels.unsharp(*a, ndim=n),
    ),
}  # fmt: skip


#: The definition is a NumPy call for each tap: what takes longer than seconds is not compared.
MAX_PRODUCTS = 2e7


class Filters:
    """A filter is its kernel over the definition, whatever axes, border and dtype."""

    def draw(self, rng):
        name = pick(rng, sorted(FILTERS))
        n = int(pick(rng, KERNELS[name].ndims))
        ndim = int(rng.integers(n, 5))
        values = pick(rng, ("small", "noise", "whole"))
        sizes = lengths(rng, ndim, 8 if n == 3 else 15)
        x = spec(rng, sizes, pick(rng, (*FLOATS, *INTEGERS)), values)
        axes = [int(a) for a in rng.permutation(ndim)[:n]]
        options = {"axes": axes} | some(
            rng,
            boundary=lambda: one_or_each(rng, n, lambda: pick(rng, NAMES)),
            fill_value=lambda: int(rng.integers(2)),
            workers=lambda: int(rng.integers(1, 3)),
        )
        arguments = FILTERS[name][0](rng)
        if name == "gabor" and n == 1:
            arguments[1] = 0.0  # there is no other orientation
        return {"name": name, "x": x, "arguments": arguments, "options": options}

    def check(self, case):
        x, name, options = build(case["x"]), case["name"], options_of(case)
        n = len(options["axes"])
        direction = {"axis": options["axes"][-1]} if KERNELS[name].direction == "axis" else {}
        function = getattr(filters, name)
        y = function(x, *case["arguments"], **options, **direction)
        w = FILTERS[name][1](n, *case["arguments"])
        if w.size * x.size > MAX_PRODUCTS:
            return
        geometry = {k: v for k, v in options.items() if k != "workers"}
        total, scale = oracles.correlate(
            x, w, "same", **({"boundary": "symmetric"} | geometry)
        )  # fmt: skip
        if y.dtype.kind in "iu":
            exact(y, np.asarray(total), "kernel")
        else:
            largest = np.abs(oracles.wide(x)).max() * np.abs(w).sum()
            largest = max(float(largest), float(np.max(np.asarray(scale))))
            eps = float(np.finfo(y.dtype).eps) * (3 * sum(w.shape) + 64)
            close(y, np.asarray(total), eps * largest, "kernel")
        out = np.empty_like(y)
        function(x, *case["arguments"], out=out, **{**options, "workers": 2}, **direction)
        same_bits(out, y, "workers=2, out")


# ---- in SciPy's place -------------------------------------------------------------------------

MODES = (
    "reflect", "constant", "nearest", "mirror", "wrap", "grid-mirror", "grid-wrap", "grid-constant",
)  # fmt: skip
#: Function → what draws its own arguments for n axes.
DROPINS = {
    "correlate": lambda rng, n: {},
    "convolve": lambda rng, n: {},
    "correlate1d": lambda rng, n: {"axis": int(rng.integers(-n, n))},
    "convolve1d": lambda rng, n: {"axis": int(rng.integers(-n, n))},
    "gaussian_filter": lambda rng, n: {
        "sigma": one_or_each(rng, n, lambda: float(rng.uniform(0, 3))),
        "order": one_or_each(rng, n, lambda: int(rng.integers(3))),
    },
    "gaussian_filter1d": lambda rng, n: {
        "sigma": float(rng.uniform(0.1, 4)), "axis": int(rng.integers(-n, n)),
        "order": int(rng.integers(4)),
    },
    "gaussian_laplace": lambda rng, n: {"sigma": float(rng.uniform(0.4, 3))},
    "gaussian_gradient_magnitude": lambda rng, n: {"sigma": float(rng.uniform(0.4, 3))},
    "laplace": lambda rng, n: {},
    "prewitt": lambda rng, n: {"axis": int(rng.integers(-n, n))},
    "sobel": lambda rng, n: {"axis": int(rng.integers(-n, n))},
    "uniform_filter": lambda rng, n: {"size": one_or_each(rng, n, lambda: int(rng.integers(1, 9)))},
    "uniform_filter1d": lambda rng, n: {
        "size": int(rng.integers(1, 12)), "axis": int(rng.integers(-n, n)),
    },
}  # fmt: skip
ORIGINS = {"correlate", "convolve", "correlate1d", "convolve1d"}


class Ndimage:
    """`pyconv.ndimage` does what SciPy does on the same call, errors included."""

    def draw(self, rng):
        name, n = pick(rng, sorted(DROPINS)), int(rng.integers(1, 4))
        dtype = pick(rng, ("f4", "f8", "c8", "c16", *INTEGERS[1:8]))
        values = pick(rng, ("small", "noise", "whole"))
        case = {
            "name": name, "x": spec(rng, lengths(rng, n, 18), dtype, values),
            "options": DROPINS[name](rng, n) | some(
                rng, mode=lambda: pick(rng, MODES), cval=lambda: pick(rng, (0.0, 1.0, 2.5))
            ),
        }  # fmt: skip
        if name in ORIGINS:
            taps = 1 if name.endswith("1d") else n
            case["w"] = spec(rng, rng.integers(1, 6, taps), pick(rng, ("f8", "i4", "f4")),
                             pick(rng, ("small", "noise")))  # fmt: skip
            if rng.random() < 0.4:
                case["options"]["origin"] = int(rng.integers(-2, 3))
        return case

    def check(self, case):
        x = build(case["x"])
        args = [x] + ([build(case["w"])] if "w" in case else [])
        ours, error = attempt(getattr(ndimage, case["name"]), args, options_of(case))
        right, theirs = attempt(getattr(scipy.ndimage, case["name"]), args, options_of(case))
        if theirs is not None or error is not None:
            require(
                theirs is not None and isinstance(error, (type(theirs), *REFUSALS)),
                f"ours: {error!r}; SciPy's: {theirs!r}",
            )
            return
        require(ours.dtype == right.dtype, f"dtype {ours.dtype}, SciPy's {right.dtype}")
        if right.dtype.kind in "iu":
            self.whole(case, ours, right)
            return
        largest = self.scale(case, args)
        eps = 200 * float(np.finfo(right.dtype).eps) * largest
        # SciPy filters pass by pass, and stores each in the dtype of the result.
        close(ours, right, eps * (20 if right.dtype.itemsize in (4, 8) else 1), "SciPy")

    @staticmethod
    def whole(case, ours, right):
        if "cval" in case["options"] or "magnitude" in case["name"]:
            apart = (ours - right).astype(f"i{ours.itemsize}")  # wraps
            require(np.all((apart >= -1) & (apart <= 1)), "integers")
            return
        same_bits(ours, right, "SciPy")

    @staticmethod
    def scale(case, args):
        largest = max(float(np.abs(oracles.wide(args[0])).max()), case["options"].get("cval", 1.0))
        weights = float(np.abs(oracles.wide(args[1])).sum()) if len(args) > 1 else 20.0
        return max(1.0, largest * weights)


def attempt(function, args, keywords):
    """Return (result, None), or (None, error)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(*args, **keywords), None
        except Exception as error:  # noqa: BLE001 - what it is, is what is compared
            return None, error


class Signal:
    """`pyconv.signal` does what SciPy does on the same call, errors included."""

    def draw(self, rng):
        name = pick(
            rng,
            ("convolve", "correlate", "convolve2d", "correlate2d", "fftconvolve", "oaconvolve"),
        )
        n = 2 if name.endswith("2d") else int(rng.integers(1, 4))
        dtypes = ("f4", "f8", "c8", "c16", "i4", "u1", "i8")
        options = some(rng, mode=lambda: pick(rng, ("full", "valid", "same")))
        if name in ("convolve", "correlate"):
            options |= some(rng, method=lambda: pick(rng, ("auto", "direct", "fft")))
        elif n == 2 and name.endswith("2d"):
            options |= some(
                rng, boundary=lambda: pick(rng, ("fill", "wrap", "symm")),
                fillvalue=lambda: pick(rng, (0, 1, 2)),
            )  # fmt: skip
        elif rng.random() < 0.3:
            options["axes"] = [int(a) for a in rng.permutation(n)[: rng.integers(1, n + 1)]]
        values = pick(rng, ("small", "noise"))
        return {
            "name": name, "options": options,
            "x": spec(rng, lengths(rng, n, 18), pick(rng, dtypes), values),
            "w": spec(rng, lengths(rng, n, 8), pick(rng, dtypes), values),
        }  # fmt: skip

    def check(self, case):
        args = [build(case["x"]), build(case["w"])]
        if "axes" in case["options"]:  # the other axes must be equal, or of length 1
            w = args[1]
            for axis in set(range(w.ndim)) - {a % w.ndim for a in case["options"]["axes"]}:
                w = w.take([0], axis)
            args[1] = w
        ours, error = attempt(getattr(signal, case["name"]), args, options_of(case))
        right, theirs = attempt(getattr(scipy.signal, case["name"]), args, options_of(case))
        if theirs is not None or error is not None:
            require(
                theirs is not None and isinstance(error, (type(theirs), *REFUSALS)),
                f"ours: {error!r}; SciPy's: {theirs!r}",
            )
            return
        require(ours.shape == right.shape, f"shape {ours.shape}, SciPy's {right.shape}")
        require(ours.dtype == right.dtype, f"{ours.dtype}, SciPy's {right.dtype}")
        if right.dtype.kind in "iu":
            require(np.array_equal(ours, right), "integers")
            return
        largest = float(np.abs(oracles.wide(args[0])).max()) * float(
            np.abs(oracles.wide(args[1])).sum()
        )
        # SciPy transforms each argument in its own precision.
        dtypes = (a.dtype for a in (ours, right, *args) if a.dtype.kind in "fc")
        eps = max(float(np.finfo(dtype).eps) for dtype in dtypes)
        close(ours, right, 200 * eps * max(1.0, largest), "SciPy")


class Fir:
    """The FIR filters of `pyconv.signal` do what SciPy's do on the same call, errors included."""

    #: The arguments of each function that are no options.
    ORDER: ClassVar = {
        "lfilter": "w a x", "filtfilt": "w a x", "upfirdn": "w x", "resample_poly": "x",
        "decimate": "x", "savgol_filter": "x",
    }  # fmt: skip

    def draw(self, rng):
        name = pick(rng, list(self.ORDER))
        n = int(rng.integers(1, 4))
        dtypes = ("f4", "f8", "c8", "c16", "i4", "u1", "i8")
        shape = lengths(rng, n, 24)
        options = some(rng, axis=lambda: int(rng.integers(-n, n)))
        rate = {"up": int(rng.integers(1, 8)), "down": int(rng.integers(1, 8))}
        padtypes = ("constant", "edge", "wrap", "symmetric", "line")
        if name == "filtfilt":
            options |= some(
                rng, padtype=lambda: pick(rng, ("odd", "even", "constant", None)),
                padlen=lambda: int(rng.integers(0, 9)),
            )  # fmt: skip
        elif name == "upfirdn":
            options |= rate | some(rng, mode=lambda: pick(rng, padtypes))
        elif name == "resample_poly":
            options |= rate | some(rng, padtype=lambda: pick(rng, (*padtypes, "mean", "maximum")))
        elif name == "decimate":
            options |= {"q": int(rng.integers(2, 6)), "ftype": "fir"}
            options |= some(rng, n=lambda: int(rng.integers(0, 30)), zero_phase=lambda: False)
        elif name == "savgol_filter":
            options |= {
                "window_length": int(rng.integers(1, 12)),
                "polyorder": pick(rng, (0, 1, 3)),
            }
            options |= some(
                rng, deriv=lambda: int(rng.integers(0, 3)),
                mode=lambda: pick(rng, ("interp", "mirror", "nearest", "wrap", "constant")),
            )  # fmt: skip
        return {
            "name": name, "options": options,
            "x": spec(rng, shape, pick(rng, dtypes)), "a": pick(rng, (1, 2.0, -4.0)),
            "w": spec(rng, [int(rng.integers(1, 40))], pick(rng, dtypes)),
        }  # fmt: skip

    def check(self, case):
        made = {"x": build(case["x"]), "w": build(case["w"]), "a": case["a"]}
        args = [made[name] for name in self.ORDER[case["name"]].split()]
        options = options_of(case)
        axis = options.get("axis", 0 if case["name"] == "resample_poly" else -1)
        if made["x"].shape[axis] < 2 and {"mode", "padtype"} & options.keys():
            return  # SciPy reads what lies beside the array
        ours, error = attempt(getattr(signal, case["name"]), args, options)
        # Where strides are no whole samples, SciPy reads other bytes than those of the samples.
        whole = [v.copy() if isinstance(v, np.ndarray) else v for v in args]
        right, theirs = attempt(getattr(scipy.signal, case["name"]), whole, options)
        if theirs is not None or error is not None:
            require(
                theirs is not None and isinstance(error, (type(theirs), *REFUSALS)),
                f"ours: {error!r}; SciPy's: {theirs!r}",
            )
            return
        require(ours.dtype == right.dtype, f"{ours.dtype}, SciPy's {right.dtype}")
        low = any(np.asarray(v).dtype.char in "fF" for v in (ours, *args))
        largest = max(1.0, float(np.abs(oracles.wide(right)).max(initial=0)))
        largest = max(largest, float(np.abs(oracles.wide(args[-1])).max(initial=0)))
        weights = float(np.abs(oracles.wide(made["w"])).sum()) if "w" in case else 1.0
        close(ours, right, (1e-5 if low else 1e-10) * largest * max(1.0, weights), "SciPy")


# ---- templates, lags --------------------------------------------------------------------------


def coefficients(x, t, axes, mode, boundary, fill_value, seen):
    """Return the definition of `match_template`: every window, its mean taken off."""
    x = x.astype(float)
    for axis, (low, high), rule in zip(
        axes, oracles.pads_of(mode, t.shape), np.broadcast_to(boundary, t.ndim), strict=True
    ):
        x = oracles.pad_axis(x, axis, low, high, str(rule), fill_value)
    windows = np.lib.stride_tricks.sliding_window_view(x, t.shape, axis=axes)[..., seen]
    t = t.astype(float)[seen]
    windows = windows - windows.mean(-1, keepdims=True)
    t = t - t.mean()
    norms = np.sqrt((windows**2).sum(-1) * (t**2).sum())
    with np.errstate(all="ignore"):
        return np.where(norms > 0, (windows * t).sum(-1) / norms, 0)


class Templates:
    """`match_template` gives the coefficients of the definition."""

    def draw(self, rng):
        n = int(rng.integers(1, 4))
        ndim = int(rng.integers(n, 5))
        dtype = pick(rng, ("f4", "f8", "u1", "i2", "i8", "?", "f2"))
        case = {
            "x": spec(rng, lengths(rng, ndim, 16), dtype, "whole"),
            "t": spec(rng, rng.integers(1, 6, n), dtype, "whole"),
            "options": {"axes": [int(a) for a in rng.permutation(ndim)[:n]]} | some(
                rng,
                mode=lambda: extent(rng, n),
                boundary=lambda: one_or_each(rng, n, lambda: pick(rng, NAMES)),
                fill_value=lambda: int(rng.integers(2)),
                workers=lambda: int(rng.integers(1, 3)),
            ),
        }  # fmt: skip
        if rng.random() < 0.3:
            case["mask"] = spec(rng, case["t"]["shape"], "?", "mask")
        return case

    def check(self, case):
        x, t, options = build(case["x"]), build(case["t"]), options_of(case)
        mask = build(case["mask"]) if "mask" in case else None
        if mask is not None and mask.all():
            return
        y = call_or_none(pyconv.match_template, x, t, mask=mask, **options)
        if y is None:
            return
        right = coefficients(
            x, t, options["axes"], options.get("mode", "valid"),
            options.get("boundary", "constant"), options.get("fill_value", 0),
            np.ones(t.shape, bool) if mask is None else ~mask,
        )  # fmt: skip
        close(y, right, TOLERANCES[y.dtype], "definition")
        require(np.all(np.abs(y) <= 1), "a coefficient above 1")
        same_bits(y, pyconv.match_template(x, t, mask=mask, **{**options, "workers": 2}), "workers")


class Lags:
    """`xcorr` sums over what both signals have at each lag."""

    def draw(self, rng):
        dtype, values = pick(rng, FLOATS + INTEGERS[1:8]), pick(rng, ("small", "noise"))
        batch = [] if rng.random() < 0.5 else [3]
        return {
            "a": spec(rng, [*batch, int(rng.integers(1, 60))], dtype, values),
            "b": spec(rng, [*batch, int(rng.integers(1, 60))], dtype, values),
            "options": some(
                rng,
                maxlag=lambda: (
                    int(rng.integers(0, 70)) if rng.random() < 0.6
                    else sorted(int(n) for n in rng.integers(-70, 70, 2))
                ),
                normalize=lambda: pick(rng, ("biased", "unbiased")),
            ),
        }  # fmt: skip

    def check(self, case):
        a, b, options = build(case["a"]), build(case["b"]), options_of(case)
        y, lags = pyconv.xcorr(a, b, **options)
        wide_a, wide_b = oracles.wide(a), oracles.wide(b)
        la, lb = a.shape[-1], b.shape[-1]
        most = options.get("maxlag")
        low, high = (1 - lb, la - 1) if most is None else (most if isinstance(most, tuple)
                                                           else (-most, most))  # fmt: skip
        expected = np.arange(low, high + 1)
        require(np.array_equal(lags, expected), f"lags {lags}")
        right = np.zeros((*a.shape[:-1], len(lags)), np.result_type(wide_a.dtype, wide_b.dtype))
        for i, k in enumerate(lags):
            n = range(max(0, -k), min(lb, la - k))
            for m in n:
                right[..., i] += wide_a[..., m + k] * np.conj(wide_b[..., m])
            if options.get("normalize") == "unbiased":
                right[..., i] = right[..., i] / max(1, len(n))
        if options.get("normalize") == "biased":
            right = right / max(la, lb)
        if y.dtype.kind in "iu":
            exact(y, right, "definition")
            return
        largest = float(np.abs(wide_a).max() * np.abs(wide_b).sum())
        close(y, right, 100 * float(np.finfo(y.dtype).eps) * max(1.0, largest), "definition")


class Streams:
    """Chunks of a stream, one behind the other, are the convolution of the whole."""

    def draw(self, rng):
        dtype = pick(rng, ("f4", "f8", "c8", "c16", "i2", "i8", "u1", "f2"))
        channels = pick(rng, (None, None, 1, 3))
        lead = [] if channels is None else [channels]
        taps = pick(rng, (1, 2, 5, 16, 17, 33, 100, 330))
        options = some(
            rng,
            up=lambda: pick(rng, (1, 2, 3, 9, 20)),
            down=lambda: pick(rng, (1, 2, 3, 9, 20)),
            block=lambda: pick(rng, (1, 16, 50, 200)),
        )
        if dtype in ("f4", "f8", "c8", "c16") and taps > 33 and rng.random() < 0.4:
            options = {"method": "fft", "block": pick(rng, (1, 16))}
        return {
            "x": spec(rng, [*lead, int(rng.integers(1, 1000))], dtype),
            "w": spec(rng, [taps], dtype),
            "options": options,
            "channels": channels,
            "chunks": [int(pick(rng, (0, 1, 7, 63, 64, 65, 400))) for _ in range(6)] + [50],
            "saved": bool(rng.random() < 0.3),
        }  # fmt: skip

    def check(self, case):
        x, w, options = build(case["x"]), build(case["w"]), options_of(case)
        stream = signal.StreamingFilter(w, dtype=x.dtype, channels=case["channels"], **options)
        parts, start = [], 0
        for n in itertools.cycle(case["chunks"]):
            if start >= x.shape[-1]:
                break
            chunk = x[..., start : start + n]
            count = stream.results_of(chunk.shape[-1])
            parts.append(stream(chunk))
            require(parts[-1].shape[-1] == count, f"{parts[-1].shape[-1]} results, not {count}")
            start += n
            if case["saved"]:
                stream = copy.copy(stream)
        y = np.concatenate([*parts, stream.flush()], axis=-1)
        up, down = options.get("up", 1), options.get("down", 1)
        wide_x, wide_w = oracles.wide(x), oracles.wide(w)
        between = np.zeros((*x.shape[:-1], (x.shape[-1] - 1) * up + 1), wide_x.dtype)
        between[..., ::up] = wide_x
        right = np.apply_along_axis(np.convolve, -1, between, wide_w)[..., ::down]
        if stream.method == "direct":
            exact(y, right, "definition")
        else:
            largest = float(np.abs(wide_x).max() * np.abs(wide_w).sum())
            close(y, right, 8 * float(np.finfo(y.dtype).eps) * max(1.0, largest), "definition")


class Rates:
    """Strides that are fractions: zeros between samples, the sum, every so many results."""

    def draw(self, rng):
        ndim = int(rng.integers(1, 4))
        return {
            "x": spec(rng, lengths(rng, ndim), pick(rng, (*FLOATS, *INTEGERS))),
            "w": spec(rng, [pick(rng, (1, 2, 3, 8, 17, 40))], pick(rng, (*FLOATS, *INTEGERS))),
            "rate": [pick(rng, (2, 3, 5, 16, 160)), pick(rng, (1, 2, 3, 7, 147))],
            "axis": int(rng.integers(ndim)),
            "flip": bool(rng.random() < 0.5),
            "method": pick(rng, ("auto", "auto", "polyphase", "direct", "reference")),
            "options": {"mode": extent(rng, 1)}
            | some(
                rng,
                boundary=lambda: pick(rng, NAMES),
                fill_value=lambda: int(rng.integers(2)),
                dilation=lambda: int(rng.integers(1, 4)),
            ),
        }

    def check(self, case):
        x, w, options = build(case["x"]), build(case["w"]), options_of(case)
        (up, down), axis = case["rate"], case["axis"]
        call = pyconv.convolve if case["flip"] else pyconv.correlate
        asked = {"axes": axis, "stride": Fraction(down, up), "method": case["method"]}
        if case["method"] not in RATE_PLANNER.methods or down % up == 0:
            asked["method"] = "auto"
        y = call_or_none(call, x, w, **asked, **options)
        if y is None:
            return
        shared = math.gcd(up, down)
        right, _ = oracles.resample(
            x, w, up // shared, down // shared, axis=axis, flip=case["flip"], **options
        )
        if y.dtype.kind in "biu" or case["method"] != "auto":
            exact(y, right, "definition")
            return
        largest = float(np.abs(oracles.wide(x)).max() * np.abs(oracles.wide(w)).sum())
        close(y, right, 64 * float(np.finfo(y.dtype).eps) * max(1.0, largest), "definition")


# ---- layers -----------------------------------------------------------------------------------

PADDING_MODES = list(layer_oracles.BOUNDARIES)


def pairs(rng, n):
    """Return paddings before and after each axis."""
    return [[int(rng.integers(4)), int(rng.integers(4))] for _ in range(n)]


def draw_layer(rng, dtypes=("f4", "f8", "c8", "c16")):
    """Draw the arrays and options of a layer."""
    n, groups = int(rng.integers(1, 4)), pick(rng, (1, 1, 1, 2, 3))
    channels = groups * pick(rng, (1, 1, 2, 3, 5, 9))
    outputs = groups * pick(rng, (1, 2, 3, 8, 17))
    if rng.random() < 0.15:
        groups = channels
        outputs = groups * pick(rng, (1, 2))
    taps = rng.integers(1, 6, n)
    dtype = pick(rng, dtypes)
    return {
        "x": spec(rng, [pick(rng, (1, 1, 2, 3)), channels, *lengths(rng, n, 14)], dtype),
        "w": spec(rng, [outputs, channels // groups, *taps], dtype),
        "bias": spec(rng, [outputs], dtype) if rng.random() < 0.5 else None,
        "options": {"groups": groups} | some(
            rng,
            stride=lambda: one_or_each(rng, n, lambda: int(rng.integers(1, 4))),
            dilation=lambda: one_or_each(rng, n, lambda: int(rng.integers(1, 4))),
            padding=lambda: pick(rng, (1, 2, 3, "valid", pairs(rng, n))),
            padding_mode=lambda: pick(rng, PADDING_MODES),
        ),
    }  # fmt: skip


class Layers:
    """Layers, their plans and their gradients, by every algorithm that takes them."""

    def draw(self, rng):
        case = draw_layer(rng)
        case["method"] = pick(rng, ("auto", "auto", *(a.name for a in LAYER_ALGORITHMS)))
        case["workers"] = int(rng.integers(1, 4))
        return case

    def check(self, case):
        x, w, options = build(case["x"]), build(case["w"]), options_of(case)
        bias = build(case["bias"]) if case["bias"] else None
        n = x.ndim - 2
        conv = getattr(functional, f"conv{n}d")
        try:
            right, scale = layer_oracles.conv(x, w, bias, **options)
            fits = right.size > 0
        except ValueError:  # the oracle cannot pad, or no window fits
            fits = False
        try:
            y = conv(x, w, bias, method=case["method"], workers=case["workers"], **options)
        except ValueError as error:
            require(
                not fits or case["method"] != "auto" or "mirror" in str(error)
                or "reflect" in str(error) or "circular" in str(error) or "larger" in str(error),
                f"refused: {error}",
            )  # fmt: skip
            return
        if not fits:
            return
        eps = float(np.finfo(y.dtype).eps)
        tolerance = 300 * eps * max(1.0, float(np.abs(scale).max()))
        close(y, right, tolerance, "definition")
        same_bits(y, conv(x, w, bias, method=case["method"], workers=2, **options), "workers=2")
        self.gradients(case, x, w, y, options, eps)

    @staticmethod
    def gradients(case, x, w, y, options, eps):
        n = x.ndim - 2
        dy = arrays.small(np.random.default_rng(1), y.shape, y.dtype)
        method = {"workers": case["workers"]}
        dx = getattr(grad, f"conv{n}d_input")(x.shape, w, dy, **options, **method)
        dw = getattr(grad, f"conv{n}d_weight")(x, w.shape, dy, **options, **method)
        plain, scale = layer_oracles.conv(x, w, None, **options)
        of_y = np.vdot(dy.astype(complex), plain)
        bound = 300 * eps * float(np.abs(dy).astype(float).sum() * max(1.0, scale.max()))
        for name, product in (
            ("input", np.vdot(dx.astype(complex), x.astype(complex))),
            ("weight", np.vdot(dw.astype(complex), w.astype(complex))),
        ):
            require(
                abs(product - of_y) <= bound, f"gradient for the {name} is not the adjoint: "
                f"{product} for {of_y}",
            )  # fmt: skip


class Pools:
    """Pools against every window by itself, and their gradients as adjoints."""

    def draw(self, rng):
        n = int(rng.integers(1, 4))
        kernel = one_or_each(rng, n, lambda: int(rng.integers(1, 5)))
        shape = [
            pick(rng, (1, 2)),
            pick(rng, (1, 3)),
            *[int(rng.integers(1, 11)) for _ in range(n)],
        ]
        options = {"kernel_size": kernel} | some(
            rng,
            stride=lambda: one_or_each(rng, n, lambda: int(rng.integers(1, 5))),
            padding=lambda: int(rng.integers(0, np.min(kernel) // 2 + 1)),
            ceil_mode=lambda: True,
        )
        kind = pick(rng, ("max", "avg"))
        if kind == "max":
            options |= some(rng, dilation=lambda: int(rng.integers(1, 4)))
        else:
            options |= some(rng, count_include_pad=lambda: False)
        return {
            "kind": kind, "x": spec(rng, shape, pick(rng, ("f4", "f8")), "noise"),
            "options": options, "workers": int(rng.integers(1, 4)),
        }  # fmt: skip

    def check(self, case):
        x, options = build(case["x"]), options_of(case)
        n = x.ndim - 2
        spread = {k: v for k, v in options.items() if k in ("stride", "dilation", "ceil_mode")}
        axes = nn_oracles.pool_windows(
            x.shape[2:], options["kernel_size"], pad=options.get("padding", 0), **spread
        )
        pool = getattr(functional, f"{case['kind']}_pool{n}d")
        extra = {"return_indices": True} if case["kind"] == "max" else {}
        try:
            y = pool(x, **options, **extra, workers=case["workers"])
        except ValueError:
            require(not self.fits(x, options), "refused, but there are windows")
            return
        if case["kind"] == "max":
            y, where = y
            right, indices = nn_oracles.max_pool(x, axes)
            exact(y, right, "largest")
            require(np.array_equal(where, indices), "indices")
            dy = np.ones_like(y)
            dx = getattr(grad, f"max_pool{n}d_input")(x.shape, where, dy, workers=case["workers"])
            require(dx.sum() == (where >= 0).sum(), "gradient of a pool loses a share")
            return
        counted = options.get("count_include_pad", True)
        divisors = nn_oracles.counts(axes, x.shape[2:], options.get("padding", 0), counted)
        with np.errstate(all="ignore"):
            right = nn_oracles.sum_pool(x, axes) / divisors
        tolerance = 100 * float(np.finfo(y.dtype).eps) * max(1.0, float(np.abs(x).max()))
        close(y, right, tolerance, "means")
        dy = arrays.noise(np.random.default_rng(1), y.shape, y.dtype)
        dx = getattr(grad, f"avg_pool{n}d_input")(
            x.shape, dy, **options, workers=case["workers"]
        )  # fmt: skip
        apart = abs(np.vdot(dx.astype(float), x.astype(float)) - np.vdot(dy.astype(float), right))
        require(apart <= tolerance * max(1, dy.size), f"gradient is not the adjoint: {apart}")

    @staticmethod
    def fits(x, options):
        """Return whether the shape of the result, as torch has it, has no zero."""
        n = x.ndim - 2
        k, pad, d = (
            np.broadcast_to(options.get(name, default), n)
            for name, default in (("kernel_size", 1), ("padding", 0), ("dilation", 1))
        )
        stride = np.broadcast_to(options.get("stride", k), n)
        room = np.array(x.shape[2:]) + 2 * pad - (k - 1) * d - 1
        if options.get("ceil_mode"):
            room = room + stride - 1
        return bool(np.all(room >= 0))


class Columns:
    """`unfold` against every window by itself; `fold` and the transposed layer as adjoints."""

    def draw(self, rng):
        case = draw_layer(rng, ("f4", "f8"))
        case["options"].pop("padding_mode", None)
        case["options"]["padding"] = int(rng.integers(0, 3))
        case["workers"] = int(rng.integers(1, 3))
        return case

    def check(self, case):
        x, w, options = build(case["x"]), build(case["w"]), options_of(case)
        n = x.ndim - 2
        groups = options.pop("groups")
        taps = w.shape[2:]
        axes = nn_oracles.pool_windows(
            x.shape[2:], taps, options.get("stride", 1), options["padding"],
            options.get("dilation", 1),
        )  # fmt: skip
        try:
            columns = functional.unfold(x, taps, **options)
        except ValueError:
            require(not all(axes), "refused, but there are windows")
            return
        exact(columns, nn_oracles.unfold(x, axes), "unfold")
        ones = np.ones_like(columns)
        folded = functional.fold(ones, x.shape[2:], taps, **options)
        apart = float(np.vdot(folded.astype(float), x.astype(float)) - columns.astype(float).sum())
        require(abs(apart) < 1e-6, f"fold is not the adjoint of unfold: {apart}")
        y, _ = layer_oracles.conv(x, w, None, groups=groups, **options)
        dy = arrays.small(np.random.default_rng(1), y.shape, x.dtype)
        strides, dilations = (
            np.broadcast_to(options.get(name, 1), n) for name in ("stride", "dilation")
        )
        # What the windows do not reach is what the output padding is for.
        left = [
            size - ((out - 1) * s - 2 * options["padding"] + (k - 1) * d + 1)
            for size, out, s, k, d in zip(
                x.shape[2:], y.shape[2:], strides, taps, dilations, strict=True
            )
        ]
        dx = getattr(functional, f"conv_transpose{n}d")(
            dy, w, groups=groups, workers=case["workers"], output_padding=tuple(map(int, left)),
            **options,
        )  # fmt: skip
        require(dx.shape == x.shape, f"the transposed layer has shape {dx.shape}")
        apart = np.vdot(dx.astype(float), x.astype(float)) - np.vdot(dy.astype(float), y)
        bound = 300 * float(np.finfo(x.dtype).eps) * max(
            1.0, float(np.abs(dy).sum() * np.abs(y).max())
        )  # fmt: skip
        require(abs(apart) <= bound, f"the transposed layer is not the adjoint: {apart}")


# ---- operators --------------------------------------------------------------------------------


class Operators:
    """A x is the call, the adjoint is one exactly, and the matrix is A."""

    def draw(self, rng):
        case = draw_call(rng, ("f8", "c16"), high=4)
        case["x"]["dtype"] = case["w"]["dtype"]
        case["x"]["shape"] = [min(n, 9) for n in case["x"]["shape"]]
        case["options"].pop("fill_value", None)
        case["flip"] = bool(rng.random() < 0.5)
        return case

    def check(self, case):
        x, w, options = build(case["x"]), build(case["w"]), options_of(case)
        call = pyconv.convolve if case["flip"] else pyconv.correlate
        y = call_or_none(call, x, w, rtol=0, **options)
        if y is None or not y.size:
            return
        keywords = {"flip": case["flip"], "x_dtype": x.dtype, **options}
        a = operators.linear_operator(x.shape, w, rtol=0, **keywords)
        flat = np.ascontiguousarray(x).astype(x.dtype.newbyteorder("=")).ravel()
        require(np.array_equal(a @ flat, y.ravel()), "A x is not the call")
        v = arrays.small(np.random.default_rng(1), y.size, y.dtype)
        require(np.vdot(v, a @ flat) == np.vdot(a.H @ v, flat), "not the adjoint")
        matrix = operators.sparse_matrix(x.shape, w, **keywords)
        require(np.array_equal(matrix @ flat, y.ravel()), "the matrix is not A")


# ---- bad input --------------------------------------------------------------------------------


#: Family → the function that its case calls, and the arrays that go first.
CALLS = {
    "sums": ("x", "w"), "coverage": ("x", "w"), "filters": ("x",), "ndimage": ("x", "w"),
    "signal": ("x", "w"), "templates": ("x", "t"), "lags": ("a", "b"),
    "layers": ("x", "w", "bias"), "pools": ("x",), "operators": ("w",), "plans": ("x", "w"),
    "banks": ("x", "w"),
}  # fmt: skip
#: Options that families do not draw.
MORE = {
    "sums": ("dtype", "overflow", "rounding", "nan_policy", "mask", "method", "rtol", "max_memory",
             "workers", "boundary", "axes", "stride", "dilation", "fill_value", "mode"),
    "plans": ("x_dtype", "flip", "dtype", "overflow", "rounding", "method", "rtol", "max_memory"),
    "coverage": ("flip", "mask", "max_memory", "workers", "fill_value"),
    "banks": ("dtype", "overflow", "rounding", "method", "rtol", "workers", "axis"),
    "filters": ("boundary", "fill_value", "dtype", "overflow", "rtol", "workers", "axes"),
    "ndimage": ("mode", "cval", "output", "axes"),
    "signal": ("mode",),
    "templates": ("mode", "boundary", "fill_value", "axes", "mask", "workers"),
    "lags": ("maxlag", "normalize", "axis", "pairs", "workers"),
    "layers": ("stride", "padding", "dilation", "groups", "padding_mode", "method", "max_memory",
               "workers"),
    "pools": ("kernel_size", "stride", "padding", "ceil_mode", "workers"),
    "operators": ("mode", "boundary", "flip", "x_dtype", "axes", "stride", "dilation", "rtol",
                  "max_memory", "workers"),
}  # fmt: skip


class Refused:
    """An odd argument of any function gives an array or a documented error; out is untouched."""

    def draw(self, rng):
        family = pick(rng, sorted(CALLS))
        case = FAMILIES[family].draw(rng)
        case["of"] = family
        present = [name for name in CALLS[family] if case.get(name)]
        for _ in range(int(rng.integers(1, 3))):
            if rng.random() < 0.4:
                case[pick(rng, present)]["odd"] = pick(rng, sorted(ODD_ARRAYS))
            else:
                name = pick(rng, sorted({*case["options"], *MORE[family]}))
                case["options"][name] = {"odd": pick(rng, sorted(ODD))}
        case["out"] = pick(rng, ("", "plain", "odd"))
        return case

    def function(self, case):
        """Return the function of a case, and whether it takes ``out``."""
        family = case["of"]
        n = len(case["x"]["shape"]) - 2 if "x" in case else 0
        return {
            "sums": lambda: (pyconv.correlate, True),
            "plans": lambda: (pyconv.plan, False),
            "coverage": lambda: (pyconv.coverage, False),
            "banks": lambda: (pyconv.correlate_each, True),
            "filters": lambda: (getattr(filters, case["name"]), True),
            "ndimage": lambda: (getattr(ndimage, case["name"]), False),
            "signal": lambda: (getattr(signal, case["name"]), False),
            "templates": lambda: (pyconv.match_template, False),
            "lags": lambda: (pyconv.xcorr, False),
            "layers": lambda: (getattr(functional, f"conv{n}d"), True),
            "pools": lambda: (getattr(functional, f"{case['kind']}_pool{n}d"), False),
            "operators": lambda: (operators.linear_operator, False),
        }[family]()

    def check(self, case):
        function, takes_out = self.function(case)
        args = [build(case[name]) for name in CALLS[case["of"]] if case.get(name)]
        args += case.get("arguments", [])
        if case["of"] == "operators":
            args.insert(0, tuple(case["x"]["shape"]))
        options, out = options_of(case), None
        if takes_out and case["out"]:
            shape = case["x"]["shape"] if case["out"] == "plain" else [3, 2]
            out = options["out"] = np.full(shape, 7.0)
        before = out.tobytes() if out is not None else None
        allowed = (*REFUSALS, RuntimeError) if case["of"] in ("ndimage", "signal") else REFUSALS
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                function(*args, **options)
            except allowed as error:
                require(str(error) or isinstance(error, MemoryError), "an error without a message")
                require(out is None or out.tobytes() == before, f"out is half-written: {error}")


FAMILIES = {
    "sums": Sums(),
    "plans": Plans(),
    "coverage": Coverage(),
    "banks": Banks(),
    "wild": Wild(),
    "integers": Integers(),
    "rounded": Rounded(),
    "filters": Filters(),
    "ndimage": Ndimage(),
    "signal": Signal(),
    "fir": Fir(),
    "templates": Templates(),
    "lags": Lags(),
    "streams": Streams(),
    "rates": Rates(),
    "layers": Layers(),
    "pools": Pools(),
    "columns": Columns(),
    "operators": Operators(),
    "refused": Refused(),
}


def draw(seed, families=tuple(FAMILIES)):
    """Return the case of a number."""
    rng = np.random.default_rng(seed)
    family = pick(rng, families)
    case = FAMILIES[family].draw(rng)
    return {"family": family, "isa": pick(rng, loader.runnable())} | case


def check(case):
    """Run a case; raise what is wrong with it."""
    use_isa(case.get("isa", loader.native.ISA))
    FAMILIES[case["family"]].check(copy.deepcopy(case))


# ---- smaller cases ----------------------------------------------------------------------------


def smaller(case):
    """Yield cases that are a little smaller, the boldest first."""
    for name in [n for n, a in case.items() if isinstance(a, dict) and "shape" in a]:
        array = case[name]
        for i, size in enumerate(array["shape"]):
            for less in sorted({1, size // 2, size - 1} - {size, 0}):
                yield replaced(case, name, "shape", [*array["shape"][:i], less,
                                                     *array["shape"][i + 1 :]])  # fmt: skip
        for field, plain in (("layout", "plain"), ("values", "ones"), ("seed", 0)):
            if array[field] != plain:
                yield replaced(case, name, field, plain)
    for name in list(case["options"]):
        less = copy.deepcopy(case)
        del less["options"][name]
        yield less
    for name, plain in itertools.chain((("out", ""), ("workers", 1), ("bias", None))):
        if name in case and case[name] != plain:
            yield {**copy.deepcopy(case), name: plain}


def replaced(case, name, field, value):
    """Return a case with one field of one array replaced."""
    less = copy.deepcopy(case)
    less[name][field] = value
    return less
