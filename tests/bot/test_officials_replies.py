"""What officials write, and what it is read as: a table in both languages, and the rule that doubt goes to a person."""

from __future__ import annotations

import pytest

from bot.officials_replies import LEAD_STATE, Answer, read
from bot.steps.replies import imitates
from store.model import LeadState

CHECKING, RULED_OUT, PARENTS = Answer.CHECKING, Answer.RULED_OUT, Answer.WITH_PARENTS
PENDING, CONFIRMED, UNCLEAR = Answer.DNA_PENDING, Answer.DNA_CONFIRMED, Answer.UNCLEAR

TABLE = [
    ("核实中", CHECKING),
    ("回复@随手拍助手:核实中", CHECKING),
    ("收到，正在核实。", CHECKING),
    ("已转交辖区派出所核实", CHECKING),
    ("[赞]核实中", CHECKING),
    ("核实中//@某人:已排除", CHECKING),
    ("已受理", CHECKING),
    ("已出警，正在处置", CHECKING),
    ("checking", CHECKING),
    ("@suishoupai We are checking.", CHECKING),
    ("Under investigation", CHECKING),
    ("排除", RULED_OUT),
    ("已排除", RULED_OUT),
    ("经核实，排除", RULED_OUT),
    ("不是走失儿童", RULED_OUT),
    ("DNA比对不一致", RULED_OUT),
    ("ruled out", RULED_OUT),
    ("This one has been ruled out.", RULED_OUT),
    ("not a match", RULED_OUT),
    ("经核实系亲生父母", PARENTS),
    ("与父母在一起，身份已核实", PARENTS),
    ("with verified parents", PARENTS),
    ("The child is with her own parents", PARENTS),
    ("DNA检测中", PENDING),
    ("已采血送检", PENDING),
    ("等待DNA结果", PENDING),
    ("DNA sample taken", PENDING),
    ("awaiting DNA", PENDING),
    ("已确认 DNA", CONFIRMED),
    ("DNA已确认", CONFIRMED),
    ("DNA 比中", CONFIRMED),
    ("经DNA比对，已确认身份", CONFIRMED),
    ("confirmed DNA", CONFIRMED),
    ("Confirmed by DNA.", CONFIRMED),
    ("ＤＮＡ已确认", CONFIRMED),
    # what must never be read as an answer
    ("不排除", UNCLEAR),
    ("未排除", UNCLEAR),
    ("尚未核实", UNCLEAR),
    ("没有排除", UNCLEAR),
    ("是否排除？", UNCLEAR),
    ("能排除吗", UNCLEAR),
    ("基本排除", UNCLEAR),
    ("疑似，核实中", UNCLEAR),
    ("据说已排除", UNCLEAR),
    ("非本辖区", UNCLEAR),
    ("DNA没有比中", UNCLEAR),
    ("排除了一个，另一个核实中", UNCLEAR),
    ("排除DNA比中", UNCLEAR),
    ("已确认", UNCLEAR),
    ("已核实", UNCLEAR),
    ("确认是我们辖区", UNCLEAR),
    ("not ruled out", UNCLEAR),
    ("we have not ruled this out yet", UNCLEAR),
    ("could be ruled out", UNCLEAR),
    ("probably ruled out", UNCLEAR),
    ("ruled out one, checking the other", UNCLEAR),
    ("confirmed", UNCLEAR),
    ("DNA not confirmed", UNCLEAR),
    ("Which street was it?", UNCLEAR),
    ("谢谢", UNCLEAR),
    ("👍", UNCLEAR),
    ("", UNCLEAR),
    ("@随手拍助手", UNCLEAR),
    ("核实中" + "，情况说明" * 20, UNCLEAR),
]


@pytest.mark.parametrize(("text", "answer"), TABLE, ids=[text[:24] or "empty" for text, _ in TABLE])
def test_an_answer_is_read(text: str, answer: Answer) -> None:
    """Plain words are read; questions, doubts, negations, hearsay and two things at once are not, and say why."""
    found = read(text)
    assert found.answer is answer, found.why
    assert bool(found.why) is (answer is UNCLEAR)


@pytest.mark.parametrize("text", [text for text, answer in TABLE if answer in (RULED_OUT, CONFIRMED)])
@pytest.mark.parametrize("doubt", ["未必{}", "{}?", "可能{}", "如果{}", "not {}", "maybe {}"])
def test_no_doubt_around_a_final_answer_is_overlooked(text: str, doubt: str) -> None:
    """A final answer with a doubt, a question or a negation around it never moves a lead by itself."""
    assert read(doubt.format(text)).answer is UNCLEAR


def test_references_are_found_and_several_are_unclear() -> None:
    """The reference says which sighting is meant; two of them in one answer say nothing certain."""
    assert read("s-4f7k 核实中").refs == ("S-4F7K",)
    assert read("S-4F7K 核实中").answer is CHECKING
    assert read("S-4F7K 排除，S-9X2M 核实中").answer is UNCLEAR


def test_every_clear_answer_has_a_lead_state() -> None:
    """No answer is read that has nowhere to go."""
    assert set(LEAD_STATE) == set(Answer) - {UNCLEAR}
    assert LEAD_STATE[CONFIRMED] is LeadState.CONFIRMED


@pytest.mark.parametrize(
    ("handle", "genuine", "alike"),
    [
        ("示例罗湖公安", "示例罗湖公安", True),
        ("示例罗湖公安_", "示例罗湖公安", True),
        ("示例罗湖·公安", "示例罗湖公安", True),
        ("示例罗湖公安局", "示例罗湖公安", True),
        ("Iuohu_police", "luohu_police", True),
        ("luohu_po1ice", "luohu_police", True),
        ("路人甲", "示例罗湖公安", False),
        ("示例福田公安", "示例罗湖公安", False),
        ("", "示例罗湖公安", False),
    ],
)
def test_imitations_of_a_handle(handle: str, genuine: str, alike: bool) -> None:
    """Look-alike signs, added marks and one changed sign are imitations; another district's name is not."""
    assert imitates(handle, genuine) is alike
