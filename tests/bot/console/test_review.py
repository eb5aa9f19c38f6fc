"""Reviewing: blind pairs, what votes lead to, locks, undo, known pairs, and who may see what."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
from PIL import Image

from bot.console.parts import Role
from store import audit, cases, known_pairs, leads, matches, people, reviews
from store.matches import CandidateState
from store.model import Band, LeadState

pytestmark = pytest.mark.on_both


@pytest.fixture
def app(review_app):
    """``as_role`` signs in to the scene's console."""
    return review_app


@pytest.fixture
def console_settings() -> str:
    return "console: {insecure_cookies: true, known_pair_one_in: 0}\n"


def task_of(page: str) -> str:
    return re.search(r'name="task" value="([0-9a-f]+)"', page)[1]


def say(browser, verdict: str, **more: str) -> str:
    """Decide the pair before this reviewer; returns the page that follows."""
    return browser.post("/review", {"task": task_of(browser.get("/review")), "verdict": verdict, **more}, page="/review")


def state_of(scene, number: int = 0) -> CandidateState:
    with scene.parts.store.read() as tx:
        return matches.get(tx, scene.candidates[number]).state


def test_the_pair_is_shown_without_score_place_or_source(scene, as_role):
    """Before the decision the page holds the child's facts and nothing that could sway: no score, place, time, post, name."""
    page = as_role(Role.VOLUNTEER).get("/review")
    assert "Could this be the same child?" in page
    assert "mole under the left eye" in page
    for hidden in ("4,200", "4200", "罗湖", "440303", "example.org/post", "Demo child", scene.cases["a"].ref, "S-"):
        assert hidden not in page


def test_the_score_is_told_in_words_after_the_decision(scene, as_role):
    """Then: about 1 in 4,200 strangers, the place, the distance and days since the loss, the link to the post."""
    page = say(as_role(Role.VOLUNTEER), "similar")
    assert "about 1 in 4,200 strangers" in page
    assert "罗湖区" in page
    assert re.search(r"about 1,3\d\d km", page)
    assert "https://example.org/post/0" in page
    assert "Demo child" not in page


def test_what_is_known_besides_the_faces_is_told_after_the_decision(scene, as_role):
    """Age then, distance and days from the loss stand on the page that follows the vote, and not on the one before it."""
    volunteer = as_role(Role.VOLUNTEER)
    before = volunteer.get("/review")
    after = say(volunteer, "similar")
    for fact in ("The child was 22 years old then.", "days after the loss.", "km from where the child was lost."):
        assert fact not in before
        assert fact in after


def test_the_queue_follows_rarity_and_what_else_is_known(scene, as_role):
    """Within a band the lowest turn comes first, whatever was found first; the high band stays before it."""
    with scene.parts.store.write() as tx:
        for number, band, turn in ((2, Band.REVIEW, -6.0), (3, Band.HIGH, 5.0)):
            old = matches.get(tx, scene.candidates[number])
            new = matches.NewCandidate(old.case_id, 0.4, None, 4200.0, 1, band, turn=turn)
            matches.save_candidates(tx, old.face_id, old.pack_id, [new])
        order = []
        for user_id in range(1, 4):
            people.add(tx, f"reader{user_id}")
            order.append(reviews.take_next(tx, user_id, tx.now + timedelta(minutes=5)).candidate_id)
    assert order == [scene.candidates[3], scene.candidates[3], scene.candidates[2]]


def test_two_blind_votes_reject_for_good(scene, as_role):
    """One vote changes nothing; the second reviewer, who sees nothing of the first, ends the matter."""
    first, second = as_role(Role.VOLUNTEER), as_role(Role.VOLUNTEER)
    say(first, "different", note="look at the nostrils")
    assert state_of(scene) is CandidateState.OPEN
    page = second.get("/review")
    assert "nostrils" not in page
    assert first.login not in page
    say(second, "different")
    assert state_of(scene) is CandidateState.REJECTED
    with scene.parts.store.read() as tx:
        candidate = matches.get(tx, scene.candidates[0])
        assert candidate.case_id in matches.rejected_cases(tx, candidate.face_id)
        assert candidate.state_by == "volunteer1, volunteer2"


