"""Layers and their gradients within max_memory, and what tune_conv finds for them."""

import copy
import pickle
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from arrays import noise

from pyconv._engine import planner, wisdom
from pyconv._engine.algorithms.layers import winograd
from pyconv.nn import functional, grad

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    """Begin without wisdom, and leave none."""
    monkeypatch.delenv(wisdom.VARIABLE, raising=False)
    planner.WISDOM.forget()
    planner.clear_cache()
    yield
    planner.WISDOM.forget()
    planner.clear_cache()


# ---- memory ------------------------------------------------------------------------------------


def conv(x_shape, w_shape, dtype, **options):
    """Return a function that applies a layer, with some keywords."""
    rng = np.random.default_rng(3)
    x, w = noise(rng, x_shape, dtype), noise(rng, w_shape, dtype)
    call = getattr(functional, f"conv{len(w_shape) - 2}d")
    return lambda **more: call(x, w, **options, **more)


def transposed(x_shape, w_shape, dtype, **options):
    """Return a function that applies a transposed layer."""
    rng = np.random.default_rng(3)
    x, w = noise(rng, x_shape, dtype), noise(rng, w_shape, dtype)
    call = getattr(functional, f"conv_transpose{len(w_shape) - 2}d")
    return lambda **more: call(x, w, **options, **more)


def gradients(x_shape, w_shape, dtype, of, **options):
    """Return a function that computes a gradient of a layer."""
    rng = np.random.default_rng(3)
    n = len(w_shape) - 2
    x, w = noise(rng, x_shape, dtype), noise(rng, w_shape, dtype)
    dy = noise(rng, getattr(functional, f"conv{n}d")(x, w, **options).shape, dtype)
    call = getattr(grad, f"conv{n}d_{of}")
    if of == "input":
        return lambda **more: call(x_shape, w, dy, **options, **more)
    return lambda **more: call(x, w_shape, dy, **options, **more)


#: Name → the call, and the method that is forced.
LIMITED = {
    "a layer": conv((2, 5, 20, 21), (4, 5, 3, 3), "float32", padding=1),
    "a wide layer": conv((2, 40, 9, 9), (70, 40, 3, 3), "float64", padding=1),
    "half precision": conv((2, 5, 20, 21), (4, 5, 3, 3), "float16", padding=1),
    "complex": conv((2, 5, 20, 21), (4, 5, 3, 3), "complex64", padding=1),
    "no batch axis": conv((5, 20, 21), (4, 5, 3, 3), "float32", padding=1),
    "a long axis first": conv((2, 5, 200, 3), (4, 5, 3, 3), "float32", padding=1),
    "channels alone": conv((2, 8, 20, 21), (8, 1, 3, 3), "float32", groups=8),
    "groups": conv((2, 6, 20, 21), (4, 3, 5, 5), "float32", groups=2, stride=2),
    "a signal": conv((1, 3, 900), (2, 3, 31), "float64"),
    "a volume": conv((1, 3, 9, 10, 11), (4, 3, 3, 3, 3), "float32", padding=1),
    "transposed": transposed((2, 5, 20, 21), (5, 4, 3, 3), "float32"),
    "transposed, strided": transposed((2, 5, 20, 21), (5, 4, 3, 3), "float32", stride=2),
    "transposed, groups": transposed((2, 6, 9, 9), (6, 4, 4, 4), "float64", stride=3, groups=2),
    "input": gradients((2, 5, 20, 21), (4, 5, 3, 3), "float32", "input", padding=1),
    "input, reflected": gradients(
        (2, 5, 20, 21), (4, 5, 3, 3), "float32", "input", padding=1, padding_mode="reflect"
    ),
    "input, complex": gradients((2, 5, 12, 13), (4, 5, 3, 3), "complex128", "input", stride=2),
    "weight": gradients((2, 5, 20, 21), (4, 5, 3, 3), "float32", "weight", padding=1),
    "weight, half precision": gradients((2, 5, 20, 21), (4, 5, 3, 3), "float16", "weight"),
    "weight, complex": gradients((2, 5, 20, 21), (4, 5, 3, 3), "complex64", "weight"),
    "weight, a long axis first": gradients((2, 5, 200, 3), (4, 5, 3, 3), "float64", "weight"),
}  # fmt: skip


def least_of(call, **keywords):
    """Return the number of bytes that the error of too little memory names."""
    with pytest.raises(MemoryError, match=r"^max_memory=0 is too little workspace") as error:
        call(max_memory=0, **keywords)
    return int(re.search(r"the least that would do is (\d+) bytes$", str(error.value))[1])


