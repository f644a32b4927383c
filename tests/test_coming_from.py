"""What the page "Coming from …" says in place of other libraries' calls gives their results."""

import math
import re

import numpy as np
import pytest
import source_tree
from scipy import ndimage, signal

import pyconv
from pyconv import filters

RNG = np.random.default_rng(5)
GREY = RNG.integers(0, 256, (40, 50), np.uint8)
COLOUR = RNG.integers(0, 256, (40, 50, 3), np.uint8)
LIGHT = RNG.random((40, 50), np.float32)
KERNEL = RNG.random((5, 7))
EVEN = RNG.random((4, 6))
NOISE = RNG.standard_normal(200)


def pairs_of(library):
    """Return the rows of a library's section: what it writes, and what pyconv does."""
    page = source_tree.file("docs/coming_from.rst").read_text(encoding="utf-8")
    section = re.search(rf"^{library}\n-+\n(.*?)(?=^\S+\n-+\n|\Z)", page, re.M | re.S).group(1)  # noqa: FURB167
    rows = re.findall(r"\* - (.*?)\n     - (.*?)(?=\n   \*|\n\n|\Z)", section, re.DOTALL)
    return [tuple(" ".join(cell.split()) for cell in row) for row in rows]


def code(cell):
    """Return the code of a cell that is nothing else."""
    match = re.fullmatch(r"``([^`]*)``(, .*| with ``(.*)``)?", cell)
    return (match.group(1), match.group(3)) if match else (None, None)


def value(expression, **names):
    return eval(expression, {"np": np, "math": math, "pyconv": pyconv, "filters": filters, **names})


def compared(library, names, kinds):
    """Compare each row that is code on both sides; return how many were."""
    count = 0
    for theirs, ours in pairs_of(library):
        (expected, _), (found, setting) = code(theirs), code(ours)
        if expected is None or found is None or "(" not in expected:
            continue
        for kind in kinds(theirs):
            scope = {**names, **kind}
            if setting:
                name, expression = setting.split(" = ")
                scope[name] = value(expression, **scope)
            a, b = value(expected, **scope), value(found, **scope)
            if isinstance(a, tuple):
                continue
            assert a.shape == b.shape, (theirs, ours)
            tolerance = 1 if b.dtype == np.uint8 else 2e-4 * max(1, np.abs(b).max())
            difference = np.abs(np.asarray(a, float) - np.asarray(b, float))
            assert difference.max() <= tolerance, (theirs, ours)
            if b.dtype == np.uint8:
                assert np.mean(difference > 0) < 0.4, (theirs, ours)
            assert library != "OpenCV" or a.dtype == b.dtype, (theirs, ours)
            count += 1
    return count


def test_scipy():
    names = {"ndimage": ndimage, "signal": signal, "b": signal.firwin(11, 0.3)}

    def kinds(call):
        if call.startswith(("``np.", "``signal.filtfilt")):
            return [{"x": NOISE, "w": NOISE[:9]}]
        x = RNG.standard_normal((40, 50))
        return [{"x": x, "w": w} for w in (KERNEL, EVEN)]

    assert compared("SciPy", names, kinds) >= 12


def test_complex_weights_are_conjugated_as_scipy_does():
    x, w = RNG.standard_normal((2, 30)) + 1j * RNG.standard_normal((2, 30))
    w = w[:7]
    expected = signal.correlate(x, w, "same")
    np.testing.assert_allclose(pyconv.correlate(x, w, "same"), expected)


def test_opencv():
    cv2 = pytest.importorskip("cv2")
    names = {"cv2": cv2, "row": NOISE[:5] ** 2, "column": NOISE[5:12] ** 2, "t": GREY[10:20, 12:25]}
    names["w"] = KERNEL / KERNEL.sum()

    def kinds(call):
        if "float32" in call:
            return [{"img": LIGHT}]
        if "Template" in call:
            return [{"img": GREY}]
        if "Sobel" in call or "Laplacian" in call or "sepFilter" in call:
            return [{"img": GREY}, {"img": COLOUR}]
        return [{"img": img} for img in (GREY, COLOUR, *([LIGHT] if "8 bits" not in call else []))
                if img.dtype == np.uint8 or "saturate" not in call]  # fmt: skip

    names["row"] /= names["row"].sum()
    names["column"] /= names["column"].sum()
    assert compared("OpenCV", names, kinds) >= 12


