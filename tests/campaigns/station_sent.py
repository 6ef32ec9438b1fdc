"""Pictures that a station must not take for parts, or must all take: damaged ones, bombs, a thousand at once."""

import io
import json
import struct
import threading
import time
import zlib
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
from machine import figure
from parts import good_part
from PIL import Image
from station_bench import API, encoded
from station_process import Served

from blemish.arrays import Array
from campaigns.damage import DAMAGES, damage

__all__ = ["bomb", "bombed", "damaged_pictures", "many_at_once"]

BOMBS = {"13,376 x 13,376": (13_376, 13_376), "1 x 17,000,000": (1, 17_000_000)}
"""Width and height of pictures that claim far more than they hold: the first is just below what is read at all."""
MILLISECONDS, MEGABYTES = 50, 100
"""What a bomb may cost."""
TRIES = 5
COSTS = "ms of the quickest of five and the median; ms of the processor; MB"
ENOUGH, GROWTH = 1_000, 1.03
"""From so many damaged pictures on, memory may be so many times what it was after the first tenth."""
WAITS = 'blemish_waiting{for_="picture"} 0.0'
BATCH = 64
PACE = 8 * BATCH
"""After so many damaged pictures, wait until they are written."""
CALLERS, A_CALL, ODD = 4, 10, 50
"""As the page sends: so many calls at a time with so many pictures; every ODDth is none."""
REFUSED = "refused (ERROR)"
SAME_PIXELS = "judged as the sound one, whose pixels they have (the damage is in bytes that carry none)"
ANOTHER = "judged though the pixels are others, or with another score"
Found = tuple[list[list[str]], list[str]]
"""Rows of the result, and what was wrong."""


