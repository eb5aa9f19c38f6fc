"""Several workers at one thing at once, on PostgreSQL: each effect once, and whoever comes late does nothing."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from bot.alerts.deliver import deliver
from bot.drift import kept_drift
from bot.microblog.model import Side
from bot.steps import housekeeping, match, tracks
from bot.steps.alert import alert
from bot.steps.each import one_post
from bot.steps.extract import extract
from bot.steps.poll import poll, streams
from bot.steps.scan import scan
from bot.work.jobs import shared as shared_seat
from store import alerts, cases, faces, gallery, matches, platform_states, posts, recognition, sightings
from store.errors import Moved, Unreachable
from store.model import AlertState, FaceQuality, MessageKind
from store.posts import Step

LUOHU = (22.5462, 114.1195)
TAGGED = "@随手拍助手 刚刚在深圳市罗湖区东门老街"


@pytest.fixture
def pair(workers, tools: SimpleNamespace, microblog):
    """Two workers on an installation with a verified case and an official, after its first poll."""
    one, two = workers(2)
    tools.register(one)
    tools.enrol_luohu(one, microblog)
    read(one)
    return one, two


def read(bot) -> list:
    """Poll everything once."""
    return [poll(bot, seat, stream) for seat in bot.seats.values() for stream in streams(seat)]


def say(microblog, photo, author: str = "anna", text: str = TAGGED) -> str:
    return str(microblog.world.add_post(Side.WEIBO, author, text, photos=[photo.data] if photo else [], geo=LUOHU).id)


def row_of(bot, number: str) -> int:
    with bot.store.read() as tx:
        return posts.find(tx, "weibo", number)


def run(bot, row: int, *steps: Step) -> None:
    work = {Step.STORED: extract, Step.EXTRACTED: match.match, Step.MATCHED: alert}
    for step in steps:
        one_post(bot, step, work[step], row)


ALL = (Step.STORED, Step.EXTRACTED, Step.MATCHED)


@pytest.fixture
def matched(pair, microblog, photos):
    """Two posts with matching photos, matched and not yet decided; (workers, rows)."""
    numbers = [say(microblog, photos["a-street"]), say(microblog, photos["a-mirror"], "boris")]
    read(pair[0])
    rows = [row_of(pair[0], number) for number in numbers]
    for row in rows:
        run(pair[0], row, Step.STORED, Step.EXTRACTED)
    return pair, rows


@pytest.mark.parametrize("step", ALL)
def test_one_post_in_two_hands_moves_once(pair, together, microblog, photos, step: Step) -> None:
    """Whichever step two workers take of one post at the same moment, its effect is there once."""
    number = say(microblog, photos["a-street"])
    read(pair[0])
    row = row_of(pair[0], number)
    run(pair[0], row, *ALL[: ALL.index(step)])
    together.at_once(*(lambda bot=bot: run(bot, row, step) for bot in pair))
    run(pair[0], row, *ALL[ALL.index(step) + 1 :])
    with pair[0].store.read() as tx:
        assert posts.get(tx, row).step is Step.DECIDED
        assert posts.get(tx, row).error != "failed"
        assert len(sightings.listing(tx)) == 1
        assert len(matches.listing(tx)) == 1
        assert [a.kind for a in alerts.listing(tx)] == [MessageKind.ALERT, MessageKind.ANSWER]


def test_a_worker_that_stood_still_and_comes_back_does_nothing(pair, together, gate, microblog, photos) -> None:
    """It wakes in the middle of a step that others finished long ago: what stands, stands, and no attempt is counted."""
    number = say(microblog, photos["a-street"])
    read(pair[0])
    row, (slow, quick) = row_of(pair[0], number), pair
    slow.store.watch = stopped = gate("after:photo.stored")

    def meanwhile() -> None:
        assert stopped.reached.wait(20)
        run(quick, row, *ALL)
        with quick.store.write() as tx:
            sightings.set_state(tx, 1, sightings.SightingState.WITH_PARENTS, by="official")
        stopped.open.set()

    together.at_once(lambda: run(slow, row, Step.STORED), meanwhile)
    with quick.store.read() as tx:
        post = posts.get(tx, row)
        assert (post.step, post.attempts) == (Step.DECIDED, 0)
        assert sightings.get(tx, 1).state is sightings.SightingState.WITH_PARENTS
    with pytest.raises(Moved):
        match.match(slow, row)


@pytest.mark.parametrize("first", [0, 1])
def test_the_same_picture_in_two_hands_has_one_original(pair, together, gate, microblog, photos, first: int) -> None:
    """Both workers had fetched their copy before either had stored a sighting: the earlier post is the original, whoever was
    quicker, and the official is called once."""
    numbers = [say(microblog, photos["a-street"]), say(microblog, photos["a-again"], "boris")]
    read(pair[0])
    rows = [row_of(pair[0], number) for number in numbers]
    gates = [gate("after:photo.stored"), gate("after:photo.stored")]
    for bot, one in zip(pair, gates, strict=True):
        bot.store.watch = one

    def release() -> None:
        assert all(one.reached.wait(20) for one in gates)
        gates[first].open.set()
        together.until(lambda: step_of(pair[0], rows[first]) is Step.EXTRACTED)
        gates[1 - first].open.set()

    together.at_once(*(lambda b=bot, r=row: run(b, r, Step.STORED) for bot, row in zip(pair, rows, strict=True)), release)
    with pair[0].store.read() as tx:
        original, repeat = (sightings.of_post(tx, row) for row in rows)
        assert original.duplicate_of is None
        assert repeat.duplicate_of == original.id
    for row in rows:
        run(pair[1], row, Step.EXTRACTED, Step.MATCHED)
    with pair[0].store.read() as tx:
        assert len(alerts.listing(tx, kind=MessageKind.ALERT)) == 1


@pytest.fixture
def twins(pair, microblog, photos):
    """Two posts with one picture, matched and not yet decided, the later one known to repeat the earlier; (workers, rows)."""
    numbers = [say(microblog, photos["a-street"]), say(microblog, photos["a-again"], "boris")]
    read(pair[0])
    rows = [row_of(pair[0], number) for number in numbers]
    for row in rows:
        run(pair[0], row, Step.STORED, Step.EXTRACTED)
    return pair, rows


def alerts_of(bot) -> list[str]:
    with bot.store.read() as tx:
        return [alert.state.value for alert in alerts.listing(tx, kind=MessageKind.ALERT)]


def test_a_repeat_that_is_decided_first_waits_for_what_it_repeats(twins, clock) -> None:
    """The quicker worker has the later post: it is put off, not held for a person; once the earlier one has called the official
    it is silent."""
    (one, two), (first, repeat) = twins
    run(two, repeat, Step.MATCHED)
    assert (step_of(two, repeat), alerts_of(two)) == (Step.MATCHED, [])
    run(one, first, Step.MATCHED)
    clock.forward(seconds=3)
    run(two, repeat, Step.MATCHED)
    assert (step_of(two, repeat), alerts_of(two)) == (Step.DECIDED, ["ready"])


def test_a_repeat_does_not_wait_for_long(twins, clock) -> None:
    """What it repeats stands still: after a minute its poster is answered and a person sees the alert; nothing is lost, and what
    stood still then calls the official once."""
    (one, two), (first, repeat) = twins
    clock.forward(seconds=61)
    run(two, repeat, Step.MATCHED)
    assert (step_of(two, repeat), alerts_of(two)) == (Step.DECIDED, ["held"])
    run(one, first, Step.MATCHED)
    assert sorted(alerts_of(two)) == ["held", "ready"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_one_picture_posted_twice_at_one_instant_calls_once(pair, together, microblog, photos, order: tuple[int, int]) -> None:
    """Two workers take everything as it comes, each with its eye on another post: one alert, none held, two answers."""
    numbers = [say(microblog, photos["a-street"]), say(microblog, photos["a-again"], "boris")]
    read(pair[0])
    rows = [row_of(pair[0], number) for number in numbers]

    def work(bot, row: int) -> None:
        for _ in range(200):
            for step in ALL:
                run(bot, row, step)
            if step_of(bot, row) is Step.DECIDED:
                return

    together.at_once(*(lambda b=bot, r=rows[i]: work(b, r) for bot, i in zip(pair, order, strict=True)))
    assert alerts_of(pair[0]) == ["ready"]
    with pair[0].store.read() as tx:
        assert len(alerts.listing(tx, kind=MessageKind.ANSWER)) == 2


def step_of(bot, row: int) -> Step:
    with bot.store.read() as tx:
        return posts.get(tx, row).step


def test_two_that_decide_at_once_keep_under_an_officials_cap(matched, together) -> None:
    """One official may be named once a day here: of two decisions at the same moment one goes out, one waits for a person."""
    pair, rows = matched
    for bot in pair:
        caps = bot.settings.alerts.caps.model_copy(update={"per_official_per_day": 1})
        object.__setattr__(bot, "settings", narrowed(bot.settings, caps=caps))
    together.at_once(*(lambda b=bot, r=row: run(b, r, Step.MATCHED) for bot, row in zip(pair, rows, strict=True)))
    with pair[0].store.read() as tx:
        states = sorted(a.state.value for a in alerts.listing(tx, kind=MessageKind.ALERT))
    assert states == ["held", "ready"]


def narrowed(settings, **alerts_changes):
    return settings.model_copy(update={"alerts": settings.alerts.model_copy(update=alerts_changes)})


def test_a_conversation_in_two_hands_is_answered_once(pair, together, make_post) -> None:
    """Two people tag the bot below one post; whoever decides second sees the first one's answer."""
    stream = streams(pair[0].seats["weibo"])[0]
    below = {"reply_to_id": "9", "thread_id": "9", "summons": True}
    page = [replace(make_post(number, "@随手拍助手 怎么办"), **below) for number in ("11", "12")]
    with pair[0].store.write() as tx:
        rows = posts.save_page(tx, stream, page, now=tx.now, silent=lambda post: False, cursor=None, chain=None).new
    for row in rows:
        run(pair[0], row, Step.STORED, Step.EXTRACTED)
    together.at_once(*(lambda b=bot, r=row: run(b, r, Step.MATCHED) for bot, row in zip(pair, rows, strict=True)))
    with pair[0].store.read() as tx:
        assert len(alerts.listing(tx, kind=MessageKind.ANSWER)) == 1


