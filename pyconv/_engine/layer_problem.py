"""LayerProblem: everything about a layer's call except the data; all validation of its shapes.

    y[n, k, i] = b[k] + Σ_c Σ_u x[n, c, i·s + u·d − p] · w[k, c, u]

where c runs over the channels of k's group.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.problem import (
    MAX_COORDINATE,
    Axis,
    integer,
    integers,
    several,
)

#: torch's word for what is read outside the input → our boundary.
PADDING_MODES = {
    "zeros": "constant",
    "reflect": "mirror",
    "replicate": "nearest",
    "circular": "wrap",
}

#: Results behind a part beyond which their number decides nothing: those of a vector of bytes.
MOST_BEHIND = 64

T = TypeVar("T")


class Kept(Generic[T]):
    """A property that is computed once.

    `functools.cached_property` of Python 3.11 does it under a lock of all instances; a child that
    is forked while another thread holds it would wait for ever.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __get__(self, problem: object, owner: type | None = None) -> T:
        """Compute it; the instance has it as an attribute from now on."""
        value = problem.__dict__[self._compute.__name__] = self._compute(problem)
        return value


@dataclass(frozen=True)
class LayerProblem:
    """A validated call without its data. Channels follow the batch, spatial axes follow them."""

    batch: int
    in_channels: int
    out_channels: int
    groups: int
    spatial: tuple[Axis, ...]
    #: The dtype of the arrays and of the sums: float32 or float64.
    dtype: np.dtype
    #: Bytes of workspace that all threads together may take.
    max_memory: float = math.inf
    #: What only a limit asks for: the bytes of it that copies of whole arrays take, and whether
    #: the weights lie as a contiguous array does.
    copied: int = 0
    straight_weights: bool = True
    #: The problem of which the results are a part, and how many follow them along each spatial
    #: axis, `MOST_BEHIND` for more. It decides in which order a part is summed.
    whole: LayerProblem | None = None
    behind: tuple[int, ...] = ()

    def __hash__(self) -> int:
        """Return a hash that is found once: every call looks its plan up."""
        return self._hash

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields alone: what is found once may be of this process alone."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @Kept
    def _hash(self) -> int:
        return hash(
            (
                self.batch,
                self.in_channels,
                self.out_channels,
                self.groups,
                self.spatial,
                self.dtype,
                self.max_memory,
                self.copied,
                self.straight_weights,
                self.whole,
                self.behind,
            )
        )

    @property
    def deciding(self) -> LayerProblem:
        """The problem that decides in which order results are summed: this one, or the whole."""
        return self if self.whole is None else self.whole

    def part(
        self,
        shape: tuple[int, ...],
        firsts: Sequence[int],
        outs: Sequence[int],
        behind: Sequence[int],
    ) -> LayerProblem:
        """Return the problem of some results, on an array of the samples that those read.

        Parameters
        ----------
        shape : tuple of int
            The shape of that array.
        firsts : sequence of int
            For each spatial axis the sample at the place of the first result, counted from the
            first that the array holds.
        outs, behind : sequence of int
            The results along each spatial axis, and those of the whole behind them.
        """
        axes = []
        for a, size, first, out in zip(self.spatial, shape[2:], firsts, outs, strict=True):
            low = a.low - first
            high = (out - 1) * a.stride + a.span - low - size
            axes.append(replace(a, size=size, low=low, high=high, out=out))
        whole = replace(self.deciding, batch=1)
        few = tuple(min(n, MOST_BEHIND) for n in behind)
        return replace(self, batch=shape[0], spatial=tuple(axes), whole=whole, behind=few)

    @Kept
    def x_shape(self) -> tuple[int, ...]:
        """Return the shape of the input."""
        return (self.batch, self.in_channels, *(a.size for a in self.spatial))

    @Kept
    def w_shape(self) -> tuple[int, ...]:
        """Return the shape of the weights."""
        channels = self.in_channels // self.groups
        return (self.out_channels, channels, *(a.taps for a in self.spatial))

    @Kept
    def y_shape(self) -> tuple[int, ...]:
        """Return the shape of the result."""
        return (self.batch, self.out_channels, *(a.out for a in self.spatial))

    @Kept
    def terms(self) -> int:
        """Return how many products each result sums."""
        return math.prod(self.w_shape[1:])

    @Kept
    def pixels(self) -> int:
        """Return how many results each image and output channel has."""
        return math.prod(a.out for a in self.spatial)

    @Kept
    def products(self) -> int:
        """Return the multiplications of the plain definition."""
        return math.prod(self.y_shape) * self.terms

    @Kept
    def bytes(self) -> int:
        """Return the bytes of the input, the weights and the result."""
        numbers = sum(math.prod(s) for s in (self.x_shape, self.w_shape, self.y_shape))
        return numbers * self.dtype.itemsize

    def within(self, max_memory: float, copied: int) -> LayerProblem:
        """Return the problem of a call that may take so many bytes, and copies some of them."""
        return replace(self, max_memory=max_memory, copied=copied)

    def zero_padded(self) -> LayerProblem:
        """Return the problem whose input has been extended by its pads, so that none are left."""
        spatial = tuple(
            replace(a, size=a.size + a.low + a.high, low=0, high=0) for a in self.spatial
        )
        return replace(self, spatial=spatial)


