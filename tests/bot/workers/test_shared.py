"""The shared queue on a real PostgreSQL: a job stands or falls with its row, and every due row gets its work."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from procrastinate import App, PsycopgConnector
from typer.testing import CliRunner

from bot.__main__ import build
from bot.commands.worker import worker
from bot.microblog.model import Side
from bot.settings import load_settings
from bot.watch import Watch
from bot.wiring import open_bot, open_store, open_worker
from bot.work import QUEUES, backlog, shared
from bot.work.jobs import CHORES, WORK
from store import alerts, platform_states, posts
from store.errors import BadInput, SettingsError, StoreError, Unauthorised
from store.faces import faces_of_photo
from store.model import AlertState, Stream, StreamKind
from store.posts import Step
from store.session import Due, DueKind

LUOHU = (22.5462, 114.1195)
STREAM = Stream("weibo", StreamKind.HASHTAG, "x")


@pytest.fixture
def bot(workers):
    [opened] = workers(1)
    return opened


def leave(bot, *dues: Due) -> None:
    with bot.store.write() as tx:
        for due in dues:
            tx.leave(due)


def sql(bot, query: str) -> list:
    """Ask the queue's own tables."""
    with bot.store.write() as tx:
        cursor = tx.connection.connection.driver_connection.execute(query)
        return cursor.fetchall() if cursor.description else []


def sweep(bot) -> None:
    """One sweep, as a worker makes it."""

    async def once() -> None:
        app = App(connector=PsycopgConnector(conninfo=bot.store.server_url))
        async with app.open_async():
            await shared.Floor(bot, lambda line: None).sweep(app.job_manager)

    # In a thread of its own: a browser that another test of this process opened leaves its loop running in this one.
    with ThreadPoolExecutor(1) as apart:
        apart.submit(asyncio.run, once()).result()


def stored_post(bot, make_post, *, crash: bool = False) -> int:
    with bot.store.write() as tx:
        page = posts.save_page(tx, STREAM, [make_post()], now=tx.now, silent=lambda post: False, cursor=None, chain=None)
        if crash:
            raise RuntimeError("crash")
    return page.new[0]


def test_a_job_is_there_exactly_when_its_row_is(bot, make_post) -> None:
    """A page that is rolled back leaves no job behind; one that is committed leaves one for its post."""
    with pytest.raises(RuntimeError, match="crash"):
        stored_post(bot, make_post, crash=True)
    assert backlog.waiting(bot.store) == {}
    row = stored_post(bot, make_post)
    assert sql(bot, "SELECT queue_name, task_name, lock, queueing_lock, args->>'key' FROM procrastinate_jobs") == [
        ("extract", "extract", f"post:{row}", f"extract:{row}", str(row))
    ]


def test_one_row_has_one_waiting_job_and_the_earliest_wish_counts(bot) -> None:
    """Asked for again and again, a platform's outbox has one job, at the earliest time anybody asked for."""
    late, soon = datetime.now(UTC) + timedelta(hours=2), datetime.now(UTC) + timedelta(hours=1)
    leave(bot, Due(DueKind.SEND, "weibo", at=late), Due(DueKind.SEND, "x", at=soon), Due(DueKind.SEND, "x"))
    leave(bot, Due(DueKind.SEND, "weibo", at=soon))
    leave(bot, Due(DueKind.SEND, "weibo", at=late))
    found = sql(bot, "SELECT queueing_lock, scheduled_at FROM procrastinate_jobs ORDER BY 1")
    assert found == [("send:weibo", soon), ("send:x", None)]


def test_scanning_and_matching_are_one_step_with_one_job(bot, make_post) -> None:
    """A scanned post asks for matching in place of scanning, on another queue."""
    row = stored_post(bot, make_post)
    sql(bot, "DELETE FROM procrastinate_jobs")
    with bot.store.write() as tx:
        posts.mark(tx, row, Step.EXTRACTED)
    sql(bot, "UPDATE procrastinate_jobs SET status = 'doing'")
    WORK[DueKind.SCAN].run(bot, str(row), lambda line: None)
    assert sql(bot, "SELECT queue_name, queueing_lock, status::text FROM procrastinate_jobs ORDER BY id") == [
        ("faces", f"match:{row}", "doing"),
        ("match", f"match:{row}", "todo"),
    ]


def test_the_sweep_makes_jobs_for_due_rows_that_have_none(bot, make_post) -> None:
    """A lost job is made again from its row, once; what is put off, polled lately or quiet is left alone."""
    row = stored_post(bot, make_post)
    sql(bot, "DELETE FROM procrastinate_jobs")
    with bot.store.write() as tx:
        for name in bot.seats:
            platform_states.put(tx, name, poll_at=tx.now + timedelta(hours=1))
    sweep(bot)
    assert sql(bot, "SELECT queueing_lock FROM procrastinate_jobs") == [(f"extract:{row}",)]
    sweep(bot)
    assert len(sql(bot, "SELECT 1 FROM procrastinate_jobs")) == 1
    sql(bot, "DELETE FROM procrastinate_jobs")
    with bot.store.write() as tx:
        posts.defer(tx, row, "not now", tx.now + timedelta(hours=1))
    sql(bot, "DELETE FROM procrastinate_jobs")
    sweep(bot)
    assert sql(bot, "SELECT 1 FROM procrastinate_jobs") == []


