"""``python -m pyconv``: results equal the library's, and every failure is one line."""

import importlib
import io
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from processes import started
from scipy import ndimage

import pyconv
from pyconv import filters
from pyconv.__main__ import main
from pyconv._calls.versions import versions
from pyconv._commands import (
    bench,
    demo,
    demo_cases,
    demo_data,
    filtering,
    large_files,
    named_kernels,
    pictures,
)
from pyconv._commands.named_kernels import FILTERS
from pyconv._engine.algorithms import ALGORITHMS

COMMAND = [sys.executable, "-m", "pyconv"]
posix = pytest.mark.skipif(os.name == "nt", reason="redirections of a POSIX shell")


def run(*arguments, **options):
    """Run the command line in a process of its own."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **options,
    )


@pytest.fixture
def command(capsys):
    """Return a function that runs the command line here: its code, output and errors."""

    def call(*arguments):
        try:
            code = main([str(a) for a in arguments])
        except SystemExit as stop:  # argparse's way to end
            code = stop.code
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def fails(command):
    """Return a function that asserts a one-line error and returns the code and the line."""

    def call(*arguments):
        code, out, err = command(*arguments)
        assert out == ""
        assert re.fullmatch(r"pyconv: error: .+\n", err), err
        return code, err

    return call


@pytest.fixture
def picture(tmp_path, rng):
    """Return the path and the pixels of a picture in colour."""
    image = pytest.importorskip("PIL.Image")
    pixels = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    path = tmp_path / "in.png"
    image.fromarray(pixels).save(path)
    return path, pixels


@pytest.fixture
def array(tmp_path, rng):
    """Return the path and the values of an array."""
    values = rng.standard_normal((12, 15))
    path = tmp_path / "in.npy"
    np.save(path, values)
    return path, values


# ---- the whole -----------------------------------------------------------------------------


def test_the_library_does_not_import_the_command_line():
    program = (
        "import sys, pyconv\n"
        "late = 'pyconv._commands', 'scipy.ndimage', 'matplotlib', 'PIL', 'pywt', 'nibabel'\n"
        "found = [m for m in late if m in sys.modules]\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_version(command):
    assert command("--version") == (0, f"pyconv {pyconv.__version__}\n", "")


@pytest.mark.parametrize("arguments", [[], ["demo"], ["info"], ["filter"], ["bench"]], ids=" ".join)
def test_help_shows_examples(command, arguments):
    code, out, err = command(*arguments, "--help")
    assert (code, err) == (0, "")
    assert out.startswith("usage: python -m pyconv")
    assert "Examples:" in out
    assert out.isascii()  # any terminal can show it


def test_help_of_filter_lists_every_kernel(command):
    _, out, _ = command("filter", "--help")
    for name in FILTERS:
        assert re.search(rf"^  {name} +\S", out, re.MULTILINE), name


@pytest.mark.parametrize("arguments", [["paint"], ["--paint"], ["demo", "x"], ["info", "--x"]])
def test_usage_errors(fails, arguments):
    code, line = fails(*arguments)
    assert code == 2
    assert "--help" in line


def test_info_is_what_show_versions_prints(command, capsys):
    pyconv.show_versions()
    shown = capsys.readouterr().out
    assert command("info") == (0, shown, "")
    assert [line.split(":")[0] for line in shown.splitlines()] == list(versions())


def test_info_names_the_isa_that_was_forced():
    for isa in pyconv._calls.versions.loader.runnable():
        result = run("info", env={**os.environ, "PYCONV_ISA": isa})
        assert result.returncode == 0
        assert f"\nISA: {isa} " in result.stdout


def test_info_names_a_blas_with_and_without_threadpoolctl(monkeypatch):
    assert versions()["BLAS"]
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    assert "as SciPy was built" in versions()["BLAS"]


def test_a_closed_pipe_is_no_traceback():
    process = subprocess.Popen(
        [*COMMAND, "info"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
@pytest.mark.usefixtures("sigint")
def test_ctrl_c_is_one_line(tmp_path):
    """The process is interrupted once it has read its weights, before minutes of work."""
    source, w, target = (tmp_path / f"{name}.npy" for name in ("in", "w", "out"))
    np.save(source, np.zeros((3000, 3000)))
    os.mkfifo(w)
    options = ["--workers", "1", "--method", "direct"]
    arguments = ["filter", source, "--kernel-file", w, *options, "-o", target]
    with started([*COMMAND, *arguments]) as process:
        weights = io.BytesIO()
        np.save(weights, np.ones((601, 601)))
        with w.open("wb") as pipe:  # waits for the reader
            pipe.write(weights.getbuffer())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (130, "", "pyconv: error: interrupted\n")
    assert not target.exists()


# ---- an output that cannot be written ------------------------------------------------------

SHORT = (["--help"], ["--version"], ["info"], ["filter", "--help"], ["demo", "--help"])


def small_filter(folder):
    """Return the arguments of a filter that takes no time."""
    np.save(folder / "x.npy", np.ones((4, 4)))
    return ["filter", folder / "x.npy", "--kernel", "box", "-o", folder / "y.npy"]


def words_of_test(given):
    """Return the name of a test."""
    return " ".join(given) if isinstance(given, list) else given.__name__


def words_of(arguments, redirection, **options):
    """Return the exit code and the errors of a command under a shell's redirection."""
    line = " ".join(shlex.quote(str(a)) for a in [*COMMAND, *arguments])
    result = subprocess.run(
        ["sh", "-c", f"exec {line} {redirection}"],
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
        **options,
    )
    return result.returncode, result.stderr.decode()


@posix
@pytest.mark.parametrize("redirection", ["> /dev/full", ">&-", ">&- <&-"])
@pytest.mark.parametrize("arguments", [*SHORT, small_filter], ids=words_of_test)
def test_no_room_for_the_output(tmp_path, arguments, redirection):
    """One line says so, whatever the command; the status tells scripts."""
    given = arguments(tmp_path) if callable(arguments) else arguments
    code, errors = words_of(given, redirection)
    assert code == 1
    assert re.fullmatch(r"pyconv: error: .*(standard output).*\n", errors), errors


@posix
@pytest.mark.parametrize("redirection", ["2>&-", "2> /dev/full", ">&- 2>&-", "> /dev/full 2>&1"])
@pytest.mark.parametrize("arguments", [*SHORT, ["paint"], ["filter", "none"]], ids=str)
def test_no_room_for_the_errors(arguments, redirection):
    """Nobody can be told, but by the status."""
    fine = not redirection.startswith(">") and arguments in SHORT
    code, errors = words_of(arguments, redirection)
    assert code in ((0,) if fine else (1, 2))
    assert errors == ""


