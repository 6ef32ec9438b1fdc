"""How good images are divided among workers, and what is known of each chunk of them."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np

from blemish.arrays import Bools
from blemish.images.read import Source
from blemish.images.transform import Viewer
from blemish.options.settings import Settings

__all__ = ["CHUNK", "ChunkRecord", "ShardPlan", "ShareFiles", "chunk_of", "shares"]

CHUNK = 64
"""Images that are looked at, checked and told of together, of many."""
FEWEST = 4
"""The same, of few."""


@dataclass(frozen=True)
class ShareFiles:
    """Where a worker keeps the patches of a share, on whichever machine it is."""

    key: str
    """Digits that stand for images and settings: patches of another fit are never taken for these."""
    first: int
    """The number of the share's first image."""
    last: int
    """The number after its last image."""
    names: Sequence[str]
    """Of the graph's grids."""
    folder: Path | None

    def paths(self) -> dict[str, Path]:
        """A file for each grid."""
        folder = self.folder or Path(tempfile.gettempdir())
        return {name: folder / f"blemish-{self.key}-{name}-{self.first}-{self.last}.patches" for name in self.names}


@dataclass(frozen=True)
class ShardPlan:
    """What a worker must know of its share of the good images."""

    files: ShareFiles
    sources: Sequence[Source]
    graph: bytes
    viewer: Viewer
    settings: Settings
    provider: str
    threads: int
    spill_type: Literal["float32", "float16"]
    memory: int
    """Bytes of memory that the patches may fill, with all that belongs to them (`fit_into`)."""
    glanced: bool = False
    """Whether the pixels that the worker holds are of these images."""
    chunk: int = CHUNK
    """Images of a chunk (`chunk_of`)."""

    @property
    def first(self) -> int:
        """The number of its first image."""
        return self.files.first

    @property
    def names(self) -> Sequence[str]:
        """Of the graph's grids."""
        return self.files.names

    @property
    def chunks(self) -> int:
        return -(-len(self.sources) // self.chunk)


@dataclass(frozen=True)
class ChunkRecord:
    """What the images of a chunk looked like, kept by whoever hands out the work."""

    digests: Sequence[str]
    """The sha256 of each image's sized pixels."""
    seen: dict[str, Sequence[Bools]]
    """Which cells of each look's grid count, one h x w per image."""
    dimensions: dict[str, int]
    patches: dict[str, str]
    """The sha256 of the patches of each look as the file holds them."""

    @classmethod
    def of(
        cls,
        digests: Sequence[str],
        seen: Mapping[str, Sequence[Bools]],
        dimensions: dict[str, int],
        patches: dict[str, str],
    ) -> "ChunkRecord":
        """The same, where equal masks are one: the records of a million images are held by one process."""
        return cls(digests, {name: _shared(masks) for name, masks in seen.items()}, dimensions, patches)

    def count(self, name: str) -> int:
        return int(sum(np.count_nonzero(seen_hw) for seen_hw in self.seen[name]))


def _shared(masks: Sequence[Bools]) -> list[Bools]:
    known: dict[bytes, Bools] = {}
    return [known.setdefault(mask.tobytes(), mask) for mask in masks]


def chunk_of(images: int) -> int:
    """How many of so many images make a chunk: few of few, so that workers have equal shares; however many work."""
    return min(CHUNK, max(FEWEST, images // CHUNK))


def shares(images: int, workers: int) -> list[tuple[int, int]]:
    """The images of each worker, from the first to before the last: whole chunks, as equal as they can be."""
    chunk = chunk_of(images)
    chunks = -(-images // chunk)
    edges = [round(worker * chunks / workers) * chunk for worker in range(workers + 1)]
    spans = [(first, min(last, images)) for first, last in pairwise(edges)]
    return [span for span in spans if span[0] < span[1]]
