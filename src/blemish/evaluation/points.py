"""What other operating points of a detector would do: promises on good parts, misses where defective ones are given."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from blemish.calibration.cross_fit import thresholds_of
from blemish.calibration.held_out import group_scores
from blemish.calibration.promise import Share, parts_needed
from blemish.calibration.thresholds import Calibration, Wanted
from blemish.detector import Detector
from blemish.evaluation.operating import OperatingPoint, PartScores, least_cost, zero_miss
from blemish.images.parts import named_parts
from blemish.images.read import Source
from blemish.language.numbers import at_most, counted, percent
from blemish.system.progress import Progress, silent

__all__ = ["Point", "operating_points", "part_scores", "tabulate"]

RATES = (0.005, 0.01, 0.02, 0.05, 0.1)
"""Shares of false rejects that a table of operating points shows beside the point in use."""
BAND = 0.05
"""The REVIEW band that it shows beside it, where none is in use."""


@dataclass(frozen=True)
class Point:
    """One line of the table: a threshold, and what it does to good and to defective parts."""

    name: str
    threshold: float
    promise: float | None
    """The share of good parts that is NG at most, with the confidence wanted; None where nothing is promised."""
    estimate: float
    """The share of good parts that is NG on average, or of those at hand where defects chose the threshold."""
    needs: int | None
    """The good parts a promise of what was asked would take; None where it is kept, or nothing was asked."""
    misses: Share | None
    """Defective parts that are OK; None without defective images."""
    review: float = 0.0
    """The share of good parts that is REVIEW, as it was asked for."""
    reviewed: Share | None = None
    """Defective parts that are REVIEW; None without defective images or without such a band."""

    def cells(self) -> tuple[str, ...]:
        """The line for people."""
        good = f"about {percent(self.estimate)}" if self.promise is None else f"at most {at_most(self.promise)}"
        needs = "" if self.needs is None else f"{self.needs} parts"
        missed = ("", "") if self.misses is None else (counted(self.misses.count, self.misses.of), self.misses.range)
        looked_at = "" if self.reviewed is None else counted(self.reviewed.count, self.reviewed.of)
        return self.name, f"{self.threshold:.4g}", good, needs, *missed, looked_at

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def part_scores(
    detector: Detector, defective: Sequence[Source], groups: Sequence[str] | None = None, *, progress: Progress = silent
) -> PartScores:
    """The scores of the good parts that the thresholds rest on, and of the defective parts given."""
    scores = detector.score_all(defective, lambda scores: scores.image, "defects", progress)
    good = group_scores(detector.model.held_out.scores_M, detector.model.held_out_groups)
    return PartScores(good, group_scores(np.array(scores), named_parts(defective, groups)))


def operating_points(detector: Detector) -> list[tuple[str, Calibration]]:
    """The operating point in use, the same with a REVIEW band where it has none, and others that scores would give."""
    now = detector.manifest.calibration
    held_out, images = detector.model.held_out, [image.group for image in detector.manifest.images]

    def at(wanted: Wanted) -> Calibration:
        return thresholds_of(held_out, images, wanted, now.mode, was=now)

    points = [("in use", now)]
    if now.wanted.review == 0:
        banded = at(now.wanted.changed(review=min(BAND, (1 - now.wanted.false_rejects) / 2)))
        points.append((f"in use, {percent(banded.wanted.review)} REVIEW", banded))
    others = [at(now.wanted.changed(false_rejects=rate, review=0.0)) for rate in RATES]
    return [*points, *((f"asked for {percent(each.wanted.false_rejects)} NG", each) for each in others)]


def tabulate(detector: Detector, parts: PartScores | None, *, miss_cost: float) -> list[Point]:
    """The operating point in use, and others that the same scores would give; the last two chosen by the defects."""
    rows = [_point(name, calibration, parts) for name, calibration in operating_points(detector)]
    if parts:
        rows.append(_oracle("zero miss (oracle)", zero_miss(parts)))
        rows.append(_oracle("least cost (oracle)", least_cost(parts, miss_cost)))
    return rows


def _point(name: str, calibration: Calibration, parts: PartScores | None) -> Point:
    wanted, promise = calibration.wanted, calibration.promise
    kept = wanted.threshold is not None or (promise is not None and promise <= wanted.false_rejects)
    needs = None if kept else parts_needed(wanted.false_rejects, wanted.confidence)
    misses = reviewed = None
    if parts:
        misses, not_ng = (parts.at(level).misses for level in (calibration.review_threshold, calibration.threshold))
        reviewed = Share.observed(not_ng.count - misses.count, misses.of) if wanted.review else None
    return Point(name, calibration.threshold, promise, calibration.estimate, needs, misses, wanted.review, reviewed)


def _oracle(name: str, point: OperatingPoint) -> Point:
    return Point(name, point.threshold, None, point.false_rejects.rate, None, point.misses)
