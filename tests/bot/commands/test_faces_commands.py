"""models, evaluate and calibrate, as an operator types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from typer.testing import CliRunner

from bot.__main__ import build
from bot.commands import common
from bot.commands.evaluate_faces import read_labels
from matcher import packs
from matcher.engines.insightface_pack import InsightFacePack
from store.errors import BadInput, SuishoupaiError

QUICK = "yunet_sface"
"""For tests that do not ask how well faces are told apart: a third of the default pack's time."""
SHARED = Path(__file__).parents[4] / "shared" / "faces"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings with a models folder of their own, in which the default pack is built once."""
    path = tmp_path_factory.mktemp("settings") / "config.yaml"
    path.write_text("models: {dir: models}\n", encoding="utf-8")
    return path


@pytest.fixture
def call(config: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Runs the command line and gives exit code, output and error."""
    monkeypatch.setattr(common.out, "_width", 200)

    def run(*words: object, answer: str = "") -> SimpleNamespace:
        result = CliRunner().invoke(build(), [*map(str, words), "--config", str(config)], input=answer)
        code, error = result.exit_code, result.stderr
        if isinstance(result.exception, SuishoupaiError):
            code, error = common.exit_code(result.exception), f"{result.exception}\n{result.exception.mend}"
        elif result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return SimpleNamespace(code=code, out=result.stdout, error=error)

    return run


@pytest.mark.parametrize("wrong", ["cut short", "no recogniser"])
def test_a_pack_that_cannot_be_opened_is_not_installed(call, config: Path, tmp_path: Path, wrong: str) -> None:  # type: ignore[no-untyped-def]
    """A pack without a manifest to hold it against is opened once before it counts as installed: a broken file and a missing
    model are code 6 with the reason, and nothing stays behind."""
    call("models", "list")
    pack = tmp_path / "broken"
    shutil.copytree(config.parent / "models" / packs.DEFAULT_PACK, pack)
    for name in ("manifest.json", "installed.json"):
        (pack / name).unlink()
    recogniser = pack / "rec_lightcnn.onnx"
    if wrong == "cut short":
        recogniser.write_bytes(recogniser.read_bytes()[:20_000])
    else:
        recogniser.unlink()
    refused = call("models", "install", pack, "--accept-licence")
    assert refused.code == 6
    assert "was not installed" in refused.error
    assert "broken" not in call("models", "list").out