def test_two_blind_votes_for_similar_make_a_reviewed_lead(scene, as_role):
    """The lead stands in the state "reviewed", with who and why in its history; nothing is confirmed by it."""
    for browser in (as_role(Role.VOLUNTEER), as_role(Role.VOLUNTEER)):
        say(browser, "similar")
    with scene.parts.store.read() as tx:
        (lead,) = leads.listing(tx)
        assert (lead.state, lead.candidate_id) == (LeadState.REVIEWED, scene.candidates[0])
        assert [event.who for event in leads.history(tx, lead.id)] == ["volunteer1, volunteer2"] * 2


def test_a_third_person_is_asked_where_two_differ_and_then_the_lead_reviewer(scene, as_role):
    """Different, similar, cannot tell: the pair waits for the lead reviewer, who decides with a ground."""
    for verdict in ("different", "similar", "cannot_tell"):
        say(as_role(Role.VOLUNTEER), verdict)
    assert task_of(as_role(Role.VOLUNTEER).get("/review"))  # another pair
    lead = as_role(Role.LEAD_REVIEWER)
    page = lead.get("/disagreements")
    number = scene.candidates[0]
    assert f"/disagreements/{number}" in page
    lead.post(f"/disagreements/{number}", {"verdict": "similar"}, status=400, page=f"/disagreements/{number}")
    lead.post(f"/disagreements/{number}", {"verdict": "similar", "note": "the same mole"}, page=f"/disagreements/{number}")
    assert state_of(scene) is CandidateState.ACCEPTED
    assert f"/disagreements/{number}" not in lead.get("/disagreements")


def test_a_pair_is_with_as_many_as_it_needs_and_no_more(scene, as_role):
    """Two have the first pair before them; the third is given the next one; after ten minutes a lock is free again."""
    one, two, three = (as_role(Role.VOLUNTEER) for _ in range(3))
    for browser in (one, two, three):
        browser.get("/review")
    held = {}
    with scene.parts.store.read() as tx:
        for number in range(1, 4):
            held[number] = reviews.holding(tx, number).candidate_id
    assert held == {1: scene.candidates[0], 2: scene.candidates[0], 3: scene.candidates[1]}
    scene.parts.clock.forward(minutes=11)
    fourth = as_role(Role.VOLUNTEER)
    fourth.get("/review")
    with scene.parts.store.read() as tx:
        assert reviews.holding(tx, 4).candidate_id == scene.candidates[0]


def test_a_vote_after_the_lock_ran_out_still_counts(scene, as_role):
    """Who looked for a long time loses nothing while the pair is open."""
    browser = as_role(Role.VOLUNTEER)
    token = task_of(browser.get("/review"))
    scene.parts.clock.forward(hours=1)
    browser.post("/review", {"task": token, "verdict": "different"}, page="/account")
    with scene.parts.store.read() as tx:
        assert [vote.verdict.value for vote in reviews.votes_of(tx, scene.candidates[0])] == ["different"]


def test_a_decision_sent_twice_is_one_vote(scene, as_role):
    """A double click, or the same form sent anew."""
    browser = as_role(Role.VOLUNTEER)
    token = task_of(browser.get("/review"))
    for _ in range(2):
        browser.post("/review", {"task": token, "verdict": "different"}, page="/account")
    with scene.parts.store.read() as tx:
        assert len(reviews.votes_of(tx, scene.candidates[0])) == 1


def test_a_case_closed_under_review_takes_no_vote(scene, as_role):
    """The reviewer is told, nothing is stored, and the queue goes on."""
    browser = as_role(Role.VOLUNTEER)
    token = task_of(browser.get("/review"))
    with scene.parts.store.write() as tx:
        cases.close(tx, scene.cases["a"].ref, "officer", "found", "DNA 1")
    page = browser.post("/review", {"task": token, "verdict": "similar"}, page="/account")
    assert "no longer yours" in page
    with scene.parts.store.read() as tx:
        assert reviews.votes_of(tx, scene.candidates[0]) == []
        assert reviews.holding(tx, 1).candidate_id != scene.candidates[0]


