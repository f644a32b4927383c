"""Windows whose samples lie in several arrays: joined, and read by the loops where they lie."""

import pickle

import numpy as np
import pytest
from conftest import one_in

from pyconv import filters, ndimage
from pyconv._engine import threads
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.mosaic import Mosaic
from pyconv._native import layout
from pyconv._pieces import piece_plan

#: Lengths of the parts along each axis, of one, two and three of them and more.
CUTS = [
    [[5, 1, 7]],
    [[1, 20, 3], [8, 64, 8]],
    [[2, 1], [3]],
    [[4, 9, 0, 4], [1, 2], [16, 17, 15, 1]],
    [[3], [2, 5], [31, 33]],
    [[1, 2], [2, 1], [3, 2], [5, 40]],
]
DTYPES = [np.float32, np.float64, np.complex128, np.uint8, np.int16, np.bool, np.float16]


def cut(x, cuts, how="plain"):
    """Return the parts of an array, each in one that is larger, and where they lie in those."""
    spans = tuple(tuple((1 + i % 3, 1 + i % 3 + n) for i, n in enumerate(ns)) for ns in cuts)
    arrays = []
    for at in np.ndindex(*map(len, cuts)):
        starts = [sum(ns[:i]) for i, ns in zip(at, cuts, strict=True)]
        part = x[tuple(slice(a, a + ns[i]) for a, i, ns in zip(starts, at, cuts, strict=True))]
        pads = [(s[i][0], 2) for s, i in zip(spans, at, strict=True)]
        larger = np.pad(part, pads, constant_values=1)
        if how == "strided" and len(arrays) % 2:
            wide = np.zeros((*larger.shape[:-1], larger.shape[-1] + 5), x.dtype)
            wide[..., : larger.shape[-1]] = larger
            larger = wide[..., : larger.shape[-1]]
        if how == "across":
            larger = np.asfortranarray(larger)
        if how == "swapped":
            larger = larger.astype(larger.dtype.newbyteorder())
        arrays.append(larger)
    return arrays, spans


@pytest.mark.parametrize(
    ("how", "cuts", "dtype"),
    one_in(2, ["plain", "strided", "across", "swapped"], CUTS, DTYPES),
)
def test_parts_are_joined(how, cuts, dtype, rng):
    x = (rng.integers(0, 2, [sum(n) for n in cuts]) * rng.integers(0, 99)).astype(dtype)
    mosaic = Mosaic(*cut(x, cuts, how))
    assert mosaic.shape == x.shape
    assert mosaic.array is None
    np.testing.assert_array_equal(mosaic.joined(), x)
    assert mosaic.array is not None


def test_every_length_of_a_part_is_copied(rng):
    """Short ones by a few moves that overlap, long ones by a call."""
    for n in [*range(1, 70), 127, 128, 129, 255, 256, 257, 1000]:
        x = rng.integers(0, 256, (3, n + 2)).astype(np.uint8)
        mosaic = Mosaic(*cut(x, [[3], [1, n, 1]]))
        assert mosaic.rows is not None
        np.testing.assert_array_equal(mosaic.joined(), x)


def test_what_loops_cannot_read_is_not_listed(rng):
    x = rng.standard_normal((6, 8))
    whole = ((0, 3), (0, 3)), ((0, 8),)
    assert layout.list_rows([x[:3], x[3:]], whole) is not None
    assert layout.list_rows([x[:3]], whole) is None
    assert layout.list_rows([x[:3], x[4:]], whole) is None
    assert layout.list_rows([x[:3], x[3:].astype("f4")], whole) is None
    assert layout.list_rows([x[:3], x[3:].astype(">f8")], whole) is None
    assert layout.list_rows([x[:3], x[3:, ::-1]], whole) is None
    assert layout.list_rows([x[:3], x[3:].astype(object)], whole) is None
    assert layout.list_rows([x[:3], x[3:].view(np.matrix)], whole) is None
    assert layout.list_rows([x[:3], x[3:, 0]], whole) is None
    assert layout.list_rows([], ()) is None


