"""Builds the default model pack ``yunet_lightcnn_int8``: LightCNN v4 again, in whole numbers of a byte.

The same network as in :mod:`matcher.engines.yunet_lightcnn_build` in a third of its time (docs/faces.md has what that costs).
Activations are bytes with a scale and a zero point each (``RANGES``), weights whole numbers from -63 to 63 with a scale a channel
(Jacob et al.: "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018). Seven
bits, because processors without VNNI add two products in 16 bits, which eight could overflow. Everything here is rounded from
numbers of the checkpoint by single operations of IEEE 754, so every machine builds the same bytes.

The graph is written in onnxruntime's own operators for channels that lie last: they are what its fast kernels read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from matcher.engines import yunet_lightcnn_build as lightcnn
from matcher.engines.yunet_lightcnn_build import LICENCE, SOURCE_SHA256, WHEEL, Weights

__all__ = ["LICENCE", "RANGES", "SOURCE_SHA256", "WHEEL", "build"]

RANGES = {
    "conv1": (-0.98, 1.86),
    "pool1": (-1.45, 2.85),
    "block1.0.conv1": (-1.87, 3.13),
    "block1.0.conv2": (-1.72, 2.45),
    "block1.0": (-1.86, 2.83),
    "conv2": (-0.86, 2.37),
    "pool2": (-1.28, 4.11),
    "block2.0.conv1": (-1.72, 2.02),
    "block2.0.conv2": (-1.73, 1.95),
    "block2.0": (-1.5, 3.42),
    "block2.1.conv1": (-1.61, 2.56),
    "block2.1.conv2": (-1.02, 2.0),
    "block2.1": (-1.46, 3.16),
    "conv3": (-0.58, 1.55),
    "pool3": (-1.06, 2.38),
    "block3.0.conv1": (-0.86, 2.05),
    "block3.0.conv2": (-1.02, 2.1),
    "block3.0": (-1.1, 2.58),
    "block3.1.conv1": (-0.76, 1.3),
    "block3.1.conv2": (-1.06, 1.14),
    "block3.1": (-1.03, 2.43),
    "block3.2.conv1": (-0.75, 1.06),
    "block3.2.conv2": (-0.66, 1.08),
    "block3.2": (-1.12, 1.98),
    "conv4": (-0.67, 0.93),
    "block4.0.conv1": (-0.62, 0.76),
    "block4.0.conv2": (-0.45, 0.74),
    "block4.0": (-0.67, 0.98),
    "block4.1.conv1": (-0.5, 0.79),
    "block4.1.conv2": (-0.4, 0.53),
    "block4.1": (-0.68, 1.22),
    "block4.2.conv1": (-0.59, 0.92),
    "block4.2.conv2": (-0.56, 0.62),
    "block4.2": (-0.86, 1.59),
    "block4.3.conv1": (-0.71, 1.26),
    "block4.3.conv2": (-0.98, 1.53),
    "block4.3": (-0.95, 1.43),
    "conv5": (-0.54, 0.74),
    "pool4": (-0.47, 0.98),
}
"""Least and greatest number of each step's result that a byte tells apart; what lies beyond is held at the end. Four fifths of
the extremes over 200 crops: a hundred photos of grown-up public figures, and the same mirrored and darkened. With the extremes
themselves the steps are coarser and the vectors further from the float32 network's (cosine 0.9937 instead of 0.9948)."""
_MOST_WEIGHT = 63
_OPSET = 13
_CONTRIB = "com.microsoft"


def build(target: Path) -> None:
    """Write the pack's files into the existing, empty directory ``target``.

    Raises:
        EngineError: a wheel is not installed, or its files are not the ones this builder was written for.
    """
    lightcnn.write(target, "yunet_lightcnn_int8", "lightcnn-v4-int8-1", network)


def network(tensors: Weights) -> onnx.ModelProto:
    """LightCNN v4 in whole numbers, from the checkpoint's tensors: RGB 0..255 in, shape (N, 3, 112, 112), 256 numbers out."""
    graph = _Graph(tensors)
    value = graph.bytes_of(graph.node("Transpose", [graph.scaled("data")], perm=[0, 2, 3, 1]))
    value = graph.pool(graph.mfm(value, "conv1"), "pool1")
    value = graph.pool(graph.mfm(graph.block(value, 1), "conv2"), "pool2")
    value = graph.pool(graph.mfm(graph.block(value, 2), "conv3"), "pool3")
    value = graph.mfm(graph.block(value, 3), "conv4")
    value = graph.pool(graph.mfm(graph.block(value, 4), "conv5"), "pool4")
    numbers = graph.node("DequantizeLinear", [value.name, *graph.scale_of(value)])
    flat = graph.node("Flatten", [graph.node("Transpose", [numbers], perm=[0, 3, 1, 2])], axis=1)
    vector = graph.node("Gemm", [flat, *graph.constants_of(tensors["fc.weight"], tensors["fc.bias"])], transB=1)
    side = lightcnn.SIDE_PX
    inputs = [helper.make_tensor_value_info("data", onnx.TensorProto.FLOAT, ["N", 3, side, side])]
    outputs = [helper.make_tensor_value_info(vector, onnx.TensorProto.FLOAT, ["N", lightcnn.DIMENSION])]
    made = helper.make_graph(graph.nodes, "lightcnn_v4_int8", inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_CONTRIB, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=lightcnn.IR_VERSION)