@posix
@pytest.mark.parametrize("name", ["é.npy", "日本.npy", os.fsdecode(b"\xe9.npy")])
def test_a_name_that_the_output_cannot_show(tmp_path, name):
    """It is said before any work, so that no file is left."""
    arguments = small_filter(tmp_path)
    arguments[-1] = tmp_path / name
    for encoding in ("ascii", "utf-8"):
        environment = os.environ | {"PYTHONIOENCODING": encoding}
        code, errors = words_of(arguments, "> /dev/null", env=environment)
        if encoding == "utf-8" and name.isprintable():
            assert (code, errors) == (0, "")
            arguments[-1].unlink()
            continue
        assert code == 1
        assert re.fullmatch(r"pyconv: error: standard output is .*PYTHONIOENCODING.*\n", errors)
        assert errors.isascii()
        assert not arguments[-1].exists()
    # An error about such a name is one line, too.
    code, errors = words_of(["filter", tmp_path / name / "x", *arguments[2:]], "", env=environment)
    assert code == 1
    assert errors.count("\n") == 1


def test_out_of_memory_is_one_line(fails, array, monkeypatch):
    def refuse(path):
        raise MemoryError("Unable to allocate 1. TiB")

    monkeypatch.setattr(pictures, "read", refuse)
    path, _ = array
    code, line = fails("filter", path, "--kernel", "box", "-o", path)
    assert code == 1
    assert "1. TiB" in line


# ---- the named kernels ---------------------------------------------------------------------

NDIMAGE = {
    "sobel-x": lambda x: ndimage.sobel(x, -1),
    "sobel-y": lambda x: ndimage.sobel(x, -2),
    "prewitt-x": lambda x: ndimage.prewitt(x, -1),
    "prewitt-y": lambda x: ndimage.prewitt(x, -2),
    "laplace": ndimage.laplace,
    "gaussian": lambda x: ndimage.gaussian_filter(x, 1.0),
    "box": lambda x: ndimage.uniform_filter(x, 3),
    "sobel": lambda x: np.sqrt(sum(ndimage.sobel(x, a) ** 2 for a in range(x.ndim))),
    "prewitt": lambda x: np.sqrt(sum(ndimage.prewitt(x, a) ** 2 for a in range(x.ndim))),
}


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("name", NDIMAGE)
def test_named_kernels_are_those_of_ndimage(command, tmp_path, rng, name, ndim):
    if ndim == 1 and name in ("sobel", "sobel-y", "prewitt", "prewitt-y"):
        pytest.skip("it needs two axes")
    x = rng.standard_normal((9, 10, 11)[:ndim])
    source, target = tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(source, x)
    axes = ",".join(map(str, range(ndim)))
    code, out, err = command("filter", source, "--kernel", name, "--axes", axes, "-o", target)
    assert (code, err) == (0, "")
    assert out == f"{target}: {' x '.join(map(str, x.shape))}, float64\n"
    np.testing.assert_allclose(np.load(target), NDIMAGE[name](x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", FILTERS)
def test_named_kernels_keep_or_remove_a_constant(name):
    kernel = FILTERS[name].kernel
    for w in named_kernels.named_kernels(name, max(2, kernel.ndims[0])):
        total = 1 if kernel.make.__name__ in MEANS else 0
        assert w.sum() == pytest.approx(total, abs=1e-12)


MEANS = ("ball", "box", "disk", "emboss", "gaussian", "motion", "sharpen", "unsharp")


def test_names_are_those_that_have_always_been_known():
    names = "box edge emboss gaussian laplace prewitt prewitt-x prewitt-y scharr scharr-x scharr-y"
    assert set(f"{names} sharpen sobel sobel-x sobel-y".split()) <= set(FILTERS)


# ---- filter: pictures ----------------------------------------------------------------------


def read(path):
    image = pytest.importorskip("PIL.Image")
    with image.open(path) as file:
        return np.asarray(file)


def test_filter_saturates_a_picture(command, picture, tmp_path):
    path, pixels = picture
    target = tmp_path / "out.png"
    assert command("filter", path, "--kernel", "sharpen", "-o", target)[0] == 0
    w = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    expected = np.clip(ndimage.correlate(pixels, w[..., None], np.int64), 0, 255)
    np.testing.assert_array_equal(read(target), expected)


def test_filter_rounds_a_magnitude_into_the_picture(command, picture, tmp_path):
    path, pixels = picture
    target = tmp_path / "out.png"
    assert command("filter", path, "--kernel", "sobel", "-o", target)[0] == 0
    x = pixels.astype(float)
    expected = np.hypot(ndimage.sobel(x, 0), ndimage.sobel(x, 1))
    # ndimage smooths the colours too: take each by itself.
    for c in range(3):
        expected[..., c] = np.hypot(ndimage.sobel(x[..., c], 0), ndimage.sobel(x[..., c], 1))
    np.testing.assert_array_equal(read(target), np.rint(np.clip(expected, 0, 255)))


def test_filter_keeps_transparency(command, tmp_path, rng):
    image = pytest.importorskip("PIL.Image")
    for channels in (2, 4):
        pixels = rng.integers(0, 256, (20, 30, channels), dtype=np.uint8)
        source, target = tmp_path / "in.png", tmp_path / "out.png"
        image.fromarray(pixels).save(source)
        options = ["--size", 5, "--stride", "2,3", "--mode", "valid"]
        assert command("filter", source, "--kernel", "box", *options, "-o", target)[0] == 0
        y = read(target)
        np.testing.assert_array_equal(y[..., -1], pixels[2:-2, 2:-2, -1][::2, ::3])
        colours = pyconv.correlate(
            pixels[..., :-1], np.full((5, 5), 1 / 25), axes=(0, 1), stride=(2, 3)
        )
        np.testing.assert_array_equal(y[..., :-1], np.rint(colours))


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "I;16", "I", "F"])
@pytest.mark.parametrize("ending", ["tif", "png", "jpg"])
def test_filter_reads_every_kind_of_picture(command, tmp_path, rng, mode, ending):
    image = pytest.importorskip("PIL.Image")
    grey = rng.integers(0, 200, (16, 16), dtype=np.uint8)
    if mode == "I;16":
        made = image.fromarray(grey.astype(np.uint16) * 100)
    else:
        made = image.fromarray(grey).convert(mode)
    source, target = tmp_path / f"in.{ending}", tmp_path / "out.npy"
    try:
        made.save(source)
    except OSError:
        pytest.skip(f"{ending} does not hold {mode}")
    code, _, err = command("filter", source, "--kernel", "box", "--size", "1", "-o", target)
    assert (code, err) == (0, "")
    y = np.load(target)
    assert y.shape[:2] == (16, 16)
    assert y.dtype == {"I;16": np.uint16, "I": y.dtype, "F": np.float32}.get(mode, np.uint8)
    if ending != "jpg" and mode == "L":
        np.testing.assert_array_equal(y, grey)


def pages(path):
    """Return the pages of a picture, as Pillow shows them."""
    image = pytest.importorskip("PIL.Image")
    with image.open(path) as file:
        found = []
        for i in range(getattr(file, "n_frames", 1)):
            file.seek(i)
            found.append(np.asarray(file if file.mode != "P" else file.convert("RGB")))
        return found


