"""pyconv's functions under SciPy's names: put there, taken away, and never in the way."""

import functools
import importlib
import importlib.util
import inspect
import itertools
import logging
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import types

import numpy as np
import pytest
import scipy
import scipy.ndimage._filters as implementations
import scipy.signal._savitzky_golay as savitzky_golay
from scipy import ndimage, signal

import pyconv
from pyconv import patching
from pyconv.__main__ import main
from pyconv._engine import threads
from pyconv._patching import bindings, ledger
from pyconv._patching.acceptance import FUNCTIONS, SMALL


def of_name(name):
    """Return what a full name is bound to now."""
    module, _, function = name.rpartition(".")
    return getattr(sys.modules[module], function)


#: SciPy's functions; in a dictionary, which no patch reaches.
ORIGINALS = {name: of_name(name) for name in FUNCTIONS}
SOBEL, CONVOLVE = "scipy.ndimage.sobel", "scipy.signal.convolve"
IMAGE = np.arange(15600.0).reshape(130, 120) % 17


@pytest.fixture(autouse=True)
def plain():
    """SciPy is as it was after each test, and before."""
    assert replaced() == set()
    yield
    patching.unpatch_scipy()


@pytest.fixture
def tally():
    """Return the tally of the calls of a test."""
    kept = ledger.Tally()
    ledger.keep(kept)
    yield kept
    ledger.drop(kept)


def places():
    """Return where SciPy's functions are: (module, name) → the function."""
    kept = {id(function): function for function in ORIGINALS.values()}
    return {
        (module, name): value
        for module, each in sys.modules.copy().items()
        for name, value in getattr(each, "__dict__", {}).copy().items()
        if id(value) in kept
    }


def replaced():
    """Return the names that do not have SciPy's functions."""
    return {name for name, original in ORIGINALS.items() if of_name(name) is not original}


#: Functions of ours that ask SciPy's, whose place they need not take.
PASSED_ON = {"scipy.signal.lfiltic", "scipy.signal.lfilter_zi"}
#: Gives a function the signature of another one.
in_the_place_of = functools.wraps


def script(code, *arguments, **options):
    """Run a script in an interpreter of its own; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True, text=True, check=False, timeout=120, **options,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


# ---- names ------------------------------------------------------------------------------------


def test_all_functions_that_pyconv_has_are_replaced():
    """The table of calls has what the modules have."""
    ours = (
        {f"scipy.{m}.{name}" for m in ("ndimage", "signal") for name in getattr(pyconv, m).__all__}
        - PASSED_ON
        - {"scipy.signal.StreamingFilter"}
    )  # which SciPy has not
    assert FUNCTIONS.keys() == ours
    pyconv.patch_scipy()
    assert replaced() == ours


def test_every_name_of_every_module_is_what_it_was():
    """SciPy's private ones, and those under other names, included."""
    before = places()
    assert len(before) > 3 * len(FUNCTIONS)
    with pyconv.patch_scipy():
        assert not places().keys() & before.keys() - {
            key for key in before if key[0].split(".")[0] == "pyconv"
        }
    after = places()
    assert after.keys() == before.keys()
    assert all(after[key] is before[key] for key in before)


def test_copies_that_modules_made_before_are_replaced(monkeypatch):
    """The one of savgol_filter, that of SciPy's own code, and a user's under another name."""
    user = types.ModuleType("a_user")
    user.edges, user.other = ndimage.sobel, 3
    monkeypatch.setitem(sys.modules, "a_user", user)
    with pyconv.patch_scipy():
        assert user.edges is ndimage.sobel is not ORIGINALS[SOBEL]
        assert implementations.sobel is ndimage.sobel
        assert savitzky_golay.convolve1d is ndimage.convolve1d
        assert user.other == 3
    assert user.edges is ORIGINALS[SOBEL]


def test_pyconv_keeps_what_it_knows_of_scipy():
    """Its own functions pass calls on to these."""
    with pyconv.patch_scipy():
        whole = pyconv.signal._whole_arrays
        assert whole._scipy_convolve is ORIGINALS[CONVOLVE]


def test_modules_that_are_imported_meanwhile_are_put_right(tmp_path, monkeypatch):
    """Also where the process has forgotten the module."""
    (tmp_path / "late_user.py").write_text("from scipy.ndimage import sobel, correlate1d as line\n")
    monkeypatch.syspath_prepend(tmp_path)
    forgotten = types.ModuleType("forgotten")
    forgotten.f = ndimage.sobel
    monkeypatch.setitem(sys.modules, "forgotten", forgotten)
    with pyconv.patch_scipy():
        late = importlib.import_module("late_user")
        assert late.sobel is not ORIGINALS[SOBEL]
        monkeypatch.delitem(sys.modules, "forgotten")
        assert forgotten.f is ndimage.sobel
    assert late.sobel is forgotten.f is ORIGINALS[SOBEL]
    assert late.line is ORIGINALS["scipy.ndimage.correlate1d"]
    del sys.modules["late_user"]


