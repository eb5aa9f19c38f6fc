"""The public pages and feeds: figures without persons, and no way to work out what is held back."""

import json
import random
import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest
from babel.messages.pofile import read_po
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from sqlalchemy import insert
from starlette.applications import Starlette
from starlette.testclient import TestClient

from bot.console import i18n
from bot.console.keeper import Keeper
from bot.console.parts import Parts
from bot.console.public import FRESH, count, document
from bot.figures import MEASURES, SMALLEST, as_csv, as_json, publish
from store import tables
from store.errors import StoreError
from store.figures import Count, counts

pytestmark = pytest.mark.on_both

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)


@pytest.fixture
def reader(app: Starlette) -> TestClient:
    return TestClient(app, base_url="http://127.0.0.1", headers={"accept-language": "en"})


def add_sightings(parts: Parts, adcode: str | None, number: int, at: datetime, *, duplicate: bool = False) -> None:
    """``number`` bare sightings in a division."""
    with parts.store.write() as tx:
        for _ in range(number):
            key = random.getrandbits(60)
            post = tx.execute(
                insert(tables.posts)
                .values(platform="weibo", post_id=str(key), stream="s", step="decided", first_read_at=at)
                .returning(tables.posts.c.id)
            ).scalar_one()
            tx.execute(
                insert(tables.sightings).values(
                    ref=f"S-{key}", post_id=post, adcode=adcode, alternatives=[], where_certainty="high", where_evidence=[],
                    when_certainty="high", when_evidence=[], state="open", created_at=at, updated_at=at,
                    duplicate_of=1 if duplicate else None,
                )
            )  # fmt: skip


# --- what is shown (pure) ------------------------------------------------------------------------------------------


def test_a_small_number_is_held_back() -> None:
    """One or two of anything in a place and month are not shown; three are."""
    published = publish([Count("sightings", "44", "2026-11", n + 1) for n in range(2)], NOW)
    assert [cell.number for cell in published.cells] == [None, None]
    assert publish([Count("cases", "44", "2026-11", 3)], NOW).cells[0].number == 3


def test_what_is_held_back_cannot_be_worked_out() -> None:
    """For random counts, no suppressed cell has one only value that fits everything that is published."""
    chance = random.Random(5)
    for _ in range(400):
        given = [
            Count("sightings", f"{p}", "2026-11", chance.choice((1, 1, 2, 3, 9))) for p in range(11, 11 + chance.randrange(1, 6))
        ]
        published = publish(given, NOW)
        held = [c for c in published.cells if c.number is None]
        shown = sum(c.number or 0 for c in published.cells)
        rest = published.elsewhere.get(("2026-11", "sightings"))
        assert published.total["sightings"] == shown + (rest or 0)
        if rest is not None:
            assert len(held) < rest < 2 * len(held)
        assert sum(row["sightings"] for row in published.by_province().values()) == shown
        assert sum(row["sightings"] for row in published.by_month().values()) == published.total["sightings"]


def test_the_feeds_agree_and_say_what_is_held_back() -> None:
    """JSON and CSV hold the same cells; a held-back number is null in one and <3 in the other."""
    published = publish([Count("sightings", "44", "2026-11", 1), Count("cases", "", "2026-10", 7)], NOW)
    body = as_json(published, {"44": "广东省"})
    assert [(c["province"], c["number"], c["suppressed"]) for c in body["cells"]] == [("", 7, False), ("44", None, True)]
    assert "44,广东省,2026-11,sightings,<3\r\n" in as_csv(published, {"44": "广东省"})


# --- counting ------------------------------------------------------------------------------------------------------


def test_counts_by_province_and_month_of_the_campaigns_clock(parts: Parts) -> None:
    """A sighting read at 23:00 UTC on the 31st belongs to the next month in China; repeats of a photo do not count."""
    add_sightings(parts, "440303", 4, datetime(2026, 10, 31, 23, tzinfo=UTC))
    add_sightings(parts, "440303", 2, datetime(2026, 10, 31, 12, tzinfo=UTC))
    add_sightings(parts, None, 1, datetime(2026, 11, 2, tzinfo=UTC))
    add_sightings(parts, "440303", 5, datetime(2026, 11, 2, tzinfo=UTC), duplicate=True)
    with parts.store.read() as tx:
        found = {(c.province, c.month): c.number for c in counts(tx, timedelta(hours=8)) if c.measure == "sightings"}
    assert found == {("44", "2026-11"): 4, ("44", "2026-10"): 2, ("", "2026-11"): 1}


