"""Streams: any cut gives the bits of the whole call; what stops on the way can go on.

Sources and targets are recorded: what is read twice, what is written across blocks.
"""

import errno
import subprocess
import sys
import tempfile
from itertools import product

import numpy as np
import pytest
from conftest import one_in

import pyconv
from pyconv import filters, ndimage, nn, signal
from pyconv._engine import boundaries

RNG = np.random.default_rng(0)


def run_python(code, *arguments):
    """Return what a program prints in an interpreter of its own."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


class Stored:
    """An array in blocks, which remembers what was read and written."""

    def __init__(self, array, chunks=None, fails=None):
        self.array, self.chunks = array, chunks
        self.shape, self.dtype = array.shape, array.dtype
        self.read, self.written = [], []
        self._fails = fails

    def __getitem__(self, where):
        self.read.append(where)
        if self._fails is not None and len(self.read) == self._fails:
            raise OSError("the cable was pulled")
        return self.array[where].copy()

    def __setitem__(self, where, value):
        assert value.dtype == self.dtype
        if self._fails is not None and len(self.written) == self._fails:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.written.append(where)
        self.array[where] = value


def target_of(y, chunks=None, fails=None):
    """Return a target for a result, filled with what no result holds."""
    return Stored(np.full(y.shape, 99, y.dtype), chunks, fails)


def check(function, x, *arguments, chunks=None, target_chunks=None, max_memory=2**20, **options):
    """Assert that a stream gives the bits of the call."""
    expected = function(x, *arguments, **options)
    source, target = Stored(x, chunks), target_of(expected, target_chunks)
    mask = options.pop("mask", None)
    if mask is not None:
        options["mask"] = mask if callable(mask) else Stored(mask)
    found = pyconv.stream(function, source, target, *arguments, max_memory=max_memory, **options)
    assert found is target
    np.testing.assert_array_equal(target.array, expected, strict=True)
    return source, target


# ---- the same bits ----------------------------------------------------------------------------

BOUNDARIES = list(boundaries.BOUNDARIES)
DTYPES = ["uint8", "int16", "int32", "float32", "float64", "complex64"]
MEMORIES = [40_000, 200_000, 10**8]
CHUNKS = [None, (1, 1, 1), (4, 30, 9), (23, 8, 26)]


def samples(shape, dtype):
    """Return samples of a dtype."""
    values = RNG.standard_normal(shape) * 50
    return (abs(values) if np.dtype(dtype).kind == "u" else values).astype(dtype)


@pytest.mark.parametrize(
    ("boundary", "dtype", "memory", "chunks"),
    one_in(4, BOUNDARIES, DTYPES, MEMORIES, CHUNKS),
)
def test_correlations_however_they_are_cut(boundary, dtype, memory, chunks):
    """Extents, strides and dilations too."""
    x, w = samples((23, 30, 26), dtype), samples((3, 4, 5), dtype)
    for mode, stride, dilation in [("same", 1, 1), ("full", (2, 3, 1), 2), ("valid", 1, (1, 2, 1))]:
        check(
            pyconv.correlate, x, w, mode, boundary, stride=stride, dilation=dilation,
            chunks=chunks, max_memory=memory,
        )  # fmt: skip


CALLS = {
    "convolve": (pyconv.convolve, (np.arange(15.0).reshape(3, 5),), {"mode": "same"}),
    "box": (filters.box, ((7, 3),), {"axes": (0, 2)}),
    "wide box": (filters.box, (31,), {"axes": 0}),
    "box of integers": (filters.box, (5,), {"axes": (1, 2), "dtype": np.uint8}),
    "gaussian": (filters.gaussian, (1.5,), {"axes": (0, 1, 2)}),
    "slope": (filters.gaussian, (1, (1, 0)), {"axes": (2, 1)}),
    "sobel": (filters.sobel, (0,), {"axes": (0, 1, 2)}),
    "gradient": (filters.gradient_magnitude, (), {"axes": (0, 2)}),
    "disk": (filters.disk, (3,), {"axes": (1, 2)}),
    "bank": (filters.gabor_bank, ([5], 3), {"axes": (0, 1)}),
    "unsharp": (filters.unsharp, (2,), {"axes": (0, 1)}),
    "ndimage": (ndimage.gaussian_filter, (1.2,), {"mode": "mirror"}),
    "uniform": (ndimage.uniform_filter, (4,), {"mode": "wrap", "origin": (1, 0, -1)}),
    "sobel of ndimage": (ndimage.sobel, (1,), {}),
    "1-D": (ndimage.correlate1d, ([1.0, 2, 3, 4],), {"axis": 1, "origin": 1}),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("memory", [60_000, 10**8])
def test_filters_however_they_are_cut(name, dtype, memory):
    """Functions of every kind."""
    function, arguments, options = CALLS[name]
    x = (RNG.random((23, 30, 26)) * 200).astype(dtype)
    check(function, x, *arguments, max_memory=memory, **options)
    check(function, x, *arguments, max_memory=10**6, target_chunks=None, **options)


@pytest.mark.parametrize("stride", [1, (3, 2)])
def test_plans_are_streamed(stride):
    """Those that flip, too."""
    x, w = samples((90, 70), "float32"), samples((5, 4), "float32")
    for flip in (False, True):
        plan = pyconv.plan(x, w, "same", "mirror", flip=flip, stride=stride)
        check(plan, x, max_memory=30_000)
    with pytest.raises(ValueError, match="the plan is for"):
        pyconv.stream(plan, x[:50], np.empty_like(x))
    with pytest.raises(TypeError, match="a plan has all arguments"):
        pyconv.stream(plan, x, np.empty_like(x), stride=2)
    x[20:30, 7] = np.nan
    for options in ({"nan_policy": "omit"}, {"mask": np.isnan(x)}):
        omitting = pyconv.plan(x, np.ones((3, 3)), "same", fill_value=np.nan, **options)
        check(omitting, x, max_memory=60_000)


@pytest.mark.parametrize("size", [1, 2, 40])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_kernels_wider_than_pieces_and_arrays(size, boundary):
    """One sample a piece; of sums that are exact, as few samples are summed in another order."""
    x = samples((size, 33), "float64").round()
    w = samples((7, 3), "float64").round()
    check(pyconv.correlate, x, w, "same", boundary, target_chunks=(1, 33), max_memory=40_000)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0)])
def test_empty_arrays(shape):
    """Where the call allows them."""
    x = np.empty(shape)
    axis = 1 if shape[0] == 0 else 0
    check(filters.box, x, 3, axes=axis)


@pytest.mark.parametrize("axes", [(0, 1), (1, 2), (2, 0)])
@pytest.mark.parametrize("kind", ["mask", "row", "omit", "both"])
def test_missing_samples(axes, kind):
    """Masks are read as the samples are; those of fewer axes are broadcast."""
    x = samples((17, 12, 15), "float32")
    gaps = RNG.random(x.shape) < 0.2
    options = {"axes": axes}
    if kind == "mask":
        options["mask"] = gaps
    elif kind == "row":
        options["mask"] = gaps[0, :, :1]
    else:
        x[gaps] = np.nan
        options["nan_policy"] = "omit"
    if kind == "both":
        options["mask"] = RNG.random(x.shape) < 0.1
    whole = filters.gaussian(x, 1, **options)
    found = [np.empty_like(whole) for _ in range(3)]
    for memory, y in zip((30_000, 100_000, 10**8), found, strict=True):
        pyconv.stream(filters.gaussian, x, y, 1, max_memory=memory, **options)
        np.testing.assert_array_equal(y, found[0], strict=True)
    np.testing.assert_allclose(found[0], whole, rtol=1e-5, atol=1e-4)


def test_a_function_says_what_is_left_out():
    """Of the samples of each piece."""
    x = RNG.integers(0, 9, (60, 50)).astype(np.int16)
    expected = np.empty(x.shape, np.float32)
    pyconv.stream(filters.box, x, expected, 7, mask=x == 4)
    np.testing.assert_allclose(expected, filters.box(x, 7, mask=x == 4), rtol=1e-6)
    target = target_of(expected)
    pyconv.stream(filters.box, x, target, 7, mask=lambda part: part == 4, max_memory=60_000)
    np.testing.assert_array_equal(target.array, expected, strict=True)
    with pytest.raises(pyconv.StreamError, match="mask= has returned <class 'int'>"):
        pyconv.stream(filters.box, x, target, 7, mask=lambda part: 4)


# ---- reading and writing ----------------------------------------------------------------------


def visits(shape, slices):
    """Return how often each sample was visited."""
    count = np.zeros(shape, int)
    for where in slices:
        count[where] += 1
    return count


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("chunks", [None, (8, 16, 16), (16, 16, 16)])
def test_what_pieces_share_is_read_once(boundary, chunks):
    """Only an axis that wraps is read from both ends."""
    x = samples((128, 48, 32), "float32")
    source, target = check(
        filters.gaussian, x, 1, axes=(0, 1, 2), boundary=boundary, chunks=chunks,
        target_chunks=chunks, max_memory=1_500_000,
    )  # fmt: skip
    assert len(target.written) > 2
    count = visits(x.shape, source.read)
    assert count.min() == 1
    assert count[16:-16].max() == 1
    assert count.max() == (1 if boundary != "wrap" else 2)


def test_blocks_of_the_source_are_read_as_a_whole():
    """Each at once, though pieces end in other places."""
    x = samples((120, 20, 20), "float32")
    source, target = check(
        filters.box, x, 3, axes=(0, 1), chunks=(12, 20, 20), target_chunks=(10, 20, 20),
        max_memory=250_000,
    )  # fmt: skip
    assert len(target.written) == 12
    assert all(w[0].start % 12 == 0 and w[0].stop % 12 == 0 for w in source.read)


def test_results_are_made_in_the_memory_of_those_that_are_written():
    x = RNG.random((60, 300, 400)).astype(np.float32)
    places = []

    class Watched(Stored):
        def __setitem__(self, where, value):
            places.append(value.ctypes.data)
            super().__setitem__(where, value)

    expected = filters.gaussian(x, 1, axes=(0, 1, 2))
    target = Watched(np.empty_like(x))
    pyconv.stream(filters.gaussian, x, target, 1, axes=(0, 1, 2), max_memory=2**24)
    np.testing.assert_array_equal(target.array, expected)
    assert len(places) > 10
    assert len(set(places)) <= 2


@pytest.mark.parametrize("chunks", [(7, 40, 30), (7, 10, 30), (1, 40, 4), (100, 9, 8)])
@pytest.mark.parametrize("memory", [700_000, 2_000_000])
def test_blocks_of_the_target_are_written_once(chunks, memory):
    """None is read to be written again."""
    x = samples((100, 40, 30), "float64")
    _, target = check(filters.box, x, 3, axes=(0, 1, 2), target_chunks=chunks, max_memory=memory)
    assert visits(x.shape, target.written).max() == 1
    assert not target.read
    for where in target.written:
        for part, block, n in zip(where, chunks, x.shape, strict=True):
            assert part.start % block == 0
            assert part.stop % block == 0 or part.stop == n


def test_shards_are_the_blocks():
    """Chunks within them are not."""
    x = samples((40, 30), "float32")
    target = target_of(x, (4, 5))
    target.shards = (20, 30)
    pyconv.stream(filters.box, x, target, 3, max_memory=10**6)
    assert [w[0].start for w in target.written] == [0, 20]


# ---- files ------------------------------------------------------------------------------------


def files(folder, x):
    """Yield a source and an empty target of each kind of file that is installed."""
    np.save(folder / "x.npy", x)
    source = np.load(folder / "x.npy", mmap_mode="r")
    yield source, np.lib.format.open_memmap(folder / "y.npy", "w+", x.dtype, x.shape)
    swapped = x.astype(x.dtype.newbyteorder(">"))
    yield swapped, np.memmap(folder / "y", swapped.dtype, "w+", shape=x.shape)
    try:
        import h5py
    except ImportError:
        pass
    else:
        file = h5py.File(folder / "x.h5", "w")
        yield (
            file.create_dataset("x", data=x, chunks=(16, 16, 8), compression="gzip"),
            file.create_dataset("y", x.shape, x.dtype, chunks=(32, 8, 8)),
        )
        yield x, file.create_dataset("z", x.shape, x.dtype)
        file.close()
    try:
        import zarr
    except ImportError:
        return
    options = {"shape": x.shape, "dtype": x.dtype}
    source = zarr.create_array(folder / "x.zarr", chunks=(16, 16, 8), **options)
    source[:] = x
    yield (
        source,
        zarr.create_array(folder / "y.zarr", chunks=(8, 8, 8), shards=(32, 16, 16), **options),
    )
    yield source, zarr.create_array(folder / "z.zarr", chunks=(8, 40, 24), zarr_format=2, **options)


def test_files_of_every_kind(tmp_path):
    """They are sources and targets alike."""
    x = samples((64, 40, 24), "float32")
    expected = filters.gaussian(x, 1, axes=(0, 1, 2))
    for source, target in files(tmp_path, x):
        for memory in (900_000, 10**8):
            pyconv.stream(filters.gaussian, source, target, 1, axes=(0, 1, 2), max_memory=memory)
            np.testing.assert_array_equal(np.asarray(target[:]), expected)
            target[:] = 0
        with pytest.raises(ValueError, match="target shares the samples of the source"):
            pyconv.stream(filters.gaussian, target, target, 1, axes=(0, 1, 2))


def test_a_file_is_not_its_own_target(tmp_path):
    """Opened twice it is still the same."""
    x = samples((64, 40), "float32")
    np.save(tmp_path / "x.npy", x)
    one, two = (np.load(tmp_path / "x.npy", mmap_mode=mode) for mode in ("r", "r+"))
    with pytest.raises(ValueError, match="target shares the samples"):
        pyconv.stream(filters.box, one, two, 3)
    with pytest.raises(ValueError, match="opened? it with mode|open it with mode='r\\+'"):
        pyconv.stream(filters.box, x, one, 3)


def test_maps_of_any_part_of_a_file(tmp_path):
    """Offsets, views, orders of axes and of bytes; a name that is another file's is not used."""
    x = samples((70, 40), "float32")
    expected = filters.box(x, 5)
    path = tmp_path / "y"
    whole = np.memmap(path, "f4", "w+", offset=8200, shape=(100, 40))
    whole[:] = 7
    for target in (whole[20:90], whole[90:20:-1], whole[:70]):
        pyconv.stream(filters.box, x, target, 5, max_memory=60_000)
        np.testing.assert_array_equal(target, expected)
    assert (whole[91:] == 7).all()
    raw = np.fromfile(path, "f4", offset=8200)
    np.testing.assert_array_equal(raw[: 70 * 40].reshape(70, 40), expected)
    turned = np.memmap(tmp_path / "z", ">f4", "w+", shape=(70, 40), order="F")
    pyconv.stream(filters.box, x, turned, 5, max_memory=60_000)
    np.testing.assert_array_equal(turned, expected)
    if sys.platform != "win32":
        path.rename(tmp_path / "old")
        path.write_bytes(bytes(path.with_name("old").stat().st_size))
        whole[:] = 7
        pyconv.stream(filters.box, x, whole[:70], 5, max_memory=60_000)
        np.testing.assert_array_equal(whole[:70], expected)
        assert not any(path.read_bytes())


