"""Search among the verdicts, by recipe, verdict, time, serial number, version, label, score, kind; the newest first."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from blemish.service.store.inspections import Inspection, inspection_of

__all__ = ["Filter", "count_hours", "each_inspection", "list_inspections"]

FEW = 5_000
"""Where fewer rows than this have the score asked for, they are looked up by score."""
KINDS: Mapping[str, tuple[str, ...]] = {"line": ("api", "v2")}
"""What stands for several kinds: a line's parts are those that machines send one by one, by either interface."""
ASIDE = ("batch", "try")
"""Kinds that have an index of their own: a line's parts are not in it, which would cost each of them time."""
PAGE = 1_000
"""Rows of one step of an export, so that no reader holds a transaction for long."""


@dataclass(frozen=True)
class Filter:
    """What a search asks for; None asks for nothing."""

    recipe: str | None = None
    """Its id."""
    verdict: str | None = None
    since: str | None = None
    until: str | None = None
    serial: str | None = None
    version: str | None = None
    label: str | None = None
    """good, bad, unsure; any; or none."""
    min_score: float | None = None
    before: int | None = None
    """Only rows before this one, by seq."""
    kind: str | None = None
    """api, v2, batch, try; or line, for all that came singly."""


def list_inspections(connection: sqlite3.Connection, wanted: Filter, limit: int) -> list[Inspection]:
    """The newest rows that a filter lets through."""
    where, values = _where(connection, wanted)
    index = _index(connection, wanted)
    # A subquery over an index alone: the wide rows are read for those that are shown, not for all that are searched.
    chosen = f"SELECT seq FROM inspection {index} WHERE {where} ORDER BY seq DESC LIMIT ?"
    rows = connection.execute(f"SELECT * FROM inspection WHERE seq IN ({chosen}) ORDER BY seq DESC", [*values, limit])
    return [inspection_of(row) for row in rows]


def each_inspection(connect: Callable[[], sqlite3.Connection], wanted: Filter) -> Iterator[Inspection]:
    """All rows that a filter lets through, a page at a time.

    By a connection of its own: a stream goes on in whichever thread is free, and no two may use one connection.
    """
    connection = connect()
    try:
        while page := list_inspections(connection, wanted, PAGE):
            yield from page
            wanted = replace(wanted, before=page[-1].seq)
    finally:
        connection.close()


def count_hours(
    connection: sqlite3.Connection, recipe: str | None, since: str, until: str, kind: str | None = None
) -> list[dict[str, Any]]:
    """How many parts had each verdict, hour by hour, oldest first; these counts outlive the rows.

    Of one kind, as `Filter.kind` has it; or of all.
    """
    of_kind, kinds = _of_kind(kind)
    rows = connection.execute(
        "SELECT hour, verdict, sum(count) AS count FROM hour WHERE hour BETWEEN ? AND ? AND recipe = ifnull(?, recipe) "
        f"AND {of_kind} GROUP BY hour, verdict ORDER BY hour, verdict",
        [since[:13], until[:13], recipe, *kinds],
    )
    return [dict(row) for row in rows]


def _of_kind(kind: str | None) -> tuple[str, tuple[str, ...]]:
    """The condition for a kind, and its values."""
    if kind is None:
        return "1", ()
    kinds = KINDS.get(kind, (kind,))
    return f"kind IN ({', '.join('?' * len(kinds))})", kinds


def _where(connection: sqlite3.Connection, wanted: Filter) -> tuple[str, list[Any]]:
    clauses, values = ["1"], []
    for column, operator, value in (
        ("recipe", "=", wanted.recipe),
        ("verdict", "=", wanted.verdict),
        ("serial", "=", wanted.serial),
        ("version", "=", wanted.version),
        ("score", ">=", wanted.min_score),
        ("at", ">=", wanted.since),
        ("at", "<=", wanted.until),
        ("seq", "<", wanted.before),
    ):
        if value is not None:
            clauses.append(f"{column} {operator} ?")
            values.append(value)
    if wanted.verdict is not None and wanted.verdict != "OK":
        clauses.append("verdict <> 'OK'")  # lets SQLite use the index of these alone
    of_kind, kinds = _of_kind(wanted.kind)
    clauses.append(of_kind)
    values += kinds
    if wanted.kind in ASIDE:
        clauses.append("kind IN ('batch', 'try')")  # as above
    if wanted.label is not None:
        clauses.append({"any": "label IS NOT NULL", "none": "label IS NULL"}.get(wanted.label, "label = ?"))
        values += [] if wanted.label in ("any", "none") else [wanted.label]
    if wanted.since is not None or wanted.until is not None:
        clauses.append("seq BETWEEN ? AND ?")
        values += _bounds(connection, wanted)
    return " AND ".join(clauses), values


def _bounds(connection: sqlite3.Connection, wanted: Filter) -> list[int]:
    """The first and last seq of the hours in question: time is not ordered where clocks jump, but hours are few."""
    since, until = (wanted.since or "")[:13], (wanted.until or "9")[:13]
    row = connection.execute(
        "SELECT min(first_seq), max(last_seq) FROM hour WHERE hour BETWEEN ? AND ?", [since, until]
    ).fetchone()
    return [row[0] or 0, row[1] or -1]


def _index(connection: sqlite3.Connection, wanted: Filter) -> str:
    """Which index to search by, where SQLite cannot know."""
    if wanted.serial is not None:
        return "INDEXED BY inspection_serial"
    if wanted.label not in (None, "none"):
        return "INDEXED BY inspection_label"
    if wanted.min_score is not None and _few(connection, wanted.min_score):
        return "INDEXED BY inspection_score"
    if wanted.verdict not in (None, "OK"):
        return "INDEXED BY inspection_verdict"
    if wanted.kind in ASIDE:
        return "INDEXED BY inspection_kind"
    if wanted.version is not None:
        return "INDEXED BY inspection_version"
    return "INDEXED BY inspection_recipe" if wanted.recipe is not None else "NOT INDEXED"


def _few(connection: sqlite3.Connection, score: float) -> bool:
    rows = "SELECT 1 FROM inspection INDEXED BY inspection_score WHERE score >= ? LIMIT ?"
    return int(connection.execute(f"SELECT count(*) FROM ({rows})", [score, FEW]).fetchone()[0]) < FEW
