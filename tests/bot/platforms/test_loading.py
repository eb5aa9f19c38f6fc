"""Finding platform files, the project's own and an operator's."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.platforms.loading import available, load
from store.errors import SettingsError

GOOD = """
from bot.platforms.base import PlatformSettings
class Settings(PlatformSettings): pass
SECRETS = {}
def build(settings, secrets, clock): return None
"""


def test_helpers_and_private_files_are_no_platforms(tmp_path: Path) -> None:
    """Names starting with an underscore and the Protocol's own modules are left out."""
    (tmp_path / "_parts.py").write_text("raise RuntimeError", encoding="utf-8")
    names = available([tmp_path])
    assert names == available()
    assert "weibo" in names
    assert not {"base", "loading"} & set(names)


def test_an_unknown_name_lists_what_there_is(tmp_path: Path) -> None:
    """A typing error in config.yaml is answered with the names to choose from."""
    (tmp_path / "kite.py").write_text(GOOD, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"platforms\.wiebo.*kite.*weibo"):
        load("wiebo", [tmp_path])


@pytest.mark.parametrize("missing", ["Settings", "SECRETS", "build"])
def test_a_file_without_its_three_names_says_which_is_missing(missing: str, tmp_path: Path) -> None:
    """The error names the file and what it lacks."""
    (tmp_path / "half.py").write_text(f"{GOOD}\ndel {missing}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=rf"half\.py lacks {missing}"):
        load("half", [tmp_path])


@pytest.mark.parametrize("body", ["import no_such_module", "def (:", "1 / 0", "raise RuntimeError"])
def test_a_file_that_cannot_be_imported_says_why(body: str, tmp_path: Path) -> None:
    """Whatever stands in an operator's file, the start ends with a settings error that names it."""
    (tmp_path / "broken.py").write_text(body, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"broken\.py cannot be imported"):
        load("broken", [tmp_path])


def test_settings_of_another_kind_are_refused(tmp_path: Path) -> None:
    """Settings must be a PlatformSettings: the keys every platform shares are read from it."""
    (tmp_path / "other.py").write_text(f"{GOOD}\nclass Settings: pass\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="subclass"):
        load("other", [tmp_path])


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    """One file = one platform = one key: neither hides the other."""
    (tmp_path / "weibo.py").write_text(GOOD, encoding="utf-8")
    with pytest.raises(SettingsError, match="two files claim"):
        available([tmp_path])


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    """A wrong path in the settings is not silently an empty one."""
    with pytest.raises(SettingsError, match="does not exist"):
        available([tmp_path / "none"])


def test_loading_twice_gives_the_same_module(tmp_path: Path) -> None:
    """Settings classes keep their identity through one process."""
    (tmp_path / "kite.py").write_text(GOOD, encoding="utf-8")
    assert load("kite", [tmp_path]) is load("kite", [tmp_path])
