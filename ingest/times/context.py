"""What stands around a time and refuses it: habits, deadlines, the day the child went missing, other events.

Every look is bounded (:data:`BACK` characters back, :data:`AHEAD` on), so reading a text costs time in proportion to its length.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ingest.times.phrases import Phrase

BACK, AHEAD, NEAR = 40, 60, 30

_SENTENCE_END = re.compile(r"[。!?;\n…]|\.(?=\s|$)")
_CLAUSE_END = re.compile(r"[,，|]")

_SEEN = (
    r"看到|看见|见到|目击|目睹|拍|发现|遇到|遇见|碰到|碰见|撞见|偶遇|路过|经过|出现|乞讨|行乞|要饭|讨饭|讨钱|要钱|乞钱|跪|卖唱|卖花|卖艺|抱着|见"
    r"|\bsaw\b|\bseen\b|\bspotted\b|\bphotograph|\btook\b|\btaken\b|\bbegg|\bmet\b|\bnoticed\b|\bpassed\b|\bshot\b"
)
_LOST = (
    r"最后一?次?(?:见到|看到|看见|出现|见面|露面)|走失|失踪|失联|被拐|拐走|拐卖|拐骗|诱拐"
    r"|走丢|丢失|弄丢|丢了|丢的|失散|被抢走?|被偷走?|被盗"
    r"|抱走|带走|带出来|骗走|骗出|骗来|卖到|被卖|不见了|不见的|离家|离开家|出走"
    r"|\blast seen\b|\bwent missing\b|\bmissing\b|\bdisappear|\babduct|\bkidnap|\blost\b|\bvanished\b|\bstolen\b"
    r"|\btaken from\b|\bsnatched\b"
)
_BORN = r"出生|生于|生日|出世|诞生|的?生辰|\bborn\b|\bbirthday\b"
# The lookahead names the first characters of all words below: most positions of a sentence stop there.
_EVENT = re.compile(
    rf"(?=[最走失被拐诱丢弄抱带骗卖不离出生诞的看见目拍发遇碰撞偶路经乞行要讨跪卖]|\b[lmdakvstbpn])"
    f"(?:(?P<lost>{_LOST})|(?P<born>{_BORN})|(?P<seen>{_SEEN}))",
    re.ASCII,
)
_HEDGE = re.compile(
    r"(?:疑似?|怀疑|像|是不是|是否|会不会|可能|恐怕|担心|或|不知|谁家?|哪家|哪位|有没有|防|严打|打击|救助"
    r"|suspect\w*|whose|anyone|maybe|might|possibly|perhaps|could be|looks? like|is it)"
    r"[^,]{0,12}$"
)
_LOST_NOUN = re.compile(r"的?(?:儿童|小?孩|孩子|男孩|女孩|人口|人员|宝贝|kids?|child)")
_LOST_LABEL = re.compile(f"(?:{_LOST}|{_BORN})(?:的|时间|日期|时|地点|于|在|是|为|约|大约|since|on|in|from|及|和|[\\s:]){{0,6}}$")

_HABIT_BEFORE = re.compile(
    r"(?:每天|每日|天天|每晚|每到|每逢|每个?|每周|经常|常常|时常|常年|总是|总在|老是|往往|平时|平常|平日|一般|通常|长期|一到|逢(?!甲)"
    r"|\bevery\b|\bdaily\b|\balways\b|\busually\b|\boften\b|\bmost\b|\beach\b)[^,]{0,10}$"
)
_HABIT_AFTER = re.compile(
    r"[^,]{0,12}?(?<!天)(?<!之间)(?:都会|都在|都能|都有|都来|都看|总是|总在|总会|经常|常常|天天|每天"
    r"|\bevery day\b|\balways\b|\bdaily\b|\busually\b|\boften\b)"
)
_DEADLINE_AFTER = re.compile(r"\s?(?:之前|以前|前(?![往后台面方门天几些两])|为止|截止|截至|前夕)")
_DEADLINE_BEFORE = re.compile(
    r"(?:截止|截至|务必[在于]|请[在于]|赶在|有效期|直到"
    r"|\bbefore|\bby|\buntil|\btill|\bno later than|\bdeadline:?)[\s到至:]{0,3}(?:the )?$"
)
_SINCE = re.compile(r"\s?(?:以来|至今|起(?![床来])|到现在)")
_FROM_TO = re.compile(r"\s?(?:开始|到|至)")
_EVER_SINCE = re.compile(r"\s?(?:开始|起)[^。]{0,12}?(?:每|天天|一直|经常)")
_TO_BEFORE = re.compile(r"(?<![看见拍遇碰不])[到至]$")
_SINCE_BEFORE = re.compile(r"(?:\bsince|\bfrom)\s(?:about |around )?(?:the )?$")
_AHEAD = re.compile(r"(?:将于?|预计|计划|准备|打算|约定|\bwill|\bgoing to)[^,]{0,6}$")
_OTHER_BEFORE = re.compile(
    r"(?:据|通报|警情|报道|营业时间?|营业|上班时间|办公时间|工作时间|开放时间|服务时间|接听时间|热线|值班|播出|直播|新闻|日报|晚报|早报|时报|报时间|发布[时于]间?|更新[时于]间?|报警时间?|报案时间?|立案时间?|采血时间?)[\s:]{0,2}$"
)
_OTHER_AFTER = re.compile(
    r"[^,]{0,2}?(?:转发|转过|发过|发的?微博|发帖|评论过|收到)|[^,]{0,3}?(?:有空|才?敢发|才发|发出来|发上来|传上来|上传|补发|想起|整理)|[^,\s]{0,8}?(?:通报|破获|侦破|抓获|判刑|宣判|报道|报导|日电|新闻|播出|直播|讯(?!息)|公布|发布|刊登|登报|报警|报案|报的[案警]|立案|采血|入库|开会|集合|培训|讲座|开幕|大会|更新|截稿|发车|开业|活动|去世|过世|病逝|死了|死的|车祸|受伤|烧伤|烫伤|住院|手术"
    r"|出院|辍学|退学|离婚|愉快|快乐)"
)
_TOLD = re.compile(
    r"(?:孩子|小孩|[他她]们?|男孩|女孩|母亲|妈妈|父亲|爸爸|女人|男人|女的|男的|老人|大人)(?:自己)?(?:说|讲|称|自称|告诉)[^,]{0,8}$"
)
_WILL = re.compile(r"[^,]{0,3}?(?:将(?!近)|准备|打算|预计)")
_EN_PART_BEFORE = re.compile(r"\b(?:this|in the|around|at|by|about|early|late|since)\s$")
_NOT_PART = re.compile(r"[好安茶餐饭市宵场班]|自习|好眠")
_PUNCTUATION = re.compile(r"的?\s*(?:$|[,.。!?;|~()/、】\]□\n]|\s)")
_SEEN_SOON = re.compile(rf"[^,]{{0,6}}?(?:{_SEEN})")
_ACT = re.compile(
    r"\s?(?:在|于|我|路|经|去|回|逛|下|从|到|有|看|见|拍|遇|发现|碰|撞|出|时分|的时候"
    r"|i\b|saw|at\b|near\b|in\b|outside\b|on\b)"
)
_SUBJECT = re.compile(r"(?:^|[\s,.。!?;:|、□我是于在】)路店口站场区街城院园楼桥])$")
_LIST_BEFORE = re.compile(r"(?:注意|以下|说|补充|几|这|那|有|强调|提醒|如下|总结|建议|分|明确|第|差|早|晚)$")

_RELATIVE_DAYS = frozenset({"day", "weekday", "ago", "now"})


class Around(NamedTuple):
    """The words of the same sentence before and after a phrase, at most :data:`BACK` and :data:`AHEAD` characters.

    ``event`` is the first thing that happens after the phrase: a child is ``lost``, ``born`` or ``seen``.
    """

    before: str
    after: str
    event: re.Match[str] | None
    said: str


def around(text: str, phrase: Phrase, limit: int) -> Around:
    """What stands around ``phrase``; what lies behind ``limit``, where another day is named, belongs to that one."""
    before = _SENTENCE_END.split(text[max(0, phrase.start - BACK) : phrase.start])[-1]
    after = text[phrase.end : max(phrase.end, min(phrase.end + AHEAD, limit))]
    end = _SENTENCE_END.search(after)
    after = after if end is None else after[: end.start()]
    return Around(before, after, _EVENT.search(after), text[phrase.start : phrase.end])


def _clause_tail(before: str) -> str:
    return _CLAUSE_END.split(before)[-1]


def _missing(words: Around, old: bool) -> str | None:
    """Why the phrase is the day of the loss or a birth, or None: the nearest event that follows decides, else the one before."""
    before, after, event, _ = words
    if event is not None and event.lastgroup == "seen":
        return None
    if event is not None and not _HEDGE.search(after[: event.start()]):
        noun = _LOST_NOUN.match(after, event.end())
        if event.lastgroup == "born":
            return "it is a date of birth" if event.start() <= 12 else None
        if old or (not noun and not _CLAUSE_END.search(after[: event.start()])) or (not noun and event.start() <= 25):
            return "it says when the child went missing"
        return None
    tail = _clause_tail(before)
    label = _LOST_LABEL.search(tail)
    if label and not _HEDGE.search(tail[: label.start()]):
        return "it says when the child went missing or was born"
    last = None
    for last in _EVENT.finditer(tail):  # noqa: B007 -- the last one counts
        pass
    told = last is not None and last.lastgroup == "lost" and not _LOST_NOUN.match(tail, last.end())
    if last is not None and told and not _HEDGE.search(tail[: last.start()]):
        return "it says when the child went missing"
    if old and not _EVENT.search(before):
        return "an old date without a word of seeing is most likely the day of the loss"
    return None


def _habit(phrase: Phrase, before: str, after: str) -> bool:
    if _HABIT_BEFORE.search(_clause_tail(before)):
        return True
    loose = phrase.day is None or (phrase.day.kind == "weekday" and phrase.day.value[0] is None)  # type: ignore[index]
    return loose and phrase.lone is None and bool(_HABIT_AFTER.match(after))


def _no_time(phrase: Phrase, before: str, after: str, said: str) -> bool:
    """Whether a lone part of the day (晚上) or a bare clock (三点) is something else than the moment of a sighting."""
    if phrase.day is not None or phrase.lone is not None:
        return False
    if phrase.clock is None:
        if _NOT_PART.match(after):
            return True
        if said.isascii():  # "in the morning", not "the night market" or "at night"
            return not _EN_PART_BEFORE.search(before) or (said == "night" and before.endswith("at "))
        if _PUNCTUATION.match(after) or _SEEN_SOON.match(after):
            return False
        return not (_SUBJECT.search(before) and _ACT.match(after))
    if phrase.parts or not phrase.clock.bare:
        return False
    if phrase.clock.hour < 2 or _LIST_BEFORE.search(before):
        return True
    return not (_PUNCTUATION.match(after) or _ACT.match(after))


def refusal(phrase: Phrase, words: Around, *, old: bool) -> str | None:
    """Why ``phrase`` is not the time of a sighting, or None. ``old`` says that it lies more than a year before the post."""
    before, after, _, said = words
    if _habit(phrase, before, after):
        return "it tells a habit, not one sighting"
    if _DEADLINE_AFTER.match(after) or _DEADLINE_BEFORE.search(before):
        return "it is a deadline"
    lasting = (before.endswith("从") and _FROM_TO.match(after)) or _TO_BEFORE.search(before)
    today = phrase.day is not None and phrase.day.value == 0 and not phrase.parts and phrase.clock is None
    ever = before.endswith("从") and _EVER_SINCE.match(after)
    if ever or ((phrase.day is None or today) and lasting) or _SINCE.match(after) or _SINCE_BEFORE.search(before):
        return "it tells how long something has lasted"
    if _AHEAD.search(_clause_tail(before)) or _WILL.match(after):
        return "it speaks of something to come"
    if not _SEEN_SOON.match(after) and _TOLD.search(before):
        return "it is part of what somebody tells of the child's past"
    if _OTHER_BEFORE.search(before) or (_OTHER_AFTER.match(after) and not _SEEN_SOON.match(after)):
        return "it is the time of another event (a report, a call to the police, opening hours)"
    if _no_time(phrase, before, after, said):
        return "it is no time of a sighting here"
    return _missing(words, old)


def seen_near(words: Around) -> bool:
    """Whether a word of seeing follows the phrase in its sentence."""
    event = words.event
    return event is not None and event.lastgroup == "seen" and event.start() < NEAR
