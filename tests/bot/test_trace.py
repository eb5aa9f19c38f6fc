"""One trace id follows a post through every step, in whichever process the step runs."""

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta

from bot import log
from bot.pipeline import run_round
from bot.simulation import past
from bot.simulation.campaign import PLATFORM, Campaign, Shape
from bot.simulation.site import open_site, open_store

START = datetime(2026, 3, 1, tzinfo=UTC)


def test_one_id_from_poll_to_answer(tmp_path, capsys) -> None:
    """Reading, extracting, matching, deciding and sending each say the post's id, and no two posts share one."""
    campaign = Campaign(Shape(10_000, cases=20, mated=0.5, empty=0.0, words_only=0.0, reposts=0.0), START)
    now = [campaign.moment(1) - timedelta(seconds=1)]
    log.configure(level="debug", json_lines=True)
    try:
        with open_store(f"sqlite:///{tmp_path / 's.sqlite'}", lambda: now[0]) as store:
            past.add_cases(store, 1, 20, START)
            past.add_officials(store, 6)
            with open_site(store, tmp_path, campaign, lambda: now[0]) as site:
                run_round(site.bot)
                now[0] = campaign.moment(12) + timedelta(seconds=1)
                run_round(site.bot)
    finally:
        log.configure(level="error")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    steps = defaultdict(list)
    for line in lines:
        if "trace" in line:
            steps[line["trace"]].append(line.get("step") or line["event"])
    assert set(steps) == {log.trace_of(PLATFORM, str(number)) for number in range(1, 13)}
    way = ["read", "stored", "extracted", "matched"]
    for seen in steps.values():
        assert [what for what in seen if what in way] == way
        assert "sent" in seen
    assert any("alert" in seen for seen in steps.values())


def test_the_id_names_nobody() -> None:
    """It is a hash of platform and id: equal for equal posts, another for each platform, and neither stands in it."""
    one = log.trace_of("weibo", "4711")
    assert one == log.trace_of("weibo", "4711")
    assert one != log.trace_of("x", "4711")
    assert "4711" not in one
    assert len(one) == 12
