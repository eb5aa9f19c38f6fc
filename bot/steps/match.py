"""Match: the faces of a sighting's photos against the verified cases, and a new case against all past sightings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from bot import priors
from bot.bot import Bot
from bot.steps import tracks
from bot.steps.alike import same_photos
from bot.steps.each import StepReport, each_post
from bot.steps.posters import pictured
from bot.steps.scan import Look, scan, seen_ahead
from matcher.compare import Match, Probe, against_cases
from matcher.priors import turn
from store import cases, faces, matches, photos, posts, recognition
from store.errors import Moved
from store.faces import FaceVector
from store.matches import NewCandidate
from store.model import Band, Box, Capability, FaceQuality
from store.posts import Step, StoredPost
from store.session import Tx

PAST_AT_ONCE = 20_000
"""Past faces held in memory while new cases are searched among them: 10 MB of 128-d vectors, 40 MB of 512-d ones."""
SAME_FACE_OVERLAP = 0.3
"""Two detectors' boxes of one face overlap far more; it only tells the faces of one photo apart."""


def match(bot: Bot, row: int, look: Look | None = None) -> None:
    """Take one extracted post to MATCHED: its photos scanned for faces, its faces searched among the cases.

    A platform whose terms do not allow it is never scanned. Candidates and mark are one transaction; a scan is kept on its
    own, so that a crash in between does not cost it again.
    """
    shown = shown_for_matching(bot, row)
    for photo_id in shown:
        scan(bot, photo_id, look=look)
    found = [(photo_id, search_photo(bot, photo_id)) for photo_id in shown]
    linked = [bot.tracks.find(bot.store, bot.faces, face) for face in _linkable(bot, shown)]
    with bot.store.write("match.done") as tx:
        posts.hold(tx, row, Step.EXTRACTED)
        for photo_id, result in found:
            _save(tx, bot, photo_id, result)
        settled = [(one.face, bot.tracks.settle(tx, bot.faces, one)) for one in linked]
        for face, link in settled:
            tracks.put(tx, face, link)
        posts.mark(tx, row, Step.MATCHED)
    for _, result in found:
        bot.drift.observe(result.observed)


def match_each(bot: Bot) -> StepReport:
    """Match every post that waits for it (:func:`bot.steps.each.each_post`), the next posts' photos in the engine meanwhile."""
    with bot.store.read() as tx:
        rows = posts.pending(tx, Step.EXTRACTED, tx.now, bot.settings.schedule.batch)
        waiting = [posts.get(tx, row) for row in rows]
        shown = [photo_id for stored in waiting if allowed(bot, stored) for photo_id in _photos(stored)]
        coming = [photos.get(tx, i).sha256 for i in shown if not faces.scanned(tx, i, bot.faces.pack.sha256)]
    with seen_ahead(bot, bot.faces, coming) as look:
        return each_post(bot, Step.EXTRACTED, partial(match, look=look))


def shown_for_matching(bot: Bot, row: int) -> list[int]:
    """The photos of a post that waits to be matched, as far as its platform allows matching.

    Raises:
        Moved: it does not wait for that any more.
    """
    with bot.store.read() as tx:
        stored = posts.get(tx, row)
    if stored.step is not Step.EXTRACTED:
        raise Moved(f"post {row} is {stored.step.value} by now")
    return _photos(stored) if allowed(bot, stored) else []


def allowed(bot: Bot, stored: StoredPost) -> bool:
    """Whether the post's platform allows matching faces."""
    seat = bot.seats.get(stored.platform)
    return seat is not None and seat.platform.rules.capabilities[Capability.MATCH_FACES].on


def _photos(stored: StoredPost) -> list[int]:
    return [picture.photo_id for picture in stored.media if picture.photo_id is not None]


