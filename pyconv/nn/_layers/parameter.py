"""Parameter: the weights that a layer learns, and the gradient of the loss with respect to them."""

from __future__ import annotations

import copyreg
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.dtypes import any_dtype, native_dtype
from pyconv._engine.output_arrays import plain_array
from pyconv._engine.problem import flag

Array = npt.NDArray[Any]
#: What layers compute in.
DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def checked_dtype(dtype: npt.DTypeLike) -> np.dtype:
    """Return the dtype of weights: float32 or float64."""
    given = any_dtype(dtype, "dtype")
    if given not in DTYPES:
        raise TypeError(f"dtype={dtype!r}: weights are float32 or float64")
    return given


class Parameter:
    """Weights of a layer and their gradient.

    Parameters
    ----------
    data : array_like
        The weights, which are copied; float64 stays so, everything else becomes float32.

    Attributes
    ----------
    grad : ndarray or None
        The gradient that calls of `backward` have added up since it was last None.

    Examples
    --------
    >>> from pyconv import nn
    >>> layer = nn.Conv1d(1, 1, 2, bias=False)
    >>> layer.weight.data = [[[-1, 1]]]
    >>> layer([[1, 4, 9]])
    array([[3., 5.]], dtype=float32)
    """

    __slots__ = ("_data", "grad")

    def __init__(self, data: npt.ArrayLike) -> None:
        self._data: Array = np.empty(0, np.float32)
        self.grad: Array | None = None
        self.replace(data)

    @property
    def data(self) -> Array:
        """The weights; read-only while their layer evaluates.

        What is assigned is copied, in the shape and dtype that the weights have.
        """
        return self._data

    @data.setter
    def data(self, value: npt.ArrayLike) -> None:
        given = plain_array(value, "data")
        if given.shape != self.shape:
            raise ValueError(f"data has shape {given.shape}; the weights have shape {self.shape}")
        self.replace(given.astype(self.dtype))

    def replace(self, value: npt.ArrayLike) -> None:
        """Take new weights, of any shape, and forget the gradient; see `Parameter`."""
        given = plain_array(value, "data")
        if given.dtype.kind not in "biuf":
            raise TypeError(
                f"data has dtype {given.dtype} (shape {given.shape}); numbers are allowed"
            )
        dtype = np.float64 if native_dtype(given.dtype) == np.float64 else np.float32
        frozen = not self._data.flags.writeable
        self._data = np.array(given, dtype, order="C")
        self.freeze(frozen)
        self.grad = None

    def freeze(self, frozen: bool = True) -> None:
        """Make the weights read-only, or writeable again."""
        frozen = flag(frozen, "frozen")
        try:
            self._data.flags.writeable = not frozen
        except ValueError:  # a pickle may lie in memory that nobody may write to
            self._data = self._data.copy()

    def add_gradient(self, gradient: Array) -> None:
        """Add to `grad`."""
        if self.grad is None:
            self.grad = gradient
        else:
            self.grad += gradient

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weights."""
        return self._data.shape

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the weights."""
        return self._data.dtype

    @property
    def size(self) -> int:
        """The number of weights."""
        return self._data.size

    def __reduce__(self) -> tuple[object, ...]:
        """Return the weights, and whether they are read-only; a gradient is not copied."""
        state = {"data": self._data, "frozen": not self._data.flags.writeable}
        return copyreg.__newobj__, (type(self),), state  # type: ignore[attr-defined]

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the weights of another."""
        self._data, self.grad = np.asarray(state["data"]), None
        self.freeze(state["frozen"])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Return the weights, for NumPy's functions."""
        return np.array(self._data, dtype, copy=copy)

    def __repr__(self) -> str:
        """Return the weights as NumPy prints them."""
        return f"Parameter({np.array2string(self._data, separator=', ', prefix='Parameter(')})"


class Buffer(Parameter):
    """An array of a layer that belongs to its state, and that no optimiser changes."""

    __slots__ = ()
