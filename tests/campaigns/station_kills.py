"""Kill a station at random moments under load and while it learns; nothing that it acknowledged may be lost.

PYTHONPATH=tests:benchmarks python tests/campaigns/station_kills.py --kills 1000 --keep
"""

import argparse
import hashlib
import math
import sqlite3
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from machine import Spread, markdown_table
from parts import TINY, good_part, scratched_part
from station_bench import API, encoded
from station_process import Served, prepared

from blemish.fitting import fit
from blemish.service.store.audit import verify_folder
from campaigns.ending import end

__all__ = ["Outcome", "kill_often"]

CALLERS = 3
LONGEST = 1.5
"""Seconds until the next kill, at most, once calls are answered."""
PATIENCE = 120


@dataclass
class Outcome:
    """What became of all calls."""

    kills: int = 0
    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By key, the answer with `recorded: true`."""
    pictures: dict[str, str] = field(default_factory=dict)
    """By key, the sha256 of what was sent."""
    repeated: int = 0
    """Calls that were sent again after their connection broke."""
    jobs: int = 0
    wrong: list[str] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)


def kill_often(folder: Path, kills: int, seed: int, seconds: float = math.inf) -> Outcome:
    """Kill the station of a new folder so many times, with callers, jobs, promotions and retention under way.

    After `seconds` no more is killed; the outcome says how often it was.
    """
    until = time.monotonic() + seconds
    model = folder / "model.blemish"
    fit([good_part(each) for each in range(8)], threads=1, **TINY).save(model)
    data = folder / "station"
    token = prepared(data, {"part": [model]}, keep_ok_days=0)
    random, outcome = np.random.default_rng(seed), Outcome()
    pictures = [encoded(good_part(100 + n)) for n in range(4)] + [
        encoded(scratched_part(200 + n).grey) for n in range(4)
    ]
    served = Served(data, token)
    stop = threading.Event()
    callers = [
        threading.Thread(target=_call, args=(served, pictures, f"{seed}-{n}", outcome, stop)) for n in range(CALLERS)
    ]
    callers.append(threading.Thread(target=_teach, args=(served, outcome, stop)))
    for thread in callers:
        thread.start()
    try:
        while outcome.kills < kills and time.monotonic() < until:
            _wait_for_answers(outcome)
            time.sleep(float(random.uniform(0, LONGEST)))
            served.kill()
            outcome.kills += 1
            served.start()
            outcome.starts.append(served.seconds)
    finally:
        stop.set()
        for thread in callers:
            thread.join()
        served.stop()
    _check(data, outcome)
    return outcome


def _wait_for_answers(outcome: Outcome) -> None:
    """Wait until the callers are answered again, so that every kill has something to lose."""
    before = len(outcome.acknowledged)
    until = time.monotonic() + PATIENCE
    while len(outcome.acknowledged) == before and not outcome.wrong:
        if time.monotonic() > until:
            outcome.wrong.append(f"no call was answered for {PATIENCE} s after a start")
        time.sleep(0.01)


def _call(served: Served, pictures: list[bytes], name: str, outcome: Outcome, stop: threading.Event) -> None:
    """Send parts one after the other; where the connection breaks, the same call again until it is answered."""
    number = 0
    while not stop.is_set():
        key, data = f"{name}-{number}", pictures[number % len(pictures)]
        outcome.pictures[key] = hashlib.sha256(data).hexdigest()
        while True:
            try:
                with served.client() as client:
                    headers = {"Content-Type": "image/png", "Idempotency-Key": key}
                    answer = client.post(f"{API}/recipes/part/inspections", content=data, headers=headers)
            except httpx.HTTPError:
                outcome.repeated += 1
                if stop.is_set():
                    return
                time.sleep(0.05)
                continue
            if answer.status_code == 200 and answer.json()["recorded"]:
                outcome.acknowledged[key] = answer.json()
            elif answer.status_code != 200:
                outcome.wrong.append(f"{key}: {answer.status_code} {answer.text[:200]}")
            break
        number += 1


def _teach(served: Served, outcome: Outcome, stop: threading.Event) -> None:
    """Keep the bench busy: fit, add, promote, one after the other, through every kill."""
    files = [("images", (f"{n}.png", encoded(good_part(n)), "image/png")) for n in range(8)]
    turn = 0
    while not stop.is_set():
        turn += 1
        with suppress(httpx.HTTPError, KeyError), served.client() as client:
            client.post(f"{API}/recipes/part/images", files=files)
            kinds: list[dict[str, Any]] = [
                {"kind": "fit", "promote": True},
                {"kind": "calibrate", "false_rejects": 0.2},
            ]
            client.post(f"{API}/recipes/part/versions", json=kinds[turn % 2])
            versions = client.get(f"{API}/recipes/part/versions").json()
            client.post(f"{API}/recipes/part:promote", json={"version": versions[turn % len(versions)]["id"]})
            outcome.jobs += 1
        time.sleep(0.5)


def _check(data: Path, outcome: Outcome) -> None:
    """Compare what was acknowledged with what is there."""
    connection = sqlite3.connect(data / "station.db")
    connection.row_factory = sqlite3.Row
    whole = connection.execute("PRAGMA integrity_check").fetchone()[0]
    if whole != "ok":
        outcome.wrong.append(f"integrity_check: {whole}")
    rows = {row["idempotency"]: row for row in connection.execute("SELECT * FROM inspection")}
    count = connection.execute("SELECT count(*) FROM inspection").fetchone()[0]
    if count != len(rows):
        outcome.wrong.append(f"{count - len(rows)} rows are doubled")
    for key, answer in outcome.acknowledged.items():
        row = rows.get(key)
        if row is None or (row["id"], row["score"]) != (answer["id"], answer["score"]):
            outcome.wrong.append(f"{key}: acknowledged as {answer['id']}, but not there as such")
        elif row["image_sha"] != outcome.pictures[key]:
            outcome.wrong.append(f"{key}: its row is of another picture")
    counted = connection.execute("SELECT sum(count) FROM hour").fetchone()[0]
    if counted != count:
        outcome.wrong.append(f"hours count {counted} parts, but there are {count} rows")
    _check_versions(connection, data, outcome)
    connection.close()
    if verify_folder(data).wrong is not None:
        outcome.wrong.append("the audit log is not whole")


def _check_versions(connection: sqlite3.Connection, data: Path, outcome: Outcome) -> None:
    """The version on line is the one promoted last, and every model file that is listed is there, whole."""
    champion = connection.execute("SELECT champion FROM recipe").fetchone()[0]
    promoted = connection.execute("SELECT version FROM promotion ORDER BY seq DESC LIMIT 1").fetchone()[0]
    if champion != promoted:
        outcome.wrong.append("the version on line is not the one promoted last")
    for row in connection.execute("SELECT * FROM version"):
        file = data / "models" / row["recipe"] / f"{row['id']}-{row['sha256'][:16]}.blemish"
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != row["sha256"]:
            outcome.wrong.append(f"the model of version {row['number']} is not what was written")
    if any((data / "work").iterdir()):
        outcome.wrong.append("half-made models are left")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=math.inf, help="kill no more after so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write the result below tests/campaigns/results")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = kill_often(Path(folder), given.kills, given.seed, 60 * given.minutes)
    rows = [
        ["kills", f"{outcome.kills:,}"],
        ["verdicts acknowledged", f"{len(outcome.acknowledged):,}"],
        ["calls repeated after a broken connection", f"{outcome.repeated:,}"],
        ["rounds of fit or calibrate, and promote", f"{outcome.jobs:,}"],
        ["lost, doubled, wrong, or not whole", f"{len(outcome.wrong):,}"],
        ["seconds from start to ready", str(Spread.of(outcome.starts))],
    ]
    said = f"{__doc__}\n{markdown_table(['', 'count'], rows)}"
    end("station_kills", said, outcome.wrong, seed=given.seed, keep=given.keep)


if __name__ == "__main__":
    main()
