"""Jobs: work that takes longer than a call (fit, add, remove, calibrate, tune, upload, preview)."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blemish.service.clock import new_id, now
from blemish.service.problems import Problem
from blemish.service.store import audit

__all__ = [
    "ENDED",
    "INTERRUPTED",
    "Job",
    "add_job",
    "cancel_job",
    "end_job",
    "find_job",
    "interrupt_running",
    "list_jobs",
    "name_version",
    "next_job",
    "report_progress",
]

ENDED = ("done", "failed", "cancelled")
INTERRUPTED = "The station was stopped while this job ran; start it again."
INTERRUPTED_LATE = "The station was stopped before this version was put on line."


@dataclass(frozen=True)
class Job:
    """One row."""

    seq: int
    id: str
    recipe: str
    kind: str
    state: str
    ask: dict[str, Any]
    step: str
    done: int
    total: int
    error: str | None
    result: Any
    version: str | None
    by: str
    at: str
    began: str | None
    ended: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {name: value for name, value in vars(self).items() if name != "seq"}


def add_job(connection: sqlite3.Connection, who: str, recipe: str, kind: str, ask: Mapping[str, Any]) -> Job:
    """Queue a job."""
    id = new_id()
    connection.execute(
        "INSERT INTO job (id, recipe, kind, state, ask, by, at) VALUES (?, ?, ?, 'queued', ?, ?, ?)",
        [id, recipe, kind, json.dumps(ask, ensure_ascii=False), who, now()],
    )
    audit.record(connection, who, "job.add", id, after={"kind": kind, "recipe": recipe})
    return find_job(connection, id)


def find_job(connection: sqlite3.Connection, id: str) -> Job:
    """One job. Raises Problem where there is none."""
    row = connection.execute("SELECT * FROM job WHERE id = ?", [id]).fetchone()
    if row is None:
        raise Problem("unknown-id", f"There is no job {id!r}.")
    return _job(row)


def list_jobs(connection: sqlite3.Connection, recipe: str | None, limit: int) -> list[Job]:
    """The newest jobs, of all recipes or of one."""
    rows = connection.execute(
        "SELECT * FROM job WHERE recipe = ifnull(?, recipe) ORDER BY seq DESC LIMIT ?", [recipe, limit]
    )
    return [_job(row) for row in rows]


def next_job(connection: sqlite3.Connection) -> Job | None:
    """Take the oldest job that waits; it is running from now on."""
    row = connection.execute("SELECT id FROM job WHERE state = 'queued' ORDER BY seq LIMIT 1").fetchone()
    if row is None:
        return None
    connection.execute("UPDATE job SET state = 'running', began = ? WHERE id = ?", [now(), row["id"]])
    return find_job(connection, row["id"])


def report_progress(connection: sqlite3.Connection, id: str, step: str, done: int, total: int) -> None:
    """Where a job is."""
    connection.execute("UPDATE job SET step = ?, done = ?, total = ? WHERE id = ?", [step, done, total, id])


def end_job(
    connection: sqlite3.Connection,
    id: str,
    state: str,
    *,
    error: str | None = None,
    result: Any = None,
    version: str | None = None,
) -> Job:
    """A job is done, failed or cancelled; one that has ended, or whose version is listed, is not cancelled any more."""
    connection.execute(
        "UPDATE job SET state = ?, error = ?, result = ?, version = ifnull(?, version), ended = ?, "
        "done = iif(?1 = 'done', total, done) "
        "WHERE id = ? AND state IN ('queued', 'running') AND (version IS NULL OR ?1 <> 'cancelled')",
        [state, error, None if result is None else json.dumps(result, ensure_ascii=False), version, now(), id],
    )
    return find_job(connection, id)


def cancel_job(connection: sqlite3.Connection, who: str, id: str) -> Job:
    """Cancel a job, unless it has ended or its version is listed."""
    before = find_job(connection, id)
    after = end_job(connection, id, "cancelled")
    if after.state != before.state:
        audit.record(connection, who, "job.cancel", id, before=before.state)
    return after


def name_version(connection: sqlite3.Connection, id: str, version: str) -> None:
    """The version that a job has made, in the transaction that lists it. Raises Problem where the job has ended."""
    cursor = connection.execute("UPDATE job SET version = ? WHERE id = ? AND state = 'running'", [version, id])
    if not cursor.rowcount:
        raise Problem("conflict", "The job was cancelled before its version was listed.")


def interrupt_running(connection: sqlite3.Connection) -> int:
    """After a kill: what was running has failed, unless its version was listed already; tells how many."""
    connection.execute(
        "UPDATE job SET state = 'done', done = total, ended = ?1, result = json_object('number', "
        "(SELECT number FROM version WHERE version.id = job.version), 'not_promoted', iif(json_extract(ask, "
        "'$.promote') AND job.version NOT IN (SELECT version FROM promotion), ?2, NULL)) "
        "WHERE state = 'running' AND version IS NOT NULL",
        [now(), INTERRUPTED_LATE],
    )
    return connection.execute(
        "UPDATE job SET state = 'failed', error = ?, ended = ? WHERE state = 'running'", [INTERRUPTED, now()]
    ).rowcount


def _job(row: sqlite3.Row) -> Job:
    result = None if row["result"] is None else json.loads(row["result"])
    return Job(**{**dict(row), "ask": json.loads(row["ask"]), "result": result})