# --- memories: tracks, gallery, drift ---------------------------------------------------------------------------


def test_one_child_in_two_hands_is_one_track(pair, together, microblog, photos) -> None:
    """Both workers compared their photo before either had begun a track: the second joins the first one's."""
    numbers = [say(microblog, photos["b-street"]), say(microblog, photos["b-mirror"], "boris")]
    read(pair[0])
    seen = []
    for bot, number in zip(pair, numbers, strict=True):
        row = row_of(bot, number)
        run(bot, row, Step.STORED)
        [photo] = match.shown_for_matching(bot, row)
        scan(bot, photo)
        with bot.store.read() as tx:
            bot.faces.sync(tx)
            [face] = faces.of_photo_with_vectors(tx, photo, bot.faces.pack.sha256)
        seen.append((bot, face))
    found = [bot.tracks.find(bot.store, bot.faces, face) for bot, face in seen]
    assert [one.link.track for one in found] == [None, None]

    def put(bot, one) -> int:
        with bot.store.write() as tx:
            return tracks.put(tx, one.face, bot.tracks.settle(tx, bot.faces, one))

    joined = together.at_once(*(lambda b=bot, o=one: put(b, o) for (bot, _), one in zip(seen, found, strict=True)))
    assert joined[0] == joined[1]


def test_what_people_split_and_what_is_erased_reaches_every_worker(pair, microblog, photos) -> None:
    """A worker's memory of tracks follows people's splits and loses erased faces, without being told."""
    numbers = [say(microblog, photos["b-street"]), say(microblog, photos["b-mirror"], "boris")]
    read(pair[0])
    for number in numbers:
        run(pair[0], row_of(pair[0], number), Step.STORED, Step.EXTRACTED)
    one, two = pair
    with one.store.read() as tx:
        [track] = recognition.longest(tx)
        _, second = recognition.track(tx, track).faces
    another = replace(vector_of(two, second), face_id=1_000_000, photo_id=1_000_000)

    def link():
        return two.tracks.find(two.store, two.faces, another).link

    with two.store.read() as tx:
        two.faces.sync(tx)
    assert link().track == track
    with one.store.write() as tx:
        recognition.split(tx, second, by="lead", why="other ears")
    assert link().track is None
    assert "for a person" in link().why
    with one.store.write() as tx:
        faces.forget_pack(tx, one.faces.pack.sha256)
    assert link().why == "no earlier sighting is surely the same child"


