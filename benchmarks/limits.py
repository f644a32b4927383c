"""What this machine can do: the arithmetic peak and the bandwidth, measured.

    limit of a problem = max(2·products / peak, bytes / bandwidth)

The peak is the most that any loop reached here: NumPy's matrix product or our own register tile.
Neither is the hardware's; a problem that comes above it by more than noise multiplies less.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.layer_cases import Layer
from benchmarks.timing import Effort, interleaved_minima

#: Larger than any cache of one machine's share.
COPIED_BYTES = 1 << 26
_EFFORT = Effort(seconds=0.2, least=5)
_MATRIX_SIZES = (256, 512, 1024)
#: Stay in the level-2 cache, weights and all.
_LAYERS = (Layer(64, 64, 14, 3), Layer(64, 64, 28, 3))


@dataclass(frozen=True, slots=True)
class Limits:
    """Rates of the threads that were measured."""

    #: Floating-point operations a second, float32.
    flops: float
    #: Bytes a second of a copy, reads and writes counted.
    bandwidth: float

    def seconds(self, products: int, size: int) -> float:
        """Return the least time of ``products`` multiply-adds on ``size`` bytes."""
        return max(2 * products / self.flops, size / self.bandwidth)


@cache
def measure(workers: int = 1) -> Limits:
    """Measure; NumPy's products take the threads that its BLAS was started with."""
    rng = np.random.default_rng(1)
    operations, calls = {}, dict[str, Callable[[], Any]]()
    for n in _MATRIX_SIZES:
        a, b = (rng.standard_normal((n, n)).astype(np.float32) for _ in range(2))
        operations[f"matrix {n}"] = 2 * n**3
        calls[f"matrix {n}"] = partial(np.matmul, a, b, np.empty_like(a))
    for layer in _LAYERS:
        call = _layer(layer, workers)
        if call is not None:
            operations[layer.label], calls[layer.label] = 2 * layer.products, call
    source, target = np.ones(COPIED_BYTES // 4, np.float32), np.zeros(COPIED_BYTES // 4, np.float32)
    calls["copy"] = partial(np.copyto, target, source)
    seconds = interleaved_minima(calls, _EFFORT)
    return Limits(
        max(count / seconds[name] for name, count in operations.items()),
        2 * COPIED_BYTES / seconds["copy"],
    )


def _layer(layer: Layer, workers: int) -> Callable[[], np.ndarray] | None:
    """Return our plain sum of a layer, None where this version has none."""
    try:
        from pyconv.nn import functional

        x, w, b = layer.data()
        options = layer.stride, layer.padding, 1, layer.groups
        plan = functional.plan_conv(layer.x_shape, w, b, *options, method="blocked")
    except (ImportError, AttributeError, TypeError, ValueError):
        return None
    return partial(plan, x, out=np.empty(layer.y_shape, np.float32), workers=workers)
