"""The object users hold: one model, and the hardware that looks at images for it."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from blemish.errors import BackboneError, DataError, ImageError, ModelFileError, OptionError
from blemish.features.patches import look
from blemish.features.tiles import Extractors
from blemish.images.motions import all_of
from blemish.images.parts import named_parts
from blemish.images.read import Channels, Source, image_name
from blemish.images.rules import Rules
from blemish.images.sources import Images, each_source, list_sources
from blemish.images.training_image import TrainingImage
from blemish.images.transform import Viewer
from blemish.methods.good_images import Workers
from blemish.methods.method import Scores
from blemish.model.feedback import Seen, added, numbers_of, removed
from blemish.model.file import model_bytes, model_of, read_model, write_model
from blemish.model.inspection import Inspector, digest_of
from blemish.model.manifest import Change, ModelManifest
from blemish.model.model import Model, undone
from blemish.model.signature import Trusted
from blemish.model.suspects import suspects, without_suspects
from blemish.model.trial import try_out
from blemish.result import Result
from blemish.system.address import place_of
from blemish.system.conducts import Answer, Conducts, Once, only
from blemish.system.progress import Progress
from blemish.system.stream import available_threads, stream

__all__ = ["Detector", "load"]


@dataclass(frozen=True, eq=False, repr=False)
class Detector:
    """Inspects images by one model; made by `blemish.fit` or `blemish.load`.

    A detector never changes: `add`, `remove`, `undo` and `blemish.calibrate` return a new one. So it may be shared by
    threads, and every result comes from one model, which `Result.model` names. Pickling keeps the bytes of the model
    file, with the provider and the number of threads.
    """

    model: Model
    """What was learnt: memory bank, thresholds, scores of held-out good images, journal, network."""
    extractors: Extractors
    """What runs the network: provider and threads."""
    accept_damaged: bool = False
    """Whether damaged files are read, as far as they can be, and not refused."""
    max_pixels: int | None = None
    """The pixels of the largest image that is read; None: 16 times the largest good image."""
    notes: tuple[str, ...] = ()
    """What `fit` noticed about the good images, a sentence each; not part of the model."""

    @classmethod
    def of(
        cls,
        model: Model,
        *,
        provider: str = "cpu",
        threads: int | None = None,
        accept_damaged: bool = False,
        max_pixels: int | None = None,
    ) -> "Detector":
        """The detector of a model.

        Args:
            model: What was learnt.
            provider: The hardware that runs the network: cpu, cuda, openvino, ...
            threads: How many processors to use; None for all that are available.
            accept_damaged: Read files that are damaged, as far as they can be, instead of refusing them.
            max_pixels: Pixels of the largest image that is read; None: 16 times the largest good image.

        Raises:
            ProviderError: The provider is not there.
            OptionError: Fewer threads or pixels than one.
        """
        if max_pixels is not None and max_pixels < 1:
            raise OptionError(f"max_pixels={max_pixels} cannot be used: give 1 or more, or None.")
        if threads is not None and threads < 1:
            raise OptionError(f"threads={threads} cannot be used: give 1 or more, or None for all that are available.")
        transform = model.manifest.transform
        extractors = Extractors(model.graph, transform, provider, threads or available_threads())
        return cls(model, extractors, accept_damaged, max_pixels)

    def with_model(self, model: Model) -> "Detector":
        """A detector of another `model` with the same graph and transform, on the hardware prepared for this one."""
        return replace(self, model=model)

    @cached_property
    def viewer(self) -> Viewer:
        """How every image is read and looked at."""
        viewer = self.manifest.viewer
        if self.max_pixels is not None:
            rules = Rules.of(max_pixels=self.max_pixels, nodata=viewer.rules.nodata)
            viewer = replace(viewer, rules=rules)
        return replace(viewer, rules=replace(viewer.rules, accept_damaged=self.accept_damaged))

    @cached_property
    def _inspector(self) -> Inspector:
        return Inspector(self.model, self.viewer)

    @property
    def manifest(self) -> ModelManifest:
        """What the model file says of the model: images, settings, calibration, journal."""
        return self.model.manifest

    @property
    def threshold(self) -> float:
        """Scores above it are NG."""
        return self.manifest.calibration.threshold

    @property
    def journal(self) -> list[Change]:
        """The changes made after fitting, oldest first."""
        return list(self.manifest.journal)

    def inspect(self, image: Source, *, channels: Channels = "RGB") -> Result:
        """Score one image on all threads.

        Args:
            image: A path, encoded bytes, a Pillow image, or an array (H x W, or H x W x 3; uint8, uint16 or float32).
            channels: The order of an array's channels: "RGB", or "BGR" as OpenCV has it.

        Returns:
            Verdict, score, anomaly map (H x W, float32) and regions, in pixels of the image as it came.

        Raises:
            ImageError: The image cannot be read, or is of another kind than those fitted on.
        """
        return self._inspector.inspect(image, self.extractors.alone, channels)

    def inspect_many(self, images: Images, *, channels: Channels = "RGB", recursive: bool = False) -> Iterator[Result]:
        """Score images one after the other, in order, one per thread (tiled ones on all), holding only a few at a time.

        An image that cannot be used gets the verdict ERROR, and the rest goes on.

        Args:
            images: As for `fit`: a folder, a pattern, a list or a generator, of which only a few are taken ahead. Of a
                pair (name, image), the name becomes the result's `path`. Do not write into an array before its
                result has come.
            channels: The order of the channels in arrays: "RGB" or "BGR".
            recursive: Read the folders inside folders, too.

        Returns:
            An iterator over one result an image.

        Raises:
            DataError: There are no images; at once, or where a generator ends.
        """
        sources, inspector, extractors = each_source(images, recursive=recursive), self._inspector, self.extractors
        return stream(
            lambda image: inspector.inspect_or_error(image, extractors.shared, channels),
            sources,
            threads=extractors.at_once,
        )

    def score_many(self, images: Iterable[Source]) -> Iterator[Scores]:
        """What the method says of images, without verdicts.

        Args:
            images: Images as `inspect` takes them.

        Returns:
            An iterator over image score and map (float32, at the size of the network's input), in order.

        Raises:
            ImageError: For the first image that cannot be used.
        """
        for scores in self._scored(images):
            if isinstance(scores, ImageError):
                raise scores
            yield scores

    def score_all(
        self, images: Sequence[Source], take: Callable[[Scores], Answer], step: str, progress: Progress
    ) -> list[Answer]:
        """What is taken of what the method says of each image.

        Args:
            images: Images as `inspect` takes them.
            take: What to keep of the scores of one image.
            step: Under which name `progress` is told.
            progress: Where it reports.

        Raises:
            ImageError: That names all images that cannot be used.
        """
        answers, errors = [], []
        for number, scores in enumerate(self._scored(images), start=1):
            if isinstance(scores, ImageError):
                errors.append(scores)
            else:
                answers.append(take(scores))
            progress(step, number, len(images))
        if errors:
            raise all_of(errors, len(images), aligned=self.viewer.aligner is not None)
        return answers

    def _scored(self, images: Iterable[Source]) -> Iterator[Scores | ImageError]:
        inspector, extractors = self._inspector, self.extractors

        def score(image: Source) -> Scores | ImageError:
            try:
                return inspector.score(image, extractors.shared)[0]
            except ImageError as error:
                return error

        return stream(score, images, threads=extractors.at_once)

    def known(
        self, images: Sequence[Source], *, cluster: Workers | Conducts | None = None
    ) -> list[TrainingImage | None]:
        """Which images of the model show the same pixels as each of these, under whatever name.

        Args:
            images: Images as `inspect` takes them.
            cluster: Machines that look at them, from `blemish.connect`; images are then files that all can read.

        Returns:
            For each, the image of the model; None where there is none, or the image cannot be read.
        """
        if isinstance(cluster, Conducts):
            return only(cluster.conduct(Once(partial(self._known, images))))
        by_pixels = {image.pixels: image for image in reversed(self.manifest.images) if image.pixels}
        digest = partial(digest_of, self.viewer)
        threads = self.extractors.threads
        digests = cluster.stream(digest, images) if cluster else stream(digest, images, threads=threads)
        return [by_pixels.get(digest) for digest in digests]

    def _known(self, images: Sequence[Source], *, cluster: Workers, progress: Progress) -> list[TrainingImage | None]:
        return self.known(images, cluster=cluster)

    def add(
        self,
        images: Images,
        *,
        groups: Sequence[str] | None = None,
        recursive: bool = False,
        who: str | None = None,
    ) -> "Detector":
        """A detector that also knows these good parts, such as those rejected by mistake; each is OK from then on.

        Args:
            images: Good images, as `fit` takes them.
            groups: The part that each image shows, as for `fit`.
            recursive: Read the folders inside folders, too.
            who: For the journal; by default the user's name.

        Returns:
            A new detector; this one stays as it is.

        Raises:
            OptionError: The model cannot learn.
            DataError: An image is in the model already, or there are none.
            ImageError: An image cannot be used.
        """
        self.model.check_learns()
        sources = list_sources(images, recursive=recursive)
        if not sources:
            raise DataError("No images were given; name good ones that are to be added.")
        parts = named_parts(sources, groups, [image.group for image in self.manifest.images])
        found = list(stream(self._seen, zip(sources, parts, strict=True), threads=self.extractors.at_once))
        if errors := [each for each in found if isinstance(each, ImageError)]:
            raise all_of(errors, len(found), aligned=self.viewer.aligner is not None)
        seen = [each for each in found if not isinstance(each, ImageError)]
        return self.with_model(added(self.model, seen, who=who, threads=self.extractors.threads))

    def remove(self, images: Sequence[str | os.PathLike[str] | int], *, who: str | None = None) -> "Detector":
        """A detector without some training images in memory and calibration.

        Args:
            images: Their names, their parts (`group`), or their places in `manifest.images`.
            who: For the journal; by default the user's name.

        Returns:
            A new detector; this one stays as it is.

        Raises:
            OptionError: The model cannot learn.
            DataError: A name is not in the model, or stands for images of several parts; or no image would remain.
        """
        self.model.check_learns()
        numbers = numbers_of(self.manifest.images, images)
        return self.with_model(removed(self.model, numbers, who=who))

    @property
    def suspects(self) -> list[TrainingImage]:
        """The good images in the model that look like defects, the highest score by a memory without it first."""
        return suspects(self.manifest.images)

    def without_suspects(self, *, who: str | None = None) -> "Detector":
        """A detector without its suspects in memory and calibration; `undo` brings them back.

        Args:
            who: For the journal; by default the user's name.

        Returns:
            A new detector; this one where there are no suspects.

        Raises:
            OptionError: The model cannot learn.
            DataError: No image would remain.
        """
        if not self.suspects:
            return self
        self.model.check_learns()
        return self.with_model(without_suspects(self.model, who=who))

    def undo(self) -> "Detector":
        """The detector before the last change of memory or thresholds, bit for bit.

        Raises:
            DataError: Nothing was changed.
        """
        return self.with_model(undone(self.model))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file, whole or not at all (docs/file-format.md).

        Args:
            path: The file, or its address in a bucket; one that is there is replaced.

        Raises:
            ModelFileError: The file cannot be written.
        """
        write_model(place_of(path), self.model)

    def info(self) -> dict[str, Any]:
        """What this model is: settings, data, method, thresholds, backbone, and the provider in use."""
        return self.model.info(self.extractors.provider, self.extractors.threads)

    def __repr__(self) -> str:
        return f"Detector({self.model})"

    def __reduce__(self) -> tuple[Any, ...]:
        machine = self.extractors.provider, self.extractors.threads
        return _unpickled, (model_bytes(self.model), *machine, self.accept_damaged, self.max_pixels)

    def __copy__(self) -> "Detector":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Detector":
        return self

    def _seen(self, source_and_part: tuple[Source, str]) -> Seen | ImageError:
        source, part = source_and_part
        try:
            return Seen.of(look(source, self.viewer, self.extractors.shared), image_name(source), part)
        except ImageError as error:  # all of them are told at once
            return error


def load(
    path: str | os.PathLike[str],
    *,
    provider: str = "cpu",
    threads: int | None = None,
    accept_damaged: bool = False,
    max_pixels: int | None = None,
    trusted: Trusted | None = None,
) -> Detector:
    """Read a model file, check it whole, try it on one grey image, and make its detector.

    Args:
        path: A model file of this version's format or an older one, or its address in a bucket.
        provider: The hardware that runs the network: cpu, cuda, openvino, ...
        threads: How many processors to use; None for all that are available.
        accept_damaged: Read image files that are damaged, as far as they can be, instead of refusing them.
        max_pixels: Pixels of the largest image that is read; None: 16 times the largest good image.
        trusted: Files of public keys (PEM, Ed25519), or one: a model that none of them has signed is refused.

    Raises:
        ModelFileError: The file is missing, damaged, newer or not signed by a trusted key; the message names the
            field that is wrong.
        OptionError: A key cannot be read, or the package cryptography is missing.
        ProviderError: The provider is not there.
    """
    model = read_model(place_of(path), trusted=trusted)
    return _tried(
        model,
        str(path),
        provider=provider,
        threads=threads,
        accept_damaged=accept_damaged,
        max_pixels=max_pixels,
    )


def _unpickled(content: bytes, provider: str, threads: int, accept_damaged: bool, max_pixels: int | None) -> Detector:
    """Raises ModelFileError where the bytes are damaged."""
    name = "The pickled detector"
    model = model_of(content, name)
    return _tried(model, name, provider=provider, threads=threads, accept_damaged=accept_damaged, max_pixels=max_pixels)


def _tried(model: Model, name: str, **hardware: Any) -> Detector:
    """The detector of a model that was read, after a trial image; `name` is for messages, the rest as for `of`."""
    try:
        detector = Detector.of(model, **hardware)
    except BackboneError as error:
        raise ModelFileError(f"{name} cannot be used: tensor graph.onnx: {error}") from None
    try_out(model, detector.extractors.shared, name)
    return detector