class Options(NamedTuple):
    """What a layer is called with besides its arrays, as the caller gave it."""

    stride: object = 1
    padding: object = 0
    dilation: object = 1
    groups: object = 1
    padding_mode: object = "zeros"


def make_layer_problem(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], dtype: np.dtype, options: Options
) -> LayerProblem:
    """Validate the shapes and options of a batched call; return its LayerProblem.

    Those of options in the usual types are kept, because validation takes as long as a small layer.

    Raises
    ------
    TypeError
        For options of types that are not taken.
    ValueError
        For shapes and options; the message names them and what is allowed.
    """
    # Equal is not enough: 1.0 and True equal 1, but they are refused.
    for o in options:
        kind = type(o)
        if kind is not int and kind is not str and not _is_plain_tuple(o):
            return _validated(x_shape, w_shape, dtype, options)
    return _kept_problem(x_shape, w_shape, dtype, options)


def _is_plain_tuple(option: object) -> bool:
    return type(option) is tuple and all(type(i) is int for i in option)


def _validated(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], dtype: np.dtype, options: Options
) -> LayerProblem:
    n = len(w_shape) - 2
    shapes = f"input {x_shape} and weight {w_shape}"
    groups = checked_groups(options.groups)
    if 0 in w_shape:
        raise ValueError(f"weight is empty (shape {w_shape})")
    if w_shape[0] % groups:
        raise ValueError(
            f"weight has {w_shape[0]} output channels (shape {w_shape}), which groups={groups} "
            "does not divide"
        )
    if x_shape[1] != w_shape[1] * groups:
        raise ValueError(
            f"{shapes} do not fit: input has {x_shape[1]} channels, but {w_shape[1]} channels of "
            f"weight times groups={groups} make {w_shape[1] * groups}"
        )
    strides = positive(options.stride, n, "stride")
    dilations = positive(options.dilation, n, "dilation")
    spans = [(k - 1) * d + 1 for k, d in zip(w_shape[2:], dilations, strict=True)]
    pads = paddings(options.padding, spans, strides)
    boundary = checked_padding_mode(options.padding_mode)
    spatial = tuple(
        _axis(i, x_shape, w_shape, pads[i], strides[i], dilations[i], boundary) for i in range(n)
    )
    problem = LayerProblem(x_shape[0], x_shape[1], w_shape[0], groups, spatial, dtype)
    if math.prod(problem.y_shape) * 16 >= MAX_COORDINATE:
        raise ValueError(f"the result would have shape {problem.y_shape}, too large to address")
    return problem


_kept_problem = lru_cache(maxsize=256)(_validated)


