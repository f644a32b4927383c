"""unfold, fold, linear, activations and losses against their definitions, and the gradients."""

import itertools

import nn_oracles as oracles
import numpy as np
import pytest
from arrays import LAYOUTS, noise, small

from pyconv.nn import functional, grad

# ---- unfold and fold --------------------------------------------------------------------------

SIZES = [(1,), (2,), (5,), (9,), (1, 1), (1, 5), (3, 2), (4, 5), (5, 5), (2, 3, 4)]
#: Kernel, dilation, padding, stride.
WINDOWS = [
    (1, 1, 0, 1), (2, 1, 0, 1), (2, 2, 1, 1), (3, 1, 2, 2), (2, 3, 4, 2), (1, 1, 3, 1),
    (4, 1, 3, 5), (2, 1, 9, 4),
]  # fmt: skip


def unfold_calls():
    """Yield sizes, the arguments of a call, and its windows, where there are any."""
    for sizes, (k, d, p, s) in itertools.product(SIZES, WINDOWS):
        axes = oracles.pool_windows(sizes, k, s, p, d)
        if all(axes):
            yield sizes, ((k,) * len(sizes), d, p, s), axes
    yield (4, 5), ((3, 2), (1, 2), (0, 3), (3, 1)), [
        oracles.windows(4, 3, 3, 0, 1, False), oracles.windows(5, 2, 1, 3, 2, False)
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("lead", [(3,), (2, 3), (0, 3)])
def test_unfold(rng, lead, dtype):
    """Every sample of every window."""
    for sizes, args, axes in unfold_calls():
        x = small(rng, (*lead, *sizes), dtype)
        y = functional.unfold(x, *args)
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, oracles.unfold(x, axes))


@pytest.mark.parametrize("lead", [(3,), (2, 3), (0, 3)])
def test_unfold_and_fold_are_adjoint(rng, lead):
    """⟨A x, y⟩ = ⟨x, Aᵀ y⟩, exactly; each is the gradient of the other."""
    for sizes, args, _ in unfold_calls():
        x = small(rng, (*lead, *sizes), "float64")
        columns = functional.unfold(x, *args)
        y = small(rng, columns.shape, "float64")
        folded = functional.fold(y, sizes, *args)
        assert folded.shape == x.shape
        assert (columns * y).sum() == (x * folded).sum()
        np.testing.assert_array_equal(grad.unfold_input(x.shape, y, *args), folded)
        np.testing.assert_array_equal(grad.fold_input(x, *args), columns)


def test_an_integer_kernel_has_two_axes(rng):
    """As in torch."""
    x = noise(rng, (2, 3, 5, 6), "float64")
    np.testing.assert_array_equal(functional.unfold(x, 2), functional.unfold(x, (2, 2)))
    y = functional.unfold(x, 2)
    np.testing.assert_array_equal(functional.fold(y, (5, 6), 2), functional.fold(y, (5, 6), (2, 2)))


def test_fold_sums_half_precision_in_single():
    """2048 + 1 is 2048 in half precision."""
    # Three windows of three taps meet in the middle of five samples.
    columns = np.array([[0, 0, 1], [0, 1, 0], [2048, 0, 0]], "float16")
    y = functional.fold(columns, (5,), (3,))
    assert y.dtype == np.float16
    assert y.tolist() == [[0, 0, 2050, 0, 0]]


# ---- linear -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("lead", [(), (1,), (5,), (2, 3), (0,), (2, 0, 3)])
def test_linear(rng, lead, dtype):
    """The sum of products, and exact adjoints with respect to each argument."""
    x, w, b = (small(rng, s, dtype) for s in ((*lead, 7), (4, 7), (4,)))
    expected = np.einsum("...c,kc->...k", x, w)
    y = functional.linear(x, w)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(functional.linear(x, w, b), expected + b)
    dy = small(rng, y.shape, dtype)

    def inner(p, q):
        return (p * q.conj()).sum()

    assert inner(expected, dy) == inner(x, grad.linear_input(x.shape, w, dy))
    assert inner(expected, dy) == inner(w, grad.linear_weight(x, w.shape, dy))
    assert inner(np.broadcast_to(b, y.shape), dy) == inner(b, grad.linear_bias(dy))
    assert grad.linear_weight(x, w.shape, dy).shape == w.shape
    assert grad.linear_input(x.shape, w, dy).shape == x.shape


