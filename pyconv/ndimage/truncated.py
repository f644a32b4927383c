"""Integer results of weights that are not whole: sums in double, cut towards zero.

Where a sum is a whole number but for its last bits (255 · Σ w of a grey area), rounding decides
between 254 and 255. So products are rounded before they are added, in the order of
`scipy.ndimage`, and the results are its own to the bit.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv import threads
from pyconv._native import loader
from pyconv.algorithms.casting import axis_rows
from pyconv.algorithms.direct import Direct, form_of
from pyconv.problem import Problem, make_problem

Array = npt.NDArray[Any]

#: The greatest magnitude of 8 bits.
MOST_BYTE = 255
#: Sums whose fractions floats still have; errors for which few sums have to be made again.
MOST_SUM, MOST_ERROR = 2.0**21, 2.0**-10
#: Sums of multiples of the one, up to the other, are exact in floats.
FRACTION, MOST_EXACT = 2.0**-8, 2.0**16
#: What weights too small for a float may add up to.
LEAST_FLOAT = 2.0**-100


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


def truncated_sums(
    x: Array,
    shape: Sequence[int],
    terms: Terms,
    axes: Sequence[int],
    pads: Sequence[tuple[int, int]],
    boundaries: Sequence[str],
    fill: float,
    output: Array,
) -> None:
    """Write the sums for a kernel of this shape, divided and cut towards zero, to ``output``.

    They wrap; what no signed 64-bit integer holds becomes 0, and of a bool all but 0 is True.
    """
    problem = make_problem(
        x.shape, x.dtype, tuple(shape), np.dtype(np.float64), mode=pads,
        boundary=tuple(boundaries), axes=tuple(axes), rtol=0,
    )  # fmt: skip
    few_bits = x.dtype.itemsize == 1 and abs(fill) <= MOST_BYTE and fill == np.float32(fill)
    loop, folded = _loop(loader.native, problem, terms, _float_error(terms) if few_bits else -1.0)
    x = np.asarray(x, x.dtype.newbyteorder("="))
    if folded or not x.flags.aligned:
        x = np.array(x, order="C", copy=not (x.flags.c_contiguous and x.flags.aligned))
    y = output
    direct = y.flags.c_contiguous and y.flags.aligned and y.dtype.isnative
    if not direct or np.may_share_memory(x, y):
        y = np.empty(output.shape, output.dtype.newbyteorder("="))
    loop.run(x, y, fill, threads.resolve(None, Direct().threads(problem)))
    if y is not output:
        output[...] = y


def _float_error(terms: Terms) -> float:
    """Return what sums of floats may err for samples of 8 bits, −1 where that decides nothing.

    A sum of n products, each of a rounded weight, errs by at most (n + 1) u / (1 − (n + 1) u) of
    Σ|x||w|, with u = 2⁻²⁴. Sums of few binary digits are exact, and so are those that are
    divided, which are whole.
    """
    single = sum(map(abs, terms.weights[: len(terms.singles)]))
    largest = MOST_BYTE * (single + 2 * sum(map(abs, terms.weights[len(terms.singles) :])))
    if not largest < MOST_SUM:  # or NaN
        return -1.0
    exact = largest < MOST_EXACT and all(w % FRACTION == 0 for w in terms.weights)
    if terms.divisor > 1 or exact:
        return 0.0
    error = 1.01 * (len(terms.weights) + 2) * 2.0**-24 * largest + LEAST_FLOAT
    return error if error < MOST_ERROR else -1.0


@functools.lru_cache(maxsize=64)
def _loop(native: ModuleType, problem: Problem, terms: Terms, error: float) -> tuple[Any, bool]:
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
        error,
    )
    last = max(a.axis for a in problem.spatial)
    return loop, math.prod(problem.x_shape[last + 1 :]) > 1
