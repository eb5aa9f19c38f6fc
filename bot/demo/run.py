"""Runs the demo: fills the world, registers cases, polls, and holds what happened against what was expected."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from bot import casework
from bot.alerts.directory import ImportReport, parse
from bot.bot import Bot
from bot.demo import scene
from bot.demo.crew import Crew, alone, write_settings
from bot.demo.photos import DemoPhoto, demo_people, demo_photos
from bot.microblog.environment import environment
from bot.microblog.model import Entry, Side, WorldError
from bot.microblog.server import Microblog
from bot.settings import Loaded, Secrets
from ingest.divisions import table as divisions
from store import alerts, cases, matches, posts, sightings
from store import officials as directory
from store.alerts import Alert
from store.cases import CaseFields
from store.model import AlertState, Band, MessageKind
from store.session import Tx

Say = Callable[[str], None]
Hire = Callable[[Loaded, Path], AbstractContextManager[Crew]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one post of the scene, beside what was expected."""

    post: scene.ScenePost
    post_id: str
    ref: str
    place: str
    best_band: str
    answer: str
    alert: str
    as_expected: bool


@dataclass(frozen=True, slots=True)
class DemoReport:
    """The whole demo's result; ``failures`` is empty where everything promised came true."""

    outcomes: tuple[Outcome, ...]
    polled: dict[str, int]
    real_photos: int
    true_alerts: int
    silent_faces: int
    seconds: float
    failures: tuple[str, ...]


@contextmanager
def stage(loaded: Loaded, folder: Path) -> Iterator[tuple[Microblog, Loaded]]:
    """A fresh microblog, and the settings turned to it and to ``folder`` (emptied first)."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        microblog = Microblog(port=loaded.settings.microblog.port)
    except WorldError:
        microblog = Microblog()
    turned = turned_to(loaded, microblog, folder)
    write_settings(turned.settings, folder / "config.yaml")
    with microblog:
        yield microblog, turned


def turned_to(loaded: Loaded, microblog: Microblog, folder: Path) -> Loaded:
    """The same settings, with the local microblog's addresses and tokens and files under ``folder``."""
    host = f"127.0.0.1:{microblog.port}"
    old = f"127.0.0.1:{loaded.settings.microblog.port}"
    platforms = {
        name: type(values).model_validate(_replaced(values.model_dump(), old, host))
        for name, values in loaded.settings.platforms.items()
    }
    store = loaded.settings.store.model_copy(
        update={"url": f"sqlite:///{folder / 'suishoupai.sqlite'}", "photos_dir": folder / "photos", "key_file": folder / "key"}
    )
    settings = loaded.settings.model_copy(update={"platforms": platforms, "store": store})
    return Loaded(loaded.path, settings, Secrets({**loaded.secrets, **environment(microblog.credentials)}), loaded.modules)


def _replaced(value: object, old: str, new: str) -> object:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, dict):
        return {key: _replaced(item, old, new) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_replaced(item, old, new) for item in value)
    return value


def play(microblog: Microblog, loaded: Loaded, folder: Path, say: Say, crew: Hire = alone) -> DemoReport:
    """Fill the world, have ``crew`` work over it until nothing is due, and compare.

    Raises:
        SuishoupaiError: a part could not be opened or used.
    """
    began = time.monotonic()
    photos = {photo.name: photo for photo in demo_photos()}
    accounts = scene.people(microblog.world)
    said: dict[str, Entry] = {}
    plan = scene.posts()
    with crew(loaded, folder) as hired:
        bot = hired.bot
        say("registering cases and officials ...")
        register_cases(bot, photos)
        today = bot.clock().astimezone(bot.zone).date()
        listing = folder / "officials.csv"
        listing.write_text(scene.directory_csv(accounts, today), encoding="utf-8")
        with bot.store.write("demo.officials") as tx:
            store_directory(tx, parse(listing, divisions=divisions(), today=today, platforms=tuple(bot.seats)))
        for post in (p for p in plan if p.key == "w-before"):
            said[post.key] = scene.say(microblog.world, post, photos, said)
        time.sleep(1.1)  # platforms date posts to the second; the first start must lie after this one
        say("first start: older posts are read and never answered ...")
        hired.settle(_made(plan, said))
        time.sleep(1.1)
        for wave in _waves([p for p in plan if p.key != "w-before"]):
            for post in wave:
                said[post.key] = scene.say(microblog.world, post, photos, said)
            say(f"{len(wave)} posts made; polling ...")
            hired.settle(_made(plan, said))
        return _report(bot, microblog, plan, said, photos, time.monotonic() - began)


def _made(plan: list[scene.ScenePost], said: dict[str, Entry]) -> list[tuple[Side, str]]:
    return [(post.side, str(said[post.key].id)) for post in plan if post.key in said]


SAID: dict[str, Any] = {
    "birth_on": date(2001, 3, 5),
    "birth_adcode": "510100",
    "missing_on": date(2006, 6, 1),
    "missing_adcode": "510104",
    "height_cm": 105,
    "features": "演示数据，与照片中的人无关。",
    "accent": "四川话",
    "clothing": "蓝色外套",
}
"""What the demo's register says of each child, invented: a page without it would show nothing of what people compare."""


def register_cases(bot: Bot, photos: dict[str, DemoPhoto]) -> None:
    """One person registers each demo case, a second one verifies it."""
    desk = casework.Desk(bot.store, bot.files, bot.decoder, bot.faces)
    for key, person in demo_people().items():
        if not person.registered:
            continue
        given = [casework.CasePhotoInput(p.name, p.data) for p in photos.values() if p.is_case_photo and p.person == key]
        fields = CaseFields(name=person.label, police_report_number=f"DEMO-{key.upper()}-0001", source="demo", **SAID)
        case = casework.register(desk, fields, given, by="demo registrar")
        with bot.store.write("demo.verified") as tx:
            cases.verify(tx, case.ref, by="demo verifier", report_number=f"DEMO-{key.upper()}-0001")


