"""An operator's own cohort of strangers, kept as vectors only: licensed photos of people who are surely no registered child.

With it, bands are calibrated from the first case on, and for the people, light and cameras of the place. The photos are not
kept. The file lies beside the pack that made it, readable for its owner alone, and is of no use to any other pack.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

from matcher.gallery import Vectors
from store.errors import BadInput, EngineError

LEAST = 60
_NAME = "cohort.npz"


def save(pack_dir: Path, pack_sha256: str, vectors: Vectors) -> Path:
    """Keep ``vectors`` (unit rows of different persons) as the cohort of the pack, replacing an earlier one.

    Raises:
        BadInput: fewer than 60 vectors: too few to calibrate with.
        EngineError: the folder cannot be written.
    """
    if len(vectors) < LEAST:
        wanted = f"give photos of at least {LEAST} different persons, one a photo"
        raise BadInput(f"{len(vectors)} usable faces are too few for a cohort", mend=wanted)
    target = pack_dir / _NAME
    try:
        handle, name = tempfile.mkstemp(prefix=".cohort-", dir=pack_dir)
        with os.fdopen(handle, "wb") as stream:
            np.savez(stream, vectors=vectors.astype(np.float16), pack_sha256=np.array(pack_sha256))
        os.replace(name, target)
    except OSError as error:
        raise EngineError(f"{target}: cannot be written: {error}", mend="free disk space, or correct models.dir") from error
    return target


def load(pack_dir: Path, pack_sha256: str) -> Vectors | None:
    """The cohort kept for the pack, or None where there is none.

    Raises:
        EngineError: the file is damaged, or was made by another pack.
    """
    path = pack_dir / _NAME
    if not path.is_file():
        return None
    mend = "make it anew: suishoupai calibrate --cohort PHOTOS"
    try:
        with np.load(path, allow_pickle=False) as content:
            vectors, made_by = content["vectors"].astype(np.float32), str(content["pack_sha256"])
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise EngineError(f"{path}: not readable: {error}", mend=mend) from error
    if made_by != pack_sha256:
        raise EngineError(f"{path}: made by another pack ({made_by[:8]})", mend=mend)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors)


def different(vectors: Vectors, same: float) -> Vectors:
    """``vectors`` without those that show a person who is there already (cosine at or above ``same``)."""
    kept: list[int] = []
    for row in range(len(vectors)):
        if not kept or float((vectors[kept] @ vectors[row]).max()) < same:
            kept.append(row)
    return vectors[kept]
