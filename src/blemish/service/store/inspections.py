"""Every verdict ever given, one row each: written before it is answered."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

from blemish.service.problems import Problem
from blemish.service.store.pictures import Pictures, list_picture

__all__ = ["Inspection", "add_inspection", "find_inspection", "lose_pending", "picture_stored", "repeated"]

COLUMNS = [
    "id",
    "at",
    "recipe",
    "version",
    "verdict",
    "score",
    "threshold",
    "review_threshold",
    "times_threshold",
    "percentile",
    "serial",
    "part",
    "trigger",
    "name",
    "kind",
    "source",
    "late",
    "error",
    "note",
    "regions",
    "timings",
    "image_sha",
    "image_state",
    "idempotency",
    "label",
]


_INSERT = f"INSERT INTO inspection ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
_values = itemgetter(*COLUMNS)


@dataclass(frozen=True)
class Inspection:
    """One row; `regions` and `timings` are as `Result.to_dict` has them, times in milliseconds."""

    id: str
    at: str
    recipe: str
    version: str
    verdict: str
    score: float | None
    threshold: float | None
    review_threshold: float | None
    times_threshold: float | None
    percentile: float | None
    serial: str | None
    part: str | None
    trigger: str | None
    name: str
    kind: str
    source: str
    late: bool
    error: str | None
    note: str | None
    regions: list[dict[str, Any]]
    timings: dict[str, float]
    image_sha: str
    image_state: str
    idempotency: str | None = None
    label: str | None = None
    seq: int = 0


def add_inspection(connection: sqlite3.Connection, row: Inspection) -> Inspection:
    """Write a row; where its Idempotency-Key came before, the row of that time stands. Raises Problem as `repeated`."""
    if row.idempotency is not None:
        before = repeated(connection, row.recipe, row.idempotency, row.image_sha)
        if before is not None:
            return before
    values = vars(row) | {"regions": _json(row.regions), "timings": _json(row.timings)}
    seq = connection.execute(_INSERT, _values(values)).lastrowid or 0
    connection.execute(
        "INSERT INTO hour VALUES (?, ?, ?, ?, 1, ?, ?) ON CONFLICT DO UPDATE SET count = count + 1, "
        "first_seq = min(first_seq, excluded.first_seq), last_seq = max(last_seq, excluded.last_seq)",
        [row.at[:13], row.recipe, row.verdict, row.kind, seq, seq],
    )
    return replace(row, seq=seq)


def repeated(connection: sqlite3.Connection, recipe: str, key: str, image_sha: str) -> Inspection | None:
    """The row that this key made before. Raises Problem where that was another picture."""
    row = connection.execute("SELECT * FROM inspection WHERE recipe = ? AND idempotency = ?", [recipe, key]).fetchone()
    if row is None:
        return None
    if row["image_sha"] != image_sha:
        raise Problem("idempotency-conflict", f"The key {key!r} came before with another picture; use a new one.")
    return inspection_of(row)


def find_inspection(connection: sqlite3.Connection, id: str) -> Inspection:
    """One row. Raises Problem where there is none."""
    row = connection.execute("SELECT * FROM inspection WHERE id = ?", [id]).fetchone()
    if row is None:
        raise Problem("unknown-id", f"There is no inspection {id!r}.")
    return inspection_of(row)


def picture_stored(connection: sqlite3.Connection, id: str, sha256: str, suffix: str, size: int) -> None:
    """The picture of an inspection is on the disk."""
    list_picture(connection, sha256, suffix, size)
    connection.execute("UPDATE inspection SET image_state = 'stored' WHERE id = ? AND image_state = 'pending'", [id])


def lose_pending(connection: sqlite3.Connection, pictures: Pictures) -> list[str]:
    """After a kill: what waited for its picture has it, where its file is there, or has lost it; ids of the lost."""
    lost = []
    for row in connection.execute("SELECT id, image_sha FROM inspection WHERE image_state = 'pending'").fetchall():
        path = pictures.find(row["image_sha"])
        if path is not None:
            picture_stored(connection, row["id"], row["image_sha"], path.suffix, path.stat().st_size)
        else:
            connection.execute("UPDATE inspection SET image_state = 'lost' WHERE id = ?", [row["id"]])
            lost.append(row["id"])
    return lost


def inspection_of(row: sqlite3.Row | Mapping[str, Any]) -> Inspection:
    """A row as a value."""
    plain = dict(row)
    changed = {name: json.loads(plain[name]) for name in ("regions", "timings")}
    return Inspection(**{**plain, **changed, "late": bool(plain["late"])})


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
