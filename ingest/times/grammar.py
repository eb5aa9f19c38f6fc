# ruff: noqa: E501
"""The grammar of times: one expression, one named alternative a rule. :mod:`ingest.times.tokens` reads what it finds.

Order matters: longer and more telling rules stand first. A rule's inner groups are named for its reader.
"""

from __future__ import annotations

import re

from ingest.times import calendars
from ingest.times.numbers import MINUTE, NUM

PARTS = {
    "凌晨": "small_hours", "拂晓": "dawn", "黎明": "dawn", "天刚亮": "dawn", "天亮": "dawn", "清晨": "early", "清早": "early",
    "早晨": "early", "早上": "early", "一大早": "early", "大清早": "early", "一早": "early", "大早上": "early", "晨": "early",
    "早": "early", "上午": "forenoon", "正午": "noon", "中午": "noon", "晌午": "noon", "午间": "noon", "午后": "early_afternoon",
    "下午": "afternoon", "下晚": "dusk", "傍晚": "dusk", "黄昏": "dusk", "下班": "dusk", "天黑": "dusk", "晚上": "night", "晚间": "night",
    "夜晚": "night", "当晚": "night", "夜里": "late", "夜间": "late", "夜": "night", "晚": "night", "深夜": "deep", "半夜": "deep",
    "大半夜": "deep", "午夜": "midnight", "子夜": "midnight", "上昼": "forenoon", "下昼": "afternoon", "晏昼": "noon", "朝早": "early",
    "夜晚黑": "night", "in the morning": "morning", "morning": "morning", "early morning": "early", "noon": "noon", "midday": "noon",
    "lunchtime": "noon", "lunch time": "noon", "afternoon": "afternoon", "evening": "evening", "dusk": "dusk", "sunset": "dusk",
    "dawn": "dawn", "sunrise": "dawn", "night": "night", "midnight": "midnight", "late night": "deep",
}  # fmt: skip

