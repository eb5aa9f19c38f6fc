"""Officials answer under the alert that called them: on the local microblog, with the real pipeline."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bot import leadwork
from bot.demo.photos import DemoPhoto
from bot.microblog.model import Role, Side
from bot.microblog.server import Microblog
from bot.pipeline import run_round
from bot.settings import Loaded
from store import alerts, audit, cases, leads, matches, officials, replies, sightings
from store.leads import RecordKind
from store.model import AlertState, LeadState, MessageKind
from store.replies import ReplyState
from store.sightings import SightingState

LUOHU = (22.5462, 114.1195)


@pytest.fixture
def called(tools: SimpleNamespace, loaded: Loaded, microblog: Microblog, photos: dict[str, DemoPhoto]):
    """A bot that has called Luohu's official under a post on Weibo; ``post`` and ``comment`` are where."""
    with tools.opened(loaded) as bot:
        case = tools.register(bot)
        tools.enrol_luohu(bot, microblog)
        run_round(bot)
        post = microblog.world.add_post(
            Side.WEIBO,
            "anna",
            f"#{tools.tag}# 刚刚在深圳市罗湖区东门老街 @随手拍助手",
            photos=[photos["a-street"].data],
            geo=LUOHU,
        )
        tools.settle(bot)
        said = next(c for c in microblog.world.comments.values() if "@示例罗湖公安" in c.text)
        yield SimpleNamespace(bot=bot, case=case, post=post, comment=said, microblog=microblog, tools=tools)


def answer(called: SimpleNamespace, text: str, author: str = "luohu") -> None:
    """``author`` answers the bot's comment, as Weibo writes such an answer, and the bot reads it."""
    words = f"回复@随手拍助手:{text}"
    called.microblog.world.comment(called.post.id, author, words, reply_to=called.comment.id)
    called.tools.settle(called.bot)


def state(called: SimpleNamespace) -> tuple[LeadState, list[replies.Reply]]:
    with called.bot.store.read() as tx:
        (lead,) = leads.listing(tx)
        return lead.state, replies.listing(tx)


def said(called: SimpleNamespace, kind: MessageKind) -> list[alerts.Alert]:
    with called.bot.store.read() as tx:
        return alerts.listing(tx, kind=kind)


def test_checking_moves_the_lead_and_is_confirmed_once(called: SimpleNamespace) -> None:
    """ "核实中" from the mentioned account: the lead is being checked, the official hears so once, the record stands."""
    answer(called, "核实中")
    moved, (reply,) = state(called)
    assert moved is LeadState.CHECKING
    assert (reply.state, reply.answer, reply.agency) == (ReplyState.APPLIED, "checking", "示例罗湖分局")
    (word,) = said(called, MessageKind.ACKNOWLEDGEMENT)
    assert word.state is AlertState.SENT
    called.tools.settle(called.bot)
    assert len(said(called, MessageKind.ACKNOWLEDGEMENT)) == 1
    with called.bot.store.read() as tx:
        assert [e.what for e in audit.listing(tx, object=f"reply:{reply.id}")] == ["official.replied"]
        assert audit.verify(tx) is None
        assert len(sightings.listing(tx)) == 1


def test_confirmed_dna_rests_on_a_record_and_leaves_the_case_to_a_person(called: SimpleNamespace) -> None:
    """ "已确认 DNA" confirms the lead on a DNA record that names the reply; closing the case stays a person's act."""
    answer(called, "已确认 DNA")
    moved, _ = state(called)
    assert moved is LeadState.CONFIRMED
    with called.bot.store.read() as tx:
        record = leads.history(tx, 1)[-1].record
        assert record.kind is RecordKind.DNA
        assert "weibo" in record.reference or "http" in record.reference
        assert cases.get(tx, called.case).closed_at is None


def test_ruled_out_stays_ruled_out(called: SimpleNamespace) -> None:
    """ "排除" rules the lead out on an official record, and its pair is never offered again."""
    answer(called, "经核实，排除")
    assert state(called)[0] is LeadState.RULED_OUT
    with called.bot.store.read() as tx:
        lead = leads.get(tx, 1)
        candidate = matches.get(tx, lead.candidate_id)
        assert lead.case_id in matches.rejected_cases(tx, candidate.face_id)


def test_with_parents_marks_the_sighting(called: SimpleNamespace) -> None:
    """A child seen with verified parents: the lead is ruled out and the sighting never alerts again."""
    answer(called, "经核实系亲生父母")
    assert state(called)[0] is LeadState.RULED_OUT
    with called.bot.store.read() as tx:
        assert sightings.get(tx, 1).state is SightingState.WITH_PARENTS


def test_what_is_unclear_waits_for_a_person(called: SimpleNamespace) -> None:
    """A question moves nothing, is answered by nobody automatically, and stands in the queue."""
    answer(called, "请问具体在哪个路口？")
    moved, (reply,) = state(called)
    assert moved is LeadState.NEW
    assert reply.state is ReplyState.OPEN
    assert said(called, MessageKind.ACKNOWLEDGEMENT) == []


