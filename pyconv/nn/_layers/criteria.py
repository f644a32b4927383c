"""What a model's results are judged by: one number, and how each result changes it."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from pyconv._engine.output_arrays import plain_array
from pyconv.nn import functional, grad
from pyconv.nn._functions import losses

Array = npt.NDArray[Any]


class Criterion:
    """A loss that keeps what its gradient needs. To write one, define `loss` and `gradient`.

    Parameters
    ----------
    **keywords
        What the criterion is made with, for `repr`.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> class Absolute(nn.Criterion):
    ...     def loss(self, x, target):
    ...         return np.abs(x - target).sum()
    ...
    ...     def gradient(self, x, target):
    ...         return np.sign(x - target)
    >>> criterion = Absolute()
    >>> float(criterion(np.array([1.0, 4.0]), np.array([2.0, 2.0])))
    3.0
    >>> criterion.backward()
    array([-1.,  1.])
    """

    def __init__(self, **keywords: Any) -> None:
        self.keywords = keywords
        self._kept: tuple[Array, Array] | None = None

    def __call__(self, input: npt.ArrayLike, target: npt.ArrayLike) -> Any:
        """Return the loss of a model's result.

        Parameters
        ----------
        input : array_like
            The result of a model for a batch.
        target : array_like
            What it should be.

        Returns
        -------
        float or ndarray
            The loss.
        """
        x, wanted = plain_array(input, "input"), plain_array(target, "target")
        if x.size == 0:
            raise ValueError(f"the batch is empty: input has shape {x.shape}")
        loss = self.loss(x, wanted)
        self._kept = x, wanted
        return loss

    def backward(self) -> Array:
        """Return the gradient of the last loss with respect to the model's result.

        Returns
        -------
        ndarray
            The gradient, in the shape of the result.
        """
        kept, self._kept = self._kept, None
        if kept is None:
            raise RuntimeError(f"{type(self).__name__}: backward needs a loss before it")
        return self.gradient(*kept)

    def loss(self, x: Array, target: Array) -> Any:
        """Return the loss."""
        raise NotImplementedError(f"{type(self).__name__} does not define loss(x, target)")

    def gradient(self, x: Array, target: Array) -> Array:
        """Return the gradient of the loss."""
        raise NotImplementedError(f"{type(self).__name__} does not define gradient(x, target)")

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what the last loss kept, in copies and pickles."""
        return {n: v for n, v in vars(self).items() if n != "_gradient"} | {"_kept": None}

    def __repr__(self) -> str:
        """Return the arguments that made the criterion."""
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in self.keywords.items())})"


class CrossEntropyLoss(Criterion):
    """How unlikely the classes of a batch are under the softmax of the model's results.

    Parameters
    ----------
    weight : array_like, optional
        Weight of each class.
    ignore_index : int, optional
        A class that counts as no target.
    reduction : {'mean', 'sum'}, optional
        Whether losses are averaged or added up.
    label_smoothing : float, optional
        Share of each target that is spread over all classes.

    See Also
    --------
    pyconv.nn.functional.cross_entropy : the function.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> criterion = nn.CrossEntropyLoss()
    >>> loss = criterion(np.zeros((1, 4)), [2])
    >>> bool(np.isclose(loss, np.log(4)))
    True
    >>> criterion.backward()
    array([[ 0.25,  0.25, -0.75,  0.25]])
    """

    def __init__(
        self,
        weight: npt.ArrayLike | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        _check_reduction(reduction)
        super().__init__(
            weight=weight,
            ignore_index=ignore_index,
            reduction=reduction,
            label_smoothing=label_smoothing,
        )

    def loss(self, x: Array, target: Array) -> Any:
        """Return the loss, and keep the shares, which the gradient is made of."""
        loss, self._gradient = losses.cross_entropy_and_gradient(x, target, **self.keywords)
        return loss

    def gradient(self, x: Array, target: Array) -> Array:
        """Return the gradient of the loss."""
        return self._gradient()


class MSELoss(Criterion):
    """The mean squared distance of the model's results from what they should be.

    Parameters
    ----------
    reduction : {'mean', 'sum'}, optional
        Whether squares are averaged or added up.

    See Also
    --------
    pyconv.nn.functional.mse_loss : the function.

    Examples
    --------
    >>> from pyconv import nn
    >>> criterion = nn.MSELoss()
    >>> float(criterion([1.0, 4.0], [1.0, 2.0]))
    2.0
    >>> criterion.backward()
    array([0., 2.])
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        _check_reduction(reduction)
        super().__init__(reduction=reduction)

    def loss(self, x: Array, target: Array) -> Any:
        """Return the loss."""
        return functional.mse_loss(x, self._as_floats(target, x), **self.keywords)

    def gradient(self, x: Array, target: Array) -> Array:
        """Return the gradient of the loss."""
        return grad.mse_loss_input(x, self._as_floats(target, x), **self.keywords)

    @staticmethod
    def _as_floats(target: Array, x: Array) -> Array:
        """Return targets that were given as integers, such as samples of pictures, as x is."""
        return target.astype(x.dtype) if target.dtype.kind in "biu" else target


def _check_reduction(reduction: str) -> None:
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction={reduction!r}: allowed are mean and sum, one number")


def accuracy(output: npt.ArrayLike, target: npt.ArrayLike) -> float:
    """Return the share of a batch whose most likely class is the target.

    Parameters
    ----------
    output : array_like
        Results of a model, (N, classes).
    target : array_like
        The classes, (N,).

    Returns
    -------
    float
        The share.

    Examples
    --------
    >>> from pyconv import nn
    >>> nn.accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    """
    scores, classes = plain_array(output, "output"), plain_array(target, "target")
    if scores.ndim != 2 or classes.shape != scores.shape[:1] or not scores.size:
        raise ValueError(
            f"output has shape {scores.shape} and target {classes.shape}; allowed are "
            "(N, classes) and (N,), not empty"
        )
    return float((scores.argmax(1) == classes).mean())
