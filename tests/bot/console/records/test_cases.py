"""Cases: two people, kept history, merging, files in and out, and a broadcast that names no child."""

from __future__ import annotations

import io
from datetime import date

import openpyxl
import pytest

from bot import broadcast
from bot.alerts.compose import load_templates
from bot.casefiles import tables
from bot.console.parts import Role
from store import alerts, audit, case_merge, cases, erase, history, leads
from store.cases import CaseFields
from store.errors import BadInput
from store.model import AlertState, CaseState, LeadState

pytestmark = pytest.mark.on_both

FORM = {"name": "Kim Example", "sex": "female", "missing_on": "2026-01-10", "police_report_number": "T-1"}


def test_the_list_and_a_case_are_for_the_desk(world, as_role) -> None:
    """Reviewers read them, each view recorded; volunteers, officials and families do not."""
    desk = as_role(Role.LEAD_REVIEWER)
    assert world.case in desk.get("/cases")
    assert "Kim Example" in desk.get(f"/cases/{world.case}")
    assert desk.image(f"/cases/{world.case}/photo/1").headers["content-type"] == "image/jpeg"
    with world.parts.store.read() as tx:
        assert {"case.viewed", "photo.viewed"} <= {e.what for e in audit.listing(tx, object=f"case:{world.case}")}
    for role in (Role.VOLUNTEER, Role.OFFICIAL, Role.FAMILY):
        as_role(role).get(f"/cases/{world.case}", 403)


def test_the_second_person_verifies_not_the_first(world, as_role) -> None:
    """Who registered a case cannot verify it, nor can a wrong number; another person with the right one can."""
    with world.parts.store.write() as tx:
        case = cases.add(tx, CaseFields(name="New", police_report_number="T-9"), "mei")
    as_role(Role.OPERATOR, login="mei").post(f"/cases/{case.ref}/verify", {"number": "T-9"}, 400)
    second = as_role(Role.LEAD_REVIEWER)
    second.post(f"/cases/{case.ref}/verify", {"number": "T-8"}, 400)
    second.post(f"/cases/{case.ref}/verify", {"number": "T-9"})
    with world.parts.store.read() as tx:
        found = cases.get(tx, case.ref)
        assert (found.state, found.verified_by) == (CaseState.VERIFIED, second.login)


def test_edits_keep_what_stood_there(world, as_role) -> None:
    """Each changed field with before, after, who and when; a new police report number silences the case."""
    desk = as_role(Role.OPERATOR)
    desk.post(f"/cases/{world.case}/edit", FORM | {"accent": "<i>粤</i>", "missing_adcode": "北京市"})
    page = desk.get(f"/cases/{world.case}")
    assert "&lt;i&gt;" in page
    with world.parts.store.read() as tx:
        told = {(change.field, change.before, change.after) for change in history.of_case(tx, world.case_id)}
        assert told == {("accent", "", "<i>粤</i>"), ("missing_adcode", "", "110000")}
        assert cases.get(tx, world.case).state is CaseState.VERIFIED
    assert "anew" in desk.post(f"/cases/{world.case}/edit", FORM | {"police_report_number": "T-2"})
    with world.parts.store.read() as tx:
        assert cases.get(tx, world.case).state is CaseState.DRAFT
        assert history.of_case(tx, world.case_id)[0].field == "state"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"birth_on": "2030-01-01"},
        {"birth_on": "x"},
        {"missing_on": "2001-01-01", "birth_on": "2002-01-01"},
        {"height_cm": "ten"},
        {"height_cm": "900"},
        {"sex": "?"},
        {"missing_adcode": "nowhere"},
    ],
)
def test_impossible_particulars_are_refused(world, as_role, wrong: dict) -> None:
    """Dates in the future, losses before birth, heights and places that are none: 400, nothing changed."""
    as_role(Role.OPERATOR).post(f"/cases/{world.case}/edit", FORM | wrong, 400)
    with world.parts.store.read() as tx:
        assert history.of_case(tx, world.case_id) == []


