"""Bringing checked lines of a directory file into the store, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.alerts.directory_rules import Problem, Row
from store import audit, officials
from store.errors import BadInput
from store.officials import NewAccount
from store.session import Tx


@dataclass(frozen=True, slots=True)
class Enrolled:
    """How many agencies and accounts were kept (new or renewed), and the lines that clash with what is stored."""

    agencies: int
    accounts: int
    problems: tuple[Problem, ...]


def enrol(tx: Tx, rows: Iterable[Row], *, who: str, source: str) -> Enrolled:
    """Keep every row; a row whose account is stored under another agency, or whose handle under another number, is refused."""
    known = {(a.platform, a.handle.casefold()): a for a in officials.accounts(tx)}
    agencies: set[int] = set()
    accounts = 0
    problems: list[Problem] = []
    for row in rows:
        holder = known.get((row.platform, row.handle.casefold())) if row.account_id else None
        if holder is not None and holder.account_id != row.account_id:
            text = f"@{row.handle} is stored with the number {holder.account_id} ({holder.agency.name}), not {row.account_id}"
            mend = "look the account up; remove the stored one if the handle has changed hands: officials remove"
            problems.append(Problem(row.line, "account_id", text, mend))
            continue
        try:
            agency_id = _agency(tx, row)
            if row.account_id:
                officials.upsert_account(tx, agency_id, _account(row))
                accounts += 1
        except BadInput as error:
            problems.append(Problem(row.line, "account_id", str(error), "correct this line, or remove the stored account first"))
            continue
        agencies.add(agency_id)
    done = Enrolled(len(agencies), accounts, tuple(problems))
    counts = {"agencies": done.agencies, "accounts": done.accounts, "refused": len(problems)}
    audit.append(tx, who=who, what="officials.imported", object=source, details=counts)
    return done


def _agency(tx: Tx, row: Row) -> int:
    return officials.upsert_agency(
        tx,
        name=row.agency,
        adcode=row.adcode,
        level=row.level,
        type=row.type,
        priority=row.priority,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
    )


def _account(row: Row) -> NewAccount:
    return NewAccount(
        platform=row.platform,
        account_id=row.account_id,
        handle=row.handle,
        verified=row.verified,
        verified_type=row.verified_type,
        verified_reason=row.verified_reason,
        checked_on=row.checked_on,
        evidence=row.evidence,
    )