def vector_of(bot, face_id: int):
    with bot.store.read() as tx:
        [face] = faces.with_vectors(tx, [face_id])
    return face


def test_a_case_verified_between_scan_and_search_is_found(pair, together, gate, tools, microblog, photos) -> None:
    """The other worker's reverse search is over before this post's faces were stored for it, and its own search must see the
    case: between the two, no mate is missed."""
    number = say(microblog, photos["b-street"])
    read(pair[0])
    row, (one, two) = row_of(pair[0], number), pair
    run(one, row, Step.STORED)
    with one.store.read() as tx:
        one.faces.sync(tx)
    one.store.watch = stopped = gate("after:match.scanned")

    def verify() -> None:
        assert stopped.reached.wait(20)
        tools.register(two, key="b", name="Demo case B")
        stopped.open.set()

    together.at_once(lambda: run(one, row, Step.EXTRACTED), verify)
    with one.store.read() as tx:
        assert len(matches.of_post(tx, row)) == 1


def test_a_changed_case_is_searched_and_embedded_once(pair, together, tools, microblog, photos) -> None:
    """Two workers look at a new case at once: its photo is embedded once, the past posts it concerns are decided anew once."""
    number = say(microblog, photos["b-street"])
    read(pair[0])
    row = row_of(pair[0], number)
    run(pair[0], row, *ALL)
    tools.register(pair[0], key="b", name="Demo case B")
    with pair[0].store.read() as tx:
        before = cases.changed_since(tx, 0)[0]
    counts = together.at_once(*(lambda b=bot: match.reverse(b) for bot in pair))
    assert sorted(counts) == [0, 1]
    assert step_of(pair[0], row) is Step.MATCHED
    with pair[0].store.write() as tx:
        gallery_photo = gallery.faces_missing(tx, "another pack")[0]
    for bot in pair:
        bot.faces.pack = type(bot.faces.pack)("another", "another pack")
    embedded = together.at_once(*(lambda b=bot: housekeeping.embed_case_photos(b) for bot in pair))
    with pair[0].store.read() as tx:
        assert gallery.embedded(tx, gallery_photo.id, "another pack")
        assert gallery.faces_missing(tx, "another pack") == []
        assert cases.changed_since(tx, 0)[0] == before + sum(embedded)


