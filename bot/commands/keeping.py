"""``backup``, ``restore``, ``erase``, ``audit``, ``keys``, ``retention``: keeping what must be kept, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from bot.commands.common import (
    DEFAULT_CONFIG,
    EXIT_PROBLEM,
    ConfigOption,
    JsonOption,
    acting,
    emit_json,
    err,
    out,
    reading,
    table,
    tell,
)
from bot.settings import load_settings
from bot.wiring import open_files, open_keys, open_store, utc_now
from store import audit as trail
from store import backup as copies
from store import bans, rotate
from store import erase as erasure
from store import keys as key_ring
from store import retention as rules
from store.bans import BanKind
from store.errors import BadInput
from store.photos import PhotoFiles
from store.session import Store

erase_app = typer.Typer(no_args_is_help=True, help="Erase for good: rows, files, vectors; a later poll does not bring it back.")
audit_app = typer.Typer(no_args_is_help=True, help="The append-only record of who did and saw what.")
keys_app = typer.Typer(no_args_is_help=True, help="The key that seals photos and face vectors.")
retention_app = typer.Typer(no_args_is_help=True, help="What is kept how long, and removing what is due.")

bans_app = typer.Typer(no_args_is_help=True, help="Accounts and pictures that are junk: stored, worked on last, never answered.")

ByOption = Annotated[str, typer.Option("--by", help="Who does this; stands in the record.", envvar="SUISHOUPAI_USER")]
WhyOption = Annotated[str, typer.Option("--why", help="On whose request, or on what ground.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the top level."""
    app.command(epilog="Example: suishoupai backup /backups/2026-03-01")(backup)
    app.command(epilog="Example: suishoupai restore /backups/2026-03-01 --config new.yaml")(restore)
    app.add_typer(erase_app, name="erase")
    app.add_typer(audit_app, name="audit")
    app.add_typer(keys_app, name="keys")
    app.add_typer(retention_app, name="retention")
    app.add_typer(bans_app, name="bans")


@contextmanager
def _open(config: Path) -> Iterator[tuple[Store, PhotoFiles]]:
    loaded = load_settings(config)
    store = open_store(loaded)
    try:
        yield store, open_files(loaded, store)
    finally:
        store.close()


@contextmanager
def bar(quiet: bool) -> Iterator[copies.Progress]:
    """A progress bar that a step tells (what, done, total)."""
    with Progress(console=err, disable=quiet or not err.is_terminal, transient=True) as progress:
        tasks: dict[str, int] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)  # type: ignore[arg-type]

        yield told


