"""Compiled loops get samples where the machine may load them, whatever a caller passes.

Every array argument of every public function is misaligned in turn. Whatever goes to the compiled
room is looked at, because most machines load misaligned samples without a word.
"""

import functools
from fractions import Fraction

import numpy as np
import pytest
from arrays import LAYOUTS, noise
from test_arguments import FUNCTIONS, LEFT, required

import pyconv
from pyconv import kernels, ndimage
from pyconv import signal as pyconv_signal
from pyconv._engine import planning
from pyconv._engine.algorithms import LAYER_ALGORITHMS, WEIGHT_GRADIENT_ALGORITHMS
from pyconv._native import loader
from pyconv.nn import functional, grad
from pyconv.operators import linear_operator, sparse_matrix

misaligned = LAYOUTS["misaligned"]


def _arrays(value):
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _arrays(each)


class Watched:
    """A module, a loop or a method of the compiled room; arrays that it gets are looked at."""

    def __init__(self, what, seen):
        self._what, self._seen = what, seen

    def __getattr__(self, name):
        value = getattr(self._what, name)
        return Watched(value, self._seen) if callable(value) else value

    def __call__(self, *args, **keywords):
        for array in _arrays([*args, *keywords.values()]):
            self._seen.append(getattr(self._what, "__name__", "?"))
            assert array.flags.aligned, self._what
            assert array.dtype.isnative, self._what
        args = [a._what if isinstance(a, Watched) else a for a in args]
        result = self._what(*args, **keywords)
        compiled = type(result).__module__.startswith("pyconv._native")
        return Watched(result, self._seen) if compiled else result


@pytest.fixture
def watched(use_isa, monkeypatch):
    """Look at all that the loops get; the value lists the functions that have got arrays."""
    use_isa(loader.native.ISA)  # plans are made anew, and forgotten afterwards
    seen = []
    monkeypatch.setattr(loader, "native", Watched(loader.native, seen))
    return seen


def check(call, **arrays):
    """Require the result of a call with each of its arrays misaligned, and with all of them."""
    expected = list(_arrays(call(**arrays)))
    for few in [*((name,) for name in arrays), tuple(arrays)]:
        moved = {name: misaligned(arrays[name]) for name in few}
        assert not any(array.flags.aligned for array in moved.values() if array.itemsize > 1)
        found = list(_arrays(call(**arrays | moved)))
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == other.dtype
            close = 1e-4 if one.dtype.itemsize < 8 else 1e-10
            np.testing.assert_allclose(one, other, rtol=close, atol=close)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if not name.endswith(LEFT)])
def test_public_functions(watched, name):
    """The arguments of each, as the test of arguments makes them."""
    given = required(name, FUNCTIONS[name])
    arrays = {k: value for k, value in given.items() if isinstance(value, np.ndarray)}
    check(lambda **a: FUNCTIONS[name](**given | a), **arrays)


