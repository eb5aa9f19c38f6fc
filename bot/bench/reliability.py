"""The figures of docs/reliability.md: chaos rounds and their ledger, flood delay, restore time, the decoder's memory, hostile
inputs tried."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from PIL import Image

from bot.bench.base import Figure, Result
from bot.bench.flood import answered_behind, delay_in_rounds, figures_of
from bot.chaos.pictures import BROKEN, photo
from bot.chaos.run import run as chaos
from ingest.photo import Decoder
from store import backup, posts
from store.errors import PhotoRefused, PhotoUnavailable
from store.model import Malformed, Stream, StreamKind
from store.photos import PhotoFiles
from store.session import Store

_RAM = Path("/dev/shm")


def run(quick: bool) -> Result:
    """Quick: 12 rounds, a flood of 2,000. Full: 200 rounds (five to nine minutes) and 10,000."""
    with tempfile.TemporaryDirectory(dir=_RAM if _RAM.is_dir() else None) as folder:
        here = Path(folder)
        figures = [*_chaos(here / "chaos", 12 if quick else 200), *_flood(here, 2_000 if quick else 10_000)]
        figures += [*_restore(here / "restore", 2_000), *_decoder()]
    return Result("reliability", tuple(figures))


def _chaos(folder: Path, rounds: int) -> list[Figure]:
    report = chaos(folder, rounds, seed=1)
    ledger = report.ledger
    none = "0"
    return [
        Figure("chaos rounds", report.rounds, "rounds"),
        Figure("killed by SIGKILL", report.kills, "times"),
        Figure("distinct commits died at", len(report.points), "places"),
        Figure("a round", report.seconds / max(1, report.rounds), "s", better="lower", promised="3 (200 in 10 minutes)"),
        Figure("posts in the ledger", ledger.posts, "posts"),
        Figure("posts lost", ledger.posts_lost + ledger.posts_unfinished, "posts", better="lower", promised=none),
        Figure("answers lost", ledger.answers_lost, "answers", better="lower", promised=none),
        Figure("alerts lost", ledger.alerts_lost, "alerts", better="lower", promised=none),
        Figure("answers said twice", ledger.answers_doubled, "answers", better="lower", promised=none),
        Figure("alerts said twice", ledger.alerts_doubled, "alerts", better="lower", promised=none),
        Figure("mentions said twice", ledger.mentions_doubled, "mentions", better="lower", promised=none),
        Figure("said and not remembered", ledger.strays, "messages", better="lower", promised=none),
        Figure("lives that ended wrongly", len(report.crashes), "lives", better="lower", promised=none),
    ]


def _flood(folder: Path, count: int) -> list[Figure]:
    delay = delay_in_rounds(folder, posts_count=count, accounts=50, batch=50)
    live = folder / "live"
    live.mkdir()
    return [
        Figure(f"honest post behind {count:,} of 50 accounts", delay, "rounds", better="lower", promised="2"),
        *figures_of(answered_behind(live, posts_count=count, accounts=50), count),
    ]


def _restore(folder: Path, count: int) -> list[Figure]:
    """A backup of ``count`` posts and 200 photos while the store is open, restored elsewhere and counted."""
    folder.mkdir()
    store = Store(f"sqlite:///{folder / 'a.sqlite'}", lambda: datetime.now(UTC))
    store.migrate()
    files = PhotoFiles(folder / "photos", store.vault)
    stream = Stream("weibo", StreamKind.MENTIONS)
    items = [Malformed("weibo", str(number), "made", {"number": number}) for number in range(count)]
    with store.write() as tx:
        posts.save_page(tx, stream, items, now=tx.now, silent=lambda post: True, cursor="1", chain=None)
    for number in range(200):
        files.put(photo(number % 12, number))
    saved = _timed(lambda: backup.backup(store, files, folder / "backup"))
    again = Store(f"sqlite:///{folder / 'b.sqlite'}", lambda: datetime.now(UTC))
    restored = _timed(lambda: backup.restore(folder / "backup", again, PhotoFiles(folder / "photos-b", again.vault)))
    with again.read() as tx:
        found = sum(posts.counts(tx).values())
    again.close()
    store.close()
    return [
        Figure(f"backup of {count:,} posts and 200 photos", saved, "s", better="lower"),
        Figure("restore of it", restored, "s", better="lower"),
        Figure("posts missing after it", count - found, "posts", better="lower", promised="0"),
    ]


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _decoder() -> list[Figure]:
    """The largest photos that are taken and some that must not be, and what the decoder's process held at most."""
    tried = refused = 0
    with Decoder() as decoder:
        for data in (_jpeg(9000, 7000), _png(8000, 8000), photo(1, 1)):
            decoder.open(data)
            tried += 1
        for data in hostile():
            tried += 1
            try:
                decoder.open(data)
            except (PhotoRefused, PhotoUnavailable):
                refused += 1
        peak = decoder.peak_bytes / 1e6
    return [
        Figure("largest memory while decoding", peak, "MB", better="lower", promised="1,024 on top of the libraries"),
        Figure("hostile photos tried", tried - 3, "photos"),
        Figure("of them refused (the others decoded within the limits)", refused, "photos"),
    ]


def hostile() -> list[bytes]:
    """Photos cut at every 50th part, with bytes turned over, with lying headers, and bombs: none may end the bot."""
    whole = photo(3, 99)
    cut = [whole[: len(whole) * part // 50] for part in range(50)]
    turned = []
    for part in range(250):
        damaged = bytearray(whole)
        for step in range(1 + part % 5):
            damaged[(part * 7919 + step * 104_729) % len(damaged)] ^= 0xFF
        turned.append(bytes(damaged))
    bombs = [_png(20_000, 20_000), BROKEN, b"", b"GIF89a" + b"\xff" * 200, b"RIFF\xff\xff\xff\xffWEBPVP8X" + b"\x00" * 60]
    return [*cut, *turned, *bombs]


def _jpeg(width: int, height: int) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (width, height), (90, 60, 30)).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def _png(width: int, height: int) -> bytes:
    buffer = BytesIO()
    Image.new("L", (width, height), 128).save(buffer, "PNG", compress_level=9)
    return buffer.getvalue()
