"""Fixtures that run a test with every algorithm and every ISA variant of this machine.

The folder of tests may lie alone, beside an installed package. What its tests mean is therefore
said here; pyproject.toml says how many processes run them.
"""

import itertools
import signal
import sys
import zlib
from collections import defaultdict

import hypothesis
import numpy as np
import pytest
import scipy_casts
import source_tree

import pyconv
from pyconv._engine import planner
from pyconv._engine.algorithms import ALGORITHMS, LAYER_ALGORITHMS
from pyconv._engine.algorithms.base import WeightDependentAlgorithm
from pyconv._native import loader

# Last: the package that is tested is the one that is installed.
sys.path.append(str(source_tree.TESTS.parent))

hypothesis.settings.register_profile(
    "default",
    deadline=None,  # the first call of a variant imports it
    max_examples=200,
    # Under a sanitizer, or beside other work, drawing may take longer than is healthy.
    suppress_health_check=[
        hypothesis.HealthCheck.function_scoped_fixture,
        hypothesis.HealthCheck.too_slow,
    ],
)
hypothesis.settings.load_profile("default")

scipy_casts.define()

#: Plain sums of products, of any weights, exact on whole numbers; test_fft.py, test_box.py,
#: test_recursive.py and test_separable.py have the others.
PLAIN = [
    algorithm
    for algorithm in ALGORITHMS
    if algorithm.name != "fft" and not isinstance(algorithm, WeightDependentAlgorithm)
]


def in_variants(algorithm):
    """Yield an algorithm with each variant that is another one for it, as parameters.

    `reference` has none. `im2col` has loops that copy, from one source without vector types, and
    its products are of BLAS: in all variants but the widest it is slow.
    """
    widest = loader.runnable()[-1]
    for isa in loader.runnable() if algorithm != "reference" else [widest]:
        copied = algorithm == "im2col" and isa != widest
        marks = [pytest.mark.slow] if copied else []
        yield pytest.param((algorithm, isa), marks=marks, id=f"{algorithm}-{isa}")


ENGINES = [each for algorithm in PLAIN for each in in_variants(algorithm.name)]
LAYER_ENGINES = [each for algorithm in LAYER_ALGORITHMS for each in in_variants(algorithm.name)]
#: Variants for tests of what stands above the loops: one runs always, the others are slow.
ABOVE_LOOPS = [
    pytest.param(isa, marks=[pytest.mark.slow] if isa != loader.runnable()[-1] else [])
    for isa in loader.runnable()
]


def one_in(n, *tables):
    """Return the rows of a product of tables, of which all but one in ``n`` are slow.

    The sum of a row's places decides: each two entries of two tables are still together in a row
    that is not, if there is a third table of ``n`` entries or more.
    """
    places = itertools.product(*(range(len(table)) for table in tables))
    rows = itertools.product(*tables)
    return [
        pytest.param(*row, marks=[pytest.mark.slow] if sum(place) % n else [])
        for place, row in zip(places, rows, strict=True)
    ]


#: Rows of a table in one variant, from which on narrow variants run a third of them.
LONG_TABLE = 9


def pytest_addoption(parser):
    """Let a run of slow loops take a sample of all tests."""
    parser.addoption("--every", type=int, default=1, metavar="N", help="run each N-th test")


def pytest_configure(config):
    """Say what is slow, leave it out unless it is asked for, and make errors of warnings."""
    config.addinivalue_line(
        "markers",
        "slow: a sweep that takes minutes, or the same again in another variant; -m slow runs it",
    )
    config.addinivalue_line("filterwarnings", "error")
    config.option.markexpr = config.option.markexpr or "not slow"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Make rows of narrow variants slow, and keep each N-th of the tests that options leave."""
    leave_rows_to_the_widest(items)
    result = yield
    items[:] = items[:: config.getoption("--every")]
    return result


def leave_rows_to_the_widest(items):
    """Mark as slow all but each third row of long tables in the variants that are not the widest.

    All variants are made of one source. Which rows run is decided by their names, so that each
    entry of a table is in some of them.
    """
    narrow = set(loader.runnable()[:-1])
    tables = defaultdict(list)
    for item in items:
        callspec = getattr(item, "callspec", None)
        for value in callspec.params.values() if callspec else ():
            isa = value[1] if isinstance(value, tuple) and len(value) == 2 else value
            if isinstance(isa, str) and isa in narrow:
                tables[item.path, item.originalname, isa].append(item)
    for (_, _, isa), rows in tables.items():
        if len(rows) < LONG_TABLE:
            continue
        for item in rows:
            name = f"{item.originalname}{item.callspec.id.replace(isa, '')}"
            if zlib.crc32(name.encode()) % 3:
                item.add_marker(pytest.mark.slow)


class Engine:
    """One algorithm, forced, in one ISA variant."""

    def __init__(self, method, isa):
        self.method = method
        self.isa = isa

    def __call__(self, x, w, *args, flip=False, **keywords):
        """Return the result, or None where the algorithm says that it cannot solve this."""
        call = pyconv.convolve if flip else pyconv.correlate
        try:
            return call(x, w, *args, method=self.method, **keywords)
        except ValueError as error:
            if f"method={self.method!r} cannot solve this problem: " in str(error):
                return None
            raise


def clear_caches():
    """Forget every plan."""
    planner.clear_cache()


@pytest.fixture
def use_isa(monkeypatch):
    """Return a function that makes every later call run one variant's loops."""

    def use(name):
        native = loader.load(name)
        assert name == native.ISA
        monkeypatch.setattr(loader, "native", native)
        clear_caches()  # plans are bound to the variant they were made with
        return native

    yield use
    clear_caches()


@pytest.fixture(autouse=True)
def _leaves_the_variant():
    """A test that leaves another variant behind fails itself, rather than the tests after it."""
    before = loader.native
    yield
    after, loader.native = loader.native, before
    assert after is before, f"the test leaves the {after.ISA} loops in use"


@pytest.fixture(params=loader.runnable())
def isa(request, use_isa):
    """Run the test once for each variant; the value is its compiled module."""
    return use_isa(request.param)


@pytest.fixture(params=ABOVE_LOOPS)
def widest_isa(request, use_isa):
    """Run the test with the widest variant; once for each of the others among the slow tests."""
    return use_isa(request.param)


@pytest.fixture(params=ENGINES)
def engine(request, use_isa):
    """Run the test once for each algorithm and variant."""
    method, isa = request.param
    use_isa(isa)
    return Engine(method, isa)


@pytest.fixture(params=LAYER_ENGINES)
def layer_method(request, use_isa):
    """Run the test once for each algorithm of layers and variant; the value is its name."""
    method, isa = request.param
    use_isa(isa)
    return method


@pytest.fixture
def rng():
    """Return a generator that starts the same in every test."""
    return np.random.default_rng(20240229)


@pytest.fixture(params=[False, True], ids=["", "ignored"])
def sigint(request):
    """Run a test as it is, and as a shell would run it in the background."""
    before = signal.getsignal(signal.SIGINT)
    if request.param:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)
