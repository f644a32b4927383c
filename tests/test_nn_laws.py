"""The laws of layers: what makes a stack of them a network, what borders and pools change."""

import itertools

import nn_oracles as oracles
import numpy as np
import pytest
from arrays import small

import pyconv
from pyconv import arithmetic, nn, operators
from pyconv.nn import functional as F
from pyconv.nn import grad


def conv(k=3, channels=(1, 1), rng=0, **keywords):
    return nn.Conv2d(*channels, k, rng=rng, bias=False, dtype=np.float64, **keywords)


def whole(rng, layer):
    """Give a layer whole weights, so that sums are exact."""
    for p in layer.parameters():
        p.data = small(rng, p.shape, "float64")
    return layer


@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"stride": 2, "padding": 1},
        {"padding": 2, "dilation": 2},
        {"padding": 1, "padding_mode": "reflect"},
    ],
)
def test_layers_are_linear(rng, keywords):
    """f(a·x + b·z) = a·f(x) + b·f(z), exactly on whole numbers; a rectified layer is not."""
    layer = whole(rng, conv(3, (2, 3), **keywords))
    x, z = small(rng, (2, 1, 2, 9, 8), "float64")
    np.testing.assert_array_equal(layer(3 * x - 2 * z), 3 * layer(x) - 2 * layer(z))
    rectified = nn.Sequential(layer, nn.ReLU())
    assert not np.array_equal(rectified(3 * x - 2 * z), 3 * rectified(x) - 2 * rectified(z))


def test_a_shift_of_the_input_shifts_the_result(rng):
    """Exactly: everywhere on a ring; inside, with zeros around; by the stride, behind a pool."""
    x = small(rng, (1, 1, 16, 16), "float64")
    shifted = np.roll(x, (2, 4), (2, 3))
    ring = whole(rng, conv(5, padding="same", padding_mode="circular"))
    np.testing.assert_array_equal(ring(shifted), np.roll(ring(x), (2, 4), (2, 3)))
    zeros = nn.Conv2d(1, 1, 5, padding="same", bias=False, dtype=np.float64)
    zeros.load_state_dict(ring.state_dict())
    y, moved = zeros(shifted), np.roll(zeros(x), (2, 4), (2, 3))
    np.testing.assert_array_equal(y[..., 4:-2, 6:-2], moved[..., 4:-2, 6:-2])
    assert not np.array_equal(y, moved)  # the border does not move with the picture
    pooled = nn.Sequential(ring, nn.MaxPool2d(2))
    np.testing.assert_array_equal(pooled(shifted), np.roll(pooled(x), (1, 2), (2, 3)))
    odd = pooled(np.roll(x, 1, 3))
    assert not any(np.array_equal(odd, np.roll(pooled(x), s, 3)) for s in range(8))


def test_depth_without_rectifying_is_one_kernel(rng):
    """Two kernels in a row are their convolution, three are that of all."""
    kernels = [small(rng, shape, "float64") for shape in ((3, 3), (5, 5), (2, 4))]
    layers = []
    for k in kernels:
        layer = nn.Conv2d(1, 1, k.shape, bias=False, dtype=np.float64)
        layer.weight.data = k[np.newaxis, np.newaxis]
        layers.append(layer)
    one = kernels[0]
    for k in kernels[1:]:
        one = pyconv.convolve(one, k, "full")
    x = small(rng, (1, 1, 20, 21), "float64")
    np.testing.assert_array_equal(nn.Sequential(*layers)(x)[0, 0], pyconv.correlate(x[0, 0], one))


@pytest.mark.parametrize("layers", [[(3, 1)], [(5, 2), (3, 1)], [(5, 1), (2, 2), (5, 1), (2, 2)],
                                    [(3, 2), (3, 2), (3, 2)]])  # fmt: skip
def test_receptive_field(layers):
    """R = 1 + Σ (K − 1) · Π stride, as the formula, as arithmetic says, as the gradient reaches."""
    model = nn.Sequential(*(conv(k, stride=s, rng=i) for i, (k, s) in enumerate(layers)))
    formula, jump = 1, 1
    for k, s in layers:
        formula += (k - 1) * jump
        jump *= s
    size = formula + 2 * jump
    y = model(np.ones((1, 1, size, size)))
    dy = np.zeros_like(y)
    dy[0, 0, 1, 1] = 1
    rows, _ = np.nonzero(model.backward(dy, input_gradient=True)[0, 0])
    assert formula == arithmetic.receptive_field(layers) == np.ptp(rows) + 1
    assert rows.min() == model.first_seen((1, 1))[0]


