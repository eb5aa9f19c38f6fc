"""Settings: config.yaml runs as it stands, and every wrong key is named with its full path and what is allowed."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from bot.settings import load_settings
from bot.wiring import refuse_unaccounted
from store.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]


def _write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _problems(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(_write(folder, text), environ={})
    return str(caught.value)


def test_the_projects_own_file_loads_and_every_platform_is_local() -> None:
    """config.yaml runs as it stands, and touches no real platform."""
    loaded = load_settings(ROOT / "config.yaml", environ={})
    assert {"weibo", "x"} <= set(loaded.modules)
    assert not any(loaded.is_live(name) for name in loaded.modules)
    assert loaded.settings.time_zone == "Asia/Shanghai"


def test_every_key_of_the_file_is_commented_or_known() -> None:
    """Each section of config.yaml stands in the settings' own words: no key is there that means nothing."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    loaded = load_settings(ROOT / "config.yaml", environ={})
    assert set(values) <= set(type(loaded.settings).model_fields)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("alerts: {caps: {per_our: 3}}", "alerts.caps.per_our: unknown key (did you mean 'per_hour'?); allowed here: answers_"),
        ("alert: {}", "alert: unknown key (did you mean 'alerts'?)"),
        ("alerts: {release: maybe}", "alerts.release: Input should be 'auto' or 'review' (found 'maybe')"),
        ("alerts: {routing: {types: [police, wizards]}}", "alerts.routing.types.1"),
        ("time_zone: Mars/Olympus", "time_zone: Value error, 'Mars/Olympus' is no IANA time zone"),
        ("photos: {max_bytes: many}", "photos.max_bytes: Input should be a valid integer"),
        ("alerts: {quiet_hours: [22, 25]}", "alerts.quiet_hours"),
        ("platforms: {weibo: {hashtag: [a]}}", "platforms.weibo.hashtag: unknown key (did you mean 'hashtags'?)"),
        ("platforms: {weibo: {poll_every_s: 0}}", "platforms.weibo.poll_every_s"),
        ("platforms: {myspace: {}}", "platforms.myspace"),
        ("platforms: {weibo: 3}", "platforms.weibo: expected keys and values"),
        ("- a\n- b\n", "expected keys and values at the top"),
        ("alerts: [", "not readable as YAML"),
    ],
)
def test_a_wrong_key_is_named_by_its_full_path(tmp_path: Path, text: str, says: str) -> None:
    """The operator reads which key is wrong, and what is allowed there."""
    message = _problems(tmp_path, text)
    assert says in message
    assert "config.yaml" in message


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """One run of doctor is enough to mend a file."""
    message = _problems(tmp_path, "alerts: {release: maybe, caps: {x: 1}}\nlog: {level: loud}\n")
    assert message.count("config.yaml") == 3


def test_a_missing_file_says_how_to_name_one(tmp_path: Path) -> None:
    """No settings file: the remedy names the option."""
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "nothing.yaml", environ={})
    assert "--config" in caught.value.mend


def test_folders_are_taken_from_the_files_own_place(tmp_path: Path) -> None:
    """A settings file works from wherever it is called: its relative folders are its own."""
    loaded = load_settings(_write(tmp_path, "store: {url: 'sqlite:///db/x.sqlite', photos_dir: p}"), environ={})
    assert loaded.settings.store.url == f"sqlite:///{tmp_path}/db/x.sqlite"
    assert loaded.settings.store.photos_dir == tmp_path / "p"


def test_secrets_come_from_the_environment_and_dotenv_and_never_show(tmp_path: Path) -> None:
    """The environment goes before .env; no repr, and no part for one platform, holds another's values."""
    (tmp_path / ".env").write_text("WEIBO_ACCESS_TOKEN=from-file\nX_BEARER_TOKEN=x-file\n", encoding="utf-8")
    loaded = load_settings(_write(tmp_path, "{}"), environ={"WEIBO_ACCESS_TOKEN": "from-env"})
    assert loaded.secrets["WEIBO_ACCESS_TOKEN"] == "from-env"
    assert loaded.secrets["X_BEARER_TOKEN"] == "x-file"
    assert "from-env" not in repr(loaded)
    assert dict(loaded.secrets.only(["WEIBO_ACCESS_TOKEN"])) == {"WEIBO_ACCESS_TOKEN": "from-env"}


def test_secrets_in_the_settings_file_are_refused(tmp_path: Path) -> None:
    """A token in config.yaml is an unknown key, not a convenience."""
    assert "platforms.weibo.access_token: unknown key" in _problems(tmp_path, "platforms: {weibo: {access_token: abc}}")
    assert "abc" not in _problems(tmp_path, "platforms: {weibo: {access_token: abc}}")


def test_a_live_platform_is_refused_until_it_is_accounted_for(settings_file, microblog, tools) -> None:
    """Without operator, authority and contact, or with the demo's leave for posters to alert, nothing goes live."""
    seats = {"weibo": SimpleNamespace(name="weibo", live=True)}
    known = {"operator": "an NGO", "authority": "police unit 7, 2026", "contact": "desk@example.org"}
    for campaign, alert, words in (({}, False, "campaign.operator"), (known, True, "pictures_alert"), (known, False, "")):
        changes = {"campaign": campaign, "matching": {"pictures_alert": alert}}
        loaded = load_settings(settings_file(microblog, changes), environ=tools.environment(microblog))
        refuse_unaccounted(loaded, {})  # the local microblog's are not live
        if words:
            with pytest.raises(SettingsError, match=words):
                refuse_unaccounted(loaded, seats)
        else:
            refuse_unaccounted(loaded, seats)
