"""The object users hold: a fitted method with its transform, graph and thresholds."""

import copy
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from blemish.arrays import Array, Bools, Floats
from blemish.backbones.network import open_network
from blemish.calibration.held_out import HeldOut
from blemish.calibration.thresholds import Calibration
from blemish.errors import BackboneError, DataError, ImageError, ModelFileError, OptionError
from blemish.features.extract import AnyExtractor
from blemish.features.patches import Clock, Look, look
from blemish.features.tiles import extractor_for
from blemish.images.read import Channels, Source, image_name
from blemish.images.sources import check_groups, list_sources
from blemish.images.training_image import TrainingImage
from blemish.methods.method import Fitted, Method, Scores
from blemish.methods.patchcore import PatchCore
from blemish.methods.registry import find_method
from blemish.model.feedback import Seen, added, numbers_of, removed
from blemish.model.file import read_model, write_model
from blemish.model.journal import Steps, journal_tensors
from blemish.model.manifest import Change, ModelManifest
from blemish.model.model import Model, read_history, recalibrated, undone
from blemish.result import Region, Result, Verdict
from blemish.scoring.picture import InspectedImage
from blemish.scoring.reasons import Reasons
from blemish.scoring.regions import find_regions
from blemish.system.stream import available_threads, stream

__all__ = ["Detector", "load"]

TOLD = {"name", "source", "licence", "sha256"}
"""Of each network, in `info`."""