def test_two_registrations_of_one_child_are_offered_and_merged(world, as_role) -> None:
    """The other's lead, photos and contacts move over, empty fields are filled in, the other is closed, nothing is lost."""
    with world.parts.store.write() as tx:
        what = CaseFields(name="Kim  example", sex="female", accent="粤", contacts=("aunt",), birth_on=date(2015, 1, 2))
        other = cases.add(tx, CaseFields(**{**_plain(what), "name": "Kim Example"}), "aunt")
        lead = leads.open_lead(tx, world.sighting_id, other.id, candidate_id=None, who="x", why="y")
        cases.add(tx, CaseFields(name="Kim Example", sex="male"), "elsewhere")
    desk = as_role(Role.LEAD_REVIEWER)
    page = desk.get(f"/cases/{world.case}")
    assert page.count("Make it part of this case") == 1
    desk.post(f"/cases/{world.case}/merge", {"other": other.ref})
    with world.parts.store.read() as tx:
        kept, dropped = cases.get(tx, world.case), cases.get(tx, other.ref)
        assert (kept.fields.accent, kept.fields.contacts, kept.state) == ("粤", ("aunt",), CaseState.VERIFIED)
        assert (dropped.state, dropped.closed_reason) == (CaseState.CLOSED, f"the same child as {world.case}")
        assert [item.id for item in leads.listing(tx, case_id=kept.id)] == [world.lead]
        assert lead.id not in [item.id for item in leads.listing(tx)]
        assert len(leads.history(tx, world.lead)) == 2
    desk.post(f"/cases/{world.case}/merge", {"other": other.ref}, 400)


def _plain(what: CaseFields) -> dict:
    return {name: getattr(what, name) for name in CaseFields.__slots__}


def test_leads_in_two_states_stop_a_merge(world) -> None:
    """A lead that one case has ruled out is not silently dropped by joining it with one that is new."""
    with world.parts.store.write() as tx:
        other = cases.add(tx, CaseFields(name="Kim Example"), "aunt")
        lead = leads.open_lead(tx, world.sighting_id, other.id, candidate_id=None, who="x", why="y")
        leads.move(tx, lead.id, LeadState.CHECKING, who="x", why="y")
        with pytest.raises(BadInput, match="one sighting"):
            case_merge.merge(tx, world.case_id, other.id, "mei")


def test_a_verified_case_is_never_swallowed_by_a_draft(world) -> None:
    """Nor a case by itself."""
    with world.parts.store.write() as tx:
        draft = cases.add(tx, CaseFields(name="Kim Example"), "aunt")
        for keep, drop in ((draft.id, world.case_id), (draft.id, draft.id)):
            with pytest.raises(BadInput):
                case_merge.merge(tx, keep, drop, "mei")


def test_a_broadcast_is_a_reference_and_the_familys_page(world, as_role) -> None:
    """Held for a person; no name, no reference of the case, nothing without the family's own page; once a platform."""
    desk = as_role(Role.OPERATOR)
    rules = {"platform": "weibo", "templates": load_templates(), "max_length": 140, "length": len}
    with world.parts.store.write() as tx, pytest.raises(BadInput, match="public"):
        broadcast.propose(tx, world.case, "mei", **rules)
    for url in ("javascript:alert(1)", "http://example.org", "https://localhost", "x", ""):
        desk.post(f"/cases/{world.case}/publish", {"url": url, "said_by": "mother"}, 400)
    desk.post(f"/cases/{world.case}/publish", {"url": "https://family.example.org/a", "said_by": "mother"})
    with world.parts.store.write() as tx:
        number = broadcast.propose(tx, world.case, "mei", **rules)
        alert = alerts.get(tx, number)
        assert alert.state is AlertState.HELD
        assert "https://family.example.org/a" in alert.text
        assert "Kim" not in alert.text
        assert world.case not in alert.text
        with pytest.raises(BadInput, match="already"):
            broadcast.propose(tx, world.case, "mei", **rules)
    assert "https://family.example.org/a" in desk.get(f"/cases/{world.case}")


