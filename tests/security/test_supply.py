"""What the installation is made of: pins, recorded files, advisories, licences."""

import base64
import hashlib
import json
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typer.testing import CliRunner

from bot import licences, supply
from bot.__main__ import build
from store.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]


def package(folder: Path, name: str = "Made.Up", version: str = "1.2.0", **headers: str) -> PathDistribution:
    """An installed package of one module, with its RECORD."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (folder / "made_up.py").write_text("ANSWER = 42\n")
    told = {"Metadata-Version": "2.4", "Name": name, "Version": version} | {k.replace("_", "-"): v for k, v in headers.items()}
    (info / "METADATA").write_text("".join(f"{key}: {value}\n" for key, value in told.items()))
    digest = base64.urlsafe_b64encode(hashlib.sha256((folder / "made_up.py").read_bytes()).digest()).rstrip(b"=").decode()
    (info / "RECORD").write_text(f"made_up.py,sha256={digest},12\n{info.name}/RECORD,,\n")
    return PathDistribution(info)


def advisory(**changes: object) -> dict:
    """An advisory in OSV's form: made-up from 1.1 on, mended in 1.2.1."""
    events = [{"introduced": "1.1"}, {"fixed": "1.2.1"}]
    affected = {"package": {"ecosystem": "PyPI", "name": "made_up"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    return {"id": "PYSEC-1", "modified": "2026-01-02T00:00:00Z", "summary": "it leaks", "affected": [affected]} | changes


def test_what_is_installed_is_what_is_pinned() -> None:
    """This very environment: every package that run.sh installs is there in the version of the requirements files."""
    findings = supply.unpinned(supply.installed(), supply.pins(), supply.pins(files=supply.NEEDED))
    assert [finding for finding in findings if finding.kind != "not pinned"] == []


def test_what_the_pinned_packages_ask_for_is_pinned_too() -> None:
    """No package comes in behind another one's back, in whatever version is the newest that day."""
    present, pinned = supply.installed(), supply.pins(files=supply.NEEDED)
    asked = {}
    for name in pins_installed_with_dependencies(present):
        for line in present[name].requires or ():
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                asked[canonicalize_name(wanted.name)] = name
    assert {wanted: by for wanted, by in asked.items() if wanted not in pinned} == {}


def pins_installed_with_dependencies(present) -> list[str]:
    return [name for name in supply.pins(files=["requirements.txt"]) if name in present]


def test_every_licence_here_is_allowed() -> None:
    """No package of this environment comes under a licence that the project could not be shipped with."""
    found = [licences.licence_of(one) for one in supply.installed().values()]
    assert len(found) > 100
    assert [one for one in found if not one.allowed] == []


def test_a_wrong_version_a_missing_and_an_unknown_package_are_found(tmp_path: Path) -> None:
    """Each kind of difference from the pins is named."""
    present = {"made-up": package(tmp_path), "stray": package(tmp_path / "b", "stray")}
    found = supply.unpinned(present, {"made-up": "1.3", "gone": "1.0"}, ["made-up", "gone"])
    assert [(one.package, one.kind) for one in found] == [
        ("gone", "missing"),
        ("made-up", "another version"),
        ("stray", "not pinned"),
    ]


def test_a_changed_or_removed_file_of_a_package_is_found(tmp_path: Path) -> None:
    """One byte changed after installation is seen, and so is a file that is gone."""
    made = package(tmp_path)
    assert supply.changed_files(made) == (1, [])
    (tmp_path / "made_up.py").write_text("ANSWER = 43\n")
    assert [one.kind for one in supply.changed_files(made)[1]] == ["file changed"]
    (tmp_path / "made_up.py").unlink()
    assert [one.kind for one in supply.changed_files(made)[1]] == ["file gone"]


@pytest.mark.parametrize("line", ["requests>=2", "requests", "git+https://x.example/y", "-r other.txt"])
def test_a_line_that_pins_nothing_is_refused(tmp_path: Path, line: str) -> None:
    """Ranges, addresses and includes have no place among exact versions."""
    (tmp_path / "requirements.txt").write_text(f"a==1.0\n{line}\n")
    with pytest.raises(BadInput, match="not an exact version"):
        supply.pins(tmp_path)


@pytest.mark.parametrize("form", ["file", "list", "folder", "zip"])
def test_a_known_weakness_is_found_in_every_form_of_the_export(tmp_path: Path, form: str) -> None:
    """A file, a list, a folder and the zip of osv.dev say the same: which advisory, and which version mends it."""
    path = tmp_path / "export"
    text = json.dumps([advisory()] if form == "list" else advisory())
    if form == "folder":
        path.mkdir()
        (path / "PYSEC-1.json").write_text(text)
    elif form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("PYSEC-1.json", text)
    else:
        path.write_text(text)
    known = supply.read_advisories(path)
    assert (known.count, known.newest) == (1, "2026-01-02T00:00:00Z")
    [found] = supply.weaknesses({"made-up": package(tmp_path / "site")}, known)
    assert "PYSEC-1: it leaks; mended in 1.2.1" in found.words


@pytest.mark.parametrize(
    ("version", "events", "hit"),
    [
        ("1.0", [{"introduced": "1.1"}, {"fixed": "1.2.1"}], False),
        ("1.1", [{"introduced": "1.1"}, {"fixed": "1.2.1"}], True),
        ("1.2.1", [{"introduced": "1.1"}, {"fixed": "1.2.1"}], False),
        ("1.10", [{"introduced": "0"}, {"fixed": "1.9"}], False),
        ("1.10", [{"introduced": "0"}, {"fixed": "1.11"}], True),
        ("2.0", [{"introduced": "0"}, {"last_affected": "2.0"}], True),
        ("2.1", [{"introduced": "0"}, {"last_affected": "2.0"}], False),
        ("3.0rc1", [{"introduced": "0"}, {"fixed": "3.0"}], True),
        ("5.0", [{"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "4.0"}], True),
        ("2.0", [{"introduced": "4.0"}, {"fixed": "1.0"}, {"introduced": "0"}], False),
    ],
)
def test_ranges_are_read_as_osv_means_them(version: str, events: list[dict[str, str]], hit: bool) -> None:
    """Versions are compared by PyPI's rules, whatever the order of the events."""
    assert supply.affects({"ranges": [{"type": "ECOSYSTEM", "events": events}]}, version) is hit


def test_what_does_not_concern_us_is_passed_over(tmp_path: Path) -> None:
    """A withdrawn advisory, another ecosystem's package of the same name, and a list of exact versions without ours."""
    path = tmp_path / "export.json"
    other = advisory(affected=[{"package": {"ecosystem": "npm", "name": "made-up"}, "versions": ["1.2.0"]}])
    exact = advisory(affected=[{"package": {"ecosystem": "PyPI", "name": "made-up"}, "versions": ["1.1.0"]}])
    path.write_text(json.dumps([advisory(withdrawn="2026-01-03T00:00:00Z"), other, exact]))
    assert supply.weaknesses({"made-up": package(tmp_path / "site")}, supply.read_advisories(path)) == []


@pytest.mark.parametrize("text", ["", "{}", "[1]", "not json", "[]", '{"modified": 1, "affected": [1]}', "[" * 100_000])
def test_an_export_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    """An empty or foreign file never passes for "nothing known"."""
    path = tmp_path / "export.json"
    path.write_text(text)
    with pytest.raises(BadInput):
        supply.read_advisories(path)


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("(GPL-2.0-only OR MIT) AND BSD-3-Clause", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-3.0-or-later", False),
        ("LGPL-3.0-only", False),
        ("AGPL-3.0-only", False),
        ("", False),
        ("MIT OR", False),
        ("BSD-3-Clause and Public-Domain", True),
        ("(MIT", False),
        ("MIT)", False),
        ("MIT BSD-3-Clause", False),
        ("Proprietary", False),
        ("MIT; or anything", False),
    ],
)
def test_licence_expressions(expression: str, allowed: bool) -> None:
    """AND needs both, OR needs one, and what cannot be read is not allowed."""
    assert licences.is_allowed(expression) is allowed


@pytest.mark.parametrize(
    ("headers", "licence"),
    [
        ({"License_Expression": "BSD-3-Clause"}, "BSD-3-Clause"),
        ({"License": "Apache License 2.0"}, "Apache-2.0"),
        ({"License": "GPL-3.0-or-later"}, "GPL-3.0-or-later"),
        ({"Classifier": "License :: OSI Approved :: MIT License"}, "MIT"),
        ({"Classifier": "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"}, "GPL-3.0-only"),
        ({}, ""),
    ],
)
def test_a_licence_is_read_from_wherever_a_package_tells_it(tmp_path: Path, headers: dict[str, str], licence: str) -> None:
    """The expression, the old field, the classifier; a package that says nothing is not allowed."""
    found = licences.licence_of(package(tmp_path, **headers))
    assert found.licence == licence
    assert found.allowed is (licence in licences.ALLOWED)


def test_the_command_says_that_weaknesses_were_not_checked_without_an_export(tmp_path: Path, monkeypatch) -> None:
    """Without the operator's file the command claims nothing about known weaknesses; with one that hits, its code is 1."""
    made = package(tmp_path / "site", license_expression="MIT")
    monkeypatch.setattr(supply, "installed", lambda: {"made-up": made})
    monkeypatch.setattr(supply, "pins", lambda root=ROOT, files=supply.PINS: {"made-up": "1.2.0"})
    config = tmp_path / "config.yaml"
    config.write_text("{}")
    run = lambda *more: CliRunner().invoke(build(), ["supply", "audit", "--config", str(config), *more])  # noqa: E731
    clean = run()
    assert clean.exit_code == 0
    assert "NOT checked" in clean.output
    export = tmp_path / "export.json"
    export.write_text(json.dumps(advisory()))
    hit = run("--advisories", str(export), "--json")
    assert hit.exit_code == 1
    assert json.loads(hit.output)["findings"][0]["kind"] == "known weakness"
