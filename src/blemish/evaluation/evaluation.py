"""What an evaluation answers."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from blemish.calibration.promise import Share
from blemish.evaluation.operating import OperatingPoint
from blemish.evaluation.pixels import PixelScores
from blemish.language.numbers import counted, percent
from blemish.result import Verdict

__all__ = ["Confusion", "DefectScore", "Estimate", "Evaluation", "Prediction"]


@dataclass(frozen=True)
class Estimate:
    """A metric and its 95 % bootstrap interval, which is None where there are too few groups to draw from."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Prediction:
    """What the detector said of one test image; with verdict ERROR the score is NaN and `error` says why."""

    path: str
    label: int
    defect: str
    group: str
    score: float
    verdict: Verdict
    error: str | None


@dataclass(frozen=True)
class Confusion:
    """Test images by label and verdict, at the detector's own threshold."""

    good_ok: int
    good_review: int
    good_ng: int
    defective_ok: int
    defective_review: int
    defective_ng: int

    @property
    def good(self) -> int:
        return self.good_ok + self.good_review + self.good_ng

    @property
    def defective(self) -> int:
        return self.defective_ok + self.defective_review + self.defective_ng

    @property
    def false_reject_rate(self) -> float | None:
        """The share of good images called NG; None without good images."""
        return _share(self.good_ng, self.good)

    @property
    def miss_rate(self) -> float | None:
        """The share of defective images called OK; None without defective images."""
        return _share(self.defective_ok, self.defective)


@dataclass(frozen=True)
class DefectScore:
    """One type of defect against all good test images."""

    defect: str
    images: int
    missed: int
    """Those called OK at the detector's own threshold."""
    auroc: float | None


@dataclass(frozen=True, repr=False)
class Evaluation:
    """What a detector does on test images; what cannot be measured is None, and `notes` says why."""

    good: int
    defective: int
    groups: int
    auroc: Estimate | None
    average_precision: Estimate | None
    f1_max: Estimate | None
    """The best F1 over all thresholds: an oracle, chosen on these test images."""
    f1_max_oracle_threshold: float | None
    pixels: PixelScores | None
    defects: list[DefectScore]
    threshold: float
    """The detector's own, to which `confusion` belongs."""
    confusion: Confusion
    false_rejects: Share | None
    """Good parts of which an image was called NG; None without good images."""
    misses: Share | None
    """Defective parts of which every image was called OK; None without defective images."""
    oracle_points: dict[str, OperatingPoint]
    """What other thresholds would have done, chosen on these test images: `zero miss` and `least cost`."""
    seconds_per_image: float
    """Waited for the detector, file to result, the first image included."""
    predictions: list[Prediction]
    """One an image, in order."""
    notes: list[str]
    """Why something is None, and what is odd about the data."""

    @property
    def errors(self) -> list[Prediction]:
        """Images that could not be inspected: listed here and in `notes`, and part of no metric."""
        return [each for each in self.predictions if each.verdict is Verdict.ERROR]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; NaN and infinity become None."""
        plain: dict[str, Any] = _plain(dataclasses.asdict(self))
        plain["confusion"]["false_reject_rate"] = self.confusion.false_reject_rate
        plain["confusion"]["miss_rate"] = self.confusion.miss_rate
        plain["errors"] = [each.path for each in self.errors]
        return plain

    def __repr__(self) -> str:
        found = "no AUROC" if self.auroc is None else f"AUROC {percent(self.auroc.value)}"
        return f"Evaluation({self.good} good, {self.defective} defective, {found})"

    def rows(self) -> list[tuple[str, str, str]]:
        """A table for people: measure, value, remark."""
        return [
            ("images", str(len(self.predictions)), f"{self.good} good, {self.defective} defective"),
            ("image AUROC", *_estimate(self.auroc)),
            ("average precision", *_estimate(self.average_precision)),
            ("F1-max (oracle)", *_estimate(self.f1_max)),
            *self._pixel_rows(),
            *((f"AUROC {each.defect}", percent(each.auroc), f"{each.images} images") for each in self.defects),
            ("threshold", f"{self.threshold:.4g}", "the detector's own"),
            ("false rejects", counted(self.confusion.good_ng, self.confusion.good), "good images called NG"),
            *_part_rows("parts with a false reject", self.false_rejects),
            ("misses", counted(self.confusion.defective_ok, self.confusion.defective), "defective images called OK"),
            *_part_rows("parts missed", self.misses),
            *self._review_rows(),
            *(_point_row(name, point) for name, point in self.oracle_points.items()),
            ("errors", str(len(self.errors)), "could not be inspected"),
            ("seconds per image", f"{self.seconds_per_image:.3f}", ""),
        ]

    def _review_rows(self) -> list[tuple[str, str, str]]:
        good, defective = self.confusion.good_review, self.confusion.defective_review
        if good + defective == 0:
            return []
        return [("for review", str(good + defective), f"{good} good, {defective} defective")]

    def _pixel_rows(self) -> list[tuple[str, str, str]]:
        if self.pixels is None:
            return []
        return [
            ("pixel AUROC", percent(self.pixels.auroc), f"{self.pixels.pixels:,} pixels"),
            (f"AUPRO at {self.pixels.limit:g}", percent(self.pixels.aupro), f"{self.pixels.components} components"),
        ]


def _part_rows(measure: str, share: Share | None) -> list[tuple[str, str, str]]:
    return [] if share is None else [(measure, counted(share.count, share.of), share.range)]


def _point_row(name: str, point: OperatingPoint) -> tuple[str, str, str]:
    rates = f"good parts NG {percent(point.false_rejects.rate)}, missed {percent(point.misses.rate)}"
    return f"{name} (oracle)", f"{point.threshold:.4g}", rates


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _estimate(estimate: Estimate | None) -> tuple[str, str]:
    """A metric's cells: value and remark."""
    if estimate is None or estimate.low is None:
        return percent(estimate.value if estimate else None), ""
    return percent(estimate.value), f"95 %: {percent(estimate.low)} to {percent(estimate.high)}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
