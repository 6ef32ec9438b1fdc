"""Fit a detector on good images: size, patches, memory bank, thresholds."""

import datetime
import os
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
from PIL import Image

from blemish.arrays import Bools, Doubles
from blemish.detector import Detector
from blemish.errors import ImageError, OptionError
from blemish.features.backbone import Backbone, load_backbone
from blemish.features.extract import AnyExtractor, make_extractor
from blemish.features.graph import build_graph, choose_taps
from blemish.features.patches import ImagePatches
from blemish.images.choose import choose_transform
from blemish.images.read import Source, image_name, probe_image, read_image
from blemish.images.samples import list_images
from blemish.images.transform import Transform
from blemish.memory.store import FORMAT, ModelManifest, TrainingImage
from blemish.memory.training import TrainingPatches, gather
from blemish.patchcore import PatchCore, coreset_shard, patch_store
from blemish.progress import Progress, silent
from blemish.scoring.calibrate import calibrate
from blemish.settings import Settings, divide_options
from blemish.stream import available_threads, stream

__all__ = ["fit"]


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
    backbone = load_backbone(settings.backbone)
    if "size" in options:
        _check_size(settings, backbone)
    taps = choose_taps(backbone, settings.taps)
    transform = choose_transform(sources, kinds, settings, backbone.manifest.size, max(tap.stride for tap in taps))
    graph = build_graph(
        backbone,
        taps,
        patch_size=settings.patch_size,
        patch_stride=settings.patch_stride,
        merge=settings.merge,
        pixels="uint8" if transform.pixels == "uint8" else "uint16",
    )
    extractor = make_extractor(graph, transform.height, transform.width, provider=resources.provider)
    extract = partial(_extract, transform, extractor)
    room = partial(patch_store, resources=resources)
    patches = gather(stream(extract, sources, threads=threads), len(sources), room, progress=progress)
    shard = coreset_shard(patches, settings, resources)

    def fit_method(images: Bools | None, progress: Progress = silent) -> PatchCore:
        return PatchCore.fit(patches, shard, settings, transform, images=images, progress=progress)

    calibration, scores, peaks = calibrate(
        partial(_held_out_scores, fit_method, patches, threads),
        part_of,
        quantile=settings.quantile,
        folds=settings.folds,
        seed=settings.seed,
        progress=progress,
    )
    manifest = ModelManifest(
        format=FORMAT,
        method="patchcore",
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        blemish=version("blemish"),
        settings=settings,
        transform=transform,
        grid=patches.grid,
        backbone=backbone.manifest,
        calibration=calibration,
        images=[
            TrainingImage(path=image_name(source), group=part, height=kind.height, width=kind.width)
            for source, part, kind in zip(sources, part_of, kinds, strict=True)
        ],
    )
    method = fit_method(None, progress)
    return Detector(manifest, method, graph, scores, peaks, provider=resources.provider, threads=threads)


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
    """Refuse a size that a network of fixed size would ignore."""
    fixed = backbone.manifest.size
    asked = settings.size if isinstance(settings.size, tuple) else (settings.size, settings.size)
    if fixed and asked != fixed:
        raise OptionError(
            f"Option size={settings.size} cannot be used: the network {backbone.manifest.name} takes "
            f"{fixed[0]}x{fixed[1]} only; leave size out."
        )


def _extract(transform: Transform, extractor: AnyExtractor, source: Source) -> ImagePatches:
    sized, placement = transform(read_image(source), image_name(source))
    grid_hwD = extractor(sized)
    if not np.isfinite(grid_hwD).all():
        raise ImageError(f"{image_name(source)} makes the network answer NaN or infinity; leave it out.")
    return ImagePatches.seen(grid_hwD, placement.window(grid_hwD.shape[:2], transform.height, transform.width))


def _held_out_scores(
    fit_method: Callable[[Bools], PatchCore], patches: TrainingPatches, threads: int, held_out: Bools
) -> tuple[Doubles, Doubles]:
    """Image scores and map peaks of the held-out images, by a memory of all others."""
    method = fit_method(~held_out)
    images = (patches.of_image(int(image)) for image in np.flatnonzero(held_out))
    answers = list(stream(lambda image: _score_and_peak(method, image), images, threads=threads))
    return np.array([score for score, _ in answers]), np.array([peak for _, peak in answers])


def _score_and_peak(method: PatchCore, patches: ImagePatches) -> tuple[float, float]:
    answer = method.score(patches)
    return answer.image, float(answer.map_HW.max())
