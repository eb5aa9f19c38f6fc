"""What a post says of the child's looks: girl or boy, and about how old. Pure; hints for people, never a filter.

Only what is said of one child counts: two sexes or two ages leave the fact open. An age "when lost" belongs to a notice, not
to the child who was seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingest.times.numbers import number

_FEMALE = re.compile(r"[女妮][孩童娃婴]|女生|女学生|小姑娘|小丫头|\b(?:little\s+)?girl\b", re.IGNORECASE)
_MALE = re.compile(r"男[孩童娃婴]|男生|男学生|小伙子|小男子汉|\b(?:little\s+)?boy\b", re.IGNORECASE)
_ZH = r"\d{1,2}|[一二两三四五六七八九十]{1,3}"
_AGES = (
    re.compile(rf"(?P<a>{_ZH})(?:\s*[-~—–到至、]\s*(?P<b>{_ZH}))?\s*[多来几]?\s*(?P<unit>周?岁|个月大)"),
    re.compile(
        r"\b(?P<a>\d{1,2})(?:\s*(?:-|–|to|or)\s*(?P<b>\d{1,2}))?[\s-]*(?P<unit>years?|yrs?|months?)[\s-]*old\b", re.IGNORECASE
    ),
    re.compile(r"\baged?\s+(?:about\s+)?(?P<a>\d{1,2})(?:\s*(?:-|–|to|or)\s*(?P<b>\d{1,2}))?(?P<unit>)(?!\d)", re.IGNORECASE),
)
_OF_THE_LOSS = re.compile(r"(?:失踪|丢失|走失|被拐|被抱走|失联|出生|missing|lost)[^。！？!?\n]{0,10}$", re.IGNORECASE)
_NEIGHBOURS = re.compile(r"(十?)([一二三四五六七八九])([一二三四五六七八九])")
"""七八岁 is seven or eight, 十二三岁 twelve or thirteen."""
_OLDEST = 17.0


@dataclass(frozen=True, slots=True)
class Looks:
    """``sex`` is "female", "male" or "" (not said, or both); ``age_years`` the middle of what was said, None where it is open."""

    sex: str = ""
    age_years: float | None = None


def looks(text: str) -> Looks:
    """Read a post's words; see the module."""
    female, male = bool(_FEMALE.search(text)), bool(_MALE.search(text))
    sex = "" if female == male else "female" if female else "male"
    said = {age for pattern in _AGES for found in pattern.finditer(text) if (age := _age(text, found)) is not None}
    return Looks(sex, said.pop() if len(said) == 1 else None)


def _age(text: str, found: re.Match[str]) -> float | None:
    """The middle of an age or a range of ages, in years; None for a grown-up's, and for what is no child's present age."""
    if _OF_THE_LOSS.search(text[: found.start()]):
        return None
    ends = [end for part in (found["a"], found["b"]) if part for end in _ends(part)]
    if not ends:
        return None
    years = (min(ends) + max(ends)) / 2
    if found["unit"].startswith(("个月", "month", "Month")):
        years /= 12
    return years if years <= _OLDEST else None


def _ends(word: str) -> list[int]:
    pair = _NEIGHBOURS.fullmatch(word)
    if pair is not None:
        tens = 10 if pair[1] else 0
        return [tens + (number(pair[2]) or 0), tens + (number(pair[3]) or 0)]
    value = number(word)
    return [] if value is None else [value]
