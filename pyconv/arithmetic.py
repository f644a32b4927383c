"""Arithmetic of layers: shapes, receptive fields, parameters and operations, without any data.

For each spatial axis of N samples, with a kernel of K taps, stride s, dilation d and pads p:

    outputs = ⌊(N + p_low + p_high − d·(K − 1) − 1) / s⌋ + 1
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyconv._engine.layer_problem import checked_groups, paddings, positive
from pyconv._engine.problem import flag, integer, integers, several

__all__ = ["flop_count", "output_shape", "parameter_count", "receptive_field"]

Numbers = int | Sequence[int]
Padding = str | int | Sequence[int] | Sequence[tuple[int, int]]

#: What a layer of `receptive_field` is described by.
LAYER_WORDS = ("kernel", "stride", "dilation")


def output_shape(
    input_shape: Numbers,
    kernel: Numbers,
    stride: Numbers = 1,
    padding: Padding = 0,
    dilation: Numbers = 1,
    *,
    ceil_mode: bool = False,
    transposed: bool = False,
    output_padding: Numbers = 0,
) -> tuple[int, ...]:
    r"""Return the spatial shape that a convolution layer or a pool makes of an input.

    .. math:: \left\lfloor \frac{N + p_{low} + p_{high} - d (K - 1) - 1}{s} \right\rfloor + 1

    along each axis, and for a transposed layer
    :math:`(N - 1) s - p_{low} - p_{high} + d (K - 1) + 1` and the output padding.

    Parameters
    ----------
    input_shape : int or sequence of int
        Length of each spatial axis of the input, without batch and channels.
    kernel : int or sequence of int
        Taps along each axis.
    stride : int or sequence of int, optional
        Distance in samples between the windows of neighbouring results.
    padding : int, sequence of int, sequence of (low, high), 'valid' or 'same', optional
        Samples read outside on both sides of each axis, or before and after it. ``same`` keeps
        the shape and needs stride 1.
    dilation : int or sequence of int, optional
        Distance in samples between neighbouring taps.
    ceil_mode : bool, optional
        Whether the last window may stick out at the end, as pools allow: the quotient is
        rounded up. A window that would begin in the padding at the end is left out.
    transposed : bool, optional
        Whether the layer is the transposed one, whose stride puts samples apart.
    output_padding : int or sequence of int, optional
        Results that a transposed layer adds at the end of each axis; less than the stride or
        the dilation.

    Returns
    -------
    tuple of int
        Length of each spatial axis of the result.

    Raises
    ------
    ValueError
        For numbers that are not allowed, or if the result would be empty.
    TypeError
        For numbers that are not integers.

    Examples
    --------
    >>> from pyconv import arithmetic
    >>> arithmetic.output_shape((224, 224), 7, stride=2, padding=3)
    (112, 112)
    >>> arithmetic.output_shape((112, 112), 3, stride=2, padding=1, ceil_mode=True)  # a pool
    (57, 57)
    >>> arithmetic.output_shape(28, 5, padding="same")
    (28,)
    """
    sizes = _axes(input_shape, "input_shape")
    n = len(sizes)
    taps, strides = positive(kernel, n, "kernel"), positive(stride, n, "stride")
    dilations = positive(dilation, n, "dilation")
    spans = [(k - 1) * d + 1 for k, d in zip(taps, dilations, strict=True)]
    pads = paddings(padding, spans, strides)
    ceil_mode = flag(ceil_mode, "ceil_mode")
    if flag(transposed, "transposed"):
        extra = _output_padding(output_padding, strides, dilations)
        shape = tuple(
            (size - 1) * s + span - low - high + e
            for size, s, span, (low, high), e in zip(
                sizes, strides, spans, pads, extra, strict=True
            )
        )
    else:
        integers(output_padding, n, "output_padding")
        shape = tuple(
            _outputs(size, span, s, low, high, ceil_mode)
            for size, span, s, (low, high) in zip(sizes, spans, strides, pads, strict=True)
        )
    if min(shape) < 1:
        raise ValueError(
            f"the result would be empty: it would have shape {shape} for input_shape={sizes}, "
            f"kernel={kernel!r}, stride={stride!r}, padding={padding!r}, dilation={dilation!r}"
        )
    return shape


def _outputs(size: int, span: int, stride: int, low: int, high: int, ceil_mode: bool) -> int:
    room = size + low + high - span
    if room < 0 or not ceil_mode:
        return room // stride + 1
    sticks_out = room % stride and (room // stride + 1) * stride < size + low
    return room // stride + 1 + bool(sticks_out)


def _output_padding(
    value: object, strides: tuple[int, ...], dilations: tuple[int, ...]
) -> tuple[int, ...]:
    extra = integers(value, len(strides), "output_padding")
    for e, s, d in zip(extra, strides, dilations, strict=True):
        if not 0 <= e < max(s, d):
            raise ValueError(
                f"output_padding={value!r}: from 0 to less than stride={strides} or "
                f"dilation={dilations} is allowed"
            )
    return extra


def receptive_field(layers: Iterable[Numbers | Mapping[str, Any]]) -> int | tuple[int, ...]:
    r"""Return how many input samples a result of stacked layers depends on, along each axis.

    .. math:: R = 1 + \sum_l (K_l - 1) \, d_l \prod_{m < l} s_m

    Parameters
    ----------
    layers : iterable
        From the input on, for each layer or pool ``(kernel, stride, dilation)`` or a mapping
        with these keys; stride and dilation may be missing and are 1 then. Each number is an
        integer, or a sequence of one for each axis. Layers that act on single samples may be
        left out.

    Returns
    -------
    int or tuple of int
        One number for all axes if every number was an integer, else one for each.

    Raises
    ------
    ValueError
        For layers that say something else, numbers below 1, or different numbers of axes.
    TypeError
        For numbers that are not integers.

    Notes
    -----
    Araujo, Norris, Sim, "Computing receptive fields of convolutional neural networks", Distill
    (2019), equation 2.

    Examples
    --------
    Two 3×3 layers see as much as one of 5×5; a stride makes what follows see further:

    >>> from pyconv import arithmetic
    >>> arithmetic.receptive_field([(3,), (3,)])
    5
    >>> arithmetic.receptive_field([(5,), (2, 2), (5,), (2, 2)])  # LeNet's layers and pools
    16
    >>> arithmetic.receptive_field([{"kernel": (1, 3), "dilation": 2}, {"kernel": 3}])
    (3, 7)
    """
    if not isinstance(layers, Iterable):
        raise TypeError(f"layers={layers!r}: an iterable of layers is allowed")
    described = [_layer(i, layer) for i, layer in enumerate(layers)]
    counts = {len(v) for layer in described for v in layer if not isinstance(v, int)}
    if len(counts) > 1:
        raise ValueError(f"the layers have {sorted(counts)} axes; one number of axes is allowed")
    n = max(counts, default=1)
    if n == 0:
        raise ValueError("a layer has no axes; at least one is allowed")
    field, jump = [1] * n, [1] * n
    for layer in described:
        kernel, stride, dilation = (
            positive(v, n, word) for v, word in zip(layer, LAYER_WORDS, strict=True)
        )
        for a in range(n):
            field[a] += (kernel[a] - 1) * dilation[a] * jump[a]
            jump[a] *= stride[a]
    return tuple(field) if counts else field[0]


def _layer(i: int, layer: object) -> tuple[Any, Any, Any]:
    """Return kernel, stride and dilation of a layer: integers or tuples."""
    allowed = f"(kernel, stride, dilation) or a mapping of {', '.join(LAYER_WORDS)} is allowed"
    if isinstance(layer, Mapping):
        if "kernel" not in layer or not set(layer) <= set(LAYER_WORDS):
            raise ValueError(f"layers[{i}]={layer!r}: {allowed}")
        numbers = [layer.get(word, 1) for word in LAYER_WORDS]
    elif (given := several(layer)) is not None:
        if not 1 <= len(given) <= 3:
            raise ValueError(f"layers[{i}]={layer!r}: {allowed}")
        numbers = [*given, 1, 1][:3]
    else:
        raise ValueError(f"layers[{i}]={layer!r}: {allowed}")
    kernel, stride, dilation = (
        integer(v, word) if (entries := several(v)) is None else entries
        for v, word in zip(numbers, LAYER_WORDS, strict=True)
    )
    return kernel, stride, dilation


def parameter_count(
    in_channels: int,
    out_channels: int,
    kernel: Sequence[int],
    groups: int = 1,
    *,
    bias: bool = True,
) -> int:
    r"""Return how many numbers a convolution layer learns.

    .. math:: C_{out} \left( \frac{C_{in}}{groups} \prod_a K_a + 1 \right)

    where the 1 is the bias.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the input and of the result, multiples of `groups`.
    kernel : sequence of int
        Taps along each axis. A full connection has a kernel of one tap, ``(1,)``.
    groups : int, optional
        Channels are split into as many groups, each with its own kernels.
    bias : bool, optional
        Whether the layer adds one number to each output channel.

    Returns
    -------
    int
        The number of weights and biases; a transposed layer has as many.

    Raises
    ------
    ValueError
        For numbers that are not allowed.
    TypeError
        For numbers that are not integers.

    Examples
    --------
    >>> from pyconv import arithmetic
    >>> arithmetic.parameter_count(1, 6, (5, 5))
    156
    >>> arithmetic.parameter_count(120, 84, (1,))  # a full connection
    10164
    """
    if several(kernel) is None:
        raise TypeError(f"kernel={kernel!r}: a sequence of integers is allowed, one for each axis")
    taps = _axes(kernel, "kernel")
    into, out, groups = _channels(in_channels, out_channels, groups)
    return out * (into // groups * math.prod(taps) + flag(bias, "bias"))


def flop_count(
    input_shape: Numbers,
    in_channels: int,
    out_channels: int,
    kernel: Numbers,
    stride: Numbers = 1,
    padding: Padding = 0,
    dilation: Numbers = 1,
    groups: int = 1,
    *,
    transposed: bool = False,
    output_padding: Numbers = 0,
) -> int:
    r"""Return how many floating-point operations a convolution layer takes for one image.

    .. math:: 2 \, \frac{C_{in} C_{out}}{groups} \prod_a K_a \, N_a

    with `N` the spatial shape of the result (of the input, for a transposed layer): one
    multiplication and one addition for each product of a sample and a weight, as the
    definition has them, border included. The bias is what the first addition adds to.

    Parameters
    ----------
    input_shape : int or sequence of int
        Length of each spatial axis of the input. A full connection is a kernel of 1 on 1 sample.
    in_channels, out_channels : int
        Channels of the input and of the result, multiples of `groups`.
    kernel, stride, padding, dilation, transposed, output_padding
        As for `output_shape`.
    groups : int, optional
        Channels are split into as many groups, each with its own kernels.

    Returns
    -------
    int
        The number of operations; a batch of n images takes n times as many.

    Raises
    ------
    ValueError, TypeError
        As for `output_shape` and `parameter_count`.

    Examples
    --------
    >>> from pyconv import arithmetic
    >>> arithmetic.flop_count((56, 56), 64, 64, 3, padding=1)
    231211008
    >>> arithmetic.flop_count(1, 120, 84, 1)  # a full connection
    20160
    """
    into, out, groups = _channels(in_channels, out_channels, groups)
    sizes = _axes(input_shape, "input_shape")
    shape = output_shape(
        sizes, kernel, stride, padding, dilation,
        transposed=transposed, output_padding=output_padding,
    )  # fmt: skip
    taps = math.prod(positive(kernel, len(sizes), "kernel"))
    return 2 * into * out // groups * taps * math.prod(sizes if transposed else shape)


def _axes(value: object, argument: str) -> tuple[int, ...]:
    """Return one integer of at least one for each axis; an integer is one axis."""
    given = several(value)
    if given is None:
        given = (value,)
    if not given:
        raise ValueError(f"{argument}={value!r}: at least one axis is needed")
    return positive(given, len(given), argument)


def _channels(in_channels: object, out_channels: object, groups: object) -> tuple[int, int, int]:
    """Return the numbers of channels and of groups, which divides them, as Python's integers."""
    count = checked_groups(groups)
    numbers = integer(in_channels, "in_channels"), integer(out_channels, "out_channels")
    for argument, number in zip(("in_channels", "out_channels"), numbers, strict=True):
        if number < 1 or number % count:
            raise ValueError(
                f"{argument}={number}: multiples of groups={count}, at least 1, are allowed"
            )
    return *numbers, count
