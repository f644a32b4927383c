"""The bits of an image depend on neither its batch nor its neighbours; long sums round little."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from conftest import one_in

import pyconv
from pyconv._engine.algorithms import LAYER_ALGORITHMS
from pyconv._native import loader
from pyconv.nn import functional, grad

#: Shapes of an image, of weights, and groups: every form of `blocked`, tiles, single channels.
LAYERS = {
    "line": ((3, 25), (4, 3, 3), 1),
    "few channels": ((8, 16, 17), (8, 8, 3, 3), 1),
    "small": ((64, 7, 7), (64, 64, 3, 3), 1),
    "points": ((16, 14, 14), (32, 16, 1, 1), 1),
    "depthwise": ((16, 9, 9), (16, 1, 3, 3), 16),
    "groups": ((32, 12, 12), (8, 16, 5, 5), 2),
    "volume": ((4, 6, 7, 8), (6, 4, 3, 3, 3), 1),
    "single pixels": ((64, 1, 1), (100, 64, 1, 1), 1),
    "deep": ((300, 3, 3), (80, 300, 3, 3), 1),
}
METHODS = ["auto", *(a.name for a in LAYER_ALGORITHMS if a.name != "reference")]
#: Each algorithm in every variant; the reference, which has no loops, once.
ENGINES = [
    *one_in(2, loader.runnable(), METHODS, list(LAYERS)),
    *one_in(1, loader.runnable()[-1:], ["reference"], list(LAYERS)),
]


def _options(shape, w_shape, groups, mode, stride):
    if shape[1] < 3 and mode != "zeros":
        pytest.skip("shorter than the padding")
    return {
        "padding": int(w_shape[2] > 1), "padding_mode": mode, "stride": stride, "groups": groups,
    }  # fmt: skip


def _same(a, b):
    return np.array_equal(a, b, equal_nan=True)


@pytest.mark.parametrize(("isa", "method", "layer"), ENGINES, indirect=["isa"])
def test_an_image_is_the_same_alone(isa, rng, layer, method):
    """In batches of every size, at every place, beside NaN and infinities, for every border."""
    sizes = (2, 3, 5, 8) if method != "reference" else (2, 3)
    shape, w_shape, groups = LAYERS[layer]
    conv = getattr(functional, f"conv{len(shape) - 1}d")
    w = rng.standard_normal(w_shape, "f4")
    x = rng.standard_normal((max(sizes), *shape), "f4")
    for mode, stride in itertools.product(("zeros", "reflect", "circular"), (1, 2)):
        if shape[1] < 3 and mode != "zeros":
            continue
        options = _options(shape, w_shape, groups, mode, stride) | {"method": method}
        try:
            alone = [conv(image[np.newaxis], w, **options)[0] for image in x]
        except ValueError:
            assert method not in ("auto", "blocked", "reference")
            continue
        for n in sizes:
            assert _same(conv(x[:n], w, **options), np.stack(alone[:n]))
            for value, place in ((np.nan, n // 2), (np.inf, n - 1)):
                spoilt = x[:n].copy()
                spoilt[place].flat[spoilt[place].size // 2] = value
                expected = alone[:n]
                expected[place] = conv(spoilt[place : place + 1], w, **options)[0]
                for workers in (1, 2):
                    y = conv(spoilt, w, workers=workers, **options)
                    assert _same(y, np.stack(expected)), (mode, stride, n, place)


@pytest.mark.parametrize("layer", LAYERS)
def test_gradients_and_transposes_are_the_same_alone(isa, rng, layer):
    """Those for an image; those for weights are the same for every number of threads."""
    shape, w_shape, groups = LAYERS[layer]
    n = len(shape) - 1
    w = rng.standard_normal(w_shape, "f4")
    x = rng.standard_normal((5, *shape), "f4")
    for stride in (1, 2):
        options = _options(shape, w_shape, groups, "zeros", stride)
        dy = rng.standard_normal(getattr(functional, f"conv{n}d")(x, w, **options).shape, "f4")
        dy[3, 0].flat[0] = np.nan
        dx = getattr(grad, f"conv{n}d_input")(x.shape, w, dy, **options)
        del options["padding_mode"]
        up = getattr(functional, f"conv_transpose{n}d")(dy, w, **options)
        for i in range(5):
            size = (1, *shape)
            one = getattr(grad, f"conv{n}d_input")(size, w, dy[i : i + 1], **options)
            assert _same(dx[i : i + 1], one)
            one = getattr(functional, f"conv_transpose{n}d")(dy[i : i + 1], w, **options)
            assert _same(up[i : i + 1], one)
        of_weights = getattr(grad, f"conv{n}d_weight")
        dw = [of_weights(x, w_shape, dy, workers=k, **options) for k in (1, 2, 3)]
        assert _same(dw[0], dw[1])
        assert _same(dw[0], dw[2])


@pytest.mark.parametrize("pool", ["max_pool2d", "avg_pool2d", "adaptive_avg_pool2d"])
def test_pools_are_the_same_alone(isa, rng, pool):
    """Pools, softmax and columns too."""
    x = rng.standard_normal((5, 3, 37, 41), "f4")
    x[2, 1, 5, 5] = np.nan
    for size in (2, 7, 30):
        y = getattr(functional, pool)(x, size)
        for i in range(5):
            assert _same(y[i], getattr(functional, pool)(x[i : i + 1], size)[0])
    for i in range(5):
        assert _same(functional.log_softmax(x, 1)[i], functional.log_softmax(x[i : i + 1], 1)[0])


# ---- long sums ----------------------------------------------------------------------------------


def _rounded(terms):
    """Return the roundings that a sum of so many products has at most."""
    return min(terms, 512 + 3 * math.sqrt(terms)) + 2


@pytest.mark.parametrize("method", ["direct", "im2col", "reference", "auto"])
@pytest.mark.parametrize(
    "shape", [(511,), (513,), (20_000,), (300_000,), (700, 3), (3, 700), (90, 110), (12, 30, 25)]
)
def test_long_sums_round_little(isa, method, shape):
    """Equal weights, whose roundings all go one way, and weights of one sign, over every axis."""
    terms = math.prod(shape)
    if method == "reference" and terms > 30_000:
        pytest.skip("takes seconds")
    for w in (np.full(shape, 1 / 3, "f4"), np.random.default_rng(0).random(shape, "f4")):
        x = np.full([n + 3 for n in shape], 0.7, "f4")
        y = pyconv.correlate(x, w, method=method).astype(float)
        exact = w.sum(dtype=float) * float(x.flat[0])
        assert abs(y - exact).max() <= _rounded(terms) * np.finfo("f4").eps * exact


def test_ten_million_equal_weights(isa):
    """Within a ten-thousandth, where a plain sum is a seventh off."""
    w = np.full(10**7, 1 / 3, "f4")
    y = pyconv.correlate(np.full(10**7 + 1, 0.7, "f4"), w).astype(float)
    exact = 1e7 * float(w[0]) * float(np.float32(0.7))
    assert abs(y / exact - 1).max() < 1e-4


@pytest.mark.parametrize("method", ["blocked", "depthwise", "depthwise_lanes", "im2col"])
@pytest.mark.parametrize("channels_and_taps", [(1, 300), (1, 70), (3000, 3), (40, 30)])
def test_long_layers_round_little(isa, method, channels_and_taps):
    """Sums over taps and over channels: 3 roundings for the root of their number, 1024 and 2."""
    c, k = channels_and_taps
    if c > 1 and method.startswith("depthwise"):
        pytest.skip("has one channel")
    x, w = np.full((1, c, k + 4, k + 5), 0.7, "f4"), np.full((3, c, k, k), 1 / 3, "f4")
    y = functional.conv2d(x, w, method=method).astype(float)
    terms = c * k * k
    exact = terms * float(x.flat[0]) * float(w.flat[0])
    bound = min(terms, 1024 + 3 * math.sqrt(terms)) + 2
    assert abs(y - exact).max() <= bound * np.finfo("f4").eps * exact


def test_gradients_of_many_pixels_round_little(isa):
    """For weights and biases, of a batch with many pixels."""
    n = 2_000_000
    x, dy = np.full((2, 1, n), 0.7, "f4"), np.full((2, 1, n), 1 / 3, "f4")
    exact = 2 * n * float(x.flat[0]) * float(dy.flat[0])
    bound = 512 + 3 * math.sqrt(2 * n)
    dw = grad.conv1d_weight(x, (1, 1, 1), dy)
    assert abs(dw - exact).max() <= bound * np.finfo("f4").eps * exact
    exact = 2 * n * float(dy.flat[0])
    assert abs(grad.conv1d_bias(dy) - exact).max() <= bound * np.finfo("f4").eps * exact
    rows = dy.reshape(-1, 1)
    assert abs(grad.linear_bias(rows) - exact).max() <= bound * np.finfo("f4").eps * exact


@pytest.mark.parametrize("shape", [(1 << 22, 1), (1 << 20, 4), (2048, 2048), (300, 4000)])
def test_averages_of_many_samples(isa, shape):
    """A window that is all of a plane, and some that are nearly."""
    x = np.full((1, 1, *shape), 1 / 3, "f4")
    for window in (shape, tuple(max(1, n - 3) for n in shape)):
        y = functional.avg_pool2d(x, window, 1).astype(float)
        assert abs(y - float(x.flat[0])).max() < 600 * np.finfo("f4").eps / 3
    assert abs(functional.global_avg_pool(x) * 3 - 1).max() < 1e-5


# ---- memory -------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
@pytest.mark.parametrize(
    ("call", "arrays"),
    [
        ("functional.max_pool1d(x, 2, 1, return_indices=True)", 16),
        ("functional.max_pool1d(x, 3, 1, dilation=2)", 8),
        ("functional.avg_pool1d(x, 2, 1)", 8),
        ("functional.avg_pool2d(x.reshape(1, -1, 1), (2, 1), 1)", 8),
        ("functional.adaptive_max_pool1d(x, n // 2 + 1)", 6),
        ("grad.avg_pool1d_input((1, 1, n + 1), x, 2, 1)", 8),
    ],
)
def test_pools_take_the_memory_of_their_arrays(isa, call, arrays):
    """Nothing is tabulated for each output."""
    code = f"""
import numpy as np
from pyconv.nn import functional, grad
n = 1 << 24
functional.max_pool1d(np.ones((1, 1, 9), "f4"), 2)
x = np.ones((1, 1, n), "f4")
y = {call}
with open("/proc/self/status") as f:
    print(next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < arrays * (1 << 24) + (120 << 20)
