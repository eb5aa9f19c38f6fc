"""The command line as an operator uses it: every command has help with an example, JSON, exit codes, and clear errors."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from bot.__main__ import MODULES, build
from bot.commands import common
from bot.demo.photos import DemoPhoto
from bot.microblog.model import Side
from bot.microblog.server import Microblog
from store.errors import SuishoupaiError


@pytest.fixture
def call(
    settings_file: Callable[..., Path], microblog: Microblog, tools: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., SimpleNamespace]:
    """Runs ``suishoupai WORDS --config THE_TEST'S`` and gives exit code, output and error as a terminal would."""
    path = settings_file(microblog)
    for name, value in tools.environment(microblog).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(common.out, "_width", 240)
    monkeypatch.setenv("COLUMNS", "240")

    def run(*words: object, config: Path = path) -> SimpleNamespace:
        result = CliRunner().invoke(build(), [*map(str, words), "--config", str(config)])
        error, code = result.stderr, result.exit_code
        if isinstance(result.exception, SuishoupaiError):
            error, code = f"{result.exception}\n{result.exception.mend}", common.exit_code(result.exception)
        elif result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return SimpleNamespace(code=code, out=result.stdout, error=error)

    return run


def _commands() -> list[str]:
    found = []

    def walk(command, words: tuple[str, ...]) -> None:
        for name, child in getattr(command, "commands", {}).items():
            if getattr(child, "commands", None):
                walk(child, (*words, name))
            else:
                found.append(" ".join((*words, name)))

    walk(get_command(build()), ())
    return sorted(found)


@pytest.mark.parametrize("word", [word for words in MODULES.values() for word in words])
def test_a_word_needs_no_other_word_s_module(word: str) -> None:
    """With its module alone a command is the same as among all: name, help, options, and the words beneath it."""
    alone, among_all = get_command(build(word)), get_command(build())
    assert tuple(alone.commands) == next(words for words in MODULES.values() if word in words)
    assert _told(alone.commands[word]) == _told(among_all.commands[word])


def _told(command) -> object:
    beneath = {name: _told(child) for name, child in getattr(command, "commands", {}).items()}
    return command.name, command.help, command.epilog, [(p.name, p.opts, getattr(p, "help", "")) for p in command.params], beneath


def test_the_words_are_all_there() -> None:
    """What the table of modules says is what the modules bring; a word that is none of them brings all of them."""
    words = sorted(word for words in MODULES.values() for word in words)
    for word in ("", "--help", "no-such-word"):
        assert sorted(get_command(build(word)).commands) == words


def test_a_command_starts_without_what_only_others_need() -> None:
    """Every command pays for what its module loads: those below took two of its three seconds."""
    heavy = {"openpyxl", "twitter_text", "alembic", "uvicorn", "jinja2", "matplotlib", "onnxruntime", "insightface", "scipy"}
    ask = "import sys; from bot.__main__ import build; [build(word) for word in ('cases', 'status')]; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.split()
    assert "store.cases" in loaded
    assert heavy.isdisjoint(loaded)


def test_every_promised_command_is_there() -> None:
    """The commands that the project promises, by name."""
    promised = [
        "demo",
        "run",
        "poll",
        "status",
        "doctor",
        "migrate",
        "extract",
        "models.list",
        "models.install",
        "models.check",
        "cases.add",
        "cases.import",
        "cases.list",
        "cases.show",
        "cases.verify",
        "cases.close",
        "officials.import",
        "officials.list",
        "officials.check",
        "officials.local",
        "sightings.list",
        "sightings.show",
        "sightings.re-extract",
        "matches.list",
        "matches.show",
        "alerts.list",
        "alerts.show",
        "alerts.release",
        "alerts.cancel",
        "evaluate.extract",
    ]
    assert {word.replace(".", " ") for word in promised} <= set(_commands())


