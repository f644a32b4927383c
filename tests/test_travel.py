"""Objects that are copied and pickled: between processes, and to loops of another instruction set.

A pickle is a recipe. It holds the arguments, never what was compiled or computed from them.
"""

import copy
import os
import pickle
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

import pyconv
from pyconv import nn
from pyconv._calls import plans
from pyconv._engine import planner, planning
from pyconv._native import loader
from pyconv.nn import functional
from pyconv.operators import linear_operator

rng = np.random.default_rng(0)


def _plans():
    """Yield plans of every way of a call, by name, each with an array that it takes."""
    x, w = rng.random((30, 31)), rng.random((4, 3))
    gaussian = np.exp(-np.square(np.arange(-9, 10)) / 18)
    mask = rng.random((30, 31)) < 0.2
    whole = rng.integers(-99, 99, (30, 31))
    for name, source, kernel, options in (
        ("default", x, w, {}),
        ("border", x, w, {"mode": "same", "boundary": ("mirror", "wrap"), "stride": (2, 1)}),
        ("pads", x, w, {"mode": [(-1, 3), (2, 0)], "fill_value": 2.5, "dilation": 2}),
        ("axes", rng.random((4, 5, 6)), w[:2, :2], {"axes": (2, 0), "flip": True}),
        ("forced", x, w, {"method": "im2col", "rtol": 0, "max_memory": 1 << 20}),
        ("fft", x.astype("f4"), rng.random((15, 15), "f4"), {"method": "fft"}),
        ("separable", x, np.outer(gaussian, gaussian), {"mode": "same", "method": "separable"}),
        ("recursive", x, np.outer(gaussian, gaussian), {"rtol": 1e-2, "method": "recursive"}),
        ("integers", whole, [[3, -5, 7]], {}),
        ("narrow", whole.astype("u1"), [[1, 2, 1]], {"dtype": "u1", "overflow": "saturate"}),
        ("rounded", x, w, {"dtype": "i2"}),
        ("complex", x + 1j, w - 2j, {"mode": "full"}),
        ("half", x.astype("f2"), w.astype("f2"), {}),
        ("swapped", x, w.astype(">f8"), {}),
        ("refuses NaN", x, w, {"nan_policy": "raise"}),
        ("omits NaN", np.where(mask, np.nan, x), w, {"nan_policy": "omit", "mode": "same"}),
        ("outside", x, w, {"nan_policy": "omit", "mode": "same", "fill_value": np.nan}),
        ("mask", x, w, {"mask": mask, "mode": "same"}),
        ("empty batch", np.zeros((0, 9)), [1.0, 2.0], {}),
    ):
        yield f"plan: {name}", pyconv.plan(source, kernel, **options), source


def _operators():
    for name, w in (("real", rng.random((3, 4))), ("complex", rng.random((3, 4)) + 1j)):
        a = linear_operator((11, 12), w, "same", "wrap", stride=(2, 3))
        b = linear_operator((11, 12), w, "same", "mirror", flip=True)
        for word, operator in (
            ("A", a), ("A.H", a.H), ("A.T", a.T), ("A.T.H", a.T.H), ("A*A.H", a @ a.H),
            ("2*A", 2 * a), ("B+B.T", b + b.T), ("B", b),
        ):  # fmt: skip
            yield f"operator: {name} {word}", operator, rng.random(operator.shape[1])


def _layer_plans():
    for name, channels, groups, size, dtype in (
        ("blocked", 16, 1, 1, "f4"), ("winograd", 64, 1, 3, "f4"), ("depthwise", 16, 16, 3, "f4"),
        ("half", 16, 1, 3, "f2"), ("double", 4, 2, 3, "f8"),
    ):  # fmt: skip
        weight = rng.random((channels, channels // groups, size, size)).astype(dtype)
        bias = rng.random(channels).astype(dtype)
        x = rng.random((2, channels, 14, 14)).astype(dtype)
        plan = functional.plan_conv(
            x.shape, weight, bias, padding=1, groups=groups, padding_mode="circular"
        )
        yield f"layer plan: {name}", plan, x


def _models():
    x = rng.random((2, 3, 16, 16))
    for dtype in ("f4", "f8"):
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, rng=0, dtype=dtype),
            nn.ReLU(inplace=True),
            nn.Residual(nn.Conv2d(8, 8, 3, padding=1, rng=1, dtype=dtype)),
            nn.MaxPool2d(2),
            nn.ConvTranspose2d(8, 4, 2, 2, rng=2, dtype=dtype),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(256, 5, rng=3, dtype=dtype),
        )
        model(x)
        yield f"model: training {dtype}", model, x
        model = copy.deepcopy(model).eval()
        model(x)
        yield f"model: evaluation {dtype}", model, x


OBJECTS = {
    name: (each, x)
    for table in (_plans, _operators, _layer_plans, _models)
    for name, each, x in table()
}


