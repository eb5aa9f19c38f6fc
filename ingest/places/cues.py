"""What the words around a name say about it: is it where the child was seen, where somebody comes from, or no place at all?

Each check looks at a bounded window, so reading a text costs time in proportion to its length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["sighting", "plain", "origin", "destination", "road", "institution", "goods", "person", "missing"]

WINDOW = 14
"""Characters looked at on either side."""

SURNAMES = frozenset(
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范石姚谭廖邹熊金陆郝孔崔康毛邱"
    "秦江史顾侯邵孟龙段雷钱汤尹黎易常武乔贺赖龚"
)

_AFTER_ROAD = re.compile(
    r"(?:市|省)?(?:新|老)?(?:[东西南北中]{0,2}|[一二三四五六七八九十]{1,2}|第[一二三])(?:路(?![边上口过旁人遇])|街(?![头上边道坊])|大街(?!小巷|上)|大道|巷(?!子)|弄|胡同|门(?![口前外诊])|桥(?!头))"
)
_AFTER_ORIGIN = re.compile(
    r"(?:市|省|县|那边|这边|一带|附近|农村|山区)?(?:的)?(?:口音|籍|户口|户籍|老乡|方言|人(?![民行才流多群工间山])|话(?![，,。说])|娃|伢|妹子|小伙|来的|过来的|老家"
    r"|寻亲|寻子|家长|父母|家属|被拐|被抢|被偷|失踪|走失|丢失|走丢|拐来)"
)
_AFTER_MISSING = re.compile(
    r"[^，,。；;!！?？\n\x00]{0,12}?(?:走失|走丢|丢失|失踪|失散|被拐|被抢|被偷|被骗|被人抱走|抱走|不见了|出生)"
)
_AFTER_INSTITUTION = re.compile(
    r"(?:市|省)?(?:(?:市|省|县|区)?公安(?!门)|警方|警察|交警|民警|日报|晚报|晨报|都市报|商报|青年报|电视台|卫视|新闻|发布|网友|微博|媒体|热线|民政局|救助站的|志愿者|义工|市政府|银行|航空|大学(?!城)|医科|师范|理工)"
)
_AFTER_GOODS = re.compile(
    r"(?:鸡饭|拉面|火锅|小面|米粉|烧饼|烤鸭|小吃|菜馆|菜(?![市场])|酒家|酒楼|大酒店|饭店|饭馆|面馆|包子|凉皮|肉夹馍|泡馍|特产|啤酒|香烟|牌照|牌子?|时间|大排档|大牌档|料理|餐厅|宾馆|风味|产的|制造)"
)
_AFTER_DESTINATION = re.compile(r"(?:的)?(?:火车|列车|动车|高铁|航班|飞机|大巴|班车|客车|机票|车票)(?!站)|(?:方向|方面)")
_BEFORE_ORIGIN = re.compile(
    r"(?:来自|老家(?:是|在)?|家(?:是|在|住)|籍贯(?:是|为)?|祖籍|户口(?:在|是)?|原籍|出生(?:于|在)|自称(?:是)?|说(?:自己|他|她)?(?:是|来自)|口音(?:像|是)|像(?:是)?|被拐自"
    r"|怀疑是|疑似是?|是不是|应该是|好像是|可能是|大概是|带(?:着)?|不是|家乡)(?:[^，,。；;!！?？\n\x00]{0,3})$"
)
_BEFORE_FROM = re.compile(r"(?:从|由|自)$")
_AFTER_FROM = re.compile(r"[^，,。；;!！?？\n\x00]{0,6}?(?:来|到|被|带|拐|过来|逃|流浪|乘|坐)")
_BEFORE_DESTINATION = re.compile(r"(?:开往|去往|飞往|前往|发往|驶往|送回|送往|送到|寄到|要去|想去|准备去|打算去|回|拐去|转发到|转给|卖往)$")
_BEFORE_SIGHTING = re.compile(
    r"(?:在|于|位于|到了?|地点[:：]?|位置[:：]?|坐标[:：]?|地址[:：]?|出现在?|流落|路过|经过|途经|途径|逛|现身|人在|📍|◎|@)[\s]?[“\"《（(]?$|^[\s【\[(（]*$|[，,。；;!！?？\n】\]）)：:|｜]\s*$"
)
_AFTER_SIGHTING = re.compile(
    r"(?:市|县|区|省)?(?:城区|市区|街头|街上|街边|路边|路口|火车|汽车|客运|高铁|地铁|机场|车站|站|广场|公园|商场|商城|医院|学校|天桥|步行街|商业|市中心|市里|口岸|码头|夜市|菜市场|超市|小区|一|某|看到|看见|遇到|遇见|发现|碰到|拍|出现|乞讨|有|的)"
)
_PERSON_CUE = re.compile(r"(?:朋友|同事|同学|记者|网友|老师|由|叫|名叫|是|请|联系|联系人|感谢|谢谢|警官|义工|司机|家长|博主|作者|摄影|姓名[:：]?|[，,。；;\s(（:：\x00]|^)$")
_AFTER_PERSON = re.compile(r"(?:先生|女士|老师|同学|小姐|叔叔|阿姨|大哥|大姐|说|拍|警官|\d{5,})")

_EN_BEFORE_ORIGIN = re.compile(r"\b(?:from|born in|native of|accent of|missing (?:in|from)|kidnapped (?:in|from)|lost in|to)\s$")
_EN_BEFORE_SIGHTING = re.compile(r"(?:\b(?:in|at|near|around|outside|inside|of|on|zai)\s|[,.;:!?]\s|^\s*|[\u4e00-\u9fff，。\x00]\s?)$")
_EN_AFTER_ROAD = re.compile(r"\s(?:(?:east|west|south|north|middle|dong|xi|nan|bei|zhong)\s)?(?:road|rd|street|st|avenue|ave|lu|jie|dajie|dadao|lane)\b")
_EN_AFTER_OTHER = re.compile(r"\s(?:accent|police|university|time|duck|noodles?|daily|airlines|dialect|native)\b|[-\s]born\b|ese\b")


@dataclass(frozen=True, slots=True)
class Cue:
    """A verdict on one name and the words it rests on."""

    verdict: Verdict
    because: str = ""


_REFUSALS: tuple[tuple[re.Pattern[str], Verdict], ...] = (
    (_AFTER_ROAD, "road"),
    (_AFTER_ORIGIN, "origin"),
    (_AFTER_INSTITUTION, "institution"),
    (_AFTER_GOODS, "goods"),
    (_AFTER_DESTINATION, "destination"),
    (_AFTER_MISSING, "missing"),
)


def judge(prose: str, start: int, end: int) -> Cue:
    """Judge the name at ``prose[start:end]`` by its surroundings."""
    before = prose[max(0, start - WINDOW) : start]
    if prose[start].isascii():
        return _judge_english(prose, end, before)
    for pattern, verdict in _REFUSALS:
        found = pattern.match(prose, end, end + WINDOW)
        if found:
            return Cue(verdict, found.group())
    found = _BEFORE_ORIGIN.search(before)
    if found:
        return Cue("origin", found.group())
    if _BEFORE_FROM.search(before):
        found = _AFTER_FROM.match(prose, end, end + WINDOW)
        if found:
            return Cue("origin", "从…" + found.group())
    found = _BEFORE_DESTINATION.search(before)
    if found:
        return Cue("destination", found.group())
    if _is_person(prose, start, end, before):
        return Cue("person", prose[start - 1 : end])
    found = _BEFORE_SIGHTING.search(before) or _AFTER_SIGHTING.match(prose, end, end + WINDOW)
    return Cue("sighting", found.group().strip()) if found else Cue("plain")


def _judge_english(prose: str, end: int, before: str) -> Cue:
    found = _EN_AFTER_ROAD.match(prose, end, end + WINDOW)
    if found:
        return Cue("road", found.group())
    found = _EN_AFTER_OTHER.match(prose, end, end + WINDOW)
    if found:
        return Cue("origin", found.group())
    found = _EN_BEFORE_ORIGIN.search(before)
    if found:
        return Cue("origin", found.group())
    found = _EN_BEFORE_SIGHTING.search(before)
    return Cue("sighting", found.group().strip()) if found else Cue("plain")


def _is_person(prose: str, start: int, end: int, before: str) -> bool:
    """``朋友王长春昨晚``: a surname right before a two-character name, behind a word that announces a person."""
    if end - start != 2 or not before or before[-1] not in SURNAMES:
        return False
    return bool(_PERSON_CUE.search(before[:-1]) or _AFTER_PERSON.match(prose, end, end + WINDOW))