@pytest.mark.parametrize("words", _commands())
def test_every_command_has_help_with_an_example(words: str) -> None:
    """--help says what it does and shows one line that can be copied."""
    result = CliRunner().invoke(build(), [*words.split(), "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "Example: suishoupai" in result.stdout


@pytest.mark.parametrize("words", _commands())
def test_every_command_can_answer_in_json(words: str) -> None:
    """Scripts can use every command: --json is there, with the same meaning."""
    command = get_command(build())
    for word in words.split():
        command = command.commands[word]
    [option] = [param for param in command.params if "--json" in param.opts]
    assert option.help == "Print JSON for scripts instead of tables."


def test_what_people_decide_is_told_in_json_too(call, photos: dict[str, DemoPhoto], tmp_path: Path) -> None:
    """verify, close and migrate answer one JSON value with the new state."""
    photo = tmp_path / "a.jpg"
    photo.write_bytes(photos["case-a-1"].data)
    assert json.loads(call("migrate", "--json").out)["tables"] == "current"
    ref = json.loads(call("cases", "add", "A", photo, "--by", "clerk", "--report", "R-1", "--json").out)["ref"]
    verified = call("cases", "verify", ref, "--by", "second", "--report", "R-1", "--json")
    assert json.loads(verified.out)["state"] == "verified"
    closed = call("cases", "close", ref, "--by", "second", "--reason", "found", "--record", "DNA 1", "--json")
    assert json.loads(closed.out)["state"] == "closed"


def test_registering_needs_a_second_person(call, photos: dict[str, DemoPhoto], tmp_path: Path) -> None:
    """add gives a draft; the registrant cannot verify it; somebody else with the report number can; close needs a reason."""
    photo = tmp_path / "a.jpg"
    photo.write_bytes(photos["case-a-1"].data)
    added = call("cases", "add", "Demo case A", photo, "--by", "clerk", "--report", "R-1", "--json")
    ref = json.loads(added.out)["ref"]
    assert json.loads(added.out)["state"] == "draft"
    assert call("cases", "verify", ref, "--by", "clerk", "--report", "R-1").code == common.EXIT_PROBLEM
    assert call("cases", "verify", ref, "--by", "second", "--report", "R-2").code == common.EXIT_PROBLEM
    assert call("cases", "verify", ref, "--by", "second", "--report", "R-1").code == 0
    assert json.loads(call("cases", "list", "--json").out)[0]["state"] == "verified"
    assert call("cases", "close", ref, "--by", "second").code == common.EXIT_PROBLEM
    assert call("cases", "close", ref, "--by", "second", "--reason", "found", "--record", "DNA 1").code == 0
    assert "closed" in call("cases", "show", ref).out


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no-face-cup", "no face was found"),
        ("group", "faces in this photo"),
        ("broken", "broken.jpg"),
        ("far-away", "far-away.jpg"),
    ],
)
def test_a_case_photo_that_cannot_serve_is_refused_with_a_remedy(
    call, photos: dict[str, DemoPhoto], tmp_path: Path, name: str, says: str
) -> None:
    """No face, several faces, an unreadable file, faces too small: the reason and what a better photo needs; nothing is kept."""
    path = tmp_path / f"{name}.jpg"
    path.write_bytes(photos[name].data if name in photos else b"\xff\xd8\xff" + b"x" * 99)
    result = call("cases", "add", "Demo", path, "--by", "clerk")
    assert result.code == common.EXIT_PROBLEM
    assert says in result.error
    assert json.loads(call("cases", "list", "--json").out) == []


def test_a_face_can_be_chosen_in_a_group_photo(call, photos: dict[str, DemoPhoto], tmp_path: Path) -> None:
    """--face counts from the left; a number beyond the faces is refused."""
    path = tmp_path / "group.jpg"
    path.write_bytes(photos["group"].data)
    assert call("cases", "add", "Demo", path, "--by", "clerk", "--face", "3").code == 0
    assert "--face 9" in call("cases", "add", "Demo", path, "--by", "clerk", "--face", "9").error


def test_import_takes_the_good_lines_and_reports_the_others(call, photos: dict[str, DemoPhoto], tmp_path: Path) -> None:
    """Each wrong line stands in the report with its number and reason; the good ones are registered."""
    (tmp_path / "a.jpg").write_bytes(photos["case-a-1"].data)
    (tmp_path / "b.jpg").write_bytes(photos["case-b-1"].data)
    listing = tmp_path / "register.csv"
    listing.write_text(
        "name,photos,sex,born,report,source_ref\n"
        "Demo A,a.jpg,male,2015-02-03,R-1,1\n"
        "Demo B,b.jpg,unknown,,R-2,2\n"
        "Demo C,missing.jpg,,,R-3,3\n"
        "Demo D,b.jpg,,2015-13-01,R-4,4\n"
        "Demo E,b.jpg,女,2016-01-01,R-5,5\n"
        "Demo A,a.jpg,male,2015-02-03,R-1,1\n",
        encoding="utf-8-sig",
    )
    result = call("cases", "import", listing, "--by", "clerk", "--json")
    report = json.loads(result.out)
    assert result.code == common.EXIT_PROBLEM
    assert (report["registered"], report["wrong"]) == (2, 4)
    assert [line["line"] for line in report["lines"] if line["error"]] == [3, 4, 5, 7]


