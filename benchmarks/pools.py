"""Pools and their gradients beside torch's: the rows of the class "pools" of the speed table."""

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.speed import Profile, Row, WrongResultError
from benchmarks.threads import COUNT
from pyconv.nn import functional, grad

OURS = "pyconv"
TORCH = "torch"
#: A large image of many channels, and a batch of small ones.
SHAPES = ((1, 64, 112, 112), (64, 6, 28, 28))
#: Kernel, stride, padding.
WINDOWS = ((2, 2, 0), (3, 2, 1))

Calls = dict[str, Callable[[], np.ndarray]]


def pool_rows(profile: Profile) -> Iterator[Row]:
    """Yield pools of largest samples, with and without indices, averages, and the gradients."""
    rng = np.random.default_rng(1)
    for shape in SHAPES[: 1 if profile.quick else 2]:
        x = rng.standard_normal(shape).astype(np.float32)
        for window in WINDOWS:
            ours, peers = _ours(x, *window), _torch(x, *window)
            for name, call in ours.items():
                k, s, p = window
                contenders = {OURS: call} | ({TORCH: peers[name]} if peers else {})
                label = f"{name} {'×'.join(map(str, shape))}, {k}×{k}/{s}, padding {p}"
                samples = ours["average"]().size * k * k
                yield Row(label, samples, contenders, _checker(label, call()))


def _ours(x: np.ndarray, k: int, s: int, p: int) -> Calls:
    y, indices = functional.max_pool2d(x, k, s, p, return_indices=True)
    return {
        "max": lambda: functional.max_pool2d(x, k, s, p, workers=COUNT),
        "max with indices": lambda: functional.max_pool2d(
            x, k, s, p, return_indices=True, workers=COUNT
        )[0],
        "average": lambda: functional.avg_pool2d(x, k, s, p, workers=COUNT),
        "gradient of max": lambda: grad.max_pool2d_input(x.shape, indices, y, workers=COUNT),
        "gradient of average": lambda: grad.avg_pool2d_input(x.shape, y, k, s, p, workers=COUNT),
    }


def _torch(x: np.ndarray, k: int, s: int, p: int) -> Calls | None:
    """Return torch's calls, None where it is not installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(COUNT)
    pools, aten = torch.nn.functional, torch.ops.aten
    given = torch.from_numpy(x)
    y, indices = pools.max_pool2d(given, k, s, p, return_indices=True)
    sizes = ([k, k], [s, s], [p, p])
    return {
        "max": lambda: pools.max_pool2d(given, k, s, p).numpy(),
        "max with indices": lambda: pools.max_pool2d(given, k, s, p, return_indices=True)[
            0
        ].numpy(),
        "average": lambda: pools.avg_pool2d(given, k, s, p).numpy(),
        "gradient of max": lambda: aten.max_pool2d_with_indices_backward(
            y, given, *sizes, [1, 1], False, indices
        ).numpy(),
        "gradient of average": lambda: aten.avg_pool2d_backward(
            y, given, *sizes, False, True, None
        ).numpy(),
    }


def _checker(label: str, expected: np.ndarray) -> Callable[[str, np.ndarray], None]:
    """Return the check that contenders agree; the tests compare ours with the definition."""

    def check(name: str, y: np.ndarray) -> None:
        if y.shape != expected.shape or not np.allclose(y, expected, rtol=1e-5, atol=1e-6):
            raise WrongResultError(f"{label}: {name} differs from {OURS}")

    return check
