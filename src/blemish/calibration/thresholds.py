"""Thresholds from good images that the memory has not seen, and what they allow one to promise.

The unit is the group (the part): its score is the highest of its images', since a part is rejected as soon as one of
its images is. So the rate that is promised is that of rejected parts, and pictures of one part, which resemble each
other, are never counted as independent. Two ways to unseen images:

    split   some groups are kept from the memory for good: an exact promise, see promise.py
    cross   every group is scored by a memory without its fold: no image is lost to the memory, but the scores depend on
            each other and come from memories other than the final one, so the rate is an estimate and no promise
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from blemish.arrays import Doubles
from blemish.calibration.held_out import group_scores
from blemish.calibration.promise import allowed_above, highest_rate, parts_needed, rate_after_leaving_out
from blemish.calibration.suspects import odd_from
from blemish.errors import OptionError
from blemish.language.numbers import at_most, percent
from blemish.options.settings import Settings, checked

__all__ = [
    "Calibration",
    "Mode",
    "Wanted",
    "set_thresholds",
]

Mode = Literal["split", "cross"]

MOST_PARTS = 100_000
"""Good parts that somebody may have."""
RISE = 4.0
"""How far regions draw in where all of an image deviates: so many times as far as its floor lies above that of good."""


class Wanted(BaseModel):
    """The operating point that was asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    false_rejects: float = Field(gt=0, lt=1)
    """At most this share of good parts is NG."""
    confidence: float = Field(gt=0, lt=1)
    review: float = Field(ge=0, lt=1)
    """At most this share of good parts more is REVIEW."""
    threshold: float | None = None
    """Given by hand, instead of a share of false rejects."""

    @classmethod
    def of(cls, settings: Settings) -> "Wanted":
        """As `fit` was asked. Raises OptionError as `changed`."""
        wanted = cls(false_rejects=settings.false_rejects, confidence=settings.confidence, review=settings.review)
        return wanted.changed()

    def changed(
        self,
        *,
        false_rejects: float | None = None,
        confidence: float | None = None,
        review: float | None = None,
        threshold: float | None = None,
    ) -> "Wanted":
        """With what is given in place; false rejects take the place of a threshold given before.

        Raises OptionError for what is no share, and for shares that leave no good part OK.
        """
        if false_rejects is not None and threshold is not None:
            raise OptionError("Give either false_rejects or a threshold, not both: one follows from the other.")
        given = {"false_rejects": false_rejects, "confidence": confidence, "review": review, "threshold": threshold}
        fields = self.model_dump() | {name: value for name, value in given.items() if value is not None}
        if false_rejects is not None:
            fields["threshold"] = None
        wanted = checked(Wanted, fields)
        if wanted.false_rejects + wanted.review >= 1:
            raise OptionError(
                f"Option review={wanted.review} cannot be used: with false_rejects={wanted.false_rejects} it leaves no "
                f"good part OK."
            )
        return wanted

    def __str__(self) -> str:
        if self.threshold is not None:
            asked = f"threshold {self.threshold:.4g} by hand"
        else:
            asked = f"asked for {percent(self.false_rejects)} false rejects, {100 * self.confidence:g} % confidence"
        return f"{asked}, {percent(self.review)} for review" if self.review else asked