def test_linear_in_half_precision(rng):
    """Summed in float32: 2048 + 1 + 1 is 2050."""
    y = functional.linear(np.ones(3, "float16"), np.array([[2048, 1, 1]], "float16"))
    assert y.dtype == np.float16
    assert y.tolist() == [2050]
    assert grad.linear_bias(np.array([[2048], [1], [1]], "float16")).tolist() == [2050]


def test_linear_of_different_dtypes():
    """NumPy's rule."""
    x, w = np.ones((2, 3), "float32"), np.ones((4, 3), "float64")
    assert functional.linear(x, w).dtype == np.float64
    assert functional.linear(x, w.astype("complex64")).dtype == np.complex64


# ---- activations ------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 60, 257])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_relu_of_every_length(isa, rng, dtype, n, workers):
    """Whole vectors and what is left of them."""
    x, dy = noise(rng, n, dtype), noise(rng, n, dtype)
    np.testing.assert_array_equal(functional.relu(x, workers=workers), np.where(x > 0, x, 0))
    dx = grad.relu_input(x, dy, workers=workers)
    np.testing.assert_array_equal(dx, np.where(x > 0, dy, 0))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_relu(rng, dtype):
    """Zero for what is negative; NaN passes, in the gradient too."""
    assert functional.relu(np.array(2, dtype)).shape == ()
    x = noise(rng, (3, 4, 5), dtype)
    y = functional.relu(x)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.where(x > 0, x, 0))
    dy = noise(rng, x.shape, dtype)
    np.testing.assert_array_equal(grad.relu_input(x, dy), np.where(x > 0, dy, 0))
    np.testing.assert_array_equal(grad.relu_input(y, dy), np.where(x > 0, dy, 0))
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], dtype)
    np.testing.assert_array_equal(functional.relu(special), [np.nan, np.inf, 0, 0, 0])
    np.testing.assert_array_equal(grad.relu_input(special, np.ones(5, dtype)), [1, 1, 0, 0, 0])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_log_softmax(rng, dtype):
    """Within a few roundings of the definition in long double; no overflow, no underflow."""
    for shape, dim in [((5,), 0), ((3, 5), 1), ((3, 5), -2), ((2, 5, 3, 4), 1), ((0, 3), 1)]:
        x = noise(rng, shape, dtype) * 3
        y = functional.log_softmax(x, dim)
        assert y.dtype == dtype
        assert y.shape == shape
        expected = oracles.log_softmax(x, dim)
        epsilon = np.finfo(dtype).eps
        np.testing.assert_allclose(y, expected, rtol=4 * epsilon, atol=4 * epsilon)
    far = np.array([1e4, 0, -1e4], dtype)
    np.testing.assert_array_equal(functional.log_softmax(far, 0), np.array([0, -1e4, -2e4], dtype))
    assert np.isnan(functional.log_softmax(np.array([np.inf, 1], dtype), 0)).all()
    y = functional.log_softmax(np.array([-np.inf, 1, 1], dtype), 0)
    np.testing.assert_allclose(y, [-np.inf, -np.log(2), -np.log(2)], rtol=2e-3)


def test_log_softmax_gradient(rng):
    """Central differences."""
    for shape, dim in [((5,), 0), ((3, 5), 1), ((2, 5, 3), 1)]:
        x, dy = noise(rng, shape, "float64"), noise(rng, shape, "float64")

        def f(v, dim=dim):
            return functional.log_softmax(v, dim)

        numerical = oracles.numerical_gradient(f, x, dy)
        np.testing.assert_allclose(grad.log_softmax_input(f(x), dy, dim), numerical, atol=1e-8)


# ---- cross entropy ----------------------------------------------------------------------------

SHAPES = [(5,), (4, 5), (1, 1), (3, 5, 2), (2, 3, 4, 2), (0, 5)]


def targets(rng, shape, ignore_index):
    """Yield classes, classes some of which are ignored, and probabilities."""
    axis = min(1, len(shape) - 1)
    one_each = shape[:axis] + shape[axis + 1 :]
    classes = rng.integers(0, shape[axis], one_each)
    yield classes
    yield np.where(rng.random(one_each) < 0.5, ignore_index, classes)
    yield rng.random(shape)


