"""What every X call passes first: OAuth, the 15-minute windows, typed parameters."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse

from bot.microblog.ids import base36
from bot.microblog.model import Account
from bot.microblog.world import World
from bot.microblog.x_errors import PROBLEMS, XError, invalid
from bot.microblog.x_shapes import DEFAULTS, Json, Wanted

WINDOW_S = 900
HEADERS = "microblog.headers"
_FIELDS = """
tweet.fields: article attachments author_id card_uri community_id context_annotations conversation_id created_at
  display_text_range edit_controls edit_history_tweet_ids entities geo id in_reply_to_user_id lang matched_media_notes
  media_metadata non_public_metrics note_request_suggestions note_tweet organic_metrics paid_partnership possibly_sensitive
  promoted_metrics public_metrics referenced_tweets reply_settings scopes source suggested_source_links
  suggested_source_links_with_counts text withheld
user.fields: affiliation confirmed_email connection_status created_at description entities id is_identity_verified location
  most_recent_tweet_id name parody pinned_tweet_id profile_banner_url profile_image_url protected public_metrics
  receives_your_dm subscription subscription_type url username verified verified_followers_count verified_type withheld
media.fields: alt_text duration_ms height media_key non_public_metrics organic_metrics preview_image_url promoted_metrics
  public_metrics type url variants width
place.fields: contained_within country country_code full_name geo id name place_type
poll.fields: duration_minutes end_datetime id options voting_status
usage.fields: cap_reset_day daily_client_app_usage daily_project_usage project_cap project_id project_usage
expansions: article.cover_media article.media_entities attachments.media_keys attachments.media_source_tweet
  attachments.poll_ids author_id edit_history_tweet_ids entities.mentions.username geo.place_id in_reply_to_user_id
  entities.note.mentions.username referenced_tweets.id referenced_tweets.id.attachments.media_keys
  referenced_tweets.id.author_id pinned_tweet_id most_recent_tweet_id affiliation.user_id
"""


def _known_fields() -> Mapping[str, frozenset[str]]:
    known: dict[str, set[str]] = {}
    for word in _FIELDS.split():
        if word.endswith(":"):
            known[word[:-1]] = current = set()
        else:
            current.add(word)
    return {name: frozenset(values) for name, values in known.items()}


FIELDS = _known_fields()


class XGate:
    """Checks who calls and how often."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._windows: dict[tuple[str, str], tuple[int, int]] = {}
        self._month, self._posts_read = "", 0

    def enter(self, request: Request, endpoint: str) -> Account | None:
        """The calling account, None for app-only. Raises XError: 401, 429 with its headers."""
        account, caller = self._caller(request)
        request.scope[HEADERS] = self._count(caller, endpoint)
        if int(request.scope[HEADERS]["x-rate-limit-remaining"]) < 0:
            request.scope[HEADERS]["x-rate-limit-remaining"] = "0"
            raise XError(429)
        return account

    def enter_as_user(self, request: Request, endpoint: str) -> Account:
        """As :meth:`enter`, in user context; app-only is XError 403."""
        account = self.enter(request, endpoint)
        if account is None:
            raise XError(
                403,
                "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint.  Supported authentication "
                "types are [OAuth 1.0a User Context, OAuth 2.0 User Context].",
                kind=PROBLEMS + "unsupported-authentication",
                title="Unsupported Authentication",
            )
        return account

    def count_posts(self, number: int) -> None:
        """Count posts that were given out; X's projects may read so many a month."""
        with self.world.lock:
            month = f"{self.world.clock().astimezone(UTC):%Y-%m}"
            self._posts_read = number + (self._posts_read if month == self._month else 0)
            self._month = month

    def posts_read(self) -> tuple[int, int]:
        """(days until the month's count starts anew, posts given out in this month)."""
        self.count_posts(0)
        today = self.world.clock().astimezone(UTC)
        return monthrange(today.year, today.month)[1] - today.day + 1, self._posts_read

    def _caller(self, request: Request) -> tuple[Account | None, str]:
        header = request.headers.get("authorization", "")
        scheme, _, rest = header.partition(" ")
        if scheme == "Bearer":
            token = self.world.tokens.x_bearer.get(rest)
        elif scheme == "OAuth":
            query = request.query_params.multi_items()
            token = self.world.tokens.x_signed_by(request.method, _signable(request), header, query)
        else:
            token = None
        if token is None or token.revoked or (token.expires_at is not None and token.expires_at <= self.world.clock()):
            raise XError(401)
        return (self.world.account(token.account) if token.account else None), token.account or "app"

    def _count(self, caller: str, endpoint: str) -> dict[str, str]:
        now = int(self.world.clock().timestamp())
        began, used = self._windows.get((caller, endpoint), (now, 0))
        if now >= began + WINDOW_S:
            began, used = now, 0
        self._windows[caller, endpoint] = (began, used + 1)
        limit = self.world.rules.x_limits[endpoint]
        return {
            "x-rate-limit-limit": str(limit),
            "x-rate-limit-remaining": str(limit - used - 1),
            "x-rate-limit-reset": str(began + WINDOW_S),
        }


