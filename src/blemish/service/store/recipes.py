"""Recipes: what is inspected, how it is taught, and which version is on line."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from blemish.service.clock import new_id, now
from blemish.service.problems import Problem
from blemish.service.store import audit

__all__ = [
    "Recipe",
    "RecipeSettings",
    "add_recipe",
    "change_recipe",
    "find_recipe",
    "list_recipes",
    "put_on_line",
    "recipe_of_id",
]


class RecipeSettings(BaseModel):
    """How the parts of one recipe are inspected and how long they are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    deadline_ms: int = Field(
        default=1000, ge=10, le=600_000, description="A verdict that comes later than this is ERROR."
    )
    max_pixels: int | None = Field(
        default=None, ge=1, le=1_000_000_000, description="Of the largest picture; null: 16 times the largest good one."
    )
    require_record: bool = Field(default=False, description="A verdict that could not be recorded is ERROR.")
    keep_pictures: bool = Field(default=True, description="Whether pictures of inspected parts are kept at all.")
    keep_ok_days: int = Field(default=30, ge=0, le=36_500, description="Days that pictures of OK parts are kept.")
    keep_other_days: int = Field(
        default=365, ge=0, le=36_500, description="Days that pictures of other parts are kept."
    )
    keep_rows_days: int = Field(
        default=400, ge=1, le=36_500, description="Days that rows of unlabelled OK parts are kept."
    )
    options: dict[str, str | int | float | bool] = Field(
        default={}, max_length=100, description="Options of `blemish fit`, as a recipe file has them."
    )
    include: list[str] = Field(
        default=[], max_length=100, description="Areas to look at, in pixels of the first picture."
    )
    ignore: list[str] = Field(default=[], max_length=100, description="Areas never to look at.")


@dataclass(frozen=True)
class Recipe:
    """One row."""

    id: str
    name: str
    number: int | None
    title: str
    state: str
    champion: str | None
    settings: RecipeSettings
    revision: int
    at: str

    @property
    def etag(self) -> str:
        return f'"{self.revision}"'

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "settings": self.settings.model_dump()}


def list_recipes(connection: sqlite3.Connection, *, archived: bool = False) -> list[Recipe]:
    """All recipes by name; those put away only where asked for."""
    where = "" if archived else "WHERE state = 'open'"
    return [_recipe(row) for row in connection.execute(f"SELECT * FROM recipe {where} ORDER BY name COLLATE NOCASE")]


def find_recipe(connection: sqlite3.Connection, name: str) -> Recipe:
    """The recipe of this name. Raises Problem where there is none."""
    row = connection.execute("SELECT * FROM recipe WHERE name = ?", [name]).fetchone()
    if row is None:
        raise Problem("unknown-recipe", f"There is no recipe {name!r}; check how its name is spelled.")
    return _recipe(row)


def recipe_of_id(connection: sqlite3.Connection, id: str) -> Recipe:
    """The recipe with this id, which is there."""
    return _recipe(connection.execute("SELECT * FROM recipe WHERE id = ?", [id]).fetchone())


def add_recipe(
    connection: sqlite3.Connection, who: str, *, name: str, title: str, number: int | None, settings: RecipeSettings
) -> Recipe:
    """A new recipe. Raises Problem where the name or number is taken."""
    id = new_id()
    values = [id, name, number, title, "open", None, settings.model_dump_json(), 1, now()]
    try:
        connection.execute("INSERT INTO recipe VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    except sqlite3.IntegrityError:
        raise Problem("conflict", f"The name {name!r} or the number {number} belongs to a recipe already.") from None
    audit.record(connection, who, "recipe.add", name, after={"title": title, "number": number})
    return recipe_of_id(connection, id)


def change_recipe(
    connection: sqlite3.Connection, who: str, name: str, etag: str | None, update: Mapping[str, Any]
) -> Recipe:
    """Change title, number, state or settings. Raises Problem where `etag` is not that of the recipe as it is."""
    recipe = find_recipe(connection, name)
    if etag is None:
        raise Problem("no-if-match", f"Send If-Match with the ETag of {name}, which is what you looked at.")
    if etag not in (recipe.etag, "*"):
        raise Problem("stale-edit", f"{name} was changed in the meantime; read it again.")
    settings = RecipeSettings.model_validate(recipe.settings.model_dump() | dict(update.get("settings") or {}))
    values = {each: update.get(each, getattr(recipe, each)) for each in ("title", "number", "state")}
    try:
        connection.execute(
            "UPDATE recipe SET title = ?, number = ?, state = ?, settings = ?, revision = revision + 1 WHERE id = ?",
            [*values.values(), settings.model_dump_json(), recipe.id],
        )
    except sqlite3.IntegrityError:
        raise Problem("conflict", f"The number {values['number']} belongs to another recipe.") from None
    audit.record(connection, who, "recipe.change", recipe.name, before=recipe.to_dict(), after=dict(update))
    return recipe_of_id(connection, recipe.id)


def put_on_line(connection: sqlite3.Connection, who: str, recipe: Recipe, version: str, reason: str) -> None:
    """Let a version judge from now on."""
    now_on = connection.execute("SELECT champion FROM recipe WHERE id = ?", [recipe.id]).fetchone()["champion"]
    connection.execute("UPDATE recipe SET champion = ?, revision = revision + 1 WHERE id = ?", [version, recipe.id])
    connection.execute(
        "INSERT INTO promotion (recipe, version, previous, by, at, reason) VALUES (?, ?, ?, ?, ?, ?)",
        [recipe.id, version, now_on, who, now(), reason],
    )
    audit.record(
        connection, who, "recipe.promote", recipe.name, before=now_on, after={"version": version, "reason": reason}
    )


def _recipe(row: sqlite3.Row) -> Recipe:
    return Recipe(**{**dict(row), "settings": RecipeSettings.model_validate(json.loads(row["settings"]))})
