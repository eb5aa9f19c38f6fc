"""The table of hard cases: one line in hard_places.tsv is one test; its first lines say how to add one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.divisions import table
from ingest.where import resolve_where
from store.model import Certainty

TABLE = Path(__file__).with_name("hard_places.tsv")


def _cases() -> list[tuple[str, str, str]]:
    out = []
    for line in TABLE.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            text, expected, tag = line.split("\t")
            out.append((text, expected, tag))
    return out


CASES = _cases()


@pytest.mark.parametrize(("text", "expected", "tag"), CASES, ids=[f"{tag}: {text[:24]}" for text, _, tag in CASES])
def test_hard_case(text: str, expected: str, tag: str) -> None:
    """The text is read as the table says; an undecided one names nobody and offers the choices."""
    where = resolve_where(text)
    if expected.startswith("?"):
        assert where.adcode is None
        assert not where.settled
        assert set(expected[1:].split()) <= set(where.alternatives)
    else:
        assert where.adcode in expected.split()
        assert where.alternatives == ()
        assert where.place == table().full_name(where.adcode or "")


def test_the_table_is_large_and_sound() -> None:
    """At least 350 cases, no text twice, every adcode one of today's."""
    texts = [text for text, _, _ in CASES]
    assert len(texts) >= 350
    assert len(set(texts)) == len(texts)
    for text, expected, _ in CASES:
        assert all(table().get(code) for code in expected.lstrip("?").split()), text


def test_every_answer_says_what_it_rests_on() -> None:
    """A place or a choice never comes without evidence, and the words that counted are words of the text."""
    for text, _, _ in CASES:
        where = resolve_where(text)
        assert bool(where.evidence) or where.certainty is Certainty.NONE
        for evidence in where.evidence:
            assert evidence.why
            assert evidence.why.isprintable()
            if evidence.span is not None:
                start, end = evidence.span
                assert 0 <= start < end <= len(text)
                assert text[start:end] in evidence.why
