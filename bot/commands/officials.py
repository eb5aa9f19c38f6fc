"""``suishoupai officials``: the directory of agencies and their accounts, and who is local to a place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.alerts import coverage, directory
from bot.alerts.directory import Problem
from bot.alerts.enrol import Enrolled, enrol
from bot.alerts.officials import Choice, RoutingRules, choose, unfit
from bot.commands.common import DEFAULT_CONFIG, EXIT_PROBLEM, ConfigOption, JsonOption, acting, emit_json, out, reading, table
from bot.settings import Loaded, load_settings
from bot.wiring import open_store, utc_now
from ingest.divisions import table as divisions
from ingest.where import resolve_where
from store import officials
from store.errors import BadInput, NotFound
from store.model import Certainty, OfficialAccount, When, Where
from store.session import Tx

app = typer.Typer(no_args_is_help=True, help="Officials: the directory of agencies and accounts, and who is local to a place.")

Platform = Annotated[str, typer.Option(help="One platform; by default all of the settings.")]


@app.command("import", epilog="Example: suishoupai officials import examples/officials.example.csv --dry-run")
def import_(
    path: Annotated[Path, typer.Argument(help="A .csv or .xlsx file; officials export writes the form.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report only; store nothing.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Read a directory file, report line by line, keep the good lines. Exit code 1 if a line was refused."""
    loaded = load_settings(config)
    report = directory.parse(
        path,
        divisions=divisions(),
        today=_today(loaded),
        platforms=tuple(loaded.settings.platforms),
        max_age_days=loaded.settings.alerts.routing.max_age_days,
    )
    done = _enrol(loaded, report, path.name, dry_run)
    problems = sorted((*report.problems, *done.problems), key=lambda p: p.line)
    refused = [p for p in problems if p.fatal]
    if as_json:
        counts = {"agencies": done.agencies, "accounts": done.accounts, "refused_lines": len({p.line for p in refused})}
        emit_json({"file": str(path), "encoding": report.encoding, "dry_run": dry_run, **counts, "problems": problems})
    else:
        _show_report(path, report.encoding, done, problems, dry_run)
    if refused:
        raise typer.Exit(EXIT_PROBLEM)


class _DryRun(Exception):
    pass


def _enrol(loaded: Loaded, report: directory.ImportReport, source: str, dry_run: bool) -> Enrolled:
    """Store the rows; a dry run does the same and rolls it back, so that clashes with what is stored are found too."""
    store = open_store(loaded)
    done = Enrolled(0, 0, ())
    try:
        with store.write("officials.imported") as tx:
            done = enrol(tx, report.rows, who="command line", source=source)
            if dry_run:
                raise _DryRun
    except _DryRun:
        pass
    return done


def _show_report(path: Path, encoding: str, done: Enrolled, problems: Sequence[Problem], dry_run: bool) -> None:
    shown = ((p.line, "refused" if p.fatal else "flag", p.column, p.text, p.mend) for p in problems)
    table(f"{path} (read as {encoding})", ("line", "", "column", "what is wrong", "to mend it"), shown, empty="nothing is wrong")
    refused = len({p.line for p in problems if p.fatal})
    word = "would be kept" if dry_run else "kept"
    out.print(f"{word}: {done.agencies} agencies, {done.accounts} accounts; refused: {refused} lines", markup=False)


