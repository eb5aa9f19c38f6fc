"""X's API v2, writing: POST and DELETE /2/tweets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bot.microblog import text as words
from bot.microblog.faults import delay_of
from bot.microblog.model import Account, Entry, Publication, Side
from bot.microblog.world import World
from bot.microblog.x_errors import DUPLICATE, NOT_SUMMONED, TARGET_GONE, XError, invalid
from bot.microblog.x_gate import XGate, answered
from bot.microblog.x_shapes import MAX_WEIGHT, XShapes

DUPLICATE_WINDOW = timedelta(hours=24)


def names(world: World, entry: Entry, account: Account) -> bool:
    """True where ``entry`` mentions ``account``, also by answering it; a retweet and one's own post do not count."""
    if entry.repost_of is not None or entry.author == account.key:
        return False
    return account.key in world.mentioned(entry)


@dataclass(frozen=True, slots=True)
class Wish:
    """What ``POST /2/tweets`` asks for, checked."""

    text: str
    reply_to: int | None
    quote_of: int | None
    reply_settings: str
    unnamed_ids: tuple[str, ...]


class XWriting:
    """Checks first, publishes, records in the ledger, and answers with the new post."""

    def __init__(self, world: World, shapes: XShapes, gate: XGate) -> None:
        self.world = world
        self.shapes = shapes
        self.gate = gate

    async def delete(self, request: Request) -> Response:
        """``DELETE /2/tweets/:id``: one's own only."""
        account = self.gate.enter_as_user(request, "delete")
        raw = request.path_params["id"]
        entry = self.world.visible(int(raw), Side.X) if raw.isdigit() else None
        if entry is None:
            return answered(request, {"data": {"deleted": False}})
        if entry.author != account.key:
            raise XError(403, "You are not allowed to delete this Tweet.")
        self.world.delete(entry.id)
        return answered(request, {"data": {"deleted": True}})

    async def create(self, request: Request) -> Response:
        """``POST /2/tweets``: a post, or an answer where its author summoned the caller."""
        account = self.gate.enter_as_user(request, "create")
        wish = _wish(await _json(request))
        with self.world.lock:
            self._check_target(wish, account)
            self._check_repeated(wish, account)
            entry = self.world.add_post(
                Side.X,
                account.key,
                wish.text,
                reply_to=wish.reply_to,
                quote_of=wish.quote_of,
                reply_settings=wish.reply_settings,
                visible_after_s=delay_of(request, self.world.rules),
                client="api",
                unnamed=tuple(a.key for a in self.world.accounts.values() if a.x_id in wish.unnamed_ids),
            )
            self.world.publish(
                Publication(
                    at=self.world.clock(),
                    side=Side.X,
                    kind="post" if wish.reply_to is None else "reply",
                    id=str(entry.id),
                    author=account.key,
                    text=wish.text,
                    target_id=None if wish.reply_to is None else str(wish.reply_to),
                    mentions=self.world.mentioned(entry),
                )
            )
            data = {"id": str(entry.id), "text": self.shapes.shown(entry).text, "edit_history_tweet_ids": [str(entry.id)]}
        return answered(request, {"data": data}, 201)

    def _check_target(self, wish: Wish, account: Account) -> None:
        if wish.reply_to is not None:
            target = self.world.visible(wish.reply_to, Side.X)
            if target is None:
                raise XError(403, TARGET_GONE)
            closed = target.reply_settings != "everyone" or self.world.rules.x_requires_summons
            if closed and not self._summoned(target, account):
                raise XError(403, NOT_SUMMONED)
        if wish.quote_of is not None and self.world.visible(wish.quote_of, Side.X) is None:
            raise XError(403, "You attempted to quote a Tweet that is deleted or not visible to you.")

    def _check_repeated(self, wish: Wish, account: Account) -> None:
        since = self.world.clock() - DUPLICATE_WINDOW
        for own in self.world.entries.values():
            same = own.author == account.key and own.side is Side.X and own.text == wish.text
            if same and own.reply_to == wish.reply_to and own.posted_at > since and not own.deleted:
                raise XError(403, DUPLICATE)

    def _summoned(self, target: Entry, account: Account) -> bool:
        """Self-serve apps may answer where the author named or quoted the caller (or the caller answers itself)."""
        if target.author == account.key or names(self.world, target, account):
            return True
        return target.quote_of is not None and self.world.entry(target.quote_of).author == account.key


def _wish(body: dict[str, Any]) -> Wish:
    known = {"text", "reply", "quote_tweet_id", "reply_settings", "made_with_ai", "nullcast", "for_super_followers_only"}
    if unknown := sorted(set(body) - known):
        raise invalid(unknown[0], str(body[unknown[0]]), f"{unknown[0]} is not a field this server knows")
    text = body.get("text")
    if not isinstance(text, str) or not text.strip():
        raise invalid("text", str(text), "Tweet text is required")
    if words.x_length(text) > MAX_WEIGHT:
        raise XError(400, "Your Tweet text is too long. You cannot exceed 280 weighted characters.", title="Invalid Request")
    reply = body.get("reply", {})
    if not isinstance(reply, dict) or (reply and "in_reply_to_tweet_id" not in reply):
        raise invalid("reply", str(reply), "reply needs in_reply_to_tweet_id")
    unnamed = reply.get("exclude_reply_user_ids", [])
    settings = body.get("reply_settings", "everyone")
    if settings not in ("everyone", "following", "mentionedUsers", "subscribers", "verified"):
        raise invalid("reply_settings", str(settings), "reply_settings is not one of the known")
    return Wish(
        text,
        _post_id("reply.in_reply_to_tweet_id", reply.get("in_reply_to_tweet_id")),
        _post_id("quote_tweet_id", body.get("quote_tweet_id")),
        settings,
        tuple(unnamed) if isinstance(unnamed, list) else (),
    )


def _post_id(name: str, value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.isdigit() or len(value) > 19:
        raise invalid(name, str(value), f"{name} must be a post id")
    return int(value)


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise XError(400, "Requests with bodies must have content-type of application/json.", title="Invalid Request")
    return body
