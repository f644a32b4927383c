"""Axes of one sample may have any stride: NumPy calls such arrays contiguous all the same.

``x[:, :, None]`` has a stride of 0, ``x[..., ::-1]`` a negative one. Every loop gives the bits of
a fresh array, which has none of these.
"""

import functools
import itertools

import numpy as np
import pytest
from arrays import bits, noise
from conftest import one_in
from test_alignment import FITTING, _arrays
from test_arguments import FUNCTIONS, required

import pyconv
from pyconv import filters, ndimage
from pyconv import signal as pyconv_signal
from pyconv._engine import planning
from pyconv._engine.algorithms import LAYER_ALGORITHMS, WEIGHT_GRADIENT_ALGORITHMS
from pyconv._native import layout
from pyconv.nn import functional, grad

#: One such axis first, in the middle and last, and several.
SHAPES = [
    (40, 30, 1), (40, 1, 30), (1, 40, 30), (33, 1, 1), (1, 33, 1), (1, 1, 33), (20, 19, 1, 1),
    (1, 20, 1, 19), (9, 10, 11, 1), (9, 1, 10, 3), (40, 1), (1, 40), (1, 1), (1,),
]  # fmt: skip


def odd_views(a):
    """Yield views of a copy whose axes of one sample have the strides 0, −item and 1000·item."""
    steps = (0, -a.itemsize, 1000 * a.itemsize)
    for k in range(3):
        each = itertools.cycle(steps[k:] + steps[:k])
        copy = a.copy()
        strides = [next(each) if n == 1 else s for n, s in zip(a.shape, copy.strides, strict=True)]
        view = np.lib.stride_tricks.as_strided(copy, a.shape, strides)
        assert view.flags.c_contiguous
        yield view


def check(call, **arrays):
    """Require the bits of a call for every odd view of each of its arrays, and of all of them."""
    expected = [bits(a) for a in _arrays(call(**{k: a.copy() for k, a in arrays.items()}))]
    assert expected
    odd = {name: list(odd_views(a)) for name, a in arrays.items()}
    for few in {*((name,) for name in arrays), tuple(arrays)}:
        for i in range(3):
            given = {k: odd[k][i] if k in few else a.copy() for k, a in arrays.items()}
            assert [bits(a) for a in _arrays(call(**given))] == expected, (few, i)


def test_settled():
    """Strides become those of a contiguous array; others stay, and the samples are the same."""
    for shape in SHAPES:
        plain = np.arange(np.prod(shape), dtype=float).reshape(shape)
        assert layout.settled(plain) is plain
        for view in odd_views(plain):
            found = layout.settled(view)
            assert found.strides == plain.strides
            assert np.shares_memory(found, view)
            np.testing.assert_array_equal(found, plain)
    room = np.zeros((6, 8))
    assert layout.settled(room[::2, None, ::-2]).strides == (128, -64, -16)
    assert layout.settled(room[..., None].T).strides == (64, 8, 64)
    assert layout.settled(np.broadcast_to(room, (3, 1, 6, 8))).strides == (0, 384, 64, 8)


@pytest.mark.parametrize(
    ("dtype", "method"),
    one_in(
        2, ["float32", "float64", "complex64", "int16", "uint8", "float16"],
        [name for name in planning.METHODS if name != "reference"],
    ),
)  # fmt: skip
def test_every_algorithm(isa, rng, method, dtype):
    """Of correlations, along every choice of axes: x, w and out."""
    del isa
    taken = 0
    for shape in SHAPES:
        for n in range(1, min(3, len(shape)) + 1):
            for axes in itertools.combinations(range(len(shape)), n):
                x = noise(rng, shape, dtype)
                w_shape = tuple(min(3, shape[a]) for a in axes)
                w = FITTING.get(method, lambda rng, size: noise(rng, size, dtype))(rng, w_shape)
                w = w.astype(dtype)
                options = {
                    "axes": axes, "mode": "same", "boundary": "mirror", "method": method,
                    "rtol": 0.1 if method == "recursive" else None,
                    "dtype": dtype if np.dtype(dtype).kind == "c" else None, "overflow": "wrap",
                }  # fmt: skip
                run = functools.partial(pyconv.correlate, **options)
                try:
                    y = run(x, w)
                except (ValueError, TypeError) as error:
                    assert "cannot solve" in str(error)  # noqa: PT017
                    continue
                taken += 1
                check(run, x=x, w=w, out=np.zeros_like(y))
    assert taken or np.dtype(dtype).kind in {"fft": "iu", "recursive": "iuc"}.get(method, "cu")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", [name for name in filters.__all__ if name != "gabor_bank"])
