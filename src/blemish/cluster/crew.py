"""The workers as Ray actors: asked at once, and replaced where one dies, with all that it must know told again."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import count
from types import TracebackType
from typing import Any, Self

import ray
from ray import exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from blemish.cluster.head import EVERY, Head
from blemish.cluster.start import cannot_load, line_of
from blemish.cluster.worker import Call, Worker
from blemish.errors import DataError
from blemish.memory.shards import Behind
from blemish.system.conducts import silently

__all__ = ["LOST", "Crew", "check_loads"]

LOST = (
    exceptions.RayActorError,
    exceptions.ObjectLostError,
    exceptions.NodeDiedError,
    exceptions.WorkerCrashedError,
    exceptions.OutOfMemoryError,  # Ray ended it, so that its machine has memory
)
"""What says that a worker died, and nothing about its work."""
AHEAD = 2
"""Calls that wait at each worker, so that it never waits itself."""
PATIENCE = 15.0
"""Seconds without free processors until it is said that they are waited for."""
DEATHS = 25
"""Workers that may die one after the other without any answer in between."""


def _unheard(answer: Any) -> None:
    """Of what new workers are told, most answers tell nothing."""


class Crew:
    """Workers by number. Ray never restarts one: a new process knows nothing, and must be told before it is asked."""

    def __init__(self, workers: int, threads: int, say: Callable[[str], None] = silently) -> None:
        self.threads, self._say = threads, say
        self.lost = 0
        """Workers that died and were replaced."""
        self._deaths = 0
        self._head = Head(ray.get_runtime_context().gcs_address)
        self._memory: dict[str, tuple[Callable[[int], Iterable[Call]], Callable[[Any], object]]] = {}
        # Made once: it is sent to the head, which may be gone when another worker is wanted.
        self._kind = ray.remote(max_restarts=0, max_task_retries=0)(_Actor)
        self._actors = [self._hired("SPREAD", threads) for _ in range(workers)]
        self._nodes: list[str] = self._arrived()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for actor in self._actors:
            with suppress(Exception):
                ray.kill(actor)
        self._actors = []

    def __len__(self) -> int:
        return len(self._actors)

    def memory(self, of_machine: int | None) -> list[int]:
        """Bytes that each worker may fill: its part of those of its machine; None: those that Ray counts there."""
        counted = dict.fromkeys(self._nodes, of_machine or 0)
        if of_machine is None:
            counted |= {each["NodeID"]: int(each["Resources"].get("memory", 0)) for each in ray.nodes()}
        return [counted[node] // self._nodes.count(node) for node in self._nodes]

    def remember(
        self, what: str, calls: Callable[[int], Iterable[Call]], heard: Callable[[Any], object] = _unheard
    ) -> None:
        """What a new worker is told before it is asked anything, in the order of first mention; `heard` its answers."""
        self._memory[what] = calls, heard

    def forget(self, what: str) -> None:
        """New workers are no longer told of it."""
        self._memory.pop(what, None)

    def put(self, value: Any) -> Any:
        """Send something once to each machine that will need it: an argument of calls."""
        return ray.put(value)

    def ask(self, call: Call, workers: Iterable[int] | None = None) -> list[Any]:
        """Ask these workers the same, or all, at once; answers in their order."""
        asked = list(range(len(self)) if workers is None else workers)
        return self.ask_each({worker: call for worker in asked})

    def ask_each(self, calls: Mapping[int, Call]) -> list[Any]:
        """Ask each of some workers something at once; answers in their order."""
        answers = {worker: answer for worker, _, answer in self.work({w: iter([call]) for w, call in calls.items()})}
        return [answers[worker] for worker in calls]

    def share_out(self, calls: Iterable[Call], *, ahead: int) -> Iterator[Any]:
        """Let whoever is free do the next call; answers in the order of the calls, `ahead` for each worker at most."""
        waiting: dict[int, Any] = {}
        queue = _Shared(enumerate(calls), ahead * len(self))
        for worker, place, answer in self.work({worker: queue.of(worker) for worker in range(len(self))}):
            waiting[queue.number(worker, place)] = answer
            while queue.told in waiting:
                queue.told += 1
                yield waiting.pop(queue.told - 1)

    def work(self, queues: Mapping[int, Iterator[Call]]) -> Iterator[tuple[int, int, Any]]:
        """Let each worker do its own calls, in order; yields worker, place and answer, those of each in its order.

        Raises what a call raised, and DataError where workers die again and again.
        """
        running: dict[Any, tuple[int, int]] = {}
        begun: dict[int, deque[tuple[int, Call]]] = {worker: deque() for worker in queues}
        places = {worker: count() for worker in queues}

        def fill() -> None:
            for worker, queue in queues.items():
                while len(begun[worker]) < AHEAD and (call := next(queue, None)) is not None:
                    place = next(places[worker])
                    begun[worker].append((place, call))
                    running[self._send(worker, call)] = worker, place

        fill()
        while running:
            oldest: dict[int, Any] = {}
            for ref, (worker, _) in running.items():
                oldest.setdefault(worker, ref)
            ref = self._first(list(oldest.values()))
            worker, place = running[ref]
            try:
                answer = self._answer(ref)
            except (*LOST, Behind) as error:
                check_loads(error)
                running = {other: at for other, at in running.items() if at[0] != worker}
                self._replace(worker)
                running |= {self._send(worker, call): (worker, number) for number, call in begun[worker]}
                continue
            del running[ref]
            begun[worker] = deque(each for each in begun[worker] if each[0] != place)
            self._deaths = 0
            yield worker, place, answer
            fill()

    def _arrived(self) -> list[str]:
        """The machine of each worker, once all have begun: they wait where others hold the processors."""
        refs = [self._send(worker, Call("node")) for worker in range(len(self))]
        _, missing = ray.wait(refs, num_returns=len(refs), timeout=PATIENCE)
        if missing:
            self._say(
                f"{len(missing)} of {len(refs)} workers wait for processors that other work on the cluster holds; "
                f"Ctrl-C ends the waiting."
            )
        return self.ask(Call("node"))

    def _send(self, worker: int, call: Call) -> Any:
        return getattr(self._actors[worker], call.method).remote(*call.arguments)

    def _first(self, refs: list[Any]) -> Any:
        """One that is done. Raises DataError where the head is gone: Ray itself would end this process for that."""
        while True:
            self._head.check()
            if ready := ray.wait(refs, num_returns=1, timeout=EVERY)[0]:
                return ready[0]

    def _answer(self, ref: Any) -> Any:
        try:
            return ray.get(self._first([ref]))
        except exceptions.RayTaskError as error:
            # Its own text is a traceback; what it was caused by is what the call raised.
            raise error.cause if isinstance(error.cause, BaseException) else RuntimeError(str(error)) from None
        except LOST:
            raise
        except exceptions.RayError as error:
            raise DataError(
                f"Ray could not do the work: {line_of(error)}; look at the disk and the memory of its machines, then "
                f"repeat the command."
            ) from None

    def _replace(self, worker: int) -> None:
        """Hire another, and tell it what the one before knew; where that one dies too, yet another."""
        while True:
            self.lost += 1
            self._deaths += 1
            if self._deaths > DEATHS:
                raise DataError(
                    f"Worker {worker} of the cluster died {DEATHS} times without an answer in between; look at the "
                    f"memory and the disk of its machine, then repeat the command."
                )
            self._head.wait()
            self._say(f"Worker {worker} of the cluster died and is replaced ({self.lost} so far); the work goes on.")
            with suppress(Exception):
                ray.kill(self._actors[worker])
            # On the same machine if it still is there, where the patches are; else on any, however busy.
            beside = NodeAffinitySchedulingStrategy(self._nodes[worker], soft=True)
            self._actors[worker] = self._hired(beside, 0)
            try:
                for calls, heard in list(self._memory.values()):
                    for call in calls(worker):
                        heard(self._answer(self._send(worker, call)))
                self._nodes[worker] = self._answer(self._send(worker, Call("node")))
                return
            except (*LOST, Behind) as error:
                check_loads(error)

    def _hired(self, strategy: Any, processors: int) -> Any:
        return self._kind.options(scheduling_strategy=strategy, num_cpus=processors).remote()


def check_loads(error: Exception) -> None:
    """Raise OptionError where it was no death: a machine that cannot import what its worker is made of."""
    if "failed to import on the worker" in str(error):
        raise cannot_load() from None


class _Actor(Worker):
    """A worker that knows where it is."""

    def node(self) -> str:
        found: str = ray.get_runtime_context().get_node_id()
        return found


class _Shared:
    """One queue of calls for several workers: each takes the next one, and it is known who took which."""

    def __init__(self, calls: Iterator[tuple[int, Call]], ahead: int) -> None:
        self.told = 0
        self._calls, self._ahead = calls, ahead
        self._taken: dict[int, list[int]] = {}
        self._next = 0

    def of(self, worker: int) -> Iterator[Call]:
        """The calls that this worker takes; None while the first answers lag too far behind."""
        self._taken[worker] = []
        return _Turn(self, worker)

    def take(self, worker: int) -> Call:
        if self._next - self.told >= self._ahead:
            raise StopIteration
        number, call = next(self._calls)
        self._next = number + 1
        self._taken[worker].append(number)
        return call

    def number(self, worker: int, place: int) -> int:
        return self._taken[worker][place]


class _Turn:
    def __init__(self, queue: _Shared, worker: int) -> None:
        self._queue, self._worker = queue, worker

    def __iter__(self) -> "Iterator[Call]":
        return self

    def __next__(self) -> Call:
        return self._queue.take(self._worker)