@pytest.mark.parametrize("case", LIMITED)
def test_least_memory_would_do(case):
    """The number in the message is enough, and one byte less is not."""
    call = LIMITED[case]
    expected = call()
    least = least_of(call)
    y = call(max_memory=least, workers=2)
    assert y.dtype == expected.dtype
    eps = max(1e-5, 30 * np.finfo(y.dtype).eps)
    np.testing.assert_allclose(y, expected, rtol=eps, atol=eps * np.abs(expected).max())
    with pytest.raises(MemoryError, match=f"least that would do is {least} bytes"):
        call(max_memory=least - 1)


def test_forced_methods_name_their_own_memory(layer_method):
    """Of each algorithm; its results are the bits that it has without a limit."""
    depthwise = layer_method.startswith("depthwise")
    groups = {"groups": 8} if depthwise else {}
    call = conv((2, 8, 20, 21), (8, 1 if depthwise else 8, 3, 3), "float32", padding=1, **groups)
    least = least_of(call, method=layer_method)
    y = call(method=layer_method, max_memory=least)
    assert y.tobytes() == call(method=layer_method).tobytes()
    with pytest.raises(MemoryError):
        call(method=layer_method, max_memory=least - 1)


def test_no_limit_is_the_default():
    """None, and more than any algorithm takes, run what ran before."""
    for call in LIMITED.values():
        assert call().tobytes() == call(max_memory=None).tobytes()
        assert call().tobytes() == call(max_memory=1 << 40).tobytes()


@pytest.mark.parametrize(
    ("value", "error"), [(-1, ValueError), (1e6, TypeError), (True, TypeError), ("1", TypeError)]
)
def test_limits_that_are_none(value, error):
    """As those of correlate."""
    for case in ("a layer", "transposed", "input", "weight"):
        with pytest.raises(error, match=re.escape(f"max_memory={value!r}")):
            LIMITED[case](max_memory=value)
    for function in (functional.plan_conv, functional.tune_conv):
        with pytest.raises(error, match=re.escape(f"max_memory={value!r}")):
            function((1, 1, 9, 9), np.ones((1, 1, 3, 3)), max_memory=value)


def test_nothing_is_written_before_an_error():
    """The phases of a stride are planned before the first of them runs."""
    out = np.full((2, 4, 41, 43), 7.0, "float32")
    call = LIMITED["transposed, strided"]
    for limit in (0, least_of(call) - 1):
        with pytest.raises(MemoryError):
            call(out=out, max_memory=limit)
    assert (out == 7).all()


def test_images_that_are_spoilt_are_summed_within_the_limit(rng, monkeypatch):
    """Winograd is taken only where the plain sums of spoilt images fit as well."""
    x, w = noise(rng, (3, 16, 20, 20), "float32"), noise(rng, (16, 16, 3, 3), "float32")
    x[1, 4, 9, 9] = np.nan
    plain = functional.conv2d(x, w, method="blocked")
    need = least_of(lambda **more: functional.conv2d(x, w, **more), method="winograd4")
    y = functional.conv2d(x, w, method="winograd4", max_memory=need)
    assert np.array_equal(np.isnan(y), np.isnan(plain))
    # Whatever little its own loop takes.
    monkeypatch.setattr(winograd.Winograd, "workspace", lambda *_: 64)
    plain = ("blocked", "im2col", "reference")
    least = [least_of(lambda **more: functional.conv2d(x, w, **more), method=m) for m in plain]
    assert least_of(lambda **more: functional.conv2d(x, w, **more), method="winograd4") == min(
        least
    )