@pytest.mark.parametrize("radius", [1, 8, 13, 40])
@pytest.mark.parametrize(
    ("boundary", "dtype", "width"),
    one_in(
        4,
        [*BOUNDARIES],
        [np.float32, np.float64, np.uint8, np.int16],
        [1, 15, 16, 17, 80, 150, 2900],
    ),
)
def test_rows_are_summed_where_they_lie(widest_isa, radius, boundary, dtype, width, rng):
    """Of a window in three axes, two, and two of three: the bits of the joined one, and of all."""
    rows = 29
    for shape, axes in (
        ((27, rows, width), (0, 1, 2)),
        ((rows, width), (0, 1)),
        ((3, rows, width), (1, 2)),
    ):
        x = 100 * rng.standard_normal(shape)
        x = (abs(x) if dtype == "uint8" else x).astype(dtype)
        options = {"axes": axes, "radius": radius, "boundary": boundary}
        whole = filters.gaussian(x, 2, **options)
        plan = piece_plan(filters.gaussian, shape, dtype, 2, **options)
        for box in ([(n // 3, n - n // 4) for n in shape], [(0, n) for n in shape]):
            reads = plan.reads(tuple(box))
            at = [np.arange(r.start, r.stop) % n for r, n in zip(reads, shape, strict=True)]
            window = x[np.ix_(*at)]
            cuts = [[1, n - 1] if n > 1 else [1] for n in window.shape]
            if window.shape[-1] > 3:
                cuts[-1] = [window.shape[-1] - 3, 1, 2]
            mosaic = Mosaic(*cut(window, cuts, "strided"))
            found = plan.solve(mosaic, tuple(box))
            # What sees axes in another order reads whole windows; so do tiles of few taps, and
            # passes one after the other.
            assert mosaic.array is None or width < 15 or not 2 <= radius <= 13
            np.testing.assert_array_equal(found, whole[tuple(slice(*b) for b in box)])


@pytest.mark.parametrize("bad", [np.nan, np.inf, np.finfo(np.float32).max])
def test_what_is_not_finite_is_summed_as_in_the_whole(bad, rng):
    x = rng.standard_normal((9, 30, 40)).astype(np.float32)
    x[4, 15, 20] = bad
    plan = piece_plan(filters.gaussian, x.shape, x.dtype, 1, axes=(0, 1, 2))
    box = tuple((0, n) for n in x.shape)
    wanted = plan.solve(x, box)
    found = plan.solve(Mosaic(*cut(x, [[9], [10, 20], [1, 39]])), box)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(found, filters.gaussian(x, 1, axes=(0, 1, 2)))


def test_threads_read_rows_where_they_lie(rng):
    x = rng.standard_normal((40, 200, 300)).astype(np.float32)
    plan = piece_plan(filters.gaussian, x.shape, x.dtype, 2, axes=(0, 1, 2))
    box = tuple((0, n) for n in x.shape)
    wanted = plan.solve(x, box)
    mosaic = Mosaic(*cut(x, [[39, 1], [100, 100], [8, 284, 8]]))
    np.testing.assert_array_equal(plan.solve(mosaic, box, workers=3), wanted)
    assert mosaic.array is None


def test_a_plan_pickles_without_what_it_has_planned(rng):
    x = rng.standard_normal((30, 40))
    plan = piece_plan(filters.gaussian, x.shape, x.dtype, 2)
    before = pickle.dumps(plan)
    plan.solve(x, ((0, 30), (0, 40)))
    assert pickle.dumps(plan) == before


@pytest.mark.parametrize("mode", ["reflect", "constant", "wrap", "mirror"])
@pytest.mark.parametrize(
    ("name", "argument"),
    [("gaussian_filter", 2), ("gaussian_filter", (0, 1, 2)), ("uniform_filter", 5)],
)
def test_filters_of_ndimage_make_nothing_in_vain(name, argument, mode, rng, monkeypatch):
    x = rng.standard_normal((27, 35, 150)).astype(np.float32)
    function = getattr(ndimage, name)
    whole = function(x, argument, mode=mode)
    plan = piece_plan(function, x.shape, x.dtype, argument, mode=mode)
    made = []
    made_by_plan = plan._wanted
    monkeypatch.setattr(plan, "_wanted", lambda y, *rest: made_by_plan(made.append(y) or y, *rest))
    for box in (((5, 20), (0, 18), (70, 140)), ((0, 27), (17, 35), (0, 150))):
        reads = plan.reads(box)
        at = [np.arange(r.start, r.stop) % n for r, n in zip(reads, x.shape, strict=True)]
        window = x[np.ix_(*at)]
        cuts = [[n - 1, 1] for n in window.shape]
        mosaic = Mosaic(*cut(window, cuts))
        for block in (mosaic, window):
            found = plan.solve(block, box)
            np.testing.assert_array_equal(found, whole[tuple(slice(*b) for b in box)])
            assert made.pop().shape == found.shape
        assert mosaic.array is None


@pytest.mark.parametrize(("name", "argument"), [("uniform_filter", 40), ("sobel", 0)])
def test_pieces_of_ndimage_run_on_as_many_threads_as_they_are_told(
    name, argument, rng, monkeypatch
):
    x = rng.standard_normal((600, 700)).astype(np.float32)
    plan = piece_plan(getattr(ndimage, name), x.shape, x.dtype, argument)
    seen = []
    resolve = threads.resolve
    monkeypatch.setattr(
        threads, "resolve", lambda *given: seen.append(resolve(*given)) or resolve(*given)
    )
    plan.solve(x, ((0, 600), (0, 700)), None, 1)
    assert {*seen} == {1}
