"""The holes in the directory of officials: divisions nobody answers for, accounts nobody may mention, wrong codes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bot.alerts.directory_rules import level_of
from bot.alerts.officials import MINISTRY, RoutingRules, unfit
from ingest.divisions import DivisionTable
from store.model import Agency, AgencyType, OfficialAccount


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that keeps the directory from answering. ``kind``: alone | unfit | unknown | level."""

    kind: str
    adcode: str
    text: str
    mend: str


def check(
    agencies: Sequence[Agency],
    accounts: Sequence[OfficialAccount],
    *,
    divisions: DivisionTable,
    rules: RoutingRules,
    today: date,
    platforms: Sequence[str],
) -> list[Finding]:
    """Look for accounts that may not be mentioned, agencies under a wrong code or level, and divisions nobody answers for.

    A division is covered where itself or one above it, the ministry included, has an account that may be mentioned. Of a branch
    without anybody only the topmost division is named.
    """
    findings = []
    for account in accounts:
        why = unfit(account, rules, today)
        if why and account.agency.type is not AgencyType.MEDIA:
            findings.append(_unfit_finding(account, why))
    for agency in agencies:
        findings += _misplaced(agency, divisions)
    for platform in platforms:
        covered = {a.agency.adcode for a in accounts if a.platform == platform and unfit(a, rules, today) is None}
        findings += _alone(divisions, covered, platform)
    return findings


def _misplaced(agency: Agency, divisions: DivisionTable) -> list[Finding]:
    level = level_of(divisions, agency.adcode)
    if level is None:
        heir = divisions.resolve_old(agency.adcode)
        mend = f"today it is {heir.adcode} {heir.name}" if heir else "give it today's code"
        return [Finding("unknown", agency.adcode, f"{agency.name}: no division has the code {agency.adcode} today", mend)]
    if level != agency.level:
        text = f"{agency.name}: listed as {agency.level}, but {agency.adcode} is a {level}"
        return [Finding("level", agency.adcode, text, "import it again with the level left empty")]
    return []


def _unfit_finding(account: OfficialAccount, why: str) -> Finding:
    text = f"@{account.handle} on {account.platform} ({account.agency.name}): {why}"
    return Finding("unfit", account.agency.adcode, text, "look it up on the platform and import it with today's date")


def _alone(divisions: DivisionTable, covered: set[str], platform: str) -> list[Finding]:
    if MINISTRY in covered:
        return []
    above = {division.adcode: {up.adcode for up in divisions.ancestors(division.adcode)} for division in divisions}
    alone = {code for code, chain in above.items() if not covered & chain}
    mend = "add an agency of it, or of a level above"
    return [
        Finding("alone", d.adcode, f"{divisions.full_name(d.adcode)}: nobody can be mentioned on {platform}", mend)
        for d in divisions
        if d.adcode in alone and not alone & (above[d.adcode] - {d.adcode})
    ]
