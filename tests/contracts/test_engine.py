"""The suite that every face engine must pass: the project's own, and any operator's."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pictures

from matcher import packs
from matcher.engines.base import Engine, EngineSettings, Image
from matcher.engines.loading import engines, load
from store.errors import EngineError
from store.model import FaceQuality

EXAMPLES = Path(__file__).parent.parent / "examples" / "engines"

pytestmark = pytest.mark.engine


def picture(example: dict[str, Any], folder: Path) -> Image:
    """The example's photo: one of insightface's samples (which are not copied here), or a file beside the example."""
    source = str(example["image"])
    if source.startswith("insightface:"):
        from insightface.data import get_image

        return np.ascontiguousarray(get_image(source.removeprefix("insightface:"), to_rgb=True))
    return np.asarray(Pictures.open(folder / source).convert("RGB"))


def finds_the_example(engine: Engine, image: Image, example: dict[str, Any]) -> None:
    """The recorded faces are found, largest first, within 3 px, with their recorded quality."""
    found = engine.faces(image)
    assert len(found) == len(example["faces"])
    for face, wanted in zip(found, example["faces"], strict=True):
        box = (face.box.left, face.box.top, face.box.right, face.box.bottom)
        assert box == pytest.approx(wanted["box"], abs=3)
        assert face.quality.value == wanted["quality"]


def gives_unit_vectors(engine: Engine, image: Image, example: dict[str, Any]) -> None:
    """Vectors are float32, of the stated dimension and of unit length; scores and points are finite."""
    assert engine.dimension == example["dimension"]
    for face in engine.faces(image):
        assert face.vector.dtype == np.float32
        assert face.vector.shape == (engine.dimension,)
        assert np.linalg.norm(face.vector) == pytest.approx(1.0, abs=1e-5)
        assert 0 <= face.det_score <= 1
        assert len(face.landmarks) == 5
        assert np.isfinite(np.array(face.landmarks)).all()
        assert face.quality is FaceQuality.GOOD or face.quality_why


def is_deterministic(engine: Engine, image: Image, example: dict[str, Any]) -> None:
    """The same photo gives the same bytes."""
    first, second = engine.faces(image), engine.faces(image.copy())
    assert first == second
    assert all(np.array_equal(a.vector, b.vector) for a, b in zip(first, second, strict=True))


def is_thread_safe(engine: Engine, image: Image, example: dict[str, Any]) -> None:
    """Four threads on one engine, with photos of different sizes, get what one thread gets."""
    images = [image, image[: image.shape[0] // 2], image[:, : image.shape[1] // 2], image[::2, ::2]]
    alone = [engine.faces(np.ascontiguousarray(each)) for each in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(engine.faces, [np.ascontiguousarray(each) for each in images * 2]))
    for wanted, got in zip(alone * 2, together, strict=True):
        assert wanted == got
        assert all(np.array_equal(a.vector, b.vector) for a, b in zip(wanted, got, strict=True))


def leaves_the_photo_alone(engine: Engine, image: Image, example: dict[str, Any]) -> None:
    """The caller's array is not written to, even where it is read-only."""
    frozen = image.copy()
    frozen.flags.writeable = False
    engine.faces(frozen)
    assert np.array_equal(frozen, image)


