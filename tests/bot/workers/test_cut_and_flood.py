"""The network cut in the middle of a commit, and a hundred thousand jobs in front of one post."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.microblog.environment import environment
from bot.microblog.model import Side
from bot.settings import load_settings
from bot.wiring import open_worker
from bot.work import QUEUES, backlog
from store.dialect import postgresql


class Proxy:
    """Passes connections on to a server's socket, until it is cut: then bytes vanish and nobody is told."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._cut = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Drop everything from now on; connections stay open."""
        self._cut.set()

    def mend(self) -> None:
        """Pass on again; what hung is told so now."""
        self._cut.clear()
        stale, self._open = self._open, []
        for end in stale:
            # Closing alone tells nobody while a thread waits for the socket's next byte.
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self._listener.close()
        self.mend()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._target)
            self._open += [near, far]
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                if not self._cut.is_set():
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return


@pytest.mark.timeout(200)
def test_a_worker_cut_off_in_the_middle_of_a_commit_stops_nobody(
    postgres_url, tmp_path, settings_file, shared_parts, tools: SimpleNamespace, microblog, photos, clock, monkeypatch, together
) -> None:
    """Its connection holds the writers' place when the network goes: the server takes it back, the other worker does the work,
    and when the network is back the first one finds everything done."""
    monkeypatch.setattr(postgresql, "WRITER_IDLE_S", 2)
    url = postgres_url
    with ExitStack() as stack:
        [directory] = parse_qs(urlsplit(url).query)["host"]
        proxy = stack.enter_context(closing(Proxy(str(Path(directory) / ".s.PGSQL.5432"))))
        urls = (f"postgresql://postgres@127.0.0.1:{proxy.port}{urlsplit(url).path}", url)
        quick = {"release": "auto", "lease_s": 6}
        changes = {"work": together.shared, "alerts": quick, "platforms": {"weibo": {"poll_every_s": 1}}}
        bots = []
        for number, one in enumerate(reversed(urls)):
            folder = tmp_path / str(number)
            path = settings_file(microblog, changes | {"store": {"url": one, "key_file": str(tmp_path / "key")}}, folder)
            loaded = load_settings(path, environ=environment(microblog.credentials))
            shared_photos = loaded.settings.store.model_copy(update={"photos_dir": tmp_path / "photos"})
            settings = loaded.settings.model_copy(update={"store": shared_photos})
            bots.append(
                stack.enter_context(open_worker(type(loaded)(path, settings, loaded.secrets, loaded.modules), QUEUES, clock))
            )
        direct, cut_off = bots
        tools.register(direct)
        tools.enrol_luohu(direct, microblog)
        stopped = together.gate("before:extract.done")
        cut_off.store.watch = stopped
        with together.Running([cut_off]):
            together.until(lambda: together.polled(direct.store))
            microblog.world.add_post(
                Side.WEIBO, "anna", f"#{tools.tag}# 刚刚在深圳市罗湖区东门老街 @随手拍助手", photos=[photos["a-street"].data],
                geo=(22.5462, 114.1195),
            )  # fmt: skip
            assert stopped.reached.wait(120)
            proxy.cut()
            stopped.open.set()
            with together.Running([direct]):
                together.until(lambda: len(microblog.world.ledger.publications) == 2, 120)
            proxy.mend()
    assert microblog.world.ledger.repeated() == []
    assert sum("@示例罗湖公安" in said.text for said in microblog.world.ledger.publications) == 1


@pytest.mark.timeout(200)
def test_a_queue_of_a_hundred_thousand_keeps_nobody_waiting(
    postgres_url, settings_file, shared_parts, tools: SimpleNamespace, microblog, clock, together
) -> None:
    """Behind the flood of a few accounts stands nobody but themselves: a poster who comes after 100,000 waiting jobs is answered
    while they wait, and taking a job reads an index, not the queue."""
    path = settings_file(microblog, {"work": together.shared, "store": {"url": postgres_url}})
    loaded = load_settings(path, environ=environment(microblog.credentials))
    with open_worker(loaded, QUEUES, clock) as bot:
        with bot.store.write() as tx:
            raw = tx.connection.connection.driver_connection
            raw.execute("ALTER TABLE procrastinate_jobs DISABLE TRIGGER USER")
            raw.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args)"
                " SELECT 'decide', 'decide', -1 - n % 1000, 'post:' || n, 'decide:' || n, jsonb_build_object('key', n::text)"
                " FROM generate_series(1000001, 1100000) AS n"
            )
            raw.execute("ALTER TABLE procrastinate_jobs ENABLE TRIGGER USER")
        with bot.store.write() as tx:
            tx.connection.connection.driver_connection.execute("ANALYZE procrastinate_jobs")
        with together.Running([bot]):
            together.until(lambda: together.polled(bot.store))
            microblog.world.add_post(Side.WEIBO, "anna", f"#{tools.tag}# @随手拍助手 怎么办？")
            together.until(lambda: len(microblog.world.ledger.publications) == 1)
            assert backlog.waiting(bot.store)["decide"] > 50_000