def test_counts_of_everyday_scores_add_up(pair, together) -> None:
    """What each worker observed is in the kept histogram, none twice, none over the other's."""
    for bot in pair:
        bot.drift.observe([(0.5, FaceQuality.GOOD, 100.0)] * 10)
    together.at_once(*(lambda b=bot: b.drift.keep(b.store, "pack") for bot in pair))
    with pair[0].store.read() as tx:
        assert sum(sum(row) for row in kept_drift(tx, "pack").counts.values()) == 20


# --- platforms --------------------------------------------------------------------------------------------------


def test_two_pollers_by_mistake_lose_and_double_nothing(pair, together, microblog, photos) -> None:
    """Both read the stream at once: every post is stored once, and the cursor ends where the newest post is."""
    numbers = [say(microblog, None, text=f"#随手拍照解救乞讨儿童# {n}") for n in range(30)]
    both = together.at_once(*(lambda b=bot: read(b) for bot in pair))
    assert {one.outcome for polled in both for one in polled} <= {"ok", "Overtaken"}
    read(pair[0])
    with pair[0].store.read() as tx:
        rows = [posts.find(tx, "weibo", number) for number in numbers]
        assert None not in rows
        assert len(set(rows)) == 30
    assert all(one.new == 0 for one in read(pair[1]))


