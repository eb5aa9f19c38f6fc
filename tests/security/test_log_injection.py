"""What strangers write cannot forge a log line or steer the terminal that shows it."""

from __future__ import annotations

import json
import logging

import pytest

from bot.log import configure, get

FORGED = "2026-01-01 00:00:00 error   forged"
HOSTILE = [
    f"a\n{FORGED}",
    f"a\r{FORGED}",
    f"a\u2028{FORGED}",
    f"a\x85{FORGED}",
    "\x1b[2J\x1b[31mred",
    "\x9b2Jcleared",
    "\u202egnp.exe",
    "\u2067turned",
]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_hostile_text_stays_within_its_plain_line(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """As a value, as the event and through the standard library's loggers: one line each, every character printable."""
    configure()
    get("test").info("a post", text=text)
    get("test").info(text)
    logging.getLogger("library").error("got %s", text)
    lines = capsys.readouterr().err.removesuffix("\n").split("\n")
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_hostile_text_is_escaped_in_json_lines(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """As a value, as the event, as a key and within an error: one printable line each, which reads back as it was."""
    configure(json_lines=True)
    get("test").info("a post", text=text, list=[text])
    get("test").info(text, **{text: 1})
    logging.getLogger("library").error("got %s", text)
    try:
        raise ValueError(text)
    except ValueError:
        get("test").exception("failed")
    lines = capsys.readouterr().err.removesuffix("\n").split("\n")
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)
    value, event, library, failed = map(json.loads, lines)
    assert (value["text"], value["list"]) == (text, [text])
    assert (event["event"], event[text]) == (text, 1)
    assert library["event"] == f"got {text}"
    assert failed["exception"].endswith(f"ValueError: {text}")


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_hostile_error_begins_no_line_of_its_own(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """A trace keeps its lines, each indented, so that none can pass for an event."""
    configure()
    try:
        raise ValueError(text)
    except ValueError:
        get("test").exception("failed")
    first, *trace = capsys.readouterr().err.removesuffix("\n").split("\n")
    assert "failed" in first
    assert trace
    assert all(line.startswith("  ") and line.isprintable() for line in trace)
