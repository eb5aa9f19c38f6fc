"""The simulated campaign: its posts, photos and faces are what the real pipeline takes them for."""

import json
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from bot.__main__ import build
from bot.pipeline import run_round
from bot.simulation import past, pictures
from bot.simulation.campaign import Campaign, Shape
from bot.simulation.engine import VectorEngine, vector_of
from bot.simulation.run import Pace, Sample, play
from bot.simulation.site import open_site, open_store
from store import alerts, cases, leads, posts
from store.errors import BadInput
from store.model import AlertState, LeadState
from store.posts import Step

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(("person", "seed"), [(1, 1), (0, 77), (2**31 + 5, 2**32 - 1)])
def test_a_photo_says_who_it_shows(person: int, seed: int) -> None:
    """The engine reads from the pixels what the photo was made of, and finds nobody in an empty street."""
    pixels = cv2.imdecode(np.frombuffer(pictures.photo(person, seed), np.uint8), cv2.IMREAD_COLOR)
    assert pictures.read(pixels) == (person, seed)
    found = VectorEngine().faces(pixels)
    assert len(found) == (person != pictures.NOBODY)


def test_photos_of_one_person_are_alike_and_of_two_are_not() -> None:
    """Vectors are what bands need: mates near 0.74, strangers near 0."""
    assert 0.6 < float(vector_of(7, 1) @ vector_of(7, 2)) < 0.85
    assert abs(float(vector_of(7, 1) @ vector_of(8, 1))) < 0.4


def test_posts_come_with_the_swell_of_the_day() -> None:
    """A day brings as many posts as it should, three times as many an hour in the evening as in the morning."""
    campaign = Campaign(Shape(24_000, 0), START)
    hours = [campaign.newest(START + timedelta(hours=h)) for h in range(25)]
    assert hours[24] == 24_000
    assert 2.5 < (hours[14] - hours[13]) / (hours[2] - hours[1]) < 3.5
    assert campaign.newest(campaign.moment(500) + timedelta(seconds=1)) == 500


def test_the_real_pipeline_works_through_it(tmp_path) -> None:
    """Posts on top of a past are polled, matched, answered; a registered child leads to an alert; nothing of it fails."""
    shape = Shape(10_000, cases=80, mated=0.2, empty=0.2, words_only=0.1)
    campaign = Campaign(shape, START)
    now = [campaign.moment(100) + timedelta(seconds=1)]
    with open_store(f"sqlite:///{tmp_path / 's.sqlite'}", lambda: now[0]) as store:
        past.add_posts(store, campaign, 1, 100)
        past.add_cases(store, 1, 80, START)
        past.add_officials(store, 6)
        with open_site(store, tmp_path, campaign, lambda: now[0]) as site:
            site.platform.first = 101
            run_round(site.bot)
            now[0] = campaign.moment(150) + timedelta(seconds=1)
            run_round(site.bot)
        with store.read() as tx:
            steps, said, found = posts.counts(tx), alerts.counts(tx), leads.counts(tx)
            assert cases.pending_reverse(tx) == []
    assert steps[Step.DECIDED] == 150
    assert steps[Step.FAILED] == steps[Step.STORED] == 0
    assert said[AlertState.SENT] > 100 + 15
    assert found[LeadState.NEW] >= 4
    assert any("@示例公安" in message.text for _, message in site.platform.said)


def test_the_command_plays_an_evening_and_draws_it(tmp_path) -> None:
    """Lag, queue and cost come as JSON and as a plot; a database that holds something already is refused."""
    small = ["--posts-per-day", "20000", "--cases", "5", "--posts", "20"]
    arguments = ["simulate", *small, "--plot", str(tmp_path / "p.png"), "--json"]
    done = CliRunner().invoke(build(), arguments)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["posts"] >= 20
    assert told["failed"] == 0
    assert told["samples"][0]["stood_for_ms"] > 0
    assert all(sample["lag_s"] >= 0 for sample in told["samples"])
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    url = f"sqlite:///{tmp_path / 'full.sqlite'}"
    with open_store(url, lambda: START) as store:
        past.add_cases(store, 1, 1, START)
    refused = CliRunner().invoke(build(), ["simulate", "--store", url])
    assert isinstance(refused.exception, BadInput)


def test_a_slow_engine_makes_the_queue_grow(tmp_path) -> None:
    """Where a photo takes longer than the next one is away, posts pile up and the lag grows; where not, they do not."""

    def last(engine_s: float) -> Sample:
        with ExitStack() as stack:
            pace = Pace(engine_s=engine_s, network_s=0.0, most_posts=40)
            folder = tmp_path / str(engine_s)
            folder.mkdir()
            opened = lambda clock: stack.enter_context(open_store(f"sqlite:///{folder / 's.sqlite'}", clock))  # noqa: E731
            return play(opened, folder, Campaign(Shape(60_000, 3), START), pace).samples[-1]

    slow, quick = last(20.0), last(0.0)
    assert slow.waiting > 3 * quick.waiting
    assert slow.lag_s > 2 * quick.lag_s