def test_a_round_and_what_can_be_seen_of_it(
    call, tools: SimpleNamespace, microblog: Microblog, clock, photos: dict[str, DemoPhoto], tmp_path: Path
) -> None:
    """poll reads and answers; sightings, matches, alerts and status show it in tables and as JSON, and no vector anywhere."""
    photo = tmp_path / "a.jpg"
    photo.write_bytes(photos["case-a-1"].data)
    ref = json.loads(call("cases", "add", "Demo case A", photo, "--by", "clerk", "--report", "R-1", "--json").out)["ref"]
    call("cases", "verify", ref, "--by", "second", "--report", "R-1")
    assert call("poll").code == 0
    microblog.world.add_post(
        Side.WEIBO,
        "anna",
        "@随手拍助手 昨天下午三点在深圳市罗湖区东门老街",
        photos=[photos["a-street"].data],
        geo=(22.5462, 114.1195),
    )
    assert "1 new" in call("poll").out
    [sighting] = json.loads(call("sightings", "list", "--json").out)
    assert sighting["adcode"] == "440303"
    shown = call("sightings", "show", sighting["ref"]).out
    assert "罗湖区" in shown
    assert "昨天下午三点" in shown
    [match] = json.loads(call("matches", "list", "--json").out)
    assert match["band"] == "high"
    assert "about 1 in" in match["strangers"]
    messages = json.loads(call("alerts", "list", "--json").out)
    assert {m["kind"] for m in messages} == {"answer", "alert"}
    [held] = [m for m in messages if m["state"] == "held"]
    assert call("alerts", "release", held["id"], "--by", "lead").code == common.EXIT_PROBLEM
    assert call("alerts", "cancel", held["id"], "--by", "lead", "--why", "by telephone").code == 0
    assert json.loads(call("status", "--json").out)["sightings"] == 1
    assert json.loads(call("sightings", "re-extract", "--json").out) == {"read": 1, "changed": []}
    for words in (
        ("matches", "show", match["number"]),
        ("sightings", "show", sighting["ref"]),
        ("status",),
        ("cases", "show", ref),
    ):
        assert "vector" not in call(*words, "--json").out


@pytest.mark.parametrize(
    "words",
    [("cases", "show", "C-0000"), ("sightings", "show", "S-0000"), ("matches", "show", "9"), ("alerts", "show", "9")],
)
def test_an_unknown_reference_is_a_clear_error(call, words: tuple[str, ...]) -> None:
    """A reference that names nothing ends with code 1 and says so."""
    result = call(*words)
    assert result.code == common.EXIT_PROBLEM
    assert words[-1] in result.error


def test_doctor_finds_what_is_wrong_and_says_how_to_mend_it(call, settings_file, microblog: Microblog, tmp_path: Path) -> None:
    """On a sound installation nothing is wrong; with a wrong key, a dead platform, or a foreign pack, each is named."""
    sound = call("doctor", "--json")
    assert sound.code == 0
    parts = {finding["part"] for finding in json.loads(sound.out)}
    assert {"settings", "templates", "disk", "database", "models", "search", "platform weibo", "platform x", "officials"} <= parts
    wrong_key = settings_file(microblog, {"alerts": {"relase": "auto"}}, tmp_path / "one")
    assert "relase" in call("doctor", config=wrong_key).out
    no_pack = settings_file(microblog, {"models": {"pack": "buffalo_l"}}, tmp_path / "two")
    found = json.loads(call("doctor", "--json", config=no_pack).out)
    assert [f for f in found if f["part"] == "models" and f["level"] == "problem" and "buffalo_l" in f["words"]]
    microblog.world.tokens.revoke("bot")
    found = json.loads(call("doctor", "--json").out)
    assert {f["part"] for f in found if f["level"] == "problem"} == {"platform weibo", "platform x"}


def test_a_live_platform_needs_an_accountable_operator(call, settings_file, microblog: Microblog, tmp_path: Path) -> None:
    """Nobody runs it on real people without saying who they are: run and poll refuse, before anything is sent."""
    live = settings_file(microblog, {"platforms": {"weibo": {"base_url": "https://weibo.invalid/2"}}}, tmp_path / "live")
    result = call("poll", config=live)
    assert result.code == common.EXIT_SETTINGS
    assert "campaign.operator" in result.error
    assert microblog.world.ledger.publications == []


def test_a_missing_token_is_named(
    call, settings_file, microblog: Microblog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its secret a live platform is not started; the message names the variable, not a value."""
    monkeypatch.delenv("WEIBO_ACCESS_TOKEN")
    monkeypatch.delenv("WEIBO_APP_KEY")
    live = settings_file(microblog, {"platforms": {"weibo": {"base_url": "https://weibo.invalid/2"}}}, tmp_path / "live")
    result = call("poll", config=live)
    assert result.code == common.EXIT_SETTINGS
    assert "WEIBO_ACCESS_TOKEN" in result.error


def test_a_second_bot_on_the_same_database_refuses(call, tools: SimpleNamespace, loaded) -> None:
    """Two bots by mistake would say everything twice: the second one stops at once and says which process runs."""
    with tools.opened(loaded):
        result = call("poll")
    assert result.code == common.EXIT_STORE
    assert "already runs" in result.error
