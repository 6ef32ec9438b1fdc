"""Who changed what: rows that are only added, each holding the hash of the one before."""

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blemish.errors import DataError
from blemish.service.clock import now
from blemish.service.store.database import DATABASE

__all__ = ["Verified", "list_audit", "record", "verify", "verify_folder"]

FIELDS = ("seq", "at", "who", "what", "about", "before", "after")


def record(
    connection: sqlite3.Connection,
    who: str,
    what: str,
    about: str,
    *,
    before: Any = None,
    after: Any = None,
) -> None:
    """Add a row, in the transaction of the change that it tells of."""
    last = connection.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    seq, chained = (last["seq"], last["hash"]) if last else (0, "")
    values = [seq + 1, now(), who, what, about, _text(before), _text(after)]
    connection.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [*values, _hash(chained, values)])


@dataclass(frozen=True)
class Verified:
    """What checking the chain found."""

    rows: int
    head: str
    """The hash of the last row: who keeps it elsewhere can tell whether rows were taken from the end."""
    wrong: int | None
    """The first row that is not what was written; None where all are."""
    expected: bool = False
    """Whether a row has the hash that was asked for."""


def verify_folder(folder: Path, expect: str | None = None) -> Verified:
    """Follow the chain of a station, which may be running. Raises DataError where there is none."""
    path = folder / DATABASE
    if not path.is_file():
        raise DataError(f"{folder} holds no {DATABASE}; name the folder that blemish serve was given.")
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        return verify(connection, expect)
    except sqlite3.Error as error:
        raise DataError(f"{path} cannot be read ({error}).") from None
    finally:
        connection.close()


def verify(connection: sqlite3.Connection, expect: str | None = None) -> Verified:
    """Follow the chain from its first row."""
    chained, count, expected = "", 0, False
    for row in connection.execute("SELECT * FROM audit ORDER BY seq"):
        count += 1
        values = [row[field] for field in FIELDS]
        if row["seq"] != count or row["hash"] != _hash(chained, values):
            return Verified(count, chained, row["seq"])
        chained = row["hash"]
        expected = expected or chained == expect
    return Verified(count, chained, None, expected)


def list_audit(
    connection: sqlite3.Connection, before: int | None, limit: int, mentions: str | None = None
) -> list[dict[str, Any]]:
    """The newest rows, or the newest before a row; all, or those in which an id or a name stands."""
    rows = connection.execute(
        "SELECT * FROM audit WHERE seq < ? "
        "AND (? IS NULL OR instr(about || ifnull(before, '') || ifnull(after, ''), ?)) ORDER BY seq DESC LIMIT ?",
        [before or 1 << 62, mentions, mentions, limit],
    )
    return [dict(row) | {name: row[name] and json.loads(row[name]) for name in ("before", "after")} for row in rows]


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _hash(before: str, values: list[Any]) -> str:
    said = json.dumps([before, *values], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()
