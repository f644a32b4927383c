"""``python -m pyconv filter``: one filter over one picture or array."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import pyconv
from pyconv._commands import USAGE, CommandError, check_shown, pictures
from pyconv._commands.named_kernels import FILTERS, PARAMETERS, magnitude, named_kernels
from pyconv._engine.boundaries import BOUNDARIES, boundary_name
from pyconv._engine.dtypes import (
    OVERFLOWS,
    Interval,
    check_overflow,
    is_integer,
    narrow,
    supported,
)
from pyconv._engine.planning import METHODS
from pyconv._engine.problem import EXTENTS

Array = npt.NDArray[Any]

EXAMPLES = """\
Examples:
  python -m pyconv filter in.png --kernel sobel -o edges.png
  python -m pyconv filter in.jpg --kernel gaussian --sigma 3 --stride 4 -o small.jpg
  python -m pyconv filter in.png --kernel-file w.npy --boundary wrap -o out.png
  python -m pyconv filter in.png --kernel laplace --dtype float32 -o signed.npy
  python -m pyconv filter volume.npy --kernel gaussian --axes 0,1,2 -o smooth.npy

Kernels:
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``filter`` to the command line."""
    rows = (f"  {name:<12}{kernel.summary}" for name, kernel in FILTERS.items())
    parser = commands.add_parser(
        "filter",
        help="filter a picture or a .npy array",
        description="Filter a picture (each page and colour by itself, transparency kept) or an "
        "array. "
        "A picture keeps its dtype and saturates; an array gets the dtype of "
        "pyconv.correlate.",
        epilog=EXAMPLES + "\n".join(rows),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", type=Path, help="picture (PNG, JPEG, TIFF and more) or .npy array")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="picture or .npy file to write"
    )
    parser.add_argument(
        "--page",
        type=_page_number,
        metavar="N",
        help="the page of the picture to filter, from 1 (default: all of them)",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--kernel", type=_kernel, metavar="NAME", help="a kernel of the list below")
    which.add_argument("--kernel-file", type=Path, metavar="W.npy", help="the weights, as an array")
    for word, parameter in PARAMETERS.items():
        parser.add_argument(
            f"--{word}",
            type=parameter.type,
            default=parameter.default,
            help=f"{parameter.help} (default: {parameter.default:g})",
        )
    parser.add_argument(
        "--convolve", action="store_true", help="flip the kernel, as pyconv.convolve does"
    )
    _add_call_arguments(parser)
    parser.set_defaults(run=run)


def _add_call_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that mean what the keywords of pyconv.correlate mean."""
    call = parser.add_argument_group("as in pyconv.correlate")
    call.add_argument(
        "--axes",
        type=_integers,
        metavar="I,J",
        help="axes to filter along (default: rows and columns of a picture, the last axes of an "
        "array: two, or as many as the kernel file has)",
    )
    call.add_argument("--mode", choices=tuple(EXTENTS), default="same", help="default: same")
    call.add_argument(
        "--boundary",
        type=_boundary,
        default="symmetric",
        metavar="NAME",
        help=f"what is read outside: {', '.join(BOUNDARIES)} (default: symmetric)",
    )
    call.add_argument(
        "--fill-value", type=float, default=0.0, help="what constant reads (default: 0)"
    )
    call.add_argument("--stride", type=_integers, default=1, metavar="S", help="S or S,S")
    call.add_argument("--dilation", type=_integers, default=1, metavar="D", help="D or D,D")
    call.add_argument("--dtype", type=_dtype, help="dtype of the result")
    call.add_argument(
        "--overflow",
        choices=OVERFLOWS,
        help="what happens to values outside an integer dtype "
        "(default: saturate for pictures, raise for arrays)",
    )
    call.add_argument("--method", choices=METHODS, default="auto", help="default: auto")
    call.add_argument(
        "--workers",
        type=int,
        help="threads; -1 means all (default: chosen by the size of the work)",
    )


def _kernel(word: str) -> str:
    if word not in FILTERS:
        raise argparse.ArgumentTypeError(f"unknown kernel {word!r}; known are {', '.join(FILTERS)}")
    return word


def _page_number(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word!r}: an integer of at least 1 is allowed")
    return int(word)


