"""Runs in another project's own environment: ``python _rival_worker.py NAME PHOTO...`` turns the photos into vectors each time a
line comes in, and answers with the number of photos done. It imports nothing of this project."""

import importlib
import sys
from typing import Any

import numpy as np
from PIL import Image


def main() -> None:
    """Load the rival, say that it is ready, then work on request."""
    name, paths = sys.argv[1], sys.argv[2:]
    vectors = face_recognition if name == "face_recognition" else deepface
    vectors(paths[0])  # models are loaded lazily
    print("ready", flush=True)
    for _ in sys.stdin:
        for path in paths:
            vectors(path)
        print(len(paths), flush=True)


def face_recognition(path: str) -> None:
    """dlib's HOG detector and ResNet, as its examples call them."""
    rival: Any = importlib.import_module("face_recognition")
    image = np.asarray(Image.open(path).convert("RGB"))
    rival.face_encodings(image, rival.face_locations(image))


def deepface(path: str) -> None:
    """DeepFace with the very models of our default pack: YuNet and SFace."""
    rival: Any = importlib.import_module("deepface.DeepFace")
    image = np.asarray(Image.open(path).convert("RGB"))[:, :, ::-1]
    rival.represent(image, model_name="SFace", detector_backend="yunet", enforce_detection=False)


if __name__ == "__main__":
    main()
