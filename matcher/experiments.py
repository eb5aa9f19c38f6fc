"""The experiments of an evaluation: 1:1 over pairs, open-set 1:N over random splits, and the product's own bands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matcher import as_norm, calibrate, compare, metrics, quality
from matcher.gallery import Gallery, Group, Vectors
from matcher.measured import BandWord, Sample, Search, Verification, kind_of
from store.model import Band

FMRS = (1e-2, 1e-3)
FPIRS = (0.1, 0.01, 0.001)
RANKS = (1, 5, 20)
SIZES = (10, 30, 60, 120, 250, 500, 1000, 2500)
_MAX_PAIRS = 300_000
_SPLITS = 5


@dataclass(frozen=True, slots=True)
class _Split:
    """Row numbers: the enrolled photos of each person, mated probes (row, person), and non-mated probes."""

    enrolled: dict[int, list[int]]
    mated: list[tuple[int, int]]
    nonmated: list[int]


class Bench:
    """The samples as arrays, and the experiments on them."""

    def __init__(
        self,
        samples: Sequence[Sample],
        pack_id: str,
        pack_sha256: str,
        targets: calibrate.BandTargets,
        seed: int,
        say: Callable[[str], None] = lambda words: None,
    ) -> None:
        self.samples = samples
        self.vectors: Vectors = np.stack([sample.face.vector for sample in samples])
        names = sorted({sample.person for sample in samples})
        number = {name: i for i, name in enumerate(names)}
        self.person = np.array([number[sample.person] for sample in samples], np.int64)
        self.kind = np.array([kind_of(sample) for sample in samples])
        self.pack_id, self.pack_sha256, self.targets, self.seed = pack_id, pack_sha256, targets, seed
        self.say = say
        self.strangers: dict[tuple[str, int], NDArray[np.float64]] = {}

    def verification(self) -> tuple[list[Verification], NDArray[np.float64], NDArray[np.float64]]:
        """1:1 over all pairs (a random part of the non-mated ones in large sets), and for each pair of groups."""
        self.say("1:1, all pairs")
        rng = np.random.default_rng(self.seed)
        first, second = np.triu_indices(len(self.samples), 1)
        same = self.person[first] == self.person[second]
        different = np.flatnonzero(~same)
        if len(different) > _MAX_PAIRS:
            different = np.sort(rng.choice(different, _MAX_PAIRS, replace=False))
        chosen = np.concatenate([np.flatnonzero(same), different])
        first, second, same = first[chosen], second[chosen], same[chosen]
        scores = np.einsum("ij,ij->i", self.vectors[first], self.vectors[second]).astype(np.float64)
        kinds, number = np.unique(self.kind, return_inverse=True)
        low, high = np.sort([number[first], number[second]], axis=0)
        there = [(a, b) for a in range(len(kinds)) for b in range(a, len(kinds)) if bool(((low == a) & (high == b)).any())]
        results = []
        for label, pair in [("all", None), *((f"{kinds[a]}/{kinds[b]}", (a, b)) for a, b in there if len(there) > 1)]:
            inside = np.full(len(first), True) if pair is None else (low == pair[0]) & (high == pair[1])
            mated, nonmated = inside & same, inside & ~same
            if mated.sum() < 10 or nonmated.sum() < 100:
                continue
            results.append(self._verified(label, scores, mated, nonmated, first, second))
        return results, scores[same], scores[~same]

    def _verified(
        self,
        label: str,
        scores: NDArray[np.float64],
        mated: NDArray[np.bool_],
        nonmated: NDArray[np.bool_],
        first: NDArray[np.int64],
        second: NDArray[np.int64],
    ) -> Verification:
        persons = np.stack([self.person[first[nonmated]], self.person[second[nonmated]]], axis=1)
        eer, _ = metrics.equal_error_rate(scores[mated], scores[nonmated])
        rates = [rate for rate in FMRS if nonmated.sum() * rate >= 1]
        fnmr = {
            rate: metrics.fnmr_with_interval(
                scores[mated], self.person[first[mated]], scores[nonmated], persons, rate, seed=self.seed
            )
            for rate in rates
        }
        thresholds = {rate: metrics.threshold_at(scores[nonmated], rate) for rate in rates}
        return Verification(label, int(mated.sum()), int(nonmated.sum()), eer, fnmr, thresholds)

    def searches(self) -> list[Search]:
        """1:N at growing gallery sizes with one photo a case, for each pair of groups, and with 2 and 3 photos a case."""
        results = []
        for label, enrol, probe in self._labels():
            largest = self._largest(enrol, 1)
            sizes = [size for size in SIZES if size < largest] + [largest]
            for size, photos in [*((size, 1) for size in sizes), *((self._largest(enrol, n), n) for n in (2, 3))]:
                self.say(f"1:N, {label}, {size} registered, photos a case: {photos}")
                found = self._search(label, enrol, probe, size, photos)
                if found is not None:
                    results.append(found)
        return results

    def bands(self) -> list[BandWord]:
        """What the product's own bands do at the largest gallery of each pair of groups, at one below 60 cases, and with three
        photos a case."""
        words = []
        for label, enrol, probe in self._labels():
            largest = self._largest(enrol, 1)
            for size, photos in [*((size, 1) for size in sorted({min(30, largest), largest})), (self._largest(enrol, 3), 3)]:
                self.say(f"the product's bands, {label}, {size} registered, photos a case: {photos}")
                splits = [split for split in self._splits(enrol, probe, size, photos) if split.nonmated and split.mated]
                if splits:
                    words.append(self._band_word(label, size, photos, splits))
        return words

    def _labels(self) -> list[tuple[str, str, str]]:
        """(label, group enrolled, group searched); the empty group means all."""
        kinds = sorted(set(self.kind.tolist()))
        pairs = [(f"{a}/{b}", a, b) for a in kinds for b in kinds] if len(kinds) > 1 else []
        return [("all", "", ""), *pairs]

    def _rows(self, kind: str) -> dict[int, list[int]]:
        rows: defaultdict[int, list[int]] = defaultdict(list)
        for row, person in enumerate(self.person.tolist()):
            if kind in ("", self.kind[row]):
                rows[person].append(row)
        return rows

    def _largest(self, enrol: str, photos: int) -> int:
        """Half of the persons who could be enrolled: the others are the strangers."""
        return max(1, sum(len(rows) >= photos for rows in self._rows(enrol).values()) // 2)

    def _splits(self, enrol: str, probe: str, size: int, photos: int) -> list[_Split]:
        candidates, probes = self._rows(enrol), self._rows(probe)
        eligible = [person for person, rows in candidates.items() if len(rows) >= photos]
        splits = []
        for repeat in range(_SPLITS):
            rng = np.random.default_rng((self.seed, repeat))
            # Persons who have a further photo to be searched with come first; without one they only fill the gallery.
            order = rng.permutation(eligible).tolist()
            order.sort(key=lambda person: len(set(candidates[person]) | set(probes.get(person, []))) <= photos)
            chosen = order[:size]
            enrolled = {person: rng.permutation(candidates[person])[:photos].tolist() for person in chosen}
            mated = [(row, person) for person in chosen for row in probes.get(person, []) if row not in enrolled[person]]
            nonmated = [row for person, rows in probes.items() if person not in enrolled for row in rows]
            splits.append(_Split(enrolled, mated, nonmated))
        return splits

    def _gallery(self, split: _Split) -> Gallery:
        """The cases as the product holds them: photos weighted by quality, the group by age."""
        gallery = Gallery(self.vectors.shape[1], self.pack_id, self.pack_sha256)
        for person, rows in split.enrolled.items():
            group = Group.of_age(self.samples[rows[0]].age)
            weights = [quality.template_weight(self.samples[row].face.norm) for row in rows]
            gallery.put(person, [self.vectors[row] for row in rows], self.pack_sha256, weights, group)
        return gallery

    def _search(self, label: str, enrol: str, probe: str, size: int, photos: int) -> Search | None:
        raw: list[tuple[NDArray[np.float64], ...]] = []
        normalised: list[tuple[NDArray[np.float64], ...]] = []
        for split in self._splits(enrol, probe, size, photos):
            if not split.mated or not split.nonmated:
                continue
            gallery = self._gallery(split)
            rows = [*split.nonmated, *(row for row, _ in split.mated)]
            case_ids = np.array(gallery.case_ids(), np.int64)
            templates = gallery.templates_of(case_ids.tolist())
            cosines = (self.vectors[rows].astype(np.float64) @ templates.T.astype(np.float64)).astype(np.float32)
            raw.append(_outcome(cosines, case_ids, split))
            if len(gallery) >= calibrate.AS_NORM_FROM:
                scores = as_norm.normalise(self.vectors[rows], case_ids, cosines, gallery)
                normalised.append(_outcome(scores, case_ids, split))
        if not raw:
            return None
        if label == "all" and photos == 1:
            for scale, outcomes in (("cosine", raw), ("AS-norm", normalised)):
                if outcomes:
                    self.strangers[scale, size] = np.concatenate([best for best, _, _ in outcomes])
        return Search(label, photos, _pooled(raw, size), _pooled(normalised, size) if normalised else None)

    def _band_word(self, label: str, size: int, photos: int, splits: Sequence[_Split]) -> BandWord:
        alarms = review = strangers = mated = high_found = review_found = 0
        made = None
        for split in splits:
            gallery = self._gallery(split)
            made = calibrate.for_gallery(gallery, self.targets)
            for found in compare.search_each([self._probe(row) for row in split.nonmated], gallery, made):
                strangers += 1
                alarms += any(match.band is Band.HIGH for match in found.matches)
                review += len(found.matches)
            probes = [self._probe(row) for row, _ in split.mated]
            for found, (_, person) in zip(compare.search_each(probes, gallery, made), split.mated, strict=True):
                bands = {match.band for match in found.matches if match.case_id == person}
                mated += 1
                high_found += Band.HIGH in bands
                review_found += bool(bands)
        assert made is not None  # there is at least one split
        return BandWord(
            label,
            size,
            photos,
            made.rule.value,
            made.high,
            self.targets.high_rate,
            alarms / strangers,
            self.targets.review_rate,
            review / strangers,
            strangers,
            high_found / mated,
            review_found / mated,
        )

    def _probe(self, row: int) -> compare.Probe:
        return compare.Probe(0, self.vectors[row], self.samples[row].face.quality)


def _outcome(scores: NDArray[np.float32], case_ids: NDArray[np.int64], split: _Split) -> tuple[NDArray[np.float64], ...]:
    """(best score of each non-mated search, mate's score and rank of each mated search).

    Args:
        scores: Of every non-mated search, then of every mated one, with every case, shape (searches, cases).
        case_ids: The cases, ascending.
        split: Who is who.
    """
    strangers = len(split.nonmated)
    mates = np.searchsorted(case_ids, [person for _, person in split.mated])
    mate = np.take_along_axis(scores[strangers:], mates[:, None], axis=1)
    rank = 1 + (scores[strangers:] > mate).sum(axis=1)
    return scores[:strangers].max(axis=1).astype(np.float64), mate[:, 0].astype(np.float64), rank.astype(np.float64)


def _pooled(outcomes: Sequence[tuple[NDArray[np.float64], ...]], enrolled: int) -> metrics.Identification:
    best, mate, rank = (np.concatenate(column) for column in zip(*outcomes, strict=True))
    return metrics.identification(best, mate, rank.astype(np.int64), enrolled, FPIRS, RANKS)
