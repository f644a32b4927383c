"""The corpus of the fuzzer, a few cases of each family, and that the fuzzer is able to find."""

import itertools
import json

import fuzz
import fuzz_cases
import numpy as np
import pytest

import pyconv
from pyconv._native import loader

CORPUS = sorted(fuzz.CORPUS.glob("*.json"))


@pytest.fixture(autouse=True)
def _same_variant(use_isa):
    """Put the variant back that a case has chosen."""
    use_isa(loader.native.ISA)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_what_once_failed(path):
    """Each case of the corpus has failed before something was mended."""
    fuzz_cases.check(json.loads(path.read_text())["case"])


@pytest.mark.parametrize("family", fuzz_cases.FAMILIES)
def test_cases_of_each_family(family):
    """The first cases of every family."""
    for seed in range(12):
        case = fuzz_cases.draw(seed, [family])
        error = fuzz.failure(case)
        assert error is None, f"{error}: {fuzz.line(case)}"


def test_a_line_is_a_case():
    """What is printed draws the same arrays and runs the same call."""
    for seed in range(50):
        case = fuzz_cases.draw(seed)
        assert json.loads(fuzz.line(case)) == case


#: What is broken → the family that must notice.
BREAKS = {
    "a value": ("sums", lambda y: y.__setitem__((0,) * y.ndim, 77)),
    "the last value": ("sums", lambda y: y.__setitem__((-1,) * y.ndim, 77)),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_a_wrong_result_is_found_and_made_small(broken, monkeypatch, tmp_path, capsys):
    """The fuzzer prints one line, writes one small file, and both fail again."""
    family, spoil = BREAKS[broken]
    correlate = pyconv.correlate

    def wrong(*args, **keywords):
        y = correlate(*args, **keywords)
        if y.size > 3 and keywords.get("out") is None:
            spoil(y)
        return y

    with monkeypatch.context() as patch:
        patch.setattr(pyconv, "correlate", wrong)
        assert fuzz.main(["--seconds", "3", "--family", family, "--corpus", str(tmp_path)]) == 1
        (path, *_) = tmp_path.glob("*.json")
        case = json.loads(path.read_text())["case"]
        assert np.prod(case["x"]["shape"]) <= 60
        assert "--case" in capsys.readouterr().out
        assert fuzz.main(["--case", str(path)]) == 1
        assert fuzz.main(["--case", fuzz.line(case)]) == 1
    assert fuzz.main(["--case", str(path)]) == 0


def test_half_written_out_is_found(monkeypatch):
    """A refusal that has touched ``out`` is a failure, and so is another kind of error."""

    def writes(x, w, out=None, **keywords):
        if out is not None:
            out[...] = 0
        raise ValueError("no")

    def breaks(x, w, out=None, **keywords):
        raise IndexError("inside")

    cases = (fuzz_cases.draw(seed, ["refused"]) for seed in itertools.count())
    case = next(c for c in cases if c["of"] == "sums" and c["out"])
    for function, word in ((writes, "half-written"), (breaks, "inside")):
        monkeypatch.setattr(pyconv, "correlate", function)
        assert word in str(fuzz.failure(case))