@dataclass(frozen=True, slots=True)
class _Bytes:
    """A tensor of bytes, shape (N, side, side, channels): each stands for ``scale * (byte - zero)``."""

    name: str
    side: int
    channels: int
    scale: np.float32
    zero: np.uint8


class _Graph:
    """ONNX nodes in the order they are added."""

    def __init__(self, tensors: Weights) -> None:
        self._tensors = tensors
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(self, operator: str, inputs: list[str], domain: str = "", **attributes: Any) -> str:
        """One node; the name of what it computes."""
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], domain=domain, **attributes))
        return name

    def constant(self, value: NDArray[Any] | np.generic) -> str:
        """A constant of the graph; its name."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def constants_of(self, *values: NDArray[Any] | np.generic) -> list[str]:
        """Several constants; their names."""
        return [self.constant(value) for value in values]

    def scale_of(self, value: _Bytes) -> list[str]:
        """Its scale and zero point, as constants."""
        return self.constants_of(value.scale, value.zero)

    def scaled(self, crop: str) -> str:
        """The crop at the network's size."""
        factor = lightcnn.NETWORK_PX / lightcnn.SIDE_PX
        sizes = self.constants_of(np.array([], np.float32), np.array([1, 1, factor, factor], np.float32))
        return self.node("Resize", [crop, *sizes], mode="linear", coordinate_transformation_mode="half_pixel")

    def bytes_of(self, pixels: str) -> _Bytes:
        """Pixels of 0 to 255 are bytes already."""
        whole = _Bytes("", lightcnn.NETWORK_PX, 3, np.float32(1.0), np.uint8(0))
        name = self.node("QuantizeLinear", [pixels, *self.scale_of(whole)])
        return _Bytes(name, whole.side, whole.channels, whole.scale, whole.zero)

    def mfm(self, value: _Bytes, name: str) -> _Bytes:
        """Max-feature-map: a convolution to twice the channels, of which the larger half survives, place by place."""
        weights, bias = (self._tensors[f"{name}.filter.{part}"].astype(np.float64) for part in ("weight", "bias"))
        if name == "conv1":  # the checkpoint wants BGR 0..1
            weights = weights[:, ::-1] / 255.0
        scales = np.maximum(np.abs(weights).max(axis=(1, 2, 3)) / _MOST_WEIGHT, 1e-8).astype(np.float32)
        whole = np.rint(weights / scales[:, None, None, None]).astype(np.int8)
        sums = np.rint(bias / (np.float64(value.scale) * scales)).astype(np.int32)
        scale, zero = _held(name)
        inputs = [value.name, *self.scale_of(value), *self.constants_of(whole, scales, np.zeros(len(whole), np.int8))]
        inputs += self.constants_of(scale, zero, sums)
        size, side, channels = whole.shape[2], value.side, len(whole) // 2
        both = self.node(
            "QLinearConv", inputs, _CONTRIB, channels_last=1, kernel_shape=[size, size], pads=[size // 2] * 4, strides=[1, 1]
        )
        # Seen as two pixels beside each other, the larger of the halves is what pooling finds, a whole register at a time.
        pairs = self.node("Reshape", [both, self.constant(np.array([1, -1, 2, channels], np.int64))])
        larger = self.node("NhwcMaxPool", [pairs], _CONTRIB, kernel_shape=[1, 2], strides=[1, 2])
        out = self.node("Reshape", [larger, self.constant(np.array([-1, side, side, channels], np.int64))])
        return _Bytes(out, side, channels, scale, zero)

    def added(self, first: _Bytes, second: _Bytes, name: str) -> _Bytes:
        """The sum of two tensors of one shape."""
        scale, zero = _held(name)
        inputs = [first.name, *self.scale_of(first), second.name, *self.scale_of(second), *self.constants_of(scale, zero)]
        return _Bytes(self.node("QLinearAdd", inputs, _CONTRIB), first.side, first.channels, scale, zero)

    def pool(self, value: _Bytes, name: str) -> _Bytes:
        """Half the size: the largest of four plus their mean."""
        halved: dict[str, Any] = {"kernel_shape": [2, 2], "strides": [2, 2]}
        largest = self.node("NhwcMaxPool", [value.name], _CONTRIB, **halved)
        unchanged = [*self.scale_of(value), *self.scale_of(value)]
        mean = self.node("QLinearAveragePool", [value.name, *unchanged], _CONTRIB, channels_last=1, **halved)
        side = value.side // 2
        first, second = (_Bytes(each, side, value.channels, value.scale, value.zero) for each in (largest, mean))
        return self.added(first, second, name)

    def block(self, value: _Bytes, number: int) -> _Bytes:
        """Residual blocks of two max-feature-maps each."""
        for i in range(lightcnn.BLOCKS[number - 1]):
            name = f"block{number}.{i}"
            value = self.added(self.mfm(self.mfm(value, f"{name}.conv1"), f"{name}.conv2"), value, name)
        return value


def _held(name: str) -> tuple[np.float32, np.uint8]:
    """Scale and zero point of a step's result."""
    least, greatest = RANGES[name]
    scale = np.float32((greatest - least) / 255)
    return scale, np.uint8(np.rint(-least / float(scale)))
