"""The control interface under ``/_world/``: what a demo, a test or an auditor does to the world, as JSON over HTTP."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.microblog.faults import Faults, fault_from_json
from bot.microblog.model import Account, Entry, PlaceTag, Publication, Role, Side, WorldError
from bot.microblog.world import World
from bot.microblog.x_shapes import place_id

Json = dict[str, Any]
MAX_BODY_BYTES = 200 * 1024 * 1024


async def on_world_error(request: Request, error: Exception) -> Response:
    """Starlette's handler of WorldError: 400 with a sentence."""
    return JSONResponse({"error": str(error)}, 400)


class Control:
    """Routes under ``/_world``. Times are ISO 8601 with offset."""

    def __init__(self, world: World, faults: Faults) -> None:
        self.world = world
        self.faults = faults

    def routes(self) -> list[Route]:
        """Every control route."""
        table: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
            ("GET", "/health", self.health),
            ("GET", "/accounts", self.accounts),
            ("POST", "/accounts", self.add_account),
            ("GET", "/credentials", self.credentials),
            ("GET", "/posts", self.posts),
            ("POST", "/posts", self.add_post),
            ("DELETE", "/posts/{id:int}", self.delete_post),
            ("POST", "/posts/{id:int}/repost", self.repost),
            ("POST", "/posts/{id:int}/comments", self.comment),
            ("GET", "/ledger", self.ledger),
            ("GET", "/faults", self.list_faults),
            ("POST", "/faults", self.add_fault),
            ("DELETE", "/faults", self.clear_faults),
            ("POST", "/tokens", self.tokens),
            ("GET", "/rules", self.show_rules),
            ("POST", "/rules", self.set_rules),
        ]
        return [Route(f"/_world{path}", endpoint, methods=[method]) for method, path, endpoint in table]

    async def health(self, request: Request) -> Response:
        """Whether the server is up, and how often the world changed."""
        return JSONResponse({"ok": True, "version": self.world.version, "now": self.world.clock().isoformat()})

    # --- accounts ---

    async def accounts(self, request: Request) -> Response:
        """Every account."""
        return JSONResponse([account_json(a) for a in self.world.accounts.values()])

    async def add_account(self, request: Request) -> Response:
        """Add an account; the fields of :meth:`World.add_account`, ``role`` one of official, passer_by."""
        body = await _object(request)
        try:
            role = Role(str(body.pop("role", Role.PASSER_BY.value)))
        except ValueError:
            raise WorldError(f"unknown role; known: {', '.join(Role)}") from None
        names = [str(body.pop(name, "")) for name in ("key", "screen_name", "username")]
        if created := body.pop("created_at", None):
            body["created_at"] = _moment(str(created))
        try:
            account = self.world.add_account(names[0], role, names[1], names[2], **body)
        except TypeError as error:
            raise WorldError(f"an account cannot be made of this: {error}") from error
        return JSONResponse(account_json(account), 201)

    async def credentials(self, request: Request) -> Response:
        """The bot's local credentials."""
        return JSONResponse(asdict(self.world.credentials))

    async def tokens(self, request: Request) -> Response:
        """Expire, revoke or renew an account's tokens: ``{"account": "bot", "do": "expire" | "revoke" | "renew"}``."""
        body = await _object(request)
        account = self.world.account(str(body.get("account", "bot")))
        match body.get("do"):
            case "expire":
                self.world.tokens.expire(account.key, self.world.clock())
            case "revoke":
                self.world.tokens.revoke(account.key)
            case "renew":
                self.world.tokens.renew(account, self.world.clock())
            case other:
                raise WorldError(f"'do' is one of expire, revoke, renew; not {other!r}")
        return JSONResponse({"ok": True})

    # --- posts ---

    async def posts(self, request: Request) -> Response:
        """Every visible post, newest first, comments with it."""
        return JSONResponse([self.post_json(e) for e in self.world.timeline()])

    async def add_post(self, request: Request) -> Response:
        """Post as anybody: a form (multipart) with side, author, text, photos (files), and what :func:`post_arguments` reads."""
        async with request.form(max_part_size=MAX_BODY_BYTES) as form:
            photos = [await f.read() for f in form.getlist("photos") if isinstance(f, UploadFile)]
            side, author, text, rest = post_arguments(form)
        entry = self.world.add_post(side, author, text, photos=photos, **rest)
        return JSONResponse(self.post_json(entry), 201)

    async def delete_post(self, request: Request) -> Response:
        """Delete a post."""
        self.world.delete(request.path_params["id"])
        return JSONResponse({"ok": True})

    async def repost(self, request: Request) -> Response:
        """Repost: ``{"author", "text"}``."""
        body = await _object(request)
        entry = self.world.repost(request.path_params["id"], str(body.get("author", "")), str(body.get("text", "")))
        return JSONResponse(self.post_json(entry), 201)

    async def comment(self, request: Request) -> Response:
        """Comment on a Weibo post: ``{"author", "text", "reply_to"}``."""
        body = await _object(request)
        answered = body.get("reply_to")
        comment = self.world.comment(
            request.path_params["id"],
            str(body.get("author", "")),
            str(body.get("text", "")),
            reply_to=None if answered is None else int(answered),
        )
        return JSONResponse({"id": str(comment.id)}, 201)

    def post_json(self, entry: Entry) -> Json:
        """A post as the control interface shows it."""
        return {
            "id": str(entry.id),
            "side": entry.side.value,
            "author": entry.author,
            "text": entry.text,
            "posted_at": entry.posted_at.isoformat(),
            "photos": list(entry.photos),
            "reply_to": None if entry.reply_to is None else str(entry.reply_to),
            "repost_of": None if entry.repost_of is None else str(entry.repost_of),
            "comments": [
                {"id": str(c.id), "author": c.author, "text": c.text}
                for c in reversed(self.world.comments_where(post_id=entry.id))
            ],
        }

    # --- the ledger, faults, rules ---

    async def ledger(self, request: Request) -> Response:
        """Everything said through the APIs, what was refused, and how often each path was called."""
        with self.world.lock:
            ledger = self.world.ledger
            body = {
                "publications": [publication_json(p) for p in ledger.publications],
                "repeated": [publication_json(p) for p in ledger.repeated()],
                "refusals": [asdict(r) | {"at": r.at.isoformat()} for r in ledger.refusals],
                "calls": dict(ledger.calls),
            }
        return JSONResponse(body)

    async def list_faults(self, request: Request) -> Response:
        """Faults that are still to strike."""
        return JSONResponse({"set": self.faults.listed(), "struck": len(self.faults.struck)})

    async def add_fault(self, request: Request) -> Response:
        """Set a fault: the fields of :class:`bot.microblog.faults.Fault`."""
        self.faults.add(fault_from_json(await _object(request)))
        return JSONResponse({"ok": True}, 201)

    async def clear_faults(self, request: Request) -> Response:
        """Take every fault back."""
        self.faults.clear()
        return JSONResponse({"ok": True})

    async def show_rules(self, request: Request) -> Response:
        """The platforms' limits."""
        return JSONResponse(asdict(self.world.rules))

    async def set_rules(self, request: Request) -> Response:
        """Change some of the platforms' limits: the fields of :class:`bot.microblog.rules.Rules`."""
        body = await _object(request)
        rules = self.world.rules
        known = {f.name: type(getattr(rules, f.name)) for f in fields(rules)}
        for name, value in body.items():
            if name not in known:
                raise WorldError(f"unknown rule {name!r}; known: {', '.join(known)}")
            if not isinstance(value, known[name]) and not (known[name] is float and type(value) is int):
                raise WorldError(f"rule {name!r} cannot be {value!r}")
        for name, value in body.items():
            setattr(rules, name, value)
        return JSONResponse(asdict(rules))


