"""The running bot: its jobs, its clean end, and a passer-by's view of it in a real browser."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.bot import Bot
from bot.demo.photos import DemoPhoto
from bot.microblog.faults import Fault, FaultKind
from bot.microblog.model import Side
from bot.microblog.server import Microblog
from bot.schedule import Schedule, poll_interval_s
from bot.settings import Loaded, load_settings
from store import posts

PATIENCE_S = 60


@contextmanager
def running(bot: Bot) -> Iterator[list[str]]:
    """The schedule at work in the background; yields the lines it tells."""
    lines: list[str] = []
    schedule = Schedule(bot, lines.append)
    schedule.start()
    try:
        yield lines
    finally:
        schedule.stop()


def wait_for(what, seconds: float = PATIENCE_S) -> None:
    """Until ``what()`` is true; a test that waits in vain fails with its name."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.1)


@pytest.fixture
def quick(settings_file, microblog: Microblog, tools: SimpleNamespace) -> Loaded:
    """Settings that poll every second."""
    changes = {
        "platforms": {"weibo": {"poll_every_s": 1}, "x": {"poll_every_s": 1}},
        "schedule": {"work_every_s": 0.5, "deliver_every_s": 0.5},
    }
    return load_settings(settings_file(microblog, changes), environ=tools.environment(microblog))


def test_a_post_is_answered_while_the_bot_runs(
    quick: Loaded, tools: SimpleNamespace, microblog: Microblog, photos: dict[str, DemoPhoto]
) -> None:
    """Polling, working and delivering go on by themselves, on both platforms, and every round tells a line."""
    publications = microblog.world.ledger.publications
    with tools.opened(quick) as bot, running(bot) as lines:
        wait_for(lambda: sum("mentions" in line for line in lines) >= 2)
        microblog.world.add_post(Side.WEIBO, "anna", "@随手拍助手 深圳市罗湖区", photos=[photos["q-1"].data])
        microblog.world.add_post(Side.X, "boris", "@suishoupai_bot in Shenzhen", photos=[photos["q-2"].data])
        wait_for(lambda: len(publications) == 2)
        polls = len([line for line in lines if line.startswith("poll")])
        wait_for(lambda: len([line for line in lines if line.startswith("poll")]) >= polls + 8)
    assert len(publications) == 2
    assert any(line.startswith("say") and "1 sent" in line for line in lines)


def test_a_platform_that_is_down_is_said_so_and_polled_again(
    quick: Loaded, tools: SimpleNamespace, microblog: Microblog, photos: dict[str, DemoPhoto]
) -> None:
    """Errors end one poll, not the bot: each is told by its name, the other platform goes on, and the post is read later."""
    microblog.faults.add(Fault(FaultKind.LOGIN_PAGE, "/weibo/2/statuses/mentions.json", count=2))
    with tools.opened(quick) as bot, running(bot) as lines:
        wait_for(lambda: any("weibo:mentions: Blocked" in line for line in lines))
        microblog.world.add_post(Side.WEIBO, "anna", "@随手拍助手 深圳市罗湖区", photos=[photos["q-1"].data])
        wait_for(lambda: len(microblog.world.ledger.publications) == 1)
        assert not any("x:mentions: Blocked" in line for line in lines)


def test_stopping_ends_after_the_post_in_hand(
    quick: Loaded, tools: SimpleNamespace, microblog: Microblog, photos: dict[str, DemoPhoto], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM's event ends the round after the present post: it is whole, the others wait untouched, nothing is half done."""
    reached, go_on = threading.Event(), threading.Event()
    with tools.opened(quick) as bot:
        real = type(bot.faces.engine).faces

        def slow(self, image):
            reached.set()
            go_on.wait(PATIENCE_S)
            return real(self, image)

        monkeypatch.setattr(type(bot.faces.engine), "faces", slow)
        with running(bot):
            for name in ("q-1", "r-1", "s-1"):
                microblog.world.add_post(Side.WEIBO, "anna", "@随手拍助手 深圳", photos=[photos[name].data])
            assert reached.wait(PATIENCE_S)
            bot.stopping.set()
            go_on.set()
        with bot.store.read() as tx:
            steps = posts.counts(tx)
    assert steps[posts.Step.MATCHED] + steps[posts.Step.DECIDED] == 1
    assert steps[posts.Step.EXTRACTED] + steps[posts.Step.STORED] == 2
    assert steps[posts.Step.FAILED] == 0


def test_the_call_budget_stretches_the_poll_interval(settings_file, microblog: Microblog, tools: SimpleNamespace) -> None:
    """With 100 calls a day the scheduler polls far less often than asked; without a budget, as asked."""
    changes = {"platforms": {"weibo": {"poll_every_s": 1, "daily_calls": 100}, "x": {"poll_every_s": 7}}}
    loaded = load_settings(settings_file(microblog, changes), environ=tools.environment(microblog))
    with tools.opened(loaded) as bot:
        assert poll_interval_s(bot.seats["weibo"]) >= 60
        assert poll_interval_s(bot.seats["x"]) == 7


@pytest.mark.browser
def test_a_photo_posted_by_hand_in_a_browser_gets_its_answer(
    quick: Loaded, tools: SimpleNamespace, microblog: Microblog, photos: dict[str, DemoPhoto], tmp_path: Path, chromium
) -> None:
    """As a passer-by: open the page, attach a photo, post; the bot's answer and the official's mention arrive by themselves."""
    picture = tmp_path / "photo.jpg"
    picture.write_bytes(photos["a-street"].data)
    with tools.opened(quick) as bot:
        tools.register(bot)
        tools.enrol_luohu(bot, microblog)
        with running(bot) as lines:
            wait_for(lambda: any("weibo:mentions" in line for line in lines))
            page = chromium.new_page()
            page.goto(microblog.url)
            page.get_by_role("button", name="随手拍助手").click()
            page.locator("#text").press_sequentially("刚刚在深圳市罗湖区东门老街看到")
            page.locator("input[name=photos]").set_input_files(picture)
            page.locator("#preview img").wait_for()
            page.get_by_role("button", name="发布").click()
            page.wait_for_url("**/#p*")
            answers = page.locator(f"#p{microblog.world.timeline()[0].id} .by-bot")
            answers.nth(1).wait_for(timeout=PATIENCE_S * 1000)
            words = " ".join(answers.all_inner_texts())
            inbox = page.locator("#inbox article").inner_text()
            page.screenshot(path=tmp_path / "answered.png", full_page=True)
            page.close()
    assert "收到，谢谢您" in words
    assert "请协助核实" in inbox
    assert "Demo case" not in words + inbox
