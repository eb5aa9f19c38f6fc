"""What fails on the bot's own machine: a full disk, a locked or read-only database, a damaged photo file, a second bot."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import event

from bot.microblog.model import Side
from bot.pipeline import run_round
from bot.settings import load_settings
from bot.steps.each import each_post
from bot.steps.extract import extract
from bot.steps.poll import poll_all
from store import posts
from store.errors import StoreError
from store.posts import Step

ROOT = Path(__file__).resolve().parents[2]

FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from store.errors import StoreError
from store.model import Malformed, Stream, StreamKind
from store.session import Store
from store import posts
from datetime import UTC, datetime

def page(first):
    items = [Malformed("weibo", f"{first}-{n}", "made", {"body": f"{first}-{n}" * 60}) for n in range(40)]
    with store.write() as tx:
        stream = Stream("weibo", StreamKind.MENTIONS)
        posts.save_page(tx, stream, items, now=tx.now, silent=lambda p: True, cursor=str(first), chain=None)

store = Store(f"sqlite:///{sys.argv[1]}/full.sqlite", lambda: datetime.now(UTC))
store.migrate()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
page(0)
size = max(f.stat().st_size for f in Path(sys.argv[1]).iterdir())
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
failed = 0
for number in range(1, 400):
    try:
        page(number)
    except StoreError as error:
        failed = number
        print("refused:", error)
        break
assert failed, "the disk never was full"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
with store.read() as tx:
    state = posts.stream_state(tx, Stream("weibo", StreamKind.MENTIONS))
    count = sum(posts.counts(tx).values())
assert (state.cursor, count) == (str(failed - 1), failed * 40), (state.cursor, count, failed)
page(failed)
with store.read() as tx:
    assert sum(posts.counts(tx).values()) == (failed + 1) * 40
print("whole")
"""


def test_a_disk_that_fills_refuses_whole_pages_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """The kernel refuses to let files grow (RLIMIT_FSIZE): the page that no longer fits is not stored, nor is its cursor; with
    room again the same page is stored, and nothing in between was lost."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "refused: the d" in done.stdout
    assert done.stdout.strip().endswith("whole")


def test_a_full_disk_for_photos_is_a_clear_error_and_the_post_is_read_again(begun, said, monkeypatch) -> None:
    """The kernel says "no space left" (/dev/full) to the photo folder: the round ends with it; with room the post is answered."""
    post = said(photo="q-1")
    with monkeypatch.context() as full:
        full.setattr("store.photo_place._private", lambda path, flags: os.open("/dev/full", os.O_WRONLY))
        with pytest.raises(StoreError, match="No space left"):
            run_round(begun.bot)
    begun.settle()
    assert len(begun.world.ledger.said_to(post)) == 1


@pytest.mark.only_on("sqlite", why="locks the file")
def test_a_locked_database_is_a_clear_error_and_nothing_of_the_page_is_kept(begun, said, monkeypatch) -> None:
    """Another program holds the database for longer than the bot waits: StoreError, then the next round reads the post."""
    post = said(photo="")
    with begun.bot.store.read() as tx:
        wait = tx.connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
    assert wait >= 1000
    other = sqlite3.connect(begun.bot.store.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        def hurry(connection, record, proxy) -> None:
            connection.execute("PRAGMA busy_timeout = 50")

        event.listen(begun.bot.store._engine, "checkout", hurry)
        with pytest.raises(StoreError, match="locked"):
            run_round(begun.bot)
        event.remove(begun.bot.store._engine, "checkout", hurry)
    finally:
        other.execute("ROLLBACK")
        other.close()
    begun.settle()
    assert len(begun.world.ledger.said_to(post)) == 1


def test_a_database_that_may_not_be_written_is_a_clear_error_and_loses_nothing(begun, said) -> None:
    """SQLite refuses writes, as on a read-only mount: StoreError; what was to be said is said once, afterwards."""
    post = said(photo="")

    def refuse(connection) -> None:
        connection.exec_driver_sql("PRAGMA query_only = 1")

    event.listen(begun.bot.store._engine, "begin", refuse)
    with pytest.raises(StoreError):
        run_round(begun.bot)
    event.remove(begun.bot.store._engine, "begin", refuse)
    begun.bot.store.close()
    begun.settle()
    assert len(begun.world.ledger.said_to(post)) == 1


def test_a_damaged_photo_file_is_named_and_stops_only_its_post(begun, said) -> None:
    """A photo file that was changed on disk fails its seal: that post is put off with the file's name, the other is answered."""
    said(photo="q-1", author="anna")
    bot = begun.bot
    poll_all(bot)
    each_post(bot, Step.STORED, extract)
    [photo] = list(bot.files.all())
    path = bot.files.place.path(photo)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-20] + b"x" * 20)
    other = said(photo="", author="boris")
    run_round(bot)
    with bot.store.read() as tx:
        [stuck] = [posts.get(tx, row) for row in (1, 2) if posts.get(tx, row).step is Step.EXTRACTED]
    assert str(path) in (stuck.error or "")
    assert len(begun.world.ledger.said_to(other)) == 1


def test_a_second_bot_refuses_and_names_the_first(tools, loaded) -> None:
    """Two bots started by mistake would say everything twice: the second one ends with the first one's process id."""
    with (
        tools.opened(loaded),
        pytest.raises(StoreError, match=rf"already runs on this database \(process (\S+:)?{os.getpid()}\b"),
        tools.opened(loaded),
    ):
        pass


def test_a_bot_started_twice_as_a_process_exits_with_the_database_code(tools, settings_file, microblog) -> None:
    """From the command line: exit code 4, and what to do about it."""
    path = settings_file(microblog)
    environ = tools.environment(microblog)
    with tools.opened(load_settings(path, environ=environ)):
        done = subprocess.run(
            [sys.executable, "-m", "bot", "run", "--config", str(path)],
            capture_output=True, text=True, cwd=ROOT, env={**os.environ, **environ}, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 4
    assert "already runs" in done.stderr
    assert "stop it first" in done.stderr


def test_sigterm_ends_a_running_bot_cleanly_and_nothing_is_left_half_done(tools, settings_file, microblog, clock) -> None:
    """`suishoupai run` as its own process: a post is answered, SIGTERM ends it with code 0 and "stopped cleanly"."""
    quick = {"schedule": {"work_every_s": 0.1, "deliver_every_s": 0.1}, "platforms": {"weibo": {"poll_every_s": 1}}}
    path = settings_file(microblog, quick)
    environ = {**os.environ, **tools.environment(microblog)}
    bot = subprocess.Popen(
        [sys.executable, "-m", "bot", "run", "--config", str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environ
    )
    try:
        assert bot.stdout is not None
        post = ""
        for line in bot.stdout:
            if "poll" in line and "weibo:mentions" in line and not post:
                post = str(microblog.world.add_post(Side.WEIBO, "anna", f"#{tools.tag}# @随手拍助手").id)
            if "1 sent" in line:
                bot.send_signal(signal.SIGTERM)
                break
        rest = bot.stdout.read()
        assert bot.wait(30) == 0
    finally:
        bot.kill()
        bot.wait()
        bot.stdout.close()
    assert "stopped cleanly" in rest
    assert len(microblog.world.ledger.said_to(post)) == 1
    with tools.opened(load_settings(path, environ=tools.environment(microblog))) as again:
        tools.settle(again)
    assert len(microblog.world.ledger.said_to(post)) == 1
