"""``python -m pyconv filter``: one filter over one picture or array."""

from __future__ import annotations

import argparse
import contextlib
import difflib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

import pyconv
from pyconv._commands import (
    USAGE,
    CommandError,
    HelpFormatter,
    check_shown,
    large_files,
    pictures,
)
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
from pyconv._engine.planning import METHODS, NAN_POLICIES
from pyconv._engine.problem import EXTENTS

Array = npt.NDArray[Any]

EXAMPLES = """\
Examples:
  python -m pyconv filter in.png --kernel sobel -o edges.png
  python -m pyconv filter in.jpg --kernel gaussian --sigma 3 --stride 4 -o small.jpg
  python -m pyconv filter in.png --kernel-file w.npy --boundary wrap -o out.png
  python -m pyconv filter in.png --kernel laplace --dtype float32 -o signed.npy
  python -m pyconv filter volume.npy --kernel gaussian --axes 0,1,2 -o smooth.npy
  python -m pyconv filter stack.tif --stack --kernel gaussian --sigma 2 -o smooth.tif
  python -m pyconv filter height.tif --kernel gaussian --sigma 5 --nodata -9999 -o smooth.tif
  python -m pyconv filter in.zarr --kernel gaussian --axes 0,1,2 --max-memory 256 -o out.zarr

Kernels:
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``filter`` to the command line."""
    rows = (f"  {name:<12}{kernel.summary}" for name, kernel in FILTERS.items())
    parser = commands.add_parser(
        "filter",
        help="filter a picture or a .npy array",
        description="Filter a picture or an array. Each page and each colour of a picture is "
        "filtered by itself, and transparency is kept. A picture keeps its dtype, and values "
        "outside of it saturate. An array gets the dtype of pyconv.correlate.",
        epilog=EXAMPLES + "\n".join(rows),
        formatter_class=HelpFormatter,
    )
    parser.add_argument(
        "input", type=Path, help="picture (PNG, JPEG, TIFF and more), .npy or .zarr array"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="picture, .npy file or .zarr to write"
    )
    parser.add_argument(
        "--max-memory",
        type=_page_number,
        metavar="MIB",
        help="MiB that a .zarr, or another large file, takes while it is filtered a piece at a "
        "time (default: 512)",
    )
    parser.add_argument(
        "--page",
        type=_page_number,
        metavar="N",
        help="the page of the picture to filter, from 1 (default: all of them)",
    )
    parser.add_argument(
        "--stack",
        action="store_true",
        help="filter the pages of a picture as one volume, along pages, rows and columns",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--kernel", type=_kernel, metavar="NAME", help="a kernel of the list below")
    which.add_argument("--kernel-file", type=Path, metavar="W.npy", help="an array of weights")
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
    _add_missing_arguments(parser)
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
    call.add_argument(
        "--mode",
        choices=tuple(EXTENTS),
        default="same",
        help="which results exist: valid, those whose window lies inside; same, one for each "
        "sample; full, those whose window touches a sample (default: same)",
    )
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
    call.add_argument(
        "--stride",
        type=_integers,
        default=1,
        metavar="S",
        help="keep every S-th result; S,S for each axis (default: 1)",
    )
    call.add_argument(
        "--dilation",
        type=_integers,
        default=1,
        metavar="D",
        help="distance between the samples under the weights; D,D for each axis (default: 1)",
    )
    call.add_argument("--dtype", type=_dtype, help="dtype of the result (default: see above)")
    call.add_argument(
        "--overflow",
        choices=OVERFLOWS,
        help="what happens to values outside an integer dtype "
        "(default: saturate for pictures, raise for arrays)",
    )
    call.add_argument(
        "--method",
        type=_method,
        default="auto",
        metavar="NAME",
        help=f"the algorithm: {', '.join(METHODS)} (default: auto, the fastest by predicted time)",
    )
    call.add_argument(
        "--workers",
        type=int,
        help="threads; -1 means all (default: chosen by the size of the work)",
    )


def _add_missing_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name samples to leave out."""
    missing = parser.add_argument_group(
        "missing samples",
        "Samples that are left out do not count in any sum, and each result is divided by the "
        "sum of the weights of the others. A result without any is NaN, or the value of --nodata.",
    )
    missing.add_argument(
        "--mask",
        type=Path,
        metavar="FILE",
        help="a picture or .npy array that is not 0 where samples are left out",
    )
    missing.add_argument(
        "--nodata", type=float, metavar="V", help="leave out the samples that equal V"
    )
    missing.add_argument(
        "--nan-policy",
        choices=NAN_POLICIES,
        default="propagate",
        help="what happens to NaN: results that read it are NaN, an error, or it is left out "
        "(default: propagate)",
    )


def _kernel(word: str) -> str:
    if word not in FILTERS:
        like = difflib.get_close_matches(word.lower(), FILTERS, n=1)
        advice = f"did you mean {like[0]!r}? " if like else ""
        raise argparse.ArgumentTypeError(
            f"unknown kernel {word!r}; {advice}known are {', '.join(FILTERS)}"
        )
    return word


def _page_number(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word!r}: an integer of at least 1 is allowed")
    return int(word)


def _method(word: str) -> str:
    if word not in METHODS:
        raise argparse.ArgumentTypeError(f"{word!r}: allowed are {', '.join(METHODS)}")
    return word


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
    large = large_files.opened(arguments.input, arguments.output, arguments.page)
    if large is not None:
        with contextlib.closing(large):
            _stream(arguments, large)
        return
    pictures.check_writable(arguments.output)
    one = {} if arguments.page is None else {"page": arguments.page}
    source = pictures.read(arguments.input, **one)
    pictures.check_holds(arguments.output, len(source.pages))
    masks = _masks(arguments, len(source.pages))
    if arguments.stack:
        source, masks = _stacked(source, masks)
    results = [
        _page(arguments, page, source.is_picture, mask)
        for page, mask in _in_progress(list(zip(source.pages, masks, strict=True)))
    ]
    timing = source.timing
    if arguments.stack:
        ((y, alpha),) = results
        alphas = [None] * len(y) if alpha is None else list(alpha)
        results = [pictures.Page(*page) for page in zip(y, alphas, strict=True)]
        timing = timing if len(results) == len(timing.get("duration", results)) else {}
    shape, dtype = pictures.write(arguments.output, results, timing)
    print(f"{arguments.output}: {' x '.join(map(str, shape))}, {dtype}")


def _stream(arguments: argparse.Namespace, source: large_files.Opened) -> None:
    """Filter one file that is not read as a whole."""
    array, is_picture = source.array, source.is_picture
    large_files.check_target(arguments.output, is_picture)
    if arguments.page is not None or (arguments.stack and not is_picture):
        raise CommandError("--page and --stack are for pictures; an array has --axes", USAGE)
    shape, dtype = tuple(array.shape), np.dtype(array.dtype).newbyteorder("=")
    like = pictures.Page(np.broadcast_to(np.zeros((), dtype), shape))
    axes = _axes(arguments, like, False)
    if is_picture and arguments.axes is None:
        axes = (0, 1, 2) if arguments.stack else (1, 2)
    result = arguments.dtype or (dtype if is_picture else None)
    mask, missing = None, None
    if arguments.mask is not None:
        pages = pictures.read(arguments.mask).pages
        mask = np.stack([_flat(page.array) for page in pages]) != 0
        mask = mask if len(pages) > 1 else mask[0]
        mask = mask[..., np.newaxis] if is_picture and len(shape) == 4 else mask
    if arguments.nodata is not None:

        def missing(x: Array) -> Array:
            found = _left_out(arguments, pictures.Page(x), is_picture, None)
            assert found is not None
            return found

    call = large_files.Call(
        kernels=_kernels(arguments, like, axes),
        options={
            "axes": axes,
            "mode": arguments.mode,
            "boundary": arguments.boundary,
            "fill_value": _fill_value(arguments.fill_value, dtype),
            "stride": arguments.stride,
            "dilation": arguments.dilation,
            "method": arguments.method,
            "workers": arguments.workers,
            "nan_policy": arguments.nan_policy,
        },
        dtype=result,
        overflow=arguments.overflow or ("saturate" if is_picture else "raise"),
        nodata=arguments.nodata,
        flip=arguments.convolve,
        with_nodata=_with_nodata,
        wide=_wide(result),
    )
    try:
        large_files.run(arguments, source, call, mask, missing)
    except (ValueError, TypeError, OverflowError, MemoryError, ImportError) as error:
        raise CommandError(error) from error


def _stacked(
    source: pictures.Source, masks: list[Array | None]
) -> tuple[pictures.Source, list[Array | None]]:
    """Return the pages of a picture as one volume, and their masks as one mask."""
    if not source.is_picture:
        raise CommandError("--stack is for pictures; an array has --axes 0,1,2", USAGE)
    arrays = [page.array for page in source.pages]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise CommandError(f"--stack needs pages of one size; these have {sorted(shapes)}")
    alphas = [page.alpha for page in source.pages]
    alpha = None if alphas[0] is None else np.stack([a for a in alphas if a is not None])
    mask = None
    if masks[0] is not None:
        try:
            mask = np.stack(
                [np.broadcast_to(m, arrays[0].shape[:2]) for m in masks if m is not None]
            )
        except ValueError:
            raise CommandError(
                f"--mask has shape {masks[0].shape}, and the pages {arrays[0].shape}", USAGE
            ) from None
    volume = pictures.Page(np.stack(arrays), alpha)
    return pictures.Source([volume], True, source.timing), [mask]


Work = TypeVar("Work")


def _in_progress(work: Sequence[Work], unit: str = "page") -> Iterator[Work]:
    """Yield the parts of the work, with a progress bar on a terminal if tqdm is installed.

    It appears after a second, and vanishes at the end.
    """
    try:
        from tqdm import tqdm
    except ImportError:
        return iter(work)
    bar: Iterator[Work] = iter(
        tqdm(work, unit=unit, disable=None if len(work) > 1 else True, delay=1, leave=False)
    )
    return bar


def _masks(arguments: argparse.Namespace, count: int) -> list[Array | None]:
    """Return the mask of each page: one for all of them, or as many as there are pages."""
    if arguments.mask is None:
        return [None] * count
    pages = pictures.read(arguments.mask).pages
    if len(pages) not in (1, count):
        raise CommandError(f"--mask has {len(pages)} pages, and the input {count}", USAGE)
    masks = [_flat(page.array) != 0 for page in pages]
    return [*masks] if len(masks) == count else [masks[0]] * count


def _flat(mask: Array) -> Array:
    """Return a mask without colours: a picture of one is white where any colour is."""
    return np.any(mask, axis=2) if mask.ndim == 3 and mask.shape[2] == 3 else mask


def _left_out(
    arguments: argparse.Namespace, source: pictures.Page, is_picture: bool, mask: Array | None
) -> Array | None:
    """Return which samples of a page are left out, or None if none was named."""
    x = source.array
    if mask is not None and is_picture and x.ndim == mask.ndim + 1:
        mask = mask[..., np.newaxis]  # one for all colours
    if mask is not None:
        try:
            mask = np.broadcast_to(mask, x.shape)
        except ValueError:
            raise CommandError(
                f"--mask has shape {mask.shape}, and the input {x.shape}", USAGE
            ) from None
    if arguments.nodata is not None:
        value = arguments.nodata
        # A float64 that the file's float32 has rounded is still the same value.
        same = x == x.dtype.type(value) if x.dtype.kind == "f" else x == value
        found = np.isnan(x) if np.isnan(value) and x.dtype.kind in "fc" else same
        return np.asarray(found if mask is None else np.logical_or(mask, found))
    return mask


def _page(
    arguments: argparse.Namespace, source: pictures.Page, is_picture: bool, mask: Array | None
) -> pictures.Page:
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
        "nan_policy": arguments.nan_policy,
    }
    kernels = _kernels(arguments, source, call["axes"])
    dtype = arguments.dtype or (source.array.dtype if is_picture else None)
    overflow = arguments.overflow or ("saturate" if is_picture else "raise")
    correlate = partial(_by_items, pyconv.convolve if arguments.convolve else pyconv.correlate)
    try:
        left_out = _left_out(arguments, source, is_picture, mask)
        if left_out is None:
            y = _filtered(correlate, source.array, kernels, dtype, overflow, call)
        else:
            call["mask"] = left_out
            y = _filtered(correlate, source.array, kernels, _wide(dtype), overflow, call)
            y = _with_nodata(y, dtype, overflow, arguments.nodata)
        for word in ("mask", "nan_policy"):
            call.pop(word, None)
        alpha = _same_places(source.alpha, kernels[0], call)
    except (ValueError, TypeError, OverflowError) as error:
        raise CommandError(error) from error
    return pictures.Page(y, alpha)


def _wide(dtype: np.dtype | None) -> np.dtype | None:
    """Return the dtype of results that may be NaN: floating-point, for any that is none."""
    return None if dtype is None or is_integer(dtype) or dtype == np.bool_ else dtype


def _with_nodata(y: Array, dtype: np.dtype | None, overflow: str, nodata: float | None) -> Array:
    """Return results of a dtype, with a value in place of those that saw no valid sample."""
    missing = np.isnan(y)
    if missing.any():
        if nodata is not None:
            y[missing] = nodata
        elif _wide(dtype) is None and dtype is not None:
            raise ValueError(
                f"{np.count_nonzero(missing)} results saw no valid sample, and {dtype} has no NaN; "
                "add --nodata V for their value, or --dtype float32"
            )
    if dtype is None or y.dtype == dtype:
        return y
    if y.size:
        check_overflow(Interval(y.min().item(), y.max().item(), 0), dtype, overflow)
    return narrow(y, dtype, overflow)


def _axes(
    arguments: argparse.Namespace, source: pictures.Page, is_picture: bool
) -> tuple[int, ...] | None:
    """Return the axes to act on; None for the last ones, as many as a kernel file has."""
    if arguments.axes is not None:
        return arguments.axes if isinstance(arguments.axes, tuple) else (arguments.axes,)
    if is_picture:
        return (0, 1, 2) if arguments.stack else (0, 1)
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


#: Bytes of an array that is filtered in parts of as many bytes, so that progress can be shown.
LARGE, PART = 1 << 27, 1 << 25


def _by_items(correlate: Callable[..., Array], x: Array, w: Array, **call: Any) -> Array:
    """Return a result; that of a large array with a batch axis in front is made in parts.

    An item of a batch has the bits that it has alone.
    """
    axes = call["axes"]
    ours = range(x.ndim - w.ndim, x.ndim) if axes is None else [a % x.ndim for a in axes if x.ndim]
    if x.nbytes < LARGE or 0 in ours or len(x) < 2:
        return correlate(x, w, **call)
    count = max(1, len(x) * PART // x.nbytes)
    mask, y = call.pop("mask", None), None
    starts = range(0, len(x), count)
    for start in _in_progress(starts, "part"):
        part = slice(start, start + count)
        own = {} if mask is None else {"mask": mask[part]}
        found = correlate(x[part], w, **own, **call)
        if y is None:
            y = np.empty((len(x), *found.shape[1:]), found.dtype)
        y[part] = found
    assert y is not None
    return y


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
