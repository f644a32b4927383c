"""First weights: drawn so that sums through rectified layers keep their variance (He et al. 2015).

A result of a layer is a sum of ``fan_in`` products; rectified inputs have half the second moment of
their variance. So weights of variance 2 / fan_in keep the size of what flows through.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.problem import integer
from pyconv.nn._functions import arguments
from pyconv.nn._layers.parameter import checked_dtype

__all__ = ["he_normal", "he_uniform"]

Array = npt.NDArray[Any]
Seed = np.random.Generator | int | None


def generator(rng: Seed) -> np.random.Generator:
    """Return the generator that draws, or raise an error naming ``rng``."""
    kinds = int | np.integer | np.random.Generator | np.random.SeedSequence | None
    if isinstance(rng, bool | np.bool) or not isinstance(rng, kinds):
        raise TypeError(f"rng={rng!r}: a Generator, an integer of at least 0 or None is allowed")
    try:
        return np.random.default_rng(rng)
    except ValueError:
        raise ValueError(f"rng={rng!r}: an integer of at least 0 is allowed") from None


def he_normal(
    shape: tuple[int, ...],
    *,
    fan_in: int | None = None,
    rng: Seed = None,
    dtype: npt.DTypeLike = np.float32,
) -> Array:
    r"""Draw weights from a normal distribution, :math:`N(0, 2 / \mathrm{fan\_in})`.

    Parameters
    ----------
    shape : tuple of int
        Shape of the weights, (K, C / groups, kernel…) or (K, C).
    fan_in : int, optional
        Products that a result sums; by default those of such weights, C / groups times the size
        of the kernel.
    rng : Generator or int, optional
        What draws, or its seed; by default it starts differently every time.
    dtype : dtype, optional
        float32 or float64.

    Returns
    -------
    ndarray
        The weights.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun: Delving deep into rectifiers. ICCV 2015.

    Examples
    --------
    >>> from pyconv import nn
    >>> w = nn.init.he_normal((64, 32, 3, 3), rng=0)
    >>> round(float(w.var() * 32 * 9), 1)
    2.0
    """
    shape, products = _shape_and_products(shape, fan_in)
    scale = math.sqrt(2 / products)
    draws = generator(rng).standard_normal(shape)
    return (scale * draws).astype(checked_dtype(dtype))


def he_uniform(
    shape: tuple[int, ...],
    *,
    fan_in: int | None = None,
    rng: Seed = None,
    dtype: npt.DTypeLike = np.float32,
) -> Array:
    r"""Draw weights uniformly from :math:`\pm\sqrt{6 / \mathrm{fan\_in}}`, of the same variance.

    Parameters
    ----------
    shape, fan_in, rng, dtype
        As for `he_normal`.

    Returns
    -------
    ndarray
        The weights.

    Examples
    --------
    >>> from pyconv import nn
    >>> w = nn.init.he_uniform((64, 32, 3, 3), rng=0)
    >>> bool(abs(w).max() <= (6 / (32 * 9)) ** 0.5)
    True
    """
    shape, products = _shape_and_products(shape, fan_in)
    limit = math.sqrt(6 / products)
    draws = generator(rng).uniform(-limit, limit, shape)
    return draws.astype(checked_dtype(dtype))


def _shape_and_products(shape: object, fan_in: int | None) -> tuple[tuple[int, ...], int]:
    """Return the shape of weights, and how many products a result sums."""
    lengths = arguments.shape(shape, "shape")
    products = math.prod(lengths[1:]) if fan_in is None else integer(fan_in, "fan_in")
    if len(lengths) < 2 or products < 1:
        raise ValueError(
            f"shape={shape}, fan_in={fan_in}: weights (K, C, …) of at least one product are allowed"
        )
    return lengths, products
