"""Kernels that people know by name, as arrays: what `correlate` multiplies with each window.

Under ``correlate`` the weight at offset u multiplies the sample at i + u. A derivative is positive
where samples grow with the index, a second derivative where they curve upwards. Kernels of
whole numbers are integer arrays, so that whole images stay exact; the others are float64.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._engine.dtypes import any_dtype
from pyconv._engine.problem import flag, integer, integers, several

__all__ = [
    "KERNELS",
    "ball",
    "box",
    "disk",
    "dog",
    "edge",
    "emboss",
    "gabor",
    "gaussian",
    "laplace",
    "log",
    "motion",
    "prewitt",
    "roberts",
    "scharr",
    "sharpen",
    "sobel",
    "unsharp",
]

Array = npt.NDArray[Any]
Number = float | Sequence[float]

#: A kernel of more weights than this is a slip of the keyboard, not a filter.
MAX_WEIGHTS = 2**24
#: Derivatives of a higher order are of no use in float64.
MAX_ORDER = 64
#: The second Gaussian of a difference, as wide as comes nearest to a Laplacian of Gaussian while
#: passing half of its band (Marr and Hildreth 1980, appendix B).
DOG_RATIO = 1.6
#: σ ÷ wavelength of a Gabor kernel that passes one octave: √(ln 2 / 2) / π · (2 + 1) / (2 − 1).
OCTAVE = 3 * math.sqrt(math.log(2) / 2) / math.pi
#: Parts of a sample's width below which a piece of a line is a rounding error.
NO_LENGTH = 1e-9

#: What smooths a central difference along the other axes.
SMOOTHERS = {"prewitt": (1, 1, 1), "scharr": (3, 10, 3), "sobel": (1, 2, 1)}


# ---- smoothing ------------------------------------------------------------------------------


def gaussian(
    sigma: Number,
    order: int | Sequence[int] = 0,
    *,
    ndim: int | None = None,
    truncate: float = 4.0,
    radius: int | Sequence[int] | None = None,
    dtype: npt.DTypeLike = np.float64,
) -> Array:
    r"""Return a Gaussian or one of its derivatives.

    .. math:: w(u) = \prod_a \frac{He_{k_a}(u_a / \sigma_a)}{\sigma_a^{k_a}} \, \varphi_a(u_a),
              \qquad \varphi_a(u) = \frac{e^{-u^2 / 2 \sigma_a^2}}{\sum_v e^{-v^2 / 2 \sigma_a^2}}

    with the Hermite polynomials 1, t, t² − 1, t³ − 3t, … for the orders k: `correlate` with it
    is smoothing by the Gaussian and differentiating k times.

    Parameters
    ----------
    sigma : float or sequence of float
        Standard deviation in samples, for all axes or each.
    order : int or sequence of int, optional
        Which derivative, for all axes or each.
    ndim : int, optional
        Dimensions of the kernel, 1 to 3; by default the entries of `sigma`, or 2.
    truncate : float, optional
        Where the kernel ends, in standard deviations.
    radius : int or sequence of int, optional
        Taps on either side of the centre, instead of `truncate`.
    dtype : dtype, optional
        A floating-point dtype.

    Returns
    -------
    ndarray
        For order 0 the weights are positive and sum to 1. Odd orders are antisymmetric; the
        first is positive where samples grow, and gives a slope s as s · Σu²φ(u) / σ², which is
        s within 0.2 % for σ ≥ 1 (SciPy's normalisation).

    Raises
    ------
    ValueError, TypeError
        For numbers that are not allowed; the message names the argument and its value.

    Notes
    -----
    Sampled derivatives of a Gaussian: Lindeberg, *Scale-Space Theory in Computer Vision*, 1994.

    Examples
    --------
    >>> from pyconv import kernels
    >>> kernels.gaussian(1.0, ndim=1, radius=2).round(3)
    array([0.054, 0.244, 0.403, 0.244, 0.054])
    >>> kernels.gaussian((2.0, 1.0)).shape
    (17, 9)
    """
    rows = gaussian_rows(sigma, order, _dimensions(ndim, sigma), truncate, radius)
    check_all(rows, f"sigma={sigma!r}")
    return typed(outer(rows), dtype)


def gaussian_rows(
    sigma: Number,
    order: int | Sequence[int],
    ndim: int,
    truncate: float = 4.0,
    radius: int | Sequence[int] | None = None,
    given: str | None = None,
) -> list[Array]:
    """Return the factors of a Gaussian, one for each axis; ``given`` says what gave its sigma."""
    sigmas = _positive(sigma, ndim, "sigma")
    orders = _at_least(0, order, ndim, "order")
    if max(orders) > MAX_ORDER:
        raise ValueError(f"order={order!r}: integers of at most {MAX_ORDER} are allowed")
    cut = _positive_number(truncate, "truncate")
    if radius is None:
        said = f" with truncate={truncate!r}" if truncate != 4 else ""
        taps = max(2 * min(cut * s + 0.5, MAX_WEIGHTS) + 1 for s in sigmas)
        check_weights(taps, 1, (given or f"sigma={sigma!r}") + said)
        radii = tuple(int(cut * s + 0.5) for s in sigmas)
    else:
        radii = _at_least(0, radius, ndim, "radius")
        check_weights(2 * max(radii) + 1, 1, f"radius={radius!r}")
    return [_gaussian_row(*axis) for axis in zip(sigmas, orders, radii, strict=True)]


@functools.lru_cache(maxsize=64)
def _gaussian_row(sigma: float, order: int, radius: int) -> Array:
    with np.errstate(all="ignore"):  # far from the centre of a narrow one all is zero
        t = np.arange(-radius, radius + 1) / sigma
        row: Array = np.exp(-0.5 * t**2)
        row /= row.sum()
        before, hermite = np.zeros_like(t), np.ones_like(t)
        for k in range(order):
            before, hermite = hermite, t * hermite - k * before
        row = np.where(row == 0, 0, row * hermite / np.float64(sigma) ** order)
    if not np.isfinite(row).all():
        raise ValueError(
            f"sigma={sigma!r}: the weights of the derivative of order {order} would leave the "
            "range of float64; a wider Gaussian is allowed"
        )
    row.flags.writeable = False
    return row


def box(
    size: int | Sequence[int], *, ndim: int | None = None, dtype: npt.DTypeLike = np.float64
) -> Array:
    r"""Return the mean of a window.

    .. math:: w(u) = \prod_a 1 / n_a

    Parameters
    ----------
    size : int or sequence of int
        Samples of the window along all axes or each.
    ndim : int, optional
        Dimensions of the kernel, 1 to 3; by default the entries of `size`, or 2.
    dtype : dtype, optional
        A floating-point dtype.

    Returns
    -------
    ndarray
        Equal weights that sum to 1.

    Raises
    ------
    ValueError, TypeError
        For numbers that are not allowed; the message names the argument and its value.

    Notes
    -----
    Gonzalez and Woods, *Digital Image Processing*, 4th edition, section 3.5.

    Examples
    --------
    >>> from pyconv import kernels
    >>> kernels.box(2)
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """
    rows = box_rows(size, _dimensions(ndim, size, "size"))
    check_all(rows, f"size={size!r}")
    return typed(outer(rows), dtype)


def box_rows(size: int | Sequence[int], ndim: int) -> list[Array]:
    """Return the factors of a mean, one for each axis."""
    sizes = _at_least(1, size, ndim, "size")
    check_weights(max(sizes), 1, f"size={size!r}")
    return [np.full(n, 1 / n) for n in sizes]


def disk(radius: float, *, dtype: npt.DTypeLike = np.float64) -> Array:
    r"""Return the mean of a disk, the blur of a lens out of focus.

    .. math:: w(u) = \begin{cases} 1 / n & u_1^2 + u_2^2 \le r^2 \\ 0 & \text{else} \end{cases}

    where n, about πr², is how many samples lie in the disk.

    Parameters
    ----------
    radius : float
        Radius in samples, from the middle of the centre sample.
    dtype : dtype, optional
        A floating-point dtype.

    Returns
    -------
    ndarray
        Two dimensions, ``2 * int(radius) + 1`` samples along each; sums to 1.

    Raises
    ------
    ValueError, TypeError
        For numbers that are not allowed; the message names the argument and its value.

    Notes
    -----
    The point spread of geometrical optics: Goodman, *Introduction to Fourier Optics*, section 6.4.

    Examples
    --------
    >>> from pyconv import kernels
    >>> (kernels.disk(2) * 13).round().astype(int)
    array([[0, 0, 1, 0, 0],
           [0, 1, 1, 1, 0],
           [1, 1, 1, 1, 1],
           [0, 1, 1, 1, 0],
           [0, 0, 1, 0, 0]])
    """
    return _round(radius, 2, dtype)


def ball(radius: float, *, dtype: npt.DTypeLike = np.float64) -> Array:
    r"""Return the mean of a ball.

    .. math:: w(u) = \begin{cases} 1 / n & |u|^2 \le r^2 \\ 0 & \text{else} \end{cases}

    where n, about 4πr³/3, is how many samples lie in the ball.

    Parameters
    ----------
    radius : float
        Radius in samples, from the middle of the centre sample.
    dtype : dtype, optional
        A floating-point dtype.

    Returns
    -------
    ndarray
        Three dimensions, ``2 * int(radius) + 1`` samples along each; sums to 1.

    Raises
    ------
    ValueError, TypeError
        For numbers that are not allowed; the message names the argument and its value.

    Examples
    --------
    >>> from pyconv import kernels
    >>> (kernels.ball(1) * 7).round().astype(int)[1]
    array([[0, 1, 0],
           [1, 1, 1],
           [0, 1, 0]])
    """
    return _round(radius, 3, dtype)


def _round(radius: float, ndim: int, dtype: npt.DTypeLike) -> Array:
    r = _positive_number(radius, "radius")
    check_weights(2 * min(r, MAX_WEIGHTS) + 1, ndim, f"radius={radius!r}")
    grid = _grid([int(r)] * ndim)
    inside = functools.reduce(np.add, [u**2 for u in grid]) <= r**2
    w: Array = inside / np.count_nonzero(inside)
    return typed(w, dtype)


def motion(length: float, orientation: float = 0.0, *, dtype: npt.DTypeLike = np.float64) -> Array:
    r"""Return the blur of a straight and steady motion.

    .. math:: w(u) = \frac{1}{L} \left| \{ t \in [-L/2, L/2] :
              \lfloor t \, (\sin\theta, \cos\theta) \rceil = u \} \right|

    the part of a line through the centre that lies in each sample's square.

    Parameters
    ----------
    length : float
        How far a point moves, in samples.
    orientation : float, optional
        Angle of the line in radians, from the last axis (0) towards the first (π/2).
    dtype : dtype, optional
        A floating-point dtype.

    Returns
    -------
    ndarray
        Two dimensions, symmetric about the centre; sums to 1.

    Raises
    ------
    ValueError, TypeError
        For numbers that are not allowed; the message names the argument and its value.

    Notes
    -----
    Gonzalez and Woods, *Digital Image Processing*, 4th edition, section 5.6.

    Examples
    --------
    >>> from math import pi
    >>> from pyconv import kernels
    >>> kernels.motion(4)
    array([[0.125, 0.25 , 0.25 , 0.25 , 0.125]])
    >>> kernels.motion(3, pi / 4).round(2)
    array([[0.26, 0.  , 0.  ],
           [0.  , 0.47, 0.  ],
           [0.  , 0.  , 0.26]])
    """
    half = 0.5 * _positive_number(length, "length")
    angle = number_of(orientation, "orientation")
    check_weights(2 * min(half, MAX_WEIGHTS) + 1, 2, f"length={length!r}")
    along = np.array([math.sin(angle), math.cos(angle)])
    radii = [max(0, math.ceil(half * abs(d) - 0.5 - NO_LENGTH)) for d in along]
    w = np.zeros([2 * r + 1 for r in radii])
    # The line is cut where it passes from one square to the next.
    cuts = [np.array([-half, half])]
    cuts += [(np.arange(-r, r) + 0.5) / d for r, d in zip(radii, along, strict=True) if r]
    t = np.sort(np.concatenate(cuts))
    lengths, middles = np.diff(t), (t[1:] + t[:-1]) / 2
    pieces = lengths > NO_LENGTH
    where = np.rint(np.outer(along, middles[pieces])).astype(int)
    if not pieces.any():  # a point
        w[...] = 1
    np.add.at(w, (where[0] + radii[0], where[1] + radii[1]), lengths[pieces])
    return typed(w / w.sum(), dtype)


# ---- first derivatives ------------------------------------------------------------------------


def sobel(axis: int = -1, ndim: int = 2, *, dtype: npt.DTypeLike = np.int64) -> Array:
    r"""Return Sobel's derivative along one axis.

    .. math:: w = (-1, 0, 1) \text{ along } axis, \quad (1, 2, 1) \text{ along the others}

    Parameters
    ----------
    axis : int, optional
        The axis along which samples are compared.
    ndim : int, optional
        Dimensions of the kernel, 1 to 3.
    dtype : dtype, optional
        Integers by default, so that whole images stay exact.

    Returns
    -------
    ndarray
        Three samples along each axis. It sums to 0 and is positive where samples grow along
        `axis`: on a ramp of slope s it gives 2 · 4^(ndim − 1) · s, which is 8 s on images.

    Raises
    ------
    ValueError, TypeError
        For numbers that are not allowed; the message names the argument and its value.

    Notes
    -----
    Sobel and Feldman, "A 3×3 isotropic gradient operator for image processing", 1968; in Duda
    and Hart, *Pattern Classification and Scene Analysis*, 1973, page 271.

    Examples
    --------
    >>> from pyconv import kernels
    >>> kernels.sobel()
    array([[-1,  0,  1],
           [-2,  0,  2],
           [-1,  0,  1]])
    """
    return _difference("sobel", axis, ndim, dtype)


def prewitt(axis: int = -1, ndim: int = 2, *, dtype: npt.DTypeLike = np.int64) -> Array:
    r"""Return Prewitt's derivative along one axis.

    .. math:: w = (-1, 0, 1) \text{ along } axis, \quad (1, 1, 1) \text{ along the others}

    Parameters
    ----------
    axis : int, optional
        The axis along which samples are compared.
    ndim : int, optional
        Dimensions of the kernel, 1 to 3.
    dtype : dtype, optional
        Integers by default, so that whole images stay exact.

    Returns
    -------
    ndarray
        Three samples along each axis. It sums to 0 and is positive where samples grow along
        `axis`: on a ramp of slope s it gives 2 · 3^(ndim − 1) · s, which is 6 s on images.

    Raises
    ------
    ValueError, TypeError
        For numbers that are not allowed; the message names the argument and its value.

    Notes
    -----
    Prewitt, "Object enhancement and extraction", *Picture Processing and Psychopictorics*, 1970.

    Examples
    --------
    >>> from pyconv import kernels
    >>> kernels.prewitt(axis=0)
    array([[-1, -1, -1],
           [ 0,  0,  0],
           [ 1,  1,  1]])
    """
    return _difference("prewitt", axis, ndim, dtype)


def scharr(axis: int = -1, ndim: int = 2, *, dtype: npt.DTypeLike = np.int64) -> Array:
    r"""Return Scharr's derivative along one axis, whose directions are truer than Sobel's.

    .. math:: w = (-1, 0, 1) \text{ along } axis, \quad (3, 10, 3) \text{ along the others}

    Parameters
    ----------
    axis : int, optional
        The axis along which samples are compared.
    ndim : int, optional
        Dimensions of the kernel, 1 to 3.
    dtype : dtype, optional
        Integers by default, so that whole images stay exact.

    Returns
    -------
    ndarray
        Three samples along each axis. It sums to 0 and is positive where samples grow along
        `axis`: on a ramp of slope s it gives 2 · 16^(ndim − 1) · s, which is 32 s on images.

    Raises
    ------
    ValueError, TypeError
        For numbers that are not allowed; the message names the argument and its value.

    Notes
    -----
    Scharr, *Optimale Operatoren in der Digitalen Bildverarbeitung*, Heidelberg 2000, rounded to
    whole numbers.

    Examples
    --------
    >>> from pyconv import kernels
    >>> kernels.scharr()
    array([[ -3,   0,   3],
           [-10,   0,  10],
           [ -3,   0,   3]])
    """
    return _difference("scharr", axis, ndim, dtype)


def _difference(name: str, axis: int, ndim: int, dtype: npt.DTypeLike) -> Array:
    n = _ndim(ndim)
    where = integer(axis, "axis")
    if not -n <= where < n:
        raise ValueError(f"axis={axis!r}: a kernel of {n} dimensions has axes {-n} to {n - 1}")
    return typed(outer(difference_rows(name, where % n, n)), dtype)


def difference_rows(name: str, axis: int, ndim: int) -> list[Array]:
    """Return the factors of a central difference along one axis, smoothed along the others."""
    return [np.array((-1, 0, 1) if a == axis else SMOOTHERS[name]) for a in range(ndim)]


def roberts(diagonal: int = 0, *, dtype: npt.DTypeLike = np.int64) -> Array:
    """Return Roberts's difference along one diagonal of four samples.

    Parameters
    ----------
    diagonal : int, optional
        0: down and to the right, ``[[-1, 0], [0, 1]]``. 1: down and to the left,
        ``[[0, -1], [1, 0]]``.
    dtype : dtype, optional
        Integers by default, so that whole images stay exact.

    Returns
    -------
    ndarray
        Two by two. It sums to 0 and is positive where samples grow downwards along the
        diagonal. Under ``mode="same"`` the weights lie at the offsets −1 and 0.

    Raises
    ------
    ValueError, TypeError
        For numbers that are not allowed; the message names the argument and its value.

    Notes
    -----
    Roberts, *Machine Perception of Three-Dimensional Solids*, MIT 1963.

    Examples
    --------
    >>> from pyconv import kernels
    >>> kernels.roberts()
    array([[-1,  0],
           [ 0,  1]])
    """
    number = integer(diagonal, "diagonal")
    if number not in (0, 1):
        raise ValueError(f"diagonal={diagonal!r}: 0 and 1 are allowed")
    w = np.array([[-1, 0], [0, 1]])
    return typed(w[:, ::-1] if number else w, dtype)


# ---- second derivatives -----------------------------------------------------------------------


def laplace(ndim: int = 2, *, diagonals: bool = False, dtype: npt.DTypeLike = np.int64) -> Array:
    r"""Return the discrete Laplacian, the sum of the second differences.

    .. math:: (\nabla^2 x)[i] \approx \sum_{j \text{ next to } i} (x[j] - x[i])

    Parameters
    ----------
    ndim : int, optional
        Dimensions of the kernel, 1 to 3.
    diagonals : bool, optional
        Whether all 3^ndim − 1 samples around the centre count (8 on images), or the
        2 · ndim that share an edge or face with it (4 on images).
    dtype : dtype, optional
        Integers by default, so that whole images stay exact.

    Returns
    -------
    ndarray
        Three samples along each axis, negative at the centre; sums to 0. On quadratics it gives
        the Laplacian exactly, with `diagonals` 3^(ndim − 1) times that.

    Raises
    ------
    ValueError, TypeError
        For numbers that are not allowed; the message names the argument and its value.

    Notes
    -----
    Gonzalez and Woods, *Digital Image Processing*, 4th edition, section 3.6.

    Examples
    --------
    >>> from pyconv import kernels
    >>> kernels.laplace()
    array([[ 0,  1,  0],
           [ 1, -4,  1],
           [ 0,  1,  0]])
    >>> kernels.laplace(diagonals=True)
    array([[ 1,  1,  1],
           [ 1, -8,  1],
           [ 1,  1,  1]])
    """
    n = _ndim(ndim)
    if flag(diagonals, "diagonals"):
        return typed(1 - 3**n * _impulse(n), dtype)
    return typed(np.sum([outer(rows) for rows in laplace_terms(n)], axis=0), dtype)


def laplace_terms(ndim: int, *, diagonals: bool = False, sign: int = 1) -> list[list[Array]]:
    """Return the factors of the products whose sum is `laplace`, or its negative.

    Each has a second difference, which is exactly 0 where samples are equal: with B = 1 1 1 and
    D = 1 −2 1, B ⊗ B − 9 δ ⊗ δ = D ⊗ B + 3 δ ⊗ D.
    """
    second, sample, three = (np.array(row) for row in ((1, -2, 1), (0, 1, 0), (1, 1, 1)))
    terms, diagonals = [], flag(diagonals, "diagonals")
    for axis in range(ndim):
        scale = sign * 3**axis if diagonals else sign
        behind = three if diagonals else sample
        rows = [sample] * axis + [scale * second] + [behind] * (ndim - axis - 1)
        terms.append(rows)
    return terms


def sharpen_terms(ndim: int, *, diagonals: bool = False) -> list[list[Array]]:
    """Return the factors of the products whose sum is `sharpen`."""
    sample = [np.array((0, 1, 0))] * ndim
    return [sample, *laplace_terms(ndim, diagonals=diagonals, sign=-1)]


def log(
    sigma: Number,
    *,
    ndim: int | None = None,
    truncate: float = 4.0,
    radius: int | Sequence[int] | None = None,
    dtype: npt.DTypeLike = np.float64,
) -> Array:
    r"""Return the Laplacian of a Gaussian.

    .. math:: w(u) = \nabla^2 G(u) - c \, G(u),
              \qquad \nabla^2 G(u) = \sum_a \frac{u_a^2 - \sigma_a^2}{\sigma_a^4} G(u)

    with c, about 10⁻⁴/σ², such that the weights sum to 0 although the kernel is sampled and cut.

    Parameters
    ----------
    sigma : float or sequence of float
        Standard deviation in samples, for all axes or each.
    ndim : int, optional
        Dimensions of the kernel, 1 to 3; by default the entries of `sigma`, or 2.
    truncate : float, optional
        Where the kernel ends, in standard deviations.
    radius : int or sequence of int, optional
        Taps on either side of the centre, instead of `truncate`.
    dtype : dtype, optional
        A floating-point dtype.

    Returns
    -------
    ndarray
        Negative at the centre, so that the result is positive where samples curve upwards: in
        dark blobs of radius σ·√ndim. Multiply by −σ² to compare bright blobs of all scales.

    Raises
    ------
    ValueError, TypeError
        For numbers that are not allowed; the message names the argument and its value.

    Notes
    -----
    Marr and Hildreth, "Theory of edge detection", *Proc. R. Soc. London B* 207, 1980. SciPy's
    ``gaussian_laplace`` has c = 0, and answers flat areas with a little of their value.

    Examples
    --------
    >>> from pyconv import kernels
    >>> kernels.log(1.0, ndim=1, radius=2).round(2)
    array([ 0.17,  0.02, -0.37,  0.02,  0.17])
    """
    n = _dimensions(ndim, sigma)
    orders = 2 * np.eye(n, dtype=int)
    parts = [gaussian_rows(sigma, order.tolist(), n, truncate, radius) for order in orders]
    check_all(parts[0], f"sigma={sigma!r}")
    w = np.sum([outer(rows) for rows in parts], axis=0)
    w -= w.sum() * outer(gaussian_rows(sigma, 0, n, truncate, radius))
    return typed(w, dtype)


def log_terms(sigma: Number, ndim: int, truncate: float = 4.0) -> list[list[Array]]:
    """Return the factors of the products whose sum is `log`."""
    plain = gaussian_rows(sigma, 0, ndim, truncate)
    terms = []
    for axis in range(ndim):
        orders = [2 if a == axis else 0 for a in range(ndim)]
        rows = gaussian_rows(sigma, orders, ndim, truncate)
        # Of a product with rows that sum to 1, what it sums to is what this row sums to.
        rows[axis] = rows[axis] - rows[axis].sum() * plain[axis]
        terms.append(rows)
    return terms


def dog(
    sigma: Number,
    wider: Number | None = None,
    *,
    ndim: int | None = None,
    truncate: float = 4.0,
    dtype: npt.DTypeLike = np.float64,
) -> Array:
    r"""Return the difference of two Gaussians, the narrow one minus the wide one.

    .. math:: w = G_\sigma - G_{wider}

    Parameters
    ----------
    sigma : float or sequence of float
        Standard deviation of the narrow Gaussian in samples, for all axes or each.
    wider : float or sequence of float, optional
        Standard deviation of the wide one, more than `sigma`; by default 1.6 times as much.
    ndim : int, optional
        Dimensions of the kernel, 1 to 3; by default the entries of `sigma`, or 2.
    truncate : float, optional
        Where the kernel ends, in standard deviations of the wide Gaussian.
    dtype : dtype, optional
        A floating-point dtype.

    Returns
    -------
    ndarray
        Positive at the centre, so that bright blobs give positive results; sums to 0. It is
        nearly −(wider² − σ²)/2 times the Laplacian of a Gaussian.

    Raises
    ------
    ValueError, TypeError
        For numbers that are not allowed; the message names the argument and its value.

    Notes
    -----
    Marr and Hildreth, "Theory of edge detection", *Proc. R. Soc. London B* 207, 1980, appendix B.

    Examples
    --------
    >>> from pyconv import kernels
    >>> kernels.dog(0.5, 1.0, ndim=1, truncate=2).round(2)
    array([-0.05, -0.14,  0.38, -0.14, -0.05])
    """
    n = _dimensions(ndim, sigma)
    inside, outside = _two_gaussians(sigma, wider, n, truncate)
    check_all(outside, f"sigma={sigma!r}" if wider is None else f"wider={wider!r}")
    return typed(outer(inside) - outer(outside), dtype)


def dog_terms(
    sigma: Number, wider: Number | None, ndim: int, truncate: float = 4.0
) -> list[list[Array]]:
    """Return the factors of the products whose sum is `dog`."""
    inside, outside = _two_gaussians(sigma, wider, ndim, truncate)
    return [inside, [-outside[0], *outside[1:]]]


def _two_gaussians(
    sigma: Number, wider: Number | None, ndim: int, truncate: float
) -> tuple[list[Array], list[Array]]:
    """Return the factors of a narrow Gaussian and of a wide one, of as many taps."""
    narrow = _positive(sigma, ndim, "sigma")
    wide = [DOG_RATIO * s for s in narrow] if wider is None else _positive(wider, ndim, "wider")
    if not all(a < b for a, b in zip(narrow, wide, strict=True)):
        raise ValueError(f"wider={wider!r}: more than sigma={sigma!r} is allowed")
    given = f"sigma={sigma!r}" if wider is None else f"wider={wider!r}"
    outside = gaussian_rows(tuple(wide), 0, ndim, truncate, given=given)
    radii = [len(row) // 2 for row in outside]
    return gaussian_rows(narrow, 0, ndim, truncate, radii), outside


def edge(ndim: int = 2, *, dtype: npt.DTypeLike = np.int64) -> Array:
    r"""Return the kernel that compares a sample with all its neighbours: −1 around 8 on images.

    .. math:: w = 3^{ndim} \delta - 1

    Parameters
    ----------
    ndim : int, optional
        Dimensions of the kernel, 1 to 3.
    dtype : dtype, optional
        Integers by default, so that whole images stay exact.

    Returns
    -------
    ndarray
        Three samples along each axis; sums to 0. Positive where a sample is brighter than its
        neighbours: it is ``-laplace(ndim, diagonals=True)``.

    Raises
    ------
    ValueError, TypeError
        For numbers that are not allowed; the message names the argument and its value.

    Notes
    -----
    Gonzalez and Woods, *Digital Image Processing*, 4th edition, section 10.2.

    Examples
    --------
    >>> from pyconv import kernels
    >>> kernels.edge()
    array([[-1, -1, -1],
           [-1,  8, -1],
           [-1, -1, -1]])
    """
    n = _ndim(ndim)
    return typed(3**n * _impulse(n) - 1, dtype)


# ---- sharpening -------------------------------------------------------------------------------


def sharpen(ndim: int = 2, *, diagonals: bool = False, dtype: npt.DTypeLike = np.int64) -> Array:
    r"""Return the kernel that takes the Laplacian off the samples.

    .. math:: w = \delta - \nabla^2

    Parameters
    ----------
    ndim : int, optional
        Dimensions of the kernel, 1 to 3.
    diagonals : bool, optional
        Whether the Laplacian counts all 3^ndim − 1 samples around the centre (8 on images), or
        the 2 · ndim that share an edge or face with it (4 on images).
    dtype : dtype, optional
        Integers by default, so that whole images stay exact.

    Returns
    -------
    ndarray
        Three samples along each axis; sums to 1.

    Raises
    ------
    ValueError, TypeError
        For numbers that are not allowed; the message names the argument and its value.

    Notes
    -----
    Gonzalez and Woods, *Digital Image Processing*, 4th edition, section 3.6.

    Examples
    --------
    >>> from pyconv import kernels
    >>> kernels.sharpen()
    array([[ 0, -1,  0],
           [-1,  5, -1],
           [ 0, -1,  0]])
    """
    n = _ndim(ndim)
    return typed(_impulse(n) - laplace(n, diagonals=diagonals), dtype)


def unsharp(
    sigma: Number,
    amount: float = 1.0,
    *,
    ndim: int | None = None,
    truncate: float = 4.0,
    dtype: npt.DTypeLike = np.float64,
) -> Array:
    r"""Return the kernel of unsharp masking: what a Gaussian takes away is added again.

    .. math:: w = \delta + a \, (\delta - G_\sigma)

    Parameters
    ----------
    sigma : float or sequence of float
        Standard deviation of the Gaussian in samples, for all axes or each.
    amount : float, optional
        How much is added, a.
    ndim : int, optional
        Dimensions of the kernel, 1 to 3; by default the entries of `sigma`, or 2.
    truncate : float, optional
        Where the Gaussian ends, in standard deviations.
    dtype : dtype, optional
        A floating-point dtype.

    Returns
    -------
    ndarray
        Sums to 1.

    Raises
    ------
    ValueError, TypeError
        For numbers that are not allowed; the message names the argument and its value.

    Notes
    -----
    Gonzalez and Woods, *Digital Image Processing*, 4th edition, section 3.6.

    Examples
    --------
    >>> from pyconv import kernels
    >>> kernels.unsharp(1.0, amount=2.0, ndim=1, truncate=2).round(2)
    array([-0.11, -0.49,  2.19, -0.49, -0.11])
    """
    n = _dimensions(ndim, sigma)
    a = number_of(amount, "amount")
    rows = gaussian_rows(sigma, 0, n, truncate)
    check_all(rows, f"sigma={sigma!r}")
    w = -a * outer(rows)
    w[tuple(k // 2 for k in w.shape)] += 1 + a
    return typed(w, dtype)


def unsharp_terms(
    sigma: Number, amount: float, ndim: int, truncate: float = 4.0
) -> list[list[Array]]:
    """Return the factors of the products whose sum is `unsharp`."""
    a = number_of(amount, "amount")
    rows = gaussian_rows(sigma, 0, ndim, truncate)
    sample = [(np.arange(len(row)) == len(row) // 2).astype(np.float64) for row in rows]
    return [[(1 + a) * sample[0], *sample[1:]], [-a * rows[0], *rows[1:]]]


def emboss(*, dtype: npt.DTypeLike = np.int64) -> Array:
    """Return the kernel that shows an image as a relief, lit from the upper left.

    Parameters
    ----------
    dtype : dtype, optional
        Integers by default, so that whole images stay exact.

    Returns
    -------
    ndarray
        Three by three: the sample and three times its slope down and to the right. Sums to 1.

    Examples
    --------
    >>> from pyconv import kernels
    >>> kernels.emboss()
    array([[-2, -1,  0],
           [-1,  1,  1],
           [ 0,  1,  2]])
    """
    return typed(np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]), dtype)


# ---- waves ------------------------------------------------------------------------------------


def gabor(
    wavelength: float,
    orientation: float = 0.0,
    sigma: float | None = None,
    aspect: float = 1.0,
    phase: float = 0.0,
    *,
    zero_mean: bool = True,
    ndim: int = 2,
    truncate: float = 3.0,
    radius: int | Sequence[int] | None = None,
    dtype: npt.DTypeLike = np.float64,
) -> Array:
    r"""Return a Gabor kernel: a wave under a Gaussian.

    .. math:: w(x, y) = \frac{g(x, y)}{\sum g} \left(
              \cos \left( \frac{2 \pi x'}{\lambda} + \psi \right) - c \right),
              \qquad g = e^{-(x'^2 + \gamma^2 y'^2) / 2 \sigma^2}

    .. math:: x' = x \cos\theta + y \sin\theta, \qquad y' = -x \sin\theta + y \cos\theta

    with x along the last axis and y along the first. With the aspect ratio γ = 1 the Gaussian
    is isotropic, and y' plays no part.

    Parameters
    ----------
    wavelength : float
        Distance λ of the crests in samples, 2 or more.
    orientation : float, optional
        Direction θ in which the wave goes, in radians from the last axis towards the first;
        the stripes lie across it. 0 for kernels of one dimension.
    sigma : float, optional
        Standard deviation σ of the Gaussian along the wave; by default 0.56 λ, which passes one
        octave.
    aspect : float, optional
        γ: the Gaussian's standard deviation across the wave is σ / γ.
    phase : float, optional
        ψ in radians: 0 is even (a bright line), −π/2 odd (an edge, positive where samples
        grow along the wave).
    zero_mean : bool, optional
        Whether c takes off the mean, so that the weights sum to 0 and flat areas give 0; else
        c = 0.
    ndim : int, optional
        Dimensions of the kernel, 1 or 2.
    truncate : float, optional
        Where the kernel ends, in standard deviations.
    radius : int or sequence of int, optional
        Taps on either side of the centre along all axes or each, instead of `truncate`.
    dtype : dtype, optional
        A floating-point dtype.

    Returns
    -------
    ndarray
        The wave, weighted by a Gaussian that sums to 1: a wave of amplitude 1 like it is
        answered with about 1/2.

    Raises
    ------
    ValueError, TypeError
        For numbers that are not allowed; the message names the argument and its value.

    Notes
    -----
    Daugman, "Uncertainty relation for resolution in space, spatial frequency, and orientation",
    *J. Opt. Soc. Am. A* 2, 1985; the parameters are those of Petkov and Kruizinga, *Biological
    Cybernetics* 76, 1997.

    Examples
    --------
    >>> from pyconv import kernels
    >>> kernels.gabor(4, ndim=1, radius=3).round(2)
    array([ 0.01, -0.13,  0.01,  0.21,  0.01, -0.13,  0.01])
    >>> kernels.gabor(8, orientation=0.5, sigma=4, aspect=0.5).shape
    (45, 33)
    """
    n = _ndim(ndim, (1, 2))
    wave = wave_length(wavelength, "wavelength")
    theta, psi = number_of(orientation, "orientation"), number_of(phase, "phase")
    if n == 1 and theta != 0:
        raise ValueError(f"orientation={orientation!r}: 0 is allowed where ndim=1")
    width = _positive_number(OCTAVE * wave if sigma is None else sigma, "sigma")
    gamma = _positive_number(aspect, "aspect")
    cut = _positive_number(truncate, "truncate")
    if radius is None:
        cos, sin = math.cos(theta), math.sin(theta)
        ends = (math.hypot(width * sin, width / gamma * cos),
                math.hypot(width * cos, width / gamma * sin))  # fmt: skip
        given = f"a wavelength of {wave}" if sigma is None else f"sigma={sigma!r}"
        given += f" with an aspect of {gamma}" if gamma != 1 else ""
        given += f" with truncate={truncate!r}" if truncate != 3 else ""
        check_weights(2 * min(cut * max(ends[2 - n :]), MAX_WEIGHTS) + 1, n, given)
        radii = tuple(int(cut * end + 0.5) for end in ends[2 - n :])
    else:
        radii = _at_least(0, radius, n, "radius")
        check_weights(2 * max(radii) + 1, n, f"radius={radius!r}")
    return typed(_gabor(radii, wave, theta, width, gamma, psi, flag(zero_mean, "zero_mean")), dtype)


def wave_length(value: object, argument: str) -> float:
    """Return a wavelength that samples can show."""
    wave = number_of(value, argument)
    if not wave >= 2:
        raise ValueError(f"{argument}={value!r}: numbers of at least 2 samples are allowed")
    return wave


def _gabor(
    radii: Sequence[int],
    wavelength: float,
    theta: float,
    sigma: float,
    gamma: float,
    psi: float,
    zero_mean: bool,
) -> Array:
    *rest, x = _grid(radii)
    y = rest[0] if rest else np.zeros_like(x)
    along = x * math.cos(theta) + y * math.sin(theta)
    across = y * math.cos(theta) - x * math.sin(theta)
    with np.errstate(over="ignore"):  # far from the centre of a narrow one all is zero
        g = np.exp(-0.5 * ((along / sigma) ** 2 + (gamma * across / sigma) ** 2))
    g /= g.sum()
    w: Array = g * np.cos(2 * math.pi * along / wavelength + psi)
    return w - w.sum() * g if zero_mean else w


# ---- what they are made of --------------------------------------------------------------------


def outer(rows: Sequence[npt.ArrayLike]) -> Array:
    """Return the kernel whose factors along its axes are ``rows``."""
    first, *others = rows
    return functools.reduce(np.multiply.outer, map(np.asarray, others), np.array(first))


def summed(terms: Sequence[Sequence[npt.ArrayLike]]) -> Array:
    """Return the kernel that is the sum of products, each given by its factors."""
    total: Array = functools.reduce(np.add, map(outer, terms))
    return total


def _impulse(ndim: int) -> Array:
    return outer([(0, 1, 0)] * ndim)


def _grid(radii: Sequence[int]) -> list[Array]:
    """Return the offsets from the centre along each axis, open for broadcasting."""
    return list(np.ogrid[tuple(slice(-r, r + 1) for r in radii)])


def typed(w: Array, dtype: npt.DTypeLike) -> Array:
    """Return the weights in a dtype that holds them."""
    given = any_dtype(dtype, "dtype")
    kinds = "iuf" if w.dtype.kind in "iu" else "f"
    if given.kind not in kinds:
        allowed = "integer and floating-point" if "i" in kinds else "floating-point"
        raise TypeError(f"dtype={given}: {allowed} dtypes are allowed for these weights")
    result = w.astype(given, copy=False)
    if w.dtype.kind in "iu" and not np.array_equal(result, w):
        raise ValueError(f"dtype={given} cannot hold weights from {w.min()} to {w.max()}")
    return result


# ---- arguments --------------------------------------------------------------------------------


def check_weights(taps: float, ndim: int, argument: str) -> None:
    """Refuse kernels that nobody has meant."""
    if taps**ndim > MAX_WEIGHTS:
        raise ValueError(
            f"{argument} needs a kernel of about {min(taps, 2**62):.0f} weights along each of "
            f"{ndim} axes; at most {MAX_WEIGHTS} in all are allowed"
        )


def check_all(rows: Sequence[Array], argument: str) -> None:
    """Refuse a product of factors that has too many weights."""
    sizes = [len(row) for row in rows]
    if math.prod(sizes) > MAX_WEIGHTS:
        raise ValueError(
            f"{argument} needs a kernel of {' × '.join(map(str, sizes))} weights; "
            f"at most {MAX_WEIGHTS} in all are allowed"
        )


def _ndim(ndim: object, allowed: Sequence[int] = (1, 2, 3)) -> int:
    number = integer(ndim, "ndim")
    if number not in allowed:
        raise ValueError(f"ndim={ndim!r}: {', '.join(map(str, allowed))} are allowed")
    return number


def _dimensions(ndim: int | None, parameter: object, argument: str = "sigma") -> int:
    """Return how many axes a kernel has whose parameter may be one for each."""
    if ndim is not None:
        return _ndim(ndim)
    given = several(parameter)
    if given is not None and not given:
        raise ValueError(
            f"{argument}={parameter!r}: one number, or one each for 1 to 3 axes, is allowed"
        )
    return 2 if given is None else _ndim(len(given))


def number_of(value: object, argument: str) -> float:
    """Return a finite real number."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, bool | np.bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{argument}={value!r}: a number is allowed")
    try:
        if not isinstance(value, np.complexfloating) and math.isfinite(value):
            return float(value)
    except OverflowError:
        raise ValueError(
            f"{argument} is an integer beyond the range of float64; a finite number is allowed"
        ) from None
    raise ValueError(f"{argument}={value!r}: a finite number is allowed")


def _positive_number(value: object, argument: str) -> float:
    number = number_of(value, argument)
    if not number > 0:
        raise ValueError(f"{argument}={value!r}: a positive number is allowed")
    return number


def _positive(value: object, n: int, argument: str) -> tuple[float, ...]:
    """Return one positive number for each of ``n`` axes."""
    given = several(value)
    if given is not None and len(given) != n:
        raise ValueError(
            f"{argument}={value!r} has {len(given)} entries; allowed are one number or one for "
            f"each of {n} axes"
        )
    numbers = tuple(number_of(v, argument) for v in given or (value,) * n)
    if not min(numbers) > 0:
        raise ValueError(f"{argument}={value!r}: positive numbers are allowed")
    return numbers


def _at_least(least: int, value: object, n: int, argument: str) -> tuple[int, ...]:
    numbers = integers(value, n, argument)
    if min(numbers) < least:
        raise ValueError(f"{argument}={value!r}: integers of at least {least} are allowed")
    return numbers


# ---- the table --------------------------------------------------------------------------------


class KernelSpec(NamedTuple):
    """One row of KERNELS."""

    make: Callable[..., Array]
    #: Dimensions in which it exists; with more than one it takes ``ndim``.
    ndims: tuple[int, ...]
    #: Arguments that say how large it is, and in which direction it lies.
    parameters: tuple[str, ...]
    #: What the weights sum to.
    total: int
    #: One line.
    summary: str
    #: The argument that names one derivative of a gradient.
    direction: str | None = None

    def directions(self, ndim: int) -> list[dict[str, int]]:
        """Return the arguments that name each derivative of the gradient."""
        count = ndim if self.direction == "axis" else 2
        return [{self.direction: i} for i in range(count)] if self.direction else [{}]


ALL_NDIMS = (1, 2, 3)

#: Kernels by name: what the command line, the filters, the tests and the pages iterate over.
KERNELS: dict[str, KernelSpec] = {
    "ball": KernelSpec(ball, (3,), ("radius",), 1, "mean of a ball"),
    "box": KernelSpec(box, ALL_NDIMS, ("size",), 1, "mean of some samples along each axis"),
    "disk": KernelSpec(disk, (2,), ("radius",), 1, "mean of a disk: a lens out of focus"),
    "dog": KernelSpec(
        dog, ALL_NDIMS, ("sigma",), 0, "difference of two Gaussians, bright blobs positive"
    ),
    "edge": KernelSpec(edge, ALL_NDIMS, (), 0, "every sample against all its neighbours"),
    "emboss": KernelSpec(emboss, (2,), (), 1, "relief lit from the upper left"),
    "gabor": KernelSpec(
        gabor, (1, 2), ("wavelength", "orientation"), 0, "wave under a Gaussian: stripes"
    ),
    "gaussian": KernelSpec(gaussian, ALL_NDIMS, ("sigma",), 1, "Gaussian, cut off at 4 sigma"),
    "laplace": KernelSpec(laplace, ALL_NDIMS, (), 0, "sum of the second differences"),
    "log": KernelSpec(
        log, ALL_NDIMS, ("sigma",), 0, "Laplacian of a Gaussian, dark blobs positive"
    ),
    "motion": KernelSpec(motion, (2,), ("length", "orientation"), 1, "straight and steady motion"),
    "prewitt": KernelSpec(prewitt, ALL_NDIMS, (), 0, "differences, smoothed by 1 1 1", "axis"),
    "roberts": KernelSpec(roberts, (2,), (), 0, "differences along the diagonals", "diagonal"),
    "scharr": KernelSpec(scharr, ALL_NDIMS, (), 0, "differences, smoothed by 3 10 3", "axis"),
    "sharpen": KernelSpec(sharpen, ALL_NDIMS, (), 1, "the samples minus their Laplacian"),
    "sobel": KernelSpec(sobel, ALL_NDIMS, (), 0, "differences, smoothed by 1 2 1", "axis"),
    "unsharp": KernelSpec(
        unsharp, ALL_NDIMS, ("sigma",), 1, "what a Gaussian takes away, added again"
    ),
}
