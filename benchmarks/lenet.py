"""LeNet-5 on real digits, and kernels from pictures alone: what is learned, and in what time."""

import time
from typing import Any

import numpy as np

import pyconv
from pyconv import filters, kernels, nn

#: Digits that are never trained on, of 1797.
TEST = 360
#: The goals: test accuracy, seconds, error of a learned kernel.
ACCURACY, SECONDS, ERROR = 0.985, 60.0, 1e-3
#: Epochs at each length of steps.
SCHEDULE = ((2e-3, 5), (4e-4, 3))


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's digits at 32×32, and what they are."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images = np.kron(found.images, np.ones((4, 4))).astype(np.float32)
    images = filters.gaussian(images, 1.5, axes=(1, 2))
    return ((images - images.mean()) / images.std())[:, np.newaxis], found.target


def shifted(images: np.ndarray, samples: int = 2) -> np.ndarray:
    """Return images, and the same a little further along each direction."""
    moves = ((samples, 0), (-samples, 0), (0, samples), (0, -samples))
    return np.concatenate([images, *(np.roll(images, m, (2, 3)) for m in moves)])


def train_lenet(seed: int) -> tuple[nn.Sequential, float]:
    """Return LeNet-5 trained from one seed, and its accuracy on digits that it never saw."""
    images, target = digits()
    order = np.random.default_rng(0).permutation(len(images))
    train, test = order[TEST:], order[:TEST]
    model, criterion = nn.models.LeNet5(rng=seed), nn.CrossEntropyLoss()
    optimizer = nn.Adam(model.parameters())
    x, classes = shifted(images[train]), np.tile(target[train], 5)
    for lr, epochs in SCHEDULE:
        optimizer.lr = lr
        nn.fit(model, x, classes, criterion, optimizer, epochs=epochs, rng=seed)
    _, share = nn.evaluate(model, images[test], target[test], criterion)
    assert share is not None
    return model, share


def learned_kernel(kernel: np.ndarray) -> np.ndarray:
    """Return the weights of a layer that saw a photograph, and what a kernel made of it."""
    from skimage import data

    photo = data.chelsea()[..., 1].astype(np.float64)
    photo = (photo - photo.mean()) / photo.std()
    rng = np.random.default_rng(0)
    corners = rng.integers(0, [photo.shape[0] - 32, photo.shape[1] - 32], (192, 2))
    x = np.stack([photo[i : i + 32, j : j + 32] for i, j in corners])[:, np.newaxis]
    target = nn.functional.conv2d(x, kernel[np.newaxis, np.newaxis])
    layer = nn.Conv2d(1, 1, kernel.shape, bias=False, rng=0, dtype=np.float64)
    optimizer, criterion = nn.Adam(layer.parameters()), nn.MSELoss()
    for lr in (0.1, 0.03, 0.01):
        optimizer.lr = lr
        nn.fit(layer, x, target, criterion, optimizer, epochs=80, batch_size=8, rng=1)
    return layer.weight.data[0, 0]


def report(quick: bool) -> dict[str, Any]:
    """Train, print a table against the goals, and return the figures."""
    rows: list[dict[str, Any]] = []
    print(
        "LeNet-5 on scikit-learn's digits, 32×32; 1437 to train on, 360 to judge by; one thread.\n"
    )
    print("| seed | test accuracy | seconds | the same weights again |\n| --- | --- | --- | --- |")
    with pyconv.set_workers(1):
        for seed in (0,) if quick else (0, 1, 2):
            start = time.perf_counter()
            model, share = train_lenet(seed)
            seconds = time.perf_counter() - start
            same = seed > 0 or _same(model, train_lenet(seed)[0])
            rows.append({"seed": seed, "accuracy": share, "seconds": seconds, "same": same})
            again = ("yes" if same else "NO") if seed == 0 else "–"
            print(f"| {seed} | {share:.2%} | {seconds:.1f} | {again} |", flush=True)
        print("\n| kernel learned from pictures | largest error of a weight |\n| --- | --- |")
        wanted = {"Sobel": kernels.sobel().astype(float),
                  "Gaussian": kernels.gaussian(1.0, truncate=2.0)}  # fmt: skip
        errors = {n: float(np.abs(learned_kernel(w) - w).max()) for n, w in wanted.items()}
        for name, error in errors.items():
            print(f"| {name} | {error:.1e} |")
    met = {
        f"accuracy ≥ {ACCURACY:.1%}": min(r["accuracy"] for r in rows) >= ACCURACY,
        f"in under {SECONDS:.0f} s": max(r["seconds"] for r in rows) < SECONDS,
        "same seed, same weights": all(r["same"] for r in rows),
        f"errors of kernels < {ERROR:g}": max(errors.values()) < ERROR,
    }
    print()
    for goal, holds in met.items():
        print(f"- {goal}: {'met' if holds else 'MISSED'}")
    return {"lenet": rows, "kernels": errors, "goals": met}


def _same(a: nn.Sequential, b: nn.Sequential) -> bool:
    """Return whether two models have the same bits."""
    states = a.state_dict(), b.state_dict()
    return all(states[0][name].tobytes() == states[1][name].tobytes() for name in states[0])
