"""Bad input to pyconv.nn: the documented error, naming argument, value and what is allowed."""

import numpy as np
import pytest

from pyconv.nn import functional, grad

X1, X2, X3 = np.ones((2, 3, 8)), np.ones((2, 3, 6, 7)), np.ones((2, 3, 4, 5, 6))
W, B = np.ones((5, 7)), np.ones(5)
Y2 = np.ones((2, 3, 3, 3))
I2 = np.zeros((2, 3, 3, 3), int)
LOGITS, CLASSES = np.zeros((4, 3)), np.array([0, 1, 2, 0])
HUGE = 2**62

#: Call → the error and words of its message.
REFUSED = {
    # arrays
    "F.max_pool2d(X2.astype(int), 2)": (
        TypeError, ["input has dtype int64", "(2, 3, 6, 7)", "float32"],
    ),
    "F.avg_pool2d(X2 + 1j, 2)": (TypeError, ["input has dtype complex128", "float64"]),
    "F.relu(X2 > 0)": (TypeError, ["input has dtype bool"]),
    'F.unfold(X2.astype("uint8"), 2)': (TypeError, ["uint8", "complex64"]),
    "F.linear(X2, W.astype(int))": (TypeError, ["weight has dtype int64"]),
    "F.log_softmax(X2.astype(object), 0)": (TypeError, ["input has dtype object"]),
    'F.relu(X2.astype("longdouble"))': (TypeError, ["input has dtype"]),
    "F.avg_pool2d(np.ma.masked_equal(X2, 1), 2)": (TypeError, ["input is a masked", "filled"]),
    # shapes of pools
    "F.max_pool2d(X2[0, 0], 2)": (
        ValueError, ["input has shape (6, 7)", "(N, C, H, W)", "(C, H, W)"],
    ),
    "F.max_pool2d(X3, 2)": (ValueError, ["(2, 3, 4, 5, 6)", "(N, C, H, W)"]),
    "F.avg_pool1d(X1[0, 0], 2)": (ValueError, ["(8,)", "(N, C, L)"]),
    "F.max_pool2d(X2[..., :0], 1)": (ValueError, ["(2, 3, 6, 0)", "empty"]),
    "F.global_avg_pool(X2[0, 0])": (ValueError, ["(6, 7)", "(N, C, L)", "(N, C, D, H, W)"]),
    "F.adaptive_avg_pool2d(X2[0, 0], 1)": (ValueError, ["(6, 7)", "(N, C, H, W)"]),
    # numbers of pools
    "F.max_pool2d(X2, 0)": (ValueError, ["kernel_size=0", "from 1"]),
    "F.avg_pool2d(X2, (2, -1))": (ValueError, ["kernel_size=(2, -1)", "from 1"]),
    "F.max_pool2d(X2, 1.5)": (TypeError, ["kernel_size=1.5", "integers"]),
    "F.max_pool2d(X2, True)": (TypeError, ["kernel_size=True", "integers"]),
    "F.max_pool2d(X2, (1, 1, 1))": (ValueError, ["kernel_size=(1, 1, 1)", "3", "2"]),
    "F.max_pool2d(X2, 2, 0)": (ValueError, ["stride=0", "from 1"]),
    'F.max_pool2d(X2, 2, "2")': (TypeError, ["stride='2'", "integers"]),
    "F.max_pool2d(X2, 2, 1, 0, 0)": (ValueError, ["dilation=0", "from 1"]),
    "F.max_pool2d(X2, 2, 1, -1)": (ValueError, ["padding=-1", "from 0"]),
    "F.max_pool2d(X2, 3, 1, 2)": (ValueError, ["padding=2", "half", "1 for kernel_size=3"]),
    "F.avg_pool1d(X1, 2, 1, 2)": (ValueError, ["padding=2", "half"]),
    "F.max_pool2d(X2, 8)": (ValueError, ["empty", "(6, 7)", "kernel_size=8"]),
    "F.max_pool2d(X2, 3, 1, 0, 5)": (ValueError, ["empty", "dilation=5"]),
    "F.avg_pool3d(X3, (1, 6, 1))": (ValueError, ["empty", "(4, 0, 6)", "(4, 5, 6)"]),
    "F.avg_pool2d(X2, 2, divisor_override=0)": (ValueError, ["divisor_override=0", "but 0"]),
    "F.avg_pool2d(X2, 2, divisor_override=0.5)": (TypeError, ["divisor_override=0.5", "integers"]),
    "F.adaptive_avg_pool2d(X2, 0)": (ValueError, ["output_size=0", "from 1"]),
    "F.adaptive_max_pool2d(X2, (1, 1, 1))": (ValueError, ["output_size=(1, 1, 1)", "3", "2"]),
    "F.adaptive_max_pool2d(X2, (1, 1.5))": (TypeError, ["output_size", "1.5", "integers"]),
    "F.max_pool2d(X2, 2, workers=0)": (ValueError, ["workers=0"]),
    'F.avg_pool2d(X2, 2, workers="2")': (TypeError, ["workers='2'"]),
    # sizes that overflow
    "F.max_pool2d(X2, HUGE)": (ValueError, ["kernel_size", str(HUGE), "2**59"]),
    "F.max_pool2d(X2, 2, HUGE)": (ValueError, ["stride", str(HUGE)]),
    "F.max_pool2d(X2, 2, 2**80)": (ValueError, ["stride", str(2**80)]),
    "F.max_pool2d(X2, 2, 2, HUGE)": (ValueError, ["padding", str(HUGE)]),
    "F.max_pool2d(X2, 2, 2, 0, HUGE)": (ValueError, ["dilation", str(HUGE)]),
    "F.max_pool2d(X2, 2**40, 2, 0, 2**40)": (ValueError, ["spans", "2**59"]),
    "F.adaptive_avg_pool2d(X2, 2**50)": (ValueError, ["too large"]),
    "F.avg_pool2d(X2, 2, divisor_override=HUGE)": (ValueError, ["divisor_override"]),
    "F.fold(np.ones((1, 1)), (2**50, 2**50), (1, 1), 1, 0, 2**50)": (ValueError, ["too large"]),
    "F.fold(X1, HUGE, 2)": (ValueError, ["output_size", str(HUGE)]),
    "F.unfold(X2, 2, 1, 2**50)": (ValueError, ["too large"]),
    "grad.avg_pool2d_input((2, 3, 2**40, 2**40), Y2, 2)": (ValueError, ["too large"]),
    # unfold and fold
    "F.unfold(X2, 7)": (ValueError, ["no window fits", "kernel_size=7", "spans 7", "6"]),
    "F.unfold(X2[0, 0], 2)": (ValueError, ["(6, 7)", "(N, C, H, W)"]),
    "F.unfold(X3, (1, 1, 1, 1))": (ValueError, ["kernel_size=(1, 1, 1, 1)", "three"]),
    "F.fold(np.ones((2, 9, 4)), (3, 3), 2)": (ValueError, ["(2, 9, 4)", "multiple of 4 rows"]),
    "F.fold(np.ones((2, 8, 5)), (3, 3), 2)": (ValueError, ["(2, 8, 5)", "4 columns", "2 · 2"]),
    "F.fold(np.ones(4), (3, 3), 2)": (ValueError, ["(4,)", "(N, C·K, L)"]),
    "grad.unfold_input((2, 3, 6, 7), np.ones((2, 9, 30)), 2)": (
        ValueError, ["grad_output has shape (2, 9, 30)", "(2, 12, 30)"],
    ),
    # linear
    "F.linear(np.ones((2, 6)), W)": (ValueError, ["(2, 6)", "(5, 7)", "(K, C)"]),
    "F.linear(np.float64(1), W)": (ValueError, ["()", "(…, C)"]),
    "F.linear(X2, W[0])": (ValueError, ["weight has shape (7,)", "(K, C)"]),
    "F.linear(X2, W, np.ones(7))": (ValueError, ["bias has shape (7,)", "(5,)"]),
    "F.linear(X2, W, np.float64(1))": (ValueError, ["bias has shape ()", "(5,)"]),
    "grad.linear_input((2, 6), W, np.ones((2, 5)))": (ValueError, ["(2, 6)", "(5, 7)"]),
    "grad.linear_input((2, 7), W, np.ones((3, 5)))": (
        ValueError, ["grad_output has shape (3, 5)", "(2, 5)"],
    ),
    "grad.linear_weight(np.ones((2, 7)), (5, 6), np.ones((2, 5)))": (
        ValueError, ["(2, 7)", "(5, 6)"],
    ),
    "grad.linear_bias(np.float64(1))": (ValueError, ["grad_output has shape ()"]),
    # activations
    "F.log_softmax(X2, 4)": (ValueError, ["dim=4", "-4 to 3"]),
    "F.log_softmax(X2, 1.0)": (TypeError, ["dim=1.0", "integers"]),
    "F.log_softmax(np.float64(1), 0)": (ValueError, ["dim=0", "0 dimensions"]),
    "grad.relu_input(X2, X1)": (ValueError, ["grad_output has shape (2, 3, 8)", "(2, 3, 6, 7)"]),
    "grad.log_softmax_input(X2, X1, 1)": (ValueError, ["(2, 3, 8)", "(2, 3, 6, 7)"]),
    # cross_entropy
    "F.cross_entropy(LOGITS, CLASSES + 1)": (
        ValueError, ["target holds 3", "0 to 2", "ignore_index=-100"],
    ),
    "F.cross_entropy(LOGITS, CLASSES - 1)": (ValueError, ["target holds -1", "0 to 2"]),
    "F.cross_entropy(LOGITS, CLASSES + HUGE)": (ValueError, [f"target holds {HUGE}"]),
    "F.cross_entropy(LOGITS, CLASSES[:3])": (
        ValueError, ["target has shape (3,)", "(4, 3)", "(4,)"],
    ),
    "F.cross_entropy(LOGITS, CLASSES > 0)": (TypeError, ["target has dtype bool"]),
    "F.cross_entropy(LOGITS, np.ones((4, 2)))": (ValueError, ["target has shape (4, 2)", "(4, 3)"]),
    "F.cross_entropy(LOGITS, CLASSES, np.ones(4))": (ValueError, ["weight has shape (4,)", "(3,)"]),
    'F.cross_entropy(LOGITS, CLASSES, reduction="max")': (
        ValueError, ["reduction='max'", "mean, sum, none"],
    ),
    "F.cross_entropy(LOGITS, CLASSES, label_smoothing=1.5)": (
        ValueError, ["label_smoothing=1.5", "0 to 1"],
    ),
    'F.cross_entropy(LOGITS, CLASSES, label_smoothing="0")': (TypeError, ["label_smoothing='0'"]),
    "F.cross_entropy(LOGITS, CLASSES, ignore_index=0.5)": (TypeError, ["ignore_index=0.5"]),
    "F.cross_entropy(np.float64(0), 0)": (ValueError, ["input has shape ()", "(N, C, …)"]),
    "F.cross_entropy(np.ones((4, 0)), CLASSES)": (ValueError, ["(4, 0)"]),
    "grad.cross_entropy_input(LOGITS, CLASSES, np.ones(4))": (
        ValueError, ["grad_output has shape (4,)", "'mean'"],
    ),
    'grad.cross_entropy_input(LOGITS, CLASSES, reduction="none")': (
        ValueError, ["grad_output has shape ()", "(4,)"],
    ),
    # gradients of pools
    "grad.avg_pool2d_input(X2.shape, Y2[..., :2], 2)": (
        ValueError, ["grad_output has shape (2, 3, 3, 2)", "(2, 3, 3, 3)", "(2, 3, 6, 7)"],
    ),
    "grad.adaptive_avg_pool2d_input((2, 4, 6, 7), Y2)": (
        ValueError, ["(2, 3, 3, 3)", "(2, 4, 3, 3)"],
    ),
    "grad.avg_pool2d_input((6, 7), Y2, 2)": (ValueError, ["input_size=(6, 7)", "(N, C, H, W)"]),
    "grad.avg_pool2d_input((2, 3, -6, 7), Y2, 2)": (
        ValueError, ["input_size=(2, 3, -6, 7)", "at least 0"],
    ),
    "grad.avg_pool2d_input(6, Y2, 2)": (TypeError, ["input_size=6", "tuple"]),
    "grad.avg_pool2d_input(X2, Y2, 2)": (
        TypeError, ["input_size is an array of shape (2, 3, 6, 7)", "tuple"],
    ),
    "grad.max_pool2d_input(X2.shape, I2 + 42, Y2)": (ValueError, ["42 to 42", "0 to 41"]),
    "grad.max_pool2d_input(X2.shape, I2 - 2, Y2)": (ValueError, ["-2 to -2", "0 to 41"]),
    "grad.max_pool2d_input(X2.shape, I2 + HUGE, Y2)": (ValueError, [str(HUGE), "0 to 41"]),
    "grad.max_pool2d_input(X2.shape, Y2, Y2)": (
        TypeError, ["indices has dtype float64", "integers"],
    ),
    "grad.max_pool2d_input(X2.shape, I2[..., :2], Y2)": (
        ValueError, ["(2, 3, 3, 3)", "(2, 3, 3, 2)"],
    ),
    "grad.max_pool2d_input(X2.shape, I2[:, :2], Y2)": (
        ValueError, ["indices has shape (2, 2, 3, 3)", "(2, 3, 3, 3)"],
    ),
    "grad.max_pool2d_input(X2.shape, I2[0], Y2)": (ValueError, ["indices has shape (3, 3, 3)"]),
    "grad.avg_pool2d_input(X2.shape, I2, 2)": (TypeError, ["grad_output has dtype int64"]),
    "grad.global_avg_pool_input((6, 7), Y2)": (ValueError, ["(6, 7)", "(N, C, L)"]),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_a_message_that_helps(case):
    """The type and the words of the error."""
    error, words = REFUSED[case]
    with pytest.raises(error) as caught:
        eval(case, globals() | {"F": functional, "grad": grad})
    assert type(caught.value) is error
    for word in words:
        assert word in str(caught.value), str(caught.value)


def test_results_too_large_for_memory():
    """What could be addressed but not allocated is a MemoryError."""
    with pytest.raises(MemoryError):
        functional.adaptive_avg_pool1d(X1, 2**52)
    with pytest.raises(MemoryError):
        functional.unfold(X2, 2, 1, 2**24)
