"""What loops do not take as it lies is converted a slab at a time: same answers, bounded memory."""

import os
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from arrays import assert_exact, small
from conftest import clear_caches
from oracles import correlate

import pyconv
from pyconv._engine.algorithms import ALGORITHMS, slabs
from pyconv._engine.boundaries import BOUNDARIES

METHODS = [a.name for a in ALGORITHMS]
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

#: dtypes of x and w, and what else is asked for: each is converted, for a reason of its own.
CONVERTED = {
    "half": ("f2", "f2", {}),
    "half times single": ("f2", "f4", {}),
    "complex weights": ("c8", "c8", {}),
    "real times complex": ("f4", "c8", {}),
    "complex of real": ("f8", "f8", {"dtype": "c16"}),
    "swapped": (">f4", "f4", {}),
    "swapped integers": (">i4", "i2", {}),
    "swapped complex": (">c16", "f8", {}),
}
#: Shapes of x and w, and how they meet.
SHAPES = {
    "line": ((301,), (9,), {"mode": "same"}),
    "line with stride": ((301,), (9,), {"mode": [(11, 7)], "stride": 3, "dilation": 2}),
    "lines": ((40, 33), (5,), {"mode": "full"}),
    "columns": ((40, 33), (5,), {"axes": 0, "mode": "same"}),
    "picture": ((31, 29), (4, 3), {"mode": "same"}),
    "cropped": ((31, 29), (4, 3), {"mode": [(-3, 2), (2, -5)]}),
    "wide pads": ((9, 40), (3, 3), {"mode": [(21, 25), (3, 0)], "stride": (2, 1)}),
    "colours": ((23, 19, 3), (3, 4), {"axes": (0, 1), "mode": "same"}),
    "turned axes": ((12, 6, 13), (3, 2), {"axes": (2, 0), "mode": "full"}),
    "volume": ((11, 9, 10), (3, 2, 3), {"mode": "same", "stride": (2, 1, 1)}),
}


@pytest.fixture
def slabs_seen(monkeypatch):
    """Make slabs of few bytes; return the list that grows with each."""
    seen = []
    samples = slabs._Slabs._samples

    def counted(self, x, start, n):
        seen.append(n)
        return samples(self, x, start, n)

    monkeypatch.setattr(slabs._Slabs, "_samples", counted)
    monkeypatch.setattr(slabs, "SLAB", 500)
    monkeypatch.setattr(slabs, "SPANS", 1)
    clear_caches()
    yield seen
    clear_caches()


def answer(x, w, method, **keywords):
    """Return the result, or None where a method cannot solve this."""
    try:
        return pyconv.correlate(x, w, method=method, **keywords)
    except ValueError as error:
        if "cannot solve this problem" in str(error):
            return None
        raise


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("data", CONVERTED)
def test_slabs_give_the_answer_of_the_whole(rng, slabs_seen, data, shape):
    """Every algorithm and boundary, exactly; transforms nearly."""
    x_dtype, w_dtype, asked = CONVERTED[data]
    x_shape, w_shape, how = SHAPES[shape]
    x, w = small(rng, x_shape, x_dtype), small(rng, w_shape, w_dtype)
    if asked.get("dtype") == "u1":
        w = abs(w)
    for boundary in BOUNDARIES:
        where = how | {"boundary": boundary, "fill_value": 2}
        expected, _ = correlate(x, w, **where)
        for method in METHODS:
            y = answer(x, w, method, **where, **asked)
            if y is None or method == "fft":
                if y is not None:
                    np.testing.assert_allclose(y, expected, atol=0.05)
                continue
            assert_exact(y, expected, y.dtype)
    assert len(slabs_seen) > 4


