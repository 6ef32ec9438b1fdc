"""Fit and score good images that the memory has not seen: some kept for good, or fold after fold."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from blemish.arrays import Bools
from blemish.calibration.held_out import HeldOut, check_unseen, cross_scores, divide
from blemish.calibration.thresholds import Calibration, Mode, Wanted, set_thresholds
from blemish.features.patches import Features
from blemish.methods.method import KEPT, FitsAcross, Fitted, GivesRows, Learner, Method, Numbers
from blemish.options.settings import Settings
from blemish.system.progress import Progress
from blemish.system.stream import stream

FOLDS = 5
"""Parts that good images are held out in, where each is a fit of its own."""

__all__ = ["fit_and_hold_out", "thresholds_of"]


def fit_and_hold_out(
    learner: Learner,
    groups: Sequence[str],
    held_N: Bools,
    settings: Settings,
    at_once: int,
    threads: int,
    progress: Progress,
) -> tuple[Fitted, HeldOut]:
    """Fit without the images held out, and score those; where none are, fit on all, and score each without its fold.

    Methods that find it cheap score each image of the memory without its fold in both cases. `at_once` images are
    scored at a time, each by so many threads.
    """

    def score(held_N: Bools, fitted: Fitted) -> HeldOut:
        image_M = np.flatnonzero(held_N)
        features = learner.features(fitted, [int(image) for image in image_M])
        answers = stream(partial(_numbers, fitted.method, threads), features, threads=at_once)
        return HeldOut.answered(image_M, answers)

    if isinstance(learner, FitsAcross) and learner.across and (learner.spares or not held_N.any()):
        folds = divide(groups, settings.folds or learner.folds, settings.seed)
        fitted, answers = learner.fit_across(np.where(held_N, KEPT, folds), progress)
        seen = HeldOut.answered(np.arange(len(groups)), answers)
        if isinstance(learner, GivesRows):
            seen = replace(seen, rows_M=np.where(held_N, np.nan, learner.rows_given(fitted)))
        return fitted, seen
    if held_N.any():
        fitted = learner.fit(~held_N, progress)
        return fitted, score(held_N, fitted)
    held_out = cross_scores(
        lambda fold_N: score(fold_N, learner.fit(~fold_N)),
        groups,
        folds=settings.folds or FOLDS,
        seed=settings.seed,
        progress=progress,
    )
    return learner.fit(None, progress), held_out


def _numbers(method: Method, threads: int, features: Features) -> Numbers:
    return method.score(features, threads=threads).numbers


def thresholds_of(
    held_out: HeldOut, groups: Sequence[str], wanted: Wanted, mode: Mode, *, was: Calibration | None = None
) -> Calibration:
    """Set the thresholds; `groups` names that of every image there is. Raises DataError where none was unseen.

    `was` is the calibration on the same images before. Its floor of the map stays, since models keep no other, and so
    do the groups that were taken out: the scores were chosen among more, however the threshold is moved.
    """
    check_unseen(held_out.scores_M)
    scores, peaks = held_out.scores_M, held_out.peaks_M
    groups_M = [groups[image] for image in held_out.image_M]
    floor, left_out = (was.map_floor, was.left_out) if was else (held_out.floor, 0)
    return set_thresholds(scores, peaks, groups_M, wanted, mode=mode, map_floor=floor, left_out=left_out)
