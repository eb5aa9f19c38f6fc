"""The systemd unit and the container file: valid, and with no more rights than the bot needs."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
UNIT = ROOT / "deploy" / "suishoupai.service"
CONTAINER = ROOT / "deploy" / "Containerfile"
NEEDS_SYSTEMD = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")


def unit() -> dict[str, list[str]]:
    """The unit's settings, each with its values in order."""
    values: dict[str, list[str]] = {}
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            values.setdefault(name, []).append(value)
    return values


def instructions() -> list[tuple[str, str]]:
    """The container file's instructions, continued lines joined."""
    text = re.sub(r"^#.*\n", "", CONTAINER.read_text(encoding="utf-8"), flags=re.M)
    lines = [line for line in re.sub(r"\\\n", " ", text).splitlines() if line.strip()]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1].strip()) for line in lines]


@NEEDS_SYSTEMD
def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    """`systemd-analyze verify` reads every line (the program itself stands elsewhere on a test machine)."""
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(encoding="utf-8"), flags=re.M))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert UNIT.name not in done.stderr, done.stderr


@NEEDS_SYSTEMD
def test_systemd_rates_the_unit_as_closed() -> None:
    """`systemd-analyze security` (0 closed to 10 open): at most 2.5; what is left is the network the bot is there for."""
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager", UNIT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd is older than 250 and cannot rate a file")
    assert done.returncode == 0, done.stdout[-500:] + done.stderr


def test_the_unit_keeps_rights_secrets_and_restarts_as_promised() -> None:
    """No capability, a read-only system, secrets from a file of root's, SIGTERM with time, no restart on bad settings."""
    found = unit()
    assert found["CapabilityBoundingSet"] == [""]
    assert found["NoNewPrivileges"] == ["yes"]
    assert found["ProtectSystem"] == ["strict"]
    assert found["User"] == ["suishoupai"]
    assert found["EnvironmentFile"] == ["/etc/suishoupai/secrets.env"]
    assert found["KillSignal"] == ["SIGTERM"]
    assert int(found["TimeoutStopSec"][0]) >= 60
    assert found["RestartPreventExitStatus"] == ["2 3"]
    assert found["RestrictNamespaces"] == ["user net"], "the photo decoder's own"
    assert not re.search(r"TOKEN|SECRET|PASSWORD|KEY", " ".join(found["Environment"]))


def test_the_container_runs_as_nobody_special_and_holds_no_secret() -> None:
    """Pinned bases, pinned packages, an ordinary user, files that exist, nothing fetched from an address, no secret within."""
    steps = instructions()
    words = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert {word for word, _ in steps} <= words
    for word, rest in steps:
        if word == "FROM":
            assert re.fullmatch(r"python:3\.\d+-slim-\w+( AS build)?", rest)
        if word == "COPY" and not rest.startswith("--from="):
            assert all((ROOT / source).exists() for source in rest.split()[:-1]), rest
        assert "://" not in rest or word == "HEALTHCHECK"
        assert not re.search(r"(TOKEN|SECRET|PASSWORD|_KEY)=", rest)
    assert [rest for word, rest in steps if word == "USER"] == ["10001:10001"]
    [installing] = [rest for word, rest in steps if word == "RUN" and "pip install" in rest]
    assert "--constraint requirements.txt" in installing
    assert ("STOPSIGNAL", "SIGTERM") in steps
