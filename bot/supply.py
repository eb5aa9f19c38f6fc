"""What this installation is made of: pinned versions, files as their packages recorded them, known weaknesses, licences.

All of it works without a network. Known weaknesses come from a file that the operator brings: the OSV export of PyPI's advisories
(``PyPI/all.zip`` of osv.dev, or advisory files of that format, https://ossf.github.io/osv-schema/).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sysconfig
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from store.errors import BadInput

ROOT = Path(__file__).resolve().parents[1]
PINS = ("requirements.txt", "requirements-models.txt", "requirements-bench.txt", "requirements-fuzz.txt")
"""The first two are what run.sh installs; the others may be there."""
NEEDED = PINS[:2]
OWN = "suishoupai"
_TOOLS = {OWN, "pip"}
_MAX_ADVISORY_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be: which package, of what kind, in words."""

    package: str
    kind: str
    words: str


def installed() -> dict[str, Distribution]:
    """Every package that stands in this environment, by normalised name (not what a package carries within itself)."""
    where = sorted({sysconfig.get_paths()[name] for name in ("purelib", "platlib")})
    return {canonicalize_name(d.metadata["Name"]): d for d in distributions(path=where) if d.metadata["Name"]}


def pins(root: Path = ROOT, files: Sequence[str] = PINS) -> dict[str, str]:
    """Exact versions by normalised name.

    Raises:
        BadInput: the first of the files is not there, or a line of one is no exact version.
    """
    found: dict[str, str] = {}
    if not (root / files[0]).exists():
        raise BadInput(f"{root / files[0]} is not there", mend="run this from the project's own folder")
    for path in (root / name for name in files if (root / name).exists()):
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.partition("#")[0].strip()
            if not words:
                continue
            match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.!+_-]+)", words)
            if match is None:
                raise BadInput(f"{path.name}: not an exact version: {words}")
            found[canonicalize_name(match[1])] = match[2]
    return found


def unpinned(present: Mapping[str, Distribution], wanted: Mapping[str, str], needed: Iterable[str]) -> list[Finding]:
    """Packages that are there without a pin, in another version, or missing."""
    found = []
    for name, package in present.items():
        if name not in _TOOLS and name not in wanted:
            found.append(Finding(name, "not pinned", f"{package.version} is installed, and no requirements file names it"))
        elif name in wanted and package.version != wanted[name]:
            found.append(Finding(name, "another version", f"{package.version} is installed, {wanted[name]} is pinned"))
    found += [Finding(name, "missing", f"{wanted[name]} is pinned") for name in needed if name not in present]
    return sorted(found, key=lambda finding: finding.package)


def changed_files(package: Distribution) -> tuple[int, list[Finding]]:
    """Hold a package's files against its RECORD; returns how many were compared, and what differs or is gone."""
    name, compared, found = canonicalize_name(package.metadata["Name"]), 0, []
    for file in package.files or ():
        if file.hash is None or file.hash.mode not in hashlib.algorithms_guaranteed:
            continue
        try:
            data = Path(str(file.locate())).read_bytes()
        except OSError as error:
            found.append(Finding(name, "file gone", f"{file}: {type(error).__name__}"))
            continue
        compared += 1
        digest = base64.urlsafe_b64encode(hashlib.new(file.hash.mode, data).digest()).rstrip(b"=").decode()
        if digest != file.hash.value:
            found.append(Finding(name, "file changed", f"{file} is not what its package recorded"))
    return compared, found


# --- known weaknesses -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Advisories:
    """Advisories of the PyPI ecosystem that were not withdrawn, by normalised package; ``newest`` is the latest change."""

    by_package: Mapping[str, tuple[dict[str, Any], ...]]
    count: int
    newest: str


def read_advisories(path: Path) -> Advisories:
    """Read an OSV export: a zip of advisories, a folder of them, or one file (an advisory or a list).

    Raises:
        BadInput: it is not there, or a file of it is no such advisory.
    """
    by_package: dict[str, list[dict[str, Any]]] = {}
    count, newest = 0, ""
    for where, text in _texts(path):
        try:
            content = json.loads(text)
            for one in content if isinstance(content, list) else [content]:
                if one.get("withdrawn"):
                    continue
                count, newest = count + 1, max(newest, str(one["modified"]))
                names = {canonicalize_name(a["package"]["name"]) for a in one.get("affected", ()) if _is_pypi(a)}
                for name in names:
                    by_package.setdefault(name, []).append(one)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BadInput(f"{where}: not an advisory in OSV's form ({type(error).__name__})") from error
    if not count:
        raise BadInput(f"{path}: no advisory in it", mend="give the zip, the folder or the file of an OSV export of PyPI")
    return Advisories({name: tuple(found) for name, found in by_package.items()}, count, newest)


def _texts(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        if path.is_dir():
            for file in sorted(path.rglob("*.json")):
                yield str(file), file.read_bytes()
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for entry in archive.infolist():
                    if entry.filename.endswith(".json"):
                        if entry.file_size > _MAX_ADVISORY_BYTES:
                            raise BadInput(f"{path}: {entry.filename} is larger than any advisory")
                        yield f"{path}: {entry.filename}", archive.read(entry)
        else:
            yield str(path), path.read_bytes()
    except (OSError, zipfile.BadZipFile) as error:
        raise BadInput(f"the advisories in {path} cannot be read: {error}") from error


def _is_pypi(affected: Mapping[str, Any]) -> bool:
    return str(affected.get("package", {}).get("ecosystem", "")).partition(":")[0] == "PyPI"


def weaknesses(present: Mapping[str, Distribution], advisories: Advisories) -> list[Finding]:
    """Installed versions that an advisory names."""
    found = []
    for name, package in sorted(present.items()):
        for one in advisories.by_package.get(name, ()):
            mine = [a for a in one["affected"] if _is_pypi(a) and canonicalize_name(a["package"]["name"]) == name]
            if any(affects(a, package.version) for a in mine):
                known_as = ", ".join([one["id"], *one.get("aliases", ())])
                fixed = sorted({e["fixed"] for a in mine for r in a.get("ranges", ()) for e in r["events"] if "fixed" in e})
                words = f"{package.version}: {known_as}: {one.get('summary') or str(one.get('details', ''))[:120]}"
                found.append(Finding(name, "known weakness", words + (f"; mended in {', '.join(fixed)}" if fixed else "")))
    return found


def affects(affected: Mapping[str, Any], version: str) -> bool:
    """Whether an advisory's entry names ``version``: in its list, or within a range of versions (OSV, "evaluation")."""
    if version in affected.get("versions", ()):
        return True
    try:
        mine = Version(version)
        return any(
            _within(entry["events"], mine) for entry in affected.get("ranges", ()) if entry.get("type") in ("ECOSYSTEM", "SEMVER")
        )
    except InvalidVersion:
        return False


def _within(events: Iterable[Mapping[str, str]], mine: Version) -> bool:
    def at(event: Mapping[str, str]) -> Version:
        [value] = event.values()
        return Version("0.dev0" if value == "0" else value)

    inside = False
    for event in sorted((e for e in events if "limit" not in e), key=at):
        if "introduced" in event and mine >= at(event):
            inside = True
        elif ("fixed" in event and mine >= at(event)) or ("last_affected" in event and mine > at(event)):
            inside = False
    return inside