@pytest.fixture
def film(tmp_path, rng):
    """Return a function that writes pictures of several pages: their path and their pixels."""
    image = pytest.importorskip("PIL.Image")

    def write(ending, shape, dtype="uint8", count=5, **options):
        arrays = [rng.integers(0, 200, shape).astype(dtype) for _ in range(count)]
        path = tmp_path / f"film{ending}"
        first, *others = map(image.fromarray, arrays)
        first.save(path, save_all=True, append_images=others, **options)
        return path, arrays

    return write


@pytest.mark.parametrize("target", [".tif", ".tiff", ".png", ".webp", ".gif", ".npy"])
@pytest.mark.parametrize("shape", [(9, 11), (9, 11, 3), (9, 11, 4)], ids=str)
def test_filter_takes_every_page(command, film, tmp_path, shape, target):
    """Each by itself, and all are written."""
    path, arrays = film(".tif", shape)
    out = tmp_path / f"out{target}"
    result = command("filter", path, "--kernel", "box", "-o", out)
    found = list(np.load(out)) if target == ".npy" and result[0] == 0 else pages(out)
    words = " x ".join(map(str, (5, *shape[:2], *[3] * (len(shape) - 2))))
    assert result == (0, f"{out}: {words}, uint8\n", "")
    assert len(found) == 5
    for y, x in zip(found, arrays, strict=True):
        size = (3, 3, *[1] * (x.ndim - 2))
        exact = np.rint(ndimage.uniform_filter(x.astype(float), size))
        colours = np.s_[..., :3] if x.ndim == 3 else np.s_[...]
        assert y.shape[:2] == x.shape[:2]
        if target in (".tif", ".tiff", ".png", ".npy"):
            np.testing.assert_array_equal(y[colours], exact[colours])
            if shape[-1] == 4:
                np.testing.assert_array_equal(y[..., 3], x[..., 3])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_filter_keeps_the_dtype_of_pages(command, film, tmp_path, dtype):
    path, arrays = film(".tif", (9, 11), dtype)
    out = tmp_path / "out.tif"
    assert command("filter", path, "--kernel", "box", "-o", out)[0] == 0
    for y, x in zip(pages(out), arrays, strict=True):
        assert y.dtype == dtype
        exact = ndimage.uniform_filter(x.astype(float), 3)
        np.testing.assert_allclose(y, exact, atol=0.5 if y.dtype.kind == "u" else 1e-3)


def test_filter_keeps_the_time_of_a_film(command, film, tmp_path):
    """How long each moment is shown, and how often all of them are."""
    image = pytest.importorskip("PIL.Image")
    path, _ = film(".gif", (9, 11, 3), duration=[50, 100, 150, 200, 250], loop=3)
    for ending in (".gif", ".png"):
        out = tmp_path / f"out{ending}"
        assert command("filter", path, "--kernel", "box", "-o", out)[0] == 0
        with image.open(out) as file:
            assert file.n_frames == 5
            assert file.info["loop"] == 3
            shown = []
            for i in range(5):
                file.seek(i)
                file.load()
                shown.append(file.info["duration"])
            assert shown == [50, 100, 150, 200, 250]


def test_filter_takes_pages_of_any_size(command, tmp_path, rng, fails):
    """As a TIFF may hold them; an array cannot."""
    image = pytest.importorskip("PIL.Image")
    arrays = [rng.integers(0, 256, shape, np.uint8) for shape in ((9, 11), (5, 6), (7, 8, 3))]
    path, out = tmp_path / "in.tif", tmp_path / "out.tif"
    first, *others = map(image.fromarray, arrays)
    first.save(path, save_all=True, append_images=others)
    assert command("filter", path, "--kernel", "box", "-o", out)[0] == 0
    assert [y.shape[:2] for y in pages(out)] == [(9, 11), (5, 6), (7, 8)]
    code, line = fails("filter", path, "--kernel", "box", "-o", tmp_path / "out.npy")
    assert code == 1
    assert "differ in size" in line
    assert not (tmp_path / "out.npy").exists()


@pytest.mark.parametrize("ending", [".jpg", ".bmp", ".ppm"])
def test_filter_writes_no_page_alone_unasked(command, fails, film, tmp_path, ending):
    """A file of one page is refused, before any work; one page can be asked for."""
    path, arrays = film(".tif", (9, 11))
    out = tmp_path / f"out{ending}"
    code, line = fails("filter", path, "--kernel", "box", "-o", out)
    assert code == 2
    assert "5 pages" in line
    assert "--page" in line
    assert not out.exists()
    for number in (1, 5):
        options = ["--kernel", "box", "--page", number]
        assert command("filter", path, *options, "-o", tmp_path / "one.npy")[0] == 0
        exact = np.rint(ndimage.uniform_filter(arrays[number - 1].astype(float), 3))
        np.testing.assert_array_equal(np.load(tmp_path / "one.npy"), exact)
        assert command("filter", path, *options, "-o", out)[0] == 0
    for number in (0, 6, -1, "a"):
        code, line = fails("filter", path, "--kernel", "box", "--page", number, "-o", out)
        assert code == 2
        assert "page" in line


def test_filter_turns_a_picture_as_its_camera_was_held(command, tmp_path):
    image = pytest.importorskip("PIL.Image")
    source, target = tmp_path / "in.jpg", tmp_path / "out.png"
    exif = image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    image.fromarray(np.zeros((10, 20), np.uint8)).save(source, exif=exif)
    assert command("filter", source, "--kernel", "box", "-o", target)[0] == 0
    assert read(target).shape == (20, 10)


# ---- filter: arrays ------------------------------------------------------------------------


def test_filter_passes_its_options_on(command, array, tmp_path, rng):
    path, x = array
    w = rng.standard_normal((3, 4))
    weights, target = tmp_path / "w.npy", tmp_path / "y.npy"
    np.save(weights, w)
    options = (
        "--axes 1,0 --mode full --boundary constant --fill-value 2.5 --stride 2,1 --dilation 1,2"
        " --dtype float32 --method reference --workers 1 --convolve"
    )
    code, _, err = command("filter", path, "--kernel-file", weights, *options.split(), "-o", target)
    assert (code, err) == (0, "")
    expected = pyconv.convolve(
        x, w, "full", fill_value=2.5, axes=(1, 0), stride=(2, 1), dilation=(1, 2),
        dtype=np.float32, method="reference",
    )  # fmt: skip
    y = np.load(target)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, expected)


def test_filter_keeps_the_dtype_of_the_library(command, tmp_path, rng):
    source, target = tmp_path / "x.npy", tmp_path / "y.npy"
    for given, kernel, expected in [
        (np.uint8, "laplace", np.int64),
        (np.float32, "gaussian", np.float32),
        (np.float16, "box", np.float32),
        (np.float32, "sobel", np.float32),
        (np.complex64, "sobel-x", np.complex64),
        (np.uint8, "sobel", np.float32),
    ]:
        np.save(source, rng.integers(0, 9, (8, 8)).astype(given))
        assert command("filter", source, "--kernel", kernel, "-o", target)[0] == 0
        assert np.load(target).dtype == expected, (given, kernel)