def test_filters(widest_isa, rng, name, shape):
    """Of every kernel, along every choice of axes."""
    del widest_isa
    given = required(f"pyconv.filters.{name}", getattr(filters, name))
    taken = 0
    for n in (1, 2, 3):
        for axes in itertools.combinations(range(len(shape)), n):
            for dtype in ("float32", "uint8"):
                x = noise(rng, shape, dtype)
                run = functools.partial(getattr(filters, name), **given | {"axes": axes})
                try:
                    y = run(x=x)
                except ValueError:
                    continue  # no kernel of so many axes
                taken += 1
                if isinstance(y, np.ndarray):
                    check(run, x=x, out=np.zeros_like(y))
                else:
                    check(run, x=x)
    assert taken or len(shape) < 3


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "uint8", "int32", "float16"])
@pytest.mark.parametrize("name", ndimage.__all__)
def test_drop_ins(widest_isa, rng, name, dtype):
    """Samples, weights and `output`; along all axes and along one."""
    del widest_isa
    run = getattr(ndimage, name)
    options = {"sigma": 1.5} if "gauss" in name else {"size": 5} if "uniform" in name else {}
    for shape in SHAPES:
        x = noise(rng, shape, dtype)
        for axis in range(len(shape)):
            along = {}
            if name.endswith("1d") or name in ("prewitt", "sobel"):
                along = {"axis": axis}
            elif axis > 0:
                if name in ("correlate", "convolve", "uniform_filter", "gaussian_filter"):
                    along = {"axes": (axis,)}
                else:
                    continue
            weights = {}
            if name in ("correlate1d", "convolve1d"):
                weights = {"weights": noise(rng, 3, "float64")}
            elif name in ("correlate", "convolve"):
                size = (3,) if along else tuple(min(n, 3) for n in shape)
                weights = {"weights": noise(rng, size, "float64")}
            try:
                y = run(x, **weights, **options, **along)
            except (TypeError, RuntimeError, ValueError):
                assert np.dtype(dtype).kind == "c" or x.dtype == np.float16
                continue
            call = functools.partial(run, **options, **along)
            check(call, input=x, **weights)

            def written(input, output, call=call, weights=weights):  # noqa: A002
                call(input, output=output, **weights)
                return output

            check(written, input=x, output=np.zeros_like(y))


@pytest.mark.parametrize(
    "name", ["convolve", "correlate", "convolve2d", "correlate2d", "fftconvolve", "oaconvolve"]
)
def test_signal(widest_isa, rng, name):
    """Both arrays."""
    del widest_isa
    run = getattr(pyconv_signal, name)
    for x_shape, w_shape in [
        ((30, 1), (5, 1)),
        ((1, 30), (1, 4)),
        ((30, 31), (5, 1)),
        ((1, 1), (1, 1)),
    ]:
        for mode in ("full", "same", "valid"):
            check(
                lambda a, b, mode=mode: run(a, b, mode),
                a=noise(rng, x_shape, "float64"), b=noise(rng, w_shape, "float64"),
            )  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "complex64"])
def test_missing_samples_and_templates(widest_isa, rng, dtype):
    """By every way of such a call; masks too."""
    del widest_isa
    for shape in [(12, 11, 1), (12, 1, 11), (1, 12, 11), (7, 6, 1, 1), (30, 1)]:
        for n in (1, 2):
            for axes in itertools.combinations(range(len(shape)), n):
                x, mask = noise(rng, shape, dtype), rng.random(shape) < 0.2
                w_shape = tuple(min(3, shape[a]) for a in axes)
                w = (np.abs(noise(rng, w_shape, dtype)) + 1).astype(dtype)
                for method in ("auto", "direct", "fft", "im2col"):
                    run = functools.partial(
                        pyconv.correlate, mode="same", boundary="mirror", axes=axes, method=method,
                        dtype=np.result_type(dtype, np.float32),
                    )  # fmt: skip
                    try:
                        run(x, w, mask=mask)
                    except ValueError as error:
                        assert "cannot solve" in str(error)  # noqa: PT017
                        continue
                    check(run, x=x, w=w, mask=mask)
                if np.dtype(dtype).kind != "c":
                    t = noise(rng, w_shape, dtype)
                    run = functools.partial(pyconv.match_template, axes=axes, mode="same")
                    check(run, image=x, template=t)
                    check(run, image=x, template=t, image_mask=mask)


