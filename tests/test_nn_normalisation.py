"""Batch normalisation, its folding into convolutions, activations, dropout, trained weights."""

import copy
import pickle

import nn_oracles as oracles
import numpy as np
import pytest

from pyconv import nn

F64 = np.float64
SHAPES = {1: (5, 3, 7), 2: (4, 3, 5, 6), 3: (3, 3, 4, 3, 2), 0: (6, 3)}


def norm(n, **keywords):
    """Return a layer whose weights and averages are not those that it begins with."""
    layer = getattr(nn, f"BatchNorm{n or 1}d")(3, dtype=F64, **keywords)
    if layer.weight is not None:
        layer.weight.data, layer.bias.data = [0.5, -2.0, 3.0], [1.0, 0.0, -1.0]
    layer.running_mean.data, layer.running_var.data = [0.1, -0.2, 0.3], [0.5, 1.5, 4.0]
    return layer


def spread(a, ndim):
    return np.asarray(a).reshape(-1, *[1] * (ndim - 2))


def normalised(x, mean, var, layer):
    """Return the formula."""
    y = (x - spread(mean, x.ndim)) / np.sqrt(spread(var, x.ndim) + layer.eps)
    if layer.weight is not None:
        y = y * spread(layer.weight.data, x.ndim) + spread(layer.bias.data, x.ndim)
    return y


