"""What people do in unusual numbers: one person who opens photo after photo, or registers case after case.

Neither is forbidden, and either may be a long day's work or a register that was brought in. It is what somebody would do who
collects children's photos, or plants cases to have faces searched; so a person is told, and asks.
"""

from __future__ import annotations

from datetime import timedelta

from bot.health import Finding
from bot.sections import HealthSettings
from store import audit, cases
from store.session import Tx

_HOUR, _DAY = timedelta(hours=1), timedelta(hours=24)


def unusual(tx: Tx, settings: HealthSettings) -> list[Finding]:
    """A finding for each person over a bound of ``settings``; the hour's count of photos is told before the day's."""
    found: list[Finding] = []
    told: set[str] = set()
    for since, hours, bound in ((_HOUR, 1, settings.views_an_hour), (_DAY, 24, settings.views_a_day)):
        for who, views in sorted(audit.viewers(tx, tx.now - since).items()):
            if views > bound and who not in told:
                told.add(who)
                words = (
                    f"{who} was shown {views} photos within {hours} h (alarm above {bound}): see the audit of what they opened"
                )
                found.append(Finding(f"views:{who}", words, of_people=True))
    for who, number in sorted(cases.registrants(tx, tx.now - _DAY).items()):
        if number > settings.cases_a_day:
            words = (
                f"{who} registered {number} cases within 24 h (alarm above {settings.cases_a_day}): look before verifying them"
            )
            found.append(Finding(f"cases:{who}", words, of_people=True))
    return found
