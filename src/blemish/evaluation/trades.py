"""False rejects against misses: what the operating points of a detector do to the parts of an evaluation."""

from dataclasses import asdict, dataclass
from typing import Any

from blemish.calibration.promise import Share
from blemish.calibration.thresholds import Calibration
from blemish.detector import Detector
from blemish.evaluation.evaluation import Evaluation
from blemish.evaluation.operating import PartScores
from blemish.evaluation.points import operating_points
from blemish.language.numbers import counted, percent
from blemish.result import Verdict

__all__ = ["HEADS", "Trade", "band_in_words", "misses_unknown", "trades"]

HEADS = ("operating point", "threshold", "good parts NG", "missed", "REVIEW")
"""Of the cells of a trade."""


@dataclass(frozen=True)
class Trade:
    """One line of the table: an operating point, and what it does to the parts tested."""

    name: str
    threshold: float
    review: float
    """The share of good parts that may be REVIEW, as it was asked for."""
    rejected: Share
    """Good parts that are NG."""
    missed: Share
    """Defective parts that are OK."""
    reviewed: tuple[Share, Share] | None
    """Good and defective parts that are REVIEW; None without such a band."""

    def cells(self) -> tuple[str, ...]:
        """The line for people."""
        looked_at = f"{self.reviewed[0].count} good, {self.reviewed[1].count} defective" if self.reviewed else ""
        return self.name, f"{self.threshold:.4g}", _counted(self.rejected), _counted(self.missed), looked_at

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def trades(detector: Detector, evaluation: Evaluation) -> list[Trade]:
    """The operating point in use and others, by the good and defective parts of an evaluation; none without both."""
    scored = [each for each in evaluation.predictions if each.verdict is not Verdict.ERROR]
    labels = [each.label for each in scored]
    if len(set(labels)) < 2:
        return []
    parts = PartScores.of([each.score for each in scored], labels, [each.group for each in scored])
    return [_trade(name, calibration, parts) for name, calibration in operating_points(detector)]


def band_in_words(found: list[Trade], model: str) -> str:
    """What a REVIEW band that is not in use would do; empty where one is, or where it shows none of the missed."""
    banded = next((each for each in found[1:] if each.reviewed), None)
    if banded is None or banded.reviewed is None or not found[0].missed.count:
        return ""
    good, defective = banded.reviewed
    if not defective.count:  # nobody would see more
        return ""
    return (
        f"A REVIEW band of {percent(banded.review)} would show people {defective.count} of the {found[0].missed.count} "
        f"missed defective parts, and {good.count} of {good.of} good ones: "
        f"blemish calibrate {model} --review {banded.review:g}"
    )


def misses_unknown(model: str) -> str:
    """That a threshold from good parts does not tell how many defects pass, and how to learn it."""
    return (
        f"How many defects pass is not known yet: put images of some into ng/ and run: "
        f"blemish calibrate {model} --defective ng/"
    )


def _trade(name: str, calibration: Calibration, parts: PartScores) -> Trade:
    ng, review = parts.at(calibration.threshold), parts.at(calibration.review_threshold)
    reviewed = None
    if calibration.wanted.review:
        good = review.false_rejects.count - ng.false_rejects.count
        defective = ng.misses.count - review.misses.count
        reviewed = Share.observed(good, ng.false_rejects.of), Share.observed(defective, ng.misses.of)
    share = calibration.wanted.review
    return Trade(name, calibration.threshold, share, ng.false_rejects, review.misses, reviewed)


def _counted(share: Share) -> str:
    return counted(share.count, share.of)
