"""How rows are told to callers."""

from typing import Any, Literal

from blemish.service.station import Station
from blemish.service.store.inspections import Inspection
from blemish.service.store.recipes import Recipe, recipe_of_id
from blemish.service.store.versions import Version, version_of_id

__all__ = ["API", "Detail", "Named", "recipe_answer", "version_answer"]

API = "/api/v1"
Detail = Literal["verdict", "regions", "full"]


class Named:
    """Turns rows into answers; it looks each recipe and version up once."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._recipes: dict[str, str] = {}
        self._versions: dict[str, Version | None] = {}

    def inspection(self, row: Inspection, *, recorded: bool = True, detail: Detail = "regions") -> dict[str, Any]:
        """The answer for one part."""
        version = self._version(row.version)
        at = f"{API}/inspections/{row.id}"
        return {
            "id": row.id,
            "seq": row.seq,
            "recipe": self._recipe(row.recipe),
            "version": row.version,
            "version_number": version and version.number,
            "model_sha256": version and version.sha256,
            "verdict": row.verdict,
            "score": row.score,
            "threshold": row.threshold,
            "review_threshold": row.review_threshold,
            "times_threshold": row.times_threshold,
            "percentile": row.percentile,
            "regions": _regions(row, detail),
            "serial": row.serial,
            "group": row.part,
            "trigger": row.trigger,
            "name": row.name,
            "kind": row.kind,
            "source": row.source,
            "at": row.at,
            "timings_ms": row.timings,
            "recorded": recorded,
            "late": row.late,
            "error": row.error,
            "note": row.note,
            "label": row.label,
            "image": row.image_state,
            "image_sha256": row.image_sha,
            "links": {name: f"{at}/{name}" for name in ("image", "overlay", "map.png", "labels")} | {"self": at},
        }

    def know(self, recipe: Recipe, version: Version) -> None:
        """Spare a look at the database for what is known already."""
        self._recipes[recipe.id], self._versions[version.id] = recipe.name, version

    def _recipe(self, id: str) -> str:
        if id not in self._recipes:
            self._recipes[id] = recipe_of_id(self._station.store.read, id).name
        return self._recipes[id]

    def _version(self, id: str) -> Version | None:
        if id not in self._versions:
            self._versions[id] = version_of_id(self._station.store.read, id)
        return self._versions[id]


def recipe_answer(station: Station, recipe: Recipe) -> dict[str, Any]:
    """A recipe, with whether it serves."""
    champion = version_of_id(station.store.read, recipe.champion) if recipe.champion else None
    served = station.registry.ready(recipe.name)
    return recipe.to_dict() | {
        "champion_number": champion and champion.number,
        "serving": served is not None,
        "failed": station.registry.failed.get(recipe.name),
    }


def version_answer(recipe: Recipe, version: Version) -> dict[str, Any]:
    """A version, with whether it is on line."""
    return version.to_dict() | {"recipe": recipe.name, "on_line": recipe.champion == version.id}


def _regions(row: Inspection, detail: Detail) -> list[dict[str, Any]]:
    if detail == "verdict":
        return []
    rest = ("area", "score", "outline", "nearest") if detail == "full" else ("area", "score")
    return [
        {"box": {name: region[name] for name in ("x", "y", "width", "height")}} | {name: region[name] for name in rest}
        for region in row.regions
    ]
