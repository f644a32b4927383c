"""Winograd's layers against sums in float64: sizes, borders, layouts, groups, threads, NaN.

The bound is that of an algorithm that computes a tile at once: an output's error is held
against the largest S = Σ|w||x| + |b| of its tile.
"""

import numpy as np
import oracles
import pytest
from arrays import LAYOUTS, bits

from pyconv._engine.algorithms.layers.winograd import ERROR, Winograd
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.layer_problem import LayerProblem
from pyconv._engine.problem import Axis

CHANNELS = (1, 3, 15, 16, 17, 32, 33)
SIZES = (*range(1, 10), 14, 17, 33)
TILES = tuple(ERROR)
DTYPES = ("float32", "float64")


def layer(x_shape, outputs, taps=None, pads=1, boundary="constant", **options):
    """Return a layer of stride 1; pads are one number, or (low, high) for each axis."""
    ndim = len(x_shape) - 2
    taps = taps or (3,) * ndim
    pads = ((pads, pads),) * ndim if isinstance(pads, int) else pads
    dilation = options.get("dilation", (1,) * ndim)
    spatial = []
    for i, (n, k, (low, high), d) in enumerate(zip(x_shape[2:], taps, pads, dilation, strict=True)):
        out = n + low + high - (k - 1) * d
        spatial.append(Axis(2 + i, n, k, low, high, 1, d, boundary, out))
    return LayerProblem(
        batch=x_shape[0],
        in_channels=x_shape[1],
        out_channels=outputs,
        groups=options.get("groups", 1),
        spatial=tuple(spatial),
        dtype=np.dtype(options.get("dtype", "float32")),
    )


def draw(rng, problem):
    """Return normal x, w and bias."""
    shapes = problem.x_shape, problem.w_shape, (problem.out_channels,)
    return [rng.standard_normal(shape).astype(problem.dtype) for shape in shapes]


