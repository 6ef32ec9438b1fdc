"""Swap the version on line again and again under load: no call fails, and every row is of the version that it names.

PYTHONPATH=tests:benchmarks python tests/campaigns/station_swaps.py --requests 10000 --swaps 50 --keep

With --requests 100000 --swaps 500 it is the soak as well: memory and open files are compared with those after a tenth
of the calls.
"""

import argparse
import hashlib
import itertools
import sqlite3
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from machine import figure, markdown_table
from parts import TINY, good_part, scratched_part
from station_bench import API, encoded
from station_process import Served, prepared

from blemish.fitting import fit
from campaigns.ending import end

__all__ = ["Swapped", "swap_under_load"]

CALLERS = 2
LABELLED = 50
"""Every so many parts are labelled."""


@dataclass
class Swapped:
    """What came of it."""

    answered: int = 0
    swaps: int = 0
    labels: int = 0
    failed: list[str] = field(default_factory=list)
    versions: set[int] = field(default_factory=set)
    memory: list[int] = field(default_factory=list)
    """Megabytes of the station after a tenth of the calls, and at the end."""
    open_files: list[int] = field(default_factory=list)
    seconds: float = 0.0


class _Load:
    """Callers, and who swaps; all look at one count of answers."""

    def __init__(self, served: Served, requests: int, swaps: int, scores: dict[tuple[int, str], float]) -> None:
        self.served, self.requests, self.swaps, self.scores = served, requests, swaps, scores
        self.pictures = {hashlib.sha256(data).hexdigest(): data for data in _pictures()}
        self.found, self._lock = Swapped(), threading.Lock()

    def run(self) -> Swapped:
        began = time.monotonic()
        threads = [threading.Thread(target=self._call, args=(n,)) for n in range(CALLERS)]
        threads.append(threading.Thread(target=self._swap))
        for thread in threads:
            thread.start()
        self._wait_for(self.requests // 10)
        self._measure()
        for thread in threads:
            thread.join()
        self._measure()
        self.found.seconds = time.monotonic() - began
        return self.found

    def _call(self, caller: int) -> None:
        with self.served.client() as client:
            for sha256, data in itertools.cycle(self.pictures.items()):
                with self._lock:
                    if self.found.answered >= self.requests:
                        return
                    self.found.answered += 1
                    label = self.found.answered % LABELLED == 0
                answer = client.post(
                    f"{API}/recipes/part/inspections", content=data, headers={"Content-Type": "image/png"}
                )
                self._look(answer, sha256)
                if label and answer.is_success:
                    said = client.put(f"{API}/inspections/{answer.json()['id']}/label", json={"label": "unsure"})
                    self.found.labels += 1
                    self._fail(said, 200)

    def _look(self, answer: httpx.Response, sha256: str) -> None:
        if self._fail(answer, 200):
            return
        told: dict[str, Any] = answer.json()
        self.found.versions.add(told["version_number"])
        if told["score"] != self.scores[told["version_number"], sha256] or not told["recorded"]:
            self.found.failed.append(f"version {told['version_number']} has another score: {told['score']}")

    def _swap(self) -> None:
        with self.served.client() as client:
            for number in range(1, self.swaps + 1):
                self._wait_for(number * self.requests // (self.swaps + 1))
                answer = client.post(f"{API}/recipes/part:promote", json={"version": str(1 + number % len(MODELS))})
                self._fail(answer, 200)
                self.found.swaps += 1

    def _fail(self, answer: httpx.Response, wanted: int) -> bool:
        if answer.status_code != wanted:
            self.found.failed.append(f"{answer.request.url.path}: {answer.status_code} {answer.text[:200]}")
        return answer.status_code != wanted

    def _wait_for(self, answers: int) -> None:
        while self.found.answered < answers:
            time.sleep(0.005)

    def _measure(self) -> None:
        assert self.served.process is not None
        place = Path(f"/proc/{self.served.process.pid}")
        kilobytes = next(line.split()[1] for line in (place / "status").read_text().splitlines() if "VmRSS" in line)
        self.found.memory.append(int(kilobytes) // 1024)
        self.found.open_files.append(len(list((place / "fd").iterdir())))


MODELS = (range(6), range(2, 8), range(1, 7))
"""The parts that each version is taught."""


def swap_under_load(folder: Path, requests: int, swaps: int) -> Swapped:
    """Send so many parts to a station of a new folder while the version on line is swapped so many times."""
    files, scores = [], {}
    for number, seeds in enumerate(MODELS, 1):
        detector = fit([good_part(seed) for seed in seeds], threads=1, **TINY)
        files.append(folder / f"{number}.blemish")
        detector.save(files[-1])
        for data in _pictures():
            scores[number, hashlib.sha256(data).hexdigest()] = detector.inspect(data).score
    place = folder / "station"
    served = Served(place, prepared(place, {"part": files}))
    try:
        found = _Load(served, requests, swaps, scores).run()
    finally:
        served.stop()
    _check_rows(place, requests, scores, found)
    return found


def _pictures() -> list[bytes]:
    return [encoded(good_part(100 + n)) for n in range(6)] + [encoded(scratched_part(200 + n).grey) for n in range(6)]


def _check_rows(data: Path, requests: int, scores: dict[tuple[int, str], float], found: Swapped) -> None:
    """Every row that was written is of the version that it names, too."""
    with closing(sqlite3.connect(data / "station.db")) as connection:
        rows = connection.execute(
            "SELECT v.number, i.image_sha, i.score FROM inspection i JOIN version v ON v.id = i.version"
        ).fetchall()
    if len(rows) != requests:
        found.failed.append(f"{requests} calls made {len(rows)} rows")
    wrong = sum(scores[number, sha256] != score for number, sha256, score in rows)
    if wrong:
        found.failed.append(f"{wrong} rows have a score that their version does not give")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--swaps", type=int, default=50)
    parser.add_argument("--keep", action="store_true", help="write the result below tests/campaigns/results")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = swap_under_load(Path(folder), given.requests, given.swaps)
    rows = [
        ["parts sent by two callers", f"{found.answered:,}"],
        ["swaps of the version on line", f"{found.swaps:,}"],
        ["versions that answered", f"{len(found.versions)}"],
        ["labels given meanwhile", f"{found.labels:,}"],
        ["calls that failed, rows of another version", f"{len(found.failed):,}"],
        ["megabytes of memory after a tenth, and at the end", " and ".join(map(str, found.memory))],
        ["open files after a tenth, and at the end", " and ".join(map(str, found.open_files))],
        ["parts a second", figure(found.answered / found.seconds)],
    ]
    end("station_swaps", f"{__doc__}\n{markdown_table(['', ''], rows)}", found.failed, seed="none", keep=given.keep)


if __name__ == "__main__":
    main()
