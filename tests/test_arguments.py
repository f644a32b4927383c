"""Every argument of every public function: what nothing could mean is refused by its name.

The functions come from the ``__all__`` of the modules, and values of required arguments from their
names: a new function is covered without another line, unless it has an argument of a new name.
"""

import importlib.util
import inspect
import re
from functools import partial

import numpy as np
import pytest

import pyconv
from pyconv import (
    arithmetic,
    filters,
    kernels,
    ndimage,
    nn,
    operators,
    viz,
)
from pyconv.nn import functional, grad

X = np.arange(1.0, 82.0).reshape(9, 9)
#: Required arguments by their names.
VALUES = {
    "x": X, "w": np.ones((3, 3)), "image": X, "template": X[:3, :3], "a": X[0], "sigma": 1.5,
    "size": 3, "radius": 2, "x_shape": (9, 9), "length": 3, "wavelength": 4.0,
    "wavelengths": [4.0, 6.0], "input_shape": (9, 9), "in_channels": 2, "out_channels": 2,
    "kernel": (3, 3), "layers": [{"kernel": 3}], "c": X[0], "lags": np.arange(9), "levels": 2,
}  # fmt: skip
MODULES = (pyconv, filters, kernels, operators, arithmetic)
FUNCTIONS = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in MODULES
    for name in module.__all__
    if inspect.isfunction(getattr(module, name))
}
del FUNCTIONS["pyconv.stream"]  # it takes the arguments of others: tests/test_stream.py
if not importlib.util.find_spec("astropy"):
    del FUNCTIONS["pyconv.patch_astropy"]


def windows(n):
    """Return the required arguments of functions of layers with ``n`` spatial axes."""
    size = (6,) * n
    return {
        "input": np.ones((1, 2, *size)), "weight": np.ones((2, 2, *(3,) * n)), "kernel_size": 3,
        "indices": np.zeros((1, 2, *(2,) * n), int), "output_size": 3,
        "input_size": (1, 2, *size), "weight_size": (2, 2, *(3,) * n),
        "grad_output": np.ones((1, 2, *(4,) * n)), "stride": 1,
    }  # fmt: skip


for _module in (functional, grad):
    for _name in _module.__all__:
        if re.match(r"(conv|max_pool|avg_pool)[123]d(?!_bias)", _name):
            FUNCTIONS[f"{_module.__name__}.{_name}"] = getattr(_module, _name)


@pytest.fixture(autouse=True)
def unpatched():
    """Leave SciPy and astropy as they were: a call of a patch is a change of the process."""
    yield
    pyconv.unpatch_scipy()
    pyconv.unpatch_astropy()


def required(name, function):
    """Return arguments that a function takes."""
    n = re.search(r"([123])d", name)
    values = VALUES | (windows(int(n[1])) if n else {})
    if name.endswith((".plan", ".explain")):
        return {"x": X, "w": values["w"]}
    given = {
        p: values[p]
        for p, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    }
    if "pool" in name and "grad_output" in given:
        given["grad_output"] = given["grad_output"][(..., *[slice(2)] * int(n[1]))]
    if name.endswith("_each"):
        given["w"] = np.ones((9, 3))
    if "ball" in name:
        given |= {"x": np.ones((9, 9, 9))} if "x" in given else {}
    return given


