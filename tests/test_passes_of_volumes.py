"""Passes along three axes: tiles that sum all of them, and sums of several products in one loop."""

import itertools
import warnings

import numpy as np
import oracles
import pytest
from strips import in_strips

import pyconv
from pyconv import filters, ndimage
from pyconv._engine import separable_passes
from pyconv._engine.algorithms.correlation import passes
from pyconv._engine.planner import clear_cache
from pyconv.ndimage import _gaussian
from pyconv.ndimage._gaussian import factored_lengths

AXES = (0, 1, 2)
#: Products of factors of three taps, and a cross.
IN_ONE_TILE = {
    "sobel 0": lambda x, axes=AXES, **o: filters.sobel(x, axes[0], axes=axes, **o),
    "sobel 1": lambda x, axes=AXES, **o: filters.sobel(x, axes[1], axes=axes, **o),
    "prewitt": lambda x, axes=AXES, **o: filters.prewitt(x, axes[2], axes=axes, **o),
    "laplace": lambda x, axes=AXES, **o: filters.laplace(x, axes=axes, **o),
    "gaussian": lambda x, axes=AXES, **o: filters.gaussian(
        x, (0.8, 0.5, 1), radius=1, axes=axes, **o
    ),
    "box": lambda x, axes=AXES, **o: filters.box(x, (3, 3, 3), axes=axes, **o),
}
#: Of single samples samples are summed in double.
DROPINS = {
    "laplace": ndimage.laplace,
    "sobel": ndimage.sobel,
    "prewitt": lambda x, **o: ndimage.prewitt(x, 0, **o),
    "plane": lambda x, **o: ndimage.sobel(x[1], 0, **o),
    "mean": lambda x, **o: ndimage.uniform_filter(x, 3, output="f4", **o),
}
#: Around the planes, rows and columns of tiles of every variant; planes 4 KiB apart.
SHAPES = [(1, 1, 1), (3, 2, 5), (2, 15, 16), (15, 1, 33), (16, 3, 31), (17, 18, 64), (34, 4, 130),
          (20, 16, 64)]  # fmt: skip


def same_as_strips(monkeypatch, calls):
    """Check results, and those of the plans that are kept, against those of strips."""
    for call in calls:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = in_strips(monkeypatch, call)
            np.testing.assert_array_equal(call(), expected)
            np.testing.assert_array_equal(call(), expected)


def spoilt(x):
    """Return samples of which one is the largest, and others are NaN and infinite."""
    loud, lost = x.copy(), x.copy()
    if x.dtype.kind in "fc":
        loud.flat[0] = np.finfo(x.dtype).max
        lost.flat[x.size // 2], lost.flat[-1] = np.nan, np.inf
    return loud, lost


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", IN_ONE_TILE)
def test_all_passes_in_one_tile_have_the_bits_of_strips(isa, monkeypatch, name, shape, dtype):
    """Whatever the boundary, layout and number of threads; NaN, infinity and sums out of range."""
    del isa
    rng = np.random.default_rng(len(name) + sum(shape))
    x = (rng.standard_normal(shape) * 50).astype(dtype)
    if "c" in dtype:
        x = x + x[::-1] * np.complex64(1j)
    loud, lost = spoilt(x)
    run = IN_ONE_TILE[name]
    same_as_strips(monkeypatch, [
        lambda: run(x, boundary="constant", fill_value=0.1),
        lambda: run(x, boundary="wrap", workers=3),
        lambda: run(x[::-1, :, ::-1]),
        lambda: run(np.asfortranarray(x)),
        lambda: run(loud),
        lambda: run(lost),
        lambda: run(np.stack([x, x + 1, -x], axis=-1)),
        lambda: run(np.stack([x, -x]), axes=(1, 2, 3), boundary="mirror"),
        lambda: run(x, out=np.empty(shape, x.dtype)),
    ])  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int16", ">f4", "float64"])
@pytest.mark.parametrize("shape", [s for s in SHAPES if min(s) > 1])
@pytest.mark.parametrize("name", DROPINS)
def test_sums_in_double_of_single_samples(isa, monkeypatch, name, shape, dtype):
    """They are the sums of strips, rounded once, whatever becomes of them."""
    del isa
    monkeypatch.setattr("pyconv.ndimage._weighted_sums.FEW_SAMPLES", 0)
    monkeypatch.setattr("pyconv.ndimage._several_axes.FEW_SAMPLES", 0)
    monkeypatch.setattr("pyconv.ndimage._weighted_sums.single", lambda *_: False)
    rng = np.random.default_rng(len(name) + sum(shape))
    x = rng.standard_normal(shape) * 50
    x = (abs(x) if dtype == "uint8" else x).astype(dtype)
    loud, lost = spoilt(x)
    run = DROPINS[name]
    given = {} if name == "mean" else {"output": "f4"}
    same_as_strips(monkeypatch, [
        lambda: run(x, **given),
        lambda: run(x, mode="constant", cval=0.1, **given),
        lambda: run(x, mode="wrap", **given),
        lambda: run(x[..., ::-1], **given),
        lambda: run(loud, **given),
        lambda: run(lost, **given),
    ])  # fmt: skip


def test_the_tiles_run():
    """Else the comparisons above would be ones of strips with themselves."""
    kinds = set()
    original = passes._tile_loop

    def seen(real, form, kind, *, wide):
        kinds.add((kind, wide))
        return original(real, form, kind, wide=wide)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passes, "_tile_loop", seen)
        clear_cache()
        for run in IN_ONE_TILE.values():
            run(np.ones((20, 20, 20), np.float32))
        for run in DROPINS.values():
            run(np.ones((30, 140, 140), np.float32))
        clear_cache()
    deep = itertools.product((passes.CROSS + passes.DEEP, 3 + passes.DEEP), (False, True))
    assert {*deep, (3, True)} <= kinds


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int32"])
@pytest.mark.parametrize(
    "shape", [(40, 33), (3, 500), (70, 130), (12, 13, 14), (3, 20, 70), (33, 4, 65)]
)
def test_lengths_of_gradients_have_the_bits_of_components(isa, monkeypatch, shape, dtype):
    """Whatever the boundary, layout and number of threads; NaN, and squares out of range."""
    del isa
    monkeypatch.setattr("pyconv.ndimage._several_axes.FEW_SAMPLES", 0)
    rng = np.random.default_rng(sum(shape))
    x = rng.standard_normal(shape) * 50
    x = (abs(x) if dtype == "uint8" else x).astype(dtype)
    loud, lost = spoilt(x)
    run, made = ndimage.gaussian_gradient_magnitude, []

    def joined(*given):
        made.append(factored_lengths(*given))
        return made[-1]

    for output, given in itertools.product(("f4", "f8"), (
        {"input": x, "mode": "mirror"},
        {"input": x, "mode": "constant", "cval": 0},
        {"input": x, "sigma": [0.7 + 0.4 * i for i in range(x.ndim)]},
        {"input": np.asfortranarray(x), "truncate": 2.0},
        {"input": x[::-1]},
        {"input": loud},
        {"input": lost},
    )):  # fmt: skip
        call = {"sigma": 1.1, "output": output} | given
        with warnings.catch_warnings(), pyconv.set_workers(1 + len(made) % 3):
            warnings.simplefilter("ignore")
            monkeypatch.setattr(_gaussian, "factored_lengths", lambda *_: None)
            clear_cache()
            expected = run(**call)
            clear_cache()
            monkeypatch.setattr(_gaussian, "factored_lengths", joined)
            np.testing.assert_array_equal(run(**call), expected)
    assert len(made) == 14
    assert None not in made or min(shape) < 5
    if dtype == "float32":
        y = run(x, 1)
        assert run(x, 1, output=x) is x
        np.testing.assert_array_equal(x, y)


