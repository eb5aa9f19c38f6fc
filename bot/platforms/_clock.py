"""What time a platform has, from the Date header that every HTTP answer carries (RFC 9110, 6.6.1)."""

from __future__ import annotations

import requests


def server_date(url: str, timeout_s: float = 5.0) -> str | None:
    """The Date header of ``url``'s answer, whatever its status; None where nothing answers."""
    try:
        with requests.get(url, timeout=timeout_s, stream=True, allow_redirects=False) as response:
            return response.headers.get("Date")
    except requests.RequestException:
        return None
