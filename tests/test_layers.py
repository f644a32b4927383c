"""Layers: every algorithm and variant against the definition, and the laws of their gradients."""

import itertools
import threading

import layer_oracles
import numpy as np
import pytest
from arrays import bits, noise, small
from hypothesis import given
from hypothesis import strategies as st

from pyconv._engine import planner
from pyconv._engine.algorithms import LAYER_ALGORITHMS, WEIGHT_GRADIENT_ALGORITHMS
from pyconv._engine.algorithms.base import layer_summation_bound
from pyconv._engine.algorithms.layers.blocked import Blocked
from pyconv._engine.layer_problem import PADDING_MODES, Options, make_layer_problem
from pyconv.nn import functional, grad

CONV = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
TRANSPOSE = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}
INPUT = {1: grad.conv1d_input, 2: grad.conv2d_input, 3: grad.conv3d_input}
WEIGHT = {1: grad.conv1d_weight, 2: grad.conv2d_weight, 3: grad.conv3d_weight}
TRANSPOSE_INPUT = {n: getattr(grad, f"conv_transpose{n}d_input") for n in (1, 2, 3)}
TRANSPOSE_WEIGHT = {n: getattr(grad, f"conv_transpose{n}d_weight") for n in (1, 2, 3)}
BIAS = {1: grad.conv1d_bias, 2: grad.conv2d_bias, 3: grad.conv3d_bias}

#: Shapes of input and weights, and options: the corners of each.
CASES = [
    *(
        # Channels and outputs around the vectors and tiles of every variant.
        ((1, c, 5, 6), (k, c, 3, 3), {"padding": 1})
        for c in (1, 3, 16, 17)
        for k in (1, 2, 7, 8, 9, 15, 16, 17, 33, 49)
    ),
    *(
        # Widths around them.
        ((2, 3, n), (4, 3, 3), {"padding": 1})
        for n in (1, 2, 4, 7, 8, 9, 15, 16, 17, 31, 33, 47, 48, 49, 95, 97, 200)
    ),
    *(
        # Images from 1 to 5.
        ((1, 2, h, w), (5, 2, 3, 3), {"padding": 1})
        for h in (1, 2, 3, 4, 5)
        for w in (1, 2, 5)
    ),
    ((1, 40, 14, 14), (70, 40, 3, 3), {"padding": 1}),
    ((1, 70, 7, 7), (64, 70, 3, 3), {"padding": 1}),
    ((1, 130, 3, 32), (9, 130, 3, 3), {"padding": 1}),
    ((1, 3, 9, 61), (9, 3, 5, 5), {"padding": 2, "stride": 2}),
    ((1, 17, 25, 40), (5, 17, 3, 3), {"padding": 1}),  # several blocks of pixels
    ((2, 64, 1, 1), (48, 64, 1, 1), {}),
    ((1, 130, 9, 9), (20, 130, 1, 1), {}),
    ((1, 9, 9, 9), (20, 9, 1, 1), {"stride": 2}),
    ((1, 3, 23, 23), (8, 3, 7, 7), {"stride": 2, "padding": 3}),
    ((2, 4, 11, 13), (6, 2, 2, 4), {"groups": 2, "padding": "same"}),
    ((1, 6, 10, 9), (6, 1, 3, 3), {"groups": 6, "padding": 1}),
    ((1, 6, 10, 9), (12, 1, 3, 3), {"groups": 6, "padding": (2, 0), "stride": (2, 1)}),
    ((1, 2, 4, 4), (3, 2, 2, 2), {"padding": 5}),  # pads wider than the kernel
    ((1, 2, 9), (3, 2, 4), {"stride": 4, "padding": ((0, 3),)}),  # a stride that does not divide
    ((1, 2, 300), (3, 2, 80), {"stride": 4, "padding": 38}),
    ((1, 2, 40, 5), (3, 2, 3, 2), {"dilation": (4, 2), "stride": (3, 1), "padding": 2}),
    ((1, 2, 12, 30), (3, 2, 3, 5), {"dilation": (2, 3), "stride": (4, 2)}),
    ((2, 3, 5, 6, 7), (9, 3, 3, 3, 3), {"padding": 1}),
    ((1, 2, 6, 7, 20), (3, 2, 2, 3, 1), {"stride": (2, 1, 3), "dilation": (2, 1, 1), "padding": 1}),
    ((1, 1, 9, 20, 21), (17, 1, 3, 3, 3), {"padding": "valid"}),
]


def ids(case):
    """Name a case."""
    return f"{case[0]}-{case[1]}-{case[2]}".replace(" ", "")


def data(rng, case, dtype):
    """Return input, weights and bias, small whole numbers."""
    x_shape, w_shape, _ = case
    return small(rng, x_shape, dtype), small(rng, w_shape, dtype), small(rng, w_shape[:1], dtype)


