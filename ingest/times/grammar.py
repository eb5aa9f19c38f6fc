"""The grammar of times: one named rule for each way of writing. :mod:`ingest.times.tokens` reads what they find.

A rule says what a time written so begins with: its first character, or for most numbers the character behind the number (the 月
of 2月9日). So at most positions of a text no rule is tried, and at the others two or three. Among those order matters: longer
and more telling rules stand first. A rule's inner groups are named for its reader; ``{NUM}`` and its like are filled in below.
"""

from __future__ import annotations

import re
from functools import cache

from ingest.times import calendars
from ingest.times.numbers import MINUTE, NUM

PARTS = {
    "凌晨": "small_hours", "拂晓": "dawn", "黎明": "dawn", "天刚亮": "dawn", "天亮": "dawn", "半夜三更": "deep",
    "清晨": "early", "清早": "early", "早晨": "early", "早上": "early", "大早上": "early", "一大早": "early",
    "大清早": "early", "一早": "early", "朝早": "early", "晨": "early", "早": "early",
    "朝": "early", "早高峰": "morning_rush", "晚高峰": "evening_rush", "早饭": "early", "早餐": "early",
    "上午": "forenoon", "上昼": "forenoon",
    "正午": "noon", "中午": "noon", "晌午": "noon", "午间": "noon", "晏昼": "noon",
    "午饭": "noon", "午餐": "noon", "中饭": "noon",
    "午后": "early_afternoon", "下午": "afternoon", "下昼": "afternoon", "放学": "late_afternoon",
    "下晚": "dusk", "傍晚": "dusk", "黄昏": "dusk", "下班": "dusk", "天黑": "dusk", "晚饭": "dinner", "晚餐": "dinner",
    "晚上": "night", "晚间": "night", "夜晚": "night", "当晚": "night", "夜": "night", "晚": "night",
    "夜里": "late", "夜间": "late", "深夜": "deep", "半夜": "deep", "大半夜": "deep", "午夜": "midnight", "子夜": "midnight",
    "early morning": "early", "morning": "morning", "noon": "noon", "midday": "noon", "lunchtime": "noon",
    "lunch time": "noon", "afternoon": "afternoon", "evening": "evening", "dusk": "dusk", "sunset": "dusk",
    "dawn": "dawn", "sunrise": "dawn", "night": "night", "midnight": "midnight", "late night": "deep",
    "lingchen": "small_hours", "zaoshang": "early", "zaochen": "early", "shangwu": "forenoon", "zhongwu": "noon",
    "xiawu": "afternoon", "bangwan": "dusk", "wanshang": "night", "banye": "deep",
}  # fmt: skip
"""Words for a part of the day, and the window of :data:`ingest.times.resolve.WINDOWS` each stands for."""