def test_filter_takes_a_signal(command, tmp_path, rng):
    source, weights, target = (tmp_path / name for name in ("x.npy", "w.npy", "y.npy"))
    x, w = rng.standard_normal(40), rng.standard_normal(5)
    np.save(source, x)
    np.save(weights, w)
    assert command("filter", source, "--kernel-file", weights, "-o", target)[0] == 0
    np.testing.assert_allclose(np.load(target), ndimage.correlate1d(x, w), rtol=0, atol=1e-12)
    assert command("filter", source, "--kernel", "gaussian", "-o", target)[0] == 0
    np.testing.assert_allclose(np.load(target), ndimage.gaussian_filter1d(x, 1), atol=1e-12)


def test_filter_writes_an_array_as_a_picture(command, tmp_path, rng):
    pytest.importorskip("PIL")
    source, target = tmp_path / "x.npy", tmp_path / "y.png"
    x = rng.integers(0, 256, (8, 9), dtype=np.uint8)
    np.save(source, x)
    options = ["--dtype", "uint8", "--overflow", "saturate"]
    assert command("filter", source, "--kernel", "edge", *options, "-o", target)[0] == 0
    w = np.full((3, 3), -1)
    w[1, 1] = 8
    expected = np.clip(ndimage.correlate(x, w, np.int64), 0, 255)
    np.testing.assert_array_equal(read(target), expected)


def test_a_width_for_each_axis(command, tmp_path, rng):
    source, target = tmp_path / "x.npy", tmp_path / "y.npy"
    x = rng.random((7, 12, 13))
    np.save(source, x)
    options = ["--kernel", "gaussian", "--axes", "0,1,2", "--sigma", "0.8,1,2"]
    assert command("filter", source, *options, "-o", target)[0] == 0
    expected = filters.gaussian(x, (0.8, 1, 2), axes=(0, 1, 2))
    np.testing.assert_allclose(np.load(target), expected, rtol=1e-12)


# ---- filter: large files -------------------------------------------------------------------


@pytest.fixture
def streaming(monkeypatch):
    """Make every file a large one."""
    monkeypatch.setattr(large_files, "LARGE", 0)
    monkeypatch.setattr(large_files, "DEFAULT_MEMORY", 10**6)


@pytest.mark.parametrize(
    "options",
    [
        "--kernel gaussian --sigma 2",
        "--kernel sobel --axes 0,1,2",
        "--kernel sobel --dtype uint8 --overflow saturate",
        "--kernel box --size 5 --stride 2 --axes 0,2 --boundary wrap --dtype uint16",
        "--kernel box --nodata 7 --dtype uint16",
        "--kernel box --nodata 7 --nan-policy omit --mode valid --convolve",
    ],
)
def test_filter_streams_what_it_would_read(command, tmp_path, rng, monkeypatch, options):
    """An array in pieces gives the bits of the whole."""
    x = rng.integers(0, 40, (30, 70, 90)).astype(np.uint16)
    np.save(tmp_path / "x.npy", x)
    call = ["filter", tmp_path / "x.npy", *options.split(), "-o"]
    assert command(*call, tmp_path / "whole.npy")[0] == 0
    monkeypatch.setattr(large_files, "LARGE", 0)
    code, out, err = command(*call, tmp_path / "y.npy", "--max-memory", 2)
    assert (code, err) == (0, "")
    whole, mine = np.load(tmp_path / "whole.npy"), np.load(tmp_path / "y.npy")
    np.testing.assert_array_equal(mine, whole, strict=True)
    assert str(whole.dtype) in out
    assert {path.name for path in tmp_path.iterdir()} == {"x.npy", "y.npy", "whole.npy"}


def test_filter_streams_zarr(command, fails, tmp_path, rng):
    """From zarr to zarr, to .npy, and back; an image has its full resolution filtered."""
    zarr = pytest.importorskip("zarr", minversion="3")
    x = rng.random((20, 30, 40)).astype(np.float32)
    source = zarr.create_array(
        tmp_path / "x.zarr", shape=x.shape, dtype=x.dtype, chunks=(8, 16, 16)
    )
    source[:] = x
    expected = pyconv.filters.gaussian(x, 1, axes=(0, 1, 2))
    call = ["--kernel", "gaussian", "--axes", "0,1,2", "-o"]
    assert command("filter", tmp_path / "x.zarr", *call, tmp_path / "y.zarr")[0] == 0
    y = zarr.open_array(tmp_path / "y.zarr", mode="r")
    assert y.chunks == source.chunks
    np.testing.assert_allclose(y[:], expected, rtol=1e-5)
    assert command("filter", tmp_path / "x.zarr", *call, tmp_path / "y.npy")[0] == 0
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), y[:])
    np.save(tmp_path / "x.npy", x)
    assert command("filter", tmp_path / "x.npy", *call, tmp_path / "z.zarr")[0] == 0
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "z.zarr", mode="r")[:], y[:])
    pyconv.pyramid(x, 2, axes=(1, 2), target=tmp_path / "image.zarr")
    assert command("filter", tmp_path / "image.zarr", *call, tmp_path / "a.npy")[0] == 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), y[:])
    code, line = fails("filter", tmp_path / "x.zarr", *call, tmp_path / "y.zarr")
    assert code == 1
    assert "exists already" in line
    code, line = fails("filter", tmp_path / "x.zarr", *call, tmp_path / "y.png")
    assert code == 2
    assert "not written a piece at a time" in line


@pytest.mark.parametrize("stack", [False, True])
@pytest.mark.parametrize("colours", [False, True])
def test_filter_streams_the_pages_of_a_picture(command, streaming, tmp_path, rng, stack, colours):
    """All of them, with their dtype."""
    tifffile = pytest.importorskip("tifffile")
    shape = (7, 30, 40, 3) if colours else (7, 30, 40)
    x = rng.integers(0, 60000, shape).astype(np.uint16)
    kind = "rgb" if colours else "minisblack"
    with tifffile.TiffWriter(tmp_path / "x.tif") as writer:
        for page in x:
            writer.write(
                page, photometric=kind, contiguous=False, metadata=None, compression="zlib"
            )
    options = ["--stack"] if stack else []
    call = ["filter", tmp_path / "x.tif", "--kernel", "box", "--size", 5, *options, "-o"]
    code, out, err = command(*call, tmp_path / "y.tif")
    assert (code, err) == (0, "")
    with tifffile.TiffFile(tmp_path / "y.tif") as file:
        pages = np.stack([page.asarray() for page in file.pages])
    axes = (0, 1, 2) if stack else (1, 2)
    exact = np.rint(pyconv.filters.box(x.astype(float), 5, axes=axes))
    np.testing.assert_array_equal(pages, exact.astype(np.uint16), strict=True)
    assert " x ".join(map(str, shape)) in out


