"""One kernel along each axis: several axes in one pass, where that means the same.

The engine applies a product kernel as rows, then columns, without leaving the cache. That is the
same as one pass after the other unless the passes in between are cut to integers, or read a fill
value that those before them would have changed. Samples of 8 bits are cut in the cache (`fixed`).
"""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv.ndimage.fixed import fixed_sums
from pyconv.ndimage.sums import FEW_SAMPLES, Window, single, weighted_sums
from pyconv.ndimage.truncated import Kernel, Terms, line_terms
from pyconv.plans import Plan, plan

Array = npt.NDArray[Any]

#: Larger product kernels take longer to be taken apart than to be applied axis by axis.
MOST_PRODUCTS = 2**16
#: A plain sum of so many times the products of separate passes is no slower than they are.
WORTH_A_PASS = 4
#: Algorithms that multiply by every weight of the product.
PLAIN = ("direct", "im2col", "reference")
#: From here on it takes less time to look for NaN than to sum every product of a kernel, as the
#: engine does where there is one.
MANY_PRODUCTS = 2**10


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

    def key(self) -> tuple[int, bytes, int, str]:
        """Return what tells this pass from others."""
        return self.axis, self.weights.tobytes(), self.low, self.boundary


def smooth(x: Array, passes: Sequence[Pass], fill: complex, output: Array) -> None:
    """Write ``x``, correlated along each axis in turn, to ``output``, which may be ``x``."""
    if not passes:
        output[...] = x
        return
    rest = list(passes)
    fused = output.dtype.kind in "fc" and x.size >= FEW_SAMPLES
    if fused and (fill == 0 or all(each.boundary != "constant" for each in passes)):
        while len(rest) > 1:  # in any order: the last axes first
            for count in range(min(3, len(rest)), 1, -1):
                if _run_product(x, rest[-count:], fill, output):
                    del rest[-count:]
                    break
            else:
                one_by_one(x, [rest.pop()], fill, output)
            x = output
    elif (
        fused
        and 1 < len(rest) <= 3
        and not order_matters(passes, fill)
        and _run_product(x, passes, fill, output)
    ):
        return
    one_by_one(x, rest, fill, output)


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


def _run_product(x: Array, passes: Sequence[Pass], fill: complex, output: Array) -> bool:
    """Write several passes in one, if it is worth it; return whether it was."""
    native = x.dtype.newbyteorder("=")
    keys = tuple(each.key() for each in passes)
    bound = _plan(x.shape, native, output.dtype.newbyteorder("="), keys, fill)
    if bound is None:
        return False
    if (
        math.prod(bound.w_shape) > MANY_PRODUCTS
        and bound.algorithm not in PLAIN
        and x.dtype.kind in "fc"
        and not np.isfinite(x.sum())
    ):
        return False
    bound(x if x.dtype == native else x.astype(native), out=output)
    return True


@functools.lru_cache(maxsize=64)
def _plan(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    dtype: np.dtype,
    passes: tuple[tuple[int, bytes, int, str], ...],
    fill: complex,
) -> Plan | None:
    """Return the plan of a product kernel, None where separate passes are better."""
    axes, data, lows, boundaries = zip(*passes, strict=True)
    weights = [np.frombuffer(values) for values in data]
    kernel: Array = functools.reduce(np.multiply.outer, weights)
    if kernel.size > MOST_PRODUCTS:
        return None
    narrow = single(x_dtype, dtype, np.concatenate(weights))
    bound = plan(
        shape=shape,
        x_dtype=x_dtype,
        w=kernel.astype(np.float32 if narrow else np.float64),
        mode=[(low, k - 1 - low) for low, k in zip(lows, kernel.shape, strict=True)],
        boundary=boundaries,
        fill_value=fill,
        axes=axes,
        dtype=dtype,
        rtol=(kernel.size + 2) * float(np.finfo(dtype).eps),
    )
    few = kernel.size <= WORTH_A_PASS * sum(kernel.shape)
    return bound if few or bound.algorithm not in PLAIN else None
