"""The patches of all good images of a fit, laid one after the other in this process."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from blemish.features.patches import Features
from blemish.memory.choose import ShardHere, coreset_shard
from blemish.memory.spill import patch_store
from blemish.memory.training import Gathering, TrainingPatches
from blemish.methods.good_images import GoodImages
from blemish.system.stream import stream

__all__ = ["GatheredHere"]

Answer = TypeVar("Answer")


class GatheredHere:
    """`GoodPatches` in memory, or in a file beyond the memory budget."""

    def __init__(self, good: GoodImages, graph: bytes, names: Sequence[str]) -> None:
        room = partial(patch_store, resources=good.resources)
        gatherings = {name: Gathering(len(good), room) for name in names}
        self.digests: list[str] = []
        for number, image in enumerate(good.seen_by(graph)):
            for name, gathering in gatherings.items():
                gathering.add(image.features[name])
            self.digests.append(image.digest)
            good.progress("patches", number + 1, len(good))
        self._threads = good.threads
        self.looks: dict[str, TrainingPatches] = {name: gathering.patches() for name, gathering in gatherings.items()}
        self.shards: list[ShardHere] = [
            coreset_shard(patches, good.settings, good.resources) for patches in self.looks.values()
        ]

    def each(self, function: Callable[[int, Features], Answer], images: Sequence[int]) -> Iterator[Answer]:
        return stream(lambda image: function(image, self.of_image(image)), images, threads=self._threads)

    def of_image(self, image: int) -> Features:
        return {name: patches.of_image(image) for name, patches in self.looks.items()}
