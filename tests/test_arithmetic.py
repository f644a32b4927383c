"""pyconv.arithmetic agrees with the layers that it counts: shapes, what is read, parameters."""

import itertools

import numpy as np
import pytest

import pyconv.nn.functional as F
from pyconv import arithmetic

OPTIONS = list(itertools.product((1, 2, 5), (1, 2, 3), (0, 1, (0, 2), "same"), (1, 2)))


@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), OPTIONS)
def test_shape_is_that_of_the_layer(kernel, stride, padding, dilation):
    if padding == "same" and stride > 1:
        with pytest.raises(ValueError, match="padding='same' needs stride=1"):
            arithmetic.output_shape((9, 12), kernel, stride, padding, dilation)
        return
    pads = padding if isinstance(padding, str | int) else (padding, padding)
    x, w = np.ones((1, 1, 12, 17)), np.ones((1, 1, kernel, kernel))
    y = F.conv2d(x, w, None, stride, pads, dilation)
    assert arithmetic.output_shape((12, 17), kernel, stride, pads, dilation) == y.shape[2:]


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("size", range(5, 12))
def test_shape_is_that_of_the_pool(size, ceil_mode):
    for kernel, stride, padding in itertools.product((1, 2, 3, 4), (1, 2, 3), (0, 1)):
        if padding > kernel // 2:
            continue
        y = F.max_pool1d(np.ones((1, 1, size)), kernel, stride, padding, ceil_mode=ceil_mode)
        shape = arithmetic.output_shape(size, kernel, stride, padding, ceil_mode=ceil_mode)
        assert shape == y.shape[2:]


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "extra"),
    [(3, 2, 1, 1, 1), ((2, 3), (1, 3), (0, 1), (2, 1), (1, 2)), (1, 1, 0, 1, 0)],
)
def test_shape_is_that_of_the_transposed_layer(kernel, stride, padding, dilation, extra):
    w = np.ones((1, 1, *np.broadcast_to(kernel, 2)))
    y = F.conv_transpose2d(np.ones((1, 1, 5, 6)), w, None, stride, padding, extra, 1, dilation)
    assert y.shape[2:] == arithmetic.output_shape(
        (5, 6), kernel, stride, padding, dilation, transposed=True, output_padding=extra
    )


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [(1,)],
        [(3,), (3,)],
        [(5, 1), (2, 2), (3, 2, 2), (4,)],
        [(2, 3, 5), {"kernel": 3, "dilation": 2, "stride": 2}, {"kernel": 2}],
    ],
)
def test_receptive_field_is_what_an_output_depends_on(layers):
    """Kernels of ones, all of them applied: the samples that the first output reads are seen."""
    field = arithmetic.receptive_field(layers)
    x = np.eye(2 * field).reshape(2 * field, 1, -1)  # one impulse for each image of the batch
    for layer in layers:
        words = ("kernel", "stride", "dilation")
        call = dict(layer) if isinstance(layer, dict) else dict(zip(words, layer, strict=False))
        w = np.ones((1, 1, call.pop("kernel")))
        x = F.conv1d(x, w, **call)
    seen = np.flatnonzero(x[:, 0, 0])
    assert seen[0] == 0
    assert seen[-1] + 1 == field


def test_receptive_field_has_a_number_for_each_axis():
    """Where one was given with axes, and one number where none was."""
    assert arithmetic.receptive_field([(3, 2), ((1, 5), 1), (3,)]) == (7, 15)
    assert arithmetic.receptive_field([((3,),)]) == (3,)
    assert arithmetic.receptive_field(iter([(3,)])) == 3