@app.command("list", epilog="Example: suishoupai officials list --adcode 500000 --platform weibo")
def list_(
    adcode: Annotated[str, typer.Option(help="Only this division and those inside it.")] = "",
    platform: Platform = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show the accounts, and why one may not be mentioned."""
    loaded = load_settings(config)
    rules, today = _rules(loaded), _today(loaded)
    with reading(loaded) as tx:
        found = officials.accounts(tx, platform or None)
    rows = [_row(a, unfit(a, rules, today)) for a in found if not adcode or _inside(adcode, a.agency.adcode)]
    if as_json:
        emit_json(rows)
        return
    columns = ("division", "agency", "type", "account", "number", "checked on", "not mentioned because")
    table("Officials", columns, (_cells(row) for row in rows))


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    account = f"{row['platform']} @{row['handle']}"
    place = row["division"] or row["adcode"]
    return place, row["agency"], row["type"], account, row["account_id"], row["checked_on"], row["unfit"]


def _inside(outer: str, inner: str) -> bool:
    return inner == outer or divisions().contains(outer, inner)


def _row(account: OfficialAccount, why: str | None) -> dict[str, Any]:
    agency = account.agency
    return {
        "account": account.id,
        "agency": agency.name,
        "adcode": agency.adcode,
        "division": divisions().full_name(agency.adcode),
        "type": agency.type,
        "platform": account.platform,
        "handle": account.handle,
        "account_id": account.account_id,
        "verified": account.verified,
        "checked_on": account.checked_on,
        "unfit": why or "",
    }


@app.command(epilog="Example: suishoupai officials check --platform weibo")
def check(
    platform: Platform = "",
    limit: Annotated[int, typer.Option(help="Lines shown at most; --json shows all.")] = 50,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Find divisions nobody answers for, accounts that may not be mentioned, wrong codes. Exit code 1 if there are any."""
    loaded = load_settings(config)
    with reading(loaded) as tx:
        agencies, accounts = officials.agencies_of(tx), officials.accounts(tx, platform or None)
    findings = coverage.check(
        agencies,
        accounts,
        divisions=divisions(),
        rules=_rules(loaded),
        today=_today(loaded),
        platforms=[platform] if platform else list(loaded.settings.platforms),
    )
    if as_json:
        emit_json(findings)
    else:
        shown = ((f.kind, f.adcode, f.text, f.mend) for f in findings[:limit])
        table("Directory", ("", "code", "what is wrong", "to mend it"), shown, empty="nothing is wrong")
        if len(findings) > limit:
            out.print(f"and {len(findings) - limit} more (--limit)", markup=False)
    if findings:
        raise typer.Exit(EXIT_PROBLEM)


@app.command(epilog="Example: suishoupai officials export directory.xlsx")
def export(
    path: Annotated[Path, typer.Argument(help="The file to write, .csv or .xlsx.")],
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Write the whole directory in the form that import reads."""
    if path.exists() and not force:
        raise BadInput(f"{path} is there already", mend="choose another name, or add --force")
    loaded = load_settings(config)
    with reading(loaded) as tx:
        count = directory.write(path, officials.agencies_of(tx), officials.accounts(tx))
    if as_json:
        emit_json({"file": str(path), "lines": count})
    else:
        out.print(f"{path}: {count} lines", markup=False)


@app.command(epilog="Example: suishoupai officials remove weibo 1234567890")
def remove(
    platform: Annotated[str, typer.Argument(help="The platform, as in the settings.")],
    account_id: Annotated[str, typer.Argument(help="The account's number there.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Take an account out of the directory (its agency stays)."""
    with acting(config, "officials.removed", "command line") as (tx, audited):
        found = officials.account(tx, platform, account_id)
        if found is None:
            raise NotFound(f"the directory has no {platform} account {account_id}", mend="officials list shows the numbers")
        officials.remove_account(tx, found.id)
        audited(f"{platform}:{account_id}")
    if as_json:
        emit_json({"removed": account_id, "handle": found.handle})
    else:
        out.print(f"removed @{found.handle} ({found.agency.name})", markup=False)


@app.command(epilog="Example: suishoupai officials local 重庆观音桥步行街")
def local(
    target: Annotated[str, typer.Argument(metavar="ADCODE|TEXT", help="A division code, or the words of a post.")],
    platform: Platform = "",
    seen: Annotated[
        datetime | None, typer.Option(help="When the child was seen, in the campaign's time zone; without it: not known.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Say step by step which accounts would be mentioned now for a place. Exit code 1 if nobody would be."""
    loaded = load_settings(config)
    where = _where(target)
    moment = seen.replace(tzinfo=loaded.settings.zone) if seen is not None else None
    routed = loaded.settings.alerts.routing.routing.rules_for(When(moment, moment), utc_now(), loaded.settings.zone)
    names = [platform] if platform else list(loaded.settings.platforms)
    if not names:
        raise BadInput("config.yaml names no platform, and officials are mentioned on one", mend="add one under platforms")
    with reading(loaded) as tx:
        choices = {name: _choice(tx, where, name, loaded, routed) for name in names}
    if as_json:
        emit_json({"where": where, "platforms": choices})
    else:
        _show_choices(where, choices)
    if not any(choice.accounts for choice in choices.values()):
        raise typer.Exit(EXIT_PROBLEM)


def _where(target: str) -> Where:
    if not re.fullmatch(r"\d{6}", target):
        return resolve_where(target)
    division = divisions().get(target) or divisions().resolve_old(target)
    if division is None:
        raise NotFound(f"no division has the code {target}", mend="six digits of GB/T 2260, or write the place in words")
    return Where(division.adcode, divisions().full_name(division.adcode), certainty=Certainty.HIGH)


def _choice(tx: Tx, where: Where, platform: str, loaded: Loaded, routed: tuple[RoutingRules, str]) -> Choice:
    rules, why = routed
    choice = choose(
        where,
        officials.accounts(tx, platform),
        platform=platform,
        rules=rules,
        today=_today(loaded),
        ancestors=lambda adcode: [division.adcode for division in divisions().ancestors(adcode)],
    )
    return Choice(choice.accounts, (why, *choice.steps))


def _show_choices(where: Where, choices: dict[str, Choice]) -> None:
    out.print(f"place: {where.adcode or 'unknown'} {where.place} ({where.certainty.value})", markup=False)
    for evidence in where.evidence:
        out.print(f"  {evidence.source}: {evidence.why}", markup=False, highlight=False)
    for name, choice in choices.items():
        out.print(f"{name}:", style="bold", markup=False)
        for number, step in enumerate(choice.steps, start=1):
            out.print(f"  {number}. {step}", markup=False, highlight=False)
        asked = ", ".join(f"@{account.handle} ({account.agency.name})" for account in choice.accounts)
        out.print(f"  mentioned: {asked or 'nobody'}", markup=False, highlight=False)


def _rules(loaded: Loaded) -> RoutingRules:
    return loaded.settings.alerts.routing.routing.rules_of_all()


def _today(loaded: Loaded) -> date:
    return utc_now().astimezone(loaded.settings.zone).date()
