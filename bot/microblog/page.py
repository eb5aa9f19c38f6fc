"""The one web page: a passer-by posts a photo with a text, and sees the bot's answers and the officials' mentions arrive; an
official answers there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from bot.microblog import text as words
from bot.microblog.control import MAX_BODY_BYTES, post_arguments
from bot.microblog.model import Account, Comment, Entry, Role, Side, WorldError
from bot.microblog.pictures import MEDIA_TYPES, received, scaled
from bot.microblog.weibo_shapes import BEIJING
from bot.microblog.world import World

HERE = Path(__file__).parent
SHOWN_POSTS = 60
MAX_PHOTOS = {Side.WEIBO: 9, Side.X: 4}
SAFE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' blob:; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text: plain, a mention (with the ``role`` of the account, if there is one), a topic or a link."""

    kind: str
    text: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A post, answer or comment as the page shows it."""

    anchor: str
    author: Account
    handle: str
    side: Side
    pieces: list[Piece]
    at: datetime
    by_bot: bool
    photos: list[str] = field(default_factory=list)
    place: str = ""
    repost_of: str = ""
    answers: list[Said] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Inbox:
    """An official's mentions, newest first."""

    account: Account
    mentions: list[Said]


@dataclass(frozen=True, slots=True)
class Draft:
    """What stood in the form when it was refused, and why."""

    error: str = ""
    side: str = Side.WEIBO.value
    author: str = "passerby"
    text: str = ""
    place: str = ""
    lat: str = ""
    lon: str = ""


