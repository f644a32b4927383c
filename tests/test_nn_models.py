"""Layers and models: results, gradients by finite differences, modes, weights in and out."""

import copy
import io
import os
import pickle
import re
import stat
import tracemalloc
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor

import nn_oracles as oracles
import numpy as np
import pytest

from pyconv import nn
from pyconv.nn import functional as F

F64 = np.float64


def convolution(kind, n, **keywords):
    """Return a small layer with a bias that is not zero."""
    layer = getattr(nn, f"{kind}{n}d")(2, 4, (2, 3, 2)[:n], rng=1, dtype=F64, **keywords)
    if layer.bias is not None:
        layer.bias.data = np.arange(4.0)
    return layer


#: Layers, and the shapes of what goes in and comes out.
LAYERS = {
    **{
        f"{kind}{n}d{i}": (
            lambda k=kind, n=n, w=keywords: convolution(k, n, **w),
            (2, 2, 6, 5, 4)[: n + 2],
        )
        for kind in ("Conv", "ConvTranspose")
        for n in (1, 2, 3)
        for i, keywords in enumerate(
            ({}, {"stride": 2, "padding": 1, "bias": False}, {"groups": 2, "dilation": 2})
        )
    },
    "Conv2d-same-circular": (
        lambda: convolution("Conv", 2, padding="same", padding_mode="circular"),
        (3, 2, 6, 5),
    ),
    **{
        f"{kind}{n}d": (lambda k=kind, n=n: getattr(nn, f"{k}{n}d")(2), (2, 3, 6, 5, 4)[: n + 2])
        for kind in ("MaxPool", "AvgPool")
        for n in (1, 2, 3)
    },
    "MaxPool2d-overlapping": (lambda: nn.MaxPool2d(3, 2, 1, ceil_mode=True), (2, 3, 6, 5)),
    "AvgPool2d-uncounted": (
        lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False),
        (2, 3, 6, 5),
    ),
    **{
        f"AdaptiveAvgPool{n}d": (
            lambda n=n: getattr(nn, f"AdaptiveAvgPool{n}d")((3, None, 2)[:n]),
            (2, 3, 6, 5, 4)[: n + 2],
        )
        for n in (1, 2, 3)
    },
    "ReLU": (nn.ReLU, (2, 3, 4)),
    "Sigmoid": (nn.Sigmoid, (2, 3, 4)),
    "Tanh": (nn.Tanh, (2, 3, 4)),
    "GELU": (nn.GELU, (2, 3, 4)),
    "GELU-tanh": (lambda: nn.GELU("tanh"), (2, 3, 4)),
    "Softmax": (lambda: nn.Softmax(-1), (2, 3, 4)),
    "Identity": (nn.Identity, (2, 3, 4)),
    "Flatten": (nn.Flatten, (2, 3, 4)),
    "Linear": (lambda: nn.Linear(4, 3, rng=0, dtype=F64), (2, 4)),
    "Linear-no-bias": (lambda: nn.Linear(4, 3, bias=False, rng=0, dtype=F64), (2, 5, 4)),
    "Residual": (
        lambda: nn.Residual(nn.Conv1d(2, 2, 3, padding=1, rng=0, dtype=F64)),
        (2, 2, 5),
    ),
    "Residual-shortcut": (
        lambda: nn.Residual(
            nn.Sequential(nn.Conv1d(2, 4, 3, 2, 1, rng=0, dtype=F64), nn.ReLU(inplace=True)),
            nn.Conv1d(2, 4, 1, 2, rng=1, dtype=F64),
        ),
        (2, 2, 5),
    ),
    "Sequential": (lambda: small_model(F64), (3, 1, 8, 8)),
}


def small_model(dtype=np.float32, seed=0, inplace=False):
    """Return a model of every usual layer, 8×8 images to 3 classes."""
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, rng=rng, dtype=dtype),
        nn.ReLU(inplace),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 3, rng=rng, dtype=dtype),
    )


