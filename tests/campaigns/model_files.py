"""Damaged and crafted model files: what is accepted, what ends in a traceback, what a load costs.

    make campaigns   the long form: 40,000 flips in headers, 20,000 in bodies, 200 truncations, all crafted files

The short form is tests/test_campaign_model_files.py.
"""

import argparse
import multiprocessing
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from parts import TINY, good_part

from blemish.calibrating import calibrate
from blemish.detector import load
from blemish.errors import BlemishError, ModelFileError
from blemish.fitting import fit
from blemish.model.file import model_of
from blemish.model.model import Model
from campaigns.crafted_models import crafted

__all__ = ["GOLDEN", "Crafted", "Damaged", "flips", "judge_all", "models", "read_damaged", "truncations"]

GOLDEN = Path(__file__).parent.parent / "golden" / "format-3.blemish"
WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(["blemish.detector", "parts"])
PATIENCE = 60
"""Seconds after which a load counts as hung."""


@dataclass
class Damaged:
    """What became of damaged files."""

    files: int = 0
    accepted: int = 0
    """Read as if nothing were wrong."""
    tracebacks: list[str] = field(default_factory=list)
    slowest: float = 0.0
    """Seconds."""


@dataclass
class Crafted:
    """What became of crafted files, each in a process of its own."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """refused: by a sentence; loaded: it works as another model does; traceback or died."""
    loaded: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Those that ended in a traceback or died, and how."""
    slowest: tuple[float, str] = (0.0, "")
    largest: tuple[float, str] = (0.0, "")
    """Megabytes beyond the file's size, at the peak of its load."""


def models(folder: Path) -> list[bytes]:
    """A model of one look with a journal, one of three looks, one of another method, and the one that is kept."""
    good = [good_part(seed) for seed in range(6)]
    taught = calibrate(fit(good, **TINY).add([good_part(50)]).remove([2]), false_rejects=0.2)
    made = [taught, fit(good, looks=["128:2+3", "64:2+3"], coreset=40), fit(good, method="padim", size=64)]
    files = [GOLDEN.read_bytes()]
    for number, detector in enumerate(made):
        path = folder / f"{number}.blemish"
        detector.save(path)
        files.append(path.read_bytes())
    return files


def flips(files: list[bytes], count: int, *, header: bool, seed: int) -> Iterator[bytes]:
    """Files with one bit flipped: in the header with its length, or behind it."""
    chance = random.Random(seed)
    for number in range(count):
        content = files[number % len(files)]
        begins = 8 + int.from_bytes(content[:8], "little")
        damaged = bytearray(content)
        place = chance.randrange(begins) if header else chance.randrange(begins, len(content))
        damaged[place] ^= 1 << chance.randrange(8)
        yield bytes(damaged)