@pytest.fixture
def faces_folder(tmp_path: Path) -> Path:
    """Renderings of the six adults of insightface's sample: three photos each, and a CSV that names them."""
    from insightface.data import get_image

    photo = Image.fromarray(np.ascontiguousarray(get_image("t1", to_rgb=True)))
    boxes = [
        (380, 180, 660, 500),
        (820, 0, 1090, 290),
        (0, 190, 260, 480),
        (180, 70, 460, 360),
        (660, 270, 930, 560),
        (1040, 190, 1280, 480),
    ]
    lines = ["path,id,group,age"]
    for person, box in enumerate(boxes):
        crop = photo.crop(box)
        for view, picture in enumerate((crop, crop.rotate(6), crop.resize((crop.width // 2, crop.height // 2)))):
            picture.save(tmp_path / f"{person}-{view}.jpg", quality=85)
            lines.append(f"{person}-{view}.jpg,person{person},,{30 + person}")
    (tmp_path / "photos.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_models_list_and_check(call) -> None:  # type: ignore[no-untyped-def]
    """The built-in packs are there without a download and whole, the default one in use."""
    listed = json.loads(call("models", "list", "--json").out)
    assert {row["name"]: row["in_use"] for row in listed} == {name: name == packs.DEFAULT_PACK for name in packs.BUILT_IN}
    assert [row["state"] for row in json.loads(call("models", "check", "--json").out)] == ["whole"] * 3


def test_models_install_asks_for_the_licence(call, config: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Saying no installs nothing (code 1); saying yes installs; --json needs --accept-licence; a changed file is code 6."""
    call("models", "list")
    source = tmp_path / "other_pack"
    source.mkdir()
    for path in (config.parent / "models" / packs.DEFAULT_PACK).glob("*.onnx"):
        (source / path.name).write_bytes(path.read_bytes())
    refused = call("models", "install", source, answer="n\n")
    assert (refused.code, "NON-COMMERCIAL" in refused.out) == (1, True)
    assert call("models", "install", source, "--json").code == 1
    assert call("models", "install", source, answer="y\n").code == 0
    (config.parent / "models" / "other_pack" / "det_yunet.onnx").write_bytes(b"changed")
    checked = call("models", "check", "other_pack")
    assert checked.code == 6
    shutil.rmtree(config.parent / "models" / "other_pack")  # the folder is the other tests' too, in any order


def test_evaluate_faces_makes_the_page(call, faces_folder: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A CSV of labelled photos gives tables, JSON, plots and one HTML page; easy photos give no error."""
    result = call("evaluate", "faces", faces_folder / "photos.csv", "--out", tmp_path / "page", "--json")
    assert result.code == 0, result.error
    report = json.loads(result.out)
    assert (report["photos"], report["persons"]) == (18, 6)
    assert report["verification"][0]["eer"] < 0.1
    assert (tmp_path / "page" / "index.html").is_file()
    assert (tmp_path / "page" / "det.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots are made and not painted: that takes two seconds, and those of the page are another test's."""
    monkeypatch.setattr(Figure, "savefig", lambda *args, **more: None)


@pytest.mark.usefixtures("no_pictures")
def test_a_second_evaluation_embeds_nothing_and_says_the_same(
    call, faces_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    """What was embedded is kept by the photo's hash, sealed: the next run asks the engine for new photos alone, and a file that
    was changed is as good as none."""
    words = ("evaluate", "faces", faces_folder / "photos.csv", "--pack", QUICK, "--out", tmp_path / "page", "--json")
    first = call(*words).out
    [kept] = (tmp_path / "page").glob("*.sealed")
    assert b"PK" not in kept.read_bytes()[:40]
    asked: list[int] = []
    real = InsightFacePack.faces
    monkeypatch.setattr(InsightFacePack, "faces", lambda self, image: asked.append(1) or real(self, image))
    assert call(*words).out == first
    assert asked == []
    Image.new("RGB", (90, 90)).save(faces_folder / "0-0.jpg")
    assert len(json.loads(call(*words).out)["failed"]) == 1
    assert asked == [1]
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    call(*words)
    assert len(asked) == 19


def test_evaluate_faces_on_the_development_set(call, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """On 100 photos of ten public figures every face is found and every mate is first."""
    if not (SHARED / "lfw100.csv").is_file():
        pytest.skip("the development photos are not beside this checkout")
    result = call("evaluate", "faces", SHARED / "lfw100.csv", "--out", tmp_path, "--json")
    report = json.loads(result.out)
    assert report["failure_to_enrol"] <= 0.01
    assert report["verification"][0]["eer"] <= 0.02
    assert all(search["raw"]["rank"]["1"] >= 0.98 for search in report["searches"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,who\na,b\n", "columns path and id"),
        ("path,id\n,x\n", "line 2"),
        ("path,id,group,age\na.jpg,x,,old\n", "age 'old'"),
        ("", "found nothing"),
    ],
)
def test_a_wrong_csv_says_where(tmp_path: Path, text: str, words: str) -> None:
    """Missing columns, empty cells and ages that are no numbers are named with their line."""
    (tmp_path / "photos.csv").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=words):
        read_labels(tmp_path / "photos.csv")


@pytest.mark.usefixtures("no_pictures")
def test_a_photo_that_is_not_there_is_an_error_and_a_broken_one_a_failure(call, faces_folder: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A missing file stops with its name; a file that is no photo counts as failure to enrol."""
    table = faces_folder / "photos.csv"
    (faces_folder / "0-0.jpg").write_bytes(b"no photo")
    report = json.loads(call("evaluate", "faces", table, "--pack", QUICK, "--out", tmp_path / "out", "--json").out)
    assert len(report["failed"]) == 1
    (faces_folder / "0-1.jpg").unlink()
    missing = call("evaluate", "faces", table, "--pack", QUICK, "--out", tmp_path / "out")
    assert missing.code == 1
    assert "0-1.jpg" in missing.error


def test_calibrate_shows_the_bands_and_refuses_a_small_cohort(call, faces_folder: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Thresholds rise with the gallery; a cohort of six persons is too small, an empty folder has no photo."""
    shown = json.loads(call("calibrate", "--json").out)
    highs = [row["high"] for row in shown["bands"]]
    assert highs == sorted(highs)
    assert shown["own_cohort"] == 0
    assert "too few" in call("calibrate", "--cohort", faces_folder).error
    (tmp_path / "empty").mkdir()
    assert "no photo" in call("calibrate", "--cohort", tmp_path / "empty").error