def _axis(
    i: int,
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    pads: tuple[int, int],
    stride: int,
    dilation: int,
    boundary: str,
) -> Axis:
    size, taps, (low, high) = x_shape[2 + i], w_shape[2 + i], pads
    span = (taps - 1) * dilation + 1
    if size == 0:
        raise ValueError(f"input is empty along axis {2 + i} (shape {x_shape})")
    if max(span, abs(low), abs(high), size, stride) > MAX_COORDINATE // 8:
        raise ValueError(
            f"axis {2 + i}: size {size}, kernel span {span} ({taps} taps, dilation {dilation}), "
            f"padding {pads} and stride {stride} must each be at most 2**59"
        )
    positions = size + low + high - span + 1
    if positions <= 0:
        raise ValueError(
            f"the result would be empty along axis {2 + i}: input {x_shape} has length {size}, "
            f"{size + low + high} with padding {pads}, and weight {w_shape} spans {span} "
            f"({taps} taps, dilation {dilation})"
        )
    return Axis(2 + i, size, taps, low, high, stride, dilation, boundary, -(-positions // stride))


def checked_groups(groups: object) -> int:
    """Return ``groups`` as a number of at least one."""
    number = integer(groups, "groups")
    if number < 1:
        raise ValueError(f"groups={groups!r}: an integer of at least 1 is allowed")
    return number


def checked_padding_mode(word: object) -> str:
    """Return our name of a padding mode."""
    if not isinstance(word, str) or word not in PADDING_MODES:
        raise ValueError(
            f"padding_mode={word!r} is unknown; allowed are {', '.join(PADDING_MODES)}"
        )
    boundary = PADDING_MODES[word]
    assert boundary in BOUNDARIES
    return boundary


def positive(value: object, n: int, argument: str) -> tuple[int, ...]:
    """Return one integer of at least one for each of ``n`` axes."""
    numbers = _integers(value, n, argument)
    if min(numbers) < 1:
        raise ValueError(f"{argument}={value!r}: integers of at least 1 are allowed")
    return numbers


def _integers(value: object, n: int, argument: str) -> tuple[int, ...]:
    if isinstance(value, tuple | list) and len(value) == 1:
        value = value[0]  # as torch: one number for all axes
    return integers(value, n, argument)


def paddings(
    padding: object, spans: list[int], strides: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    """Return the (low, high) pads of each axis from any spelling of them."""
    n = len(spans)
    if isinstance(padding, str):
        if padding == "valid":
            return ((0, 0),) * n
        if padding != "same":
            raise ValueError(
                f"padding={padding!r} is unknown; allowed are 'valid', 'same', an integer, one "
                f"for each of the {n} axes, or a (low, high) pair for each of them"
            )
        if max(strides) > 1:
            raise ValueError(f"padding='same' needs stride=1, not stride={strides}")
        # As torch: the odd sample goes to the end.
        return tuple(((k - 1) // 2, k - 1 - (k - 1) // 2) for k in spans)
    entries = several(padding) or ()
    if any(several(p) is not None for p in entries):
        pairs = [tuple(integer(p, "padding") for p in _pair(q, padding)) for q in entries]
        if len(pairs) != n:
            raise ValueError(f"padding={padding!r} has {len(pairs)} pairs; the kernel has {n} axes")
        pads = tuple((pair[0], pair[1]) for pair in pairs)
    else:
        pads = tuple((p, p) for p in _integers(padding, n, "padding"))
    if min(map(min, pads)) < 0:
        raise ValueError(f"padding={padding!r}: integers of at least 0 are allowed")
    return pads


def _pair(value: object, padding: object) -> tuple[object, object]:
    pair = several(value)
    if pair is None:
        raise ValueError(f"padding={padding!r}: either integers or (low, high) pairs are allowed")
    if len(pair) != 2:
        raise ValueError(f"padding={padding!r}: {value!r} is no (low, high) pair")
    return pair[0], pair[1]


def adjoint_phases(problem: LayerProblem) -> list[Phase]:
    """Return the layers that together are the gradient of ``problem`` for its input.

    The taps u with u·d ≡ r (mod s) reach the input samples j with j + p ≡ r, and no others do:
    for each phase r of each axis the gradient is a layer of stride 1 over dy with the taps of
    that phase, flipped. Pads must be zeros; samples that no tap reaches have gradient zero.
    """
    every = (slice(None), slice(None))
    phases = [Phase(every, every, ())]
    for a in problem.spatial:
        reached = sorted({u * a.dilation % a.stride for u in range(a.taps)})
        along = [p for r in reached if (p := _axis_phase(a, r)) is not None]
        phases = [
            Phase((*done.taps, taps), (*done.into, into), (*done.axes, axis))
            for done in phases
            for taps, into, axis in along
        ]
    return phases


class Phase(NamedTuple):
    """One of the layers of a gradient for the input."""

    #: Indices of the original weights, taps in the order in which the layer reads them.
    taps: tuple[slice, ...]
    #: Indices of the part of the gradient that the layer computes.
    into: tuple[slice, ...]
    axes: tuple[Axis, ...]

    def of(self, problem: LayerProblem) -> LayerProblem:
        """Return the layer."""
        return replace(
            problem,
            in_channels=problem.out_channels,
            out_channels=problem.in_channels,
            spatial=self.axes,
        )


def _axis_phase(a: Axis, r: int) -> tuple[slice, slice, Axis] | None:
    """Return taps, samples and axis of a phase that taps reach, None if there are no samples."""
    first = (r - a.low) % a.stride  # the first sample j with j + p ≡ r
    if first >= a.size:
        return None
    common = math.gcd(a.stride, a.dilation)
    apart, dilation = a.stride // common, a.dilation // common
    start = next(
        (u for u in range(min(apart, a.taps)) if (u * a.dilation - r) % a.stride == 0), None
    )
    if start is None:
        return None
    taps = (a.taps - 1 - start) // apart + 1
    samples = -(-(a.size - first) // a.stride)
    # Sample j of the phase's first tap reads dy at i = (j + p − u·d) / s, later taps before it.
    origin = (first + a.low - start * a.dilation) // a.stride
    low = (taps - 1) * dilation - origin
    high = samples + (taps - 1) * dilation - a.out - low
    last = start + (taps - 1) * apart
    flipped = slice(last, start - 1 if start else None, -apart)
    into = slice(first, None, a.stride)
    return flipped, into, Axis(a.axis, a.out, taps, low, high, 1, dilation, "constant", samples)