@pytest.mark.parametrize("name", LAYERS)
def test_backward_is_the_gradient(rng, name):
    """With respect to the input and to every parameter, by central differences."""
    make, shape = LAYERS[name]
    layer, x = make(), rng.standard_normal(shape)
    y = layer(x)
    dy = rng.standard_normal(y.shape)
    dx = layer.backward(dy, input_gradient=True)
    np.testing.assert_allclose(dx, oracles.numerical_gradient(layer, x, dy), rtol=1e-6, atol=1e-7)
    for parameter in layer.parameters():
        weights = parameter.data.copy()

        def loss(w, parameter=parameter):
            parameter.data[...] = w
            return layer(x)

        expected = oracles.numerical_gradient(loss, weights, dy)
        np.testing.assert_allclose(parameter.grad, expected, rtol=1e-6, atol=1e-7)
        parameter.data = weights


@pytest.mark.parametrize("name", LAYERS)
def test_evaluation_gives_the_same(rng, name):
    """Also after new weights, for another batch and for one sample without a batch axis."""
    make, shape = LAYERS[name]
    layer, x = make(), rng.standard_normal(shape)
    for state in (None, {k: 2 * v for k, v in layer.state_dict().items()}):
        if state:
            layer.load_state_dict(state)
        for given in (x, x, x[:1], x[0]):
            if given.ndim < x.ndim and ("Flatten" in name or name == "Sequential"):
                continue
            expected = layer.train()(given)
            y = layer.eval()(given)
            np.testing.assert_allclose(y, expected, rtol=1e-13, atol=1e-13)
            assert y.dtype == expected.dtype


def test_evaluation_packs_for_every_shape_and_dtype(rng):
    """One after another without train() between them, as an image of another size comes along."""
    layer = nn.Conv2d(2, 3, 3, rng=0)
    given = [rng.standard_normal(shape) for shape in ((4, 2, 9, 8), (1, 2, 9, 8), (2, 9, 8))]
    expected = [F.conv2d(x.astype(np.float32), layer.weight) for x in given]
    layer.eval()
    for i in (0, 1, 0, 2, 1):
        np.testing.assert_allclose(layer(given[i]), expected[i], rtol=1e-5, atol=1e-5)
    layer.astype(F64)
    np.testing.assert_allclose(layer(given[1]), F.conv2d(given[1], layer.weight), rtol=1e-13)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_add_up(rng, name):
    """Two calls of backward give the sum, and the input's gradient only where it is asked for."""
    make, shape = LAYERS[name]
    layer, x = make(), rng.standard_normal(shape)
    once = []
    for wanted in (True, False):
        dy = np.ones(layer(x).shape)
        dx = layer.backward(dy, input_gradient=wanted)
        assert (dx is None) != wanted
        once.append([p.grad.copy() for p in layer.parameters()])
    for first, both in zip(*once, strict=True):
        np.testing.assert_array_equal(both, 2 * first)


def test_layers_are_the_functions(rng):
    """A layer is its function with its weights."""
    x = rng.standard_normal((2, 2, 9, 8))
    layer = nn.Conv2d(2, 4, 3, 2, 1, rng=0, dtype=F64)
    expected = F.conv2d(x, layer.weight, layer.bias, stride=2, padding=1)
    np.testing.assert_array_equal(layer(x), expected)
    up = nn.ConvTranspose2d(2, 4, 3, 2, 1, 1, rng=0, dtype=F64)
    expected = F.conv_transpose2d(x, up.weight, up.bias, 2, 1, 1)
    np.testing.assert_array_equal(up(x), expected)


# ---- dtypes and modes -------------------------------------------------------------------------


def test_layers_compute_in_the_dtype_of_their_weights(rng):
    """float32 unless asked otherwise; inputs are converted, integers too."""
    x = rng.integers(0, 256, (2, 1, 8, 8), np.uint8)
    model = small_model()
    assert {p.dtype for p in model.parameters()} == {np.dtype(np.float32)}
    assert model(x).dtype == model(x.astype(F64)).dtype == np.float32
    model.astype(F64)
    assert model(x.astype(np.float32)).dtype == np.float64
    with pytest.raises(TypeError, match="float32 or float64"):
        model.astype(np.float16)
    with pytest.raises(TypeError, match=r"layer 0, Conv2d.*complex"):
        model(x.astype(complex))


