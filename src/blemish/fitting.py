"""Fit a detector on good images: size, method, thresholds."""

import datetime
import os
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
from PIL import Image

from blemish.arrays import Bools, Doubles
from blemish.detector import Detector
from blemish.errors import OptionError
from blemish.features.backbone import Backbone, load_backbone
from blemish.features.patches import Features
from blemish.images.align import Aligner
from blemish.images.choose import choose_transform
from blemish.images.places import Places
from blemish.images.read import ImageKind, Source, image_name, probe_image, read_image
from blemish.images.samples import list_images
from blemish.images.transform import Transform
from blemish.images.view import Viewer
from blemish.memory.store import FORMAT, ModelManifest, TrainingImage
from blemish.methods.method import Fitted, GoodImages, Learner, Method
from blemish.methods.registry import find_method
from blemish.progress import Progress, silent
from blemish.scoring.calibrate import calibrate
from blemish.settings import Resources, Settings, divide_options
from blemish.stream import available_threads, stream

__all__ = ["fit", "good_images"]


def fit(
    images: str | os.PathLike[str] | Sequence[Source],
    *,
    groups: Sequence[str] | None = None,
    progress: Progress = silent,
    **options: Any,
) -> Detector:
    """Learn what good looks like from images of good parts alone.

    `images` is a folder, a file pattern, or a sequence of paths, encoded bytes, Pillow images and arrays (H x W or
    H x W x 3, RGB). `groups` names the part each image shows, where several show the same one: held-out scoring never
    divides a group. `options` are those of `Settings` (`preset`, `size`, `coreset`, ...).
    Raises OptionError, DataError, ImageError, BackboneError or ProviderError, each in one sentence.
    """
    settings, resources = divide_options(options)
    sources = _sources(images)
    part_of = _check_groups(sources, groups)
    threads = resources.threads or available_threads()
    kinds = list(stream(probe_image, sources, threads=threads))
    good = good_images(sources, kinds, settings, resources, progress, size_asked="size" in options)
    viewer = good.viewer
    motions = list(stream(partial(_motion, viewer), sources, threads=threads))
    learner = find_method(settings.method).learn(good)
    calibrating = _Calibrating(learner, *good.transform.share(threads))
    calibration, held_out = calibrate(
        calibrating,
        part_of,
        quantile=settings.quantile,
        folds=settings.folds,
        seed=settings.seed,
        once=not learner.refits,
        progress=progress,
    )
    fitted = learner.fit(None, progress) if learner.refits else calibrating.fitted
    manifest = ModelManifest(
        format=FORMAT,
        method=settings.method,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        blemish=version("blemish"),
        settings=settings,
        transform=good.transform,
        places=viewer.places,
        aligner=viewer.aligner,
        grid=learner.grid,
        backbone=good.backbone.manifest if good.backbone else None,
        calibration=calibration,
        images=[
            TrainingImage(path=image_name(source), group=part, height=kind.height, width=kind.width, motion=motion)
            for source, part, kind, motion in zip(sources, part_of, kinds, motions, strict=True)
        ],
    )
    return Detector(manifest, fitted, held_out, provider=resources.provider, threads=threads)


def good_images(
    sources: Sequence[Source],
    kinds: Sequence[ImageKind],
    settings: Settings,
    resources: Resources,
    progress: Progress = silent,
    *,
    size_asked: bool,
) -> GoodImages:
    """Choose the network and how all images are looked at; `size_asked` refuses a size the network would ignore."""
    kind = find_method(settings.method)
    backbone = load_backbone(settings.backbone) if kind.needs_backbone else None
    if backbone and (size_asked or settings.tiles):
        _check_size(settings, backbone)
    fixed = backbone.manifest.size if backbone else None
    transform = choose_transform(sources, kinds, settings, fixed, kind.stride(settings, backbone))
    viewer = _viewer(sources[0], kinds[0], transform, settings)
    return GoodImages(sources, viewer, settings, resources, backbone, progress)


def _sources(images: str | os.PathLike[str] | Sequence[Source]) -> Sequence[Source]:
    if isinstance(images, str | os.PathLike):
        return list_images([images])
    if isinstance(images, bytes | Image.Image):
        raise OptionError("fit takes a folder, a pattern or a list of images, not one image; give at least 2.")
    return list(images)


def _check_groups(sources: Sequence[Source], groups: Sequence[str] | None) -> list[str]:
    """The group of each image; by default every image shows a part of its own."""
    if groups is None:
        return [f"{image_name(source)}#{number}" for number, source in enumerate(sources)]
    if len(groups) != len(sources):
        raise OptionError(f"{len(groups)} groups were given for {len(sources)} images; give one for each image.")
    return list(groups)


def _check_size(settings: Settings, backbone: Backbone) -> None:
    """Refuse a size, or tiles, that a network of fixed size would ignore."""
    fixed = backbone.manifest.size
    if fixed is None:
        return
    asked = settings.size if isinstance(settings.size, tuple) else (settings.size, settings.size)
    for option, ignored in (("tiles", settings.tiles is not None), ("size", asked not in (fixed, ("auto", "auto")))):
        if ignored:
            raise OptionError(
                f"Option {option}={getattr(settings, option)} cannot be used: the network {backbone.manifest.name} "
                f"takes {fixed[0]}x{fixed[1]} only; leave {option} out."
            )


def _viewer(first: Source, kind: ImageKind, transform: Transform, settings: Settings) -> Viewer:
    """Look at all images as at the first one: areas are drawn on it, and parts aligned to it."""
    places = Places.drawn(settings.include, settings.ignore, kind.height, kind.width)
    aligner = None if settings.align == "none" else Aligner.to(read_image(first), settings.align)
    return Viewer(transform, places, aligner)


def _motion(viewer: Viewer, source: Source) -> tuple[float, ...] | None:
    """How one image is aligned, row by row."""
    if viewer.aligner is None:
        return None
    return tuple(viewer.aligner(read_image(source), image_name(source)).ravel().tolist())


class _Calibrating:
    """Scores held-out good images by a method fitted on all others, which it keeps."""

    fitted: Fitted

    def __init__(self, learner: Learner, at_once: int, threads: int) -> None:
        """`at_once` images are scored at a time, each by so many threads."""
        self._learner = learner
        self._at_once = at_once
        self._threads = threads

    def __call__(self, held_out: Bools) -> tuple[Doubles, Doubles]:
        """Image scores and map peaks of the held-out images."""
        self.fitted = self._learner.fit(~held_out)
        images = self._learner.features(self.fitted, [int(image) for image in np.flatnonzero(held_out)])
        score = partial(_score_and_peak, self.fitted.method, self._threads)
        answers = list(stream(score, images, threads=self._at_once))
        return np.array([score for score, _ in answers]), np.array([peak for _, peak in answers])


def _score_and_peak(method: Method, threads: int, features: Features) -> tuple[float, float]:
    scores = method.score(features, threads=threads)
    return scores.image, scores.peak
