"""Fit a detector on good images: size, patches, memory bank, thresholds."""

import datetime
import math
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from blemish.arrays import Bools, Doubles
from blemish.detector import Detector
from blemish.errors import DataError, ImageError, OptionError
from blemish.features.backbone import Backbone, load_backbone
from blemish.features.extract import Extractor
from blemish.features.graph import build_graph, choose_taps
from blemish.features.patches import ImagePatches, TrainingPatches, gather
from blemish.images.read import ImageKind, PixelType, Source, image_name, probe_image, read_image
from blemish.images.samples import list_images
from blemish.images.transform import Transform
from blemish.memory.store import ModelManifest, TrainingImage
from blemish.patchcore import PatchCore
from blemish.progress import Progress, silent
from blemish.scoring.calibrate import calibrate
from blemish.scoring.heatmap import anomaly_map, spread
from blemish.settings import Settings, make_settings
from blemish.stream import available_threads, stream

__all__ = ["fit"]

RANGE_IMAGES = 64
"""So many images, evenly spread, set the range of 16-bit and float pixels."""


def fit(
    images: str | Path | Sequence[Source],
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
    settings = make_settings(**options)
    sources: Sequence[Source] = list_images([images]) if isinstance(images, str | Path) else list(images)
    part_of = _check_groups(sources, groups)
    kinds = [probe_image(source) for source in sources]
    backbone = load_backbone(settings.backbone)
    taps = choose_taps(backbone, settings.taps)
    transform = choose_transform(sources, kinds, settings, backbone, max(tap.stride for tap in taps))
    graph = build_graph(
        backbone,
        taps,
        patch_size=settings.patch_size,
        patch_stride=settings.patch_stride,
        merge=settings.merge,
        pixels="uint8" if transform.pixels == "uint8" else "uint16",
    )
    threads = settings.threads or available_threads()
    extractor = Extractor(graph, transform.height, transform.width, provider=settings.provider)
    extract = partial(_extract, transform, extractor)
    patches = gather(stream(extract, sources, threads=threads), len(sources), progress=progress)
    calibration, scores, peaks = calibrate(
        partial(_held_out_scores, patches, settings, transform),
        part_of,
        quantile=settings.quantile,
        folds=settings.folds,
        seed=settings.seed,
        progress=progress,
    )
    manifest = ModelManifest(
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
    method = PatchCore.fit(patches, settings, progress=progress)
    return Detector(manifest, method, graph, scores, peaks, provider=settings.provider, threads=threads)


def _check_groups(sources: Sequence[Source], groups: Sequence[str] | None) -> list[str]:
    """The group of each image; by default every image shows a part of its own."""
    if groups is None:
        return [f"{image_name(source)}#{number}" for number, source in enumerate(sources)]
    if len(groups) != len(sources):
        raise OptionError(f"{len(groups)} groups were given for {len(sources)} images; give one for each image.")
    return list(groups)


def choose_transform(
    sources: Sequence[Source], kinds: Sequence[ImageKind], settings: Settings, backbone: Backbone, stride: int
) -> Transform:
    """One input size for all images: the target area in their median aspect, rounded to the stride."""
    if not sources:
        raise DataError("No images were given; at least 2 good images are needed.")
    pixels = _common_pixels(sources, kinds)
    low, high = settings.pixel_range or _pixel_range(sources, pixels)
    height, width = backbone.manifest.size or _input_size(kinds, settings, stride)
    return Transform(height=height, width=width, resize=settings.resize, pixels=pixels, low=low, high=high)


def _input_size(kinds: Sequence[ImageKind], settings: Settings, stride: int) -> tuple[int, int]:
    if isinstance(settings.size, tuple):
        height, width = map(float, settings.size)
    else:
        # The median of logarithms treats 2:1 and 1:2 alike.
        aspect = math.exp(np.median([math.log(kind.width / kind.height) for kind in kinds]))
        if settings.resize == "crop":
            aspect = 1.0
        height, width = settings.size / math.sqrt(aspect), settings.size * math.sqrt(aspect)
    return max(stride, round(height / stride) * stride), max(stride, round(width / stride) * stride)


def _common_pixels(sources: Sequence[Source], kinds: Sequence[ImageKind]) -> PixelType:
    first = kinds[0]
    for source, kind in zip(sources, kinds, strict=True):
        if kind.pixels != first.pixels:
            raise DataError(
                f"{image_name(sources[0])} has {first.pixels} pixels but {image_name(source)} has {kind.pixels}; "
                f"fit on images of one kind."
            )
    return first.pixels


class PixelRange(NamedTuple):
    low: float
    high: float


def _pixel_range(sources: Sequence[Source], pixels: PixelType) -> PixelRange:
    """The values the good images use, with a tenth to spare on both sides for what defects may add."""
    if pixels == "uint8":
        return PixelRange(0.0, 255.0)
    some = sources[:: math.ceil(len(sources) / RANGE_IMAGES)]
    extremes = [np.percentile(read_image(source), [0.1, 99.9]) for source in some]
    low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
    if low == high:
        raise ImageError(f"The good images hold a single value ({low:g}) everywhere; nothing can be learnt from them.")
    spare = (high - low) / 10
    return PixelRange(float(low - spare), float(high + spare))


def _extract(transform: Transform, extractor: Extractor, source: Source) -> ImagePatches:
    sized, placement = transform(read_image(source), image_name(source))
    grid_hwD = extractor(sized)
    if not np.isfinite(grid_hwD).all():
        raise ImageError(f"{image_name(source)} makes the network answer NaN or infinity; leave it out.")
    return ImagePatches(grid_hwD, placement.window(grid_hwD.shape[:2], transform.height, transform.width))


def _held_out_scores(
    patches: TrainingPatches, settings: Settings, transform: Transform, held_out: Bools
) -> tuple[Doubles, Doubles]:
    """Image scores and map peaks of the held-out images, by a memory of all others."""
    method = PatchCore.fit(patches.of_images(~held_out), settings)
    scores, peaks = [], []
    for image in np.flatnonzero(held_out):
        answer = method.score(patches.values_ND[patches.of_image(int(image))])
        scores_hw = spread(answer.patches_Q, patches.windows[image], patches.grid)
        scores.append(answer.image)
        peaks.append(float(anomaly_map(scores_hw, transform.height, transform.width, settings.sigma).max()))
    return np.array(scores), np.array(peaks)
