"""blocked where its work is cut: blocks of pixels, chunks of channels, panels, shares of outputs.

Whole numbers, so that every cut has to give the sums of the definition, bit for bit.
"""

import layer_oracles
import numpy as np
import pytest
from arrays import small

from pyconv._engine.algorithms.layers import blocked
from pyconv._engine.algorithms.layers.blocked import (
    FILLING_CHANNELS,
    PACKING_PIXELS,
    Blocked,
    Form,
    LayerCuts,
    Tile,
)
from pyconv._engine.layer_problem import Options, make_layer_problem

#: Shapes of input and weights, and options.
CUTS = {
    "pieces of a row": ((1, 2, 1301), (9, 2, 3), {"padding": 1}),
    "pieces of a strided row": ((1, 2, 2001), (5, 2, 4), {"padding": 2, "stride": 2}),
    "rows": ((1, 3, 61, 33), (9, 3, 3, 3), {"padding": 1, "stride": (1, 2)}),
    "strided rows": ((1, 3, 90, 33), (9, 3, 3, 3), {"padding": 1, "stride": 2}),
    "dilated rows": ((1, 2, 93, 35), (9, 2, 3, 2), {"stride": (3, 1), "dilation": (2, 3)}),
    "planes": ((1, 2, 12, 13, 21), (9, 2, 3, 3, 3), {"padding": 1}),
    "strided planes": ((1, 2, 13, 23, 25), (9, 2, 3, 3, 3), {"padding": 1, "stride": 2}),
    "few channels of few pixels": ((2, 40, 3, 5), (20, 40, 3, 3), {"padding": 1}),
    "many channels": ((1, 130, 17, 17), (20, 130, 3, 3), {"padding": 1}),
    "one tap": ((2, 9, 23, 27), (20, 9, 1, 1), {}),
    "one tap of planes": ((1, 9, 4, 11, 13), (20, 9, 1, 1, 1), {}),
    "one tap of a group": ((1, 18, 23, 27), (40, 9, 1, 1), {"groups": 2}),
    "one tap of many channels": ((1, 700, 5, 7), (130, 700, 1, 1), {}),
    "narrow images": ((1, 90, 41, 2), (130, 90, 3, 3), {"padding": 1}),
    "outputs of a line": ((1, 4, 101), (20, 4, 3), {}),
    "many outputs of a line": ((1, 50, 40), (170, 50, 3), {"padding": 1}),
}
#: Inputs whose neighbours are not neighbours in memory.
LAYOUTS = {
    "contiguous": lambda a: a,
    "samples apart": lambda a: np.repeat(a, 2, -1)[..., ::2],
    "rows apart": lambda a: np.pad(a, [*[(0, 0)] * (a.ndim - 1), (0, 3)], constant_values=77)[
        ..., :-3
    ],
    "planes apart": lambda a: np.pad(
        a, [*[(0, 0)] * (a.ndim - 2), (0, 2), (0, 0)], constant_values=77
    )[..., :-2, :],
    "channels last": lambda a: np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1),
}


def layer(rng, case, dtype):
    """Return a problem, whole numbers for it, and its result."""
    x_shape, w_shape, options = CUTS[case]
    problem = make_layer_problem(x_shape, w_shape, np.dtype(dtype), Options(**options))
    x, w, b = (small(rng, s, dtype) for s in (x_shape, w_shape, w_shape[:1]))
    return problem, x, w, b, layer_oracles.conv(x, w, b, **options)[0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CUTS)