#: Shapes of x and w, and options: pictures, lines, volumes, samples of colours.
CALLS = [
    ((40, 50), (7, 5), {}),
    ((300,), (17,), {"mode": "same", "boundary": "mirror", "stride": 2}),
    ((9, 10, 20), (3, 2, 5), {"mode": "full", "dilation": 2}),
    ((20, 30, 3), (3, 3), {"axes": (0, 1), "mode": "same", "boundary": "wrap"}),
]
DTYPES = ["float32", "float64", "complex128", "int64"]
#: Weights that an algorithm is for; others take any.
FITTING = {
    "box": lambda rng, shape: np.full(shape, 2),
    "separable": lambda rng, shape: functools.reduce(np.multiply.outer, map(np.arange, shape)),
    "recursive": lambda rng, shape: kernels.gaussian(2.0, ndim=len(shape)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", [name for name in planning.METHODS if name != "reference"])
def test_every_algorithm(watched, rng, method, dtype):
    """Of correlations: x, w, both and `out`; plans, too."""
    taken = 0
    for (x_shape, w_shape, options), call in zip(
        CALLS, 2 * [pyconv.correlate, pyconv.convolve], strict=True
    ):
        options = options | {"method": method, "rtol": 0.1 if method == "recursive" else None}
        x = noise(rng, x_shape, dtype)
        w = FITTING.get(method, lambda rng, shape: noise(rng, shape, dtype))(rng, w_shape)
        w = w.astype(dtype)
        try:
            y = call(x, w, **options)
        except ValueError as error:
            assert "cannot solve" in str(error)  # noqa: PT017
            continue
        taken += 1
        check(functools.partial(call, **options), x=x, w=w, out=np.empty_like(y))
        made = pyconv.plan(x, misaligned(w), flip=call is pyconv.convolve, **options)
        check(made, x=x)
    assert taken or np.dtype(dtype).kind in REFUSED[method]
    assert watched or not taken


#: The kinds of samples that an algorithm does not sum.
REFUSED = {"fft": "i", "recursive": "ic", "separable": "c", "box": "c"}


@pytest.mark.parametrize("dtype", DTYPES)
def test_samples_left_out(watched, rng, dtype):
    """By every way of such a call."""
    for x_shape, w_shape, options in CALLS:
        x, w = noise(rng, x_shape, dtype), np.abs(noise(rng, w_shape, dtype)) + 1
        w = w.astype(dtype)
        mask = rng.random(x_shape) < 0.2
        for method in ("auto", "fft", "im2col"):
            run = functools.partial(pyconv.correlate, mask=mask, method=method, **options)
            try:
                run(x, w)
            except ValueError:
                continue
            check(run, x=x, w=w)
    x, t = noise(rng, (40, 50), dtype), noise(rng, (5, 6), dtype)
    if np.dtype(dtype).kind != "c":
        mask = rng.random(x.shape) < 0.1
        check(lambda image, template: pyconv.match_template(image, template, image_mask=mask),
              image=x, template=t)  # fmt: skip
        loud = x.copy()
        loud[3, 4] = 30_000
        check(pyconv.match_template, image=loud, template=t)
        check(pyconv.match_template, image=loud * 0 + 7, template=t)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int32"])
def test_drop_ins(watched, rng, dtype):
    """Samples, weights and `output`."""
    x, w, row = (noise(rng, shape, dtype) for shape in ((30, 31), (3, 5), (7,)))
    y = np.empty_like(x)
    for name in ndimage.__all__:
        run = getattr(ndimage, name)
        options = {"sigma": 1.5} if "gauss" in name else {"size": 5} if "uniform" in name else {}
        weights = {}
        if name in ("correlate", "convolve", "correlate1d", "convolve1d"):
            weights = {"weights": row if name.endswith("1d") else w}
        check(functools.partial(run, **options), input=x, **weights)
        check(functools.partial(run, **options), input=x, **weights, output=y)
    for name in ("convolve", "correlate", "convolve2d", "correlate2d", "fftconvolve", "oaconvolve"):
        run = getattr(pyconv_signal, name)
        check(lambda a, b, run=run: run(a, b), a=x, b=w)
        check(lambda a, b, run=run: run(a, b, "same"), a=w, b=x)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_layers(watched, rng, dtype):
    """By every algorithm, with a bias; gradients for samples and weights, columns and losses."""
    for channels, groups, size in ((16, 1, 3), (16, 16, 3), (16, 2, 5), (16, 1, 1)):
        x = noise(rng, (2, channels, 12, 13), dtype)
        weight = noise(rng, (channels, channels // groups, size, size), dtype)
        bias = noise(rng, channels, dtype)
        options = {"groups": groups, "padding": size // 2}
        for method in ("auto", *(a.name for a in LAYER_ALGORITHMS)):
            run = functools.partial(functional.conv2d, method=method, **options)
            try:
                run(x, weight, bias)
            except ValueError:
                continue
            check(run, input=x, weight=weight, bias=bias)
        y = functional.conv2d(x, weight, **options)
        check(
            functools.partial(grad.conv2d_input, x.shape, **options), weight=weight, grad_output=y
        )
        up = functools.partial(functional.conv_transpose2d, **options)
        check(up, input=y, weight=weight, bias=bias)
        for method in ("auto", *(a.name for a in WEIGHT_GRADIENT_ALGORITHMS)):
            run = functools.partial(
                grad.conv2d_weight, weight_size=weight.shape, method=method, **options
            )
            check(run, input=x, grad_output=y)
    rows, weight = noise(rng, (9, 5), dtype), noise(rng, (4, 5), dtype)
    check(functional.linear, input=rows, weight=weight, bias=noise(rng, 4, dtype))
    check(functional.relu, input=rows)
    check(functools.partial(functional.log_softmax, dim=1), input=rows)
    check(functional.cross_entropy, input=rows, target=rng.integers(0, 5, 9))
    check(functools.partial(functional.unfold, kernel_size=3), input=x)
    columns = functional.unfold(x, 3)
    check(functools.partial(functional.fold, output_size=x.shape[2:], kernel_size=3), input=columns)
    for pool in ("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"):
        check(functools.partial(getattr(functional, pool), **{
            "output_size" if "adaptive" in pool else "kernel_size": 3
        }), input=x)  # fmt: skip
    pooled, indices = functional.max_pool2d(x, 2, return_indices=True)
    check(functools.partial(grad.max_pool2d_input, x.shape), indices=indices, grad_output=pooled)


def test_operators(watched, rng):
    """An operator, its adjoint and its matrix."""
    w, x = noise(rng, (3, 4), "float64"), noise(rng, 11 * 12, "float64")
    check(lambda w, x: linear_operator((11, 12), w, "same", "wrap") @ x, w=w, x=x)
    check(lambda w, x: linear_operator((11, 12), w, "same", "wrap").H @ x, w=w, x=x)
    check(lambda w: sparse_matrix((11, 12), w, "same", "wrap").toarray(), w=w)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_banks(watched, rng, dtype, axis):
    """A filter for each of some neighbouring lines, or of rows; a filter between two rates."""
    x = np.moveaxis(noise(rng, (64, 90), dtype), axis, 0).copy()
    w = noise(rng, (x.shape[1 - axis], 7), dtype)
    check(functools.partial(pyconv.correlate_each, axis=axis), x=x, w=w)
    if dtype != "int16":  # SciPy has no such samples under integer weights
        check(lambda x, w: pyconv_signal.lfilter(w, 1, x, axis=axis), x=x, w=w)
    call = functools.partial(pyconv.correlate, axes=axis, stride=Fraction(2, 3))
    check(call, x=x, w=w[0].copy())
    assert watched
