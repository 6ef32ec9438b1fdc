"""Where the work of a command is done: by this process and its workers, or whole by a process of another cluster."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from blemish.cli.console import said_to, say
from blemish.system.conducts import CLIENT, Conducts, Once, only
from blemish.system.progress import Progress

if TYPE_CHECKING:
    from blemish.cluster.cluster import Cluster
    from blemish.cluster.conductor import Conductor

__all__ = ["Work", "answer", "answers", "elsewhere"]

Work: TypeAlias = Callable[..., Any]
"""A function of this package that takes `cluster` and `progress`; what it is given else can travel."""


def elsewhere(address: str | None) -> bool:
    """Whether the whole command is done elsewhere, where images have other paths than here, or are not here at all."""
    return address is not None and address.startswith(CLIENT)


def answers(work: Work, machines: "Cluster | Conductor | None", progress: Progress) -> Iterator[Any]:
    """What the work yields, wherever it is done."""
    if isinstance(machines, Conducts):
        return machines.conduct(_Aloud(work), progress=progress, say=say)
    return iter(work(cluster=machines, progress=progress))


def answer(work: Work, machines: "Cluster | Conductor | None", progress: Progress) -> Any:
    """What the work returns, wherever it is done."""
    if isinstance(machines, Conducts):
        return only(answers(Once(work), machines, progress))
    return work(cluster=machines, progress=progress)


@dataclass(frozen=True)
class _Aloud:
    """Work that travels, and whose words are said where the command was typed."""

    work: Work

    def __call__(self, *, cluster: Any, progress: Progress, say: Callable[[str], None]) -> Iterator[Any]:
        with said_to(say), closing(self.work(cluster=cluster, progress=progress)) as found:
            yield from found
