"""The demo's recordings, from packages that carry them in their wheels: nothing is downloaded."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._commands import CommandError, MissingPackageError


@dataclass(frozen=True)
class Recording:
    """Real data."""

    #: Names the cases, the figure and its file.
    name: str
    array: npt.NDArray[Any]
    #: Where it comes from, for the figure.
    credit: str
    #: Size of a sample along each axis, for pictures in the right proportions.
    spacing: tuple[float, ...] = ()
    #: Stretches of samples that mean something.
    marks: Mapping[str, slice] = field(default_factory=dict)


def require(module: str, package: str | None = None) -> ModuleType:
    """Import a module of the ``demo`` extra.

    Raises
    ------
    MissingPackageError
        If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingPackageError("the demo", package or module) from error


def ecg() -> Recording:
    """Return three heartbeats, 1024 samples."""
    data = require("pywt.data", "PyWavelets")
    array = np.asarray(data.ecg(), np.int32)
    # The second beat, from P to T, with its spike (R) in the middle.
    return Recording("ecg", array, "PyWavelets, pywt.data.ecg()", marks={"beat": slice(408, 628)})


def photograph() -> Recording:
    """Return a photograph of 512 × 512 pixels in colour."""
    image = require("PIL.Image", "Pillow")
    require("skimage", "scikit-image")
    # Read from the package's folder: skimage.data would fetch what a build left out.
    with as_file(files("skimage") / "data" / "astronaut.png") as path:
        _check_carried(path.exists(), "scikit-image", "data/astronaut.png")
        with image.open(path) as picture:
            array = np.asarray(picture.convert("RGB"))
    return Recording("photograph", array, "Eileen Collins, NASA, public domain; scikit-image")


def volume() -> Recording:
    """Return a brain scan of 128 × 96 × 24 voxels."""
    nibabel = require("nibabel")
    with as_file(files("nibabel") / "tests" / "data" / "example4d.nii.gz") as path:
        _check_carried(path.exists(), "nibabel", "tests/data/example4d.nii.gz")
        scan = nibabel.load(path)
        array = np.ascontiguousarray(np.asarray(scan.dataobj)[..., 0]).astype(np.int16)
        spacing = tuple(float(s) for s in scan.header.get_zooms()[:3])
    return Recording("volume", array, "nibabel, example4d.nii.gz", spacing)


def _check_carried(exists: bool, package: str, file: str) -> None:
    if not exists:
        raise CommandError(f"the demo needs {file} of {package}, which this build of it left out")