def bomb(width: int, height: int) -> bytes:
    """A one-bit PNG of a few kilobytes that claims so many pixels."""
    rows = zlib.compress(bytes(((width + 7) // 8 + 1) * height), 9)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def bombed(served: Served) -> Found:
    """What each bomb costs as a part, in a batch, and as a good picture; where others work, the quickest tells most."""
    rows, wrong = [], []
    for (name, (width, height)), place in product(BOMBS.items(), ("inspections", "inspections:batch", "images")):
        data = bomb(width, height)
        form: dict[str, Any] = {"files": [("images", ("bomb.png", data, "image/png"))]}
        part: dict[str, Any] = {"content": data, "headers": {"Content-Type": "image/png"}}
        before, seconds, worked = _reset_peak(served), [], _worked(served)
        with served.client() as client:
            for _ in range(TRIES):
                began = time.perf_counter()
                answer = client.post(f"{API}/recipes/part/{place}", **(part if place == "inspections" else form))
                seconds.append(time.perf_counter() - began)
                if '"ERROR"' not in answer.text and '"refused"' not in answer.text:
                    wrong.append(f"{name} was taken by /{place}: {answer.text[:300]}")
        quick, middle = (1000 * each for each in (min(seconds), float(np.median(seconds))))
        own, more = 1000 * (_worked(served) - worked) / TRIES, _megabytes(served, "VmHWM") - before
        told = f"{figure(quick)}, {figure(middle)}; {figure(own)}; {more}"
        rows.append([f"bomb {name}, {len(data) / 1000:.0f} kB, to /{place}: {COSTS}", told])
        if quick > MILLISECONDS or more > MEGABYTES:
            wrong.append(f"{name} to /{place} costs {quick:.0f} ms and {more} MB")
    return rows, wrong


def damaged_pictures(served: Served, count: int, seed: int) -> Found:
    """Send damaged PNG files in batches: none may be judged that is another picture, and memory stays as it is."""
    verdicts: Counter[str] = Counter()
    wrong: list[str] = []
    sound = [encoded(good_part(number)) for number in range(8)]
    cases = [(kind, number) for number, kind in product(range(-(-count // len(DAMAGES))), DAMAGES)][:count]
    memory = 0
    with served.client() as client:
        whole = [_judged(client, [("sound", data)])[0]["score"] for data in sound]
        for at in range(0, count, BATCH):
            some = [
                (number % 8, f"{kind} {number}", damage(sound[number % 8], kind, seed, number))
                for kind, number in cases[at:][:BATCH]
            ]
            told = _judged(client, [(name, data) for _, name, data in some])
            for answer, (place, name, data) in zip(told, some, strict=True):
                what = _what(answer, data, sound[place], whole[place])
                verdicts[what] += 1
                if what == ANOTHER:
                    wrong.append(f"{name}: {json.dumps(answer)[:200]}")
            if at % PACE == 0:  # what waits to be written is held, up to 256 MB, and heaps keep their size
                now = _settled(served, client)
                memory = memory or (now if at >= count // 10 else 0)
        end = _settled(served, client)
    if count >= ENOUGH and end > memory * GROWTH:
        wrong.append(f"memory grew from {memory} to {end} MB")
    return [
        *([f"{count:,} damaged pictures: {what}", f"{verdicts[what]:,}"] for what in (REFUSED, SAME_PIXELS, ANOTHER)),
        ["MB of memory after a tenth of them, and after all", f"{memory}, {end}"],
    ], wrong


def _judged(client: httpx.Client, named: list[tuple[str, bytes]]) -> list[dict[str, Any]]:
    files = [("images", (name, data, "image/png")) for name, data in named]
    answer = client.post(f"{API}/recipes/part/inspections:batch", files=files).raise_for_status()
    return [json.loads(line) for line in answer.iter_lines()]


def _what(answer: dict[str, Any], data: bytes, sound: bytes, score: float) -> str:
    """What became of a damaged picture, whose sound one has this score."""
    if answer["verdict"] == "ERROR":
        return REFUSED
    return SAME_PIXELS if _same(data, sound) and answer["score"] == score else ANOTHER


def _same(one: bytes, other: bytes) -> bool:
    """Whether two files have the same pixels, decoded by OpenCV and by Pillow, which also checks every sum."""
    for decode in (_by_opencv, _by_pillow):
        pixels, wanted = decode(one), decode(other)
        if pixels is None or wanted is None or not np.array_equal(pixels, wanted):
            return False
    return True


def _by_opencv(data: bytes) -> Array | None:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def _by_pillow(data: bytes) -> Array | None:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError):
        return None


def many_at_once(served: Served, count: int) -> Found:
    """Send so many pictures as a page does; each arrives, or is refused by name."""
    states: Counter[str] = Counter()
    lock = threading.Lock()

    def send(first: int) -> None:
        with served.client() as client:
            for at in range(first, count, CALLERS * A_CALL):
                files = [("images", (f"{n}.png", _picture(n))) for n in range(at, min(at + A_CALL, count))]
                told = client.post(f"{API}/recipes/many/images", files=files).raise_for_status().json()
                named = [each["name"] for each in told] == [name for _, (name, _) in files]
                with lock:
                    states.update(each["state"] if named else "not named" for each in told)

    with served.client() as client:
        client.post(f"{API}/recipes", json={"name": "many"}).raise_for_status()
        threads = [threading.Thread(target=send, args=(A_CALL * n,)) for n in range(CALLERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept = len(client.get(f"{API}/recipes/many/images").json())
    odd = len(range(ODD - 1, count, ODD))
    wanted = Counter({"added": count - odd, "refused": odd})
    wrong = [] if states == wanted and kept == count - odd else [f"of {count}: {dict(states)}, {kept} kept"]
    told = ", ".join(f"{number:,} {state}" for state, number in sorted(states.items()))
    return [[f"{count:,} pictures at once, {odd} of them none", f"{told}; {kept:,} kept"]], wrong


def _picture(number: int) -> bytes:
    return b"no picture" if number % ODD == ODD - 1 else encoded(good_part(number, 48, 72))


def _reset_peak(served: Served) -> int:
    """Let the station's peak of memory begin anew; what it has now, in MB."""
    assert served.process is not None
    Path(f"/proc/{served.process.pid}/clear_refs").write_text("5")
    return _megabytes(served, "VmRSS")


def _settled(served: Served, client: httpx.Client) -> int:
    """Megabytes of the station once no picture waits to be written: those that wait are held."""
    while WAITS not in client.get(f"{API}/metrics").text:
        time.sleep(0.1)
    return _megabytes(served, "VmRSS")


def _worked(served: Served) -> float:
    """Seconds of the processor that the station has used."""
    assert served.process is not None
    tasks = Path(f"/proc/{served.process.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _megabytes(served: Served, name: str) -> int:
    """VmRSS, the memory of the station; or VmHWM, the most that it had."""
    assert served.process is not None
    text = Path(f"/proc/{served.process.pid}/status").read_text()
    return next(int(line.split()[1]) // 1024 for line in text.splitlines() if line.startswith(name))
