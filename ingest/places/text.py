"""From a text to where the child was seen.

The steps of :func:`read_place`: find names and judge each by its surroundings (:mod:`mentions`, :mod:`cues`) -> keep the senses
that a parent nearby supports (:mod:`support`) -> group what lies in one place -> weigh the groups -> decide. Doubt is an answer:
alternatives, or a lower certainty.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ingest.divisions import DivisionTable, table
from ingest.places.lexicon import lexicon
from ingest.places.mentions import REASONS, Mention, find
from ingest.places.normalise import Prose, read
from ingest.places.support import supported
from ingest.sure import HIGH, LOW, MEDIUM, NONE
from store.model import Certainty, Evidence

MAX_EVIDENCE = 24
"""Signs kept for the reviewer, accepted and refused each; more come only from texts that list places."""

MAX_ALTERNATIVES = 12

RIVAL = 0.6
"""A group with at least this share of the best group's score leaves the place open."""

_SEEING = re.compile(
    "看到|看见|见到|睇到|瞧见|发现|遇到|遇见|碰到|碰见|撞见|拍[到的了摄下]|偶遇|乞讨|要饭|讨饭|讨钱|要钱|行乞|跪|磕头|saw|seen|begging|spotted"
)
_NOW = re.compile(r"现在|目前|今天|今早|今晚|今晨|刚|昨[天晚]|这次|此刻|现身|出现|最近")
_ELSEWHERE = re.compile(
    r"上次|去年|前年|以前|之前|曾经?|原来|先在|工作|上班|打工|上学|读书|住在|定居|出差|坐火车|坐车|[几多\d一二两三四五六七八九十]年前|小时候|当年|那年|想起|回忆|也见过|见过|的朋友"
    "|妈妈在|爸爸在|父母在|家人在|母亲在|父亲在|奶奶在|爷爷在|家(?<!大家)在"
)
_CLAUSE_END = re.compile(r"[，,。；;!！?？\n\x00]|$")
_CLAUSE_BEGIN = re.compile(r".*[，,。；;!！?？\n\x00]", re.DOTALL)
_AND = re.compile(r"[和与跟及、/或]|或者|以及|还有|还是|\s?or\s?")
_TELLS = re.compile(
    rf"{_SEEING.pattern}|孩|童|娃|婴|伢|崽|细路|细佬|小朋友|女儿|儿子|男|女|母子|父子|昨[天日晚早晨]|今[天日晚早晨]|前[天日晚早晨]|刚"
    "|点|號|号|日|月|周|时间|ago|baby|kid|boy|girl"
    "|child|toddler|teen|today|yester|night|morning|afternoon|evening|weekday|:"
)
"""Words of a post that tells of somebody, or of some time. Without any of them a place is only a place that was named."""
_SELLS = re.compile(
    "[一二两三四]室|拎包入住|包吃住|月薪|普工"
    "|包邮|清仓|直发|代购|加盟|促销|优惠|特价|打折|团购|招聘|诚聘|兼职|加微信|加微|微信号|私家侦探|贷款|楼盘|房源|开盘|招租|转租|转让|旺铺|面议|机票|欢迎光临|营业时间|淘宝|下单"
    "|客服|业务|折扣|秒杀|红包|抽奖|关注我们|电话变更|公告|通告|启事|招募|讲座|培训|报名"
)
_SOMEBODY = re.compile("孩|娃(?<!洋娃)|婴儿(?!用品|车|床)|乞|流浪|男童(?!装)|女童(?!装)|小女生|小男生|baby|kid|boy|girl|child")
_EARLIER = re.compile("前几天|前些天|前两天|前阵子|前一阵|前段时间|上个?月|上周|上个?星期|上个?礼拜|那时|几天前|的时候还?在")
_LETTER = re.compile(r"[^\W_]")
_MARKS = " \t\r\n,.;:!?，。；：！？、"
CAPTION = 8
"""So many letters beside the place are still a caption of the photo (罗湖区东门老街，求扩散): it need not tell of anybody."""
_MANY = "那里的|这样|那样|这种|那种|这类|那些|不少|很多|许多|多数|好多|太多|所有|每个"
_COURT = "宣判|判了|判处|判刑|开庭|[一二终]审|落网|破获|案件|嫌疑人"
_REPORT = f"{_COURT}|辟谣|网传|流浪儿童|报道|电影|课题|论文|新闻|机构|联系方式|活动|志愿者队伍"
_CHAT = "天气[真很好太不]|好吃|美食|想念|怀念|祝福|旅游|开学|门票|半价|套餐|没有?(?:看|见|遇)[到见]?过"
_IN_GENERAL = re.compile(rf"(?:{_MANY})的?[^，,。！!？?\x00]{{0,6}}(?:孩|童|娃|乞)|{_REPORT}|{_CHAT}")
_MAYBE_GENERAL = re.compile(f"{_MANY}|{_REPORT}|{_CHAT}")
_CHATTED = re.compile(_CHAT)
_ONE_CHILD = re.compile(
    "[一二两俩三四五几][个名位对][^，,。！!？?\\x00]{0,6}(?:孩|娃|童|婴|伢|崽|丫头|小朋友)"
    "|(?:a|one|two|three) (?:[a-z]+ ){0,2}(?:boy|girl|kid|child|baby|toddler)"
)
"""One child that somebody counted, as against children in general."""
_NOT_SEEN = re.compile("没有?(?:看|见|遇)[到见]?过")
_SENTENCE_END = re.compile(r"[。!！?？\n]")
SENTENCE = 60
"""Characters of a sentence read on either side of a name."""
CLAUSE = 20
"""Characters of a clause read on either side of a name."""


