"""Score good images that the memory has not seen: while fitting, or later, to move a detector's operating point."""

import os
from collections.abc import Sequence
from functools import partial
from operator import attrgetter

import numpy as np

from blemish.calibration.cross_fit import thresholds_of
from blemish.calibration.held_out import HeldOut
from blemish.detector import Detector
from blemish.errors import DataError, ImageError
from blemish.images.glance import Glance
from blemish.images.held import Held
from blemish.images.motions import all_of, motion_of
from blemish.images.parts import glance_over, joined_parts, named_parts
from blemish.images.read import Source, has_name, image_name
from blemish.images.sources import Images, list_sources
from blemish.images.training_image import TrainingImage
from blemish.model.model import recalibrated
from blemish.system.progress import Progress, Shown, shown
from blemish.system.stream import stream

__all__ = [
    "calibrate",
]


def calibrate(
    detector: Detector,
    good: Images | None = None,
    *,
    groups: Sequence[str] | None = None,
    recursive: bool = False,
    false_rejects: float | None = None,
    confidence: float | None = None,
    review: float | None = None,
    threshold: float | None = None,
    who: str | None = None,
    progress: Shown = None,
) -> Detector:
    """The same detector at another operating point; nothing is fitted again, and the one given stays as it is.

    The threshold is a distribution-free tolerance limit (Wilks 1941; docs/operating-point.md). What is not given stays
    as it was asked for before. The journal keeps what was asked, and `undo` takes it back. Where nothing is asked,
    nothing changes.

    Args:
        detector: The detector to start from.
        good: Images of good parts that the memory has not seen, as `fit` takes them. The thresholds then rest on them
            alone, and carry a promise. They must come as the line brings them, with those the detector would reject.
            Without them, the thresholds rest on the scores that the model keeps.
        groups: The part that each image of `good` shows, as for `fit`. Copies, and pictures of one
            part where no groups are given, count as one part in any case.
        recursive: Read the folders inside folders, too.
        false_rejects: The largest share of good parts that may be NG, between 0 and 1.
        confidence: How sure that promise is to be, between 0 and 1.
        review: The further share of good parts that may be REVIEW, between 0 and 1; 0 for no such band.
        threshold: The threshold itself, as a score; what it promises is worked out.
        who: For the journal; by default the user's name.
        progress: As for `fit`.

    Returns:
        A new detector.

    Raises:
        OptionError: A share is not between 0 and 1, or two wishes contradict each other.
        DataError: The memory was fitted on one of the images, or there are none.
        ImageError: An image cannot be used.
    """
    manifest = detector.manifest
    asked = {"false_rejects": false_rejects, "confidence": confidence, "review": review, "threshold": threshold}
    if good is None and all(value is None for value in asked.values()):
        return detector
    wanted = manifest.calibration.wanted.changed(**asked)
    new: list[TrainingImage] = []
    held_out, mode = detector.model.held_out, manifest.calibration.mode
    if good is not None:
        sources = list_sources(good, recursive=recursive)
        with shown(progress) as report:
            held = Held()
            new = _unseen_images(detector, sources, groups, held, report)
            decoded = [held.take(number, source) for number, source in enumerate(sources)]
            held_out, mode = _score_unseen(detector, decoded, report), "split"
    groups_N = [image.group for image in (*manifest.images, *new)]
    was = manifest.calibration if good is None else None
    calibration = thresholds_of(held_out, groups_N, wanted, mode, was=was)
    return detector.with_model(recalibrated(detector.model, new, held_out, calibration, who))


def _unseen_images(
    detector: Detector, sources: Sequence[Source], groups: Sequence[str] | None, held: Held, progress: Progress
) -> list[TrainingImage]:
    """The images as the model will list them; `held` is given what they were decoded to.

    Raises DataError where there are none, or the memory has seen one.
    """
    if not sources:
        raise DataError("No images were given; thresholds need good images that the memory has not seen.")
    viewer, threads = detector.viewer, detector.extractors.threads
    named = named_parts(sources, groups, [image.group for image in detector.manifest.images])
    glances = glance_over(sources, viewer.rules, threads=threads, progress=progress, held=held)
    _refuse_seen(detector, sources, held)
    errors = [glance for glance in glances if isinstance(glance, ImageError)]
    if errors and viewer.aligner is not None:  # those that cannot be aligned either are to be told with them
        sound = [source for source, glance in zip(sources, glances, strict=True) if isinstance(glance, Glance)]
        motions = stream(partial(motion_of, viewer.aligner, viewer.rules), sound, threads=threads)
        errors += [motion for motion in motions if isinstance(motion, ImageError)]
    if errors:
        raise all_of(errors, len(sources), aligned=viewer.aligner is not None)
    parts = joined_parts(glances, named, stated=groups is not None, threads=threads)
    return [
        glance.remembered(part, in_memory=False)
        for glance, part in zip(glances, parts, strict=True)
        if isinstance(glance, Glance)
    ]


def _refuse_seen(detector: Detector, sources: Sequence[Source], held: Held) -> None:
    """Raise DataError where the memory knows pixels: those of a copy too, under any name."""
    images = detector.manifest.images
    undigested = {os.path.abspath(image.path) for image in images if image.in_memory and not image.pixels}
    named = [image_name(source) for source in sources]
    known_N = detector.known([held.seen(number, source) for number, source in enumerate(sources)])
    twice = [
        f"{name} (as {known.path})" if known and known.path != name else name
        for name, source, known in zip(named, sources, known_N, strict=True)
        if (known and known.in_memory) or (has_name(source) and os.path.abspath(name) in undigested)
    ]
    if twice:
        names = ", ".join(twice[:3]) + (", ..." if len(twice) > 3 else "")
        raise DataError(
            f"{len(twice)} of the {len(sources)} good images are in the memory ({names}); calibrate on images that it "
            f"has not seen."
        )


def _score_unseen(detector: Detector, sources: Sequence[Source], progress: Progress) -> HeldOut:
    """Their scores; they will be listed after the images there are."""
    answers = detector.score_all(sources, attrgetter("numbers"), "threshold", progress)
    first = len(detector.manifest.images)
    return HeldOut.answered(np.arange(first, first + len(sources)), answers)