def test_a_name_that_somebody_else_has_changed_is_left_alone(monkeypatch):
    """It is not ours to put back."""
    patch = pyconv.patch_scipy()
    monkeypatch.setattr(ndimage, "laplace", theirs := object())
    with patch:
        pass
    assert ndimage.laplace is theirs


def test_lazy_modules_are_not_woken(tmp_path, monkeypatch):
    """Nor is an object asked that stands in the place of a module."""

    class Odd:
        def __getattr__(self, name):
            raise RuntimeError(name)

    (tmp_path / "sleeper.py").write_text("awake = True\n")
    spec = importlib.util.spec_from_file_location("sleeper", tmp_path / "sleeper.py")
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, each in (("sleeper", module), ("odd", Odd()), ("none", None), ("slots", object())):
        monkeypatch.setitem(sys.modules, name, each)
    with pyconv.patch_scipy():
        pass
    assert "awake" not in object.__getattribute__(module, "__dict__")
    assert module.awake


def test_objects_in_the_place_of_modules_are_patched(monkeypatch):
    """Their names are in a dictionary as those of modules."""

    class Proxy:
        __slots__ = ("__dict__",)

    proxy = Proxy()
    proxy.edges = ndimage.sobel
    monkeypatch.setitem(sys.modules, "proxy", proxy)
    with pyconv.patch_scipy():
        assert proxy.edges is ndimage.sobel
    assert proxy.edges is ORIGINALS[SOBEL]


def test_what_keeps_a_function_of_ours_has_scipys_in_the_end(tally):
    """A class, a default or a closure keeps the object that it has seen."""
    with pyconv.patch_scipy():
        kept = ndimage.gaussian_filter
        kept(IMAGE, 1)
    assert kept is not ORIGINALS["scipy.ndimage.gaussian_filter"]
    np.testing.assert_array_equal(
        kept(IMAGE, 1), ORIGINALS["scipy.ndimage.gaussian_filter"](IMAGE, 1)
    )
    assert sum(calls for calls, _ in tally.entries.values()) == 1
    with pyconv.patch_scipy():
        assert ndimage.gaussian_filter is kept
        kept(IMAGE, 1)
    assert sum(calls for calls, _ in tally.entries.values()) == 2


def test_functions_look_like_scipys():
    """Name, module, documentation and signature."""
    with pyconv.patch_scipy():
        for name, original in ORIGINALS.items():
            stand_in = of_name(name)
            if not inspect.isbuiltin(original):  # which has no signature that could be read
                assert inspect.signature(stand_in) == inspect.signature(original)
            for attribute in ("__name__", "__qualname__", "__module__", "__doc__"):
                assert getattr(stand_in, attribute) == getattr(original, attribute)


def test_decorated_functions_of_scipy_are_replaced_inside_and_outside():
    """With SCIPY_ARRAY_API the public function is another than the one that computes."""
    found = script(
        """
        import numpy as np, pyconv
        from scipy import ndimage
        from scipy.ndimage import _filters
        kept = [ndimage.sobel, _filters.sobel]
        with pyconv.patch_scipy():
            print(kept[0] is not kept[1], ndimage.sobel in kept, _filters.sobel in kept)
            print(abs(ndimage.sobel(np.eye(50)) - kept[0](np.eye(50))).max() < 1e-12)
        print([ndimage.sobel is kept[0], _filters.sobel is kept[1]] == [True, True])
        """,
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
    )
    assert found == ["True", "False", "False", "True", "True"]


# ---- patches and their ends -------------------------------------------------------------------


def test_importing_pyconv_patches_nothing():
    """Nor does asking for the function, which imports no SciPy."""
    code = "import sys, pyconv; pyconv.patch_scipy, pyconv.patching; print('scipy' in sys.modules)"
    assert script(code) == ["False"]


def test_patching_twice_is_harmless():
    """As statements; one call puts everything back."""
    pyconv.patch_scipy()
    once = ndimage.sobel
    pyconv.patch_scipy()
    assert ndimage.sobel is once
    pyconv.unpatch_scipy()
    assert replaced() == set()
    pyconv.unpatch_scipy()
    assert replaced() == set()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_patches_end_in_any_order(order):
    """A name is SciPy's as soon as no patch holds it."""
    held = [{SOBEL, CONVOLVE}, {SOBEL}, {CONVOLVE, "scipy.ndimage.laplace"}]
    patches = [pyconv.patch_scipy(only=sorted(names)) for names in held]
    left = dict(enumerate(held))
    for i in order:
        assert replaced() == set().union(*left.values())
        with patches[i]:
            pass
        del left[i]
    assert replaced() == set()
    with patches[0]:  # one that was taken off is put on again
        assert replaced() == held[0]
    assert replaced() == set()


def test_blocks_may_be_nested():
    """Of one patch, and of several; unpatch_scipy ends all of them."""
    with pyconv.patch_scipy(only="sobel") as outer:
        with outer, pyconv.patch_scipy():
            assert len(replaced()) == len(FUNCTIONS)
        assert replaced() == {SOBEL}
        assert "1 functions" in repr(outer)
        assert "on" in repr(outer)
        pyconv.unpatch_scipy()
        assert replaced() == set()
        assert "off" in repr(outer)
    assert replaced() == set()


