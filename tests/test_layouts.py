"""Memory layout never shows: every kind of array gives the bits of its contiguous copy."""

import itertools
import re
import subprocess
import sys

import numpy as np
import pytest
from arrays import LAYOUTS, bits, noise, small

import pyconv
from pyconv._engine.dtypes import DTYPES
from pyconv._native import layout as native_layout

CALLS = {
    "line": ((3, 400), (7,), {"mode": "same", "boundary": "mirror"}),
    "picture": ((19, 45), (3, 5), {"mode": "same", "boundary": "wrap"}),
    "inside a picture": ((40, 150), (3, 5), {}),
    "volume": ((6, 9, 37), (3, 2, 3), {"mode": "full", "boundary": "constant"}),
    "strided volume": ((6, 9, 37), (3, 2, 3), {"stride": (1, 2, 3), "dilation": (2, 1, 2)}),
    "colours": ((12, 31, 3), (3, 5), {"axes": (0, 1), "mode": "same"}),
    "middle axis": ((4, 31, 3, 5), (5,), {"axes": 1, "mode": "same", "boundary": "nearest"}),
    "axes in reverse": ((12, 31, 20), (3, 5), {"axes": (2, 0), "mode": "same"}),
}
SUMMED = ["float32", "float64", "int16", "uint8", "complex64", "float16"]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_of_x_and_w(engine, rng, layout, call):
    """Any layout of the input, of the kernel, and of both."""
    x_shape, w_shape, keywords = CALLS[call]
    lay = LAYOUTS[layout]
    for dtype, flip in itertools.product(SUMMED, (False, True)):
        x, w = noise(rng, x_shape, dtype), noise(rng, w_shape, dtype)
        x2, w2 = lay(x), lay(w)
        np.testing.assert_array_equal(x2, x)
        expected = engine(x, w, flip=flip, **keywords)
        if expected is None:
            continue
        expected = bits(expected)
        assert bits(engine(x2, w, flip=flip, **keywords)) == expected
        assert bits(engine(x, w2, flip=flip, **keywords)) == expected
        assert bits(engine(x2, w2, flip=flip, **keywords)) == expected
        assert (bits(x), bits(w)) == (bits(x2), bits(w2))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_every_dtype(rng, layout, dtype):
    """Any layout of any dtype that is taken."""
    x, w = small(rng, (11, 40), dtype), small(rng, (3, 4), dtype)
    expected = bits(pyconv.correlate(x, w))
    assert bits(pyconv.correlate(LAYOUTS[layout](x), LAYOUTS[layout](w))) == expected


@pytest.mark.parametrize("call", CALLS)
def test_zero_strides(engine, rng, call):
    """Broadcast arrays, whose elements share one place in memory."""
    x_shape, w_shape, keywords = CALLS[call]
    one = np.broadcast_to(np.float32(1.7), x_shape)
    line = np.broadcast_to(noise(rng, x_shape[-1:], "float32"), x_shape)
    weights = np.broadcast_to(noise(rng, w_shape[-1:], "float32"), w_shape)
    for x in (one, line):
        expected = engine(x.copy(), weights.copy(), **keywords)
        assert bits(engine(x, weights, **keywords)) == bits(expected)


def test_memory_mapped(engine, rng, tmp_path):
    """A read-only file as x, and a file as out."""
    x, w = noise(rng, (50, 60), "float32"), noise(rng, (3, 3), "float32")
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    expected = engine(x, w)
    assert bits(engine(mapped, w)) == bits(expected)
    out = np.lib.format.open_memmap(tmp_path / "y.npy", "w+", np.float32, expected.shape)
    assert engine(mapped, w, out=out) is out
    out.flush()
    assert bits(np.load(tmp_path / "y.npy")) == bits(expected)


def test_not_arrays():
    """Lists, scalars in lists and subclasses become arrays."""
    expected = pyconv.correlate(np.arange(6).reshape(2, 3), np.array([1, 2]))

    class Subclass(np.ndarray):
        pass

    for x in ([[0, 1, 2], [3, 4, 5]], np.arange(6).reshape(2, 3).view(Subclass)):
        np.testing.assert_array_equal(pyconv.correlate(x, [1, 2]), expected)


# ---- out --------------------------------------------------------------------------------------

OUT_LAYOUTS = [layout for layout in LAYOUTS if layout != "read-only"]


@pytest.mark.parametrize("layout", OUT_LAYOUTS)
@pytest.mark.parametrize("call", CALLS)
def test_out_of_any_layout(engine, rng, call, layout):
    """The result goes into out, is out, and nothing beside it is written."""
    x_shape, w_shape, keywords = CALLS[call]
    for dtype in ("float32", "float64", "int64", "uint8", "complex128", "float16"):
        x, w = small(rng, x_shape, dtype), small(rng, w_shape, dtype)
        chosen = keywords | {"dtype": dtype, "overflow": "wrap"}
        expected = engine(x, w, **chosen)
        if expected is None:
            continue
        out = LAYOUTS[layout](np.full(expected.shape, 77, expected.dtype))
        owner = out
        while owner.base is not None:
            owner = owner.base
        around = owner.copy()
        assert engine(x, w, out=out, **chosen) is out
        np.testing.assert_array_equal(out, expected)
        out[...] = np.full(expected.shape, 77, expected.dtype)
        np.testing.assert_array_equal(owner, around)