def dead_worker_with(bot, row: int, attempts: int) -> None:
    sql(bot, "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')")
    sql(
        bot,
        f"UPDATE procrastinate_jobs SET status = 'doing', attempts = {attempts}, worker_id = (SELECT max(id) FROM"
        f" procrastinate_workers) WHERE queueing_lock = 'extract:{row}'",
    )


def test_the_job_of_a_dead_worker_goes_to_another(bot, make_post) -> None:
    """Whoever was killed gave no sign of life; the job waits again, a little later than at once."""
    row = stored_post(bot, make_post)
    dead_worker_with(bot, row, attempts=1)
    sweep(bot)
    [(status, attempts, later)] = sql(
        bot,
        "SELECT status::text, attempts, scheduled_at > now() - interval '10 seconds' FROM procrastinate_jobs"
        f" WHERE queueing_lock = 'extract:{row}'",
    )
    assert (status, attempts, later) == ("todo", 2, True)


def test_a_job_that_ends_every_worker_is_set_aside(bot, make_post) -> None:
    """A poisoned post is failed with its reason after a bounded number of workers, and stays readable."""
    row = stored_post(bot, make_post)
    dead_worker_with(bot, row, attempts=bot.settings.schedule.attempts - 1)
    sweep(bot)
    with bot.store.read() as tx:
        post = posts.get(tx, row)
    assert post.step is Step.FAILED
    assert f"{bot.settings.schedule.attempts} workers ended" in (post.error or "")
    assert sql(bot, f"SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = 'extract:{row}'") == []


def test_two_workers_do_everything_once(workers, together, tools: SimpleNamespace, microblog, photos) -> None:
    """From the poll to the official: two workers share the work, each post is answered once and the official called once."""
    bots = workers(2)
    tools.register(bots[0])
    tools.enrol_luohu(bots[0], microblog)
    with together.Running(bots):
        store = bots[0].store
        together.until(lambda: together.polled(store))
        for author, photo in (("anna", "a-street"), ("boris", "q-1"), ("anna", "no-face-cat")):
            text = f"#{tools.tag}# 刚刚在深圳市罗湖区东门老街 @随手拍助手"
            microblog.world.add_post(Side.WEIBO, author, text, photos=[photos[photo].data], geo=LUOHU)
        microblog.world.add_post(Side.X, "anna", f"@suishoupai_bot #{tools.tag} what can I do?")
        together.until(lambda: len(microblog.world.ledger.publications) >= 5)
        together.until(lambda: not any(backlog.waiting(store).get(name) for name in ("extract", "faces", "match", "decide")))
    assert microblog.world.ledger.repeated() == []
    texts = [publication.text for publication in microblog.world.ledger.publications]
    assert len(texts) == 5
    assert sum("@示例罗湖公安" in text for text in texts) == 1
    with store.read() as tx:
        assert posts.counts(tx)[Step.DECIDED] == 4
        assert alerts.counts(tx)[AlertState.SENT] == 5


# --- what a worker needs ----------------------------------------------------------------------------------------


def test_a_worker_without_tokens_has_rules_and_no_client(shared_settings, shared_parts, clock) -> None:
    """faces, match and decide run on a machine that has no platform's token; speaking there is refused."""
    bare = load_settings(shared_settings.path, environ={})
    with open_worker(bare, ("extract", "faces", "match", "decide"), clock) as bot:
        for seat in (bot.seats["weibo"], bot.seats["x"]):
            assert seat.platform.rules.capabilities
            assert seat.platform.rules.max_length > 0
            with pytest.raises(Unauthorised, match="no token"):
                seat.platform.account()


def test_a_worker_that_decides_or_sends_opens_no_engine(shared_settings, shared_parts, monkeypatch, clock) -> None:
    """The face engine is opened by whoever first looks at a photo or searches; others know the pack by its record."""

    def refuse(settings: object) -> None:
        raise AssertionError("the engine was opened")

    monkeypatch.setattr("bot.wiring.open_engine", refuse)
    with open_worker(shared_settings, ("poll", "decide", "deliver"), clock) as bot:
        assert bot.faces.pack.id == "yunet_sface"
        with bot.store.read() as tx:
            assert faces_of_photo(tx, 1, bot.faces.pack.sha256) == ()
        with pytest.raises(AssertionError):
            _ = bot.faces.gallery


def test_own_names_reach_workers_without_tokens(workers, shared_settings, shared_parts, clock, make_post) -> None:
    """Who the bot is, is learnt where the tokens are, and known where its own posts are to be passed over."""
    workers(1)
    bare = load_settings(shared_settings.path, environ={})
    with open_worker(bare, ("extract",), clock) as bot:
        row = stored_post(bot, make_post)
        WORK[DueKind.EXTRACT].run(bot, str(row), lambda line: None)
        assert bot.seats["weibo"].own_id