def test_a_block_ends_with_an_error():
    """Which is not hidden."""
    with pytest.raises(ZeroDivisionError), pyconv.patch_scipy():
        _ = 1 / 0
    assert replaced() == set()


@pytest.mark.parametrize(
    ("only", "count"),
    [
        (None, len(FUNCTIONS)),
        ("scipy.ndimage", 13),
        ("signal", 15),
        ("convolve", 2),
        (["ndimage.convolve", SOBEL, "sobel"], 2),
        ([], 0),
    ],
)
def test_only_names_functions_and_modules(only, count):
    """In full or in part."""
    with pyconv.patch_scipy(only=only):
        assert len(replaced()) == count


def test_threads_patch_and_call():
    """Each call has a right result; in the end all is as it was."""
    x = np.arange(20000).reshape(100, 200) % 251
    right = ORIGINALS[SOBEL](x, 0)
    before, wrong, done = places(), [], threading.Event()

    def call():
        while not done.is_set():
            if not np.array_equal(ndimage.sobel(x, 0), right):
                wrong.append(1)

    def patch(only):
        for _ in range(4):
            with pyconv.patch_scipy(only=only):
                ndimage.sobel(x, 0)
            pyconv.unpatch_scipy()

    callers = [threading.Thread(target=call) for _ in range(2)]
    patchers = [threading.Thread(target=patch, args=(o,)) for o in (None, "sobel", "ndimage")]
    for thread in callers + patchers:
        thread.start()
    for thread in patchers:
        thread.join()
    done.set()
    for thread in callers:
        thread.join()
    assert not wrong
    assert places() == before


def test_the_last_patch_decides_about_workers(monkeypatch):
    """Of those that are on; None leaves it to the caller."""
    seen = []

    @in_the_place_of(pyconv.ndimage.sobel)
    def sobel(*args):
        seen.append(pyconv.get_workers())

    monkeypatch.setattr(pyconv.ndimage, "sobel", sobel)
    with pyconv.set_workers(5), pyconv.patch_scipy():
        ndimage.sobel(IMAGE)
        with pyconv.patch_scipy(workers=3):
            ndimage.sobel(IMAGE)
        with pyconv.patch_scipy(workers=None):
            ndimage.sobel(IMAGE)
        ndimage.sobel(IMAGE)
    assert seen == [1, 3, 5, 1]
    assert threads._blocks.get() == ()


# ---- pickles ----------------------------------------------------------------------------------


