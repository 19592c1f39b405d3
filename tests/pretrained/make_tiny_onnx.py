"""Make ``tiny.onnx``: six moving averages of the size of a waveform, every 8 samples.

    python -m tests.pretrained.make_tiny_onnx

Its outputs are ``frames`` (n, 6, n_frames), their mean ``embedding`` (n, 6), and ``last``
(n, n_frames, 6), as transformers have it.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PATH = Path(__file__).with_name("tiny.onnx")


def make_model(n_samples="n_samples", n="n"):
    """Return the model; the axes may have numbers in place of names."""
    kernels = np.random.RandomState(0).standard_normal((6, 1, 16)).astype(np.float32).round(2)
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Unsqueeze", ["waveform", "axis"], ["channel"]),
        helper.make_node("Conv", ["channel", "kernels"], ["sums"], strides=[8], pads=[8, 8]),
        helper.make_node("Relu", ["sums"], ["frames"]),
        helper.make_node("ReduceMean", ["frames", "time"], ["embedding"], keepdims=0),
        helper.make_node("Transpose", ["frames"], ["last"], perm=[0, 2, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [value("waveform", TensorProto.FLOAT, [n, n_samples])],
        [
            value("embedding", TensorProto.FLOAT, [n, 6]),
            value("frames", TensorProto.FLOAT, [n, 6, None]),
            value("last", TensorProto.FLOAT, [n, None, 6]),
        ],
        [
            numpy_helper.from_array(kernels, "kernels"),
            numpy_helper.from_array(np.array([1]), "axis"),
            numpy_helper.from_array(np.array([2]), "time"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    onnx.save(make_model(), PATH)
