"""What the child process of a job is told: which pictures, by which names, which model, which options."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blemish.service.problems import Problem
from blemish.service.store.inspections import find_inspection
from blemish.service.store.jobs import Job
from blemish.service.store.recipes import Recipe, recipe_of_id
from blemish.service.store.store import Store
from blemish.service.store.training import list_golden, list_training
from blemish.service.store.versions import find_version, sound_model
from blemish.service.work.fit_options import AREAS, check_settings

__all__ = ["Order", "Stored", "order_of"]


@dataclass(frozen=True)
class Stored:
    """A picture with a file."""

    sha256: str
    suffix: str
    name: str
    part: str | None

    @property
    def file(self) -> str:
        """What the model knows it by: no path of this machine, and never the name of another picture."""
        return f"{self.sha256}{self.suffix}"


@dataclass(frozen=True)
class Order:
    """What is sent to the child, and the names that its sentences are told in."""

    recipe: Recipe
    plain: dict[str, Any]
    pictures: list[Stored]

    def in_words(self, text: str) -> str:
        """A sentence with the names that pictures came by."""
        for picture in self.pictures:
            text = text.replace(picture.file, picture.name)
        return text


def order_of(store: Store, job: Job, folder: Path) -> Order:
    """What a job asks of the child. Raises Problem where what it needs is not there."""
    recipe = recipe_of_id(store.read, job.recipe)
    pictures = _pictures(store, recipe, job)
    plain: dict[str, Any] = {
        "kind": job.kind,
        "folder": str(folder.resolve()),
        "who": job.by,
        "links": [_link(store, picture) for picture in pictures],
        "images": [picture.file for picture in pictures],
        "options": job.ask.get("options", {}),
    }
    if any(picture.part for picture in pictures):
        plain["parts"] = [picture.part or picture.sha256 for picture in pictures]
    if job.kind == "fit":
        areas = {name: getattr(recipe.settings, name) for name in AREAS}
        options = {**recipe.settings.options, **plain["options"]}
        check_settings(recipe.settings.model_copy(update={"options": options}))
        plain["options"] = {**options, **{k: v for k, v in areas.items() if v}}
    if job.kind == "upload":
        plain["parent"] = str((store.folder / "uploads" / job.ask["file"]).resolve())
    elif job.kind not in ("fit", "tune"):
        version = find_version(store.read, recipe, job.ask["parent"])
        plain["parent"] = str(sound_model(store.models, recipe, version).resolve())
    if job.kind == "remove":
        plain["images"] = job.ask["images"]
    if job.kind == "preview":
        plain |= _preview(store, recipe, job)
    if job.kind == "tune":
        bad = [_of_inspection(store.read, id) for id in _bad(store.read, recipe)]
        plain["links"] += [_link(store, picture) for picture in bad]
        plain["defective"] = [picture.file for picture in bad]
    return Order(recipe, plain, pictures)


def _pictures(store: Store, recipe: Recipe, job: Job) -> list[Stored]:
    """The good pictures that a job learns from."""
    if job.kind in ("fit", "tune"):
        found = [
            Stored(each.sha256, each.suffix, each.name, each.part) for each in list_training(store.read, recipe.id)
        ]
        if not found:
            raise Problem("conflict", f"{recipe.name} has no training pictures yet; send good ones first.")
        return found
    return [_of_inspection(store.read, id) for id in job.ask.get("inspections", [])] + [
        _of_training(store.read, recipe, sha256) for sha256 in job.ask.get("pictures", [])
    ]


def _of_inspection(connection: sqlite3.Connection, id: str) -> Stored:
    row = find_inspection(connection, id)
    return Stored(row.image_sha, _suffix(connection, row.image_sha, row.name), row.name, row.part)


def _of_training(connection: sqlite3.Connection, recipe: Recipe, sha256: str) -> Stored:
    row = connection.execute(
        "SELECT name, part FROM training WHERE recipe = ? AND sha256 = ?", [recipe.id, sha256]
    ).fetchone()
    if row is None:
        raise Problem("unknown-id", f"{recipe.name} has no training picture {sha256!r}.")
    return Stored(sha256, _suffix(connection, sha256, row["name"]), row["name"], row["part"])


def _suffix(connection: sqlite3.Connection, sha256: str, name: str) -> str:
    row = connection.execute("SELECT suffix FROM picture WHERE sha256 = ?", [sha256]).fetchone()
    if row is None:
        raise Problem("expired", f"The picture {name} is not kept any more, so nothing can be learnt from it.")
    return str(row["suffix"])


def _link(store: Store, picture: Stored) -> list[str]:
    return [str(store.pictures.path(picture.sha256, picture.suffix).resolve()), picture.file]


def _bad(connection: sqlite3.Connection, recipe: Recipe) -> list[str]:
    rows = connection.execute(
        "SELECT id FROM inspection WHERE label = 'bad' AND recipe = ? AND image_state = 'stored' ORDER BY seq DESC "
        "LIMIT 400",
        [recipe.id],
    )
    return [row["id"] for row in rows]


def _preview(store: Store, recipe: Recipe, job: Job) -> dict[str, Any]:
    """What to judge again, and the version to compare with: the one named, or the one on line."""
    golden = [
        {"id": each.id, "name": each.name, "sha256": each.sha256, "expected": each.expected}
        | {"file": str(store.pictures.path(each.sha256, each.suffix).resolve())}
        for each in list_golden(store.read, recipe.id)
    ]
    return {
        "past": _past(store, recipe, job.ask["last"]),
        "golden": golden,
        "against": job.ask.get("against"),
        "old": _old(store, recipe, job.ask.get("against")),
        "max_pixels": recipe.settings.max_pixels,
    }


def _old(store: Store, recipe: Recipe, against: str | None) -> str | None:
    """The model to compare with, where there is one. The one on line may be damaged: this preview may mend that."""
    id = against or recipe.champion
    if id is None:
        return None
    try:
        return str(sound_model(store.models, recipe, find_version(store.read, recipe, id)).resolve())
    except Problem:
        if against is not None:
            raise
        return None


def _past(store: Store, recipe: Recipe, last: int) -> list[dict[str, Any]]:
    """The newest parts whose picture is kept, with what was said of them; late ones had no verdict of a version."""
    rows = store.read.execute(
        "SELECT i.id, i.name, i.serial, i.at, i.verdict, i.score, i.label, i.image_sha, p.suffix FROM inspection i "
        "JOIN picture p ON p.sha256 = i.image_sha WHERE i.recipe = ? AND i.image_state = 'stored' "
        "AND NOT i.late ORDER BY i.seq DESC LIMIT ?",
        [recipe.id, last],
    )
    return [
        {name: row[name] for name in ("id", "name", "serial", "at", "verdict", "score", "label")}
        | {"file": str(store.pictures.path(row["image_sha"], row["suffix"]).resolve())}
        for row in rows
    ]