def expected(problem, x, w, b):
    """Return the result in float64, and S."""
    x, w, b = (a.astype(np.float64) for a in (x, w, b))
    for a in problem.spatial:
        x = oracles.pad_axis(x, a.axis, a.low, a.high, a.boundary, 0)
    y = np.zeros(problem.y_shape)
    scale = np.zeros(problem.y_shape)
    outputs, channels = (n // problem.groups for n in (problem.out_channels, problem.in_channels))
    for u in np.ndindex(w.shape[2:]):
        window = [slice(k * a.dilation, k * a.dilation + a.out)
                  for k, a in zip(u, problem.spatial, strict=True)]  # fmt: skip
        for g in range(problem.groups):
            k = slice(g * outputs, (g + 1) * outputs)
            samples = x[(slice(None), slice(g * channels, (g + 1) * channels), *window)]
            weights = w[(k, slice(None), *u)]
            y[:, k] += np.einsum("kc,nc...->nk...", weights, samples)
            scale[:, k] += np.einsum("kc,nc...->nk...", abs(weights), abs(samples))
    b = b.reshape(-1, *(1,) * len(problem.spatial))
    return y + b, scale + abs(b)


def largest_of_tile(scale, problem, tile):
    """Return the largest S of each output's tile; planes along a third axis are apart."""
    for a in problem.spatial[-2:]:
        if a.taps == 3 and a.dilation == 1:
            starts = np.arange(0, a.out, tile)
            largest = np.maximum.reduceat(scale, starts, axis=a.axis)
            scale = np.repeat(largest, tile, axis=a.axis).take(range(a.out), axis=a.axis)
    return scale


def solve(tile, problem, x, w, b, workers=1, packed=True):
    """Return the result and whether it counts."""
    algorithm = Winograd(tile)
    assert algorithm.rejects(problem) is None
    bound = algorithm.bind(problem)
    y = np.full(problem.y_shape, np.nan, problem.dtype)
    good = bound.run(x, bound.pack(w) if packed else w, b, y, workers)
    return y, good


def assert_close(tile, problem, y, exact, scale):
    """Assert the bound of the algorithm, on every output."""
    bound = Winograd(tile).error_bound(problem) * largest_of_tile(scale, problem, tile)
    assert (abs(y - exact) <= bound).all(), (problem, np.nanmax(abs(y - exact) / bound))


def check(rng, tile, problem):
    """Assert the bound, with weights packed and not, and the same bits for 1 to 3 threads."""
    x, w, b = draw(rng, problem)
    exact, scale = expected(problem, x, w, b)
    first, good = solve(tile, problem, x, w, b)
    assert good
    assert_close(tile, problem, first, exact, scale)
    for packed, workers in ((True, 2), (False, 1), (False, 3)):
        y, good = solve(tile, problem, x, w, b, workers, packed)
        assert good
        assert bits(y) == bits(first), (problem, packed, workers)


# ---- sizes and borders ------------------------------------------------------------------------


@pytest.mark.parametrize("tile", TILES)
def test_quick(isa, rng, tile):
    """One layer of each kind that the tests below have: for whoever edits the loops (-k quick)."""
    for dtype in DTYPES:
        check(rng, tile, layer((2, 17, 9, 14), 33, dtype=dtype))
    for shape in [(70, 16, 6, 7), (1, 33, 90, 9), (1, 64, 9, 350), (2, 17, 23), (2, 3, 4, 5, 6)]:
        check(rng, tile, layer(shape, 18))
    for boundary in BOUNDARIES:
        check(rng, tile, layer((1, 5, 2, 5), 6, pads=((3, 4), (5, 3)), boundary=boundary))
    check(rng, tile, layer((1, 3, 12, 13), 4, pads=((-1, 2), (-2, -3))))
    check(rng, tile, layer((2, 12, 7, 9), 10, groups=2))


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_channels(isa, rng, tile, dtype):
    """Any number of channels and of outputs, whatever the vectors."""
    for channels in CHANNELS:
        for outputs in CHANNELS:
            check(rng, tile, layer((2, channels, 5, 6), outputs, dtype=dtype))
    for channels in (64, 65, 130):  # sums are cut after 64
        check(rng, tile, layer((1, channels, 6, 5), 20, dtype=dtype))


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("pads", [0, 1, 2, ((2, 0), (0, 2)), ((3, 4), (5, 3))])
def test_sizes(isa, rng, tile, pads):
    """Images of any height and width, padded by any amount on each side."""
    for height in SIZES:
        for width in SIZES:
            if pads == 0 and min(height, width) < 3:
                continue
            check(rng, tile, layer((1, 3, height, width), 5, pads=pads))


@pytest.mark.parametrize("tile", TILES)
def test_chunks(isa, rng, tile):
    """Images that are cut into chunks of planes, of rows and of columns; the last are short."""
    for shape in [(70, 16, 6, 7), (1, 33, 90, 9), (1, 64, 9, 350), (2, 8, 130, 260)]:
        check(rng, tile, layer(shape, 18))


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_other_dimensions(isa, rng, tile, dtype):
    """One dimension; a third one with any taps and dilation; two with other taps on one."""
    for n in (*SIZES, 100, 1000):
        check(rng, tile, layer((2, 17, n), 18, dtype=dtype))
    for taps, pads, dilation in [
        ((3, 3, 3), 1, (1, 1, 1)),
        ((1, 3, 3), ((0, 0), (1, 1), (1, 1)), (1, 1, 1)),
        ((5, 3, 3), ((4, 3), (1, 0), (0, 1)), (2, 1, 1)),
    ]:
        for depth in (5, 11):
            problem = layer((2, 17, depth, 6, 9), 18, taps, pads, dilation=dilation, dtype=dtype)
            check(rng, tile, problem)
    for taps, dilation in ((1, 1), (2, 1), (5, 3)):
        pads = ((6, 6), (1, 1))
        check(rng, tile, layer((2, 17, 8, 9), 18, (taps, 3), pads, dilation=(dilation, 1)))


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_boundaries(isa, rng, tile, boundary):
    """What lies outside is read through a table, wider than the array too."""
    for size in ((1, 1), (2, 5), (9, 12)):
        for pads in (1, 2, 5):
            check(rng, tile, layer((1, 5, *size), 6, pads=pads, boundary=boundary))
    check(rng, tile, layer((2, 3, 4, 5, 6), 6, boundary=boundary))


@pytest.mark.parametrize("tile", TILES)
def test_cropped(rng, tile):
    """Negative pads leave samples out."""
    check(rng, tile, layer((1, 3, 12, 13), 4, pads=((-1, 2), (-2, -3))))
    check(rng, tile, layer((1, 3, 9, 12, 13), 4, pads=((-2, -1), (1, -1), (0, -2))))


@pytest.mark.parametrize("tile", TILES)
def test_groups(isa, rng, tile):
    """Each group of outputs reads its own channels."""
    for groups in (2, 3):
        check(rng, tile, layer((2, 6 * groups, 7, 9), 5 * groups, groups=groups))


@pytest.mark.parametrize(
    "name", sorted(set(LAYOUTS) - {n for n in LAYOUTS if "byte" in n or "mis" in n})
)
def test_layouts(isa, rng, name):
    """Any strides of x, and any layout of w, give the bits of contiguous arrays."""
    for shape in ((2, 19, 9, 10), (1, 32, 8, 8), (2, 17, 5, 6, 7)):
        problem = layer(shape, 18)
        x, w, b = draw(rng, problem)
        plain, _ = solve(4, problem, x, w, b)
        for packed in (True, False):
            y, _ = solve(4, problem, LAYOUTS[name](x), LAYOUTS[name](w), b, packed=packed)
            assert bits(y) == bits(plain)
    last = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)  # channels last
    assert bits(solve(4, problem, last, w, b)[0]) == bits(plain)


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [(9,), (9, 10), (3, 5, 6)], ids=str)
def test_weights_are_read_as_they_lie(isa, rng, tile, dtype, size):
    """Those of a gradient: flipped, input and output channels exchanged; the bits of a copy."""
    problem = layer((1, 70, *size), 19, dtype=dtype)
    x, w, b = draw(rng, problem)
    flips = [slice(None, None, -1)] * len(size)
    for swap, flip in [(True, True), (True, False), (False, True)]:
        # Weights in another order in memory, but the same numbers.
        lying = np.ascontiguousarray((w.swapaxes(0, 1) if swap else w)[(..., *(flips * flip))])
        lying = (lying.swapaxes(0, 1) if swap else lying)[(..., *(flips * flip))]
        assert not lying.flags.c_contiguous
        assert Winograd(tile).bind(problem).loop.reads(lying)
        np.testing.assert_array_equal(lying, w)
        for packed in (False, True):
            y, _ = solve(tile, problem, x, lying, b, packed=packed)
            assert bits(y) == bits(solve(tile, problem, x, w, b)[0])
    # Those whose taps are apart, or do not begin at whole samples, are not.
    room = np.zeros((*w.shape[:-1], 2 * w.shape[-1]), dtype)
    taps = (dtype, w.shape[2:])
    record = np.dtype({"names": ["v"], "formats": [taps], "itemsize": w[0, 0].nbytes + 1})
    for lying in (room[..., ::2], np.zeros(w.shape[:2], record)["v"]):
        assert not Winograd(tile).bind(problem).loop.reads(lying)