def test_pickles_say_the_name_and_no_more():
    """They are those of SciPy's functions, and read without pyconv."""
    plain = {name: pickle.dumps(function) for name, function in ORIGINALS.items()}
    with pyconv.patch_scipy():
        for name in ORIGINALS:
            assert pickle.dumps(of_name(name)) == plain[name]
            assert pickle.loads(plain[name]) is of_name(name)
    code = """
        import pickle, sys
        function = pickle.loads(bytes.fromhex(sys.argv[1]))
        print(function.__name__, 'pyconv' in sys.modules)
    """
    assert script(code, plain[SOBEL].hex()) == ["sobel", "False"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_workers_that_are_not_patched_run_scipys(tmp_path):
    """Forked before, or spawned; those that are forked later have what their parent has."""
    program = tmp_path / "pools.py"
    program.write_text(
        textwrap.dedent(
            """
            import multiprocessing, sys
            import numpy as np
            from scipy import ndimage

            def who(function):
                return function is ndimage.sobel, "pyconv.patching" in sys.modules

            if __name__ == "__main__":
                fork, spawn = map(multiprocessing.get_context, ("fork", "spawn"))
                x = np.arange(1000).reshape(20, 50)
                with fork.Pool(1) as before:
                    import pyconv
                    right = ndimage.sobel(x)
                    with pyconv.patch_scipy():
                        with spawn.Pool(1) as fresh, fork.Pool(1) as later:
                            for pool in before, fresh, later:
                                print(*pool.apply(who, (ndimage.sobel,)))
                                print((pool.apply(ndimage.sobel, (x,)) == right).all())
                            later.apply(pyconv.unpatch_scipy)
                            print(*later.apply(who, (ndimage.sobel,)))
            """
        )
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(program)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    expected = "True False\nTrue\nTrue False\nTrue\nTrue True\nTrue\nTrue True\n"
    assert done.stdout == expected, done.stderr


# ---- calls ------------------------------------------------------------------------------------

KERNEL = np.array([[0, 1, 2], [0, 3, 0], [1, 0, 7]])
LINE = np.sin(np.arange(70000.0))
#: A call of each function that ours take.
TAKEN = {
    "scipy.ndimage.convolve": (IMAGE, KERNEL),
    "scipy.ndimage.convolve1d": (IMAGE, [1, 2, 4, 8, 16, 9, 3, 2, 7, 5, 1]),
    "scipy.ndimage.correlate": (IMAGE, KERNEL.tolist()),
    "scipy.ndimage.correlate1d": (IMAGE, np.arange(11.0)),
    "scipy.ndimage.gaussian_filter": (IMAGE, 1.5),
    "scipy.ndimage.gaussian_filter1d": (IMAGE, 1.5),
    "scipy.ndimage.gaussian_gradient_magnitude": (IMAGE, 2),
    "scipy.ndimage.gaussian_laplace": (IMAGE, 2),
    "scipy.ndimage.laplace": (IMAGE,),
    "scipy.ndimage.prewitt": (IMAGE,),
    "scipy.ndimage.sobel": (IMAGE, 0),
    "scipy.ndimage.uniform_filter": (IMAGE, 3),
    "scipy.ndimage.uniform_filter1d": (IMAGE, 3),
    "scipy.signal.choose_conv_method": (IMAGE, KERNEL),
    "scipy.signal.convolve": (LINE, [1.0, 2.0, 4.0, 3.0]),
    "scipy.signal.convolve2d": (IMAGE, KERNEL),
    "scipy.signal.correlate": (IMAGE, KERNEL),
    "scipy.signal.correlate2d": (IMAGE, KERNEL),
    "scipy.signal.correlation_lags": (100, 7),
    "scipy.signal.decimate": (LINE, 4, 30, "fir"),
    "scipy.signal.fftconvolve": (IMAGE, KERNEL),
    "scipy.signal.filtfilt": ([1.0, 2.0, 4.0, 3.0], 1.0, LINE),
    "scipy.signal.lfilter": ([1.0, 2.0, 4.0, 3.0], [2.0], LINE),
    "scipy.signal.oaconvolve": (IMAGE, KERNEL),
    "scipy.signal.resample_poly": (LINE, 3, 2),
    "scipy.signal.savgol_filter": (LINE, 11, 3),
    "scipy.signal.sepfir2d": (IMAGE, [1.0, 2.0, 4.0], [3.0]),
    "scipy.signal.upfirdn": ([1.0, 2.0, 4.0, 3.0], LINE, 3, 2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_calls_have_the_bits_of_pyconv(name, tally):
    """By position and by name."""
    function = patching.drop_in(name)
    ours = function(*TAKEN[name])
    signature = inspect.signature(function)
    bound = signature.bind(*TAKEN[name])
    named, by_place = bound.arguments, ()
    if any(p.kind is p.POSITIONAL_ONLY for p in signature.parameters.values()):
        named, by_place = {}, TAKEN[name]
    with pyconv.patch_scipy():
        np.testing.assert_array_equal(of_name(name)(*TAKEN[name]), ours)
        np.testing.assert_array_equal(of_name(name)(*by_place, **named), ours)
    assert {key: calls for key, (calls, _) in tally.entries.items()} == {(name, ""): 2}


def test_scipys_own_functions_use_ours(tally):
    """savgol_filter is one along an axis, wiener a mean."""
    x = np.sin(np.arange(40000.0)).reshape(4, -1)
    plain = signal.savgol_filter(x, 11, 3)
    with pyconv.patch_scipy(only=("scipy.ndimage", "correlate")):
        np.testing.assert_allclose(signal.savgol_filter(x, 11, 3), plain, atol=1e-12)
        signal.wiener(IMAGE + np.eye(130, 120), 5)
    assert {key: calls for key, (calls, _) in tally.entries.items()} == {
        ("scipy.ndimage.convolve1d", ""): 1,
        ("scipy.signal.correlate", ""): 2,
    }


class Wrapped:
    """An array of another library: it becomes one of NumPy when it is asked."""

    def __init__(self, x):
        self.x = x

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.x, dtype)


class Quantity(np.ndarray):
    """An array with something besides its samples."""


MASKED = np.ma.array(IMAGE, mask=IMAGE > 12)
OF_UNITS = IMAGE.view(Quantity)
#: Calls that SciPy answers, by what is said of them.
LEFT = [
    (SOBEL, (MASKED,), {}, "input is numpy.MaskedArray"),
    (SOBEL, (), {"input": MASKED, "axis": 0}, "input is numpy.MaskedArray"),
    (SOBEL, (OF_UNITS,), {}, "input is test_patching.Quantity"),
    (SOBEL, (Wrapped(IMAGE),), {}, "input is test_patching.Wrapped"),
    (SOBEL, (IMAGE.tolist(),), {}, "input is list"),
    (SOBEL, (IMAGE, -1, MASKED.copy()), {}, "output is numpy.MaskedArray"),
    ("scipy.ndimage.gaussian_filter", (np.matrix(IMAGE), 2), {}, "input is numpy.matrix"),
    ("scipy.ndimage.uniform_filter", (IMAGE.astype("g"), 1), {}, "input is of longdouble"),
    ("scipy.ndimage.convolve", (IMAGE, Wrapped(KERNEL)), {}, "weights is test_patching.Wrapped"),
    ("scipy.ndimage.convolve", (IMAGE, [[np.float16(3)] * 3] * 2), {}, "weights is list"),
    ("scipy.ndimage.correlate", (np.ones((9,) * 4), np.ones((3,) * 4)), {},
     "weights has 4 dimensions"),
    ("scipy.ndimage.correlate", (np.ones((9,) * 4), np.ones((3,) * 4).tolist()), {},
     "weights has 4 dimensions"),
    (CONVOLVE, (IMAGE[0].astype(object), [1, 2]), {}, "in1 is of object_"),
    (CONVOLVE, (IMAGE[0], np.array([1, 2], object)), {}, "in2 is of object_"),
    (CONVOLVE, ([1, 2, 3], (1, 2)), {}, "in1 is list"),
    (CONVOLVE, (LINE > 0, LINE[:3] > 1), {}, "in1 and in2 are of bool"),
    (CONVOLVE, (IMAGE, Wrapped(KERNEL)), {}, "in2 is test_patching.Wrapped"),
    (CONVOLVE, (Wrapped(IMAGE), KERNEL), {"mode": "same"}, "in1 is test_patching.Wrapped"),
    (CONVOLVE, (np.ones((9,) * 4), np.ones((3,) * 4)), {}, "in2 has 4 dimensions"),
    ("scipy.signal.fftconvolve", (np.ones((5, 0)), np.ones((5, 3))), {}, "an array is empty"),
    ("scipy.signal.oaconvolve", (np.ones((9,) * 4), np.ones((3,) * 4)),
     {"axes": None}, "in2 has 4 dimensions"),
    # What is wrong is wrong in SciPy's words.
    (SOBEL, (IMAGE,), {"unheard": 1}, "the call raises TypeError"),
    (SOBEL, (), {}, "the call raises TypeError"),
    (SOBEL, (IMAGE, 0, None, "reflect", 0.0, 7), {}, "the call raises TypeError"),
    (SOBEL, (IMAGE,), {"mode": "unheard"}, "the call raises RuntimeError"),
    (SOBEL, (IMAGE,), {"axis": 2}, "the call raises AxisError"),
    (SOBEL, (IMAGE, 0, np.empty(3)), {}, "the call raises RuntimeError"),
    ("scipy.ndimage.convolve", (IMAGE, KERNEL[0]), {}, "the call raises RuntimeError"),
    ("scipy.ndimage.gaussian_filter", (IMAGE, "wide"), {}, "the call raises TypeError"),
    ("scipy.ndimage.gaussian_laplace", (IMAGE, 1), {"unheard": 2}, "the call raises TypeError"),
    (SOBEL, (IMAGE.astype("e"),), {}, "the call raises RuntimeError"),
    ("scipy.signal.convolve2d", (IMAGE.astype("e"), KERNEL), {}, "in1 is of float16"),
    (CONVOLVE, (IMAGE, KERNEL[0]), {}, "the call raises ValueError"),
    (CONVOLVE, (IMAGE,), {}, "the call raises TypeError"),
    ("scipy.signal.fftconvolve", (IMAGE, KERNEL), {"axes": 5}, "the call raises ValueError"),
    ("scipy.signal.correlation_lags", (5, 3, "unheard"), {}, "the call raises ValueError"),
    ("scipy.signal.lfilter", ([1.0], [1.0, 0.5], LINE), {}, "a has 2 coefficients"),
    ("scipy.signal.lfilter", ([[1.0, 2.0]], 1.0, IMAGE), {}, "the call raises ValueError"),
    ("scipy.signal.lfilter", ([1.0], 1.0, LINE.tolist()), {}, "x is list"),
    ("scipy.signal.filtfilt", ([1.0, 2.0], 1.0, LINE), {"method": "gust"}, "method is 'gust'"),
    ("scipy.signal.decimate", (LINE, 4), {}, "ftype is None"),
    ("scipy.signal.decimate", (LINE, 4, 8, "iir"), {}, "ftype is 'iir'"),
    ("scipy.signal.upfirdn", (np.ones(3, "g"), LINE), {}, "the call raises TypeError"),
    ("scipy.signal.upfirdn", ([1.0, 2.0], LINE), {"up": 0}, "the call raises ValueError"),
    ("scipy.signal.savgol_filter", (LINE, 3, 5), {}, "the call raises ValueError"),
    ("scipy.signal.sepfir2d", (IMAGE, [1.0, 2.0], [3.0]), {}, "the call raises ValueError"),
]  # fmt: skip


def all_sizes():
    """Return a patch whose functions take small calls, too."""
    return patching.Patch({name: patching.drop_in(name) for name in FUNCTIONS}, takes_small=True)


def outcome(function, args, keywords):
    """Return the result of a call and its type, or the error's type and words."""
    try:
        result = function(*args, **keywords)
    except Exception as error:  # noqa: BLE001 - of any kind
        return type(error), str(error)
    return type(result), result.dtype, result.tolist()


@pytest.mark.parametrize(("name", "args", "keywords", "reason"), LEFT)
def test_what_ours_do_not_take_is_answered_by_scipy(name, args, keywords, reason, tally):
    """The same result, type and error; nothing of ours has run, not even inside."""
    expected = outcome(ORIGINALS[name], args, keywords)
    with pyconv.patch_scipy():
        assert outcome(of_name(name), args, keywords) == expected
    assert sum(calls for calls, _ in tally.entries.values()) == 1
    tally.entries.clear()
    with all_sizes():
        assert outcome(of_name(name), args, keywords) == expected
    assert {key: calls for key, (calls, _) in tally.entries.items()} == {(name, reason): 1}


def test_several_axes_of_many_dimensions_are_ours(tally):
    """Three of four are convolved along."""
    x, w = np.ones((3, 9, 9, 9)), np.ones((1, 3, 3, 3))
    with pyconv.patch_scipy():
        signal.fftconvolve(x, w, axes=(1, 2, 3))
    assert list(tally.entries) == [("scipy.signal.fftconvolve", "")]


def test_files_in_memory_are_arrays(tmp_path, tally):
    """A memmap has no more than samples."""
    x = np.memmap(tmp_path / "x", np.float64, "w+", shape=IMAGE.shape)
    x[...] = IMAGE
    with pyconv.patch_scipy():
        result = ndimage.sobel(x)
    assert type(result) is np.ndarray
    np.testing.assert_array_equal(result, pyconv.ndimage.sobel(IMAGE))
    assert list(tally.entries) == [(SOBEL, "")]


def test_results_are_written_where_the_caller_says():
    """The array itself comes back, the samples' own included."""
    with pyconv.patch_scipy():
        y = np.empty_like(IMAGE)
        assert ndimage.sobel(IMAGE, output=y) is y
        x = IMAGE.copy()
        assert ndimage.gaussian_filter(x, 1, output=x) is x
        assert ndimage.sobel(IMAGE, output="float32").dtype == np.float32


@pytest.mark.parametrize("name", [n for n, kind in FUNCTIONS.items() if any(kind.few)])
def test_small_calls_are_scipys(name, tally):
    """Their results are SciPy's to the bit; a patch may take them, too."""
    dtype = float if FUNCTIONS[name].few.floats else int
    x = np.arange(35, dtype=dtype).reshape(5, 7) % 11
    small = {id(IMAGE): x, id(LINE): x[0]}
    args = tuple(small.get(id(value), value) for value in TAKEN[name])
    theirs = of_name(name)(*args)
    with pyconv.patch_scipy():
        np.testing.assert_array_equal(of_name(name)(*args), theirs)
    assert list(tally.entries) == [(name, SMALL)]
    with all_sizes():
        of_name(name)(*args)
    assert list(tally.entries) == [(name, SMALL), (name, "")]


def test_an_error_of_ours_is_not_the_callers(tally):
    """SciPy is asked, and the tally says that ours refused."""

    @in_the_place_of(pyconv.ndimage.sobel)
    def sobel(*args):
        raise ValueError("not today")

    with patching.Patch({SOBEL: sobel}):
        np.testing.assert_array_equal(ndimage.sobel(IMAGE), ORIGINALS[SOBEL](IMAGE))
    assert list(tally.entries) == [(SOBEL, "pyconv raises ValueError: not today")]


def test_a_call_that_may_have_begun_to_write_is_not_repeated():
    """Its output is its input, and may be half of either."""

    @in_the_place_of(pyconv.ndimage.sobel)
    def sobel(x, output):
        output[0] = 7
        raise ValueError("half done")

    x = IMAGE.copy()
    with patching.Patch({SOBEL: sobel}), pytest.raises(ValueError, match="half done"):
        ndimage.sobel(x, output=x)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, UserWarning])
def test_other_errors_pass(error):
    """A call that was interrupted is not begun again."""

    @in_the_place_of(pyconv.ndimage.sobel)
    def sobel(*args):
        raise error

    with patching.Patch({SOBEL: sobel}), pytest.raises(error):
        ndimage.sobel(IMAGE)
    assert replaced() == set()


# ---- what cannot be -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"only": "sobbel"}, ValueError, "only='sobbel'"),
        ({"only": "scipy"}, ValueError, "only='scipy'"),
        ({"only": ["sobel", "median_filter"]}, ValueError, "only='median_filter'"),
        ({"only": [3]}, TypeError, r"only=\[3\]"),
        ({"workers": 0}, ValueError, "workers=0"),
        ({"workers": 1.5}, TypeError, "workers=1.5"),
    ],
)
def test_options_that_are_not_allowed(options, error, words):
    """Nothing is patched."""
    with pytest.raises(error, match=words):
        pyconv.patch_scipy(**options)
    assert replaced() == set()