def run(call, *args, method, **keywords):
    """Return a result, or None where the algorithm says that it cannot solve this."""
    try:
        return call(*args, method=method, **keywords)
    except ValueError as error:
        if f"method={method!r} cannot solve this layer: " in str(error):
            return None
        raise


def is_plain(method, x, w, options, dtype):
    """Return whether an algorithm sums the products of the definition, exactly on whole numbers."""
    (algorithm,) = (a for a in LAYER_ALGORITHMS if a.name == method)
    problem = make_layer_problem(x.shape, w.shape, np.dtype(dtype), Options(**options))
    return algorithm.error_bound(problem) == layer_summation_bound(problem)


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_layers_are_the_definition(rng, layer_method, case):
    """Whole numbers are summed exactly by plain sums; others stay within their bound."""
    for dtype in ("float32", "float64"):
        x, w, b = data(rng, case, dtype)
        n = x.ndim - 2
        y = run(CONV[n], x, w, b, method=layer_method, **case[2])
        if y is None:
            continue
        expected, scale = layer_oracles.conv(x, w, b, **case[2])
        assert y.dtype == dtype
        if is_plain(layer_method, x, w, case[2], dtype):
            np.testing.assert_array_equal(y, expected)
        else:
            np.testing.assert_allclose(y, expected, atol=64 * np.finfo(dtype).eps * scale.max())


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("padding", [1, 3, ((2, 0), (0, 5))])
def test_padding_modes(rng, layer_method, mode, padding):
    """Every padding mode, also wider than the input, reads what the definition reads."""
    x, w = small(rng, (2, 3, 3, 5), "float32"), small(rng, (4, 3, 3, 3), "float32")
    for stride in (1, 2):
        options = {"padding": padding, "padding_mode": mode, "stride": stride}
        y = run(functional.conv2d, x, w, method=layer_method, **options)
        if y is not None:
            expected, scale = layer_oracles.conv(x, w, **options)
            atol = 0 if is_plain(layer_method, x, w, options, "float32") else 1e-5 * scale.max()
            np.testing.assert_allclose(y, expected, rtol=0, atol=atol)


LAYOUTS = {
    "fortran": np.asfortranarray,
    "reversed": lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1],
    "channels last": lambda a: np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1),
    "strided": lambda a: np.repeat(np.repeat(a, 3, -1), 2, 0)[::2, ..., 1::3],
    "swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "misaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(rng, layer_method, layout):
    """Every memory layout of input, weights, gradient and out gives the answer of a copy."""
    change = LAYOUTS[layout]
    x, w = small(rng, (2, 5, 9, 10), "float32"), small(rng, (4, 5, 3, 3), "float32")
    y = run(functional.conv2d, x, w, padding=1, method=layer_method)
    if y is None:
        return
    again = functional.conv2d(change(x), change(w), padding=1, method=layer_method)
    assert bits(again) == bits(y)
    room = np.zeros((2, 8, 9, 20), "float32")[:, ::2, :, ::2]
    assert functional.conv2d(x, w, padding=1, method=layer_method, out=room) is room
    assert bits(room) == bits(y)
    dy = small(rng, y.shape, "float32")
    np.testing.assert_array_equal(
        grad.conv2d_weight(change(x), w.shape, change(dy), padding=1),
        grad.conv2d_weight(x, w.shape, dy, padding=1),
    )


