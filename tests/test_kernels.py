"""Kernels by name: laws over the whole table, and SciPy, scikit-image and formulas as oracles."""

import itertools
import math

import numpy as np
import pytest
from scipy import ndimage

import pyconv
from pyconv import kernels
from pyconv.kernels import KERNELS

#: Arguments that are no special case, for each parameter of the table.
SOME = {
    "sigma": 1.3, "size": 4, "radius": 2.6, "length": 6.5, "wavelength": 5.0, "orientation": 0.7,
}  # fmt: skip
ROWS = [(name, n) for name, row in KERNELS.items() for n in row.ndims]
WHOLE = ("edge", "emboss", "laplace", "prewitt", "roberts", "scharr", "sharpen", "sobel")
DIFFERENCES = {"sobel": (1, 2, 1), "prewitt": (1, 1, 1), "scharr": (3, 10, 3)}


def make(name, n, **keywords):
    """Return the kernel of a row in ``n`` dimensions."""
    row = KERNELS[name]
    given = {word: SOME[word] for word in row.parameters}
    if name == "gabor" and n == 1:
        given["orientation"] = 0.0
    if len(row.ndims) > 1:
        given["ndim"] = n
    return row.make(**given, **keywords)


# ---- laws of the table ------------------------------------------------------------------------


def test_the_table_is_what_the_module_has():
    functions = {name for name in kernels.__all__ if callable(getattr(kernels, name))}
    assert functions == set(KERNELS)
    assert all(KERNELS[name].make is getattr(kernels, name) for name in functions)


@pytest.mark.parametrize(("name", "n"), ROWS)
def test_weights_sum_to_what_the_table_says(name, n):
    w = make(name, n)
    assert w.ndim == n
    if name in WHOLE:
        assert w.dtype == np.int64
        assert w.sum() == KERNELS[name].total
    else:
        assert w.dtype == np.float64
        assert w.sum() == pytest.approx(KERNELS[name].total, abs=1e-14)


@pytest.mark.parametrize(("name", "n"), ROWS)
def test_the_centre_is_the_middle(name, n):
    """An odd number of taps, but for what has no middle."""
    even = name == "roberts" or name == "box"
    assert all(size % 2 == (not even) for size in make(name, n).shape)


@pytest.mark.parametrize(("name", "n"), ROWS)
def test_dtype_rounds_the_same_weights(name, n):
    w = make(name, n)
    for dtype in (np.float32, np.float16):
        np.testing.assert_array_equal(make(name, n, dtype=dtype), w.astype(dtype), strict=True)
    if name in WHOLE:
        np.testing.assert_array_equal(make(name, n, dtype=np.int16), w.astype(np.int16))
        with pytest.raises(ValueError, match="dtype=uint8 cannot hold weights from -"):
            make(name, n, dtype=np.uint8)
    else:
        with pytest.raises(TypeError, match="dtype=int64: floating-point dtypes are allowed"):
            make(name, n, dtype=int)
    with pytest.raises(TypeError, match="dtype=complex128"):
        make(name, n, dtype=complex)


@pytest.mark.parametrize(("name", "n"), ROWS)
def test_symmetry(name, n):
    """Every kernel is even about its centre, along each axis or through it, or it is odd."""
    w = make(name, n)
    if KERNELS[name].direction == "axis":
        for axis in range(n):
            v = KERNELS[name].make(axis, n)
            for a in range(n):
                np.testing.assert_array_equal(np.flip(v, a), -v if a == axis else v)
            np.testing.assert_array_equal(v, KERNELS[name].make(axis - n, n))
    elif name == "roberts":
        np.testing.assert_array_equal(np.flip(w), -w)
    elif name == "emboss":
        slope = w - np.pad([[1]], 1)
        np.testing.assert_array_equal(np.flip(slope), -slope)
    elif name in ("motion", "gabor"):
        np.testing.assert_allclose(np.flip(w), w, rtol=0, atol=1e-15)
    else:
        for a in range(n):
            np.testing.assert_allclose(np.flip(w, a), w, rtol=0, atol=1e-15)
            np.testing.assert_allclose(np.swapaxes(w, 0, a), w, rtol=0, atol=1e-15)


# ---- differences: what they answer to polynomials --------------------------------------------


