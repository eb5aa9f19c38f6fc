"""X's errors as problem+json (RFC 7807) with X's own titles and details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

PROBLEMS = "https://api.twitter.com/2/problems/"
DUPLICATE = "You are not allowed to create a Tweet with duplicate content."
NOT_SUMMONED = (
    "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the author "
    "of the post you are replying to."
)
TARGET_GONE = "You attempted to reply to a Tweet that is deleted or not visible to you."
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "CreditsDepleted",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
}


class XError(Exception):
    """Raised inside a handler; becomes the problem's response."""

    def __init__(
        self, status: int, detail: str = "", *, kind: str = "about:blank", title: str = "", extra: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(status, detail)
        self.status = status
        self.title = title or TITLES.get(status, "Internal Server Error")
        self.detail = detail or self.title
        self.kind = kind
        self.extra = dict(extra or {})

    def response(self, headers: Mapping[str, str] | None = None) -> JSONResponse:
        """The problem document."""
        body = {"title": self.title, "detail": self.detail, "type": self.kind, "status": self.status, **self.extra}
        return JSONResponse(body, self.status, headers=headers, media_type="application/problem+json")


def invalid(parameter: str, value: str, message: str) -> XError:
    """400 invalid-request about one parameter."""
    errors = [{"parameters": {parameter: [value]}, "message": message}]
    return XError(
        400,
        "One or more parameters to your request was invalid.",
        kind=PROBLEMS + "invalid-request",
        title="Invalid Request",
        extra={"errors": errors},
    )


def not_found(parameter: str, value: str, resource: str) -> dict[str, str]:
    """A resource-not-found entry of ``errors`` in a 200."""
    return {
        "value": value,
        "detail": f"Could not find {resource} with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": resource,
        "parameter": parameter,
        "resource_id": value,
        "type": PROBLEMS + "resource-not-found",
    }


async def on_x_error(request: Request, error: Exception) -> JSONResponse:
    """Starlette's handler of :class:`XError`."""
    assert isinstance(error, XError)
    return error.response(request.scope.get("microblog.headers"))
