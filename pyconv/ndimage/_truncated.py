"""Integer results of weights that are not whole: sums in double, cut towards zero.

Where a sum is a whole number but for its last bits (255 · Σ w of a grey area), rounding decides
between 254 and 255. So products are rounded before they are added, in the order of
`scipy.ndimage`, and the results are its own to the bit.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._engine import threads
from pyconv._engine.algorithms.arranged import View, view_of, write
from pyconv._engine.algorithms.correlation.direct import Direct
from pyconv._engine.algorithms.loop_adapters import axis_rows, form_of
from pyconv._engine.problem import Problem, make_problem
from pyconv._native import layout, loader  # type: ignore[attr-defined]  # compiled

Array = npt.NDArray[Any]


class Terms(NamedTuple):
    """Products in the order in which they are added: x[a] · w, then (x[a] ± x[b]) · w.

    Samples are named by the tap that reads them, one number for each axis of the kernel.
    """

    singles: tuple[tuple[int, ...], ...]
    pairs: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    #: Whether pairs are subtracted.
    difference: bool
    #: Of the singles, then of the pairs.
    weights: tuple[float, ...]
    divisor: int = 1


def line_terms(w: Array) -> Terms:
    """Return the products of a kernel along one axis, as SciPy adds them.

    An odd kernel that is its own mirror image, or the negative of it, is folded: the sample in
    the middle first, then pairs from the ends inwards. Other kernels begin with the last weight.
    """
    taps, middle = len(w), len(w) // 2
    left, right = w[:middle], w[: -middle - 1 : -1]
    eps = np.finfo(np.float64).eps  # what SciPy calls equal
    even = bool(np.all(np.abs(left - right) <= eps))
    if taps % 2 and (even or np.all(np.abs(left + right) <= eps)):
        pairs = tuple(((u,), (taps - 1 - u,)) for u in range(middle))
        return Terms(((middle,),), pairs, not even, (w[middle].item(), *left.tolist()))
    order = (taps - 1, *range(taps - 1))
    return Terms(tuple((u,) for u in order), (), False, tuple(w[list(order)].tolist()))


def kernel_terms(w: Array) -> Terms:
    """Return the products of a kernel of any dimension, row by row; zeros are left out."""
    every = itertools.product(*map(range, w.shape))
    kept = [(u, v) for u, v in zip(every, w.ravel().tolist(), strict=True) if v != 0]
    return Terms(tuple(u for u, _ in kept), (), False, tuple(v for _, v in kept))


def box_terms(taps: int) -> Terms:
    """Return the samples of a mean."""
    return Terms(tuple((u,) for u in range(taps)), (), False, (1.0,) * taps, taps)


class Kernel(NamedTuple):
    """One filter: its terms, and where it reads, one entry for each of its axes."""

    axes: tuple[int, ...]
    shape: tuple[int, ...]
    terms: Terms
    pads: tuple[tuple[int, int], ...]
    boundaries: tuple[str, ...]

    def seen(self, view: View) -> Kernel:
        """Return the filter of arrays as they are seen."""
        return self._replace(axes=tuple(view.axis(a) for a in self.axes))


def truncated_sums(x: Array, kernel: Kernel, fill: float, output: Array) -> None:
    """Write the sums of a kernel, divided and cut towards zero, to ``output``.

    They wrap; what no signed 64-bit integer holds becomes 0, and of a bool all but 0 is True.
    """
    view = view_of(x.shape, kernel.axes)
    if view is None:
        _sum_as_it_lies(x, kernel, fill, output)
        return
    total = np.empty(view.shape, output.dtype)
    _sum_as_it_lies(view.source(x), kernel.seen(view), fill, total)
    write(total, output.transpose(view.order))


def _sum_as_it_lies(x: Array, kernel: Kernel, fill: float, output: Array) -> None:
    problem = make_problem(
        x.shape, x.dtype, kernel.shape, np.dtype(np.float64), mode=list(kernel.pads),
        boundary=kernel.boundaries, axes=kernel.axes, rtol=0,
    )  # fmt: skip
    loop, folded = _loop(loader.native, problem, kernel.terms)
    x = np.asarray(x, x.dtype.newbyteorder("="))
    if folded or not x.flags.aligned:
        x = np.array(x, order="C", copy=not (x.flags.c_contiguous and x.flags.aligned))
    y = output
    direct = y.flags.c_contiguous and y.flags.aligned and y.dtype.isnative
    if not direct or np.may_share_memory(x, y):
        y = np.empty(output.shape, output.dtype.newbyteorder("="))
    workers = threads.resolve(None, Direct().threads(problem))
    loop.run(layout.settled(x), layout.settled(y), fill, workers)
    if y is not output:
        output[...] = y


@functools.lru_cache(maxsize=64)
def _loop(native: ModuleType, problem: Problem, terms: Terms) -> tuple[Any, bool]:
    """Return the compiled loop, and whether it takes trailing axes as one."""
    form = form_of(problem)

    def taps(places: Sequence[tuple[int, ...]]) -> Array:
        """Return taps along z, y and x, a row for each place."""
        return np.array(
            [[0 if i < 0 else place[i] for i in form.w_axes] for place in places], np.intp
        ).reshape(-1, 3)

    loop = native.TruncatedLoop(
        axis_rows(form.axes),
        form.batch,
        math.prod(problem.x_shape[a] for a in form.batch),
        form.group,
        taps(terms.singles),
        taps([first for first, _ in terms.pairs]),
        taps([second for _, second in terms.pairs]),
        np.array(terms.weights, np.float64),
        terms.divisor,
        terms.difference,
    )
    last = max(a.axis for a in problem.spatial)
    return loop, math.prod(problem.x_shape[last + 1 :]) > 1
