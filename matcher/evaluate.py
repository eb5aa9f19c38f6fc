"""Measures an engine pack, and the product's own bands, on labelled photos. Terms of ISO/IEC 19795-1 and NIST FRTE.

The photos are embedded once; everything after that works on vectors in memory, and nothing that leaves this module holds one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from matcher.calibrate import BandTargets
from matcher.engines.base import DetectedFace
from matcher.experiments import Bench
from matcher.measured import Plotted, Report, Sample
from store.errors import BadInput
from store.model import FaceQuality


def main_face(faces: Sequence[DetectedFace], width: int, height: int) -> DetectedFace | None:
    """The face a labelled photo is about: large and near the middle."""

    def worth(face: DetectedFace) -> float:
        x, y = (face.box.left + face.box.right) / 2 - width / 2, (face.box.top + face.box.bottom) / 2 - height / 2
        return face.box.width_px * face.box.height_px - 2 * (x * x + y * y)

    return max(faces, key=worth, default=None)


def evaluate(
    samples: Sequence[Sample],
    failed: Sequence[str],
    pack_id: str,
    pack_sha256: str,
    targets: BandTargets,
    *,
    seed: int = 0,
    say: Callable[[str], None] = lambda words: None,
) -> tuple[Report, Plotted]:
    """Measure everything on the embedded photos.

    Args:
        samples: One for each photo in which a face was found.
        failed: The paths of the photos in which none was.
        pack_id: The pack that made the vectors.
        pack_sha256: Its hash.
        targets: The bands' targets to check.
        seed: Makes splits and intervals reproducible.
        say: Told what is being measured.

    Raises:
        BadInput: fewer than two persons, or nobody with two photos: nothing can be compared.
    """
    usable = [sample for sample in samples if sample.face.quality is not FaceQuality.UNUSABLE]
    counts = Counter(sample.person for sample in usable)
    if len(counts) < 2 or max(counts.values(), default=0) < 2:
        raise BadInput(
            f"{len(usable)} usable photos of {len(counts)} persons: nothing to compare",
            mend="give at least two persons, and at least one of them with two photos",
        )
    bench = Bench(usable, pack_id, pack_sha256, targets, seed, say)
    verification, mated, nonmated = bench.verification()
    report = Report(
        pack_id,
        pack_sha256,
        len(samples) + len(failed),
        len({sample.person for sample in samples}),
        tuple(failed),
        len(samples) - len(usable),
        sum(sample.face.quality is FaceQuality.LOW for sample in usable),
        tuple(verification),
        tuple(bench.searches()),
        tuple(bench.bands()),
    )
    return report, Plotted(mated, nonmated, bench.strangers)