FULL = """
import resource, signal, sys
import numpy as np
import pyconv
from pyconv import filters
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
x = np.ones((400, 1000), "f4")
y = np.memmap(sys.argv[1], "f4", "w+", shape=x.shape)
resource.setrlimit(resource.RLIMIT_FSIZE, (800_000, resource.RLIM_INFINITY))
try:
    pyconv.stream(filters.box, x, y, 3, max_memory=2**20)
except pyconv.StreamError as error:
    print(type(error.__cause__).__name__, 0 < error.written.done)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere maps are written as memory")
def test_a_map_that_cannot_be_written_is_an_error(tmp_path):
    """And no signal that ends the process."""
    assert run_python(FULL, str(tmp_path / "y")).split() == ["OSError", "True"]


MEMORY = """
import numpy as np, resource, sys, threading, time
import pyconv
from pyconv import filters
folder, granted = sys.argv[1], int(sys.argv[2])
shape = (256, 256, 512)
x = np.memmap(f"{folder}/x", "f4", "w+", shape=shape)
for plane in x:
    plane[:] = 1
del x, plane
def resident():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
x = np.memmap(f"{folder}/x", "f4", "r", shape=shape)
y = np.memmap(f"{folder}/y", "f4", "w+", shape=shape)
small = np.ones((64, 64, 64), "f4")
pyconv.stream(filters.gaussian, small, np.empty_like(small), 1, axes=(0, 1, 2), radius=2)
before, most, stop = resident(), 0, False
def watch():
    global most
    while not stop:
        most = max(most, resident())
        time.sleep(0.001)
