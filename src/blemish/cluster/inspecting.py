"""Inspection on a cluster: images one by one to whoever is free, or whole parts that the workers write themselves."""

import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from blemish.cluster.cluster import Cluster
from blemish.detector import Detector
from blemish.errors import DataError, OptionError
from blemish.evaluation.elsewhere import Asked, InspectEach
from blemish.features.made_up import sight_of
from blemish.reports.table import table
from blemish.result import Result, Verdict
from blemish.system.address import Address, Place, stamp
from blemish.system.storage import Storage

__all__ = ["inspect_many", "inspect_to_parts"]

PART = 512
"""Images whose rows are written together."""
RUN = "run.json"
SEEN = b"blemish.images"
"""The metadata of a part that say which files it was made of (`_files_digest`)."""
TEXT = ("path", "verdict", "nearest", "error", "note")
WHOLE = ("regions", "x", "y", "width", "height", "area", "nearest_x", "nearest_y", "unmeasured")


def inspect_many(cluster: Cluster, detector: Detector, paths: Sequence[Place]) -> Iterator[Result]:
    """The results of `Detector.inspect_many`, in order, without their maps, which stay where they were made."""
    return cluster.stream(InspectEach(detector), map(Asked, paths))


def inspect_to_parts(
    cluster: Cluster, detector: Detector, paths: Sequence[Place], place: str
) -> Iterator[Counter[Verdict]]:
    """Write one row an image to Parquet files of PART rows each at `place`; yields the verdicts of each part.

    Parts that are there already, by the same model of the same images, are kept, unless a file has changed since.
    Raises OptionError where `place` holds another run's, and in the end DataError where parts are not here: a folder
    may be another one on each machine.
    """
    storage = Storage(place)
    _claim(storage, detector, paths)
    parts = [(number, paths[start : start + PART]) for number, start in enumerate(range(0, len(paths), PART))]
    done = cluster.stream(_InspectPart(_with_threads(detector, cluster), place), parts, at_once=1)
    return _all_here(done, storage, [_part_name(number) for number, _ in parts])


def _all_here(done: Iterator[Counter[Verdict]], storage: Storage, names: Sequence[str]) -> Iterator[Counter[Verdict]]:
    """What was done of each part. Raises DataError where one is not to be seen from here afterwards."""
    yield from done
    if missing := set(names).difference(storage.names()):
        raise DataError(
            f"{len(missing)} of {len(names)} parts are not in {storage.place} as this machine sees it: other machines "
            f"wrote them to folders of their own; name a folder that all machines share, or a bucket."
        )


class _InspectPart:
    """Inspects a part and writes it, unless it is there, of the same files."""

    def __init__(self, detector: Detector, place: str) -> None:
        self._detector, self._place = detector, place

    def sees(self) -> str:
        return sight_of(self._detector.extractors.shared, self._detector.manifest.transform)

    def __call__(self, part: tuple[int, Sequence[Place]]) -> Counter[Verdict]:
        from pyarrow import parquet

        number, images = part
        storage, name, seen = Storage(self._place), _part_name(number), _files_digest(images)
        if (there := storage.get(name)) is not None:
            kept = parquet.read_table(io.BytesIO(there), columns=["verdict"])
            if (kept.schema.metadata or {}).get(SEEN) == seen:
                return Counter(map(Verdict, kept.column("verdict").to_pylist()))
        rows = table(self._detector.inspect_many(images))
        storage.put(name, _parquet(rows, seen))
        return Counter(Verdict(row["verdict"]) for row in rows)


def _part_name(number: int) -> str:
    return f"part-{number:08}.parquet"


def _files_digest(images: Sequence[Place]) -> bytes:
    """Digits that change where a file is written anew: a camera may give its images the same names every day."""
    found = hashlib.sha256()
    for image in images:
        try:
            size, written = stamp(image)
            found.update(f"{size} {written}\n".encode())
        except (OSError, ValueError, DataError):
            found.update(b"none\n")
    return found.hexdigest().encode()


def _parquet(rows: Sequence[dict[str, Any]], seen: bytes) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {name: pa.string() for name in TEXT} | {name: pa.int64() for name in WHOLE}
    columns = {name: pa.array([_unicode(row[name]) for row in rows], kinds.get(name, pa.float64())) for name in rows[0]}
    file = io.BytesIO()
    parquet.write_table(pa.table(columns).replace_schema_metadata({SEEN: seen}), file)
    return file.getvalue()


def _unicode(value: Any) -> Any:
    """The value, where of a file's name that is no Unicode the bytes are escaped: Parquet holds nothing else."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _claim(storage: Storage, detector: Detector, paths: Sequence[Place]) -> None:
    """Refuse a place that holds another run's parts, or anything else."""
    # Absolute: from another folder the same names are other images.
    images = hashlib.sha256("\n".join(map(_absolute, paths)).encode("utf-8", "surrogateescape")).hexdigest()
    run: dict[str, Any] = {"model": detector.model.digest, "images": images, "part": PART}
    run |= {"provider": detector.extractors.provider, "max_pixels": detector.max_pixels}
    run |= {"accept_damaged": detector.accept_damaged}
    found = storage.get(RUN)
    if found is None and storage.names():
        raise OptionError(f"{storage.place} holds other files; name an empty folder for the parts.")
    if found is not None and _read(found) != run:
        raise OptionError(
            f"{storage.place} holds the parts of other images, of another model or of other options; name another "
            f"place."
        )
    storage.put(RUN, json.dumps(run).encode())


def _absolute(place: Place) -> str:
    return str(place) if isinstance(place, Address) else os.path.abspath(place)


def _read(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _with_threads(detector: Detector, cluster: Cluster) -> Detector:
    """The same detector with as many threads as a worker has."""
    return Detector.of(
        detector.model,
        provider=detector.extractors.provider,
        threads=cluster.crew.threads,
        accept_damaged=detector.accept_damaged,
        max_pixels=detector.max_pixels,
    )
