"""The keys under ``platforms.weibo``, what they allow, and how Weibo counts length."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, field_validator

from bot.platforms._http import own_base_url
from bot.platforms.base import PlatformSettings
from store.model import Allowance, Capability

_URL = re.compile(r"https?://[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_URL_HALVES = 20


class Settings(PlatformSettings):
    """Keys of ``platforms.weibo``, beside those of every platform. The defaults are the basic tier's."""

    base_url: str = Field(default="https://api.weibo.com/2", description="The API's address, with its version.")
    oauth_url: str = Field(default="", description="Where get_token_info lives; empty: /oauth2 beside base_url.")
    web_url: str = Field(default="https://weibo.com", description="The site's address, for links to posts.")
    token_in: Literal["header", "parameter"] = Field(
        default="header", description="How the token is sent: header keeps it out of addresses and so out of proxies' logs."
    )
    uid: int | None = Field(default=None, description="The bot account's numeric id; empty: asked from the platform.")
    screen_name: str = Field(default="", description="The bot account's @name, to see that a hashtag post tags it.")
    rip: str = Field(default="", description="Public IP address of this machine; Weibo requires it for everything written.")

    search_path: str = Field(
        default="search/topics.json",
        description="Hashtag search; the commercial tier's is https://c.api.weibo.com/2/search/statuses/limited.json.",
    )
    search_query: str = Field(default="{tag}", description="The q of the search; {tag} is the hashtag without '#'.")
    search_params: dict[str, str] = Field(default={}, description="Further parameters of the search, e.g. sort: time.")
    search_window: int = Field(default=200, ge=1, description="How many of the newest posts the search gives at all.")
    mentions_path: str = Field(
        default="statuses/mentions.json",
        description="Posts that tag the bot; the commercial tier's is https://c.api.weibo.com/2/statuses/mentions/other.json.",
    )
    read_replies: bool = Field(
        default=True,
        description="Read comments that answer the bot's own (one call more a poll): officials' answers, and 退订.",
    )
    read_comments: bool = Field(
        default=False, description="Also read comments that tag the bot under others' posts (one call more a poll)."
    )
    page_size: int = Field(default=50, ge=1, le=50, description="Posts asked for in one page.")
    own_timeline_window: int = Field(default=5, ge=1, description="How many of its own posts the app is shown at most.")
    overlap_s: float = Field(default=600, ge=0, le=86_400, description="Seconds before the last post that each poll reads again.")
    indexing_delay_s: float = Field(default=30, ge=0, description="Seconds until one's own comment can be read back.")

    photo_url: str = Field(
        default="https://wx1.sinaimg.cn/large/{pid}.jpg", description="Address of a picture of which only the id {pid} is known."
    )
    photo_hosts: tuple[str, ...] = Field(default=(), description="Hosts photos may come from beside *.sinaimg.cn.")

    daily_calls: int = Field(default=100, ge=1, description="Calls a day that the app's tier allows (basic tier: 100).")
    reserve_for_writing: int = Field(default=20, ge=0, description="Of these, calls that polling leaves over for answers.")
    ask_rate_limit: bool = Field(default=True, description="Ask account/rate_limit_status (not counted) what is left.")

    alert_form: Literal["comment", "share"] = Field(
        default="comment",
        description="comment: officials are mentioned under the post. share: in a post of the bot's own (needs bound_domain).",
    )
    bound_domain: str = Field(default="", description="The app's bound domain; a share must link into it.")

    read_hashtag: bool = Field(default=True, description="Search the campaign's hashtags (an advanced permission of the app).")
    read_mentions: bool = Field(default=True, description="Read posts that tag the bot.")
    reply_author: bool = Field(default=True, description="Answer people who tagged the bot.")
    reply_uninvited: bool = Field(default=True, description="Answer people who used the hashtag without tagging the bot.")
    mention_others: bool = Field(default=True, description="Mention officials under a post that matched.")
    match_faces: bool = Field(default=True, description="Search faces of this platform's photos among the registered cases.")

    @field_validator("rip")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if value:
            ipaddress.ip_address(value)
        return value

    @field_validator("base_url", "oauth_url", "web_url")
    @classmethod
    def _a_web_address(cls, value: str) -> str:
        return own_base_url(value) if value else value

    @field_validator("search_path", "mentions_path")
    @classmethod
    def _a_path(cls, value: str) -> str:
        return own_base_url(value) if "://" in value else value

    @field_validator("photo_url")
    @classmethod
    def _has_a_place_for_the_id(cls, value: str) -> str:
        if "{pid}" not in value:
            raise ValueError("must hold {pid}")
        return value

    @property
    def oauth_base(self) -> str:
        """``oauth_url``, or the ``oauth2`` folder beside the API's version."""
        return self.oauth_url or f"{self.base_url.removesuffix('/2')}/oauth2"


def length(text: str) -> int:
    """Length as Weibo counts it, in full characters rounded up: an ASCII character a half, any other one, an address ten.

    A character outside the basic plane (most emoji) counts two, as the web client counts UTF-16 units; the API may count
    one, and a text that is a little shorter than allowed is never refused.
    """
    rest, addresses = _URL.subn("", text)
    halves = sum(1 if c < "\x80" else 2 if c <= "\uffff" else 4 for c in rest)
    return math.ceil((halves + addresses * _URL_HALVES) / 2)


_WHY: Mapping[Capability, tuple[str, str]] = {
    Capability.READ_HASHTAG: (
        "Hashtag search is on; search/topics is an advanced permission that the app must have been granted.",
        "Hashtag search is off (platforms.weibo.read_hashtag): switch it on once the app has the advanced permission.",
    ),
    Capability.READ_MENTIONS: (
        "Mentions are read; the basic tier shows only posts by people who authorised the app, the commercial tier all of them.",
        "Mentions are not read (platforms.weibo.read_mentions).",
    ),
    Capability.REPLY_AUTHOR: (
        "People who tag the bot get one comment under their post.",
        "People who tag the bot get no answer (platforms.weibo.reply_author).",
    ),
    Capability.REPLY_UNINVITED: (
        "Using the campaign's hashtag with a photo is a submission to it, so it gets one comment, once, until the person opts "
        "out. Weibo counts mass comments as spam: switch this off if it answers with 20016 or 20031.",
        "People who only use the hashtag get no answer (platforms.weibo.reply_uninvited); their posts are read all the same.",
    ),
    Capability.MENTION_OTHERS: (
        "Officials are mentioned in alerts, under the caps of alerts.caps.",
        "Officials are not mentioned (platforms.weibo.mention_others); alerts wait for a person.",
    ),
    Capability.MATCH_FACES: (
        "Faces are searched among registered cases. Sensitive personal information of minors (Personal Information Protection "
        "Law, articles 28 to 31): the operator needs the authority to do so.",
        "Faces of Weibo's photos are not searched (platforms.weibo.match_faces); people look at them.",
    ),
}
_SPEAKING = (Capability.REPLY_AUTHOR, Capability.REPLY_UNINVITED, Capability.MENTION_OTHERS)


def capabilities(settings: Settings) -> Mapping[Capability, Allowance]:
    """Each capability with the sentence that says why it is on or off. Nothing is said without ``rip``."""
    found = {}
    for capability, (why_on, why_off) in _WHY.items():
        on = bool(getattr(settings, capability.value))
        if on and capability in _SPEAKING and not settings.rip:
            found[capability] = Allowance(False, "Weibo requires the sender's IP address: set platforms.weibo.rip.")
        else:
            found[capability] = Allowance(on, why_on if on else why_off)
    return found
