"""Every kind of file: written as a whole by any number of writers, and read only if it is sound."""

import json
import os
import stat
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pyconv import nn
from pyconv._commands import CommandError, pictures
from pyconv._engine import wisdom

posix = pytest.mark.skipif(os.name != "posix", reason="permissions, links and pipes of POSIX")
GREY = np.arange(60 * 70, dtype=np.uint8).reshape(60, 70)


def _picture(path, version):
    pictures.write(path, [pictures.Page(GREY + np.uint8(version))], {})


def _pages(path, version):
    pictures.write(path, [pictures.Page(GREY + np.uint8(version + i)) for i in range(3)], {})


def _weights(path, version):
    nn.Linear(20, 30, rng=version).save(path)


def _wisdom(path, version):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wisdom.add(path, f"problem {version}", "direct")


def _read_picture(path):
    return [np.asarray(page.array) for page in pictures.read(path).pages]


def _read_weights(path):
    model = nn.Linear(20, 30)
    model.load(path)
    return [model.weight.data]


def _read_wisdom(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return [sorted(wisdom.read(path).items())]


#: The ending of a file → how it is written and read, and the errors of one that is damaged.
FILES = {
    "npy": (_picture, _read_picture, CommandError),
    "png": (_picture, _read_picture, CommandError),
    "tif": (_picture, _read_picture, CommandError),
    "pages.tif": (_pages, _read_picture, CommandError),
    "gif": (_pages, _read_picture, CommandError),
    "npz": (_weights, _read_weights, (ValueError, TypeError)),
    "json": (_wisdom, _read_wisdom, UserWarning),
}


@pytest.fixture(params=FILES)
def kind(request, tmp_path):
    """Return the path of a file of each kind, and how it is written and read."""
    if request.param not in ("npy", "npz", "json"):
        pytest.importorskip("PIL.Image")
    return tmp_path / f"file.{request.param}", *FILES[request.param]


def _same(one, other):
    pairs = zip(one, other, strict=True) if len(one) == len(other) else [(0, 1)]
    return all(np.array_equal(a, b) for a, b in pairs)


def test_many_write_at_once(kind):
    """The last one wins: every reader finds one of them whole, and nothing else is left."""
    path, write, read, _ = kind
    written = []
    for version in range(4):
        write(path, version)
        written.append(read(path))
        if path.suffix == ".json":  # findings are added up
            written = [*written, read(path)]
        else:
            assert version == 0 or not _same(written[-2], written[-1])

    def work(version):
        for _ in range(12):
            write(path, version)

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(work, version) for version in range(4)]
        while not all(each.done() for each in done):
            found = read(path)
            assert any(_same(found, each) for each in written)
        for each in done:
            each.result()
    assert list(path.parent.iterdir()) == [path]


@posix
def test_what_a_file_was_stays(kind):
    """Its permissions, and a symbolic link to it."""
    path, write, read, _ = kind
    link = path.with_name(f"link.{path.name.partition('.')[2]}")
    link.symlink_to(path)
    write(link, 0)
    for mode in (0o644, 0o600, 0o664):
        path.chmod(mode)
        write(link, 1)
        assert link.is_symlink()
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert _same(read(link), read(path))
    assert len(list(path.parent.iterdir())) == 2


def test_damaged_files(kind, rng):
    """Wherever a file ends, or a byte is changed: what is read has its shape, or is refused."""
    path, write, read, errors = kind
    write(path, 0)
    whole, expected = path.read_bytes(), read(path)
    some = 10 if issubclass(CommandError, errors) else 60  # decoders take their time
    places = [*range(min(5 * some // 2, len(whole))), *rng.integers(0, len(whole), some)]
    for place in map(int, places):
        changed = bytearray(whole)
        changed[place] ^= int(rng.integers(1, 256))
        for content in (bytes(changed), whole[:place]):
            path.write_bytes(content)
            tracemalloc.start()
            try:
                found = read(path)
            except errors:
                pass
            else:
                assert isinstance(found, list)
                assert path.suffix == ".json" or len(found) <= len(expected)
            finally:
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
            assert peak < 1.1 * wisdom.LARGEST or path.suffix not in (".npz", ".json")


def test_arrays_larger_than_their_file(tmp_path):
    """A header that promises more than there is makes one line, and takes no memory for it."""
    path = tmp_path / "x.npy"
    for shape in ((10**6, 10**3), (10**9, 10**9), (2**62,), (-1, 5)):
        with path.open("wb") as file:
            head = {"descr": "<f8", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, head)
            file.write(bytes(100))
        with pytest.raises(CommandError, match=r"x\.npy"):
            pictures.read(path)
    path.write_bytes(np.lib.format.magic(2, 0) + b"\xff\xff\xff\x7f" + bytes(100))
    with pytest.raises(CommandError, match=r"x\.npy"):
        pictures.read(path)


def test_wisdom_that_is_another_kind_of_json(tmp_path):
    """Of the right format, but not of words."""
    path = tmp_path / "wisdom.json"
    for entries in ({"a": 3}, {"a": None}, [["a", "direct"]], "direct", 3, {"a": {"b": "c"}}):
        path.write_text(json.dumps({"format": wisdom._FORMAT, "entries": entries}))
        with pytest.warns(UserWarning, match="damaged"):
            assert wisdom.read(Path(path)) == {}