def test_a_poller_that_was_overtaken_leaves_the_cursor_alone(pair, together, gate, microblog) -> None:
    """It had its page in hand when another went ahead: it stops, and writes no older cursor over a newer one."""
    seat = pair[0].seats["weibo"]
    [stream, *_] = streams(seat)
    say(microblog, None, text="#随手拍照解救乞讨儿童# one")
    original = seat.platform.read

    def late(*words):
        page = original(*words)
        say(microblog, None, text="#随手拍照解救乞讨儿童# two")
        assert poll(pair[1], pair[1].seats["weibo"], stream).outcome == "ok"
        return page

    seat.platform.read = late
    with pair[1].store.read() as tx:
        before = posts.stream_state(tx, stream).cursor
    assert poll(pair[0], seat, stream).outcome == "Overtaken"
    with pair[1].store.read() as tx:
        assert posts.stream_state(tx, stream).cursor != before


def test_two_senders_say_everything_once(matched, together, microblog) -> None:
    """Two workers empty one outbox at once: each message is on the platform once."""
    pair, rows = matched
    for row in rows:
        run(pair[0], row, Step.MATCHED)
    together.at_once(*(lambda b=bot: deliver(b, b.seats["weibo"]) for bot in pair))
    for bot in pair:
        deliver(bot, bot.seats["weibo"])
    with pair[0].store.read() as tx:
        assert alerts.counts(tx)[AlertState.SENT] == len(microblog.world.ledger.publications) >= 3
    assert microblog.world.ledger.repeated() == []


def test_a_sender_that_stood_still_past_its_lease_does_not_call(matched, microblog, clock) -> None:
    """Its message was taken over as doubtful meanwhile; the call that it was about to make is not made."""
    pair, rows = matched
    run(pair[0], rows[0], Step.MATCHED)
    slow, other = pair
    look = slow.seats["weibo"].platform.account

    def stand_still(*words):
        clock.forward(seconds=slow.settings.alerts.lease_s + 1)
        with other.store.write() as tx:
            alerts.expired_leases(tx, tx.now)
        return look(*words)

    slow.seats["weibo"].platform.account = stand_still  # asked before an official is mentioned
    deliver(slow, slow.seats["weibo"])
    with other.store.read() as tx:
        [call] = alerts.listing(tx, kind=MessageKind.ALERT)
    assert call.state is AlertState.UNKNOWN
    assert not any("示例罗湖公安" in p.text for p in microblog.world.ledger.publications)


def test_a_pause_that_a_platform_asked_for_holds_for_every_worker(pair) -> None:
    """The next sender, on another machine, knows until when the platform wants to be left alone."""
    one, two = (bot.seats["weibo"] for bot in pair)
    with shared_seat(pair[0], one):
        one.quiet_until = pair[0].clock()
        for _ in range(5):
            one.breaker = one.breaker.after(Unreachable("down"), pair[0].clock())
    with shared_seat(pair[1], two):
        assert two.quiet_until == one.quiet_until
        assert two.breaker == one.breaker
    with pair[0].store.read() as tx:
        assert platform_states.get(tx, "weibo").own_id