def reads_greyscale(engine: Engine, image: Image, example: dict[str, Any]) -> None:
    """A grey photo (three equal channels) still shows every face."""
    grey = np.repeat(image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    assert len(engine.faces(grey)) == len(example["faces"])


def takes_any_size(engine: Engine, image: Image, example: dict[str, Any]) -> None:
    """One pixel, a thin strip and an empty field give no face and no error; boxes stay inside the photo."""
    for shape in ((1, 1, 3), (3, 900, 3), (900, 3, 3), (700, 500, 3)):
        assert engine.faces(np.zeros(shape, np.uint8)) == []
    height, width = image.shape[:2]
    for face in engine.faces(image):
        assert 0 <= face.box.left < face.box.right <= width
        assert 0 <= face.box.top < face.box.bottom <= height


def takes_a_huge_photo(engine: Engine, image: Image, example: dict[str, Any]) -> None:
    """A photo of some 20 megapixels still shows its faces."""
    factor = int(np.ceil(5000 / max(image.shape[:2])))
    huge = np.repeat(np.repeat(image, factor, axis=0), factor, axis=1)
    assert len(engine.faces(np.ascontiguousarray(huge))) >= len(example["faces"]) - 1


def takes_a_strided_view(engine: Engine, image: Image, example: dict[str, Any]) -> None:
    """An array that is not contiguous (a slice, a channel swap) is read as what it shows."""
    view = np.ascontiguousarray(image[:, :, ::-1])[:, :, ::-1]
    assert engine.faces(view) == engine.faces(image)


def refuses_what_is_no_photo(engine: Engine, image: Image, example: dict[str, Any]) -> None:
    """Anything but height x width x 3 of uint8 is an EngineError."""
    for wrong in (image[:, :, 0], image.astype(np.float32), np.zeros((10, 10, 4), np.uint8)):
        with pytest.raises(EngineError):
            engine.faces(wrong)


def names_its_pack(engine: Engine, image: Image, example: dict[str, Any]) -> None:
    """The pack's id and SHA-256 stand on the engine, and a face's repr does not show its vector."""
    assert engine.pack_id
    assert len(engine.pack_sha256) == 64
    face = engine.faces(image)[0]
    assert "vector" not in repr(face)
    assert f"{face.vector[0]:.4f}" not in repr(face)


Check = Callable[[Engine, Image, dict[str, Any]], None]
CHECKS: list[Check] = [
    finds_the_example,
    gives_unit_vectors,
    is_deterministic,
    is_thread_safe,
    leaves_the_photo_alone,
    reads_greyscale,
    takes_any_size,
    takes_a_huge_photo,
    takes_a_strided_view,
    refuses_what_is_no_photo,
    names_its_pack,
]


def missing_examples(names: set[str], folder: Path) -> set[str]:
    """The engines without a recorded example in ``folder``."""
    return names - {path.stem for path in folder.glob("*.json")}


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Engine, Image, dict[str, Any]]]:
    """Opens an engine with the pack of its example; each once."""
    folder = tmp_path_factory.mktemp("models")
    ready: dict[str, tuple[Engine, Image, dict[str, Any]]] = {}

    def open_(name: str) -> tuple[Engine, Image, dict[str, Any]]:
        if name not in ready:
            example = json.loads((EXAMPLES / f"{name}.json").read_text())
            engine = load(name)(EngineSettings(packs.find(folder, example["pack"])))
            ready[name] = engine, picture(example, EXAMPLES), example
        return ready[name]

    return open_


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", sorted(engines()))
def test_engine(name: str, check: Check, opened: Callable[[str], tuple[Engine, Image, dict[str, Any]]]) -> None:
    """Every engine file of the project passes every check of the suite."""
    check(*opened(name))


def test_every_engine_has_an_example() -> None:
    """An engine without a recorded example fails the tests."""
    assert missing_examples(set(engines()), EXAMPLES) == set()


TOY = '''
"""Takes bright blobs for faces. A toy: it exists to show what one engine file needs."""

import cv2
import numpy as np

from matcher.engines.base import DetectedFace
from store.errors import EngineError
from store.model import Box, FaceQuality


class Blobs:
    pack_id, pack_sha256, dimension = "blobs", "b" * 64, 64

    def faces(self, image):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise EngineError("no photo")
        grey = np.ascontiguousarray(image.mean(axis=2).astype(np.uint8))
        _, _, stats, _ = cv2.connectedComponentsWithStats((grey > 60).astype(np.uint8))
        found = [self._face(grey, *map(int, row[:4])) for row in stats[1:] if row[4] >= 16]
        return sorted(found, key=lambda face: -face.box.width_px * face.box.height_px)

    def _face(self, grey, left, top, w, h):
        small = cv2.resize(grey[top : top + h, left : left + w], (8, 8)).astype(np.float32).ravel()
        norm = float(np.linalg.norm(small))
        places = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.3, 0.8), (0.7, 0.8))
        points = tuple((left + w * x, top + h * y) for x, y in places)
        box = Box(float(left), float(top), float(left + w), float(top + h))
        return DetectedFace(box, 1.0, points, FaceQuality.GOOD, "", norm, small / norm)


def open_engine(settings):
    return Blobs()
'''


