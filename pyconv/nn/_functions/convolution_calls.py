"""The way of a layer's call: convolutions, their transposes and their gradients.

    y[n, k, i] = b[k] + Σ_c Σ_u x[n, c, i·s + u·d − p] · w[k, c, u]

The transpose and the gradient for the input are the adjoint of that, borders included; the
gradient for the weights correlates the input with the gradient of the result.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._dask.door import in_pieces, is_planned
from pyconv._engine.dtypes import native_dtype
from pyconv._engine.explanation_table import Explanation
from pyconv._engine.layer_planning import (
    LayerPlan,
    layer_explanation,
    layer_plan,
    layer_plans,
    weight_gradient_plan,
)
from pyconv._engine.layer_problem import (
    LayerProblem,
    Options,
    Phase,
    adjoint_phases,
    checked_groups,
    make_layer_problem,
    paddings,
    positive,
)
from pyconv._engine.output_arrays import check_out, empty, writable_in_place
from pyconv._engine.problem import integers, memory_limit
from pyconv.nn._functions import blocks
from pyconv.nn._functions.arguments import NUMBERS, array, shape
from pyconv.nn._functions.layer_arrays import (
    PARTS,
    SUMS,
    batched,
    contiguous,
    native,
    result_dtype,
)

Array = npt.NDArray[Any]
#: Writes a layer's result from x, w, bias (or None) to y.
_Run = Callable[[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray], None]


#: How a layer is computed: the method, the bytes that the call may take besides its arrays (None
#: for no limit), the number of threads. A named tuple would take a twentieth of a small call.
Execution = tuple[str, int | None, int | None]


def conv(
    n: int,
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    bias: npt.ArrayLike | None,
    options: Options,
    out: Array | None,
    how: Execution,
) -> Array:
    """Return the result of a layer with ``n`` spatial axes."""
    if type(x) is not np.ndarray and is_planned(x):
        return in_pieces("layer", "conv", x, n, (w, bias), options, out, how)
    call = LayerCall(n, x, w, bias)
    problem = make_layer_problem(call.x.shape, call.w.shape, call.part, options)
    call.check_bias()
    return solved(call, problem, out, how)


@np.errstate(all="ignore")
def solved(call: LayerCall, problem: LayerProblem, out: Array | None, how: Execution) -> Array:
    """Return the result of a layer, or of a part of it, for the arrays of a call."""
    run = _forward(call, problem, problem.y_shape, how)
    return call.result(problem.y_shape, run, out)


def _forward(
    call: LayerCall, problem: LayerProblem, y_shape: tuple[int, ...], how: Execution
) -> _Run:
    """Return the function that runs a layer, for the arrays of a call."""
    method, max_memory, workers = how
    problem = _on_parts(problem, call.sums)
    if max_memory is not None:
        problem = problem.within(memory_limit(max_memory), call.copied(y_shape))
    plan = layer_plan(problem, method)

    def run(x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, y: np.ndarray) -> None:
        plan.run(x, w, bias, y, workers)

    return run


def _backward(call: LayerCall, problem: LayerProblem, how: Execution) -> _Run:
    """Return the function that runs the adjoint of a layer, for the arrays of a call."""
    size = problem.x_shape
    method, max_memory, workers = how
    problem = _on_parts(problem, call.sums)
    if max_memory is not None:
        problem = problem.within(memory_limit(max_memory), call.copied(size))
    return Adjoint(problem, method, workers).run


@np.errstate(all="ignore")
def conv_transpose(
    n: int,
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    bias: npt.ArrayLike | None,
    options: Options,
    output_padding: object,
    out: Array | None,
    how: Execution,
) -> Array:
    """Return the result of a transposed layer with ``n`` spatial axes."""
    call = LayerCall(n, x, w, bias)
    problem = _transposed(call.x.shape, call.w.shape, call.part, options, output_padding)
    call.check_bias(problem.in_channels)
    transpose = _backward(call, problem, how)

    def run(x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, y: np.ndarray) -> None:
        transpose(x, w, None, y)
        if bias is not None:
            y += bias.reshape(-1, *[1] * n)

    return call.result(problem.x_shape, run, out)


@np.errstate(all="ignore")
def conv_input(
    n: int,
    input_size: object,
    w: npt.ArrayLike,
    dy: npt.ArrayLike,
    options: Options,
    how: Execution,
) -> Array:
    """Return the gradient of a layer for its input."""
    call = LayerCall(n, dy, w, None, "grad_output")
    size = sized(input_size, "input_size", n + 1 if call.unbatched else n + 2)
    size = (1, *size) if call.unbatched else size
    problem = make_layer_problem(size, call.w.shape, call.part, options)
    _check_gradient(call, problem.y_shape, size, call.w.shape)
    call.conjugated = True
    run = _backward(call, problem, how)
    call.w = call.w.conj()
    return call.result(size, run, None)


@np.errstate(all="ignore")
def conv_transpose_input(
    n: int,
    input_size: object,
    w: npt.ArrayLike,
    dy: npt.ArrayLike,
    options: Options,
    output_padding: object,
    how: Execution,
) -> Array:
    """Return the gradient of a transposed layer for its input: the layer that was transposed."""
    call = LayerCall(n, dy, w, None, "grad_output")
    size = sized(input_size, "input_size", n + 1 if call.unbatched else n + 2)
    size = (1, *size) if call.unbatched else size
    problem = _transposed(size, call.w.shape, call.part, options, output_padding)
    _check_gradient(call, problem.x_shape, size, call.w.shape)
    call.conjugated = True
    run = _forward(call, problem, size, how)
    call.w = call.w.conj()
    return call.result(size, run, None)


@np.errstate(all="ignore")
def conv_transpose_weight(
    n: int,
    x: npt.ArrayLike,
    weight_size: object,
    dy: npt.ArrayLike,
    options: Options,
    output_padding: object,
    how: Execution,
) -> Array:
    """Return the gradient of a transposed layer for its weights."""
    call = LayerCall(n, dy, np.empty((0, 0, *[1] * n), np.float16), None, "grad_output")
    x, _ = batched(array(x, "input", NUMBERS), n, "input")
    size = sized(weight_size, "weight_size", n + 2)
    problem = _transposed(x.shape, size, call.part, options, output_padding)
    _check_gradient(call, problem.x_shape, x.shape, size)
    return _weight_gradient(problem, call.x, x, how).conj()


@np.errstate(all="ignore")
def conv_weight(
    n: int,
    x: npt.ArrayLike,
    weight_size: object,
    dy: npt.ArrayLike,
    options: Options,
    how: Execution,
) -> Array:
    """Return the gradient of a layer for its weights."""
    call = LayerCall(n, dy, np.empty((0, 0, *[1] * n), np.float16), None, "grad_output")
    x, _ = batched(array(x, "input", NUMBERS), n, "input")
    size = sized(weight_size, "weight_size", n + 2)
    problem = make_layer_problem(x.shape, size, call.part, options)
    _check_gradient(call, problem.y_shape, x.shape, size)
    return _weight_gradient(problem, x, call.x, how)


def _weight_gradient(problem: LayerProblem, x: np.ndarray, dy: np.ndarray, how: Execution) -> Array:
    """Return dw of arrays of any dtype: what each tap read, conjugated, times dy."""
    dtype = native_dtype(np.result_type(x, dy))
    sums = SUMS[dtype]
    part = np.empty(0, sums).real.dtype
    method, max_memory, workers = how
    problem = replace(problem, dtype=part)
    if max_memory is not None:
        copied = _copy_bytes(x, part) + _copy_bytes(dy, part, True)
        total = math.prod(problem.w_shape) * part.itemsize
        if sums.kind == "c":  # the parts' products, of which two are added, and the conjugate
            copied = (x.size + dy.size) * part.itemsize + 5 * total
        elif sums != dtype:
            copied += total
        problem = problem.within(memory_limit(max_memory), copied)
    plan = weight_gradient_plan(problem, method)

    def product(x: np.ndarray, dy: np.ndarray) -> np.ndarray:
        dw = empty(problem.w_shape, part)
        plan.run(native(x, part), contiguous(dy, part), dw, workers)
        return dw

    if sums.kind != "c":
        return product(x, dy).astype(dtype, copy=False)
    dw = empty(problem.w_shape, sums)
    dw.real = product(x.real, dy.real) + product(x.imag, dy.imag)
    dw.imag = product(x.real, dy.imag) - product(x.imag, dy.real)
    return dw.astype(dtype, copy=False)


@np.errstate(all="ignore")
def conv_bias(n: int, dy: npt.ArrayLike) -> Array:
    """Return the gradient of a layer for its bias."""
    maps, _ = batched(array(dy, "grad_output", NUMBERS), n, "grad_output")
    dtype = native_dtype(maps.dtype)
    rows = contiguous(maps, SUMS[dtype]).reshape(*maps.shape[:2], math.prod(maps.shape[2:]))
    sums = np.empty(rows.shape[:2], rows.dtype)
    for part in blocks.parts(rows.shape):
        if part[2] == slice(None):
            rows[part].sum(axis=2, out=sums[part[:2]])
            continue
        if part[2].start == 0:
            sums[part[:2]] = 0
        sums[part[:2]] += rows[part].sum(axis=2)
    return blocks.column_sums(sums).astype(dtype, copy=False)


class ConvPlan:
    """A layer bound to weights that were brought into the order of its loops once.

    It is made by `pyconv.nn.functional.plan_conv` and called with inputs of one shape. It never
    changes: threads may share it, and a copy is the plan itself. A pickle holds the arguments of
    the plan and the name of the algorithm; weights are packed anew by the process that reads it.

    Attributes
    ----------
    algorithm : str
        The name of the algorithm that runs.
    output_shape : tuple of int
        The shape of the results.
    """

    def __init__(
        self,
        input_shape: object,
        w: npt.ArrayLike,
        bias: npt.ArrayLike | None,
        options: Options,
        how: Execution,
        algorithm: str | None = None,
    ) -> None:
        weights = array(w, "weight", NUMBERS)
        n = weights.ndim - 2
        if not 1 <= n <= 3:
            raise ValueError(
                f"weight has {weights.ndim} dimensions (shape {weights.shape}); allowed are 3 to 5"
            )
        self.input_shape = sized(input_shape, "input_shape", n + 2)
        if weights.dtype.kind == "c":
            raise TypeError(f"weight has dtype {weights.dtype}; a plan takes real weights")
        call = LayerCall(n, np.empty((0, 0, *[1] * n), weights.dtype), weights, bias)
        problem = make_layer_problem(self.input_shape, weights.shape, call.sums, options)
        call.check_bias()
        self.dtype = call.dtype
        self.output_shape = problem.y_shape
        method, max_memory, _ = how
        if max_memory is not None:
            samples = math.prod(problem.x_shape) + math.prod(problem.y_shape)
            copied = samples * call.sums.itemsize if self.dtype != call.sums else 0
            problem = problem.within(memory_limit(max_memory), copied)
        self._plan = layer_plan(problem, method)
        if algorithm not in (None, self.algorithm):  # predictions differ between processes
            with contextlib.suppress(ValueError, MemoryError):  # so does what loops can do
                self._plan = layer_plan(problem, algorithm)
        self._options, self._how = copy.deepcopy(options), how
        self._bias = None if call.bias is None else contiguous(call.bias, call.sums).copy()
        plain = contiguous(weights, call.sums)
        self._packed = self._plan.pack(plain)
        #: As they were given, for another process to pack; some packed weights hold them already.
        packed = self._packed
        held = packed if isinstance(packed, np.ndarray) else getattr(packed, "plain", None)
        self._weight: np.ndarray = np.array(plain) if held is None else held

    def __copy__(self) -> ConvPlan:
        """Return the plan itself, which never changes."""
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> ConvPlan:
        """Return the plan itself, which never changes."""
        return self

    def __reduce__(self) -> tuple[object, ...]:
        """Return the arguments, for another process to bind."""
        weight = self._weight.astype(self.dtype, copy=False)
        bias = None if self._bias is None else self._bias.astype(self.dtype, copy=False)
        call = (self.input_shape, weight, bias, self._options, self._how)
        return ConvPlan, (*call, self.algorithm)

    @property
    def algorithm(self) -> str:
        """The name of the algorithm that runs."""
        return self._plan.algorithm.name

    def explain(self) -> Explanation:
        """Say which algorithm runs, what the others would cost, or why they cannot.

        Returns
        -------
        pyconv.Explanation
            Prints as a table, and carries the same as data. Error bounds are parts of the
            Σ|x||w| of a window; times are predicted for one thread.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconv.nn import functional
        >>> weight = np.ones((64, 64, 3, 3), "float32")
        >>> why = functional.plan_conv((1, 64, 56, 56), weight, padding=1).explain()
        >>> why.algorithm
        'winograd4'
        >>> [row.rejected for row in why.candidates if row.algorithm == "depthwise"]
        [...]
        """
        return layer_explanation(self._plan, self._how[0])

    @np.errstate(all="ignore")
    def __call__(
        self, x: npt.ArrayLike, *, out: Array | None = None, workers: int | None = None
    ) -> Array:
        """Return the layer's result for one input.

        Parameters
        ----------
        x : array_like
            Input of the shape that the plan was made for, real.
        out : ndarray, optional
            Array that receives the result.
        workers : int, optional
            Threads to use at most.

        Returns
        -------
        ndarray
            The result; `out` if that was given.

        Raises
        ------
        ValueError, TypeError
            If the input's shape or dtype is not that of the plan, or `out` does not fit.
        """
        given = array(x, "input", NUMBERS)
        if given.shape != self.input_shape:
            raise ValueError(
                f"input has shape {given.shape}, but the plan is for {self.input_shape}"
            )
        if native_dtype(given.dtype) != self.dtype:
            raise TypeError(f"input has dtype {given.dtype}, but the plan is for {self.dtype}")
        plan = self._plan
        sums = plan.problem.dtype
        if plan.problem.max_memory < math.inf and sums == self.dtype:
            copied = _copy_bytes(given, sums)
            plan = layer_plan(replace(plan.problem, copied=copied), self.algorithm)
        if out is not None:
            check_out(out, self.output_shape, self.dtype)
        direct = out is not None and sums == self.dtype and writable_in_place(out, given)
        y = out if out is not None and direct else empty(self.output_shape, sums)
        plan.run(native(given, sums), self._packed, self._bias, y, workers)
        if out is None:
            return y.astype(self.dtype, copy=False)
        if y is not out:
            out[...] = y
        return out


# ---- the adjoint ----------------------------------------------------------------------------


class Adjoint:
    """Aᵀ, where A is a layer as a matrix: planned before anything is copied."""

    def __init__(self, problem: LayerProblem, method: str, workers: int | None) -> None:
        self.problem = problem
        self.workers = workers
        self.folded = [a for a in problem.spatial if a.boundary != "constant" and (a.low or a.high)]
        #: The layer whose input has been extended, until what is outside is folded back.
        self.extended = problem.zero_padded() if self.folded else problem
        self.phases = adjoint_phases(self.extended)
        strides = [a.stride for a in problem.spatial]
        self.whole = len(self.phases) == 1 and max(strides) == 1
        self.plans: list[LayerPlan] = []
        if math.prod(problem.y_shape):
            self.plans = layer_plans([self._layer(p) for p in self.phases], method)

    def _layer(self, phase: Phase) -> LayerProblem:
        """Return the layer of a phase, with what is copied around it."""
        layer = phase.of(self.extended)
        if layer.max_memory == math.inf:
            return layer
        samples = 2 * math.prod(self.extended.x_shape) if self.folded else 0
        samples += 0 if self.whole else math.prod(layer.y_shape)
        samples += math.prod(layer.w_shape) if layer.groups > 1 else 0
        copied = layer.copied + samples * layer.dtype.itemsize
        return replace(layer, copied=copied, straight_weights=False)

    def run(self, dy: np.ndarray, w: np.ndarray, bias: np.ndarray | None, dx: np.ndarray) -> None:
        """Write Aᵀ dy to ``dx``; there is no bias."""
        if not self.folded:
            self._run_of_zeros(dy, w, dx)
            return
        extended = np.empty(self.extended.x_shape, dx.dtype)
        self._run_of_zeros(dy, w, extended)
        for a in self.problem.spatial:
            extended = _fold(extended, a)
        dx[...] = extended

    def weights(self, w: np.ndarray) -> list[np.ndarray]:
        """Return the weights of each phase."""
        turned = _channels_swapped(w, self.problem.groups)
        return [turned[phase.taps] for phase in self.phases]

    def _run_of_zeros(self, dy: np.ndarray, w: np.ndarray, dx: np.ndarray) -> None:
        if not dy.size:
            dx[...] = 0
            return
        if not self.whole and len(self.phases) < math.prod(
            min(a.stride, a.size) for a in self.extended.spatial
        ):
            dx[...] = 0
        for phase, plan, weights in zip(self.phases, self.plans, self.weights(w), strict=True):
            part = dx if self.whole else empty(plan.problem.y_shape, dx.dtype)
            plan.run(dy, weights, None, part, self.workers)
            if not self.whole:
                dx[phase.into] = part
            del part  # before the next one is made


def _channels_swapped(w: np.ndarray, groups: int) -> np.ndarray:
    """Return (C, K / groups, taps…) of weights (K, C / groups, taps…)."""
    by_group = w.reshape(groups, -1, *w.shape[1:]).swapaxes(1, 2)
    return by_group.reshape(-1, by_group.shape[2], *w.shape[2:])


def _fold(extended: np.ndarray, a: Any) -> np.ndarray:
    """Add the gradient of each sample outside to the sample that was read there."""
    rows = np.moveaxis(extended, a.axis, 0)
    inside = rows[a.low : a.low + a.size].copy()
    before, after = a.outside()
    for coordinate, source in zip(
        (*range(a.low), *range(a.low + a.size, len(rows))), (*before, *after), strict=True
    ):
        if source >= 0:
            inside[source] += rows[coordinate]
    return np.moveaxis(inside, 0, a.axis)


# ---- one call -------------------------------------------------------------------------------


class LayerCall:
    """The arrays of a call: dtypes settled, the batch axis there."""

    #: Whether the weights are conjugated for the call.
    conjugated = False

    def __init__(
        self,
        n: int,
        x: npt.ArrayLike,
        w: npt.ArrayLike,
        bias: npt.ArrayLike | None,
        argument: str = "input",
    ) -> None:
        self.n = n
        x = array(x, argument, NUMBERS)
        self.w = array(w, "weight", NUMBERS)
        self.bias = None if bias is None else array(bias, "bias", NUMBERS)
        if self.w.ndim != n + 2:
            raise ValueError(
                f"weight has {self.w.ndim} dimensions (shape {self.w.shape}); {n + 2} are "
                f"allowed: output and input channels and {n} spatial axes"
            )
        self.x, self.unbatched = batched(x, n, argument)
        arrays = [a for a in (self.x, self.w, self.bias) if a is not None]
        self.dtype = result_dtype(arrays)
        self.sums = SUMS[self.dtype]
        self.part = PARTS[self.sums]

    def copied(self, y_shape: tuple[int, ...]) -> int:
        """Return the bytes of the copies that `result` makes of the arrays and of the result."""
        x, w, y = (
            math.prod(shape) * self.part.itemsize for shape in (self.x.shape, self.w.shape, y_shape)
        )
        if self.sums.kind == "c":
            weights = (2 + 2 * self.conjugated) * w
            return max(5 * x, 2 * x + 5 * y) + weights
        bias = 0 if self.bias is None else _copy_bytes(self.bias, self.sums, True)
        copies = _copy_bytes(self.x, self.sums) + _copy_bytes(self.w, self.sums, True) + bias
        return copies + (0 if self.sums == self.dtype else y)

    def check_bias(self, channels: int | None = None) -> None:
        channels = self.w.shape[0] if channels is None else channels
        if self.bias is not None and self.bias.shape != (channels,):
            raise ValueError(
                f"bias has shape {self.bias.shape}, but the {channels} output channels of weight "
                f"{self.w.shape} need shape ({channels},)"
            )

    def result(self, y_shape: tuple[int, ...], run: _Run, out: Array | None) -> Array:
        """Run a layer into ``out`` or a fresh array."""
        shape = y_shape[1:] if self.unbatched else y_shape
        sources = [a for a in (self.x, self.w, self.bias) if a is not None]
        if out is not None:
            check_out(out, shape, self.dtype)
        direct = out is not None and self.sums == self.dtype and writable_in_place(out, *sources)
        y = out if out is not None and direct else empty(shape, self.sums)
        total = y[np.newaxis] if self.unbatched else y
        if self.sums.kind == "c":
            self._run_parts(run, total)
        else:
            bias = None if self.bias is None else contiguous(self.bias, self.sums)
            run(native(self.x, self.sums), contiguous(self.w, self.sums), bias, total)
        if out is None:
            return y.astype(self.dtype, copy=False)
        if y is not out:
            out[...] = y
        return out

    def _run_parts(self, run: _Run, y: np.ndarray) -> None:
        """Run Re w and Im w over the parts of x: (a + ib)(c + id) = (a + ib)c + i(a + ib)d."""
        x = np.concatenate([self.x.real, self.x.imag]).astype(self.part)
        by_real, by_imag = (empty((2 * y.shape[0], *y.shape[1:]), self.part) for _ in range(2))
        run(x, contiguous(self.w.real, self.part), None, by_real)
        run(x, contiguous(self.w.imag, self.part), None, by_imag)
        n = y.shape[0]
        y.real = by_real[:n] - by_imag[n:]
        y.imag = by_real[n:] + by_imag[:n]
        if self.bias is not None:
            y += self.bias.reshape(-1, *[1] * self.n)


def _copy_bytes(array: np.ndarray, dtype: np.dtype, contiguous: bool = False) -> int:
    """Return the bytes that `native` copies of an array, or `contiguous`."""
    flags = array.flags
    straight = flags.c_contiguous or not contiguous
    if array.dtype == dtype and array.dtype.isnative and flags.aligned and straight:
        return 0
    return array.size * dtype.itemsize


def _on_parts(problem: LayerProblem, sums: np.dtype) -> LayerProblem:
    """Return the problem on real and imaginary parts, twice the batch, if sums are complex."""
    if sums.kind != "c":
        return problem
    return replace(problem, batch=2 * problem.batch)


def _check_gradient(
    call: LayerCall, shape: tuple[int, ...], x_shape: tuple[int, ...], w_shape: tuple[int, ...]
) -> None:
    if call.x.shape != shape:
        raise ValueError(
            f"grad_output has shape {call.x.shape}, but the result of input {x_shape} and weight "
            f"{w_shape} has shape {shape}"
        )


def sized(value: object, argument: str, ndim: int) -> tuple[int, ...]:
    """Return the shape that an argument names, of an array of ``ndim`` dimensions."""
    size = shape(value, argument)
    if len(size) != ndim:
        raise ValueError(f"{argument}={value!r}: the {ndim} lengths of an array are allowed")
    return size


def _transposed(
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    dtype: np.dtype,
    options: Options,
    output_padding: object,
) -> LayerProblem:
    """Return the layer whose transpose takes ``x_shape``: its input is the transpose's result."""
    n = len(w_shape) - 2
    groups = checked_groups(options.groups)
    if 0 in w_shape:
        raise ValueError(f"weight is empty (shape {w_shape})")
    if x_shape[1] != w_shape[0]:
        raise ValueError(
            f"input {x_shape} and weight {w_shape} do not fit: input has {x_shape[1]} channels, "
            f"weight takes {w_shape[0]}"
        )
    strides = positive(options.stride, n, "stride")
    dilations = positive(options.dilation, n, "dilation")
    spans = [(k - 1) * d + 1 for k, d in zip(w_shape[2:], dilations, strict=True)]
    pads = paddings(options.padding, spans, strides)
    extra = integers(output_padding, n, "output_padding")
    size = [x_shape[0], w_shape[1] * groups]
    for i in range(n):
        if not 0 <= extra[i] < max(strides[i], dilations[i]):
            raise ValueError(
                f"output_padding={output_padding!r}: from 0 to less than stride {strides} or "
                f"dilation {dilations} is allowed"
            )
        if x_shape[2 + i] == 0:
            raise ValueError(f"input is empty along axis {2 + i} (shape {x_shape})")
        length = (x_shape[2 + i] - 1) * strides[i] + spans[i] + extra[i] - sum(pads[i])
        if length < 1:
            raise ValueError(
                f"the result would be empty along axis {2 + i}: input {x_shape}, weight "
                f"{w_shape}, stride {strides}, padding {pads}"
            )
        size.append(length)
    problem = make_layer_problem(tuple(size), w_shape, dtype, options)
    # A layer of a large dilation could have more results than the transpose has samples.
    spatial = tuple(
        replace(a, out=length) for a, length in zip(problem.spatial, x_shape[2:], strict=True)
    )
    return replace(problem, spatial=spatial)