@pytest.mark.filterwarnings("ignore")
def test_astropy():
    convolution = pytest.importorskip("astropy.convolution")
    x = RNG.standard_normal((40, 50))
    x[5:7, 8] = x[20, 30] = np.nan
    w = np.outer([1, 2, 3, 2, 1], [1, 3, 5, 3, 2.0])

    names = {name: each for name, each in vars(convolution).items() if callable(each)}
    assert compared("astropy", names, lambda _: [{"x": x, "w": w}]) >= 4
    theirs = convolution.Gaussian2DKernel(2).array
    np.testing.assert_allclose(
        pyconv.kernels.gaussian(2, truncate=4), theirs / theirs.sum(), atol=1e-6
    )


def test_torch():
    torch = pytest.importorskip("torch")
    x, w = RNG.standard_normal((2, 3, 12, 13)), RNG.standard_normal((4, 3, 3, 3))
    theirs = torch.nn.functional.conv2d(*map(torch.from_numpy, (x, w)), stride=2, padding=1)
    ours = pyconv.nn.functional.conv2d(x, w, stride=2, padding=1)
    np.testing.assert_allclose(ours, theirs.numpy())


def conv2(a, b):
    """Return MATLAB's ``conv2(a, b, 'same')``: from the row ⌈(k + 1)/2⌉ on, counted from 1."""
    full = signal.convolve2d(a, b)
    starts = [math.ceil((k + 1) / 2) - 1 for k in b.shape]
    return full[tuple(slice(s, s + n) for s, n in zip(starts, a.shape, strict=True))]


@pytest.mark.parametrize("w", [KERNEL, EVEN], ids=["odd", "even"])
def test_matlab(w):
    """By the definitions of its documentation."""
    rows = [code(ours)[0] for theirs, ours in pairs_of("MATLAB") if "'same'" in theirs]
    a = LIGHT.astype(float)
    for row in rows if w is KERNEL else rows[1:]:
        np.testing.assert_allclose(value(row, A=a, B=w), conv2(a, w))
    (row,) = (code(ours)[0] for theirs, ours in pairs_of("MATLAB") if "filter(b, 1, x)" in theirs)
    b = NOISE[:6]
    np.testing.assert_allclose(value(row, x=NOISE, b=b), signal.lfilter(b, 1, NOISE))
    (row,) = (code(ours)[0] for theirs, ours in pairs_of("MATLAB") if "movmean" in theirs)
    for k in (5, 6):
        means = [NOISE[max(0, i - k // 2) : i + (k - 1) // 2 + 1].mean() for i in range(NOISE.size)]
        np.testing.assert_allclose(value(row, x=NOISE, k=k), means)


def test_imagej():
    """Its unsharp mask is (I − m G) / (1 − m)."""
    (row,) = (code(ours)[0] for theirs, ours in pairs_of("ImageJ") if "Unsharp" in theirs)
    blurred = filters.gaussian(GREY.astype(float), 2, boundary="nearest")
    expected = np.clip(np.rint((GREY - 0.6 * blurred) / 0.4), 0, 255)
    assert np.abs(value(row, img=GREY, s=2, m=0.6) - expected).max() <= 1


def test_xarray():
    """``apply_ufunc`` moves the named dimensions to the end."""
    xarray = pytest.importorskip("xarray")
    field = xarray.DataArray(RNG.random((20, 4, 30)), dims=("y", "time", "x"))
    smooth = xarray.apply_ufunc(
        filters.gaussian, field, kwargs={"sigma": 2, "axes": (-2, -1)},
        input_core_dims=[["y", "x"]], output_core_dims=[["y", "x"]],
    )  # fmt: skip
    expected = filters.gaussian(field.values, 2, axes=(0, 2))
    np.testing.assert_allclose(smooth.transpose("y", "time", "x").values, expected)


WORDS = (
    "background subtraction", "band-pass", "zero-phase", "TIFF", "nodata", "xarray", "GaussianBlur",
    "moving average", "uint16",
)  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_words_that_people_search_for_are_in_the_documentation(word):
    """A search finds a page by its words."""
    root = source_tree.file("docs")
    pages = [*root.glob("*.rst"), *root.glob("howto/**/*.py"), *root.glob("howto/**/*.rst")]
    assert any(word.lower() in page.read_text(encoding="utf-8").lower() for page in pages)
