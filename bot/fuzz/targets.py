"""The parsers that read what strangers send, each as a function of bytes.

A target raises nothing but the project's own errors: a hostile input may be refused, never escape as another exception.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

import requests

from bot import officials_replies
from bot.casefiles import pfif, tables
from bot.platforms import _mailbox_mime, _mailbox_text, _mastodon_parse, _weibo_parse, _x_parse
from bot.platforms._http import clean, json_body
from ingest.addresses import check_url
from ingest.exif import read_exif
from ingest.sniff import sniff
from ingest.when import resolve_when
from ingest.where import resolve_where
from store.errors import SuishoupaiError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_HOSTS = ("*.sinaimg.cn", "pbs.twimg.com", "127.0.0.1:8765")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _json(data: bytes) -> Any:
    """A body as every adapter takes it from an HTTP answer."""
    response = requests.Response()
    response.status_code, response._content = 200, data
    return json_body(response)


def weibo(data: bytes) -> None:
    """A status, a comment, an answer."""
    body = _json(data)
    reader = _weibo_parse.Reader("https://wx1.sinaimg.cn/large/{pid}.jpg", "https://weibo.com", lambda name: False)
    for read in (reader.post, reader.comment, reader.reply):
        read(body)


def x(data: bytes) -> None:
    """A page of posts with its includes."""
    body = _json(data)
    _x_parse.read_posts(body if isinstance(body, dict) else {"data": [body]}, _x_parse.Me("1", "suishoupai_bot"))


def mastodon(data: bytes) -> None:
    """A status."""
    _mastodon_parse.Reader("1").post(_json(data))


def mail(data: bytes) -> None:
    """A mail as the mailbox gives it; one without a sender is refused by a plain ValueError, which the mailbox records."""
    try:
        _mailbox_mime.read_mail(data, NOW)
    except ValueError as error:
        if type(error) is not ValueError:
            raise


def words(data: bytes) -> None:
    """A post's words: when, where, an official's answer, an opt-out's HTML, a log line."""
    text = _text(data)
    resolve_when(text, NOW)
    resolve_where(text)
    officials_replies.read(text)
    _mailbox_text.html_to_text(text)
    _mailbox_text.own_words(text)
    clean(text, ["secret"])


def address(data: bytes) -> None:
    """A photo's address: whatever is let through is on a host of the list."""
    target = check_url(_text(data), _HOSTS)
    host = (target.host or "").lower()
    assert host in ("pbs.twimg.com", "127.0.0.1") or host.endswith(".sinaimg.cn"), host


def cases(data: bytes) -> None:
    """Case files: PFIF, CSV, XLSX, a mapping."""
    for read in (
        lambda: pfif.read(data, NOW.date()),
        lambda: tables.read_table("a.csv", data, tables.ColumnMap(), NOW.date()),
        lambda: tables.read_table("a.xlsx", data, tables.ColumnMap(), NOW.date()),
        lambda: tables.load_mapping(data),
    ):
        _or_refused(cast(Callable[[], object], read))


def photo_record(data: bytes) -> None:
    """A photo's magic bytes, and its EXIF record as the decoder hands it over."""
    sniff(data)
    tags = _json(data)
    if isinstance(tags, Mapping):
        read_exif(tags)


def _or_refused(read: Callable[[], object]) -> None:
    try:
        read()
    except SuishoupaiError:
        return


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (weibo, x, mastodon, mail, words, address, cases, photo_record)
}


def survives(name: str, data: bytes) -> None:
    """Give ``data`` to a target; a refusal in the project's words is well, everything else is raised."""
    _or_refused(lambda: TARGETS[name](data))


__all__ = ["NOW", "TARGETS", "survives"]