def _signable(request: Request) -> list[str]:
    """The addresses a client may have signed: this server's, or the real hosts' where an adapter redirects at the last moment."""
    real = request.url.path.removeprefix("/x")
    own = f"{request.url.scheme}://{request.url.netloc}{request.url.path}"
    return [f"https://api.twitter.com{real}", f"https://api.x.com{real}", own]


class XParams:
    """Query parameters, typed; each wrong one raises X's 400 invalid-request."""

    def __init__(self, request: Request, allowed: set[str]) -> None:
        self._values = request.query_params
        for name in self._values:
            if name not in allowed and name not in FIELDS:
                known = ",".join(sorted(allowed))
                raise invalid(name, self._values[name], f"The query parameter [{name}] is not one of [{known}]")

    def text(self, name: str) -> str | None:
        """A string, or None."""
        return self._values.get(name)

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number within its bounds."""
        raw = self._values.get(name, str(default))
        if not raw.isdigit() or not low <= int(raw) <= high:
            raise invalid(name, raw, f"The `{name}` query parameter value [{raw}] is not between {low} and {high}")
        return int(raw)

    def post_id(self, name: str) -> int | None:
        """A post id, or None."""
        raw = self._values.get(name)
        if raw is None:
            return None
        if not raw.isdigit() or len(raw) > 19:
            raise invalid(name, raw, f"The `{name}` query parameter value [{raw}] is not valid")
        return int(raw)

    def moment(self, name: str) -> datetime | None:
        """A time (YYYY-MM-DDTHH:mm:ssZ), or None."""
        raw = self._values.get(name)
        if raw is None:
            return None
        try:
            return datetime.strptime(raw.replace(".000Z", "Z"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise invalid(name, raw, f"The `{name}` query parameter value [{raw}] is not a valid RFC3339 date") from None

    def listed(self, name: str, most: int) -> list[str]:
        """A comma-separated list of at least one and at most ``most`` values."""
        values = [v for v in (self._values.get(name) or "").split(",") if v]
        if not 1 <= len(values) <= most:
            message = f"The number of values in the `{name}` query parameter list is not between 1 and {most}"
            raise invalid(name, ",".join(values), message)
        return values

    def before(self, name: str) -> int | None:
        """The post id that a page token continues before, or None."""
        raw = self._values.get(name)
        if raw is None:
            return None
        try:
            return int(raw.removeprefix("b26v89c"), 36)
        except ValueError:
            raise invalid(name, raw, f"The `{name}` query parameter value [{raw}] is not valid") from None

    def wanted(self) -> Wanted:
        """Fields and expansions, defaults added."""
        sets: dict[str, frozenset[str]] = {}
        for name, known in FIELDS.items():
            values = {v for v in (self._values.get(name) or "").split(",") if v}
            if unknown := sorted(values - known):
                raise invalid(name, unknown[0], f"The `{name}` query parameter value [{unknown[0]}] is not one of the known")
            sets[name] = frozenset(values | DEFAULTS.get(name, set()))
        return Wanted(sets["tweet.fields"], sets["user.fields"], sets["media.fields"], sets["place.fields"], sets["expansions"])


def answered(request: Request, body: Json, status: int = 200) -> JSONResponse:
    """A success with its rate-limit headers."""
    return JSONResponse(body, status, headers=request.scope.get(HEADERS))


def page_token(post_id: int) -> str:
    """The opaque token of the page that follows ``post_id``."""
    return "b26v89c" + base36(post_id)
