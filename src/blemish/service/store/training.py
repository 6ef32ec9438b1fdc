"""Good pictures that a recipe is taught with, and golden ones that every version must judge rightly."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from blemish.service.clock import new_id, now
from blemish.service.problems import Problem
from blemish.service.store import audit
from blemish.service.store.recipes import Recipe

__all__ = [
    "Golden",
    "Training",
    "add_golden",
    "add_training",
    "list_golden",
    "list_training",
    "remove_golden",
    "remove_training",
]


@dataclass(frozen=True)
class Training:
    """A good picture."""

    seq: int
    sha256: str
    suffix: str
    name: str
    part: str | None
    facts: dict[str, Any]
    by: str
    at: str


@dataclass(frozen=True)
class Golden:
    """A picture whose verdict is known."""

    id: str
    sha256: str
    suffix: str
    name: str
    expected: str
    by: str
    at: str


def list_training(connection: sqlite3.Connection, recipe: str) -> list[Training]:
    """The good pictures of a recipe, as they came."""
    rows = connection.execute(
        "SELECT t.seq, t.sha256, p.suffix, t.name, t.part, t.facts, t.by, t.at "
        "FROM training t JOIN picture p USING (sha256) WHERE t.recipe = ? ORDER BY t.seq",
        [recipe],
    )
    return [Training(**{**dict(row), "facts": json.loads(row["facts"])}) for row in rows]


def add_training(
    connection: sqlite3.Connection,
    who: str,
    recipe: Recipe,
    *,
    sha256: str,
    name: str,
    part: str | None,
    facts: dict[str, Any],
) -> bool:
    """Add a good picture, which is listed already; False where the recipe has it."""
    cursor = connection.execute(
        "INSERT OR IGNORE INTO training (recipe, sha256, name, part, facts, by, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [recipe.id, sha256, name, part, json.dumps(facts), who, now()],
    )
    if cursor.rowcount == 1:
        audit.record(connection, who, "training.add", recipe.name, after={"sha256": sha256, "name": name})
    return cursor.rowcount == 1


def remove_training(connection: sqlite3.Connection, who: str, recipe: Recipe, sha256: str) -> None:
    """Take a good picture out of the next fit. Raises Problem where the recipe has none such."""
    cursor = connection.execute("DELETE FROM training WHERE recipe = ? AND sha256 = ?", [recipe.id, sha256])
    if not cursor.rowcount:
        raise Problem("unknown-id", f"{recipe.name} has no training picture {sha256!r}.")
    audit.record(connection, who, "training.remove", recipe.name, before=sha256)


def list_golden(connection: sqlite3.Connection, recipe: str) -> list[Golden]:
    """The golden pictures of a recipe."""
    rows = connection.execute(
        "SELECT g.id, g.sha256, p.suffix, g.name, g.expected, g.by, g.at "
        "FROM golden g JOIN picture p USING (sha256) WHERE g.recipe = ? ORDER BY g.id",
        [recipe],
    )
    return [Golden(**dict(row)) for row in rows]


def add_golden(
    connection: sqlite3.Connection, who: str, recipe: Recipe, *, sha256: str, name: str, expected: str
) -> None:
    """Make a picture a golden one, or change what is expected of it."""
    connection.execute(
        "INSERT INTO golden VALUES (?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (recipe, sha256) DO UPDATE SET expected = excluded.expected, name = excluded.name",
        [new_id(), recipe.id, sha256, name, expected, who, now()],
    )
    audit.record(connection, who, "golden.add", recipe.name, after={"sha256": sha256, "expected": expected})


def remove_golden(connection: sqlite3.Connection, who: str, recipe: Recipe, id: str) -> None:
    """Make a picture an ordinary one again. Raises Problem where it is not golden."""
    cursor = connection.execute("DELETE FROM golden WHERE recipe = ? AND id = ?", [recipe.id, id])
    if not cursor.rowcount:
        raise Problem("unknown-id", f"{recipe.name} has no golden picture {id!r}.")
    audit.record(connection, who, "golden.remove", recipe.name, before=id)