def test_adding_an_engine_takes_one_file_and_one_example(tmp_path: Path) -> None:
    """A file dropped into a folder, with its example, is found, loaded and passes the whole suite; nothing is registered."""
    (tmp_path / "blobs.py").write_text(textwrap.dedent(TOY))
    assert missing_examples(set(engines([tmp_path])), EXAMPLES) == {"blobs"}
    drawn = np.zeros((400, 600, 3), np.uint8)
    gradient = np.linspace(90, 250, 120, dtype=np.uint8)[None, :, None]
    drawn[50:150, 40:160], drawn[200:260, 300:380] = gradient, gradient[:, :80]
    Pictures.fromarray(drawn).save(tmp_path / "blobs.png")
    faces = [{"box": [40, 50, 160, 150], "quality": "good"}, {"box": [300, 200, 380, 260], "quality": "good"}]
    example = {"image": "blobs.png", "dimension": 64, "faces": faces}
    engine = load("blobs", [tmp_path])(EngineSettings(tmp_path))
    for check in CHECKS:
        check(engine, picture(example, tmp_path), example)


def test_an_engine_file_that_fails_says_so(tmp_path: Path) -> None:
    """An unknown name, a file that cannot be imported, no Python at all, a name taken twice: EngineErrors that name it."""
    with pytest.raises(EngineError, match="insightface_pack"):
        load("nothing", [tmp_path])
    (tmp_path / "broken.py").write_text("import no_such_module_here\n\ndef open_engine(settings): ...\n")
    with pytest.raises(EngineError, match=r"broken\.py"):
        load("broken", [tmp_path])
    (tmp_path / "insightface_pack.py").write_text("def open_engine(settings): ...\n")
    with pytest.raises(EngineError, match="two engine files"):
        load("insightface_pack", [tmp_path])
    (tmp_path / "insightface_pack.py").unlink()
    (tmp_path / "half.py").write_text("def open_engine(")
    with pytest.raises(EngineError, match="not readable as Python"):
        engines([tmp_path])


def test_looking_for_engines_runs_none_of_them(tmp_path: Path) -> None:
    """Listing engine files does not execute them."""
    (tmp_path / "loud.py").write_text("raise SystemExit('imported')\n\ndef open_engine(settings): ...\n")
    assert "loud" in engines([tmp_path])


def test_an_unknown_provider_lists_what_there_is(tmp_path: Path) -> None:
    """A provider that this onnxruntime lacks is an error with the list of those it has."""
    pack = packs.ensure_default(tmp_path)
    with pytest.raises(EngineError, match="CPUExecutionProvider"):
        load("insightface_pack")(EngineSettings(pack, providers=("MadeUpExecutionProvider",)))


def test_a_pack_without_a_recogniser_is_refused(tmp_path: Path) -> None:
    """A directory with a detector alone can be installed by hand, but never opened."""
    from datetime import UTC, datetime

    source = tmp_path / "half"
    source.mkdir()
    (source / "det.onnx").write_bytes((packs.ensure_default(tmp_path / "models") / "det_yunet.onnx").read_bytes())
    pack = packs.install(source, tmp_path / "models", lambda _: True, datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(EngineError, match="cannot be used"):
        load("insightface_pack")(EngineSettings(pack.path))


def test_a_damaged_model_is_a_clear_error(tmp_path: Path) -> None:
    """onnx files that are no models give an EngineError, not onnxruntime's own exception."""
    from datetime import UTC, datetime

    source = tmp_path / "noise"
    source.mkdir()
    (source / "model.onnx").write_bytes(b"not a model at all" * 100)
    pack = packs.install(source, tmp_path / "models", lambda _: True, datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(EngineError, match="cannot be used"):
        load("insightface_pack")(EngineSettings(pack.path))