@pytest.mark.parametrize("keywords", [{}, {"affine": False}, {"eps": 0.1, "momentum": 0.25}])
@pytest.mark.parametrize("n", SHAPES)
def test_batch_normalisation(rng, n, keywords):
    """In training by the batch, whose averages move; in evaluation by the averages."""
    layer, x = norm(n, **keywords), rng.normal(5, 2, SHAPES[n])
    axes = (0, *range(2, x.ndim))
    mean, var = x.mean(axes), x.var(axes)
    before = layer.running_mean.data.copy(), layer.running_var.data.copy()
    np.testing.assert_allclose(layer(x), normalised(x, mean, var, layer), rtol=1e-12, atol=1e-12)
    m = keywords.get("momentum", 0.1)
    unbiased = x.var(axes, ddof=1)
    np.testing.assert_allclose(layer.running_mean.data, (1 - m) * before[0] + m * mean)
    np.testing.assert_allclose(layer.running_var.data, (1 - m) * before[1] + m * unbiased)
    after = layer.running_mean.data.copy(), layer.running_var.data.copy()
    y = layer.eval()(x)
    np.testing.assert_allclose(y, normalised(x, *after, layer), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(layer.running_mean.data, after[0])
    assert not layer.running_mean.data.flags.writeable


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("n", SHAPES)
def test_gradients_of_batch_normalisation(rng, n, affine):
    """With respect to the input and both weights, by central differences."""
    layer, x = norm(n, affine=affine), rng.standard_normal(SHAPES[n])
    dy = rng.standard_normal(x.shape)
    layer(x)
    dx = layer.backward(dy, input_gradient=True)
    np.testing.assert_allclose(dx, oracles.numerical_gradient(layer, x, dy), rtol=1e-5, atol=1e-7)
    for parameter in layer.parameters():
        weights = parameter.data.copy()

        def loss(w, parameter=parameter):
            parameter.data[...] = w
            return layer(x)

        expected = oracles.numerical_gradient(loss, weights, dy)
        np.testing.assert_allclose(parameter.grad, expected, rtol=1e-6, atol=1e-7)
        parameter.data = weights
    layer(x)
    assert layer.backward(dy, input_gradient=False) is None


def test_a_large_mean_takes_no_digits(rng):
    """In single precision the deviations about 10,000 are those that the samples have."""
    x = (1e4 + rng.standard_normal((64, 3, 32, 32))).astype(np.float32)
    y = nn.BatchNorm2d(3)(x)
    exact = x.astype(F64) - x.mean((0, 2, 3), dtype=F64).reshape(3, 1, 1)
    exact /= np.sqrt(exact.var((0, 2, 3)).reshape(3, 1, 1) + 1e-5)
    np.testing.assert_allclose(y, exact, atol=2e-3)
    assert y.dtype == np.float32


def test_arguments_of_normalisations_are_checked(rng):
    for arguments, words in [
        ((0,), "num_features=0"), ((3, -1.0), "eps=-1.0"), ((3, 1e-5, 1.5), "momentum=1.5"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=words):
            nn.BatchNorm2d(*arguments)
    with pytest.raises(TypeError, match="momentum=None"):
        nn.BatchNorm2d(3, momentum=None)
    layer = nn.BatchNorm2d(3)
    for shape in ((2, 3, 4), (3, 4, 4), (2, 4, 4, 4)):
        with pytest.raises(ValueError, match=r"\(N, 3, H, W\) is allowed"):
            layer(np.ones(shape))
    with pytest.raises(ValueError, match="no variance"):
        layer(np.ones((1, 3, 1, 1)))
    assert layer.eval()(np.ones((1, 3, 1, 1))).shape == (1, 3, 1, 1)
    layer.train()(rng.random((2, 3, 4, 4)))
    with pytest.raises(ValueError, match="grad_output has shape"):
        layer.backward(np.ones((2, 3, 4, 5)))


def test_averages_belong_to_the_state_and_to_no_optimiser(rng, tmp_path):
    """They are saved, loaded, converted and copied; a step does not change them."""
    model = nn.Sequential(nn.Conv2d(1, 3, 3, rng=0), nn.BatchNorm2d(3))
    names = ["1.weight", "1.bias", "1.running_mean", "1.running_var"]
    assert list(model.state_dict())[2:] == names
    assert [p.shape for p in model.parameters()] == [(3, 1, 3, 3), (3,), (3,), (3,)]
    x = rng.standard_normal((4, 1, 8, 8))
    optimizer = nn.SGD(model.parameters(), lr=0.1, weight_decay=0.5)
    y = model(x)
    averages = model.state_dict()["1.running_var"]
    assert not np.array_equal(averages, np.ones(3))
    model.backward(np.ones_like(y))
    optimizer.step()
    np.testing.assert_array_equal(model.state_dict()["1.running_var"], averages)
    model.save(tmp_path / "model.npz")
    other = nn.Sequential(nn.Conv2d(1, 3, 3, rng=1), nn.BatchNorm2d(3))
    other.load(tmp_path / "model.npz")
    for made in (other, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(made.eval()(x), model.eval()(x))
        model.train()
    model.astype(F64)
    assert {a.dtype for a in model.state_dict().values()} == {np.dtype(F64)}


def test_the_count_of_torch_is_ignored(tmp_path):
    """A state of torch's has it beside the averages, as an integer; others stay unknown."""
    model = nn.Sequential(nn.Sequential(nn.BatchNorm1d(2)))
    state = model.state_dict()
    model.load_state_dict(state | {"0.0.num_batches_tracked": np.int64(7)})
    np.savez(tmp_path / "torch.npz", **state, **{"0.0.num_batches_tracked": np.int64(7)})
    model.load(tmp_path / "torch.npz")
    with pytest.raises(ValueError, match="it has no '0.num_batches_tracked'"):
        model.load_state_dict(state | {"0.num_batches_tracked": np.int64(7)})


@pytest.mark.parametrize(
    "keywords",
    [{}, {"bias": False}, {"groups": 3, "padding": 1, "padding_mode": "reflect"}, {"stride": 2}],
    ids=str,
)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_fused_models_give_the_same(rng, n, keywords):
    """In evaluation; the model itself is left as it is."""
    convolution, normalisation = (getattr(nn, f"{kind}{n}d") for kind in ("Conv", "BatchNorm"))
    layer = normalisation(6, dtype=F64)
    for parameter in layer.named_state().values():
        parameter.data = rng.uniform(0.5, 2, 6)
    model = nn.Sequential(
        nn.Sequential(convolution(3, 6, 3, rng=rng, dtype=F64, **keywords), layer, nn.ReLU()),
        nn.ReLU(),
    )
    if model[0][0].bias is not None:
        model[0][0].bias.data = np.arange(6.0)
    before, x = model.state_dict(), rng.standard_normal((2, 3, 9, 8, 7)[: n + 2])
    fused = nn.fuse(model)
    assert model.training
    assert not fused.training
    assert all(np.array_equal(a, before[name]) for name, a in model.state_dict().items())
    assert set(fused.state_dict()) == {"0.0.weight", "0.0.bias"}
    assert isinstance(fused[0][1], nn.Identity)
    expected = model.eval()(x)
    np.testing.assert_allclose(fused(x), expected, rtol=1e-12, atol=1e-12)
    # Folding a second time changes nothing.
    np.testing.assert_array_equal(nn.fuse(fused)(x), fused(x))


def test_what_is_not_folded_stays(rng):
    """Behind a transpose or a full connection, behind another layer, or of other channels."""
    for first in (
        nn.Sequential(nn.ConvTranspose2d(2, 3, 3, rng=0)),
        nn.ConvTranspose2d(2, 3, 3, rng=0),
        nn.Sequential(nn.Conv2d(2, 3, 3, rng=0), nn.ReLU()),
    ):
        model = nn.Sequential(first, nn.BatchNorm2d(3))
        x = rng.standard_normal((2, 2, 6, 6))
        model(x)
        fused = nn.fuse(model)
        assert isinstance(fused[1], nn.BatchNorm2d)
        np.testing.assert_array_equal(fused(x), model.eval()(x))
    with pytest.raises(TypeError, match="model is a list"):
        nn.fuse([])


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (nn.Sigmoid(), lambda x: 1 / (1 + np.exp(-x))),
        (nn.Tanh(), np.tanh),
        (nn.GELU("tanh"),
         lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))),
        (nn.Softmax(1), lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
        (nn.Softmax(-1), lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
        (nn.Identity(), lambda x: x),
    ],
    ids=lambda value: repr(value) if isinstance(value, nn.Layer) else "",
)  # fmt: skip
def test_activations(rng, layer, function):
    """By their formulas, in the dtype of the samples; extremes give limits and no warning."""
    x = rng.standard_normal((4, 3, 5))
    np.testing.assert_allclose(layer(x), function(x), rtol=1e-12, atol=1e-15)
    for dtype, tolerance in ((np.float16, 2e-3), (np.float32, 1e-6)):
        y = layer(x.astype(dtype))
        assert y.dtype == dtype
        np.testing.assert_allclose(
            y, function(x.astype(dtype).astype(F64)), rtol=tolerance, atol=tolerance
        )
    assert np.isfinite(layer(np.array([[-1e4, 0.0, 1e4]]))).all()


def test_gelu_is_weighed_by_the_normal_distribution(rng):
    import math

    x = rng.standard_normal(20)
    expected = [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x]
    np.testing.assert_allclose(nn.GELU()(x), expected, rtol=1e-12)
    with pytest.raises(ValueError, match="approximate='erf'"):
        nn.GELU("erf")


def test_dropout(rng):
    """Zeros as often as p says, the mean kept; the gradient goes where samples stayed."""
    x = rng.random((200, 300)) + 1
    layer = nn.Dropout(0.25, rng=3)
    y = layer(x)
    lost = y == 0
    assert abs(lost.mean() - 0.25) < 0.01
    np.testing.assert_allclose(y[~lost], x[~lost] / 0.75)
    np.testing.assert_allclose(layer.backward(np.ones_like(x)), np.where(lost, 0, 1 / 0.75))
    assert not np.array_equal(layer(x) == 0, lost)
    np.testing.assert_array_equal(nn.Dropout(0.25, rng=3)(x), y)
    np.testing.assert_array_equal(layer.eval()(x), x)
    assert not nn.Dropout(1.0)(x).any()
    np.testing.assert_array_equal(nn.Dropout(0.0)(x), x)
    for p in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="from 0 to 1"):
            nn.Dropout(p)