def field(n, function):
    """Return the values of a function of n whole coordinates."""
    return function(*np.mgrid[(slice(-3, 4),) * n])


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_ramp_is_answered_with_its_slope(name, n):
    smooth = DIFFERENCES[name]
    for axis in range(n):
        ramp = field(
            n, lambda *u, a=axis: 5 * u[a] + 7 + 11 * sum(u[b] for b in range(n) if b != a)
        )
        y = pyconv.correlate(ramp, KERNELS[name].make(axis, n))
        assert np.all(y == 5 * 2 * sum(smooth) ** (n - 1))


def test_roberts_is_positive_downwards():
    down = field(2, lambda v, u: 3 * v + 5 * u)
    assert np.all(pyconv.correlate(down, kernels.roberts(0)) == 3 + 5)
    assert np.all(pyconv.correlate(down, kernels.roberts(1)) == 3 - 5)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_second_differences_are_exact_on_quadratics(n):
    """∇² Σ (a + 1) u_a² + ramp = 2 Σ (a + 1); diagonals count 3^(n − 1) times."""
    x = field(n, lambda *u: sum((a + 1) * u[a] ** 2 + 4 * u[a] for a in range(n)) + 1)
    exact = sum(2 * (a + 1) for a in range(n))
    assert np.all(pyconv.correlate(x, kernels.laplace(n)) == exact)
    assert np.all(pyconv.correlate(x, kernels.laplace(n, diagonals=True)) == 3 ** (n - 1) * exact)
    inside = x[(slice(1, -1),) * n]
    assert np.all(pyconv.correlate(x, kernels.sharpen(n)) == inside - exact)
    sharper = pyconv.correlate(x, kernels.sharpen(n, diagonals=True))
    assert np.all(sharper == inside - 3 ** (n - 1) * exact)
    assert np.all(pyconv.correlate(x, kernels.edge(n)) == -(3 ** (n - 1)) * exact)


