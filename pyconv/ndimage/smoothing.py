"""One kernel along each axis: several axes in one go, where that means the same.

Real sums of several axes are made in the cache, rows first, then columns (`passes`). That is the
same as one pass after the other unless the passes in between are cut to integers, or read a fill
value that those before them would have changed. Samples of 8 bits are cut in the cache (`fixed`).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv.ndimage.fixed import fixed_sums
from pyconv.ndimage.sums import FEW_SAMPLES, Window, factored_sums, weighted_sums
from pyconv.ndimage.truncated import Kernel, Terms, line_terms
from pyconv.problem import MAX_SPATIAL

Array = npt.NDArray[Any]


class Pass(NamedTuple):
    """The weights of a correlation along one axis, and where they read."""

    axis: int
    weights: Array
    low: int
    boundary: str

    def window(self, fill: complex) -> Window:
        """Return the window of this pass."""
        return Window((self.axis,), self.weights.shape, (self.low,), (self.boundary,), fill)

    def kernel(self, terms: Terms) -> Kernel:
        """Return the same as a kernel, whose products are added as ``terms`` say."""
        pads = ((self.low, len(self.weights) - 1 - self.low),)
        return Kernel((self.axis,), self.weights.shape, terms, pads, (self.boundary,))


def smooth(x: Array, passes: Sequence[Pass], fill: complex, output: Array) -> None:
    """Write ``x``, correlated along each axis in turn, to ``output``, which may be ``x``."""
    if not passes:
        output[...] = x
        return
    if x.size < FEW_SAMPLES or output.dtype.kind not in "fc" or order_matters(passes, fill):
        one_by_one(x, passes, fill, output)
        return
    rest = list(passes)
    while rest:  # in any order: the last axes first
        some = rest[-MAX_SPATIAL:]
        del rest[-MAX_SPATIAL:]
        factored_sums(x, [[each.weights for each in some]], joint_window(some, fill), output)
        fill = fill * float(np.prod([each.weights.sum() for each in some])) if rest else fill
        x = output


def joint_window(passes: Sequence[Pass], fill: complex) -> Window:
    """Return the window of several passes."""
    return Window(
        [each.axis for each in passes],
        [len(each.weights) for each in passes],
        [each.low for each in passes],
        [each.boundary for each in passes],
        fill,
    )


def one_by_one(x: Array, passes: Sequence[Pass], fill: complex, output: Array) -> None:
    """Write the passes, each stored in the dtype of ``output``."""
    if len(passes) > 1 and x.dtype.itemsize == 1 and output.dtype.kind in "biu":
        kernels = [each.kernel(line_terms(each.weights)) for each in passes]
        if fixed_sums(x, kernels, fill.real, output):
            return
    for each in passes:
        weighted_sums(x, each.weights, each.window(fill), output, line=True)
        x = output


def order_matters(passes: Sequence[Pass], fill: complex) -> bool:
    """Return whether a pass reads fill values that those before it change."""
    if fill == 0:
        return False
    changed = False
    for each in passes:
        if each.boundary == "constant" and changed:
            return True
        changed = changed or abs(each.weights.sum() - 1) > 2.0**-40
    return False
