"""What votes mean together."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.console.reviewing import Outcome, rule
from store.reviews import Verdict

pytestmark = pytest.mark.on_both


@dataclass(frozen=True)
class Said:
    verdict: Verdict
    unblinded: bool = False
    leading: bool = False


D, C, S = Said(Verdict.DIFFERENT), Said(Verdict.CANNOT_TELL), Said(Verdict.SIMILAR)
SEEN_D = Said(Verdict.DIFFERENT, unblinded=True)
LEAD_D, LEAD_C, LEAD_S = (Said(v, leading=True) for v in Verdict)


@pytest.mark.parametrize(
    ("votes", "outcome", "needed"),
    [
        ([], Outcome.WAIT, 2),
        ([D], Outcome.WAIT, 2),
        ([S], Outcome.WAIT, 2),
        ([D, D], Outcome.REJECT, 2),
        ([S, S], Outcome.ACCEPT, 2),
        ([D, S], Outcome.WAIT, 3),
        ([D, C], Outcome.WAIT, 3),
        ([S, C], Outcome.WAIT, 3),
        ([C, C], Outcome.ASK, 2),
        ([D, S, D], Outcome.REJECT, 3),
        ([D, S, S], Outcome.ACCEPT, 3),
        ([S, C, S], Outcome.ACCEPT, 3),
        ([D, S, C], Outcome.ASK, 3),
        ([SEEN_D], Outcome.WAIT, 3),
        ([SEEN_D, D], Outcome.WAIT, 3),
        ([SEEN_D, D, D], Outcome.REJECT, 3),
        ([D, S, C, LEAD_D], Outcome.REJECT, 3),
        ([D, S, C, LEAD_S], Outcome.ACCEPT, 3),
        ([D, S, C, LEAD_C], Outcome.ASK, 3),
    ],
)
def test_each_combination_has_its_meaning(votes, outcome, needed):
    """Two blind votes agree or a third is asked; three that differ go to the lead reviewer, who decides alone."""
    ruling = rule(votes)
    assert (ruling.outcome, ruling.needed) == (outcome, needed)


SAID = st.builds(Said, st.sampled_from(Verdict), unblinded=st.booleans())


@given(st.lists(SAID, max_size=4))
def test_the_order_of_votes_does_not_matter(votes):
    """Whoever was faster decides nothing."""
    assert len({rule(order) for order in permutations(votes)}) == 1


@given(st.lists(SAID, max_size=6))
def test_nothing_is_rejected_without_two_blind_people_who_say_so(votes):
    """A score, a look at it, or a single person ends no search for a child; and accepting takes two as well."""
    blind = [vote.verdict for vote in votes if not vote.unblinded]
    outcome = rule(votes).outcome
    if outcome is Outcome.REJECT:
        assert blind.count(Verdict.DIFFERENT) >= 2
        assert blind.count(Verdict.DIFFERENT) > blind.count(Verdict.SIMILAR)
    if outcome is Outcome.ACCEPT:
        assert blind.count(Verdict.SIMILAR) >= 2


@given(st.lists(SAID, max_size=6))
def test_a_pair_that_waits_is_given_to_one_more_person(votes):
    """What waits needs more votes than it has, so that the queue hands it out again; what does not wait needs none."""
    ruling = rule(votes)
    assert (ruling.needed > len(votes)) == (ruling.outcome is Outcome.WAIT)
