"""Weights by name: checked against a model before any is taken; .npz files without pickle."""

from __future__ import annotations

import contextlib
import io
import math
import zipfile
from collections.abc import Collection, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._engine.files import file_path, open_plain, replaced
from pyconv._engine.output_arrays import plain_array
from pyconv.nn._layers.parameter import Parameter

Array = npt.NDArray[Any]
#: Bytes at the beginning of a member that its description lies in: ours have 128.
HEADER = 1 << 14


def load_state(
    parameters: Mapping[str, Parameter],
    state: Mapping[str, npt.ArrayLike],
    ignored: Collection[str] = (),
) -> None:
    """Give each parameter its weights of ``state``, all of them or, with an error, none."""
    given: object = state  # whatever the annotation says
    if not isinstance(given, Mapping):
        file = "; load(path) reads a file" if isinstance(given, str | PathLike) else ""
        raise TypeError(
            f"state is a {type(given).__name__}; a mapping of names to arrays is allowed, as "
            f"state_dict() returns{file}"
        )
    _check_names(parameters, [name for name in state if name not in ignored])
    arrays = {name: plain_array(state[name], name) for name in parameters}
    _check_shapes(parameters, {name: array.shape for name, array in arrays.items()})
    _check_dtypes({name: array.dtype for name, array in arrays.items()})
    for name, array in arrays.items():
        parameters[name].replace(array)


def _check_names(parameters: Mapping[str, Parameter], names: Collection[object]) -> None:
    given = set(names)
    missing = [name for name in parameters if name not in given]
    unknown = [name for name in names if name not in parameters]
    if missing or unknown:
        raise ValueError(
            f"these are not the weights of this model: it has no {_listed(unknown)}, and "
            f"{_listed(missing)} are missing"
        )


def _check_shapes(
    parameters: Mapping[str, Parameter], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    wrong = [
        f"{name} has shape {shape}, not {parameters[name].shape}"
        for name, shape in shapes.items()
        if shape != parameters[name].shape
    ]
    if wrong:
        raise ValueError(f"these are not the weights of this model: {'; '.join(wrong)}")


def _check_dtypes(dtypes: Mapping[str, np.dtype]) -> None:
    for name, dtype in dtypes.items():
        if dtype.kind != "f":
            raise TypeError(f"{name} has dtype {dtype}; floating-point weights are allowed")


def _listed(names: list[Any]) -> str:
    words = [repr(name)[:80] for name in names[:20]]
    more = [f"{len(names) - 20} more"] if len(names) > 20 else []
    return ", ".join(words + more) or "others"


# ---- files --------------------------------------------------------------------------------------


def save(path: str | PathLike[str], state: Mapping[str, Array]) -> None:
    """Write arrays by name; whatever stops it leaves a file that was there as it was."""
    with replaced(file_path(path, "path")) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in state.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def load(
    parameters: Mapping[str, Parameter],
    path: str | PathLike[str],
    ignored: Collection[str] = (),
) -> None:
    """Give each parameter its weights of a file, all of them or, with an error, none.

    Names, shapes and dtypes are read first, and nothing more of a file that has others: it cannot
    make a reader take more memory than the model has. Pickles are refused, not run.
    """
    where = file_path(path, "path")
    if where.suffix == ".safetensors":
        _load_safetensors(parameters, where, ignored)
        return
    with open_plain(where) as file:
        with _explained(where):
            archive = _opened(file)
            headers = _headers(archive, parameters, ignored)
        try:
            _check_dtypes({name: header.dtype for name, (_, header) in headers.items()})
        except TypeError as error:
            raise TypeError(f"{str(where)!r}: {error}") from error
        with _explained(where):
            arrays = {name: _array(archive, *found) for name, found in headers.items()}
    for name, array in arrays.items():
        parameters[name].replace(array)


@contextlib.contextmanager
def _explained(where: Path) -> Iterator[None]:
    """Make a ValueError that names the file of whatever a damaged archive may lead to."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(
            f"{str(where)!r} does not hold weights that were saved, or not all of them: "
            f"{str(error) or type(error).__name__}"
        ) from error


class _Header(NamedTuple):
    """What an archive says of an array."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype
    #: Bytes before those of the array.
    length: int


def _opened(file: IO[bytes]) -> zipfile.ZipFile:
    if not zipfile.is_zipfile(file):
        raise ValueError("it is no .npz archive")
    return zipfile.ZipFile(file)


def _load_safetensors(
    parameters: Mapping[str, Parameter], where: Path, ignored: Collection[str]
) -> None:
    try:
        from safetensors import safe_open
    except ImportError as error:
        raise ImportError(f"{str(where)!r} is read by the package safetensors: {error}") from error
    with open_plain(where):  # a plain file, or the error that says what it is
        pass
    with _explained(where), safe_open(where, framework="numpy") as file:
        names = [name for name in file.keys() if name not in ignored]  # noqa: SIM118 - no mapping
        _check_names(parameters, names)
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}
        _check_shapes(parameters, shapes)
        arrays = {name: file.get_tensor(name) for name in names}
    try:
        _check_dtypes({name: array.dtype for name, array in arrays.items()})
    except TypeError as error:
        raise TypeError(f"{str(where)!r}: {error}") from error
    for name, array in arrays.items():
        parameters[name].replace(array)


def _headers(
    archive: zipfile.ZipFile, parameters: Mapping[str, Parameter], ignored: Collection[str]
) -> dict[str, tuple[zipfile.ZipInfo, _Header]]:
    """Return what an archive says of each parameter; ValueError if it has others, or shapes."""
    members = {m.filename.removesuffix(".npy"): m for m in archive.infolist()}
    if len(members) < len(archive.infolist()):
        raise ValueError("it holds two arrays of one name")
    members = {name: member for name, member in members.items() if name not in ignored}
    _check_names(parameters, members)
    found = {name: (member, _header(archive, member)) for name, member in members.items()}
    _check_shapes(parameters, {name: header.shape for name, (_, header) in found.items()})
    return found


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> _Header:
    """Return the description of an array, of which nothing else is read."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{member.filename} is compressed in a way that numpy.savez does not use")
    if member.flag_bits & 1:
        raise ValueError(f"{member.filename} is encrypted")
    with archive.open(member) as stream:
        start = io.BytesIO(stream.read(HEADER))
    version = np.lib.format.read_magic(start)
    if version not in READERS:
        raise ValueError(f"{member.filename} is an array of version {version}")
    try:
        shape, fortran, dtype = READERS[version](start)
    except Exception as error:  # Python's parser reads it, and may not even end with a SyntaxError
        raise ValueError(f"{member.filename} has no sound header") from error
    return _Header(shape, fortran, dtype, start.tell())


READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, header: _Header) -> Array:
    """Return an array whose description is that of a parameter."""
    size = math.prod(header.shape) * header.dtype.itemsize
    with archive.open(member) as stream:
        # One byte more, so that the end is reached and the checksum is looked at.
        text = stream.read(header.length + size + 1)
    if len(text) != header.length + size:
        raise ValueError(f"{member.filename} is not as long as its shape says")
    order: Any = "F" if header.fortran else "C"
    return np.ndarray(header.shape, header.dtype, text, header.length, order=order)
