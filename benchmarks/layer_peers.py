"""LAYER_PEERS: what users would call for a layer, bound to one; torch's gradients.

A peer that keeps weights in an order of its own has them in it before it is timed. torch's calls
take them as they are.
"""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import threads
from benchmarks.layer_cases import Layer
from benchmarks.onnx_layer import onnx_model
from benchmarks.peers import Call, Peer

#: Returns the call that applies a layer to x, w and the bias.
LayerBind = Callable[[Layer, np.ndarray, np.ndarray, np.ndarray], Call]


def _torch() -> Any:
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(threads.COUNT)
    return torch


def _torch_layer(layer: Layer, x: np.ndarray, w: np.ndarray, b: np.ndarray) -> Call:
    torch = _torch()
    call = getattr(torch.nn.functional, f"conv{layer.ndim}d")
    tensors = [torch.from_numpy(a) for a in (x, w, b)]

    def run() -> np.ndarray:
        with torch.inference_mode():
            y: np.ndarray = call(*tensors, layer.stride, layer.padding, 1, layer.groups).numpy()
        return y

    return run


def torch_gradients(
    layer: Layer, x: np.ndarray, w: np.ndarray, dy: np.ndarray
) -> tuple[Call, Call]:
    """Return torch's gradients for the input and for the weights."""
    torch = _torch()
    tensors = [torch.from_numpy(a) for a in (dy, x, w)]
    stride, padding, dilation, none = (
        [n] * layer.ndim for n in (layer.stride, layer.padding, 1, 0)
    )

    def bind(which: int) -> Call:
        wanted = [i == which for i in range(3)]

        def run() -> np.ndarray:
            with torch.inference_mode():
                gradients = torch.ops.aten.convolution_backward(
                    *tensors, None, stride, padding, dilation, False, none, layer.groups, wanted
                )
            gradient: np.ndarray = gradients[which].numpy()
            return gradient

        return run

    return bind(0), bind(1)


def _onnxruntime(layer: Layer, x: np.ndarray, w: np.ndarray, b: np.ndarray) -> Call:
    ort: Any = importlib.import_module("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads.COUNT, 1
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


def _openvino(layer: Layer, x: np.ndarray, w: np.ndarray, b: np.ndarray) -> Call:
    ov: Any = importlib.import_module("openvino")
    ops: Any = importlib.import_module("openvino.opset13")
    source = ops.parameter(list(x.shape), np.float32)
    stride, padding, dilation = ([n] * layer.ndim for n in (layer.stride, layer.padding, 1))
    if layer.groups == 1:
        convolve, weights = ops.convolution, w
    else:
        convolve, weights = ops.group_convolution, np.stack(np.split(w, layer.groups))
    y = convolve(source, ops.constant(weights), stride, padding, padding, dilation)
    y = ops.add(y, ops.constant(b.reshape(1, -1, *(1,) * layer.ndim)))
    settings = {
        "INFERENCE_NUM_THREADS": threads.COUNT,
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


TORCH: Peer[LayerBind] = Peer("torch", "torch", "torch", _torch_layer)
LAYER_PEERS: tuple[Peer[LayerBind], ...] = (
    TORCH,
    Peer("ONNX Runtime", "onnxruntime", "onnxruntime", _onnxruntime),
    Peer("OpenVINO", "openvino", "openvino", _openvino),
)
