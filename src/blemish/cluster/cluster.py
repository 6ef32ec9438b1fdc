"""The machines that a fit, an inspection or many fits are given to."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from blemish.arrays import Array
from blemish.cluster.checkpoint import Checkpoint, check_place
from blemish.cluster.extraction import Extraction
from blemish.cluster.patches import PatchesElsewhere
from blemish.cluster.plan import ShardPlan, ShareFiles, chunk_of, shares
from blemish.cluster.sights import Sights
from blemish.cluster.start import began, check_installed
from blemish.cluster.worker import Call, Sent, Worker
from blemish.errors import OptionError
from blemish.features.made_up import Sees
from blemish.images.read import Source, image_name
from blemish.methods.good_images import GoodImages
from blemish.system.conducts import silently
from blemish.system.storage import Storage

if TYPE_CHECKING:
    from blemish.cluster.crew import Crew

__all__ = ["Cluster"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")

WORKERS = 2
"""Of each machine, where it has as many processors: two processes were faster than one with two threads."""
TOGETHER = 8
"""Items for each thread that travel together: with more, all but one worker wait at the end."""
AHEAD, AHEAD_HEAVY = 8, 2
"""Calls for each worker whose answers may wait for those before them."""


class Cluster:
    """Workers on one or several machines, for `fit(cluster=...)`; made by `blemish.connect`, a context manager."""

    def __init__(
        self,
        address: str,
        *,
        processors: int | None = None,
        workers: int | None = None,
        checkpoint: str | None = None,
        say: Callable[[str], None] = silently,
    ) -> None:
        self.address = address
        self._say = say
        self._processors, self._workers = processors, workers
        self._place = checkpoint
        self._checkpoint: Checkpoint | None = None
        self._stack = ExitStack()
        self._crew: Crew | None = None
        self._files: list[ShareFiles] = []
        self._told: set[tuple[str, str]] = set()
        """Machines that see differently, as was said."""
        self._glanced: Sequence[Source] = ()
        """The images whose pixels workers may hold."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self._place:
                check_installed()
                check_place(self._place)
            machines = [each for each in stack.enter_context(began(self.address, self._processors)) if each]
            from blemish.cluster.crew import Crew

            each = self._workers or WORKERS
            threads = max(1, min(machines) // each)
            self._crew = stack.enter_context(Crew(sum(min(each, own) for own in machines), threads, self._say))
            _introduce(self._crew)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Whatever ended the block may have ended the workers as well; then their files went with their machines.
        with self._stack, suppress(Exception):
            if not self._place:
                self.release()
        self._crew = None

    @property
    def lost(self) -> int:
        """Workers that died and were replaced."""
        return self.crew.lost

    @property
    def crew(self) -> "Crew":
        """Its workers, while it is connected."""
        if self._crew is None:
            raise OptionError("This cluster is not connected: use it inside `with blemish.connect(...) as cluster:`.")
        return self._crew

    def stream(
        self,
        function: Callable[[Item], Answer],
        items: Iterable[Item],
        *,
        at_once: int | None = None,
        heavy: bool = False,
    ) -> Iterator[Answer]:
        """Yield `function(item)` for each item, in order; `at_once` of them travel together, by default a few a thread.

        Of `heavy` answers, no more than four for each processor are here or on their way. Machines that see differently
        are told of, where the function says how they see.
        """
        sent, threads = self.crew.put(Sent.of(function)), self.crew.threads
        self._compare(sent, sees=isinstance(function, Sees))
        together = at_once or (2 if heavy else TOGETHER) * threads
        calls = (Call("call", (sent, part, threads)) for part in _parts(items, together))
        for answers in self.crew.share_out(calls, ahead=AHEAD_HEAVY if heavy else AHEAD):
            yield from answers

    def _compare(self, sent: Any, *, sees: bool) -> None:
        """Let each worker, and those that will replace them, say how it sees the made-up image."""
        self.crew.forget("sight")  # that of the function before
        if not sees:
            return
        call, sights = Call("sees", (sent,)), Sights(self._say, self._told)
        for sight in self.crew.ask(call):
            sights.add(sight)
        self.crew.remember("sight", partial(_always, call), sights.add)

    def glance(
        self,
        function: Callable[[Source], tuple[Answer, Array | None]],
        sources: Sequence[Source],
        *,
        memory: int | None,
    ) -> Iterator[tuple[int, Answer]]:
        """The number of each source and what the function answers, as they come.

        Each image is read by the worker that will hold its patches, which keeps the pixels for then.
        """
        self._glanced = sources
        spans = dict(enumerate(shares(len(sources), len(self.crew))))
        rooms = self.crew.memory(memory)
        self.crew.ask_each({worker: Call("make_room", (rooms[worker],)) for worker in spans})
        sent, at_once = self.crew.put(Sent.of(function)), TOGETHER * self.crew.threads
        queues = {worker: self._glances(sent, sources, range(*span, at_once)) for worker, span in spans.items()}
        for worker, place, answers in self.crew.work(queues):
            yield from enumerate(answers, start=spans[worker][0] + place * at_once)

    def _glances(self, sent: Any, sources: Sequence[Source], starts: range) -> Iterator[Call]:
        for start in starts:
            own = sources[start : min(start + starts.step, starts.stop)]
            yield Call("glance", (sent, own, start, self.crew.threads))

    def gather(self, good: GoodImages, graph: bytes, names: Sequence[str]) -> "PatchesElsewhere":
        """Divide the good images among the workers, and let each look at its own."""
        key = _key(good, graph)
        self._checkpoint = Checkpoint(Storage(self._place), key) if self._place else None
        spans = shares(len(good), len(self.crew))
        self._files = [ShareFiles(key, *span, names, good.resources.spill_folder) for span in spans]
        rooms = self.crew.memory(good.resources.memory)
        shared = zip(rooms, self._files, strict=False)  # of few images, the last workers have none
        plans = [self._plan(good, graph, room, files) for room, files in shared]
        return Extraction(self.crew, plans, self._checkpoint).run(len(good), good.progress)

    def release(self) -> None:
        """Let workers forget their patches, and delete the files of these."""
        self.crew.forget("share")
        files, self._files = self._files, []
        self.crew.ask_each({worker: Call("leave_share", (own,)) for worker, own in enumerate(files)})

    def clear_checkpoint(self) -> None:
        """The model is written: what was kept to go on from is no longer needed."""
        if self._checkpoint:
            self._checkpoint.clear()

    def _plan(self, good: GoodImages, graph: bytes, room: int, files: ShareFiles) -> ShardPlan:
        sources, resources = good.sources[files.first : files.last], good.resources
        return ShardPlan(
            files,
            sources,
            graph,
            good.viewer,
            good.settings,
            resources.provider,
            self.crew.threads,
            resources.spill_type,
            room,
            good.sources is self._glanced,
            chunk_of(len(good)),
        )


def _introduce(crew: "Crew") -> None:
    """Let workers, and those that will replace them, compare versions and enter the folder that paths are named from.

    Raises OptionError where one has other versions.
    """
    for what, call in (
        ("versions", Call("agree", (Worker().versions(),))),
        ("folder", Call("enter", (os.getcwd(),))),
    ):
        crew.remember(what, partial(_always, call))
        crew.ask(call)


def _always(call: Call, worker: int) -> list[Call]:
    return [call]


def _key(good: GoodImages, graph: bytes) -> str:
    """Digits that stand for these images, by their names and pixels, and all that shapes their patches and the coreset.

    By names alone, an image that was taken anew would have the patches of the one before, and two folders called good,
    fitted at the same time, the same files.
    """
    found = hashlib.sha256(graph)
    resources, chunk = good.resources, str(chunk_of(len(good)))
    for part in (repr(good.viewer), good.settings.model_dump_json(), resources.spill_type, resources.provider, chunk):
        found.update(part.encode())
    found.update(f"{Worker().versions()}{good.contents}".encode())
    for source in good.sources:
        found.update(f"\n{image_name(source)}".encode("utf-8", "surrogateescape"))
    return found.hexdigest()[:16]


def _parts(items: Iterable[Item], at_once: int) -> Iterator[list[Item]]:
    remaining = iter(items)
    while part := list(islice(remaining, at_once)):
        yield part
