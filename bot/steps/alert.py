"""Alert: from a matched sighting to the outbox. Gathers the situation, lets bot/alerts/decide.py decide, stores what follows."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from bot.alerts.compose import compose
from bot.alerts.decide import Alert, Answer, Candidate, Decision, Policy, Situation, decide
from bot.alerts.officials import RoutingRules, asked_in_turn, choose
from bot.alerts.routing import within_hours
from bot.bot import Bot, PlatformSeat
from bot.log import get
from bot.steps import asked, replies, tracks
from bot.steps.each import Later
from ingest.divisions import table as divisions
from ingest.duplicate import FLAT, NEAR_BITS
from store import alerts, audit, bans, cases, leads, matches, officials, photos, posts, sightings, spoken
from store.alerts import Mention, NewAlert
from store.faces import faces_of_photo
from store.media import MediaState, StoredMedia
from store.model import AlertState, Band, CaseState, FaceQuality, MessageKind, OfficialAccount, Post, When, Where
from store.posts import Step, StoredPost
from store.refs import ALPHABET
from store.session import Tx
from store.sightings import Sighting, SightingState

log = get("alert")

_ORIGINAL_WAIT = timedelta(seconds=60)


def alert(bot: Bot, row: int) -> None:
    """Take one matched post to DECIDED: its answer and alert in the outbox, its leads opened, all in one transaction.

    Writers go one at a time, so what is counted here (caps, the brake, answered threads, what was alerted before) holds until
    the commit, however many workers decide.

    Raises:
        Moved: somebody else decided it.
        Later: the sighting that this one repeats is just being worked on.
    """
    with bot.store.write("alert.decided") as tx:
        stored = posts.hold(tx, row, Step.MATCHED)
        seat = bot.seats.get(stored.platform)
        if stored.post is None or seat is None:
            posts.mark(tx, row, Step.IGNORED, "malformed, or its platform is not in the settings")
            return
        if replies.handle(tx, bot, seat, stored):
            posts.mark(tx, row, Step.DECIDED, "an official's answer, or what posed as one")
            return
        sighting = _sighting_of(tx, stored)
        _wait_for_first(tx, stored, sighting)
        situation = gather(tx, bot, seat, stored, stored.post, sighting)
        decision = decide(situation, policy(bot))
        _store(tx, bot, seat, stored, sighting, situation, decision)
        posts.mark(tx, row, Step.DECIDED, "; ".join(why for why in decision.why if why))


def _wait_for_first(tx: Tx, stored: StoredPost, sighting: Sighting | None) -> None:
    """One picture in two posts at one moment: the first is decided first, so that the second is silent where that one called
    somebody. Without this the second, quicker, would be held for a person. It waits for a minute at most, for the first may
    stand behind a flood, or fail."""
    if sighting is None or sighting.duplicate_of is None or tx.now - stored.first_read_at > _ORIGINAL_WAIT:
        return
    if posts.get(tx, sightings.get(tx, sighting.duplicate_of).post_id).step in (Step.EXTRACTED, Step.MATCHED):
        raise Later("the sighting that it repeats is not decided yet", seconds=2.0)


def policy(bot: Bot) -> Policy:
    """The operator's settings as the decision takes them."""
    settings = bot.settings.alerts
    return Policy(
        auto_release=settings.release == "auto",
        max_age=timedelta(hours=settings.max_age_hours),
        answer_max_age=timedelta(hours=settings.answer_max_age_hours),
        cap_hour=settings.caps.per_hour,
        cap_day=settings.caps.per_day,
        cap_official_day=settings.caps.per_official_per_day,
        cap_author_day=settings.caps.answers_per_author_per_day,
        quiet_now=in_quiet_hours(bot),
    )


def in_quiet_hours(bot: Bot) -> bool:
    """Whether it is now between the hours of ``alerts.quiet_hours`` (which may run over midnight)."""
    hours = bot.settings.alerts.quiet_hours
    if hours is None:
        return False
    return within_hours(hours, bot.clock().astimezone(bot.zone).hour)


