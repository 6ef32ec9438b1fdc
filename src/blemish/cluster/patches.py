"""The patches of all good images where the workers hold them, and the coreset's view of them."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from blemish.arrays import Bools, Floats, Ints
from blemish.cluster.checkpoint import Checkpoint
from blemish.cluster.plan import CHUNK, ChunkRecord, ShardPlan
from blemish.cluster.shards import RayShards
from blemish.cluster.worker import Call, Sent
from blemish.errors import OptionError
from blemish.features.patches import Features, ImagePatches
from blemish.memory.coreset import Coreset, Round, coreset_of
from blemish.system.progress import Progress

if TYPE_CHECKING:
    from blemish.cluster.crew import Crew

__all__ = ["LookElsewhere", "PatchesElsewhere"]

Answer = TypeVar("Answer")

ROWS_AT_ONCE = 4096
"""Patches that are asked for in one call."""


class PatchesElsewhere:
    """`GoodPatches` of a crew: worker k holds share k."""

    def __init__(
        self,
        crew: "Crew",
        plans: Sequence[ShardPlan],
        records: Sequence[Sequence[ChunkRecord]],
        checkpoint: Checkpoint | None,
    ) -> None:
        self.crew, self.plans, self._checkpoint = crew, plans, checkpoint
        self.first_images = np.array([plan.first for plan in plans], np.int64)
        everything = [record for own in records for record in own]
        self.digests: Sequence[str] = [digest for record in everything for digest in record.digests]
        self.looks = {name: LookElsewhere(self, name, everything) for name in plans[0].names}

    @property
    def shards(self) -> "list[LookElsewhere]":
        return list(self.looks.values())

    def each(self, function: Callable[[int, Features], Answer], images: Sequence[int]) -> Iterator[Answer]:
        sent = self.crew.put(Sent.of(function))
        chunks: dict[int, list[list[int]]] = {}
        order: list[tuple[int, int]] = []
        for image in images:
            worker = self.worker_of(image)
            own = chunks.setdefault(worker, [])
            if not own or len(own[-1]) == CHUNK:
                own.append([])
            order.append((worker, len(own) - 1))
            own[-1].append(image)
        queues = {w: iter([Call("each", (sent, chunk)) for chunk in own]) for w, own in chunks.items()}
        found: dict[tuple[int, int], Iterator[Answer]] = {}
        work = self.crew.work(queues)
        for at in order:
            while at not in found:
                worker, place, answers = next(work)
                found[worker, place] = iter(answers)
            yield next(found[at])
        for _ in work:
            raise AssertionError("every answer was waited for")

    def of_image(self, image: int) -> Features:
        features: Features = self.crew.ask(Call("of_image", (image,)), [self.worker_of(image)])[0]
        return features

    def rounds_of(self, run: str) -> "KeptRounds":
        """Where the rounds of a coreset are kept, and those that are."""
        return KeptRounds(self._checkpoint, run)

    def worker_of(self, image: int) -> int:
        """Who holds the patches of an image."""
        return int(np.searchsorted(self.first_images, image, side="right")) - 1


class KeptRounds:
    """The rounds of one coreset in the checkpoint, if there is one."""

    def __init__(self, checkpoint: Checkpoint | None, run: str) -> None:
        self._checkpoint, self._run = checkpoint, run
        self.begun = checkpoint.rounds(run) if checkpoint else []
        self._rows = sum(len(done.numbers_R) for done in self.begun)

    def keep(self, done: Round) -> None:
        if self._checkpoint:
            self._checkpoint.keep_round(self._run, self._rows, done)
        self._rows += len(done.numbers_R)


class LookElsewhere:
    """`Patches` of one look, and the same as the coreset sees them (`Choosable`)."""

    def __init__(self, whole: PatchesElsewhere, name: str, records: Sequence[ChunkRecord]) -> None:
        self._whole, self._name = whole, name
        # Nearly all images show the same cells: each distinct mask is kept once.
        kept: dict[bytes, Bools] = {}
        self._seen = [
            kept.setdefault(seen_hw.tobytes(), np.array(seen_hw)) for record in records for seen_hw in record.seen[name]
        ]
        self._dimension = records[0].dimensions[name]
        counts = [np.count_nonzero(seen_hw) for seen_hw in self._seen]
        self.starts_N = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        """The number of each image's first patch, and at last of all patches."""

    @property
    def grid(self) -> tuple[int, int]:
        return self._seen[0].shape

    def count(self, images: Bools | None) -> int:
        return int(self.starts_N[-1]) if images is None else int(np.diff(self.starts_N)[images].sum())

    def first(self, image: int) -> int:
        return int(self.starts_N[image])

    def rows(self, numbers_P: Ints) -> Floats:
        worker_P = self._worker_of(numbers_P)
        parts = {
            worker: [own[start : start + ROWS_AT_ONCE] for start in range(0, len(own), ROWS_AT_ONCE)]
            for worker in np.unique(worker_P).tolist()
            for own in [np.flatnonzero(worker_P == worker)]
        }
        queues = {
            worker: iter([Call("rows", (self._name, numbers_P[part])) for part in own]) for worker, own in parts.items()
        }
        rows_PD = np.empty((len(numbers_P), self._dimension), np.float32)
        for worker, place, answer in self._whole.crew.work(queues):
            rows_PD[parts[worker][place]] = answer
        return rows_PD

    def places(self, numbers_P: Ints) -> tuple[Ints, Ints]:
        image_P = np.searchsorted(self.starts_N, numbers_P, side="right") - 1
        within_P = numbers_P - self.starts_N[image_P]
        cells: dict[int, Ints] = {}
        cell_P = np.empty(len(numbers_P), np.int64)
        for place, (image, within) in enumerate(zip(image_P.tolist(), within_P.tolist(), strict=True)):
            seen_hw = self._seen[image]
            if id(seen_hw) not in cells:
                cells[id(seen_hw)] = np.flatnonzero(seen_hw)
            cell_P[place] = cells[id(seen_hw)][within]
        return image_P, cell_P

    def of_image(self, image: int, among_hw: Bools | None = None) -> ImagePatches:
        whole = self._whole.of_image(image)[self._name]
        if among_hw is None:
            return whole
        return ImagePatches(whole.values_QD[among_hw[whole.seen_hw]], whole.seen_hw & among_hw)

    def each(
        self, function: Callable[[int, ImagePatches], Answer], images: Sequence[int], *, threads: int
    ) -> Iterator[Answer]:
        return self._whole.each(_OfLook(self._name, function), images)

    def coreset(self, images: Bools | None, rows: int, radius: float | None, seed: int, progress: Progress) -> Coreset:
        shards = RayShards(self._whole.crew, len(self._whole.plans), self._name, images)
        kept = self._whole.rounds_of(f"{self._name}-{rows}-{radius}-{seed}-{_digits(images)}")
        try:
            return coreset_of(
                shards, rows, radius=radius, seed=seed, begun=kept.begun, keep=kept.keep, progress=progress
            )
        finally:
            shards.end()

    def all(self, images: Bools | None) -> Ints:
        raise OptionError("A cluster does not keep all patches: give --coreset a number of rows, or a share below 1.")

    def _worker_of(self, numbers_P: Ints) -> Ints:
        firsts = self.starts_N[self._whole.first_images]
        return np.asarray(np.searchsorted(firsts, numbers_P, side="right") - 1, np.int64)


class _OfLook:
    """A function of one look's patches, as one of all looks'."""

    def __init__(self, name: str, function: Callable[[int, ImagePatches], Any]) -> None:
        self._name, self._function = name, function

    def __call__(self, image: int, features: Features) -> Any:
        return self._function(image, features[self._name])


def _digits(images: Bools | None) -> str:
    """Which images take part, in a few digits."""
    return "all" if images is None else hashlib.sha256(np.packbits(images).tobytes()).hexdigest()[:12]