class Reading(NamedTuple):
    """What a text says about the place: one adcode, or several alternatives, or nothing; with the signs it rests on."""

    adcode: str | None
    alternatives: tuple[str, ...]
    certainty: Certainty
    evidence: tuple[Evidence, ...]


class Group(NamedTuple):
    """Mentions that agree on ``adcode``, the deepest that all of them hold to, and how much they weigh together."""

    adcode: str
    score: float
    mentions: tuple[Mention, ...]


def read_place(text: str) -> Reading:
    """Read the place of a sighting from ``text``. Never raises; takes time in proportion to the length of the text."""
    prose = read(text)
    accepted, refused = find(prose)
    if accepted and (notice := _notice(prose.prose)):
        why = f"“{notice}”: the text is an advertisement or a notice and tells of no child that was seen"
        return Reading(None, (), NONE, (Evidence("text", None, NONE, why), *_explained([], refused, text)))
    if accepted:
        accepted = supported(accepted, refused, prose)
    groups = _grouped(accepted, prose.prose)
    evidence = (*_explained(accepted, refused, text), *_apart(prose, text))
    return _decided(groups, accepted, evidence, prose.prose)


def _notice(prose: str) -> str:
    """The words by which a text sells or announces something and tells of nobody; empty for all others."""
    found = _SELLS.search(prose)
    return found.group() if found and not _SEEING.search(prose) and not _SOMEBODY.search(prose) else ""


def _grouped(mentions: list[Mention], prose: str) -> list[Group]:
    """Settled mentions gathered by what they agree on, the weightiest group first."""
    divisions = table()
    groups: dict[str, Group] = {}
    settled = [mention for mention in mentions if len(mention.codes) == 1]
    scores = _scores(settled, prose)
    if len(settled) == 1:
        return [Group(settled[0].codes[0], scores[0], (settled[0],))]
    by_weight = sorted(zip(settled, scores, strict=True), key=lambda pair: pair[0].name.weight == 0)
    for mention, score in by_weight:
        code = mention.codes[0]
        key = divisions.prefecture_of(code) or code
        old = groups.get(key)
        named = old is not None and divisions.ancestors(old.adcode)[0].level == "county"
        if old and named and mention.is_landmark and not mention.name.weight:
            code = old.adcode  # 龙华火车站: the district that is named outweighs the station everybody knows
        groups[key] = Group(_joint(old.adcode, code, divisions) if old else code, (old.score if old else 0.0) + score,
                            (*(old.mentions[:MAX_EVIDENCE] if old else ()), mention))  # fmt: skip
    if len(groups) == 1:
        return list(groups.values())
    return sorted(_with_provinces(list(groups.values()), divisions), key=lambda group: -group.score)