def store_directory(tx: Tx, report: ImportReport) -> None:
    """Put a parsed directory file into the store."""
    for row in report.rows:
        agency = directory.upsert_agency(
            tx, name=row.agency, adcode=row.adcode, level=row.level, type=row.type, priority=row.priority
        )
        account = directory.NewAccount(
            row.platform, row.account_id, row.handle, row.verified, row.verified_type, row.verified_reason, row.checked_on
        )
        directory.upsert_account(tx, agency, account)


def _waves(plan: list[scene.ScenePost]) -> list[list[scene.ScenePost]]:
    """Posts in the order of life: those that refer to earlier ones come after the bot has seen these. A photo that comes twice at
    one moment needs no order: the repeat waits for the first, also between workers."""
    later = ("w-repost", "w-stop")
    last = ("w-silence",)
    return [
        [p for p in plan if p.key not in (*later, *last)],
        [p for p in plan if p.key in later],
        [p for p in plan if p.key in last],
    ]


# --- comparing --------------------------------------------------------------------------------------------------


def _report(
    bot: Bot,
    microblog: Microblog,
    plan: list[scene.ScenePost],
    said: dict[str, Entry],
    photos: dict[str, DemoPhoto],
    seconds: float,
) -> DemoReport:
    outcomes = tuple(_outcome(bot, microblog, post, said[post.key]) for post in plan)
    real = sum(1 for o in outcomes for name in o.post.photos if name in photos and not name.startswith("no-face"))
    polled = {side: sum(1 for o in outcomes if o.post.side.value == side and o.place != "not polled") for side in ("weibo", "x")}
    true_alerts = sum(1 for o in outcomes if o.as_expected and o.post.alert not in ("", "held", "any"))
    strangers = [o for o in outcomes if o.post.photos and not any(photos[n].person for n in o.post.photos if n in photos)]
    silent = sum(len(o.post.photos) for o in strangers if not o.alert and not o.post.photos[0].startswith("no-face"))
    failures = [
        f"{o.post.key}: expected answer {o.post.answer or 'none'}, alert {o.post.alert or 'none'};"
        f" got answer {o.answer or 'none'}, alert {o.alert or 'none'}"
        for o in outcomes
        if not o.as_expected
    ]
    for what, have, need in (
        ("posts polled", sum(polled.values()), 30),
        ("posts polled from Weibo", polled["weibo"], 1),
        ("posts polled from X", polled["x"], 1),
        ("real photos", real, 12),
        ("true matches alerted", true_alerts, 3),
        ("non-matching faces not alerted", silent, 8),
    ):
        if have < need:
            failures.append(f"{what}: {have}, at least {need} promised")
    repeated = microblog.world.ledger.repeated()
    if repeated:
        failures.append(f"{len(repeated)} message(s) were said twice")
    return DemoReport(outcomes, polled, real, true_alerts, silent, seconds, tuple(failures))


def _outcome(bot: Bot, microblog: Microblog, post: scene.ScenePost, entry: Entry) -> Outcome:
    with bot.store.read() as tx:
        row = posts.find(tx, post.side.value, str(entry.id))
        if row is None:
            return Outcome(post, str(entry.id), "", "not polled", "", "", "", as_expected=False)
        sighting = sightings.of_post(tx, row)
        found = matches.of_post(tx, row)
        messages = alerts.listing(tx, platform=post.side.value, target_post_id=str(entry.id))
    answer = next((m for m in messages if m.kind is MessageKind.ANSWER), None)
    alert = next((m for m in messages if m.kind is MessageKind.ALERT), None)
    bands = {c.band for c in found}
    place = "" if sighting is None else sighting.where.place or ("one of several" if sighting.where.alternatives else "unknown")
    return Outcome(
        post,
        str(entry.id),
        "" if sighting is None else sighting.ref,
        place,
        "high" if Band.HIGH in bands else "review" if bands else "",
        "" if answer is None else f"{answer.state.value}: {answer.text}",
        "" if alert is None else _alert_words(alert),
        _expected(bot, post, answer, alert),
    )


def _alert_words(alert: Alert) -> str:
    names = " ".join(f"@{mention.handle}" for mention in alert.mentions)
    return f"{alert.state.value}: {names or alert.hold_reason}"


def _expected(bot: Bot, post: scene.ScenePost, answer: Alert | None, alert: Alert | None) -> bool:
    """Whether the post got the expected answer (by its template's own words) and the expected alert."""
    return _answer_fits(bot, post, answer) and _alert_fits(post, alert)


def _answer_fits(bot: Bot, post: scene.ScenePost, answer: Alert | None) -> bool:
    if not post.answer or answer is None:
        return not post.answer and answer is None
    langs = ("zh", "en")
    wanted = [bot.templates.text(lang, f"answer_{post.answer}").replace("$ref", answer.ref) for lang in langs]
    return answer.state is AlertState.SENT and answer.text in wanted


def _alert_fits(post: scene.ScenePost, alert: Alert | None) -> bool:
    if post.alert == "any":
        return alert is None or alert.state is not AlertState.UNKNOWN
    if not post.alert or alert is None:
        return not post.alert and alert is None
    if post.alert == "held":
        return alert.state is AlertState.HELD
    handles = {o.screen_name for o in scene.officials() if o.key == post.alert} | {
        o.username for o in scene.officials() if o.key == post.alert
    }
    return alert.state is AlertState.SENT and bool(handles & {mention.handle for mention in alert.mentions})
