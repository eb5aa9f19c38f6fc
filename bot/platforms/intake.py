"""The console's own form, for those without Weibo or X (bot/console/intake.py): one more platform, so one and the same pipeline.

A submission is stored by the form itself, photo and all, in one transaction; nothing has to be polled. What the bot "says" here
is shown on the sender's receipt page, straight from the outbox: a message counts as said as soon as it is recorded as sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import Field, field_validator

from bot.platforms._http import own_base_url
from bot.platforms.base import Platform, PlatformSettings, allowances
from ingest.source import Rules
from store.errors import PhotoGone, Refused
from store.model import AccountInfo, Capability, Clock, LookUp, Outgoing, OwnPost, Page, Sent, Stream

SECRETS: dict[str, str] = {}
WIRE = "none"
"""Nothing goes over a wire: see the contract suite's test_intake.py."""

NAME = "intake"
MAX_LENGTH = 2000


class Settings(PlatformSettings):
    """The keys under ``platforms.intake``."""

    base_url: str = Field(
        default="http://127.0.0.1:8766", description="Where people open the form; anything but this machine counts as live."
    )
    max_photos: int = Field(default=3, ge=1, le=9, description="Photos in one submission.")
    proof_bits: int = Field(default=16, ge=1, le=26, description="Work a browser does before sending, in leading zero bits.")
    per_hour: int = Field(default=6, ge=1, description="Submissions from one network address in an hour.")
    without_script_per_hour: int = Field(
        default=30, ge=0, description="Submissions in an hour, from everybody together, of browsers that run no script."
    )

    match_faces: bool = Field(default=True, description="Search faces of photos from here among the registered cases.")
    reply_author: bool = Field(default=True, description="Answer on the sender's receipt page.")
    read_hashtag: bool = Field(default=False, description="Has no meaning here: nothing is polled.")
    read_mentions: bool = Field(default=False, description="Has no meaning here: nothing is polled.")
    reply_uninvited: bool = Field(default=False, description="Has no meaning here: every submission asks for an answer.")
    mention_others: bool = Field(default=False, description="Has no meaning here: a receipt page mentions nobody.")

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str) -> str:
        return own_base_url(value)


def build(settings: Settings, secrets: Mapping[str, str], clock: Clock) -> Platform:
    """The form as a platform."""
    return Intake(settings)


class Intake:
    """The form as a :class:`bot.platforms.base.Platform`. Post ids are digests of receipt codes (see bot/console/intake.py)."""

    name = NAME

    def __init__(self, settings: Settings) -> None:
        self._rules = Rules(
            max_length=MAX_LENGTH,
            length=len,
            id_key=lambda value: f"{len(value):04d}{value}" if value.isascii() and value.isdigit() else "",
            post_url=lambda _author, _post: "",
            mention=lambda handle: "@" + handle.lstrip("@"),
            photo_hosts=(),
            capabilities=allowances("intake", settings, _WHY, _NEVER),
            photo_headers={},
            photo_reader=_no_photo,
            indexing_delay_s=0.0,
            overlap_s=0.0,
        )

    @property
    def rules(self) -> Rules:
        return self._rules

    def read(self, stream: Stream, since: str | None, page: str | None, not_before: datetime) -> Page:
        """Nothing: the form stores each submission itself, when it is sent."""
        return Page(())

    def look_up(self, ids: Sequence[str]) -> LookUp:
        """Nothing is ever gone unasked: taking a submission back is noted by the receipt page itself."""
        return LookUp((), ())

    def say(self, message: Outgoing) -> Sent:
        """Let the receipt page show ``message``. Recording it as sent, which follows, is what publishes it.

        Raises:
            Refused: it answers no submission, or is longer than a page should be.
        """
        if message.reply_to_id is None:
            raise Refused("only answers to a submission can be shown here", code="no_addressee")
        if not 0 < len(message.text) <= MAX_LENGTH:
            raise Refused(f"{len(message.text)} characters, 1 to {MAX_LENGTH} allowed", code="too_long")
        return Sent(f"{message.reply_to_id}:{message.kind.value}")

    def own_recent(self, reply_to_id: str | None, since: datetime) -> Sequence[OwnPost]:
        """Nothing: a message that was not recorded as sent was shown to nobody, so it may be said again."""
        return ()

    def account(self, handle: str | None = None) -> AccountInfo | None:
        """The form's own name; there are no other accounts."""
        return AccountInfo(id=NAME, handle=NAME) if handle is None else None


def _no_photo(url: str) -> bytes:
    """Photos are stored with their submission: one that is asked for again was removed."""
    raise PhotoGone("the photo was removed after it was sent")


_WHY = {
    Capability.READ_HASHTAG: "The form stores what people send; nothing is polled.",
    Capability.READ_MENTIONS: "The form stores what people send; nothing is polled.",
    Capability.REPLY_AUTHOR: "The sender reads the answer on their receipt page.",
    Capability.REPLY_UNINVITED: "Every submission asks for an answer: there is nobody to answer uninvited.",
    Capability.MENTION_OTHERS: "A receipt page mentions nobody: what matches goes to people, who forward it by hand.",
    Capability.MATCH_FACES: "Photos here were sent to the campaign itself.",
}
_NEVER = frozenset(
    {Capability.READ_HASHTAG, Capability.READ_MENTIONS, Capability.REPLY_UNINVITED, Capability.MENTION_OTHERS}
)
