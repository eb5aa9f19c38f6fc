"""``console`` serves the web pages where people decide; ``people`` says who may sign in."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.commands.common import DEFAULT_CONFIG, ConfigOption, JsonOption, emit_json, out, reading, table, tell
from bot.console import accounts
from bot.console.server import console_server, open_parts
from bot.settings import load_settings
from bot.wiring import configure_logs, open_store
from store import people
from store.people import Role, User

people_app = typer.Typer(no_args_is_help=True, help="People who may sign in to the console: by invitation, with a second factor.")

LoginArgument = Annotated[str, typer.Argument(help="The name they sign in with.")]
ByOption = Annotated[str, typer.Option("--by", help="Who does this; stands in the record.", envvar="SUISHOUPAI_USER")]


def register(app: typer.Typer) -> None:
    """Add these commands to the top level."""
    app.command(epilog="Example: suishoupai console --port 8766")(console)
    app.add_typer(people_app, name="people")


def console(
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Instead of console.port.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Serve the console until SIGTERM or Ctrl-C. Put a proxy with TLS before it for anything but this machine."""
    loaded = load_settings(config)
    configure_logs(loaded)
    with open_parts(loaded) as parts:
        server = console_server(parts, port)
        words = f"the console answers at {server.url} (for people: {parts.public_url}). Ctrl-C ends it."
        tell(words, {"url": server.url, "public_url": parts.public_url}, as_json=as_json)
        if loaded.settings.console.insecure_cookies and not as_json:
            out.print("console.insecure_cookies is set: for plain http on this machine alone.", style="yellow")
        server.serve()
    if not as_json:
        out.print("stopped cleanly")


@people_app.command(epilog="Example: suishoupai people add wang --name 王老师 --role volunteer --by operator")
def add(
    login: LoginArgument,
    role: Annotated[list[Role], typer.Option(help="What they may do; may be given several times.")],
    name: Annotated[str, typer.Option(help="How colleagues call them.")] = "",
    division: Annotated[list[str] | None, typer.Option(help="Limit to this division (44, 4403 or 440303).")] = None,
    case: Annotated[list[str] | None, typer.Option(help="The case of a family's sign-in (C-9X2M).")] = None,
    by: ByOption = "operator",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Make a person and print their invitation."""
    loaded = load_settings(config)
    store = open_store(loaded)
    with store.write("people.add") as tx:
        user = accounts.add(tx, login, by=by, name=name, roles=role, divisions=division or (), cases_of=case or ())
    link = accounts.invite(loaded, store, user.login, by=by)
    store.close()
    _print_invitation(user.login, link, loaded.settings.console.invitation_hours, as_json=as_json)


@people_app.command("list", epilog="Example: suishoupai people list --json")
def list_(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Everybody who may sign in, and who no longer may."""
    with reading(config) as tx:
        found = people.listing(tx)
    if as_json:
        emit_json([_shown(user) for user in found])
        return
    table(
        "People",
        ("sign-in", "name", "roles", "divisions", "state"),
        ((u.login, u.name, ", ".join(u.roles), ", ".join(u.divisions), _state(u)) for u in found),
        empty="nobody yet; suishoupai people add --help",
    )


@people_app.command(epilog="Example: suishoupai people invite wang")
def invite(
    login: LoginArgument,
    by: ByOption = "operator",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Invite somebody anew (lost phone, forgotten password): what they had before no longer works."""
    loaded = load_settings(config)
    store = open_store(loaded)
    link = accounts.invite(loaded, store, login, by=by)
    store.close()
    _print_invitation(login, link, loaded.settings.console.invitation_hours, as_json=as_json)


@people_app.command(epilog="Example: suishoupai people revoke wang")
def revoke(
    login: LoginArgument,
    by: ByOption = "operator",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """End all their sessions and let them in no more."""
    store = open_store(load_settings(config))
    with store.write("people.revoke") as tx:
        ended = accounts.revoke(tx, login, by=by)
    store.close()
    tell(f"{login} signs in no more; {ended} session(s) ended.", {"login": login, "sessions_ended": ended}, as_json=as_json)


def _print_invitation(login: str, link: str, hours: float, *, as_json: bool) -> None:
    if as_json:
        emit_json({"login": login, "invitation": link, "hours": hours})
        return
    out.print(f"{login}'s invitation works once, for {hours:g} hours. Give it to them alone:", markup=False)
    out.print(link, markup=False, soft_wrap=True, highlight=False)


def _state(user: User) -> str:
    if user.disabled_at is not None:
        return "revoked"
    return "active" if user.password_hash else "invited"


def _shown(user: User) -> dict[str, object]:
    """A person without anything that lets one in."""
    told = ("login", "name", "roles", "divisions", "created_at", "disabled_at", "locked_until")
    return {key: getattr(user, key) for key in told} | {"state": _state(user)}