def test_a_draft_is_never_broadcast(world) -> None:
    """A case is silent until a second person verified it."""
    with world.parts.store.write() as tx:
        case = cases.add(tx, CaseFields(name="New"), "mei")
        history.publish(tx, case.id, "https://family.example.org/b", "mother", "mei")
        with pytest.raises(BadInput, match="not verified"):
            broadcast.propose(tx, case.ref, "mei", platform="weibo", templates=load_templates(), max_length=140, length=len)


def test_files_go_in_with_a_report_and_out_without_contacts(world, as_role) -> None:
    """Wrong rows by line, good ones as drafts; PFIF holds verified cases without contacts; both are recorded."""
    desk = as_role(Role.OPERATOR)
    rows = "name,sex,birth_on,contacts\nA,female,2010-01-02,13800000000\nB,nobody,,\nC,,2099-01-01,\n"
    page = desk.post("/cases/import", files={"file": ("register.csv", rows.encode(), "text/csv")})
    assert "1 cases went in as drafts, 2 rows are wrong" in page
    assert "<td>3</td>" in page
    assert "<td>4</td>" in page
    csv_file = desk.post("/cases/export", {"form": "csv"})
    assert "13800000000" in csv_file
    pfif_file = desk.post("/cases/export", {"form": "pfif"})
    assert "Kim Example" in pfif_file
    assert "13800000000" not in pfif_file
    with world.parts.store.read() as tx:
        assert [e.what for e in audit.listing(tx, object="cases")][:2] == ["cases.exported", "cases.exported"]
    bomb = b'<!DOCTYPE x [<!ENTITY a "b">]><pfif xmlns="http://zesty.ca/pfif/1.4"/>'
    desk.post("/cases/import", files={"file": ("x.xml", bomb, "text/xml")}, status=400)
    desk.post("/cases/import", status=400)


def test_a_workbook_of_cases_reads_back_as_it_was_written(world) -> None:
    """Every cell is a text: leading zeros stay, a formula is not run, control characters do not spoil the file."""
    hostile = '=HYPERLINK("http://evil.example","x")'
    with world.parts.store.write() as tx:
        cases.add(tx, CaseFields("示例乙", features=hostile, police_report_number="00123", contacts=("one", "two\x07")), "clerk")
        found = cases.listing(tx)
    sheet = openpyxl.load_workbook(io.BytesIO(tables.write_xlsx(found))).active
    titles = [cell.value for cell in sheet[1]]
    row = next(r for r in sheet.iter_rows(min_row=2) if r[titles.index("name")].value == "示例乙")
    told = {title: (cell.value, cell.data_type) for title, cell in zip(titles, row, strict=True)}
    assert told["features"] == (hostile, "s")
    assert told["police_report_number"] == ("00123", "s")
    assert told["contacts"] == ("one; two", "s")


def test_a_console_without_an_engine_takes_no_photos(world, as_role) -> None:
    """It says so instead of failing."""
    desk = as_role(Role.OPERATOR)
    assert "no face engine" in desk.get("/cases/new")
    desk.post("/cases/new", FORM, 400, files={"photos": ("a.jpg", b"x", "image/jpeg")})


def test_family_sign_ins_move_with_a_merge(world, as_role) -> None:
    """A family of the registration that was closed looks on at the one that is kept."""
    with world.parts.store.write() as tx:
        other = cases.add(tx, CaseFields(name="Kim Example"), "aunt")
    family = as_role(Role.FAMILY, cases=(other.id,))
    with world.parts.store.write() as tx:
        case_merge.merge(tx, world.case_id, other.id, "mei")
    family.get(f"/family/{world.case}")


def test_an_erased_case_takes_its_broadcast_along(world, parts) -> None:
    """What waited is never said, and the family's page stands nowhere any more."""
    with parts.store.write() as tx:
        history.publish(tx, world.case_id, "https://family.example.org/a", "mother", "mei")
        number = broadcast.propose(
            tx, world.case, "mei", platform="weibo", templates=load_templates(), max_length=140, length=len
        )
    erase.erase_case(parts.store, parts.files, world.case, by="mei", why="the family asked")
    with parts.store.read() as tx:
        alert = alerts.get(tx, number)
        assert (alert.state, alert.text) == (AlertState.CANCELLED, "")
