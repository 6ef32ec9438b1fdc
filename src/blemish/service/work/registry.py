"""Which detector judges for each recipe: one pointer, replaced by one assignment, so that a part meets one version."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

from blemish.detector import Detector, load
from blemish.errors import BlemishError
from blemish.service.problems import Problem
from blemish.service.store.recipes import Recipe, find_recipe, list_recipes
from blemish.service.store.store import Store
from blemish.service.store.versions import Version, find_version, model_path, version_of_id

__all__ = ["Registry", "Served"]

KEPT = 4
"""Detectors of versions that are not on line, kept for pictures of past results."""


@dataclass(frozen=True)
class Served:
    """What judges a part: a request takes it once and keeps it to its end."""

    recipe: Recipe
    version: Version
    detector: Detector


class Registry:
    """The detectors in service. `take` costs nothing where the recipe was asked for before."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._served: dict[str, Served] = {}
        self._lock = threading.RLock()
        self._others: OrderedDict[str, Detector] = OrderedDict()
        self.failed: dict[str, str] = {}
        """Why a recipe cannot be served, by its name."""

    def ready(self, name: str) -> Served | None:
        """What serves a recipe, where it is loaded."""
        return self._served.get(name.lower())

    def take(self, name: str) -> Served:
        """What serves a recipe; loaded where it is not yet. Raises Problem where nothing can serve it."""
        return self.ready(name) or self.load(name)

    def load(self, name: str) -> Served:
        """Serve what the database says is on line, if it is not served yet. Raises Problem."""
        with self._lock:
            recipe = find_recipe(self._store.read, name)
            served = self._served.get(recipe.name.lower())
            if recipe.champion is None or recipe.state != "open":
                self._served.pop(recipe.name.lower(), None)
                why = "is put away" if recipe.state != "open" else "has no version on line; teach it, then promote one"
                raise Problem("not-on-line", f"{recipe.name} {why}.")
            if served is None or served.version.id != recipe.champion or _bound(served.recipe) != _bound(recipe):
                version = version_of_id(self._store.read, recipe.champion)
                assert version is not None, "a champion is a version"
                served = Served(recipe, version, self._read(recipe, version))
            return self.put(replace(served, recipe=recipe))

    def put(self, served: Served) -> Served:
        """Serve this from now on."""
        self._served[served.recipe.name.lower()] = served
        self.failed.pop(served.recipe.name, None)
        return served

    def load_all(self) -> None:
        """Load what is on line, one after the other; what does not load is told by `failed`, and the rest serves."""
        for recipe in list_recipes(self._store.read):
            if recipe.champion is not None:
                try:
                    self.load(recipe.name)
                except BlemishError as error:
                    self.failed[recipe.name] = str(error)

    def of_version(self, recipe: Recipe, version: Version) -> Served:
        """A version of a recipe, on line or not. Raises Problem where its model cannot be used."""
        served = self.ready(recipe.name)
        if served is not None and served.version.id == version.id and _bound(served.recipe) == _bound(recipe):
            return served
        with self._lock:
            detector = self._others.pop(version.id, None) or self._read(recipe, version)
            self._others[version.id] = detector
            while len(self._others) > KEPT:
                self._others.popitem(last=False)
        return Served(recipe, version, detector)

    def version_named(self, name: str, version: str) -> Served:
        """A version by its recipe's name and its own id or number. Raises Problem."""
        recipe = find_recipe(self._store.read, name)
        return self.of_version(recipe, find_version(self._store.read, recipe, version))

    def _read(self, recipe: Recipe, version: Version) -> Detector:
        try:
            return load(model_path(self._store.models, version), threads=1, max_pixels=recipe.settings.max_pixels)
        except BlemishError as error:
            self.failed[recipe.name] = str(error)
            said = f"Version {version.number} of {recipe.name} cannot be used: its model file is missing or damaged."
            raise Problem("not-ready", f"{said} Restore it from a backup, or promote another version.") from error


def _bound(recipe: Recipe) -> int | None:
    """What a detector is made with beside its model."""
    return recipe.settings.max_pixels
