"""Faces that an evaluation has found before, kept by the photo's hash, so that a second run needs no engine.

A face vector leaves no store in the clear: the file is sealed with the store's own key, beside the page it serves. One that does
not open (another key, another pack, other floors of quality, damaged) is as good as none.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matcher import calibrate
from matcher.engines.base import DetectedFace, Engine
from store.errors import StoreError
from store.model import Box, FaceQuality
from store.vault import Vault


class Embedded:
    """The main face of each photo with one engine, None where the photo shows none."""

    def __init__(self, folder: Path, engine: Engine, vault: Vault) -> None:
        self._path = folder / f"faces-{engine.pack_id}.sealed"
        self._context = f"evaluation:{engine.pack_sha256}:{calibrate.floors(engine.pack_id)}"
        self._vault = vault
        self._changed = False
        self._faces = self._read()

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._faces

    def __getitem__(self, sha256: str) -> DetectedFace | None:
        return self._faces[sha256]

    def __setitem__(self, sha256: str, face: DetectedFace | None) -> None:
        self._faces[sha256] = face
        self._changed = True

    def keep(self) -> None:
        """Write the file, if there is anything new.

        Raises:
            StoreError: it cannot be sealed.
        """
        if not self._changed:
            return
        found = [face for face in self._faces.values() if face is not None]
        facts = {sha256: None if face is None else _facts(face) for sha256, face in self._faces.items()}
        buffer = io.BytesIO()
        vectors = np.stack([face.vector for face in found]) if found else np.zeros((0, 0), np.float32)
        np.savez(buffer, vectors=vectors, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_bytes(self._vault.seal(buffer.getvalue(), self._context))
        self._changed = False

    def _read(self) -> dict[str, DetectedFace | None]:
        try:
            plain = self._vault.open(self._path.read_bytes(), self._context)
        except (OSError, StoreError):
            return {}
        with np.load(io.BytesIO(plain), allow_pickle=False) as held:
            facts, vectors = json.loads(held["facts"].tobytes()), iter(held["vectors"])
        return {sha256: one and _face(one, next(vectors)) for sha256, one in facts.items()}


def _facts(face: DetectedFace) -> dict[str, Any]:
    return {name: value for name, value in asdict(face).items() if name != "vector"}


def _face(facts: dict[str, Any], vector: NDArray[np.float32]) -> DetectedFace:
    points = tuple((float(x), float(y)) for x, y in facts["landmarks"])
    known = {"box": Box(**facts["box"]), "quality": FaceQuality(facts["quality"]), "landmarks": points, "vector": vector}
    return DetectedFace(**{**facts, **known})
