"""A family sees faces and months. Where, when, by whom and from which source a photo came stands in no byte it receives."""

from __future__ import annotations

import html
import io
import re
from datetime import UTC, date, datetime

import pytest
from PIL import Image

from bot.console.parts import Role
from store import audit, cases, families, leads, matches, sightings
from store.cases import CaseFields
from store.families import FaceNote
from store.model import LeadState
from store.sightings import SightingState

pytestmark = pytest.mark.on_both

SECRETS = (
    "SECRETCAM",
    "22.54",
    "22,32",
    "东门",
    "罗湖",
    "深圳",
    "4403",
    "passer_anna",
    "路人甲",
    "5005005",
    "weibo",
    "photohost",
)
"""Of the sighting: camera, point, place, division, poster, the post's number, the platform, the picture's host."""


@pytest.fixture
def family(world, as_role):
    return as_role(Role.FAMILY, cases=(world.case_id,), divisions=())


def everything(browser, world) -> list[tuple[str, object]]:
    """Every answer a family can get: its pages, every crop and link on them, headers included."""
    found = []
    todo = ["/family", f"/family/{world.case}", f"/family/{world.case}?sex=female&month_from=2026-01"]
    while todo:
        path = todo.pop()
        answer = browser.client.get(path)
        found.append((path, answer))
        if answer.headers["content-type"].startswith("text/html"):
            links = [html.unescape(link) for link in re.findall(r'(?:src|href)="(/family[^"]+)"', answer.text)]
            todo += [link for link in links if link not in {seen for seen, _ in found} and link not in todo]
    return found


def test_no_byte_tells_where_when_or_who(world, family) -> None:
    """Pages, crops and headers hold no place, day, time, poster, words, source, address of a post, reference or EXIF."""
    answers = everything(family, world)
    crops = [answer for _, answer in answers if answer.headers["content-type"] == "image/jpeg"]
    assert crops
    with world.parts.store.read() as tx:
        seen = sightings.get(tx, world.sighting_id)
    day = seen.when.seen_from
    times = (f"{day:%Y-%m-%d}", f"{day:%H:%M}", f"{day.day} Feb", day.isoformat()[:13], world.sighting)
    for path, answer in answers:
        assert answer.status_code == 200, path
        # Signatures are random digits, in which any four may stand.
        body = re.sub(rb"until=\d+&(amp;)?sign=\w+", b"", answer.content + str(dict(answer.headers)).encode() + path.encode())
        for secret in (*SECRETS, *times):
            assert secret.encode() not in body, (path, secret)
    for answer in crops:
        image = Image.open(io.BytesIO(answer.content))
        assert not image.getexif()
        assert "comment" not in image.info
        assert image.size == (240, 240)


def test_only_the_month_is_told(world, family) -> None:
    """The month stands under the face."""
    assert "2026-02" in family.get(f"/family/{world.case}")


def test_other_families_and_strangers_see_nothing(world, as_role, family, stranger) -> None:
    """A case that is another's is told like one that is not there; staff pages are closed to families."""
    token = re.search(r"/face/([\w-]+)", family.get(f"/family/{world.case}"))[1]
    other = as_role(Role.FAMILY)
    other.get(f"/family/{world.case}", 403)
    other.get("/family/C-0000", 403)
    other.get(f"/family/{world.case}/face/{token}", 403)
    for path in ("/leads", "/sightings", "/map", f"/s/{world.sighting}", f"/s/{world.sighting}/photo/1"):
        family.get(path, 403)
    assert stranger.client.get(f"/family/{world.case}", follow_redirects=False).status_code == 303


