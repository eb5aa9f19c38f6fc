"""Face vectors never leave the store: in no repr, no figure, no audit event, no backup and no database file in the clear."""

from __future__ import annotations

import base64
import dataclasses
import importlib
import json
import pkgutil
from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType

import numpy as np
import pytest

import matcher
import store as store_package
from store import audit, backup, cases, faces, gallery, gallery_blocks, media, photos, posts, status
from store.cases import CaseFields
from store.model import Author, Box, FaceQuality, Media, Post, Stream, StreamKind
from store.photos import PhotoFiles
from store.session import Store
from store.vault import AesVault

PACK = "p" * 64


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if "migrations" not in found.name:
            yield importlib.import_module(found.name)


def _vector_fields() -> Iterator[tuple[str, dataclasses.Field]]:
    """Fields that hold vectors, of dataclasses that print themselves the generated way."""
    for package in (store_package, matcher):
        for module in _modules(package):
            for name, value in vars(module).items():
                if not (isinstance(value, type) and dataclasses.is_dataclass(value)) or value.__module__ != module.__name__:
                    continue
                if value.__repr__.__code__.co_filename != module.__file__:
                    for field in dataclasses.fields(value):
                        if "vector" in field.name or "template" in field.name or "Vector" in str(field.type):
                            yield f"{module.__name__}.{name}.{field.name}", field


def test_no_dataclass_prints_a_vector():
    """Whatever carries a vector leaves it out of its repr, so that no log line or traceback can show it."""
    found = dict(_vector_fields())
    assert {"store.faces.FaceVector.vector", "store.gallery.GalleryFaces.vectors"} <= set(found)
    assert [name for name, field in found.items() if field.repr] == []


@dataclasses.dataclass(frozen=True)
class _Face:
    vector: np.ndarray = dataclasses.field(repr=False)
    box: Box = dataclasses.field(default_factory=lambda: Box(10, 10, 60, 70))
    det_score: float = 0.9
    landmarks: tuple[tuple[float, float], ...] = ()
    quality: FaceQuality = FaceQuality.GOOD
    quality_why: str = "sharp"
    norm: float = 11.5


@pytest.fixture
def vectors() -> list[np.ndarray]:
    made = np.random.default_rng(3).normal(size=(2, 128)).astype(np.float32)
    return [row / np.linalg.norm(row) for row in made]


@pytest.fixture
def filled(tmp_path, vectors):
    """A sealed store with one face that a post shows and one of a verified case."""
    vault = AesVault([b"k" * 32])
    opened = Store(f"sqlite:///{tmp_path / 'live' / 's.sqlite'}", lambda: datetime(2011, 2, 10, tzinfo=UTC), vault)
    opened.migrate()
    now = opened._clock()
    post = Post("weibo", "1", Author("u", "u"), "x", now, "https://x.example/1", media=(Media("k", ("https://x.example/k",)),))
    with opened.write() as tx:
        stream = Stream("weibo", StreamKind.MENTIONS)
        posts.save_page(tx, stream, [post], now=now, silent=lambda _: False, cursor=None, chain=None)
        keep = {"width_px": 99, "height_px": 99, "format": "JPEG", "size_bytes": 9}
        seen = photos.save(tx, sha256="1" * 64, phash="00ff00ff00ff00ff", **keep)
        held = photos.save(tx, sha256="2" * 64, phash="0f0f0f0f0f0f0f0f", **keep)
        media.mark_stored(tx, 1, seen.id)
        faces.save_faces(tx, seen.id, "pack", PACK, [_Face(vectors[0])])
        case = cases.add(tx, CaseFields(name="示例"), "family")
        gallery.save_case_face(tx, cases.add_photo(tx, case.id, held.id).id, "pack", PACK, _Face(vectors[1]))
        cases.verify(tx, case.id, "second", "A-1")
        audit.append(tx, "second", "case.verified", case.ref)
        kept = gallery_blocks.Block(np.array([case.id]), np.array([1], np.uint8), vectors[1][None].astype(np.float16))
        gallery_blocks.write(tx, PACK, 0, cases.present_seq(tx), kept)
    yield opened
    opened.close()


def _signs(vectors: list[np.ndarray]) -> list[bytes]:
    """The first numbers of each vector in every form they could leave in."""
    signs = []
    for vector in vectors:
        for kind in ("<f2", "<f4", "<f8", ">f4"):
            raw = vector[:6].astype(kind).tobytes()
            signs += [raw, raw.hex().encode(), base64.b64encode(raw)[:8]]
        signs += [f"{number:.4f}".encode() for number in vector[:3]]
        signs.append(json.dumps(float(vector[0])).encode()[:9])
    return signs


def test_no_file_and_no_figure_holds_a_vector(filled, tmp_path, vectors):
    """Database, write-ahead log, backup, status, cases and candidates as printed: none holds a number of a vector."""
    backup.backup(filled, PhotoFiles(tmp_path / "live" / "photos", filled.vault), tmp_path / "copy")
    filled.checkpoint()
    with filled.read() as tx:
        told = [status.figures(tx), cases.listing(tx), faces.faces_of_photo(tx, 1), gallery.faces_of_case(tx, 1, PACK)]
        told += [list(faces.vectors(tx, PACK)), gallery.gallery(tx, PACK), gallery_blocks.read(tx, PACK, 0), audit.listing(tx)]
    everything = repr(told).encode() + b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert [sign for sign in _signs(vectors) if sign in everything] == []


def test_the_signs_would_be_found(vectors):
    """The search itself works: a vector written plainly is found in each form."""
    plain = vectors[0].astype("<f2").tobytes() + repr(vectors[0].astype(float).tolist()).encode()
    assert sum(sign in plain for sign in _signs(vectors[:1])) >= 2
