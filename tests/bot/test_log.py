"""Logs hold no secret and no face vector, whoever writes the line."""

import json
import logging
from collections.abc import Iterator

import numpy as np
import pytest
import structlog

from bot import log

SECRET = "2.00abcdEFGHijkl"


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    root.handlers[:], level = before[0], before[1]
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("json_lines", [True, False])
def test_a_secret_never_reaches_a_line(capsys: pytest.CaptureFixture[str], json_lines: bool) -> None:
    """Not as a value, inside a URL, in a nested object, in an exception, or through a library's own logger."""
    log.configure(json_lines=json_lines, secrets=[SECRET])
    logger = log.get("test")
    logger.info(f"GET /2/x?access_token={SECRET}", nested={"url": [f"a{SECRET}b"]}, access_token="anything")
    try:
        raise ValueError(f"bad {SECRET}")
    except ValueError:
        logger.exception("failed")
    logging.getLogger("urllib3").warning("retrying %s", SECRET)
    text = capsys.readouterr().err
    assert SECRET not in text
    assert "anything" not in text
    assert "[hidden]" in text
    assert "retrying" in text


def test_a_logger_made_before_the_configuration_hides_secrets_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Every module makes its logger when it is imported, long before the settings are read."""
    logger = log.get("early")
    log.configure(secrets=[SECRET])
    logger.warning(f"token {SECRET}")
    assert SECRET not in capsys.readouterr().err


def test_a_vector_never_reaches_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Arrays and bytes are dropped whatever key they stand under."""
    log.configure(json_lines=True)
    log.get("test").info("face", face=np.full(4, 0.5, dtype=np.float32), blob=b"\x00\x01", score=0.5)
    line = json.loads(capsys.readouterr().err)
    assert line["face"] == "[hidden]"
    assert line["blob"] == "[hidden]"
    assert line["score"] == 0.5


def test_json_lines_are_json_with_time_level_and_part(capsys: pytest.CaptureFixture[str]) -> None:
    """On request each line is one JSON object that a log collector can read."""
    log.configure(json_lines=True)
    log.get("poll").warning("blocked", platform="weibo")
    line = json.loads(capsys.readouterr().err)
    assert (line["part"], line["level"], line["event"], line["platform"]) == ("poll", "warning", "blocked", "weibo")
    assert line["timestamp"].endswith("Z")


def test_the_level_is_honoured(capsys: pytest.CaptureFixture[str]) -> None:
    """Below the set level nothing is written."""
    log.configure(level="error")
    log.get("x").warning("not shown")
    assert capsys.readouterr().err == ""
