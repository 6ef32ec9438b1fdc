"""Versions of a recipe: model files that never change, and the row of each."""

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blemish.service.clock import now
from blemish.service.problems import Problem
from blemish.service.store import audit
from blemish.service.store.recipes import Recipe

__all__ = [
    "Version",
    "add_version",
    "export_path",
    "find_version",
    "list_versions",
    "model_path",
    "previous_version",
    "sound_model",
    "version_of_id",
]


@dataclass(frozen=True)
class Version:
    """One row."""

    id: str
    recipe: str
    number: int
    parent: str | None
    kind: str
    sha256: str
    model: str
    info: dict[str, Any]
    by: str
    at: str
    why: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(vars(self))


def model_path(models: Path, version: Version) -> Path:
    """The file of a version; its name holds the sha256 of what it holds."""
    return models / version.recipe / f"{version.id}-{version.sha256[:16]}.blemish"


def export_path(models: Path, version: Version) -> Path:
    """Where the ONNX file of a version is, once it was exported."""
    return model_path(models, version).with_suffix(".onnx")


def sound_model(models: Path, recipe: Recipe, version: Version) -> Path:
    """The file of a version, which holds what it held when it was made. Raises Problem (not-ready)."""
    path = model_path(models, version)
    try:
        with path.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == version.sha256
    except OSError as error:
        raise _unusable(recipe, version, f"Its model file cannot be read ({error.strerror or error}).") from None
    if not same:
        raise _unusable(recipe, version, "Its model file is not the one that was made: its sha256 is another.")
    return path


def _unusable(recipe: Recipe, version: Version, why: str) -> Problem:
    said = f"Version {version.number} of {recipe.name} cannot be used: {why}"
    return Problem("not-ready", f"{said} Restore the file from a backup, or promote another version.")


def list_versions(connection: sqlite3.Connection, recipe: str) -> list[Version]:
    """All versions of a recipe, the newest first."""
    rows = connection.execute("SELECT * FROM version WHERE recipe = ? ORDER BY number DESC", [recipe])
    return [_version(row) for row in rows]


def version_of_id(connection: sqlite3.Connection, id: str) -> Version | None:
    """The version with this id."""
    row = connection.execute("SELECT * FROM version WHERE id = ?", [id]).fetchone()
    return None if row is None else _version(row)


def find_version(connection: sqlite3.Connection, recipe: Recipe, version: str) -> Version:
    """A version of a recipe, by its id or its number. Raises Problem where there is none."""
    number = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else -1
    row = connection.execute(
        "SELECT * FROM version WHERE recipe = ? AND (id = ? OR number = ?)", [recipe.id, version, number]
    ).fetchone()
    if row is None:
        raise Problem("unknown-id", f"{recipe.name} has no version {version!r}.")
    return _version(row)


def previous_version(connection: sqlite3.Connection, recipe: Recipe) -> Version | None:
    """What was on line before the version that is now, where there was one."""
    row = connection.execute(
        "SELECT previous FROM promotion WHERE recipe = ? AND version = ? AND previous <> version "
        "ORDER BY seq DESC LIMIT 1",  # a version may be put on line where it is on line already
        [recipe.id, recipe.champion],
    ).fetchone()
    return version_of_id(connection, row["previous"]) if row else None


def add_version(connection: sqlite3.Connection, who: str, recipe_name: str, version: Version) -> Version:
    """List a model file that is in its place; it gets the next number of its recipe."""
    last = connection.execute("SELECT max(number) FROM version WHERE recipe = ?", [version.recipe]).fetchone()[0]
    values = {**vars(version), "number": (last or 0) + 1, "info": json.dumps(version.info, ensure_ascii=False)}
    names = ", ".join(values)
    marks = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO version ({names}) VALUES ({marks})", list(values.values()))
    audit.record(
        connection,
        who,
        f"version.{version.kind}",
        recipe_name,
        before=version.parent,
        after={"version": version.id, "sha256": version.sha256, "why": version.why, "at": now()},
    )
    added = version_of_id(connection, version.id)
    assert added is not None, "it was just written"
    return added


def _version(row: sqlite3.Row) -> Version:
    return Version(**{**dict(row), "info": json.loads(row["info"])})