#: Not called: they print, measure, or set a state of the process.
LEFT = ("show_versions", "tune", "tune_machine", "set_workers", "get_workers")
#: What no argument can be; made anew for each call.
NASTY = {
    "a set": lambda: {1, 2},
    "a set of words": lambda: {"wrap", "mirror"},
    "a generator": lambda: (n for n in (1, 2)),
    "an iterator": lambda: iter((1, 2)),
    "an object": object,
    "a function": lambda: len,
    "bytes": lambda: b"same",
    "strings": lambda: np.array(["1", "2"], "T"),
    "words": lambda: ["1", "2"],
    "objects": lambda: np.array([None, {}], object),
    "times": lambda: np.array(["2026-11-29"], "M8[D]"),
    "Not a Time": lambda: np.datetime64("NaT", "s"),
    "a dict": lambda: {"1": 2},
    "an unknown word": lambda: "nonsense",
}
PARAMETERS = [
    (name, parameter)
    for name, function in FUNCTIONS.items()
    if not name.endswith(LEFT)
    for parameter in inspect.signature(function).parameters
    if (name, parameter) != ("pyconv.pyramid", "target")  # any word is a file to write
]


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS, ids=str)
def test_nasty_values_are_refused_by_name(name, parameter):
    """A TypeError or a ValueError that names the argument, never one from inside."""
    function = FUNCTIONS[name]
    given = required(name, function)
    function(**given)
    if parameter == "shape":
        del given["x"]
    wrong = []
    for word, make in NASTY.items():
        try:
            function(**given | {parameter: make()})
        except (TypeError, ValueError) as error:
            if not re.search(rf"\b{parameter.removesuffix('s')}s?\b", str(error)):
                wrong.append(f"{word}: {type(error).__name__}: {str(error)[:150]}")
        except Exception as error:  # noqa: BLE001  (that is what is looked for)
            wrong.append(f"{word}: {type(error).__name__}: {str(error)[:150]}")
        else:
            wrong.append(f"{word}: taken")
    assert not wrong, "\n".join(wrong)


# ---- arguments that are true or false ---------------------------------------------------------

#: Required arguments of what `FUNCTIONS` does not have.
OF_FLAGS = {
    "input": np.ones((1, 2, 6)), "output_size": 3, "kernel_size": 3, "in_features": 2,
    "out_features": 2, "num_features": 2, "kernels": np.ones((2, 3, 3)), "maps": np.ones((2, 3, 3)),
    "parameters": [nn.Parameter(np.ones(2))],
}  # fmt: skip


def flags():
    """Return the public callables with each of their arguments whose default is a bool."""
    everything = dict(FUNCTIONS)
    for module in (nn, functional, grad, viz):
        for name in module.__all__:
            if callable(getattr(module, name)):
                everything.setdefault(f"{module.__name__}.{name}", getattr(module, name))
    everything["pyconv.nn.Layer.train"] = nn.ReLU().train
    everything["pyconv.nn.Parameter.freeze"] = nn.Parameter(np.ones(2)).freeze
    return {
        (name, argument): function
        for name, function in everything.items()
        if name != "pyconv.nn.fit"
        for argument, parameter in inspect.signature(function).parameters.items()
        if isinstance(parameter.default, bool)
    }


FLAGS = flags()


def flag_call(name, function):
    """Return required arguments, for functions with flags."""
    if name in FUNCTIONS:
        return required(name, function)
    n = re.search(r"([123])d", name)
    values = VALUES | OF_FLAGS | ({"input": windows(int(n[1]))["input"]} if n else {})
    return {
        p: values[p]
        for p, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty
    }


@pytest.mark.parametrize(("name", "argument"), FLAGS, ids=str)
def test_flags_are_true_or_false(name, argument):
    """What is no bool is refused: a word is no answer, and 'no' would be yes."""
    function = FLAGS[name, argument]
    given = flag_call(name, function)
    if name.startswith("pyconv.viz"):
        pytest.importorskip("matplotlib").use("Agg")
    if argument != "nesterov":
        function(**given, **{argument: np.True_})
    function(**given, **{argument: np.False_})
    for wrong in ("no", 2, None):
        words = re.escape(f"{argument}={wrong!r}: True or False is allowed")
        with pytest.raises(TypeError, match=words):
            function(**given, **{argument: wrong})


@pytest.mark.parametrize(
    ("argument", "allowed"), {"shuffle": "True or False", "progress": "True, False or None"}.items()
)
def test_flags_of_fit_are_true_or_false(argument, allowed):
    """As those of functions; None lets the terminal decide about progress."""
    layer = nn.Linear(2, 1)
    call = partial(
        nn.fit, layer, np.ones((4, 2)), np.ones((4, 1)), nn.MSELoss(),
        nn.SGD(layer.parameters(), lr=0.0), epochs=1,
    )  # fmt: skip
    call(**{argument: np.False_})
    for wrong in ("no", 2, *([None] if argument == "shuffle" else [])):
        words = re.escape(f"{argument}={wrong!r}: {allowed} is allowed")
        with pytest.raises(TypeError, match=words):
            call(**{argument: wrong})


