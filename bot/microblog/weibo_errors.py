"""Weibo's errors in Weibo's form: ``{"error", "error_code", "request"}`` with HTTP 400 or 403."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

PREFIX = "/weibo"

# Code -> (HTTP status, text). Texts as Weibo's error page and its clients' recordings give them.
ERRORS: dict[int, tuple[int, str]] = {
    10001: (503, "system error!"),
    10002: (503, "service unavailable!"),
    10006: (400, "source paramter(appkey) is missing"),
    10008: (400, "param error, see doc for more info."),
    10014: (403, "Insufficient app permissions!"),
    10016: (400, "miss required parameter ({}) , see doc for more info."),
    10017: (400, "parameter ({})'s value invalid, see doc for more info."),
    10020: (404, "request api not found!"),
    10021: (405, "HTTP METHOD is not suported for this request!"),
    10022: (403, "IP requests out of rate limit!"),
    10023: (403, "User requests out of rate limit!"),
    10024: (403, "User requests for {} out of rate limit!"),
    20003: (400, "user does not exists!"),
    20008: (400, "content is null!"),
    20012: (400, "text too long, please input text less than 140 characters!"),
    20016: (403, "out of limit!"),
    20017: (400, "repeat similar content!"),
    20018: (400, "contain illegal website!"),
    20019: (400, "repeat content!"),
    20020: (400, "contain advertising!"),
    20021: (400, "content is illegal!"),
    20031: (400, "test and verify!"),
    20032: (400, "Update success, while server slow now, please wait 1-2 minutes!"),
    20101: (400, "target weibo does not exist!"),
    20102: (400, "not your own weibo!"),
    20201: (400, "target weibo comment does not exist!"),
    21301: (403, "auth faild!"),
    21315: (403, "token expired!"),
    21316: (403, "token revoked!"),
    21317: (403, "token rejected!"),
    21321: (403, "Applications over the unaudited use restrictions!"),
    21327: (403, "expired_token"),
    21332: (403, "invalid_access_token"),
    21335: (403, "uid parameter only supports the current authorized user!"),
    21411: (400, "the max number of search results is 200!"),
}


class WeiboError(Exception):
    """Raised inside a handler; becomes the error's response."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


def error_response(path: str, code: int, detail: str = "") -> JSONResponse:
    """The response of error ``code`` for the request at ``path`` (with or without the local prefix)."""
    status, message = ERRORS.get(code, (400, "unknown error"))
    body = {"error": message.format(detail), "error_code": code, "request": path.removeprefix(PREFIX)}
    return JSONResponse(body, status)


async def on_weibo_error(request: Request, error: Exception) -> JSONResponse:
    """Starlette's handler of :class:`WeiboError`."""
    assert isinstance(error, WeiboError)
    return error_response(request.url.path, error.code, error.detail)