def test_filter_says_what_stopped_a_stream(fails, streaming, tmp_path):
    """In one line, and nothing is left."""
    np.save(tmp_path / "x.npy", np.full((50, 50), 2**62, np.int64))
    w = tmp_path / "w.npy"
    np.save(w, np.ones((3, 3), np.int64))
    code, line = fails("filter", tmp_path / "x.npy", "--kernel-file", w, "-o", tmp_path / "y.npy")
    assert code == 1
    assert "int64" in line
    assert not tmp_path.joinpath("y.npy").exists()
    assert len([*tmp_path.iterdir()]) == 2


# ---- filter: errors ------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["png", "npy"])
def test_a_missing_file(fails, tmp_path, ending):
    source = tmp_path / f"none.{ending}"
    code, line = fails("filter", source, "--kernel", "sobel", "-o", tmp_path / "y.npy")
    assert (code, line) == (1, f"pyconv: error: {source}: no such file\n")


@pytest.mark.parametrize("ending", ["png", "tif", "jpg", "npy", ""])
@pytest.mark.parametrize("content", [b"", b"no picture", b"\x93NUMPY\x01\x00\xff\xff{", "cut"])
def test_an_unreadable_file(fails, picture, array, tmp_path, ending, content):
    if content == "cut":
        whole = (array if ending == "npy" else picture)[0].read_bytes()
        content = whole[: len(whole) // 2]
    source = tmp_path / f"bad.{ending}"
    source.write_bytes(content)
    code, line = fails("filter", source, "--kernel", "sobel", "-o", tmp_path / "y.npy")
    assert code == 1
    assert str(source) in line


def test_a_pickle_is_not_run(fails, tmp_path):
    source = tmp_path / "x.npy"
    np.save(source, np.array([{}], dtype=object), allow_pickle=True)
    code, line = fails("filter", source, "--kernel", "box", "-o", tmp_path / "y.npy")
    assert code == 1
    assert "pickle" in line


def test_an_unknown_kernel(fails, array):
    path, _ = array
    code, line = fails("filter", path, "--kernel", "zobel", "-o", path)
    assert code == 2
    assert "'zobel'" in line
    assert all(name in line for name in FILTERS)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ("--kernel box --kernel-file w.npy", 2, "not allowed with"),
        ("", 2, "--kernel"),
        ("--kernel gaussian --sigma 0", 2, "sigma=0.0"),
        ("--kernel gaussian --sigma nan", 2, "sigma=nan"),
        ("--kernel gaussian --sigma 1,x", 2, "'1,x': a number, or several with commas between"),
        ("--kernel gaussian --sigma 1,2,3", 2, "sigma=(1.0, 2.0, 3.0) has 3 entries"),
        ("--kernel gaussian --sigma 1e300", 2, "weights"),
        ("--kernel box --size 0", 2, "size=0"),
        ("--kernel box --size 99999", 2, "weights"),
        ("--kernel emboss --axes 0", 2, "emboss"),
        ("--kernel sobel-y --axes 0", 2, "sobel-y"),
        ("--kernel sobel --axes 0", 2, "two axes"),
        ("--kernel disk --axes 0,1,2", 2, "disk acts on two axes, not on 3"),
        ("--kernel ball", 2, "ball acts on three axes, not on 2"),
        ("--kernel disk --radius 0", 2, "radius=0.0"),
        ("--kernel motion --length -1", 2, "length=-1.0"),
        ("--kernel gabor --wavelength 1", 2, "wavelength=1.0"),
        ("--kernel gabor --axes 0 --orientation 90", 2, "orientation="),
        ("--kernel box --axes 0,1,2,3", 2, "4 axes"),
        ("--kernel box --axes 0,5", 1, "axes="),
        ("--kernel box --axes a", 2, "'a'"),
        ("--kernel box --boundary reflect", 2, "ambiguous"),
        ("--kernel box --boundary moon", 2, "moon"),
        ("--kernel box --dtype float99", 2, "float99"),
        ("--kernel box --stride 0", 1, "stride=0"),
        ("--kernel box --stride 1,2,3", 1, "stride="),
        ("--kernel box --dilation 99 --mode valid", 1, "empty"),
        ("--kernel box --workers 0", 1, "workers=0"),
        ("--kernel box --dtype uint8", 1, "overflow="),
        ("--kernel-file none.npy", 1, "none.npy: no such file"),
    ],
)
def test_wrong_options(fails, array, tmp_path, options, code, words):
    path, _ = array
    found, line = fails("filter", path, *options.split(), "-o", tmp_path / "y.npy")
    assert found == code
    assert words in line
    assert not (tmp_path / "y.npy").exists()


@pytest.mark.parametrize("kernel", ["laplace", "sobel"])
def test_a_picture_may_refuse_to_saturate(fails, picture, tmp_path, kernel):
    options = ["--kernel", kernel, "--overflow", "raise"]
    code, line = fails("filter", picture[0], *options, "-o", tmp_path / "y.png")
    assert code == 1
    assert "[0, 255]" in line


def test_a_kernel_that_does_not_fit(fails, array, tmp_path):
    path, _ = array
    weights = tmp_path / "w.npy"
    for shape in [(), (0, 3), (2, 2, 2), (1, 1, 1, 1)]:
        np.save(weights, np.ones(shape))
        code, line = fails("filter", path, "--kernel-file", weights, "-o", tmp_path / "y.npy")
        assert code == 1
        assert "dimensions" in line or "empty" in line


def test_an_output_that_cannot_be(fails, array, picture, tmp_path):
    pytest.importorskip("PIL")
    path, _ = array
    for target, code, words in [
        (tmp_path, 1, "directory"),
        (tmp_path / "none" / "y.npy", 1, "no directory"),
        (path / "y.npy", 1, "no directory"),
        (tmp_path / "y.xyz", 2, ".xyz"),
        (tmp_path / "y", 2, "ending"),
        (tmp_path / "y.png", 1, ".npy"),  # float64 is no PNG
    ]:
        found, line = fails("filter", path, "--kernel", "box", "-o", target)
        assert found == code, line
        assert words in line
    colours, _ = picture
    for options in (["--dtype", "float32"], ["--dtype", "bool"]):
        code, line = fails("filter", colours, "--kernel", "box", *options, "-o", tmp_path / "y.png")
        assert code == 1
        assert ".npy" in line


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device here")  # noqa: PTH110
def test_a_full_disk(fails, array, tmp_path):
    path, _ = array
    target = tmp_path / "y.npy"
    target.symlink_to("/dev/full")
    code, line = fails("filter", path, "--kernel", "box", "-o", target)
    assert code == 1
    assert "No space left" in line


@pytest.mark.skipif(
    os.name == "nt" or (hasattr(os, "geteuid") and os.geteuid() == 0),
    reason="nothing is read-only for root",
)
def test_a_read_only_folder(fails, array, tmp_path, monkeypatch):
    path, _ = array
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    monkeypatch.chdir(folder)
    code, line = fails("filter", path, "--kernel", "box", "-o", "y.npy")
    assert code == 1
    assert "Permission denied" in line