def test_a_lone_bot_and_workers_keep_each_other_out(workers, shared_settings, shared_parts, clock) -> None:
    """Workers hold the bot's place together; a lone bot, started by mistake beside them, is refused."""
    workers(2)
    with pytest.raises(StoreError, match="already runs"), open_bot(shared_settings, clock):
        pass


@pytest.mark.only_on("sqlite", why="a store without a server is refused")
def test_workers_need_a_server_and_queues_that_exist(loaded, shared_parts, clock, tmp_path) -> None:
    """Shared work on a file, a worker in embedded mode, an unknown queue: each is refused with what to do."""
    with pytest.raises(SettingsError, match=r"work\.mode"), open_worker(loaded, QUEUES, clock):
        pass
    settings = loaded.settings.model_copy(update={"work": loaded.settings.work.model_copy(update={"mode": "shared"})})
    with pytest.raises(SettingsError, match="PostgreSQL"):
        open_store(type(loaded)(loaded.path, settings, loaded.secrets, loaded.modules), clock)
    with pytest.raises(BadInput, match="no such queue: face;"):
        worker(config=loaded.path, queues="face,match")


def test_every_queue_has_work_and_every_kind_of_work_a_queue() -> None:
    """No job can be deferred that no worker takes, and no queue stands idle for ever."""
    used = {work.queue for work in WORK.values()} | {chore.queue for chore in CHORES.values()}
    assert used == set(QUEUES)
    assert set(WORK) == set(DueKind)


def test_status_and_doctor_tell_what_waits_in_the_queue(bot, shared_settings) -> None:
    """By queue: what could be taken, what is put off, what is in hand; and that nobody takes it where no worker is alive."""
    soon = datetime.now(UTC) + timedelta(hours=1)
    leave(bot, Due(DueKind.DECIDE, "7"), Due(DueKind.DECIDE, "8"), Due(DueKind.SEND, "weibo", soon))
    config = ["--config", str(shared_settings.path)]
    told = json.loads(CliRunner().invoke(build(), ["status", "--json", *config]).stdout)["queue"]
    assert 0 <= told.pop("oldest_ready_s").pop("decide") < 60
    assert told == {"workers": 0, "ready": {"decide": 2}, "later": {"deliver": 1}, "in_hand": {}}
    people = CliRunner().invoke(build(), ["status", *config]).stdout
    assert "0 worker(s) alive" in people
    findings = json.loads(CliRunner().invoke(build(), ["doctor", "--json", *config]).stdout)
    [queue] = [finding for finding in findings if finding["part"] == "queue"]
    assert (queue["level"], "suishoupai worker" in queue["mend"]) == ("problem", True)
    sql(bot, "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() + interval '1 minute')")
    with bot.store.read() as tx:
        assert backlog.backlog(tx, 5.0).workers == 1


def test_prometheus_is_told_what_waits_in_each_queue_and_since_when(bot) -> None:
    """Every queue each time, empty ones too: jobs by state, and since when the oldest that could be taken could be: since it was
    made, since the time it was put off to, or since it was asked to come earlier, never before."""
    soon, past = (datetime.now(UTC) + timedelta(seconds=seconds) for seconds in (3600, -50))
    leave(
        bot,
        Due(DueKind.DECIDE, "7"),
        Due(DueKind.MATCH, "8", past),
        Due(DueKind.SEND, "weibo", soon),
        Due(DueKind.POLL, "x", soon),
    )
    sql(bot, "UPDATE procrastinate_events SET at = now() - interval '100 seconds'")
    leave(bot, Due(DueKind.SEND, "weibo"))
    sql(bot, "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() + interval '1 minute')")
    told = dict(line.rsplit(" ", 1) for line in Watch(bot, {}).metrics().splitlines() if not line.startswith("#"))

    def waits(queue: str) -> int:
        return round(float(told[f'suishoupai_oldest_job_ready_seconds{{queue="{queue}"}}']), -1)

    assert [waits(queue) for queue in ("decide", "match", "deliver", "poll")] == [100, 50, 0, 0]
    assert {queue: told[f'suishoupai_jobs{{queue="{queue}",state="ready"}}'] for queue in QUEUES} == dict(
        zip(QUEUES, "0000000", strict=True), decide="1", match="1", deliver="1"
    )
    assert told['suishoupai_jobs{queue="poll",state="put_off"}'] == "1"
    assert told['suishoupai_jobs{queue="poll",state="in_hand"}'] == "0"
    assert told["suishoupai_workers"] == "1"


def test_asking_the_queue_reads_no_finished_job(bot) -> None:
    """Whatever stays of jobs that ended, the figures are read from an index of those that wait or run."""
    sql(bot, "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
             " SELECT 'decide', 'decide', 'succeeded' FROM generate_series(1, 20000)")  # fmt: skip
    sql(bot, "ANALYZE procrastinate_jobs")
    plan = "\n".join(row[0] for row in sql(bot, "EXPLAIN " + backlog.BY_QUEUE))
    assert "Seq Scan on procrastinate_jobs" not in plan, plan
    assert "procrastinate_events_job_id" in plan, plan
