"""Which detector judges for each recipe: one pointer, replaced by one assignment, so that a part meets one version."""

import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace

from blemish.detector import Detector, load
from blemish.errors import BlemishError
from blemish.service.problems import Problem
from blemish.service.store.recipes import Recipe, find_recipe, list_recipes
from blemish.service.store.store import Store
from blemish.service.store.versions import Version, find_version, sound_model, version_of_id
from blemish.system.stream import available_threads

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
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._others: OrderedDict[tuple[str, int | None], Detector] = OrderedDict()
        self.failed: dict[str, str] = {}
        """Why a recipe cannot be served, by its name."""
        self.loaded = threading.Event()
        """Set once all that was on line at the start is loaded, or has failed."""

    def ready(self, name: str) -> Served | None:
        """What serves a recipe, where it is loaded."""
        return self._served.get(name.lower())

    def take(self, name: str) -> Served:
        """What serves a recipe; loaded where it is not yet. Raises Problem where nothing can serve it."""
        return self.ready(name) or self.load(name)

    def load(self, name: str) -> Served:
        """Serve what the database says is on line, if it is not served yet. Raises Problem."""
        key = find_recipe(self._store.read, name).name.lower()
        with self._alone(key):
            recipe = find_recipe(self._store.read, name)  # as it is now that nobody else loads it
            if recipe.champion is None or recipe.state != "open":
                self._served.pop(key, None)
                self.failed.pop(recipe.name, None)
                _check_open(recipe)
                why = "has no version on line; teach it, then promote one"
                raise Problem("not-on-line", f"{recipe.name} {why}.")
            version = version_of_id(self._store.read, recipe.champion)
            assert version is not None, "a champion is a version"
            try:
                served = self.of_version(recipe, version)
            except Problem as problem:
                self.failed[recipe.name] = str(problem)
                raise
            self._served[key] = replace(served, recipe=recipe)
            self.failed.pop(recipe.name, None)
            return self._served[key]

    def load_all(self) -> None:
        """Load what is on line, as many at a time as there are processors; `failed` tells what does not load."""
        names = [recipe.name for recipe in list_recipes(self._store.read) if recipe.champion is not None]
        try:
            with ThreadPoolExecutor(available_threads(), "loader") as threads:
                list(threads.map(self._try_to_load, names))
        finally:
            self.loaded.set()

    def of_version(self, recipe: Recipe, version: Version) -> Served:
        """A version of a recipe, on line or not. Raises Problem where its model cannot be used."""
        served = self.ready(recipe.name)
        if served is not None and served.version.id == version.id and _bound(served.recipe) == _bound(recipe):
            return served
        key = version.id, _bound(recipe)
        with self._alone(version.id):
            detector = self._others.get(key) or self._read(recipe, version)
            with self._lock:
                self._others[key] = detector
                self._others.move_to_end(key)
                while len(self._others) > KEPT:
                    self._others.popitem(last=False)
        return Served(recipe, version, detector)

    def version_named(self, name: str, version: str) -> Served:
        """A version that is to judge a part, by its recipe's name and its own id or number. Raises Problem."""
        recipe = find_recipe(self._store.read, name)
        _check_open(recipe)
        return self.of_version(recipe, find_version(self._store.read, recipe, version))

    def _alone(self, key: str) -> threading.Lock:
        """What keeps two threads from loading the same, while others load something else."""
        with self._lock:
            return self._locks.setdefault(key, threading.Lock())

    def _try_to_load(self, name: str) -> None:
        with suppress(Problem):  # `failed` tells it
            self.load(name)

    def _read(self, recipe: Recipe, version: Version) -> Detector:
        """Read, checked whole and tried on one grey image: another processor or runtime may have come since it was."""
        path = sound_model(self._store.models, recipe, version)
        try:
            return load(path, threads=1, max_pixels=recipe.settings.max_pixels)
        except (BlemishError, OSError) as error:  # it is what was made, but this machine cannot run it
            why = str(error).replace(str(path), path.name)  # whoever asks need not know where the station keeps it
            said = f"Version {version.number} of {recipe.name} cannot be used on this machine: {why}"
            raise Problem("not-ready", said) from error


def _check_open(recipe: Recipe) -> None:
    """Raise Problem where a recipe is put away: it judges no more, by whichever version."""
    if recipe.state != "open":
        raise Problem("not-on-line", f"{recipe.name} is put away.")


def _bound(recipe: Recipe) -> int | None:
    """What a detector is made with beside its model."""
    return recipe.settings.max_pixels