def test_every_flag_is_looked_at():
    """The flags that are known are among those that were found."""
    assert len(FLAGS) > 50
    assert {argument for _, argument in FLAGS} == {
        "absolute", "affine", "bias", "ceil_mode", "count_include_pad", "diagonals", "energy",
        "flip", "frozen", "inplace", "mode", "nesterov", "overwrite", "progress", "return_indices",
        "shared", "signed",
        "transposed", "verbose", "wide_padding", "zero_mean",
    }  # fmt: skip


# ---- arrays that a result is written to -------------------------------------------------------

WRITING = {
    **{
        name: "out"
        for name, f in FUNCTIONS.items()
        if "out" in inspect.signature(f).parameters and not name.endswith(".explain")
    },
    **{f"{ndimage.__name__}.{name}": "output" for name in ndimage.__all__},
}


def written(name):
    """Return a function, and arguments that it takes."""
    if name in FUNCTIONS:
        return FUNCTIONS[name], required(name, FUNCTIONS[name])
    function = getattr(ndimage, name.rpartition(".")[2])
    values = VALUES | {
        "input": X,
        "weights": np.ones(3) if name.endswith("1d") else np.ones((3, 3)),
    }
    given = {
        p: values[p]
        for p, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty and p in values
    }
    return function, given


@pytest.mark.parametrize("name", WRITING)
def test_two_results_never_share_a_place(name):
    """Whatever the strides are by which an array repeats itself; it stays as it was."""
    function, given = written(name)
    y = function(**given)
    n = y.itemsize
    for pitch in ((0, n), (n, 0), (n, n), (-n, n), (0, 0), (n // 2, n), (3 * n, n // 2)):
        room = np.zeros(4 * y.size + 100, y.dtype)[2 * y.size :]
        strides = (*[8 * n] * (y.ndim - 2), *pitch)
        out = np.lib.stride_tricks.as_strided(room, y.shape, strides)
        with pytest.raises(ValueError, match="two results would share a place"):
            function(**given, **{WRITING[name]: out})
        assert not room.any()


@pytest.mark.parametrize("name", WRITING)
def test_a_result_that_overlaps_what_is_read(name):
    """Is that of a call which does not, however far the arrays are apart."""
    function, given = written(name)
    expected = function(**given)
    for argument, array in given.items():
        if not isinstance(array, np.ndarray):
            continue
        for apart in (0, 1, array.shape[-1], array.size - 1):
            room = np.zeros(2 * (array.size + expected.size), np.float64)
            source = room[: array.size].reshape(array.shape)
            source[...] = array
            out = room[apart : apart + expected.size].reshape(expected.shape)
            function(**given | {argument: source}, **{WRITING[name]: out})
            np.testing.assert_array_equal(out, expected, err_msg=f"{argument} {apart}")


# ---- masks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if not name.endswith(LEFT)])
def test_masks_are_refused_or_honoured(name):
    """What lies under a mask changes no result, of any array of any function."""
    function, given = FUNCTIONS[name], required(name, FUNCTIONS[name])
    for argument, array in given.items():
        if not isinstance(array, np.ndarray):
            continue
        results = []
        for hidden in (1, 3):
            masked = np.ma.array(array.copy(), mask=np.zeros(array.shape, bool))
            masked.data.flat[array.size // 2] = hidden
            masked.mask.flat[array.size // 2] = True
            try:
                results.append(repr(function(**given | {argument: masked})))
            except (TypeError, ValueError) as error:
                words = rf"\b{argument} .*mask|^the kernel has weights that cancel"
                assert re.search(words, str(error))  # noqa: PT017
                results.append(str(error))
        assert results[0] == results[1]
