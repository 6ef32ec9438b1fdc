"""What a station adds to `Detector.inspect`: closed loop over HTTP, Magnetic Tile pictures, the durable row included.

What it adds to one part is the time at the caller, less the steps that the answer names, less what `Detector.inspect`
takes beside its steps (median, in this process). The caller is a bare socket: a client's own work is not the station's.
Below what it adds stands its floor: one fsync of a page on the same disk, which each row waits for; and how long a
sleeping thread takes to wake, which is done five times a call: the thread that answers wakes when the call comes, when
its row is likely to be recorded and when it is; and once wake a thread that judges and the caller.

PYTHONPATH=tests:benchmarks python benchmarks/station.py --keep
"""

import argparse
import json
import os
import queue
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import numpy as np
from machine import data_folder, figure, markdown_table, publish
from station_bench import API
from station_process import Served, prepared

from blemish.detector import Detector
from blemish.fitting import fit

SHOTS = 150
"""Parts of one run."""
ROUNDS = 4
PICTURE = {"Content-Type": "image/jpeg"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="write the result below benchmarks/results")
    given = parser.parse_args()
    with serving(SHOTS) as (served, detector, shots):
        body = _measured(served, detector, shots)
    publish("station", f"{__doc__}\n{body}", seed="none", keep=given.keep)


@contextmanager
def serving(count: int) -> Iterator[tuple[Served, Detector, list[bytes]]]:
    """A station with one product of 200 Magnetic Tile pictures, its model, and so many other pictures to judge."""
    pictures = sorted((data_folder() / "mtd").rglob("MT_Free/**/*.jpg"))
    shots = [path.read_bytes() for path in pictures[200 : 200 + count]]
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "mtd.blemish")
        detector = fit(pictures[:200], threads=1, progress=False)
        detector.save(model)
        served = Served(Path(folder, "station"), prepared(Path(folder, "station"), {"mtd": [model]}))
        try:
            yield served, detector, shots
        finally:
            served.stop()


def _measured(served: Served, detector: Detector, shots: list[bytes]) -> str:
    """Rounds of: inside the process, one caller, two callers; so that all share the machine's mood."""
    inside: list[float] = []
    own: list[float] = []
    added: list[float] = []
    alone: list[float] = []
    rates: list[float] = []
    _calls(served, shots[:20])
    for _ in range(ROUNDS):
        seconds, beside = _inspected(detector, shots)
        inside += seconds
        own += beside
        one, extra, took = _calls(served, shots)
        alone += one
        added += extra
        rates.append(took / _two_callers(served, shots))
    added = [seconds - float(np.median(own)) for seconds in added]
    rows = [
        [name, *(figure(1000 * float(np.quantile(values, q))) for q in (0.5, 0.99))]
        for name, values in (
            ("Detector.inspect in this process", inside),
            ("the answer at the caller", alone),
            ("what the station adds", added),
            ("one fsync", _synced(served.folder)),
            ("one wake of a thread", _woken(detector, shots[:40])),
        )
    ]
    told = markdown_table(["milliseconds", "median", "99 %"], rows)
    ratio = f"Two callers against one, parts a second: {figure(float(np.median(rates)))} times ({ROUNDS} rounds)."
    return f"{told}\n\n{ratio}\n"


def _inspected(detector: Detector, shots: list[bytes]) -> tuple[list[float], list[float]]:
    """Seconds of each inspection, and what of them its own steps do not name."""
    whole, own = [], []
    for data in shots:
        began = time.perf_counter()
        result = detector.inspect(data)
        whole.append(time.perf_counter() - began)
        own.append(whole[-1] - sum(result.timings.values()))
    return whole, own


def _calls(served: Served, shots: list[bytes]) -> tuple[list[float], list[float], float]:
    """Seconds of each answer, those that are not steps of the inspection, and of all."""
    start = time.perf_counter()
    made = calls(served, shots)
    took = time.perf_counter() - start
    whole = [ended - began for began, ended, _ in made]
    steps = [
        sum(value for name, value in json.loads(said)["timings_ms"].items() if name != "queue") for *_, said in made
    ]
    return whole, [each - step / 1000 for each, step in zip(whole, steps, strict=True)], took


def calls(served: Served, shots: list[bytes]) -> list[tuple[float, float, bytes]]:
    """When each call over one connection began and ended, and its answer."""
    made = []
    head = _head(served)
    with closing(socket.create_connection(("127.0.0.1", urlsplit(served.address).port))) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with line.makefile("rb") as answers:
            for data in shots:
                began = time.perf_counter()
                line.sendall(head % len(data) + data)
                said = _answer(answers)
                made.append((began, time.perf_counter(), said))
    return made


def _head(served: Served) -> bytes:
    """What a call begins with, but for the length of its picture."""
    lines = [
        f"POST {API}/recipes/mtd/inspections HTTP/1.1",
        f"Host: {urlsplit(served.address).netloc}",
        *(f"{name}: {value}" for name, value in (served.headers | PICTURE).items()),
        "Content-Length: %d",
    ]
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def _answer(answers: BinaryIO) -> bytes:
    """The body of the next answer."""
    head = [answers.readline()]
    while head[-1] != b"\r\n":
        head.append(answers.readline())
    assert b" 200 " in head[0], head
    length = next(line for line in head if line.lower().startswith(b"content-length:"))
    return answers.read(int(length.partition(b":")[2]))


def _synced(folder: Path) -> list[float]:
    """Seconds of each fsync of one more page."""
    found = []
    with (folder / "page").open("wb", buffering=0) as file:
        for _ in range(SHOTS):
            file.write(bytes(4096))
            began = time.perf_counter()
            os.fsync(file.fileno())
            found.append(time.perf_counter() - began)
    return found


def _woken(detector: Detector, shots: list[bytes]) -> list[float]:
    """Seconds until a sleeping thread goes on, after each inspection."""
    asked: queue.SimpleQueue[float | None] = queue.SimpleQueue()
    found: list[float] = []

    def sleeper() -> None:
        while (began := asked.get()) is not None:
            found.append(time.perf_counter() - began)

    thread = threading.Thread(target=sleeper)
    thread.start()
    for data in shots:
        detector.inspect(data)
        asked.put(time.perf_counter())
        time.sleep(0.001)
    asked.put(None)
    thread.join()
    return found


def _two_callers(served: Served, shots: list[bytes]) -> float:
    """Seconds that two callers need for as many parts as one had, together."""
    halves = [threading.Thread(target=_calls, args=(served, shots[n::2])) for n in range(2)]
    began = time.perf_counter()
    for thread in halves:
        thread.start()
    for thread in halves:
        thread.join()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
