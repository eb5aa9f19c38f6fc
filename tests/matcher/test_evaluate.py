from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from matcher import report as reports
from matcher.calibrate import BandTargets
from matcher.engines.base import DetectedFace
from matcher.evaluate import evaluate, main_face
from matcher.measured import Sample, kind_of
from store.errors import BadInput
from store.model import Box, FaceQuality

PACK = "a" * 64


def face(vector: np.ndarray, quality: FaceQuality = FaceQuality.GOOD, box: Box | None = None) -> DetectedFace:
    """A face with a ready vector."""
    unit = (vector / np.linalg.norm(vector)).astype(np.float32)
    return DetectedFace(box or Box(0, 0, 80, 100), 0.9, ((0.0, 0.0),) * 5, quality, "", 12.0, unit)


def people(persons: int, photos: int, spread: float, seed: int = 0, age: float | None = None) -> list[Sample]:
    """``photos`` samples each of ``persons`` persons; ``spread`` is how far photos of one person lie apart."""
    rng = np.random.default_rng(seed)
    return [
        Sample(f"p{person}", "", age, face(base + spread * rng.normal(size=64)))
        for person, base in enumerate(rng.normal(size=(persons, 64)))
        for _ in range(photos)
    ]


def test_an_easy_set_has_no_errors_and_a_hopeless_one_has() -> None:
    """Photos of one person that are nearly equal give no error; unrelated ones give an EER near one half."""
    easy, _ = evaluate(people(30, 3, 0.1), [], "yunet_sface", PACK, BandTargets())
    assert easy.verification[0].eer == 0
    assert all(search.raw.rank[1] == 1 for search in easy.searches)
    hopeless, _ = evaluate(people(30, 3, 100.0), [], "yunet_sface", PACK, BandTargets())
    assert hopeless.verification[0].eer == pytest.approx(0.5, abs=0.15)


def test_normalised_rates_appear_from_sixty_cases_on() -> None:
    """The 1:N table holds AS-norm figures exactly where the product would normalise."""
    report, _ = evaluate(people(140, 2, 0.8), [], "yunet_sface", PACK, BandTargets(high_one_in_photos=20))
    sizes = {search.raw.enrolled: search.normalised is not None for search in report.searches if search.photos_per_case == 1}
    assert sizes == {10: False, 30: False, 60: True, 70: True}
    assert {band.rule for band in report.bands} == {"raw", "as_norm"}


def test_groups_are_measured_apart() -> None:
    """With children and adults, every table has the pairs of groups beside the whole."""
    samples = people(24, 3, 0.5, seed=1, age=5) + [
        Sample(f"a{s.person}", s.group, 40, s.face) for s in people(24, 3, 0.5, seed=2)
    ]
    report, _ = evaluate(samples, [], "yunet_sface", PACK, BandTargets())
    assert {v.label for v in report.verification} >= {"all", "child/child", "adult/adult"}
    assert {s.label for s in report.searches} >= {"all", "child/child", "adult/adult"}


def test_failures_are_counted_not_dropped() -> None:
    """Photos without a face and unusable faces are the failure to enrol; low quality is counted apart."""
    samples = people(4, 3, 0.3)
    samples[0] = Sample("p0", "", None, face(np.ones(64), FaceQuality.UNUSABLE))
    samples[1] = Sample("p0", "", None, face(np.ones(64), FaceQuality.LOW))
    report, _ = evaluate(samples, ["x.jpg", "y.jpg"], "yunet_sface", PACK, BandTargets())
    assert (report.photos, report.unusable, report.low_quality) == (14, 1, 1)
    assert report.failure_to_enrol == pytest.approx(3 / 14)


@pytest.mark.parametrize("samples", [[], people(1, 5, 0.1), people(6, 1, 0.1)])
def test_a_set_that_compares_nothing_is_refused(samples: list[Sample]) -> None:
    """No photo, one person only, or nobody with two photos: an error that says what is needed."""
    with pytest.raises(BadInput, match="nothing to compare") as caught:
        evaluate(samples, [], "yunet_sface", PACK, BandTargets())
    assert "two" in caught.value.mend


def test_the_same_seed_gives_the_same_report() -> None:
    """Splits and intervals are reproducible."""
    samples = people(20, 3, 1.0)
    first, _ = evaluate(samples, [], "yunet_sface", PACK, BandTargets(), seed=3)
    again, _ = evaluate(samples, [], "yunet_sface", PACK, BandTargets(), seed=3)
    assert first == again


def test_the_report_is_a_page_with_plots_and_json_and_holds_no_vector(tmp_path: Path) -> None:
    """index.html, four PNGs and report.json are written; tables are on the page; no list of 64 numbers anywhere."""
    report, plotted = evaluate(people(70, 2, 0.8), ["bad <photo>.jpg"], "yunet_sface", PACK, BandTargets())
    page = reports.write(report, plotted, tmp_path / "out")
    html = page.read_text()
    for name in ("det.png", "scores.png", "fpir.png", "fnir.png"):
        assert name in html
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")
    assert "FNIR at FPIR 10%" in html
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    assert content["photos"] == 141

    def longest(value: object) -> int:
        if isinstance(value, dict):
            return max(map(longest, value.values()), default=0)
        return max([len(value), *map(longest, value)]) if isinstance(value, list) else 0

    assert longest(content) < 64


def test_the_main_face_is_large_and_central() -> None:
    """A labelled photo is about the large face in the middle, not about a passer-by at the border."""
    middle = face(np.ones(64), box=Box(400, 300, 500, 420))
    border = face(np.ones(64), box=Box(0, 0, 120, 140))
    small = face(np.ones(64), box=Box(445, 355, 455, 365))
    assert main_face([border, small, middle], 900, 720) is middle
    assert main_face([], 900, 720) is None


@pytest.mark.parametrize(
    ("group", "age", "kind"), [("", None, ""), ("", 5, "child"), ("", 18, "adult"), ("asian_child", 30, "asian_child")]
)
def test_kinds(group: str, age: float | None, kind: str) -> None:
    """A label of the set's own wins; otherwise age decides; otherwise there is no group."""
    assert kind_of(Sample("p", group, age, face(np.ones(64)))) == kind