def test_threads_share_the_limit():
    """No more of them run than it is enough for, whatever number is asked for."""
    counts = []

    class Spy:
        def run(self, x, w, bias, y, workers):
            counts.append(workers)
            return True

    x, w = np.ones((8, 16, 40, 40), "float32"), np.ones((16, 16, 3, 3), "float32")
    one = least_of(lambda **more: functional.plan_conv(x.shape, w, method="blocked", **more))
    for limit, most in ((one, 1), (2 * one, 2), (one + 5 * one // 2, 3), (None, 7)):
        plan = functional.plan_conv(x.shape, w, method="blocked", max_memory=limit)
        plan._plan._bound = Spy()
        plan(x, workers=7)
        assert counts.pop() <= most or limit is None
        planner.clear_cache()


def test_plans_keep_the_limit(rng):
    """Their tables name it, copies in other processes have it, and copies of inputs count."""
    x, w = noise(rng, (2, 16, 20, 20), "float32"), noise(rng, (16, 16, 3, 3), "float32")
    least = least_of(lambda **more: functional.plan_conv(x.shape, w, **more))
    plan = functional.plan_conv(x.shape, w, max_memory=least)
    assert "max_memory " in str(plan.explain())
    rows = {row.algorithm: row for row in plan.explain().candidates}
    assert rows[plan.algorithm].workspace <= least
    assert f"more than max_memory={least}" in rows["im2col"].rejected
    expected = plan(x)
    np.testing.assert_allclose(expected, functional.conv2d(x, w), rtol=1e-4, atol=1e-4)
    for other in (copy.copy(plan), pickle.loads(pickle.dumps(plan))):
        assert other.algorithm == plan.algorithm
        assert other(x).tobytes() == expected.tobytes()
        with pytest.raises(MemoryError, match=f"least that would do is {least + x.nbytes} bytes"):
            other(x.astype(">f4"))
    roomy = functional.plan_conv(x.shape, w, max_memory=least + x.nbytes)
    assert roomy(x.astype(">f4")).tobytes() == roomy(x).tobytes()
    assert "max_memory" not in str(functional.plan_conv(x.shape, w).explain())


MEASURED = {
    "a layer": "F.conv2d(ones((8, 64, 64, 64)), rand((64, 64, 3, 3)), padding=1, **k)",
    "half precision": "F.conv2d(ones((8, 64, 64, 64), 'f2'), rand((9, 64, 3, 3), 'f2'), **k)",
    "complex": "F.conv2d(ones((4, 32, 64, 64), 'c8'), rand((32, 32, 3, 3)), padding=1, **k)",
    "a long axis first": "F.conv2d(ones((8, 32, 4096, 4)), rand((32, 32, 3, 3)), **k)",
    "strides": "F.conv_transpose2d(ones((4, 64, 64, 64)), rand((64, 64, 4, 4)), stride=2, **k)",
    "reflected": "G.conv2d_input((4, 64, 64, 64), rand((64, 64, 3, 3)), ones((4, 64, 64, 64)), "
    "padding=1, padding_mode='reflect', **k)",
    "weight": "G.conv2d_weight(ones((8, 64, 64, 64), 'f2'), (64, 64, 3, 3), "
    "ones((8, 64, 64, 64), 'f2'), padding=1, **k)",
}


@linux
@pytest.mark.parametrize("case", MEASURED)
def test_limits_are_kept(case):
    """Measured from outside; libraries are paged in, and threads have stacks."""
    code = textwrap.dedent(f"""
        import re
        import numpy as np
        from pyconv.nn import functional as F, grad as G
        arrays = {{}}
        def made(shape, dtype, values):
            if (shape, dtype) not in arrays:
                arrays[shape, dtype] = values(shape).astype(dtype)
            return arrays[shape, dtype]
        def ones(shape, dtype="f4"):
            return made(shape, dtype, np.ones)
        def rand(shape, dtype="f4"):
            return made(shape, dtype, np.random.default_rng(0).random)
        def call(**k):
            return {MEASURED[case]}
        def peak():
            with open("/proc/self/status") as f:
                return 1024 * next(int(l.split()[1]) for l in f if l.startswith("VmHWM"))
        for kind in ("f4", "c8"):  # modules and pages of the loops
            F.conv2d(np.ones((1, 9, 40, 40), kind), np.ones((9, 9, 3, 3), kind), workers=2)
        try:
            call(max_memory=0)
        except MemoryError as error:
            least = int(re.search("([0-9]+) bytes", str(error))[1])
        for limit in (least, 2 * least):
            with open("/proc/self/clear_refs", "w") as f:
                f.write("5")
            before = peak()
            y = call(max_memory=limit, workers=2)
            print(limit, peak() - before - y.nbytes)
            del y
    """)
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    lines = [tuple(map(int, line.split())) for line in result.stdout.splitlines()]
    assert len(lines) == 2
    assert all(grown <= limit + (2 << 20) for limit, grown in lines), lines


# ---- tune --------------------------------------------------------------------------------------

SHAPE, W = (2, 8, 20, 20), np.ones((8, 8, 3, 3), "float32")


def found(monkeypatch, name):
    """Make timing find one algorithm fastest."""
    monkeypatch.setattr(planner, "least_seconds", lambda *_: {name: 1.0})


def algorithm(**options):
    """Return what runs a layer."""
    return functional.plan_conv(SHAPE, W, **options).algorithm


def test_near_algorithms_are_timed():
    """The fastest comes first, and is what later plans run."""
    times = functional.tune_conv(SHAPE, W, padding=1)
    assert list(times.values()) == sorted(times.values())
    assert "reference" not in times
    assert "depthwise" not in times
    assert algorithm(padding=1) == next(iter(times))


@pytest.mark.parametrize("name", ["blocked", "winograd4", "winograd2", "im2col", "reference"])
def test_what_was_found_is_taken(monkeypatch, rng, name):
    """By calls and plans of that layer for any number of images, and no other layer."""
    usual = algorithm()
    found(monkeypatch, name)
    functional.tune_conv(SHAPE, W, padding=1)
    assert algorithm(padding=1) == name
    assert algorithm() == usual
    assert algorithm(padding=1, padding_mode="reflect") == usual
    assert algorithm(padding=1, method="blocked") == "blocked"
    x = noise(rng, (5, *SHAPE[1:]), "float32")
    y = functional.conv2d(x, W, padding=1)
    assert y.tobytes() == functional.conv2d(x, W, padding=1, method=name).tobytes()
    assert y[3].tobytes() == functional.conv2d(x[3], W, padding=1).tobytes()


def test_a_file_of_findings(monkeypatch, tmp_path):
    """It holds those of layers beside those of correlations."""
    path = tmp_path / "wisdom.json"
    found(monkeypatch, "im2col")
    functional.tune_conv(SHAPE, W, path, stride=2)
    planner.WISDOM.forget()
    planner.clear_cache()
    usual = algorithm(stride=2)
    assert usual != "im2col"
    monkeypatch.setenv(wisdom.VARIABLE, str(path))
    planner.WISDOM.forget()
    planner.clear_cache()
    assert algorithm(stride=2) == "im2col"
    assert algorithm() != "im2col"


def test_gradients_are_tuned_by_themselves(monkeypatch, rng):
    """A finding for one of them says nothing of the layer, nor of the other."""
    usual = algorithm(padding=1)
    dy, x = noise(rng, SHAPE, "float32"), noise(rng, SHAPE, "float32")
    plainly = grad.conv2d_weight(x, W.shape, dy, padding=1, method="reference")
    found(monkeypatch, "reference")
    functional.tune_conv(SHAPE, W, padding=1, gradient="weight")
    assert algorithm(padding=1) == usual
    dw = grad.conv2d_weight(x, W.shape, dy, padding=1)
    assert dw.tobytes() == plainly.tobytes()
    found(monkeypatch, "im2col")
    functional.tune_conv(SHAPE, W, padding=1, gradient="weight")  # it cannot: nothing changes
    assert grad.conv2d_weight(x, W.shape, dy, padding=1).shape == W.shape


@pytest.mark.parametrize("stride", [1, 2])
def test_the_transpose_is_the_gradient_for_the_input(monkeypatch, rng, stride):
    """Every phase of a stride is tuned."""
    w = noise(rng, (8, 8, 3, 3), "float32")
    found(monkeypatch, "im2col")
    times = functional.tune_conv((2, 8, 21, 21), w, stride=stride, gradient="input")
    assert list(times) == ["im2col"]
    dy = noise(rng, functional.conv2d(np.ones((2, 8, 21, 21), "f4"), w, stride=stride).shape, "f4")
    forced = functional.conv_transpose2d(dy, w, stride=stride, method="im2col")
    assert forced.tobytes() == functional.conv_transpose2d(dy, w, stride=stride).tobytes()
    assert (
        grad.conv2d_input((2, 8, 21, 21), w, dy, stride=stride).tobytes()
        == grad.conv2d_input((2, 8, 21, 21), w, dy, stride=stride, method="im2col").tobytes()
    )


def test_a_limit_is_part_of_what_is_tuned(monkeypatch):
    """What was found within a limit holds within that limit."""
    usual = algorithm(padding=1)
    found(monkeypatch, "reference")
    functional.tune_conv(SHAPE, W, padding=1, max_memory=1 << 20)
    assert algorithm(padding=1) == usual
    assert algorithm(padding=1, max_memory=1 << 20) == "reference"


def test_errors_of_tune():
    """Each names the argument and what is allowed."""
    with pytest.raises(ValueError, match="gradient='bias' is unknown; allowed are None, 'input'"):
        functional.tune_conv(SHAPE, W, gradient="bias")
    with pytest.raises(ValueError, match="input_shape="):
        functional.tune_conv((8, 20, 20), W)
    with pytest.raises(TypeError, match="path="):
        functional.tune_conv(SHAPE, W, 3)
    with pytest.raises(ValueError, match="weight has 2 dimensions"):
        functional.tune_conv(SHAPE, np.ones((3, 3)))
    assert functional.tune_conv((0, 8, 20, 20), W) == {}
