"""Whether a model's graph, tensors and manifest fit together: told from shapes at first, then by one trial image."""

from collections.abc import Mapping
from weakref import WeakKeyDictionary

import numpy as np

from blemish.arrays import Floats
from blemish.backbones.checked import CheckedGraph, checked_graph
from blemish.backbones.shapes import Work
from blemish.errors import BackboneError, BlemishError, ImageError, ModelFileError
from blemish.features.patches import AnyExtractor, Features, ImagePatches
from blemish.features.tiles import TiledExtractor
from blemish.images.transform import Transform
from blemish.model.manifest import ModelManifest
from blemish.model.model import Model

__all__ = ["check_grids", "graph_of", "graph_work", "try_out"]

SMALL_BYTES, SMALL_MULTIPLICATIONS = 200 << 20, 5e9
"""A trial image is run where it takes no more: about a second. Larger networks are judged by their shapes alone."""
GREY = 0.5


def graph_of(content: bytes, name: str) -> CheckedGraph:
    """The graph of these bytes, checked. Raises ModelFileError, naming what it must not hold."""
    try:
        return checked_graph(content)
    except BackboneError as error:
        raise ModelFileError(f"{name} cannot be used: tensor graph.onnx: {error}") from None


def graph_work(graph: CheckedGraph, transform: Transform, name: str) -> Work:
    """What the graph takes for one call, an image or a tile of one. Raises ModelFileError, naming what it must not be.

    It must have one input `image`, height x width x 3 of the transform's codes, and outputs of three axes.
    """
    try:
        graph.check_takes(np.dtype(transform.codes))
        work = graph.work((*_call(transform), 3))
    except BackboneError as error:
        raise ModelFileError(f"{name} cannot be used: tensor graph.onnx: {error}") from None
    if not work.outputs or any(len(shape) != 3 or 0 in shape for shape in work.outputs.values()):
        raise ModelFileError(f"{name} cannot be used: tensor graph.onnx: its outputs must be grids of three axes.")
    return work


def check_grids(work: Work, manifest: ModelManifest, name: str) -> dict[str, tuple[int, int]]:
    """Rows and columns that each output has for a whole image; the first is the manifest's grid, if it has one."""
    transform = manifest.transform
    call = _call(transform)
    grids = {}
    for output, (rows, columns, _) in work.outputs.items():
        if transform.tiling and (call[0] % rows or call[1] % columns):
            raise ModelFileError(f"{name} cannot be used: tensor graph.onnx: its grid {output} does not divide a tile.")
        whole = transform.height * rows // call[0], transform.width * columns // call[1]
        grids[output] = whole if transform.tiling else (rows, columns)
    first = next(iter(grids.values()))
    if manifest.grid not in (first, (1, 1)):
        raise ModelFileError(
            f"{name} cannot be used: field grid of its manifest is {manifest.grid}, and its graph answers with {first}."
        )
    return grids


def try_out(model: Model, extractor: AnyExtractor, name: str) -> None:
    """Run one grey image through graph and method. Raises ModelFileError where they do not fit together.

    Of a method that compares patch by patch, one patch is scored, so that a large memory costs nothing.
    """
    work = graph_work(model.checked or graph_of(model.graph, name), model.manifest.transform, name)
    grids = check_grids(work, model.manifest, name)
    answers = _answers(model, extractor, work, name)
    try:
        try:
            scores = model.method.score(_one_patch(answers, grids))
        except ImageError:  # methods that know each place want all of them
            scores = model.method.score(_all_patches(answers, model.manifest))
    except (BlemishError, ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise ModelFileError(
            f"{name} cannot be used: its graph and its tensors do not fit together ({error})."
        ) from None
    if not np.isfinite([scores.image, scores.peak]).all():
        raise ModelFileError(f"{name} cannot be used: a grey image scores {scores.image}, which is not finite.")


def _answers(model: Model, extractor: AnyExtractor, work: Work, name: str) -> Mapping[str, Floats]:
    """What the graph answers for a grey image or tile; zeros where asking it would take long."""
    if work.peak > SMALL_BYTES or work.multiplications > SMALL_MULTIPLICATIONS:
        return {output: np.zeros(shape, np.float32) for output, shape in work.outputs.items()}
    one_call = extractor.one_tile if isinstance(extractor, TiledExtractor) else extractor
    answers = _ANSWERED.get(one_call)
    if answers is None:  # two threads may both ask; each gets the same
        answers = _ANSWERED[one_call] = _asked(model, one_call, name)
    for output, shape in work.outputs.items():
        if answers[output].shape != shape or not np.isfinite(answers[output]).all():
            raise ModelFileError(f"{name} cannot be used: output {output} of its graph is not finite, or not {shape}.")
    return answers


_ANSWERED: WeakKeyDictionary[AnyExtractor, Mapping[str, Floats]] = WeakKeyDictionary()
"""What each extractor has answered, as long as somebody has it: its graph and size are all that this depends on."""


def _asked(model: Model, one_call: AnyExtractor, name: str) -> Mapping[str, Floats]:
    transform = model.manifest.transform
    brightest = np.iinfo(transform.codes).max
    grey = np.full((*_call(transform), 3), round(GREY * brightest), transform.codes)
    try:
        answers = one_call(grey)
    except Exception as error:  # each runtime raises classes of its own
        raise ModelFileError(f"{name} cannot be used: tensor graph.onnx cannot be run ({error}).") from None
    for answer in answers.values():
        answer.setflags(write=False)  # other models are tried on it too
    return answers


def _one_patch(answers: Mapping[str, Floats], grids: Mapping[str, tuple[int, int]]) -> Features:
    """Of each grid, the patch in the middle."""
    features = {}
    for output, answer_hwD in answers.items():
        rows, columns = grids[output]
        seen_hw = np.zeros((rows, columns), np.bool_)
        seen_hw[rows // 2, columns // 2] = True
        middle = answer_hwD[answer_hwD.shape[0] // 2, answer_hwD.shape[1] // 2]
        features[output] = ImagePatches(middle[None], seen_hw)
    return features


def _all_patches(answers: Mapping[str, Floats], manifest: ModelManifest) -> Features:
    """Of each grid, the patches that an image of the first good one's size would show."""
    transform, first = manifest.transform, manifest.images[0]
    view = manifest.viewer.of_size(first.height, first.width, None, first.path)
    return {
        output: ImagePatches.seen(answer, view.cells(answer.shape[:2], transform.height, transform.width))
        for output, answer in answers.items()
    }


def _call(transform: Transform) -> tuple[int, int]:
    """Height and width of what the graph is shown at once."""
    size = transform.height, transform.width
    return transform.tiling.shape(*size) if transform.tiling else size