def test_evaluation_makes_weights_read_only():
    """What is packed cannot become stale: neither in place nor by an optimiser."""
    model = small_model().eval()
    with pytest.raises(ValueError, match="read-only"):
        model[0].weight.data[0] = 0
    optimizer = nn.SGD(model.parameters(), lr=1.0)
    for parameter in model.parameters():
        parameter.grad = np.ones_like(parameter.data)
    with pytest.raises(RuntimeError, match=r"model\.train\(\)"):
        optimizer.step()
    x = np.ones((1, 1, 8, 8), np.float32)
    before = model(x)
    model[0].weight.data = 2 * model[0].weight.data
    assert not np.array_equal(model(x), before)
    assert not model[0].weight.data.flags.writeable
    model.train()
    model[0].weight.data[0] = 0


@pytest.mark.parametrize("how", ["eval", "none", "twice"])
def test_backward_needs_a_forward(how):
    model = small_model()
    x = np.ones((1, 1, 8, 8), np.float32)
    if how == "eval":
        model.eval()(x)
    elif how == "twice":
        model.backward(model(x))
    with pytest.raises(RuntimeError, match=r"Linear\(64, 3\).*needs a call of forward"):
        model.backward(np.ones((1, 3)))


def test_rectifying_in_place(rng):
    """Overwrites what it can, and gives the same."""
    x = rng.standard_normal((3, 1, 8, 8)).astype(np.float32)
    results = []
    for inplace in (False, True):
        model = small_model(inplace=inplace)
        y = model(x)
        model.backward(np.ones_like(y))
        results.append([y, *(p.grad for p in model.parameters())])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)
    own = x.copy()
    assert nn.ReLU(inplace=True)(own) is own
    np.testing.assert_array_equal(own, np.maximum(x, 0))
    own.flags.writeable = False
    assert nn.ReLU(inplace=True)(own) is not own


@pytest.mark.parametrize("shortcut", [False, True])
def test_residuals_keep_their_input(rng, shortcut):
    """Where the body, or the shortcut, begins in place, the other way still reads the input."""
    x = rng.standard_normal((2, 12)).astype(np.float32)
    results = []
    for inplace in (False, True):
        body = nn.Sequential(nn.Flatten(), nn.ReLU(inplace), nn.Linear(12, 12, rng=0))
        way = nn.Sequential(nn.ReLU(inplace), nn.Linear(12, 12, rng=1)) if shortcut else None
        model = nn.Residual(body, way)
        given = x.copy()
        y = model(given)
        np.testing.assert_array_equal(given, x)
        assert given.flags.writeable
        dx = model.backward(np.ones_like(y))
        results.append([y, dx, *(p.grad for p in model.parameters())])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_copies_and_pickles(rng):
    """A copy has weights of its own, and nothing that forward kept."""
    x = rng.standard_normal((2, 1, 8, 8)).astype(np.float32)
    for mode in (True, False):
        model = small_model().train(mode)
        y = model(x)
        for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            np.testing.assert_array_equal(other(x), y)
            other.train()[0].weight.data[...] = 0
        np.testing.assert_array_equal(model(x), y)


def test_seeds():
    """One seed gives the same weights, another gives others."""
    a, b, c = (small_model(seed=s).state_dict() for s in (0, 0, 1))
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])
        assert name.endswith("bias") or not np.array_equal(a[name], c[name])


@pytest.mark.parametrize("draw", [nn.init.he_normal, nn.init.he_uniform])
def test_first_weights_have_their_variance(draw):
    """2 / (K_h · K_w · C_in), so that rectified layers keep the size of what flows through."""
    w = draw((256, 32, 3, 3), rng=0)
    assert w.dtype == np.float32
    np.testing.assert_allclose(w.var(), 2 / (32 * 9), rtol=0.02)
    np.testing.assert_allclose(draw((64, 64), fan_in=8, rng=0, dtype=F64).var(), 0.25, rtol=0.05)
    with pytest.raises(ValueError, match="fan_in"):
        draw((3,), rng=0)


# ---- weights in and out -----------------------------------------------------------------------


