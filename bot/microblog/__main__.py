"""``python -m bot.microblog --port 8765``: the local microblog as a process of its own."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from bot.microblog.server import Microblog
from bot.microblog.state import StateFile
from bot.microblog.world import World
from store.errors import SuishoupaiError


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Returns the exit code: 0, or 2 where it cannot start."""
    parser = argparse.ArgumentParser(
        prog="python -m bot.microblog", description="A local microblog that speaks Weibo's and X's APIs."
    )
    parser.add_argument("--port", type=int, default=8765, help="port on 127.0.0.1; 0 takes any free one (default: 8765)")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keep the world in this SQLite file, and go on from it")
    options = parser.parse_args(arguments)
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    try:
        world = World()
        if options.state is not None:
            StateFile(options.state).attach(world)
        with Microblog(port=options.port, world=world) as microblog:
            print(microblog.url, flush=True)
            done.wait()
    except SuishoupaiError as error:
        print(f"microblog: {error}" + (f" ({error.mend})" if error.mend else ""), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