def test_an_impostor_with_a_similar_handle_is_recorded_and_ignored(called: SimpleNamespace) -> None:
    """Names prove nothing: an account called almost like the official's moves nothing and gets no word."""
    called.microblog.world.add_account("fake", Role.PASSER_BY, "示例罗湖公安局", "demo_1uohu", verified_type=1)
    answer(called, "已确认 DNA", author="fake")
    moved, (reply,) = state(called)
    assert moved is LeadState.NEW
    assert reply.state is ReplyState.REFUSED
    assert said(called, MessageKind.ACKNOWLEDGEMENT) == []
    with called.bot.store.read() as tx:
        assert [e.what for e in audit.listing(tx, object=f"reply:{reply.id}")] == ["official.impostor"]


def test_the_right_handle_with_another_number_is_an_impostor(called: SimpleNamespace) -> None:
    """An account that took the very name which the official gave up is not the official: the platform's number decides. The
    official under a new name still is."""
    world = called.microblog.world
    name = world.account("luohu").screen_name
    world.rename("luohu", "示例罗湖公安新号", "demo_luohu_new")
    world.add_account("taker", Role.PASSER_BY, name, "demo_taker", verified_type=1)
    answer(called, "已确认 DNA", author="taker")
    moved, (reply,) = state(called)
    assert (moved, reply.state) == (LeadState.NEW, ReplyState.REFUSED)
    answer(called, "核实中")
    moved, found = state(called)
    assert moved is LeadState.CHECKING
    assert sorted(one.state.value for one in found) == ["applied", "refused"]


def test_a_passer_by_who_uses_the_words_moves_nothing(called: SimpleNamespace) -> None:
    """Anybody may write "已排除" under an alert; without an account in the directory it is a comment like any other."""
    answer(called, "已排除", author="boris")
    moved, found = state(called)
    assert moved is LeadState.NEW
    assert found == []


def test_an_official_of_another_division_is_read_by_a_person(called: SimpleNamespace) -> None:
    """An account of the directory whose agency answers for another place does not close this one's leads."""
    called.microblog.world.add_account("futian", Role.OFFICIAL, "示例福田公安", "demo_futian", verified_type=1)
    account = called.microblog.world.account("futian")
    with called.bot.store.write() as tx:
        agency = officials.upsert_agency(
            tx, name="示例福田分局", adcode="440304", level="county", type=officials.AgencyType.POLICE
        )
        new = officials.NewAccount("weibo", str(account.uid), account.screen_name, verified=True, checked_on=tx.now.date())
        officials.upsert_account(tx, agency, new)
    answer(called, "排除", author="futian")
    moved, (reply,) = state(called)
    assert moved is LeadState.NEW
    assert reply.state is ReplyState.OPEN
    assert "440304" in reply.why


def test_a_second_answer_after_a_final_one_goes_to_a_person(called: SimpleNamespace) -> None:
    """ "排除" and later "已确认 DNA": two officials disagree, so nothing moves by itself."""
    answer(called, "排除")
    answer(called, "已确认 DNA")
    moved, found = state(called)
    assert moved is LeadState.RULED_OUT
    assert [reply.state for reply in found] == [ReplyState.OPEN, ReplyState.APPLIED]


def test_a_case_that_was_found_thanks_its_poster_after_a_person_read_it(called: SimpleNamespace) -> None:
    """Confirmed and closed: one thank-you that names nobody is held; released, it is said once and never again."""
    answer(called, "已确认 DNA")
    with called.bot.store.write() as tx:
        leadwork.conclude(tx, 1, "lead-reviewer", "found")
        assert cases.get(tx, called.case).state.value == "closed"
    called.tools.settle(called.bot)
    (word,) = said(called, MessageKind.THANKS)
    assert word.state is AlertState.HELD
    assert "Demo case" not in word.text
    assert called.case not in word.text
    with called.bot.store.write() as tx:
        alerts.release(tx, word.id, "lead-reviewer")
    called.tools.settle(called.bot)
    called.tools.settle(called.bot)
    assert [item.state for item in said(called, MessageKind.THANKS)] == [AlertState.SENT]
    assert sum("谢谢您！您提交" in p.text for p in called.microblog.world.ledger.publications) == 1


def test_officials_answer_on_x_too(
    tools: SimpleNamespace, loaded: Loaded, microblog: Microblog, photos: dict[str, DemoPhoto]
) -> None:
    """A reply on X to the bot's alert moves the lead as a comment on Weibo does."""
    with tools.opened(loaded) as bot:
        tools.register(bot)
        tools.enrol_luohu(bot, microblog)
        run_round(bot)
        own = bot.seats["x"].own_handle
        microblog.world.add_post(
            Side.X, "anna", f"#{tools.tag} 刚刚在深圳市罗湖区东门老街 @{own}", photos=[photos["a-street"].data]
        )
        tools.settle(bot)
        with bot.store.read() as tx:
            calls = alerts.listing(tx, platform="x", kind=MessageKind.ALERT, state=AlertState.SENT)
            sent = calls[0].sent_id
        microblog.world.add_post(Side.X, "luohu", f"@{own} checking", reply_to=int(sent))
        tools.settle(bot)
        with bot.store.read() as tx:
            assert [reply.answer for reply in replies.listing(tx)] == ["checking"]
            assert leads.listing(tx)[0].state is LeadState.CHECKING