def test_undo_opens_a_rejected_pair_again_and_the_new_vote_is_not_blind(scene, as_role):
    """A slip of the finger does not end a search: the rejection goes, and one more person is asked."""
    one, two, three = (as_role(Role.VOLUNTEER) for _ in range(3))
    say(one, "different")
    say(two, "different")
    assert state_of(scene) is CandidateState.REJECTED
    assert "Taken back" in two.post("/review/undo", page="/review/done")
    assert state_of(scene) is CandidateState.OPEN
    with scene.parts.store.read() as tx:
        assert matches.rejected_cases(tx, matches.get(tx, scene.candidates[0]).face_id) == frozenset()
    say(two, "similar")
    assert state_of(scene) is CandidateState.OPEN
    say(three, "similar")
    assert state_of(scene) is CandidateState.OPEN  # one blind for each side
    say(as_role(Role.VOLUNTEER), "similar")
    assert state_of(scene) is CandidateState.ACCEPTED


def test_a_lead_is_not_taken_back_by_undo(scene, as_role):
    """Officials may already follow it; the reviewer is told to speak to the lead reviewer."""
    one, two = as_role(Role.VOLUNTEER), as_role(Role.VOLUNTEER)
    say(one, "similar")
    say(two, "similar")
    assert "can no longer be taken back" in two.post("/review/undo", page="/review/done")
    assert state_of(scene) is CandidateState.ACCEPTED


def test_undo_ends_after_ten_minutes(scene, as_role):
    """Later the lead reviewer is asked."""
    browser = as_role(Role.VOLUNTEER)
    say(browser, "different")
    scene.parts.clock.forward(minutes=11)
    assert "Take it back" not in browser.get("/review/done")
    assert "can no longer be taken back" in browser.post("/review/undo", page="/review/done")


def test_a_skipped_pair_comes_back_the_next_day(scene, as_role):
    """It goes to others meanwhile, and no vote is stored."""
    browser = as_role(Role.VOLUNTEER)
    first = task_of(browser.get("/review"))
    say(browser, "skip")
    assert task_of(browser.get("/review")) != first
    with scene.parts.store.write() as tx:
        until = tx.now + timedelta(minutes=10)
        assert reviews.take_next(tx, 1, until).candidate_id == scene.candidates[1]
        reviews.drop(tx, 1)
    scene.parts.clock.forward(hours=25)
    with scene.parts.store.write() as tx:
        assert reviews.take_next(tx, 1, tx.now + timedelta(minutes=10)).candidate_id == scene.candidates[0]


def test_a_reviewer_of_a_division_sees_pairs_of_their_division(scene, as_role):
    """A sighting in Shenzhen is for reviewers of Guangdong and of everywhere, not of Beijing."""
    assert "Could this be" in as_role(Role.VOLUNTEER, divisions=("44",)).get("/review")
    assert "Nothing is waiting" in as_role(Role.VOLUNTEER, divisions=("11",)).get("/review")


def test_nobody_is_given_a_pair_twice_and_the_queue_ends(scene, as_role):
    """All 24 pairs once each, then a page that says so."""
    browser = as_role(Role.VOLUNTEER)
    for _ in scene.candidates:
        say(browser, "cannot_tell")
    assert "Nothing is waiting for you" in browser.get("/review")
    assert "24 pairs today" in browser.last
    with scene.parts.store.read() as tx:
        assert [len(reviews.votes_of(tx, number)) for number in scene.candidates] == [1] * 24