def _joint(one: str, other: str, divisions: DivisionTable) -> str:
    """The deeper of two that contain each other, else what they share: two districts of a city are answered as the city."""
    if divisions.contains(one, other):
        return other
    if divisions.contains(other, one):
        return one
    return divisions.prefecture_of(one) or one


def _with_provinces(groups: list[Group], divisions: DivisionTable) -> list[Group]:
    """A province that was named adds its weight to the weightiest group inside it, and stands alone only without one."""
    out = {group.adcode: group for group in groups}
    for group in groups:
        others = [other for other in out.values() if other.adcode != group.adcode]
        inner = [other for other in others if divisions.contains(group.adcode, other.adcode)]
        if not inner:
            continue
        best = max(inner, key=lambda other: other.score)
        out[best.adcode] = Group(best.adcode, best.score + group.score * 0.5, (*group.mentions, *best.mentions))
        del out[group.adcode]
    return list(out.values())


def _scores(mentions: list[Mention], prose: str) -> list[float]:
    several = len(mentions) > 1 and _EARLIER.search(prose) is not None
    scores = [_score(mention, prose, several) for mention in mentions]
    for index in range(1, len(mentions)):
        before, here = mentions[index - 1], mentions[index]
        joined = before.end < here.start <= before.end + 2 and _AND.fullmatch(prose, before.end, here.start)
        if joined or (before.end == here.start and _listed(before, here)):
            scores[index - 1] = scores[index] = max(scores[index - 1], scores[index])  # 广州和深圳: neither is before the other
    return scores


def _listed(before: Mention, here: Mention) -> bool:
    """``北京上海广州``: divisions side by side of which none holds the next are a list, not an address."""
    if before.is_landmark or here.is_landmark:
        return False
    contains = table().contains
    return not (contains(before.codes[0], here.codes[0]) or contains(here.codes[0], before.codes[0]))


def _score(mention: Mention, prose: str, several: bool) -> float:
    """How much a mention speaks for its place: a preposition or place word doubles it, so does a verb of seeing behind it in
    the clause; a clause about another time or somebody's home makes it a quarter; a hashtag less than half. Where there are
    ``several`` places, an earlier time speaks against its own."""
    score = 2.0 if mention.cue.verdict == "sighting" else 1.0
    stop = _CLAUSE_END.search(prose, mention.end, mention.end + CLAUSE)
    end = stop.start() if stop else mention.end + CLAUSE
    begin = max(0, mention.start - CLAUSE)
    cut = _CLAUSE_BEGIN.match(prose, begin, mention.start)
    clause = prose[cut.end() if cut else begin : mention.start] + "\x01" + prose[mention.end : end]
    if _ELSEWHERE.search(clause) or (several and _EARLIER.search(clause)):
        score *= 0.25
    else:
        score += (1.0 if _SEEING.search(prose, mention.end, end) else 0.0) + (0.5 if _NOW.search(clause) else 0.0)
    return score * 0.4 if mention.in_hashtag else score


def _decided(groups: list[Group], accepted: list[Mention], evidence: tuple[Evidence, ...], prose: str) -> Reading:
    if not groups:
        open_ones = [mention for mention in accepted if len(mention.codes) > 1]
        if not open_ones:
            return Reading(None, (), NONE, evidence)
        return Reading(None, open_ones[0].codes[:MAX_ALTERNATIVES], LOW, evidence)
    best = groups[0]
    rivals = [group.adcode for group in groups[1:] if group.score > best.score * RIVAL] if len(groups) > 1 else []
    if rivals:
        choices = (best.adcode, *rivals)[:MAX_ALTERNATIVES]
        names = ", ".join(table().full_name(code) for code in choices)
        note = f"the text names several places and does not say which one is meant: {names}"
        return Reading(None, choices, LOW, (*evidence, Evidence("text", None, LOW, note)))
    hedged = any(mention.cue.hedged for mention in best.mentions)
    sure = best.score >= 2 and len(groups) == 1 and not hedged and any(_is_firm(mention) for mention in best.mentions)
    if hedged:
        evidence = (*evidence, Evidence("text", best.adcode, MEDIUM, "the writer is not sure of the place"))
    general = _general(best, prose)
    seeing = general and _SEEING.search(_NOT_SEEN.sub("", prose))
    one_child = general and _CHATTED.search(general) and _ONE_CHILD.search(prose)
    if seeing and one_child:
        general = ""  # 人在西安旅游，看到一个小孩要饭
    if general and not seeing and not one_child:
        return Reading(None, (), NONE, (*evidence, Evidence("text", best.adcode, NONE, general)))
    doubt = (general or _doubt(best, prose)) if sure else ""
    if doubt:
        sure, evidence = False, (*evidence, Evidence("text", best.adcode, MEDIUM, doubt))
    return Reading(best.adcode, (), HIGH if sure else MEDIUM, evidence)