def search_again(bot: Bot, photo_id: int) -> None:
    """Search a past photo once more (a new pack has just seen it); posts that gain a candidate are decided anew."""
    found = search_photo(bot, photo_id)
    with bot.store.write("match.again") as tx:
        for candidate in _save(tx, bot, photo_id, found):
            for row in matches.posts_of(tx, candidate):
                if posts.get(tx, row).step is Step.DECIDED:
                    posts.mark(tx, row, Step.MATCHED, "searched again with another model pack")


def _linkable(bot: Bot, photo_ids: Sequence[int]) -> list[FaceVector]:
    """The faces of these photos that are on no track yet and good enough to be linked."""
    with bot.store.read() as tx:
        found = [face for i in photo_ids for face in faces.of_photo_with_vectors(tx, i, bot.faces.pack.sha256)]
        return [face for face in found if tracks.linkable(face) and recognition.track_of(tx, face.face_id) is None]


@dataclass(frozen=True, slots=True)
class Found:
    """The candidates of one photo by face id, and (share of strangers, quality, width in px) of every searched face."""

    by_face: dict[int, list[Match]]
    observed: tuple[tuple[float, FaceQuality, float], ...] = ()


def search_photo(bot: Bot, photo_id: int) -> Found:
    """Search the faces of one scanned photo among the verified cases, without the pairs that people rejected.

    The gallery is brought up to date *after* the scan was committed: a case that is verified later than that finds these faces
    by its reverse search, so that between two workers no pair is missed.
    """
    with bot.store.read() as tx:
        bot.faces.sync(tx)
        vectors = faces.of_photo_with_vectors(tx, photo_id, bot.faces.pack.sha256)
        stored = faces.faces_of_photo(tx, photo_id, bot.faces.pack.sha256)
        widths, boxes = {f.id: f.box.width_px for f in stored}, [f.box for f in stored]
        excluded = {(i, case) for i, face in enumerate(vectors) for case in matches.rejected_cases(tx, face.face_id)}
    if not vectors:
        return Found({})
    outcome = bot.faces.search(_probes(vectors), excluded)
    copies = _copied_cases(bot, photo_id) if outcome.matches else frozenset()
    pictures = pictured(bot, photo_id, [hit for hit in outcome.matches if hit.case_id not in copies], stored)
    by_face: dict[int, list[Match]] = defaultdict(list)
    for hit in outcome.matches:
        agreed = second_opinion(bot, photo_id, hit, boxes[hit.face_index])
        copied = hit.case_id in copies or (hit.face_index, hit.case_id) in pictures
        by_face[vectors[hit.face_index].face_id].append(_marked_copy(agreed) if copied else agreed)
    # The everyday tail is that of strangers: a copy of a case photo is none.
    seen = () if copies or pictures else outcome.observed
    observed = tuple((o.share, o.quality, widths[vectors[o.face_index].face_id]) for o in seen)
    return Found(dict(by_face), observed)


def second_opinion(bot: Bot, photo_id: int, hit: Match, box: Box) -> Match:
    """With a second engine that must agree, a hit stays in the high band only where that one puts it there too."""
    book = bot.second
    if book is None or hit.band is not Band.HIGH:
        return hit
    scan(bot, photo_id, book)
    with bot.store.read() as tx:
        book.sync(tx)
        stored = faces.faces_of_photo(tx, photo_id, book.pack.sha256)
        vectors = faces.of_photo_with_vectors(tx, photo_id, book.pack.sha256)
    same = {i for i, face in enumerate(stored) if overlap(face.box, box) >= SAME_FACE_OVERLAP}
    theirs = book.search(_probes(vectors), ()).matches if vectors else ()
    if any(m.face_index in same and m.case_id == hit.case_id and m.band is Band.HIGH for m in theirs):
        return replace(hit, why=f"{hit.why}; {book.pack.id} agrees")
    return replace(hit, band=Band.REVIEW, why=f"{hit.why}; {book.pack.id} does not agree: for people only")