def test_a_scipy_that_is_too_old_is_named(monkeypatch):
    """With its version, and the one that is needed."""
    monkeypatch.setattr(scipy, "__version__", "1.12.3")
    with pytest.raises(ImportError, match=r"SciPy 1\.12\.3 is too old .* 1\.13"):
        pyconv.patch_scipy()
    assert replaced() == set()


def test_a_name_that_has_moved_is_named(monkeypatch):
    """Whatever was patched before stays so."""
    with pyconv.patch_scipy(only="sobel"), monkeypatch.context() as changed:
        changed.delattr(signal, "oaconvolve")
        with pytest.raises(ImportError, match=r"scipy\.signal\.oaconvolve is not where"):
            pyconv.patch_scipy()
        changed.undo()
        assert replaced() == {SOBEL}


def test_a_patch_that_fails_half_way_leaves_nothing(monkeypatch):
    """An interrupt in the walk, for instance."""
    real = bindings.rebind

    def interrupted(exchange):
        monkeypatch.setattr(bindings, "rebind", real)
        ndimage.__dict__["sobel"] = exchange[id(ORIGINALS[SOBEL])][1]
        raise KeyboardInterrupt

    before = places()
    monkeypatch.setattr(bindings, "rebind", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pyconv.patch_scipy()
    assert places() == before
    assert replaced() == set()


# ---- the log ------------------------------------------------------------------------------------


def test_the_log_says_who_ran_and_why(caplog):
    """At the level INFO, from where the call was made."""
    with caplog.at_level(logging.INFO, "pyconv.patching"), pyconv.patch_scipy():
        ndimage.sobel(IMAGE)
        ndimage.sobel(MASKED)
    ours, theirs = caplog.records
    assert ours.getMessage().startswith("scipy.ndimage.sobel: pyconv (0.0")
    assert theirs.getMessage().startswith(
        "scipy.ndimage.sobel: SciPy, as input is numpy.MaskedArray (0.0"
    )
    assert {record.filename for record in caplog.records} == {"test_patching.py"}


@pytest.mark.parametrize(
    ("value", "verbose", "shows"),
    [("", False, False), ("0", False, False), ("1", False, True), ("info", False, True),
     ("DEBUG", True, True), ("warning", False, False), ("warning", True, True), ("", True, True)],
)  # fmt: skip
def test_the_log_is_shown_while_somebody_wants_it(value, verbose, shows, monkeypatch, capsys):
    """The logger is as it was afterwards."""
    monkeypatch.setenv("PYCONV_LOG", value)
    before = ledger.logger.level, list(ledger.logger.handlers)
    with pyconv.patch_scipy(verbose=verbose):
        ndimage.sobel(IMAGE)
    assert ("scipy.ndimage.sobel: pyconv" in capsys.readouterr().err) is shows
    assert before == (ledger.logger.level, ledger.logger.handlers)


def test_a_level_that_is_none_is_refused(monkeypatch):
    """Before anything is patched."""
    monkeypatch.setenv("PYCONV_LOG", "loud")
    with pytest.raises(ValueError, match="PYCONV_LOG='loud'"):
        pyconv.patch_scipy()
    assert replaced() == set()


def test_tallies_are_added():
    """As plain data, of processes; the longest first."""
    one, other = ledger.Tally(), ledger.Tally()
    one.add("scipy.ndimage.sobel", None, 1.0)
    other.add("scipy.ndimage.sobel", None, 1.5)
    other.add("scipy.signal.convolve", "in1 is list", 3.0)
    one.merge(other.plain())
    head, first, second = one.lines()
    assert head == "2 calls by pyconv in 2.500 s, 1 by SciPy in 3.000 s"
    assert " ".join(first.split()) == "1 SciPy 3.000 s scipy.signal.convolve: in1 is list"
    assert " ".join(second.split()) == "2 pyconv 2.500 s scipy.ndimage.sobel"


# ---- programs and tests that know nothing of pyconv ---------------------------------------------

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
import beside
from scipy.ndimage import sobel
print(__name__, sys.argv[1:], Path(sys.argv[0]).name, Path(sys.path[0]).name)
sobel(np.ones((100, 100)))
sobel(np.ma.ones((5, 5)))
if "fail" in sys.argv: beside.fail()
sys.exit(3)
"""


@pytest.fixture
def program(tmp_path):
    """A script that ends with 3, and a module beside it that fails when it is told to."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "beside.py").write_text("def fail():\n    raise OSError('of the program')\n")
    (folder / "program.py").write_text(PROGRAM)
    return folder / "program.py"


def run(*arguments, **options):
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "pyconv", "run", *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False, **options,
    )  # fmt: skip