def truncations(files: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Files that end early, at any place."""
    chance = random.Random(seed)
    for number in range(count):
        content = files[number % len(files)]
        yield content[: chance.randrange(len(content))]


def read_damaged(contents: Iterable[bytes]) -> Damaged:
    """Read files as `load` does."""
    found = Damaged()
    for content in contents:
        found.files += 1
        began = time.perf_counter()
        try:
            model_of(content, "a.blemish")
            found.accepted += 1
        except ModelFileError:
            pass
        except Exception as error:
            found.tracebacks.append(repr(error))
        found.slowest = max(found.slowest, time.perf_counter() - began)
    return found


def judge_all(cases: Iterable[tuple[str, bytes]], folder: Path) -> Crafted:
    """Load each file in a process of its own, and use what is loaded."""
    found = Crafted()
    path = folder / "crafted.blemish"
    for name, content in cases:
        path.write_bytes(content)
        outcome, seconds, peak = _judged(path)
        found.outcomes[outcome.partition(":")[0]] += 1
        if outcome == "loaded":
            found.loaded.append(name)
        elif not outcome.startswith("refused"):
            found.wrong.append(f"{name}: {outcome}")
        found.slowest = max(found.slowest, (seconds, name))
        found.largest = max(found.largest, ((peak - len(content)) / 1e6, name))
    return found


def _judged(path: Path) -> tuple[str, float, int]:
    """Outcome, seconds to load, and bytes at the peak of loading."""
    here, there = WARM.Pipe(duplex=False)
    process = WARM.Process(target=_judge, args=(path, there))
    process.start()
    there.close()
    answer = ("died", float(PATIENCE), 0)
    if here.poll(PATIENCE):
        try:
            answer = here.recv()
        except EOFError:
            answer = ("died", 0.0, 0)
    process.kill()
    process.join()
    return answer


def _judge(path: Path, answers: Connection) -> None:
    held = _peak()
    began = time.perf_counter()
    try:
        detector = load(path, threads=1)
        outcome = "loaded"
    except BlemishError:
        outcome = "refused"
    except BaseException as error:
        outcome = f"traceback: {error!r:.200}"
    seconds, peak = time.perf_counter() - began, _peak() - held
    if outcome == "loaded":
        try:
            detector.info()
            detector.inspect(good_part(1))
            _undo_all(detector.model)
        except BlemishError:
            outcome = "refused: later"
        except BaseException as error:
            outcome = f"traceback: later, {error!r:.200}"
    answers.send((outcome, seconds, peak))


def _undo_all(model: Model) -> None:
    from blemish.model.model import undone

    while model.manifest.journal:
        model = undone(model)


def _peak() -> int:
    """Bytes that this process has held at most (Linux counts in kilobytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def campaign(header: int, body: int, cut: int, seed: int) -> str:
    """All of it, as Markdown."""
    from machine import markdown_table

    with tempfile.TemporaryDirectory() as folder:
        made = judge_all(crafted(GOLDEN), Path(folder))
        files = models(Path(folder))
        damages = {
            "one bit of the header": read_damaged(flips(files, header, header=True, seed=seed)),
            "one bit of the body": read_damaged(flips(files, body, header=False, seed=seed)),
            "cut off": read_damaged(truncations(files, cut, seed)),
        }
    rows = [
        (name, f"{found.files:,}", f"{found.accepted:,}", str(len(found.tracebacks)), f"{found.slowest:.2f} s")
        for name, found in damages.items()
    ]
    damaged = markdown_table(("damage", "files", "accepted", "tracebacks", "slowest"), rows)
    outcomes = made.outcomes
    counts = (sum(outcomes.values()), outcomes["refused"], outcomes["loaded"], len(made.wrong))
    costs = (f"{made.slowest[0]:.2f} s ({made.slowest[1]})", f"{made.largest[0]:.0f} MB ({made.largest[1]})")
    header_row = ("files", "refused", "another model", "traceback, hung or died", "slowest load", "most memory")
    table = markdown_table(header_row, [(*map(str, counts), *costs)])
    wrong = "".join(f"\n- {each}" for each in made.wrong)
    loaded = "\n\nAnother model: " + "; ".join(made.loaded) + "."
    return (
        "Files of four models (one look with a journal, two looks, padim, and the one kept for format 3), damaged and "
        f"read.\n\n{damaged}\n\n"
        "Files crafted with hashes and digest that fit, each loaded in a process of its own, then used: info, one "
        "image, all changes undone. Memory is beyond the file's size. What loads is another sound model, such as one "
        f"with another threshold: only a signature tells who made it.\n\n{table}{wrong}{loaded}"
    )


if __name__ == "__main__":
    from machine import publish

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--header", type=int, default=40_000)
    parser.add_argument("--body", type=int, default=20_000)
    parser.add_argument("--cut", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write the result to tests/campaigns/results/")
    given = parser.parse_args()
    text = campaign(given.header, given.body, given.cut, given.seed)
    publish("model_files", text, seed=given.seed, keep=given.keep, results=Path(__file__).parent / "results")