def backup(
    folder: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Write a consistent backup while the bot runs. The key is not in it: keep that apart."""
    with _open(config) as (store, files), bar(as_json) as told:
        manifest = copies.backup(store, files, folder, told)
    if as_json:
        emit_json(manifest)
        return
    out.print(f"{folder}: written and complete. Its photos and vectors open with the key alone; keep a copy of that elsewhere.")


def restore(
    folder: Annotated[Path, typer.Argument(help="A folder that `backup` wrote.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Verify a backup and bring it back to where the settings point; no database may be there yet."""
    loaded = load_settings(config)
    store = Store(loaded.settings.store.url, utc_now, open_keys(loaded).vault)
    with bar(as_json) as told:
        done = copies.restore(folder, store, open_files(loaded, store), told)
    store.close()
    if as_json:
        emit_json(done)
        return
    out.print(
        "restored. Messages that waited are held for a person, because they may have been said since: suishoupai alerts list"
    )


@erase_app.command(
    "post", epilog="Example: suishoupai erase post weibo 5368010747412627 --by clerk --why 'request of the guardian'"
)
def erase_post(
    platform: Annotated[str, typer.Argument(help="The platform's name.")],
    post_id: Annotated[str, typer.Argument(help="The platform's id of the post.")],
    by: ByOption = "",
    why: WhyOption = "",
    photos_too: Annotated[bool, typer.Option("--photos-too", help="Also where another post shows the same photo.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Erase one post with everything that came of it."""
    with _open(config) as (store, files):
        _receipt(erasure.erase_post(store, files, platform, post_id, by=_named(by), why=why, photos_too=photos_too), as_json)


@erase_app.command("account", epilog="Example: suishoupai erase account weibo 5368010 --by clerk --why 'their own request'")
def erase_account(
    platform: Annotated[str, typer.Argument(help="The platform's name.")],
    author_id: Annotated[str, typer.Argument(help="The platform's id of the account.")],
    by: ByOption = "",
    why: WhyOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Erase everything one account posted."""
    with _open(config) as (store, files):
        _receipt(erasure.erase_account(store, files, platform, author_id, by=_named(by), why=why), as_json)


@erase_app.command("photo", epilog="Example: suishoupai erase photo 3f5a... --by clerk --why 'request of the guardian'")
def erase_photo(
    sha256: Annotated[str, typer.Argument(help="The photo's sha256, as cases show and sightings show print it.")],
    by: ByOption = "",
    why: WhyOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Erase one photo wherever it is shown."""
    with _open(config) as (store, files):
        _receipt(erasure.erase_photo(store, files, sha256, by=_named(by), why=why), as_json)


@erase_app.command("case", epilog="Example: suishoupai erase case C-9X2M --by clerk --why 'request of the family'")
def erase_case(
    ref: Annotated[str, typer.Argument(help="The case's reference.")],
    by: ByOption = "",
    why: WhyOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Erase a case with its photos, vectors, candidates and leads."""
    with _open(config) as (store, files):
        _receipt(erasure.erase_case(store, files, ref, by=_named(by), why=why), as_json)


@audit_app.command("verify", epilog="Example: suishoupai audit verify")
def audit_verify(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Check the record's chain of hashes from its first event to its last. Code 1 where it is broken."""
    with reading(config) as tx:
        broken = trail.verify(tx)
        events, last = trail.head(tx)
    if as_json:
        emit_json({"events": events, "last_hash": last, "broken": broken})
    elif broken is None:
        out.print(f"{events} events, unbroken; the last one's hash is {last}", markup=False)
    else:
        err.print(f"broken: {broken}", markup=False, style="red")
    if broken is not None:
        raise typer.Exit(EXIT_PROBLEM)


@audit_app.command("list", epilog="Example: suishoupai audit list --limit 100 --json")
def audit_list(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """The latest events."""
    with reading(config) as tx:
        events = trail.listing(tx, limit=limit)
    if as_json:
        emit_json(events)
        return
    table("Audit", ("number", "at", "who", "what", "object"), ((e.id, e.at, e.who, e.what, e.object) for e in events))


@keys_app.command("make", epilog="Example: suishoupai keys make")
def keys_make(as_json: JsonOption = False) -> None:
    """Print a new key for SUISHOUPAI_KEY. It is shown once and kept nowhere."""
    key = key_ring.make_key()
    if as_json:
        emit_json({"key": key})
    else:
        out.print(key, markup=False, highlight=False, soft_wrap=True)


@keys_app.command("rotate", epilog="Example: suishoupai keys rotate (with SUISHOUPAI_KEY=NEW,OLD in the environment)")
def keys_rotate(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Seal everything anew with the first of the keys; interrupted, it goes on where it stopped."""
    loaded = load_settings(config)
    opened = key_ring.open_vault(loaded.secrets.get(key_ring.ENVIRONMENT), loaded.settings.store.key_file, accept_plain=True)
    store = Store(loaded.settings.store.url, utc_now, opened.vault)
    with bar(as_json) as told:
        done = rotate.rotate(store, open_files(loaded, store), lambda step: told(step.what, step.done, step.total))
    store.close()
    if as_json:
        emit_json(done)
    else:
        table("Sealed anew", ("what", "count"), done.items())


@retention_app.command("apply", epilog="Example: suishoupai retention apply")
def retention_apply(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Remove what is older than its class may be kept (docs/privacy.md lists the classes)."""
    policy = rules.Policy(**load_settings(config).settings.retention.model_dump())
    with _open(config) as (store, files):
        done = rules.apply(store, files, policy)
    if as_json:
        emit_json(done)
    else:
        table("Removed", ("class", "count"), done.items(), empty="nothing was due")


@bans_app.command("add", epilog="Example: suishoupai bans add account 5368010 --platform weibo --by lead --why spam")
def bans_add(
    kind: Annotated[BanKind, typer.Argument(help="What is banned.")],
    value: Annotated[str, typer.Argument(help="The account's id, or the picture's perceptual hash (sightings show).")],
    platform: Annotated[str, typer.Option(help="The account's platform.")] = "",
    by: ByOption = "",
    why: WhyOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Put an account or a picture on the list."""
    with acting(config, "ban.added", by) as (tx, audited):
        new = bans.ban(tx, kind, value, by=by, why=why, platform=platform)
        audited(f"{kind.value}:{value}", {"why": why})
    tell("added" if new else "it stood there already", {"value": value, "added": new}, as_json=as_json)


@bans_app.command("list", epilog="Example: suishoupai bans list --json")
def bans_list(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """The whole list."""
    with reading(config) as tx:
        found = bans.listing(tx)
    if as_json:
        emit_json(found)
    else:
        rows = ((b.kind.value, b.platform, b.value, b.by, b.why) for b in found)
        table("Bans", ("kind", "platform", "value", "by", "why"), rows)


@bans_app.command("lift", epilog="Example: suishoupai bans lift account 5368010 --platform weibo --by lead")
def bans_lift(
    kind: Annotated[BanKind, typer.Argument(help="What is banned.")],
    value: Annotated[str, typer.Argument(help="The account's id, or the picture's perceptual hash.")],
    platform: Annotated[str, typer.Option(help="The account's platform.")] = "",
    by: ByOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Take an entry off the list."""
    with acting(config, "ban.lifted", by) as (tx, audited):
        was_there = bans.lift(tx, kind, value, platform=platform)
        audited(f"{kind.value}:{value}")
    tell("lifted" if was_there else "it was not on the list", {"value": value, "lifted": was_there}, as_json=as_json)


def _receipt(receipt: erasure.Receipt, as_json: bool) -> None:
    if as_json:
        emit_json(receipt)
        return

    rows = [(field.name, getattr(receipt, field.name)) for field in fields(receipt)]
    table("Receipt", ("what", "value"), rows)


def _named(by: str) -> str:
    if not by.strip():
        raise BadInput("say who erases: an erasure stands in the record", mend="--by NAME, or set SUISHOUPAI_USER")
    return by
