"""pyconv.nn beside torch, every option; skipped where torch is not installed."""

import itertools

import numpy as np
import pytest
from arrays import noise

from pyconv.nn import functional, grad

torch = pytest.importorskip("torch")
F = torch.nn.functional

SIZES = {
    1: [(2, 3, 1), (2, 9), (1, 2, 37), (3, 70)],
    2: [(2, 3, 1, 5), (3, 7, 4), (1, 2, 33, 18), (2, 4, 70)],
    3: [(1, 2, 3, 1, 5), (2, 4, 5, 6), (2, 1, 5, 9, 35)],
}
#: Kernel, stride, padding, dilation.
WINDOWS = [
    (1, 1, 0, 1), (2, None, 0, 1), (2, 2, 1, 1), (3, 2, 1, 1), (3, 1, 1, 1), (3, 1, 0, 2),
    (4, 3, 2, 1), (2, 1, 1, 2), (5, 4, 2, 1), (3, 5, 1, 2), (2, 3, 0, 1),
]  # fmt: skip


def tensor(a):
    """Return a copy as a tensor that collects a gradient."""
    return torch.from_numpy(np.array(a)).requires_grad_()


def both(name, a, *args, **keywords):
    """Return ours and torch's result, or None twice where both refuse."""
    try:
        expected = getattr(F, name)(tensor(a), *args, **keywords)
    except RuntimeError as error:
        if "smaller than kernel size" in str(error):
            return None, None  # avg_pool3d alone refuses what its padding makes possible
        with pytest.raises(ValueError, match="padding|empty|fits"):
            getattr(functional, name)(a, *args, **keywords)
        return None, None
    return getattr(functional, name)(a, *args, **keywords), expected


def with_special(rng, shape, dtype):
    """Return noise with some NaN, infinities and equal samples."""
    a = np.round(noise(rng, shape, dtype) * 2) / 2
    for value in (np.nan, np.inf, -np.inf):
        a[rng.random(shape) < 0.06] = value
    return a


def close(y, expected, **keywords):
    """Assert that ours is torch's within rounding."""
    expected = expected.detach().numpy()
    assert y.dtype == expected.dtype
    assert y.shape == expected.shape
    tolerance = {"float16": 2e-3, "float32": 2e-6, "float64": 1e-13}[str(y.dtype)]
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance, **keywords)


def cases(n):
    """Yield shapes and windows, the same along each axis and different ones."""
    for shape, (k, s, p, d) in itertools.product(SIZES[n], WINDOWS):
        yield shape, k, s, p, d
        if n > 1 and s is not None:
            yield shape, (k, *(k + 1,) * (n - 1)), (*(s,) * (n - 1), s + 1), p, d


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_max_pool(rng, n, ceil_mode, dtype):
    """Samples, indices and gradients, with NaN, infinities and ties."""
    name = f"max_pool{n}d"
    for shape, k, s, p, d in cases(n):
        x = with_special(rng, shape, dtype)
        ours, theirs = both(name, x, k, s, p, d, ceil_mode, return_indices=True)
        if ours is None:
            continue
        np.testing.assert_array_equal(ours[0], theirs[0].detach().numpy())
        np.testing.assert_array_equal(
            getattr(functional, name)(x, k, s, p, d, ceil_mode), theirs[0].detach().numpy()
        )
        held = ours[1] >= 0  # of a window that is all padding torch's index is outside the plane
        np.testing.assert_array_equal(ours[1][held], theirs[1].numpy()[held])
        if held.all():
            dy = noise(rng, ours[0].shape, dtype)
            source = tensor(x)
            getattr(F, name)(source, k, s, p, d, ceil_mode).backward(torch.from_numpy(dy))
            close(getattr(grad, f"{name}_input")(shape, ours[1], dy), source.grad)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_avg_pool(rng, n, ceil_mode, dtype):
    """Averages under every way to count, and gradients."""
    name = f"avg_pool{n}d"
    for shape, k, s, p, _ in cases(n):
        x = noise(rng, shape, dtype)
        for options in ((ceil_mode, True), (ceil_mode, False), (ceil_mode, True, 7)):
            if n == 1 and len(options) == 3:
                continue
            ours, theirs = both(name, x, k, s, p, *options)
            if ours is None:
                continue
            close(ours, theirs)
            dy = noise(rng, ours.shape, dtype)
            source = tensor(x)
            getattr(F, name)(source, k, s, p, *options).backward(torch.from_numpy(dy))
            close(getattr(grad, f"{name}_input")(shape, dy, k, s, p, *options), source.grad)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_adaptive_pools(rng, n):
    """More and fewer parts than samples."""
    for shape, parts in itertools.product(SIZES[n], (1, 2, 3, 5, 7, 11)):
        x = with_special(rng, shape, "float32")
        name = f"adaptive_max_pool{n}d"
        ours, theirs = both(name, x, parts, return_indices=True)
        np.testing.assert_array_equal(ours[0], theirs[0].detach().numpy())
        np.testing.assert_array_equal(ours[1], theirs[1].numpy())
        dy = noise(rng, ours[0].shape, "float32")
        source = tensor(x)
        getattr(F, name)(source, parts).backward(torch.from_numpy(dy))
        close(getattr(grad, f"{name}_input")(shape, ours[1], dy), source.grad)

        x = noise(rng, shape, "float64")
        name = f"adaptive_avg_pool{n}d"
        ours, theirs = both(name, x, parts)
        close(ours, theirs)
        dy = noise(rng, ours.shape, "float64")
        source = tensor(x)
        getattr(F, name)(source, parts).backward(torch.from_numpy(dy))
        close(getattr(grad, f"{name}_input")(shape, dy), source.grad)


