"""The domain's own types: what a post, a sighting, a case, a candidate and an alert are.

This module imports the standard library alone. All times are timezone-aware; the store keeps them as UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple, NewType

Clock = Callable[[], datetime]
"""Returns the present instant, timezone-aware. Handed down so that tests can stop it."""

Adcode = NewType("Adcode", str)
"""Six digits of GB/T 2260; ``110000`` a province, ``500100``-like pseudo-codes are not used."""


# --- posts: what a platform returned ---------------------------------------------------------------------------


class Datum(StrEnum):
    """The geodetic datum of a coordinate pair. Reading one as the other moves a point about 550 m in China."""

    WGS84 = "wgs84"
    GCJ02 = "gcj02"


@dataclass(frozen=True, slots=True)
class GeoPoint:
    """A point as the platform gave it, in degrees, not yet converted or validated."""

    lat: float
    lon: float
    datum: Datum


@dataclass(frozen=True, slots=True)
class PlaceTag:
    """A place the platform attached to a post. ``bbox`` is (west, south, east, north) in degrees."""

    name: str
    point: GeoPoint | None = None
    bbox: tuple[float, float, float, float] | None = None
    kind: str = ""
    country_code: str = ""


@dataclass(frozen=True, slots=True)
class Author:
    """Who posted. ``place`` is the profile's free text or adcode-like code; it never decides a sighting's place alone."""

    id: str
    handle: str
    name: str = ""
    place: str = ""
    created_at: datetime | None = None
    verified: bool = False
    automated: bool = False


@dataclass(frozen=True, slots=True)
class Media:
    """One picture of a post. ``key`` is the platform's own picture id; ``urls`` go from largest to smallest."""

    key: str
    urls: tuple[str, ...]
    kind: str = "photo"


@dataclass(frozen=True, slots=True)
class Post:
    """What a platform returned, in the project's words. ``raw`` is the platform's own body, kept as evidence.

    ``repost_of`` holds the original of a repost: the original is the sighting, the repost is a link to it.
    ``mentions`` are the handles named in the text, without ``@``. ``summons`` is True where the author tagged the bot
    (so that answering is invited). ``thread_id`` groups a conversation: it is answered at most once.
    """

    platform: str
    id: str
    author: Author
    text: str
    posted_at: datetime
    url: str
    lang: str = "zh"
    media: tuple[Media, ...] = ()
    point: GeoPoint | None = None
    place: PlaceTag | None = None
    reply_to_id: str | None = None
    thread_id: str | None = None
    repost_of: Post | None = None
    mentions: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    summons: bool = False
    deleted: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Malformed:
    """A body that could not be read as a post: stored as failed with its raw body, never a reason to stop a round."""

    platform: str
    id: str | None
    error: str
    raw: Mapping[str, Any] | str


# --- reading a platform ---------------------------------------------------------------------------------------


class StreamKind(StrEnum):
    HASHTAG = "hashtag"
    MENTIONS = "mentions"
    REPLIES = "replies"
    """Answers to what the bot said, where the platform lists them apart from mentions."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One thing that is polled, with a cursor of its own. ``query`` is the hashtag without ``#``; empty for mentions."""

    platform: str
    kind: StreamKind
    query: str = ""

    @property
    def key(self) -> str:
        """The stream's stable name in the database, logs and ``status``."""
        return f"{self.platform}:{self.kind.value}" + (f":{self.query}" if self.query else "")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a stream, newest first or not: the cursor rule does not depend on the order.

    ``next`` is the opaque token of the following (older) page, None on the last. ``head`` is the cursor to keep once
    *every* page of the chain is stored; platforms may leave it None to have the greatest post id taken.
    ``truncated`` says that older posts exist which the platform will not give (a window of 200 or 800 posts).
    """

    posts: tuple[Post | Malformed, ...]
    next: str | None = None
    head: str | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class LookUp:
    """The answer to a look-up by id: what exists, and which ids are gone (deleted or hidden)."""

    posts: tuple[Post | Malformed, ...]
    gone: tuple[str, ...]


# --- speaking on a platform -----------------------------------------------------------------------------------


class Capability(StrEnum):
    """What a platform object may do. The operator switches each on in the settings; ``doctor`` explains each."""

    READ_HASHTAG = "read_hashtag"
    READ_MENTIONS = "read_mentions"
    REPLY_AUTHOR = "reply_author"
    REPLY_UNINVITED = "reply_uninvited"
    MENTION_OTHERS = "mention_others"
    MATCH_FACES = "match_faces"


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether a capability is on, and the sentence that says why (or why not, and what would switch it on)."""

    on: bool
    why: str


