"""Weibo's Open API, writing: comments/create, comments/reply, statuses/share."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from datetime import timedelta
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.microblog import text as words
from bot.microblog.faults import delay_of
from bot.microblog.model import Account, Publication, Side
from bot.microblog.weibo_errors import WeiboError
from bot.microblog.weibo_gate import Gate, Params
from bot.microblog.weibo_shapes import WeiboShapes
from bot.microblog.world import World

DUPLICATE_WINDOW = timedelta(hours=24)
MAX_PICTURE_BYTES = 5_000_000


class WeiboWriting:
    """The writing endpoints. Each checks first, publishes, records in the ledger, and answers with the new object."""

    def __init__(self, world: World, shapes: WeiboShapes, gate: Gate) -> None:
        self.world = world
        self.shapes = shapes
        self.gate = gate

    def calls(self) -> dict[str, Callable[[Request], Awaitable[Response]]]:
        """Endpoint names and their handlers."""
        return {
            "comments/create": self.create,
            "comments/reply": self.reply,
            "statuses/share": self.share,
            "statuses/update": self.closed,
        }

    async def create(self, request: Request) -> Response:
        """``comments/create``: comment on post ``id``."""
        account, params = await self.gate.enter(request)
        return self._comment(request, account, params, None)

    async def reply(self, request: Request) -> Response:
        """``comments/reply``: answer comment ``cid`` under post ``id``; starts with ``回复@name:`` unless ``without_mention``."""
        account, params = await self.gate.enter(request)
        return self._comment(request, account, params, params.number("cid"))

    async def share(self, request: Request) -> Response:
        """``statuses/share``: a post of one's own, which must hold an address of the app's bound domain (else 10017)."""
        account, params = await self.gate.enter(request)
        text = _checked_text(params, "status")
        _check_rip(params)
        picture = (await request.form()).get("pic")
        data = b"" if picture is None or isinstance(picture, str) else await picture.read()
        if len(data) > MAX_PICTURE_BYTES:
            raise WeiboError(10008, "pic")
        with self.world.lock:
            self._check_share(account, text)
            self.gate.check_posting(account)
            delay = delay_of(request, self.world.rules)
            photos = [data] if data else []
            entry = self.world.add_post(
                Side.WEIBO, account.key, text, photos=photos, visible_after_s=delay, client=self.world.tokens.app_key
            )
            self._record(account, "share", entry.id, text, None, None)
            return JSONResponse(self.shapes.status(entry, "pic_urls"))

    async def closed(self, request: Request) -> Response:
        """``statuses/update`` was closed to apps in 2017: error 10014."""
        await self.gate.enter(request)
        raise WeiboError(10014)

    def _comment(self, request: Request, account: Account, params: Params, cid: int | None) -> Response:
        post_id = params.number("id")
        text = _checked_text(params, "comment")
        _check_rip(params)
        with self.world.lock:
            if self.world.visible(post_id, Side.WEIBO) is None:
                raise WeiboError(20101)
            self._check_comment(account, post_id, cid, text)
            self.gate.check_posting(account)
            shown = text
            if cid is not None and params.number("without_mention", 0) == 0:
                name = self.world.account(self.world.comments[cid].author).screen_name
                shown = f"回复@{name}:{text}"
            delay = delay_of(request, self.world.rules)
            comment = self.world.comment(post_id, account.key, shown, reply_to=cid, visible_after_s=delay)
            self._record(account, "reply" if cid is not None else "comment", comment.id, text, post_id, cid)
            return JSONResponse(self.shapes.comment(comment))

    def _check_comment(self, account: Account, post_id: int, cid: int | None, text: str) -> None:
        if cid is not None:
            target = self.world.comments.get(cid)
            if target is None or target.deleted or target.post_id != post_id:
                raise WeiboError(20201)
        since = self.world.clock() - DUPLICATE_WINDOW
        for said in self.world.ledger.publications:
            if (
                said.author == account.key
                and said.side is Side.WEIBO
                and said.target_id == str(post_id)
                and said.text == text
                and said.at > since
            ):
                raise WeiboError(20019)

    def _check_share(self, account: Account, text: str) -> None:
        if words.topics(text, Side.WEIBO):
            raise WeiboError(10017, "status")
        hosts = [urlsplit(span.value).hostname or "" for span in words.links(text)]
        bound = self.world.rules.bound_domain
        if not any(host == bound or host.endswith("." + bound) for host in hosts):
            raise WeiboError(10017, "status")
        since = self.world.clock() - DUPLICATE_WINDOW
        own = (e for e in self.world.entries.values() if e.author == account.key and e.side is Side.WEIBO)
        if any(e.text == text and e.posted_at > since and not e.deleted for e in own):
            raise WeiboError(20019)

    def _record(self, account: Account, kind: str, number: int, text: str, post_id: int | None, cid: int | None) -> None:
        self.world.publish(
            Publication(
                at=self.world.clock(),
                side=Side.WEIBO,
                kind=kind,
                id=str(number),
                author=account.key,
                text=text,
                target_id=None if post_id is None else str(post_id),
                target_comment_id=None if cid is None else str(cid),
                mentions=self.world.named_in(text, Side.WEIBO),
            )
        )


def _checked_text(params: Params, name: str) -> str:
    text = params.text(name)
    if not text.strip():
        raise WeiboError(20008)
    if words.weibo_length(text) > 140:
        raise WeiboError(20012)
    return text


def _check_rip(params: Params) -> None:
    """``rip``, the operator's real address, is required and must be an IP address."""
    try:
        ipaddress.ip_address(params.text("rip"))
    except ValueError:
        raise WeiboError(10017, "rip") from None
