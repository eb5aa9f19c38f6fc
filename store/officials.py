"""Agencies, the divisions they are responsible for, and their accounts on the platforms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, delete, select, update

from store import dialect
from store.errors import BadInput, NotFound
from store.model import Agency, AgencyType, OfficialAccount
from store.session import Tx
from store.tables import agencies, official_accounts


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An agency's account as a directory lists it."""

    platform: str
    account_id: str
    handle: str
    verified: bool
    verified_type: str = ""
    verified_reason: str = ""
    checked_on: date | None = None
    evidence: str = ""


def upsert_agency(
    tx: Tx,
    *,
    name: str,
    adcode: str,
    level: str,
    type: AgencyType,
    priority: int = 100,
    valid_from: date | None = None,
    valid_to: date | None = None,
) -> int:
    """Keep an agency, one for each (adcode, name); the newer particulars hold. Returns its number."""
    values = {"level": level, "type": type.value, "priority": priority, "valid_from": valid_from, "valid_to": valid_to}
    statement = dialect.upsert(agencies, ["adcode", "name"], list(values)).values(name=name, adcode=adcode, **values)
    return int(tx.execute(statement.returning(agencies.c.id)).scalar_one())


def upsert_account(tx: Tx, agency_id: int, new: NewAccount) -> int:
    """Keep an account of an agency, one for each (platform, account id). Returns its number.

    Raises:
        BadInput: the account belongs to another agency already; one of the two lines is wrong, and a person must say which.
    """
    owner = tx.execute(
        select(official_accounts.c.agency_id).where(
            official_accounts.c.platform == new.platform, official_accounts.c.account_id == new.account_id
        )
    ).scalar()
    if owner is not None and owner != agency_id:
        raise BadInput(f"the {new.platform} account {new.account_id} ({new.handle}) belongs to {agency(tx, owner).name} already")
    values = {
        "handle": new.handle,
        "verified": new.verified,
        "verified_type": new.verified_type,
        "verified_reason": new.verified_reason,
        "checked_on": new.checked_on,
        "evidence": new.evidence,
    }
    statement = dialect.upsert(official_accounts, ["platform", "account_id"], list(values)).values(
        agency_id=agency_id, platform=new.platform, account_id=new.account_id, **values
    )
    return int(tx.execute(statement.returning(official_accounts.c.id)).scalar_one())


def mark_checked(tx: Tx, account_row: int, *, checked_on: date, verified: bool, handle: str | None = None) -> None:
    """Note what the platform said of an account when it was looked up."""
    values: dict[str, Any] = {"checked_on": checked_on, "verified": verified}
    if handle is not None:
        values["handle"] = handle
    if tx.execute(update(official_accounts).where(official_accounts.c.id == account_row).values(**values)).rowcount != 1:
        raise NotFound(f"no official account is stored as number {account_row}")


def agency(tx: Tx, agency_id: int) -> Agency:
    """An agency by its number.

    Raises:
        NotFound: there is none.
    """
    row = tx.execute(select(agencies).where(agencies.c.id == agency_id)).first()
    if row is None:
        raise NotFound(f"no agency is stored as number {agency_id}")
    return _agency(row)


def agencies_of(tx: Tx, adcode: str | None = None) -> list[Agency]:
    """Agencies responsible for a division (of all divisions where none is named), by division and priority."""
    query = select(agencies).order_by(agencies.c.adcode, agencies.c.priority, agencies.c.id)
    if adcode is not None:
        query = query.where(agencies.c.adcode == adcode)
    return [_agency(row) for row in tx.execute(query)]


def accounts(
    tx: Tx, platform: str | None = None, on: date | None = None, adcodes: Sequence[str] | None = None
) -> list[OfficialAccount]:
    """Accounts with their agencies, by division and priority; with ``on``, of agencies in office on that day alone, with
    ``adcodes`` of these divisions alone."""
    columns = [column.label(f"agency_{column.name}") for column in agencies.c if column.name != "id"]
    query = (
        select(official_accounts, *columns)
        .join(agencies, agencies.c.id == official_accounts.c.agency_id)
        .order_by(agencies.c.adcode, agencies.c.priority, official_accounts.c.id)
    )
    if platform is not None:
        query = query.where(official_accounts.c.platform == platform)
    if adcodes is not None:
        query = query.where(agencies.c.adcode.in_(list(adcodes)))
    found = [_account(row) for row in tx.execute(query)]
    return found if on is None else [account for account in found if in_office(account.agency, on)]


def account(tx: Tx, platform: str, account_id: str) -> OfficialAccount | None:
    """The directory's entry of a platform's account id, if it has one."""
    return next((found for found in accounts(tx, platform) if found.account_id == account_id), None)


def remove_account(tx: Tx, account_row: int) -> bool:
    """Take an account out of the directory. True if it was there."""
    return tx.execute(delete(official_accounts).where(official_accounts.c.id == account_row)).rowcount == 1


def in_office(what: Agency, on: date) -> bool:
    """Whether an agency is responsible on a day (pure); ``valid_to`` is the last such day."""
    return (what.valid_from is None or what.valid_from <= on) and (what.valid_to is None or on <= what.valid_to)


def _agency(row: Row[Any]) -> Agency:
    return Agency(row.id, row.name, row.adcode, row.level, AgencyType(row.type), row.priority, row.valid_from, row.valid_to)


def _account(row: Row[Any]) -> OfficialAccount:
    return OfficialAccount(
        id=row.id,
        agency=Agency(
            row.agency_id,
            row.agency_name,
            row.agency_adcode,
            row.agency_level,
            AgencyType(row.agency_type),
            row.agency_priority,
            row.agency_valid_from,
            row.agency_valid_to,
        ),
        platform=row.platform,
        account_id=row.account_id,
        handle=row.handle,
        verified=row.verified,
        verified_type=row.verified_type,
        verified_reason=row.verified_reason,
        checked_on=row.checked_on,
        evidence=row.evidence,
    )