def routing(bot: Bot, when: When) -> tuple[RoutingRules, str]:
    """Which agencies may be called for a sighting of this age at this hour, by the operator's routing settings, and why."""
    return bot.settings.alerts.routing.routing.rules_for(when, bot.clock(), bot.zone)


def gather(tx: Tx, bot: Bot, seat: PlatformSeat, stored: StoredPost, post: Post, sighting: Sighting | None) -> Situation:
    """Everything the decision needs to know about one post, read in the transaction that stores the decision."""
    day = tx.now - timedelta(days=1)
    own = sighting is not None and sighting.post_id == stored.id
    candidates = _candidates(tx, stored) if own else ()
    usable = [picture for picture in stored.media if picture.state is MediaState.STORED]
    if not own and sighting is not None:
        usable = [picture for picture in posts.get(tx, sighting.post_id).media if picture.state is MediaState.STORED]
    wants_silence = asked.is_opt_out(post) and posts.opt_out(tx, post.platform, post.author.id, tx.now)
    where = sighting.where if sighting is not None else Where()
    return Situation(
        now=tx.now,
        posted_at=post.posted_at,
        capabilities=seat.platform.rules.capabilities,
        where=where,
        summons=post.summons,
        silent=stored.silent or not stored.direct,
        deleted=stored.deleted_at is not None,
        from_bot=post.author.automated or (bool(seat.own_id) and post.author.id == seat.own_id),
        banned=_banned(tx, post, usable),
        opted_out=posts.opted_out(tx, post.platform, post.author.id),
        opt_out_request=wants_silence,
        thread_answered=_thread_answered(tx, post),
        photos=max(len(stored.media), len(usable)),
        photos_usable=len(usable),
        faces=sum(_faces(tx, bot, picture) for picture in usable),
        candidates=candidates,
        duplicate=sighting is not None and sighting.duplicate_of is not None,
        answers_last_day=spoken.answers_since(tx, post.platform, post.author.id, day),
        **(_for_an_alert(tx, bot, seat, sighting) if any(one.band is Band.HIGH for one in candidates) else {}),
    )


def _for_an_alert(tx: Tx, bot: Bot, seat: PlatformSeat, sighting: Sighting | None) -> dict[str, Any]:
    """What only a candidate in the high band raises the question of: who may be called, and what was said before. Nearly every
    post has none, and other writers wait meanwhile."""
    day, hour = tx.now - timedelta(days=1), tx.now - timedelta(hours=1)
    accounts, why = _accounts(tx, bot, seat, sighting)
    return {
        "accounts": accounts,
        "accounts_why": why,
        "already_alerted": sighting is not None and _alerted(tx, seat.name, sighting),
        "with_parents": sighting is not None and _with_parents(tx, sighting),
        "sent_last_hour": spoken.sent_since(tx, seat.name, MessageKind.ALERT, hour),
        "sent_last_day": spoken.sent_since(tx, seat.name, MessageKind.ALERT, day),
        "mentions_last_day": {account.id: spoken.mentions_since(tx, account.id, day) for account in accounts},
    }


def _banned(tx: Tx, post: Post, usable: list[StoredMedia]) -> bool:
    """Whether people put the account, or a picture like one of these, on the ban list."""
    if bans.account_banned(tx, post.platform, post.author.id):
        return True
    hashes = [photos.get(tx, picture.photo_id).phash for picture in usable if picture.photo_id is not None]
    return any(phash != FLAT and bans.picture_banned(tx, phash, NEAR_BITS) for phash in hashes)


def _thread_answered(tx: Tx, post: Post) -> bool:
    """Whether the conversation has had its answer. Whoever opened it is answered all the same: somebody else's tag below
    their photo must not take their answer away."""
    if post.thread_id is None or post.thread_id == post.id:
        return False
    return spoken.answered_thread(tx, post.platform, post.thread_id)