def result(each, x):
    """Return the bits of what an object makes of an array."""
    y = each @ x if hasattr(each, "rmatvec") else each(x)
    return y.dtype.str, y.shape, y.tobytes()


@pytest.mark.parametrize("name", OBJECTS)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_give_the_same_bits(name, protocol):
    """Once, and again from a pickle of what came out of a pickle."""
    each, x = OBJECTS[name]
    expected = result(each, x)
    for _ in range(2):
        each = pickle.loads(pickle.dumps(each, protocol))
        assert result(each, x) == expected


@pytest.mark.parametrize("name", OBJECTS)
def test_copies_give_the_same_bits(name):
    """Shallow and deep; plans, which never change, are their own copies."""
    each, x = OBJECTS[name]
    for made in (copy.copy(each), copy.deepcopy(each)):
        assert type(made) is type(each)
        assert result(made, x) == result(each, x)
        assert (made is each) == name.split(":")[0].endswith("plan")


@pytest.mark.parametrize("name", OBJECTS)
def test_pickles_hold_no_workspace(name):
    """What runs, and keeps what it needs, is no part of them: they are as long as before."""
    each, x = OBJECTS[name]
    before = len(pickle.dumps(each))
    result(each, x)
    assert len(pickle.dumps(each)) == before
    if not name.startswith("model"):
        weights = {"plan: mask": 30 * 31 + 96, "layer plan: winograd": 64 * 64 * 9 * 4}
        assert before < weights.get(name, 20_000) + 3_000


CHILD = """
import pickle, sys
sys.path.insert(0, "{folder!s}")
from tests.test_travel import result
with open({path!r}, "rb") as file:
    objects = pickle.load(file)
with open({path!r} + ".out", "wb") as file:
    pickle.dump({{name: result(*pair) for name, pair in objects.items()}}, file)
"""


@pytest.mark.parametrize("isa", loader.runnable())
def test_other_processes(isa, tmp_path):
    """The same bits with the same loops; with those of another instruction set, nearly."""
    path = tmp_path / "objects"
    path.write_bytes(pickle.dumps(OBJECTS))
    code = CHILD.format(folder=Path(__file__).parents[1], path=str(path))
    environment = os.environ | {"PYCONV_ISA": isa}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=120)
    found = pickle.loads((tmp_path / "objects.out").read_bytes())
    here = loader.native.ISA
    for name, (each, x) in OBJECTS.items():
        expected = result(each, x)
        if isa == here:
            assert found[name] == expected, name
            continue
        assert found[name][:2] == expected[:2], name
        y, close = (np.frombuffer(bits, dtype) for dtype, _, bits in (found[name], expected))
        tolerance = {"e": 1e-2, "f": 1e-4, "d": 1e-9}.get(y.real.dtype.char, 0)
        if "recursive" in name:
            tolerance = 1e-3
        np.testing.assert_allclose(y, close, rtol=tolerance, atol=tolerance, err_msg=name)


def _apply(pair):
    return result(*pair)


def test_spawned_workers():
    """As `multiprocessing` sends them."""
    chosen = [pair for name, pair in OBJECTS.items() if name.endswith(("border", " A", "f4"))]
    with get_context("spawn").Pool(1) as pool:
        assert pool.map(_apply, chosen) == [result(*pair) for pair in chosen]


def test_cloudpickle():
    """As joblib and dask send what a notebook has defined."""
    cloudpickle = pytest.importorskip("cloudpickle")

    class Twice(nn.Layer):
        def forward(self, input):  # noqa: A002
            self.keep(input)
            return 2 * input

    for each, x in ((nn.Sequential(Twice()), np.ones(3)), OBJECTS["plan: border"]):
        sent = cloudpickle.loads(cloudpickle.dumps(each))
        assert result(sent, x) == result(each, x)


def test_joblib(tmp_path):
    """Weights that joblib maps into memory read-only can still be trained."""
    joblib = pytest.importorskip("joblib")
    model = nn.Linear(3, 2, rng=0)
    optimizer = nn.SGD(model.parameters(), momentum=0.5)
    _train(model, optimizer)
    joblib.dump((model, optimizer), tmp_path / "model")
    read, its = joblib.load(tmp_path / "model", mmap_mode="r")
    _train(read, its)
    _train(model, optimizer)
    assert (read.weight.data == model.weight.data).all()


def _train(model, optimizer):
    optimizer.zero_grad()
    model(np.ones((4, 3)))
    model.backward(np.ones((4, 2)))
    optimizer.step()


# ---- which algorithm runs there ------------------------------------------------------------------


