"""Licences of what is installed, from each package's own metadata, against the list of those this project may be shipped with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import Distribution

from packaging.utils import canonicalize_name

ALLOWED = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0"}
    | {"OFL-1.1", "Public-Domain", "Python-2.0", "Unlicense", "Zlib"}
)
"""Permissive ones, MPL-2.0, which asks for its own files alone, and the fonts' OFL-1.1, which lets a document embed them."""

READ_BY_HAND = {
    "insightface": ("MIT", "its repository's LICENSE; the package's metadata says nothing. Its model packs are not used"),
}
"""Packages whose metadata does not tell, with what their authors say and where."""

AS_A_LIBRARY = frozenset({"psycopg", "psycopg-binary", "psycopg-pool"})
"""Packages under the LGPL-3.0 that are used unchanged, from their own files, which anybody may exchange: that is what it asks."""

_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "SIL Open Font License 1.1 (OFL-1.1)": "OFL-1.1",
    "zlib/libpng License": "Zlib",
}
_LGPL = ("LGPL-3.0-only", "LGPL-3.0-or-later")
_SPELLINGS = (
    (r"(the )?mit( license)?", "MIT"),
    (r"apache([- ]license)?[-, ]*(version )?2(\.0)?", "Apache-2.0"),
    (r"(bsd[- ]3[- ]clause|3[- ]clause[- ]bsd)( license)?", "BSD-3-Clause"),
    (r"(bsd[- ]2[- ]clause|2[- ]clause[- ]bsd)( license)?", "BSD-2-Clause"),
    (r"isc( license)?", "ISC"),
    (r"psfl?(-2\.0)?", "PSF-2.0"),
)
_WORD = re.compile(r"\(|\)|[A-Za-z0-9.+-]+")


@dataclass(frozen=True, slots=True)
class Licence:
    """A package's licence as an SPDX expression (empty: unknown), where that was found, and whether it is on the list."""

    package: str
    version: str
    licence: str
    source: str
    allowed: bool


def licence_of(package: Distribution) -> Licence:
    """What a package's metadata says of its licence: the expression, else its classifiers, else the old field's first line."""
    name = canonicalize_name(package.metadata["Name"])
    licence, source = _found(package, name)
    library = name in AS_A_LIBRARY and licence in _LGPL
    return Licence(name, package.version, licence, source, library or is_allowed(licence))


def _found(package: Distribution, name: str) -> tuple[str, str]:
    headers = package.metadata.json
    if name in READ_BY_HAND:
        return READ_BY_HAND[name]
    if headers.get("license_expression"):
        return str(headers["license_expression"]), "expression"
    words = str(headers.get("license") or "").strip().splitlines()
    first = re.sub(r"^[#\s]+|[()]", "", words[0]).strip() if words else ""
    for pattern, spdx in _SPELLINGS:
        if re.fullmatch(pattern, first, re.I):
            return spdx, "field"
    if len(words) == 1 and re.fullmatch(r"[A-Za-z0-9.+ ()-]+", words[0]) and re.search(r"-\d", words[0]):
        return words[0], "field"
    named = [line.rpartition(" :: ")[2] for line in headers.get("classifier", ()) if line.startswith("License :: ")]
    known = sorted({_CLASSIFIERS.get(n, n) for n in named} - {"OSI Approved", "DFSG approved"})
    return " AND ".join(known), "classifier" if known else "nothing"


def is_allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met with :data:`ALLOWED` alone; what cannot be read is not allowed."""
    words = _WORD.findall(expression)
    try:
        allowed, rest = _either(words)
    except (IndexError, RecursionError):
        return False
    return allowed and not rest and "".join(words) == "".join(expression.split())


def _either(words: list[str]) -> tuple[bool, list[str]]:
    """Terms joined by OR, each of them terms joined by AND; and what is left of the words."""
    met, rest = _one(words)
    either = False
    while rest and rest[0].upper() in ("AND", "OR"):
        joined, (following, rest) = rest[0].upper(), _one(rest[1:])
        either, met = (either or met, following) if joined == "OR" else (either, met and following)
    return either or met, rest


def _one(words: list[str]) -> tuple[bool, list[str]]:
    if words[0] == "(":
        inner, rest = _either(words[1:])
        return inner and rest[0] == ")", rest[1:]
    if len(words) > 2 and words[1].upper() == "WITH":  # an exception only ever adds permissions
        return words[0] in ALLOWED, words[3:]
    return words[0] in ALLOWED, words[1:]
