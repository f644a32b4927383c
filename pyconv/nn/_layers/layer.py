"""Layer: y = f(x) with `forward`, and with `backward` what a change of y means for x and weights.

There is no tape and no graph. A layer keeps of its last `forward` what its `backward` needs; a
model calls its layers forwards in one order and backwards in the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pyconv._engine.output_arrays import plain_array
from pyconv._engine.problem import flag
from pyconv.nn._layers import checkpoints, summaries
from pyconv.nn._layers.parameter import Buffer, Parameter, checked_dtype

Array = npt.NDArray[Any]


class Layer:
    """What all layers and models share. To write one, define `forward` and `backward`.

    `summary` also needs `output_shape`, and counts `flops` if they are defined. Layers and
    parameters among the attributes belong to the layer.

    `forward` returns the result, and while `training` calls `keep` with what `backward` needs.
    `backward` adds to the gradients of the parameters, by `Parameter.add_gradient`, and returns
    the gradient with respect to the input, or None where that was not asked for.

    Attributes
    ----------
    training : bool
        Whether `forward` keeps what `backward` needs. In evaluation weights are read-only, and
        convolutions keep them in the order of their loops.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> class Square(nn.Layer):
    ...     def forward(self, input):
    ...         self.keep(input)
    ...         return input**2
    ...
    ...     def backward(self, grad_output, *, input_gradient=True):
    ...         return 2 * self.kept() * grad_output
    >>> layer = Square()
    >>> layer(np.array([1.0, 2.0, 3.0]))
    array([1., 4., 9.])
    >>> layer.backward(np.ones(3))
    array([2., 4., 6.])
    """

    #: As they are for a layer that does not call ``super().__init__()``.
    training = True
    _kept: Any = None
    #: Names that a state may have and that the layer does not need.
    ignored_state: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.training = True
        self._kept = None

    # ---- the mathematics ------------------------------------------------------------------

    def forward(self, input: npt.ArrayLike) -> Array:
        """Return the result for an input."""
        raise self._undefined("forward(input)", "returns the result")

    def backward(self, grad_output: npt.ArrayLike, *, input_gradient: bool = True) -> Any:
        """Add to the parameters' gradients; return the one with respect to the input.

        Parameters
        ----------
        grad_output : array_like
            Gradient with respect to the result of the last call of `forward`.
        input_gradient : bool, optional
            Whether the gradient with respect to the input is computed.

        Returns
        -------
        ndarray or None
            That gradient, if asked for.
        """
        raise self._undefined("backward(grad_output)", "returns the gradient for the input")

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the result for an input of this shape."""
        raise self._undefined("output_shape(input_shape)", "returns the shape of the result")

    def flops(self, input_shape: tuple[int, ...]) -> int:
        """Return how many additions, products and comparisons an input of this shape takes."""
        return 0

    def window(self) -> dict[str, Any] | None:
        """Return kernel, stride and dilation of what a result reads; None for all of the input."""
        return {"kernel": 1}

    def first_seen(self, position: tuple[int, ...]) -> tuple[int, ...]:
        """Return the first sample, perhaps of the padding, that the result at a position reads."""
        return position

    def summary(self, input_shape: tuple[int, ...]) -> summaries.Summary:
        """Tabulate the layers for inputs of one shape, without computing anything.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of the input, batch axis included.

        Returns
        -------
        Summary
            A table, when it is printed, and its rows: output shapes, receptive fields, and
            numbers of parameters, operations and bytes.

        Raises
        ------
        ValueError
            For shapes that do not fit.
        """
        return summaries.summary(self, input_shape)

    def describe(
        self, name: str, shape: tuple[int, ...], windows: summaries.Windows, itemsize: int
    ) -> summaries.Described:
        """Return the rows of `summary`, for an input of a shape whose samples see ``windows``."""
        return summaries.describe(self, name, shape, windows, itemsize)

    def __call__(self, input: npt.ArrayLike) -> Array:
        """Return the result for an input; errors say which layer refused it."""
        return self._run(input, "")

    def _run(self, input: npt.ArrayLike, name: str) -> Array:
        try:
            return self.forward(input)
        except (ValueError, TypeError) as error:
            where = f"layer {name}, " if name else "layer "
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{where}{self._call()}: {error}") from error

    def keep(self, *values: Any) -> None:
        """Keep what `backward` needs, while training."""
        self._kept = values if self.training else None

    def kept(self) -> Any:
        """Return what `forward` kept, and forget it: it is good for one `backward`."""
        values, self._kept = self._kept, None
        if values is None:
            raise RuntimeError(
                f"{self._call()}: backward needs a call of forward before it, "
                "in training: model.train()"
            )
        return values[0] if len(values) == 1 else values

    # ---- parameters -----------------------------------------------------------------------

    def children(self) -> dict[str, Layer]:
        """Return the layers that this one is made of, by name: those among its attributes."""
        return {n: layer for n, layer in vars(self).items() if isinstance(layer, Layer)}

    def layers(self) -> Iterator[Layer]:
        """Yield this layer and all that it is made of."""
        yield self
        for child in self.children().values():
            yield from child.layers()

    def own_parameters(self) -> dict[str, Parameter]:
        """Return the parameters of this layer itself, by name."""
        return {n: p for n, p in self.own_state().items() if not isinstance(p, Buffer)}

    def own_state(self) -> dict[str, Parameter]:
        """Return the parameters of this layer itself, and what else belongs to its state."""
        return {n: p for n, p in vars(self).items() if isinstance(p, Parameter)}

    def named_parameters(self) -> dict[str, Parameter]:
        """Return all parameters by torch's names, such as ``0.weight``."""
        return {n: p for n, p in self.named_state().items() if not isinstance(p, Buffer)}

    def named_state(self) -> dict[str, Parameter]:
        """Return all parameters and averages by torch's names."""
        named = self.own_state()
        for name, child in self.children().items():
            named |= {f"{name}.{n}": p for n, p in child.named_state().items()}
        return named

    def ignored_names(self) -> set[str]:
        """Return names of a state of torch's that no layer of this one needs."""
        names = set(self.ignored_state)
        for name, child in self.children().items():
            names |= {f"{name}.{n}" for n in child.ignored_names()}
        return names

    def pairs(self) -> list[tuple[str, str]]:
        """Return names of children of which the second takes what the first makes, for `fuse`."""
        return []

    def replace_child(self, name: str, layer: Layer) -> None:
        """Put another layer in the place of a child."""
        setattr(self, name, layer)

    def parameters(self) -> list[Parameter]:
        """Return all parameters, in the order of the layers."""
        return list(self.named_parameters().values())

    @property
    def parameter_count(self) -> int:
        """The number of weights."""
        return sum(p.size for p in self.parameters())

    # ---- modes ----------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Train: keep what `backward` needs.

        Parameters
        ----------
        mode : bool, optional
            False for `eval`.

        Returns
        -------
        Layer
            The layer itself.
        """
        mode = flag(mode, "mode")
        for layer in self.layers():
            layer.training = mode
            layer._forget()
            for parameter in layer.own_state().values():
                parameter.freeze(not mode)
        return self

    def eval(self) -> Self:
        """Evaluate: keep nothing, and make the weights read-only.

        Returns
        -------
        Layer
            The layer itself.
        """
        return self.train(False)

    def astype(self, dtype: npt.DTypeLike) -> Self:
        """Convert the weights, and so what is computed in, in place.

        Parameters
        ----------
        dtype : {float32, float64}
            The dtype of weights, results and gradients.

        Returns
        -------
        Layer
            The layer itself.
        """
        wanted = checked_dtype(dtype)
        for parameter in self.named_state().values():
            parameter.replace(parameter.data.astype(wanted))
        return self

    def _undefined(self, method: str, purpose: str) -> NotImplementedError:
        name = type(self).__name__
        return NotImplementedError(f"{name} does not define {method}, which {purpose}")

    def _forget(self) -> None:
        self._kept = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what `forward` kept, in copies and pickles."""
        return vars(self) | {"_kept": None}

    # ---- weights in and out ---------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """Return copies of all weights by torch's names.

        Returns
        -------
        dict of str to ndarray
            What ``load_state_dict`` takes, here and, as tensors, in torch.
        """
        return {name: p.data.copy() for name, p in self.named_state().items()}

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Take the weights of another model; float64 stays so.

        Parameters
        ----------
        state : mapping of str to array_like
            Weights by name, as `state_dict` returns them, here and in torch.

        Raises
        ------
        ValueError
            For names or shapes that are not those of this model, which is left unchanged.
        TypeError
            For arrays that hold no floating-point numbers; the model is unchanged too.
        """
        checkpoints.load_state(self.named_state(), state, self.ignored_names())

    def save(self, path: str | PathLike[str]) -> None:
        """Write the weights to an ``.npz`` file.

        Parameters
        ----------
        path : str or path
            The file, which is replaced only when the new one is complete.
        """
        checkpoints.save(path, self.state_dict())

    def load(self, path: str | PathLike[str]) -> None:
        """Read the weights from a file that `save` wrote, or from a ``.safetensors`` file.

        Nothing in the file is ever run: it holds plain arrays, and pickles are refused.

        Parameters
        ----------
        path : str or path
            The file. One that ends with ``.safetensors`` is read by the package ``safetensors``.

        Raises
        ------
        ValueError, TypeError
            For a file that is truncated or holds anything but this model's weights. The model is
            unchanged.
        ImportError
            Where the package that reads the file is not installed.
        """
        checkpoints.load(self.named_state(), path, self.ignored_names())

    # ---- words ----------------------------------------------------------------------------

    def options(self) -> str:
        """Return the arguments that made the layer, for `repr`."""
        return ""

    def _line(self) -> str:
        shapes = [f"{n} {p.shape}" for n, p in self.own_parameters().items()]
        count = sum(p.size for p in self.own_parameters().values())
        weights = f": {', '.join(shapes)}, {count} parameters" if shapes else ""
        return self._call() + weights

    def _call(self) -> str:
        return f"{type(self).__name__}({self.options()})"

    def __repr__(self) -> str:
        """Return the layer's options, shapes and number of parameters."""
        return self._line()


def numbers(value: npt.ArrayLike, dtype: np.dtype, argument: str) -> Array:
    """Return an array of real numbers in the dtype of a layer."""
    given = plain_array(value, argument)
    if given.dtype == dtype:
        return given
    if given.dtype.kind not in "biuf":
        raise TypeError(
            f"{argument} has dtype {given.dtype} (shape {given.shape}); real numbers are allowed"
        )
    return given.astype(dtype)