MONTHS = {m: i + 1 for i, m in enumerate(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"))}
_EN_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
WEEKDAYS = {d: i for i, d in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}
_EN_DAY = r"(?:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
ZH_DAY = {c: i for i, c in enumerate("一二三四五六日")} | {"天": 6, "末": 5.5} | {str(i + 1): i for i in range(7)}
_EN_NUM = r"(?:\d{1,3}|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"

# After these a number of the month is a house, a bus line, a building, an exit: "3号线", "12号楼", "6号出口".
_NOT_A_DAY = r"(?![线楼门院口店厅台馆街路车出仓桥站坑航检机库房铺棚摊公地码柜桌床床位选球信候称牌文字个弄巷单栋厂矿井令以])"
_ADDRESS = r"(?<![\d.:/a-z路街道巷弄里村院园栋楼层室座段线组第之每])"
_UNIT = r"(?!\s?[\d.:/%-]|\s?(?:[米岁元块万千亿公里斤吨寸尺厘年倍分度折个位名点角多人月]|k[mg]|cm|m\b))"
_NEXT_TO_TIME = r"(?=[日号]|\s*,?\s*(?:[凌清早上中正午下傍晚夜深半]|那天|当天|这天|\d{1,2}[:点时]|[拍看见在于]))"

_FESTIVAL_NAMES = "|".join(
    re.escape(n) + ("日?" if n == "元旦" else "") for n in sorted(set(calendars.NAMES), key=len, reverse=True)
    if n not in {"十一", "五一", "六一", "三八", "五四", "小年", "国庆", "元宵"}
)  # fmt: skip
# Numerals and foods become days only beside a word that says so: 五一广场, 十一岁, 卖元宵.
_FESTIVAL_SAID = r"(?=节|日|期间|假|长假|小?黄金周|那天|那晚|当天|放假|上午|下午|中午|早|晚|夜|凌晨|傍晚)"
_NOT_A_FEAST = r"(?!\s*(?:快乐|将至|快到|快要|临近|回家|团圆|之?前|以前|前夕|礼|路|街|广场|大道|村|社区|小区|公园|桥|站|口岸|学校|小学|中学|版|促销|活动))"

_RULES: tuple[tuple[str, str], ...] = (
    ("iso", r"(?<!\d)(?:19|20)\d\d-\d\d-\d\dt\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:z|[+-]\d\d:?\d\d)?(?!\d)"),
    ("ymd", r"(?<!\d)(?:19|20)\d\d ?(?:年|[-/.]) ?\d{1,2} ?(?:月|[-/.]) ?\d{1,2}(?!\d)(?: ?[日号])?"),
    ("ymd8", r"(?<!\d)20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)"),
    ("ymdzh", r"(?:[二一][〇一二三四五六七八九]{3}|(?<!\d)\d\d)年 ?" + NUM + "月 ?" + NUM + "[日号]"),
    ("ym", r"(?<!\d)(?:(?:19|20)\d\d ?年|(?:19|20)\d\d[-/.])\s?" + NUM + r"(?!\d)月?份?(?:初|上旬|中旬|下旬|底|末)?"),
    ("year", r"(?<!\d)(?:19|20)\d\d年?(?!\d)"),
    (
        "lunar",
        r"(?:(?P<lc>农历|阴历|旧历)(?P<lm>正|腊|冬|闰?[一二三四五六七八九十]|十一|十二)月|(?P<lm2>正|腊|冬)月|(?P<lm3>[一二三四五六七八九十]|十一|十二)月(?=初|廿|(?<=八月)十五(?![日号])))"
        r"(?P<ld>初[一二三四五六七八九十]|廿[一二三四五六七八九]?|(?:二?十|三十)[一二三四五六七八九]?)(?![月个])[日]?",
    ),
    ("newyear", r"(?:大年|年)(?P<nd>初[一二三四五六七八九十])|(?<![一-龥])(?P<nd2>初[一二三四五六七八九十])(?=那天|当天|上午|下午|中午|晚|早|凌晨|傍晚)|大?年(?:三十|卅)"),
    ("monthpart", r"(?:(?P<mb>上个?|本|这个?)月|(?P<mn>" + NUM + r")月份?)(?P<mp>初|上旬|中旬|下旬|底|末)(?!的?工资)"),
    ("md", r"(?:(?P<mdy>今年|去年|前年) ?)?(?<![\d.])(?P<mdm>" + NUM + r") ?月 ?(?P<mdd>" + NUM + r")(?: ?[日号](?!" + r"(?:线|楼|院))|(?![\d个年岁天后前]))"),
    ("month", r"(?:今年|去年) ?" + NUM + r"月(?:份)?|(?<![\d.第])" + NUM + "月份"),
    ("mdslash", r"(?<![\d./:-])(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01])(?![\d/])" + _UNIT + r"(?=[日号]|\s|[,;、.!?()]|$|[^a-z\d])"),
    ("mddot", r"(?<![\d./:a-z-])(?:0?[1-9]|1[0-2])[.](?:(?:0[1-9]|[12]\d|3[01])(?!\d)" + _UNIT + r"|[1-9](?!\d)" + _UNIT + _NEXT_TO_TIME + ")"),
    ("mddash", r"(?<![\d./:a-z-])(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?!\d)" + _UNIT),
    ("ago", r"(?P<an>\d{1,3}(?:\.\d)?|[好十]?几|数|一个半|两个半|两三|三四|四五|五六|七八|一两|半|" + NUM + r")(?P<ab>来|多)?\s?个?(?P<ah>半|多)?\s?(?P<au>小时|钟头|分钟|分|刻钟|天|日|周|星期|礼拜|月|年|min|h)(?P<am>多|左右)?(?:之|以)?前(?![台面往方门期后晚夜])"),
    ("daynum", r"(?P<dm>本月|上个?月|这个月|当月)(?P<dd>" + NUM + r")[日号](?![线楼])"),
    ("bareday", _ADDRESS + r"(?P<bd>(?:[12]\d|3[01]|[1-9])|[二三]?十[一二三四五六七八九]?|[一二三四五六七八九])[日号]" + _NOT_A_DAY + r"(?!前)"),
    ("lastspan", r"(?P<lw>上上|上|这|本)个?(?P<lu>周|星期|礼拜|月)(?![一二三四五六日天末1-7\d初底末上中下刊边围])"),
    ("weekday", r"(?<![一二两三四五六七八九十每几半])(?P<ww>上上|上|这|本|今|下下|下)?个?(?:周|星期|礼拜)(?P<wd>[一二三四五六日天末1-7])(?![岁年次围周大福生\d])"),
    ("rel", r"大前[天日]|(?<![之以目])前[天日](?!前)|(?<![之以目天日前])前(?=[晚夜])|[昨寻琴][天日]|昨儿个?|[昨琴](?=[晚夜早晨午下上中凌傍])|今[天日](?!头条|说法|之|后)|今儿个?|今(?=[晚夜早晨午下上中凌傍])|大?后[天日]|明[天日儿]|明(?=[晚早])|次日|翌日"),
    ("fewdays", r"前(?P<fd>几|两|三|些)[天日]|[这近](?P<fd2>几|两|三)[天日]"),
    ("now", r"刚刚(?!满|会|学|好|出生|够|能|断奶|毕业|结婚)|刚才|方才|适才|啱啱|刚(?=才|拍|看|见|在|路过|经过|遇|发现|从|到|碰|撞|走到)|现在(?=就在|正|仍在|还在|也?在(?!找|家|医院|派出所|救助站))|此刻|此时"),
    ("festival", r"(?P<fn>" + _FESTIVAL_NAMES + r"|(?:元宵|国庆|小年)(?!路|街|广场)|(?:十一|五一|六一|三八|五四|小年|国庆|元宵)" + _FESTIVAL_SAID + r")节?(?:当日)?(?P<fs>期间|长假|假期|小长假|放假|黄金周|假日)?" + _NOT_A_FEAST),
    ("clocks", r"(?<![\d.:])(?:(?P<c1>" + NUM + r")(?:点钟?|时)?\s?(?P<cs>[、,]|到|至|~|-|或)\s?|(?P<c0>[一二三四五六七八](?=[二三四五六七八九][点时])|九(?=十[点时])))(?P<c2>" + NUM + r")(?:点|时)(?!\d)(?P<ct>钟|左右|多|半)?"),
    ("hm", r"(?<![\d.:/])(?P<h>[01]?\d|2[0-4]):(?P<m>[0-5]\d)(?::[0-5]\d)?(?![\d:])\s?(?P<hp>[ap]\.?m\b\.?)?(?P<ht>左右|许|前后|多)?"),
    ("clock", r"(?P<cb>快|将近|接近|临近|不到)?(?<![\d.:第])(?P<ch>" + NUM + r")\s?(?:点|时(?=\d|[左许多整半许]|[二三四五]?十)|(?<=\d)h(?=\d\d))(?:\s?(?P<cq>[一三])刻|(?P<chalf>半)|\s?(?P<cm>" + MINUTE + r")(?![\d个名位岁男女年月天])分?)?(?P<cz>钟)?(?P<cx>多钟?|几分?|来钟|左右|许|上下|前后|过|出头|整)?"),
    ("part", "天刚亮|天亮|凌晨|拂晓|黎明|清晨|大清早|清早|早晨|大?早上|一大早|一早|上午|正午|中午|晌午|午间|午后|下午|下晚|傍晚|黄昏|晚上|晚间|夜晚|当晚|夜里|夜间|大半夜|深夜|半夜|午夜|子夜|上昼|下昼|晏昼|朝早|(?<=[今昨凌])晨|(?<=[今昨天日号一二三四五六末])早(?![点就已餐饭日期安])|(?<=[今昨前当天日号一二三四五六末庆旦秋节夕])[晚夜](?![了餐饭点会安班色市宵])"),
    ("enago", r"\b(?P<en>" + _EN_NUM + r"|half an|a few|few|several|a couple of|couple of)[\s-]?(?P<eu>seconds?|secs?|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|months?|years?)(?P<eh> and a half)? ago\b"),
    ("endate", r"\b(?P<em>" + _EN_MONTH + r") ?(?P<ed>\d{1,2})(?:st|nd|rd|th)?\b(?!:)(?:,? ?(?P<ey>20\d\d|19\d\d)\b)?|\b(?P<ed2>\d{1,2})(?:st|nd|rd|th)? (?:of )?(?P<em2>" + _EN_MONTH + r")\b(?:,? ?(?P<ey2>20\d\d|19\d\d)\b)?"),
    ("enrel", r"\bthe day before yesterday\b|\byesterday\b|\btoday\b|\btonight\b|\blast night\b|\bthis (?=morning|afternoon|evening)|\btomorrow\b|\bthe other day\b"),
    ("enweek", r"\b(?:(?P<ew>last|this|past|next|every|on) )?(?P<ed3>" + _EN_DAY + r")(?P<es>s)?\b(?!\.[a-z])|\b(?P<ew2>last|this|over the|next|every)? ?\bweekend\b|\blast week\b|\blast month\b"),
    ("enclock", r"\b(?P<eb>almost|nearly)?\s?(?P<eq>half past|quarter past|quarter to) (?P<eqh>" + _EN_NUM + r")\b|(?<![\d.:/-])\b(?P<r1>\d{1,2})\s?(?:-|to|or)\s?(?P<r2>\d{1,2})\s?(?P<rp>[ap])\.?m\b\.?|(?<![\d.:/])\b(?P<e1>" + _EN_NUM + r")\s?(?:(?P<ep>[ap])\.?m\b\.?|o'?clock\b)"),
    ("enat", r"\bat (?:about |around )?(?P<ea>1[0-2]|[1-9])\b(?!\s?(?:st|nd|rd|th|[ap]\.?m|years?|kids|children|people|[%/:.-]\d|o'?clock))"),
    ("ennow", r"\bjust now\b|\bright now\b|\bmoments? ago\b|\bjust (?=saw|seen|took|passed|spotted|photographed|met)"),
    ("enpart", r"\b(?:early morning|late night|morning|noon|midday|lunch ?time|afternoon|evening|dusk|sunset|dawn|sunrise|midnight|night)\b"),
)  # fmt: skip

# Only these characters can begin a time; letters only at the head of a word. Nearly every position of a text stops here.
_GATE = (
    r"(?=[\d〇一二三四五六七八九十廿卅两几数好半初刚方适啱现此大前昨寻琴今后明次翌这近上本下周星礼农阴旧正腊冬闰年去当快将接临不"
    r"凌拂黎天清早中晌午傍黄晚夜深子朝晏晨" + "".join(sorted({n[0] for n in calendars.NAMES if not n.isascii()})) + r"]|(?<![a-z])[a-z])"
)

FIND = re.compile(_GATE + "(?:" + "|".join(f"(?P<{name}>{pattern})" for name, pattern in _RULES) + ")")
