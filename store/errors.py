"""One root error. Each folder subclasses it; adapters translate third-party errors into these.

The subclasses of :class:`PlatformError` are the outcomes that the pipeline tells apart. For writing, the one
question that matters is *could the message have been published?*: ``certain`` answers it.
"""

from __future__ import annotations

from datetime import datetime


class SuishoupaiError(Exception):
    """Root of every error this project raises on purpose.

    ``str(error)`` says what is wrong and where; ``mend`` says how to mend it, in words an operator can follow.
    """

    def __init__(self, message: str, *, mend: str = "") -> None:
        super().__init__(message)
        self.mend = mend


class SettingsError(SuishoupaiError):
    """config.yaml or the environment is wrong; the message carries the full path of each key."""


class BadInput(SuishoupaiError):
    """Something a person gave us cannot be used (a case photo without a face, an unknown adcode, ...)."""


class NotFound(BadInput):
    """A reference names nothing that is stored."""


class StoreError(SuishoupaiError):
    """The database or the photo folder failed (locked, full, read-only, wrong schema)."""


class Occupied(StoreError):
    """Another process holds the one place (of a running bot, say) on this database; the message names it."""


class Locked(StoreError):
    """Another transaction held what this one needed for longer than it waits; nothing was stored, and it may be tried again."""


class Damaged(StoreError):
    """One stored thing is damaged, what stands beside it is whole: its post is set aside, and the round goes on."""


class Moved(SuishoupaiError):
    """What was to be changed no longer stands where it was when the work began: somebody else did it. Nothing was changed."""


class PhotoRefused(SuishoupaiError):
    """A photo that cannot or may not be used: hostile, unreadable, too large, wrong host. Final; never retried."""


class PhotoGone(PhotoRefused):
    """The photo is no longer there (404, 410, or withheld by 403): final, and a sign that its post may be deleted."""


class PhotoUnavailable(SuishoupaiError):
    """A photo could not be had *now* (time-out, 5xx, reset, DNS, an overloaded decoder). Try again later."""


class EngineError(SuishoupaiError):
    """A face engine or model pack is missing, tampered with, or of another shape than it says."""


class PlatformError(SuishoupaiError):
    """A platform did not do what was asked. ``certain`` is False when a write may have been published all the same."""

    certain = True


class Unreachable(PlatformError):
    """No request left this machine, or none could have arrived (DNS, refused connection). Safe to try again."""


class RateLimited(PlatformError):
    """The platform refuses for now. ``until`` (UTC) is when it may be tried again; None if it did not say."""

    def __init__(self, message: str, *, until: datetime | None = None, mend: str = "") -> None:
        super().__init__(message, mend=mend)
        self.until = until


class Unauthorised(PlatformError):
    """The token is expired, revoked or lacks the permission; a person must act."""


class Blocked(PlatformError):
    """The platform answered with something that is not its API (a login page, a captcha). Not 'no posts'."""


class BadResponse(PlatformError):
    """A reading call returned something that cannot be understood. Not 'no posts'."""


class TargetGone(PlatformError):
    """The post that was to be answered no longer exists. Final."""


class Refused(PlatformError):
    """The platform refused this message for good (content, permission, not summoned). Final; ``code`` as it gave it."""

    def __init__(self, message: str, *, code: str = "", mend: str = "") -> None:
        super().__init__(message, mend=mend)
        self.code = code


class AlreadySaid(PlatformError):
    """The platform's own duplicate guard refused byte-identical text: it was sent, its id is to be found."""


class Doubtful(PlatformError):
    """A write that may or may not have been published (time-out, reset, 5xx, unreadable 2xx). Reconcile, never resend."""

    certain = False
