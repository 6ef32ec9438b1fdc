"""The first pass of a fit on a cluster: every worker looks at its own images, chunk by chunk."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from blemish.cluster.checkpoint import Checkpoint
from blemish.cluster.patches import PatchesElsewhere
from blemish.cluster.plan import ChunkRecord, ShardPlan
from blemish.cluster.worker import Call
from blemish.errors import DataError
from blemish.system.progress import Progress

if TYPE_CHECKING:
    from blemish.cluster.crew import Crew

__all__ = ["Extraction"]


class Extraction:
    """Chunks are recorded as they are done: a worker that takes another's place finds or makes the same again."""

    def __init__(self, crew: "Crew", plans: Sequence[ShardPlan], checkpoint: Checkpoint | None) -> None:
        self._crew, self._plans, self._checkpoint = crew, plans, checkpoint
        self._done: list[list[ChunkRecord]] = [[] for _ in plans]
        self._first: list[dict[str, int]] = []

    def run(self, images: int, progress: Progress) -> PatchesElsewhere:
        """Look at all images. Raises what looking raised, and DataError where a machine finds other patches."""
        self._crew.remember("share", self._again)
        workers = range(len(self._plans))
        self._crew.ask_each({worker: Call("take_share", (self._plans[worker],)) for worker in workers})
        self._check_same(self._crew.ask(Call("sample"), workers))
        seen = 0
        for worker, chunk, record in self._crew.work({worker: self._chunks(worker) for worker in workers}):
            self._done[worker].append(record)
            if self._checkpoint:
                self._checkpoint.keep_record(self._number(worker, chunk), record)
            seen += len(record.digests)
            progress("patches", seen, images)
        self._end()
        return PatchesElsewhere(self._crew, self._plans, self._done, self._checkpoint)

    def _check_same(self, samples: Sequence[tuple[str, str]]) -> None:
        """Raise DataError where two machines see one image differently: each looks at images that no other sees."""
        first, digest = samples[0]
        for machine, found in samples:
            if found != digest:
                raise DataError(
                    f"Two machines of the cluster ({first} and {machine}) find other patches in the same image; use "
                    f"machines of one kind."
                )

    def _end(self) -> None:
        """Let each worker make ready for questions about its patches."""
        self._first = self._firsts()
        self._crew.ask_each({worker: Call("end_extraction", (first,)) for worker, first in enumerate(self._first)})

    def _chunks(self, worker: int) -> Iterator[Call]:
        for chunk in range(self._plans[worker].chunks):
            known = self._checkpoint.record(self._number(worker, chunk)) if self._checkpoint else None
            yield Call("extract", (chunk, known))

    def _again(self, worker: int) -> Iterator[Call]:
        """What a worker that takes another's place must do before it is asked about patches."""
        if worker >= len(self._plans):
            return
        # In the file alone: memory may be what the one before died of.
        yield Call("take_share", (replace(self._plans[worker], memory=0),))
        for chunk, record in enumerate(self._done[worker]):
            yield Call("extract", (chunk, record))
        if self._first:
            yield Call("end_extraction", (self._first[worker],))

    def _number(self, worker: int, chunk: int) -> int:
        """The number of a chunk over all images, however they are shared out."""
        plan = self._plans[worker]
        return plan.first // plan.chunk + chunk

    def _firsts(self) -> list[dict[str, int]]:
        """The number of each share's first patch at each look."""
        firsts, next_number = [], dict.fromkeys(self._plans[0].names, 0)
        for own in self._done:
            firsts.append(dict(next_number))
            for name in next_number:
                next_number[name] += sum(record.count(name) for record in own)
        return firsts