def test_leads_count_once_and_dna_only_by_a_dna_record(parts: Parts) -> None:
    """A lead counts when it was first checked; an official's word alone is no confirmation by DNA."""
    add_sightings(parts, "510100", 2, NOW)
    with parts.store.write() as tx:
        case = tx.execute(
            insert(tables.cases)
            .values(ref="C-1", name="x", contacts=[], registered_by="a", registered_at=NOW, state="verified", seq=1,
                    verified_at=NOW, missing_adcode="510100")
            .returning(tables.cases.c.id)
        ).scalar_one()  # fmt: skip
        rows = list(tx.execute(tables.sightings.select()))
        for row, kind in zip(rows, ("dna", "official"), strict=True):
            lead = tx.execute(
                insert(tables.leads)
                .values(sighting_id=row.id, case_id=case, state="confirmed", created_at=NOW, updated_at=NOW)
                .returning(tables.leads.c.id)
            ).scalar_one()
            for state, at in (("checking", NOW), ("confirmed", NOW + timedelta(days=40))):
                tx.execute(
                    insert(tables.lead_events).values(lead_id=lead, to_state=state, at=at, who="o", record_kind=kind, record="r")
                )
    found: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    with parts.store.read() as tx:
        for c in counts(tx, timedelta(hours=8)):
            found[c.measure].append((c.province, c.month, c.number))
    assert found["leads_checked"] == [("51", "2026-11", 2)]
    assert found["confirmed_by_dna"] == [("51", "2026-12", 1)]
    assert found["cases"] == [("51", "2026-11", 1)]
    assert found["ruled_out"] == []


def test_counting_is_done_once_in_a_while() -> None:
    """The figures are counted again after ten minutes, not for each reader."""
    now = [NOW]
    made = []

    def counted():
        made.append(now[0])
        return publish([], now[0])

    keeper = Keeper(counted, lambda: now[0], FRESH, start=lambda work: work())
    first = keeper.get()
    assert keeper.get() is first
    now[0] += FRESH
    assert keeper.get() is first  # nobody waits: the new count is for the next reader
    assert keeper.get().at == now[0]
    assert len(made) == 2


def test_a_store_that_fails_leaves_the_old_figures() -> None:
    """While nothing can be counted the last figures stay, and counting is tried again."""
    now, fails = [NOW], [False]

    def counted():
        if fails[0]:
            raise StoreError("locked")
        return publish([], now[0])

    keeper = Keeper(counted, lambda: now[0], FRESH, start=lambda work: work())
    first = keeper.get()
    now[0] += FRESH
    fails[0] = True
    assert keeper.get() is first
    assert keeper.get() is first
    fails[0] = False
    keeper.get()
    assert keeper.get().at == now[0]


# --- pages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lang", "words"), [("zh", "怎样撤除"), ("en", "How to have it removed")])
def test_the_page_speaks_both_languages(reader: TestClient, lang: str, words: str) -> None:
    """Anybody can read the page without signing in, in Chinese and in English."""
    answer = reader.get("/public", headers={"accept-language": lang})
    assert answer.status_code == 200
    assert words in answer.text


def test_the_page_shows_sums_and_hides_small_numbers(reader: TestClient, parts: Parts) -> None:
    """A province with many sightings shows them, one with two shows "<3"."""
    add_sightings(parts, "440303", 12, NOW)
    add_sightings(parts, "620102", 2, NOW)
    page = reader.get("/public").text
    assert "广东省" in page
    assert '<td class="number">12</td>' in page
    assert "甘肃省" in page
    assert f"&lt;{SMALLEST}" in page


def test_nothing_about_a_person_is_in_any_public_answer(reader: TestClient, parts: Parts) -> None:
    """Neither a case's name, a reference, a place below the province nor an author stands in page or feeds."""
    add_sightings(parts, "440303", 5, NOW)
    with parts.store.write() as tx:
        tx.execute(
            insert(tables.cases).values(
                ref="C-9X2M", name="Demo Child", contacts=[], registered_by="clerk", registered_at=NOW, state="verified", seq=1,
                verified_at=NOW, missing_adcode="510104",
            )
        )  # fmt: skip
    for path in ("/public", "/public/figures.json", "/public/figures.csv", "/public/broadcasts.atom"):
        text = reader.get(path).text
        for word in ("Demo Child", "C-9X2M", "clerk", "罗湖", "深圳", "锦江", "S-"):
            assert word not in text, (path, word)