def _faces(tx: Tx, bot: Bot, picture: StoredMedia) -> int:
    """Faces that a person would call faces: what the engine itself cannot compare is no face to answer about."""
    if picture.photo_id is None:
        return 0
    found = faces_of_photo(tx, picture.photo_id, bot.faces.pack.sha256)
    return sum(1 for face in found if face.quality is not FaceQuality.UNUSABLE)


def _sighting_of(tx: Tx, stored: StoredPost) -> Sighting | None:
    """The post's own sighting, or that of the original it reposts: a repost is a link to it."""
    found = sightings.of_post(tx, stored.id)
    return found if found is not None or stored.repost_of_id is None else sightings.of_post(tx, stored.repost_of_id)


def _accounts(tx: Tx, bot: Bot, seat: PlatformSeat, sighting: Sighting | None) -> tuple[tuple[OfficialAccount, ...], str]:
    if sighting is None or not sighting.where.settled:
        return (), "the place is not certain"
    today = tx.now.astimezone(bot.zone).date()
    chain = asked_in_turn(sighting.where.adcode or "", _ancestors)
    listed = officials.accounts(tx, seat.name, adcodes=chain)
    rules, why = routing(bot, sighting.when)
    choice = choose(sighting.where, listed, platform=seat.name, rules=rules, today=today, ancestors=_ancestors)
    return choice.accounts, "; ".join((why, *choice.steps))


def _ancestors(adcode: str) -> list[str]:
    return [division.adcode for division in divisions().ancestors(adcode)]


def _candidates(tx: Tx, stored: StoredPost) -> tuple[Candidate, ...]:
    states = {}
    found = []
    for candidate in matches.of_post(tx, stored.id):
        if candidate.case_id not in states:
            states[candidate.case_id] = cases.get(tx, candidate.case_id).state
        found.append(
            Candidate(
                candidate.case_id,
                candidate.band,
                case_open=states[candidate.case_id] is CaseState.VERIFIED,
                rejected=candidate.state is matches.CandidateState.REJECTED,
                with_parents=tracks.with_parents(tx, candidate.face_id),
            )
        )
    return tuple(found)


def _alerted(tx: Tx, platform: str, sighting: Sighting) -> bool:
    """Whether officials were (or are about to be) called for this sighting, or for the one whose photo it repeats."""
    post_rows = [sighting.post_id]
    if sighting.duplicate_of is not None:
        post_rows.append(sightings.get(tx, sighting.duplicate_of).post_id)
    said = (AlertState.READY, AlertState.SENDING, AlertState.SENT, AlertState.UNKNOWN)
    ids = [post_id for _, post_id in posts.names(tx, post_rows).values()]
    earlier = (a for i in ids for a in alerts.listing(tx, kind=MessageKind.ALERT, platform=platform, target_post_id=i))
    return any(alert.state in said for alert in earlier)


def _with_parents(tx: Tx, sighting: Sighting) -> bool:
    rows = [sighting] + ([sightings.get(tx, sighting.duplicate_of)] if sighting.duplicate_of is not None else [])
    return any(one.state is SightingState.WITH_PARENTS for one in rows)


# --- storing what was decided -----------------------------------------------------------------------------------


def _store(
    tx: Tx, bot: Bot, seat: PlatformSeat, stored: StoredPost, sighting: Sighting | None, situation: Situation, decision: Decision
) -> None:
    lead_ids = _open_leads(tx, stored, sighting, decision)
    ref = sighting.ref if sighting is not None else "N-" + "".join(secrets.choice(ALPHABET) for _ in range(5))
    if decision.answer is not None:
        turn = 1 + situation.answers_last_day
        _propose_answer(tx, bot, seat, stored, sighting, ref, decision.answer, turn)
    if decision.alert is not None and sighting is not None:
        _propose_alert(tx, bot, seat, stored, sighting, decision.alert, lead_ids, situation)


