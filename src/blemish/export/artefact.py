"""An export as a detector: it inspects by ONNX Runtime or OpenVINO, and knows no more than the file says."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pydantic import ValidationError

from blemish.arrays import Array
from blemish.calibration.held_out import HeldOut
from blemish.errors import ImageError, ModelFileError
from blemish.export.cells import sources_of
from blemish.export.document import DEVIATIONS, FORMAT, Document
from blemish.export.ir import read_ir
from blemish.export.runtimes import Runtime, in_onnx_runtime, in_openvino
from blemish.export.seal import unbroken
from blemish.features.patches import Clock
from blemish.images.read import Channels, Source, image_name, keep, read_image
from blemish.images.rules import Bounds, Rules
from blemish.images.sources import Images, each_source
from blemish.images.training_image import TrainingImage
from blemish.images.transform import View, Viewer
from blemish.methods.method import Scores
from blemish.model.inspection import Usual, judged
from blemish.result import Matches, Result, Verdict
from blemish.system.address import Address, Place, place_of
from blemish.system.stream import available_threads

__all__ = ["Artefact", "open_document"]


@dataclass(frozen=True, eq=False, repr=False)
class Artefact:
    """Inspects images by one export; made by `load`. It cannot learn, nor be calibrated: change the model, and export.

    Results are those of the model within what docs/export.md states.
    """

    document: Document
    run: Runtime
    """The graph, ready to run."""
    accept_damaged: bool = False
    """Whether image files that are damaged are read, as far as they can be."""

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, threads: int | None = None, accept_damaged: bool = False
    ) -> "Artefact":
        """Read an export, and check that it is whole.

        Args:
            path: An ONNX file, also in a bucket, or the .xml of an IR, made by `blemish export`.
            threads: How many processors to use; None for all that are available.
            accept_damaged: Read image files that are damaged, as far as they can be, instead of refusing them.

        Raises:
            ModelFileError: The file is missing, no export, changed after it was exported, or not for this runtime.
            ProviderError: It is an IR, and OpenVINO is missing.
        """
        path, threads = place_of(path), threads or available_threads()
        if path.suffix.lower() == ".xml":
            if isinstance(path, Address):
                raise ModelFileError(f"{path} is an address, and an IR is read as three files; copy them here.")
            run, text = in_openvino(*read_ir(path), str(path), threads)
        else:
            run, text = in_onnx_runtime(_whole(path), str(path), threads)
        return cls(open_document(text, str(path)), run, accept_damaged)

    @cached_property
    def viewer(self) -> Viewer:
        """How every image is read and looked at."""
        document = self.document
        bounds = Bounds(document.max_pixels, document.max_side)
        return Viewer(document.input, document.places, None, Rules(bounds, self.accept_damaged, document.nodata))

    def inspect(self, image: Source, *, channels: Channels = "RGB") -> Result:
        """Score one image.

        Args:
            image: As `Detector.inspect` takes it.
            channels: The order of an array's channels: "RGB" or "BGR".

        Returns:
            Verdict, score, anomaly map (H x W, float32) and regions, in pixels of the image as it came.

        Raises:
            ImageError: The image cannot be read, or is of another kind than those fitted on.
        """
        clock, document = Clock(), self.document
        kept = keep(image, channels=channels, rules=self.viewer.rules)
        pixels = read_image(kept, rules=self.viewer.rules)
        sized, view = self.viewer(pixels, image_name(image))
        if document.resizes:
            sized = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
        usual = Usual(document.end, document.measured)
        usual.check_measured(view)
        clock.lap("read")
        answer = self.score(sized, view)
        clock.lap("network")
        return judged(
            answer,
            kept,
            view,
            self.viewer,
            thresholds=document.thresholds,
            images=self._images,
            good=self._good,
            usual=usual,
            clock=clock,
            version=document.model[:12],
        )

    def inspect_many(self, images: Images, *, recursive: bool = False) -> Iterator[Result]:
        """Score images one after the other; one that cannot be used gets the verdict ERROR, and the rest goes on.

        Args:
            images: A folder, a pattern, a list or a generator.
            recursive: Read the folders inside folders, too.

        Returns:
            An iterator over one result an image.

        Raises:
            DataError: There are no images.
        """
        for image in each_source(images, recursive=recursive):
            try:
                yield self.inspect(image)
            except ImageError as error:
                nothing, threshold = float("nan"), self.document.thresholds.threshold
                version = self.document.model[:12]
                yield Result(image_name(image), Verdict.ERROR, nothing, threshold, error=str(error), model=version)

    def score(self, sized: Array, view: View) -> Scores:
        """What the graph answers.

        Args:
            sized: The image as the network takes it (height x width x 3, uint8 or uint16).
            view: How it was looked at, as `viewer` tells beside it.

        Returns:
            Image score and map (float32, at the size of the network's input), and the nearest row of each patch.

        Raises:
            ImageError: The graph cannot judge it.
        """
        document, feeds = self.document, {"image": sized}
        for cells in document.cells:
            grid = cells.rows, cells.columns
            feeds[cells.name] = sources_of(view.cells(grid, document.input.height, document.input.width))
        self._check_cells(view)
        answers = self.run(feeds)
        if not all(np.isfinite(answer).all() for answer in answers.values()):
            raise ImageError(f"{view.name} makes the network answer NaN or infinity; leave it out.")
        matches, is_distance = self._matches(answers, view), document.unit != DEVIATIONS
        return Scores(float(answers["score"][0]), answers.get("map"), matches, is_distance)

    @cached_property
    def _good(self) -> HeldOut:
        scores = np.array(self.document.good_scores)
        return HeldOut(np.arange(len(scores)), scores, scores)

    @cached_property
    def _images(self) -> list[TrainingImage]:
        images = self.document.memory.images if self.document.memory else []
        return [TrainingImage(path=each.path, group="", height=each.height, width=each.width) for each in images]

    @cached_property
    def _memory(self) -> tuple[Array, Array]:
        """The image of each row of the memory, and its place there."""
        assert self.document.memory is not None, "asked only where rows are answered"
        return np.array(self.document.memory.image, np.int64), np.array(self.document.memory.cell, np.int64)

    def _check_cells(self, view: View) -> None:
        """Refuse an image of another aspect, where the graph compares place by place."""
        only, document = self.document.only_cells, self.document
        if only is None:
            return
        seen_hw = view.cells(document.grid, document.input.height, document.input.width)
        if np.flatnonzero(seen_hw).tolist() != only:
            raise ImageError(f"{view.name} has another aspect than the good images; bring it to theirs.")

    def _matches(self, answers: dict[str, Array], view: View) -> Matches | None:
        if "nearest" not in answers:
            return None
        grid = answers["nearest"].shape
        at_Q = np.flatnonzero(view.cells(grid, self.document.input.height, self.document.input.width))
        image_K, cell_K = self._memory
        row_Q = answers["nearest"].ravel()[at_Q]
        return Matches(at_Q, image_K[row_Q], cell_K[row_Q], answers["distance"].ravel()[at_Q], grid)

    def __repr__(self) -> str:
        return f"Artefact({self.document.method}, model {self.document.model[:12]})"


def _whole(path: Place) -> bytes:
    """An ONNX file whose seal is unbroken."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error.strerror or error}).") from None
    whole = unbroken(content)
    if whole is None:
        raise ModelFileError(f"{path} is no export of blemish, or it was changed; make one with blemish export.")
    if not whole:
        raise ModelFileError(f"{path} was changed after it was exported (its SHA-256 differs); export it again.")
    return content


def open_document(text: str, name: str) -> Document:
    """What an export says of itself. Raises ModelFileError where it is from a newer version, or damaged."""
    try:
        return Document.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "its text"
        if _format(text) > FORMAT:
            raise ModelFileError(f"{name} was made by a newer blemish; install that version to read it.") from None
        raise ModelFileError(f"{name} cannot be used: {field} of its metadata: {first['msg']}.") from None


def _format(text: str) -> int:
    try:
        return int(json.loads(text)["format"])
    except (ValueError, KeyError, TypeError):
        return 0
