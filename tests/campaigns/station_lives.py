"""What works at a station that is killed again and again: callers that send parts, and who teaches, all the while."""

import hashlib
import itertools
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from parts import good_part, scratched_part
from station_bench import API, encoded
from station_process import Served

from blemish.service.store.jobs import INTERRUPTED
from campaigns.station_marked import JOBS, LISTING

__all__ = ["CALLERS", "Forked", "Outcome", "call", "started", "teach"]

PROGRAM = Path(__file__).with_name("station_marked.py")
CALLERS = 3
PAUSE = 0.03
"""Seconds between two parts of a caller, so that jobs come to their ends."""
AGAIN = 0.1
"""Seconds until a call whose connection broke is made again."""
PROMOTED = 5
"""Of the newest so many versions one is put on line, again and again."""
ASKED_AGAIN = 10
"""Every so many parts, one that was acknowledged is sent once more with its key."""


@dataclass
class Outcome:
    """What became of all calls."""

    kills: int = 0
    hit: Counter[str] = field(default_factory=Counter)
    """By the kind of work that was under way, kills."""
    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By key, the answer with `recorded: true`."""
    pictures: dict[str, str] = field(default_factory=dict)
    """By key, the sha256 of what was sent."""
    repeated: int = 0
    """Calls that were sent again after their connection broke."""
    asked_again: int = 0
    """Calls with the key of one that was acknowledged."""
    jobs: Counter[str] = field(default_factory=Counter)
    """How jobs ended."""
    promoted: list[str] = field(default_factory=list)
    """Versions whose promotion was acknowledged, in order."""
    aim: str | None = None
    """The kind of work that is to be killed next; None where the moment is random."""
    wrong: list[str] = field(default_factory=list)
    starts: list[tuple[float, float, float]] = field(default_factory=list)
    """Of each whole start, seconds until it said where it is, answered, and was ready."""


class Forked(Served):
    """A station whose packages are imported once for several lives."""

    def __init__(self, folder: Path, token: str, words: Sequence[str], lives: int) -> None:
        self._lives, self._lived, self._life = lives, 0, 0
        super().__init__(folder, token, words)

    @property
    def whole(self) -> bool:
        """Whether the last start was one as an installed station has it."""
        return self._lived == 1

    def kill(self) -> None:
        os.kill(self._life, signal.SIGKILL)
        self._said("over")
        if self._lived == self._lives:
            self._close()
            self._lived = 0

    def stop(self) -> None:
        os.kill(self._life, signal.SIGTERM)
        self._said("over")
        self._close()

    def _launched(self) -> str:
        if self._lived == 0:
            self._spawn()
        self._lived += 1
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self._life = int(self._said(r"(?<=^life )\d+"))
        return self._said(r"http://\S+")


def started(data: Path, token: str, marks: Path, lives: int) -> Forked:
    """A station that marks what it is at."""
    return Forked(data, token, [str(PROGRAM), str(marks)], lives)


def _part(number: int) -> bytes:
    """What callers send: good parts, and every other time a scratched one, no two alike."""
    return encoded(scratched_part(100 + number).grey if number % 2 else good_part(100 + number))


def call(served: Served, name: str, outcome: Outcome, stop: threading.Event) -> None:
    """Send parts one after the other; where the connection breaks, the same call again until it is answered."""
    for number in itertools.count():
        key, data = f"{name}-{number}", _part(number)
        outcome.pictures[key] = hashlib.sha256(data).hexdigest()
        answer = _answered(served, key, data, outcome, stop)
        if answer is None:
            return
        if answer.status_code != 200:
            outcome.wrong.append(f"{key}: {answer.status_code} {answer.text[:200]}")
        elif answer.json()["recorded"]:
            outcome.acknowledged[key] = answer.json()
            if number % ASKED_AGAIN == 0:
                _ask_again(served, key, data, outcome, stop)
        time.sleep(PAUSE)


def _ask_again(served: Served, key: str, data: bytes, outcome: Outcome, stop: threading.Event) -> None:
    """The same key has the same answer, whether or not the station was killed between."""
    answer = _answered(served, key, data, outcome, stop)
    if answer is not None:
        outcome.asked_again += 1
        if answer.status_code != 200 or answer.json()["id"] != outcome.acknowledged[key]["id"]:
            outcome.wrong.append(f"{key}, sent again: {answer.status_code} {answer.text[:200]}")


def _answered(served: Served, key: str, data: bytes, outcome: Outcome, stop: threading.Event) -> httpx.Response | None:
    """What is answered, once it is; None where no more is wanted."""
    headers = {"Content-Type": "image/png", "Idempotency-Key": key}
    while not stop.is_set():
        try:
            with served.client() as client:
                return client.post(f"{API}/recipes/part/inspections", content=data, headers=headers)
        except httpx.HTTPError:
            outcome.repeated += 1
            time.sleep(AGAIN)
    return None


class _Lessons:
    """What is taught, in turn; parts that are NG are good after all, each once."""

    def __init__(self) -> None:
        self._kinds = itertools.cycle(JOBS)
        self._used: set[str] = set()
        self._added: dict[str, Any] | None = None
        self.picture = ""
        """The sha256 of the part that is added."""

    def next(self, client: httpx.Client, aim: str | None) -> dict[str, Any]:
        """The next job: what is aimed at, where that is one."""
        kind = aim if aim in JOBS else "calibrate" if aim == LISTING else next(self._kinds)
        if kind == "remove" and self._added is None:
            kind = "add"
        if kind == "add":
            listed = client.get(f"{API}/inspections", params={"verdict": "NG", "limit": 50}).json()["items"]
            for each in listed:
                if each["image"] == "stored" and each["image_sha256"] not in self._used:
                    self.picture = each["image_sha256"]
                    self._used.add(self.picture)
                    return {"kind": kind, "inspections": [each["id"]]}
        if kind == "remove":
            assert self._added is not None
            return {"kind": kind, **self._added}
        return {"kind": "fit" if kind == "add" else kind, "promote": True}

    def learnt(self, client: httpx.Client, kind: str, version: str | None) -> None:
        """A job has ended; what was added is no training picture, so that all fits are as quick."""
        if kind == "add" and version is not None:
            self._added = {"parent": version, "images": [f"{self.picture}.png"]}
            client.delete(f"{API}/recipes/part/images/{self.picture}")


def teach(served: Served, outcome: Outcome, stop: threading.Event) -> None:
    """Keep the bench busy through every kill: fit, add, remove, calibrate in turn; and put versions on line."""
    files = [("images", (f"{n}.png", encoded(good_part(n)), "image/png")) for n in range(8)]
    lessons = _Lessons()
    while not stop.is_set():
        with suppress(httpx.HTTPError), served.client() as client:
            client.post(f"{API}/recipes/part/images", files=files)
            asked = lessons.next(client, outcome.aim)
            answer = client.post(f"{API}/recipes/part/versions", json=asked)
            if answer.status_code == 202:
                job = _ended(client, answer.json()["id"], outcome, stop)
                outcome.jobs[f"{asked['kind']} {job['state']}"] += 1
                if job["state"] == "failed" and job["error"] != INTERRUPTED:
                    outcome.wrong.append(f"{asked}: {job['error']}")
                lessons.learnt(client, asked["kind"], job["version"])
            else:
                outcome.wrong.append(f"{asked}: {answer.status_code} {answer.text[:200]}")
        time.sleep(AGAIN)


def _ended(client: httpx.Client, id: str, outcome: Outcome, stop: threading.Event) -> dict[str, Any]:
    """A job when it has ended; meanwhile versions are put on line."""
    for turn in itertools.count():
        job: dict[str, Any] = client.get(f"{API}/jobs/{id}").json()
        if job["state"] not in ("queued", "running") or stop.is_set():
            return job
        versions = client.get(f"{API}/recipes/part/versions").json()[:PROMOTED]
        version = versions[turn % len(versions)]["id"]
        answer = client.post(f"{API}/recipes/part:promote", json={"version": version})
        if answer.is_success:
            outcome.promoted.append(version)
        else:
            outcome.wrong.append(f"promote: {answer.status_code} {answer.text[:200]}")
        time.sleep(AGAIN)
    raise AssertionError("it counts for ever")