def reverse(bot: Bot) -> int:
    """Search every new or changed case among the faces of all past sightings. Returns how many posts gained a candidate.

    Those posts go back to MATCHED, so that deciding looks at them once more; what was said before is not said again.
    """
    with bot.store.read() as tx:
        bot.faces.sync(tx)
        due = cases.pending_reverse(tx)
    touched = 0
    photos_near = _past_photos_near(bot, [case_id for case_id, _ in due if case_id in bot.faces.gallery])
    for case_id, seq in due:
        if bot.stopping.is_set():
            break
        touched += _reverse_one(bot, case_id, seq, photos_near[case_id])
    return touched


def _past_photos_near(bot: Bot, case_ids: Sequence[int]) -> defaultdict[int, set[int]]:
    """The past photos that may show each of these cases. All past faces are read once, however many cases wait: reading them is
    what costs (a registry of thousands of cases may come in one evening)."""
    near: defaultdict[int, set[int]] = defaultdict(set)
    if not case_ids:
        return near
    with bot.store.read() as tx:
        for past in _in_parts(faces.vectors(tx, bot.faces.pack.sha256)):
            if bot.stopping.is_set():
                break
            photo_of = {face.face_id: face.photo_id for face in past}
            probes = [Probe(face.face_id, face.vector, face.quality) for face in past]
            for hit in against_cases(case_ids, probes, bot.faces.gallery, bot.faces.calibration):
                near[hit.case_id].add(photo_of[hit.face_index])
    return near


def _reverse_one(bot: Bot, case_id: int, seq: int, hits: set[int]) -> int:
    found = [(photo_id, search_photo(bot, photo_id)) for photo_id in sorted(hits)]
    rows: set[int] = set()
    with bot.store.write("match.reverse") as tx:
        if not cases.awaits_reverse(tx, case_id, seq):
            return 0
        for photo_id, result in found:
            for candidate in _save(tx, bot, photo_id, result):
                rows |= set(matches.posts_of(tx, candidate))
        for row in rows:
            if posts.get(tx, row).step is Step.DECIDED:
                posts.mark(tx, row, Step.MATCHED, "a new or changed case may be the child in this photo")
        cases.reverse_done(tx, case_id, seq)
    return len(rows)


def _in_parts(past: Iterator[FaceVector]) -> Iterator[list[FaceVector]]:
    while part := list(islice(past, PAST_AT_ONCE)):
        yield part


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (a.width_px * a.height_px + b.width_px * b.height_px - shared)


def _save(tx: Tx, bot: Bot, photo_id: int, found: Found) -> list[int]:
    kept: list[int] = []
    for face_id, hits in found.by_face.items():
        alike = {hit.case_id for hit in hits}
        new = [
            NewCandidate(
                case_id=hit.case_id,
                raw=hit.raw,
                normalised=hit.normalised,
                one_in=hit.one_in,
                rank=hit.rank,
                band=hit.band,
                why=hit.why,
                calibration=hit.calibration,
                turn=turn(hit.one_in, priors.of_pair(tx, cases.get(tx, hit.case_id), photo_id, alike)),
            )
            for hit in hits
        ]
        kept += matches.save_candidates(tx, face_id, bot.faces.pack.id, new)
    return kept


def _probes(vectors: tuple[FaceVector, ...]) -> list[Probe]:
    return [Probe(index, face.vector, face.quality) for index, face in enumerate(vectors)]


def _copied_cases(bot: Bot, photo_id: int) -> frozenset[int]:
    """Cases that hold this very picture: then it is a copy of the notice, not a child who was seen."""
    alike = same_photos(bot, photo_id)
    with bot.store.read() as tx:
        return frozenset(case_id for like in alike for case_id in faces.shown_by_case(tx, like))


def _marked_copy(hit: Match) -> Match:
    why = f"the case photo itself, or a copy of it: for people only; {hit.why}".rstrip("; ")
    return replace(hit, band=Band.REVIEW if hit.band is Band.HIGH else hit.band, why=why)