def test_a_program_runs_as_by_python(program):
    """Its output, arguments and exit code; the summary comes after, on the other stream."""
    done = run("--only", "sobel", program, "-m", "--only", "x")
    assert done.returncode == 3
    assert done.stdout == "__main__ ['-m', '--only', 'x'] program.py folder\n"
    head, *rows = done.stderr.splitlines()
    assert head.startswith("pyconv: 1 calls by pyconv in ")
    ending = " s  " + SOBEL + ": input is numpy.MaskedArray"
    assert any("SciPy" in row and row.endswith(ending) for row in rows)


def test_a_module_runs_as_by_python(program):
    """With the folder that it was started in, and each call shown."""
    done = run("--patch-verbose", "-m", "program", "-v", cwd=program.parent)
    assert done.returncode == 3, done.stderr
    assert done.stdout == "__main__ ['-v'] program.py folder\n"
    assert "pyconv.patching: scipy.ndimage.sobel: pyconv (" in done.stderr


def test_errors_of_a_program_are_its_own(program):
    """The traceback begins in the program; the summary comes all the same."""
    done = run(program, "fail")
    assert done.returncode == 1
    files = [line for line in done.stderr.splitlines() if line.startswith("  File ")]
    assert ["program.py" in files[0], "beside.py" in files[1], len(files)] == [True, True, 2]
    assert "OSError: of the program" in done.stderr
    assert "pyconv: 1 calls by pyconv" in done.stderr


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("raise KeyboardInterrupt", 130, "KeyboardInterrupt"),
        ("import sys; sys.exit(7)", 7, "pyconv: 0 calls by pyconv"),
        ("def", 1, "SyntaxError: invalid syntax"),
        ("", 0, "pyconv: 0 calls by pyconv"),
    ],
)
def test_the_end_of_a_program_is_the_end_of_the_command(code, status, words, tmp_path, capsys):
    """Whatever it is."""
    path = tmp_path / "short.py"
    path.write_text(code)
    try:
        found = main(["run", str(path)])
    except SystemExit as stop:
        found = stop.code
    assert found == status
    errors = capsys.readouterr().err
    assert words in errors
    assert "running.py" not in errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "a script, or -m and a module, is missing"),
        (["-m"], "a script, or -m and a module, is missing"),
        (["nowhere.py"], "there is no nowhere.py"),
        (["--only", "sobbel", "."], "only='sobbel'"),
        (["--workers", "0", "."], "workers=0"),
        (["--astropy", "--workers", "0", "."], "workers=0"),
    ],
)
def test_what_cannot_run_is_one_line(arguments, words, capsys):
    """An error of usage."""
    assert main(["run", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("pyconv: error: run: ")
    assert words in line
    assert replaced() == set()


def test_what_a_program_changes_is_as_before(program, monkeypatch, capsys):
    """In the process of whoever runs the command line from Python."""
    before = sys.argv, sys.path[:], ledger._tallies
    with pytest.raises(SystemExit, match="3"):
        main(["run", str(program)])
    assert (sys.argv, sys.path, ledger._tallies) == before
    assert replaced() == set()
    sys.modules.pop("beside")


def run_tests(folder, *options):
    """Run the tests of a folder in a process of its own, patched."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "pyconv.patching", "-q", *options],
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=folder, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("processes", [[], ["-p", "xdist", "-n", "2"]])
def test_the_plugin_patches_tests(processes, tmp_path):
    """In one process and in several; the end of the output says what ran."""
    (tmp_path / "conftest.py").write_text("from scipy.ndimage import sobel\n")
    (tmp_path / "test_theirs.py").write_text(
        "import numpy as np, pytest\n"
        "from conftest import sobel\n"
        "from scipy import ndimage\n"
        "@pytest.mark.parametrize('n', range(4))\n"
        "def test_it(n):\n"
        "    assert sobel is ndimage.sobel\n"
        "    assert sobel.__wrapped__.__name__ == 'sobel'\n"
        "    sobel(np.ones((100, 100)))\n"
    )
    done = run_tests(tmp_path, *processes)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pyconv in the place of SciPy" in done.stdout
    assert "4 calls by pyconv in" in done.stdout
    assert "4 passed" in done.stdout
    assert "Warning" not in done.stdout


def test_a_program_and_tests_with_astropys_names(tmp_path):
    """The convolutions of astropy are ours where that is asked for."""
    pytest.importorskip("astropy")
    lines = (
        "import numpy as np\n"
        "from astropy.convolution import convolve\n"
        "def test_it():\n"
        "    convolve(np.ones((200, 200)), np.ones((7, 7)))\n"
    )
    (tmp_path / "test_theirs.py").write_text(lines + "if __name__ == '__main__': test_it()\n")
    done = run("--astropy", "test_theirs.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "pyconv: 1 calls by pyconv in" in done.stderr
    assert "astropy.convolution.convolve" in done.stderr
    assert "0 calls by pyconv" in run("test_theirs.py", cwd=tmp_path).stderr
    done = run_tests(tmp_path, "--pyconv-astropy")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pyconv in the place of SciPy and astropy" in done.stdout
    assert "1 calls by pyconv in" in done.stdout


def test_astropys_names_without_astropy(tmp_path):
    """One line says what to install; nothing stays patched."""
    (tmp_path / "astropy.py").write_text("raise ModuleNotFoundError('none', name='astropy')\n")
    (tmp_path / "short.py").write_text("")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = run("--astropy", "short.py", cwd=tmp_path, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 2
    assert "pip install 'pyconv-nd[astropy]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
