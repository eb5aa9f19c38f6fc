"""Many registered cases at once, as sealed rows of the real tables, for measuring what a large gallery costs."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from store.session import Store
from store.tables import case_faces, case_photos, cases, counters, photos
from store.vault import seal_vector

PACK = "b" * 64
_BATCH = 5_000
_BOX = {"box_left": 10.0, "box_top": 10.0, "box_right": 60.0, "box_bottom": 70.0}


def fill(store: Store, vectors: NDArray[np.float32], pack_sha256: str = PACK) -> None:
    """Register one verified case a row of ``vectors`` (unit length) in an empty store, each with one photo and its face."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for start in range(0, len(vectors), _BATCH):
        numbers = range(start + 1, min(start + _BATCH, len(vectors)) + 1)
        with store.write("bench.filled") as tx:
            tx.execute(cases.insert(), [_case(number, at) for number in numbers])
            tx.execute(photos.insert(), [_photo(number, at) for number in numbers])
            tx.execute(case_photos.insert(), [{"id": n, "case_id": n, "photo_id": n, "added_at": at} for n in numbers])
            rows = []
            for number in numbers:
                context = f"case_face:{number}:{pack_sha256}"
                sealed = seal_vector(store.vault, vectors[number - 1], context)
                rows.append(
                    {"id": number, "case_photo_id": number, "det_score": 0.9, "quality": "good", "quality_why": "", **_BOX}
                    | {"norm": 11.0, "pack_id": "bench", "pack_sha256": pack_sha256, "vector": sealed}
                )
            tx.execute(case_faces.insert(), rows)
    with store.write("bench.filled") as tx:
        tx.execute(counters.insert().values(name="cases", value=len(vectors)))


def _case(number: int, at: datetime) -> dict[str, object]:
    return {
        "id": number,
        "ref": f"C{number}",
        "name": "示例",
        "contacts": [],
        "registered_by": "bench",
        "registered_at": at,
        "state": "verified",
        "seq": number,
    }


def _photo(number: int, at: datetime) -> dict[str, object]:
    bands = {f"band{i}": (number * 2654435761 >> 4 * i) & 0xFFFF for i in range(4)}
    size = {"width_px": 99, "height_px": 99, "format": "JPEG", "size_bytes": 9}
    return {"id": number, "sha256": f"{number:064x}", "phash": f"{number:016x}", "first_seen_at": at, **bands, **size}