watcher = threading.Thread(target=watch)
watcher.start()
pyconv.stream(filters.gaussian, x, y, 1, axes=(0, 1, 2), radius=2, max_memory=granted)
stop = True
watcher.join()
print(most - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says how much is resident")
@pytest.mark.parametrize("granted", [24 << 20, 64 << 20])
def test_memory_stays_within_what_is_granted(granted):
    """Of maps of 128 MiB, whose pages count once they are touched."""
    with tempfile.TemporaryDirectory() as folder:
        most = int(run_python(MEMORY, folder, str(granted)))
    assert most < granted * 1.1
    assert most > granted / 10  # the test sees it


# ---- what stops on the way --------------------------------------------------------------------


@pytest.mark.parametrize("fails", [1, 2, 4])
@pytest.mark.parametrize("where", ["source", "target", "mask"])
def test_streams_go_on_where_they_stopped(fails, where):
    """A source that fails, a mask, and a target that runs out of space."""
    x = samples((200, 50), "float32")
    gaps = x > 60
    options = {"max_memory": 60_000, "mask": gaps}
    expected = filters.gaussian(x, 1, mask=gaps)
    source = Stored(x, fails=fails if where == "source" else None)
    target = target_of(expected, fails=fails if where == "target" else None)
    if where == "mask":
        options["mask"] = Stored(gaps, fails=fails)
    with pytest.raises(pyconv.StreamError) as caught:
        pyconv.stream(filters.gaussian, source, target, 1, **options)
    error = caught.value
    assert isinstance(error.__cause__, OSError)
    assert error.written.done == len(target.written)
    assert f"{error.written.done} of " in str(error)
    whole = visits(x.shape, target.written) == 1
    np.testing.assert_array_equal(target.array[whole], expected[whole])
    assert (target.array[~whole] == 99).all()
    missing = visits(x.shape, error.written.missing(x.shape))
    np.testing.assert_array_equal(missing, 1 - whole)

    rest = Stored(target.array)
    options["mask"] = gaps
    pyconv.stream(filters.gaussian, x, rest, 1, resume=tuple(error.written), **options)
    np.testing.assert_array_equal(rest.array, expected)
    np.testing.assert_array_equal(visits(x.shape, rest.written), missing)


def test_resume_is_of_the_pieces_that_were_made():
    """Though more memory is granted, or all are written."""
    x = samples((200, 50), "float32")
    target = target_of(x, fails=3)
    with pytest.raises(pyconv.StreamError) as caught:
        pyconv.stream(filters.box, x, target, 5, max_memory=60_000)
    rest = Stored(target.array)
    pyconv.stream(filters.box, x, rest, 5, resume=caught.value.written)
    np.testing.assert_array_equal(rest.array, filters.box(x, 5))
    assert rest.written[0][0].start == target.written[-1][0].stop
    nothing = target_of(x)
    pyconv.stream(filters.box, x, nothing, 5, resume=(4, 0, (50, 50)))
    assert not nothing.written


def test_overflows_stop_a_stream():
    """Where the samples of a piece say so, as they do of the whole."""
    x = np.ones((200, 50), np.int64)
    x[150] = 2**62
    target = target_of(np.empty(x.shape, np.int64))
    with pytest.raises(pyconv.StreamError) as caught:
        pyconv.stream(pyconv.correlate, x, target, np.ones((5, 1), int), "same", max_memory=60_000)
    assert isinstance(caught.value.__cause__, OverflowError)
    assert caught.value.written.done > 0


INTERRUPTED = """
import _thread, signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
import numpy as np
import pyconv
from pyconv import filters

x = np.arange(40_000.0).reshape(800, 50)

class Slow:
    shape, dtype = x.shape, x.dtype
    def __init__(self):
        self.array, self.written = np.zeros_like(x), 0
    def __getitem__(self, where):
        return self.array[where]
    def __setitem__(self, where, value):
        if self.written == 3:
            _thread.interrupt_main()
            time.sleep(0.2)
        self.array[where] = value
        self.written += 1

target = Slow()
try:
    pyconv.stream(filters.box, x, target, 5, max_memory=60_000)
except pyconv.StreamInterrupted as error:
    written = error.written
assert written.done == target.written == 4, (written, target.written)
pyconv.stream(filters.box, x, target, 5, resume=written)
print((target.array == filters.box(x, 5)).all())
"""


def test_interrupts_leave_whole_pieces():
    """What is being written is written to its end, and counted."""
    assert run_python(INTERRUPTED).strip() == "True"


# ---- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"target": np.empty((8, 9), "f4")}, ValueError, "shape (8, 9); the result has (8, 8)"),
        ({"target": np.empty((8, 8), "f8")}, TypeError, "dtype float64; the result has float32"),
        ({"target": [1]}, TypeError, "target is of <class 'list'> and has no shape, dtype"),
        ({"source": [1]}, TypeError, "source is of <class 'list'>"),
        ({"out": np.empty((8, 8), "f4")}, TypeError, "out= is no option of a stream"),
        ({"max_memory": -1}, ValueError, "max_memory"),
        ({"max_memory": 100}, MemoryError, "max_memory=100 is too little: a block of the target"),
        ({"progress": "yes"}, TypeError, "progress"),
        ({"resume": 3}, ValueError, "resume=3: the written= of the error"),
        ({"resume": (3, 0, (8,))}, ValueError, "resume="),
        ({"resume": (9, 0, (1, 8))}, ValueError, "the result has 8 such pieces"),
        ({"resume": (3, 0, (0, 8))}, ValueError, "is no part of a result"),
        ({"resume": (3, 2, (1, 8))}, ValueError, "is no part of a result"),
        ({"mask": np.ones((8, 8))}, TypeError, "mask has dtype float64; bool is allowed"),
        ({"mask": np.ones(3, bool)}, ValueError, "mask has shape (3,), which is not broadcast"),
        ({"sigma": 2}, TypeError, "sigma"),
        ({"boundary": "clamp"}, ValueError, "clamp"),
        ({"function": np.median}, TypeError, ""),
    ],
)
def test_nothing_is_written_if_something_is_wrong(change, error, message):
    """The message says what, and what is allowed."""
    given = {"function": filters.box, "source": np.ones((8, 8), "f4")} | change
    target = given.pop("target", np.full((8, 8), 99, "f4"))
    function, source = given.pop("function"), given.pop("source")
    with pytest.raises(error) as caught:
        pyconv.stream(function, source, target, 3, **given)
    assert message in str(caught.value)
    if getattr(target, "shape", None) == (8, 8) and target.dtype == "f4":
        assert (target == 99).all()


