"""What a method answers for one test image: its score and, where the defect is drawn, its map with the mask."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from blemish.arrays import Bools, Floats
from blemish.data.samples import Sample
from blemish.evaluation.masks import lacks_mask, sample_mask
from blemish.features.made_up import sight_of
from blemish.features.patches import AnyExtractor, look
from blemish.features.tiles import extractor_for
from blemish.images.transform import Viewer
from blemish.methods.method import Method
from blemish.reproduction.seen import Seen

__all__ = ["Answer", "AnswerEach", "answered"]


@dataclass(frozen=True)
class Answer:
    """The score of one sample; map and mask are there together or not at all."""

    sample: Sample
    score: float
    map_HW: Floats | None
    mask_HW: Bools | None


def answered(method: Method, seen: Seen) -> Answer:
    """Score one image; map and mask come where both are there: unmasked defects would count as good pixels."""
    sample, scores = seen.sample, method.score(seen.features)
    if scores.map_HW is None or lacks_mask(sample):
        return Answer(sample, scores.image, None, None)
    map_HW = seen.view.to_image(scores.map_HW)
    return Answer(sample, scores.image, map_HW, sample_mask(sample, map_HW.shape))


class AnswerEach:
    """Looks at one sample and scores it, on one thread; sent to a machine, it prepares the network there."""

    def __init__(self, method: Method, graph: bytes, viewer: Viewer, provider: str) -> None:
        self._method, self._graph, self._viewer, self._provider = method, graph, viewer, provider

    def __call__(self, sample: Sample) -> Answer:
        found = look(sample.path, self._viewer, self._extractor)
        return answered(self._method, Seen(sample, found.view, found.features))

    def sees(self) -> str:
        """How the machine sees (`features/made_up.py`)."""
        return sight_of(self._extractor, self._viewer.transform)

    @cached_property
    def _extractor(self) -> AnyExtractor:
        return extractor_for(self._graph, self._viewer.transform, provider=self._provider)

    def __reduce__(self) -> tuple[Any, ...]:
        return AnswerEach, (self._method, self._graph, self._viewer, self._provider)
