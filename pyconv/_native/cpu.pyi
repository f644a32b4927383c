"""The features of this CPU."""

from __future__ import annotations

def features() -> list[str]: ...
