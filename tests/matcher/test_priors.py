from __future__ import annotations

from datetime import date

import pytest

from matcher.compare import Match
from matcher.priors import CaseFacts, Prior, Sex, SightingFacts, distance_km, ordered, prior, sibling_note
from store.model import Band


def match(case_id: int, band: Band, one_in: int) -> Match:
    return Match(case_id, 0, 0.7, None, one_in, 1, band, "", "pack", "version")


def test_nothing_known_says_nothing() -> None:
    """Without facts the prior is neutral and silent."""
    assert prior(CaseFacts(), SightingFacts()) == Prior(0, ())


def test_facts_that_agree_speak_for_and_contradictions_against() -> None:
    """Same sex, fitting age, near in time and place outweigh a sighting of another sex, before the loss."""
    case = CaseFacts(Sex.FEMALE, date(2022, 3, 1), date(2026, 1, 10), (39.9, 116.4))
    fits = prior(case, SightingFacts(date(2026, 2, 1), (39.95, 116.3), Sex.FEMALE, 4))
    against = prior(case, SightingFacts(date(2025, 12, 1), (23.1, 113.3), Sex.MALE, 12))
    assert fits.weight > 1 > 0 > against.weight
    assert any("before the child was lost" in why for why in against.why)
    assert any("can mislead" in why for why in against.why)


def test_a_prior_never_changes_a_band() -> None:
    """However strongly facts speak, a review candidate stays below every high one."""
    entries = [(match(1, Band.REVIEW, 9_000_000), Prior(99.0, ())), (match(2, Band.HIGH, 10), Prior(-99.0, ()))]
    assert [entry[0].case_id for entry in ordered(entries)] == [2, 1]
    assert [entry[0].band for entry in ordered(entries)] == [Band.HIGH, Band.REVIEW]


def test_within_a_band_rarity_and_facts_give_the_order() -> None:
    """The rarer score comes first; facts move a candidate past one that is not much rarer, none is ever dropped."""
    rare, usual = match(1, Band.REVIEW, 500), match(2, Band.REVIEW, 100)
    neutral, good = Prior(0, ()), Prior(1, ())
    assert [m.case_id for m, _ in ordered([(usual, neutral), (rare, neutral)])] == [1, 2]
    assert [m.case_id for m, _ in ordered([(rare, neutral), (usual, good)])] == [2, 1]


def test_an_estimated_age_is_a_hint_only() -> None:
    """Being judged three years off counts as fitting, and even twenty years off costs one step at most."""
    case = CaseFacts(born=date(2020, 1, 1))
    assert prior(case, SightingFacts(seen_on=date(2026, 1, 1), age_years=9)).weight > 0
    assert prior(case, SightingFacts(seen_on=date(2026, 1, 1), age_years=26)).weight == -1


@pytest.mark.parametrize(
    ("a", "b", "km"), [((39.9, 116.4), (31.2, 121.5), 1068), ((0, 0), (0, 180), 20015), ((10, 10), (10, 10), 0)]
)
def test_distances(a: tuple[float, float], b: tuple[float, float], km: float) -> None:
    """Great-circle distances agree with the known ones within 1%."""
    assert distance_km(a, b) == pytest.approx(km, rel=0.01, abs=0.1)


def test_siblings_explain_likeness() -> None:
    """A face that also resembles a named sibling gets a sentence; a stranger does not."""
    case = CaseFacts(siblings=(7, 9))
    assert "case 7" in sibling_note(case, {7, 20})
    assert sibling_note(case, {20}) == ""
