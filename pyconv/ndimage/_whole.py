"""The array of which a piece is filtered: it decides where the piece would decide otherwise."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any


class _Whole(threading.local):
    #: The shape of the whole array, None where the array at hand is all there is.
    shape: tuple[int, ...] | None = None
    #: What has been planned for it so far, while its plan is made: windows.
    windows: list[Any] | None = None
    #: The first result and their number along each axis of the array at hand, None for all: filters
    #: that are one `Filter` make those alone.
    crop: tuple[tuple[int, int], ...] | None = None
    #: The algorithms of its sums, by what tells them from others.
    choices: dict[Any, str]


#: What this thread plans for.
WHOLE = _Whole()


def deciding(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that decides how an array is filtered."""
    return shape if WHOLE.shape is None else WHOLE.shape


@contextlib.contextmanager
def part_of(
    shape: tuple[int, ...],
    choices: dict[Any, str],
    windows: list[Any] | None = None,
    crop: tuple[tuple[int, int], ...] | None = None,
) -> Iterator[None]:
    """Plan, within the block, for parts of an array of a shape."""
    before = WHOLE.shape, WHOLE.windows, WHOLE.crop, getattr(WHOLE, "choices", None)
    WHOLE.shape, WHOLE.windows, WHOLE.crop, WHOLE.choices = shape, windows, crop, choices
    try:
        yield
    finally:
        WHOLE.shape, WHOLE.windows, WHOLE.crop = before[:3]
        WHOLE.choices = before[3] or {}
