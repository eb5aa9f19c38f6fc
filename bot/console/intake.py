"""The public form for those without Weibo or X, and the sender's receipt.

``/report`` takes photos, when, where and a note; ``/report/CODE`` is the receipt: it shows the bot's answer and takes the
submission back. The code is in the sender's hands alone; the store knows a submission by the code's digest, so that nobody
who reads the database can open a receipt.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.console.i18n import language, words
from bot.console.intakeguard import Guard
from bot.console.parts import NavEntry, Parts, form_of, parts_of
from bot.console.render import go, render
from bot.console.security import FORM_BYTES, everyone
from bot.platforms.intake import NAME, Settings
from ingest.photo import Photo
from store import alerts, audit, media, photos, posts, sightings
from store.errors import NotFound, PhotoRefused, PhotoUnavailable
from store.model import AlertState, Author, Media, MessageKind, Post, Stream, StreamKind
from store.posts import Step

NAV: tuple[NavEntry, ...] = ()

MAX_NOTE = 2000
MAX_PLACE = 200
_AT_ONCE = threading.BoundedSemaphore(4)
"""Submissions whose photos are in memory at one time."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a sender wrote, tidied."""

    seen: datetime | None
    place: str
    note: str
    lang: str

    def text(self) -> str:
        """As a post's words, which the rules for when and where read like any other's."""
        when = self.seen.strftime("%Y年%m月%d日 %H:%M" if self.lang == "zh" else "%Y-%m-%d %H:%M") if self.seen else ""
        return "\n".join(part for part in (when, self.place, self.note) if part)


def routes(parts: Parts) -> list[BaseRoute]:
    settings = _settings(parts)
    if settings is None:
        return [Route("/report", everyone()(closed)), Route("/report/{code}", everyone()(closed))]
    guard = Guard(settings.proof_bits, settings.per_hour, settings.without_script_per_hour)
    largest = settings.max_photos * parts.settings.photos.max_bytes + FORM_BYTES

    def form(request: Request) -> Response:
        return _form(request, guard, settings)

    def submit(request: Request) -> Response:
        return _submit(request, guard, settings)

    return [
        Route("/report", everyone()(form)),
        Route("/report", everyone(max_body=largest)(submit), methods=["POST"]),
        Route("/report/{code}", everyone()(receipt)),
        Route("/report/{code}", everyone()(take_back), methods=["POST"]),
    ]


def _settings(parts: Parts) -> Settings | None:
    """The form's settings; None where ``platforms.intake`` is not enabled: what is sent would wait for nobody."""
    found = parts.settings.platforms.get(NAME)
    return found if isinstance(found, Settings) and found.enabled else None


def closed(request: Request) -> Response:
    """The form where the operator has not opened it."""
    return render(request, "intake_closed.html", 404)


def _form(
    request: Request, guard: Guard, settings: Settings, problem: str = "", status: int = 200, given: FormData | None = None
) -> Response:
    parts = parts_of(request)
    return render(
        request,
        "intake.html",
        status,
        challenge=guard.challenge(parts.clock()),
        bits=settings.proof_bits,
        max_photos=settings.max_photos,
        max_bytes=parts.settings.photos.max_bytes,
        max_note=MAX_NOTE,
        max_place=MAX_PLACE,
        problem=problem,
        given={key: str(given.get(key, "")) if given else "" for key in ("seen", "place", "note")},
    )


def _submit(request: Request, guard: Guard, settings: Settings) -> Response:
    """Take a submission: check it, store it with its photos in one transaction, and go to its receipt."""
    parts, form, _ = parts_of(request), form_of(request), words(request)
    address = request.client.host if request.client else ""
    files = [f for f in form.getlist("photos") if isinstance(f, UploadFile) and (f.filename or f.size)]

    def again(problem: str, status: int = 400) -> Response:
        return _form(request, guard, settings, problem, status, form)

    if not files:
        return again(_("Please add at least one photo."))
    if len(files) > settings.max_photos:
        return again(_("At most %(n)s photos at a time, please.", n=settings.max_photos))
    if any((f.size or 0) > parts.settings.photos.max_bytes for f in files):
        raise HTTPException(413)
    submission = _read(form, parts, language(request))
    if isinstance(submission, str):
        return again({"seen": _("The time could not be read."), "long": _("Place or note is too long.")}[submission])
    verdict = guard.admit(address, str(form.get("challenge", "")), str(form.get("proof", "")), parts.clock())
    if verdict.problem == "proof":
        return again(_("This form was open for too long, or was sent twice. Please send it again."))
    if verdict.problem:
        response = again(_("Many submissions are coming in right now. Please try again later; nothing was sent."), 429)
        response.headers["Retry-After"] = str(verdict.wait_s)
        return response
    code = secrets.token_urlsafe(18)
    try:
        with _AT_ONCE:
            _store(parts, submission, code, guard.pseudonym(address, parts.clock()), files)
    except PhotoRefused:
        return again(_("A photo could not be used. Please send it as JPEG, PNG, WebP, GIF or HEIC."))
    except PhotoUnavailable:
        return again(_("The photo could not be read just now. Please send it again in a minute."), 503)
    return go(request, f"/report/{code}", _("Thank you. Your photo has arrived."))


