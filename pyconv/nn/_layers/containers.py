"""Layers made of layers: one after another, y = f_n(… f_2(f_1(x))), and y = f(x) + g(x)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.output_arrays import plain_array
from pyconv.nn._layers import summaries
from pyconv.nn._layers.layer import Array, Layer


class _Container(Layer):
    """What models share: their lines in `repr`, and that no layer stands in them twice."""

    def __init__(self) -> None:
        super().__init__()
        self._check_layers()

    def _check_layers(self) -> None:
        for name, layer in self.children().items():
            if not isinstance(layer, Layer):
                raise TypeError(f"{name} is a {type(layer).__name__}; layers are allowed")
        seen = set()
        for layer in self.layers():
            if id(layer) in seen:
                raise ValueError(
                    f"{layer._call()} stands twice in the model: make two of it, for a layer keeps "
                    "what its backward needs"
                )
            seen.add(id(layer))

    def _run(self, input: npt.ArrayLike, name: str) -> Array:
        """Return the result; the layers inside say which of them refused its input."""
        return self._through(input, f"{name}." if name else "")

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return the result for an input."""
        return self._through(input, "")

    def _through(self, input: npt.ArrayLike, prefix: str) -> Array:
        raise NotImplementedError

    def __repr__(self) -> str:
        """Return a line for each layer, with shapes and numbers of parameters."""
        lines = [f"{type(self).__name__}("]
        for name, layer in self.children().items():
            lines += f"({name}) {layer!r}".split("\n")
        return "\n  ".join(lines) + f"\n): {self.parameter_count} parameters"


