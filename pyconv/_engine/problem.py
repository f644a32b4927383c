"""Problem: everything about a call except the data; all validation and all extents.

    y[i] = Σ_u x[i·s + u·d − p] · w[u]

The stride of a kernel of one axis may be a fraction, s = down/up: x then has up − 1 zeros between
its samples, and pads, taps and extents count the places of that grid.

Nothing below this module checks or converts an argument again.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._engine.boundaries import BOUNDARIES, boundary_name
from pyconv._engine.dtypes import (
    DTYPES,
    LIMITS,
    OVERFLOWS,
    ROUNDINGS,
    is_integer,
    natural_dtype,
    supported,
)

Pads = tuple[int, int]

#: A mode's pads for a kernel that spans ``k`` samples.
EXTENTS: dict[str, Callable[[int], tuple[int, int]]] = {
    "valid": lambda _: (0, 0),
    "same": lambda k: (k // 2, (k - 1) // 2),
    "full": lambda k: (k - 1, k - 1),
}

MAX_SPATIAL = 3
#: NumPy's limit but one: the parts of a complex sample are an axis of their own.
MAX_COMPLEX_AXES = 63
#: Bytes of workspace that a call may take if it does not say.
DEFAULT_MEMORY = 256 << 20
#: Coordinates and sizes stay below this, so that sums of two of them fit a signed 64-bit integer.
MAX_COORDINATE = 2**62


class CallOptions(NamedTuple):
    """What a call chooses besides its arrays, as the caller gave it.

    A tuple is made and hashed in a fifth of the time that a dataclass takes.
    """

    #: Whether the kernel is flipped (convolution) or conjugated (correlation).
    flip: bool = False
    mode: object = "valid"
    boundary: object = "constant"
    fill_value: object = 0
    axes: object = None
    stride: object = 1
    dilation: object = 1
    dtype: Any = None
    overflow: object = "raise"
    rounding: object = None
    rtol: object = None
    max_memory: object = None
    method: object = "auto"

    def of_problem(self) -> dict[str, Any]:
        """Return the keywords of `make_problem`."""
        named = self._asdict()
        del named["method"]
        return named


@dataclass(frozen=True, slots=True)
class Axis:
    """One spatial axis: kernel axis and the axis of ``x`` that it acts on."""

    axis: int
    size: int
    taps: int
    low: int
    high: int
    stride: int
    dilation: int
    boundary: str
    out: int
    #: Places of the grid for each sample, zeros between them: the stride is stride/up. Wisdom knows
    #: problems by their words, in which those of whole strides have not changed.
    up: int = field(default=1, repr=False)

    @property
    def span(self) -> int:
        """Samples from the first tap to the last, both included."""
        return (self.taps - 1) * self.dilation + 1

    @property
    def places(self) -> int:
        """Places of the grid from the first sample to the last, both included."""
        return (self.size - 1) * self.up + 1

    def sources(self, tap: int) -> np.ndarray:
        """Return, for each output of a whole stride, the index of what ``tap`` reads, or FILL."""
        i = np.arange(self.out, dtype=np.intp) * self.stride + (tap * self.dilation - self.low)
        return BOUNDARIES[self.boundary].index(i, self.size)

    def taps_inside(self) -> tuple[int, int]:
        """Return the first tap that reads a sample for some output, and the one after the last.

        At least one tap. The others read what is outside, whatever the output.
        """
        last = self.low - (self.out - 1) * self.stride  # where the last output reads sample 0
        first = min(max(0, -(-last // self.dilation)), self.taps - 1)
        return first, max(
            first, min((self.low + self.size - 1) // self.dilation, self.taps - 1)
        ) + 1

    def outside(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices read at coordinates −low … −1 and at size … size + high − 1."""
        index = BOUNDARIES[self.boundary].index
        return (
            index(np.arange(-self.low, 0, dtype=np.intp), self.size),
            index(np.arange(self.size, self.size + self.high, dtype=np.intp), self.size),
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """A validated call without its data. Spatial axes are in kernel order."""

    x_shape: tuple[int, ...]
    x_dtype: np.dtype
    w_shape: tuple[int, ...]
    w_dtype: np.dtype
    spatial: tuple[Axis, ...]
    fill_value: complex
    #: Whether the kernel is flipped (convolution) or conjugated (correlation).
    flip: bool
    #: The dtype of the result and of the sums; the latter is None until the values of an
    #: integer problem have been seen.
    dtype: np.dtype
    compute: np.dtype | Any
    overflow: str
    y_shape: tuple[int, ...]
    #: The error that is granted, as a part of max|x| · Σ|w|; None for the default.
    rtol: float | None
    #: Bytes of workspace that all threads together may take.
    max_memory: int
    #: How sums in double become integers, a word of ROUNDINGS; None for results that are sums, or
    #: are rounded from those of any algorithm.
    rounding: str | None = None
    #: Whether sums are divided by the number of weights, which are ones.
    mean: bool = False
    #: Whether the weights are those along each axis, one after the other, applied in turn: what is
    #: between is stored as the results are. Weights that mirror are summed in pairs.
    by_axis: bool = False
    #: Whether rounded sums may be no signed 64-bit integers, or those of a bool be beyond 0 and 1.
    unbounded: bool = False
    #: The problem whose results these are a part of. It decides in which order a part is summed.
    whole: Problem | None = None

    @property
    def up(self) -> int:
        """Places of the grid for each sample: more than 1 where the stride is a fraction."""
        return self.spatial[0].up  # a kernel of several axes has whole strides

    @property
    def is_between_rates(self) -> bool:
        """Whether it is one of `RATE_ALGORITHMS`."""
        return self.spatial[0].up > 1

    @property
    def deciding(self) -> Problem:
        """The problem that decides in which order results are summed: this one, or the whole."""
        return self if self.whole is None else self.whole

    def part(self, shape: tuple[int, ...], firsts: Sequence[int], outs: Sequence[int]) -> Problem:
        """Return the problem of some results, on an array of the samples that those read.

        With a stride that is a fraction the first result is one of the first phase.

        Parameters
        ----------
        shape : tuple of int
            The shape of that array.
        firsts : sequence of int
            For each kernel axis the sample at the place of the first result, counted from the
            first that the array holds.
        outs : sequence of int
            The results along each kernel axis.
        """
        axes, y_shape = [], [*shape]
        for a, first, out in zip(self.spatial, firsts, outs, strict=True):
            size, low = shape[a.axis], a.low - first * a.up
            high = (out - 1) * a.stride + a.span - low - ((size - 1) * a.up + 1)
            axes.append(replace(a, size=size, low=low, high=high, out=out))
            y_shape[a.axis] = out
        return replace(
            self, x_shape=shape, y_shape=tuple(y_shape), spatial=tuple(axes), whole=self.deciding
        )

    def options(self) -> CallOptions:
        """Return the options of a call that has this problem."""
        return CallOptions(
            flip=self.flip,
            mode=tuple((a.low, a.high) for a in self.spatial),
            boundary=tuple(a.boundary for a in self.spatial),
            fill_value=self.fill_value,
            axes=tuple(a.axis for a in self.spatial),
            stride=tuple(a.stride if a.up == 1 else Fraction(a.stride, a.up) for a in self.spatial),
            dilation=tuple(a.dilation for a in self.spatial),
            dtype=self.dtype,
            overflow=self.overflow,
            rounding=self.rounding,
            rtol=self.rtol,
            max_memory=self.max_memory,
        )

    @property
    def products(self) -> int:
        """Multiplications of the plain definition, none with zeros between samples."""
        return -(-math.prod(self.y_shape) * math.prod(self.w_shape) // self.up)

    @property
    def is_rounded(self) -> bool:
        """Whether it is one of `ROUNDING_ALGORITHMS`."""
        return self.rounding is not None

    @property
    def exact(self) -> bool:
        """Whether the sums are integers."""
        return is_integer(self.x_dtype) and is_integer(self.w_dtype)

    def summed_in(self, compute: np.dtype) -> Problem:
        """Return the same problem with the dtype of its sums settled."""
        # To NumPy a dtype equals None where it is float64.
        known = self.compute is not None and self.compute == compute
        return self if known else replace(self, compute=compute)

    def on_parts(self, part: np.dtype) -> Problem:
        """Return the problem on real and imaginary parts, a trailing axis of two samples."""
        return replace(
            self,
            x_shape=(*self.x_shape, 2),
            y_shape=(*self.y_shape, 2),
            x_dtype=part,
            w_dtype=part,
            dtype=part,
            compute=part,
            whole=None if self.whole is None else self.whole.on_parts(part),
        )

    def without_idle_taps(self) -> tuple[Problem, tuple[slice, ...]] | None:
        """Return the problem of those taps that read a sample, and where they are in the kernel.

        None where all do, or where the others read something else than zeros.
        """
        inside = [a.taps_inside() for a in self.spatial]
        if self.fill_value != 0 or all(
            last - first == a.taps or a.boundary != "constant"
            for a, (first, last) in zip(self.spatial, inside, strict=True)
        ):
            return None
        axes, part = [], []
        for a, (first, last) in zip(self.spatial, inside, strict=True):
            after = a.taps - last
            if a.boundary != "constant":
                first, after = 0, 0
            taps = a.taps - first - after
            low, high = a.low - first * a.dilation, a.high - after * a.dilation
            axes.append(replace(a, taps=taps, low=low, high=high))
            start = after if self.flip else first
            part.append(slice(start, start + taps))
        return replace(self, w_shape=tuple(a.taps for a in axes), spatial=tuple(axes)), tuple(part)

    def without_repeated_taps(self) -> tuple[Problem, tuple[int, ...]] | None:
        """Return the problem with one tap along axes whose taps read one sample, and those axes.

        They are axes of the kernel. None where there are none.
        """
        axes = tuple(
            i
            for i, a in enumerate(self.spatial)
            if a.size == a.out == 1 < a.taps and a.boundary != "constant"
        )
        if not axes:
            return None
        spatial = tuple(
            replace(a, taps=1, low=0, high=0, stride=1, dilation=1) if i in axes else a
            for i, a in enumerate(self.spatial)
        )
        return replace(self, w_shape=tuple(a.taps for a in spatial), spatial=spatial), axes

    def with_every_result(self) -> Problem:
        """Return the problem of stride 1, up to the last result that the strides keep."""
        spatial, y_shape = [], [*self.y_shape]
        for a in self.spatial:
            out = y_shape[a.axis] = (a.out - 1) * a.stride + 1
            high = out - 1 + a.span - a.size - a.low
            spatial.append(replace(a, stride=1, out=out, high=high))
        return replace(self, spatial=tuple(spatial), y_shape=tuple(y_shape))

    @property
    def table_bytes(self) -> int:
        """Return the bytes of the indices that are read outside ``x``, while they are made."""
        return 16 * sum((max(0, a.low) + max(0, a.high)) // a.up for a in self.spatial)

    def tables_exceed(self) -> str | None:
        """Return why the pads are too wide for tables within ``max_memory``, if they are."""
        if self.table_bytes <= self.max_memory:
            return None
        return (
            f"the tables of its pads need {self.table_bytes} bytes, more than "
            f"max_memory={self.max_memory}"
        )

    @property
    def reads_fill(self) -> bool:
        """Whether some output may read the fill value."""
        return any(
            a.boundary == "constant" and (a.low >= a.up or a.high >= a.up) for a in self.spatial
        )


def make_problem(
    x_shape: tuple[int, ...],
    x_dtype: np.dtype,
    w_shape: tuple[int, ...],
    w_dtype: np.dtype,
    *,
    mode: object = "valid",
    boundary: object = "constant",
    fill_value: object = 0,
    axes: object = None,
    stride: object = 1,
    dilation: object = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: object = "raise",
    rtol: object = None,
    max_memory: object = None,
    flip: bool = False,
    rounding: object = None,
    mean: bool = False,
    by_axis: bool = False,
) -> Problem:
    """Validate a call; return its Problem.

    ``mean`` and ``by_axis`` are of filters whose sums are rounded.

    Raises
    ------
    TypeError
        For dtypes and types that are not taken.
    ValueError
        For shapes, modes, axes, strides and sizes; the message names the argument, its value
        and what is allowed.
    """
    x_dtype, w_dtype = supported(x_dtype, "x"), supported(w_dtype, "w")
    n = len(w_shape)
    if not 1 <= n <= MAX_SPATIAL:
        raise ValueError(f"w has {n} dimensions (shape {w_shape}); allowed are 1, 2 and 3")
    if 0 in w_shape:
        raise ValueError(f"w is empty (shape {w_shape}); each axis needs at least one weight")
    where = spatial_axes(axes, n, x_shape)
    if not isinstance(overflow, str) or overflow not in OVERFLOWS:
        raise ValueError(f"overflow={overflow!r} is unknown; allowed are {', '.join(OVERFLOWS)}")
    rates = _rates(stride, n)
    dilations = positive(dilation, n, "dilation")
    boundaries = boundary_names(boundary, n, fill_value)
    spans = [(k - 1) * d + 1 for k, d in zip(w_shape, dilations, strict=True)]
    pads = _pads(mode, spans, where, len(x_shape))
    spatial = tuple(
        _axis(where[i], x_shape[where[i]], w_shape[i], pads[i], *rates[i], dilations[i], b, mode)
        for i, b in enumerate(boundaries)
    )
    y_shape = list(x_shape)
    for a in spatial:
        y_shape[a.axis] = a.out
    natural = natural_dtype(x_dtype, w_dtype)
    if mean:
        natural = np.result_type(x_dtype, w_dtype, np.float32)
    result = natural if dtype is None else supported(dtype, "dtype")
    word, tolerance = _rounding(rounding, natural, result), _tolerance(rtol)
    if word is not None and spatial[0].up > 1:
        raise ValueError(
            f"rounding={rounding!r} takes whole strides, and stride={stride!r} is a fraction; "
            "rounding=None is allowed with it"
        )
    if word is not None and not mean:
        natural = np.result_type(natural, np.float64)
    compute = _compute_dtype(natural, result)
    if compute is not None and compute.kind == "c" and len(x_shape) > MAX_COMPLEX_AXES:
        raise ValueError(
            f"x has {len(x_shape)} dimensions; at most {MAX_COMPLEX_AXES} are allowed for complex "
            "results"
        )
    if math.prod(y_shape) * max(result.itemsize, 16) >= MAX_COORDINATE:
        raise ValueError(f"the result would have shape {tuple(y_shape)}, too large to address")
    return Problem(
        x_shape=x_shape,
        x_dtype=x_dtype,
        w_shape=w_shape,
        w_dtype=w_dtype,
        spatial=spatial,
        fill_value=_fill(fill_value, x_dtype, compute),
        flip=flip,
        dtype=result,
        compute=compute,
        overflow=str(overflow),
        y_shape=tuple(y_shape),
        rtol=tolerance if word is None else 0.0,  # sums in one order have no error
        max_memory=DEFAULT_MEMORY if max_memory is None else memory_limit(max_memory),
        rounding=word,
        mean=mean,
        by_axis=by_axis,
    )


def _rounding(rounding: object, natural: np.dtype, result: np.dtype) -> str | None:
    """Return how sums are rounded; None where sums of integers leave nothing to round."""
    if rounding is None:
        return None
    if not isinstance(rounding, str) or rounding not in ROUNDINGS:
        raise ValueError(
            f"rounding={rounding!r} is unknown; allowed are None, {', '.join(ROUNDINGS)}"
        )
    if not is_integer(result):
        raise TypeError(
            f"rounding={rounding!r}: the result is {result}, which is not rounded; an integer "
            "dtype= is allowed"
        )
    return None if is_integer(natural) else rounding


def _tolerance(rtol: object) -> float | None:
    if rtol is None:
        return None
    if isinstance(rtol, bool | np.bool) or not isinstance(rtol, int | float | np.number):
        raise TypeError(f"rtol={rtol!r}: a number of at least 0, or None, is allowed")
    try:
        value = float(rtol)
    except OverflowError:
        raise ValueError(
            "rtol is an integer beyond the range of float64; numbers of at least 0, or None, are "
            "allowed"
        ) from None
    if not value >= 0:
        raise ValueError(f"rtol={rtol!r}: numbers of at least 0 are allowed")
    return value


def memory_limit(max_memory: object) -> int:
    """Return ``max_memory`` as a number of bytes."""
    value = integer(max_memory, "max_memory")
    if value < 0:
        raise ValueError(f"max_memory={max_memory!r}: a number of bytes of at least 0 is allowed")
    return value


def check_samples(size: int, axis: int) -> None:
    """Raise ValueError for an axis of the kernel along which the array has no samples."""
    if size == 0:
        raise ValueError(f"x is empty along axis {axis}: there is nothing to correlate")


def _axis(
    axis: int,
    size: int,
    taps: int,
    pads: tuple[int, int],
    stride: int,
    up: int,
    dilation: int,
    boundary: str,
    mode: object,
) -> Axis:
    low, high = pads
    span = (taps - 1) * dilation + 1
    check_samples(size, axis)
    places = (size - 1) * up + 1
    if max(span, abs(low), abs(high), places, stride, up) > MAX_COORDINATE // 8:
        between = f"/{up}, {places} places with zeros between samples," if up > 1 else ""
        raise ValueError(
            f"axis {axis}: size {size}, kernel span {span} ({taps} taps, dilation {dilation}), "
            f"pads {pads} and stride {stride}{between} must each be at most 2**59"
        )
    positions = places + low + high - span + 1
    if positions <= 0:
        raise ValueError(
            f"the result would be empty along axis {axis}: x has length {size}"
            + (f", {places} places with zeros between samples" if up > 1 else "")
            + (f" ({places + low + high} with pads {pads})" if low or high else "")
            + f" and the kernel spans {span} ({taps} taps, dilation {dilation}) "
            f"under mode={mode!r}; use mode='same' or 'full', or a shorter kernel"
        )
    return Axis(
        axis=axis,
        size=size,
        taps=taps,
        low=low,
        high=high,
        stride=stride,
        dilation=dilation,
        boundary=boundary,
        out=-(-positions // stride),
        up=up,
    )


def integer(value: object, argument: str) -> int:
    """Return ``value`` as an int, or raise TypeError naming ``argument``."""
    try:
        if isinstance(value, bool | np.bool):
            raise TypeError
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{argument}={value!r}: integers are allowed") from None


def flag(value: object, argument: str, allowed: str = "True or False") -> bool:
    """Return ``value`` as a bool, or raise TypeError naming ``argument``: words are no flags."""
    if not isinstance(value, bool | np.bool):
        raise TypeError(f"{argument}={value!r}: {allowed} is allowed")
    return bool(value)


def several(value: object) -> tuple[Any, ...] | None:
    """Return the entries of a sequence; None of one value, which a word or a 0-d array is too.

    A set, a mapping or an iterator is no sequence: its order means nothing, or it is read once.
    """
    if isinstance(value, tuple | list):
        return tuple(value)
    one = isinstance(value, str | bytes | Mapping) or getattr(value, "ndim", 1) == 0
    ordered = hasattr(value, "__len__") and hasattr(value, "__getitem__")
    return tuple(value) if isinstance(value, Iterable) and ordered and not one else None


def integers(value: object, n: int, argument: str) -> tuple[int, ...]:
    """Return one integer for each of ``n`` axes from an integer or a sequence of them."""
    entries = several(value)
    if entries is not None:
        numbers = tuple(integer(v, argument) for v in entries)
        if len(numbers) != n:
            raise ValueError(
                f"{argument}={value!r} has {len(numbers)} entries; allowed are one integer or "
                f"one for each of the {n} kernel axes"
            )
        return numbers
    return (integer(value, argument),) * n


def positive(value: object, n: int, argument: str) -> tuple[int, ...]:
    """Return one integer of at least 1 for each of ``n`` axes."""
    numbers = integers(value, n, argument)
    if min(numbers) < 1:
        raise ValueError(f"{argument}={value!r}: integers of at least 1 are allowed")
    return numbers


def _rates(stride: object, n: int) -> list[tuple[int, int]]:
    """Return the stride of each of ``n`` axes as down and up, which is 1 where it is whole."""
    entries = several(stride)
    given = (stride,) if entries is None else entries
    if not any(isinstance(s, Fraction) for s in given):
        if n == 1 and len(given) == 1 and isinstance(given[0], float | str):
            raise TypeError(
                f"stride={stride!r}: an integer of at least 1, or a fractions.Fraction down/up, is "
                "allowed"
            )
        return [(s, 1) for s in positive(stride, n, "stride")]
    if entries is not None and len(entries) != n:
        raise ValueError(
            f"stride={stride!r} has {len(entries)} entries; allowed are one number or one for each "
            f"of the {n} kernel axes"
        )
    rates = [
        (s.numerator, s.denominator) if isinstance(s, Fraction) else (integer(s, "stride"), 1)
        for s in given
    ]
    if min(down for down, _ in rates) < 1:
        raise ValueError(
            f"stride={stride!r}: integers of at least 1 and fractions above 0 are allowed"
        )
    if n > 1 and any(up > 1 for _, up in rates):
        raise ValueError(
            f"stride={stride!r}: a fraction is allowed for a kernel of one dimension, and w has "
            f"{n}; integers of at least 1 are allowed"
        )
    return rates * (n // len(rates))


def check_whole_strides(problem: Problem, what: str) -> None:
    """Raise ValueError for a stride that is a fraction, where ``what`` takes whole ones alone."""
    if problem.is_between_rates:
        a = problem.spatial[0]
        raise ValueError(
            f"stride={Fraction(a.stride, a.up)!r} is a fraction, and {what} whole strides; "
            "integers of at least 1 are allowed"
        )


def spatial_axes(axes: object, n: int, x_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes of ``x`` that the ``n`` kernel axes act on, counted from the front."""
    ndim = len(x_shape)
    if ndim < n:
        raise ValueError(
            f"x has {ndim} dimensions (shape {x_shape}), fewer than the {n} of the kernel"
        )
    if axes is None:
        return tuple(range(ndim - n, ndim))
    given = several(axes)
    numbers = tuple(integer(a, "axes") for a in ((axes,) if given is None else given))
    if len(numbers) != n:
        raise ValueError(f"axes={axes!r} names {len(numbers)} axes; the kernel has {n} dimensions")
    for a in numbers:
        if not -ndim <= a < ndim:
            raise ValueError(f"axes={axes!r}: x has axes {-ndim} to {ndim - 1}")
    where = tuple(a % ndim for a in numbers)
    if len(set(where)) < n:
        raise ValueError(f"axes={axes!r} names an axis of x (shape {x_shape}) twice")
    return where


def boundary_names(boundary: object, n: int, fill_value: object) -> tuple[str, ...]:
    """Return our name of the boundary of each of ``n`` kernel axes."""
    words = several(boundary)
    if words is None:
        return (boundary_name(boundary, fill_value),) * n
    if len(words) != n:
        raise ValueError(
            f"boundary={boundary!r} has {len(words)} entries; allowed are one name or "
            f"one for each of the {n} kernel axes"
        )
    return tuple(boundary_name(word, fill_value) for word in words)


def _pads(mode: object, spans: Sequence[int], where: Sequence[int], ndim: int) -> list[Pads]:
    """Return the (low, high) pads of each kernel axis."""
    n = len(spans)
    if isinstance(mode, str):
        if mode not in EXTENTS:
            raise ValueError(
                f"mode={mode!r} is unknown; allowed are {', '.join(EXTENTS)} or pads as np.pad "
                "takes them"
            )
        return [EXTENTS[mode](span) for span in spans]
    try:
        given = _by_axis(mode, where, ndim) if isinstance(mode, Mapping) else _pairs(mode, n)
    except TypeError:
        given = []
    if len(given) != n:
        raise ValueError(
            f"mode={mode!r}: allowed are {', '.join(EXTENTS)} or pads as np.pad takes them: an "
            f"integer or a (low, high) pair of integers for all of the {n} kernel axes, or one "
            "pair for each of them"
        )
    return given


def _pairs(value: object, n: int) -> list[Pads]:
    """Return pads as `numpy.pad` takes them; TypeError or no pads for what it does not."""
    entries = several(value)
    if entries is None:
        return [(integer(value, "mode"),) * 2] * n
    rows = [several(entry) for entry in entries]
    if all(row is None for row in rows):
        rows = [entries]  # of one pair, or one integer, for all axes
    pairs = [tuple(integer(p, "mode") for p in row or ()) for row in rows]
    if len(set(map(len, pairs))) != 1 or len(pairs[0]) not in (1, 2):
        return []
    return [(pair[0], pair[-1]) for pair in pairs] * (n if len(pairs) == 1 else 1)


def _by_axis(mode: Mapping[object, object], where: Sequence[int], ndim: int) -> list[Pads]:
    """Return the pads of axes of ``x`` that are named, none for others."""
    pads = dict.fromkeys(where, (0, 0))
    for axis, value in mode.items():
        number = integer(axis, "mode")
        number += ndim if number < 0 else 0
        pairs = _pairs(value, 1)
        if number not in pads or len(pairs) != 1 or any(map(_is_sequence, several(value) or ())):
            return []
        pads[number] = pairs[0]
    return [pads[axis] for axis in where]


def _is_sequence(value: object) -> bool:
    return several(value) is not None


def _compute_dtype(natural: np.dtype, result: np.dtype) -> np.dtype | None:
    """Return the dtype of the sums, None where the values of an integer problem decide."""
    if natural.kind == "c" and result.kind != "c":
        raise TypeError(f"dtype={result}: the result is {natural}; a complex dtype is allowed")
    if is_integer(natural) or is_integer(result):
        return DTYPES[natural].compute
    return DTYPES[np.result_type(natural, result)].compute


def _fill(fill_value: object, x_dtype: np.dtype, compute: np.dtype | None) -> complex:
    """Return ``fill_value`` as a Python number that the sums can hold."""
    try:
        # An integer of more than 64 bits is no number to NumPy.
        value: Any = fill_value if isinstance(fill_value, int) else np.asarray(fill_value)[()]
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, bool):
            value = int(value)
        if not isinstance(value, int | float | complex):
            raise TypeError
    except (TypeError, AttributeError, ValueError):
        raise TypeError(f"fill_value={fill_value!r}: a number is allowed") from None
    if compute is None:
        low, high = LIMITS[x_dtype]
        if (
            isinstance(value, complex)
            or value != value
            or not low <= value <= high
            or value != int(value)
        ):
            printable = not isinstance(value, int) or value.bit_length() < 1024
            given = repr(fill_value) if printable else "(an integer of more than 1023 bits)"
            raise ValueError(
                f"fill_value={given} is no value of x's dtype {x_dtype}; "
                f"integers from {low} to {high} are allowed"
            )
        return int(value)
    if isinstance(value, complex):
        if compute.kind != "c":
            raise TypeError(f"fill_value={fill_value!r} is complex, but the sums are {compute}")
        return value
    try:
        return float(value)
    except OverflowError:
        raise ValueError(
            "fill_value is an integer beyond the range of float64; numbers within it, and "
            "infinity, are allowed"
        ) from None
