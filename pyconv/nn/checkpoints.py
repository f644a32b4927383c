"""Weights by name: checked against a model before any is taken; .npz files without pickle."""

import os
import zipfile
import zlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv.nn.parameter import Parameter

Array = npt.NDArray[Any]


def load_state(parameters: Mapping[str, Parameter], state: Mapping[str, npt.ArrayLike]) -> None:
    """Give each parameter its weights of ``state``, all of them or, with an error, none."""
    missing = [name for name in parameters if name not in state]
    unknown = [name for name in state if name not in parameters]
    if missing or unknown:
        raise ValueError(
            f"these are not the weights of this model: it has no {_listed(unknown)}, and "
            f"{_listed(missing)} are missing"
        )
    arrays = {name: np.asarray(state[name]) for name in parameters}
    wrong = {n: a for n, a in arrays.items() if a.shape != parameters[n].shape}
    if wrong:
        shapes = [f"{n} has shape {a.shape}, not {parameters[n].shape}" for n, a in wrong.items()]
        raise ValueError(f"these are not the weights of this model: {'; '.join(shapes)}")
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            raise TypeError(f"{name} has dtype {array.dtype}; floating-point weights are allowed")
    for name, array in arrays.items():
        parameters[name].replace(array)


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names)) or "others"


def save(path: str | PathLike[str], state: Mapping[str, Array]) -> None:
    """Write arrays by name; whatever stops it leaves a file that was there as it was."""
    target = Path(path)
    arrays: dict[str, Any] = dict(state)
    beside = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            np.savez(file, **arrays)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def read(path: str | PathLike[str]) -> dict[str, Array]:
    """Return the arrays of a file by name; pickles are refused, not run."""
    try:
        with Path(path).open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it is no .npz archive")
            return {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{str(path)!r} does not hold weights that were saved, or not all of them: {error}"
        ) from error