@pytest.mark.parametrize("workers", [1, 3])
def test_empty_batch(workers):
    """No images: nothing is written, and nothing is divided by their number."""
    for shape in ((0, 3, 9), (0, 3, 9, 9), (0, 3, 9, 9, 9)):
        problem = layer(shape, 4)
        x, w, b = draw(np.random.default_rng(0), problem)
        assert solve(4, problem, x, w, b, workers)[1]


# ---- the contract -----------------------------------------------------------------------------


def test_no_bias(rng):
    """Without a bias nothing is added."""
    problem = layer((2, 5, 6, 7), 18)
    x, w, b = draw(rng, problem)
    y, good = solve(4, problem, x, w, None)
    assert good
    assert bits(y) == bits(solve(4, problem, x, w, np.zeros_like(b))[0])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_not_finite_is_reported(isa, rng, value, workers):
    """One sample, one weight or one bias that is not finite: the result does not count."""
    for shape, outputs in (((2, 19, 9, 10), 17), ((1, 3, 100), 16), ((1, 5, 4, 5, 6), 17)):
        problem = layer(shape, outputs)
        for tile in TILES:
            for which in range(3):
                for place in ("first", "last", "middle"):
                    arrays = draw(rng, problem)
                    flat = arrays[which].reshape(-1)
                    flat[{"first": 0, "last": -1, "middle": flat.size // 2}[place]] = value
                    for packed in (True, False):
                        assert not solve(tile, problem, *arrays, workers, packed)[1]


def test_overflow_is_reported():
    """Finite sums that overflow on the way do not count; a little smaller, they do."""
    problem = layer((1, 1, 8, 8), 1)
    x = np.zeros(problem.x_shape, np.float32)
    w = np.ones(problem.w_shape, np.float32)
    b = np.zeros(1, np.float32)
    x[..., ::2] = 1.5e38
    x[..., 1::2] = -1.5e38
    assert not solve(4, problem, x, w, b)[1]
    assert solve(4, problem, x * np.float32(1e-4), w, b)[1]


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (layer((1, 3, 9, 9), 4, (3, 5)), "5 taps"),
        (layer((1, 3, 9, 9), 4, dilation=(1, 2)), "dilation 2"),
        (layer((1, 3, 9, 9, 9), 4, (3, 5, 3)), "two axes"),
        (layer((1, 3, 9, 9), 4, dtype="float16"), "float16"),
    ],
)
def test_reasons(problem, words):
    """What cannot be done is said."""
    assert words in Winograd(4).rejects(problem)


def test_packed_weights_never_change():
    """Packed weights are read-only, whatever happens to those that they were made of."""
    problem = layer((1, 5, 6, 7), 18)
    w = np.ones(problem.w_shape, np.float32)
    packed = Winograd(4).bind(problem).pack(w)
    w[...] = 2
    assert (packed.plain == 1).all()
    assert not any(a.flags.writeable for a in (*packed.groups, packed.plain))


def test_workspace_is_announced():
    """A layer's workspace does not grow with the image beyond a chunk."""
    small, large = (
        Winograd(4).workspace(layer((1, 64, n, n), 64)) for n in (200, 2000)
    )  # fmt: skip
    assert large < 2 * small < 16 << 20
