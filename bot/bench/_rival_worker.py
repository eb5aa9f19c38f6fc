"""Runs in another project's own environment: ``python _rival_worker.py NAME PHOTO...`` turns the photos into vectors each time a
line comes in, and answers with the number of photos done. It imports nothing of this project."""

import importlib
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from PIL import Image


def main() -> None:
    """Load the rival, say that it is ready, then work on request."""
    name, paths = sys.argv[1], sys.argv[2:]
    vectors = rival(name)
    vectors(paths[0])  # models are loaded lazily
    print("ready", flush=True)
    for _ in sys.stdin:
        for path in paths:
            vectors(path)
        print(len(paths), flush=True)


def rival(name: str) -> Callable[[str], None]:
    """``face_recognition``, ``deepface:MODEL:DETECTOR`` with that model's files at hand, or the same with ``:random`` behind."""
    if name == "face_recognition":
        return face_recognition
    _, model, detector, *random = name.split(":")
    if random:
        no_weights()
    return partial(deepface, model=model, detector=detector)


def face_recognition(path: str) -> None:
    """dlib's HOG detector and ResNet, as its examples call them."""
    library: Any = importlib.import_module("face_recognition")
    image = np.asarray(Image.open(path).convert("RGB"))
    library.face_encodings(image, library.face_locations(image))


def deepface(path: str, *, model: str, detector: str) -> None:
    """DeepFace as its examples call it."""
    library: Any = importlib.import_module("deepface.DeepFace")
    image = np.asarray(Image.open(path).convert("RGB"))[:, :, ::-1]
    library.represent(image, model_name=model, detector_backend=detector, enforce_detection=False)


def no_weights() -> None:
    """DeepFace builds its networks and leaves them as its framework fills them at first: random values of ordinary size.

    It would download the trained ones. A network of dense layers takes the same time with any values but denormal ones.
    """
    weights: Any = importlib.import_module("deepface.commons.weight_utils")
    weights.download_weights_if_necessary = lambda file_name, source_url, compress_type=None: file_name
    weights.load_model_weights = lambda model, weight_file: model


if __name__ == "__main__":
    main()