@pytest.mark.parametrize("where", ["safetensors", "npz"])
def test_weights_of_a_file(rng, tmp_path, where):
    """All of them, or none; a damaged file is an error that names it."""
    made = nn.Sequential(nn.Conv2d(1, 3, 3, rng=0), nn.BatchNorm2d(3))
    state = made.state_dict() | {"1.num_batches_tracked": np.array(3, np.int64)}
    path = tmp_path / f"model.{where}"
    if where == "npz":
        np.savez(path, **state)
    else:
        pytest.importorskip("safetensors.numpy").save_file(state, path)
    model = nn.Sequential(nn.Conv2d(1, 3, 3, rng=1), nn.BatchNorm2d(3))
    model.load(path)
    for name, array in made.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name], array)
    kept = model.state_dict()
    for wrong in (
        nn.Sequential(nn.Conv2d(1, 3, 3)),
        nn.Sequential(nn.Conv2d(1, 3, 5), nn.BatchNorm2d(3)),
    ):
        with pytest.raises(ValueError, match="not the weights of this model"):
            wrong.load(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=f"model.{where}"):
        model.load(path)
    path.unlink()
    with pytest.raises(OSError, match=f"model.{where}"):
        model.load(path)
    assert all(np.array_equal(kept[name], array) for name, array in model.state_dict().items())


