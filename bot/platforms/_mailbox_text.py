"""What a person wrote in a mail: HTML turned to text, quoted conversation and signatures cut off.

One pass over lines with anchored patterns: a hostile mail of a megabyte costs what its length costs, never more.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

MAX_CHARS = 20_000
"""Longer bodies are cut: a post's text is words about a photo."""
_MAX_LINE = 2_000

# The line a mail client puts before what it quotes.
_QUOTE_BEGINS = re.compile(
    r"\s*(?:"
    r"-{2,}\s*(?:Original Message|Forwarded message|原始邮件|原邮件|转发邮件|轉寄郵件|原始郵件)\s*-{2,}"
    r"|-{5,}\s*(?:原始邮件|原始郵件)"
    r"|On\s.{4,200}\swrote:"
    r"|在\s?.{4,200}(?:写道|寫道)[：:]"
    r"|.{4,200}(?:于|於)\s?.{4,100}(?:写道|寫道)[：:]"
    r"|_{20,}"
    r")\s*$",
    re.IGNORECASE,
)
_HEADER_LINE = re.compile(
    r"\s*\*?(?:From|Sent|To|Subject|Date|发件人|发送时间|收件人|主题|日期|寄件者|寄件日期)\*?\s*[:：]", re.IGNORECASE
)
_SIGNATURE = re.compile(
    r"\s*(?:(?:Sent|Envoyé) (?:from|with|via) (?:my|the|Outlook|Mail|Yahoo|Proton)\b.{0,60}"
    r"|发自我的.{1,40}|發自我的.{1,40}|发自.{1,20}邮箱.{0,20}|从我的.{1,30}发送|Get Outlook for .{1,20})\s*$",
    re.IGNORECASE,
)
_FORWARDED = re.compile(r"\s*(?:fwd?|转发|轉寄|wg|tr)\s*[:：]", re.IGNORECASE)


def own_words(body: str, subject: str = "") -> str:
    """``body`` without quoted conversation and signature. A bare forward keeps everything: what it holds is what was sent."""
    lines = [line[:_MAX_LINE].rstrip() for line in body[:MAX_CHARS].replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    kept: list[str] = []
    for number, line in enumerate(lines):
        if line == "--" or _SIGNATURE.match(line) or _begins_quote(lines, number):
            break
        if not line.lstrip().startswith((">", "＞")):
            kept.append(line)
    words = _fold(kept)
    if not words and _FORWARDED.match(subject):
        return _fold([line.lstrip("> ") for line in lines])
    return words


def _begins_quote(lines: list[str], number: int) -> bool:
    """A client's line before a quote, on one line or folded over two, or a block of copied header lines."""
    line = lines[number]
    following = lines[number + 1] if number + 1 < len(lines) else ""
    if _QUOTE_BEGINS.match(line) or (line.startswith(("On ", "在")) and _QUOTE_BEGINS.match(f"{line} {following}".rstrip())):
        return True
    return bool(_HEADER_LINE.match(line) and _HEADER_LINE.match(following))


def _fold(lines: list[str]) -> str:
    """The lines with runs of empty ones folded to one."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Text(HTMLParser):
    """Collects the text a reader sees; quoted blocks and what is never shown are left out."""

    _SILENT = frozenset({"script", "style", "head", "title", "blockquote", "template"})
    _BREAKS = frozenset({"br", "p", "div", "li", "tr", "h1", "h2", "h3", "h4", "hr", "table"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0
        self._length = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._SILENT:
            self._silent += 1
        elif tag in self._BREAKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in self._BREAKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent and self._length < MAX_CHARS:
            self.parts.append(re.sub(r"\s+", " ", data))
            self._length += len(data)


def html_to_text(html: str) -> str:
    """The words of an HTML body, a block a line. Never raises: broken markup gives the words it has."""
    reader = _Text()
    reader.feed(html[: 20 * MAX_CHARS])
    reader.close()
    return "\n".join(line.strip() for line in "".join(reader.parts).split("\n"))
