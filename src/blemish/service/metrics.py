"""What Prometheus reads: counts of verdicts, seconds of each step, what waits."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from blemish.service.store.inspections import Inspection

__all__ = ["Metrics"]

BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class Metrics:
    """The figures of one station."""

    def __init__(self) -> None:
        self._all = CollectorRegistry()
        self._verdicts = Counter(
            "blemish_inspections",
            "Parts judged; the line's have the kind api or v2, the others are of batches and try-outs.",
            ["recipe", "verdict", "kind"],
            registry=self._all,
        )
        self._unrecorded = Counter("blemish_unrecorded", "Verdicts that are not on the disk.", registry=self._all)
        self._late = Counter("blemish_late", "Parts judged after their deadline.", ["recipe"], registry=self._all)
        self._seconds = Histogram(
            "blemish_step_seconds", "Seconds of each step.", ["step"], buckets=BUCKETS, registry=self._all
        )
        self._waiting = Gauge("blemish_waiting", "What waits.", ["for_"], registry=self._all)
        self._lost = Gauge("blemish_pictures_lost", "Pictures that could not be kept.", registry=self._all)

    def count(self, recipe: str, row: Inspection, recorded: bool) -> None:
        """Count a part."""
        self._verdicts.labels(recipe, row.verdict, row.kind).inc()
        if row.late:
            self._late.labels(recipe).inc()
        if not recorded:
            self._unrecorded.inc()
        for step, milliseconds in row.timings.items():
            self._seconds.labels(step).observe(milliseconds / 1000)

    def text(self, *, parts: int, writes: int, pictures: int, lost: int) -> bytes:
        """The exposition, with what waits at this moment."""
        for name, value in (("verdict", parts), ("database", writes), ("picture", pictures)):
            self._waiting.labels(name).set(value)
        self._lost.set(lost)
        return generate_latest(self._all)
