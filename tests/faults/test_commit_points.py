"""The bot dies on either side of every commit of the pipeline and starts again: nothing lost, nothing said twice.

Dying is an exception that nothing catches, raised between a transaction's last statement and its commit ("before") or right
after the commit ("after"); whatever was in memory is gone, the database and the microblog's ledger stay. The runner in
bot/chaos.py kills real processes; this one visits every point once, by name.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.bot import Bot
from bot.microblog.faults import Fault, FaultKind
from bot.microblog.model import Side
from bot.microblog.server import Microblog
from bot.pipeline import run_round
from bot.settings import load_settings
from bot.steps import housekeeping
from store import alerts, cases, posts
from store.model import AlertState, MessageKind

POINTS = [
    "poll.page",
    "poll.budget",
    "calls.counted",
    "photo.stored",
    "photo.refused",
    "extract.done",
    "match.scanned",
    "match.done",
    "match.reverse",
    "alert.decided",
    "deliver.leases",
    "deliver.claimed",
    "deliver.sent",
    "deliver.unknown",
    "reconcile.done",
    "recovered",
    "drift.kept",
]
"""Every named commit that this scene passes. A new one must be added here; the last test sees to it."""

LUOHU = (22.5462, 114.1195)


class Died(BaseException):
    """The process is gone. No handler of the bot catches BaseException."""


class Scene:
    """A prepared installation (case, official, first poll done) on a microblog, and what its posts must lead to."""

    def __init__(self, tools, settings_file: Callable[..., Path], photos, clock, folder: Path) -> None:
        self.tools, self.photos, self.clock, self.folder = tools, photos, clock, folder
        self.server = Microblog(clock=clock)
        tools.people(self.server)
        self.server.start()
        self.path = settings_file(self.server, folder=folder)
        self.seen: set[str] = set()

    def bot(self):
        loaded = load_settings(self.path, environ=self.tools.environment(self.server))
        return self.tools.opened(loaded)

    def prepare(self) -> None:
        with self.bot() as bot:
            self.tools.register(bot)
            self.tools.enrol_luohu(bot, self.server)
            run_round(bot)
        self.clock.forward(seconds=2)

    def post_all(self) -> None:
        """A match on Weibo, a stranger on X, a broken photo, a wish for silence; one answer's outcome stays doubtful."""
        world, tag = self.server.world, self.tools.tag
        world.add_post(
            Side.WEIBO, "anna", f"#{tag}# 深圳市罗湖区东门老街 @随手拍助手", photos=[self.photos["a-street"].data], geo=LUOHU
        )
        world.add_post(Side.X, "boris", f"@suishoupai_bot #{tag} 刚刚 广州市越秀区", photos=[self.photos["q-1"].data])
        world.add_post(Side.WEIBO, "boris", f"#{tag}# 天津市南开区 @随手拍助手", photos=[b"\xff\xd8\xff\xe0" + b"x" * 300])
        self.server.faults.add(Fault(FaultKind.SERVER_ERROR, "/weibo/2/comments/create.json", accepted=True, count=1))

    def live(self, die_at: str | None = None) -> None:
        """Run until rest; with ``die_at``, die there once first and start again."""
        died = False
        if die_at is not None:
            with pytest.raises(Died), self.bot_dying(die_at) as bot:
                self._run(bot)
            died = True
        self.clock.forward(minutes=6)  # beyond the lease of whatever was being sent
        with self.bot() as bot:
            self._watch(bot, None)
            self._run(bot)
            self.check(bot)
        assert died or die_at is None

    @contextmanager
    def bot_dying(self, point: str) -> Iterator[Bot]:
        with self.bot() as bot:
            self._watch(bot, point)
            yield bot

    def _watch(self, bot: Bot, die_at: str | None) -> None:
        def watch(point: str) -> None:
            self.seen.add(point)
            if point == die_at:
                bot.store.watch = None
                raise Died(point)

        bot.store.watch = watch

    def _run(self, bot: Bot) -> None:
        housekeeping.recover(bot)
        self.tools.settle(bot)
        # A case that changes is searched among past sightings: that commit is passed too.
        with bot.store.write() as tx:
            [case] = cases.listing(tx)
            cases.touch(tx, case.id)
        self.tools.settle(bot)

    def check(self, bot: Bot) -> None:
        ledger = self.server.world.ledger
        assert ledger.repeated() == []
        texts = [publication.text for publication in ledger.publications]
        assert len(texts) == 4, texts
        assert sum("@示例罗湖公安" in text for text in texts) == 1
        with bot.store.read() as tx:
            step = posts.counts(tx)
            assert (step[posts.Step.DECIDED], step[posts.Step.FAILED], sum(step.values())) == (3, 0, 3)
            state = alerts.counts(tx)
            assert (state[AlertState.SENT], sum(state.values())) == (4, 4)
            assert len(alerts.listing(tx, kind=MessageKind.ALERT)) == 1


@pytest.fixture
def scene(tools, settings_file, photos, clock, tmp_path: Path):
    made = Scene(tools, settings_file, photos, clock, tmp_path / "site")
    made.prepare()
    made.post_all()
    yield made
    made.server.stop()
    shutil.rmtree(made.folder, ignore_errors=True)


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("point", POINTS)
def test_a_death_at_any_commit_loses_nothing_and_repeats_nothing(scene: Scene, point: str, side: str) -> None:
    """Every post is decided once, every answer and the one mention stand on the platform exactly once."""
    scene.live(die_at=f"{side}:{point}")


def test_the_list_of_commit_points_is_complete(scene: Scene) -> None:
    """A commit that this scene passes and that is not in the list would go untested."""
    scene.live()
    named = {point.partition(":")[2] for point in scene.seen} - {""}
    assert named == set(POINTS)
