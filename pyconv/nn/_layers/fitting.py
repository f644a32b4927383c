"""fit: the training step again and again, over shuffled batches, with what happened written down.

A step zeroes the gradients, takes the loss of the model's result, goes backward, and changes the
weights.
"""

from __future__ import annotations

import importlib
import math
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.output_arrays import plain_array
from pyconv._engine.problem import flag, integer
from pyconv.nn._layers.criteria import Criterion, accuracy
from pyconv.nn._layers.layer import Layer
from pyconv.nn._layers.optimisers import Optimizer
from pyconv.nn.init import Seed, generator

Array = npt.NDArray[Any]


@dataclass
class History:
    """What `fit` saw: a number for each epoch that was completed.

    Parameters
    ----------
    loss, accuracy, validation_loss, validation_accuracy, seconds, stopped
        The attributes.

    Attributes
    ----------
    loss, accuracy : list of float
        Averages over the batches of the epoch, as they were trained. There are accuracies only for
        targets that are classes.
    validation_loss, validation_accuracy : list of float
        The same for the validation data, after the epoch.
    seconds : list of float
        Time that the epoch took.
    stopped : str or None
        Why training ended early.

    Examples
    --------
    >>> from pyconv import nn
    >>> nn.History(loss=[2.5, 1.5], seconds=[0.1, 0.1]).last()
    {'loss': 1.5, 'seconds': 0.1}
    """

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    stopped: str | None = None

    def last(self) -> dict[str, float]:
        """Return the numbers of the last epoch by name, those that there are."""
        lists = {n: v for n, v in vars(self).items() if isinstance(v, list) and v}
        return {name: values[-1] for name, values in lists.items()}


class _DivergedError(Exception):
    """A loss that is not finite."""


def fit(
    model: Layer,
    x: npt.ArrayLike,
    target: npt.ArrayLike,
    criterion: Criterion,
    optimizer: Optimizer,
    *,
    epochs: int,
    batch_size: int = 64,
    validation: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    shuffle: bool = True,
    rng: Seed = None,
    progress: bool | None = None,
) -> History:
    """Train a model on data that are all in memory.

    Interrupting it (Ctrl-C) ends it early, as a loss that is not finite does, with a warning. In
    either case the model keeps the weights of the last step, and can be used or trained on.

    Parameters
    ----------
    model : Layer
        What is trained.
    x, target : array_like
        Samples along the first axis, and what the model should make of each.
    criterion : CrossEntropyLoss or MSELoss
        What is made small.
    optimizer : Optimizer
        What changes the parameters.
    epochs : int
        How often all of the data are gone through.
    batch_size : int, optional
        Samples for each step; the last batch of an epoch may be smaller.
    validation : tuple of array_like, optional
        Other samples and targets, on which the model is judged after each epoch.
    shuffle : bool, optional
        Whether each epoch takes the samples in a new order.
    rng : Generator or int, optional
        What shuffles, or its seed.
    progress : bool, optional
        Whether to show a progress bar, if tqdm is installed; by default on a terminal.

    Returns
    -------
    History
        Losses, accuracies and times of each epoch.

    Raises
    ------
    ValueError
        For data that do not belong together, an empty batch, and classes that do not exist; before
        the first step.

    Examples
    --------
    A kernel that is learned from what it did:

    >>> import numpy as np
    >>> from pyconv import nn
    >>> x = np.random.default_rng(0).standard_normal((64, 1, 32))
    >>> target = nn.functional.conv1d(x, [[[-1.0, 0.0, 1.0]]])
    >>> model = nn.Conv1d(1, 1, 3, rng=0, dtype=np.float64)
    >>> history = nn.fit(model, x, target, nn.MSELoss(), nn.SGD(model.parameters(), lr=0.1),
    ...                  epochs=20, batch_size=8, rng=0)
    >>> bool(np.abs(model.weight.data - [-1, 0, 1]).max() < 1e-6)
    True
    """
    _check_parts(model, criterion)
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer={optimizer!r}: an Optimizer is allowed, such as nn.SGD")
    data = _Data(x, target, "x and target")
    judged = None if validation is None else _Data(*_pair(validation), "validation")
    rounds, size = _at_least_one(epochs, "epochs"), _at_least_one(batch_size, "batch_size")
    shuffle = flag(shuffle, "shuffle")
    if progress is not None:
        progress = flag(progress, "progress", "True, False or None")
    for each in (data, judged):
        if each is not None:
            each.check(model, criterion)
    draw, history, mode = generator(rng), History(), model.training
    bar = _Bar(progress, rounds * math.ceil(len(data) / size))
    try:
        for epoch in range(rounds):
            start = time.perf_counter()
            order = draw.permutation(len(data)) if shuffle else None
            model.train()
            seen = _Averages()
            for i, (batch, wanted) in enumerate(data.batches(size, order)):
                where = f"epoch {epoch + 1}, batch {i + 1}"
                seen.add(*_step(model, batch, wanted, criterion, optimizer, where), len(batch))
                bar.advance(history, seen)
            seen.write(history.loss, history.accuracy)
            if judged is not None:
                found = _Averages()
                found.add(*evaluate(model, judged.x, judged.target, criterion), 1)
                found.write(history.validation_loss, history.validation_accuracy)
            history.seconds.append(time.perf_counter() - start)
    except KeyboardInterrupt:
        history.stopped = f"interrupted after {len(history.loss)} epochs"
    except _DivergedError as error:
        history.stopped = str(error)
        warnings.warn(history.stopped, RuntimeWarning, stacklevel=2)
    finally:
        bar.close()
        optimizer.zero_grad()
        model.train(mode)
    return history