def test_safetensors_that_is_missing_is_named(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "safetensors", None)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ImportError, match="read by the package safetensors"):
        nn.Linear(2, 2).load(tmp_path / "model.safetensors")


def test_a_path_is_no_state(tmp_path):
    for path in ("model.npz", tmp_path / "model.safetensors"):
        with pytest.raises(TypeError, match=r"load\(path\) reads a file"):
            nn.Linear(2, 2).load_state_dict(path)


def test_integers_of_a_file_are_no_weights(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    state = {"weight": np.ones((2, 2), np.int32), "bias": np.ones(2, np.float32)}
    safetensors.save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(TypeError, match="weight has dtype int32"):
        nn.Linear(2, 2).load(tmp_path / "model.safetensors")


def tiny(**keywords):
    """Return a block of a residual network, with averages that are not those of the beginning."""
    block = nn.models.BasicBlock(3, 4, 2, rng=0, dtype=F64, **keywords)
    rng = np.random.default_rng(1)
    for name, parameter in block.named_state().items():
        if "bn" in name or "downsample.1" in name:
            parameter.data = rng.uniform(0.5, 1.5, parameter.shape)
    return block


def test_gradients_of_a_block(rng):
    """Through both ways, by central differences."""
    for block in (tiny(), nn.models.BasicBlock(3, 3, rng=0, dtype=F64)):
        x = rng.standard_normal((2, 3, 6, 5))
        y = block(x)
        assert y.shape == block.output_shape(x.shape)
        dy = rng.standard_normal(y.shape)
        dx = block.backward(dy, input_gradient=True)
        expected = oracles.numerical_gradient(block, x, dy)
        np.testing.assert_allclose(dx, expected, rtol=1e-5, atol=1e-6)
        weight = block.conv1.weight
        found, weights = weight.grad, weight.data.copy()

        def loss(w, block=block, weight=weight, x=x):
            weight.data[...] = w
            return block(x)

        np.testing.assert_allclose(
            found, oracles.numerical_gradient(loss, weights, dy), rtol=1e-5, atol=1e-6
        )


def test_a_fused_block(rng):
    block, x = tiny(), rng.standard_normal((2, 3, 6, 5))
    fused = nn.fuse(block)
    np.testing.assert_allclose(fused(x), block.eval()(x), rtol=1e-12, atol=1e-12)
    assert not any("bn" in name for name in fused.state_dict())


def test_resnet_18():
    """Names, shapes and sizes are those that torchvision's has."""
    model = nn.models.ResNet18(classes=10, rng=0)
    names = list(model.state_dict())
    assert names[0] == "conv1.weight"
    assert names[-2:] == ["fc.weight", "fc.bias"]
    assert "layer1.1.bn2.running_var" in names
    assert "layer2.0.downsample.0.weight" in names
    assert "layer1.0.downsample.0.weight" not in names
    assert len(names) == 20 + 20 * 4 + 2
    assert model.parameter_count == 11_689_512 - 990 * 513
    table = model.summary((2, 3, 224, 224))
    assert table.rows[-1].output_shape == (2, 10)
    by_name = {row.name: row for row in table.rows}
    assert by_name["maxpool"].output_shape == (2, 64, 56, 56)
    assert by_name["layer4.1.relu2"].output_shape == (2, 512, 7, 7)
    assert by_name["layer4.1.conv2"].receptive_field == (435, 435)
    x = np.random.default_rng(0).standard_normal((1, 3, 40, 40))
    expected = model.eval()(x)
    np.testing.assert_allclose(nn.fuse(model)(x), expected, rtol=1e-4, atol=1e-4)