def _boundary(word: str) -> str:
    try:
        return boundary_name(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _dtype(word: str) -> np.dtype:
    try:
        return supported(word, "dtype")
    except TypeError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _integers(word: str) -> int | tuple[int, ...]:
    try:
        numbers = tuple(int(part) for part in word.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{word!r}: an integer, or several with commas between, are allowed"
        ) from None
    return numbers if len(numbers) > 1 else numbers[0]


def run(arguments: argparse.Namespace) -> None:
    """Filter one file."""
    check_shown(arguments.output)
    pictures.check_writable(arguments.output)
    one = {} if arguments.page is None else {"page": arguments.page}
    source = pictures.read(arguments.input, **one)
    pictures.check_holds(arguments.output, len(source.pages))
    results = [_page(arguments, page, source.is_picture) for page in source.pages]
    shape, dtype = pictures.write(arguments.output, results, source.timing)
    print(f"{arguments.output}: {' x '.join(map(str, shape))}, {dtype}")


def _page(arguments: argparse.Namespace, source: pictures.Page, is_picture: bool) -> pictures.Page:
    """Return one page, or array, filtered."""
    call: dict[str, Any] = {
        "axes": _axes(arguments, source, is_picture),
        "mode": arguments.mode,
        "boundary": arguments.boundary,
        "fill_value": _fill_value(arguments.fill_value, source.array.dtype),
        "stride": arguments.stride,
        "dilation": arguments.dilation,
        "method": arguments.method,
        "workers": arguments.workers,
    }
    kernels = _kernels(arguments, source, call["axes"])
    dtype = arguments.dtype or (source.array.dtype if is_picture else None)
    overflow = arguments.overflow or ("saturate" if is_picture else "raise")
    correlate = pyconv.convolve if arguments.convolve else pyconv.correlate
    try:
        y = _filtered(correlate, source.array, kernels, dtype, overflow, call)
        alpha = _same_places(source.alpha, kernels[0], call)
    except (ValueError, TypeError, OverflowError) as error:
        raise CommandError(error) from error
    return pictures.Page(y, alpha)


def _axes(
    arguments: argparse.Namespace, source: pictures.Page, is_picture: bool
) -> tuple[int, ...] | None:
    """Return the axes to act on; None for the last ones, as many as a kernel file has."""
    if arguments.axes is not None:
        return arguments.axes if isinstance(arguments.axes, tuple) else (arguments.axes,)
    if is_picture:
        return (0, 1)
    if arguments.kernel_file is not None:
        return None
    return tuple(range(-min(2, max(1, source.array.ndim)), 0))


def _fill_value(value: float, dtype: np.dtype) -> float:
    """Return the whole number that integer arrays ask for."""
    return int(value) if is_integer(dtype) and value.is_integer() else value


def _kernels(
    arguments: argparse.Namespace, source: pictures.Page, axes: tuple[int, ...] | None
) -> tuple[Array, ...]:
    if arguments.kernel_file is not None:
        if not arguments.kernel_file.exists():
            raise CommandError(f"{arguments.kernel_file}: no such file")
        return (pictures.read_npy(arguments.kernel_file),)
    assert axes is not None
    if len(axes) > 3:
        raise CommandError(f"--axes names {len(axes)} axes; allowed are 1, 2 and 3", USAGE)
    try:
        parameters = {word: getattr(arguments, word) for word in PARAMETERS}
        kernels = named_kernels(arguments.kernel, len(axes), **parameters)
    except ValueError as error:
        raise CommandError(error, USAGE) from error
    # 64-bit weights must not widen the narrower floating-point arrays.
    if source.array.dtype in (np.float16, np.float32, np.complex64):
        return tuple(w.astype(np.float32) for w in kernels)
    return kernels


def _filtered(
    correlate: Callable[..., Array],
    x: Array,
    kernels: tuple[Array, ...],
    dtype: np.dtype | None,
    overflow: str,
    call: dict[str, Any],
) -> Array:
    if len(kernels) == 1:
        return correlate(x, kernels[0], dtype=dtype, overflow=overflow, **call)
    wide = np.result_type(x.dtype, np.float32)
    y = magnitude([correlate(x, w, dtype=wide, **call) for w in kernels])
    if dtype is None:
        return y
    if y.size:
        check_overflow(Interval(y.min().item(), y.max().item(), 0), dtype, overflow)
    return narrow(y, dtype, overflow)


def _same_places(alpha: Array | None, w: Array, call: dict[str, Any]) -> Array | None:
    """Return ``alpha`` at the samples that the centres of the kernel visit."""
    if alpha is None:
        return None
    impulse = np.zeros(w.shape, np.uint8)
    impulse[tuple(k // 2 for k in w.shape)] = 1
    y: Array = pyconv.correlate(alpha, impulse, dtype=alpha.dtype, overflow="saturate", **call)
    return y
