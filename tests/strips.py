"""Passes as they are without the tiles that sum all of them."""

from pyconv._engine.algorithms.correlation.passes import Passes
from pyconv._engine.planner import clear_cache


def in_strips(monkeypatch, call):
    """Return the result of a call whose passes go one after the other."""
    clear_cache()
    with monkeypatch.context() as patched:
        patched.setattr(Passes, "_tile", lambda self, problem: None)
        y = call()
    clear_cache()
    return y
