from __future__ import annotations

from datetime import date

from matcher import priors
from matcher.priors import CaseFacts, Sex, SightingFacts, facts, turn


def weight(case: CaseFacts, sighting: SightingFacts) -> float:
    return sum(fact.weight for fact in facts(case, sighting))


def test_nothing_known_says_nothing() -> None:
    """Without facts there is no sentence, and the order is that of the score alone."""
    assert facts(CaseFacts(), SightingFacts()) == ()
    assert turn(1000, ()) == -3


def test_facts_that_agree_speak_for_and_contradictions_against() -> None:
    """Same sex, fitting age, near in time and place outweigh a sighting of another sex, far away, before the loss."""
    case = CaseFacts(Sex.FEMALE, date(2022, 3, 1), date(2026, 1, 10))
    fits = SightingFacts(date(2026, 2, 1), 12, Sex.FEMALE, 4)
    against = SightingFacts(date(2025, 12, 1), 1900, Sex.MALE, 12)
    assert weight(case, fits) > 1 > 0 > weight(case, against)
    said = " ".join(fact.words for fact in facts(case, against))
    assert "40 days before the child was lost" in said
    assert "can mislead" in said
    assert "1900 km" in said


def test_every_sentence_is_listed_for_those_who_translate() -> None:
    """A fact's text is one of TEXTS, whatever is known."""
    days = [None, date(2015, 1, 1), date(2025, 1, 1), date(2026, 2, 1)]
    seen = set()
    for sex in Sex:
        for other in Sex:
            for day in days:
                for age in (None, 3.0, 15.0):
                    case = CaseFacts(sex, date(2022, 3, 1), date(2026, 1, 10), frozenset({7}))
                    seen |= {f.text for f in facts(case, SightingFacts(day, 10, other, age, frozenset({7, 8})))}
    assert seen == set(priors.TEXTS)


def test_rarity_and_facts_give_the_order() -> None:
    """The rarer score comes first; facts move a candidate past one that is not much rarer, and by no more than that."""
    good = facts(CaseFacts(Sex.MALE, date(2020, 1, 1)), SightingFacts(date(2026, 1, 1), 5, Sex.MALE, 6))
    assert turn(500, ()) < turn(100, ())
    assert turn(100, good) < turn(500, ())
    assert turn(1_000_000, ()) < turn(100, good)
    assert turn(None, ()) == 0


def test_a_said_age_is_a_hint_only() -> None:
    """Being said three years off counts as fitting, and even twenty years off costs one step at most."""
    case = CaseFacts(born=date(2020, 1, 1))
    assert weight(case, SightingFacts(seen_on=date(2026, 1, 1), age_years=9)) > 0
    assert weight(case, SightingFacts(seen_on=date(2026, 1, 1), age_years=26)) == -1


def test_siblings_explain_likeness_and_weigh_nothing() -> None:
    """A face that also resembles a named sibling gets a sentence; a stranger's case does not."""
    case = CaseFacts(siblings=frozenset({7, 9}))
    (fact,) = facts(case, SightingFacts(resembles=frozenset({7, 20})))
    assert "brother or sister" in fact.words
    assert fact.weight == 0
    assert facts(case, SightingFacts(resembles=frozenset({20}))) == ()