class MessageKind(StrEnum):
    ANSWER = "answer"
    ALERT = "alert"
    DIGEST = "digest"
    ACKNOWLEDGEMENT = "acknowledgement"
    BROADCAST = "broadcast"
    THANKS = "thanks"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message in its final, byte-exact text. ``reply_to_id`` None makes a post of the bot's own.

    ``reply_to_comment_id`` is set where the platform answers comments apart from posts. ``ref`` is the short reference that
    the text contains, by which ``own_recent`` finds it again. ``mentions`` are the handles that the text names.
    """

    kind: MessageKind
    text: str
    ref: str
    reply_to_id: str | None = None
    reply_to_comment_id: str | None = None
    mentions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """A publication the platform confirmed. ``id`` is None where it accepted but delays it (Weibo's 20032)."""

    id: str | None
    url: str = ""


@dataclass(frozen=True, slots=True)
class OwnPost:
    """One of the bot's own recent publications, read back for reconciling."""

    id: str
    text: str
    reply_to_id: str | None
    posted_at: datetime
    url: str = ""


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """An account as the platform shows it now. The token and call fields are known for the bot's own account only.

    ``protected``: only followers see what it posts.
    """

    id: str
    handle: str
    name: str = ""
    verified: bool = False
    verified_type: str = ""
    verified_reason: str = ""
    token_expires_at: datetime | None = None
    calls_left: int | None = None
    calls_reset_at: datetime | None = None
    protected: bool = False


# --- when and where --------------------------------------------------------------------------------------------


class Certainty(StrEnum):
    """How sure a value is. Only HIGH places are mentioned to officials; everything else goes to a person."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Evidence(NamedTuple):
    """One sign of a time or a place: where it came from, what it says, and the words that a reviewer reads.

    ``source``: text | geo | place | exif | x_place | profile | post_time | first_seen | person. ``value`` is an adcode or
    an ISO interval ("from/to"), None where the sign was seen and refused. ``span`` marks the characters of the text that counted.
    """

    source: str
    value: str | None
    certainty: Certainty
    why: str
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Where:
    """Where a child was seen. ``alternatives`` is non-empty exactly when the evidence leaves several places open."""

    adcode: str | None = None
    place: str = ""
    alternatives: tuple[str, ...] = ()
    certainty: Certainty = Certainty.NONE
    evidence: tuple[Evidence, ...] = ()

    @property
    def settled(self) -> bool:
        """True when officials of ``adcode`` may be mentioned."""
        return self.adcode is not None and not self.alternatives and self.certainty is Certainty.HIGH


class Grain(StrEnum):
    """How fine a time is known."""

    MINUTE = "minute"
    HOUR = "hour"
    PART_OF_DAY = "part_of_day"
    DAY = "day"
    RANGE = "range"


@dataclass(frozen=True, slots=True)
class When:
    """When a child was seen: the half-open interval [seen_from, seen_to). Both None where unknown."""

    seen_from: datetime | None = None
    seen_to: datetime | None = None
    grain: Grain | None = None
    certainty: Certainty = Certainty.NONE
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Exif:
    """What a photo's own record says, validated. ``taken_at`` is aware (+08:00 where the photo names no offset)."""

    taken_at: datetime | None = None
    point: GeoPoint | None = None
    camera: str = ""
    refused: tuple[str, ...] = ()


# --- faces ------------------------------------------------------------------------------------------------------


class FaceQuality(StrEnum):
    """GOOD faces may alert; LOW faces are matched for people only; UNUSABLE faces are kept and shown."""

    GOOD = "good"
    LOW = "low"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True)
class Box:
    """Pixel box in the upright photo: left, top, right, bottom."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width_px(self) -> float:
        return self.right - self.left

    @property
    def height_px(self) -> float:
        return self.bottom - self.top

    def overlap(self, other: Box) -> float:
        """Intersection over union with another box, 0 to 1."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.width_px * self.height_px + other.width_px * other.height_px - shared)


class Band(StrEnum):
    """What a score means for people: HIGH may alert, REVIEW is queued, NONE is not kept as a candidate."""

    HIGH = "high"
    REVIEW = "review"
    NONE = "none"


# --- cases, leads, alerts ---------------------------------------------------------------------------------------


class CaseState(StrEnum):
    DRAFT = "draft"
    VERIFIED = "verified"
    CLOSED = "closed"


class LeadState(StrEnum):
    NEW = "new"
    REVIEWED = "reviewed"
    SENT = "sent"
    CHECKING = "checking"
    RULED_OUT = "ruled_out"
    DNA_PENDING = "dna_pending"
    CONFIRMED = "confirmed"
    CLOSED = "closed"


class AlertState(StrEnum):
    """held -> ready -> sending -> sent | unknown | dead; held and ready may be cancelled. See bot/alerts/deliver.py."""

    HELD = "held"
    READY = "ready"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    DEAD = "dead"
    CANCELLED = "cancelled"


class AgencyType(StrEnum):
    POLICE = "police"
    ANTI_TRAFFICKING = "anti_trafficking"
    CIVIL_AFFAIRS = "civil_affairs"
    RESCUE_STATION = "rescue_station"
    MEDIA = "media"


@dataclass(frozen=True, slots=True)
class Agency:
    """A public body and the division it is responsible for. ``valid_to`` None means still in office."""

    id: int
    name: str
    adcode: str
    level: str
    type: AgencyType
    priority: int = 100
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class OfficialAccount:
    """An agency's account on a platform. Only verified, recently checked accounts are ever mentioned."""

    id: int
    agency: Agency
    platform: str
    account_id: str
    handle: str
    verified: bool
    verified_type: str = ""
    verified_reason: str = ""
    checked_on: date | None = None
    evidence: str = ""


Strings = Sequence[str]
