"""One spelling for the reader of times, keeping every character's position so that spans still mark the original text."""

from __future__ import annotations

import re

_PAIRS = (
    "點点鐘钟鍾钟號号後后個个週周禮礼節节時时兩两幾几臘腊閏闰國国慶庆間间剛刚這这從从過过轉转擴扩蹤踪丟丢發发現现見见處处當当"
    "開开聖圣誕诞陽阳啱刚囝囝爺爷孫孙來来頭头門门樓楼線线歲岁電电話话尋寻萬万們们動动總总習习慣惯麼么會会還还將将約约關关請请"
    "們们別别報报導导賣卖廣广場场裡里裏里陰阴農农歷历曆历許许飯饭淩凌舊旧據据聞闻佈布兒儿經经離离聯联晝昼團团臨临員员遲迟裝装"
    "準准"
)

_TABLE: dict[int, str] = {ord(a): b for a, b in zip(_PAIRS[::2], _PAIRS[1::2], strict=True)}
_TABLE |= {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}  # full-width forms
_TABLE |= {ord("A") + i: chr(ord("a") + i) for i in range(26)}
_TABLE |= {0xFF21 + i: chr(ord("a") + i) for i in range(26)}
_TABLE |= {ord(a): b for a, b in zip("～〜—–－〰　\u00a0\u202f\t’‘零", "~~---~    ''〇", strict=True)}

FILLER = "\u25a1"
"""Stands in for characters that are not prose; no rule matches it."""

_NOT_PROSE = re.compile(
    # The lookahead names the first characters of all of them: most positions of a text stop there.
    r"(?=[h@#\[+\d京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼])(?:https?://[^\s\u3000-\u9fff]{1,300}"
    r"|@[\w\-·]{1,30}"
    r"|#[^#\s]{1,60}#|#\w{1,60}"
    r"|\[[\w]{1,8}\]"  # Weibo's emoticons, [泪]
    r"|(?<!\d)(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)"  # mobile numbers
    r"|(?<!\d)0\d{2,3}[- ]\d{7,8}(?!\d)|(?<!\d)[48]00[- ]?\d{3,4}[- ]?\d{3,4}(?!\d)"
    r"|(?<!\d)(?!(?:19|20)\d{6}(?!\d))\d{7,}"  # QQ, account and identity numbers
    r"|[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][a-z][ ·.]?"  # licence plates
    r"(?=[a-z]{0,5}\d)[a-z0-9]{5,6}(?![a-z0-9]))"
)


def normalise(text: str) -> str:
    """Map full-width, Traditional and upper-case characters to one form, one character for one character."""
    return text.translate(_TABLE)


def mask(normalised: str) -> str:
    """Blank out links, mentions, hashtags, telephone and identity numbers and plates, keeping the length."""
    return _NOT_PROSE.sub(lambda m: FILLER * len(m[0]), normalised)
