"""Jobs, one at a time, each in a child process of its own: fit and the like never stop a line."""

import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from blemish.errors import BlemishError
from blemish.service.clock import now
from blemish.service.problems import Problem
from blemish.service.store.jobs import (
    Job,
    add_job,
    cancel_job,
    end_job,
    find_job,
    name_version,
    next_job,
    report_progress,
)
from blemish.service.store.recipes import Recipe
from blemish.service.store.store import Store
from blemish.service.store.training import add_training
from blemish.service.store.versions import Version, add_version, export_path, find_version, model_path
from blemish.service.work.child import EXPORT, MODEL
from blemish.service.work.orders import Order, order_of

__all__ = ["Bench"]

log = logging.getLogger("blemish.service")
PROGRESS_SECONDS = 0.5
"""Between two reports of progress that are written."""
LOOK_SECONDS, FULL_SECONDS = 30.0, 5.0
KINDS_WITHOUT_MODEL = ("preview", "tune")


class Bench:
    """A thread that takes the oldest job and runs its child.

    Args:
        store: Where jobs and versions are.
        tell: Called with each change of a job.
        made: Called with a recipe, the version that a job made and the job; raises Problem where it cannot go on line.
    """

    def __init__(self, store: Store, tell: Callable[[Job], None], made: Callable[[Recipe, Version, Job], None]) -> None:
        self._store, self._tell, self._made = store, tell, made
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._running: tuple[str, subprocess.Popen[str]] | None = None
        self._cancelled: set[str] = set()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="bench", daemon=True)
        self._thread.start()

    def queue(self, who: str, recipe: Recipe, kind: str, ask: dict[str, Any]) -> Job:
        """Queue a job."""
        job = self._store.write(lambda connection: add_job(connection, who, recipe.id, kind, ask))
        self._tell(job)
        self._wake.set()
        return job

    def cancel(self, who: str, id: str) -> Job:
        """Stop a job, whether it waits or runs; one that has ended stays as it is. Raises Problem for an unknown id."""
        find_job(self._store.read, id)
        with self._lock:
            if self._running is not None and self._running[0] == id:
                self._cancelled.add(id)
                self._running[1].kill()
        job = self._store.write(partial(cancel_job, who=who, id=id))
        self._tell(job)
        return job

    def close(self) -> None:
        """Stop what runs, as interrupted, and end."""
        self._closed = True
        self._wake.set()
        with self._lock:
            if self._running is not None:
                self._running[1].kill()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed:
            try:
                job = self._store.write(next_job)
            except Exception:
                log.exception("no job could be taken")
                job = None
                time.sleep(1)
            if job is None:
                self._wake.wait(LOOK_SECONDS)
                self._wake.clear()
                continue
            try:
                self._tell(job)
                self._tell(self._ended(job))
            except Exception:
                log.exception("the end of job %s could not be written", job.id)

    def _ended(self, job: Job) -> Job:
        """A job, carried out or failed with a sentence."""
        try:
            return self._carry_out(job)
        except BlemishError as error:
            said = str(error)
        except Exception as error:
            log.exception("job %s", job.id)
            said = f"The job broke off: {error}; the log says more."
        return self._end(job, "failed", error=said)

    def _end(self, job: Job, state: str, **more: Any) -> Job:
        """The job as it has ended. On a full disk that is tried again: else it would run for ever."""
        while True:
            try:
                return self._store.write(partial(end_job, id=job.id, state=state, **more))
            except Problem as problem:
                if problem.name != "disk-full" or self._closed:
                    raise
                log.warning("the end of job %s cannot be written: %s", job.id, problem)
                self._wake.wait(FULL_SECONDS)
                self._wake.clear()

    def _carry_out(self, job: Job) -> Job:
        folder = self._store.work / job.id
        folder.mkdir()
        try:
            order = order_of(self._store, job, folder)
            said = self._child(job, order)
            if said is None:
                if self._closed or job.id in self._cancelled:
                    return self._end(job, "failed" if self._closed else "cancelled", error=_why_ended(self._closed))
                return self._end(job, "failed", error="Its process ended without an answer: was there enough memory?")
            if "error" in said:
                return self._end(job, "failed", error=order.in_words(said["error"]))
            if job.kind in KINDS_WITHOUT_MODEL:
                return self._end(job, "done", result=said["done"])
            if job.kind == "export":
                return self._keep_export(job, order, folder, said["done"])
            return self._keep(job, order, folder, said["done"])
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if job.kind == "upload":
                (self._store.folder / "uploads" / job.ask["file"]).unlink(missing_ok=True)

    def _child(self, job: Job, order: Order) -> dict[str, Any] | None:
        """Run the child; its last word, or None where it died."""
        words = [sys.executable, "-m", "blemish.service.work.child"]
        with (
            suppress(BrokenPipeError),  # it died before it read its order; closing its pipe says so once more
            subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
            ) as child,
        ):
            with self._lock:
                self._running = job.id, child
                if self._closed:
                    child.kill()
            try:
                return self._listen(job, child, json.dumps(order.plain))
            finally:
                with self._lock:
                    self._running = None
                child.kill()
        return None

    def _listen(self, job: Job, child: "subprocess.Popen[str]", order: str) -> dict[str, Any] | None:
        assert child.stdin is not None, "it is a pipe"
        assert child.stdout is not None, "it is a pipe"
        child.stdin.write(order + "\n")
        child.stdin.flush()
        last = 0.0
        for line in child.stdout:
            said: dict[str, Any] = json.loads(line)
            if "progress" not in said:
                return said
            if time.monotonic() - last > PROGRESS_SECONDS:
                last = time.monotonic()
                step, done, total = said["progress"]
                self._store.write(partial(report_progress, id=job.id, step=step, done=done, total=total))
                self._tell(find_job(self._store.read, job.id))
        return None

    def _keep_export(self, job: Job, order: Order, folder: Path, done: dict[str, Any]) -> Job:
        """Move the ONNX file of a version beside its model."""
        version = find_version(self._store.read, order.recipe, job.ask["parent"])
        os.replace(folder / EXPORT, export_path(self._store.models, version))
        return self._end(job, "done", result=done)

    def _keep(self, job: Job, order: Order, folder: Path, done: dict[str, Any]) -> Job:
        """Move the model to its place, list it, and put it on line where that was asked."""
        recipe = order.recipe
        info = done["info"]
        info["notes"] = [order.in_words(note) for note in info["notes"]]
        names = {picture.file: picture.name for picture in order.pictures}
        info["suspects"] = [each | {"shown": names.get(each["name"], each["name"])} for each in info["suspects"]]
        parent = job.ask.get("parent")
        version = Version(
            id=job.id,  # so that a file which a kill leaves unlisted is known for what it is
            recipe=recipe.id,
            number=0,
            parent=find_version(self._store.read, recipe, parent).id if parent else None,
            kind=job.kind,
            sha256=done["sha256"],
            model=done["model"],
            info=info,
            by=job.by,
            at=now(),
            why=job.ask.get("why", ""),
        )
        path = model_path(self._store.models, version)
        path.parent.mkdir(exist_ok=True)
        os.replace(folder / MODEL, path)
        try:
            made = self._store.write(partial(_list_version, job=job, order=order, version=version))
        except Problem:
            path.unlink(missing_ok=True)
            raise
        note = None
        if job.ask.get("promote"):
            try:
                self._made(recipe, made, job)
            except Problem as problem:
                note = str(problem)
        return self._end(job, "done", version=made.id, result={"number": made.number, "not_promoted": note})


def _list_version(connection: Any, job: Job, order: Order, version: Version) -> Version:
    """List a version; what it was taught beside its parent are training pictures from now on."""
    if job.kind == "add":
        for picture in order.pictures:
            add_training(
                connection, job.by, order.recipe, sha256=picture.sha256, name=picture.name, part=picture.part, facts={}
            )
    added = add_version(connection, job.by, order.recipe.name, version)
    name_version(connection, job.id, added.id)
    return added


def _why_ended(closed: bool) -> str:
    return "The station was stopped while this job ran; start it again." if closed else "It was cancelled."
