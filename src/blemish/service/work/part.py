"""One part on its way: what came, who judges it, and the row that comes of it."""

import hashlib
import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property

from blemish.errors import BlemishError
from blemish.result import Result, Verdict, finite
from blemish.service.clock import new_id, now
from blemish.service.store.inspections import Inspection
from blemish.service.work.registry import Served

__all__ = ["LINE", "REST", "SOON", "Part", "Ticket", "judge"]

log = logging.getLogger("blemish.service")
LINE, SOON, REST = 0, 1, 2
"""Who goes first: parts on a line, single calls, batches."""


@dataclass(frozen=True)
class Ticket:
    """What is known of a part beside its picture."""

    name: str
    kind: str
    source: str
    serial: str | None = None
    part: str | None = None
    trigger: str | None = None
    idempotency: str | None = None


@dataclass(eq=False)
class Part:
    """A part that waits for its verdict."""

    served: Served
    data: bytes
    ticket: Ticket
    priority: int = SOON
    came: float = field(default_factory=time.monotonic)
    result: Result | None = None
    row: Inspection | None = None
    """The verdict, before it is on the disk."""
    judged: float = math.inf
    foresee: Callable[[Inspection], None] | None = None
    """Called with the row, by the thread that writes, when it waits for the disk alone: it is not recorded yet."""
    answer: "Future[tuple[Inspection, bool]]" = field(default_factory=Future)
    """The row and whether it is on the disk; or a Problem."""

    @cached_property
    def sha256(self) -> str:
        """Of its picture; reckoned once."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def deadline(self) -> float:
        """Seconds from its coming to its verdict; batches have none."""
        return self.served.recipe.settings.deadline_ms / 1000 if self.priority < REST else float("inf")

    @property
    def unrecorded(self) -> float:
        """Seconds since its verdict; none or less before."""
        return time.monotonic() - self.judged

    @property
    def age(self) -> float:
        return time.monotonic() - self.came


def judge(part: Part) -> Inspection:
    """Inspect a part; whatever is wrong with its picture makes its verdict ERROR."""
    began = part.age
    result = _late(part, "it waited for that long and was not inspected") if began > part.deadline else _inspect(part)
    late = part.age > part.deadline
    if late and result.error is None:
        result = _late(part, f"its verdict would have been {result.verdict}")
    settings = part.served.recipe.settings
    timings = {"queue": began, **result.timings}
    return Inspection(
        id=new_id(),
        at=now(),
        recipe=part.served.recipe.id,
        version=part.served.version.id,
        verdict=str(result.verdict),
        score=finite(result.score),
        threshold=finite(result.threshold),
        review_threshold=finite(result.review_threshold),
        times_threshold=finite(result.times_threshold),
        percentile=finite(result.percentile),
        serial=part.ticket.serial,
        part=part.ticket.part,
        trigger=part.ticket.trigger,
        name=part.ticket.name,
        kind=part.ticket.kind,
        source=part.ticket.source,
        late=late,
        error=result.error,
        note=result.note,
        regions=[region.to_dict() for region in result.regions],
        timings={name: round(seconds * 1000, 3) for name, seconds in timings.items()},
        image_sha=part.sha256,
        image_state="pending" if settings.keep_pictures else "off",
        idempotency=part.ticket.idempotency,
    )


def _inspect(part: Part) -> Result:
    try:
        part.result = part.served.detector.inspect((part.ticket.name, part.data))
        return part.result
    except BlemishError as error:
        return _error(part, str(error))
    except Exception as error:  # of ours, or no memory: the part must have a verdict and a row all the same
        log.exception("a part of %s could not be judged", part.served.recipe.name)
        name = type(error).__name__
        return _error(part, f"{part.ticket.name} could not be judged ({name}); the station's log says more.")


def _late(part: Part, what: str) -> Result:
    milliseconds = part.served.recipe.settings.deadline_ms
    return _error(part, f"{part.ticket.name} came to no verdict within its deadline of {milliseconds} ms; {what}.")


def _error(part: Part, sentence: str) -> Result:
    detector = part.served.detector
    return Result(part.ticket.name, Verdict.ERROR, float("nan"), detector.threshold, error=sentence)