class Detector:
    """Inspects images; made by `blemish.fit` or `blemish.load`."""

    def __init__(
        self,
        manifest: ModelManifest,
        fitted: Fitted,
        held_out: HeldOut,
        *,
        provider: str,
        threads: int,
        history: Mapping[int, Steps] | None = None,
    ) -> None:
        self.manifest = manifest
        self.method = fitted.method
        self.graph = fitted.graph
        self.held_out = held_out
        """What good training images score by a method that never saw them."""
        self.history = history or {}
        """What each change took out of the memory, by its number in the journal."""
        self.provider = provider
        self.threads = threads
        self._viewer = manifest.viewer
        self._at_once, share = manifest.transform.share(threads)
        # Made at once, so that a provider that is not there is told before anything is written.
        self._shared = self._extractor(share)

    @property
    def threshold(self) -> float:
        """Scores above it are NG."""
        return self.manifest.calibration.threshold

    @property
    def held_out_groups(self) -> list[str]:
        """The group of each image that the thresholds rest on."""
        return [self.manifest.images[image].group for image in self.held_out.image_M]

    def inspect(self, image: Source, *, channels: Channels = "RGB") -> Result:
        """Score one image on all threads; `channels="BGR"` says that an array is in OpenCV's order.

        Raises ImageError where the image cannot be read or is of another kind than those fitted on.
        """
        return self._inspect(image, self._all_threads, channels)

    def inspect_many(self, images: Iterable[Source], *, channels: Channels = "RGB") -> Iterator[Result]:
        """Score images one after the other, in order, one per thread (tiled ones on all), holding only a few at a time.

        An image that cannot be used gets the verdict ERROR, and the rest goes on. Arrays are not copied: do not write
        into one before its result has come.
        """
        yield from stream(partial(self._inspect_or_error, channels=channels), images, threads=self._at_once)

    def score_many(self, images: Iterable[Source]) -> Iterator[Scores]:
        """What the method says of images, in order: image score, and map at the size of the network's input.

        Raises ImageError for the first image that cannot be used.
        """
        yield from stream(lambda image: self._score(image, self._shared)[0], images, threads=self._at_once)

    def recalibrated(
        self, new: Sequence[TrainingImage], held_out: HeldOut, calibration: Calibration, *, who: str | None = None
    ) -> "Detector":
        """The same detector with thresholds that rest on these scores, written into the journal.

        `new` are the images that `held_out` counts and the model does not list yet.
        """
        detector = copy.copy(self)
        detector._take(recalibrated(self._model(), new, held_out, calibration, who))
        return detector

    @property
    def journal(self) -> list[Change]:
        """The changes made after fitting, oldest first."""
        return list(self.manifest.journal)

    def add(
        self,
        images: str | os.PathLike[str] | Sequence[Source],
        *,
        groups: Sequence[str] | None = None,
        who: str | None = None,
    ) -> Change:
        """Put images of good parts into the memory, such as those rejected by mistake; each is OK from then on.

        Images and `groups` are given as to `fit`; `who` is for the journal, by default the user's name.
        Raises OptionError for another method than patchcore, DataError for images that are in the model already, and
        ImageError for those that cannot be used; then nothing is changed.
        """
        model = self._learning_model()
        sources = list_sources(images)
        if not sources:
            raise DataError("No images were given; name good ones that are to be added.")
        parts = check_groups(sources, groups)
        seen = list(stream(self._seen, zip(sources, parts, strict=True), threads=self._at_once))
        self._take(added(model, seen, who=who, threads=self.threads))
        return self.manifest.journal[-1]

    def remove(self, images: Sequence[str | os.PathLike[str] | int], *, who: str | None = None) -> Change:
        """Take training images, by their names or their places in `manifest.images`, out of memory and calibration.

        Raises OptionError for another method than patchcore, DataError for a name that is not in the model, or where
        none would remain; then nothing is changed.
        """
        model = self._learning_model()
        numbers = numbers_of(self.manifest.images, images)
        self._take(removed(model, numbers, who=who))
        return self.manifest.journal[-1]

    def undo(self) -> Change:
        """Take the last change back, bit for bit, be it of the memory or of the thresholds.

        Raises DataError where there is none.
        """
        model = undone(self._model())
        last = self.manifest.journal[-1]
        self._take(model)
        return last

    def _model(self) -> Model:
        return Model(self.manifest, self.method, self.held_out, self.history)

    def _learning_model(self) -> Model:
        if not isinstance(self.method, PatchCore):
            raise OptionError(
                f"A model of the method {self.manifest.method} cannot learn on the line, only one of patchcore; fit it "
                f"again with the images it is to know."
            )
        if self.manifest.settings.tile_banks == "each":
            raise OptionError("A model with a bank for each tile cannot learn on the line; fit it with tile_banks=one.")
        return self._model()

    def _take(self, model: Model) -> None:
        """Be this model from now on."""
        self.manifest, self.method = model.manifest, model.method
        self.held_out, self.history = model.held_out, model.history

    def _seen(self, source_and_part: tuple[Source, str]) -> Seen:
        source, part = source_and_part
        return Seen.of(look(source, self._viewer, self._shared), image_name(source), part)

    def save(self, path: str | Path) -> None:
        """Write the model file, whole or not at all (docs/file-format.md). Raises ModelFileError."""
        tensors: dict[str, Array] = {
            **self.method.tensors(),
            "calibration.image": self.held_out.image_M,
            "calibration.scores": self.held_out.scores_M,
            "calibration.peaks": self.held_out.peaks_M,
            "graph.onnx": np.frombuffer(self.graph, np.uint8),
            **journal_tensors(self.history),
        }
        write_model(Path(path), self.manifest, tensors)

    def info(self) -> dict[str, Any]:
        """What this model is: settings, data, method, thresholds, backbone, and the provider in use."""
        manifest, backbone, more = self.manifest, self.manifest.backbone, self.manifest.more_backbones
        return {
            "method": manifest.method,
            "created": manifest.created,
            "blemish": manifest.blemish,
            "format": manifest.format,
            "input": {"height": manifest.transform.height, "width": manifest.transform.width},
            "pixels": manifest.transform.pixels,
            "images": sum(image.in_memory for image in manifest.images),
            "groups": len({image.group for image in manifest.images if image.in_memory}),
            **self.method.info(),
            "calibration": manifest.calibration.to_dict(),
            "backbone": backbone and backbone.model_dump(include=TOLD),
            **({"more_backbones": [each.model_dump(include=TOLD) for each in more]} if more else {}),
            "provider": self.provider,
            "threads": self.threads,
            "settings": manifest.settings.model_dump(),
        }

    @cached_property
    def _all_threads(self) -> AnyExtractor:
        return self._shared if self._shared.threads == self.threads else self._extractor(self.threads)

    def _extractor(self, threads: int) -> AnyExtractor:
        return extractor_for(self.graph, self.manifest.transform, provider=self.provider, threads=threads)

    def _inspect_or_error(self, image: Source, *, channels: Channels) -> Result:
        try:
            return self._inspect(image, self._shared, channels)
        except ImageError as error:
            return Result(image_name(image), Verdict.ERROR, float("nan"), self.threshold, error=str(error))

    def _inspect(self, image: Source, extractor: AnyExtractor, channels: Channels) -> Result:
        try:
            return self._whole_way(image, extractor, channels)
        except MemoryError:
            raise ImageError(f"{image_name(image)} does not fit in memory; tile or shrink it first.") from None

    def _whole_way(self, image: Source, extractor: AnyExtractor, channels: Channels) -> Result:
        """The whole way of one image: read, size, network, search, map, regions, verdict."""
        clock = Clock()
        calibration = self.manifest.calibration
        answer, seen = self._score(image, extractor, channels, clock)
        view = seen.view
        map_HW = None if answer.map_HW is None else view.to_image(answer.map_HW)
        mask_HW, regions = (None, []) if map_HW is None else self._regions(map_HW)
        clock.lap("map")
        reasons = Reasons(answer.matches, view, self._viewer, self.manifest.images) if answer.matches else None
        return Result(
            path=image_name(image),
            verdict=calibration.verdict(answer.image),
            score=answer.image,
            threshold=calibration.threshold,
            review_threshold=calibration.review_threshold,
            percentile=self.held_out.percentile(answer.image),
            anomaly_map=map_HW,
            mask=mask_HW,
            regions=[reasons.explain(region) for region in regions] if reasons else regions,
            nearest=reasons.nearest() if reasons else None,
            matches=answer.matches,
            timings=clock.seconds,
            picture=InspectedImage(seen.kept, self.manifest.transform, calibration),
        )

    def _regions(self, map_HW: Floats) -> tuple[Bools, list[Region]]:
        calibration = self.manifest.calibration
        return find_regions(map_HW, calibration.map_threshold, calibration.map_extent)

    def _score(
        self, image: Source, extractor: AnyExtractor, channels: Channels = "RGB", clock: Clock | None = None
    ) -> tuple[Scores, Look]:
        """Read, size, network, search: what the method says of one image, and what was looked at."""
        clock = clock or Clock()
        seen = look(image, self._viewer, extractor, channels=channels, clock=clock)
        try:
            answer = self.method.score(seen.features, threads=extractor.threads)
        except ImageError as error:
            raise ImageError(f"{image_name(image)} {error}") from None
        clock.lap("search")
        return answer, seen