def test_least_memory_is_enough():
    """The message says how much would do."""
    x = samples((60, 50, 40), "float32")
    target = target_of(x, (16, 16, 16))
    with pytest.raises(MemoryError) as caught:
        pyconv.stream(filters.box, x, target, 3, axes=(0, 1, 2), max_memory=5000)
    words = str(caught.value).split()
    least = int(words[words.index("takes") + 1])
    assert not target.written
    pyconv.stream(filters.box, x, target, 3, axes=(0, 1, 2), max_memory=least)
    np.testing.assert_array_equal(target.array, filters.box(x, 3, axes=(0, 1, 2)))
    with pytest.raises(MemoryError):
        pyconv.stream(filters.box, x, target, 3, axes=(0, 1, 2), max_memory=least - 1)


def test_progress_is_shown(capsys):
    """By a bar of tqdm, on request."""
    pytest.importorskip("tqdm")
    x = samples((100, 50), "float32")
    pyconv.stream(filters.box, x, np.empty_like(x), 3, max_memory=40_000, progress=True)
    shown = capsys.readouterr().err
    assert "piece" in shown
    assert "100%" in shown


def test_blocks_are_never_read_beyond_an_array():
    """Nor before it, for any extent."""
    for n, k, mode in product((5, 33), (1, 8), ("same", "full")):
        x, w = samples((n, 7), "float64"), samples((k, 1), "float64")
        source, _ = check(pyconv.correlate, x, w, mode, "wrap", chunks=(4, 7), max_memory=30_000)
        for where in source.read:
            assert all(0 <= s.start < s.stop <= m for s, m in zip(where, x.shape, strict=True))


@pytest.mark.parametrize("argument", ["source", "target"])
def test_masked_arrays_are_refused(argument):
    """Their masks would be ignored; a mask is an argument of its own."""
    arrays = {"source": np.ones((9, 9)), "target": np.empty((9, 9))}
    arrays[argument] = np.ma.masked_array(arrays[argument], np.eye(9, dtype=bool))
    with pytest.raises(TypeError, match=f"{argument} is a masked array"):
        pyconv.stream(filters.gaussian, arrays["source"], arrays["target"], 1)


@pytest.mark.parametrize(
    "function",
    [pyconv.match_template, pyconv.plan, signal.lfilter, nn.functional.relu, np.sum, len, "box"],
    ids=lambda function: getattr(function, "__name__", "a word"),
)
def test_other_functions_are_refused_by_name(function):
    x = np.ones((9, 9))
    with pytest.raises(TypeError, match="^function=.* is not made a piece at a time"):
        pyconv.stream(function, x, np.empty((9, 9)), np.ones((3, 3)))