class Sequential(_Container):
    """Layers one after another.

    Parameters
    ----------
    *layers : Layer
        The layers, in their order. Names of parameters begin with their numbers, as in torch.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> model = nn.Sequential(
    ...     nn.Conv2d(1, 4, 3, rng=0), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10, rng=1)
    ... )
    >>> model
    Sequential(
      (0) Conv2d(1, 4, kernel_size=(3, 3)): weight (4, 1, 3, 3), bias (4,), 40 parameters
      (1) ReLU()
      (2) Flatten()
      (3) Linear(144, 10): weight (10, 144), bias (10,), 1450 parameters
    ): 1490 parameters
    >>> model(np.ones((2, 1, 8, 8))).shape
    (2, 10)
    >>> list(model.state_dict())
    ['0.weight', '0.bias', '3.weight', '3.bias']
    """

    def __init__(self, *layers: Layer) -> None:
        self._layers = layers
        super().__init__()

    def children(self) -> dict[str, Layer]:
        """Return the layers by their names, which are numbers unless a model has others."""
        return dict(zip(self._names(), self._layers, strict=True))

    def _names(self) -> Sequence[str]:
        return [str(i) for i in range(len(self._layers))]

    def pairs(self) -> list[tuple[str, str]]:
        """Return the names of each layer and the next."""
        return list(itertools.pairwise(self._names()))

    def replace_child(self, name: str, layer: Layer) -> None:
        """Put another layer in the place of the one of this name."""
        place = self._names().index(name)
        self._layers = (*self._layers[:place], layer, *self._layers[place + 1 :])

    def _through(self, input: npt.ArrayLike, prefix: str) -> Array:
        x: Any = input
        for name, layer in zip(self._names(), self._layers, strict=True):
            x = layer._run(x, f"{prefix}{name}")
        return plain_array(x, "input")

    def backward(self, grad_output: npt.ArrayLike, *, input_gradient: bool = False) -> Any:
        """Add to the gradients of all parameters, from the last layer to the first.

        Parameters
        ----------
        grad_output : array_like
            Gradient of the loss with respect to the model's result, such as
            ``criterion.backward()``.
        input_gradient : bool, optional
            Whether the gradient with respect to the model's input, which is data, is computed too.

        Returns
        -------
        ndarray or None
            That gradient, if asked for.
        """
        dy: Any = grad_output
        for i in reversed(range(len(self._layers))):
            dy = self._layers[i].backward(dy, input_gradient=i > 0 or input_gradient)
        return dy if input_gradient else None

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the result for an input of this shape."""
        for layer in self._layers:
            input_shape = layer.output_shape(input_shape)
        return input_shape

    def first_seen(self, position: tuple[int, ...]) -> tuple[int, ...]:
        """Return the first sample, perhaps of the padding, that the result at a position reads."""
        for layer in reversed(self._layers):
            position = layer.first_seen(position)
        return position

    def describe(
        self, name: str, shape: tuple[int, ...], windows: summaries.Windows, itemsize: int
    ) -> summaries.Described:
        """Return the rows of the layers, one after another."""
        rows, prefix = [], f"{name}." if name else ""
        for own, layer in self.children().items():
            more, shape, windows = layer.describe(f"{prefix}{own}", shape, windows, itemsize)
            rows += more
        return summaries.Described(rows, shape, windows)

    def __len__(self) -> int:
        """Return the number of layers."""
        return len(self._layers)

    def __getitem__(self, index: int | slice) -> Layer:
        """Return one layer, or some of them as a model that shares them."""
        if isinstance(index, slice):
            part = Sequential(*self._layers[index])
            part.training = self.training
            return part
        return self._layers[index]

    def __iter__(self) -> Iterator[Layer]:
        """Iterate over the layers."""
        return iter(self._layers)


class Residual(_Container):
    """A body, and a shortcut round it: the body learns what is to be added to its input.

    Parameters
    ----------
    body : Layer
        What is added.
    shortcut : Layer, optional
        What the body's result is added to, made of the input; by default the input itself.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> block = nn.Residual(nn.Conv2d(8, 8, 3, padding=1, rng=0))
    >>> block.children()["body"].weight.data = np.zeros((8, 8, 3, 3))
    >>> x = np.ones((1, 8, 5, 5))
    >>> bool(np.all(block(x) == x))
    True
    """

    def __init__(self, body: Layer, shortcut: Layer | None = None) -> None:
        self.body, self.shortcut = body, shortcut
        super().__init__()

    def children(self) -> dict[str, Layer]:
        """Return the body and, where there is one, the shortcut."""
        return {"body": self.body} | ({} if self.shortcut is None else {"shortcut": self.shortcut})

    def _through(self, input: npt.ArrayLike, prefix: str) -> Array:
        x = plain_array(input, "input").view()
        x.flags.writeable = False  # both ways read it: neither may rectify it in place
        way = x if self.shortcut is None else self.shortcut._run(x, f"{prefix}shortcut")
        y = self.body._run(x, f"{prefix}body")
        if y.shape != way.shape:
            raise ValueError(
                f"layer {prefix}body makes {y.shape} of an input of shape {x.shape}, but the "
                f"shortcut makes {way.shape}"
            )
        if self.training or y.dtype != np.result_type(y, way) or np.may_share_memory(y, x):
            return y + way  # the last layer of the body may have kept its result
        y += way
        return y

    def backward(self, grad_output: npt.ArrayLike, *, input_gradient: bool = True) -> Any:
        """Add to the gradients of both ways; return the sum of theirs with respect to the input."""
        dx = self.body.backward(grad_output, input_gradient=input_gradient)
        way: Any = grad_output
        if self.shortcut is not None:
            way = self.shortcut.backward(grad_output, input_gradient=input_gradient)
        return dx + way if input_gradient else None

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the result for an input of this shape."""
        return self.body.output_shape(input_shape)

    def first_seen(self, position: tuple[int, ...]) -> tuple[int, ...]:
        """Return the first sample, perhaps of the padding, that the body reads."""
        return self.body.first_seen(position)

    def describe(
        self, name: str, shape: tuple[int, ...], windows: summaries.Windows, itemsize: int
    ) -> summaries.Described:
        """Return the rows of both ways; results see what those of the body see."""
        rows, prefix = [], f"{name}." if name else ""
        if self.shortcut is not None:
            rows = self.shortcut.describe(f"{prefix}shortcut", shape, windows, itemsize).rows
        body = self.body.describe(f"{prefix}body", shape, windows, itemsize)
        return summaries.Described([*rows, *body.rows], body.shape, body.windows)