def test_the_two_faces_come_in_equal_size_with_their_eyes_at_one_height(scene, as_role):
    """Both crops are square and equal; the engine finds the eyes of both within 4 % of the side of each other."""
    browser = as_role(Role.VOLUNTEER)
    token = task_of(browser.get("/review"))
    eyes = []
    for side in ("left", "right-0"):
        answer = browser.image(f"/review/{token}/{side}.jpg")
        assert answer.headers["cache-control"] == "private, no-store"
        picture = Image.open(io.BytesIO(answer.content))
        assert picture.size == (560, 560)
        assert not picture.getexif()
        face = scene.parts.faces.engine.faces(scene.parts.decoder.pixels(answer.content))[0]
        eyes.append([y for _, y in face.landmarks[:2]])
    flat = [y for pair in eyes for y in pair]
    assert max(flat) - min(flat) < 0.04 * 560


def test_every_view_of_a_photo_is_recorded(scene, as_role):
    """Who saw which photo of what, whole or the face alone."""
    browser = as_role(Role.VOLUNTEER)
    token = task_of(browser.get("/review"))
    browser.image(f"/review/{token}/left.jpg")
    browser.image(f"/review/{token}/right-0.jpg?whole")
    with scene.parts.store.read() as tx:
        events = audit.listing(tx, who=browser.login)
    assert [(e.what, e.object, e.details["face"]) for e in events] == [
        ("review.viewed", f"case:{scene.cases['a'].ref}", False),
        ("review.viewed", f"sighting:{scene.sightings[0].ref}", True),
    ]


def test_another_reviewers_pair_cannot_be_seen(scene, as_role):
    """The address of a photo works for who has the pair, in this session, and for nobody else."""
    one, two = as_role(Role.VOLUNTEER), as_role(Role.VOLUNTEER)
    token = task_of(one.get("/review"))
    two.get("/review")
    assert two.image(f"/review/{token}/left.jpg").status_code == 400
    assert one.image(f"/review/{token}/right-7.jpg").status_code == 404


@pytest.mark.parametrize("role", [Role.OFFICIAL, Role.FAMILY, Role.OPERATOR, Role.AUDITOR])
def test_reviewing_is_for_reviewers(scene, as_role, role):
    """Other roles get 403 on every page of it."""
    browser = as_role(role)
    for path in ("/review", "/review/done", "/my-figures", "/disagreements", "/reviewers"):
        if (role, path) in {(Role.OPERATOR, "/reviewers"), (Role.AUDITOR, "/reviewers")}:
            continue
        browser.get(path, status=403)


def test_a_volunteer_sees_no_colleagues_figures(scene, as_role):
    """The lead reviewer sees everybody's, a volunteer their own."""
    as_role(Role.VOLUNTEER).get("/reviewers", status=403)
    as_role(Role.LEAD_REVIEWER).get("/reviewers")


class TestKnownPairs:
    """Pairs from cases' own photos, given among the others."""

    @pytest.fixture
    def console_settings(self) -> str:
        return "console: {insecure_cookies: true, known_pair_one_in: 1}\n"

    def test_a_known_pair_looks_like_any_other(self, scene, as_role):
        """The page differs in its addresses alone, and the answer comes after the decision."""
        browser = as_role(Role.VOLUNTEER)
        known = browser.get("/review")
        with scene.parts.store.read() as tx:
            assert known_pairs.pending(tx, 1) is not None
        said = say(browser, "similar")
        assert "This was a known pair" in said
        assert "When and where" not in said
        assert "known pair" not in known.lower()

    def test_figures_count_hits_and_false_alarms(self, scene, as_role):
        """Each answer to a known pair stands in one cell of the reviewer's table; a skip counts as undecided."""
        browser = as_role(Role.VOLUNTEER)
        for verdict in ("similar", "different", "similar", "different", "skip"):
            say(browser, verdict)
        with scene.parts.store.read() as tx:
            (mine,) = known_pairs.figures(tx, 1)
        assert mine.known == 5
        assert mine.undecided == 1
        assert mine.hits + mine.false_alarms == 2
        assert mine.misses + mine.correct_rejections == 2
        assert f"{mine.right} / 5" in browser.get("/my-figures")

    def test_a_known_pair_is_not_taken_back(self, scene, as_role):
        """Its answer has been told."""
        browser = as_role(Role.VOLUNTEER)
        assert "Take it back" not in say(browser, "similar")
