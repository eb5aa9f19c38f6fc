"""Searching sightings, on SQLite and on PostgreSQL."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import product

import pytest

from store import posts, search, sightings
from store.model import Stream as StreamOf
from store.model import StreamKind, When, Where
from store.sightings import SightingFilter, SightingState

PLACES = ("440303", "440303", "440304", "440000", "110101", None)


@pytest.fixture
def many(store, clock, make_post):
    """Twenty-four sightings, one an hour, of changing places, platforms and states; every seventh repeats the one before."""
    with store.write() as tx:
        for n in range(24):
            platform = "weibo" if n % 4 else "x"
            stream = StreamOf(platform, StreamKind.HASHTAG, "h")
            posts.save_page(
                tx, stream, [make_post(str(n), platform=platform)], now=tx.now, silent=lambda _: False, cursor=None, chain=None
            )
            began = clock.now + timedelta(hours=n)
            when = When(began, began + timedelta(minutes=30)) if n % 5 else When()
            found = sightings.save(tx, n + 1, Where(PLACES[n % 6]), when, duplicate_of=n if n % 7 == 6 else None)
            if n % 3 == 0:
                sightings.set_state(tx, found.id, SightingState.SET_ASIDE, "li")
    return store


def test_each_narrowing_finds_exactly_what_fits_newest_first_page_by_page(many, clock):
    """Forty combinations of place, reach, time, source, state and repeats give what a plain look at each sighting gives, whether
    the newest few fill the page or an index has to be asked; a page goes on where the one before ended."""
    with many.read() as tx:
        everything = search.search(tx, SightingFilter(), limit=100)
        assert [item.sighting.post_id for item in everything] == list(range(24, 0, -1))
        for place, within, since, until, platform, state, repeats in random.Random(6).sample(
            list(product(*(choices(clock.now)))), 40
        ):
            narrow = SightingFilter(place, within, since, until, platform, state, repeats)
            wanted = [item.sighting.id for item in everything if _fits(item, narrow)]
            for newest in (2, 100):
                first = search.search(tx, narrow, limit=3, newest=newest)
                before = first[-1].sighting.post_id if first else None
                rest = search.search(tx, narrow, limit=100, before=before, newest=newest) if first else []
                assert [item.sighting.id for item in (*first, *rest)] == wanted, narrow


def choices(now):
    """What each part of a search may be."""
    early, late = now + timedelta(hours=6), now + timedelta(hours=15)
    places, reach = ("", "44", "4403", "440303"), (None, (), ("4403", "11"))
    return places, reach, (None, early), (None, late), ("", "x"), (None, SightingState.OPEN), (True, False)


def _fits(item: search.Found, narrow: SightingFilter) -> bool:
    seen = item.sighting
    code, when = seen.where.adcode or "", seen.when
    return (
        code.startswith(narrow.adcode_prefix)
        and (narrow.within is None or bool(code and code.startswith(narrow.within)))
        and (narrow.seen_since is None or (when.seen_to is not None and when.seen_to >= narrow.seen_since))
        and (narrow.seen_until is None or (when.seen_from is not None and when.seen_from < narrow.seen_until))
        and narrow.platform in ("", item.platform)
        and narrow.state in (None, seen.state)
        and (narrow.with_duplicates or seen.duplicate_of is None)
    )
