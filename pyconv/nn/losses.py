"""Losses: −Σ_c q_c · log softmax(x)_c, with the weights q that a target asks for, and gradients.

Class numbers and class probabilities are one loss: a class t is the weights q_c = w_c [c = t].
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv.nn import arguments
from pyconv.nn.activations import log_shares
from pyconv.problem import integer

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
    loss = _checked(input, target, weight, ignore_index, reduction, label_smoothing)
    axis = loss.axis
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = -loss.q * log_shares(loss.x.copy(), axis)
        if loss.ignored is not None:
            parts[loss.q == 0] = 0  # a class that is not the target, however unlikely it is
        losses = parts.sum(axis=axis)
        if reduction == "mean":
            losses = losses.sum() / loss.total
        elif reduction == "sum":
            losses = losses.sum()
    return arguments.narrowed(np.asarray(losses), loss.dtype)[()]


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
    loss = _checked(input, target, weight, ignore_index, reduction, label_smoothing)
    axis = loss.axis
    dy = arguments.array(grad_output, "grad_output").astype(loss.x.dtype)
    one_each = loss.x.shape[:axis] + loss.x.shape[axis + 1 :]
    expected = one_each if reduction == "none" else ()
    arguments.check_shape(dy, expected, "grad_output", f"with reduction={reduction!r}")
    with np.errstate(invalid="ignore", divide="ignore"):
        if reduction == "mean":
            dy = dy / loss.total
        scale = np.expand_dims(np.broadcast_to(dy, one_each), axis)
        seen = loss.q.sum(axis=axis, keepdims=True)
        dx = (np.exp(log_shares(loss.x.copy(), axis)) * seen - loss.q) * scale
    if loss.ignored is not None:
        dx[np.broadcast_to(np.expand_dims(loss.ignored, axis), dx.shape)] = 0
    return arguments.narrowed(dx, loss.dtype)


class _Loss(NamedTuple):
    """The validated form of a call: x, and the weight q of each class of each target."""

    x: Array
    q: Array
    #: The axis of the classes.
    axis: int
    #: What the mean divides by.
    total: Any
    #: Which targets do not count; None for probabilities.
    ignored: Array | None
    dtype: np.dtype


def _checked(
    input: npt.ArrayLike,
    target: npt.ArrayLike,
    weight: npt.ArrayLike | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
) -> _Loss:
    """Validate a call."""
    given = arguments.array(input, "input")
    if given.ndim < 1 or 0 in given.shape[min(1, given.ndim - 1) :]:
        raise ValueError(
            f"input has shape {given.shape}; allowed are (N, C, …) and (C,), and only N may be 0"
        )
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction={reduction!r} is unknown; allowed are {', '.join(REDUCTIONS)}")
    if isinstance(label_smoothing, bool) or not isinstance(label_smoothing, int | float):
        raise TypeError(f"label_smoothing={label_smoothing!r}: a number from 0 to 1 is allowed")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing={label_smoothing!r}: a number from 0 to 1 is allowed")
    x = given.astype(arguments.computed_in(given.dtype), copy=False)
    axis = min(1, x.ndim - 1)
    w = _class_weights(weight, x, axis)
    wanted = np.asarray(target)
    if wanted.dtype.kind in "iu":
        q, total, ignored = _of_classes(wanted, x, w, axis, ignore_index, label_smoothing)
    else:
        q = _of_probabilities(wanted, x, axis, label_smoothing) * w
        total, ignored = x.size // x.shape[axis], None
    return _Loss(x, q, axis, x.dtype.type(total), ignored, given.dtype)


def _class_weights(weight: npt.ArrayLike | None, x: Array, axis: int) -> Array:
    """Return the weight of each class, in a shape that broadcasts to ``x``."""
    classes = x.shape[axis]
    if weight is None:
        w = np.ones(classes, x.dtype)
    else:
        w = arguments.array(weight, "weight").astype(x.dtype)
        arguments.check_shape(w, (classes,), "weight", f"with an input of shape {x.shape}")
    return w.reshape(classes, *(1,) * (x.ndim - axis - 1))


def _of_classes(
    wanted: Array, x: Array, w: Array, axis: int, ignore_index: int, smoothing: float
) -> tuple[Array, Any, Array | None]:
    """Return the weights q of target classes, their sum over the targets, and what is ignored."""
    expected = x.shape[:axis] + x.shape[axis + 1 :]
    arguments.check_shape(wanted, expected, "target", f"with an input of shape {x.shape}")
    wanted = arguments.whole_numbers(wanted, "target")
    classes = x.shape[axis]
    ignored = np.equal(wanted, integer(ignore_index, "ignore_index"))
    outside = ~ignored & ((wanted < 0) | (wanted >= classes))
    if outside.any():
        raise ValueError(
            f"target holds {wanted[outside].flat[0]}; classes from 0 to {classes - 1} are allowed "
            f"for an input of shape {x.shape}, and ignore_index={ignore_index}"
        )
    numbers = np.arange(classes).reshape(w.shape)
    is_target = np.expand_dims(wanted, axis) == numbers
    counted = np.expand_dims(~ignored, axis)
    q = np.where(is_target & counted, w * x.dtype.type(1 - smoothing), x.dtype.type(0))
    total = np.where(is_target & counted, w, x.dtype.type(0)).sum()
    if smoothing:
        q += np.where(counted, w * x.dtype.type(smoothing / classes), x.dtype.type(0))
    return q, total, ignored


def _of_probabilities(wanted: Array, x: Array, axis: int, smoothing: float) -> Array:
    """Return target probabilities, smoothed."""
    shares = arguments.array(wanted, "target").astype(x.dtype)
    arguments.check_shape(
        shares, x.shape, "target", "as probabilities, which floating-point targets are,"
    )
    if smoothing:
        shares = shares * x.dtype.type(1 - smoothing) + x.dtype.type(smoothing / x.shape[axis])
    return shares
