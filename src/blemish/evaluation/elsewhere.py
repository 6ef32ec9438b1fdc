"""Inspection where it is sent: on the machines of a cluster, whose results come back without what nobody asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from blemish.detector import Detector
from blemish.features.made_up import sight_of
from blemish.images.ahead import read_ahead
from blemish.images.read import Source
from blemish.model.file import model_bytes, model_of
from blemish.model.inspection import Inspector
from blemish.result import Result

__all__ = ["Asked", "InspectEach"]


class Asked(NamedTuple):
    """An image to inspect, and whether its anomaly map is to come back."""

    path: Source
    with_map: bool = False


class InspectEach:
    """What `Detector.inspect_many` says of one image; sent to a machine, it prepares the network there.

    Each image is inspected on one thread: who calls takes as many side by side as there are processors.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._inspector = Inspector(detector.model, detector.viewer)

    def ahead(self, asked: Sequence[Asked]) -> Iterator[Asked]:
        """The same, where objects of a bucket come with their bytes."""
        given = read_ahead([each.path for each in asked])
        return (Asked(path, each.with_map) for path, each in zip(given, asked, strict=True))

    def __call__(self, asked: Asked) -> Result:
        result = self._inspector.inspect_or_error(asked.path, self._detector.extractors.shared)
        kept = result.anomaly_map if asked.with_map else None
        return replace(result, anomaly_map=kept, mask=None, picture=None, matches=None)

    def sees(self) -> str:
        """How the machine sees (`features/made_up.py`)."""
        return sight_of(self._detector.extractors.shared, self._detector.manifest.transform)

    def __reduce__(self) -> tuple[Any, ...]:
        own = self._detector
        return _unpickled, (model_bytes(own.model), own.extractors.provider, own.accept_damaged, own.max_pixels)


def _unpickled(content: bytes, provider: str, accept_damaged: bool, max_pixels: int | None) -> InspectEach:
    hardware: dict[str, Any] = {"provider": provider, "accept_damaged": accept_damaged, "max_pixels": max_pixels}
    return InspectEach(Detector.of(model_of(content, "The model sent"), threads=1, **hardware))
