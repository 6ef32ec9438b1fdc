"""A crew of workers in this process, which may die when a test says so; and how a test compares fits."""

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from blemish.arrays import Array
from blemish.cluster.cluster import Cluster
from blemish.cluster.worker import Call, Worker
from blemish.detector import Detector

MEMORY = 10**9
"""Bytes of the machine; more than the patches of any test need."""


def never(number: int, call: Call) -> bool:
    return False


class LocalCrew:
    """What `Crew` is, without Ray: `dies` is asked before each call whether the worker loses all it knows.

    Everything travels as bytes, and arrives read-only as arrays from Ray do.
    """

    def __init__(self, workers: int, dies: Callable[[int, Call], bool] = never) -> None:
        self.threads, self.lost, self.calls = 1, 0, 0
        self._dies = dies
        self._memory: dict[str, tuple[Callable[[int], Iterable[Call]], Callable[[Any], object]]] = {}
        self._workers = [Worker() for _ in range(workers)]

    def memory(self, of_machine: int | None) -> list[int]:
        return [(MEMORY if of_machine is None else of_machine) // len(self)] * len(self)

    def __len__(self) -> int:
        return len(self._workers)

    def remember(self, what: str, calls: Callable[[int], Iterable[Call]], heard: Callable[[Any], object] = id) -> None:
        self._memory[what] = calls, heard

    def forget(self, what: str) -> None:
        self._memory.pop(what, None)

    def put(self, value: Any) -> Any:
        return value

    def ask(self, call: Call, workers: Iterable[int] | None = None) -> list[Any]:
        return [self._do(worker, call) for worker in (range(len(self)) if workers is None else workers)]

    def ask_each(self, calls: Mapping[int, Call]) -> list[Any]:
        return [self._do(worker, call) for worker, call in calls.items()]

    def share_out(self, calls: Iterable[Call], *, ahead: int) -> Iterator[Any]:
        for number, call in enumerate(calls):
            yield self._do(number % len(self), call)

    def work(self, queues: Mapping[int, Iterator[Call]]) -> Iterator[tuple[int, int, Any]]:
        left, place = dict(queues), 0
        while left:
            for worker, queue in list(left.items()):
                if (call := next(queue, None)) is None:
                    del left[worker]
                else:
                    yield worker, place, self._do(worker, call)
            place += 1

    def _do(self, worker: int, call: Call) -> Any:
        self.calls += 1
        if self._dies(self.calls, call):
            self.lost += 1
            self._workers[worker] = Worker()
            for calls, heard in list(self._memory.values()):
                for known in calls(worker):
                    heard(self._answer(worker, known))
        return self._answer(worker, call)

    def _answer(self, worker: int, call: Call) -> Any:
        arguments = _travelled(call.arguments)
        return _travelled(getattr(self._workers[worker], call.method)(*arguments))


def cluster_of(crew: Any, checkpoint: str | None = None) -> Cluster:
    """A cluster that is connected to this crew."""
    cluster = Cluster("here", checkpoint=checkpoint)
    cluster._crew = crew
    return cluster


def _travelled(value: Any) -> Any:
    buffers: list[Any] = []
    content = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(content, buffers=[bytes(buffer) for buffer in buffers])


def learnt(detector: Detector) -> dict[str, Array]:
    """All that a fit learnt: the tensors of the model."""
    return dict(detector.model.method.tensors()) | {"held out": detector.model.held_out.scores_M}


def assert_equal(one: Detector, other: Detector) -> None:
    """Rows, radii, scores held out, thresholds and images of two fits are equal, bit for bit."""
    assert learnt(one).keys() == learnt(other).keys()
    for name, tensor in learnt(one).items():
        np.testing.assert_array_equal(tensor, learnt(other)[name], err_msg=name)
    assert one.model.manifest.calibration == other.model.manifest.calibration
    assert one.model.manifest.images == other.model.manifest.images
