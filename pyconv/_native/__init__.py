"""The compiled room: loops over the valid region, one build of them for each ISA variant."""

from __future__ import annotations

try:
    from pyconv._native import cpu  # noqa: F401 - the first extension that is needed
except ImportError as error:
    if error.name != __name__:  # it is there, and damaged
        raise
    from pyconv._native.unbuilt import unbuilt_error

    raise unbuilt_error() from None