def test_half_precision(rng):
    """Float16 as torch has it."""
    x = noise(rng, (2, 3, 9, 8), "float16")
    ours, theirs = both("max_pool2d", x, 3, 2, 1, return_indices=True)
    np.testing.assert_array_equal(ours[0], theirs[0].detach().numpy())
    np.testing.assert_array_equal(ours[1], theirs[1].numpy())
    close(*both("avg_pool2d", x, 3, 2, 1))
    close(*both("adaptive_avg_pool2d", x, 3))
    close(*both("log_softmax", x, 1))


@pytest.mark.parametrize("shape", [(2, 3, 9, 8), (3, 5, 4), (1, 1, 1, 1)])
def test_unfold_and_fold(rng, shape):
    """Columns, and their sum."""
    for k, (d, p, s) in itertools.product(
        (1, 2, (3, 2)), [(1, 0, 1), (2, 1, 2), ((1, 2), (0, 3), (3, 1)), (3, 4, 5)]
    ):
        x = noise(rng, shape, "float64")
        ours, theirs = both("unfold", x, k, d, p, s)
        if ours is None:
            continue
        close(ours, theirs)
        y = noise(rng, ours.shape, "float64")
        close(*both("fold", y, shape[-2:], k, d, p, s))


def test_activations_and_linear(rng):
    """relu, log_softmax, linear, and their gradients."""
    x = noise(rng, (4, 5, 6), "float64")
    x[0, 0] = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0]
    dy = noise(rng, x.shape, "float64")
    source = tensor(x)
    F.relu(source).backward(torch.from_numpy(dy))
    close(*both("relu", x))
    close(grad.relu_input(x, dy), source.grad)
    for dim in (-1, 0, 1, 2):
        source = tensor(x)
        F.log_softmax(source, dim).backward(torch.from_numpy(dy))
        y, expected = both("log_softmax", x, dim)
        close(y, expected)
        close(grad.log_softmax_input(y, dy, dim), source.grad)
    for lead in ((), (3,), (2, 0), (2, 3)):
        x, w, b = (noise(rng, s, "float64") for s in ((*lead, 7), (5, 7), (5,)))
        dy = noise(rng, (*lead, 5), "float64")
        tensors = [tensor(a) for a in (x, w, b)]
        expected = F.linear(*tensors)
        expected.backward(torch.from_numpy(dy))
        close(functional.linear(x, w, b), expected)
        close(grad.linear_input(x.shape, w, dy), tensors[0].grad)
        close(grad.linear_weight(x, w.shape, dy), tensors[1].grad)
        close(grad.linear_bias(dy), tensors[2].grad)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(5,), (4, 5), (4, 5, 3), (2, 5, 3, 4), (0, 5)])
def test_cross_entropy(rng, shape, smoothing, reduction):
    """Classes and probabilities, weights, ignored targets, and the gradient."""
    x = noise(rng, shape, "float64") * 3
    spatial = shape[:1] + shape[2:] if len(shape) > 1 else ()
    classes = rng.integers(0, 5, spatial)
    ignoring = np.where(rng.random(spatial) < 0.4, -100, classes)
    shares = rng.random(shape)
    for target, w in itertools.product(
        (classes, ignoring, shares), (None, rng.random(5))
    ):  # fmt: skip
        if shape == (0, 5) and target is shares and reduction == "none":
            continue
        keywords = {"reduction": reduction, "label_smoothing": smoothing}
        source = tensor(x)
        theirs = F.cross_entropy(
            source,
            torch.from_numpy(np.array(target)),
            None if w is None else torch.from_numpy(w),
            **keywords,
        )
        ours = functional.cross_entropy(x, target, w, **keywords)
        close(ours, theirs)
        if np.isnan(ours).any():
            continue
        dy = np.array(noise(rng, np.shape(ours), "float64"))
        theirs.backward(torch.from_numpy(dy))
        close(grad.cross_entropy_input(x, target, dy, w, **keywords), source.grad)
