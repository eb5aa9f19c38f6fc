"""``sightings``: where and when children were seen, and why the bot thinks so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import Annotated

import typer
from rich.progress import track

from bot.commands.common import DEFAULT_CONFIG, ConfigOption, JsonOption, acting, emit_json, err, out, reading, table
from bot.settings import load_settings
from bot.steps.extract import read_again
from bot.wiring import open_store
from store import audit, posts, sightings
from store.model import When, Where
from store.posts import StoredPost
from store.session import Tx
from store.sightings import Sighting, SightingFilter

app = typer.Typer(no_args_is_help=True, help="Sightings: posts that show a child, with when and where, each with its source.")


@app.command("list", epilog="Example: suishoupai sightings list --adcode 4403")
def list_(
    adcode: Annotated[str, typer.Option(help="Only this division and what lies in it: 44, 4403 or 440303.")] = "",
    platform: Annotated[str, typer.Option(help="Only from this platform.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Sightings, newest first."""
    loaded = load_settings(config)
    with reading(loaded) as tx:
        found = sightings.listing(tx, SightingFilter(adcode_prefix=adcode, platform=platform), limit=limit)
        urls = {s.id: _url(posts.get(tx, s.post_id)) for s in found}
    if as_json:
        emit_json([_shown(s) | {"url": urls[s.id]} for s in found])
        return
    table(
        "Sightings",
        ("sighting", "place", "certainty", "seen", "state", "post"),
        (
            (s.ref, _place(s.where), s.where.certainty.value, _time(s.when, loaded.settings.zone), s.state.value, urls[s.id])
            for s in found
        ),
        empty="none yet; they come with the first posts that carry a photo",
    )


@app.command(epilog="Example: suishoupai sightings show S-4F7K")
def show(
    ref: Annotated[str, typer.Argument(help="The sighting's reference.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """One sighting: its time and place in words, with every sign that counted and every sign that was refused."""
    loaded = load_settings(config)
    with acting(loaded, "sighting.viewed", "operator") as (tx, audited):
        sighting = sightings.get(tx, ref)
        stored = posts.get(tx, sighting.post_id)
        original = sightings.get(tx, sighting.duplicate_of).ref if sighting.duplicate_of is not None else None
        audited(sighting.ref)
    if as_json:
        emit_json(_shown(sighting) | {"url": _url(stored), "repeats": original, "photos": len(stored.media)})
        return
    zone = loaded.settings.zone
    table(
        f"Sighting {sighting.ref}",
        ("what", "value"),
        (
            ("post", _url(stored)),
            ("posted", stored.post and f"{stored.post.posted_at.astimezone(zone):%Y-%m-%d %H:%M:%S}"),
            ("text", stored.post and stored.post.text),
            ("photos", f"{sum(1 for m in stored.media if m.photo_id is not None)} of {len(stored.media)} could be read"),
            ("repeats", original or "no earlier sighting"),
            ("where", f"{_place(sighting.where)} ({sighting.where.certainty.value}" + _by(sighting.where_by) + ")"),
            ("may be", ", ".join(sighting.where.alternatives) or "nothing else"),
            ("seen", f"{_time(sighting.when, zone)} ({sighting.when.certainty.value}" + _by(sighting.when_by) + ")"),
        ),
    )
    signs = (*sighting.where.evidence, *sighting.when.evidence)
    table("Why", ("source", "says", "certainty", "in words"), ((e.source, e.value, e.certainty.value, e.why) for e in signs))


@app.command("re-extract", epilog="Example: suishoupai sightings re-extract --json")
def re_extract_(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would change.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Read time and place anew with today's rules. What a person set by hand stays; what changed is listed."""
    loaded = load_settings(config)
    store = open_store(loaded)
    changed: list[Change] = []
    with store.read() as tx:
        rows = [(s.id, s.post_id) for s in _all(tx)]
    for number, post_row in track(rows, description="sightings", console=err, disable=as_json or not err.is_terminal):
        with store.write("sighting.re_extracted") as tx:
            change = _re_extract_one(tx, number, post_row, dry_run, loaded.settings.zone)
        changed += [change] if change is not None else []
    store.close()
    if as_json:
        emit_json({"read": len(rows), "changed": changed})
        return
    rows_shown = ((c.sighting, _turned(c.place), _turned(c.seen)) for c in changed)
    table("Changed", ("sighting", "place", "seen"), rows_shown, empty="nothing: every sighting reads as before")
    out.print(f"{len(changed)} of {len(rows)} sightings {'would change' if dry_run else 'changed'}")


@dataclass(frozen=True, slots=True)
class Change:
    """What reading a sighting anew changed: (before, after) of its place and of its time."""

    sighting: str
    place: tuple[str, str]
    seen: tuple[str, str]


def _re_extract_one(tx: Tx, number: int, post_row: int, dry_run: bool, zone: tzinfo) -> Change | None:
    before, anew = sightings.get(tx, number), read_again(tx, post_row)
    if anew is None:
        return None
    where = before.where if before.where_by else anew[0]
    when = before.when if before.when_by else anew[1]
    if (where, when) == (before.where, before.when):
        return None
    if not dry_run:
        sightings.update_extraction(tx, number, where, when)
        audit.append(tx, who="operator", what="sighting.re_extracted", object=before.ref)
    return Change(before.ref, (_place(before.where), _place(where)), (_time(before.when, zone), _time(when, zone)))


def _turned(pair: tuple[str, str]) -> str:
    before, after = pair
    return f"{before} -> {after}" if before != after else f"{after} (as before)"


def _all(tx: Tx) -> list[Sighting]:
    found: list[Sighting] = []
    page = sightings.listing(tx, limit=1000)
    while page:
        found += page
        page = sightings.listing(tx, limit=1000, before=page[-1].id)
    return found


def _shown(s: Sighting) -> dict[str, object]:
    return {
        "ref": s.ref,
        "adcode": s.where.adcode,
        "place": s.where.place,
        "alternatives": s.where.alternatives,
        "certainty": s.where.certainty,
        "seen_from": s.when.seen_from,
        "seen_to": s.when.seen_to,
        "grain": s.when.grain,
        "state": s.state,
        "set_by": {"where": s.where_by, "when": s.when_by},
        "evidence": [*s.where.evidence, *s.when.evidence],
    }


def _url(stored: StoredPost) -> str:
    return stored.post.url if stored.post is not None else f"{stored.platform}:{stored.post_id}"


def _place(where: Where) -> str:
    name = where.place or "unknown"
    return f"{name} {where.adcode}" if where.adcode else name


def _time(when: When, zone: tzinfo) -> str:
    if when.seen_to is None:
        return "unknown"
    end = f"{when.seen_to.astimezone(zone):%Y-%m-%d %H:%M}"
    if when.seen_from is None:
        return f"before {end}"
    return f"{when.seen_from.astimezone(zone):%Y-%m-%d %H:%M} to {end}, by the {when.grain.value if when.grain else 'time'}"


def _by(person: str | None) -> str:
    return f", set by {person}" if person else ""