def test_an_address_of_a_face_is_for_one_case(world, as_role, see) -> None:
    """A token taken to another case, or changed, opens nothing."""
    with world.parts.store.write() as tx:
        case = cases.add(tx, CaseFields(name="Other", police_report_number="T-2"), "clerk")
        cases.verify(tx, case.id, "second", "T-2")
        rejected = matches.save_candidates(tx, world.face, "pack", [])
        assert rejected == ()
    both = as_role(Role.FAMILY, cases=(world.case_id, case.id))
    token = re.search(r"/face/([\w-]+)", both.get(f"/family/{world.case}"))[1]
    assert both.image(f"/family/{world.case}/face/{token}").status_code == 200
    for wrong in ("x", "%F0%9F%91%8D", "A" * 400):
        both.get(f"/family/{world.case}/face/{wrong}", 404)


def test_a_draft_shows_no_face(world, as_role) -> None:
    """Before a second person verified the case its family sees no child."""
    with world.parts.store.write() as tx:
        case = cases.add(tx, CaseFields(name="Draft"), "clerk")
    browser = as_role(Role.FAMILY, cases=(case.id,))
    assert '<img src="/family' not in browser.get(f"/family/{case.ref}")


def test_faces_are_narrowed_and_left_out(world, family, see, parts) -> None:
    """By noted sex and age and by month; not what was seen before the loss, with parents, or rejected by people."""
    _, boy = see(2, shift=150, seen=datetime(2026, 2, 20, 3, 0, tzinfo=UTC))
    _, early = see(3, shift=250, seen=datetime(2025, 6, 1, 3, 0, tzinfo=UTC))
    with parts.store.write() as tx:
        families.note_face(tx, boy, FaceNote("male", 9, 11), "reviewer")
        case = cases.get(tx, world.case_id)
        pack = families.pack_in_use(tx)

        def faces(**narrow):
            return [f.face_id for f in families.faces_for(tx, case, pack, families.FamilyFilter(**narrow))]

        assert faces() == [boy, world.face]
        assert early not in faces()
        assert faces(sex="female") == [world.face]
        assert faces(age_to=8) == [world.face]
        assert faces(age_from=10, age_to=10, sex="male") == [boy, world.face]
        assert faces(month_from=date(2026, 3, 1)) == []
        sightings.set_state(tx, world.sighting_id, SightingState.WITH_PARENTS, "x")
        assert faces() == [boy]
        assert not families.may_see(tx, case, world.face)
    assert family.get(f"/family/{world.case}?sex=male").count("<figure") == 1


def test_a_rejected_pair_is_not_shown_again(world, parts) -> None:
    """What people said is another child is not offered to the family."""
    with parts.store.write() as tx:
        matches.reject(tx, 1, "reviewer")
        assert families.faces_for(tx, cases.get(tx, world.case_id), families.pack_in_use(tx), families.FamilyFilter()) == []


def test_pointing_to_a_face_makes_a_lead_and_word_comes_back(world, family, see, parts) -> None:
    """The lead is for people; the family reads how far it is, in words that tell no place."""
    sighting, _ = see(2, shift=150)
    page = family.get(f"/family/{world.case}")
    token = re.search(r'name="face" value="([\w-]+)"', page)[1]
    page = family.post(f"/family/{world.case}/pick", {"face": token, "note": "<b>the scar</b>"})
    assert "People are looking at it." in page
    assert "&lt;b&gt;" in page
    with parts.store.read() as tx:
        lead = next(lead for lead in leads.listing(tx) if lead.sighting_id == sighting)
        assert lead.state is LeadState.NEW
        assert "family.picked" in [event.what for event in audit.listing(tx, object=f"case:{world.case}")]
    with parts.store.write() as tx:
        leads.move(tx, lead.id, LeadState.CHECKING, who="official", why="x")
    assert "The authorities are asked to check." in family.get("/family")
    family.post(f"/family/{world.case}/pick", {"face": token})
    with parts.store.read() as tx:
        assert len(families.picks(tx, world.case_id)) == 1


def test_bad_filters_are_told_kindly(world, family) -> None:
    """Words for numbers and months that are none: 400."""
    for query in ("age_from=x", "month_from=2026-13", "age_to=-1", "month_to=<script>"):
        family.get(f"/family/{world.case}?{query}", 400)
    family.post(f"/family/{world.case}/pick", {"face": "zzz"}, 404)
