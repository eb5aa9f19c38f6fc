"""The red lines of every outgoing text, as rules that refuse.

A text is refused when it asserts an identity, names a child or a case, gives a score, accuses an adult, or tells anyone to
follow, stop or take a child. The rules are phrases, not understanding: they refuse too much rather than too little, and the
built-in templates are written so that they pass. Both languages' rules run over every text, because people mix them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from store.errors import SuishoupaiError


class RedLine(SuishoupaiError):
    """A text that must not be published; the message names the rule and the words that broke it."""


_RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "asserts an identity",
        (
            r"就是|正是|确[认定实]是|(?:他|她|这)(?:是|叫)|找到了?(?:孩子|了)",
            r"身份|认出|吻合|匹配|比中|本人|失踪儿童|走失|被拐",
            r"\b(?:this|he|she|it)\s+is\b|\bidentif|\bidentity\b|\bmatch(?:es|ed|ing)?\b|\bfound\s+(?:the|him|her|your|a)\b",
            r"\bmissing\s+(?:child|boy|girl|kid|person)|\brecogni[sz]|\bconfirm",
        ),
    ),
    ("names a case", (r"\bC-[0-9A-Z]{4,}\b|案件(?:编号|号)|案号", r"\bcase\s+(?:no|number|id|ref)")),
    (
        "gives a score",
        (
            r"\d\s*[%％‰]|百分之|相似|置信|得分|分数|概率|几率",
            r"\b(?:scor|similar|probab|confiden|percent|likel)",
        ),
    ),
    (
        "accuses somebody",
        (
            r"人贩|贩子|拐[卖骗带走]|嫌疑|罪犯|犯罪|凶手|坏人|骗子|绑架|虐待|假(?:父|母|爸|妈)",
            r"\b(?:traffick|kidnap|abduct|suspect|criminal|offender|culprit|perpetrat|abus)",
        ),
    ),
    (
        "tells somebody to act against a person",
        (
            r"跟踪|尾随|跟(?:着|上|住)|拦(?:住|下|截)|抓(?:住|捕|人)?|抱走|带走|夺|控制住",
            r"扣[住留下]|堵住|围住|盯住|追上?|追赶",
            r"\b(?:follow|chase|pursue|grab|seize|detain|catch|hold|restrain|confront|approach|arrest|stop|take|snatch|block)\s+"
            r"(?:him|her|them|it|the|this|that|a|any|child|kid|boy|girl|man|woman|people|person|adult)",
        ),
    ),
)
RULES = tuple((name, re.compile(pattern, re.IGNORECASE)) for name, patterns in _RULES for pattern in patterns)

_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff]")
"""Soft hyphens, joiners, direction marks, variation selectors: nothing that a reader sees."""


def check(text: str, *, never: Iterable[str] = ()) -> None:
    """Refuse ``text`` where it crosses a red line.

    ``never`` are words that must not appear in this text: the names and references of the cases it concerns.

    Raises:
        RedLine: names the rule and the words.
    """
    # A word split by invisible characters, or in Chinese by spaces, says the same to a reader.
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    joined = re.sub(r"\s+", "", plain)
    for name, pattern in RULES:
        found = pattern.search(plain) or (pattern.search(joined) if not pattern.pattern.isascii() else None)
        if found:
            raise RedLine(f"this text {name}: {found.group(0)!r}", mend="reword it; the list is at the top of its file")
    for word in never:
        if len(word) >= 2 and (word.casefold() in plain.casefold() or word in joined):
            raise RedLine("this text names a child or a case", mend="reword the template; only $ref may stand for the sighting")
