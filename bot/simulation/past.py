"""What an installation holds after a while: posts that were worked through, with photos, faces and answers; cases; officials.

Rows are written in bulk (:mod:`store.bulk`), so that an installation of a million posts stands within minutes.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.simulation.campaign import PLATFORM, Campaign, officials
from bot.simulation.engine import VectorEngine, strangers, vector_of
from store import bulk, codec
from store import officials as directory
from store.model import AgencyType
from store.session import Store
from store.vault import Vault, seal_vector

_BLOCK = 5000
_BOX = {"box_left": 20.0, "box_top": 20.0, "box_right": 100.0, "box_bottom": 100.0}


def add_posts(store: Store, campaign: Campaign, first: int, last: int) -> None:
    """Posts ``first`` to ``last`` as they stand once they are decided: one photo with one stranger's face on a track of its own,
    one answer sent. Rows get the numbers of their posts."""
    for start in range(first, last + 1, _BLOCK):
        numbers = range(start, min(start + _BLOCK, last + 1))
        vectors = strangers(len(numbers), start)
        with store.write("simulation.past") as tx:
            for table, rows in _past(campaign, numbers, vectors, tx.vault).items():
                bulk.add(tx, table, rows)
            bulk.settle(tx)


def _past(
    campaign: Campaign, numbers: Sequence[int], vectors: NDArray[np.float32], vault: Vault
) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("posts", "photos", "media", "face_scans", "faces", "tracks", "track_faces", "sightings", "alerts")
    }
    for number, vector in zip(numbers, vectors, strict=True):
        for table, row in _one(campaign, number, vector, vault):
            rows[table].append(row)
    return rows


def _one(campaign: Campaign, n: int, vector: NDArray[np.float32], vault: Vault) -> Iterator[tuple[str, dict[str, Any]]]:
    post = campaign.post(n)
    at, pack = post.posted_at, VectorEngine.pack_sha256
    yield "posts", {
        "id": n, "platform": PLATFORM, "post_id": post.id, "stream": f"{PLATFORM}:hashtag", "direct": True,
        "author_id": post.author.id, "author_handle": post.author.handle, "text": post.text, "lang": post.lang, "posted_at": at,
        "url": post.url, "summons": post.summons, "silent": False, "details": codec.post_out(post), "raw": codec.squeeze({}),
        "step": "decided", "first_read_at": at, "checked_at": at,
    }  # fmt: skip
    phash = random.Random(n).getrandbits(64)
    yield "photos", {
        "id": n, "sha256": hashlib.sha256(b"past %d" % n).hexdigest(), "phash": f"{phash:016x}",
        **{f"band{i}": phash >> (16 * i) & 0xFFFF for i in range(4)},
        "width_px": 128, "height_px": 128, "format": "PNG", "size_bytes": 900, "first_seen_at": at,
    }  # fmt: skip
    media = {"id": n, "post_id": n, "position": 0, "key": f"p{n}", "urls": [f"photo:0/{n}"], "kind": "photo"}
    yield "media", {**media, "state": "stored", "photo_id": n}
    yield "face_scans", {"photo_id": n, "pack_sha256": pack, "pack_id": VectorEngine.pack_id, "faces": 1, "at": at}
    yield "faces", {
        "id": n, "photo_id": n, "position": 0, **_BOX, "det_score": 0.99, "landmarks": [], "quality": "good", "quality_why": "",
        "norm": 14.0, "pack_id": VectorEngine.pack_id, "pack_sha256": pack,
        "vector": seal_vector(vault, vector, f"face:{n}:{pack}:0"),
    }  # fmt: skip
    yield "tracks", {"id": n, "ref": f"T-P{n:07d}", "created_at": at}
    yield "track_faces", {"face_id": n, "track_id": n, "why": "", "by": "bot", "at": at, "seq": n}
    yield "sightings", {
        "id": n, "ref": f"S-P{n:07d}", "post_id": n, "adcode": "440303", "place": "深圳市罗湖区", "alternatives": [],
        "where_certainty": "high", "where_evidence": [], "seen_from": at, "seen_to": at + timedelta(hours=1), "grain": "hour",
        "when_certainty": "medium", "when_evidence": [], "state": "open", "created_at": at, "updated_at": at,
    }  # fmt: skip
    yield "alerts", {
        "id": n, "platform": PLATFORM, "target_post_id": post.id, "kind": "answer", "scope": "", "ref": f"S-P{n:07d}",
        "text": "…", "reply_to_id": post.id, "sighting_id": n, "state": "sent",
        "attempt": 1, "sending_at": at, "sent_id": f"own-past-{n}",
        "created_at": at, "sent_at": at,
    }  # fmt: skip


def add_cases(store: Store, first: int, last: int, at: datetime) -> None:
    """Verified cases ``first`` to ``last``, each with the face of one photo of the person of the same number, already searched
    over the past. Their photo rows lie above every post's."""
    for start in range(first, last + 1, _BLOCK):
        numbers = range(start, min(start + _BLOCK, last + 1))
        with store.write("simulation.cases") as tx:
            rows = [dict(_case(n, at, tx.vault)) for n in numbers]
            for table in ("cases", "photos", "case_photos", "case_faces"):
                bulk.add(tx, table, [row[table] for row in rows])
            bulk.settle(tx)


_CASE_PHOTOS_APART = 1 << 32
"""So far apart lie the photo rows of two cases: what the bot stores in between gets numbers of its own."""


def _case(n: int, at: datetime, vault: Vault) -> Iterator[tuple[str, dict[str, Any]]]:
    pack, photo = VectorEngine.pack_sha256, _CASE_PHOTOS_APART * n
    yield "cases", {
        "id": n, "ref": f"C-P{n:06d}", "name": f"示例{n}", "contacts": [], "police_report_number": f"SIM-{n}",
        "registered_by": "simulation", "registered_at": at, "verified_by": "second person", "verified_at": at,
        "state": "verified", "seq": n, "searched_seq": n,
    }  # fmt: skip
    phash = random.Random(-n).getrandbits(64)
    yield "photos", {
        "id": photo, "sha256": hashlib.sha256(b"case %d" % n).hexdigest(), "phash": f"{phash:016x}",
        **{f"band{i}": phash >> (16 * i) & 0xFFFF for i in range(4)},
        "width_px": 128, "height_px": 128, "format": "PNG", "size_bytes": 900, "first_seen_at": at,
    }  # fmt: skip
    yield "case_photos", {"id": n, "case_id": n, "photo_id": photo, "face_position": 0, "added_at": at}
    yield "case_faces", {
        "id": n, "case_photo_id": n, **_BOX, "det_score": 0.99, "quality": "good", "quality_why": "", "norm": 14.0,
        "pack_id": VectorEngine.pack_id, "pack_sha256": pack,
        "vector": seal_vector(vault, vector_of(n, 0), f"case_face:{n}:{pack}"),
    }  # fmt: skip


def add_officials(store: Store, count: int) -> None:
    """``count`` agencies with a verified account each, those of the campaign's own places first."""
    with store.write("simulation.officials") as tx:
        for adcode, handle in officials(count):
            agency = directory.upsert_agency(tx, name=handle, adcode=adcode, level="county", type=AgencyType.POLICE)
            new = directory.NewAccount(PLATFORM, handle, handle, verified=True, checked_on=tx.now.date())
            directory.upsert_account(tx, agency, new)