LAYERS = [
    ((1, 3, 12, 1), (4, 3, 3, 1), {"padding": (1, 0)}),
    ((1, 3, 1, 12), (4, 3, 1, 3), {"padding": (0, 1)}),
    ((2, 1, 12, 13), (1, 1, 3, 3), {"padding": 1}),
    ((1, 16, 12, 12), (16, 16, 3, 3), {"padding": 1}),
    ((1, 16, 12, 12), (16, 1, 3, 3), {"padding": 1, "groups": 16}),
    ((2, 16, 12, 1), (16, 1, 3, 1), {"padding": (1, 0), "groups": 16}),
    ((1, 16, 12, 12), (16, 1, 3, 3), {"padding": 1, "groups": 16, "stride": 2}),
    ((1, 8, 1, 1), (8, 8, 1, 1), {}),
    ((3, 8, 9, 9), (8, 8, 1, 1), {}),
    ((1, 1, 20), (1, 1, 3), {"padding": 1}),
    ((1, 2, 5, 1, 6), (3, 2, 3, 1, 3), {"padding": (1, 0, 1)}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", LAYERS, ids=str)
def test_layers(isa, rng, case, dtype):
    """By every algorithm, and their gradients."""
    del isa
    x_shape, w_shape, options = case
    n = len(x_shape) - 2
    conv = getattr(functional, f"conv{n}d")
    x, w, bias = (
        noise(rng, x_shape, dtype),
        noise(rng, w_shape, dtype),
        noise(rng, w_shape[0], dtype),
    )
    y = conv(x, w, bias, **options)
    for method in ("auto", *(a.name for a in LAYER_ALGORITHMS)):
        run = functools.partial(conv, method=method, **options)
        try:
            run(x, w, bias)
        except ValueError:
            continue
        check(run, input=x, weight=w, bias=bias, out=np.zeros_like(y))
        check(
            lambda input, weight, bias, out, method=method: functional.plan_conv(  # noqa: A006
                x_shape, weight, bias, method=method, **options
            )(input, out=out),
            input=x, weight=w, bias=bias, out=np.zeros_like(y),
        )  # fmt: skip
    check(
        functools.partial(getattr(grad, f"conv{n}d_input"), x_shape, **options),
        weight=w, grad_output=y,
    )  # fmt: skip
    check(
        functools.partial(getattr(functional, f"conv_transpose{n}d"), **options),
        input=y, weight=w,
    )  # fmt: skip
    for method in ("auto", *(a.name for a in WEIGHT_GRADIENT_ALGORITHMS)):
        run = functools.partial(
            getattr(grad, f"conv{n}d_weight"), weight_size=w_shape, method=method, **options
        )
        try:
            run(x, grad_output=y)
        except ValueError:
            continue
        check(run, input=x, grad_output=y)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize(
    "size", [(1,), (12,), (1, 12), (12, 1), (1, 1), (5, 1, 6), (5, 6, 1)], ids=str
)
def test_pools_and_columns(isa, rng, size, dtype):
    """Pools, their gradients, `unfold` and `fold`."""
    del isa
    n = len(size)
    kernel = tuple(min(2, k) for k in size)
    for lead in ((1, 3), (2, 1), (1, 1)):
        x = noise(rng, (*lead, *size), dtype)
        largest = functools.partial(
            getattr(functional, f"max_pool{n}d"), kernel_size=kernel, return_indices=True
        )
        y, indices = largest(x)
        check(largest, input=x)
        check(
            functools.partial(getattr(grad, f"max_pool{n}d_input"), x.shape),
            indices=indices, grad_output=y,
        )  # fmt: skip
        check(functools.partial(getattr(functional, f"avg_pool{n}d"), kernel_size=kernel), input=x)
        check(
            functools.partial(getattr(grad, f"avg_pool{n}d_input"), x.shape, kernel_size=kernel),
            grad_output=y,
        )  # fmt: skip
        for kind in ("avg", "max"):
            pool = getattr(functional, f"adaptive_{kind}_pool{n}d")
            check(functools.partial(pool, output_size=kernel), input=x)
        check(functional.global_avg_pool, input=x)
        check(functional.relu, input=x)
        columns = functional.unfold(x, kernel)
        check(functools.partial(functional.unfold, kernel_size=kernel), input=x)
        check(
            functools.partial(functional.fold, output_size=size, kernel_size=kernel), input=columns
        )


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name.startswith("pyconv.nn")])
def test_functions_of_layers(widest_isa, name):
    """As the test of arguments calls them."""
    del widest_isa
    given = required(name, FUNCTIONS[name])
    arrays = {k: value for k, value in given.items() if isinstance(value, np.ndarray)}
    if arrays:
        check(lambda **a: FUNCTIONS[name](**given | a), **arrays)
