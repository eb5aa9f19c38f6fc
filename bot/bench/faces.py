"""Photos to vectors beside the bare onnxruntime sessions of the same pack, fed with ready tensors on the same cores.

Ours is the running bot's own way (:mod:`bot.steps.scan`): from the sealed file, through the decoding processes, to faces with
vectors and quality, the next photos in hand meanwhile. DeepFace and face_recognition are run beside it where they are installed.
"""

from __future__ import annotations

import importlib.util
import io
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bot.bench import _paper, _rivals
from bot.bench.base import Figure, Result, paired
from bot.sections import ModelsSettings
from bot.steps.scan import ahead
from ingest.photo import Decoder
from matcher import packs
from matcher.cores import cores
from matcher.engines.base import DetectedFace, EngineSettings
from matcher.engines.loading import load
from store.errors import EngineError
from store.photos import PhotoFiles
from store.vault import AesVault

DETECT_PX, SECOND_PX = 640, 256
SHARED = "yunet_sface"
"""The built-in pack whose networks DeepFace can be given too."""

RIVAL_PHOTOS = 8
"""Photos that the rivals are given: the slowest takes seconds for each."""


def run(quick: bool) -> Result:
    """Photos and faces a second, as many photos in hand as the bot has, one thread a core for the bare sessions; the full run
    also writes docs/benchmarks/faces.md."""
    photos = _photos(24 if quick else 120)
    workers, at_once = cores(), ModelsSettings().at_once()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool, Decoder(workers=at_once) as decoder:
        files = PhotoFiles(Path(folder) / "photos", AesVault([bytes(32)]))
        kept = [files.put(photo) for photo in photos]
        figures, sides = [], {}
        for name in packs.BUILT_IN:
            pack = packs.ensure(Path(folder), name)
            side = sides[name] = _Ours(pack, files, decoder, at_once)
            counts = side.counted(kept)
            alone = partial(_all, pool, _Sessions(pack), counts)
            rate, bare_rate, ratio = paired(partial(side.work, len(kept)), alone)
            bare = "bare onnxruntime sessions"
            figures += [
                Figure(f"{name}: photos to vectors", rate, "photos/s", ratio, bare, promised="at least 0.85"),
                Figure(f"{name}: {bare}", bare_rate, "photos/s"),
                Figure(f"{name}: faces to vectors", rate * sum(counts) / len(photos), "faces/s"),
            ]
        few = photos[:RIVAL_PHOTOS]
        beside, skipped = _beside_rivals(sides, few, packs.ensure(Path(folder), SHARED), Path(folder), workers)
        figures += beside
    if not quick:
        _paper.page("faces", "Photos to vectors", "./run.sh bench faces --rivals --full", _words(figures))
    return Result("faces", tuple(figures), tuple(skipped))


class _Ours:
    """The running bot's way with one pack."""

    def __init__(self, pack: Path, files: PhotoFiles, decoder: Decoder, at_once: int) -> None:
        self._engine = load("insightface_pack")(EngineSettings(pack))
        self._files, self._decoder, self._at_once = files, decoder, at_once
        self._kept: list[str] = []
        self._counts: list[int] = []

    def counted(self, kept: list[str]) -> list[int]:
        """How many faces each of these photos has; they are the ones to work on."""
        self._kept, self._counts = kept, [len(self._look(sha256)) for sha256 in kept]
        return self._counts

    def work(self, first: int) -> int:
        """From the sealed files of the ``first`` photos to vectors."""
        with ahead(self._look, self._kept[:first], self._at_once) as look:
            if [len(look(sha256)) for sha256 in self._kept[:first]] != self._counts[:first]:
                raise EngineError("the same photos gave other faces")
        return first

    def _look(self, sha256: str) -> list[DetectedFace]:
        return self._engine.faces(self._decoder.pixels(self._files.get(sha256)))


def _beside_rivals(
    ours: Mapping[str, _Ours], photos: list[bytes], pack: Path, folder: Path, workers: int
) -> tuple[list[Figure], list[str]]:
    """Our rate with each pack as a ratio to each rival's, taken in turn over the same photos; and which rivals do not run here,
    and why."""
    figures, skipped = [], []
    for number, rival in enumerate(_rivals.RIVALS):
        beside = folder / str(number)
        beside.mkdir()
        try:
            with _rivals.started(rival.name, photos, pack, beside, workers) as theirs:
                for name, side in ours.items():
                    _, slow, faster = paired(partial(side.work, len(photos)), theirs, rounds=3)
                    promised = rival.promised if name == packs.DEFAULT_PACK else ""
                    title = f"{rival.title}: its rate, beside {name}"
                    figures.append(Figure(title, slow, "photos/s", faster, "as fast is ours", promised=promised))
        except EngineError as error:
            skipped.append(f"{rival.title}: {error}")
    return figures, skipped


def _words(figures: list[Figure]) -> list[str]:
    """The page's parts."""
    return [
        "JPEGs of 640 px with one to three faces, cut from insightface's group photo, the sides taken in turn, the others with "
        "one process or thread a core, ours as the bot is set up (one photo more in hand). The bare sessions are fed each face "
        "by itself. Ours starts from the sealed file and ends with vectors and quality.",
        _paper.table(("figure", "measured", "ratio", "promised"), _paper.rows(figures)),
        _rivals.HOW,
    ]


class _Sessions:
    """The pack's two models with nothing around them."""

    def __init__(self, pack: Path) -> None:
        # The only place outside matcher/engines that may touch them: what is measured here is the engine's own cost.
        engine: Any = load("insightface_pack")(EngineSettings(pack))
        self._detector, self._recogniser = engine.sessions()
        rng = np.random.default_rng(0)
        self._images = [rng.normal(size=(1, 3, px, px)).astype(np.float32) for px in (DETECT_PX, SECOND_PX)]
        self._face = rng.uniform(0, 255, size=(1, 3, 112, 112)).astype(np.float32)

    def run(self, faces: int) -> int:
        """One photo's inference: both detection sizes, and one embedding a face."""
        for image in self._images:
            self._detector.run(None, {self._detector.get_inputs()[0].name: image})
        for _ in range(faces):
            self._recogniser.run(None, {self._recogniser.get_inputs()[0].name: self._face})
        return 1


def _all(pool: ThreadPoolExecutor, sessions: _Sessions, counts: list[int]) -> int:
    return sum(pool.map(sessions.run, counts))


def _photos(count: int) -> list[bytes]:
    """JPEGs of 640 px cut from insightface's own group photo, one to three faces each, all different."""
    package = importlib.util.find_spec("insightface")
    if package is None or package.origin is None:
        raise EngineError("insightface is not installed", mend="run ./run.sh, which installs it")
    source = Image.open(Path(package.origin).parent / "data" / "images" / "t1.jpg").convert("RGB")
    rng = np.random.default_rng(0)
    photos = []
    for _ in range(count):
        side = int(rng.integers(420, 640))
        left, top = int(rng.integers(0, source.width - side)), int(rng.integers(0, max(1, source.height - side)))
        buffer = io.BytesIO()
        source.crop((left, top, left + side, top + side)).resize((DETECT_PX, DETECT_PX)).save(buffer, "JPEG", quality=85)
        photos.append(buffer.getvalue())
    return photos