MONTHS = {
    name: number + 1
    for number, name in enumerate(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"))
}
WEEKDAYS = {name: number for number, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}
WEEKEND = 5.5
ZH_DAY = {c: i for i, c in enumerate("一二三四五六日")} | {"天": 6, "末": WEEKEND} | {str(i + 1): i for i in range(7)}

# Festivals whose names are also numbers or food count only beside a word that says so: 五一广场, 十一岁, 卖元宵.
_AMBIGUOUS_FEASTS = ("十一", "五一", "六一", "三八", "五四", "小年", "国庆", "元宵")


def _any_of(words: list[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_WORDS = {
    "NUM": NUM,
    "MINUTE": MINUTE,
    "YEAR": r"(?:19|20)\d\d",
    "EN_NUM": r"(?:\d{1,3}|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)",
    "EN_MONTH": r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?",
    "EN_DAY": r"(?:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)",
    # A number of the month before these is a bus line, a building, an exit: 3号线, 12号楼, 6号出口.
    "NOT_A_DAY": r"(?![线楼门院口店厅台馆街路车出仓桥站坑航检机库房铺棚摊公地码柜桌床位选球信候称牌文字个弄巷单栋厂矿井令以游])",
    # After these it is a house number: 中山路3号, A3号, 每3日.
    "NO_ADDRESS": r"(?<![\d.:/a-z路街道巷弄里村院园栋楼层室座段线组第之每])",
    # A decimal, a count or a measure, not a month and a day: 1.5米, 2.13元, 3-14岁.
    "NO_UNIT": r"(?![\d.:/%-]|\s?(?:[米岁元块万千亿公里斤吨寸尺厘年倍分度折个位名点角多人月天次路楼室栋小周]"
    r"|地震|事件|晚会|打假|k[mg]|cm|m\b))",
    "BY_A_TIME": r"(?=[日号]|\s*,?\s*(?:[凌清早上中正午下傍晚夜深半]|那天|当天|这天|\d{1,2}[:点时]|[拍看见在于]))",
    "PART_AHEAD": r"[晚夜早晨午下上中凌傍朝]",
    "FEASTS": _any_of([n for n in calendars.NAMES if not n.isascii() and n not in _AMBIGUOUS_FEASTS]),
    "EN_FEASTS": _any_of([n for n in calendars.NAMES if n.isascii()]),
    "FEAST_SAID": r"(?=第[一二三四五六七]天|节|日|期间|假|长假|小?黄金周|那天|那晚|当天|放假|上午|下午|中午|早|晚|夜|凌晨|傍晚)",
    "FEAST_TAIL": r"节?(?:当日)?(?P<{whole}>(?:长假|假期|小长假|放假|黄金周|假日)?的?第[一二三四五六七]天"
    r"|期间|长假|假期|小长假|放假|黄金周|假日|那几天)?"
    r"(?!\s*(?:快乐|将至|快到|快要|临近|回家|团圆|之?前|以前|前夕|礼|路|街|广场|大道|村|社区|小区|公园|桥|站|口岸|学校"
    r"|小学|中学|版|促销|活动|老人|树|帽|歌|粥|蒜|粽|糕|月饼|晚会|上河|饺子))",
    # A bare 晚 or 早 is a part of the day after a day or before a clock: 2月9日晚, 晚8点; not 晚了, 早餐.
    "LONE_PART": r"(?<=[今昨前寻琴当天日号一二三四五六十卅末庆旦秋节夕年]){c}{no}|(?<=\d){c}{no}|(?<=[\d日号天][\s,]){c}{no}"
    r"|(?<![最太很提趁迟早]){c}(?=\s?(?:\d{{1,2}}|[〇一二三四五六七八九十]{{1,3}})[点时:])",
}

_Rule = tuple[str, str, str]
ANY = "any"

# Rules that begin with a number: by its first character.
_WORD_RULES: tuple[_Rule, ...] = (
    ("iso", "12", r"(?<!\d){YEAR}-\d\d-\d\dt\d\d:\d\d(?::\d\d(?:\.\d{{1,9}})?)?(?:z|[+-]\d\d:?\d\d)?(?!\d)"),
    ("ymd8", "2", r"(?<!\d)20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)"),
    ("nfeast", "十五六三", r"(?P<nfn>(?:十一|五一|六一|三八|五四){FEAST_SAID})" + "{FEAST_TAIL_N}"),
    ("zhpart", "一", r"一大早|一早"),
)  # fmt: skip

# Rules that begin with a number: by the character behind it.
_NUMBER_RULES: tuple[_Rule, ...] = (
    ("ymd", "年-/.", r"(?<!\d){YEAR}\s?(?:年|[-/.])\s?\d{{1,2}}\s?(?:月|[-/.])\s?\d{{1,2}}(?!\d)(?:\s?[日号])?"),
    ("ymdzh", "年", r"(?:[二一][〇一二三四五六七八九]{{3}}|(?<!\d)\d\d)年\s?{NUM}月\s?{NUM}[日号]"),
    ("ym", "年-/.", r"(?<!\d)(?:{YEAR}\s?年|{YEAR}[-/.])\s?{NUM}(?!\d)月?份?(?:初|上旬|中旬|下旬|底|末)?"),
    ("yfeast", "年", r"(?<!\d)(?P<fy>{YEAR})\s?年的?(?P<yfn>{FEASTS}|十一|五一|六一|国庆|元宵|小年)" + "{FEAST_TAIL_Y}"),
    ("ymd2", "./-",
     r"(?<![\d.:/-])(?:0[5-9]|[123]\d)(?P<y2>[./-])(?:0?[1-9]|1[0-2])(?P=y2)(?:0?[1-9]|[12]\d|3[01])(?![\d.:/-])"),
    ("dmy", "/.-",
     r"(?<![\d./])(?P<dmy1>\d{{1,2}})(?P<dmysep>[/.-])(?P<dmy2>\d{{1,2}})(?P=dmysep)(?P<dmy3>{YEAR})(?!\d)"),
    ("year", ANY, r"(?<!\d){YEAR}年?(?!\d)"),
    ("nlunar", "月", r"(?P<lm3>[一二三四五六七八九十]|十一|十二)月"
     r"(?:(?P<ld3>初[一二三四五六七八九十]|廿[一二三四五六七八九]?)|(?<=八月)(?P<ld4>十五))"
     r"(?![日号月个])"),
    ("nmonthpart", "月", r"(?P<mn>{NUM})月份?(?P<nmp>初|上旬|中旬|下旬|底|末)(?!的?工资)"),
    ("md", "月", r"(?<![\d.])(?P<mdm>{NUM})\s?月\s?(?P<mdd>{NUM})(?:\s?[日号](?!线|楼|院)|(?![\d个年岁天后前]))"),
    ("month", "月", r"(?<![\d.第])(?P<mon>{NUM})月份"),
    ("mdslash", "/", r"(?<![\d./:-])(?:0?[1-9]|1[0-2])/(?:(?:0[1-9]|[12]\d|3[01])(?![\d/a-z]){NO_UNIT}"
     r"|[1-9](?![\d/a-z]){NO_UNIT}{BY_A_TIME})"
     r"|(?<![^\s,(。:】【])(?:0?[1-9]|1[0-2])/[1-9](?=[\s,)】。]|$)"),
    ("mddot", ".",
     r"(?<![\d./:a-z-])(?:0?[1-9]|1[0-2])\.(?!\d{{1,2}}\s?[ap]\.?m)(?:(?:0[1-9]|[12]\d|3[01])(?!\d){NO_UNIT}"
     r"|[1-9](?!\d){NO_UNIT}{BY_A_TIME})"),
    ("mddash", "-",
     r"(?<![\d./:a-z-])(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])|[1-9]-(?:1[3-9]|2\d|3[01]))(?![\d日号]){NO_UNIT}"),
    ("ago", "来多个半几小钟分刻天日周星礼月年mh.",
     r"(?P<an>\d{{1,3}}(?:\.\d)?|[好十]?几|数|一个半|两个半|两三|三四|四五|五六|七八|一两|半|{NUM})"
     r"(?P<ab>来|多)?\s?个?(?P<ah>半|多)?\s?"
     r"(?P<au>小时|钟头|钟|分钟|分|刻钟|天|日|周|星期|礼拜|月|年|min|h)(?P<am>多|左右)?(?:之|以)?前(?![台面往方门期后])"),
    ("bareday", "日号", r"{NO_ADDRESS}(?P<bd>[12]\d|3[01]|[1-9]|[二三]?十[一二三四五六七八九]?|[一二三四五六七八九])[日号]"
     r"{NOT_A_DAY}(?!前)"),
    ("clocks", "点时、,到至~-或", r"(?<![\d./])(?<!\d:)(?:(?P<c1>{NUM})(?:点钟?|时)?\s?(?P<cs>[、,]|到|至|~|-|或)\s?"
     r"|(?P<c0>[一二三四五六七八](?=[二三四五六七八九][点时])|九(?=十[点时])))(?P<c2>{NUM})[点时](?!\d)(?P<ct>钟|左右|多|半)?"),
    ("hm", ":", r"(?<![\d./])(?<!\d:)(?P<h>[01]?\d|2[0-4]):(?P<m>[0-5]\d)(?::[0-5]\d)?(?![\d:])"
     r"\s?分?(?P<hp>[ap]\.?m\b\.?)?(?P<ht>左右|许|前后|多)?"),
    ("rangepm", "-to", r"(?<![\d.:/-])\b(?P<r1>\d{{1,2}})\s?(?:-|to|or)\s?(?P<r2>\d{{1,2}})\s?(?P<rp>[ap])\.?m\b\.?"),
    ("clockpm", ".apo",
     r"(?<![\d.:/])\b(?P<e1>\d{{1,2}})(?:\.(?P<e2>[0-5]\d))?\s?(?:(?P<ep>[ap])\.?m\b\.?|o'?clock\b)"),
    ("enago", "-smhdnwy", r"\b(?P<en>\d{{1,3}})[\s-]?{EN_AGO}"),
    ("endmy", "snrtojfmad",
     r"\b(?P<ed2>\d{{1,2}})(?:st|nd|rd|th)?\s(?:of\s)?(?P<em2>{EN_MONTH})(?![a-z])(?:,?\s?(?P<ey2>{YEAR})\b)?"),
    ("pyclock", "d", r"\b(?P<pyh>\d{{1,2}})\s?dian\b(?:\s?(?P<pyhalf>ban)\b)?"),
    ("clock", "点时h", r"(?<![\d./第])(?<!\d:)(?P<ch>{NUM}){CLOCK_TAIL}"),
)  # fmt: skip

_FEAST_HEADS = "".join(sorted({name[0] for name in calendars.NAMES if not name.isascii()})) + "过国小"
_CHINESE_RULES: tuple[_Rule, ...] = (
    ("lunar", "农阴旧正腊冬", r"(?:(?:农历|阴历|旧历)(?P<lm>正|腊|冬|闰?[一二三四五六七八九十]|十一|十二)月"
     r"|(?P<lm2>正|腊|冬)月)"
     r"(?P<ld>初[一二三四五六七八九十]|廿[一二三四五六七八九]?|(?:二?十|三十)[一二三四五六七八九]?)(?![月个])日?"),
    ("newyear", "大年初", r"(?:大年|(?<![今去前明本每\d])年)(?P<nd>初[一二三四五六七八九十])(?![直起些个定])"
     r"|(?<![一-龥])(?P<nd2>初[一二三四五六七八九十])"
     r"(?=那天|当天|上午|下午|中午|晚|早|凌晨|傍晚)"
     r"|(?:大年|(?<![今去前明本每几\d〇一二三四五六七八九十多整全])年)(?:三十|卅)(?![多几来岁一二三四五六七八九个])"),
    ("monthpart", "上本这", r"(?P<mb>上个?|本|这个?)月(?P<mp>初|上旬|中旬|下旬|底|末)(?!的?工资)"),
    ("mdy", "今去前", r"(?P<mdyw>今年|去年|前年)的?\s?(?P<ymdm>{NUM})\s?月(?:\s?(?P<ymdd>{NUM})[日号]?|份|(?=[,。\s的]|$))"),
    ("wfeast", "今去前", r"(?P<wfy>今年|去年|前年)的?(?P<wfn>{FEASTS}|十一|五一|六一|国庆|元宵|小年)" + "{FEAST_TAIL_W}"),
    ("vago", "几好十数半", r"(?P<van>[好十]?几|数|半|两三)(?P<vab>来|多)?\s?个?(?P<vah>半|多)?\s?"
     r"(?P<vau>小时|钟头|钟|分钟|分|刻钟|天|日|周|星期|礼拜|月|年)"
     r"(?P<vam>多|左右)?(?:之|以)?前(?![台面往方门期后])"),
    ("daynum", "本上这当", r"(?P<dm>本月|上个?月|这个月|当月)(?P<dd>{NUM})[日号](?![线楼])"),
    ("lastspan", "上这本", r"(?P<lw>上上|上|这|本)个?(?P<lu>周|星期|礼拜|月)(?![一二三四五六日天末1-7\d初底末上中下刊边围])"),
    ("weekday", "上这本今下周星礼", r"(?<![一二两三四五六七八九十每几半])(?P<ww>上上|上|这|本|今|下下|下)?个?"
     r"(?:周|星期|礼拜)(?P<wd>[一二三四五六日天末1-7])(?![岁年次围大福生]|周(?![口庄至村宁]))"),
    ("rel", "大前昨寻琴今后明次翌",
     r"大前[天日]|(?<![之以目])前[天日](?!前)|前儿个?(?={PART_AHEAD})|(?<![之以目天日前])前(?=[晚夜])"
     r"|[昨寻琴][天日]|昨儿个?|寻(?=晚)|[昨琴](?={PART_AHEAD})|(?<!年)(?<!年的)今[天日](?!头条|说法|之|后|的社会|这个社会|的中国|的孩子)|今儿个?|今(?={PART_AHEAD})(?!晚报(?![警案道]))"
     r"|大?后[天日]|明[天日儿]|明(?=[晚早])"
     r"|次日|翌日"),
    ("fewdays", "前这近", r"前(?P<fd>几|两|三|些)[天日]|[这近](?P<fd2>几|两|三)[天日]"),
    ("now", "头先一现刚方适啱此", r"头先|先头|一会儿?(?:之|以)?前"
     r"|(?<=[,\s。])现在(?=[!。]|$)|刚刚(?!满|会|学|好|出生|够|能|断奶|毕业|结婚)|刚才|方才|适才|啱啱"
     r"|刚(?=才|拍|看|见|在|路过|经过|遇|发现|从|到|碰|撞|走|回|下班|下车|出[门站地]|逛)"
     r"|现在(?=就在|正|仍在|还在"
     r"|也?在(?!找|家|医院|派出所|救助站))"
     r"|此刻|此时"),
    ("feast", _FEAST_HEADS, r"(?P<fn>{FEASTS}|过年(?=的时候|期间|时|那)|(?:元宵|国庆|小年){FEAST_SAID}"
     r"|(?<![卖吃煮买做送碗包汤个李王张刘陈])(?:元宵|国庆|小年)(?=[,。!\s]|$))" + "{FEAST_TAIL_F}"),
    ("almost", "快将接临不", r"(?P<cb>快|将近|接近|临近|不到)(?P<ach>{NUM}){CLOCK_TAIL_A}"),
    ("part", "早晚天凌拂黎清大上正中晌午下傍黄夜深半子当朝晏晨放",
     r"[早晚]高峰|天刚亮|天亮|凌晨|拂晓|黎明|清晨|大清早|清早|早晨|大?早上|上午|正午|中午|晌午|午间|午后"
     r"|下午|下晚|傍晚|黄昏"
     r"|晚上|晚间|夜晚|当晚|夜里|夜间|大半夜|深夜|半夜三更|半夜|午夜|子夜|上昼|下昼|晏昼|朝早|(?<=[今昨凌])晨|(?<=[今昨寻琴])朝"
     r"|(?:[早午晚]饭|[早午晚]餐|中饭|下班|放学)(?:时间|时候|时分|时|的时候|那会儿?|后|前后|路上|途中|高峰|(?=路过|经过|回家))"
     r"|天(?:刚)?黑(?=了|后|的时候|以后|之后)|{LONE_EARLY}|{LONE_NIGHT}"),
)  # fmt: skip

_EN_FEAST_HEADS = "".join(sorted({name[0] for name in calendars.NAMES if name.isascii()}))
_ENGLISH_RULES: tuple[_Rule, ...] = (
    ("pyday", "dzqj", r"\b(?:(?:da\s?qian|qian|zuo|jin)\s?tian|(?:zuo|jin)\s?wan)\b"),
    ("pypart", "lzsxbw",
     r"\b(?:ling\s?chen|zao\s?shang|zao\s?chen|shang\s?wu|zhong\s?wu|xia\s?wu|bang\s?wan|wan\s?shang|ban\s?ye)\b"),
    ("pynow", "g", r"\bgang\s?(?:gang|cai)\b"),
    ("wago", "ahfscoten", r"\b(?P<wen>{EN_NUM}|half an|a few|few|several|a couple of|couple of)[\s-]?{EN_AGO_W}"),
    ("endate", "jfmasond",
     r"\b(?P<em>{EN_MONTH})\s?(?P<ed>\d{{1,2}})(?:st|nd|rd|th)?\b(?!:)(?:,?\s?(?P<ey>{YEAR})\b)?"),
    ("enrel", "ytl",
     r"\bthe day before yesterday\b|\byesterday\b|\btoday\b(?!'s)|\btonight\b|\bthe night before last\b|\blast night\b"
     r"|\bthis (?=morning|afternoon|evening)|\btomorrow\b|\bthe other day\b"),
    ("enweek", "ltpneomwfs", r"\b(?:(?P<ew>last|this|past|next|every|on)\s)?(?P<ed3>{EN_DAY})(?P<es>s)?\b(?!\.[a-z])"
     r"|\b(?:(?P<ew2>last|this|over the|next|every)\s)?weekend\b|\blast week\b|\blast month\b"),
    ("enfeast", _EN_FEAST_HEADS, r"\b(?P<enf>{EN_FEASTS})\b"),
    ("pmclock", "ap", r"\b(?P<pmh>[ap])m\s?(?P<pm1>\d{{1,2}})(?:[:点](?P<pm2>[0-5]\d))?(?!\d)[点分]?"),
    ("half", "hq", r"\b(?P<eq>half past|quarter past|quarter to)\s(?P<eqh>{EN_NUM})\b"),
    ("wclock", "aotfsen", r"\b(?P<we1>{EN_NUM})\s(?:(?P<wep>[ap])\.?m\b\.?|o'?clock\b)"),
    ("enat", "a", r"\bat\s(?:about\s|around\s)?(?P<ea>1[0-2]|[1-9])"
     r"(?=\s?(?:[,!?;)]|\.(?!\d)|$|in the|this|on\s|yesterday|today|last|tonight|near|outside|i\s|we\s|sharp))"
     r"|(?<=night\s)(?:around|about)\s(?P<ea2>1[0-2]|[1-9])\b(?!\s?[a-z:.]|[:.]\d)"
     r"|\b(?:around|about)\s(?P<ea3>1[0-2]|[1-9])"
     r"(?=\s(?:last night|yesterday|this (?:morning|evening|afternoon)|in the|tonight))"),
    ("ennow", "jrm",
     r"\bjust now\b|\bright now\b|\bmoments? ago\b|\bjust (?=saw|seen|took|passed|spotted|photographed|met)"),
    ("enpart", "elmnads", r"\b(?:early morning|late night|morning|noon|midday|lunch ?time|afternoon"
     r"|evening|dusk|sunset|dawn|sunrise|midnight|night)\b"),
)  # fmt: skip

_CLOCK_TAIL = (
    r"\s?(?:点(?!钟?方向)|时(?=\d|[左许多整半]|[二三四五]?十)|(?<=\d)时(?![间候代常段尚不有而光速刻装])|(?<=\d)h(?=\d\d))"
    r"(?:\s?(?P<cq{s}>[一三])刻|(?P<chalf{s}>半)|\s?(?P<cm{s}>" + MINUTE + r")(?![\d个名位岁男女年月天])分?)?(?P<cz{s}>钟)?"
    r"(?P<cx{s}>多钟?|几分?|来钟|左右|许|上下|前后|过(?!去|来)|出头|不到|整)?"
)
_EN_AGO = (
    r"(?P<eu{s}>seconds?|secs?|minutes?|mins?|m|hours?|hrs?|h|days?|nights?|d|weeks?|months?|years?)"
    r"(?P<eh{s}> and a half)?(?: or (?:so|two))? ago\b"
)


_NUMBERS = r"\d〇一二三四五六七八九十廿卅两"
# A number in a time is followed by one of these: 一个小孩 and 两名 stop here.
_TAILS = r"[年月日号点时:./~\-半几多来、,到至或天周分刻星礼小钟a-z]|个(?=[半多小钟月星礼])"
# What a time in Chinese words begins with; characters of everyday words only together with the next one.
_RARE_HEADS = "农阴旧正腊冬初本今去前几半周星礼昨寻琴后明次翌近刚方适啱头现此快将接临凌拂黎清早晌午傍黄晚夜深朝晏晨放"
_RARE_HEADS += "".join(sorted({name[0] for name in calendars.NAMES if not name.isascii()} - set(_RARE_HEADS + "小大中年")))
_PAIRED_HEADS = [
    "子夜", "不到", "大[前后年清早半]", "上[上个午月周星礼昼]", "先头", "一会", "下[下个午周星礼班晚昼]", "中[午饭秋元]",
    "天[刚亮黑]", "年[初三卅]", "这[个周几两星礼月]", "好几", "数[小分天日周月年个]", "当[晚月]", "过年", "小年",
]  # fmt: skip

HEAD = re.compile(
    rf"[{_NUMBERS}a-z{_RARE_HEADS}{''.join(pair[0] for pair in _PAIRED_HEADS)}]"
    rf"(?:(?<=[{_NUMBERS}])(?:(?=[{_NUMBERS}]{{0,3}}\s?({_TAILS}))|(?=\d{{7}})|(?<=[十五六三])[一八四]|(?<=一)[大早])"
    rf"|(?<=[{_RARE_HEADS}])|{'|'.join(f'(?<={pair[0]}){pair[1:]}' for pair in _PAIRED_HEADS)}|(?<=[a-z])(?<![a-z][a-z]))",
    re.ASCII,
)
"""Where a time may begin, and (group 1) the character behind its first number. It opens with a plain set of characters, so that
the regex engine passes over all others at once."""

RULES = (*_WORD_RULES, *_NUMBER_RULES, *_CHINESE_RULES, *_ENGLISH_RULES)
"""(name, what it begins with, pattern) of every rule, before its placeholders are filled."""


def _compiled(rules: tuple[_Rule, ...]) -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    words = dict(_WORDS)
    words |= {f"FEAST_TAIL_{s}": _WORDS["FEAST_TAIL"].format(whole=f"fs{s.lower()}") for s in "YNWF"}
    words |= {"CLOCK_TAIL": _CLOCK_TAIL.format(s=""), "CLOCK_TAIL_A": _CLOCK_TAIL.format(s="a")}
    words |= {"EN_AGO": _EN_AGO.format(s=""), "EN_AGO_W": _EN_AGO.format(s="w")}
    words |= {"LONE_EARLY": _WORDS["LONE_PART"].format(c="早", no="(?![点就已餐饭日期安])")}
    words |= {"LONE_NIGHT": _WORDS["LONE_PART"].format(c="[晚夜]", no="(?![了餐饭点会安班色市宵]|报(?![警案道]))")}
    # ASCII: so that \b stands between a Latin and a Chinese character
    return tuple((name, begins, re.compile(pattern.format(**words), re.ASCII)) for name, begins, pattern in rules)


_WORDED, _NUMBERED, _SAID = _compiled(_WORD_RULES), _compiled(_NUMBER_RULES), _compiled((*_CHINESE_RULES, *_ENGLISH_RULES))


@cache
def rules_for(head: str, tail: str | None) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The rules that may read a time beginning with ``head`` whose first number, if it has one, is followed by ``tail``."""
    worded = [(name, rule) for name, begins, rule in _WORDED if head in begins]
    numbered = [(name, rule) for name, begins, rule in _NUMBERED if tail is not None and (tail in begins or begins == ANY)]
    return (*worded, *numbered, *((name, rule) for name, begins, rule in _SAID if head in begins))
