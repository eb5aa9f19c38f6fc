"""Addressing a held alert anew, once a person has set its sighting's place. The platform's object is opened for its rules alone
(lengths, mentions): nothing is published here; the running bot does that."""

from __future__ import annotations

from bot import wiring
from bot.alerts.compose import compose, load_templates
from bot.alerts.officials import Choice, RoutingRules, choose
from bot.bot import PlatformSeat
from bot.settings import Loaded
from bot.steps import asked
from ingest.divisions import table as divisions
from store import alerts, audit, officials, posts, sightings
from store.alerts import Alert, Mention
from store.errors import BadInput
from store.model import AlertState, MessageKind, Where
from store.session import Tx


def seat_of(loaded: Loaded, name: str) -> PlatformSeat:
    """A platform of the settings, for its rules.

    Raises:
        BadInput: it is not enabled.
        SettingsError: its secret is not in the environment.
    """
    seat = wiring.open_platforms(loaded).get(name)
    if seat is None:
        raise BadInput(f"the platform {name} is not enabled", mend=f"set platforms.{name}.enabled")
    return seat


def address(tx: Tx, loaded: Loaded, number: int, by: str) -> tuple[Alert, Choice]:
    """Say anew whom a held alert calls, from its sighting's place as it stands now (usually set by hand since).

    It stays held, with the names in its final words, until a person releases it.

    Raises:
        BadInput: it is no held alert, its sighting is gone, or nobody can be called for the place (the message says why).
    """
    alert = alerts.get(tx, number)
    if alert.kind is not MessageKind.ALERT or alert.state is not AlertState.HELD or alert.sighting_id is None:
        raise BadInput(f"message {number} is no alert that waits for a person")
    sighting = sightings.get(tx, alert.sighting_id)
    seat = seat_of(loaded, alert.platform)
    choice = local(tx, loaded, sighting.where, alert.platform)
    if not choice.accounts:
        raise BadInput(f"nobody can be called for {sighting.ref}: {'; '.join(choice.steps)}", mend="set the place by hand first")
    stored = posts.get(tx, sighting.post_id)
    rules, base = seat.platform.rules, loaded.settings.alerts.console_url.rstrip("/")
    named = [(rules.mention(account.handle), account) for account in choice.accounts]
    text = compose(
        load_templates(loaded.settings.alerts.templates_dir),
        "alert",
        lang=asked.language(stored.post) if stored.post is not None else "zh",
        ref=sighting.ref,
        max_length=rules.max_length,
        length=rules.length,
        mentions=[words for words, _ in named],
        link=f"{base}/s/{sighting.ref}" if base else "",
    )
    # A long text loses its last mentions: only who is still named in it is kept as called.
    kept = tuple(Mention(account.handle, account.id) for words, account in named if words in text)
    alerts.readdress(tx, number, text, kept, by)
    details = {"alert": number, "accounts": [mention.account_id for mention in kept]}
    audit.append(tx, who=by, what="alert.addressed", object=sighting.ref, details=details)
    return alerts.get(tx, number), choice


def local(tx: Tx, loaded: Loaded, where: Where, platform: str) -> Choice:
    """Who is local to a place on a platform, as the settings route it."""
    routing = loaded.settings.alerts.routing
    rules = RoutingRules(types=routing.types, max_mentions=routing.max_mentions, max_age_days=routing.max_age_days)
    today = tx.now.astimezone(loaded.settings.zone).date()
    listed = officials.accounts(tx, platform)
    return choose(where, listed, platform=platform, rules=rules, today=today, ancestors=_above)


def _above(code: str) -> list[str]:
    return [item.adcode for item in divisions().ancestors(code)]