def _step(
    model: Layer, x: Array, target: Array, criterion: Criterion, optimizer: Optimizer, where: str
) -> tuple[float, float | None]:
    """Take the training step; return the loss and the accuracy before it."""
    optimizer.zero_grad()
    y = model(x)
    loss = float(criterion(y, target))
    if not math.isfinite(loss):
        raise _DivergedError(
            f"training stopped: the loss of {where} is {loss}; the data may hold NaN, or a "
            f"smaller lr than {optimizer.lr} is needed"
        )
    model.backward(criterion.backward(), input_gradient=False)
    optimizer.step()
    return loss, accuracy(y, target) if _are_classes(y, target) else None


def evaluate(
    model: Layer,
    x: npt.ArrayLike,
    target: npt.ArrayLike,
    criterion: Criterion,
    *,
    batch_size: int = 256,
) -> tuple[float, float | None]:
    """Judge a model, in evaluation, on data that are all in memory.

    Parameters
    ----------
    model : Layer
        What is judged; it is left in the mode that it was in.
    x, target : array_like
        Samples along the first axis, and what the model should make of each.
    criterion : CrossEntropyLoss or MSELoss
        What the average of is returned.
    batch_size : int, optional
        Samples that are computed together.

    Returns
    -------
    loss : float
        The average of the criterion over the samples.
    accuracy : float or None
        The share of classes that are right, for targets that are classes.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> loss, accuracy = nn.evaluate(nn.ReLU(), np.eye(3), [0, 1, 1], nn.CrossEntropyLoss())
    >>> round(accuracy, 2)
    0.67
    """
    _check_parts(model, criterion)
    data, seen, mode = _Data(x, target, "x and target"), _Averages(), model.training
    model.eval()
    try:
        for batch, wanted in data.batches(_at_least_one(batch_size, "batch_size"), None):
            y = model(batch)
            share = accuracy(y, wanted) if _are_classes(y, wanted) else None
            seen.add(float(criterion(y, wanted)), share, len(batch))
    finally:
        model.train(mode)
    return seen.loss / seen.weight, seen.accuracy


def _check_parts(model: object, criterion: object) -> None:
    if not isinstance(model, Layer):
        raise TypeError(f"model={model!r}: a Layer is allowed, such as nn.Sequential")
    if not isinstance(criterion, Criterion):
        raise TypeError(f"criterion={criterion!r}: a Criterion is allowed, such as nn.MSELoss()")


def _pair(validation: object) -> tuple[Any, Any]:
    """Return the samples and the targets of ``validation``."""
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        kind = type(validation).__name__
        raise TypeError(f"validation is a {kind}; a pair is allowed, (samples, targets)")
    return validation[0], validation[1]


class _Data:
    """Samples and targets along the same axis."""

    def __init__(self, x: npt.ArrayLike, target: npt.ArrayLike, argument: str) -> None:
        self.x, self.target = plain_array(x, "x"), plain_array(target, "target")
        shapes = self.x.shape, self.target.shape
        if not all(shapes) or shapes[0][0] != shapes[1][0] or shapes[0][0] == 0:
            raise ValueError(
                f"{argument} have shapes {shapes[0]} and {shapes[1]}: as many samples as targets "
                "are allowed, at least one"
            )

    def __len__(self) -> int:
        return len(self.x)

    def check(self, model: Layer, criterion: Criterion) -> None:
        """Refuse what a step would refuse, with all targets, before there is one."""
        y = model(self.x[:1])
        if self.target.dtype.kind in "iu":
            criterion(np.broadcast_to(y, (len(self), *y.shape[1:])), self.target)
        else:
            criterion(y, self.target[:1])

    def batches(self, size: int, order: Array | None) -> Iterator[tuple[Array, Array]]:
        """Yield batches, in an order of the samples or in that of the data."""
        for start in range(0, len(self), size):
            part: Any = slice(start, start + size)
            if order is not None:
                part = order[part]
            yield self.x[part], self.target[part]


class _Averages:
    """Averages over batches of different sizes."""

    def __init__(self) -> None:
        self.loss, self.right, self.weight, self.counted = 0.0, 0.0, 0, False

    def add(self, loss: float, share: float | None, weight: int) -> None:
        self.loss += weight * loss
        self.weight += weight
        if share is not None:
            self.right += weight * share
            self.counted = True

    @property
    def accuracy(self) -> float | None:
        return self.right / self.weight if self.counted else None

    def write(self, losses: list[float], accuracies: list[float]) -> None:
        losses.append(self.loss / self.weight)
        if self.accuracy is not None:
            accuracies.append(self.accuracy)


class _Bar:
    """tqdm's bar, where it is installed and wanted."""

    def __init__(self, progress: bool | None, total: int) -> None:
        self.bar: Any = None
        if progress is not False:
            try:
                tqdm: Any = importlib.import_module("tqdm.auto")
            except ImportError:
                return
            self.bar = tqdm.tqdm(
                total=total, disable=None if progress is None else False, leave=False
            )

    def advance(self, history: History, seen: _Averages) -> None:
        if self.bar is not None and not self.bar.disable:
            numbers = {"loss": seen.loss / seen.weight}
            if history.validation_accuracy:
                numbers["validation"] = history.validation_accuracy[-1]
            self.bar.set_postfix(numbers, refresh=False)
            self.bar.update()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def _are_classes(y: Array, target: Array) -> bool:
    return target.dtype.kind in "iu" and y.ndim == 2 and target.ndim == 1


def _at_least_one(value: object, argument: str) -> int:
    number = integer(value, argument)
    if number < 1:
        raise ValueError(f"{argument}={value!r}: an integer of at least 1 is allowed")
    return number