@pytest.mark.parametrize("weights", ["equal", "of low rank"])
def test_slabs_of_weights_that_decide(rng, slabs_seen, weights):
    """Box and separable keep what they know of the weights."""
    w = np.ones((5, 4), "f2") if weights == "equal" else np.outer([1, 2, 1], [1, 0, -2])
    w = w.astype("f2")
    method = "box" if weights == "equal" else "separable"
    for x in (small(rng, (60, 50), "f2"), small(rng, (2, 40, 30, 2), "f2")):
        where = {"axes": (-2, -1) if x.ndim == 2 else (1, 2), "mode": "same", "boundary": "mirror"}
        expected, _ = correlate(x, w, **where)
        assert_exact(pyconv.correlate(x, w, method=method, **where), expected, np.float16)
    assert len(slabs_seen) > 4


def test_transposed_arrays_are_copied_in_slabs(rng, slabs_seen):
    """What a loop needs contiguous is not copied as a whole."""
    for method in METHODS:
        x, w = small(rng, (4, 60, 50), "f4").transpose(2, 1, 0), small(rng, (5,), "f4")
        expected, _ = correlate(x, w, "same", axes=0)
        y = answer(x, w, method, mode="same", axes=0)
        if y is not None and method != "fft":
            assert_exact(y, expected, np.float32)
    assert len(slabs_seen) > 4


def test_a_fill_value_beyond_half_precision(slabs_seen):
    """It is read in the precision of the sums."""
    x, w = np.ones((60, 40), "f2"), np.full((3, 3), 2.0**-12, "f2")
    y = pyconv.correlate(x, w, "same", fill_value=2.0**18)
    assert y[0, 5] == 3 * 64 + 6 * 2.0**-12
    assert slabs_seen


def test_data_that_a_transform_cannot_take(rng, slabs_seen):
    """A NaN in a later slab reaches the outputs whose window holds it, and no others."""
    x, w = small(rng, (90, 40), "f2"), small(rng, (9, 9), "f2")
    x[80, 5] = np.nan
    y = pyconv.correlate(x, w, "same", "wrap", method="fft")
    expected, _ = correlate(x, w, "same", "wrap")
    np.testing.assert_array_equal(np.isnan(y), np.isnan(expected))
    np.testing.assert_allclose(y, expected.astype("f2"), rtol=2**-10, atol=1e-4)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "reference"])
@pytest.mark.parametrize("data", [d for d in CONVERTED if "swapped" not in d])
def test_least_memory_would_do(rng, data, method):
    """The copies are part of the least that the error names."""
    x_dtype, w_dtype, asked = CONVERTED[data]
    x, w = small(rng, (300, 200), x_dtype), np.ones((9, 8), w_dtype)
    try:
        with pytest.raises(MemoryError, match="least that would do is") as error:
            pyconv.correlate(x, w, method=method, max_memory=10, **asked)
    except ValueError as refusal:
        assert "cannot solve this problem" in str(refusal)  # noqa: PT017
        return
    least = int(re.search(r"do is (\d+)", str(error.value))[1])
    y = pyconv.correlate(x, w, method=method, max_memory=least, **asked)
    np.testing.assert_allclose(y, correlate(x, w)[0], atol=2.0 if x_dtype == "f2" else 0.05)
    with pytest.raises(MemoryError):
        pyconv.correlate(x, w, method=method, max_memory=least - 1, **asked)


PADDED = {
    "half precision": ((3, 158), "f2", (21,), "f2", {}),
    "swapped half precision": ((4, 7, 3), ">f2", (3, 2, 1), "f4", {"stride": 2}),
    "short kernel": ((3, 298), "u1", (2,), "i2", {"dtype": "f8"}),
    "long kernel": ((233,), "f2", (28,), "f2", {}),
    "forced": ((3, 29), "f4", (2, 8), "f4", {"method": "direct"}),
}