def test_number_of_parameters():
    """K_h · K_w · C_in · C_out, and a bias for each result."""
    for k, c_in, c_out, groups in itertools.product((1, (3, 5)), (2, 6), (4, 8), (1, 2)):
        layer = nn.Conv2d(c_in, c_out, k, groups=groups)
        taps = np.prod(layer.kernel_size)
        assert layer.parameter_count == taps * c_in * c_out // groups + c_out
        assert layer.parameter_count == arithmetic.parameter_count(
            c_in, c_out, layer.kernel_size, groups
        )


def test_gradient_of_weights_is_a_correlation(rng):
    """Of the input and the error map: dw[k, c] = Σ_n x[n, c] ⋆ dy[n, k]."""
    layer = conv(3, (2, 3))
    x = small(rng, (4, 2, 9, 8), "float64")
    dy = small(rng, layer(x).shape, "float64")
    layer.backward(dy)
    for k, c in np.ndindex(3, 2):
        expected = sum(pyconv.correlate(x[n, c], dy[n, k]) for n in range(4))
        np.testing.assert_array_equal(layer.weight.grad[k, c], expected)


def test_gradient_of_the_input_is_the_flipped_convolution(rng):
    """Dx = Σ_k dy[k] * w[k], in full."""
    layer = whole(rng, conv(3, (2, 3)))
    x = small(rng, (1, 2, 9, 8), "float64")
    dy = small(rng, layer(x).shape, "float64")
    dx = layer.backward(dy)
    for c in range(2):
        expected = sum(pyconv.convolve(dy[0, k], layer.weight.data[k, c], "full") for k in range(3))
        np.testing.assert_array_equal(dx[0, c], expected)


@pytest.mark.parametrize("keywords", [{}, {"stride": 2, "padding": 1}, {"dilation": 2}])
def test_layers_are_products_of_matrices(rng, keywords):
    """Y = W · X with the columns of im2col, and dW = dY · Xᵀ."""
    layer = whole(rng, conv(3, (2, 4), **keywords))
    x = small(rng, (1, 2, 9, 8), "float64")
    y = layer(x)
    columns = F.unfold(x, (3, 3), **keywords)[0]
    w = layer.weight.data.reshape(4, -1)
    np.testing.assert_array_equal(y.reshape(4, -1), w @ columns)
    dy = small(rng, y.shape, "float64")
    layer.backward(dy)
    np.testing.assert_array_equal(layer.weight.grad.reshape(4, -1), dy.reshape(4, -1) @ columns.T)


def test_layers_are_sparse_matrices(rng):
    """The matrix of a layer has its taps in each row; its transpose is the gradient."""
    w = small(rng, (3, 3), "float64") + 4  # no weight is zero
    matrix = operators.sparse_matrix((6, 7), w, "same")
    x, dy = small(rng, (2, 1, 1, 6, 7), "float64")
    y = F.conv2d(x, w[np.newaxis, np.newaxis], padding=1)
    np.testing.assert_array_equal(matrix @ x.ravel(), y.ravel())
    dx = grad.conv2d_input(x.shape, w[np.newaxis, np.newaxis], dy, padding=1)
    np.testing.assert_array_equal(matrix.T @ dy.ravel(), dx.ravel())
    taps = np.diff(matrix.indptr).reshape(6, 7)
    assert (taps[1:-1, 1:-1] == 9).all()
    assert taps[0, 0] == 4  # the border's rows are short: zeros are read outside


def test_pools_of_averages_are_layers(rng):
    """An average is a correlation with equal weights; a largest sample is no linear function."""
    x = small(rng, (2, 3, 8, 8), "float64")
    weights = np.full((3, 1, 2, 2), 0.25)
    np.testing.assert_array_equal(nn.AvgPool2d(2)(x), F.conv2d(x, weights, stride=2, groups=3))
    largest = nn.MaxPool2d(2)
    assert not np.array_equal(largest(-x), -largest(x))


def test_gradient_through_a_whole_model(rng):
    """Every parameter of LeNet-5 in small, by central differences in float64."""
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, rng=0), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 3, 2, rng=1), nn.ReLU(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(3, 3, rng=2),
    ).astype(np.float64)  # fmt: skip
    x, target = rng.standard_normal((4, 1, 8, 8)), [0, 1, 2, 1]
    criterion = nn.CrossEntropyLoss()
    criterion(model(x), target)
    model.backward(criterion.backward())
    for p in model.parameters():
        weights, found = p.data.copy(), p.grad

        def loss(w, p=p):
            p.data[...] = w
            return criterion(model(x), target)

        expected = oracles.numerical_gradient(loss, weights, np.ones(()))
        p.data[...] = weights
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
