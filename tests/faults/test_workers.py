"""What can happen to workers on a shared queue: killed in any stage, their database killed, a post that kills them. The cut
network and the flood stand in tests/bot/workers/test_cut_and_flood.py."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.chaos.crowd import Crowd
from bot.chaos.plan import Feed, Round
from bot.chaos.run import run
from bot.microblog.model import Side
from bot.wiring import open_store
from bot.work import shared
from store import local_postgres, posts
from store.local_postgres import LocalServer
from store.posts import Step

pytestmark = pytest.mark.skipif(bool(local_postgres.why_not()), reason=f"no PostgreSQL here: {local_postgres.why_not()}")

STAGES = (
    "after:poll.page",
    "after:photo.stored",
    "before:extract.done",
    "after:match.scanned",
    "before:match.done",
    "before:alert.decided",
    "after:deliver.claimed",
    "before:deliver.sent",
)
"""One commit in the middle of each stage; the last two with a message in hand, before and after it was published."""


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """A server of the test's own, for it is to be killed. Not below pytest's folder, which every run closes to others anew."""
    folder = Path(tempfile.mkdtemp(prefix="suishoupai-postgres-"))
    with LocalServer(folder / "data", lasting=False, leave="delete") as started:
        yield started
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.timeout(300)
def test_a_worker_killed_in_every_stage_and_the_database_too_lose_and_double_nothing(server, tmp_path: Path) -> None:
    """kill -9 in the middle of polling, fetching, scanning, matching, deciding and sending, and of the database server while
    three workers are at work: the auditor finds nothing lost and nothing said twice."""
    with Crowd(tmp_path / "site", 5, server) as site:
        for number, stage in enumerate(STAGES):
            feed = ((Side.WEIBO if number % 2 else Side.X, Feed.MATCH),)
            death = site.round(Round(feed, (), stage, 30.0, terminate=False, touch_case=False))
            assert death.how in ("point", "database"), death
        site.settle()
        assert site.deaths["database"] == 1
        assert site.deaths["point"] == len(STAGES) - 1
        ledger = site.audit()
    assert ledger.wrong == ()
    assert ledger.posts == len(STAGES)


@pytest.mark.timeout(300)
def test_rounds_of_chaos_with_three_workers_lose_nothing_and_repeat_nothing(server, tmp_path: Path) -> None:
    """A short form of ./run.sh chaos --scaled, with faults of the platform on top."""
    report = run(tmp_path / "chaos", 2, seed=7, server=server)
    assert report.crashes == ()
    assert report.ledger.wrong == ()
    assert report.kills + report.stopped == 2


@pytest.mark.timeout(300)
def test_a_post_that_ends_every_worker_is_set_aside_and_the_others_go_on(server, tmp_path: Path) -> None:
    """A poisoned photo kills whoever looks at it: after a bounded number of workers its post is failed, with the reason."""
    with Poisoned(tmp_path / "site", 6, server) as site:
        # The other post comes after the first death: both deaths might find it in the same hands.
        for feed in ((Side.WEIBO, Feed.STRANGER), (Side.X, Feed.MATCH)):
            # A round ends with its first death; on a machine under load that may be long in coming.
            site.round(Round((feed,), (), "", 90.0, terminate=False, touch_case=False))
        site.settle()
        store = open_store(site._loaded())
        with store.read() as tx:
            steps = [posts.get(tx, posts.find(tx, made.side.value, made.id)) for made in site.feed]
        store.close()
    assert [post.step for post in steps] == [Step.FAILED, Step.DECIDED]
    assert "workers ended while they had this post in hand" in (steps[0].error or "")


class Poisoned(Crowd):
    """A site whose engine kills its process when it sees a stranger."""

    def _more_settings(self) -> dict[str, Any]:
        engines = self.folder / "extension" / "engines"
        engines.mkdir(parents=True, exist_ok=True)
        own = Path(shared.__file__).parents[1] / "chaos" / "extension" / "engines" / "colours.py"
        kills = "        if person not in (None, 0):\n            os.kill(os.getpid(), 9)\n"
        deadly = own.read_text(encoding="utf-8").replace("        if person is None:", f"{kills}        if person is None:")
        (engines / "deadly.py").write_text(deadly.replace("import hashlib", "import hashlib\nimport os"), encoding="utf-8")
        return super()._more_settings() | {
            "models": {"engine": "deadly"},
            "extensions": [str(self.folder / "extension")],
            "schedule": {"attempts": 2, "retry_s": 0.5},
        }

    def _buried(self, gone, die_at: str):
        death = super()._buried(gone, die_at)
        return type(death)("poisoned") if gone.exitcode == -9 else death