def test_the_json_feed_is_as_its_document_says(reader: TestClient, parts: Parts) -> None:
    """The feed validates against the schema of the OpenAPI document that is served beside it."""
    add_sightings(parts, "440303", 5, NOW)
    add_sightings(parts, None, 1, NOW)
    described = reader.get("/public/openapi.json").json()
    schema = described["paths"]["/public/figures.json"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    body = reader.get("/public/figures.json")
    assert list(Draft202012Validator(schema).iter_errors(body.json())) == []
    assert body.json()["total"]["sightings"] == 5
    assert body.headers["cache-control"] == "public, max-age=300"
    assert set(body.json()["total"]) == set(MEASURES)


def test_the_atom_feed_is_empty_until_a_broadcast_is_released(reader: TestClient, parts: Parts) -> None:
    """A notice that waits for a person is not in the feed; a published one is, with its words as they were."""
    atom = "{http://www.w3.org/2005/Atom}"
    assert xml.fromstring(reader.get("/public/broadcasts.atom").content).findall(f"{atom}entry") == []
    values = {"platform": "weibo", "kind": "broadcast", "scope": "", "created_at": NOW}
    with parts.store.write() as tx:
        tx.execute(insert(tables.alerts).values(target_post_id="1", ref="B-1", text="waits", state="held", **values))
        tx.execute(
            insert(tables.alerts).values(
                target_post_id="2",
                ref="B-2",
                text="a <b>\x07 & c",
                state="sent",
                sent_at=NOW,
                sent_url="https://x.example/2",
                **values,
            )
        )
    feed = xml.fromstring(reader.get("/public/broadcasts.atom").content)
    (entry,) = feed.findall(f"{atom}entry")
    assert entry.findtext(f"{atom}content") == "a <b> & c"
    assert entry.find(f"{atom}link").get("href") == "https://x.example/2"


def test_no_generated_request_breaks_a_public_answer(app: Starlette) -> None:
    """schemathesis, bounded: whatever it makes of the document, no answer is a 5xx and each is as described."""
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: pip install -r requirements.txt")

    async def at_home(scope, receive, send) -> None:
        """The console answers its own host names alone; the generator has another."""
        scope["headers"] = [(b"host", b"127.0.0.1") if name == b"host" else (name, value) for name, value in scope["headers"]]
        await app(scope, receive, send)

    # Handed over, not fetched: it would leave out the very address that it fetched the document from.
    schema = schemathesis.openapi.from_dict(document("http://127.0.0.1"))
    schema.app = at_home
    tried: dict[str, set[int]] = {}

    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(case=operation.as_strategy())
        def run(case) -> None:
            answer = case.call()
            tried.setdefault(case.operation.path, set()).add(answer.status_code)
            case.validate_response(answer)

        run()
    assert tried.keys() == document("http://127.0.0.1")["paths"].keys()
    assert {status for seen in tried.values() for status in seen} == {200}


def test_counting_a_real_database_works_through_the_page(parts: Parts) -> None:
    """What the page counts is what the store counts."""
    add_sightings(parts, "110101", 3, NOW)
    assert count(parts).total["sightings"] == 3
    assert json.dumps(as_json(count(parts), {}))


def test_every_text_of_these_pages_is_translated() -> None:
    """Each text of the public templates and modules has its Chinese words, and no catalogue entry is left over."""
    here = Path(i18n.__file__).parent
    for name in ("public", "intake"):
        sources = [here / f"{name}.py", *sorted((here / "templates").glob(f"{name}*.html"))]
        used = {text for path in sources for text in re.findall(r'\b_\(\s*["\'](.+?)["\'][,)]', path.read_text(encoding="utf-8"))}
        with (here / "locale" / "zh" / f"{name}.po").open("rb") as file:
            known = {str(message.id): message.string for message in read_po(file) if message.id}
        everywhere = i18n.catalogue("zh")
        assert [text for text in used if everywhere.gettext(text) == text] == []
        assert [text for text in known if text not in used] == []