def test_pillow_is_missing(fails, tmp_path, monkeypatch):
    source = tmp_path / "in.png"
    source.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    code, line = fails("filter", source, "--kernel", "box", "-o", tmp_path / "y.npy")
    assert code == 2
    assert "pyconv-nd[demo]" in line


# ---- TIFF ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(20, 24, 3), (20, 24, 4), (20, 24)])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_filter_keeps_all_bits_of_colours(command, tmp_path, rng, shape, dtype, planes):
    """Of which Pillow would read eight; every page, in the dtype that it has."""
    tifffile = pytest.importorskip("tifffile")
    arrays = [rng.integers(0, 60000, shape).astype(dtype) for _ in range(3)]
    path, out = tmp_path / "in.tif", tmp_path / "out.tif"
    with tifffile.TiffWriter(path) as writer:
        for array in arrays:
            colours = array.ndim == 3
            stored = np.moveaxis(array, -1, 0) if colours and planes == "separate" else array
            writer.write(
                stored, photometric="rgb" if colours else "minisblack", contiguous=False,
                planarconfig=planes if colours else None,
            )  # fmt: skip
    code, text, err = command("filter", path, "--kernel", "box", "-o", out)
    assert (code, err) == (0, "")
    assert text.startswith(f"{out}: 3 x 20 x 24")
    with tifffile.TiffFile(out) as file:
        found = [page.asarray() for page in file.pages]
    assert len(found) == 3
    for y, x in zip(found, arrays, strict=True):
        assert y.dtype == dtype
        assert y.shape == x.shape
        light = np.s_[..., :3] if x.ndim == 3 else np.s_[...]
        size = (3, 3, 1)[: x.ndim]
        exact = ndimage.uniform_filter(x[light].astype(float), size)
        np.testing.assert_allclose(y[light], exact, rtol=1e-5, atol=0.5001)
        if shape[-1] == 4:
            np.testing.assert_array_equal(y[..., 3], x[..., 3])
    one = tmp_path / "one.tif"
    assert command("filter", path, "--page", 2, "--kernel", "box", "-o", one)[0] == 0
    np.testing.assert_array_equal(tifffile.imread(one), found[1])


def test_filter_names_the_package_for_deep_colours(fails, tmp_path, monkeypatch):
    """Nothing is lost without a word; a damaged file, or a page that is not there, is one line."""
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("PIL.Image")
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, np.ones((8, 9, 3), np.uint16), photometric="rgb")
    options = ["--kernel", "box", "-o", tmp_path / "out.tif"]
    code, line = fails("filter", path, "--page", 2, *options)
    assert (code, "there is no page 2; it holds 1" in line) == (2, True)
    monkeypatch.setitem(sys.modules, "tifffile", None)
    code, line = fails("filter", path, *options)
    assert (code, "tifffile" in line) == (2, True)
    monkeypatch.undo()
    path.write_bytes(path.read_bytes()[:200])
    assert fails("filter", path, *options)[0] == 1
    (tmp_path / "text.tif").write_text("no picture")
    assert fails("filter", tmp_path / "text.tif", *options)[0] == 1


@pytest.mark.parametrize("shape", [(9, 11), (9, 11, 3), (9, 11, 4)], ids=str)
def test_filter_takes_pages_as_a_volume(command, film, tmp_path, shape):
    path, arrays = film(".tif", shape)
    out = tmp_path / "out.tif"
    result = command("filter", path, "--stack", "--kernel", "gaussian", "-o", out)
    assert result[0] == 0
    x = np.stack(arrays)
    light = np.s_[..., :3] if x.ndim == 4 else np.s_[...]
    expected = pyconv.filters.gaussian(x[light], 1, axes=(0, 1, 2), dtype=np.uint8)
    y = np.stack(pages(out))
    assert np.abs(y[light].astype(int) - expected).max() <= 1
    assert (y[light] != expected).mean() < 0.01  # a kernel of all axes rounds otherwise
    if shape[-1] == 4:
        np.testing.assert_array_equal(y[..., 3], x[..., 3])


def test_filter_takes_a_mask_for_a_volume(command, fails, film, tmp_path, rng):
    """One page for all, or one for each."""
    path, arrays = film(".tif", (9, 11))
    x, out = np.stack(arrays), tmp_path / "out.npy"
    mask = rng.random((5, 9, 11)) < 0.2
    image = pytest.importorskip("PIL.Image")
    first, *others = (image.fromarray(m.astype(np.uint8)) for m in mask)
    first.save(tmp_path / "masks.tif", save_all=True, append_images=others)
    first.save(tmp_path / "mask.png")
    options = [path, "--stack", "--kernel", "box", "--dtype", "float32", "-o", out]
    for name, left_out in (("masks.tif", mask), ("mask.png", np.stack([mask[0]] * 5))):
        assert command("filter", *options, "--mask", tmp_path / name)[0] == 0
        expected = pyconv.filters.box(x.astype(np.float32), 3, axes=(0, 1, 2), mask=left_out)
        np.testing.assert_allclose(np.load(out), expected, rtol=1e-4)
    image.fromarray(np.ones((3, 4), np.uint8)).save(tmp_path / "mask.png")
    code, line = fails("filter", *options, "--mask", tmp_path / "mask.png")
    assert (code, "(3, 4)" in line) == (2, True)


def test_a_stack_needs_pages_of_one_size(fails, array, tmp_path, rng):
    image = pytest.importorskip("PIL.Image")
    code, line = fails("filter", array[0], "--stack", "--kernel", "box", "-o", tmp_path / "y.npy")
    assert (code, "--axes 0,1,2" in line) == (2, True)
    first, other = (image.fromarray(np.zeros(s, np.uint8)) for s in ((4, 5), (6, 7)))
    first.save(tmp_path / "in.tif", save_all=True, append_images=[other])
    out = tmp_path / "y.tif"
    code, line = fails("filter", tmp_path / "in.tif", "--stack", "--kernel", "box", "-o", out)
    assert (code, "pages of one size" in line) == (1, True)


# ---- missing samples, progress, and help ---------------------------------------------------


@pytest.mark.parametrize(("word", "meant"), [("zobel", "sobel"), ("Gausian", "gaussian")])
def test_an_unknown_kernel_that_is_like_a_known_one(fails, array, word, meant):
    code, line = fails("filter", array[0], "--kernel", word, "-o", array[0])
    assert code == 2
    assert f"unknown kernel '{word}'; did you mean '{meant}'? known are " in line


def test_an_unknown_kernel_that_is_like_none(fails, array):
    _, line = fails("filter", array[0], "--kernel", "qqqq", "-o", array[0])
    assert "did you mean" not in line