@pytest.mark.parametrize("smoothing", [0.0, 0.25])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_cross_entropy(rng, shape, weighted, smoothing):
    """Every reduction, and the gradient by central differences."""
    x = noise(rng, shape, "float64")
    classes = shape[min(1, len(shape) - 1)]
    w = rng.random(classes) + 0.5 if weighted else None
    for ignore_index in (-100, 0):
        for target in targets(rng, shape, ignore_index):
            losses, total = oracles.cross_entropy(
                x, target, np.ones(classes) if w is None else w, ignore_index, smoothing
            )
            options = {"ignore_index": ignore_index, "label_smoothing": smoothing}
            expected = {"none": losses, "sum": losses.sum()}
            if total:
                expected["mean"] = losses.sum() / total
            else:
                assert np.isnan(functional.cross_entropy(x, target, w, **options))
            for reduction, value in expected.items():

                def f(v, target=target, options=options | {"reduction": reduction}):
                    return functional.cross_entropy(v, target, w, **options)

                np.testing.assert_allclose(f(x), value, rtol=1e-13, atol=1e-14)
                dy = noise(rng, np.shape(value), "float64")
                dx = grad.cross_entropy_input(x, target, dy, w, reduction=reduction, **options)
                assert dx.shape == x.shape
                numerical = oracles.numerical_gradient(f, x, dy)
                np.testing.assert_allclose(dx, numerical, atol=1e-8)


def test_ignored_targets_are_not_read():
    """Whatever stands in the input of an ignored target, its loss and gradient are zero."""
    x = np.array([[np.nan, 1.0], [np.inf, -np.inf], [0.0, 0.0]])
    target = [-100, -100, 1]
    assert functional.cross_entropy(x, target) == pytest.approx(np.log(2))
    dx = grad.cross_entropy_input(x, target)
    np.testing.assert_allclose(dx, [[0, 0], [0, 0], [0.5, -0.5]])


def test_impossible_classes():
    """A class of probability zero costs nothing unless it is the target."""
    x = np.array([[-np.inf, 0.0]], "float32")
    assert functional.cross_entropy(x, [1]) == 0
    assert functional.cross_entropy(x, [0]) == np.inf


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_cross_entropy_keeps_the_dtype(rng, dtype):
    """float16 is computed in float32."""
    x = noise(rng, (64, 10), dtype)
    target = rng.integers(0, 10, 64)
    loss = functional.cross_entropy(x, target)
    assert loss.dtype == dtype
    expected = functional.cross_entropy(x.astype("float64"), target)
    np.testing.assert_allclose(loss, expected, rtol=4 * np.finfo(dtype).eps)
    assert grad.cross_entropy_input(x, target).dtype == dtype


# ---- every array ------------------------------------------------------------------------------

CALLS = {
    "unfold": lambda x: functional.unfold(x, 2),
    "fold": lambda x: functional.fold(x.reshape(3, 8, 6), (3, 4), 2),
    "linear": lambda x: functional.linear(x, np.ones((2, 6), "float32")),
    "linear_input": lambda x: grad.linear_input((3, 2, 4, 5), np.ones((6, 5), "float32"), x),
    "linear_weight": lambda x: grad.linear_weight(x, (6, 6), x),
    "linear_bias": grad.linear_bias,
    "relu": functional.relu,
    "relu_input": lambda x: grad.relu_input(x, x),
    "log_softmax": lambda x: functional.log_softmax(x, 1),
    "log_softmax_input": lambda x: grad.log_softmax_input(x, x, 1),
    "cross_entropy": lambda x: functional.cross_entropy(x, np.abs(x) / 4),
    "cross_entropy_input": lambda x: grad.cross_entropy_input(x, np.abs(x) / 4),
}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("call", CALLS)
def test_infinite_data_are_no_warnings(rng, call, dtype):
    """NaN and infinities follow IEEE, in silence, and so does what becomes too large."""
    x = noise(rng, (3, 2, 4, 6), dtype)
    for value in (np.nan, np.inf, -np.inf, np.finfo(dtype).max, np.finfo(dtype).min):
        x[rng.random(x.shape) < 0.1] = value
    CALLS[call](x)


@pytest.mark.parametrize("call", CALLS)
def test_layouts(rng, call):
    """The answer of a contiguous copy, and the argument stays as it was."""
    x = small(rng, (3, 2, 4, 6), "float32")
    expected = CALLS[call](x)
    for layout in LAYOUTS.values():
        given = layout(x)
        y = CALLS[call](given)
        assert y.dtype == expected.dtype
        np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(given, x)
        assert not np.may_share_memory(y, given)
