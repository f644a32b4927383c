"""ISAS: every variant is built, runs when it is asked for, and is the one that ran."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

import pyconv
from pyconv._native import cpu, loader
from pyconv._native.isa import ISAS

VECTOR_BYTES = {"baseline": 16, "avx2": 32, "avx512": 64}

REPORT = """
import numpy as np
import pyconv
from pyconv._native import loader
y = pyconv.correlate(np.arange(1000, dtype="float32"), np.ones(3, "float32"), method="direct")
assert y.tolist() == [3.0 * i + 3 for i in range(998)]
print(loader.native.__name__, loader.native.ISA, loader.native.vector_bytes())
"""


def run(name):
    """Run the report in a fresh interpreter with PYCONV_ISA set."""
    environment = os.environ | {"PYCONV_ISA": name}
    return subprocess.run(
        [sys.executable, "-c", REPORT], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", loader.runnable())
def test_forced_variant_is_the_one_that_runs(name):
    """PYCONV_ISA decides which loops are imported: name and compiled vector width prove it."""
    result = run(name)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [f"pyconv._native.{name}", name, str(VECTOR_BYTES[name])]


def test_widest_variant_is_the_default():
    """Without a wish, or with an empty one, the widest runnable variant is imported."""
    result = run("")
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[1] == loader.runnable()[-1]


@pytest.mark.parametrize("name", ["sse9", "AVX2", "cpu", "../avx2"])
def test_unknown_variant_is_an_import_error(name):
    """The error names the variable, its value and what can run."""
    result = run(name)
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError")
    assert f"PYCONV_ISA={name!r}" in last
    assert all(able in last for able in loader.runnable())


def test_only_one_variant_is_imported():
    """The start-up code of a variant already uses its instructions: the others stay outside."""
    code = (
        "import sys, pyconv; from pyconv._native import loader;"
        "print({m.ISA for n, m in sys.modules.items() if n.startswith('pyconv._native.')"
        " and hasattr(m, 'ISA')} == {loader.native.ISA})"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )  # fmt: skip
    assert result.stdout.strip() == "True"


def test_a_variant_is_runnable_if_the_cpu_has_its_features():
    """Every row of the table whose features are present is built, and no other is run."""
    features = set(cpu.features())
    able = [isa.name for isa in ISAS if features.issuperset(isa.features)]
    built = [name for name in able if importlib.util.find_spec(f"pyconv._native.{name}.windows")]
    assert loader.runnable() == built
    assert "baseline" in built
    assert not ISAS[0].features


def test_cpu_features_agree_with_numpy():
    """NumPy asks the same CPU."""
    known = np._core._multiarray_umath.__cpu_features__
    for feature in {f for isa in ISAS for f in isa.features}:
        spelling = {"fma": "FMA3"}.get(feature, feature.upper())
        if spelling in known:
            assert (feature in cpu.features()) == known[spelling]


def test_loops_run_with_the_vectors_of_their_variant(isa):
    """The fixture that forces a variant does so."""
    assert loader.native is isa
    assert VECTOR_BYTES[isa.ISA] == isa.vector_bytes()
    assert pyconv.correlate([1.0, 2.0], [3.0], method="direct").tolist() == [3, 6]


def test_show_versions_names_the_variant(isa, capsys):
    """A bug report says which loops ran."""
    pyconv.show_versions()
    assert f"ISA: {isa.ISA} " in capsys.readouterr().out
