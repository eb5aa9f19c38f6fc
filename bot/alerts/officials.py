"""Who is local: which official accounts are called for a place, and why. Pure; every step is said in words.

The nearest level that has somebody answers: county, then prefecture, province, ministry (adcode ``000000``). Below the
province a free place in the message may go to the county's own prefecture, for a type of agency the county does not have;
the province and the ministry are called only where nobody nearer can be. Who is not asked: unverified accounts, accounts
nobody has checked for too long, agencies out of office, media (a person asks them), and everybody as long as the place is
uncertain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from store.model import AgencyType, OfficialAccount, Where
from store.officials import in_office

MINISTRY = "000000"
"""The adcode under which the directory lists bodies of the whole country."""


@dataclass(frozen=True, slots=True)
class RoutingRules:
    """The operator's ``alerts.routing``: types in order of preference, accounts a message at most, days a check stays good."""

    types: tuple[AgencyType, ...] = (
        AgencyType.POLICE,
        AgencyType.ANTI_TRAFFICKING,
        AgencyType.CIVIL_AFFAIRS,
        AgencyType.RESCUE_STATION,
    )
    max_mentions: int = 2
    max_age_days: int = 180


@dataclass(frozen=True, slots=True)
class Choice:
    """The accounts to mention, best first (possibly none), and the way there, one sentence a step."""

    accounts: tuple[OfficialAccount, ...]
    steps: tuple[str, ...]


def unfit(account: OfficialAccount, rules: RoutingRules, today: date) -> str | None:
    """Why ``account`` may not be mentioned on ``today``, in words; None where it may."""
    agency = account.agency
    if agency.type is AgencyType.MEDIA:
        return "media are asked by a person only"
    if agency.type not in rules.types:
        return f"alerts.routing.types does not name {agency.type.value}"
    if not in_office(agency, today):
        return f"not in office on {today} ({agency.valid_from or '...'} to {agency.valid_to or '...'})"
    if not account.verified:
        return "not verified"
    if account.checked_on is None:
        return "never checked"
    if account.checked_on > today:
        return f"checked on {account.checked_on}, which is still to come"
    age = (today - account.checked_on).days
    if age > rules.max_age_days:
        return f"last checked {age} days ago, more than {rules.max_age_days}"
    return None


def choose(
    where: Where,
    accounts: Sequence[OfficialAccount],
    *,
    platform: str,
    rules: RoutingRules,
    today: date,
    ancestors: Callable[[str], Sequence[str]],
) -> Choice:
    """Pick the accounts that are local to ``where``.

    Args:
        where: the sighting's place; anybody is mentioned only where it is settled.
        accounts: the directory, of any platform and place.
        ancestors: the codes from a division up to its province, itself included or not.
    """
    if not where.settled or where.adcode is None:
        return Choice((), (_unsettled(where),))
    chain = asked_in_turn(where.adcode, ancestors)
    steps = [f"place {where.adcode} {where.place}".rstrip() + " is certain; asked in turn: " + ", ".join(chain)]
    chosen: list[OfficialAccount] = []
    for depth, adcode in enumerate(chain):
        if chosen and (depth > 1 or _provincial(adcode)):
            break
        here = [account for account in accounts if account.agency.adcode == adcode and account.platform == platform]
        fit = _fit(here, rules, today, adcode, steps)
        taken = {account.agency.type for account in chosen}
        offered = [account for account in fit if account.agency.type not in taken] if chosen else fit
        added = _pick(offered, rules, rules.max_mentions - len(chosen))
        chosen.extend(added)
        if added:
            steps.append(f"{adcode}: chosen {', '.join('@' + account.handle for account in added)}")
        if len(chosen) >= rules.max_mentions:
            break
    if not chosen:
        steps.append(f"nobody on {platform} can be asked for this place; a person decides")
    return Choice(tuple(chosen), tuple(steps))


def asked_in_turn(adcode: str, ancestors: Callable[[str], Sequence[str]]) -> list[str]:
    """The divisions whose officials may be asked for a place in ``adcode``: itself, those above it, the ministry."""
    return list(dict.fromkeys([adcode, *ancestors(adcode), MINISTRY]))


def _provincial(adcode: str) -> bool:
    return adcode == MINISTRY or adcode.endswith("0000")


def _unsettled(where: Where) -> str:
    if where.alternatives:
        return f"the place may be one of {', '.join(where.alternatives)}: nobody is mentioned, a person decides"
    if where.adcode is None:
        return "the place is not known: nobody is mentioned, a person decides"
    return f"the place {where.adcode} is not certain ({where.certainty.value}): nobody is mentioned, a person decides"


def _fit(
    here: Sequence[OfficialAccount], rules: RoutingRules, today: date, adcode: str, steps: list[str]
) -> list[OfficialAccount]:
    """The accounts of one division that may be mentioned; says of each other one why not."""
    if not here:
        steps.append(f"{adcode}: the directory lists nobody")
    fit = []
    for account in here:
        why = unfit(account, rules, today)
        if why is None:
            fit.append(account)
        else:
            steps.append(f"{adcode}: @{account.handle} ({account.agency.name}) is left out: {why}")
    return fit


def _pick(fit: Sequence[OfficialAccount], rules: RoutingRules, places: int) -> list[OfficialAccount]:
    """Up to ``places`` accounts: each type once in the rules' order, then the rest by priority; one account an agency."""
    order = {kind: at for at, kind in enumerate(rules.types)}
    ranked = sorted(fit, key=lambda a: (order[a.agency.type], a.agency.priority, a.id))
    agencies: set[int] = set()
    types: set[AgencyType] = set()
    first: list[OfficialAccount] = []
    second: list[OfficialAccount] = []
    for account in ranked:
        if account.agency.id in agencies:
            continue
        agencies.add(account.agency.id)
        (second if account.agency.type in types else first).append(account)
        types.add(account.agency.type)
    return (first + second)[: max(0, places)]
