"""Many Python threads call everything at once, with shared plans and caches; forks in between.

Each call has the bits that it has alone. ``test_stress.py`` runs this file in a process of its
own; ThreadSanitizer watches it in ``python -m tests.sanitized thread``. By hand:
``python tests/stress.py --threads 8 --rounds 3 --forks 4``.
"""

import argparse
import os
import sys
import threading

import numpy as np

import pyconv
from pyconv import filters, ndimage, operators, signal
from pyconv._engine import planner
from pyconv.nn import functional, grad

RNG = np.random.default_rng(3)
IMAGE = RNG.standard_normal((150, 170))
SINGLE = IMAGE.astype("f4")
BYTES = RNG.integers(0, 256, (150, 170), np.uint8)
VOLUME = RNG.standard_normal((20, 30, 40)).astype("f4")
SPOTTED = np.where(RNG.random(IMAGE.shape) < 0.01, np.nan, IMAGE)
KERNEL = RNG.standard_normal((5, 5))
WIDE = RNG.standard_normal((41, 41))
BATCH = RNG.standard_normal((2, 8, 24, 24)).astype("f4")
WEIGHTS = RNG.standard_normal((16, 8, 3, 3)).astype("f4")
DEPTHWISE = RNG.standard_normal((8, 1, 3, 3)).astype("f4")
GRADIENT = RNG.standard_normal((2, 16, 22, 22)).astype("f4")
SIGNALS = RNG.standard_normal((2, 3000))
PLAN = pyconv.plan(IMAGE, KERNEL, "same", "mirror")
OMITTING = pyconv.plan(SPOTTED, np.ones((3, 3)), "same", nan_policy="omit")
LAYER = functional.plan_conv(BATCH.shape, WEIGHTS, padding=1)
OPERATOR = operators.linear_operator(IMAGE.shape, KERNEL, "same")

#: What is called, by name; `workers` is what the thread has set.
CALLS = {
    "plan": lambda: PLAN(IMAGE),
    "plan that omits": lambda: OMITTING(SPOTTED),
    "layer plan": lambda: LAYER(BATCH),
    "operator": lambda: OPERATOR @ IMAGE.ravel(),
    "adjoint": lambda: OPERATOR.H @ IMAGE.ravel(),
    "direct": lambda: pyconv.correlate(IMAGE, KERNEL, "same", "wrap", method="direct"),
    "im2col": lambda: pyconv.correlate(SINGLE, KERNEL.astype("f4"), method="im2col"),
    "fft": lambda: pyconv.convolve(IMAGE, WIDE, "same", "nearest", method="fft"),
    "separable": lambda: pyconv.correlate(IMAGE, np.outer(WIDE[0], WIDE[1]), method="separable"),
    "box": lambda: pyconv.correlate(SINGLE, np.ones((9, 9), "f4"), method="box"),
    "integers": lambda: pyconv.correlate(BYTES, np.arange(9).reshape(3, 3), "same"),
    "volume": lambda: pyconv.correlate(VOLUME, np.ones((3, 3, 3), "f4"), "same"),
    "omit": lambda: pyconv.correlate(SPOTTED, np.ones((3, 3)), "same", nan_policy="omit"),
    "coverage": lambda: pyconv.coverage(SPOTTED, np.ones((3, 3)), "same"),
    "template": lambda: pyconv.match_template(BYTES, BYTES[20:30, 30:45]),
    "lags": lambda: pyconv.xcorr(SIGNALS[0], SIGNALS[1], 50)[0],
    "gaussian": lambda: filters.gaussian(SINGLE, 2.5),
    "wide gaussian": lambda: filters.gaussian(IMAGE, 12, rtol=1e-4),
    "sobel": lambda: filters.gradient_magnitude(SINGLE),
    "8-bit gaussian": lambda: ndimage.gaussian_filter(BYTES, 1.5),
    "8-bit mean": lambda: filters.box(BYTES, 5, dtype="u1"),
    "uniform": lambda: ndimage.uniform_filter(IMAGE, 7),
    "signal": lambda: signal.fftconvolve(SIGNALS[0], SIGNALS[1][:400], "same"),
    "layer": lambda: functional.conv2d(BATCH, WEIGHTS),
    "strided layer": lambda: functional.conv2d(BATCH, WEIGHTS, stride=2, method="blocked"),
    "Winograd": lambda: functional.conv2d(BATCH, WEIGHTS, padding=1, method="winograd4"),
    "depthwise": lambda: functional.conv2d(BATCH, DEPTHWISE, padding=1, groups=8),
    "for the input": lambda: grad.conv2d_input(BATCH.shape, WEIGHTS, GRADIENT),
    "for the weights": lambda: grad.conv2d_weight(BATCH, WEIGHTS.shape, GRADIENT),
    "largest": lambda: functional.max_pool2d(BATCH, 3, return_indices=True)[1],
    "mean": lambda: functional.avg_pool2d(BATCH, 3, 2, 1),
    "relu": lambda: functional.relu(BATCH),
    "unfold": lambda: functional.unfold(BATCH, 3),
}


def run_calls(expected, seed, rounds, workers, errors):
    """Run all calls in an order of one's own; list those whose bits are others."""
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        with pyconv.set_workers(workers):
            for name in rng.permutation(list(CALLS)):
                try:
                    if CALLS[name]().tobytes() != expected[name]:
                        errors.append(f"{name}: other bits")
                except Exception as error:  # noqa: BLE001 - it is reported with the others
                    errors.append(f"{name}: {error!r}")
                if rng.random() < 0.05:
                    planner.clear_cache()


def stress(threads, rounds, forks):
    """Return what went wrong."""
    with pyconv.set_workers(1):
        expected = {name: call().tobytes() for name, call in CALLS.items()}
    planner.clear_cache()
    errors = []
    barrier = threading.Barrier(threads + 1)

    def thread(seed):
        barrier.wait()
        run_calls(expected, seed, rounds, 1 + seed % 3, errors)

    running = [threading.Thread(target=thread, args=(seed,)) for seed in range(threads)]
    for one in running:
        one.start()
    barrier.wait()
    for seed in range(forks):
        child = os.fork()
        if child == 0:
            run_calls(expected, 100 + seed, 1, 2, errors)
            os._exit(len(errors) > 0)
        if os.waitpid(child, 0)[1]:
            errors.append("a forked child computes something else")
    for one in running:
        one.join()
    return errors


def main():
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--forks", type=int, default=0)
    options = parser.parse_args()
    errors = stress(options.threads, options.rounds, options.forks)
    print("\n".join(errors) or "every call has its bits")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