def test_kernels_of_the_textbook():
    np.testing.assert_array_equal(kernels.edge(), [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]])
    np.testing.assert_array_equal(kernels.sharpen(), [[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    np.testing.assert_array_equal(kernels.laplace(1), [1, -2, 1])
    np.testing.assert_array_equal(kernels.sobel(0), [[-1, -2, -1], [0, 0, 0], [1, 2, 1]])


# ---- Gaussians --------------------------------------------------------------------------------


def impulse_response(filtered, radius):
    """Return the kernel under correlate of a filter of ndimage along one axis."""
    impulse = np.zeros(2 * radius + 1)
    impulse[radius] = 1
    return filtered(impulse)[::-1]


@pytest.mark.parametrize("order", range(5))
@pytest.mark.parametrize("sigma", [0.6, 1.0, 2.5])
def test_gaussians_are_those_of_ndimage(sigma, order):
    for cut in ({"truncate": 4.0}, {"truncate": 2.5}, {"radius": 3}):
        radius = cut.get("radius", int(cut.get("truncate", 0) * sigma + 0.5))
        expected = impulse_response(
            lambda x, c=cut: ndimage.gaussian_filter1d(x, sigma, order=order, mode="constant", **c),
            radius,
        )
        w = kernels.gaussian(sigma, order, ndim=1, **cut)
        np.testing.assert_allclose(w, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("order", range(4))
def test_gaussian_derivatives_differentiate(order):
    """Σ u^k w(u) = k! where the kernel is sampled finely and cut late; lower powers give 0."""
    w = kernels.gaussian(2.0, order, ndim=1, truncate=9)
    u = np.arange(len(w)) - len(w) // 2
    for power in range(order + 1):
        moment = (u.astype(float) ** power * w).sum()
        assert moment == pytest.approx(math.factorial(order) * (power == order), abs=1e-10)


@pytest.mark.parametrize("sigma", [1.0, 1.7, 6.0])
def test_first_derivative_of_a_ramp_is_within_what_is_documented(sigma):
    w = kernels.gaussian(sigma, 1, ndim=1)
    u = np.arange(len(w)) - len(w) // 2
    smooth = kernels.gaussian(sigma, ndim=1)
    assert (u * w).sum() == pytest.approx((u**2 * smooth).sum() / sigma**2, rel=1e-13)
    assert (u * w).sum() == pytest.approx(1, rel=2e-3)


def test_axes_of_a_gaussian_are_its_factors():
    w = kernels.gaussian((0.8, 1.5, 2.0), (0, 1, 2), radius=(1, 3, 4))
    rows = [kernels.gaussian(s, o, ndim=1, radius=r)
            for s, o, r in [(0.8, 0, 1), (1.5, 1, 3), (2.0, 2, 4)]]  # fmt: skip
    np.testing.assert_allclose(w, np.einsum("i,j,k->ijk", *rows), rtol=1e-15)
    np.testing.assert_array_equal(kernels.gaussian(1.0), kernels.gaussian((1.0, 1.0)))
    np.testing.assert_array_equal(kernels.gaussian(1.0, ndim=3), kernels.gaussian([1, 1, 1]))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_log_is_ndimages_without_its_answer_to_flat_areas(n):
    sigma, radius = 1.4, 6
    x = np.zeros((2 * radius + 1,) * n)
    x[(radius,) * n] = 1
    theirs = ndimage.gaussian_laplace(x, sigma, mode="constant")
    w = kernels.log(sigma, ndim=n)
    smooth = kernels.gaussian(sigma, ndim=n)
    np.testing.assert_allclose(w, theirs - theirs.sum() * smooth, rtol=0, atol=1e-15)
    assert abs(theirs.sum()) < 1e-3


@pytest.mark.parametrize("n", [1, 2, 3])
def test_dog_is_a_difference_and_nearly_a_log(n):
    narrow, wide = 2.0, 2.1
    w = kernels.dog(narrow, wide, ndim=n, truncate=5)
    radius = w.shape[0] // 2
    expected = kernels.gaussian(narrow, ndim=n, radius=radius)
    expected -= kernels.gaussian(wide, ndim=n, radius=radius)
    np.testing.assert_allclose(w, expected, rtol=0, atol=1e-16)
    log = kernels.log(np.sqrt((narrow**2 + wide**2) / 2), ndim=n, radius=radius)
    difference = np.abs(w + (wide**2 - narrow**2) / 2 * log).max()
    assert difference < 5e-3 * np.abs(w).max()
    np.testing.assert_array_equal(kernels.dog(1.5), kernels.dog(1.5, 1.6 * 1.5))


def test_unsharp_adds_what_the_gaussian_takes():
    smooth = kernels.gaussian((1.0, 2.0))
    impulse = np.zeros(smooth.shape)
    impulse[4, 8] = 1
    w = kernels.unsharp((1.0, 2.0), 0.7)
    np.testing.assert_allclose(w, impulse + 0.7 * (impulse - smooth), rtol=0, atol=1e-15)


@pytest.mark.parametrize("size", [1, 2, 5, (3, 4), (2, 3, 5)])
def test_a_box_is_uniform(size):
    w = kernels.box(size)
    assert w.shape == (size if isinstance(size, tuple) else (size, size))
    np.testing.assert_allclose(w, 1 / w.size, rtol=1e-15)


# ---- disks, lines, waves ----------------------------------------------------------------------


@pytest.mark.parametrize("radius", [0.5, 1, 1.5, 2, 5, 10.5, 31.2])
def test_the_area_of_a_disk(radius):
    w = kernels.disk(radius)
    r = w.shape[0] // 2
    inside = [[u * u + v * v <= radius**2 for u in range(-r, r + 1)] for v in range(-r, r + 1)]
    np.testing.assert_array_equal(w > 0, inside)
    assert r == int(radius)
    area = np.count_nonzero(w)
    assert abs(area - math.pi * radius**2) <= 2 * math.sqrt(2) * math.pi * (radius + 1)
    np.testing.assert_allclose(w[w > 0], 1 / area, rtol=1e-15)


@pytest.mark.parametrize("radius", [1, 2.3, 8])
def test_the_middle_of_a_ball_is_a_disk(radius):
    w = kernels.ball(radius)
    np.testing.assert_array_equal(w[int(radius)] > 0, kernels.disk(radius) > 0)
    volume = np.count_nonzero(w)
    assert abs(volume - 4 / 3 * math.pi * radius**3) < 4 * math.pi * (radius + 1) ** 2


@pytest.mark.parametrize("orientation", [0, 0.3, math.pi / 4, 1.2, math.pi / 2, 2.5, -0.3])
@pytest.mark.parametrize("length", [0.4, 1, 3, 4, 9.7])
def test_motion_is_the_time_spent_in_each_square(length, orientation):
    w = kernels.motion(length, orientation)
    t = (np.arange(200_000) + 0.5) / 200_000 * length - length / 2
    v = np.rint(t * math.sin(orientation)).astype(int) + w.shape[0] // 2
    u = np.rint(t * math.cos(orientation)).astype(int) + w.shape[1] // 2
    expected = np.zeros(w.shape)
    np.add.at(expected, (v, u), 1 / len(t))
    np.testing.assert_allclose(w, expected, rtol=0, atol=2e-5)
    np.testing.assert_allclose(
        kernels.motion(length, orientation + math.pi / 2), np.rot90(w, -1), rtol=0, atol=1e-12
    )


def test_motion_along_a_row_is_a_mean():
    np.testing.assert_allclose(kernels.motion(5), kernels.box((1, 5)), rtol=1e-15)


GABORS = [
    {"wavelength": 6.0},
    {"wavelength": 5.5, "orientation": 0.6, "sigma": 2.5, "aspect": 0.5, "phase": 0.4},
    {"wavelength": 4.0, "orientation": 2.4, "sigma": 3.0, "aspect": 1.6, "phase": -math.pi / 2},
]


@pytest.mark.parametrize("parameters", GABORS)
@pytest.mark.parametrize("zero_mean", [False, True])
def test_gabor_is_its_formula(parameters, zero_mean):
    w = kernels.gabor(**parameters, zero_mean=zero_mean, radius=(9, 7))
    wave = parameters["wavelength"]
    sigma = parameters.get("sigma", 3 * math.sqrt(math.log(2) / 2) / math.pi * wave)
    theta, psi = parameters.get("orientation", 0), parameters.get("phase", 0)
    gamma = parameters.get("aspect", 1)
    envelope, waves = {}, {}
    for y, x in itertools.product(range(-9, 10), range(-7, 8)):
        along = x * math.cos(theta) + y * math.sin(theta)
        across = -x * math.sin(theta) + y * math.cos(theta)
        envelope[y, x] = math.exp(-(along**2 + gamma**2 * across**2) / (2 * sigma**2))
        waves[y, x] = math.cos(2 * math.pi * along / wave + psi)
    total = math.fsum(envelope.values())
    mean = math.fsum(envelope[at] * waves[at] for at in waves) / total if zero_mean else 0
    for (y, x), g in envelope.items():
        assert w[y + 9, x + 7] == pytest.approx(g / total * (waves[y, x] - mean), abs=1e-15)


@pytest.mark.parametrize("parameters", GABORS)
def test_gabor_ends_where_the_gaussian_does(parameters):
    """At its longest, the ellipse of three standard deviations touches the border."""
    w = kernels.gabor(**parameters, zero_mean=False)
    wide = kernels.gabor(**parameters, zero_mean=False, radius=40)
    cut = [slice(40 - k // 2, 41 + k // 2) for k in w.shape]
    lost = np.abs(wide).sum() - np.abs(wide[tuple(cut)]).sum()
    assert 0 < lost < 0.02 * np.abs(wide).sum()


def test_gabor_along_one_axis_is_a_row_of_two():
    row = kernels.gabor(7.0, sigma=3.0, phase=0.3, ndim=1)
    plane = kernels.gabor(7.0, sigma=3.0, phase=0.3, radius=(0, len(row) // 2))
    np.testing.assert_allclose(plane[0], row, rtol=0, atol=1e-15)


def test_gabor_turns_with_its_orientation():
    w = kernels.gabor(6.0, 0.4, 2.5, 0.7, 0.2)
    np.testing.assert_allclose(
        kernels.gabor(6.0, 0.4 + math.pi / 2, 2.5, 0.7, 0.2), np.rot90(w, -1), rtol=0, atol=1e-15
    )


@pytest.mark.parametrize("orientation", [0, 0.5, 1.9])
def test_gabor_answers_its_own_wave(orientation):
    """With about half its amplitude, the odd phase where samples grow along the wave."""
    v, u = np.mgrid[-40:41, -40:41]
    along = u * math.cos(orientation) + v * math.sin(orientation)
    for phase in (0, -math.pi / 2):
        wave = np.cos(2 * math.pi * along / 8 + phase)
        w = kernels.gabor(8, orientation, phase=phase)
        y = pyconv.correlate(wave, w, "same")
        assert y[40, 40] == pytest.approx(0.5, abs=0.01)
    assert pyconv.correlate(along, w, "same")[40, 40] > 0


# ---- scikit-image, where it means the same ----------------------------------------------------


def test_skimage_gabor_has_the_same_wave():
    filters = pytest.importorskip("skimage.filters")
    theirs = filters.gabor_kernel(1 / 6, 0.6, sigma_x=2.5, sigma_y=5.0, offset=0.4).real
    radius = [k // 2 for k in theirs.shape]
    ours = kernels.gabor(6.0, 0.6, 2.5, 0.5, 0.4, zero_mean=False, radius=radius)
    # Theirs is divided by 2πσ²/γ, ours by the sum of the samples that are left.
    np.testing.assert_allclose(ours, theirs, rtol=0.01, atol=1e-9)


def test_skimage_disk_and_ball_hold_the_same_samples():
    morphology = pytest.importorskip("skimage.morphology")
    for radius in (1, 3, 6):
        np.testing.assert_array_equal(kernels.disk(radius) > 0, morphology.disk(radius))
        np.testing.assert_array_equal(kernels.ball(radius) > 0, morphology.ball(radius))


# ---- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernels.gaussian(0), "sigma=0: positive numbers are allowed"),
        (lambda: kernels.gaussian((1, -2)), r"sigma=\(1, -2\): positive"),
        (lambda: kernels.gaussian(math.nan), "sigma=nan: a finite number"),
        (lambda: kernels.gaussian((1, 2), ndim=3), r"sigma=\(1, 2\) has 2 entries.*3 axes"),
        (lambda: kernels.gaussian((1, 1, 1, 1)), "ndim=4: 1, 2, 3 are allowed"),
        (lambda: kernels.gaussian(1, -1), "order=-1: integers of at least 0"),
        (lambda: kernels.gaussian(1, (1, 0, 0)), r"order=\(1, 0, 0\) has 3 entries"),
        (lambda: kernels.gaussian(1, truncate=0), "truncate=0: a positive"),
        (lambda: kernels.gaussian(1, radius=-1), "radius=-1: integers of at least 0"),
        (lambda: kernels.gaussian(1e300), "sigma=1e.300 needs a kernel of about"),
        (lambda: kernels.gaussian(2000, ndim=2), "sigma=2000 needs a kernel of 16001 × 16001"),
        (lambda: kernels.gaussian(1, radius=10**9), "radius=1000000000 needs a kernel"),
        (lambda: kernels.box(0), "size=0: integers of at least 1"),
        (lambda: kernels.box(5000), "size=5000 needs a kernel of 5000 × 5000 weights"),
        (lambda: kernels.disk(-1), "radius=-1: a positive"),
        (lambda: kernels.ball(1e9), "radius=1000000000.0 needs a kernel"),
        (lambda: kernels.motion(0), "length=0: a positive"),
        (lambda: kernels.motion(1e9), "length=1000000000.0 needs a kernel"),
        (lambda: kernels.motion(3, math.inf), "orientation=inf: a finite number"),
        (lambda: kernels.sobel(2), "axis=2: a kernel of 2 dimensions has axes -2 to 1"),
        (lambda: kernels.scharr(0, 4), "ndim=4: 1, 2, 3 are allowed"),
        (lambda: kernels.roberts(2), "diagonal=2: 0 and 1 are allowed"),
        (lambda: kernels.dog(2, 1), "wider=1: more than sigma=2 is allowed"),
        (lambda: kernels.dog(2, (3, 2)), r"wider=\(3, 2\): more than sigma=2"),
        (lambda: kernels.gabor(1.9), "wavelength=1.9: numbers of at least 2"),
        (lambda: kernels.gabor(4, 0.1, ndim=1), "orientation=0.1: 0 is allowed where ndim=1"),
        (lambda: kernels.gabor(4, aspect=0), "aspect=0: a positive"),
        (lambda: kernels.gabor(4, ndim=3), "ndim=3: 1, 2 are allowed"),
        (lambda: kernels.gabor(4, sigma=1e9), "sigma=1000000000.0 needs a kernel"),
        (lambda: kernels.unsharp(1, math.inf), "amount=inf: a finite number"),
    ],
)
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernels.gaussian("1"), "sigma='1': a number is allowed"),
        (lambda: kernels.gaussian(1, 0.5), "order=0.5: integers are allowed"),
        (lambda: kernels.gaussian(1, ndim=2.0), "ndim=2.0: integers"),
        (lambda: kernels.box(2.5), "size=2.5: integers"),
        (lambda: kernels.disk(True), "radius=True: a number"),
        (lambda: kernels.sobel(0.0), "axis=0.0: integers"),
        (lambda: kernels.motion([3]), r"length=\[3\]: a number"),
        (lambda: kernels.gabor(4, None), "orientation=None: a number"),
        (lambda: kernels.sobel(dtype="no"), "dtype: 'no' is not a dtype"),
        (lambda: kernels.sobel(dtype="U1"), "dtype=<U1: integer and floating-point"),
    ],
)
def test_wrong_types_are_named(call, message):
    with pytest.raises(TypeError, match=message):
        call()