def test_every_cut_gives_the_definition(isa, rng, case, dtype):
    """Weights as they come and packed, for numbers of threads that divide no number of tiles."""
    problem, x, w, b, expected = layer(rng, case, dtype)
    bound = Blocked().bind(problem)
    for weights in (w, bound.pack(w)):
        for workers in (1, 2, 3, 5):
            y = np.full(expected.shape, np.nan, dtype)
            bound.run(x, weights, b, y, workers)
            np.testing.assert_array_equal(y, expected)
        bound.run(x, weights, None, y, 1)
        np.testing.assert_array_equal(y, expected - b.reshape(-1, *[1] * (x.ndim - 2)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_inputs_are_read_where_they_lie(isa, rng, layout):
    """Samples, rows and channels apart: what is read in place, or two at a time, is not."""
    for case in ("pieces of a strided row", "strided planes", "one tap", "one tap of planes"):
        problem, x, w, b, expected = layer(rng, case, "float32")
        y = np.full(expected.shape, np.nan, "float32")
        Blocked().bind(problem).run(LAYOUTS[layout](x), w, b, y, 1)
        np.testing.assert_array_equal(y, expected)


def test_weights_are_packed_from_any_strides(isa, rng):
    """Taps, rows, planes and channels apart or from the last one back, each by itself."""
    problem, x, w, b, expected = layer(rng, "strided planes", "float32")
    bound = Blocked().bind(problem)
    flips = [tuple(slice(None, None, 1 - 2 * back) for back in f) for f in np.ndindex(2, 2, 2)]
    for axes in [*flips, "rows", "planes", "channels", "outputs"]:
        if isinstance(axes, tuple):
            lying = w[(..., *axes)].copy()[(..., *axes)]
        else:
            axis = {"rows": 4, "planes": 3, "channels": 2, "outputs": 1}[axes]
            room = np.repeat(w, 2, axis)
            lying = room[(slice(None),) * axis + (slice(None, w.shape[axis]),)]
            lying[...] = w
        y = np.full(expected.shape, np.nan, "float32")
        bound.run(x, bound.pack(lying), b, y, 1)
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("case", CUTS)
def test_every_cut_of_the_gradient_gives_the_definition(isa, rng, case):
    """The same of the gradient for the weights, whose pixels are summed a block at a time."""
    problem, x, w, _, y = layer(rng, case, "float32")
    dy = small(rng, y.shape, "float32")
    expected = layer_oracles.weight_gradient(x, w.shape, dy, **CUTS[case][2])
    run = Blocked().bind_gradient(problem)
    for workers in (1, 2, 3, 5):
        dw = np.full(w.shape, np.nan, "float32")
        run(x, dy, dw, workers)
        np.testing.assert_array_equal(dw, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_lane_of_a_dot_product_counts(isa, dtype):
    """One pixel of any number of channels: the lanes of a vector are summed at the end."""
    for channels in (*range(1, 40), 64, 130):
        problem = make_layer_problem(
            (1, channels, 1), (3, channels, 1), np.dtype(dtype), Options()
        )  # fmt: skip
        x, w = np.ones((1, channels, 1), dtype), np.ones((3, channels, 1), dtype)
        y = np.full((1, 3, 1), np.nan, dtype)
        Blocked().bind(problem).run(x, w, None, y, 1)
        np.testing.assert_array_equal(y, channels)


#: Layers, and what suits the tile of AVX-512: the cut of packed weights on one thread, of weights
#: as they lie on five, of weights packed panel by panel on eight, each by_pixel, unpacked, dots,
#: k_panel, chunk, width, unit and shares; that of the gradient on two threads, chunk, width, unit,
#: shares and summed; whether weights are read as they lie, else packed panel by panel.
AVX512 = Tile(64, 8, 3)
CHOSEN = {
    "few channels": (
        ((2, 3, 32, 32), (16, 3, 3, 3), {"padding": 1}),
        (False, True, 0, 0, 3, 48, 352, 1),
        (False, True, 0, 0, 3, 48, 32, 1),
        (False, True, 0, 0, 3, 48, 64, 1),
        (3, 352, 352, 1, 256),
        (True, False),
    ),
    "strided": (
        ((1, 64, 28, 28), (128, 64, 3, 3), {"padding": 1, "stride": 2}),
        (True, True, 0, 48, 32, 48, 196, 1),
        (False, False, 4, 0, 32, 48, 48, 1),
        (True, True, 0, 48, 32, 48, 28, 1),
        (16, 208, 208, 1, 256),
        (False, True),
    ),
    "rows of pixels": (
        ((1, 32, 56, 56), (64, 32, 3, 3), {"padding": 1}),
        (True, True, 0, 32, 32, 48, 448, 1),
        (False, False, 0, 0, 32, 48, 48, 1),
        (True, True, 0, 32, 32, 48, 56, 1),
        (16, 448, 448, 1, 256),
        (False, False),
    ),
    "one tap": (
        ((4, 64, 14, 14), (256, 64, 1, 1), {}),
        (False, False, 0, 0, 64, 48, 240, 1),
        (False, False, 4, 0, 64, 48, 48, 2),
        (False, False, 0, 0, 64, 48, 96, 1),
        (64, 208, 208, 2, 256),
        (True, False),
    ),
    "one tap of few pixels": (
        ((1, 700, 5, 7), (130, 700, 1, 1), {}),
        (True, False, 0, 48, 234, 48, 48, 1),
        (False, False, 3, 0, 350, 48, 48, 5),
        (True, False, 0, 48, 234, 48, 48, 3),
        (140, 48, 48, 1, 256),
        (True, True),
    ),
    "few pixels": (
        ((2, 512, 7, 7), (512, 512, 3, 3), {"padding": 1}),
        (True, True, 0, 48, 35, 48, 49, 1),
        (False, False, 1, 0, 52, 48, 48, 6),
        (True, True, 0, 48, 35, 48, 49, 4),
        (16, 64, 64, 1, 256),
        (True, True),
    ),
    "pieces of a row": (
        ((1, 2, 1301), (9, 2, 3), {"padding": 1}),
        (False, True, 0, 0, 2, 48, 434, 1),
        (False, True, 0, 0, 2, 48, 434, 1),
        (False, True, 0, 0, 2, 48, 434, 1),
        (2, 448, 448, 1, 256),
        (True, False),
    ),
    "planes": (
        ((1, 16, 12, 13, 21), (24, 16, 3, 3, 3), {"padding": 1}),
        (False, False, 0, 0, 8, 48, 336, 1),
        (False, False, 0, 0, 16, 48, 96, 1),
        (False, False, 0, 0, 8, 48, 48, 1),
        (4, 416, 416, 1, 256),
        (True, False),
    ),
    "many images": (
        ((70000, 1, 9), (3, 1, 2), {}),
        (False, True, 0, 0, 1, 48, 8, 1),
        (False, True, 0, 0, 1, 48, 8, 1),
        (False, True, 0, 0, 1, 48, 8, 1),
        (1, 16, 16, 1, 264),
        (True, False),
    ),
}


def cuts_of(x_shape, w_shape, options, dtype="float32"):
    """Return the arithmetic of a layer for the tile of AVX-512."""
    problem = make_layer_problem(x_shape, w_shape, np.dtype(dtype), Options(**options))
    return LayerCuts(problem, AVX512)


@pytest.mark.parametrize("case", CHOSEN)
def test_forms_and_cuts_are_those_that_were_recorded(case, monkeypatch):
    """Every form of a layer, and each of its cuts, on one thread and on several."""
    monkeypatch.setattr(blocked, "CHUNK_TERMS", 320)  # which depends on the machine
    given, packed, rows, panels, gradient, weights = CHOSEN[case]
    cuts = cuts_of(*given)
    forms = cuts.forms
    found = [
        cuts.forward(forms.packed, True, 1),
        cuts.forward(forms.plain, False, 5),
        cuts.forward(forms.packed, False, 8),
    ]
    for cut, expected in zip(found, (packed, rows, panels), strict=True):
        form = (cut.by_pixel, cut.unpacked, cut.dots, cut.k_panel, cut.chunk)
        assert (*form, cut.width, cut.unit, cut.shares) == expected
    cut = cuts.gradient(2)
    assert (cut.chunk, cut.width, cut.unit, cut.shares, cut.summed) == gradient
    assert (forms.reads_rows, forms.packs_panels) == weights


def test_the_last_thread_has_what_is_left_over():
    """49 pixels in 2 units of 25 and 24, on 1, 2 and 3 threads; shares of 5 tiles of 8 outputs."""
    cuts = cuts_of((1, 4, 7, 7), (40, 4, 3, 3), {"padding": 1})
    form = Form(False, False, 0, 0, 4)
    each = 40 + FILLING_CHANNELS
    for threads, pixels in ((1, 49), (2, 25), (3, 25)):
        assert cuts.work_of_last(form, True, 25, 2, 1, threads) == pixels * each
    assert cuts.work_of_last(form, True, 25, 2, 2, 4) == 25 * (24 + FILLING_CHANNELS)
    panels = Form(True, True, 0, 48, 4)  # each of two units packs 40 outputs
    assert cuts.work_of_last(panels, False, 25, 2, 1, 1) == 49 * each + 2 * PACKING_PIXELS * 40


def test_no_batch_decides_the_order_of_a_sum():
    """Forms, chunks and blocks of terms of one image are those of a hundred."""
    for case in CHOSEN:
        x_shape, w_shape, options = CHOSEN[case][0]
        alone = cuts_of((1, *x_shape[1:]), w_shape, options)
        several = cuts_of((100, *x_shape[1:]), w_shape, options)
        assert alone.forms == several.forms
        for form in alone.forms[:2]:
            for threads in (1, 3, 16):
                cut, other = (c.forward(form, True, threads) for c in (alone, several))
                assert (cut.chunk, cut.block, cut.dots) == (other.chunk, other.block, other.dots)
