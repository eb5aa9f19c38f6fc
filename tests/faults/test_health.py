"""Health: what a person must look at, as findings, pages, metrics and alarms, against a running bot and a local server."""

import json
import socket
import threading
from datetime import timedelta
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests
from aiosmtpd.controller import Controller

from bot.console.health import SMTP_PASSWORD, WEBHOOK, HealthServer, tell
from bot.health import Alarmed, Finding, Health, to_tell
from bot.microblog.faults import Fault, FaultKind
from bot.pipeline import run_round
from bot.sections import MailSettings
from bot.settings import load_settings
from bot.watch import Watch, watching
from store import cases
from store.cases import CaseFields
from store.errors import SettingsError

CALLS_OF_A_ROUND = 4
"""Who the bot itself is, and one call for each stream of Weibo: the hashtag, mentions, replies."""


@pytest.fixture
def hook():
    """A server that takes webhooks: (its address, the bodies it got)."""
    bodies = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/secret-path", bodies
    server.shutdown()
    server.server_close()


def test_healthz_and_metrics_are_served_on_this_machine_and_tell_the_truth(
    tools, settings_file, microblog, environment_of, clock
) -> None:
    """Well after a poll: 200. Not read for four intervals: 503 with the stream's name. Metrics name every stream's lag."""
    loaded = load_settings(settings_file(microblog, {"health": {"port": 0}}), environ=environment_of(microblog))
    with tools.opened(loaded) as bot:
        run_round(bot)
        watch = Watch(bot, {})
        with HealthServer(0, watch.health, watch.metrics) as server:
            url = f"http://127.0.0.1:{server.port}"
            well = requests.get(f"{url}/healthz", timeout=5)
            assert (well.status_code, well.json()) == (200, {"well": True, "findings": []})
            clock.forward(minutes=10)
            late = requests.get(f"{url}/healthz", timeout=5)
            assert late.status_code == 503
            assert any("weibo:mentions was last read 10 minutes ago" in words for words in late.json()["findings"])
            metrics = requests.get(f"{url}/metrics", timeout=5)
            assert metrics.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert requests.get(f"{url}/other", timeout=5).status_code == 404
    parsed = prometheus(metrics.text)
    assert parsed['suishoupai_poll_lag_seconds{stream="weibo:mentions"}'] >= 600
    assert parsed["suishoupai_well"] == 0
    assert parsed['suishoupai_messages{state="unknown"}'] == 0
    assert parsed['suishoupai_calls_left{platform="weibo"}'] == 100_000 - CALLS_OF_A_ROUND


def prometheus(text: str) -> dict[str, float]:
    """Every sample of the text format; each has its HELP and TYPE before it."""
    samples, typed = {}, set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            typed.add(line.split()[2])
        elif not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            assert name.partition("{")[0] in typed, line
            samples[name] = float(value)
    return samples


def test_a_missed_poll_calls_the_operator_once_and_says_when_it_is_over(begun, hook) -> None:
    """One alarm for a lasting fault, one word when it ends; the address of the webhook is in no log line."""
    url, bodies = hook
    watch = Watch(begun.bot, {WEBHOOK: url})
    assert watch.alarm() == []
    begun.faults.add(Fault(FaultKind.LOGIN_PAGE, "/weibo/*", count=0))
    begun.clock.forward(minutes=30)
    run_round(begun.bot)
    assert any("weibo:mentions" in words and "Blocked" not in words for words in watch.alarm())
    assert watch.alarm() == []
    assert len(bodies) == 1
    begun.faults.clear()
    begun.clock.forward(minutes=1)
    run_round(begun.bot)
    assert watch.alarm() == [f"over: poll:weibo:{stream}" for stream in ("hashtag:随手拍照解救乞讨儿童", "mentions", "replies")]
    assert len(bodies) == 2


def test_an_alarm_that_nobody_took_is_told_again(begun) -> None:
    """The webhook is down: the same findings are told at the next look."""
    watch = Watch(begun.bot, {WEBHOOK: "http://127.0.0.1:9/none"})
    begun.clock.forward(minutes=30)
    assert watch.alarm()
    assert watch.alarm()


def test_one_person_registering_many_cases_calls_the_operator_once(begun) -> None:
    """Beyond `health.cases_a_day` the alarm names who it was and how many, says it once, and says when the day is over."""
    watch = Watch(begun.bot, {})
    assert watch.alarm() == []
    with begun.bot.store.write() as tx:
        for number in range(21):
            cases.add(tx, CaseFields("示例", police_report_number=f"T-{number}"), "stranger")
    (words,) = watch.alarm()
    assert words.startswith("stranger registered 21 cases within 24 h")
    assert watch.health() == (True, [words]), "told, but no reason to restart the bot"
    assert watch.alarm() == []
    begun.clock.forward(hours=25)
    run_round(begun.bot)
    assert "over: cases:stranger" in watch.alarm()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_alarm_goes_by_mail_through_a_real_mail_server() -> None:
    """SMTP as it is spoken: sender, receiver and the words arrive."""

    class Keep:
        seen = b""

        async def handle_DATA(self, server, session, envelope) -> str:
            Keep.seen = envelope.content
            return "250 OK"

    controller = Controller(Keep(), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        to = ("oncall@example.org",)
        mail = MailSettings(host="127.0.0.1", port=controller.port, starttls=False, sender="bot@example.org", to=to)
        assert tell(["weibo:mentions was never read"], webhook="", mail=mail, password="")
    finally:
        controller.stop()
    message = message_from_bytes(Keep.seen)
    assert message["To"] == "oncall@example.org"
    assert "weibo:mentions was never read" in message.get_payload(decode=True).decode()


def test_a_lasting_finding_is_repeated_after_a_while(clock) -> None:
    """New: told. Lasting: not told. Lasting for longer than the settings say: told again."""
    now = clock()
    found = (Finding("a", "a is wrong"),)
    lines, after = to_tell(Health(now, found), Alarmed({}), timedelta(hours=6))
    assert lines == ["a is wrong"]
    assert to_tell(Health(now + timedelta(hours=5), found), after, timedelta(hours=6))[0] == []
    assert to_tell(Health(now + timedelta(hours=6), found), after, timedelta(hours=6))[0] == ["a is wrong"]


def test_a_port_that_is_taken_is_a_clear_error(tools, settings_file, microblog, environment_of) -> None:
    """health.port in use: the bot says which key and does not run without its watch."""
    changes = {"health": {"port": microblog.port}}
    loaded = load_settings(settings_file(microblog, changes), environ=environment_of(microblog))
    with tools.opened(loaded) as bot, pytest.raises(SettingsError, match=r"health\.port"), watching(bot, {SMTP_PASSWORD: ""}):
        pass
