"""BOUNDARIES: each row reads what NumPy's pad reads and what its own drawing shows."""

import numpy as np
import oracles
import pytest

import pyconv
from pyconv._engine.boundaries import BOUNDARIES, FILL, boundary_name

ALIASES = [(alias, name) for name, row in BOUNDARIES.items() for alias in row.aliases]


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_periods(boundary):
    """Coordinates that far apart read the same, and no fewer do; or none."""
    row = BOUNDARIES[boundary]
    assert (row.period is None) == (boundary in ("constant", "nearest"))
    for n in range(1, 8):
        far = np.arange(-5 * n, 5 * n)
        repeats = [p for p in range(1, 2 * n + 1)
                   if np.array_equal(row.index(far, n), row.index(far + p, n))]  # fmt: skip
        if row.period is not None:
            assert row.period(n) in repeats
            assert row.period(n) == min(repeats) or n == 1


@pytest.mark.parametrize("n", range(1, 8))
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_index_map_is_that_of_numpy_pad(boundary, n):
    """Far beyond the array too, where mirrors bounce and periods repeat."""
    low, high = 4 * n + 1, 3 * n + 2
    x = np.arange(n)
    index = BOUNDARIES[boundary].index(np.arange(-low, n + high), n)
    read = np.where(index == FILL, -5, x[index])
    np.testing.assert_array_equal(read, oracles.pad_axis(x, 0, low, high, boundary, -5))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_drawing_shows_what_is_read(boundary):
    """The picture in the documentation is the rule."""
    row = BOUNDARIES[boundary]
    before, inside, after = (part.split() for part in row.drawing.split("|"))
    assert inside == ["a", "b", "c", "d"]
    index = row.index(np.arange(-len(before), 4 + len(after)), 4)
    assert ["k" if i == FILL else inside[i] for i in index] == before + inside + after


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_drawing_is_in_the_documentation(boundary):
    """A boundary that is added to the table is added to the docstring."""
    assert f"``{BOUNDARIES[boundary].drawing}``" in pyconv.correlate.__doc__


@pytest.mark.parametrize(("alias", "name"), ALIASES)
def test_alias_reads_the_same(alias, name):
    """Another word for a rule is that rule, and documented."""
    x, w = np.arange(5.0), np.arange(1.0, 4.0)
    expected = pyconv.correlate(x, w, "full", name)
    np.testing.assert_array_equal(pyconv.correlate(x, w, "full", alias), expected)
    assert f"``{alias}``" in pyconv.correlate.__doc__


def test_no_word_means_two_rules():
    """Aliases and names are all different, and 'reflect' is among none of them."""
    words = [*BOUNDARIES, *(alias for alias, _ in ALIASES)]
    assert len(words) == len(set(words))
    assert "reflect" not in words


def test_reflect_is_refused_with_both_meanings():
    """SciPy and NumPy disagree about the word; the error names both rules."""
    with pytest.raises(ValueError, match="(?s)'reflect'.*'symmetric'.*'mirror'"):
        pyconv.correlate([1.0, 2.0], [1.0], "same", "reflect")


@pytest.mark.parametrize("word", ["zero", "zeros"])
def test_zero_boundary_refuses_another_fill_value(word):
    """A word that says zero cannot read something else."""
    assert boundary_name(word, 0) == "constant"
    with pytest.raises(ValueError, match=f"{word}.*fill_value=3"):
        pyconv.correlate([1.0, 2.0], [1.0, 1.0], "full", word, fill_value=3)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8", "complex64"])
def test_fill_value_is_read_outside(engine, dtype):
    """The fill value takes part as a sample of its own on every axis."""
    fill = 7
    x = np.ones((3, 4), dtype)
    y = engine(x, np.ones((3, 3), dtype), "full", fill_value=fill)
    total, _ = oracles.correlate(x, np.ones((3, 3), dtype), "full", fill_value=fill)
    np.testing.assert_array_equal(y, total.astype(y.dtype))
    assert y[0, 0] == 8 * fill + 1


#: What np.pad takes for two axes.
PAD_WIDTHS = [
    2, np.int64(1), np.array(3), (2,), (1, 2), [3, 0], ((1, 2),), [(0, 2), (3, 1)], ((1,), (4,)),
    [[5]], np.array([2, 1]), np.array([[1, 0], [0, 2]], np.int8), np.array([[4, 1]], "i2"),
    [np.array([1, 2]), (0, 1)],
]  # fmt: skip
BY_AXIS = [{0: 2}, {-1: (1, 3)}, {1: 1, 2: (0, 2)}, {}]


@pytest.mark.parametrize("given", PAD_WIDTHS, ids=repr)
def test_pads_are_those_of_numpy(given, rng):
    x, w = rng.integers(-9, 9, (6, 7, 8)), rng.integers(-9, 9, (3, 2))
    for call in (pyconv.correlate, pyconv.convolve):
        expected = np.stack([call(np.pad(plane, given), w) for plane in x])
        np.testing.assert_array_equal(call(x, w, given), expected, strict=True)
    np.testing.assert_array_equal(pyconv.plan(x, w, given)(x), pyconv.correlate(x, w, given))
    masked = np.pad(np.zeros(x.shape[1:], bool), given, constant_values=True)
    seen = pyconv.coverage(x, w, given, fill_value=np.nan)
    np.testing.assert_allclose(seen[0], pyconv.coverage(np.ones(masked.shape), w, mask=masked))
    operator = pyconv.operators.linear_operator(x.shape, w, given)
    np.testing.assert_array_equal(operator @ x.ravel(), pyconv.correlate(x, w, given).ravel())
    line, taps = x[0, 0], w[0]
    if (np.size(given) < 3 and not isinstance(given, tuple | list)) or np.ndim(given) < 2:
        np.testing.assert_array_equal(
            pyconv.correlate(line, taps, given), pyconv.correlate(np.pad(line, given), taps)
        )


@pytest.mark.parametrize("given", BY_AXIS, ids=repr)
def test_pads_of_axes_that_are_named(given, rng):
    x, w = rng.integers(-9, 9, (6, 7, 8)), rng.integers(-9, 9, (3, 2, 2))
    pads = [(0, 0)] * 3
    for axis, value in given.items():
        pads[axis] = tuple(np.broadcast_to(value, 2).tolist())
    expected = pyconv.correlate(np.pad(x, pads), w)
    np.testing.assert_array_equal(pyconv.correlate(x, w, given), expected)
    turned = pyconv.correlate(x, w.transpose(2, 0, 1), given, axes=(2, 0, 1))
    np.testing.assert_array_equal(turned, expected)