def post_arguments(form: FormData) -> tuple[Side, str, str, Json]:
    """Side, author, text and the keyword arguments of :meth:`World.add_post` from a form's text fields.

    ``lat``/``lon`` (degrees), ``place`` (a name), ``place_bbox`` (west,south,east,north), ``place_kind``, ``posted_at``
    (ISO 8601 with offset), ``reply_to``, ``quote_of``, ``reply_settings``, ``visible_after_s``. Raises WorldError.
    """

    def given(name: str) -> str:
        value = form.get(name, "")
        return value.strip() if isinstance(value, str) else ""

    try:
        side = Side(given("side"))
    except ValueError:
        raise WorldError(f"side is one of {', '.join(Side)}") from None
    rest: Json = {}
    try:
        geo = (float(given("lat")), float(given("lon"))) if given("lat") or given("lon") else None
        for name, kind in (("reply_to", int), ("quote_of", int), ("visible_after_s", float)):
            if given(name):
                rest[name] = kind(given(name))
        bbox = tuple(float(v) for v in given("place_bbox").split(",")) if given("place_bbox") else None
    except ValueError as error:
        raise WorldError(f"not a number: {error}") from None
    if geo is not None and not (-90 <= geo[0] <= 90 and -180 <= geo[1] <= 180):
        raise WorldError(f"no place on earth: latitude {geo[0]}, longitude {geo[1]}")
    rest["geo"] = geo
    if given("place"):
        box = (bbox[0], bbox[1], bbox[2], bbox[3]) if bbox is not None and len(bbox) == 4 else None
        lat, lon = geo or (None, None)
        rest["place"] = PlaceTag(place_id(given("place")), given("place"), lat, lon, box, given("place_kind") or "poi")
    if given("posted_at"):
        rest["posted_at"] = _moment(given("posted_at"))
    if given("reply_settings"):
        rest["reply_settings"] = given("reply_settings")
    text = form.get("text", "")
    return side, given("author"), text if isinstance(text, str) else "", rest


def account_json(account: Account) -> Json:
    """An account as JSON."""
    return asdict(account) | {"created_at": account.created_at.isoformat()}


def publication_json(publication: Publication) -> Json:
    """A publication as JSON."""
    return asdict(publication) | {"at": publication.at.isoformat(), "mentions": list(publication.mentions)}


def _moment(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise WorldError(f"{value!r} is not a time in ISO 8601") from None


async def _object(request: Request) -> Json:
    try:
        body = json.loads(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise WorldError("the body must be a JSON object")
    return body