class Calibration(BaseModel):
    """Where good ends, and what that rests on."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mode: Mode
    wanted: Wanted
    images: int
    groups: int
    threshold: float
    """Scores above it are NG."""
    above: int
    """The number of groups that may score above the threshold; fewer do where scores are equal."""
    review_threshold: float
    """Scores above it, up to the threshold, are REVIEW; without a band it is the threshold."""
    review_above: int
    map_threshold: float
    """Where regions begin: as many of the groups may show one as may be REVIEW or NG; in mode cross no higher than
    where a good part is odd (calibration/suspects.py)."""
    map_extent: float
    """How far regions reach: to where the map passes what nine in ten of the groups never do, or the map threshold."""
    images_with_region: int
    map_floor: float | None = None
    """What a twentieth of the map does not exceed, in nine of ten good images (`floor`); None in older models."""
    left_out: int = 0
    """Groups of which scores were taken out after they had been seen, as those of suspects are."""

    @property
    def promise(self) -> float | None:
        """At most this share of good parts is NG, with the confidence wanted; None in mode cross, which bounds none."""
        return self._bound(self.above)

    @property
    def review_promise(self) -> float | None:
        """At most this share of good parts is REVIEW or NG, and at most this share shows a region."""
        return self._bound(self.review_above)

    @property
    def promise_if_good(self) -> float | None:
        """The same whatever the groups left out were, good ones as well; None in mode cross."""
        if self.promise is None or not self.left_out:
            return self.promise
        return rate_after_leaving_out(self.above, self.groups, self.left_out, self.wanted.confidence)

    @property
    def estimate(self) -> float:
        """The share of good parts that is NG on average, over all calibrations on this number of parts."""
        return (self.above + 1) / (self.groups + 1)

    @property
    def rise(self) -> float:
        """Where all of an image deviates, its regions end higher: by so many times what its floor lies too high."""
        return RISE

    def to_dict(self) -> dict[str, Any]:
        """Everything, and what follows from it, as plain values."""
        derived = {name: getattr(self, name) for name in ("promise", "promise_if_good", "review_promise", "estimate")}
        return {**self.model_dump(), **derived}

    def __str__(self) -> str:
        return f"threshold {self.threshold:.4g}: {self._basis()}{self._band()}{self._without()}."

    def _basis(self) -> str:
        wanted, parts = self.wanted, f"{self.groups} good parts"
        if self.images != self.groups:
            parts += f" ({self.images} images)"
        asked, confidence = percent(wanted.false_rejects), f"{100 * wanted.confidence:g} %"
        needed = parts_needed(wanted.false_rejects, wanted.confidence)
        if self.promise is None:
            return (
                f"about {percent(self.estimate)} of good parts are NG. This is an estimate: each of {parts} was scored "
                f"by a memory bank without its fold. To promise at most {asked} with {confidence} confidence, "
                f"calibrate on {needed} or more good parts that the memory bank has not seen"
            )
        promise = f"at most {at_most(self.promise)} of good parts are NG, with {confidence} confidence"
        if wanted.threshold is not None:
            return f"{promise}. It was set by hand; {self.above} of {parts} kept from the memory bank score above it"
        if self.promise > wanted.false_rejects:
            return f"{promise}. {parts} kept from the memory bank support no more; {asked} needs {needed} parts"
        return (
            f"at most {asked} of good parts are NG, with {confidence} confidence. {self.above} of {parts} kept from "
            f"the memory bank may score above it"
        )

    def _band(self) -> str:
        if self.review_threshold == self.threshold:
            if not self.wanted.review or self.review_above > self.above:  # none was asked for, or scores are equal
                return ""
            if self.above == self.groups:
                return ". No REVIEW: all good parts are NG"
            needed = self._parts_for_band()
            return f". No REVIEW: {self.groups} good parts are too few for it; it needs {needed or 'far more'} parts"
        if self.review_promise is None:
            share = f"about {percent((self.review_above + 1) / (self.groups + 1))}"
        else:
            share = f"at most {at_most(max(self.review_promise, self.wanted.false_rejects + self.wanted.review))}"
        return f". REVIEW from {self.review_threshold:.4g}: {share} of good parts are REVIEW or NG"

    def _parts_for_band(self) -> int | None:
        """The good parts that let more of them be REVIEW or NG than NG alone; None where nobody has so many."""
        wanted = self.wanted
        rejected = _rejected(wanted, self.above, self.groups)

        def enough(parts: int) -> bool:
            rates = rejected + wanted.review, rejected
            more, fewer = (_above(parts, rate, wanted.confidence, self.mode) if rate else 0 for rate in rates)
            return more > fewer

        few, many = self.groups, 2 * self.groups
        while not enough(many):
            few, many = many, 2 * many
            if many > MOST_PARTS:
                return None
        while many - few > 1:
            middle = (few + many) // 2
            few, many = (few, middle) if enough(middle) else (middle, many)
        return many

    def _without(self) -> str:
        """What that takes for granted of the groups that were left out."""
        if not self.left_out:
            return ""
        rate = (self.above + self.left_out + 1) / (self.groups + self.left_out + 1)
        share = f"about {percent(rate)}" if self.promise_if_good is None else f"at most {at_most(self.promise_if_good)}"
        parts = f"the {self.left_out} parts left out are" if self.left_out > 1 else "the part left out is"
        return f". This holds if {parts} defective; if good, {share} of good parts are NG"

    def _bound(self, above: int) -> float | None:
        return highest_rate(above, self.groups, self.wanted.confidence) if self.mode == "split" else None


def set_thresholds(
    scores: Doubles,
    peaks: Doubles,
    groups: Sequence[str],
    wanted: Wanted,
    *,
    mode: Mode,
    map_floor: float | None = None,
    left_out: int = 0,
) -> Calibration:
    """Thresholds from the image scores and map peaks of unseen good images, at the operating point wanted.

    Where the groups are too few for it, the threshold is the highest of their scores: the best they support. `left_out`
    groups were scored as well and then taken out.
    """
    of_groups, peaks_of_groups = group_scores(scores, groups), group_scores(peaks, groups)
    above, threshold = _reject(of_groups, wanted, mode)
    review_above, review_threshold = _review(of_groups, wanted, mode, above, threshold)
    map_threshold, map_extent = _cut(peaks_of_groups, review_above), _cut(peaks_of_groups, len(of_groups) // 10)
    if mode == "cross":  # nothing is promised of regions, and one odd part must not hide those of defects
        map_threshold = min(map_threshold, odd_from(peaks_of_groups))
    if wanted.threshold is not None:
        map_threshold += _per_score(of_groups, peaks_of_groups) * (review_threshold - _cut(of_groups, review_above))
    return Calibration(
        mode=mode,
        wanted=wanted,
        images=len(scores),
        groups=len(of_groups),
        threshold=threshold,
        above=above,
        review_threshold=review_threshold,
        review_above=review_above,
        map_threshold=map_threshold,
        map_extent=min(map_extent, map_threshold),
        images_with_region=int((peaks > map_threshold).sum()),
        map_floor=map_floor,
        left_out=left_out,
    )


def _reject(of_groups: Doubles, wanted: Wanted, mode: Mode) -> tuple[int, float]:
    """How many of the groups score above the threshold, and the threshold."""
    if wanted.threshold is not None:
        return int((of_groups > wanted.threshold).sum()), wanted.threshold
    above = _above(len(of_groups), wanted.false_rejects, wanted.confidence, mode)
    return above, _cut(of_groups, above)


def _review(of_groups: Doubles, wanted: Wanted, mode: Mode, above: int, threshold: float) -> tuple[int, float]:
    """The same for the review threshold, which a band of no width shares with the threshold."""
    if wanted.review == 0:
        return above, threshold
    rejected = _rejected(wanted, above, len(of_groups))
    passed_over = max(above, _above(len(of_groups), rejected + wanted.review, wanted.confidence, mode))
    return passed_over, min(threshold, _cut(of_groups, passed_over))


def _rejected(wanted: Wanted, above: int, groups: int) -> float:
    """The share of good parts that is NG: what was asked for, or what a threshold set by hand takes of the groups."""
    return wanted.false_rejects if wanted.threshold is None else above / groups


def _above(groups: int, rate: float, confidence: float, mode: Mode) -> int:
    """How many of the groups may score above a threshold."""
    if mode == "split":
        return allowed_above(groups, rate, confidence) or 0
    # One new score falls above the k-th smallest of n with chance (n + 1 - k) / (n + 1), were they all alike.
    return min(groups, max(0, math.floor(rate * (groups + 1) + 1e-9) - 1))


def _per_score(of_groups: Doubles, peaks_of_groups: Doubles) -> float:
    """How far peaks of maps lie apart for each step between scores, which may have another scale and another zero."""
    spread = float(of_groups.std())
    return float(peaks_of_groups.std()) / spread if spread > 0 else 1.0


def _cut(of_groups: Doubles, above: int) -> float:
    """The score that `above` others exceed: one that was seen, so that no interpolation lowers it."""
    return float(np.sort(of_groups)[-1 - min(above, len(of_groups) - 1)])
