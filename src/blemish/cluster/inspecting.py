"""Inspection on a cluster: images one by one to whoever is free, or whole parts that the workers write themselves."""

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from blemish.cluster.cluster import Cluster
from blemish.cluster.storage import Storage
from blemish.detector import Detector
from blemish.errors import OptionError
from blemish.evaluation.elsewhere import Asked, InspectEach
from blemish.reports.table import table
from blemish.result import Result, Verdict

__all__ = ["inspect_many", "inspect_to_parts"]

PART = 512
"""Images whose rows are written together."""
RUN = "run.json"
TEXT = ("path", "verdict", "nearest", "error", "note")
WHOLE = ("regions", "x", "y", "width", "height", "area", "nearest_x", "nearest_y", "unmeasured")


def inspect_many(cluster: Cluster, detector: Detector, paths: Sequence[Path]) -> Iterator[Result]:
    """The results of `Detector.inspect_many`, in order, without their maps, which stay where they were made."""
    return cluster.stream(InspectEach(detector), map(Asked, paths))


def inspect_to_parts(
    cluster: Cluster, detector: Detector, paths: Sequence[Path], place: str
) -> Iterator[Counter[Verdict]]:
    """Write one row an image to Parquet files of PART rows each at `place`; yields the verdicts of each part.

    Parts that are there already, of the same images by the same model, are kept. Raises OptionError where `place` holds
    another run's.
    """
    _claim(Storage(place), detector, paths)
    names = list(map(str, paths))
    parts = [(number, names[start : start + PART]) for number, start in enumerate(range(0, len(names), PART))]
    return cluster.stream(_InspectPart(_with_threads(detector, cluster), place), parts, at_once=1)


class _InspectPart:
    """Inspects a part and writes it, unless it is there."""

    def __init__(self, detector: Detector, place: str) -> None:
        self._detector, self._place = detector, place

    def __call__(self, part: tuple[int, Sequence[str]]) -> Counter[Verdict]:
        from pyarrow import parquet

        number, images = part
        storage, name = Storage(self._place), f"part-{number:08}.parquet"
        if (there := storage.get(name)) is not None:
            verdicts = parquet.read_table(io.BytesIO(there), columns=["verdict"]).column("verdict").to_pylist()
            return Counter(map(Verdict, verdicts))
        rows = table(self._detector.inspect_many(images))
        storage.put(name, _parquet(rows))
        return Counter(Verdict(row["verdict"]) for row in rows)


def _parquet(rows: Sequence[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {name: pa.string() for name in TEXT} | {name: pa.int64() for name in WHOLE}
    columns = {name: pa.array([row[name] for row in rows], kinds.get(name, pa.float64())) for name in rows[0]}
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file)
    return file.getvalue()


def _claim(storage: Storage, detector: Detector, paths: Sequence[Path]) -> None:
    """Refuse a place that holds another run's parts, or anything else."""
    images = hashlib.sha256("\n".join(map(str, paths)).encode("utf-8", "surrogateescape")).hexdigest()
    run = {"model": detector.model.version, "images": images, "part": PART}
    found = storage.get(RUN)
    if found is None and storage.names():
        raise OptionError(f"{storage.place} holds other files; name an empty folder for the parts.")
    if found is not None and json.loads(found) != run:
        raise OptionError(f"{storage.place} holds the parts of other images or of another model; name another place.")
    storage.put(RUN, json.dumps(run).encode())


def _with_threads(detector: Detector, cluster: Cluster) -> Detector:
    """The same detector with as many threads as a worker has."""
    return Detector.of(
        detector.model,
        provider=detector.extractors.provider,
        threads=cluster.crew.threads,
        accept_damaged=detector.accept_damaged,
        max_pixels=detector.max_pixels,
    )