def _doubt(best: Group, prose: str) -> str:
    """Why a text that names one clear place may still tell of no sighting there; empty where nothing says so."""
    if not _TELLS.search(prose) and len(_LETTER.findall(prose)) > CAPTION + sum(m.end - m.start for m in best.mentions):
        return "the text names a place and tells of nobody and of no time"
    return ""


def _general(best: Group, prose: str) -> str:
    """The words by which a text speaks of children in general, of a report or of other things; empty where it has none."""
    if not _MAYBE_GENERAL.search(prose):
        return ""
    for mention in best.mentions:
        before = _SENTENCE_END.split(prose[max(0, mention.start - SENTENCE) : mention.start])[-1]
        after = _SENTENCE_END.split(prose[mention.end : mention.end + SENTENCE])[0]
        general = _IN_GENERAL.search(before + " " + after)
        if general:
            return f"“{general.group()}”: the sentence may not speak of a child that was seen there"
    return ""


def _is_firm(mention: Mention) -> bool:
    """True where the name has one meaning by itself, so that no other name had to choose it."""
    return len(mention.alone) == 1 or len({sense.adcode for sense in mention.alone}) == 1


def _explained(accepted: list[Mention], refused: list[Mention], text: str) -> tuple[Evidence, ...]:
    """The signs in words: what each name was taken for and why, and which names were seen and refused."""
    divisions = table()
    out: list[Evidence] = []
    for mention in accepted[:MAX_EVIDENCE]:
        codes = mention.codes
        names = f"{divisions.full_name(codes[0])} {codes[0]}"
        if len(codes) > 1:
            names = " or ".join([f"{divisions.full_name(code)} {code}" for code in codes[:6]])
        said = _said(mention.cue.because)
        beside = f", beside “{said}”" if said else ""
        where = " in a hashtag" if mention.in_hashtag else ""
        why = f"“{text[mention.start : mention.end]}”{where} means {names}{beside}"
        certainty = HIGH if len(codes) == 1 and mention.cue.verdict == "sighting" else MEDIUM
        out.append(Evidence("text", codes[0] if len(codes) == 1 else None, certainty, why, (mention.start, mention.end)))
    for mention in refused[:MAX_EVIDENCE]:
        said = _said(mention.cue.because)
        because = f"“{text[mention.start : mention.end]}” {REASONS[mention.cue.verdict]}" + (f" (“{said}”)" if said else "")
        why = f"{because}: not where the child was seen"
        out.append(Evidence("text", None, NONE, why, (mention.start, mention.end)))
    return tuple(out)


def _said(because: str) -> str:
    """The words of a cue as a reviewer reads them: without the marks around them, and without what stands for a hashtag or a
    link in the prose (a NUL, which no database keeps: evidence with one would differ from what was stored of it)."""
    return because.replace("\x00", " ").strip(_MARKS)


def _apart(prose: Prose, text: str) -> list[Evidence]:
    """Places inside licence plates and account names, which were seen and are no places of a sighting."""
    out: list[Evidence] = []
    if not prose.apart:
        return out
    for kind, start, end in prose.apart[:MAX_EVIDENCE]:
        if kind == "plate":
            why = f"“{text[start:end]}” is a licence plate: it says where a car is registered"
        elif kind == "mention" and any(name.weight for name, _, _ in lexicon().find(prose.plain[start:end])):
            why = f"“{text[start:end]}” is an account's name"
        else:
            continue
        out.append(Evidence("text", None, NONE, f"{why}: not where the child was seen", (start, end)))
    return out
