"""Who may speak through the two APIs: Weibo's access tokens, X's bearer and OAuth 1.0a tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from urllib.parse import unquote

from oauthlib.oauth1.rfc5849 import signature  # type: ignore[import-untyped]

from bot.microblog.model import Account, WorldError

TOKEN_LIFE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The bot's credentials in the local world; they open nothing anywhere else."""

    weibo_app_key: str
    weibo_access_token: str
    x_bearer_token: str
    x_consumer_key: str
    x_consumer_secret: str
    x_access_token: str
    x_access_token_secret: str


@dataclass(frozen=True, slots=True)
class Token:
    """A token of either side. ``secret`` is empty except for OAuth 1.0a."""

    account: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked: bool = False
    secret: str = ""


class TokenBook:
    """The tokens both APIs accept. One app (consumer) on either side."""

    def __init__(self, now: datetime, app_key: str = "1352222456") -> None:
        self.app_key = app_key
        self.consumer_key = "local-consumer-key"
        self.consumer_secret = "local-consumer-secret"
        self.weibo: dict[str, Token] = {}
        self.x_bearer: dict[str, Token] = {"local-x-bearer": Token("", now)}
        self.x_user: dict[str, Token] = {}

    def issue(self, account: Account, now: datetime) -> Credentials:
        """Give ``account`` a token on either side. X's access token begins with the user id, as tweepy relies on."""
        weibo = f"2.00local{account.uid}"
        x_token = f"{account.x_id}-local{account.key}"
        self.weibo[weibo] = Token(account.key, now, now + TOKEN_LIFE)
        self.x_user[x_token] = Token(account.key, now, secret=f"local-secret-{account.key}")
        return self.credentials(account.key)

    def credentials(self, key: str) -> Credentials:
        """The credentials issued to account ``key``. Raises WorldError where there are none."""
        weibo = next((t for t, held in self.weibo.items() if held.account == key), None)
        x_token = next((t for t, held in self.x_user.items() if held.account == key), None)
        if weibo is None or x_token is None:
            raise WorldError(f"account {key!r} holds no tokens")
        bearer = next(iter(self.x_bearer))
        secret = self.x_user[x_token].secret
        return Credentials(self.app_key, weibo, bearer, self.consumer_key, self.consumer_secret, x_token, secret)

    def expire(self, key: str, at: datetime) -> None:
        """Let the tokens of account ``key`` expire at ``at``; the app's bearer token with them."""
        for book in (self.weibo, self.x_user, self.x_bearer):
            for token, held in book.items():
                if held.account in (key, ""):
                    book[token] = replace(held, expires_at=at)

    def revoke(self, key: str) -> None:
        """Revoke the tokens of account ``key``."""
        for book in (self.weibo, self.x_user):
            for token, held in book.items():
                if held.account == key:
                    book[token] = replace(held, revoked=True)

    def renew(self, account: Account, now: datetime) -> None:
        """Make the tokens of ``account`` and the app's bearer token valid again, under their old names."""
        for token in self.x_bearer:
            self.x_bearer[token] = Token("", now)
        self.issue(account, now)

    def x_signed_by(self, method: str, urls: Sequence[str], authorization: str, query: Sequence[tuple[str, str]]) -> Token | None:
        """The token whose OAuth 1.0a HMAC-SHA1 signature stands in ``authorization`` for one of ``urls``; None if none is valid.

        ``urls`` are the addresses the client may have signed: adapters sign the real host and are sent here afterwards.
        """
        oauth = oauth_parameters(authorization)
        token = self.x_user.get(oauth.get("oauth_token", ""))
        if token is None or oauth.get("oauth_consumer_key") != self.consumer_key:
            return None
        params = [*query, *((k, v) for k, v in oauth.items() if k != "oauth_signature")]
        for url in urls:
            request = SimpleNamespace(uri=url, http_method=method, params=params, signature=oauth.get("oauth_signature", ""))
            if signature.verify_hmac_sha1(request, self.consumer_secret, token.secret):
                return token
        return None


def oauth_parameters(authorization: str) -> Mapping[str, str]:
    """The parameters of an ``OAuth`` Authorization header (RFC 5849, 3.5.1), percent-decoded, without the realm."""
    pairs = re.findall(r'(\w+)="([^"]*)"', authorization)
    return {key: unquote(value) for key, value in pairs if key != "realm"}