@pytest.mark.parametrize("bias", [False, True])
def test_parameters_are_the_sizes_of_the_arrays(bias):
    weight = np.empty((8, 6 // 2, 3, 5))
    counted = arithmetic.parameter_count(6, 8, (3, 5), 2, bias=bias)
    assert counted == weight.size + 8 * bias


@pytest.mark.parametrize("transposed", [False, True])
def test_operations_are_two_for_each_product(transposed):
    """Ones summed by a layer of ones count the products, where no pad is read."""
    call = F.conv_transpose2d if transposed else F.conv2d
    channels = (4, 6 // 2) if transposed else (6, 4 // 2)
    y = call(np.ones((1, 4, 7, 9)), np.ones((*channels, 3, 2)), stride=2, groups=2)
    flops = arithmetic.flop_count((7, 9), 4, 6, (3, 2), 2, groups=2, transposed=transposed)
    assert flops == 2 * y.sum()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: arithmetic.output_shape((4, 4), 5), r"would be empty.*\(0, 0\).*kernel=5"),
        (lambda: arithmetic.output_shape((4, 4), 5, ceil_mode=True, stride=2), "would be empty"),
        (lambda: arithmetic.output_shape((), 5), r"input_shape=\(\): at least one axis"),
        (lambda: arithmetic.output_shape((4, 0), 1), "input_shape=.*at least 1"),
        (lambda: arithmetic.output_shape(4, 0), "kernel=0: integers of at least 1"),
        (lambda: arithmetic.output_shape(4, (1, 1)), r"kernel=\(1, 1\) has 2 entries"),
        (lambda: arithmetic.output_shape(4, 1, padding=-1), "padding=-1: integers of at least 0"),
        (lambda: arithmetic.output_shape(4, 1, padding="full"), "padding='full' is unknown"),
        (
            lambda: arithmetic.output_shape(4, 3, 2, transposed=True, output_padding=2),
            r"output_padding=2: .* less than stride=\(2,\)",
        ),
        (lambda: arithmetic.receptive_field([(3,), 3]), r"layers\[1\]=3: \(kernel, stride"),
        (lambda: arithmetic.receptive_field(["3"]), r"layers\[0\]='3'"),
        (lambda: arithmetic.receptive_field([(1, 1, 1, 1)]), r"layers\[0\]="),
        (lambda: arithmetic.receptive_field([{"stride": 2}]), r"layers\[0\]=.*mapping of kernel"),
        (lambda: arithmetic.receptive_field([{"kernel": 2, "pad": 1}]), r"layers\[0\]="),
        (lambda: arithmetic.receptive_field([((3, 3),), ((3,),)]), r"\[1, 2\] axes"),
        (lambda: arithmetic.receptive_field([((),)]), "no axes"),
        (lambda: arithmetic.receptive_field([(0,)]), "kernel=0: integers of at least 1"),
        (lambda: arithmetic.parameter_count(0, 1, (1,)), "in_channels=0: multiples of groups=1"),
        (lambda: arithmetic.parameter_count(4, 5, (1,), 2), "out_channels=5: multiples of groups"),
        (lambda: arithmetic.parameter_count(4, 4, (1,), 0), "groups=0"),
        (lambda: arithmetic.parameter_count(4, 4, ()), r"kernel=\(\): at least one axis"),
    ],
)
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_numbers_of_numpy_do_not_wrap():
    """Counts are Python's integers, whatever the arguments are."""
    channels, groups = np.int8(100), np.int8(1)
    assert arithmetic.parameter_count(channels, channels, (3, 3), groups) == 100 * 901
    assert (
        arithmetic.flop_count(np.array(9), channels, channels, 3, groups=groups)
        == 2 * 7 * 3 * 10**4
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: arithmetic.output_shape(4.0, 1), "input_shape=4.0: integers"),
        (lambda: arithmetic.output_shape("44", 1), "input_shape='44': integers"),
        (lambda: arithmetic.receptive_field([(1.5,)]), "kernel=1.5: integers"),
        (lambda: arithmetic.receptive_field([("3",)]), "kernel='3': integers"),
        (lambda: arithmetic.parameter_count(4, 4, 3), "kernel=3: a sequence of integers"),
        (lambda: arithmetic.parameter_count(True, 4, (3,)), "in_channels=True: integers"),
        (lambda: arithmetic.flop_count(4, 4, 1.0, 3), "out_channels=1.0: integers"),
    ],
)
def test_wrong_types_are_named(call, message):
    with pytest.raises(TypeError, match=message):
        call()
