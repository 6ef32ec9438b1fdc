"""What people say of verdicts: good after all, really bad, not sure. The newest counts, and all are kept."""

import sqlite3
from typing import Any

from blemish.service.clock import now
from blemish.service.store import audit
from blemish.service.store.inspections import find_inspection

__all__ = ["label_inspection", "list_labels", "misses"]


def label_inspection(connection: sqlite3.Connection, who: str, id: str, label: str | None, note: str) -> None:
    """Label an inspection, or take the label back, if it has one. Raises Problem where there is no such inspection."""
    before = find_inspection(connection, id)
    if label is None and before.label is None:
        return
    connection.execute(
        "INSERT INTO label (inspection, label, note, by, at) VALUES (?, ?, ?, ?, ?)", [id, label, note, who, now()]
    )
    connection.execute("UPDATE inspection SET label = ? WHERE id = ?", [label, id])
    audit.record(connection, who, "label", id, before=before.label, after={"label": label, "note": note})


def list_labels(connection: sqlite3.Connection, id: str) -> list[dict[str, Any]]:
    """All that was said of an inspection, oldest first."""
    rows = connection.execute("SELECT label, note, by, at FROM label WHERE inspection = ? ORDER BY seq", [id])
    return [dict(row) for row in rows]


def misses(connection: sqlite3.Connection, recipe: str) -> dict[str, int]:
    """Of the parts called really bad, how many were let through as OK."""
    row = connection.execute(
        "SELECT count(*) AS bad, ifnull(sum(verdict = 'OK'), 0) AS missed FROM inspection INDEXED BY inspection_label "
        "WHERE label = 'bad' AND recipe = ?",
        [recipe],
    ).fetchone()
    return dict(row)
