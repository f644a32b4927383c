"""OME-Zarr: a folder of arrays at several resolutions, and what says how they lie in space.

Versions 0.4 and 0.5 of the specification differ in the format of zarr, 2 and 3, and in where the
metadata are. They are written last: what has stopped on the way is no image yet.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyconv._engine.problem import several

#: The names that axes may have, in the order that the specification asks for, and their types.
AXES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
#: Versions of the specification, and the format of zarr that each is of.
VERSIONS = {"0.4": 2, "0.5": 3}
#: Samples of a block, as a power of two, that axes which shrink share.
BLOCK_BITS = 18


def zarr_package() -> Any:
    """Return zarr; ImportError with the command that installs it."""
    try:
        import zarr
    except ImportError as error:
        raise ImportError("target= is written by zarr 3: pip install 'pyconv-nd[zarr]'") from error
    if int(zarr.__version__.split(".")[0]) < 3:
        raise ImportError(
            f"target= is written by zarr 3, and {zarr.__version__} is installed: "
            "pip install 'pyconv-nd[zarr]'"
        )
    return zarr


def axis_names(names: str | Sequence[str] | None, ndim: int) -> tuple[str, ...]:
    """Return the names of axes; ValueError for those that the specification does not allow."""
    if not 2 <= ndim <= len(AXES):
        raise ValueError(f"x has {ndim} axes; OME-Zarr has from 2 to {len(AXES)}")
    found = tuple(AXES)[-ndim:] if names is None else tuple(names)
    ordered = [name for name in AXES if name in found]
    spatial = [name for name in found if AXES.get(name) == "space"]
    if list(found) != ordered or len(found) != ndim or len(spatial) < 2:
        raise ValueError(
            f"names={names!r}: a letter of {''.join(AXES)!r} for each of the {ndim} axes is "
            "allowed, in this order, two of them of space at least"
        )
    return found


def blocks(shape: Sequence[int], axes: Sequence[int], chunks: Any) -> tuple[int, ...]:
    """Return the shape of chunks: those that are asked for, or about a quarter million samples."""
    if chunks is not None:
        given = several(chunks)
        sizes = (chunks,) * len(shape) if given is None else given
        if len(sizes) != len(shape):
            raise ValueError(f"chunks={chunks!r}: one for each of the {len(shape)} axes is allowed")
        return tuple(max(1, min(int(c), n)) for c, n in zip(sizes, shape, strict=True))
    edge = 1 << (BLOCK_BITS // max(1, len(axes)))
    return tuple(min(n, edge) if i in axes else 1 for i, n in enumerate(shape))


def opened_group(target: Any, version: str, overwrite: bool) -> Any:
    """Return the group that an image is written to.

    Raises
    ------
    ValueError
        If it holds something.
    """
    zarr = zarr_package()
    if version not in VERSIONS:
        raise ValueError(f"version={version!r} is unknown; allowed are {', '.join(VERSIONS)}")
    if isinstance(target, zarr.Group):
        if target.metadata.zarr_format != VERSIONS[version]:
            raise ValueError(
                f"target has zarr's format {target.metadata.zarr_format}, and OME-Zarr {version} "
                f"is of {VERSIONS[version]}"
            )
        group = target
    else:
        store = os.fspath(target) if isinstance(target, os.PathLike) else target
        mode = "w" if overwrite else "a"
        group = zarr.open_group(store, mode=mode, zarr_format=VERSIONS[version])
    if [*group.keys()] and not overwrite:
        raise ValueError(
            f"target={target!r} holds {', '.join(sorted(group.keys()))} already; name another, or "
            "pass overwrite=True"
        )
    return group


def made_array(
    group: Any,
    path: str,
    shape: tuple[int, ...],
    dtype: np.dtype,
    chunks: tuple[int, ...],
    shards: tuple[int, ...] | None,
    names: Sequence[str],
) -> Any:
    """Return a new array of a group."""
    more: dict[str, Any] = {"shards": shards, "dimension_names": list(names)}
    if group.metadata.zarr_format == 2:
        more = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    return group.create_array(
        path, shape=shape, dtype=dtype, chunks=chunks, overwrite=True, fill_value=0, **more
    )


def described(
    names: Sequence[str],
    units: Mapping[str, str],
    scales: Sequence[Sequence[float]],
    translations: Sequence[Sequence[float]],
    version: str,
    method: str,
    title: str,
) -> dict[str, Any]:
    """Return the metadata of an image."""
    axes = []
    for name in names:
        axis = {"name": name, "type": AXES[name]}
        axes.append(axis | ({"unit": units[name]} if name in units else {}))
    datasets = []
    for level, (scale, shift) in enumerate(zip(scales, translations, strict=True)):
        steps: list[dict[str, Any]] = [{"type": "scale", "scale": [*scale]}]
        if any(shift):
            steps.append({"type": "translation", "translation": [*shift]})
        datasets.append({"path": str(level), "coordinateTransformations": steps})
    image = {"name": title, "axes": axes, "datasets": datasets, "type": method}
    if version == "0.4":
        return {"multiscales": [{"version": version, **image}]}
    return {"ome": {"version": version, "multiscales": [image]}}