def load(path: str | Path, *, provider: str = "cpu", threads: int | None = None) -> Detector:
    """Read a model file and make its detector.

    Raises ModelFileError naming the field that is wrong, ProviderError where the provider is not there.
    """
    if threads is not None and threads < 1:
        raise OptionError(f"threads={threads} cannot be used: give 1 or more, or None for all that are available.")
    manifest, tensors = read_model(Path(path))
    graph = tensors["graph.onnx"].tobytes()
    try:
        open_network(graph)
    except BackboneError as error:
        raise ModelFileError(f"{path} cannot be used: tensor graph.onnx: {error}") from None
    method = find_method(manifest.method).restore(tensors, manifest.settings, manifest.transform)
    held_out = HeldOut(tensors["calibration.image"], tensors["calibration.scores"], tensors["calibration.peaks"])
    return Detector(
        manifest,
        Fitted(method, graph),
        held_out,
        provider=provider,
        threads=threads or available_threads(),
        history=_history(Path(path), manifest, method, held_out, tensors),
    )


def _history(
    path: Path, manifest: ModelManifest, method: Method, held_out: HeldOut, tensors: Mapping[str, Array]
) -> Mapping[int, Steps]:
    """What it takes to undo the changes in the journal. Raises ModelFileError where some of it is missing."""
    model = Model(manifest, method, held_out, {})
    if unknown := {name for change in manifest.journal for name in change.added.keys() - model.tables.keys()}:
        raise ModelFileError(f"{path} is damaged: its journal names a table {min(unknown)}, which it does not have.")
    history = read_history(model, tensors)
    for number, steps in history.items():
        for name, step in steps.items():
            if len(step.taken_at) != manifest.journal[number].taken.get(name):
                raise ModelFileError(f"{path} is damaged: what change {number} took out of {name} is not all there.")
    return history
