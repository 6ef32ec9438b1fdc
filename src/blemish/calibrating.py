"""Score good images that the memory has not seen: while fitting, or later, to move a detector's operating point."""

import os
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np

from blemish.arrays import Bools, Ints
from blemish.detector import Detector
from blemish.errors import DataError
from blemish.features.patches import Features
from blemish.images.read import Source, image_name, probe_image
from blemish.images.sources import check_groups, list_sources
from blemish.images.training_image import TrainingImage
from blemish.methods.method import FitsAcross, Fitted, Learner, Method
from blemish.options.settings import Settings
from blemish.scoring.calibrate import Calibration, Mode, Wanted, set_thresholds
from blemish.scoring.held_out import HeldOut, check_unseen, cross_scores, divide
from blemish.system.progress import Progress, silent
from blemish.system.stream import stream

__all__ = ["calibrate", "fit_and_hold_out", "thresholds_of"]


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

    `at_once` images are scored at a time, each by so many threads.
    """

    def score(held_N: Bools, fitted: Fitted) -> HeldOut:
        image_M = np.flatnonzero(held_N)
        features = learner.features(fitted, [int(image) for image in image_M])
        answers = stream(partial(_score_and_peak, fitted.method, threads), features, threads=at_once)
        return _held_out(image_M, answers)

    if held_N.any():
        fitted = learner.fit(~held_N, progress)
        return fitted, score(held_N, fitted)
    if isinstance(learner, FitsAcross):
        fitted, answers = learner.fit_across(divide(groups, settings.folds, settings.seed), progress)
        return fitted, _held_out(np.arange(len(groups)), ((scores.image, scores.peak) for scores in answers))
    held_out = cross_scores(
        lambda fold_N: score(fold_N, learner.fit(~fold_N)),
        groups,
        folds=settings.folds,
        seed=settings.seed,
        progress=progress,
    )
    return learner.fit(None, progress), held_out


def _score_and_peak(method: Method, threads: int, features: Features) -> tuple[float, float]:
    scores = method.score(features, threads=threads)
    return scores.image, scores.peak


def _held_out(image_M: Ints, answers: Iterable[tuple[float, float]]) -> HeldOut:
    scores, peaks = zip(*answers, strict=True)
    return HeldOut(image_M, np.array(scores), np.array(peaks))


def thresholds_of(held_out: HeldOut, groups: Sequence[str], wanted: Wanted, mode: Mode) -> Calibration:
    """Set the thresholds; `groups` names that of every image there is. Raises DataError where none was unseen."""
    check_unseen(held_out.scores_M)
    groups_M = [groups[image] for image in held_out.image_M]
    return set_thresholds(held_out.scores_M, held_out.peaks_M, groups_M, wanted, mode=mode)


def calibrate(
    detector: Detector,
    good: str | os.PathLike[str] | Sequence[Source] | None = None,
    *,
    groups: Sequence[str] | None = None,
    false_rejects: float | None = None,
    confidence: float | None = None,
    review: float | None = None,
    threshold: float | None = None,
    who: str | None = None,
    progress: Progress = silent,
) -> Detector:
    """The same detector at another operating point; nothing is fitted again, and the one given stays as it is.

    `good` are images of good parts that the memory has not seen, as `fit` takes them; the thresholds then rest on them
    alone, and carry a promise. They must come as the line brings them: with those the detector would reject. Without
    `good`, the thresholds rest on the scores that the model keeps. What is not given stays as it was asked for before;
    `threshold` sets the threshold by hand, and what it promises is worked out. The journal keeps what was asked, by
    `who` (by default the user's name), and `undo` takes it back; where nothing is asked, nothing changes.
    Raises OptionError, DataError, or ImageError for an image that cannot be used.
    """
    manifest = detector.manifest
    asked = {"false_rejects": false_rejects, "confidence": confidence, "review": review, "threshold": threshold}
    if good is None and all(value is None for value in asked.values()):
        return detector
    wanted = manifest.calibration.wanted.changed(**asked)
    new: list[TrainingImage] = []
    held_out, mode = detector.held_out, manifest.calibration.mode
    if good is not None:
        sources = list_sources(good)
        new = _unseen_images(detector, sources, check_groups(sources, groups))
        held_out, mode = _score_unseen(detector, sources, progress), "split"
    groups_N = [image.group for image in (*manifest.images, *new)]
    return detector.recalibrated(new, held_out, thresholds_of(held_out, groups_N, wanted, mode), who=who)


def _unseen_images(detector: Detector, sources: Sequence[Source], groups: Sequence[str]) -> list[TrainingImage]:
    """The images as the model will list them. Raises DataError where there are none, or the memory has seen one."""
    if not sources:
        raise DataError("No images were given; thresholds need good images that the memory has not seen.")
    seen = {os.path.abspath(image.path) for image in detector.manifest.images if image.in_memory}
    twice = [name for name in map(image_name, sources) if os.path.abspath(name) in seen]
    if twice:
        names = ", ".join(twice[:3]) + (", ..." if len(twice) > 3 else "")
        raise DataError(
            f"{len(twice)} of the {len(sources)} good images are in the memory ({names}); calibrate on images that it "
            f"has not seen."
        )
    kinds = stream(probe_image, sources, threads=detector.threads)
    return [
        TrainingImage(path=image_name(source), group=group, height=kind.height, width=kind.width, in_memory=False)
        for source, group, kind in zip(sources, groups, kinds, strict=True)
    ]


def _score_unseen(detector: Detector, sources: Sequence[Source], progress: Progress) -> HeldOut:
    """Their scores; they will be listed after the images there are."""
    answers = []
    for scores in detector.score_many(sources):
        answers.append((scores.image, scores.peak))
        progress("threshold", len(answers), len(sources))
    first = len(detector.manifest.images)
    return _held_out(np.arange(first, first + len(sources)), answers)