def test_filter_leaves_out_what_the_mask_names(command, array, tmp_path, rng):
    path, values = array
    mask = rng.random(values.shape) < 0.2
    np.save(tmp_path / "mask.npy", mask)
    out = tmp_path / "out.npy"
    options = ["--kernel", "box", "--mask", tmp_path / "mask.npy", "-o", out]
    assert command("filter", path, *options)[0] == 0
    expected = pyconv.filters.box(values, 3, mask=mask)
    np.testing.assert_allclose(np.load(out), expected, rtol=1e-12)
    assert not np.allclose(expected, pyconv.filters.box(values, 3))


@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_filter_takes_a_picture_as_mask(command, picture, tmp_path, kind):
    """Of one channel for all colours, or white where samples are left out."""
    image = pytest.importorskip("PIL.Image")
    path, pixels = picture
    mask = np.zeros(pixels.shape[:2], np.uint8)
    mask[5:8, 9:17] = 255
    drawn = mask if kind == "grey" else np.repeat(mask[..., None], 3, axis=2)
    image.fromarray(drawn).save(tmp_path / "mask.png")
    out = tmp_path / "out.png"
    options = ["--kernel", "box", "--mask", tmp_path / "mask.png", "--nodata", 7, "-o", out]
    assert command("filter", path, *options)[0] == 0
    left_out = (mask[..., None] != 0) | (pixels == 7)
    mean = pyconv.filters.box(pixels.astype(float), 3, axes=(0, 1), mask=left_out)
    assert np.isnan(mean).any()
    np.testing.assert_array_equal(read(out), np.rint(np.where(np.isnan(mean), 7, mean)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_filter_leaves_nodata_out(command, tmp_path, rng, dtype):
    """A value that a float32 rounds is found; what saw nothing else has it again."""
    nodata = -9999 if dtype == "int16" else -9999.9
    values = rng.integers(0, 100, (12, 15)).astype(dtype)
    gap = np.zeros(values.shape, bool)
    gap[3:8, 4:9] = gap[0, 0] = True
    values[gap] = nodata
    np.save(tmp_path / "in.npy", values)
    out = tmp_path / "out.npy"
    options = ["--kernel", "box", "--nodata", nodata, "-o", out]
    assert command("filter", tmp_path / "in.npy", *options)[0] == 0
    mean = pyconv.filters.box(values.astype(float), 3, mask=gap)
    assert np.isnan(mean).sum() == 9
    expected = np.where(np.isnan(mean), nodata, mean)
    np.testing.assert_allclose(np.load(out), expected, rtol=1e-5)


def test_filter_omits_nan(command, fails, array, tmp_path):
    path, values = array
    values[4, 5] = np.nan
    np.save(path, values)
    out = tmp_path / "out.npy"
    for policy in ("propagate", "omit"):
        options = ["--kernel", "box", "--nan-policy", policy, "-o", out]
        assert command("filter", path, *options)[0] == 0
        expected = pyconv.filters.box(values, 3, nan_policy=policy)
        assert np.isnan(expected).sum() == (9 if policy == "propagate" else 0)
        np.testing.assert_allclose(np.load(out), expected, rtol=1e-12)
    assert "nan_policy" in fails(
        "filter", path, "--kernel", "box", "--nan-policy", "raise", "-o", out
    )[1]  # fmt: skip
    assert command("filter", path, "--kernel", "box", "--nodata", "nan", "-o", out)[0] == 0
    np.testing.assert_allclose(np.load(out), expected, rtol=1e-12)


def test_an_integer_result_without_any_sample_has_to_be_named(fails, command, tmp_path):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(np.full((9, 9), 5, np.uint8)).save(tmp_path / "in.png")
    np.save(tmp_path / "mask.npy", np.ones((9, 9), bool))
    options = [tmp_path / "in.png", "--kernel", "box", "--mask", tmp_path / "mask.npy"]
    code, line = fails("filter", *options, "-o", tmp_path / "out.png")
    assert code == 1
    assert "81 results saw no valid sample" in line
    assert "--nodata" in line
    assert not (tmp_path / "out.png").exists()
    assert command("filter", *options, "--nodata", 200, "-o", tmp_path / "out.png")[0] == 0
    assert (read(tmp_path / "out.png") == 200).all()


def test_a_mask_of_another_shape(fails, array, film, tmp_path):
    np.save(tmp_path / "mask.npy", np.ones((3, 4), bool))
    options = ["--kernel", "box", "--mask", tmp_path / "mask.npy", "-o", tmp_path / "y.npy"]
    code, line = fails("filter", array[0], *options)
    assert code == 2
    assert "--mask has shape (3, 4), and the input (12, 15)" in line
    path, _ = film(".tif", (3, 4))
    options[3], _ = film(".tiff", (3, 4)), path.rename(tmp_path / "other.tif")
    code, line = fails("filter", array[0], *options[:3], options[3][0], *options[4:])
    assert code == 2
    assert "--mask has 5 pages, and the input 1" in line


def test_a_large_batch_is_filtered_in_parts(command, tmp_path, rng, monkeypatch):
    """With the bits of one call; its mask is cut with it."""
    monkeypatch.setattr(filtering, "LARGE", 1)
    monkeypatch.setattr(filtering, "PART", 5 * 8 * 9 * 2)
    values, out = rng.standard_normal((7, 8, 9)), tmp_path / "out.npy"
    mask = rng.random(values.shape) < 0.1
    np.save(tmp_path / "in.npy", values)
    np.save(tmp_path / "mask.npy", mask)
    calls = []
    correlate = pyconv.correlate
    monkeypatch.setattr(
        pyconv, "correlate", lambda x, *a, **k: calls.append(len(x)) or correlate(x, *a, **k)
    )
    options = [tmp_path / "in.npy", "--kernel", "box", "-o", out]
    assert command("filter", *options)[0] == 0
    assert calls == [1] * 7
    np.testing.assert_array_equal(
        np.load(out), correlate(values, np.full((3, 3), 1 / 9), "same", "symmetric")
    )
    assert command("filter", *options, "--mask", tmp_path / "mask.npy")[0] == 0
    expected = correlate(values, np.full((3, 3), 1 / 9), "same", "symmetric", mask=mask)
    np.testing.assert_array_equal(np.load(out), expected)
    calls.clear()
    assert command("filter", *options, "--axes", "0,1,2")[0] == 0
    assert calls == [7]


@posix
def test_a_terminal_sees_the_progress_of_pages(film, tmp_path):
    """A bar after a second, on the terminal alone; without tqdm there is none."""
    pytest.importorskip("tqdm")
    program = (
        "import sys, time, tqdm\n"
        "from pyconv._commands import filtering\n"
        "sys.stderr.isatty = lambda: True\n"
        "for _ in filtering._in_progress([1, 2, 3]): time.sleep(0.6)\n"
    )
    elsewhere = program.replace("True", "False")
    without = program.replace(", tqdm", "; sys.modules['tqdm'] = None")
    for text, shown in ((program, True), (elsewhere, False), (without, False)):
        result = subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=60
        )
        assert ("page" in result.stderr) == shown, result.stderr


@pytest.mark.parametrize("arguments", [[], ["demo"], ["info"], ["filter"], ["bench"]], ids=" ".join)
def test_help_is_as_wide_as_the_terminal(command, arguments, monkeypatch):
    """Paragraphs are filled; examples are left alone."""
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = command(*arguments, "--help")
    text = out[: out.index("Examples:")]
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(r"^[A-Z][^\n]*(\n\w[^\n]*)*\.$", text, re.MULTILINE)  # a sentence


# ---- the benchmark -------------------------------------------------------------------------


def test_every_call_of_the_benchmark_agrees_with_its_peers():
    for case in bench.cases():
        y = case.pyconv(None)
        for peer in case.peers:
            try:
                module = importlib.import_module(peer.module)
            except ImportError:
                continue
            found = peer.call(module).astype(float)
            bound = case.tolerance * np.abs(y).max()
            assert np.abs(found - y).max() <= bound, (case.name, peer.library)


def test_the_benchmark(command, monkeypatch):
    """Each call has a time, each peer a factor; what is not installed, or differs, is named."""
    monkeypatch.setattr(bench, "best_time", lambda call: call() is None or 0.002)
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    code, out, err = command("bench", "--workers", 1)
    assert (code, err) == (0, "")
    assert out.startswith(f"pyconv {pyconv.__version__} on ")
    assert "up to 1 thread\n" in out
    assert out.count("\n  pyconv ") == len(bench.cases())
    assert re.search(r"^  SciPy +2 ms +1\.0x$", out, re.MULTILINE)
    assert "Not installed, and left out: OpenCV, torch." in out
    first = bench.cases()[0]
    wrong = bench.Peer("wrong", "numpy", lambda m: m.zeros(first.x.shape))
    monkeypatch.setattr(
        bench, "cases", lambda: [bench.Case(first.name, first.x, first.pyconv, (wrong,))]
    )
    assert re.search(
        r"^  wrong .*its result differs by .*: not timed$", command("bench")[1], re.MULTILINE
    )


def test_the_benchmark_refuses_zero_workers(fails):
    code, line = fails("bench", "--workers", 0)
    assert code == 2
    assert "workers=0" in line


# ---- the demo ------------------------------------------------------------------------------

DEMO = {"matplotlib": "matplotlib", "pywt": "PyWavelets", "skimage": "scikit-image"}


@pytest.fixture
def demo_extra():
    """Skip the test where the ``demo`` extra is not installed."""
    for module in (*DEMO, "nibabel", "PIL"):
        pytest.importorskip(module, reason="needs the demo extra")


@pytest.mark.parametrize("module", ["pywt", "skimage", "nibabel", "matplotlib"])
def test_the_demo_names_what_is_missing(fails, monkeypatch, tmp_path, module):
    for other in (*DEMO, "nibabel"):
        if other != module:
            pytest.importorskip(other)
    for name in [n for n in sys.modules if n.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    code, line = fails("demo", "--out", tmp_path / "pictures")
    assert code == 2
    assert DEMO.get(module, module) in line
    assert "pyconv-nd[demo]" in line
    assert not (tmp_path / "pictures").exists()


@pytest.mark.usefixtures("demo_extra")
def test_the_demo_cannot_save(fails, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for out in (file, file / "deeper"):
        code, line = fails("demo", "--out", out)
        assert code == 1
        assert "--out" in line


@pytest.mark.usefixtures("demo_extra")
def test_the_demo_refuses_zero_workers(fails, tmp_path):
    code, line = fails("demo", "--workers", 0, "--out", tmp_path)
    assert code == 2
    assert "workers=0" in line


@pytest.mark.usefixtures("demo_extra")
def test_every_case_of_the_demo_agrees_with_scipy():
    dtypes = set()
    for recording in (demo_data.ecg(), demo_data.photograph(), demo_data.volume()):
        for case in getattr(demo_cases, f"{recording.name}_cases")(recording):
            y = case.pyconv(None)
            dtypes.add(y.dtype)
            scale = 1 if y.dtype.kind in "iu" else np.finfo(y.dtype).eps
            products = case.kernels[0].size
            size = max(float(np.abs(w).sum()) for w in case.kernels) * np.abs(case.x).max()
            for function in demo_cases.SCIPY.values():
                difference = np.abs(y - case.scipy(function, y.dtype).astype(y.dtype)).max()
                bound = 0 if y.dtype.kind in "iu" else 2 * (products + 20) * scale * size
                assert difference <= bound, (case.filter, function)
            if case.own is not None:
                difference = np.abs(y - case.scipy_own(y.dtype)).max()
                assert difference <= bound, (case.filter, case.own)
            assert case.algorithm() in pyconv._engine.planning.METHODS
    assert {np.dtype(t) for t in ("uint8", "int64", "float32", "float64")} <= dtypes


@pytest.mark.usefixtures("demo_extra")
def test_the_demo(tmp_path):
    result = run(cwd=tmp_path)  # no argument at all
    assert (result.returncode, result.stderr) == (0, "")
    assert sorted(p.name for p in (tmp_path / "pyconv-demo").iterdir()) == [
        "ecg.png",
        "photograph.png",
        "volume.png",
    ]
    for path in (tmp_path / "pyconv-demo").iterdir():
        pixels = read(path)
        assert min(pixels.shape[:2]) > 500
        assert pixels[..., :3].std() > 20  # something is drawn
    lines = result.stdout.splitlines()
    table = lines[lines.index(demo.HEADER) + 2 :]
    table = table[: table.index("")]
    assert table[0].startswith("photo")  # where there is work to do
    *table, _, last = table
    assert len(table) >= 12
    names = "|".join(algorithm.name for algorithm in ALGORITHMS)
    for line in table:
        assert re.search(rf" ({names}) .* \d[\d.]* (s|ms|us) .* \d+\.\dx$", line)
    assert re.search(rf"^total +{len(table)} filters +\S+ m?s +\S+ m?s +\d+\.\dx$", last)
    short = lines[lines.index(demo.SHORT_HEADER) + 2 :]
    short = short[: short.index("")]
    assert len(short) >= 4
    for line in short:
        assert re.search(r"^ECG 1024 .*( +\d[\d.]* (ms|us)){3}( +\d+\.\dx){2}$", line)
    assert "overhead" in result.stdout
    for path in (tmp_path / "pyconv-demo").iterdir():
        assert f"  {path.relative_to(tmp_path)}" in lines
    assert lines[-1].startswith("next: python -m pyconv filter ")


def test_best_time_is_that_of_one_call():
    assert 0.005 <= demo.best_time(lambda: time.sleep(0.005)) < 0.1
    assert demo.best_time(lambda: None) < 1e-4


def test_seconds_keeps_three_digits():
    assert [demo.seconds(t) for t in (2.5, 0.0123456, 4.56789e-6)] == [
        "2.5 s",
        "12.3 ms",
        "4.57 us",
    ]