@pytest.mark.parametrize("shift", [-70, -64, -5, -1, 0, 1, 3, 64, 70])
@pytest.mark.parametrize("dtype", ["float32", "uint8", "complex64"])
def test_out_overlaps_x(engine, rng, dtype, shift):
    """The answer is as if out did not overlap, whichever lies ahead."""
    for x_shape, w_shape in [((900,), (5,)), ((14, 64), (3, 3)), ((4, 9, 25), (3, 3, 2))]:
        n = int(np.prod(x_shape))
        room = noise(rng, n + 200, dtype)
        x = room[100 : 100 + n].reshape(x_shape)
        out = room[100 + shift : 100 + shift + n].reshape(x_shape)
        w = noise(rng, w_shape, dtype)
        keywords = {"mode": "same", "boundary": "mirror", "dtype": dtype, "overflow": "wrap"}
        expected = engine(x.copy(), w, **keywords)
        if expected is not None:
            engine(x, w, out=out, **keywords)
            assert bits(out) == bits(expected)


@pytest.mark.parametrize("step", [(slice(None, None, -1),), (slice(None), slice(None, None, -1))])
def test_out_overlaps_x_in_reverse(engine, rng, step):
    """Out may be x itself, read backwards or transposed."""
    x, w = noise(rng, (30, 30), "float32"), noise(rng, (3, 3), "float32")
    expected = engine(x, w, "same")
    for view in (lambda a: a[step], lambda a: a.T):
        room = x.copy()
        engine(room, w, "same", out=view(room))
        assert bits(view(room)) == bits(expected)


def test_out_overlaps_w(engine, rng):
    """Writing the result over the kernel does not change the result."""
    x, w = noise(rng, (9, 9), "float64"), noise(rng, (5, 5), "float64")
    expected = engine(x, w)
    room = w.copy()
    engine(x, room, out=room)
    assert bits(room) == bits(expected)


def test_interleaved_x_and_out(engine, rng):
    """Odd samples from even ones of the same memory."""
    room = noise(rng, (40, 80), "float32")
    x, out = room[:, ::2], room[:, 1::2]
    w = noise(rng, (3, 3), "float32")
    before = x.copy()
    expected = engine(before, w, "same")
    engine(x, w, "same", out=out)
    assert bits(out) == bits(expected)
    assert bits(x) == bits(before)


@pytest.mark.parametrize("axes", range(4))
def test_broadcast_axes(engine, rng, axes):
    """Any set of axes of stride zero, around and among the axis that the kernel acts on."""
    for repeated in itertools.product((False, True), repeat=4):
        shape = [1 if r else n for r, n in zip(repeated, (5, 2, 3, 4), strict=True)]
        x = np.broadcast_to(noise(rng, shape, "float32"), (5, 2, 3, 4))
        w = noise(rng, (2,), "float32")
        expected = engine(x.copy(), w, axes=axes, mode="same")
        assert bits(engine(x, w, axes=axes, mode="same")) == bits(expected)


#: Samples of a pixel 256 MiB apart, which no loop may walk: minutes, for one that did.
FAR_APART = """
import numpy as np, pyconv
room = np.zeros((3, 8192, 8192), np.float32)
x = room[:, :900, :900].transpose(1, 2, 0)
x[450:] = 1
y = pyconv.correlate(x, np.ones((3, 3), np.float32), axes=(0, 1), method="direct")
assert y.shape == (898, 898, 3) and (y[:448] == 0).all() and (y[450:] == 9).all()
"""


def test_the_room_between_samples_takes_no_time():
    """Samples of a pixel that lie in planes of their own, in an array larger than the cache."""
    subprocess.run([sys.executable, "-c", FAR_APART], check=True, timeout=30)


# ---- what loops may assume ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "int8", "complex128"])
@pytest.mark.parametrize("lay", LAYOUTS.values(), ids=LAYOUTS)
def test_loops_are_told_what_arrays_are(lay, dtype):
    """Aligned and native; contiguous and writeable besides."""
    for shape in ((3, 5), (1, 1), (0, 3)):
        a = lay(np.ones(shape, dtype))
        aligned = a.flags.aligned and a.dtype.isnative
        assert native_layout.readable(a) == aligned
        writable = aligned and a.flags.c_contiguous and a.flags.writeable
        assert native_layout.writable(a) == writable
    assert not native_layout.readable(np.ones(3, "float16"))


