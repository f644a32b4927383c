"""Pictures and ``.npy`` files, read into arrays and written from them."""

from __future__ import annotations

import io
import warnings
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._commands import USAGE, CommandError, MissingPackageError
from pyconv._engine.files import replaced

if TYPE_CHECKING:
    from PIL.Image import Image

Array = npt.NDArray[Any]

#: What Pillow's modes become before they are arrays: colours, no palettes, no packed bits.
_CONVERT = {
    "1": "L",
    "P": "RGBA",
    "PA": "RGBA",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "LAB": "RGB",
    "HSV": "RGB",
}


class Page(NamedTuple):
    """One page of a picture, one moment of a film, or an array."""

    array: Array
    #: Transparency, which is no light and is not to be filtered with the colours.
    alpha: Array | None = None


class Source(NamedTuple):
    """What a file holds."""

    pages: list[Page]
    is_picture: bool
    #: How a film is shown, in Pillow's words: the milliseconds of each page, and how often.
    timing: dict[str, Any]


def _is_npy(path: Path) -> bool:
    return path.suffix.lower() == ".npy"


def reason(error: BaseException) -> str:
    """Return what went wrong without the file's name, which the message says already."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def read(path: Path, page: int | None = None) -> Source:
    """Read a picture, all of its pages or one of them, or a ``.npy`` file.

    Raises
    ------
    CommandError
        If it is missing or cannot be read.
    """
    if path.is_dir():
        raise CommandError(f"{path}: is a directory, not a picture or .npy file")
    if not path.exists():
        raise CommandError(f"{path}: no such file")
    if not _is_npy(path):
        return _read_picture(path, page)
    if page is not None:
        raise CommandError(f"--page {page}: an array has no pages", USAGE)
    return Source([Page(read_npy(path))], False, {})


def read_npy(path: Path) -> Array:
    """Read one array; never a pickle, which would run code.

    Raises
    ------
    CommandError
        If it is missing or is not an array.
    """
    try:
        with path.open("rb") as file:
            source = io.BytesIO(file.read()) if path.is_fifo() else file  # NumPy would seek
            array: Array = np.lib.format.read_array(source, allow_pickle=False)
    except MemoryError as error:
        raise CommandError(f"{path}: too large for the memory ({error})") from error
    except Exception as error:  # a damaged header can fail in any way
        raise CommandError(f"{path}: not readable as .npy ({reason(error)})") from error
    return array


def _pillow() -> Any:
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        raise MissingPackageError("reading and writing pictures", "Pillow") from error
    return PIL


def _read_picture(path: Path, page: int | None) -> Source:
    pil = _pillow()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one-line errors only; Pillow warns of large pictures
            # By its name Pillow would open it again for a page, and find what has replaced it.
            with path.open("rb") as source, pil.Image.open(source) as file:
                if _is_deep(file):
                    raise _DeepPictureError
                # What opens first of a file of layers is what they look like together.
                count = 1 if file.format in LAYERED else getattr(file, "n_frames", 1)
                if page is not None and page > count:
                    raise CommandError(f"{path}: there is no page {page}; it holds {count}", USAGE)
                wanted = range(count) if page is None else (page - 1,)
                found = [_picture_at(pil, file, number, count) for number in wanted]
                timing = _timing(file, [p for p, _ in found]) if count > 1 and not page else {}
            pages = [_page(image) for image in _alike([image for _, image in found])]
    except CommandError:
        raise
    except _DeepPictureError:
        return _read_tiff(path, page)
    except MemoryError as error:
        raise CommandError(f"{path}: too large for the memory") from error
    except pil.UnidentifiedImageError as error:
        if path.suffix.lower() in TIFF:
            return _read_tiff(path, page)
        raise CommandError(f"{path}: not a picture that Pillow can read") from error
    except Exception as error:  # a damaged file can fail in any way
        raise CommandError(f"{path}: not readable as a picture ({reason(error)})") from error
    return Source(pages, True, timing)


#: Endings of TIFF files.
TIFF = (".tif", ".tiff")


class _DeepPictureError(Exception):
    """Pillow would read eight bits of colours that have more."""


def _is_deep(file: Any) -> bool:
    """Return whether a TIFF file has several channels of more than eight bits."""
    bits = file.tag_v2.get(258, ()) if file.format == "TIFF" else ()
    return isinstance(bits, tuple) and len(bits) > 1 and max(bits) > 8


def _read_tiff(path: Path, page: int | None) -> Source:
    """Read the pages of a TIFF file that Pillow cannot read."""
    tifffile = _tifffile("reading this TIFF file")
    try:
        with path.open("rb") as source, tifffile.TiffFile(source) as file:
            count = len(file.pages)
            if page is not None and page > count:
                raise CommandError(f"{path}: there is no page {page}; it holds {count}", USAGE)
            wanted = range(count) if page is None else (page - 1,)
            arrays = []
            for number in wanted:
                array = file.pages[number].asarray()
                if file.pages[number].planarconfig == 2 and array.ndim == 3:  # a plane a channel
                    array = np.moveaxis(array, 0, -1)
                arrays.append(np.ascontiguousarray(array))
    except CommandError:
        raise
    except MemoryError as error:
        raise CommandError(f"{path}: too large for the memory") from error
    except Exception as error:  # a damaged file can fail in any way
        raise CommandError(f"{path}: not readable as a picture ({reason(error)})") from error
    return Source([_page(array) for array in arrays], True, {})


def _tifffile(task: str) -> Any:
    try:
        import tifffile
    except ImportError as error:
        raise MissingPackageError(task, "tifffile") from error
    return tifffile


#: Kinds of files whose pages are layers of one picture.
LAYERED = ("PSD",)


def _picture_at(pil: Any, file: Image, number: int, count: int) -> tuple[Any, Image]:
    """Return how long a page is shown, and the page without palette, turned as it was taken."""
    if count > 1:
        file.seek(number)
    turned = pil.ImageOps.exif_transpose(file)
    return file.info.get("duration"), _without_palette(turned)


def _timing(file: Image, durations: list[Any]) -> dict[str, Any]:
    shown = {} if None in durations else {"duration": durations}
    return shown | {word: file.info[word] for word in ("loop",) if word in file.info}


def _without_palette(picture: Image) -> Image:
    mode = _CONVERT.get(picture.mode, picture.mode)
    if mode == "RGBA" and picture.mode == "P" and "transparency" not in picture.info:
        mode = "RGB"
    return picture.convert(mode) if mode != picture.mode else picture


def _alike(images: list[Image]) -> list[Image]:
    """Return the pages of a film in one mode, where some have colours and others have none."""
    modes = {image.mode for image in images}
    if len(modes) == 1 or not modes <= {"L", "LA", "RGB", "RGBA"}:
        return images
    mode = "RGBA" if modes & {"LA", "RGBA"} else "RGB"
    return [image.convert(mode) for image in images]


def _page(picture: Image | Array) -> Page:
    array = np.asarray(picture)
    if array.ndim == 3 and array.shape[2] in (2, 4):
        colours = array[..., 0] if array.shape[2] == 2 else array[..., :3]
        return Page(colours, array[..., -1])
    return Page(array)


def check_writable(path: Path) -> None:
    """Raise CommandError, before any work, for a name that no result could be written to."""
    if path.is_dir():
        raise CommandError(f"{path}: is a directory; name a file")
    if not path.parent.is_dir():
        raise CommandError(f"{path}: there is no directory {path.parent}")
    if _is_npy(path):
        return
    pil = _pillow()
    if pil.Image.registered_extensions().get(path.suffix.lower()) not in pil.Image.SAVE:
        raise CommandError(
            f"{path}: {path.suffix or 'a name without an ending'!r} is no known kind of picture; "
            "use .png, .jpg, .tif or .npy",
            USAGE,
        )


def check_holds(path: Path, count: int) -> None:
    """Raise CommandError for a file that could not hold so many pages."""
    if count == 1 or _is_npy(path):
        return
    pil = _pillow()
    kind = pil.Image.registered_extensions()[path.suffix.lower()]
    if kind not in pil.Image.SAVE_ALL:
        raise CommandError(
            f"{path}: the input has {count} pages, and a {path.suffix} file holds one; "
            "add --page 1, or write a .tif, .gif or .npy file",
            USAGE,
        )


def write(path: Path, pages: list[Page], timing: dict[str, Any]) -> tuple[tuple[int, ...], Any]:
    """Write pages to a picture or a ``.npy`` file; return their shape and dtype.

    Raises
    ------
    CommandError
        If the file cannot be written, or its kind cannot hold the arrays.
    """
    arrays = [_with_alpha(*page) for page in pages]
    kinds = {(array.shape, array.dtype) for array in arrays}
    shape, dtype = pages[0].array.shape, pages[0].array.dtype
    try:
        if _is_npy(path):
            if len(kinds) > 1:
                raise CommandError(
                    f"{path}: the pages differ in size, and an array holds pages of one size; "
                    "write a .tif file"
                )
            array = np.stack(arrays) if len(arrays) > 1 else arrays[0]
            with _opened(path) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
        elif path.suffix.lower() in TIFF and any(map(_needs_tifffile, arrays)):
            tifffile = _tifffile(f"writing {dtype} colours to a TIFF file")
            memory = io.BytesIO()  # tifffile asks files for names that ours has not
            with tifffile.TiffWriter(memory) as writer:
                for array in arrays:
                    colours = array.ndim == 3 and array.shape[2] in (3, 4)
                    kind = "rgb" if colours else "minisblack"
                    writer.write(array, photometric=kind, contiguous=False, metadata=None)
            with _opened(path) as file:
                file.write(memory.getbuffer())
        else:
            first, *others = [_picture(path, array) for array in arrays]
            options = {"save_all": True, "append_images": others, **timing} if others else {}
            if others and pages[0].alpha is not None:
                options["disposal"] = 2  # what was seen before does not show through
            kind = _pillow().Image.registered_extensions()[path.suffix.lower()]
            with _opened(path) as file:
                first.save(file, kind, **options)
    except (OSError, ValueError) as error:
        hint = "" if isinstance(error, OSError) and error.errno else "; try .png, .tif or .npy"
        raise CommandError(f"{path}: cannot be written ({reason(error)}{hint})") from error
    return (shape if len(pages) == 1 else (len(pages), *shape)), dtype


def _needs_tifffile(array: Array) -> bool:
    """Return whether Pillow has no mode for a picture of several channels."""
    return array.ndim == 3 and array.dtype not in (np.uint8, np.bool_) and array.dtype.kind in "iuf"


def _opened(path: Path) -> AbstractContextManager[IO[Any]]:
    """Return a file to write to; a device or a pipe that was named is none to be replaced."""
    return replaced(path) if path.is_file() or not path.exists() else path.open("wb")


def _with_alpha(array: Array, alpha: Array | None) -> Array:
    if alpha is None:
        return array
    colours = array[..., np.newaxis] if array.ndim == 2 else array
    return np.concatenate([colours, alpha[..., np.newaxis].astype(array.dtype)], axis=2)


def _picture(path: Path, array: Array) -> Image:
    what = f"an array of shape {array.shape} and dtype {array.dtype}"
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (2, 3, 4)):
        raise CommandError(f"{path}: {what} is no picture; write it to a .npy file")
    if array.dtype == np.float64 and array.ndim == 2:
        array = array.astype(np.float32)
    try:
        picture: Image = _pillow().Image.fromarray(np.ascontiguousarray(array))
    except TypeError as error:
        raise CommandError(
            f"{path}: {what} is no picture; add --dtype uint8, or write it to a .npy file"
        ) from error
    return picture