def _open_leads(tx: Tx, stored: StoredPost, sighting: Sighting | None, decision: Decision) -> list[int]:
    if sighting is None or not decision.leads:
        return []
    best = {c.case_id: c for c in reversed(matches.of_post(tx, stored.id))}
    opened = []
    for case_id in decision.leads:
        candidate = best[case_id]
        why = f"{candidate.band.value} band: {candidate.why}"
        opened.append(leads.open_lead(tx, sighting.id, case_id, candidate_id=candidate.id, who="bot", why=why).id)
    return opened


def _propose_answer(
    tx: Tx, bot: Bot, seat: PlatformSeat, stored: StoredPost, sighting: Sighting | None, ref: str, answer: Answer, turn: int
) -> None:
    post = stored.post
    assert post is not None  # alert() returned before for a malformed one
    rules = seat.platform.rules
    text = compose(
        bot.templates,
        answer.template,
        lang=asked.language(post),
        ref=ref,
        max_length=rules.max_length,
        length=rules.length,
        late=answer.late,
    )
    scope = "opt_out" if answer.template == "answer_opted_out" else ""
    alerts.propose(
        tx,
        NewAlert(
            platform=post.platform,
            target_post_id=post.id,
            kind=MessageKind.ANSWER,
            ref=ref,
            text=text,
            scope=scope,
            reply_to_id=post.id,
            thread_id=post.thread_id,
            sighting_id=None if sighting is None else sighting.id,
            turn=turn,
        ),
    )


def _propose_alert(
    tx: Tx,
    bot: Bot,
    seat: PlatformSeat,
    stored: StoredPost,
    sighting: Sighting,
    wanted: Alert,
    lead_ids: list[int],
    situation: Situation,
) -> None:
    post = stored.post
    assert post is not None  # alert() returned before for a malformed one
    number = alerts.propose(
        tx,
        NewAlert(
            platform=post.platform,
            target_post_id=post.id,
            kind=MessageKind.ALERT,
            ref=sighting.ref,
            text=alert_text(bot, seat, post, sighting, wanted.accounts, _never(tx, situation)),
            reply_to_id=post.id,
            thread_id=post.thread_id,
            mentions=tuple(Mention(account.handle, account.id) for account in wanted.accounts),
            lead_id=lead_ids[0] if lead_ids else None,
            sighting_id=sighting.id,
            state=AlertState.HELD if wanted.held else AlertState.READY,
            hold_reason=wanted.held or None,
        ),
    )
    if number is not None:
        audit.append(tx, who="bot", what="alert.proposed", object=sighting.ref, details={"alert": number, "held": wanted.held})
        log.info("alert", sighting=sighting.ref, alert=number, held=wanted.held, mentions=[a.handle for a in wanted.accounts])


def alert_text(
    bot: Bot, seat: PlatformSeat, post: Post, sighting: Sighting, accounts: tuple[OfficialAccount, ...], never: list[str]
) -> str:
    """The words that call officials; for an alert without accounts, the draft a person will address."""
    rules, base = seat.platform.rules, bot.settings.alerts.console_url.rstrip("/")
    return compose(
        bot.templates,
        "alert",
        lang=asked.language(post),
        ref=sighting.ref,
        max_length=rules.max_length,
        length=rules.length,
        mentions=[rules.mention(account.handle) for account in accounts],
        link=f"{base}/s/{sighting.ref}" if base else "",
        never=never,
    )


def _never(tx: Tx, situation: Situation) -> list[str]:
    """Words that must not appear: the names and references of the cases this sighting may concern."""
    concerned = [cases.get(tx, c.case_id) for c in situation.candidates if c.band is not Band.NONE]
    return [word for case in concerned for word in (case.fields.name, case.ref)]
