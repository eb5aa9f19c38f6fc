"""Reading an official's answer: a few words in Chinese or English, to one of six meanings. Pure.

Only short, plain words are read; whatever asks, doubts, negates, or says two things at once is UNCLEAR and goes to a person.
A wrong reading would close the one lead that mattered, so the rules refuse too much rather than too little.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from store.model import LeadState


class Answer(StrEnum):
    """What an official said of a sighting."""

    CHECKING = "checking"
    RULED_OUT = "ruled_out"
    WITH_PARENTS = "with_parents"
    DNA_PENDING = "dna_pending"
    DNA_CONFIRMED = "dna_confirmed"
    UNCLEAR = "unclear"


LEAD_STATE: dict[Answer, LeadState] = {
    Answer.CHECKING: LeadState.CHECKING,
    Answer.RULED_OUT: LeadState.RULED_OUT,
    Answer.WITH_PARENTS: LeadState.RULED_OUT,
    Answer.DNA_PENDING: LeadState.DNA_PENDING,
    Answer.DNA_CONFIRMED: LeadState.CONFIRMED,
}
"""The state a lead goes to. WITH_PARENTS: the child was seen with verified parents, so it is not the missing one."""

ANSWERS = tuple(Answer)


@dataclass(frozen=True, slots=True)
class Read:
    """An answer, the references ("S-4F7K") that stand in the text, and why it is unclear (empty where it is not)."""

    answer: Answer
    refs: tuple[str, ...] = ()
    why: str = ""


_LONGEST = 60
"""Characters beside handles, references and links. A longer text is a report, and a person reads it."""

_REF = re.compile(r"(?<![0-9A-Za-z])[Ss]\s?[-—–]\s?([0-9A-Za-z]{4,8})(?![0-9A-Za-z])")
_BESIDE = re.compile(
    r"https?://\S+|//@.*$|回复\s*@[^:：\s]+\s*[:：]|^\s*re\s*[:：]|@[\w\-·]+|#[^#]+#|\[[^\[\]\s]{1,6}\]",
    re.IGNORECASE | re.DOTALL,
)
_ASKS = re.compile(
    r"[?？]|[吗呢么]\s*[。.!！]*$|是否|能否|请问|什么|哪里|怎么"
    r"|\b(?:which|what|where|who|how|could you|can you|please send)\b"
)
_DOUBTS = re.compile(
    r"可能|也许|大概|疑似|好像|估计|似乎|应该|或许|如果|若|假如|待定|暂时|初步|基本|倾向"
    r"|\b(?:may|might|could|would|should|maybe|perhaps|possibl[ye]|probabl[ye]|likely|seems?|"
    r"appears?|if|unless|until|not sure|unsure|almost|tentative\w*)\b"
)
_NEGATES = re.compile(
    r"未(?!成年)|没有?|无法|不能|不可|尚|还不|不是(?!.{0,6}(?:走失|失踪|被拐|登记))|不(?:再|予|会|要|排除|确认|核实)|非(?!常)|别|勿"
    r"|\b(?:not|no|never|cannot|can't|isn't|wasn't|haven't|hasn't|unable|without|nor|neither|failed)\b"
)
_THIRD = re.compile(r"据(?:说|称|悉|网友)|听说|网传|有人说|网友|转发|\b(?:reportedly|allegedly|heard|they say|someone said)\b")

_MEANINGS: tuple[tuple[Answer, re.Pattern[str]], ...] = (
    (
        Answer.DNA_CONFIRMED,
        re.compile(
            r"dna\S{0,6}?(?:已经?)?(?:确认|比中|比对成功|比对一致|吻合|相符|认定)|dna\s(?:已经?)?(?:确认|比中|比对一致|认定)|(?:确认|比中|认定)\S{0,4}?\s?dna"
            r"|(?:confirmed|match(?:ed|es)?|positive)\s+(?:by|via|through|with)?\s*(?:the\s+|a\s+)?dna"
            r"|dna\s+(?:test\s+|result\s+|is\s+|has\s+)*(?:confirmed|confirms|match(?:ed|es)?|positive)"
        ),
    ),
    (
        Answer.DNA_PENDING,
        re.compile(
            r"(?:等待?|正在?|已送?|送|采集?了?|提取)\S{0,6}?dna|dna\S{0,4}?(?:检测中|比对中|鉴定中|送检|采样|采集|已采|待|检验中|化验中)|采血"
            r"|dna\s+(?:test\s+|sample\s+|is\s+|was\s+|has been\s+|result\s+)*(?:pending|taken|sent|in progress|awaited|ordered)"
            r"|(?:awaiting|waiting for|pending)\s+(?:the\s+)?dna"
        ),
    ),
    (
        Answer.WITH_PARENTS,
        re.compile(
            r"(?:亲生父母|亲生|父母|亲属|监护人)\S{0,6}?(?:身份)?\S{0,3}?(?:核实|属实|一起|在一起|带着|陪同|无误)"
            r"|(?:是|系|属)(?:其)?亲生(?:子女|父母|儿子|女儿)?"
            r"|with\s+(?:(?:his|her|their|the|its)\s+)?(?:own\s+|verified\s+|real\s+|biological\s+)*(?:parents?|mother|father|guardians?)"
            r"|(?:parents?|guardians?)\s+(?:were\s+|are\s+|have been\s+)?verified"
        ),
    ),
    (
        Answer.RULED_OUT,
        re.compile(
            r"(?:已经?|可以?|予以)?排除|不是\S{0,6}?(?:走失|失踪|被拐|登记)\S{0,6}|不符|不一致|并非|核实完?后?不是|\bruled\s+out\b|\bexcluded\b"
            r"|\bnot\s+(?:a|the)\s+(?:missing|registered)\s+(?:child|boy|girl)\b|\bnot\s+a\s+match\b|\bno\s+match\b"
        ),
    ),
    (
        Answer.CHECKING,
        re.compile(
            r"(?:正在?|已经?|在|会|将|马上|立即|我们|请)?(?:开始|进行|前往|派员|派人|组织|安排|转|转交|移交|通知|联系)?\S{0,8}?"
            r"(?:核实中|核查中|调查中|处理中|(?<!已)(?<!已经)(?:核实|核查|查证|查处|跟进|处置|查看))|(?:已|我们)(?:收到|受理|接警|出警|关注|转)"
            r"|^收到(?:[,，。.!！谢]\S*)?$|^已?受理|^\W*(?:核实|调查)中"
            r"|\b(?:checking|investigating|looking into|on it|under (?:investigation|review)"
            r"|follow(?:ing)? up|verifying|received|officers? sent|will (?:check|verify|look|investigate))\b"
        ),
    ),
)
# A negation that is part of the meaning itself ("不是走失儿童", "no match") is not held against it.
_OWN_NEGATION = re.compile(
    r"不是\S{0,6}?(?:走失|失踪|被拐|登记)\S{0,6}|不符|不一致|并非|核实完?后?不是|\bnot\s+(?:a|the)\s+(?:missing|registered)\s+(?:child|boy|girl)\b"
    r"|\bnot\s+a\s+match\b|\bno\s+match\b"
)


def read(text: str) -> Read:
    """What an official's text says. Never raises: what cannot be read is UNCLEAR with the reason."""
    plain = unicodedata.normalize("NFKC", text)
    refs = tuple(dict.fromkeys(f"S-{found.upper()}" for found in _REF.findall(plain)))
    words = _REF.sub(" ", _BESIDE.sub(" ", plain)).casefold()
    words = re.sub(r"\s+", " ", words).strip(" ,.，。!！~:：;；、")
    if not words:
        return Read(Answer.UNCLEAR, refs, "no words beside handles and signs")
    if len(words) > _LONGEST:
        return Read(Answer.UNCLEAR, refs, "longer than an answer")
    for why, pattern in (("it asks something", _ASKS), ("it is not certain", _DOUBTS), ("it tells what others said", _THIRD)):
        if pattern.search(words):
            return Read(Answer.UNCLEAR, refs, why)
    if len(refs) > 1:
        return Read(Answer.UNCLEAR, refs, "it names several references")
    return _meaning(words, refs)


def _meaning(words: str, refs: tuple[str, ...]) -> Read:
    # Chinese runs words together: a comma between two statements must not join them.
    found = {answer for answer, pattern in _MEANINGS if pattern.search(words)}
    if _NEGATES.search(_OWN_NEGATION.sub(" ", words)):
        return Read(Answer.UNCLEAR, refs, "it says that something is not so")
    if Answer.WITH_PARENTS in found:
        found -= {Answer.RULED_OUT, Answer.CHECKING}
    if found & {Answer.RULED_OUT, Answer.DNA_CONFIRMED, Answer.DNA_PENDING} and not _ongoing(words):
        found.discard(Answer.CHECKING)
    if not found:
        return Read(Answer.UNCLEAR, refs, "no answer that is known")
    if len(found) > 1:
        return Read(Answer.UNCLEAR, refs, f"it says two things: {', '.join(sorted(found))}")
    return Read(found.pop(), refs)


def _ongoing(words: str) -> bool:
    """Whether something is still being done: "排除了一个，另一个核实中" says two things, "经核实，排除" one."""
    return bool(re.search(r"(?:核实|核查|调查|处理)中|正在|继续|\b(?:checking|investigating|verifying|still)\b", words))
