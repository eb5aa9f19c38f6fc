"""``people`` at the command line: adding, inviting anew, revoking, and what is never printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.__main__ import build


@pytest.fixture
def people(tmp_path: Path):
    """Runs ``suishoupai people ...`` on a database of the test's own."""
    config = tmp_path / "config.yaml"
    config.write_text("console: {public_url: 'https://console.example.org'}\nlog: {level: error}\n", encoding="utf-8")

    def run(*words: str) -> Result:
        return CliRunner().invoke(build(), ["people", words[0], *words[1:], "--config", str(config)])

    return run


def test_a_person_is_added_invited_and_revoked(people):
    """The link is printed once; list shows the state; nothing secret stands in it."""
    added = people("add", "Wang", "--name", "王老师", "--role", "official", "--division", "440300")
    assert added.exit_code == 0, added.output
    assert "https://console.example.org/welcome/" in added.output.replace("\n", "")
    (shown,) = json.loads(people("list", "--json").output)
    assert (shown["login"], shown["roles"], shown["divisions"], shown["state"]) == ("wang", ["official"], ["4403"], "invited")
    assert not {"password_hash", "totp_secret", "totp_step"} & set(shown)
    again = people("invite", "wang")
    assert "/welcome/" in again.output
    assert again.output != added.output
    assert people("revoke", "wang").exit_code == 0
    assert json.loads(people("list", "--json").output)[0]["state"] == "revoked"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("add", "x", "--role", "official"), "division"),
        (("add", "x", "--role", "family"), "case"),
        (("add", "x", "--role", "official", "--division", "999999"), "division code"),
        (("invite", "nobody"), "nobody is called"),
        (("revoke", "nobody"), "nobody is called"),
    ],
)
def test_bad_input_is_refused_in_words(people, words, why):
    """Each with what is wrong; the known error reaches the exit code of the command line."""
    result = people(*words)
    assert result.exit_code != 0
    assert why in str(result.exception)
