"""Model files beside savers and killers: what readers meet while others save, and what killed fits leave.

    make campaigns   the long form: 2,000 reads twice, 200 killed fits; writes its result to tests/campaigns/results/

The short form is tests/test_campaign_files.py.
"""

import argparse
import contextlib
import io
import multiprocessing
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from unittest import mock

from parts import TINY, good_part, save_image

from blemish.cli import main
from blemish.detector import Detector
from blemish.fitting import fit
from blemish.model.file import model_bytes

__all__ = [
    "WARM",
    "Kills",
    "Reads",
    "fit_words",
    "kill",
    "kill_fits",
    "read_beside_processes",
    "read_beside_threads",
    "run",
    "seconds_of",
    "temporary",
    "warm_up",
]

SAVERS = 3
WARM = multiprocessing.get_context("forkserver") if sys.platform != "win32" else multiprocessing.get_context()
"""Starts processes with everything imported, so that most of a fit's run is its work."""
SAVE_FOR_EVER = """
import sys
from pathlib import Path
from blemish.detector import load
detector = load(sys.argv[1])
print("saving", flush=True)
while True:
    detector.save(Path(sys.argv[2]))
"""


@dataclass(frozen=True)
class Reads:
    """Reads of a model file beside savers of it."""

    reads: int
    saved: int | None
    """How often it was saved in the meantime, where that was counted."""
    damaged: int
    """Reads of bytes that none of the savers had written."""


@dataclass(frozen=True)
class Kills:
    """Fits over a model file that were killed, and what they left."""

    fits: int
    """Fits that were alive when they were killed."""
    while_writing: int
    """Killed with a temporary file under way."""
    left: int
    """Temporary files they left, together."""
    left_after_next: int
    """Temporary files there after the next command, together."""
    broken: int
    """Model files that could not be read whole."""
    finished: int
    """Fits beside them that ended before they could be killed."""


def models(folder: Path) -> list[Detector]:
    """Detectors that differ in the images they were fitted on."""
    images = [save_image(folder / "good" / f"{seed}.png", good_part(seed)) for seed in range(4 + SAVERS)]
    return [fit(images[first : first + 4], threads=1, **TINY) for first in range(SAVERS)]


def read_beside_threads(folder: Path, reads: int) -> Reads:
    """Read a model file while three threads save it, one model each."""
    detectors, path = models(folder), folder / "part.blemish"
    detectors[0].save(path)
    stop, saved = threading.Event(), [0] * SAVERS

    def save(number: int) -> None:
        while not stop.is_set():
            detectors[number].save(path)
            saved[number] += 1

    threads = [threading.Thread(target=save, args=(number,)) for number in range(SAVERS)]
    for thread in threads:
        thread.start()
    try:
        damaged = _read(path, detectors, reads)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    return Reads(reads, sum(saved), damaged)


def read_beside_processes(folder: Path, reads: int) -> Reads:
    """Read a model file while three processes save it, one model each."""
    detectors, path = models(folder), folder / "part.blemish"
    detectors[0].save(path)
    with contextlib.ExitStack() as processes:
        for number, detector in enumerate(detectors):
            source = folder / f"{number}.blemish"
            detector.save(source)
            processes.enter_context(_saver(source, path))
        damaged = _read(path, detectors, reads)
    return Reads(reads, None, damaged)


