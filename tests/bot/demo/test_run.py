"""The demo as a newcomer runs it: everything it promises comes true, and its database can be looked into afterwards."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import build
from bot.microblog.server import Microblog
from store import local_postgres


@pytest.mark.engine
@pytest.mark.timeout(400)
def test_the_demo_keeps_what_it_promises(
    settings_file: Callable[..., Path], microblog: Microblog, shared_parts: None, tmp_path: Path
) -> None:
    """30 posts of both sides, 12 real photos, 3 true alerts, 8 silent strangers, nothing twice; then any command can look; and
    three workers on PostgreSQL, two of them without tokens, come to the same table."""
    config = settings_file(microblog)  # its port is taken: the demo finds itself another
    result = CliRunner().invoke(build(), ["demo", "--json", "--config", str(config)])
    report = json.loads(result.stdout)
    assert report["failures"] == []
    assert result.exit_code == 0
    assert min(report["polled"].values()) > 0
    assert sum(report["polled"].values()) >= 30
    assert report["real_photos"] >= 12
    assert report["true_alerts"] >= 3
    assert report["silent_faces"] >= 8
    afterwards = tmp_path / "var" / "demo" / "config.yaml"
    seen = CliRunner().invoke(build(), ["matches", "list", "--json", "--config", str(afterwards)])
    assert seen.exit_code == 0
    assert {match["band"] for match in json.loads(seen.stdout)} == {"high", "review"}
    if not local_postgres.why_not():
        scaled = CliRunner().invoke(build(), ["demo", "--scaled", "--json", "--config", str(config)])
        assert scaled.exit_code == 0, scaled.output
        assert what_happened(json.loads(scaled.stdout)) == what_happened(report)


def what_happened(report: dict) -> list[tuple]:
    """The table of results, without numbers that differ from run to run."""
    return [
        (one["post"]["key"], one["place"], one["best_band"], re.sub(r"[SN]-[0-9A-Z]{4,5}", "", one["answer"]), one["alert"])
        for one in report["outcomes"]
    ] + [report["failures"], report["polled"], report["true_alerts"], report["silent_faces"]]