@pytest.mark.parametrize("data", PADDED)
def test_least_memory_of_padded_arrays(rng, data):
    """The least is named at once, of algorithms that need tables of indices too."""
    x_shape, x_dtype, w_shape, w_dtype, asked = PADDED[data]
    x, w = small(rng, x_shape, x_dtype), np.ones(w_shape, w_dtype)
    with pytest.raises(MemoryError) as error:
        pyconv.correlate(x, w, "full", max_memory=0, **asked)
    least = int(re.search(r"do is (\d+)", str(error.value))[1])
    y = pyconv.correlate(x, w, "full", max_memory=least, **asked)
    np.testing.assert_allclose(y, pyconv.correlate(x, w, "full", **asked), rtol=2**-10, atol=1e-4)
    with pytest.raises(MemoryError, match=f"least that would do is {least} bytes"):
        pyconv.correlate(x, w, "full", max_memory=least - 1, **asked)


def test_swapped_bytes_under_a_small_cap(rng):
    """What only a run can know is refused there, with the least that would do."""
    x, w = small(rng, (300, 200), ">f4"), small(rng, (3, 3), "f4")
    with pytest.raises(MemoryError, match="x, which is not contiguous or not in native") as error:
        pyconv.correlate(x, w, method="im2col", max_memory=641_000)
    least = int(re.search(r"do is (\d+)", str(error.value))[1])
    y = pyconv.correlate(x, w, method="im2col", max_memory=least)
    assert_exact(y, correlate(x, w)[0], np.float32)


# ---- measured -----------------------------------------------------------------------------------

MEASURED = {
    "direct": "x('f4'), random((3, 3))",
    "separable": "x('f4'), np.outer(random(9), random(9))",
    "fft": "x('f4'), random((21, 21))",
    "box": "x('f4'), np.ones((9, 9), 'f4')",
    "half precision": "x('f2'), random((3, 3)).astype('f2')",
    "half precision, fft": "x('f2'), random((21, 21)).astype('f2')",
    "complex": "x('c8'), random((3, 3)) * (1 + 1j)",
    "rounded": "x('f4'), random((3, 3)), dtype='u1', overflow='saturate'",
    "swapped": "x('>f4'), random((3, 3))",
    "transposed": "x('f4').T, random(5), axes=0",
    "across": "np.asfortranarray(x('f4')), random((3, 3))",
    "across, rounded": (
        "np.asfortranarray(x('u1')), random((3, 3)), dtype='u1', overflow='wrap',"
        " rounding='half_even'"
    ),
    "refused": "x('f4'), random((3, 3)), nan_policy='raise'",
}


def growth(call, nbytes, max_memory, keywords=""):
    """Return by how many bytes a call grows its process, without its result."""
    code = textwrap.dedent(f"""
        import numpy as np
        import pyconv
        def random(shape):
            return np.random.default_rng(0).random(shape).astype("f4")
        def x(dtype):
            return np.ones(({nbytes} // 4096 // np.dtype(dtype).itemsize, 4096), dtype)
        def run(x, w, **keywords):
            pyconv.correlate(x[:40, :40], w, "same", "mirror", **keywords)  # loads libraries
            with open("/proc/self/clear_refs", "w") as f:
                f.write("5")
            before = peak()
            y = pyconv.correlate(
                x, w, "same", "mirror", max_memory={max_memory}, **keywords)
            print(peak() - before - y.nbytes)
        def peak():
            with open("/proc/self/status") as f:
                return 1024 * next(int(l.split()[1]) for l in f if l.startswith("VmHWM"))
        run({call})
    """)
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return int(result.stdout)


@linux
@pytest.mark.parametrize("case", MEASURED)
def test_cap_is_kept_by_conversions(case):
    """Of 48 MiB under a cap of 16 MiB; libraries are paged in, threads have stacks."""
    assert growth(MEASURED[case], 48 << 20, 16 << 20) <= (16 << 20) + (2 << 20)


@linux
@pytest.mark.slow
@pytest.mark.parametrize("case", MEASURED)
def test_peak_memory_of_a_gibibyte(case):
    """Input, output and the default cap."""
    if os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES") < 5 << 30:
        pytest.skip("less than 5 GiB of memory are free")
    assert growth(MEASURED[case], 1 << 30, None) <= 256 << 20
