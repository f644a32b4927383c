"""Pictures and ``.npy`` files, read into arrays and written from them."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv.commands import USAGE, CommandError, MissingPackageError

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


class Source(NamedTuple):
    """An array and what is known of the file that it came from."""

    array: Array
    is_picture: bool
    #: Transparency, which is no light and is not to be filtered with the colours.
    alpha: Array | None = None


def _is_npy(path: Path) -> bool:
    return path.suffix.lower() == ".npy"


def _reason(error: BaseException) -> str:
    """Return what went wrong without the file's name, which the message says already."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def read(path: Path) -> Source:
    """Read a picture or a ``.npy`` file.

    Raises
    ------
    CommandError
        If it is missing or cannot be read.
    """
    if path.is_dir():
        raise CommandError(f"{path}: is a directory, not a picture or .npy file")
    if not path.exists():
        raise CommandError(f"{path}: no such file")
    return Source(read_npy(path), False) if _is_npy(path) else _read_picture(path)


def read_npy(path: Path) -> Array:
    """Read one array; never a pickle, which would run code.

    Raises
    ------
    CommandError
        If it is missing or is not an array.
    """
    try:
        with path.open("rb") as file:
            array: Array = np.lib.format.read_array(file, allow_pickle=False)
    except MemoryError as error:
        raise CommandError(f"{path}: too large for the memory ({error})") from error
    except Exception as error:  # a damaged header can fail in any way
        raise CommandError(f"{path}: not readable as .npy ({_reason(error)})") from error
    return array


def _pillow() -> Any:
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        raise MissingPackageError("reading and writing pictures", "Pillow") from error
    return PIL


def _read_picture(path: Path) -> Source:
    pil = _pillow()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one-line errors only; Pillow warns of large pictures
            with pil.Image.open(path) as file:
                picture = pil.ImageOps.exif_transpose(file)
            array = _pixels(picture)
    except MemoryError as error:
        raise CommandError(f"{path}: too large for the memory") from error
    except pil.UnidentifiedImageError as error:
        raise CommandError(f"{path}: not a picture that Pillow can read") from error
    except Exception as error:  # a damaged file can fail in any way
        raise CommandError(f"{path}: not readable as a picture ({_reason(error)})") from error
    if array.ndim == 3 and array.shape[2] in (2, 4):
        colours = array[..., 0] if array.shape[2] == 2 else array[..., :3]
        return Source(colours, True, array[..., -1])
    return Source(array, True)


def _pixels(picture: "Image") -> Array:
    mode = _CONVERT.get(picture.mode, picture.mode)
    if mode == "RGBA" and picture.mode == "P" and "transparency" not in picture.info:
        mode = "RGB"
    if mode != picture.mode:
        picture = picture.convert(mode)
    return np.asarray(picture)


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


def write(path: Path, array: Array, alpha: Array | None = None) -> None:
    """Write a picture or a ``.npy`` file.

    Raises
    ------
    CommandError
        If the file cannot be written, or its kind cannot hold the array.
    """
    if alpha is not None:
        colours = array[..., np.newaxis] if array.ndim == 2 else array
        array = np.concatenate([colours, alpha[..., np.newaxis].astype(array.dtype)], axis=2)
    try:
        if _is_npy(path):
            with path.open("wb") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
            return
        picture = _picture(path, array)
        picture.save(path)
    except (OSError, ValueError) as error:
        hint = "" if isinstance(error, OSError) and error.errno else "; try .png, .tif or .npy"
        raise CommandError(f"{path}: cannot be written ({_reason(error)}{hint})") from error


def _picture(path: Path, array: Array) -> "Image":
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
