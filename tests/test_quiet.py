"""Outputs that are quiet beside others of a transform: by transforms of their own."""

import numpy as np
import oracles
import pytest
from arrays import bits, noise

import pyconv
from pyconv._engine import planner
from pyconv._engine.algorithms import quiet

GRANTED = 64


@pytest.fixture
def transforms(monkeypatch):
    """Make plain sums so dear that every box goes by its levels; count the levels."""
    plain, level = quiet._plain_seconds, quiet.QuietOutputs._sum
    levels = []

    def counted(outputs, one, *arguments):
        levels.append(one)
        level(outputs, one, *arguments)

    monkeypatch.setattr(quiet, "_plain_seconds", lambda *a: 1e6 * plain(*a))
    monkeypatch.setattr(quiet.QuietOutputs, "_sum", counted)
    planner.clear_cache()
    yield levels
    planner.clear_cache()


def _radius(shape):
    return np.sqrt(
        sum(((i - n / 2) / n) ** 2 for i, n in zip(np.indices(shape), shape, strict=True))
    )


DATA = {
    "pulse": lambda rng, shape: np.exp(-((_radius(shape) / 0.05) ** 2)),
    "decay": lambda rng, shape: np.exp(-60 * sum(np.indices(shape)) / sum(shape)),
    "block": lambda rng, shape: np.where(
        abs(_radius(shape) - 0.2) < 0.1, -9999, rng.standard_normal(shape)
    ),
    "quake": lambda rng, shape: (
        rng.standard_normal(shape) * (1 + 1e6 * np.exp(-((_radius(shape) / 0.05) ** 2)))
    ),
    "star": lambda rng, shape: (
        rng.standard_normal(shape) + 1e12 * (_radius(shape) < 2.5 / max(shape))
    ),
    "window": lambda rng, shape: (
        rng.standard_normal(shape)
        * np.prod(np.sin(np.pi * np.indices(shape).T / shape[::-1]) ** 8, -1).T
        if len(shape) == 1
        else rng.standard_normal(shape) * np.maximum(0, 0.7 - _radius(shape)) ** 9
    ),
    "zeros": lambda rng, shape: (
        np.where(_radius(shape) < 0.2, rng.standard_normal(shape), 0)
        * 10.0 ** (20 * _radius(shape))
    ),
    "subnormal": lambda rng, shape: 1e-30 * np.exp(-((_radius(shape) / 0.08) ** 2)),
}


def _granted(x, w, mode):
    """Return the largest sample of each window, times Σ|w|."""
    low_high = [(k - 1, k - 1) if mode == "full" else (k // 2, (k - 1) // 2) for k in w.shape]
    padded = np.pad(abs(x).astype("f8"), low_high)
    for axis, k in enumerate(w.shape):
        windows = np.lib.stride_tricks.sliding_window_view(padded, k, axis)
        padded = windows.max(axis=-1)
    return padded, padded * abs(w).astype("f8").sum()


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize("shape", [(900,), (26, 30), (9, 10, 11)])
@pytest.mark.parametrize("data", DATA)
def test_errors_are_relative_to_the_window(transforms, rng, data, shape, dtype):
    """Every part of an output keeps to 64 ε of what its window holds; zeros stay zeros."""
    x = DATA[data](rng, shape).astype(dtype)
    if x.dtype.kind == "c":
        x = x + 1j * np.flip(x) * np.float32(0.5)
    for w in (x, np.flip(x), noise(rng, [max(2, n // 2) for n in shape], dtype)):
        for mode, flip in (("full", True), ("same", False)):
            call = pyconv.convolve if flip else pyconv.correlate
            y = call(x, w, mode, method="fft")
            exact, _ = oracles.correlate(x, w, mode, flip=flip)
            largest, granted = _granted(x, w, mode)
            eps, tiny = np.finfo(dtype).eps, np.finfo(dtype).smallest_subnormal
            scale = 4 if x.dtype.kind == "c" else 1
            if eps < 1e-10:  # the oracle rounds, too
                scale *= 2
            error = np.abs(y - exact)
            assert (error <= scale * GRANTED * eps * granted + 2 * w.size * float(tiny)).all()
            assert not y[largest == 0].any()
            assert bits(call(x, w, mode, method="fft", workers=3)) == bits(y)
    if data in ("pulse", "decay", "quake"):
        assert transforms


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("data", ["pulse", "decay"])
@pytest.mark.parametrize("shape", [(1900,), (60, 70), (19, 20, 21)])
def test_strides_and_dilations(transforms, rng, shape, data, dtype):
    """Outputs that a stride keeps, of windows with holes, have levels as others have."""
    x = DATA[data](rng, shape).astype(dtype)
    eps, tiny = np.finfo(dtype).eps, np.finfo(dtype).smallest_subnormal
    for stride, dilation, boundary in ((2, 1, "mirror"), (1, 3, "constant"), (3, 2, "wrap")):
        w = noise(rng, [max(2, n // 6) for n in shape], dtype)
        options = {"stride": stride, "dilation": dilation}
        y = pyconv.correlate(x, w, "same", boundary, method="fft", **options)
        exact, _ = oracles.correlate(x, w, "same", boundary, **options)
        spans = [(k - 1) * dilation + 1 for k in w.shape]
        padded = abs(x).astype("f8")
        for axis, (low, high) in enumerate(oracles.pads_of("same", spans)):
            padded = oracles.pad_axis(padded, axis, low, high, boundary, 0)
        windows = np.lib.stride_tricks.sliding_window_view(padded, spans)
        every = slice(None, None, stride), slice(None, None, dilation)
        windows = windows[tuple(s for s in every for _ in shape)]
        largest = windows.max(axis=tuple(range(-len(shape), 0)))
        granted = 2 * GRANTED * eps * largest * abs(w).astype("f8").sum()
        assert (abs(y - exact) <= granted + 2 * w.size * float(tiny)).all()
    assert transforms


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize("shape", [(2, 9000), (60, 70), (19, 20, 21)])
def test_many_infinities(transforms, monkeypatch, rng, shape, dtype, zeros):
    """Where weights differ in sign or are zero they are decided by counts; NaN goes first."""
    if not zeros:  # what is loud under the zeros of a mask leaves no trace: a plain sum
        monkeypatch.setattr(quiet.Patches, "run", None)
    n = len(shape) - (shape[0] == 2)
    for share, options in (
        (0.3, {}),
        (0.9, {"stride": 2}),
        (0.3, {"dilation": 2, "boundary": "nearest"}),
        (0.3, {"stride": 3, "dilation": 2, "boundary": "wrap"}),
    ):
        x = noise(rng, shape, dtype)
        for part in [x] if x.dtype.kind == "f" else [x.real, x.imag]:
            part[rng.random(shape) < 0.01] = np.nan
            spoilt = (rng.random(shape) < share) & (np.indices(shape)[-1] < shape[-1] // 2)
            part[spoilt] = rng.choice([np.inf, -np.inf], spoilt.sum())
        w = noise(rng, (31,) if n == 1 else (5,) * n, x.real.dtype)
        w.flat[::7] = 0 if zeros else -1
        expected = pyconv.correlate(x, w, "same", method="direct", **options)
        y = pyconv.correlate(x, w, "same", method="fft", **options)
        parts = [(y, expected)]
        if y.dtype.kind == "c":
            parts = [(y.real, expected.real), (y.imag, expected.imag)]
        for part, plain in parts:
            finite = np.isfinite(plain)
            np.testing.assert_array_equal(part[~finite], plain[~finite])
            np.testing.assert_allclose(part[finite], plain[finite], atol=1e-3)
    assert transforms
