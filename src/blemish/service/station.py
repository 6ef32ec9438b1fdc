"""A station: its store and all that works in it. The HTTP side (api/, pages/) holds one and only asks it."""

import logging
import secrets
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from blemish.service.metrics import Metrics
from blemish.service.people.passwords import Tries
from blemish.service.problems import Problem
from blemish.service.settings import StationSettings
from blemish.service.store.inspections import Inspection
from blemish.service.store.jobs import Job
from blemish.service.store.recipes import Recipe, put_on_line, recipe_of_id
from blemish.service.store.store import Store
from blemish.service.store.users import someone_can_log_in
from blemish.service.store.versions import Version
from blemish.service.work.bench import Bench
from blemish.service.work.events import Events
from blemish.service.work.golden import run_golden
from blemish.service.work.inspectors import Inspectors
from blemish.service.work.keeper import Keeper
from blemish.service.work.part import Part
from blemish.service.work.registry import Registry
from blemish.system.stream import available_threads

__all__ = ["Station"]

log = logging.getLogger("blemish.service")


class Station:
    """Opened over a folder; `close` ends it in order. Raises DataError where the folder cannot be used."""

    def __init__(
        self, folder: Path, settings: StationSettings, *, adopt: bool = False, trust_clock: bool = False
    ) -> None:
        self.settings = settings
        self.store = Store(folder, adopt=adopt)
        for id in self.store.lost:
            log.warning("the picture of inspection %s was lost when the station was stopped", id)
        for path in self.store.strays():
            log.warning("models/%s/%s is listed by no version; it is left where it is", path.parent.name, path.name)
        self.events, self.tries, self.metrics = Events(), Tries(), Metrics()
        self.registry = Registry(self.store)
        self.keeper = Keeper(self.store, trust_clock=trust_clock)
        self.inspectors = Inspectors(self.store, settings.threads or available_threads(), self._answered)
        self.bench = Bench(self.store, self._tell_job, self._job_made)
        self._promoting, self._linking = threading.Lock(), threading.Lock()
        self.once: str | None = None
        """The secret of the login link, which works once."""
        if not someone_can_log_in(self.store.read):
            self.new_login_link()
        self._loader = threading.Thread(target=self.registry.load_all, name="loader", daemon=True)
        self._loader.start()

    def new_login_link(self) -> str:
        """A secret that logs an engineer in, once; one made before ends."""
        self.once = secrets.token_urlsafe(24)
        return self.once

    def use_login_link(self, secret: str) -> bool:
        """Whether this is the secret of the login link, which then works no more."""
        with self._linking:
            right = self.once is not None and secrets.compare_digest(secret.encode(), self.once.encode())
            if right:
                self.once = None
            return right

    def promote(self, who: str, recipe: Recipe, version: Version, reason: str, *, force: bool = False) -> None:
        """Put a version on line, after its golden pictures; the parts in work keep the version they have.

        Raises Problem where the model does not load, or, without `force`, where a golden picture is judged wrongly.
        """
        with self._promoting:
            served = self.registry.of_version(recipe, version)
            wrong = [answer for answer in run_golden(self.store, recipe.id, served.detector) if not answer.right]
            if wrong and not force:
                told = ", ".join(f"{each.golden.name} ({each.verdict}, not {each.golden.expected})" for each in wrong)
                raise Problem("golden-failed", f"Version {version.number} judges golden pictures wrongly: {told}.")
            self.store.write(lambda connection: put_on_line(connection, who, recipe, version.id, reason))
            self.refresh(recipe)
        self.events.tell("version", {"recipe": recipe.name, "version": version.id, "number": version.number})

    def refresh(self, recipe: Recipe) -> None:
        """Serve a recipe as the database has it now; a model that does not load is told by `reasons`."""
        with suppress(Problem):
            self.registry.load(recipe.name)

    def reasons(self) -> list[str]:
        """Why the station is not ready; nothing where it is."""
        return self._of_all_recipes() + [f"{name}: {why}" for name, why in sorted(self.registry.failed.items())]

    def alarms(self) -> list[str]:
        """What is wrong beside the models of single recipes, and what an engineer should know."""
        return self._of_all_recipes() + self.notes()

    def _of_all_recipes(self) -> list[str]:
        full = ["The disk is full: verdicts may not be recorded; free some space."] if self.store.full else []
        return full + ([] if self.registry.loaded.is_set() else ["The models on line are being loaded."])

    def shown(self, job: Job) -> dict[str, Any]:
        """A job as events tell it: without what was asked, nor what came of it, which may be long."""
        told = {key: value for key, value in job.to_dict().items() if key not in ("ask", "result")}
        return told | {"recipe": recipe_of_id(self.store.read, job.recipe).name}

    def notes(self) -> list[str]:
        """What an engineer should know, though all that is on line serves."""
        return [note for note in (self.keeper.lived.note, self.keeper.note) if note is not None]

    def flush(self) -> None:
        """Wait until all that follows the answers given so far is done, and their pictures are on the disk."""
        self.inspectors.flush()
        self.keeper.flush()

    def close(self) -> None:
        """Judge and write what waits, stop the job that runs, and let the folder go."""
        self.events.close()
        self.bench.close()
        self.inspectors.close()
        self.keeper.close()
        self._loader.join()
        self.store.close()

    def _answered(self, part: Part, row: Inspection, recorded: bool) -> None:
        """Called a moment after the answer."""
        if recorded and row.image_state == "pending":
            self.keeper.keep(row.id, part.data)
        name = part.served.recipe.name
        self.metrics.count(name, row, recorded)
        self.events.tell("inspection", {"recipe": name, **_shown(row)})

    def _tell_job(self, job: Job) -> None:
        self.events.tell("job", self.shown(job))

    def _job_made(self, recipe: Recipe, version: Version, job: Job) -> None:
        self.promote(job.by, recipe_of_id(self.store.read, recipe.id), version, job.ask.get("why", "") or job.kind)


def _shown(row: Inspection) -> dict[str, Any]:
    names = ("id", "seq", "at", "version", "verdict", "score", "threshold", "serial", "name", "kind", "late", "error")
    return {name: getattr(row, name) for name in names}
