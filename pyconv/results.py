"""Arrays that receive results: the caller's ``out``, or a fresh one."""

import math

import numpy as np


def check_out(out: object, shape: tuple[int, ...], dtype: np.dtype, hint: str = "") -> None:
    """Raise TypeError or ValueError if ``out`` cannot receive a result."""
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"out is a {type(out).__name__}; a NumPy array is allowed")
    if out.dtype.newbyteorder("=") != dtype:
        raise TypeError(f"out has dtype {out.dtype}, but the result is {dtype}{hint}")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, but the result has shape {shape}")
    if out.size and any(
        stride == 0 and n > 1 for n, stride in zip(out.shape, out.strides, strict=True)
    ):
        raise ValueError(f"out has strides {out.strides}: two results would share a place")
    if not out.flags.writeable:
        raise ValueError("out is read-only; a writeable array is allowed")


def writable_in_place(out: np.ndarray, *sources: np.ndarray) -> bool:
    """Return whether a loop that reads ``sources`` may write its result straight into ``out``."""
    return (
        out.flags.c_contiguous
        and out.flags.aligned
        and out.dtype.isnative
        and not any(np.may_share_memory(out, source) for source in sources)
    )


#: Results from here on begin at a cache line, so that no vector store is split between two.
_ALIGNED_FROM = 16 << 10


def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return a fresh array; large ones begin at a cache line."""
    size = math.prod(shape) * dtype.itemsize
    if size < _ALIGNED_FROM:
        return np.empty(shape, dtype)
    raw = np.empty(size + 64, np.uint8)
    first = -raw.ctypes.data % 64
    return raw[first : first + size].view(dtype).reshape(shape)
