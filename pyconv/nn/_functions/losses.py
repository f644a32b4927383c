"""What training makes small, and its gradient: cross entropy and the mean squared error.

Cross entropy is −Σ_c q_c · log softmax(x)_c with the weights q of a target; the other (x − t)².
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.output_arrays import plain_array
from pyconv._engine.problem import integer
from pyconv.nn._functions import arguments, blocks
from pyconv.nn._functions.activations import log_shares

Array = npt.NDArray[Any]

REDUCTIONS = ("mean", "sum", "none")


def cross_entropy(
    input: npt.ArrayLike,
    target: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    r"""Measure how unlikely the targets are under the softmax of the input.

    .. math:: \ell = -w_t \log \frac{e^{x_t}}{\sum_c e^{x_c}}

    for a target class `t`, and :math:`-\sum_c w_c \, t_c \log \mathrm{softmax}(x)_c` for target
    probabilities.

    Parameters
    ----------
    input : array_like
        Shape (N, C, …) or (C,); float16, which is computed in float32, float32 or float64.
    target : array_like
        Classes, integers from 0 to C − 1, of shape (N, …) or (); or probabilities,
        floating-point, of the shape of `input`.
    weight : array_like, optional
        Weight of each class, of shape (C,).
    ignore_index : int, optional
        A class that counts as no target: its loss and gradient are 0.
    reduction : {'mean', 'sum', 'none'}, optional
        Whether to add the losses up, and divide by the sum of the weights of their classes (for
        probabilities, by their number).
    label_smoothing : float, optional
        Share ε, from 0 to 1, of each target that is spread over all classes.

    Returns
    -------
    float or ndarray
        The loss; with ``reduction='none'`` one for each target, in the shape of the classes. The
        mean of no targets is NaN.

    Raises
    ------
    TypeError
        For arrays and numbers of types that are not allowed.
    ValueError
        For shapes that do not belong together, classes that do not exist, and unknown reductions.

    See Also
    --------
    pyconv.nn.grad.cross_entropy_input : the gradient.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv.nn.functional as F
    >>> shares = np.array([[0.25, 0.75], [0.5, 0.5]])
    >>> loss = F.cross_entropy(np.log(shares), [1, 0])
    >>> bool(np.isclose(loss, -(np.log(0.75) + np.log(0.5)) / 2))
    True
    """
    x, axis, wanted = _checked(input, target, weight, ignore_index, reduction, label_smoothing)
    with np.errstate(all="ignore"):
        losses = wanted.losses(log_shares(blocks.converted(x, x.dtype, copy=True), axis))
    return _reduced(losses, wanted, reduction, np.asarray(input).dtype)


def cross_entropy_and_gradient(
    x: Array,
    target: Array,
    weight: npt.ArrayLike | None,
    *,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
) -> tuple[Any, Callable[[], Array]]:
    """Return `cross_entropy`, as mean or sum, and what returns its gradient of the same shares."""
    sums, axis, wanted = _checked(x, target, weight, ignore_index, reduction, label_smoothing)
    with np.errstate(all="ignore"):
        logarithms = log_shares(blocks.converted(sums, sums.dtype, copy=True), axis)
        loss = _reduced(wanted.losses(logarithms), wanted, reduction, x.dtype)
    return loss, partial(_gradient, logarithms, axis, wanted, reduction, x.dtype)


def _reduced(
    losses: Array, wanted: _Classes | _Probabilities, reduction: str, dtype: np.dtype
) -> Any:
    with np.errstate(all="ignore"):
        if reduction != "none":
            losses = blocks.total(losses)
        if reduction == "mean":
            losses = losses / wanted.total
    return arguments.narrowed(np.asarray(losses), dtype)[()]


def _gradient(
    logarithms: Array,
    axis: int,
    wanted: _Classes | _Probabilities,
    reduction: str,
    dtype: np.dtype,
    dy: Any = 1,
) -> Array:
    """Return the gradient for x, of the logarithms of its shares."""
    with np.errstate(all="ignore"):
        scale = np.asarray(dy, logarithms.dtype)
        if reduction == "mean":
            scale = scale / wanted.total
        shape = logarithms.shape[:axis] + logarithms.shape[axis + 1 :]
        scale = np.expand_dims(np.broadcast_to(scale, shape), axis)
        shares = np.empty_like(logarithms)
        for part in blocks.parts(shares.shape):
            np.exp(logarithms[part], out=shares[part])
        return arguments.narrowed(wanted.gradient(shares, scale), dtype)


def cross_entropy_input(
    input: npt.ArrayLike,
    target: npt.ArrayLike,
    grad_output: npt.ArrayLike = 1.0,
    weight: npt.ArrayLike | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    r"""Return the gradient of `cross_entropy` with respect to its input.

    .. math:: dx_c = dy \, \Big( \mathrm{softmax}(x)_c \sum_k q_k - q_c \Big)

    with the weights `q` of the target, :math:`q_c = w_c` for its class and 0 elsewhere.

    Parameters
    ----------
    input, target : array_like
        As in the call of `cross_entropy`.
    grad_output : array_like, optional
        Gradient with respect to the loss, in its shape.
    weight, ignore_index, reduction, label_smoothing
        As in the call of `cross_entropy`.

    Returns
    -------
    ndarray
        The gradient, in the shape and dtype of `input`.

    Raises
    ------
    TypeError, ValueError
        As by `cross_entropy`.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv.nn import grad
    >>> grad.cross_entropy_input(np.log([[0.25, 0.75]]), [1])
    array([[ 0.25, -0.25]])
    """
    x, axis, wanted = _checked(input, target, weight, ignore_index, reduction, label_smoothing)
    dy = arguments.array(grad_output, "grad_output").astype(x.dtype)
    expected = x.shape[:axis] + x.shape[axis + 1 :]
    arguments.check_shape(
        dy, expected if reduction == "none" else (), "grad_output", f"with reduction={reduction!r}"
    )
    return _gradient(
        log_shares(blocks.converted(x, x.dtype, copy=True), axis),
        axis,
        wanted,
        reduction,
        np.asarray(input).dtype,
        dy,
    )


def mse_loss(input: npt.ArrayLike, target: npt.ArrayLike, *, reduction: str = "mean") -> Any:
    r"""Measure the squared distance of the input from the target.

    .. math:: \ell = (x - t)^2

    Parameters
    ----------
    input : array_like
        Any shape; float16, which is computed in float32, float32 or float64.
    target : array_like
        What the input should be, in its shape.
    reduction : {'mean', 'sum', 'none'}, optional
        Whether to add the squares up, and divide by their number.

    Returns
    -------
    float or ndarray
        The loss, in the dtype of `input`; with ``reduction='none'`` one for each sample. The mean
        of no samples is NaN.

    Raises
    ------
    TypeError
        For arrays of types that are not allowed.
    ValueError
        For shapes that differ, and unknown reductions.

    See Also
    --------
    pyconv.nn.grad.mse_loss_input : the gradient.

    Examples
    --------
    >>> import pyconv.nn.functional as F
    >>> float(F.mse_loss([1.0, 4.0], [1.0, 2.0]))
    2.0
    """
    difference, dtype = _difference(input, target, reduction)
    with np.errstate(all="ignore"):
        losses = blocks.combined(np.multiply, difference, difference)
        if reduction != "none":
            losses = blocks.total(losses)
        if reduction == "mean":
            losses = losses / losses.dtype.type(difference.size)
    return arguments.narrowed(np.asarray(losses), dtype)[()]


def mse_loss_input(
    input: npt.ArrayLike,
    target: npt.ArrayLike,
    grad_output: npt.ArrayLike = 1.0,
    *,
    reduction: str = "mean",
) -> Array:
    r"""Return the gradient of `mse_loss` with respect to its input.

    .. math:: dx = 2 \, (x - t) \, dy

    Parameters
    ----------
    input, target : array_like
        As in the call of `mse_loss`.
    grad_output : array_like, optional
        Gradient with respect to the loss, in its shape.
    reduction : {'mean', 'sum', 'none'}, optional
        As in the call of `mse_loss`; the mean divides by the number of samples.

    Returns
    -------
    ndarray
        The gradient, in the shape and dtype of `input`.

    Raises
    ------
    TypeError, ValueError
        As by `mse_loss`.

    Examples
    --------
    >>> from pyconv.nn import grad
    >>> grad.mse_loss_input([1.0, 4.0], [1.0, 2.0])
    array([0., 2.])
    """
    dx, dtype = _difference(input, target, reduction)
    dy = arguments.array(grad_output, "grad_output").astype(dx.dtype)
    arguments.check_shape(
        dy, dx.shape if reduction == "none" else (), "grad_output", f"with reduction={reduction!r}"
    )
    with np.errstate(all="ignore"):
        scale = 2 * dy / dx.size if reduction == "mean" else 2 * dy
        dx = blocks.combined(np.multiply, dx, np.asarray(scale, dx.dtype))
    return arguments.narrowed(dx, dtype)


def _difference(
    input: npt.ArrayLike, target: npt.ArrayLike, reduction: str
) -> tuple[Array, np.dtype]:
    """Validate a call; return x − t, and the dtype of x."""
    x = arguments.array(input, "input")
    t = arguments.array(target, "target")
    arguments.check_shape(t, x.shape, "target", f"with an input of shape {x.shape}")
    _check_reduction(reduction)
    sums = arguments.computed_in(x.dtype)
    with np.errstate(all="ignore"):
        difference = blocks.combined(
            np.subtract, blocks.converted(x, sums), blocks.converted(t, sums)
        )
    return difference, x.dtype


class _Classes:
    """Target classes: q is (1 − ε)·w of the class, and ε/C·w of every class."""

    def __init__(
        self, classes: Array, x: Array, w: Array, axis: int, ignore_index: int, smoothing: float
    ) -> None:
        expected = x.shape[:axis] + x.shape[axis + 1 :]
        arguments.check_shape(classes, expected, "target", f"with an input of shape {x.shape}")
        self.axis, count = axis, x.shape[axis]
        self.ignored = np.equal(classes, integer(ignore_index, "ignore_index"))
        outside = ~self.ignored & ((classes < 0) | (classes >= count))
        if outside.any():
            raise ValueError(
                f"target holds {classes[outside].flat[0]}; classes from 0 to {count - 1} are "
                f"allowed for an input of shape {x.shape}, and ignore_index={ignore_index}"
            )
        self.at = np.expand_dims(np.where(self.ignored, 0, classes).astype(np.intp), axis)
        weights = np.where(self.ignored, 0, w.ravel()[self.at.squeeze(axis)]).astype(x.dtype)
        self.total = weights.sum()
        self.own = np.expand_dims(weights * x.dtype.type(1 - smoothing), axis)
        #: The weight that each class has in every target; None without smoothing.
        self.spread = w * x.dtype.type(smoothing / count) if smoothing else None

    def losses(self, logarithms: Array) -> Array:
        """Return −Σ q_c log p_c of each target."""
        losses = -self.own * np.take_along_axis(logarithms, self.at, self.axis)
        if self.spread is not None:
            weighted = blocks.combined(np.multiply, self.spread, logarithms)
            losses -= weighted.sum(axis=self.axis, keepdims=True)
        return np.where(self.ignored, losses.dtype.type(0), losses.squeeze(self.axis))

    def gradient(self, p: Array, scale: Array) -> Array:
        """Return (p_c Σ q − q_c)·scale; ``p`` is overwritten."""
        seen = self.own if self.spread is None else self.own + self.spread.sum()
        seen = np.broadcast_to(seen * scale, p.shape)
        for part in blocks.parts(p.shape):
            p[part] *= seen[part]
        if self.spread is not None:
            p -= self.spread * scale
        at_class = np.take_along_axis(p, self.at, self.axis) - self.own * scale
        np.put_along_axis(p, self.at, at_class, self.axis)
        if self.ignored.any():
            p[np.broadcast_to(np.expand_dims(self.ignored, self.axis), p.shape)] = 0
        return p


class _Probabilities:
    """Target probabilities t, smoothed: q = w·((1 − ε)·t + ε/C)."""

    def __init__(self, shares: Array, x: Array, w: Array, axis: int, smoothing: float) -> None:
        arguments.check_shape(
            shares, x.shape, "target", "as probabilities, which floating-point targets are,"
        )
        self.axis = axis
        self.total = x.dtype.type(x.size // x.shape[axis])
        q = blocks.converted(shares, x.dtype)
        if smoothing:
            q = q * x.dtype.type(1 - smoothing) + x.dtype.type(smoothing / x.shape[axis])
        self.q = blocks.combined(np.multiply, q, w)

    def losses(self, logarithms: Array) -> Array:
        """Return −Σ q_c log p_c of each target."""
        return -blocks.combined(np.multiply, self.q, logarithms).sum(axis=self.axis)

    def gradient(self, p: Array, scale: Array) -> Array:
        """Return (p_c Σ q − q_c)·scale."""
        whole = np.broadcast_to(self.q.sum(axis=self.axis, keepdims=True), p.shape)
        scale = np.broadcast_to(scale, p.shape)
        for part in blocks.parts(p.shape):
            p[part] = (p[part] * whole[part] - self.q[part]) * scale[part]
        return p


def _check_reduction(reduction: str) -> None:
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction={reduction!r} is unknown; allowed are {', '.join(REDUCTIONS)}")


def _checked(
    input: npt.ArrayLike,
    target: npt.ArrayLike,
    weight: npt.ArrayLike | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
) -> tuple[Array, int, _Classes | _Probabilities]:
    """Validate a call; return x, the axis of its classes, and what is asked of them."""
    given = arguments.array(input, "input")
    axis = min(1, given.ndim - 1)
    if given.ndim < 1 or 0 in given.shape[axis:]:
        raise ValueError(
            f"input has shape {given.shape}; allowed are (N, C, …) and (C,), and only N may be 0"
        )
    _check_reduction(reduction)
    if isinstance(label_smoothing, bool) or not isinstance(label_smoothing, int | float):
        raise TypeError(f"label_smoothing={label_smoothing!r}: a number from 0 to 1 is allowed")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing={label_smoothing!r}: a number from 0 to 1 is allowed")
    x = given.astype(arguments.computed_in(given.dtype), copy=False)
    w = np.ones(x.shape[axis], x.dtype)
    if weight is not None:
        w = arguments.array(weight, "weight").astype(x.dtype)
        arguments.check_shape(w, x.shape[axis : axis + 1], "weight", f"with input {x.shape}")
    w = w.reshape(-1, *(1,) * (x.ndim - axis - 1))
    wanted = plain_array(target, "target")
    if wanted.dtype.kind in "iu":
        return x, axis, _Classes(wanted, x, w, axis, ignore_index, label_smoothing)
    shares = arguments.array(wanted, "target")
    return x, axis, _Probabilities(shares, x, w, axis, label_smoothing)
