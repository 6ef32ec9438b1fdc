"""Kill a station under load and while it learns, at random moments and amid each kind of work; nothing may be lost.

PYTHONPATH=tests:benchmarks python tests/campaigns/station_kills.py --kills 1000 --keep

Three callers send parts, a fourth teaches (fit, add, remove, calibrate in turn) and puts versions on line ten times a
second, and retention looks five times a second. Every other kill comes at a random moment, the others amid one kind of
work after the other, which the station marks as it begins and ends. Afterwards every verdict and every promotion that
was acknowledged is looked for, every row is counted, and every model and picture is read. A kill may hit several kinds.

The packages of a station are imported anew every tenth life (--lives), as in a start of an installed station; between,
it is a copy of a process that has imported them. The seconds below are of whole starts, while callers and the teacher
try again ten times a second.
"""

import argparse
import math
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from machine import figure, markdown_table
from parts import TINY, good_part
from station_bench import API, encoded
from station_process import Served, prepared

from blemish.fitting import fit
from campaigns.ending import end
from campaigns.station_lives import CALLERS, Forked, Outcome, call, started, teach
from campaigns.station_marked import JOBS, KINDS, Marks
from campaigns.station_whole import check

__all__ = ["Outcome", "kill_often"]

LONGEST = 0.6
"""Seconds until a kill at a random moment, at most, once calls are answered."""
A_JOB, A_MOMENT = 1.2, 0.002
"""Seconds within which a job is killed after it began, and other work that is aimed at."""
AIMED = 15.0
"""Seconds that a kind of work is waited for, at most."""
PATIENCE = 120
LIVES = 10
ALONE = "judging parts alone"


@dataclass
class _Killer:
    served: Forked
    marks: Marks
    outcome: Outcome
    random: np.random.Generator

    def strike(self) -> None:
        """Kill it once and start it again."""
        before = len(self.outcome.acknowledged)
        self._wait(lambda: len(self.outcome.acknowledged) > before, PATIENCE, "no call was answered")
        kind = self.outcome.aim
        if kind is not None:
            self._wait(lambda: kind in self.marks.now(), AIMED)
        most = LONGEST if kind is None else A_JOB if kind in JOBS else A_MOMENT
        time.sleep(float(self.random.uniform(0, most)))
        self.served.kill()
        self.outcome.hit.update(self.marks.now() or [ALONE])
        self.marks.clear()
        self.outcome.kills += 1
        self.outcome.aim = KINDS[self.outcome.kills // 2 % len(KINDS)] if self.outcome.kills % 2 else None
        self.served.start()
        if self.served.whole:
            self.outcome.starts.append(self.served.parts)

    def _wait(self, until: Callable[[], bool], seconds: float, wrong: str | None = None) -> None:
        """Wait until something is so, at most so long."""
        end = time.monotonic() + seconds
        while not until() and not self.outcome.wrong:
            if time.monotonic() > end:
                self.outcome.wrong += [f"{wrong} for {seconds} s after a start"] if wrong else []
                return
            time.sleep(0.0005)


def kill_often(folder: Path, kills: int, seed: int, seconds: float = math.inf, lives: int = LIVES) -> Outcome:
    """Kill the station of a new folder so many times, with callers, jobs, promotions and retention under way.

    After `seconds` no more is killed; the outcome says how often it was.
    """
    until = time.monotonic() + seconds
    model, data = folder / "model.blemish", folder / "station"
    fit([good_part(each) for each in range(8)], threads=1, **TINY).save(model)
    token = prepared(data, {"part": [model]}, keep_ok_days=0)
    marks, outcome = Marks(folder / "marks"), Outcome()
    served = started(data, token, folder / "marks", lives)
    killer = _Killer(served, marks, outcome, np.random.default_rng(seed))
    try:
        with _at_work(served, outcome, seed):
            while outcome.kills < kills and time.monotonic() < until and not outcome.wrong:
                killer.strike()
        _look_at_the_version(served, outcome)
    finally:
        served.stop()
    check(data, outcome)
    return outcome


@contextmanager
def _at_work(served: Served, outcome: Outcome, seed: int) -> Iterator[None]:
    """Callers and a teacher, while the block runs."""
    stop = threading.Event()
    threads = [threading.Thread(target=call, args=(served, f"{seed}-{n}", outcome, stop)) for n in range(CALLERS)]
    threads.append(threading.Thread(target=teach, args=(served, outcome, stop)))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _look_at_the_version(served: Served, outcome: Outcome) -> None:
    """After the last start, the version that judges is the one on line."""
    with served.client() as client:
        while any(job["state"] in ("queued", "running") for job in client.get(f"{API}/jobs").json()):
            time.sleep(0.1)
        headers = {"Content-Type": "image/png", "Idempotency-Key": "last"}
        judged = client.post(f"{API}/recipes/part/inspections", content=encoded(good_part(1)), headers=headers).json()[
            "version"
        ]
        champion = client.get(f"{API}/recipes/part").json()["champion"]
    if judged != champion:
        outcome.wrong.append(f"{judged} judges, but {champion} is on line")


def _told(outcome: Outcome) -> str:
    """The tables of an outcome."""
    rows = [
        ["kills", f"{outcome.kills:,}"],
        *([f"of them amid {kind}", f"{outcome.hit[kind]:,}"] for kind in (*KINDS, ALONE)),
        ["whole starts after a kill", f"{len(outcome.starts):,}"],
        ["verdicts acknowledged", f"{len(outcome.acknowledged):,}"],
        ["acknowledged verdicts asked for again by their key", f"{outcome.asked_again:,}"],
        ["promotions acknowledged", f"{len(outcome.promoted):,}"],
        ["calls repeated after a broken connection", f"{outcome.repeated:,}"],
        *([f"jobs: {how}", f"{count:,}"] for how, count in sorted(outcome.jobs.items())),
        ["lost, doubled, wrong, or not whole", f"{len(outcome.wrong):,}"],
    ]
    names = ("it says where it is", "it answers", "it is ready")
    starts = [
        [f"seconds from start until {name}", *(figure(float(np.quantile(own, q))) for q in (0.5, 0.95, 1))]
        for name, own in zip(names, zip(*outcome.starts, strict=True), strict=True)
    ]
    header = ["", "median", "95 %", "largest"]
    return f"{markdown_table(['', 'count'], rows)}\n\n{markdown_table(header, starts)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=math.inf, help="kill no more after so many")
    parser.add_argument("--lives", type=int, default=LIVES, help="lives between two whole starts")
    parser.add_argument("--beside", default="nothing", help="what else the machine does, told in the result")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write the result below tests/campaigns/results")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = kill_often(Path(folder), given.kills, given.seed, 60 * given.minutes, given.lives)
    said = f"{__doc__}\nBeside it ran: {given.beside}.\n\n{_told(outcome)}\n"
    end("station_kills", said, outcome.wrong, seed=given.seed, keep=given.keep)


if __name__ == "__main__":
    main()