@cache
def _templates() -> Environment:
    """The page's templates, compiled once a process."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["clock"] = lambda at: f"{at.astimezone(BEIJING):%m-%d %H:%M:%S}"
    return made


class Page:
    """The page and its parts. Everything a visitor wrote is escaped by the templates."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._templates = _templates()

    def routes(self) -> list[Route | Mount]:
        """The page's routes."""
        return [
            Route("/", self.show, methods=["GET"]),
            Route("/post", self.post, methods=["POST"]),
            Route("/reply", self.reply, methods=["POST"]),
            Route("/_world/timeline", self.parts, methods=["GET"]),
            Route("/page/photo/{name}", self.photo, methods=["GET"]),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ]

    async def show(self, request: Request) -> Response:
        """The whole page; works without JavaScript."""
        return self._page(Draft())

    async def parts(self, request: Request) -> Response:
        """The timeline and the inboxes alone; 304 where the client has them as they are (ETag)."""
        html = self._templates.get_template("parts.html").render(self._world_parts())
        tag = f'"{hashlib.sha256(html.encode()).hexdigest()[:24]}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        return HTMLResponse(html, headers=SAFE_HEADERS | {"ETag": tag})

    async def photo(self, request: Request) -> Response:
        """A picture for the page itself, apart from the platforms' hosts, so that looking never trips a fault set for them."""
        photo = self.world.photos.get(request.path_params["name"])
        if photo is None:
            return PlainTextResponse("Not Found", 404)
        data = photo.data if "full" in request.query_params else scaled(photo.data, 480)
        kind = MEDIA_TYPES[photo.extension] if data is photo.data else "image/jpeg"
        return Response(data, media_type=kind, headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "max-age=3600"})

    async def post(self, request: Request) -> Response:
        """Take a passer-by's post and go back to the page; a refused one comes back with its text and the reason."""
        async with request.form(max_part_size=MAX_BODY_BYTES, max_files=20) as form:
            draft = Draft(**{name: _field(form, name) for name in ("side", "author", "text", "place", "lat", "lon")})
            files = [await f.read() for f in form.getlist("photos") if isinstance(f, UploadFile) and f.size]
            try:
                entry = self._take(form, files)
            except WorldError as error:
                return self._page(Draft(str(error), draft.side, draft.author, draft.text, draft.place, draft.lat, draft.lon), 400)
        return RedirectResponse(f"/#p{entry.id}", 303)

    async def reply(self, request: Request) -> Response:
        """Take an official's answer to a post or a comment that mentions them, and go back to the page."""
        async with request.form(max_part_size=MAX_BODY_BYTES, max_files=0) as form:
            author, anchor, text = (_field(form, name) for name in ("author", "to", "text"))
            try:
                entry = self._answer(author, anchor, text.strip())
            except WorldError as error:
                return self._page(Draft(str(error)), 400)
        return RedirectResponse(f"/#{entry}", 303)

    def _answer(self, author: str, anchor: str, text: str) -> str:
        """Keep the answer as the platform would, to ``anchor`` ("p" a post's, "c" a comment's number); its own anchor."""
        kind, number = anchor[:1], anchor[1:]
        if self.world.account(author).role is not Role.OFFICIAL:
            raise WorldError("on this page only officials answer")
        if not text or not number.isdecimal():
            raise WorldError("请写点什么 · write something")
        if kind == "c":
            to = self.world.comments.get(int(number))
            if to is None:
                raise WorldError(f"no comment {number}")
            said = f"回复@{self.world.account(to.author).screen_name}:{text}"
            return f"c{self.world.comment(to.post_id, author, said, reply_to=to.id).id}"
        entry = self.world.entry(int(number))
        if entry.side is Side.WEIBO:
            return f"c{self.world.comment(entry.id, author, text).id}"
        said = f"@{self.world.account(entry.author).username} {text}"
        return f"p{self.world.add_post(Side.X, author, said, reply_to=entry.id).id}"

    def _take(self, form: FormData, files: list[bytes]) -> Entry:
        side, author, text, rest = post_arguments(form)
        if self.world.account(author).role is not Role.PASSER_BY:
            raise WorldError("on this page only passers-by post")
        text = text.replace("\r\n", "\n").strip()
        if not text and not files:
            raise WorldError("请写点什么，或附上一张照片 · write something, or attach a photo")
        if len(files) > MAX_PHOTOS[side]:
            raise WorldError(f"最多 {MAX_PHOTOS[side]} 张照片 · at most {MAX_PHOTOS[side]} photos")
        return self.world.add_post(side, author, text, photos=[received(data) for data in files], **rest)

    def _page(self, draft: Draft, status: int = 200) -> Response:
        world = self.world
        passers_by = [a for a in world.accounts.values() if a.role is Role.PASSER_BY]
        hints = {
            "weibo": {"topic": f"#{world.campaign}# ", "mention": f"@{world.bot.screen_name} "},
            "x": {"topic": f"#{world.campaign} ", "mention": f"@{world.bot.username} "},
        }
        html = self._templates.get_template("page.html").render(
            self._world_parts(), draft=draft, passers_by=passers_by, bot=world.bot, hints=hints, max_photos=MAX_PHOTOS
        )
        return HTMLResponse(html, status, headers=SAFE_HEADERS)

    # --- what the templates show ---

    def _world_parts(self) -> dict[str, object]:
        with self.world.lock:
            entries = self.world.timeline()
            comments = self.world.comments_where()
            top = [e for e in entries if e.reply_to is None]
            said = [self._entry(e, entries, comments) for e in top[:SHOWN_POSTS]]
            inboxes = [
                Inbox(account, self._mentions_of(account, entries, comments))
                for account in self.world.accounts.values()
                if account.role is Role.OFFICIAL
            ]
        answered = sum(a.by_bot for s in said for a in s.answers)
        return {"posts": said, "inboxes": inboxes, "answered": answered, "total": len(top)}

    def _entry(self, entry: Entry, entries: list[Entry], comments: list[Comment]) -> Said:
        answers = [self._reply(e) for e in entries if e.reply_to is not None and e.conversation_id == entry.id]
        answers += [self._comment(c) for c in comments if c.post_id == entry.id]
        original = self.world.entries.get(entry.repost_of or 0)
        said = self._reply(entry)
        where = entry.place.name if entry.place else ""
        if entry.geo is not None:
            where = f"{where} {entry.geo[0]:.4f}, {entry.geo[1]:.4f}".strip()
        return Said(
            said.anchor, said.author, said.handle, said.side, said.pieces, said.at, said.by_bot, list(entry.photos), where,
            "" if original is None else f"@{self.world.account(original.author).handle(entry.side)}: {original.text}",
            sorted(answers, key=lambda a: a.at),
        )  # fmt: skip

    def _reply(self, entry: Entry) -> Said:
        author = self.world.account(entry.author)
        pieces = self._pieces(entry.text, entry.side)
        return Said(
            f"p{entry.id}", author, author.handle(entry.side), entry.side, pieces, entry.posted_at, author.role is Role.BOT
        )

    def _comment(self, comment: Comment) -> Said:
        author = self.world.account(comment.author)
        pieces = self._pieces(comment.text, Side.WEIBO)
        bot = author.role is Role.BOT
        return Said(f"c{comment.id}", author, author.screen_name, Side.WEIBO, pieces, comment.posted_at, bot)

    def _mentions_of(self, account: Account, entries: list[Entry], comments: list[Comment]) -> list[Said]:
        named = [self._reply(e) for e in entries if account.key in self.world.mentioned(e)]
        named += [self._comment(c) for c in comments if account.key in self.world.named_in(c.text, Side.WEIBO)]
        return sorted(named, key=lambda s: s.at, reverse=True)

    def _pieces(self, text: str, side: Side) -> list[Piece]:
        spans = [("mention", s) for s in words.mentions(text, side)]
        spans += [("topic", s) for s in words.topics(text, side)] + [("link", s) for s in words.links(text)]
        pieces, at = [], 0
        for kind, span in sorted(spans, key=lambda found: found[1].start):
            if span.start < at:
                continue
            named = self.world.by_handle(side, span.value) if kind == "mention" else None
            pieces += [
                Piece("plain", text[at : span.start]),
                Piece(kind, text[span.start : span.end], named.role.value if named else ""),
            ]
            at = span.end
        return [p for p in [*pieces, Piece("plain", text[at:])] if p.text]


def _field(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""
