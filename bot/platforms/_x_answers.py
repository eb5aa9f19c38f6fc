"""What X's other answers say: the bot's own posts, which ids are gone, who an account is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta

from bot.platforms._json import Json, object_, objects, string, whole_number
from bot.platforms._x_parse import Me, Unreadable, entities, full_text, posted_at, references
from bot.platforms._x_rules import is_handle, is_id, post_url
from store.errors import BadResponse
from store.model import AccountInfo, OwnPost

_GONE = frozenset({"resource-not-found", "not-authorized-for-resource", "disallowed-resource"})
"""Problem types by which X says that something is deleted, or hidden from everyone who may not see it."""


def own_posts(body: Json, me: Me) -> list[OwnPost]:
    """The bot's own posts. Raises BadResponse where one cannot be read: a timeline with holes proves nothing."""
    try:
        return [_own_post(item, me) for item in body.get("data") or ()]
    except Unreadable as error:
        raise BadResponse(f"X GET /2/users/:id/tweets: a post of the bot cannot be read ({error})") from error


def _own_post(item: Json, me: Me) -> OwnPost:
    """With X's t.co links written out again, so that the text is what was sent. Raises Unreadable."""
    if not isinstance(item, Mapping):
        raise Unreadable("not an object")
    post_id = item.get("id")
    if not is_id(post_id):
        raise Unreadable("id: missing or not 1 to 19 digits")
    text = full_text(item)
    for link in entities(item, "urls"):
        short, full = string(link.get("url")), string(link.get("expanded_url"))
        if short and full:
            text = text.replace(short, full)
    reply_to = dict(references(item)).get("replied_to")
    return OwnPost(str(post_id), text, reply_to, posted_at(item, str(post_id)), post_url(me.handle, str(post_id)))


def gone_ids(body: Json) -> frozenset[str]:
    """The ids that a look-up's ``errors`` name as not found, or as no longer to be seen (protected, suspended, withheld)."""
    problems = (e for e in objects(body.get("errors")) if e.get("resource_type", "tweet") in ("tweet", "post"))
    gone = (e.get("resource_id") or e.get("value") for e in problems if str(e.get("type")).rsplit("/", 1)[-1] in _GONE)
    return frozenset(str(i) for i in gone if is_id(i))


def account(body: Json) -> AccountInfo | None:
    """The account in an answer, None where X says that there is none. Raises BadResponse where it says neither."""
    user = object_(body.get("data"))
    if is_id(user.get("id")) and is_handle(user.get("username")):
        return AccountInfo(
            id=str(user["id"]),
            handle=str(user["username"]),
            name=string(user.get("name")),
            verified=user.get("verified") is True,
            verified_type=string(user.get("verified_type")),
            protected=user.get("protected") is True,
        )
    kinds = {str(e.get("type")).rsplit("/", 1)[-1] for e in objects(body.get("errors"))}
    if not user and kinds & _GONE:
        return None
    raise BadResponse("X GET /2/users: neither an account nor that there is none")


def posts_left(body: Json, now: datetime) -> tuple[int, datetime]:
    """Posts that the project may still read, and when the count starts anew: a day's beginning (UTC), as X tells days alone.

    Raises:
        BadResponse: X told no cap or no usage.
    """
    usage = object_(body.get("data"))
    cap, used = whole_number(usage, "project_cap"), whole_number(usage, "project_usage")
    days = whole_number(usage, "cap_reset_day", 366)
    if cap is None or used is None:
        raise BadResponse("X GET /2/usage/tweets: neither cap nor usage")
    day = now.astimezone(UTC).date() + timedelta(days=max(1, 1 if days is None else days))
    return max(0, cap - used), datetime.combine(day, time(), UTC)