def test_the_same_bits_for_every_number_of_threads(rng, layer_method):
    """Cutting the work changes no sum."""
    for x_shape, w_shape, options in [
        ((1, 9, 30, 31), (20, 9, 3, 3), {"padding": 1}),
        ((3, 40, 7, 7), (64, 40, 3, 3), {"padding": 1}),
        ((2, 4, 900), (6, 2, 5), {"stride": 2, "groups": 2}),
        ((1, 64, 3, 3), (70, 64, 1, 1), {}),
    ]:
        x, w, b = (noise(rng, s, "float32") for s in (x_shape, w_shape, w_shape[:1]))
        call = CONV[x.ndim - 2]
        y = run(call, x, w, b, method=layer_method, workers=1, **options)
        if y is None:
            continue
        dy = noise(rng, y.shape, "float32")
        for workers in (2, 3, 7):
            again = call(x, w, b, method=layer_method, workers=workers, **options)
            assert bits(again) == bits(y)
        results = [
            (
                WEIGHT[x.ndim - 2](x, w.shape, dy, workers=workers, **options),
                INPUT[x.ndim - 2](x.shape, w, dy, workers=workers, **options),
            )
            for workers in (1, 2, 3, 7)
        ]
        for dw, dx in results[1:]:
            assert bits(dw) == bits(results[0][0])
            assert bits(dx) == bits(results[0][1])


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_gradients_are_adjoint(rng, isa, case):
    """⟨A x, y⟩ = ⟨x, Aᵀ y⟩ = ⟨w, dw⟩, in whole numbers: for every mode, border included."""
    x, w, _ = data(rng, case, "float64")
    n = x.ndim - 2
    for mode in PADDING_MODES:
        options = {**case[2], "padding_mode": mode}
        y, _ = layer_oracles.conv(x, w, **options)
        dy = small(rng, y.shape, "float64")
        product = (y * dy).sum()
        expected = layer_oracles.weight_gradient(x, w.shape, dy, mode=mode, **case[2])
        for method in ("auto", *(a.name for a in WEIGHT_GRADIENT_ALGORITHMS)):
            dw = run(WEIGHT[n], x, w.shape, dy, method=method, **options)
            if dw is not None:
                np.testing.assert_array_equal(dw, expected)
                assert (w * dw).sum() == product
        dx = INPUT[n](x.shape, w, dy, method="blocked", **options)
        assert (x * dx).sum() == product
        other = small(rng, x.shape, "float64")  # the gradient does not depend on x
        y, _ = layer_oracles.conv(other, w, **options)
        assert (other * dx).sum() == (y * dy).sum()
    np.testing.assert_array_equal(BIAS[n](dy), dy.sum((0, *range(2, n + 2))))


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_a_transposed_layer_is_the_adjoint(rng, case):
    """conv_transpose of dy is the gradient for an input of the size that it implies."""
    x, w, _ = data(rng, case, "float64")
    n = x.ndim - 2
    options = {k: v for k, v in case[2].items() if k != "padding" or v not in ("same", "valid")}
    y, _ = layer_oracles.conv(x, w, **options)
    dy, b = small(rng, y.shape, "float64"), small(rng, (x.shape[1],), "float64")
    stride, dilation = (np.broadcast_to(options.get(k, 1), n) for k in ("stride", "dilation"))
    plain = TRANSPOSE[n](dy, w, b, method="blocked", **options)
    extra = tuple(have - got for have, got in zip(x.shape[2:], plain.shape[2:], strict=True))
    if all(0 <= e < max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        result = TRANSPOSE[n](dy, w, b, output_padding=extra, method="blocked", **options)
        dx = INPUT[n](x.shape, w, dy, method="blocked", **options)
        np.testing.assert_array_equal(result, dx + b.reshape(-1, *[1] * n))
        options |= {"output_padding": extra, "method": "blocked"}
        d = small(rng, result.shape, "float64")
        product = ((result - b.reshape(-1, *[1] * n)) * d).sum()
        assert (TRANSPOSE_INPUT[n](dy.shape, w, d, **options) * dy).sum() == product
        assert (TRANSPOSE_WEIGHT[n](dy, w.shape, d, **options) * w).sum() == product


#: Images whose pixels lie around the vectors of every variant, kernels and options.
FEW_PIXELS = [
    *(((h, w), (1, 1), {}) for h, w in [(1, 1), (1, 3), (2, 2), (3, 3), (1, 15), (4, 4), (1, 17)]),
    *(((h, w), (1, 1), {}) for h, w in [(5, 5), (1, 31), (3, 11), (7, 7), (5, 13), (13, 15)]),
    ((7, 7), (3, 3), {"padding": 1}),
    ((9, 10), (3, 3), {"padding": 1, "stride": 2}),
    ((7, 9), (1, 1), {"stride": 2}),
    ((3, 4), (2, 3), {"padding": 2, "dilation": 2, "padding_mode": "reflect"}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_read_as_they_lie(rng, isa, dtype):
    """Rows of weights that no one packs, of any distance: the definition, and the same bits."""
    lanes = isa.vector_bytes() // np.dtype(dtype).itemsize
    terms = itertools.cycle([lanes - 1, 1, lanes, 70, lanes + 1, 2 * lanes, 600])
    outputs = itertools.cycle([1, 25, 64, 3, 7, 48, 8, 17, 9])
    rows = itertools.cycle([np.s_[:], np.s_[::-1], np.s_[::2]])
    read = 0
    for (size, kernel, options), groups in itertools.product(FEW_PIXELS, (1, 2)):
        channels, outs = next(terms), next(outputs) * groups
        x = small(rng, (2, channels * groups, *size), dtype)
        w = small(rng, (2 * outs, channels, *kernel), dtype)[next(rows)][:outs]
        w.flags.writeable = False
        b = small(rng, (outs,), dtype)
        given = {"groups": groups, **options}
        problem = make_layer_problem(x.shape, w.shape, np.dtype(dtype), Options(**given))
        read += w.nbytes <= 2**18 and Blocked().bind(problem).reads(w)
        expected, _ = layer_oracles.conv(x, w, b, **given)
        given["method"] = "blocked"
        plan = functional.plan_conv(x.shape, w, b, **given)
        lying = np.empty(problem.y_shape, dtype)  # a call would make rows contiguous
        assert Blocked().bind(problem).run(x, w, b, lying, 1)
        for y in (functional.conv2d(x, w, b, **given), plan(x), lying):
            np.testing.assert_array_equal(y, expected)
        x, w = noise(rng, x.shape, dtype), noise(rng, w.shape, dtype)
        y = functional.conv2d(x, w, b, workers=1, **given)
        for workers in (2, 5):
            assert bits(functional.conv2d(x, w, b, workers=workers, **given)) == bits(y)
    assert read > len(FEW_PIXELS)


#: Shapes of kernels, and options.
DEPTHWISE = [
    ((3, 3), {"padding": 1}),
    ((3, 3), {"padding": 1, "stride": 2}),
    ((3, 3), {"padding": ((0, 2), (2, 0)), "stride": (2, 1)}),
    ((5, 5), {"padding": 2, "stride": (1, 2)}),
    ((6, 3), {"padding": 5}),
    ((7, 7), {"padding": 3}),
    ((8, 8), {"padding": 4}),
    ((1, 1), {"padding": 2, "stride": 2}),
    ((3, 3), {"padding": 2, "dilation": 2}),
    ((2, 4), {"padding": 3, "stride": 2, "dilation": 2}),
    ((3, 2), {"padding": 4, "stride": (3, 2), "dilation": (2, 3)}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("kernel", "options"), DEPTHWISE, ids=str)
def test_depthwise_planes(rng, isa, kernel, options, dtype):
    """Rows read in place and rows that are copied: the definition, and the same bits.

    Heights and widths lie around the tiles and the vectors of every variant.
    """
    heights, widths = (3, 4, 7, 8, 15), (1, 2, 4, 7, 8, 9, 15, 16, 17, 31, 33)
    for h, columns in itertools.product(heights, widths):
        x, w = small(rng, (2, 3, h, columns), dtype), small(rng, (6, 1, *kernel), dtype)
        given = {"groups": 3, "method": "depthwise", "workers": 1, **options}
        try:
            y = functional.conv2d(x, w, **given)
        except ValueError as error:
            if "would be empty" not in str(error):
                raise
            continue
        expected, _ = layer_oracles.conv(x, w, groups=3, **options)
        np.testing.assert_array_equal(y, expected)
        x, w, b = noise(rng, x.shape, dtype), noise(rng, w.shape, dtype), noise(rng, (6,), dtype)
        y = functional.conv2d(x, w, b, **given)
        assert bits(functional.conv2d(np.asfortranarray(x), w, b, **given)) == bits(y)
        assert bits(functional.conv2d(x, w, b, **given | {"workers": 3})) == bits(y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("kernel", "options"), DEPTHWISE, ids=str)
def test_depthwise_channels_in_lanes(rng, isa, kernel, options, dtype):
    """Channels and outputs around a vector, planes of one row and more, every border."""
    lanes = isa.vector_bytes() // np.dtype(dtype).itemsize
    outputs = itertools.cycle([(1, 1), (lanes - 1, 1), (lanes, 1), (2 * lanes + 1, 1), (3, lanes)])
    modes = itertools.cycle(PADDING_MODES)
    heights = 1, 1, 2, 3, 4, 5, 7, 8, 9, 3, 6, 14, 2
    widths = 1, 8, 3, 4, 17, 5, 7, 2, 9, 16, 7, 3, 5
    for *size, (channels, multiplier), mode in zip(heights, widths, outputs, modes, strict=False):
        x = small(rng, (2, channels, *size), dtype)
        w, b = (small(rng, (channels * multiplier, *n), dtype) for n in ((1, *kernel), ()))
        given = {"groups": channels, "padding_mode": mode, **options}
        try:
            expected, _ = layer_oracles.conv(x, w, b, **given)
        except ValueError:  # no window fits
            continue
        given["method"] = "depthwise_lanes"
        plan = functional.plan_conv(x.shape, w, b, **given)
        for y in (functional.conv2d(x, w, b, **given), plan(x)):
            np.testing.assert_array_equal(y, expected)
        x, w = noise(rng, x.shape, dtype), noise(rng, w.shape, dtype)
        y = functional.conv2d(x, w, b, **given)
        assert bits(functional.conv2d(np.asfortranarray(x), w, b, workers=3, **given)) == bits(y)


@pytest.mark.parametrize("method", ["depthwise", "depthwise_lanes"])
def test_depthwise_slabs_and_panels(rng, isa, method):
    """Planes that are cut into several units, along z, too."""
    for shape, w_shape, options in [
        ((1, 2, 90, 300), (2, 1, 3, 3), {"padding": 1}),
        ((1, 1, 9, 2100), (2, 1, 3, 5), {"padding": 2, "stride": 2}),
        ((1, 1, 5, 17000), (1, 1, 3, 3), {"padding": 1}),
        ((1, 2, 4, 9, 20), (4, 1, 3, 3, 3), {"padding": 1, "stride": (2, 1, 2)}),
        ((1, 9, 4, 5, 6), (9, 1, 1, 3, 3), {"padding": (0, 1, 1)}),
        ((1, 9, 2, 5, 6), (9, 1, 1, 3, 3), {"padding": ((0, 2), (1, 1), (1, 1))}),
        ((1, 9, 2, 5, 6), (9, 1, 1, 3, 3), {"padding": ((2, 0), (1, 1), (1, 1))}),
        ((1, 3, 9, 5, 6), (21, 1, 3, 3, 3), {"padding": (2, 1, 1), "dilation": (2, 1, 1)}),
        ((2, 17, 5, 5), (51, 1, 3, 3), {"padding": 1}),
    ]:
        x, w = small(rng, shape, "float32"), small(rng, w_shape, "float32")
        expected, _ = layer_oracles.conv(x, w, groups=shape[1], **options)
        for workers in (1, 2):
            y = CONV[len(shape) - 2](
                x, w, groups=shape[1], method=method, workers=workers, **options
            )
            np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("method", ["depthwise", "depthwise_lanes"])
def test_depthwise_nan_stays_in_its_windows(rng, isa, method):
    """Neither zeros outside nor lanes that do not exist multiply a NaN."""
    x, w = noise(rng, (1, 2, 14, 14), "float32"), noise(rng, (2, 1, 3, 3), "float32")
    x[0, 1, 13, 0] = np.nan
    for stride in (1, 2):
        y = functional.conv2d(x, w, padding=1, groups=2, stride=stride, method=method)
        reached = {1: [[12, 0], [12, 1], [13, 0], [13, 1]], 2: [[6, 0]]}[stride]
        assert np.argwhere(np.isnan(y)).tolist() == [[0, 1, *at] for at in reached]


def test_finite_differences(rng):
    """Gradients are the slopes of a loss, in float64."""
    x, w = rng.standard_normal((2, 4, 6, 5)), rng.standard_normal((6, 2, 3, 2))
    options = {"stride": 2, "padding": 1, "groups": 2, "padding_mode": "reflect"}
    y = functional.conv2d(x, w, **options)
    dy = rng.standard_normal(y.shape)
    dx = grad.conv2d_input(x.shape, w, dy, **options)
    dw = grad.conv2d_weight(x, w.shape, dy, **options)
    step = 1e-5
    for a, gradient in ((x, dx), (w, dw)):
        for index in itertools.islice(np.ndindex(a.shape), 0, None, 7):
            kept = a[index]
            losses = []
            for value in (kept + step, kept - step):
                a[index] = value
                losses.append((functional.conv2d(x, w, **options) * dy).sum())
            a[index] = kept
            assert abs((losses[0] - losses[1]) / (2 * step) - gradient[index]) < 1e-6


@st.composite
def layers(draw):
    """Draw the shapes and options of a layer."""
    n = draw(st.integers(1, 3))
    groups, channels, outs = (draw(st.integers(1, m)) for m in (3, 9, 20))
    size, taps, stride, dilation = (
        tuple(draw(st.integers(1, m)) for _ in range(n)) for m in (9, 4, 3, 3)
    )
    padding = tuple((draw(st.integers(0, 4)), draw(st.integers(0, 4))) for _ in range(n))
    options = {
        "stride": stride,
        "dilation": dilation,
        "padding": padding,
        "groups": groups,
        "padding_mode": draw(st.sampled_from(sorted(PADDING_MODES))),
    }
    batch = draw(st.integers(0, 3))
    return (batch, groups * channels, *size), (groups * outs, channels, *taps), options


@given(case=layers(), dtype=st.sampled_from(["float32", "float64"]), workers=st.integers(1, 3))
def test_any_layer(case, dtype, workers):
    """Any shapes and options: the definition, or one error that says why not."""
    x, w, b = data(np.random.default_rng(1), case, dtype)
    n = x.ndim - 2
    try:
        y = CONV[n](x, w, b, method="blocked", workers=workers, **case[2])
    except ValueError as error:
        if "would be empty" not in str(error):
            raise
        return
    expected, _ = layer_oracles.conv(x, w, b, **case[2])
    np.testing.assert_array_equal(y, expected)
    plan = functional.plan_conv(x.shape, w, b, method="blocked", **case[2])
    np.testing.assert_array_equal(plan(x, workers=workers), expected)
    dy = small(np.random.default_rng(2), y.shape, dtype)
    dw = WEIGHT[n](x, w.shape, dy, workers=workers, **case[2])
    assert (w * dw).sum() == ((y - b.reshape(-1, *[1] * n)) * dy).sum()


def test_dtypes(rng):
    """float16 is summed in float32; complex layers are not conjugated; mixed dtypes promote."""
    x, w = noise(rng, (1, 30, 9, 9), "float16"), noise(rng, (4, 30, 3, 3), "float16")
    expected, _ = layer_oracles.conv(x, w)
    y = functional.conv2d(x, w)
    assert y.dtype == np.float16
    np.testing.assert_allclose(y, expected, rtol=2e-3, atol=1e-3)
    for pair in itertools.product(("float32", "complex64", "float64", "complex128"), repeat=2):
        x, w = small(rng, (2, 3, 7, 8), pair[0]), small(rng, (4, 3, 3, 3), pair[1])
        b = small(rng, (4,), pair[1])
        y = functional.conv2d(x, w, b, stride=2, padding=1, padding_mode="circular")
        expected, _ = layer_oracles.conv(x, w, b, stride=2, padding=1, padding_mode="circular")
        assert y.dtype == np.result_type(*pair)
        np.testing.assert_allclose(y, expected, rtol=1e-6)


def test_complex_gradients_are_adjoint(rng):
    """⟨A x, y⟩ = ⟨x, Aᵀ y⟩ with the products conjugated."""
    x, w = small(rng, (1, 2, 6, 6), "complex128"), small(rng, (3, 2, 3, 3), "complex128")
    y = functional.conv2d(x, w, method="blocked")
    dy = small(rng, y.shape, "complex128")
    dw, dx = grad.conv2d_weight(x, w.shape, dy), grad.conv2d_input(x.shape, w, dy, method="blocked")
    assert np.vdot(dw, w) == np.vdot(dy, y)
    assert np.vdot(dx, x) == np.vdot(dy, y)
    z = functional.conv_transpose2d(dy, w, method="blocked")
    dz = small(rng, z.shape, "complex128")
    dw = grad.conv_transpose2d_weight(dy, w.shape, dz)
    dx = grad.conv_transpose2d_input(dy.shape, w, dz, method="blocked")
    assert np.vdot(dw, w) == np.vdot(dz, z)
    assert np.vdot(dx, dy) == np.vdot(dz, z)


def test_a_long_stride_costs_nothing(rng):
    """A transposed layer has a phase for each tap, not for each sample of its stride."""
    x, w = small(rng, (1, 1, 3), "float64"), small(rng, (1, 1, 3), "float64")
    y = functional.conv_transpose1d(x, w, stride=2**40, padding=2**40)
    np.testing.assert_array_equal(y[0, 0], [x[0, 0, 1] * w[0, 0, 0], *y[0, 0, 1:]])
    assert grad.conv1d_input((1, 1, 5), w, x[..., :1], stride=2**40).shape == (1, 1, 5)


def test_ieee_in_silence(rng):
    """Half precision that overflows is infinite, whatever NumPy is told to do about it."""
    x, w = np.full((1, 1, 6), 6e4, np.float16), np.ones((1, 1, 3), np.float16)
    out = np.zeros((1, 1, 4), np.float16)
    with np.errstate(all="raise"):
        assert np.isinf(functional.conv1d(x, w, out=out)).all()
        assert np.isinf(grad.conv1d_bias(np.repeat(x, 4, -1))).all()
        assert np.isinf(functional.plan_conv(x.shape, w)(x)).all()


def test_more_output_padding_than_stride(rng):
    """A dilation may exceed the stride, and output_padding with it: no sample is made up."""
    x, w = small(rng, (1, 2, 6), "float64"), small(rng, (2, 3, 3), "float64")
    y = functional.conv_transpose1d(x, w, dilation=4, output_padding=3, method="blocked")
    plain = functional.conv_transpose1d(x, w, dilation=4, method="blocked")
    assert y.shape == (1, 3, 6 + 8 + 3)
    np.testing.assert_array_equal(y[..., :-3], plain)
    assert not y[..., -3:].any()


def test_batch_axis_may_be_missing_or_empty(rng):
    """(C, H, W) gives (K, H, W); N = 0 gives N = 0."""
    x, w = small(rng, (3, 6, 6), "float32"), small(rng, (4, 3, 3, 3), "float32")
    y = functional.conv2d(x, w)
    assert bits(y) == bits(functional.conv2d(x[np.newaxis], w)[0])
    assert functional.conv2d(np.empty((0, 3, 6, 6), "float32"), w).shape == (0, 4, 4, 4)
    out = np.empty((0, 4, 4, 4), "float32")
    assert functional.conv2d(np.empty((0, 3, 6, 6), "float32"), w, out=out) is out
    assert not grad.conv2d_weight(
        np.empty((0, 3, 6, 6), "float32"), w.shape, np.empty((0, 4, 4, 4), "float32")
    ).any()
    assert functional.conv_transpose2d(y, w).shape == (3, 6, 6)
    assert grad.conv2d_input((3, 6, 6), w, y).shape == (3, 6, 6)
    assert functional.conv_transpose2d(np.empty((0, 4, 4, 4)), w).shape == (0, 3, 6, 6)


def test_nan_stays_in_its_windows(rng):
    """A NaN or an infinity reaches the results whose window holds it, whatever runs."""
    x, w = noise(rng, (1, 64, 20, 20), "float32"), noise(rng, (64, 64, 3, 3), "float32")
    for value in (np.nan, np.inf, 1e38):
        spoilt = x.copy()
        spoilt[0, 5, 9, 9] = value
        with np.errstate(all="ignore"):
            y = functional.conv2d(spoilt, w, padding=1)
        clean = functional.conv2d(x, w, padding=1)
        touched = np.zeros((20, 20), bool)
        touched[8:11, 8:11] = True
        atol = 1e-3 * np.abs(clean).max()
        np.testing.assert_allclose(y[0][:, ~touched], clean[0][:, ~touched], rtol=0, atol=atol)
        if not np.isfinite(value):
            assert not np.isfinite(y[0][:, touched]).any()


def test_a_plan_is_shared_by_threads(rng):
    """One plan, many threads: each result is that of its input."""
    w, b = noise(rng, (8, 6, 3, 3), "float32"), noise(rng, (8,), "float32")
    plan = functional.plan_conv((1, 6, 20, 20), w, b, padding=1)
    inputs = [noise(rng, (1, 6, 20, 20), "float32") for _ in range(8)]
    expected = [bits(plan(x)) for x in inputs]
    found = [None] * 8
    w[...] = 0  # the plan has its own

    def work(i):
        for _ in range(20):
            found[i] = bits(plan(inputs[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == expected


one = np.ones


@pytest.mark.parametrize(
    ("error", "words", "call"),
    [
        (ValueError, r"\(1, 3, 8, 8\).*\(4, 2, 3, 3\).*3 channels.*groups=1",
         lambda f: f.conv2d(one((1, 3, 8, 8)), one((4, 2, 3, 3)))),
        (ValueError, r"groups=3 does not divide",
         lambda f: f.conv2d(one((1, 3, 8, 8)), one((4, 1, 3, 3)), groups=3)),
        (ValueError, r"groups=0",
         lambda f: f.conv1d(one((1, 8)), one((1, 1, 3)), groups=0)),
        (ValueError, r"would be empty along axis 3.*\(1, 3, 8, 2\)",
         lambda f: f.conv2d(one((1, 3, 8, 2)), one((4, 3, 3, 3)))),
        (ValueError, r"bias has shape \(3,\).*4 output channels",
         lambda f: f.conv2d(one((1, 3, 8, 8)), one((4, 3, 3, 3)), one(3))),
        (TypeError, r"input has dtype int64",
         lambda f: f.conv2d(one((1, 3, 8, 8), int), one((4, 3, 3, 3)))),
        (TypeError, r"weight has dtype object",
         lambda f: f.conv1d(one((1, 3)), one((1, 1, 1), object))),
        (ValueError, r"weight has 2 dimensions",
         lambda f: f.conv1d(one((1, 3)), one((1, 1)))),
        (ValueError, r"weight is empty",
         lambda f: f.conv1d(one((1, 3)), one((0, 1, 1)))),
        (ValueError, r"input has shape",
         lambda f: f.conv2d(one((3, 3)), one((1, 1, 1, 1)))),
        (ValueError, r"stride=0",
         lambda f: f.conv1d(one((1, 3)), one((1, 1, 1)), stride=0)),
        (ValueError, r"2\*\*59",
         lambda f: f.conv1d(one((1, 3)), one((1, 1, 2)), dilation=2**62)),
        (ValueError, r"padding=-1",
         lambda f: f.conv1d(one((1, 3)), one((1, 1, 1)), padding=-1)),
        (ValueError, r"padding='full' is unknown",
         lambda f: f.conv1d(one((1, 3)), one((1, 1, 1)), padding="full")),
        (ValueError, r"padding='same' needs stride=1",
         lambda f: f.conv1d(one((1, 3)), one((1, 1, 1)), padding="same", stride=2)),
        (ValueError, r"padding_mode='mirror' is unknown.*reflect",
         lambda f: f.conv1d(one((1, 3)), one((1, 1, 1)), padding_mode="mirror")),
        (ValueError, r"method='fast' is unknown.*blocked",
         lambda f: f.conv1d(one((1, 3)), one((1, 1, 1)), method="fast")),
        (ValueError, r"method=\[\] is unknown",
         lambda f: f.conv1d(one((1, 3)), one((1, 1, 1)), method=[])),
        (ValueError, r"too large to address",
         lambda f: f.conv1d(one((1, 3)), one((1, 1, 1)), padding=2**58)),
        (ValueError, r"output_padding=2",
         lambda f: f.conv_transpose1d(one((1, 3)), one((1, 1, 1)), stride=2,
                                      output_padding=2)),
        (ValueError, r"out has shape",
         lambda f: f.conv1d(one((1, 3)), one((1, 1, 1)), out=one((1, 4)))),
    ],
)  # fmt: skip
def test_bad_input(error, words, call):
    """Each error names the argument, its value and what is allowed."""
    with pytest.raises(error, match=words):
        call(functional)


def test_bad_gradients():
    """Shapes that no call had are refused."""
    w = np.ones((4, 3, 3, 3))
    with pytest.raises(ValueError, match=r"grad_output has shape \(1, 4, 5, 5\).*\(1, 4, 6, 6\)"):
        grad.conv2d_input((1, 3, 8, 8), w, np.ones((1, 4, 5, 5)))
    with pytest.raises(ValueError, match=r"grad_output has shape \(1, 4, 5, 5\)"):
        grad.conv2d_weight(np.ones((1, 3, 8, 8)), w.shape, np.ones((1, 4, 5, 5)))
    with pytest.raises(ValueError, match=r"input_size"):
        grad.conv2d_input((8, 8), w, np.ones((1, 4, 6, 6)))


def test_bad_plans(rng):
    """A plan refuses other shapes, other dtypes and complex weights."""
    plan = functional.plan_conv((1, 3, 8, 8), np.ones((4, 3, 3, 3), np.float32))
    with pytest.raises(ValueError, match=r"input has shape \(1, 3, 8, 9\)"):
        plan(np.ones((1, 3, 8, 9), np.float32))
    with pytest.raises(TypeError, match=r"float64, but the plan is for float32"):
        plan(np.ones((1, 3, 8, 8)))
    with pytest.raises(TypeError, match=r"complex"):
        functional.plan_conv((1, 3, 8, 8), np.ones((4, 3, 3, 3), complex))


@pytest.mark.parametrize("method", ["auto", "blocked", "reference"])
@pytest.mark.parametrize("groups", [1, 8])
def test_plans_say_why_they_chose(method, groups):
    """A row for each algorithm; the cheapest of those that can, or the one that is forced."""
    weight = np.ones((8, 8 // groups, 3, 3), np.float32)
    plan = functional.plan_conv((2, 8, 9, 10), weight, padding=1, groups=groups, method=method)
    why = plan.explain()
    rows = {row.algorithm: row for row in why.candidates}
    assert list(rows) == [a.name for a in LAYER_ALGORITHMS]
    assert [row.algorithm for row in why.candidates if row.chosen] == [plan.algorithm]
    assert why.algorithm == plan.algorithm
    assert why.flops == 2 * 2 * 8 * 9 * 10 * 9 * 8 // groups
    assert why.nbytes == 4 * (2 * 2 * 8 * 9 * 10 + weight.size)
    if method == "auto":
        able = [row for row in why.candidates if row.rejected is None]
        assert min(able, key=lambda row: row.seconds).chosen
    else:
        assert plan.algorithm == method
        assert all("forced" in r.rejected for r in rows.values() if r.seconds and not r.chosen)
    assert (rows["depthwise"].seconds is None) == (groups == 1)
    for row in why.candidates:
        assert row.algorithm in str(why)
        assert row.rejected is None or row.rejected in str(why)


@pytest.mark.parametrize(
    ("shape", "weights", "options", "chosen"),
    [
        # Each output of one channel reads the same samples: a tile of many shares them.
        ((8, 1, 16000), (64, 1, 80), {"stride": 4}, "blocked"),
        ((1, 1, 64, 64, 64), (32, 1, 3, 3, 3), {"padding": 1}, "blocked"),
        (
            (1, 512, 14, 14),
            (512, 1, 3, 3),
            {"padding": 1, "groups": 512},
            "depthwise_lanes",
        ),
        ((1, 32, 112, 112), (32, 1, 3, 3), {"padding": 1, "groups": 32}, "depthwise"),
        ((1, 64, 56, 56), (64, 64, 3, 3), {"padding": 1}, "winograd4"),
    ],
)
def test_layers_go_where_they_are_fast(shape, weights, options, chosen):
    """Layers of the speed table on which another choice takes half as long again, or more."""
    plan = functional.plan_conv(shape, np.ones(weights, np.float32), **options)
    assert plan.algorithm == chosen


@pytest.mark.parametrize("shape", [(1,), (5,), (17,), (1, 1), (2, 2), (1, 1, 1), (2, 2, 2)])
def test_layers_of_few_pixels_run_in_a_loop(shape):
    """A call of BLAS for each group, or of NumPy for each tap, takes ten times as long."""
    n = len(shape)
    for channels, groups in itertools.product((1, 8), (1, 8)):
        if channels % groups:
            continue
        x = np.ones((1, channels, *shape), np.float32)
        w = np.ones((channels, channels // groups, *(3,) * n), np.float32)
        plan = functional.plan_conv(x.shape, w, padding=1, groups=groups)
        assert plan.algorithm not in ("im2col", "reference")
        planner.clear_cache()
        getattr(grad, f"conv{n}d_weight")(x, w.shape, x, padding=1, groups=groups)
        chosen = [p.algorithm.name for p in planner.LAYERS.found.values()]
        assert chosen == ["blocked"]
