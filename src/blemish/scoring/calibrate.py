"""Thresholds from good images that the memory has not seen, and what they allow one to promise.

The unit is the group (the part): its score is the highest of its images', since a part is rejected as soon as one of
its images is. So the rate that is promised is that of rejected parts, and pictures of one part, which resemble each
other, are never counted as independent. Two ways to unseen images:

    split   some groups are kept from the memory for good: an exact promise, see promise.py
    cross   every group is scored by a memory without its fold: no image is lost to the memory, but the scores depend on
            each other and come from memories other than the final one, so the rate is an estimate and no promise
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from blemish.arrays import Bools, Doubles, Ints
from blemish.errors import DataError, OptionError
from blemish.progress import Progress, silent
from blemish.result import Verdict
from blemish.scoring.promise import allowed_above, highest_rate, parts_needed
from blemish.settings import Settings, checked

__all__ = [
    "Calibration",
    "HeldOut",
    "Mode",
    "Wanted",
    "check_unseen",
    "cross_scores",
    "divide",
    "group_scores",
    "hold_out",
    "set_thresholds",
]

Mode = Literal["split", "cross"]


@dataclass(frozen=True)
class HeldOut:
    """What good images score by a memory that has not seen their group."""

    image_M: Ints
    """The images, by number."""
    scores_M: Doubles
    peaks_M: Doubles
    """The highest value of each map; the score again where the method draws none."""

    def percentile(self, score: float) -> float:
        """Of 100 of these images, so many score no higher."""
        return 100 * float((self.scores_M <= score).mean())


Unseen = Callable[[Bools], HeldOut]
"""Given which images are held out: what they score by a memory of the others."""


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
            asked = f"asked for {_percent(self.false_rejects)} false rejects, {_percent(self.confidence)} confidence"
        return f"{asked}, {_percent(self.review)} for review" if self.review else asked


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
    """So many of the groups may score above the threshold; fewer do where scores are equal."""
    review_threshold: float
    """Scores above it, up to the threshold, are REVIEW; without a band it is the threshold."""
    review_above: int
    map_threshold: float
    """Where regions begin: as many of the groups may show one as may be REVIEW or NG."""
    map_extent: float
    """How far regions reach: to where the map passes what nine in ten of the groups never do, or the map threshold."""
    images_with_region: int

    @property
    def promise(self) -> float | None:
        """At most this share of good parts is NG, with the confidence wanted; None in mode cross, which bounds none."""
        return self._bound(self.above)

    @property
    def review_promise(self) -> float | None:
        """At most this share of good parts is REVIEW or NG, and at most this share shows a region."""
        return self._bound(self.review_above)

    @property
    def estimate(self) -> float:
        """The share of good parts that is NG on average, over all calibrations on so many."""
        return (self.above + 1) / (self.groups + 1)

    def verdict(self, score: float) -> Verdict:
        """OK up to the review threshold, REVIEW up to the threshold, NG above it."""
        if score > self.threshold:
            return Verdict.NG
        return Verdict.REVIEW if score > self.review_threshold else Verdict.OK

    def to_dict(self) -> dict[str, Any]:
        """Everything, and what follows from it, as plain values."""
        derived = {name: getattr(self, name) for name in ("promise", "review_promise", "estimate")}
        return {**self.model_dump(), **derived}

    def __str__(self) -> str:
        return f"threshold {self.threshold:.4g}: {self._basis()}{self._band()}."

    def _basis(self) -> str:
        wanted, parts = self.wanted, f"{self.groups} good parts ({self.images} images)"
        asked, confidence = _percent(wanted.false_rejects), _percent(wanted.confidence)
        needed = parts_needed(wanted.false_rejects, wanted.confidence)
        if self.promise is None:
            return (
                f"about {_percent(self.estimate)} of good parts are NG. That is an estimate: {parts} were each scored "
                f"by a memory without their fold. To promise at most {asked} with {confidence} confidence, calibrate "
                f"on {needed} good parts or more that the memory has not seen"
            )
        promise = f"at most {_percent(self.promise)} of good parts are NG, with {confidence} confidence"
        if wanted.threshold is not None:
            return f"{promise}; it was given, and {self.above} of {parts} kept from the memory score above it"
        if self.promise > wanted.false_rejects:
            return f"{promise}, the best that {parts} kept from the memory support; {asked} needs {needed} parts"
        return (
            f"at most {asked} of good parts are NG, with {confidence} confidence; {self.above} of {parts} kept from "
            f"the memory may score above it"
        )

    def _band(self) -> str:
        if self.review_above == self.above:
            return ""
        if self.review_promise is None:
            share = f"about {_percent((self.review_above + 1) / (self.groups + 1))}"
        else:
            share = f"at most {_percent(max(self.review_promise, self.wanted.false_rejects + self.wanted.review))}"
        return f". REVIEW from {self.review_threshold:.4g}: {share} of good parts are REVIEW or NG"

    def _bound(self, above: int) -> float | None:
        return highest_rate(above, self.groups, self.wanted.confidence) if self.mode == "split" else None


def hold_out(groups: Sequence[str], settings: Settings, *, refits: bool) -> Bools:
    """Which images are kept from the memory to calibrate on; none of them to cross-fit.

    `refits` says whether the method can be fitted once more for every fold. Raises DataError for fewer than two
    groups or where none would be left to fit on, OptionError where the method cannot be cross-fitted.
    """
    names = _group_names(groups)
    held = int(len(names) * settings.held_out) if settings.held_out < 1 else int(settings.held_out)
    enough = held >= parts_needed(settings.false_rejects, settings.confidence)
    if settings.calibration == "cross" and not refits:
        raise OptionError(
            f"Option calibration=cross cannot be used with the method {settings.method}: it would be trained once for "
            f"every fold; leave it out."
        )
    if settings.calibration == "cross" or (settings.calibration == "auto" and refits and not enough):
        return np.zeros(len(groups), np.bool_)
    if held >= len(names):
        raise DataError(
            f"Option held_out={held} leaves none of the {len(names)} good parts to learn from; give fewer, or more "
            f"good images."
        )
    order = np.random.default_rng(settings.seed).permutation(len(names))
    chosen = {names[group] for group in order[: max(1, held)]}
    return np.array([group in chosen for group in groups], np.bool_)


def divide(groups: Sequence[str], folds: int, seed: int) -> Ints:
    """The fold of each image: groups are dealt out in random order, never divided. Raises DataError for one group."""
    names = _group_names(groups)
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {names[group]: position % min(folds, len(names)) for position, group in enumerate(order)}
    return np.array([fold_of[group] for group in groups], np.int64)


def _group_names(groups: Sequence[str]) -> list[str]:
    names = sorted(set(groups))
    if len(names) < 2:
        raise DataError(
            f"The {len(groups)} good image(s) form {len(names)} group(s); at least 2 good images of different parts "
            f"are needed to set a threshold, and 20 or more to trust it."
        )
    return names


def cross_scores(
    score: Unseen, groups: Sequence[str], *, folds: int, seed: int, progress: Progress = silent
) -> HeldOut:
    """What all good images score, each fold by a memory of the others."""
    fold_of = divide(groups, folds, seed)
    count = int(fold_of.max()) + 1
    scores, peaks = np.empty(len(groups)), np.empty(len(groups))
    for fold in range(count):
        unseen = score(fold_of == fold)
        scores[unseen.image_M], peaks[unseen.image_M] = unseen.scores_M, unseen.peaks_M
        progress("threshold", fold + 1, count)
    return HeldOut(np.arange(len(groups)), scores, peaks)


def check_unseen(scores: Doubles) -> None:
    """Raise DataError where scores of 0 show that the memory has seen every image before."""
    if not scores.any():
        raise DataError(
            f"The {len(scores)} good image(s) that set the threshold all score 0: the memory has seen a twin of each. "
            f"Leave copies out, and give one group to the images of one part."
        )


def group_scores(scores: Doubles, groups: Sequence[str]) -> Doubles:
    """The highest score of each group, in the order of their names."""
    _, group_of = np.unique(np.asarray(groups), return_inverse=True)
    highest = np.full(group_of.max() + 1, -np.inf)
    np.maximum.at(highest, group_of, scores)
    return highest


def set_thresholds(
    scores: Doubles, peaks: Doubles, groups: Sequence[str], wanted: Wanted, *, mode: Mode
) -> Calibration:
    """Thresholds from the image scores and map peaks of unseen good images, at the operating point wanted.

    Where the groups are too few for it, the threshold is the highest of their scores: the best they support.
    """
    of_groups, peaks_of_groups = group_scores(scores, groups), group_scores(peaks, groups)
    above, threshold = _reject(of_groups, wanted, mode)
    review_above, review_threshold = _review(of_groups, wanted, mode, above, threshold)
    map_threshold, map_extent = _cut(peaks_of_groups, review_above), _cut(peaks_of_groups, len(of_groups) // 10)
    if wanted.threshold is not None and (seen := _cut(of_groups, review_above)) > 0:
        map_threshold *= review_threshold / seen
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
    rejected = wanted.false_rejects if wanted.threshold is None else above / len(of_groups)
    passed_over = max(above, _above(len(of_groups), rejected + wanted.review, wanted.confidence, mode))
    return passed_over, min(threshold, _cut(of_groups, passed_over))


def _above(groups: int, rate: float, confidence: float, mode: Mode) -> int:
    """How many of the groups may score above a threshold."""
    if mode == "split":
        return allowed_above(groups, rate, confidence) or 0
    # One new score falls above the k-th smallest of n with chance (n + 1 - k) / (n + 1), were they all alike.
    return max(0, math.floor(rate * (groups + 1) + 1e-9) - 1)


def _cut(of_groups: Doubles, above: int) -> float:
    """The score that `above` others exceed: one that was seen, so that no interpolation lowers it."""
    return float(np.sort(of_groups)[-1 - min(above, len(of_groups) - 1)])


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
