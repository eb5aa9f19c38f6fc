"""SIGTERM in the middle of anything: the bot ends by itself, and what it was doing stands whole or not at all."""

import threading

from bot.microblog.model import Side
from bot.schedule import Schedule
from store import posts

PATIENCE_S = 30


def test_stopping_in_the_middle_of_a_poll_ends(tools, loaded, microblog, monkeypatch) -> None:
    """A poll in hand stores its page, sets its next time and ends, and so does the bot.

    (APScheduler waits for its jobs under the lock that setting the next time needs; waiting like that never ended.)
    """
    with tools.opened(loaded) as bot:
        seat = bot.seats["weibo"]
        microblog.world.add_post(Side.WEIBO, "anna", f"#{tools.tag}# @随手拍助手")
        reached, real = threading.Event(), type(seat.platform).read

        def slow(self, *args):
            page = real(self, *args)
            reached.set()
            assert bot.stopping.wait(PATIENCE_S)
            return page

        monkeypatch.setattr(type(seat.platform), "read", slow)
        schedule = Schedule(bot, lambda line: None)
        schedule.start()
        assert reached.wait(PATIENCE_S)
        stopper = threading.Thread(target=schedule.stop, daemon=True)
        stopper.start()
        stopper.join(PATIENCE_S)
        assert not stopper.is_alive()
        with bot.store.read() as tx:
            assert sum(posts.counts(tx).values()) <= 1
