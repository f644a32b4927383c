"""Layers beside torch, ONNX Runtime and OpenVINO: one thread, float32, checked, then timed.

    python -m benchmarks.layer_peers            # the layers of LAYERS
    python -m benchmarks.layer_peers 3x3        # one class of them

A contender fills a result that it is given where it can. Peers that keep weights in an order of
their own have them in it before they are timed; ours are timed both ways.
"""

import argparse
import importlib
import importlib.util
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Call = Callable[[], np.ndarray]


@dataclass(frozen=True)
class Layer:
    """One convolution layer, zero-padded, with bias: its shapes, and data made of them."""

    batch: int
    channels: int
    size: tuple[int, ...]
    outputs: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    groups: int = 1

    @property
    def label(self) -> str:
        """The shapes, and whatever is not the default."""
        words = [
            f"{self.batch}×{self.channels}@{'×'.join(map(str, self.size))}",
            f"→ {self.outputs}",
            "k" + "×".join(map(str, self.kernel)),
        ]
        if set(self.stride) != {1}:
            words.append(f"stride {self.stride[0]}")
        if self.groups > 1:
            words.append(f"groups {self.groups}")
        return " ".join(words)

    @property
    def out(self) -> tuple[int, ...]:
        """The spatial sizes of the result."""
        rows = zip(self.size, self.kernel, self.stride, self.pads, strict=True)
        return tuple((n + low + high - k) // s + 1 for n, k, s, (low, high) in rows)

    @property
    def y_shape(self) -> tuple[int, ...]:
        """The shape of the result."""
        return (self.batch, self.outputs, *self.out)

    @property
    def products(self) -> int:
        """The multiplications of the definition."""
        return math.prod(self.y_shape) * self.channels // self.groups * math.prod(self.kernel)

    def data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return x, w and the bias: normal, the same every time."""
        rng = np.random.default_rng(2024)
        shapes = (
            (self.batch, self.channels, *self.size),
            (self.outputs, self.channels // self.groups, *self.kernel),
            (self.outputs,),
        )
        x, w, b = (rng.standard_normal(shape, np.float32) for shape in shapes)
        return x, w, b

    def exact(self, x: np.ndarray, w: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the result in float64, and the largest Σ|w||x| + |b| of an output."""
        wide = np.pad(x.astype(np.float64), ((0, 0), (0, 0), *self.pads))
        y = np.zeros((self.outputs, self.batch, *self.out))
        scale = np.zeros_like(y)
        y += b.reshape(-1, *(1,) * (y.ndim - 1))
        scale += np.abs(b).reshape(-1, *(1,) * (y.ndim - 1))
        channels, outputs = self.channels // self.groups, self.outputs // self.groups
        for u in np.ndindex(self.kernel):
            window = zip(u, self.out, self.stride, strict=True)
            samples = wide[(..., *(slice(k, k + (n - 1) * s + 1, s) for k, n, s in window))]
            taps = w[(slice(None), slice(None), *u)].astype(np.float64)
            for g in range(self.groups):
                k = slice(g * outputs, (g + 1) * outputs)
                part = samples[:, g * channels : (g + 1) * channels]
                y[k] += np.tensordot(taps[k], part, (1, 1))
                scale[k] += np.tensordot(np.abs(taps[k]), np.abs(part), (1, 1))
        return y.swapaxes(0, 1), float(scale.max())


def square(
    batch: int,
    channels: int,
    size: int,
    outputs: int,
    kernel: int = 3,
    stride: int = 1,
    groups: int = 1,
    ndim: int = 2,
    pad: int | None = None,
) -> Layer:
    """Return a layer that is alike along all axes, padded to "same" unless ``pad`` is given."""
    pad = kernel // 2 if pad is None else pad
    return Layer(
        batch,
        channels,
        (size,) * ndim,
        outputs,
        (kernel,) * ndim,
        (stride,) * ndim,
        ((pad, pad),) * ndim,
        groups,
    )


#: Layers by class.
LAYERS: dict[str, tuple[Layer, ...]] = {
    "3x3": (
        square(1, 64, 56, 64),
        square(1, 128, 28, 128),
        square(1, 256, 14, 256),
        square(1, 64, 224, 64),
        square(1, 512, 28, 512),
        square(1, 512, 7, 512),
    ),
    "1-D": (square(8, 64, 4000, 64, ndim=1),),
    "3-D": (square(1, 64, 16, 64, ndim=3), square(1, 16, 32, 32, ndim=3)),
}


# ---- peers ------------------------------------------------------------------------------------


def _torch(layer: Layer, x: np.ndarray, w: np.ndarray, b: np.ndarray) -> Call | None:
    torch: Any = importlib.import_module("torch")
    if any(low != high for low, high in layer.pads):
        return None
    torch.set_num_threads(1)
    call = getattr(torch.nn.functional, f"conv{len(layer.size)}d")
    tensors = [torch.from_numpy(a) for a in (x, w, b)]
    padding = [low for low, _ in layer.pads]

    def run() -> np.ndarray:
        with torch.inference_mode():
            y: np.ndarray = call(*tensors, layer.stride, padding, 1, layer.groups).numpy()
        return y

    return run


def _onnxruntime(layer: Layer, x: np.ndarray, w: np.ndarray, b: np.ndarray) -> Call | None:
    ort: Any = importlib.import_module("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(
        onnx_model(layer, w, b), options, providers=["CPUExecutionProvider"]
    )
    y = np.empty(layer.y_shape, np.float32)
    binding = session.io_binding()
    binding.bind_cpu_input("x", x)
    binding.bind_output("y", "cpu", 0, np.float32, y.shape, y.ctypes.data)

    def run() -> np.ndarray:
        session.run_with_iobinding(binding)
        return y

    return run


def _openvino(layer: Layer, x: np.ndarray, w: np.ndarray, b: np.ndarray) -> Call | None:
    ov: Any = importlib.import_module("openvino")
    ops: Any = importlib.import_module("openvino.opset13")
    ndim = len(layer.size)
    source = ops.parameter(list(x.shape), np.float32)
    low, high = zip(*layer.pads, strict=True)
    if layer.groups == 1:
        convolve, weights = ops.convolution, w
    else:
        convolve, weights = ops.group_convolution, np.stack(np.split(w, layer.groups))
    y = convolve(source, ops.constant(weights), layer.stride, low, high, (1,) * ndim)
    y = ops.add(y, ops.constant(b.reshape(1, -1, *(1,) * ndim)))
    settings = {
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",  # else bfloat16, where the CPU has it
    }
    compiled = ov.Core().compile_model(ov.Model([y], [source], "layer"), "CPU", settings)
    request = compiled.create_infer_request()
    request.set_input_tensor(ov.Tensor(x, shared_memory=True))

    def run() -> np.ndarray:
        request.infer()
        result: np.ndarray = request.get_output_tensor().data
        return result

    return run


#: Name → module, function that binds a layer, or None where it has no such layer.
PEERS: dict[str, tuple[str, Callable[..., Call | None]]] = {
    "torch": ("torch", _torch),
    "ONNX Runtime": ("onnxruntime", _onnxruntime),
    "OpenVINO": ("openvino", _openvino),
}


def peers(layer: Layer, x: np.ndarray, w: np.ndarray, b: np.ndarray) -> dict[str, Call]:
    """Return the calls of the peers that are installed and have such a layer."""
    calls = {}
    for name, (module, bind) in PEERS.items():
        if importlib.util.find_spec(module):
            call = bind(layer, x, w, b)
            if call is not None:
                calls[name] = call
    return calls


# ---- a layer in ONNX's format, https://onnx.ai/onnx/repo-docs/IR.html: field numbers are its ----


def _varint(value: int) -> bytes:
    groups = [value >> shift & 127 for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([g | 128 for g in groups[:-1]] + groups[-1:])


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _message(*fields: tuple[int, int | str | bytes]) -> bytes:
    return b"".join(_field(number, value) for number, value in fields)


def _attribute(name: str, values: Sequence[int]) -> bytes:
    return _message((1, name), *((8, v) for v in values), (20, 7))


def _tensor(name: str, a: np.ndarray) -> bytes:
    raw = a.astype("<f4").tobytes()
    return _message(*((1, n) for n in a.shape), (2, 1), (8, name), (9, raw))


def _value(name: str, shape: Sequence[int]) -> bytes:
    dimensions = _message(*((1, _message((1, n))) for n in shape))
    return _message((1, name), (2, _message((1, _message((1, 1), (2, dimensions))))))


def onnx_model(layer: Layer, w: np.ndarray, b: np.ndarray) -> bytes:
    """Return the layer as a model of one Conv node, weights inside."""
    low, high = zip(*layer.pads, strict=True)
    group = _message((1, "group"), (3, layer.groups), (20, 2))
    node = _message(
        *((1, name) for name in "xwb"),
        (2, "y"),
        (4, "Conv"),
        (5, _attribute("strides", layer.stride)),
        (5, _attribute("pads", (*low, *high))),
        (5, group),
    )
    graph = _message(
        (1, node),
        (2, "layer"),
        (5, _tensor("w", w)),
        (5, _tensor("b", b)),
        (11, _value("x", (layer.batch, layer.channels, *layer.size))),
        (12, _value("y", layer.y_shape)),
    )
    return _message((1, 8), (7, graph), (8, _message((1, ""), (2, 17))))


# ---- ours, and the table ----------------------------------------------------------------------


def ours(layer: Layer, x: np.ndarray, w: np.ndarray, b: np.ndarray) -> dict[str, Call]:
    """Return the calls of our algorithms, with weights packed beforehand and without."""
    from pyconv.algorithms import LAYER_ALGORITHMS
    from pyconv.algorithms.winograd import Winograd
    from pyconv.layer_problem import LayerProblem
    from pyconv.problem import Axis

    axes = zip(layer.size, layer.kernel, layer.pads, layer.stride, layer.out, strict=True)
    problem = LayerProblem(
        batch=layer.batch,
        in_channels=layer.channels,
        out_channels=layer.outputs,
        groups=layer.groups,
        spatial=tuple(
            Axis(2 + i, n, k, *pads, s, 1, "constant", out)
            for i, (n, k, pads, s, out) in enumerate(axes)
        ),
        dtype=np.dtype(np.float32),
    )
    calls: dict[str, Call] = {}
    y = np.empty(layer.y_shape, np.float32)
    known = {a.name: a for a in (Winograd(4), Winograd(2), *LAYER_ALGORITHMS)}
    for algorithm in known.values():
        if algorithm.name == "reference" or algorithm.rejects(problem):
            continue
        bound = algorithm.bind(problem)
        for words, weights in (("packed", bound.pack(w)), ("unpacked", w)):

            def run(bound: Any = bound, weights: Any = weights) -> np.ndarray:
                bound.run(x, weights, b, y, 1)
                return y

            calls[f"{algorithm.name} {words}"] = run
    return calls


@dataclass
class Measured:
    """Seconds of each contender of a layer."""

    layer: Layer
    ours: dict[str, float]
    peers: dict[str, float]

    def ratio(self, words: str) -> float:
        """Return the best peer's time ÷ the best of ours whose names end in ``words``."""
        best = min((t for n, t in self.ours.items() if n.split()[-1] == words), default=math.nan)
        return min(self.peers.values(), default=math.nan) / best


def check(layer: Layer, calls: Mapping[str, Call], data: tuple[np.ndarray, ...]) -> None:
    """Exit if a result is wrong: its time would mean nothing."""
    exact, scale = layer.exact(*data)
    for name, call in calls.items():
        error = np.abs(call() - exact).max() / (scale * np.finfo(np.float32).eps)
        if not error < 64:  # or NaN
            sys.exit(f"wrong result: {layer.label}, {name}: error {error:.3g} ε·S")


def measure(layer: Layer, effort: Any) -> Measured:
    """Check and time all contenders of a layer, in turn."""
    from benchmarks.timing import interleaved_minima

    data = layer.data()
    mine, others = ours(layer, *data), peers(layer, *data)
    check(layer, mine | others, data)
    times = interleaved_minima(mine | others, effort)
    return Measured(layer, {n: times[n] for n in mine}, {n: times[n] for n in others})


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    from benchmarks.__main__ import THREAD_LIMITS

    os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))
    from benchmarks.timing import FULL, QUICK

    parser = argparse.ArgumentParser("python -m benchmarks.layer_peers", description=__doc__)
    parser.add_argument("classes", nargs="*", metavar="CLASS", help=", ".join(LAYERS))
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    given = parser.parse_args(arguments)
    for name in given.classes or LAYERS:
        rows = []
        print(f"\n### {name}: GF/s of the definition\n", flush=True)
        for layer in LAYERS[name]:
            row = measure(layer, QUICK if given.quick else FULL)
            rates = [
                f"{n} {2e-9 * layer.products / t:.0f}" for n, t in (row.ours | row.peers).items()
            ]
            rows.append(row)
            print(
                f"| {layer.label} | {' | '.join(rates)} | "
                f"÷ best peer: {row.ratio('packed'):.2f}, {row.ratio('unpacked'):.2f} |",
                flush=True,
            )
        for words in ("packed", "unpacked"):
            ratios = [row.ratio(words) for row in rows]
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            print(f"- {words}: geometric mean {mean:.2f}, least {min(ratios):.2f}")


if __name__ == "__main__":
    main()