def row_of(rng, taps, kind):
    """Return whole weights that are their own mirror image, its negative, or neither; or one."""
    row = rng.integers(-3, 4, taps).astype(float)
    if kind == "one":
        row[:] = 0
        row[taps // 2] = 1
    elif kind != "any":
        row = row + row[::-1] if kind == "even" else row - row[::-1]
    return row


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "complex64"])
@pytest.mark.parametrize("seed", range(12))
def test_sums_of_products_are_exact(isa, seed, dtype):
    """Factors that terms share are summed once: whole numbers tell whether each is in its place."""
    del isa
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, [30, 40, 90]))
    taps = tuple(int(n) for n in rng.choice([1, 3, 4, 5, 9], 3))
    rows = [[row_of(rng, k, kind) for kind in rng.permutation(["even", "odd", "any", "one"])[:2]]
            for k in taps]  # fmt: skip
    picks = list(itertools.product(range(2), repeat=3))
    terms = tuple(
        tuple(rows[axis][pick] for axis, pick in enumerate(picks[i]))
        for i in rng.permutation(8)[: rng.integers(2, 6)]
    )
    strides = tuple(int(n) for n in rng.integers(1, 4, 3)) if seed % 2 else ()
    boundary = ["constant", "wrap", "symmetric", "nearest"][seed % 4]
    lows = tuple(k // 2 for k in taps)
    x = rng.integers(-9, 10, shape).astype(dtype)
    if dtype == "complex64":
        x = x + np.complex64(1j) * rng.integers(-9, 10, shape)
    what = separable_passes.Filter(terms, AXES, lows, (boundary,) * 3, strides=strides)
    sums = np.dtype("float64" if dtype == "float64" else "float32")
    y = separable_passes.runner(
        shape, x.dtype, what, separable_passes.Wanted(sums, np.result_type(x.dtype, sums))
    )(x, None, 1 + seed % 3)
    w = sum(np.multiply.outer(np.multiply.outer(*term[:2]), term[2]) for term in terms)
    pads = [(low, k - 1 - low) for low, k in zip(lows, taps, strict=True)]
    expected, _ = oracles.correlate(x, w, mode=pads, boundary=boundary, stride=strides or 1)
    np.testing.assert_array_equal(y, expected)


def test_a_sum_of_products_is_one_loop(monkeypatch):
    """It has a strip and a ring for each factor that differs."""
    made = []
    native = passes.loader.native

    class Native:
        def __getattr__(self, name):
            return getattr(native, name)

        @staticmethod
        def SeparableLoop(*given):
            made.append((given[5].shape[0], given[6].shape[0], given[7].shape[0]))
            return native.SeparableLoop(*given)

    clear_cache()
    monkeypatch.setattr(passes.loader, "native", Native())
    filters.log(np.ones((20, 21, 22), np.float32), 1, axes=AXES)
    clear_cache()
    assert set(made) == {(2, 3, 2)}
