"""BOUNDARIES: what is read outside ``x``, one row for each rule.

Validation and every algorithm read this table. ``constant`` is the one rule that reads no sample,
and code asks for it by its name. Every other row names a sample for each coordinate. Its index map
repeats itself (``period``), or reads beyond each end of the array the sample at that end.
`_pieces/reach.py` and `ndimage/_pieces.py` take a rule with a period for one that mirrors, but
``wrap``, for which they ask by name. ARCHITECTURE.md says what else a new row needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Index = npt.NDArray[np.intp]

#: The index that means "no sample: read the fill value".
FILL = -1


class Boundary(NamedTuple):
    """One rule for reading outside an axis of ``n`` samples."""

    #: Index map: integer coordinates (any value) and ``n`` → indices in [0, n), or FILL.
    index: Callable[[Index, int], Index]  # type: ignore[assignment]  # not tuple's
    #: What is read around ``a b c d``, drawn as SciPy's documentation draws it.
    drawing: str
    #: Other words for the same rule.
    aliases: tuple[str, ...]
    #: Of how many coordinates the index map of ``n`` samples repeats itself, None if it does not.
    period: Callable[[int], int] | None = None


def _constant(i: Index, n: int) -> Index:
    return np.where((i < 0) | (i >= n), FILL, i)


def _nearest(i: Index, n: int) -> Index:
    return np.clip(i, 0, n - 1)


def _symmetric(i: Index, n: int) -> Index:
    i = i % (2 * n)
    return np.where(i < n, i, 2 * n - 1 - i)


def _mirror(i: Index, n: int) -> Index:
    if n == 1:
        return np.zeros_like(i)
    i = i % (2 * n - 2)
    return np.where(i < n, i, 2 * n - 2 - i)


def _wrap(i: Index, n: int) -> Index:
    return i % n


BOUNDARIES: dict[str, Boundary] = {
    "constant": Boundary(_constant, "k k k | a b c d | k k k", ("zero", "zeros", "fill")),
    "nearest": Boundary(_nearest, "a a a | a b c d | d d d", ("edge", "replicate", "extend")),
    "symmetric": Boundary(
        _symmetric,
        "c b a | a b c d | d c b",
        ("grid-mirror", "symm"),
        lambda n: 2 * n,
    ),
    "mirror": Boundary(_mirror, "d c b | a b c d | c b a", (), lambda n: max(1, 2 * n - 2)),
    "wrap": Boundary(
        _wrap,
        "b c d | a b c d | a b c",
        ("circular", "periodic", "grid-wrap"),
        lambda n: n,
    ),
}

_NAMES = {name: name for name in BOUNDARIES} | {
    alias: name for name, row in BOUNDARIES.items() for alias in row.aliases
}
_ZERO_ONLY = ("zero", "zeros")


def boundary_name(word: object, fill_value: object = 0) -> str:
    """Return the name in BOUNDARIES that ``word`` means.

    Raises
    ------
    ValueError
        For an unknown word, for the ambiguous ``"reflect"``, and for ``"zero"``
        together with a fill value that is not zero.
    """
    if word == "reflect":
        raise ValueError(
            "boundary='reflect' is ambiguous: SciPy's ndimage means 'symmetric' "
            "(d c b a | a b c d | d c b a); NumPy, torch and OpenCV mean 'mirror' "
            "(d c b | a b c d | c b a); say which"
        )
    name = _NAMES.get(word) if isinstance(word, str) else None
    if name is None:
        raise ValueError(f"boundary={word!r} is unknown; allowed are {', '.join(sorted(_NAMES))}")
    if word in _ZERO_ONLY and fill_value != 0:
        raise ValueError(
            f"boundary={word!r} reads zeros, but fill_value={fill_value!r}; "
            "use boundary='constant' for another value"
        )
    return name
