"""Wording: from a decision to the byte-exact text, in the post's language, under the platform's length and the red lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import yaml

from bot.alerts import redlines
from bot.yaml_file import read_yaml
from store.errors import SettingsError

BUILT_IN = Path(__file__).with_name("templates")
LANGUAGES = ("zh", "en")

_NEEDED: Mapping[str, frozenset[str]] = {
    "answer_received": frozenset({"ref"}),
    "answer_no_place": frozenset({"ref"}),
    "answer_no_face": frozenset({"ref"}),
    "answer_no_photo": frozenset({"ref"}),
    "answer_photo_unusable": frozenset({"ref"}),
    "answer_not_matched": frozenset({"ref"}),
    "answer_opted_out": frozenset({"ref"}),
    "late_prefix": frozenset(),
    "alert": frozenset({"ref", "mentions", "link"}),
    "digest": frozenset({"ref", "mentions", "link", "count"}),
    "acknowledged": frozenset({"ref"}),
    "thanks": frozenset({"ref"}),
    "broadcast": frozenset({"ref", "link"}),
}
"""Each template and exactly the placeholders it has."""

_HOTLINE = "110"


@dataclass(frozen=True, slots=True)
class Templates:
    """Checked templates by language and key."""

    texts: Mapping[tuple[str, str], str]

    def text(self, lang: str, key: str) -> str:
        """The template for a post in ``lang`` (BCP 47 or the platform's code): Chinese posts get zh, all others en."""
        return self.texts[("zh" if lang.lower().startswith(("zh", "und", "ja")) or not lang else "en", key)]


def load_templates(folder: Path | None = None) -> Templates:
    """Read and check zh.yaml and en.yaml from ``folder`` (None: the built-in ones).

    Raises:
        SettingsError: a template is missing, unknown, has a wrong placeholder, lacks the hotline, or crosses a red line;
            every problem of both files at once.
    """
    texts: dict[tuple[str, str], str] = {}
    problems: list[str] = []
    for lang in LANGUAGES:
        path = (folder or BUILT_IN) / f"{lang}.yaml"
        try:
            values = read_yaml(path)
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path}: cannot be read: {error}", mend="copy the built-in file and edit that") from error
        if not isinstance(values, dict):
            raise SettingsError(f"{path}: expected one text for each key", mend="copy the built-in file and edit that")
        problems += [f"{path}: {key}: unknown template; allowed: {', '.join(_NEEDED)}" for key in values if key not in _NEEDED]
        for key, needed in _NEEDED.items():
            text = values.get(key)
            problem = f"missing; it needs {sorted(needed)}" if not isinstance(text, str) else template_problem(text, key)
            if problem:
                problems.append(f"{path}: {key}: {problem}")
            else:
                texts[(lang, key)] = _tidy(str(text))
    if problems:
        raise SettingsError("\n".join(problems), mend="correct these templates; nothing is sent until they pass")
    return Templates(texts)


def template_problem(text: str, key: str) -> str:
    """What is wrong with template ``key``; empty where nothing is."""
    needed = _NEEDED[key]
    try:
        found = set(Template(text).get_identifiers())
        if not Template(text).is_valid():
            return "a lone $; write $$ for a dollar sign"
    except ValueError as error:
        return str(error)
    if found != needed:
        return f"placeholders {sorted(found)} found, {sorted(needed)} needed"
    if key != "late_prefix" and _HOTLINE not in text:
        return f"does not name the hotline {_HOTLINE}"
    try:
        redlines.check(Template(text).safe_substitute(ref="S-XXXX", mentions="@x", link="", count="3"))
    except redlines.RedLine as error:
        return str(error)
    return ""


def _tidy(text: str) -> str:
    """Fold white space; between two Chinese characters a line break of the file is no space."""
    folded = re.sub(r"(?<=[\u3000-\u9fff\uff00-\uffef])\n\s*(?=[\u3000-\u9fff\uff00-\uffef])", "", text.strip())
    return re.sub(r"\s+", " ", folded)


def compose(
    templates: Templates,
    key: str,
    *,
    lang: str,
    ref: str,
    max_length: int,
    length: Callable[[str], int],
    mentions: Sequence[str] = (),
    link: str = "",
    count: int = 0,
    late: bool = False,
    never: Iterable[str] = (),
) -> str:
    """The final text. Nothing of the post itself ever enters it: only our own words, the reference and directory handles.

    ``mentions`` are rendered as given (``@handle``). Mentions are dropped from the end, then the link, until the text fits.

    Raises:
        redlines.RedLine: the text crosses a red line.
        SettingsError: it does not fit in ``max_length`` even so.
    """
    names = list(mentions)
    prefix = templates.text(lang, "late_prefix") + " " if late else ""
    while True:
        text = _tidy(
            prefix + Template(templates.text(lang, key)).substitute(ref=ref, mentions=" ".join(names), link=link, count=count)
        )
        if length(text) <= max_length:
            break
        if len(names) > 1:
            names.pop()
        elif prefix:
            prefix = ""
        elif link:
            link = ""
        else:
            raise SettingsError(
                f"template {key} ({lang}) is {length(text)} long, the platform takes {max_length}", mend="shorten the template"
            )
    # Handles and the link come from the directory and the settings; the red lines are about our own words.
    redlines.check(_without(text, (*names, link)), never=never)
    return text


def _without(text: str, parts: Iterable[str]) -> str:
    for part in parts:
        if part:
            text = text.replace(part, " ")
    return text
