"""Calls on a piece of an array at a time: what a piece of the result reads, and how it is summed.

All that depends on the whole problem is decided once, before anything is cut: the algorithm, the
dtype of the sums, the order of axes. A `PiecePlan` holds it, pickles, and makes any box of the
result from the samples that the box reads. So a result has the same bits however it is cut.
"""

from __future__ import annotations

from pyconv._pieces.plan import PiecePlan, piece_plan
from pyconv._pieces.reach import Reach, Read

__all__ = ["PiecePlan", "Reach", "Read", "piece_plan"]
