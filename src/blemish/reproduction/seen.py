"""What a graph answers for a task's test images, kept from one cell to the next where both ask the same."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from blemish.data.samples import Sample
from blemish.features.patches import Features, look
from blemish.features.tiles import extractor_for
from blemish.images.transform import View, Viewer
from blemish.system.stream import stream

__all__ = ["Seen", "SeenImages"]


class Seen(NamedTuple):
    """A test image as a graph sees it, and how it was looked at."""

    sample: Sample
    view: View
    features: Features

    @property
    def size(self) -> int:
        return sum(patches.values_QD.nbytes for patches in self.features.values())


class SeenImages:
    """Runs graphs over test images; the answers of the last one are kept while they fit in `memory` bytes.

    Few-shot cells of one system differ in what they were fitted on, not in what they see of the test images.
    """

    def __init__(self, memory: int = 1_000_000_000) -> None:
        self._memory = memory
        self._key = ""
        self._kept: list[Seen] = []

    def see(
        self, graph: bytes, viewer: Viewer, samples: Sequence[Sample], *, provider: str, threads: int
    ) -> Iterator[Seen]:
        """One answer for each sample, in order. Raises ImageError for one that cannot be scored."""
        named = repr([(sample.path, sample.mask) for sample in samples])
        key = hashlib.sha256(graph + repr(viewer).encode() + named.encode()).hexdigest()
        if key == self._key:
            yield from self._kept
            return
        self._key, self._kept = "", []
        at_once, threads = viewer.transform.share(threads)
        extractor = extractor_for(graph, viewer.transform, provider=provider, threads=threads)

        def see_one(sample: Sample) -> Seen:
            found = look(sample.path, viewer, extractor)
            return Seen(sample, found.view, found.features)

        kept, size = [], 0
        for seen in stream(see_one, samples, threads=at_once):
            size += seen.size
            if size <= self._memory:
                kept.append(seen)
            yield seen
        if size <= self._memory:
            self._key, self._kept = key, kept