@pytest.mark.parametrize("lay", LAYOUTS.values(), ids=LAYOUTS)
def test_arrays_are_taken_as_they_are(lay):
    """Those of which nothing has to be copied, converted or seen with other strides."""
    plain = np.ones((3, 1, 5), "float32")
    sums = plain.dtype
    a = lay(plain)
    odd = np.lib.stride_tricks.as_strided(plain, strides=(20, 4, 4))
    read = native_layout.readable(a) and native_layout.settled(a) is a
    assert native_layout.usual(a, plain, plain, sums, sums) == read
    assert native_layout.usual(plain, a, plain, sums, sums) == read
    assert native_layout.usual(plain, plain, plain, sums, sums)
    for x, w, y in ((odd, plain, plain), (plain, odd, plain), (plain, plain, odd)):
        assert not native_layout.usual(x, w, y, sums, sums)
    assert not native_layout.usual(plain.astype("float16"), plain, plain, sums, sums)
    assert not native_layout.usual(plain, plain, plain, np.dtype("float64"), sums)
    assert not native_layout.usual(plain, plain, plain, sums, np.dtype("float64"))


def test_arrays_apart():
    """As NumPy sees it, for views of one piece of memory that touch, overlap and interleave."""
    room = np.zeros(60, np.int16)
    views = [
        room[a:b:step].reshape(shape)
        for a, b, step, shape in [
            (0, 20, 1, (4, 5)), (20, 40, 1, (2, 10)), (19, 21, 1, (2,)), (40, 60, 1, (20,)),
            (0, 60, 2, (30,)), (1, 60, 2, (5, 6)), (59, 39, -1, (4, 5)), (39, 19, -2, (10,)),
            (20, 20, 1, (0,)), (30, 31, 1, ()),
        ]
    ]  # fmt: skip
    views += [np.broadcast_to(room[19:20], (7,)), np.zeros(4), room[20:40].reshape(4, 5).T]
    for a, b in itertools.product(views, repeat=2):
        assert native_layout.apart(a, b) == (not np.may_share_memory(a, b))


#: Arrays larger than what is read as it lies, around blocks of the copy.
TURNED = [
    ((256, 300), (1, 0)), ((17, 4100), (1, 0)), ((260, 257, 3), (2, 1, 0)),
    ((5, 130, 131), (0, 2, 1)), ((3, 200, 199), (1, 2, 0)), ((2, 33, 40, 41), (3, 1, 2, 0)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64", "complex128", ">f4"])
@pytest.mark.parametrize(("shape", "order"), TURNED)
def test_copies_of_rows_across_the_memory(rng, shape, order, dtype):
    """Every sample, whatever the signs of strides; `straight` says that there is a copy to make."""
    lying = noise(rng, shape, dtype).transpose(order)
    for x in (lying, lying[::-1, :, ...], lying[..., ::-1], lying[1:, ::2]):
        if native_layout.readable(x):
            y = np.full(x.shape, 7, x.dtype)
            native_layout.turn_rows(x, y)
            np.testing.assert_array_equal(y, x)
        w = noise(rng, (3, 5), dtype)
        expected = bits(pyconv.correlate(np.ascontiguousarray(x), w, "same", axes=(0, 1)))
        assert bits(pyconv.correlate(x, w, "same", axes=(0, 1))) == expected
    assert not native_layout.straight(lying) or not lying.dtype.isnative


def test_rows_across_the_memory_that_no_memory_is_granted_for(rng):
    """They are read where they lie, as small ones are."""
    x = np.asfortranarray(noise(rng, (3000, 2000), "f4"))
    w = noise(rng, (3, 3), "f4")
    expected = bits(pyconv.correlate(np.ascontiguousarray(x), w, "same", method="direct"))
    with pytest.raises(MemoryError, match="the least that would do is") as error:
        pyconv.correlate(x, w, "same", method="direct", max_memory=1)
    least = int(re.findall(r"\d+", str(error.value))[-1])
    for granted in (least, 1 << 20, 4 << 20, 64 << 20):
        y = pyconv.correlate(x, w, "same", method="direct", max_memory=granted)
        assert bits(y) == expected


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_copies_into_a_part_of_an_array(rng, dtype):
    """Long columns to rows that lie apart, and back, around the squares that are turned at once."""
    for n, lines in ((5000, 15), (5001, 16), (4999, 17), (4097, 33), (32, 2100)):
        x = noise(rng, (n, lines), dtype)
        rows = np.full((lines + 2, n + 3), 7, dtype)
        native_layout.turn_rows(x.T, rows[1:-1, 2:-1])
        np.testing.assert_array_equal(rows[1:-1, 2:-1], x.T)
        columns = np.full((n + 2, lines + 3), 7, dtype)
        native_layout.turn_rows(rows[1:-1, 2:-1].T, columns[1:-1, 2:-1])
        np.testing.assert_array_equal(columns[1:-1, 2:-1], x)
        for room in (rows, columns):
            room[1:-1, 2:-1] = 7
            assert (room == 7).all()
