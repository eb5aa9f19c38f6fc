"""What a scaled installation is deployed with, each part held to the program: worker units, compose, Prometheus, dashboard."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.__main__ import build
from bot.health import Finding, Health, SeatHealth, metrics
from bot.wiring import NEEDS_TOKENS
from bot.work import QUEUES
from bot.work.backlog import Backlog
from store import status
from store.model import Stream, StreamKind
from store.posts import note_poll
from store.session import Store

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
WORKER = DEPLOY / "suishoupai-worker@.service"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICE_KEYS = {
    "image", "build", "restart", "read_only", "cap_drop", "security_opt", "tmpfs", "stop_grace_period", "volumes", "depends_on",
    "environment", "env_file", "command", "healthcheck", "deploy", "ports", "secrets", "shm_size",
}  # fmt: skip


def exported(folder: Path) -> dict[str, set[str]]:
    """Every metric the program exports, with its labels, where each kind of thing is there once."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    store = Store(f"sqlite:///{folder / 's.sqlite'}", lambda: now)
    store.migrate()
    with store.write() as tx:
        note_poll(tx, Stream("weibo", StreamKind.MENTIONS), "ok", None, tx.now - timedelta(minutes=1))
    with store.read() as tx:
        figures = status.figures(tx)
    store.close()
    seat = SeatHealth("weibo", 60.0, ("weibo:mentions",), now, now)
    queue = Backlog(2, {"faces": 1}, {}, {"poll": 1}, {"faces": 3.5})
    text = metrics(figures, [seat], Health(now, (Finding("work", "posts wait"),)), queue)
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(suishoupai_\w+)(?:\{(.*?)\})? ", text, flags=re.M):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


def test_the_dashboard_shows_what_is_exported_and_leaves_nothing_out(tmp_path: Path) -> None:
    """Each metric and each label that a panel names is exported, and each exported metric stands on some panel."""
    found = exported(tmp_path)
    board = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))
    named: set[str] = set()
    for panel in board["panels"]:
        for target in panel["targets"]:
            names = re.findall(r"suishoupai_\w+", target["expr"])
            assert names, panel["title"]
            named |= set(names)
            labels = set(re.findall(r"(\w+)\s*[=!]~?", target["expr"])) | set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            for label in labels - {"instance"}:
                assert any(label in found.get(name, set()) for name in names), (panel["title"], label)
    assert named == set(found)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_prometheus_asks_where_the_program_answers() -> None:
    """The scrape configuration names /metrics on this machine alone, at the port that the container's health check uses."""
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))
    [job] = config["scrape_configs"]
    assert job["metrics_path"] == "/metrics"
    assert job["static_configs"] == [{"targets": ["127.0.0.1:8767"]}]
    assert "127.0.0.1:8767" in (DEPLOY / "Containerfile").read_text(encoding="utf-8")


def test_the_compose_file_is_whole() -> None:
    """Known keys alone; every volume and secret it uses is declared; every dependency comes to the state it is waited for."""
    assert set(COMPOSE) <= {"name", "services", "volumes", "secrets"} | {key for key in COMPOSE if key.startswith("x-")}
    services = COMPOSE["services"]
    for name, service in services.items():
        assert set(service) <= SERVICE_KEYS, name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or source.startswith("."), (name, volume)
        for secret in service.get("secrets", ()):
            assert secret in COMPOSE["secrets"]
        for other, condition in service.get("depends_on", {}).items():
            if condition["condition"] == "service_healthy":
                assert "test" in services[other]["healthcheck"]
            else:
                assert services[other]["restart"] == "no"
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), "a TLS proxy stands before the console"


def test_compose_runs_commands_that_there_are_and_covers_every_queue() -> None:
    """Each service's words are a command of the program; together the workers take every queue; tokens go only where needed."""
    known = {command.name or command.callback.__name__ for command in build().registered_commands if command.callback}
    taken: set[str] = set()
    for name, service in COMPOSE["services"].items():
        if name == "database":
            continue
        words = service["command"]
        assert words[0] in known, words
        if "--queues" in words:
            queues = set(words[words.index("--queues") + 1].split(","))
            assert queues <= set(QUEUES)
            assert ("secrets.env" in service["env_file"]) == bool(queues & NEEDS_TOKENS), name
            taken |= queues
    assert taken == set(QUEUES)


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed here")
def test_compose_itself_accepts_the_file(tmp_path: Path) -> None:
    """`docker-compose config` reads it."""
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    for name in ("secrets.env", "worker.env", "database-password.txt", "config.yaml"):
        (tmp_path / "deploy" / name).write_text("")
    command = ["docker-compose", "-f", tmp_path / "deploy" / "compose.yaml", "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_worker_unit_is_as_closed_as_the_bots() -> None:
    """Every hardening line of the bot's unit stands in the workers' too; the instance's name is the queues it takes."""
    def settings(path: Path) -> list[str]:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if "=" in line and not line.startswith("#")]

    own = settings(WORKER)
    others = ("Description", "Documentation", "After", "EnvironmentFile", "ExecStart", "MemoryMax")
    missing = [line for line in settings(DEPLOY / "suishoupai.service") if line not in own and not line.startswith(others)]
    assert missing == []
    assert any("--queues %i" in line for line in own if line.startswith("ExecStart"))
    for instance in re.findall(r"suishoupai-worker@(\S+)", WORKER.read_text(encoding="utf-8")):
        assert set(instance.split(",")) <= set(QUEUES)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
def test_systemd_finds_no_fault_in_the_worker_unit(tmp_path: Path) -> None:
    """`systemd-analyze verify` reads every line."""
    copy = tmp_path / "suishoupai-worker@match.service"
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", WORKER.read_text(encoding="utf-8"), flags=re.M))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