def _read(form: FormData, parts: Parts, lang: str) -> Submission | str:
    """The form's words; "seen" or "long" where one of them cannot be used."""
    place, note, seen = (str(form.get(key, "")).strip() for key in ("place", "note", "seen"))
    if len(place) > MAX_PLACE or len(note) > MAX_NOTE:
        return "long"
    moment = None
    if seen:
        try:
            moment = datetime.fromisoformat(seen)
        except ValueError:
            return "seen"
        moment = moment.replace(tzinfo=parts.zone) if moment.tzinfo is None else moment.astimezone(parts.zone)
    return Submission(moment, " ".join(place.split()), note, lang)


def _store(parts: Parts, submission: Submission, code: str, sender: str, files: list[UploadFile]) -> None:
    """One post with its photos, at once: the running bot takes it from there like any post.

    Raises:
        PhotoRefused: a photo cannot be used, or was erased on request. PhotoUnavailable: the decoder is overloaded.
    """
    opened: list[Photo] = []
    for file in files:
        data = file.file.read()
        photo = parts.decoder.open(data)
        with parts.store.read() as tx:
            photos.refuse_erased(tx, photo.sha256, photo.phash)
        parts.files.put(data)
        opened.append(photo)
    post = Post(
        platform=NAME,
        id=post_id(code),
        author=Author(id=sender, handle="web"),
        text=submission.text(),
        posted_at=parts.clock(),
        url="",
        lang=submission.lang,
        media=tuple(Media(str(number), (f"intake:{number}",)) for number in range(len(opened))),
        summons=True,
    )
    with parts.store.write("intake.stored") as tx:
        stream = Stream(NAME, StreamKind.MENTIONS)
        stored = posts.save_page(tx, stream, [post], now=tx.now, silent=lambda _: False, cursor=None, chain=None)
        for picture, photo in zip(media.of_post(tx, stored.new[0]), opened, strict=True):
            media.mark_stored(tx, picture.id, photos.save(tx, **_facts(photo)).id)
        audit.append(tx, who=sender, what="intake.received", object=f"{NAME}:{post.id}", details={"photos": len(opened)})


def _facts(photo: Photo) -> dict[str, Any]:
    names = ("sha256", "phash", "width_px", "height_px", "format", "size_bytes", "exif")
    return {name: getattr(photo, name) for name in names}


def post_id(code: str) -> str:
    """The stored id of the submission whose receipt has ``code``."""
    return "r" + hashlib.sha256(f"suishoupai receipt:{code}".encode()).hexdigest()[:32]


# --- the receipt ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the sender may see of their submission. ``answers`` are the bot's published words to them."""

    ref: str
    sent_at: datetime | None
    photos: int
    answers: tuple[str, ...]
    working: bool
    taken_back: bool


def _receipt(parts: Parts, code: str) -> Receipt:
    """Raises NotFound where there is no such submission (any more)."""
    with parts.store.read() as tx:
        row = posts.find(tx, NAME, post_id(code))
        if row is None:
            raise NotFound("no submission is stored under this receipt")
        stored = posts.get(tx, row)
        sighting = sightings.of_post(tx, row)
        said = alerts.listing(tx, kind=MessageKind.ANSWER, platform=NAME, target_post_id=stored.post_id)
    return Receipt(
        ref=sighting.ref if sighting is not None else "",
        sent_at=stored.post.posted_at if stored.post is not None else None,
        photos=len(stored.media),
        answers=tuple(alert.text for alert in reversed(said) if alert.state is AlertState.SENT),
        working=stored.step in (Step.STORED, Step.EXTRACTED, Step.MATCHED),
        taken_back=stored.deleted_at is not None,
    )


def receipt(request: Request) -> Response:
    """The receipt page of one submission."""
    try:
        found = _receipt(parts_of(request), request.path_params["code"])
    except NotFound as error:
        _ = words(request)
        raise NotFound(_("There is no submission under this address. It may have been removed.")) from error
    return render(request, "intake_receipt.html", receipt=found, retention=parts_of(request).settings.retention)


def take_back(request: Request) -> Response:
    """The sender takes the submission back: nothing more is said about it, and it is removed as a deleted post is."""
    parts, code = parts_of(request), request.path_params["code"]
    number = post_id(code)
    with parts.store.write("intake.taken_back") as tx:
        if posts.mark_deleted(tx, NAME, [number]):
            alerts.cancel_for_post(tx, NAME, number, "its sender took it back")
            audit.append(tx, who="sender", what="intake.taken_back", object=f"{NAME}:{number}")
    return go(request, f"/report/{code}")
