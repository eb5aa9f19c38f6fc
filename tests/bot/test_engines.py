"""Changing the engine: every photo is embedded anew between rounds. Asking two: both must agree before anyone is called."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from bot import wiring
from bot.__main__ import build
from bot.microblog.model import Side
from bot.microblog.server import Microblog
from bot.pipeline import run_round
from bot.settings import load_settings
from store import faces, gallery, leads, matches
from store.model import Band

LUOHU = (22.5462, 114.1195)
REAL_OPEN_ENGINE = wiring.open_engine


def post(tools, microblog: Microblog, bot, photo) -> None:
    microblog.world.add_post(
        Side.WEIBO, "anna", f"#{tools.tag}# 刚刚在深圳市罗湖区东门老街 @随手拍助手", photos=[photo.data], geo=LUOHU
    )
    tools.settle(bot)


@pytest.fixture
def other_engine(tmp_path: Path, models_dir: Path):
    """Settings of an engine file of one's own: the default engine with its vectors turned, under another pack's name.

    It shows what a second engine is: same faces, other vectors, other hash; nothing of one is ever compared with the other.
    """
    folder = tmp_path / "own" / "engines"
    folder.mkdir(parents=True)
    (folder / "turned.py").write_text(
        '''"""The default pack with its vectors turned: another engine as far as the bot can tell."""
from dataclasses import replace

import numpy as np

from matcher.engines import insightface_pack


class Turned:
    def __init__(self, inner):
        self.inner = inner
        self.pack_id, self.dimension = "turned", inner.dimension
        self.pack_sha256 = inner.pack_sha256[::-1]

    def faces(self, image):
        return [replace(f, vector=np.roll(f.vector, 7)) for f in self.inner.faces(image)]


def open_engine(settings):
    return Turned(insightface_pack.open_engine(settings))
''',
        encoding="utf-8",
    )
    return {"extensions": [str(folder.parent)], "models": {"engine": "turned"}}


def test_a_change_of_engine_embeds_the_past_anew_and_finds_the_same(
    tools: SimpleNamespace, settings_file, microblog: Microblog, photos, other_engine, monkeypatch
) -> None:
    """The old vectors stay, the new ones come between rounds, and a case registered then is found among past photos."""
    environ = tools.environment(microblog)
    path = settings_file(microblog)
    with tools.opened(load_settings(path, environ=environ)) as bot:
        tools.register(bot)
        tools.enrol_luohu(bot, microblog)
        run_round(bot)
        post(tools, microblog, bot, photos["b-street"])
        first = bot.faces.pack.sha256
    monkeypatch.undo()  # the shared engine of the other tests would hide the change
    with tools.opened(load_settings(settings_file(microblog, other_engine), environ=environ)) as bot:
        assert bot.faces.pack.id == "turned"
        tools.settle(bot)
        with bot.store.read() as tx:
            assert faces.unscanned(tx, bot.faces.pack.sha256, 10) == []
            assert len(list(faces.vectors(tx, first))) == len(list(faces.vectors(tx, bot.faces.pack.sha256))) == 1
            assert len(gallery.gallery(tx, bot.faces.pack.sha256)) == len(gallery.gallery(tx, first)) == 2
        tools.register(bot, key="b", name="Demo case B")
        tools.settle(bot)
        with bot.store.read() as tx:
            [found] = matches.listing(tx)
            assert (found.pack_id, found.band) == ("turned", Band.REVIEW)  # a pack without calibration is never sure


@pytest.mark.parametrize(
    ("second", "band", "says"), [("yunet_lightcnn_int8", Band.HIGH, "agrees"), ("twin", Band.REVIEW, "does not agree")]
)
def test_two_engines_must_agree_before_anyone_is_called(
    tools: SimpleNamespace,
    settings_file,
    microblog: Microblog,
    models_dir: Path,
    photos,
    monkeypatch,
    second: str,
    band: Band,
    says: str,
) -> None:
    """Where the second engine does not put the pair into the high band, people look at it and nobody is mentioned.

    ``twin`` is a pack without a calibration of its own: whatever it scores, it never says high.
    """
    if second == "twin" and not (models_dir / "twin").exists():
        shutil.copytree(models_dir / "yunet_sface", models_dir / "twin")
    monkeypatch.undo()
    path = settings_file(microblog, {"models": {"agree_with": second}})
    with tools.opened(load_settings(path, environ=tools.environment(microblog))) as bot:
        tools.register(bot)
        tools.enrol_luohu(bot, microblog)
        run_round(bot)
        post(tools, microblog, bot, photos["a-street"])
        with bot.store.read() as tx:
            [found] = matches.listing(tx)
            assert len(leads.listing(tx)) == 1
    assert found.band is band
    assert says in found.why
    mentions = [p for p in microblog.world.ledger.publications if "@示例罗湖公安" in p.text]
    assert len(mentions) == (1 if band is Band.HIGH else 0)


def test_another_pack_is_embedded_beforehand_at_the_command_line(
    tools: SimpleNamespace, settings_file, microblog: Microblog, models_dir: Path, photos, other_engine, monkeypatch
) -> None:
    """models embed works through the past while the old vectors serve; a second time there is nothing to do."""
    for name, value in tools.environment(microblog).items():
        monkeypatch.setenv(name, value)
    path = settings_file(microblog)
    with tools.opened(load_settings(path)) as bot:
        tools.register(bot)
        run_round(bot)
        post(tools, microblog, bot, photos["b-street"])
    # It is the engine file that differs here, not the pack; the command takes it from the settings.
    words = ["models", "embed", "yunet_sface", "--config", str(settings_file(microblog, other_engine)), "--json"]
    monkeypatch.setattr(wiring, "open_engine", REAL_OPEN_ENGINE)
    first = json.loads(CliRunner().invoke(build(), words).stdout)
    second = json.loads(CliRunner().invoke(build(), words).stdout)
    assert first == {"pack": "turned", "case_photos": 2, "photos": 1}
    assert second == {"pack": "turned", "case_photos": 0, "photos": 0}
