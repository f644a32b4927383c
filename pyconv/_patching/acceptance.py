"""Which calls of SciPy's and astropy's functions ours take; they answer all others themselves.

In SciPy's place ours take arrays of NumPy, no subclass but files mapped to memory, of the dtypes
that both have. What else there is (masked arrays, units, arrays of other libraries, objects, words
that a later SciPy knows) means what SciPy makes of it. In astropy's place ours take whatever has no
word that only pyconv knows.
"""

from __future__ import annotations

import enum
import inspect
import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from pyconv._engine.problem import MAX_SPATIAL

#: Says why ours do not take a value, None if they do.
Check = Callable[[Any], str | None]
#: Says why ours do not take a call, None if they do.
Refuses = Callable[[tuple[Any, ...], Mapping[str, Any]], str | None]

#: Types of arrays that are nothing but their samples.
ARRAYS = frozenset((np.ndarray, np.memmap))
#: Types of the entries of lists.
NUMBERS = frozenset((int, float, complex, np.float64, np.float32, np.int64))
LISTS = frozenset((list, tuple))
#: Dtypes, by their characters: of ours and of SciPy's loops.
TAKEN = frozenset("?bBhHiIlLqQfdFD")


def _kind(value: object) -> str:
    """Return the type of a value, as a reason."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    return (
        f"is {kind.__qualname__}" if package == "builtins" else f"is {package}.{kind.__qualname__}"
    )


def _samples(value: Any) -> str | None:
    if type(value) not in ARRAYS:
        return _kind(value)
    dtype = value.dtype
    return None if dtype.char in TAKEN else f"is of {dtype.type.__name__}"


def _weights(value: Any) -> str | None:
    if type(value) in ARRAYS:
        dtype = value.dtype
        if dtype.char not in TAKEN:
            return f"is of {dtype.type.__name__}"
        depth = value.ndim
    else:
        depth = _depth(value)
        if depth is None:
            return _kind(value)
    return None if depth <= MAX_SPATIAL else f"has {depth} dimensions"


def _depth(value: Any) -> int | None:
    """Return the dimensions of nested lists of numbers, None for anything else."""
    if type(value) not in LISTS:
        return None
    depth = 1
    while not (kinds := set(map(type, value))) <= NUMBERS:
        if not kinds <= LISTS:
            return None
        value = list(itertools.chain.from_iterable(value))
        depth += 1
    return depth


def _output(value: Any) -> str | None:
    if value is None or isinstance(value, (str, type, np.dtype)):
        return None
    if type(value) is not np.ndarray:
        return _kind(value)
    dtype = value.dtype
    return None if dtype.char in TAKEN else f"is of {dtype.type.__name__}"


def _size(value: Any) -> int:
    """Return the entries of an array, or of nested lists that are as long as the first of them."""
    if type(value) in ARRAYS:
        return value.size
    if type(value) not in LISTS or not value:
        return 1
    return len(value) * _size(value[0])


def _line(value: Any) -> str | None:
    """Say why ours do not take weights of one dimension, which may be a number."""
    if type(value) in NUMBERS:
        return None
    reason = _weights(value)
    depth = value.ndim if type(value) in ARRAYS else _depth(value)
    return reason if reason or depth is None or depth < 2 else f"has {depth} dimensions"


def _one_number(value: Any) -> str | None:
    """Say why a filter has feedback, which ours have not."""
    reason = _line(value)
    return reason if reason or _size(value) == 1 else f"has {_size(value)} coefficients"


def _state(value: Any) -> str | None:
    return None if value is None else _samples(value)


def _any_of(*words: str | None) -> Check:
    """Return what says why a value is none of some words."""

    def check(value: Any) -> str | None:
        if value is None or isinstance(value, str):
            return None if value in words else f"is {value!r}"
        return _kind(value)

    return check


class Few(NamedTuple):
    """How little is too little for ours, by the samples: floats, bytes, wider integers.

    Below these numbers SciPy answers sooner, as the time of ours is that of the call. They are
    samples times weights where weights or two arrays are given, else samples. Measured on one
    thread, x86-64 (AVX-512), with SciPy 1.17, on 2026-11-30.
    """

    floats: int = 0
    bytes: int = 0
    integers: int = 0

    def limits(self) -> dict[str, int]:
        """Return the number for each dtype that is taken, by its character."""
        return {
            char: self.floats if char in "fdFD" else self.bytes if char in "?bB" else self.integers
            for char in TAKEN
        }


class Arrays(enum.Enum):
    """The arrays that a function is given; the value says what is counted for `Few`."""

    IMAGE = "samples"
    KERNEL = "samples × weights"
    #: Two, of which either may be the kernel.
    PAIR = "samples × samples"
    LENGTHS = "nothing"
    #: One signal, and weights beside it.
    FILTER = "samples of x, of a filter"
    BOTH_WAYS = "samples of x, of a filter both ways"
    RATES = "samples of x, between two rates"
    SIGNAL = "samples of x"
    DECIMATED = "samples of x, of which some are kept"
    FACTORS = "samples of an image under two factors"
    #: An array and a kernel of astropy's, of any type.
    SKY = "samples × weights of both"


(
    IMAGE, KERNEL, PAIR, LENGTHS, FILTER, BOTH_WAYS, RATES, SIGNAL, DECIMATED, FACTORS, SKY,
) = Arrays  # fmt: skip


class Kind(NamedTuple):
    """What decides about the calls of a function."""

    arrays: Arrays
    #: What is too little.
    few: Few = Few()


#: What is asked of arguments, by name; those of a pair are looked at together.
CHECKS: Mapping[Arrays, Mapping[str, Check]] = {
    IMAGE: {"input": _samples, "output": _output},
    KERNEL: {"input": _samples, "weights": _weights, "output": _output},
    FILTER: {"x": _samples, "b": _line, "a": _one_number, "zi": _state},
    BOTH_WAYS: {"x": _samples, "b": _line, "a": _one_number, "method": _any_of("pad", None)},
    RATES: {"x": _samples, "h": _line},
    SIGNAL: {"x": _samples},
    DECIMATED: {"x": _samples, "ftype": _any_of("fir")},
    FACTORS: {"input": _samples, "hrow": _line, "hcol": _line},
}

_LINE = Kind(KERNEL, Few(2**12, 2**13, 2**14))
_DERIVATIVE = Kind(IMAGE, Few(bytes=2**10, integers=2**11))
_PLANE = Kind(PAIR, Few(2**10, 2**12, 2**12))
_SKY = Kind(SKY, Few(2**17, 2**17, 2**17))
#: SciPy's functions that ours take the place of.
FUNCTIONS: Mapping[str, Kind] = {
    "scipy.ndimage.convolve": Kind(KERNEL),
    "scipy.ndimage.convolve1d": _LINE,
    "scipy.ndimage.correlate": Kind(KERNEL),
    "scipy.ndimage.correlate1d": _LINE,
    "scipy.ndimage.gaussian_filter": Kind(IMAGE),
    "scipy.ndimage.gaussian_filter1d": Kind(IMAGE),
    "scipy.ndimage.gaussian_gradient_magnitude": Kind(IMAGE),
    "scipy.ndimage.gaussian_laplace": Kind(IMAGE),
    "scipy.ndimage.laplace": Kind(IMAGE, Few(integers=2**10)),
    "scipy.ndimage.prewitt": _DERIVATIVE,
    "scipy.ndimage.sobel": _DERIVATIVE,
    "scipy.ndimage.uniform_filter": Kind(IMAGE),
    "scipy.ndimage.uniform_filter1d": Kind(IMAGE, Few(2**11, 2**10, 2**10)),
    "scipy.signal.choose_conv_method": Kind(PAIR),
    "scipy.signal.convolve": Kind(PAIR),
    "scipy.signal.convolve2d": _PLANE,
    "scipy.signal.correlate": Kind(PAIR),
    "scipy.signal.correlate2d": _PLANE,
    "scipy.signal.correlation_lags": Kind(LENGTHS),
    "scipy.signal.decimate": Kind(DECIMATED, Few(2**10, 2**10, 2**10)),
    "scipy.signal.fftconvolve": Kind(PAIR),
    "scipy.signal.filtfilt": Kind(BOTH_WAYS),
    "scipy.signal.lfilter": Kind(FILTER),
    "scipy.signal.oaconvolve": Kind(PAIR),
    "scipy.signal.resample_poly": Kind(SIGNAL, Few(2**10, 2**10, 2**10)),
    "scipy.signal.savgol_filter": Kind(SIGNAL),
    "scipy.signal.sepfir2d": Kind(FACTORS, Few(2**13, 2**13, 2**13)),
    "scipy.signal.upfirdn": Kind(RATES, Few(2**11, 2**11, 2**11)),
}
#: astropy's functions that ours take the place of.
ASTROPY_FUNCTIONS: Mapping[str, Kind] = {
    "astropy.convolution.convolve": _SKY,
    "astropy.convolution.convolve_fft": Kind(SKY),
    "astropy.convolution.interpolate_replace_nans": _SKY,
}
KINDS = {**FUNCTIONS, **ASTROPY_FUNCTIONS}
#: Words of astropy's functions whose values may be more than ours take, and which ours do.
PASSED_ON: Mapping[str, tuple[Any, ...]] = {
    "boundary": (None, "fill", "wrap", "extend"),
    "crop": (True,),
    "return_fft": (False,),
}
#: Keywords that astropy's function which fills gaps passes on.
SKY_WORDS = frozenset(PASSED_ON) | {
    "fill_value", "mask", "normalization_zero_tol", "fft_pad", "psf_pad", "min_wt", "allow_huge",
    "fftn", "ifftn", "complex_dtype", "dealias",
}  # fmt: skip
#: More arguments than any function has.
MANY = 1 << 30
#: What is passed on by functions that take any keyword.
FURTHER = frozenset(("truncate", "radius"))
SMALL = "the call is small"


class _Names(NamedTuple):
    """The names that a function of ours has for its arguments."""

    positional: tuple[str, ...]
    known: frozenset[str]

    def refuse(self, args: tuple[Any, ...], keywords: Mapping[str, Any]) -> str | None:
        """Say why the function does not take arguments, whatever they hold."""
        if len(args) > len(self.positional):
            return f"{len(args)} arguments are given by position"
        if keywords and not self.known.issuperset(keywords):
            return f"of the keyword {min(keywords.keys() - self.known)}"
        return None


def _names(function: Callable[..., Any]) -> _Names:
    parameters: Mapping[str, inspect.Parameter] = inspect.signature(function).parameters
    if function.__module__ == "pyconv.astropy":  # keywords of ours are not astropy's
        parameters = {n: p for n, p in parameters.items() if p.kind is not p.KEYWORD_ONLY}
    by_place = [p for p in parameters.values() if p.kind <= p.POSITIONAL_OR_KEYWORD]
    positional = [p.name for p in by_place]
    known = frozenset(p.name for p in parameters.values() if p.kind is not p.POSITIONAL_ONLY)
    for name, parameter in parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            known = known - {name} | FURTHER
    return _Names(tuple(positional), known)


def refusal(kind: Kind, function: Callable[..., Any], *, takes_small: bool = False) -> Refuses:
    """Return what says why a call of one of `FUNCTIONS` is not for ours, with its signature.

    It is asked before every call. That a call is small is therefore said first, and at once.
    """
    names = _names(function)
    if takes_small:
        kind = Kind(kind.arrays)
    if kind.arrays is LENGTHS:
        return names.refuse
    if kind.arrays is SKY:
        return _refusal_of_sky(kind, names)
    if kind.arrays is PAIR:
        return _refusal_of_pairs(kind, names)
    return _refusal_of_images(kind, names)


def _refusal_of_images(kind: Kind, names: _Names) -> Refuses:
    checks = CHECKS[kind.arrays]
    places = [(names.positional.index(name), name, check) for name, check in checks.items()]
    at, source, _ = places[0]
    limits = kind.few.limits()
    is_weighted = kind.arrays is KERNEL

    def refuses(args: tuple[Any, ...], keywords: Mapping[str, Any]) -> str | None:
        given = len(args)
        x: Any = args[at] if given > at else keywords.get(source)
        if type(x) in ARRAYS:
            few, count = limits.get(x.dtype.char, 0), x.size
            if few and is_weighted:
                count *= _size(args[1] if given > 1 else keywords.get("weights"))
            if count < few:
                return SMALL
        reason = names.refuse(args, keywords)
        if reason is not None:
            return reason
        for place, name, check in places:
            reason = check(args[place] if place < given else keywords.get(name))
            if reason is not None:
                return f"{name} {reason}"
        return None

    return refuses


def _refusal_of_pairs(kind: Kind, names: _Names) -> Refuses:
    places = names.positional
    where_axes = places.index("axes") if "axes" in places else len(places)
    limits = kind.few.limits()

    def refuses(args: tuple[Any, ...], keywords: Mapping[str, Any]) -> str | None:
        given = len(args)
        in1 = args[0] if given else keywords.get("in1")
        in2 = args[1] if given > 1 else keywords.get("in2")
        x: Any = in1 if type(in1) in ARRAYS else in2
        if type(x) in ARRAYS:
            few = limits.get(x.dtype.char, 0)
            if few and _size(in1) * _size(in2) < few:
                return SMALL
        reason = names.refuse(args, keywords)
        if reason is not None:
            return reason
        axes = args[where_axes] if given > where_axes else keywords.get("axes")
        return _refuses_pair(in1, in2, axes)

    return refuses


def _refusal_of_sky(kind: Kind, names: _Names) -> Refuses:
    limits, places = kind.few.limits(), names.positional
    if "boundary" not in places:
        # The function that fills gaps takes the keywords of the one that it calls.
        names = _Names(places, names.known | SKY_WORDS)
    words = [(word, places.index(word) if word in places else MANY) for word in PASSED_ON]

    def refuses(args: tuple[Any, ...], keywords: Mapping[str, Any]) -> str | None:
        given = len(args)
        x: Any = args[0] if given else keywords.get("array")
        if type(x) in ARRAYS:
            w = args[1] if given > 1 else keywords.get("kernel")
            if x.size * _size(getattr(w, "array", w)) < limits.get(x.dtype.char, 0):
                return SMALL
        reason = names.refuse(args, keywords)
        if reason is not None:
            return reason
        for word, place in words:
            if place < given or word in keywords:
                value = args[place] if place < given else keywords[word]
                if not any(value is each or value == each for each in PASSED_ON[word]):
                    return f"{word} is {value!r}"
        return None

    return refuses


def _refuses_pair(in1: Any, in2: Any, axes: Any) -> str | None:
    """Say why ours do not take two arrays, of which either may be the kernel, along axes."""
    first, second = type(in1) in ARRAYS, type(in2) in ARRAYS
    if not first and not second:
        return f"in1 {_kind(in1)}"
    x, other = (in1, in2) if first else (in2, in1)
    if x.dtype.char not in TAKEN:
        return f"{'in1' if first else 'in2'} is of {x.dtype.type.__name__}"
    if first and second:
        character = other.dtype.char
        if character not in TAKEN:
            return f"in2 is of {other.dtype.type.__name__}"
        if character == "?" and x.dtype.char == "?":
            return "in1 and in2 are of bool"
    elif _depth(other) is None:
        return f"{'in2' if first else 'in1'} {_kind(other)}"
    if x.size == 0 or (other.size if second and first else len(other)) == 0:
        return "an array is empty"
    if x.ndim > MAX_SPATIAL and (axes is None or np.size(axes) > MAX_SPATIAL):
        return f"in2 has {x.ndim} dimensions"
    return None


def overwrites(args: tuple[Any, ...], keywords: Mapping[str, Any]) -> bool:
    """Return whether a call may have changed what it reads: two of its arrays share memory."""
    arrays = [a for a in (*args, *keywords.values()) if isinstance(a, np.ndarray)]
    return any(
        np.may_share_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i] if a.size
    )