def test_names_are_torchs():
    model = nn.Sequential(small_model(), nn.ReLU(), nn.Linear(3, 2, bias=False))
    assert list(model.state_dict()) == ["0.0.weight", "0.0.bias", "0.4.weight", "0.4.bias",
                                        "2.weight"]  # fmt: skip


def test_saved_weights_come_back(tmp_path):
    """Bit for bit, in their dtype; the file holds plain arrays alone."""
    for dtype in (np.float32, F64):
        model, other = small_model(dtype), small_model(seed=1)
        path = tmp_path / "weights"
        model.save(path)
        other.load(path)
        assert [p.name for p in tmp_path.iterdir()] == ["weights"]
        for name, w in model.state_dict().items():
            assert other.state_dict()[name].dtype == dtype
            np.testing.assert_array_equal(other.state_dict()[name], w)
        with np.load(path, allow_pickle=False) as archive:
            assert archive.files == list(model.state_dict())


def archive(state, **options):
    """Return the bytes of an .npz file."""
    file = io.BytesIO()
    np.savez(file, **state, **options)
    return file.getvalue()


def broken_files():
    """Yield names and bytes of files that are not a model's weights, and what is said of each."""
    state = small_model(seed=3).state_dict()
    whole = archive(state)
    for cut in (0, 1, 3, 10, 200, len(whole) // 2, len(whole) - 40, len(whole) - 1):
        yield f"cut at {cut}", whole[:cut], "not all of them"
    flipped = bytearray(whole)
    flipped[whole.index(state["4.weight"].tobytes()) + 5] ^= 1
    yield "one bit", bytes(flipped), "CRC"
    yield "text", b"weights", "not all of them"
    one = io.BytesIO()
    np.save(one, state["4.weight"])
    yield "one array", one.getvalue(), "no .npz archive"
    yield "a pickle", pickle.dumps(state), "not all of them"
    yield "objects", archive(state | {"4.bias": np.array([0, None, "x"], object)}), "dtype object"
    yield "strings", archive(state | {"4.bias": np.array(["a", "b", "c"])}), "dtype <U1"
    yield "integers", archive(state | {"4.bias": np.arange(3)}), "dtype int64"
    yield "another shape", archive(state | {"4.bias": np.zeros(4)}), r"shape \(4,\), not \(3,\)"
    yield "another name", archive(state | {"5.bias": np.zeros(3)}), "'5.bias'"
    yield "a missing name", archive({k: v for k, v in state.items() if k != "0.bias"}), "'0.bias'"
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as file:
        file.writestr("0.weight", "no array")
    yield "a zip of text", other.getvalue(), "missing"
    zeros = np.zeros(1 << 22, np.float32)
    for name, arrays in {
        "bomb in an unknown member": state | {"bomb": zeros},
        "bomb in the place of weights": state | {"4.bias": zeros},
    }.items():
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
        assert len(file.getvalue()) < 3e5
        yield name, file.getvalue(), "not the weights of this model"
    magic, head = np.lib.format.magic, io.BytesIO()
    shape = {"descr": "<f4", "fortran_order": False, "shape": (3,)}
    np.lib.format.write_array_header_1_0(head, shape)
    for name, text, words in (
        ("long header", magic(2, 0) + (1 << 24).to_bytes(4, "little") + b" " * (1 << 24), "sound"),
        ("header without end", magic(1, 0) + bytes([4, 0]) + b"{" + b"'" * 3, "no sound header"),
        ("deep header", magic(1, 0) + bytes([0, 48]) + b"(" * 12288, "no sound header"),
        ("another version", magic(7, 3) + bytes([2, 0]) + b"{}", r"version \(7, 3\)"),
        ("more than the shape says", head.getvalue() + bytes(1 << 24), "not as long as"),
        ("less than the shape says", head.getvalue() + bytes(11), "not as long as"),
    ):
        yield name, zipped(state, "4.bias", text), words
    for kind in (zipfile.ZIP_BZIP2, 99):
        content = bytearray(zipped(state, "4.bias", b"", zipfile.ZIP_BZIP2))
        if kind == 99:
            at = content.rindex(b"PK\x01\x02", 0, content.rindex(b"4.bias"))
            content[at + 10] = kind
        yield f"compression {kind}", bytes(content), "compressed in a way"
    content = bytearray(whole)
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        content[content.index(signature) + offset] |= 1
    yield "encrypted", bytes(content), "encrypted"
    with zipfile.ZipFile(other, "a") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file.writestr("0.weight", "no array")
    yield "one name twice", other.getvalue(), "two arrays of one name"


def zipped(state, name, text, compression=zipfile.ZIP_DEFLATED):
    """Return an archive that has other bytes in the place of one array."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for other, array in state.items():
            with archive.open(f"{other}.npy", "w", force_zip64=True) as member:
                if other != name:
                    np.lib.format.write_array(member, array)
                else:
                    member.write(text)
    return file.getvalue()


BROKEN = list(broken_files())


@pytest.mark.parametrize(("content", "words"), [b[1:] for b in BROKEN],
                         ids=[b[0] for b in BROKEN])  # fmt: skip
def test_broken_files_are_refused(tmp_path, content, words):
    """With an error that says why, and the model as it was."""
    path = tmp_path / "weights.npz"
    path.write_bytes(content)
    model = small_model()
    before = model.state_dict()
    tracemalloc.start()
    try:
        with pytest.raises((ValueError, TypeError), match=words) as refused:
            model.load(path)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()
    assert "weights.npz" in str(refused.value)
    for name, w in model.state_dict().items():
        np.testing.assert_array_equal(w, before[name])


def test_damaged_files_are_refused(tmp_path, rng):
    """Wherever a byte is changed: the weights are those of the file, or the error is a ValueError.

    No error of zip's or Python's own readers comes through.
    """
    path = tmp_path / "weights.npz"
    small_model(seed=3).save(path)
    whole, model = path.read_bytes(), small_model()
    directory = whole.index(b"PK\x01\x02")
    for place in [*range(300), *range(directory, len(whole))]:
        for bit in (1 << int(rng.integers(8)), int(rng.integers(1, 256))):
            content = bytearray(whole)
            content[place] ^= bit
            path.write_bytes(content)
            try:
                model.load(path)
            except (ValueError, TypeError) as error:
                dtype = isinstance(error, TypeError)
                words = "floating-point weights are allowed" if dtype else "weights.npz"
                assert words in str(error)  # noqa: PT017


def test_what_is_no_file_is_refused(tmp_path):
    """At once: a pipe without a writer would be waited for."""
    model = small_model()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, "/dev/null", "/dev/zero"):
        with pytest.raises(OSError, match="is a device|[Ii]s a directory"):
            model.load(path)
        with pytest.raises(OSError, match="is a device|[Ii]s a directory"):
            model.save(path)
    for path in (3, None, b"weights"):
        for call in (model.load, model.save):
            with pytest.raises(TypeError, match="path="):
                call(path)
    for path in ("", "a\0b"):
        with pytest.raises(ValueError, match="path="):
            model.load(path)
    assert [p.name for p in tmp_path.iterdir()] == ["pipe"]


def test_many_save_at_once(tmp_path):
    """To one file: the last one wins, every reader finds all of one, and nothing else is left."""
    path = tmp_path / "weights.npz"
    models = [nn.Linear(40, 50, rng=seed) for seed in range(4)]
    reader = nn.Linear(40, 50)
    models[0].save(path)

    def save(model):
        for _ in range(40):
            model.save(path)

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(save, model) for model in models]
        while not all(each.done() for each in done):
            reader.load(path)
            assert any((reader.weight.data == m.weight.data).all() for m in models)
        for each in done:
            each.result()
    assert [p.name for p in tmp_path.iterdir()] == ["weights.npz"]


def test_what_a_file_was_stays(tmp_path):
    """Its permissions, and a symbolic link to it."""
    path, link = tmp_path / "weights.npz", tmp_path / "link"
    link.symlink_to(path)
    model = small_model()
    model.save(link)
    assert link.is_symlink()
    fresh = tmp_path / "fresh"
    fresh.touch()
    assert path.stat().st_mode == fresh.stat().st_mode
    for mode in (0o644, 0o600, 0o664):
        path.chmod(mode)
        model.save(link)
        assert link.is_symlink()
        assert stat.S_IMODE(path.stat().st_mode) == mode
    small_model(seed=1).load(link)


def test_weights_that_are_no_mapping():
    """The message names the argument."""
    for state in (None, 3, [1], "weights", {"0.weight"}):
        with pytest.raises(TypeError, match="state is a .*; a mapping"):
            small_model().load_state_dict(state)
    state = small_model().state_dict()
    with pytest.raises(TypeError, match=r"4\.bias is a masked array"):
        small_model().load_state_dict(state | {"4.bias": np.ma.ones(3)})
    with pytest.raises(TypeError, match=r"4\.bias has dtype StringDType"):
        small_model().load_state_dict(state | {"4.bias": np.array(["1"] * 3, "T")})


def test_a_failed_save_leaves_the_file(tmp_path, monkeypatch):
    path = tmp_path / "weights.npz"
    small_model().save(path)
    before = path.read_bytes()

    def fail(file, array, **options):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    with pytest.raises(OSError, match="no space"):
        small_model(seed=1).save(path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


# ---- errors and words -------------------------------------------------------------------------


def test_shape_errors_name_the_layer_and_both_shapes():
    first = nn.Sequential(nn.Conv2d(3, 8, 3))
    model = nn.Sequential(first, nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    for shape, words in {
        (2, 1, 5, 5): ("layer 0.0, Conv2d(3, 8", "(2, 1, 5, 5)", "(8, 3, 3, 3)"),
        (2, 3, 2, 5): ("layer 0.0, Conv2d(3, 8", "(2, 3, 2, 5)", "(8, 3, 3, 3)"),
        (2, 3, 4, 4): ("layer 3, Linear(8, 2", "(2, 32)", "(2, 8)"),
        (4, 4): ("layer 0.0, Conv2d(3, 8", "(4, 4)", "(N, C, H, W)"),
    }.items():
        for mode in (True, False):
            with pytest.raises(ValueError, match="layer") as caught:
                model.train(mode)(np.ones(shape))
            for word in words:
                assert word in str(caught.value)
    with pytest.raises(ValueError, match=re.escape("layer Conv1d(1, 1, kernel_size=(5,))")):
        nn.Conv1d(1, 1, 5)(np.ones((1, 4)))
    with pytest.raises(ValueError, match=r"MaxPool2d.*empty.*\(2, 2\)"):
        nn.MaxPool2d(3)(np.ones((1, 2, 2)))
    with pytest.raises(ValueError, match=r"layer body makes \(1, 2\).*shortcut makes \(1, 3\)"):
        nn.Residual(nn.Linear(3, 2))(np.ones((1, 3)))


def test_arguments_of_layers_are_checked():
    for make, error in (
        (lambda: nn.Conv2d(0, 1, 3), ValueError),
        (lambda: nn.Conv2d(1, 1, 0), ValueError),
        (lambda: nn.Conv2d(3, 2, 3, groups=2), ValueError),
        (lambda: nn.Conv2d(1.5, 2, 3), TypeError),
        (lambda: nn.Linear(3, 0), ValueError),
        (lambda: nn.Conv2d(1, 1, 3, dtype=np.float16), TypeError),
        (lambda: nn.Sequential(nn.ReLU(), np.ones(3)), TypeError),
        (lambda: nn.Flatten(2, 1)(np.ones((1, 2, 3))), ValueError),
        (lambda: nn.Parameter(["a"]), TypeError),
        (lambda: setattr(nn.Parameter([1.0]), "data", [1.0, 2.0]), ValueError),
        (lambda: nn.CrossEntropyLoss(reduction="none"), ValueError),
        (lambda: nn.SGD([]), ValueError),
        (lambda: nn.SGD([nn.Parameter([1.0])], lr=-1), ValueError),
        (lambda: nn.SGD([nn.Parameter([1.0])], nesterov=True), ValueError),
        (lambda: nn.Adam([nn.Parameter([1.0])], betas=(0.9, 1.0)), ValueError),
        (lambda: nn.Adam([nn.Parameter([1.0])], betas=()), ValueError),
        (lambda: nn.Adam([nn.Parameter([1.0])], betas=0.9), ValueError),
        (lambda: nn.SGD([nn.Parameter([1.0])], lr=None), TypeError),
        (lambda: nn.SGD(None), TypeError),
        (lambda: nn.MaxPool2d(3, 2, 1, 1, True), TypeError),
        (lambda: nn.init.he_normal(9), TypeError),
        (lambda: nn.init.he_normal((2, 3), fan_in=1.5), TypeError),
    ):
        with pytest.raises(error):
            make()


def test_a_layer_stands_in_a_model_once():
    relu = nn.ReLU()
    with pytest.raises(ValueError, match="twice"):
        nn.Sequential(nn.Sequential(nn.Linear(2, 2), relu), relu)


def test_losses_check_their_batch():
    criterion = nn.CrossEntropyLoss()
    for x, target, words in (
        (np.ones((0, 3)), np.ones(0, int), "batch is empty"),
        (np.ones((2, 3)), [0, 3], "classes from 0 to 2"),
        (np.ones((2, 3)), [0, -1], "classes from 0 to 2"),
        (np.ones((2, 3)), [0], r"target has shape \(1,\)"),
    ):
        with pytest.raises(ValueError, match=words):
            criterion(x, target)
    with pytest.raises(ValueError, match=r"target has shape \(3,\).*\(2, 3\)"):
        nn.MSELoss()(np.ones((2, 3)), np.ones(3))
    with pytest.raises(RuntimeError, match="needs a loss"):
        criterion.backward()


def test_repr_counts_parameters():
    model = small_model()
    assert repr(model[0]) == (
        "Conv2d(1, 4, kernel_size=(3, 3), padding=1): weight (4, 1, 3, 3), bias (4,), 40 parameters"
    )
    lines = repr(nn.Sequential(model, nn.ReLU(inplace=True))).split("\n")
    assert lines == [
        "Sequential(",
        "  (0) Sequential(",
        f"    (0) {model[0]!r}",
        "    (1) ReLU()",
        "    (2) MaxPool2d(kernel_size=2)",
        "    (3) Flatten()",
        "    (4) Linear(64, 3): weight (3, 64), bias (3,), 195 parameters",
        "  ): 235 parameters",
        "  (1) ReLU(inplace=True)",
        "): 235 parameters",
    ]


# ---- losses and optimisers --------------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_mean_squared_error(rng, reduction):
    x, t = rng.standard_normal((2, 3, 4))
    expected = {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction]((x - t) ** 2)
    loss = F.mse_loss(x, t, reduction=reduction)
    np.testing.assert_allclose(loss, expected, rtol=1e-14)
    dy = rng.standard_normal(np.shape(loss))
    found = nn.grad.mse_loss_input(x, t, dy, reduction=reduction)
    expected = oracles.numerical_gradient(lambda x: F.mse_loss(x, t, reduction=reduction), x, dy)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
    for dtype in (np.float16, np.float32):
        assert F.mse_loss(x.astype(dtype), t).dtype == dtype


@pytest.mark.parametrize("criterion", [nn.CrossEntropyLoss(label_smoothing=0.1), nn.MSELoss()])
def test_gradients_of_losses(rng, criterion):
    x = rng.standard_normal((4, 3))
    target = rng.integers(0, 3, 4) if isinstance(criterion, nn.CrossEntropyLoss) else x[::-1]
    criterion(x, target)
    dx = criterion.backward()
    expected = oracles.numerical_gradient(lambda x: criterion(x, target), x, np.ones(()))
    np.testing.assert_allclose(dx, expected, rtol=1e-6, atol=1e-8)


def sgd(p, gradients, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False):
    """Return a parameter after steps, as torch's documentation writes them."""
    b = None
    for g in gradients:
        g = g + weight_decay * p
        if momentum:
            b = g if b is None else momentum * b + (1 - dampening) * g
            g = g + momentum * b if nesterov else b
        p = p - lr * g
    return p


def adam(p, gradients, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
    """Return a parameter after steps, as torch's documentation writes them."""
    m = v = 0
    for t, g in enumerate(gradients, 1):
        g = g + weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        p = p - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return p


@pytest.mark.parametrize(
    ("optimiser", "oracle", "keywords"),
    [
        (nn.SGD, sgd, {}),
        (nn.SGD, sgd, {"momentum": 0.9}),
        (nn.SGD, sgd, {"momentum": 0.9, "weight_decay": 0.1, "dampening": 0.5}),
        (nn.SGD, sgd, {"momentum": 0.9, "weight_decay": 0.1, "nesterov": True}),
        (nn.Adam, adam, {}),
        (nn.Adam, adam, {"betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ],
)
def test_optimisers(rng, optimiser, oracle, keywords):
    """Every step is that of the formula; gradients are not changed; None is passed over."""
    first, gradients = rng.standard_normal((3, 4)), rng.standard_normal((7, 3, 4))
    p, still = nn.Parameter(first), nn.Parameter(first)
    steps = optimiser([p, still], lr=0.1, **keywords)
    for g in gradients:
        p.grad = g.copy()
        steps.step()
        np.testing.assert_array_equal(p.grad, g)
    np.testing.assert_allclose(p.data, oracle(first, gradients, 0.1, **keywords), rtol=1e-12)
    np.testing.assert_array_equal(still.data, first)
    steps.zero_grad()
    assert p.grad is None


# ---- summaries --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYERS)
def test_shapes_are_known_beforehand(name):
    """What a summary says is what a call returns, and misfits are refused alike."""
    make, shape = LAYERS[name]
    layer = make()
    y = layer(np.ones(shape))
    assert layer.output_shape(shape) == y.shape
    table = layer.summary(shape)
    assert table.rows[-1].output_shape == y.shape
    assert table.parameters == layer.parameter_count
    if layer.parameters() and not layer.children():
        with pytest.raises(ValueError, match=r"layer.*\(1, 1, 1, 1, 1, 1\)"):
            layer.summary((1,) * 6)


def test_receptive_fields_are_what_gradients_reach(rng):
    """R = 1 + Σ (K − 1) · d · Π stride: the samples that a result in the middle changes with."""
    model = nn.Sequential(
        nn.Conv2d(1, 2, (3, 5), padding=2, rng=0),
        nn.AvgPool2d(2),
        nn.ReLU(),
        nn.Residual(nn.Conv2d(2, 2, 3, padding=2, dilation=2, rng=1)),
        nn.Conv2d(2, 1, 3, stride=2, rng=2),
    )
    for p in model.parameters():
        p.data = np.abs(p.data)  # nothing is rectified, and no two ways cancel
    x = np.ones((1, 1, 60, 60), np.float32)
    y = model(x)
    dy = np.zeros_like(y)
    dy[0, 0, 6, 6] = 1
    dx = model.backward(dy, input_gradient=True)[0, 0]
    reached = tuple(np.ptp(i) + 1 for i in np.nonzero(dx))
    assert reached == model.summary(x.shape).rows[-1].receptive_field == (16, 18)


def test_summary_counts(rng):
    """Parameters K_h·K_w·C_in·C_out and a bias, operations, bytes; the table adds up."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10)
    )
    table = model.summary((2, 3, 8, 8))
    assert [row.parameters for row in table.rows] == [5 * 5 * 3 * 8 + 8, 0, 0, 0, 1290]
    products = 2 * 8 * 64 * 75
    assert [r.flops for r in table.rows] == [2 * products, 1024, 1024, 0, 2 * 2 * 1280]
    assert [r.memory for r in table.rows] == [4 * (1024 + 608), 4096, 1024, 1024, 4 * (20 + 1290)]
    assert [r.receptive_field for r in table.rows] == [(5, 5), (5, 5), (6, 6), (6, 6), None]
    lines = repr(table).split("\n")
    assert lines[-1].split() == ["all", "1,898", f"{table.flops:,}", f"{table.memory:,}"]
    assert lines[3].split()[:9] == ["0", "Conv2d", "2", "×", "8", "×", "8", "×", "8"]
