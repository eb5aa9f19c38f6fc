"""A running microblog with a clock that tests move, and callers that speak the two APIs as their own clients would."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from PIL import Image
from requests_oauthlib import OAuth1

from bot.microblog.server import Microblog

START = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)


class MovingClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, **delta: float) -> None:
        self.now += timedelta(**delta)


class Caller:
    """Calls one API of the microblog with the bot's credentials."""

    def __init__(self, mb: Microblog) -> None:
        self.mb = mb
        self.session = requests.Session()
        self.timeout_s = 10.0

    def weibo(self, name: str, method: str = "GET", **values: Any) -> requests.Response:
        """A call of Weibo's API; ``rip`` is added to what is written."""
        signed = {"access_token": self.mb.credentials.weibo_access_token, **values}
        url = f"{self.mb.weibo_url}/2/{name}.json"
        if method == "GET":
            return self.session.get(url, params=signed, timeout=self.timeout_s)
        return self.session.post(url, data={"rip": "203.0.113.9", **signed}, timeout=self.timeout_s)

    def comment(self, post_id: object, text: str) -> requests.Response:
        """``comments/create``."""
        return self.weibo("comments/create", "POST", id=post_id, comment=text)

    def x(self, path: str, **params: Any) -> requests.Response:
        """A reading call of X's API with the app's bearer token; ``tweet_fields`` becomes ``tweet.fields``."""
        named = {key.replace("_fields", ".fields"): value for key, value in params.items()}
        headers = {"Authorization": f"Bearer {self.mb.credentials.x_bearer_token}"}
        return self.session.get(f"{self.mb.x_url}/2{path}", params=named, headers=headers, timeout=self.timeout_s)

    def oauth(self, **changed: str) -> OAuth1:
        """The bot's OAuth 1.0a signature, with some credentials changed."""
        held = self.mb.credentials
        keys = {
            "client_key": held.x_consumer_key,
            "client_secret": held.x_consumer_secret,
            "resource_owner_key": held.x_access_token,
            "resource_owner_secret": held.x_access_token_secret,
        }
        return OAuth1(**(keys | changed))

    def tweet(self, text: str, reply_to: object = None, **more: Any) -> requests.Response:
        """``POST /2/tweets`` in user context."""
        body = {"text": text, **({"reply": {"in_reply_to_tweet_id": str(reply_to)}} if reply_to else {}), **more}
        return self.session.post(f"{self.mb.x_url}/2/tweets", json=body, auth=self.oauth(), timeout=self.timeout_s)


@pytest.fixture
def clock() -> MovingClock:
    """The clock of the world."""
    return MovingClock()


@pytest.fixture
def mb(clock: MovingClock) -> Iterator[Microblog]:
    """A running microblog."""
    with Microblog(clock=clock) as running:
        yield running


@pytest.fixture
def call(mb: Microblog) -> Iterator[Caller]:
    """Calls its APIs."""
    caller = Caller(mb)
    with caller.session:
        yield caller


@pytest.fixture(scope="session")
def jpeg() -> Callable[..., bytes]:
    """Makes JPEG pictures; ``exif`` puts a camera and a GPS record into them."""

    def made(width: int = 320, height: int = 240, colour: str = "teal", exif: bool = False) -> bytes:
        out = io.BytesIO()
        record = Image.Exif()
        if exif:
            record[0x0110] = "SECRETCAM"
            record[0x0112] = 6
            record.get_ifd(0x8825)[1] = "N"
        Image.new("RGB", (width, height), colour).save(out, "JPEG", exif=record, comment=b"SECRETCOMMENT" if exif else b"")
        return out.getvalue()

    return made
