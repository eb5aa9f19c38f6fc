"""A small typed client of the control interface, for the demo, the auditor and tests that run in another process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from types import TracebackType
from typing import Any, cast

import requests

from bot.microblog.faults import Fault
from bot.microblog.model import Publication, Side, WorldError
from bot.microblog.tokens import Credentials

Json = dict[str, Any]


class WorldClient:
    """Speaks to the control interface at ``url``. Every method raises WorldError with the world's own sentence."""

    def __init__(self, url: str, timeout_s: float = 10.0) -> None:
        self.url = url.rstrip("/")
        self.timeout_s = timeout_s
        self._session = requests.Session()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def __enter__(self) -> WorldClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def health(self) -> Json:
        """Whether the server is up (``ok``), and how often the world changed (``version``)."""
        return cast(Json, self._call("GET", "/health"))

    def credentials(self) -> Credentials:
        """The bot's local tokens."""
        return Credentials(**self._call("GET", "/credentials"))

    def add_account(self, key: str, role: str, screen_name: str, username: str, **more: str | int) -> Json:
        """Add an account; ``more`` as in :meth:`bot.microblog.world.World.add_account`."""
        body = {"key": key, "role": role, "screen_name": screen_name, "username": username, **more}
        return cast(Json, self._call("POST", "/accounts", json=body))

    def post(
        self, side: Side, author: str, text: str, photos: Sequence[bytes] = (), posted_at: datetime | None = None, **more: object
    ) -> Json:
        """Post as anybody; ``more`` as in :func:`bot.microblog.control.post_arguments`. Photo bytes are kept as given."""
        form = {"side": side.value, "author": author, "text": text, **{k: str(v) for k, v in more.items() if v is not None}}
        if posted_at is not None:
            form["posted_at"] = posted_at.isoformat()
        files = [("photos", (f"{n}.jpg", data, "image/jpeg")) for n, data in enumerate(photos)]
        return cast(Json, self._call("POST", "/posts", data=form, files=files or None))

    def posts(self) -> list[Json]:
        """Every visible post, newest first, with its comments."""
        return cast(list[Json], self._call("GET", "/posts"))

    def delete(self, post_id: str) -> None:
        """Delete a post."""
        self._call("DELETE", f"/posts/{post_id}")

    def repost(self, post_id: str, author: str, text: str = "") -> Json:
        """Repost a post."""
        return cast(Json, self._call("POST", f"/posts/{post_id}/repost", json={"author": author, "text": text}))

    def comment(self, post_id: str, author: str, text: str, reply_to: str | None = None) -> Json:
        """Comment on a Weibo post."""
        return cast(
            Json, self._call("POST", f"/posts/{post_id}/comments", json={"author": author, "text": text, "reply_to": reply_to})
        )

    def ledger(self) -> Json:
        """The whole ledger: ``publications``, ``repeated``, ``refusals``, ``calls``."""
        return cast(Json, self._call("GET", "/ledger"))

    def publications(self) -> list[Publication]:
        """Everything said through the two APIs, in order."""
        return [_publication(p) for p in self.ledger()["publications"]]

    def add_fault(self, fault: Fault) -> None:
        """Set a fault."""
        self._call("POST", "/faults", json=asdict(fault))

    def clear_faults(self) -> None:
        """Take every fault back."""
        self._call("DELETE", "/faults")

    def set_rules(self, **rules: object) -> Json:
        """Change the platforms' limits."""
        return cast(Json, self._call("POST", "/rules", json=rules))

    def set_tokens(self, do: str, account: str = "bot") -> None:
        """``expire``, ``revoke`` or ``renew`` an account's tokens."""
        self._call("POST", "/tokens", json={"account": account, "do": do})

    def _call(self, method: str, path: str, **request: Any) -> Any:
        try:
            answer = self._session.request(method, f"{self.url}/_world{path}", timeout=self.timeout_s, **request)
            body = answer.json()
        except requests.RequestException as error:
            raise WorldError(f"the local microblog at {self.url} does not answer: {error}") from error
        if not answer.ok:
            raise WorldError(str(body.get("error", body)))
        return body


def _publication(body: Mapping[str, Any]) -> Publication:
    values = dict(body) | {
        "at": datetime.fromisoformat(body["at"]),
        "side": Side(body["side"]),
        "mentions": tuple(body["mentions"]),
    }
    return Publication(**values)