@contextlib.contextmanager
def _saver(source: Path, path: Path) -> Iterator[None]:
    words = [sys.executable, "-c", SAVE_FOR_EVER, str(source), str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def _read(path: Path, detectors: list[Detector], reads: int) -> int:
    """How many reads met anything but one of the files, whole, to the last byte."""
    known = [model_bytes(detector.model) for detector in detectors]
    return sum(path.read_bytes() not in known for _ in range(reads))


def kill_fits(folder: Path, fits: int, seed: int) -> Kills:
    """Fit over one model file again and again, kill -9 each fit, and run `blemish feedback log` after it.

    Every second fit is killed at a random moment of its run, the others at a random moment of their writing, until so
    many `fits` were alive when they were killed.
    """
    images, path = folder / "good", folder / "part.blemish"
    for number in range(3):
        save_image(images / f"{number}.png", good_part(number))
    assert run(*fit_words(images, path)) == 0
    draw = random.Random(seed)
    warm_up()
    seconds = seconds_of(fit_words(images, path))
    killed = while_writing = left = after = broken = finished = 0
    while killed < fits:
        process = WARM.Process(target=run, args=fit_words(images, path))
        process.start()
        if (killed + finished) % 2:
            process.join(draw.uniform(0, seconds))
        else:
            _wait_for_writing(process, folder)
            time.sleep(draw.uniform(0, 0.004))
        alive = kill(process)
        finished, killed = finished + (not alive), killed + alive
        now = temporary(folder)
        left, while_writing = left + now, while_writing + bool(now)
        broken += run("feedback", "log", str(path)) != 0  # it reads the model, and checks all of it
        after += temporary(folder)
    return Kills(killed, while_writing, left, after, broken, finished)


def fit_words(images: Path, path: Path) -> tuple[str, ...]:
    """A small fit, as a command."""
    words = ("fit", str(images), "-o", str(path), "--threads", "1")
    return (*words, "--size=64", "--coreset=20", "--folds=2")


def warm_up() -> None:
    """Have processes start with what commands import."""
    WARM.set_forkserver_preload(["blemish.cli", "blemish.fitting", "blemish.methods.patchcore"])


def seconds_of(
    words: tuple[str, ...], ends: tuple[int, ...] = (0,), lay_out: Callable[[], object] | None = None
) -> float:
    """How long a command takes that nobody kills and that ends as one of `ends`, over files that `lay_out` makes."""
    for _ in range(2):  # the first one imports
        if lay_out:
            lay_out()
        process = WARM.Process(target=run, args=words)
        started = time.perf_counter()
        process.start()
        process.join()
        assert process.exitcode in ends, "what nobody kills ends well"
    return time.perf_counter() - started


def kill(process: BaseProcess) -> bool:
    """Kill a process; whether it was still alive."""
    process.kill()
    process.join()
    return (process.exitcode or 0) < 0  # by itself it ends with 0 or more


def _wait_for_writing(process: BaseProcess, folder: Path) -> None:
    while process.is_alive() and not temporary(folder):
        time.sleep(0.0005)


def temporary(folder: Path) -> int:
    """The number of temporary files in a folder."""
    return sum(path.name.endswith(".tmp") for path in folder.iterdir())


def run(*words: str) -> int:
    """A command in this process, its output thrown away; its exit code."""
    with (
        mock.patch("sys.argv", ["blemish", *words]),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        try:
            main()
        except SystemExit as ended:
            return int(ended.code or 0)


def campaign(reads: int, fits: int, seed: int) -> str:
    """Both, as Markdown."""
    from machine import markdown_table

    rows = []
    for name, measure in (("threads", read_beside_threads), ("processes", read_beside_processes)):
        with tempfile.TemporaryDirectory() as folder:
            found = measure(Path(folder), reads)
        saved = "not counted" if found.saved is None else f"{found.saved:,}"
        rows.append((f"{SAVERS} {name}", f"{found.reads:,}", saved, f"{found.damaged:,}"))
    with tempfile.TemporaryDirectory() as folder:
        kills = kill_fits(Path(folder), fits, seed)
    table = markdown_table(("saving", "reads", "saved", "damaged"), rows)
    header = (
        "fits killed",
        "of them while writing",
        "ended before",
        "files left",
        "left after the next command",
        "broken models",
    )
    counts = (kills.fits, kills.while_writing, kills.finished, kills.left, kills.left_after_next, kills.broken)
    killed = markdown_table(header, [tuple(map(str, counts))])
    return (
        "Reads of one model file while others save it; each read is compared with what they wrote, to the last byte."
        f"\n\n{table}\n\n"
        "`kill -9` of `blemish fit` over a model, every second one at a random moment of its run, the others at a "
        f"random moment of its writing; after each, `blemish feedback log`. Fits that ended before "
        f"their kill are beside the {kills.fits}.\n\n{killed}"
    )


if __name__ == "__main__":
    from machine import publish

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=int, default=2000)
    parser.add_argument("--fits", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write the result to tests/campaigns/results/")
    given = parser.parse_args()
    body = campaign(given.reads, given.fits, given.seed)
    publish("files", body, seed=given.seed, keep=given.keep, results=Path(__file__).parent / "results")
