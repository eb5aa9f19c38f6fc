"""``alerts``: the outbox, and what people do with messages that wait for them."""

from __future__ import annotations

from typing import Annotated

import typer

from bot import readdress
from bot.commands.common import DEFAULT_CONFIG, ConfigOption, JsonOption, acting, emit_json, reading, table, tell
from bot.settings import load_settings
from bot.wiring import open_store
from store import alerts
from store.alerts import Alert
from store.errors import BadInput
from store.model import AlertState, MessageKind

app = typer.Typer(no_args_is_help=True, help="Messages: answers to posters, mentions of officials; sent, waiting, doubtful.")

ByOption = Annotated[str, typer.Option("--by", help="Who decides; stands in the record.", envvar="SUISHOUPAI_USER")]


@app.command("list", epilog="Example: suishoupai alerts list --state held")
def list_(
    state: Annotated[AlertState | None, typer.Option(help="Only in this state.")] = None,
    kind: Annotated[MessageKind | None, typer.Option(help="Only of this kind.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Messages, newest first."""
    with reading(config) as tx:
        found = alerts.listing(tx, state=state, kind=kind, limit=limit)
    if as_json:
        emit_json(found)
        return
    table(
        "Messages",
        ("number", "kind", "state", "about", "mentions", "why it waits, or what went wrong"),
        ((a.id, a.kind.value, a.state.value, a.ref, _names(a), a.hold_reason or a.error) for a in found),
    )


@app.command(epilog="Example: suishoupai alerts show 12")
def show(
    number: Annotated[int, typer.Argument(help="The message's number.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """One message in its final words, with its history."""
    with reading(config) as tx:
        alert = alerts.get(tx, number)
    if as_json:
        emit_json(alert)
        return
    rows = [
        ("state", alert.state.value),
        ("platform", alert.platform),
        ("under post", alert.target_post_id),
        ("text", alert.text),
        ("mentions", _names(alert)),
        ("waits because", alert.hold_reason),
        ("last error", alert.error),
        ("decided by", alert.decided_by),
        ("sent as", alert.sent_url or alert.sent_id),
        ("times tried", alert.attempt),
    ]
    table(f"Message {number}", ("what", "value"), [row for row in rows if row[1]])


@app.command(epilog="Example: suishoupai alerts release 12 --by lead-reviewer")
def release(
    number: Annotated[int, typer.Argument(help="The message's number.")],
    by: ByOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Let a held message go; the bot sends it at its next round."""
    with acting(config, "alert.released", by) as (tx, audited):
        alert = alerts.get(tx, number)
        if alert.kind is MessageKind.ALERT and not alert.mentions:
            raise BadInput(
                f"message {number} names nobody: {alert.hold_reason}",
                mend="set the sighting's place by hand first, then: suishoupai alerts address NUMBER; or cancel it",
            )
        alert = alerts.release(tx, number, by)
        audited(alert.ref, {"alert": number})
    tell(f"message {number} is released; the running bot sends it, or: suishoupai poll", alert, as_json=as_json)


@app.command(epilog="Example: suishoupai alerts address 12 --by lead-reviewer")
def address(
    number: Annotated[int, typer.Argument(help="The message's number.")],
    by: ByOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Say anew whom a held alert calls, from its sighting's place (set by hand in the console). It stays held."""
    loaded = load_settings(config)
    store = open_store(loaded)
    with store.write("alert.addressed") as tx:
        alert, choice = readdress.address(tx, loaded, number, by)
    store.close()
    why = "\n".join(choice.steps)
    words = f"{why}\nmessage {number} now names {_names(alert)}; let it go with: suishoupai alerts release {number}"
    tell(words, alert, as_json=as_json)


@app.command(epilog="Example: suishoupai alerts cancel 12 --by lead-reviewer --why 'checked by telephone'")
def cancel(
    number: Annotated[int, typer.Argument(help="The message's number.")],
    by: ByOption = "",
    why: Annotated[str, typer.Option(help="Why it is not to be sent.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Stop a message that was not sent yet."""
    with acting(config, "alert.cancelled", by) as (tx, audited):
        alert = alerts.cancel(tx, number, by, why)
        audited(alert.ref, {"alert": number, "why": why})
    tell(f"message {number} is cancelled", alert, as_json=as_json)


@app.command(epilog="Example: suishoupai alerts settle 12 --sent --by operator --note 'seen on the page'")
def settle(
    number: Annotated[int, typer.Argument(help="The message's number.")],
    sent: Annotated[bool, typer.Option("--sent/--not-sent", help="Whether it stands on the platform.")],
    by: ByOption = "",
    note: Annotated[str, typer.Option(help="What you saw.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Say, after looking, whether a doubtful message was published."""
    with acting(config, "alert.settled", by) as (tx, audited):
        alert = alerts.settle(tx, number, by, sent=sent, note=note)
        audited(alert.ref, {"alert": number, "sent": sent, "note": note})
    tell(f"message {number} is now {alert.state.value}", alert, as_json=as_json)


def _names(alert: Alert) -> str:
    return " ".join(f"@{mention.handle}" for mention in alert.mentions)
