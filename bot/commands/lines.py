"""What a running bot says as it works, line by line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable

from bot.bot import Bot


def live_lines(bot: Bot, *, as_json: bool) -> Callable[[str], None]:
    """Prints what a running bot does as it happens: a line with the time, or one JSON object a line for scripts.

    Whoever reads the lines may go away (a closed terminal, an ended pipe); the bot works on and says no more.
    """

    def say(line: str) -> None:
        now = bot.clock()
        told = json.dumps({"at": now.isoformat(), "line": line}, ensure_ascii=False)
        try:
            sys.stdout.write((told if as_json else f"{now.astimezone(bot.zone):%H:%M:%S} {line}") + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - stands until the process ends

    return say