def test_the_algorithm_travels():
    """A process that has tuned sends what it found: the other one would have chosen differently."""
    x, w = rng.random((64, 64), "f4"), rng.random((5, 5), "f4")
    key = planning.PLANNER.description(planning.plan_for(x, w).problem)
    planner.WISDOM.remember(key, "im2col")
    planner.clear_cache()
    try:
        made = pyconv.plan(x, w)
        expected, text = result(made, x), pickle.dumps(made)
    finally:
        planner.WISDOM.forget()
        planner.clear_cache()
    assert (made.algorithm, pyconv.plan(x, w).algorithm) == ("im2col", "direct")
    for _ in range(2):  # it goes on from there, with the method that was asked for
        sent = pickle.loads(text)
        assert sent.algorithm == "im2col"
        assert result(sent, x) == expected
        text = pickle.dumps(sent)
        assert b"auto" in text


def test_an_algorithm_that_cannot_run_there():
    """Another one does."""
    x, w = rng.random((64, 64)), rng.random((5, 5))
    assert plans.bound_by("box", x, w, planning.CallOptions()).algorithm == "direct"


def test_the_adjoint_travels():
    """Its algorithms too, one for each phase."""
    a = linear_operator((40, 40), rng.random((5, 5)), "same", "wrap", stride=2)
    made, (forward, workers, algorithms) = a.__reduce__()
    b = made(forward, workers, ("im2col",) * len(algorithms))
    sent = pickle.loads(pickle.dumps(b))
    y = rng.random(b.shape[0])
    assert set(sent._backward().algorithms) == {"im2col"}
    assert (sent.H @ y == b.H @ y).all()


# ---- models and what trains them -----------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_parameters_stay_read_only(protocol):
    """As they were: in evaluation; and a gradient stays behind."""
    model = nn.Linear(3, 2, rng=0)
    model(np.ones((4, 3)))
    model.backward(np.ones((4, 2)))
    for mode in (True, False):
        sent = pickle.loads(pickle.dumps(model.train(mode), protocol))
        assert sent.weight.data.flags.writeable == mode
        assert sent.weight.grad is None
        assert sent.train().weight.data.flags.writeable
    assert model.weight.grad is not None


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("method", [nn.SGD, nn.Adam])
def test_training_goes_on(method, protocol):
    """A model and its optimiser, together, take the steps that they would have taken."""
    model = nn.Linear(3, 2, rng=0)
    optimizer = method(model.parameters(), 0.1)
    if method is nn.SGD:
        optimizer.momentum = 0.9
    _train(model, optimizer)
    text = pickle.dumps((model, optimizer), protocol)
    assert b"scratch" not in text
    read, its = pickle.loads(text)
    for _ in range(3):
        _train(model, optimizer)
        _train(read, its)
        assert (read.weight.data == model.weight.data).all()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("criterion", [nn.CrossEntropyLoss([1.0, 2.0]), nn.MSELoss()])
def test_criteria(criterion, protocol):
    """Also those that keep something for their gradient."""
    x = rng.random((4, 2))
    target = np.array([0, 1, 1, 0]) if isinstance(criterion, nn.CrossEntropyLoss) else x + 1
    loss = criterion(x, target)
    sent = pickle.loads(pickle.dumps(criterion, protocol))
    assert repr(sent) == repr(criterion)
    with pytest.raises(RuntimeError, match="backward needs a loss"):
        sent.backward()
    assert sent(x, target) == loss
    assert (sent.backward() == criterion.backward()).all()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_is_told(protocol):
    """Explanations, summaries and histories."""
    why = pyconv.explain(rng.random((9, 9)), np.ones((3, 3)))
    table = nn.Linear(3, 2).summary((4, 3))
    for told in (why, table, nn.History([1.0]), OBJECTS["layer plan: blocked"][0].explain()):
        assert repr(pickle.loads(pickle.dumps(told, protocol))) == repr(told)
        assert repr(copy.deepcopy(told)) == repr(told)


@pytest.mark.parametrize("layer", [n for n in nn.__all__ if isinstance(getattr(nn, n), type)])
def test_every_class_of_nn(layer):
    """None of them holds what cannot be pickled."""
    kind = getattr(nn, layer)
    arguments = {
        "Sequential": (), "Residual": (nn.ReLU(),), "Linear": (2, 2), "ReLU": (), "Flatten": (),
        "Sigmoid": (), "Tanh": (), "GELU": (), "Softmax": (1,), "Dropout": (), "Identity": (),
        "BatchNorm1d": (2,), "BatchNorm2d": (2,), "BatchNorm3d": (2,),
        "Layer": (), "Criterion": (), "CrossEntropyLoss": (), "MSELoss": (), "History": (),
        "Parameter": ([1.0],), "Optimizer": ([nn.Parameter([1.0])],),
        "SGD": ([nn.Parameter([1.0])],), "Adam": ([nn.Parameter([1.0])],),
    }  # fmt: skip
    if "Conv" in layer:
        made = kind(2, 2, 3)
    elif "Global" in layer:
        made = kind()
    elif "Pool" in layer:
        made = kind(2)
    else:
        made = kind(*arguments[layer])
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert repr(pickle.loads(pickle.dumps(made, protocol))) == repr(made)
    assert repr(copy.copy(made)) == repr(copy.deepcopy(made)) == repr(made)
